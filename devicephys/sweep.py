"""Tables of bit error rate and energy from a junction file, chunk by chunk and resumable.

The grid is cut into chunks, the same ones for the same request. Each is stored as soon as it is
done, in the folder ``<output>.parts``; a run of the same request takes up what is there, and the
folder goes when the table is written. Numbers do not depend on where a run was interrupted.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from devicephys import __version__, parts, tables
from devicephys.checks import Array, in_range, known
from devicephys.errors import OutputExistsError, ParameterError
from devicephys.io import netcdf
from devicephys.io.files import refuse_existing
from devicephys.io.junction_toml import JunctionFile
from devicephys.mram.circuit import Access
from devicephys.mram.junction import at_temperature
from devicephys.mram.pulse import UNITS, Drive, Pulse, square, trapezoid
from devicephys.mram.spread import Spread, mean_write_error_rate
from devicephys.mram.write import DEEP, energy_per_bit, write_error_rate
from devicephys.parameters import DIRECTIONS, MTJ, Direction
from devicephys.parts import Progress
from devicephys.units import si

POINTS = 4000  # of a chunk: bounds the memory, and the seconds that an interruption costs
ARRAY_POINTS = 400  # where each point is an array: it stands for dozens of devices
MOST_POINTS = 10_000_000  # of a table: it has to fit into memory
ATOL = 1e-30  # of a rate: no number of writes ever shows it
ROWS = 7  # of a chunk: rate, error and method of either direction, energy
METHODS = ("fokker_planck", "thermal", "array_mean")
SIGMAS = ("sigma_delta", "sigma_i_c0", "sigma_t_d", "sigma_r_p")

Chunk = tuple[int, int, slice, slice]  # of temperatures, spreads, levels and widths


@dataclass(frozen=True)
class _Plan:
    """A checked request: what holds at each index of the grid."""

    junctions: tuple[MTJ, ...]  # one a temperature
    spreads: tuple[Spread | None, ...]  # None: all devices are equal
    access: Access
    drive: Drive
    level: Array
    width: Array
    rise: float
    fall: float
    rtol: float
    atol: float

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.junctions), len(self.spreads), len(self.level), len(self.width)

    @property
    def chunk_points(self) -> int:
        return POINTS if self.spreads == (None,) else ARRAY_POINTS

    def pulse(self, levels: slice, widths: slice) -> Pulse:
        level, width = self.level[levels, None], self.width[None, widths]
        if self.rise == self.fall == 0:
            return square(self.drive, level, width)
        return trapezoid(self.drive, level, width, self.rise, self.fall)


def run(
    junction: JunctionFile,
    grid: Mapping[str, Array],
    out: str | Path,
    *,
    rise: float = 0.0,
    fall: float = 0.0,
    rtol: float = 1e-4,
    atol: float = ATOL,
    progress: Progress = lambda done, total: None,
    force: bool = False,
) -> xr.Dataset:
    """Compute the table of bit error rate and energy of a junction and write it.

    Valid as `mram.write.write_error_rate` and, with a spread, `mram.spread.mean_write_error_rate`
    are. The spread of the logarithms is taken as the same at all temperatures: exact for a
    constant M_s.

    Parameters
    ----------
    junction : JunctionFile
        The junction.
    grid : mapping of str to ndarray
        Axes, each rising, shape (n,): ``pulse_current`` or ``pulse_voltage``, ``pulse_width``;
        optional ``temperature`` and ``spread``, a factor on the sigmas of the junction file
        (0: equal devices) [SI].
    out : str or Path
        The netCDF file to write.
    rise, fall : float, optional
        Duration of the pulse's edges, which come on top of its width, >= 0 [s].
    rtol, atol : float, optional
        Accepted error of every rate, ``rtol * rate + atol`` [1].
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
        If the grid does not fit, or the engine refuses its largest level.
    OutputExistsError
        If the output exists, or the folder of parts belongs to another request.
    AccuracyError
        If a chunk misses the tolerance, naming its operating points; other chunks are kept.
    DataError
        If the output's folder does not exist.

    Examples
    --------
    See docs/guide/mram.md; `devicephys sweep` is this function.
    """
    out = refuse_existing(out, force=force)
    if out.is_dir():
        raise OutputExistsError("is a folder", where=str(out), remedy="choose another name")
    axes = _axes(junction, grid)
    plan = _plan(junction, axes, rise, fall, rtol, atol)
    request = _request(junction, axes, plan)
    folder = parts.open_folder(out, request, force=force)
    found = _filled(plan, folder, request, progress)
    table = _table(junction, axes, plan, found)
    netcdf.write(table, out, force=force)
    parts.remove(folder)
    return table


def _axes(junction: JunctionFile, grid: Mapping[str, Array]) -> dict[str, Array]:
    """Check the axes; give them in the order of the table's dimensions."""
    order = ("temperature", "spread", "pulse_current", "pulse_voltage", "pulse_width")
    for name in grid:
        known("axis of a sweep", name, order)
    levels = [name for name in ("pulse_current", "pulse_voltage") if name in grid]
    if len(levels) != 1 or "pulse_width" not in grid:
        raise ParameterError(
            f"a grid over {', '.join(grid) or 'nothing'}",
            expected="pulse_width and one of pulse_current and pulse_voltage",
            remedy="--grid pulse_current=60e-6:120e-6:20 --grid pulse_width=2e-9:20e-9:40",
        )
    if "spread" in grid and junction.spread is None:
        raise ParameterError(
            "an axis spread", where=junction.source, expected="a table [spread] to multiply",
            remedy="give sigma_delta and sigma_i_c0 there, or leave out the axis",
        )  # fmt: skip
    axes = {name: np.asarray(grid[name], np.float64) for name in order if name in grid}
    for name, axis in axes.items():
        zero = name not in ("pulse_width", "temperature")
        in_range(name, axis, tables.AXES[name], above=0, inclusive=zero)
        if axis.ndim != 1 or not len(axis) or (np.diff(axis) <= 0).any():
            raise ParameterError(
                f"axis {name} of shape {axis.shape} does not rise", expected="rising numbers"
            )
    points = math.prod(len(axis) for axis in axes.values())
    if points > MOST_POINTS:
        raise ParameterError(
            f"{points} points", expected=f"at most {MOST_POINTS}",
            remedy="a coarser grid, or several tables",
        )  # fmt: skip
    return axes


