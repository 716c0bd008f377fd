"""Wells, escape and stability of free layers against exact laws and the Fokker-Planck operator."""

import numpy as np
import pytest
import sympy as sp
from scipy.special import lpmv, roots_legendre

from devicephys import energy_terms
from devicephys import free_energy as symbolic
from devicephys.constants import E_CHARGE, HBAR, K_B, MU_0
from devicephys.errors import AccuracyError, ParameterError
from devicephys.mram import thermal
from devicephys.mram.escape import barrier, kramers_rate
from devicephys.mram.free_layer import (
    FreeLayer,
    Stage,
    Surface,
    effective_field,
    energy,
    uniaxial,
    velocity,
)
from devicephys.mram.junction import critical_current as of_junction
from devicephys.mram.stability import critical_current, switching_field
from devicephys.mram.wells import (
    direction_of,
    frame,
    lattice,
    minimum_near,
    nearest,
    resonance,
    slopes,
    stationary_points,
    turned,
)
from devicephys.on_sphere import M_X, M_Y, M_Z, PHI, THETA

TILTED = uniaxial(60, 0.01, h=[0.1, -0.05, 0.2], in_plane=0.3)


def quadratic(rng, strength=0.3):
    """A layer with a random quadratic energy, not along the axes, and a random field."""
    a = rng.normal(size=(3, 3))
    a = (a + a.T) / 2
    surface = Surface(
        lambda m: np.einsum("i...,ij,j...->...", m, a, m) / 2,
        lambda m: -np.einsum("ij,j...->i...", a, m),
    )
    return FreeLayer(60, 0.01, np.zeros((3, 2)), rng.normal(size=3) * strength, surface=surface)


# --- geometry -----------------------------------------------------------------------------------


def test_frames_are_right_handed_everywhere():
    m = lattice(200)
    e1, e2 = frame(m)
    np.testing.assert_allclose(np.cross(e1, e2, axis=0), m, atol=1e-14)
    np.testing.assert_allclose((e1 * e2).sum(axis=0), 0, atol=1e-14)


@pytest.mark.parametrize("layer", [TILTED, quadratic(np.random.default_rng(3))])
def test_slopes_are_derivatives_of_the_energy_along_great_circles(layer):
    m = lattice(30)
    gradient, hessian = slopes(layer, m)
    s = 1e-3
    for xi in ([1, 0], [0, 1], [1, 1]):
        xi = np.array(xi, float)[:, None] * np.ones(m.shape[1])
        ahead, here, back = (energy(layer, turned(m, frame(m), t * xi)) for t in (s, 0, -s))
        first = np.einsum("in,in->n", gradient, xi)
        second = np.einsum("in,ijn,jn->n", xi, hessian, xi)
        np.testing.assert_allclose((ahead - back) / (2 * s), first, atol=1e-5)
        np.testing.assert_allclose((ahead - 2 * here + back) / s**2, second, atol=1e-4)


# --- stationary points --------------------------------------------------------------------------


def test_euler_sum_of_random_quadratic_energies():
    rng = np.random.default_rng(1)
    for _ in range(40):
        layer = quadratic(rng)
        points = stationary_points(layer)
        count = [sum(p.kind == kind for p in points) for kind in ("minimum", "saddle", "maximum")]
        assert count[0] - count[1] + count[2] == 2
        m = np.stack([p.m for p in points], axis=1)
        np.testing.assert_allclose(np.cross(m, effective_field(layer, m), axis=0), 0, atol=1e-10)
        assert energy(layer, lattice(2000)).min() >= points[0].energy - 1e-12
        assert energy(layer, lattice(2000)).max() <= points[-1].energy + 1e-12


def test_a_quadratic_energy_without_a_field_has_its_eigenvectors():
    a = np.array([[0.0, 1.5], [0.0, -0.7], [0.0, 1.0]])
    points = stationary_points(FreeLayer(60, 0.01, a))
    assert [p.kind for p in points] == ["minimum"] * 2 + ["saddle"] * 2 + ["maximum"] * 2
    np.testing.assert_allclose([p.energy for p in points], np.repeat([-0.75, -0.5, 0.35], 2))
    np.testing.assert_allclose(np.abs([p.m for p in points[:2]]), [[1, 0, 0]] * 2, atol=1e-9)
    np.testing.assert_allclose(points[0].curvatures, [0.5, 2.2], rtol=1e-9)


