"""Tables of cell files: the engine's own numbers, what is laid over them, and going on."""

import json
from dataclasses import replace

import numpy as np
import pytest

from devicephys import cell_sweep, tables
from devicephys.bnn.accuracy import Sampling
from devicephys.ecc import coded
from devicephys.errors import AccuracyError, OutputExistsError, ParameterError
from devicephys.io.cell_toml import CellFile
from devicephys.rram import operating_points as engine
from devicephys.rram.endurance import Endurance, failed_fraction, worn
from devicephys.rram.filament import Filament
from devicephys.rram.master_equation import quadrature
from devicephys.rram.operating_points import CODED, KINDS, ResistiveCell, operating_points
from devicephys.rram.read_noise import measured_hfo2
from devicephys.rram.relaxation import Relaxation
from devicephys.study import evaluate

FILAMENT = Filament(
    n_sites=60, r_on=6035.0, r_s=2600.0, g_gap=1.05e-5, e_a=0.97, d_e=-0.34, a_off=0.071,
    a_on=0.51, r_th=6.28e6, e_min=0.6, sigma_e=0.448, sigma_e_cycle=0.396,
)  # fmt: skip
LAW = Relaxation(  # of no device: from below the empty filament to above the full one
    level=(5e-6, 2e-4), drift=(-2e-8, -4e-6), growth=(1e-13, 4e-12), t_start=(1e-3, 1e-3),
    jump_share=0.8, jump_rate=0.4, t_first=0.01, t_last=1e5,
)  # fmt: skip
CELL = ResistiveCell(FILAMENT, 0.0237, measured_hfo2())
AGING = replace(CELL, relaxation=LAW)
WEAR = Endurance(1e6, 1.2, 3.0, 0.8)
VOLTAGE, WIDTH = np.array([0.9, 1.1, 1.3]), np.array([1e-7, 1e-6])
GRID = {"pulse_voltage": VOLTAGE, "pulse_width": WIDTH}
TIME = GRID | {"time": np.array([0.0, 1.0, 1e4])}


class StoppedError(Exception):
    """Raised inside the progress callback, as Ctrl-C would be."""


def file_of(cell, endurance=None, cycles=0.0):
    return CellFile(cell, endurance, cycles, "c.toml", "0" * 64)


PLAIN = file_of(CELL)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "table.nc"


@pytest.fixture
def computed(monkeypatch):
    """Voltages that were computed, not taken up."""
    seen, compute = [], cell_sweep._at_voltage

    def spy(cell_file, axes, voltage):
        seen.append(voltage)
        return compute(cell_file, axes, voltage)

    monkeypatch.setattr(cell_sweep, "_at_voltage", spy)
    return seen


def test_a_table_is_the_engine_s_own_numbers(out, tmp_path):
    grid = GRID | {"pulses": np.array([1.0, 3.0]), "temperature": np.array([300.0, 350.0])}
    table = cell_sweep.run(PLAIN, grid, out)
    assert table.ber.dims == ("cell", "pulse_voltage", "pulse_width", "pulses", "temperature")
    assert table.cell.values.tolist() == list(KINDS)
    for name, values in operating_points(CELL, grid).items():
        np.testing.assert_allclose(table[name], values[..., 0], rtol=1e-12, err_msg=name)
    assert tables.read(out).identical(table)
    assert [p.name for p in tmp_path.iterdir()] == ["table.nc"]


def test_the_record_says_what_was_computed(out):
    attrs = cell_sweep.run(PLAIN, GRID, out).attrs
    assert json.loads(attrs["input_files"]) == {"c.toml": "0" * 64}
    kept = json.loads(attrs["cell"])
    assert (kept["filament"]["e_a"], kept["i_max"], kept["relaxation"]) == (0.97, None, None)
    assert "numerical error only" in attrs["interval"]
    assert "300 K" in attrs["pulse"]


def test_the_interval_holds_what_a_far_finer_quadrature_gives(out, monkeypatch):
    grid = {
        "pulse_voltage": np.linspace(0.8, 1.4, 4), "pulse_width": np.geomspace(1e-8, 1e-5, 7),
        "pulses": np.array([1.0, 2.0]),
    }  # fmt: skip
    table = cell_sweep.run(PLAIN, grid, out)
    monkeypatch.setattr(engine, "quadrature", lambda filament, _: quadrature(filament, 641))
    fine = operating_points(CELL, grid)["ber"].reshape(table.ber.shape)
    assert (table.ber_lo <= fine).all()
    assert (fine <= table.ber_hi).all()
    assert (table.ber_hi / table.ber).max() < 1.5


