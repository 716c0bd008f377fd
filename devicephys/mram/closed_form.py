"""Closed forms of the write error rate: for starting values and plots, not for results.

Two regimes, with x = i - h the current less the field:

x > 1, precessional   WER = 1 - exp(-C Delta (i-1)/(i e^{2(i-1)tau} - 1)),
                      C = 2 * 2^((i-1)/(i+1)) ((i-1)/i)^(2/(i+1))
x < 1, thermal        WER = exp(-k tau),
                      k = sqrt(Delta/pi) (1-x^2)(1-x) e^{-Delta (1-x)^2}

The first joins linear growth near the pole, from the Boltzmann law and with thermal noise, to the
deterministic flow beyond (which gives C). For Delta = 40 to 60 and 1.5 <= (i-1) tau <= 12 its WER
is 0.97 to 1.28 of the exact one at i = 2 (to 1.19 at Delta = 60), 0.99 to 1.01 at i = 3, 0.97 to
1.01 at i = 5, and worse towards i = 1 (at Delta = 60 to 2.5 at i = 1.5). `tail_rate` corrects what
grows with tau; `log_wer_butler` has the common constant pi^2/4. The second form is Kramers' rate:
1.05 to 1.23 of the exact rate for 0.3 <= x <= 0.7, Delta = 40 to 60.

Derived in `devicephys.symbolic`; the errors are those of `devicephys validate closed_forms`.
"""

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import Array, in_range

LOG_FLOOR = -650.0  # e^-650 is still a normal float
BUTLER = np.pi**2 / 4  # C where theta grows linearly as far as the equator


def switching_rate(i: ArrayLike, delta: ArrayLike, h: ArrayLike = 0.0) -> Array:
    """Compute the thermal switching rate below the critical current (Kramers, axisymmetric).

    Valid for -1 < x < 1, x = i - h, and a barrier Delta (1 - x)^2 above about 5.

    Parameters
    ----------
    i : array_like
        Current over critical current, any shape [1].
    delta : array_like
        Thermal stability factor, > 0, shape broadcast with `i` [1].
    h : array_like, optional
        Axial field over H_k, positive stabilises, shape broadcast with `i` [1].

    Returns
    -------
    ndarray
        k t_D, the rate times the damping time, broadcast shape [1].

    Raises
    ------
    ParameterError
        If i - h is not between -1 and 1.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677; the exponent 2 under a
    current: Taniguchi and Imamura, arXiv 1010.5845.

    Examples
    --------
    >>> switching_rate([0.3, 0.5], 40.0).round(12).tolist()
    [6.989e-09, 6.0749332e-05]
    """
    delta = in_range("delta", delta, "1", above=0)
    x = in_range("i - h", np.subtract(i, h), "1", above=-1, below=1)
    return _rate(x, delta)


def log_wer(i: ArrayLike, tau: ArrayLike, delta: ArrayLike, h: ArrayLike = 0.0) -> Array:
    """Compute ln WER of a square pulse by the closed forms of either regime.

    Valid as the head of the module says; the two regimes do not meet at x = 1. Above x = 1 the
    field enters only as x = i - h in place of i.

    Parameters
    ----------
    i : array_like
        Current over critical current, i - h > -1, any shape [1].
    tau : array_like
        Pulse width over damping time, > 0, shape broadcast with `i` [1].
    delta : array_like
        Thermal stability factor, > 0, shape broadcast with `i` [1].
    h : array_like, optional
        Axial field over H_k, positive stabilises, shape broadcast with `i` [1].

    Returns
    -------
    ndarray
        ln WER, broadcast shape, not below -650 [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    Form: Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122;
    the constant C is derived in docs/theory/closed_forms.md.

    Examples
    --------
    >>> np.exp(log_wer(2.0, [2, 4, 6], 60.0)).round(6).tolist()
    [0.585337, 0.015851, 0.000293]
    """
    delta = in_range("delta", delta, "1", above=0)
    tau = in_range("tau", tau, "1", above=0)
    x = in_range("i - h", np.subtract(i, h), "1", above=-1)
    x, tau, delta = np.broadcast_arrays(x, tau, delta)
    over = np.maximum(x, 1 + 1e-6)
    c = 2 * 2 ** ((over - 1) / (over + 1)) * ((over - 1) / over) ** (2 / (over + 1))
    precessional = _log_precessional(over, tau, delta, c)
    thermal = -_rate(np.clip(x, -1, 1), delta) * tau
    log: Array = np.maximum(np.where(x > 1, precessional, thermal), LOG_FLOOR)
    return log