def test_circles_are_one_point():
    for axis in range(3):
        h = 0.3 * np.eye(3)[axis]
        a = np.zeros((3, 2))
        a[axis, 1] = 1.0
        points = stationary_points(FreeLayer(60, 0.01, a, h))
        assert [p.kind for p in points] == ["minimum", "minimum", "ridge"]
        np.testing.assert_allclose(points[2].axis, np.eye(3)[axis], atol=1e-6)
        assert points[2].m[axis] == pytest.approx(-0.3, abs=1e-9)
        assert points[2].curvatures[0] == pytest.approx(-(1 - 0.09), rel=1e-9)
        a[axis, 1] = -1.0
        points = stationary_points(FreeLayer(60, 0.01, a, h))
        assert [p.kind for p in points] == ["valley", "maximum", "maximum"]


def test_cubic_anisotropy_has_its_26_points():
    cubic = symbolic.free_energy(
        sp.Symbol("k_1") * (M_X**2 * M_Y**2 + M_Y**2 * M_Z**2 + M_Z**2 * M_X**2),
        {"k_1": 1e5, "m_s": 1e6},
    )
    cell = {"volume": 1e-23, "alpha": 0.01, "temperature": 300.0}
    layer = symbolic.free_layer(cubic, **cell, h_k=2e5 / (MU_0 * 1e6))
    kinds = [p.kind for p in stationary_points(layer)]
    assert [kinds.count(k) for k in ("minimum", "saddle", "maximum")] == [6, 12, 8]
    # The way from +z to -z leads over two saddles on (110) of height K_1/4.
    assert barrier(layer).thermal == pytest.approx(1e5 / 4 * 1e-23 / (K_B * 300), rel=1e-9)
    assert len(kramers_rate(layer).saddles) == 4


@pytest.mark.parametrize("h", [[0, 0, -1.0], [1.0, 0, 0]])
def test_a_well_about_to_vanish_is_reported(h):
    with pytest.raises(AccuracyError, match=r"do not add up|degenerate"):
        stationary_points(uniaxial(60, 0.01, h=h))


# --- barriers and rates -------------------------------------------------------------------------


@pytest.mark.parametrize("h", [-0.7, -0.2, 0.0, 0.4])
@pytest.mark.parametrize("in_plane", [0.0, 0.5])
def test_barrier_in_an_axial_field(h, in_plane):
    found = barrier(uniaxial(60, 0.01, h=[0, 0, h], in_plane=in_plane))
    assert found.thermal == pytest.approx(60 * (1 + h) ** 2, rel=1e-10)
    assert found.height == pytest.approx((1 + h) ** 2 / 2, rel=1e-10)
    back = barrier(uniaxial(60, 0.01, h=[0, 0, h], in_plane=in_plane), [0, 0, -1], [0, 0, 1])
    assert back.thermal == pytest.approx(60 * (1 - h) ** 2, rel=1e-10)


def test_elliptic_cell_in_an_in_plane_field_has_its_analytic_saddle():
    # h along x: wells at m_x = h with -1/2 - h^2/2, the lower saddle at +x with -h.
    found = barrier(uniaxial(60, 0.01, h=[0.3, 0, 0], in_plane=0.5))
    assert found.height == pytest.approx((1 - 0.3) ** 2 / 2, rel=1e-10)
    np.testing.assert_allclose(found.saddle.m, [1, 0, 0], atol=1e-9)
    # h along y, q = in_plane: wells at m_y = h/(1 + q), saddles at m_y = h/q.
    h, q = 0.2, 0.5
    found = barrier(uniaxial(60, 0.01, h=[0, h, 0], in_plane=q))
    saddle, well = -(h**2) / (2 * q), -1 / 2 - h**2 / (2 * (1 + q))
    assert found.height == pytest.approx(saddle - well, rel=1e-10)
    assert found.saddle.m[1] == pytest.approx(h / q, abs=1e-9)


@pytest.mark.parametrize("h", [-0.3, 0.0, 0.2])
def test_ridge_rate_tends_to_the_exact_first_passage_time(h):
    error = []
    for delta in (100.0, 200.0, 400.0):
        found = kramers_rate(uniaxial(delta, 0.01, h=[0, 0, h]))
        error.append(found.rate / float(thermal.escape_rate(0.0, delta, h)) - 1)
        assert found.depopulation == 1
        assert np.isinf(found.loss)
    assert 0 < error[2] < 0.01
    assert error[0] / error[1] == pytest.approx(2, rel=0.05)  # an error of order 1/barrier
    assert error[1] / error[2] == pytest.approx(2, rel=0.05)


