"""Any file of a measurement as one dataset: its format is found from its content, not its name."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType

import numpy as np
import xarray as xr

from devicephys.errors import DataError
from devicephys.io import (
    cycling,
    easyexpert,
    global_heap,
    pymeasure,
    qcodes,
    sheet,
    staircase,
    tidy_csv,
)
from devicephys.io.files import decode, read_bytes
from devicephys.io.mapping import apply
from devicephys.io.tidy_kinds import KINDS, names, nearest
from devicephys.units import si

FORMATS: Mapping[str, ModuleType] = MappingProxyType(  # asked in this order; any text is a sheet
    {"easyexpert": easyexpert, "pymeasure": pymeasure, "qcodes": qcodes, "ramps": staircase,
     "cycles": cycling, "csv or xlsx": sheet}
)  # fmt: skip
HEADERLESS = ("ramps", "cycles")  # whose columns have their meaning by their order
LIKE_TIDY = 0.5  # share of the columns from which a header is taken for a tidy one with a mistake
MOST_NAMED = 4  # values of a text column


def read(path: str | Path, mapping: Mapping[str, str] | None = None) -> xr.Dataset:
    """Read a measurement: tidy CSV, EasyEXPERT, PyMeasure, QCoDeS netCDF, CSV or xlsx.

    Read as well are the headerless tables of `io.staircase` and `io.cycling`.

    Parameters
    ----------
    path : str or Path
        The file.
    mapping : mapping of str, optional
        Sources of the tidy columns, see `devicephys.io.mapping`.

    Returns
    -------
    xarray.Dataset
        Tidy data (see `tidy_csv.read`) where the file is tidy, has all columns of a kind by their
        names, or is mapped; else its columns as they are, with the attribute ``kind`` "columns".

    Raises
    ------
    DataError
        At the first thing that is wrong, and where a tidy file comes with a mapping.
    ParameterError
        If the mapping itself is wrong.

    Examples
    --------
    >>> from devicephys.data import path
    >>> read(path("synthetic_stt_mram_wer.csv")).attrs["kind"]
    'wer_counts'
    """
    return _read(path, mapping, tuple(KINDS))


def tidy(
    path: str | Path, mapping: Mapping[str, str] | None = None, kinds: Sequence[str] = tuple(KINDS)
) -> xr.Dataset:
    """Read a measurement of the kinds that are wanted.

    Parameters
    ----------
    path : str or Path
        The file.
    mapping : mapping of str, optional
        Sources of the tidy columns, see `devicephys.io.mapping`.
    kinds : sequence of str, optional
        The kinds, of `tidy_kinds.KINDS`.

    Returns
    -------
    xarray.Dataset
        Tidy data of one of the kinds.

    Raises
    ------
    DataError
        As `read`; if the data are of another kind; if a mapping is needed, with its entries.
    ParameterError
        If the mapping itself is wrong.

    Examples
    --------
    >>> from devicephys.data import path
    >>> tidy(path("synthetic_stt_mram_wer.csv"), kinds=["resistances"])
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: ...synthetic_stt_mram_wer.csv: data of kind 'wer_counts'; \
expected resistances
    """
    dataset = _read(path, mapping, kinds)
    if dataset.attrs["kind"] == "columns":
        return apply(dataset, {}, str(path), kinds)
    if dataset.attrs["kind"] not in kinds:
        raise DataError(
            f"data of kind {dataset.attrs['kind']!r}", where=str(path), expected=" or ".join(kinds)
        )
    return dataset


def format_of(content: bytes) -> str:
    """Find the format of a file.

    Parameters
    ----------
    content : bytes
        All of it.

    Returns
    -------
    str
        "tidy", one of `FORMATS`, or nothing where it is none of these.

    Examples
    --------
    >>> format_of(b"device,state,voltage_V,resistance_ohm\\n"), format_of(b"V;I\\n")
    ('tidy', 'csv or xlsx')
    """
    found = next((name for name, reader in FORMATS.items() if reader.matches(content)), "")
    header = _header(content) if found == "csv or xlsx" else []
    alike = set(header) & set(names(nearest(header)))
    return "tidy" if len(alike) > LIKE_TIDY * len(header) else found


def describe(dataset: xr.Dataset, takers: Sequence[str] = ()) -> list[str]:
    """Describe what a measurement holds, for people.

    Parameters
    ----------
    dataset : xarray.Dataset
        As `read` gives.
    takers : sequence of str, optional
        Names of the recipes that read the file as it is, though it is not tidy.

    Returns
    -------
    list of str
        Kind and size, then a line a column with its range, then what the header says.

    Examples
    --------
    >>> from devicephys.data import path
    >>> for line in describe(read(path("synthetic_stt_mram_wer.csv")))[:4]:
    ...     print(line)
    wer_counts: 832 rows, 8 devices, 178 without an error
    device: synthetic-1 to synthetic-8 (8 names)
    direction: AP->P, P->AP
    pulse_current_A: 41.2 uA to 100.1 uA (8 values)
    """
    kind, n = dataset.attrs["kind"], dataset.sizes["point"]
    metadata = json.loads(dataset.attrs["metadata"])
    if kind == "columns":
        size = f"{len(dataset.data_vars)} columns, {n} row" + "s" * (n != 1)
        use = (
            f"read as it is by recipe{'s' * (len(takers) > 1)} {', '.join(takers)}; "
            "others need --map TARGET=COLUMN" if takers
            else "not tidy: fits need --map TARGET=COLUMN"
        )  # fmt: skip
        lines = [f"{dataset.attrs['format']}: {size}; {use}"]
        lines += [_raw_line(str(name), values) for name, values in dataset.data_vars.items()]
    else:
        devices = len(set(dataset.device.values.tolist()))
        first = f"{kind}: {n} row" + "s" * (n != 1) + f", {devices} device" + "s" * (devices != 1)
        if "n_errors" in dataset:
            first += f", {int((dataset.n_errors == 0).sum())} without an error"
        lines = [first] + [_tidy_line(c.name, dataset[c.variable]) for c in KINDS[kind]]
    if metadata:
        lines.append("header: " + ", ".join(metadata))
    return [*lines, f"sha256: {dataset.attrs['sha256'][:12]}"]


def synthetic(dataset: xr.Dataset) -> bool:
    """Say whether a measurement is drawn from a model, as its header states.

    Parameters
    ----------
    dataset : xarray.Dataset
        As `read` gives.

    Returns
    -------
    bool
        Whether there is a line ``# synthetic: yes``; a remark may follow the word.

    Raises
    ------
    DataError
        If the line says neither yes nor no.

    Examples
    --------
    >>> from devicephys.data import path
    >>> synthetic(read(path("synthetic_stt_mram_wer.csv")))
    True
    """
    said = str(json.loads(dataset.attrs["metadata"]).get("synthetic", "no"))
    word = re.split(r"\W", said, maxsplit=1)[0].lower()
    if word not in ("yes", "true", "1", "no", "false", "0"):
        raise DataError(
            f"metadata synthetic = {said[:60]!r}", where=dataset.attrs["source"],
            expected="yes or no, and a remark behind it if there is one",
        )  # fmt: skip
    return word in ("yes", "true", "1")


def _read(path: str | Path, mapping: Mapping[str, str] | None, kinds: Sequence[str]) -> xr.Dataset:
    where = str(path)
    content = read_bytes(path)
    found = format_of(content)
    if not found:
        raise _unknown(content, where)
    if found == "tidy" and mapping and any(set(_header(content)) == set(names(k)) for k in KINDS):
        raise DataError(
            "a tidy file", where=where, expected="no mapping: its columns have their names",
            remedy="leave out --map; '# key: value' lines above the header hold other facts",
        )  # fmt: skip
    if found in HEADERLESS and mapping:
        raise DataError(
            f"a headerless table of {found}", where=where, expected="no mapping",
            remedy="leave out --map; or write a header if it is none",
        )  # fmt: skip
    if not mapping and found in ("tidy", *HEADERLESS):
        return tidy_csv.read(path) if found == "tidy" else FORMATS[found].read(path)
    if found == "qcodes":
        global_heap.check(content, where)
    dataset: xr.Dataset = FORMATS.get(found, sheet).read(path)
    if mapping or any(set(names(kind)) <= set(dataset.data_vars) for kind in kinds):
        return apply(dataset, mapping or {}, where, kinds)
    return dataset


def _unknown(content: bytes, where: str) -> DataError:
    """The error of content that no reader takes; raised already where it is text but for a byte."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return DataError("UTF-16 text", where=where, expected="UTF-8 text",
                         remedy="save the file as UTF-8")  # fmt: skip
    if b"\0" not in content:
        decode(content, where)
    return DataError(
        "a format that is not known", where=where,
        expected="tidy CSV, EasyEXPERT, PyMeasure, QCoDeS netCDF, CSV or xlsx",
        remedy="export the data as one of these",
    )  # fmt: skip


