"""Populations of devices: exact cases, coverage of the means, the boundary, refusals."""

import numpy as np
import pytest
from scipy import stats

from devicephys.errors import DataError
from devicephys.fitting.hierarchy import population

ERRORS = np.array([[4e-4, 1e-4], [1e-4, 1e-4]])


def drawn(rng, n, spread):
    total = ERRORS + np.diag(np.square(spread))
    return rng.multivariate_normal([4.0, -10.0], total, size=n), np.tile(ERRORS, (n, 1, 1))


def test_equal_errors_give_the_mean_students_t_and_the_scatter_less_the_errors():
    y, s = drawn(np.random.default_rng(1), 8, [0.2, 0.1])
    found = population(y, s)
    assert found.mean == pytest.approx(y.mean(axis=0), rel=1e-6)
    assert found.dof == pytest.approx([7, 7], rel=1e-3)
    half = stats.t.ppf(0.975, 7) * y.std(axis=0, ddof=1) / np.sqrt(8)
    assert found.mean_high - found.mean == pytest.approx(half, rel=1e-3)
    assert found.between == pytest.approx(np.cov(y.T) - ERRORS, rel=1e-3, abs=1e-6)
    assert (found.spread_low < found.spread).all()
    assert (found.spread < found.spread_high).all()


@pytest.mark.parametrize("spread", [[0.2, 0.1], [0.02, 0.01], [0.0, 0.0]])
def test_the_intervals_of_the_means_cover(spread):
    rng, inside, trials = np.random.default_rng(2), 0, 150
    for _ in range(trials):
        found = population(*drawn(rng, 8, spread))
        inside += int(found.mean_low[0] < 4.0 < found.mean_high[0])
    assert inside >= 0.89 * trials  # at 95 %: fewer with probability 0.2 %


def test_devices_drawn_to_the_mean_by_their_errors():
    y, s = drawn(np.random.default_rng(3), 12, [0.02, 0.02])
    found = population(y, s)
    inward = np.abs(found.device_means[:, 0] - found.mean[0]).sum()
    assert inward < np.abs(y[:, 0] - found.mean[0]).sum()


def test_a_component_that_a_device_does_not_tell_is_left_out():
    y, s = drawn(np.random.default_rng(4), 6, [0.1, 0.1])
    y[0, 1], s[0] = 77.0, np.diag([s[0, 0, 0], np.inf])
    assert abs(population(y, s).mean[1] + 10.0) < 0.5


@pytest.mark.parametrize(
    ("y", "s", "message"),
    [
        ([[1.0]], [[[0.1]]], "component 0 is told by 1 of 1 devices"),
        ([1.0, 2.0], [0.1, 0.1], "expected shapes"),
        ([[1.0], [2.0]], [[[0.1]], [[-0.1]]], "device 1, component 0: variance -0.1"),
        ([[1.0], [np.nan]], [[[0.1]], [[0.1]]], "device 1: an estimate or covariance is not"),
    ],
)
def test_what_is_no_population_is_refused(y, s, message):
    with pytest.raises(DataError, match=message):
        population(y, s)
