"""Write error of square pulses as quick as a fit needs it: current, or voltage at the junction.

A junction that follows the cosine law in its conductance carries, under a voltage V,

    I(z) = V/R_P (1 + s x z)/(1 + x),   x = TMR(V)/(TMR(V) + 2),   s = +1 for P->AP, -1 for AP->P,

a straight line in z. With a torque that does not depend on the angle the drift of `landscape`
stays straight, f = I(z)/I_c0 - h - z, and the solver takes its short way. `write` solves the same
load line for any access device, with heating and voltage-controlled anisotropy.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from devicephys.checks import Array, in_range, known, together
from devicephys.errors import ParameterError
from devicephys.mram import fokker_planck, landscape
from devicephys.mram.fokker_planck import Stage
from devicephys.mram.junction import bias_tmr, seen_from_start
from devicephys.mram.pulse import Drive
from devicephys.parameters import MTJ, Direction

DRIVES: tuple[Drive, ...] = ("current", "voltage")
RTOL = 1e-7  # as charts: slopes of a fit are differences of these numbers
LEAST = 1e-300
NEGLECTED = ("h_field_like", "h_k_slope", "r_th")  # fields of `MTJ` that `write` knows


def log_write_error_rate(
    mtj: MTJ, drive: Drive, level: Array, width: Array, direction: Direction, *, atol: float = 0.0
) -> Array:
    """Compute ln WER of square pulses of a current or of a voltage across the junction.

    Valid as `write.write_error_rate` without access device, heating, VCMA and field-like torque;
    exact for stray field and Lambda.

    Parameters
    ----------
    mtj : MTJ
        The junction.
    drive : {"current", "voltage"}
        What the driver controls.
    level : ndarray
        Levels, > 0, shape (n,) [A or V].
    width : ndarray
        Widths, > 0, shape (n,) [s].
    direction : {"P->AP", "AP->P"}
        The write.
    atol : float, optional
        Accepted absolute error of WER [1].

    Returns
    -------
    ndarray
        ln WER, shape (n,) [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range, or the record has an effect that is not in here.
    AccuracyError
        If the solver cannot meet the tolerance.

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122; conductance:
    Slonczewski, Phys. Rev. B 39 (1989) 6995, doi:10.1103/PhysRevB.39.6995.

    Examples
    --------
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> width = np.array([4e-9, 10e-9])
    >>> log_write_error_rate(mtj, "current", np.full(2, 60e-6), width, "P->AP").round(3).tolist()
    [-4.18, -16.269]
    """
    known("drive", drive, DRIVES)
    level, width = together(
        level=in_range("level", level, "A" if drive == "current" else "V", above=0),
        width=in_range("width", width, "s", above=0),
    )
    for name in NEGLECTED:
        if getattr(mtj, name):
            raise ParameterError(
                f"MTJ.{name} = {getattr(mtj, name):g}", expected="0",
                remedy="use write.write_error_rate",
            )  # fmt: skip
    h, _ = seen_from_start(mtj, direction)
    found = np.empty(len(level))
    for rows, widths, where in fokker_planck.blocks(np.stack([level, width], axis=1)):
        delta = np.full(len(rows), mtj.delta)
        stage = Stage(_drift(mtj, drive, rows[:, 0], direction), 1 / (2 * delta), widths / mtj.t_d)
        found[where] = fokker_planck.solve_stages(
            landscape.drift(0 * delta, h), delta, partial(_always, [stage]),
            label=partial(_label, drive, rows[:, 0]), readout="relaxed", rtol=RTOL, atol=atol,
        ).wer  # fmt: skip
    return np.asarray(np.log(np.clip(found, LEAST, 1.0)))


def _drift(mtj: MTJ, drive: Drive, level: Array, direction: Direction) -> Array:
    h, a = seen_from_start(mtj, direction)
    at_start = level / mtj.i_c0(direction)
    if drive == "current":
        return landscape.drift(at_start, h, a)
    tmr = bias_tmr(level, mtj.tmr, mtj.v_h)
    x = tmr / (tmr + 2)
    mean = at_start / (mtj.r_p * (1 + x))
    slope = mean * x * (1 if direction == "P->AP" else -1)
    if a == 0:
        return np.stack([mean - h, slope - 1], axis=-1)
    z = landscape.NODES
    torque = (mean[:, None] + slope[:, None] * z) * (1 + a) / (1 + a * z)
    return landscape.from_samples(torque - h - z)


def _always(stages: Sequence[Stage], level: int) -> Sequence[Stage]:
    return stages  # a square pulse needs no steps


def _label(drive: Drive, level: Array, row: int) -> str:
    return f"{drive} = {level[row]:g}"
