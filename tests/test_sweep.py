"""Swept tables: the engine's own numbers, resumed byte for byte, and nothing left over."""

import json
from dataclasses import replace

import numpy as np
import pytest

from devicephys import sweep, tables
from devicephys.errors import AccuracyError, DataError, OutputExistsError, ParameterError
from devicephys.io.junction_toml import JunctionFile
from devicephys.mram.circuit import Access
from devicephys.mram.junction import at_temperature
from devicephys.mram.pulse import square, trapezoid
from devicephys.mram.spread import Spread, mean_write_error_rate
from devicephys.mram.write import energy_per_bit, write_error_rate
from devicephys.parameters import DIRECTIONS, MTJ

DEVICE = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
SPREAD = Spread(0.0, 0.03)
PLAIN = JunctionFile(DEVICE, None, Access(), "j.toml", "0" * 64)
ARRAY = replace(PLAIN, spread=SPREAD)
LEVEL, WIDTH = np.array([60e-6, 75e-6, 90e-6]), np.array([3e-9, 5e-9, 8e-9, 12e-9])
GRID = {"pulse_current": LEVEL, "pulse_width": WIDTH}
TABLE = square("current", LEVEL[:, None], WIDTH)


class StoppedError(Exception):
    """Raised inside the progress callback, as Ctrl-C would be."""


@pytest.fixture
def out(tmp_path):
    return tmp_path / "table.nc"


@pytest.fixture
def small_chunks(monkeypatch):
    """Three chunks: one current each."""
    monkeypatch.setattr(sweep, "POINTS", 4)


@pytest.fixture
def computed(monkeypatch):
    """Chunks that were computed, not taken up."""
    seen, compute = [], sweep._compute

    def spy(plan, chunk):
        seen.append(chunk[2].start)
        return compute(plan, chunk)

    monkeypatch.setattr(sweep, "_compute", spy)
    return seen


def stop_after(points):
    def progress(done, total):
        if done >= points:
            raise StoppedError

    return progress


def interrupt(out, points, **options):
    with pytest.raises(StoppedError):
        sweep.run(PLAIN, GRID, out, progress=stop_after(points), **options)


def check_rates(table, rates, rtol=1e-9):
    p10, p01 = rates
    error = (p10.error + p01.error) / 2
    np.testing.assert_allclose(table.p10, p10.wer, rtol=rtol)
    np.testing.assert_allclose(table.p01, p01.wer, rtol=rtol)
    np.testing.assert_allclose(table.ber, (p10.wer + p01.wer) / 2, rtol=rtol)
    np.testing.assert_allclose(table.ber_hi - table.ber, error, rtol=1e-3, atol=1e-16)
    np.testing.assert_allclose(table.ber - table.ber_lo, error, rtol=1e-3, atol=1e-16)


def test_one_junction_is_the_engine_s_own_numbers(out, tmp_path):
    table = sweep.run(PLAIN, GRID, out)
    rates = [write_error_rate(DEVICE, TABLE, d, rtol=1e-4) for d in DIRECTIONS]
    check_rates(table, rates)
    np.testing.assert_allclose(table.energy_per_bit, energy_per_bit(DEVICE, TABLE), rtol=1e-9)
    assert table.ber.dims == ("pulse_current", "pulse_width")
    assert tables.read(out).identical(table)
    assert [p.name for p in tmp_path.iterdir()] == ["table.nc"]


def test_an_array_is_the_mean_over_devices(out):
    grid = {"pulse_current": LEVEL[:1], "pulse_width": WIDTH[:2]}
    pulse = square("current", LEVEL[:1, None], WIDTH[:2])
    rates = [mean_write_error_rate(DEVICE, SPREAD, pulse, d, atol=sweep.ATOL) for d in DIRECTIONS]
    table = sweep.run(ARRAY, grid, out)
    check_rates(table, rates)
    np.testing.assert_allclose(table.energy_per_bit, energy_per_bit(DEVICE, pulse), rtol=1e-9)
    assert json.loads(table.attrs["methods"])["P->AP"] == {"array_mean": 2}