def log_wer_butler(i: ArrayLike, tau: ArrayLike, delta: ArrayLike, h: ArrayLike = 0.0) -> Array:
    """Compute ln WER of a square pulse above the critical current by the common closed form.

    For comparison with the literature: `log_wer` is as fast and closer. At Delta = 60 and
    2 <= tau <= 15 its WER is up to 12.2 times the exact one at i = 1.2, 1.25 to 1.93 times at
    i = 2, 1.07 times at i = 3, 0.74 to 0.83 times at i = 5.

    Parameters
    ----------
    i : array_like
        Current over critical current, i - h > 1, any shape [1].
    tau : array_like
        Pulse width over damping time, > 0, shape broadcast with `i` [1].
    delta : array_like
        Thermal stability factor, > 0, shape broadcast with `i` [1].
    h : array_like, optional
        Axial field over H_k, positive stabilises, shape broadcast with `i` [1].

    Returns
    -------
    ndarray
        ln WER, broadcast shape, not below -650 [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    Notes
    -----
    WER = 1 - exp(-(pi^2/4) Delta (x-1)/(x e^{2(x-1)tau} - 1)), x = i - h.

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    >>> np.exp(log_wer_butler(2.0, [2, 4, 6], 60.0)).round(6).tolist()
    [0.745459, 0.02453, 0.000455]
    """
    delta = in_range("delta", delta, "1", above=0)
    tau = in_range("tau", tau, "1", above=0)
    x = in_range("i - h", np.subtract(i, h), "1", above=1)
    log: Array = np.maximum(_log_precessional(x, tau, delta, BUTLER), LOG_FLOOR)
    return log


def tail_rate(i: ArrayLike, delta: ArrayLike) -> Array:
    """Compute the decay rate of the write error rate of long pulses, to first order in 1/Delta.

    Valid for i >= 2 and Delta >= 40, there within 0.1 % of the exact rate. With it in place of
    2(i-1), ``log_wer(i, tau * tail_rate(i, delta) / (2 * (i - 1)), delta)``, the WER of
    2 <= tau <= 15 is within 4 % at Delta = 60 and 6 % at Delta = 40.

    Parameters
    ----------
    i : array_like
        Current over critical current, > 1, any shape [1].
    delta : array_like
        Thermal stability factor, > 0, shape broadcast with `i` [1].

    Returns
    -------
    ndarray
        lambda_1 = -d ln WER/d tau of long pulses, broadcast shape [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    Notes
    -----
    lambda_1 = 2(i-1) + (3-i)/[(i-1) Delta].

    References
    ----------
    From the equation of Butler et al., IEEE Trans. Magn. 48 (2012) 4684,
    doi:10.1109/TMAG.2012.2209122; this project's derivation, docs/theory/closed_forms.md.

    Examples
    --------
    >>> tail_rate([2.0, 3.0], 60.0).round(6).tolist()
    [2.016667, 4.0]
    """
    delta = in_range("delta", delta, "1", above=0)
    i = in_range("i", i, "1", above=1)
    rate: Array = 2 * (i - 1) + (3 - i) / ((i - 1) * delta)
    return rate


def flow_time(z0: ArrayLike, i: ArrayLike) -> Array:
    """Compute the zero-temperature switching time from z0 to the equator.

    Exact without noise. With noise at Delta >= 40 it is at most 2.1 % below the mean time to the
    equator for 1.5 <= i <= 5 and 0.1 <= z0 <= 0.9, 6 % at i = 1.2; nearer to the pole the noise
    decides.

    Parameters
    ----------
    z0 : array_like
        Initial cos(theta), in (-1, 1), any shape [1].
    i : array_like
        Current over critical current (i - h with a field), > 1, shape broadcast with `z0` [1].

    Returns
    -------
    ndarray
        Time over damping time, negative where z0 is beyond the equator, broadcast shape [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    Notes
    -----
    tau = -ln(1-z0)/(2(i-1)) + ln(1+z0)/(2(i+1)) + ln(1-z0/i)/(i^2-1).

    References
    ----------
    Sun, Phys. Rev. B 62 (2000) 570, doi:10.1103/PhysRevB.62.570.

    Examples
    --------
    >>> flow_time([0.0, 0.9], 2.0).round(6).tolist()
    [0.0, 1.058989]
    """
    z0 = in_range("z0", z0, "1", above=-1, below=1)
    i = in_range("i", i, "1", above=1)
    logs = -np.log1p(-z0) / (2 * (i - 1)) + np.log1p(z0) / (2 * (i + 1))
    time: Array = logs + np.log1p(-z0 / i) / (i**2 - 1)
    return time


def _log_precessional(x: Array, tau: Array, delta: Array, c: Array | float) -> Array:
    growth = np.minimum(2 * (x - 1) * tau, -LOG_FLOOR)
    hazard = c * delta * (x - 1) / (x * np.exp(growth) - 1)
    log: Array = np.log(-np.expm1(-hazard))
    return log


def _rate(x: Array, delta: Array) -> Array:
    rate: Array = np.sqrt(delta / np.pi) * (1 - x**2) * (1 - x) * np.exp(-delta * (1 - x) ** 2)
    return rate
