"""Write error rate of a macrospin in any field from the Fokker-Planck equation on the sphere.

The density rho(u, phi, tau), u = -m_z, of a free layer (see `free_layer`) obeys

    d rho/d tau = -div(v rho) + (1/(2 Delta)) lap rho,

v being the velocity without noise: any field, torque, or energy. It is expanded on the cap
u in [-1, b] about the initial state, in

    (1 + u)^(m/2) P_k^(0, m)(xi) {cos m phi, sin m phi},

functions that are smooth at the pole; xi is the position in [-1, 1]. At b, where the energy lies
well below the barrier, the density flows out with max(v_u, 0), and towards b the noise is faded
out (see `galerkin`). What is left decays as a whole, so that the tail keeps its relative accuracy.

In time the equation is integrated by rational Krylov steps with one pole, hence one factorisation
a stage: precession, 1/alpha times faster than the rest, costs no short steps. The read-out after
the pulse is the slowest left eigenfunction of the layer at rest.

Every rate is computed with expansions that differ in their orders, boundary and pole, until two
agree; their difference is the error estimate, or more where the differences shrink slowly. Rates
that it swamps are refused.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.special import eval_jacobi

from devicephys.checks import Array, in_range, known
from devicephys.errors import AccuracyError, ParameterError
from devicephys.mram import landscape, written
from devicephys.mram.fokker_planck import Solution
from devicephys.mram.free_layer import (
    GRID,
    NONE,
    FreeLayer,
    Stage,
    decided,
    depth,
    energy,
    fields,
    vectors,
    velocity,
)
from devicephys.mram.galerkin import FADE, INITIAL_NODES, one_thread

Readout = Literal["sign", "relaxed"]
READOUTS: tuple[Readout, ...] = ("sign", "relaxed")
KRYLOV = 150  # vectors of a step, at most
SHALLOW = 10.0  # k_B T
BOUNDARIES = (0.3, 0.97)  # least and largest
CHECKED, KRYLOV_ERROR = 5, 1e-9  # each so many vectors the space is tried, until it holds
STEP = 6.0  # of a step times the largest field or torque
SLOW, ITERATIONS = 1e4, 3  # pole of the read-out [t_D]: each iteration leaves 1/SLOW of the rest
TINY = 1e-280  # below, a float has no relative accuracy left
WEAKEST = 0.5  # field over H_k that sets the step at the least: noise alone moves the layer, too
MOST_STEPS = 2000
IN_TIME = 2e-5  # relative error of the steps in time and of the read-out, which expansions share
MARGIN = 2.0  # error over the last difference at the least
SLOWEST = 0.9  # ratio of successive differences: then ten times the last is missing
BANDED = 5  # the dense factorisation is faster for a band over 1/5 of the size
RESOLVED = 1e-13  # relative: below this a coupling between harmonics is round-off


@dataclass(frozen=True)
class Expansion:
    """Orders of an expansion, and where and how it ends.

    Attributes
    ----------
    degree, harmonics : int
        Number of polynomials for each harmonic, and the highest harmonic in phi [1].
    drop : float
        How far the energy has fallen below the barrier at the boundary [k_B T].
    pole : float
        Of the rational Krylov steps, over the step [1].
    """

    degree: int
    harmonics: int
    drop: float
    pole: float


@dataclass(frozen=True, eq=False)
class Basis:
    """An expansion laid out: nodes, and the functions of phi and of u at them.

    Attributes
    ----------
    b, scale : float
        Boundary in u, and du/d xi = (b + 1)/2 [1].
    xi, u, weights : ndarray
        Gauss nodes in xi, the same in u, and weights in xi, shape (nodes,) [1].
    phi : ndarray
        Nodes in phi, evenly spaced, shape (angles,) [rad].
    around, slopes : ndarray
        Orthonormal functions of phi and their derivatives, shape (functions, angles) [1].
    harmonic : tuple of int
        Harmonic of each function of phi [1].
    degree : int
        Number of functions of u for each function of phi [1].
    functions : tuple of ndarray
        For each harmonic, its functions of u and their derivatives at the nodes, shape
        (2, nodes, degree) [1].
    """

    b: float
    scale: float
    xi: Array
    u: Array
    weights: Array
    phi: Array
    around: Array
    slopes: Array
    harmonic: tuple[int, ...]
    degree: int
    functions: tuple[Array, ...]


EXPANSIONS = (  # tried in turn until two agree; sizes 840 to 5 300
    Expansion(40, 10, 6.0, 0.09),
    Expansion(66, 18, 8.0, 0.11),
    Expansion(80, 21, 10.0, 0.09),
    Expansion(100, 26, 12.0, 0.11),
)


def wer(
    rest: FreeLayer,
    stages: Sequence[Stage],
    *,
    readout: Readout = "relaxed",
    rtol: float = 1e-3,
    atol: float = 0.0,
) -> Array:
    """Compute the write error rate of a pulse, or refuse where it is not converged.

    Valid for a coherent free layer that starts in equilibrium in its well about +z, whatever
    acts across the axis, as long as no stage can bring a written layer back (see `written`). The
    well has to be deeper than 10 k_B T, for the states to be apart.

    Parameters
    ----------
    rest : FreeLayer
        The layer before and after the pulse.
    stages : sequence of Stage
        The pulse; the last stage may hold a rising series of durations.
    readout : {"relaxed", "sign"}, optional
        What counts as failed: falling back to the initial state after the pulse, or z > 0 at its
        end.
    rtol, atol : float, optional
        Largest accepted error, ``error <= rtol * WER + atol`` [1].

    Returns
    -------
    ndarray
        Probability that the pulse fails, shape of the durations of the last stage [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.
    AccuracyError
        If a rate is not converged, a stage can bring a written layer back, or the well is
        shallow.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> layer = uniaxial(60, 0.05, h=[0.05, 0.0, 0.0])
    >>> pulse = [Stage(layer, np.array([0, 0, -2.0]), NONE, np.array([2.0, 4.0]))]
    >>> [f"{x:.3f}" for x in wer(layer, pulse)]
    ['0.583', '0.016']
    """
    found = solve(rest, stages, readout=readout, rtol=rtol, atol=atol)
    bad = found.error > rtol * found.wer + atol
    if bad.any():
        first = np.flatnonzero(bad.ravel())[0]
        tau, value, error = (
            np.ravel(x)[first] for x in (stages[-1].tau, found.wer, found.error)
        )  # fmt: skip
        raise AccuracyError(
            f"write error rate {value:.2e} at tau = {tau:g} is uncertain by {error:.1e}",
            where="fokker_planck_2d", expected=f"rtol = {rtol:g}, atol = {atol:g}",
            remedy="raise rtol or atol, or take rare_event",
        )  # fmt: skip
    return found.wer


def solve(
    rest: FreeLayer,
    stages: Sequence[Stage],
    *,
    readout: Readout = "relaxed",
    rtol: float = 1e-3,
    atol: float = 0.0,
) -> Solution:
    """Compute the write error rate of a pulse with its estimated error, converged or not.

    Valid as `wer` is; the orders rise until the tolerance is met, or to the last.

    Parameters
    ----------
    rest, stages, readout, rtol, atol
        As for `wer` [1].

    Returns
    -------
    Solution
        Rates and estimated errors, shape of the durations of the last stage [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.
    AccuracyError
        If a stage can bring a written layer back, or the well is shallow.

    References
    ----------
    As of `wer`, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> layer = uniaxial(60, 0.05)
    >>> found = solve(layer, [Stage(layer, np.array([0, 0, -2.0]), NONE, np.array(4.0))])
    >>> bool(abs(found.wer - 0.0153) < 1e-4), bool(found.error < 1e-5)
    (True, True)
    """
    known("readout", readout, READOUTS)
    in_range("rtol", rtol, "1", above=0, scalar=True)
    in_range("atol", atol, "1", above=0, inclusive=True, scalar=True)
    _check(rest, stages)
    with one_thread():
        last, off = rates(rest, stages, readout, EXPANSIONS[0]), np.array(np.nan)
        for expansion in EXPANSIONS[1:]:
            now = rates(rest, stages, readout, expansion)
            before, off = off, _relative(now, last)
            error = (off * _slowness(off, before) + IN_TIME) * np.abs(now)
            last = now
            if (error <= rtol * now + atol).all():
                break
    shape = stages[-1].tau.shape
    found = np.clip(last, 0.0, 1.0)
    # What is clipped was never a probability; and heat brings some back from the far side.
    error = np.where(found > 0, error, np.abs(last)) + written.returning(rest, stages)
    return Solution(found.reshape(shape), error.reshape(shape))


def _relative(now: Array, last: Array) -> Array:
    """Relative difference of two expansions; it grows with the duration, but for chance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.where(now > 0, np.abs(now - last) / now, np.inf)
    off[(np.abs(now) < TINY) & (np.abs(last) < TINY)] = 0.0
    return np.asarray(np.maximum.accumulate(off))


def _slowness(off: Array, before: Array) -> Array:
    """What is missing over the last difference: r/(1 - r) where differences shrink slowly."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.minimum(np.nan_to_num(off / before, nan=0.0), SLOWEST)
    return np.asarray(np.maximum(ratio / (1 - ratio), MARGIN))


def rates(
    rest: FreeLayer, stages: Sequence[Stage], readout: Readout, expansion: Expansion
) -> Array:
    """Compute write error rates in one expansion, without an error estimate.

    Parameters
    ----------
    rest, stages, readout
        As for `wer` [1].
    expansion : Expansion
        The expansion.

    Returns
    -------
    ndarray
        Rates, shape (widths,) [1].

    References
    ----------
    As of `wer`, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> layer = uniaxial(60, 0.05)
    >>> pulse = [Stage(layer, np.array([0, 0, -2.0]), NONE, np.array(4.0))]
    >>> rates(layer, pulse, "sign", EXPANSIONS[0]).round(6).tolist()
    [0.015269]
    """
    own = written.hottest(rest, stages)
    basis = _basis(expansion, float(np.clip(decided(own, expansion.drop), *BOUNDARIES)))
    density = _initial(rest, basis)
    used = _reached([*stages, _at_rest(rest)], basis, density)
    basis = replace(
        basis, around=basis.around[used], slopes=basis.slopes[used],
        harmonic=tuple(np.array(basis.harmonic)[used].tolist()),
    )  # fmt: skip
    density = density[used].ravel()
    functional = _below(basis)
    if readout == "relaxed":
        functional = _committor(rest, basis, functional, density)
    for stage in stages[:-1]:
        density = _propagate(stage, basis, density, stage.tau[None], expansion.pole)[-1]
    widths = np.atleast_1d(stages[-1].tau)
    return _propagate(stages[-1], basis, density, widths, expansion.pole) @ functional


def _check(rest: FreeLayer, stages: Sequence[Stage]) -> None:
    if not stages:
        raise ParameterError("a pulse of no stage", expected="one or more")
    for k, stage in enumerate(stages[:-1]):
        if stage.tau.ndim:
            raise ParameterError(
                f"stage {k} has {stage.tau.size} durations", expected="one, but for the last stage"
            )
    if (np.diff(np.atleast_1d(stages[-1].tau)) < 0).any():
        raise ParameterError("durations of the last stage fall", expected="a rising series")
    found = depth(written.hottest(rest, stages))
    if found < SHALLOW:
        raise AccuracyError(
            f"the well of FreeLayer about +z is {found:.3g} k_B T deep", where="fokker_planck_2d",
            expected=f"{SHALLOW:g} k_B T or more",
            remedy="take trajectories, or a polar axis along the stable direction",
        )  # fmt: skip
    drop = EXPANSIONS[0].drop
    if written.level(rest, stages, drop) >= 1.0:
        raise AccuracyError(
            "a stage can bring a written layer back over the barrier",
            where="fokker_planck_2d",
            expected="torques, fields and temperatures that leave it there",
            remedy="take trajectories: macrospin.write_error or rare_event",
        )


def _basis(expansion: Expansion, b: float) -> Basis:
    degree, harmonics, scale = expansion.degree, expansion.harmonics, (b + 1) / 2
    xi, weights = landscape.gauss_legendre(degree + harmonics + 24)
    phi = 2 * np.pi * np.arange(4 * harmonics + 8) / (4 * harmonics + 8)
    harmonic = np.array([(m + 1) // 2 for m in range(2 * harmonics + 1)])
    shift = np.r_[0.0, np.tile([0.0, np.pi / 2], harmonics)]  # cosines and sines in turn
    angle = harmonic[:, None] * phi - shift[:, None]
    norm = np.sqrt((2 - (harmonic[:, None] == 0)) / (2 * np.pi))
    return Basis(
        b=b,
        scale=scale,
        xi=xi,
        u=-1 + scale * (xi + 1),
        weights=weights,
        phi=phi,
        around=norm * np.cos(angle),
        slopes=-norm * harmonic[:, None] * np.sin(angle),
        harmonic=tuple(harmonic.tolist()),
        degree=degree,
        functions=tuple(_radial(degree, scale, m, xi) for m in range(harmonics + 1)),
    )


def _radial(degree: int, scale: float, m: int, xi: Array) -> Array:
    """Functions of u of a harmonic, orthonormal in u, and their derivatives at some xi."""
    k = np.arange(degree)
    norm = np.sqrt((2 * k + m + 1) / (2 * scale))
    rise = ((1 + xi) / 2)[:, None] ** (m / 2)
    p = eval_jacobi(k, 0, m, xi[:, None])
    slope = np.zeros_like(p)  # P_k^(0, m)' = (k + m + 1)/2 P_(k-1)^(1, m + 1)
    slope[:, 1:] = (k[1:] + m + 1) / 2 * eval_jacobi(k[:-1], 1, m + 1, xi[:, None])
    slope += m / 2 * p / (1 + xi)[:, None]
    return np.asarray(norm * rise * np.array([p, slope / scale]))


def _flows(stage: Stage, basis: Basis) -> tuple[Array, Array, Array]:
    """Means over phi of the flow between each two of its functions: along u, along phi, out at b.

    Shapes (functions, functions, nodes), the last without nodes.
    """
    m, dphi = vectors(-basis.u, basis.phi), 2 * np.pi / len(basis.phi)
    v = velocity(stage, m)
    turning = (m[0] * v[1] - m[1] * v[0]) / (1 - basis.u**2)[:, None]
    means = "ap,up,cp->acu"
    along = np.einsum(means, basis.around, -v[2] * dphi, basis.around, optimize=True)
    around = np.einsum(means, basis.slopes, turning * dphi, basis.around, optimize=True)
    at_end = velocity(stage, vectors(np.array([-basis.b]), basis.phi))[2, 0]
    out = dphi * (basis.around * np.maximum(-at_end, 0)) @ basis.around.T
    return along, around, out


def _coupled(along: Array, around: Array) -> NDArray[np.bool_]:
    """Which functions of phi the flow couples, shape (functions, functions)."""
    largest = np.maximum(np.abs(along), np.abs(around)).max(axis=2)
    return np.asarray(largest > RESOLVED * largest.max())


def _reached(stages: Sequence[Stage], basis: Basis, density: Array) -> NDArray[np.bool_]:
    """Which functions of phi the density ever needs: an even energy, say, leaves out the odd."""
    coupled = np.any([_coupled(*_flows(stage, basis)[:2]) for stage in stages], axis=0)
    each = np.abs(density).max(axis=1)
    reached, grown = np.zeros(len(each), bool), each > RESOLVED * each.max()
    while (grown & ~reached).any():
        reached = grown
        grown = reached | coupled[:, reached].any(axis=1)
    return reached


def _generator(stage: Stage, basis: Basis) -> Array:
    """Matrix G of d c/d tau = G c: weak form, blocks over the functions of phi."""
    along, around, out = _flows(stage, basis)
    coupled, across, n = _coupled(along, around), 1 - basis.u**2, basis.degree
    weights = basis.weights * basis.scale
    noise = weights * (1 - ((1 + basis.xi) / 2) ** FADE) / (2 * stage.layer.delta)
    end = [_radial(n, basis.scale, m, np.ones(1))[0, 0] for m in range(len(basis.functions))]
    generator = np.zeros((len(basis.harmonic), n, len(basis.harmonic), n))
    for a, row in enumerate(basis.harmonic):
        p, slope = basis.functions[row]
        generator[a, :, a] = -slope.T @ ((noise * across)[:, None] * slope)
        generator[a, :, a] -= row**2 * p.T @ ((noise / across)[:, None] * p)
        for c in np.flatnonzero(coupled[a]):
            column = basis.harmonic[c]
            q = basis.functions[column][0]
            generator[a, :, c] += slope.T @ ((weights * along[a, c])[:, None] * q)
            generator[a, :, c] += p.T @ ((weights * around[a, c])[:, None] * q)
            generator[a, :, c] -= out[a, c] * np.outer(end[row], end[column])
    return generator.reshape(len(basis.harmonic) * n, -1)


def _initial(rest: FreeLayer, basis: Basis) -> Array:
    """Boltzmann law on u < 0, shape (functions, degree)."""
    nodes, weights = landscape.gauss_legendre(INITIAL_NODES)
    u = (nodes - 1) / 2
    e = energy(rest, vectors(-u, basis.phi))
    law = weights[:, None] * np.exp(2 * rest.delta * (e.min() - e))
    each = (law / law.sum()) @ basis.around.T
    xi = (u + 1) / basis.scale - 1
    found = [
        _radial(basis.degree, basis.scale, m, xi)[0].T @ each[:, a]
        for a, m in enumerate(basis.harmonic)
    ]
    return np.array(found)


def _below(basis: Basis) -> Array:
    """Functional that reads the probability of u < 0: in the mean over phi alone."""
    nodes, weights = landscape.gauss_legendre(basis.degree)
    p, _ = _radial(basis.degree, basis.scale, 0, (nodes + 1) / 2 / basis.scale - 1)
    found = np.zeros(len(basis.harmonic) * basis.degree)
    found[: basis.degree] = np.sqrt(2 * np.pi) * (p.T @ weights) / 2
    return found


def _at_rest(layer: FreeLayer) -> Stage:
    return Stage(layer, NONE, NONE, np.zeros(()))


def _committor(rest: FreeLayer, basis: Basis, functional: Array, density: Array) -> Array:
    """Functional that reads the probability to end in the initial well at rest.

    It is the left eigenfunction of the slowest rate, one for the law of that well.
    """
    solve = _solver(_generator(_at_rest(rest), basis), SLOW)
    for _ in range(ITERATIONS):
        functional = solve(functional, 1)
        functional /= functional @ density
    return functional


def _solver(generator: Array, pole: float) -> Callable[[Array, int], Array]:
    """Factorise 1 - pole G, as a band where few functions of phi are coupled."""
    matrix = np.eye(len(generator)) - pole * generator
    rows, columns = np.nonzero(matrix)
    width = int(np.abs(rows - columns).max())
    if BANDED * width > len(matrix):
        factors = linalg.lu_factor(matrix, overwrite_a=True, check_finite=False)
        return lambda x, transposed: np.asarray(
            linalg.lu_solve(factors, x, trans=transposed, check_finite=False)
        )
    band = np.zeros((3 * width + 1, len(matrix)))
    band[2 * width + rows - columns, columns] = matrix[rows, columns]
    lu, pivots, _ = linalg.lapack.dgbtrf(band, width, width, overwrite_ab=True)
    return lambda x, transposed: np.asarray(
        linalg.lapack.dgbtrs(lu, width, width, x, pivots, trans=transposed)[0]
    )


def _propagate(stage: Stage, basis: Basis, density: Array, widths: Array, pole: float) -> Array:
    """Densities after each of some rising durations of a stage, shape (widths, n)."""
    u = np.linspace(-1, basis.b, GRID)
    largest = np.linalg.norm(fields(stage, vectors(-u, basis.phi))[1], axis=0).max()
    step = STEP / max(largest, WEAKEST)
    if widths[-1] > MOST_STEPS * step:
        raise AccuracyError(
            f"a stage of {widths[-1]:.3g} t_D, in steps of {step:.2g}", where="fokker_planck_2d",
            expected=f"{MOST_STEPS} steps at most",
            remedy="check the units; for long waits take thermal or escape",
        )  # fmt: skip
    solve = _solver(_generator(stage, basis), pole * step)
    found, now, done = np.empty((len(widths), len(density))), 0.0, 0
    while True:
        if np.linalg.norm(density) < TINY:
            found[done:] = 0.0
            return found
        space, small = _krylov(solve, density, pole * step, step, basis.degree)
        while widths[done] <= now + step:
            found[done] = linalg.expm((widths[done] - now) * small)[:, 0] @ space
            done += 1
            if done == len(widths):
                return found
        density = linalg.expm(step * small)[:, 0] @ space
        now += step


def _krylov(
    solve: Callable[[Array, int], Array], start: Array, pole: float, step: float, mean: int
) -> tuple[Array, Array]:
    """Krylov space of (1 - pole G)^-1 that holds the density for a step, and G in it.

    The first vector is `start`; the space grows until the mean over phi, the first `mean`
    coefficients, has settled: precession that has not plays no part in it.
    """
    space, h = np.empty((KRYLOV + 1, len(start))), np.zeros((KRYLOV + 1, KRYLOV))
    size = np.linalg.norm(start)
    space[0], end = start / size, np.zeros(mean)
    for j in range(KRYLOV):
        w = solve(space[j], 0)
        for _ in range(2):  # once more, for round-off
            part = space[: j + 1] @ w
            w -= part @ space[: j + 1]
            h[: j + 1, j] += part
        h[j + 1, j] = np.linalg.norm(w)
        space[j + 1] = w / h[j + 1, j]
        if j % CHECKED == CHECKED - 1:
            small = (np.eye(j + 1) - linalg.inv(h[: j + 1, : j + 1])) / pole
            last, end = end, linalg.expm(step * small)[:, 0] @ space[: j + 1, :mean]
            if np.linalg.norm(end - last) < KRYLOV_ERROR * np.linalg.norm(end):
                break
    return size * space[: len(small)], small
