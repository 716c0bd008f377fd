"""Conductance after programming, and conductance in time, as headerless tab-separated tables.

Relaxation: address, time [s], R [Ohm], G [S], G_initial [S], range index, nominal time [s]; a row
a read. Series: range index, offset of the first sample, then samples [S]; a row a range. Either
may be compressed with gzip.
"""

import gzip
import re
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import xarray as xr

from devicephys.checks import Array, in_range
from devicephys.errors import DataError
from devicephys.io.files import decode, parse_number, read_bytes, sha256

LARGEST = 256 * 2**20  # bytes of text, uncompressed; the published tables have 13 MB at most
GZIP_MAGIC = b"\x1f\x8b"
RELAXATION = "7 columns: address, time, R, G, G_initial, range index, nominal time"
SERIES = "a range index, an offset, and as many samples in every row, two at least"


def read(path: str | Path) -> xr.Dataset:
    """Read reads of conductance after programming.

    Parameters
    ----------
    path : str or Path
        The file, gzip or text.

    Returns
    -------
    xarray.Dataset
        Of kind "conductance_relaxation", a point a read: device, time since programming and
        nominal time [s], resistance [Ohm], conductance and that of the first read [S], range.

    Raises
    ------
    DataError
        If the file is missing, damaged or too large, has other columns, or a row is impossible.

    Examples
    --------
    >>> read("missing.tsv.gz")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.tsv.gz: no such file; check the path
    """
    where = str(path)
    content = read_bytes(path)
    lines, rows = _rows(content, where, RELAXATION)
    for line, row in zip(lines, rows, strict=True):
        if len(row) != 7:
            raise DataError(f"{len(row)} columns", where=f"{where}:{line}", expected=RELAXATION)
    table = np.array(rows)
    address, time, resistance, conductance, initial, index, nominal = table.T
    wrong = (address != np.rint(address)) | (index != np.rint(index))
    wrong |= (address < 0) | (index < 0) | (time < 0) | (nominal < 0) | (initial <= 0)
    wrong |= ~np.isclose(resistance * conductance, 1.0, rtol=1e-6)
    _refuse(wrong, lines, table, where,
            "whole address and range >= 0, times >= 0, G_initial > 0, R = 1/G")  # fmt: skip
    _, first = np.unique(np.c_[address, nominal], axis=0, return_index=True)
    again = np.ones(len(table), bool)
    again[first] = False
    _refuse(again, lines, table, where, "one read of a cell at a nominal time")
    return _dataset(
        {
            "device": ("point", address.astype(np.int64).astype(str), "1"),
            "time": ("point", time, "s"),
            "resistance": ("point", resistance, "Ohm"),
            "conductance": ("point", conductance, "S"),
            "conductance_initial": ("point", initial, "S"),
            "range_index": ("point", index.astype(np.int64), "1"),
            "nominal_time": ("point", nominal, "s"),
        },
        "conductance_relaxation", where, content,
    )  # fmt: skip


def read_series(path: str | Path, rate: float) -> xr.Dataset:
    """Read series of conductance, one row a range of conductance.

    Parameters
    ----------
    path : str or Path
        The file, gzip or text.
    rate : float
        Sampling rate, which the file does not hold [Hz].

    Returns
    -------
    xarray.Dataset
        Of kind "conductance_series": range_index and offset (trace), time (sample) [s] and
        conductance (trace, sample) [S].

    Raises
    ------
    DataError
        If the file is missing, damaged or too large, or a row is impossible.

    Examples
    --------
    >>> read_series("missing.tsv.gz", 400.0)
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.tsv.gz: no such file; check the path
    """
    hz = float(in_range("rate", rate, "Hz", above=0, scalar=True))
    where = str(path)
    content = read_bytes(path)
    lines, rows = _rows(content, where, SERIES)
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(rows[0]) or len(row) < 4:
            raise DataError(f"{len(row)} columns", where=f"{where}:{line}", expected=SERIES)
    table = np.array(rows)
    head = table[:, :2]
    wrong = ((head < 0) | (head != np.rint(head))).any(axis=1)
    _refuse(wrong, lines, head, where, "whole range index and offset >= 0")
    samples = table[:, 2:]
    return _dataset(
        {
            "range_index": ("trace", head[:, 0].astype(np.int64), "1"),
            "offset": ("trace", head[:, 1].astype(np.int64), "1"),
            "time": ("sample", np.arange(samples.shape[1]) / hz, "s"),
            "conductance": (("trace", "sample"), samples, "S"),
        },
        "conductance_series", where, content,
    ).assign_attrs(rate=hz)  # fmt: skip


def _dataset(
    variables: dict[str, tuple[str | tuple[str, ...], np.ndarray, str]],
    kind: str,
    where: str,
    content: bytes,
) -> xr.Dataset:
    return xr.Dataset(
        {name: (dims, values, {"units": unit}) for name, (dims, values, unit) in variables.items()},
        attrs={"kind": kind, "source": Path(where).name, "sha256": sha256(content)},
    )


def _rows(content: bytes, where: str, expected: str) -> tuple[list[int], list[Array]]:
    """Give the line numbers and the numbers of all rows that are not blank."""
    lines, rows = [], []
    plain = re.compile(r"[0-9eE+.\t-]+")  # neither nan nor 1_000 nor spaces, which numpy takes
    for number, line in enumerate(decode(_inflate(content, where), where).splitlines(), 1):
        if not line.strip():
            continue
        try:
            if not plain.fullmatch(line):
                raise ValueError
            row = np.array(line.split("\t"), np.float64)
            if not np.isfinite(row).all():
                raise ValueError
        except ValueError as err:
            raise DataError(
                _culprit(line), where=f"{where}:{number}", expected=f"numbers in {expected}"
            ) from err
        lines.append(number)
        rows.append(row)
    if not rows:
        raise DataError("no data rows", where=where, expected="at least one row")
    return lines, rows


def _culprit(line: str) -> str:
    for column, cell in enumerate(line.split("\t"), 1):
        try:
            if not np.isfinite(parse_number(cell)):
                raise ValueError(f"{cell[:40]} is too large")
        except ValueError as err:
            return f"column {column}: {err}"
    return f"{line[:40]!r}"


def _inflate(content: bytes, where: str) -> bytes:
    """Decompress gzip; other bytes pass. No more than `LARGEST` bytes are ever made."""
    if not content.startswith(GZIP_MAGIC):
        text = content
    else:
        try:
            with gzip.GzipFile(fileobj=BytesIO(content)) as file:
                text = file.read(LARGEST + 1)
        except (EOFError, OSError, zlib.error) as err:
            raise DataError(
                f"damaged gzip ({err})", where=where, remedy="copy or download the file again"
            ) from err
    if len(text) > LARGEST:
        raise DataError("too large", where=where, expected=f"at most {LARGEST} bytes of text")
    return text


def _refuse(wrong: np.ndarray, lines: list[int], table: Array, where: str, expected: str) -> None:
    if wrong.any():
        k = int(np.flatnonzero(wrong)[0])
        raise DataError(f"row {table[k].tolist()}", where=f"{where}:{lines[k]}", expected=expected)
