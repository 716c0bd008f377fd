"""The hinge between devices and networks: error rates and energy over operating points.

A table is an xarray Dataset. Its dimensions are the operating point (for example
``pulse_current`` x ``pulse_width``, or ``cell`` x ``pulse_voltage``) and the conditions it is held
under (``temperature``; ``spread``, a factor on the spread between devices; ``time`` since
programming), its variables are

==================  ====  ==========================================================
ber, ber_lo/ber_hi  1     bit error rate (p01 + p10)/2 and its interval
p01                 1     probability that a bit meant to be 0 ends up, or reads, as 1
p10                 1     probability that a bit meant to be 1 ends up, or reads, as 0
energy_per_bit      J     mean energy of writing one bit
==================  ====  ==========================================================

and its attributes say where the numbers come from; the interval is one of 95 % unless the
attribute ``interval`` says otherwise. A table is never extrapolated.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr
from scipy.interpolate import RegularGridInterpolator

from devicephys import __version__
from devicephys.checks import Array, known
from devicephys.ecc import Code, coded_variables
from devicephys.errors import DataError, OutsideTableError, ParameterError
from devicephys.io import netcdf
from devicephys.io.files import write_bytes
from devicephys.units import si

SCHEMA = "devicephys-table-1"
VARIABLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "ber": ("1", "bit error rate"),
        "ber_lo": ("1", "lower end of the interval of the bit error rate"),
        "ber_hi": ("1", "upper end of the interval of the bit error rate"),
        "p01": ("1", "probability that a 0 becomes 1"),
        "p10": ("1", "probability that a 1 becomes 0"),
        "energy_per_bit": ("J", "mean energy of writing one bit"),
    }
)
LOGARITHMIC = ("energy_per_bit", "ber", "ber_lo", "ber_hi")
AXES: Mapping[str, str] = MappingProxyType(
    {
        "cell": "",
        "pulse_current": "A",
        "pulse_voltage": "V",
        "pulse_width": "s",
        "pulses": "1",
        "temperature": "K",
        "time": "s",
        "spread": "1",
    }
)
GIVEN = ("temperature", "spread", "time")  # axes that nobody chooses when writing a bit


def make(
    axes: Mapping[str, Any], values: Mapping[str, Any], attrs: Mapping[str, Any]
) -> xr.Dataset:
    """Make a table, with units from the schema, and check it.

    Parameters
    ----------
    axes : mapping of str to array_like
        Values of each dimension, in order: numbers rising, or names; shape (n,) each [SI].
    values : mapping of str to array_like
        The six variables, shape of the grid in the order of `axes` [1 and J].
    attrs : mapping
        Provenance; anything but text and numbers is stored as JSON.

    Returns
    -------
    xarray.Dataset
        The table.

    Raises
    ------
    DataError
        If a variable is missing or impossible, or an axis is unknown or unsorted.

    Examples
    --------
    >>> half = {name: [0.1, 0.01] for name in VARIABLES}
    >>> table = make({"pulse_voltage": [0.8, 0.9]}, half, {"title": "example"})
    >>> table.energy_per_bit.attrs["units"]
    'J'
    """
    names = list(axes)
    missing = [name for name in VARIABLES if name not in values]
    if missing:
        raise DataError(f"table without {missing[0]}", expected=", ".join(VARIABLES))
    coords = {n: (n, np.asarray(x), {"units": AXES.get(n, "1")}) for n, x in axes.items()}
    shape = tuple(len(x) for _, x, _ in coords.values())
    arrays = {name: np.asarray(values[name], np.float64) for name in VARIABLES}
    for name, array in arrays.items():
        if array.shape != shape:
            raise DataError(
                f"table: {name} of shape {array.shape}", expected=f"{shape}, as the axes"
            )
    data = {
        name: (names, arrays[name], {"units": unit, "long_name": text})
        for name, (unit, text) in VARIABLES.items()
    }
    text = {k: _attribute(v) for k, v in attrs.items()}
    text |= {"schema": SCHEMA, "Conventions": "CF-1.11", "devicephys_version": __version__}
    table = xr.Dataset(data, coords, dict(sorted(text.items())))
    check(table, "table")
    return table


def _attribute(value: Any) -> str | int | float:
    """Text and numbers as they are, anything else as JSON: netCDF knows no None, dict or bool."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    return json.dumps(value, sort_keys=True)


