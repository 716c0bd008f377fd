"""Write error and energy in physical units: reduction, energy balance, refusals."""

import numpy as np
import pytest

from devicephys.errors import ParameterError
from devicephys.mram import fokker_planck
from devicephys.mram.junction import antiparallel_voltage
from devicephys.mram.write import write_energy, write_error_rate
from devicephys.parameters import MTJ

DEVICE = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1.2e-9, r_p=4e3, tmr=1.2)


def test_reduces_current_and_width_by_direction():
    assert write_error_rate(DEVICE, 60e-6, 6e-9, "P->AP") == fokker_planck.wer(2.0, 5.0, 60.0)
    assert write_error_rate(DEVICE, 60e-6, 6e-9, "AP->P") == fokker_planck.wer(3.0, 5.0, 60.0)


def test_broadcasts_currents_against_widths():
    found = write_error_rate(DEVICE, np.array([[50e-6], [60e-6]]), [2e-9, 4e-9, 6e-9], "P->AP")
    assert found.shape == (2, 3)
    assert (np.diff(found, axis=0) < 0).all()


@pytest.mark.parametrize(("direction", "start", "end"), [("P->AP", 0, 1), ("AP->P", 1, 0)])
def test_energy_goes_from_the_initial_to_the_final_state(direction, start, end):
    current = 90e-6
    power = current * np.array(
        [
            current * DEVICE.r_p,
            float(antiparallel_voltage(current, DEVICE.r_p, DEVICE.tmr, DEVICE.v_h)),
        ]
    )
    short, long = write_energy(DEVICE, current, [1e-12, 200e-9], direction)
    assert short == pytest.approx(power[start] * 1e-12, rel=1e-6)
    slope = (write_energy(DEVICE, current, 201e-9, direction) - long) / 1e-9
    assert slope == pytest.approx(power[end], rel=1e-6)


def test_energy_is_the_time_integral_of_the_mean_power():
    current, width = 60e-6, 8e-9
    t = np.linspace(0, width, 801)
    wer = write_error_rate(DEVICE, current, t[1:], "P->AP", atol=1e-9)
    stay = np.r_[1.0, wer]
    v_ap = float(antiparallel_voltage(current, DEVICE.r_p, DEVICE.tmr, DEVICE.v_h))
    power = current * (stay * current * DEVICE.r_p + (1 - stay) * v_ap)
    integral = np.trapezoid(power, t)
    assert write_energy(DEVICE, current, width, "P->AP") == pytest.approx(integral, rel=1e-5)


def test_refuses_a_signed_current_and_says_how_to_give_the_direction():
    with pytest.raises(ParameterError, match=r"current for AP->P = -6e-05 A.*magnitude"):
        write_error_rate(DEVICE, -60e-6, 5e-9, "AP->P")


@pytest.mark.parametrize("width", [0.0, -1e-9, np.nan, np.inf])
def test_refuses_an_impossible_width(width):
    with pytest.raises(ParameterError, match="pulse_width"):
        write_error_rate(DEVICE, 60e-6, width, "P->AP")


def test_refuses_an_unknown_direction():
    with pytest.raises(ParameterError, match=r"unknown direction 'P-AP'.*P->AP"):
        write_energy(DEVICE, 60e-6, 5e-9, "P-AP")
