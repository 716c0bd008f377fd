"""From a junction and a pulse to the stages that the Fokker-Planck solvers take.

At a level L of the driver the layer feels, in units of t_D, H_k and T of the junction's record,

    f(z) = i(z) (g(z) - h_FL)/m - h - kappa z,    noise = (T/T_0)/(2 Delta m),

with i(z) = I(z)/I_c0 from the load line (`circuit`), g the angular dependence of the torque,
h = +-h_stray, m = M_s(T)/M_s and kappa = H_k(T)/H_k +- V(z) d ln H_k/dV / m. The temperature is
T = T_0 + R_th P with the power P at the initial state: heating that has settled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import Array, in_range, together
from devicephys.errors import ParameterError
from devicephys.mram import free_layer, galerkin, landscape
from devicephys.mram.circuit import Access, bias
from devicephys.mram.fokker_planck import Stage
from devicephys.mram.free_layer import FreeLayer
from devicephys.mram.junction import seen_from_start, thermal_scaling
from devicephys.mram.pulse import Pulse
from devicephys.parameters import MTJ, Direction, OffAxis

STEPS = 2  # of a ramp at the first level; each is of fourth order
GAUSS = (0.5 - np.sqrt(3) / 6, 0.5 + np.sqrt(3) / 6)  # where a step samples its ramp
MIX = 0.5 + np.sqrt(3) / 3  # share of the nearer sample in either half of a step
ROUND_OFF = 1e-13  # relative, of the coefficients of sampled fields
DEVIATIONS = 4  # leading columns of a table of points


@dataclass(frozen=True)
class Deviation:
    """How devices differ from the record: factors on its parameters.

    Attributes
    ----------
    i_c0, delta, t_d, r_p : array_like
        Factors on critical current, thermal stability, damping time and resistance, > 0; shapes
        broadcast with the pulse [1].
    """

    i_c0: ArrayLike = 1.0
    delta: ArrayLike = 1.0
    t_d: ArrayLike = 1.0
    r_p: ArrayLike = 1.0


@dataclass(frozen=True)
class Problem:
    """One write: a junction, the pieces of its pulse, a direction and an access device.

    Attributes
    ----------
    mtj : MTJ
        The junction.
    pulse : Pulse
        The pulse or the table of pulses.
    direction : {"P->AP", "AP->P"}
        The write.
    access : Access
        The access device.
    swept : int
        The piece whose duration is shared by many points: their widths are solved together [1].
    """

    mtj: MTJ
    pulse: Pulse
    direction: Direction
    access: Access
    swept: int


def points(pulse: Pulse, deviation: Deviation) -> tuple[Array, tuple[int, ...], int]:
    """Lay out a table of pulses as rows of numbers.

    Parameters
    ----------
    pulse : Pulse
        The pulses.
    deviation : Deviation
        Factors on the parameters.

    Returns
    -------
    table : ndarray
        The four factors, start and end of each piece, the durations of all pieces but one, the
        duration of that one over the factor on t_D, so that equal columns are equal times of the
        layer; shape (points, columns) [SI].
    shape : tuple of int
        Shape of the table of pulses [1].
    swept : int
        The piece of the last column: the constant one with most durations [1].

    Raises
    ------
    ParameterError
        If a factor is not positive.

    References
    ----------
    This project's design, docs/theory/fokker_planck.md.

    Examples
    --------
    >>> from devicephys.mram.pulse import square
    >>> table, shape, swept = points(square("current", 6e-5, [1e-8, 2e-8]), Deviation())
    >>> table.shape, shape, swept
    ((2, 7), (2,), 0)
    """
    factors = [
        in_range(f"Deviation.{name}", value, "1", above=0)
        for name, value in vars(deviation).items()
    ]
    pieces = pulse.pieces
    counts = [len(np.unique(p.duration)) if np.array_equal(p.start, p.end) else 0 for p in pieces]
    swept = int(np.argmax(counts))
    ends = [x for p in pieces for x in (p.start, p.end)]
    durations = [p.duration for k, p in enumerate(pieces) if k != swept]
    columns = together(
        **dict(zip(vars(deviation), factors, strict=True)),
        **{f"level_{k}": x for k, x in enumerate(ends)},
        **{f"duration_{k}": x for k, x in enumerate([*durations, pieces[swept].duration])},
    )
    columns[-1] = columns[-1] / columns[2]
    return np.stack([c.ravel() for c in columns], axis=1), columns[0].shape, swept


def is_plain(problem: Problem) -> bool:
    """Say whether a write is a square current pulse without effects of voltage or heat.

    Parameters
    ----------
    problem : Problem
        The write.

    Returns
    -------
    bool
        Whether its drift is i g(z) - h - z with one i for all angles.

    References
    ----------
    This project's design, docs/theory/write.md.

    Examples
    --------
    >>> from devicephys.mram.pulse import square
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> is_plain(Problem(mtj, square("voltage", 0.5, 1e-8), "P->AP", Access(), 0))
    False
    """
    square = len(problem.pulse.pieces) == 1
    return square and _same_at_all_angles(problem) and not problem.mtj.h_field_like


def _same_at_all_angles(problem: Problem) -> bool:
    """Whether no voltage and no heat enters, so that the current is that of the driver."""
    mtj = problem.mtj
    return problem.pulse.drive == "current" and not (mtj.h_k_slope or mtj.r_th)


def rest(problem: Problem, rows: Array) -> tuple[Array, Array]:
    """Give drift and thermal stability before and after the pulse.

    Parameters
    ----------
    problem : Problem
        The write.
    rows : ndarray
        Rows of `points` without the last column, shape (rows, columns) [SI].

    Returns
    -------
    drift : ndarray
        Chebyshev coefficients, shape (rows, 2) [1].
    delta : ndarray
        Thermal stability factor, shape (rows,) [1].

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> from devicephys.mram.pulse import square
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> problem = Problem(mtj, square("current", 6e-5, 1e-8), "P->AP", Access(), 0)
    >>> table, _, _ = points(problem.pulse, Deviation())
    >>> [x.tolist() for x in rest(problem, table[:, :-1])]
    [[[0.0, -1.0]], [60.0]]
    """
    h, _ = seen_from_start(problem.mtj, problem.direction)
    return landscape.drift(np.zeros(len(rows)), h), problem.mtj.delta * rows[:, 1]


def stages(problem: Problem, rows: Array, widths: Array, level: int) -> list[Stage]:
    """Give the stages of a pulse, its ramps in steps of fourth order.

    Parameters
    ----------
    problem : Problem
        The write.
    rows : ndarray
        Rows of `points` without the last column, shape (rows, columns) [SI].
    widths : ndarray
        Last columns of `points`, shape (1, widths) or (rows, 1) [s].
    level : int
        Refinement: 2 * 2^level steps a ramp [1].

    Returns
    -------
    list of Stage
        The stages.

    Raises
    ------
    ParameterError
        If the layer does not stay perpendicular or a current leaves the access device's curve.

    References
    ----------
    Blanes and Moan, Appl. Numer. Math. 56 (2006) 1519, doi:10.1016/j.apnum.2005.11.004
    (commutator-free integrators: two exponentials a step, fourth order).

    Examples
    --------
    >>> from devicephys.mram.pulse import square
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> problem = Problem(mtj, square("current", 6e-5, 1e-8), "P->AP", Access(), 0)
    >>> table, _, _ = points(problem.pulse, Deviation())
    >>> stage = stages(problem, table[:, :-1], table[:, -1:], 0)[0]
    >>> stage.drift.round(9).tolist(), stage.tau.round(9).tolist()
    ([[2.0, -1.0]], [[10.0]])
    """
    result = []
    for start, end, tau in _pieces(problem, rows, widths):
        steps = _steps(start, end, level, partial(_conditions, problem, rows))
        result += [Stage(drift, noise, tau / len(steps)) for drift, noise in steps]
    return result


def layers(
    problem: Problem, row: Array, widths: Array, off_axis: OffAxis, level: int
) -> tuple[FreeLayer, list[free_layer.Stage]]:
    """Give the layer at rest and the stages of a pulse where something acts across the axis.

    Valid for fields and anisotropies across the axis that neither heat nor voltage changes.

    Parameters
    ----------
    problem : Problem
        The write.
    row : ndarray
        A row of `points` without the last column, shape (columns,) [SI].
    widths : ndarray
        Last columns of `points`, rising, shape (widths,) [s].
    off_axis : OffAxis
        What acts across the axis.
    level : int
        Refinement of ramps, as for `stages` [1].

    Returns
    -------
    rest : FreeLayer
        The layer before and after the pulse.
    stages : list of Stage
        The stages; the swept one has the shape of `widths`, or none for one width.

    Raises
    ------
    ParameterError
        If the layer does not stay perpendicular, a current leaves the access device's curve, or
        a spin-orbit torque meets one that depends on the angle.

    References
    ----------
    Slonczewski, J. Magn. Magn. Mater. 159 (1996) L1, doi:10.1016/0304-8853(96)00062-5.

    Examples
    --------
    >>> from devicephys.mram.pulse import square
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> problem = Problem(mtj, square("current", 6e-5, 1e-8), "P->AP", Access(), 0)
    >>> table, _, _ = points(problem.pulse, Deviation())
    >>> rest, pulse = layers(problem, table[0, :-1], table[:, -1], OffAxis(0.01, h_x=0.05), 0)
    >>> rest.h.tolist(), pulse[0].torque.round(9).tolist(), pulse[0].tau.round(9).tolist()
    ([0.05, 0.0, 0.0], [0.0, 0.0, -2.0], 10.0)
    """
    mtj, rows = problem.mtj, row[None]
    turned = 1 if problem.direction == "P->AP" else -1  # about x
    h, _ = seen_from_start(mtj, problem.direction)
    across = np.array([off_axis.h_x, turned * off_axis.h_y])
    orbit = np.array([off_axis.torque_x, turned * off_axis.torque_y])
    rest = free_layer.uniaxial(
        mtj.delta * float(row[1]), off_axis.alpha, h=[*across, h], in_plane=off_axis.h_in_plane
    )
    result = []
    for start, end, tau in _pieces(problem, rows, widths[None]):
        steps = _steps(start, end, level, partial(_acting, problem, rows))
        for torque, field, noise in steps:
            along, angular = _trimmed(field[0]), _trimmed(torque[0])
            anisotropy = np.zeros((3, max(2, len(along))))
            anisotropy[1, 1], anisotropy[2, : len(along)] = -off_axis.h_in_plane, along
            pull = np.r_[orbit * bool(start[0] or end[0]), -1.0]
            if len(angular) > 1 and pull[:2].any():
                raise ParameterError(
                    "torque_x or torque_y beside a spin torque that depends on the angle",
                    expected="a current drive without VCMA and heating, and lam = 1",
                )
            if len(angular) == 1:
                pull[2], angular = -angular[0], free_layer.EVEN
            layer = FreeLayer(
                0.5 / float(noise[0]), off_axis.alpha, anisotropy, np.r_[across, 0.0], angular
            )
            duration = tau[0] / len(steps)
            result.append(free_layer.Stage(
                layer, pull, free_layer.NONE, duration if tau.size > 1 else duration[0]
            ))  # fmt: skip
    return rest, result


def _trimmed(samples: Array) -> Array:
    """Chebyshev coefficients of samples at `landscape.NODES`, without those of round-off."""
    series = landscape.from_samples(samples)
    used = np.flatnonzero(np.abs(series) > ROUND_OFF * np.abs(series).max())
    return series[: used.max(initial=0) + 1]


def powers(problem: Problem, rows: Array, widths: Array, level: int) -> list[Array]:
    """Give the power that the driver delivers during each stage, over the angle of the layer.

    Parameters
    ----------
    problem, rows, widths, level
        As for `stages` [SI].

    Returns
    -------
    list of ndarray
        For each stage, power at `galerkin.read_points` of the whole interval, shape
        (rows, points) [W].

    Raises
    ------
    ParameterError
        If a current leaves the access device's curve.

    References
    ----------
    This project's design, docs/theory/write.md.

    Examples
    --------
    >>> from devicephys.mram.pulse import square
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> problem = Problem(mtj, square("current", 6e-5, 1e-8), "P->AP", Access(), 0)
    >>> table, _, _ = points(problem.pulse, Deviation())
    >>> f"{powers(problem, table[:, :-1], table[:, -1:], 0)[0][0, 0]:.3e}"
    '1.440e-05'
    """
    z = galerkin.read_points(np.ones(1))[0]
    result = []
    for start, end, _ in _pieces(problem, rows, widths):
        steps = _steps(start, end, level, lambda at: (power(problem, rows, at, z),))
        result += [mean for (mean,) in steps]
    return result


def power(problem: Problem, rows: Array, level: Array, z: Array) -> Array:
    """Compute the power that the driver delivers to junction and access device.

    Parameters
    ----------
    problem, rows
        As for `stages` [SI].
    level : ndarray
        Level of the driver, shape (rows,) [A or V].
    z : ndarray
        Cosines of the angle to the initial state, shape (angles,) [1].

    Returns
    -------
    ndarray
        Power, shape (rows, angles) [W].

    Raises
    ------
    ParameterError
        If a current leaves the access device's curve.

    References
    ----------
    As of `circuit.bias`, doi:10.1109/TED.2011.2178416.

    Examples
    --------
    >>> from devicephys.mram.pulse import square
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> problem = Problem(mtj, square("current", 6e-5, 1e-8), "P->AP", Access(), 0)
    >>> table, _, _ = points(problem.pulse, Deviation())
    >>> power(problem, table[:, :-1], np.array([6e-5]), np.array([1.0])).round(9).tolist()
    [[1.44e-05]]
    """
    mtj, drive = problem.mtj, problem.pulse.drive
    r_p = mtj.r_p * rows[:, 3]
    return bias(mtj, problem.direction, drive, level, z, problem.access, r_p).power


def _pieces(problem: Problem, rows: Array, widths: Array) -> list[tuple[Array, Array, Array]]:
    """Start, end and reduced duration of each piece."""
    mtj, count = problem.mtj, len(problem.pulse.pieces)
    ends = rows[:, DEVIATIONS : DEVIATIONS + 2 * count]
    durations = iter(rows[:, DEVIATIONS + 2 * count :].T)
    result = []
    for k in range(count):
        if k == problem.swept:
            tau = widths / mtj.t_d
        else:
            tau = next(durations)[:, None] / (mtj.t_d * rows[:, 2:3])
        result.append((ends[:, 2 * k], ends[:, 2 * k + 1], tau))
    return result


def _steps(
    start: Array, end: Array, level: int, at: Callable[[Array], tuple[Array, ...]]
) -> list[tuple[Array, ...]]:
    """What a piece is to the solver: one value where it is constant, two a step of a ramp."""
    if np.array_equal(start, end):
        return [at(start)]
    count, result = STEPS * 2**level, []
    for k in range(count):
        first, last = (at(start + (k + share) / count * (end - start)) for share in GAUSS)
        for near, far in ((first, last), (last, first)):
            result.append(tuple(MIX * a + (1 - MIX) * b for a, b in zip(near, far, strict=True)))
    return result


def _conditions(problem: Problem, rows: Array, level: Array) -> tuple[Array, Array]:
    """Drift coefficients and noise of each row at a level of the driver."""
    mtj = problem.mtj
    if _same_at_all_angles(problem):
        i = level / (mtj.i_c0(problem.direction) * rows[:, 0])  # no load line to solve
        h, a = seen_from_start(mtj, problem.direction)
        return landscape.drift(i, h + mtj.h_field_like * i, a), 1 / (2 * mtj.delta * rows[:, 1])
    torque, field, noise = _acting(problem, rows, level)
    return landscape.from_samples(torque - field), noise


def _acting(problem: Problem, rows: Array, level: Array) -> tuple[Array, Array, Array]:
    """Torque and field along the axis at `landscape.NODES`, shape (rows, nodes), and the noise."""
    mtj, z = problem.mtj, landscape.NODES
    i_c0 = mtj.i_c0(problem.direction) * rows[:, 0]
    h, a = seen_from_start(mtj, problem.direction)
    m, kappa, heat = np.ones((3, len(rows), 1))
    if _same_at_all_angles(problem):
        i = np.broadcast_to((level / i_c0)[:, None], (len(rows), len(z)))
    else:
        r_p = mtj.r_p * rows[:, 3]
        state = bias(mtj, problem.direction, problem.pulse.drive, level, z, problem.access, r_p)
        i = state.current / i_c0[:, None]
        if mtj.r_th:
            at_start = power(problem, rows, level, np.ones(1))
            temperature = mtj.temperature + mtj.r_th * at_start
            m, kappa = thermal_scaling(mtj, temperature)
            heat = temperature / mtj.temperature
        polarity = 1 if problem.direction == "P->AP" else -1
        kappa = kappa + polarity * mtj.h_k_slope * state.voltage / m
    torque = i * (1 + a) / (1 + a * z) / m
    field = h + mtj.h_field_like * i / m + kappa * z
    return torque, field, (heat / (2 * mtj.delta * rows[:, 1:2] * m))[:, 0]