def check(table: xr.Dataset, where: str) -> None:
    """Check a table against the schema.

    Parameters
    ----------
    table : xarray.Dataset
        The table.
    where : str
        Its name, for messages.

    Raises
    ------
    DataError
        Naming what does not fit.

    Examples
    --------
    >>> check(xr.Dataset(), "x.nc")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: x.nc: schema None; expected devicephys-table-1
    """
    if table.attrs.get("schema") != SCHEMA:
        raise DataError(f"schema {table.attrs.get('schema')}", where=where, expected=SCHEMA)
    for name, (unit, _) in VARIABLES.items():
        if name not in table or table[name].attrs.get("units") != unit:
            raise DataError(
                f"no variable {name} [{unit}]", where=where, expected=", ".join(VARIABLES)
            )
        if table[name].dims != table.ber.dims:
            raise DataError(f"{name} over {table[name].dims}", where=where, expected="one grid")
        x = table[name].values
        limit = np.inf if unit == "J" else 1.0
        if not (np.isfinite(x) & (x >= 0) & (x <= limit)).all():
            raise DataError(f"{name} outside [0, {limit:g}] {unit}", where=where)
    if not ((table.ber_lo <= table.ber) & (table.ber <= table.ber_hi)).all():
        raise DataError("ber outside [ber_lo, ber_hi]", where=where)
    if not np.allclose(table.ber, (table.p01 + table.p10) / 2, rtol=1e-9, atol=0):
        raise DataError("ber is not (p01 + p10)/2", where=where)
    for name in table.ber.dims:
        axis = table[name].values
        if str(name) not in AXES:
            raise DataError(f"unknown axis {name!r}", where=where, expected=", ".join(AXES))
        if axis.dtype.kind in "fi":
            rises = np.isfinite(axis).all() and (np.diff(axis) > 0).all()
        else:
            rises = len(set(axis.tolist())) == len(axis)
        if not rises:
            raise DataError(
                f"axis {name} does not rise",
                where=where,
                expected="a sorted grid of finite numbers, or names",
            )


def lookup(table: xr.Dataset, **point: float | str) -> dict[str, float]:
    """Look up rates and energy at an operating point between the grid points.

    Valid inside the grid only: log10 of the rates and of the energy are interpolated linearly in
    each axis, next to a rate of zero the rates themselves; names are matched exactly.

    Parameters
    ----------
    table : xarray.Dataset
        The table.
    **point : float or str
        One value for each dimension of the table [SI].

    Returns
    -------
    dict of str to float
        The six variables [1 and J].

    Raises
    ------
    ParameterError
        If a dimension is missing or unknown.
    OutsideTableError
        If the point is outside the grid.

    Examples
    --------
    >>> values = {name: [1e-1, 1e-3] for name in VARIABLES}
    >>> table = make({"pulse_voltage": [0.8, 1.0]}, values, {})
    >>> round(lookup(table, pulse_voltage=0.9)["ber"], 6)
    0.01
    """
    names = [str(d) for d in table.ber.dims]
    for name in point:
        known("axis", name, names)
    missing = [name for name in names if name not in point]
    if missing:
        raise ParameterError(f"no value for axis {missing[0]}", expected=f"{', '.join(names)}")
    for name, value in point.items():
        _inside(table[name].values, name, value, AXES[name])
    labels = {n: point[n] for n in names if table[n].dtype.kind not in "fi"}
    plane = table.sel(labels)
    axes = [n for n in names if n not in labels]
    wide = [n for n in axes if plane.sizes[n] > 1]
    plane = plane.squeeze([n for n in axes if n not in wide])
    grid, at = tuple(plane[n].values for n in wide), [float(point[n]) for n in wide]
    grids = {name: plane[name].transpose(*wide).values for name in VARIABLES}

    def at_point(values: Array) -> float:
        return float(RegularGridInterpolator(grid, values)(at)[0]) if wide else float(values)

    found = {name: at_point(values) for name, values in grids.items()}
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = {
            n: at_point(np.where(grids[n] > 0, np.log10(grids[n]), np.nan)) for n in LOGARITHMIC
        }
        share = at_point(np.where(grids["ber"] > 0, grids["p01"] / grids["ber"] / 2, 0.5))
    energy = logs.pop("energy_per_bit")
    if np.isfinite(energy):
        found["energy_per_bit"] = 10**energy
    if all(np.isfinite(x) for x in logs.values()):  # next to a rate of zero all stay linear
        found |= {name: 10**x for name, x in logs.items()}
        found |= {"p01": 2 * found["ber"] * share, "p10": 2 * found["ber"] * (1 - share)}
    return found


