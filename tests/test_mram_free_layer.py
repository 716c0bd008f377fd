"""The record of a free layer: field from energy, velocity, bad input."""

import numpy as np
import pytest

from devicephys.errors import ParameterError
from devicephys.mram.free_layer import (
    NONE,
    FreeLayer,
    Stage,
    effective_field,
    energy,
    is_axial,
    uniaxial,
    velocity,
)

LAYER = uniaxial(60, 0.02, h=[0.1, -0.05, 0.2], in_plane=0.3)


def test_field_is_minus_the_gradient_of_the_energy():
    m = np.array([0.48, 0.6, 0.64])
    step = 1e-6 * np.eye(3)
    slope = [(energy(LAYER, m + s) - energy(LAYER, m - s)) / 2e-6 for s in step]
    np.testing.assert_allclose(effective_field(LAYER, m), -np.array(slope), atol=1e-9)


def test_velocity_is_the_landau_lifshitz_gilbert_equation():
    m, torque = np.array([0.48, 0.6, 0.64]), np.array([0.3, -0.2, -2.0])
    found = velocity(Stage(LAYER, torque, np.array([0, 0.1, 0]), np.array(1.0)), m)
    h, alpha = effective_field(LAYER, m) + np.array([0, 0.1, 0]), LAYER.alpha
    a = alpha * torque  # a_J p over H_k; times are 1/(alpha t_D), so divide by alpha
    expected = -np.cross(m, h) - alpha * np.cross(m, np.cross(m, h))
    expected += -np.cross(m, np.cross(m, a)) + alpha * np.cross(m, a)
    np.testing.assert_allclose(found, expected / alpha, atol=1e-12)


def test_axial_symmetry_is_recognised():
    down = np.array([0, 0, -2.0])
    assert is_axial(Stage(uniaxial(60, 0.01), down, NONE, np.array(1.0)))
    assert not is_axial(Stage(LAYER, down, NONE, np.array(1.0)))
    assert not is_axial(Stage(uniaxial(60, 0.01), np.array([0, 1.0, 0]), NONE, np.array(1.0)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: uniaxial(-1, 0.01), "delta"),
        (lambda: uniaxial(60, 1.0), "alpha"),
        (lambda: uniaxial(60, 0.01, h=[0, np.nan, 0]), "finite"),
        (lambda: FreeLayer(60, 0.01, np.zeros((2, 2))), "shape"),
        (lambda: FreeLayer(60, 0.01, np.zeros((3, 0))), "shape"),
        (lambda: uniaxial(60, 0.01, h=["a", 0, 0]), "a number"),
        (lambda: uniaxial(60, 0.01, h=[1j, 0, 0]), "a number"),
        (lambda: uniaxial(60, 0.01, in_plane=np.ones(2)), "one number"),
        (lambda: Stage(LAYER, NONE, NONE, np.array([])), "tau"),
        (lambda: Stage(LAYER, np.array([0, 0, -2e6]), NONE, np.array(1.0)), "units"),
        (lambda: Stage(LAYER, np.zeros(2), NONE, np.array(1.0)), "torque"),
        (lambda: Stage(LAYER, NONE, NONE, np.array(-1.0)), "tau"),
        (
            lambda: Stage(
                FreeLayer(60, 0.01, LAYER.anisotropy, angular=np.ones(2)),
                np.array([1.0, 0, 0]), NONE, np.array(1.0),
            ),
            "along z",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_records_keep_what_they_were_given():
    h = np.array([0.1, 0, 0])
    layer = FreeLayer(60, 0.01, np.zeros((3, 2)), h)
    h[0] = 5.0
    assert layer.h[0] == 0.1
    with pytest.raises(ValueError, match="read-only"):
        layer.h[0] = 1.0
    assert isinstance(uniaxial("60", 0.01).delta, float)
