"""Distributions of ln R as weighted levels, each blurred by a Gaussian: states of any shape.

The levels may be those of a filament with n vacancies, measured samples, or the one level of a
log-normal state; the blur is read noise. A sigma of 0 is a sharp level.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import Array, in_range, whole
from devicephys.errors import ParameterError

WEIGHT_ERROR = 1e-9  # accepted deviation of the sum of weights from one


@dataclass(frozen=True, eq=False)
class Mixture:
    """Distribution of x = ln(R/Ohm): levels with weights, each blurred by a Gaussian.

    Attributes
    ----------
    x : ndarray
        Levels of ln(R/Ohm), shape (k,) [1].
    weight : ndarray
        Probabilities, >= 0, adding up to one, shape (k,) [1].
    sigma : ndarray
        Standard deviation of ln R around each level, >= 0, shape (k,), or one number for all [1].
    """

    x: Array
    weight: Array
    sigma: Array

    def __post_init__(self) -> None:
        x = np.atleast_1d(in_range("Mixture.x", self.x, "1"))
        weight = np.atleast_1d(
            in_range(
                "Mixture.weight", self.weight, "1", above=0, below=np.inf, inclusive=True,
                remedy="clip rounding errors below 0 and normalise",
            )
        )  # fmt: skip
        sigma = in_range("Mixture.sigma", self.sigma, "1", above=0, inclusive=True)
        if x.ndim != 1 or not x.size or weight.shape != x.shape or sigma.shape not in ((), x.shape):
            raise ParameterError(
                f"Mixture: x {x.shape}, weight {weight.shape}, sigma {sigma.shape}",
                expected="one shape (k,) for all, k >= 1",
            )
        if abs(weight.sum() - 1) > WEIGHT_ERROR:
            raise ParameterError(
                f"Mixture.weight adds up to {weight.sum():.12g}",
                expected="1", remedy="divide the weights by their sum",
            )  # fmt: skip
        for name, value in (("x", x), ("weight", weight), ("sigma", np.full(x.shape, sigma))):
            value = value.copy()
            value.flags.writeable = False
            object.__setattr__(self, name, value)


def log_normal(mu: float, sigma: float) -> Mixture:
    """Make a log-normal state: one level, blurred.

    Parameters
    ----------
    mu : float
        Mean of ln(R/Ohm) [1].
    sigma : float
        Standard deviation of ln R, >= 0 [1].

    Returns
    -------
    Mixture
        The state.

    Raises
    ------
    ParameterError
        If a number is not finite or `sigma` negative.

    References
    ----------
    This project's record; measured states of HfO2 cells are near log-normal
    (data of doi:10.1109/TED.2021.3097975).

    Examples
    --------
    >>> log_normal(8.5, 0.1).sigma.tolist()
    [0.1]
    """
    in_range("mu", mu, "1", scalar=True)
    return Mixture(np.array([mu]), np.ones(1), np.array([sigma]))


def empirical(resistances: ArrayLike) -> Mixture:
    """Make the distribution of measured resistances: every sample is a sharp level.

    Valid for rates above about one over the number of samples: tails are not extrapolated.

    Parameters
    ----------
    resistances : array_like
        Samples, > 0, shape (n,) [Ohm].

    Returns
    -------
    Mixture
        The distribution; equal samples share a level.

    Raises
    ------
    ParameterError
        If a resistance is not positive and finite, or there is none.

    References
    ----------
    This project's record of an empirical distribution.

    Examples
    --------
    >>> empirical([5e3, 6e3, 5e3, 7e3]).weight.tolist()
    [0.5, 0.25, 0.25]
    """
    samples = in_range("resistances", resistances, "Ohm", above=0).ravel()
    if not samples.size:
        raise ParameterError("no resistances", expected="one sample at least")
    levels, counts = np.unique(samples, return_counts=True)
    return Mixture(np.log(levels), counts / samples.size, np.zeros(len(levels)))


def pool(mixtures: Sequence[Mixture], weight: ArrayLike | None = None) -> Mixture:
    """Mix populations: devices, operating points or temperatures that share an array.

    Parameters
    ----------
    mixtures : sequence of Mixture
        The populations.
    weight : array_like, optional
        Share of each, >= 0, adding up to one, shape (n,); default equal shares [1].

    Returns
    -------
    Mixture
        The distribution of a device drawn from any of them.

    Raises
    ------
    ParameterError
        If there is no population, or the shares do not add up to one.

    References
    ----------
    This project's record; the law of total probability.

    Examples
    --------
    >>> pool([log_normal(8.0, 0.1), log_normal(9.0, 0.2)]).weight.tolist()
    [0.5, 0.5]
    """
    if not mixtures:
        raise ParameterError("no population", expected="one at least")
    share = np.full(len(mixtures), 1 / len(mixtures)) if weight is None else np.asarray(weight)
    if share.shape != (len(mixtures),):
        raise ParameterError(f"weight of shape {share.shape}", expected=f"({len(mixtures)},)")
    return Mixture(
        np.concatenate([m.x for m in mixtures]),
        np.concatenate([m.weight * w for m, w in zip(mixtures, share, strict=True)]),
        np.concatenate([m.sigma for m in mixtures]),
    )


def blurred(mixture: Mixture, sigma: float) -> Mixture:
    """Blur a distribution further, by read noise or by the spread of a reference.

    Valid for noise that is independent of the state and normal in ln R.

    Parameters
    ----------
    mixture : Mixture
        The distribution.
    sigma : float
        Standard deviation of the noise in ln R, >= 0 [1].

    Returns
    -------
    Mixture
        The same levels, with sigma^2 added to their variances.

    Raises
    ------
    ParameterError
        If `sigma` is negative or not finite.

    References
    ----------
    This project's record; variances of independent normal variables add.

    Examples
    --------
    >>> blurred(log_normal(8.0, 0.3), 0.4).sigma.tolist()
    [0.5]
    """
    s = in_range("sigma", sigma, "1", above=0, inclusive=True, scalar=True)
    return Mixture(mixture.x, mixture.weight, np.hypot(mixture.sigma, s))


def merge(mixture: Mixture, n: int | None = None) -> Mixture:
    """Merge equal levels, or all levels into at most `n` groups of the same mean and variance.

    Merging equal levels is exact. Groups share out the range of x evenly: a tail probability at
    z standard deviations of the blur is right to about (z width/sigma)^3/6 in relative terms.

    Parameters
    ----------
    mixture : Mixture
        The distribution.
    n : int, optional
        Largest number of groups, >= 1; default: merge equal levels only [1].

    Returns
    -------
    Mixture
        Fewer levels, by rising x; levels of no weight are left out.

    Raises
    ------
    ParameterError
        If `n` is not a whole number >= 1.

    References
    ----------
    This project's record; mean and variance by the law of total variance.

    Examples
    --------
    >>> m = merge(Mixture([8.0, 9.0, 8.0], [0.25, 0.5, 0.25], 0.1))
    >>> m.x.tolist(), m.weight.tolist()
    ([8.0, 9.0], [0.5, 0.5])
    """
    some = mixture.weight > 0
    x, weight, sigma = mixture.x[some], mixture.weight[some], mixture.sigma[some]
    levels, group = np.unique(np.stack([x, sigma], axis=1), axis=0, return_inverse=True)
    weight = np.asarray(np.bincount(group.ravel(), weight), np.float64)
    x, sigma = levels.T
    if n is None or len(x) <= whole("n", n, least=1):
        return Mixture(x, weight, sigma)
    width = (x[-1] - x[0]) / n or 1.0
    _, group = np.unique(np.minimum((x - x[0]) // width, n - 1), return_inverse=True)
    total = np.asarray(np.bincount(group, weight), np.float64)
    mean = np.bincount(group, weight * x) / total
    variance = np.bincount(group, weight * (sigma**2 + (x - mean[group]) ** 2)) / total
    return Mixture(mean, total, np.sqrt(variance))


def moments(mixture: Mixture) -> tuple[float, float]:
    """Compute mean and standard deviation of ln R.

    Parameters
    ----------
    mixture : Mixture
        The distribution.

    Returns
    -------
    tuple of float
        Mean of ln(R/Ohm) and standard deviation of ln R [1].

    References
    ----------
    This project's record; the law of total variance.

    Examples
    --------
    >>> moments(Mixture([8.0, 9.0], [0.5, 0.5], 1.2))
    (8.5, 1.3)
    """
    mean = float(mixture.weight @ mixture.x)
    variance = mixture.weight @ (mixture.sigma**2 + (mixture.x - mean) ** 2)
    return mean, float(np.sqrt(variance))
