"""Noise of a resistance from pulse to pulse whose spectrum falls as 1/f.

"1/f": six Ornstein-Uhlenbeck processes with correlation times 1, 8, ... 32768 pulses, at the level
of the published filter with all its taps. "fir": that filter as the published program cuts it, 15
taps over uniform samples; the spectrum is flat below 1/40 per pulse. "off": none.
All are stationary and are carried any number of pulses on at once, exactly.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from devicephys.rram import normals
from devicephys.rram.normals import Floats

Flicker = Literal["1/f", "fir", "off"]
FLICKERS: tuple[Flicker, ...] = ("1/f", "fir", "off")
COMPONENTS, RATIO = 6, 8.0  # a ratio of 8 is three squarings of the decay
LONGEST = RATIO ** (COMPONENTS - 1)  # pulses
TAPS = 15
UNIFORM = 1 / 65536  # 16-bit samples stand for the middles of as many equal parts of (0, 1)


def taps() -> Floats:
    """Compute the coefficients of (1 - 1/z)^(-1/2), the filter that makes 1/f of white noise.

    Returns
    -------
    ndarray of float32
        b_0 = 1, b_k = b_{k-1} (k - 1/2)/k, shape (15,) [1].

    References
    ----------
    Kasdin, Proc. IEEE 83 (1995) 802, doi:10.1109/5.381848; as in the program of Majumdar et al.,
    arXiv 2107.06064.

    Examples
    --------
    >>> taps()[:4].tolist()
    [1.0, 0.5, 0.375, 0.3125]
    """
    k = np.arange(1, TAPS)
    return np.cumprod(np.concatenate([[1.0], (k - 0.5) / k])).astype(np.float32)


B = taps()


def level(noise: float) -> float:
    """Compute the standard deviation of one component that matches the filter's spectrum.

    White noise of variance s^2 = noise^2/12 through the whole filter has the one-sided spectrum
    s^2/sin(pi f), which is s^2/(pi f) for small f. Components of variance v with correlation
    times a factor 8 apart add up to v/(ln 8 f) with a ripple of 3.5 %. Valid within 4.5 % from 3e-5
    to 0.04 per pulse and within 12 % from 7e-6 to 0.2 per pulse; above, it is too low, by 20 % at
    0.3 and 29 % at 0.5; below, the spectrum is flat.

    Parameters
    ----------
    noise : float
        Factor of the filtered uniform samples, as `WeakReset.noise` [1].

    Returns
    -------
    float
        Standard deviation of each of the six components, sqrt(s^2 ln 8/pi) [1].

    References
    ----------
    Superposition of Lorentzian spectra: van der Ziel, Physica 16 (1950) 359,
    doi:10.1016/0031-8914(50)90078-4; level: this project's, docs/theory/weak_reset.md.

    Examples
    --------
    >>> round(level(0.025), 6)
    0.005871
    """
    return float(noise * np.sqrt(np.log(RATIO) / (12 * np.pi)))


def stationary(flicker: Flicker, n: int, rng: np.random.Generator) -> NDArray[Any]:
    """Draw memories of the noise from its stationary law.

    Parameters
    ----------
    flicker : {"1/f", "fir", "off"}
        Kind of noise.
    n : int
        Number of devices [1].
    rng : numpy.random.Generator
        Source of the numbers.

    Returns
    -------
    ndarray
        "1/f": components of variance 1, float32, shape (6, n); "fir": the last 15 samples, the
        latest first, uint16, shape (15, n); "off": nothing, shape (0, n) [1].

    References
    ----------
    As of `level` and `taps`, doi:10.1109/5.381848.

    Examples
    --------
    >>> [stationary(kind, 2, np.random.default_rng(1)).nbytes for kind in FLICKERS]
    [48, 60, 0]
    """
    if flicker == "fir":
        return rng.integers(0, 65536, (TAPS, n), np.uint16)
    rows = [normals.draw(n, rng) for _ in range(COMPONENTS if flicker == "1/f" else 0)]
    return np.array(rows, np.float32).reshape(-1, n)


def advance(memory: NDArray[Any], n_pulses: Floats, rng: np.random.Generator) -> None:
    """Carry memories of the noise some pulses on, in place.

    Parameters
    ----------
    memory : ndarray
        As of `stationary`, shape (6, n), (15, n) or (0, n) [1].
    n_pulses : ndarray of float32
        Pulses, whole numbers >= 0, shape (n,) or (1,) [1].
    rng : numpy.random.Generator
        Source of the numbers.

    Notes
    -----
    x' = phi^n x + sqrt(1 - phi^2n) xi, with 1 - phi^n = e from one exponential for the slowest
    component and e -> e (2 - e), which is 1 - phi^2n, thrice for each next one.

    References
    ----------
    Gillespie, Phys. Rev. E 54 (1996) 2084, doi:10.1103/PhysRevE.54.2084 (exact update).

    Examples
    --------
    >>> memory = np.zeros((6, 1), np.float32)
    >>> advance(memory, np.zeros(1, np.float32), np.random.default_rng(1))
    >>> memory.any()
    np.False_
    """
    if memory.dtype == np.uint16:
        _shift(memory, n_pulses.astype(np.intp), rng)
        return
    lost = -np.expm1(n_pulses * np.float32(-1 / LONGEST))
    for x in memory[::-1]:
        variance = lost * (2 - lost)
        xi = normals.draw(len(x), rng)
        xi *= np.sqrt(variance)
        x -= lost * x
        x += xi
        lost = variance * (2 - variance)
        lost *= 2 - lost


def _shift(memory: NDArray[np.uint16], n: NDArray[np.intp], rng: np.random.Generator) -> None:
    """Put n fresh samples before the old ones, of which the last n fall out."""
    fresh = rng.integers(0, 65536, memory.shape, np.uint16)
    both = np.concatenate([fresh, memory])
    rows = np.arange(TAPS, 2 * TAPS)[:, None] - np.minimum(n, TAPS)
    memory[:] = np.take_along_axis(both, np.broadcast_to(rows, memory.shape), 0)


def value(memory: NDArray[Any], noise: float, *, centred: bool = True) -> Floats:
    """Compute the noise of ln R from its memory.

    Parameters
    ----------
    memory : ndarray
        As of `stationary`, shape (6, n), (15, n) or (0, n) [1].
    noise : float
        Factor of the filtered uniform samples [1].
    centred : bool, optional
        Whether the samples of "fir" have mean zero; in the published program they are in (0, 1).

    Returns
    -------
    ndarray of float32
        Contribution to ln R, shape (n,) [1].

    References
    ----------
    As of `level` and `taps`, doi:10.1109/5.381848.

    Examples
    --------
    >>> lowest = np.zeros((15, 1), np.uint16)
    >>> [float(value(lowest, 0.025, centred=c)[0]).__round__(4) for c in (True, False)]
    [-0.0542, 0.0]
    """
    if memory.dtype != np.uint16:
        return np.asarray(memory.sum(axis=0) * np.float32(level(noise)))
    weights = B * np.float32(noise * UNIFORM)
    middle = float(weights.sum(dtype=np.float64)) * (0.5 - (0.5 / UNIFORM if centred else 0.0))
    return np.asarray(weights @ memory.astype(np.float32) + np.float32(middle))
