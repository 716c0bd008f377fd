"""Derived formulas: each obeys the equation it comes from, its limits, and the numbers in use."""

import math
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from numpy.polynomial import legendre

from devicephys import constants, symbolic
from devicephys.errors import ParameterError
from devicephys.mram import junction, landscape
from devicephys.symbolic import FORMULAS, a, c, delta, h, i, tau, x, z

PAGE = Path(__file__).parent.parent / "docs" / "theory" / "closed_forms.md"


def zero(expression):
    return sp.simplify(expression) == 0


@pytest.mark.parametrize("name", FORMULAS)
def test_every_formula_is_an_equation_with_a_symbol_on_its_left_and_latex(name):
    formula = FORMULAS[name]()
    assert isinstance(formula, sp.Eq)
    assert formula is FORMULAS[name]()
    assert not formula.rhs.has(sp.nan, sp.zoo, sp.oo, sp.I, sp.Integral, sp.Limit)
    left, equals, right = symbolic.latex(name).partition(" = ")
    assert left
    assert equals
    assert right.count("{") == right.count("}")


@pytest.mark.parametrize("name", FORMULAS)
def test_every_formula_is_on_the_page(name):
    assert f"```{{formula}} {name}\n```\n" in PAGE.read_text()


def test_unknown_formula_lists_the_closest():
    with pytest.raises(ParameterError, match="did you mean 'kramers_rate'"):
        symbolic.latex("kramer_rate")


def test_drift_is_the_one_that_the_solvers_use():
    f = sp.lambdify((z, i, h, a), -symbolic.drift().rhs / (1 - z**2))
    nodes = np.linspace(-0.9, 0.9, 7)
    for values in ((2.0, 0.0, 0.0), (1.5, -0.2, 0.3), (0.4, 0.1, -0.3)):
        used = landscape.evaluate(landscape.drift(*values)[None], nodes)[0]
        assert used == pytest.approx(f(nodes, *values), rel=1e-12, abs=1e-12)


def test_potential_is_the_integral_of_the_drift_and_the_one_that_the_solvers_use():
    phi = symbolic.potential().rhs
    assert phi.subs(z, 0) == 0
    assert zero(sp.diff(phi, z) + 2 * delta * symbolic.drift().rhs / (1 - z**2))
    nodes = np.linspace(-0.9, 0.9, 7)
    number = sp.lambdify((z, i, h, a, delta), phi)
    for i_, h_, a_ in ((1.5, -0.2, 0.3), (0.4, 0.1, -0.3)):
        used = landscape.potential(landscape.drift(i_, h_, a_)[None], np.array([60.0]), nodes)
        assert used[0] == pytest.approx(number(nodes, i_, h_, a_, 60.0), rel=1e-12, abs=1e-11)


def test_potential_without_asymmetry_is_the_limit_of_small_asymmetry():
    symmetric = symbolic.potential_symmetric().rhs
    assert zero(symmetric - 2 * delta * ((i - h) * z - z**2 / 2))
    point = {i: 2, h: sp.Rational(1, 10), z: sp.Rational(1, 2), delta: 60}
    small = symbolic.potential().rhs.subs(point).subs(a, sp.Rational(1, 10**10)).evalf(40)
    assert float(small) == pytest.approx(float(symmetric.subs(point)), rel=1e-9)


def test_growth_stops_at_the_critical_current_whatever_the_asymmetry():
    rate = symbolic.growth_rate().rhs
    assert rate.free_symbols == {i, h}
    assert sp.solve(rate, i) == [1 + h]


def test_critical_current_is_the_one_of_the_junction():
    values = {
        symbolic.delta: 63.0,
        symbolic.alpha: 0.01,
        symbolic.eta: 0.75,
        symbolic.temperature: 300.0,
        symbolic.e: constants.E_CHARGE,
        symbolic.hbar: constants.HBAR,
        symbolic.k_b: constants.K_B,
    }
    derived = float(symbolic.critical_current().rhs.subs(values))
    assert junction.critical_current(63.0, 0.01, 0.75, 300.0) == pytest.approx(derived, rel=1e-12)


def test_flow_time_solves_the_flow_and_its_limit_of_large_currents():
    flow = symbolic.flow_time().rhs
    assert flow.subs(z, 0) == 0
    assert zero(sp.diff(flow, z) * (1 - z**2) * (i - z) - 1)
    half = sp.Rational(1, 2)
    assert zero(sp.limit((i * flow).subs(z, half), i, sp.oo) - sp.log(3) / 2)  # atanh(1/2)


def test_flow_constant_is_what_is_left_at_the_pole():
    constant = symbolic.flow_constant().rhs
    assert sp.limit(constant, i, sp.oo) == 4
    assert sp.limit(constant, i, 1, "+") == 0
    near = 2 * (1 - z) * sp.exp(2 * (i - 1) * symbolic.flow_time().rhs)
    for value in (sp.Rational(6, 5), 2, 5):
        at_pole = near.subs({i: value, z: 1 - sp.Rational(1, 10**14)}).evalf(40)
        assert float(at_pole) == pytest.approx(float(constant.subs(i, value)), rel=1e-12)


def test_precessional_form_starts_from_boltzmann_and_decays_at_the_growth_rate():
    failed = symbolic.precessional_wer().rhs
    # At tau = 0: the Boltzmann weight e^{-2 Delta (1 - z)} of 1 - z < C/2.
    assert zero(failed.subs(tau, 0) - (1 - sp.exp(-2 * delta * c / 2)))
    late = sp.limit(failed.subs(i, 2) * sp.exp(2 * tau), tau, sp.oo)
    assert zero(late - c * delta / 2)


def test_tail_rate_is_the_growth_rate_without_noise():
    rate = symbolic.tail_rate().rhs
    assert zero(sp.limit(rate, delta, sp.oo) - symbolic.growth_rate().rhs.subs(h, 0))
    assert zero(rate - 2 * (i - 1) - (3 - i) / ((i - 1) * delta))


def test_kramers_rate_vanishes_with_the_barrier_and_at_its_pole():
    k = symbolic.kramers_rate().rhs
    assert sp.limit(k, x, 1) == 0
    assert sp.limit(k, x, -1) == 0


@pytest.mark.parametrize("value", [0.0, 0.4])
def test_kramers_rate_is_the_limit_of_the_exact_mean_time(value):
    """The error falls as 1/Delta: four times the barrier, a quarter of it."""
    nodes, weights = legendre.leggauss(600)
    z_ = value + (1 - value) * nodes[:, None]  # about the top; the far end is far down the barrier
    y = z_ + (1 - z_) * (nodes + 1) / 2
    errors = []
    for d in (200.0, 800.0):
        climb = 2 * d * (value * (z_ - y) - (z_**2 - y**2) / 2) - d * (1 - value) ** 2
        inner = np.exp(climb) @ weights * (1 - z_[:, 0]) / 2
        time = 2 * d * (1 - value) * weights @ (inner / (1 - z_[:, 0] ** 2))
        scaled = symbolic.kramers_rate().rhs * sp.exp(delta * (1 - x) ** 2)
        errors.append(float(sp.simplify(scaled).subs({x: value, delta: d})) * time - 1)
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)
    assert abs(errors[1]) < 0.01


def test_butler_constant_is_a_right_angle_grown_linearly():
    assert float(symbolic.butler_constant().rhs) == pytest.approx((math.pi / 2) ** 2, rel=1e-15)