def _plan(
    junction: JunctionFile, axes: Mapping[str, Array], rise: float, fall: float, rtol: float,
    atol: float,
) -> _Plan:  # fmt: skip
    """Make the records of every temperature and spread, and try what the engine may refuse."""
    drive: Drive = "current" if "pulse_current" in axes else "voltage"
    junctions: tuple[MTJ, ...] = (junction.mtj,)
    if "temperature" in axes:
        junctions = tuple(at_temperature(junction.mtj, float(t)) for t in axes["temperature"])
    for name, value in (("rise", rise), ("fall", fall)):
        in_range(name, value, "s", above=0, inclusive=True)
    in_range("rtol", rtol, "1", above=0, below=1)
    in_range("atol", atol, "1", above=0, below=1, inclusive=True)
    plan = _Plan(
        junctions,
        tuple(_scaled(junction.spread, float(k)) for k in axes.get("spread", np.ones(1))),
        junction.access, drive, axes[f"pulse_{drive}"], axes["pulse_width"],
        float(rise), float(fall), float(rtol), float(atol),
    )  # fmt: skip
    largest = plan.pulse(slice(-1, None), slice(1))
    for mtj in junctions:  # load line and heating: refuse now what would be refused hours later
        energy_per_bit(mtj, largest, access=plan.access)
    return plan


def _scaled(spread: Spread | None, factor: float) -> Spread | None:
    if spread is None or factor == 0:
        return None
    return replace(spread, **{name: factor * getattr(spread, name) for name in SIGMAS})


def _request(junction: JunctionFile, axes: Mapping[str, Array], plan: _Plan) -> str:
    """Everything that the numbers depend on, as text."""
    values = {
        "devicephys": __version__,
        "chunk_points": plan.chunk_points,
        **{f"grid {name}": axis.tolist() for name, axis in axes.items()},
        **{f"mtj.{name}": value for name, value in asdict(junction.mtj).items()},
        "spread": asdict(junction.spread) if junction.spread else None,
        "access": asdict(junction.access),
        "rise": plan.rise, "fall": plan.fall, "rtol": plan.rtol, "atol": plan.atol,
    }  # fmt: skip
    return json.dumps(values, sort_keys=True) + "\n"


