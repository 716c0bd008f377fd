"""Measured ramps beside the filament that was fitted to them, and beside weak-RESET pulses.

Numbers for the figures of a report, nothing else: quantiles of R along the staircase, onset
voltages device by device, error rates over the energy of the last pulse, and R against equal
pulses.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from devicephys.checks import Array
from devicephys.ecc import residual_ber
from devicephys.rram import weak_reset
from devicephys.rram.cell import CELLS, pulse_energy, read_error
from devicephys.rram.filament import Filament, devices, formed, pulse, resistance
from devicephys.rram.master_equation import filled, propagate, quadrature
from devicephys.rram.mixture import Mixture, log_normal
from devicephys.rram.operating_points import CODED, KINDS, ResistiveCell
from devicephys.rram.programming import level_spread, read_spread, staircase, state
from devicephys.rram.ramp import ONSET_RATIO, Ramps, onset_voltage
from devicephys.rram.tails import cdf
from devicephys.rram.threshold import pair_error, threshold_error
from devicephys.rram.threshold_search import best_threshold

BAND = (0.05, 0.5, 0.95)
SINGLES = 10  # devices that a figure shows one by one
DEVICES, CYCLES = 2000, 10  # simulated for onset voltages
LAW_DEVICES = 20_000
COUNTS = np.unique(np.rint(np.geomspace(1, 10_000, 41)).astype(np.int64))
GRID = np.linspace(-1.0, 6.0, 1401)  # of ln R over its value in the LRS


def compare(
    ramps: Ramps, columns: NDArray[np.intp], pulse_width: float, cell: ResistiveCell,
    train_voltage: float, rng: np.random.Generator,
) -> xr.Dataset:  # fmt: skip
    """Compute measurement and model at the voltages of a staircase, and the model under trains.

    Parameters
    ----------
    ramps : Ramps
        The measured ramps.
    columns : ndarray of int
        Indices of the voltages, shape (n,) [1].
    pulse_width : float
        Width of every pulse [s].
    cell : ResistiveCell
        The fitted cell.
    train_voltage : float
        Voltage of the trains of equal pulses [V].
    rng : numpy.random.Generator
        Source of the simulated devices.

    Returns
    -------
    xarray.Dataset
        Measured and modelled numbers, SI, with units.

    Examples
    --------
    See docs/guide/hfo2.md; the study `hfo2_weak_reset` shows its figures.
    """
    voltages = ramps.voltage[(ramps.voltage > 0) & (ramps.voltage <= ramps.voltage[columns[-1]])]
    made = {
        **_along_the_staircase(ramps, columns, voltages, pulse_width, cell),
        **_onsets(ramps, pulse_width, cell, rng),
        **_trains(train_voltage, pulse_width, cell, rng),
    }
    coords = {
        "pulse_voltage": ("pulse_voltage", ramps.voltage[columns], {"units": "V"}),
        "pulses": ("pulses", COUNTS, {"units": "1"}),
        "cell": ("cell", np.array(KINDS), {"units": "1"}),
        "quantile": ("quantile", np.array(BAND), {"units": "1"}),
    }
    return xr.Dataset(made, coords, {"train_voltage": train_voltage, "pulse_width": pulse_width})


Variables = dict[str, tuple[tuple[str, ...], Array, dict[str, str]]]


def _along_the_staircase(
    ramps: Ramps,
    columns: NDArray[np.intp],
    voltages: Array,
    pulse_width: float,
    cell: ResistiveCell,
) -> Variables:
    filament = cell.filament
    nodes, weight = quadrature(filament)
    p, _ = staircase(nodes, voltages, pulse_width)
    sigma = level_spread(filament, cell.noise, cell.sigma_lrs)
    lrs = log_normal(float(np.log(filament.r_on)), cell.sigma_lrs)
    last = len(voltages) - len(columns)
    quantiles, measured_ber, model_ber = [], [], []
    for column, now in zip(columns, p[last:], strict=True):
        hrs = state(filament, now, weight, sigma)
        quantiles.append(_quantiles(filament, hrs))
        there = ~np.isnan(ramps.after[:, column])
        found = [
            read_error(kind, ramps.lrs, ramps.after[there, column], ramps.device,
                       ramps.device[there]) for kind in CELLS
        ]  # fmt: skip
        measured = [[e.ber, e.ber_lo, e.ber_hi] for e in found]
        measured += [residual_ber(code, measured[0]).tolist() for code in CODED.values()]
        measured_ber.append(measured)
        p01, p10 = threshold_error(lrs, hrs, best_threshold(lrs, hrs, cell.s_ref), cell.s_ref)
        one = float(p01 + p10) / 2
        coded = [float(residual_ber(code, one)) for code in CODED.values()]
        model_ber.append([one, pair_error(lrs, hrs, cell.s_sa), *coded])
    rows = np.moveaxis(np.array(measured_ber), 0, -1)  # cell, (value, low, high), voltage
    energy = pulse_energy(ramps.voltage[columns], np.median(ramps.lrs), pulse_width)
    cells = ("cell", "pulse_voltage")
    return {
        "r_measured": (
            ("quantile", "pulse_voltage"),
            np.nanquantile(ramps.after[:, columns], BAND, axis=0),
            {"units": "Ohm"},
        ),
        "r_model": (("quantile", "pulse_voltage"), np.array(quantiles).T, {"units": "Ohm"}),
        "r_single": (
            ("single", "pulse_voltage"),
            ramps.after[:: max(1, len(ramps.lrs) // SINGLES)][:SINGLES][:, columns],
            {"units": "Ohm"},
        ),
        "ber_measured": (cells, rows[:, 0], {"units": "1"}),
        "ber_measured_lo": (cells, rows[:, 1], {"units": "1"}),
        "ber_measured_hi": (cells, rows[:, 2], {"units": "1"}),
        "ber_model": (cells, np.array(model_ber).T, {"units": "1"}),
        "energy": (("pulse_voltage",), energy, {"units": "J"}),
    }


def _quantiles(filament: Filament, hrs: Mixture) -> Array:
    grid = np.log(np.asarray(filament.r_on)) + GRID
    return np.asarray(np.exp(np.interp(BAND, cdf(hrs, grid), grid)))


def _onsets(
    ramps: Ramps, pulse_width: float, cell: ResistiveCell, rng: np.random.Generator
) -> Variables:
    """Mean onset voltage of each measured and of each simulated device."""
    names, index = np.unique(ramps.device, return_inverse=True)
    measured = onset_voltage(ramps)
    drawn = devices(cell.filament, DEVICES, rng)
    lrs = float(np.asarray(cell.filament.r_on))
    onset = np.full((CYCLES, DEVICES), np.nan)
    for cycle in range(CYCLES):
        now, sites = formed(drawn, rng), np.full(DEVICES, cell.filament.n_sites)
        for voltage in ramps.voltage[ramps.voltage > 0]:
            sites = pulse(now, sites, float(voltage), pulse_width, rng)
            new = np.isnan(onset[cycle]) & (resistance(now, sites) > ONSET_RATIO * lrs)
            onset[cycle, new] = voltage
    return {
        "onset_measured": (
            ("device",),
            np.array([np.nanmean(measured[index == k]) for k in range(len(names))]),
            {"units": "V"},
        ),
        "onset_model": (("simulated",), np.nanmean(onset, axis=0), {"units": "V"}),
    }


def _trains(
    voltage: float, pulse_width: float, cell: ResistiveCell, rng: np.random.Generator
) -> Variables:
    """R against the number of equal pulses: the filament, and the published weak-RESET law."""
    filament = cell.filament
    nodes, weight = quadrature(filament)
    sigma = level_spread(filament, cell.noise, cell.sigma_lrs)
    few = formed(devices(filament, SINGLES, rng), rng)
    law = weak_reset.start(weak_reset.devices(weak_reset.majumdar_2021(), LAW_DEVICES, rng), rng)
    p, sites = filled(nodes, filament.n_sites), np.full(SINGLES, filament.n_sites)
    quantiles, singles, law_quantiles, law_singles = [], [], [], []
    for more in np.diff(COUNTS, prepend=0):
        p, _ = propagate(nodes, p, voltage, pulse_width, n_pulses=int(more))
        quantiles.append(_quantiles(filament, state(filament, p, weight, sigma)))
        sites = pulse(few, sites, voltage, pulse_width, rng, n_pulses=int(more))
        r = resistance(few, sites)
        read = read_spread(cell.noise, r) * rng.standard_normal(SINGLES)
        singles.append(r * np.exp(read))
        weak_reset.apply(law, int(more), rng)
        r = weak_reset.resistance(law).astype(np.float64)
        law_quantiles.append(np.quantile(r, BAND))
        law_singles.append(r[:SINGLES])
    band, single = ("quantile", "pulses"), ("single", "pulses")
    return {
        "r_train": (band, np.array(quantiles).T, {"units": "Ohm"}),
        "r_train_single": (single, np.array(singles).T, {"units": "Ohm"}),
        "r_law": (band, np.array(law_quantiles).T, {"units": "Ohm"}),
        "r_law_single": (single, np.array(law_singles).T, {"units": "Ohm"}),
    }
