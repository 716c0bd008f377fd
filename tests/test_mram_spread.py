"""Array averages against brute force, reference values and the limit of no spread."""

from dataclasses import replace

import numpy as np
import pytest

from devicephys.errors import ParameterError
from devicephys.mram import fokker_planck
from devicephys.mram.spread import Spread, mean_write_error_rate
from devicephys.mram.write import write_error_rate
from devicephys.parameters import MTJ

DEVICE = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)


def test_reference_values_at_five_percent_of_the_critical_current():
    mean = mean_write_error_rate(DEVICE, Spread(0, 0.05), 60e-6, [10e-9, 15e-9], "P->AP")
    assert mean == pytest.approx([3.886e-7, 1.10e-10], rel=1e-3)


def test_no_spread_is_the_single_device():
    widths = np.array([2e-9, 8e-9])
    mean = mean_write_error_rate(DEVICE, Spread(0, 0), 60e-6, widths, "AP->P")
    assert mean == pytest.approx(write_error_rate(DEVICE, 60e-6, widths, "AP->P"), rel=1e-9)


def test_equals_the_mean_over_drawn_devices():
    rng = np.random.default_rng(5)
    sigma = Spread(0.05, 0.03, 0.02)
    drawn = [
        write_error_rate(
            replace(
                DEVICE,
                delta=DEVICE.delta * np.exp(rng.normal(0, sigma.sigma_delta)),
                i_c0_p_ap=DEVICE.i_c0_p_ap * np.exp(rng.normal(0, sigma.sigma_i_c0)),
                t_d=DEVICE.t_d * np.exp(rng.normal(0, sigma.sigma_t_d)),
            ),
            60e-6, 5e-9, "P->AP", rtol=1e-3,
        )
        for _ in range(600)
    ]  # fmt: skip
    mean = float(mean_write_error_rate(DEVICE, sigma, 60e-6, 5e-9, "P->AP"))
    error = np.std(drawn) / np.sqrt(len(drawn))
    assert abs(np.mean(drawn) - mean) < 4.5 * error  # false alarm 7e-6, seed fixed
    assert error < 0.03 * mean  # the comparison can tell 15 %


def test_correlated_spreads_equal_the_mean_over_drawn_devices():
    """H_k varies: Delta and I_c0 rise with it, t_D falls."""
    sigma = Spread(0.04, 0.04, 0.04, rho_i_c0_delta=1, rho_i_c0_t_d=-1, rho_delta_t_d=-1)
    f = np.exp(np.random.default_rng(6).normal(0, 0.04, 2000))
    i, tau = 2.0 / f, 8.0 * f
    drawn = fokker_planck.wer(i, tau, 60 * f, rtol=1e-3)
    mean = float(mean_write_error_rate(DEVICE, sigma, 60e-6, 8e-9, "P->AP"))
    error = drawn.std() / np.sqrt(len(drawn))
    assert abs(drawn.mean() - mean) < 4.5 * error  # false alarm 7e-6, seed fixed
    apart = float(mean_write_error_rate(DEVICE, Spread(0.04, 0.04, 0.04), 60e-6, 8e-9, "P->AP"))
    assert apart > 1.3 * mean


def test_refuses_a_negative_spread():
    with pytest.raises(ParameterError, match=r"Spread\.sigma_i_c0 = -0\.1"):
        Spread(0.0, -0.1)
