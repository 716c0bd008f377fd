"""Which parameters of a junction a set of data kinds can tell, and what its headers say of them.

A parameter is free where a kind that depends on it was measured, given where a header states it,
and left out where nothing needs it. Lines above the headers of the files decide otherwise:

``# fixed_NAME: VALUE REASON``
    it keeps this value;
``# tied_NAME: FACTOR OTHER REASON``
    it is the factor times another parameter;
``# prior_NAME: VALUE SIGMA ORIGIN``
    it is known beforehand, sigma being that of its logarithm (of `h_stray`: its own).

Values are in SI units; a reason is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
import xarray as xr

from devicephys.checks import known
from devicephys.errors import DataError, ParameterError
from devicephys.fitting import counts, problem, switching_fields
from devicephys.fitting.junction_data import DRIVES, direction_of
from devicephys.fitting.problem import Prior, Unknown
from devicephys.fitting.wer_data import i_c0_name
from devicephys.io.files import parse_number
from devicephys.mram.junction import bias_tmr
from devicephys.parameters import DIRECTIONS, MTJ

LIMITS = {  # far outside what a junction shows
    "delta": (15.0, 200.0), "i_c0_p_ap": (1e-7, 1e-2), "i_c0_ap_p": (1e-7, 1e-2),
    "t_d": (1e-11, 1e-6), "r_p": (1.0, 1e8), "tmr": (1e-2, 20.0), "v_h": (0.02, 10.0),
    "h_stray": (-0.5, 0.5), "h_k": (1e3, 1e7),
}  # fmt: skip
UNITS = {f.name: (f.metadata["unit"], f.metadata["symbol"]) for f in fields(MTJ)} | {
    "h_k": ("A/m", "H_k")
}
STATED = {"r_p": "r_p_ohm", "tmr": "tmr", "v_h": "v_h_V"}  # lines of the header
CONSTANTS = ("lam", "bloch", "k_exponent", "shape_field")  # of `MTJ`, where the header has them
DELTA = 60.0  # where the search for H_k begins without write errors
ORDERS = ("fixed", "tied", "prior")
FIELD = 0.01  # where h_stray starts without switching fields: its slopes need a size


@dataclass(frozen=True)
class Parameters:
    """The parameters of a joint fit, and what was decided about them.

    Attributes
    ----------
    unknowns : tuple of Unknown
        Free, fixed and tied ones.
    notes : tuple of str
        What is not free, and why.
    """

    unknowns: tuple[Unknown, ...]
    notes: tuple[str, ...]


def unknowns(
    datasets: Mapping[str, xr.Dataset], header: Mapping[str, str], temperature: float, where: str
) -> Parameters:
    """Choose the parameters of a joint fit.

    Parameters
    ----------
    datasets : mapping of str to xarray.Dataset
        Data by kind.
    header : mapping of str to str
        Lines above the headers of all files.
    temperature : float
        Temperature at which the parameters hold [K].
    where : str
        The folder, for messages.

    Returns
    -------
    Parameters
        The parameters, with starting values.

    Raises
    ------
    DataError
        If the header lacks something, says something of a parameter that is not there, or
        something that cannot be read.

    Examples
    --------
    See docs/theory/joint_fits.md.
    """
    told = _told(datasets)
    values = _start(datasets, header, where)
    made, notes = {}, []
    for name in told:
        made[name] = _free(name, values.get(name))
    for name in needed(datasets):
        if name not in made and name in values:
            made[name] = fixed(name, values[name])
            notes.append(f"{name} is given by the header: no data tell it")
    if "h_stray" not in made:
        made["h_stray"] = fixed("h_stray", 0.0)
        notes.append("h_stray is taken as 0: no data tell it from the other parameters")
    made["temperature"] = fixed("temperature", temperature)
    _one_order_each(header, where)
    for name in CONSTANTS:
        if name in header:
            made[name] = fixed(name, _number(header, name, where))
            notes.append(f"{name} is given by the header")
    for key, text in sorted(header.items()):
        order, _, name = key.partition("_")
        if order in ORDERS:
            try:
                known("parameter", name, LIMITS)
                before = made[name].value if name in made else None
                made[name], said = _decided(order, _free(name, before), text)
            except (ValueError, ParameterError) as err:
                raise DataError(
                    f"metadata {key}: {text!r} ({err})", where=where,
                    expected="fixed: VALUE REASON; tied: FACTOR OTHER REASON; "
                    "prior: VALUE SIGMA ORIGIN",
                ) from err  # fmt: skip
            notes = [n for n in notes if not n.startswith(f"{name} is")] + [said]
    missing = [name for name in needed(datasets) if name not in made]
    missing += [u.tied[0] for u in made.values() if u.tied and u.tied[0] not in made]
    alone = "t_d" in made and not any(k in datasets for k in DRIVES)
    if alone and made["t_d"].vary and made["t_d"].prior is None:
        missing.append("t_d")
    if missing:
        raise DataError(
            f"nothing tells {', '.join(dict.fromkeys(missing))}", where=where,
            expected="a kind of data that depends on it, or a line of a header",
            remedy=f"for example '# {STATED.get(missing[0], 'fixed_' + missing[0])}: ...'",
        )  # fmt: skip
    try:
        problem.check(tuple(made.values()))
    except ParameterError as err:
        raise DataError(f"{where}: {err}") from err
    return Parameters(tuple(made.values()), tuple(notes))


def _one_order_each(header: Mapping[str, str], where: str) -> None:
    for name in LIMITS:
        said = [f"{order}_{name}" for order in ORDERS if f"{order}_{name}" in header]
        if len(said) > 1:
            raise DataError(
                f"metadata {' and '.join(said)}: {name} cannot be both", where=where,
                expected="one of them", remedy="leave out the others above the headers",
            )  # fmt: skip


def needed(datasets: Mapping[str, xr.Dataset]) -> tuple[str, ...]:
    """List the parameters that the models of some kinds depend on, besides constants.

    Parameters
    ----------
    datasets : mapping of str to xarray.Dataset
        Data by kind.

    Returns
    -------
    tuple of str
        Names.

    Examples
    --------
    >>> needed({"resistance_loop": xr.Dataset()})
    ('r_p', 'tmr', 'v_h')
    """
    names: list[str] = []
    if set(datasets) - {"resistance_loop"}:
        names += ["delta", "t_d"]
    for kind in (*DRIVES, "read_disturb_counts"):
        if kind in datasets:
            there = datasets[kind].direction.values
            names += [i_c0_name(d) for d in DIRECTIONS if (there == d).any()]
    if {"resistance_loop", "wer_counts_voltage"} & set(datasets):
        names += ["r_p", "tmr", "v_h"]
    if "switching_fields" in datasets:
        names += ["h_k"]
    return tuple(dict.fromkeys(names))


def fixed(name: str, value: float) -> Unknown:
    """Give a parameter that is not fitted.

    Parameters
    ----------
    name : str
        A field of `MTJ`, or h_k.
    value : float
        Its value [SI].

    Returns
    -------
    Unknown
        The parameter.

    Examples
    --------
    >>> fixed("h_stray", 0.0).vary
    False
    """
    low, high = value - abs(value) - 1.0, value + abs(value) + 1.0
    return Unknown(name, *UNITS[name], low, high, value, vary=False, log=False)


def _free(name: str, value: float | None) -> Unknown:
    low, high = LIMITS[name]
    inside = None if value is None else float(np.clip(value, low, high))
    return Unknown(name, *UNITS[name], low, high, inside, log=name != "h_stray")


def _told(datasets: Mapping[str, xr.Dataset]) -> tuple[str, ...]:
    """Parameters that the data tell, in the order of reports."""
    free = set(needed(datasets))
    if "resistance_loop" not in datasets:
        free -= {"r_p", "tmr", "v_h"}
    sides = [
        np.unique(d["state" if "state" in d else "direction"])
        for kind, d in datasets.items() if kind != "resistance_loop"
    ]  # fmt: skip
    if any(len(side) == 2 for side in sides):  # which the stray field moves oppositely
        free |= {"h_stray"}
    return tuple(name for name in LIMITS if name in free)


def _decided(order: str, u: Unknown, text: str) -> tuple[Unknown, str]:
    """A parameter as a line of the header wants it, and the sentence that says so."""
    said = {"fixed": 1, "tied": 2, "prior": 2}[order]  # words before the reason
    words, reason = text.split()[:said], " ".join(text.split()[said:])
    if not reason:
        raise ValueError("too few words")
    value = parse_number(words[0])
    if order == "fixed":
        return replace(u, value=value, vary=False), f"{u.name} is fixed: {reason}"
    if order == "tied":
        sentence = f"{u.name} is {value:g} times {words[1]}: {reason}"
        return replace(u, tied=(words[1], value), prior=None), sentence
    sentence = f"{u.name} is known beforehand as {value:g} +- {words[1]}: {reason}"
    begin = value if u.value is None else u.value
    return replace(u, value=begin, prior=Prior(value, parse_number(words[1]), reason)), sentence


def _number(header: Mapping[str, str], key: str, where: str) -> float:
    try:
        return parse_number(header[key])
    except ValueError as err:
        raise DataError(
            f"metadata {key}: {header[key]!r}", where=where, expected="a number"
        ) from err


def _start(
    datasets: Mapping[str, xr.Dataset], header: Mapping[str, str], where: str
) -> dict[str, float]:
    """Values to start from, and those that the header gives."""
    keys = {key: name for name, key in STATED.items()}
    keys |= {f"{order}_{name}": name for order in ("prior", "fixed") for name in LIMITS}
    given = {
        name: _number({key: " ".join(header[key].split()[:1])}, key, where)
        for key, name in keys.items() if key in header
    }  # fmt: skip
    values = dict(given)
    if "resistance_loop" in datasets:
        values |= _of_loop(datasets["resistance_loop"])
    writes = [_counts(kind, datasets[kind], values) for kind in DRIVES if kind in datasets]
    if writes:
        for each in reversed(writes):  # those against current last: they need no resistance
            values |= counts.start([each])
    elif "read_disturb_counts" in datasets:
        largest = float(datasets["read_disturb_counts"].read_current.values.max())
        values |= dict.fromkeys(("i_c0_p_ap", "i_c0_ap_p"), 2 * largest)
    values |= given
    if "switching_fields" in datasets and "t_d" in values:
        fields_ = switching_fields.grouped(datasets["switching_fields"])
        values |= switching_fields.start(fields_, values.get("delta", DELTA), values["t_d"])
    return {"h_stray": FIELD} | values | given


def _of_loop(loop: xr.Dataset) -> dict[str, float]:
    """Resistances at the smallest voltages."""
    small = []
    for state in ("P", "AP"):
        mine = loop.state.values == state
        if not mine.any():
            raise DataError(
                f"no resistance of state {state}", where=str(loop.attrs.get("source", "")),
                expected="a loop through both states",
            )  # fmt: skip
        order = np.argsort(np.abs(loop.voltage.values[mine]))
        small.append(float(np.median(loop.resistance.values[mine][order[:5]])))
    return {"r_p": small[0], "tmr": max(small[1] / small[0] - 1, 0.1), "v_h": 0.5}


def _counts(kind: str, dataset: xr.Dataset, values: Mapping[str, float]) -> counts.Counts:
    """Counts as the closed form takes them, a voltage over the resistance of the initial state."""
    drive = DRIVES[kind]
    directions = [d for d in DIRECTIONS if (dataset.direction.values == d).any()]
    index = np.array([directions.index(direction_of(d)) for d in dataset.direction.values])
    level = dataset[f"pulse_{drive}"].values
    if drive == "voltage" and {"r_p", "tmr", "v_h"} <= set(values):
        tmr = bias_tmr(level, values["tmr"], values["v_h"])
        of_ap = dataset.direction.values == "AP->P"
        level = level / (values["r_p"] * np.where(of_ap, 1 + tmr, 1.0))
    return counts.Counts(
        k=dataset.n_errors.values.astype(np.float64),
        n=dataset.n_trials.values.astype(np.float64),
        log_drive=np.log(level), log_width=np.log(dataset.pulse_width.values),
        log_delta=np.zeros(len(level)), index=index,
        critical=tuple(i_c0_name(d) for d in directions),
    )  # fmt: skip
