"""One STT-MRAM junction from all that was measured on it: one record for every kind of data.

Read is a folder of tidy CSV files of one device, each of another kind: write errors against
current or voltage, retention, read disturb, the resistance loop, switching fields. Delta, I_c0, t_D
and the others are shared, so that each kind narrows what it can tell; `junction_unknowns` says
which parameters are free, and how headers fix, tie or bound them by prior knowledge. The
resistance error comes from the line ``# resistance_error:`` or from the scatter of neighbours.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from devicephys import __version__, tables
from devicephys.checks import Array, in_range, known
from devicephys.errors import DataError
from devicephys.fitting import (
    contributions,
    goodness,
    joint_findings,
    junction_data,
    junction_unknowns,
    problem,
    switching_fields,
    wer_data,
)
from devicephys.fitting.problem import Block, Found, Unknown
from devicephys.fitting.result import DeviceFit, Estimate, FitResult, rows_of
from devicephys.io import measurement, tidy_csv
from devicephys.io.files import parse_number
from devicephys.mram.pulse import Pulse, square
from devicephys.mram.write import energy_per_bit, write_error_rate
from devicephys.parameters import DIRECTIONS, MTJ
from devicephys.stats import NORMAL_QUANTILE

NAME = "stt_mram_joint"
AXES = ("pulse_current", "pulse_voltage", "pulse_width")
KIND = "junction_data"
KINDS = (
    "wer_counts", "wer_counts_voltage", "retention_counts", "read_disturb_counts",
    "resistance_loop", "switching_fields",
)  # fmt: skip
LAYOUT = f"a folder of tidy CSV files of one device, one a kind: {', '.join(KINDS)}"
POOR = 3.0  # deviance over degrees of freedom at which other starts are tried
STARTS = (0.7, 1.4)  # factors on Delta of other starts
ATOL, RESOLVED = 1e-15, 1e-12  # what the solver may add to a WER; what it then still resolves
STEP = 1e-3  # of a logarithm, for slopes of ln BER


@dataclass(frozen=True)
class Assembly:
    """What a joint fit consists of."""

    unknowns: tuple[Unknown, ...]
    blocks: tuple[Block, ...]
    notes: tuple[str, ...]


def read(path: str | Path) -> xr.DataTree:
    """Read a folder of tidy CSV files, one a kind, of one device."""
    folder = Path(path)
    if not folder.is_dir():
        raise DataError("no such folder", where=str(path), expected="a folder of tidy CSV files")
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise DataError("no file *.csv", where=str(path), expected="tidy CSV files, one a kind")
    found: dict[str, xr.Dataset] = {}
    for file in files:
        dataset = tidy_csv.read(file)
        kind = dataset.attrs["kind"]
        if kind not in KINDS:
            raise DataError(f"data of kind {kind!r}", where=str(file), expected=", ".join(KINDS))
        if kind in found:
            raise DataError(
                f"data of kind {kind!r}", where=str(file),
                expected=f"one file of it, and there is {found[kind].attrs['source']}",
                remedy="put the rows into one file",
            )  # fmt: skip
        found[kind] = dataset
    return gathered(found, folder.name)


def gathered(datasets: Mapping[str, xr.Dataset], source: str) -> xr.DataTree:
    """Put data of one device together: a tree with a node a kind."""
    for kind in datasets:
        known("kind", kind, KINDS, where=source)
    devices = {str(x) for d in datasets.values() for x in np.unique(d.device.values)}
    if len(devices) != 1:
        raise DataError(
            f"devices {', '.join(sorted(devices))}", where=source, expected="one device",
            remedy="a folder a device",
        )  # fmt: skip
    header: dict[str, str] = {}
    said: dict[str, str] = {}
    for dataset in datasets.values():
        for key, text in json.loads(dataset.attrs["metadata"]).items():
            if header.setdefault(key, text) != text and _enters(key):
                raise DataError(
                    f"metadata {key}: {text!r} in {dataset.attrs['source']}, {header[key]!r} in "
                    f"{said[key]}", where=source, expected="one value",
                )  # fmt: skip
            said.setdefault(key, dataset.attrs["source"])
    lines = sorted(f"{d.attrs['source']} {d.attrs['sha256']}\n" for d in datasets.values())
    attrs = {
        "kind": KIND,
        "source": source,
        "sha256": hashlib.sha256("".join(lines).encode()).hexdigest(),
        "metadata": json.dumps(header, sort_keys=True),
    }
    nodes = {kind: datasets[kind] for kind in KINDS if kind in datasets}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **nodes})


def _enters(key: str) -> bool:
    """Whether a line of a header enters the fit."""
    used = (*junction_unknowns.CONSTANTS, *junction_unknowns.STATED.values(), "temperature_K")
    return key in used or key.startswith((*junction_unknowns.ORDERS, "truth_"))


def datasets_of(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """Give the data of a tree by kind."""
    return {kind: tree[kind].to_dataset() for kind in KINDS if kind in tree.children}


def assemble(tree: xr.DataTree) -> Assembly:
    """Choose the parameters and bring every kind of data to what a fit takes."""
    datasets, where = datasets_of(tree), tree.attrs["source"]
    written = [datasets[kind] for kind in junction_data.DRIVES if kind in datasets]
    if not any(((d.n_errors > 0) & (d.n_errors < d.n_trials)).any() for d in written):
        for one in written:
            wer_data.check_together(one)
    header = json.loads(tree.attrs["metadata"])
    temperature = _reference(datasets, header, where)
    chosen = junction_unknowns.unknowns(datasets, header, temperature, where)
    blocks, notes = [], list(chosen.notes)
    for kind, dataset in datasets.items():
        if kind in junction_data.DRIVES:
            wer_data.check_pulses(dataset)
            blocks.append(junction_data.write_errors(dataset, kind))
        elif kind == "retention_counts":
            blocks.append(junction_data.retention(dataset))
        elif kind == "read_disturb_counts":
            blocks.append(junction_data.read_disturb(dataset))
        elif kind == "resistance_loop":
            error, note = _resistance_error(dataset)
            blocks.append(junction_data.resistance_loop(dataset, error))
            notes.append(note)
        else:
            blocks.append(switching_fields.block(switching_fields.grouped(dataset)))
    return Assembly(chosen.unknowns, tuple(blocks), tuple(notes))


def _reference(datasets: Mapping[str, xr.Dataset], header: Mapping[str, str], where: str) -> float:
    """Temperature at which the parameters hold: the header's, or that of most write errors."""
    if "temperature_K" in header:
        try:
            return parse_number(header["temperature_K"])
        except ValueError as err:
            raise DataError(
                f"metadata temperature_K = {header['temperature_K']!r}", where=where,
                expected="a number of kelvin",
            ) from err  # fmt: skip
    for dataset in datasets.values():
        if "temperature" in dataset:
            values, n = np.unique(dataset.temperature.values, return_counts=True)
            return float(values[n.argmax()])
    raise DataError(
        "no temperature", where=where, expected="the line '# temperature_K: ...' above a header"
    )


