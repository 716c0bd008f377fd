"""Checks of arguments: times that rise."""

import numpy as np
import pytest

from devicephys.checks import rising
from devicephys.errors import ParameterError


def test_times_that_rise_come_back_as_a_row():
    assert rising("times", 2).tolist() == [2.0]
    assert rising("times", [-1, 0.0, 3], above=-2).tolist() == [-1.0, 0.0, 3.0]


@pytest.mark.parametrize(
    ("times", "match"),
    [
        ([0.0, 1.0, 1.0], r"t\[2\] = 1 s after 1 s; expected times that rise strictly; sort them"),
        ([1.0, 0.5], r"t\[1\] = 0.5 s after 1 s"),
        ([], "t of shape"),
        ([[0.0, 1.0]], "a row of one time or more"),
        ([0.0, np.nan], "t = nan s"),
        ([-1.0, 0.0], "t = -1 s"),
    ],
)
def test_times_that_do_not_rise_are_refused(times, match):
    with pytest.raises(ParameterError, match=match):
        rising("t", times, above=-0.5)
