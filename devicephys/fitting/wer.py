"""Maximum-likelihood fit of Delta, critical drive and t_D to write-error counts.

Every device is fitted by itself with binomial deviance residuals (lmfit's least squares of them
is the exact maximum likelihood) on the Fokker-Planck model. Devices differ by more than their
counting errors, so the population is a normal law of the devices' logarithms, its mean and spread
by restricted maximum likelihood, with Student's t for the intervals. Resampling the devices is the
independent check. One device alone gets its likelihood interval, and no spread.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields

import numpy as np
import xarray as xr
from scipy import stats as scipy_stats

from devicephys import __version__
from devicephys.checks import Array
from devicephys.errors import AccuracyError, DataError, FitError
from devicephys.fitting import goodness, plateau, problem
from devicephys.fitting.chart import growing
from devicephys.fitting.counts import (
    Counts,
    LogWer,
    block,
    closed_form_chart,
    log_probabilities,
    start,
)
from devicephys.fitting.hierarchy import Hierarchy, population
from devicephys.fitting.problem import Found, Unknown
from devicephys.fitting.result import DeviceFit, Estimate, FitResult
from devicephys.io.files import parse_number
from devicephys.mram.junction import at_temperature
from devicephys.mram.spread import Spread, spread_of_covariance
from devicephys.parameters import DIRECTIONS, MTJ, Direction
from devicephys.stats import LEVEL
from devicephys.units import si

BOUNDS = {  # far outside what a junction shows: 1, A, V, s
    "delta": (15.0, 200.0), "i_c0": (1e-7, 1e-2), "v_c0": (1e-3, 1e2), "t_d": (1e-11, 1e-6),
}  # fmt: skip
SYMBOLS = {f.name: (f.metadata["unit"], f.metadata["symbol"]) for f in fields(MTJ)} | {
    "v_c0_p_ap": ("V", r"V_{c0}^{P \to AP}"), "v_c0_ap_p": ("V", r"V_{c0}^{AP \to P}"),
}  # fmt: skip
GIVEN = {"r_p": ("r_p_ohm", None), "tmr": ("tmr", None), "v_h": ("v_h_V", 0.5)}
THERMAL = ("bloch", "k_exponent", "shape_field")  # of `MTJ`, in the header where known
KINDS = {"wer_counts": ("i_c0", "pulse_current"), "wer_counts_voltage": ("v_c0", "pulse_voltage")}
RESAMPLES = 4000  # of the devices
STRONG = 0.99  # correlation beyond which two parameters are hardly told apart
POOR = 3.0  # deviance over degrees of freedom at which another start is tried


def i_c0_name(direction: Direction) -> str:
    """Name the critical current of a direction.

    Parameters
    ----------
    direction : {"P->AP", "AP->P"}
        The direction.

    Returns
    -------
    str
        Name of the field of `MTJ`.

    Examples
    --------
    >>> i_c0_name("P->AP")
    'i_c0_p_ap'
    """
    return f"i_c0_{suffix(direction)}"


def suffix(direction: Direction) -> str:
    """Name a direction within the name of a parameter.

    Parameters
    ----------
    direction : {"P->AP", "AP->P"}
        The direction.

    Returns
    -------
    str
        The end of the name.

    Examples
    --------
    >>> suffix("AP->P")
    'ap_p'
    """
    return "p_ap" if direction == "P->AP" else "ap_p"


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
        If a device has too few points to fit.
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
    metadata = json.loads(dataset.attrs["metadata"])
    given = _given(metadata, dataset)
    names = sorted(set(dataset.device.values.tolist()))
    rows = [np.flatnonzero(dataset.device.values == name) for name in names]
    thermal = _numbers(metadata, THERMAL, dataset.attrs["source"])
    counts = [
        _counts(name, dataset.isel(point=r), _reference(dataset), thermal)
        for name, r in zip(names, rows, strict=True)
    ]
    if len({c.critical for c in counts}) > 1:
        raise DataError(
            "devices were measured in different directions", expected="the same for all"
        )
    where = dataset.attrs["source"]
    chart = growing(float(dataset.n_trials.max()))
    unknowns = _unknowns(counts[0].critical)
    unknowns = problem.started(unknowns, start(counts))
    devices, founds, simulated, logs = [], [], [], np.empty((2, dataset.sizes["point"]))
    for name, r, mine, stream in zip(names, rows, counts, rng.spawn(len(names)), strict=True):
        found = _solved(name, unknowns, mine, chart, where)
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
        group = population([f.theta for f in founds], [f.covariance for f in founds])
        estimates, between = _population(unknowns, group), group.between
        covariance = group.mean_covariance
    intervals = {} if group is None else {"bootstrap over devices": _resampled(founds, group, rng)}
    return FitResult(
        recipe=recipe,
        version=__version__,
        estimates=(*estimates, *given),
        covariance=_rows(covariance),
        between=_rows(between),
        data=summary(dataset),
        devices=tuple(devices),
        deviance=float(deviance),
        dof=int(dof),
        p_value=over.p_value,
        notes=_notes(group, founds),
        flags=_flags(dataset, devices, founds, logs, over, rng),
        intervals=intervals,
    )


def summary(dataset: xr.Dataset) -> dict[str, object]:
    """Summarise write-error counts for a report.

    Parameters
    ----------
    dataset : xarray.Dataset
        Counts as `io.tidy_csv.read` gives them.

    Returns
    -------
    dict
        Source, sha256, whether synthetic, devices, directions, points, trials, errors, points
        without an error, temperatures [K].

    Examples
    --------
    >>> from devicephys.data import path
    >>> from devicephys.io.tidy_csv import read
    >>> summary(read(path("synthetic_stt_mram_wer.csv")))["devices"]
    8
    """
    metadata = json.loads(dataset.attrs["metadata"])
    return {
        "source": dataset.attrs["source"],
        "sha256": dataset.attrs["sha256"],
        "synthetic": metadata.get("synthetic", "no").startswith("yes"),
        "devices": len(set(dataset.device.values.tolist())),
        "directions": sorted(set(dataset.direction.values.tolist())),
        "points": int(dataset.sizes["point"]),
        "trials": int(dataset.n_trials.sum()),
        "errors": int(dataset.n_errors.sum()),
        "zero_error_points": int((dataset.n_errors == 0).sum()),
        "temperatures_K": sorted(set(dataset.temperature.values.tolist())),
        "truth": _numbers(
            metadata, [k for k in metadata if k.startswith("truth_")], dataset.attrs["source"]
        ),
    }


def _numbers(metadata: Mapping[str, str], keys: Iterable[str], where: str) -> dict[str, float]:
    """Those of the header's entries that are there, as numbers."""
    found = {}
    for key in keys:
        if key in metadata:
            try:
                found[key] = parse_number(metadata[key])
            except ValueError as err:
                raise DataError(f"metadata {key}: {err}", where=where, expected="a number") from err
    return found


