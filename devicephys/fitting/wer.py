"""Maximum-likelihood fit of Delta, I_c0 and t_D to write-error counts, device by device.

Every device is fitted by itself with binomial deviance residuals (lmfit's least squares of them
is the exact maximum likelihood) on the Fokker-Planck model. Devices differ by more than their
counting errors, so the population's parameters are the mean logarithms over devices, with
Student's t over devices for their intervals: exact for log-normal devices, whatever the number
of trials. One device alone gets its likelihood interval, and no spread.
"""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields

import lmfit
import numpy as np
import xarray as xr
from scipy import stats as scipy_stats

from devicephys import __version__
from devicephys.checks import Array
from devicephys.errors import AccuracyError, DataError, FitError
from devicephys.fitting.result import DeviceFit, Estimate, FitResult
from devicephys.io.files import parse_number
from devicephys.mram import closed_form, fokker_planck
from devicephys.mram.spread import Spread, spread_of_covariance
from devicephys.parameters import DIRECTIONS, MTJ, Direction
from devicephys.stats import LEVEL, deviance_residuals

BOUNDS = {"delta": (15.0, 200.0), "i_c0": (1e-7, 1e-2), "t_d": (1e-11, 1e-6)}  # 1, A, s
SYMBOLS = {f.name: (f.metadata["unit"], f.metadata["symbol"]) for f in fields(MTJ)}
GIVEN = {"r_p": ("r_p_ohm", None), "tmr": ("tmr", None), "v_h": ("v_h_V", 0.5)}
BOOTSTRAPS = 2000
WER_FLOOR = 1e-300
SAFE_ATOL = 1e-4  # of one error in all trials: what the solver may add to a WER


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
    return "i_c0_p_ap" if direction == "P->AP" else "i_c0_ap_p"


