"""Shapes of write pulses: straight pieces of current or voltage, magnitudes throughout.

A pulse holds arrays, so that one object is a whole table of pulses: amplitudes of shape (n, 1)
and widths of shape (m,) are n x m pulses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import Array, in_range, known, whole
from devicephys.errors import ParameterError

Drive = Literal["current", "voltage"]
DRIVES: tuple[Drive, ...] = ("current", "voltage")
UNITS = {"current": "A", "voltage": "V"}
MAGNITUDE = "give the magnitude: the direction of the write says which way it flows"


@dataclass(frozen=True)
class Piece:
    """A straight piece of a pulse.

    Attributes
    ----------
    duration : ndarray
        Duration, >= 0, any shape [s].
    start, end : ndarray
        Level at either end, >= 0, shapes broadcast with `duration` [A or V].
    """

    duration: Array
    start: Array
    end: Array


@dataclass(frozen=True)
class Pulse:
    """A pulse, or a table of pulses, that the driver holds at the cell.

    Attributes
    ----------
    drive : {"current", "voltage"}
        What the driver controls.
    pieces : tuple of Piece
        The pieces in order; a current of zero is a rest, during which the cell relaxes.
    """

    drive: Drive
    pieces: tuple[Piece, ...]

    def __post_init__(self) -> None:
        known("drive", self.drive, DRIVES)
        if not self.pieces:
            raise ParameterError("a pulse of no piece", expected="one or more")


def square(drive: Drive, amplitude: ArrayLike, width: ArrayLike) -> Pulse:
    """Make a square pulse.

    Parameters
    ----------
    drive : {"current", "voltage"}
        What the driver controls.
    amplitude : array_like
        Magnitude, >= 0, any shape [A or V].
    width : array_like
        Width, > 0, shape broadcast with `amplitude` [s].

    Returns
    -------
    Pulse
        The pulse.

    Raises
    ------
    ParameterError
        If an amplitude is negative, a width is not positive or the drive is unknown.

    References
    ----------
    This project's definition, docs/nomenclature.md.

    Examples
    --------
    >>> square("current", 60e-6, 10e-9).pieces[0].duration
    array(1.e-08)
    """
    return levels(drive, [amplitude], [width])


def trapezoid(
    drive: Drive, amplitude: ArrayLike, width: ArrayLike, rise: ArrayLike, fall: ArrayLike
) -> Pulse:
    """Make a pulse with straight edges.

    Parameters
    ----------
    drive : {"current", "voltage"}
        What the driver controls.
    amplitude : array_like
        Magnitude of the plateau, >= 0, any shape [A or V].
    width : array_like
        Duration of the plateau, > 0, shape broadcast with `amplitude` [s].
    rise, fall : array_like
        Duration of the edges, which come on top of the width, >= 0, shapes broadcast [s].

    Returns
    -------
    Pulse
        The pulse.

    Raises
    ------
    ParameterError
        As `square`; or if an edge is negative.

    References
    ----------
    This project's definition, docs/nomenclature.md.

    Examples
    --------
    >>> len(trapezoid("voltage", 0.5, 10e-9, 1e-9, 1e-9).pieces)
    3
    """
    plateau = square(drive, amplitude, width).pieces[0]
    edges = [
        in_range(name, x, "s", above=0, inclusive=True)
        for name, x in (("rise", rise), ("fall", fall))
    ]
    zero = np.zeros(())
    return Pulse(
        drive,
        (
            Piece(edges[0], zero, plateau.start),
            plateau,
            Piece(edges[1], plateau.start, zero),
        ),
    )


def levels(
    drive: Drive, amplitudes: Sequence[ArrayLike], widths: Sequence[ArrayLike], edge: float = 0.0
) -> Pulse:
    """Make a pulse of several levels.

    Parameters
    ----------
    drive : {"current", "voltage"}
        What the driver controls.
    amplitudes : sequence of array_like
        Magnitude of each level, >= 0, any shape [A or V].
    widths : sequence of array_like
        Duration of each level, > 0, shapes broadcast [s].
    edge : float, optional
        Duration of the straight edges before, between and after the levels, >= 0 [s].

    Returns
    -------
    Pulse
        The pulse.

    Raises
    ------
    ParameterError
        If the lists differ in length, an amplitude is negative, a width is not positive or the
        drive is unknown.

    References
    ----------
    This project's definition, docs/nomenclature.md.

    Examples
    --------
    >>> len(levels("current", [30e-6, 60e-6, 45e-6], [2e-9, 4e-9, 4e-9], edge=1e-9).pieces)
    7
    """
    known("drive", drive, DRIVES)
    if not len(amplitudes) or len(amplitudes) != len(widths):
        raise ParameterError(
            f"{len(amplitudes)} amplitudes and {len(widths)} widths", expected="one width a level"
        )
    unit = UNITS[drive]
    heights = [
        in_range(f"{drive} of a pulse", a, unit, above=0, inclusive=True, remedy=MAGNITUDE)
        for a in amplitudes
    ]
    times = [in_range("pulse_width", w, "s", above=0) for w in widths]
    in_range("edge", edge, "s", above=0, inclusive=True, scalar=True)
    zero, ramp = np.zeros(()), np.asarray(float(edge))
    pieces = []
    for before, height, time in zip([zero, *heights], heights, times, strict=False):
        pieces += [Piece(ramp, before, height)] * bool(edge) + [Piece(time, height, height)]
    pieces += [Piece(ramp, heights[-1], zero)] * bool(edge)
    return Pulse(drive, tuple(pieces))


def train(pulse: Pulse, count: int, gap: float) -> Pulse:
    """Repeat a pulse, the cell left to itself in between.

    Parameters
    ----------
    pulse : Pulse
        The pulse.
    count : int
        Number of pulses, >= 1 [1].
    gap : float
        Time between them at zero level, > 0 [s].

    Returns
    -------
    Pulse
        The train.

    Raises
    ------
    ParameterError
        If the count is no whole number or the gap not positive.

    References
    ----------
    This project's definition, docs/nomenclature.md.

    Examples
    --------
    >>> len(train(square("current", 60e-6, 5e-9), 2, 20e-9).pieces)
    3
    """
    count = whole("count", count, least=1)
    rest = Piece(in_range("gap", gap, "s", above=0, scalar=True), np.zeros(()), np.zeros(()))
    return Pulse(pulse.drive, (*pulse.pieces, rest) * (count - 1) + pulse.pieces)
