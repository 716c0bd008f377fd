"""What the driver makes of a junction: voltage, current and power at every angle of the layer.

The junction follows the cosine law in its conductance and its TMR falls with voltage; in series
stands an access device: a resistor, or a table I(V). The bias is quasi-static: it follows the
layer at once, which holds where R C of the cell is far below the damping time.
"""

from dataclasses import dataclass

import numpy as np

from devicephys.checks import ZERO, Array, in_range
from devicephys.errors import ParameterError
from devicephys.mram.junction import angular_resistance, bias_tmr
from devicephys.mram.pulse import Drive
from devicephys.parameters import MTJ, Direction, parameter

BISECTIONS = 60


@dataclass(frozen=True)
class Access:
    """The access device in series with a junction: a resistor plus a measured curve.

    Attributes
    ----------
    r_s : float
        Series resistance [Ohm].
    voltage, current : tuple of float
        Points of a curve I(V) of the access device, both rising from zero; none for a plain
        resistor [V and A].
    """

    r_s: float = parameter("Ohm", "R_s", above=-ZERO, default=0.0)
    voltage: tuple[float, ...] = ()
    current: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        in_range("Access.r_s", self.r_s, "Ohm", above=0, inclusive=True)
        if len(self.voltage) != len(self.current) or len(self.voltage) == 1:
            raise ParameterError(
                f"Access: {len(self.voltage)} voltages and {len(self.current)} currents",
                expected="as many of either, two at least",
            )
        for name, values in (("voltage", self.voltage), ("current", self.current)):
            x = in_range(f"Access.{name}", values, "1", above=0, inclusive=True)
            falls = np.flatnonzero(np.diff(x) <= 0)
            if len(falls):
                k = int(falls[0])
                raise ParameterError(
                    f"Access.{name} does not rise: {x[k]:g} then {x[k + 1]:g} at point {k + 2}",
                    expected="a strictly rising curve", remedy="sort it and remove plateaus",
                )  # fmt: skip
            if len(x) and x[0] != 0:
                raise ParameterError(
                    f"Access.{name} starts at {x[0]:g}", expected="0", remedy="add the point (0, 0)"
                )


@dataclass(frozen=True)
class Bias:
    """Electrical state of a junction at given angles.

    Attributes
    ----------
    current : ndarray
        Current through cell and access device, shape (rows, angles) [A].
    voltage : ndarray
        Voltage across the junction alone, shape (rows, angles) [V].
    power : ndarray
        Power that the driver delivers to both, shape (rows, angles) [W].
    """

    current: Array
    voltage: Array
    power: Array


def bias(
    mtj: MTJ,
    direction: Direction,
    drive: Drive,
    level: Array,
    z: Array,
    access: Access,
    r_p: Array,
) -> Bias:
    """Solve the load line of junction and access device at every angle.

    Parameters
    ----------
    mtj : MTJ
        The junction.
    direction : {"P->AP", "AP->P"}
        The write: z = 1 is the state it starts from.
    drive : {"current", "voltage"}
        What the driver controls.
    level : ndarray
        Level of the driver, >= 0, shape (rows,) [A or V].
    z : ndarray
        Cosines of the angle to the initial state, shape (angles,) [1].
    access : Access
        The access device.
    r_p : ndarray
        Parallel resistance of each row's junction, shape (rows,) [Ohm].

    Returns
    -------
    Bias
        Current, voltage and power [SI].

    Raises
    ------
    ParameterError
        If a current lies beyond the access device's curve.

    References
    ----------
    Zhang et al., IEEE Trans. Electron Devices 59 (2012) 819, doi:10.1109/TED.2011.2178416.

    Examples
    --------
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> b = bias(mtj, "P->AP", "voltage", np.array([0.5]), np.array([1.0]), Access(r_s=1e3),
    ...          np.array([4e3]))
    >>> b.current.round(9).tolist(), b.voltage.round(3).tolist()
    ([[0.0001]], [[0.4]])
    """
    cosine = z if direction == "P->AP" else -z  # m . p: +1 is the parallel state
    level, r_p = level[:, None], r_p[:, None]

    def current_of(v: Array) -> Array:
        return np.asarray(v / angular_resistance(cosine, r_p, bias_tmr(v, mtj.tmr, mtj.v_h)))

    def excess(v: Array) -> Array:
        i = current_of(v)
        return np.asarray(i - level if drive == "current" else v + drop(access, i) - level)

    low = np.zeros(np.broadcast_shapes(level.shape, cosine.shape))
    high = low + (level * r_p * (1 + mtj.tmr) if drive == "current" else level)
    for _ in range(BISECTIONS):  # I(V) of the junction rises, so the root is bracketed
        middle = 0.5 * (low + high)
        below = excess(middle) < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    v = 0.5 * (low + high)
    i = current_of(v)
    check_current(access, i)
    return Bias(i, v, i * (v + drop(access, i)))


def check_current(access: Access, current: Array) -> None:
    """Refuse currents that the access device was not measured at.

    Parameters
    ----------
    access : Access
        The device.
    current : ndarray
        Current, any shape [A].

    Raises
    ------
    ParameterError
        If a current lies beyond the curve.

    References
    ----------
    This project's rule: a measured curve is not extrapolated.

    Examples
    --------
    >>> check_current(Access(1e3), np.array([1.0]))
    """
    if access.voltage and (worst := float(current.max())) > access.current[-1] * (1 + 1e-9):
        raise ParameterError(
            f"a current of {worst:g} A lies beyond the access device's curve",
            expected=f"at most {access.current[-1]:g} A",
            remedy="measure the curve further or lower the pulse: it is not extrapolated",
        )


def drop(access: Access, current: Array) -> Array:
    """Compute the voltage across the access device.

    Parameters
    ----------
    access : Access
        The device.
    current : ndarray
        Current, any shape [A].

    Returns
    -------
    ndarray
        R_s I plus the curve's voltage, linear between its points, shape of `current` [V].

    References
    ----------
    This project's definition: linear interpolation of the user's curve.

    Examples
    --------
    >>> drop(Access(1e3, (0.0, 0.2), (0.0, 1e-4)), np.array([5e-5])).round(3).tolist()
    [0.15]
    """
    v = access.r_s * current
    if access.voltage:
        # Beyond the last point with its slope, only so that a load line ends; `bias` refuses it.
        (v0, v1), (i0, i1) = access.voltage[-2:], access.current[-2:]
        beyond = np.maximum(current - i1, 0.0) * (v1 - v0) / (i1 - i0)
        v = v + np.interp(current, access.current, access.voltage) + beyond
    return np.asarray(v)
