"""Parameters of weak RESET of each device from traces of its resistance against pulses.

Gaussian likelihood with the covariance of 1/f noise and trap. For every knee t* of a grid and
every amplitude of the trap the law is linear in the rest; estimates are means over that grid,
weighted by the likelihood, and their variances include its width. So a trace that two knees
explain says so by its standard errors.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg
from scipy.stats import binom, chi2

from devicephys.checks import Array, in_range
from devicephys.errors import DataError
from devicephys.rram import flicker
from devicephys.rram.weak_reset import WeakReset
from devicephys.stats import LEVEL

NAMES = ("log_r", "m1", "t_star", "m2")
AMPLITUDES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)  # of the trap, in parts of 1
KNEES = 300  # of the grid, evenly spaced in ln t
DOUBT = 1e-5  # a knee counts as seen where Gaussian noise would show it so rarely; traps: 1 to 2 %
SHARP = 0.3  # and where ln t* is known that well
MARGIN = 5  # and with so many counts on either side
FEWEST = 15  # counts in a trace
VAGUE = 5.0  # times the median error: beyond, a device is left out of mean and spread
WHITE = 1e-5  # of ln R: rounding; keeps covariances positive


@dataclass(frozen=True)
class Recovered:
    """What traces tell about each device, and how well.

    Where `knee_seen` is False the trace is as well one straight line, or the knee could be
    anywhere: t_star is then no estimate, and the slopes are worth what their errors say.

    Attributes
    ----------
    log_r, log_r_stderr : ndarray
        ln(R_0 e^{c1}/Ohm) with its standard error: a trace tells R_0, c1 and the offset of its SET
        only as one product, shape (n,) [1].
    m1, m1_stderr, m2, m2_stderr : ndarray
        Slopes of ln R before and after the knee, shape (n,) [1].
    t_star, t_star_stderr : ndarray
        Knee, shape (n,) [1].
    amplitude : ndarray
        Largest amplitude of the trap, roughly: between 0 and 0.5, shape (n,) [1].
    knee_seen : ndarray of bool
        Whether the trace tells the knee, shape (n,).
    """

    log_r: Array
    log_r_stderr: Array
    m1: Array
    m1_stderr: Array
    t_star: Array
    t_star_stderr: Array
    m2: Array
    m2_stderr: Array
    amplitude: Array
    knee_seen: NDArray[np.bool_]


@dataclass(frozen=True)
class Population:
    """One parameter over the devices whose knee is seen.

    Attributes
    ----------
    name : str
        Parameter, one of `NAMES`.
    devices : int
        How many devices [1].
    median, low, high : float
        Median of the estimates with its 95 % interval by order statistics [1].
    mean, spread : float
        Mean, and standard deviation from device to device without that of the estimates; both
        leave out devices whose error is more than five times the median error [1].
    """

    name: str
    devices: int
    median: float
    low: float
    high: float
    mean: float
    spread: float


def covariance(pulses: ArrayLike, law: WeakReset, amplitude: float) -> Array:
    """Compute the covariance of ln R of one device between counts of pulses.

    Valid for counts at least one pulse apart, at which the amplitude of a filled trap is new.

    Parameters
    ----------
    pulses : array_like
        Counts, shape (k,) [1].
    law : WeakReset
        The noise of the technology.
    amplitude : float
        Largest amplitude of the trap, as `WeakReset.a_rtn` [1].

    Returns
    -------
    ndarray
        Covariance, shape (k, k) [1].

    References
    ----------
    docs/theory/weak_reset.md of this project; the law: Majumdar et al., arXiv 2107.06064.

    Examples
    --------
    >>> from devicephys.rram.weak_reset import majumdar_2021
    >>> covariance([0, 1000], majumdar_2021(), 0.25).round(6).tolist()
    [[0.001872, 0.000114], [0.000114, 0.001872]]
    """
    t = np.asarray(pulses, np.float64)
    lag = np.abs(t[:, None] - t)
    result: Array = np.eye(len(t)) * WHITE**2
    if law.flicker == "1/f":
        rates = 1 / flicker.RATIO ** np.arange(flicker.COMPONENTS)
        result += flicker.level(law.noise) ** 2 * sum(np.exp(-lag * rate) for rate in rates)
    elif law.flicker == "fir":
        b = flicker.taps().astype(np.float64)
        shared = np.append(np.correlate(b, b, "full")[len(b) - 1 :], 0.0)
        result += law.noise**2 / 12 * shared[np.minimum(lag, len(b)).astype(int)]
    if law.rtn:
        total = law.p_capture + law.p_emission
        filled = law.p_capture / total
        slow = filled * (1 - filled) / 16 * np.exp(lag * np.log1p(-total))  # of E[U U] = 1/4
        quick = np.eye(len(t)) * filled * (1 / 9 - 1 / 16)  # of U U, new at every pulse
        result += amplitude**2 * (slow + quick)
    return result


def recover(pulses: ArrayLike, resistance: ArrayLike, law: WeakReset) -> Recovered:
    """Recover the parameters of each device from a trace of its resistance.

    Valid for devices with the noise of the law, whose mean is taken off where it has one
    (`program_2021`). A trap is no Gaussian process: measured on 8000 simulated devices with seen
    knees, +-1.96 standard errors hold the truth in 88 to 97 % of cases.

    Parameters
    ----------
    pulses : array_like
        Pulses since SET at each reading, >= 0, rising, shape (k,) [1].
    resistance : array_like
        Resistances, > 0, shape (n, k) [Ohm].
    law : WeakReset
        The technology: only its noise and trap are used.

    Returns
    -------
    Recovered
        Estimates and standard errors of each device.

    Raises
    ------
    DataError
        If there are too few counts, they do not rise, or the shapes differ.

    References
    ----------
    Generalised least squares: Aitken, Proc. R. Soc. Edinb. 55 (1936) 42,
    doi:10.1017/S0370164600014346; averaging over models: docs/theory/weak_reset.md.

    Examples
    --------
    >>> from devicephys.rram.weak_reset import majumdar_2021
    >>> t = np.arange(0, 2000, 20)
    >>> r = 7000 * np.exp(1e-3 * np.minimum(t, 500) + 1e-5 * np.maximum(t - 500, 0))
    >>> found = recover(t, r[None], majumdar_2021())
    >>> round(float(found.m1[0]), 4), round(float(found.t_star[0])), bool(found.knee_seen[0])
    (0.001, 500, True)
    """
    t = in_range("pulses", pulses, "1", above=0, inclusive=True)
    r = in_range("resistance", resistance, "Ohm", above=0)
    if t.ndim != 1 or len(t) < FEWEST or (np.diff(t) <= 0).any():
        raise DataError(
            f"pulses of shape {t.shape}", expected=f"{FEWEST} counts or more that rise strictly"
        )
    if r.ndim != 2 or r.shape[1] != len(t) or not len(r):
        raise DataError(f"resistance of shape {r.shape}", expected=f"shape (n, {len(t)})")
    sums, y = _Sums(len(r)), np.log(r)
    if law.flicker == "fir" and law.particulars == "program_2021":
        y -= law.noise / 2 * flicker.taps().sum(dtype=np.float64)  # its samples are in (0, 1)
    line = np.full(len(r), -np.inf)
    knees = np.geomspace(t[3], t[-4], KNEES)
    for amplitude in AMPLITUDES if law.rtn else (0.0,):
        line = np.maximum(line, _scan(t, y, law, amplitude, knees, sums))
    return _result(sums, line, t, float(np.log(knees[1] / knees[0])))


class _Sums:
    """Running sums over the grid, weighted by likelihood over the largest so far."""

    def __init__(self, devices: int) -> None:
        self.top = np.full(devices, -np.inf)  # largest log likelihood
        self.weight = np.zeros(devices)
        self.first = np.zeros((5, devices))  # log_r, m1, ln t*, m2, amplitude
        self.second = np.zeros((5, devices))

    def add(self, log_likelihood: Array, values: Array, variances: Array) -> None:
        top = np.maximum(self.top, log_likelihood)
        fade, weight = np.exp(self.top - top), np.exp(log_likelihood - top)
        self.top = top
        self.weight = self.weight * fade + weight
        self.first = self.first * fade + weight * values
        self.second = self.second * fade + weight * (values**2 + variances[:, None])


def _scan(t: Array, y: Array, law: WeakReset, amplitude: float, knees: Array, sums: _Sums) -> Array:
    """Add all knees at one amplitude of the trap; return the log likelihood of a straight line."""
    root = linalg.cholesky(covariance(t, law, amplitude), lower=True)
    straight = np.stack([np.ones_like(t), t], axis=1)
    bent = [np.minimum(t[:, None], knees), np.maximum(t[:, None] - knees, 0.0)]
    white = linalg.solve_triangular(root, np.hstack([y.T, straight, *bent]), lower=True)
    z, line, before, after = np.split(white, np.cumsum([len(y), 2, len(knees)]), axis=1)
    constant = -0.5 * (z**2).sum(axis=0) - np.log(np.diag(root)).sum()
    filled = law.p_capture / (law.p_capture + law.p_emission)
    for k, knee in enumerate(knees):
        q, upper = np.linalg.qr(np.stack([line[:, 0], before[:, k], after[:, k]], axis=1))
        projected, inverse = q.T @ z, np.linalg.inv(upper)
        log_r, m1, m2 = inverse @ projected
        spread = (inverse**2).sum(axis=1)
        values = np.stack([
            log_r - amplitude * filled / 4,  # the mean of the trap
            m1, np.full(len(y), np.log(knee)), m2, np.full(len(y), amplitude),
        ])  # fmt: skip
        variances = np.array([spread[0], spread[1], 0.0, spread[2], 0.0])
        sums.add(constant + 0.5 * (projected**2).sum(axis=0), values, variances)
    flat = np.linalg.qr(line)[0].T @ z
    return np.asarray(constant + 0.5 * (flat**2).sum(axis=0))


def _result(sums: _Sums, line: Array, t: Array, spacing: float) -> Recovered:
    mean = sums.first / sums.weight
    variance = np.maximum(sums.second / sums.weight - mean**2, 0.0)
    variance[2] += spacing**2 / 12  # of a knee between two of the grid
    error = np.sqrt(variance)
    knee = np.exp(mean[2])
    seen = 2 * (sums.top - line) > chi2.isf(DOUBT, 2)
    seen &= (error[2] < SHARP) & (knee > t[MARGIN]) & (knee < t[-1 - MARGIN])
    return Recovered(
        log_r=mean[0], log_r_stderr=error[0], m1=mean[1], m1_stderr=error[1], t_star=knee,
        t_star_stderr=knee * error[2], m2=mean[3], m2_stderr=error[3], amplitude=mean[4],
        knee_seen=seen,
    )  # fmt: skip


def population(recovered: Recovered) -> tuple[Population, ...]:
    """Summarise the parameters over the devices whose knee is seen.

    Valid for those devices: the ones with a faint knee, of small m1, are left out, so that the
    medians of m1 and t* are above those of all devices.

    Parameters
    ----------
    recovered : Recovered
        Estimates of each device.

    Returns
    -------
    tuple of Population
        log_r, m1, t_star, m2.

    Raises
    ------
    DataError
        If fewer than ten knees are seen.

    References
    ----------
    Interval of a median by order statistics: David and Nagaraja, Order Statistics (2003), section
    7.1, doi:10.1002/0471722162.

    Examples
    --------
    >>> import dataclasses
    >>> x, seen = np.linspace(1.0, 2.0, 21), np.ones(21, bool)
    >>> numbers = dict.fromkeys([f.name for f in dataclasses.fields(Recovered)], x)
    >>> population(Recovered(**numbers | {"knee_seen": seen}))[1].median
    1.5
    """
    seen = recovered.knee_seen
    n = int(seen.sum())
    if n < 10:
        raise DataError(
            f"{n} of {len(seen)} devices with a knee", expected="ten or more",
            remedy="measure longer traces" + " of more devices" * (len(seen) < 20),
        )  # fmt: skip
    rank = int(binom.ppf((1 - LEVEL) / 2, n, 0.5)) - 1
    result = []
    for name in NAMES:
        x, error = getattr(recovered, name)[seen], getattr(recovered, f"{name}_stderr")[seen]
        known = error <= VAGUE * np.median(error)
        mean, variance = x[known].mean(), x[known].var(ddof=1) - (error[known] ** 2).mean()
        ordered = np.sort(x)
        low, high = ordered[max(rank, 0)], ordered[n - 1 - max(rank, 0)]
        numbers = (np.median(x), low, high, mean, np.sqrt(max(variance, 0.0)))
        result.append(Population(name, n, *map(float, numbers)))
    return tuple(result)
