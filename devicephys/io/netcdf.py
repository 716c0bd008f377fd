"""xarray datasets to and from netCDF-4 through h5netcdf, whole files or none."""

import tempfile
from pathlib import Path

import h5py
import xarray as xr

from devicephys.errors import DataError
from devicephys.io import global_heap
from devicephys.io.files import read_bytes, write_bytes


def write(dataset: xr.Dataset, path: str | Path, *, force: bool = False) -> None:
    """Write a dataset; equal datasets give equal bytes.

    Parameters
    ----------
    dataset : xarray.Dataset
        The dataset.
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
    >>> write(xr.Dataset(), "no/such/folder/x.nc")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: no/such/folder: no such folder; create it first
    """
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "dataset.nc"
        dataset.to_netcdf(scratch, engine="h5netcdf")
        content = scratch.read_bytes()
    write_bytes(path, content, force=force)


def read(path: str | Path) -> xr.Dataset:
    """Read a dataset into memory.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    xarray.Dataset
        The dataset, loaded, with the file closed.

    Raises
    ------
    DataError
        If the file is missing, truncated, damaged or not netCDF-4.

    Examples
    --------
    >>> read("missing.nc")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.nc: no such file; check the path
    """
    global_heap.check(read_bytes(path), str(path))
    try:
        with h5py.File(path, "r") as file:  # refuses quietly what h5netcdf would fail on noisily
            dict(file.attrs)
        with xr.open_dataset(
            path, engine="h5netcdf", decode_times=False, phony_dims="access"
        ) as dataset:
            loaded: xr.Dataset = dataset.load()
            return loaded
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as err:
        reason = " ".join(str(err).split())[:120]
        raise DataError(
            f"not a readable netCDF file ({reason})",
            where=str(path),
            expected="netCDF-4",
            remedy="write or copy it again",
        ) from err
