"""Ensembles against the Boltzmann law and the Fokker-Planck equation; bad input."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import dawsn

from devicephys.errors import ParameterError
from devicephys.mram import (
    boltzmann,
    fokker_planck,
    heun,
    integrator,
    macrospin,
    rare_event,
    splitting,
    switching_time,
)
from devicephys.mram.free_layer import (
    NONE,
    Factors,
    FreeLayer,
    Stage,
    Surface,
    energy,
    uniaxial,
    vectors,
)

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
    step = integrator.largest_step([Stage(layer, NONE, NONE, np.array(1.0))])
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
    lengths = np.sqrt((m.astype(np.float64) ** 2).sum(axis=0))
    np.testing.assert_allclose(lengths, 1, atol=100 * np.finfo(dtype).eps)


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
        macrospin.write_error(LAYER, pulse(LAYER, 1.0), 20_000, np.random.default_rng(8),
                              workers=workers, relax=1.0)
        for workers in (1, 2)
    )  # fmt: skip
    assert one == two


@pytest.mark.skipif(not splitting.HAS_NUMBA, reason="numba (extra `fast`) is not installed")
@pytest.mark.parametrize("h", [[0.0, 0, 0], [0.05, 0, 0.02]])
def test_compiled_and_numpy_steps_have_one_law(h):
    """After a pulse, in distribution of every component; false alarms: 1e-4 each."""
    layer = uniaxial(40, 0.05, h=h)
    stage = Stage(layer, np.array([0.0, 0.1, -1.5]) * (h[0] > 0) + DOWN * (h[0] == 0), NONE,
                  np.array(1.0))  # fmt: skip
    ends = []
    for k, advance in enumerate((splitting.advance, splitting.advance_numpy)):
        rng = np.random.default_rng(20 + k)
        m = boltzmann.draw(layer, 20_000, rng).astype(np.float32)
        advance(m, stage, 250, 0.008, rng)
        ends.append(m)
    for one, other in zip(*ends, strict=True):
        assert stats.ks_2samp(one, other).pvalue > 1e-4


@pytest.mark.parametrize("h", [[0.0, 0, 0], [0.1, -0.05, 0.02]])
def test_splitting_and_heun_follow_the_same_equation_without_noise(h):
    layer = uniaxial(1e20, 0.05, h=h, in_plane=0.3 * (h[0] > 0))
    stage = Stage(layer, np.array([0.1, 0.0, -1.5]) if h[0] else DOWN, NONE, np.array(1.0))
    m = np.array([[0.36, 0.6], [0.48, 0.0], [0.8, -0.8]])
    rng, fine = np.random.default_rng(1), m.copy()
    splitting.advance_numpy(m, stage, 1000, 0.00025, rng)
    heun.advance(fine, stage, 10_000, 0.000025, rng)
    np.testing.assert_allclose(m, fine, atol=2e-4)


def test_gaussian_and_discrete_noise_agree():
    n, pulse_ = 40_000, pulse(LAYER, 2.0)
    found = [
        macrospin.write_error(LAYER, pulse_, n, np.random.default_rng(k), noise=noise).wer
        for k, noise in enumerate(macrospin.NOISES)
    ]
    assert abs(found[0] - found[1]) < 4.5 * np.sqrt(2 * 0.594 * 0.406 / n)  # false alarms: 7e-6


def test_layers_that_differ_are_each_their_own():
    """Half with 1.5 x the torque, half at twice the temperature: the mean of two rates."""
    n = 40_000
    torque = np.repeat([1.5, 1.0], n // 2)
    delta = np.repeat([1.0, 0.5], n // 2)
    found = macrospin.write_error(LAYER, pulse(LAYER, 2.0), n, np.random.default_rng(9),
                                  factors=Factors(delta=delta, torque=torque))  # fmt: skip
    exact = np.mean([
        fokker_planck.wer(3.0, 2.0, 60.0, readout="relaxed"),
        fokker_planck.wer(2.0, 2.0, 30.0, readout="relaxed"),
    ])  # fmt: skip
    assert abs(found.wer - exact) < 4.5 * np.sqrt(exact * (1 - exact) / n)


def test_a_factor_on_the_anisotropy_is_another_layer():
    """H_k 20 % up is Delta up, and current over the critical one and time scaled."""
    n, f = 40_000, 1.2
    found = macrospin.write_error(LAYER, pulse(LAYER, 2.0), n, np.random.default_rng(10),
                                  factors=Factors(anisotropy=np.array(f)))  # fmt: skip
    exact = float(fokker_planck.wer(2.0 / f, 2.0 * f, 60.0 * f, readout="relaxed"))
    assert abs(found.wer - exact) < 4.5 * np.sqrt(exact * (1 - exact) / n)


def test_start_law_of_layers_that_differ():
    delta = np.repeat([0.25, 1.0], 10_000)
    m = boltzmann.draw(uniaxial(20, 0.01), 20_000, np.random.default_rng(11), Factors(delta))
    for half, own in ((slice(10_000), 5.0), (slice(10_000, None), 20.0)):
        assert stats.kstest(m[2, half], lambda z, own=own: law_of_z(z, own)).pvalue > 1e-4


def test_tilted_law_is_the_boltzmann_law_of_its_energy():
    """Mean of x under exp(-2 Delta e), by quadrature over the half sphere."""
    layer = uniaxial(30, 0.01, h=[0.15, 0, 0])
    m = boltzmann.draw(layer, 40_000, np.random.default_rng(12))
    z, phi = np.linspace(0, 1, 801), np.linspace(0, 2 * np.pi, 400, endpoint=False)
    grid = vectors(z, phi)
    law = np.exp(-2 * layer.delta * energy(layer, grid))
    weight = np.gradient(z)[:, None] * law / (np.gradient(z)[:, None] * law).sum()
    mean, square = (weight * grid[0]).sum(), (weight * grid[0] ** 2).sum()
    assert abs(m[0].mean() - mean) < 4.5 * np.sqrt((square - mean**2) / m.shape[1])


def test_a_pulse_in_pieces_is_the_whole_pulse():
    """A wave form of equal samples is a square pulse; it may reverse and bring the layer back."""
    edges = np.linspace(0, 2, 9)
    down = np.repeat(DOWN[:, None], 8, axis=1)
    n = 30_000
    pieces = macrospin.waveform(LAYER, edges, down, 0 * down)
    found = macrospin.write_error(LAYER, pieces, n, np.random.default_rng(13))
    exact = float(fokker_planck.wer(2.0, 2.0, 60.0, readout="relaxed"))
    assert abs(found.wer - exact) < 4.5 * np.sqrt(exact * (1 - exact) / n)
    back = [*pulse(LAYER, 5.0), *pulse(LAYER, 8.0, -DOWN)]
    assert macrospin.write_error(LAYER, back, 2000, np.random.default_rng(14)).wer > 0.99


def test_switching_times_are_those_of_first_passage():
    n = 40_000
    times = macrospin.switching_times(LAYER, pulse(LAYER, 20.0), n, np.random.default_rng(15))
    exact = float(switching_time.mean_first_passage(2.0, 60.0))
    # From z = 1; the start from the Boltzmann law is quicker: compare the same start.
    upright = np.repeat([[0.0], [0.0], [1.0]], n, axis=1)
    from_pole = macrospin.switching_times(LAYER, pulse(LAYER, 25.0), n, np.random.default_rng(16),
                                          start=upright)  # fmt: skip
    assert abs(from_pole.mean() - exact) < 4.5 * from_pole.std() / np.sqrt(n) + 0.002
    assert times.mean() < exact
    # In the mean from the Boltzmann law, that of the rate over all widths; false alarms: 7e-6.
    mean = float(switching_time.mean(2.0, 60.0))
    assert abs(times.mean() - mean) < 4.5 * times.std() / np.sqrt(n) + 0.002
    assert np.isinf(macrospin.switching_times(LAYER, pulse(LAYER, 1.0), 1000,
                                              np.random.default_rng(17))).any()  # fmt: skip


def test_stored_paths_are_on_the_grid_and_the_sphere():
    tau = np.array([0.0, 0.3, 1.0, 2.5])
    stages = [*pulse(LAYER, 1.0), *pulse(LAYER, 1.5, NONE)]
    paths = [
        macrospin.trajectories(LAYER, stages, tau, 20_000, np.random.default_rng(18), workers=w)
        for w in (1, 2)
    ]
    np.testing.assert_array_equal(paths[0].m, paths[1].m)
    assert paths[0].m.shape == (3, 4, 20_000)
    np.testing.assert_allclose((paths[0].m ** 2).sum(axis=0), 1, atol=1e-12)
    assert stats.kstest(paths[0].m[2, 0], lambda z: law_of_z(z, 60.0)).pvalue > 1e-4


def test_precession_frequency_is_that_of_resonance():
    """Small oscillation about a tilted minimum: omega from the stored phase."""
    layer = uniaxial(1e20, 0.001, h=[0.3, 0, 0])
    bottom = np.array([0.3, 0.0, np.sqrt(1 - 0.09)])
    start = bottom + np.array([0, 0.001, 0])
    start = (start / np.linalg.norm(start))[:, None]
    tau = np.linspace(0, 0.05, 2001)
    paths = macrospin.trajectories(layer, [Stage(layer, NONE, NONE, np.array(0.05))], tau, 1,
                                   np.random.default_rng(1), start=start)  # fmt: skip
    y = paths.m[1, :, 0]
    crossings = np.flatnonzero(np.diff(np.sign(y)) != 0)
    times = tau[crossings] - y[crossings] * np.diff(tau)[0] / np.diff(y)[crossings]
    omega = np.pi / np.diff(times).mean() * layer.alpha
    # Kittel: sqrt(H_1 H_2) with the curvatures along and across the tilt, h < 1.
    assert omega == pytest.approx(np.sqrt(1 * (1 - 0.09)), rel=2e-3)


@pytest.mark.parametrize("psi", [10.0, 45.0, 75.0])
@pytest.mark.parametrize(("share", "switched"), [(0.98, False), (1.02, True)])
def test_hysteresis_is_that_of_the_astroid(psi, share, switched):
    """Without noise the layer leaves +z just beyond the field of Stoner and Wohlfarth."""
    a = np.deg2rad(psi)
    field = (np.cos(a) ** (2 / 3) + np.sin(a) ** (2 / 3)) ** -1.5
    layer = uniaxial(1e20, 0.5)
    ramp = np.linspace(0, share * field, 41)[1:]  # slowly, so that no precession helps
    applied = np.stack([ramp * np.sin(a), 0 * ramp, -ramp * np.cos(a)])
    tau = np.r_[0.0, np.arange(1, 40) * 1.0, 100.0]
    stages = macrospin.waveform(layer, tau, 0 * applied, applied)
    start = np.array([[0.0], [0.0], [1.0]])
    paths = macrospin.trajectories(layer, stages, [100.0], 1, np.random.default_rng(1), start=start)
    assert (paths.m[2, 0, 0] < 0) == switched


def test_an_energy_that_does_not_separate_is_integrated_by_heun():
    """The same uniaxial layer, given as a surface, has the same rate."""
    surface = Surface(lambda m: -0.5 * m[2] ** 2, lambda m: np.stack([0 * m[0], 0 * m[0], m[2]]))
    layer = FreeLayer(40.0, 0.3, np.zeros((3, 1)), surface=surface)
    n = 4000
    found = macrospin.write_error(layer, pulse(layer, 1.5), n, np.random.default_rng(19), relax=2.0)
    exact = float(fokker_planck.wer(2.0, 1.5, 40.0, readout="relaxed"))
    assert abs(found.wer - exact) < 4.5 * np.sqrt(exact * (1 - exact) / n)


@pytest.mark.parametrize("noise", ["discrete", "gaussian"])
@pytest.mark.parametrize("name", ["delta", "anisotropy", "torque"])
@pytest.mark.parametrize("count", [None, 20_000])
def test_every_factor_acts_by_either_noise_as_number_and_as_array(name, noise, count):
    n, f = 20_000, 0.7
    value = np.array(f) if count is None else np.full(count, f)
    found = macrospin.write_error(LAYER, pulse(LAYER, 1.5), n, np.random.default_rng(23),
                                  factors=Factors(**{name: value}), noise=noise)  # fmt: skip
    i, tau, delta = {
        "delta": (2.0, 1.5, 60 * f),
        "anisotropy": (2.0 / f, 1.5 * f, 60 * f),
        "torque": (2.0 * f, 1.5, 60.0),
    }[name]
    exact = float(fokker_planck.wer(i, tau, delta, readout="relaxed"))
    assert abs(found.wer - exact) < 4.5 * np.sqrt(exact * (1 - exact) / n)  # false alarms: 7e-6


def test_a_factor_in_numpy_alone():
    """Half the stability is twice the variance of a kick, by the plain NumPy steps as well."""
    free = Stage(FreeLayer(60, 0.1, np.zeros((3, 2))), NONE, NONE, np.array(1.0))
    m = np.repeat([[0.0], [0.0], [1.0]], 100_000, axis=1)
    splitting.advance_numpy(m, free, 1, 0.01, np.random.default_rng(24), Factors(np.array(0.5)))
    assert m[0].var() == pytest.approx(0.01 / 30, rel=4.5 * np.sqrt(2 / 100_000))


@pytest.mark.parametrize(
    ("stages", "factors", "low", "high"),
    [
        # A rest at high temperature brings written layers back (reference: followed throughout).
        ([*pulse(uniaxial(60, 0.1, h=[0.05, 0, 0]), 6.0),
          Stage(uniaxial(8, 0.1, h=[0.05, 0, 0]), NONE, NONE, np.array(200.0))],
         Factors(), 0.125, 0.153),
        # A weak torque against a field that its strong first stage had overcome.
        ([Stage(uniaxial(60, 0.1), np.array([0, 0, -20.0]), NONE, np.array(4.0)),
          Stage(uniaxial(60, 0.1), DOWN, np.array([0, 0, 1.9]), np.array(10.0))],
         Factors(torque=np.array(0.1)), 0.998, 1.0),
        # Reversal, and a field that holds.
        ([*pulse(uniaxial(60, 0.1), 8.0), *pulse(uniaxial(60, 0.1), 8.0, -DOWN)],
         Factors(), 0.99, 1.0),
    ],
    ids=["heat", "weak torque", "reversal"],
)  # fmt: skip
def test_what_may_come_back_is_followed(stages, factors, low, high):
    rest = stages[0].layer
    found = macrospin.write_error(rest, stages, 4000, np.random.default_rng(25), factors=factors)
    assert low < found.wer <= high
    if factors.torque == 1:
        split = rare_event.solve(rest, stages, np.random.default_rng(26), particles=500)
        assert split.method in ("count", "importance")
        assert abs(split.wer - found.wer) < 4.5 * np.hypot(split.error, 0.006)


def test_strong_layers_set_the_step():
    alone = integrator.largest_step(pulse(LAYER, 1.0))
    many = Factors(torque=np.array([1.0, 4.0]))
    assert integrator.largest_step(pulse(LAYER, 1.0), many) < 0.4 * alone
    one = integrator.largest_step(pulse(LAYER, 1.0), Factors(anisotropy=np.array(3.0)))
    assert one == pytest.approx(0.03 / 5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trajectories": 0}, "trajectories"),
        ({"step": 1.0}, "largest sensible step"),
        ({"relax": -1.0}, "relax"),
        ({"stages": [Stage(LAYER, DOWN, NONE, np.array([1.0, 2.0]))]}, "durations"),
        ({"start": np.full((3, 10), 0.5)}, "length 0.866"),
        ({"start": np.ones((3, 2))}, "shape"),
        ({"factors": Factors(np.ones(3))}, "layers"),
        ({"noise": "gausian"}, "did you mean 'gaussian'"),
        ({"rest": uniaxial(2.0, 0.01)}, "k_B T deep"),
        ({"dtype": int}, "numpy.float32"),
        ({"rng": None}, "default_rng"),
        ({"relax": 1e10}, "steps at most"),
        ({"step": 1e-300}, "steps at most"),
        ({"workers": 0}, "workers"),
        ({"trajectories": 2.5}, "whole number"),
        ({"start": 1j * np.ones((3, 10))}, "a number"),
        ({"rest": uniaxial(60, 0.01, h=[1.2, 0, 0])}, "k_B T deep"),
    ],
)
def test_bad_input_is_refused(changes, message):
    arguments = {"rest": LAYER, "stages": pulse(LAYER, 1.0), "trajectories": 10}
    arguments |= {"rng": np.random.default_rng(1)} | changes
    with pytest.raises(ParameterError, match=message):
        macrospin.write_error(**arguments)


def test_bad_waveforms_and_times_are_refused():
    edges, down = np.linspace(0, 1, 3), np.zeros((3, 2))
    with pytest.raises(ParameterError, match=r"waveform: torque.*finite"):
        macrospin.waveform(LAYER, edges, down + np.nan, down)
    with pytest.raises(ParameterError, match="does not rise"):
        macrospin.waveform(LAYER, edges[::-1], down, down)
    with pytest.raises(ParameterError, match="shapes"):
        macrospin.waveform(LAYER, edges, down[:2], down)
    with pytest.raises(ParameterError, match="store within the pulse"):
        macrospin.trajectories(LAYER, pulse(LAYER, 1.0), [2.0], 3, np.random.default_rng(1))
    with pytest.raises(ParameterError, match="rising"):
        macrospin.trajectories(LAYER, pulse(LAYER, 1.0), [0.5, 0.1], 3, np.random.default_rng(1))
    with pytest.raises(ParameterError, match="every"):
        macrospin.switching_times(LAYER, pulse(LAYER, 1.0), 3, np.random.default_rng(1), every=0)
    with pytest.raises(ParameterError, match="looks"):
        macrospin.switching_times(LAYER, pulse(LAYER, 1.0), 3, np.random.default_rng(1), every=1e-9)
