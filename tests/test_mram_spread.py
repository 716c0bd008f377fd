"""Array averages against brute force, reference values, slopes, quantiles and counts."""

from dataclasses import replace

import numpy as np
import pytest

from devicephys.errors import AccuracyError, ParameterError
from devicephys.mram import fokker_planck, junction, landscape, literature, many_currents
from devicephys.mram.pulse import square
from devicephys.mram.spread import (
    Spread,
    covariance,
    factor,
    failure_counts,
    mean_write_error_rate,
    spread_from_stack,
    wer_quantile,
)
from devicephys.mram.write import write_error_rate
from devicephys.parameters import MTJ, Stack

DEVICE = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
STACK = Stack(
    diameter=40e-9, t_f=1.2e-9, m_s=1.1e6, k_i=1.1e-3, alpha=0.01,
    eta_p_ap=0.5, eta_ap_p=0.7, ra=5e-12, tmr=1.2,
)  # fmt: skip
TEN = square("current", 60e-6, [6e-9, 10e-9])


def trapezoid_mean(sigma, tau, readout="relaxed"):
    """An independent quadrature over I_c0 alone: 801 points from -14 to 14 standard deviations."""
    y = np.linspace(-14, 14, 801)
    wer = fokker_planck.wer(2 / np.exp(sigma * y), tau, 60.0, readout=readout, atol=1e-60)
    return np.trapezoid(wer * np.exp(-(y**2) / 2), y) / np.sqrt(2 * np.pi)


def test_reference_values_at_five_percent_of_the_critical_current():
    # The independent values are read by the sign of z, which is 0.2 % below.
    assert trapezoid_mean(0.05, 10.0, "sign") == pytest.approx(3.886e-7, rel=2e-4)
    found = mean_write_error_rate(DEVICE, Spread(0, 0.05), square("current", 60e-6, 10e-9), "P->AP")
    assert found.wer == pytest.approx(3.886e-7, rel=4e-3)


def test_at_most_fifteen_nodes_give_the_mean_to_a_ten_thousandth_at_1e_10():
    found = mean_write_error_rate(DEVICE, Spread(0, 0.05), square("current", 60e-6, 15e-9), "P->AP")
    exact = trapezoid_mean(0.05, 15.0)
    assert exact == pytest.approx(1.10e-10, rel=5e-3)
    assert found.nodes <= 15
    assert found.wer == pytest.approx(exact, rel=2e-5)
    assert abs(found.wer - exact) <= found.error + 1e-5 * exact
    assert found.error <= 1e-4 * exact


def test_no_spread_is_the_single_device():
    found = mean_write_error_rate(DEVICE, Spread(0, 0), TEN, "AP->P")
    assert found.wer == pytest.approx(write_error_rate(DEVICE, TEN, "AP->P").wer, rel=1e-6)
    assert found.nodes == 1


@pytest.mark.parametrize(
    "spread",
    [
        Spread(0.08, 0.03, 0.02),
        Spread(0.04, 0.04, 0.04, 1, -1, -1),
        Spread(0.1, 0.03, 0.02, 0.8, -0.5, -0.3),
    ],
    ids=["independent", "through K", "correlated"],
)
def test_equals_the_mean_over_drawn_devices(spread):
    y = np.random.default_rng(6).standard_normal((3000, 3))
    root = np.linalg.cholesky(covariance(spread)[:3, :3] + 1e-12 * np.eye(3))
    f_i, f_delta, f_t = np.exp(y @ root.T).T
    drawn = fokker_planck.wer(2 / f_i, 6 / f_t, 60 * f_delta, readout="relaxed", rtol=1e-3)
    found = mean_write_error_rate(DEVICE, spread, TEN, "P->AP", rtol=1e-3)
    error = drawn.std() / np.sqrt(len(drawn))
    assert abs(drawn.mean() - found.wer[0]) < 4.5 * error  # false alarm 7e-6, seed fixed
    assert error < 0.04 * found.wer[0]  # the comparison can tell 18 %


def test_slopes_are_those_of_the_mean():
    spread = Spread(0.1, 0.03, 0.02, 0.8, -0.5, -0.3)
    found = mean_write_error_rate(DEVICE, spread, TEN, "P->AP", rtol=1e-3)
    step = 1e-3
    for k, name in enumerate(("i_c0_p_ap", "delta", "t_d")):
        up, down = (
            mean_write_error_rate(
                replace(DEVICE, **{name: getattr(DEVICE, name) * np.exp(s)}), spread, TEN, "P->AP",
                rtol=1e-3,
            ).wer
            for s in (step, -step)
        )  # fmt: skip
        assert found.slopes[:, k] == pytest.approx(np.log(up / down) / (2 * step), rel=5e-3)
    wide, narrow = (
        mean_write_error_rate(
            DEVICE,
            replace(spread, **{f"sigma_{x}": getattr(spread, f"sigma_{x}") * np.exp(s)
                               for x in ("i_c0", "delta", "t_d")}),
            TEN, "P->AP", rtol=1e-3,
        ).wer
        for s in (step, -step)
    )  # fmt: skip
    assert found.slope_spread == pytest.approx(np.log(wide / narrow) / (2 * step), rel=5e-3)


