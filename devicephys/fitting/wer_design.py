"""Which write-error pulses to measure next, and when more devices help more than more pulses."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from devicephys.checks import Array, in_range, known
from devicephys.errors import DataError
from devicephys.fitting import design, problem
from devicephys.fitting.chart import growing
from devicephys.fitting.counts import Counts, LogWer, joined, log_probabilities, log_wer
from devicephys.fitting.result import FitResult
from devicephys.fitting.wer import half_width
from devicephys.fitting.wer_data import KINDS, by_device, direction_of

STEPS = (5, 12)  # drives and widths of the default grid


@dataclass(frozen=True)
class Pulse:
    """A pulse worth measuring.

    Attributes
    ----------
    direction : str
        P->AP or AP->P.
    drive, width : float
        Current or voltage, as the data have it [A or V], and width [s].
    wer : float
        Expected write error rate of the median device [1].
    error : float
        Relative standard error of the parameter of one device, with this pulse and those before
        it [1].
    """

    direction: str
    drive: float
    width: float
    wer: float
    error: float


@dataclass(frozen=True)
class Plan:
    """What more pulses, and more devices, would do for one parameter.

    Attributes
    ----------
    parameter : str
        Its name.
    pulses : tuple of Pulse
        In the order in which they help most.
    devices : int
        Devices measured so far [1].
    before : float
        Relative standard error of the parameter of one device now [1].
    spread : float
        Relative standard deviation from device to device; 0 where one was measured [1].
    """

    parameter: str
    pulses: tuple[Pulse, ...]
    devices: int
    before: float
    spread: float

    def half_width(self, error: float, devices: int) -> float:
        """Relative half width of the 95 % interval of the median of some devices [1]."""
        return half_width(devices) * float(np.sqrt((self.spread**2 + error**2) / devices))

    def sentences(self) -> tuple[str, ...]:
        """Say what the plan gains, for people."""
        after, n = self.pulses[-1].error, self.devices
        now, then = self.half_width(self.before, n), self.half_width(after, n)
        if n == 1:
            return (f"{self.parameter}: {100 * now:.2g} % now, {100 * then:.2g} % with these "
                    "pulses (95 % interval of this device); other devices differ by a spread that "
                    "one device does not tell",)  # fmt: skip
        limit, more = self.half_width(0.0, n), self.half_width(self.before, 2 * n)
        best = "more devices help more" if more < then else "these pulses help more"
        return (
            f"median {self.parameter} of {n} devices: +-{100 * now:.2g} % now, +-{100 * then:.2g} "
            f"% with these pulses on every device; no number of pulses brings it below "
            f"+-{100 * limit:.2g} %, because devices differ by {100 * self.spread:.2g} %",
            f"{2 * n} devices measured as these {n} would give +-{100 * more:.2g} %: {best}",
        )


def plan(
    dataset: xr.Dataset,
    result: FitResult,
    parameter: str,
    grid: Mapping[str, Array],
    trials: float,
    n_pulses: int,
) -> Plan:
    """Choose the pulses that shrink the error of one parameter most, for the median device.

    Valid where the fit explains the counts. The data at hand count as their average over devices.

    Parameters
    ----------
    dataset : xarray.Dataset
        The counts that were fitted.
    result : FitResult
        Their fit.
    parameter : str
        The parameter whose interval is to shrink: delta, t_d, or a critical drive.
    grid : mapping of str to ndarray
        Values that the tester can set, shape (n,) each: pulse_current or pulse_voltage as the data
        have it, and pulse_width; empty for the range of the data, widths to twice the longest
        [A or V, s].
    trials : float
        Trials of each pulse, >= 1 [1].
    n_pulses : int
        How many pulses to choose, >= 1 [1].

    Returns
    -------
    Plan
        Pulses, and what they and more devices would give.

    Raises
    ------
    ParameterError
        If the parameter or an axis is unknown, or a number is out of range.
    DataError
        If the fit is of other data, or the data leave a parameter open.

    References
    ----------
    This project's use of Fisher's information, see `design`.

    Examples
    --------
    See docs/guide/fit_wer.md.
    """
    if result.data.get("sha256") != dataset.attrs["sha256"]:
        raise DataError("a fit of other data", where=dataset.attrs["source"],
                        expected="the fit of this file", remedy="fit it first")  # fmt: skip
    varied = [e for e in result.estimates if e.vary]
    names = [e.name for e in varied]
    known("parameter", parameter, names)
    in_range("trials", trials, "1", above=1, inclusive=True)
    k = names.index(parameter)
    counts = joined([c for _, c in by_device(dataset).values()])
    values = {e.name: e.value for e in varied}
    chart = growing(max(float(trials), float(dataset.n_trials.max())))
    n_devices = len(result.devices)
    here = _expected(counts, names, values, chart)
    pulses, directions, drives, widths = _candidates(dataset, counts, grid, trials)
    slopes = _expected(pulses, names, values, chart)
    chosen = design.ranked(here.T @ here / n_devices, slopes, k, n_pulses)
    wer = np.exp(log_wer(pulses, values, chart))
    best = tuple(
        Pulse(directions[j], float(drives[j]), float(widths[j]), float(wer[j]), float(error))
        for j, error in zip(chosen.points, chosen.errors, strict=True)
    )
    spread = varied[k].spread if n_devices > 1 else 0.0
    return Plan(parameter, best, n_devices, chosen.before, float(spread))


def _expected(counts: Counts, names: list[str], values: dict[str, float], chart: LogWer) -> Array:
    """Slopes of the residuals in the logarithms, if the counts were what the model expects."""
    log_p, log1m_p = log_probabilities(counts, values, chart)

    def at(theta: Array) -> Array:
        moved = dict(zip(names, np.exp(theta), strict=True))
        return log_wer(counts, moved, chart)

    theta = np.log([values[name] for name in names])
    slopes = problem.central_slopes(at, theta, np.full(len(theta), problem.STEP))
    return slopes * np.sqrt(counts.n * np.exp(log_p - log1m_p))[:, None]


def _candidates(
    dataset: xr.Dataset, counts: Counts, grid: Mapping[str, Array], trials: float
) -> tuple[Counts, list[str], Array, Array]:
    """Every pulse of the grid in every measured direction: as counts, and as the tester sets it."""
    _, drive = KINDS[dataset.attrs["kind"]]
    for name in grid:
        known("axis", name, (drive, "pulse_width"))
    measured, longest = dataset[drive].values, float(dataset.pulse_width.max())
    shortest = float(dataset.pulse_width.min())
    drives = grid.get(drive, np.linspace(measured.min(), measured.max(), STEPS[0]))
    widths = grid.get("pulse_width", np.linspace(shortest, 2 * longest, STEPS[1]))
    in_range(drive, drives, "A or V", above=0)
    in_range("pulse_width", widths, "s", above=0)
    n = len(counts.critical)
    i = np.tile(np.repeat(drives, len(widths)), n)
    t = np.tile(widths, n * len(drives))
    index = np.repeat(np.arange(n), len(drives) * len(widths))
    zero = np.zeros(len(i))
    made = Counts(
        k=zero, n=zero + trials, log_drive=np.log(i), log_width=np.log(t), log_delta=zero,
        index=index, critical=counts.critical,
    )  # fmt: skip
    names = [direction_of(c) for c in counts.critical]
    return made, [names[j] for j in index], i, t
