"""Write-error counts of a file, device by device, as a fit takes them; what the file says beside.

Several temperatures are brought to the one with most points, by Bloch's law where the header
gives it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from devicephys.checks import Array
from devicephys.errors import DataError, FitError, ParameterError
from devicephys.fitting.counts import Counts, block, closed_form_chart, start, taken
from devicephys.fitting.problem import Unknown, solve, started
from devicephys.fitting.result import Estimate, FitResult, spread_text
from devicephys.io import measurement
from devicephys.io.files import parse_number
from devicephys.mram.junction import at_temperature
from devicephys.parameters import DIRECTIONS, MTJ, Direction
from devicephys.units import si

BOUNDS = {  # 1, A, V, s
    "delta": (15.0, 200.0), "i_c0": (1e-7, 1e-2), "v_c0": (1e-3, 1e2), "t_d": (1e-11, 1e-6),
}  # fmt: skip
SYMBOLS = {f.name: (f.metadata["unit"], f.metadata["symbol"]) for f in fields(MTJ)} | {
    "v_c0_p_ap": ("V", r"V_{c0}^{P \to AP}"), "v_c0_ap_p": ("V", r"V_{c0}^{AP \to P}"),
}  # fmt: skip
RANGES = {  # A, V, s: of pulses that write a junction, whatever its parameters
    "pulse_current": (1e-8, 1.0), "pulse_voltage": (1e-4, 100.0), "pulse_width": (1e-12, 1.0),
}  # fmt: skip
VAGUE = 0.7  # of a logarithm: a standard error beyond it is a parameter that is not told
GIVEN = {"r_p": ("r_p_ohm", None), "tmr": ("tmr", None), "v_h": ("v_h_V", 0.5)}
MORE_DRIVES = (
    "measure two drives or more in each direction, where the error rate falls from 0.5 to 1e-3"
)
MEASURE = "measure {} pulses or {} ones, where the error rate lies between 1e-4 and 0.9"
THERMAL = ("bloch", "k_exponent", "shape_field")  # of `MTJ`, in the header where known
KINDS = {"wer_counts": ("i_c0", "pulse_current"), "wer_counts_voltage": ("v_c0", "pulse_voltage")}


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


def direction_of(critical: str) -> Direction:
    """Give the direction whose critical drive a parameter is; `suffix` the other way.

    Parameters
    ----------
    critical : str
        Name of a critical current or voltage.

    Returns
    -------
    str
        The direction.

    Examples
    --------
    >>> direction_of("v_c0_ap_p")
    'AP->P'
    """
    return next(d for d in DIRECTIONS if critical.endswith(suffix(d)))


def by_device(dataset: xr.Dataset) -> dict[str, tuple[NDArray[np.intp], Counts]]:
    """Bring the counts of every device to what the model takes.

    Parameters
    ----------
    dataset : xarray.Dataset
        Counts of one of `KINDS`.

    Returns
    -------
    dict of str to (ndarray, Counts)
        By device: its counts, and before them the indices of its points, shape (points,) [1].

    Raises
    ------
    DataError
        If a number in the header is none, or a pulse is none that writes a junction.

    Examples
    --------
    >>> from devicephys.data import path
    >>> from devicephys.io.tidy_csv import read
    >>> points = by_device(read(path("synthetic_stt_mram_wer.csv")))
    >>> len(points), points["synthetic-1"][1].critical
    (8, ('i_c0_p_ap', 'i_c0_ap_p'))
    """
    stem, drive = KINDS[dataset.attrs["kind"]]
    check_pulses(dataset)
    thermal = _numbers(json.loads(dataset.attrs["metadata"]), THERMAL, dataset.attrs["source"])
    reference = _reference(dataset)
    try:
        factors = np.log([_scaled(t, reference, thermal) for t in dataset.temperature.values])
    except ParameterError as err:
        raise DataError(str(err), where=dataset.attrs["source"]) from err
    directions = [d for d in DIRECTIONS if (dataset.direction.values == d).any()]
    every = Counts(
        k=dataset.n_errors.values.astype(np.float64), n=dataset.n_trials.values.astype(np.float64),
        log_drive=np.log(dataset[drive].values) - factors[:, 0],
        log_width=np.log(dataset.pulse_width.values) - factors[:, 2], log_delta=factors[:, 1],
        index=np.array([directions.index(d) for d in dataset.direction.values]),
        critical=tuple(f"{stem}_{suffix(d)}" for d in directions),
    )  # fmt: skip
    names = sorted(set(dataset.device.values.tolist()))
    rows = {name: np.flatnonzero(dataset.device.values == name) for name in names}
    return {name: (mine, taken(every, mine)) for name, mine in rows.items()}


def values_of_devices(
    result: FitResult, devices: Iterable[str], where: str
) -> dict[str, Mapping[str, float]]:
    """Give the values that a fit found for every device of the data.

    Parameters
    ----------
    result : FitResult
        The fit.
    devices : iterable of str
        The devices of the data.
    where : str
        The data, for messages.

    Returns
    -------
    dict of str to mapping
        Values by device and name [SI].

    Raises
    ------
    DataError
        If the fit is of other devices.

    Examples
    --------
    >>> values_of_devices(FitResult("none", "0", (), (), {}), ["d1"], "x.csv")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: x.csv: a fit of devices none; expected d1; fit these data first
    """
    values = {d.device: d.values for d in result.devices}
    if set(values) != set(devices):
        raise DataError(
            f"a fit of devices {', '.join(values) or 'none'}", where=where,
            expected=", ".join(devices), remedy="fit these data first",
        )  # fmt: skip
    return values


def check_pulses(dataset: xr.Dataset) -> None:
    """Check that pulses are such as write a junction: another unit or column shows here.

    Parameters
    ----------
    dataset : xarray.Dataset
        Counts of one of `KINDS`.

    Raises
    ------
    DataError
        If a drive or width is outside `RANGES`.

    Examples
    --------
    >>> from devicephys.data import path
    >>> from devicephys.io.tidy_csv import read
    >>> counts = read(path("synthetic_stt_mram_wer.csv"))
    >>> counts.pulse_current.values[:] *= 1e6
    >>> check_pulses(counts)
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: synthetic_stt_mram_wer.csv: pulse_current of 41.2 A; expected \
10 nA to 1 A, as junctions are written; check that the column is in A and the right one
    """
    for name in (KINDS[dataset.attrs["kind"]][1], "pulse_width"):
        (low, high), unit = RANGES[name], dataset[name].attrs.get("units", "")
        for x in (float(dataset[name].min()), float(dataset[name].max())):
            if not low <= x <= high:
                raise DataError(
                    f"{name} of {si(x, unit)}", where=dataset.attrs["source"],
                    expected=f"{si(low, unit)} to {si(high, unit)}, as junctions are written",
                    remedy=f"check that the column is in {unit} and the right one",
                )  # fmt: skip


def check_alone(name: str, counts: Counts, where: str) -> None:
    """Check that the counts of one device can fix its own parameters.

    Parameters
    ----------
    name : str
        The device.
    counts : Counts
        Its counts.
    where : str
        The data, for messages.

    Raises
    ------
    DataError
        If it has too few points, none in a direction, or successes in place of errors.
    FitError
        If every pulse of a direction worked, or failed.

    Examples
    --------
    >>> one = Counts(*(np.array([x]) for x in (5.0, 100.0, 0.7, 1.0, 0.0)), np.array([0]), ("i",))
    >>> check_alone("d1", one, "x.csv")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: x.csv: device 'd1' has 1 points; expected more than the 3 \
