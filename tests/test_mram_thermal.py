"""Thermal activation: Brown's limit, the handbook's ratios, both solvers, retention."""

from dataclasses import replace

import numpy as np
import pytest

from devicephys.errors import ParameterError
from devicephys.mram import closed_form, fokker_planck, landscape, thermal
from devicephys.mram.pulse import square
from devicephys.mram.write import write_error_rate
from devicephys.parameters import MTJ

DEVICE = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
YEAR = 365.25 * 86400


@pytest.mark.parametrize(
    ("delta", "x", "ratio", "tolerance"),
    [(40, 0.3, 0.953, 1e-3), (40, 0.5, 0.901, 1e-3), (60, 0.5, 0.937, 1e-3), (60, 0.7, 0.81, 0.03)],
)
def test_rates_over_kramers_are_those_of_an_independent_solver(delta, x, ratio, tolerance):
    # At x = 0.7 the barrier is 5.4 k_B T: the way down takes 2 % of the time.
    found = thermal.escape_rate(x, delta) / closed_form.switching_rate(x, delta)
    assert found == pytest.approx(ratio, rel=tolerance)


def test_tends_to_brown_as_the_barrier_grows():
    delta = np.array([30.0, 60.0, 120.0, 240.0])
    shortfall = 1 - thermal.escape_rate(0.0, delta) / closed_form.switching_rate(0.0, delta)
    assert shortfall * delta == pytest.approx(np.full(4, 1.0), rel=0.06)  # 1 - 1/Delta + ...


def test_decay_of_the_fokker_planck_solution():
    k = float(thermal.escape_rate(0.5, 60.0, 0.05))
    early, late = np.log(fokker_planck.wer(0.5, [0.1 / k, 0.2 / k], 60.0, 0.05, rtol=1e-4))
    assert (early - late) / 0.1 == pytest.approx(1.0, rel=1e-4)


def test_asymmetry_of_the_torque_moves_the_barrier():
    slow, fast = (thermal.escape_rate(0.5, 60.0, 0.0, a) for a in (-0.3, 0.3))
    assert fast > thermal.escape_rate(0.5, 60.0) > slow  # g rises away from z = 1 where a > 0
    drift = landscape.drift([0.5], 0.0, [0.3])
    z = np.linspace(-1, 1, 200001)
    phi = landscape.potential(drift, np.array([60.0]), z)[0]
    height = thermal.barrier(drift, np.array([60.0]))[0]
    assert height == pytest.approx(phi.max() - phi[-1], abs=0.05)


def test_auto_joins_the_thermal_law_to_the_solver():
    widths = np.geomspace(1e-8, 1e-3, 6)
    both = [
        write_error_rate(DEVICE, square("current", 14e-6, widths), "P->AP", method, rtol=1e-5)
        for method in ("thermal", "fokker_planck")
    ]
    assert both[0].wer == pytest.approx(both[1].wer, rel=2e-5)
    assert (np.abs(both[0].wer - both[1].wer) <= both[0].error + both[1].error).all()


def test_flip_probability_limits():
    assert thermal.flip_probability(2.0, 0.0, 1e-12) == pytest.approx(2e-12, rel=1e-9)
    assert thermal.flip_probability(3.0, 1.0, 1e9) == pytest.approx(0.75)
    assert thermal.flip_probability(0.0, 0.0, 1.0) == 0.0


def test_retention_of_ten_years_and_its_dependence_on_temperature():
    p = thermal.retention_failure(DEVICE, 10 * YEAR, "AP", 300.0)
    rate = float(closed_form.switching_rate(0.0, 60.0)) / DEVICE.t_d
    assert p == pytest.approx(10 * YEAR * rate, rel=0.02)  # Kramers, 1/Delta corrections
    hot = thermal.retention_failure(DEVICE, 10 * YEAR, "AP", 360.0)
    assert hot / p == pytest.approx(np.sqrt(50 / 60) * np.exp(10), rel=0.01)


def test_stray_field_protects_one_state_and_endangers_the_other():
    device = replace(DEVICE, h_stray=0.05)  # stabilises P
    p, ap = (thermal.retention_failure(device, YEAR, s, 300.0) for s in ("P", "AP"))
    assert np.log(ap / p) == pytest.approx(4 * 60 * 0.05, rel=0.02)  # Delta (1 -+ h)^2


def test_read_disturb_rises_with_a_current_that_writes_and_falls_with_the_other():
    against, none, towards = thermal.read_disturb(DEVICE, [-3e-6, 0.0, 3e-6], 1e-8, "P->AP")
    assert against < none < towards
    assert np.log(towards / none) == pytest.approx(60 * (1 - 0.9**2), rel=0.03)


def test_array_failure_counts_more_than_the_correctable():
    assert thermal.array_failure(0.1, 3) == pytest.approx(1 - 0.9**3)
    assert thermal.array_failure(0.1, 3, 1) == pytest.approx(3 * 0.01 * 0.9 + 0.001)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: thermal.retention_failure(DEVICE, 1.0, "up", 300.0), "unknown state 'up'"),
        (lambda: thermal.retention_failure(DEVICE, -1.0, "P", 300.0), "time = -1"),
        (lambda: thermal.retention_failure(DEVICE, 1.0, "P", 0.0), "temperature = 0"),
        (lambda: thermal.escape_rate(0.0, -5.0), "delta = -5"),
        (lambda: thermal.array_failure(0.1, 72.5), r"bits = 72\.5; expected a whole number"),
        (lambda: thermal.retention_failure(DEVICE, 1.0, "P", [300.0]), r"temperature of shape"),
        (lambda: thermal.array_failure(1.2, 3), r"probability = 1\.2"),
    ],
)
def test_refuses_impossible_arguments(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


def test_extremes_are_zeros_and_not_errors():
    """A barrier of a thousand k_B T, a state that cannot hold the layer, endless times."""
    assert thermal.escape_rate(0.5, 4000.0) == pytest.approx(0.0, abs=1e-300)
    assert thermal.retention_failure(DEVICE, 1.0, "P", 20.0) == 0.0
    assert thermal.read_disturb(DEVICE, -0.9 * 30e-6, 1e-8, "P->AP") == 0.0
    assert thermal.read_disturb(DEVICE, 0.6 * 30e-6, 1e-8, "P->AP") > 1e-5  # barrier 9.6 k_B T
    assert thermal.flip_probability(1e300, 1e300, 1e300) == pytest.approx(0.5)
