"""Distributions of a parameter from device to device, cut off on both sides."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from devicephys.checks import Array, generator, in_range, known, whole
from devicephys.errors import ParameterError

Law = Literal["expon", "lognorm", "norm", "uniform"]
LAWS: tuple[Law, ...] = ("expon", "lognorm", "norm", "uniform")


@dataclass(frozen=True)
class Truncated:
    """A distribution of scipy.stats cut to an interval.

    Attributes
    ----------
    law : {"expon", "lognorm", "norm", "uniform"}
        Name of the distribution.
    loc, scale : float
        Location and scale, as of scipy.stats [unit of the parameter].
    low, high : float
        Ends of the interval [unit of the parameter].
    shape : float or None
        s of "lognorm", the standard deviation of the logarithm; None for the others [1].

    Raises
    ------
    ParameterError
        If a number is out of range, the bounds are in the wrong order, or nothing is between them.

    Examples
    --------
    >>> Truncated("norm", 0.0, 1.0, 50.0, 60.0)
    Traceback (most recent call last):
        ...
    devicephys.errors.ParameterError: Truncated.low, high = 50, 60 with no probability between ...
    """

    law: Law
    loc: float
    scale: float
    low: float
    high: float
    shape: float | None = None

    def __post_init__(self) -> None:
        known("law", self.law, LAWS)
        for name in ("loc", "low", "high"):
            in_range(f"Truncated.{name}", getattr(self, name), "1", scalar=True)
        in_range("Truncated.scale", self.scale, "1", above=0, scalar=True)
        if self.law == "lognorm":
            shape = np.nan if self.shape is None else self.shape
            in_range("Truncated.shape", shape, "1", above=0, scalar=True,
                     remedy="give s of lognorm")  # fmt: skip
        elif self.shape is not None:
            raise ParameterError(
                f"Truncated.shape = {self.shape:g} for {self.law!r}",
                expected="None: only lognorm has a shape",
            )
        if not self.low < self.high:
            raise ParameterError(
                f"Truncated.low, high = {self.low:g}, {self.high:g}", expected="low < high"
            )
        if not _ends(self)[1] > _ends(self)[0]:
            raise ParameterError(
                f"Truncated.low, high = {self.low:g}, {self.high:g} with no probability between "
                f"them under {self.law}(loc={self.loc:g}, scale={self.scale:g})",
                expected="bounds where the distribution is",
            )


def draw(law: Truncated, size: int, rng: np.random.Generator) -> Array:
    """Draw values of a truncated distribution by its inverse distribution function.

    Parameters
    ----------
    law : Truncated
        The distribution.
    size : int
        How many, >= 1 [1].
    rng : numpy.random.Generator
        Source of the numbers.

    Returns
    -------
    ndarray
        Values in [low, high], shape (size,) [unit of the parameter].

    References
    ----------
    Devroye, Non-Uniform Random Variate Generation (1986), section II.2,
    doi:10.1007/978-1-4613-8643-8.

    Examples
    --------
    >>> x = draw(Truncated("expon", 0.0, 1.0, 0.5, 2.0), 1000, np.random.default_rng(1))
    >>> bool((x >= 0.5).all() and (x <= 2.0).all())
    True
    """
    return _quantile(law, generator(rng).random(whole("size", size, least=1)))


def median(law: Truncated) -> float:
    """Compute the median of a truncated distribution.

    Parameters
    ----------
    law : Truncated
        The distribution.

    Returns
    -------
    float
        Half of the devices are below it [unit of the parameter].

    References
    ----------
    As of `draw`, doi:10.1007/978-1-4613-8643-8.

    Examples
    --------
    >>> median(Truncated("uniform", 0.0, 1.0, 0.0, 0.5))
    0.25
    """
    return float(_quantile(law, np.array(0.5)))


def _frozen(law: Truncated) -> Any:
    shape = () if law.shape is None else (law.shape,)
    return getattr(stats, law.law)(*shape, loc=law.loc, scale=law.scale)


def _ends(law: Truncated) -> tuple[float, float]:
    """Probabilities of the bounds, counted from the nearer end: beyond 1 - 1e-16 nothing is left.

    Those counted from above are negative.
    """
    frozen = _frozen(law)
    if frozen.cdf(law.low) > 0.5:
        return -float(frozen.sf(law.low)), -float(frozen.sf(law.high))
    return float(frozen.cdf(law.low)), float(frozen.cdf(law.high))


def _quantile(law: Truncated, u: Array) -> Array:
    low, high = _ends(law)
    p = low + u * (high - low)
    x = _frozen(law).ppf(p) if high > 0 else _frozen(law).isf(-p)
    return np.asarray(np.clip(x, law.low, law.high))  # rounding alone leaves the interval
