"""Resistances of both states over devices and cycles: their laws, spreads, and read errors.

Fitted to ln R of each state: one to three normal levels by maximum likelihood, samples out of
range counted as bounds, and the standard deviations between and within devices. The table counts
the samples; what writing costs is not in them, so the file must say it (`ENERGY`).
"""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import stats as scipy_stats

from devicephys import __version__, tables
from devicephys.checks import Array
from devicephys.errors import DataError, ParameterError
from devicephys.fitting.censored_variance import CensoredSplit, split_censored
from devicephys.fitting.resistance import MOST, samples
from devicephys.fitting.resistance_choice import Choice, choose
from devicephys.fitting.result import Estimate, FitResult
from devicephys.fitting.variance import Split, split
from devicephys.io import measurement, staircase
from devicephys.io.files import parse_number
from devicephys.rram.cell import CELLS, Cell, ReadError, read_error
from devicephys.rram.threshold import pair_error, threshold_error
from devicephys.rram.threshold_search import best_threshold
from devicephys.stats import NORMAL_QUANTILE

NAME = "resistance_states"
TIDY_KINDS = ("resistances",)
STATES = ("LRS", "HRS")
ENERGY = "energy_per_bit_J"  # of the header
SHOWN = 300  # samples of a state on probability paper
TINY = 1e-12  # of a probability, from 0 and 1
MOST_ENERGY = 1e-3  # J: no cell survives it
POOR = 0.05  # of a goodness: the law is flagged


def read(path: str | Path) -> xr.Dataset:
    """Read tidy resistances, or a headerless table of cycles (address, then HRS and LRS)."""
    return measurement.tidy(path, kinds=TIDY_KINDS)


def fit(
    dataset: xr.Dataset, rng: np.random.Generator, progress: Callable[[int, int], None]
) -> FitResult:
    """Fit the laws of LRS and HRS, and split their variance over devices and cycles."""
    _check(dataset)
    estimates: list[Estimate] = []
    flags: list[str] = []
    notes: list[str] = []
    other: dict[str, tuple[float, float]] = {}
    chosen: dict[str, Choice] = {}
    for done, state in enumerate(STATES, 1):
        one = dataset.isel(point=np.flatnonzero(dataset.state.values == state))
        device = one.device.values
        try:
            data = samples(one.resistance.values, one.censored.values, device)
        except DataError as err:
            raise DataError(f"{state}: {err}", where=dataset.attrs["source"]) from err
        choice = choose(data, rng, most=MOST)
        parts: Split | None = None
        spreads: Split | CensoredSplit | None = None
        if (data.kind != 0).any():
            try:
                spreads = split_censored(data)
            except DataError as err:
                flags.append(f"{state}: spreads between devices and cycles are not told: {err}")
        elif data.clustered:
            parts = spreads = split(data.x, device)
            other |= _jackknife(state, parts)
        else:
            flags.append(f"{state}: {len(device)} samples of {data.n_devices} devices do "
                         "not tell spreads between devices and cycles apart")  # fmt: skip
        chosen[state] = choice
        estimates += _estimates(state, choice, parts, spreads)
        notes.append(f"{state}: {choice.sentence()}")
        flags += _flags(state, choice, spreads)
        progress(done, len(STATES))
    return FitResult(
        recipe=NAME,
        version=__version__,
        estimates=tuple(estimates),
        covariance=(),
        data={
            "source": dataset.attrs["source"],
            "sha256": dataset.attrs["sha256"],
            "synthetic": measurement.synthetic(dataset),
            "devices": len(np.unique(dataset.device.values)),
            "samples": int(dataset.sizes["point"]),
            "out_of_range": int((dataset.censored.values != "exact").sum()),
        },
        notes=(*notes, _read_errors(dataset, chosen)),
        flags=tuple(flags),
        intervals={"jackknife over devices": other} if other else {},
    )


def check(dataset: xr.Dataset, result: FitResult, rng: np.random.Generator) -> xr.Dataset:
    """Put samples and fitted laws on probability paper: normal quantiles of both, by state."""
    parts = []
    for state in STATES:
        one = dataset.isel(point=np.flatnonzero(dataset.state.values == state))
        log_r, kind = np.log(one.resistance.values), one.censored.values
        order = np.argsort(log_r, kind="stable")
        rank = (np.arange(len(order)) + 0.5) / len(order)  # bounds hold their place in the order
        shown = np.flatnonzero(kind[order] == "exact")
        first, last = scipy_stats.norm.ppf(rank[shown[[0, -1]]])
        even = scipy_stats.norm.cdf(np.linspace(first, last, SHOWN))  # so that the tails are seen
        shown = shown[np.unique(np.searchsorted(rank[shown], even).clip(max=len(shown) - 1))]
        x = log_r[order][shown]
        parts.append(xr.Dataset(
            {"sample_quantile": ("point", scipy_stats.norm.ppf(rank[shown])),
             "law_quantile": ("point", _law_quantile(result, state, x))},
            {"resistance": ("point", np.exp(x), {"units": "Ohm"}),
             "state": ("point", np.full(len(x), state))},
        ))  # fmt: skip
    return xr.concat(parts, "point").assign_attrs(shown="resistance")


