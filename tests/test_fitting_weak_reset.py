"""Recovery of weak-RESET parameters from simulated traces: round trip, coverage, flags."""

from dataclasses import replace

import numpy as np
import pytest

from devicephys.errors import DataError, ParameterError
from devicephys.fitting import weak_reset as fitting
from devicephys.rram import weak_reset

LAW = weak_reset.majumdar_2021()
LINEAR = np.linspace(0, 2000, 201).astype(int)
LONG = np.unique(np.concatenate([[0], np.geomspace(1, 10000, 200).round()])).astype(int)


def traces(law, pulses, n, seed):
    """Simulated resistances at the counts, shape (n, k), and the true parameters."""
    rng = np.random.default_rng(seed)
    state = weak_reset.start(weak_reset.devices(law, n, rng), rng)
    columns = []
    for step in np.diff(pulses, prepend=0):
        weak_reset.apply(state, int(step), rng)
        columns.append(weak_reset.resistance(state))
    d = state.devices
    truth = {"log_r": np.log(d.r_0) + d.c1 + state.offset, "m1": d.m1, "t_star": d.t_star,
             "m2": d.m2}  # fmt: skip
    return np.array(columns).T, truth


@pytest.fixture(scope="module", params=["linear", "long"])
def recovered(request):
    pulses = LINEAR if request.param == "linear" else LONG
    r, truth = traces(LAW, pulses, 600, 1)
    return request.param, fitting.recover(pulses, r, LAW), truth


def test_covariance_is_that_of_simulated_traces():
    """Of quiet and of noisy devices; 20000 traces, five standard errors: false alarms 1e-4."""
    pulses = np.array([0, 1, 2, 10, 14, 100, 400])
    for settings in ({}, {"flicker": "fir"}, {"flicker": "off"}, {"rtn": False}):
        law = replace(LAW, device_to_device=False, sigma_set=0.0, **settings)
        r, _ = traces(law, pulses, 20_000, 2)
        exact = fitting.covariance(pulses, law, 0.25)
        diagonal = np.diag(exact)
        error = np.sqrt((exact**2 + np.outer(diagonal, diagonal)) / 20_000)
        assert (abs(np.cov(np.log(r).T) - exact) < 5 * 1.5 * error + 1e-9).all()  # 1.5: kurtosis


def test_most_knees_are_seen_and_the_faint_ones_are_not(recovered):
    _, found, truth = recovered
    assert 0.5 < found.knee_seen.mean() < 0.8
    rise = truth["m1"] * truth["t_star"]
    assert np.median(rise[found.knee_seen]) > 3 * np.median(rise[~found.knee_seen])


def test_pulls_have_a_sane_spread(recovered):
    """Of devices whose knee is seen; a trap is not Gaussian, so the tails are a little heavier."""
    _, found, truth = recovered
    seen = found.knee_seen
    for name in fitting.NAMES:
        error = getattr(found, f"{name}_stderr")
        pull = ((getattr(found, name) - truth[name]) / error)[seen]
        centre = np.median(pull)
        assert abs(centre) < 0.35, name
        assert 0.7 < 1.4826 * np.median(abs(pull - centre)) < 1.4, name
        assert 0.8 < (abs(pull) < 1.96).mean() < 0.99, name


def test_errors_are_honest_where_no_knee_is_seen(recovered):
    _, found, truth = recovered
    pull = ((found.m1 - truth["m1"]) / found.m1_stderr)[~found.knee_seen]
    assert (abs(pull) < 1.96).mean() > 0.85


def test_medians_of_the_population_are_recovered(recovered):
    """Against the true medians of the same devices, in percent: traces of 2000 pulses say less
    about m2, which changes ln R by no more than 1/f noise does."""
    kind, found, truth = recovered
    limits = {"log_r": 0.1, "m1": 8, "t_star": 8, "m2": 25 if kind == "linear" else 8}
    for one in fitting.population(found):
        true = np.median(truth[one.name][found.knee_seen])
        assert one.median == pytest.approx(true, rel=limits[one.name] / 100)
        assert one.low < one.median < one.high
        assert one.devices == found.knee_seen.sum()
    spreads = {one.name: one.spread for one in fitting.population(found)}
    assert spreads["log_r"] == pytest.approx(truth["log_r"][found.knee_seen].std(), rel=0.1)
    assert spreads["t_star"] == pytest.approx(truth["t_star"][found.knee_seen].std(), rel=0.15)


@pytest.mark.parametrize(("rtn", "spread"), [(False, 0.01), (True, 0.05)])
def test_noise_that_is_not_zero_on_average_does_not_shift_the_estimates(rtn, spread):
    """Of the published program: 0.054 in ln R. Five standard errors."""
    law = replace(weak_reset.program_2021(), rtn=rtn)
    r, truth = traces(law, LINEAR, 300, 6)
    off = fitting.recover(LINEAR, r, law).log_r - truth["log_r"]
    assert abs(off.mean()) < 5 * off.std() / np.sqrt(300)
    assert off.std() < spread


def test_quiet_traces_give_back_what_was_put_in():
    law = replace(LAW, flicker="off", rtn=False, sigma_set=0.0)
    r, truth = traces(law, LINEAR, 50, 3)
    found = fitting.recover(LINEAR, r, LAW)
    seen = found.knee_seen & (truth["t_star"] < 1500)
    assert seen.sum() > 15
    for name in ("log_r", "m1", "t_star"):
        np.testing.assert_allclose(getattr(found, name)[seen], truth[name][seen], rtol=0.06)


def test_a_knee_outside_the_counts_is_flagged():
    typical = replace(LAW, device_to_device=False)
    for pulses in (np.arange(0, 400, 10), np.arange(600, 3000, 20)):
        r, _ = traces(typical, pulses, 300, 4)
        assert fitting.recover(pulses, r, LAW).knee_seen.mean() < 0.05
    linear = replace(typical, nonlinear=False)
    r, truth = traces(linear, LINEAR, 300, 5)
    found = fitting.recover(LINEAR, r, LAW)
    assert found.knee_seen.mean() < 0.05
    pull = (found.m1 - truth["m1"]) / found.m1_stderr
    assert abs(np.median(pull)) < 0.5


GOOD = np.full((2, 20), 7e3)


@pytest.mark.parametrize(
    ("pulses", "resistance", "error", "message"),
    [
        (np.arange(10), GOOD[:, :10], DataError, "15 counts or more"),
        (np.zeros(20), GOOD, DataError, "rise strictly"),
        (np.arange(20), GOOD[:, :19], DataError, r"expected shape \(n, 20\)"),
        (np.arange(20), GOOD[0], DataError, r"shape \(20,\)"),
        (np.arange(20), GOOD[:0], DataError, r"shape \(0, 20\)"),
        (np.arange(20) - 1, GOOD, ParameterError, "pulses = -1"),
        (np.arange(20), -GOOD, ParameterError, "resistance"),
    ],
)
def test_refuses_bad_input(pulses, resistance, error, message):
    with pytest.raises(error, match=message):
        fitting.recover(pulses, resistance, LAW)


def test_refuses_a_population_without_knees():
    found = fitting.recover(np.arange(20), GOOD, LAW)
    with pytest.raises(DataError, match="0 of 2 devices with a knee"):
        fitting.population(found)