def test_loss_along_the_contour_of_an_elliptic_cell():
    # The contour is the great circle z^2 = q y^2, on which |m x H| = sqrt(q) sin(angle from x).
    for q in (0.1, 0.5, 3.0):
        found = kramers_rate(uniaxial(40, 0.02, in_plane=q))
        assert found.loss == pytest.approx(4 * 40 * 0.02 * np.sqrt(q), rel=1e-4)


def test_saddle_rate_is_browns_formula():
    delta, alpha, q = 60.0, 0.1, 0.5
    found = kramers_rate(uniaxial(delta, alpha, in_plane=q))
    assert len(found.saddles) == 2
    # Two saddles with curvatures -1 and q, a well with 1 and 1 + q; rates in gamma_0 H_k/(1+a^2).
    growth = (alpha * (1 - q) + np.sqrt(alpha**2 * (1 + q) ** 2 + 4 * q)) / 2 / alpha
    each = growth / (2 * np.pi) * np.sqrt((1 + q) / q) * np.exp(-delta)
    np.testing.assert_allclose(found.rates, each, rtol=1e-9)
    assert found.rate == pytest.approx(found.depopulation * 2 * each)


def test_unequal_wells_are_in_detailed_balance():
    layer = uniaxial(40, 0.05, in_plane=0.5, h=[0, 0, -0.1])
    out, back = kramers_rate(layer), kramers_rate(layer, [0, 0, -1])
    c = [minimum_near(layer, [0, 0, s]).curvatures.prod() for s in (1, -1)]
    occupied = np.sqrt(c[0] / c[1]) * np.exp(back.thermal - out.thermal)
    assert out.rate / back.rate == pytest.approx(occupied, rel=1e-9)


def slowest(layer, degree):
    """Rate of the slowest mode of the whole Fokker-Planck operator, in spherical harmonics.

    For a layer that half turns about x, y and z leave as it is: the mode is odd about x and y, made
    of P_n^k cos(k phi) for odd n and P_n^k sin(k phi) for even n, k even.
    """
    x, w = roots_legendre(degree + 6)
    azimuth = 2 * np.pi * np.arange(2 * degree + 12) / (2 * degree + 12)
    c, s = x[:, None], np.sqrt(1 - x[:, None] ** 2)
    e_r = np.stack([s * np.cos(azimuth), s * np.sin(azimuth), c + 0 * azimuth])
    e_polar = np.stack([c * np.cos(azimuth), c * np.sin(azimuth), -s + 0 * azimuth])
    e_azimuth = np.cross(e_r, e_polar, axis=0)
    v = velocity(Stage(layer, np.zeros(3), np.zeros(3), np.array(0.0)), e_r)
    v_polar, v_azimuth = ((v * e).sum(axis=0) for e in (e_polar, e_azimuth))
    modes, images = [], []
    for n in range(degree + 1):
        for k in range(0 if n % 2 else 2, n + 1, 2):
            value, below = lpmv(k, n, c), lpmv(k, n - 1, c)
            slope = (n * c * value - (n + k) * below) / s  # along the polar angle
            turn, change = np.cos(k * azimuth), -k * np.sin(k * azimuth)
            if n % 2 == 0:
                turn, change = np.sin(k * azimuth), k * np.cos(k * azimuth)
            size = np.sqrt((w[:, None] * (value * turn) ** 2).sum())
            image = v_polar * slope * turn + v_azimuth / s * value * change
            modes.append(np.ravel(value * turn * w[:, None]) / size)
            images.append(np.ravel(image - n * (n + 1) / (2 * layer.delta) * value * turn) / size)
    return float(-np.linalg.eigvals(np.array(modes) @ np.array(images).T).real.max())


@pytest.mark.parametrize(("alpha", "tolerance"), [(0.9, 0.07), (0.1, 0.07), (0.04, 0.05)])
def test_rate_at_any_damping_is_that_of_the_fokker_planck_operator(alpha, tolerance):
    # The formula errs by order 1/barrier, here 1/8; without depopulation by 2 and more.
    layer = uniaxial(8, alpha, in_plane=0.5)
    found = kramers_rate(layer)
    assert 2 * found.rate == pytest.approx(slowest(layer, 24), rel=tolerance)
    if alpha < 0.5:
        assert found.rates.sum() > 1.5 * found.rate


# --- resonance ----------------------------------------------------------------------------------


