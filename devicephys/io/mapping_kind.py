"""Which kind of tidy data the columns of a file make, and what else they could be mapped to."""

import difflib
from collections.abc import Collection, Mapping, Sequence

import xarray as xr

from devicephys.errors import DataError
from devicephys.io.tidy_kinds import KINDS, SWITCHED, Column, nearest
from devicephys.units import column_unit, factor_to_si

MOST_LISTED = 12
ALIKE = 0.45  # ratio of `difflib` from which two names are worth a suggestion
SAME_UNIT = 0.2  # what a column of the right unit is ahead
TEXTS = ("device", "direction", "state", "censored")


def listed(dataset: xr.Dataset) -> str:
    """List the columns with their units, for messages.

    Parameters
    ----------
    dataset : xarray.Dataset
        The columns.

    Returns
    -------
    str
        The columns, the first twelve by name.

    Examples
    --------
    >>> listed(xr.Dataset({"GateV": ("point", [0.1], {"units": "V"}), "n": ("point", [5])}))
    'the columns GateV [V], n'
    """
    columns = [
        f"{name} [{x.attrs['units']}]" if x.attrs.get("units") else str(name)
        for name, x in dataset.data_vars.items()
    ]
    more = len(columns) - MOST_LISTED
    return "the columns " + ", ".join(columns[:MOST_LISTED]) + f" and {more} more" * (more > 0)


def alike(name: str, dataset: xr.Dataset) -> str:
    """Say which columns have names like one that was not found.

    Parameters
    ----------
    name : str
        The name.
    dataset : xarray.Dataset
        The columns.

    Returns
    -------
    str
        A question, or nothing where no name is alike.

    Examples
    --------
    >>> alike("gatev", xr.Dataset({"GateV": ("point", [0.1]), "DrainI": ("point", [1e-9])}))
    "did you mean 'GateV'?"
    """
    scores = {str(x): _likeness(name, str(x)) for x in dataset.data_vars}
    best = sorted((x for x in scores if scores[x] >= ALIKE), key=lambda x: -scores[x])[:2]
    return f"did you mean {' or '.join(map(repr, best))}?" if best else ""


def closest(column: Column, dataset: xr.Dataset, taken: Collection[str] = ()) -> str:
    """Find the column of a file that a tidy column could be read from.

    Parameters
    ----------
    column : Column
        The tidy column.
    dataset : xarray.Dataset
        The columns of the file.
    taken : collection of str, optional
        Columns that serve already.

    Returns
    -------
    str
        Of those whose unit fits, or is not stated, the one whose name is most alike; nothing where
        none is.

    Examples
    --------
    >>> file = {"Pulse (top)": ("point", [0.5], {"units": "V"}), "I": ("point", [1e-5])}
    >>> closest(KINDS["wer_counts_voltage"][2], xr.Dataset(file))
    'Pulse (top)'
    """
    best, score = "", ALIKE
    for name in map(str, dataset.data_vars):
        likeness = max(_likeness(column.variable, name), _likeness(column.name, name))
        likeness = _weighed(likeness, column, dataset, name)
        if name not in taken and likeness > score:
            best, score = name, likeness
    return best


