"""Goodness of fit of counts: exact laws, tails that stay finite, stated false-alarm rates."""

import math

import numpy as np
import pytest
from scipy import stats

from devicephys.errors import ParameterError
from devicephys.fitting import goodness


def logs(p):
    return np.log(p), np.log1p(-np.asarray(p))


def test_quantile_residuals_of_a_true_model_are_standard_normal():
    rng = np.random.default_rng(11)
    p = 10 ** rng.uniform(-7, -0.05, 4000)
    n = 10**5
    r = goodness.quantile_residuals(rng.binomial(n, p), n, *logs(p), rng)
    assert stats.kstest(r, "norm").pvalue > 1e-3  # false alarm 0.1 %, seed fixed


def test_quantile_residuals_of_a_wrong_model_are_not():
    rng = np.random.default_rng(12)
    p = np.full(2000, 1e-5)
    r = goodness.quantile_residuals(rng.binomial(10**5, p), 10**5, *logs(1.5e-5 + 0 * p), rng)
    assert stats.kstest(r, "norm").pvalue < 1e-6


def test_quantile_residuals_lie_between_the_quantiles_of_the_binomial_law():
    n, p = 40, 0.3
    k = np.arange(n + 1)
    r = goodness.quantile_residuals(k, n, *logs(p), np.random.default_rng(1))
    low, high = (
        np.where(j < 12, stats.norm.ppf(stats.binom.cdf(j, n, p)),
                 stats.norm.isf(stats.binom.sf(j, n, p)))
        for j in (k - 1, k)
    )  # fmt: skip
    assert (low <= r + 1e-9).all()
    assert (r <= high + 1e-9).all()


def test_far_tails_stay_finite_and_agree_with_exact_sums():
    n, p = 10**6, 1e-15
    r = goodness.quantile_residuals([0, 1, 50, n], n, *logs(p), np.random.default_rng(1))
    assert np.isfinite(r).all()
    # P(K >= k) = first term (1 + 1e-9): the residual must lie between those of k and k + 1.
    for k, residual in ((1, r[1]), (50, r[2])):
        ends = [
            j * math.log(n * p) - math.lgamma(j + 1) + math.log1p(-j * (j - 1) / (2 * n))
            for j in (k, k + 1)
        ]
        low, high = (-stats.norm.ppf(0.5) - _quantile(x) for x in ends)
        assert low - 1e-3 < residual < high + 1e-3
    # The other side: no error where thousands are expected.
    none = goodness.quantile_residuals(0, 10**6, *logs(5e-3), np.random.default_rng(1))
    log_tail = 10**6 * math.log1p(-5e-3)
    assert _quantile(log_tail) - 0.15 < none < _quantile(log_tail) + 1e-9


def _quantile(log_p):
    """Normal quantile of exp(log_p) by bisection on scipy's log cdf."""
    low, high = -1e3, 0.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if stats.norm.logcdf(middle) < log_p else (low, middle)
    return low


def test_the_series_meets_the_incomplete_beta_function_where_it_takes_over():
    n, p = 10**5, 0.2
    k = np.arange(15450, 15650)
    log = goodness._log_at_most(k.astype(float), float(n), *logs(p))
    assert (log < math.log(goodness.SMALLEST)).any()
    assert (log > math.log(goodness.SMALLEST)).any()
    assert (np.diff(log) > 0).all()
    assert np.abs(np.diff(log, 2)).max() < 2e-3  # smooth across the border


def test_quantile_residuals_refuse_what_is_no_count():
    rng = np.random.default_rng(1)
    with pytest.raises(ParameterError, match="whole numbers"):
        goodness.quantile_residuals(0.5, 10, *logs(0.1), rng)
    with pytest.raises(ParameterError, match="whole numbers"):
        goodness.quantile_residuals(11, 10, *logs(0.1), rng)
    with pytest.raises(ParameterError, match="log_p"):
        goodness.quantile_residuals(1, 10, 0.1, -2.0, rng)


def test_outlying_points_raise_one_false_alarm_in_a_hundred_data_sets():
    rng = np.random.default_rng(21)
    p = 10 ** rng.uniform(-5, -0.1, 60)
    alarms = sum(
        bool(goodness.outlying_points(rng.binomial(10**5, p), 10**5, *logs(p)).points)
        for _ in range(400)
    )
    assert alarms <= 11  # expected at most 4; more with chance 0.1 %


def test_outlying_points_are_found_with_their_direction():
    n, p = 10**6, np.full(50, 1e-3)
    k = np.random.default_rng(22).binomial(n, p)
    k[7], k[31] = 1400, 700
    found = goodness.outlying_points(k, n, *logs(p))
    assert found.points == (7, 31)
    assert found.directions == ("too many", "too few")
    assert max(found.p_values) < 1e-10
    assert "1 with too many errors, 1 with too few" in found.sentence()
    assert "No point of 50" in goodness.outlying_points(n * p, n, *logs(p)).sentence()


