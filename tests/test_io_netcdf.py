"""netCDF files: round trips, equal bytes, damaged and foreign files refused without noise."""

import gc
import os
import sys

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.errors import DataError, OutputExistsError
from devicephys.io import netcdf


def sample(n=3):
    return xr.Dataset(
        {
            "rate": (("cell", "voltage"), np.linspace(0, 1, 2 * n).reshape(2, n), {"units": "1"}),
            "width": ("voltage", np.full(n, 5e-9), {"units": "s"}),
            "errors": ("voltage", np.arange(n) * 2**40),
            "name": ("cell", np.array(["Ω cell", "b"])),
        },
        {"cell": ["x", "y"], "voltage": ("voltage", np.arange(n) * 0.1, {"units": "V"})},
        {"title": "sample", "count": 3, "share": 0.25},
    )


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "sample.nc"
    netcdf.write(sample(), path)
    return path


def refused(path):
    """Text of the refusal, with what the reader left behind collected at once."""
    with pytest.raises(DataError) as caught:
        netcdf.read(path)
    message = str(caught.value)
    del caught
    gc.collect()
    return message


def test_round_trip(written):
    again = netcdf.read(written)
    xr.testing.assert_identical(again.drop_vars("name"), sample().drop_vars("name"))
    assert again.name.values.tolist() == ["Ω cell", "b"]
    assert again.width.dtype == np.float64  # seconds stay numbers
    assert again.errors.dtype == np.int64


@pytest.mark.parametrize("units", ["s", "days", "days since 2000-01-01"])
def test_numbers_with_a_unit_of_time_stay_numbers(tmp_path, units):
    dataset = xr.Dataset({"t": ("point", [1.5, 2.5], {"units": units})})
    netcdf.write(dataset, tmp_path / "x.nc")
    xr.testing.assert_identical(netcdf.read(tmp_path / "x.nc"), dataset)


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=64), min_size=1, max_size=8),
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True), st.text('abcΩ {}":', min_size=1)
    ),
)
@settings(deadline=None, max_examples=25, derandomize=True)
def test_every_number_and_text_survives(tmp_path_factory, values, attrs):
    dataset = xr.Dataset({"v": ("point", np.array(values))}, attrs=attrs)
    path = tmp_path_factory.mktemp("nc") / "x.nc"
    netcdf.write(dataset, path)
    again = netcdf.read(path)
    assert np.array_equal(again.v.values, values, equal_nan=True)
    assert again.attrs == attrs


def test_equal_datasets_give_equal_bytes(written, tmp_path):
    netcdf.write(sample(), tmp_path / "again.nc")
    assert (tmp_path / "again.nc").read_bytes() == written.read_bytes()
    netcdf.write(sample().assign_attrs(title="other"), tmp_path / "other.nc")
    assert (tmp_path / "other.nc").read_bytes() != written.read_bytes()


def test_dataset_outlives_its_file(written):
    loaded = netcdf.read(written)
    written.unlink()
    assert float(loaded.rate.sum()) == pytest.approx(3)


def test_file_may_be_replaced_after_reading(written):
    loaded = netcdf.read(written)
    netcdf.write(loaded.assign_attrs(title="second"), written, force=True)
    assert netcdf.read(written).attrs["title"] == "second"


def test_existing_output_is_kept(written):
    before = written.read_bytes()
    with pytest.raises(OutputExistsError, match=r"sample\.nc: output exists"):
        netcdf.write(sample(), written)
    assert written.read_bytes() == before


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="gone: no such folder; create it first"):
        netcdf.write(sample(), tmp_path / "gone" / "x.nc")


def test_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def failing(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match="No space left"):
        netcdf.write(sample(), tmp_path / "x.nc")
    assert os.listdir(tmp_path) == []


def test_dataset_that_netcdf_cannot_hold_leaves_nothing(tmp_path):
    dataset = xr.Dataset({"v": ("point", np.array([object()], object))})
    with pytest.raises(ValueError, match="cannot serialize arbitrary Python objects"):
        netcdf.write(dataset, tmp_path / "x.nc")
    assert os.listdir(tmp_path) == []


def test_missing_file(tmp_path):
    assert refused(tmp_path / "gone.nc").endswith("gone.nc: no such file; check the path")


def test_empty_file(tmp_path):
    path = tmp_path / "empty.nc"
    path.touch()
    assert refused(path) == f"{path}: empty file; export the data again"


def test_folder(tmp_path):
    assert "is a folder" in refused(tmp_path)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.9, 0.999])
def test_truncated_file(written, share):
    content = written.read_bytes()
    written.write_bytes(content[: int(share * len(content))])
    message = refused(written)
    assert message.startswith(f"{written}: not a readable netCDF file (")
    assert message.endswith("; expected netCDF-4; write or copy it again")


@pytest.mark.parametrize("content", [b"CDF\x01" + bytes(60), b"device,direction\n", b"PK\x03\x04"])
def test_other_formats(tmp_path, content):
    path = tmp_path / "other.nc"
    path.write_bytes(content)
    message = refused(path)
    assert message.startswith(f"{path}: not a readable netCDF file (")
    assert "\n" not in message


def test_refusals_print_no_traceback_of_the_library(written, monkeypatch):
    """Objects that fail while they are deleted would write a traceback to the terminal."""
    noise = []
    monkeypatch.setattr(sys, "unraisablehook", lambda failure: noise.append(failure.exc_value))
    content = written.read_bytes()
    refusals = 0
    for k in range(0, 128, 4):  # superblock and root group of the HDF5 file
        damaged = bytearray(content)
        damaged[k] ^= 0xFF
        written.write_bytes(bytes(damaged))
        try:
            netcdf.read(written)
        except DataError:
            refusals += 1
    gc.collect()
    assert refusals > 0
    assert noise == []


def test_flipped_bytes_raise_nothing_else(written):
    content = written.read_bytes()
    rng = np.random.default_rng(2)
    refusals = 0
    for k in rng.integers(128, len(content), 40):
        damaged = bytearray(content)
        damaged[k] ^= int(rng.integers(1, 256))
        written.write_bytes(bytes(damaged))
        try:
            netcdf.read(written)
        except DataError:
            refusals += 1
    assert refusals > 0


def test_plain_hdf5_is_read_without_a_warning(tmp_path):
    """Warnings are errors here: names of its dimensions are made up quietly."""
    path = tmp_path / "plain.nc"
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(3)
    assert netcdf.read(path).x.values.tolist() == [0, 1, 2]


def test_a_damaged_heap_on_which_the_library_would_never_end_is_refused(written):
    content = bytearray(written.read_bytes())
    first = content.index(b"GCOL\x01\0\0\0") + 16
    content[first : first + 16] = bytes(16)  # an object becomes free space of no size
    written.write_bytes(content)
    assert "damaged: free space of 0 bytes" in refused(written)
