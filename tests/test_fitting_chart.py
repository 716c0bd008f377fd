"""The chart of the write error rate agrees with the solver, and grows with what is asked."""

import numpy as np
import pytest

from devicephys.errors import AccuracyError
from devicephys.fitting.chart import chart, growing, inside, log_write_error_rate
from devicephys.mram import fokker_planck

LOW, HIGH = np.log([1.3, 0.8, 45.0]), np.log([3.0, 18.0, 70.0])


@pytest.fixture(scope="module")
def drawn():
    return chart(LOW, HIGH, 1e6)


def test_agrees_with_the_solver_within_two_percent_of_a_counting_error(drawn):
    points = np.random.default_rng(1).uniform(LOW, HIGH, (200, 3)).T
    exact = fokker_planck.wer(*np.exp(points), readout="relaxed")
    found = log_write_error_rate(drawn, *points)
    assert np.abs(found - np.log(exact)).max() < 1e-4
    counting = np.sqrt(exact * (1 - exact) / 1e6 + 1e-12)
    assert (np.abs(np.exp(found) - exact) < 0.02 * counting).all()
    assert drawn.error < 1e-4


def test_knows_its_box(drawn):
    middle = [np.array([x]) for x in (LOW + HIGH) / 2]
    assert inside(drawn, *middle)
    assert not inside(drawn, middle[0] + 5, *middle[1:])


def test_refuses_a_box_that_no_grid_covers():
    with pytest.raises(AccuracyError, match=r"I/I_c0 0.3 to 9.*differs from the solver"):
        chart(np.log([0.3, 0.05, 20.0]), np.log([9.0, 90.0, 150.0]), 1e6)


def test_grows_and_beyond_asks_the_solver():
    read = growing(1e6)
    for i, tau in ((2.0, 4.0), (2.9, 4.0), (0.2, 300.0)):
        point = [np.log([x]) for x in (i, tau, 60.0)]
        exact = fokker_planck.wer(i, tau, 60.0, readout="relaxed", atol=1e-10)
        assert np.exp(read(*point))[0] == pytest.approx(float(exact), rel=1e-4, abs=1e-9)


def test_a_rate_is_never_above_one():
    """Short pulses write nothing: a sum of polynomials must not say more than always."""
    read = growing(1000.0)
    i, tau = np.meshgrid([0.6, 1.5, 2.6], np.geomspace(0.05, 12, 200))
    log_i, log_tau = np.log(i.ravel()), np.log(tau.ravel())
    found = read(log_i, log_tau, np.full(len(log_i), np.log(60.0)))
    assert found.max() <= 0
    assert found.max() > -1e-6