def _inside(axis: Array, name: str, value: float | str, unit: str) -> None:
    if axis.dtype.kind not in "fi":
        known(name, str(value), [str(a) for a in axis])
        return
    if isinstance(value, str):
        raise ParameterError(f"{name} = {value!r}", expected=f"a number [{unit}]")
    if not axis[0] <= value <= axis[-1]:
        raise OutsideTableError(
            f"{name} = {si(float(value), unit)} is outside the table",
            expected=f"{si(axis[0], unit)} to {si(axis[-1], unit)}",
            remedy="tables are not extrapolated: make one over a wider grid",
        )


def pareto(table: xr.Dataset) -> xr.Dataset:
    """Select the operating points that no other point beats in both error rate and energy.

    Parameters
    ----------
    table : xarray.Dataset
        A table.

    Returns
    -------
    xarray.Dataset
        The points over the dimension ``point``, by rising energy; the axes become variables.
        Where the table has a ``cell`` axis, each cell keeps its own points.

    Raises
    ------
    ParameterError
        If the table holds several temperatures, spreads or times: their points do not compete.

    Examples
    --------
    >>> values = {name: [0.1, 0.2, 0.01] for name in VARIABLES} | {"energy_per_bit": [1, 2, 3]}
    >>> table = make({"pulse_voltage": [0.8, 0.9, 1.0]}, values, {})
    >>> pareto(table).pulse_voltage.values.tolist()
    [0.8, 1.0]
    """
    for name in GIVEN:
        if table.sizes.get(name, 1) > 1:
            raise ParameterError(
                f"points of {table.sizes[name]} values of {name}", expected="one value",
                remedy=f"make a table of one value, or take table.sel({name}=[...]) of this one",
            )  # fmt: skip
    if "cell" in table.dims:
        fronts = [pareto(table.sel(cell=name)) for name in table.cell.values]
        return xr.concat(fronts, "point", data_vars="all", coords="different", compat="equals",
                         join="outer", combine_attrs="override")  # fmt: skip
    if table.ber.dims:
        table = table.stack(point=table.ber.dims).reset_index("point")
    else:  # one cell of a table without other axes
        table = table.expand_dims("point")
    flat = table.reset_coords()
    order = np.lexsort((flat.ber.values, flat.energy_per_bit.values))
    ber = flat.ber.values[order]
    best_before = np.r_[np.inf, np.minimum.accumulate(ber)[:-1]]
    front = flat.isel(point=order[ber < best_before])
    return front.assign(
        {n: v.broadcast_like(front.ber) for n, v in front.data_vars.items() if not v.dims}
    )


def with_code(table: xr.Dataset, code: Code) -> xr.Dataset:
    """Lay an error-correcting code over the cells of a table, beside the cells as they are.

    Valid for random data and independent errors; for SECDED the rates are upper bounds.

    Parameters
    ----------
    table : xarray.Dataset
        A table.
    code : Code
        The code.

    Returns
    -------
    xarray.Dataset
        The table with an axis ``cell``: the cells that it has, or "plain", then each of those
        without a code with it; energies are those of a data bit, check bits included.

    Raises
    ------
    ParameterError
        If the code lies over every cell of the table already.

    Examples
    --------
    >>> from devicephys.ecc import secded
    >>> values = {name: [1e-3] for name in VARIABLES} | {"energy_per_bit": [64e-15]}
    >>> coded_too = with_code(make({"pulse_voltage": [0.8]}, values, {}), secded(64))
    >>> coded_too.cell.values.tolist(), (1e15 * coded_too.energy_per_bit).round(3).values.tolist()
    (['plain', 'plain + SECDED(72,64)'], [[64.0], [72.0]])
    """
    if "cell" not in table.dims:
        table = table.expand_dims(cell=["plain"])
        table["cell"].attrs["units"] = AXES["cell"]
    names = table.cell.values.tolist()
    plain = [n for n in names if " + " not in n and f"{n} + {code.name}" not in names]
    if not plain:
        raise ParameterError(
            f"cells {', '.join(names)}", expected=f"one that is not under {code.name} yet"
        )
    cells = table.sel(cell=plain)
    made = coded_variables(code, {name: cells[name].values for name in VARIABLES})
    with_it = cells.assign({n: (cells[n].dims, x, cells[n].attrs) for n, x in made.items()})
    with_it = with_it.assign_coords(cell=[f"{name} + {code.name}" for name in plain])
    return xr.concat([table, with_it], "cell", data_vars="all", coords="different",
                     compat="equals", join="exact", combine_attrs="override")  # fmt: skip