def _header(content: bytes) -> list[str]:
    """Names of the columns if this is text with commas; whatever else it is gives nothing."""
    text = content.decode("utf-8-sig", errors="replace")
    lines = (x for x in re.split("\r\n|\n|\r", text) if x.strip() and not x.startswith("#"))
    try:
        return [cell.strip() for row in csv.reader([next(lines, "")]) for cell in row]
    except csv.Error:
        return []


def _raw_line(name: str, values: xr.DataArray) -> str:
    unit = values.attrs.get("units", "")
    label = f"{name} [{unit}]" if unit else name
    if values.dtype.kind not in "fiu":
        return f"{label}: {_named(values)}"
    empty = int(np.isnan(values.values).sum())
    if empty == values.size:
        return f"{label}: empty"
    low, high = float(np.nanmin(values.values)), float(np.nanmax(values.values))
    more = f", {empty} empty" * (empty > 0)
    return f"{label}: {_range(f'{low:.6g}', f'{high:.6g}', values)}{more}"


def _tidy_line(name: str, values: xr.DataArray) -> str:
    if values.dtype.kind not in "fiu":
        return f"{name}: {_named(values)}"
    unit = values.attrs["units"]
    low, high = values.values.min(), values.values.max()
    if values.dtype.kind in "iu":
        return f"{name}: {_range(str(low), str(high), values)}"
    return f"{name}: {_range(si(float(low), unit, 6), si(float(high), unit, 6), values)}"


def _range(low: str, high: str, values: xr.DataArray) -> str:
    n = len(np.unique(values.values[~np.isnan(values.values)]))
    return low if low == high else f"{low} to {high} ({n} values)"


def _named(values: xr.DataArray) -> str:
    found = [x or "(empty)" for x in sorted(set(values.values.tolist()))]
    if len(found) <= MOST_NAMED:
        return ", ".join(found)
    return f"{found[0]} to {found[-1]} ({len(found)} names)"
