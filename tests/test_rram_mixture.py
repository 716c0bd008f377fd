"""Distributions of ln R: tails, moments, merging, sampling, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from devicephys.errors import ParameterError
from devicephys.rram import mixture as mx
from devicephys.rram import tails

QUICK = settings(max_examples=60, deadline=None, derandomize=True)


def random_mixture(rng, k, sharp=0.3):
    sigma = np.where(rng.random(k) < sharp, 0.0, 10 ** rng.uniform(-3, 0, k))
    return mx.Mixture(rng.normal(9, 1, k).round(2), rng.dirichlet(np.ones(k)), sigma)


mixtures = st.builds(
    lambda seed, k: random_mixture(np.random.default_rng(seed), k),
    st.integers(0, 2**32 - 1), st.integers(1, 12),
)  # fmt: skip


@QUICK
@given(mixtures)
def test_both_tails_are_the_direct_sum_and_add_up_to_one(m):
    x = np.r_[m.x, np.linspace(5, 13, 30)]
    chance = [
        np.where(s > 0, norm.cdf((x - c) / (s or 1)), (x >= c).astype(float)) * w
        for c, w, s in zip(m.x, m.weight, m.sigma, strict=True)
    ]
    assert tails.cdf(m, x) == pytest.approx(np.sum(chance, axis=0), abs=1e-12)
    assert tails.cdf(m, x) + tails.sf(m, x) == pytest.approx(1, abs=1e-12)


def test_tails_keep_their_digits():
    m = mx.Mixture([8.0, 9.0], [0.5, 0.5], 0.1)
    assert tails.cdf(m, 6.5) == pytest.approx(norm.cdf(-15) / 2, rel=1e-12)
    assert tails.sf(m, 11.0) == pytest.approx(norm.sf(20) / 2, rel=1e-12)


def test_tails_by_blocks_are_those_in_one_piece(monkeypatch):
    m = random_mixture(np.random.default_rng(1), 40)
    x = np.linspace(6, 12, 100).reshape(10, 10)
    whole = tails.cdf(m, x)
    monkeypatch.setattr(tails, "BLOCK", 130)
    assert (tails.cdf(m, x) == whole).all()
    assert whole.shape == (10, 10)


def test_moments_are_integrals():
    m = mx.Mixture([8.0, 9.0, 9.5], [0.2, 0.5, 0.3], [0.1, 0.2, 0.3])

    def density(x):
        return float(m.weight @ norm.pdf(x, m.x, m.sigma))

    mean = quad(lambda x: x * density(x), 7, 12, limit=200)[0]
    variance = quad(lambda x: (x - mean) ** 2 * density(x), 7, 12, limit=200)[0]
    assert mx.moments(m) == pytest.approx((mean, np.sqrt(variance)), rel=1e-7)


@QUICK
@given(mixtures, st.integers(1, 6))
def test_merging_keeps_mean_and_variance_and_few_levels(m, n):
    few = mx.merge(m, n)
    assert len(few.x) <= n
    assert mx.moments(few) == pytest.approx(mx.moments(m), rel=1e-9, abs=1e-7)
    same = mx.merge(m)
    x = np.linspace(5, 13, 50)
    assert tails.cdf(same, x) == pytest.approx(tails.cdf(m, x), abs=1e-14)
    assert len({*zip(same.x, same.sigma, strict=True)}) == len(same.x)


def test_many_levels_of_a_filament_merge_to_the_distinct_ones():
    x = np.log(2.6e3 + 1 / (np.arange(61) * 3e-5 + 1e-6))
    weight = np.random.default_rng(2).dirichlet(np.ones(61 * 41))
    m = mx.merge(mx.Mixture(np.tile(x, 41), weight, 0.01))
    assert len(m.x) == 61
    assert m.weight[::-1] == pytest.approx(weight.reshape(41, 61).sum(axis=0))


def test_grouping_changes_tails_by_little():
    rng = np.random.default_rng(3)
    m = mx.Mixture(rng.uniform(8, 9, 5000), np.full(5000, 1 / 5000), 0.1)
    few = mx.merge(m, 50)  # width 0.02, sigma 0.1
    x = np.array([7.6, 7.8, 8.5])
    assert tails.cdf(few, x) == pytest.approx(tails.cdf(m, x), rel=0.02)


def test_samples_keep_their_counts():
    m = mx.empirical([5e3, 5e3, 8e3, 2e4])
    assert m.x == pytest.approx(np.log([5e3, 8e3, 2e4]))
    assert m.weight.tolist() == [0.5, 0.25, 0.25]
    assert not m.sigma.any()


def test_pool_is_the_mean_of_the_distributions():
    rng = np.random.default_rng(4)
    several, share = [random_mixture(rng, 5) for _ in range(3)], [0.5, 0.3, 0.2]
    x = np.linspace(6, 12, 20)
    direct = sum(w * tails.cdf(m, x) for m, w in zip(several, share, strict=True))
    assert tails.cdf(mx.pool(several, share), x) == pytest.approx(direct, abs=1e-14)
    equal = sum(tails.cdf(m, x) for m in several) / 3
    assert tails.cdf(mx.pool(several), x) == pytest.approx(equal, abs=1e-14)


def test_blur_adds_its_variance_and_convolves():
    m = mx.Mixture([8.0, 9.0], [0.4, 0.6], [0.0, 0.3])
    wide = mx.blurred(m, 0.2)
    mean, std = mx.moments(m)
    assert mx.moments(wide) == pytest.approx((mean, np.hypot(std, 0.2)))
    direct = quad(lambda y: norm.pdf(y, 0, 0.2) * float(tails.cdf(m, 8.7 - y)), -2, 2,
                  points=[0.7], limit=200)[0]  # fmt: skip
    assert tails.cdf(wide, 8.7) == pytest.approx(direct, rel=1e-7)


def test_draws_follow_the_distribution():
    """Kolmogorov's statistic at 1e-6: 2.69/sqrt(n)."""
    m = mx.Mixture([8.0, 9.0, 9.2], [0.2, 0.5, 0.3], [0.1, 0.2, 0.01])
    x = np.sort(tails.draw(m, 20_000, np.random.default_rng(6)))
    f, n = tails.cdf(m, x), len(x)
    apart = max((np.arange(1, n + 1) / n - f).max(), (f - np.arange(n) / n).max())
    assert apart < 2.69 / np.sqrt(n)


