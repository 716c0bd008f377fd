"""Legendre-Galerkin propagation of the axisymmetric Fokker-Planck equation, many rows at once.

Works in u = -z on [-1, b], so that u = -1 is the initial state. Two settings:

* b < 1, for the tail. What has run down a potential step of DROP k_B T beyond u = 0 does not
  come back: at b it flows out, and the density that is left decays as a whole, which keeps its
  relative accuracy; on the full interval the switched mass of order one would drown it. Towards b
  the noise is faded out as 1 - ((1 + xi)/2)^FADE, xi in [-1, 1] being the position in the interval:
  there it no longer decides anything, but without the fade it makes the matrix 30 times stiffer
  and the expansion converge later.
* b = 1, for means over both states (energy, time): absolute accuracy, mass conserved.

A row is one pulse condition. Its density is a vector of n coefficients of orthonormal Legendre
polynomials; one stage of constant conditions multiplies it by exp(A tau).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev, legendre
from threadpoolctl import ThreadpoolController

from devicephys.checks import Array
from devicephys.mram import landscape

DROP = 60.0  # k_B T between z = 0 and the outflow boundary while a pulse drives
DROP_RELAX = 14.0  # the same while the layer relaxes: weight of the last strip in the read-out
FADE = 64
INITIAL_NODES = 100  # resolve the initial law, of width 1/(2 Delta), against every order
READ_NODES = 160
DEGREE = 16  # of the Taylor polynomial of the exponential
THETA = 0.78  # scaled norm at which it is exact to double precision (Al-Mohy and Higham 2011)


def generator(n: int, b: Array, coefficients: Array, noise: Array) -> Array:
    """Assemble the generators A of d c/d tau = A c.

    Parameters
    ----------
    n : int
        Number of Legendre polynomials [1].
    b : ndarray
        Right end of the interval in u, shape (rows,) [1].
    coefficients : ndarray
        Chebyshev coefficients of the drift over z, shape (rows, k) [1].
    noise : ndarray
        1/(2 Delta), shape (rows,) [1].

    Returns
    -------
    ndarray
        Generators, shape (rows, n, n) [1].

    References
    ----------
    Tzoufras, arXiv 1708.01671 (Legendre expansion on the full interval).

    Examples
    --------
    >>> generator(3, np.ones(1), landscape.drift([2.0]), np.array([0.01])).shape
    (1, 3, 3)
    """
    if (b == 1).all():  # one interval for all rows: the generator is linear in drift and noise
        drifts, diffusion = _whole_interval(n, coefficients.shape[1])
        return np.tensordot(coefficients, drifts, axes=1) - noise[:, None, None] * diffusion
    s = (b[:, None] + 1) / 2
    xi, weights, p, dp = _basis(n, coefficients.shape[1])
    u = -1 + s * (xi + 1)
    flow = (1 - u * u) * landscape.evaluate(coefficients, -u)
    fade = np.where(b[:, None] < 1, 1 - ((1 + xi) / 2) ** FADE, 1.0)
    spread = (1 - u * u) * fade * noise[:, None] / s
    flux = (weights * flow)[:, :, None] * p - (weights * spread)[:, :, None] * dp
    end = np.sqrt(np.arange(n) + 0.5)  # orthonormal polynomials at xi = 1
    out = (1 - b * b) * landscape.evaluate(coefficients, -b[:, None])[:, 0]
    return np.asarray((dp.T @ flux - out[:, None, None] * np.outer(end, end)) / s[:, :, None])


def boltzmann(n: int, b: Array, coefficients: Array, delta: Array) -> Array:
    """Expand the Boltzmann law of the initial well, exp(-Phi) on z > 0.

    Parameters
    ----------
    n, b
        As for `generator`.
    coefficients : ndarray
        Chebyshev coefficients of the drift before the pulse, shape (rows, k) [1].
    delta : ndarray
        Thermal stability factor before the pulse, shape (rows,) [1].

    Returns
    -------
    ndarray
        Coefficients, shape (rows, n) [1].

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> c = boltzmann(40, np.ones(1), landscape.drift([0.0]), np.array([20.0]))
    >>> round(float(c[0] @ below(40, np.ones(1), np.ones(1))[0]), 9)
    1.0
    """
    xi, weights = landscape.gauss_legendre(INITIAL_NODES)
    z = 0.5 * (1 - xi)
    phi = landscape.potential(coefficients, delta, z)
    rho = weights * np.exp(phi.min(axis=1, keepdims=True) - phi)
    s = (b[:, None] + 1) / 2
    p = _orthonormal(n, (1 - z) / s - 1)
    return np.asarray(np.einsum("rqn,rq->rn", p, rho) / (s * rho.sum(axis=1, keepdims=True)))


def below(n: int, b: Array, end: Array) -> Array:
    """Give the functional that reads the probability of u < end.

    Parameters
    ----------
    n, b
        As for `generator`.
    end : ndarray
        Upper end, in (-1, b], shape (rows,) [1].

    Returns
    -------
    ndarray
        Weights of the coefficients, shape (rows, n) [1].

    References
    ----------
    Abramowitz and Stegun, Handbook of Mathematical Functions (1964), eq. 22.8.5,
    doi:10.1119/1.15378.

    Examples
    --------
    >>> below(2, np.ones(1), np.zeros(1)).round(4).tolist()
    [[0.7071, -0.6124]]
    """
    s = (b[:, None] + 1) / 2
    xi, weights = landscape.gauss_legendre(n)  # exact: a polynomial of degree n - 1
    half = (end[:, None] + 1) / 2
    p = _orthonormal(n, half * (xi + 1) / s - 1)
    return np.asarray(np.einsum("rqn,q->rn", p, weights) * half)


def weighted(n: int, b: Array, weight: Array) -> Array:
    """Give the functional that reads the mean of a weight sampled at `read_points`.

    Parameters
    ----------
    n, b
        As for `generator`.
    weight : ndarray
        Weight at the points, shape (rows, points) [any].

    Returns
    -------
    ndarray
        Weights of the coefficients, shape (rows, n) [unit of `weight`].

    References
    ----------
    Golub and Welsch, Math. Comp. 23 (1969) 221, doi:10.1090/S0025-5718-69-99647-1.

    Examples
    --------
    >>> one = np.ones((1, READ_NODES))
    >>> bool(np.allclose(weighted(9, np.ones(1), one), below(9, np.ones(1), np.ones(1))))
    True
    """
    xi, weights = landscape.gauss_legendre(READ_NODES)
    p = _orthonormal(n, xi)
    return np.asarray(((weight * weights) @ p) * (b[:, None] + 1) / 2)


def read_points(b: Array) -> Array:
    """Give the points z at which `weighted` wants its weight.

    Parameters
    ----------
    b : ndarray
        Right end of the interval in u, shape (rows,) [1].

    Returns
    -------
    ndarray
        Gauss points in z, falling, shape (rows, points) [1].

    References
    ----------
    Golub and Welsch, Math. Comp. 23 (1969) 221, doi:10.1090/S0025-5718-69-99647-1.

    Examples
    --------
    >>> read_points(np.ones(2)).shape
    (2, 160)
    """
    xi, _ = landscape.gauss_legendre(READ_NODES)
    return np.asarray(1 - (b[:, None] + 1) / 2 * (xi + 1))


def read_weights() -> Array:
    """Give the quadrature weights of `read_points` on the whole interval.

    Returns
    -------
    ndarray
        Gauss weights, shape (points,) [1].

    References
    ----------
    Golub and Welsch, Math. Comp. 23 (1969) 221, doi:10.1090/S0025-5718-69-99647-1.

    Examples
    --------
    >>> round(float(read_weights().sum()), 9)
    2.0
    """
    return landscape.gauss_legendre(READ_NODES)[1]


def propagate(a: Array, start: Array, widths: Array) -> Array:
    """Apply exp(A tau) to vectors for many widths: a ladder of squarings shared by all of them.

    Parameters
    ----------
    a : ndarray
        Generators, shape (rows, n, n) [1].
    start : ndarray
        Vectors, shape (rows, n) [1].
    widths : ndarray
        Times >= 0, the same for every row, shape (widths,) [1].

    Returns
    -------
    ndarray
        Vectors, shape (rows, n, widths) [1].

    Notes
    -----
    tau = m d + rest with d ||A|| <= THETA: the bits of m select powers of exp(A d), made by
    squaring; the rest is a Taylor polynomial. An evenly spaced grid needs this for its first
    width alone; the others follow by doubling.

    References
    ----------
    Higham, SIAM Review 51 (2009) 747, doi:10.1137/090768539 (scaling and squaring); Al-Mohy and
    Higham, SIAM J. Sci. Comput. 33 (2011) 488, doi:10.1137/100788860.

    Examples
    --------
    >>> propagate(np.array([[[-1.0]]]), np.ones((1, 1)), np.array([0.0, 1.0])).round(4).tolist()
    [[[1.0, 0.3679]]]
    """
    if widths.max() == 0:
        return np.repeat(start[:, :, None], len(widths), axis=2)
    step = _spacing(widths)
    base = step or widths.max()
    with one_thread():
        powers = _powers(a)
        squarings = int(max(0.0, np.ceil(np.log2(base * _norm(powers) / THETA))))
        d = base / 2.0**squarings
        first = widths[:1] if step else widths
        bits = np.floor(first / d).astype(np.int64)
        doublings = int(np.ceil(np.log2(len(widths)))) if step else 0
        # Widths before orders, so that the vector of a width stays in one piece.
        c = _taylor_action(a, np.repeat(start[:, None, :], len(first), axis=1), first - bits * d)
        power = _polynomial(powers, d)
        for j in range(max(int(bits.max()).bit_length(), squarings + doublings)):
            if j:
                power = power @ power
            chosen = np.broadcast_to((bits >> j) & 1 == 1, c.shape[1])
            if chosen.all():
                c = c @ power.swapaxes(1, 2)
            elif chosen.any():
                c[:, chosen] = c[:, chosen] @ power.swapaxes(1, 2)
            if step and j >= squarings:  # an even grid doubles from its first width
                c = np.concatenate(
                    [c, c[:, : len(widths) - c.shape[1]] @ power.swapaxes(1, 2)], axis=1
                )
    return np.swapaxes(c, 1, 2)


def _spacing(widths: Array) -> float:
    """Spacing of evenly spaced, rising widths; 0 for any others."""
    if len(widths) < 3:
        return 0.0
    step = float(widths[1] - widths[0])
    even = np.abs(np.diff(widths) - step).max() < 1e-9 * step and widths[0] < 1e4 * step
    return step if even else 0.0


def exponential(a: Array) -> Array:
    """Compute matrix exponentials.

    Parameters
    ----------
    a : ndarray
        Matrices, shape (rows, n, n) [1].

    Returns
    -------
    ndarray
        exp(a), shape of `a` [1].

    References
    ----------
    Higham, SIAM Review 51 (2009) 747, doi:10.1137/090768539.

    Examples
    --------
    >>> exponential(np.array([[[-1.0]], [[-2.0]]])).round(4).tolist()
    [[[0.3679]], [[0.1353]]]
    """
    with one_thread():
        powers = _powers(a)
        squarings = int(max(0.0, np.ceil(np.log2(max(_norm(powers), 1e-300) / THETA))))
        power = _polynomial(powers, 2.0**-squarings)
        for _ in range(squarings):
            power = power @ power
    return power


def _powers(a: Array) -> tuple[Array, Array, Array, Array]:
    a2 = a @ a
    return a, a2, a2 @ a, a2 @ a2


def _norm(powers: tuple[Array, Array, Array, Array]) -> float:
    """Bound for scaling: the powers of a stiff, non-normal matrix grow slower than its norm."""
    third, fourth = (np.abs(x).sum(axis=1).max(axis=1) for x in powers[2:])
    return float(np.maximum(third ** (1 / 3), fourth ** (1 / 4)).max())


def _polynomial(powers: tuple[Array, Array, Array, Array], d: float) -> Array:
    """Taylor polynomial of degree 16 in A d, by Paterson and Stockmeyer: three more products."""
    eye = np.eye(powers[0].shape[1])
    scaled = [p * d ** (k + 1) for k, p in enumerate(powers)]
    terms = 1 / np.cumprod(np.r_[1.0, np.arange(1, DEGREE + 1)])
    total: Array = terms[16] * scaled[3]
    for k in (12, 8, 4, 0):
        for j in range(3):
            total = total + terms[k + j + 1] * scaled[j]
        total = total + terms[k] * eye
        if k:
            total = total @ scaled[3]
    return total


def _taylor_action(a: Array, c: Array, rest: Array) -> Array:
    term, transposed = c, a.swapaxes(1, 2)
    for k in range(1, DEGREE + 1):
        term = term @ transposed * (rest / k)[:, None]
        c = c + term
    return c


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit BLAS to one thread: more only slow down products of matrices this small.

    Overflow is left to the caller, who sees it in the result: pulses of 1e12 t_D may end there.

    Returns
    -------
    context manager
        To be entered around the products.

    References
    ----------
    This project's measurement: two threads are up to 20 times slower on busy cores.

    Examples
    --------
    >>> with one_thread():
    ...     (np.eye(2) @ np.eye(2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    with _blas().limit(limits=1), np.errstate(over="ignore", invalid="ignore"):
        yield


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _orthonormal(n: int, xi: Array) -> Array:
    return np.asarray(legendre.legvander(xi, n - 1) * np.sqrt(np.arange(n) + 0.5))


@lru_cache(maxsize=32)
def _basis(n: int, k: int) -> tuple[Array, Array, Array, Array]:
    """Nodes, weights, orthonormal polynomials and their derivatives on [-1, 1]."""
    xi, weights = landscape.gauss_legendre(n + 2 + max(k, 6))
    values = legendre.legvander(xi, n - 1)
    slopes = np.zeros_like(values)
    for j in range(1, n):  # P_j' = P_{j-2}' + (2j - 1) P_{j-1}
        slopes[:, j] = (2 * j - 1) * values[:, j - 1] + (slopes[:, j - 2] if j > 1 else 0)
    norm = np.sqrt(np.arange(n) + 0.5)
    return xi, weights, values * norm, slopes * norm


@lru_cache(maxsize=32)
def _whole_interval(n: int, k: int) -> tuple[Array, Array]:
    """Generators of each Chebyshev coefficient of a drift, shape (k, n, n), and of the noise."""
    u, weights, p, dp = _basis(n, k)
    shapes = chebyshev.chebvander(-u, k - 1).T
    weighted = weights * (1 - u * u)
    drifts = np.array([dp.T @ ((weighted * shape)[:, None] * p) for shape in shapes])
    return drifts, dp.T @ (weighted[:, None] * dp)
