"""The threshold of least error between two distributions, found with a bound: no local minima."""

import numpy as np

from devicephys.checks import Array
from devicephys.errors import ParameterError
from devicephys.rram.mixture import Mixture, blurred, merge, moments
from devicephys.rram.tails import cdf, sf

GRID, REACH = 65, 9.0  # first points of a search; how many sigmas they reach beyond the levels
SLACK = 1e-3  # relative: no other minimum is deeper by more
ZOOMS, ZOOM = 6, 33  # the bracket of the minimum is then narrowed 16 times a zoom


def best_threshold(lrs: Mixture, hrs: Mixture, s_ref: float = 0.0) -> float:
    """Find the threshold of least error between two distributions, the least of all minima.

    Valid where 0 and 1 are equally frequent. Sharp levels leave a whole interval of equal error;
    its middle is given.

    Parameters
    ----------
    lrs, hrs : Mixture
        The states.
    s_ref : float, optional
        Standard deviation of the threshold in ln R, >= 0 [1].

    Returns
    -------
    float
        Threshold in ln(R/Ohm) [1].

    Raises
    ------
    ParameterError
        If the states are swapped, or `s_ref` is negative.

    Notes
    -----
    p01 rises and p10 falls with the threshold, so (p01(a) + p10(b))/2 bounds the error between a
    and b from below. Intervals are split until none can hold an error 0.1 % below the least one
    found; its bracket is then narrowed. No minimum is missed, however many there are.

    References
    ----------
    Bayes rule at equal priors, as in Bocquet et al., IEDM 2018, arXiv 1902.02528; the search is
    this project's.

    Examples
    --------
    >>> from devicephys.rram.mixture import log_normal
    >>> round(best_threshold(log_normal(8.5, 0.1), log_normal(10.0, 0.5)), 4)
    8.7997
    """
    _not_swapped(lrs, hrs)
    low, high = merge(blurred(lrs, s_ref)), merge(blurred(hrs, s_ref))
    points, error = _bounded_search(low, high, _first_points(low, high))
    at = _middle(error)
    best, least = points[at], error[at]
    for _ in range(ZOOMS if low.sigma.any() or high.sigma.any() else 0):
        left, right = points[max(at - 1, 0)], points[min(at + 1, len(points) - 1)]
        points = np.linspace(left, right, ZOOM)
        error = (cdf(high, points) + sf(low, points)) / 2
        at = _middle(error)
        if error[at] < least:
            best, least = points[at], error[at]
    return float(best)


def _first_points(low: Mixture, high: Mixture) -> Array:
    """Give an even grid over both states, with every sharp level, the point below it, and between.

    No interval between two points then holds a step of the error in its inside.
    """
    ends = [m.x + sign * (REACH * m.sigma + 1e-3) for m in (low, high) for sign in (-1, 1)]
    grid = np.linspace(min(x.min() for x in ends), max(x.max() for x in ends), GRID)
    sharp = np.unique(np.concatenate([m.x[m.sigma == 0] for m in (low, high)]))
    between = (sharp[1:] + sharp[:-1]) / 2
    if len(sharp) == len(low.x) + len(high.x):
        grid = grid[[0, -1]]  # all is sharp: the levels are enough
    return np.unique(np.concatenate([grid, sharp, np.nextafter(sharp, -np.inf), between]))


def _bounded_search(low: Mixture, high: Mixture, points: Array) -> tuple[Array, Array]:
    """Split intervals until none can hold an error clearly below the least one found.

    p01 rises and p10 falls with the threshold, so (p01(a) + p10(b))/2 bounds the error in [a, b].
    """
    p01, p10 = cdf(high, points), sf(low, points)
    while True:
        least = (p01 + p10).min()
        width = np.diff(points)
        hopeful = p01[:-1] + p10[1:] < least * (1 - SLACK)
        hopeful &= width > 8 * np.spacing(np.abs(points[1:]))  # floats have an end
        if not hopeful.any():
            return points, (p01 + p10) / 2
        inner = (points[:-1][hopeful, None] + width[hopeful, None] * [0.25, 0.5, 0.75]).ravel()
        at = np.searchsorted(points, inner)
        points = np.insert(points, at, inner)
        p01, p10 = np.insert(p01, at, cdf(high, inner)), np.insert(p10, at, sf(low, inner))


def _middle(error: Array) -> int:
    """Give the index of the least error, in the middle of a run of equal ones."""
    first = int(error.argmin())
    run = int(np.argmin(np.r_[error[first:] == error[first], False]))
    return first + (run - 1) // 2


def _not_swapped(lrs: Mixture, hrs: Mixture) -> None:
    (mean_l, std_l), (mean_h, std_h) = moments(lrs), moments(hrs)
    if mean_h + std_h < mean_l - std_l:
        raise ParameterError(
            f"mean ln R of HRS {mean_h:g} far below that of LRS {mean_l:g}",
            expected="HRS of the higher resistance", remedy="swap the states",
        )  # fmt: skip