def test_share_that_fails_at_least_once_in_many_writes():
    pulse = square("current", 60e-6, 10e-9)
    few, many = (
        mean_write_error_rate(DEVICE, Spread(0, 0.05), pulse, "P->AP", writes=n, rtol=5e-3).wer
        for n in (10, 10**5)
    )
    y = np.linspace(-12, 12, 2001)
    wer = fokker_planck.wer(2 / np.exp(0.05 * y), 10.0, 60.0, readout="relaxed", atol=1e-60)
    ever = -np.expm1(1e5 * np.log1p(-wer))
    exact = np.trapezoid(ever * np.exp(-(y**2) / 2), y) / np.sqrt(2 * np.pi)
    assert many == pytest.approx(exact, rel=3e-3)  # saturates: no longer a bell
    assert many < 0.95 * 1e5 * trapezoid_mean(0.05, 10.0)  # the same weak devices fail again
    assert few == pytest.approx(10 * trapezoid_mean(0.05, 10.0), rel=1e-3)


def test_quantiles_against_drawn_devices():
    spread = Spread(0.1, 0.03, 0.02, 0.8, -0.5, -0.3)
    pulse = square("current", 60e-6, 6e-9)
    y = np.random.default_rng(9).standard_normal((4000, 3))
    f_i, f_delta, f_t = np.exp(y @ np.linalg.cholesky(covariance(spread)[:3, :3]).T).T
    drawn = fokker_planck.wer(2 / f_i, 6 / f_t, 60 * f_delta, readout="relaxed", rtol=1e-3)
    for share in (0.1, 0.5, 0.9, 0.99):
        found = wer_quantile(DEVICE, spread, pulse, "P->AP", share)
        below = (drawn < found).mean()
        error = np.sqrt(share * (1 - share) / len(drawn))
        assert abs(below - share) < 4.5 * error  # false alarm 7e-6, seed fixed


def test_quantile_of_one_direction_is_the_device_at_that_place():
    pulse = square("current", 60e-6, 6e-9)
    found = wer_quantile(DEVICE, Spread(0, 0.05), pulse, "P->AP", 0.975)
    device = replace(DEVICE, i_c0_p_ap=30e-6 * np.exp(0.05 * 1.959964))
    assert found == pytest.approx(write_error_rate(device, pulse, "P->AP").wer, rel=1e-5)


def test_spread_of_a_stack_is_that_of_drawn_stacks():
    spread = spread_from_stack(STACK, 0.004, 0.01, 0.02)
    rng = np.random.default_rng(11)
    drawn = []
    for k, d, ra in np.exp(rng.standard_normal((3000, 3)) * [0.004, 0.01, 0.02]):
        mtj = junction.mtj_from_stack(
            replace(STACK, k_i=STACK.k_i * k, diameter=STACK.diameter * d, ra=STACK.ra * ra)
        )
        drawn.append(np.log([mtj.i_c0_p_ap, mtj.delta, mtj.t_d, mtj.r_p]))
    # 3000 draws know a variance to 2.6 %: five standard errors.
    found, exact = np.cov(np.array(drawn).T), covariance(spread)
    scale = np.sqrt(np.outer(exact.diagonal(), exact.diagonal()))
    assert np.abs(found / scale - exact / scale).max() < 0.13


def test_factor_reproduces_the_covariance_and_drops_what_does_not_vary():
    spread = Spread(0.04, 0.04, 0.04, 1, -1, -1)
    root = factor(spread)
    assert root.shape == (4, 1)
    assert root @ root.T == pytest.approx(covariance(spread), abs=1e-15)
    assert factor(Spread(0, 0)).shape == (4, 0)


def test_failure_counts_hold_their_level():
    low, high = failure_counts(1e-3, 10_000)
    drawn = np.random.default_rng(2).binomial(10_000, 1e-3, 20_000)
    inside = ((drawn >= low) & (drawn <= high)).mean()
    assert 0.945 < inside < 0.985  # discrete: at least 95 %