parameters; measure more widths
    """
    if len(counts.k) <= len(counts.critical) + 2:
        raise DataError(
            f"device {name!r} has {len(counts.k)} points", where=where,
            expected=f"more than the {len(counts.critical) + 2} parameters",
            remedy="measure more widths",
        )  # fmt: skip
    for j, critical in enumerate(counts.critical):
        k, n = counts.k[counts.index == j], counts.n[counts.index == j]
        direction = direction_of(critical)
        if not len(k):
            raise DataError(
                f"device {name!r} was not measured {direction}", where=where,
                expected="the same directions for all devices",
                remedy="measure it, or leave the device out",
            )  # fmt: skip
        _check_outcomes(f"device {name!r}, {direction}: every pulse", k, n, where)
    drives = set(zip(counts.index, counts.log_drive, counts.log_delta, strict=True))
    if len(drives) == 1:
        raise FitError(
            f"device {name!r}: one drive in one direction, whose errors over the width are a line "
            "with two numbers, for three parameters", where=where, remedy=MORE_DRIVES,
        )  # fmt: skip
    if len(drives) == len(counts.critical):
        check_told(f"device {name!r}", counts, where)


def check_told(what: str, counts: Counts, where: str) -> None:
    """Check by the closed form that points tell every parameter, before the model takes minutes.

    Parameters
    ----------
    what : str
        Whose points they are, for the message.
    counts : Counts
        The points, as of one device.
    where : str
        The data, for messages.

    Raises
    ------
    FitError
        If a parameter is known to no better than a factor of four (95 %, errors by the misfit).

    Examples
    --------
    >>> t = np.log(np.array([3e-9, 5e-9]))
    >>> few = Counts(np.array([6500.0, 980.0]), np.full(2, 1e4), np.full(2, np.log(65e-6)), t,
    ...              np.zeros(2), np.zeros(2, int), ("i_c0_p_ap",))
    >>> check_told("d1", few, "x.csv")
    Traceback (most recent call last):
        ...
    devicephys.errors.FitError: x.csv: d1: 2 data for the 3 free parameters delta, i_c0_p_ap, t_d; \
