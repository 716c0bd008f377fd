"""The Fokker-Planck solver against reference values, exact integrals, limits and itself."""

import numpy as np
import pytest
from devicephys.validation import fokker_planck_reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from devicephys.errors import AccuracyError, ParameterError
from devicephys.mram import fokker_planck, galerkin, landscape
from devicephys.mram.fokker_planck import Stage, occupation, solve, solve_stages, wer

QUICK = settings(max_examples=25, deadline=None, derandomize=True)
overdrive = st.floats(0.2, 4.0)
stability = st.floats(20.0, 100.0)


def test_reference_values():
    assert [f.name for f in fokker_planck_reference.run() if not f.holds] == []


def test_zero_width_writes_nothing():
    assert wer(3.0, 0.0, 60.0) == pytest.approx(1.0, abs=1e-7)


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
@given(i=st.floats(1.2, 3.5), tau=st.floats(1.0, 20.0), delta=st.floats(40.0, 100.0))
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
        ((2.0, 1.0, 60.0, 0.0, 0.9), r"asymmetry = 0\.9.*Lambda between 1/3 and 3"),
        (([1.0, 2.0], [1.0, 2.0, 3.0], 60.0), r"shapes that do not fit: i \(2,\).*tau \(3,\)"),
        (([], 1.0, 60.0), "nothing to compute"),
        (("two", 1.0, 60.0), "i = 'two'"),
    ],
)
def test_refuses_impossible_arguments(arguments, message):
    with pytest.raises(ParameterError, match=message):
        wer(*arguments)


def test_refuses_a_tolerance_of_zero():
    with pytest.raises(ParameterError, match="rtol = 0"):
        wer(2.0, 1.0, 60.0, rtol=0.0)


def test_estimated_error_covers_the_error_and_the_deep_tail():
    """Against twice the truncation order: relative 1e-4 to 1e-18 and 1e-3 to 1e-30 are asked."""
    i, tau = np.linspace(1.1, 3.0, 12)[:, None], np.linspace(0.3, 30, 40)
    found = solve(i, tau, 60.0)
    exact = solve(i, tau, 60.0, rtol=1e-9, atol=1e-60).wer
    deep = exact > 1e-60
    error = np.abs(found.wer - exact)
    assert (error[deep] <= found.error[deep] + 1e-8 * exact[deep]).all()
    assert (error[deep] <= 1e-5 * exact[deep]).all()
    assert found.wer.min() < 1e-45
    assert ((found.wer >= 0) & (found.wer <= 1)).all()
    assert (np.diff(found.wer, axis=1) <= 0).all()


@pytest.mark.parametrize("a", [0.0, 5 / 13, -5 / 13])  # Lambda = 1, 1.5 from P, 1.5 from AP
def test_falls_monotonically_with_field_and_asymmetry(a):
    found = wer(np.linspace(1.1, 3, 8)[:, None], np.linspace(0.1, 20, 50), 60.0, 0.05, a)
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found, axis=1) <= 0).all()
    assert (np.diff(found, axis=0) <= 1e-7).all()  # near one: round-off of the start


def test_asymmetry_keeps_the_critical_current_and_changes_the_way():
    # The instability at the pole is that of i alone: the same tail rate at large Delta.
    rate = [-np.diff(np.log(wer(2.0, [19.0, 20.0], 200.0, 0.0, a)))[0] for a in (0.0, 0.3, -0.3)]
    assert rate == pytest.approx([rate[0]] * 3, rel=0.02)
    # g = (1 + a)/(1 + a z) rises on the way where a > 0, and helps.
    assert wer(2.0, 6.0, 60.0, 0.0, 0.3) < wer(2.0, 6.0, 60.0) < wer(2.0, 6.0, 60.0, 0.0, -0.3)


def test_relaxed_readout_is_the_sign_for_a_slow_layer_and_differs_with_a_field():
    sign, relaxed = (wer(2.0, 5.0, 60.0, readout=r) for r in ("sign", "relaxed"))
    assert relaxed == pytest.approx(sign, rel=5e-3)
    # A field that stabilises the initial state pulls back some of what had just crossed z = 0.
    sign, relaxed = (wer(2.0, 5.0, 60.0, 0.1, readout=r) for r in ("sign", "relaxed"))
    assert 1.03 < relaxed / sign < 1.5


