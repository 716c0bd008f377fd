"""Derived quantities of a junction against published values, limits and a symbolic oracle."""

from dataclasses import replace

import numpy as np
import pytest
import sympy
from scipy.special import j1

from devicephys.constants import GAMMA_0, K_B, MU_0
from devicephys.errors import ParameterError
from devicephys.mram import junction, literature
from devicephys.parameters import Stack

STACK = Stack(
    diameter=40e-9, t_f=1.2e-9, m_s=1.1e6, k_i=1.1e-3, alpha=0.01,
    eta_p_ap=0.5, eta_ap_p=0.7, ra=5e-12, tmr=1.2,
)  # fmt: skip


def test_public_example_of_a_50_nm_disc():
    # D = 50 nm, t_F = 1 nm, M_s = 1.2e6 A/m, H_k = 177297.8 A/m, alpha = 0.01, P = 0.75, 300 K; the
    # example prints Delta 0.46 % and t_D 0.05 % higher, from constants typed by hand.
    volume = np.pi / 4 * 50e-9**2 * 1e-9
    delta = junction.thermal_stability(1.2e6, 177297.8, volume, 300.0)
    assert delta == pytest.approx(63.37, abs=0.005)
    assert junction.damping_time(0.01, 177297.8) == pytest.approx(2.5504542e-9, rel=6e-4)
    assert junction.critical_current(delta, 0.01, 0.75, 300.0) == pytest.approx(
        21.26803e-6, rel=1e-4
    )


def test_gyromagnetic_ratio_is_that_of_the_free_electron():
    assert pytest.approx(2.2128e5, rel=2e-5) == GAMMA_0


def test_demagnetisation_limits_and_sum_rule():
    spheroid = junction.spheroid_demagnetisation
    assert spheroid(1.0, 1e-4) == pytest.approx(1.0, abs=3e-4)
    assert spheroid(1.0001, 1.0) == pytest.approx(0.0, abs=1e-4)
    # thin spheroid: N_z = 1 - (pi/2) (t/D) to first order, so N_z - N_x = 1 - (3 pi/4)(t/D)
    assert spheroid(1e3, 1.0) == pytest.approx(1 - 0.75e-3 * np.pi, abs=5e-6)


@pytest.mark.parametrize(("diameter", "t_f"), [(50.0, 1.0), (10.0, 10.0), (10.0, 60.0)])
def test_cylinder_against_its_bessel_integral(diameter, t_f):
    """N_z = (2 R/t) int J_1(x)^2/x^2 (1 - e^(-x t/R)) dx, the energy of two charged discs."""
    ratio = 2 * t_f / diameter
    x = np.linspace(0, 3000, 1_500_001)[1:]
    integrand = (j1(x) / x) ** 2 * -np.expm1(-x * ratio)
    n_z = 2 * np.trapezoid(integrand, x) / ratio
    found = junction.cylinder_demagnetisation(diameter, t_f)
    assert found == pytest.approx(1.5 * n_z - 0.5, abs=2e-5)


def test_long_and_flat_cylinders():
    assert junction.cylinder_demagnetisation(1.0, 1e4) == pytest.approx(-0.5, abs=1e-4)
    assert junction.cylinder_demagnetisation(1e5, 1.0) == pytest.approx(1.0, abs=1e-3)


def test_demagnetisation_against_the_integral_definition():
    t, d = sympy.Rational(1), sympy.Rational(30)
    s = sympy.symbols("s", positive=True)
    density = 1 / ((s + t**2) * sympy.sqrt((s + d**2) ** 2 * (s + t**2)))
    n_z = float(sympy.Integral(t * d**2 / 2 * density, (s, 0, sympy.oo)).evalf(15))
    assert junction.spheroid_demagnetisation(30.0, 1.0) == pytest.approx(1.5 * n_z - 0.5, rel=1e-9)


def test_record_is_consistent_with_its_energy_barrier():
    mtj = junction.mtj_from_stack(STACK)
    n_zx = junction.cylinder_demagnetisation(STACK.diameter, STACK.t_f)
    density = STACK.k_i / STACK.t_f - MU_0 * STACK.m_s**2 * n_zx / 2
    barrier = density * np.pi / 4 * STACK.diameter**2 * STACK.t_f
    assert mtj.delta == pytest.approx(barrier / (K_B * STACK.temperature), rel=1e-12)
    assert mtj.i_c0_p_ap / mtj.i_c0_ap_p == pytest.approx(0.7 / 0.5)


def test_temperature_changes_stability_but_not_the_critical_current():
    hot = junction.mtj_from_stack(replace(STACK, temperature=400.0))
    cold = junction.mtj_from_stack(STACK)
    assert hot.delta == pytest.approx(cold.delta * 300 / 400)
    assert hot.i_c0_p_ap == pytest.approx(cold.i_c0_p_ap)


