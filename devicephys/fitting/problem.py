"""Fits of several data kinds that share parameters: free, fixed, tied, bounded, with priors.

Every kind of data is a `Block` that turns parameter values into residuals whose squares add up to
a deviance: -2 ln(likelihood) up to a constant. lmfit then finds the maximum of the likelihood. Its
covariance, unscaled, is the inverse of J^T J, J being the slopes of the residuals: for normal
errors that is the inverse of the information. For counts, whose residuals are signed roots of the
deviance, it is so where events are expected; where few are, J^T J is less than the information, and
errors from such points alone come out too large: by 4 % at one expected event a point, 11 % at 0.3,
17 % at 0.1, 26 % at 0.01. A prior is one more residual.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import lmfit
import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import Array, in_range, known
from devicephys.errors import FitError, ParameterError
from devicephys.fitting.result import Estimate
from devicephys.stats import NORMAL_QUANTILE

Values = Mapping[str, float]
NEAR_BOUND = 1e-3  # of a logarithm, or of the range of a plain parameter: counts as "at its bound"
STEP = 1e-4  # of a logarithm, of central differences: their error is 1e-8, as a solver's noise
UNMOVED: Values = MappingProxyType({})
UNTOLD = "fix a parameter that these data cannot tell, or measure conditions that can"
MOST_STEPS = 500  # a fit that can be made takes some ten
STRONG = 0.99  # correlation beyond which two parameters are hardly told apart
TOLERANCE = 1e-10  # relative, of deviance and parameters between the last two steps


@dataclass(frozen=True)
class Prior:
    """What is known about a parameter before the data: a normal law, and where it comes from.

    Attributes
    ----------
    value : float
        Its centre, in the unit of the parameter.
    sigma : float
        Its standard deviation: of the logarithm for a parameter that is fitted as one [1],
        else in the unit of the parameter.
    origin : str
        Why this is known: a source, a measurement.
    """

    value: float
    sigma: float
    origin: str


@dataclass(frozen=True)
class Unknown:
    """One parameter of a fit.

    Attributes
    ----------
    name, unit, symbol : str
        Name in the code, SI unit, LaTeX symbol.
    low, high : float
        Bounds [`unit`].
    value : float or None
        Where a fit starts, or the value of a fixed parameter [`unit`].
    vary : bool
        Whether the data decide.
    log : bool
        Whether it is positive and fitted as its logarithm.
    tied : tuple of str and float, or None
        (name, factor): this parameter is the factor times another one.
    prior : Prior or None
        What is known beforehand.
    """

    name: str
    unit: str
    symbol: str
    low: float
    high: float
    value: float | None = None
    vary: bool = True
    log: bool = True
    tied: tuple[str, float] | None = None
    prior: Prior | None = None


@dataclass(frozen=True)
class Block:
    """Data of one kind as a fit sees them.

    Attributes
    ----------
    name : str
        What was measured, for reports.
    size : int
        Number of residuals [1].
    residuals : callable
        Parameter values [SI] -> residuals, shape (size,) [1].
    drawn : callable
        (Parameter values, random generator) -> a block of data drawn from the model.
    """

    name: str
    size: int
    residuals: Callable[[Values], Array]
    drawn: Callable[[Values, np.random.Generator], "Block"]


@dataclass(frozen=True)
class Found:
    """The best parameters of a fit.

    Attributes
    ----------
    values : mapping of str to float
        All parameters [SI].
    names : tuple of str
        The free ones, in the order of `theta`.
    theta : ndarray
        Free parameters as they were fitted: logarithms, or plain values, shape (p,) [1 or SI].
    covariance : ndarray
        Covariance of `theta`, shape (p, p) [1 or SI].
    deviance : float
        Sum of squared residuals, priors included [1].
    dof : int
        Residuals, priors included, less free parameters [1].
    at_bound : tuple of str
        Free parameters that ended at a bound.
    """

    values: Values
    names: tuple[str, ...]
    theta: Array
    covariance: Array
    deviance: float
    dof: int
    at_bound: tuple[str, ...]


def check(unknowns: Sequence[Unknown]) -> None:
    """Check that the parameters of a fit are complete and consistent.

    Parameters
    ----------
    unknowns : sequence of Unknown
        The parameters.

    Raises
    ------
    ParameterError
        If a name comes twice, a value or prior is outside the bounds, a logarithm meets a bound
        that is not positive, or a tie leads nowhere.

    Examples
    --------
    >>> check([Unknown("delta", "1", "", 10, 100, 5.0)])
    Traceback (most recent call last):
        ...
    devicephys.errors.ParameterError: delta = 5; expected finite, in [10, 100]
    """
    names = [u.name for u in unknowns]
    for u in unknowns:
        if names.count(u.name) > 1:
            raise ParameterError(f"parameter {u.name} twice", expected="once")
        in_range(f"lower bound of {u.name}", u.low, u.unit, above=0 if u.log else -np.inf)
        in_range(f"upper bound of {u.name}", u.high, u.unit, above=u.low)
        if u.tied is not None:
            known("parameter to tie to", u.tied[0], names, where=u.name)
            if next(x for x in unknowns if x.name == u.tied[0]).tied is not None:
                raise ParameterError(
                    f"{u.name} is tied to {u.tied[0]}, which is tied itself",
                    expected="a free or fixed parameter",
                )
        elif u.value is not None:
            in_range(u.name, u.value, u.unit, above=u.low, below=u.high, inclusive=True)
        elif not u.vary:
            raise ParameterError(f"{u.name} is fixed without a value", expected="a value")
        if u.prior is not None:
            in_range(f"prior of {u.name}", u.prior.value, u.unit, above=u.low, below=u.high)
            in_range(f"sigma of the prior of {u.name}", u.prior.sigma, "1", above=0)


def solve(unknowns: Sequence[Unknown], blocks: Sequence[Block]) -> Found:
    """Find the parameters of largest likelihood, or posterior density where there are priors.

    Valid for one maximum near the starting values: start where a search or a closed form points.

    Parameters
    ----------
    unknowns : sequence of Unknown
        The parameters; a free one without a value starts in the middle of its bounds.
    blocks : sequence of Block
        The data.

    Returns
    -------
    Found
        Values, covariance, deviance.

    Raises
    ------
    ParameterError
        As `check`.
    FitError
        If there are fewer residuals than free parameters, or the fit does not converge to
        finite standard errors.

    Examples
    --------
    >>> data = np.array([1.9, 2.1])
    >>> mean = Block("two readings", 2, lambda v: (data - v["mu"]) / 0.1, lambda v, rng: mean)
    >>> found = solve([Unknown("mu", "1", r"\\mu", 0.1, 10)], [mean])
    >>> round(found.values["mu"], 6), round(float(found.covariance[0, 0]) ** 0.5, 4)
    (2.0, 0.0354)
    """
    check(unknowns)
    free = [u for u in unknowns if u.vary and u.tied is None]
    n_residuals = sum(b.size for b in blocks) + sum(u.prior is not None for u in unknowns)
    if n_residuals < len(free):
        raise FitError(
            f"{n_residuals} data for the {len(free)} free parameters "
            + ", ".join(u.name for u in free),
            expected="at least one datum a parameter",
            remedy="measure more conditions, or fix a parameter that is known",
        )
    minimizer = minimizer_of(unknowns, blocks)
    found = minimizer.leastsq(max_nfev=MOST_STEPS)
    theta = np.array([found.params[u.name].value for u in free])
    covariance = np.zeros((0, 0)) if not free else found.covar
    if not found.success:
        raise FitError(f"no convergence ({' '.join(str(found.message).split())})", remedy=UNTOLD)
    if covariance is None or not np.isfinite(covariance).all():
        ended = [u.name for u, x in zip(free, theta, strict=True) if _at_bound(u, x)]
        each = " and ".join(ended) or "each of " + ", ".join(u.name for u in free)
        raise FitError(f"these data do not tell {each}: no standard errors", remedy=UNTOLD)
    return Found(
        values=values_of(unknowns, found.params),
        names=tuple(u.name for u in free),
        theta=theta,
        covariance=np.asarray(covariance),
        deviance=float(found.chisqr),
        dof=n_residuals - len(free),
        at_bound=tuple(u.name for u, x in zip(free, theta, strict=True) if _at_bound(u, x)),
    )


def minimizer_of(unknowns: Sequence[Unknown], blocks: Sequence[Block]) -> lmfit.Minimizer:
    """Hand a fit to lmfit, for what lmfit can do with it.

    Parameters
    ----------
    unknowns : sequence of Unknown
        The parameters.
    blocks : sequence of Block
        The data.

    Returns
    -------
    lmfit.Minimizer
        Of the residuals, with the free and fixed parameters as they are fitted.

    Examples
    --------
    >>> b = Block("one", 1, lambda v: np.array([v["x"] - 3.0]), lambda v, rng: b)
    >>> fit = minimizer_of([Unknown("x", "1", "x", 0.0, 9.0, log=False)], [b]).leastsq()
    >>> round(fit.params["x"].value, 6)
    3.0
    """
    parameters = lmfit.Parameters()
    for u in unknowns:
        if u.tied is None:
            low, high = coordinate(u, u.low), coordinate(u, u.high)
            middle = 0.5 * (low + high) if u.value is None else coordinate(u, u.value)
            inside = 1e-6 * (high - low)  # lmfit's transform of bounds is flat at the bounds
            start = float(np.clip(middle, low + inside, high - inside)) if u.vary else middle
            parameters.add(u.name, value=start, min=low, max=high, vary=u.vary)

    free = [u for u in unknowns if u.vary and u.tied is None]

    def objective(p: lmfit.Parameters, moved: Values = UNMOVED) -> Array:
        values = values_of(unknowns, p, moved)
        return np.concatenate(
            [*(b.residuals(values) for b in blocks), prior_residuals(unknowns, values)]
        )

    def slopes(p: lmfit.Parameters) -> Array:
        def at(theta: Array) -> Array:
            return objective(p, {u.name: x for u, x in zip(free, theta, strict=True)})

        theta = np.array([p[u.name].value for u in free])
        return central_slopes(at, theta, [_step(u, x) for u, x in zip(free, theta, strict=True)])

    return lmfit.Minimizer(
        objective, parameters, scale_covar=False, Dfun=slopes, ftol=TOLERANCE, xtol=TOLERANCE
    )


def central_slopes(of: Callable[[Array], Array], theta: Array, steps: ArrayLike) -> Array:
    """Compute slopes of residuals by central differences.

    Parameters
    ----------
    of : callable
        Parameters, shape (p,) -> residuals, shape (n,) [1].
    theta : ndarray
        Parameters as they are fitted, shape (p,) [1 or SI].
    steps : array_like
        Steps of each, shape (p,) [1 or SI].

    Returns
    -------
    ndarray
        Slopes, shape (n, p) [1 over the unit of each parameter].

    Examples
    --------
    >>> central_slopes(lambda x: x**2, np.array([1.0, 3.0]), [1e-3, 1e-3]).round(9).tolist()
    [[2.0, 0.0], [0.0, 6.0]]
    """
    moves = np.diag(np.asarray(steps, np.float64))
    return np.array([(of(theta + s) - of(theta - s)) / (2 * s.sum()) for s in moves]).T


def _step(u: Unknown, x: float) -> float:
    return STEP if u.log else STEP * max(abs(x), 1e-6 * (u.high - u.low))


def coordinate(unknown: Unknown, value: float) -> float:
    """Give a parameter as it is fitted: its logarithm, or itself.

    Parameters
    ----------
    unknown : Unknown
        The parameter.
    value : float
        Its value [`unknown.unit`].

    Returns
    -------
    float
        Its coordinate [1 or `unknown.unit`].

    Examples
    --------
    >>> coordinate(Unknown("x", "1", "x", 0.1, 9.0), 1.0)
    0.0
    """
    return float(np.log(value)) if unknown.log else value


def value_at(unknown: Unknown, x: float) -> float:
    """Give the value of a parameter from its coordinate, as `coordinate` the other way.

    Parameters
    ----------
    unknown : Unknown
        The parameter.
    x : float
        Its coordinate [1 or `unknown.unit`].

    Returns
    -------
    float
        Its value [`unknown.unit`].

    Examples
    --------
    >>> value_at(Unknown("x", "1", "x", 0.1, 9.0), 0.0)
    1.0
    """
    return float(np.exp(x)) if unknown.log else float(x)


def values_of(
    unknowns: Sequence[Unknown], parameters: lmfit.Parameters, moved: Values = UNMOVED
) -> dict[str, float]:
    """Give the values of all parameters from those that lmfit holds.

    Parameters
    ----------
    unknowns : sequence of Unknown
        The parameters.
    parameters : lmfit.Parameters
        Free and fixed ones, as they are fitted.
    moved : mapping of str to float, optional
        Coordinates that stand for those of `parameters` [1 or SI].

    Returns
    -------
    dict of str to float
        Values, ties followed [SI].

    Examples
    --------
    >>> p = lmfit.Parameters()
    >>> p.add("a", value=0.0)
    >>> values_of([Unknown("a", "1", "a", 0.1, 9), Unknown("b", "1", "b", 0.1, 9,
    ...            tied=("a", 2.0))], p)
    {'a': 1.0, 'b': 2.0}
    """
    values = {}
    for u in unknowns:
        if u.tied is None:
            x = moved.get(u.name, parameters[u.name].value)
            values[u.name] = value_at(u, x)
    for u in unknowns:
        if u.tied is not None:
            values[u.name] = u.tied[1] * values[u.tied[0]]
    return {u.name: values[u.name] for u in unknowns}


def prior_residuals(unknowns: Sequence[Unknown], values: Values) -> Array:
    """Give the distances of parameters from what is known beforehand, in standard deviations.

    Parameters
    ----------
    unknowns : sequence of Unknown
        The parameters.
    values : mapping of str to float
        Their values [SI].

    Returns
    -------
    ndarray
        One residual for each prior, shape (priors,) [1].

    Examples
    --------
    >>> u = Unknown("x", "1", "x", 0.0, 9.0, log=False, prior=Prior(2.0, 0.5, "an earlier lot"))
    >>> prior_residuals([u], {"x": 3.0}).tolist()
    [2.0]
    """
    return np.array([
        (coordinate(u, values[u.name]) - coordinate(u, u.prior.value)) / u.prior.sigma
        for u in unknowns if u.prior is not None
    ])  # fmt: skip


def named(unknowns: Sequence[Unknown], names: Sequence[str]) -> list[Unknown]:
    """Find parameters by name.

    Parameters
    ----------
    unknowns : sequence of Unknown
        The parameters.
    names : sequence of str
        Names of some of them.

    Returns
    -------
    list of Unknown
        These, in the order of the names.

    Examples
    --------
    >>> [u.name for u in named([Unknown("x", "1", "x", 0.1, 9.0)], ["x"])]
    ['x']
    """
    by_name = {u.name: u for u in unknowns}
    return [by_name[name] for name in names]


def confounded(names: Sequence[str], covariance: Array) -> list[tuple[str, str, float]]:
    """List pairs of parameters that data hardly tell apart.

    Parameters
    ----------
    names : sequence of str
        The parameters.
    covariance : ndarray
        Covariance of their coordinates, shape (p, p) [1 or SI].

    Returns
    -------
    list of (str, str, float)
        First and second name in their order, and a correlation beyond .99 [1].

    Examples
    --------
    >>> confounded(["a", "b"], np.array([[1.0, 0.999], [0.999, 1.0]]))
    [('a', 'b', 0.999)]
    """
    errors = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(errors, errors)
    return [
        (names[b], names[a], float(correlation[a, b]))
        for a in range(len(names)) for b in range(a) if abs(correlation[a, b]) > STRONG
    ]  # fmt: skip


def _at_bound(u: Unknown, x: float) -> bool:
    low, high = coordinate(u, u.low), coordinate(u, u.high)
    return min(x - low, high - x) < (NEAR_BOUND if u.log else NEAR_BOUND * (high - low))


def started(unknowns: Sequence[Unknown], values: Values) -> list[Unknown]:
    """Start parameters at given values.

    Parameters
    ----------
    unknowns : sequence of Unknown
        The parameters.
    values : mapping of str to float
        Values by name; fixed and tied parameters keep theirs [SI].

    Returns
    -------
    list of Unknown
        The parameters, free ones with their new start.

    Examples
    --------
    >>> started([Unknown("x", "1", "x", 0.1, 9.0)], {"x": 2.0})[0].value
    2.0
    """
    return [
        replace(u, value=float(np.clip(values[u.name], u.low, u.high)))
        if u.vary and u.tied is None and u.name in values else u
        for u in unknowns
    ]  # fmt: skip


def estimates(unknowns: Sequence[Unknown], found: Found) -> tuple[Estimate, ...]:
    """Give the parameters of a fit with standard errors and intervals from the covariance.

    Parameters
    ----------
    unknowns : sequence of Unknown
        The parameters.
    found : Found
        Their fit.

    Returns
    -------
    tuple of Estimate
        Free and tied ones with 95 % intervals, symmetric as they are fitted; fixed ones as given.

    Examples
    --------
    >>> data = np.array([1.9, 2.1])
    >>> mean = Block("two readings", 2, lambda v: (data - v["mu"]) / 0.1, lambda v, rng: mean)
    >>> unknowns = [Unknown("mu", "1", r"\\mu", 0.1, 10)]
    >>> e = estimates(unknowns, solve(unknowns, [mean]))[0]
    >>> round(e.low, 3), round(e.high, 3)
    (1.866, 2.144)
    """
    made = []
    for u in unknowns:
        value = found.values[u.name]
        free = u.name if u.tied is None else u.tied[0]
        if free not in found.names:
            made.append(Estimate(u.name, value, 0.0, value, value, u.unit, u.symbol, vary=False))
            continue
        k = found.names.index(free)
        error = float(np.sqrt(found.covariance[k, k]))
        if next(x for x in unknowns if x.name == free).log:
            stderr = abs(value) * error
            low, high = sorted(value * np.exp(np.array([-1, 1]) * NORMAL_QUANTILE * error))
        else:
            stderr = error * (1.0 if u.tied is None else abs(u.tied[1]))
            low, high = value + np.array([-1, 1]) * NORMAL_QUANTILE * stderr
        made.append(
            Estimate(u.name, value, stderr, float(low), float(high), u.unit, u.symbol,
                     bounds=(u.low, u.high))
        )  # fmt: skip
    return tuple(made)