def fit(
    dataset: xr.Dataset,
    rng: np.random.Generator,
    recipe: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FitResult:
    """Fit junction parameters to write-error counts by maximum likelihood.

    Valid for axisymmetric macrospins without axial field: Delta and t_D are shared by both
    directions, each direction has its critical current.

    Parameters
    ----------
    dataset : xarray.Dataset
        Counts as `io.tidy_csv.read` gives them.
    rng : numpy.random.Generator
        Source of the bootstrap counts.
    recipe : str
        Name of the recipe, for the record.
    progress : callable, optional
        Called with (devices done, devices in all).

    Returns
    -------
    FitResult
        Population estimates with 95 % intervals and spreads, and the fit of every device.

    Raises
    ------
    DataError
        If a device has too few points to fit, or the data hold several temperatures.
    FitError
        If no error or no success was counted, or a fit does not converge.

    References
    ----------
    Residuals: McCullagh and Nelder (1989), doi:10.1007/978-1-4899-3242-6; model: Butler et al.,
    doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    See docs/guide/quickstart.md; a fit of 8 devices takes seconds.
    """
    if dataset.attrs.get("kind") != "wer_counts":
        raise DataError(f"data of kind {dataset.attrs.get('kind')!r}", expected="wer_counts")
    temperatures = np.unique(dataset.temperature.values)
    if len(temperatures) > 1:
        raise DataError(
            f"temperatures {temperatures.tolist()} K", expected="one temperature a fit",
            remedy="split the file by temperature",
        )  # fmt: skip
    names = sorted(set(dataset.device.values.tolist()))
    metadata = json.loads(dataset.attrs["metadata"])
    given = _given(metadata, dataset.attrs["source"])
    devices = []
    for name, stream in zip(names, rng.spawn(len(names)), strict=True):
        rows = np.flatnonzero(dataset.device.values == name)
        devices.append(_fit_device(name, dataset.isel(point=rows), stream))
        progress(len(devices), len(names))
    records, bootstraps, covariances = zip(*devices, strict=True)
    deviance, dof = sum(d.deviance for d in records), sum(d.dof for d in records)
    simulated = np.sum(bootstraps, axis=0)
    estimates, covariance, between = _population(records, covariances)
    return FitResult(
        recipe=recipe,
        version=__version__,
        estimates=(*estimates, *given),
        covariance=_rows(covariance),
        between=_rows(between),
        data=summary(dataset),
        devices=records,
        deviance=float(deviance),
        dof=int(dof),
        p_value=float((1 + (simulated >= deviance).sum()) / (1 + len(simulated))),
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
        "truth": _truth(metadata, dataset.attrs["source"]),
    }


def _truth(metadata: Mapping[str, str], where: str) -> dict[str, float]:
    """Parameters that synthetic counts were made with."""
    truth = {}
    for key, value in metadata.items():
        if key.startswith("truth_"):
            try:
                truth[key] = parse_number(value)
            except ValueError as err:
                raise DataError(f"metadata {key}: {err}", where=where, expected="a number") from err
    return truth


def _given(metadata: Mapping[str, str], where: str) -> list[Estimate]:
    """Resistance and TMR come with the data: the counts say nothing about them."""
    estimates = []
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


def _bounds(name: str) -> tuple[float, float]:
    """Bounds of a parameter; both directions share those of the critical current."""
    return BOUNDS["i_c0" if name.startswith("i_c0") else name]


def _parameter_names(name: str, data: xr.Dataset) -> list[str]:
    """Name the parameters that a device's counts can be fitted with, or say what is missing."""
    k, n, where = data.n_errors.values, data.n_trials.values, data.attrs["source"]
    directions = _directions(data)
    names = ["delta", *(i_c0_name(d) for d in directions), "t_d"]
    if len(k) <= len(names):
        raise DataError(
            f"device {name!r} has {len(k)} points", where=where,
            expected=f"more than the {len(names)} parameters", remedy="measure more widths",
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
    return names


def _directions(data: xr.Dataset) -> list[Direction]:
    return [d for d in DIRECTIONS if (data.direction.values == d).any()]


def _fit_device(
    name: str, data: xr.Dataset, rng: np.random.Generator
) -> tuple[DeviceFit, Array, Array]:
    """Fit one device; give its record, the bootstrap deviances, the covariance of logarithms."""
    names = _parameter_names(name, data)
    k, n = data.n_errors.values, data.n_trials.values
    currents, widths = data.pulse_current.values, data.pulse_width.values
    index = np.array([_directions(data).index(d) for d in data.direction.values])
    atol = SAFE_ATOL / float(n.max())

    def split(theta: Array) -> tuple[Array, Array, float]:
        return currents / np.exp(theta[1:-1])[index], widths / np.exp(theta[-1]), np.exp(theta[0])

    def log_probabilities(theta: Array) -> tuple[Array, Array]:
        wer = fokker_planck.wer(*split(theta), readout="relaxed", atol=atol)
        wer = np.maximum(wer, WER_FLOOR)
        return np.log(wer), np.log1p(-np.minimum(wer, 1 - 1e-15))

    def residuals(theta: Array) -> Array:
        return deviance_residuals(k, n, *log_probabilities(theta))

    def rough(theta: Array) -> Array:
        log_p = closed_form.log_wer(*split(theta))
        return deviance_residuals(k, n, log_p, np.log1p(-np.minimum(np.exp(log_p), 1 - 1e-15)))

    start = _start(rough, names, currents, widths, index)
    try:
        outcome = _least_squares(residuals, names, _least_squares(rough, names, start).theta)
    except AccuracyError as err:
        raise FitError(
            f"device {name!r}: the model cannot be solved at some of its points ({err})",
            where=data.attrs["source"], remedy="leave out pulses far outside the write regime",
        ) from err  # fmt: skip
    if not outcome.success or not np.isfinite(outcome.covariance).all():
        raise FitError(
            f"device {name!r}: no converged fit with standard errors ({outcome.message})",
            where=data.attrs["source"],
            remedy="check units and columns, and the data for points that no macrospin explains",
        )
    deviance = float((residuals(outcome.theta) ** 2).sum())
    slopes = _jacobian(residuals, outcome.theta)
    simulated = _bootstrap(slopes, log_probabilities(outcome.theta), n, rng)
    values = np.exp(outcome.theta)
    at_bound = tuple(
        x for x, v in zip(names, values, strict=True)
        if min(abs(np.log(v / b)) for b in _bounds(x)) < 1e-3
    )  # fmt: skip
    record = DeviceFit(
        device=name,
        values=dict(zip(names, values.tolist(), strict=True)),
        stderrs=dict(
            zip(names, (values * np.sqrt(np.diag(outcome.covariance))).tolist(), strict=True)
        ),
        deviance=deviance,
        dof=len(k) - len(names),
        p_value=float((1 + (simulated >= deviance).sum()) / (1 + len(simulated))),
        at_bound=at_bound,
    )
    return record, simulated, outcome.covariance


@dataclass(frozen=True)
class _Outcome:
    """Best logarithms of the parameters, their covariance, and whether lmfit converged."""

    theta: Array
    covariance: Array
    success: bool
    message: str


def _least_squares(residuals: Callable[[Array], Array], names: list[str], start: Array) -> _Outcome:
    parameters = lmfit.Parameters()
    for name, value in zip(names, start, strict=True):
        low, high = np.log(_bounds(name))
        parameters.add(
            name, value=float(np.clip(value, low + 1e-6, high - 1e-6)), min=low, max=high
        )

    def objective(p: lmfit.Parameters) -> Array:
        return residuals(np.array([p[name].value for name in names]))

    # Smooth model, noise about 1e-7 of a residual: a finite-difference step well above it.
    minimizer = lmfit.Minimizer(objective, parameters, scale_covar=False)
    found = minimizer.leastsq(epsfcn=1e-10)
    best = [found.params[name] for name in names]
    return _Outcome(
        theta=np.array([p.value for p in best]),
        covariance=np.full((len(best),) * 2, np.nan) if found.covar is None else found.covar,
        success=bool(found.success),
        message=str(found.message),
    )


def _jacobian(residuals: Callable[[Array], Array], theta: Array) -> Array:
    """Slopes of the residuals by central differences, shape (points, parameters)."""
    step = 1e-4
    sides = [residuals(theta + s) - residuals(theta - s) for s in step * np.eye(len(theta))]
    return np.stack(sides, axis=1) / (2 * step)


def _start(
    rough: Callable[[Array], Array], names: list[str], currents: Array, widths: Array, index: Array
) -> Array:
    """Search a coarse grid with the closed form; the directions are independent given the rest."""
    deltas, t_ds = (30.0, 50.0, 80.0), np.geomspace(widths.max() / 100, widths.max(), 13)
    fractions = np.linspace(0.15, 1.1, 20)
    best, best_deviance = np.empty(0), np.inf
    n_directions = len(names) - 2
    for delta, t_d in itertools.product(deltas, t_ds):
        theta = np.r_[np.log(delta), np.zeros(n_directions), np.log(t_d)]
        deviances = np.empty((len(fractions), n_directions))
        for j, fraction in enumerate(fractions):
            theta[1:-1] = [
                np.log(fraction * currents[index == d].max()) for d in range(n_directions)
            ]
            squares = rough(theta) ** 2
            deviances[j] = np.bincount(index, squares, n_directions)
        if deviances.min(axis=0).sum() < best_deviance:
            best_deviance = deviances.min(axis=0).sum()
            chosen = fractions[deviances.argmin(axis=0)]
            theta[1:-1] += np.log(chosen / fractions[-1])
            best = theta.copy()
    return best


def _bootstrap(
    slopes: Array, logs: tuple[Array, Array], n: Array, rng: np.random.Generator
) -> Array:
    """Deviances of counts drawn from the fitted model, each refitted to first order.

    Counts that are mostly zero do not give chi-square deviances, so they are simulated; the
    refit takes out of the residuals what the parameters could follow.
    """
    log_p, log1m_p = logs
    counts = rng.binomial(n.astype(np.int64), np.exp(log_p), size=(BOOTSTRAPS, len(n)))
    residuals = deviance_residuals(counts, n, log_p, log1m_p)
    basis, _ = np.linalg.qr(slopes)
    deviances: Array = (residuals**2).sum(axis=1) - ((residuals @ basis) ** 2).sum(axis=1)
    return deviances


def _population(
    devices: Sequence[DeviceFit], covariances: Sequence[Array]
) -> tuple[list[Estimate], Array, Array]:
    """Means of the logarithms over devices, their covariance, and the covariance of devices."""
    names = list(devices[0].values)
    if any(list(d.values) != names for d in devices):
        raise DataError(
            "devices were measured in different directions", expected="the same for all"
        )
    logs = np.log([[d.values[x] for x in names] for d in devices])
    n = len(devices)
    counting = np.mean(covariances, axis=0)
    between = _positive(np.atleast_2d(np.cov(logs.T)) - counting) if n > 1 else 0 * counting
    covariance = np.atleast_2d(np.cov(logs.T)) / n if n > 1 else counting
    spreads = np.sqrt(np.diag(between)) if n > 1 else np.full(len(names), np.nan)
    quantile = half_width(n)
    estimates = []
    for j, name in enumerate(names):
        mean, error = logs[:, j].mean(), np.sqrt(covariance[j, j])
        estimates.append(
            Estimate(
                name=name,
                value=float(np.exp(mean)),
                stderr=float(np.exp(mean) * error),
                low=float(np.exp(mean - quantile * error)),
                high=float(np.exp(mean + quantile * error)),
                unit=SYMBOLS[name][0],
                symbol=SYMBOLS[name][1],
                spread=float(spreads[j]),
                bounds=_bounds(name),
            )
        )
    return estimates, covariance, between


def _positive(matrix: Array) -> Array:
    """Nearest matrix without negative variances: the counting error may exceed a small spread."""
    values, vectors = np.linalg.eigh(matrix)
    clipped: Array = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return clipped


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
    needed = [f.name for f in fields(MTJ) if f.default is MISSING or f.name in GIVEN]
    missing = [name for name in needed if name not in values]
    if missing:
        raise DataError(
            f"the fit has no {', '.join(missing)}",
            expected="write-error counts of both directions",
            remedy="measure the missing direction",
        )
    return MTJ(**{name: values[name] for name in needed})


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
