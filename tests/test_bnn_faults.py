"""Bit errors: exact limits, nesting, and rates."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.bnn.faults import flip_weights
from devicephys.bnn.inference import weight_matrices
from devicephys.bnn.network import Layer, Network
from devicephys.errors import ParameterError

QUICK = settings(deadline=None, max_examples=50, derandomize=True)
RATE = st.floats(0, 1)


def random_network(seed=0, sizes=(40, 30, 20)):
    rng = np.random.default_rng(seed)
    layers = tuple(
        Layer(rng.choice([-1, 1], (b, a)).astype(np.int8), np.zeros(b, np.int32))
        for a, b in pairwise(sizes)
    )
    return Network("random", (0,), layers)


def flat(matrices):
    return np.concatenate([m.ravel() for m in matrices])


def flips(network, p01, p10, seed):
    stored = flat(weight_matrices(network))
    return flat(flip_weights(network, p01, p10, np.random.default_rng(seed))) != stored


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rates_of_zero_and_one_are_exact(seed):
    network = random_network(seed)
    stored = flat(weight_matrices(network))

    def read(p01, p10):
        return flat(flip_weights(network, p01, p10, np.random.default_rng(seed)))

    assert np.array_equal(read(0, 0), stored)
    assert np.array_equal(read(1, 1), -stored)
    assert (read(1, 0) == 1).all()
    assert (read(0, 1) == -1).all()


@given(st.integers(0, 2**32), RATE, RATE, RATE, RATE)
@QUICK
def test_flips_at_a_low_rate_are_among_those_at_a_higher_one(seed, a, b, c, d):
    network = random_network(3, (9, 7, 5))
    low = flips(network, min(a, b), min(c, d), seed)
    high = flips(network, max(a, b), max(c, d), seed)
    assert not (low & ~high).any()


@given(st.integers(0, 2**32), RATE, RATE)
@QUICK
def test_shapes_and_values_stay_and_the_network_is_untouched(seed, p01, p10):
    network = random_network(4, (9, 7, 5))
    before = [layer.weights.copy() for layer in network.layers]
    read = flip_weights(network, p01, p10, np.random.default_rng(seed))
    for w, layer, old in zip(read, network.layers, before, strict=True):
        assert w.shape == layer.weights.shape
        assert w.dtype == np.float32
        assert (np.abs(w) == 1).all()
        assert np.array_equal(layer.weights, old)


@given(st.integers(0, 2**32), RATE, RATE)
@QUICK
def test_negated_weights_swap_the_two_rates(seed, p01, p10):
    network = random_network(5, (9, 7, 5))
    layers = tuple(Layer(-layer.weights, layer.threshold) for layer in network.layers)
    negated = Network("negated", (0,), layers)
    read = flip_weights(network, p01, p10, np.random.default_rng(seed))
    mirror = flip_weights(negated, p10, p01, np.random.default_rng(seed))
    assert np.array_equal(flat(read), -flat(mirror))


def test_share_of_flips_is_the_rate_of_each_state():
    network = random_network(6, (300, 200, 100))
    stored = flat(weight_matrices(network))
    found = flips(network, 0.02, 0.3, 7)
    for state, p in ((-1, 0.02), (1, 0.3)):
        mine = found[stored == state]
        sigma = np.sqrt(p * (1 - p) / mine.size)
        assert abs(mine.mean() - p) < 5 * sigma  # 5 sigma: 6e-7


def test_bits_fail_independently_within_and_between_layers():
    sizes = (100, 100, 100)
    found = flips(random_network(8, sizes), 0.5, 0.5, 9).reshape(2, 100, 100) - 0.5
    pairs = [
        (found[0], found[1]),
        (found[0, 1:], found[0, :-1]),
        (found[0, :, 1:], found[0, :, :-1]),
    ]
    for a, b in pairs:
        assert abs((4 * a * b).mean()) < 5 / np.sqrt(a.size)  # 5 sigma: 6e-7 each


def test_equal_states_give_equal_maps_and_other_seeds_other_maps():
    network = random_network(10)
    assert np.array_equal(flips(network, 0.1, 0.2, 11), flips(network, 0.1, 0.2, 11))
    assert not np.array_equal(flips(network, 0.1, 0.2, 11), flips(network, 0.1, 0.2, 12))


def test_rates_far_below_single_precision_are_told_apart():
    """Draws of 3e-12 flip at a rate of 4e-12, and not at 3e-12."""
    network = random_network(13, (6, 4))
    rng = SimpleNamespace(random=lambda shape: np.full(shape, 3e-12))
    stored = flat(weight_matrices(network))
    assert np.array_equal(flat(flip_weights(network, 4e-12, 4e-12, rng)), -stored)
    assert np.array_equal(flat(flip_weights(network, 3e-12, 3e-12, rng)), stored)


@pytest.mark.parametrize("bad", [-1e-9, 1.0000001, np.nan, np.inf, -np.inf])
def test_impossible_rates_are_named(bad):
    network = random_network()
    rng = np.random.default_rng(0)
    with pytest.raises(ParameterError, match=r"p01 = .*expected finite, in \[0, 1\]"):
        flip_weights(network, bad, 0.1, rng)
    with pytest.raises(ParameterError, match=r"p10 = .*expected finite, in \[0, 1\]"):
        flip_weights(network, 0.1, bad, rng)
