"""Bit error rate and energy of filament cells over operating points: the numbers of a table.

Every point starts from the LRS, all sites filled, and gets a train of equal RESET pulses. What is
read is a `mixture.Mixture`: filled sites from the master equation, devices by quadrature, read
noise, and relaxation where a law for it is given.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import Array, in_range, known
from devicephys.ecc import Code, coded, secded
from devicephys.errors import ParameterError
from devicephys.parameters import INF
from devicephys.rram.filament import ROOM, Filament
from devicephys.rram.master_equation import filled, propagate, quadrature
from devicephys.rram.mixture import Mixture, log_normal
from devicephys.rram.programming import aged, level_spread, read_spread, state
from devicephys.rram.read_noise import ReadNoise
from devicephys.rram.relaxation import Relaxation
from devicephys.rram.threshold import Policy, pair_error, threshold_error, thresholds

AXES = ("pulse_voltage", "pulse_width", "pulses", "temperature", "time")
CODE = secded(64)
CODED: Mapping[str, Code] = {f"1T1R + {CODE.name}": CODE}
KINDS = ("1T1R", "2T2R", *CODED)
NODES = 161  # of the barrier: error rates of 1e-3 are then within 1e-3 of their value
BOUNDS = ((0, 20), (0, 1), (0, 1e9), (50, 1000), (0, 1e12))  # of AXES: beyond, a unit is another
UNITS = ("V", "s", "1", "K", "s")
DEFAULTS: Mapping[str, ArrayLike] = {"pulses": (1,), "temperature": (ROOM,), "time": (0.0,)}
SI = "volt, second, kelvin"
VALUES = ("ber", "p01", "p10", "energy_per_bit")
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class ResistiveCell:
    """A resistive cell, its reading circuit, and what happens to it after programming.

    Attributes
    ----------
    filament : Filament
        The median device and its spreads.
    sigma_lrs : float
        Standard deviation of ln R in the LRS as it is read, noise included [1].
    noise : ReadNoise
        Noise of a read.
    s_ref : float
        Standard deviation of the threshold of a 1T1R cell in ln R [1].
    s_sa : float
        Standard deviation of the offset of a 2T2R sense amplifier in ln R [1].
    threshold : {"ideal", "array-wide", "drifting"}
        Threshold of 1T1R cells: the best at every point; one for all temperatures and times; the
        best at the first temperature and time, kept.
    i_max : float
        Saturation current of the transistor, or compliance [A].
    relaxation : Relaxation or None
        How conductance relaxes after programming; needed for an axis of time.
    """

    filament: Filament
    sigma_lrs: float
    noise: ReadNoise
    s_ref: float = 0.0
    s_sa: float = 0.0
    threshold: Policy = "ideal"
    i_max: float = INF
    relaxation: Relaxation | None = None

    def __post_init__(self) -> None:
        for name in ("sigma_lrs", "s_ref", "s_sa"):
            in_range(f"ResistiveCell.{name}", getattr(self, name), "1", above=0, inclusive=True)
        read = float(np.max(read_spread(self.noise, self.filament.r_on)))
        if read > self.sigma_lrs:
            raise ParameterError(
                f"ResistiveCell.sigma_lrs = {self.sigma_lrs:g}", expected=f"at least {read:.3g}",
                remedy="it is that of reads, and holds the noise of a read at r_on",
            )  # fmt: skip


def operating_points(
    cell: ResistiveCell, axes: Mapping[str, Array], progress: Progress = lambda done, total: None
) -> dict[str, Array]:
    """Compute error rates and energy over a grid of operating points.

    Valid as `master_equation.propagate` for the programming; errors of reading are exact sums over
    the distributions. Energy is that of the RESET pulses in cell and transistor, V times I over
    their course, for a cell or pair that gets them: a pair does at every write, a 1T1R cell, with
    random data, at every second one. SET and reads are not included; cells of a code count as
    often as they are there.

    Parameters
    ----------
    cell : ResistiveCell
        The cell.
    axes : mapping of str to ndarray
        Any of ``pulse_voltage`` [V], ``pulse_width`` [s], ``pulses`` [1], ``temperature`` [K] and
        ``time`` since programming, each rising, shape (n,); the first two are needed [s].
    progress : callable, optional
        Called with (points done, points in all).

    Returns
    -------
    dict of str to ndarray
        ``ber``, ``p01``, ``p10`` and ``energy_per_bit``, each of shape (kinds of cell, then the
        five axes in the order above; an axis that is not given has length 1) [1 and J].

    Raises
    ------
    ParameterError
        If an axis is unknown, missing, does not rise or is outside its range; a voltage of the
        wrong polarity for RESET is one.

    References
    ----------
    This project's, docs/theory/filament.md and docs/theory/cells.md.

    Examples
    --------
    >>> from devicephys.rram.read_noise import measured_hfo2
    >>> made = Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6, sigma_e=0.09)
    >>> cell = ResistiveCell(made, 0.024, measured_hfo2())
    >>> found = operating_points(cell, {"pulse_voltage": [0.9, 1.2], "pulse_width": [200e-9]})
    >>> found["ber"].reshape(3, 2).round(3).tolist()
    [[0.132, 0.0], [0.082, 0.0], [0.14, 0.0]]
    """
    grid = checked_axes({name: np.atleast_1d(axis) for name, axis in axes.items()}, cell)
    shape = tuple(len(grid[name]) for name in AXES)
    found = {name: np.empty((len(KINDS), *shape)) for name in VALUES}
    nodes, weight = quadrature(cell.filament, NODES)
    sigma = level_spread(cell.filament, cell.noise, cell.sigma_lrs)
    lrs = log_normal(float(np.log(cell.filament.r_on)), cell.sigma_lrs)
    voltages, temperatures = grid["pulse_voltage"], grid["temperature"]
    for i, voltage in enumerate(voltages):
        trains = [_trains(cell, nodes, voltage, t, grid) for t in temperatures]
        for j, k in product(range(shape[1]), range(shape[2])):
            fresh = [state(cell.filament, p[j][k], weight, sigma) for p, _ in trains]
            lows, highs = _over_time(lrs, fresh, grid["time"], cell.relaxation)
            energy = np.repeat([e[j][k] @ weight for _, e in trains], shape[4])
            rates = _rates(cell, lows, highs, energy)
            for name in VALUES:
                found[name][:, i, j, k] = np.reshape(rates[name], (len(KINDS), *shape[3:]))
        progress((i + 1) * found["ber"][0, 0].size, found["ber"][0].size)
    return found


def checked_axes(axes: Mapping[str, ArrayLike], cell: ResistiveCell) -> dict[str, Array]:
    """Check the axes of a grid and fill in those that are not given.

    Parameters
    ----------
    axes : mapping of str to array_like
        As for `operating_points`, shape (n,) each [V, s, 1, K and s].
    cell : ResistiveCell
        The cell: an axis of time needs its law of relaxation.

    Returns
    -------
    dict of str to ndarray
        All five axes in the order of `AXES`, shape (n,) each [V, s, 1, K and s].

    Raises
    ------
    ParameterError
        If an axis is unknown, missing, does not rise or is outside its range, pulses are no whole
        numbers, or there is no law for an axis of time.

    References
    ----------
    This project's, docs/theory/filament.md.

    Examples
    --------
    >>> from devicephys.rram.read_noise import measured_hfo2
    >>> cell = ResistiveCell(Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6), 0.024,
    ...                      measured_hfo2())
    >>> found = checked_axes({"pulse_voltage": [0.9, 1.2], "pulse_width": [200e-9]}, cell)
    >>> found["temperature"].tolist(), found["pulses"].tolist()
    ([300.0], [1.0])
    """
    for name in axes:
        known("axis of an RRAM table", name, AXES)
    missing = [name for name in AXES[:2] if name not in axes]
    if missing:
        raise ParameterError(f"no axis {missing[0]}", expected="pulse_voltage and pulse_width")
    grid: dict[str, ArrayLike] = dict(DEFAULTS) | dict(axes)
    bounds = dict(zip(AXES, BOUNDS, strict=True))
    units = dict(zip(AXES, UNITS, strict=True))
    remedy = {"pulse_voltage": "a magnitude: RESET is positive here, SET is not tabulated"}
    checked = {
        name: in_range(name, grid[name], units[name], above=bounds[name][0],
                       below=bounds[name][1], inclusive=name == "time", remedy=remedy.get(name, SI))
        for name in AXES
    }  # fmt: skip
    for name, axis in checked.items():
        if axis.ndim != 1 or not axis.size or (np.diff(axis) <= 0).any():
            raise ParameterError(f"axis {name} does not rise", expected="rising numbers")
    if np.any(checked["pulses"] != np.rint(checked["pulses"])):
        raise ParameterError("axis pulses holds fractions", expected="whole numbers of pulses")
    if checked["time"].any() and cell.relaxation is None:
        raise ParameterError(
            "an axis time without a law of relaxation", expected="ResistiveCell.relaxation",
            remedy="give the law measured on these devices, or leave out the axis",
        )  # fmt: skip
    return checked


def _trains(
    cell: ResistiveCell, nodes: Filament, voltage: float, temperature: float,
    grid: Mapping[str, Array],
) -> tuple[list[list[Array]], list[list[Array]]]:  # fmt: skip
    """Distribution and energy after every (width, pulses): pulses add up to one long pulse."""
    durations = np.outer(grid["pulse_width"], grid["pulses"])
    p, energy, before = filled(nodes, nodes.n_sites), np.zeros(np.size(nodes.e_a)), 0.0
    after = {}
    for duration in np.unique(durations):
        p, more = propagate(
            nodes, p, float(voltage), duration - before, temperature=float(temperature),
            i_max=cell.i_max,
        )  # fmt: skip
        energy, before = energy + more, duration
        after[duration] = p, energy
    return (
        [[after[d][0] for d in row] for row in durations],
        [[after[d][1] for d in row] for row in durations],
    )


def _over_time(
    lrs: Mixture, fresh: list[Mixture], times: Array, law: Relaxation | None
) -> tuple[list[Mixture], list[Mixture]]:
    """States of every temperature and time, one after the other."""

    def at(one: Mixture, time: float) -> Mixture:
        return aged(one, time, law) if law is not None and time else one

    return (
        [at(lrs, float(t)) for _ in fresh for t in times],
        [at(hrs, float(t)) for hrs in fresh for t in times],
    )


def _rates(
    cell: ResistiveCell, lows: list[Mixture], highs: list[Mixture], energy: Array
) -> dict[str, Array]:
    """Rates and energy of every kind of cell, shape (kinds, populations)."""
    at = thresholds(cell.threshold, lows, highs, cell.s_ref)
    each = zip(lows, highs, at, strict=True)
    p01, p10 = np.array([threshold_error(*one, cell.s_ref) for one in each]).T
    pair = np.array([pair_error(*one, cell.s_sa) for one in zip(lows, highs, strict=True)])
    rows = [(p01, p10, energy), (pair, pair, energy)]
    for code in CODED.values():
        made = coded(code, p01, p10, energy)
        rows.append((made["p01"], made["p10"], made["energy_per_bit"]))
    zero, one, joule = (np.array(x) for x in zip(*rows, strict=True))
    return {"ber": (zero + one) / 2, "p01": zero, "p10": one, "energy_per_bit": joule}