def choose(
    dataset: xr.Dataset,
    asked: Collection[str],
    there: Mapping[str, str],
    where: str,
    kinds: Sequence[str],
) -> str:
    """Decide the kind of data that columns make.

    Parameters
    ----------
    dataset : xarray.Dataset
        The columns of the file.
    asked : collection of str
        Tidy columns that were asked for; the kind has all of them.
    there : mapping of str
        Tidy columns that can be had, and the columns of the file that they come from.
    where : str
        The file, for messages.
    kinds : sequence of str
        The kinds that are wanted.

    Returns
    -------
    str
        The kind.

    Raises
    ------
    DataError
        If no kind has all that was asked for, columns are missing, or the columns make two kinds.

    Examples
    --------
    >>> there = {"device": "dut", "state": "s", "voltage_V": "V", "resistance_ohm": "R"}
    >>> choose(xr.Dataset(), ["voltage_V"], there, "x.csv", tuple(KINDS))
    'resistance_loop'
    """
    asked, given = _with_errors(asked), _with_errors(there)
    needed = {k: [c.name for c in KINDS[k]] for k in kinds}
    possible = [k for k in kinds if asked <= set(needed[k])]
    if not possible:
        kind = nearest(sorted(asked), kinds)
        other = [k for k in kinds if k != kind]
        raise DataError(
            f"{' and '.join(sorted(asked - set(needed[kind])))} mapped, which {kind} does not have",
            where=where, expected=f"columns of one kind: {','.join(needed[kind])} ({kind})",
            remedy=f"or those of {', '.join(other)}" if other else "",
        )  # fmt: skip
    complete = [k for k in possible if set(needed[k]) <= given]
    if len(complete) > 1:
        shared = set.intersection(*(set(needed[k]) for k in complete))
        differ = [x for k in complete for x in needed[k] if x not in shared]
        raise DataError(
            f"columns of {' and of '.join(complete)}", where=where, expected="one kind",
            remedy="choose by " + " or ".join(f'--map "{x}={there.get(x, x)}"' for x in differ),
        )  # fmt: skip
    if complete:
        return complete[0]
    kind = _most_likely(dataset, given, possible)
    missing = [c for c in KINDS[kind] if c.name not in given]
    raise DataError(
        f"no {', '.join(c.name for c in missing)} in {listed(dataset)}",
        where=where,
        expected=f"all of {','.join(needed[kind])} ({kind})",
        remedy="add " + " ".join(_suggestions(missing, dataset, set(there.values()))),
    )


def _likeness(a: str, b: str) -> float:
    return difflib.SequenceMatcher(None, a.lower(), b.lower()).ratio()


def _weighed(likeness: float, column: Column, dataset: xr.Dataset, name: str) -> float:
    """Weigh a likeness of names by type and unit: other ones exclude, the same unit speaks for."""
    unit, stated = column_unit(column.name), _stated(dataset, name)
    if stated == "%" and column.name != "p_switched":
        return 0.0
    text = dataset[name].dtype.kind not in "fiu"
    if column.name in TEXTS:
        return likeness if text or column.name == "device" else 0.0
    if text or (stated not in ("", "1") and not _fits(stated, unit)):
        return 0.0
    return max(likeness, ALIKE) + SAME_UNIT if stated not in ("", "1") else likeness


def _fits(stated: str, unit: str) -> bool:
    try:
        factor_to_si(stated, unit)
    except DataError:
        return False
    return True


def _with_errors(columns: Collection[str]) -> set[str]:
    """The columns, with n_errors for what tells it."""
    found = set(columns)
    return (found - set(SWITCHED)) | {"n_errors"} if found & set(SWITCHED) else found


def _most_likely(dataset: xr.Dataset, there: Collection[str], kinds: Sequence[str]) -> str:
    """The kind of which most columns are there or could be, by their names and units."""
    could = {c.name for k in kinds for c in KINDS[k] if closest(c, dataset)}
    return nearest({*there, *could}, kinds)


def _suggestions(missing: Sequence[Column], dataset: xr.Dataset, taken: set[str]) -> list[str]:
    """Entries of the mapping to copy; a unit that the file does not say is left open."""
    entries = []
    for column in missing:
        found = closest(column, dataset, taken)
        for other in SWITCHED.values() if column.name == "n_errors" and not found else ():
            if found := closest(other, dataset, taken):
                column = other
                break
        taken.add(found)
        no_unit = column_unit(column.name) != "1" and found and not _stated(dataset, found)
        entry = f"={found}" + " [UNIT]" * bool(no_unit) if found else ":=VALUE"
        entries.append(f'--map "{column.name}{entry}"')
    return entries


def _stated(dataset: xr.Dataset, name: str) -> str:
    return str(dataset[name].attrs.get("units", ""))