def test_relaxed_readout_equals_a_long_rest_read_by_the_sign():
    rest, delta = landscape.drift([0.0], 0.05), np.array([60.0])
    write = Stage(landscape.drift([1.8], 0.05), 1 / (2 * delta), np.array([[5.0]]))
    wait = Stage(rest, 1 / (2 * delta), np.array([[30.0]]))
    waited = solve_stages(rest, delta, lambda _: [write, wait]).wer
    relaxed = wer(1.8, 5.0, 60.0, 0.05, readout="relaxed")
    assert waited[0, 0] == pytest.approx(float(relaxed), rel=1e-4)


def test_committor_of_a_symmetric_barrier_is_an_error_function():
    z = np.linspace(-0.4, 0.4, 9)
    q = landscape.committor(landscape.drift([0.0]), np.array([400.0]), z[None])[0]
    assert q == pytest.approx((1 + erf(20 * z)) / 2, abs=2e-4)  # 1/(1 - z^2) is near one there


def test_splitting_a_pulse_changes_nothing():
    rest, delta = landscape.drift([0.0, 0.0]), np.full(2, 60.0)
    f, noise = landscape.drift([1.7, 2.3]), 1 / (2 * delta)
    parts = [Stage(f, noise, np.full((2, 1), t)) for t in (1.0, 2.5, 3.5)]
    split = solve_stages(rest, delta, lambda _: parts).wer[:, 0]
    assert split == pytest.approx(wer([1.7, 2.3], 7.0, 60.0), rel=1e-8)


def test_stage_with_shared_widths_between_two_others():
    rest, delta = landscape.drift([0.0]), np.array([60.0])
    f, noise, widths = landscape.drift([2.0]), 1 / (2 * delta), np.array([1.0, 2.0, 3.3])
    ends = Stage(f, noise, np.array([[0.7]]))
    found = solve_stages(rest, delta, lambda _: [ends, Stage(f, noise, widths[None]), ends]).wer
    assert found[0] == pytest.approx(wer(2.0, widths + 1.4, 60.0), rel=1e-8)


def test_a_weaker_second_level_writes_less():
    rest, delta = landscape.drift([0.0]), np.array([60.0])
    strong, weak, none = (
        Stage(landscape.drift([i]), 1 / (2 * delta), np.array([[4.0]])) for i in (2.0, 1.2, 0.0)
    )
    both, mixed, rested = (
        float(solve_stages(rest, delta, lambda _, s=s: [strong, s]).wer[0, 0])
        for s in (strong, weak, none)
    )
    assert both < mixed < rested
    assert rested == pytest.approx(wer(2.0, 4.0, 60.0, readout="relaxed"), rel=1e-2)


def test_occupation_integrates_to_the_duration_and_to_the_mean_time_in_a_state():
    rest, delta = landscape.drift([0.0]), np.array([60.0])
    stage = Stage(landscape.drift([2.0]), 1 / (2 * delta), np.array([[20.0]]))
    z = galerkin.read_points(np.ones(1))
    assert occupation(rest, delta, [stage], [1 + 0 * z])[0, 0] == pytest.approx(20.0, rel=1e-9)
    # d<z>/d tau = -<(1 - z^2)(i - z)> - <z>/Delta: the balance of the mean over the pulse.
    flow, mean = occupation(rest, delta, [stage], [(1 - z**2) * (2 - z) + z / 60]), -1.0
    start = 1 - 1 / (2 * 60) - 1 / (2 * 60) ** 2  # <z> of the Boltzmann law, to 1e-5
    end = -(1 - 1 / (2 * 60 * 3))  # exponential law of 1 + z with rate 2 Delta (i + 1)
    assert mean * float(flow[0, 0]) == pytest.approx(end - start, abs=2e-4)


