"""A resistive cell as a TOML file: its filament, how it is read, and what happens to it afterwards.

``[filament]`` holds fields of `rram.filament.Filament`, one number each, and ``[read]`` the fields
``sigma_lrs``, ``s_ref``, ``s_sa`` and ``threshold`` of `rram.operating_points.ResistiveCell`, and
``noise``: the name of a measured one, or a table of fields of `rram.read_noise.ReadNoise`.
Optional: ``[transistor]`` with ``i_max``, ``[relaxation]`` (fields of
`rram.relaxation.Relaxation`), and ``[endurance]`` (fields of `rram.endurance.Endurance`, and the
``cycles`` that the cells have lived). All numbers in SI units, barriers in eV.
"""

import tomllib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from devicephys.checks import in_range, known
from devicephys.errors import ParameterError
from devicephys.io import toml_tables
from devicephys.io.files import decode, parse_toml, read_bytes, sha256
from devicephys.io.staircase import LEAST_LRS
from devicephys.io.toml_tables import check_keys, named, number
from devicephys.rram.endurance import Endurance
from devicephys.rram.filament import Filament
from devicephys.rram.operating_points import ResistiveCell
from devicephys.rram.read_noise import ReadNoise, measured_hfo2
from devicephys.rram.relaxation import Relaxation
from devicephys.rram.threshold import POLICIES

KEYS = ("filament", "read", "transistor", "relaxation", "endurance")
NOISES: Mapping[str, Callable[[], ReadNoise]] = MappingProxyType({"measured_hfo2": measured_hfo2})
SIGMAS = ("sigma_lrs", "s_ref", "s_sa")
READ = (*SIGMAS, "threshold", "noise")
MOST_BARRIER = 10.0  # eV: beyond any bond


@dataclass(frozen=True, eq=False)
class CellFile:
    """What a cell file says.

    Attributes
    ----------
    cell : ResistiveCell
        The cell and its reading circuit.
    endurance : Endurance or None
        How cells fail; None where the file has no ``[endurance]``.
    cycles : float
        Number of cycles that the cells have lived [1].
    source : str
        Name of the file, without its folder.
    sha256 : str
        Hash of the TOML file.
    """

    cell: ResistiveCell
    endurance: Endurance | None
    cycles: float
    source: str
    sha256: str


def describes_cell(path: str | Path) -> bool:
    """Tell a cell file from a junction file by its tables.

    Parameters
    ----------
    path : str or Path
        The TOML file.

    Returns
    -------
    bool
        Whether it holds a table of a cell file; false where it is no TOML.

    Raises
    ------
    DataError
        If the file is missing or unreadable.

    Examples
    --------
    >>> describes_cell("missing.toml")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.toml: no such file; check the path
    """
    try:
        raw = tomllib.loads(decode(read_bytes(path), str(path)))
    except (tomllib.TOMLDecodeError, RecursionError):
        return False
    return any(key in raw for key in KEYS)


def read(path: str | Path) -> CellFile:
    """Read a cell file.

    Parameters
    ----------
    path : str or Path
        The TOML file.

    Returns
    -------
    CellFile
        The cell, checked.

    Raises
    ------
    ParameterError
        If a key is unknown, missing or of the wrong type, or a value is outside its range.
    DataError
        If the file is missing or unreadable.

    Warns
    -----
    UserWarning
        If the resistance of the LRS looks like one in kOhm.

    Examples
    --------
    >>> read("missing.toml")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.toml: no such file; check the path
    """
    where = str(path)
    content = read_bytes(path)
    raw = parse_toml(content, where, "cell", KEYS, "docs/guide/rram")
    filament = _record(Filament, _table(raw, "filament", where), "[filament]", where)
    if filament.e_a > MOST_BARRIER:
        raise ParameterError(
            f"[filament] e_a = {filament.e_a:g} eV", where=where,
            expected=f"at most {MOST_BARRIER:g} eV", remedy="is it meV?",
        )  # fmt: skip
    if filament.r_on < LEAST_LRS:
        warnings.warn(
            f"{where}: [filament] r_on = {filament.r_on:g} Ohm, below that of an access "
            "transistor; is it kOhm? Give all resistances in Ohm", stacklevel=2,
        )  # fmt: skip
    given = _read(_table(raw, "read", where), where)
    if "transistor" in raw:
        given["i_max"] = _i_max(_table(raw, "transistor", where), where)
    if "relaxation" in raw:
        table = _table(raw, "relaxation", where)
        given["relaxation"] = _record(Relaxation, table, "[relaxation]", where)
    endurance, cycles = None, 0.0
    if "endurance" in raw:
        table = dict(_table(raw, "endurance", where))
        cycles = _cycles(table, where)
        endurance = _record(Endurance, table, "[endurance]", where)
    with named(where):
        cell = ResistiveCell(filament, **given)
    return CellFile(cell, endurance, cycles, Path(where).name, sha256(content))