def _resistance_error(dataset: xr.Dataset) -> tuple[float | None, str]:
    """Give the error of a resistance, None where the scatter tells it, and how it is known."""
    text = json.loads(dataset.attrs["metadata"]).get("resistance_error")
    if text is None:
        error = junction_data.scatter(dataset)
        return None, f"relative error of a resistance: {error:.2g}, by the scatter of neighbours"
    try:
        error = parse_number(text)
        if not 0 < error < 1:
            raise ValueError
    except ValueError as err:
        raise DataError(
            f"metadata resistance_error = {text!r}", where=dataset.attrs["source"],
            expected="a relative error in (0, 1)",
        ) from err  # fmt: skip
    return error, f"relative error of a resistance: {error:.2g}, as stated"


def fit(
    dataset: xr.DataTree, rng: np.random.Generator, progress: Callable[[int, int], None]
) -> FitResult:
    """Fit one record to all kinds of data by maximum likelihood."""
    made = assemble(dataset)
    found = solved(made)
    progress(1, 2)
    at = contributions.slopes(made.unknowns, made.blocks, found)
    drawn = contributions.simulated_deviances(made.unknowns, made.blocks, found, at, rng)
    progress(2, 2)
    over = goodness.overdispersion(found.deviance, found.dof, drawn.sum(axis=1))
    device = str(next(iter(datasets_of(dataset).values())).device.values[0])
    estimates = problem.estimates(made.unknowns, found)
    free = {e.name: e for e in estimates if e.name in found.names}
    kinds = joint_findings.kinds(at, drawn, found)
    return FitResult(
        recipe=NAME,
        version=__version__,
        estimates=estimates,
        covariance=_covariance(made.unknowns, found),
        data=_summary(dataset, kinds),
        devices=(
            DeviceFit(
                device=device,
                values={name: e.value for name, e in free.items()},
                stderrs={name: e.stderr for name, e in free.items()},
                deviance=found.deviance,
                dof=found.dof,
                p_value=over.p_value,
                at_bound=found.at_bound,
            ),
        ),
        deviance=found.deviance,
        dof=found.dof,
        p_value=over.p_value,
        notes=(*made.notes, *joint_findings.notes(kinds, found)),
        flags=(*joint_findings.flags(at, kinds, found, over), *_heated(dataset)),
    )


