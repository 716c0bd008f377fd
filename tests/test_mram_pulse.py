"""Shapes of pulses and what they refuse."""

import numpy as np
import pytest

from devicephys.errors import ParameterError
from devicephys.mram import pulse


def charge(p):
    """Integral of the level over the pulse."""
    return sum(float(x.duration) * float(x.start + x.end) / 2 for x in p.pieces)


def test_areas():
    assert charge(pulse.square("current", 2.0, 3.0)) == pytest.approx(6.0)
    assert charge(pulse.trapezoid("current", 2.0, 3.0, 1.0, 0.5)) == pytest.approx(7.5)
    three = pulse.levels("voltage", [1.0, 3.0, 2.0], [1.0, 1.0, 2.0], edge=0.5)
    assert charge(three) == pytest.approx(1 + 3 + 4 + 0.5 * (0.5 + 2 + 2.5 + 1))
    assert charge(pulse.train(pulse.square("current", 2.0, 3.0), 4, 9.0)) == pytest.approx(24.0)


def test_levels_join_without_steps_where_there_are_edges():
    pieces = pulse.levels("current", [1.0, 3.0], [1.0, 1.0], edge=0.1).pieces
    ends = [0.0, *(float(p.end) for p in pieces)]
    assert [float(p.start) for p in pieces] == ends[:-1]
    assert ends[-1] == 0.0


def test_tables_of_pulses_broadcast():
    table = pulse.square("current", np.ones((4, 1)), np.ones(3))
    piece = table.pieces[0]
    assert np.broadcast(piece.start, piece.duration).shape == (4, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pulse.square("current", -6e-5, 1e-9), r"current of a pulse = -6e-05 A.*magnitude"),
        (lambda: pulse.square("voltage", np.nan, 1e-9), "voltage of a pulse = nan V"),
        (lambda: pulse.square("current", 1e-5, 0.0), "pulse_width = 0 s"),
        (lambda: pulse.square("current", 1e-5, -1e-9), "pulse_width = -1e-09 s"),
        (lambda: pulse.square("curent", 1e-5, 1e-9), "unknown drive 'curent'.*did you mean"),
        (lambda: pulse.trapezoid("current", 1e-5, 1e-9, -1e-9, 0), "rise = -1e-09 s"),
        (lambda: pulse.levels("current", [1e-5], []), "1 amplitudes and 0 widths"),
        (lambda: pulse.levels("current", [], []), "0 amplitudes"),
        (lambda: pulse.train(pulse.square("current", 1, 1), 0, 1.0), "count = 0"),
        (lambda: pulse.train(pulse.square("current", 1, 1), 2, 0.0), "gap = 0 s"),
    ],
)
def test_refuses_impossible_pulses(call, message):
    with pytest.raises(ParameterError, match=message):
        call()
