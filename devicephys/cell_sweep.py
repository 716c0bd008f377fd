"""Tables of bit error rate and energy from a cell file, voltage by voltage and resumable.

Every voltage is stored as soon as it is done, in the folder ``<output>.parts``; a run of the same
request takes up what is there, and the folder goes when the table is written.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import ndtr

from devicephys import __version__, parts, tables
from devicephys.checks import Array, known
from devicephys.ecc import coded_variables
from devicephys.errors import OutputExistsError, ParameterError
from devicephys.io import netcdf
from devicephys.io.cell_toml import CellFile
from devicephys.io.files import refuse_existing
from devicephys.parts import Progress
from devicephys.rram.endurance import failed_fraction, worn
from devicephys.rram.filament import ROOM, Filament
from devicephys.rram.master_equation import REACH, ROUND_OFF, filled, propagate, quadrature
from devicephys.rram.mixture import Mixture, log_normal
from devicephys.rram.operating_points import (
    AXES,
    CODED,
    KINDS,
    NODES,
    ResistiveCell,
    checked_axes,
    operating_points,
)
from devicephys.rram.programming import level_spread, state
from devicephys.rram.threshold import pair_error, threshold_error
from devicephys.rram.threshold_search import SLACK, best_threshold
from devicephys.units import si

MOST_POINTS = 200_000  # of a table
POINT = 1e-2  # s, what a point takes, roughly
FINE = 321  # nodes of a quadrature beside which that of the table is held
SAFETY = 2.0  # over the largest deviation that a few points of a voltage show
VARIABLES = tuple(tables.VARIABLES)


def run(
    cell_file: CellFile,
    grid: Mapping[str, Array],
    out: str | Path,
    *,
    progress: Progress = lambda done, total: None,
    force: bool = False,
) -> xr.Dataset:
    """Compute the table of bit error rate and energy of a resistive cell and write it.

    Valid as `rram.operating_points.operating_points`. With an endurance, a share of the cells
    reads at random, of pairs where either device has failed; a code corrects these errors like
    others. The law of endurance is taken at the voltage of the RESET pulses.

    Parameters
    ----------
    cell_file : CellFile
        The cell.
    grid : mapping of str to ndarray
        Axes, each rising, shape (n,): ``pulse_voltage`` and ``pulse_width``; optional ``pulses``,
        ``temperature``, and ``time`` since programming, which needs a law of relaxation [SI].
    out : str or Path
        The netCDF file to write.
    progress : callable, optional
        Called with (points done, points in all), first with those found in finished chunks.
    force : bool, optional
        Whether an existing output, and finished chunks of another request, may be replaced.

    Returns
    -------
    xarray.Dataset
        The table, see `tables`; its interval is the numerical error alone.

    Raises
    ------
    ParameterError
        If the grid does not fit, or is too large.
    OutputExistsError
        If the output exists, or the folder of parts belongs to another request.
    AccuracyError
        If relaxation leaves its range, naming the voltage; other voltages are kept.
    DataError
        If the output's folder does not exist.

    Examples
    --------
    See docs/guide/rram.md; `devicephys sweep` is this function.
    """
    out = refuse_existing(out, force=force)
    if out.is_dir():
        raise OutputExistsError("is a folder", where=str(out), remedy="choose another name")
    axes = _axes(cell_file, grid)
    voltages = axes["pulse_voltage"]
    found = np.empty((len(KINDS) * len(VARIABLES), *(len(axis) for axis in axes.values())))
    request = _request(cell_file, axes)
    folder = parts.open_folder(out, request, force=force)
    parts.fill(
        folder, request, found, [(slice(None), k) for k in range(len(voltages))],
        lambda k: _at_voltage(cell_file, axes, float(voltages[k])),
        lambda k: f"pulse_voltage = {si(float(voltages[k]), 'V')}", progress,
    )  # fmt: skip
    given = {name: axes[name] for name in AXES if name in grid}
    shape = (len(KINDS), len(VARIABLES), *(len(axis) for axis in given.values()))
    values = dict(zip(VARIABLES, np.moveaxis(found.reshape(shape), 1, 0), strict=True))
    made = tables.make({"cell": np.array(KINDS)} | given, values, _provenance(cell_file))
    netcdf.write(made, out, force=force)
    parts.remove(folder)
    return made


def _axes(cell_file: CellFile, grid: Mapping[str, Array]) -> dict[str, Array]:
    """Check the axes; fill in those that are not given."""
    for name in grid:
        known("axis of a cell's sweep", name, AXES)
    if any(name not in grid for name in AXES[:2]):
        raise ParameterError(
            f"a grid over {', '.join(grid) or 'nothing'}", expected="pulse_voltage and pulse_width",
            remedy="--grid pulse_voltage=0.8:1.4:13 --grid pulse_width=1e-7:1e-6:10",
        )  # fmt: skip
    if np.any(grid.get("time", 0.0)) and cell_file.cell.relaxation is None:
        raise ParameterError(
            "an axis time", where=cell_file.source, expected="a table [relaxation]",
            remedy="give the law measured on these devices there, or leave out the axis",
        )  # fmt: skip
    points = math.prod(np.size(axis) for axis in grid.values())
    if points > MOST_POINTS:
        raise ParameterError(
            f"{points} points, which take about {points * POINT / 60:.0f} minutes",
            expected=f"at most {MOST_POINTS}", remedy="a coarser grid, or several tables",
        )  # fmt: skip
    return checked_axes(grid, cell_file.cell)


def _at_voltage(cell_file: CellFile, axes: Mapping[str, Array], voltage: float) -> Array:
    """All variables of all kinds of cell, those of a kind together; shape (rows, other axes)."""
    cell = cell_file.cell
    here = dict(axes) | {"pulse_voltage": np.array([voltage])}
    raw = {name: values[:, 0] for name, values in operating_points(cell, here).items()}
    failed = 0.0
    if cell_file.endurance is not None:
        failed = float(failed_fraction(cell_file.endurance, cell_file.cycles, voltage))
    error = _quadrature_error(cell, here)
    single = _kind(raw, 0, error[0] + SLACK, failed, cell.filament)
    pair = _kind(raw, 1, error[1], 1 - (1 - failed) ** 2, cell.filament)
    rows = [single, pair]
    for code in CODED.values():
        rows.append(coded_variables(code, single))
    return np.array([row[name] for row in rows for name in VARIABLES])


def _kind(
    raw: Mapping[str, Array], kind: int, error: float, failed: float, filament: Filament
) -> dict[str, Array]:
    """Rates of cells some of which have failed, and the interval of their numerical error."""
    ber = raw["ber"][kind]
    # Devices beyond the reach of the quadrature may all be wrong.
    beyond = float(ndtr(-REACH)) if _spread(filament) else 0.0
    low = np.maximum(ber / (1 + error) - beyond * ber - ROUND_OFF, 0.0)
    high = np.minimum(ber * (1 + error) + beyond + ROUND_OFF, 1.0)
    rates = {"p01": raw["p01"][kind], "p10": raw["p10"][kind], "ber_lo": low, "ber_hi": high}
    made = {name: worn(np.minimum(rate, 1.0), failed) for name, rate in rates.items()}
    made["ber"] = (made["p01"] + made["p10"]) / 2
    return made | {"energy_per_bit": raw["energy_per_bit"][kind]}


def _spread(filament: Filament) -> float:
    return float(np.hypot(filament.sigma_e, filament.sigma_e_cycle))


def _quadrature_error(cell: ResistiveCell, axes: Mapping[str, Array]) -> tuple[float, float]:
    """Relative error of 1T1R and 2T2R rates from the quadrature over barriers, at one voltage.

    Estimated: few points stand for all, those at both ends and durations between.
    """
    if not _spread(cell.filament):
        return 0.0, 0.0
    sigma = level_spread(cell.filament, cell.noise, cell.sigma_lrs)
    lrs = log_normal(float(np.log(cell.filament.r_on)), cell.sigma_lrs)
    worst = np.zeros(2)
    durations = np.unique(np.outer(axes["pulse_width"], axes["pulses"]))
    for duration in np.unique(durations[[0, len(durations) // 2, -1]]):
        for temperature in np.unique(axes["temperature"][[0, -1]]):
            used, fine = (
                _state(cell, nodes, weight, float(axes["pulse_voltage"][0]), float(duration),
                       float(temperature), sigma)
                for nodes, weight in (quadrature(cell.filament, k) for k in (NODES, FINE))
            )  # fmt: skip
            at = best_threshold(lrs, used, cell.s_ref)
            rates = np.array([
                (sum(map(float, threshold_error(lrs, hrs, at, cell.s_ref))) / 2,
                 pair_error(lrs, hrs, cell.s_sa))
                for hrs in (used, fine)
            ]) + ROUND_OFF  # fmt: skip
            worst = np.maximum(worst, np.expm1(abs(np.log(rates[0] / rates[1]))))
    return float(SAFETY * worst[0]), float(SAFETY * worst[1])


def _state(
    cell: ResistiveCell, nodes: Filament, weight: Array, voltage: float, duration: float,
    temperature: float, sigma: Array,
) -> Mixture:  # fmt: skip
    """State just after pulses that add up to a duration."""
    p = filled(nodes, nodes.n_sites)
    p, _ = propagate(nodes, p, voltage, duration, temperature=temperature, i_max=cell.i_max)
    return state(cell.filament, p, weight, sigma)


def _plain(cell_file: CellFile) -> dict[str, Any]:
    """A cell file as plain values."""
    cell = asdict(cell_file.cell)
    if math.isinf(cell["i_max"]):
        cell["i_max"] = None  # JSON has no infinity
    endurance = asdict(cell_file.endurance) if cell_file.endurance else None
    return {"cell": cell, "endurance": endurance, "cycles": cell_file.cycles}


def _request(cell_file: CellFile, axes: Mapping[str, Array]) -> str:
    """Everything that the numbers depend on, as text."""
    plain = _plain(cell_file)
    values = {
        "devicephys": __version__,
        **{f"grid {name}": axis.tolist() for name, axis in axes.items()},
        **{f"cell.{name}": value for name, value in plain.pop("cell").items()},
        **plain,
    }
    return json.dumps(values, sort_keys=True) + "\n"


def _provenance(cell_file: CellFile) -> dict[str, Any]:
    return {
        "title": "RRAM read error after RESET pulses, and their energy",
        "source": "devicephys sweep: master equation of the filament in the file, no measured "
        "counts",
        "input_files": {cell_file.source: cell_file.sha256},
        **_plain(cell_file),
        "pulse": f"equal square RESET pulses from the LRS; one pulse, {ROOM:g} K, just after "
        "programming where no axis says otherwise",
        "bit": "1 is LRS; mean energy of the RESET pulses in cell and transistor; no SET",
        "codes": "independent errors, random data, upper bounds; energy x cells per data bit",
        "interval": "ber_lo and ber_hi: estimated numerical error only (threshold of 1T1R "
        f"{100 * SLACK:g} %, quadrature over barriers by comparison with {FINE} nodes, devices "
        f"beyond {REACH:g} sigma), nothing of how well the cell is known",
        "threshold": cell_file.cell.threshold,
    }  # fmt: skip
