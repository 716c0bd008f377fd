"""Filament of HfO2 1T1R cells from staircase RESET ramps, and the BER-energy table it predicts.

Free: barriers to leave and to come back, the width of their distribution above its floor, both
field factors, thermal resistance, conductance of the gap, spreads between devices and cycles.
Prior: e_a = 1.0 eV to 20 %, an assumption (no measurement of these cells is known): pulses of one
width leave the scale of all energies open. Fixed: R_on, the median LRS; N = 60 and R_s =
0.431 R_on, 2.6 kOhm in these cells (the ramps fit alike with 40 to 90 sites and 2 to 3 kOhm).
Masked: below 0.75 V nothing but the LRS is seen; above 1.40 V too many ramps had ended.
"""

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import xarray as xr
from devicephys.fits import hfo2_staircase
from numpy.typing import NDArray
from scipy.stats import t as student

from devicephys import __version__, tables
from devicephys.checks import Array, known
from devicephys.errors import DataError, FitError
from devicephys.fitting import filament as fitting
from devicephys.fitting.ramp_comparison import compare
from devicephys.fitting.result import Estimate, FitResult
from devicephys.io import measurement, staircase
from devicephys.io.files import parse_number
from devicephys.rram.filament import ROOM, Filament
from devicephys.rram.operating_points import KINDS, ResistiveCell, operating_points
from devicephys.rram.ramp import ONSET_RATIO, Ramps
from devicephys.rram.read_noise import measured_hfo2
from devicephys.stats import LEVEL
from devicephys.units import si

NAME = "hfo2_filament"
LAYOUT = hfo2_staircase.LAYOUT
LOWEST, HIGHEST = hfo2_staircase.LOWEST, hfo2_staircase.HIGHEST
AXES = ("pulse_voltage", "pulse_width", "pulses", "temperature")
SERIES = 0.431  # R_s over R_on
LEAST = 6  # voltages
UNTOLD = 2.0  # of a logarithm
STRONG = 0.9  # correlation that a note names
WEAK = 0.8  # V, of the trains of equal pulses that a report shows
STEP = 0.02  # of ln parameter, for slopes of a table: thresholds are found to 0.1 % of the BER
GIVEN = {"n_sites", "r_on", "r_s", "sigma_lrs"}
NONE: Mapping[str, float] = MappingProxyType({})
SYMBOLS = {
    "e_a": ("eV", "E_a"), "e_on": ("eV", "E_a + d_E"), "e_width": ("eV", "E_a - E_{min}"),
    "a_off": ("1", "a_{off}"), "a_on": ("1", "a_{on}"), "r_th": ("K/W", "R_{th}"),
    "g_gap": ("S", "g_{gap}"), "sigma_e": ("1", r"\sigma_E"),
    "sigma_e_cycle": ("1", r"\sigma_{E,c}"),
}  # fmt: skip


def read(path: str | Path) -> xr.Dataset:
    """Read the headerless table of ramps, or tidy resistance pulses, such as synthetic ones."""
    dataset: xr.Dataset = hfo2_staircase.read(path)
    return dataset


def columns(ramps: Ramps) -> NDArray[np.intp]:
    """Choose the voltages that are fitted."""
    chosen = np.flatnonzero((ramps.voltage > LOWEST - 1e-6) & (ramps.voltage < HIGHEST + 1e-6))
    if len(chosen) < LEAST:
        raise DataError(
            f"{len(chosen)} voltages between {LOWEST:g} and {HIGHEST:g} V", expected=f"{LEAST}",
            remedy=f"the file holds {ramps.voltage[0]:g} to {ramps.voltage[-1]:g}: is it volt?",
        )  # fmt: skip
    return chosen


def _check_reset(ramps: Ramps, where: str) -> None:
    strongest = np.nanmedian(ramps.after[:, columns(ramps)[-1]])
    if strongest < ONSET_RATIO * np.median(ramps.lrs):
        raise DataError(
            f"half of the ramps at {HIGHEST:g} V are below {strongest:.4g} Ohm", where=where,
            expected=f"RESET: above {ONSET_RATIO:g} times the LRS",
            remedy="ramps of RESET pulses; a SET sweep says nothing here",
        )  # fmt: skip


def start(ramps: Ramps) -> Filament:
    """Give the fixed fields, the prior of e_a, and where the others start."""
    r_on = float(np.median(ramps.lrs))
    return Filament(
        n_sites=60, r_on=r_on, r_s=SERIES * r_on, g_gap=1e-5, e_a=1.0, d_e=-0.3,
        a_off=0.08, a_on=0.4, r_th=6e6, e_min=0.6, sigma_e=0.45, sigma_e_cycle=0.4,
    )  # fmt: skip