def _given(metadata: Mapping[str, str], dataset: xr.Dataset) -> list[Estimate]:
    """Resistance and TMR come with the data: the counts say nothing about them."""
    where = dataset.attrs["source"]
    t = _reference(dataset)
    estimates = [Estimate("temperature", t, 0.0, t, t, *SYMBOLS["temperature"], vary=False)]
    for name, (key, default) in GIVEN.items():
        try:
            value = parse_number(metadata.get(key, "" if default is None else str(default)))
            if not value > 0:
                raise ValueError
        except ValueError as err:
            raise DataError(
                f"metadata {key} = {metadata.get(key)!r}", where=where,
                expected=f"a number > 0, as the line '# {key}: ...' above the header",
            ) from err  # fmt: skip
        unit, symbol = SYMBOLS[name]
        estimates.append(Estimate(name, value, 0.0, value, value, unit, symbol, vary=False))
    return estimates


def _reference(dataset: xr.Dataset) -> float:
    """Temperature with most points: what the estimates hold at."""
    values, n = np.unique(dataset.temperature.values, return_counts=True)
    return float(values[n.argmax()])


def _counts(name: str, data: xr.Dataset, reference: float, thermal: Mapping[str, float]) -> Counts:
    """Bring a device's counts to what the model takes, or say what is missing."""
    stem, drive = KINDS[data.attrs["kind"]]
    k, n, where = data.n_errors.values, data.n_trials.values, data.attrs["source"]
    directions = [d for d in DIRECTIONS if (data.direction.values == d).any()]
    critical = tuple(f"{stem}_{suffix(d)}" for d in directions)
    if len(k) <= len(critical) + 2:
        raise DataError(
            f"device {name!r} has {len(k)} points", where=where,
            expected=f"more than the {len(critical) + 2} parameters",
            remedy="measure more widths",
        )  # fmt: skip
    for direction in directions:
        mine = data.direction.values == direction
        if k[mine].sum() == 0 or (k[mine] == n[mine]).all():
            outcome = "worked" if k[mine].sum() == 0 else "failed"
            raise FitError(
                f"device {name!r}, {direction}: every pulse {outcome}",
                where=where,
                remedy="measure where the error rate lies between 1e-4 and 0.9",
            )
    critical_, delta, t_d = np.log([_scaled(t, reference, thermal) for t in
                                    data.temperature.values]).T  # fmt: skip
    return Counts(
        k=k.astype(np.float64), n=n.astype(np.float64),
        log_drive=np.log(data[drive].values) - critical_,
        log_width=np.log(data.pulse_width.values) - t_d, log_delta=delta,
        index=np.array([directions.index(d) for d in data.direction.values]), critical=critical,
    )  # fmt: skip


