"""Write-verify: conservation, the geometric law, drawn chains, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from devicephys.errors import ParameterError
from devicephys.rram.write_verify import acceptance, write_verify

QUICK = settings(max_examples=40, deadline=None, derandomize=True)


def chain(transition, energy):
    """Make a step from a transition matrix (row: from) and the energy of a pulse by level."""
    return lambda p: (p @ transition, float(p @ energy))


def still(p):
    return p, 2e-12


@pytest.mark.parametrize("a", [0.0, 0.03, 0.5, 1.0])
def test_levels_that_do_not_move_give_the_geometric_law(a):
    found = write_verify([1.0], still, [a], 25, read_energy=1e-14)
    n = np.arange(1, 26)
    assert found.accepted == pytest.approx(a * (1 - a) ** (n - 1), rel=1e-12)
    assert found.never == pytest.approx((1 - a) ** 25, rel=1e-12)
    pulses = (1 - (1 - a) ** 25) / a if a else 25
    assert found.mean_pulses == pytest.approx(pulses, rel=1e-12)
    assert found.write_energy == pytest.approx(2e-12 * pulses, rel=1e-12)
    assert found.read_energy == pytest.approx(1e-14 * pulses, rel=1e-12)


@QUICK
@given(st.integers(1, 6), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_probability_is_conserved_and_means_agree(k, n_max, seed):
    rng = np.random.default_rng(seed)
    p0, transition = rng.dirichlet(np.ones(k)), rng.dirichlet(np.ones(k), size=k)
    energy = rng.random(k)
    found = write_verify(p0, chain(transition, energy), rng.random(k), n_max, rng.random(k))
    assert found.accepted.sum() + found.never == pytest.approx(1, abs=1e-12)
    assert found.states_accepted.sum() == pytest.approx(found.accepted.sum(), abs=1e-12)
    assert found.states_never.sum() == pytest.approx(found.never, abs=1e-12)
    n = np.arange(1, n_max + 1)
    pulses = (n * found.accepted).sum() + n_max * found.never
    assert found.mean_pulses == pytest.approx(pulses)
    assert energy.min() * pulses <= found.write_energy * (1 + 1e-9)
    assert found.write_energy <= energy.max() * pulses * (1 + 1e-9)


def test_outcome_is_that_of_a_drawn_chain():
    """4.5 standard errors of 100 000 cells: false alarm 7e-6 each."""
    rng, n, n_max = np.random.default_rng(5), 100_000, 6
    p0 = np.array([0.7, 0.3, 0.0, 0.0])
    transition = np.array([[0.5, 0.3, 0.2, 0], [0.1, 0.5, 0.3, 0.1], [0, 0.1, 0.6, 0.3],
                           [0, 0, 0.2, 0.8]])  # fmt: skip
    energy, read = np.array([4.0, 3.0, 2.0, 1.0]), np.array([0.4, 0.3, 0.2, 0.1])
    accept = np.array([0.0, 0.02, 0.3, 0.9])
    found = write_verify(p0, chain(transition, energy), accept, n_max, read)

    level, pulses = rng.choice(4, n, p=p0), np.zeros(n, int)
    spent, verified, open_ = np.zeros(n), np.zeros(n), np.ones(n, bool)
    for _ in range(n_max):
        spent[open_] += energy[level[open_]]
        cut = np.cumsum(transition, axis=1)[level]
        drawn = (rng.random((n, 1)) > cut).sum(axis=1)
        level = np.where(open_, drawn, level)
        verified[open_] += read[level[open_]]
        pulses += open_
        open_ &= rng.random(n) >= accept[level]
    for k in range(n_max):
        p = found.accepted[k]
        share = ((pulses == k + 1) & ~open_).mean()
        assert share == pytest.approx(p, abs=4.5 * np.sqrt(p * (1 - p) / n))
    for k in range(4):
        for states, mine in ((found.states_accepted, ~open_), (found.states_never, open_)):
            p = states[k]
            drawn = ((level == k) & mine).mean()
            assert drawn == pytest.approx(p, abs=4.5 * np.sqrt(p * (1 - p) / n) + 1e-15)
    for value, drawn in ((found.mean_pulses, pulses), (found.write_energy, spent),
                         (found.read_energy, verified)):  # fmt: skip
        assert drawn.mean() == pytest.approx(value, abs=4.5 * drawn.std() / np.sqrt(n))


def test_loop_stops_where_no_cell_is_left_and_calls_no_more_pulses():
    calls = []

    def step(p):
        calls.append(p)
        return p, 1e-12

    found = write_verify([0.5, 0.5], step, [1.0, 1.0], 1000)
    assert len(calls) == 1
    assert (found.never, found.mean_pulses) == (0.0, 1.0)


def test_step_gets_probabilities_of_the_cells_that_are_left():
    seen = []

    def step(p):
        seen.append(p.copy())
        return p, 0.0

    write_verify([0.5, 0.5], step, [0.0, 0.5], 3)
    assert seen[1] == pytest.approx([2 / 3, 1 / 3])
    assert seen[2] == pytest.approx([4 / 5, 1 / 5])


def test_more_pulses_leave_fewer_cells():
    p0, transition = [1.0, 0.0], np.array([[0.8, 0.2], [0.0, 1.0]])
    never = [
        write_verify(p0, chain(transition, np.ones(2)), [0, 0.9], n).never for n in range(1, 9)
    ]
    assert (np.diff(never) < 0).all()


def test_acceptance_is_the_integral_of_the_noise_and_a_step_without_it():
    x, sigma, target = 9.4, 0.2, 9.5
    area = quad(lambda y: norm.pdf(y, x, sigma), target, target + 3)[0]
    assert acceptance(x, sigma, target) == pytest.approx(area, rel=1e-9)
    both = acceptance([9.0, 9.6], sigma, target) + acceptance([9.0, 9.6], sigma, target, "below")
    assert both == pytest.approx([1, 1])
    assert acceptance([9.0, 9.5, 9.6], 0.0, target).tolist() == [0, 0, 1]
    assert acceptance([9.0, 9.5, 9.6], 0.0, target, "below").tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: write_verify([0.5, 0.4], still, [1, 1], 3), "p0 of shape .* adds up to 0.9"),
        (lambda: write_verify([1.5, -0.5], still, [1, 1], 3), "p0 = 1.5"),
        (lambda: write_verify([1.0], still, [1.2], 3), "accept = 1.2"),
        (lambda: write_verify([1.0], still, [1.0, 1.0], 3), "one number for each level"),
        (lambda: write_verify([1.0], still, [1.0], 0), "n_max = 0"),
        (lambda: write_verify([1.0], still, [1.0], 3, -1.0), "read_energy = -1 J"),
        (
            lambda: write_verify([1.0], lambda p: (p / 2, 0.0), [1.0], 3),
            "step after pulse 1 .* 0.5",
        ),
        (lambda: write_verify([1.0], lambda p: ([0.5, 0.5], 0.0), [1.0], 3), "step gives shape"),
        (lambda: write_verify([1.0], lambda p: (p, -1.0), [1.0], 3), "energy of a pulse = -1 J"),
        (lambda: write_verify([1.0], lambda p: (p, np.nan), [1.0], 3), "energy of a pulse = nan"),
        (lambda: acceptance([1.0], -0.1, 1.0), "sigma = -0.1"),
        (lambda: acceptance([1.0], 0.1, 1.0, "over"), "unknown side 'over'"),
    ],
)
def test_impossible_loops_are_refused(call, message):
    with pytest.raises(ParameterError, match=message):
        call()
