"""Load lines: limits, balance of voltages, the user's curve."""

import numpy as np
import pytest

from devicephys.errors import ParameterError
from devicephys.mram.circuit import Access, bias, drop
from devicephys.parameters import MTJ

DEVICE = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2, v_h=0.5)
Z = np.array([1.0, 0.3, 0.0, -1.0])
R_P = np.array([4e3])
CURVE = Access(500.0, (0.0, 0.1, 0.4, 1.0), (0.0, 5e-5, 1.2e-4, 1.5e-4))


def test_end_states_at_low_bias():
    found = bias(DEVICE, "P->AP", "voltage", np.array([1e-3]), Z, Access(), R_P)
    assert found.current[0, [0, 3]] == pytest.approx([1e-3 / 4e3, 1e-3 / 8.8e3], rel=1e-5)
    back = bias(DEVICE, "AP->P", "voltage", np.array([1e-3]), Z, Access(), R_P)
    assert back.current[0, [0, 3]] == pytest.approx(found.current[0, [3, 0]], rel=1e-12)


def test_antiparallel_voltage_solves_its_equation():
    current = np.array([1e-7, 1e-5, 1e-4])
    v = bias(DEVICE, "AP->P", "current", current, np.ones(1), Access(), np.full(3, 4e3)).voltage
    assert v[:, 0] == pytest.approx(current * 4e3 * (1 + 1.2 / (1 + (v[:, 0] / 0.5) ** 2)))


@pytest.mark.parametrize("access", [Access(), Access(r_s=2e3), CURVE])
def test_voltages_add_up_and_power_is_what_the_driver_gives(access):
    found = bias(DEVICE, "AP->P", "voltage", np.array([0.6]), Z, access, R_P)
    assert found.voltage + drop(access, found.current) == pytest.approx(np.full((1, 4), 0.6))
    assert found.power == pytest.approx(0.6 * found.current)
    assert (np.diff(found.current[0]) > 0).all()  # the resistance falls on the way to P


def test_current_drive_is_the_same_at_every_angle():
    found = bias(DEVICE, "P->AP", "current", np.array([6e-5]), Z, Access(r_s=1e3), R_P)
    assert found.current == pytest.approx(np.full((1, 4), 6e-5))
    assert found.power == pytest.approx(6e-5 * (found.voltage + 0.06))


def test_a_curve_of_a_resistor_is_a_resistor():
    curve = Access(0.0, (0.0, 0.2, 1.0), (0.0, 1e-4, 5e-4))
    by_curve, by_resistor = (
        bias(DEVICE, "P->AP", "voltage", np.array([0.5]), Z, a, R_P).current
        for a in (curve, Access(r_s=2e3))
    )
    assert by_curve == pytest.approx(by_resistor, rel=1e-12)


def test_a_current_beyond_the_curve_is_refused():
    with pytest.raises(ParameterError, match=r"beyond the access device's curve.*at most 0.00015"):
        bias(DEVICE, "P->AP", "current", np.array([2e-4]), Z, CURVE, R_P)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0,), r"Access\.r_s = -1 Ohm"),
        ((0.0, (0.0, 0.2, 0.1), (0.0, 1e-5, 2e-5)), "Access.voltage does not rise: 0.2 then 0.1"),
        ((0.0, (0.0, 0.1, 0.2), (0.0, 2e-5, 2e-5)), "Access.current does not rise"),
        ((0.0, (0.1, 0.2), (0.0, 2e-5)), r"Access.voltage starts at 0\.1.*\(0, 0\)"),
        ((0.0, (0.0, 0.2), (0.0,)), "2 voltages and 1 currents"),
        ((0.0, (0.0, np.nan), (0.0, 1e-5)), "Access.voltage = nan"),
    ],
)
def test_refuses_impossible_access_devices(arguments, message):
    with pytest.raises(ParameterError, match=message):
        Access(*arguments)