def test_interpolation_over_currents_agrees_with_single_solutions():
    i, tau = np.linspace(0.8, 4.0, 700)[:, None], np.linspace(1, 25, 7)
    dense = many_currents.solve(i, tau, 60.0, 0.03, 0.2, readout="relaxed", atol=1e-40)
    some = fokker_planck.solve(i[::50], tau, 60.0, 0.03, 0.2, readout="relaxed", atol=1e-40)
    assert (np.abs(dense.wer[::50] - some.wer) <= 3e-6 * some.wer + 1e-39).all()


def test_interpolation_gives_way_where_rates_vanish():
    i = np.linspace(1.0, 8.0, 500)
    dense = many_currents.solve(i, 60.0, 60.0, atol=0.0)
    some = fokker_planck.solve(i[::100], 60.0, 60.0)
    assert dense.wer[::100] == pytest.approx(some.wer, rel=1e-5, abs=1e-279)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Spread(0.0, -0.1), r"Spread\.sigma_i_c0 = -0\.1"),
        (lambda: factor(Spread(0.1, 0.1, 0.1, 1, 1, -1)), "correlations contradict each other"),
        (lambda: spread_from_stack(STACK, -0.1, 0.0), "sigma_k_i = -0.1"),
        (lambda: wer_quantile(DEVICE, Spread(0, 0.1), TEN, "P->AP", 1.0), "share = 1"),
        (lambda: failure_counts(1.5, 3), r"probability = 1\.5"),
        (
            lambda: mean_write_error_rate(DEVICE, Spread(0, 0.1), TEN, "P->AP", writes=0),
            "writes = 0",
        ),
        (lambda: failure_counts(1e-6, 8.5), r"devices = 8\.5"),
    ],
)
def test_refuses_impossible_spreads(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


def test_a_spread_too_wide_for_the_tolerance_is_refused():
    with pytest.raises(AccuracyError, match=r"mean write error rate is uncertain by \d"):
        mean_write_error_rate(DEVICE, Spread(0.3, 0.3), TEN, "P->AP", rtol=1e-9)


def test_more_failing_devices_than_rare_events_are_refused():
    with pytest.raises(AccuracyError, match=r"1 of the devices fail at least once in 10 writes"):
        mean_write_error_rate(
            DEVICE, Spread(0, 0.05), square("current", 0.0, 3e-9), "P->AP", writes=10
        )


def test_correlated_spread_of_a_stiff_published_junction_is_within_the_default_tolerance():
    stack = replace(literature.garcia_redondo_2021(), vcma=0.0)
    mtj, spread = junction.mtj_from_stack(stack), spread_from_stack(stack, 0.01, 0.02, 0.03)
    pulse = square("current", 3e-4, 5e-9)
    found = mean_write_error_rate(mtj, spread, pulse, "P->AP", rtol=1e-2)
    y = np.random.default_rng(3).standard_normal((4000, 4))
    values, vectors = np.linalg.eigh(covariance(spread))
    deviations = y @ (vectors * np.sqrt(np.maximum(values, 0))).T
    # Importance sampling about the peak, along the linear slopes that the nodes have found.
    shift = covariance(spread) @ found.slopes
    weight = np.exp(-deviations @ found.slopes - shift @ found.slopes / 2)
    f_i, f_delta, f_t, _ = np.exp(deviations + shift).T
    a = float(landscape.asymmetry(1.2, True))
    wer = fokker_planck.wer(
        3e-4 / mtj.i_c0_p_ap / f_i, 5e-9 / mtj.t_d / f_t, mtj.delta * f_delta, 0.0, a,
        readout="relaxed", rtol=1e-3, atol=1e-25,
    )  # fmt: skip
    sample = weight * wer
    error = sample.std() / np.sqrt(len(sample))
    assert abs(sample.mean() - found.wer) < 4.5 * error  # false alarm 7e-6, seed fixed
    assert error < 0.03 * found.wer


def test_quantiles_near_one_are_ordered_and_hold_their_share():
    pulse = square("current", 39e-6, 3e-9)
    spread = Spread(0.1, 0.05, 0.05)
    y = np.random.default_rng(4).standard_normal((3000, 3))
    f_delta, f_i, f_t = np.exp(y * [0.1, 0.05, 0.05]).T
    drawn = fokker_planck.wer(1.3 / f_i, 3 / f_t, 60 * f_delta, readout="relaxed", rtol=1e-3)
    for share in (0.05, 0.5, 0.95):
        found = wer_quantile(DEVICE, spread, pulse, "P->AP", share)
        error = np.sqrt(share * (1 - share) / len(drawn))
        assert abs((drawn < found).mean() - share) < 4.5 * error  # false alarm 7e-6, seed fixed