expected at least one datum a parameter; measure more conditions, or fix a parameter that is known
    """
    unknowns = started(unknowns_of(counts.critical), start([counts]))
    try:
        found = solve(unknowns, [block(what, counts, closed_form_chart)])
    except FitError as err:
        raise FitError(f"{what}: {err}", where=where) from err
    misfit = max(found.deviance / max(found.dof, 1), 1.0)
    errors = np.sqrt(misfit * np.diag(found.covariance))
    vague = ", ".join(x for x, e in zip(found.names, errors, strict=True) if e > VAGUE)
    if vague:
        raise FitError(
            f"{what}: these points do not tell {vague} apart from the others, not to a factor "
            "of four", where=where, remedy=MORE_DRIVES,
        )  # fmt: skip


def check_together(dataset: xr.Dataset) -> None:
    """Check that the counts of all devices can fix their population, whatever one of them tells.

    Parameters
    ----------
    dataset : xarray.Dataset
        Counts of one of `KINDS`.

    Raises
    ------
    FitError
        If every pulse of a direction worked, or failed, in all devices.

    Examples
    --------
    >>> from devicephys.data import path
    >>> from devicephys.io.tidy_csv import read
    >>> counts = read(path("synthetic_stt_mram_wer.csv"))
    >>> check_together(counts.assign(n_errors=0 * counts.n_errors))
    Traceback (most recent call last):
        ...
    devicephys.errors.FitError: synthetic_stt_mram_wer.csv: P->AP: every pulse of 8 devices \
