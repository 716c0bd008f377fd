"""Which column of a tester's file is which tidy column, in which unit, and what is constant.

A mapping gives for a tidy column, with or without the unit in its name, the column of the file
that holds it: ``"GateV"``; ``"GateV [mV]"`` where the file does not say the unit or says a wrong
one; ``":=300"`` for a value that all rows share. Beside tidy columns stand ``p_switched`` (a
fraction) and ``n_switched``, from which the errors are counted, and the keys of `METADATA`, which
tidy files hold above their header. Columns that already have a tidy name need no entry. Nothing is
guessed: a column without a unit is refused, not taken for SI.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import xarray as xr

from devicephys.checks import known
from devicephys.errors import DataError, ParameterError
from devicephys.io import mapping_kind
from devicephys.io.files import parse_number
from devicephys.io.mapping_cells import Source, cells, errors, factor, numbered, to_si
from devicephys.io.tidy_kinds import KINDS, SWITCHED, Column
from devicephys.io.tidy_rows import check_rows, to_dataset
from devicephys.units import column_unit, factor_to_si

COLUMNS: Mapping[str, Column] = MappingProxyType(
    {c.name: c for k in KINDS.values() for c in k} | dict(SWITCHED)
)
METADATA: Mapping[str, str] = MappingProxyType(  # unit of the value, or text
    {"r_p_ohm": "Ohm", "tmr": "1", "v_h_V": "V", "bloch": "1", "k_exponent": "1",
     "shape_field": "1", "resistance_error": "1", "energy_per_bit_J": "J", "synthetic": "text",
     "note": "text"}
)  # fmt: skip
FRACTIONS = ("p_switched", "tmr", "resistance_error")  # pure numbers that may come in %
TARGETS: Mapping[str, str] = MappingProxyType(  # what may be written: what it means
    {c.variable: c.name for c in COLUMNS.values()}
    | {"r_p": "r_p_ohm", "v_h": "v_h_V", "energy_per_bit": "energy_per_bit_J"}
    | {name: name for name in (*COLUMNS, *METADATA)}
)
CONSTANT = ":="
BRACKET = re.compile(r"(.*\S)\s*\[\s*([^\[\]]*?)\s*\]")  # what stands before a unit, and the unit
GRAMMAR = 'TARGET=COLUMN, "TARGET=COLUMN [unit]" or "TARGET:=VALUE"'


def parse(texts: Iterable[str]) -> dict[str, str]:
    """Parse the entries of a mapping as the command line takes them.

    Parameters
    ----------
    texts : iterable of str
        ``TARGET=COLUMN``, ``TARGET=COLUMN [unit]`` or ``TARGET:=VALUE``, one a text.

    Returns
    -------
    dict
        The mapping, as `apply` takes it.

    Raises
    ------
    ParameterError
        If a text is none of these, a target is unknown, or one comes twice.

    Examples
    --------
    >>> parse(["pulse_voltage=GateV [mV]", "direction:=P->AP"])
    {'pulse_voltage': 'GateV [mV]', 'direction': ':=P->AP'}
    """
    mapping: dict[str, str] = {}
    for text in texts:
        head, _, tail = (x.strip() for x in text.partition("="))
        constant = head.endswith(":")
        target = head.removesuffix(":").strip()
        if not target or not tail:
            raise ParameterError(
                f"--map {text!r}", expected=GRAMMAR,
                remedy='for example --map "pulse_voltage=GateV [mV]"',
            )  # fmt: skip
        if target in mapping:
            raise ParameterError(f"--map {target} twice", expected="each target once")
        mapping[target] = CONSTANT + tail if constant else tail
    _canonical(mapping)
    return mapping


def apply(
    dataset: xr.Dataset,
    mapping: Mapping[str, str],
    where: str,
    kinds: Sequence[str] = tuple(KINDS),
) -> xr.Dataset:
    """Make a tidy dataset of the columns of a file.

    Parameters
    ----------
    dataset : xarray.Dataset
        The columns as a reader gives them, over the dimension ``point``.
    mapping : mapping of str
        Sources of the tidy columns, see the top of this module.
    where : str
        The file, for messages.
    kinds : sequence of str, optional
        The kinds of data that are wanted, of `tidy_kinds.KINDS`.

    Returns
    -------
    xarray.Dataset
        As `tidy_csv.read` gives; the mapping and the format stand in its metadata.

    Raises
    ------
    ParameterError
        If the mapping itself is wrong.
    DataError
        At the first thing in the file that is wrong or missing, with row and column.

    Examples
    --------
    >>> columns = {"V": ("point", [-50.0, 50.0], {"units": "mV"}), "R": ("point", [5e3, 5.1e3])}
    >>> raw = xr.Dataset(columns, attrs={"sha256": "", "metadata": "{}", "format": "CSV"})
    >>> entries = ["device:=w3", "state:=P", "voltage=V", "resistance=R [Ohm]"]
    >>> apply(raw, parse(entries), "x.csv").voltage.values.tolist()
    [-0.05, 0.05]
    """
    asked = _canonical(mapping)
    header = {target: text for target, text in asked.items() if target in METADATA}
    sources = {
        target: _source(target, text, dataset, where)
        for target, text in asked.items()
        if target not in METADATA
    }
    for target in sources:  # a wrong unit is said before what is missing
        factor(COLUMNS[target], sources[target], where)
    sources = _already_named(dataset, set(sources)) | sources
    if set(SWITCHED) & set(asked):
        sources.pop("n_errors", None)
    there = {target: source.column for target, source in sources.items()}
    kind = mapping_kind.choose(dataset, set(asked) - set(header), there, where, kinds)
    columns = {
        c.name: cells(c, sources[c.name], dataset, where) for c in KINDS[kind] if c.name in sources
    }
    if "n_trials" in columns and "n_errors" not in columns:
        name = next(x for x in SWITCHED if x in sources)
        trials = [int(x) for x in columns["n_trials"]]
        columns["n_errors"] = errors(kind, SWITCHED[name], sources[name], trials, dataset, where)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    before, numbers = numbered(dataset, where)
    check_rows(zip(numbers, rows, strict=True), kind, before)
    metadata = _facts(dataset) | {t: _fact(t, text) for t, text in header.items()}
    entries = [x if x.startswith(CONSTANT) else f"={x}" for x in mapping.values()]
    if entries:
        metadata["mapping"] = "; ".join(t + x for t, x in zip(mapping, entries, strict=True))
    metadata["format"] = dataset.attrs["format"]
    return to_dataset(rows, kind, where, dataset.attrs["sha256"], metadata)


def _canonical(mapping: Mapping[str, str]) -> dict[str, str]:
    """The mapping by the names that tidy files use."""
    found: dict[str, str] = {}
    for target, text in mapping.items():
        if target not in TARGETS:
            known("target of a mapping", target, (*COLUMNS, *METADATA))
        name = TARGETS[target]
        if re.search(r"[\r\n]", text):
            raise ParameterError(f"{target}: {text[:60]!r}", expected="one line")
        if name in found:
            raise ParameterError(f"two entries for {name}", expected="each target once")
        if name in METADATA and not text.startswith(CONSTANT):
            raise ParameterError(
                f"{target}={text}", expected=f"one value for the file, {target}:=VALUE"
            )
        unit = METADATA.get(name) or column_unit(name)
        if unit not in ("1", "text") and name != target and _bare(text):
            value = text.removeprefix(CONSTANT)
            raise ParameterError(
                f"{target}:={value} without a unit",
                expected=f"{name}:={value}, or {target}:={value} [unit]",
            )
        found[name] = text
    several = [name for name in ("n_errors", *SWITCHED) if name in found]
    if len(several) > 1:
        raise ParameterError(" and ".join(several), expected="one of them: each tells the errors")
    return found


def _bare(text: str) -> bool:
    """Whether an entry is a constant with no unit behind it."""
    return text.startswith(CONSTANT) and not BRACKET.fullmatch(text)


def _already_named(dataset: xr.Dataset, taken: Iterable[str]) -> dict[str, Source]:
    """Columns of the file with a tidy name; with its unit in the name before without."""
    found = {}
    for name, target in TARGETS.items():
        if name in dataset.data_vars and target not in (*taken, *METADATA):
            found[target] = Source(name, "", _stated(dataset, name), f"column {name!r}")
    return found


def _stated(dataset: xr.Dataset, name: str) -> str:
    """The unit that the file says, also by a tidy name."""
    in_name = column_unit(name) if name in COLUMNS else "1"
    return str(dataset[name].attrs.get("units", "")) or in_name.removesuffix("1")


def _source(target: str, text: str, dataset: xr.Dataset, where: str) -> Source:
    """Understand one entry: columns first by their whole name, then with a unit behind it."""
    constant = text.startswith(CONSTANT)
    text = text.removeprefix(CONSTANT).strip()
    bracket = BRACKET.fullmatch(text)
    if constant:
        wanted = METADATA.get(target) or column_unit(target)
        takes_unit = wanted not in ("1", "text") or target in FRACTIONS
        name, unit = bracket.groups() if bracket and takes_unit else (text, wanted)
        return Source("", name, unit, f"{target}:={text}")
    name, unit = bracket.groups() if bracket and text not in dataset.data_vars else (text, "")
    if name not in dataset.data_vars:
        raise DataError(
            f"no column {name!r} for {target}", where=where,
            expected=mapping_kind.listed(dataset), remedy=mapping_kind.alike(name, dataset),
        )  # fmt: skip
    return Source(name, "", unit or _stated(dataset, name), f"column {name!r} as {target}")


def _facts(dataset: xr.Dataset) -> dict[str, str]:
    """The facts of the header that fit into the ``# key: value`` lines of a tidy file."""
    facts = json.loads(dataset.attrs["metadata"])
    return {
        key.strip(): str(value).strip()
        for key, value in facts.items()
        if isinstance(value, str | int | float)
        and not re.search(r"[:\r\n]|^#", key)
        and not re.search(r"[\r\n]", str(value))
    }


def _fact(target: str, text: str) -> str:
    """Check the value of a header entry; a number comes back in the unit of its name."""
    source = _source(target, text, xr.Dataset(), "")
    if METADATA[target] == "text":
        return source.value
    scale, offset = factor_to_si(source.unit, METADATA[target], source.label)
    try:
        if not np.isfinite(parse_number(source.value)):
            raise ValueError
        return to_si(source.value, scale, offset)
    except ValueError as err:
        raise ParameterError(
            repr(source.value[:80]), where=source.label, expected="a finite number"
        ) from err
