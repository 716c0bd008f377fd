"""Accuracy along a table: bounds at the upper ends of the rates, least energy."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.bnn.accuracy import Sampling, accuracy, prepare
from devicephys.bnn.energy import along, least_energy, rates_at
from devicephys.bnn.fault_spread import RateSpread
from devicephys.bnn.faults import NO_ERRORS, Rates
from devicephys.bnn.recalibration import recalibrate
from devicephys.errors import ParameterError
from devicephys.report.verdicts import headline

QUICK = settings(deadline=None, max_examples=50, derandomize=True)
NEVER = 1e-12  # a half width that no number of maps reaches


def exactly(n_maps):
    return Sampling(NEVER, n_maps, n_maps)


def operating_points(**values):
    n = len(values["ber"])
    values = {"p01": values["ber"], "p10": values["ber"], "ber_lo": [0.0] * n} | values
    units = {"energy_per_bit": "J", "pulse_voltage": "V"}
    return xr.Dataset(
        {name: ("point", x, {"units": units.get(name, "1")}) for name, x in values.items()}
    )


def test_along_evaluates_every_network_at_every_point(tiny_test):
    points = operating_points(
        ber=[0.1, 0.0], ber_hi=[0.1, 0.0], energy_per_bit=[1e-12, 2e-12],
        pulse_voltage=[0.8, 0.9], cell=["a", "b"],
    )  # fmt: skip
    seen = []
    tests = {"one": tiny_test, "two": tiny_test}
    results = along(points, tests, 1, exactly(4), progress=lambda *x: seen.append(x))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert results.network.values.tolist() == ["one", "one", "two", "two"]
    assert results.cell.values.tolist() == ["a", "b"] * 2
    assert results.energy_per_bit.attrs["units"] == "J"
    assert results.pulse_voltage.attrs["units"] == "V"
    assert results.loss.attrs["units"] == "1"
    for k, (name, p) in enumerate([("one", 0.1), ("one", 0), ("two", 0.1), ("two", 0)]):
        direct = accuracy(tests[name], Rates(p, p), 1, exactly(4))
        row = results.isel(point=k)
        assert (float(row.accuracy), float(row.loss)) == (direct.accuracy, direct.loss)
        assert (float(row.accuracy_lo), float(row.accuracy_hi)) == (direct.low, direct.high)
        assert (int(row.n_maps), int(row.reached)) == (direct.n_maps, direct.reached)
        assert float(row.loss_bound) == direct.loss_high


def test_bound_is_taken_at_the_upper_end_of_the_error_rate(tiny_test):
    points = operating_points(
        ber=[0.05], ber_hi=[0.1], p01=[0.02], p10=[0.08], energy_per_bit=[1e-12]
    )
    bound = float(along(points, {"m": tiny_test}, 1, exactly(4)).loss_bound[0])
    assert bound == accuracy(tiny_test, Rates(0.04, 0.16), 1, exactly(4)).loss_high
    assert bound > accuracy(tiny_test, Rates(0.02, 0.08), 1, exactly(4)).loss_high


def test_bound_knows_that_no_counted_error_is_not_no_error(tiny_test):
    points = operating_points(ber=[0.0], ber_hi=[0.2], energy_per_bit=[1e-12])
    results = along(points, {"m": tiny_test}, 1, exactly(4))
    assert float(results.loss[0]) == 0
    expected = accuracy(tiny_test, Rates(0.4, 0.0), 1, exactly(4)).loss_high  # of one side: worst
    assert float(results.loss_bound[0]) == expected > 0.01


def test_no_bound_is_worked_out_where_the_loss_is_too_large_already(tiny_test):
    points = operating_points(ber=[0.25, 0.0], ber_hi=[0.3, 0.0], energy_per_bit=[1e-12, 2e-12])
    results = along(points, {"m": tiny_test}, 1, exactly(4), max_loss=0.01)
    assert np.isnan(results.loss_bound.values).tolist() == [True, False]
    assert least_energy(results, 0.01)[0].energy_per_bit == 2e-12


def outcomes(energy, bound, **more):
    n = len(energy)
    values = {"energy_per_bit": energy, "loss_bound": bound, "ber": [0.01] * n}
    values |= {"network": ["net"] * n} | more
    return xr.Dataset({name: ("point", x) for name, x in values.items()})


@given(
    st.lists(
        st.tuples(st.integers(1, 50), st.sampled_from([0.001, 0.01, 0.02, np.nan])),
        min_size=1, max_size=8, unique_by=lambda point: point[0],
    )
)  # fmt: skip
@QUICK
def test_least_energy_is_the_definition(points):
    energy, bound = (list(map(float, x)) for x in zip(*points, strict=True))
    good = [
        e for e in energy if all(b <= 0.01 for f, b in zip(energy, bound, strict=True) if f >= e)
    ]
    (answer,) = least_energy(outcomes(energy, bound), 0.01)
    assert answer.found == bool(good)
    if good:
        assert answer.energy_per_bit == min(good)
        assert answer.loss_bound == bound[energy.index(min(good))] <= 0.01
    else:
        assert np.isnan([answer.energy_per_bit, answer.ber, answer.loss_bound]).all()
        assert answer.point == {}


def test_every_point_of_higher_energy_must_be_good_too():
    energy = [1e-12, 2e-12, 3e-12, 4e-12]
    (answer,) = least_energy(outcomes(energy, [0.001, 0.2, 0.001, 0.001]), 0.01)
    assert answer.energy_per_bit == 3e-12
    assert not least_energy(outcomes(energy, [0.001, 0.001, 0.001, 0.2]), 0.01)[0].found


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_order_of_points_does_not_matter_even_at_equal_energy(order):
    energy, bound = [1e-12, 1e-12, 2e-12], [0.001, 0.2, 0.001]
    (answer,) = least_energy(outcomes([energy[k] for k in order], [bound[k] for k in order]), 0.01)
    assert (answer.energy_per_bit, answer.loss_bound) == (1e-12, 0.001)


def test_bound_equal_to_the_largest_loss_is_good():
    assert least_energy(outcomes([1e-12], [0.01]), 0.01)[0].found


def test_networks_and_cells_are_answered_apart():
    results = outcomes(
        [1e-12, 2e-12, 1e-12, 2e-12], [0.001, 0.001, 0.2, 0.002],
        network=["x", "x", "y", "y"], cell=["c", "d", "c", "c"], ber=[0.1, 0.2, 0.3, 0.4],
        pulse_voltage=[0.7, 0.8, 0.9, 1.0],
    )  # fmt: skip
    answers = {(a.network, a.cell): a for a in least_energy(results, 0.01)}
    assert list(answers) == [("x", "c"), ("x", "d"), ("y", "c")]
    assert [a.energy_per_bit for a in answers.values()] == [1e-12, 2e-12, 2e-12]
    assert [a.ber for a in answers.values()] == [0.1, 0.2, 0.4]
    assert answers["y", "c"].point == {"pulse_voltage": 1.0}
    assert {a.max_loss for a in answers.values()} == {0.01}


@pytest.mark.parametrize("max_loss", [0, 1, -0.1, np.nan])
def test_largest_loss_must_be_a_share(max_loss):
    with pytest.raises(ParameterError, match=r"max_loss = .*expected finite, in \(0, 1\)"):
        least_energy(outcomes([1e-12], [0.1]), max_loss)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
@settings(deadline=None, max_examples=50, derandomize=True)
def test_rates_at_the_upper_end_are_probabilities_with_that_mean(p01, p10, more):
    ber = (p01 + p10) / 2
    upper = ber + more * (1 - ber)
    values = {"p01": p01, "p10": p10, "ber": ber, "ber_hi": upper}
    points = xr.Dataset({name: ("point", [x]) for name, x in values.items()})
    likely, worse = rates_at(points, 0)
    assert (likely.p01, likely.p10) == (p01, p10)
    high01, high10 = worse.p01, worse.p10
    assert 0 <= high01 <= 1
    assert 0 <= high10 <= 1
    assert (high01 + high10) / 2 >= upper - 1e-12


def test_points_of_several_numbers_of_pulses_keep_theirs(tiny_test):
    points = operating_points(
        ber=[0.1, 1e-6], ber_hi=[0.1, 1e-6], energy_per_bit=[1e-12, 2e-12],
        pulse_voltage=[0.8, 0.8], pulses=[1.0, 10.0],
    )  # fmt: skip
    results = along(points, {"a": tiny_test}, 1, exactly(4))
    (answer,) = least_energy(results, 0.05)
    assert answer.point == {"pulse_voltage": 0.8, "pulses": 10.0}
    assert answer.row == 1
    assert headline(results, [answer])[0].startswith("a: write at 800 mV, 10 pulses")


def test_corrected_networks_are_held_against_thresholds_right_without_errors(tiny_network):
    made = replace(tiny_network, record={"thresholds_for": [[0.2, 0.2]] * 2})
    rng = np.random.default_rng(3)
    pixels, labels = rng.integers(0, 256, (80, 6)).astype(np.uint8), rng.integers(0, 3, 80)
    test = prepare(made, pixels, labels.astype(np.uint8))
    points = operating_points(ber=[0.0], ber_hi=[0.0], energy_per_bit=[1e-12])
    results = along(points, {"a": test}, 1, exactly(4), calibration={"a": test.inputs})
    right = prepare(recalibrate(made, NO_ERRORS), pixels, labels.astype(np.uint8)).clean.mean()
    assert float(results.accuracy[0]) == right != test.clean.mean()
    assert float(results.loss[0]) == 0


def test_spread_of_rates_is_in_the_accuracy_and_in_its_bound(tiny_test):
    points = operating_points(ber=[0.05], ber_hi=[0.1], energy_per_bit=[1e-12])
    spread = RateSpread(1.0, "chip")
    results = along(points, {"a": tiny_test}, 1, exactly(6), spread=spread)
    likely, worse = (accuracy(tiny_test, Rates(p, p), 1, exactly(6), spread) for p in (0.05, 0.1))
    assert float(results.accuracy[0]) == likely.accuracy
    assert float(results.accuracy_spread[0]) == likely.spread
    assert float(results.loss_bound[0]) == max(likely.loss_high, worse.loss_high)
