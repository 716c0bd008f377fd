"""Tables: schema, exact interpolation laws, non-dominated fronts, files."""

import gc
import itertools
import json
import os

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys import __version__, tables
from devicephys.ecc import residual_ber, secded
from devicephys.errors import DataError, OutputExistsError, OutsideTableError, ParameterError
from devicephys.io import netcdf
from devicephys.tables import VARIABLES, check, lookup, make, pareto, with_code

QUICK = settings(deadline=None, max_examples=40, derandomize=True)


def values_of(ber, energy=None):
    """The six variables of a table with equal rates p01 = p10."""
    ber = np.asarray(ber, float)
    energy = np.ones(ber.shape) * 1e-12 if energy is None else np.asarray(energy, float)
    return {
        "ber": ber, "ber_lo": ber / 2, "ber_hi": np.minimum(2 * ber + 1e-9, 1), "p01": ber,
        "p10": ber, "energy_per_bit": energy,
    }  # fmt: skip


def line_table(ber=(0.1, 0.01, 0.001), energy=(1e-12, 2e-12, 3e-12)):
    return make({"pulse_voltage": [0.8, 0.9, 1.0]}, values_of(ber, energy), {})


def grid_table():
    """Power laws in both axes: log-linear interpolation is exact everywhere."""
    current, width = np.array([1e-5, 3e-5, 4e-5, 9e-5]), np.array([1e-9, 2e-9, 5e-9])
    log_ber = -1 - 2e4 * current[:, None] - 3e8 * width
    energy = 10 ** (-13 + 1e4 * current[:, None] + 1e8 * width)
    return make(
        {"pulse_current": current, "pulse_width": width}, values_of(10**log_ber, energy), {}
    )


def cell_table():
    ber = [[0.1, 0.01, 0.001], [0.2, 0.02, 0.002]]
    energy = [[1e-12, 2e-12, 3e-12], [2e-12, 4e-12, 6e-12]]
    axes = {"cell": ["1T1R", "2T2R"], "pulse_voltage": [0.8, 0.9, 1.0]}
    return make(axes, values_of(ber, energy), {})


def test_made_table_carries_units_names_and_provenance():
    table = make({"pulse_voltage": [0.8, 0.9]}, values_of([0.1, 0.01]), {
        "title": "t", "n": 3, "share": 0.5, "nested": {"b": [1, 2], "a": None}, "flag": True,
    })  # fmt: skip
    for name, (unit, text) in VARIABLES.items():
        assert table[name].attrs == {"units": unit, "long_name": text}
        assert table[name].dtype == np.float64
    assert table.pulse_voltage.attrs["units"] == "V"
    assert (table.attrs["title"], table.attrs["n"], table.attrs["share"]) == ("t", 3, 0.5)
    assert json.loads(table.attrs["nested"]) == {"a": None, "b": [1, 2]}
    assert table.attrs["flag"] == "true"
    assert table.attrs["schema"] == tables.SCHEMA
    assert table.attrs["devicephys_version"] == __version__
    assert list(table.attrs) == sorted(table.attrs)


def test_numbers_of_numpy_are_numbers_in_the_provenance():
    table = make({"pulse_voltage": [0.8]}, values_of([0.1]), {"n": np.int64(3), "x": np.float64(2)})
    assert (table.attrs["n"], table.attrs["x"]) == (3, 2)


@pytest.mark.parametrize("name", VARIABLES)
def test_missing_variable_is_named(name):
    values = {k: v for k, v in values_of([0.1]).items() if k != name}
    with pytest.raises(DataError, match=f"table without {name}; expected ber, ber_lo"):
        make({"pulse_voltage": [0.8]}, values, {})
    table = line_table().drop_vars(name)
    if name != "ber":
        with pytest.raises(DataError, match=rf"x\.nc: no variable {name} \["):
            check(table, "x.nc")