def test_the_spread_axis_runs_from_equal_devices_to_the_file_s_spread(out, tmp_path):
    grid = {"pulse_current": LEVEL[:1], "pulse_width": WIDTH[:2]}
    whole = sweep.run(ARRAY, grid | {"spread": np.array([0.0, 0.5, 1.0])}, out)
    equal = sweep.run(PLAIN, grid, tmp_path / "equal.nc")
    array = sweep.run(ARRAY, grid, tmp_path / "array.nc")
    half = replace(ARRAY, spread=Spread(0.0, 0.015))
    halved = sweep.run(half, grid, tmp_path / "half.nc")
    assert whole.ber.dims == ("spread", "pulse_current", "pulse_width")
    for k, alone in enumerate((equal, halved, array)):
        for name in tables.VARIABLES:
            np.testing.assert_allclose(whole[name][k], alone[name], rtol=1e-9, err_msg=name)
    assert (np.diff(whole.p10, axis=0) > 0).all()  # devices that differ fail more often


def test_the_temperature_axis_is_the_junction_at_each_temperature(out):
    grid = {"pulse_current": LEVEL[:2], "pulse_width": WIDTH, "temperature": [300.0, 360.0, 400.0]}
    hot = replace(PLAIN, mtj=replace(DEVICE, bloch=1e-5, shape_field=1.0))
    table = sweep.run(hot, {k: np.array(v) for k, v in grid.items()}, out)
    pulse = square("current", LEVEL[:2, None], WIDTH)
    for k, temperature in enumerate(grid["temperature"]):
        mtj = at_temperature(hot.mtj, temperature)
        assert mtj.delta == pytest.approx(60) if k == 0 else mtj.delta < 60 * 300 / temperature
        rates = [write_error_rate(mtj, pulse, d, rtol=1e-4) for d in DIRECTIONS]
        check_rates(table.isel(temperature=k), rates)
        energy = energy_per_bit(mtj, pulse)
        np.testing.assert_allclose(table.energy_per_bit[k], energy, rtol=1e-9)
    assert table.temperature.attrs["units"] == "K"


def test_voltages_go_through_the_access_device_and_edges_come_on_top(out):
    access = Access(1e3)
    volts = np.array([0.5])
    junction = replace(PLAIN, access=access)
    table = sweep.run(
        junction, {"pulse_voltage": volts, "pulse_width": WIDTH[:2]}, out, rise=1e-9, fall=2e-9
    )
    pulse = trapezoid("voltage", volts[:, None], WIDTH[:2], 1e-9, 2e-9)
    rates = [write_error_rate(DEVICE, pulse, d, access=access, rtol=1e-4) for d in DIRECTIONS]
    check_rates(table, rates)
    np.testing.assert_allclose(
        table.energy_per_bit, energy_per_bit(DEVICE, pulse, access=access), rtol=1e-9
    )
    assert table.attrs["pulse"] == (
        "voltage pulse, trapezoid; pulse_width is its plateau; rise 1e-09 s, fall 2e-09 s"
    )


def test_levels_from_nothing_to_certain_failure_stay_probabilities(out):
    grid = {"pulse_current": np.array([0.0, 1e-6, 60e-6]), "pulse_width": np.array([1e-12, 50e-9])}
    table = sweep.run(PLAIN, grid, out)
    assert float(table.ber[0, 0]) == pytest.approx(1.0)
    assert float(table.energy_per_bit[0, 0]) == 0
    assert json.loads(table.attrs["methods"])["P->AP"] == {"fokker_planck": 2, "thermal": 4}


