"""Intervals and deviances of counts, and independent streams of random numbers."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as scipy_stats
from scipy.special import betaincinv, xlogy

from devicephys.checks import Array, in_range
from devicephys.errors import ParameterError

LEVEL = 0.95  # confidence level of every interval that the package prints
NORMAL_QUANTILE = float(scipy_stats.norm.ppf(0.5 + LEVEL / 2))  # half width, in standard errors
CHI_SQUARE = float(scipy_stats.chi2.ppf(LEVEL, 1))  # rise of a deviance at the ends of an interval


def binomial_interval(k: ArrayLike, n: ArrayLike, level: float = LEVEL) -> tuple[Array, Array]:
    """Bound a probability from counts by the exact (Clopper-Pearson) interval.

    Valid for independent trials. `k` and `n` need not be integers: an effective number of trials
    may be handed over (see `clustered_interval`).

    Parameters
    ----------
    k : array_like
        Numbers of events, 0 <= k <= n, any shape [1].
    n : array_like
        Numbers of trials, > 0, shape of `k` or broadcast with it [1].
    level : float, optional
        Confidence level in (0, 1); at k = 0 or k = n the one finite end is one-sided and keeps
        the whole of 1 - level [1].

    Returns
    -------
    tuple of ndarray
        Lower and upper end, broadcast shape of `k` and `n` [1].

    Raises
    ------
    ParameterError
        If a count is negative, above `n`, or not finite.

    References
    ----------
    Clopper and Pearson, Biometrika 26 (1934) 404, doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> low, high = binomial_interval([0, 5], 100)
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.0, 0.0164], [0.0295, 0.1128])
    """
    n = in_range("n", n, "1", above=0)
    k = in_range("k", k, "1", above=0, below=np.inf, inclusive=True)
    in_range("level", level, "1", above=0, below=1)
    if np.any(k > n):
        raise ParameterError("k > n", expected="0 <= k <= n")
    k, n = np.broadcast_arrays(k, n)
    tail = np.where((k == 0) | (k == n), 1 - level, (1 - level) / 2)
    low = np.where(k > 0, betaincinv(np.where(k > 0, k, 1.0), n - k + 1, tail), 0.0)
    high = np.where(k < n, betaincinv(k + 1, np.where(k < n, n - k, 1.0), 1 - tail), 1.0)
    return low, high


def clustered_interval(
    p: float, variance: float, n: float, n_clusters: float, level: float = LEVEL
) -> tuple[float, float]:
    """Bound a proportion whose trials come in correlated clusters (Korn-Graubard interval).

    Trials of one device resemble each other, so `n` trials are worth only
    ``n_eff = p (1 - p) / variance`` (at most `n`), times ``(t_{n-1}/t_{n_clusters-1})^2`` because
    few clusters know their own variance badly. The Clopper-Pearson interval is taken at n_eff; a
    proportion of 0 or 1 carries no variance and is worth `n_clusters`.

    Parameters
    ----------
    p : float
        The proportion, in [0, 1] [1].
    variance : float
        Its variance with the clusters accounted for, >= 0 [1].
    n : float
        Number of trials, > 0 [1].
    n_clusters : float
        Number of independent clusters, in (1, n] [1].
    level : float, optional
        Confidence level [1].

    Returns
    -------
    tuple of float
        Lower and upper end [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    Korn and Graubard, Survey Methodology 24 (1998) 193.

    Examples
    --------
    >>> low, high = clustered_interval(0.05, 0.02**2, 500, 50)
    >>> round(low, 4), round(high, 4)
    (0.0179, 0.1077)
    """
    in_range("p", p, "1", above=0, below=1, inclusive=True)
    in_range("variance", variance, "1", above=0, inclusive=True)
    in_range("n_clusters", n_clusters, "1", above=1)
    in_range("n", n, "1", above=n_clusters, inclusive=True)
    if p * (1 - p) == 0:
        n_eff = float(n_clusters)
    else:
        worth = p * (1 - p) / variance if variance > 0 else n
        t = scipy_stats.t.ppf(0.5 + level / 2, [n - 1, n_clusters - 1])
        n_eff = float(min(worth, n) * (t[0] / t[1]) ** 2)
    low, high = binomial_interval(min(p * n_eff, n_eff), n_eff, level)
    return float(low), float(high)


def deviance_residuals(k: ArrayLike, n: ArrayLike, log_p: ArrayLike, log1m_p: ArrayLike) -> Array:
    """Compute signed binomial deviance residuals from log probabilities.

    Their squares add up to -2 ln(likelihood / saturated likelihood), so minimising them is the
    exact maximum likelihood, also for k = 0 and for p far below 1e-12.

    Parameters
    ----------
    k : array_like
        Numbers of events, any shape [1].
    n : array_like
        Numbers of trials, shape broadcast with `k` [1].
    log_p, log1m_p : array_like
        ln p and ln(1 - p) of the model, <= 0, shape broadcast with `k` [1].

    Returns
    -------
    ndarray
        Residuals ``sign(k - n p) sqrt(2 (k ln(k/(n p)) + (n-k) ln((n-k)/(n(1-p)))))``,
        broadcast shape [1].

    References
    ----------
    McCullagh and Nelder, Generalized Linear Models (1989),
    doi:10.1007/978-1-4899-3242-6.

    Examples
    --------
    >>> import math
    >>> p = 0.01
    >>> deviance_residuals(0, 100, math.log(p), math.log1p(-p)).round(6)
    np.float64(-1.417768)
    """
    k, n = np.asarray(k, np.float64), np.asarray(n, np.float64)
    log_p, log1m_p = np.asarray(log_p, np.float64), np.asarray(log1m_p, np.float64)
    events = xlogy(k, k / n) - np.where(k > 0, k * log_p, 0.0)
    others = xlogy(n - k, (n - k) / n) - np.where(n > k, (n - k) * log1m_p, 0.0)
    sign = np.sign(k - n * np.exp(log_p))
    residuals: Array = sign * np.sqrt(2 * np.maximum(events + others, 0.0))
    return residuals


def streams(seed: int, n: int) -> list[np.random.Generator]:
    """Make `n` independent random generators from one seed.

    Stream k depends on `seed` and k alone, so work may be shared out in any way.

    Parameters
    ----------
    seed : int
        The seed, >= 0 [1].
    n : int
        Number of streams [1].

    Returns
    -------
    list of numpy.random.Generator
        The generators.

    Examples
    --------
    >>> streams(1, 2)[0].integers(10) == streams(1, 5)[0].integers(10)
    np.True_
    """
    in_range("seed", seed, "1", above=-1)
    return [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(n)]
