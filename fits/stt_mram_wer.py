"""Write-error counts of STT-MRAM junctions: Delta, I_c0 and t_D, and the write-error table.

Free: Delta (15-200), one I_c0 a direction, t_D (10 ps to 1 us); the bounds are far outside what a
junction shows and a parameter that ends at one is reported. Fixed: R_P, TMR and V_h, given in the
file's header, because counts say nothing about them. No point is masked: a point without an error
carries information.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from devicephys import tables
from devicephys.checks import Array, in_range, known
from devicephys.errors import DataError
from devicephys.fitting import wer, wer_check, wer_data
from devicephys.fitting.problem import Block, Unknown
from devicephys.fitting.result import FitResult
from devicephys.io import measurement
from devicephys.mram.pulse import Pulse, square
from devicephys.mram.spread import ArrayRate, Spread, mean_write_error_rate
from devicephys.mram.write import energy_per_bit
from devicephys.parameters import DIRECTIONS, Direction
from devicephys.stats import NORMAL_QUANTILE

NAME = "stt_mram_wer"
AXES = ("pulse_current", "pulse_width")
TIDY_KINDS = ("wer_counts", "wer_counts_voltage")
RTOL = 5e-3  # of a mean over devices: far below the intervals of any fit
ATOL, RESOLVED = 1e-15, 1e-12  # what the solver may add to a WER; what it then still resolves
LEAST_SPREAD = 1e-3  # of a logarithm


def read(path: str | Path) -> xr.Dataset:
    """Read counts against current or voltage, by tidy column names."""
    return measurement.tidy(path, kinds=TIDY_KINDS)


def fit(
    dataset: xr.Dataset, rng: np.random.Generator, progress: Callable[[int, int], None]
) -> FitResult:
    """Fit every device, then the population."""
    return wer.fit(dataset, rng, NAME, progress)


def check(dataset: xr.Dataset, result: FitResult, rng: np.random.Generator) -> xr.Dataset:
    """Compare every count with the fit of its device, for the figures of a report."""
    return wer_check.check(dataset, result, rng)


def problems(
    dataset: xr.Dataset, result: FitResult
) -> dict[str, tuple[list[Unknown], list[Block]]]:
    """Give the fit of every device, for intervals by other methods."""
    return wer.problems(dataset, result)


def table(dataset: xr.Dataset, result: FitResult, grid: Mapping[str, Array]) -> xr.Dataset:
    """Tabulate the array's mean write error and the energy over currents and widths.

    p10 is the error of writing 1 (P->AP), p01 of writing 0 (AP->P), both from the opposite state.
    The interval carries the fit's covariance and the uncertainty of the spread through the slopes
    of ln BER (Student's t). A rate below 1e-12 is only bounded: its interval is 0 to 1e-12 or more.
    """
    mtj = wer.junction(result)
    for name in grid:
        known("axis of this recipe", name, AXES)
        low, high = wer_data.RANGES[name]
        in_range(name, grid[name], tables.AXES[name], above=low, below=high, inclusive=True)
    current = grid["pulse_current"] if "pulse_current" in grid else _shared_currents(dataset)
    longest = float(dataset.pulse_width.max())
    width = grid.get("pulse_width", np.linspace(longest / 10, longest, 10))
    pulses = square("current", current[:, None], width[None, :])
    p10, p01 = rates = [_rate(result, pulses, d) for d in DIRECTIONS]
    return tables.of_writes(
        {"pulse_current": current, "pulse_width": width}, p01.wer, p10.wer,
        _uncertainty(result, rates), energy_per_bit(mtj, pulses), RESOLVED,
        {
            "title": "STT-MRAM write error rate and energy"
            + " (synthetic)" * bool(result.data["synthetic"]),
            "source": f"recipe {NAME}: Fokker-Planck, mean over a log-normal array",
            "input_files": {result.data["source"]: result.data["sha256"]},
            "bit": "1 is AP; the cell starts in the opposite state; junction energy, mean of both",
            "synthetic": int(result.data["synthetic"]),
        },
    )  # fmt: skip


def _array(result: FitResult, direction: Direction) -> Spread:
    """Give the spread; one that was not seen is made tiny, not zero: slopes come from nodes."""
    array = wer.spread(result, direction)
    floored = {
        name: max(getattr(array, name), LEAST_SPREAD)
        for name in ("sigma_i_c0", "sigma_delta", "sigma_t_d")
    }
    return replace(array, **floored)


def _rate(result: FitResult, pulses: Pulse, direction: Direction) -> ArrayRate:
    """Mean write error of one direction, with its slopes in every fitted parameter."""
    return mean_write_error_rate(
        wer.junction(result), _array(result, direction), pulses, direction, rtol=RTOL, atol=ATOL
    )


def _uncertainty(result: FitResult, rates: Sequence[ArrayRate]) -> Array:
    """Half width of the 95 % interval of ln BER, to first order."""
    names = [e.name for e in result.estimates if e.vary]
    total = np.maximum(sum(r.wer for r in rates), ATOL)
    slopes = np.zeros((len(names), *total.shape))
    of_spread, errors = np.zeros(total.shape), np.zeros((2, *total.shape))
    together = len(result.devices) > 1 and np.isnan(result["t_d"].spread_high)
    for rate, direction in zip(rates, DIRECTIONS, strict=True):
        share = rate.wer / total
        of_spread += share * rate.slope_spread
        for k, name in enumerate((wer_data.i_c0_name(direction), "delta", "t_d")):
            slopes[names.index(name)] += share * rate.slopes[..., k]
        if together:
            errors += share * _of_spreads(result, rate, direction)
    variance = np.einsum("aij,ab,bij->ij", slopes, np.array(result.covariance), slopes)
    n = len(result.devices)
    if together:  # t_d has no spread there, and the others' are not seen alike
        variance = variance + (errors**2).sum(axis=0)
    elif n > 1:  # n devices know ln sigma with a variance of 1/(2 (n - 1))
        variance = variance + of_spread**2 / (2 * (n - 1))
    return np.asarray(wer.half_width(n) * np.sqrt(variance))


def _of_spreads(result: FitResult, rate: ArrayRate, direction: Direction) -> Array:
    """Standard errors of ln WER by those of ln sigma of I_c0 and of Delta.

    The slope in ln sigma_k is the part (sigma_k d ln WER/dx_k)^2 of the slope in all, exact where
    ln WER is straight in the logarithms x. The error of ln sigma is ln(high/low)/(2 1.96); where
    the low end is 0, that of sigma^2, ((high/sigma)^2 - 1)/(2 1.96).
    """
    array = _array(result, direction)
    sigma = np.array([array.sigma_i_c0, array.sigma_delta, array.sigma_t_d])
    part = (sigma * rate.slopes[..., :3]) ** 2
    part = part / np.maximum(part.sum(axis=-1, keepdims=True), np.finfo(np.float64).tiny)
    errors = []
    for k, name in enumerate((wer_data.i_c0_name(direction), "delta")):
        low, high = result[name].spread_low, result[name].spread_high
        if not np.isfinite(high):
            raise DataError(
                f"the spread of {name} from device to device has no upper end",
                where=result.data["source"], expected="devices that bound it",
                remedy="measure more widths and drives of each device, or more devices",
            )  # fmt: skip
        seen = np.log(high / low) if low > 0 else max((high / sigma[k]) ** 2 - 1, 0.0)
        errors.append(rate.slope_spread * part[..., k] * seen / 2 / NORMAL_QUANTILE)
    return np.array(errors)


def _shared_currents(dataset: xr.Dataset) -> Array:
    """Seven currents inside the range that was measured in both directions."""
    by_direction = [dataset.pulse_current.values[dataset.direction.values == d] for d in DIRECTIONS]
    low, high = max(x.min() for x in by_direction), min(x.max() for x in by_direction)
    if low >= high:
        raise DataError(
            "the directions share no range of currents", where=dataset.attrs["source"],
            remedy="give the axis, for example --grid pulse_current=60e-6:70e-6:5",
        )  # fmt: skip
    return np.linspace(low, high, 7)
