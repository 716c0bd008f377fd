"""Closed forms against their derivation, and against the exact solver within their stated error."""

import numpy as np
import pytest
import sympy
from devicephys.validation import closed_forms

from devicephys import symbolic
from devicephys.errors import ParameterError
from devicephys.mram import closed_form
from devicephys.symbolic import c

CURRENTS = [1.05, 1.2, 2.0, 3.5, 10.0]


def derived(expression, **point):
    """Evaluate a derived formula with 40 digits, so that the oracle has no round-off."""
    return float(expression.evalf(40, subs={getattr(symbolic, n): v for n, v in point.items()}))


def test_errors_are_as_stated():
    assert [f for f in closed_forms.run() if not f.holds] == []


@pytest.mark.parametrize("value", CURRENTS)
@pytest.mark.parametrize(
    ("function", "constant"),
    [
        (closed_form.log_wer, symbolic.flow_constant),
        (closed_form.log_wer_butler, symbolic.butler_constant),
    ],
)
def test_precessional_forms_are_the_derived_ones(function, constant, value):
    form = sympy.log(symbolic.precessional_wer().rhs.subs(c, constant().rhs))
    for width, barrier in ((0.3, 20.0), (1.0, 60.0), (8.0, 60.0)):
        oracle = derived(form, i=value, tau=width, delta=barrier)
        # Where WER is near 1, ln WER has only the absolute accuracy of WER.
        assert function(value, width, barrier) == pytest.approx(oracle, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("value", [-0.9, -0.3, 0.0, 0.5, 0.99])
def test_thermal_rate_is_the_derived_one(value):
    for barrier in (20.0, 60.0):
        oracle = derived(symbolic.kramers_rate().rhs, x=value, delta=barrier)
        rate = closed_form.switching_rate(value, barrier)
        assert rate == pytest.approx(oracle, rel=1e-12)
        wer = closed_form.log_wer(value + 0.1, 7.0, barrier, 0.1)
        assert wer == pytest.approx(-7 * oracle, rel=1e-12)


@pytest.mark.parametrize("value", CURRENTS)
def test_tail_rate_and_flow_time_are_the_derived_ones(value):
    oracle = derived(symbolic.tail_rate().rhs, i=value, delta=60.0)
    assert closed_form.tail_rate(value, 60.0) == pytest.approx(oracle, rel=1e-12)
    for z0 in (-0.5, 0.1, 0.9, 1 - 1e-6):
        oracle = derived(symbolic.flow_time().rhs, z=z0, i=value)
        assert closed_form.flow_time(z0, value) == pytest.approx(oracle, rel=1e-12)


def test_broadcasting_and_ratios_on_a_grid():
    assert closed_form.tail_rate([[2.0], [3.0]], [40.0, 60.0]).shape == (2, 2)
    assert closed_form.flow_time([[0.1], [0.5]], [2.0, 3.0, 4.0]).shape == (2, 3)
    found = closed_forms.ratios()
    assert all(np.isfinite(values).all() for values in found.values())


def test_deep_tail_is_finite_and_field_shifts_the_current():
    assert closed_form.LOG_FLOOR <= closed_form.log_wer(5.0, 1e6, 60.0) < -600
    assert closed_form.log_wer(2.1, 3.0, 60.0, 0.1) == pytest.approx(
        closed_form.log_wer(2.0, 3.0, 60.0)
    )


def test_rate_above_the_critical_current_is_refused():
    with pytest.raises(ParameterError, match=r"i - h = 1\.2"):
        closed_form.switching_rate(1.2, 60.0)


def test_precessional_functions_below_the_critical_current_are_refused():
    with pytest.raises(ParameterError, match=r"i - h = 0\.9"):
        closed_form.log_wer_butler(1.0, 2.0, 60.0, 0.1)
    with pytest.raises(ParameterError, match="i = 1"):
        closed_form.tail_rate(1.0, 60.0)
    with pytest.raises(ParameterError, match="z0 = 1"):
        closed_form.flow_time(1.0, 2.0)
