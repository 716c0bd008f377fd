"""Write-error counts of STT-MRAM junctions: Delta, I_c0 and t_D, and the write-error table.

Free: Delta (15-200), one I_c0 a direction, t_D (10 ps to 1 us); the bounds are far outside what a
junction shows and a parameter that ends at one is reported. Fixed: R_P, TMR and V_h, given in the
file's header, because counts say nothing about them. No point is masked: a point without an error
carries information.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from devicephys import tables
from devicephys.checks import Array
from devicephys.fitting import wer
from devicephys.fitting.result import FitResult
from devicephys.io import tidy_csv
from devicephys.mram.spread import mean_write_error_rate
from devicephys.mram.write import write_energy
from devicephys.parameters import DIRECTIONS

NAME = "stt_mram_wer"
STEP = 1e-3  # of a logarithm, for the slopes of ln BER
TOLERANCE = {"rtol": 1e-4, "atol": 1e-15}  # the table ends where atol matters: WER 1e-15


def read(path: str | Path) -> xr.Dataset:
    """Read a tidy CSV file of counts."""
    return tidy_csv.read(path)


def fit(
    dataset: xr.Dataset, rng: np.random.Generator, progress: Callable[[int, int], None]
) -> FitResult:
    """Fit every device, then the population."""
    return wer.fit(dataset, rng, NAME, progress)


def table(dataset: xr.Dataset, result: FitResult, grid: Mapping[str, Array]) -> xr.Dataset:
    """Tabulate the array's mean write error and the energy over currents and widths.

    p10 is the error of writing 1 (P->AP), p01 of writing 0 (AP->P), both from the opposite state;
    the interval carries the fit's covariance through the slopes of ln BER (Student's t).
    """
    current, width = (grid.get(a, default) for a, default in _default_grid(dataset).items())
    points = (current[:, None], width[None, :])
    names = [e.name for e in result.estimates if e.vary]
    theta = np.log([result[name].value for name in names])

    def rates(shift: Array) -> Array:
        moved = wer.shifted(result, dict(zip(names, np.exp(theta + shift), strict=True)))
        mtj, spread = wer.junction(moved), wer.spread(moved)
        return np.array(
            [mean_write_error_rate(mtj, spread, *points, d, **TOLERANCE) for d in DIRECTIONS]
        )

    p10, p01 = rates(np.zeros(len(names)))
    ber = (p10 + p01) / 2
    tiny = TOLERANCE["atol"]
    slopes = np.stack(
        [
            np.log((rates(STEP * e).mean(axis=0) + tiny) / (ber + tiny)) / STEP
            for e in np.eye(len(names))
        ]
    )
    sigma = np.sqrt(np.einsum("aij,ab,bij->ij", slopes, np.array(result.covariance), slopes))
    factor = np.exp(wer.half_width(len(result.devices)) * sigma)
    mtj = wer.junction(result)
    energy = np.mean([write_energy(mtj, *points, d) for d in DIRECTIONS], axis=0)
    return tables.make(
        {"pulse_current": current, "pulse_width": width},
        {
            "ber": ber,
            "ber_lo": ber / factor,
            "ber_hi": np.minimum(ber * factor, 1.0),
            "p01": p01,
            "p10": p10,
            "energy_per_bit": energy,
        },
        {
            "title": "STT-MRAM write error rate and energy"
            + " (synthetic)" * bool(result.data["synthetic"]),
            "source": f"recipe {NAME}: Fokker-Planck, mean over a log-normal array",
            "input_files": {result.data["source"]: result.data["sha256"]},
            "bit": "1 is AP; the cell starts in the opposite state; junction energy, mean of both",
            "synthetic": int(result.data["synthetic"]),
        },
    )


def _default_grid(dataset: xr.Dataset) -> dict[str, Array]:
    """Inside the measured currents of both directions, to twice the longest width."""
    by_direction = [dataset.pulse_current.values[dataset.direction.values == d] for d in DIRECTIONS]
    low = max(x.min() for x in by_direction)
    high = min(x.max() for x in by_direction)
    widths = dataset.pulse_width.values
    return {
        "pulse_current": np.linspace(low, high, 7),
        "pulse_width": np.linspace(widths.max() / 10, widths.max(), 10),
    }
