"""Packed bits against matrix products: every layer's outputs, and the classes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.bnn.inference import encode_images, predict_blas, sums
from devicephys.bnn.network import ImageCode

packed = pytest.importorskip("devicephys.bnn.popcount_numba", exc_type=ImportError)

QUICK = settings(deadline=None, max_examples=50, derandomize=True)
WIDTHS = st.one_of(st.integers(1, 20), st.sampled_from([31, 32, 63, 64, 65, 127, 128, 129]))
LEVELS = st.sampled_from([(), (127,), (50, 200)])
CONVOLUTIONS = st.lists(
    st.tuples(WIDTHS, st.sampled_from([1, 3, 5]), st.booleans(), st.integers(1, 3)).map(
        lambda x: (x[0], x[1], x[2] * (x[1] // 2), x[3])
    ),
    min_size=1,
    max_size=3,
)


def images(rng, image, n):
    return encode_images(image, rng.integers(0, 256, (n, image.n_pixels)).astype(np.uint8))


def outputs_by_products(network, inputs):
    """Bits of every hidden layer, pooled, shape (n, channels, height, width)."""
    for layer, z in zip(network.layers[:-1], sums(network, inputs)[:-1], strict=True):
        if not layer.convolution:
            yield (z >= layer.threshold)[:, :, None, None]
            continue
        fires = z >= layer.threshold[:, None, None]
        height, width = (n // layer.pool for n in z.shape[2:])
        squares = fires[:, :, : height * layer.pool, : width * layer.pool]
        shape = (*z.shape[:2], height, layer.pool, width, layer.pool)
        yield squares.reshape(shape).any(axis=(3, 5))


def outputs_on_bits(network, inputs):
    """The same from the packed rows, which hold nothing else."""
    layers = packed._packed_layers(network)
    x = packed._packed_inputs(network, layers[0], inputs)
    for layer, following in pairwise(layers):
        x = packed._outputs(layer, following, x)
        (channels, height, width), p = following.shape, following.padding
        rows = np.unpackbits(x.view(np.uint8), axis=-1, bitorder="little")
        rows = rows.reshape(len(x), height + 2 * p, -1)
        used = (width + 2 * p) * channels
        assert not rows[:, :, used:].any()
        grid = rows[:, :, :used].reshape(len(x), height + 2 * p, width + 2 * p, channels)
        inner = grid[:, p : p + height, p : p + width]
        assert inner.sum() == grid.sum()
        yield inner.transpose(0, 3, 1, 2).astype(bool)


def compare(network, inputs):
    pairs = zip(outputs_on_bits(network, inputs), outputs_by_products(network, inputs), strict=True)
    for k, (found, expected) in enumerate(pairs):
        assert np.array_equal(found.reshape(expected.shape), expected), f"layer {k}"
    assert np.array_equal(packed.predict(network, inputs), predict_blas(network, inputs))


@given(st.integers(0, 2**32), WIDTHS, LEVELS, st.lists(WIDTHS, min_size=1, max_size=3))
@QUICK
def test_fully_connected_layers(random_network, seed, n, levels, sizes):
    rng = np.random.default_rng(seed)
    network = random_network(rng, ImageCode((1, 1, n), levels), (), sizes)
    compare(network, images(rng, network.image, int(rng.integers(1, 10))))


@given(
    st.integers(0, 2**32),
    st.tuples(st.sampled_from([1, 2, 3, 33, 64]), st.integers(1, 9), st.integers(1, 9)),
    LEVELS,
    CONVOLUTIONS,
    st.lists(WIDTHS, min_size=1, max_size=2),
)
@QUICK
def test_convolutions(random_network, seed, shape, levels, convolutions, sizes):
    rng = np.random.default_rng(seed)
    network = random_network(rng, ImageCode(shape, levels), convolutions, sizes)
    compare(network, images(rng, network.image, int(rng.integers(1, 6))))


@pytest.mark.parametrize("levels", [(), (127,)])
def test_more_windows_and_images_than_fit_in_a_tile(random_network, levels):
    rng = np.random.default_rng(1)
    network = random_network(rng, ImageCode((3, 12, 13), levels), [(70, 3, 1, 2)], (130, 10))
    inputs = images(rng, network.image, packed.BLOCK + 3)
    compare(network, inputs[:9])
    for n in (0, 1, packed.BLOCK - 1, packed.BLOCK, packed.BLOCK + 3):
        expected = predict_blas(network, inputs[:n])
        assert np.array_equal(packed.predict(network, inputs[:n]), expected)


def test_inputs_may_be_a_view(random_network):
    rng = np.random.default_rng(2)
    network = random_network(rng, ImageCode((2, 5, 5), (90,)), [(6, 3, 1, 1)], (5,))
    inputs = images(rng, network.image, 40)
    turned = np.asfortranarray(inputs)
    assert np.array_equal(packed.predict(network, turned[::2]), predict_blas(network, inputs[::2]))
