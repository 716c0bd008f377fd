"""Symmetric splitting of the stochastic Landau-Lifshitz-Gilbert equation on the sphere.

One step of length s = alpha dt' (s in units of t_D, dt' in those of precession) is

    D(s/2) P(s/2) N(s) P'(s/2) D(s/2),

P the exact rotations about the axes by the anisotropy field along each of them (P' in reverse
order), N the rotation by the thermal field, D damping and spin torque as a Moebius map of the
sphere with the field of the middle. Every piece keeps |m| = 1. The D of neighbouring steps are
one; half of one at the start of a stage and its inverse at the end make that exact (processing).
The bias is of second order in s, and in dt' only through fields across the axis.
"""

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from devicephys.checks import Array
from devicephys.mram.free_layer import Stage, is_axial

THREE_POINT = np.repeat([-1.0, 0.0, 1.0], [43, 170, 43]) * np.sqrt(128 / 43)  # variance 1


def advance(
    m: NDArray[np.floating], stage: Stage, steps: int, step: float, rng: np.random.Generator
) -> None:
    """Carry unit vectors through some steps of a stage, in place.

    Valid for steps that `macrospin.largest_step` allows, and for anisotropies that separate.

    Parameters
    ----------
    m : ndarray
        Unit vectors, float32 or float64, shape (3, n) [1].
    stage : Stage
        The conditions; its duration is not used.
    steps : int
        Number of steps [1].
    step : float
        Length of a step over t_D [1].
    rng : numpy.random.Generator
        Source of the thermal field.

    References
    ----------
    McLachlan, Modin and Verdier, Phys. Rev. E 89 (2014) 061301, doi:10.1103/PhysRevE.89.061301
    (mappings of the sphere); the composition is this project's, docs/theory/macrospin.md.

    Examples
    --------
    >>> from devicephys.mram.free_layer import NONE, uniaxial
    >>> m = np.array([[0.6], [0.0], [0.8]])
    >>> advance(m, Stage(uniaxial(1e30, 0.01), NONE, NONE, np.array(1.0)), 100, 0.01,
    ...         np.random.default_rng(1))
    >>> round(float(m[2, 0]), 4), round(float(m[2, 0] / np.hypot(m[0, 0], m[1, 0])), 3)
    (0.964, 3.624)
    """
    layer, axial = stage.layer, is_axial(stage)
    precession = layer.h + stage.field - layer.alpha**2 * stage.torque * (len(layer.angular) == 1)
    table = (THREE_POINT * np.sqrt(step / layer.delta)).astype(m.dtype)
    turn = step / layer.alpha * (1.0 if axial else 0.5)
    _damp(m, stage, step / 2)
    for k in range(steps):
        if not axial:
            for axis in (2, 0, 1):
                _rotate(m, stage, axis, precession[axis], turn)
        draws = rng.integers(0, 256, (3, m.shape[1]), np.uint8)
        _kick(m, table[draws])
        for axis in (2,) if axial else (1, 0, 2):
            _rotate(m, stage, axis, precession[axis], turn)
        _damp(m, stage, step if k < steps - 1 else step / 2)


def _along(stage: Stage, m: NDArray[np.floating], axis: int) -> NDArray[np.floating] | float:
    """Anisotropy field along an axis; a number where it is the same everywhere."""
    coefficients = stage.layer.anisotropy[axis]
    if not coefficients.any():
        return 0.0
    return np.asarray(chebyshev.chebval(m[axis], coefficients.astype(m.dtype)))


def _angular(stage: Stage, z: NDArray[np.floating]) -> NDArray[np.floating] | float:
    angular = stage.layer.angular
    if len(angular) == 1:
        return float(angular[0])
    return np.asarray(chebyshev.chebval(z, angular.astype(z.dtype)))


def _pull(stage: Stage, m: NDArray[np.floating]) -> list[NDArray[np.floating] | float]:
    """Vector towards which damping and torque move m, component by component."""
    layer, g = stage.layer, _angular(stage, m[2])
    constant = layer.h + stage.field
    return [
        _along(stage, m, axis) + float(constant[axis])
        + (float(stage.torque[axis]) * g if stage.torque[axis] else 0.0)
        for axis in range(3)
    ]  # fmt: skip


def _damp(m: NDArray[np.floating], stage: Stage, s: float) -> None:
    """Flow of dm/ds = c - m (m.c) for a time s, c taken in the middle: a boost of the sphere."""
    c = _pull(stage, m)
    dot = sum(a * b for a, b in zip(m, c, strict=True) if not _zero(b))
    middle = np.stack([a + (b - a * dot) * (s / 2) for a, b in zip(m, c, strict=True)])
    c = [b * (s / 2) for b in _pull(stage, middle)]
    dot = sum(a * b for a, b in zip(m, c, strict=True) if not _zero(b))
    length = sum(b * b for b in c if not _zero(b))
    short = 1 - length / 3  # tanh, whose argument is far below one
    dot, length = dot * short, length * short * short
    scale = 1 / (1 + 2 * dot + length)
    m *= (1 - length) * scale
    for a, b in zip(m, c, strict=True):
        if not _zero(b):
            a += (2 * short) * b * (1 + dot) * scale


def _zero(value: NDArray[np.floating] | float) -> bool:
    return isinstance(value, float) and value == 0.0


def _rotate(m: NDArray[np.floating], stage: Stage, axis: int, constant: float, turn: float) -> None:
    """Rotate about an axis by the field along it, which that rotation does not change."""
    along = _along(stage, m, axis)
    if axis == 2 and len(stage.layer.angular) > 1:
        along = along - stage.layer.alpha**2 * float(stage.torque[2]) * _angular(stage, m[2])
    angle = (along + constant) * turn
    if _zero(angle):
        return
    cos, sin = np.cos(angle), np.sin(angle)
    if np.ndim(angle) == 0:
        cos, sin = m.dtype.type(cos), m.dtype.type(sin)
    first, second = m[(axis + 1) % 3], m[(axis + 2) % 3]
    turned = cos * first - sin * second
    second *= cos
    second += sin * first
    first[:] = turned


def _kick(m: NDArray[np.floating], w: NDArray[np.floating]) -> None:
    """Rotate each vector about its own w by |w|, by the half-angle formula of Cayley."""
    q = w * 0.5
    length = (q * q).sum(axis=0)
    q *= 1 + length / 3  # tan, whose argument is small
    length = (q * q).sum(axis=0)
    x, y, z = m
    cross = np.stack([q[1] * z - q[2] * y, q[2] * x - q[0] * z, q[0] * y - q[1] * x])
    dot = (q * m).sum(axis=0)
    m *= 1 - length
    m += 2 * (cross + q * dot)
    m /= 1 + length


def norm_error(m: Array) -> float:
    """Give the largest deviation of |m| from one.

    Parameters
    ----------
    m : ndarray
        Vectors, shape (3, n) [1].

    Returns
    -------
    float
        max | |m| - 1 | [1].

    References
    ----------
    This project's design, docs/theory/macrospin.md.

    Examples
    --------
    >>> norm_error(np.array([[0.6], [0.0], [0.8]]))
    0.0
    """
    return float(np.abs(np.sqrt((m * m).sum(axis=0)) - 1).max())
