"""Read errors of cells whose states are log-normal, in closed form.

With x = ln R the states are normal, LRS (bit 1) with mean mu_l and standard deviation s_l, HRS
(bit 0) with mu_h and s_h. A 1T1R cell reads 1 where x <= threshold, a 2T2R cell compares two
devices. All functions broadcast, and are accurate to the last digits deep in the tail.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr

from devicephys.checks import Array, in_range, together
from devicephys.errors import ParameterError


def one_transistor_error(
    mu_l: ArrayLike,
    s_l: ArrayLike,
    mu_h: ArrayLike,
    s_h: ArrayLike,
    threshold: ArrayLike,
    s_ref: ArrayLike = 0.0,
) -> tuple[Array, Array]:
    """Compute the read errors of a 1T1R cell with log-normal states.

    Valid for any threshold, also one that was right for other states: put in the states of today
    and the threshold that was fixed when they were programmed, or one that is off.

    Parameters
    ----------
    mu_l, mu_h : array_like
        Means of ln(R/Ohm) of LRS and HRS, mu_l <= mu_h, any shape [1].
    s_l, s_h : array_like
        Standard deviations of ln R, >= 0, shape broadcast with `mu_l` [1].
    threshold : array_like
        Threshold in ln(R/Ohm), shape broadcast with `mu_l` [1].
    s_ref : array_like, optional
        Standard deviation of the threshold in ln R (references, sense amplifiers), >= 0, shape
        broadcast with `mu_l` [1].

    Returns
    -------
    tuple of ndarray
        p01 and p10, broadcast shape [1].

    Raises
    ------
    ParameterError
        If a number is not finite, a standard deviation negative, or mu_h < mu_l.

    Notes
    -----
    p01 = Phi((threshold - mu_h)/sqrt(s_h^2 + s_ref^2)) and p10 the same with LRS and signs
    swapped. A spread of 0 is a step; a resistance at the threshold reads as LRS.

    References
    ----------
    This project's closed form of the counts of Bocquet et al., IEDM 2018, arXiv 1902.02528.

    Examples
    --------
    >>> p01, p10 = one_transistor_error(8.5, 0.1, 10.0, 0.5, [8.8, 9.0], s_ref=0.05)
    >>> p01.round(5).tolist(), p10.round(5).tolist()
    ([0.00847, 0.02329], [0.00365, 0.0])
    """
    mu_l, s_l, mu_h, s_h, s_ref, threshold = _states(
        mu_l, s_l, mu_h, s_h, s_ref=s_ref, threshold=threshold
    )
    p01 = np.exp(_log_chance(threshold - mu_h, np.hypot(s_h, s_ref), at_zero=0.0))
    p10 = np.exp(_log_chance(mu_l - threshold, np.hypot(s_l, s_ref), at_zero=-np.inf))
    return p01, p10


def best_log_threshold(
    mu_l: ArrayLike, s_l: ArrayLike, mu_h: ArrayLike, s_h: ArrayLike, s_ref: ArrayLike = 0.0
) -> Array:
    """Compute the threshold of least error between two log-normal states.

    Valid where 0 and 1 are equally frequent.

    Parameters
    ----------
    mu_l, mu_h : array_like
        Means of ln(R/Ohm) of LRS and HRS, mu_l <= mu_h, any shape [1].
    s_l, s_h : array_like
        Standard deviations of ln R, >= 0, shape broadcast with `mu_l` [1].
    s_ref : array_like, optional
        Standard deviation of the threshold in ln R, >= 0, shape broadcast with `mu_l` [1].

    Returns
    -------
    ndarray
        Threshold in ln(R/Ohm), broadcast shape [1].

    Raises
    ------
    ParameterError
        If a number is not finite, a standard deviation negative, or mu_h < mu_l.

    Notes
    -----
    The densities cross where, with u = threshold - mu_l and d = mu_h - mu_l,

        (s_h^2 - s_l^2) u^2 + 2 d s_l^2 u - s_l^2 (d^2 + 2 s_h^2 ln(s_h/s_l)) = 0.

    The error is least at the root at which the LRS density falls below the HRS density,
    ``(s_h^2 - s_l^2) u + d s_l^2 > 0``; at the other root it is greatest. Written as

        u = s_l (d^2 + 2 s_h^2 ln(s_h/s_l))
            / (d s_l + s_h sqrt(d^2 + 2 (s_h^2 - s_l^2) ln(s_h/s_l)))

    nothing cancels, and equal spreads give d/2. The root may lie outside [mu_l, mu_h] where the
    states overlap. `s_ref` adds to both variances.

    References
    ----------
    Bayes rule at equal priors: Hastie, Tibshirani and Friedman, The Elements of Statistical
    Learning (2009), doi:10.1007/978-0-387-84858-7, section 4.3; the form is this project's.

    Examples
    --------
    >>> best_log_threshold(8.5, [0.1, 0.5], 10.0, 0.5).round(4).tolist()
    [8.7997, 9.25]
    """
    mu_l, s_l, mu_h, s_h, s_ref = _states(mu_l, s_l, mu_h, s_h, s_ref=s_ref)
    s_l, s_h, d = np.hypot(s_l, s_ref), np.hypot(s_h, s_ref), mu_h - mu_l
    scale = np.maximum(np.maximum(s_l, s_h), d)
    scale = np.where(scale > 0, scale, 1.0)
    s_l, s_h, d = s_l / scale, s_h / scale, d / scale
    least = np.finfo(float).tiny  # a step: its limit
    log_ratio = np.log(np.maximum(s_h, least)) - np.log(np.maximum(s_l, least))
    root = np.sqrt(d**2 + 2 * (s_h - s_l) * (s_h + s_l) * log_ratio)
    below = d * s_l + s_h * root
    # for s_h = 0 the term s_h^2 ln(s_h) vanishes, and the product with s_l makes s_l = 0 safe
    above = s_l * (d**2 + 2 * s_h**2 * log_ratio)
    u = np.where(below > 0, above / np.where(below > 0, below, 1.0), d / 2)
    return np.asarray(mu_l + u * scale)


def two_transistor_error(
    mu_l: ArrayLike, s_l: ArrayLike, mu_h: ArrayLike, s_h: ArrayLike, s_sa: ArrayLike = 0.0
) -> Array:
    """Compute the bit error rate of a 2T2R cell with log-normal states.

    Valid for independent devices; p01 = p10 = ber.

    Parameters
    ----------
    mu_l, mu_h : array_like
        Means of ln(R/Ohm) of LRS and HRS, mu_l <= mu_h, any shape [1].
    s_l, s_h : array_like
        Standard deviations of ln R, >= 0, shape broadcast with `mu_l` [1].
    s_sa : array_like, optional
        Standard deviation of the sense amplifier's offset in ln R, >= 0, shape broadcast with
        `mu_l` [1].

    Returns
    -------
    ndarray
        ``Phi(-(mu_h - mu_l)/sqrt(s_h^2 + s_l^2 + s_sa^2))``, broadcast shape [1].

    Raises
    ------
    ParameterError
        If a number is not finite, a standard deviation negative, or mu_h < mu_l.

    References
    ----------
    This project's closed form of the pair of Bocquet et al., IEDM 2018, arXiv 1902.02528.

    Examples
    --------
    >>> float(two_transistor_error(8.5, 0.1, 10.0, 0.5).round(6))
    0.001632
    """
    return np.asarray(np.exp(_log_pair(*_states(mu_l, s_l, mu_h, s_h, s_sa=s_sa))))


def pair_gain(
    mu_l: ArrayLike,
    s_l: ArrayLike,
    mu_h: ArrayLike,
    s_h: ArrayLike,
    s_ref: ArrayLike = 0.0,
    s_sa: ArrayLike = 0.0,
) -> Array:
    """Say how many times fewer errors a 2T2R pair makes than a 1T1R cell with its best threshold.

    Below 1 the pair is the worse cell: where the LRS is much narrower than the HRS, a threshold
    just above it misses nothing, and comparing costs up to a factor of two.

    Parameters
    ----------
    mu_l, mu_h : array_like
        Means of ln(R/Ohm) of LRS and HRS, mu_l <= mu_h, any shape [1].
    s_l, s_h : array_like
        Standard deviations of ln R, >= 0, shape broadcast with `mu_l` [1].
    s_ref, s_sa : array_like, optional
        Standard deviations in ln R of the threshold and of the sense amplifier's offset, >= 0,
        shape broadcast with `mu_l` [1].

    Returns
    -------
    ndarray
        Ratio of the bit error rates, inf where the pair makes none, broadcast shape [1].

    Raises
    ------
    ParameterError
        If a number is not finite, a standard deviation negative, or mu_h < mu_l.

    Notes
    -----
    For s_l -> 0 the gain is 1/2 at any distance. For s_l > 0 it exceeds 1 beyond some distance,
    since (s_l + s_h)^2 > s_l^2 + s_h^2. The ratio is that of logarithms: no rate underflows.

    References
    ----------
    This project's comparison; 2T2R: Bocquet et al., IEDM 2018, arXiv 1902.02528.

    Examples
    --------
    >>> pair_gain(8.5, [0.02, 0.5], 10.0, 0.5).round(2).tolist()
    [0.83, 3.94]
    """
    mu_l, s_l, mu_h, s_h, s_ref, s_sa = _states(mu_l, s_l, mu_h, s_h, s_ref=s_ref, s_sa=s_sa)
    threshold = best_log_threshold(mu_l, s_l, mu_h, s_h, s_ref)
    log_p01 = _log_chance(threshold - mu_h, np.hypot(s_h, s_ref), at_zero=0.0)
    log_p10 = _log_chance(mu_l - threshold, np.hypot(s_l, s_ref), at_zero=-np.inf)
    one = np.logaddexp(log_p01, log_p10) - np.log(2)
    two = _log_pair(mu_l, s_l, mu_h, s_h, s_sa)
    none = np.isneginf(two)
    with np.errstate(over="ignore"):
        gain = np.exp(one - np.where(none, 0.0, two))
    return np.where(none, np.where(np.isneginf(one), 1.0, np.inf), gain)


def _log_pair(mu_l: Array, s_l: Array, mu_h: Array, s_h: Array, s_sa: Array) -> Array:
    spread = np.hypot(np.hypot(s_l, s_h), s_sa)
    return _log_chance(mu_l - mu_h, spread, at_zero=-np.log(2))  # a tie counts one half


def _log_chance(distance: Array, spread: Array, at_zero: float) -> Array:
    """Give ln Phi(distance/spread); a spread of 0 is a step with the value `at_zero` at 0."""
    step = np.where(distance > 0, 0.0, np.where(distance < 0, -np.inf, at_zero))
    wide = spread > 0
    return np.where(wide, log_ndtr(distance / np.where(wide, spread, 1.0)), step)


def _states(
    mu_l: ArrayLike, s_l: ArrayLike, mu_h: ArrayLike, s_h: ArrayLike, **others: ArrayLike
) -> list[Array]:
    """Broadcast and check two states and further numbers: mu_l, s_l, mu_h, s_h, others."""
    names = ("mu_l", "s_l", "mu_h", "s_h", *others)
    values = together(**dict(zip(names, (mu_l, s_l, mu_h, s_h, *others.values()), strict=True)))
    for name, value in zip(names, values, strict=True):
        if name.startswith("s_"):
            in_range(name, value, "1", above=0, inclusive=True)
    swapped = values[2] < values[0]
    if swapped.any():
        raise ParameterError(
            f"mu_h = {values[2][swapped].flat[0]:g} below mu_l = {values[0][swapped].flat[0]:g}",
            expected="mu_l <= mu_h: HRS has the higher resistance",
            remedy="swap the states",
        )
    return values
