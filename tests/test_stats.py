"""Intervals and deviances against exact laws; streams against each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from devicephys import stats
from devicephys.errors import ParameterError

QUICK = settings(max_examples=50, deadline=None, derandomize=True)


@QUICK
@given(n=st.integers(1, 5000), share=st.floats(0.0, 1.0))
def test_binomial_interval_is_scipys_exact_one_and_one_sided_at_the_ends(n, share):
    k = round(share * n)
    low, high = stats.binomial_interval(k, n)
    if 0 < k < n:
        exact = scipy_stats.binomtest(k, n).proportion_ci(method="exact")
    else:
        side = "less" if k == 0 else "greater"
        exact = scipy_stats.binomtest(k, n, alternative=side).proportion_ci(method="exact")
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-12)


@pytest.mark.parametrize("p", [0.001, 0.05, 0.5])
def test_binomial_interval_covers_at_least_its_level(p):
    n, k = 400, np.arange(401)
    low, high = stats.binomial_interval(k, n)
    inside = (low <= p) & (p <= high)
    # exact sum over the law, no sampling; the one-sided ends cost at most 2.5 %
    assert scipy_stats.binom.pmf(k, n, p)[inside].sum() >= (0.95 if p > 0.01 else 0.925)


def test_binomial_interval_refuses_impossible_counts():
    with pytest.raises(ParameterError, match="k > n"):
        stats.binomial_interval(5, 4)
    with pytest.raises(ParameterError, match="n = 0"):
        stats.binomial_interval(0, 0)
    with pytest.raises(ParameterError, match="k = nan"):
        stats.binomial_interval(np.nan, 4)


def test_clustered_interval_widens_with_the_variance_and_with_fewer_clusters():
    p, n = 0.1, 500
    alone = stats.clustered_interval(p, p * (1 - p) / n, n, n)
    assert alone == pytest.approx([float(x) for x in stats.binomial_interval(50, 500)])
    few = stats.clustered_interval(p, p * (1 - p) / n, n, 5)
    low, high = stats.clustered_interval(p, 4e-4, n, 5)
    assert low < few[0] < alone[0] < p < alone[1] < few[1] < high


def test_clustered_interval_of_nothing_seen_is_worth_the_clusters():
    assert stats.clustered_interval(0.0, 0.0, 500, 50)[1] == pytest.approx(1 - 0.05 ** (1 / 50))


@pytest.mark.parametrize("n_devices", [5, 50])
def test_clustered_interval_covers_a_beta_binomial_law(n_devices):
    """10 trials a device, rates from a beta law: nominal 95 % where plain counts fail."""
    rng = np.random.default_rng(8)
    a, b, hits, plain_hits, repeats = 0.5, 4.5, 0, 0, 400
    n = 10 * n_devices
    for _ in range(repeats):
        k = rng.binomial(10, rng.beta(a, b, n_devices))
        p = k.sum() / n
        leave_one = (k.sum() - k) / (n - 10)
        variance = (n_devices - 1) / n_devices * ((leave_one - leave_one.mean()) ** 2).sum()
        low, high = stats.clustered_interval(p, variance, n, n_devices)
        hits += low <= 0.1 <= high
        low, high = stats.binomial_interval(k.sum(), n)
        plain_hits += bool(low <= 0.1 <= high)
    # 95 % of 400 is 380, sigma 4.4: below 358 by chance 1e-6
    assert hits >= 358
    assert plain_hits < 345


@QUICK
@given(k=st.integers(0, 1000), log_p=st.floats(-50.0, -0.01))
def test_deviance_is_twice_the_log_likelihood_ratio(k, log_p):
    n, p = 1000, np.exp(log_p)
    residual = stats.deviance_residuals(k, n, log_p, np.log1p(-p))
    saturated = scipy_stats.binom.logpmf(k, n, k / n)
    expected = 2 * (saturated - scipy_stats.binom.logpmf(k, n, p))
    assert residual**2 == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert residual * (k - n * p) >= 0


def test_deviance_survives_probabilities_below_the_smallest_float():
    assert stats.deviance_residuals(0, 10**6, -2000.0, -0.0) == 0.0
    assert stats.deviance_residuals(3, 10**6, -2000.0, -0.0) == pytest.approx(
        np.sqrt(2 * 3 * (2000 + np.log(3e-6)) - 6), rel=1e-3
    )


def test_deviance_of_a_true_model_is_chi_square():
    rng = np.random.default_rng(3)
    p, n = 0.2, 10_000
    residuals = stats.deviance_residuals(rng.binomial(n, p, 20_000), n, np.log(p), np.log1p(-p))
    # sum of 20000 chi-square(1): mean 20000, sigma 200; 5 sigma: 6e-7
    assert abs((residuals**2).sum() - 20_000) < 1000


def test_streams_depend_on_seed_and_number_alone():
    first = [rng.random() for rng in stats.streams(7, 3)]
    assert first == [rng.random() for rng in stats.streams(7, 9)][:3]
    assert len({*first, *(rng.random() for rng in stats.streams(8, 3))}) == 6
    with pytest.raises(ParameterError, match="seed"):
        stats.streams(-1, 2)
