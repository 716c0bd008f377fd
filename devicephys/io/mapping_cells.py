"""Cells of mapped columns: numbers to SI, texts to tidy ones, errors out of what switched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from devicephys.errors import DataError, ParameterError
from devicephys.io.files import parse_number
from devicephys.io.tidy_kinds import Cell, Column
from devicephys.io.tidy_rows import remedy
from devicephys.units import column_unit, factor_to_si

ARROWS: Mapping[str, str] = MappingProxyType(
    {f"{a}{arrow}{b}": f"{a}->{b}" for a, b in (("P", "AP"), ("AP", "P"))
     for arrow in ("\u2192", "to", "2")}
)  # fmt: skip
FLIPPED = ("read_disturb_counts", "retention_counts")  # here to switch is the error
ONE_WAY = 'for a file of one direction: --map "direction:=P->AP"'
ROUNDING = 0.01  # of a trial: what p_switched times n_trials may miss a whole number by


@dataclass(frozen=True)
class Source:
    """Where the values of one tidy column come from.

    Attributes
    ----------
    column : str
        Column of the file; nothing for a constant.
    value : str
        The constant, as it was written.
    unit : str
        The unit that the values are in, as it was written; nothing where none is known.
    label : str
        What messages call it.
    """

    column: str
    value: str
    unit: str
    label: str


def factor(column: Column, source: Source, where: str) -> tuple[float, float]:
    """Give factor and offset that bring a column to SI; counts and texts have none.

    Parameters
    ----------
    column : Column
        The tidy column.
    source : Source
        Where its values come from.
    where : str
        The file, for messages.

    Returns
    -------
    tuple of float
        Factor and offset of SI = factor * value + offset [unit of the column].

    Raises
    ------
    DataError
        If the unit is not stated, unknown, or of another quantity.

    Examples
    --------
    >>> from devicephys.io.tidy_kinds import KINDS
    >>> source = Source("I", "", "", "column 'I' as pulse_current_A")
    >>> factor(KINDS["wer_counts"][2], source, "x.csv")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: x.csv: column 'I' as pulse_current_A: its unit is not stated; \
