"""Tail probabilities of distributions of ln R, accurate to the last digits, and draws from them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from devicephys.checks import Array, generator, in_range, whole
from devicephys.rram.mixture import Mixture

BLOCK = 2_000_000  # elements of a temporary array


def cdf(mixture: Mixture, x: ArrayLike) -> Array:
    """Compute the probability that ln R is at most x.

    Accurate in the lower tail to the last digits; see `sf` for the upper one.

    Parameters
    ----------
    mixture : Mixture
        The distribution.
    x : array_like
        Values of ln(R/Ohm), any shape [1].

    Returns
    -------
    ndarray
        P(ln R <= x), shape of `x` [1].

    Raises
    ------
    ParameterError
        If an `x` is not finite.

    References
    ----------
    This project's record.

    Examples
    --------
    >>> from devicephys.rram.mixture import empirical
    >>> cdf(empirical([5e3, 6e3]), np.log([4e3, 5e3, 6e3])).tolist()
    [0.0, 0.5, 1.0]
    """
    points = in_range("x", x, "1")
    sharp, wide = _parts(mixture)
    order = np.argsort(mixture.x[sharp], kind="stable")
    below = np.r_[0.0, np.cumsum(mixture.weight[sharp][order])]
    steps = below[np.searchsorted(mixture.x[sharp][order], points, "right")]
    return np.asarray(np.minimum(steps + _normal_sum(mixture, wide, points, 1.0), 1.0))


def sf(mixture: Mixture, x: ArrayLike) -> Array:
    """Compute the probability that ln R is above x.

    Accurate in the upper tail to the last digits.

    Parameters
    ----------
    mixture : Mixture
        The distribution.
    x : array_like
        Values of ln(R/Ohm), any shape [1].

    Returns
    -------
    ndarray
        P(ln R > x), shape of `x` [1].

    Raises
    ------
    ParameterError
        If an `x` is not finite.

    References
    ----------
    This project's record.

    Examples
    --------
    >>> from devicephys.rram.mixture import empirical
    >>> sf(empirical([5e3, 6e3]), np.log([4e3, 5e3, 6e3])).tolist()
    [1.0, 0.5, 0.0]
    """
    points = in_range("x", x, "1")
    sharp, wide = _parts(mixture)
    order = np.argsort(mixture.x[sharp], kind="stable")
    above = np.r_[np.cumsum(mixture.weight[sharp][order][::-1])[::-1], 0.0]
    steps = above[np.searchsorted(mixture.x[sharp][order], points, "right")]
    return np.asarray(np.minimum(steps + _normal_sum(mixture, wide, points, -1.0), 1.0))


def draw(mixture: Mixture, n: int, rng: np.random.Generator) -> Array:
    """Draw values of ln R.

    Parameters
    ----------
    mixture : Mixture
        The distribution.
    n : int
        Number of values, >= 1 [1].
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    ndarray
        ln(R/Ohm), shape (n,) [1].

    Raises
    ------
    ParameterError
        If `n` is not a whole number >= 1, or `rng` no generator.

    References
    ----------
    This project's record.

    Examples
    --------
    >>> from devicephys.rram.mixture import empirical
    >>> draw(empirical([5e3, 6e3]), 3, np.random.default_rng(1)).shape
    (3,)
    """
    weight = mixture.weight / mixture.weight.sum()
    k = generator(rng).choice(len(mixture.x), size=whole("n", n, least=1), p=weight)
    return mixture.x[k] + mixture.sigma[k] * rng.standard_normal(n)


def _parts(mixture: Mixture) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give the indices of sharp and of blurred levels that have weight."""
    some = mixture.weight > 0
    return (
        np.flatnonzero(some & (mixture.sigma == 0)),
        np.flatnonzero(some & (mixture.sigma > 0)),
    )


def _normal_sum(mixture: Mixture, wide: NDArray[np.intp], points: Array, sign: float) -> Array:
    """Add up Phi(sign (point - x)/sigma) over the blurred levels, block by block."""
    x, weight, sigma = (a[wide] for a in (mixture.x, mixture.weight, mixture.sigma))
    flat, total = points.ravel(), np.zeros(points.size)
    if len(x):
        step = max(1, BLOCK // len(x))
        for k in range(0, len(flat), step):
            z = sign * (flat[k : k + step, None] - x) / sigma
            total[k : k + step] = ndtr(z) @ weight
    return total.reshape(points.shape)
