"""Filament: rates, drawn pulses against their exact law, sub-division, devices, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, chi2, kstest, norm

from devicephys.errors import AccuracyError, ParameterError
from devicephys.rram import filament as module
from devicephys.rram.filament import (
    Filament,
    barrier,
    conditions,
    devices,
    formed,
    pulse,
    rates,
    resistance,
)
from devicephys.rram.master_equation import filled, propagate, quadrature
from devicephys.rram.rate_equation import mean_sites

CELL = Filament(60, 6e3, 2.6e3, 1e-5, 1.0, -0.3, 0.08, 0.4, 6e6, e_min=0.6)
ENGINES = [False, *([True] if module.HAS_NUMBA else [])]
LEAST = 1e-5  # p-value below which a test of a distribution fails: its rate of false alarms
WIDTH = 200e-9
N = 20_000


def chance(counts, p):
    """P-value of counts against probabilities; rare classes are put together."""
    expected = p * counts.sum()
    few = expected < 8
    seen = np.r_[counts[~few], counts[few].sum()]
    asked = np.r_[expected[~few], max(expected[few].sum(), 1e-6)]
    return chi2.sf(((seen - asked) ** 2 / asked).sum(), len(seen) - 1)


def exact(cell, start, voltage, width=WIDTH, **settings):
    return propagate(cell, filled(cell, start), voltage, width, **settings)[0][:, 0]


def use(monkeypatch, compiled):
    monkeypatch.setattr(module, "HAS_NUMBA", compiled)


# Drawn pulses.


@pytest.mark.parametrize("compiled", ENGINES)
@pytest.mark.parametrize(
    ("start", "voltage", "temperature"),
    [(60, 0.75, 300.0), (60, 0.9, 300.0), (60, 1.4, 300.0), (30, 1.0, 400.0), (5, -0.5, 300.0),
     (5, -0.9, 300.0), (0, 1.2, 300.0)],
)  # fmt: skip
def test_drawn_pulses_have_the_law_of_the_master_equation(
    monkeypatch, compiled, start, voltage, temperature
):
    use(monkeypatch, compiled)
    n = pulse(CELL, np.full(N, start), voltage, WIDTH, np.random.default_rng(1),
              temperature=temperature)  # fmt: skip
    p = exact(CELL, start, voltage, temperature=temperature)
    assert chance(np.bincount(n, minlength=61), p) > LEAST


@pytest.mark.parametrize("compiled", ENGINES)
@pytest.mark.parametrize("leap", [0.02, 0.2])
@pytest.mark.parametrize("split", [(1, 1), (10, 1), (1, 10)], ids=["one", "ten calls", "n_pulses"])
def test_the_law_does_not_depend_on_sub_division(monkeypatch, compiled, leap, split):
    use(monkeypatch, compiled)
    calls, pulses = split
    rng, n = np.random.default_rng(2), np.full(N, 60)
    for _ in range(calls):
        n = pulse(CELL, n, 1.0, WIDTH / (calls * pulses), rng, n_pulses=pulses, leap=leap)
    assert chance(np.bincount(n, minlength=61), exact(CELL, 60, 1.0)) > LEAST


@pytest.mark.parametrize("compiled", ENGINES)
def test_frozen_rates_give_the_binomial_law(monkeypatch, compiled):
    use(monkeypatch, compiled)
    # Nearly all of the voltage falls across the constriction, and it stays cold: the rates of a
    # site do not depend on the others.
    frozen = replace(CELL, r_s=1e-12, r_th=1e-9, e_a=0.45, d_e=0.01, a_on=0.08, e_min=0.0)
    k_off, k_on = rates(frozen, np.arange(61), 0.5)
    assert np.ptp(k_off) < 1e-9 * k_off[0]
    width = 0.7 / (k_off[0] + k_on[0])
    full, other = 1 / (k_off[0] + k_on[0]), np.exp(-0.7)
    at, back = k_on[0] * full, k_on[0] * full * (1 - other)
    law = np.convolve(
        binom.pmf(np.arange(61), 40, at + (1 - at) * other), binom.pmf(np.arange(61), 20, back)
    )[:61]
    assert exact(frozen, 40, 0.5, width) == pytest.approx(law, abs=1e-11)
    n = pulse(frozen, np.full(N, 40), 0.5, width, np.random.default_rng(3))
    assert chance(np.bincount(n, minlength=61), law) > LEAST


@pytest.mark.parametrize("compiled", ENGINES)
def test_devices_with_their_own_parameters_are_as_if_drawn_alone(monkeypatch, compiled):
    use(monkeypatch, compiled)
    own = {"r_th": (5e6, 7e6), "a_off": (0.05, 0.12), "r_on": (6e3, 5e3), "e_a": (0.95, 1.05)}
    both = replace(CELL, **{k: np.repeat(x, N) for k, x in own.items()})
    n = pulse(both, 60, 1.0, WIDTH, np.random.default_rng(4)).reshape(2, N)
    for k in range(2):
        alone = replace(CELL, **{name: x[k] for name, x in own.items()})
        law = exact(alone, 60, 1.0)
        assert chance(np.bincount(n[k], minlength=61), law) > LEAST


def test_a_field_of_one_element_serves_blocks_beyond_the_first():
    one = replace(CELL, r_th=np.array([6e6]), a_off=np.array([0.08]))
    n = pulse(one, np.full(module.BLOCK + 5, 60), 1.0, WIDTH, np.random.default_rng(5))
    same = pulse(CELL, np.full(module.BLOCK + 5, 60), 1.0, WIDTH, np.random.default_rng(5))
    assert (n == same).all()


def test_a_floor_of_barriers_above_an_electron_volt_is_no_trouble():
    high = replace(CELL, e_a=1.6, e_min=1.3)
    assert pulse(high, 60, 0.5, WIDTH, np.random.default_rng(5)).tolist() == [60]


@pytest.mark.parametrize("compiled", ENGINES)
def test_equal_seeds_give_equal_results(monkeypatch, compiled):
    use(monkeypatch, compiled)
    made = devices(replace(CELL, sigma_e=0.3), 500, np.random.default_rng(6))
    a, b, c = (pulse(made, 60, 1.0, WIDTH, np.random.default_rng(s)) for s in (7, 7, 8))
    assert (a == b).all()
    assert (a != c).any()


def test_no_pulse_changes_nothing_and_the_start_is_left_alone():
    start = np.arange(61)
    after = pulse(CELL, start, 1.2, WIDTH, np.random.default_rng(8), n_pulses=0)
    assert (after == start).all()
    pulse(CELL, start, 1.2, WIDTH, np.random.default_rng(8))
    assert (start == np.arange(61)).all()


# Electrical and thermal side.


def test_resistance_voltage_and_heat_add_up():
    n = np.arange(61)
    r = resistance(CELL, n)
    assert r[-1] == pytest.approx(6e3)
    assert r[0] == pytest.approx(2.6e3 + 1e5)
    assert (np.diff(r) < 0).all()
    v_f, current, kelvin = conditions(CELL, n, 1.0)
    assert v_f + current * CELL.r_s == pytest.approx(np.ones(61))
    assert kelvin - 300 == pytest.approx(6e6 * current * v_f)


def test_compliance_limits_current_and_what_a_set_reaches():
    _, current, _ = conditions(CELL, np.arange(61), -1.0, i_max=5e-5)
    assert abs(current).max() == pytest.approx(5e-5)
    assert (current < 0).all()
    rng, start = np.random.default_rng(9), np.full(2000, 5)
    means = [
        resistance(CELL, pulse(CELL, start, -1.0, WIDTH, rng, i_max=i)).mean()
        for i in (2e-5, 4e-5, 8e-5, np.inf)
    ]
    assert (np.diff(means) < 0).all()  # differences of many standard errors
    free = exact(CELL, 5, -1.0)
    limited = exact(CELL, 5, -1.0, i_max=4e-5)
    assert np.arange(61) @ limited < np.arange(61) @ free - 1


def test_a_warmer_ambient_makes_both_rates_faster():
    for voltage in (-0.5, 0.2, 1.0):
        cold, warm = (rates(CELL, 30, voltage, temperature=t) for t in (300.0, 360.0))
        assert warm[0] > cold[0]
        assert warm[1] > cold[1]


def test_voltage_empties_and_its_reverse_fills():
    k_off, k_on = rates(CELL, 30, np.array([-0.5, 0.0, 0.5]))
    at_rest = np.exp(np.log(k_off[1] / k_on[1]))
    assert at_rest == pytest.approx(np.exp(-0.3 / (8.617333262e-5 * 300)), rel=1e-6)
    assert k_off[2] / k_on[2] > k_off[1] / k_on[1] > k_off[0] / k_on[0]


def test_a_barrier_below_zero_leaves_the_attempt_frequency():
    easy = replace(CELL, e_a=0.05, e_min=0.0, a_off=1.0)
    assert rates(easy, 60, 1.0)[0] == pytest.approx(1e13)


# Mean.


def test_the_rate_equation_is_the_limit_of_many_sites():
    """The mean of the chain tends to it like 1/N."""
    off = []
    for n in (25, 50, 100, 200):
        cell = replace(CELL, n_sites=n)
        mean = np.arange(n + 1) @ exact(cell, n, 1.0)
        off.append(abs(mean_sites(cell, n, 1.0, [WIDTH])[0] / mean - 1) * n)
    assert off[-1] < 5
    assert off[-1] == pytest.approx(off[-2], rel=0.1)


def test_the_rate_equation_of_frozen_rates_is_an_exponential():
    frozen = replace(CELL, r_s=1e-12, r_th=1e-9, e_a=0.45, d_e=0.01, a_on=0.08, e_min=0.0)
    k_off, k_on = (float(k) for k in rates(frozen, 30, 0.5))
    t = np.array([0.0, 0.5, 3.0]) / (k_off + k_on)
    end = 60 * k_on / (k_off + k_on)
    asked = end + (50 - end) * np.exp(-(k_off + k_on) * t)
    assert mean_sites(frozen, 50, 0.5, t) == pytest.approx(asked, rel=1e-6)
    assert mean_sites(frozen, 50, 0.5, [0.0]).tolist() == [50.0]


# Barriers.


def test_barriers_are_log_normal_above_their_floor():
    wide = replace(CELL, sigma_e=0.45, sigma_e_cycle=0.4)
    made = devices(wide, 20_000, np.random.default_rng(10))
    again = formed(made, np.random.default_rng(11))
    assert made.sigma_e == 0
    assert again.sigma_e_cycle == 0
    for e_a, sigma in ((made.e_a, 0.45), (again.e_a, np.hypot(0.45, 0.4))):
        assert kstest(np.log((e_a - 0.6) / 0.4) / sigma, norm.cdf).pvalue > LEAST
    nodes, weight = quadrature(wide)
    x = np.log((nodes.e_a - 0.6) / 0.4)
    sigma = np.hypot(0.45, 0.4)
    # out to 5 standard deviations: 1 - 1e-5 of the fourth moment
    assert weight @ x == pytest.approx(0, abs=1e-12)
    assert weight @ x**2 == pytest.approx(sigma**2, rel=1e-4)
    assert weight @ x**4 == pytest.approx(3 * sigma**4, rel=1e-3)
    assert barrier(CELL, 1.0, np.log(2)) == pytest.approx(1.4)
    assert barrier(CELL, 1.0, -50.0) == pytest.approx(0.6)


# Refusals.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_sites": 2.5}, "n_sites"),
        ({"n_sites": 0}, "n_sites"),
        ({"r_on": -1.0}, "r_on"),
        ({"e_a": np.nan}, "e_a"),
        ({"e_a": 0.5}, "e_min"),
        ({"r_s": 7e3}, "r_s < r_on"),
        ({"g_gap": 1e-3}, "siemens"),
        ({"sigma_e": -0.1}, "sigma_e"),
        ({"nu": 0.0}, "nu"),
        ({"e_a": np.ones(3), "r_th": np.full(2, 6e6)}, r"e_a \(3,\), r_th \(2,\)"),
        ({"e_a": np.ones((2, 2))}, "e_a"),
    ],
)
def test_a_filament_that_cannot_be_is_refused(change, message):
    with pytest.raises(ParameterError, match=message):
        replace(CELL, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 61}, "n = 61"),
        ({"n": 2.5}, "fractions"),
        ({"n": np.full((2, 2), 3)}, r"n \(2, 2\)"),
        ({"voltage": np.nan}, "voltage"),
        ({"voltage": [1.0, 2.0]}, "voltage"),
        ({"pulse_width": 0.0}, "pulse_width"),
        ({"rng": 1}, "rng"),
        ({"n_pulses": -1}, "n_pulses"),
        ({"n_pulses": 1.5}, "n_pulses"),
        ({"temperature": 0.0}, "temperature"),
        ({"i_max": 0.0}, "i_max"),
        ({"i_max": np.nan}, "i_max"),
        ({"leap": 1.0}, "leap"),
    ],
)
def test_a_pulse_that_cannot_be_is_refused(change, message):
    given = {"n": 60, "voltage": 1.0, "pulse_width": WIDTH, "rng": np.random.default_rng(1)}
    with pytest.raises(ParameterError, match=message):
        pulse(CELL, **(given | change))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: resistance(CELL, 61), "n = 61"),
        (lambda: conditions(CELL, 60, np.inf), "voltage"),
        (lambda: rates(CELL, -1, 1.0), "n = -1"),
        (lambda: devices(replace(CELL, e_a=np.ones(3)), 3, np.random.default_rng(1)), "e_a"),
        (lambda: devices(CELL, 0, np.random.default_rng(1)), "n = 0"),
        (lambda: devices(CELL, 3, None), "rng"),
        (lambda: formed(CELL, 3), "rng"),
        (lambda: mean_sites(CELL, 61, 1.0, [1.0]), "n = 61"),
        (lambda: mean_sites(CELL, 60, 1.0, [2.0, 1.0]), "times"),
        (lambda: mean_sites(CELL, 60, 1.0, [-1.0]), "times"),
        (lambda: mean_sites(replace(CELL, e_a=np.ones(3)), 60, 1.0, [1.0]), "one device"),
    ],
)
def test_other_bad_arguments_are_named(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


def test_leaps_of_thousands_of_sites_follow_the_rate_equation():
    """Mean of 2000 devices of 2000 sites, to 4.5 standard errors and the 1.5 sites of the chain."""
    many = replace(CELL, n_sites=2000, e_a=np.full(2000, 1.0))
    for leap in (0.2, module.LEAP):
        n = pulse(many, 2000, 1.0, 50e-9, np.random.default_rng(2), leap=leap)
        asked = mean_sites(replace(CELL, n_sites=2000), 2000, 1.0, [50e-9])[0]
        assert abs(n.mean() - asked) < 4.5 * n.std() / np.sqrt(2000) + 1.5


@pytest.mark.parametrize("numba", [False, True])
def test_frozen_sites_still_fill(monkeypatch, numba):
    """At 4 K, with one barrier frozen and the other gone: exact mean from the master equation."""
    if numba:
        pytest.importorskip("numba")
    monkeypatch.setattr(module, "HAS_NUMBA", numba)
    cold = Filament(60, 6e3, 2.6e3, 1e-8, 1.0, 0.0, 0.1, 0.4, 1e3)
    how = {"temperature": 4.2, "i_max": 1e-7}
    n = pulse(cold, np.zeros(4000), -2.48, 1e-5, np.random.default_rng(3), **how)
    p, _ = propagate(cold, filled(cold, 0), -2.48, 1e-5, **how)
    asked = float(np.arange(61) @ p[:, 0])
    assert abs(n.mean() - asked) < 4.5 * n.std() / np.sqrt(4000)


def test_spreads_that_nobody_drew_are_refused():
    for spread in ({"sigma_e": 0.1}, {"sigma_e_cycle": 0.1}):
        with pytest.raises(ParameterError, match="a spread was drawn"):
            pulse(replace(CELL, **spread), 60, 1.0, WIDTH, np.random.default_rng(1))
        with pytest.raises(ParameterError, match="quadrature"):
            propagate(replace(CELL, **spread), filled(CELL, 60), 1.0, WIDTH)


def test_more_events_than_anyone_waits_for_are_refused(monkeypatch):
    monkeypatch.setattr(module, "MOST", 1000)
    with pytest.raises(AccuracyError, match="more than 1000 events"):
        pulse(replace(CELL, e_a=0.7), 60, 0.8, 1.0, np.random.default_rng(1))


def test_cycles_of_devices_that_differ_in_anything_are_drawn_one_by_one():
    made = replace(CELL, r_th=np.full(5, 6e6), sigma_e_cycle=0.2)
    assert len(set(formed(made, np.random.default_rng(1)).e_a.tolist())) == 5