@pytest.mark.parametrize("bad", [-1e-9, 1 + 1e-9, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["ber", "ber_lo", "ber_hi", "p01", "p10"])
def test_rates_must_be_probabilities(name, bad):
    values = {k: v.copy() for k, v in values_of([0.1, 0.01]).items()}
    values[name][1] = bad
    with pytest.raises(DataError, match=rf"table: {name} outside \[0, 1\]"):
        make({"pulse_voltage": [0.8, 0.9]}, values, {})


@pytest.mark.parametrize("bad", [-1e-15, np.nan, np.inf])
def test_energies_must_be_finite_and_not_negative(bad):
    with pytest.raises(DataError, match=r"energy_per_bit outside \[0, inf\] J"):
        make({"pulse_voltage": [0.8, 0.9]}, values_of([0.1, 0.01], [1e-12, bad]), {})


@pytest.mark.parametrize(("name", "value"), [("ber_lo", 0.11), ("ber_hi", 0.09)])
def test_interval_must_hold_the_rate(name, value):
    values = values_of([0.1]) | {name: [value]}
    with pytest.raises(DataError, match=r"ber outside \[ber_lo, ber_hi\]"):
        make({"pulse_voltage": [0.8]}, values, {})


@pytest.mark.parametrize(
    "axis",
    [[1.0, 0.9, 0.8], [0.8, 0.8, 0.9], [0.8, np.nan, 0.9], [3, 2, 1], [1, 1, 2]],
)
def test_axis_must_rise(axis):
    with pytest.raises(DataError, match="axis pulse_voltage does not rise; expected a sorted grid"):
        make({"pulse_voltage": axis}, values_of([0.1, 0.01, 0.001]), {})


@pytest.mark.parametrize("axis", [[np.nan], [np.inf]])
def test_axis_must_be_finite(axis):
    with pytest.raises(DataError, match="axis pulse_voltage"):
        make({"pulse_voltage": axis}, values_of([0.1]), {})


def test_names_on_an_axis_must_differ():
    with pytest.raises(DataError, match="axis cell"):
        make({"cell": ["1T1R", "1T1R"]}, values_of([0.1, 0.01]), {})


def test_unknown_axis_is_refused():
    with pytest.raises(DataError, match="unknown axis 'humidity'; expected cell, pulse_current"):
        make({"humidity": [0.5]}, values_of([0.1]), {})


@pytest.mark.parametrize("shape", [(2,), (4,), (3, 1), ()])
def test_values_must_have_the_shape_of_the_grid(shape):
    with pytest.raises(DataError, match="table"):
        make({"pulse_voltage": [0.8, 0.9, 1.0]}, values_of(np.full(shape, 0.1)), {})


def test_check_refuses_foreign_datasets():
    with pytest.raises(DataError, match=r"x\.nc: schema None; expected devicephys-table-1"):
        check(xr.Dataset(), "x.nc")
    other = line_table().assign_attrs(schema="devicephys-table-0")
    with pytest.raises(DataError, match="schema devicephys-table-0"):
        check(other, "x.nc")


def test_check_refuses_other_units_and_other_dimensions():
    table = line_table()
    table["energy_per_bit"] = table.energy_per_bit.assign_attrs(units="pJ")
    with pytest.raises(DataError, match=r"no variable energy_per_bit \[J\]"):
        check(table, "x.nc")
    table = line_table()
    table["energy_per_bit"] = ((), 1e-12, {"units": "J"})
    with pytest.raises(DataError, match="energy_per_bit"):
        check(table, "x.nc")


rates = st.sampled_from([0.0, 1.0]) | st.floats(1e-30, 1.0)


@given(st.data(), st.integers(1, 4), st.integers(1, 3), st.booleans())
@QUICK
def test_lookup_at_grid_points_gives_the_values(data, n_current, n_width, with_cell):
    shape = (2, n_current, n_width) if with_cell else (n_current, n_width)
    size = int(np.prod(shape))
    ber = np.reshape(data.draw(st.lists(rates, min_size=size, max_size=size)), shape)
    energy = np.reshape(
        data.draw(st.lists(st.floats(1e-18, 1e-6) | st.just(0.0), min_size=size, max_size=size)),
        shape,
    )
    axes = {"cell": ["a", "b"]} if with_cell else {}
    axes |= {"pulse_current": np.cumsum([1e-5] * n_current), "pulse_width": [1e-9, 5e-9, 9e-9][
        :n_width]}  # fmt: skip
    table = make(axes, values_of(ber, energy), {})
    for index in np.ndindex(shape):
        point = {name: table[name].values[k] for name, k in zip(axes, index, strict=True)}
        point = {k: str(v) if k == "cell" else float(v) for k, v in point.items()}
        found = lookup(table, **point)
        assert set(found) == set(VARIABLES)
        for name in VARIABLES:
            assert found[name] == pytest.approx(float(table[name].values[index]), rel=1e-9)


@given(st.floats(1e-5, 9e-5), st.floats(1e-9, 5e-9))
@QUICK
def test_lookup_is_exact_for_exponential_laws(current, width):
    found = lookup(grid_table(), pulse_current=current, pulse_width=width)
    assert found["ber"] == pytest.approx(10 ** (-1 - 2e4 * current - 3e8 * width), rel=1e-9)
    energy = 10 ** (-13 + 1e4 * current + 1e8 * width)
    assert found["energy_per_bit"] == pytest.approx(energy, rel=1e-9)


def test_half_way_is_the_geometric_mean():
    found = lookup(line_table(), pulse_voltage=0.85)
    assert found["ber"] == pytest.approx(np.sqrt(0.1 * 0.01), rel=1e-9)
    assert found["energy_per_bit"] == pytest.approx(np.sqrt(2) * 1e-12, rel=1e-9)


@given(st.floats(0.8, 1.0), st.tuples(rates, rates, rates))
@QUICK
def test_lookup_stays_between_its_neighbours(voltage, ber):
    table = line_table(ber)
    found = lookup(table, pulse_voltage=voltage)
    k = min(int(np.searchsorted(table.pulse_voltage.values, voltage, side="right")) - 1, 1)
    for name in VARIABLES:
        ends = table[name].values[k : k + 2]
        assert ends.min() * (1 - 1e-9) <= found[name] <= ends.max() * (1 + 1e-9)


def test_next_to_a_rate_of_zero_the_rate_is_interpolated():
    table = line_table((0.1, 0.01, 0.0))
    found = lookup(table, pulse_voltage=0.975)
    assert found["ber"] == pytest.approx(0.25 * 0.01, rel=1e-9)
    assert lookup(table, pulse_voltage=1.0)["ber"] == 0
    assert lookup(table, pulse_voltage=0.9)["ber"] == pytest.approx(0.01, rel=1e-9)
    assert lookup(table, pulse_voltage=0.85)["ber"] == pytest.approx(np.sqrt(1e-3), rel=1e-9)


def test_axis_of_one_value_leaves_the_others_interpolated():
    ber = np.array([[0.1], [0.01], [0.001]])
    axes = {"pulse_current": [1e-5, 2e-5, 3e-5], "pulse_width": [1e-9]}
    table = make(axes, values_of(ber), {})
    found = lookup(table, pulse_current=1.5e-5, pulse_width=1e-9)
    assert found["ber"] == pytest.approx(np.sqrt(1e-3), rel=1e-9)
    with pytest.raises(OutsideTableError, match="pulse_width"):
        lookup(table, pulse_current=1.5e-5, pulse_width=2e-9)


def test_order_of_dimensions_does_not_matter():
    table = grid_table()
    point = {"pulse_current": 2e-5, "pulse_width": 3e-9}
    turned = table.transpose("pulse_width", "pulse_current")
    assert lookup(turned, **point) == pytest.approx(lookup(table, **point), rel=1e-12)


def test_cells_are_looked_up_apart():
    for cell, ber in (("1T1R", 0.01), ("2T2R", 0.02)):
        found = lookup(cell_table(), cell=cell, pulse_voltage=0.9)
        assert found["ber"] == pytest.approx(ber, rel=1e-9)


@pytest.mark.parametrize("voltage", [0.8 - 1e-9, 1.0 + 1e-9, -1.0, np.nan, np.inf, -np.inf])
def test_no_extrapolation(voltage):
    with pytest.raises(OutsideTableError) as caught:
        lookup(line_table(), pulse_voltage=voltage)
    message = str(caught.value)
    assert message.startswith("pulse_voltage = ")
    assert "is outside the table; expected 800 mV to 1 V" in message
    assert message.endswith("make one over a wider grid")


def test_wrong_axes_and_names_are_said():
    with pytest.raises(ParameterError, match="no value for axis pulse_width"):
        lookup(grid_table(), pulse_current=2e-5)
    expected = r"unknown axis 'pulse_widht'.*did you mean 'pulse_width'"
    with pytest.raises(ParameterError, match=expected):
        lookup(grid_table(), pulse_current=2e-5, pulse_widht=2e-9)
    with pytest.raises(ParameterError, match=r"unknown cell '1T2R'.*did you mean '"):
        lookup(cell_table(), cell="1T2R", pulse_voltage=0.9)


grids = st.integers(1, 4).flatmap(
    lambda n: st.tuples(
        st.lists(
            st.tuples(st.sampled_from([0, 0.001, 0.01, 0.1, 0.2, 0.5]), st.integers(1, 5)),
            min_size=3 * n, max_size=3 * n,
        ),
        st.just(n),
    )
)  # fmt: skip


def dominated(a, b):
    """Whether (rate, energy) a is beaten by b: nowhere worse and somewhere better."""
    return b[0] <= a[0] and b[1] <= a[1] and b != a


@given(grids)
@QUICK
def test_front_is_not_dominated_and_leaves_nothing_better_out(grid):
    points, n = grid
    ber, energy = np.transpose(points).reshape(2, n, 3)
    axes = {"pulse_current": np.arange(1, n + 1) * 1e-5, "pulse_width": [1e-9, 2e-9, 3e-9]}
    table = make(axes, values_of(ber, energy), {})
    front = pareto(table)
    kept = list(zip(front.ber.values.tolist(), front.energy_per_bit.values.tolist(), strict=True))
    everything = list(zip(ber.ravel().tolist(), energy.ravel().tolist(), strict=True))
    assert kept == sorted(set(kept), key=lambda p: p[1])
    assert set(kept) == {a for a in everything if not any(dominated(a, b) for b in everything)}
    for k, (rate, joule) in enumerate(kept):
        at = {name: float(front[name][k]) for name in axes}
        cell = table.sel(at)
        assert (float(cell.ber), float(cell.energy_per_bit)) == (rate, joule)
    assert front.sizes["point"] == len(kept)
    assert set(front.variables) == set(VARIABLES) | set(axes)


def test_every_cell_keeps_its_own_front():
    table = cell_table()
    front = pareto(table)
    assert front.cell.values.tolist() == ["1T1R"] * 3 + ["2T2R"] * 3
    assert front.pulse_voltage.values.tolist() == [0.8, 0.9, 1.0] * 2
    for name in ("1T1R", "2T2R"):
        alone = pareto(table.sel(cell=name))
        mine = front.isel(point=np.flatnonzero(front.cell.values == name))
        assert mine.ber.values.tolist() == alone.ber.values.tolist()
    assert front.energy_per_bit.attrs["units"] == "J"


def test_table_file_round_trip(tmp_path):
    for number, table in enumerate((line_table(), grid_table(), cell_table())):
        path = tmp_path / f"{number}.nc"
        netcdf.write(table, path)
        again = tables.read(path)
        xr.testing.assert_equal(again, table)
        assert again.attrs == table.attrs
        assert {n: again[n].attrs for n in again.variables} == {
            n: table[n].attrs for n in table.variables
        }
        dims = [str(d) for d in table.ber.dims]
        point = {d: table[d].values[0] for d in dims}
        assert lookup(again, **point) == lookup(table, **point)


def unreadable(path):
    with pytest.raises(DataError) as caught:
        tables.read(path)
    message = str(caught.value)
    del caught
    gc.collect()  # what a failed reader leaves behind is reported here, not in another test
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


def test_missing_empty_truncated_and_foreign_files(tmp_path):
    assert unreadable(tmp_path / "gone.nc") == ": no such file; check the path"
    path = tmp_path / "x.nc"
    path.touch()
    assert unreadable(path) == ": empty file; export the data again"
    netcdf.write(line_table(), path, force=True)
    path.write_bytes(path.read_bytes()[:-100])
    message = unreadable(path)
    assert message.startswith(": not a readable netCDF file (")
    assert message.endswith("; expected netCDF-4; write or copy it again")
    netcdf.write(xr.Dataset({"t": ("time", [1.0])}), path, force=True)
    assert unreadable(path) == ": schema None; expected devicephys-table-1"
    broken = line_table()
    broken.ber.values[1] = 2.0
    netcdf.write(broken, path, force=True)
    assert unreadable(path) == ": ber outside [0, 1] 1"


def test_csv_has_units_in_its_columns_and_ten_digits(tmp_path):
    table = grid_table()
    tables.write_csv(table, tmp_path / "x.csv")
    frame = pd.read_csv(tmp_path / "x.csv")
    assert set(frame.columns) == {
        "pulse_current_A", "pulse_width_s", "ber", "ber_lo", "ber_hi", "p01", "p10",
        "energy_per_bit_J",
    }  # fmt: skip
    rows = itertools.product(table.pulse_current.values, table.pulse_width.values)
    assert frame[["pulse_current_A", "pulse_width_s"]].to_numpy() == pytest.approx(
        np.array(list(rows)), rel=1e-9
    )
    assert frame.ber.to_numpy() == pytest.approx(table.ber.values.ravel(), rel=1e-9)


def test_csv_of_a_front_keeps_cells_and_order(tmp_path):
    front = pareto(cell_table())
    tables.write_csv(front, tmp_path / "x.csv")
    frame = pd.read_csv(tmp_path / "x.csv")
    assert "point" not in frame
    assert frame.cell.tolist() == front.cell.values.tolist()
    assert frame.energy_per_bit_J.tolist() == pytest.approx(front.energy_per_bit.values, rel=1e-9)


def test_csv_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_text("mine")
    with pytest.raises(OutputExistsError, match=r"x\.csv: output exists"):
        tables.write_csv(line_table(), path)
    with pytest.raises(DataError, match="no: no such folder; create it first"):
        tables.write_csv(line_table(), tmp_path / "no" / "x.csv")

    def failing(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match="No space left"):
        tables.write_csv(line_table(), path, force=True)
    assert os.listdir(tmp_path) == ["x.csv"]
    assert path.read_text() == "mine"


def test_lookup_between_points_keeps_the_interval_around_the_rate_and_the_rate_the_mean():
    for low in (0.0, 5e-7):
        values = {
            "ber": [1e-2, 1e-6], "ber_lo": [9e-3, low], "ber_hi": [2e-2, 1e-3],
            "p01": [1.9e-2, 2e-6], "p10": [1e-3, 0.0], "energy_per_bit": [1e-12, 2e-12],
        }  # fmt: skip
        table = make({"pulse_voltage": [0.8, 1.0]}, values, {})
        for voltage in np.linspace(0.8, 1.0, 9):
            found = lookup(table, pulse_voltage=float(voltage))
            assert found["ber_lo"] <= found["ber"] <= found["ber_hi"]
            assert found["ber"] == pytest.approx((found["p01"] + found["p10"]) / 2)


def test_an_energy_of_zero_does_not_change_how_the_rates_are_interpolated():
    values = {name: [1e-1, 1e-3] for name in VARIABLES} | {"energy_per_bit": [0.0, 2e-12]}
    found = lookup(make({"pulse_voltage": [0.8, 1.0]}, values, {}), pulse_voltage=0.9)
    assert found["ber"] == pytest.approx(1e-2)
    assert found["energy_per_bit"] == pytest.approx(1e-12)


def test_cells_alone_are_a_front_of_one_point_each():
    table = make({"cell": ["1T1R", "2T2R"]}, values_of([0.1, 0.01], [1e-12, 2e-12]), {})
    front = pareto(table)
    assert front.cell.values.tolist() == ["1T1R", "2T2R"]
    assert dict(front.sizes) == {"point": 2}
    assert front.ber.values.tolist() == [0.1, 0.01]


def test_a_code_lies_beside_the_cells_as_they_are():
    table = grid_table()
    both = with_code(table, secded(64))
    check(both, "both")
    assert both.cell.values.tolist() == ["plain", "plain + SECDED(72,64)"]
    plain, coded_too = (both.isel(cell=k, drop=True) for k in (0, 1))
    for name in VARIABLES:
        np.testing.assert_array_equal(plain[name], table[name])
    np.testing.assert_allclose(coded_too.energy_per_bit, table.energy_per_bit * 72 / 64, rtol=1e-12)
    np.testing.assert_allclose(coded_too.ber, residual_ber(secded(64), table.ber), rtol=1e-9)
    assert (coded_too.ber_lo <= coded_too.ber).all()
    assert (coded_too.ber <= coded_too.ber_hi).all()
    assert both.energy_per_bit.attrs["units"] == "J"


def test_cells_that_have_a_code_get_no_second():
    once = with_code(cell_table(), secded(64))
    assert once.cell.values.tolist() == [
        "1T1R", "2T2R", "1T1R + SECDED(72,64)", "2T2R + SECDED(72,64)",
    ]  # fmt: skip
    with pytest.raises(ParameterError, match="one that is not under SECDED"):
        with_code(once.isel(cell=[2, 3]), secded(64))
