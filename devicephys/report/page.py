"""What every report shares: the template's environment, plain numbers, and how they are written."""

import math
from collections.abc import Mapping
from typing import Any

import jinja2
import numpy as np

from devicephys.units import column_unit, si

Svg = tuple[str, str]  # an <svg> element and its caption
HIDDEN = {"sha256", "truth", "synthetic", "flagged_points"}  # of the data summary: shown elsewhere


def render(template: str, shown: Mapping[str, Any]) -> str:
    """Fill a template of the report.

    Parameters
    ----------
    template : str
        Name of the template.
    shown : mapping
        What it shows; a name that it lacks is an error.

    Returns
    -------
    str
        The page.

    Examples
    --------
    >>> "<h1>a &lt; b</h1>" in render("base.html.j2", {"title": "a < b"})
    True
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("devicephys", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"si": si, "ends": ends}
    return environment.get_template(template).render(shown)


def ends(low: float | None, high: float | None, unit: str) -> str:
    """Write an interval for people.

    Parameters
    ----------
    low, high : float or None
        Its ends; None for an open one [`unit`].
    unit : str
        SI unit.

    Returns
    -------
    str
        For example "59.5 to 61.2".

    Examples
    --------
    >>> ends(1e-9, 2e-9, "s"), ends(None, 60.0, "1"), ends(1.0, None, "V"), ends(None, None, "V")
    ('1 to 2 ns', 'below 60', 'above 1 V', 'open')
    """
    if low is None and high is None:
        return "open"
    if low is None or high is None:
        side, end = ("below", high) if low is None else ("above", low)
        return f"{side} {si(end or 0.0, unit, 4)}"
    first, last = si(low, unit, 4), si(high, unit, 4)
    if first.split()[1:] == last.split()[1:]:  # the unit is said once
        first = first.split()[0]
    return f"{first} to {last}"


def plain(value: Any) -> Any:
    """Turn numbers and records into what JSON holds: NaN and infinities become None.

    Parameters
    ----------
    value : object
        Mappings, sequences, numbers and text.

    Returns
    -------
    object
        Dictionaries, lists, numbers, text and None.

    Examples
    --------
    >>> plain({"a": (np.float64(1.0), float("nan"))})
    {'a': [1.0, None]}
    """
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def data_rows(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Give label and text of each line of a data summary; the names of the summary end in units.

    Parameters
    ----------
    data : mapping
        The summary, as in `FitResult.data`.

    Returns
    -------
    list of tuple of str
        Labels and texts.

    Examples
    --------
    >>> data_rows({"source": "x.csv", "trials": 1000000, "temperatures_K": [300.0]})
    [('source', 'x.csv'), ('trials', '1 000 000'), ('temperatures', '300 K')]
    >>> data_rows({"kinds": {"wer_counts": {"residuals": 30, "deviance": 22.38}}})
    [('wer_counts', 'residuals 30, deviance 22.38')]
    """
    rows = []
    for name, value in data.items():
        if name in HIDDEN:
            continue
        if isinstance(value, Mapping):  # files, kinds of data: a row each
            rows += [(str(key), _facts(facts)) for key, facts in value.items()]
            continue
        unit = column_unit(name)
        label = (name if unit == "1" else name.rsplit("_", 1)[0]).replace("_", " ")
        values = value if isinstance(value, list | tuple) else [value]
        texts = [
            f"{v:,}".replace(",", " ") if isinstance(v, int)
            else si(v, unit) if isinstance(v, float) else str(v)
            for v in values
        ]  # fmt: skip
        rows.append((label, ", ".join(texts) or "not stated"))
    return rows


def _facts(facts: Any) -> str:
    """The numbers of a mapping; of a checksum, what is read aloud."""
    if isinstance(facts, Mapping):
        return ", ".join(
            f"{name.replace('_', ' ')} {value:.4g}"
            for name, value in facts.items() if isinstance(value, int | float)
        )  # fmt: skip
    return f"sha256 {str(facts)[:12]}"
