"""Wells of a free layer: where its energy is stationary, and how it rings in a minimum.

All of it follows from the energy e over mu0 M_s H_k V on the sphere: from its stationary points and
the curvatures c of its tangent-plane Hessian there. Near a stationary point a displacement xi in
the tangent plane obeys d xi/d tau = -(1 - J/alpha) C xi, J the quarter turn about m, C the Hessian.

Valid for any `FreeLayer` with isolated stationary points, or circles of them (axial symmetry),
and no spin torque. What heat does to a well is in `devicephys.mram.escape`, what torque and field
do to it in `devicephys.mram.stability`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike

from devicephys.checks import Array, in_range
from devicephys.errors import AccuracyError, ParameterError
from devicephys.mram.free_layer import FreeLayer, effective_field, energy

STARTS = (300, 3000)  # points that Newton's method starts from; more if Euler's sum fails
STEP = 1e-3  # of differences of the field of a surface, of fourth order: error 1e-12
ROUNDING = 1e-11  # gradient at which a point is stationary, over the largest field
FLAT = 1e-7  # curvature that is none, over the largest field
APART = 1e-5  # distance of points that are two
CIRCLE = 8  # distinct points that make a circle
STRIDE = 0.02  # radians a step downhill and along a branch
Kind = Literal["minimum", "saddle", "maximum", "valley", "ridge"]
KINDS: tuple[Kind, ...] = ("minimum", "saddle", "maximum")  # by the number of ways down


@dataclass(frozen=True, eq=False)
class Point:
    """A stationary point of the energy, or one of a circle of them.

    Attributes
    ----------
    m : ndarray
        Unit vector, shape (3,) [1].
    energy : float
        Energy over mu0 M_s H_k V [1].
    curvatures : ndarray
        Eigenvalues of the tangent-plane Hessian, rising, shape (2,); on a circle one is 0 [1].
    kind : str
        "minimum", "saddle" or "maximum"; of a circle, "valley" (of minima) or "ridge".
    axis : ndarray or None
        Axis of the circle, shape (3,) [1].
    """

    m: Array
    energy: float
    curvatures: Array
    kind: Kind
    axis: Array | None = None


@dataclass(frozen=True)
class Resonance:
    """Small oscillation about a minimum, over gamma_0 H_k.

    Attributes
    ----------
    omega : float
        Angular frequency by Smit and Beljers, sqrt(c1 c2), the one without damping [1].
    damped : float
        Angular frequency of the free, damped oscillation; 0 if overdamped [1].
    linewidth : float
        Full width at half maximum in omega, alpha (c1 + c2)/(1 + alpha^2) [1].
    """

    omega: float
    damped: float
    linewidth: float


def frame(m: Array) -> tuple[Array, Array]:
    """Compute two unit vectors that are a right-handed frame with m.

    Parameters
    ----------
    m : ndarray
        Unit vectors, shape (3, ...) [1].

    Returns
    -------
    tuple of ndarray
        e1 and e2 with e1 x e2 = m, shape of `m` each [1].

    References
    ----------
    Frisvad, J. Graphics Tools 16 (2012) 151, doi:10.1080/2165347X.2012.689606; the sign: Duff et
    al., J. Comput. Graph. Tech. 6 (2017) 1.

    Examples
    --------
    >>> [e.tolist() for e in frame(np.array([0.0, 0.0, 1.0]))]
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    x, y, z = m
    sign = np.where(z < 0, -1.0, 1.0)
    a = -1 / (sign + z)
    e1 = np.stack([1 + sign * x * x * a, sign * x * y * a, -sign * x])
    e2 = np.stack([x * y * a, sign + y * y * a, -y])
    return e1 + 0.0, e2 + 0.0  # no -0


def slopes(layer: FreeLayer, m: Array) -> tuple[Array, Array]:
    """Compute gradient and Hessian of the energy in the tangent plane, in the axes of `frame`.

    Parameters
    ----------
    layer : FreeLayer
        The layer.
    m : ndarray
        Unit vectors, shape (3, ...) [1].

    Returns
    -------
    gradient : ndarray
        Over mu0 M_s H_k V, shape (2, ...) [1].
    hessian : ndarray
        Of the energy along great circles, shape (2, 2, ...) [1].

    Notes
    -----
    C = -P (dH/dm) P + (m.H) P with P the projection on the plane. The field of a surface is
    differentiated along great circles by central differences of fourth order.

    References
    ----------
    Smit and Beljers, Philips Res. Rep. 10 (1955) 113; in this form Absil, Mahony and Trumpf,
    Lect. Notes Comput. Sci. 8085 (2013) 361, doi:10.1007/978-3-642-40020-9_39.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> slopes(uniaxial(60, 0.01, h=[0, 0, 0.2]), np.array([0.0, 0.0, 1.0]))[1].tolist()
    [[1.2, 0.0], [0.0, 1.2]]
    """
    field = np.asarray(effective_field(layer, m), np.float64)
    axes = frame(m)
    gradient = -np.stack([(e * field).sum(axis=0) for e in axes])
    radial = (m * field).sum(axis=0)
    change = [_change(layer, m, e) for e in axes]
    hessian = np.stack([np.stack([-(e * d).sum(axis=0) for d in change]) for e in axes])
    hessian = (hessian + hessian.swapaxes(0, 1)) / 2  # symmetric but for rounding
    return gradient, hessian + np.eye(2).reshape(2, 2, *[1] * (m.ndim - 1)) * radial


