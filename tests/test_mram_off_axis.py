"""The front door where something acts across the axis: frames, methods, pulses, refusals."""

import numpy as np
import pytest

from devicephys.errors import AccuracyError, ParameterError
from devicephys.mram import fokker_planck_2d, off_axis
from devicephys.mram.circuit import Access
from devicephys.mram.conditions import Deviation
from devicephys.mram.free_layer import NONE, Stage, uniaxial
from devicephys.mram.pulse import square, trapezoid
from devicephys.mram.write import write_error_rate
from devicephys.parameters import MTJ, OffAxis

DEVICE = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
TILT = OffAxis(0.05, h_x=0.05)


def rate(pulse, across=TILT, direction="P->AP", device=DEVICE, **more):
    return write_error_rate(device, pulse, direction, off_axis=across, **more)


def test_nothing_across_is_the_axial_law():
    pulse = square("current", 60e-6, [4e-9, 10e-9])
    axial, none = write_error_rate(DEVICE, pulse, "P->AP"), rate(pulse, OffAxis(0.05))
    np.testing.assert_array_equal(axial.wer, none.wer)
    sphere = rate(pulse, OffAxis(0.05), method="fokker_planck_2d")
    np.testing.assert_allclose(sphere.wer, axial.wer, rtol=2e-5)


def test_a_current_pulse_is_the_reduced_problem():
    layer = uniaxial(60, 0.05, h=[0.05, 0, 0])
    widths = np.array([2.0, 4.0, 8.0])
    exact = fokker_planck_2d.wer(layer, [Stage(layer, np.array([0, 0, -2.0]), NONE, widths)])
    found = rate(square("current", 60e-6, widths * 1e-9))
    np.testing.assert_allclose(found.wer, exact, rtol=1e-6)
    assert (found.error <= 1e-3 * found.wer).all()
    assert set(found.method) == {"fokker_planck_2d"}
    assert "converged" in found.reason


def test_a_table_has_its_shape_and_each_point_its_place():
    current, width = np.array([[60e-6], [75e-6]]), np.array([4e-9, 2e-9, 3e-9])
    table = rate(square("current", current, width)).wer
    assert table.shape == (2, 3)
    one = rate(square("current", 75e-6, 3e-9)).wer
    assert table[1, 2] == pytest.approx(float(one), rel=1e-3)
    assert (np.diff(table[:, [1, 2, 0]], axis=1) < 0).all()


@pytest.mark.parametrize("lam", [1.0, 1.5])
@pytest.mark.parametrize("drive", ["current", "voltage"])
def test_a_small_tilt_is_close_to_the_axial_law(drive, lam):
    """Voltage drive, VCMA, stray field, Lambda: the layer that both paths make is the same."""
    device = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2, lam=lam,
                 h_stray=0.03, h_field_like=0.02, h_k_slope=-0.1)  # fmt: skip
    pulse = square(drive, 60e-6 if drive == "current" else 0.4, 3e-9)
    for direction in ("P->AP", "AP->P"):
        axial = write_error_rate(device, pulse, direction, access=Access(r_s=500.0))
        tilted = rate(pulse, OffAxis(0.05, h_x=1e-5), direction, device, access=Access(r_s=500.0))
        assert tilted.wer == pytest.approx(float(axial.wer), rel=3e-4)


def test_ramps_are_those_of_the_axial_law():
    pulse = trapezoid("current", 70e-6, 2e-9, 1e-9, 1e-9)
    axial = write_error_rate(DEVICE, pulse, "P->AP").wer
    assert rate(pulse, OffAxis(0.05, h_y=1e-5)).wer == pytest.approx(float(axial), rel=3e-4)


def test_deviations_act_as_in_the_axial_law():
    pulse = square("current", 60e-6, 3e-9)
    deviation = Deviation(i_c0=[0.9, 1.1], delta=[1.1, 0.9], t_d=[1.2, 1.0])
    axial = write_error_rate(DEVICE, pulse, "P->AP", deviation=deviation).wer
    found = rate(pulse, OffAxis(0.05, h_y=1e-5), deviation=deviation).wer
    np.testing.assert_allclose(found, axial, rtol=3e-4)