def _law_quantile(result: FitResult, state: str, x: Array) -> Array:
    """Normal quantile of the fitted law, one level or several, at ln R."""
    key, values = state.lower(), {e.name: e.value for e in result.estimates}
    levels = [j for j in range(1, MOST + 1) if f"r_{key}_{j}" in values]
    if not levels:
        return np.asarray((x - np.log(values[f"r_{key}"])) / values[f"sigma_{key}"])
    law = [
        (values[f"share_{key}_{j}"], np.log(values[f"r_{key}_{j}"]), values[f"sigma_{key}_{j}"])
        for j in levels
    ]
    below = sum(w * scipy_stats.norm.cdf(x, m, s) for w, m, s in law)
    return np.asarray(scipy_stats.norm.ppf(np.clip(below, TINY, 1 - TINY)))


def _check(dataset: xr.Dataset) -> None:
    where = dataset.attrs["source"]
    if dataset.attrs.get("kind") not in TIDY_KINDS:
        raise DataError(
            f"data of kind {dataset.attrs.get('kind')}", where=where,
            expected="resistances: columns device,state,cycle,resistance_ohm,censored",
        )  # fmt: skip
    for state in STATES:
        if not (dataset.state.values == state).any():
            raise DataError(f"no samples of the {state}", where=where, expected="both states")
    low, high = (np.median(dataset.resistance.values[dataset.state.values == s]) for s in STATES)
    if low >= high:
        raise DataError(f"medians: LRS {low:g} Ohm, HRS {high:g} Ohm", where=where,
                        expected="HRS above LRS",
                        remedy="swap the states, or see whether writing worked")  # fmt: skip
    _warn_of_units(dataset)


def _warn_of_units(dataset: xr.Dataset) -> None:
    """Warn of devices whose resistances are so far from the others' as only a prefix makes them."""
    for state in STATES:
        mine = dataset.state.values == state
        device, r = dataset.device.values[mine], dataset.resistance.values[mine]
        names = np.unique(device)
        own = np.array([np.median(r[device == name]) for name in names])
        far = (own < np.median(r) / staircase.OTHER_UNIT) | (
            own > np.median(r) * staircase.OTHER_UNIT
        )
        if far.any():
            warnings.warn(
                f"{dataset.attrs['source']}: device {names[far][0]}, {state}: {own[far][0]:g} Ohm, "
                f"far from the median of {np.median(r):g} Ohm ({far.sum()} such devices); is it "
                "kOhm? Give all resistances in Ohm", stacklevel=4,
            )  # fmt: skip


def _estimates(
    state: str, choice: Choice, parts: Split | None, spreads: Split | CensoredSplit | None
) -> list[Estimate]:
    """Give geometric mean, spreads, and the levels where there are several."""
    key, sub = state.lower(), rf"{{\mathrm{{{state}}}}}"
    one = choice.laws[0]
    mean, low, high = one.mixture.x[0], one.x_low[0], one.x_high[0]
    if parts is not None:  # over devices, as cycles of one are no new devices
        mean, low, high = parts.variance.mean, parts.mean_low, parts.mean_high
    of_devices = [np.nan] * 3
    if spreads is not None:
        of_devices = [spreads.between, spreads.between_low, spreads.between_high]
    found = [
        _log(f"r_{key}", mean, low, high, f"R_{sub}", of_devices),
        _plain(f"sigma_{key}", one.mixture.sigma[0], one.sigma_low[0], one.sigma_high[0],
               rf"\sigma_{sub}"),
    ]  # fmt: skip
    if spreads is not None:
        s = spreads
        if s.between_high > 0:  # else devices are more alike than chance lets them: no number
            found.append(_plain(f"sigma_{key}_d2d", s.between, s.between_low, s.between_high,
                                rf"\sigma_{{D2D,{state}}}"))  # fmt: skip
        found.append(_plain(f"sigma_{key}_c2c", s.within, s.within_low, s.within_high,
                            rf"\sigma_{{C2C,{state}}}"))  # fmt: skip
    law, k = choice.law, choice.n_levels
    for j in range(k if k > 1 else 0):
        mark = f"{state},{j + 1}"
        found += [
            _log(f"r_{key}_{j + 1}", law.mixture.x[j], law.x_low[j], law.x_high[j],
                 f"R_{{{mark}}}", [law.mixture.sigma[j], law.sigma_low[j], law.sigma_high[j]]),
            _plain(f"sigma_{key}_{j + 1}", law.mixture.sigma[j], law.sigma_low[j],
                   law.sigma_high[j], rf"\sigma_{{{mark}}}"),
            _plain(f"share_{key}_{j + 1}", law.mixture.weight[j], law.weight_low[j],
                   law.weight_high[j], f"w_{{{mark}}}"),
        ]  # fmt: skip
    return found


