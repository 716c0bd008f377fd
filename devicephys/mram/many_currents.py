"""Write error rates for very many currents: Chebyshev interpolation of ln WER in ln i.

At a given width ln WER is a smooth function of the current, so that a few dozen solutions stand
for any number of currents: what an average over an array, or a large table, asks for.
"""

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray

from devicephys.checks import Array, in_range, together
from devicephys.mram import fokker_planck
from devicephys.mram.fokker_planck import Readout, Solution

ENOUGH = 300  # currents: below, they are solved one by one
INTERVALS = (16, 32, 64, 128, 256)  # of Chebyshev-Lobatto points, each grid holds the one before
AGREEMENT = 1e-6  # of ln WER between two grids


def solve(
    i: ArrayLike,
    tau: ArrayLike,
    delta: ArrayLike,
    h: float = 0.0,
    asymmetry: float = 0.0,
    *,
    readout: Readout = "sign",
    rtol: float = 1e-5,
    atol: float = 0.0,
) -> Solution:
    """Compute write error rates of square pulses, by interpolation where it pays.

    Valid as `fokker_planck.wer` is; the same numbers to 1e-6 of ln WER.

    Parameters
    ----------
    i, tau, delta, readout, rtol, atol
        As for `fokker_planck.wer` [1].
    h, asymmetry : float, optional
        As for `fokker_planck.wer`, one value [1].

    Returns
    -------
    Solution
        Rates and errors, those of the interpolation included; broadcast shape [1].

    Raises
    ------
    ParameterError, AccuracyError
        As `fokker_planck.wer`.

    References
    ----------
    Trefethen, Approximation Theory and Approximation Practice (2013),
    doi:10.1137/1.9781611975949.

    Examples
    --------
    >>> found = solve(np.linspace(1.5, 2.5, 1001), 6.0, 60.0)
    >>> f"{found.wer[500]:.4e}"
    '2.7258e-04'
    """
    in_range("i", i, "1")
    in_range("delta", delta, "1", above=0)
    arrays = together(i=i, tau=tau, delta=delta)
    currents, widths, stabilities = (np.ravel(x) for x in arrays)
    found = np.full((2, currents.size), np.nan)
    order = np.argsort(stabilities, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(stabilities[order])) + 1):
        if _worthwhile(currents[part], widths[part]):
            found[:, part] = _interpolated(
                currents[part], widths[part], float(stabilities[part[0]]), h, asymmetry, readout,
                rtol, atol,
            )  # fmt: skip
    left = np.isnan(found[0])
    if left.any():
        one = fokker_planck.solve(
            currents[left], widths[left], stabilities[left], h, asymmetry,
            readout=readout, rtol=rtol, atol=atol,
        )  # fmt: skip
        found[:, left] = one.wer, one.error
    wer, error = found.reshape(2, *arrays[0].shape)
    return Solution(wer, error)


def _worthwhile(i: Array, tau: Array) -> bool:
    """Many currents that share a few widths, all of them driving the write."""
    return bool(
        len(i) > ENOUGH and i.min() > 0 and len(np.unique(i)) > ENOUGH
        and len(np.unique(tau)) * 4 < len(i)
    )  # fmt: skip


def _interpolated(
    i: Array, tau: Array, delta: float, h: float, asymmetry: float, readout: Readout,
    rtol: float, atol: float,
) -> tuple[Array, Array]:  # fmt: skip
    """Interpolate on grids that double until two agree; NaN where they never do."""
    times, which = np.unique(tau, return_inverse=True)
    low, high = np.log(i.min()), np.log(i.max())
    x = np.clip((2 * np.log(i) - low - high) / (high - low), -1, 1)
    distinct = len(np.unique(i))
    logs, relative, last = np.empty((0, len(times))), np.zeros(len(times)), np.full(len(i), np.nan)
    for n in INTERVALS:
        if 2 * n > distinct:
            break  # one by one is cheaper
        nodes = np.cos(np.pi * np.arange(n + 1) / n)
        new = np.arange(n + 1) if n == INTERVALS[0] else np.arange(1, n, 2)
        at = np.exp((nodes[new] * (high - low) + low + high) / 2)
        solved = fokker_planck.solve(
            at[:, None], times, delta, h, asymmetry, readout=readout, rtol=rtol, atol=atol
        )
        if (solved.wer <= fokker_planck.TINY).any():
            break
        grid = np.empty((n + 1, len(times)))
        grid[new] = np.log(solved.wer)
        if len(logs):
            grid[::2] = logs
        logs = grid
        known = solved.error <= rtol * solved.wer
        share = np.where(known, solved.error / solved.wer, 0.0).max(axis=0)
        relative = np.maximum(relative, share)
        values = _evaluate(logs, x, which)
        wer, difference = np.exp(values), np.abs(values - last)
        if (difference * wer <= AGREEMENT * wer + atol).all():
            return wer, wer * (difference + relative[which]) + atol
        last = values
    return np.full(len(i), np.nan), np.full(len(i), np.nan)


def _evaluate(logs: Array, x: Array, which: NDArray[np.intp]) -> Array:
    """Interpolate column `which` of values on Chebyshev-Lobatto points, at x."""
    n = len(logs) - 1
    weights = np.r_[0.5, np.ones(n - 1), 0.5]
    transform = 2 / n * chebyshev.chebvander(np.cos(np.pi * np.arange(n + 1) / n), n).T
    coefficients = weights[:, None] * (transform @ (weights[:, None] * logs))
    out = np.empty(len(x))
    for start in range(0, len(x), 1 << 16):  # bounds the memory
        part = slice(start, start + (1 << 16))
        out[part] = np.einsum("pk,kp->p", chebyshev.chebvander(x[part], n),
                              coefficients[:, which[part]])  # fmt: skip
    return out
