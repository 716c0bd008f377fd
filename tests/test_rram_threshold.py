"""Thresholds and read errors of any distribution: closed forms, direct sums, global minima."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.errors import ParameterError
from devicephys.rram import cell, log_normal, mixture, tails, threshold
from devicephys.rram.mixture import Mixture, empirical
from devicephys.rram.sampled_error import sample_error
from devicephys.rram.threshold_search import SLACK, best_threshold

QUICK = settings(max_examples=60, deadline=None, derandomize=True)


def random_mixture(rng, k, centre, sharp):
    sigma = np.where(rng.random(k) < sharp, 0.0, 10 ** rng.uniform(-3, 0, k))
    x = centre + rng.normal(0, rng.uniform(0.1, 1.5), k).round(2)
    return Mixture(x, rng.dirichlet(np.full(k, 0.5)), sigma)


pairs = st.builds(
    lambda seed, k, n, d, sharp: (
        random_mixture(np.random.default_rng(seed), k, 9.0, sharp),
        random_mixture(np.random.default_rng(seed + 1), n, 9.0 + d, sharp),
    ),
    st.integers(0, 2**32 - 2), st.integers(1, 30), st.integers(1, 30), st.floats(3.0, 6.0),
    st.sampled_from([0.0, 0.4, 1.0]),
)  # fmt: skip


def mean_error(lrs, hrs, th, s_ref=0.0):
    p01, p10 = threshold.threshold_error(lrs, hrs, th, s_ref)
    return (p01 + p10) / 2


@pytest.mark.parametrize(("s_l", "s_h"), [(0.02, 0.5), (0.3, 0.3), (0.5, 0.02), (0.3, 0.6)])
@pytest.mark.parametrize("d", [0.5, 2.0, 8.0])
@pytest.mark.parametrize("s", [0.0, 0.1])
def test_one_level_gives_the_closed_forms_of_log_normal_states(s_l, s_h, d, s):
    lrs, hrs = mixture.log_normal(8.5, s_l), mixture.log_normal(8.5 + d, s_h)
    best = best_threshold(lrs, hrs, s)
    exact = float(log_normal.best_log_threshold(8.5, s_l, 8.5 + d, s_h, s))
    least = sum(log_normal.one_transistor_error(8.5, s_l, 8.5 + d, s_h, exact, s)) / 2
    assert float(mean_error(lrs, hrs, best, s)) == pytest.approx(float(least), rel=1e-9)
    assert best == pytest.approx(exact, abs=1e-6)
    pair = log_normal.two_transistor_error(8.5, s_l, 8.5 + d, s_h, s)
    assert threshold.pair_error(lrs, hrs, s) == pytest.approx(float(pair), rel=1e-12)


@QUICK
@given(pairs)
def test_no_other_threshold_is_better(states):
    lrs, hrs = states
    found = float(mean_error(lrs, hrs, best_threshold(lrs, hrs)))
    sharp = np.r_[lrs.x[lrs.sigma == 0], hrs.x[hrs.sigma == 0]]
    grid = np.r_[np.linspace(3, 20, 4001), sharp, np.nextafter(sharp, 0)]
    least = float(mean_error(lrs, hrs, grid).min())
    assert found <= least * (1 + SLACK) + 1e-15
    assert found <= 0.5


def test_search_is_not_caught_in_a_local_minimum():
    """A rare part of the LRS far up makes two minima; which is deeper depends on its weight."""
    hrs = Mixture([10.0, 12.0], [0.2, 0.8], 0.1)
    for weight, deeper in ((0.3, 11.0), (1e-3, 9.5)):
        lrs = Mixture([8.5, 10.6], [1 - weight, weight], 0.05)
        below, above = mean_error(lrs, hrs, np.array([9.5, 11.0]))
        assert (above < below) == (deeper == 11.0)
        assert best_threshold(lrs, hrs) == pytest.approx(deeper, abs=0.7)


def test_pairs_of_sharp_and_blurred_levels_are_the_direct_double_sum():
    rng = np.random.default_rng(1)
    for sharp in (0.0, 0.5, 1.0):
        lrs, hrs = (random_mixture(rng, k, c, sharp) for k, c in ((13, 9.0), (17, 9.3)))
        for s_sa in (0.0, 0.2):
            direct = sum(
                v * w * (log_normal.two_transistor_error(min(x, y), s, max(x, y), t, s_sa)
                         if y >= x else
                         1 - log_normal.two_transistor_error(y, t, x, s, s_sa))
                for x, v, s in zip(lrs.x, lrs.weight, lrs.sigma, strict=True)
                for y, w, t in zip(hrs.x, hrs.weight, hrs.sigma, strict=True)
            )  # fmt: skip
            found = threshold.pair_error(lrs, hrs, s_sa)
            assert found == pytest.approx(float(direct), rel=1e-12)


def test_pairs_by_blocks_are_those_in_one_piece(monkeypatch):
    rng = np.random.default_rng(2)
    lrs, hrs = random_mixture(rng, 30, 9.0, 0.3), random_mixture(rng, 40, 10.0, 0.3)
    whole = threshold.pair_error(lrs, hrs)
    monkeypatch.setattr(threshold, "BLOCK", 100)
    assert threshold.pair_error(lrs, hrs) == pytest.approx(whole, rel=1e-13)


@QUICK
@given(st.data())
def test_samples_give_what_counting_them_gives(data):
    values = st.lists(st.integers(1, 12).map(float), min_size=2, max_size=10)
    lrs, hrs = np.array(data.draw(values)), np.array(data.draw(values)) + 3
    device = [np.array([f"d{k % 2}" for k in range(len(x))]) for x in (lrs, hrs)]
    low, high = empirical(lrs), empirical(hrs)
    counted = cell.read_error("2T2R", lrs, hrs, *device)
    assert threshold.pair_error(low, high) == pytest.approx(counted.ber, abs=1e-12)
    counted = cell.read_error("1T1R", lrs, hrs, *device)
    if np.log(hrs).mean() > np.log(lrs).mean():
        found = float(mean_error(low, high, best_threshold(low, high)))
        assert found == pytest.approx(counted.ber, abs=1e-12)


def test_swapped_pair_has_the_opposite_error():
    rng = np.random.default_rng(3)
    a, b = random_mixture(rng, 12, 9.0, 0.5), random_mixture(rng, 12, 9.5, 0.5)
    assert threshold.pair_error(a, b) + threshold.pair_error(b, a) == pytest.approx(1)
    assert threshold.pair_error(a, a) == pytest.approx(0.5)


@pytest.mark.parametrize("centre", [-3.0, 0.0, 9.0])
def test_levels_shared_by_both_states_end_the_search(centre):
    """No threshold separates equal sharp levels; x < 0 is a resistance below one ohm."""
    lrs = Mixture(centre + np.array([0.0, 1.0]), [0.5, 0.5], 0.0)
    hrs = Mixture(centre + np.array([0.0, 1.0, 2.0]), [0.1, 0.4, 0.5], 0.0)
    best = best_threshold(lrs, hrs)
    assert float(mean_error(lrs, hrs, best)) == pytest.approx(0.25)
    mixed = Mixture(hrs.x, hrs.weight, [0.0, 0.0, 0.3])
    best = best_threshold(lrs, mixed)
    assert float(mean_error(lrs, mixed, best)) == pytest.approx(0.25, abs=1e-3)
    assert best_threshold(lrs, lrs) <= centre + 2


def test_threshold_of_separate_samples_lies_in_the_middle_of_the_gap():
    best = best_threshold(empirical([1e3, 2e3, 3e3]), empirical([1.2e4, 2e4]))
    assert best == pytest.approx(np.log(6e3))


@pytest.mark.parametrize("cell_kind", cell.CELLS)
@pytest.mark.parametrize("s", [0.0, 0.15])
def test_rates_are_those_of_drawn_devices(cell_kind, s):
    """4.5 standard errors of 200 000: false alarm 7e-6 each."""
    rng = np.random.default_rng(4)
    lrs = Mixture([8.5, 8.7, 9.5], [0.6, 0.38, 0.02], [0.05, 0.0, 0.1])
    hrs = Mixture([9.2, 10.0, 10.5], [0.05, 0.5, 0.45], [0.3, 0.2, 0.0])
    th = best_threshold(lrs, hrs, s) + 0.1  # an offset that the array has to live with
    found = sample_error(cell_kind, lrs, hrs, 200_000, rng, th, s)
    if cell_kind == "2T2R":
        exact = threshold.pair_error(lrs, hrs, s)
        assert found.p01 == found.p10 == found.ber
    else:
        exact = float(mean_error(lrs, hrs, th, s))
        assert found.ber == (found.p01 + found.p10) / 2
    assert abs(found.ber - exact) < 4.5 * found.stderr


def populations():
    lrs = [mixture.log_normal(8.5, s) for s in (0.05, 0.1, 0.2)]
    hrs = [mixture.log_normal(m, 0.4) for m in (10.5, 10.0, 9.6)]
    return lrs, hrs


def rates(lrs, hrs, chosen):
    each = [mean_error(a, b, t) for a, b, t in zip(lrs, hrs, chosen, strict=True)]
    return np.array([float(e) for e in each])


@pytest.mark.parametrize("policy", threshold.POLICIES)
def test_no_policy_beats_the_ideal_one(policy):
    lrs, hrs = populations()
    chosen = threshold.thresholds(policy, lrs, hrs)
    ideal = rates(lrs, hrs, threshold.thresholds("ideal", lrs, hrs))
    assert chosen.shape == (3,)
    assert (rates(lrs, hrs, chosen) >= ideal * (1 - 1e-9)).all()
    if policy != "ideal":
        assert len(set(chosen)) == 1


def test_array_wide_threshold_makes_the_mean_error_least():
    lrs, hrs = populations()
    shared = threshold.array_threshold(lrs, hrs)
    mean = rates(lrs, hrs, [shared] * 3).mean()
    for other in (*np.linspace(8, 11, 61), *threshold.thresholds("ideal", lrs, hrs)):
        assert mean <= rates(lrs, hrs, [other] * 3).mean() * (1 + 1e-9)
    discrete = [mixture.empirical(np.exp(tails.draw(m, 50, np.random.default_rng(5))))
                for m in (*lrs, *hrs)]  # fmt: skip
    shared = threshold.array_threshold(discrete[:3], discrete[3:])
    mean = rates(discrete[:3], discrete[3:], [shared] * 3).mean()
    for other in np.linspace(8, 11, 301):
        assert mean <= rates(discrete[:3], discrete[3:], [other] * 3).mean() + 1e-12


def test_drifting_threshold_is_that_of_the_first_population():
    lrs, hrs = populations()
    chosen = threshold.thresholds("drifting", lrs, hrs)
    assert (chosen == best_threshold(lrs[0], hrs[0])).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a, b: best_threshold(b, a), "far below that of LRS .*; swap the states"),
        (lambda a, b: best_threshold(a, b, -0.1), "sigma = -0.1"),
        (lambda a, b: threshold.pair_error(a, b, -0.1), "s_sa = -0.1"),
        (lambda a, b: threshold.threshold_error(a, b, np.nan), "x = nan"),
        (lambda a, b: threshold.thresholds("array", [a], [b]), "did you mean 'array-wide'"),
        (lambda a, b: threshold.thresholds("ideal", [a], [b, b]), "1 LRS and 2 HRS populations"),
        (lambda a, b: threshold.thresholds("ideal", [], []), "one at least"),
        (lambda a, b: sample_error("1T1R", a, b, 9, np.random.default_rng(1)),
         "a 1T1R cell without a threshold"),
        (lambda a, b: sample_error("1T2R", a, b, 9, np.random.default_rng(1)),
         "unknown cell '1T2R'"),
        (lambda a, b: sample_error("2T2R", a, b, 9, 1), "rng = 1"),
    ],
)  # fmt: skip
def test_impossible_questions_are_refused(call, message):
    with pytest.raises(ParameterError, match=message):
        call(mixture.log_normal(8.5, 0.1), mixture.log_normal(10.0, 0.5))
