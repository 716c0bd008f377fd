"""Where a state of rest ends: critical current by linear stability, switching field by the branch.

Both follow the state from a minimum of the energy (`devicephys.mram.wells`) while current or field
grow. Valid at zero temperature; with heat the layer leaves earlier.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import Array, in_range
from devicephys.errors import ParameterError
from devicephys.mram.free_layer import FreeLayer, Stage, velocity
from devicephys.mram.wells import (
    STEP,
    STRIDE,
    direction_of,
    frame,
    minimum_near,
    slopes,
    turned,
    turning_field,
)

SHARP = 0.5  # cosine of the angle by which a branch turns in a stride that is too long
FLAT = 1e-9  # curvature or slope at which a minimum has ended that moves sideways
SIDEWAYS = 0.01  # slope of the field along the branch
ENOUGH = 1e-13  # change of the field, over the scale, with which a branch has ended


def critical_current(
    layer: FreeLayer,
    polarisation: ArrayLike = (0.0, 0.0, 1.0),
    start: ArrayLike = (0.0, 0.0, 1.0),
    *,
    largest: float | None = None,
) -> float:
    """Compute the current at which the layer leaves a minimum without heat: linear stability.

    Valid for a torque T = -i p, as `Stage.torque`, at zero temperature. The state of equilibrium,
    which moves with the current, is followed; it ends where it turns unstable or vanishes.

    Parameters
    ----------
    layer : FreeLayer
        The layer.
    polarisation : array_like, optional
        Direction p away from which the torque pulls, shape (3,); along z if the torque depends
        on the angle [1].
    start : array_like, optional
        Direction to whose nearest minimum it belongs, shape (3,) [1].
    largest : float, optional
        Where to stop, > 0; by default 4 (c1 + c2)/alpha, c being the curvatures [1].

    Returns
    -------
    float
        i over the critical current of a perpendicular layer, 4 e alpha Delta k_B T/(hbar eta) [1].

    Raises
    ------
    ParameterError
        If the current keeps the layer where it is up to `largest`.

    Notes
    -----
    1 + h for a perpendicular layer in an axial field. For an in-plane easy axis z and demagnetising
    field M_eff along y, I = (2e/hbar) (alpha/eta) mu0 M_s V (H_k + H + M_eff/2).

    References
    ----------
    Sun, Phys. Rev. B 62 (2000) 570, doi:10.1103/PhysRevB.62.570.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> round(critical_current(uniaxial(60, 0.01, h=[0, 0, 0.2])), 9)
    1.2
    >>> round(critical_current(uniaxial(60, 0.01, in_plane=30.0)), 9)
    16.0
    """
    p = direction_of("polarisation", polarisation)
    point = minimum_near(layer, start)
    total = float(point.curvatures.sum())
    if largest is None:
        largest = 4 * total / layer.alpha
    in_range("largest", largest, "1", above=0, scalar=True)
    m, i, step = point.m, 0.0, total / 20
    while i < largest:
        i_next = i + step
        moved = _follow(layer, p, i_next, m)
        if moved is None or _growth(layer, p, i_next, moved) >= 0:
            return _lost(layer, p, i, m, i_next)
        m, i, step = moved, i_next, max(step, i_next / 20)
    raise ParameterError(
        f"the layer is stable up to i = {i:.4g}", expected="a torque that drives it away",
        remedy="turn the polarisation around",
    )  # fmt: skip


def switching_field(
    layer: FreeLayer, direction: ArrayLike, *, largest: float | None = None
) -> float:
    """Compute the field along a direction at which the minimum near +z vanishes.

    Valid without heat and torque. The minimum is followed along its branch until the field would
    have to fall or the lower curvature is zero.

    Parameters
    ----------
    layer : FreeLayer
        The layer, whose own field stays.
    direction : array_like
        Direction of the field, shape (3,) [1].
    largest : float, optional
        Where to stop, > 0; by default 10 times the largest anisotropy field [1].

    Returns
    -------
    float
        Switching field over H_k [1].

    Raises
    ------
    ParameterError
        If the minimum survives up to `largest`.

    Notes
    -----
    (cos^{2/3} psi + sin^{2/3} psi)^{-3/2} for uniaxial anisotropy at an angle psi to its axis.

    References
    ----------
    Stoner and Wohlfarth, Phil. Trans. R. Soc. A 240 (1948) 599, doi:10.1098/rsta.1948.0007;
    in general: Thiaville, Phys. Rev. B 61 (2000) 12221, doi:10.1103/PhysRevB.61.12221.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> round(switching_field(uniaxial(60, 0.01), [1, 0, -1]), 9)
    0.5
    """
    d = direction_of("direction", direction)
    scale = turning_field(layer)
    if largest is None:
        largest = 10 * scale
    in_range("largest", largest, "1", above=0, scalar=True)
    m, h = minimum_near(layer, (0.0, 0.0, 1.0)).m, 0.0
    heading = np.array([0.0, 0.0, 0.0, 1.0])  # towards more field
    stride = STRIDE
    while h < largest:
        next_m, next_h, onward, still, bend = _along(layer, d, m, h, heading, stride, scale)
        if 0 < still < FLAT and onward[3] < SIDEWAYS:
            return next_h  # where branches cross, the next step would be led by rounding
        if still > 0 and bend > SHARP:
            m, h, heading = next_m, next_h, onward
            stride = min(2 * stride, STRIDE)
        elif stride * heading[3] > ENOUGH:  # beyond the end, or on another branch close by
            stride /= 2
        else:
            return h
    raise ParameterError(
        f"the minimum near +z survives a field of {h:.4g} H_k", expected="a field that removes it",
        remedy="turn the direction around",
    )  # fmt: skip


def _follow(layer: FreeLayer, p: Array, i: float, m: Array) -> Array | None:
    """Find the state of rest under a current next to m; None if there is none near."""
    stage = Stage(layer, -i * p, np.zeros(3), np.array(0.0))
    for _ in range(30):
        axes = frame(m)
        jacobian = _jacobian(stage, m)
        speed = velocity(stage, m)
        residual = np.array([e @ speed for e in axes])
        if not abs(np.linalg.det(jacobian)) > 0:
            return None
        xi = -np.linalg.solve(jacobian, residual)
        if np.linalg.norm(xi) > 0.5:
            return None
        m = turned(m, axes, xi)
        if np.linalg.norm(xi) < 1e-12:
            return m
    return None


def _jacobian(stage: Stage, m: Array) -> Array:
    """Differentiate the velocity in the tangent plane at a state of rest."""
    axes = frame(m)
    columns = []
    for e in axes:
        near, far = (
            velocity(stage, m * np.cos(s) + e * np.sin(s))
            - velocity(stage, m * np.cos(s) - e * np.sin(s))
            for s in (STEP, 2 * STEP)
        )
        slope = (8 * near - far) / (12 * STEP)
        columns.append([a @ slope for a in axes])
    return np.array(columns).T


def _growth(layer: FreeLayer, p: Array, i: float, m: Array) -> float:
    """Give the largest growth rate of a deviation from rest, over 1/t_D."""
    stage = Stage(layer, -i * p, np.zeros(3), np.array(0.0))
    return float(np.linalg.eigvals(_jacobian(stage, m)).real.max())


def _lost(layer: FreeLayer, p: Array, low: float, m: Array, high: float) -> float:
    """Halve the interval in which a state of rest is lost, as unstable or altogether."""
    for _ in range(60):
        middle = (low + high) / 2
        moved = _follow(layer, p, middle, m)
        if moved is None or _growth(layer, p, middle, moved) >= 0:
            high = middle
        else:
            low, m = middle, moved
    return (low + high) / 2


def _along(
    layer: FreeLayer, d: Array, m: Array, h: float, heading: Array, stride: float, scale: float
) -> tuple[Array, float, Array, float, float]:
    """Step along the branch of a minimum: m, field, heading, whether it still is one, and bend.

    The unknowns are two angles and h/scale; the stationary states are a curve of them, along which
    one can go round a turning point. The fourth number is positive while the field rises on the way
    and both curvatures are positive; the last is the cosine between old and new heading.
    """
    tangent = _tangent(layer, d, m, h, heading, scale)
    axes = frame(m)
    flat = np.array([axes[0] @ tangent[:3], axes[1] @ tangent[:3], tangent[3]])
    m_new, h_new = turned(m, axes, stride * flat[:2]), h + stride * scale * flat[2]
    for _ in range(30):
        gradient, hessian = slopes(replace(layer, h=layer.h + h_new * d), m_new)
        axes = frame(m_new)
        row = np.array([axes[0] @ tangent[:3], axes[1] @ tangent[:3], tangent[3]])
        pull = -scale * np.array([axes[0] @ d, axes[1] @ d])
        matrix = np.vstack([np.column_stack([hessian, pull]), row * scale])
        residual = np.array([*gradient, 0.0])
        change = -np.linalg.lstsq(matrix, residual, rcond=1e-12)[0]
        change *= min(1.0, STRIDE / max(float(np.linalg.norm(change)), 1e-300))
        m_new, h_new = turned(m_new, axes, change[:2]), h_new + scale * change[2]
        if np.linalg.norm(change) < 1e-14:
            break
    onward = _tangent(layer, d, m_new, h_new, tangent, scale)
    hessian = slopes(replace(layer, h=layer.h + h_new * d), m_new)[1]
    still = min(float(onward[3]), float(np.linalg.eigvalsh(hessian)[0]) / scale)
    return m_new, float(h_new), onward, still, float(onward @ tangent)


def _tangent(layer: FreeLayer, d: Array, m: Array, h: float, heading: Array, scale: float) -> Array:
    """Give the direction of the branch as change of m and of h/scale, shape (4,)."""
    hessian = slopes(replace(layer, h=layer.h + h * d), m)[1]
    axes = frame(m)
    pull = -scale * np.array([axes[0] @ d, axes[1] @ d])
    normal = np.cross([*hessian[0], pull[0]], [*hessian[1], pull[1]])
    found = np.array([*(axes[0] * normal[0] + axes[1] * normal[1]), normal[2]])
    size = np.linalg.norm(found)
    if size < 1e-12 * scale**2:  # where branches cross: straight on
        return heading
    found /= size
    return found if found @ heading >= 0 else -found
