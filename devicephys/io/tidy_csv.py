"""The project's text format: tidy CSV, units in the column names.

``# key: value`` lines, a header, then the rows; the header decides the kind of data, one of
`tidy_kinds.KINDS`. Every refusal names file, row and column.
"""

import csv
import io
import json
import re
from collections.abc import Iterable
from pathlib import Path

import xarray as xr

from devicephys.errors import DataError
from devicephys.io import tidy_kinds, tidy_rows
from devicephys.io.files import decode, read_bytes, sha256, write_bytes


def read(path: str | Path) -> xr.Dataset:
    """Read a tidy CSV file of counts, resistances or fields, one of `tidy_kinds.KINDS`.

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
        If the numbers say that a column is in another unit, widths in nanoseconds for example.

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
    >>> parse("device,state,voltage_V\\n", "x.csv")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: x.csv:1: missing column resistance_ohm; expected the columns \
device,state,voltage_V,resistance_ohm
    """
    lines = re.split("\r\n|\n|\r", text)
    n_head = next((k for k, x in enumerate(lines) if x.strip() and not x.startswith("#")), None)
    if n_head is None:
        raise DataError(
            "no header line", where=where, expected=tidy_kinds.expected("wer_counts"),
            remedy="or those of another kind, see docs/guide/my_file.md",
        )  # fmt: skip
    metadata = _metadata(lines[:n_head], where)
    header = _cells(lines[n_head], f"{where}:{n_head + 1}")
    kind = tidy_kinds.choose(header, f"{where}:{n_head + 1}")
    rows = [
        (number, _row(cells, header, kind, where, number))
        for number, line in enumerate(lines[n_head + 1 :], n_head + 2)
        if any(cells := _cells(line, f"{where}:{number}"))
    ]
    if not rows:
        raise DataError("no data rows", where=where, expected="at least one row under the header")
    tidy_rows.check_rows(rows, kind, f"{where}:")
    return tidy_rows.to_dataset([row for _, row in rows], kind, where, digest, metadata)


def _cells(line: str, where: str) -> list[str]:
    """Split one line into cells; a quoted cell ends on its line."""
    try:
        return [cell.strip() for row in csv.reader([line], strict=True) for cell in row]
    except csv.Error as err:
        raise DataError(
            f"not a line of CSV ({err})",
            where=where,
            expected="cells between commas, quotes closed",
        ) from err


def _metadata(lines: Iterable[str], where: str) -> dict[str, str]:
    metadata = {}
    for number, line in enumerate(lines, 1):
        key, colon, value = line.removeprefix("#").partition(":")
        if line.startswith("#") and colon:
            if key.strip() in metadata:
                raise DataError(f"metadata {key.strip()!r} twice", where=f"{where}:{number}")
            metadata[key.strip()] = value.strip()
    return metadata


def _row(cells: list[str], header: list[str], kind: str, where: str, number: int) -> tidy_rows.Row:
    if len(cells) != len(header):
        raise DataError(
            f"{len(cells)} cells", where=f"{where}:{number}", expected=f"{len(header)} cells",
            remedy="check the separator (comma) and the decimal sign (point)",
        )  # fmt: skip
    text = dict(zip(header, cells, strict=True))
    return {
        c.name: tidy_rows.parse_cell(c, text[c.name], f"{where}:{number}:{c.name}")
        for c in tidy_kinds.KINDS[kind]
    }


def write(dataset: xr.Dataset, path: str | Path, *, force: bool = False) -> None:
    """Write a tidy dataset as tidy CSV; `read` gives it back.

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
    columns = tidy_kinds.KINDS[dataset.attrs["kind"]]
    out = io.StringIO()
    for key, value in json.loads(dataset.attrs["metadata"]).items():
        out.write(f"# {key}: {value}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(c.name for c in columns)
    writer.writerows(zip(*(dataset[c.variable].values.tolist() for c in columns), strict=True))
    write_bytes(path, out.getvalue().encode(), force=force)
