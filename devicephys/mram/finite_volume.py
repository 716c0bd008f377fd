"""Write error of a square pulse by finite volumes: an independent check of `fokker_planck`.

Cells of equal width in theta on the whole of z in [-1, 1]; Scharfetter-Gummel fluxes on the exact
potential, so that the stationary law is exact. Time is exact: the generator has no negative
element off its diagonal, so exp(L tau) = (e^{-q d} exp((L + q) d))^{tau/d} is made of sums and
products of positive numbers alone. Nothing cancels: probabilities are positive, mass is
conserved, and the tail keeps its relative accuracy. What is left is the error of the cells, of
second order; Richardson's extrapolation takes it out and estimates what remains.

Slow (one condition at a time) and good to 1e-3 to 1e-6: for checking, not for tables.
"""

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import Array, in_range, known
from devicephys.mram import galerkin, landscape
from devicephys.mram.fokker_planck import Solution

CELLS = (96, 192, 384)  # each twice the one before, even: z = 0 is an edge
STEEP = 600.0  # k_B T between cells: uphill beyond it nothing passes
TERMS = 24  # of the exponential series at q d <= 1: the last is 1/24!


def solve(
    i: float,
    tau: ArrayLike,
    delta: float,
    h: float = 0.0,
    asymmetry: float = 0.0,
    *,
    readout: str = "sign",
) -> Solution:
    """Compute the write error rate of a square pulse by Scharfetter-Gummel finite volumes.

    Valid as `fokker_planck.wer` is; nothing is truncated.

    Parameters
    ----------
    i : float
        Current over critical current; positive drives away from the initial state [1].
    tau : array_like
        Pulse widths over damping time, >= 0, any shape [1].
    delta : float
        Thermal stability factor, > 0 [1].
    h : float, optional
        Axial field over H_k, in (-1, 1), positive stabilises the initial state [1].
    asymmetry : float, optional
        Spin-torque asymmetry in (-0.801, 0.801), see `landscape.asymmetry` [1].
    readout : {"sign", "relaxed"}, optional
        As for `fokker_planck.wer`, but that a written layer which falls back counts as failed,
        too: below about e^-Delta the two differ.

    Returns
    -------
    Solution
        Extrapolated rates; as error the difference between the extrapolations from the finer and
        the coarser two of three grids, and a third of the extrapolation itself; shape of
        `tau` [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    Scharfetter and Gummel, IEEE Trans. Electron Devices 16 (1969) 64,
    doi:10.1109/T-ED.1969.16566.

    Examples
    --------
    >>> found = solve(2.0, 4.0, 60.0)
    >>> f"{found.wer:.4e}", bool(abs(found.wer / 1.526949e-2 - 1) < 1e-4)
    ('1.5270e-02', True)
    """
    known("readout", readout, ("sign", "relaxed"))
    in_range("i", i, "1", scalar=True)
    times = in_range("tau", tau, "1", above=0, inclusive=True)
    in_range("delta", delta, "1", above=0, scalar=True)
    in_range("h", h, "1", above=-1, below=1, scalar=True)
    f, rest = landscape.drift(i, h, asymmetry)[None], landscape.drift(0.0, h)[None]
    stability = np.array([float(delta)])
    coarse, middle, fine = (_on_cells(n, f, rest, stability, times.ravel(), readout) for n in CELLS)
    first, second = (4 * middle - coarse) / 3, (4 * fine - middle) / 3  # second order in the cell
    best = (16 * second - first) / 15  # and the fourth
    error = np.abs(second - first) + np.abs(second - fine) / 3
    return Solution(best.reshape(times.shape), error.reshape(times.shape))


