"""Switching fields: the rate against the solver's, the law against its integral, Sharrock."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from devicephys.constants import MU_0
from devicephys.errors import ParameterError
from devicephys.mram import switching_field, thermal
from devicephys.parameters import MTJ

DEVICE = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
H_K, RATE = 3e5, 1.0  # A/m, T/s
UNIT = MU_0 * H_K


@pytest.mark.parametrize("delta", [30.0, 60.0, 100.0])
def test_the_rate_is_the_exact_one(delta):
    x = np.array([-0.3, 0.0, 0.3, 0.6])
    exact = thermal.escape_rate(x, delta)
    assert np.exp(switching_field.log_rate(x, delta)) == pytest.approx(exact, rel=1e-6)


def test_the_cumulated_rate_is_its_integral():
    def rate(x):
        return float(np.exp(switching_field.log_rate(x, 60.0)))

    fields = np.array([0.5, 0.55, 0.6]) * UNIT
    found = switching_field.cumulated(fields, DEVICE, H_K, "P->AP", RATE)
    for x, value in zip(fields / UNIT, found, strict=True):
        exact = quad(rate, -0.2, x, epsrel=1e-10)[0] * UNIT / (RATE * DEVICE.t_d)
        assert value == pytest.approx(exact, rel=1e-6)


def test_quantiles_invert_the_law():
    p = np.array([0.05, 0.5, 0.95])
    fields = switching_field.quantile(p, DEVICE, H_K, "P->AP", RATE)
    left = np.exp(-switching_field.cumulated(fields, DEVICE, H_K, "P->AP", RATE))
    assert 1 - left == pytest.approx(p, abs=1e-3)


@pytest.mark.parametrize("delta", [30.0, 60.0, 100.0])
@pytest.mark.parametrize("rate", [1e-2, 1.0])
def test_the_median_follows_sharrock(delta, rate):
    device = replace(DEVICE, delta=delta)
    median = switching_field.quantile(0.5, device, H_K, "P->AP", rate)
    law = switching_field.coercive_field(device, H_K, "P->AP", rate)
    assert abs(median - law) < 2e-3 * UNIT


def test_a_stray_field_shifts_both_directions_oppositely_and_nothing_else():
    shifted = replace(DEVICE, h_stray=0.1)
    middle = float(switching_field.quantile(0.5, DEVICE, H_K, "P->AP", RATE))
    moves = [
        float(switching_field.quantile(0.5, shifted, H_K, d, RATE)) - middle
        for d in ("P->AP", "AP->P")
    ]
    assert moves == pytest.approx([0.1 * UNIT, -0.1 * UNIT], rel=1e-4)


def test_a_faster_field_switches_later():
    medians = [
        float(switching_field.quantile(0.5, DEVICE, H_K, "P->AP", r)) for r in (1e-3, 1.0, 1e3)
    ]
    assert medians[0] < medians[1] < medians[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"h_k": 0.0}, "h_k = 0"), ({"rate": -1.0}, "rate = -1"), ({"field": np.nan}, "field = nan")],
)
def test_refuses_what_makes_no_sense(change, message):
    arguments = {"field": [0.1], "mtj": DEVICE, "h_k": H_K, "direction": "P->AP", "rate": RATE}
    with pytest.raises(ParameterError, match=message):
        switching_field.cumulated(**(arguments | change))
