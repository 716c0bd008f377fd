"""The Fokker-Planck equation on the sphere: axial limits, symmetries, other solvers, refusals."""

import numpy as np
import pytest

from devicephys.errors import AccuracyError, ParameterError
from devicephys.mram import fokker_planck, fokker_planck_2d, macrospin
from devicephys.mram.free_layer import NONE, FreeLayer, Stage, Surface, uniaxial

DOWN = np.array([0.0, 0.0, -2.0])
TAU = np.array([1.0, 2.0, 4.0, 8.0, 14.0])


def pulse(layer, tau=TAU, torque=DOWN, field=NONE):
    return [Stage(layer, np.asarray(torque), np.asarray(field), np.asarray(tau))]


@pytest.mark.parametrize(
    ("i", "h", "tau"), [(2.0, 0.0, TAU), (3.0, 0.1, TAU), (0.8, 0.05, np.array([5.0, 300.0]))]
)
@pytest.mark.parametrize("readout", ["sign", "relaxed"])
def test_axial_conditions_give_the_axial_solution(i, h, tau, readout):
    layer = uniaxial(60, 0.01, h=[0, 0, h])
    found = fokker_planck_2d.solve(layer, pulse(layer, tau, [0, 0, -i]), readout=readout)
    exact = fokker_planck.wer(i, tau, 60.0, h, readout=readout)
    np.testing.assert_allclose(found.wer, exact, rtol=2e-5)
    assert (np.abs(found.wer - exact) <= 5 * found.error + 1e-6 * exact).all()


def test_a_torque_that_depends_on_the_angle_is_that_of_the_axial_solution():
    a = 5 / 13
    exact = fokker_planck.wer(2.0, TAU, 60.0, 0.0, a)
    nodes = np.cos(np.pi * (np.arange(40) + 0.5) / 40)
    series = np.polynomial.chebyshev.chebfit(nodes, (1 + a) / (1 + a * nodes), 24)
    layer = FreeLayer(60, 0.01, np.array([[0, 0], [0, 0], [0, 1.0]]), angular=series)
    rest = uniaxial(60, 0.01)
    found = fokker_planck_2d.wer(rest, pulse(layer), readout="sign")
    np.testing.assert_allclose(found, exact, rtol=1e-5)


def test_the_direction_of_an_in_plane_field_does_not_matter_to_a_round_layer():
    rates = []
    for angle in (0.0, 0.7, np.pi / 2):
        layer = uniaxial(40, 0.1, h=[0.1 * np.cos(angle), 0.1 * np.sin(angle), 0])
        rates.append(fokker_planck_2d.wer(layer, pulse(layer, TAU[:3])))
    np.testing.assert_allclose(rates[1:], [rates[0]] * 2, rtol=1e-3)


@pytest.mark.parametrize(
    ("layer", "torque", "tau"),
    [
        (uniaxial(40, 0.1, h=[0.1, 0, 0]), DOWN, 2.5),
        (uniaxial(40, 0.1, in_plane=0.4), DOWN, 2.5),
        (uniaxial(40, 0.1, h=[0, 0.05, -0.05]), np.array([0.5, -1.0, -1.2]), 3.0),
    ],
    ids=["tilt", "elliptic", "spin-orbit"],
)
def test_rates_are_those_of_trajectories(layer, torque, tau):
    n = 40_000
    exact = float(fokker_planck_2d.wer(layer, pulse(layer, tau, torque), rtol=2e-3))
    found = macrospin.write_error(layer, pulse(layer, tau, torque), n, np.random.default_rng(1))
    assert abs(found.wer - exact) < 4.5 * np.sqrt(exact * (1 - exact) / n)  # false alarms: 7e-6


def test_stages_compose():
    """A pulse in two halves, and one with a rest, long after which the layer has decided."""
    layer = uniaxial(60, 0.1, h=[0.05, 0, 0])
    whole = fokker_planck_2d.wer(layer, pulse(layer, 4.0))
    halves = fokker_planck_2d.wer(layer, pulse(layer, 2.0) * 2)
    assert halves == pytest.approx(float(whole), rel=1e-4)
    rested = [*pulse(layer, 3.0), *pulse(layer, 20.0, NONE)]
    assert fokker_planck_2d.wer(layer, rested) == pytest.approx(
        float(fokker_planck_2d.wer(layer, pulse(layer, 3.0))), rel=1e-3
    )


