"""Write error rate and write energy of a junction in physical units: the front door.

Conventions: levels are magnitudes and drive the write that `direction` names; the cell starts in
the state that has to be left, in thermal equilibrium, and is read after it has relaxed. A cell
that already holds the bit needs no switching, so for random data the error per write is half of
what these functions return. What acts on the layer is written down in `conditions`.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from devicephys.checks import ZERO, Array, known, whole
from devicephys.errors import AccuracyError, ParameterError
from devicephys.mram import (
    closed_form,
    conditions,
    fokker_planck,
    galerkin,
    landscape,
    many_currents,
    thermal,
)
from devicephys.mram import off_axis as off_axis_
from devicephys.mram.circuit import Access, check_current
from devicephys.mram.conditions import Deviation, Problem
from devicephys.mram.junction import seen_from_start
from devicephys.mram.pulse import Pulse, train
from devicephys.parameters import DIRECTIONS, MTJ, Direction, OffAxis

Method = Literal[
    "auto", "fokker_planck", "thermal", "closed_form", "fokker_planck_2d", "rare_event", "macrospin"
]
AXIAL: tuple[Method, ...] = ("fokker_planck", "thermal", "closed_form")
METHODS: tuple[Method, ...] = ("auto", *AXIAL, "fokker_planck_2d", "rare_event", "macrospin")
DEEP = 18.0  # k_B T: above this barrier e^-kt holds to 1e-6, and round-off drowns the solver
LAG = 10.0  # t_D until the rate of escape is steady: what the thermal law leaves out
FORM_ERROR = 0.3  # relative, of the closed form where it holds: see `closed_form`
FORM_RANGE, FORM_GROWN, FORM_DELTA = (2.0, 5.0), 12.0, 40.0  # overdrive, (i - 1) tau, Delta
SETTLED = 1e3  # t_D: before, the layer's start from its law at rest counts in the energy
ENERGY_ERROR = 1e-4  # of the largest power times the duration
AXIAL_RTOL = 1e-5
NOMINAL, DIRECT = Deviation(), Access()


@dataclass(frozen=True)
class WriteErrorRate:
    """Write error rates, how well they are known, and by which method.

    Attributes
    ----------
    wer : ndarray
        Probability that the pulse leaves the cell in its old state, any shape [1].
    error : ndarray
        Estimated absolute error of `wer`, shape of `wer` [1].
    method : ndarray of str
        Method of each value, shape of `wer`.
    reason : str
        Why these methods were taken.
    """

    wer: Array
    error: Array
    method: NDArray[np.str_]
    reason: str


@dataclass(frozen=True)
class WriteVerify:
    """Outcome of a sequence of write, verify, write again.

    Attributes
    ----------
    wer : ndarray
        Probability that the cell still fails after attempt 1, 2, ..., shape (attempts, ...) [1].
    attempts : ndarray
        Mean number of attempts made, shape (...) [1].
    energy : ndarray
        Mean energy of all attempts, without that of the reads, shape (...) [J].
    """

    wer: Array
    attempts: Array
    energy: Array


def write_error_rate(
    mtj: MTJ,
    pulse: Pulse,
    direction: Direction,
    method: Method = "auto",
    *,
    access: Access = DIRECT,
    deviation: Deviation = NOMINAL,
    off_axis: OffAxis | None = None,
    rng: np.random.Generator | None = None,
    rtol: float | None = None,
    atol: float = 0.0,
) -> WriteErrorRate:
    """Compute the write error rate of a pulse.

    Valid for a perpendicular, coherently reversing free layer. A written cell that falls back
    later is a failure of retention (`thermal`), not counted here.

    Parameters
    ----------
    mtj : MTJ
        The junction.
    pulse : Pulse
        The pulse, or a table of them, see `pulse`.
    direction : {"P->AP", "AP->P"}
        The write.
    method : str, optional
        One of `METHODS`. "auto" takes, where all is along the axis, "fokker_planck", but
        "thermal" for square pulses that leave a barrier above 18 k_B T; elsewhere
        "fokker_planck_2d" if it converges to `rtol`, or without one to the 5 % of splitting, and
        "rare_event" if not.
    access : Access, optional
        Access device in series; none by default.
    deviation : Deviation, optional
        Factors on the parameters, for devices that differ from the record.
    off_axis : OffAxis, optional
        Fields, anisotropy and torque across the axis; none by default.
    rng : numpy.random.Generator, optional
        Source of random numbers, for "rare_event" and "macrospin" (1e6 trajectories).
    rtol, atol : float, optional
        Tolerance of the solver, see `fokker_planck.wer`; rtol is 1e-5 by default, and 1e-3 where
        something acts across the axis [1].

    Returns
    -------
    WriteErrorRate
        Rates, errors (of trajectories: standard errors) and methods, broadcast shape of the
        pulse [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range, or the method does not apply to the pulse.
    AccuracyError
        If the solver cannot meet the tolerance.

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    >>> from devicephys.mram.pulse import square
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> found = write_error_rate(mtj, square("current", 60e-6, [4e-9, 10e-9]), "P->AP")
    >>> [f"{x:.4e}" for x in found.wer], found.reason
    (['1.5303e-02', '8.6014e-08'], 'Fokker-Planck: every barrier below 18 k_B T')
    """
    known("method", method, METHODS)
    problem, table, shape = _problem(mtj, pulse, direction, access, deviation)
    if off_axis is not None and (off_axis_.acts(off_axis) or method in off_axis_.METHODS[1:]):
        return _off_axis(problem, table, shape, off_axis, method, rtol, atol, rng)
    if method in off_axis_.METHODS[1:]:
        raise ParameterError(
            f"method {method!r} without off_axis", expected="the damping, which then counts",
            remedy="pass off_axis=OffAxis(alpha=...)",
        )  # fmt: skip
    rtol = AXIAL_RTOL if rtol is None else rtol
    result = np.empty((2, len(table)))
    chosen = np.full(len(table), "fokker_planck" if method == "auto" else method)
    if method == "auto" and len(pulse.pieces) == 1:
        chosen[_barrier(problem, table) > DEEP] = "thermal"
    for name, solver in (("thermal", _thermal), ("closed_form", _closed_form)):
        if (chosen == name).any():
            if len(pulse.pieces) > 1:
                raise ParameterError(
                    f"method {name!r} for a pulse of {len(pulse.pieces)} pieces",
                    expected="a square pulse", remedy="take method='fokker_planck'",
                )  # fmt: skip
            result[:, chosen == name] = solver(problem, table[chosen == name])
    solved = chosen == "fokker_planck"
    if solved.any() and conditions.is_plain(problem):
        result[:, solved] = _plain(problem, table[solved], rtol, atol)
        solved[:] = False
    for rows, widths, where in fokker_planck.blocks(table[solved]):
        found = fokker_planck.solve_stages(
            *conditions.rest(problem, rows), partial(conditions.stages, problem, rows, widths),
            label=partial(_label, problem, rows), readout="relaxed", rtol=rtol, atol=atol,
        )  # fmt: skip
        result[:, np.flatnonzero(solved)[where]] = found.wer, found.error
    wer, error = result.reshape(2, *shape)
    return WriteErrorRate(wer, error, chosen.reshape(shape), _reason(method, chosen))


def _off_axis(
    problem: Problem, table: Array, shape: tuple[int, ...], off_axis: OffAxis, method: Method,
    rtol: float | None, atol: float, rng: np.random.Generator | None,
) -> WriteErrorRate:  # fmt: skip
    if method in AXIAL:
        raise ParameterError(
            f"method {method!r} where something acts across the axis",
            expected=f"one of {', '.join(off_axis_.METHODS)}", remedy="take method='auto'",
        )  # fmt: skip
    found = off_axis_.rates(problem, table, off_axis, method, rtol, atol, rng)
    reason = (
        f"{method}: as asked"
        if method != "auto"
        else _reason_off_axis(found, rtol or off_axis_.RTOL, atol)
    )
    return WriteErrorRate(
        found.wer.reshape(shape), found.error.reshape(shape), found.method.reshape(shape), reason
    )


def _reason_off_axis(found: off_axis_.Rates, rtol: float, atol: float) -> str:
    split = found.method == "rare_event"
    rough = ~split & (found.error > rtol * found.wer + atol)
    reason = "across the axis: Fokker-Planck on the sphere"
    if not rough.any() and not split.any():
        return f"{reason}, converged to rtol = {rtol:g}"
    if rough.any():
        reason += f", at {rough.sum()} of {split.size} points not to rtol = {rtol:g}, see error"
    return reason + f"; splitting at {split.sum()}, not converged there" * bool(split.any())


def write_energy(
    mtj: MTJ,
    pulse: Pulse,
    direction: Direction,
    *,
    access: Access = DIRECT,
    deviation: Deviation = NOMINAL,
) -> Array:
    """Compute the mean energy that the driver delivers in one pulse, while the layer turns.

    Valid as `write_error_rate` is; to 1e-4 of the largest power times the duration.

    Parameters
    ----------
    mtj, pulse, direction, access, deviation
        As for `write_error_rate` [SI].

    Returns
    -------
    ndarray
        Mean of the integral of V I dt over junction and access device, broadcast shape [J].

    Raises
    ------
    ParameterError
        If an argument is outside its range.
    AccuracyError
        If the solver does not converge.

    Notes
    -----
    E = int dt int dz rho(z, t) V(z) I(z), with rho from the Fokker-Planck equation on the whole
    interval of z.

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    >>> from devicephys.mram.pulse import square
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> f"{write_energy(mtj, square('current', 60e-6, 10e-9), 'P->AP'):.3e}"
    '2.238e-13'
    """
    problem, table, shape = _problem(mtj, pulse, direction, access, deviation)
    energy = np.empty(len(table))
    deep = np.zeros(len(table), bool)
    if len(pulse.pieces) == 1:
        deep = (_barrier(problem, table) > DEEP) & (table[:, -1] / mtj.t_d > SETTLED)
    if deep.any():
        energy[deep] = _thermal_energy(problem, table[deep])
    for rows, widths, where in fokker_planck.blocks(table[~deep]):
        found = _occupied(problem, rows, widths)
        energy[np.flatnonzero(~deep)[where]] = found * mtj.t_d * rows[:, 2:3]
    return energy.reshape(shape)


def energy_per_bit(
    mtj: MTJ, pulse: Pulse, *, access: Access = DIRECT, deviation: Deviation = NOMINAL
) -> Array:
    """Compute the mean energy of a write over both directions, with the same pulse in either.

    Valid as `write_energy` is; every write is taken to reverse the cell.

    Parameters
    ----------
    mtj, pulse, access, deviation
        As for `write_error_rate` [SI].

    Returns
    -------
    ndarray
        Broadcast shape of the pulse [J].

    Raises
    ------
    ParameterError, AccuracyError
        As `write_energy`.

    References
    ----------
    This project's definition, docs/nomenclature.md.

    Examples
    --------
    >>> from devicephys.mram.pulse import square
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> f"{energy_per_bit(mtj, square('current', 60e-6, 10e-9)):.3e}"
    '1.901e-13'
    """
    each = [write_energy(mtj, pulse, d, access=access, deviation=deviation) for d in DIRECTIONS]
    return np.asarray(np.mean(each, axis=0))


def write_verify(
    mtj: MTJ,
    pulse: Pulse,
    direction: Direction,
    attempts: int,
    gap: float,
    *,
    access: Access = DIRECT,
    rtol: float = 1e-5,
    atol: float = 0.0,
) -> WriteVerify:
    """Compute what a sequence of write, verify, write again leaves and costs.

    Valid for gaps of several t_D, in which the cell decides for a state; the layer carries its
    state from attempt to attempt. The read itself is taken as free of errors.

    Parameters
    ----------
    mtj, pulse, direction, access, rtol, atol
        As for `write_error_rate`; the pulse of every attempt [SI].
    attempts : int
        Largest number of attempts, >= 1 [1].
    gap : float
        Time between attempts, > 0 [s].

    Returns
    -------
    WriteVerify
        Rates after each attempt, mean number of attempts and energy.

    Raises
    ------
    ParameterError, AccuracyError
        As `write_error_rate`.

    References
    ----------
    This project's design, docs/theory/write.md.

    Examples
    --------
    >>> from devicephys.mram.pulse import square
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> found = write_verify(mtj, square("current", 60e-6, 4e-9), "P->AP", 2, 20e-9)
    >>> [f"{x:.2e}" for x in found.wer], round(float(found.attempts), 4)
    (['1.53e-02', '2.34e-04'], 1.0153)
    """
    attempts = whole("attempts", attempts, least=1)
    rates = [
        write_error_rate(mtj, train(pulse, k, gap), direction, "fokker_planck",
                         access=access, rtol=rtol, atol=atol).wer
        for k in range(1, attempts + 1)
    ]  # fmt: skip
    made = 1 + np.sum(rates[:-1], axis=0)
    energy = made * write_energy(mtj, pulse, direction, access=access)
    return WriteVerify(np.array(rates), np.asarray(made), np.asarray(energy))


def _problem(
    mtj: MTJ, pulse: Pulse, direction: Direction, access: Access, deviation: Deviation
) -> tuple[Problem, Array, tuple[int, ...]]:
    known("direction", direction, DIRECTIONS)
    table, shape, swept = conditions.points(pulse, deviation)
    if pulse.drive == "current":  # under a voltage the load line decides, and checks
        check_current(access, np.array([[p.start.max(), p.end.max()] for p in pulse.pieces]))
    return Problem(mtj, pulse, direction, access, swept), table, shape


def _plain(problem: Problem, table: Array, rtol: float, atol: float) -> tuple[Array, Array]:
    """Square current pulses that act on every angle alike: many currents share few solutions."""
    mtj, level = problem.mtj, table[:, conditions.DEVIATIONS]
    h, a = seen_from_start(mtj, problem.direction)
    found = many_currents.solve(
        level / (mtj.i_c0(problem.direction) * table[:, 0]),
        table[:, -1] / mtj.t_d,
        mtj.delta * table[:, 1],
        h,
        a,
        readout="relaxed", rtol=rtol, atol=atol,
    )  # fmt: skip
    return found.wer, found.error


def _squares(problem: Problem, table: Array) -> tuple[Array, NDArray[np.intp], Array, Array]:
    """Conditions of square pulses, each once: rows, row of each point, drift and stability."""
    rows, index = np.unique(table[:, :-1], axis=0, return_inverse=True)
    stage = conditions.stages(problem, rows, np.ones((len(rows), 1)), 0)[0]
    return rows, index, stage.drift, 1 / (2 * stage.noise)


def _barrier(problem: Problem, table: Array) -> Array:
    _, index, drift, delta = _squares(problem, table)
    return thermal.barrier(drift, delta)[index]


def _occupied(problem: Problem, rows: Array, widths: Array) -> Array:
    """Mean power integrated over the pulse, ramps in steps that halve until it settles."""
    last = None
    for level in range(fokker_planck.LEVELS):
        stages = conditions.stages(problem, rows, widths, level)
        weights = conditions.powers(problem, rows, widths, level)
        found = fokker_planck.occupation(*conditions.rest(problem, rows), stages, weights)
        if len(stages) == len(problem.pulse.pieces):
            return found  # no ramps
        largest = np.max([w.max(axis=1) for w in weights], axis=0)[:, None]
        allowed = ENERGY_ERROR * largest * sum(s.tau for s in stages)
        if last is not None:
            miss = np.abs(found - last) / fokker_planck.STEP_GAIN
            if (miss <= allowed).all():
                return found
        last = found
    raise AccuracyError(
        f"energy of a pulse with ramps is uncertain by {float((miss / allowed).max()):.1e} of the "
        "tolerance", expected=f"{ENERGY_ERROR:g} of the largest power times the duration",
        remedy=f"shorten the ramps: they are cut into {conditions.STEPS * 2**level} steps at most",
    )  # fmt: skip


def _thermal(problem: Problem, table: Array) -> tuple[Array, Array]:
    _, index, drift, delta = _squares(problem, table)
    out, back = (rate[index] for rate in thermal.rates_of_drift(drift, delta))
    tau = table[:, -1] / problem.mtj.t_d
    wer = 1 - thermal.flip_probability(out, back, tau)
    return wer, out * (LAG + thermal.RATE_ERROR * tau)


def _thermal_energy(problem: Problem, table: Array) -> Array:
    """Energy of a layer that waits: the mean power of either well times the mean time in it."""
    rows, index, drift, delta = _squares(problem, table)
    out, back = (rate[index] for rate in thermal.rates_of_drift(drift, delta))
    tau = table[:, -1] / problem.mtj.t_d
    total = np.maximum(out + back, ZERO)
    waiting = back / total * tau + out / total * -np.expm1(-total * tau) / total
    waiting = np.where(total * tau < 1e-12, tau, waiting)
    z = galerkin.read_points(np.ones(1))[0]
    phi = landscape.potential(drift, delta, z)
    top = np.argmax(phi, axis=1)[:, None]
    power = conditions.power(problem, rows, rows[:, conditions.DEVIATIONS], z)
    each = []
    for mine in (np.arange(len(z)) <= top, np.arange(len(z)) > top):  # z falls: initial well first
        phi_mine = np.where(mine, phi, np.inf)
        law = galerkin.read_weights() * np.exp(phi_mine.min(axis=1, keepdims=True) - phi_mine)
        each.append(((law * power).sum(axis=1) / law.sum(axis=1))[index])
    seconds = problem.mtj.t_d * table[:, 2]
    return np.asarray(seconds * (each[0] * waiting + each[1] * (tau - waiting)))


def _closed_form(problem: Problem, table: Array) -> tuple[Array, Array]:
    stage = conditions.stages(problem, table[:, :-1], table[:, -1:], 0)[0]
    if stage.drift.shape[1] > 2:
        raise ParameterError(
            "method 'closed_form' for a torque that depends on the angle",
            expected="Lambda = 1 and constant current", remedy="take method='fokker_planck'",
        )  # fmt: skip
    x, kappa = stage.drift[:, 0] / -stage.drift[:, 1], -stage.drift[:, 1]
    delta = kappa / (2 * stage.noise)
    wer = np.exp(closed_form.log_wer(x, stage.tau[:, 0] * kappa, delta))
    grown = (x - 1) * stage.tau[:, 0] * kappa
    inside = (x >= FORM_RANGE[0]) & (x <= FORM_RANGE[1]) & (grown <= FORM_GROWN)
    inside &= (delta >= FORM_DELTA) & (problem.mtj.h_stray == 0)
    return wer, np.where(inside, FORM_ERROR * wer, np.inf)


def _label(problem: Problem, rows: Array, row: int) -> str:
    level = rows[row, conditions.DEVIATIONS : conditions.DEVIATIONS + 2 * len(problem.pulse.pieces)]
    return f"{problem.pulse.drive} = {level.max():g}, {problem.direction}"


def _reason(method: Method, chosen: NDArray[np.str_]) -> str:
    if method != "auto":
        return f"{method}: as asked"
    n = int((chosen == "thermal").sum())
    if n == 0:
        return f"Fokker-Planck: every barrier below {DEEP:g} k_B T"
    return (
        f"thermal law at {n} of {chosen.size} points, where a barrier above {DEEP:g} k_B T is left"
        + ("; Fokker-Planck elsewhere" if n < chosen.size else "")
    )