def fit(
    dataset: xr.Dataset, rng: np.random.Generator, progress: Callable[[int, int], None]
) -> FitResult:
    """Fit the filament; intervals carry the scatter of devices (bootstrap) and the prior."""
    r = staircase.ramps(dataset)
    _check_reset(r, dataset.attrs["source"])
    width = staircase.pulse_width(dataset)
    sigma_lrs = float(np.log(r.lrs).std())
    found = fitting.fit(r, columns(r), width, start(r), measured_hfo2(), sigma_lrs, rng, progress)
    made, devices = found.filament, len(np.unique(r.device))
    _check_told(found)
    values = vars(made) | {"e_on": made.e_a + made.d_e, "e_width": made.e_a - made.e_min}
    half = student.ppf(0.5 + LEVEL / 2, devices - 1)
    estimates = []
    for name, error in zip(found.names, found.stderr, strict=True):
        value, (unit, symbol) = float(values[name]), SYMBOLS[name]
        low, high = (value * float(np.exp(sign * half * error)) for sign in (-1, 1))
        estimates.append(Estimate(name, value, value * float(error), low, high, unit, symbol,
                                  bounds=fitting.FREE[name]))  # fmt: skip
    given = {
        "n_sites": (60.0, "1", "N"), "r_on": (float(np.asarray(made.r_on)), "Ohm", "R_{on}"),
        "r_s": (float(np.asarray(made.r_s)), "Ohm", "R_s"),
        "sigma_lrs": (sigma_lrs, "1", r"\sigma_{LRS}"),
    }  # fmt: skip
    estimates += [
        Estimate(name, value, 0.0, value, value, unit, symbol, vary=False)
        for name, (value, unit, symbol) in given.items()
    ]
    measured, fitted = found.measured, found.fitted
    return FitResult(
        recipe=NAME,
        version=__version__,
        estimates=tuple(estimates),
        covariance=tuple(map(tuple, found.covariance.tolist())),
        data={
            "source": dataset.attrs["source"],
            "sha256": dataset.attrs["sha256"],
            "synthetic": measurement.synthetic(dataset),
            "truth": _truth(dataset),
            "devices": devices,
            "ramps": len(r.lrs),
            "pulses": int(dataset.sizes["point"]),
            "pulse_width_s": width,
            "largest_deviation_of_the_median": float(
                np.abs(np.expm1(fitted.median - measured.median)).max()
            ),
            "largest_deviation_of_sigma_ln_R": float(np.abs(fitted.sigma - measured.sigma).max()),
        },
        notes=(
            "e_a carries a prior of 1.0 eV, known to 20 %: ramps of one width fix ratios of the "
            "energies, not their scale",
            *(f"{name} ended at a bound" for name in found.at_bound),
            *_correlated(found),
        ),
    )


def _truth(dataset: xr.Dataset) -> dict[str, float]:
    """Parameters that synthetic ramps were made with, as their header states them."""
    metadata = json.loads(dataset.attrs["metadata"])
    return {k: parse_number(str(v)) for k, v in metadata.items() if k.startswith("truth_")}


def _check_told(found: fitting.FilamentFit) -> None:
    for name, error in zip(found.names, found.stderr, strict=True):
        if not error < UNTOLD:
            raise FitError(
                f"these ramps do not tell {name}: standard error of its logarithm {error:.2g}",
                remedy="more devices and voltages, from onset to full RESET",
            )  # fmt: skip


def _correlated(found: fitting.FilamentFit) -> list[str]:
    correlation = found.covariance / np.outer(found.stderr, found.stderr)
    strong = [
        f"{a} and {b} {correlation[i, j]:+.2f}"
        for i, a in enumerate(found.names)
        for j, b in enumerate(found.names[:i])
        if abs(correlation[i, j]) > STRONG
    ]
    return [f"strongly correlated estimates: {', '.join(strong)}"] if strong else []


