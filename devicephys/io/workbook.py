"""Rows of the first sheet of an xlsx workbook: without macros, links or formulas.

Only the values that the spreadsheet program stored beside its formulas count. The XML is checked
before openpyxl sees it, whichever parser that uses.
"""

import io
import re
import warnings
import zipfile
from datetime import date, datetime, time
from xml.parsers import expat

from devicephys.errors import DataError
from devicephys.io import columns

MOST_CELLS = 2_000_000
PROLOGUE = 2**16  # bytes of an XML part in which its first element must begin
LONGEST = 2**20  # bytes of a tag or comment: expat before 2.6 takes the square of it in time
LONG_TAG = re.compile(rb"<[^<]{%d}" % LONGEST)
ERRORS = ("#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!")

Values = list[tuple[int, tuple[object, ...]]]  # row, cells


def rows(content: bytes, where: str) -> tuple[str, list[tuple[int, list[str]]]]:
    """Read the rows of the first sheet as text, as a CSV file would hold them.

    Parameters
    ----------
    content : bytes
        The workbook.
    where : str
        The file, for messages.

    Returns
    -------
    tuple of str and list
        Name of the sheet; number and cells of every row that is not blank, all of one length.
        Numbers are written in full, dates as ISO 8601.

    Raises
    ------
    DataError
        If it is no workbook, damaged or too large, its XML is none that a spreadsheet program
        writes, a formula has no value, or a cell holds an error.

    Examples
    --------
    >>> rows(b"PK", "x.xlsx")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: x.xlsx: not a readable workbook (BadZipFile: File is not a zip \
file); expected xlsx; save it again, or as CSV
    """
    try:
        _check_parts(content, where)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl tells of styles that it leaves out
            name, values = _sheet_rows(content, where, data_only=True)
            if any(value is None for _, row in values for value in row):
                _, formulas = _sheet_rows(content, where, data_only=False)
                _check_formulas(values, formulas, f"{where}:{name}")
    except DataError:
        raise
    except Exception as err:  # zip, XML and openpyxl fail on damage in many ways
        reason = " ".join(str(err).split())[:120]
        raise DataError(
            f"not a readable workbook ({type(err).__name__}: {reason})", where=where,
            expected="xlsx", remedy="save it again, or as CSV",
        ) from err  # fmt: skip
    texts = [(number, [_text(value) for value in row]) for number, row in values]
    texts = [(number, row) for number, row in texts if any(row)]
    width = max((len(row) for _, row in texts), default=0)
    for number, row in texts:
        for k, cell in enumerate(row):
            if cell in ERRORS:
                raise DataError(
                    f"error {cell}", where=f"{where}:{name}:row {number}:column {k + 1}",
                    expected="a value", remedy="mend the formula or empty the cell",
                )  # fmt: skip
        row.extend([""] * (width - len(row)))
    return name, texts


def _check_parts(content: bytes, where: str) -> None:
    """Refuse what costs far more to read than a measurement: bombs, entities, endless tags."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(part.file_size for part in archive.infolist())  # zipfile reads no more than that
        if size > columns.LARGEST:
            raise DataError(
                f"{size} bytes unpacked", where=where, expected=f"at most {columns.LARGEST}"
            )
        for part in archive.infolist():
            if found := _unusual(archive.read(part)):
                raise DataError(
                    f"{found} in {part.filename[:60]!r}", where=where,
                    expected="XML as spreadsheet programs write it",
                )  # fmt: skip


def _unusual(xml: bytes) -> str:
    """Say what no spreadsheet program writes into XML; a part that is not XML passes."""
    found: list[str] = []
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = lambda *_: found.append("a DOCTYPE")  # may define entities
    parser.StartElementHandler = lambda *_: found.append("")
    try:
        parser.Parse(xml[:PROLOGUE], len(xml) <= PROLOGUE)
    except expat.ExpatError:  # also where the text is cut off here
        if not found:
            return ""
    if not found or found[0]:
        return found[0] if found else "no element at the start"
    if b"\0" in xml:
        return "text that is not UTF-8"
    if LONG_TAG.search(xml):
        return "a tag or text too long"
    for start, end in ((b"<!--", b"-->"), (b"<?", b"?>")):
        at = xml.find(start)
        while at >= 0:
            stop = xml.find(end, at)
            if stop < 0 or stop - at > LONGEST:
                return "a comment too long"
            at = xml.find(start, stop)
    return ""


def _sheet_rows(content: bytes, where: str, *, data_only: bool) -> tuple[str, Values]:
    import openpyxl

    book = openpyxl.load_workbook(
        io.BytesIO(content), read_only=True, data_only=data_only, keep_links=False
    )
    if not book.worksheets:
        raise DataError("no sheet of cells", where=where, expected="one at least")
    sheet = book.worksheets[0]
    sheet.reset_dimensions()  # what the file claims may be wrong
    rows, n_cells = [], 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        n_cells += len(row) + 1
        if n_cells > MOST_CELLS:
            raise DataError(
                "too many cells", where=f"{where}:{sheet.title}", expected=f"at most {MOST_CELLS}",
                remedy="save the sheet as CSV",
            )  # fmt: skip
        if row:
            rows.append((number, row))
    return sheet.title, rows


def _check_formulas(values: Values, formulas: Values, where: str) -> None:
    for (number, row), (_, written) in zip(values, formulas, strict=True):
        for k, (value, formula) in enumerate(zip(row, written, strict=True), 1):
            if value is None and formula is not None:
                raise DataError(
                    f"formula {formula!r:.40} without a value",
                    where=f"{where}:row {number}:column {k}", expected="the value beside it",
                    remedy="open the workbook in a spreadsheet program and save it",
                )  # fmt: skip


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value).strip()