def _log(
    name: str, mean: float, low: float, high: float, symbol: str, spread: Sequence[float]
) -> Estimate:
    """Estimate from its logarithm; the spread with its ends."""
    value, ends = float(np.exp(mean)), (float(np.exp(low)), float(np.exp(high)))
    error = value * float(high - low) / 2 / NORMAL_QUANTILE
    of, least, most = map(float, spread)
    return Estimate(
        name, value, error, *ends, "Ohm", symbol, of, spread_low=least, spread_high=most
    )


def _plain(name: str, value: float, low: float, high: float, symbol: str) -> Estimate:
    error = float(high - low) / 2 / NORMAL_QUANTILE
    return Estimate(name, float(value), error, float(low), float(high), "1", symbol)


def _jackknife(state: str, parts: Split) -> dict[str, tuple[float, float]]:
    ends = {"d2d": parts.between_jackknife, "c2c": parts.within_jackknife}
    return {f"sigma_{state.lower()}_{k}": x for k, x in ends.items() if np.isfinite(x).all()}


def _flags(state: str, choice: Choice, spreads: Split | CensoredSplit | None) -> list[str]:
    found = []
    if choice.goodness <= POOR:
        found.append(
            f"{state}: the law of ln R misses these samples (p = {choice.goodness:.2g}); take "
            "counts for error rates, not the law"
        )
    if isinstance(spreads, Split) and spreads.unequal:
        found.append(
            f"{state}: cycles scatter more in some devices than in others, or have heavy "
            "tails; take the jackknife intervals of the spreads"
        )
    if spreads is not None and spreads.between_low == 0:
        found.append(f"{state}: no difference between devices is seen; more cycles of each "
                     "would tell a smaller one")  # fmt: skip
    return found


def _read_errors(dataset: xr.Dataset, chosen: Mapping[str, Choice]) -> str:
    """Compare the read errors that samples show with those of the laws."""
    lrs, hrs = (chosen[s].law.mixture for s in STATES)
    p = threshold_error(lrs, hrs, best_threshold(lrs, hrs))
    laws = {"1T1R": float(p[0] + p[1]) / 2, "2T2R": pair_error(lrs, hrs)}
    if len(np.unique(dataset.device.values)) < 2:
        return "read errors of the laws: " + ", ".join(f"{c} {laws[c]:.2g}" for c in CELLS)
    found = []
    for cell in CELLS:
        e = _counted(dataset, cell)
        found.append(f"{cell} {e.ber:.2g} ({e.ber_lo:.2g} to {e.ber_hi:.2g}), law {laws[cell]:.2g}")
    return "read errors counted: " + "; ".join(found)


def _counted(dataset: xr.Dataset, cell: Cell) -> ReadError:
    """Count read errors; a sample out of range counts at its limit."""
    order = np.argsort(dataset.resistance.values, kind="stable")  # counting is then quick
    r, device, state = (dataset[n].values[order] for n in ("resistance", "device", "state"))
    lrs, hrs = (state == s for s in STATES)
    return read_error(cell, r[lrs], r[hrs], device[lrs], device[hrs])


def table(dataset: xr.Dataset, result: FitResult, grid: Mapping[str, Array]) -> xr.Dataset:
    """Count the read errors of 1T1R and 2T2R cells; the header gives the energy of writing."""
    if grid:
        raise ParameterError(f"axis {next(iter(grid))!r}", expected=f"no --grid for {NAME}")
    _check(dataset)
    where, metadata = dataset.attrs["source"], json.loads(dataset.attrs["metadata"])
    try:
        energy = parse_number(metadata.get(ENERGY, ""))
    except ValueError:
        energy = 0.0
    if not 0 < energy < MOST_ENERGY:
        said = f": {ENERGY} = {metadata[ENERGY][:40]}" if ENERGY in metadata else ""
        raise DataError(
            f"states alone carry no energy{said}", where=where,
            expected=f"a line '# {ENERGY}: ' and a number > 0, < {MOST_ENERGY:g}",
            remedy="write the mean energy of a write into the header, or measure pulses "
            "(recipes hfo2_staircase, weak_reset_traces)",
        )  # fmt: skip
    found = [_counted(dataset, cell) for cell in CELLS]
    values = {
        name: np.array([getattr(e, name) for e in found])
        for name in ("ber", "ber_lo", "ber_hi", "p01", "p10")
    }
    return tables.make(
        {"cell": np.array(CELLS)},
        values | {"energy_per_bit": np.full(len(CELLS), energy)},
        {
            "title": "Resistance states: read error"
            + " (synthetic)" * measurement.synthetic(dataset),
            "source": f"recipe {NAME}: counts of samples, intervals clustered by device",
            "input_files": {where: dataset.attrs["sha256"]},
            "bit": f"1 is LRS; energy from the file's header ({ENERGY})",
            "synthetic": int(measurement.synthetic(dataset)),
        },
    )
