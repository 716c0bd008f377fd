"""Parameters of weak RESET of each device from traces of its resistance against pulses.

Gaussian maximum likelihood: for every knee t* of a grid the law is linear in the other parameters,
and for every amplitude of the trap the covariance of the residuals is known, 1/f noise and traps
included. So knees and amplitudes are searched, and everything else is linear algebra.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg
from scipy.stats import chi2

from devicephys.checks import Array, in_range
from devicephys.errors import DataError
from devicephys.rram import flicker
from devicephys.rram.weak_reset import WeakReset

NAMES = ("log_r", "m1", "t_star", "m2")
AMPLITUDES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)  # of the trap, as `a_rtn`
KNEES = 240  # of the grid, evenly spaced in ln t
DOUBT = 1e-3  # a knee counts as seen where noise alone would show it so rarely
FEWEST = 12  # counts in a trace


@dataclass(frozen=True)
class Recovered:
    """What traces tell about each device; NaN where they tell nothing.

    Attributes
    ----------
    log_r : ndarray
        ln(R_0 e^{c1}/Ohm): the trace tells R_0 and c1 only as this product, shape (n,) [1].
    m1, m2 : ndarray
        Slopes of ln R before and after the knee; m1 is the slope of the whole trace and m2 is NaN
        where no knee is seen, shape (n,) [1].
    t_star : ndarray
        Knee, NaN where none is seen, shape (n,) [1].
    log_r_stderr, m1_stderr, t_star_stderr, m2_stderr : ndarray
        Standard errors, correlated noise accounted for, shape (n,) [1].
    amplitude : ndarray
        Likeliest amplitude of the trap among `AMPLITUDES`, shape (n,) [1].
    knee_seen : ndarray of bool
        Whether there is a knee inside the counts beyond doubt, shape (n,).
    chi2 : ndarray
        Squared residuals per degree of freedom under the noise of the law: about 1, shape (n,) [1].
    """

    log_r: Array
    m1: Array
    t_star: Array
    m2: Array
    log_r_stderr: Array
    m1_stderr: Array
    t_star_stderr: Array
    m2_stderr: Array
    amplitude: Array
    knee_seen: NDArray[np.bool_]
    chi2: Array


def covariance(pulses: Array, law: WeakReset, amplitude: float) -> Array:
    t = pulses
    lag = np.abs(t[:, None] - t)
    if law.flicker == "1/f":
        phi = [np.exp(-lag / flicker.RATIO**k) for k in range(flicker.COMPONENTS)]
        result = flicker.level(law.noise) ** 2 * np.sum(phi, axis=0)
    else:
        b = flicker.taps().astype(float) if law.flicker == "fir" else np.zeros(flicker.TAPS)
        full = np.correlate(b, b, "full")[flicker.TAPS - 1 :] * law.noise**2 / 12
        result = np.where(lag < flicker.TAPS, full[np.minimum(lag, flicker.TAPS - 1).astype(int)], 0.0)
    if law.rtn and amplitude:
        total = law.p_capture + law.p_emission
        filled = law.p_capture / total
        slow = filled * (1 - filled) / 16 * np.exp(lag * np.log1p(-total))
        result = result + amplitude**2 * (slow + np.eye(len(t)) * filled * (1 / 9 - 1 / 16))
    return result + np.eye(len(t)) * 1e-10
