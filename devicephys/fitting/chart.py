"""A chart of the Fokker-Planck write error rate: solved once on a grid, read thousands of times.

A square pulse of an axisymmetric macrospin without axial field has three numbers, I/I_c0, t/t_D
and Delta, and ln WER is smooth in their logarithms. A Chebyshev grid of solutions over the box
that a fit visits therefore stands for the solver; the chart is checked against the solver between
its nodes, and refined until both agree. Intervals, bootstraps and averages over devices then cost
nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from devicephys.checks import Array
from devicephys.errors import AccuracyError
from devicephys.mram import fokker_planck
from devicephys.mram.galerkin import one_thread

GRIDS = ((16, 24, 5), (24, 36, 6), (32, 54, 8), (48, 80, 10))  # nodes in I, t and Delta
CHECKS = 12  # in each direction, between the nodes
AGREEMENT = 1e-4  # of ln WER
COUNTING = 0.02  # of the counting error of a point
RTOL = 1e-5  # relative, of a WER that is solved for at its point
SOLVER = 1e-7  # relative, of the solutions on the grid
FAINT = 1e-30  # added to a WER: below, no count tells anything
SAFE = 1e-4  # of one error in all trials: what the solver may add where there is no chart
LEAST_WER = 1e-300
MARGIN = np.log([1.25, 1.25, 1.3])  # around what was asked for, in I, t and Delta


@dataclass(frozen=True)
class Chart:
    """ln WER over a box of ln(I/I_c0), ln(t/t_D) and ln Delta.

    Attributes
    ----------
    low, high : ndarray
        Corners of the box, in the order above, shape (3,) [1].
    coefficients : ndarray
        Chebyshev coefficients, shape (currents, widths, deltas) [1].
    error : float
        Largest difference of ln WER to the solver between the nodes [1].
    """

    low: Array
    high: Array
    coefficients: Array
    error: float


def chart(low: Array, high: Array, trials: float) -> Chart:
    """Solve the Fokker-Planck equation over a box of conditions.

    Valid as `mram.fokker_planck.wer` with the relaxed read-out and no axial field.

    Parameters
    ----------
    low, high : ndarray
        Corners of the box in ln(I/I_c0), ln(t/t_D), ln Delta, shape (3,) [1].
    trials : float
        Trials a point of the counts that the chart is for: between its nodes it differs from the
        solver by at most 2 % of their counting error, and by 1e-4 of ln WER [1].

    Returns
    -------
    Chart
        The chart.

    Raises
    ------
    AccuracyError
        If the finest grid is not good enough: the box is too large.

    Examples
    --------
    >>> c = chart(np.log([1.6, 3.0, 55.0]), np.log([2.4, 12.0, 65.0]), 1e6)
    >>> log_wer = log_write_error_rate(c, np.log([2.0]), np.log([10.0]), np.log([60.0]))
    >>> exact = np.log(fokker_planck.wer(2.0, 10.0, 60.0, readout="relaxed"))
    >>> bool(abs(log_wer[0] - exact) < 1e-5)
    True
    """
    where = [low[k] + (high[k] - low[k]) * (np.arange(CHECKS) + 0.37) / CHECKS for k in range(3)]
    points = [x.ravel() for x in np.meshgrid(*where, indexing="ij")]
    exact = solution(*np.ix_(*where), rtol=SOLVER, atol=FAINT).ravel()
    counting = np.sqrt(np.exp(exact) * -np.expm1(exact) / trials + 1 / trials**2)
    for sizes in GRIDS:
        axes = [_nodes(n) for n in sizes]
        nodes = [(low[k] + high[k] + (high[k] - low[k]) * x) / 2 for k, x in enumerate(axes)]
        logs = solution(*np.ix_(*nodes), rtol=SOLVER, atol=FAINT)
        for k, x in enumerate(axes):
            logs = np.moveaxis(np.tensordot(_transform(x), logs, axes=(1, k)), 0, k)
        found = log_write_error_rate(Chart(low, high, logs, 0.0), *points)
        error = float(np.abs(found - exact).max())
        counts = float((np.abs(np.exp(found) - np.exp(exact)) / counting).max())
        if error <= AGREEMENT and counts <= COUNTING:
            return Chart(low, high, logs, error)
    raise AccuracyError(
        f"a chart of the write error rate over I/I_c0 {np.exp(low[0]):.3g} to "
        f"{np.exp(high[0]):.3g}, t/t_D {np.exp(low[1]):.3g} to {np.exp(high[1]):.3g} differs from "
        f"the solver by {error:.1g} in ln WER and {counts:.1g} of a counting error",
        expected=f"{AGREEMENT:g} and {COUNTING:g}",
        remedy="leave out pulses far outside the write regime",
    )


def log_write_error_rate(chart: Chart, log_i: Array, log_tau: Array, log_delta: Array) -> Array:
    """Read ln WER from a chart.

    Parameters
    ----------
    chart : Chart
        The chart.
    log_i, log_tau, log_delta : ndarray
        ln(I/I_c0), ln(t/t_D), ln Delta inside the box, shape (n,) each [1].

    Returns
    -------
    ndarray
        ln WER, shape (n,) [1].

    Examples
    --------
    See `chart`.
    """
    bases = []
    for x, low, high, n in zip((log_i, log_tau, log_delta), chart.low, chart.high,
                               chart.coefficients.shape, strict=True):  # fmt: skip
        bases.append(chebyshev.chebvander((2 * x - low - high) / (high - low), n - 1))
    n_i, n_t, n_d = chart.coefficients.shape
    with one_thread():
        of_t = (bases[0] @ chart.coefficients.reshape(n_i, -1)).reshape(-1, n_t, n_d)
        return np.asarray(np.einsum("ptd,pt,pd->p", of_t, bases[1], bases[2], optimize=True))


def inside(chart: Chart, log_i: Array, log_tau: Array, log_delta: Array) -> bool:
    """Say whether points lie in the box of a chart.

    Parameters
    ----------
    chart : Chart
        The chart.
    log_i, log_tau, log_delta : ndarray
        ln(I/I_c0), ln(t/t_D), ln Delta, shape (n,) each [1].

    Returns
    -------
    bool
        Whether all of them do.

    Examples
    --------
    >>> c = Chart(np.zeros(3), np.ones(3), np.zeros((1, 1, 1)), 0.0)
    >>> inside(c, np.array([0.5]), np.array([0.5]), np.array([1.5]))
    False
    """
    return all(
        low <= x.min() and x.max() <= high
        for x, low, high in zip((log_i, log_tau, log_delta), chart.low, chart.high, strict=True)
    )


def growing(trials: float) -> Callable[[Array, Array, Array], Array]:
    """Give ln WER from a chart that is drawn where it is asked for, and again beyond its box.

    Parameters
    ----------
    trials : float
        As for `chart` [1].

    Returns
    -------
    callable
        (log_i, log_tau, log_delta), shape (n,) each -> ln WER, shape (n,) [1]; where no chart
        is good enough, the solver itself answers.

    Examples
    --------
    >>> read = growing(1e6)
    >>> [round(float(read(*np.log([[2.0], [t], [60.0]]))[0]), 3) for t in (2.0, 10.0)]
    [-0.52, -16.269]
    """
    drawn: Chart | None = None
    impossible = False

    def read(*asked: Array) -> Array:
        """Chebyshev sums may end a rounding above ln 1."""
        nonlocal drawn, impossible
        if drawn is not None and inside(drawn, *asked):
            return np.minimum(log_write_error_rate(drawn, *asked), 0.0)
        if not impossible:
            low = np.array([x.min() for x in asked]) - MARGIN
            high = np.array([x.max() for x in asked]) + MARGIN
            if drawn is not None:
                low, high = np.minimum(low, drawn.low), np.maximum(high, drawn.high)
            try:
                drawn = chart(low, high, trials)
            except AccuracyError:
                impossible = True
            else:
                return np.minimum(
                    log_write_error_rate(drawn, *asked), 0.0
                )  # a rate, however near 1
        return solution(*asked, atol=SAFE / trials)

    return read


def solution(
    log_i: Array, log_tau: Array, log_delta: Array, *, rtol: float = RTOL, atol: float = 0.0
) -> Array:
    """Solve for ln WER at the points themselves, without a chart.

    Parameters
    ----------
    log_i, log_tau, log_delta : ndarray
        ln(I/I_c0), ln(t/t_D), ln Delta, shapes that broadcast [1].
    rtol, atol : float, optional
        Accepted relative and absolute errors of the WER [1].

    Returns
    -------
    ndarray
        ln WER, at least ln 1e-300, the shape that they broadcast to [1].

    Examples
    --------
    >>> round(float(solution(*np.log([[2.0], [10.0], [60.0]]))[0]), 3)
    -16.269
    """
    reduced = (np.exp(x) for x in (log_i, log_tau, log_delta))
    wer = fokker_planck.wer(*reduced, readout="relaxed", rtol=rtol, atol=atol)
    return np.asarray(np.log(np.clip(wer, LEAST_WER, 1.0)))


def _nodes(n: int) -> Array:
    return np.asarray(np.cos(np.pi * (np.arange(n) + 0.5) / n))


def _transform(x: Array) -> Array:
    """Matrix from values at Chebyshev nodes to coefficients."""
    matrix = 2 / len(x) * chebyshev.chebvander(x, len(x) - 1).T
    matrix[0] /= 2
    return np.asarray(matrix)
