"""Random telegraph noise of one trap beside the filament: a two-state chain from pulse to pulse."""

import numpy as np

from devicephys.rram.normals import Floats

UNIT = np.float32(2.0**-24)
RAREST = (
    1e-6  # probability per pulse: 17 units; below, the law would change with the split of calls
)


def stationary(
    a_rtn: Floats, p_capture: float, p_emission: float, rng: np.random.Generator
) -> Floats:
    """Draw traps from their stationary law.

    Parameters
    ----------
    a_rtn : ndarray of float32
        Largest amplitude of each device, shape (n,) [1].
    p_capture, p_emission : float
        Probabilities per pulse that an empty trap fills and a filled one empties, 1e-6 at least:
        they are compared with random numbers of 24 bits, which change one of 1e-6 by up to 6 %, and
        smaller ones more [1].
    rng : numpy.random.Generator
        Source of the numbers.

    Returns
    -------
    ndarray of float32
        Contribution to ln R, 0 where the trap is empty, shape (n,) [1].

    References
    ----------
    Stationary law of a two-state Markov chain; Majumdar et al., arXiv 2107.06064 (amplitude).

    Examples
    --------
    >>> rtn = stationary(np.full(10000, 0.5, np.float32), 0.0008, 0.002, np.random.default_rng(1))
    >>> bool(abs((rtn > 0).mean() - 0.2857) < 0.02)
    True
    """
    filled = rng.random(len(a_rtn), np.float32) < np.float32(p_capture / (p_capture + p_emission))
    return np.asarray(np.where(filled, _amplitude(a_rtn, rng), np.float32(0)))


def advance(
    rtn: Floats, n_pulses: Floats, a_rtn: Floats, p_capture: float, p_emission: float,
    rng: np.random.Generator, *, redraw_idle: bool = False,
) -> None:  # fmt: skip
    """Carry traps some pulses on, in place.

    Valid for p_capture + p_emission < 1. The amplitude of a filled trap is drawn afresh at every
    pulse.

    Parameters
    ----------
    rtn : ndarray of float32
        Contribution to ln R, 0 where the trap is empty, shape (n,) [1].
    n_pulses : ndarray of float32
        Pulses, whole numbers >= 0, shape (n,) or (1,) [1].
    a_rtn : ndarray of float32
        Largest amplitude of each device, shape (n,) [1].
    p_capture, p_emission : float
        Probabilities per pulse that an empty trap fills and a filled one empties, 1e-6 at least:
        they are compared with random numbers of 24 bits, which change one of 1e-6 by up to 6 %, and
        smaller ones more [1].
    rng : numpy.random.Generator
        Source of the numbers.
    redraw_idle : bool, optional
        Whether the amplitude is drawn afresh also where there is no pulse.

    Notes
    -----
    T^n in closed form: with g = 1 - (1 - p_capture - p_emission)^n and the stationary P(1) = q, a
    trap is filled after n pulses with probability q g from empty and 1 - (1 - q) g from filled.

    References
    ----------
    Majumdar et al., IEEE Trans. Electron Devices 68 (2021), arXiv 2107.06064, and their program.

    Examples
    --------
    >>> rtn = np.array([0.1, 0.1], np.float32)
    >>> advance(rtn, np.array([0, 10**6], np.float32), np.full(2, 0.5, np.float32), 1e-6, 0.99,
    ...         np.random.default_rng(1))
    >>> rtn.astype(float).round(2).tolist()
    [0.1, 0.0]
    """
    total = p_capture + p_emission
    filled = np.float32(p_capture / total)
    lost = -np.expm1(n_pulses * np.float32(np.log1p(-total)))
    full = np.where(rtn != 0, 1 - (1 - filled) * lost, filled * lost)
    fresh = np.where(rng.random(len(rtn), np.float32) < full, _amplitude(a_rtn, rng), np.float32(0))
    rtn[:] = fresh if redraw_idle else np.where(n_pulses > 0, fresh, rtn)


def _amplitude(a_rtn: Floats, rng: np.random.Generator) -> Floats:
    """Draw U U a, which is never zero: that stands for an empty trap."""
    first, second = (rng.random(len(a_rtn), np.float32) + UNIT / 2 for _ in range(2))
    return np.asarray(first * second * a_rtn)
