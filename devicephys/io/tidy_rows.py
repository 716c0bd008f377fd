"""Rows of tidy data: cells, what rows must not share, evidently wrong units, the dataset."""

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import xarray as xr

from devicephys.errors import DataError
from devicephys.io.files import NUMBER
from devicephys.io.tidy_kinds import KINDS, LEAST, MOST, Cell, Column, absurd, names
from devicephys.units import column_unit

Row = dict[str, Cell]
LARGEST: Mapping[str, tuple[float, str]] = MappingProxyType(
    {  # magnitude above which a column is evidently in another unit, and that one
        "pulse_width_s": (1.0, "nanoseconds; the column must be in seconds"),
        "pulse_current_A": (1.0, "microamperes; the column must be in amperes"),
        "read_current_A": (1.0, "microamperes; the column must be in amperes"),
        "pulse_voltage_V": (100.0, "millivolts; the column must be in volts"),
        "voltage_V": (100.0, "millivolts; the column must be in volts"),
        "switching_field_T": (20.0, "millitesla or oersted; the column must be in tesla"),
    }
)
CELSIUS = (15.0, 60.0)  # K: no cryostat stays there, rooms do in degrees Celsius
REMEDIES: Mapping[str, str] = MappingProxyType(  # of rows with the same key; counts otherwise
    {"resistance_pulses": "number the pulses", "switching_fields": "number the cycles",
     "resistances": "number the cycles"}
)  # fmt: skip


def parse_cell(column: Column, text: str, where: str) -> Cell:
    """Parse one cell.

    Parameters
    ----------
    column : Column
        Its column.
    text : str
        What the file holds.
    where : str
        File, row and column, for messages.

    Returns
    -------
    float, int or str
        The value [unit of the column].

    Raises
    ------
    DataError
        If the column does not accept it.

    Examples
    --------
    >>> parse_cell(KINDS["wer_counts"][5], "1000", "x.csv:2:n_trials")
    1000
    """
    try:
        return column.parse(text)
    except ValueError as err:
        raise DataError(
            f"{text[:80]!r}", where=where, expected=column.expected, remedy=remedy(column, text)
        ) from err


def remedy(column: Column, text: str) -> str:
    """Say what to do about a cell that a column does not accept, where its mistake is common.

    Parameters
    ----------
    column : Column
        The column.
    text : str
        The cell.

    Returns
    -------
    str
        The remedy, or nothing.

    Examples
    --------
    >>> remedy(KINDS["wer_counts"][2], "-5e-5")
    'give magnitudes: the direction has its own column'
    """
    if "magnitude" in column.expected and text.startswith("-"):
        return "give magnitudes: the direction has its own column"
    if NUMBER.fullmatch(text) and absurd(float(text)):
        return f"no measurement gives a magnitude outside {LEAST:g} to {MOST:g}"
    return ""


def check_rows(rows: Iterable[tuple[int, Row]], kind: str, where: str) -> None:
    """Check what cells cannot show alone: keys that repeat, and more errors than trials.

    Parameters
    ----------
    rows : iterable of tuple
        Number of the row in the file, and its cells by column.
    kind : str
        The kind, of `KINDS`.
    where : str
        What stands before the number of a row, for messages.

    Raises
    ------
    DataError
        At the first row that is wrong.

    Examples
    --------
    >>> row = {"device": "d", "state": "LRS", "cycle": 0, "resistance_ohm": 1e4}
    >>> row |= {"censored": "exact"}
    >>> check_rows([(2, row), (3, row)], "resistances", "x.csv:")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: x.csv:3: same device, state, cycle as row 2; expected each \
combination once; number the cycles
    """
    seen: dict[tuple[Cell, ...], int] = {}
    keys = [c.name for c in KINDS[kind] if c.key]
    counts = "n_trials" in names(kind)
    for number, row in rows:
        key = tuple(row[name] for name in keys)
        if keys and key in seen:
            raise DataError(
                f"same {', '.join(keys)} as row {seen[key]}",
                where=f"{where}{number}",
                expected="each combination once",
                remedy=REMEDIES.get(kind, "add up the counts"),
            )
        seen[key] = number
        if counts and int(row["n_errors"]) > int(row["n_trials"]):
            raise DataError(
                f"n_errors = {row['n_errors']} > n_trials = {row['n_trials']}",
                where=f"{where}{number}:n_errors",
                expected="n_errors <= n_trials",
                remedy="check the tester's export",
            )


