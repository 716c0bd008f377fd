"""Recipe of resistance states: both formats, what went in comes out, bounds, refusals."""

import numpy as np
import pytest
import xarray as xr
from devicephys.fits import resistance_states as recipe

from devicephys import plotting_fit, tables
from devicephys.errors import DataError, ParameterError
from devicephys.fitting.resistance import samples
from devicephys.fitting.resistance_choice import choose
from devicephys.fitting.result import Estimate, FitResult, spread_text
from devicephys.fitting.variance import split

HEADER = "device,state,cycle,resistance_ohm,censored"


def rows(high=np.inf, devices=8, cycles=15):
    rng = np.random.default_rng(2)
    for state, mean, between, within in (("LRS", 8.6, 0.1, 0.1), ("HRS", 11.0, 0.5, 0.4)):
        for d in range(devices):
            centre = rng.normal(mean, between)
            for c in range(cycles):
                r = np.exp(rng.normal(centre, within))
                yield f"d{d},{state},{c},{min(r, high):.6g},{'above' if r > high else 'exact'}"


def written(tmp_path, lines, head=""):
    path = tmp_path / "states.csv"
    path.write_text("\n".join([*([head] if head else []), HEADER, *lines]) + "\n")
    return recipe.read(path)


def fitted(dataset, monkeypatch):
    monkeypatch.setattr(recipe, "MOST", 1)  # one level: quick
    return recipe.fit(dataset, np.random.default_rng(0), lambda done, total: None)


def test_means_and_spreads_come_back(tmp_path, monkeypatch):
    """Spreads of eight devices are known to 27 %: within a factor of 2.2, 3 standard errors."""
    result = fitted(written(tmp_path, rows()), monkeypatch)
    true = {"r_lrs": np.exp(8.6), "sigma_lrs_d2d": 0.1, "sigma_lrs_c2c": 0.1,
            "sigma_lrs": np.hypot(0.1, 0.1), "r_hrs": np.exp(11), "sigma_hrs_d2d": 0.5,
            "sigma_hrs_c2c": 0.4, "sigma_hrs": np.hypot(0.5, 0.4)}  # fmt: skip
    assert [e.name for e in result.estimates] == [
        f"{name}_{state}{part}"
        for state in ("lrs", "hrs")
        for name, part in (("r", ""), ("sigma", ""), ("sigma", "_d2d"), ("sigma", "_c2c"))
    ]
    for name, value in true.items():
        found = result[name]
        assert 1 / 2.2 < found.value / value < 2.2, name
        assert found.low < found.value < found.high, name
    assert set(result.intervals["jackknife over devices"]) == {
        n for n in true if n.endswith(("d2d", "c2c"))
    }
    assert result.data["devices"] == 8
    assert result.flags == ()


def test_a_mean_carries_the_interval_of_its_spread(tmp_path, monkeypatch):
    result = fitted(written(tmp_path, rows()), monkeypatch)
    for state in ("lrs", "hrs"):
        mean, spread = result[f"r_{state}"], result[f"sigma_{state}_d2d"]
        assert (mean.spread, mean.spread_low, mean.spread_high) == (
            spread.value, spread.low, spread.high
        )  # fmt: skip


def test_devices_more_alike_than_chance_have_no_interval_of_their_spread():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(8, 15))
    x = (9 + 0.1 * (x - x.mean(axis=1, keepdims=True))).ravel()
    device = np.repeat([f"d{j}" for j in range(8)], 15)
    alike = split(x, device)
    assert alike.between_high == 0
    choice = choose(samples(np.exp(x), np.full(120, "exact"), device), rng, most=1)
    found = {e.name: e for e in recipe._estimates("LRS", choice, alike, alike)}
    assert list(found) == ["r_lrs", "sigma_lrs", "sigma_lrs_c2c"]
    e = found["r_lrs"]
    assert spread_text(e.spread, e.spread_low, e.spread_high) == "not seen"


def test_samples_out_of_range_are_bounds(tmp_path, monkeypatch):
    result = fitted(written(tmp_path, rows(high=8e4)), monkeypatch)
    exact = fitted(written(tmp_path, rows()), monkeypatch)
    # a sixth of the samples: nearly the same is told
    for name in ("r_hrs", "sigma_hrs", "sigma_hrs_d2d", "sigma_hrs_c2c"):
        assert result[name].low < exact[name].value < result[name].high
    assert result.data["out_of_range"] > 10
    assert result.flags == ()
    assert "(0 above" in result.notes[0]
    assert "(0 above" not in result.notes[1]
    few = fitted(written(tmp_path, rows(high=8e4, devices=2)), monkeypatch)
    assert any("HRS: spreads between devices and cycles are not told" in f for f in few.flags)
    with pytest.raises(KeyError):
        few["sigma_hrs_d2d"]


