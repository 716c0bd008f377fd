"""Splitting against the Fokker-Planck equation, coverage of its interval, its checks; bad input."""

import numpy as np
import pytest

from devicephys.errors import AccuracyError, AccuracyWarning, ParameterError
from devicephys.mram import fokker_planck, macrospin, rare_event
from devicephys.mram.free_layer import NONE, FreeLayer, Stage, Surface, uniaxial

LAYER = uniaxial(60, 0.01)
TILTED = uniaxial(60, 0.01, h=[0.05, 0, 0])
DOWN = np.array([0.0, 0.0, -2.0])
SIGMAS = 4.5  # false alarms: 7e-6 for each comparison, somewhat more from the few repeats


def pulse(layer, tau, torque=DOWN):
    return [Stage(layer, torque, NONE, np.array(tau))]


def agrees(found, exact, within):
    """Whether a rate is the exact one by its standard error, and that error small enough."""
    return abs(found.wer - exact) < SIGMAS * found.error and found.error < within * exact


@pytest.mark.parametrize(("tau", "seed"), [(2.0, 1), (6.0, 2), (11.02, 3), (20.0, 4)])
def test_importance_agrees_with_the_fokker_planck_equation(tau, seed):
    found = rare_event.solve(LAYER, pulse(LAYER, tau), np.random.default_rng(seed))
    exact = float(fokker_planck.wer(2.0, tau, 60.0, readout="relaxed"))
    assert found.method == "importance"
    assert np.isnan(found.kill)
    assert agrees(found, exact, 0.06)
    assert found.effective == pytest.approx(found.wer * (1 - found.wer) / found.error**2)


def test_importance_follows_field_angular_torque_and_changed_anisotropy():
    """A field of 0.1 and H_k raised by a tenth while the pulse lasts, read at its end."""
    driven = FreeLayer(66.0, 0.01, np.array([[0, 0], [0, 0], [0, 1.1]]), np.array([0, 0, 0.1]))
    found = rare_event.solve(
        LAYER, pulse(driven, 6.0, 1.5 * DOWN), np.random.default_rng(5), relax=0.0
    )
    drift = np.array([[3.0 - 0.1, -1.1]])
    stage = fokker_planck.Stage(drift, np.array([1 / 132]), np.array([[6.0]]))
    exact = fokker_planck.solve_stages(
        np.array([[0.0, -1.0]]), np.array([60.0]), lambda level: [stage]
    ).wer
    assert agrees(found, float(exact[0, 0]), 0.05)


@pytest.mark.parametrize(("tau", "exact", "seed"), [(4.0, 1.3901e-2, 6), (8.0, 6.1118e-6, 7)])
def test_survivors_agree_with_a_two_dimensional_fokker_planck_equation(tau, exact, seed):
    """Values of a converged solver in z and azimuth, relative error 1e-4, sharp read-out."""
    found = rare_event.solve(
        TILTED, pulse(TILTED, tau), np.random.default_rng(seed), relax=0.0, particles=4096
    )
    assert found.method == "survivors"
    assert agrees(found, exact, 0.15)
    assert found.shifted == pytest.approx(found.wer, rel=0.01)


@pytest.mark.parametrize(("tau", "seed"), [(4.0, 8), (8.0, 9)])
def test_survivors_agree_where_an_importance_would_do(tau, seed):
    found = rare_event.solve(LAYER, pulse(LAYER, tau), np.random.default_rng(seed), kill=-0.4)
    exact = float(fokker_planck.wer(2.0, tau, 60.0, readout="relaxed"))
    assert found.method == "survivors"
    assert agrees(found, exact, 0.1)


def test_interval_covers_as_often_as_it_says():
    """80 intervals of 95 %; fewer than 66 cover by chance with a probability of 2e-5."""
    exact = float(fokker_planck.wer(2.0, 3.0, 60.0))
    covered = 0
    for rng in np.random.default_rng(10).spawn(80):
        found = rare_event.solve(
            LAYER, pulse(LAYER, 3.0), rng, particles=100, repeats=6, relax=0.0, kill=-0.3
        )
        covered += found.low < exact < found.high
    assert covered >= 66


def test_one_seed_gives_one_result_for_any_number_of_workers():
    one, two = (
        rare_event.solve(
            TILTED, pulse(TILTED, 3.0), np.random.default_rng(11), particles=300, repeats=5,
            relax=1.0, workers=workers,
        )
        for workers in (1, 2)
    )  # fmt: skip
    assert one == two


def test_warns_where_the_kill_level_is_too_early():
    with pytest.warns(AccuracyWarning, match=r"kill level nearer to -1") as caught:
        found = rare_event.solve(
            TILTED, pulse(TILTED, 8.0), np.random.default_rng(12), particles=4096, kill=0.0,
            relax=0.0,
        )  # fmt: skip
    assert f"{found.shifted:.3g}" in str(caught[0].message)
    assert found.wer < 0.8 * 6.1118e-6  # of what the two-dimensional equation gives
    assert found.shifted > found.high


def test_counts_where_a_pulse_brings_states_back():
    """A torque along y pulls into the plane from either side: nothing may be given up."""
    stages = pulse(uniaxial(40, 0.1), 1.0, np.array([0.0, 12.0, 0.0]))
    rng = np.random.default_rng(13)
    found = rare_event.solve(uniaxial(40, 0.1), stages, rng, particles=500, repeats=8, relax=5.0)
    plain = macrospin.write_error(uniaxial(40, 0.1), stages, 4000, rng, relax=5.0)
    assert found.method == "count"
    assert abs(found.wer - plain.wer) < SIGMAS * np.sqrt(2 * 0.25 / 4000)


def test_energies_that_do_not_separate_take_the_reference_integrator():
    def field(m):
        return np.stack([0 * m[0], 0 * m[1], m[2]])

    surface = Surface(lambda m: -(m[2] ** 2) / 2, field)
    layer = FreeLayer(60, 0.2, np.zeros((3, 1)), surface=surface)
    found = rare_event.solve(
        layer, pulse(layer, 2.0), np.random.default_rng(14), particles=500, repeats=4, relax=0.0
    )
    assert agrees(found, float(fokker_planck.wer(2.0, 2.0, 60.0)), 0.1)


def test_a_pulse_of_no_length_fails_always():
    found = rare_event.solve(
        LAYER, pulse(LAYER, 0.0), np.random.default_rng(15), particles=200, repeats=4, relax=0.0
    )
    assert (found.wer, found.high, found.error) == (1, 1, 0)
    assert 0.99 < found.low < 1


def test_extinction_says_how_far_it_came():
    with pytest.raises(AccuracyError, match=r"of 3 t_D.*take more particles"):
        rare_event.solve(
            TILTED, pulse(TILTED, 3.0, 6 * DOWN), np.random.default_rng(16), particles=100,
            repeats=4,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"particles": 99}, "particles"),
        ({"repeats": 3}, "repeats"),
        ({"workers": 0}, "workers"),
        ({"relax": -1.0}, "relax"),
        ({"kill": -1.5}, "kill"),
        ({"step": 1.0}, r"largest sensible step .* is 0\.01"),
        ({"stages": pulse(LAYER, [1.0, 2.0])}, "stage 0 has 2 durations"),
    ],
)
def test_bad_input_is_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        rare_event.solve(LAYER, **{"stages": pulse(LAYER, 1.0)} | changes,
                         rng=np.random.default_rng(1))  # fmt: skip
