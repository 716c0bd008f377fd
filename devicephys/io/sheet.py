"""Plain tables: CSV with comma, semicolon or tab, and the first sheet of an xlsx workbook.

Blank lines are skipped, ``# key: value`` lines above the header are metadata, then comes one
header row. Excel's first line ``sep=;`` says the separator.
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from devicephys.errors import DataError
from devicephys.io import columns, workbook
from devicephys.io.files import NUMBER, decode, read_bytes, sha256

ZIP_MAGIC = b"PK\x03\x04"
OLE_MAGIC = b"\xd0\xcf\x11\xe0"  # .xls, and workbooks under a password
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
WITH_COMMA = re.compile(r"[+-]?[0-9.]*,[0-9.,]*([eE][+-]?[0-9]+)?")
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?")
SAID = re.compile("sep=(.)", re.IGNORECASE)
GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")  # 1,234 is also one thousand and more

Rows = list[tuple[int, list[str]]]  # line of the file, cells


def matches(content: bytes) -> bool:
    """Recognise a workbook or text; any text matches, so ask this reader last.

    Parameters
    ----------
    content : bytes
        All of a file.

    Returns
    -------
    bool
        Whether it is a zip or OLE file by its first bytes, or UTF-8 text without NUL.

    Examples
    --------
    >>> matches(b"V;I\\n0,1;2,5\\n"), matches(b"\\x89HDF")
    (True, False)
    """
    if content.startswith((ZIP_MAGIC, OLE_MAGIC)):
        return True
    try:
        return "\0" not in content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False


def read(path: str | Path) -> xr.Dataset:
    """Read a plain table.

    Parameters
    ----------
    path : str or Path
        The file, CSV (UTF-8) or xlsx, told apart by its first bytes.

    Returns
    -------
    xarray.Dataset
        Raw columns, see `devicephys.io.columns.assemble`; ``metadata`` holds the ``# key: value``
        lines and the ``sheet``. Decimal commas are read where no other reading is possible.

    Raises
    ------
    DataError
        If the file is missing, damaged, hostile or no table, or the meaning of a comma is open.

    Examples
    --------
    >>> read("missing.csv")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.csv: no such file; check the path
    """
    where = str(path)
    content = read_bytes(path)
    if content.startswith(OLE_MAGIC):
        raise DataError(
            "an .xls workbook, or one under a password", where=where, expected="xlsx or CSV",
            remedy="save it as .xlsx without a password",
        )  # fmt: skip
    if content.startswith(ZIP_MAGIC):
        sheet, rows = workbook.rows(content, where)
        return _table(rows, {"sheet": sheet}, columns.Origin(where, "xlsx", sha256(content), {}))
    return parse(decode(content, where), where, digest=sha256(content))


def parse(text: str, where: str, digest: str = "") -> xr.Dataset:
    """Parse the text of a CSV file; see `read`.

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
    >>> raw = parse("# lot: A7\\nV (V);n\\n0,35;12\\n0,4;57\\n", "x.csv")
    >>> raw.V.values.tolist(), raw.n.values.tolist(), raw.attrs["metadata"]
    ([0.35, 0.4], [12.0, 57.0], '{"lot": "A7"}')
    """
    if "\0" in text:
        raise DataError("a NUL character", where=where, expected="text", remedy="export as CSV")
    lines = [
        (number, line)
        for number, line in enumerate(re.split("\r\n|\n|\r", text), 1)
        if line.strip(" \t,;")
    ]
    said = lines and SAID.fullmatch(lines[0][1].strip(" "))
    if said and said[1] not in SEPARATORS:
        raise DataError(
            f"separator {said[1]!r}", where=f"{where}:{lines[0][0]}",
            expected="comma, semicolon or tab",
        )  # fmt: skip
    lines = lines[1:] if said else lines
    written = (k for k, (_, line) in enumerate(lines) if not line.lstrip().startswith("#"))
    n_head = next(written, len(lines))
    body = lines[n_head:]
    comments: Rows = [(number, [line.strip()]) for number, line in lines[:n_head]]
    if not body:
        raise DataError("no header line", where=where, expected="names of columns, then rows")
    separator = said[1] if said else _separator(body, where)
    rows = [(number, _cells(line, separator, f"{where}:{number}")) for number, line in body]
    if separator != ",":
        rows = _decimal_points(rows, where)
    return _table(comments + rows, {}, columns.Origin(where, "csv", digest, {}))


def _cells(line: str, separator: str, where: str) -> list[str]:
    """Split one line; a quoted cell ends on its line."""
    reader = csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True)
    try:
        return [cell.strip() for row in reader for cell in row]
    except csv.Error as err:
        raise DataError(
            f"not a line of cells ({err})", where=where,
            expected=f"cells with a {SEPARATORS[separator]} between them",
        ) from err  # fmt: skip


def _separator(lines: Sequence[tuple[int, str]], where: str) -> str:
    number, header = lines[0]
    found = [s for s in SEPARATORS if max(_widths(lines[:1], s, where), default=0) > 1]
    if len(found) > 1:
        found = [s for s in found if len(_widths(lines, s, where)) == 1]
    if len(found) != 1:
        raise DataError(
            f"separator not clear in {header[:60]!r}", where=f"{where}:{number}",
            expected="one of comma, semicolon and tab between all cells",
            remedy="write the names without the others",
        )  # fmt: skip
    return found[0]


def _widths(lines: Sequence[tuple[int, str]], separator: str, where: str) -> set[int]:
    """Give the numbers of cells in lines; none where a line cannot be split in this way."""
    try:
        return {len(_cells(line, separator, where)) for _, line in lines}
    except DataError:
        return set()


def _decimal_points(rows: Rows, where: str) -> Rows:
    """Write decimal commas as points, or refuse where a comma may mean something else."""
    cells = [(number, cell) for number, row in rows[1:] for cell in row]
    commas = [(number, cell) for number, cell in cells if WITH_COMMA.fullmatch(cell)]
    if not commas:
        return rows
    odd = [(number, cell) for number, cell in commas if not DECIMAL_COMMA.fullmatch(cell)]
    odd += [(number, cell) for number, cell in cells if "." in cell and NUMBER.fullmatch(cell)]
    if odd:
        raise DataError(
            f"{odd[0][1][:40]!r} beside {commas[0][1][:40]!r}", where=f"{where}:{odd[0][0]}",
            expected="decimal commas or decimal points, not both",
            remedy="export with decimal points and without grouping of thousands",
        )  # fmt: skip
    if all(GROUPED.fullmatch(cell) for _, cell in commas):
        raise DataError(
            f"{commas[0][1]!r} may be {commas[0][1].replace(',', '.')} or "
            f"{commas[0][1].replace(',', '')}",
            where=f"{where}:{commas[0][0]}", expected="numbers with a decimal point",
            remedy="export with decimal points and without grouping of thousands",
        )  # fmt: skip
    return rows[:1] + [
        (number, [c.replace(",", ".") if DECIMAL_COMMA.fullmatch(c) else c for c in row])
        for number, row in rows[1:]
    ]


def _table(rows: Rows, metadata: dict[str, str], origin: columns.Origin) -> xr.Dataset:
    """Take comments and the header off the rows, and make columns of the rest."""
    where = origin.where
    start = 0
    while start < len(rows) and (rows[start][1] or [""])[0].startswith("#"):
        number, cells = rows[start]
        key, colon, value = " ".join(cells).lstrip("#").partition(":")
        if colon and key.strip() in metadata:
            raise DataError(f"metadata {key.strip()[:40]!r} twice", where=f"{where}:{number}")
        if colon:
            metadata[key.strip()] = value.strip()
        start += 1
    if start == len(rows):
        raise DataError("no header row", where=where, expected="names of columns, then rows")
    header, titles = rows[start]
    body = rows[start + 1 :]
    for number, cells in body:
        if len(cells) != len(titles):
            raise DataError(
                f"{len(cells)} cells", where=f"{where}:{number}", expected=f"{len(titles)} cells",
                remedy="check separator, decimal sign and quotes",
            )  # fmt: skip
    if all(NUMBER.fullmatch(title) for title in titles if title):
        raise DataError(
            f"numbers {', '.join(titles)[:60]!r} where the header is due",
            where=f"{where}:{header}",
            expected="names of the columns",
            remedy="write them, without # before",
        )
    return columns.from_text(
        titles, [cells for _, cells in body], [number for number, _ in body],
        columns.Origin(where, origin.form, origin.digest, metadata), header=header,
    )  # fmt: skip
