"""Write error rate of an axisymmetric macrospin from the Fokker-Planck equation.

In reduced units (tau = t/t_D, i = I/I_c0, h = H_z/H_k) the density rho(z, tau) of
z = cos(theta) obeys, exactly and for any damping,

    d rho/d tau = d/dz { (1 - z^2) [(i - h - z) rho + (1/(2 Delta)) d rho/dz] }

with no flux at the poles, rho_0 ~ exp(Delta (z^2 + 2 h z)) on z > 0, and
WER(tau) = integral_0^1 rho dz. Butler et al., IEEE Trans. Magn. 48 (2012) 4684,
doi:10.1109/TMAG.2012.2209122; Tzoufras, arXiv 1708.01671.

Method. Legendre-Galerkin in u = -z on the truncated interval [-1, b]. What has run down a
potential step of DROP k_B T beyond u = 0 does not come back, so at b it flows out, and the
density that is left decays as a whole: the tail keeps its relative accuracy. On the full
interval the switched mass of order one would drown it. Widths are reached by a ladder of
matrix squarings and a Taylor remainder; every result is computed in two truncation orders.
"""

from functools import lru_cache

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import ThreadpoolController

from devicephys.checks import Array, in_range
from devicephys.errors import AccuracyError

ORDERS = (40, 56, 80, 112, 160)  # truncation orders, tried in turn until two agree
DROP = 50.0  # k_B T between z = 0 and the outflow boundary: a return has probability e^-50
TAYLOR = 20  # terms: the truncated one is 1/20! at a scaled norm of 1
ROWS = 128  # (i, delta, h) triples propagated together: bounds the memory
INITIAL_NODES = 100  # resolve the initial law, of width 1/(2 Delta), against every order
TINY = 1e-280  # below this a float cannot carry the relative accuracy: treated as zero


