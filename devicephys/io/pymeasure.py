"""Text files of PyMeasure: ``#`` lines with procedure and parameters, a header line, rows.

Cells are separated by commas and never quoted.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from devicephys.errors import DataError
from devicephys.io import columns
from devicephys.io.files import decode, read_bytes, sha256

PROCEDURE = "#Procedure:"
DATA = "#Data:"


def matches(content: bytes) -> bool:
    """Recognise the format by its first line.

    Parameters
    ----------
    content : bytes
        The beginning of a file, or all of it.

    Returns
    -------
    bool
        Whether it starts with ``#Procedure:``.

    Examples
    --------
    >>> matches(b"#Procedure: <lab.Write>\\n#Parameters:\\n"), matches(b"# lot: A7\\n")
    (True, False)
    """
    return content[:4096].removeprefix(BOM_UTF8).startswith(PROCEDURE.encode())


def read(path: str | Path) -> xr.Dataset:
    """Read a file of results of PyMeasure.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    xarray.Dataset
        Raw columns, see `devicephys.io.columns.assemble`; the procedure, its parameters (value
        and unit, as written) and its metadata are the ``metadata``.

    Raises
    ------
    DataError
        If the file is missing, cut off or not of this format.

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
    >>> raw = parse('''#Procedure: <lab.Write>
    ... #Parameters:
    ... #\\tWidth: 5 ns
    ... #Data:
    ... Voltage (V),Switched
    ... 0.3,12
    ... 0.4,57
    ... ''', "x.csv")
    >>> raw.Voltage.values.tolist(), raw.Voltage.attrs["units"], raw.attrs["metadata"]
    ([0.3, 0.4], 'V', '{"Procedure": "<lab.Write>", "Width": "5 ns"}')
    """
    lines = re.split("\r\n|\n|\r", text)
    if not lines[0].startswith(PROCEDURE):
        raise DataError(
            "no #Procedure: line at the start", where=f"{where}:1", expected="a file of PyMeasure"
        )
    head = next((k for k, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if lines[head - 1].strip() != DATA:
        raise DataError(
            f"no {DATA} line at the end of the header", where=f"{where}:{head}",
            expected=f"{DATA}, then the names of the columns",
        )  # fmt: skip
    if lines[-1]:
        raise DataError(
            f"the last line {lines[-1][:40]!r} has no end", where=f"{where}:{len(lines)}",
            expected="a line break: without it a number may be cut off",
            remedy="copy the file again; if it is whole, add the line break",
        )  # fmt: skip
    titles = [title.strip() for title in lines[head].split(",")] if head < len(lines) - 1 else []
    rows, numbers = [], []
    for number, line in enumerate(lines[head + 1 :], head + 2):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != len(titles):
            raise DataError(
                f"{len(cells)} cells", where=f"{where}:{number}", expected=f"{len(titles)} cells",
                remedy="PyMeasure does not quote: a text must not hold a comma",
            )  # fmt: skip
        rows.append(cells)
        numbers.append(number)
    metadata = _metadata(lines[:head], where)
    return columns.from_text(
        titles, rows, numbers, columns.Origin(where, "pymeasure", digest, metadata), header=head + 1
    )


def _metadata(lines: Sequence[str], where: str) -> dict[str, str]:
    metadata = {"Procedure": lines[0].removeprefix(PROCEDURE).strip()}
    for number, line in enumerate(lines, 1):
        if line.startswith("#\t"):
            key, colon, value = line[2:].partition(":")
            if not colon:
                raise DataError(
                    f"parameter {line[2:42]!r}", where=f"{where}:{number}", expected="name: value"
                )
            before = metadata.get(key.strip())  # names need not differ there
            metadata[key.strip()] = (
                value.strip() if before is None else f"{before}; {value.strip()}"
            )
    return metadata
