"""Recipe of weak-RESET traces: what went in comes out, the table counts it, bad files are named."""

import numpy as np
import pytest
from devicephys.fits import weak_reset_traces as recipe

from devicephys import tables
from devicephys.errors import DataError, ParameterError
from devicephys.io import tidy_csv
from devicephys.rram import weak_reset


@pytest.fixture(scope="module")
def traces():
    return recipe.generate(seed=3)


@pytest.fixture(scope="module")
def result(traces):
    return recipe.fit(traces, np.random.default_rng(0), lambda done, total: None)


def test_medians_of_the_devices_with_a_knee_are_recovered(traces, result):
    """Against the true parameters of the same devices; medians of about 130: 4 standard errors."""
    rng = np.random.default_rng(3)
    true = weak_reset.devices(weak_reset.majumdar_2021(), recipe.DEVICES, rng)
    assert result.data["devices"] == recipe.DEVICES
    seen = result.data["devices_with_a_knee"]
    assert 0.5 * recipe.DEVICES < seen < 0.8 * recipe.DEVICES
    assert result["r_start"].value == pytest.approx(
        float(np.median(true.r_0 * np.exp(true.c1))), rel=0.03
    )
    assert result["t_star"].low < 1.1 * float(np.median(true.t_star))
    # devices with a faint knee, of small m1, are not among those seen
    assert np.median(true.m1) < result["m1"].value < 2 * np.median(true.m1)
    assert result["m2"].value == pytest.approx(float(np.median(true.m2)), rel=0.5)
    assert result.data["synthetic"] is True


def test_spreads_between_devices_are_recovered_with_intervals(traces, result):
    """Against all devices, within 30 %: those without a knee have the smaller m1."""
    true = weak_reset.devices(weak_reset.majumdar_2021(), recipe.DEVICES, np.random.default_rng(3))
    spread = {"r_start": np.log(true.r_0 * np.exp(true.c1)).std(),
              "m2": true.m2.std() / true.m2.mean()}  # fmt: skip
    for name, value in spread.items():
        found = result[f"spread_{name}"]
        assert found.low < found.value == result[name].spread < found.high
        assert (result[name].spread_low, result[name].spread_high) == (found.low, found.high)
        assert found.value == pytest.approx(float(value), rel=0.3)


def test_the_table_counts_the_traces(traces, result):
    table = recipe.table(traces, result, {"pulses": np.array([1, 100, 1000, 10_000])})
    tables.check(table, "table")
    pair = table.ber.sel(cell="2T2R").values
    assert (np.diff(pair) < 0).all()
    assert pair[0] == pytest.approx(0.5, abs=0.1)  # one weak pulse hardly tells the states apart
    assert (np.diff(table.energy_per_bit.sel(cell="2T2R")) > 0).all()
    start, after = (traces[f"resistance_{k}"].values for k in ("before", "after"))
    first = traces.pulse_index.values == 0
    last = traces.pulse_index.values == 9_999
    wrong = (start[first][:, None] > after[last]).mean()
    assert pair[-1] == pytest.approx(wrong, abs=1e-12)
    assert table.attrs["synthetic"] == 1
    assert recipe.table(traces, result, {}).sizes == {"cell": 2, "pulses": 20}


def test_a_file_of_traces_comes_back(traces, tmp_path):
    tidy_csv.write(traces, tmp_path / "t.csv")
    again = recipe.read(tmp_path / "t.csv")
    assert np.array_equal(again.resistance_after, traces.resistance_after)
    found = recipe.fit(again, np.random.default_rng(0), lambda done, total: None)
    assert found.data["synthetic"] is True
    assert found.data["source"] == "t.csv"


def test_bad_traces_are_named(traces, result):
    one = np.flatnonzero(traces.pulse_index.values == 9)[:1]
    with pytest.raises(DataError, match="different pulses"):
        recipe.fit(traces.drop_isel(point=one), np.random.default_rng(0), lambda k, n: None)
    late = traces.isel(point=np.flatnonzero(traces.pulse_index.values > 0))
    with pytest.raises(DataError, match="no first pulse"):
        recipe.fit(late, np.random.default_rng(0), lambda k, n: None)
    mixed = traces.copy(deep=True)
    mixed.pulse_voltage[5] = 0.9
    with pytest.raises(DataError, match="several values of pulse_voltage"):
        recipe.table(mixed, result, {})
    with pytest.raises(DataError, match="no reading after 15 pulses"):
        recipe.table(traces, result, {"pulses": np.array([15])})
    with pytest.raises(ParameterError, match="unknown axis"):
        recipe.table(traces, result, {"time": np.array([1.0])})
