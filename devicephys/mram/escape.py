"""Escape of a free layer from a well by heat: barriers between wells and rates over saddles.

Wells and saddles are those of `devicephys.mram.wells`. Valid without a spin torque, for barriers
above about 5 k_B T; for axial symmetry `devicephys.mram.thermal` is exact, with a current as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import quad

from devicephys.checks import Array
from devicephys.errors import AccuracyError, ParameterError
from devicephys.mram.free_layer import FreeLayer, effective_field
from devicephys.mram.wells import STRIDE, Point, frame, nearest, slopes, stationary_points, turned

UPHILL = ("saddle", "ridge")
NEAR = 0.02  # radians from a saddle at which its contour is taken as straight
ARC = 0.005  # radians a step along a contour
LONGEST = 4000  # steps


@dataclass(frozen=True, eq=False)
class Barrier:
    """The lowest way from one well to another.

    Attributes
    ----------
    start, saddle, end : Point
        Where it begins, its highest point, and where it ends.
    height : float
        e(saddle) - e(start), over mu0 M_s H_k V [1].
    thermal : float
        The same, 2 delta times height [k_B T].
    """

    start: Point
    saddle: Point
    end: Point
    height: float
    thermal: float


@dataclass(frozen=True, eq=False)
class Escape:
    """The rate at which heat drives a layer out of a well.

    Attributes
    ----------
    rate : float
        Rate times t_D over all saddles, at the layer's damping [1].
    saddles : tuple of Point
        The ways out.
    rates : ndarray
        Rate times t_D over each, at intermediate to high damping, shape (saddles,) [1].
    thermal : float
        Height of the lowest saddle [k_B T].
    loss : float
        Energy that damping takes along the contour of the lowest saddle, inside the well, from
        saddle to saddle; inf for a ridge [k_B T].
    depopulation : float
        Factor rate/sum(rates) of low damping: 1 for loss >> 1, and always for a ridge [1].
    """

    rate: float
    saddles: tuple[Point, ...]
    rates: Array
    thermal: float
    loss: float
    depopulation: float


def barrier(
    layer: FreeLayer, start: ArrayLike = (0.0, 0.0, 1.0), end: ArrayLike = (0.0, 0.0, -1.0)
) -> Barrier:
    """Compute the energy barrier between two wells: the lowest saddle of all ways.

    Valid as `stationary_points` is; the way may lead through other wells.

    Parameters
    ----------
    layer : FreeLayer
        The layer.
    start, end : array_like, optional
        Directions to whose nearest minima it leads, shape (3,) [1].

    Returns
    -------
    Barrier
        The saddle and its height.

    Raises
    ------
    ParameterError
        If both ends are in one well.
    AccuracyError
        If the way cannot be found, or the stationary points cannot.

    References
    ----------
    Stoner and Wohlfarth, Phil. Trans. R. Soc. A 240 (1948) 599, doi:10.1098/rsta.1948.0007.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> round(barrier(uniaxial(60, 0.01, h=[0, 0, -0.2])).thermal, 6)
    38.4
    """
    points = stationary_points(layer)
    wells = [p for p in points if p.kind in ("minimum", "valley")]
    first, last = nearest(wells, start), nearest(wells, end)
    if first == last:
        raise ParameterError(
            f"start and end are in one well, at m = {wells[first].m.round(4).tolist()}",
            expected="two minima", remedy="a smaller field",
        )  # fmt: skip
    joined = list(range(len(wells)))  # label of each well: equal where a lower way is known
    for saddle in sorted((p for p in points if p.kind in UPHILL), key=lambda p: p.energy):
        a, b = (joined[k] for k in _sides(layer, saddle, wells))
        joined = [a if label == b else label for label in joined]
        if joined[first] == joined[last]:
            height = saddle.energy - wells[first].energy
            return Barrier(wells[first], saddle, wells[last], height, 2 * layer.delta * height)
    raise AccuracyError("no way between two wells", expected="a saddle that joins them")


def kramers_rate(layer: FreeLayer, start: ArrayLike = (0.0, 0.0, 1.0)) -> Escape:
    """Compute the rate of thermal escape from a well over its saddles, for high barriers.

    Valid for barriers above about 5 k_B T, to some k_B T/barrier, and no torque. Over a saddle:
    Brown's and Langer's formula for intermediate to high damping times the depopulation factor of
    Mel'nikov, which also holds at low damping; it is that of the lowest saddle, for two wells and
    saddles of one height. Over the ridge of an axially symmetric layer: Brown's, any damping.

    Parameters
    ----------
    layer : FreeLayer
        The layer.
    start : array_like, optional
        Direction to whose nearest minimum the well belongs, shape (3,) [1].

    Returns
    -------
    Escape
        The rate times t_D, its ways and its regime.

    Raises
    ------
    ParameterError
        If there is no way out.
    AccuracyError
        If the stationary points, or the end of a contour, cannot be found.

    Notes
    -----
    k = (lambda_+/2 pi) sqrt(c1 c2/abs(c1' c2')) e^{-E} over a saddle, primed curvatures and growth
    rate lambda_+ being its own and E the barrier over k_B T;
    k = c sin(theta) sqrt(delta abs(c')/pi) e^{-E} over a ridge at theta from its axis.
    Depopulation: A(d) A(d')/A(d + d') with the losses d and d' of the wells on either side and
    ln A(d) = (1/pi) int_0^inf ln(1 - e^{-d (x^2 + 1/4)}) dx/(x^2 + 1/4).

    References
    ----------
    Brown, IEEE Trans. Magn. 15 (1979) 1196, doi:10.1109/TMAG.1979.1060329; Coffey and Kalmykov,
    J. Appl. Phys. 112 (2012) 121301, doi:10.1063/1.4754272; depopulation: Mel'nikov, Phys. Rep.
    209 (1991) 1, doi:10.1016/0370-1573(91)90108-X; ridge: Brown, Phys. Rev. 130 (1963)
    1677, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> found = kramers_rate(uniaxial(60, 0.01, in_plane=0.5))
    >>> len(found.saddles), round(found.thermal, 6), round(found.loss, 3)
    (2, 60.0, 1.697)
    >>> f"{found.rate:.2e}", round(found.depopulation, 3)
    ('1.52e-25', 0.445)
    """
    points = stationary_points(layer)
    wells = [p for p in points if p.kind in ("minimum", "valley")]
    own = nearest(wells, start)
    out = [
        (saddle, sides)
        for saddle in points
        if saddle.kind in UPHILL and own in (sides := _sides(layer, saddle, wells))
        and sides[0] != sides[1]
    ]  # fmt: skip
    if not out:
        raise ParameterError(
            f"no way out of the well at m = {wells[own].m.round(4).tolist()}",
            expected="two minima", remedy="a smaller field",
        )  # fmt: skip
    well, saddles = wells[own], tuple(saddle for saddle, _ in out)
    heights = 2 * layer.delta * (np.array([s.energy for s in saddles]) - well.energy)
    rates = np.array([_flux(layer, s) for s in saddles]) / _volume(layer, well) * np.exp(-heights)
    loss, factor = np.inf, 1.0
    if saddles[0].kind == "saddle":
        side = out[0][1].index(own)
        loss, beyond = (_loss(layer, saddles[0], points, k) for k in (side, 1 - side))
        factor = _depopulation(loss) * _depopulation(beyond) / _depopulation(loss + beyond)
    return Escape(factor * rates.sum(), saddles, rates, float(heights[0]), loss, factor)


def _sides(layer: FreeLayer, saddle: Point, wells: Sequence[Point]) -> tuple[int, int]:
    """Go downhill from either side of a saddle: the wells it leads to."""
    hessian = slopes(layer, saddle.m)[1]
    steepest = np.linalg.eigh(hessian)[1][:, 0]
    xi = STRIDE / 2 * np.stack([steepest, -steepest], axis=1)
    m = np.repeat(saddle.m[:, None], 2, axis=1)
    m = turned(m, frame(m), xi)
    for _ in range(2000):
        gradient, hessian = slopes(layer, m)
        # A step of the implicit flow that is at most a stride long; Newton's at the end.
        values, vectors = np.linalg.eigh(np.moveaxis(hessian, -1, 0))
        size = np.sqrt((gradient**2).sum(axis=0))
        shift = np.maximum(0, -values[:, 0]) + size / STRIDE
        inside = np.einsum("nij,in->nj", vectors, gradient)
        step = -np.einsum(
            "nij,nj->in", vectors, inside / np.maximum(values + shift[:, None], 1e-300)
        )
        m = turned(m, frame(m), step)
        if np.abs(step).max() < 1e-6:
            break
    first, second = (nearest(wells, m[:, k]) for k in (0, 1))
    return first, second


def _volume(layer: FreeLayer, well: Point) -> float:
    """Integrate the Boltzmann law over a well, its bottom as zero of energy."""
    if well.axis is None:
        return float(2 * np.pi / (2 * layer.delta) / np.sqrt(well.curvatures.prod()))
    return _circumference(well) * float(np.sqrt(np.pi / (layer.delta * well.curvatures[1])))


def _circumference(ring: Point) -> float:
    axis = np.zeros(3) if ring.axis is None else ring.axis
    return float(2 * np.pi * np.linalg.norm(np.cross(ring.m, axis)))


def _flux(layer: FreeLayer, saddle: Point) -> float:
    """Integrate the flux over a saddle, its top as zero of energy, density 1 on this side."""
    c1, c2 = saddle.curvatures
    if saddle.kind == "ridge":
        diffusion = 1 / (2 * layer.delta)
        return diffusion * _circumference(saddle) * float(np.sqrt(layer.delta * -c1 / np.pi))
    # lambda_+, the rising eigenvalue of -(1 - J/alpha) C
    growth = (-(c1 + c2) + np.sqrt((c1 + c2) ** 2 - 4 * (1 + layer.alpha**-2) * c1 * c2)) / 2
    return float(growth / (2 * layer.delta) / np.sqrt(-c1 * c2))


def _depopulation(loss: float) -> float:
    """Compute Mel'nikov's A(loss), 1 for a large one, loss for a small one."""

    def integrand(x: float) -> float:
        return float(np.log(-np.expm1(-loss * (x * x + 0.25))) / (x * x + 0.25))

    return float(np.exp(quad(integrand, 0, np.inf, limit=200)[0] / np.pi))


def _loss(layer: FreeLayer, saddle: Point, points: Sequence[Point], side: int) -> float:
    """Integrate 2 delta alpha |m x H| |dm| along the contour from a saddle to one as high.

    Along an undamped orbit dm/dt = -m x H, and damping takes alpha |m x H|^2 a unit of time.
    """
    (c1, c2), vectors = np.linalg.eigh(slopes(layer, saddle.m)[1])
    # Of the four directions of equal energy, one that leaves on the side asked for.
    xi = (-1.0) ** side * vectors[:, 0] * np.sqrt(c2) + vectors[:, 1] * np.sqrt(-c1)
    m = turned(saddle.m, frame(saddle.m), xi * NEAR / np.linalg.norm(xi))
    way, speed = _slope(layer, m)
    sense = np.sign(way @ (m - saddle.m)) * ARC
    within = 1 / (2 * layer.delta)
    ends = [p.m for p in points if p.kind == "saddle" and abs(p.energy - saddle.energy) < within]
    total = speed * NEAR / 2  # near a saddle |m x H| grows in proportion to the distance
    for step in range(LONGEST):
        k2, middle = _slope(layer, m + sense / 2 * way)
        k3, _ = _slope(layer, m + sense / 2 * k2)
        k4, _ = _slope(layer, m + sense * k3)
        m = m + sense * (way + 2 * k2 + 2 * k3 + k4) / 6
        m /= np.linalg.norm(m)
        before, (way, speed) = speed, _slope(layer, m)
        total += ARC * (before + 4 * middle + speed) / 6
        left = min(float(np.linalg.norm(end - m)) for end in ends)
        if left < NEAR and step * ARC > 4 * NEAR:
            return float(2 * layer.delta * layer.alpha * (total + speed * left / 2))
    raise AccuracyError(
        f"a contour from the saddle at m = {saddle.m.round(4).tolist()} that does not end",
        expected="a simple one", remedy="an energy with fewer saddles",
    )  # fmt: skip


def _slope(layer: FreeLayer, m: Array) -> tuple[Array, float]:
    """Give the direction of precession and |m x H|."""
    turning = np.cross(m, effective_field(layer, m))
    size = float(np.linalg.norm(turning))
    return np.asarray(turning / size), size
