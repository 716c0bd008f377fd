"""Random telegraph noise: one trap that captures and emits, sampled exactly at any times."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import ZERO, Array, generator, in_range, rising, whole
from devicephys.parameters import INF, check_record, parameter


@dataclass(frozen=True)
class Telegraph:
    """A trap with two states; the filled one shifts the signal.

    Attributes
    ----------
    t_capture : float
        Mean time that the trap stays empty [s].
    t_emission : float
        Mean time that the trap stays filled [s].
    amplitude : float
        Shift of the relative conductance while the trap is filled, of either sign [1].
    """

    t_capture: float = parameter("s", r"\tau_c")
    t_emission: float = parameter("s", r"\tau_e")
    amplitude: float = parameter("1", r"\Delta G/G", above=-INF)

    def __post_init__(self) -> None:
        check_record(self)

    @property
    def p_filled(self) -> float:
        """Stationary probability that the trap is filled [1]."""
        return self.t_emission / (self.t_capture + self.t_emission)

    @property
    def rate(self) -> float:
        """Rate at which a deviation from the stationary law decays [1/s]."""
        return 1 / self.t_capture + 1 / self.t_emission


def telegraph(
    times: ArrayLike, rng: np.random.Generator, trap: Telegraph, n_traces: int = 1
) -> Array:
    """Draw the shift of a trap at given times, starting from its stationary law.

    Exact at any spacing of the times: with probability 1 - exp(-k dt) the state is drawn anew from
    the stationary law, otherwise kept, which has the transition probabilities of the chain. Adding
    times does not change the law at the others.

    Parameters
    ----------
    times : array_like
        Times, rising strictly, shape (n,) [s].
    rng : numpy.random.Generator
        Source of random numbers.
    trap : Telegraph
        The trap.
    n_traces : int, optional
        Independent traps of this kind [1].

    Returns
    -------
    ndarray
        0 or `trap.amplitude`, shape (n_traces, n) [1].

    Raises
    ------
    ParameterError
        If the times do not rise.

    References
    ----------
    Machlup, J. Appl. Phys. 25 (1954) 341, doi:10.1063/1.1721637.

    Examples
    --------
    >>> trap = Telegraph(t_capture=1e-3, t_emission=3e-3, amplitude=-0.05)
    >>> telegraph([0.0, 1e-9, 2e-9], np.random.default_rng(1), trap).tolist()
    [[0.0, 0.0, 0.0]]
    """
    t = rising("times", times)
    rng, shape = generator(rng), (whole("n_traces", n_traces, least=1), len(t))
    anew = rng.random(shape) < -np.expm1(-trap.rate * np.diff(t, prepend=-np.inf))
    filled = rng.random(shape) < trap.p_filled
    last = np.maximum.accumulate(np.where(anew, np.arange(len(t)), 0), axis=1)
    return np.where(np.take_along_axis(filled, last, axis=1), trap.amplitude, 0.0)


def telegraph_spectrum(frequency: ArrayLike, trap: Telegraph) -> Array:
    """Compute the one-sided power spectral density of a stationary trap, a Lorentzian.

    Valid for continuous time; a sampled trace folds the part above half its rate back. The mean is
    left out.

    Parameters
    ----------
    frequency : array_like
        Frequency, >= 0, any shape [Hz].
    trap : Telegraph
        The trap.

    Returns
    -------
    ndarray
        4 amplitude^2 p (1 - p) k/[k^2 + (2 pi f)^2] with k = 1/tau_c + 1/tau_e, whose integral
        over f >= 0 is the variance, shape of `frequency` [1/Hz].

    References
    ----------
    Machlup, J. Appl. Phys. 25 (1954) 341, doi:10.1063/1.1721637.

    Examples
    --------
    >>> trap = Telegraph(t_capture=1.0, t_emission=1.0, amplitude=1.0)
    >>> float(telegraph_spectrum(0.0, trap))
    0.5
    """
    f = in_range("frequency", frequency, "Hz", above=-ZERO)
    variance = trap.amplitude**2 * trap.p_filled * (1 - trap.p_filled)
    return np.asarray(4 * variance * trap.rate / (trap.rate**2 + (2 * np.pi * f) ** 2))
