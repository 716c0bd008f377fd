"""Switching probability against voltage at one pulse width: an empirical curve, no STT/SOT physics.

Two laws describe where a pulse begins to switch a device; neither knows its torque:

normal
    ``P = Phi((V - V_50)/sigma)``: the voltage that a pulse needs is normal from pulse to pulse, the
    sum of many small causes (initial angle, thermal kicks);
extreme_value
    ``P = 1 - exp(-ln 2 exp((V - V_50)/s))``, ``sigma = s pi/sqrt(6)``: thermal activation over a
    barrier that falls linearly with V at one width, where s = V_c/Delta (Neel-Brown). It does not
    hold for pulses of nanoseconds, where it is a curve with a longer lower tail.

Both are given by V_50 and the standard deviation sigma, so that fits compare. A ceiling
P_max < 1 multiplies either: pulses that switch back, or do not switch at any voltage.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import lmfit
import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import log_ndtr

from devicephys.checks import Array, in_range, known
from devicephys.errors import DataError, FitError, ParameterError
from devicephys.fitting.goodness import bootstrap_p, simulated_deviances
from devicephys.fitting.problem import central_slopes
from devicephys.stats import CHI_SQUARE, deviance_residuals

LAWS = ("normal", "extreme_value")
THETA = ("v_50", "ln_sigma", "ln_1m_p_max")  # as fitted
FLOOR = 1e-300  # of a probability: its logarithm stays finite
WIDEST, NARROWEST = 10.0, 1e-3  # sigma, in ranges of the measured voltages
NEAR_BOUND = 1e-3  # of a logarithm
STEP = 1e-5  # of derivatives
UNITS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"v_50": ("V", "V_{50}"), "sigma": ("V", r"\sigma_V"), "p_max": ("1", r"P_{max}")}
)


@dataclass(frozen=True)
class SwitchingCurve:
    """A fitted curve of switching probability against voltage.

    Attributes
    ----------
    law : str
        Of `LAWS`.
    values : mapping of str to float
        v_50 [V], sigma [V], and p_max [1] where a ceiling was fitted.
    stderrs : mapping of str to float
        Standard errors from the curvature of the likelihood, as `values`; 0 for a p_max of 1,
        which was not left: its interval counts.
    covariance : ndarray
        Covariance of v_50 [V], ln sigma [1] and ln(1 - p_max) [1], shape (parameters, parameters).
    deviance : float
        Sum of squared deviance residuals [1].
    dof : int
        Points less parameters [1].
    simulated : ndarray
        Deviances of counts drawn from the fitted curve and refitted, shape (bootstraps,) [1].
    p_value : float
        Bootstrap probability of a larger deviance [1].
    """

    law: str
    values: Mapping[str, float]
    stderrs: Mapping[str, float]
    covariance: Array
    deviance: float
    dof: int
    simulated: Array
    p_value: float


def log_probabilities(
    law: str, voltage: ArrayLike, v_50: float, sigma: float, p_max: float = 1.0
) -> tuple[Array, Array]:
    """Compute ln P of not switching and of switching at a voltage, by an empirical law.

    Parameters
    ----------
    law : {"normal", "extreme_value"}
        The law.
    voltage : array_like
        Magnitudes of the pulses, any shape [V].
    v_50 : float
        Voltage of half of `p_max` [V].
    sigma : float
        Standard deviation of the voltage that a pulse needs, > 0 [V].
    p_max : float, optional
        Switching probability at high voltage, in (0, 1] [1].

    Returns
    -------
    tuple of ndarray
        ln of the error probability and of the switching probability, at least -690.8 (1e-300),
        shape of `voltage` [1].

    Raises
    ------
    ParameterError
        If an argument is out of range or the law is unknown.

    Examples
    --------
    >>> [log_probabilities(law, 0.9, 0.9, 0.02)[1].round(6).item() for law in LAWS]
    [-0.693147, -0.693147]
    """
    known("law", law, LAWS)
    x = (in_range("voltage", voltage, "V") - v_50) / in_range("sigma", sigma, "V", above=0)
    in_range("p_max", p_max, "1", above=0, below=1 + 1e-12)
    if law == "normal":
        fails, switches = log_ndtr(-x), log_ndtr(x)
    else:
        # Beyond exp(7) the survival is below the floor.
        hazard = np.log(2) * np.exp(np.minimum(x * np.pi / np.sqrt(6), 7.0))
        fails, switches = -hazard, np.log(-np.expm1(-np.maximum(hazard, FLOOR)))
    if p_max < 1:
        fails = np.logaddexp(np.log1p(-p_max), np.log(p_max) + fails)
        switches = switches + np.log(p_max)
    lowest = np.log(FLOOR)
    return np.maximum(fails, lowest), np.maximum(switches, lowest)


def fit(
    voltage: ArrayLike,
    k: ArrayLike,
    n: ArrayLike,
    rng: np.random.Generator,
    law: str = "normal",
    *,
    ceiling: bool = False,
    where: str = "",
) -> SwitchingCurve:
    """Fit an empirical switching curve to error counts of one device, direction and pulse width.

    Exact binomial maximum likelihood. Valid as a description inside the measured voltages; it says
    nothing about other widths, nor about rates far below 1/n.

    Parameters
    ----------
    voltage : array_like
        Magnitudes of the pulses, shape (points,) [V].
    k : array_like
        Numbers of pulses that did not switch, shape (points,) [1].
    n : array_like
        Numbers of pulses, shape (points,) [1].
    rng : numpy.random.Generator
        Source of the bootstrap counts.
    law : {"normal", "extreme_value"}, optional
        The law.
    ceiling : bool, optional
        Whether P_max is fitted too; else it is 1.
    where : str, optional
        The data, for messages.

    Returns
    -------
    SwitchingCurve
        The curve.

    Raises
    ------
    ParameterError
        If an argument is out of range.
    DataError
        If there are too few points.
    FitError
        If the counts do not fix the parameters, with what to measure.

    References
    ----------
    Binomial residuals: McCullagh and Nelder (1989), doi:10.1007/978-1-4899-3242-6. Activation
    under a pulse: Koch, Katine and Sun, Phys. Rev. Lett. 92 (2004) 088302,
    doi:10.1103/PhysRevLett.92.088302.

    Examples
    --------
    >>> voltage = np.linspace(0.8, 1.0, 11)
    >>> switched = np.array([0, 1, 2, 12, 26, 53, 78, 90, 98, 100, 100])
    >>> curve = fit(voltage, 100 - switched, [100] * 11, np.random.default_rng(1))
    >>> round(curve.values["v_50"], 3), round(curve.values["sigma"], 3)
    (0.898, 0.03)
    """
    known("law", law, LAWS)
    v, k, n = _counts(voltage, k, n)
    names = THETA[: 3 if ceiling else 2]
    _identified(v, k, n, len(names), where)

    def residuals(theta: Array) -> Array:
        return deviance_residuals(k, n, *_logs(law, v, theta))

    theta = _best(residuals, _starts(v, len(names)), _bounds(v))
    _converged(theta, v, where)
    if ceiling and theta[2] < _bounds(v)[2][0] + NEAR_BOUND:
        theta[2], names = -np.inf, names[:2]  # no ceiling: nothing to move below it
    steps = STEP * np.array([np.exp(theta[1]), 1.0, 1.0])[: len(theta)]
    slopes = central_slopes(residuals, theta, steps)[:, : len(names)]
    covariance = np.zeros((len(theta),) * 2)
    covariance[: len(names), : len(names)] = np.linalg.inv(slopes.T @ slopes)
    deviance = float((residuals(theta) ** 2).sum())
    simulated = simulated_deviances(slopes, n, *_logs(law, v, theta), rng)
    values = _values(theta)
    to_values = np.array([1.0, values["sigma"], 1 - values.get("p_max", 0.0)])[: len(theta)]
    errors = np.sqrt(np.diag(covariance)) * to_values
    return SwitchingCurve(
        law=law,
        values=values,
        stderrs=dict(zip(values, errors.tolist(), strict=True)),
        covariance=covariance,
        deviance=deviance,
        dof=len(v) - len(names),
        simulated=simulated,
        p_value=bootstrap_p(deviance, simulated),
    )


def intervals(
    curve: SwitchingCurve, voltage: ArrayLike, k: ArrayLike, n: ArrayLike
) -> dict[str, tuple[float, float]]:
    """Bound the parameters of a fitted curve by the profile of its likelihood, at 95 %.

    An interval holds the values at which the deviance, minimised over the other parameters, is
    less than 3.84 above its minimum. An end that the counts leave open is infinite, 0 for sigma,
    and 1 or 0 for p_max. Only counting errors are in it: a curve that does not fit the counts has
    intervals that are too narrow.

    Parameters
    ----------
    curve : SwitchingCurve
        The fit.
    voltage : array_like
        Magnitudes of the pulses it was fitted to, shape (points,) [V].
    k : array_like
        Numbers of pulses that did not switch, shape (points,) [1].
    n : array_like
        Numbers of pulses, shape (points,) [1].

    Returns
    -------
    dict of str to tuple of float
        Lower and upper end by parameter [SI].

    Raises
    ------
    ParameterError
        If an argument is out of range.

    References
    ----------
    Venzon and Moolgavkar, Appl. Stat. 37 (1988) 87, doi:10.2307/2347496.

    Examples
    --------
    >>> voltage = np.linspace(0.8, 1.0, 11)
    >>> failed = 100 - np.array([0, 1, 2, 12, 26, 53, 78, 90, 98, 100, 100])
    >>> curve = fit(voltage, failed, [100] * 11, np.random.default_rng(1))
    >>> [round(x, 3) for x in intervals(curve, voltage, failed, [100] * 11)["v_50"]]
    [0.894, 0.902]
    """
    v, k, n = _counts(voltage, k, n)
    best = np.maximum(_theta(curve.values), [low for low, _ in _bounds(v)][: len(curve.values)])
    errors = np.sqrt(np.diag(curve.covariance))

    def residuals(theta: Array) -> Array:
        return deviance_residuals(k, n, *_logs(curve.law, v, theta))

    def end(j: int, sign: int) -> float:
        """Where the profile crosses the level on one side of parameter j."""

        def excess(value: float) -> float:
            start = np.where(np.arange(len(best)) == j, value, best)
            theta = _best(residuals, [start], _bounds(v), fixed=j)
            return float((residuals(theta) ** 2).sum()) - curve.deviance - CHI_SQUARE

        bound = _bounds(v)[j][(sign + 1) // 2]
        step = errors[j] if errors[j] > 0 else 1.0
        inner, outer = best[j], best[j]
        while excess(outer) < 0:
            if outer == bound:
                return sign * np.inf
            inner, step = outer, 2 * step
            outer = sign * min(sign * (best[j] + sign * step), sign * bound)
        return float(brentq(excess, inner, outer, xtol=1e-3 * min(errors[j] or 1.0, 1.0)))

    found = {name: (end(j, -1), end(j, 1)) for j, name in enumerate(curve.values)}
    found["sigma"] = (float(np.exp(found["sigma"][0])), float(np.exp(found["sigma"][1])))
    if "p_max" in found:
        low, high = found["p_max"]
        found["p_max"] = (max(1 - float(np.exp(high)), 0.0), 1 - float(np.exp(low)))
    return found


def _counts(voltage: ArrayLike, k: ArrayLike, n: ArrayLike) -> tuple[Array, Array, Array]:
    v = in_range("voltage", voltage, "V", above=0)
    k = in_range("k", k, "1", above=0, below=np.inf, inclusive=True)
    n = in_range("n", n, "1", above=0)
    if v.ndim != 1 or {k.shape, n.shape} != {v.shape} or np.any(k > n) or np.any(k % 1 + n % 1):
        raise ParameterError(
            f"voltage {v.shape}, k {k.shape}, n {n.shape}",
            expected="one shape (points,), whole numbers 0 <= k <= n",
        )
    return v, k, n


def _identified(v: Array, k: Array, n: Array, n_parameters: int, where: str) -> None:
    """Refuse counts that fix no curve, and say what to measure."""
    if len(np.unique(v)) <= n_parameters:
        raise DataError(
            f"{len(np.unique(v))} voltages for {n_parameters} parameters", where=where,
            expected=f"{n_parameters + 1} or more", remedy="measure more voltages",
        )  # fmt: skip
    if not k.any():
        raise FitError(
            "every pulse switched", where=where, remedy=f"measure below {v.min():g} V",
        )  # fmt: skip
    if (k == n).all():
        raise FitError("no pulse switched", where=where, remedy=f"measure above {v.max():g} V")
    partly = np.unique(v[(k > 0) & (k < n)])
    if len(partly) >= 2:
        return
    if len(partly) == 1:
        seen, near = f"only {partly[0]:g} V switched some of the pulses", f"{partly[0]:g} V"
        raise FitError(f"{seen}: sigma has no lower bound", where=where,
                       remedy=f"measure more voltages close to {near}")  # fmt: skip
    low, high = v[k == n].max(), v[k == 0].min()
    raise FitError(
        f"no voltage switched some of the pulses and not all: V_50 lies between {low:g} and "
        f"{high:g} V, sigma is unknown", where=where, remedy="measure between them in finer steps",
    )  # fmt: skip


def _theta(values: Mapping[str, float]) -> Array:
    theta = [values["v_50"], np.log(values["sigma"])]
    if "p_max" in values:
        theta.append(np.log(max(1 - values["p_max"], FLOOR)))
    return np.array(theta)


def _values(theta: Array) -> dict[str, float]:
    plain = [theta[0], np.exp(theta[1]), *(-np.expm1(theta[2:]))]
    return {name: float(x) for name, x in zip(UNITS, plain, strict=False)}


def _logs(law: str, v: Array, theta: Array) -> tuple[Array, Array]:
    return log_probabilities(law, v, **_values(theta))


def _bounds(v: Array) -> list[tuple[float, float]]:
    """Bounds of v_50, ln sigma and ln(1 - p_max)."""
    span = float(np.ptp(v))
    sigma = (np.log(NARROWEST * span), np.log(WIDEST * span))
    return [(float(v.min()) - span, float(v.max()) + span), sigma, (np.log(1e-6), np.log(0.99))]


def _starts(v: Array, n_parameters: int) -> list[Array]:
    return [
        np.array([v_50, np.log(np.ptp(v) * share), np.log(0.05)])[:n_parameters]
        for v_50 in np.quantile(v, [0.25, 0.5, 0.75])
        for share in (0.05, 0.3)
    ]


def _best(
    residuals: Callable[[Array], Array],
    starts: list[Array],
    bounds: list[tuple[float, float]],
    fixed: int | None = None,
) -> Array:
    """Parameters of the smallest deviance over several starts, one of them held if so asked."""
    outcomes = []
    for start in starts:
        parameters = lmfit.Parameters()
        for j, (name, value) in enumerate(zip(THETA, start, strict=False)):
            low, high = bounds[j]
            inside = float(np.clip(value, low + 1e-9, high - 1e-9)) if j != fixed else value
            parameters.add(name, value=inside, min=low, max=high, vary=j != fixed)

        def objective(p: lmfit.Parameters) -> Array:
            return residuals(np.array([p[name].value for name in p]))

        outcomes.append(lmfit.Minimizer(objective, parameters, scale_covar=False).leastsq())
    found = min(outcomes, key=lambda x: float(x.chisqr))
    return np.array([found.params[name].value for name in found.params])


def _converged(theta: Array, v: Array, where: str) -> None:
    """Refuse a curve that the counts do not show."""
    low, high = _bounds(v)[1]
    if theta[1] > high - NEAR_BOUND:
        raise FitError(
            "the switching probability does not rise with the voltage", where=where,
            remedy="check the columns, and that errors are pulses that did not switch",
        )  # fmt: skip
    if theta[1] < low + NEAR_BOUND:
        raise FitError(
            "the curve is steeper than the voltages resolve", where=where,
            remedy=f"measure in finer steps around {theta[0]:.4g} V",
        )  # fmt: skip
    if not v.min() <= theta[0] <= v.max():
        side = "below" if theta[0] < v.min() else "above"
        raise FitError(
            f"V_50 = {theta[0]:.4g} V would be an extrapolation", where=where,
            expected=f"V_50 inside the measured {v.min():g} to {v.max():g} V",
            remedy=f"measure {side} that range",
        )  # fmt: skip
