"""Bit error rate of 1T1R and 2T2R cells from samples of their resistance.

Bit 1 is the low-resistance state (LRS), bit 0 the high-resistance state (HRS): p10 is the
probability to read a stored 1 as 0, p01 to read a stored 0 as 1, and ber = (p01 + p10)/2.
A 1T1R cell compares its resistance with a threshold; a 2T2R cell compares two devices, one in
either state, and stores the bit in their order, so p01 = p10. States given by a law instead of
samples: `rram.log_normal`, `rram.threshold`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from devicephys.checks import Array, in_range, known
from devicephys.errors import DataError
from devicephys.stats import clustered_interval

Cell = Literal["1T1R", "2T2R"]
CELLS: tuple[Cell, ...] = ("1T1R", "2T2R")


@dataclass(frozen=True)
class ReadError:
    """Read error of a cell, with an interval that accounts for correlated devices.

    Attributes
    ----------
    ber, ber_lo, ber_hi : float
        Bit error rate and its 95 % interval [1].
    p01, p10 : float
        Probabilities to read a stored 0 as 1 and a stored 1 as 0 [1].
    threshold : float
        Threshold of the 1T1R cell, NaN for 2T2R [Ohm].
    """

    ber: float
    ber_lo: float
    ber_hi: float
    p01: float
    p10: float
    threshold: float


def best_threshold(lrs: Array, hrs: Array) -> float:
    """Find the threshold of least error between two samples of resistance.

    Valid as an optimistic choice: the threshold is best for these very samples.

    Parameters
    ----------
    lrs, hrs : ndarray
        Resistances of the low and the high state, shapes (n,) and (m,) [Ohm].

    Returns
    -------
    float
        The largest resistance that still counts as LRS [Ohm].

    References
    ----------
    The minimum over thresholds of the empirical error (Bayes rule at equal priors), as in
    Bocquet et al., IEDM 2018, arXiv 1902.02528.

    Examples
    --------
    >>> best_threshold(np.array([1.0, 2.0, 3.0]), np.array([2.5, 8.0, 9.0]))
    2.0
    """
    lrs, hrs = np.sort(lrs), np.sort(hrs)
    levels = np.concatenate([lrs, hrs])
    above = len(lrs) - np.searchsorted(lrs, levels, "right")
    below = np.searchsorted(hrs, levels, "right")
    total = above * len(hrs) + below * len(lrs)  # whole numbers: ties stay ties
    return float(levels[total == total.min()].min())


def read_error(
    cell: Cell,
    lrs: Array,
    hrs: Array,
    lrs_device: NDArray[np.str_],
    hrs_device: NDArray[np.str_],
) -> ReadError:
    """Count the bit error rate of a cell from measured resistances.

    Valid for rates above about one over the number of samples: nothing is extrapolated. For
    1T1R the threshold is the best for these samples; for 2T2R every LRS sample is compared with
    every HRS sample (a tie counts one half).

    Parameters
    ----------
    cell : {"1T1R", "2T2R"}
        The kind of cell.
    lrs, hrs : ndarray
        Resistances, > 0, shapes (n,) and (m,) [Ohm].
    lrs_device, hrs_device : ndarray of str
        Device of each sample, shapes (n,) and (m,).

    Returns
    -------
    ReadError
        Rates with a 95 % interval.

    Raises
    ------
    ParameterError
        If the cell is unknown or a resistance is not positive.
    DataError
        If there is no sample, or only one device.

    Notes
    -----
    Samples of one device resemble each other. The variance of the rate is therefore taken over
    devices (delete-one jackknife) and turned into an effective number of samples for an exact
    binomial interval (Korn and Graubard).

    References
    ----------
    Bocquet et al., IEDM 2018, arXiv 1902.02528 (2T2R); Korn and Graubard, Survey Methodology 24
    (1998) 193; jackknife: Efron and Stein, Ann. Stat. 9 (1981) 586, doi:10.1214/aos/1176345462.

    Examples
    --------
    >>> lrs, hrs = np.array([5e3, 6e3, 5e3, 6e3]), np.array([9e3, 2e4, 5.5e3, 2e4])
    >>> device = np.array(["a", "a", "b", "b"])
    >>> read_error("2T2R", lrs, hrs, device, device).ber
    0.125
    """
    known("cell", cell, CELLS)
    in_range("lrs", lrs, "Ohm", above=0)
    in_range("hrs", hrs, "Ohm", above=0)
    devices = np.unique(np.concatenate([lrs_device, hrs_device]))
    if len(devices) < 2 or len(lrs) < 1 or len(hrs) < 1:
        raise DataError(
            f"{len(devices)} devices with {len(lrs)} LRS and {len(hrs)} HRS samples",
            expected="at least two devices and a sample of either state",
        )
    rates = _rates(cell, lrs, hrs)
    left_out = np.array(
        [_rates(cell, lrs[lrs_device != d], hrs[hrs_device != d])[:2].mean() for d in devices]
    )
    n = len(devices)
    variance = float((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
    ber = float(rates[:2].mean())
    low, high = clustered_interval(ber, variance, min(len(lrs), len(hrs)), n)
    return ReadError(ber, low, high, float(rates[0]), float(rates[1]), float(rates[2]))


def _rates(cell: Cell, lrs: Array, hrs: Array) -> Array:
    """Give p01, p10 and the threshold."""
    if cell == "1T1R":
        threshold = best_threshold(lrs, hrs)
        return np.array([(hrs <= threshold).mean(), (lrs > threshold).mean(), threshold])
    order = np.sort(lrs)
    wrong = len(lrs) - np.searchsorted(order, hrs, "right")  # LRS above this HRS
    ties = np.searchsorted(order, hrs, "right") - np.searchsorted(order, hrs, "left")
    p = (wrong + 0.5 * ties).mean() / len(lrs)
    return np.array([p, p, np.nan])


def pulse_energy(
    voltage: ArrayLike, resistance: ArrayLike, pulse_width: ArrayLike, n_pulses: ArrayLike = 1
) -> Array:
    """Compute the energy of pulses across a resistance that they do not change.

    Valid as an upper bound for a RESET pulse, during which the resistance rises; the voltage
    drops over cell and access transistor together.

    Parameters
    ----------
    voltage : array_like
        Pulse voltage, any shape [V].
    resistance : array_like
        Resistance of cell and transistor, > 0, shape broadcast with `voltage` [Ohm].
    pulse_width : array_like
        Pulse width, > 0, shape broadcast with `voltage` [s].
    n_pulses : array_like, optional
        Number of pulses, >= 0, also a mean number, shape broadcast with `voltage` [1].

    Returns
    -------
    ndarray
        n V^2 t_p/R, broadcast shape [J].

    Raises
    ------
    ParameterError
        If a resistance or width is not positive, or a number of pulses negative.

    References
    ----------
    Joule's law; used for weak programming in Hirtzlin et al., Front. Neurosci. 13 (2020) 1383,
    doi:10.3389/fnins.2019.01383.

    Examples
    --------
    >>> float(pulse_energy(0.8, 6035.0, 200e-9).round(14))
    2.121e-11
    """
    voltage = in_range("voltage", voltage, "V")
    resistance = in_range("resistance", resistance, "Ohm", above=0)
    return current_energy(voltage, voltage / resistance, pulse_width, n_pulses)


def current_energy(
    voltage: ArrayLike, current: ArrayLike, pulse_width: ArrayLike, n_pulses: ArrayLike = 1
) -> Array:
    """Compute the energy of pulses whose current is known, from a measurement or a compliance.

    Valid for a current that is constant over the pulse; put in its mean otherwise.

    Parameters
    ----------
    voltage : array_like
        Pulse voltage, any shape [V].
    current : array_like
        Current, of the sign of the voltage, shape broadcast with `voltage` [A].
    pulse_width : array_like
        Pulse width, > 0, shape broadcast with `voltage` [s].
    n_pulses : array_like, optional
        Number of pulses, >= 0, also a mean number, shape broadcast with `voltage` [1].

    Returns
    -------
    ndarray
        n V I t_p, broadcast shape [J].

    Raises
    ------
    ParameterError
        If a width is not positive, a number of pulses negative, or the current flows against
        the voltage.

    References
    ----------
    Joule's law.

    Examples
    --------
    >>> float(current_energy(1.0, 100e-6, 200e-9, n_pulses=2).round(13))
    4e-11
    """
    width = in_range("pulse_width", pulse_width, "s", above=0)
    n = in_range("n_pulses", n_pulses, "1", above=0, inclusive=True)
    power = in_range("voltage", voltage, "V") * in_range("current", current, "A")
    in_range("voltage x current", power, "W", above=0, inclusive=True,
             remedy="give voltage and current the same sign")  # fmt: skip
    return np.asarray(power * width * n)