def stationary_points(layer: FreeLayer) -> list[Point]:
    """Find all stationary points of the energy, and check that they are all.

    Valid for points that are isolated or make circles. Newton's method from points all over the
    sphere; the count must obey minima - saddles + maxima = 2, circles counting 0.

    Parameters
    ----------
    layer : FreeLayer
        The layer.

    Returns
    -------
    list of Point
        By rising energy; a circle is one of them [1].

    Raises
    ------
    ParameterError
        If the energy is the same in all directions.
    AccuracyError
        If the count fails, or a point is neither isolated nor one of a circle.

    References
    ----------
    Milnor, Morse Theory (1963), theorem 5.2, doi:10.1515/9781400881802.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> [(p.kind, round(p.energy, 6)) for p in stationary_points(uniaxial(60, 0.01))]
    [('minimum', -0.5), ('minimum', -0.5), ('ridge', 0.0)]
    """
    scale = turning_field(layer)
    found: list[Point] = []
    for count in STARTS:
        m = _distinct(_newton(layer, lattice(count), scale))
        found = _classified(layer, m, scale)
        sums = {"minimum": 1, "maximum": 1, "saddle": -1}
        if sum(sums.get(point.kind, 0) for point in found) == 2:
            return sorted(found, key=lambda point: point.energy)
    kinds = ", ".join(point.kind for point in found)
    raise AccuracyError(
        f"stationary points that do not add up: {kinds}",
        expected="minima - saddles + maxima = 2",
        remedy="another field, if a well is about to vanish at this one",
    )


def resonance(layer: FreeLayer, start: ArrayLike = (0.0, 0.0, 1.0)) -> Resonance:
    """Compute frequency and linewidth of ferromagnetic resonance about a minimum.

    Valid for small amplitudes, without a torque. In rad/s, times gamma_0 H_k. The damped frequency
    is Im of the eigenvalues of the linear equation, whose modulus is omega/sqrt(1 + alpha^2).

    Parameters
    ----------
    layer : FreeLayer
        The layer.
    start : array_like, optional
        Direction to whose nearest minimum it belongs, shape (3,) [1].

    Returns
    -------
    Resonance
        Frequencies and linewidth over gamma_0 H_k.

    Raises
    ------
    ParameterError
        If there is no isolated minimum.

    Notes
    -----
    sqrt(c1 c2) is Smit's and Beljers' sqrt(F_tt F_pp - F_tp^2)/sin(theta), without its
    singularity at the poles.

    References
    ----------
    Smit and Beljers, Philips Res. Rep. 10 (1955) 113; Kittel, Phys. Rev. 73 (1948) 155,
    doi:10.1103/PhysRev.73.155; poles: Baselgia et al., Phys. Rev. B 38 (1988) 2237,
    doi:10.1103/PhysRevB.38.2237.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> found = resonance(uniaxial(60, 0.01, h=[0, 0, 0.5], in_plane=2.0))
    >>> round(found.omega, 6), round(found.linewidth, 6)
    (2.291288, 0.049995)
    """
    c1, c2 = minimum_near(layer, start).curvatures
    square = layer.alpha**2
    product, total = c1 * c2, c1 + c2
    # Eigenvalues of -(1 - J/alpha) C over 1/t_D, times t_D's alpha/(1 + alpha^2).
    inside = (1 + square) * product - square * total**2 / 4
    damped = np.sqrt(max(inside, 0.0)) / (1 + square)
    return Resonance(
        float(np.sqrt(product)), float(damped), float(layer.alpha * total / (1 + square))
    )


