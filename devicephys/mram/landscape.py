"""Drift, potential and wells of an axisymmetric free layer: what every solver stands on.

In reduced units the density of z = cos(theta) obeys

    d rho/d tau = d/dz { (1 - z^2) [f(z) rho + (1/(2 Delta)) d rho/dz] },
    f(z) = i(z) - h - kappa z,

with the initial state at z = +1; the drift dz/d tau = -(1 - z^2) f leads away from it. i(z) is the
reduced current, whose effect may depend on the angle (spin-torque asymmetry, a resistance that
changes while the layer turns), and kappa = H_k/H_k0 (1 unless a voltage or the temperature
changes the anisotropy). The stationary law is exp(-Phi), Phi = 2 Delta int f dz.

A drift is held as Chebyshev coefficients over z in [-1, 1], along the last axis of an array.
"""

from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev, legendre
from numpy.typing import ArrayLike

from devicephys.checks import Array, in_range, together

DEGREE = 28  # of a drift that is not a straight line
MOST_ASYMMETRY = 0.801  # Lambda = 3: there the series of the torque is good to 1e-8
NODES = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))  # z where it is sampled
FALLEN = 25.0  # k_B T below the equator: e^-25 come back
STATIONARY_POINTS = 201  # in theta
COMMITTOR_POINTS = 96  # quadrature of the barrier: a Gaussian bump of width Delta^-1/2


def drift(i: ArrayLike, h: ArrayLike = 0.0, asymmetry: ArrayLike = 0.0) -> Array:
    """Compute the drift f(z) of a constant current and axial field.

    Parameters
    ----------
    i : array_like
        Current over critical current, any shape [1].
    h : array_like, optional
        Axial field over H_k, positive stabilises the initial state, shape broadcast with `i` [1].
    asymmetry : array_like, optional
        Spin-torque asymmetry a in (-0.801, 0.801), see `asymmetry`; shape broadcast with `i` [1].

    Returns
    -------
    ndarray
        Chebyshev coefficients, broadcast shape + (2,), or + (DEGREE + 1,) where a is not 0 [1].

    Raises
    ------
    ParameterError
        If an asymmetry is outside (-0.801, 0.801).

    Notes
    -----
    f = i g(z) - h - z with g = (1 + a)/(1 + a z): g(1) = 1, so `i` is in units of the critical
    current of the state that is left.

    References
    ----------
    Slonczewski, J. Magn. Magn. Mater. 247 (2002) 324, doi:10.1016/S0304-8853(02)00291-3.

    Examples
    --------
    >>> drift(2.0, 0.1).tolist()
    [1.9, -1.0]
    """
    a = in_range(
        "asymmetry", asymmetry, "1", above=-MOST_ASYMMETRY, below=MOST_ASYMMETRY,
        remedy="Lambda between 1/3 and 3",
    )  # fmt: skip
    i, h, a = np.broadcast_arrays(np.asarray(i, np.float64), np.asarray(h, np.float64), a)
    if not a.any():
        return np.stack([i - h, np.full(i.shape, -1.0)], axis=-1)
    i, h, a = i[..., None], h[..., None], a[..., None]
    return from_samples(i * (1 + a) / (1 + a * NODES) - h - NODES)


def constant(
    i: ArrayLike, delta: ArrayLike, h: ArrayLike, asymmetry: ArrayLike
) -> tuple[Array, Array, Array, tuple[int, ...]]:
    """Check constant conditions and lay them out as rows.

    Parameters
    ----------
    i, h, asymmetry
        As for `drift` [1].
    delta : array_like
        Thermal stability factor, > 0, shape broadcast with `i` [1].

    Returns
    -------
    f, rest : ndarray
        Chebyshev coefficients of the drift under the current and without it, shape (rows, k) [1].
    delta : ndarray
        Thermal stability factor, shape (rows,) [1].
    shape : tuple of int
        Broadcast shape of the arguments [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range or the shapes do not fit.

    References
    ----------
    This project's design, docs/theory/fokker_planck.md.

    Examples
    --------
    >>> f, rest, delta, shape = constant([1.0, 2.0], 60.0, 0.0, 0.0)
    >>> f.tolist(), delta.tolist(), shape
    ([[1.0, -1.0], [2.0, -1.0]], [60.0, 60.0], (2,))
    """
    in_range("i", i, "1")
    in_range("delta", delta, "1", above=0)
    in_range("h", h, "1", above=-1, below=1)
    i, delta, h, a = together(i=i, delta=delta, h=h, asymmetry=asymmetry)
    f = drift(i, h, a).reshape(i.size, -1)
    rest = drift(0 * i, h).reshape(i.size, -1)
    return f, rest, delta.reshape(-1), i.shape


