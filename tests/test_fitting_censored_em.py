"""Search for levels: many sets at once as one by one, and every step climbs."""

import numpy as np
import pytest
from scipy import stats

from devicephys.fitting.censored_em import binned, em, log_levels, starts

GRID = np.linspace(8.0, 10.0, 41)


def sets():
    rng = np.random.default_rng(1)
    xs = [np.r_[rng.normal(8.5, 0.1, 60), rng.normal(9.2, 0.2, 40)] for _ in range(3)]
    kinds = [(x > 9.4).astype(np.int8) - (x < 8.4).astype(np.int8) for x in xs]
    return [np.clip(x, 8.4, 9.4) for x in xs], kinds


def test_sets_do_not_see_each_other():
    xs, kinds = sets()
    groups = binned(xs, kinds, GRID)
    together = em(groups, *starts(groups, 2), np.ones(3), 20)
    alone_groups = binned(xs[1:2], kinds[1:2], GRID)
    alone = em(alone_groups, *starts(alone_groups, 2), np.ones(1), 20)
    for many, one in zip(together, alone, strict=True):
        assert many[1] == pytest.approx(one[0], rel=1e-9)


def test_every_step_climbs_one_level_to_the_top():
    xs, kinds = sets()
    groups = binned(xs, kinds, GRID)
    heights = [em(groups, *starts(groups, 1), np.ones(3), k)[3] for k in range(1, 8)]
    assert (np.diff(heights, axis=0) > -1e-9).all()


def test_values_and_bounds_have_the_density_and_the_tails_of_a_normal_law():
    x, one = np.array([7.0, 9.0, 11.0]), np.ones(1)
    law = stats.norm(9.5, 0.5)
    expected = {0: law.logpdf(x), 1: law.logsf(x), -1: law.logcdf(x)}
    for kind, value in expected.items():
        log_p, lean, _ = log_levels(kind, x, 9.5 * one, 0.5 * one, one)
        assert log_p[0] == pytest.approx(value, rel=1e-10)
        if kind:  # the mean beyond a bound
            ends = [(a, np.inf) if kind > 0 else (-np.inf, a) for a in (x - 9.5) / 0.5]
            means = [stats.truncnorm(*end, 9.5, 0.5).mean() for end in ends]
            assert 9.5 + 0.5 * lean[0] == pytest.approx(means, rel=1e-6)


def test_counts_beyond_the_grid_go_into_its_ends():
    groups = binned([np.array([1.0, 9.0, 99.0])], [np.array([0, 0, 1], np.int8)], GRID)
    assert [(kind, counts.sum()) for kind, _, counts in groups] == [(0, 2.0), (1, 1.0)]