def direction_of(name: str, value: ArrayLike) -> Array:
    """Return a direction as a unit vector after checking that it is one.

    Parameters
    ----------
    name : str
        Name of the argument, as the caller knows it.
    value : array_like
        The direction, any length, shape (3,) [any].

    Returns
    -------
    ndarray
        Unit vector, shape (3,) [1].

    Raises
    ------
    ParameterError
        If it is zero or no vector.

    References
    ----------
    This project's design, docs/theory/free_energy.md.

    Examples
    --------
    >>> direction_of("direction", [0, 3, 4]).tolist()
    [0.0, 0.6, 0.8]
    """
    vector = in_range(name, value, "1")
    if vector.shape != (3,) or not vector.any():
        raise ParameterError(f"{name} = {vector.tolist()}", expected="a direction, shape (3,)")
    return np.asarray(vector / np.linalg.norm(vector))


def lattice(count: int) -> Array:
    """Give directions all over the sphere, evenly, and the axes.

    Parameters
    ----------
    count : int
        Number of directions besides the axes [1].

    Returns
    -------
    ndarray
        Unit vectors, shape (3, count + 6) [1].

    References
    ----------
    Gonzalez, Math. Geosci. 42 (2010) 49, doi:10.1007/s11004-009-9257-x.

    Examples
    --------
    >>> lattice(10).shape
    (3, 16)
    """
    z = 1 - (2 * np.arange(count) + 1) / count
    azimuth = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    across = np.sqrt(1 - z**2)
    lattice = np.stack([across * np.cos(azimuth), across * np.sin(azimuth), z])
    return np.concatenate([np.eye(3), -np.eye(3), lattice], axis=1)


def turning_field(layer: FreeLayer) -> float:
    """Compute the largest field that turns m, the scale of everything here.

    Parameters
    ----------
    layer : FreeLayer
        The layer.

    Returns
    -------
    float
        Largest length of m x H over H_k [1].

    Raises
    ------
    ParameterError
        If nothing turns m: the energy is the same in all directions.

    References
    ----------
    This project's design, docs/theory/free_energy.md.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> round(turning_field(uniaxial(60, 0.01)), 2)
    0.5
    """
    m = lattice(STARTS[0])
    field = np.asarray(effective_field(layer, m))
    scale = float(np.linalg.norm(np.cross(m, field, axis=0), axis=0).max())
    if not scale > 1e-12:
        raise ParameterError(
            "no minimum: the energy is the same in all directions",
            expected="a FreeLayer with anisotropy or field",
        )
    return scale


def turned(m: Array, axes: tuple[Array, Array], xi: Array) -> Array:
    """Move along the great circle that starts as a vector of the tangent plane.

    Parameters
    ----------
    m : ndarray
        Unit vectors, shape (3, ...) [1].
    axes : tuple of ndarray
        Their `frame`, shape of `m` each [1].
    xi : ndarray
        Components in it, whose length is the angle, shape (2, ...) [rad].

    Returns
    -------
    ndarray
        Unit vectors, shape of `m` [1].

    References
    ----------
    This project's design, docs/theory/free_energy.md.

    Examples
    --------
    >>> north = np.array([0.0, 0.0, 1.0])
    >>> turned(north, frame(north), np.array([np.pi / 2, 0.0])).round(9).tolist()
    [1.0, 0.0, 0.0]
    """
    angle = np.sqrt((xi**2).sum(axis=0))
    sinc = np.sinc(angle / np.pi)
    found = m * np.cos(angle) + sinc * (axes[0] * xi[0] + axes[1] * xi[1])
    return np.asarray(found / np.linalg.norm(found, axis=0))


def _change(layer: FreeLayer, m: Array, e: Array) -> Array:
    """Differentiate the field along the great circle that starts as e."""
    total = np.zeros(np.broadcast_shapes(m.shape, e.shape))
    for axis, series in enumerate(layer.anisotropy):
        total[axis] = chebyshev.chebval(m[axis], chebyshev.chebder(series)) * e[axis]
    if layer.surface is not None:
        near, far = (
            sum(
                sign * layer.surface.field(m * np.cos(s) + sign * e * np.sin(s)) for sign in (1, -1)
            )
            for s in (STEP, 2 * STEP)
        )
        total = total + (8 * near - far) / (12 * STEP)
    return total


def _newton(layer: FreeLayer, m: Array, scale: float) -> Array:
    """Run to stationary points from many starts; those that arrive, shape (3, n)."""
    for _ in range(60):
        gradient, hessian = slopes(layer, m)
        # The pseudo-inverse stays put along a circle of stationary points.
        xi = -np.einsum("ij...,j...->i...", _inverse(hessian, scale), gradient)
        size = np.sqrt((xi**2).sum(axis=0))
        m = turned(m, frame(m), xi * np.minimum(1, 0.3 / np.maximum(size, 1e-300)))
        if size.max() < 1e-14:
            break
    gradient = slopes(layer, m)[0]
    return m[:, np.abs(gradient).max(axis=0) < ROUNDING * scale]


