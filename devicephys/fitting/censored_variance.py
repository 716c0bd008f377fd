"""Device-to-device and cycle-to-cycle spread where some samples are bounds: restricted likelihood.

``x_ij = mean + b_i + e_ij`` with normal b and e; a sample out of range counts as the probability of
lying there. Device values and the mean are integrated out, so that few devices do not make
`between` too small.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse
from scipy import stats as scipy_stats
from scipy.special import log_ndtr

from devicephys.checks import Array
from devicephys.errors import DataError
from devicephys.fitting.censored_em import shared
from devicephys.fitting.resistance import FEWEST, Samples, fit
from devicephys.stats import LEVEL

NODES = np.polynomial.hermite.hermgauss(7)  # of a device's value, about its likeliest one
CLIMB = 6  # steps to it
SPACING, REACH = 1.0, 6.0  # of means, in their standard errors: a normal sum is right to 1e-8
NEAREST = 1e-3  # of the whole spread: less between devices is none
WIDEST = 20.0  # times the whole spread
DROP = float(scipy_stats.chi2.ppf(LEVEL, 1)) / 2  # of the log likelihood at the ends


@dataclass(frozen=True)
class CensoredSplit:
    """Spread of ln R between and within devices, with 95 % intervals.

    Attributes
    ----------
    between, between_low, between_high : float
        Standard deviation between devices; `low` is 0 where the devices could be equal [1].
    within, within_low, within_high : float
        Standard deviation within a device [1].
    n, n_devices : int
        Samples and devices [1].
    """

    between: float
    between_low: float
    between_high: float
    within: float
    within_low: float
    within_high: float
    n: int
    n_devices: int


def split_censored(data: Samples) -> CensoredSplit:
    """Split the variance of ln R where some samples are above or below the range.

    Valid for normal laws of devices and cycles, and limits that do not depend on the resistance.
    Without bounds take `fitting.variance.split`, whose intervals are exact or nearly so.

    Parameters
    ----------
    data : Samples
        Resistances of one state, with devices.

    Returns
    -------
    CensoredSplit
        Estimates of largest restricted likelihood; ends where it has fallen by half the 95 %
        point of chi-square, the other spread at its best.

    Raises
    ------
    DataError
        If fewer than three devices have values, or none has three.
    FitError
        If the samples do not tell one level.

    References
    ----------
    Restricted likelihood as an integral over the mean: Harville, Biometrika 61 (1974) 383,
    doi:10.1093/biomet/61.2.383. Quadrature: Liu and Pierce, Biometrika 81 (1994) 624,
    doi:10.1093/biomet/81.3.624.

    Examples
    --------
    >>> from devicephys.fitting.resistance import samples
    >>> rng = np.random.default_rng(1)
    >>> device = np.repeat(np.arange(8), 6)
    >>> x = np.repeat(rng.normal(9, 0.4, 8), 6) + rng.normal(0, 0.2, 48)
    >>> word = np.where(x > 9.4, "above", "exact")
    >>> s = split_censored(samples(np.exp(np.minimum(x, 9.4)), word, device))
    >>> bool(s.between_low < 0.4 < s.between_high), bool(s.within_low < 0.2 < s.within_high)
    (True, True)
    """
    counts = np.bincount(data.device[data.kind == 0], minlength=data.n_devices)
    if (counts > 0).sum() < FEWEST or counts.max() < FEWEST:
        raise DataError(
            f"{(counts > 0).sum()} of {data.n_devices} devices have values, at most "
            f"{counts.max()} each", expected="three devices, three values of one",
            remedy="measure in a wider range, or more devices",
        )  # fmt: skip
    whole = float(fit(data).mixture.sigma[0])
    low, high = np.log(NEAREST * whole), np.log(WIDEST * whole)
    height = _height(data, counts)

    start = np.log([0.7 * whole, 0.7 * whole])
    found = optimize.minimize(
        lambda x: -height(*np.clip(x, low, high)), start, method="Nelder-Mead",
        options={"xatol": 1e-4, "fatol": 1e-6},
    )  # fmt: skip
    top, level = np.clip(found.x, low, high), -float(found.fun) - DROP

    def profile(x: float, k: int) -> float:
        """Give the likelihood with one spread given, the other (k) at its best."""
        other = optimize.minimize_scalar(
            lambda y: -height(y, x) if k == 0 else -height(x, y), method="bounded",
            bounds=(max(top[k] - 2, low), min(top[k] + 2, high)), options={"xatol": 0.01},
        )  # fmt: skip
        return -float(other.fun) - level

    ends = [
        [float(np.exp(_side(partial(profile, k=1 - j), top[j], end))) for end in (low, high)]
        for j in (0, 1)
    ]
    between, within = (float(x) for x in np.exp(top))
    (b_low, b_high), (w_low, w_high) = ends
    none = between <= 2 * NEAREST * whole
    return CensoredSplit(
        0.0 if none else between, 0.0 if b_low <= 2 * NEAREST * whole else b_low, b_high,
        within, w_low, w_high, len(data.x), data.n_devices,
    )  # fmt: skip


def _side(excess: Callable[[float], float], at: float, end: float) -> float:
    """Find where a profile has fallen to its level between its top and an end; else the end."""
    inner, step = at, np.copysign(0.3, end - at)
    while True:
        outer = at + step if abs(step) < abs(end - at) else end
        if excess(outer) < 0:
            return float(optimize.brentq(excess, inner, outer, xtol=2e-3))
        if outer == end:
            return end
        inner, step = outer, 2 * step


def _height(data: Samples, counts: NDArray[np.intp]) -> Callable[[float, float], float]:
    """Give the restricted log likelihood as a function of ln between and ln within."""
    exact = data.kind == 0
    mean = np.bincount(data.device[exact], data.x[exact], data.n_devices) / np.maximum(counts, 1)
    square = float(((data.x - mean[data.device])[exact] ** 2).sum())
    n, m = int(exact.sum()), data.n_devices
    limit, kind, device = data.x[~exact], data.kind[~exact].astype(np.float64), data.device[~exact]
    ones = sparse.csr_array(
        (np.ones(len(device)), (device, np.arange(len(device)))), (m, len(limit))
    )
    law = fit(data)
    centre, error = float(law.mixture.x[0]), float(law.x_stderr[0])

    def score(v: Array, w: float) -> Array:
        """Distance of the limits from a device's value, in cycles' spreads, shape (limits, ...)."""
        return np.asarray(kind[:, None] * (v[device] - limit[:, None]) / w)

    def height(log_b: float, log_w: float) -> float:
        b, w = float(np.exp(log_b)), float(np.exp(log_w))
        unit = np.sqrt((b**2 + w**2 * m / n) / m)
        half = int((REACH * unit + 3 * error) / (SPACING * unit)) + 1
        mu = centre + SPACING * unit * np.arange(-half, half + 1)
        weight, pull = counts[:, None] / w**2, (counts * mean)[:, None] / w**2
        v = (mu / b**2 + pull) / (1 / b**2 + weight)
        for _ in range(CLIMB):  # a log-concave product: Newton's steps
            z = score(v, w)
            ratio = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(z))
            slope = ones @ (kind[:, None] * ratio) / w + (mu - v) / b**2 + pull - weight * v
            bend = ones @ (ratio * (z + ratio)) / w**2 + 1 / b**2 + weight
            v = v + slope / bend
        scale = np.sqrt(2 / bend)
        at = (v[:, :, None] + scale[:, :, None] * NODES[0]).reshape(m, -1)  # quadrature about it
        g = (ones @ log_ndtr(score(at, w)) - 0.5 * weight * (at - mean[:, None]) ** 2).reshape(
            m, len(mu), -1
        )
        g -= (at.reshape(g.shape) - mu[:, None]) ** 2 / (2 * b**2)
        device_part = shared(g + NODES[0] ** 2 + np.log(NODES[1]), axis=2)[0] + np.log(scale)
        total = float(shared(device_part.sum(axis=0), axis=0)[0]) + float(np.log(unit))
        return total - square / (2 * w**2) - n * log_w - m * log_b

    return height