def test_attributes_say_where_the_numbers_come_from(out):
    attrs = sweep.run(PLAIN, GRID, out, rtol=1e-3).attrs
    assert json.loads(attrs["input_files"]) == {"j.toml": "0" * 64}
    assert json.loads(attrs["junction"])["mtj"]["delta"] == 60
    assert json.loads(attrs["methods"]) == {d: {"fokker_planck": 12} for d in DIRECTIONS}
    assert "numerical error only" in attrs["interval"]
    assert "18 k_B T" in attrs["method_reason"]
    assert "no measured counts" in attrs["source"]
    assert (attrs["rtol"], attrs["atol"]) == (1e-3, sweep.ATOL)


@pytest.mark.parametrize("points", [4, 8, 12])
def test_an_interrupted_run_goes_on_and_gives_the_same_bytes(
    out, tmp_path, small_chunks, computed, points
):
    sweep.run(PLAIN, GRID, tmp_path / "whole.nc")
    assert computed == [0, 1, 2]
    computed.clear()
    interrupt(out, points)
    assert not out.exists()
    seen = []
    sweep.run(PLAIN, GRID, out, progress=lambda done, total: seen.append((done, total)))
    assert computed == [0, 1, 2]  # each of them once, in both runs together
    assert seen == [(k, 12) for k in range(points, 13, 4)]
    assert out.read_bytes() == (tmp_path / "whole.nc").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["table.nc", "whole.nc"]


def test_chunks_do_not_change_the_numbers(out, tmp_path, monkeypatch):
    whole = sweep.run(PLAIN, GRID, out)
    monkeypatch.setattr(sweep, "POINTS", 3)  # less than one row of widths
    pieces = sweep.run(PLAIN, GRID, tmp_path / "pieces.nc")
    for name in tables.VARIABLES:
        np.testing.assert_allclose(pieces[name], whole[name], rtol=2e-4, err_msg=name)


def test_the_chunks_cover_the_grid_once():
    axes = {"pulse_current": np.linspace(1e-5, 9e-5, 7), "pulse_width": np.linspace(1e-9, 9e-9, 5)}
    axes |= {"temperature": np.array([300.0, 310.0]), "spread": np.array([0.0, 1.0])}
    plan = sweep._plan(ARRAY, axes, 0.0, 0.0, 1e-4, 0.0)
    for points in (1, 3, 5, 12, 1000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sweep, "ARRAY_POINTS", points)
            count = np.zeros(plan.shape, int)
            for chunk in sweep._chunks(plan):
                count[chunk] += 1
                assert count[chunk].size <= points
        assert (count == 1).all()


def flip(content):
    return content[:100] + bytes([content[100] ^ 1]) + content[101:]


@pytest.mark.parametrize(
    "damage", [flip, lambda c: c[:50], lambda c: b"", lambda c: c + b"\0", lambda c: c[:-8]]
)
def test_a_damaged_part_is_computed_again(out, tmp_path, small_chunks, computed, damage):
    sweep.run(PLAIN, GRID, tmp_path / "whole.nc")
    interrupt(out, 8)
    part = tmp_path / "table.nc.parts" / "000000.part"
    part.write_bytes(damage(part.read_bytes()))
    computed.clear()
    sweep.run(PLAIN, GRID, out)
    assert computed == [0, 2]
    assert out.read_bytes() == (tmp_path / "whole.nc").read_bytes()


def test_a_part_in_another_s_place_is_not_taken_up(out, tmp_path, small_chunks, computed):
    interrupt(out, 8)
    folder = tmp_path / "table.nc.parts"
    (folder / "000000.part").write_bytes((folder / "000001.part").read_bytes())
    computed.clear()
    sweep.run(PLAIN, GRID, out)
    assert computed == [0, 2]


