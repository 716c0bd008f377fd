"""The kinds of tidy data: their columns, what a cell may hold, and which one a header is."""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from devicephys.checks import known
from devicephys.errors import DataError, ParameterError
from devicephys.io.files import parse_number
from devicephys.parameters import DIRECTIONS
from devicephys.units import column_unit

Cell = float | int | str
LEAST, MOST = 1e-30, 1e30  # magnitudes of a number, in any SI unit: beyond, models overflow
WHOLE = re.compile(r"[+-]?[0-9]{1,19}")


@dataclass(frozen=True)
class Column:
    """A column of a tidy file.

    Attributes
    ----------
    name : str
        Name in the file, ending in the unit.
    parse : callable
        Turns the text into a value or raises ValueError.
    expected : str
        What is accepted, for messages.
    key : bool
        Whether the column belongs to the key that may occur only once.
    """

    name: str
    parse: Callable[[str], Cell]
    expected: str
    key: bool = False

    @property
    def variable(self) -> str:
        """Name of the variable in the dataset: the column without its unit."""
        has_unit = column_unit(self.name) != "1"
        return self.name.rsplit("_", 1)[0] if has_unit else self.name


def _number(accept: Callable[[float], bool]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = parse_number(text)
        if not math.isfinite(value) or not accept(value) or absurd(value):
            raise ValueError
        return value

    return parse


def absurd(value: float) -> bool:
    """Say whether a number has a magnitude that no measurement gives.

    Parameters
    ----------
    value : float
        The number [any SI unit].

    Returns
    -------
    bool
        Whether it is outside 1e-30 to 1e30, and not zero.

    Examples
    --------
    >>> absurd(1e300), absurd(-5e-9), absurd(0.0)
    (True, False, False)
    """
    return value != 0 and not LEAST <= abs(value) <= MOST


def _integer(minimum: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not WHOLE.fullmatch(text):
            raise ValueError
        value = int(text)
        if not minimum <= value < 2**62:
            raise ValueError
        return value

    return parse


def _one_of(names: Sequence[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError
        return text

    return parse


def _text(text: str) -> str:
    if not text:
        raise ValueError
    return text


_positive = _number(lambda x: x > 0)
_finite = _number(lambda x: True)
_DEVICE = Column("device", _text, "a name", key=True)
_DIRECTION = Column("direction", _one_of(DIRECTIONS), "P->AP or AP->P", key=True)
_STATE = Column("state", _one_of(("P", "AP")), "P or AP", key=True)
_CYCLE = Column("cycle", _integer(0), "a whole number >= 0, in digits", key=True)
_WIDTH = Column("pulse_width_s", _positive, "a number > 0 in seconds", key=True)
_TEMPERATURE = Column("temperature_K", _positive, "a number > 0 in kelvin", key=True)
_COUNTS = (
    Column("n_trials", _integer(1), "a whole number >= 1, in digits"),
    Column("n_errors", _integer(0), "a whole number >= 0, in digits"),
)


def _magnitude(name: str, unit: str) -> Column:
    return Column(name, _positive, f"a magnitude > 0 in {unit}", key=True)


def _resistance(name: str) -> Column:
    return Column(name, _positive, "a number > 0 in ohm")


KINDS: Mapping[str, tuple[Column, ...]] = MappingProxyType(
    {
        "wer_counts": (
            _DEVICE, _DIRECTION, _magnitude("pulse_current_A", "ampere"), _WIDTH,
            _TEMPERATURE, *_COUNTS,
        ),
        "wer_counts_voltage": (
            _DEVICE, _DIRECTION, _magnitude("pulse_voltage_V", "volt"), _WIDTH,
            _TEMPERATURE, *_COUNTS,
        ),
        "retention_counts": (
            _DEVICE, _STATE,
            Column("wait_time_s", _positive, "a number > 0 in seconds", key=True),
            _TEMPERATURE, *_COUNTS,
        ),
        "read_disturb_counts": (
            _DEVICE, _DIRECTION, _magnitude("read_current_A", "ampere"), _WIDTH,
            _TEMPERATURE, *_COUNTS,
        ),
        "resistance_loop": (
            Column("device", _text, "a name"),  # no key: a loop passes a voltage twice
            Column("state", _one_of(("P", "AP")), "P or AP"),
            Column("voltage_V", _finite, "a finite number in volt"),
            _resistance("resistance_ohm"),
        ),
        "switching_fields": (
            _DEVICE, _DIRECTION, _CYCLE,
            Column("switching_field_T", _finite, "a finite number in tesla"),
            Column("field_rate_Tps", _positive, "a number > 0 in tesla per second", key=True),
        ),
        "resistance_pulses": (
            _DEVICE, _CYCLE,
            Column("pulse_index", _integer(0), "a whole number >= 0, in digits", key=True),
            Column("pulse_voltage_V", _finite, "a finite number in volt"),
            Column("pulse_width_s", _positive, "a number > 0 in seconds"),
            _resistance("resistance_before_ohm"), _resistance("resistance_after_ohm"),
        ),
        "resistances": (
            _DEVICE, Column("state", _one_of(("LRS", "HRS")), "LRS or HRS", key=True), _CYCLE,
            _resistance("resistance_ohm"),
            Column("censored", _one_of(("exact", "above", "below")), "exact, above or below"),
        ),
    }
)  # fmt: skip

SWITCHED: Mapping[str, Column] = MappingProxyType(  # other columns that tell n_errors
    {
        "p_switched": Column(
            "p_switched", _number(lambda x: 0 <= x <= 1), "a fraction from 0 to 1, or its unit [%]"
        ),
        "n_switched": Column("n_switched", _integer(0), "a whole number >= 0, in digits"),
    }
)


def names(kind: str) -> list[str]:
    """List the columns of a kind.

    Parameters
    ----------
    kind : str
        The kind, of `KINDS`.

    Returns
    -------
    list of str
        Names in the file.

    Examples
    --------
    >>> names("retention_counts")
    ['device', 'state', 'wait_time_s', 'temperature_K', 'n_trials', 'n_errors']
    """
    return [c.name for c in KINDS[kind]]


def expected(kind: str) -> str:
    """Say the columns of a kind, for messages.

    Parameters
    ----------
    kind : str
        The kind, of `KINDS`.

    Returns
    -------
    str
        The sentence.

    Examples
    --------
    >>> expected("resistances")
    'the columns device,state,cycle,resistance_ohm,censored'
    """
    return "the columns " + ",".join(names(kind))


def nearest(header: Iterable[str], kinds: Iterable[str] = tuple(KINDS)) -> str:
    """Find the kind that is closest to a header.

    Parameters
    ----------
    header : iterable of str
        Names of columns.
    kinds : iterable of str, optional
        The kinds to choose from.

    Returns
    -------
    str
        The kind that shares most columns; among equals the one that misses fewest columns, then
        the one whose missing columns resemble the others of the header most, then the first.

    Examples
    --------
    >>> nearest(["device", "state", "resistance_ohm", "voltage_mV"])
    'resistance_loop'
    """
    there = set(header)

    def closeness(kind: str) -> tuple[int, int, float]:
        missing, others = set(names(kind)) - there, there - set(names(kind))
        alike = sum(
            max((difflib.SequenceMatcher(None, x, m).ratio() for m in missing), default=0.0)
            for x in sorted(others)
        )
        return len(there) - len(others), -len(missing), alike

    return max(kinds, key=closeness)


def choose(header: Sequence[str], where: str) -> str:
    """Decide the kind of a header that has every column of one kind, and no other.

    Parameters
    ----------
    header : sequence of str
        Names of columns.
    where : str
        File and row, for messages.

    Returns
    -------
    str
        The kind.

    Raises
    ------
    DataError
        If a column is double, unknown or missing, or the columns fit two kinds.

    Examples
    --------
    >>> choose(["device", "state", "cycle", "resistance_ohm", "censored"], "x.csv:1")
    'resistances'
    """
    kind = nearest(header)
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise DataError(f"column {twice!r} twice", where=where, expected=expected(kind))
    complete = [k for k in KINDS if set(names(k)) <= set(header)]
    if len(complete) > 1:
        shared = set.intersection(*(set(names(k)) for k in complete))
        raise DataError(
            f"columns of {' and of '.join(complete)}", where=where, expected="one kind",
            remedy="keep one of " + ", ".join(n for n in header if n not in shared),
        )  # fmt: skip
    for name in header:
        try:
            known("column", name, names(kind), where=where)
        except ParameterError as err:
            raise DataError(str(err), remedy=_instead(kind, header)) from err
    missing = {
        k: next(name for name in names(k) if name not in header)
        for k in KINDS
        if set(header) < set(names(k))
    }
    if len(missing) > 1:
        listed = [f"{name} of {k}" for k, name in missing.items()]
        raise DataError(
            f"missing column {', '.join(listed[:-1])} or {listed[-1]}",
            where=where, expected=expected(kind),
        )  # fmt: skip
    if missing:
        raise DataError(f"missing column {missing[kind]}", where=where, expected=expected(kind))
    return kind


def _instead(kind: str, header: Sequence[str]) -> str:
    """What to do about a column that a kind does not have."""
    missing = set(names(kind)) - set(header)
    if not missing:
        return f"all columns of {kind} are there: remove it"
    if {"n_trials", "n_errors"} <= missing:
        return "give counts, n_trials and n_errors: a rate does not tell how sure it is"
    return "other names and units need --map"
