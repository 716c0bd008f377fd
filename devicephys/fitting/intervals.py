"""Intervals beside that of the covariance: profile likelihood, parametric bootstrap, posterior.

All three take a fit as `problem.solve` takes it. The profile needs a chi-square law for the rise of
the deviance, the bootstrap only the model, the posterior a prior (flat in the coordinates of the
fit where none is stated); where the three and the covariance agree, the interval can be trusted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from devicephys.checks import Array, whole
from devicephys.errors import AccuracyError, FitError, ParameterError
from devicephys.fitting.problem import (
    Block,
    Found,
    Prior,
    Unknown,
    coordinate,
    minimizer_of,
    named,
    solve,
    started,
    value_at,
)
from devicephys.stats import CHI_SQUARE, LEVEL

DRAWS = 400  # of a bootstrap: its ends then have an error of 0.13 standard errors
MOST_FAILED = 0.05  # of the draws of a bootstrap
CLOSE = 0.002  # of the root of the rise, where an end is found
BETTER = 0.01  # of the deviance: a profile that falls by more has left a local minimum
AHEAD = 1.12  # a step aims a little beyond the level, so that the next one brackets it
SLOWEST = 50  # lengths of a chain in autocorrelation times
CHUNK, LONGEST_CHAIN = 500, 20_000  # steps
THINNED = 2_000  # draws of a posterior that are kept

Refit = Callable[[int, float, Array], tuple[float, Array]]


@dataclass(frozen=True)
class Profile:
    """Likelihood of one parameter, maximised over the others.

    Attributes
    ----------
    values : ndarray
        The parameter, rising, shape (m,) [its unit].
    rise : ndarray
        Deviance above that of the best fit, shape (m,) [1].
    low, high : float
        Ends of the 95 % interval; -inf (0 of a positive parameter) or inf where the deviance does
        not rise enough inside the bounds: the data leave that side open [its unit].
    """

    values: Array
    rise: Array
    low: float
    high: float


def profile(
    refit: Refit, theta: Array, covariance: Array, deviance: float, k: int,
    bounds: tuple[float, float],
) -> Profile:  # fmt: skip
    """Follow the likelihood of one parameter until its deviance has risen by 3.84 on both sides.

    Valid where twice the log-likelihood ratio is a chi-square of one degree of freedom: many
    counts, or few but a likelihood near a normal one in some coordinate.

    Parameters
    ----------
    refit : callable
        (k, value held, start of all) -> (deviance, parameters), the others refitted.
    theta : ndarray
        Best fit, shape (p,) [coordinates of the fit].
    covariance : ndarray
        Its covariance, shape (p, p): for the steps and the starts [coordinates squared].
    deviance : float
        Deviance of the best fit [1].
    k : int
        The parameter [1].
    bounds : tuple of float
        Where its walk ends [coordinate].

    Returns
    -------
    Profile
        In coordinates of the fit.

    Raises
    ------
    FitError
        If the walk meets a better fit than the best one.

    Examples
    --------
    >>> flat = lambda k, x, start: ((x - 1.0) ** 2 / 0.25, np.array([x]))
    >>> p = profile(flat, np.array([1.0]), np.array([[0.25]]), 0.0, 0, (-9.0, 1.6))
    >>> round(p.low, 3), p.high
    (0.02, inf)
    """
    best, error = float(theta[k]), float(np.sqrt(covariance[k, k]))
    along = covariance[:, k] / covariance[k, k]
    met, others = {best: 0.0}, theta

    def root(x: float) -> float:
        """Root of the rise at x; the refit starts where the last one and the covariance point."""
        nonlocal others
        value, others = refit(k, x, others + along * (x - others[k]))
        if value < deviance - BETTER:
            raise FitError(
                f"a better fit away from the best one (deviance {value:.6g} against "
                f"{deviance:.6g})", remedy="start the fit from there",
            )  # fmt: skip
        met[x] = max(value - deviance, 0.0)
        return float(np.sqrt(met[x]))

    low = best - _distance(lambda d: root(best - d), error, best - bounds[0])
    others = theta
    high = best + _distance(lambda d: root(best + d), error, bounds[1] - best)
    values = np.array(sorted(met))
    return Profile(values, np.array([met[x] for x in values]), low, high)


def _distance(root: Callable[[float], float], error: float, farthest: float) -> float:
    """Distance from the best fit at which the root of the rise is that of 3.84; else infinite."""
    target = float(np.sqrt(CHI_SQUARE))
    inner, r_inner, step = 0.0, 0.0, min(error, farthest)
    while step > inner:  # outwards, aiming by the slope so far
        r = root(step)
        if r >= target:
            break
        if step == farthest:
            return np.inf
        aim = AHEAD * target / r * step if r > 0 else np.inf
        inner, r_inner = step, r
        step = min(max(aim, 1.2 * step), 4 * step, farthest)
    else:
        return np.inf  # the best fit is at the bound
    outer, r_outer = step, r
    while abs(r - target) > CLOSE and outer - inner > CLOSE * error:  # inwards, by secants
        share = float(np.clip((target - r_inner) / (r_outer - r_inner), 0.05, 0.95))
        step = inner + share * (outer - inner)
        r = root(step)
        if r < target:
            inner, r_inner = step, r
        else:
            outer, r_outer = step, r
    return step


def profiles(
    unknowns: Sequence[Unknown], blocks: Sequence[Block], found: Found
) -> dict[str, Profile]:
    """Profile the likelihood of every free parameter of a fit.

    Parameters
    ----------
    unknowns : sequence of Unknown
        The parameters.
    blocks : sequence of Block
        The data.
    found : Found
        Their fit.

    Returns
    -------
    dict of str to Profile
        By name, in the unit of the parameter.

    Raises
    ------
    FitError
        As `profile`, naming the parameter.

    References
    ----------
    Venzon and Moolgavkar, Appl. Stat. 37 (1988) 87, doi:10.2307/2347496.

    Examples
    --------
    >>> data = np.array([1.9, 2.1])
    >>> mean = Block("two readings", 2, lambda v: (data - v["mu"]) / 0.1, lambda v, rng: mean)
    >>> unknowns = [Unknown("mu", "1", r"\\mu", 0.1, 10)]
    >>> p = profiles(unknowns, [mean], solve(unknowns, [mean]))["mu"]
    >>> round(p.low, 3), round(p.high, 3)
    (1.861, 2.139)
    """
    free = named(unknowns, found.names)

    def refit(k: int, x: float, start: Array) -> tuple[float, Array]:
        values = {u.name: value_at(u, t) for u, t in zip(free, start, strict=True)}
        held = [
            replace(u, value=float(np.clip(value_at(u, x), u.low, u.high)), vary=False)
            if u.name == free[k].name else u
            for u in started(unknowns, values)
        ]  # fmt: skip
        if len(free) == 1:
            return _deviance(held, blocks), np.array([x])
        outcome = minimizer_of(held, blocks).leastsq()
        theta = np.array([x if u is free[k] else outcome.params[u.name].value for u in free])
        return float(outcome.chisqr), theta

    made = {}
    for k, u in enumerate(free):
        bounds = coordinate(u, u.low), coordinate(u, u.high)
        try:
            p = profile(refit, found.theta, found.covariance, found.deviance, k, bounds)
        except FitError as err:
            raise FitError(f"profile of {u.name}: {err}") from err
        values = np.array([value_at(u, x) for x in p.values])
        made[u.name] = Profile(values, p.rise, value_at(u, p.low), value_at(u, p.high))
    return made


def _deviance(unknowns: Sequence[Unknown], blocks: Sequence[Block]) -> float:
    minimizer = minimizer_of(unknowns, blocks)
    return float((minimizer.userfcn(minimizer.params) ** 2).sum())


def bootstrap(
    unknowns: Sequence[Unknown], blocks: Sequence[Block], found: Found,
    rng: np.random.Generator, draws: int = DRAWS,
) -> Array:  # fmt: skip
    """Refit data drawn from the fitted model; centres of priors are drawn as data are.

    Valid where the model explains the data: misfit is not in the draws.

    Parameters
    ----------
    unknowns : sequence of Unknown
        The parameters.
    blocks : sequence of Block
        The data.
    found : Found
        Their fit.
    rng : numpy.random.Generator
        Source of the data.
    draws : int, optional
        Number of data sets [1].

    Returns
    -------
    ndarray
        Free parameters of each refit, shape (draws less failed ones, p) [coordinates of the fit].

    Raises
    ------
    FitError
        If more than 5 % of the data sets cannot be fitted.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), doi:10.1201/9780429246593.

    Examples
    --------
    >>> def readings(data):
    ...     return Block("two readings", 2, lambda v: (data - v["mu"]) / 0.1,
    ...                  lambda v, rng: readings(rng.normal(v["mu"], 0.1, 2)))
    >>> unknowns, blocks = [Unknown("mu", "1", "mu", 0.1, 10)], [readings(np.array([1.9, 2.1]))]
    >>> found = solve(unknowns, blocks)
    >>> thetas = bootstrap(unknowns, blocks, found, np.random.default_rng(1))
    >>> {n: (round(a, 1), round(b, 1)) for n, (a, b) in ends(unknowns, found, thetas).items()}
    {'mu': (1.9, 2.1)}
    """
    begin = started(unknowns, found.values)
    thetas = []
    for stream in rng.spawn(whole("draws", draws, least=1)):
        redrawn = [b.drawn(found.values, stream) for b in blocks]
        try:
            again = solve([_redrawn(u, found, stream) for u in begin], redrawn)
        except FitError:
            continue  # counted below: the intervals are those of the rest
        thetas.append(again.theta)
    if draws - len(thetas) > MOST_FAILED * draws:
        raise FitError(
            f"{draws - len(thetas)} of {draws} drawn data sets cannot be fitted",
            expected=f"at most {MOST_FAILED:.0%}",
            remedy="these data hardly fix the parameters: measure more, or fix one",
        )
    return np.array(thetas)


def _redrawn(u: Unknown, found: Found, rng: np.random.Generator) -> Unknown:
    if u.prior is None:
        return u
    x = coordinate(u, found.values[u.name]) + u.prior.sigma * rng.standard_normal()
    return replace(u, prior=Prior(value_at(u, x), u.prior.sigma, u.prior.origin))


def posterior(
    unknowns: Sequence[Unknown], blocks: Sequence[Block], found: Found, rng: np.random.Generator
) -> Array:
    """Draw parameters from their posterior law by an ensemble of affine-invariant walkers.

    Needs the extra ``bayes`` (emcee). The prior is flat in the coordinates of the fit inside the
    bounds, times the stated ones. The chain goes on until it is 50 autocorrelation times long.

    Parameters
    ----------
    unknowns : sequence of Unknown
        The parameters.
    blocks : sequence of Block
        The data.
    found : Found
        Their fit, where the walkers start.
    rng : numpy.random.Generator
        Source of the walk.

    Returns
    -------
    ndarray
        Draws, shape (about 2000, p) [coordinates of the fit].

    Raises
    ------
    ParameterError
        If emcee is not installed.
    AccuracyError
        If the chain does not settle within 20 000 steps.

    References
    ----------
    Foreman-Mackey et al., PASP 125 (2013) 306, doi:10.1086/670067.

    Examples
    --------
    See docs/theory/intervals.md; a chain takes seconds.
    """
    try:
        import emcee
    except ImportError as err:
        raise ParameterError(
            "the posterior needs emcee", remedy="pip install 'devicephys[bayes]'"
        ) from err
    free = named(unknowns, found.names)
    low, high = np.array([(coordinate(u, u.low), coordinate(u, u.high)) for u in free]).T
    minimizer = minimizer_of(unknowns, blocks)
    objective = minimizer.userfcn

    def log_density(theta: Array) -> float:
        if np.any(theta <= low) or np.any(theta >= high):
            return -np.inf
        moved = {u.name: x for u, x in zip(free, theta, strict=True)}
        return -0.5 * float((objective(minimizer.params, moved) ** 2).sum())

    walkers = max(4 * len(free), 12)
    begin = rng.multivariate_normal(found.theta, found.covariance, size=walkers)
    begin = np.clip(begin, low + 1e-6 * (high - low), high - 1e-6 * (high - low))
    seed = np.random.RandomState(rng.integers(2**32, size=4)).get_state()
    state = emcee.State(begin, random_state=seed)
    sampler = emcee.EnsembleSampler(walkers, len(free), log_density)
    for _ in range(LONGEST_CHAIN // CHUNK):
        state = sampler.run_mcmc(state, CHUNK)
        tau = float(sampler.get_autocorr_time(tol=0).max())
        length = sampler.get_chain().shape[0]
        if length > SLOWEST * tau:
            kept: Array = sampler.get_chain(discard=int(5 * tau), flat=True)
            return kept[:: max(len(kept) // THINNED, 1)]
    raise AccuracyError(
        f"the chain has an autocorrelation time of {tau:.0f} steps after {length}",
        expected=f"{SLOWEST} such times", remedy="fix a parameter that the data do not tell",
    )  # fmt: skip


def ends(
    unknowns: Sequence[Unknown], found: Found, thetas: Array
) -> dict[str, tuple[float, float]]:
    """Give 95 % intervals of free parameters from draws, by percentiles.

    Parameters
    ----------
    unknowns : sequence of Unknown
        The parameters.
    found : Found
        Their fit.
    thetas : ndarray
        Draws as `bootstrap` or `posterior` give them, shape (draws, p) [coordinates of the fit].

    Returns
    -------
    dict of str to tuple of float
        Low and high end by name [unit of the parameter].

    Examples
    --------
    >>> u = [Unknown("x", "1", "x", 0.1, 9.0)]
    >>> found = Found({"x": 1.0}, ("x",), np.zeros(1), np.eye(1), 0.0, 1, ())
    >>> ends(u, found, np.zeros((9, 1)))
    {'x': (1.0, 1.0)}
    """
    quantiles = np.quantile(thetas, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=0)
    return {
        u.name: (value_at(u, low), value_at(u, high))
        for u, (low, high) in zip(named(unknowns, found.names), quantiles.T, strict=True)
    }