def _inverse(hessian: Array, scale: float) -> Array:
    """Invert 2 x 2 Hessians where they have a curvature."""
    values, vectors = np.linalg.eigh(np.moveaxis(hessian, (0, 1), (-2, -1)))
    inverse = np.where(np.abs(values) > FLAT * scale / 10, 1 / np.where(values == 0, 1, values), 0)
    return np.moveaxis(
        (vectors * inverse[..., None, :]) @ vectors.swapaxes(-1, -2), (-2, -1), (0, 1)
    )


def _distinct(m: Array) -> Array:
    """Drop points that are there already."""
    kept = np.empty((3, 0))
    for candidate in m.T:
        if not (np.linalg.norm(kept - candidate[:, None], axis=0) < APART).any():
            kept = np.column_stack([kept, candidate])
    return kept


def _classified(layer: FreeLayer, m: Array, scale: float) -> list[Point]:
    """Name the kinds of stationary points; make one point of a circle."""
    curvatures = np.linalg.eigvalsh(np.moveaxis(slopes(layer, m)[1], -1, 0))
    energies = energy(layer, m)
    flat = np.abs(curvatures).min(axis=1) < FLAT * scale
    found = []
    for k in np.flatnonzero(~flat):
        kind = KINDS[int((curvatures[k] < 0).sum())]
        found.append(Point(m[:, k], float(energies[k]), curvatures[k], kind))
    left = list(np.flatnonzero(flat))
    while left:
        ring = [k for k in left if abs(energies[k] - energies[left[0]]) < 1e-9 * scale]
        found.append(_circle(m[:, ring], float(energies[ring[0]]), curvatures[ring[0]]))
        left = [k for k in left if k not in ring]
    return found


def _circle(m: Array, height: float, curvatures: Array) -> Point:
    """Recognise points of equal energy as a circle."""
    centre = m.mean(axis=1)
    axis = np.linalg.svd((m - centre[:, None]).T)[2][2] if m.shape[1] >= 3 else np.zeros(3)
    off = np.ptp(axis @ m)
    if m.shape[1] < CIRCLE or off > 100 * APART:
        raise AccuracyError(
            f"a degenerate stationary point at m = {m[:, 0].round(4).tolist()}",
            expected="points with two curvatures, or circles of them",
            remedy="change the energy or the field a little",
        )
    axis = axis if axis[np.abs(axis).argmax()] > 0 else -axis
    kind: Kind = "valley" if curvatures.sum() > 0 else "ridge"
    return Point(m[:, 0], height, curvatures, kind, axis)


def nearest(points: Sequence[Point], direction: ArrayLike) -> int:
    """Find the stationary point next to a direction; of a circle, its nearest one counts.

    Parameters
    ----------
    points : sequence of Point
        Points, one at least [1].
    direction : array_like
        The direction, shape (3,) [1].

    Returns
    -------
    int
        Index of the point [1].

    References
    ----------
    This project's design, docs/theory/free_energy.md.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> points = stationary_points(uniaxial(60, 0.01))
    >>> points[nearest(points, [1, 1, 0.1])].kind
    'ridge'
    """
    d = direction_of("direction", direction)

    def distance(point: Point) -> float:
        if point.axis is None:
            return float(np.arccos(np.clip(point.m @ d, -1, 1)))
        angles = [np.arccos(np.clip(v @ point.axis, -1, 1)) for v in (point.m, d)]
        return float(abs(angles[0] - angles[1]))

    return int(np.argmin([distance(point) for point in points]))


def minimum_near(layer: FreeLayer, start: ArrayLike) -> Point:
    """Find the isolated minimum next to a direction.

    Parameters
    ----------
    layer : FreeLayer
        The layer.
    start : array_like
        The direction, shape (3,) [1].

    Returns
    -------
    Point
        The minimum [1].

    Raises
    ------
    ParameterError
        If a circle of minima is next to it.

    References
    ----------
    This project's design, docs/theory/free_energy.md.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> minimum_near(uniaxial(60, 0.01, h=[0.6, 0, 0]), [0, 0, 1]).m.round(6).tolist()
    [0.6, 0.0, 0.8]
    """
    points = stationary_points(layer)
    wells = [p for p in points if p.kind in ("minimum", "valley")]
    found = wells[nearest(wells, start)]
    if found.kind != "minimum":
        raise ParameterError(
            "no isolated minimum but a circle of them",
            expected="an energy with a minimum", remedy="add an in-plane anisotropy",
        )  # fmt: skip
    return found