def test_resistance_of_the_end_states_and_conductance_law():
    r = junction.angular_resistance([1.0, 0.0, -1.0], 5e3, 1.0)
    assert r[[0, 2]] == pytest.approx([5e3, 10e3])
    assert 1 / r[1] == pytest.approx((1 / r[0] + 1 / r[2]) / 2)  # conductance is linear in cos


def test_tmr_halves_at_its_voltage():
    assert junction.bias_tmr([0.0, 0.5, -0.5, 1e6], 1.2, 0.5) == pytest.approx([1.2, 0.6, 0.6, 0])


def test_other_temperature_agrees_with_the_scaled_stack():
    """The record scaled by itself, and the stack scaled by hand and derived anew."""
    stack = replace(STACK, bloch=2.5e-5, k_exponent=2.2, h_z=2e4, vcma=30e-15, field_like=0.3)
    m = (1 - 2.5e-5 * 380**1.5) / (1 - 2.5e-5 * 300**1.5)
    hot = replace(stack, m_s=stack.m_s * m, k_i=stack.k_i * m**2.2, temperature=380.0)
    by_record = junction.at_temperature(junction.mtj_from_stack(stack), 380.0)
    by_stack = junction.mtj_from_stack(hot)
    for name in vars(by_stack):
        assert getattr(by_record, name) == pytest.approx(getattr(by_stack, name), rel=1e-12), name


def test_there_and_back_again():
    mtj = junction.mtj_from_stack(replace(STACK, bloch=2e-5, h_z=1e4))
    back = junction.at_temperature(junction.at_temperature(mtj, 390.0), 300.0)
    for name in vars(mtj):
        assert getattr(back, name) == pytest.approx(getattr(mtj, name), rel=1e-12), name


def test_a_layer_that_turns_in_plane_when_hot_is_refused():
    mtj = junction.mtj_from_stack(replace(STACK, bloch=2.5e-5, k_exponent=3.0))
    with pytest.raises(ParameterError, match=r"temperature = 900 K.*no longer magnetised"):
        junction.at_temperature(mtj, 900.0)


def test_a_layer_beyond_its_curie_temperature_already_is_refused():
    """Both factors of the ratio are negative: their quotient looks harmless."""
    mtj = replace(junction.mtj_from_stack(STACK), bloch=1.0)
    with pytest.raises(ParameterError, match="no longer magnetised"):
        junction.at_temperature(mtj, 350.0)


def test_voltage_control_of_the_anisotropy():
    # dH_k/dV = 2 xi/(mu0 M_s t_F t_ox), by hand
    mtj = junction.mtj_from_stack(replace(STACK, vcma=30e-15, t_ox=1.2e-9))
    h_k = (1 + 0.01**2) / (0.01 * GAMMA_0 * mtj.t_d)
    slope = 2 * 30e-15 / (MU_0 * STACK.m_s * STACK.t_f * 1.2e-9)
    assert mtj.h_k_slope * h_k == pytest.approx(slope, rel=1e-12)


def test_published_junction():
    mtj = junction.mtj_from_stack(literature.garcia_redondo_2021())
    assert mtj.i_c0_p_ap / mtj.i_c0_ap_p == pytest.approx(1.2**2)
    assert mtj.r_p == pytest.approx(6e3)
    assert 200 < mtj.delta < 240


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t_f": -1e-9}, r"Stack.t_f = -1e-09 m; expected finite, in \(0, inf\) m"),
        ({"alpha": 1.5}, r"Stack.alpha = 1.5; expected finite, in \(0, 1\)"),
        ({"tmr": float("nan")}, "Stack.tmr = nan"),
        ({"tmr": -1.0}, "Stack.tmr = -1"),
        ({"lam": 0.0}, "Stack.lam = 0"),
        ({"lam": 4.0}, r"Stack.lam = 4; expected finite, in \(0\.333"),
        ({"r_th": -1.0}, r"Stack.r_th = -1 K/W"),
        ({"diameter": 0.0}, "Stack.diameter = 0 m"),
    ],
)
def test_impossible_stacks_are_refused(change, message):
    with pytest.raises(ParameterError, match=message):
        replace(STACK, **change)


def test_an_in_plane_layer_is_refused_with_a_remedy():
    with pytest.raises(ParameterError, match=r"h_k = -.*thinner layer"):
        junction.mtj_from_stack(replace(STACK, k_i=1e-4))


def test_a_disc_thicker_than_wide_is_refused():
    with pytest.raises(ParameterError, match="diameter"):
        junction.spheroid_demagnetisation(1e-9, 2e-9)


def test_an_angle_out_of_range_is_refused():
    with pytest.raises(ParameterError, match=r"cos_theta = 1\.5"):
        junction.angular_resistance(1.5, 5e3, 1.0)