def test_mass_is_conserved_on_the_whole_interval():
    b, delta = np.ones(2), np.array([20.0, 90.0])
    f = landscape.drift([0.0, 2.5])
    a = galerkin.generator(60, b, f, 1 / (2 * delta))
    total = galerkin.below(60, b, b)
    assert np.abs(np.einsum("rn,rnm->rm", total, a)).max() < 1e-9
    c = galerkin.boltzmann(60, b, landscape.drift([0.0, 0.0]), delta)
    later = galerkin.propagate(a, c, np.array([50.0]))[:, :, 0]
    assert np.einsum("rn,rn->r", total, later) == pytest.approx([1.0, 1.0], abs=1e-9)


def test_stationary_state_is_the_boltzmann_law_of_the_drift():
    """Detailed balance: at long times <z> under i is that of exp(-Phi)."""
    delta, b = np.array([6.0]), np.ones(1)
    f = landscape.drift([0.3], 0.1)
    a = galerkin.generator(60, b, f, 1 / (2 * delta))
    c = galerkin.boltzmann(60, b, landscape.drift([0.0], 0.1), delta)
    z = galerkin.read_points(b)
    late = galerkin.propagate(a, c, np.array([2000.0]))[:, :, 0]
    found = np.einsum("rn,rn->r", galerkin.weighted(60, b, z), late)
    y = np.linspace(-1, 1, 20001)
    law = np.exp(-2 * 6.0 * ((0.3 - 0.1) * y - y**2 / 2))
    mean = np.trapezoid(law * y, y) / np.trapezoid(law, y)
    assert found[0] == pytest.approx(mean, abs=1e-6)


def test_exponential_and_ladder_agree_with_scipy():
    from scipy.linalg import expm

    rng = np.random.default_rng(3)
    a = rng.normal(size=(3, 9, 9)) - 3 * np.eye(9)
    assert galerkin.exponential(a) == pytest.approx(np.array([expm(x) for x in a]), rel=1e-10)
    widths = np.array([0.0, 0.4, 1.1, 7.3])
    start = rng.normal(size=(3, 9))
    found = galerkin.propagate(a, start, widths)
    exact = [[expm(x * t) @ v for t in widths] for x, v in zip(a, start, strict=True)]
    assert np.swapaxes(found, 1, 2) == pytest.approx(np.array(exact), rel=1e-9, abs=1e-12)


def test_blocks_hold_every_point_once():
    rng = np.random.default_rng(8)
    points = rng.integers(0, 4, size=(300, 3)).astype(float)
    seen = []
    for rows, widths, where in fokker_planck.blocks(points):
        found = np.broadcast_to(widths, where.shape)
        assert (points[where, -1] == found).all()
        assert (points[where, :-1] == rows[:, None]).all()
        seen += where.ravel().tolist()
    assert sorted(seen) == list(range(300))
    assert list(fokker_planck.blocks(points[:0])) == []


def test_row_that_cannot_be_solved_is_named():
    with pytest.raises(AccuracyError, match=r"i = 1\.5, delta = 5, h = 0, asymmetry = 0 is uncer"):
        wer([2.0, 1.5], 20.0, [60.0, 5.0], rtol=1e-8)


@pytest.mark.parametrize(("i", "delta"), [(4.0, 3.0), (2.0, 5.0), (1.2, 8.0)])
def test_soft_cells_come_back_and_are_not_said_to_stay(i, delta):
    """At long times WER is the stationary weight of z > 0, far above the truncated solution."""
    z = np.linspace(-1, 1, 400001)
    law = np.exp(-2 * delta * (i * z - z**2 / 2 + i + 0.5))
    exact = np.trapezoid(np.where(z > 0, law, 0), z) / np.trapezoid(law, z)
    found = solve(i, 60.0, delta, atol=1e-11)
    assert abs(found.wer - exact) <= found.error + 1e-4 * exact
    with pytest.raises(AccuracyError, match="may return from the switched state"):
        solve(i, 60.0, delta, rtol=1e-9)


def test_an_endless_pulse_is_refused_without_a_warning():
    with pytest.raises(AccuracyError):
        wer([0.0, 0.5, 2.0], 1e12, 60.0)


def test_relaxed_rate_does_not_jump_with_delta():
    """The written layer that falls back is left out on either side of where the cut moves."""
    found = wer(3.0, 6.0, [13.9, 14.1], readout="relaxed", atol=1e-12)
    assert found[1] == pytest.approx(found[0], rel=0.1)
