"""States after programming: staircases, reading, relaxation, write-verify; refusals."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from devicephys.errors import AccuracyError, ParameterError
from devicephys.rram.filament import Filament, devices, formed, pulse, resistance
from devicephys.rram.master_equation import filled, propagate, quadrature
from devicephys.rram.mixture import Mixture, moments
from devicephys.rram.programming import aged, level_spread, staircase, state, write_verify_reset
from devicephys.rram.read_noise import measured_hfo2
from devicephys.rram.relaxation import Relaxation, relax
from devicephys.rram.tails import cdf

CELL = Filament(60, 6e3, 2.6e3, 1e-5, 1.0, -0.3, 0.08, 0.4, 6e6, e_min=0.6)
SPREAD = replace(CELL, sigma_e=0.4, sigma_e_cycle=0.2)
NOISE = measured_hfo2()
WIDTH = 200e-9
LEAST = 1e-5  # p-value below which a test fails: its rate of false alarms
SIGMAS = 4.5  # of a mean: false alarms 7e-6
WIDE = Relaxation(  # a law for every level that is used here
    level=(5e-6, 5e-4), drift=(-1e-7, -1e-7), growth=(1e-14, 1e-12), t_start=(3e-3, 3e-3),
    jump_share=0.8, jump_rate=0.4, t_first=0.01, t_last=1e5,
)  # fmt: skip


def test_a_staircase_is_one_pulse_after_the_other():
    made, _ = quadrature(SPREAD, 5)
    voltages = np.array([0.7, 0.9, 1.1])
    after, energy = staircase(made, voltages, WIDTH, temperature=320.0, i_max=3e-4)
    assert after.shape == (3, 61, 5)
    p = filled(made, 60)
    for k, voltage in enumerate(voltages):
        p, joule = propagate(made, p, voltage, WIDTH, temperature=320.0, i_max=3e-4)
        assert (after[k] == p).all()
        assert (energy[k] == joule).all()


def test_a_staircase_leaves_what_drawn_ramps_read_as():
    """Devices, cycles, pulses and reads drawn one by one, against the distribution."""
    rng, voltages = np.random.default_rng(1), np.array([0.8, 1.0, 1.2])
    n, made = 60, formed(devices(SPREAD, 20_000, rng), rng)
    nodes, weight = quadrature(SPREAD)
    sigma = level_spread(SPREAD, NOISE, 0.02)
    p, _ = staircase(nodes, voltages, WIDTH)
    for k, voltage in enumerate(voltages):
        n = pulse(made, n, voltage, WIDTH, rng)
        x = np.log(resistance(made, n)) + sigma[n] * rng.standard_normal(len(n))
        law = state(SPREAD, p[k], weight, sigma)
        assert kstest(x, lambda at, law=law: cdf(law, at)).pvalue > LEAST


def test_a_level_scatters_by_read_noise_spread_of_the_lrs_and_its_width():
    sigma = level_spread(CELL, NOISE, 0.03)
    x = np.log(resistance(CELL, np.arange(61)))
    level = 30
    read = np.exp(np.interp(x[level], np.log(NOISE.r_level), np.log(NOISE.sigma_read)))
    width = (x[level - 1] - x[level + 1]) / 2 / np.sqrt(12)
    assert sigma[level] == pytest.approx(np.sqrt(read**2 / 2 + 0.03**2 + width**2), rel=2e-3)
    assert (sigma > level_spread(CELL, NOISE, 0.0)).all()
    quiet = replace(NOISE, sigma_read=(1e-12,) * 5)
    assert level_spread(CELL, quiet, 0.0).max() <= 12**-0.5  # never wider than one in ln R


def test_a_state_holds_every_device_by_its_weight():
    nodes, weight = quadrature(SPREAD, 21)
    p = propagate(nodes, filled(nodes, 60), 1.0, WIDTH)[0]
    found = state(SPREAD, p, weight, np.zeros(61))
    x = np.log(resistance(CELL, np.arange(61)))
    mean = sum(w * (x @ p[:, k]) for k, w in enumerate(weight))
    assert moments(found)[0] == pytest.approx(mean, rel=1e-12)
    assert found.weight.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("time", [0.01, 1.0, 1e5])
def test_a_state_ages_as_drawn_conductances_do(time):
    fresh = Mixture(np.log([6e3, 3e4]), np.array([0.4, 0.6]), np.array([0.02, 0.05]))
    later = aged(fresh, time, WIDE)
    rng = np.random.default_rng(2)
    which = rng.choice(2, 50_000, p=fresh.weight)
    g = relax(np.exp(-fresh.x)[which], [time], rng, WIDE)[0]
    x = -np.log(g) + fresh.sigma[which] * rng.standard_normal(len(g))
    for k in range(2):
        mine, mean, sigma = x[which == k], later.x[k], later.sigma[k]
        # ln of a conductance that spreads by 3 %: second order is below 1e-3
        assert abs(mine.mean() - mean) < SIGMAS * sigma / np.sqrt(mine.size) + 1e-3
        assert mine.std() == pytest.approx(sigma, rel=0.03)
    assert aged(fresh, 0.0, WIDE).x == pytest.approx(fresh.x)


def test_a_spread_that_takes_conductance_to_zero_is_refused():
    rough = replace(WIDE, growth=(1e-9, 1e-9))
    with pytest.raises(AccuracyError, match="spread"):
        aged(Mixture(np.log([3e4]), np.ones(1), np.zeros(1)), 1.0, rough)
    with pytest.raises(ParameterError, match="conductance"):
        aged(Mixture(np.log([1e6]), np.ones(1), np.zeros(1)), 1.0, WIDE)


def test_write_verify_is_what_drawn_cells_go_through():
    rng, n_max, target, cells = np.random.default_rng(3), 6, 1.2e4, 40_000
    sigma = level_spread(SPREAD, NOISE, 0.02)
    loop, end = write_verify_reset(
        SPREAD, 0.85, WIDTH, target, sigma, n_max, read_voltage=0.2, read_time=1e-7
    )
    made = formed(devices(SPREAD, cells, rng), rng)
    n, open_, pulses = np.full(cells, 60), np.ones(cells, bool), np.zeros(cells)
    for k in range(n_max):
        n = np.where(open_, pulse(made, n, 0.85, WIDTH, rng), n)
        pulses += open_
        x = np.log(resistance(made, n)) + sigma[n] * rng.standard_normal(cells)
        passed = open_ & (x > np.log(target))
        p = loop.accepted[k]
        assert abs(passed.mean() - p) < SIGMAS * np.sqrt(p * (1 - p) / cells)
        open_ &= ~passed
    assert abs(open_.mean() - loop.never) < SIGMAS * np.sqrt(loop.never / cells)
    assert abs(pulses.mean() - loop.mean_pulses) < SIGMAS * pulses.std() / np.sqrt(cells)
    x = np.log(resistance(made, n))
    assert abs(x.mean() - end.weight @ end.x) < SIGMAS * x.std() / np.sqrt(cells)
    assert loop.write_energy < 0.85**2 / 6e3 * WIDTH * loop.mean_pulses
    assert 0 < loop.read_energy < 0.2**2 / 6e3 * 1e-7 * loop.mean_pulses


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: staircase(CELL, np.array([1.0, np.nan]), WIDTH), "voltages"),
        (lambda: staircase(CELL, np.array([1.0]), -1.0), "pulse_width"),
        (lambda: level_spread(CELL, NOISE, -0.1), "sigma_lrs"),
        (lambda: level_spread(replace(CELL, r_on=np.full(2, 6e3)), NOISE, 0.1), "one r_on"),
        (lambda: state(replace(CELL, r_s=np.full(2, 2e3)), np.ones((61, 2)), np.ones(2) / 2,
                       np.zeros(61)), "one r_on"),
        (lambda: aged(Mixture(np.log([3e4]), np.ones(1), np.zeros(1)), -1.0, WIDE), "time"),
        (lambda: write_verify_reset(CELL, 0.9, WIDTH, 0.0, np.zeros(61), 3), "target"),
        (lambda: write_verify_reset(CELL, 0.9, WIDTH, 1e4, np.zeros(61), 0), "n_max"),
        (lambda: write_verify_reset(CELL, 0.9, WIDTH, 1e4, -np.ones(61), 3), "sigma"),
        (lambda: write_verify_reset(CELL, 0.9, WIDTH, 1e4, np.zeros(7), 3), "sigma"),
        (lambda: write_verify_reset(CELL, 0.9, WIDTH, 1e4, np.zeros(61), 3, read_time=-1.0),
         "read_time"),
        (lambda: write_verify_reset(CELL, 0.9, WIDTH, 1e4, np.zeros(61), 3, read_voltage=np.nan),
         "read_voltage"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ParameterError, match=message):
        call()
