"""Inference against plain integer arithmetic and exact symmetries."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.bnn.inference import (
    BLOCK,
    EXACT_FAN_IN,
    encode,
    encode_levels,
    predict,
    weight_matrices,
)
from devicephys.bnn.network import Layer, Network
from devicephys.errors import DataError

QUICK = settings(deadline=None, max_examples=50, derandomize=True)


def signs(rng, *shape):
    return np.where(rng.random(shape) < 0.5, -1, 1).astype(np.int8)


def random_network(rng, sizes, reach=None):
    """Network with thresholds of both signs, at most `reach` (the possible sums by default)."""
    layers = []
    for n_in, n_out in pairwise(sizes):
        limit = n_in + 1 if reach is None else min(reach, n_in + 1)
        threshold = rng.integers(-limit, limit + 1, n_out).astype(np.int32)
        layers.append(Layer(signs(rng, n_out, n_in), threshold))
    return Network("random", (0,), tuple(layers))


def integer_classes(network, inputs):
    x = inputs.astype(np.int64)
    for layer in network.layers[:-1]:
        z = x @ layer.weights.astype(np.int64).T
        x = np.where(z - layer.threshold.astype(np.int64) >= 0, 1, -1)
    last = network.layers[-1]
    scores = x @ last.weights.astype(np.int64).T - last.threshold.astype(np.int64)
    return scores.argmax(axis=1)


def popcount_classes(network, inputs):
    """The same from packed bits: z = n - 2 popcount(w xor x)."""
    x = inputs > 0
    for k, layer in enumerate(network.layers):
        bits, w = np.packbits(x, axis=1), np.packbits(layer.weights > 0, axis=1)
        differ = np.bitwise_count(bits[:, None] ^ w[None]).sum(axis=2, dtype=np.int64)
        z = layer.weights.shape[1] - 2 * differ - layer.threshold
        if k == len(network.layers) - 1:
            return z.argmax(axis=1)
        x = z >= 0


@given(
    st.integers(0, 2**32),
    st.lists(st.integers(1, 40), min_size=2, max_size=5),
    st.integers(1, 30),
    st.sampled_from([0, 1, 3, None]),
)
@QUICK
def test_float32_gives_the_integer_classes(seed, sizes, n_images, reach):
    rng = np.random.default_rng(seed)
    network = random_network(rng, sizes, reach)
    inputs = signs(rng, n_images, sizes[0]).astype(np.float32)
    expected = integer_classes(network, inputs)
    assert np.array_equal(predict(network, inputs), expected)
    assert np.array_equal(popcount_classes(network, inputs), expected)


def test_float32_gives_the_integer_classes_of_a_large_network():
    rng = np.random.default_rng(5)
    network = random_network(rng, (1568, 1024, 700, 10), reach=30)
    inputs = signs(rng, 300, 1568).astype(np.float32)
    assert np.array_equal(predict(network, inputs), integer_classes(network, inputs))
    assert len(set(predict(network, inputs).tolist())) > 3


@pytest.mark.parametrize("sign", [-1, 1])
def test_thresholds_beyond_the_sums_hold_a_unit(sign):
    """With threshold n + 1 a unit never fires, with -n it always does."""
    n = 9
    rng = np.random.default_rng(6)
    threshold = np.array([n + 1 if sign > 0 else -n], np.int32)
    hidden = Layer(signs(rng, 1, n), threshold)
    out = Layer(np.array([[-1], [1]], np.int8), np.zeros(2, np.int32))
    inputs = signs(rng, 500, n).astype(np.float32)
    extreme = np.vstack([inputs, hidden.weights, -hidden.weights]).astype(np.float32)
    classes = predict(Network("held", (0,), (hidden, out)), extreme)
    assert set(classes.tolist()) == {0 if sign > 0 else 1}


def test_unit_fires_at_its_threshold_and_not_below():
    out = Layer(np.array([[-1], [1]], np.int8), np.zeros(2, np.int32))
    inputs = np.array([[-1, -1, -1], [-1, -1, 1], [-1, 1, 1], [1, 1, 1]], np.float32)
    for threshold, fires in ((-1, [0, 1, 1, 1]), (0, [0, 0, 1, 1]), (1, [0, 0, 1, 1])):
        hidden = Layer(np.ones((1, 3), np.int8), np.array([threshold], np.int32))
        assert predict(Network("step", (0,), (hidden, out)), inputs).tolist() == fires


@given(st.integers(0, 2**32))
@QUICK
def test_negated_and_reordered_hidden_units_change_nothing(seed):
    """z >= t is not(-z >= 1 - t): negating unit and outgoing weights leaves all scores."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, (11, 8, 4), reach=5)
    hidden, out = network.layers
    s, order = signs(rng, 8), rng.permutation(8)
    threshold = np.where(s > 0, hidden.threshold, 1 - hidden.threshold).astype(np.int32)
    other = Network(
        "mirrored",
        (0,),
        (
            Layer((hidden.weights * s[:, None])[order], threshold[order]),
            Layer((out.weights * s)[:, order], out.threshold),
        ),
    )
    inputs = signs(rng, 40, 11).astype(np.float32)
    assert np.array_equal(predict(other, inputs), predict(network, inputs))


