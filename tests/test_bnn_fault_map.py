"""Maps of failing bits: the law of gaps, counts and marks, nesting, exact limits.

Random tests fail by chance with a probability of 1e-6 each.
"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from devicephys.bnn import fault_map
from devicephys.bnn.fault_map import draw, failing, failing_stored
from devicephys.errors import ParameterError

QUICK = settings(deadline=None, max_examples=30, derandomize=True)
FALSE_ALARM = 1e-6
RATE = st.floats(0, 1)


def chi_square(counts, chances):
    """Compare counts of categories with their chances, rare ones taken together at the end."""
    counts, expected = np.asarray(counts, float), np.asarray(chances) * np.sum(counts)
    common = expected >= 5
    counts = np.append(counts[common], counts[~common].sum())
    expected = np.append(expected[common], expected[~common].sum())
    keep = expected > 0
    assert not counts[~keep].any()
    return stats.chisquare(counts[keep], expected[keep] * counts.sum() / expected.sum()).pvalue


@pytest.mark.parametrize("p", [0.003, 0.05, 0.4, 0.97])
def test_gaps_are_geometric_and_marks_uniform_and_apart(p):
    found = draw(int(30_000 / p), p, np.random.default_rng(1))
    gaps = np.diff(found.positions, prepend=-1)
    edges = np.unique(stats.geom.ppf(np.linspace(0, 1, 20)[1:-1], p))
    which = np.searchsorted(edges, gaps)
    chances = np.diff(stats.geom.cdf(edges, p), prepend=0, append=1)
    assert chi_square(np.bincount(which, minlength=len(chances)), chances) > FALSE_ALARM
    u = -np.expm1(-found.marks) / p
    assert stats.kstest(u, "uniform").pvalue > FALSE_ALARM
    table = np.histogram2d(which, u, (np.arange(len(chances) + 1) - 0.5, np.linspace(0, 1, 9)))[0]
    if len(chances) > 1:
        assert stats.chi2_contingency(table[table.sum(axis=1) > 0]).pvalue > FALSE_ALARM
    assert stats.chi2_contingency(
        np.histogram2d(u[1:], u[:-1], 8, [[0, 1], [0, 1]])[0]
    ).pvalue > FALSE_ALARM  # fmt: skip


@pytest.mark.parametrize("chunk", [3, 2**17])
def test_numbers_and_places_of_failing_bits_are_binomial(monkeypatch, chunk):
    monkeypatch.setattr(fault_map, "CHUNK", chunk)  # seams between chunks leave no trace
    rng = np.random.default_rng(2)
    n, highest, rate, times = 23, 0.6, 0.2, 1500
    found = [draw(n, highest, rng) for _ in range(times)]
    for bits, p in (
        ([f.positions for f in found], highest),
        ([failing(f, rate) for f in found], rate),
    ):
        counts = np.bincount([b.size for b in bits], minlength=n + 1)
        assert chi_square(counts, stats.binom.pmf(np.arange(n + 1), n, p)) > FALSE_ALARM
        places = np.bincount(np.concatenate(bits), minlength=n)
        distance = (places - times * p) / np.sqrt(times * p * (1 - p))
        assert stats.chi2.sf((distance**2).sum(), n) > FALSE_ALARM


def test_a_thousand_million_bits_at_tiny_rates():
    rng = np.random.default_rng(3)
    n = 10**9
    counts = np.bincount([draw(n, 2e-9, rng).positions.size for _ in range(1000)])
    assert chi_square(counts, stats.poisson.pmf(np.arange(len(counts)), 2)) > FALSE_ALARM
    assert draw(n, 1e-12, rng).positions.size <= 1  # two: 5e-7
    found = draw(n, 1e-5, rng)
    assert (np.diff(found.positions) > 0).all()
    assert 0 <= found.positions[0] < n * 0.002  # later: 2e-9
    assert n * 0.998 < found.positions[-1] < n
    assert abs(found.positions.size - 1e4) < 500  # 5 sigma


@pytest.mark.parametrize("rate", [0.0, 5e-324, 1e-300])
def test_no_bit_fails_at_rates_of_nothing(rate):
    assert draw(10**6, rate, np.random.default_rng(4)).positions.size == 0
    assert failing(draw(1000, 1.0, np.random.default_rng(4)), rate).size == 0


def test_a_rate_of_one_fails_every_bit():
    found = draw(300_000, 1.0, np.random.default_rng(5))
    assert np.array_equal(found.positions, np.arange(300_000))
    assert np.array_equal(failing(found, 1.0), found.positions)
    assert draw(0, 1.0, np.random.default_rng(5)).positions.size == 0


@given(st.integers(0, 2**32), st.integers(0, 300), RATE, st.floats(0, 1))
@QUICK
def test_all_marked_bits_fail_at_the_highest_rate_and_fewer_below(seed, n, highest, part):
    found = draw(n, highest, np.random.default_rng(seed))
    assert np.array_equal(failing(found, highest), found.positions)
    assert np.isin(failing(found, part * highest), found.positions).all()


def test_maps_of_a_sweep_are_nested():
    found = draw(100_000, 0.3, np.random.default_rng(6))
    sweep = [set(failing(found, p).tolist()) for p in np.geomspace(1e-4, 0.3, 12)]
    assert all(low < high for low, high in pairwise(sweep))


def test_zeros_and_ones_fail_at_their_own_rates():
    rng = np.random.default_rng(7)
    stored = rng.choice([-1, 1], (200, 500))
    found = draw(stored.size, 0.2, rng)
    ones = stored.ravel() > 0
    bits = failing_stored(found, stored, 0.01, 0.2)
    assert np.array_equal(bits[ones[bits]], found.positions[ones[found.positions]])
    low = failing(found, 0.01)
    assert np.array_equal(bits[~ones[bits]], low[~ones[low]])
    for stands_for_zero in (stored > 0, (stored > 0).astype(np.uint8)):
        assert np.array_equal(failing_stored(found, stands_for_zero, 0.01, 0.2), bits)


def test_rates_may_differ_along_any_axis():
    found = draw(12, 1.0, np.random.default_rng(8))
    stored = np.ones((3, 4), np.int8)
    rows = failing_stored(found, stored, 0.0, np.array([[0.0], [1.0], [0.0]]))
    assert rows.tolist() == [4, 5, 6, 7]
    cells = failing_stored(found, stored, 0.0, np.eye(3, 4))
    assert cells.tolist() == [0, 5, 10]
    assert failing_stored(found, -stored, np.array([0.0, 1.0, 0.0, 0.0]), 0.5).tolist() == [1, 5, 9]


def test_equal_generators_give_equal_maps():
    a, b, c = (draw(10_000, 0.1, np.random.default_rng(s)) for s in (9, 9, 10))
    assert np.array_equal(a.positions, b.positions)
    assert np.array_equal(a.marks, b.marks)
    assert not np.array_equal(a.positions, c.positions)


@pytest.mark.parametrize("bad", [-1e-9, 1.0000001, np.nan, np.inf, "much"])
def test_impossible_arguments_are_named(bad):
    rng = np.random.default_rng(0)
    with pytest.raises(ParameterError, match="highest = "):
        draw(10, bad, rng)
    found = draw(10, 0.1, rng)
    with pytest.raises(ParameterError, match="rate = "):
        failing(found, bad)
    with pytest.raises(ParameterError, match="p10 = "):
        failing_stored(found, np.ones(10), 0.1, bad)


def test_maps_refuse_what_they_were_not_drawn_for():
    rng = np.random.default_rng(0)
    found = draw(10, 0.1, rng)
    with pytest.raises(ParameterError, match=r"rate = 0\.11; .* draw the map at the highest rate"):
        failing(found, 0.11)
    with pytest.raises(ParameterError, match="9 stored bits; expected 10"):
        failing_stored(found, np.ones(9), 0.1, 0.1)
    with pytest.raises(ParameterError, match=r"p01 of shape \(3,\); expected .* \(10,\)"):
        failing_stored(found, np.ones(10), np.full(3, 0.1), 0.1)
    for n in (-1, 1.5):
        with pytest.raises(ParameterError, match="n = "):
            draw(n, 0.1, rng)
    with pytest.raises(ParameterError, match="rng = 3"):
        draw(10, 0.1, 3)
