"""Staircase RESET ramps of HfO2 1T1R cells: states, onset, variance, and the read-error table.

Nothing is fitted: the table counts what was measured. LRS is the resistance before the first
pulse of a ramp, HRS the resistance after the pulse at a voltage. A ramp that has ended below a
voltage gives no sample there (above 1.2 V in the data this was written for: up to 3 % of ramps).
Beside the cells of `devicephys.rram.cell.CELLS`, which are counted, the table carries 1T1R cells
whose data are stored with an error-correcting code (`CODED`): formulas over the counted rates.
"""

import warnings
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import stats as scipy_stats

from devicephys import __version__, tables
from devicephys.checks import Array, known
from devicephys.ecc import coded_variables
from devicephys.errors import DataError
from devicephys.fitting.result import Estimate, FitResult
from devicephys.io import measurement, staircase, tidy_csv
from devicephys.io.files import read_bytes
from devicephys.rram.cell import CELLS, pulse_energy, read_error
from devicephys.rram.operating_points import CODED
from devicephys.rram.ramp import ONSET_RATIO, Variance, onset_voltage, split_variance
from devicephys.stats import LEVEL

NAME = "hfo2_staircase"
AXES = ("pulse_voltage",)
LAYOUT = (
    "tidy resistance_pulses, or a headerless table of address, ns, V_SL, V_WL, Ohm before, "
    "Ohm after"
)
LOWEST, HIGHEST = 0.75, 1.40  # V: below, HRS and LRS are one; above, too many ramps have ended


def read(path: str | Path) -> xr.Dataset:
    """Read the headerless table of ramps, or tidy resistance pulses, such as synthetic ones."""
    first = read_bytes(path).lstrip().splitlines()[0]
    tidy = first.startswith((b"#", BOM_UTF8)) or b"pulse_voltage_V" in first
    return _in_order(tidy_csv.read(path)) if tidy else staircase.read(path)


def _in_order(dataset: xr.Dataset) -> xr.Dataset:
    """Arrange tidy resistance pulses ramp by ramp, each a staircase that begins where all do."""
    where = dataset.attrs["source"]
    if dataset.attrs["kind"] != "resistance_pulses":
        raise DataError(f"data of kind {dataset.attrs['kind']!r}", where=where,
                        expected="resistance_pulses")  # fmt: skip
    labels = [dataset[name].values for name in ("pulse_index", "cycle", "device")]
    dataset = dataset.isel(point=np.lexsort(labels))
    index, voltage = dataset.pulse_index.values, dataset.pulse_voltage.values
    first = index == 0
    rises = np.r_[False, (np.diff(index) == 1) & (np.diff(voltage) > 0)]
    bad = np.flatnonzero(~(first & (voltage == voltage.min())) & ~rises)
    if len(bad) or voltage.min() < 0:
        j = bad[0] if len(bad) else voltage.argmin()
        raise DataError(
            f"device {dataset.device.values[j]}, cycle {dataset.cycle.values[j]}, pulse_index "
            f"{index[j]}: {voltage[j]:g} V", where=where,
            expected="ramps of RESET pulses: pulse_index 0, 1, ..., voltages >= 0 that rise from "
            "one value",
        )  # fmt: skip
    return dataset


