"""Write error of square pulses for fits: the same as the front door's, and its refusals."""

from dataclasses import replace

import numpy as np
import pytest

from devicephys.errors import ParameterError
from devicephys.mram.pulse import square
from devicephys.mram.square_pulse import log_write_error_rate
from devicephys.mram.write import write_error_rate
from devicephys.parameters import DIRECTIONS, MTJ

DEVICE = MTJ(delta=55, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2, h_stray=0.04)
WIDTHS = np.array([1e-9, 3e-9, 6e-9])


@pytest.mark.parametrize("lam", [1.0, 1.4])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(("drive", "factor"), [("current", 1.0), ("voltage", 5e3)])
def test_agrees_with_the_front_door(drive, factor, direction, lam):
    device = replace(DEVICE, lam=lam)
    level = np.array([1.6, 2.2])[:, None] * device.i_c0(direction) * factor
    level, width = (x.ravel() for x in np.broadcast_arrays(level, WIDTHS))
    exact = write_error_rate(device, square(drive, level, width), direction, "fokker_planck")
    found = log_write_error_rate(device, drive, level, width, direction)
    assert found == pytest.approx(np.log(exact.wer), abs=2e-5)


def test_points_come_back_in_their_order():
    level, width = np.array([5e-5, 4e-5, 5e-5]), np.array([5e-9, 4e-9, 2e-9])
    together = log_write_error_rate(DEVICE, "current", level, width, "P->AP")
    one_by_one = [
        log_write_error_rate(DEVICE, "current", level[[k]], width[[k]], "P->AP")[0]
        for k in range(3)
    ]
    assert together == pytest.approx(one_by_one, abs=1e-6)


@pytest.mark.parametrize("field", ["h_field_like", "h_k_slope", "r_th"])
def test_refuses_effects_that_it_does_not_know(field):
    device = replace(DEVICE, **{field: 0.01})
    with pytest.raises(ParameterError, match=rf"{field} = 0.01.*write_error_rate"):
        log_write_error_rate(device, "current", np.array([5e-5]), np.array([5e-9]), "P->AP")


def test_refuses_a_level_of_zero_and_an_unknown_drive():
    with pytest.raises(ParameterError, match="level = 0"):
        log_write_error_rate(DEVICE, "voltage", np.array([0.0]), np.array([5e-9]), "P->AP")
    with pytest.raises(ParameterError, match="unknown drive 'power'"):
        log_write_error_rate(DEVICE, "power", np.array([1.0]), np.array([5e-9]), "P->AP")
