"""Time at one temperature that stands for a time at another: Arrhenius acceleration."""

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import ZERO, Array, in_range
from devicephys.constants import E_CHARGE, K_B


def equivalent_time(
    time: ArrayLike, temperature: ArrayLike, reference_temperature: float, e_a: float
) -> Array:
    """Convert a time at a temperature to the time of equal progress at a reference temperature.

    Valid where one thermally activated process with one activation energy governs the change, over
    both temperatures and all times. The activation energy is yours to know: none is assumed, since
    an error of 0.1 eV between 300 and 400 K is a factor of 2.6 in time. Hand the result to
    `relaxation`, which refuses times beyond those measured instead of extrapolating.

    Parameters
    ----------
    time : array_like
        Time at `temperature`, >= 0, any shape [s].
    temperature : array_like
        Temperature of the stay, > 0, shape broadcast with `time` [K].
    reference_temperature : float
        Temperature at which the law was measured, > 0 [K].
    e_a : float
        Activation energy, in [0, 10) [eV].

    Returns
    -------
    ndarray
        time exp[(e_a/k_B) (1/T_ref - 1/T)], broadcast shape [s].

    Raises
    ------
    ParameterError
        If an argument is outside its range, or the factor leaves the range of floats.

    References
    ----------
    Arrhenius, Z. Phys. Chem. 4U (1889) 226, doi:10.1515/zpch-1889-0416.

    Examples
    --------
    One hour at 400 K, 1.0 eV, seen from 358 K:

    >>> float(equivalent_time(3600.0, 400.0, 358.0, e_a=1.0).round(0))
    108255.0
    """
    t = in_range("time", time, "s", above=-ZERO)
    hot = in_range("temperature", temperature, "K", above=0)
    cold = in_range("reference_temperature", reference_temperature, "K", above=0, scalar=True)
    energy = in_range("e_a", e_a, "eV", above=-ZERO, below=10, scalar=True) * E_CHARGE
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.where(t > 0, t * np.exp(energy / K_B * (1 / cold - 1 / hot)), 0.0)
    return in_range("equivalent time", found, "s", above=-ZERO,
                    remedy="check e_a and the temperatures")  # fmt: skip
