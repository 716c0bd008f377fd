"""Write error rate of an axisymmetric macrospin from the Fokker-Planck equation.

In reduced units (tau = t/t_D, i = I/I_c0, h = H_z/H_k) the density rho(z, tau) of
z = cos(theta) obeys, exactly and for any damping,

    d rho/d tau = d/dz { (1 - z^2) [f(z) rho + (1/(2 Delta)) d rho/dz] },   f = i g(z) - h - z

with no flux at the poles and the Boltzmann law on z > 0 at the start. The write has failed where
z > 0 at the end of the pulse ("sign", the usual definition), or where the layer falls back to its
initial state once the pulse is over ("relaxed": integral of rho times the committor).
Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122; Tzoufras,
arXiv 1708.01671.

Every result is computed in two truncation orders of `galerkin`, and for ramps with two step
widths; their difference is the error estimate. `finite_volume` solves the same equation in
another way.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from devicephys.checks import Array, in_range, known, together
from devicephys.errors import AccuracyError
from devicephys.mram import galerkin, landscape

Readout = Literal["sign", "relaxed", "flux"]
READOUTS: tuple[Readout, ...] = ("sign", "relaxed", "flux")
ORDERS = (36, 48, 64, 88, 120, 160)  # truncation orders, tried in turn until two agree
ROWS = 64  # conditions propagated together: bounds the memory
CACHE = 4_000_000  # numbers that the densities of a block may take
OCCUPATION_TOLERANCE = 1e-5  # of the largest weight times the duration
NOTICEABLE = 1e-12  # probability of a return from the switched state
WHOLE_ERROR = 1e-12  # round-off of the switched mass, where it stays in the expansion
LEVELS = 7  # of halving the steps of a ramp
STEP_GAIN = 8.0  # what a halved step gains at least; the fourth order gains 16
TINY = 1e-280  # below this a float cannot carry the relative accuracy: treated as zero
WRITTEN = 0.95  # u at which a layer counts as written in the relaxed read-out, at the latest
FARTHEST = 0.85  # u where a stage with a barrier may end; see _boundary


@dataclass(frozen=True)
class Solution:
    """Write error rates with their error estimate.

    Attributes
    ----------
    wer : ndarray
        Write error rate, any shape [1].
    error : ndarray
        Estimated absolute error: the difference between two truncation orders, that between
        steps of ramps, and what may return from the switched state; shape of `wer` [1].
    """

    wer: Array
    error: Array


@dataclass(frozen=True)
class Stage:
    """A stretch of constant conditions, for many rows at once.

    Attributes
    ----------
    drift : ndarray
        Chebyshev coefficients of f(z), see `landscape`, shape (rows, k) [1].
    noise : ndarray
        1/(2 Delta), shape (rows,) [1].
    tau : ndarray
        Duration over the damping time: shape (rows, 1), or (1, widths) for widths that all rows
        share; at most one stage of a pulse may do that [1].
    """

    drift: Array
    noise: Array
    tau: Array


def wer(
    i: ArrayLike,
    tau: ArrayLike,
    delta: ArrayLike,
    h: ArrayLike = 0.0,
    asymmetry: ArrayLike = 0.0,
    *,
    readout: Readout = "sign",
    rtol: float = 1e-5,
    atol: float = 0.0,
) -> Array:
    """Compute the write error rate of a square pulse by the Fokker-Planck equation.

    Valid for fields, spin polarisation and anisotropy along one axis, any damping and a coherent
    free layer. A written layer that falls back after the pulse is a failure of retention, not of
    the write, and not counted; below Delta = 15 the two are no longer apart.

    Parameters
    ----------
    i : array_like
        Current over critical current; positive drives away from the initial state; any shape [1].
    tau : array_like
        Pulse width over damping time, >= 0, shape broadcast with `i` [1].
    delta : array_like
        Thermal stability factor, > 0, shape broadcast with `i` [1].
    h : array_like, optional
        Axial field over H_k, in (-1, 1), positive stabilises the initial state; shape broadcast
        with `i` [1].
    asymmetry : array_like, optional
        Spin-torque asymmetry in (-0.801, 0.801), see `landscape.asymmetry`; shape broadcast with
        `i` [1].
    readout : {"sign", "relaxed", "flux"}, optional
        What counts as failed: z > 0 at the end; or falling back to the initial state under `h`
        alone. "flux" gives -dWER/d tau of "sign", the density of the switching time.
    rtol, atol : float, optional
        Largest accepted difference between two truncation orders,
        ``|difference| <= rtol * WER + atol`` [1].

    Returns
    -------
    ndarray
        Probability that the pulse fails, broadcast shape of the arguments; 0 below 1e-280 [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.
    AccuracyError
        If no two truncation orders agree within the tolerance.

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    >>> [f"{x:.6e}" for x in wer(2.0, [2, 10, 30], 60.0)]
    ['5.949222e-01', '8.581967e-08', '2.653634e-25']
    """
    return solve(i, tau, delta, h, asymmetry, readout=readout, rtol=rtol, atol=atol).wer


def solve(
    i: ArrayLike,
    tau: ArrayLike,
    delta: ArrayLike,
    h: ArrayLike = 0.0,
    asymmetry: ArrayLike = 0.0,
    *,
    readout: Readout = "sign",
    rtol: float = 1e-5,
    atol: float = 0.0,
) -> Solution:
    """Compute the write error rate of a square pulse together with its error estimate.

    Valid as `wer` is.

    Parameters
    ----------
    i, tau, delta, h, asymmetry, readout, rtol, atol
        As for `wer` [1].

    Returns
    -------
    Solution
        Rates and estimated errors, broadcast shape of the arguments [1].

    Raises
    ------
    ParameterError, AccuracyError
        As `wer`.

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    >>> found = solve(2.0, 10.0, 60.0)
    >>> bool(found.error < 1e-5 * found.wer)
    True
    """
    known("readout", readout, READOUTS)
    in_range("i", i, "1")
    in_range("tau", tau, "1", above=0, inclusive=True)
    in_range("delta", delta, "1", above=0)
    in_range("h", h, "1", above=-1, below=1)
    in_range("asymmetry", asymmetry, "1")
    arrays = together(i=i, delta=delta, h=h, asymmetry=asymmetry, tau=tau)
    points = np.stack([x.ravel() for x in arrays], axis=1)
    found = np.empty((2, len(points)))
    for rows, widths, where in blocks(points):
        i_, delta_, h_, a_ = rows.T
        stage = Stage(landscape.drift(i_, h_, a_), 1 / (2 * delta_), widths)
        part = solve_stages(
            landscape.drift(np.zeros_like(i_), h_), delta_, partial(_always, [stage]),
            label=partial(_label, rows), readout=readout, rtol=rtol, atol=atol,
        )  # fmt: skip
        value = part.wer
        if readout != "flux":  # round-off must not make an error rate rise with the width
            value = np.where(i_[:, None] < 0, value, np.minimum.accumulate(value, axis=1))
        found[:, where] = value, part.error
    wer_, error = found.reshape(2, *arrays[0].shape)
    return Solution(wer_, error)


def _always(stages: Sequence[Stage], level: int) -> Sequence[Stage]:
    return stages  # a square pulse needs no steps


def _label(rows: Array, row: int) -> str:
    names = zip(("i", "delta", "h", "asymmetry"), rows[row], strict=True)
    return ", ".join(f"{name} = {x:g}" for name, x in names)


def blocks(points: Array) -> Iterator[tuple[Array, Array, NDArray[np.intp]]]:
    """Divide points into blocks that can be solved together.

    Points that differ in the last column alone, the width, make one row; rows with the same
    widths, or with one width each, are put together.

    Parameters
    ----------
    points : ndarray
        Conditions, the last column being the width, shape (points, k) [any].

    Returns
    -------
    rows : ndarray
        Conditions without the width, shape (rows, k - 1) [any].
    widths : ndarray
        Widths, rising, shape (1, widths) where the rows share them, else (rows, 1) [any].
    where : ndarray of int
        Points of each row and width, shape (rows, widths) [1].

    References
    ----------
    This project's design, docs/theory/fokker_planck.md.

    Examples
    --------
    >>> rows, widths, where = next(blocks(np.array([[2.0, 5.0], [2.0, 3.0]])))
    >>> rows.tolist(), widths.tolist(), where.tolist()
    ([[2.0]], [[3.0, 5.0]], [[1, 0]])
    """
    if not len(points):
        return
    order = np.lexsort(points.T[::-1])  # by the first column first, by the width last
    sorted_ = points[order]
    new = np.r_[True, (np.diff(sorted_[:, :-1], axis=0) != 0).any(axis=1)]
    members = np.split(order, np.flatnonzero(new)[1:])
    alike: dict[bytes, list[NDArray[np.intp]]] = {}
    for m in members:
        alike.setdefault(points[m, -1].tobytes() if len(m) > 1 else b"", []).append(m)
    for key, group in alike.items():
        where = np.array(group)
        if not key:  # alike in width: alike in cost
            where = where[np.argsort(points[where[:, 0], -1], kind="stable")]
        size = int(np.clip(CACHE // (where.shape[1] * ORDERS[1]), 1, ROWS))
        for k in range(0, len(where), size):
            part = where[k : k + size]
            widths = points[part, -1]
            yield points[part[:, 0], :-1], widths[:1] if key else widths, part


def solve_stages(
    rest: Array,
    delta: Array,
    pulse: Callable[[int], Sequence[Stage]],
    *,
    label: Callable[[int], str] = "row {}".format,
    readout: Readout = "sign",
    rtol: float = 1e-5,
    atol: float = 0.0,
) -> Solution:
    """Compute write error rates after pulses of several stages, the state carried over.

    Valid as `wer` is. What has crossed well into the switched state is taken as written where the
    pulse brings it back with less than 1e-12; that bound is part of the error estimate. More is
    computed, to an absolute accuracy of about 1e-12.

    Parameters
    ----------
    rest : ndarray
        Chebyshev coefficients of the drift before and after the pulse, shape (rows, k) [1].
    delta : ndarray
        Thermal stability factor before and after the pulse, shape (rows,) [1].
    pulse : callable
        Takes a level 0, 1, ... and gives the stages of the pulse, its ramps in steps of fourth
        order that are halved from level to level; the error estimate covers them.
    label : callable, optional
        Names a row, for the message of an error.
    readout, rtol, atol
        As for `wer` [1].

    Returns
    -------
    Solution
        Rates and estimated errors, shape (rows, widths), widths being 1 where no stage has
        shared ones [1].

    Raises
    ------
    AccuracyError
        If no two truncation orders agree within the tolerance.

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    >>> half = Stage(landscape.drift([2.0]), np.array([1 / 120]), np.array([[5.0]]))
    >>> found = solve_stages(landscape.drift([0.0]), np.array([60.0]), lambda level: [half, half])
    >>> [f"{x:.6e}" for x in found.wer[0]]
    ['8.581967e-08']
    """
    in_range("rtol", rtol, "1", above=0, scalar=True)
    in_range("atol", atol, "1", above=0, inclusive=True, scalar=True)
    stages = pulse(0)
    each = [landscape.returning(s.drift, 1 / (2 * s.noise), s.tau) for s in stages]
    back = np.array(np.max(np.broadcast_arrays(*each), axis=0))
    b = _boundary(rest, delta, stages, readout)
    if readout != "relaxed":  # what comes back noticeably is computed; the rest is an error
        b = np.where(back.max(axis=1) > NOTICEABLE, 1.0, b)
    back[b == 1] = WHOLE_ERROR
    q = np.empty((len(delta), 0))
    if readout == "relaxed":
        q = landscape.committor(rest, delta, galerkin.read_points(b))

    def at_order(n: int, stages: Sequence[Stage], rows: NDArray[np.intp]) -> Array:
        c = galerkin.boltzmann(n, b[rows], rest[rows], delta[rows])[:, :, None]
        for stage in stages:
            a = galerkin.generator(n, b[rows], stage.drift, stage.noise)
            c = _through(a, c, stage.tau)
        if readout == "relaxed":
            functional = galerkin.weighted(n, b[rows], q[rows])
        else:
            functional = galerkin.below(n, b[rows], np.zeros(len(rows)))
            if readout == "flux":
                functional = -np.einsum("rn,rnm->rm", functional, a)
        return np.asarray(np.einsum("rn,rnt->rt", functional, c))

    pending = np.arange(len(delta))
    last = at_order(ORDERS[0], stages, pending)
    steps = np.zeros_like(last)
    for level in range(1, LEVELS):  # of the ramps, in the lowest order
        finer = pulse(level)
        if len(finer) == len(stages):
            break  # no ramps
        before, stages, last = last, finer, at_order(ORDERS[0], finer, pending)
        steps = np.abs(last - before) / STEP_GAIN
        if (steps <= rtol / 2 * last + atol).all():
            break
    result = np.empty((2, *last.shape))
    worst = 0.0
    for order in ORDERS[1:]:
        now = at_order(order, _rows(stages, pending), pending)
        scale = np.where(now > TINY, now, np.inf)  # what no float can hold counts as agreed
        error = np.abs(now - last) + steps[pending] + back[pending] * (readout != "flux")
        error = np.where(np.isfinite(error), error, np.inf)  # overflow in an endless pulse
        agree = ((error <= rtol * now + atol) | (now <= TINY)).all(axis=1)
        agree &= (now > -TINY - atol).all(axis=1)
        # Both orders carry round-off: a probability is at most one.
        value = np.clip(np.where(now > TINY, now, 0.0), 0.0, np.inf if readout == "flux" else 1.0)
        result[:, pending[agree]] = value[agree], error[agree]
        if agree.all():
            return Solution(*result)
        pending, last = pending[~agree], now[~agree]
        with np.errstate(invalid="ignore"):
            worst = float(np.nan_to_num(error / scale, nan=np.inf)[~agree].max())
    raise AccuracyError(
        f"write error rate at {label(int(pending[0]))} is uncertain by {worst:.1e}",
        expected=f"rtol = {rtol:g}, atol = {atol:g}",
        remedy="raise rtol or atol"
        + f"; {back[pending].max():.0e} of it is what may return from the switched state",
    )


def occupation(
    rest: Array, delta: Array, stages: Sequence[Stage], weights: Sequence[Array]
) -> Array:
    """Compute the integral over a pulse of the mean of a weight w(z), in units of t_D.

    Valid as `wer` is, on the whole interval of z: absolute accuracy 1e-6 of the largest weight
    times the duration.

    Parameters
    ----------
    rest, delta, stages
        As for `solve_stages` [1].
    weights : sequence of ndarray
        For each stage, w at `galerkin.read_points` of the whole interval, shape (rows, points)
        [any].

    Returns
    -------
    ndarray
        int <w(z)> d tau, shape (rows, widths) [unit of the weight].

    Raises
    ------
    AccuracyError
        If two truncation orders differ by more than 1e-5 of the largest weight times duration.

    References
    ----------
    Gardiner, Stochastic Methods (2009), chapter 5, doi:10.1007/978-3-540-70712-7.

    Examples
    --------
    >>> stage = Stage(landscape.drift([2.0]), np.array([1 / 120]), np.array([[20.0]]))
    >>> z = galerkin.read_points(np.ones(1))
    >>> occupation(landscape.drift([0.0]), np.array([60.0]), [stage], [1 + 0 * z]).round(6).tolist()
    [[20.0]]
    """
    last = _occupation(ORDERS[1], rest, delta, stages, weights)
    largest = np.max([np.abs(w).max(axis=1) for w in weights], axis=0)[:, None]
    longest = sum(s.tau for s in stages)
    for order in ORDERS[2:]:
        now = _occupation(order, rest, delta, stages, weights)
        whole = np.maximum(largest * longest, 1e-300)
        worst = float((np.abs(now - last) / whole).max())
        if worst <= OCCUPATION_TOLERANCE:
            return now
        last = now
    raise AccuracyError(
        f"mean over a pulse is uncertain by {worst:.1e}", expected=f"{OCCUPATION_TOLERANCE:g}",
        remedy="this occurs for delta far above 150 only",
    )  # fmt: skip


def _occupation(
    n: int, rest: Array, delta: Array, stages: Sequence[Stage], weights: Sequence[Array]
) -> Array:
    b = np.ones(len(delta))
    c = np.zeros((len(delta), n + 1, 1))
    c[:, :n, 0] = galerkin.boltzmann(n, b, rest, delta)
    for stage, weight in zip(stages, weights, strict=True):
        a = np.zeros((len(delta), n + 1, n + 1))
        a[:, :n, :n] = galerkin.generator(n, b, stage.drift, stage.noise)
        a[:, n, :n] = galerkin.weighted(n, b, weight)  # the last unknown integrates the weight
        c = _through(a, c, stage.tau)
    return np.asarray(c[:, n])


def _rows(stages: Sequence[Stage], rows: NDArray[np.intp]) -> list[Stage]:
    return [
        Stage(s.drift[rows], s.noise[rows], s.tau[rows] if len(s.tau) == len(s.drift) else s.tau)
        for s in stages
    ]


def _boundary(rest: Array, delta: Array, stages: Sequence[Stage], readout: Readout) -> Array:
    """Place the outflow beyond what any stage, and the read-out, can bring back.

    A stage whose potential falls by DROP is cut there. Where it does not within FARTHEST, a
    barrier stands and a smaller step is enough: what lies beyond crosses back
    with e^-25 of its weight.
    """
    relaxed = readout == "relaxed"
    b = landscape.outflow(rest, delta, galerkin.DROP_RELAX) if relaxed else 0 * delta
    for stage in stages:
        driven = landscape.outflow(stage.drift, 1 / (2 * stage.noise), galerkin.DROP)
        resting = landscape.outflow(stage.drift, 1 / (2 * stage.noise), landscape.FALLEN)
        b = np.maximum(b, np.minimum(driven, np.maximum(resting, FARTHEST)))
    # Beyond WRITTEN the layer is written: its fall is not one of the write.
    return np.minimum(b, WRITTEN) if relaxed else b


def _through(a: Array, c: Array, tau: Array) -> Array:
    """Carry densities of shape (rows, n, widths) through one stage."""
    if tau.shape[1] == 1:
        with galerkin.one_thread():
            return np.asarray(galerkin.exponential(a * tau[:, :, None]) @ c)
    if c.shape[2] > 1 or tau.shape[0] > 1:
        raise ValueError("widths are shared by all rows, in one stage")
    return galerkin.propagate(a, c[:, :, 0], tau[0])