def _read(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    check_keys(table, READ, ("sigma_lrs", "noise"), "[read]", where)
    given: dict[str, Any] = {
        name: _number(table[name], f"[read] {name}", "1", where) for name in SIGMAS if name in table
    }
    if "threshold" in table:
        given["threshold"] = _name(table["threshold"], "threshold", POLICIES, where)
    noise = table["noise"]
    if isinstance(noise, dict):
        return given | {"noise": _record(ReadNoise, noise, "[read.noise]", where)}
    return given | {"noise": NOISES[_name(noise, "noise", NOISES, where)]()}


def _name(value: Any, key: str, names: Mapping[Any, Any], where: str) -> str:
    """Give a name of the table [read] after looking it up; nothing is evaluated."""
    if not isinstance(value, str):
        table = ", or a table [read.noise]" if key == "noise" else ""
        raise ParameterError(
            f"[read] {key} = {value!r:.60}", where=where,
            expected=f"one of {', '.join(names)}, quoted{table}",
        )  # fmt: skip
    return known(f"[read] {key}", value, names, where=where)


def _i_max(table: Mapping[str, Any], where: str) -> float:
    check_keys(table, ("i_max",), ("i_max",), "[transistor]", where)
    i_max = _number(table["i_max"], "[transistor] i_max", "A", where)
    remedy = "leave the table out where nothing limits the current"
    with named(where):
        return float(in_range("[transistor] i_max", i_max, "A", above=0, remedy=remedy))


def _cycles(table: dict[str, Any], where: str) -> float:
    """Take the number of cycles out of the table [endurance]; the rest is the record."""
    names = [*(f.name for f in fields(Endurance)), "cycles"]
    check_keys(table, names, ("cycles",), "[endurance]", where)
    cycles = _number(table.pop("cycles"), "[endurance] cycles", "1", where)
    with named(where):
        return float(in_range("[endurance] cycles", cycles, "1", above=0, inclusive=True))


def _record(kind: type, table: Mapping[str, Any], label: str, where: str) -> Any:
    """Make a record of `kind` from a table; fields that hold a tuple take a list."""
    own = fields(kind)
    required = [f.name for f in own if f.default is MISSING]
    check_keys(table, [f.name for f in own], required, label, where)
    made: dict[str, Any] = {}
    for f in own:
        if f.name not in table:
            continue
        value, name, unit = table[f.name], f"{label} {f.name}", f.metadata["unit"]
        if f.type == tuple[float, ...]:
            made[f.name] = _numbers(value, name, unit, where)
            continue
        number = _number(value, name, unit, where)
        made[f.name] = int(number) if f.type is int and number.is_integer() else number
    with named(where):
        return kind(**made)


def _table(raw: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    if key not in raw:
        raise ParameterError(f"no table [{key}]", where=where, expected="[filament] and [read]",
                             remedy="see docs/guide/rram")  # fmt: skip
    return toml_tables.table(raw, key, where)


def _numbers(value: Any, label: str, unit: str, where: str) -> tuple[float, ...]:
    if not isinstance(value, list) or not value:
        raise ParameterError(f"{label} = {value!r:.60}", where=where,
                             expected=f"a list of numbers [{unit}]")  # fmt: skip
    return tuple(_number(x, label, unit, where) for x in value)


def _number(value: Any, label: str, unit: str, where: str) -> float:
    return number(value, label, where, f"one number [{unit}]")