def test_the_other_direction_is_the_picture_turned_about_x():
    """With equal critical currents, AP->P at h_y is P->AP at -h_y; torques turn as well."""
    device = MTJ(delta=40, i_c0_p_ap=30e-6, i_c0_ap_p=30e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    pulse = square("current", 50e-6, 3e-9)
    one = rate(pulse, OffAxis(0.1, h_y=0.05, torque_y=0.5, h_x=0.05), "P->AP", device).wer
    other = rate(pulse, OffAxis(0.1, h_y=-0.05, torque_y=-0.5, h_x=0.05), "AP->P", device).wer
    same = rate(pulse, OffAxis(0.1, h_y=-0.05, torque_y=-0.5, h_x=0.05), "P->AP", device).wer
    assert one == pytest.approx(float(other), rel=1e-9)
    assert abs(one / same - 1) > 1e-3


def test_auto_falls_back_on_splitting_and_says_so():
    """No tolerance below that of the steps in time is met: then trajectories, given an rng."""
    pulse, across = square("current", 60e-6, 2e-9), OffAxis(0.3, h_x=0.1)
    kept = rate(pulse, across)
    assert kept.method == "fokker_planck_2d"
    with pytest.raises(ParameterError, match=r"not converged, and trajectories need one.*rng"):
        rate(pulse, across, rtol=1e-6)
    with pytest.raises(AccuracyError, match="rare_event"):
        rate(pulse, across, method="fokker_planck_2d", rtol=1e-6)
    split = rate(pulse, across, rtol=1e-6, rng=np.random.default_rng(1))
    assert split.method == "rare_event"
    assert "splitting at 1" in split.reason
    assert abs(split.wer - kept.wer) < 4.5 * split.error + kept.error


def test_without_a_tolerance_auto_keeps_what_is_better_than_splitting():
    hard = rate(square("current", 60e-6, 2e-9), OffAxis(0.01, h_x=0.25))
    assert hard.method == "fokker_planck_2d"
    assert "at 1 of 1 points not to rtol = 0.001" in hard.reason
    assert 1e-3 * hard.wer < hard.error < 0.05 * hard.wer


def test_auto_takes_trajectories_where_the_sphere_does_not_hold():
    """A voltage that takes the anisotropy away for half a turn, and a shallow well."""
    toggled = MTJ(delta=60, i_c0_p_ap=30e-3, i_c0_ap_p=20e-3, t_d=1e-9, r_p=4e4, tmr=1.2,
                  h_k_slope=-0.95)  # fmt: skip
    pulse = square("voltage", 1.0, 2 * np.pi * 0.02 / 0.1 * 1e-9)
    found = rate(pulse, OffAxis(0.02, h_x=0.1), device=toggled, rng=np.random.default_rng(1))
    assert found.method == "rare_event"
    assert found.wer > 0.99  # a whole turn
    shallow = MTJ(delta=9, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    pulse = square("current", 60e-6, 2e-9)
    one = rate(pulse, TILT, device=shallow, rng=np.random.default_rng(2))
    other = rate(pulse, TILT, device=shallow, rng=np.random.default_rng(3), method="macrospin")
    assert one.method == "rare_event"
    assert abs(one.wer - other.wer) < 4.5 * np.hypot(one.error, other.error)


def test_rare_events_agree_with_the_equation():
    pulse = square("current", 60e-6, 6e-9)
    exact = rate(pulse)
    found = rate(pulse, method="rare_event", rng=np.random.default_rng(1))
    assert found.method == "rare_event"
    assert abs(found.wer - exact.wer) < 4.5 * found.error  # false alarms: below 1e-3 (16 repeats)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"method": "fokker_planck"}, "across the axis"),
        ({"method": "rare_event"}, "no rng.*method 'rare_event', and"),
        ({"rtol": 0.0}, "rtol = 0"),
        ({"atol": -1.0}, "atol"),
        ({"across": None, "method": "fokker_planck_2d"}, "without off_axis"),
        ({"method": "fokker_plank_2d"}, "did you mean 'fokker_planck_2d'"),
    ],
)
def test_bad_input_is_refused(more, message):
    with pytest.raises(ParameterError, match=message):
        rate(square("current", 60e-6, 3e-9), **more)
    with pytest.raises(ParameterError, match=r"OffAxis\.h_x"):
        OffAxis(0.01, h_x=1.5)
    with pytest.raises(ParameterError, match="depends on the angle"):
        rate(
            square("voltage", 0.4, 3e-9), OffAxis(0.05, torque_y=1.0)
        )  # the load line makes the torque depend on the angle


def test_acts_knows_every_field_of_the_record():
    for name in vars(TILT):
        expected = name != "alpha"
        assert off_axis.acts(OffAxis(**{"alpha": 0.01, name: 0.1})) == expected
