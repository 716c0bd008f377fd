"""netCDF exports of QCoDeS, built as version 0.42 and 0.58 lay them out: flattened, or refused."""

import json

import h5py
import numpy as np
import pytest
import xarray as xr

from devicephys.errors import DataError
from devicephys.io import qcodes

RUN = {
    "ds_name": "write", "sample_name": "chip7", "guid": "2a2929f7-0000", "run_id": 1,
    "run_description": '{"version": 3}', "snapshot": '{"station": {}}', "lot": "A7",
}  # fmt: skip


def parameter(name, unit, depends_on=()):
    return {
        "name": name, "label": name, "unit": unit, "units": unit, "paramtype": "numeric",
        "depends_on": np.array([]) if not depends_on else list(depends_on),
    }  # fmt: skip


V = ("v", np.array([0.3, 0.4, 0.5]), parameter("v", "V"))
W = ("w", np.array([1e-9, 2e-9]), parameter("w", "s"))
GRID = xr.Dataset(
    {
        "n": (("v", "w"), np.full((3, 2), 1000.0), parameter("n", "", ("v", "w"))),
        "p_sw": (("v", "w"), np.arange(6.0).reshape(3, 2) / 10, parameter("p_sw", "")),
        "r": (("v",), np.array([1.0, 2.0, np.nan]), parameter("r", "ohm")),
    },
    coords={"v": V, "w": W},
    attrs=RUN,
)
GATHERED = xr.Dataset(
    {"p_sw": (("multi_index",), np.array([0.1, 0.2, 0.3]), parameter("p_sw", ""))},
    coords={"v": V, "w": W, "multi_index": ("multi_index", [0, 3, 4], {"compress": "v w"})},
    attrs=RUN,
)
REPEATED = xr.Dataset(
    {
        "v": (("index",), np.array([0.3, 0.4, 0.4]), parameter("v", "V")),
        "p_sw": (("index",), np.array([0.1, 0.2, 0.3]), parameter("p_sw", "")),
    },
    coords={"index": ("index", [0, 1, 2])},
    attrs=RUN,
)


@pytest.fixture
def read(tmp_path):
    def read(dataset):
        path = tmp_path / "qcodes_1_2a2929f7.nc"
        dataset.to_netcdf(path, engine="h5netcdf")
        return qcodes.read(path)

    return read