def test_a_p_value_is_holm_corrected_exact_and_two_sided():
    found = goodness.outlying_points([0, 9, 1], 10, *logs(0.1))
    assert found.points == (1,)
    exact = stats.binom.sf(8, 10, 0.1)
    assert found.p_values[0] == pytest.approx(3 * 2 * exact, rel=1e-12)


def test_outlying_devices_raise_one_false_alarm_in_a_hundred_populations():
    rng = np.random.default_rng(31)
    alarms = 0
    for _ in range(500):
        errors = rng.uniform(1e-4, 4e-4, (8, 3))  # counting variances, beside 1e-4 of the devices
        x = rng.normal(0, np.sqrt(1e-4 + errors))
        alarms += bool(goodness.outlying_devices(x, errors[:, :, None] * np.eye(3)).found)
    assert alarms <= 13  # expected at most 5; more with chance 0.1 %


def test_an_outlying_device_cannot_hide_itself_in_the_spread():
    rng = np.random.default_rng(32)
    x = rng.normal(0, 0.01, (8, 2))
    x[5, 1] += 0.2
    found = goodness.outlying_devices(x, np.full((8, 2, 2), 1e-8))
    assert [(d.device, d.parameter) for d in found.found] == [(5, 1)]
    text = found.sentence([f"D{j}" for j in range(8)], ["delta", "i_c0"])
    assert text.startswith("Outside the population of the other devices: D5 in i_c0 (+")
    wide = np.full((8, 2, 2), 1e-8)
    wide[5] = np.eye(2)  # a device that was hardly measured is no outlier
    assert goodness.outlying_devices(x, wide).found == ()
    assert "No device of 8" in goodness.outlying_devices(x[:, :1], wide[:, :1, :1]).sentence([], [])


def test_the_distance_of_a_device_follows_students_t():
    x = np.array([[1.0], [2.0], [4.0], [3.0], [1e3]])
    found = goodness.outlying_devices(x, np.zeros((5, 1, 1))).found
    others = x[:4, 0]
    t = (1e3 - others.mean()) / (others.std(ddof=1) * np.sqrt(1 + 1 / 4))
    assert found[0].t == pytest.approx(t)
    assert found[0].p_value == pytest.approx(5 * 2 * stats.t.sf(t, 3))


def test_few_devices_show_no_outlier_and_say_so():
    few = goodness.outlying_devices([[0.0], [0.1], [50.0]], np.zeros((3, 1, 1)))
    assert few.found == ()
    assert few.sentence("abc", ["x"]) == (
        "3 devices cannot show an outlying one: measure 4 or more"
    )
    alike = goodness.outlying_devices([[1.0], [1.0], [1.0], [1.0], [2.0]], np.zeros((5, 1, 1)))
    assert [d.device for d in alike.found] == [4]
    with pytest.raises(ParameterError, match=r"\(n, p\) and \(n, p, p\)"):
        goodness.outlying_devices([[1.0]], [[1.0]])


def test_overdispersion_compares_with_counting_alone():
    drawn = np.random.default_rng(41).chisquare(38, 4000)
    calm = goodness.overdispersion(38.0, 38, drawn)
    assert 0.5 < calm.low < calm.ratio < calm.high < 1.6
    assert "standard errors" not in calm.sentence()
    wild = goodness.overdispersion(38 * 4.0, 38, drawn)
    assert wild.p_value == pytest.approx(1 / 4001)
    assert wild.sentence().endswith("too small by a factor of about 2")


def test_simulated_deviances_follow_chi_square_where_counts_are_large():
    p = np.linspace(0.2, 0.8, 12)
    slopes = np.random.default_rng(1).normal(size=(12, 2))
    d = goodness.simulated_deviances(slopes, [10**5] * 12, *logs(p), np.random.default_rng(2))
    assert stats.kstest(d, "chi2", args=(10,)).pvalue > 1e-3  # false alarm 0.1 %, seed fixed


def test_a_step_of_the_counts_is_told_from_chance():
    rng = np.random.default_rng(51)
    for _ in range(300):  # two alarms in a million data sets at most
        k = rng.binomial(100, rng.uniform(0, 1, 40))
        assert goodness.counting_step(k, np.full(40, 100)).step == 1
    k = 5 * rng.binomial(20, rng.uniform(0.2, 0.8, 30))
    found = goodness.counting_step(k, np.full(30, 100))
    assert found.step == 5
    assert "multiples of 5" in found.sentence()
    assert goodness.counting_step([0, 100, 2], [100, 100, 100]).step == 1  # too few to tell
