"""Traces of R against weak-RESET pulses: slopes, knee and start of each device, and the errors.

Free, device by device: ln of the start, both slopes and the knee of ln R. Fixed: the noise and the
trap of the published law (arXiv 2107.06064), which weigh the readings; R_0 and c1 are one number in
a trace. Masked: readings beyond the first `MOST`, evenly thinned, since neighbours tell the same
noise. The table counts errors of the traces themselves: LRS before the first pulse, HRS after n.

``generate`` draws traces from the published law, for showing and testing the way through; they say
"synthetic" wherever they go. ``python -m devicephys.fits.weak_reset_traces OUT.csv`` writes them.
"""

import json
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import t as student

from devicephys import __version__, tables
from devicephys.checks import Array, known
from devicephys.errors import DataError
from devicephys.fitting import hierarchy
from devicephys.fitting.result import Estimate, FitResult
from devicephys.fitting.weak_reset import population, recover
from devicephys.io import measurement, staircase, tidy_csv
from devicephys.rram import weak_reset
from devicephys.rram.cell import CELLS, pulse_energy, read_error
from devicephys.stats import LEVEL

NAME = "weak_reset_traces"
AXES = ("pulses",)
TIDY_KINDS = ("resistance_pulses",)
MOST = 200  # readings of a trace
GROUPS = 10  # of devices, left out one after the other
SYMBOLS = {
    "log_r": ("r_start", "Ohm", r"R_0 e^{c_1}"), "m1": ("m1", "1", "m_1"),
    "t_star": ("t_star", "1", "t^*"), "m2": ("m2", "1", "m_2"),
}  # fmt: skip
DEVICES, SEED = 200, 20210706
COUNTS = np.unique(np.r_[1, np.arange(10, 2001, 10), np.arange(2100, 10_001, 100)])
VOLTAGE, WIDTH = 0.8, 200e-9  # of the synthetic file: the law knows neither


def read(path: str | Path) -> xr.Dataset:
    """Read resistance pulses by tidy column names; pulse_index counts from 0, with gaps or none."""
    return measurement.tidy(path, kinds=TIDY_KINDS)


def fit(
    dataset: xr.Dataset, rng: np.random.Generator, progress: Callable[[int, int], None]
) -> FitResult:
    """Recover every device; population over those whose knee the traces tell."""
    devices, counts, start, after = _traces(dataset)
    chosen = np.unique(np.linspace(0, len(counts) - 1, MOST).round().astype(int))
    pulses = np.r_[0, counts[chosen]]
    resistances = np.column_stack([start, after[:, chosen]])
    found = recover(pulses, resistances, weak_reset.majumdar_2021())
    estimates, spreads, seen = [], [], found.knee_seen
    for one in population(found):
        name, unit, symbol = SYMBOLS[one.name]
        log = one.name == "log_r"
        value, low, high = np.exp([one.median, one.low, one.high]) if log else (
            one.median, one.low, one.high)  # fmt: skip
        values, errors = getattr(found, one.name)[seen], getattr(found, f"{one.name}_stderr")[seen]
        spread, least, most = _spread(values, errors, log)
        estimates.append(Estimate(name, float(value), float(high - low) / 3.92, float(low),
                                  float(high), unit, symbol, spread,
                                  spread_low=least, spread_high=most))  # fmt: skip
        spreads.append(Estimate(f"spread_{name}", spread, (most - least) / 3.92, least, most, "1",
                                rf"\sigma({symbol})"))  # fmt: skip
    progress(1, 1)
    return FitResult(
        recipe=NAME,
        version=__version__,
        estimates=(*estimates, *spreads),
        covariance=(),
        data={
            "source": dataset.attrs["source"],
            "sha256": dataset.attrs["sha256"],
            "synthetic": measurement.synthetic(dataset),
            "devices": len(devices),
            "devices_with_a_knee": int(found.knee_seen.sum()),
            "readings": int(after.size),
            "pulses": int(counts[-1]),
        },
        notes=(
            "medians over devices whose knee the traces tell; those with a faint knee, of small "
            "m1, are not among them",
            "r_start is R_0 exp(c1) exp(offset of the SET): a trace tells their product alone",
            "spread_*: standard deviation between devices over the mean (r_start: of ln R), errors "
            "of the estimates taken out; intervals by leaving out groups of devices",
        ),
    )


def _spread(value: Array, error: Array, log: bool) -> tuple[float, float, float]:
    """Give the spread between devices and its 95 % interval (jackknife: no law is normal here)."""

    def of(chosen: NDArray[np.bool_]) -> tuple[float, float, float]:
        found = hierarchy.population(value[chosen, None], error[chosen, None, None] ** 2)
        unit = 1.0 if log else float(found.mean[0])
        ends = (found.spread_low[0], found.spread_high[0])
        return float(found.spread[0]) / unit, float(ends[0]) / unit, float(ends[1]) / unit

    group = np.arange(len(value)) % GROUPS
    whole = of(group >= 0)
    parts = np.array([of(group != k)[0] for k in range(GROUPS)])
    if min(whole[0], parts.min()) <= 0:  # no difference is seen: a normal law's interval
        return whole
    scatter = np.sqrt((GROUPS - 1) * np.log(parts).var())
    reach = float(np.exp(student.ppf(0.5 + LEVEL / 2, GROUPS - 1) * scatter))
    return whole[0], whole[0] / reach, whole[0] * reach


