"""What stays written, and what may come back."""

import numpy as np
import pytest

from devicephys.mram import written
from devicephys.mram.free_layer import NONE, Factors, FreeLayer, Stage, uniaxial

TILT = uniaxial(60, 0.05, h=[0.05, 0, 0])


def stage(layer=TILT, torque=(0, 0, -2.0), field=(0, 0, 0), tau=4.0):
    return Stage(layer, np.array(torque), np.array(field), np.array(tau))


@pytest.mark.parametrize(
    ("kept", "stages"),
    [
        (True, [stage()]),
        (True, [stage(), stage(torque=NONE)]),
        (True, [stage(torque=(0.2, -0.3, -2.0))]),
        (True, [stage(field=(0.02, 0, -0.2))]),
        (True, [stage(uniaxial(50, 0.05, h=[0.05, 0, 0]))]),
        (False, [stage(torque=(0, 0, 2.0))]),
        (False, [stage(torque=(0, 0, 0.7))]),
        (True, [stage(torque=(0, -3.0, 0))]),  # below 1/(2 alpha), where the pole is unstable
        (False, [stage(torque=(0, -30.0, 0))]),
        (False, [stage(field=(0, 0, 1.5), torque=NONE)]),
        (False, [stage(field=(1.5, 0, 0), torque=NONE)]),
        (False, [stage(uniaxial(5, 0.05, h=[0.05, 0, 0]))]),
        (False, [stage(FreeLayer(60, 0.05, np.zeros((3, 2)), np.array([0.05, 0, 0])), NONE)]),
    ],
)
def test_levels_know_what_may_come_back(kept, stages):
    assert (written.level(TILT, stages, 8.0) < 1) == kept


def test_layers_that_differ_in_torque_or_anisotropy_are_followed():
    assert written.level(TILT, [stage()], 8.0, Factors(torque=np.array(2.0))) == 1
    assert written.level(TILT, [stage()], 8.0, Factors(delta=np.array(0.9))) < 1


def test_the_level_lies_farther_the_hotter_a_stage_is():
    hot = stage(uniaxial(40, 0.05, h=[0.05, 0, 0]), NONE)
    assert written.level(TILT, [stage(), hot], 8.0) > written.level(TILT, [stage()], 8.0)


def test_returns_follow_the_boltzmann_factor():
    """Brown: k t_D = sqrt(Delta/pi) e^-Delta; the estimate is above it by a factor below 2."""
    for delta in (10.0, 14.0):
        layer = uniaxial(delta, 0.05)
        found = written.returning(layer, [stage(layer, NONE, tau=5.0)])
        rate = np.sqrt(delta / np.pi) * np.exp(-delta)
        assert 5 * rate < found < 10 * rate
    assert written.returning(layer, [stage(layer)]) < 1e-40
