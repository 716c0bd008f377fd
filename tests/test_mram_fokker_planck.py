"""The Fokker-Planck solver against reference values, exact integrals, limits and itself."""

import numpy as np
import pytest
from devicephys.validation import fokker_planck_reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.sparse import diags
from scipy.special import dawsn

from devicephys.errors import AccuracyError, ParameterError
from devicephys.mram import fokker_planck
from devicephys.mram.fokker_planck import dwell, wer

QUICK = settings(max_examples=25, deadline=None, derandomize=True)
overdrive = st.floats(0.2, 4.0)
stability = st.floats(20.0, 100.0)


def test_reference_values():
    assert [f.name for f in fokker_planck_reference.run() if not f.holds] == []


def finite_volume(i, tau, delta, n=800):
    """Independent method: Scharfetter-Gummel fluxes on the exact potential, scipy's Radau."""
    edges = np.cos(np.linspace(np.pi, 0, n + 1))  # fine at the poles
    z, dz = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    phi = 2 * delta * (i * z - z**2 / 2)
    step = np.diff(phi)
    rate = (1 - edges[1:-1] ** 2) / (2 * delta) / np.diff(z)
    up = rate * np.where(abs(step) < 1e-12, 1.0, -step / np.expm1(-step))  # leaves the upper cell
    down = rate * np.where(abs(step) < 1e-12, 1.0, step / np.expm1(step))

    def flow(_, mass):
        rho = mass / dz
        flux = down * rho[:-1] - up * rho[1:]
        return np.concatenate([[0], flux]) - np.concatenate([flux, [0]])

    jacobian = diags(
        [
            -(np.r_[down, 0] + np.r_[0, up]) / dz,
            up / dz[1:],
            down / dz[:-1],
        ],
        [0, 1, -1],
    ).tocsc()
    start = np.where(z > 0, np.exp(-delta * (1 - z**2)), 0) * dz
    run = solve_ivp(
        flow, (0, tau), start / start.sum(), "Radau", rtol=1e-7, atol=1e-14, jac=jacobian
    )
    return run.y[z > 0, -1].sum()


@pytest.mark.parametrize(("i", "tau", "delta"), [(2.0, 4.0, 60.0), (0.7, 30.0, 40.0)])
def test_agrees_with_an_independent_finite_volume_solver(i, tau, delta):
    # 800 cells: discretisation error about 1e-3.
    assert wer(i, tau, delta) == pytest.approx(finite_volume(i, tau, delta), rel=3e-3)


@pytest.mark.parametrize(("i", "delta", "h"), [(2.0, 60, 0.0), (0.8, 60, 0.0), (1.5, 40, 0.05)])
def test_dwell_time_equals_the_exact_quadrature(i, delta, h):
    """T = int dy 2 Delta P(z_0 > y) e^Phi(y)/(1 - y^2) int_max(y,0)^1 e^-Phi(z) dz."""
    x = i - h
    b = -x + np.sqrt(x * x + fokker_planck.DROP / delta)  # the solver's outflow boundary
    root = np.sqrt(delta)

    def integral(low, centre, offset):  # of exp(delta ((z - centre)^2 - offset)) over [low, 1]
        ends = np.array([1.0, low]) - centre
        values = np.exp(delta * (ends**2 - offset)) * dawsn(root * ends) / root
        return values[0] - values[1]

    def integrand(y):
        low, start = max(y, 0.0), (1 + h) ** 2
        above = integral(low, -h, start) / integral(0.0, -h, start)
        return 2 * delta * above / (1 - y * y) * integral(low, x, (y - x) ** 2)

    exact = sum(quad(integrand, *ends, limit=200)[0] for ends in [(-b, 0), (0, 1 - 1e-9)])
    assert dwell(i, 1e4, delta, h) == pytest.approx(exact, rel=1e-5)


def test_dwell_is_the_integral_of_the_error_rate():
    exact = quad(lambda t: float(wer(2.0, t, 60.0)), 0, 8, epsabs=1e-8, limit=100)[0]
    assert dwell(2.0, 8.0, 60.0) == pytest.approx(exact, rel=1e-6)


def test_zero_width_writes_nothing():
    assert wer(3.0, 0.0, 60.0) == pytest.approx(1.0, abs=1e-9)
    assert dwell(3.0, 0.0, 60.0) == 0.0


