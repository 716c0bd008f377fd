"""Whether counts agree with the model that was fitted to them, and which of them do not.

Everything starts from counts k of n and from ln p and ln(1 - p) of the model, so that rates far
below 1e-12 still count. Each check has a stated error rate and one plain sentence for a report.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as scipy_stats
from scipy.special import betainc, betaincc, gammaln, ndtri_exp

from devicephys.checks import Array, generator, in_range
from devicephys.errors import ParameterError
from devicephys.stats import LEVEL, deviance_residuals

FAMILY = 0.01  # chance that a true model raises any alarm of one kind
LEAST_DEVICES = 4  # fewer leave one degree of freedom or none to the others
SMALLEST = 1e-290  # of a tail in double precision; beyond, logarithms alone
CHANCE = 1e-6  # of counts sharing a step by accident
BOOTSTRAPS = 2000


@dataclass(frozen=True)
class OutlyingPoints:
    """Points whose counts the model cannot have given.

    Attributes
    ----------
    points : tuple of int
        Their indices.
    directions : tuple of str
        "too many" or "too few" errors, for each.
    p_values : tuple of float
        Two-sided probability, corrected for the number of points (Holm) [1].
    n_points : int
        Points that were tested [1].
    level : float
        Chance that a true model has any such point [1].
    """

    points: tuple[int, ...]
    directions: tuple[str, ...]
    p_values: tuple[float, ...]
    n_points: int
    level: float = FAMILY

    def sentence(self) -> str:
        """Say it for a report."""
        if not self.points:
            return f"No point of {self.n_points} lies outside the fit (family level {self.level:g})"
        many = self.directions.count("too many")
        return (
            f"{len(self.points)} of {self.n_points} points lie outside the fit: {many} with too "
            f"many errors, {len(self.points) - many} with too few (smallest "
            f"{p_text(min(self.p_values))}; a true model has any with chance {self.level:g})"
        )


@dataclass(frozen=True)
class OutlyingDevice:
    """One parameter of a device that lies outside the population of the others.

    Attributes
    ----------
    device, parameter : int
        Index of the device and of its parameter.
    t : float
        Distance from the mean of the others in standard deviations of a prediction [1].
    p_value : float
        Two-sided probability, corrected for devices and parameters (Holm) [1].
    """

    device: int
    parameter: int
    t: float
    p_value: float


@dataclass(frozen=True)
class OutlyingDevices:
    """Devices outside the population of the others.

    Attributes
    ----------
    found : tuple of OutlyingDevice
        What lies outside, smallest probability first.
    n_devices : int
        Devices that were compared [1].
    level : float
        Chance that devices of one normal population give any [1].
    """

    found: tuple[OutlyingDevice, ...]
    n_devices: int
    level: float = FAMILY

    def sentence(self, devices: Sequence[str], parameters: Sequence[str]) -> str:
        """Say it for a report, with the names of devices and parameters."""
        if self.n_devices < LEAST_DEVICES:
            return (
                f"{self.n_devices} devices cannot show an outlying one: "
                f"measure {LEAST_DEVICES} or more"
            )
        if not self.found:
            return f"No device of {self.n_devices} lies outside the others (level {self.level:g})"
        each = [
            f"{devices[x.device]} in {parameters[x.parameter]} "
            f"({x.t:+.1f} standard deviations, {p_text(x.p_value)})"
            for x in self.found
        ]
        return f"Outside the population of the other devices: {'; '.join(each)}"


@dataclass(frozen=True)
class Overdispersion:
    """The deviance of a fit beside what counting alone gives.

    Attributes
    ----------
    ratio : float
        Deviance over degrees of freedom [1].
    low, expected, high : float
        2.5 %, 50 % and 97.5 % points of the ratio by counting alone [1].
    p_value : float
        Bootstrap probability of a larger deviance [1].
    """

    ratio: float
    low: float
    expected: float
    high: float
    p_value: float

    def sentence(self) -> str:
        """Say it for a report."""
        there = (
            f"Deviance / degrees of freedom is {self.ratio:.3g}; counting alone gives "
            f"{self.low:.2g} to {self.high:.2g}"
        )
        if self.ratio <= self.high:
            return there
        return (
            f"{there} ({p_text(self.p_value)}): the counts depart from the model by more than "
            "counting, so standard errors from counting are too small by a factor of about "
            f"{math.sqrt(self.ratio / self.expected):.2g}"
        )


@dataclass(frozen=True)
class CountingStep:
    """A step that all counts share.

    Attributes
    ----------
    step : int
        Largest number that divides every count and every number of trials; 1 if none does, or
        if chance may have done it [1].
    points : int
        Counts that could have shown a finer step [1].
    """

    step: int
    points: int

    def sentence(self) -> str:
        """Say it for a report."""
        if self.step == 1:
            return "The counts are as fine as their numbers of trials"
        return (
            f"All counts are multiples of {self.step} (by chance 1 in "
            f"{float(self.step) ** self.points:.0e}, over {self.points} counts): the trials were "
            f"{self.step} times fewer than stated, came in groups of {self.step}, or the rates "
            "were rounded"
        )


def p_text(p_value: float) -> str:
    """Write a probability of a test for people.

    Parameters
    ----------
    p_value : float
        The probability [1].

    Returns
    -------
    str
        For example "p = 0.003".

    Examples
    --------
    >>> p_text(0.00312), p_text(0.0)
    ('p = 0.0031', 'p < 1e-290')
    """
    return f"p < {SMALLEST:g}" if p_value < SMALLEST else f"p = {p_value:.2g}"


def quantile_residuals(
    k: ArrayLike, n: ArrayLike, log_p: ArrayLike, log1m_p: ArrayLike, rng: np.random.Generator
) -> Array:
    """Compute randomised quantile residuals of counts: standard normal if the model is true.

    A count stands for the interval from P(K < k) to P(K <= k); a uniform number picks the place
    in it, so the law is exact also where nearly all counts are zero. Always finite: tails are
    taken as logarithms. A tail below 1e-290 is its first term times a geometric series, which
    moves a residual by less than 1e-4.

    Parameters
    ----------
    k : array_like
        Numbers of events, whole, any shape [1].
    n : array_like
        Numbers of trials, whole, shape broadcast with `k` [1].
    log_p, log1m_p : array_like
        ln p and ln(1 - p) of the model, <= 0 and finite, shape broadcast with `k` [1].
    rng : numpy.random.Generator
        Source of the uniform numbers.

    Returns
    -------
    ndarray
        Residuals, > 0 for more events than the model, broadcast shape [1].

    Raises
    ------
    ParameterError
        If a count is no whole number of its trials or a probability is out of range.

    References
    ----------
    Dunn and Smyth, J. Comput. Graph. Stat. 5 (1996) 236, doi:10.1080/10618600.1996.10474708.

    Examples
    --------
    >>> import math
    >>> p = 1e-15
    >>> residual = quantile_residuals(
    ...     [0, 50], 10**6, math.log(p), math.log1p(-p), np.random.default_rng(1))
    >>> bool(abs(residual[0]) < 4), round(float(residual[1]))
    (True, 49)
    """
    k, n, log_p, log1m_p = _counts(k, n, log_p, log1m_p)
    # Midpoints of 2^52 cells: never 0 or 1, where the quantile is infinite.
    v = (generator(rng).integers(2**52, size=k.shape) + 0.5) / 2.0**52
    below, upto = _log_at_most(k - 1, n, log_p, log1m_p), _log_at_most(k, n, log_p, log1m_p)
    # Above: the same for the other outcome, P(K >= k) = P(n - K <= n - k).
    from_k = _log_at_most(n - k, n, log1m_p, log_p)
    above = _log_at_most(n - k - 1, n, log1m_p, log_p)
    lower = np.logaddexp(below + np.log1p(-v), upto + np.log(v))
    upper = np.logaddexp(from_k + np.log1p(-v), above + np.log(v))
    residuals: Array = np.where(lower < upper, ndtri_exp(lower), -ndtri_exp(upper))
    return residuals


def _counts(
    k: ArrayLike, n: ArrayLike, log_p: ArrayLike, log1m_p: ArrayLike
) -> tuple[Array, Array, Array, Array]:
    k = in_range("k", k, "1", above=0, below=np.inf, inclusive=True)
    n = in_range("n", n, "1", above=0)
    log_p = in_range("log_p", log_p, "1", below=0, inclusive=True)
    log1m_p = in_range("log1m_p", log1m_p, "1", below=0, inclusive=True)
    k, n, log_p, log1m_p = np.broadcast_arrays(k, n, log_p, log1m_p)
    if np.any(k > n) or np.any(k % 1) or np.any(n % 1):
        raise ParameterError("k or n is no count", expected="whole numbers, 0 <= k <= n")
    return k, n, log_p, log1m_p


def _log_at_most(k: Array, n: Array, log_p: Array, log1m_p: Array) -> Array:
    """Logarithm of P(K <= k); -inf for k = -1."""
    inside = np.clip(k, 0, n - 1)
    p, q = np.exp(log_p), np.exp(log1m_p)
    # The smaller of p and q is the exact argument of the incomplete beta function.
    tail = np.where(p < q, betaincc(inside + 1, n - inside, p), betainc(n - inside, inside + 1, q))
    # Far below the mean P(K = j - 1)/P(K = j) falls with j: the sum is nearly geometric.
    ratio = inside / (n - inside + 1) * np.exp(np.minimum(log1m_p - log_p, 700.0))
    last = (
        gammaln(n + 1) - gammaln(inside + 1) - gammaln(n - inside + 1)
        + inside * log_p + (n - inside) * log1m_p
    )  # fmt: skip
    far = tail < SMALLEST
    series = last - np.log1p(-np.where(far, np.minimum(ratio, 1 - 1e-9), 0.0))
    log: Array = np.where(far, series, np.log(np.where(far, 1.0, tail)))
    return np.where(k < 0, -np.inf, np.where(k >= n, 0.0, log))


def outlying_points(
    k: ArrayLike, n: ArrayLike, log_p: ArrayLike, log1m_p: ArrayLike, level: float = FAMILY
) -> OutlyingPoints:
    """Find points whose counts the model cannot have given, at 1 % for all points together.

    Exact binomial tails, doubled for both sides, with Holm's correction for the number of points.
    The model is taken as known; where devices differ, hand over each device's own fit. Its
    parameters were fitted to these points, which makes an alarm a little rarer than `level`.

    Parameters
    ----------
    k : array_like
        Numbers of errors, whole, any shape [1].
    n : array_like
        Numbers of trials, whole, shape broadcast with `k` [1].
    log_p, log1m_p : array_like
        ln p and ln(1 - p) of the model, shape broadcast with `k` [1].
    level : float, optional
        Chance that a true model has any outlying point, in (0, 1) [1].

    Returns
    -------
    OutlyingPoints
        The points, as indices into the flattened arrays.

    Raises
    ------
    ParameterError
        If an argument is out of range.

    References
    ----------
    Correction: Holm, Scand. J. Stat. 6 (1979) 65, https://www.jstor.org/stable/4615733.

    Examples
    --------
    >>> import math
    >>> outlying_points([0, 1, 40], 100, math.log(0.01), math.log(0.99)).points
    (2,)
    """
    in_range("level", level, "1", above=0, below=1)
    k, n, log_p, log1m_p = (np.ravel(x) for x in _counts(k, n, log_p, log1m_p))
    few = _log_at_most(k, n, log_p, log1m_p)
    many = _log_at_most(n - k, n, log1m_p, log_p)
    p_values = _holm(np.minimum(2 * np.exp(np.minimum(few, many)), 1.0))
    found = np.flatnonzero(p_values < level)
    return OutlyingPoints(
        points=tuple(int(j) for j in found),
        directions=tuple("too many" if many[j] < few[j] else "too few" for j in found),
        p_values=tuple(float(p_values[j]) for j in found),
        n_points=len(k),
        level=level,
    )


def _holm(p_values: Array) -> Array:
    """Probabilities corrected for the number of tests, whatever their dependence."""
    order = np.argsort(p_values)
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(steps, 1.0)
    return corrected


def outlying_devices(
    values: ArrayLike, covariances: ArrayLike, level: float = FAMILY
) -> OutlyingDevices:
    """Find devices outside the population of the others, at 1 % for all devices together.

    Every device is left out in turn, so that it cannot hide itself in the spread: its distance
    from the mean of the other n - 1, over their standard deviation s times sqrt(n/(n - 1)),
    follows Student's t with n - 2 degrees of freedom for a normal population of like counting
    errors. What a device's own counting variance exceeds the others' mean by is added. Every
    parameter is tested by itself; Holm's correction covers devices and parameters. Four devices
    show only what is tens of standard deviations away, eight show seven or eight.

    Parameters
    ----------
    values : array_like
        Parameters of the devices as they are normal, mostly logarithms, shape (n, p) [1].
    covariances : array_like
        Their counting errors, shape (n, p, p) [1].
    level : float, optional
        Chance that one normal population gives any outlying device, in (0, 1) [1].

    Returns
    -------
    OutlyingDevices
        What lies outside; nothing, and a sentence that says so, for fewer than four devices.

    Raises
    ------
    ParameterError
        If an argument is out of range or the shapes do not fit.

    References
    ----------
    Prediction of one more normal sample: Hahn and Meeker, Statistical Intervals (1991),
    doi:10.1002/9780470316771. Correction: Holm, Scand. J. Stat. 6 (1979) 65.

    Examples
    --------
    >>> values = [[3.9], [3.91], [3.92], [3.9], [3.91], [3.7]]
    >>> [x.device for x in outlying_devices(values, np.full((6, 1, 1), 1e-6)).found]
    [5]
    """
    in_range("level", level, "1", above=0, below=1)
    x, errors = in_range("values", values, "1"), in_range("covariances", covariances, "1")
    if x.ndim != 2 or errors.shape != (*x.shape, x.shape[-1]):
        raise ParameterError(
            f"values {x.shape} and covariances {errors.shape}", expected="(n, p) and (n, p, p)"
        )
    n, n_parameters = x.shape
    if n < LEAST_DEVICES:
        return OutlyingDevices((), n, level)
    counting = np.diagonal(errors, axis1=1, axis2=2)
    mean = (x.sum(axis=0) - x) / (n - 1)
    squares = ((x - x.mean(axis=0)) ** 2).sum(axis=0) - (x - x.mean(axis=0)) ** 2 * n / (n - 1)
    variance = np.maximum(squares, 0.0) / (n - 2) * n / (n - 1)
    others = (counting.sum(axis=0) - counting) / (n - 1)
    width = np.sqrt(variance + np.maximum(counting - others, 0.0))
    distance = x - mean
    # The others may agree to the last digit: no width, and any distance is outside.
    t = np.divide(distance, width, out=np.copysign(np.inf, distance), where=width > 0)
    t[distance == 0] = 0.0
    p_values = _holm(2 * scipy_stats.t.sf(np.abs(t), n - 2).ravel())
    found = [int(j) for j in np.argsort(p_values) if p_values[j] < level]
    return OutlyingDevices(
        found=tuple(
            OutlyingDevice(
                j // n_parameters, j % n_parameters, float(t.flat[j]), float(p_values[j])
            )
            for j in found
        ),
        n_devices=n,
        level=level,
    )


def simulated_deviances(
    slopes: Array, n: ArrayLike, log_p: ArrayLike, log1m_p: ArrayLike, rng: np.random.Generator
) -> Array:
    """Draw deviances of counts from a fitted model, each refitted to first order.

    Counts that are mostly zero do not give chi-square deviances, so they are simulated; the refit
    takes out of the residuals what the parameters could follow.

    Parameters
    ----------
    slopes : ndarray
        Derivatives of the deviance residuals in the parameters, shape (points, parameters) [1].
    n : array_like
        Numbers of trials, shape (points,) [1].
    log_p, log1m_p : array_like
        ln p and ln(1 - p) of the fitted model, shape (points,) [1].
    rng : numpy.random.Generator
        Source of the counts.

    Returns
    -------
    ndarray
        Deviances, shape (2000,) [1].

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), doi:10.1201/9780429246593.

    Examples
    --------
    >>> p = np.full(20, 0.3)
    >>> d = simulated_deviances(
    ...     np.ones((20, 1)), np.full(20, 500), np.log(p), np.log1p(-p), np.random.default_rng(1))
    >>> bool(18 < d.mean() < 20)
    True
    """
    n = np.asarray(n)
    counts = rng.binomial(n.astype(np.int64), np.exp(log_p), size=(BOOTSTRAPS, len(n)))
    residuals = deviance_residuals(counts, n, log_p, log1m_p)
    basis, _ = np.linalg.qr(slopes)
    deviances: Array = (residuals**2).sum(axis=1) - ((residuals @ basis) ** 2).sum(axis=1)
    return deviances


def bootstrap_p(deviance: float, simulated: Array) -> float:
    """Give the probability of a larger deviance, from simulated ones.

    Parameters
    ----------
    deviance : float
        Sum of squared deviance residuals of the fit [1].
    simulated : ndarray
        Deviances of counts drawn from the fitted model, shape (bootstraps,) [1].

    Returns
    -------
    float
        (1 + those at least as large)/(1 + all): never 0 [1].

    References
    ----------
    Davison and Hinkley, Bootstrap Methods and their Application (1997),
    doi:10.1017/CBO9780511802843.

    Examples
    --------
    >>> bootstrap_p(2.0, np.array([1.0, 2.0, 3.0]))
    0.75
    """
    return float((1 + (simulated >= deviance).sum()) / (1 + len(simulated)))


def overdispersion(deviance: float, dof: int, simulated: ArrayLike) -> Overdispersion:
    """Compare the deviance of a fit with deviances that counting alone gives.

    Parameters
    ----------
    deviance : float
        Sum of squared deviance residuals of the fit, >= 0 [1].
    dof : int
        Points less parameters, > 0 [1].
    simulated : array_like
        Deviances of counts drawn from the fitted model and refitted, shape (bootstraps,) [1].

    Returns
    -------
    Overdispersion
        The ratio, its reference, and the probability.

    Raises
    ------
    ParameterError
        If an argument is out of range.

    References
    ----------
    McCullagh and Nelder, Generalized Linear Models (1989), section 4.5,
    doi:10.1007/978-1-4899-3242-6.

    Examples
    --------
    >>> found = overdispersion(60.0, 20, np.random.default_rng(1).chisquare(20, 2000))
    >>> round(found.ratio, 1), found.p_value < 0.001
    (3.0, True)
    """
    in_range("deviance", deviance, "1", above=0, inclusive=True)
    in_range("dof", dof, "1", above=0)
    drawn = in_range("simulated", simulated, "1", above=-1e-6)
    low, expected, high = np.quantile(drawn / dof, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
    p_value = bootstrap_p(deviance, drawn)
    return Overdispersion(deviance / dof, float(low), float(expected), float(high), p_value)


def counting_step(k: ArrayLike, n: ArrayLike) -> CountingStep:
    """Find a step that all counts share: fewer independent trials than were written down.

    Counts of independent trials are even or odd alike wherever their standard deviation is half
    the step or more; only those bear witness. A step is reported where the chance is below 1e-6.

    Parameters
    ----------
    k : array_like
        Numbers of events, whole, any shape [1].
    n : array_like
        Numbers of trials, whole, shape of `k` [1].

    Returns
    -------
    CountingStep
        The step, 1 where none was found.

    Raises
    ------
    ParameterError
        If a count is no whole number of its trials.

    References
    ----------
    This project's own check; counts whose variance is a quarter of the
    step squared or more are uniform modulo the step to 2 exp(-pi^2/2) = 1.4 %.

    Examples
    --------
    >>> k = np.random.default_rng(1).binomial(50, 0.4, 30)
    >>> counting_step(2 * k, np.full(30, 100)).step, counting_step(k, np.full(30, 50)).step
    (2, 1)
    """
    k, n, _, _ = _counts(k, n, -1.0, -1.0)
    step = int(np.gcd.reduce(np.concatenate([k.ravel(), n.ravel()]).astype(np.int64)))
    points = int((4 * k * (1 - k / n) >= step**2).sum())
    by_chance = step == 1 or points * math.log(step) < -math.log(CHANCE)
    return CountingStep(1 if by_chance else step, points)
