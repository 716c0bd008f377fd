"""A single-domain free layer in reduced units: fields over H_k, times over t_D, start near +z.

The unit vector m of the magnetisation obeys (Stratonovich)

    dm/d tau = -(1/alpha) m x (H - alpha^2 T + H_th) - m x [m x (H + T + H_th)],

with H = H_anisotropy(m) + h + applied field, and T the spin torque as the vector towards which it
pulls; T = -i z drives from +z to -z, i being the current over the critical one. The thermal
torque is an isotropic diffusion on the sphere with constant 1/(2 Delta), so that the stationary
law without torque is exp(-2 Delta e(m)), e being the energy over mu0 M_s H_k V.

Vectors are structures of arrays: component first, shape (3, ...).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from devicephys.checks import Array, in_range
from devicephys.errors import ParameterError

Floats = NDArray[np.floating]  # of single precision, too
NONE = np.zeros(3)
STRONGEST = 1e4  # torque or field; more is a mistake of units
HALVINGS = 24  # of the interval that holds a barrier
GRID = 181  # points in z and azimuth that locate barriers
EVEN = np.ones(1)  # a torque that does not depend on the angle


@dataclass(frozen=True, eq=False)
class Surface:
    """An energy that is no sum of functions of one component each.

    Attributes
    ----------
    energy : callable
        m of shape (3, ...) to the energy over mu0 M_s H_k V, shape (...) [1].
    field : callable
        m of shape (3, ...) to the field -de/dm, shape (3, ...) [1].
    """

    energy: Callable[[Floats], Floats]
    field: Callable[[Floats], Floats]


@dataclass(frozen=True, eq=False)
class FreeLayer:
    """A free layer whose polar axis z is the axis along which it is stable.

    Attributes
    ----------
    delta : float
        Thermal stability factor mu0 M_s H_k V/(2 k_B T) that sets the noise, > 0 [1].
    alpha : float
        Gilbert damping, in (0, 1) [1].
    anisotropy : ndarray
        Anisotropy field along each axis as a function of the component along it, Chebyshev
        coefficients, shape (3, k) [1].
    h : ndarray
        Constant field, shape (3,) [1].
    angular : ndarray
        Factor on the torque as a function of z, Chebyshev coefficients, shape (k,); anything but
        1 is for a torque along z [1].
    surface : Surface or None
        A further energy, for anisotropies that do not separate.
    """

    delta: float
    alpha: float
    anisotropy: Array
    h: Array = field(default_factory=NONE.copy)
    angular: Array = field(default_factory=EVEN.copy)
    surface: Surface | None = None

    def __post_init__(self) -> None:
        for name, below in (("delta", np.inf), ("alpha", 1.0)):
            number = in_range(
                f"FreeLayer.{name}", getattr(self, name), "1", above=0, below=below, scalar=True
            )
            object.__setattr__(self, name, float(number))
        for name, ndim, first in (("anisotropy", 2, 3), ("h", 1, 3), ("angular", 1, None)):
            value = in_range(f"FreeLayer.{name}", getattr(self, name), "1")
            if value.ndim != ndim or (first and len(value) != first) or not value.size:
                shape = {"anisotropy": "(3, k)", "h": "(3,)", "angular": "(k,)"}[name]
                raise ParameterError(
                    f"FreeLayer.{name} of shape {value.shape}", expected=f"shape {shape}"
                )
            object.__setattr__(self, name, _kept(value))


@dataclass(frozen=True, eq=False)
class Stage:
    """A time of constant conditions.

    Attributes
    ----------
    layer : FreeLayer
        The layer as it is during this time.
    torque : ndarray
        Spin torque T over alpha H_k, the vector towards which it pulls, shape (3,); its length is
        the current over the critical current of a perpendicular layer [1].
    field : ndarray
        Applied field over H_k, besides that of the layer, shape (3,) [1].
    tau : ndarray
        Duration over t_D, >= 0; one, or a rising series of them, shape () or (widths,) [1].
    """

    layer: FreeLayer
    torque: Array
    field: Array
    tau: Array

    def __post_init__(self) -> None:
        for name, ndims in (("torque", (1,)), ("field", (1,)), ("tau", (0, 1))):
            limit = np.inf if name == "tau" else STRONGEST
            value = in_range(
                f"Stage.{name}", getattr(self, name), "1", above=-limit, below=limit,
                remedy="in units of the critical torque and of H_k: check the units",
            )  # fmt: skip
            if value.ndim not in ndims or not value.size or (ndims == (1,) and len(value) != 3):
                raise ParameterError(
                    f"Stage.{name} of shape {value.shape}",
                    expected="shape () or (widths,)" if name == "tau" else "shape (3,)",
                )
            object.__setattr__(self, name, _kept(value))
        in_range("Stage.tau", self.tau, "1", above=0, inclusive=True)
        if len(self.layer.angular) > 1 and self.torque[:2].any():
            raise ParameterError(
                f"Stage.torque = {self.torque.tolist()} with FreeLayer.angular of "
                f"{len(self.layer.angular)} coefficients",
                expected="a torque along z", remedy="angular = [1] for any other direction",
            )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Factors:
    """How the layers of an ensemble differ: factors on the parameters, one or one a trajectory.

    Attributes
    ----------
    delta, anisotropy, torque : ndarray
        Factors on thermal stability over temperature (the noise), on the anisotropy field and on
        the torque, > 0, shape () or (trajectories,) [1].
    """

    delta: Array = field(default_factory=lambda: np.ones(()))
    anisotropy: Array = field(default_factory=lambda: np.ones(()))
    torque: Array = field(default_factory=lambda: np.ones(()))

    def __post_init__(self) -> None:
        for name in ("delta", "anisotropy", "torque"):
            value = in_range(f"Factors.{name}", getattr(self, name), "1", above=0)
            if value.ndim > 1:
                raise ParameterError(
                    f"Factors.{name} of shape {value.shape}", expected="shape () or (trajectories,)"
                )
            object.__setattr__(self, name, _kept(value))


def _kept(value: Array) -> Array:
    """Give a copy that nobody can change: what is found for a record is remembered."""
    value = value.copy()
    value.setflags(write=False)
    return value


SAME = Factors()


def uniaxial(
    delta: float, alpha: float, *, h: ArrayLike = (0.0, 0.0, 0.0), in_plane: float = 0.0
) -> FreeLayer:
    """Make a free layer with uniaxial anisotropy along z, elliptic or round.

    Parameters
    ----------
    delta : float
        Thermal stability factor, > 0 [1].
    alpha : float
        Gilbert damping, in (0, 1) [1].
    h : array_like, optional
        Constant field over H_k, shape (3,) [1].
    in_plane : float, optional
        In-plane anisotropy (N_y - N_x) M_s/H_k: the energy of y over that of x [1].

    Returns
    -------
    FreeLayer
        The layer: e = -z^2/2 + in_plane y^2/2 - h.m.

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    Stoner and Wohlfarth, Phil. Trans. R. Soc. A 240 (1948) 599, doi:10.1098/rsta.1948.0007.

    Examples
    --------
    >>> float(energy(uniaxial(60, 0.01), np.array([0.0, 0.0, 1.0])))
    -0.5
    """
    flat = float(in_range("in_plane", in_plane, "1", scalar=True))
    anisotropy = np.array([[0.0, 0.0], [0.0, -flat], [0.0, 1.0]])
    return FreeLayer(delta, alpha, anisotropy, in_range("h", h, "1"))


def energy(layer: FreeLayer, m: Array, factor: Array | float = 1.0) -> Array:
    """Compute the energy of a layer in its own fields.

    Parameters
    ----------
    layer : FreeLayer
        The layer.
    m : ndarray
        Unit vectors, shape (3, ...) [1].
    factor : ndarray or float, optional
        On the anisotropy, shape broadcast with (...) [1].

    Returns
    -------
    ndarray
        Energy over mu0 M_s H_k V, shape (...) [1].

    References
    ----------
    Stoner and Wohlfarth, Phil. Trans. R. Soc. A 240 (1948) 599, doi:10.1098/rsta.1948.0007.

    Examples
    --------
    >>> float(energy(uniaxial(60, 0.01, h=[0.1, 0, 0]), np.array([1.0, 0.0, 0.0])))
    -0.1
    """
    total = np.zeros(np.shape(m)[1:])
    for component, coefficients, constant in zip(m, layer.anisotropy, layer.h, strict=True):
        integral = chebyshev.chebint(coefficients, lbnd=0)
        total = total - chebyshev.chebval(component, integral) * factor - constant * component
    return np.asarray(total if layer.surface is None else total + layer.surface.energy(m) * factor)


def effective_field(layer: FreeLayer, m: Floats, factor: Array | float = 1.0) -> Floats:
    """Compute the effective field of a layer, anisotropy and constant field.

    Parameters
    ----------
    layer : FreeLayer
        The layer.
    m : ndarray
        Unit vectors, shape (3, ...) [1].
    factor : ndarray or float, optional
        On the anisotropy, of a surface as well, shape broadcast with (...) [1].

    Returns
    -------
    ndarray
        Field over H_k, shape of `m` [1].

    References
    ----------
    Stoner and Wohlfarth, Phil. Trans. R. Soc. A 240 (1948) 599, doi:10.1098/rsta.1948.0007.

    Examples
    --------
    >>> effective_field(uniaxial(60, 0.01), np.array([0.6, 0.0, 0.8])).tolist()
    [0.0, 0.0, 0.8]
    """
    found = np.zeros_like(m) if layer.surface is None else layer.surface.field(m) * factor
    for axis, (series, constant) in enumerate(zip(layer.anisotropy, layer.h, strict=True)):
        if series.any():
            found[axis] += chebyshev.chebval(m[axis], series) * factor
        if constant:
            found[axis] += constant
    return found


def fields(stage: Stage, m: Floats, factors: Factors = SAME) -> tuple[Floats, Floats]:
    """Compute the two fields of a stage: about which m precesses, and towards which it moves.

    Parameters
    ----------
    stage : Stage
        The conditions.
    m : ndarray
        Unit vectors, shape (3, ...) [1].
    factors : Factors, optional
        On anisotropy and torque; that on the noise plays no part.

    Returns
    -------
    precession : ndarray
        H - alpha^2 T, shape of `m` [1].
    damping : ndarray
        H + T, shape of `m` [1].

    References
    ----------
    Slonczewski, J. Magn. Magn. Mater. 159 (1996) L1, doi:10.1016/0304-8853(96)00062-5.

    Examples
    --------
    >>> stage = Stage(uniaxial(60, 0.01), np.array([0, 0, -2.0]), np.zeros(3), np.array(1.0))
    >>> fields(stage, np.array([0.6, 0.0, 0.8]))[1].tolist()
    [0.0, 0.0, -1.2]
    """
    precession = effective_field(stage.layer, m, factors.anisotropy)
    damping = precession.copy()
    for axis in range(3):
        if stage.field[axis]:
            precession[axis] += stage.field[axis]
            damping[axis] += stage.field[axis]
        if stage.torque[axis]:
            torque = stage.torque[axis] * factors.torque
            torque = torque * chebyshev.chebval(m[2], stage.layer.angular)
            precession[axis] -= stage.layer.alpha**2 * torque
            damping[axis] += torque
    return precession, damping


def velocity(stage: Stage, m: Array) -> Array:
    """Compute dm/d tau without noise: the Landau-Lifshitz-Gilbert equation with spin torque.

    Parameters
    ----------
    stage : Stage
        The conditions.
    m : ndarray
        Unit vectors, shape (3, ...) [1].

    Returns
    -------
    ndarray
        Velocity in units of 1/t_D, shape of `m` [1].

    References
    ----------
    Slonczewski, J. Magn. Magn. Mater. 159 (1996) L1, doi:10.1016/0304-8853(96)00062-5.

    Examples
    --------
    >>> stage = Stage(uniaxial(60, 0.01), np.array([0, 0, -2.0]), np.zeros(3), np.array(1.0))
    >>> round(float(velocity(stage, np.array([0.6, 0.0, 0.8]))[2]), 12)
    -0.432
    """
    precession, damping = fields(stage, m)
    turning = np.cross(m, precession, axis=0) / stage.layer.alpha
    return np.asarray(-turning + damping - m * (m * damping).sum(axis=0))


def is_axial(stage: Stage) -> bool:
    """Say whether nothing in a stage depends on the azimuth about z.

    Parameters
    ----------
    stage : Stage
        The conditions.

    Returns
    -------
    bool
        Whether fields, anisotropy and torque are along z.

    References
    ----------
    This project's design, docs/theory/macrospin.md.

    Examples
    --------
    >>> is_axial(Stage(uniaxial(60, 0.01, h=[0.05, 0, 0]), NONE, NONE, np.array(1.0)))
    False
    """
    layer = stage.layer
    across = (layer.anisotropy[:2], layer.h[:2], stage.torque[:2], stage.field[:2])
    return layer.surface is None and not any(part.any() for part in across)


def decided(layer: FreeLayer, drop: float, side: Literal[-1, 1] = -1) -> float:
    """Find the latitude beyond which a layer at rest has decided for a state.

    Beyond it even the highest energy lies below the barrier.

    Parameters
    ----------
    layer : FreeLayer
        The layer at rest.
    drop : float
        How far below the barrier, > 0 [k_B T].
    side : {-1, 1}, optional
        The switched state, or the initial one.

    Returns
    -------
    float
        Magnitude of z, below zero where a field has moved the barrier there; 1 where the state
        is not so deep [1].

    References
    ----------
    This project's design, docs/theory/macrospin.md.

    Examples
    --------
    >>> round(decided(uniaxial(60, 0.01), 15), 1), decided(uniaxial(5, 0.01), 15)
    (0.5, 1.0)
    """
    z, values = energies(layer)
    high = values.max(axis=1) > barrier(layer) - drop / (2 * layer.delta)
    return float(min((side * z[high]).max() + 2 / GRID, 1.0))


def depth(layer: FreeLayer, side: Literal[-1, 1] = 1) -> float:
    """Compute how deep the well about +z, or that about -z, is.

    Parameters
    ----------
    layer : FreeLayer
        The layer at rest.
    side : {-1, 1}, optional
        Which well.

    Returns
    -------
    float
        Lowest way over to the other half less the lowest energy of this one, on a grid; 0 where
        that lies at the edge, z = 0 [k_B T].

    References
    ----------
    Stoner and Wohlfarth, Phil. Trans. R. Soc. A 240 (1948) 599, doi:10.1098/rsta.1948.0007.

    Examples
    --------
    >>> round(depth(uniaxial(60, 0.01)), 2), depth(uniaxial(60, 0.01, h=[1.2, 0, 0]))
    (60.0, 0.0)
    """
    top, up, down = _barrier(layer)
    return 2 * layer.delta * (top - (up if side > 0 else down))


def barrier(layer: FreeLayer) -> float:
    """Compute the energy of the lowest way from z > 0 to z < 0.

    Parameters
    ----------
    layer : FreeLayer
        The layer at rest.

    Returns
    -------
    float
        Energy over mu0 M_s H_k V, on a grid; the lowest of a half that has no well [1].

    References
    ----------
    Stoner and Wohlfarth, Phil. Trans. R. Soc. A 240 (1948) 599, doi:10.1098/rsta.1948.0007.

    Examples
    --------
    >>> round(barrier(uniaxial(60, 0.01, h=[0.1, 0, 0])), 4)
    -0.1
    """
    return _barrier(layer)[0]


@lru_cache(maxsize=64)
def _barrier(layer: FreeLayer) -> tuple[float, float, float]:
    """Lowest energy at which z > 0 and z < 0 are connected; lowest energies of either."""
    z, values = energies(layer)
    places = [
        np.unravel_index(np.where(half[:, None], values, np.inf).argmin(), values.shape)
        for half in (z > 0, z < 0)
    ]
    up, down = (float(values[place]) for place in places)
    rows = [int(place[0]) for place in places]
    edge = int(np.flatnonzero(z > 0)[0])
    if rows[0] == edge or rows[1] == GRID - 1 - edge:  # no well on that side
        return max(up, down), up, down
    twice = np.concatenate([values, values[:, 1:]], axis=1)  # so that a way may pass azimuth 0
    low, high = max(up, down), float(values.max())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        parts = ndimage.label(twice <= middle)[0]
        start, end = (parts[row, [column, column + GRID - 1]] for row, column in places)
        if np.isin(start, end[end > 0]).any():
            high = middle
        else:
            low = middle
    return high, up, down


def energies(layer: FreeLayer) -> tuple[Array, Array]:
    """Compute the energy of a layer on a grid of the sphere.

    Parameters
    ----------
    layer : FreeLayer
        The layer.

    Returns
    -------
    z : ndarray
        Rising, shape (GRID,) [1].
    values : ndarray
        Energy over mu0 M_s H_k V, shape (GRID, GRID): z, azimuth [1].

    References
    ----------
    Stoner and Wohlfarth, Phil. Trans. R. Soc. A 240 (1948) 599, doi:10.1098/rsta.1948.0007.

    Examples
    --------
    >>> energies(uniaxial(60, 0.01))[1].shape
    (181, 181)
    """
    z = np.linspace(-1, 1, GRID)
    return z, energy(layer, vectors(z, np.linspace(0, 2 * np.pi, GRID)))


def vectors(z: Array, azimuth: Array) -> Array:
    """Give unit vectors on a grid of the sphere.

    Parameters
    ----------
    z : ndarray
        Components along the axis, in [-1, 1], shape (k,) [1].
    azimuth : ndarray
        Azimuths, shape (n,) [rad].

    Returns
    -------
    ndarray
        Unit vectors, shape (3, k, n) [1].

    References
    ----------
    This project's design, docs/theory/macrospin.md.

    Examples
    --------
    >>> vectors(np.array([0.0]), np.array([0.0])).ravel().tolist()
    [1.0, 0.0, 0.0]
    """
    across = np.sqrt(1 - z * z)[:, None]
    parts = (across * np.cos(azimuth), across * np.sin(azimuth), z[:, None])
    return np.stack(np.broadcast_arrays(*parts))