@pytest.mark.parametrize(
    ("junction", "grid", "options", "named"),
    [
        (PLAIN, GRID, {"rtol": 1e-3}, "rtol"),
        (PLAIN, GRID, {"rise": 1e-9}, "rise"),
        (PLAIN, GRID | {"pulse_width": WIDTH * 2}, {}, "grid pulse_width"),
        (PLAIN, GRID | {"temperature": np.array([300.0])}, {}, "grid temperature"),
        (replace(PLAIN, mtj=replace(DEVICE, delta=61)), GRID, {}, r"mtj\.delta"),
        (replace(PLAIN, access=Access(1.0)), GRID, {}, "access"),
        (ARRAY, GRID, {}, "chunk_points, spread"),
    ],
)
def test_another_request_is_refused_naming_what_differs(
    out, tmp_path, small_chunks, junction, grid, options, named
):
    interrupt(out, 8)
    with pytest.raises(OutputExistsError, match=f"another request, which differs in {named};"):
        sweep.run(junction, grid, out, **options)
    assert len(list((tmp_path / "table.nc.parts").glob("*.part"))) == 2


def test_force_drops_the_chunks_of_another_request_only(out, tmp_path, small_chunks, computed):
    interrupt(out, 8)
    computed.clear()
    sweep.run(PLAIN, GRID, out, rtol=1e-3, force=True)
    assert computed == [0, 1, 2]
    interrupt(out, 8, force=True)
    assert tables.read(out).attrs["rtol"] == 1e-3  # whole until the new one is
    computed.clear()
    sweep.run(PLAIN, GRID, out, force=True)
    assert computed == [2]
    assert tables.read(out).attrs["rtol"] == 1e-4
    assert [p.name for p in tmp_path.iterdir()] == ["table.nc"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_request_is_refused(out, tmp_path, small_chunks, content):
    interrupt(out, 8)
    (tmp_path / "table.nc.parts" / "request.json").write_bytes(content)
    with pytest.raises(OutputExistsError, match=r"request\.json is damaged"):
        sweep.run(PLAIN, GRID, out)
    sweep.run(PLAIN, GRID, out, force=True)


def test_a_folder_with_something_of_the_user_s_is_left_alone(out, tmp_path):
    folder = tmp_path / "table.nc.parts"
    folder.mkdir()
    (folder / "thesis.tex").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"holds thesis\.tex, which no sweep has written"):
        sweep.run(PLAIN, GRID, out, force=True)
    assert (folder / "thesis.tex").read_text() == "mine"


def test_outputs_that_exist_are_refused_before_any_work(out, tmp_path, computed):
    out.write_text("mine")
    with pytest.raises(OutputExistsError, match="output exists"):
        sweep.run(PLAIN, GRID, out)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputExistsError, match="is a folder"):
        sweep.run(PLAIN, GRID, tmp_path / "folder", force=True)
    with pytest.raises(DataError, match="no such folder"):
        sweep.run(PLAIN, GRID, tmp_path / "no" / "table.nc")
    assert computed == []
    assert out.read_text() == "mine"


def test_a_missed_tolerance_names_the_points_and_keeps_the_rest(
    out, tmp_path, small_chunks, monkeypatch
):
    compute = sweep._compute

    def fails_late(plan, chunk):
        if chunk[2].start == 1:
            raise AccuracyError("no two truncation orders agree")
        return compute(plan, chunk)

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "_compute", fails_late)
        with pytest.raises(AccuracyError) as caught:
            sweep.run(PLAIN, GRID, out)
    assert str(caught.value).startswith(
        "pulse_current = 75 uA to 75 uA, pulse_width = 3 ns to 12 ns, temperature = 300 K: no two"
    )
    assert str(caught.value).endswith(f"finished chunks stay in {out}.parts")
    assert len(list((tmp_path / "table.nc.parts").glob("*.part"))) == 1
    assert not out.exists()
    sweep.run(PLAIN, GRID, out)


def test_a_run_that_stops_before_its_first_chunk_leaves_nothing(out, tmp_path):
    interrupt(out, 0)
    assert list(tmp_path.iterdir()) == []


