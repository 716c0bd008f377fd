"""Endurance laws: median, decades per volt, sampling, worn cells."""

import numpy as np
import pytest

from devicephys.errors import ParameterError
from devicephys.rram.endurance import Endurance, failed_fraction, worn

LAW = Endurance(cycles_to_failure=1e6, reference_voltage=2.0, endurance_slope=3.0, sigma_cycles=0.8)


def test_half_of_the_cells_have_failed_at_the_median_and_none_before_the_first_cycle():
    assert failed_fraction(LAW, 1e6, 2.0) == pytest.approx(0.5)
    assert failed_fraction(LAW, 0, 2.0) == 0


def test_a_volt_costs_its_decades():
    for decades in (-2, 1):
        volts = 2.0 + decades / 3.0
        assert failed_fraction(LAW, 1e6 * 10.0**-decades, volts) == pytest.approx(0.5)
    flat = Endurance(1e6, 2.0, 0.0, 0.8)
    assert np.ptp(failed_fraction(flat, 1e5, [0.5, 2.0, 3.0])) == 0


def test_fraction_is_that_of_drawn_lifetimes():
    """4.5 standard errors of 100 000 devices: false alarm 7e-6 each."""
    rng, n = np.random.default_rng(1), 100_000
    lifetimes = 1e6 * 10 ** (-3.0 * 0.2) * np.exp(0.8 * rng.standard_normal(n))
    for cycles in (5e4, 2e5, 1e6):
        f = float(failed_fraction(LAW, cycles, 2.2))
        drawn = (lifetimes <= cycles).mean()
        assert drawn == pytest.approx(f, abs=4.5 * np.sqrt(f * (1 - f) / n))


def test_fraction_rises_with_cycles_and_voltage_and_broadcasts():
    f = failed_fraction(LAW, np.logspace(3, 8, 20)[:, None], np.linspace(1.5, 2.5, 11))
    assert f.shape == (20, 11)
    assert (np.diff(f, axis=0) >= 0).all()
    assert (np.diff(f, axis=1) >= 0).all()


def test_worn_array_lies_between_its_cells_and_chance():
    assert worn(1e-3, [0.0, 1.0]).tolist() == [1e-3, 0.5]
    assert worn(0.5, 0.3) == pytest.approx(0.5)
    rng, n = np.random.default_rng(2), 200_000
    failed = rng.random(n) < 0.1
    wrong = rng.random(n) < np.where(failed, 0.5, 0.02)
    assert wrong.mean() == pytest.approx(float(worn(0.02, 0.1)), abs=4.5 * wrong.std() / n**0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Endurance(0, 2.0, 3.0, 0.8), "Endurance.cycles_to_failure = 0"),
        (lambda: Endurance(1e6, 2.0, -1.0, 0.8), r"endurance_slope = -1 1/V; .* in \[0, inf\)"),
        (lambda: Endurance(1e6, 2.0, 3.0, np.nan), "Endurance.sigma_cycles = nan"),
        (lambda: failed_fraction(LAW, -1, 2.0), "cycles = -1"),
        (lambda: failed_fraction(LAW, 1e3, -2.0), "voltage = -2 V"),
        (lambda: worn(0.1, 1.5), "fraction = 1.5"),
    ],
)
def test_impossible_laws_are_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()
