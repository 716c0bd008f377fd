"""Intervals of a finished fit by another method, for one device or a population of devices.

The profile and the posterior are of each device's own likelihood: they show what its data tell.
The bootstrap of a population draws devices from the fitted law and then their data, fits all as the
data were fitted, and takes the quantiles of Student's ratio: it needs no normal likelihood and no
theory of small numbers of devices.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from devicephys.checks import Array, known
from devicephys.errors import FitError
from devicephys.fitting import intervals
from devicephys.fitting.hierarchy import Hierarchy, population
from devicephys.fitting.problem import (
    Block,
    Found,
    Unknown,
    coordinate,
    named,
    solve,
    started,
    value_at,
)
from devicephys.fitting.result import FitResult
from devicephys.stats import LEVEL

Problem = tuple[Sequence[Unknown], Sequence[Block]]
METHODS = {
    "profile": "profile likelihood",
    "bootstrap": "parametric bootstrap",
    "posterior": "posterior",
}
POPULATIONS = 200  # drawn: ends have an error of 0.2 (many devices) to 0.4 (five) standard errors
MOST_FAILED = 0.1  # of the drawn populations


def added(
    result: FitResult,
    problems: Mapping[str, Problem],
    methods: Sequence[str],
    rng: np.random.Generator,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FitResult:
    """Add intervals and profiles by other methods to a fit.

    Parameters
    ----------
    result : FitResult
        The fit.
    problems : mapping of str to (sequence of Unknown, sequence of Block)
        Parameters, started at their best values, and data of every device.
    methods : sequence of str
        Of `METHODS`. For several devices "bootstrap" gives intervals of the population;
        "profile" gives curves of every device and "posterior" is refused.
    rng : numpy.random.Generator
        Source of drawn data.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    FitResult
        The fit with more `intervals` and `profiles`.

    Raises
    ------
    ParameterError
        If a method is unknown, or emcee is needed and not installed.
    FitError, AccuracyError
        If a method does not get through, with the reason.

    Examples
    --------
    >>> x = np.array([1.9, 2.1])
    >>> mean = Block("two readings", 2, lambda v: (x - v["mu"]) / 0.1, lambda v, rng: mean)
    >>> problems = {"d": ([Unknown("mu", "1", "mu", 0.1, 10, 2.0)], [mean])}
    >>> fit = FitResult("none", "0", (), (), {})
    >>> more = added(fit, problems, ["profile"], np.random.default_rng(1))
    >>> [round(x, 3) for x in more.intervals["profile likelihood"]["mu"]]
    [1.861, 2.139]
    """
    for method in methods:
        known("method", method, METHODS)
    if len(problems) > 1 and "posterior" in methods:
        raise FitError(
            f"the posterior of {len(problems)} devices", expected="one device",
            remedy="use --intervals bootstrap, or a file with one device",
        )  # fmt: skip
    founds = {name: solve(*problem) for name, problem in problems.items()}
    made, profiles = dict(result.intervals), dict(result.profiles)
    if "profile" in methods:
        for done, (device, problem) in enumerate(problems.items()):
            progress(done, len(problems))
            curves = intervals.profiles(*problem, founds[device])
            profiles[device] = {
                name: tuple(zip(p.values.tolist(), p.rise.tolist(), strict=True))
                for name, p in curves.items()
            }
            if len(problems) == 1:
                made[METHODS["profile"]] = {name: (p.low, p.high) for name, p in curves.items()}
        progress(len(problems), len(problems))
    for method in ("bootstrap", "posterior"):
        if method in methods and len(problems) == 1:
            (problem,), (found,) = problems.values(), founds.values()
            draw = intervals.bootstrap if method == "bootstrap" else intervals.posterior
            made[METHODS[method]] = intervals.ends(problem[0], found, draw(*problem, found, rng))
    if "bootstrap" in methods and len(problems) > 1:
        made[METHODS["bootstrap"]] = _of_population(problems, founds, rng, progress)
    return replace(result, intervals=made, profiles=profiles)


def _of_population(
    problems: Mapping[str, Problem],
    founds: Mapping[str, Found],
    rng: np.random.Generator,
    progress: Callable[[int, int], None],
) -> dict[str, tuple[float, float]]:
    """Student's ratios of drawn populations, applied to the one at hand."""
    group = population([f.theta for f in founds.values()], [f.covariance for f in founds.values()])
    names = next(iter(founds.values())).names
    ratios = []
    for done, stream in enumerate(rng.spawn(POPULATIONS)):
        progress(done, POPULATIONS)
        try:
            again = _drawn(list(problems.values()), names, group, stream)
        except FitError:
            continue  # counted below
        ratios.append((again.mean - group.mean) / again.stderr)
    progress(POPULATIONS, POPULATIONS)
    failed = POPULATIONS - len(ratios)
    if failed > MOST_FAILED * POPULATIONS:
        raise FitError(
            f"{failed} of {POPULATIONS} drawn populations cannot be fitted",
            expected=f"at most {MOST_FAILED:.0%}",
            remedy="measure more points of each device, or leave out devices with few errors",
        )
    high, low = np.quantile(ratios, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=0)
    free = named(next(iter(problems.values()))[0], names)
    low_end, high_end = group.mean - low * group.stderr, group.mean - high * group.stderr
    return {
        u.name: (value_at(u, a), value_at(u, b))
        for u, a, b in zip(free, low_end, high_end, strict=True)
    }


def _drawn(
    problems: Sequence[Problem], names: Sequence[str], group: Hierarchy, rng: np.random.Generator
) -> Hierarchy:
    """Fit devices drawn from the population, with data drawn from each."""
    drawn = rng.multivariate_normal(group.mean, group.between, size=len(problems))
    founds = []
    for theta, (unknowns, blocks) in zip(drawn, problems, strict=True):
        values = _values(unknowns, names, theta)
        begin = started(unknowns, values)
        every = {u.name: u.value for u in begin if u.value is not None} | values
        founds.append(solve(begin, [b.drawn(every, rng) for b in blocks]))
    return population([f.theta for f in founds], [f.covariance for f in founds])


def _values(unknowns: Sequence[Unknown], names: Sequence[str], theta: Array) -> dict[str, float]:
    """Values inside the bounds from coordinates, tied ones followed."""
    values = {}
    for u, x in zip(named(unknowns, names), theta, strict=True):
        inside = np.clip(x, coordinate(u, u.low), coordinate(u, u.high))
        values[u.name] = value_at(u, float(inside))
    tied = {u.name: u.tied[1] * values[u.tied[0]] for u in unknowns
            if u.tied is not None and u.tied[0] in values}  # fmt: skip
    return values | tied
