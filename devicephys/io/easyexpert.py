"""Text files of Keysight EasyEXPERT (B1500A, B2900): every line starts with a tag.

A record is a header (``SetupTitle``, ``TestParameter``, ``MetaData``, ``AnalysisSetup``), its size
(``Dimension1`` points a sweep, ``Dimension2`` sweeps, one number a column), ``DataName`` and the
``DataValue`` lines. Appended records follow each other without a gap, each with its own header.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from devicephys.errors import DataError
from devicephys.io import columns
from devicephys.io.files import decode, read_bytes, sha256

SIZE = re.compile(r"[0-9]{1,9}")
FACTS = ("TestParameter", "MetaData", "AnalysisSetup")
KEPT = ("Context.", "Channel.", "Measurement.", "Function.", "TestRecord.")
GRAPH = "Analysis.Setup.Vector."
UNITS = (  # lines that list names, and lines that list their units
    (f"{GRAPH}List.Datum.Name", f"{GRAPH}List.Datum.Unit"),
    (f"{GRAPH}Graph.XAxis.Name", f"{GRAPH}Graph.XAxis.Unit"),
    (f"{GRAPH}Graph.YAxis.Name", f"{GRAPH}Graph.YAxis.Unit"),
    ("Function.User.Name", "Function.User.Unit"),
)
CHANNELS = (("Channel.VName", "V"), ("Channel.IName", "A"), ("Channel.Time", "s"))

Line = tuple[int, str, list[str]]  # number in the file, tag, cells behind it


@dataclass(frozen=True)
class Record:
    """One record of a file.

    Attributes
    ----------
    facts : mapping
        Cells of the header lines by name.
    names : list of str
        Names of the columns.
    names_line : int
        Line of the file that they stand on.
    points : int
        Points of a sweep.
    values : list of tuple
        Line number and cells of each point.
    """

    facts: Mapping[str, list[str]]
    names: list[str]
    names_line: int
    points: int
    values: list[tuple[int, list[str]]]


def matches(content: bytes) -> bool:
    """Recognise the format by its first tag.

    Parameters
    ----------
    content : bytes
        The beginning of a file, or all of it.

    Returns
    -------
    bool
        Whether the first line that is not blank starts with ``SetupTitle,``.

    Examples
    --------
    >>> matches(b"\\r\\nSetupTitle, I-V\\r\\n"), matches(b"V,I\\n")
    (True, False)
    """
    return content[:4096].removeprefix(BOM_UTF8).lstrip(b"\r\n \t").startswith(b"SetupTitle,")


def read(path: str | Path) -> xr.Dataset:
    """Read all records of a file that EasyEXPERT exported.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    xarray.Dataset
        Raw columns, see `devicephys.io.columns.assemble`: ``record`` and ``step`` (sweep within
        the record), both from 0, then those of the file. Units are those that the header lists
        for the graph, the list and user functions, else V, A or s by the channel's role. A fact
        of the header that differs between records is a list in ``metadata``.

    Raises
    ------
    DataError
        If the file is missing, truncated or not of this format, or records hold other columns.

    Examples
    --------
    >>> read("missing.csv")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.csv: no such file; check the path
    """
    where = str(path)
    content = read_bytes(path)
    return parse(decode(content, where), where, digest=sha256(content))


def parse(text: str, where: str, digest: str = "") -> xr.Dataset:
    """Parse the text of a file; see `read`.

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
    >>> raw = parse('''
    ... SetupTitle, I-V
    ... TestParameter, Channel.VName, V1
    ... TestParameter, Channel.IName, I1
    ... Dimension1, 2, 2
    ... Dimension2, 1, 1
    ... DataName, V1, I1
    ... DataValue, 0, 1E-12
    ... DataValue, 0.1, 2.1E-06''', "x.csv")
    >>> raw.I1.values.tolist(), raw.I1.attrs["units"], raw.step.values.tolist()
    ([1e-12, 2.1e-06], 'A', [0.0, 0.0])
    """
    records = [_record(lines, where) for lines in _split(text, where)]
    first = records[0]
    units: dict[str, str] = {}
    rows, numbers = [], []
    for index, record in enumerate(records):
        at = f"{where}:{record.names_line}"
        if record.names != first.names:
            raise DataError(
                f"record {index} holds {', '.join(record.names)}"[:200], where=at,
                expected=f"the columns of record 0: {', '.join(first.names)}"[:200],
                remedy="export records of different tests into files of their own",
            )  # fmt: skip
        for name, unit in _units(record.facts).items():
            if units.setdefault(name, unit) != unit:
                raise DataError(
                    f"{name[:40]} in {unit[:20]!r}", where=at,
                    expected=f"{units[name][:20]!r} as in the records before",
                )  # fmt: skip
        for k, (number, cells) in enumerate(record.values):
            rows.append([str(index), str(k // record.points), *cells])
            numbers.append(number)
    metadata = _metadata([record.facts for record in records])
    return columns.from_text(
        ["record", "step", *first.names], rows, numbers,
        columns.Origin(where, "easyexpert", digest, metadata), header=first.names_line, units=units,
    )  # fmt: skip


def _split(text: str, where: str) -> list[list[Line]]:
    """Cut the file before each ``SetupTitle``."""
    records: list[list[Line]] = []
    for number, line in enumerate(re.split("\r\n|\n|\r", text), 1):
        if not line.strip():
            continue
        tag, *cells = (cell.strip() for cell in line.split(","))
        if tag == "SetupTitle":
            records.append([])
        elif not records:
            break
        records[-1].append((number, tag, cells))
    if not records:
        raise DataError(
            "no SetupTitle line at the start", where=where, expected="a file of EasyEXPERT"
        )
    return records


def _record(lines: list[Line], where: str) -> Record:
    start, _, title = lines[0]
    facts = {"SetupTitle": title}
    for _, tag, cells in lines:
        if tag in FACTS and cells:
            facts[cells[0]] = cells[1:]
        elif tag == "PrimitiveTest":
            facts[tag] = cells
    names_line, names = _only("DataName", lines, where, start)
    points, sweeps = (
        _size(tag, lines, where, start, len(names)) for tag in ("Dimension1", "Dimension2")
    )
    values = [(number, cells) for number, tag, cells in lines if tag == "DataValue"]
    if len(values) != points * sweeps or not values:
        raise DataError(
            f"{len(values)} DataValue lines in the record", where=f"{where}:{lines[-1][0]}",
            expected=f"{points} points x {sweeps} sweeps (Dimension1, Dimension2), one at least",
            remedy="the file is cut or the test was aborted: export it again",
        )  # fmt: skip
    for number, cells in values:
        if len(cells) != len(names):
            raise DataError(
                f"{len(cells)} values", where=f"{where}:{number}",
                expected=f"{len(names)}, one for each DataName",
                remedy="the decimal sign must be a point; see the region of the tester's Windows",
            )  # fmt: skip
        for name, cell in zip(names, cells, strict=True):
            if columns.number(cell) is None:
                raise DataError(
                    f"{cell[:40]!r}", where=f"{where}:{number}:{name[:40]}", expected="a number"
                )
    return Record(facts, names, names_line, points, values)


def _only(tag: str, lines: list[Line], where: str, start: int) -> tuple[int, list[str]]:
    """Give the number and the cells of the one line with this tag."""
    found = [(number, cells) for number, t, cells in lines if t == tag]
    if not found or not found[0][1]:
        raise DataError(
            f"no {tag} line in the record", where=f"{where}:{start}", expected="one a record",
            remedy="export it again",
        )  # fmt: skip
    if len(found) > 1:
        raise DataError(
            f"{tag} again", where=f"{where}:{found[1][0]}",
            expected="a SetupTitle line before the next record",
        )  # fmt: skip
    return found[0]


def _size(tag: str, lines: list[Line], where: str, start: int, n_names: int) -> int:
    number, cells = _only(tag, lines, where, start)
    if len(cells) != n_names or not all(SIZE.fullmatch(cell) for cell in cells):
        raise DataError(
            f"{tag} {', '.join(cells)[:60]!r}", where=f"{where}:{number}",
            expected=f"{n_names} whole numbers, one for each DataName",
        )  # fmt: skip
    return max(int(cell) for cell in cells)


def _units(facts: Mapping[str, list[str]]) -> dict[str, str]:
    """Give the unit of each column that the header says one for; the first to say it counts."""
    units: dict[str, str] = {}
    for names, texts in UNITS:
        for name, unit in zip(facts.get(names, ()), facts.get(texts, ()), strict=False):
            if name and unit:
                units.setdefault(name, unit)
    for names, unit in CHANNELS:
        for name in facts.get(names, ()):
            if name:
                units.setdefault(name, unit)
    return units


def _metadata(facts: Sequence[Mapping[str, list[str]]]) -> dict[str, object]:
    """Keep what was measured and how, not how graphs look."""
    keys = {
        key: None
        for record in facts
        for key in record
        if key in ("SetupTitle", "PrimitiveTest") or key.startswith(KEPT)
    }
    metadata: dict[str, object] = {}
    for key in keys:
        texts = [", ".join(record.get(key, ())) for record in facts]
        if any(texts):
            metadata[key] = texts[0] if len(set(texts)) == 1 else texts
    return metadata
