"""The filament fitted to some measured cells, against the others."""

from dataclasses import replace

import numpy as np
from devicephys.fits import hfo2_filament as recipe
from devicephys.validation import Figure, not_established
from numpy.typing import NDArray

from devicephys.checks import Array
from devicephys.errors import DataError, ParameterError
from devicephys.fitting import filament as fitting
from devicephys.fitting.ramp_comparison import compare
from devicephys.io import staircase
from devicephys.rram.cell import CELLS
from devicephys.rram.filament import Filament, devices, formed, pulse, resistance
from devicephys.rram.operating_points import KINDS, ResistiveCell
from devicephys.rram.programming import level_spread
from devicephys.rram.ramp import Ramps, onset_voltage, split_variance
from devicephys.rram.read_noise import measured_hfo2
from devicephys.study import data_path, read

CLAIM = "A filament fitted to the ramps of half the measured cells predicts those of the others."
REFERENCE = (
    "the other cells' own ramps (doi 10.1109/TED.2021.3097975); onset voltage of all cells; "
    "between and within them 0.2155 and 0.0774 V by an independent count"
)
LIMIT = (
    "median 25 %, sigma(ln R) 0.12, as a fit to all cells holds; 0.9 of the 95 % intervals of BER, "
    "which are correlated; of random halves, 1.1 times the "
    "deviation of the other half's own counts: 9 parameters for 112 numbers are to add little to "
    "the sampling of cells; mean onset 10 %, its spread between cells 25 %: sampling leaves it 10 %"
)

LOWEST = 0.85  # V: below, the LRS is all there is
SPLITS, SEED = 4, 1
SIMULATED = 4000  # devices
COUNTED = (0.2155, 0.0774)  # V, standard deviation of the means, mean of the standard deviations


def run() -> list[Figure]:
    """Fit to halves and to all, and compare."""
    try:
        dataset = recipe.read(data_path(read("hfo2_mnist").data))
    except (ParameterError, DataError) as err:
        return [not_established("filament_ramps", str(err))]
    ramps, width = staircase.ramps(dataset), float(dataset.pulse_width.values[0])
    names = np.array(list(dict.fromkeys(ramps.device.tolist())))  # in the order of the file
    half = len(names) // 2
    return [
        *_direction("first 25 cells", ramps, names[:half], width),
        *_direction("last 25 cells", ramps, names[half:], width),
        *_random(ramps, names, width),
        *_onset(ramps, width),
    ]


def _part(ramps: Ramps, names: NDArray[np.str_]) -> Ramps:
    keep = np.isin(ramps.device, names)
    return Ramps(ramps.device[keep], ramps.voltage, ramps.lrs[keep], ramps.after[keep])


def _fit(ramps: Ramps, width: float) -> fitting.FilamentFit:
    sigma = float(np.log(ramps.lrs).std())
    return fitting.fit(
        ramps, recipe.columns(ramps), width, recipe.start(ramps), measured_hfo2(), sigma,
        np.random.default_rng(SEED),
    )  # fmt: skip


def _others(ramps: Ramps, names: NDArray[np.str_]) -> Ramps:
    return _part(ramps, np.setdiff1d(np.unique(ramps.device), names))


def _direction(name: str, ramps: Ramps, names: NDArray[np.str_], width: float) -> list[Figure]:
    """Worst deviations from the cells that were left out."""
    mine, others, columns = _part(ramps, names), _others(ramps, names), recipe.columns(ramps)
    fit = _fit(mine, width)
    found, other = fit.fitted, fitting.summary(others, columns)
    cell = ResistiveCell(fit.filament, float(np.log(mine.lrs).std()), measured_hfo2())
    rates = compare(others, columns, width, cell, recipe.WEAK, np.random.default_rng(SEED))
    counted = rates.isel(cell=[KINDS.index(kind) for kind in CELLS])
    held = (counted.ber_measured_lo <= counted.ber_model) & (
        counted.ber_model <= counted.ber_measured_hi
    )
    high = found.voltage > LOWEST - 1e-6
    median = np.expm1(found.median - other.median)[high]
    sigma = (found.sigma - other.sigma)[high]
    at = found.voltage[high]
    return [
        _figure(f"fit to the {name}: worst median of the others, at {at[_worst(median)]:.2f} V",
                median[_worst(median)], 0.25, "1"),
        _figure(f"fit to the {name}: worst sigma(ln R), at {at[_worst(sigma)]:.2f} V",
                sigma[_worst(sigma)], 0.12, "1"),
        Figure(f"fit to the {name}: share of the others' 95 % intervals of BER that hold it",
               float(held.mean()), "1", ">= 0.9", bool(held.mean() >= 0.9)),
    ]  # fmt: skip