expected a unit of A; say which: --map "pulse_current_A=I [A]"
    """
    unit = column_unit(column.name)
    place = f"{where}: {source.label}"
    if column.name == "p_switched" or (unit != "1" and source.unit):
        return factor_to_si(source.unit or "1", unit, place)
    if unit != "1":
        raise DataError(
            "its unit is not stated", where=place, expected=f"a unit of {unit}",
            remedy=f'say which: --map "{column.name}={source.column} [{unit}]"',
        )  # fmt: skip
    if source.unit not in ("", "1"):
        raise DataError(
            f"unit {source.unit!r}", where=place, expected="a count or a name, without unit",
            remedy=f'if it is one: --map "{column.name}={source.column} [1]"',
        )  # fmt: skip
    return 1.0, 0.0


def numbered(dataset: xr.Dataset, where: str) -> tuple[str, list[int]]:
    """Number the rows, for messages: lines of the file where it has lines.

    Parameters
    ----------
    dataset : xarray.Dataset
        Columns of a file.
    where : str
        The file.

    Returns
    -------
    tuple of str and list of int
        What stands before a number, and the number of each row [1].

    Examples
    --------
    >>> numbered(xr.Dataset({"V": ("point", [0.1, 0.2])}), "x.nc")
    ('x.nc: point ', [1, 2])
    """
    if "file_line" in dataset.coords:
        return f"{where}:", [int(x) for x in dataset["file_line"].values]
    return f"{where}: point ", list(range(1, dataset.sizes["point"] + 1))


def to_si(text: str, factor: float, offset: float) -> str:
    """Convert a number as it is written; the result is rounded once.

    Parameters
    ----------
    text : str
        The number; where there is nothing to convert, any text.
    factor, offset : float
        Of SI = factor * value + offset [SI unit].

    Returns
    -------
    str
        The shortest text of the result.

    Raises
    ------
    ValueError
        If it is no finite number.

    Examples
    --------
    >>> to_si("85", 1e-6, 0.0), 85 * 1e-6
    ('8.5e-05', 8.499999999999999e-05)
    """
    if (factor, offset) == (1.0, 0.0):
        return text  # of any kind, and checked by its column
    value = parse_number(text)
    if not np.isfinite(value):
        raise ValueError
    exact = Decimal(repr(value)) * Decimal(repr(factor)) + Decimal(repr(offset))
    return repr(float(exact))


def cells(column: Column, source: Source, dataset: xr.Dataset, where: str) -> list[Cell]:
    """Read the values of one tidy column.

    Parameters
    ----------
    column : Column
        The tidy column.
    source : Source
        Where they come from.
    dataset : xarray.Dataset
        Columns of a file.
    where : str
        The file, for messages.

    Returns
    -------
    list
        A value a row; a constant as often [unit of the column].

    Raises
    ------
    DataError
        If the unit is wrong, or at the first cell that the column does not accept.
    ParameterError
        If the column does not accept the constant.

    Examples
    --------
    >>> from devicephys.io.tidy_kinds import KINDS
    >>> dataset = xr.Dataset({"I": ("point", [85.0, 90.0], {"units": "uA"})})
    >>> cells(KINDS["wer_counts"][2], Source("I", "", "uA", "column 'I'"), dataset, "x.csv")
    [8.5e-05, 9e-05]
    """
    scale, offset = factor(column, source, where)
    before, numbers = numbered(dataset, where)
    found: list[Cell] = []
    for number, text in zip(numbers, _texts(source, dataset), strict=not source.value):
        try:
            found.append(column.parse(to_si(ARROWS.get(text, text), scale, offset)))
        except ValueError as err:
            shown = (
                f"{text[:80]!r} {source.unit}".removesuffix(" 1").rstrip() if text else "no value"
            )
            if not source.column:
                raise ParameterError(
                    shown, where=source.label, expected=column.expected, remedy=remedy(column, text)
                ) from err
            raise DataError(
                shown, where=f"{before}{number}: {source.label}",
                expected=column.expected,
                remedy=ONE_WAY if column.name == "direction" else remedy(column, text),
            ) from err  # fmt: skip
    return found if source.column else found * len(numbers)


def errors(
    kind: str,
    column: Column,
    source: Source,
    trials: Sequence[int],
    dataset: xr.Dataset,
    where: str,
) -> list[Cell]:
    """Count errors from what switched: those trials where it was not wanted, else the others.

    Parameters
    ----------
    kind : str
        The kind of data: it says what was wanted.
    column : Column
        One of `tidy_kinds.SWITCHED`.
    source : Source
        Where its values come from.
    trials : sequence of int
        Trials of each row [1].
    dataset : xarray.Dataset
        Columns of a file.
    where : str
        The file, for messages.

    Returns
    -------
    list of int
        Errors of each row [1].

    Raises
    ------
    DataError
        If a fraction is no whole number of trials, or more switched than were tried.

    Examples
    --------
    >>> from devicephys.io.tidy_kinds import SWITCHED
    >>> dataset = xr.Dataset({"P": ("point", [12.5, 57.1])})
    >>> source = Source("P", "", "%", "column 'P' as p_switched")
    >>> errors("wer_counts", SWITCHED["p_switched"], source, [1000, 1000], dataset, "x.csv")
    [875, 429]
    """
    before, numbers = numbered(dataset, where)
    values = cells(column, source, dataset, where)
    found: list[Cell] = []
    for number, value, n in zip(numbers, values, trials, strict=True):
        switched = float(value) * n if column.name == "p_switched" else int(value)
        whole = round(switched)
        place = f"{before}{number}: {source.label}"
        if abs(switched - whole) > ROUNDING * (1 + 1e-6):
            raise DataError(
                f"{value} of n_trials = {n} are {switched:.10g} trials", where=place,
                expected=f"a whole number of trials, to {ROUNDING:g}",
                remedy="check n_trials, or map counts: n_switched or n_errors",
            )  # fmt: skip
        if whole > n:
            raise DataError(
                f"n_switched = {whole} > n_trials = {n}", where=place,
                expected="n_switched <= n_trials", remedy="check n_trials",
            )  # fmt: skip
        found.append(whole if kind in FLIPPED else n - whole)
    return found


def _texts(source: Source, dataset: xr.Dataset) -> list[str]:
    """The cells as they would stand in a text file."""
    if not source.column:
        return [source.value]
    values: ArrayLike = dataset[source.column].values
    return [_text(x) for x in np.asarray(values).tolist()]


def _text(value: object) -> str:
    if isinstance(value, float) and not np.isnan(value):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value).strip() if isinstance(value, str | int) else ""