def from_samples(values: Array) -> Array:
    """Give the Chebyshev coefficients of a drift sampled at `NODES`.

    Parameters
    ----------
    values : ndarray
        f at `NODES`, shape (..., DEGREE + 1) [1].

    Returns
    -------
    ndarray
        Coefficients, shape of `values` [1].

    References
    ----------
    Trefethen, Approximation Theory and Approximation Practice (2013),
    doi:10.1137/1.9781611975949.

    Examples
    --------
    >>> from_samples(1.9 - NODES)[:3].round(12).tolist()
    [1.9, -1.0, -0.0]
    """
    transform = 2 / (DEGREE + 1) * chebyshev.chebvander(NODES, DEGREE)
    transform[:, 0] /= 2
    return np.asarray(values @ transform)


def asymmetry(lam: ArrayLike, starts_parallel: bool) -> Array:
    """Convert Slonczewski's Lambda to the signed asymmetry of one write direction.

    Parameters
    ----------
    lam : array_like
        Lambda, > 0, 1 for a torque without angular dependence, any shape [1].
    starts_parallel : bool
        Whether the write starts from the parallel state.

    Returns
    -------
    ndarray
        +-(Lambda^2 - 1)/(Lambda^2 + 1), plus from the parallel state, shape of `lam` [1].

    Raises
    ------
    ParameterError
        If Lambda is not positive.

    References
    ----------
    Slonczewski, J. Magn. Magn. Mater. 247 (2002) 324, doi:10.1016/S0304-8853(02)00291-3;
    Xiao, Zangwill and Stiles, Phys. Rev. B 70 (2004) 172405, doi:10.1103/PhysRevB.70.172405.

    Examples
    --------
    >>> round(float(asymmetry(1.5, True)), 6), float(asymmetry(1.0, False))
    (0.384615, -0.0)
    """
    squared = in_range("lambda", lam, "1", above=0) ** 2
    return np.asarray((squared - 1) / (squared + 1) * (1 if starts_parallel else -1))


def evaluate(coefficients: Array, z: Array) -> Array:
    """Evaluate drifts at points of their own.

    Parameters
    ----------
    coefficients : ndarray
        Chebyshev coefficients, shape (rows, k) [1].
    z : ndarray
        Points in [-1, 1], shape (rows, points) or (points,) [1].

    Returns
    -------
    ndarray
        f(z), shape (rows, points) [1].

    References
    ----------
    Clenshaw, Math. Comp. 9 (1955) 118, doi:10.1090/S0025-5718-1955-0071856-0.

    Examples
    --------
    >>> evaluate(drift([[2.0]])[0], np.array([1.0, 0.0])).tolist()
    [[1.0, 2.0]]
    """
    z = np.broadcast_to(z, (len(coefficients), np.shape(z)[-1]))
    return np.asarray(chebyshev.chebval(z, coefficients.T[:, :, None], tensor=False))


def potential(coefficients: Array, delta: Array, z: Array) -> Array:
    """Compute the potential Phi(z) = 2 Delta int_0^z f of drifts, in units of k_B T.

    Parameters
    ----------
    coefficients : ndarray
        Chebyshev coefficients of f, shape (rows, k) [1].
    delta : ndarray
        Thermal stability factor, shape (rows,) [1].
    z : ndarray
        Points in [-1, 1], shape (rows, points) or (points,) [1].

    Returns
    -------
    ndarray
        Phi, zero at z = 0, shape (rows, points) [1].

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> potential(drift([2.0]), np.array([60.0]), np.array([1.0])).tolist()
    [[180.0]]
    """
    integral = chebyshev.chebint(coefficients, axis=1)
    integral[:, 0] -= chebyshev.chebval(0.0, integral.T)
    return np.asarray(2 * delta[:, None] * evaluate(np.asarray(integral), z))


def outflow(coefficients: Array, delta: Array, drop: float | Array) -> Array:
    """Find the boundary b beyond which a drift does not let the density return.

    Parameters
    ----------
    coefficients : ndarray
        Chebyshev coefficients of the drift over z, shape (rows, k) [1].
    delta : ndarray
        Thermal stability factor, shape (rows,) [1].
    drop : float or ndarray
        Potential step from u = 0 down to b, shape () or (rows,) [k_B T].

    Returns
    -------
    ndarray
        b in (0, 1], 1 where the whole step is smaller, shape (rows,) [1].

    References
    ----------
    This project's derivation, docs/theory/fokker_planck.md.

    Examples
    --------
    >>> outflow(drift([2.0]), np.array([60.0]), 60.0).round(4).tolist()
    [0.2361]
    """
    if coefficients.shape[1] == 2:  # a parabola: kappa u^2/2 + c u = drop/(2 Delta)
        c, kappa = coefficients[:, 0], np.maximum(-coefficients[:, 1], 1e-12)
        return np.clip(
            (np.sqrt(np.maximum(c**2 + kappa * drop / delta, 0.0)) - c) / kappa, 0.0, 1.0
        )
    low, high = np.zeros(len(delta)), np.ones(len(delta))
    for _ in range(40):  # the outermost crossing: beyond a barrier the potential only falls
        middle = 0.5 * (low + high)
        phi = potential(coefficients, delta, -middle[:, None])[:, 0]
        low, high = np.where(phi > -drop, middle, low), np.where(phi > -drop, high, middle)
    full = potential(coefficients, delta, np.array([-1.0]))[:, 0] > -drop
    return np.where(full, 1.0, high)


