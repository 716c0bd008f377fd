"""Inference against plain integer arithmetic and exact symmetries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.bnn import inference
from devicephys.bnn.inference import (
    BLOCK,
    EXACT_SUM,
    HAS_NUMBA,
    encode,
    encode_images,
    predict,
    predict_blas,
    signs,
    sums,
)
from devicephys.bnn.network import PEAK, ImageCode, Layer, Network
from devicephys.errors import DataError

QUICK = settings(deadline=None, max_examples=50, derandomize=True)
WAYS = [
    predict_blas,
    pytest.param(predict, marks=pytest.mark.skipif(not HAS_NUMBA, reason="numba is missing")),
]
CONVOLUTIONS = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from([1, 3, 5]), st.booleans(), st.integers(1, 3)).map(
        lambda x: (x[0], x[1], x[2] * (x[1] // 2), x[3])
    ),
    max_size=3,
)


def row(n, levels=(0,)):
    return ImageCode((1, 1, n), levels)


def bits(rng, *shape):
    return rng.integers(0, 2, shape).astype(np.uint8)


def images(rng, image, n):
    return encode_images(image, rng.integers(0, 256, (n, image.n_pixels)).astype(np.uint8))


def integer_sums(network, inputs):
    """Sums of every layer, window by window, and the classes, all in int64."""
    x = 2 * inputs.astype(np.int64) - network.image.peak
    x = x.reshape(len(x), *network.image.encoded)
    found = []
    for layer in network.layers:
        w, threshold = layer.weights.astype(np.int64), layer.threshold.astype(np.int64)
        if not layer.convolution:
            found.append(x.reshape(len(x), w.shape[1]) @ w.T)
            x = np.where(found[-1] >= threshold, 1, -1)
            continue
        k, p, pool = w.shape[-1], layer.padding, layer.pool
        padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        height, width = (n - k + 1 for n in padded.shape[2:])
        z = np.empty((len(x), len(w), height, width), np.int64)
        for i in range(height):
            for j in range(width):
                z[:, :, i, j] = np.tensordot(
                    padded[:, :, i : i + k, j : j + k], w, ((1, 2, 3),) * 2
                )
        found.append(z)
        fires = np.where(z >= threshold[:, None, None], 1, -1)
        x = np.empty((len(x), len(w), height // pool, width // pool), np.int64)
        for i in range(height // pool):
            for j in range(width // pool):
                square = fires[:, :, i * pool : (i + 1) * pool, j * pool : (j + 1) * pool]
                x[:, :, i, j] = square.max(axis=(2, 3))
    return found, (found[-1] - network.layers[-1].threshold).argmax(axis=1)


@given(
    st.integers(0, 2**32),
    st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from([(), (100,), (50, 200)]),
    CONVOLUTIONS,
    st.lists(st.integers(1, 40), min_size=1, max_size=3),
    st.integers(0, 9),
)
@QUICK
def test_float32_gives_the_integers(random_network, seed, shape, levels, convolutions, sizes, n):
    rng = np.random.default_rng(seed)
    network = random_network(rng, ImageCode(shape, levels), convolutions, sizes)
    inputs = images(rng, network.image, n)
    expected, classes = integer_sums(network, inputs)
    for z, by_loop in zip(sums(network, inputs), expected, strict=True):
        assert z.dtype == np.int32
        assert z.shape == by_loop.shape
        assert np.array_equal(z, by_loop)
    assert np.array_equal(predict_blas(network, inputs), classes)


@pytest.mark.parametrize("levels", [(), (100, 200)])
def test_float32_gives_the_integers_of_a_large_network(random_network, levels):
    rng = np.random.default_rng(5)
    network = random_network(rng, ImageCode((1, 28, 28), levels), sizes=(1024, 700, 10))
    layers = [Layer(x.weights, x.threshold // 8) for x in network.layers]  # more classes
    network = Network("large", network.image, tuple(layers))
    inputs = images(rng, network.image, 100)
    expected, classes = integer_sums(network, inputs)
    for z, by_loop in zip(sums(network, inputs), expected, strict=True):
        assert np.array_equal(z, by_loop)
    assert np.array_equal(predict(network, inputs), classes)
    assert len(set(classes.tolist())) > 3


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sign", [-1, 1])
def test_thresholds_beyond_the_sums_hold_a_unit(sign, way):
    """With threshold n + 1 a unit never fires, with -n it always does."""
    n = 9
    rng = np.random.default_rng(6)
    threshold = np.array([n + 1 if sign > 0 else -n], np.int32)
    hidden = Layer((2 * bits(rng, 1, n) - 1).astype(np.int8), threshold)
    out = Layer(np.array([[-1], [1]], np.int8), np.zeros(2, np.int32))
    extreme = (np.vstack([hidden.weights, -hidden.weights]) > 0).astype(np.uint8)
    inputs = np.vstack([bits(rng, 500, n), extreme])
    classes = way(Network("held", row(n), (hidden, out)), inputs)
    assert set(classes.tolist()) == {0 if sign > 0 else 1}


@pytest.mark.parametrize("way", WAYS)
def test_unit_fires_at_its_threshold_and_not_below(way):
    out = Layer(np.array([[-1], [1]], np.int8), np.zeros(2, np.int32))
    inputs = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1]], np.uint8)
    for threshold, fires in ((-1, [0, 1, 1, 1]), (0, [0, 0, 1, 1]), (1, [0, 0, 1, 1])):
        hidden = Layer(np.ones((1, 3), np.int8), np.array([threshold], np.int32))
        assert way(Network("step", row(3), (hidden, out)), inputs).tolist() == fires


@pytest.mark.parametrize("way", WAYS)
def test_pixel_fires_at_its_threshold_and_not_below(way):
    """An 8-bit pixel p enters as 2 p - 255; threshold 1 is p >= 128."""
    out = Layer(np.array([[-1], [1]], np.int8), np.zeros(2, np.int32))
    pixels = np.arange(256, dtype=np.uint8)[:, None]
    for threshold in (-256, -255, -1, 0, 1, 100, 255, 256):
        hidden = Layer(np.ones((1, 1), np.int8), np.array([threshold], np.int32))
        classes = way(Network("pixel", row(1, ()), (hidden, out)), pixels)
        expected = [int(2 * p - PEAK >= threshold) for p in range(256)]
        assert classes.tolist() == expected, threshold


@given(st.integers(0, 2**32), st.booleans())
@QUICK
def test_negated_and_reordered_hidden_units_change_nothing(random_network, seed, convolution):
    """z >= t is not(-z >= 1 - t): negating unit and outgoing weights leaves all scores."""
    rng = np.random.default_rng(seed)
    convolutions = [(8, 3, 1, 1)] if convolution else []
    sizes = (4,) if convolution else (8, 4)
    network = random_network(rng, ImageCode((1, 3, 4), (100,)), convolutions, sizes)
    hidden, out = network.layers
    s, order = rng.choice(np.array([-1, 1], np.int8), 8), rng.permutation(8)
    threshold = np.where(s > 0, hidden.threshold, 1 - hidden.threshold).astype(np.int32)
    limit = hidden.fan_in + 1  # -z >= 1 - t holds always for t = n + 1 and for t = n + 2
    threshold = np.clip(threshold, -limit, limit)
    onward = out.weights.reshape(4, 8, -1)
    weights = hidden.weights * s.reshape(8, *(1,) * (hidden.weights.ndim - 1))
    other = Network(
        "mirrored",
        network.image,
        (
            Layer(weights[order], threshold[order], hidden.padding),
            Layer((onward * s[:, None])[:, order].reshape(4, -1), out.threshold),
        ),
    )
    inputs = images(rng, network.image, 40)
    assert np.array_equal(sums(other, inputs)[-1], sums(network, inputs)[-1])
    assert np.array_equal(predict(other, inputs), predict(network, inputs))


@pytest.mark.parametrize("way", WAYS)
def test_blocks_do_not_show(random_network, way):
    rng = np.random.default_rng(7)
    network = random_network(rng, row(15, ()), sizes=(9, 5))
    inputs = images(rng, network.image, 2 * BLOCK + 1)
    expected = integer_sums(network, inputs)[1]
    for n in (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 1):
        assert np.array_equal(way(network, inputs[:n]), expected[:n])


def test_blocks_of_convolutions_bound_the_memory(random_network, monkeypatch):
    rng = np.random.default_rng(8)
    network = random_network(rng, ImageCode((2, 9, 9), (100,)), [(3, 5, 2, 1), (4, 3, 1, 3)])
    inputs = images(rng, network.image, 23)
    expected = integer_sums(network, inputs)[1]
    seen = []

    def watch(k, bits):
        seen.append(len(bits))
        return bits

    for floats, size in ((1, 1), (7 * 50 * 81, 7), (10**9, 23)):
        monkeypatch.setattr(inference, "BLOCK_FLOATS", floats)
        seen.clear()
        assert np.array_equal(predict_blas(network, inputs, watch), expected)
        assert max(seen) == size


@pytest.mark.parametrize("way", WAYS)
def test_lowest_class_wins_a_tie(way):
    same = Layer(np.ones((4, 3), np.int8), np.array([2, 0, 0, 0], np.int32))
    assert way(Network("tie", row(3), (same,)), np.ones((2, 3), np.uint8)).tolist() == [1, 1]


@pytest.mark.parametrize("way", WAYS)
def test_predicting_leaves_inputs_and_weights_as_they_are(random_network, way):
    rng = np.random.default_rng(9)
    network = random_network(rng, ImageCode((1, 6, 6), ()), [(5, 3, 1, 2)], (8, 4))
    inputs = images(rng, network.image, 50)
    kept = inputs.copy(), [(x.weights.copy(), x.threshold.copy()) for x in network.layers]
    first = way(network, inputs)
    assert np.array_equal(inputs, kept[0])
    for layer, (weights, threshold) in zip(network.layers, kept[1], strict=True):
        assert np.array_equal(layer.weights, weights)
        assert np.array_equal(layer.threshold, threshold)
    assert np.array_equal(way(network, inputs), first)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("peak", [1, PEAK])
def test_largest_fan_in_is_exact(peak, way):
    """Scores reach 2 n + 1; float32 must still tell neighbours apart at the limit it claims."""
    n = EXACT_SUM // peak
    weights = np.broadcast_to(np.int8(1), (2, n))
    x = np.broadcast_to(np.uint8(peak), (1, n))
    for thresholds in ((0, -1), (-peak * n, -peak * n - 1)):
        layer = Layer(weights, np.array(thresholds, np.int32))
        network = Network("wide", row(n, (0,) if peak == 1 else ()), (layer,))
        assert way(network, x).tolist() == [1], thresholds


@pytest.mark.parametrize("way", WAYS)
def test_unit_that_never_fires_stays_silent_at_the_largest_fan_in(way):
    n = EXACT_SUM
    hidden = Layer(np.broadcast_to(np.int8(1), (1, n)), np.array([n + 1], np.int32))
    out = Layer(np.array([[-1], [1]], np.int8), np.zeros(2, np.int32))
    x = np.broadcast_to(np.uint8(1), (1, n))
    assert way(Network("wide", row(n), (hidden, out)), x).tolist() == [0]


@pytest.mark.parametrize("way", [*WAYS, sums])
@pytest.mark.parametrize("peak", [1, PEAK])
def test_more_inputs_than_float32_can_sum_are_refused(peak, way):
    n = EXACT_SUM // peak + 1
    layer = Layer(np.broadcast_to(np.int8(1), (1, n)), np.zeros(1, np.int32))
    network = Network("wide", row(n, (0,) if peak == 1 else ()), (layer,))
    with pytest.raises(DataError, match=f"layer 0.*too many inputs; expected at most {n - 1}"):
        way(network, np.broadcast_to(np.uint8(1), (1, n)))


@pytest.mark.parametrize("way", [*WAYS, sums])
def test_inputs_that_are_not_the_networks_are_refused(tiny_network, way):
    right = np.zeros((4, 12), np.uint8)
    for wrong in (right[:, :6], right[0], right.reshape(4, 2, 6), right.astype(np.float32)):
        with pytest.raises(DataError, match=r"expected uint8, \(n_images, 12\).*'tiny'"):
            way(tiny_network, wrong)
    with pytest.raises(DataError, match="inputs other than 0 and 1"):
        way(tiny_network, right + np.uint8(2))


def test_disturb_sees_the_bits_of_every_hidden_layer(random_network):
    """Channel by channel; what it gives back is what the next layer reads."""
    rng = np.random.default_rng(10)
    image = ImageCode((2, 7, 6), ())
    network = random_network(rng, image, [(4, 3, 1, 1), (5, 3, 0, 2)], (6, 3))
    inputs = images(rng, image, 30)
    expected = integer_sums(network, inputs)[0]
    seen = {}

    def keep(k, bits):
        assert bits.dtype == np.uint8
        seen[k] = bits.copy()
        return bits

    for z, clean in zip(sums(network, inputs, keep), expected, strict=True):
        assert np.array_equal(z, clean)
    assert sorted(seen) == [0, 1, 2]
    fires = expected[0] >= network.layers[0].threshold[:, None, None]
    assert np.array_equal(seen[0], fires.reshape(30, -1))
    assert seen[1].shape == (30, 5 * 2 * 2)
    for k, layer in ((1, network.layers[2]), (2, network.layers[3])):
        assert np.array_equal((2 * seen[k].astype(int) - 1) @ layer.weights.T, expected[k + 1])
    assert np.array_equal(predict(network, inputs, keep), predict(network, inputs))


def test_disturbed_unit_is_a_unit_with_another_weight(random_network):
    """Inverting a hidden unit is negating the weights that read it."""
    rng = np.random.default_rng(11)
    network = random_network(rng, row(20), sizes=(9, 4))
    hidden, out = network.layers
    weights = out.weights.copy()
    weights[:, 3] *= -1
    other = Network("other", network.image, (hidden, Layer(weights, out.threshold)))
    inputs = images(rng, network.image, 200)

    def invert(k, bits):
        return bits ^ (np.arange(9) == 3).astype(np.uint8)

    assert np.array_equal(sums(network, inputs, invert)[1], sums(other, inputs)[1])
    assert np.array_equal(predict(network, inputs, invert), predict(other, inputs))
    assert not np.array_equal(sums(network, inputs)[1], sums(other, inputs)[1])


def test_without_numba_the_products_answer(tiny_network, monkeypatch):
    inputs = bits(np.random.default_rng(12), 100, 12)
    expected = integer_sums(tiny_network, inputs)[1]
    monkeypatch.setattr(inference, "HAS_NUMBA", False)
    assert np.array_equal(predict(tiny_network, inputs), expected)


@given(st.integers(0, 2**32), st.lists(st.integers(-3, 258), min_size=1, max_size=4))
@QUICK
def test_thermometer_code_counts_the_levels_below_a_pixel(seed, levels):
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 5)).astype(np.uint8)
    code = encode_images(row(5, tuple(levels)), pixels)
    assert code.dtype == np.uint8
    assert code.shape == (6, 5 * len(levels))
    assert set(np.unique(code).tolist()) <= {0, 1}
    count = code.reshape(6, len(levels), 5).sum(axis=1)
    brute = [[sum(int(p) > level for level in levels) for p in line] for line in pixels]
    assert count.tolist() == brute


def test_encode_takes_the_levels_of_the_network(tiny_network):
    pixels = np.array([[0, 85, 86, 170, 171, 255]], np.uint8)
    expected = [[0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1]]
    assert encode(tiny_network, pixels).tolist() == expected
    values = signs(tiny_network.image, encode(tiny_network, pixels))
    assert values.dtype == np.float32
    assert values.tolist() == (2 * np.array(expected) - 1).tolist()


def test_pixels_without_levels_enter_as_odd_numbers():
    pixels = np.arange(256, dtype=np.uint8)[None]
    image = row(256, ())
    assert np.array_equal(encode_images(image, pixels), pixels)
    assert signs(image, pixels)[0].tolist() == list(range(-PEAK, PEAK + 1, 2))


@pytest.mark.parametrize("shape", [(4, 5), (4, 7), (4, 12), (6,), (4, 2, 3), (0, 0)])
def test_encode_refuses_images_of_another_size(tiny_network, shape):
    with pytest.raises(DataError, match=r"shape .*expected uint8, \(n_images, 6\).*'tiny'"):
        encode(tiny_network, np.zeros(shape, np.uint8))


def test_encode_refuses_other_numbers(tiny_network):
    with pytest.raises(DataError, match=r"images of float64.*expected uint8"):
        encode(tiny_network, np.zeros((4, 6)))
