"""Synthetic data of every kind that one STT-MRAM junction can be asked, from a stated junction.

The numbers are for showing and testing the way through, and say "synthetic" wherever they go. The
junction is a plausible 35-nm perpendicular free layer, not a fit to anything.

``python -m devicephys.fits.synthetic_joint FOLDER`` writes one tidy CSV file a kind.
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

from devicephys.checks import Array
from devicephys.io import tidy_csv, tidy_rows
from devicephys.mram import switching_field, thermal
from devicephys.mram.junction import angular_resistance, bias_tmr
from devicephys.mram.pulse import square
from devicephys.mram.write import write_error_rate
from devicephys.parameters import DIRECTIONS, MTJ

TRUTH = MTJ(
    delta=58.0, i_c0_p_ap=38e-6, i_c0_ap_p=27e-6, t_d=1.1e-9, r_p=6.2e3, tmr=1.2, v_h=0.55,
    h_stray=0.03, bloch=2e-5, shape_field=2.5,
)  # fmt: skip
H_K = 2.4e5  # A/m
DEVICE, SEED = "synthetic-A1", 20261125
TRIALS = {"wer_counts": 100_000, "wer_counts_voltage": 20_000, "retention_counts": 2_000,
          "read_disturb_counts": 1_000_000}  # fmt: skip
OVERDRIVES, WIDTHS = (1.5, 2.0, 2.5), np.array([1.5, 2.5, 4.0, 6.0, 9.0])  # I/I_c0, t_D
VOLTAGES = (1.7, 2.1)  # over the critical current times the resistance at the start
OVENS, WAITS = (398.0, 423.0, 448.0), np.array([1e2, 1e3, 1e4])  # K, s
READS, READ_WIDTHS = (0.35, 0.45, 0.55), np.array([1e-7, 1e-6, 1e-5])  # I/I_c0, s
RESISTANCE_ERROR, STEPS = 0.003, 31
FIELD_RATES, CYCLES = (0.01, 1.0), 150  # T/s; of each rate and direction
Row = tuple[float | int | str, ...]


def generate(seed: int, truth: MTJ = TRUTH, h_k: float = H_K) -> dict[str, xr.Dataset]:
    """Draw data of every kind."""
    rng = np.random.default_rng(seed)
    rows = {
        "wer_counts": _writes(truth, "current", rng),
        "wer_counts_voltage": _writes(truth, "voltage", rng),
        "retention_counts": _retention(truth, rng),
        "read_disturb_counts": _reads(truth, rng),
        "resistance_loop": _loop(truth, rng),
        "switching_fields": _fields(truth, h_k, rng),
    }
    metadata = {
        "synthetic": "yes, made by devicephys.fits.synthetic_joint",
        "seed": str(seed),
        "temperature_K": f"{truth.temperature:g}",
        **{name: f"{getattr(truth, name):g}" for name in ("bloch", "k_exponent", "shape_field")},
        **{
            f"truth_{name}": f"{getattr(truth, name):.8g}"
            for name in ("delta", "i_c0_p_ap", "i_c0_ap_p", "t_d", "r_p", "tmr", "v_h", "h_stray")
        },
        "truth_h_k": f"{h_k:.8g}",
    }
    return {kind: _dataset(kind, each, metadata, seed) for kind, each in rows.items()}


def write(folder: str | Path, seed: int = SEED) -> None:
    """Write the files of a folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for kind, dataset in generate(seed).items():
        tidy_csv.write(dataset, Path(folder) / f"{kind}.csv")


def _dataset(kind: str, rows: list[Row], metadata: dict[str, str], seed: int) -> xr.Dataset:
    extra = {"resistance_error": f"{RESISTANCE_ERROR:g}"} if kind == "resistance_loop" else {}
    return tidy_rows.drawn(rows, kind, seed, metadata | extra)


def _writes(truth: MTJ, drive: str, rng: np.random.Generator) -> list[Row]:
    n = TRIALS["wer_counts" if drive == "current" else "wer_counts_voltage"]
    widths = np.round(WIDTHS * truth.t_d, 11)  # a tester is set to round numbers
    rows: list[Row] = []
    for direction in DIRECTIONS:
        i_c0 = truth.i_c0(direction)
        if drive == "current":
            levels = np.round(np.array(OVERDRIVES) * i_c0, 7)
            pulses = square("current", levels[:, None], widths)
        else:
            at_start = truth.r_p * (1.0 if direction == "P->AP" else 1 + truth.tmr / 2)
            levels = np.round(np.array(VOLTAGES) * i_c0 * at_start, 2)
            pulses = square("voltage", levels[:, None], widths)
        wer = write_error_rate(truth, pulses, direction, atol=1e-12).wer
        for level, line in zip(levels, rng.binomial(n, wer), strict=True):
            rows += [
                (DEVICE, direction, level, t, truth.temperature, n, int(k))
                for t, k in zip(widths, line, strict=True)
            ]
    return rows


def _retention(truth: MTJ, rng: np.random.Generator) -> list[Row]:
    n = TRIALS["retention_counts"]
    return [
        (DEVICE, state, wait, oven, n, int(rng.binomial(n, p)))
        for state in thermal.STATES
        for oven in OVENS
        for wait, p in zip(WAITS, thermal.retention_failure(truth, WAITS, state, oven), strict=True)
    ]


def _reads(truth: MTJ, rng: np.random.Generator) -> list[Row]:
    n = TRIALS["read_disturb_counts"]
    rows: list[Row] = []
    for direction in DIRECTIONS:
        for share in READS:
            current = round(share * truth.i_c0(direction), 7)
            p = thermal.read_disturb(truth, current, READ_WIDTHS, direction)
            rows += [
                (DEVICE, direction, current, t, truth.temperature, n, int(k))
                for t, k in zip(READ_WIDTHS, rng.binomial(n, p), strict=True)
            ]
    return rows


def _loop(truth: MTJ, rng: np.random.Generator) -> list[Row]:
    voltage: Array = np.round(np.linspace(-0.45, 0.45, STEPS), 4)
    rows: list[Row] = []
    for state, cosine in (("P", 1.0), ("AP", -1.0)):
        r = angular_resistance(cosine, truth.r_p, bias_tmr(voltage, truth.tmr, truth.v_h))
        r = r * np.exp(RESISTANCE_ERROR * rng.standard_normal(STEPS))
        rows += [(DEVICE, state, float(v), float(x)) for v, x in zip(voltage, r, strict=True)]
    return rows


def _fields(truth: MTJ, h_k: float, rng: np.random.Generator) -> list[Row]:
    rows: list[Row] = []
    for direction in DIRECTIONS:
        for rate in FIELD_RATES:
            p = rng.uniform(1e-6, 1 - 1e-6, CYCLES)
            field = switching_field.quantile(p, truth, h_k, direction, rate)
            rows += [(DEVICE, direction, k, float(x), rate) for k, x in enumerate(field)]
    return rows


if __name__ == "__main__":
    write(sys.argv[1])