def test_a_surface_is_the_same_layer_in_another_form():
    layer = uniaxial(40, 0.1, h=[0.1, 0, 0])
    surface = Surface(
        lambda m: -0.5 * m[2] ** 2 - 0.1 * m[0],
        lambda m: np.stack([0.1 + 0 * m[0], 0 * m[0], m[2]]),
    )
    other = FreeLayer(40, 0.1, np.zeros((3, 1)), surface=surface)
    one, two = (fokker_planck_2d.wer(x, pulse(x, TAU[:3])) for x in (layer, other))
    np.testing.assert_allclose(one, two, rtol=1e-9)


def test_what_does_not_converge_is_refused_with_its_uncertainty():
    layer = uniaxial(60, 0.01, h=[0.3, 0, 0])
    with pytest.raises(AccuracyError, match=r"uncertain by .*rare_event"):
        fokker_planck_2d.wer(layer, pulse(layer, [12.0]))


LAYER, TILT = uniaxial(60, 0.1), uniaxial(60, 0.1, h=[0.05, 0, 0])
HOT = uniaxial(8, 0.1, h=[0.05, 0, 0])
FLAT = FreeLayer(60, 0.02, np.zeros((3, 2)), np.array([0.05, 0, 0]))


@pytest.mark.parametrize(
    ("rest", "stages"),
    [
        (LAYER, [*pulse(LAYER, 8.0), *pulse(LAYER, 5.0, [0, 0, 2.0])]),
        (LAYER, [*pulse(LAYER, 3.0), *pulse(LAYER, 2.0, [0, 0, 1.0])]),
        (TILT, [*pulse(TILT, 6.0), *pulse(TILT, 5.0, NONE, [0, 0, 1.5])]),
        (TILT, [*pulse(TILT, 6.0), *pulse(HOT, 200.0, NONE)]),
        (uniaxial(60, 0.02, h=[0.05, 0, 0]), pulse(FLAT, 4 * np.pi * 0.02 / 0.05, NONE)),
        (uniaxial(40, 0.3), pulse(uniaxial(40, 0.3), 3.0, [0.0, -3.0, 0.0])),
        (uniaxial(6, 0.01), pulse(uniaxial(6, 0.01))),
        (uniaxial(60, 0.01, h=[1.1, 0, 0]), pulse(uniaxial(60, 0.01))),
    ],
    ids=[
        "reversal",
        "weak reversal",
        "field",
        "heat",
        "no anisotropy",
        "spin-orbit",
        "shallow",
        "none",
    ],
)
def test_what_may_bring_a_written_layer_back_is_refused(rest, stages):
    """The cap ends where layers are written: what comes back from beyond would be lost."""
    with pytest.raises(AccuracyError, match=r"bring a written layer back|k_B T deep"):
        fokker_planck_2d.solve(rest, stages)


def test_heat_that_brings_few_back_is_a_part_of_the_error():
    layer, hot = uniaxial(60, 0.1, h=[0.02, 0, 0]), uniaxial(20, 0.1, h=[0.02, 0, 0])
    found = fokker_planck_2d.solve(layer, [*pulse(layer, 8.0), *pulse(hot, 100.0, NONE)])
    assert found.error > 1e-8


def test_long_pulses_end_at_zero_and_endless_ones_are_refused():
    found = fokker_planck_2d.solve(TILT, pulse(TILT, [2.0, 1000.0]))
    assert found.wer[1] == 0
    assert found.error[1] < 1e-12
    with pytest.raises(AccuracyError, match="steps"):
        fokker_planck_2d.solve(TILT, pulse(TILT, 1e9))
    still = fokker_planck_2d.solve(TILT, pulse(TILT, 50.0, NONE))
    assert still.wer == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_stated_errors_are_honest_on_random_conditions(seed):
    """Against an expansion far beyond those that were used: within twice what is stated."""
    rng = np.random.default_rng(seed)
    layer = uniaxial(rng.uniform(20, 110), 10 ** rng.uniform(-1.5, -0.3),
                     h=[rng.uniform(0, 0.25), 0, rng.uniform(-0.1, 0.1)])  # fmt: skip
    stage = pulse(layer, np.array([0.5, 1.0, 2.0, 4.0]), [0, 0, -rng.uniform(1.2, 4)])
    found = fokker_planck_2d.solve(layer, stage)
    best = fokker_planck_2d.rates(layer, stage, "relaxed",
                                  fokker_planck_2d.Expansion(96, 26, 12.0, 0.13))  # fmt: skip
    assert (np.abs(found.wer - best) <= 2 * found.error).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((uniaxial(60, 0.01), []), "no stage"),
        ((uniaxial(60, 0.01), pulse(uniaxial(60, 0.01)) * 2), "stage 0 has 5 durations"),
        ((uniaxial(60, 0.01), pulse(uniaxial(60, 0.01), TAU[::-1])), "fall"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ParameterError, match=message):
        fokker_planck_2d.wer(*arguments)