def test_record_keeps_its_own_copy():
    x = np.array([1.0, 2.0])
    m = mx.Mixture(x, [0.5, 0.5], 0.1)
    x[0] = 7.0
    assert m.x[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        m.x[0] = 3.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mx.Mixture([1.0, 2.0], [0.5, 0.6], 0), "weight adds up to 1.1; .*; divide"),
        (lambda: mx.Mixture([1.0, 2.0], [1.1, -0.1], 0), "weight = -0.1; .*; clip rounding"),
        (lambda: mx.Mixture([1.0, np.nan], [0.5, 0.5], 0), "Mixture.x = nan"),
        (lambda: mx.Mixture([1.0], [1.0], -0.1), "Mixture.sigma = -0.1"),
        (lambda: mx.Mixture([1.0, 2.0], [1.0], 0), r"x \(2,\), weight \(1,\)"),
        (lambda: mx.Mixture([], [], 0), "k >= 1"),
        (lambda: mx.Mixture([[1.0]], [[1.0]], 0), r"expected one shape \(k,\)"),
        (lambda: mx.empirical([5e3, -1.0]), "resistances = -1 Ohm"),
        (lambda: mx.empirical([5e3, np.nan]), "resistances = nan Ohm"),
        (lambda: mx.empirical([]), "no resistances"),
        (lambda: mx.pool([]), "no population"),
        (lambda: mx.pool([mx.log_normal(1, 0)], [0.5, 0.5]), "weight of shape"),
        (lambda: mx.pool([mx.log_normal(1, 0)] * 2, [0.5, 0.4]), "adds up to 0.9"),
        (lambda: mx.merge(mx.log_normal(1, 0), 0), "n = 0"),
        (lambda: tails.draw(mx.log_normal(1, 0), 3, 1), "rng = 1"),
        (lambda: tails.cdf(mx.log_normal(1, 0), np.nan), "x = nan"),
        (lambda: mx.blurred(mx.log_normal(1, 0), -1), "sigma = -1"),
    ],
)
def test_impossible_distributions_are_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()
