"""Which of n bits fail: maps drawn once at the highest rate of a sweep and thinned to the others.

A bit whose uniform number u is below the rate p fails. Only bits with u < highest are ever looked
at: the gaps between them are geometric, floor(E / H(highest)) with E exponential and the hazard
H(p) = -ln(1 - p), and the part that the floor cuts off is the hazard H(u) of the bit itself, free
and independent of the gap. So a map costs O(n * highest), and maps at all rates up to the highest
are nested. Probabilities are exact to 2**-53, the grain of the uniform numbers.

Milliseconds for 2 million bits on one core at 1e-3, 4e-2, 0.2, 0.5: 0.017, 0.31, 1.7, 4.8; dense
uniform numbers compared with the rate 3.5, with the places of the failing bits 3.3 to 9. Masks by
the binary digits of the rate take 1.8 at any rate, but give no places and need 32 words a bit for
nested maps: no gain for maps, so they are not here.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from devicephys.checks import Array, generator, in_range, whole
from devicephys.errors import ParameterError

CHUNK = 2**17  # gaps at a time: they stay in the cache, and memory stays bounded
LEAST_HAZARD = 1e-300  # a gap of fewer than one bit in 1e300: no map is so large
SURE = 37.0  # beyond -ln(2**-53) = 36.7, the largest exponential number: a gap of zero


@dataclass(frozen=True)
class FaultMap:
    """Bits that fail at the highest rate, each with the rate from which on it fails.

    Attributes
    ----------
    n : int
        Number of bits [1].
    highest : float
        Highest rate that the map serves [1].
    positions : ndarray of int64
        Numbers of the bits that fail at the highest rate, rising, shape (n_failing,) [1].
    marks : ndarray of float64
        Hazards -ln(1 - u) of these bits, where u is uniform in [0, highest): the bit fails at
        rates above u; shape of `positions` [1].
    """

    n: int
    highest: float
    positions: NDArray[np.int64]
    marks: Array


def draw(n: int, highest: float, rng: np.random.Generator) -> FaultMap:
    """Draw which of n bits fail, at every rate up to the highest.

    Parameters
    ----------
    n : int
        Number of bits, >= 0 [1].
    highest : float
        Highest rate wanted, in [0, 1] [1].
    rng : numpy.random.Generator
        Source of the map.

    Returns
    -------
    FaultMap
        The map, which `failing` thins; time and memory O(n * highest).

    Raises
    ------
    ParameterError
        If `n` is not a whole number >= 0, `highest` outside [0, 1] or `rng` no generator.

    Examples
    --------
    >>> found = draw(1_000_000_000, 1e-8, np.random.default_rng(1))
    >>> found.positions.size, failing(found, 1e-9).size
    (7, 1)
    """
    n = whole("n", n, least=0)
    highest = float(in_range("highest", highest, "1", above=0, below=1, inclusive=True))
    generator(rng)
    positions, marks = [np.empty(0, np.int64)], [np.empty(0)]
    hazard = max(float(_hazard(highest)), LEAST_HAZARD)
    last = -1
    while last < n - 1 and highest > 0:
        mean = (n - 1 - last) * highest
        x = rng.random(min(CHUNK, int(mean + 4 * math.sqrt(mean)) + 16))
        np.log(np.subtract(1, x, out=x), out=x)
        x *= -1 / hazard
        np.minimum(x, n, out=x)  # beyond the last bit, however far
        steps = x.astype(np.int64)
        x -= steps
        x *= hazard
        steps += 1
        steps[0] += last
        np.cumsum(steps, out=steps)
        last = int(steps[-1])
        inside = np.searchsorted(steps, n)
        positions.append(steps[:inside])
        marks.append(x[:inside])
    return FaultMap(n, highest, np.concatenate(positions), np.concatenate(marks))


def failing(found: FaultMap, rate: float) -> NDArray[np.int64]:
    """Give the bits that fail at one rate.

    Parameters
    ----------
    found : FaultMap
        The map.
    rate : float
        The rate, in [0, found.highest] [1].

    Returns
    -------
    ndarray of int64
        Their numbers, rising; those at a lower rate are among those at a higher one, shape
        (n_failing,) [1].

    Raises
    ------
    ParameterError
        If the rate is outside the range of the map.

    Examples
    --------
    >>> failing(draw(5, 1.0, np.random.default_rng(1)), 1.0).tolist()
    [0, 1, 2, 3, 4]
    """
    return found.positions[found.marks < _hazard(_rates("rate", rate, found))]


def failing_stored(
    found: FaultMap, stored: NDArray[np.integer | np.bool_], p01: ArrayLike, p10: ArrayLike
) -> NDArray[np.int64]:
    """Give the bits that fail where stored zeros and stored ones have their own rates.

    Parameters
    ----------
    found : FaultMap
        The map.
    stored : ndarray
        What is stored: 1 where positive, 0 elsewhere (0 or -1); any shape of found.n elements [1].
    p01, p10 : array_like
        Rates of zeros and of ones, in [0, found.highest], shape broadcast to that of `stored` [1].

    Returns
    -------
    ndarray of int64
        Numbers of the bits that fail, rising, counted along `stored` in C order, shape
        (n_failing,) [1].

    Raises
    ------
    ParameterError
        If a rate is outside the range of the map, or shapes do not fit.

    Examples
    --------
    >>> found = draw(4, 1.0, np.random.default_rng(1))
    >>> failing_stored(found, np.array([[1, -1], [-1, 1]]), 0.0, 1.0).tolist()
    [0, 3]
    """
    if stored.size != found.n:
        raise ParameterError(f"{stored.size} stored bits", expected=f"{found.n} as in the map")
    ones = stored.reshape(-1)[found.positions] > 0
    hazards = []
    for name, rate in (("p01", p01), ("p10", p10)):
        values = _hazard(_rates(name, rate, found))  # before they are spread over the bits: fewer
        if values.ndim:
            try:
                values = np.broadcast_to(values, stored.shape)
            except ValueError as err:
                raise ParameterError(
                    f"{name} of shape {values.shape}",
                    expected=f"a shape that broadcasts to {stored.shape}",
                ) from err
            values = values[np.unravel_index(found.positions, stored.shape)]
        hazards.append(values)
    return found.positions[found.marks < np.where(ones, hazards[1], hazards[0])]


def _hazard(rate: ArrayLike) -> Array:
    with np.errstate(divide="ignore"):  # ln 0 at a rate of 1
        hazard: Array = np.minimum(-np.log1p(-np.asarray(rate, np.float64)), SURE)
    return hazard


def _rates(name: str, rate: ArrayLike, found: FaultMap) -> Array:
    return in_range(
        name, rate, "1", above=0, below=found.highest, inclusive=True,
        remedy="draw the map at the highest rate",
    )  # fmt: skip
