"""The law of the thermal kick: moments, and the diffusion that one projected kick makes."""

import numpy as np
import pytest

from devicephys.mram import kick


def corners(variance):
    """The thirteen values of the discrete law with their probabilities."""
    table = kick.kicks(variance, np.dtype(np.float64), "discrete")
    values, counts = np.unique(table, axis=1, return_counts=True)
    return values, counts / 256


def test_moments_are_those_of_a_gaussian_up_to_the_fifth_order():
    """Odd ones vanish; the fourth is 3 sigma^4 along every direction: to the 1.6 % of 13/256."""
    w, p = corners(1e-6)
    rng = np.random.default_rng(1)
    for direction in rng.standard_normal((20, 3)):
        x = direction / np.linalg.norm(direction) @ w / 1e-3
        assert [p @ x, p @ x**3, p @ x**5] == pytest.approx([0, 0, 0], abs=1e-9)
        assert p @ x**2 == pytest.approx(1, rel=1e-4)
        assert p @ x**4 == pytest.approx(3, rel=0.02)


@pytest.mark.parametrize("variance", [1e-3, 1e-2])
def test_a_projected_kick_diffuses_as_the_sphere_does(variance):
    """P_l falls by exp(-l(l+1) variance/2), up to the third order in the variance."""
    short, long = kick.corner(variance, 0.6)
    signs = [(a, b) for a in (-short, short) for b in (-long, long)]
    w = np.array([np.roll([0, a, b], k) for k in range(3) for a, b in signs])
    rng = np.random.default_rng(2)
    for m in rng.standard_normal((20, 3)):
        m = m / np.linalg.norm(m)
        moved = m + np.cross(w, m)
        cos = moved @ m / np.linalg.norm(moved, axis=1)
        for degree, value in ((1, cos), (2, (3 * cos**2 - 1) / 2)):
            exact = np.exp(-degree * (degree + 1) / 2 * variance)
            assert 0.4 + 0.6 * value.mean() == pytest.approx(exact, abs=20 * variance**3)


def test_gaussian_table_has_the_variance():
    table = kick.kicks(0.01, np.dtype(np.float64), "gaussian")
    assert table.std() ** 2 == pytest.approx(kick.enlarged(0.01), rel=1e-12)
    assert (table**4).mean() / table.std() ** 4 == pytest.approx(3, rel=1e-3)
