"""Raw columns of another program's file as a dataset; nothing is converted, only numbers are read.

What a column means, in which unit, is for the mapping to say (`devicephys.io.mapping`).
"""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from devicephys.errors import DataError
from devicephys.io.files import parse_number

LARGEST = 200 * 2**20  # bytes that a compressed file may declare; measured tables have a few MB
LONGEST_TEXT = 256  # characters of a cell: numpy gives every row the space of the longest
UNIT = re.compile(r"(.*\S)\s*(?:\(([^()\[\]]*)\)|\[([^()\[\]]*)\])")
DIGITS = re.compile(r"[0-9]+(\.[0-9]+)?")
MANY = 300  # digits, near which a float overflows
PADDED = re.compile(r"0[0-9]+")  # 007
WORDS: Mapping[str, float] = {
    "": math.nan, "nan": math.nan, "inf": math.inf, "infinity": math.inf,
    "+inf": math.inf, "+infinity": math.inf, "-inf": -math.inf, "-infinity": -math.inf,
}  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """Where raw columns come from.

    Attributes
    ----------
    where : str
        The file, for messages.
    form : str
        Short name of its format.
    digest : str
        SHA-256 of its bytes.
    metadata : mapping
        Facts of its header, of types that JSON knows.
    """

    where: str
    form: str
    digest: str
    metadata: Mapping[str, object]