def _chunks(plan: _Plan) -> Iterator[Chunk]:
    """Cut the grid, whole rows of widths first: they are solved together."""
    temperatures, spreads, levels, widths = plan.shape
    wide = min(widths, plan.chunk_points)
    high = max(1, plan.chunk_points // wide)
    for t, s in product(range(temperatures), range(spreads)):
        for i, w in product(range(0, levels, high), range(0, widths, wide)):
            yield t, s, slice(i, min(i + high, levels)), slice(w, min(w + wide, widths))


def _filled(plan: _Plan, folder: Path, request: str, progress: Progress) -> Array:
    """Compute or take up every chunk; shape (ROWS, temperatures, spreads, levels, widths)."""
    found = np.empty((ROWS, *plan.shape))
    chunks = list(_chunks(plan))
    parts.fill(
        folder, request, found, [(slice(None), *chunk) for chunk in chunks],
        lambda k: _compute(plan, chunks[k]), lambda k: _range(plan, chunks[k]), progress,
    )  # fmt: skip
    found[-1] = found[-1, :, :1]  # the median's energy, computed with the first spread alone
    return found


def _compute(plan: _Plan, chunk: Chunk) -> Array:
    """Rates, errors and methods of either direction, and the energy; (ROWS, levels, widths)."""
    t, s, levels, widths = chunk
    mtj, spread, pulse = plan.junctions[t], plan.spreads[s], plan.pulse(levels, widths)
    part = [x for d in DIRECTIONS for x in _rate(plan, mtj, spread, pulse, d)]
    energy = energy_per_bit(mtj, pulse, access=plan.access) if s == 0 else np.zeros_like(part[0])
    return np.array([*part, energy])


def _rate(
    plan: _Plan, mtj: MTJ, spread: Spread | None, pulse: Pulse, direction: Direction
) -> tuple[Array, Array, Array]:
    """Rate, error, and index of the method; a rate above 1 by round-off is 1."""
    access, rtol, atol = plan.access, plan.rtol, plan.atol
    if spread is None:
        one = write_error_rate(mtj, pulse, direction, access=access, rtol=rtol, atol=atol)
        method = np.where(one.method == "thermal", METHODS.index("thermal"), 0.0)
        return np.clip(one.wer, 0.0, 1.0), one.error, method
    array = mean_write_error_rate(
        mtj, spread, pulse, direction, access=access, rtol=rtol, atol=atol
    )
    method = np.full(array.wer.shape, float(METHODS.index("array_mean")))
    return np.clip(array.wer, 0.0, 1.0), array.error, method


def _range(plan: _Plan, chunk: Chunk) -> str:
    """The operating points of a chunk, for messages."""
    t, s, levels, widths = chunk
    ends = {f"pulse_{plan.drive}": (plan.level[levels], UNITS[plan.drive])}
    ends["pulse_width"] = (plan.width[widths], "s")
    text = [f"{n} = {si(x[0], unit)} to {si(x[-1], unit)}" for n, (x, unit) in ends.items()]
    text.append(f"temperature = {si(plan.junctions[t].temperature, 'K')}")
    if len(plan.spreads) > 1:
        text.append(f"spread {s + 1} of {len(plan.spreads)}")
    return ", ".join(text)


def _table(
    junction: JunctionFile, axes: Mapping[str, Array], plan: _Plan, found: Array
) -> xr.Dataset:
    shape = tuple(len(axis) for axis in axes.values())
    p10, error10, method10, p01, error01, method01, energy = (x.reshape(shape) for x in found)
    ber, error = (p10 + p01) / 2, (error10 + error01) / 2
    values = {
        "ber": ber,
        "ber_lo": np.maximum(ber - error, 0.0),
        "ber_hi": np.minimum(ber + error, 1.0),
        "p01": p01, "p10": p10, "energy_per_bit": energy,
    }  # fmt: skip
    methods = dict(zip(DIRECTIONS, map(_counts, (method10, method01)), strict=True))
    return tables.make(axes, values, _provenance(junction, plan) | {"methods": methods})


def _counts(method: Array) -> dict[str, int]:
    """Points by method."""
    counts = np.bincount(method.astype(np.int64).ravel(), minlength=len(METHODS))
    return {name: int(n) for name, n in zip(METHODS, counts, strict=True) if n}


def _provenance(junction: JunctionFile, plan: _Plan) -> dict[str, Any]:
    edges = "square" if plan.rise == plan.fall == 0 else "trapezoid; pulse_width is its plateau"
    return {
        "title": "MRAM bit error rate and energy of a junction",
        "source": "devicephys sweep: a model of the junction in the file, no measured counts",
        "input_files": {junction.source: junction.sha256},
        "junction": {
            "mtj": asdict(junction.mtj),
            "spread": asdict(junction.spread) if junction.spread else None,
            "access": asdict(junction.access),
        },
        "pulse": f"{plan.drive} pulse, {edges}; rise {plan.rise:g} s, fall {plan.fall:g} s",
        "bit": "1 is AP, p10 the error of P->AP; the cell starts in the opposite state; energy of "
        "the median junction and its access device, mean of both directions",
        "method_reason": f"thermal: square pulses that leave a barrier above {DEEP:g} k_B T; "
        "fokker_planck: all other pulses; array_mean: mean over devices, each by these two",
        "interval": "ber_lo and ber_hi: estimated numerical error only, nothing of how well the "
        "junction is known",
        "rtol": plan.rtol,
        "atol": plan.atol,
    }  # fmt: skip