def _on_cells(n: int, f: Array, rest: Array, delta: Array, times: Array, readout: str) -> Array:
    edges, z = (-np.cos(np.pi * (np.arange(n + 1 - k) + k / 2) / n) for k in (0, 1))
    edges[n // 2] = 0.0
    width = np.diff(edges)
    rates = generator(edges, z, landscape.potential(f, delta, z)[0], float(delta[0]))
    # The initial law and the read-out are averaged over each cell, not sampled at its middle.
    points, weights = np.polynomial.legendre.leggauss(6)
    y = (edges[:-1] + edges[1:])[:, None] / 2 + width[:, None] / 2 * points
    phi = landscape.potential(rest, delta, y.reshape(1, -1)).reshape(y.shape)
    mass = np.where(z > 0, (np.exp(phi[-1, -1] - phi) @ weights) * width, 0.0)
    kept = (z > 0) * 1.0
    if readout == "relaxed":
        kept = landscape.committor(rest, delta, y.reshape(1, -1)).reshape(y.shape) @ weights / 2
    state = mass / mass.sum()
    result = np.empty(len(times))
    now = 0.0
    for k in np.argsort(times):
        state = propagator(rates, times[k] - now) @ state
        now = times[k]
        result[k] = kept @ state
    return result


def generator(edges: Array, z: Array, phi: Array, delta: float) -> Array:
    """Compute the Scharfetter-Gummel rates between neighbouring cells.

    Parameters
    ----------
    edges, z : ndarray
        Edges and middles of the cells, rising in [-1, 1], shapes (cells + 1,) and (cells,) [1].
    phi : ndarray
        Potential at `z`, see `landscape.potential`, shape (cells,) [k_B T].
    delta : float
        Thermal stability factor [1].

    Returns
    -------
    ndarray
        L of d state/d tau = L state, shape (cells, cells); columns sum to zero, and
        L exp(-Phi) width = 0 [1].

    References
    ----------
    Scharfetter and Gummel, IEEE Trans. Electron Devices 16 (1969) 64,
    doi:10.1109/T-ED.1969.16566.

    Examples
    --------
    >>> edges = np.array([-1.0, 0.0, 1.0])
    >>> generator(edges, np.array([-0.5, 0.5]), np.zeros(2), 10.0).tolist()
    [[-0.05, 0.05], [0.05, -0.05]]
    """
    width = np.diff(edges)
    step = np.diff(phi)
    rate = (1 - edges[1:-1] ** 2) / (2 * delta) / np.diff(z)
    up = rate * _bernoulli(step) / width[:-1]  # from a cell to the one above
    down = rate * _bernoulli(-step) / width[1:]
    loss = np.r_[up, 0] + np.r_[0, down]
    return np.diag(up, -1) + np.diag(down, 1) - np.diag(loss)


def _bernoulli(x: Array) -> Array:
    small = np.abs(x) < 1e-8
    return np.where(small, 1 - x / 2, x / np.expm1(np.where(small, 1.0, np.minimum(x, STEEP))))


def propagator(rates: Array, tau: float) -> Array:
    """Compute exp(L tau) from sums and products of positive numbers alone.

    Parameters
    ----------
    rates : ndarray
        L, see `generator`, shape (cells, cells) [1].
    tau : float
        Time over t_D, >= 0 [1].

    Returns
    -------
    ndarray
        Probabilities to go from cell to cell, columns sum to one; transposed it carries the
        backward equation; shape of `rates` [1].

    References
    ----------
    Moler and Van Loan, SIAM Review 45 (2003) 3, doi:10.1137/S00361445024180 (scaling and
    squaring); that all terms are positive is this project's design, see the module.

    Examples
    --------
    >>> propagator(np.array([[-1.0, 1.0], [1.0, -1.0]]), 50.0).round(9).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    q = -rates.diagonal().min()
    squarings = max(0, int(np.ceil(np.log2(max(q * tau, 1e-300)))))
    d = tau / 2.0**squarings
    shifted = (rates + q * np.eye(len(rates))) * d
    power: Array = np.eye(len(rates))
    term = power
    with galerkin.one_thread():
        for k in range(1, TERMS):
            term = term @ shifted / k
            power = power + term
        power = power * np.exp(-q * d)
        for _ in range(squarings):
            power = power @ power
            power /= power.sum(axis=0)  # mass: columns sum to one
    return power