def to_dataset(
    rows: Sequence[Row], kind: str, where: str, digest: str, metadata: Mapping[str, str]
) -> xr.Dataset:
    """Build the dataset of checked rows; units that are evidently wrong raise a warning.

    Parameters
    ----------
    rows : sequence of dict
        Cells by column.
    kind : str
        The kind, of `KINDS`.
    where : str
        The file, for messages.
    digest : str
        SHA-256 of the file.
    metadata : mapping of str
        Facts about all rows.

    Returns
    -------
    xarray.Dataset
        One variable a column over the dimension ``point``, units in the attributes ``units``
        (SI); attributes ``kind``, ``source``, ``sha256`` and ``metadata`` (JSON).

    Warns
    -----
    UserWarning
        If a magnitude says that a column is in another unit.

    Examples
    --------
    >>> row = {"device": "d", "state": "P", "voltage_V": 0.1, "resistance_ohm": 5e3}
    >>> to_dataset([row], "resistance_loop", "x.csv", "", {}).voltage.attrs
    {'units': 'V'}
    """
    variables = {
        c.variable: ("point", np.array([row[c.name] for row in rows]),
                     {"units": column_unit(c.name)})
        for c in KINDS[kind]
    }  # fmt: skip
    for c in KINDS[kind]:
        if c.name in LARGEST:
            largest, likely = LARGEST[c.name]
            size = float(np.abs(variables[c.variable][1]).max())
            if size > largest:
                warnings.warn(
                    f"{where}: {c.name} up to {size:g} {column_unit(c.name)} looks like {likely}",
                    stacklevel=4,
                )
    if "temperature" in variables:
        cold = [t for t in variables["temperature"][1].tolist() if CELSIUS[0] <= t <= CELSIUS[1]]
        if cold:
            warnings.warn(
                f"{where}: temperature_K of {cold[0]:g} K looks like degrees Celsius; the column "
                "must be in kelvin", stacklevel=4,
            )  # fmt: skip
    attrs = {
        "kind": kind,
        "source": Path(where).name,
        "sha256": digest,
        "metadata": json.dumps(metadata, sort_keys=True),
    }
    return xr.Dataset(variables, attrs=attrs)


def drawn(
    rows: Sequence[Sequence[Cell]], kind: str, seed: int, metadata: Mapping[str, object]
) -> xr.Dataset:
    """Build the dataset of rows that were drawn from a model, not read from a file.

    Parameters
    ----------
    rows : sequence of sequence
        Cells in the order of the kind's columns.
    kind : str
        The kind, of `tidy_kinds.KINDS`.
    seed : int
        Seed of the draw.
    metadata : mapping
        Facts about all rows, in the order of the header.

    Returns
    -------
    xarray.Dataset
        As `to_dataset` gives; there is no file, and no checksum.

    Examples
    --------
    >>> drawn([("d", "P", 0.1, 5e3)], "resistance_loop", 1, {}).attrs["source"]
    'synthetic, seed 1'
    """
    variables = {
        c.variable: ("point", np.array(values), {"units": column_unit(c.name)})
        for c, values in zip(KINDS[kind], zip(*rows, strict=True), strict=True)
    }
    header = json.dumps({key: str(value) for key, value in metadata.items()})
    attrs = {"kind": kind, "source": f"synthetic, seed {seed}", "sha256": "", "metadata": header}
    return xr.Dataset(variables, attrs=attrs)