def wer(
    i: ArrayLike,
    tau: ArrayLike,
    delta: ArrayLike,
    h: ArrayLike = 0.0,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
) -> Array:
    """Compute the write error rate of a square pulse by the Fokker-Planck equation.

    Valid for fields, spin polarisation and anisotropy along one axis, any damping, a coherent
    free layer, and read-out by the sign of z at the end of the pulse (exact for h = 0; a bias
    of order h otherwise).

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
    return _solve(i, tau, delta, h, rtol, atol)[0]


def dwell(
    i: ArrayLike,
    tau: ArrayLike,
    delta: ArrayLike,
    h: ArrayLike = 0.0,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
) -> Array:
    """Compute the mean time that a square pulse finds the cell in its initial state.

    Valid as `wer` is; the write energy at constant current follows from it.

    Parameters
    ----------
    i, tau, delta, h, rtol, atol
        As for `wer` [1].

    Returns
    -------
    ndarray
        integral_0^tau WER d tau' in units of t_D, broadcast shape of the arguments [1].

    Raises
    ------
    ParameterError, AccuracyError
        As `wer`.

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    >>> dwell(2.0, [1, 20], 60.0).round(3).tolist()
    [1.0, 2.235]
    """
    return _solve(i, tau, delta, h, rtol, atol)[1]


def _solve(
    i: ArrayLike, tau: ArrayLike, delta: ArrayLike, h: ArrayLike, rtol: float, atol: float
) -> tuple[Array, Array]:
    """Group the points by (i, delta, h) and the groups by their widths; solve each block."""
    i = in_range("i", i, "1")
    tau = in_range("tau", tau, "1", above=0, inclusive=True)
    delta = in_range("delta", delta, "1", above=0)
    h = in_range("h", h, "1", above=-1, below=1)
    in_range("rtol", rtol, "1", above=0)
    in_range("atol", atol, "1", above=0, inclusive=True)
    arrays = np.broadcast_arrays(i, delta, h, tau)
    points = np.stack([a.ravel() for a in arrays], axis=1)
    rows, row_of = np.unique(points[:, :3], axis=0, return_inverse=True)
    out = np.empty((2, len(points)))
    blocks: dict[bytes, list[tuple[NDArray[np.intp], int]]] = {}
    for r, members in enumerate(np.split(np.argsort(row_of, kind="stable"),
                                         np.cumsum(np.bincount(row_of))[:-1])):  # fmt: skip
        blocks.setdefault(points[members, 3].tobytes(), []).append((members, r))
    for block in blocks.values():
        for start in range(0, len(block), ROWS):
            part = block[start : start + ROWS]
            members = np.array([m for m, _ in part])
            widths, width_of = np.unique(points[members[0], 3], return_inverse=True)
            solved = _converged(rows[[r for _, r in part]], widths, rtol, atol)
            out[:, members] = solved[:, :, width_of]
    return out[0].reshape(arrays[0].shape), out[1].reshape(arrays[0].shape)


def _converged(rows: Array, widths: Array, rtol: float, atol: float) -> Array:
    """Raise the truncation order of each row until it agrees with the order before."""
    result = np.empty((2, len(rows), len(widths)))
    pending = np.arange(len(rows))
    last = _at_order(ORDERS[0], rows, widths)
    error = np.inf
    for order in ORDERS[1:]:
        now = _at_order(order, rows[pending], widths)
        scale = np.where(now > TINY, now, np.inf)  # what no float can hold counts as agreed
        difference = np.abs(now - last)
        agree = ((difference <= rtol * now + atol) | ~np.isfinite(scale)).all(axis=(0, 2))
        agree &= (now > -TINY - atol).all(axis=(0, 2))
        # Both orders carry round-off of order 1e-9: a probability is at most one.
        now = np.where(now > TINY, now, 0.0)
        now[0] = np.minimum(now[0], 1.0)
        result[:, pending[agree]] = now[:, agree]
        if agree.all():
            return result
        pending, last = pending[~agree], now[:, ~agree]
        error = float((difference / scale)[:, ~agree].max())
    i, delta, h = rows[pending[0]]
    raise AccuracyError(
        f"write error rate at i = {i:g}, delta = {delta:g}, h = {h:g} is uncertain by {error:.1e}",
        expected=f"rtol = {rtol:g}, atol = {atol:g}",
        remedy="raise rtol or atol; for delta < 15 the tail is out of reach of this method",
    )


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@lru_cache(maxsize=32)
def _nodes(n: int) -> tuple[Array, Array]:
    nodes, weights = legendre.leggauss(n)
    return nodes, weights


@lru_cache(maxsize=32)
def _galerkin_basis(n: int) -> tuple[Array, Array, Array, Array]:
    """Nodes, weights, orthonormal Legendre polynomials and derivatives on [-1, 1]."""
    nodes, weights = _nodes(n + 4)  # exact for the cubic coefficients of the equation
    values = legendre.legvander(nodes, n - 1)
    slopes = np.zeros_like(values)
    for k in range(1, n):  # P_k' = P_{k-2}' + (2k - 1) P_{k-1}
        slopes[:, k] = (2 * k - 1) * values[:, k - 1] + (slopes[:, k - 2] if k > 1 else 0)
    norm = np.sqrt(np.arange(n) + 0.5)
    return nodes, weights, values * norm, slopes * norm


def _at_order(n: int, rows: Array, widths: Array) -> Array:
    """Solve for rows of (i, delta, h) at all widths; shape (2, rows, widths): WER, dwell."""
    generator, start = _systems(n, rows)
    with _blas().limit(limits=1):  # threads only slow down products this small
        c = _propagate(generator, start, widths)
    readout = generator[:, n, :n]
    return np.stack([np.einsum("rn,rnt->rt", readout, c[:, :n]), c[:, n]])


def _systems(n: int, rows: Array) -> tuple[Array, Array]:
    """Assemble generators (r, n+1, n+1) and initial vectors (r, n+1).

    The last unknown integrates the WER: the last row of a generator is the read-out.
    """
    i, delta, h = (x[:, None] for x in rows.T)
    x = i - h
    b = np.minimum(1.0, -x + np.sqrt(x * x + DROP / delta))  # (b + x)^2 - x^2 = DROP/delta
    s = (b + 1) / 2
    nodes, weights, p, dp = _galerkin_basis(n)
    u = -1 + s * (nodes + 1)
    g = weights * (1 - u * u)
    drift, diffusion = (g * (x + u))[:, :, None] * p, (g / (2 * delta * s))[:, :, None] * dp
    end = np.sqrt(np.arange(n) + 0.5)  # orthonormal P_k at u = b
    outflow = ((1 - b * b) * (x + b))[:, :, None] * np.outer(end, end)
    z, w = _nodes(INITIAL_NODES)  # the initial law on u in [-1, 0]
    u0 = 0.5 * (z - 1)
    rho = w * np.exp(delta * (u0**2 - 2 * h * u0 - 1 - 2 * h))
    p0 = legendre.legvander((u0 + 1) / s - 1, n - 1) * end
    generator = np.zeros((len(rows), n + 1, n + 1))
    generator[:, :n, :n] = (dp.T @ (drift - diffusion) - outflow) / s[:, :, None]
    generator[:, n, :n] = 0.5 * np.einsum("rqn,q->rn", p0, w)
    start = np.zeros((len(rows), n + 1))
    start[:, :n] = np.einsum("rqn,rq->rn", p0, rho) / (s * rho.sum(axis=1, keepdims=True))
    return generator, start


def _propagate(a: Array, start: Array, widths: Array) -> Array:
    """Apply exp(a tau) to `start`; shapes (r, n, n), (r, n), (t,) -> (r, n, t).

    tau = m d + rest with d |a| <= 1: the bits of m select powers of exp(a d), made by squaring;
    the rest is a Taylor series. For widths on a uniform grid d divides the step: no rest.
    """
    longest, step = widths.max(), widths[widths > 0].min(initial=np.inf)
    if longest == 0:
        return np.repeat(start[:, :, None], len(widths), axis=2)
    multiples = widths / step
    uniform = multiples.max() < 1e4 and np.abs(multiples - np.rint(multiples)).max() < 1e-9
    base = step if uniform else longest
    norm = np.sqrt((a * a).sum(axis=(1, 2))).max()  # Frobenius: at least the spectral norm
    d = base / 2.0 ** max(0, np.ceil(np.log2(base * norm)))
    m = np.rint(widths / d).astype(np.int64) if uniform else np.floor(widths / d).astype(np.int64)
    rest = widths - m * d
    c = term = np.repeat(start[:, :, None], len(widths), axis=2)
    if np.abs(rest).max() > 1e-9 * d:
        for k in range(1, TAYLOR):
            term = a @ term * (rest / k)
            c = c + term
    power = power_term = np.broadcast_to(np.eye(a.shape[1]), a.shape)
    for k in range(1, TAYLOR):
        power_term = a @ power_term * (d / k)
        power = power + power_term
    for j in range(int(m.max()).bit_length()):
        if j:
            power = power @ power
        chosen = (m >> j) & 1 == 1
        if chosen.any():
            c[:, :, chosen] = power @ c[:, :, chosen]
    return c