def fit(
    dataset: xr.Dataset, rng: np.random.Generator, progress: Callable[[int, int], None]
) -> FitResult:
    """Describe LRS and onset voltage with their variance between and within devices."""
    r = staircase.ramps(dataset)
    onset_v = onset_voltage(r)
    if np.isnan(onset_v).all():
        raise DataError(
            "the resistance rises in no ramp", where=dataset.attrs["source"],
            expected=f"RESET: above {ONSET_RATIO:g} times the LRS",
            remedy="ramps of RESET pulses up to higher voltages; a SET sweep says nothing here",
        )  # fmt: skip
    lrs = split_variance(np.log(r.lrs), r.device)
    onset = split_variance(onset_v, r.device)
    estimates = (
        _estimate("r_lrs", lrs, np.exp, "Ohm", r"R_{LRS}", lrs.between),
        _estimate("onset_voltage", onset, lambda v: v, "V", r"V_{on}", onset.between / onset.mean),
    )
    progress(1, 1)
    return FitResult(
        recipe=NAME,
        version=__version__,
        estimates=estimates,
        covariance=(),
        data={
            "source": dataset.attrs["source"],
            "sha256": dataset.attrs["sha256"],
            "synthetic": measurement.synthetic(dataset),
            "devices": lrs.n_devices,
            "ramps": len(r.lrs),
            "pulses": int(dataset.sizes["point"]),
            "pulse_width_s": staircase.pulse_width(dataset),
            "ramps_without_reset": int(np.isnan(onset_v).sum()),
        },
        notes=(
            f"ln R_LRS: sigma between devices {lrs.between:.4f}, within {lrs.within:.4f}",
            f"onset: sigma between devices {onset.between:.3f} V, within {onset.within:.3f} V",
        ),
    )


def _estimate(
    name: str, v: Variance, back: Callable[[float], float], unit: str, symbol: str, spread: float
) -> Estimate:
    half = scipy_stats.t.ppf(0.5 + LEVEL / 2, v.n_devices - 1) * v.stderr
    value = float(back(v.mean))
    stderr = (float(back(v.mean + v.stderr)) - float(back(v.mean - v.stderr))) / 2
    low, high = float(back(v.mean - half)), float(back(v.mean + half))
    return Estimate(name, value, stderr, low, high, unit, symbol, spread)


def table(dataset: xr.Dataset, result: FitResult, grid: Mapping[str, Array]) -> xr.Dataset:
    """Count 1T1R and 2T2R read errors at every voltage; 1T1R with a code; energy of the pulse."""
    r = staircase.ramps(dataset)
    for name in grid:
        known("axis of this recipe", name, AXES)
    default = r.voltage[(r.voltage > LOWEST - 1e-6) & (r.voltage < HIGHEST + 1e-6)]
    voltages = grid.get("pulse_voltage", default)
    rows = []
    for voltage in voltages:
        column = int(np.abs(r.voltage - voltage).argmin())
        if abs(r.voltage[column] - voltage) > 1e-6:
            raise DataError(
                f"no pulse at {voltage:g} V", where=dataset.attrs["source"],
                expected=f"a measured voltage, nearest {r.voltage[column]:g} V",
            )  # fmt: skip
        there = ~np.isnan(r.after[:, column])
        if not there.all():
            warnings.warn(
                f"{voltage:g} V: {(~there).sum()} of {there.size} ramps had ended", stacklevel=2
            )
        hrs, hrs_device = r.after[there, column], r.device[there]
        rows.append([read_error(cell, r.lrs, hrs, r.device, hrs_device) for cell in CELLS])
    errors = {
        name: np.array([[getattr(e, name) for e in row] for row in rows]).T
        for name in ("ber", "ber_lo", "ber_hi", "p01", "p10")
    }
    width = staircase.pulse_width(dataset)
    energy = pulse_energy(np.asarray(voltages), np.median(r.lrs), width)
    values = errors | {"energy_per_bit": np.tile(energy, (len(CELLS), 1))}
    one = {name: x[CELLS.index("1T1R")] for name, x in values.items()}
    for code in CODED.values():
        values = {
            name: np.vstack([values[name], x]) for name, x in coded_variables(code, one).items()
        }
    return tables.make(
        {"cell": np.array([*CELLS, *CODED]), "pulse_voltage": np.asarray(voltages)},
        values,
        {
            "title": "HfO2 staircase RESET: read error and energy of the last pulse",
            "source": f"recipe {NAME}: counts of measured ramps, intervals clustered by device",
            "input_files": {dataset.attrs["source"]: dataset.attrs["sha256"]},
            "bit": "1 is LRS; energy V^2 t_p/R_LRS of one RESET pulse; SET not included",
            "codes": "independent errors, random data, upper bounds; energy x cells per data bit",
            "pulse_width_s": width,
            "synthetic": int(measurement.synthetic(dataset)),
        },
    )
