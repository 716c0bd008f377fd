"""netCDF files that QCoDeS exports: data over setpoints, flattened to one row a point.

Setpoints on a grid are dimensions with coordinates. Those on no grid are gathered ("compress"
of the CF conventions, section 8.2) over ``multi_index``; repeated ones are data over ``index``.
"""

from collections.abc import Hashable, Mapping
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from devicephys.errors import DataError
from devicephys.io import columns, netcdf
from devicephys.io.files import read_bytes, sha256

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
NEEDED = ("ds_name", "guid", "run_description")  # attributes that every export has
LONG = ("run_description", "snapshot")  # whole instrument states: they stay in the file
ROW_NUMBERS = ("index", "multi_index")  # dimensions that QCoDeS makes up

Variables = dict[str, xr.Variable]


def matches(content: bytes) -> bool:
    """Recognise HDF5, which netCDF-4 is; `read` then looks for QCoDeS.

    Parameters
    ----------
    content : bytes
        The beginning of a file, or all of it.

    Returns
    -------
    bool
        Whether it starts as HDF5 does.

    Examples
    --------
    >>> matches(b"\\x89HDF\\r\\n\\x1a\\n..."), matches(b"PK..")
    (True, False)
    """
    return content.startswith(HDF5_MAGIC)


def read(path: str | Path) -> xr.Dataset:
    """Read a dataset that QCoDeS exported to netCDF.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    xarray.Dataset
        Raw columns, see `devicephys.io.columns.assemble`: setpoints, then data; whole numbers
        are floats, as QCoDeS stores them. The attributes of the run are the ``metadata``,
        without the state of the instruments.

    Raises
    ------
    DataError
        If the file is missing, damaged, too large, refers to other files or is no export of
        QCoDeS, has no points, or holds data over different setpoints.

    Examples
    --------
    >>> read("missing.nc")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.nc: no such file; check the path
    """
    where = str(path)
    content = read_bytes(path)
    if not matches(content):
        raise DataError("not HDF5", where=where, expected="a netCDF export of QCoDeS")
    try:
        _check_contents(path, where)
        raw = netcdf.read(path)
        return _flatten(raw, where, sha256(content))
    except DataError:
        raise
    except Exception as err:  # damaged HDF5 fails in as many ways as there are bytes
        reason = " ".join(str(err).split())[:120]
        raise DataError(
            f"damaged ({type(err).__name__}: {reason})", where=where, remedy="export it again"
        ) from err


def _check_contents(path: str | Path, where: str) -> None:
    """Refuse what would read other files or more memory than a measurement takes."""
    size = 0
    with h5py.File(path, "r") as file:
        for name in file:
            at = f"{where}:{name}"[:200]
            if not isinstance(file.get(name, getlink=True), h5py.HardLink):
                raise DataError("a link to elsewhere", where=at, expected="data in this file")
            item = file[name]
            if isinstance(item, h5py.Group):
                raise DataError("a group", where=at, expected="variables only")
            if not isinstance(item, h5py.Dataset):
                continue  # a type with a name, as of complex numbers
            if item.external or item.is_virtual:
                raise DataError("data in another file", where=at, expected="data in this file")
            size += item.size * max(item.dtype.itemsize, 8) if item.shape is not None else 0
    if size > columns.LARGEST:
        raise DataError(f"{size} bytes of data", where=where, expected=f"at most {columns.LARGEST}")


