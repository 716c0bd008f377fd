"""Relaxation of conductance: the shipped law against measured moments of each level."""

from typing import Any

import numpy as np
from devicephys.validation import Figure, not_established

from devicephys.checks import Array
from devicephys.errors import DataError, ParameterError
from devicephys.fitting.relaxation import changes, fit
from devicephys.io import relaxation
from devicephys.rram.relaxation import (
    relax,
    relaxation_mean,
    relaxation_sigma,
    technology_c,
)
from devicephys.study import data_path

CLAIM = "The spread of relaxing conductance grows with log time as measured."
REFERENCE = (
    "technology C at 20.6 uS: std 1.03, 1.86, 2.43, 3.75 uS, mean -.08, -.31, -.54, -1.71 uS at "
    ".01, .1, 1, 1e5 s, counted independently; other levels from the data"
)
LIMIT = (
    "15 % of the spread, for the mean too; over the levels nine spreads in ten within 15 % and all "
    "within 25 %, since that of one range of 500 cells has itself an error of 3 to 10 % (heavy "
    "tails); 0.005 uS for the count of the same data"
)
DATA = "$DEVICEPHYS_DATA/measured/rram_relaxation/data_techC_relaxdata.min.tsv.gz"
LEVEL = 16  # range of conductance: 20.0 to 21.25 uS
ASKED = {0.01: (1.03, -0.08), 0.1: (1.86, -0.31), 1.0: (2.43, -0.54), 1e5: (3.75, -1.71)}
LAST = 100_000.0


def run() -> list[Figure]:
    """Compare the law with the asked moments, then with the data range by range."""
    law, g, figures = technology_c(), 20.6e-6, []
    for t, (sigma, mean) in ASKED.items():
        found = float(relaxation_sigma(g, t, law)) * 1e6
        holds = abs(found / sigma - 1) <= 0.15
        name = f"std, 20.6 uS, {t:g} s"
        figures.append(Figure(name, found, "uS", f"{sigma:g} +- 15 %", holds))
        found = float(relaxation_mean(g, t, law)) * 1e6
        name, asked = f"mean, 20.6 uS, {t:g} s", f"{mean:g} +- {0.15 * sigma:.2g}"
        figures.append(Figure(name, found, "uS", asked, abs(found - mean) <= 0.15 * sigma))
    try:
        dataset = relaxation.read(data_path(DATA))
    except (ParameterError, DataError) as err:
        return [*figures, not_established("relaxation over levels", str(err))]
    time, start, index, change = changes(dataset)
    figures += _recount(time, change[index == LEVEL] * 1e6)
    figures.append(_partial(dataset))
    figures += _levels(time, start, index, change)
    figures += _pairs(time, start, index, change)
    again = fit(dataset, np.random.default_rng(1), first_range=6, n_resamples=50).law
    worst = float(np.abs(np.divide(again.growth, law.growth) - 1).max())
    return [*figures, Figure("shipped against fitted growth", worst, "1", "<= 1e-3", worst <= 1e-3)]


def _recount(time: Array, change: Array) -> list[Figure]:
    figures = []
    for t, (sigma, mean) in ASKED.items():
        x = change[:, np.searchsorted(time, t)]
        for name, value, asked in (("std", np.nanstd(x), sigma), ("mean", np.nanmean(x), mean)):
            name = f"counted {name}, 20.6 uS, {t:g} s"
            holds = bool(abs(value - asked) <= 0.0051)
            figures.append(Figure(name, float(value), "uS", f"{asked:g} +- 0.005", holds))
    return figures


def _partial(dataset: Any) -> Figure:
    """Compare the reads at about 4 s, made of a third of the cells only and left out of the fit."""
    mine = (dataset.range_index.values == LEVEL) & (dataset.nominal_time.values == 4.0)
    start, time = dataset.conductance_initial.values[mine], dataset.time.values[mine]
    measured = float((dataset.conductance.values[mine] - start).std())
    found = float(relaxation_sigma(start.mean(), time.mean(), technology_c()))
    holds = abs(found / measured - 1) <= 0.15
    asked = f"{measured * 1e6:.3g} +- 15 %"
    return Figure(f"std, 20.6 uS, {time.mean():.2g} s", found * 1e6, "uS", asked, holds)


def _levels(time: Array, start: Array, index: Array, change: Array) -> list[Figure]:
    """Count how far the law's spread is from that of single ranges, at times read of all cells."""
    law, off = technology_c(), []
    full = np.isfinite(change[index >= 7]).mean(axis=0) > 0.9
    for k in range(7, 31):
        mine = index == k
        law_sigma = relaxation_sigma(start[mine].mean(), time[full], law)
        off.append(law_sigma / np.nanstd(change[mine][:, full], axis=0) - 1)
    deviation = np.abs(off)
    n = deviation.size
    within = float((deviation <= 0.15).mean())
    return [
        Figure("rms deviation of std over levels", float(np.sqrt((deviation**2).mean())), "1",
               "<= 0.10", bool(np.sqrt((deviation**2).mean()) <= 0.10)),
        Figure(f"share of {n} stds within 15 %", within, "1", ">= 0.9", within >= 0.9),
        Figure("largest deviation of a std", float(deviation.max()), "1", "<= 0.25",
               bool(deviation.max() <= 0.25)),
    ]  # fmt: skip


def _pairs(time: Array, start: Array, index: Array, change: Array) -> list[Figure]:
    """Compare changes between two later times, which tell return from drift."""
    law = technology_c()
    mine = (index >= 8) & (start <= law.level[-1])
    early, late = (np.searchsorted(time, t) for t in (1.0, LAST))
    seen = mine & np.isfinite(change[:, early]) & np.isfinite(change[:, late])
    drawn = relax(np.tile(start[seen], 5), [1.0, LAST], np.random.default_rng(3), law)
    step = change[seen, late] - change[seen, early]
    measured, model = float(step.std()), float((drawn[1] - drawn[0]).std())
    holds = abs(model / measured - 1) <= 0.15
    asked = f"{measured * 1e6:.3g} +- 15 %"
    return [Figure("std between 1 and 1e5 s, drawn", model * 1e6, "uS", asked, holds)]
