"""Search for normal levels of ln R by expectation and maximisation, many data sets at once.

A set is values (kind 0) and bounds: the sample lies above x (+1) or below x (-1).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr

from devicephys.checks import Array

Group = tuple[int, Array, Array]  # kind, points of ln R, counts of shape (sets, points)
CUTS: dict[int, tuple[tuple[float, ...], ...]] = {
    1: ((),), 2: ((0.5,), (0.9,), (0.1,)), 3: ((1 / 3, 2 / 3), (0.1, 0.9), (0.5, 0.9), (0.1, 0.5)),
}  # fmt: skip  # shares at which starts divide the sorted samples


def binned(xs: Sequence[Array], kinds: Sequence[NDArray[np.int8]], grid: Array) -> list[Group]:
    """Count several sets of samples on one even grid of ln R, for searches of many sets at once.

    Parameters
    ----------
    xs : sequence of ndarray
        Values or limits of each set, shape (n,) each [1].
    kinds : sequence of ndarray of int
        0, +1 or -1 for each sample, shape (n,) each [1].
    grid : ndarray
        Centres of the bins, evenly spaced; what is beyond goes into the last ones, shape (g,) [1].

    Returns
    -------
    list of tuple
        Kind, grid, counts of shape (sets, g) [1].

    Examples
    --------
    >>> binned([np.array([8.1, 8.9])], [np.zeros(2, np.int8)], np.array([8.0, 9.0]))[0][2].tolist()
    [[1.0, 1.0]]
    """
    step = grid[1] - grid[0]
    places = [np.clip(np.rint((x - grid[0]) / step), 0, len(grid) - 1).astype(int) for x in xs]
    groups = []
    for kind in (0, 1, -1):
        rows = [
            np.bincount(place[k == kind], minlength=len(grid)).astype(np.float64)
            for place, k in zip(places, kinds, strict=True)
        ]
        counts = np.array(rows)
        used = counts.any(axis=0)
        if used.any():
            groups.append((kind, grid[used], counts[:, used]))
    return groups


def starts(groups: Sequence[Group], k: int) -> tuple[Array, Array, Array]:
    """Give means, standard deviations and shares that searches for k levels start from.

    Parameters
    ----------
    groups : sequence of tuple
        Counts, as `binned` gives.
    k : int
        Number of levels [1].

    Returns
    -------
    tuple of ndarray
        mu, sigma, weight, shape (sets, starts, k) each [1].

    Examples
    --------
    >>> groups = [(0, np.array([8.0, 9.0]), np.array([[5.0, 5.0]]))]
    >>> starts(groups, 2)[0][0, 0].tolist()
    [8.0, 9.0]
    """
    x = np.concatenate([g[1] for g in groups])
    counts = np.concatenate([g[2] for g in groups], axis=1)
    order = np.argsort(x, kind="stable")
    x, counts = x[order], counts[:, order]
    total = counts.sum(axis=1)
    rank = np.cumsum(counts, axis=1) / total[:, None]
    mean = counts @ x / total
    spread = np.sqrt(np.maximum(counts @ x**2 / total - mean**2, 1e-12))
    found = []
    for cuts in CUTS[k]:
        edges = np.array([0.0, *cuts, 1.0])
        overlap = np.minimum(rank[:, None], edges[1:, None]) - np.maximum(
            (rank - counts / total[:, None])[:, None], edges[:-1, None]
        )
        part = np.maximum(overlap, 0.0)
        share = part.sum(axis=2)
        mu = part @ x / share
        s = np.sqrt(np.maximum(part @ x**2 / share - mu**2, 0.0)) + 0.1 * spread[:, None]
        found.append((mu, s, share))
    if k > 1:  # one centre, levels of rising width: heavy tails
        widths = np.geomspace(0.5, 2.0, k)
        same = np.repeat(mean[:, None], k, axis=1)
        found.append((same, spread[:, None] * widths, np.full_like(same, 1 / k)))
    mu, s, share = (np.stack(parts, axis=1) for parts in zip(*found, strict=True))
    return mu, s, share


def em(
    groups: Sequence[Group], mu: Array, sigma: Array, weight: Array, spread: ArrayLike, steps: int
) -> tuple[Array, Array, Array, Array]:
    """Climb the likelihood of normal levels by expectation and maximisation, many sets at once.

    Parameters
    ----------
    groups : sequence of tuple
        Kind, points of ln R, counts of shape (sets, points) [1].
    mu, sigma, weight : ndarray
        Where to start, shape (sets, starts, k) each [1].
    spread : array_like
        Standard deviation of all samples, for the penalty of narrow levels, shape (sets,) or one
        number [1].
    steps : int
        Number of steps [1].

    Returns
    -------
    tuple of ndarray
        mu, sigma, weight, shape (sets, starts, k) each, and the log likelihood before the last
        step, shape (sets, starts) [1].

    Examples
    --------
    >>> groups = [(0, np.array([8.0, 9.0]), np.array([[5.0, 5.0]]))]
    >>> one = np.ones((1, 1, 1))
    >>> em(groups, 8 * one, one, one, 1.0, 2)[0].tolist()
    [[[8.5]]]
    """
    total = sum(counts.sum(axis=1) for _, _, counts in groups)[:, None, None]
    pull = 0.0 if mu.shape[-1] == 1 else 2 / np.sqrt(total)
    wide = pull * np.asarray(spread, np.float64).reshape(-1, 1, 1) ** 2
    log_likelihood = np.zeros(mu.shape[:2])
    for _ in range(steps):
        n, first, second = np.full(mu.shape, 1e-12), np.zeros(mu.shape), np.zeros(mu.shape)
        log_likelihood = np.zeros(mu.shape[:2])
        for kind, x, counts in groups:
            log_p, lean, z = log_levels(kind, x, mu, sigma, weight)
            top, share = shared(log_p, axis=2)
            log_likelihood += (counts[:, None] * top).sum(axis=2)
            share *= counts[:, None, None]
            n += share.sum(axis=3)
            first += (share * lean).sum(axis=3)
            second += (share * (z * lean + (kind != 0))).sum(axis=3)
        shift = first / n
        variance = sigma**2 * (second / n - shift**2)
        mu = mu + sigma * shift
        sigma = np.sqrt(np.maximum((n * variance + wide) / (n + pull), 1e-16))
        weight = n / n.sum(axis=2, keepdims=True)
    return mu, sigma, weight, log_likelihood


def log_levels(kind: int, x: Array, mu: Array, s: Array, w: Array) -> tuple[Array, Array, Array]:
    """Compute the log density of levels at values, or the log probability beyond bounds.

    Parameters
    ----------
    kind : int
        0 for values, +1 for "above x", -1 for "below x" [1].
    x : ndarray
        ln R, shape (n,) [1].
    mu, s, w : ndarray
        Means, standard deviations and shares of levels, shape (..., k) each [1].

    Returns
    -------
    tuple of ndarray
        ln of share times density or probability; `lean`, with which ``mu + s lean`` is the mean of
        ln R given value or bound; (x - mu)/s; shape (..., k, n) each [1].

    Examples
    --------
    >>> one = np.ones(1)
    >>> np.exp(log_levels(1, np.array([9.0]), 9 * one, one, one)[0]).tolist()
    [[0.5]]
    """
    z = (x - mu[..., None]) / s[..., None]
    log_normal = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    with np.errstate(divide="ignore"):
        log_w = np.log(w)[..., None]
    if kind == 0:
        return log_w + log_normal - np.log(s)[..., None], z, z
    beyond = log_ndtr(-kind * z)
    return log_w + beyond, kind * np.exp(log_normal - beyond), z


def shared(log_p: Array, axis: int) -> tuple[Array, Array]:
    """Add up levels given by logarithms, and give the share of each.

    Parameters
    ----------
    log_p : ndarray
        Logarithms, any shape [1].
    axis : int
        Axis of the levels [1].

    Returns
    -------
    tuple of ndarray
        ln of the sum, shape without the axis, and the shares, shape of `log_p` [1].

    Examples
    --------
    >>> total, share = shared(np.log([1.0, 3.0]), axis=0)
    >>> float(np.exp(total).round(12)), share.round(12).tolist()
    (4.0, [0.25, 0.75])
    """
    top = log_p.max(axis=axis, keepdims=True)
    share = np.exp(log_p - top)
    total = share.sum(axis=axis, keepdims=True)
    share /= total
    return np.squeeze(top + np.log(total), axis=axis), share