def test_devices_that_are_equal_leave_the_threshold_as_the_only_error(out):
    equal = replace(FILAMENT, sigma_e=0.0, sigma_e_cycle=0.0)
    table = cell_sweep.run(file_of(replace(CELL, filament=equal)), GRID, out)
    single, pair, _ = table.ber.values
    tiny = 1e-11  # rates below are those of round-off
    np.testing.assert_allclose(table.ber_hi.values[0], 1.001 * single, rtol=1e-9, atol=tiny)
    np.testing.assert_allclose(table.ber_hi.values[1], pair, rtol=1e-9, atol=tiny)


def test_a_threshold_that_is_kept_costs_errors_as_the_states_drift(out, tmp_path):
    ideal = cell_sweep.run(file_of(AGING), TIME, out)
    kept = cell_sweep.run(file_of(replace(AGING, threshold="drifting")), TIME, tmp_path / "k.nc")
    one, other = (t.ber.sel(cell="1T1R") for t in (ideal, kept))
    np.testing.assert_allclose(one.sel(time=0.0), other.sel(time=0.0), rtol=1e-12)
    assert (other.sel(time=1e4) > 1.01 * one.sel(time=1e4)).all()
    assert (np.diff(one, axis=-1) > 0).all()
    pair = [t.ber.sel(cell="2T2R") for t in (ideal, kept)]
    np.testing.assert_allclose(*pair, rtol=1e-12)  # a pair has no threshold
    with pytest.raises(ParameterError, match="3 values of time; expected one value"):
        tables.pareto(ideal)
    front = tables.pareto(ideal.sel(time=[1.0]))
    assert set(front.time.values.tolist()) == {1.0}


def test_failed_cells_read_at_random_and_codes_see_them(out, tmp_path):
    fresh = cell_sweep.run(PLAIN, GRID, out)
    old = cell_sweep.run(file_of(CELL, WEAR, 1e5), GRID, tmp_path / "old.nc")
    share = failed_fraction(WEAR, 1e5, VOLTAGE)[:, None]
    assert share.max() > 1e-3
    for name in ("p01", "p10", "ber", "ber_hi"):
        np.testing.assert_allclose(old[name][0], worn(fresh[name][0], share), rtol=1e-9)
        pair = worn(fresh[name][1], 1 - (1 - share) ** 2)
        np.testing.assert_allclose(old[name][1], pair, rtol=1e-9)
    (code,) = CODED.values()
    left = coded(code, old.p01[0], old.p10[0], 0.0)["ber"]
    np.testing.assert_allclose(old.ber[2], left, rtol=1e-9)
    np.testing.assert_array_equal(old.energy_per_bit, fresh.energy_per_bit)
    new = cell_sweep.run(file_of(CELL, WEAR, 0.0), GRID, tmp_path / "new.nc")
    np.testing.assert_array_equal(new.ber, fresh.ber)


def test_what_comes_after_a_table_takes_it(out):
    table = cell_sweep.run(PLAIN, GRID, out)
    low, high = table.ber.sel(cell="1T1R", pulse_width=1e-7, pulse_voltage=[1.1, 1.3]).values
    point = {"pulse_voltage": 1.2, "pulse_width": 1e-7}
    found = tables.lookup(table, cell="1T1R", **point)
    assert found["ber"] == pytest.approx(np.sqrt(low * high), rel=1e-9)
    front = tables.pareto(table)
    assert set(front.cell.values) == set(KINDS)
    results = evaluate(table, ("digits",), 1, Sampling(0.02), 0.5)
    assert results.sizes["point"] == front.sizes["point"]


