"""Spread with bounds: without any it is the analysis of variance, with them it comes back."""

import numpy as np
import pytest

from devicephys.errors import DataError
from devicephys.fitting.censored_variance import split_censored
from devicephys.fitting.resistance import samples
from devicephys.fitting.variance import split


def drawn(seed, n_devices=8, cycles=8):
    rng = np.random.default_rng(seed)
    device = np.repeat(np.arange(n_devices), cycles)
    return rng.normal(9, 0.4, n_devices)[device] + rng.normal(0, 0.2, len(device)), device


def bounded(x, device, low=-np.inf, high=np.inf):
    words = np.where(x > high, "above", np.where(x < low, "below", "exact"))
    return samples(np.exp(np.clip(x, low, high)), words, device)


def test_without_bounds_and_with_equal_counts_it_is_the_analysis_of_variance():
    x, device = drawn(1)
    s, exact = split_censored(bounded(x, device)), split(x, device)
    assert s.between == pytest.approx(exact.variance.between, rel=1e-3)
    assert s.within == pytest.approx(exact.variance.within, rel=1e-3)
    for name in ("within_low", "within_high"):
        assert getattr(s, name) == pytest.approx(getattr(exact, name), rel=0.02)
    assert s.between_low == pytest.approx(exact.between_low, rel=0.1)
    assert s.between_high == pytest.approx(exact.between_high, rel=0.15)


def test_bounds_on_both_sides_change_little_where_few_are_beyond():
    x, device = drawn(2)
    exact = split(x, device)
    low, high = np.quantile(x, [0.1, 0.85])
    s = split_censored(bounded(x, device, low, high))
    assert exact.within_low < s.within < exact.within_high
    assert s.between_low < exact.variance.between < s.between_high
    cut = split(np.clip(x, low, high), device)
    assert s.within > cut.variance.within  # limits as values narrow the law


def test_what_tells_no_spread_is_refused():
    x, device = drawn(3)
    with pytest.raises(DataError, match="2 of 2 devices have values"):
        split_censored(bounded(x[:16], device[:16]))
    with pytest.raises(DataError, match="at most 1 each"):
        split_censored(bounded(x[::8], device[::8]))
