"""Endurance as the user gives it: how many cells have failed after so many cycles.

Nothing here is measured or assumed by this package: the numbers of an `Endurance` come from the
data sheet or the experiment that the user trusts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from devicephys.checks import ZERO, Array, in_range
from devicephys.parameters import check_record, parameter


@dataclass(frozen=True)
class Endurance:
    """Log-normal law of the number of cycles to failure.

    Attributes
    ----------
    cycles_to_failure : float
        Median number of cycles to failure at `reference_voltage` [1].
    reference_voltage : float
        Programming voltage at which that holds [V].
    endurance_slope : float
        Decades of endurance lost for each volt above it, >= 0 [1/V].
    sigma_cycles : float
        Standard deviation of ln(cycles to failure) from device to device [1].
    """

    cycles_to_failure: float = parameter("1", "N_{50}")
    reference_voltage: float = parameter("V", "V_{ref}")
    endurance_slope: float = parameter("1/V", r"\gamma_N", above=-ZERO)
    sigma_cycles: float = parameter("1", r"\sigma_{\ln N}")

    def __post_init__(self) -> None:
        check_record(self)


def failed_fraction(endurance: Endurance, cycles: ArrayLike, voltage: ArrayLike) -> Array:
    """Compute the share of cells that have failed after some cycles.

    Valid where the given law is; cycles at one voltage throughout.

    Parameters
    ----------
    endurance : Endurance
        The law, as the user gives it.
    cycles : array_like
        Numbers of cycles, >= 0, any shape [1].
    voltage : array_like
        Programming voltage, > 0, shape broadcast with `cycles` [V].

    Returns
    -------
    ndarray
        ``Phi((ln(cycles/N_50) + gamma ln(10) (V - V_ref))/sigma)``, broadcast shape [1].

    Raises
    ------
    ParameterError
        If a number of cycles is negative or a voltage not positive.

    Notes
    -----
    A 2T2R pair has failed where either of its devices has: 1 - (1 - f)^2.

    References
    ----------
    This project's form of a law that the user supplies. That weak programming raises endurance
    is reported by Hirtzlin et al., Front. Neurosci. 13 (2020) 1383, doi:10.3389/fnins.2019.01383.

    Examples
    --------
    >>> law = Endurance(cycles_to_failure=1e6, reference_voltage=2.0, endurance_slope=3.0,
    ...                 sigma_cycles=0.8)
    >>> failed_fraction(law, [1e5, 1e6], [2.0, 1.0]).round(4).tolist()
    [0.002, 0.0]
    """
    cycles = in_range("cycles", cycles, "1", above=0, inclusive=True)
    voltage = in_range("voltage", voltage, "V", above=0)
    lost = endurance.endurance_slope * np.log(10) * (voltage - endurance.reference_voltage)
    with np.errstate(divide="ignore"):  # no cycle, no failure
        age = np.log(cycles / endurance.cycles_to_failure)
    return np.asarray(ndtr((age + lost) / endurance.sigma_cycles))


def worn(ber: ArrayLike, fraction: ArrayLike) -> Array:
    """Compute the error rate of an array some of whose cells have failed.

    Valid for cells that are stuck or read at random once they have failed, and random data: half
    of them are wrong. Serves p01 and p10 likewise.

    Parameters
    ----------
    ber : array_like
        Error rate of the cells that work, in [0, 1], any shape [1].
    fraction : array_like
        Share of failed cells, in [0, 1], shape broadcast with `ber` [1].

    Returns
    -------
    ndarray
        ``ber (1 - fraction) + fraction/2``, broadcast shape [1].

    Raises
    ------
    ParameterError
        If a number is outside [0, 1].

    References
    ----------
    This project's form; the law of total probability.

    Examples
    --------
    >>> round(float(worn(1e-3, 0.01)), 6)
    0.00599
    """
    ber = in_range("ber", ber, "1", above=0, below=1, inclusive=True)
    fraction = in_range("fraction", fraction, "1", above=0, below=1, inclusive=True)
    return np.asarray(ber * (1 - fraction) + fraction / 2)
