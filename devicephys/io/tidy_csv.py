"""The project's text format: tidy CSV of counts or resistances, units in the column names.

``# key: value`` lines, a header, then one row a pulse condition (write-error counts) or a pulse
(resistances). Every refusal names file, row and column.
"""

import csv
import io
import json
import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import xarray as xr

from devicephys.checks import known
from devicephys.errors import DataError, ParameterError
from devicephys.io.files import decode, parse_number, read_bytes, sha256, write_bytes
from devicephys.parameters import DIRECTIONS
from devicephys.units import column_unit

WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
LONGEST_PULSE = 1.0  # s: a longer "pulse_width_s" is a number of nanoseconds


@dataclass(frozen=True)
class Column:
    """A column of a tidy file.

    Attributes
    ----------
    name : str
        Name in the file, ending in the unit.
    parse : callable
        Turns the text into a value or raises ValueError.
    expected : str
        What is accepted, for messages.
    key : bool
        Whether the column belongs to the key that may occur only once.
    """

    name: str
    parse: Callable[[str], float | int | str]
    expected: str
    key: bool = False

    @property
    def variable(self) -> str:
        """Name of the variable in the dataset: the column without its unit."""
        has_unit = column_unit(self.name) != "1"
        return self.name.rsplit("_", 1)[0] if has_unit else self.name


