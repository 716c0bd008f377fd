"""Spread between and within devices: textbook intervals, coverage, other laws, refusals."""

import numpy as np
import pytest
from scipy import stats

from devicephys.errors import DataError
from devicephys.fitting.variance import split
from devicephys.rram.ramp import split_variance


def drawn(rng, counts, between, within):
    device = np.repeat(np.arange(len(counts)), counts).astype(str)
    shift = np.repeat(rng.normal(0, between, len(counts)), counts)
    return shift + rng.normal(0, within, len(device)), device


def test_estimates_are_those_of_the_analysis_of_variance_and_ends_those_of_the_textbook():
    x, device = drawn(np.random.default_rng(1), [10] * 8, 0.2, 0.1)
    s, v = split(x, device), split_variance(x, device)
    assert s.variance == v
    chi = v.within * np.sqrt(72 / stats.chi2.ppf([0.975, 0.025], 72))
    assert [s.within_low, s.within_high] == pytest.approx(chi)
    f = (10 * v.between**2 + v.within**2) / v.within**2 / stats.f.ppf([0.975, 0.025], 7, 72)
    icc = (f - 1) / (f + 9)  # equal counts: Fisher's closed form
    assert [s.icc_low, s.icc_high] == pytest.approx(icc)
    assert s.icc == pytest.approx(v.between**2 / (v.between**2 + v.within**2))
    assert s.between_low < v.between < s.between_high


def test_without_scatter_within_the_interval_between_is_that_of_device_means():
    x, device = drawn(np.random.default_rng(2), [10] * 8, 0.2, 1e-6)
    s = split(x, device)
    chi = s.variance.between * np.sqrt(7 / stats.chi2.ppf([0.975, 0.025], 7))
    assert [s.between_low, s.between_high] == pytest.approx(chi, rel=1e-4)


@pytest.mark.parametrize(
    ("counts", "between"), [([10] * 10, 0.2), ([2, 5, 10, 20, 13], 0.1), ([10] * 5, 0.0)]
)
def test_intervals_cover(counts, between):
    """Of 150 at 95 %, fewer than 131 with probability 0.04 % each."""
    rng, inside = np.random.default_rng(3), np.zeros(4)
    for _ in range(150):
        s = split(*drawn(rng, counts, between, 0.1))
        icc = between**2 / (between**2 + 0.01)
        low = np.array([s.mean_low, s.between_low, s.within_low, s.icc_low])
        high = np.array([s.mean_high, s.between_high, s.within_high, s.icc_high])
        true = [0.0, between, 0.1, icc]
        inside += (low <= true) & (true <= high)
    assert (inside >= 131).all()


def test_the_jackknife_sees_devices_that_scatter_unequally():
    rng = np.random.default_rng(4)
    device = np.repeat(np.arange(20), 30)
    scatter = np.where(device < 4, 0.5, 0.05)
    s = split(rng.normal(0, 0.3, 20)[device] + scatter * rng.standard_normal(600), device)
    assert np.diff(s.within_jackknife) > 3 * (s.within_high - s.within_low)
    assert s.unequal
    assert not split(*drawn(rng, [30] * 20, 0.3, 0.1)).unequal
    true = np.sqrt((scatter**2).mean())
    assert s.within_jackknife[0] < true < s.within_jackknife[1]
    assert s.between_jackknife[0] < s.variance.between < s.between_jackknife[1]


def test_devices_that_could_be_equal_have_no_lower_end():
    s = split(*drawn(np.random.default_rng(5), [10] * 6, 0.0, 0.1))
    assert s.between_low == 0
    assert np.isnan(s.between_jackknife).all()
    assert np.isfinite(s.within_jackknife).all()


def test_nan_is_left_out_and_units_do_not_matter():
    x, device = drawn(np.random.default_rng(6), [4] * 5, 0.2, 0.1)
    s = split(np.r_[x, np.nan], np.append(device, "new"))
    assert (s.n, s.n_devices) == (20, 5)
    scaled = split(1e9 * x + 5e9, device)
    assert scaled.between_high == pytest.approx(1e9 * s.between_high, rel=1e-6)
    assert scaled.icc_low == pytest.approx(s.icc_low, rel=1e-6)


@pytest.mark.parametrize(
    ("x", "device", "message"),
    [
        ([1.0, 2.0], ["a", "b"], "2 values of 2 devices"),
        ([1.0, 2.0], ["a"], "expected one shape"),
        ([1.0, 1.0, 2.0, 2.0], ["a", "a", "b", "b"], "do not differ within a device"),
    ],
)
def test_what_has_no_two_spreads_is_refused(x, device, message):
    with pytest.raises(DataError, match=message):
        split(x, device)