def committor(coefficients: Array, delta: Array, z: Array) -> Array:
    """Compute the probability that the relaxing layer falls back to its initial state.

    Valid where either state is a well several k_B T deep. A layer counts as fallen within
    1/(2 Delta) of a pole, and as switched also FALLEN k_B T below the equator.

    Parameters
    ----------
    coefficients : ndarray
        Chebyshev coefficients of the drift after the pulse, shape (rows, k) [1].
    delta : ndarray
        Thermal stability factor, shape (rows,) [1].
    z : ndarray
        Points in [-1, 1], shape (rows, points) [1].

    Returns
    -------
    ndarray
        q(z) = int_a^z e^Phi/(1 - y^2) dy / int_a^c from the switched end a to the initial end c,
        shape of `z` [1].

    References
    ----------
    Gardiner, Stochastic Methods (2009), section 5.5, doi:10.1007/978-3-540-70712-7 (splitting
    probability).

    Examples
    --------
    >>> committor(drift([0.0]), np.array([60.0]), np.array([[0.0, 0.3, -0.3]])).round(5).tolist()
    [[0.5, 0.99944, 0.00056]]
    """
    c = 1 - 1 / (2 * np.maximum(delta, 1.0))[:, None]
    end = -np.minimum(outflow(coefficients, delta, FALLEN)[:, None], c)
    top = potential(coefficients, delta, np.linspace(-1, 1, 201)).max(axis=1)
    nodes, weights = gauss_legendre(COMMITTOR_POINTS)

    def passed(z: Array) -> Array:
        half = np.clip((z - end) / 2, 0.0, None)[:, :, None]
        y = end[:, :, None] + half * (nodes + 1)
        phi = potential(coefficients, delta, y.reshape(len(y), -1)).reshape(y.shape)
        return np.asarray(
            (np.exp(phi - top[:, None, None]) / (1 - y * y)) @ weights * half[:, :, 0]
        )

    return np.asarray(np.minimum(passed(np.minimum(z, c)) / passed(c), 1.0))


def returning(coefficients: Array, delta: Array, tau: Array) -> Array:
    """Bound the probability that the pulse itself brings a switched layer back to z > 0.

    Valid as an estimate from above, to a factor of a few: the switched layer is taken to have
    settled under the pulse.

    Parameters
    ----------
    coefficients : ndarray
        Chebyshev coefficients of the drift, shape (rows, k) [1].
    delta : ndarray
        Thermal stability factor, shape (rows,) [1].
    tau : ndarray
        Duration, shape (1, widths) or (rows, 1) [1].

    Returns
    -------
    ndarray
        The stationary weight of z > 0, reached at the rate over whatever barrier the initial
        state keeps; shape (rows, widths) [1].

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> f"{returning(drift([4.0]), np.array([3.0]), np.array([[20.0]]))[0, 0]:.1e}"
    '1.9e-12'
    """
    theta = np.linspace(0, np.pi, STATIONARY_POINTS)
    z = np.cos(theta)
    phi = potential(coefficients, delta, z)
    law = np.exp(phi.min(axis=1, keepdims=True) - phi) * np.sin(theta)
    back = law[:, z > 0].sum(axis=1) / law.sum(axis=1)
    barrier = phi.max(axis=1) - phi[:, 0]
    reached = np.minimum((1 + tau) * (np.sqrt(delta) * np.exp(-barrier))[:, None], 1.0)
    return np.asarray(back[:, None] * reached)


@lru_cache(maxsize=64)
def gauss_legendre(n: int) -> tuple[Array, Array]:
    """Give Gauss-Legendre nodes and weights on [-1, 1].

    Parameters
    ----------
    n : int
        Number of nodes [1].

    Returns
    -------
    tuple of ndarray
        Nodes, rising, and weights, shape (n,) each; kept, so not to be changed [1].

    References
    ----------
    Golub and Welsch, Math. Comp. 23 (1969) 221, doi:10.1090/S0025-5718-69-99647-1.

    Examples
    --------
    >>> gauss_legendre(1)[0].tolist(), gauss_legendre(1)[1].tolist()
    ([0.0], [2.0])
    """
    nodes, weights = legendre.leggauss(n)
    return nodes, weights