def test_without_current_a_soft_cell_ends_half_switched():
    # At Delta = 3 both wells are filled within a few relaxation times: WER -> 1/2 by symmetry.
    assert wer(0.0, 1e4, 3.0, rtol=1e-4) == pytest.approx(0.5, rel=1e-6)


def test_without_current_the_rate_tends_to_that_of_kramers():
    # 1/Delta corrections: the ratio to the asymptotic rate tends to one from below.
    ratios = []
    for delta in (16.0, 20.0, 24.0):
        kramers = np.sqrt(delta / np.pi) * np.exp(-delta)
        early, late = -np.log(wer(0.0, np.array([0.1, 0.2]) / kramers, delta, rtol=1e-4))
        # The populations of both wells relax at twice the escape rate: WER = (1 + e^{-2kt})/2.
        early, late = (-np.log(2 * np.exp(-x) - 1) / 2 for x in (early, late))
        ratios.append((late - early) / 0.1)
    assert 0.9 < ratios[0] < ratios[1] < ratios[2] < 1.0


def test_stabilising_field_acts_as_less_current_once_the_start_is_accounted_for():
    tail = -np.diff(np.log(wer(2.0, [10.0, 11.0], 60.0)))
    same = -np.diff(np.log(wer(2.05, [10.0, 11.0], 60.0, 0.05)))
    assert same == pytest.approx(tail, rel=1e-6)  # the slope depends on i - h alone
    assert wer(2.0, 5.0, 60.0, 0.05) > wer(2.0, 5.0, 60.0) > wer(2.0, 5.0, 60.0, -0.05)


def test_tail_rate_approaches_its_expansion():
    slope = -np.diff(np.log(wer([[2.0], [3.0]], [19.0, 20.0], 60.0)))[:, 0]
    assert slope == pytest.approx([2.015888, 3.99990], abs=1e-4)


@QUICK
@given(i=overdrive, delta=stability)
def test_is_a_falling_probability(i, delta):
    error = wer(i, np.linspace(0, 30, 31), delta, rtol=1e-5, atol=1e-15)
    assert ((error >= 0) & (error <= 1)).all()
    assert (np.diff(error) <= 1e-5 * error[:-1] + 1e-15).all()


@QUICK
@given(i=st.floats(1.2, 3.5), tau=st.floats(1.0, 20.0), delta=stability)
def test_falls_with_current_and_agrees_between_single_and_batched_calls(i, tau, delta):
    many = wer([i, i * 1.1], [[tau], [2 * tau]], delta)
    assert many[0, 1] < many[0, 0]
    assert many[0, 0] == pytest.approx(float(wer(i, tau, delta)), rel=1e-6)


def test_broadcasts_all_arguments_in_any_order():
    i, tau, delta = [1.5, 2.0], [[1.0], [2.5], [2.0]], np.array([50.0, 60.0])[:, None, None]
    found = wer(i, tau, delta)
    assert found.shape == (2, 3, 2)
    assert found[1, 2, 1] == pytest.approx(float(wer(2.0, 2.0, 60.0)), rel=1e-7)


def test_uniform_and_uneven_widths_agree():
    even = np.linspace(1.0, 10.0, 10)
    uneven = wer(2.0, np.append(even, 3.3333), 60.0)
    assert uneven[:-1] == pytest.approx(wer(2.0, even, 60.0), rel=1e-7)


def test_refuses_what_it_cannot_resolve_and_says_how_far_off_it_is():
    with pytest.raises(AccuracyError, match=r"uncertain by \d.*raise rtol or atol"):
        wer(1.5, 20.0, 5.0, rtol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.nan, 1.0, 60.0), "i = nan"),
        ((2.0, -1.0, 60.0), "tau = -1"),
        ((2.0, 1.0, 0.0), "delta = 0"),
        ((2.0, 1.0, 60.0, 1.5), "h = 1.5"),
    ],
)
def test_refuses_impossible_arguments(arguments, message):
    with pytest.raises(ParameterError, match=message):
        wer(*arguments)


def test_refuses_a_tolerance_of_zero():
    with pytest.raises(ParameterError, match="rtol = 0"):
        wer(2.0, 1.0, 60.0, rtol=0.0)
