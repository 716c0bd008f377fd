"""Maximum-likelihood fit of Delta, critical drive and t_D to write-error counts.

Every device is fitted by itself with binomial deviance residuals (lmfit's least squares of them
is the exact maximum likelihood) on the Fokker-Planck model. Devices differ by more than their
counting errors, so the population is a normal law of the devices' logarithms, its mean and spread
by restricted maximum likelihood, with Student's t for the intervals. Resampling the devices is the
independent check. One device alone gets its likelihood interval, and no spread.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields

import numpy as np
import xarray as xr
from scipy import stats as scipy_stats

from devicephys import __version__
from devicephys.checks import Array
from devicephys.errors import AccuracyError, DataError, FitError
from devicephys.fitting import goodness, problem, wer_flags, wer_together
from devicephys.fitting.chart import growing
from devicephys.fitting.counts import (
    Counts,
    LogWer,
    block,
    closed_form_chart,
    log_probabilities,
    rising,
    start,
)
from devicephys.fitting.hierarchy import Hierarchy, population, resampled
from devicephys.fitting.plateau import some
from devicephys.fitting.problem import Block, Found, Unknown
from devicephys.fitting.result import DeviceFit, FitResult, rows_of
from devicephys.fitting.wer_data import (
    GIVEN,
    KINDS,
    by_device,
    check_alone,
    check_together,
    direction_of,
    given,
    i_c0_name,
    population_estimates,
    spread_sentence,
    summary,
    unknowns_of,
    values_of_devices,
)
from devicephys.mram.spread import Spread, spread_of_covariance
from devicephys.parameters import MTJ, Direction
from devicephys.stats import LEVEL

FEWEST_RESAMPLED = 5  # devices, below which percentiles are their range
LEAST_TOGETHER = 5  # devices that are fitted together where one cannot be fitted alone
RISING = 0.4  # of the pairs of pulses whose rates surely differ: no junction is written so
POOR = 3.0  # deviance over degrees of freedom at which another start is tried


def fit(
    dataset: xr.Dataset,
    rng: np.random.Generator,
    recipe: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FitResult:
    """Fit junction parameters to write-error counts by maximum likelihood.

    Valid for axisymmetric macrospins without axial field: Delta and t_D are shared by both
    directions, each direction has its critical drive. Several temperatures are brought to the one
    with most points, by Bloch's law where the header gives it.

    Parameters
    ----------
    dataset : xarray.Dataset
        Counts as `io.tidy_csv.read` gives them, against current or voltage.
    rng : numpy.random.Generator
        Source of the bootstrap counts.
    recipe : str
        Name of the recipe, for the record.
    progress : callable, optional
        Called with (devices done, devices in all).

    Returns
    -------
    FitResult
        Population estimates with 95 % intervals and spreads, the fit of every device, and flags:
        what a reader must know before using them.

    Raises
    ------
    DataError
        If a device has too few points to fit, or errors that grow with the pulse, as successes in
        place of errors do.
    FitError
        If no error or no success was counted, or a fit does not converge.

    References
    ----------
    Residuals: McCullagh and Nelder (1989), doi:10.1007/978-1-4899-3242-6; model: Butler et al.,
    doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    See docs/guide/quickstart.md; a fit of 8 devices takes a second.
    """
    if dataset.attrs.get("kind") not in KINDS:
        raise DataError(f"data of kind {dataset.attrs.get('kind')!r}", expected=" or ".join(KINDS))
    said, fixed, points = summary(dataset), given(dataset), by_device(dataset)
    names, (rows, counts) = list(points), zip(*points.values(), strict=True)
    where, drives = dataset.attrs["source"], (KINDS[dataset.attrs["kind"]][1], "pulse_width")
    chart = growing(float(dataset.n_trials.max()))
    unknowns = problem.started(unknowns_of(counts[0].critical), start(counts))
    _check_order(dict(zip(names, counts, strict=True)), where)
    try:
        for name, mine in zip(names, counts, strict=True):
            check_alone(name, mine, where)
    except (DataError, FitError) as err:
        if len(names) < LEAST_TOGETHER:
            raise
        check_together(dataset)
        try:
            return wer_together.fit(dataset, unknowns, chart, str(err), recipe, rng)
        except FitError as stop:
            raise FitError(f"{err}; and together with the others: {stop}") from stop
    devices, founds, simulated, logs = [], [], [], np.empty((2, dataset.sizes["point"]))
    for name, r, mine, stream in zip(names, rows, counts, rng.spawn(len(names)), strict=True):
        try:
            found = _solved(name, unknowns, mine, chart, where)
        except FitError as err:
            rough = {u.name: float(u.value or 0.0) for u in unknowns}
            log_p, _ = log_probabilities(mine, rough, closed_form_chart)
            raise wer_flags.explained(err, dataset.isel(point=r), drives, log_p, stream) from err
        log_p, log1m_p = log_probabilities(mine, found.values, chart)
        logs[:, r] = log_p, log1m_p
        drawn = goodness.simulated_deviances(
            _slopes(mine, found, chart), mine.n, log_p, log1m_p, stream
        )
        founds.append(found)
        simulated.append(drawn)
        devices.append(_record(name, found, goodness.bootstrap_p(found.deviance, drawn)))
        progress(len(devices), len(names))
    deviance, dof = sum(d.deviance for d in devices), sum(d.dof for d in devices)
    over = goodness.overdispersion(deviance, dof, np.sum(simulated, axis=0))
    if len(founds) == 1:
        group, covariance = None, founds[0].covariance
        estimates, between = problem.estimates(unknowns, founds[0]), 0 * covariance
    else:
        try:
            group = population([f.theta for f in founds], [f.covariance for f in founds])
        except FitError as err:
            raise wer_flags.explained(err, dataset, drives, logs[0], rng) from err
        between = group.between
        estimates = population_estimates(
            unknowns, group.mean, group.stderr, group.mean_low, group.mean_high,
            group.spread, group.spread_low, group.spread_high,
        )  # fmt: skip
        covariance = group.mean_covariance
    intervals = {}
    if group is not None and len(founds) >= FEWEST_RESAMPLED:
        low, high = np.exp(
            resampled([f.theta for f in founds], [f.covariance for f in founds], group.between, rng)
        )
        intervals["bootstrap over devices"] = {
            u.name: (float(a), float(b)) for u, a, b in zip(unknowns, low, high, strict=True)
        }
    flagged = wer_flags.flags(dataset, drives, devices, founds, logs, over, rng)
    return FitResult(
        recipe=recipe,
        version=__version__,
        estimates=(*estimates, *fixed),
        covariance=rows_of(covariance),
        between=rows_of(between),
        data=said | {"flagged_points": list(flagged.points)},
        devices=tuple(devices),
        deviance=float(deviance),
        dof=int(dof),
        p_value=over.p_value,
        notes=_notes(group, founds),
        flags=flagged.sentences,
        intervals=intervals,
    )


def problems(
    dataset: xr.Dataset, result: FitResult
) -> dict[str, tuple[list[Unknown], list[Block]]]:
    """Give the fit of every device as parameters and data, started at its best values.

    Parameters
    ----------
    dataset : xarray.Dataset
        Counts of one of `KINDS`.
    result : FitResult
        Their fit.

    Returns
    -------
    dict of str to (list of Unknown, list of Block)
        By device, for `problem.solve` and `intervals`.

    Raises
    ------
    DataError, FitError
        If the fit is of other devices, or a device cannot be fitted alone.

    Examples
    --------
    See `intervals.added`.
    """
    chart = growing(float(dataset.n_trials.max()))
    points = by_device(dataset)
    values = values_of_devices(result, points, dataset.attrs["source"])
    for name, (_, mine) in points.items():
        check_alone(name, mine, dataset.attrs["source"])
    return {
        name: (
            problem.started(unknowns_of(mine.critical), values[name]), [block(name, mine, chart)]
        )
        for name, (_, mine) in points.items()
    }  # fmt: skip


def _check_order(devices: Mapping[str, Counts], where: str) -> None:
    """Refuse devices whose errors grow with the pulse: no fit of all together may hide them."""
    shares = {
        (name, direction_of(critical)): share
        for name, mine in devices.items()
        for critical, share in rising(mine).items()
        if share > RISING
    }
    if shares:
        wrong = {n: " and ".join(d for m, d in shares if m == n) for n, _ in shares}
        least = min(shares.values())
        others = f", or leave the device{'s' * (len(wrong) > 1)} out" * (len(devices) > len(wrong))
        raise DataError(
            f"{some([f'device {n!r}, {d}' for n, d in wrong.items()])}: of two pulses the longer "
            f"and stronger one fails more often in {least:.0%} of the pairs"
            + " or more" * (max(shares.values()) > least), where=where,
            expected="errors that become fewer",
            remedy="check the columns; if n_errors holds the successes, map them to n_switched"
            + others,
        )  # fmt: skip


def _solved(
    name: str, unknowns: Sequence[Unknown], counts: Counts, chart: LogWer, where: str
) -> Found:
    """Fit one device from where the closed form takes the common start; or from its own."""

    def attempt(begin: Sequence[Unknown]) -> Found:
        rough = problem.solve(begin, [block(name, counts, closed_form_chart)])
        return problem.solve(problem.started(begin, rough.values), [block(name, counts, chart)])

    try:
        found = attempt(unknowns)
        if found.deviance > POOR * found.dof or found.at_bound:
            other = attempt(problem.started(unknowns, start([counts])))
            found = min(found, other, key=lambda f: f.deviance)
    except AccuracyError as err:
        raise FitError(
            f"device {name!r}: the model cannot be solved at some of its points ({err})",
            where=where, remedy="leave out pulses far outside the write regime",
        ) from err  # fmt: skip
    except FitError as err:
        raise FitError(
            f"device {name!r}: {err}", where=where,
            remedy="check units and columns, and the data for points that no macrospin explains",
        ) from err  # fmt: skip
    return found


def _slopes(counts: Counts, found: Found, chart: LogWer) -> Array:
    """Slopes of the residuals in the logarithms, shape (points, parameters)."""
    residuals = block("", counts, chart).residuals

    def at(theta: Array) -> Array:
        return residuals(dict(zip(found.names, np.exp(theta), strict=True)))

    return problem.central_slopes(at, found.theta, np.full(len(found.theta), problem.STEP))


def _record(name: str, found: Found, p_value: float) -> DeviceFit:
    errors = np.sqrt(np.diag(found.covariance))
    return DeviceFit(
        device=name,
        values={x: found.values[x] for x in found.names},
        stderrs={x: float(found.values[x] * e) for x, e in zip(found.names, errors, strict=True)},
        deviance=found.deviance,
        dof=found.dof,
        p_value=p_value,
        at_bound=found.at_bound,
    )


def _notes(group: Hierarchy | None, founds: Sequence[Found]) -> tuple[str, ...]:
    if group is None:
        return ("one device: the interval is that of its likelihood, and says nothing of others",)
    spreads = (group.spread, group.spread_low, group.spread_high)
    return (spread_sentence(founds[0].names, *spreads),)


def half_width(n_devices: int) -> float:
    """Give the half width of a 95 % interval in standard errors.

    Parameters
    ----------
    n_devices : int
        Number of devices, >= 1 [1].

    Returns
    -------
    float
        Student's t over devices; the normal law for the likelihood interval of one device [1].

    Examples
    --------
    >>> round(half_width(8), 3), round(half_width(1), 3)
    (2.365, 1.96)
    """
    law = scipy_stats.t(n_devices - 1) if n_devices > 1 else scipy_stats.norm
    return float(law.ppf(0.5 + LEVEL / 2))


def junction(result: FitResult) -> MTJ:
    """Give the median junction of a fit.

    Parameters
    ----------
    result : FitResult
        A fit of write-error counts in both directions.

    Returns
    -------
    MTJ
        The junction.

    Raises
    ------
    DataError
        If a direction was not measured.

    Examples
    --------
    >>> junction(FitResult("none", "0", (), (), {}))
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: the fit has no delta, i_c0_p_ap, i_c0_ap_p, t_d, r_p, tmr, v_h; \
expected write-error counts of both directions; measure the missing direction
    """
    values = {e.name: e.value for e in result.estimates}
    if any(name.startswith("v_c0") for name in values):
        raise DataError(
            "a fit of counts against voltage gives critical voltages",
            expected="counts against current",
            remedy="divide the voltages by the measured resistance of the initial state",
        )
    needed = [f.name for f in fields(MTJ) if f.default is MISSING or f.name in GIVEN]
    missing = [name for name in needed if name not in values]
    if missing:
        raise DataError(
            f"the fit has no {', '.join(missing)}",
            expected="write-error counts of both directions",
            remedy="measure the missing direction",
        )
    return MTJ(**{name: values[name] for name in (*needed, "temperature") if name in values})


def spread(result: FitResult, direction: Direction) -> Spread:
    """Give the device-to-device spread of a fit; zero where one device was measured.

    Parameters
    ----------
    result : FitResult
        A fit of write-error counts.
    direction : {"P->AP", "AP->P"}
        The write whose critical current counts.

    Returns
    -------
    Spread
        Standard deviations and correlations of the logarithms, counting errors taken out.

    Examples
    --------
    >>> from devicephys.fitting.result import Estimate
    >>> e = tuple(Estimate(n, 1, 0, 1, 1, "", "") for n in ("delta", "i_c0_p_ap", "t_d"))
    >>> between = ((9e-4, 2e-4, 0.0), (2e-4, 1e-4, 0.0), (0.0, 0.0, 0.0))
    >>> s = spread(FitResult("none", "0", e, (), {}, between=between), "P->AP")
    >>> round(s.sigma_i_c0, 6), round(s.rho_i_c0_delta, 6)
    (0.01, 0.666667)
    """
    names = [e.name for e in result.estimates if e.vary]
    rows = [names.index(n) for n in (i_c0_name(direction), "delta", "t_d")]
    return spread_of_covariance(np.array(result.between)[np.ix_(rows, rows)])