def _flatten(raw: xr.Dataset, where: str, digest: str) -> xr.Dataset:
    missing = [name for name in NEEDED if name not in raw.attrs]
    if missing:
        raise DataError(
            f"no attribute {missing[0]}", where=where, expected="a netCDF export of QCoDeS",
            remedy="export the run by dataset.export('netcdf')",
        )  # fmt: skip
    variables = _gathered(raw, where)
    sizes = {dim: raw.sizes[dim] for v in variables.values() for dim in v.dims}
    data = {name: v for name, v in variables.items() if v.dims != (name,)}
    if not data:
        raise DataError("no data over setpoints", where=where, expected="one variable at least")
    widest = max(data, key=lambda name: len(data[name].dims))
    dims = data[widest].dims
    for name, variable in data.items():
        if not set(variable.dims) <= set(dims):
            raise DataError(
                f"{name} over ({', '.join(map(str, variable.dims))}) beside {widest} over "
                f"({', '.join(map(str, dims))})"[:200],
                where=where, expected="data over the same setpoints",
                remedy="measure or export them as runs of their own",
            )  # fmt: skip
    for dim in dims:
        if dim not in variables and dim not in ROW_NUMBERS:
            raise DataError(f"no setpoints for dimension {str(dim)[:40]!r}", where=where)
    kept = {n: v for n, v in variables.items() if set(v.dims) <= set(dims) and n not in ROW_NUMBERS}
    n_points = int(np.prod([sizes[dim] for dim in dims], dtype=object))
    if not n_points:
        raise DataError("no points", where=where, expected="a run with results")
    if n_points * len(kept) * 8 > columns.LARGEST:
        raise DataError(
            f"{n_points} points of {len(kept)} columns", where=where,
            expected=f"at most {columns.LARGEST} bytes",
        )  # fmt: skip
    order = [n for n in dims if n in kept] + [n for n in kept if n in raw.sizes and n not in dims]
    order += [n for n in kept if n not in raw.sizes]
    table = {
        str(name): (_values(kept[name], dims, sizes, f"{where}:{name}"), _unit(kept[name], where))
        for name in order
    }
    metadata = {
        str(key): value if isinstance(value, str) else str(value)
        for key, value in raw.attrs.items()
        if key not in LONG
    }
    return columns.assemble(table, columns.Origin(where, "qcodes", digest, metadata))


def _gathered(raw: xr.Dataset, where: str) -> Variables:
    """Give the variables, with setpoints of gathered dimensions as variables over these."""
    variables = {str(name): variable for name, variable in raw.variables.items()}
    for name, variable in list(variables.items()):
        if "compress" not in variable.attrs:
            continue
        names = str(variable.attrs["compress"]).split()
        if variable.dims != (name,) or not all(n in raw.variables and n in raw.dims for n in names):
            raise DataError(
                f"{name} gathers {' '.join(names)}"[:200], where=where, expected="dimensions"
            )
        shape = [raw.sizes[n] for n in names]
        try:
            indices = np.unravel_index(variable.values.astype(np.int64), shape)
        except ValueError as err:
            raise DataError(f"{name} points beyond its setpoints", where=where) from err
        for setpoint, index in zip(names, indices, strict=True):
            grid = raw.variables[setpoint]
            variables[setpoint] = xr.Variable((name,), grid.values[index], grid.attrs)
    return variables


def _values(
    variable: xr.Variable, dims: tuple[Hashable, ...], sizes: Mapping[Hashable, int], at: str
) -> np.ndarray:
    """Spread a variable over all points, in the order of `dims`."""
    own = variable.transpose(*(dim for dim in dims if dim in variable.dims)).values
    spread = own[tuple(slice(None) if dim in variable.dims else np.newaxis for dim in dims)]
    values: np.ndarray = np.broadcast_to(spread, [sizes[dim] for dim in dims]).reshape(-1)
    if values.dtype.kind in "fiub":
        return values.astype(np.float64)
    texts = [v.decode() if isinstance(v, bytes) else v for v in values.tolist()]
    if not all(isinstance(v, str) for v in texts):
        raise DataError(
            f"values of type {values.dtype}", where=at, expected="real numbers or texts"
        )
    if max(map(len, texts)) > columns.LONGEST_TEXT:
        raise DataError("a text too long", where=at, expected=f"{columns.LONGEST_TEXT} characters")
    return np.array(texts, dtype=np.str_)


def _unit(variable: xr.Variable, where: str) -> str:
    unit = variable.attrs.get("units", variable.attrs.get("unit", ""))
    if not isinstance(unit, str):
        kind = type(unit).__name__
        raise DataError(f"unit {str(unit)[:40]!r} of type {kind}", where=where, expected="a text")
    return unit
