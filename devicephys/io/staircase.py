"""Staircase RESET ramps as a headerless, tab-separated table (one row a pulse).

Columns: address, pulse width [ns], V_SL [V], V_WL [V], resistance before and after [Ohm]; the
voltage of a cell starts again at its lowest value with every new ramp.
"""

import warnings
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from devicephys.checks import Array
from devicephys.errors import DataError
from devicephys.io.files import NUMBER, decode, parse_number, read_bytes, sha256
from devicephys.rram.ramp import Ramps

N_COLUMNS = 6
SHORTEST, LONGEST = 1e-3, 1e9  # ns
LEAST_LRS = 100.0  # Ohm: cell and transistor together are never less
HIGHEST = 100.0  # V
OTHER_UNIT = 300.0  # a factor beyond any spread of the LRS, and below the 1000 of a prefix
SAME_STATE, RESET_STATE = 1.2, 3.0  # over a ramp's initial resistance: LRS again, surely not LRS
MANY_RAMPS = 5


def matches(content: bytes) -> bool:
    """Recognise a table of ramps by the six numbers of its first line.

    Parameters
    ----------
    content : bytes
        All of a file.

    Returns
    -------
    bool
        Whether they can be an address, a width, two voltages and two resistances.

    Examples
    --------
    >>> matches(b"1450\\t200\\t0\\t3.5\\t5863\\t5888\\n"), matches(b"V\\tI\\n")
    (True, False)
    """
    cells = content.split(b"\n", 1)[0].decode("utf-8", "replace").strip().split("\t")
    if len(cells) != N_COLUMNS or not all(NUMBER.fullmatch(cell.strip()) for cell in cells):
        return False
    address, width, *_, before, after = (float(cell) for cell in cells)
    return address.is_integer() and SHORTEST <= width <= LONGEST and min(before, after) > 0


def read(path: str | Path) -> xr.Dataset:
    """Read staircase ramps into the dataset of resistance pulses.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    xarray.Dataset
        As `tidy_csv.read` gives for resistance pulses; ``cycle`` numbers the ramps of a device,
        ``pulse_index`` the pulses of a ramp, both from 0.

    Raises
    ------
    DataError
        If the file is missing, has other columns, or a row is impossible: a negative voltage (the
        staircase is one of RESET), or a cell that was set within a ramp.

    Warns
    -----
    UserWarning
        If a resistance looks like one of another unit, or a device has one ramp where the others
        have many.

    Examples
    --------
    >>> read("missing.csv")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.csv: no such file; check the path
    """
    where = str(path)
    content = read_bytes(path)
    text = decode(content, where)
    rows, table = _table(text, where)
    address, width_ns, voltage, _, before, after = table.T
    bad = ~np.isfinite(table).all(axis=1) | (table[:, [0, 1, 4, 5]] <= 0).any(axis=1)
    bad |= address != np.rint(address)
    bad |= (width_ns < SHORTEST) | (width_ns > LONGEST)
    if bad.any():
        k = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"row {table[k].tolist()}",
            where=f"{where}:{rows[k]}",
            expected="finite numbers: a whole address > 0, 1e-3 to 1e9 ns, resistances > 0",
        )
    if (voltage < 0).any():
        k = int(np.flatnonzero(voltage < 0)[0])
        raise DataError(
            f"V_SL = {voltage[k]:g} V", where=f"{where}:{rows[k]}",
            expected="a RESET staircase, V_SL >= 0",
            remedy="leave out SET pulses; give the magnitude if the sign is a convention",
        )  # fmt: skip
    new = np.r_[True, (address[1:] != address[:-1]) | (voltage[1:] <= voltage[:-1])]
    late = new & (voltage > voltage.min())
    if late.any():
        k = int(np.flatnonzero(late)[0])
        raise DataError(
            f"a ramp starts at {voltage[k]:g} V",
            where=f"{where}:{rows[k]}",
            expected=f"every ramp from {voltage.min():g} V upwards",
        )
    ramp = np.cumsum(new) - 1
    first = np.flatnonzero(new)
    _refuse_set(rows, before, after, first[ramp], where)
    _warn_of_units(rows, before, after, first, where)
    if voltage.max() > HIGHEST:
        warnings.warn(
            f"{where}: V_SL up to {voltage.max():g} V looks like millivolts; the column must be in "
            "volts", stacklevel=2,
        )  # fmt: skip
    _warn_of_lost_restarts(address[first], where)
    cycle = np.zeros(len(first), np.int64)
    for device in np.unique(address[first]):
        mine = address[first] == device
        cycle[mine] = np.arange(mine.sum())

    def variable(values: np.ndarray, units: str = "1") -> tuple[str, np.ndarray, dict[str, str]]:
        return ("point", values, {"units": units})

    return xr.Dataset(
        {
            "device": variable(address.astype(np.int64).astype(str)),
            "cycle": variable(cycle[ramp]),
            "pulse_index": variable(np.arange(len(ramp)) - first[ramp]),
            "pulse_voltage": variable(voltage, "V"),
            "pulse_width": variable(width_ns * 1e-9, "s"),
            "resistance_before": variable(before, "Ohm"),
            "resistance_after": variable(after, "Ohm"),
        },
        attrs={
            "kind": "resistance_pulses",
            "source": Path(where).name,
            "sha256": sha256(content),
            "metadata": "{}",
        },
    )


