"""Tables of a TOML file: their keys, and numbers that are numbers, refused by name."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from devicephys.checks import known
from devicephys.errors import ParameterError


def table(raw: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    """Give a table of a file after checking that it is one.

    Parameters
    ----------
    raw : mapping
        The parsed file.
    key : str
        Name of the table, which is there.
    where : str
        Name of the file, for messages.

    Returns
    -------
    mapping
        The table.

    Raises
    ------
    ParameterError
        If the key holds anything else.

    Examples
    --------
    >>> table({"read": {"s_sa": 0.1}}, "read", "x.toml")
    {'s_sa': 0.1}
    """
    found = raw[key]
    if not isinstance(found, dict):
        raise ParameterError(f"{key} = {found!r:.60}", where=where, expected=f"a table [{key}]")
    return found


def check_keys(
    found: Mapping[str, Any], names: Sequence[str], required: Sequence[str], label: str, where: str
) -> None:
    """Refuse unknown and missing keys.

    Parameters
    ----------
    found : mapping
        The table.
    names, required : sequence of str
        Keys that may be there, and those that have to be.
    label : str
        Name of the table, for messages.
    where : str
        Name of the file, for messages.

    Raises
    ------
    ParameterError
        Naming the key, and the closest known ones.

    Examples
    --------
    >>> check_keys({"s_sa": 0.1}, ("s_sa", "s_ref"), (), "[read]", "x.toml")
    """
    for key in found:
        known(f"key of {label}", key, names, where=where)
    missing = [name for name in required if name not in found]
    if missing:
        raise ParameterError(
            f"{label} without {missing[0]}", where=where,
            expected=f"the keys {', '.join(required)}",
        )  # fmt: skip


def number(value: Any, label: str, where: str, expected: str = "a number in SI units") -> float:
    """Give a number of a table; text, truth values and lists are none.

    Parameters
    ----------
    value : object
        What the table holds.
    label : str
        Table and key, for messages.
    where : str
        Name of the file, for messages.
    expected : str, optional
        What is asked for.

    Returns
    -------
    float
        The number [as the key's].

    Raises
    ------
    ParameterError
        If it is no number.

    Examples
    --------
    >>> number(3, "[read] s_sa", "x.toml")
    3.0
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:  # TOML's whole numbers have no end
            pass
    raise ParameterError(
        f"{label} = {str(value)[:40]!r}", where=where, expected=expected,
        remedy="no quotes, no unit, a decimal point",
    )  # fmt: skip


@contextmanager
def named(where: str) -> Iterator[None]:
    """Put the name of the file before what a record says about its own fields.

    Parameters
    ----------
    where : str
        Name of the file.

    Returns
    -------
    context manager
        Around the making of the record.

    Raises
    ------
    ParameterError
        The record's own, with the file's name.

    Examples
    --------
    >>> with named("x.toml"):
    ...     raise ParameterError("Filament.r_s = -1 Ohm")
    Traceback (most recent call last):
        ...
    devicephys.errors.ParameterError: x.toml: Filament.r_s = -1 Ohm
    """
    try:
        yield
    except ParameterError as err:
        raise ParameterError(str(err), where=where) from err
