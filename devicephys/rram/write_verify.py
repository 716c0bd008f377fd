"""Write-verify: pulse, read, and stop once the resistance is far enough.

The state of a cell is one of k levels; what a pulse does to the probabilities of the levels is
given from outside (a master equation, a measured transition matrix).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from devicephys.checks import Array, in_range, known, whole
from devicephys.errors import ParameterError

Step = Callable[[Array], tuple[Array, float]]
SUM_ERROR = 1e-8  # accepted deviation of a sum of probabilities from one
NOTHING = 1e-300  # share of cells below which the loop ends


@dataclass(frozen=True, eq=False)
class WriteVerify:
    """Outcome of a write-verify loop over a population of cells.

    Attributes
    ----------
    accepted : ndarray
        Probability of being accepted after pulse 1, 2, ..., n_max, shape (n_max,) [1].
    never : float
        Probability of not being accepted at all [1].
    states_accepted : ndarray
        Probability of being accepted in each level; adds up to 1 - never, shape (k,) [1].
    states_never : ndarray
        Probability of ending unaccepted in each level; adds up to never, shape (k,) [1].
    mean_pulses : float
        Mean number of pulses, and of verify reads [1].
    write_energy, read_energy : float
        Mean energies of all pulses and of all verify reads of a cell [J].
    """

    accepted: Array
    never: float
    states_accepted: Array
    states_never: Array
    mean_pulses: float
    write_energy: float
    read_energy: float


def acceptance(
    x: ArrayLike, sigma: ArrayLike, target: float, side: Literal["above", "below"] = "above"
) -> Array:
    """Compute the probability that a verify read accepts each level.

    Valid for read noise that is normal in ln R and independent from read to read.

    Parameters
    ----------
    x : array_like
        Levels of ln(R/Ohm), any shape [1].
    sigma : array_like
        Standard deviation of the read noise in ln R, >= 0, shape broadcast with `x` [1].
    target : float
        Value of ln(R/Ohm) to pass [1].
    side : {"above", "below"}, optional
        Whether to accept above the target (RESET) or below it (SET).

    Returns
    -------
    ndarray
        P(x + noise > target), or < for "below", broadcast shape [1].

    Raises
    ------
    ParameterError
        If a number is not finite, `sigma` negative, or `side` unknown.

    References
    ----------
    This project's model of a verify read.

    Examples
    --------
    >>> acceptance([9.0, 9.5, 10.0], [0.0, 0.1, 0.1], 9.5).round(3).tolist()
    [0.0, 0.5, 1.0]
    """
    known("side", side, ("above", "below"))
    x = in_range("x", x, "1")
    sigma = in_range("sigma", sigma, "1", above=0, inclusive=True)
    distance = x - in_range("target", target, "1", scalar=True)
    distance = distance if side == "above" else -distance
    noisy = sigma > 0
    chance = ndtr(distance / np.where(noisy, sigma, 1.0))
    return np.asarray(np.where(noisy, chance, (distance > 0).astype(float)))


def write_verify(
    p0: ArrayLike, step: Step, accept: ArrayLike, n_max: int, read_energy: ArrayLike = 0.0
) -> WriteVerify:
    """Follow a population of cells through pulse, verify read, and so on until accepted.

    Exact for a chain of levels: cells that were accepted stay as they are, the others get the
    next pulse. The first pulse comes before the first read; every pulse is followed by one read.

    Parameters
    ----------
    p0 : array_like
        Probabilities of the levels before the first pulse, shape (k,) [1].
    step : callable
        Takes the probabilities of the levels of the cells that get a pulse, adding up to one,
        shape (k,), and returns those after it and the mean energy of the pulse [J].
    accept : array_like
        Probability that a read accepts each level, shape (k,) [1].
    n_max : int
        Largest number of pulses, >= 1 [1].
    read_energy : array_like, optional
        Energy of one verify read, >= 0, shape () or (k,), by level [J].

    Returns
    -------
    WriteVerify
        Numbers of pulses, final levels, and mean energies.

    Raises
    ------
    ParameterError
        If probabilities do not add up to one, before or after a pulse, or are outside [0, 1].

    References
    ----------
    This project's exact sum; for a level that no pulse changes it is the geometric law.

    Examples
    --------
    >>> half = write_verify([1.0, 0.0], lambda p: (np.array([p[0] / 2, p[1] + p[0] / 2]), 1e-12),
    ...                     [0.0, 1.0], n_max=3)
    >>> half.accepted.tolist(), half.never, half.mean_pulses
    ([0.5, 0.25, 0.125], 0.125, 1.75)
    """
    p = _probabilities("p0", p0)
    n = whole("n_max", n_max, least=1)
    a = in_range("accept", accept, "1", above=0, below=1, inclusive=True)
    energy = in_range("read_energy", read_energy, "J", above=0, inclusive=True)
    if a.shape != p.shape or energy.shape not in ((), p.shape):
        raise ParameterError(
            f"shapes p0 {p.shape}, accept {a.shape}, read_energy {energy.shape}",
            expected="one number for each level",
        )
    accepted, kept = np.zeros(n), np.zeros(p.shape)
    share, pulses, written, read = 1.0, 0.0, 0.0, 0.0
    for k in range(n):
        if share < NOTHING:
            break
        after, joule = step(p)
        p = _probabilities(f"step after pulse {k + 1}", after)
        if p.shape != a.shape:
            raise ParameterError(f"step gives shape {p.shape}", expected=str(a.shape))
        pulses += share
        written += share * float(in_range("energy of a pulse", joule, "J", above=0, inclusive=True))
        read += share * float(np.sum(p * energy))
        passed, left = p * a, p * (1 - a)
        accepted[k] = share * passed.sum()
        kept += share * passed
        remaining = float(left.sum())
        share *= remaining
        p = left / remaining if remaining > 0 else p
    return WriteVerify(accepted, share, kept, share * p, pulses, written, read)


def _probabilities(name: str, values: ArrayLike) -> Array:
    """Return probabilities that add up to one; rounding errors are removed."""
    p = in_range(name, values, "1", above=-SUM_ERROR, below=1 + SUM_ERROR, inclusive=True)
    if p.ndim != 1 or abs(p.sum() - 1) > SUM_ERROR:
        raise ParameterError(
            f"{name} of shape {p.shape} adds up to {p.sum():.10g}",
            expected="probabilities of levels that add up to 1",
        )
    p = np.maximum(p, 0.0)
    return np.asarray(p / p.sum())
