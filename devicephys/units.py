"""The edge between the world's units and SI: column suffixes, display, the few laboratory units."""

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from devicephys.constants import MU_0
from devicephys.errors import DataError

PREFIXES: Mapping[int, str] = MappingProxyType(
    {-18: "a", -15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
)

COLUMN_UNITS: Mapping[str, str] = MappingProxyType(
    {"A": "A", "V": "V", "s": "s", "K": "K", "ohm": "Ohm", "J": "J", "T": "T", "Tps": "T/s"}
)

SPELLINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {  # of units that take SI prefixes, as instruments and people write them
        "A": ("A", "ampere", "Ampere", "Amp"),
        "V": ("V", "volt", "Volt"),
        "s": ("s", "sec", "second", "seconds"),
        "K": ("K", "kelvin", "Kelvin"),
        "Ohm": ("Ohm", "ohm", "Ohms", "ohms", "OHM", "\u03a9", "\u2126"),
        "J": ("J",),
        "T": ("T", "tesla", "Tesla"),
        "T/s": ("T/s",),
    }
)
OTHER_UNITS: Mapping[str, tuple[float, float, str]] = MappingProxyType(
    {  # SI = factor * value + offset; a field H is given as mu_0 H
        "1": (1.0, 0.0, "1"),
        "%": (0.01, 0.0, "1"),
        "min": (60.0, 0.0, "s"),
        "h": (3600.0, 0.0, "s"),
        "d": (86400.0, 0.0, "s"),
        **dict.fromkeys(("degC", "deg C", "\u00b0C", "\u2103", "C"), (1.0, 273.15, "K")),
        **dict.fromkeys(("Oe", "G", "Gauss", "gauss"), (1e-4, 0.0, "T")),
        "kOe": (0.1, 0.0, "T"),
        "Oe/s": (1e-4, 0.0, "T/s"),
        "kOe/s": (0.1, 0.0, "T/s"),
        "A/m": (MU_0, 0.0, "T"),
        "kA/m": (1e3 * MU_0, 0.0, "T"),
    }
)
INSTEAD: Mapping[str, str] = MappingProxyType(  # what else than the SI unit may be written
    {"A": "uA", "V": "mV", "s": "ns", "K": "degC", "Ohm": "kOhm", "J": "fJ", "T": "mT or Oe",
     "T/s": "Oe/s"}
)  # fmt: skip


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


def factor_to_si(text: str, unit: str, where: str = "") -> tuple[float, float]:
    """Give the factor and the offset that bring a value to an SI unit.

    Parameters
    ----------
    text : str
        The unit that the value is in, with its prefix: "uA", "kOhm", "degC", "Oe", "%".
    unit : str
        The SI unit that is wanted; "1" for pure numbers.
    where : str, optional
        What is in that unit, for messages.

    Returns
    -------
    tuple of float
        Factor and offset of SI = factor * value + offset [`unit`].

    Raises
    ------
    DataError
        If the unit is unknown or of another quantity.

    Examples
    --------
    >>> factor_to_si("kOhm", "Ohm"), factor_to_si("degC", "K"), factor_to_si("mT/s", "T/s")
    ((1000.0, 0.0), (1.0, 273.15), (0.001, 0.0))
    >>> factor_to_si("V", "A", "column 'Gate'")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: column 'Gate': unit 'V'; expected A, or for example uA
    """
    text = text.strip()
    expected = f"{unit}, or for example {INSTEAD[unit]}" if unit != "1" else "a pure number or %"
    found = OTHER_UNITS.get(text) or _with_prefix(text)
    if found is None:
        raise DataError(f"unknown unit {text[:40]!r}", where=where, expected=expected)
    if found[2] != unit:
        raise DataError(f"unit {text!r}", where=where, expected=expected)
    return found[:2]


def _with_prefix(text: str) -> tuple[float, float, str] | None:
    """SI units with and without a prefix; micro is u or one of the two letters mu."""
    prefixes = {sign: float(f"1e{e}") for e, sign in PREFIXES.items()}
    prefixes |= {"\u00b5": prefixes["u"], "\u03bc": prefixes["u"]}
    for unit, spellings in SPELLINGS.items():
        for spelling in spellings:
            factor = prefixes.get(text.removesuffix(spelling))
            if factor is not None and text.endswith(spelling):
                return factor, 0.0, unit
    return None