def _worst(deviation: Array) -> int:
    return int(abs(deviation).argmax())


def _figure(name: str, value: float, limit: float, unit: str) -> Figure:
    return Figure(name, float(value), unit, f"within +-{limit:g}", bool(abs(value) <= limit))


def _random(ramps: Ramps, names: NDArray[np.str_], width: float) -> list[Figure]:
    """Held-out deviations of ln median, of the model and of the other half's own counts."""
    rng, columns, model, counts = np.random.default_rng(SEED), recipe.columns(ramps), [], []
    high = ramps.voltage[columns] > LOWEST - 1e-6
    for _ in range(SPLITS):
        mine = rng.permutation(names)[: len(names) // 2]
        found, other = _fit(_part(ramps, mine), width), _others(ramps, mine)
        held_out = fitting.summary(other, columns).median
        model.append((found.fitted.median - held_out)[high])
        counts.append((found.measured.median - held_out)[high])
    ratio = float(np.sqrt(np.mean(np.square(model)) / np.mean(np.square(counts))))
    name = "random halves: rms deviation of ln median, model over counts"
    return [Figure(name, ratio, "1", "<= 1.1", ratio <= 1.1)]


def _onset(ramps: Ramps, width: float) -> list[Figure]:
    """Spread of the onset voltage between and within devices, drawn from the fit to all."""
    onset = onset_voltage(ramps)
    names, index = np.unique(ramps.device, return_inverse=True)
    own = [onset[index == k] for k in range(len(names))]
    plain = (
        float(np.std([np.nanmean(x) for x in own], ddof=1)),
        float(np.mean([np.nanstd(x, ddof=1) for x in own])),
    )
    figures = [
        Figure(f"onset, {kind}, plain estimate", x, "V", f"{asked:g} to 10 %",
               abs(x / asked - 1) <= 0.1)
        for kind, x, asked in zip(("between cells", "within a cell"), plain, COUNTED, strict=True)
    ]  # fmt: skip
    drawn = _drawn_onset(_fit(ramps, width).filament, ramps, width)
    split = split_variance(
        drawn.ravel(), np.repeat(np.arange(len(drawn)).astype(str), drawn.shape[1])
    )
    # One cell, of 2.2 V in the mean, makes most of the variance between the 50; none drawn is like
    # it. What else the model misses of the onset is in docs/theory/filament.md.
    like = np.array([np.nanmean(x) for x in own]) <= np.nanmean(drawn, axis=1).max()
    typical = np.isin(ramps.device, names[like])
    measured = split_variance(onset[typical], ramps.device[typical])
    for kind, limit in (("mean", 0.1), ("between", 0.25)):
        value, asked = getattr(split, kind), getattr(measured, kind)
        name = f"onset, {kind}, drawn from the fit, against the {like.sum()} cells like a drawn one"
        holds = bool(abs(value / asked - 1) <= limit)
        figures.append(Figure(name, value, "V", f"{asked:.4g} to {limit:.0%}", holds))
    return figures


def _drawn_onset(filament: Filament, ramps: Ramps, width: float) -> Array:
    """Draw ramps of many devices, as many each as were measured; onset by device and ramp."""
    rng = np.random.default_rng(SEED)
    each = len(ramps.lrs) // len(np.unique(ramps.device))
    sigma_lrs = float(np.log(ramps.lrs).std())
    made = devices(filament, SIMULATED, rng)
    made = formed(replace(made, e_a=np.repeat(made.e_a, each)), rng)
    # What a ramp's LRS has in common with its later states does not move its onset: read noise and
    # the width of a level alone.
    sigma = level_spread(filament, measured_hfo2(), 0.0)
    n = np.full(SIMULATED * each, filament.n_sites)
    lrs = np.exp(sigma_lrs * rng.standard_normal(len(n)))
    after = []
    for voltage in ramps.voltage:
        n = pulse(made, n, float(voltage), width, rng)
        after.append(lrs * resistance(filament, n) * np.exp(sigma[n] * rng.standard_normal(len(n))))
    device = np.repeat(np.arange(SIMULATED).astype(str), each)
    drawn = Ramps(device, ramps.voltage, lrs * float(filament.r_on), np.array(after).T)
    return onset_voltage(drawn).reshape(SIMULATED, each)