def number(text: str) -> float | None:
    """Parse a cell as a number, if it is one.

    Parameters
    ----------
    text : str
        The cell without spaces around it.

    Returns
    -------
    float or None
        The number; NaN for an empty cell; None for a text or an overflow [any].

    Examples
    --------
    >>> number("-3.1E-12"), number(""), number("P->AP"), number("1e999")
    (-3.1e-12, nan, None, None)
    """
    if (word := text.lower()) in WORDS:
        return WORDS[word]
    try:
        value = parse_number(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def name_and_unit(title: str) -> tuple[str, str]:
    """Split the title of a column into its name and the unit in brackets behind it.

    Parameters
    ----------
    title : str
        The title as the file has it.

    Returns
    -------
    tuple of str
        Name and unit, "" where there is none.

    Examples
    --------
    >>> name_and_unit("Voltage (V)"), name_and_unit("I[uA]"), name_and_unit("cycle")
    (('Voltage', 'V'), ('I', 'uA'), ('cycle', ''))
    """
    found = UNIT.fullmatch(title)
    if found is None:
        return title, ""
    return found[1], (found[2] if found[2] is not None else found[3]).strip()


def from_text(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    lines: Sequence[int],
    origin: Origin,
    *,
    header: int,
    units: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """Make a dataset of cells of text; a column of numbers and gaps only becomes one of numbers.

    Digits that a number would change stay text: 007, and 1.10 beside 1.1. A mapping reads either.

    Parameters
    ----------
    titles : sequence of str
        Title of each column; "" leaves an empty column out.
    rows : sequence of sequence of str
        Cells of each row, as many as there are titles.
    lines : sequence of int
        Line of the file that each row stands on [1].
    origin : Origin
        The file.
    header : int
        Line of the file that the titles stand on [1].
    units : mapping of str to str, optional
        Units by title, where the file says them elsewhere.

    Returns
    -------
    xarray.Dataset
        As `assemble` gives. Where two titles differ by the brackets only, the names keep them.

    Raises
    ------
    DataError
        If there is no row, a column has no name or that of another, or a text is too long.

    Examples
    --------
    >>> origin = Origin("x.csv", "csv", "", {})
    >>> raw = from_text(["V (mV)", "to"], [["1", "AP"], ["", "P"]], [2, 3], origin, header=1)
    >>> raw.V.values.tolist(), raw.V.attrs["units"], raw.to.values.tolist()
    ([1.0, nan], 'mV', ['AP', 'P'])
    """
    where = f"{origin.where}:{header}"
    for k, title in enumerate(titles):
        if not title and any(row[k] for row in rows):
            raise DataError(
                f"column {k + 1} has no name", where=where, expected="a name over every column",
                remedy="write one; undo merged cells",
            )  # fmt: skip
        if len(title) > LONGEST_TEXT:
            raise DataError(f"name {title[:40]!r}... of {len(title)} characters", where=where)
    if not rows:
        raise DataError("no data rows", where=origin.where, expected="a row under the header")
    split = [name_and_unit(title) for title in titles]
    often = Counter(name for name, _ in split)
    columns: dict[str, tuple[np.ndarray, str]] = {}
    for k, (title, (name, unit)) in enumerate(zip(titles, split, strict=True)):
        if not title:
            continue
        name = name if often[name] == 1 else title
        if name in columns:
            raise DataError(
                f"column {name!r} twice", where=where, expected="each name once",
                remedy="rename one of them",
            )  # fmt: skip
        cells = [row[k] for row in rows]
        columns[name] = (_values(cells, lines, name, origin), (units or {}).get(title) or unit)
    return assemble(columns, origin, lines)


def _values(cells: list[str], lines: Sequence[int], name: str, origin: Origin) -> np.ndarray:
    numbers = [number(cell) for cell in cells]
    if None not in numbers and not _names(cells):
        return np.array(numbers, dtype=np.float64)
    longest = max(range(len(cells)), key=lambda k: len(cells[k]))
    if len(cells[longest]) > LONGEST_TEXT:
        raise DataError(
            f"a text of {len(cells[longest])} characters",
            where=f"{origin.where}:{lines[longest]}:{name}",
            expected=f"at most {LONGEST_TEXT}",
        )
    return np.array(cells, dtype=np.str_)


def _names(cells: list[str]) -> bool:
    """Whether cells of digits are names, which numbers would change or take for one another."""
    there = {cell for cell in cells if cell}
    if not all(DIGITS.fullmatch(cell) for cell in there):
        return False
    alike = len({float(cell) for cell in there}) < len(there)  # 1.1 and 1.10
    return alike or any(PADDED.fullmatch(cell) or _lossy(cell) for cell in there)


def _lossy(cell: str) -> bool:
    """Whether a whole number has more digits than a float keeps."""
    return cell.isdecimal() and len(cell) < MANY and int(cell) != int(float(cell))


def assemble(
    columns: Mapping[str, tuple[np.ndarray, str]],
    origin: Origin,
    lines: Sequence[int] | None = None,
) -> xr.Dataset:
    """Make the dataset of raw columns.

    Parameters
    ----------
    columns : mapping
        Values, shape (n,), and unit of each column by name.
    origin : Origin
        The file.
    lines : sequence of int, optional
        Line of the file that each point stands on, where it has lines [1].

    Returns
    -------
    xarray.Dataset
        A variable a column over ``point``, with the attribute ``units`` as the file writes it;
        the coordinate ``file_line``, for messages; attributes ``kind`` ("columns"), ``format``,
        ``source`` (file name), ``sha256`` and ``metadata`` (JSON).

    Raises
    ------
    DataError
        If a column has the name of the dimension or of the coordinate.

    Examples
    --------
    >>> import numpy as np
    >>> raw = assemble({"I": (np.array([1.0]), "uA")}, Origin("a/x.csv", "csv", "", {"lot": "A7"}))
    >>> raw.attrs["kind"], raw.attrs["source"], raw.attrs["metadata"]
    ('columns', 'x.csv', '{"lot": "A7"}')
    """
    for name in ("point", "file_line"):
        if name in columns:
            raise DataError(
                f"column {name!r}", where=origin.where,
                expected="another name: this one is taken by the dataset", remedy="rename it",
            )  # fmt: skip
    attrs = {
        "kind": "columns",
        "format": origin.form,
        "source": Path(origin.where).name,
        "sha256": origin.digest,
        "metadata": json.dumps(dict(origin.metadata), sort_keys=True),
    }
    dataset = xr.Dataset(
        {name: ("point", values, {"units": unit}) for name, (values, unit) in columns.items()},
        attrs=attrs,
    )
    if lines is not None:
        row = np.asarray(lines, dtype=np.int64)
        dataset = dataset.assign_coords(file_line=("point", row, {"units": ""}))
    return dataset
