"""The edge between the world's units and SI: column suffixes, display, the few laboratory units."""

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

PREFIXES: Mapping[int, str] = MappingProxyType(
    {-18: "a", -15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
)

COLUMN_UNITS: Mapping[str, str] = MappingProxyType(
    {"A": "A", "V": "V", "s": "s", "K": "K", "ohm": "Ohm", "J": "J"}
)


def si(value: float, unit: str, digits: int = 3) -> str:
    """Write a value with an SI prefix, for people.

    Parameters
    ----------
    value : float
        The value [`unit`].
    unit : str
        SI unit; "1" for pure numbers, which get no prefix.
    digits : int, optional
        Significant digits [1].

    Returns
    -------
    str
        For example "42.1 uA".

    Examples
    --------
    >>> si(4.21e-5, "A"), si(0.95, "V"), si(1e-3, "1"), si(0.0, "J")
    ('42.1 uA', '950 mV', '0.001', '0 J')
    >>> si(1.5e-7, "A", 2), si(3.2e-7, "1")
    ('150 nA', '3.2e-07')
    """
    if unit == "1" and (value == 0 or not 1e-3 <= abs(value) < 1e6):
        return f"{value:.{digits}g}"
    if not math.isfinite(value) or value == 0:
        return f"{value:g} {unit}"
    exponent, prefix = (0, "") if unit == "1" else prefix_of(value)
    number = np.format_float_positional(
        value / 10.0**exponent, precision=digits, fractional=False, trim="-"
    )
    return number if unit == "1" else f"{number} {prefix}{unit}"


def prefix_of(value: float) -> tuple[int, str]:
    """Give the exponent and the sign of the SI prefix that brings a value near one.

    Parameters
    ----------
    value : float
        The value, any unit [1].

    Returns
    -------
    tuple of int and str
        Power of ten, and prefix with micro written as "u" [1].

    Examples
    --------
    >>> prefix_of(4.2e-5), prefix_of(6.5e-11)
    ((-6, 'u'), (-12, 'p'))
    """
    size = abs(value)
    exponents = [e for e in PREFIXES if size >= 10.0**e * (1 - 1e-12)]
    exponent = max(exponents, default=min(PREFIXES))
    return exponent, PREFIXES[exponent]


def column_unit(column: str) -> str:
    """Give the unit that the name of a file column ends in.

    Parameters
    ----------
    column : str
        Column name such as ``pulse_width_s`` or ``n_trials``.

    Returns
    -------
    str
        The unit, "1" where the name carries none.

    Examples
    --------
    >>> column_unit("pulse_width_s"), column_unit("resistance_after_ohm"), column_unit("n_trials")
    ('s', 'Ohm', '1')
    """
    return COLUMN_UNITS.get(column.rsplit("_", 1)[-1], "1")
