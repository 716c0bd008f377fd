"""SET/RESET cycling of RRAM cells as a headerless, tab-separated table (one row a cell).

Columns: address, then resistances [Ohm] by turns after RESET (HRS) and after SET (LRS).
"""

import json
from pathlib import Path

import numpy as np
import xarray as xr

from devicephys.checks import Array
from devicephys.errors import DataError
from devicephys.io.files import NUMBER, decode, parse_number, read_bytes, sha256

FEWEST = 5  # cells of a row: an address and two cycles


def matches(content: bytes) -> bool:
    """Recognise a table of cycles: numbers alone, an odd number of them.

    Parameters
    ----------
    content : bytes
        All of a file.

    Returns
    -------
    bool
        Whether its first line is an address and pairs of resistances, separated by tabs.

    Examples
    --------
    >>> matches(b"200\\t9e4\\t5e3\\t8e4\\t6e3\\n"), matches(b"V\\tI\\n")
    (True, False)
    """
    cells = content.split(b"\n", 1)[0].decode("utf-8", "replace").strip().split("\t")
    numbers = all(NUMBER.fullmatch(cell.strip()) for cell in cells)
    return numbers and len(cells) >= FEWEST and len(cells) % 2 == 1


def read(path: str | Path) -> xr.Dataset:
    """Read a table of cycles into the dataset of resistances of states.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    xarray.Dataset
        As `tidy_csv.read` gives for ``resistances``, every sample "exact"; ``cycle`` counts from 0.

    Raises
    ------
    DataError
        If the file is missing, a row has another length, a number is not positive, an address
        comes twice, or HRS is the lower state.

    Examples
    --------
    >>> read("missing.csv")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.csv: no such file; check the path
    """
    where = str(path)
    content = read_bytes(path)
    table = _table(decode(content, where), where)
    names = np.array([f"{address:.0f}" for address in table[:, 0]])
    hrs, lrs = table[:, 1::2], table[:, 2::2]
    if np.median(hrs) <= np.median(lrs):
        raise DataError(
            f"medians {np.median(hrs):g} Ohm after RESET, {np.median(lrs):g} Ohm after SET",
            where=where, expected="by turns HRS and LRS, HRS first, HRS the higher one",
        )  # fmt: skip
    n, cycles = hrs.shape
    flat = {
        "device": (np.tile(np.repeat(names, cycles), 2), "1"),
        "state": (np.repeat(["HRS", "LRS"], n * cycles), "1"),
        "cycle": (np.tile(np.arange(cycles), 2 * n), "1"),
        "resistance": (np.concatenate([hrs.ravel(), lrs.ravel()]), "Ohm"),
        "censored": (np.full(2 * n * cycles, "exact"), "1"),
    }
    return xr.Dataset(
        {name: ("point", values, {"units": unit}) for name, (values, unit) in flat.items()},
        attrs={"kind": "resistances", "source": Path(where).name, "sha256": sha256(content),
               "metadata": json.dumps({})},
    )  # fmt: skip


def _table(text: str, where: str) -> Array:
    rows: dict[str, list[float]] = {}
    length = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.strip().split("\t")]
        length = length or len(cells)
        if len(cells) != length:
            raise DataError(f"{len(cells)} cells", where=f"{where}:{number}",
                            expected=f"{length} cells, as in the first row")  # fmt: skip
        try:
            values = [parse_number(cell) for cell in cells]
        except ValueError as err:
            raise DataError(f"not a number ({err})", where=f"{where}:{number}",
                            expected="numbers separated by tabs") from err  # fmt: skip
        if min(values[1:]) <= 0 or not np.isfinite(values).all():
            column = next(k for k, x in enumerate(values) if k and not 0 < x < np.inf)
            raise DataError(f"{cells[column]!r}", where=f"{where}:{number}:{column + 1}",
                            expected="a resistance > 0 in ohm")  # fmt: skip
        if cells[0] in rows:
            raise DataError(f"address {cells[0]} twice", where=f"{where}:{number}")
        rows[cells[0]] = values
    if length < FEWEST or length % 2 == 0:
        raise DataError(f"{length} cells a row", where=where,
                        expected="an address and pairs of HRS and LRS")  # fmt: skip
    return np.array(list(rows.values()))
