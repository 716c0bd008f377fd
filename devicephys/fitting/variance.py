"""Device-to-device and cycle-to-cycle spread with intervals: one-way random effects.

Value j of device i is ``mean + b_i + e_ij`` with standard deviations `between` and `within`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize
from scipy import stats as scipy_stats

from devicephys.checks import Array
from devicephys.errors import DataError
from devicephys.rram.ramp import Variance, split_variance
from devicephys.stats import LEVEL, NORMAL_QUANTILE

NODES = 400  # of the law of the mean square within devices
TAIL = (1 - LEVEL) / 2
CHANCE = 1e-4  # of equal devices called unequal, to first order; measured: 0 to 0.5 %


@dataclass(frozen=True)
class Split:
    """Spread between and within devices, with 95 % intervals.

    Attributes
    ----------
    variance : Variance
        The estimates.
    mean_low, mean_high : float
        Interval of the mean over devices [unit of the values].
    between_low, between_high : float
        Interval of the standard deviation between devices, of normal laws; `low` is 0 where the
        devices could be equal [unit of the values].
    within_low, within_high : float
        Interval of the standard deviation within a device, exact for a normal law [unit of the
        values].
    icc, icc_low, icc_high : float
        Share of the variance that is between devices, with an exact interval [1].
    between_jackknife, within_jackknife : tuple of float
        Intervals from leaving out one device at a time: for other laws than the normal, and for
        devices whose cycles scatter unequally; NaN with fewer than three devices, and of `between`
        where `between_low` is 0 [unit of the values].
    n, n_devices : int
        Values and devices [1].
    """

    variance: Variance
    mean_low: float
    mean_high: float
    between_low: float
    between_high: float
    within_low: float
    within_high: float
    icc: float
    icc_low: float
    icc_high: float
    between_jackknife: tuple[float, float]
    within_jackknife: tuple[float, float]
    n: int
    n_devices: int

    @property
    def between(self) -> float:
        """Standard deviation between devices [unit of the values]."""
        return self.variance.between

    @property
    def within(self) -> float:
        """Standard deviation within a device [unit of the values]."""
        return self.variance.within

    @property
    def unequal(self) -> bool:
        """Whether cycles of the devices scatter unlike one normal law.

        Then `within_jackknife` is wider than normal laws let it be; false in less than 1 % of
        normal data.
        """
        low, high = self.within_jackknife
        ratio = np.log(high / low) / np.log(self.within_high / self.within_low)
        dof = self.n_devices - 1
        reach = scipy_stats.t.ppf(1 - TAIL, dof) / NORMAL_QUANTILE
        return bool(ratio > reach * np.sqrt(scipy_stats.chi2.isf(CHANCE, dof) / dof))


def split(values: ArrayLike, device: ArrayLike) -> Split:
    """Split the variance of a quantity into device-to-device and cycle-to-cycle parts.

    Valid for independent cycles and devices; intervals of `between`, `within` and `icc` for normal
    laws (take ln R, not R). Estimates are those of `rram.ramp.split_variance`.

    Parameters
    ----------
    values : array_like
        The quantity, shape (n,); NaN is left out [any unit].
    device : sequence of str
        Device of each value, shape (n,).

    Returns
    -------
    Split
        Estimates and intervals.

    Raises
    ------
    DataError
        If shapes differ, there are fewer than two devices, no device has two values, or the
        values of every device are equal.

    Notes
    -----
    within^2 (n - k)/chi^2_{n-k} is exact. With Q(b, w) = sum of (mean_i - centre)^2/(b + w/n_i),
    weighed by the same, Q at the true variances is chi^2_{k-1}, whatever the n_i: Q(b/w)/within^2
    is F, which bounds icc exactly (Wald), and b solves Q(b, within^2 (n - k)/chi^2_{n-k}) =
    chi^2_{k-1}, whose law over both chi^2 bounds it (generalised interval). Measured coverage of
    `between` at 95 %: see docs/guide/fit_rram.md.

    References
    ----------
    Wald, Ann. Math. Stat. 11 (1940) 96, doi:10.1214/aoms/1177731946; generalised interval:
    Weerahandi, J. Am. Stat. Assoc. 88 (1993) 899, doi:10.1080/01621459.1993.10476355; jackknife:
    Arvesen, Ann. Math. Stat. 40 (1969) 2076, doi:10.1214/aoms/1177697287.

    Examples
    --------
    >>> device = np.repeat(["a", "b", "c", "d", "e"], 4)
    >>> rng = np.random.default_rng(1)
    >>> x = np.repeat(rng.normal(0, 0.2, 5), 4) + rng.normal(0, 0.1, 20)
    >>> s = split(x, device)
    >>> bool(s.between_low < 0.2 < s.between_high), bool(s.within_low < 0.1 < s.within_high)
    (True, True)
    """
    y, names = np.asarray(values, np.float64), np.asarray(device).astype(np.str_)
    if y.ndim != 1 or y.shape != names.shape:
        raise DataError(f"values {y.shape} and device {names.shape}", expected="one shape (n,)")
    y, names = y[~np.isnan(y)], names[~np.isnan(y)]
    v = split_variance(y, names)
    if v.within == 0:
        raise DataError(
            f"the {len(y)} values of {v.n_devices} devices do not differ within a device",
            expected="cycles that scatter", remedy="record more digits, or cycle the devices",
        )  # fmt: skip
    _, index, counts = np.unique(names, return_inverse=True, return_counts=True)
    means = np.bincount(index, y) / counts
    k, n = v.n_devices, len(y)
    low, high = scipy_stats.chi2.ppf([1 - TAIL, TAIL], n - k)
    total = v.within**2 * (n - k)
    ratio = _ratio(means, counts, v.within**2, n - k)
    b_low, b_high = _between(means, counts, total, n - k)
    half = float(scipy_stats.t.ppf(1 - TAIL, k - 1)) * v.stderr
    jackknife = _jackknife(y, index, v, b_low > 0)
    return Split(
        v, v.mean - half, v.mean + half, b_low, b_high, float(np.sqrt(total / low)),
        float(np.sqrt(total / high)), v.between**2 / (v.between**2 + v.within**2),
        ratio[0] / (1 + ratio[0]), ratio[1] / (1 + ratio[1]), *jackknife, n, k,
    )  # fmt: skip


def _ratio(means: Array, counts: NDArray[np.intp], within: float, dof: int) -> list[float]:
    """Exact ends of the interval of between^2/within^2."""
    k = len(means)

    def excess(ratio: float, target: float) -> float:
        return float(_q(means, counts, np.array([ratio]), np.ones(1))[0]) - target

    targets = (k - 1) * within * scipy_stats.f.ppf([1 - TAIL, TAIL], k - 1, dof)
    return [_solve(partial(excess, target=float(c)), 1.0) for c in targets]


def _q(means: Array, counts: NDArray[np.intp], between: Array, within: Array) -> Array:
    """Weighed sum of squares of device means, for arrays of variances, shape of `between`."""
    w = 1 / (between[:, None] + within[:, None] / counts)
    centre = (w @ means) / w.sum(axis=1)
    return np.asarray((w * (means - centre[:, None]) ** 2).sum(axis=1))


def _solve(falling: Callable[[float], float], scale: float) -> float:
    """Find the zero >= 0 of a falling function; 0 where it is not positive there."""
    if not falling(0.0) > 0:
        return 0.0
    high = scale
    while falling(high) > 0:
        high *= 4
    return float(optimize.brentq(falling, 0.0, high, xtol=1e-14 * high, rtol=1e-12))


def _between(means: Array, counts: NDArray[np.intp], total: float, dof: int) -> tuple[float, float]:
    """Generalised interval of the standard deviation between devices."""
    within = total / scipy_stats.chi2.ppf((np.arange(NODES) + 0.5) / NODES, dof)
    k = len(means)

    def above(between: float, chance: float) -> float:
        q = _q(means, counts, np.full(NODES, between), within)
        return float(scipy_stats.chi2.cdf(q, k - 1).mean()) - chance

    scale = float(means.var()) + 1e-300
    low, high = (_solve(partial(above, chance=c), scale) for c in (1 - TAIL, TAIL))
    return float(np.sqrt(low)), float(np.sqrt(high))


def _jackknife(
    y: Array, index: NDArray[Any], whole: Variance, differ: bool
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Intervals of both standard deviations from leaving out devices, by their logarithms."""
    k = whole.n_devices
    unknown = (np.nan, np.nan)
    if k < 3 or np.bincount(index).max() < 2:
        return unknown, unknown
    left = [split_variance(y[index != i], index[index != i]) for i in range(k)]
    reach = scipy_stats.t.ppf(1 - TAIL, k - 1)
    found = []
    for name in ("between", "within"):
        x = np.array([getattr(v, name) for v in left])
        if not (x > 0).all() or not (differ or name == "within"):
            found.append(unknown)
            continue
        log, centre = np.log(x), float(np.log(getattr(whole, name)))
        half = reach * float(np.sqrt((k - 1) / k * ((log - log.mean()) ** 2).sum()))
        found.append((float(np.exp(centre - half)), float(np.exp(centre + half))))
    return found[0], found[1]