def refusal(read, *arguments):
    with pytest.raises(DataError) as caught:
        read(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_grid_becomes_a_row_a_point_setpoints_first(read):
    raw = read(GRID)
    assert list(raw) == ["v", "w", "n", "p_sw", "r"]
    assert [raw[n].attrs["units"] for n in raw] == ["V", "s", "", "", "ohm"]
    assert raw.v.values.tolist() == [0.3, 0.3, 0.4, 0.4, 0.5, 0.5]
    assert raw.w.values.tolist() == [1e-9, 2e-9] * 3
    assert raw.p_sw.values.tolist() == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    np.testing.assert_array_equal(raw.r, [1, 1, 2, 2, np.nan, np.nan])
    assert {raw[n].dtype for n in raw} == {np.dtype(np.float64)}
    assert raw.attrs["kind"] == "columns"
    assert raw.attrs["format"] == "qcodes"
    assert raw.attrs["source"] == "qcodes_1_2a2929f7.nc"
    assert len(raw.attrs["sha256"]) == 64
    assert json.loads(raw.attrs["metadata"]) == {
        "ds_name": "write", "sample_name": "chip7", "guid": "2a2929f7-0000", "run_id": "1",
        "lot": "A7",
    }  # fmt: skip


def test_the_order_of_dimensions_does_not_matter(read):
    other = GRID.drop_vars("n").assign(p_sw=GRID.p_sw.transpose("w", "v"))
    expected = read(GRID)
    raw = read(other)
    order = np.lexsort((raw.w, raw.v))
    assert raw.p_sw.values[order].tolist() == expected.p_sw.values.tolist()


def test_gathered_setpoints_are_spread(read):
    raw = read(GATHERED)
    assert list(raw) == ["v", "w", "p_sw"]
    assert raw.v.values.tolist() == [0.3, 0.4, 0.5]
    assert raw.w.values.tolist() == [1e-9, 2e-9, 1e-9]
    assert raw.v.attrs["units"] == "V"


def test_repeated_setpoints_are_columns_as_they_are(read):
    raw = read(REPEATED)
    assert list(raw) == ["v", "p_sw"]
    assert raw.v.values.tolist() == [0.3, 0.4, 0.4]


def test_texts_and_whole_numbers(read):
    text = xr.Dataset(
        {"n": (("direction",), np.array([3, 4]), {"unit": "counts"})},
        coords={"direction": ["AP->P", "P->AP"]}, attrs=RUN,
    )  # fmt: skip
    raw = read(text)
    assert raw.direction.values.tolist() == ["AP->P", "P->AP"]
    assert raw.n.dtype == np.float64
    assert raw.n.attrs["units"] == "counts"


@pytest.mark.parametrize(
    ("dataset", "phrase"),
    [
        (GRID.drop_attrs(deep=False), "no attribute ds_name; expected a netCDF export of QCoDeS"),
        (GRID.drop_vars(["n", "p_sw", "r"]), "no data over setpoints"),
        (GRID.drop_vars("w"), "no setpoints for dimension 'w'"),
        (GRID.isel(v=[]), "no points; expected a run with results"),
        (GRID.assign(n=("x", [1.0])), "n over (x) beside p_sw over (v, w)"),
        (GRID.assign(r=GRID.r.assign_attrs(units=3)), "unit '3' of type int64; expected a text"),
        (GATHERED.assign_coords(multi_index=("multi_index", [0, 3, 6], {"compress": "v w"})),
         "multi_index points beyond its setpoints"),
        (GATHERED.assign_coords(multi_index=("multi_index", [0, 3, 4], {"compress": "v x"})),
         "multi_index gathers v x"),
        (REPEATED.rename(v="point"), "column 'point'; expected another name"),
        (REPEATED.assign(v=("index", ["x" * 300] * 3)), ":v: a text too long"),
    ],
)  # fmt: skip
def test_refused(read, dataset, phrase):
    assert phrase in refusal(read, dataset)


def test_what_reaches_outside_or_is_too_large_is_refused(tmp_path, read):
    read(GRID)
    valid = (tmp_path / "qcodes_1_2a2929f7.nc").read_bytes()
    path = tmp_path / "x.nc"

    def message(change):
        path.write_bytes(valid)
        with h5py.File(path, "a") as file:
            change(file)
        return refusal(qcodes.read, path)

    def link(file):
        file["secret"] = h5py.ExternalLink("/etc/passwd", "/")

    def soft(file):
        file["again"] = h5py.SoftLink("/v")

    def external(file):
        file.create_dataset("secret", (8,), "u1", external=[("/etc/hostname", 0, 8)])

    def virtual(file):
        layout = h5py.VirtualLayout((2,), "f8")
        layout[:] = h5py.VirtualSource("other.h5", "x", (2,))
        file.create_virtual_dataset("secret", layout)

    def vast(file):
        file.create_dataset("vast", (10**6, 10**6), "f8", chunks=(100, 100))

    assert "x.nc:secret: a link to elsewhere" in message(link)
    assert "x.nc:again: a link to elsewhere" in message(soft)
    assert "x.nc:secret: data in another file" in message(external)
    assert "x.nc:secret: data in another file" in message(virtual)
    assert "8000000000160 bytes of data; expected at most" in message(vast)
    assert "x.nc:inside: a group" in message(lambda file: file.create_group("inside"))


def test_complex_values_are_refused(tmp_path, read):
    read(GRID)
    path = tmp_path / "qcodes_1_2a2929f7.nc"
    with h5py.File(path, "a") as file:
        file["v"].make_scale("v")
        file["z"] = np.array([1j, 2j, 3j])
        file["z"].dims[0].attach_scale(file["v"])
    assert ":z: values of type" in refusal(qcodes.read, path)


def test_other_files_are_not_taken(tmp_path):
    path = tmp_path / "x.nc"
    for content, phrase in [(b"CDF\x01" + bytes(40), "not HDF5"),
                            (qcodes.HDF5_MAGIC + bytes(400), "damaged (")]:  # fmt: skip
        path.write_bytes(content)
        assert qcodes.matches(content) == content.startswith(qcodes.HDF5_MAGIC)
        assert phrase in refusal(qcodes.read, path)


def test_damage_gives_a_refusal_or_columns(tmp_path, read):
    read(GRID)
    whole = (tmp_path / "qcodes_1_2a2929f7.nc").read_bytes()
    path = tmp_path / "x.nc"
    rng = np.random.default_rng(5)
    refusals = []
    for k in rng.integers(8, len(whole), 20):
        flipped = bytearray(whole)
        flipped[k] ^= int(rng.integers(1, 256))
        for damaged in (bytes(flipped), whole[:k]):
            path.write_bytes(damaged)
            try:
                qcodes.read(path)
            except DataError as err:
                refusals.append(str(err))
    assert len(refusals) > 20
    assert not [message for message in refusals if "\n" in message]
