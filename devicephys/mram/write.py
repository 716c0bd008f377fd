"""Write error rate and write energy of a junction in physical units.

Conventions: a current is a magnitude and drives the write that `direction` names; the cell starts
in the state that has to be left. A cell that already holds the bit needs no switching, so for
random data the error per write is half of what these functions return.
"""

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import Array, in_range, known
from devicephys.mram import fokker_planck
from devicephys.mram.junction import antiparallel_voltage
from devicephys.parameters import DIRECTIONS, MTJ, Direction


def write_error_rate(
    mtj: MTJ,
    current: ArrayLike,
    pulse_width: ArrayLike,
    direction: Direction,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
) -> Array:
    """Compute the write error rate of a square current pulse (Fokker-Planck, macrospin).

    Valid for a perpendicular, coherently reversing free layer without axial field.

    Parameters
    ----------
    mtj : MTJ
        The junction.
    current : array_like
        Magnitude of the write current, >= 0, any shape [A].
    pulse_width : array_like
        Pulse width, > 0, shape broadcast with `current` [s].
    direction : {"P->AP", "AP->P"}
        The write; it selects the critical current.
    rtol, atol : float, optional
        Tolerance of the solver, see `fokker_planck.wer` [1].

    Returns
    -------
    ndarray
        Probability that the pulse leaves the cell in its old state, broadcast shape [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range or the direction is unknown.
    AccuracyError
        If the solver cannot meet the tolerance.

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> [f"{x:.6e}" for x in write_error_rate(mtj, 60e-6, [4e-9, 10e-9], "P->AP")]
    ['1.526948e-02', '8.581967e-08']
    """
    i, tau = reduced(mtj, current, pulse_width, direction)
    return fokker_planck.wer(i, tau, mtj.delta, rtol=rtol, atol=atol)


def write_energy(
    mtj: MTJ, current: ArrayLike, pulse_width: ArrayLike, direction: Direction
) -> Array:
    """Compute the mean energy that a junction takes from one square current pulse.

    Valid as `write_error_rate` is; the junction alone, without its access transistor. The
    resistance is that of the state on the nearer side of z = 0: the short transit between the
    states is not resolved.

    Parameters
    ----------
    mtj : MTJ
        The junction.
    current : array_like
        Magnitude of the write current, >= 0, any shape [A].
    pulse_width : array_like
        Pulse width, > 0, shape broadcast with `current` [s].
    direction : {"P->AP", "AP->P"}
        The write.

    Returns
    -------
    ndarray
        I [V_end t_p + (V_start - V_end) integral of WER dt], broadcast shape [J].

    Raises
    ------
    ParameterError
        If an argument is outside its range or the direction is unknown.

    Notes
    -----
    V_P = I R_P and V_AP = I R_P (1 + TMR(V_AP)); WER(t) is the probability to be still in the
    initial state at t, so its integral is the mean time spent there.

    References
    ----------
    Zhang et al., IEEE Trans. Electron Devices 59 (2012) 819, doi:10.1109/TED.2011.2178416 (TMR
    against voltage).

    Examples
    --------
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> float(write_energy(mtj, 60e-6, 10e-9, "P->AP").round(15))
    2.24e-13
    """
    i, tau = reduced(mtj, current, pulse_width, direction)
    current = np.asarray(current, np.float64)
    waiting = mtj.t_d * fokker_planck.dwell(i, tau, mtj.delta, rtol=1e-4, atol=1e-6)
    parallel = current * mtj.r_p
    anti = antiparallel_voltage(current, mtj.r_p, mtj.tmr, mtj.v_h)
    start, end = (parallel, anti) if direction == "P->AP" else (anti, parallel)
    energy: Array = current * (end * np.asarray(pulse_width) + (start - end) * waiting)
    return energy


def reduced(
    mtj: MTJ, current: ArrayLike, pulse_width: ArrayLike, direction: Direction
) -> tuple[Array, Array]:
    """Convert a current and a pulse width to the reduced units of the solvers.

    Parameters
    ----------
    mtj : MTJ
        The junction.
    current : array_like
        Magnitude of the write current, >= 0, any shape [A].
    pulse_width : array_like
        Pulse width, > 0, any shape [s].
    direction : {"P->AP", "AP->P"}
        The write; it selects the critical current.

    Returns
    -------
    tuple of ndarray
        i = I/I_c0 and tau = t_p/t_D, shapes of `current` and `pulse_width` [1].

    Raises
    ------
    ParameterError
        If a current is negative, a width is not positive or the direction is unknown.

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> [float(x) for x in reduced(mtj, 60e-6, 10e-9, "AP->P")]
    [3.0, 10.0]
    """
    known("direction", direction, DIRECTIONS)
    i = in_range(f"current for {direction}", current, "A", above=0, inclusive=True,
                 remedy="give the magnitude; the direction says which way it flows")  # fmt: skip
    tau = in_range("pulse_width", pulse_width, "s", above=0)
    return i / mtj.i_c0(direction), tau / mtj.t_d