def problems(
    dataset: xr.DataTree, result: FitResult
) -> dict[str, tuple[list[Unknown], tuple[Block, ...]]]:
    """Give the fit, for intervals by other methods."""
    made = assemble(dataset)
    best = {e.name: e.value for e in result.estimates}
    return {result.devices[0].device: (problem.started(made.unknowns, best), made.blocks)}


def solved(made: Assembly) -> Found:
    """Find the best parameters; from other values of Delta as well where the first fit is poor."""
    found = problem.solve(made.unknowns, made.blocks)
    if found.deviance > POOR * found.dof and "delta" in found.names:
        for factor in STARTS:
            begin = problem.started(made.unknowns, {"delta": factor * found.values["delta"]})
            found = min(found, problem.solve(begin, made.blocks), key=lambda f: f.deviance)
    return found


def _covariance(unknowns: Sequence[Unknown], found: Found) -> tuple[tuple[float, ...], ...]:
    """Covariance in the order of the estimates that vary: tied ones move with theirs."""
    by_name = {u.name: u for u in unknowns}
    rows, scale = [], []
    for u in unknowns:
        other = u if u.tied is None else by_name[u.tied[0]]
        if other.name in found.names:
            rows.append(found.names.index(other.name))
            value, own = found.values[other.name], found.values[u.name]
            # From the coordinate of the other, as it is fitted, to that of this one.
            per_value = value if other.log else 1.0  # of the other, by its coordinate
            factor = 1.0 if u.tied is None else u.tied[1]
            scale.append(factor * per_value / own if u.log else factor * per_value)
    return rows_of(found.covariance[np.ix_(rows, rows)] * np.outer(scale, scale))


def _summary(tree: xr.DataTree, kinds: Mapping[str, Any]) -> dict[str, Any]:
    header, datasets = json.loads(tree.attrs["metadata"]), datasets_of(tree)
    try:
        truth = {k: parse_number(v) for k, v in header.items() if k.startswith("truth_")}
    except ValueError as err:
        raise DataError(
            "metadata truth_... is no number", where=tree.attrs["source"], expected="numbers"
        ) from err
    return {
        "source": tree.attrs["source"],
        "sha256": tree.attrs["sha256"],
        "synthetic": any(measurement.synthetic(d) for d in datasets.values()),
        "devices": 1,
        "points": sum(int(d.sizes["point"]) for d in datasets.values()),
        "temperatures_K": _temperatures(datasets),
        "files": {d.attrs["source"]: d.attrs["sha256"] for d in datasets.values()},
        "kinds": kinds,
        "truth": truth,
    }


def _temperatures(datasets: Mapping[str, xr.Dataset]) -> list[float]:
    each = [d.temperature.values for d in datasets.values() if "temperature" in d]
    return sorted(set(np.concatenate(each).tolist())) if each else []


def _heated(tree: xr.DataTree) -> list[str]:
    """What a temperature dependence that nobody stated is taken to be."""
    several = len(_temperatures(datasets_of(tree))) > 1
    if not several or "bloch" in json.loads(tree.attrs["metadata"]):
        return []
    return [
        "several temperatures and no line '# bloch: ...': M_s and H_k are taken as constant, and "
        "Delta as proportional to 1/T"
    ]


def junction(result: FitResult) -> MTJ:
    """Give the junction of a fit, if its data were enough for all of it."""
    return _record({e.name: e.value for e in result.estimates})


def _record(values: Mapping[str, float]) -> MTJ:
    missing = [f.name for f in fields(MTJ) if f.default is MISSING and f.name not in values]
    if missing:
        raise DataError(
            f"the fit has no {', '.join(missing)}",
            expected="write errors of both directions, and a resistance loop",
            remedy="measure them, or state 'fixed_...' above a header",
        )
    return junction_data.junction(values)


