"""Fit of a filament to ramps: round trip on drawn ramps, what a summary expects, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from devicephys.errors import DataError, ParameterError
from devicephys.fitting import filament as fitting
from devicephys.rram.filament import Filament, devices, formed, pulse, resistance
from devicephys.rram.programming import level_spread
from devicephys.rram.ramp import Ramps
from devicephys.rram.read_noise import measured_hfo2

TRUE = Filament(
    60, 6e3, 2.6e3, 1.4e-6, 1.0, -0.25, 0.08, 0.35, 6.5e6, e_min=0.62, sigma_e=0.45,
    sigma_e_cycle=0.35,
)  # fmt: skip
START = replace(TRUE, a_off=0.1, a_on=0.4, r_th=6e6, g_gap=3e-6, d_e=-0.3, e_min=0.6,
                sigma_e=0.4, sigma_e_cycle=0.4)  # fmt: skip
RNG = np.random.default_rng(7)
VOLTAGES = np.arange(0.65, 1.41, 0.15)
WIDTH, SIGMA_LRS, CYCLES = 200e-9, 0.02, 10
NOISE = measured_hfo2()


def draw(n_devices, seed, true=TRUE):
    """Ramps drawn device by device, cycle by cycle, pulse by pulse."""
    rng = np.random.default_rng(seed)
    made = devices(true, n_devices, rng)
    made = formed(replace(made, e_a=np.repeat(made.e_a, CYCLES)), rng)
    sigma = level_spread(true, NOISE, SIGMA_LRS)
    n, x = 60, []
    for voltage in VOLTAGES:
        n = pulse(made, n, float(voltage), WIDTH, rng)
        x.append(np.log(resistance(true, n)) + sigma[n] * rng.standard_normal(len(n)))
    device = np.repeat(np.arange(n_devices).astype(str), CYCLES)
    return Ramps(device, VOLTAGES, np.full(len(device), true.r_on), np.exp(np.array(x).T))


def part(ramps, keep):
    return Ramps(ramps.device[keep], ramps.voltage, ramps.lrs[keep], ramps.after[keep])


@pytest.fixture(scope="module")
def ramps():
    return draw(40, seed=2)


@pytest.fixture(scope="module")
def found(ramps):
    return fitting.fit(
        ramps, np.arange(1, 6), WIDTH, START, NOISE, SIGMA_LRS, np.random.default_rng(7)
    )


def predicted(filament=TRUE, first=0):
    return fitting.predicted(filament, VOLTAGES, WIDTH, NOISE, SIGMA_LRS, first)


def test_what_is_predicted_is_what_drawn_ramps_show():
    """2000 devices; a jackknife over them gives standard errors: 4.5 of them, 48 numbers, 3e-4."""
    many = draw(2000, seed=3)
    measured = fitting.summary(many, np.arange(6))
    groups = np.array([
        fitting.summary(part(many, many.device.astype(int) % 20 == k), np.arange(6)).numbers
        for k in range(20)
    ])  # fmt: skip
    stderr = groups.std(axis=0, ddof=1) / np.sqrt(20)
    # 0.02 for the grid of ln R that quantiles are read from, and the nodes of the barrier
    assert (abs(measured.numbers - predicted().numbers) < 4.5 * stderr + 0.02).all()


def test_a_fit_finds_the_filament_again(found):
    """All numbers and parameters within 4 standard errors: false alarms 3e-3 for each seed."""
    true = vars(TRUE) | {"e_on": TRUE.e_a + TRUE.d_e, "e_width": TRUE.e_a - TRUE.e_min}
    got = vars(found.filament)
    got = got | {"e_on": got["e_a"] + got["d_e"], "e_width": got["e_a"] - got["e_min"]}
    stderr = dict(zip(found.names, np.sqrt(np.diag(found.covariance)), strict=True))
    pulls = {k: np.log(got[k] / true[k]) / stderr[k] for k in found.names}
    assert max(abs(x) for x in pulls.values()) < 4
    # The scale of all barriers is open, and known by the prior alone; ratios are not.
    assert stderr["e_a"] == pytest.approx(0.2, abs=0.03)
    assert np.log(got["e_on"] / got["e_a"]) == pytest.approx(np.log(0.75), abs=0.15)
    assert found.at_bound == ()
    asked = predicted(first=1)
    assert found.fitted.median == pytest.approx(asked.median, abs=0.3)  # 40 devices: 0.06 each
    assert found.fitted.sigma == pytest.approx(asked.sigma, abs=0.15)


def test_covariance_is_one_of_40_devices(found):
    covariance = found.covariance
    assert covariance == pytest.approx(covariance.T, abs=1e-9)
    assert np.linalg.eigvalsh(covariance).min() > -1e-9
    assert found.chi_square < 20  # 40 numbers, in the mean less than their count: many correlate
    assert (found.fitted.voltage == found.measured.voltage).all()


def test_a_parameter_that_the_ramps_push_to_its_bound_is_named(ramps, monkeypatch):
    monkeypatch.setattr(fitting, "FREE", {**fitting.FREE, "a_on": (0.01, 0.05)})
    found = fitting.fit(
        ramps, np.arange(3, 6), WIDTH, START, NOISE, SIGMA_LRS, np.random.default_rng(7)
    )
    assert "a_on" in found.at_bound


def test_progress_counts_the_resamples(ramps):
    seen, rng = [], np.random.default_rng(1)
    names = np.unique(ramps.device)
    fitting._scatter(ramps, np.arange(2, 4), names, rng, lambda *x: seen.append(x))
    assert seen == [(k + 1, fitting.RESAMPLES) for k in range(fitting.RESAMPLES)]


def test_resampled_devices_give_standard_errors():
    rng = np.random.default_rng(4)
    mean = rng.normal(9.0, 0.3, 200)
    x = mean[:, None] + rng.normal(0, 0.1, (200, 5))
    r = Ramps(np.repeat(np.arange(200).astype(str), 5), np.array([1.0]), np.ones(1000),
              np.exp(x.reshape(-1, 1)))  # fmt: skip
    names = np.unique(r.device)
    scatter = fitting._scatter(r, np.array([0]), names, rng, lambda *x: None)
    *quantiles, within, between = np.sqrt(np.diag(scatter))
    # of a median of 200 correlated groups: about 1.2 times that of the mean
    assert quantiles[3] == pytest.approx(1.2 * 0.3 / np.sqrt(200), rel=0.3)
    # of a sample of 200 itself: 10 %
    assert within == pytest.approx(0.1 / np.sqrt(2 * 200 * 4), rel=0.3)
    assert between == pytest.approx(0.3 / np.sqrt(2 * 200), rel=0.3)


def test_ramps_that_ended_do_not_count():
    r = draw(5, seed=5)
    cut = r.after.copy()
    cut[::7, 3] = np.nan
    found = fitting.summary(Ramps(r.device, r.voltage, r.lrs, cut), np.array([2, 3]))
    assert found.median[0] == fitting.summary(r, np.array([2])).median[0]
    assert found.median[1] == pytest.approx(np.nanmedian(np.log(cut[:, 3])))


def test_cycles_alone_or_devices_alone_are_told_apart():
    devices_only = predicted(replace(TRUE, sigma_e_cycle=0.0))
    both = predicted()
    assert (devices_only.within < both.within).all()
    assert devices_only.sigma[3] < both.sigma[3]


def test_too_few_devices_and_bad_arguments_are_refused(ramps):
    few = part(ramps, np.isin(ramps.device, [str(k) for k in range(10)]))
    with pytest.raises(DataError, match="10 devices"):
        fitting.fit(few, np.arange(1, 6), WIDTH, START, NOISE, SIGMA_LRS, RNG)
    with pytest.raises(ParameterError, match="columns"):
        fitting.fit(
            ramps, np.array([1, 3, 5]), WIDTH, START, NOISE, SIGMA_LRS, np.random.default_rng(7)
        )
    with pytest.raises(ParameterError, match="columns"):
        fitting.fit(
            ramps, np.array([], int), WIDTH, START, NOISE, SIGMA_LRS, np.random.default_rng(7)
        )
    with pytest.raises(ParameterError, match="pulse_width"):
        fitting.fit(ramps, np.arange(1, 6), 0.0, START, NOISE, SIGMA_LRS, RNG)
    with pytest.raises(ParameterError, match="sigma_lrs"):
        fitting.predicted(TRUE, VOLTAGES, WIDTH, NOISE, -0.1)
    with pytest.raises(ParameterError, match="sigma_e"):
        predicted(replace(TRUE, sigma_e=0.0))
    with pytest.raises(ParameterError, match="e_a"):
        predicted(replace(TRUE, e_a=np.ones(3)))