def test_blocks_do_not_show():
    rng = np.random.default_rng(7)
    network = random_network(rng, (15, 9, 5), reach=4)
    inputs = signs(rng, 2 * BLOCK + 1, 15).astype(np.float32)
    expected = integer_classes(network, inputs)
    for n in (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 1):
        assert np.array_equal(predict(network, inputs[:n]), expected[:n])


def test_lowest_class_wins_a_tie():
    same = Layer(np.ones((4, 3), np.int8), np.array([2, 0, 0, 0], np.int32))
    classes = predict(Network("tie", (0,), (same,)), np.ones((2, 3), np.float32))
    assert classes.tolist() == [1, 1]


def test_other_weights_are_another_network():
    rng = np.random.default_rng(8)
    network = random_network(rng, (12, 10, 4), reach=4)
    layers = tuple(Layer(signs(rng, *x.weights.shape), x.threshold) for x in network.layers)
    other = Network("other", (0,), layers)
    inputs = signs(rng, 200, 12).astype(np.float32)
    found = predict(network, inputs, weight_matrices(other))
    assert np.array_equal(found, integer_classes(other, inputs))
    assert not np.array_equal(found, integer_classes(network, inputs))


def test_predicting_leaves_inputs_and_weights_as_they_are():
    rng = np.random.default_rng(9)
    network = random_network(rng, (12, 10, 8, 4), reach=4)
    inputs = signs(rng, 50, 12).astype(np.float32)
    matrices = weight_matrices(network)
    kept = inputs.copy(), [w.copy() for w in matrices]
    first = predict(network, inputs, matrices)
    assert np.array_equal(inputs, kept[0])
    assert all(np.array_equal(w, old) for w, old in zip(matrices, kept[1], strict=True))
    assert np.array_equal(predict(network, inputs, matrices), first)


def test_largest_fan_in_is_exact():
    """Scores reach 2 n + 1; float32 must still tell neighbours apart at the limit it claims."""
    n = EXACT_FAN_IN
    weights = np.broadcast_to(np.int8(1), (2, n))
    x = np.broadcast_to(np.float32(1), (1, n))
    for thresholds in ((0, -1), (-n, -n - 1)):
        layer = Layer(weights, np.array(thresholds, np.int32))
        assert predict(Network("wide", (0,), (layer,)), x).tolist() == [1], thresholds


def test_unit_that_never_fires_stays_silent_at_the_largest_fan_in():
    n = EXACT_FAN_IN
    hidden = Layer(np.broadcast_to(np.int8(1), (1, n)), np.array([n + 1], np.int32))
    out = Layer(np.array([[-1], [1]], np.int8), np.zeros(2, np.int32))
    x = np.broadcast_to(np.float32(1), (1, n))
    assert predict(Network("wide", (0,), (hidden, out)), x).tolist() == [0]


def test_more_inputs_than_float32_can_sum_are_refused():
    n = EXACT_FAN_IN + 1
    layer = Layer(np.broadcast_to(np.int8(1), (1, n)), np.zeros(1, np.int32))
    matrix = np.broadcast_to(np.float32(1), (1, n))
    with pytest.raises(DataError, match=f"too many inputs; expected at most {EXACT_FAN_IN}"):
        predict(Network("wide", (0,), (layer,)), matrix, [matrix])


@given(st.integers(0, 2**32), st.lists(st.integers(-3, 258), min_size=1, max_size=4))
@QUICK
def test_thermometer_code_counts_the_levels_below_a_pixel(seed, levels):
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 5)).astype(np.uint8)
    code = encode_levels(pixels, levels)
    assert code.dtype == np.float32
    assert code.shape == (6, 5 * len(levels))
    assert set(np.unique(code).tolist()) <= {-1.0, 1.0}
    count = (code.reshape(6, len(levels), 5) > 0).sum(axis=1)
    brute = [[sum(int(p) > level for level in levels) for p in row] for row in pixels]
    assert count.tolist() == brute


def test_encode_takes_the_levels_of_the_network(tiny_network):
    pixels = np.array([[0, 85, 86, 170, 171, 255]], np.uint8)
    expected = [[-1, -1, 1, 1, 1, 1, -1, -1, -1, -1, 1, 1]]
    assert encode(tiny_network, pixels).tolist() == expected


@pytest.mark.parametrize("shape", [(4, 5), (4, 7), (4, 12), (6,), (4, 2, 3), (0, 0)])
def test_encode_refuses_images_of_another_size(tiny_network, shape):
    with pytest.raises(DataError, match=r"images of shape .*expected \(n_images, 6\).*'tiny'"):
        encode(tiny_network, np.zeros(shape, np.uint8))


def test_weight_matrices_are_the_weights(tiny_network):
    for w, layer in zip(weight_matrices(tiny_network), tiny_network.layers, strict=True):
        assert w.dtype == np.float32
        assert np.array_equal(w, layer.weights)
