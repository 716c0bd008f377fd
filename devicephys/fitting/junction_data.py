"""Data of one junction as a fit sees them: one block a kind, all on one record of parameters.

Every block builds the junction (`MTJ`) from the values of the fit and asks the engine, so that a
parameter means the same in all kinds. What a kind depends on is remembered: a step in a parameter
that it does not know costs nothing, and simulated data reuse the model.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from devicephys.checks import Array, in_range
from devicephys.errors import DataError
from devicephys.fitting.chart import SAFE
from devicephys.fitting.counts import Model, counted
from devicephys.fitting.problem import Block, Values
from devicephys.fitting.wer_data import i_c0_name
from devicephys.mram import thermal
from devicephys.mram.junction import (
    angular_resistance,
    at_temperature,
    bias_tmr,
    seen_from_start,
)
from devicephys.mram.pulse import Drive
from devicephys.mram.square_pulse import log_write_error_rate
from devicephys.mram.switching_field import log_rate
from devicephys.parameters import DIRECTIONS, MTJ, Direction

FIELDS = tuple(f.name for f in fields(MTJ))
UNUSED = dict.fromkeys(("i_c0_p_ap", "i_c0_ap_p", "r_p", "tmr"), 1.0)  # where no data need them
AT_REST = ("delta", "t_d", "h_stray", "temperature", "bloch", "k_exponent", "shape_field")
DRIVES: Mapping[str, Drive] = MappingProxyType(
    {"wer_counts": "current", "wer_counts_voltage": "voltage"}
)
REMEMBERED = 8  # values of a model, around one point of a fit
LEAST = 1e-300  # of a probability
NEIGHBOURS = 4  # points whose scatter about a parabola tells the error of a resistance
LEAST_SCATTER = 34  # such groups: the error to 17 %, and voltages so dense that a parabola holds

Names = Sequence[str]


def junction(values: Values) -> MTJ:
    """Build the record of a junction from the values of a fit.

    Parameters
    ----------
    values : mapping of str to float
        Values by name; names that are no fields of `MTJ` are left out, and a critical current or
        resistance that no data need may be missing [SI].

    Returns
    -------
    MTJ
        The record.

    Examples
    --------
    >>> junction({"delta": 60.0, "t_d": 1e-9, "h_k": 3e5}).delta
    60.0
    """
    return MTJ(**(UNUSED | {name: values[name] for name in FIELDS if name in values}))


def remembered(names: Names, model: Model) -> Model:
    """Give a model that is computed anew only where a value that it depends on has changed.

    Parameters
    ----------
    names : sequence of str
        Parameters that the model depends on.
    model : callable
        Values -> result; it sees no other parameters.

    Returns
    -------
    callable
        The same model.

    Examples
    --------
    >>> calls = []
    >>> model = remembered(["a"], lambda v: calls.append(1) or np.array([v["a"]]))
    >>> [float(model({"a": 2.0, "b": b})[0]) for b in (1.0, 2.0)], len(calls)
    ([2.0, 2.0], 1)
    """

    @lru_cache(maxsize=REMEMBERED)
    def at(*items: tuple[str, float]) -> Array:
        result = model(dict(items))
        result.flags.writeable = False
        return result

    return lambda values: at(*((name, values[name]) for name in names if name in values))


def write_errors(dataset: xr.Dataset, kind: str) -> Block:
    """Give write-error counts against current or voltage as data of a fit.

    Valid for axisymmetric macrospins under square pulses, a voltage being that across the
    junction alone. Exact for the record: stray field, Slonczewski's Lambda and, under voltage, the
    load line at every angle count.

    Parameters
    ----------
    dataset : xarray.Dataset
        Counts as `io.tidy_csv.read` gives them.
    kind : {"wer_counts", "wer_counts_voltage"}
        Their kind.

    Returns
    -------
    Block
        The counts.

    Examples
    --------
    >>> from devicephys.data import path
    >>> from devicephys.io.tidy_csv import read
    >>> write_errors(read(path("synthetic_stt_mram_wer.csv")), "wer_counts").size
    832
    """
    drive = DRIVES[kind]
    atol = SAFE / float(dataset.n_trials.max())
    level, width = dataset[f"pulse_{drive}"].values, dataset.pulse_width.values
    electrical = ("r_p", "tmr", "v_h") if drive == "voltage" else ()

    def of(direction: str, temperature: float, mine: NDArray[np.intp]) -> tuple[Names, Model]:
        write = direction_of(direction)

        def model(values: Values) -> Array:
            mtj = at_temperature(junction(values), temperature)
            return log_write_error_rate(mtj, drive, level[mine], width[mine], write, atol=atol)

        return (*AT_REST, "lam", i_c0_name(write), *electrical), model

    return _grouped(kind, dataset, "direction", of)


def retention(dataset: xr.Dataset) -> Block:
    """Give counts of bits lost in storage as data of a fit.

    The same as `thermal.retention_failure`, and valid as it is.

    Parameters
    ----------
    dataset : xarray.Dataset
        Counts of kind "retention_counts".

    Returns
    -------
    Block
        The counts.

    Examples
    --------
    See docs/theory/joint_fits.md.
    """
    time = dataset.wait_time.values

    def of(state: str, temperature: float, mine: NDArray[np.intp]) -> tuple[Names, Model]:
        write: Direction = "P->AP" if state == "P" else "AP->P"

        def model(values: Values) -> Array:
            mtj = at_temperature(junction(values), temperature)
            return _logs(_flipped(mtj, np.zeros(1), time[mine], write))

        return AT_REST, model

    return _grouped("retention_counts", dataset, "state", of)


def read_disturb(dataset: xr.Dataset) -> Block:
    """Give counts of bits flipped by reads as data of a fit.

    The same as `thermal.read_disturb`, and valid as it is: below the critical current, without
    heating.

    Parameters
    ----------
    dataset : xarray.Dataset
        Counts of kind "read_disturb_counts".

    Returns
    -------
    Block
        The counts.

    Examples
    --------
    See docs/theory/joint_fits.md.
    """
    current, width = dataset.read_current.values, dataset.pulse_width.values

    def of(direction: str, temperature: float, mine: NDArray[np.intp]) -> tuple[Names, Model]:
        write = direction_of(direction)

        def model(values: Values) -> Array:
            mtj = at_temperature(junction(values), temperature)
            return _logs(_flipped(mtj, current[mine], width[mine], write))

        return (*AT_REST, "lam", i_c0_name(write)), model

    return _grouped("read_disturb_counts", dataset, "direction", of)


def _flipped(mtj: MTJ, current: Array, time: Array, direction: Direction) -> Array:
    """As `thermal.read_disturb`, by the rate in closed form where the drift is straight."""
    if mtj.lam != 1 and current.any():
        return thermal.read_disturb(mtj, current, time, direction)
    x = current / mtj.i_c0(direction) - seen_from_start(mtj, direction)[0]
    out, back = (np.exp(log_rate(sign * x, mtj.delta)) / mtj.t_d for sign in (1, -1))
    return thermal.flip_probability(out, back, time)


def _logs(p: Array) -> Array:
    return np.asarray(np.log(np.clip(p, LEAST, 1.0)))


def direction_of(text: str) -> Direction:
    """Give the direction that a cell of a file names.

    Parameters
    ----------
    text : str
        "P->AP" or "AP->P".

    Returns
    -------
    str
        The direction.

    Raises
    ------
    DataError
        If it is neither.

    Examples
    --------
    >>> direction_of("AP->P")
    'AP->P'
    """
    for direction in DIRECTIONS:
        if text == direction:
            return direction
    raise DataError(f"direction {text!r}", expected=" or ".join(DIRECTIONS))


def _grouped(
    name: str, dataset: xr.Dataset, by: str,
    of: Callable[[str, float, NDArray[np.intp]], tuple[Names, Model]],
) -> Block:  # fmt: skip
    """Join the models of the points that share a direction or state, and a temperature."""
    groups = []
    keys = list(zip(dataset[by].values.tolist(), dataset.temperature.values.tolist(), strict=True))
    for key in dict.fromkeys(keys):
        mine = np.flatnonzero([k == key for k in keys])
        groups.append((mine, remembered(*of(*key, mine))))

    def log_p(values: Values) -> Array:
        logs = np.empty(len(keys))
        for mine, model in groups:
            logs[mine] = model(values)
        return logs

    k, n = (dataset[x].values.astype(np.float64) for x in ("n_errors", "n_trials"))
    return counted(name, k, n, log_p)


def resistance_loop(dataset: xr.Dataset, error: float | None = None) -> Block:
    """Give resistances of both states against voltage as data of a fit.

    Valid up to about 2 V_h: R_P does not depend on the voltage, and the TMR falls as
    TMR_0/(1 + V^2/V_h^2). The voltage is that across the junction alone.

    Parameters
    ----------
    dataset : xarray.Dataset
        Data of kind "resistance_loop".
    error : float, optional
        Relative standard deviation of a resistance, > 0, kept during the fit; that of `scatter`
        if not given, estimated anew in all data that are drawn: deviances then scatter in them
        as that of the data does [1].

    Returns
    -------
    Block
        Residuals of ln R over the error.

    Raises
    ------
    ParameterError
        If the error is not positive.
    DataError
        If it is not given and `scatter` cannot tell it.

    Examples
    --------
    See docs/theory/joint_fits.md.
    """
    if error is not None:
        in_range("resistance_error", error, "1", above=0, scalar=True)
    cosine = np.where(dataset.state.values == "P", 1.0, -1.0)
    voltage, log_r = dataset.voltage.values, np.log(dataset.resistance.values)
    if error is None:
        error, groups = scatter(dataset), _groups(voltage, dataset.state.values)
        return _resistances(voltage, cosine, log_r, error, lambda x: _spread_of(groups, x))
    stated = float(error)
    return _resistances(voltage, cosine, log_r, stated, lambda x: stated)


def _resistances(
    voltage: Array, cosine: Array, log_r: Array, error: float, estimate: Callable[[Array], float]
) -> Block:
    def model(values: Values) -> Array:
        tmr = bias_tmr(voltage, values["tmr"], values["v_h"])
        return np.asarray(np.log(angular_resistance(cosine, values["r_p"], tmr)))

    def drawn(values: Values, rng: np.random.Generator) -> Block:
        scattered = model(values) + error * rng.standard_normal(len(log_r))
        return _resistances(voltage, cosine, scattered, estimate(scattered), estimate)

    return Block(
        "resistance_loop", len(log_r), lambda values: (log_r - model(values)) / error, drawn
    )


def scatter(dataset: xr.Dataset) -> float:
    """Estimate the relative error of resistances from neighbouring points of a loop.

    Valid for errors that do not depend on each other, and points so dense that ln R is a parabola
    over four of them: each four give one contrast to which a parabola adds nothing. With 20
    voltages a state from -0.45 to 0.45 V and V_h = 0.55 V the curvature that is left adds 2 % to
    an error of 0.1 %. A single estimate scatters by 17 % there.

    Parameters
    ----------
    dataset : xarray.Dataset
        Data of kind "resistance_loop".

    Returns
    -------
    float
        Standard deviation of ln R [1].

    Raises
    ------
    DataError
        If there are too few points, or they do not scatter.

    References
    ----------
    Gasser, Sroka and Jennen-Steinmetz, Biometrika 73 (1986) 625, doi:10.1093/biomet/73.3.625.

    Examples
    --------
    >>> rng, v = np.random.default_rng(1), np.linspace(-0.5, 0.5, 400)
    >>> r = xr.Dataset({"state": ("point", ["P"] * 400), "voltage": ("point", v),
    ...                 "resistance": ("point", 4e3 * np.exp(0.01 * rng.standard_normal(400)))})
    >>> bool(0.009 < scatter(r) < 0.011)
    True
    """
    groups = _groups(dataset.voltage.values, dataset.state.values)
    n = len(groups[0])
    found = _spread_of(groups, np.log(dataset.resistance.values)) if n >= LEAST_SCATTER else 0.0
    if not found > 0:
        raise DataError(
            f"the error of the resistances cannot be told from {n} groups of neighbours",
            where=str(dataset.attrs.get("source", "")),
            expected=f"{LEAST_SCATTER} groups that scatter, as of 20 voltages a state",
            remedy="state it above the header: '# resistance_error: 0.002', a relative one",
        )
    return found


def _groups(voltage: Array, state: Array) -> tuple[NDArray[np.intp], Array]:
    """Neighbouring points of a state, and their contrast across every parabola, of length one."""
    rows, contrasts = [np.empty((0, NEIGHBOURS), np.intp)], [np.empty((0, NEIGHBOURS))]
    for name in ("P", "AP"):
        mine = np.flatnonzero(state == name)
        mine = mine[np.argsort(voltage[mine], kind="stable")]
        if len(mine) < NEIGHBOURS:
            continue
        group = np.lib.stride_tricks.sliding_window_view(mine, NEIGHBOURS)
        at = voltage[group] - voltage[group].mean(axis=1, keepdims=True)
        at = at / np.maximum(np.abs(at).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        powers = np.stack([np.ones_like(at), at, at**2], axis=1)
        rows.append(group)
        contrasts.append(np.linalg.svd(powers)[2][:, -1])
    return np.concatenate(rows), np.concatenate(contrasts)


def _spread_of(groups: tuple[NDArray[np.intp], Array], log_r: Array) -> float:
    rows, contrasts = groups
    return float(np.sqrt(np.mean((contrasts * log_r[rows]).sum(axis=1) ** 2)))
