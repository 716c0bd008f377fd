"""Profile, bootstrap and posterior: exact cases, each other, iminuit, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize

from devicephys import data
from devicephys.errors import FitError, ParameterError
from devicephys.fitting import intervals, wer
from devicephys.fitting.problem import Block, Found, Prior, Unknown, solve
from devicephys.io import tidy_csv

SIGMA = 0.1


def readings(x):
    """Readings with a known error of one quantity, drawn again about its value."""
    return Block("readings", len(x), lambda v: (x - v["mu"]) / SIGMA,
                 lambda v, rng: readings(rng.normal(v["mu"], SIGMA, len(x))))  # fmt: skip


def events(k):
    """One Poisson count, as the signed root of its deviance."""

    def residuals(v):
        m = v["m"]
        deviance = 2 * (m - k + (k * np.log(k / m) if k else 0.0))
        return np.array([np.sign(k - m) * np.sqrt(max(deviance, 0.0))])

    return Block("count", 1, residuals, lambda v, rng: events(rng.poisson(v["m"])))


MU = Unknown("mu", "1", "mu", -9.0, 9.0, log=False)
MEAN = Unknown("m", "1", "m", 1e-9, 1e3, 5.0)


def test_the_profile_of_a_normal_law_is_its_interval():
    x = np.array([1.9, 2.1, 2.3])
    p = intervals.profiles([MU], [readings(x)], solve([MU], [readings(x)]))["mu"]
    half = np.sqrt(intervals.CHI_SQUARE / 3) * SIGMA
    assert (p.low, p.high) == pytest.approx((x.mean() - half, x.mean() + half), abs=1e-3 * SIGMA)
    assert p.rise == pytest.approx(3 * (p.values - x.mean()) ** 2 / SIGMA**2, abs=1e-6)
    assert (np.diff(p.values) > 0).all()


@pytest.mark.parametrize("k", [1, 4, 30])
def test_the_profile_of_a_count_solves_its_deviance(k):
    p = intervals.profiles([MEAN], [events(k)], solve([MEAN], [events(k)]))["m"]

    def excess(m):
        return 2 * (m - k - k * np.log(m / k)) - intervals.CHI_SQUARE

    exact = optimize.brentq(excess, 1e-9, k), optimize.brentq(excess, k, 100 + 9 * k)
    assert (p.low, p.high) == pytest.approx(exact, rel=5e-3)


def test_a_side_that_the_data_leave_open_is_open():
    """No event: the mean has an upper end, 1.92 by the likelihood, and no lower."""
    low_end = np.array([np.log(1e-6)])

    def refit(k, x, start):
        return 2 * np.exp(x), np.array([x])

    p = intervals.profile(refit, low_end, np.array([[4.0]]), 2e-6, 0, (np.log(1e-6), np.log(50.0)))
    assert p.low == -np.inf
    assert np.exp(p.high) == pytest.approx(intervals.CHI_SQUARE / 2, rel=5e-3)
    assert p.values.min() == pytest.approx(np.log(1e-6))


def test_a_profile_that_finds_a_better_fit_says_so():
    def two_minima(v):
        return np.array([(v["mu"] ** 2 - 1) / 0.1 + 0.3 * (v["mu"] + 1)])

    block = Block("two minima", 1, two_minima, lambda v, rng: block)
    at = Found({"mu": 1.0}, ("mu",), np.array([1.0]), np.array([[4.0]]), 0.36, 0, ())
    with pytest.raises(FitError, match=r"profile of mu: a better fit away .* start the fit"):
        intervals.profiles([MU], [block], at)


def test_the_bootstrap_draws_the_prior_too():
    """Mean of one reading and a prior of the same weight: error SIGMA/sqrt(2), within 4 of its own.

    Without redrawing the prior it would be SIGMA/2.
    """
    u = replace(MU, prior=Prior(2.0, SIGMA, "an earlier lot"))
    found = solve([u], [readings(np.array([2.2]))])
    thetas = intervals.bootstrap([u], [readings(np.array([2.2]))], found,
                                 np.random.default_rng(1), draws=300)  # fmt: skip
    assert found.values["mu"] == pytest.approx(2.1)
    assert thetas.std() == pytest.approx(SIGMA / np.sqrt(2), rel=4 / np.sqrt(2 * 300))


def test_a_bootstrap_of_data_that_cannot_be_fitted_is_refused():
    def broken(v, rng):
        return Block("broken", 1, lambda v: np.array([0.0 * v["mu"]]), broken)

    block = Block("readings", 1, lambda v: np.array([v["mu"] - 1.0]), broken)
    with pytest.raises(FitError, match="20 of 20 drawn data sets cannot be fitted"):
        intervals.bootstrap([MU], [block], solve([MU], [block]), np.random.default_rng(1), draws=20)


@pytest.fixture(scope="module")
def device():
    """Counts of one shipped device in one direction, and their fit."""
    every = tidy_csv.read(data.path("synthetic_stt_mram_wer.csv"))
    mine = every.isel(point=np.flatnonzero((every.device.values == "synthetic-3")
                                           & (every.direction.values == "AP->P")))  # fmt: skip
    result = wer.fit(mine, np.random.default_rng(1), "stt_mram_wer")
    unknowns, blocks = wer.problems(mine, result)["synthetic-3"]
    return unknowns, blocks, solve(unknowns, blocks)


def test_profile_bootstrap_and_covariance_agree_on_many_counts(device):
    unknowns, blocks, found = device
    profiles = intervals.profiles(unknowns, blocks, found)
    draws = intervals.bootstrap(unknowns, blocks, found, np.random.default_rng(1), draws=60)
    errors = np.sqrt(np.diag(found.covariance))
    assert draws.std(axis=0, ddof=1) == pytest.approx(errors, rel=4 / np.sqrt(2 * 59))
    for k, name in enumerate(found.names):
        p = profiles[name]
        centre, half = np.log(found.values[name]), np.sqrt(intervals.CHI_SQUARE) * errors[k]
        assert np.log([p.low, p.high]) == pytest.approx(
            [centre - half, centre + half], abs=0.05 * half
        )


def test_iminuit_finds_the_same_minimum_errors_and_profile(device):
    """An independent minimiser: values to 1 % of an error, errors and MINOS ends to 1 %."""
    iminuit = pytest.importorskip("iminuit")
    unknowns, blocks, found = device

    def deviance(*theta):
        values = dict(zip(found.names, np.exp(theta), strict=True))
        return float((blocks[0].residuals(values) ** 2).sum())

    minuit = iminuit.Minuit(deviance, *(found.theta + 0.01), name=found.names)
    minuit.errordef = 1.0  # of -2 ln L
    minuit.strategy = 2
    minuit.migrad()
    minuit.hesse()
    errors = np.sqrt(np.diag(found.covariance))
    assert np.array(minuit.values) == pytest.approx(found.theta, abs=0.01 * errors.min())
    assert np.array(minuit.errors) == pytest.approx(errors, rel=0.01)
    minuit.minos("delta", cl=0.95)
    p = intervals.profiles(unknowns, blocks, found)["delta"]
    mine = np.log([p.low, p.high]) - found.theta[0]
    theirs = minuit.merrors["delta"].lower, minuit.merrors["delta"].upper
    assert mine == pytest.approx(theirs, rel=0.01)


def test_the_posterior_of_a_normal_law_is_that_law():
    """Mean and error within 5 of their own errors for about 600 independent draws."""
    pytest.importorskip("emcee")
    x = np.array([1.9, 2.1, 2.3])
    found = solve([MU], [readings(x)])
    draws = intervals.posterior([MU], [readings(x)], found, np.random.default_rng(1))
    error = SIGMA / np.sqrt(3)
    assert draws.mean() == pytest.approx(x.mean(), abs=5 * error / np.sqrt(600))
    assert draws.std() == pytest.approx(error, rel=5 / np.sqrt(2 * 600))
    again = intervals.posterior([MU], [readings(x)], found, np.random.default_rng(1))
    assert np.array_equal(draws, again)


def test_a_posterior_without_emcee_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "emcee", None)
    found = solve([MU], [readings(np.array([2.0]))])
    with pytest.raises(ParameterError, match=r"devicephys\[bayes\]"):
        intervals.posterior([MU], [readings(np.array([2.0]))], found, np.random.default_rng(1))
