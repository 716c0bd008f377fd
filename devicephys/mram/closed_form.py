"""Closed forms of the write error rate: for starting values and plots, not for results.

Two regimes, with x = i - h the current less the field:

x > 1, precessional   WER = 1 - exp(-C Delta (i-1)/(i e^{2(i-1)tau} - 1)),
                      C = 2 * 2^((i-1)/(i+1)) ((i-1)/i)^(2/(i+1))
x < 1, thermal        WER = exp(-k tau),
                      k = sqrt(Delta/pi) (1-x^2)(1-x) e^{-Delta (1-x)^2}

The first joins linear growth near the pole, from the Boltzmann law and with thermal noise, to the
deterministic flow beyond (which gives C): at Delta = 60 it is within a factor of 1.2 of the exact
result for 2 <= i <= 5 and tau <= 12/(i - 1), and worse towards i = 1. The
second is Kramers' rate: 1.05 to 1.23 of the exact rate for 0.3 <= x <= 0.7, Delta = 40 to 60.
"""

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import Array, in_range

LOG_FLOOR = -650.0  # e^-650 is still a normal float


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
    the constant C is derived in docs/theory/fokker_planck.md.

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
    growth = np.minimum(2 * (over - 1) * tau, -LOG_FLOOR)
    hazard = c * delta * (over - 1) / (over * np.exp(growth) - 1)
    precessional = np.log(-np.expm1(-hazard))
    thermal = -_rate(np.clip(x, -1, 1), delta) * tau
    log: Array = np.maximum(np.where(x > 1, precessional, thermal), LOG_FLOOR)
    return log


def _rate(x: Array, delta: Array) -> Array:
    rate: Array = np.sqrt(delta / np.pi) * (1 - x**2) * (1 - x) * np.exp(-delta * (1 - x) ** 2)
    return rate