worked; measure shorter pulses or weaker ones, where the error rate lies between 1e-4 and 0.9
    """
    for direction in (d for d in DIRECTIONS if (dataset.direction.values == d).any()):
        mine = dataset.isel(point=np.flatnonzero(dataset.direction.values == direction))
        devices = len(np.unique(mine.device.values))
        what = f"{direction}: every pulse of {devices} device" + "s" * (devices > 1)
        _check_outcomes(what, mine.n_errors.values, mine.n_trials.values, dataset.attrs["source"])


def _check_outcomes(what: str, k: Array, n: Array, where: str) -> None:
    if k.sum() == 0:
        raise FitError(f"{what} worked", where=where, remedy=MEASURE.format("shorter", "weaker"))
    if (k == n).all():
        raise FitError(f"{what} failed", where=where, remedy=MEASURE.format("longer", "stronger"))


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
        "synthetic": measurement.synthetic(dataset),
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


def given(dataset: xr.Dataset) -> list[Estimate]:
    """Give what the counts say nothing about: temperature, resistance, TMR, from the header.

    Parameters
    ----------
    dataset : xarray.Dataset
        Counts of one of `KINDS`.

    Returns
    -------
    list of Estimate
        Fixed parameters.

    Raises
    ------
    DataError
        If the header lacks one, or it is not a number > 0.

    Examples
    --------
    >>> from devicephys.data import path
    >>> from devicephys.io.tidy_csv import read
    >>> [e.name for e in given(read(path("synthetic_stt_mram_wer.csv")))]
    ['temperature', 'r_p', 'tmr', 'v_h']
    """
    where, metadata = dataset.attrs["source"], json.loads(dataset.attrs["metadata"])
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


def _reference(dataset: xr.Dataset) -> float:
    """Temperature with most points: what the estimates hold at."""
    values, n = np.unique(dataset.temperature.values, return_counts=True)
    return float(values[n.argmax()])


def _scaled(
    temperature: float, reference: float, thermal: Mapping[str, float]
) -> tuple[float, float, float]:
    """Factors on critical drive, Delta and t_D from the reference to another temperature."""
    if temperature == reference:
        return 1.0, 1.0, 1.0
    unit = MTJ(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, temperature=reference, **thermal)
    there = at_temperature(unit, temperature)
    return there.i_c0_p_ap, there.delta, there.t_d


def unknowns_of(critical: Sequence[str]) -> list[Unknown]:
    """Give the parameters that counts can tell, with bounds far outside what a junction shows.

    Parameters
    ----------
    critical : sequence of str
        Names of the critical drives.

    Returns
    -------
    list of Unknown
        delta, the critical drives, t_d.

    Examples
    --------
    >>> [u.name for u in unknowns_of(["i_c0_p_ap"])]
    ['delta', 'i_c0_p_ap', 't_d']
    """
    return [
        Unknown(name, *SYMBOLS[name], *BOUNDS[name[:4] if name in critical else name])
        for name in ("delta", *critical, "t_d")
    ]


def population_estimates(
    unknowns: Sequence[Unknown], mean: Array, stderr: Array, low: Array, high: Array,
    spread: Array, spread_low: Array, spread_high: Array,
) -> tuple[Estimate, ...]:  # fmt: skip
    """Give the estimates of a population from those of its logarithms.

    Parameters
    ----------
    unknowns : sequence of Unknown
        The parameters, fitted as logarithms.
    mean, stderr, low, high : ndarray
        Mean, its error and 95 % interval, of the logarithms, shape (p,) each [1].
    spread, spread_low, spread_high : ndarray
        Standard deviation between devices of the logarithms and its 95 % interval; NaN where it
        has none; shape (p,) each [1].

    Returns
    -------
    tuple of Estimate
        One for each parameter.

    Examples
    --------
    >>> one = [np.array([x]) for x in (0.0, 0.1, -0.2, 0.2, 0.03, 0.02, 0.06)]
    >>> e = population_estimates([Unknown("delta", "1", "", 0.5, 2.0)], *one)[0]
    >>> e.value, e.stderr, e.spread, e.spread_high
    (1.0, 0.1, 0.03, 0.06)
    """
    columns = (mean, stderr, low, high, spread, spread_low, spread_high)
    return tuple(
        Estimate(
            name=u.name, value=float(np.exp(m)), stderr=float(np.exp(m) * error),
            low=float(np.exp(a)), high=float(np.exp(b)), unit=u.unit, symbol=u.symbol,
            bounds=(u.low, u.high), spread=s, spread_low=s_low, spread_high=s_high,
        )
        for u, m, error, a, b, s, s_low, s_high in zip(
            unknowns, *(x.tolist() for x in columns), strict=True
        )
    )  # fmt: skip


def spread_sentence(names: Sequence[str], spread: Array, low: Array, high: Array) -> str:
    """Say how devices differ, for people.

    Parameters
    ----------
    names : sequence of str
        The parameters.
    spread, low, high : ndarray
        Standard deviations between devices of the logarithms, and their 95 % intervals, shape
        (p,) each [1].

    Returns
    -------
    str
        The sentence.

    Examples
    --------
    >>> spread_sentence(["delta"], np.array([0.03]), np.array([0.02]), np.array([0.06]))
    'spread from device to device, with 95 % intervals: delta 3 % (2 to 6)'
    """
    each = "; ".join(
        f"{name} {spread_text(*of)}"
        for name, *of in zip(names, spread.tolist(), low.tolist(), high.tolist(), strict=True)
    )
    return f"spread from device to device, with 95 % intervals: {each}"
