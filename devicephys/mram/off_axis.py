"""Write error rates of a junction in physical units where something acts across its axis.

The axial law does not hold there. In turn: the Fokker-Planck equation on the sphere, to the
tolerance asked for or, if none is, as far as it converges; where it does not, or is then known
worse than by splitting of trajectories, those, which need a source of random numbers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devicephys.checks import Array
from devicephys.errors import AccuracyError, ParameterError
from devicephys.mram import conditions, fokker_planck, fokker_planck_2d, macrospin, rare_event
from devicephys.mram.conditions import Problem
from devicephys.mram.free_layer import FreeLayer, Stage
from devicephys.parameters import OffAxis

METHODS = ("auto", "fokker_planck_2d", "rare_event", "macrospin")
RAMP = 2  # refinement of ramps: eight steps of fourth order each
TRAJECTORIES = 1_000_000  # of a plain ensemble
PARTICLES = (16_384, 65_536)  # of splitting: more where they die out
RTOL = 1e-3
SPLIT_ERROR = 0.05  # relative, of splitting in the tail: what is known better is kept


class Rates(NamedTuple):
    """Rates of points, how well they are known and by which method."""

    wer: Array
    error: Array
    method: NDArray[np.str_]


def acts(off_axis: OffAxis | None) -> bool:
    """Say whether anything does act across the axis.

    Parameters
    ----------
    off_axis : OffAxis or None
        The record.

    Returns
    -------
    bool
        Whether a field, an anisotropy or a torque of it is not zero.

    References
    ----------
    This project's design, docs/theory/macrospin.md.

    Examples
    --------
    >>> acts(OffAxis(0.01)), acts(OffAxis(0.01, h_x=0.05)), acts(None)
    (False, True, False)
    """
    if off_axis is None:
        return False
    return any(value for name, value in vars(off_axis).items() if name != "alpha")


def rates(
    problem: Problem,
    table: Array,
    off_axis: OffAxis,
    method: str,
    rtol: float | None,
    atol: float,
    rng: np.random.Generator | None,
) -> Rates:
    """Compute write error rates of the points of a table.

    Parameters
    ----------
    problem : Problem
        The write.
    table : ndarray
        Points, see `conditions.points`, shape (points, columns) [SI].
    off_axis : OffAxis
        What acts across the axis.
    method : str
        One of `METHODS`; "auto" as the module says.
    rtol : float or None
        Largest accepted relative error of the Fokker-Planck equation. None asks it for 1e-3, and
        lets "auto" accept what is still better than splitting, 5 % [1].
    atol : float
        Largest accepted absolute error, on top [1].
    rng : numpy.random.Generator or None
        Source of random numbers of the trajectories.

    Returns
    -------
    Rates
        Rates, errors (of trajectories: standard errors) and methods, shape (points,) each [1].

    Raises
    ------
    ParameterError
        If trajectories are needed and there is no `rng`.
    AccuracyError
        If the Fokker-Planck equation is asked for and does not converge.

    References
    ----------
    As of `fokker_planck_2d.wer`, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> from devicephys.mram.circuit import Access
    >>> from devicephys.mram.pulse import square
    >>> from devicephys.parameters import MTJ
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> problem = Problem(mtj, square("current", 6e-5, 2e-9), "P->AP", Access(), 0)
    >>> points, _, _ = conditions.points(problem.pulse, conditions.Deviation())
    >>> found = rates(problem, points, OffAxis(0.05, h_x=0.05), "auto", 1e-3, 0.0, None)
    >>> round(float(found.wer[0]), 3), found.method.tolist()
    (0.583, ['fokker_planck_2d'])
    """
    n = len(table)
    result = Rates(np.empty(n), np.empty(n), np.full(n, method, dtype="<U16"))
    for rows, widths, where in fokker_planck.blocks(table):
        for k, row in enumerate(rows):
            own = widths[0 if len(widths) == 1 else k]
            rest, pulse = conditions.layers(problem, row, own, off_axis, RAMP)
            label = f"{problem.pulse.drive} pulse, {problem.direction}"
            found = _row(rest, pulse, len(own), method, rtol, atol, rng, label)
            for all_, mine in zip(result, found, strict=True):
                all_[where[k]] = mine
    return result


def _row(
    rest: FreeLayer, pulse: list[Stage], count: int, method: str, rtol: float | None, atol: float,
    rng: np.random.Generator | None, label: str,
) -> Rates:  # fmt: skip
    """Rates for each of the durations of the swept stage."""
    wer, error = np.empty((2, count))
    chosen = np.full(count, "fokker_planck_2d" if method == "auto" else method)
    pending = np.ones(count, bool)
    why = f"method {method!r}"
    asked = RTOL if rtol is None else rtol
    if method in ("auto", "fokker_planck_2d"):
        try:
            wer[:], error[:] = _on_the_sphere(rest, pulse, count, asked, atol)
        except AccuracyError as err:
            if method != "auto":
                raise
            why = str(err)
        else:
            enough = SPLIT_ERROR if method == "auto" and rtol is None else asked
            pending = error > enough * wer + atol
            why = "the Fokker-Planck equation has not converged"
        if method == "fokker_planck_2d" and pending.any():
            raise AccuracyError(
                f"{label}: write error rate {wer[pending][0]:.2e} is uncertain by "
                f"{error[pending][0]:.1e}", expected=f"rtol = {asked:g}, atol = {atol:g}",
                remedy="raise rtol or atol, or take method='rare_event' with an rng",
            )  # fmt: skip
    if pending.any() and rng is None:
        raise ParameterError(
            f"{label}: no rng for {int(pending.sum())} points", expected="a random generator",
            remedy=f"{why}, and trajectories need one: pass rng=numpy.random.default_rng(seed)",
        )  # fmt: skip
    if rng is not None:
        for k in map(int, np.flatnonzero(pending)):
            wer[k], error[k], chosen[k] = _sampled(rest, _with_duration(pulse, k), method, rng)
    return Rates(wer, error, chosen)


def _sampled(
    rest: FreeLayer, pulse: Sequence[Stage], method: str, rng: np.random.Generator
) -> tuple[float, float, str]:
    if method == "macrospin":
        counted = macrospin.write_error(rest, pulse, TRAJECTORIES, rng)
        p = (counted.failures + 1) / (TRAJECTORIES + 2)  # so that no failure has an error, too
        return counted.wer, float(np.sqrt(p * (1 - p) / TRAJECTORIES)), method
    for particles in PARTICLES[:-1]:
        try:
            split = rare_event.solve(rest, pulse, rng, particles=particles)
        except AccuracyError:  # one repeat died out
            continue
        return split.wer, split.error, "rare_event"
    split = rare_event.solve(rest, pulse, rng, particles=PARTICLES[-1])
    return split.wer, split.error, "rare_event"


def _on_the_sphere(
    rest: FreeLayer, pulse: Sequence[Stage], count: int, rtol: float, atol: float
) -> tuple[Array, Array]:
    """Solve at once where the last stage is the swept one, else width by width."""
    if not any(stage.tau.ndim for stage in pulse[:-1]):
        found = fokker_planck_2d.solve(rest, pulse, rtol=rtol, atol=atol)
        return np.atleast_1d(found.wer), np.atleast_1d(found.error)
    each = [
        fokker_planck_2d.solve(rest, _with_duration(pulse, k), rtol=rtol, atol=atol)
        for k in range(count)
    ]
    return np.array([x.wer for x in each]), np.array([x.error for x in each])


def _with_duration(pulse: Sequence[Stage], k: int) -> list[Stage]:
    """Give the pulse with one of the durations of its swept stage."""
    return [Stage(s.layer, s.torque, s.field, s.tau[k] if s.tau.ndim else s.tau) for s in pulse]
