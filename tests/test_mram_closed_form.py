"""Closed forms against the exact solver, within their stated error, and their own oracle."""

import numpy as np
import pytest
import sympy

from devicephys.errors import ParameterError
from devicephys.mram import closed_form, fokker_planck


@pytest.mark.parametrize(
    ("i", "low", "high"), [(2.0, 0.97, 1.25), (3.0, 0.98, 1.01), (5.0, 0.88, 1.01)]
)
def test_precessional_form_is_as_good_as_it_says(i, low, high):
    tau = np.linspace(1.5, 12, 8) / (i - 1)
    ratio = np.exp(closed_form.log_wer(i, tau, 60.0)) / fokker_planck.wer(i, tau, 60.0)
    assert (ratio > low).all()
    assert (ratio < high).all()


@pytest.mark.parametrize(
    ("delta", "x", "ratio"),
    [(40, 0.3, 0.953), (40, 0.5, 0.901), (60, 0.5, 0.937), (60, 0.7, 0.810)],
)
def test_thermal_rate_is_as_good_as_it_says(delta, x, ratio):
    k = float(closed_form.switching_rate(x, delta))
    exact = -np.diff(np.log(fokker_planck.wer(x, [0.5 / k, 1 / k], delta, rtol=1e-3)))[0] * 2 * k
    assert exact / k == pytest.approx(ratio, abs=0.003)


def test_flow_constant_follows_from_the_zero_temperature_flow():
    """The time from 1 - eps to the equator is F(1 - eps) - F(0); sympy gives its limit."""
    z, i, tau = sympy.symbols("z i tau", positive=True)
    logs = {sympy.log(1 - z): -1 / (2 * (i - 1)), sympy.log(1 + z): 1 / (2 * (i + 1))}
    f = sum(factor * log for log, factor in logs.items()) + sympy.log(i - z) / (i**2 - 1)
    assert sympy.simplify(sympy.diff(f, z) - 1 / ((1 - z**2) * (i - z))) == 0
    # Near the pole all but log(1 - z) is constant: solve tau = F(1 - eps) - F(0) for eps.
    rest = (f + sympy.log(1 - z) / (2 * (i - 1))).subs(z, 1) - f.subs(z, 0)
    slowest = sympy.exp(-2 * (i - 1) * (tau - rest))
    # Near the pole 1 - z is exponential with mean 1/(2 Delta) at the start; linear growth with
    # thermal noise turns that into i/(2 (i - 1) Delta): P(1 - z < eps) = 2 Delta eps (i - 1)/i.
    # The form's tail is C Delta exp(-2 (i - 1) tau) (i - 1)/i, so C = 2 eps(tau = 0).
    delta = 60.0
    for value in (1.3, 2.0, 4.0):
        late = 20 / (value - 1)
        tail = np.exp(closed_form.log_wer(value, late, delta) + 2 * (value - 1) * late)
        coded = float(tail) * value / (delta * (value - 1))
        assert float(2 * slowest.subs({tau: 0, i: value})) == pytest.approx(coded, rel=1e-6)


def test_deep_tail_is_finite_and_field_shifts_the_current():
    assert closed_form.LOG_FLOOR <= closed_form.log_wer(5.0, 1e6, 60.0) < -600
    assert closed_form.log_wer(2.1, 3.0, 60.0, 0.1) == pytest.approx(
        closed_form.log_wer(2.0, 3.0, 60.0)
    )


def test_rate_above_the_critical_current_is_refused():
    with pytest.raises(ParameterError, match=r"i - h = 1\.2"):
        closed_form.switching_rate(1.2, 60.0)