@pytest.mark.parametrize("h", [-0.5, 0.0, 1.5])
def test_kittel_perpendicular(h):
    found = resonance(uniaxial(60, 0.02, h=[0, 0, h]))
    assert found.omega == pytest.approx(1 + h, rel=1e-12)
    assert found.damped == pytest.approx((1 + h) / (1 + 0.02**2), rel=1e-12)
    assert found.linewidth == pytest.approx(2 * 0.02 * (1 + h) / (1 + 0.02**2), rel=1e-12)


def test_kittel_ellipsoid_and_in_plane_film():
    m_s, h_z, n_x, n_y, n_z = 8e5, 2e5, 0.3, 0.6, 0.1
    values = {"m_s": m_s, "n_x": n_x, "n_y": n_y, "n_z": n_z, "h_x": 0, "h_y": 0, "h_z": h_z}
    found = symbolic.free_energy(energy_terms.shape() + energy_terms.zeeman(), values)
    cell = {"volume": 1e-23, "alpha": 0.01, "temperature": 300.0}
    h_k = symbolic.anisotropy_field(found)
    omega = resonance(symbolic.free_layer(found, **cell)).omega * h_k
    expected = np.sqrt((h_z + (n_y - n_z) * m_s) * (h_z + (n_x - n_z) * m_s))
    assert omega == pytest.approx(expected, rel=1e-10)
    h_k, m_eff = 1e4, 9e5  # film in the plane, easy axis and field along it
    layer = uniaxial(60, 0.01, h=[0, 0, 3.0], in_plane=m_eff / h_k)
    expected = np.sqrt((3e4 + h_k) * (3e4 + h_k + m_eff)) / h_k
    assert resonance(layer).omega == pytest.approx(expected, rel=1e-12)


def test_resonance_is_smit_and_beljers():
    density = energy_terms.uniaxial() + energy_terms.shape() + energy_terms.zeeman()
    values = {
        "k_u": 9e5, "m_s": 1.1e6, "n_x": 0.02, "n_y": 0.05, "n_z": 0.93, "h_x": 6e4, "h_y": -3e4,
        "h_z": 2e4,
    }  # fmt: skip
    found = symbolic.free_energy(density, values)
    cell = {"volume": 1e-23, "alpha": 0.01, "temperature": 300.0}
    layer, h_k = symbolic.free_layer(found, **cell), symbolic.anisotropy_field(found)
    minimum = minimum_near(layer, [0, 0, 1])
    angles = {
        M_X: sp.sin(THETA) * sp.cos(PHI),
        M_Y: sp.sin(THETA) * sp.sin(PHI),
        M_Z: sp.cos(THETA),
    }
    given = {energy_terms.SYMBOLS[k]: v for k, v in values.items()} | {energy_terms.MU: MU_0}
    law = found.density.subs(given).subs(angles)
    at = {THETA: np.arccos(minimum.m[2]), PHI: np.arctan2(minimum.m[1], minimum.m[0])}
    tt, pp, tp = (
        float(sp.diff(law, a, b).subs(at)) for a, b in ((THETA, THETA), (PHI, PHI), (THETA, PHI))
    )
    sine = np.sin(at[THETA])
    omega = np.sqrt(tt * pp - tp**2) / (MU_0 * values["m_s"] * sine)
    assert resonance(layer).omega * h_k == pytest.approx(omega, rel=1e-8)
    width = 0.01 / (1 + 0.01**2) * (tt + pp / sine**2) / (MU_0 * values["m_s"])
    assert resonance(layer).linewidth * h_k == pytest.approx(width, rel=1e-8)


def test_damped_resonance_is_that_of_the_trajectory():
    layer, start = TILTED, minimum_near(TILTED, [0, 0, 1])
    stage = Stage(layer, np.zeros(3), np.zeros(3), np.array(0.0))
    s = 1e-5
    axes = frame(start.m)
    columns = [velocity(stage, turned(start.m, axes, s * xi)) / s for xi in np.eye(2)]
    values = np.linalg.eigvals([[a @ c for c in columns] for a in axes])
    unit = layer.alpha / (1 + layer.alpha**2)  # of t_D, in 1/(gamma_0 H_k)
    found = resonance(layer)
    assert abs(values[0].imag) * unit == pytest.approx(found.damped, rel=1e-4)
    assert -2 * values[0].real * unit == pytest.approx(found.linewidth, rel=1e-2)
    assert abs(values[0]) * unit * np.sqrt(1 + layer.alpha**2) == pytest.approx(found.omega, 1e-4)


# --- critical current and switching field -------------------------------------------------------


@pytest.mark.parametrize("h", [-0.5, 0.0, 0.3])
def test_critical_current_of_a_perpendicular_layer(h):
    assert critical_current(uniaxial(60, 0.01, h=[0, 0, h])) == pytest.approx(1 + h, rel=1e-9)