def test_the_table_counts_and_takes_the_energy_of_the_header(tmp_path, monkeypatch):
    dataset = written(tmp_path, rows(), "# energy_per_bit_J: 2e-11")
    table = recipe.table(dataset, fitted(dataset, monkeypatch), {})
    tables.check(table, "table")
    r, state = dataset.resistance.values, dataset.state.values
    pairs = (r[state == "HRS"][:, None] < r[state == "LRS"]).mean()
    assert float(table.ber.sel(cell="2T2R")) == pytest.approx(pairs)
    assert table.energy_per_bit.values.tolist() == [2e-11, 2e-11]
    with pytest.raises(ParameterError, match="axis 'pulses'; expected no --grid"):
        recipe.table(dataset, None, {"pulses": np.array([1.0])})


def test_states_alone_carry_no_energy(tmp_path):
    dataset = written(tmp_path, rows())
    for head in ({}, {"energy_per_bit_J": "much"}, {"energy_per_bit_J": "-1"}):
        dataset.attrs["metadata"] = str(head).replace("'", '"')
        with pytest.raises(DataError, match=r"states alone carry no energy.*header"):
            recipe.table(dataset, None, {})


def test_a_table_of_cycles_is_read_as_it_is(tmp_path):
    path = tmp_path / "cycles.csv"
    path.write_text("200\t9e4\t5e3\t8e4\t6e3\n201\t7e4\t5.5e3\t9e4\t5.2e3\n")
    dataset = recipe.read(path)
    assert dataset.attrs["kind"] == "resistances"
    assert dataset.sizes["point"] == 8


def test_missing_and_swapped_states_are_named(tmp_path):
    lines = list(rows(devices=2, cycles=3))
    for some, message in (
        ([x for x in lines if "LRS" in x], "no samples of the HRS"),
        ([x.translate(str.maketrans("LH", "HL")) for x in lines], "swap the states"),
    ):
        dataset = written(tmp_path, some)
        with pytest.raises(DataError, match=message):
            recipe.fit(dataset, np.random.default_rng(0), lambda done, total: None)


def test_a_state_all_out_of_range_says_what_to_measure(tmp_path):
    dataset = written(tmp_path, rows(high=1e4))
    with pytest.raises(DataError, match=r"states\.csv: HRS: . of 120 samples .*a wider range"):
        recipe.fit(dataset, np.random.default_rng(0), lambda done, total: None)


def test_one_device_and_one_cycle_tell_no_split(tmp_path, monkeypatch):
    for counts in ({"devices": 1}, {"cycles": 1}):
        result = fitted(written(tmp_path, rows(**counts)), monkeypatch)
        assert "do not tell spreads between devices and cycles apart" in result.flags[0]


@pytest.mark.slow
def test_measured_cycles_of_hfo2(data_folder):
    """256 cells, 300 cycles: geometric means and the note that cells scatter unequally."""
    path = data_folder / "measured" / "hfo2_1t1r_ramps" / "cycling-4-24-20.csv"
    result = recipe.fit(recipe.read(path), np.random.default_rng(1), lambda done, total: None)
    assert result["r_lrs"].value == pytest.approx(5080, rel=1e-3)
    assert result["sigma_hrs_d2d"].value == pytest.approx(0.906, rel=2e-3)
    assert any("jackknife" in flag for flag in result.flags)


def test_probability_paper_is_straight_for_a_log_normal_law():
    """Sample against law quantiles: a tenth of a standard deviation in the middle of 4000."""
    rng = np.random.default_rng(1)
    n = 2000
    r = np.exp(np.r_[rng.normal(8.5, 0.2, n), rng.normal(11.5, 0.8, n)])
    dataset = xr.Dataset(
        {
            "state": ("point", np.repeat(["LRS", "HRS"], n)),
            "resistance": ("point", r),
            "censored": ("point", np.full(2 * n, "exact")),
        }
    )
    estimates = tuple(
        Estimate(name, value, 0.0, value, value, "1", "x")
        for name, value in (("r_lrs", np.exp(8.5)), ("sigma_lrs", 0.2),
                            ("r_hrs", np.exp(11.5)), ("sigma_hrs", 0.8))
    )  # fmt: skip
    check = recipe.check(dataset, FitResult("x", "0", estimates, (), {}), rng)
    assert check.attrs["shown"] == "resistance"
    middle = abs(check.sample_quantile.values) < 1.5
    assert middle.sum() > 100
    off = check.sample_quantile.values - check.law_quantile.values
    assert abs(off[middle]).max() < 0.1
    figure = plotting_fit.probability_paper_figure(check)
    assert "[" in figure.axes[0].get_xlabel()