def ramps(dataset: xr.Dataset) -> Ramps:
    """Arrange resistance pulses as one row a ramp.

    Parameters
    ----------
    dataset : xarray.Dataset
        Resistance pulses, ramp by ramp.

    Returns
    -------
    Ramps
        Resistance before each ramp and after each of its pulses, by voltage.

    Raises
    ------
    DataError
        If the data are not resistance pulses or do not begin with a first pulse.

    Examples
    --------
    >>> ramps(xr.Dataset())
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: data of kind None; expected resistance_pulses
    """
    if dataset.attrs.get("kind") != "resistance_pulses":
        raise DataError(f"data of kind {dataset.attrs.get('kind')}", expected="resistance_pulses")
    start = dataset.pulse_index.values == 0
    if not start[:1].all() or not start.size:
        raise DataError("the first row is not a first pulse", expected="pulse_index = 0")
    voltage, column = np.unique(dataset.pulse_voltage.values, return_inverse=True)
    if len(voltage) < 2:
        raise DataError(
            f"all pulses at {voltage[0]:g} V", where=dataset.attrs.get("source", ""),
            expected="a staircase of voltages", remedy="sweep V_SL, not V_WL",
        )  # fmt: skip
    after = np.full((start.sum(), len(voltage)), np.nan)
    after[np.cumsum(start) - 1, column] = dataset.resistance_after.values
    lrs = dataset.resistance_before.values[start]
    return Ramps(dataset.device.values[start], voltage, lrs, after)


def pulse_width(dataset: xr.Dataset) -> float:
    """Give the one width that all pulses of a file have.

    Parameters
    ----------
    dataset : xarray.Dataset
        Resistance pulses.

    Returns
    -------
    float
        The width [s].

    Raises
    ------
    DataError
        If there are several.

    Examples
    --------
    >>> pulse_width(xr.Dataset({"pulse_width": ("point", [2e-7, 2e-7])}))
    2e-07
    """
    widths = np.unique(dataset.pulse_width.values)
    if len(widths) > 1:
        raise DataError(
            f"{len(widths)} pulse widths, {widths[0]:g} to {widths[-1]:g} s",
            where=dataset.attrs.get("source", ""), expected="one",
            remedy="one file for each width: energies and the fit need it",
        )  # fmt: skip
    return float(widths[0])


def _refuse_set(
    rows: list[int], before: Array, after: Array, start: NDArray[np.intp], where: str
) -> None:
    """Refuse a cell that was set within a ramp; `start` is the first row of each row's ramp."""
    own = before[start]  # the initial resistance of the ramp
    again = (before < SAME_STATE * own) & (before > own / RESET_STATE)
    again &= np.r_[0.0, after[:-1]] > RESET_STATE * own
    again &= np.arange(len(start)) > start
    if again.any():
        k = int(np.flatnonzero(again)[0])
        raise DataError(
            f"the cell was set within a ramp: {after[k - 1]:g} Ohm, then {before[k]:g} Ohm",
            where=f"{where}:{rows[k]}", expected="a ramp that starts again after every SET",
            remedy="leave out the rows from the SET to the next start at the lowest voltage",
        )  # fmt: skip


def _warn_of_units(
    rows: list[int], before: Array, after: Array, first: NDArray[np.intp], where: str
) -> None:
    """Warn of resistances whose magnitude suggests another unit than Ohm."""
    lrs = before[first]
    typical = float(np.median(lrs))
    advice = "is it kOhm? Give all resistances in Ohm"
    if typical < LEAST_LRS:
        warnings.warn(
            f"{where}: initial resistances of {typical:g} Ohm in the median, below that of an "
            f"access transistor; {advice}", stacklevel=3,
        )  # fmt: skip
    strange = np.minimum(before, after) < typical / OTHER_UNIT
    strange[first] |= lrs > typical * OTHER_UNIT
    if strange.any():
        k = int(np.flatnonzero(strange)[0])
        warnings.warn(
            f"{where}:{rows[k]}: {before[k]:g} and {after[k]:g} Ohm, far from the median initial "
            f"resistance of {typical:g} Ohm ({strange.sum()} such rows); {advice}", stacklevel=3,
        )  # fmt: skip


def _warn_of_lost_restarts(device: Array, where: str) -> None:
    """Warn of a device with a single ramp where others have many: its restarts may be lost."""
    names, counts = np.unique(device, return_counts=True)
    if np.median(counts) >= MANY_RAMPS and counts.min() == 1:
        few = names[counts == 1]
        warnings.warn(
            f"{where}: device {few[0]:g} has 1 ramp, others {np.median(counts):g} "
            f"({len(few)} such devices); are rows at the lowest voltage missing?", stacklevel=3,
        )  # fmt: skip


def _table(text: str, where: str) -> tuple[list[int], Array]:
    """Give the line numbers and the numbers of all rows that are not blank."""
    rows, values = [], []
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.split("\t")
        if not line.strip():
            continue
        try:
            if len(cells) != N_COLUMNS:
                raise ValueError(f"{len(cells)} columns")
            values.append([parse_number(cell.strip()) for cell in cells])
        except ValueError as err:
            raise DataError(
                str(err),
                where=f"{where}:{number}",
                expected="6 numbers, tab-separated: address, ns, V_SL, V_WL, R before, R after",
            ) from err
        rows.append(number)
    if not rows:
        raise DataError("no data rows", where=where, expected="at least one row")
    return rows, np.array(values)
