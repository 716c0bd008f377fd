"""Staircase RESET ramps: states at a voltage, onset voltage, variance over devices."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from devicephys.checks import Array, in_range
from devicephys.errors import DataError

ONSET_RATIO = 1.5  # RESET has set in where the resistance exceeds 1.5 times its initial value


@dataclass(frozen=True)
class Ramps:
    """Ramps as one row each: the samples that cells and tables are made of.

    Attributes
    ----------
    device : ndarray of str
        Device of each ramp, shape (n_ramps,).
    voltage : ndarray
        Voltages of the staircase, rising, shape (n_voltages,) [V].
    lrs : ndarray
        Resistance before the first pulse, shape (n_ramps,) [Ohm].
    after : ndarray
        Resistance after the pulse at each voltage, NaN where a ramp had ended, shape
        (n_ramps, n_voltages) [Ohm].
    """

    device: NDArray[np.str_]
    voltage: Array
    lrs: Array
    after: Array


def onset_voltage(ramps: Ramps) -> Array:
    """Find the voltage at which each ramp's RESET sets in.

    Parameters
    ----------
    ramps : Ramps
        The ramps.

    Returns
    -------
    ndarray
        First voltage with R > 1.5 R_initial, NaN where it never came, shape (n_ramps,) [V].

    References
    ----------
    The definition of doi:10.1109/TED.2021.3097975 is not public; 1.5 is this project's.

    Examples
    --------
    >>> r = Ramps(np.array(["a"]), np.array([0.5, 1.0]), np.array([5e3]), np.array([[5e3, 9e3]]))
    >>> onset_voltage(r).tolist()
    [1.0]
    """
    reset = ramps.after > ONSET_RATIO * ramps.lrs[:, None]
    return np.where(reset.any(axis=1), ramps.voltage[reset.argmax(axis=1)], np.nan)


@dataclass(frozen=True)
class Variance:
    """One-way analysis of variance over devices.

    Attributes
    ----------
    mean : float
        Mean over devices [unit of the values].
    stderr : float
        Its standard error, from the scatter of device means [unit of the values].
    between, within : float
        Standard deviations between devices and within a device [unit of the values].
    n_devices : int
        Number of devices [1].
    """

    mean: float
    stderr: float
    between: float
    within: float
    n_devices: int


def split_variance(values: Array, device: NDArray[np.str_]) -> Variance:
    """Split the variance of a quantity into device-to-device and cycle-to-cycle parts.

    Valid for any law with finite variance; estimates are of moments, not of likelihood.

    Parameters
    ----------
    values : ndarray
        The quantity, shape (n,); NaN is left out [any unit].
    device : ndarray of str
        Device of each value, shape (n,).

    Returns
    -------
    Variance
        Mean, its standard error, and the two standard deviations.

    Raises
    ------
    DataError
        If there are fewer than two devices or no device has two values.

    References
    ----------
    Searle, Casella and McCulloch, Variance Components (1992),
    doi:10.1002/9780470316856.

    Examples
    --------
    >>> v = split_variance(np.array([1.0, 1.2, 3.0, 3.2]), np.array(["a", "a", "b", "b"]))
    >>> round(v.between, 3), round(v.within, 3)
    (1.411, 0.141)
    """
    in_range("values", values[~np.isnan(values)], "1")
    keep = ~np.isnan(values)
    values, device = values[keep], device[keep]
    names, index, counts = np.unique(device, return_inverse=True, return_counts=True)
    k, n = len(names), len(values)
    if k < 2 or n == k:
        raise DataError(
            f"{n} values of {k} devices", expected="two devices, two values of one",
            remedy="measure more devices, and each of them more often",
        )  # fmt: skip
    means = np.bincount(index, values) / counts
    within = float(((values - means[index]) ** 2).sum() / (n - k))
    n_0 = (n - (counts**2).sum() / n) / (k - 1)  # equals the count where all counts are equal
    ms_between = float((counts * (means - values.mean()) ** 2).sum() / (k - 1))
    between = max((ms_between - within) / n_0, 0.0)
    stderr = float(means.std(ddof=1) / np.sqrt(k))
    return Variance(float(means.mean()), stderr, float(np.sqrt(between)), float(np.sqrt(within)), k)