def table(dataset: xr.DataTree, result: FitResult, grid: Mapping[str, Array]) -> xr.Dataset:
    """Tabulate the write error and the energy of this one junction over drive and width.

    p10 is the error of writing 1 (P->AP), p01 of writing 0 (AP->P), both from the opposite state.
    The drive is a current unless the grid, or the data, have voltages alone. The interval is that
    of the fit's covariance through the slopes of ln BER; a rate below 1e-12 is only bounded.
    """
    if {"pulse_current", "pulse_voltage"} <= set(grid):
        raise DataError("a grid of currents and of voltages", expected="one of both")
    for name in grid:
        known("axis of this recipe", name, AXES)
        low, high = wer_data.RANGES[name]
        in_range(name, grid[name], tables.AXES[name], above=low, below=high, inclusive=True)
    kind, axis = _driven(dataset, grid)
    level = grid[axis] if axis in grid else _shared(dataset, kind, axis)
    width = grid["pulse_width"] if "pulse_width" in grid else _widths(dataset, kind)
    drive = junction_data.DRIVES[kind]
    pulses = square(drive, level[:, None], width[None, :])
    mtj = junction(result)
    p10, p01 = _rates(mtj, pulses)
    return tables.of_writes(
        {axis: level, "pulse_width": width}, p01, p10, _uncertainty(result, pulses),
        energy_per_bit(mtj, pulses), RESOLVED,
        {
            "title": "STT-MRAM write error rate and energy of one junction"
            + " (synthetic)" * bool(result.data["synthetic"]),
            "source": f"recipe {NAME}: Fokker-Planck, one junction",
            "input_files": {result.data["source"]: result.data["sha256"]},
            "bit": "1 is AP; the cell starts in the opposite state; junction energy, mean of both",
            "synthetic": int(result.data["synthetic"]),
        },
    )  # fmt: skip


def _driven(tree: xr.DataTree, grid: Mapping[str, Array]) -> tuple[str, str]:
    there = datasets_of(tree)
    voltage = "pulse_voltage" in grid or (
        "pulse_current" not in grid and "wer_counts" not in there and "wer_counts_voltage" in there
    )
    return ("wer_counts_voltage", "pulse_voltage") if voltage else ("wer_counts", "pulse_current")


def _shared(tree: xr.DataTree, kind: str, axis: str) -> Array:
    """Seven levels inside the range that was measured in both directions."""
    there = datasets_of(tree)
    if kind in there:
        levels, direction = there[kind][axis].values, there[kind].direction.values
        each = [levels[direction == d] for d in DIRECTIONS if (direction == d).any()]
        low, high = max(x.min() for x in each), min(x.max() for x in each)
        if low < high:
            return np.linspace(low, high, 7)
    raise DataError(
        f"no range of {axis} that both directions share", where=tree.attrs["source"],
        remedy=f"give the axis: --grid {axis}=START:STOP:N",
    )  # fmt: skip


def _widths(tree: xr.DataTree, kind: str) -> Array:
    there = datasets_of(tree)
    if kind not in there:
        raise DataError(
            "no pulse widths", where=tree.attrs["source"],
            remedy="give the axis: --grid pulse_width=START:STOP:N",
        )  # fmt: skip
    longest = float(there[kind].pulse_width.max())
    return np.linspace(longest / 10, longest, 10)


def _rates(mtj: MTJ, pulses: Pulse) -> list[Array]:
    return [write_error_rate(mtj, pulses, d, atol=ATOL).wer for d in DIRECTIONS]


def _uncertainty(result: FitResult, pulses: Pulse) -> Array:
    """Half width of the 95 % interval of ln BER, to first order."""
    vary = [e for e in result.estimates if e.vary]
    values = {e.name: e.value for e in result.estimates}

    def log_ber(e: Estimate, sign: int) -> Array:
        step = STEP if _is_log(e) else STEP / 10
        moved = e.value * np.exp(sign * step) if _is_log(e) else e.value + sign * step
        total = np.sum(_rates(_record(values | {e.name: moved}), pulses), axis=0)
        return np.asarray(np.log(np.maximum(total, ATOL)) / (2 * step))

    slopes = np.stack([log_ber(e, 1) - log_ber(e, -1) for e in vary])
    variance = np.einsum("aij,ab,bij->ij", slopes, np.array(result.covariance), slopes)
    return np.asarray(NORMAL_QUANTILE * np.sqrt(np.maximum(variance, 0.0)))


def _is_log(e: Estimate) -> bool:
    return e.name not in joint_findings.PLAIN
