"""A junction as a TOML file: its record, how devices differ, and what stands in series.

Exactly one of ``[mtj]`` (fields of `parameters.MTJ`), ``[stack]`` (fields of `parameters.Stack`)
and ``literature = "author_year"`` (a function of `mram.literature`) gives the junction.
``[spread]`` holds fields of `mram.spread.Spread` or, where a stack is known, ``sigma_k_i``,
``sigma_diameter`` and ``sigma_ra``; ``[access]`` holds ``r_s`` and ``curve``, the name of a CSV
file ``voltage_V,current_A`` beside the TOML file. All numbers in SI units.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any

from devicephys.checks import known
from devicephys.errors import DataError, ParameterError
from devicephys.io import toml_tables
from devicephys.io.files import decode, parse_number, parse_toml, read_bytes, sha256
from devicephys.io.toml_tables import check_keys, named, number
from devicephys.mram import literature
from devicephys.mram.circuit import Access
from devicephys.mram.junction import mtj_from_stack
from devicephys.mram.spread import Spread, factor, spread_from_stack
from devicephys.parameters import MTJ, Stack

JUNCTIONS = ("mtj", "stack", "literature")
KEYS = (*JUNCTIONS, "spread", "access")
MAKING = ("sigma_k_i", "sigma_diameter", "sigma_ra")
CURVE = "voltage_V,current_A"


@dataclass(frozen=True)
class JunctionFile:
    """What a junction file says.

    Attributes
    ----------
    mtj : MTJ
        The median junction.
    spread : Spread or None
        How devices differ; None where the file has no ``[spread]``.
    access : Access
        The access device; a plain wire where the file has no ``[access]``.
    source : str
        Name of the file, without its folder.
    sha256 : str
        Hash of the TOML file.
    """

    mtj: MTJ
    spread: Spread | None
    access: Access
    source: str
    sha256: str


def read(path: str | Path) -> JunctionFile:
    """Read a junction file.

    Parameters
    ----------
    path : str or Path
        The TOML file.

    Returns
    -------
    JunctionFile
        The junction, checked.

    Raises
    ------
    ParameterError
        If a key is unknown, missing or of the wrong type, or a value is outside its range.
    DataError
        If the file or the access device's curve is missing or unreadable.

    Examples
    --------
    >>> read("missing.toml")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.toml: no such file; check the path
    """
    where = str(path)
    content = read_bytes(path)
    raw = parse_toml(content, where, "junction", KEYS, "docs/guide/mram")
    mtj, stack = _junction(raw, where)
    spread = (
        _spread(toml_tables.table(raw, "spread", where), stack, where) if "spread" in raw else None
    )
    access = (
        _access(toml_tables.table(raw, "access", where), where) if "access" in raw else Access()
    )
    return JunctionFile(mtj, spread, access, Path(where).name, sha256(content))


def _junction(raw: Mapping[str, Any], where: str) -> tuple[MTJ, Stack | None]:
    given = [key for key in JUNCTIONS if key in raw]
    if len(given) != 1:
        raise ParameterError(
            "both " + " and ".join(given) if given else "no junction", where=where,
            expected='one of [mtj], [stack] and literature = "author_year"',
        )  # fmt: skip
    if given == ["mtj"]:
        numbers = _record(MTJ, toml_tables.table(raw, "mtj", where), "[mtj]", where)
        with named(where):
            return MTJ(**numbers), None
    if given == ["stack"]:
        numbers = _record(Stack, toml_tables.table(raw, "stack", where), "[stack]", where)
        with named(where):
            stack = Stack(**numbers)
            return mtj_from_stack(stack), stack
    name, published = raw["literature"], _published()
    if not isinstance(name, str):
        raise ParameterError(
            f"literature = {name!r}", where=where, expected=f"one of {', '.join(published)}, quoted"
        )
    stack = published[known("literature", name, published, where=where)]()
    return mtj_from_stack(stack), stack


def _published() -> dict[str, Callable[[], Stack]]:
    """Functions of `literature` by name: looked up, never evaluated."""
    return {
        name: thing
        for name, thing in vars(literature).items()
        if inspect.isfunction(thing) and thing.__module__ == literature.__name__
        and not name.startswith("_")
    }  # fmt: skip


def _spread(table: Mapping[str, Any], stack: Stack | None, where: str) -> Spread:
    making = [key for key in MAKING if key in table]
    if not making:
        numbers = _record(Spread, table, "[spread]", where)
        with named(where):
            spread = Spread(**numbers)
            factor(spread)  # refuses correlations that contradict each other
            return spread
    if stack is None:
        raise ParameterError(
            f"[spread] {making[0]}", where=where, expected="fields of Spread beside [mtj]",
            remedy="give sigma_delta and sigma_i_c0, or the junction by [stack] or literature",
        )  # fmt: skip
    numbers = _numbers(table, MAKING, MAKING[:2], "[spread]", where)
    with named(where):
        return spread_from_stack(stack, **numbers)


def _access(table: Mapping[str, Any], where: str) -> Access:
    names = ("r_s", "curve")
    check_keys(table, names, (), "[access]", where)
    if not table:
        raise ParameterError("[access] is empty", where=where, expected="r_s, curve or both")
    plain = {key: value for key, value in table.items() if key != "curve"}
    numbers = _numbers(plain, names, (), "[access]", where)
    with named(where):
        access = Access(r_s=numbers.get("r_s", 0.0))
    if "curve" not in table:
        return access
    name = table["curve"]
    if not isinstance(name, str) or not name or not name.isprintable():
        raise ParameterError(
            f"[access] curve = {name!r}", where=where, expected="the name of a CSV file, quoted"
        )
    path = Path(where).parent / name
    try:
        voltage, current = _curve(decode(read_bytes(path), str(path)), str(path))
        return replace(access, voltage=voltage, current=current)
    except ParameterError as err:
        raise DataError(str(err), where=str(path)) from err
    except DataError as err:
        raise DataError(str(err), where=f"{where}: [access] curve") from err


def _curve(text: str, where: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Voltages and currents of the curve; ``#`` begins a comment."""
    lines = [
        (f"{where}:{k}", [cell.strip() for cell in line.split(",")])
        for k, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not lines or lines[0][1] != CURVE.split(","):
        place, cells = lines[0] if lines else (where, [])
        raise DataError(f"header {','.join(cells)!r}", where=place, expected=CURVE)
    points = []
    for place, cells in lines[1:]:
        try:
            voltage, current = (parse_number(cell) for cell in cells)
        except ValueError as err:
            raise DataError(
                f"row {','.join(cells)!r}", where=place, expected=f"two numbers, {CURVE}",
                remedy="check the separator (comma) and the decimal sign (point)",
            ) from err  # fmt: skip
        points.append((voltage, current))
    if len(points) < 2:
        raise DataError(f"{len(points)} points", where=where, expected="2 points at least")
    voltages, currents = zip(*points, strict=True)
    return voltages, currents


def _record(kind: type, table: Mapping[str, Any], label: str, where: str) -> dict[str, float]:
    names = [f.name for f in fields(kind)]
    required = [f.name for f in fields(kind) if f.default is MISSING]
    return _numbers(table, names, required, label, where)


def _numbers(
    table: Mapping[str, Any], names: Sequence[str],
    required: Sequence[str], label: str, where: str,
) -> dict[str, float]:  # fmt: skip
    """Give the numbers of a table after checking its keys and their types."""
    check_keys(table, names, required, label, where)
    return {key: number(value, f"{label} {key}", where) for key, value in table.items()}