def filament(result: FitResult, shift: Mapping[str, float] = NONE) -> Filament:
    """Rebuild the filament of a fit, some logarithms of its parameters shifted."""
    value = {e.name: e.value * float(np.exp(shift.get(e.name, 0.0))) for e in result.estimates}
    varied = tuple(e.name for e in result.estimates if e.vary)
    if not set(value) >= GIVEN or varied != tuple(SYMBOLS) or len(result.covariance) != len(varied):
        raise DataError(f"not a fit of {NAME}", expected=f"estimates {', '.join(SYMBOLS)}")
    return Filament(
        n_sites=round(value["n_sites"]), r_on=value["r_on"], r_s=value["r_s"],
        g_gap=value["g_gap"], e_a=value["e_a"], d_e=value["e_on"] - value["e_a"],
        a_off=value["a_off"], a_on=value["a_on"], r_th=value["r_th"],
        e_min=value["e_a"] - value["e_width"], sigma_e=value["sigma_e"],
        sigma_e_cycle=value["sigma_e_cycle"],
    )  # fmt: skip


def cell(result: FitResult) -> ResistiveCell:
    """Give the cell of a fit, read with the measured noise."""
    return ResistiveCell(filament(result), result["sigma_lrs"].value, measured_hfo2())


def table(dataset: xr.Dataset, result: FitResult, grid: Mapping[str, Array]) -> xr.Dataset:
    """Tabulate trains of equal RESET pulses from the LRS: 1T1R, 2T2R, 1T1R with SECDED.

    The interval carries the covariance of the fit through the slopes of ln BER (Student's t).
    """
    for name in grid:
        known("axis of this recipe", name, AXES)
    r = staircase.ramps(dataset)
    width = staircase.pulse_width(dataset)
    axes = {"pulse_voltage": r.voltage[columns(r)], "pulse_width": np.array([width])}
    axes = {name: np.asarray((axes | dict(grid))[name]) for name in AXES if name in {*axes, *grid}}
    found = operating_points(cell(result), axes)
    _warn_beyond(axes, width)
    shape = (len(KINDS), *(len(x) for x in axes.values()))
    values = {name: x.reshape(shape) for name, x in found.items()}
    factor = np.exp(_half_width(result, axes, shape))
    values |= {"ber_lo": values["ber"] / factor, "ber_hi": np.minimum(values["ber"] * factor, 1.0)}
    return tables.make(
        {"cell": np.array(KINDS)} | axes,
        values,
        {
            "title": "HfO2 filament: read error after RESET pulses, and their energy",
            "source": f"recipe {NAME}: master equation of the fitted filament; intervals from the "
            "fit, nothing of what the model leaves out",
            "input_files": {dataset.attrs["source"]: dataset.attrs["sha256"]},
            "bit": "1 is LRS; mean energy of the RESET pulses of a cell or pair that gets them, in "
            "cell and transistor; of random data a 1T1R cell gets them for every second; no SET",
            "codes": "independent errors, random data, upper bounds; energy x cells per data bit",
            "synthetic": int(result.data["synthetic"]),
        },
    )


def _warn_beyond(axes: Mapping[str, Array], width: float) -> None:
    measured = {
        "pulse_voltage": (LOWEST, HIGHEST, "V"), "pulse_width": (width, width, "s"),
        "pulses": (1, 1, "1"), "temperature": (ROOM, ROOM, "K"),
    }  # fmt: skip
    for name, axis in axes.items():
        low, high, unit = measured[name]
        if axis.min() < low * (1 - 1e-9) or axis.max() > high * (1 + 1e-9):
            span = si(low, unit) if low == high else f"{si(low, unit)} to {si(high, unit)}"
            warnings.warn(
                f"{name} beyond the measured {span}: the model's word alone, its interval does "
                "not cover that", stacklevel=3,
            )  # fmt: skip


def _half_width(result: FitResult, axes: Mapping[str, Array], shape: tuple[int, ...]) -> Array:
    """Half width of the 95 % interval of ln BER, to first order."""

    def log_ber(name: str, shift: float) -> Array:
        moved = replace(cell(result), filament=filament(result, {name: shift}))
        return np.log(np.maximum(operating_points(moved, axes)["ber"], 1e-300).reshape(shape))

    varied = [e.name for e in result.estimates if e.vary]
    slopes = [(log_ber(name, STEP) - log_ber(name, -STEP)) / (2 * STEP) for name in varied]
    variance = np.einsum("a...,ab,b...->...", slopes, np.array(result.covariance), slopes)
    half = student.ppf(0.5 + LEVEL / 2, result.data["devices"] - 1)
    return np.asarray(np.minimum(half * np.sqrt(variance), 700.0))


def model(dataset: xr.Dataset, result: FitResult, rng: np.random.Generator) -> xr.Dataset:
    """Put the measured ramps beside the fitted filament, for the figures of a report."""
    r = staircase.ramps(dataset)
    return compare(r, columns(r), staircase.pulse_width(dataset), cell(result), WEAK, rng)