def _scaled(
    temperature: float, reference: float, thermal: Mapping[str, float]
) -> tuple[float, float, float]:
    """Factors on critical drive, Delta and t_D from the reference to another temperature."""
    if temperature == reference:
        return 1.0, 1.0, 1.0
    unit = MTJ(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, temperature=reference, **thermal)
    there = at_temperature(unit, temperature)
    return there.i_c0_p_ap, there.delta, there.t_d


def _unknowns(critical: Sequence[str]) -> list[Unknown]:
    return [
        Unknown(name, *SYMBOLS[name], *BOUNDS[name[:4] if name in critical else name])
        for name in ("delta", *critical, "t_d")
    ]


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


def _population(unknowns: Sequence[Unknown], group: Hierarchy) -> tuple[Estimate, ...]:
    return tuple(
        Estimate(
            name=u.name, value=float(np.exp(mean)), stderr=float(np.exp(mean) * error),
            low=float(np.exp(low)), high=float(np.exp(high)), unit=u.unit, symbol=u.symbol,
            spread=float(spread), bounds=(u.low, u.high),
        )
        for u, mean, error, low, high, spread in zip(
            unknowns, group.mean, group.stderr, group.mean_low, group.mean_high, group.spread,
            strict=True,
        )
    )  # fmt: skip


def _resampled(
    founds: Sequence[Found], group: Hierarchy, rng: np.random.Generator
) -> dict[str, tuple[float, float]]:
    """Intervals from devices drawn with replacement, widened for their small number.

    Expanded percentiles: at these levels the interval of a normal sample is Student's.
    """
    n = len(founds)
    weights = np.array([np.linalg.inv(f.covariance + group.between) for f in founds])
    pulled = np.einsum("dij,dj->di", weights, np.array([f.theta for f in founds]))
    times = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    means = np.linalg.solve(np.einsum("bd,dij->bij", times, weights), (times @ pulled)[..., None])[
        ..., 0
    ]
    level = scipy_stats.norm.cdf(-np.sqrt(n / (n - 1)) * scipy_stats.t.ppf(0.5 + LEVEL / 2, n - 1))
    ends = np.exp(np.quantile(means, [level, 1 - level], axis=0))
    return {
        name: (float(low), float(high))
        for name, low, high in zip(founds[0].names, *ends, strict=True)
    }


def _notes(group: Hierarchy | None, founds: Sequence[Found]) -> tuple[str, ...]:
    if group is None:
        return ("one device: the interval is that of its likelihood, and says nothing of others",)
    names = founds[0].names
    spreads = "; ".join(
        f"{name} {100 * s:.2g} % ({100 * low:.2g} to {100 * high:.2g})"
        for name, s, low, high in zip(
            names, group.spread, group.spread_low, group.spread_high, strict=True
        )
    )
    return (f"spread from device to device, with 95 % intervals: {spreads}",)


def _flags(
    dataset: xr.Dataset, devices: Sequence[DeviceFit], founds: Sequence[Found], logs: Array,
    over: goodness.Overdispersion, rng: np.random.Generator,
) -> tuple[str, ...]:  # fmt: skip
    """What must be known before the numbers are used."""
    k, n = dataset.n_errors.values, dataset.n_trials.values
    names = [d.device for d in devices]
    flags = [over.sentence()] if over.ratio > over.high else []
    points = goodness.outlying_points(k, n, *logs)
    if points.points:
        flags.append(points.sentence())
    outside = goodness.outlying_devices(
        np.array([f.theta for f in founds]), np.array([f.covariance for f in founds])
    )
    if outside.found:
        flags.append(outside.sentence(names, founds[0].names))
    step = goodness.counting_step(k, n)
    if step.step > 1:
        flags.append(step.sentence())
    drives = {x: dataset[x].values for x in (KINDS[dataset.attrs["kind"]][1], "pulse_width")}
    for anomaly in plateau.anomalies(
        dataset.device.values, dataset.direction.values, drives, k, n, logs[0], rng
    ):
        flags.append(anomaly.sentence())
    flags += [
        f"device {d.device}: {', '.join(d.at_bound)} ended at a bound of the fit"
        for d in devices if d.at_bound
    ]  # fmt: skip
    return (*flags, *_confounded(dataset, founds))


def _confounded(dataset: xr.Dataset, founds: Sequence[Found]) -> list[str]:
    """Say which parameters the counts hardly tell apart, and what would."""
    covariance = np.mean([f.covariance for f in founds], axis=0)
    errors = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(errors, errors)
    names, said = founds[0].names, []
    for a in range(len(names)):
        for b in range(a):
            if abs(correlation[a, b]) > STRONG:
                longest = float(dataset.pulse_width.max())
                remedy = (
                    f"add widths above {si(longest, 's')}" if "t_d" in (names[a], names[b])
                    else "add lower and higher drives"
                )  # fmt: skip
                said.append(
                    f"these counts hardly tell {names[b]} from {names[a]} (correlation "
                    f"{correlation[a, b]:.3f}): {remedy}"
                )
    return said


def _rows(matrix: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(x) for x in row) for row in matrix)


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
