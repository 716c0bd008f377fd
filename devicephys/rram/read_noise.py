"""Read noise of resistive cells: how far two reads of one untouched state differ.

The measured quantity is the *difference* of two reads, ln(R_2/R_1), and its robust sigma. A read
about a state that is known without noise has that sigma over sqrt 2. States differ in how noisy
they are, so differences over all states have a narrow core and heavy tails.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from devicephys.checks import ZERO, Array, generator, in_range, whole
from devicephys.errors import ParameterError
from devicephys.parameters import check_record, parameter

MAD_TO_SIGMA = 1.482602218505602  # the median |x| of a normal law is sigma over this
CUT = 2.5  # states noisier than exp(2.5 s) times the median one were not resolved: none is drawn
_LEAST, _MOST = (float(ndtr(z)) for z in (-CUT, CUT))  # in probability


@dataclass(frozen=True)
class ReadNoise:
    """Read-to-read noise over resistance, and its spread from state to state.

    Attributes
    ----------
    r_level : tuple of float
        Resistances at which the noise is known, rising, shape (n,) [Ohm].
    sigma_read : tuple of float
        Robust sigma of the difference of two reads of ln R, shape (n,) [1].
    r_min, r_max : float
        Range of resistance that was measured; nothing is said outside [Ohm].
    spread_read : float
        Standard deviation, from state to state, of the logarithm of the noise; 0 makes the
        differences normal [1].
    """

    r_level: tuple[float, ...] = parameter("Ohm", "R_k")
    sigma_read: tuple[float, ...] = parameter("1", r"\sigma_{rr}")
    r_min: float = parameter("Ohm", r"R_{min}")
    r_max: float = parameter("Ohm", r"R_{max}")
    spread_read: float = parameter("1", "s_{rr}", above=-ZERO, below=1.5)

    def __post_init__(self) -> None:
        check_record(self)
        levels = (self.r_min, *self.r_level, self.r_max)
        rising = all(a < b for a, b in pairwise(levels))
        if not rising or len(self.r_level) != len(self.sigma_read):
            raise ParameterError(
                f"ReadNoise.r_level of {len(self.r_level)} and sigma_read of "
                f"{len(self.sigma_read)} values between {self.r_min:g} and {self.r_max:g} Ohm",
                expected="as many sigmas as resistances, rising strictly from r_min to r_max",
            )


def measured_hfo2() -> ReadNoise:
    """Give the read-to-read noise of HfO2 1T1R cells counted from staircase RESET ramps.

    50 cells, 23 339 pairs: resistance after one pulse against that before the next, in five
    ranges between 5 and 80 kOhm; the standard errors (bootstrap over cells) are 5 to 11 %.

    Returns
    -------
    ReadNoise
        The noise.

    References
    ----------
    This project's count of the data of doi:10.1109/TED.2021.3097975.

    Examples
    --------
    >>> measured_hfo2().sigma_read
    (0.00328, 0.0169, 0.0426, 0.0661, 0.0698)
    """
    return ReadNoise(
        r_level=(6058.0, 8024.0, 15243.0, 29868.0, 53849.0),  # medians of the five ranges
        sigma_read=(0.00328, 0.0169, 0.0426, 0.0661, 0.0698),
        r_min=5e3,
        r_max=8e4,
        spread_read=0.95,
    )


def read_sigma(resistance: ArrayLike, noise: ReadNoise) -> Array:
    """Interpolate the robust sigma of ln(R_2/R_1) between two reads of one state.

    Valid from `noise.r_min` to `noise.r_max`: ln sigma is linear in ln R between the levels and
    constant between an outermost level and the end of the range; outside, nothing was measured
    and nothing is given. Divide by sqrt 2 for one read about a noise-free state.

    Parameters
    ----------
    resistance : array_like
        Resistance of the state, any shape [Ohm].
    noise : ReadNoise
        The noise over resistance.

    Returns
    -------
    ndarray
        Robust sigma of the difference of two reads, shape of `resistance` [1].

    Raises
    ------
    ParameterError
        If a resistance lies outside the measured range.

    References
    ----------
    This project's count of the data of doi:10.1109/TED.2021.3097975.

    Examples
    --------
    >>> read_sigma([6e3, 3e4], measured_hfo2()).round(4).tolist()
    [0.0033, 0.0661]
    """
    r = in_range("resistance", resistance, "Ohm", above=noise.r_min, below=noise.r_max,
                 inclusive=True, remedy="the noise was not measured there")  # fmt: skip
    return np.exp(np.interp(np.log(r), np.log(noise.r_level), np.log(noise.sigma_read)))


def read(
    resistance: ArrayLike, rng: np.random.Generator, noise: ReadNoise, n_reads: int = 1
) -> Array:
    """Draw reads of states whose resistance is known without noise.

    Every state draws its own noise once, sigma_state = sigma_0 exp(s Z) with Z standard normal
    within +-2.5, and its reads are normal and independent given it. Counted again in the measured
    ranges, differences of two such reads have the robust sigma within 15 % and the quantiles up to
    99 % within a factor of 1.7; rarer ones are drawn too large, up to 2.7 times at 99.9 %.
    Correlation between reads in time (random telegraph noise, 1/f) is not in it: see `telegraph`,
    `spectrum`.

    Parameters
    ----------
    resistance : array_like
        Noise-free resistance of each state, any shape [Ohm].
    rng : numpy.random.Generator
        Source of random numbers.
    noise : ReadNoise
        The noise over resistance.
    n_reads : int, optional
        Reads of each state [1].

    Returns
    -------
    ndarray
        Resistance as read, shape ``(n_reads, *resistance.shape)`` [Ohm].

    Raises
    ------
    ParameterError
        If a resistance lies outside the measured range.

    References
    ----------
    This project's law: a log-normal scale mixture; its count is of the data of
    doi:10.1109/TED.2021.3097975.

    Examples
    --------
    >>> read([6e3, 3e4], np.random.default_rng(1), measured_hfo2(), n_reads=3).shape
    (3, 2)
    """
    r = np.asarray(resistance, np.float64)
    one = read_sigma(r, noise) / (np.sqrt(2) * _robust_sigma(noise.spread_read))
    rng = generator(rng)
    of_state = one * np.exp(noise.spread_read * ndtri(rng.uniform(_LEAST, _MOST, r.shape)))
    shape = (whole("n_reads", n_reads, least=1), *r.shape)
    return np.asarray(r * np.exp(of_state * rng.standard_normal(shape)))


def robust_sigma(values: ArrayLike) -> float:
    """Estimate a standard deviation by the median absolute deviation from the median.

    Equals the standard deviation for a normal law; outliers of less than half the weight leave it
    finite.

    Parameters
    ----------
    values : array_like
        The values, shape (n,) with n >= 2 [any unit].

    Returns
    -------
    float
        ``1.4826 median |x - median x|`` [unit of the values].

    Raises
    ------
    ParameterError
        If there are fewer than two values.

    References
    ----------
    Rousseeuw and Croux, J. Am. Stat. Assoc. 88 (1993) 1273,
    doi:10.1080/01621459.1993.10476408.

    Examples
    --------
    >>> round(robust_sigma([1.0, 2.0, 3.0, 4.0, 100.0]), 4)
    1.4826
    """
    x = in_range("values", values, "1")
    if x.ndim != 1 or x.size < 2:
        raise ParameterError(f"values of shape {x.shape}", expected="a row of two or more")
    return float(MAD_TO_SIGMA * np.median(np.abs(x - np.median(x))))


def _robust_sigma(spread: float) -> float:
    """Robust sigma of exp(spread Z') Z, Z standard normal and Z' as well but for its cut."""
    if spread == 0:
        return 1.0
    scale = np.exp(spread * ndtri(np.linspace(_LEAST, _MOST, 2001)))

    def excess(m: float) -> float:
        inside = 2 * ndtr(m / scale) - 1
        return float(np.trapezoid(inside) / (len(scale) - 1) - 0.5)

    return MAD_TO_SIGMA * float(brentq(excess, 1e-6, 1.0))