def of_writes(
    axes: Mapping[str, Array],
    p01: Array,
    p10: Array,
    log_half_width: Array,
    energy_per_bit: Array,
    resolved: float,
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    """Make the table of writes of 0 and 1 in equal numbers, its interval symmetric in ln BER.

    Parameters
    ----------
    axes : mapping of str to ndarray
        Axes and their values, as for `make`, shape (n,) each [SI].
    p01, p10 : ndarray
        Error rates of writing 0 and 1, shape of the axes [1].
    log_half_width : ndarray
        Half width of the 95 % interval of ln BER, shape of the axes [1].
    energy_per_bit : ndarray
        Mean energy of a write, shape of the axes [J].
    resolved : float
        Least rate that the solver tells: a lower one is only bounded, by 0 and this or more [1].
    attrs : mapping
        As for `make`.

    Returns
    -------
    xarray.Dataset
        The table.

    Raises
    ------
    ParameterError, DataError
        As `make`.

    Examples
    --------
    >>> one = np.array([1e-3])
    >>> table = of_writes({"pulse_voltage": np.array([1.0])}, one, 3 * one, 0 * one + 0.1,
    ...                   0 * one + 1e-13, 1e-12, {"source": "doc"})
    >>> float(table.ber[0]), float(table.ber_hi[0].round(6))
    (0.002, 0.00221)
    """
    ber, factor = (p10 + p01) / 2, np.exp(log_half_width)
    bounded = ber < resolved
    return make(
        axes,
        {
            "ber": ber,
            "ber_lo": np.where(bounded, 0.0, ber / factor),
            "ber_hi": np.minimum(np.maximum(ber * factor, np.where(bounded, resolved, 0)), 1.0),
            "p01": p01,
            "p10": p10,
            "energy_per_bit": energy_per_bit,
        },
        attrs,
    )


def read(path: str | Path) -> xr.Dataset:
    """Read a table from a netCDF file and check it.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    xarray.Dataset
        The table.

    Raises
    ------
    DataError
        If the file is missing, damaged or not a table.

    Examples
    --------
    >>> read("missing.nc")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.nc: no such file; check the path
    """
    table = netcdf.read(path)
    check(table, str(path))
    return table


def write_csv(table: xr.Dataset, path: str | Path, *, force: bool = False) -> None:
    """Write a table, or points of one, as CSV with the units in the column names.

    Parameters
    ----------
    table : xarray.Dataset
        Any dataset whose variables carry ``units``.
    path : str or Path
        The file.
    force : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    OutputExistsError, DataError
        If the file exists or its folder does not.

    Examples
    --------
    >>> write_csv(xr.Dataset({"ber": ("point", [0.1])}), "no/such/folder/x.csv")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: no/such/folder: no such folder; create it first
    """
    frame = table.to_dataframe().reset_index()
    units = {name: table[name].attrs.get("units", "1") for name in table.variables}
    suffix = {"1": "", "": "", "Ohm": "_ohm"}
    names = {n: f"{n}{suffix.get(u, '_' + u)}" for n, u in units.items()}
    frame = frame.drop(columns=["point"], errors="ignore").rename(columns=names)
    if table.attrs.get("synthetic"):
        frame.insert(0, "synthetic", "yes")
    write_bytes(path, frame.to_csv(index=False, float_format="%.10g").encode(), force=force)
