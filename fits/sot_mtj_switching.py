"""Switching probability of MTJs against voltage at one pulse width: V_50 and sigma by device.

Empirical: the normal law of `devicephys.fitting.switching_curve`, no STT or SOT physics, so nothing
follows for other widths. Free: V_50 and sigma of every device and direction, each curve by itself;
no ceiling, because a curve that does not reach 1 is what the checks look for. No point is masked.
Counts that are all multiples of one number count as that many times fewer trials.

Read are tidy counts against ``pulse_voltage_V``, and tables of switching probabilities with the
header ``device_id,direction,V,t_p,P_sw,n_reps``, which state no temperature.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from devicephys import __version__
from devicephys.checks import Array
from devicephys.errors import DataError
from devicephys.fitting import goodness, switching_curve
from devicephys.fitting.plateau import anomalies, sentences
from devicephys.fitting.point_check import compare
from devicephys.fitting.result import DeviceFit, Estimate, FitResult
from devicephys.fitting.switching_curve import SwitchingCurve
from devicephys.fitting.wer_data import suffix, summary
from devicephys.io import tidy_csv
from devicephys.io.files import decode, parse_number, read_bytes, sha256
from devicephys.parameters import DIRECTIONS, Direction

NAME = "sot_mtj_switching"
LAW = "normal"
HEADER = ("device_id", "direction", "V", "t_p", "P_sw", "n_reps")
KIND = "wer_counts_voltage"
LAYOUT = f"tidy {KIND}, or the columns {','.join(HEADER)}"
ROUNDING = 0.01  # of a trial: what P_sw n may miss a whole number by
ALARM = 0.01
Key = tuple[str, Direction]


def read(path: str | Path) -> xr.Dataset:
    """Read tidy counts against voltage, or a table of switching probabilities."""
    where = str(path)
    content = read_bytes(path)
    lines = decode(content, where).splitlines() or [""]
    if tuple(cell.strip() for cell in lines[0].split(",")) != HEADER:
        dataset = tidy_csv.read(path)
        if dataset.attrs["kind"] != KIND:
            raise DataError(
                f"data of kind {dataset.attrs['kind']!r}", where=where,
                expected=LAYOUT,
            )  # fmt: skip
        return dataset
    rows: dict[tuple[str, str, float, float], tuple[int, int]] = {}
    for number, line in enumerate(lines[1:], 2):
        if line.strip():
            key, counts = _row([x.strip() for x in line.split(",")], f"{where}:{number}")
            if key in rows:
                raise DataError("the same pulse again", where=f"{where}:{number}",
                                expected="each device, direction, V and t_p once")  # fmt: skip
            rows[key] = counts
    if not rows:
        raise DataError("no data rows", where=where, expected="at least one row under the header")
    device, direction, voltage, width = (np.array(x) for x in zip(*rows, strict=True))
    n_trials, n_errors = np.array(list(rows.values())).T
    columns = {
        "device": (device, "1"), "direction": (direction, "1"), "pulse_voltage": (voltage, "V"),
        "pulse_width": (width, "s"), "temperature": (np.full(len(device), np.nan), "K"),
        "n_trials": (n_trials, "1"), "n_errors": (n_errors, "1"),
    }  # fmt: skip
    return xr.Dataset(
        {name: ("point", values, {"units": unit}) for name, (values, unit) in columns.items()},
        attrs={
            "kind": KIND,
            "source": Path(where).name,
            "sha256": sha256(content),
            "metadata": json.dumps({"temperature": "not stated"}),
        },
    )


def _row(cells: list[str], where: str) -> tuple[tuple[str, str, float, float], tuple[int, int]]:
    """One pulse condition and its (trials, errors)."""
    if len(cells) != len(HEADER):
        raise DataError(f"{len(cells)} cells", where=where, expected=f"{len(HEADER)} cells")
    device, direction, *texts = cells
    accepted: dict[str, tuple[Callable[[float], bool], str]] = {
        "V": (lambda x: x > 0, "a magnitude > 0 in volt"),
        "t_p": (lambda x: 0 < x < 1, "a number in (0, 1) in seconds"),
        "P_sw": (lambda x: 0 <= x <= 1, "a probability in [0, 1]"),
        "n_reps": (lambda x: 1 <= x < 2**53 and x == round(x), "a whole number >= 1"),
    }
    if not device or direction not in DIRECTIONS:
        raise DataError(f"device {device!r}, direction {direction!r}", where=where,
                        expected=f"a name, and {' or '.join(DIRECTIONS)}")  # fmt: skip
    numbers = []
    for (name, (accept, expected)), text in zip(accepted.items(), texts, strict=True):
        try:
            numbers.append(parse_number(text))
            if not accept(numbers[-1]):
                raise ValueError
        except ValueError as err:
            raise DataError(f"{text[:80]!r}", where=f"{where}:{name}", expected=expected) from err
    voltage, width, p_switched, n = numbers
    switched = p_switched * n
    if abs(switched - round(switched)) > ROUNDING:
        raise DataError(
            f"P_sw n_reps = {switched:g}", where=f"{where}:P_sw", expected="a whole number",
            remedy="give P_sw with more digits, or the true number of trials",
        )  # fmt: skip
    return (device, direction, voltage, width), (int(n), int(n) - round(switched))


def fit(
    dataset: xr.Dataset, rng: np.random.Generator, progress: Callable[[int, int], None]
) -> FitResult:
    """Fit every curve by itself, and check each against plateaus, returning errors and outliers."""
    for name in ("pulse_width", "temperature"):
        several = np.unique(dataset[name].values)
        if len(several) > 1:
            raise DataError(
                f"{name} {several.tolist()}", where=dataset.attrs["source"],
                expected=f"one {name} a fit", remedy="split the file",
            )  # fmt: skip
    k, n, step = _independent(dataset)
    voltage = dataset.pulse_voltage.values
    curves, estimates = {}, []
    other_law = 0.0
    keys = _keys(dataset)
    for (device, direction), stream in zip(keys, rng.spawn(len(keys)), strict=True):
        mine = _mine(dataset, device, direction)
        points = voltage[mine], k[mine], n[mine]
        where = f"{dataset.attrs['source']}, device {device!r}, {direction}"
        curve = switching_curve.fit(*points, stream, LAW, where=where)
        curves[device, direction] = curve
        ends = switching_curve.intervals(curve, *points)
        estimates += [
            Estimate(f"{name}_{device}_{suffix(direction)}", value, curve.stderrs[name],
                     *ends[name], *switching_curve.UNITS[name])
            for name, value in curve.values.items()
        ]  # fmt: skip
        other = switching_curve.fit(*points, stream, "extreme_value", where=where)
        other_law += other.deviance
        progress(len(curves), len(keys))
    devices = tuple(_device(name, curves) for name in dict.fromkeys(d for d, _ in keys))
    deviance, dof = sum(c.deviance for c in curves.values()), sum(c.dof for c in curves.values())
    simulated = np.sum([c.simulated for c in curves.values()], axis=0)
    spread = goodness.overdispersion(deviance, dof, simulated)
    flags, flagged = _flags(dataset, devices, spread, step, rng)
    return FitResult(
        recipe=NAME,
        version=__version__,
        estimates=tuple(estimates),
        covariance=_covariance(list(curves.values())),
        data=summary(dataset)
        | {
            "temperatures_K": [t for t in np.unique(dataset.temperature.values) if t > 0],
            "pulse_width_s": float(dataset.pulse_width.values[0]),
            "counting_step": step.step,
            "flagged_points": flagged,
        },
        devices=devices,
        deviance=deviance,
        dof=dof,
        p_value=spread.p_value,
        notes=(
            "Empirical curves of switching probability against voltage at one pulse width: no STT "
            "or SOT physics, nothing follows for other widths or far tails",
            f"{LAW} law: deviance {deviance:.1f} over {dof}; extreme-value law: {other_law:.1f}",
            *([spread.sentence()] * (spread.p_value >= ALARM)),
            *(["The temperature is not stated"] * bool(dataset.temperature.isnull().any())),
        ),
        flags=flags,
    )


def _independent(dataset: xr.Dataset) -> tuple[Array, Array, goodness.CountingStep]:
    """Errors and trials that count by themselves, and the step that says how many do."""
    k, n = dataset.n_errors.values.astype(float), dataset.n_trials.values.astype(float)
    step = goodness.counting_step(k, n)
    return k / step.step, n / step.step, step


def _keys(dataset: xr.Dataset) -> list[Key]:
    seen = set(zip(dataset.device.values.tolist(), dataset.direction.values.tolist(), strict=True))
    return [(d, x) for d in sorted({d for d, _ in seen}) for x in DIRECTIONS if (d, x) in seen]


def _mine(dataset: xr.Dataset, device: str, direction: Direction) -> NDArray[np.bool_]:
    here = (dataset.device.values == device) & (dataset.direction.values == direction)
    return np.asarray(here, np.bool_)


def _device(name: str, curves: Mapping[Key, SwitchingCurve]) -> DeviceFit:
    """Both directions of a device in one record."""
    mine = {x: curve for (device, x), curve in curves.items() if device == name}
    deviance = sum(c.deviance for c in mine.values())
    simulated = np.sum([c.simulated for c in mine.values()], axis=0)
    return DeviceFit(
        device=name,
        values={f"{n}_{suffix(x)}": v for x, c in mine.items() for n, v in c.values.items()},
        stderrs={f"{n}_{suffix(x)}": v for x, c in mine.items() for n, v in c.stderrs.items()},
        deviance=deviance,
        dof=sum(c.dof for c in mine.values()),
        p_value=goodness.bootstrap_p(deviance, simulated),
    )


def _covariance(curves: list[SwitchingCurve]) -> tuple[tuple[float, ...], ...]:
    """Covariance of ln V_50 and ln sigma of all curves; different curves share nothing."""
    total = np.zeros((2 * len(curves),) * 2)
    for j, curve in enumerate(curves):
        scale = np.array([1 / curve.values["v_50"], 1.0])
        total[2 * j : 2 * j + 2, 2 * j : 2 * j + 2] = curve.covariance * np.outer(scale, scale)
    return tuple(tuple(row) for row in total.tolist())


def _logs(dataset: xr.Dataset, devices: tuple[DeviceFit, ...]) -> tuple[Array, Array]:
    """ln of error and of switching probability at every point, by the fit of its device."""
    logs = np.full((2, dataset.sizes["point"]), np.nan)
    values = {d.device: d.values for d in devices}
    for device, direction in _keys(dataset):
        mine, of = _mine(dataset, device, direction), suffix(direction)
        v_50, sigma = (values[device][f"{name}_{of}"] for name in ("v_50", "sigma"))
        voltage = dataset.pulse_voltage.values[mine]
        logs[:, mine] = switching_curve.log_probabilities(LAW, voltage, v_50, sigma)
    return logs[0], logs[1]


def _flags(
    dataset: xr.Dataset, devices: tuple[DeviceFit, ...], spread: goodness.Overdispersion,
    step: goodness.CountingStep, rng: np.random.Generator,
) -> tuple[tuple[str, ...], list[int]]:  # fmt: skip
    """What must not be overlooked, and the points that it concerns."""
    k, n, _ = _independent(dataset)
    log_p, log1m_p = _logs(dataset, devices)
    flags = []
    if step.step > 1:
        flags.append(
            f"{step.sentence()}; fitted as {step.step} times fewer trials than the file states"
        )
    if spread.p_value < ALARM:
        flags.append(spread.sentence())
    drives = {"pulse_voltage": dataset.pulse_voltage.values}
    device, direction = dataset.device.values, dataset.direction.values
    strange = anomalies(device, direction, drives, k, n, log_p, rng)
    flags += sentences(strange)
    outlying = goodness.outlying_points(k, n, log_p, log1m_p)
    if outlying.points:
        each = [
            f"{device[j]} {direction[j]} at {drives['pulse_voltage'][j]:.4g} V ({what} errors)"
            for j, what in zip(outlying.points, outlying.directions, strict=True)
        ]
        flags.append(f"{outlying.sentence()}: {', '.join(each)}")
    return tuple(flags), sorted({*outlying.points, *(j for x in strange for j in x.points)})


def check(dataset: xr.Dataset, result: FitResult, rng: np.random.Generator) -> xr.Dataset:
    """Compare every point with the fit of its curve, for the figures of a report."""
    k, n, _ = _independent(dataset)
    logs = np.array(_logs(dataset, result.devices))
    flagged = result.data["flagged_points"]
    return compare(dataset, k, n, logs, flagged, "switching probability", rng)


def table(dataset: xr.Dataset, result: FitResult, grid: Mapping[str, Array]) -> xr.Dataset:
    """Refuse: an error-rate table carries an energy, which these data do not give."""
    raise DataError(
        "voltages without a resistance give no energy a bit, and a table needs one",
        where=result.data["source"], remedy="use the fitted curves; this recipe makes no table",
    )  # fmt: skip