def test_an_interrupted_run_goes_on_to_the_same_bytes(out, tmp_path, computed):
    def stop(done, total):
        if done >= 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        cell_sweep.run(PLAIN, GRID, out, progress=stop)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["table.nc.parts"]
    with pytest.raises(OutputExistsError, match=r"another request, which differs in cell\.s_ref"):
        cell_sweep.run(file_of(replace(CELL, s_ref=0.1)), GRID, out)
    calls = []
    cell_sweep.run(PLAIN, GRID, out, progress=lambda *x: calls.append(x))
    assert calls == [(2, 6), (4, 6), (6, 6)]
    assert computed == VOLTAGE.tolist()
    cell_sweep.run(PLAIN, GRID, tmp_path / "whole.nc")
    assert out.read_bytes() == (tmp_path / "whole.nc").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["table.nc", "whole.nc"]


def test_existing_output_is_refused_before_the_work(out, computed):
    out.write_text("mine")
    with pytest.raises(OutputExistsError, match="--force"):
        cell_sweep.run(PLAIN, GRID, out)
    assert (computed, out.read_text()) == ([], "mine")
    with pytest.raises(OutputExistsError, match="is a folder"):
        cell_sweep.run(PLAIN, GRID, out.parent, force=True)


def test_a_law_that_leaves_its_range_names_the_voltage(out, tmp_path):
    wild = replace(LAW, growth=(1e-9, 1e-9))
    with pytest.raises(AccuracyError, match="pulse_voltage = 900 mV: conductance of"):
        cell_sweep.run(file_of(replace(CELL, relaxation=wild)), TIME, out)
    assert list(tmp_path.iterdir()) == []


REFUSED = {
    "nothing": (PLAIN, {}, "a grid over nothing; expected pulse_voltage and pulse_width"),
    "no width": (PLAIN, {"pulse_voltage": VOLTAGE}, "a grid over pulse_voltage; expected"),
    "current": (PLAIN, GRID | {"pulse_current": VOLTAGE}, "unknown axis of a cell's sweep 'pulse_"),
    "misspelt": (PLAIN, GRID | {"pulse": VOLTAGE}, "did you mean 'pulses'"),
    "wrong polarity": (
        PLAIN, GRID | {"pulse_voltage": -VOLTAGE[::-1]}, "-1.3 V; expected .*; a magnitude: RESET",
    ),
    "falling": (PLAIN, GRID | {"pulse_width": WIDTH[::-1]}, "pulse_width .*does not rise"),
    "empty": (PLAIN, GRID | {"pulse_width": WIDTH[:0]}, "pulse_width .*does not rise"),
    "number": (PLAIN, GRID | {"pulse_width": np.array(1e-7)}, "pulse_width .*does not rise"),
    "not a number": (PLAIN, GRID | {"pulse_width": np.array([np.nan])}, "pulse_width = nan s"),
    "nanoseconds": (PLAIN, GRID | {"pulse_width": np.array([200.0])}, "200 s; .*volt, second"),
    "half a pulse": (PLAIN, GRID | {"pulses": np.array([1.0, 1.5])}, "pulses holds fractions"),
    "no pulse": (PLAIN, GRID | {"pulses": np.array([0.0])}, "pulses = 0"),
    "zero kelvin": (PLAIN, GRID | {"temperature": np.zeros(1)}, "temperature = 0 K"),
    "time without a law": (PLAIN, TIME, r"c\.toml: an axis time; expected a table \[relaxation\]"),
    "negative time": (file_of(AGING), GRID | {"time": np.array([-1.0])}, "time = -1 s"),
    "too large": (
        PLAIN, {"pulse_voltage": np.linspace(1, 2, 1000), "pulse_width": np.linspace(1, 2, 1000)},
        "1000000 points, which take about .* minutes; expected at most 200000",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("cell_file", "grid", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_refused_before_any_work(
    out, tmp_path, computed, cell_file, grid, message
):
    with pytest.raises(ParameterError, match=message):
        cell_sweep.run(cell_file, grid, out)
    assert computed == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("law", "time", "message"),
    [
        (LAW, [1e6], "time = 1e\\+06 s; expected 0, or within the measured"),
        (replace(LAW, level=(5e-6, 1e-4)), [1.0], "no level was measured there"),
    ],
)
def test_nothing_is_extrapolated_in_time_or_level(out, tmp_path, law, time, message):
    with pytest.raises(ParameterError, match=message):
        cell_sweep.run(file_of(replace(CELL, relaxation=law)), GRID | {"time": np.array(time)}, out)
    assert list(tmp_path.iterdir()) == []
