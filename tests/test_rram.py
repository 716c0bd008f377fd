"""Read errors of cells and variance of ramps: closed forms, symmetry, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from devicephys.errors import DataError, ParameterError
from devicephys.rram import cell, ramp

QUICK = settings(max_examples=40, deadline=None, derandomize=True)


def samples(rng, n_devices=200, n_each=20, sigma=(0.2, 0.5)):
    device = np.repeat(np.arange(n_devices).astype(str), n_each)
    lrs = np.exp(rng.normal(np.log(5e3), sigma[0], len(device)))
    hrs = np.exp(rng.normal(np.log(2e4), sigma[1], len(device)))
    return lrs, hrs, device


def test_log_normal_cells_have_their_closed_form_error_rates():
    lrs, hrs, device = samples(np.random.default_rng(1))
    distance = np.log(2e4 / 5e3)
    two = cell.read_error("2T2R", lrs, hrs, device, device)
    exact = norm.cdf(-distance / np.hypot(0.2, 0.5))
    # all pairs of 4000 samples: sigma about 3.5e-4 at 5e-3; 5 sigma
    assert two.ber == pytest.approx(exact, abs=1.8e-3)
    assert two.p01 == two.p10 == two.ber
    assert np.isnan(two.threshold)
    one = cell.read_error("1T1R", lrs, hrs, device, device)
    th = np.linspace(np.log(5e3), np.log(2e4), 2001)
    best = ((norm.cdf((th - np.log(2e4)) / 0.5) + norm.sf((th - np.log(5e3)) / 0.2)) / 2).min()
    assert one.ber == pytest.approx(best, abs=2e-3)
    assert one.ber == (one.p01 + one.p10) / 2


def test_intervals_of_correlated_devices_are_wider_than_those_of_independent_samples():
    rng = np.random.default_rng(2)
    lrs, hrs, device = samples(rng, 50, 10)
    independent = cell.read_error("2T2R", lrs, hrs, device, device)
    shifted = hrs * np.repeat(np.exp(rng.normal(0, 1.0, 50)), 10)
    correlated = cell.read_error("2T2R", lrs, shifted, device, device)

    def effective_width(e):
        return (e.ber_hi - e.ber_lo) / np.sqrt(e.ber * (1 - e.ber))

    assert effective_width(correlated) > 1.5 * effective_width(independent)


@QUICK
@given(st.data())
def test_best_threshold_is_no_worse_than_any_other(data):
    values = st.lists(st.floats(1.0, 100.0), min_size=1, max_size=12)
    lrs, hrs = np.array(data.draw(values)), np.array(data.draw(values))
    chosen = cell.best_threshold(lrs, hrs)

    def error(th):
        return (lrs > th).mean() + (hrs <= th).mean()

    assert error(chosen) <= min(error(th) for th in [0.0, *lrs, *hrs]) + 1e-12


@QUICK
@given(st.data())
def test_all_pairs_count_is_the_direct_double_loop(data):
    values = st.lists(st.integers(1, 9).map(float), min_size=2, max_size=8)
    lrs, hrs = np.array(data.draw(values)), np.array(data.draw(values))
    device = [np.array([f"d{k % 2}" for k in range(len(x))]) for x in (lrs, hrs)]
    found = cell.read_error("2T2R", lrs, hrs, *device).ber
    direct = np.mean([(h < x) + 0.5 * (h == x) for h in hrs for x in lrs])
    assert found == pytest.approx(direct)


def test_perfectly_separated_states_have_an_upper_bound_from_the_number_of_devices():
    device = np.repeat(["a", "b", "c"], 100)
    found = cell.read_error("1T1R", np.full(300, 5e3), np.full(300, 9e4), device, device)
    assert (found.ber, found.ber_lo) == (0.0, 0.0)
    assert found.ber_hi == pytest.approx(1 - 0.05 ** (1 / 3))


def test_impossible_samples_are_refused():
    device = np.array(["a", "b"])
    good = np.array([5e3, 6e3])
    with pytest.raises(ParameterError, match="unknown cell '1T'"):
        cell.read_error("1T", good, good, device, device)
    with pytest.raises(ParameterError, match=r"hrs = -1 Ohm"):
        cell.read_error("1T1R", good, np.array([-1.0, 1.0]), device, device)
    with pytest.raises(DataError, match="1 devices"):
        cell.read_error("1T1R", good, good, np.array(["a", "a"]), np.array(["a", "a"]))


def test_pulse_energy_scales_and_refuses():
    energy = cell.pulse_energy([0.5, 1.0], 5e3, 200e-9)
    assert energy == pytest.approx([1e-11, 4e-11])
    with pytest.raises(ParameterError, match="resistance = 0 Ohm"):
        cell.pulse_energy(1.0, 0.0, 1e-9)


def test_energy_counts_pulses_and_takes_a_current_instead_of_a_resistance():
    assert cell.pulse_energy(1.0, 5e3, 200e-9, 2.5) == pytest.approx(2.5 * 4e-11)
    assert cell.current_energy([-1.0, 1.0], [-2e-4, 2e-4], 200e-9) == pytest.approx(4e-11)
    assert cell.current_energy(1.0, 2e-4, 200e-9, [0, 3]) == pytest.approx([0, 1.2e-10])
    with pytest.raises(ParameterError, match="same sign"):
        cell.current_energy(1.0, -2e-4, 200e-9)
    with pytest.raises(ParameterError, match="n_pulses = -1"):
        cell.pulse_energy(1.0, 5e3, 200e-9, -1)


def test_variance_components_are_recovered():
    rng = np.random.default_rng(4)
    device = np.repeat(np.arange(400).astype(str), 10)
    values = 1.0 + np.repeat(rng.normal(0, 0.2, 400), 10) + rng.normal(0, 0.1, 4000)
    found = ramp.split_variance(values, device)
    # sigma of the estimates: 0.2/sqrt(800) = 0.0072 and 0.1/sqrt(7200) = 0.0012; 5 sigma
    assert found.between == pytest.approx(0.2, abs=0.036)
    assert found.within == pytest.approx(0.1, abs=0.006)
    assert abs(found.mean - 1.0) < 5 * found.stderr


def test_variance_leaves_missing_values_out_and_refuses_too_few():
    values, device = np.array([1.0, 1.2, np.nan, 3.0, 3.2]), np.array(list("aaabb"))
    assert ramp.split_variance(values, device).within == pytest.approx(np.sqrt(0.02))
    with pytest.raises(DataError, match="2 values of 2 devices"):
        ramp.split_variance(np.array([1.0, 2.0]), np.array(["a", "b"]))


def test_onset_is_the_first_voltage_beyond_the_ratio_and_nan_where_none():
    after = np.array([[5e3, 8e3, 6e3], [5e3, 6e3, 7e3], [np.nan, np.nan, 9e3]])
    r = ramp.Ramps(np.array(list("abc")), np.array([0.5, 0.6, 0.7]), np.full(3, 5e3), after)
    assert ramp.onset_voltage(r)[[0, 2]] == pytest.approx([0.6, 0.7])
    assert np.isnan(ramp.onset_voltage(r)[1])