def table(dataset: xr.Dataset, result: FitResult, grid: Mapping[str, Array]) -> xr.Dataset:
    """Count read errors after numbers of pulses; energy of all of them up to there."""
    for name in grid:
        known("axis of this recipe", name, AXES)
    devices, counts, start, after = _traces(dataset)
    default = counts[np.unique(np.linspace(0, len(counts) - 1, 20).round().astype(int))]
    rows, energies = [], []
    each = pulse_energy(dataset.pulse_voltage.values[0], after, dataset.pulse_width.values[0])
    spent = np.cumsum(each.mean(axis=0) * np.diff(counts, prepend=0))
    pulses = np.asarray(grid.get("pulses", default))
    for n in pulses:
        column = int(np.abs(counts - n).argmin())
        if counts[column] != n:
            raise DataError(
                f"no reading after {n:g} pulses", where=dataset.attrs["source"],
                expected=f"a count that was read, nearest {counts[column]}",
            )  # fmt: skip
        hrs = after[:, column]
        rows.append([read_error(kind, start, hrs, devices, devices) for kind in CELLS])
        energies.append(spent[column])
    values = {
        name: np.array([[getattr(e, name) for e in row] for row in rows]).T
        for name in ("ber", "ber_lo", "ber_hi", "p01", "p10")
    }
    return tables.make(
        {"cell": np.array(CELLS), "pulses": pulses.astype(np.float64)},
        values | {"energy_per_bit": np.tile(energies, (len(CELLS), 1))},
        {
            "title": "Weak-RESET traces: read error after pulses"
            + " (synthetic)" * measurement.synthetic(dataset),
            "source": f"recipe {NAME}: counts of traces, intervals clustered by device",
            "input_files": {dataset.attrs["source"]: dataset.attrs["sha256"]},
            "bit": "1 is LRS; V^2 t_p/R of all pulses up to there, R after them, mean over "
            "devices; no SET",
            "synthetic": int(measurement.synthetic(dataset)),
        },
    )


def _traces(dataset: xr.Dataset) -> tuple[NDArray[np.str_], NDArray[np.intp], Array, Array]:
    """Devices, counts of pulses, R before the first pulse, R after each count by device."""
    where = dataset.attrs["source"]
    if dataset.attrs.get("kind") != "resistance_pulses":
        raise DataError("not resistance pulses", where=where, expected="one row a pulse")
    names, index = np.unique(dataset.device.values, return_inverse=True)
    counts = np.unique(dataset.pulse_index.values) + 1
    after, start = np.full((len(names), len(counts)), np.nan), np.full(len(names), np.nan)
    column = np.searchsorted(counts, dataset.pulse_index.values + 1)
    after[index, column] = dataset.resistance_after.values
    first = dataset.pulse_index.values == 0
    start[index[first]] = dataset.resistance_before.values[first]
    if len(names) * len(counts) != dataset.sizes["point"] or np.isnan(after).any():
        raise DataError("devices were read after different pulses, or more than once", where=where,
                        expected="one trace a device, all with the same counts")  # fmt: skip
    if dataset.pulse_voltage.values.min() <= 0:
        raise DataError("a voltage <= 0", where=where, expected="RESET pulses, positive")
    if np.median(start) < staircase.LEAST_LRS:
        warnings.warn(
            f"{where}: resistances of {np.median(start):g} Ohm before the pulses; is it kOhm? Give "
            "all resistances in Ohm", stacklevel=4,
        )  # fmt: skip
    if np.isnan(start).any():
        raise DataError("no first pulse", where=where, expected="a row with pulse_index 0")
    for name in ("pulse_voltage", "pulse_width"):
        if len(np.unique(dataset[name].values)) > 1:
            raise DataError(f"several values of {name}", where=where, expected="equal pulses",
                            remedy="one file for each kind of pulse")  # fmt: skip
    return names, counts, start, after


def generate(seed: int, n_devices: int = DEVICES) -> xr.Dataset:
    """Draw traces of devices of the published weak-RESET law."""
    rng = np.random.default_rng(seed)
    drawn = weak_reset.devices(weak_reset.majumdar_2021(), n_devices, rng)
    state = weak_reset.start(drawn, rng)
    before = weak_reset.resistance(state).astype(np.float64)
    rows = []
    for more in np.diff(COUNTS, prepend=0):
        weak_reset.apply(state, int(more), rng)
        after = weak_reset.resistance(state).astype(np.float64)
        rows.append((before, after))
        before = after
    shape = (len(COUNTS), n_devices)
    names = np.array([f"synthetic-{k + 1}" for k in range(n_devices)])
    flat: dict[str, tuple[Array, str]] = {
        "device": (np.broadcast_to(names, shape), "1"),
        "cycle": (np.zeros(shape, np.int64), "1"),
        "pulse_index": (np.broadcast_to(COUNTS[:, None] - 1, shape), "1"),
        "pulse_voltage": (np.full(shape, VOLTAGE), "V"),
        "pulse_width": (np.full(shape, WIDTH), "s"),
        "resistance_before": (np.array([b for b, _ in rows]), "Ohm"),
        "resistance_after": (np.array([a for _, a in rows]), "Ohm"),
    }
    metadata = {
        "synthetic": True, "law": "majumdar_2021, arXiv 2107.06064", "seed": seed,
        "note": "voltage and width are labels: the law knows neither",
    }  # fmt: skip
    return xr.Dataset(
        {name: ("point", x.T.ravel(), {"units": unit}) for name, (x, unit) in flat.items()},
        attrs={"kind": "resistance_pulses", "source": "synthetic_weak_reset_traces",
               "sha256": "", "metadata": json.dumps(metadata, sort_keys=True)},
    )  # fmt: skip


if __name__ == "__main__":
    tidy_csv.write(generate(SEED), sys.argv[1])