CURVE = Access(0.0, (0.0, 0.1, 0.2), (0.0, 5e-5, 8e-5))
REFUSED = {
    "unknown axis": (PLAIN, GRID | {"width": WIDTH}, {}, "unknown axis of a sweep 'width'"),
    "axis of a table only": (PLAIN, GRID | {"cell": WIDTH}, {}, "unknown axis of a sweep 'cell'"),
    "no level": (PLAIN, {"pulse_width": WIDTH}, {}, "a grid over pulse_width; expected"),
    "no width": (PLAIN, {"pulse_current": LEVEL}, {}, "a grid over pulse_current; expected"),
    "nothing": (PLAIN, {}, {}, "a grid over nothing; expected pulse_width and one of"),
    "both levels": (PLAIN, GRID | {"pulse_voltage": LEVEL}, {}, "expected pulse_width and one of"),
    "spread of one junction": (PLAIN, GRID | {"spread": np.ones(1)}, {}, r"j\.toml: an axis spre"),
    "negative level": (PLAIN, GRID | {"pulse_current": -LEVEL}, {}, "pulse_current = -6e-05 A"),
    "no time": (PLAIN, GRID | {"pulse_width": np.zeros(1)}, {}, "pulse_width = 0 s"),
    "zero kelvin": (PLAIN, GRID | {"temperature": np.zeros(1)}, {}, "temperature = 0 K"),
    "infinite": (PLAIN, GRID | {"pulse_width": np.array([np.inf])}, {}, "pulse_width = inf s"),
    "falling": (PLAIN, GRID | {"pulse_width": WIDTH[::-1]}, {}, "pulse_width .*does not rise"),
    "empty": (PLAIN, GRID | {"pulse_width": WIDTH[:0]}, {}, "pulse_width .*does not rise"),
    "number": (PLAIN, GRID | {"pulse_width": np.array(1e-9)}, {}, "pulse_width .*does not rise"),
    "too wide": (ARRAY, GRID | {"spread": np.array([40.0])}, {}, "Spread.sigma_i_c0 = 1.2"),
    "negative edge": (PLAIN, GRID, {"rise": -1e-9}, "rise = -1e-09 s"),
    "edge that is none": (PLAIN, GRID, {"fall": np.nan}, "fall = nan s"),
    "no tolerance": (PLAIN, GRID, {"rtol": 0.0}, "rtol = 0"),
    "too hot": (
        replace(PLAIN, mtj=replace(DEVICE, bloch=1e-4)),
        GRID | {"temperature": np.array([300.0, 600.0])}, {}, "temperature = 600 K: the layer",
    ),
    "beyond the curve": (replace(PLAIN, access=CURVE), GRID, {}, "current of 9e-05 A lies beyond"),
}  # fmt: skip


@pytest.mark.parametrize(("junction", "grid", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_refused_before_any_work(
    out, tmp_path, computed, junction, grid, options, message
):
    with pytest.raises(ParameterError, match=message):
        sweep.run(junction, grid, out, **options)
    assert computed == []
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_no_memory_holds_is_refused(out):
    grid = {"pulse_current": np.linspace(1, 2, 4000), "pulse_width": np.linspace(1, 2, 4000)}
    with pytest.raises(ParameterError, match="16000000 points; expected at most 10000000"):
        sweep.run(PLAIN, grid, out)


def test_points_of_several_temperatures_do_not_compete(out):
    grid = GRID | {"temperature": np.array([300.0, 360.0])}
    table = sweep.run(PLAIN, grid, out)
    with pytest.raises(ParameterError, match="2 values of temperature; expected one value"):
        tables.pareto(table)
    front = tables.pareto(table.sel(temperature=[360.0]))
    assert front.temperature.values.tolist() == [360.0] * front.sizes["point"]
    found = tables.lookup(table, temperature=330.0, pulse_current=75e-6, pulse_width=5e-9)
    ends = table.ber.sel(pulse_current=75e-6, pulse_width=5e-9).values
    assert ends.min() < found["ber"] < ends.max()
