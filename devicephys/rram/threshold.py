"""Read errors of 1T1R and 2T2R cells whose states have any distribution, and whose threshold.

A threshold may be *ideal* (the best for each population by itself), *array-wide* (one for all
populations of an array, of least mean error) or *drifting* (fixed for the first population, when
the array was programmed, and kept while the states move). Once chosen a threshold is a number:
evaluate `threshold_error` with any states, or with the number plus an offset.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from devicephys.checks import Array, in_range, known
from devicephys.errors import ParameterError
from devicephys.rram.mixture import Mixture, blurred, merge, pool
from devicephys.rram.tails import BLOCK, cdf, sf
from devicephys.rram.threshold_search import best_threshold

Policy = Literal["ideal", "array-wide", "drifting"]


def threshold_error(
    lrs: Mixture, hrs: Mixture, threshold: ArrayLike, s_ref: float = 0.0
) -> tuple[Array, Array]:
    """Compute the read errors of a 1T1R cell at a threshold.

    Valid for any threshold, also one chosen for other states, or off by some amount.

    Parameters
    ----------
    lrs, hrs : Mixture
        The states as they are read.
    threshold : array_like
        Threshold in ln(R/Ohm), any shape [1].
    s_ref : float, optional
        Standard deviation of the threshold in ln R (references, sense amplifiers), >= 0 [1].

    Returns
    -------
    tuple of ndarray
        p01 and p10, shape of `threshold` [1].

    Raises
    ------
    ParameterError
        If a number is not finite, or `s_ref` negative.

    Notes
    -----
    p01 = P(x_H <= threshold), p10 = P(x_L > threshold): a resistance at the threshold reads as
    LRS.

    References
    ----------
    This project's form of the counts of Bocquet et al., IEDM 2018, arXiv 1902.02528.

    Examples
    --------
    >>> from devicephys.rram.mixture import log_normal
    >>> lrs, hrs = log_normal(8.5, 0.1), log_normal(10.0, 0.5)
    >>> fixed = best_threshold(lrs, hrs)
    >>> p01, p10 = threshold_error(lrs, log_normal(9.7, 0.5), fixed)  # after the HRS has drifted
    >>> round(float(p01), 4), round(float(p10), 4)
    (0.0359, 0.0014)
    """
    return cdf(blurred(hrs, s_ref), threshold), sf(blurred(lrs, s_ref), threshold)


def pair_error(lrs: Mixture, hrs: Mixture, s_sa: float = 0.0) -> float:
    """Compute the bit error rate of a 2T2R cell by exact convolution of its two states.

    Valid for independent devices; p01 = p10 = ber, and a tie counts one half.

    Parameters
    ----------
    lrs, hrs : Mixture
        The states.
    s_sa : float, optional
        Standard deviation of the sense amplifier's offset in ln R, >= 0 [1].

    Returns
    -------
    float
        P(x_H + offset < x_L) [1].

    Raises
    ------
    ParameterError
        If `s_sa` is negative or not finite.

    Notes
    -----
    ``sum_ij w_i w_j Phi(-(x_j - x_i)/sqrt(sigma_i^2 + sigma_j^2 + s_sa^2))`` over levels i of the
    LRS and j of the HRS; by sorting, without the double sum, where all of it is sharp.

    References
    ----------
    This project's form of the pair of Bocquet et al., IEDM 2018, arXiv 1902.02528.

    Examples
    --------
    >>> from devicephys.rram.mixture import log_normal
    >>> round(pair_error(log_normal(8.5, 0.1), log_normal(10.0, 0.5)), 6)
    0.001632
    """
    s = float(in_range("s_sa", s_sa, "1", above=0, inclusive=True, scalar=True))
    low, high = merge(lrs), merge(hrs)
    if s == 0 and not low.sigma.any() and not high.sigma.any():
        above, reached = sf(low, high.x), _at_least(low, high.x)
        return float(high.weight @ (above + reached) / 2)
    total, step = 0.0, max(1, BLOCK // len(low.x))
    for k in range(0, len(high.x), step):
        part = slice(k, k + step)
        distance = high.x[part, None] - low.x
        spread = np.hypot(np.hypot(high.sigma[part, None], low.sigma), s)
        wide = spread > 0
        z = distance / np.where(wide, spread, 1.0)
        chance = np.where(wide, ndtr(-z), (1 - np.sign(distance)) / 2)
        total += float(high.weight[part] @ chance @ low.weight)
    return total


def array_threshold(lrs: Sequence[Mixture], hrs: Sequence[Mixture], s_ref: float = 0.0) -> float:
    """Find the one threshold that makes the mean error over several populations least.

    Valid for populations of equal size; weigh others with `mixture.pool` and `best_threshold`.

    Parameters
    ----------
    lrs, hrs : sequence of Mixture
        The states of each population: devices, operating points, temperatures.
    s_ref : float, optional
        Standard deviation of the threshold in ln R, >= 0 [1].

    Returns
    -------
    float
        Threshold in ln(R/Ohm) [1].

    Raises
    ------
    ParameterError
        If there is no population, or the states are swapped.

    Notes
    -----
    The mean error at one threshold is the error of the pooled distributions.

    References
    ----------
    This project's policy; the law of total probability.

    Examples
    --------
    >>> from devicephys.rram.mixture import log_normal
    >>> lrs, hrs = [log_normal(8.5, 0.1)] * 2, [log_normal(10.0, 0.5), log_normal(9.5, 0.3)]
    >>> round(array_threshold(lrs, hrs), 3)
    8.789
    """
    return best_threshold(pool(lrs), pool(hrs), s_ref)


def _ideal(lrs: Sequence[Mixture], hrs: Sequence[Mixture], s_ref: float) -> Array:
    return np.array([best_threshold(low, high, s_ref) for low, high in zip(lrs, hrs, strict=True)])


def _array_wide(lrs: Sequence[Mixture], hrs: Sequence[Mixture], s_ref: float) -> Array:
    return np.full(len(lrs), array_threshold(lrs, hrs, s_ref))


def _drifting(lrs: Sequence[Mixture], hrs: Sequence[Mixture], s_ref: float) -> Array:
    return np.full(len(lrs), best_threshold(lrs[0], hrs[0], s_ref))


POLICIES: Mapping[Policy, Callable[[Sequence[Mixture], Sequence[Mixture], float], Array]] = (
    MappingProxyType({"ideal": _ideal, "array-wide": _array_wide, "drifting": _drifting})
)


def thresholds(
    policy: Policy, lrs: Sequence[Mixture], hrs: Sequence[Mixture], s_ref: float = 0.0
) -> Array:
    """Choose a threshold for each of several populations by a policy.

    Parameters
    ----------
    policy : str
        A name in `POLICIES`: "ideal", the best for each; "array-wide", one of least mean error
        for all; "drifting", the best for the first population, kept for the later ones.
    lrs, hrs : sequence of Mixture
        The states of n populations; for "drifting" in the order of time.
    s_ref : float, optional
        Standard deviation of the threshold in ln R, >= 0 [1].

    Returns
    -------
    ndarray
        Thresholds in ln(R/Ohm), shape (n,) [1].

    Raises
    ------
    ParameterError
        If the policy is unknown, there is no population, or not as many of either state.

    References
    ----------
    This project's policies.

    Examples
    --------
    >>> from devicephys.rram.mixture import log_normal
    >>> lrs, hrs = [log_normal(8.5, 0.1)] * 2, [log_normal(10.0, 0.5), log_normal(9.5, 0.3)]
    >>> thresholds("ideal", lrs, hrs).round(2).tolist()
    [8.8, 8.78]
    >>> thresholds("drifting", lrs, hrs).round(2).tolist()
    [8.8, 8.8]
    """
    known("policy", policy, POLICIES)
    if len(lrs) != len(hrs) or not lrs:
        raise ParameterError(
            f"{len(lrs)} LRS and {len(hrs)} HRS populations", expected="as many, one at least"
        )
    return POLICIES[policy](lrs, hrs, s_ref)


def _at_least(mixture: Mixture, x: Array) -> Array:
    """Give P(level >= x) of sharp levels in rising order."""
    above = np.r_[np.cumsum(mixture.weight[::-1])[::-1], 0.0]
    return np.asarray(above[np.searchsorted(mixture.x, x, "left")])
