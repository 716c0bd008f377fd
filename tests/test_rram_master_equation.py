"""Master equation of a filament: matrix exponential, exact laws, energy, quadrature, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import binom

from devicephys.errors import AccuracyError, ParameterError
from devicephys.rram.filament import Filament, conditions, rates
from devicephys.rram.master_equation import _exponential, filled, propagate, quadrature

CELL = Filament(60, 6e3, 2.6e3, 1e-5, 1.0, -0.3, 0.08, 0.4, 6e6, e_min=0.6)
WIDTH = 200e-9
VOLTAGES = (0.3, 0.75, 1.0, 1.4, -0.5, -1.2)


def generator(cell, voltage, **settings):
    """Matrix Q of dp/dt = Q p [1/s]."""
    n = np.arange(cell.n_sites + 1.0)
    k_off, k_on = rates(cell, n, voltage, **settings)
    down, up = n * k_off, (cell.n_sites - n) * k_on
    return np.diag(-(down + up)) + np.diag(down[1:], 1) + np.diag(up[:-1], -1)


def some_start(n_sites=60, n=3):
    p = np.random.default_rng(1).random((n_sites + 1, n)) ** 8
    return p / p.sum(axis=0)


@pytest.mark.parametrize("voltage", VOLTAGES)
@pytest.mark.parametrize("n_sites", [1, 60, 90])
def test_propagates_as_the_matrix_exponential(voltage, n_sites):
    """At |Q| t from 0.1 to 1e5, where both are known: whole trains of empty sites at the worst."""
    cell = replace(CELL, n_sites=n_sites)
    q = generator(cell, voltage)
    p = np.hstack([some_start(n_sites), filled(cell, [0, n_sites // 2, n_sites])])
    for stiffness in (0.1, 20.0, 60.0, 200.0, 1e5):
        width = stiffness / abs(q).max()
        found, _ = propagate(cell, p, voltage, width)
        assert found == pytest.approx(expm(q * width) @ p, abs=1e-11 if n_sites < 80 else 1e-10)


@pytest.mark.parametrize(
    ("n_sites", "error"), [(1, 1e-12), (20, 2e-12), (60, 1e-11), (120, 2e-10), (300, 5e-7)]
)
def test_independent_sites_have_their_binomial_law(n_sites, error):
    """Where all sites empty alike the generator is as far from normal as it gets."""
    n = np.arange(n_sites + 1.0)[:, None]
    for ratio in (0.0, 0.3):
        for time in np.geomspace(0.01, 30, 15):
            p, _ = _exponential(n * time, (n_sites - n) * ratio * time, filled(
                replace(CELL, n_sites=n_sites), n_sites))  # fmt: skip
            kept = (ratio + np.exp(-(1 + ratio) * time)) / (1 + ratio)
            assert p[:, 0] == pytest.approx(binom.pmf(n[:, 0], n_sites, kept), abs=error)


@pytest.mark.parametrize("voltage", VOLTAGES)
def test_two_pulses_are_one_of_their_total_width(voltage):
    p = some_start()
    whole, energy = propagate(CELL, p, voltage, WIDTH)
    half, first = propagate(CELL, p, voltage, 0.3 * WIDTH)
    parts, second = propagate(CELL, half, voltage, 0.7 * WIDTH)
    assert parts == pytest.approx(whole, abs=1e-11)
    assert first + second == pytest.approx(energy, rel=1e-9)
    train, total = propagate(CELL, p, voltage, WIDTH / 10, n_pulses=10)
    assert train == pytest.approx(whole, abs=1e-13)
    assert total == pytest.approx(energy)


@pytest.mark.parametrize("width", [1e-12, WIDTH, 1.0])
def test_probability_is_kept_and_columns_count_by_their_sum(width):
    p = some_start()
    after, energy = propagate(CELL, p, 1.0, width)
    assert after.min() >= 0
    assert after.sum(axis=0) == pytest.approx(np.ones(3), abs=1e-13)
    share = np.array([0.0, 0.2, 1e-6])
    part, less = propagate(CELL, p * share, 1.0, width)
    assert part == pytest.approx(after * share, abs=1e-12)
    assert less == pytest.approx(energy * share, rel=1e-9)


def test_is_linear_in_the_distribution():
    p = some_start()
    mixed, _ = propagate(CELL, (0.3 * p[:, 0] + 0.7 * p[:, 1])[:, None], 0.9, WIDTH)
    after, _ = propagate(CELL, p, 0.9, WIDTH)
    assert mixed[:, 0] == pytest.approx(0.3 * after[:, 0] + 0.7 * after[:, 1], abs=1e-12)


@pytest.mark.parametrize("voltage", [0.0, 0.75, -0.8])
def test_long_pulses_end_in_detailed_balance(voltage):
    cell = replace(CELL, d_e=0.02, n_sites=20)
    n = np.arange(21.0)
    k_off, k_on = rates(cell, n, voltage)
    log = np.r_[0.0, np.cumsum(np.log((20 - n[:-1]) * k_on[:-1] / (n[1:] * k_off[1:])))]
    balance = np.exp(log - log.max())
    balance /= balance.sum()
    after, _ = propagate(cell, filled(cell, [0, 20]), voltage, 60 / (k_off + k_on).min())
    assert after == pytest.approx(np.repeat(balance[:, None], 2, axis=1), abs=1e-10)


@pytest.mark.parametrize("voltage", [0.75, 1.0, 1.4, -0.6])
def test_energy_is_voltage_times_current_along_the_way(voltage):
    p = filled(CELL, 60 if voltage > 0 else 5)
    _, energy = propagate(CELL, p, voltage, WIDTH)
    # Gauss-Legendre over the logarithm of time: the current falls fast, then slowly.
    z, weight = np.polynomial.legendre.leggauss(40)
    low, high = np.log(1e-16), np.log(WIDTH)
    times = np.exp(low + (high - low) * (z + 1) / 2)
    current = abs(conditions(CELL, np.arange(61), voltage)[1])
    means = np.array([current @ propagate(CELL, p, voltage, t)[0][:, 0] for t in times])
    asked = abs(voltage) * ((means * times) @ weight * (high - low) / 2 + means[0] * 1e-16)
    assert energy[0] == pytest.approx(asked, rel=1e-5)
    assert energy[0] <= voltage**2 * WIDTH / CELL.r_on * (1 + 1e-12)


def test_compliance_and_temperature_reach_the_rates():
    settings = {"temperature": 350.0, "i_max": 1e-4}
    q = generator(CELL, -0.8, **settings)
    after, energy = propagate(CELL, filled(CELL, 10), -0.8, 1e-9, **settings)
    assert after[:, 0] == pytest.approx(expm(q * 1e-9)[:, 10], abs=1e-10)
    assert energy[0] <= 0.8 * 1e-4 * 1e-9 * (1 + 1e-12)


def test_no_pulse_changes_nothing_and_costs_nothing():
    p = some_start()
    after, energy = propagate(CELL, p, 1.0, WIDTH, n_pulses=0)
    assert (after == p).all()
    assert after is not p
    assert not energy.any()


def test_devices_may_differ_in_any_field():
    made = replace(CELL, r_th=np.array([5e6, 7e6]))
    p, _ = propagate(made, filled(made, 60), 1.0, WIDTH)
    for k, r_th in enumerate((5e6, 7e6)):
        alone = replace(CELL, r_th=r_th)
        found, _ = propagate(alone, filled(alone, 60), 1.0, WIDTH)
        assert p[:, k] == pytest.approx(found[:, 0], abs=1e-13)


@pytest.mark.parametrize(
    ("sigma", "nodes", "error"),
    [(0.3, 81, 1e-6), (0.6, 81, 4e-4), (0.3, 41, 7e-5), (0.6, 41, 7e-3)],
)
def test_quadrature_converges_to_the_mean_over_devices(sigma, nodes, error):
    cell = replace(CELL, sigma_e=sigma)

    def mean(n):
        made, weight = quadrature(cell, n)
        return propagate(made, filled(made, 60), 1.2, WIDTH)[0] @ weight

    assert abs(np.cumsum(mean(nodes) - mean(481))).max() < error


def test_quadrature_of_equal_devices_is_one_device():
    made, weight = quadrature(CELL)
    assert made.e_a == pytest.approx([1.0])
    assert weight.tolist() == [1.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: filled(CELL, 61), "n = 61"),
        (lambda: filled(CELL, 0.5), "fractions"),
        (lambda: filled(replace(CELL, e_a=np.ones(3)), [1, 2]), r"n \(2,\)"),
        (lambda: propagate(CELL, np.ones(61) / 61, 1.0, WIDTH), "p of shape"),
        (lambda: propagate(CELL, np.ones((60, 1)) / 60, 1.0, WIDTH), "p of shape"),
        (lambda: propagate(replace(CELL, e_a=np.ones(3)), filled(CELL, 60), 1.0, WIDTH),
         r"p of shape \(61, 1\); expected \(61, 3\)"),
        (lambda: propagate(CELL, -filled(CELL, 60), 1.0, WIDTH), "p = -1"),
        (lambda: propagate(CELL, filled(CELL, 60), np.ones(61), WIDTH), "voltage"),
        (lambda: propagate(CELL, filled(CELL, 60), np.nan, WIDTH), "voltage"),
        (lambda: propagate(CELL, filled(CELL, 60), 1.0, 0.0), "pulse_width"),
        (lambda: propagate(CELL, filled(CELL, 60), 1.0, WIDTH, n_pulses=-1), "n_pulses"),
        (lambda: propagate(CELL, filled(CELL, 60), 1.0, WIDTH, temperature=-1.0), "temperature"),
        (lambda: propagate(CELL, filled(CELL, 60), 1.0, WIDTH, i_max=-1.0), "i_max"),
        (lambda: propagate(replace(CELL, n_sites=301), np.ones((302, 1)) / 302, 1.0, WIDTH),
         "n_sites = 301"),
        (lambda: quadrature(replace(CELL, sigma_e=0.1), 0), "n_nodes"),
        (lambda: quadrature(replace(CELL, e_a=np.ones(3))), "e_a"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


def test_rates_that_lose_the_distribution_are_refused():
    fast = replace(CELL, e_a=0.6, e_min=0.3)
    with pytest.raises(AccuracyError, match="lose"):
        propagate(fast, filled(fast, 60), -1.5, 1e6)
