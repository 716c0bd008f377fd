"""Ensembles against the Boltzmann law and the Fokker-Planck equation; bad input."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import dawsn

from devicephys.errors import ParameterError
from devicephys.mram import boltzmann, fokker_planck, macrospin, splitting
from devicephys.mram.free_layer import NONE, Stage, energy, uniaxial

LAYER = uniaxial(60, 0.01)
DOWN = np.array([0.0, 0.0, -2.0])


def pulse(layer, tau, torque=DOWN):
    return [Stage(layer, torque, NONE, np.array(tau))]


def law_of_z(z, delta):
    """Distribution function of z > 0 under exp(Delta z^2), through Dawson's integral."""
    root = np.sqrt(delta)
    return np.exp(delta * (z * z - 1)) * dawsn(root * z) / dawsn(root)


@pytest.mark.parametrize("delta", [5.0, 20.0])
def test_initial_law_is_boltzmann(delta):
    m = boltzmann.draw(uniaxial(delta, 0.01), 20_000, np.random.default_rng(3))
    assert stats.kstest(m[2], lambda z: law_of_z(z, delta)).pvalue > 1e-4  # false alarms: 1e-4
    np.testing.assert_allclose((m * m).sum(axis=0), 1, atol=1e-12)


@pytest.mark.parametrize("delta", [5.0, 20.0])
def test_dynamics_keeps_the_boltzmann_law(delta):
    rng = np.random.default_rng(4)
    layer = uniaxial(delta, 0.1)
    m = boltzmann.draw(layer, 20_000, rng)
    splitting.advance(m, Stage(layer, NONE, NONE, np.array(1.0)), 300, 0.01, rng)
    assert stats.kstest(np.abs(m[2]), lambda z: law_of_z(z, delta)).pvalue > 1e-4


def test_dynamics_keeps_the_boltzmann_law_of_a_tilted_elliptic_layer():
    rng = np.random.default_rng(5)
    layer = uniaxial(15, 0.1, h=[0.2, 0.0, 0.1], in_plane=0.3)
    m = boltzmann.draw(layer, 20_000, rng)
    before = energy(layer, m)
    step = macrospin.largest_step([Stage(layer, NONE, NONE, np.array(1.0))])
    splitting.advance(m, Stage(layer, NONE, NONE, np.array(1.0)), int(2 / step), step, rng)
    assert stats.ks_2samp(before, energy(layer, m)).pvalue > 1e-4
    again = boltzmann.draw(layer, 20_000, rng)
    for mine, fresh in zip(m, again, strict=True):
        assert stats.ks_2samp(mine, fresh).pvalue > 1e-4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_vectors_stay_on_the_sphere(dtype):
    rng = np.random.default_rng(6)
    m = boltzmann.draw(LAYER, 500, rng).astype(dtype)
    splitting.advance(m, pulse(LAYER, 1.0)[0], 2000, 0.01, rng)
    assert splitting.norm_error(m.astype(np.float64)) < 100 * np.finfo(dtype).eps


def test_noise_is_isotropic_everywhere():
    """One step from several places: equal variance along both tangents, none correlated."""
    n, step, delta = 100_000, 1e-4, 10.0
    layer = uniaxial(delta, 0.1)
    free = Stage(
        type(layer)(delta, 0.1, np.zeros((3, 2))), NONE, NONE, np.array(1.0)
    )  # no field: noise alone
    rng = np.random.default_rng(7)
    for start in ([0, 0, 1.0], [1.0, 0, 0], [0, 1.0, 0], [0.6, 0, 0.8], [0.48, 0.6, 0.64]):
        start = np.array(start)
        m = np.repeat(start[:, None], n, axis=1)
        splitting.advance(m, free, 1, step, rng)
        first = np.cross(start, [0.36, -0.48, 0.8])
        first /= np.linalg.norm(first)
        tangents = np.stack([first, np.cross(start, first)])
        covariance = np.cov(tangents @ m) / (step / delta)
        limit = 4.5 * np.sqrt(2 / n)  # false alarms: 7e-6 each
        np.testing.assert_allclose(covariance, np.eye(2), atol=limit)


def test_energy_falls_without_noise():
    layer = uniaxial(1e20, 0.05, h=[0.1, 0, 0], in_plane=0.4)
    m = np.array([[0.6], [0.64], [0.48]])
    before = energy(layer, m)
    for _ in range(50):
        splitting.advance(m, Stage(layer, NONE, NONE, np.array(1.0)), 10, 0.001,
                          np.random.default_rng(1))  # fmt: skip
        now = energy(layer, m)
        assert now < before
        before = now


def test_precession_and_damping_follow_the_closed_form():
    """tan(theta/2)... of a uniaxial layer: tan theta falls as exp(-tau), the phase with z."""
    layer = uniaxial(1e20, 0.02)
    m = np.array([[0.6], [0.0], [0.8]])
    splitting.advance(m, Stage(layer, NONE, NONE, np.array(1.0)), 100, 0.01,
                      np.random.default_rng(1))  # fmt: skip
    tan = np.hypot(m[0, 0], m[1, 0]) / m[2, 0]
    assert tan == pytest.approx(0.75 * np.exp(-1.0), rel=1e-4)
    # d phi/d tau = z/alpha with z = 1/sqrt(1 + tan^2): the integral is an inverse hyperbolic sine
    phase = (np.arcsinh(np.e / 0.75) - np.arcsinh(1 / 0.75)) / 0.02
    turned = np.arctan2(m[1, 0], m[0, 0])
    assert np.cos(turned - phase) > 0.9999


@pytest.mark.parametrize(("tau", "seed"), [(2.0, 1), (3.0, 2)])
def test_rate_is_that_of_the_fokker_planck_equation(tau, seed):
    n = 40_000
    found = macrospin.write_error(LAYER, pulse(LAYER, tau), n, np.random.default_rng(seed),
                                  relax=0.0)  # fmt: skip
    exact = float(fokker_planck.wer(2.0, tau, 60.0))
    assert abs(found.wer - exact) < 4.5 * np.sqrt(exact * (1 - exact) / n)  # false alarms: 7e-6


def test_one_seed_gives_one_result_for_any_number_of_workers():
    one, two = (
        macrospin.write_error(LAYER, pulse(LAYER, 1.0), 9000, np.random.default_rng(8),
                              workers=workers, relax=1.0)
        for workers in (1, 2)
    )  # fmt: skip
    assert one == two


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trajectories": 0}, "trajectories"),
        ({"step": 1.0}, "largest sensible step"),
        ({"relax": -1.0}, "relax"),
        ({"stages": [Stage(LAYER, DOWN, NONE, np.array([1.0, 2.0]))]}, "durations"),
    ],
)
def test_bad_input_is_refused(changes, message):
    arguments = {"stages": pulse(LAYER, 1.0), "trajectories": 10} | changes
    with pytest.raises(ParameterError, match=message):
        macrospin.write_error(LAYER, rng=np.random.default_rng(1), **arguments)
