"""Switching times: reference values, exact integrals against the solver, quantiles."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import dawsn

from devicephys.errors import AccuracyError, ParameterError
from devicephys.mram import fokker_planck, landscape, switching_time


def test_reference_values_of_the_mean_first_passage():
    found = switching_time.mean_first_passage([0.8, 1.0, 1.5, 2.0], 60.0)
    assert found == pytest.approx([52.110, 11.211, 4.0334, 2.5840], abs=5e-4)


@pytest.mark.parametrize(
    ("i", "delta", "h", "a"), [(2.0, 60, 0, 0), (1.5, 40, 0.05, 0), (1.8, 60, -0.05, 0.38)]
)
def test_mean_is_the_integral_of_the_error_rate(i, delta, h, a):
    tau = np.linspace(0, 60, 12001)
    integral = np.trapezoid(fokker_planck.wer(i, tau, delta, h, a, atol=1e-12), tau)
    assert switching_time.mean(i, delta, h, a) == pytest.approx(integral, rel=2e-6)


def test_mean_against_quadrature_with_dawson_functions():
    """The same double integral, its inner one in closed form (constant torque)."""
    i, delta = 1.5, 40.0
    root = np.sqrt(delta)
    b = float(landscape.outflow(landscape.drift([i]), np.array([delta]), landscape.FALLEN)[0])

    def inner(low, centre, offset):  # of exp(delta ((z - centre)^2 - offset)) over [low, 1]
        ends = np.array([1.0, low]) - centre
        values = np.exp(delta * (ends**2 - offset)) * dawsn(root * ends) / root
        return values[0] - values[1]

    def outer(y):
        low = max(y, 0.0)
        above = inner(low, 0.0, 1.0) / inner(0.0, 0.0, 1.0)
        return 2 * delta * above / (1 - y * y) * inner(low, i, (y - i) ** 2)

    exact = sum(quad(outer, *ends, limit=200)[0] for ends in [(-b, 0), (0, 1 - 1e-9)])
    assert switching_time.mean(i, delta) == pytest.approx(exact, rel=1e-6)


def test_density_is_minus_the_slope_of_the_error_rate():
    tau = np.array([1.5, 2.0, 4.0])
    step = 1e-4
    slope = -np.diff(fokker_planck.wer(2.0, tau[:, None] + [-step, step], 60.0), axis=1)[:, 0]
    found = switching_time.density(2.0, tau, 60.0)
    assert found == pytest.approx(slope / (2 * step), rel=1e-5)


def test_density_integrates_to_one():
    tau = np.linspace(0, 40, 4001)
    assert np.trapezoid(switching_time.density(2.0, tau, 60.0), tau) == pytest.approx(1, abs=1e-5)


def test_quantile_inverts_the_error_rate_over_thirty_decades():
    wer = np.array([0.9, 0.5, 1e-3, 1e-9, 1e-30])[:, None]
    i = np.array([1.2, 2.0, 4.0])
    tau = switching_time.quantile(wer, i, 60.0)
    assert np.log(fokker_planck.wer(i, tau, 60.0)) == pytest.approx(
        np.broadcast_to(np.log(wer), tau.shape), abs=1e-4
    )
    assert (np.diff(tau, axis=0) > 0).all()
    assert (np.diff(tau, axis=1) < 0).all()


def test_refuses_a_layer_that_returns_and_a_current_that_does_not_switch():
    with pytest.raises(ParameterError, match=r"delta = 5: the switched state lies"):
        switching_time.mean(0.0, 5.0)
    with pytest.raises(AccuracyError):
        switching_time.quantile(1e-3, 0.0, 60.0)
    for wer in (0.0, 1 - 1e-6):
        with pytest.raises(ParameterError, match=r"wer = "):
            switching_time.quantile(wer, 2.0, 60.0)
    with pytest.raises(ParameterError, match=r"nothing to compute"):
        switching_time.mean([], 60.0)


def test_large_barriers_do_not_overflow():
    assert switching_time.mean([1.0, 2.0], 1000.0) == pytest.approx(
        switching_time.mean([1.0, 2.0], 1000.001), rel=1e-3
    )
    assert np.isinf(switching_time.mean_first_passage(-3.0, 200.0))  # e^1400 t_D
    assert switching_time.mean_first_passage(-1.0, 150.0) > 1e190