@pytest.mark.parametrize("alpha", [0.005, 0.05])
def test_critical_current_of_an_in_plane_layer_is_the_textbook_one(alpha):
    h_k, m_eff, h, m_s, volume, eta, t = 1e4, 8e5, 2e3, 1e6, 1e-23, 0.6, 300.0
    delta = MU_0 * m_s * h_k * volume / (2 * K_B * t)
    layer = uniaxial(delta, alpha, h=[0, 0, h / h_k], in_plane=m_eff / h_k)
    found = critical_current(layer) * of_junction(delta, alpha, eta, t)
    textbook = 2 * E_CHARGE / HBAR * alpha / eta * MU_0 * m_s * volume * (h_k + h + m_eff / 2)
    assert found == pytest.approx(textbook, rel=1e-9)


def test_critical_current_of_a_spin_orbit_torque_across_the_axis():
    # T along y turns m in the plane of z and y; balance z y = alpha i z ends at alpha i = 1/2 for
    # the damping-like field a_J = alpha H_k i, but for terms of order alpha.
    found = critical_current(uniaxial(60, 0.01), [0, 1, 0])
    assert found == pytest.approx(1 / (2 * 0.01), rel=2e-3)


def test_a_torque_that_holds_the_layer_has_no_critical_current():
    with pytest.raises(ParameterError, match="stable up to i"):
        critical_current(uniaxial(60, 0.01), [0, 0, -1], largest=20)


@pytest.mark.parametrize("psi", [0.0, 0.01, 10.0, 45.0, 70.0, 89.0, 89.99, 90.0])
def test_stoner_wohlfarth_astroid(psi):
    a = np.radians(psi)
    found = switching_field(uniaxial(60, 0.01), [np.sin(a), 0, -np.cos(a)])
    expected = (np.cos(a) ** (2 / 3) + np.sin(a) ** (2 / 3)) ** -1.5
    assert found == pytest.approx(expected, rel=1e-9)


def test_switching_field_is_where_a_minimum_vanishes():
    layer, d = uniaxial(60, 0.01, in_plane=0.4), np.array([0.3, 0.5, -0.6])
    found = switching_field(layer, d)
    d /= np.linalg.norm(d)
    for factor, wells in ((1 - 1e-4, 2), (1 + 1e-4, 1)):
        points = stationary_points(uniaxial(60, 0.01, in_plane=0.4, h=found * factor * d))
        assert sum(p.kind == "minimum" for p in points) == wells


def test_switching_along_an_in_plane_hard_axis():
    found = switching_field(uniaxial(60, 0.01, in_plane=2.0), [0, 1, 0])
    assert found == pytest.approx(3.0, rel=1e-8)


def test_a_field_that_holds_the_layer_does_not_switch_it():
    for d in ([0, 0, 1], [1, 0, 1e-3]):
        with pytest.raises(ParameterError, match="survives"):
            switching_field(uniaxial(60, 0.01), d)


# --- bad input ----------------------------------------------------------------------------------


FLAT = FreeLayer(60, 0.01, np.zeros((3, 2)))
PLANE = FreeLayer(60, 0.01, np.array([[0.0, 0.0], [0.0, 0.0], [0.0, -1.0]]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: stationary_points(FLAT), "no minimum: the energy is the same"),
        (lambda: resonance(FLAT), "no minimum"),
        (lambda: resonance(PLANE), "circle"),
        (lambda: critical_current(PLANE), "circle"),
        (lambda: kramers_rate(PLANE), "no way out"),
        (lambda: kramers_rate(uniaxial(60, 0.01, h=[0, 0, 2])), "no way out"),
        (lambda: barrier(uniaxial(60, 0.01, h=[0, 0, -2])), "in one well"),
        (lambda: barrier(TILTED, [0, 0, 0]), "direction"),
        (lambda: direction_of("p", [1, 2]), "p = "),
        (lambda: direction_of("p", [1, np.nan, 0]), "finite"),
        (lambda: critical_current(TILTED, largest=-1), "largest"),
        (lambda: switching_field(TILTED, [0, 0, -1], largest=0), "largest"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_nearest_counts_circles_by_their_nearest_point():
    points = stationary_points(uniaxial(60, 0.01))
    for azimuth in (0.0, 1.0, 4.0):
        d = [np.cos(azimuth), np.sin(azimuth), 0.1]
        assert points[nearest(points, d)].kind == "ridge"