def _number(accept: Callable[[float], bool]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = parse_number(text)
        if not math.isfinite(value) or not accept(value):
            raise ValueError
        return value

    return parse


def _integer(minimum: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not WHOLE.fullmatch(text):
            raise ValueError
        value = int(text)
        if not minimum <= value < 2**62:
            raise ValueError
        return value

    return parse


def _text(text: str) -> str:
    if not text:
        raise ValueError
    return text


def _direction(text: str) -> str:
    if text not in DIRECTIONS:
        raise ValueError
    return text


_positive = _number(lambda x: x > 0)
KINDS: Mapping[str, tuple[Column, ...]] = MappingProxyType(
    {
        "wer_counts": (
            Column("device", _text, "a name", key=True),
            Column("direction", _direction, "P->AP or AP->P", key=True),
            Column("pulse_current_A", _positive, "a magnitude > 0 in ampere", key=True),
            Column("pulse_width_s", _positive, "a number > 0 in seconds", key=True),
            Column("temperature_K", _positive, "a number > 0 in kelvin", key=True),
            Column("n_trials", _integer(1), "a whole number >= 1"),
            Column("n_errors", _integer(0), "a whole number >= 0"),
        ),
        "resistance_pulses": (
            Column("device", _text, "a name", key=True),
            Column("cycle", _integer(0), "a whole number >= 0", key=True),
            Column("pulse_index", _integer(0), "a whole number >= 0", key=True),
            Column("pulse_voltage_V", _number(lambda x: True), "a finite number in volt"),
            Column("pulse_width_s", _positive, "a number > 0 in seconds"),
            Column("resistance_before_ohm", _positive, "a number > 0 in ohm"),
            Column("resistance_after_ohm", _positive, "a number > 0 in ohm"),
        ),
    }
)


def read(path: str | Path) -> xr.Dataset:
    """Read a tidy CSV file of write-error counts or resistance pulses.

    Parameters
    ----------
    path : str or Path
        The file, UTF-8. Its header decides its kind.

    Returns
    -------
    xarray.Dataset
        One variable a column over the dimension ``point``, units in the attributes ``units``
        (SI); attributes ``kind``, ``source`` (file name), ``sha256`` and ``metadata`` (JSON of
        the ``# key: value`` lines).

    Raises
    ------
    DataError
        At the first thing that is wrong, with file, row and column.

    Warns
    -----
    UserWarning
        If the pulse widths look like nanoseconds.

    Examples
    --------
    >>> from devicephys.data import path
    >>> dataset = read(path("synthetic_stt_mram_wer.csv"))
    >>> dataset.attrs["kind"], dataset.pulse_width.attrs["units"]
    ('wer_counts', 's')
    """
    where = str(path)
    content = read_bytes(path)
    return parse(decode(content, where), where, digest=sha256(content))


def parse(text: str, where: str, digest: str = "") -> xr.Dataset:
    """Parse the text of a tidy CSV file; see `read`.

    Parameters
    ----------
    text : str
        The content of the file.
    where : str
        Name of the file, for messages.
    digest : str, optional
        SHA-256 of the file.

    Returns
    -------
    xarray.Dataset
        As `read` gives.

    Raises
    ------
    DataError
        As `read`.

    Examples
    --------
    >>> parse("device,direction\\n", "x.csv")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: x.csv:1: missing column pulse_current_A; expected the columns \
device,direction,pulse_current_A,pulse_width_s,temperature_K,n_trials,n_errors
    """
    lines = re.split("\r\n|\n|\r", text)
    n_head = next((k for k, x in enumerate(lines) if x.strip() and not x.startswith("#")), None)
    if n_head is None:
        raise DataError("no header line", where=where, expected=_expected("wer_counts"))
    metadata = _metadata(lines[:n_head], where)
    header = _cells(lines[n_head], f"{where}:{n_head + 1}")
    kind = _kind(header, f"{where}:{n_head + 1}")
    rows = [
        (number, _row(cells, header, kind, where, number))
        for number, line in enumerate(lines[n_head + 1 :], n_head + 2)
        if any(cells := _cells(line, f"{where}:{number}"))
    ]
    if not rows:
        raise DataError("no data rows", where=where, expected="at least one row under the header")
    _check_rows(rows, kind, where)
    variables = {
        c.variable: ("point", np.array([row[c.name] for _, row in rows]),
                     {"units": column_unit(c.name)})
        for c in KINDS[kind]
    }  # fmt: skip
    attrs = {
        "kind": kind,
        "source": Path(where).name,
        "sha256": digest,
        "metadata": json.dumps(metadata, sort_keys=True),
    }
    dataset = xr.Dataset(variables, attrs=attrs)
    if float(dataset.pulse_width.max()) > LONGEST_PULSE:
        warnings.warn(
            f"{where}: pulse_width_s up to {float(dataset.pulse_width.max()):g} s looks like "
            "nanoseconds; the column must be in seconds",
            stacklevel=3,
        )
    return dataset


def _cells(line: str, where: str) -> list[str]:
    """Split one line into cells; a quoted cell ends on its line."""
    try:
        return [cell.strip() for row in csv.reader([line], strict=True) for cell in row]
    except csv.Error as err:
        raise DataError(
            f"not a line of CSV ({err})", where=where, expected="comma-separated"
        ) from err


def _expected(kind: str) -> str:
    return "the columns " + ",".join(c.name for c in KINDS[kind])


def _metadata(lines: Iterable[str], where: str) -> dict[str, str]:
    metadata = {}
    for number, line in enumerate(lines, 1):
        key, colon, value = line.removeprefix("#").partition(":")
        if line.startswith("#") and colon:
            if key.strip() in metadata:
                raise DataError(f"metadata {key.strip()!r} twice", where=f"{where}:{number}")
            metadata[key.strip()] = value.strip()
    return metadata


def _kind(header: list[str], where: str) -> str:
    overlap = {kind: len({c.name for c in cols} & set(header)) for kind, cols in KINDS.items()}
    kind = max(overlap, key=lambda k: overlap[k])
    names = [c.name for c in KINDS[kind]]
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise DataError(f"column {twice!r} twice", where=where, expected=_expected(kind))
    for name in header:
        try:
            known("column", name, names, where=where)
        except ParameterError as err:
            raise DataError(str(err)) from err
    missing = [name for name in names if name not in header]
    if missing:
        raise DataError(f"missing column {missing[0]}", where=where, expected=_expected(kind))
    return kind


def _row(
    cells: list[str], header: list[str], kind: str, where: str, number: int
) -> dict[str, float | int | str]:
    if len(cells) != len(header):
        raise DataError(
            f"{len(cells)} cells", where=f"{where}:{number}", expected=f"{len(header)} cells",
            remedy="check the separator (comma) and the decimal sign (point)",
        )  # fmt: skip
    text = dict(zip(header, cells, strict=True))
    row = {}
    for column in KINDS[kind]:
        try:
            row[column.name] = column.parse(text[column.name])
        except ValueError as err:
            raise DataError(
                f"{text[column.name]!r}",
                where=f"{where}:{number}:{column.name}",
                expected=column.expected,
            ) from err
    return row


def _check_rows(
    rows: list[tuple[int, dict[str, float | int | str]]], kind: str, where: str
) -> None:
    seen: dict[tuple[float | int | str, ...], int] = {}
    keys = [c.name for c in KINDS[kind] if c.key]
    for number, row in rows:
        key = tuple(row[name] for name in keys)
        if key in seen:
            raise DataError(
                f"same {', '.join(keys)} as row {seen[key]}",
                where=f"{where}:{number}",
                expected="each combination once",
                remedy="add up the counts" if kind == "wer_counts" else "number the pulses",
            )
        seen[key] = number
        if kind == "wer_counts" and int(row["n_errors"]) > int(row["n_trials"]):
            raise DataError(
                f"n_errors = {row['n_errors']} > n_trials = {row['n_trials']}",
                where=f"{where}:{number}:n_errors",
                expected="n_errors <= n_trials",
                remedy="check the tester's export",
            )


def write(dataset: xr.Dataset, path: str | Path, *, force: bool = False) -> None:
    """Write a dataset of counts or resistances as tidy CSV; `read` gives it back.

    Parameters
    ----------
    dataset : xarray.Dataset
        A dataset as `read` gives.
    path : str or Path
        The file.
    force : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    OutputExistsError, DataError
        If the file exists or its folder does not.

    Examples
    --------
    >>> from devicephys.data import path
    >>> write(read(path("synthetic_stt_mram_wer.csv")), "no/such/folder/x.csv")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: no/such/folder: no such folder; create it first
    """
    columns = KINDS[dataset.attrs["kind"]]
    out = io.StringIO()
    for key, value in json.loads(dataset.attrs["metadata"]).items():
        out.write(f"# {key}: {value}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(c.name for c in columns)
    writer.writerows(zip(*(dataset[c.variable].values.tolist() for c in columns), strict=True))
    write_bytes(path, out.getvalue().encode(), force=force)
