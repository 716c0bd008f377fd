"""Networks as records: what fits together, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.bnn.network import PEAK, ImageCode, Layer, Network, describe
from devicephys.errors import DataError

QUICK = settings(deadline=None, max_examples=60, derandomize=True)


def dense(n_out, n_in):
    return Layer(np.ones((n_out, n_in), np.int8), np.zeros(n_out, np.int32))


def convolution(n_out, channels, k, padding=0, pool=1):
    weights = np.ones((n_out, channels, k, k), np.int8)
    return Layer(weights, np.zeros(n_out, np.int32), padding, pool)


def row(n, levels=(0,)):
    return ImageCode((1, 1, n), levels)


@pytest.mark.parametrize(
    ("weights", "threshold"),
    [
        ((2, 3), (3,)),
        ((2, 3), (2, 1)),
        ((6,), (6,)),
        ((1, 2, 3), (1,)),
        ((2, 3), ()),
        ((2, 1, 3, 3), (1,)),
        ((2, 1, 3, 3), (2, 1)),
        ((2, 1, 3, 3, 3), (2,)),
        ((), ()),
    ],
)
def test_layer_refuses_shapes_that_do_not_fit(weights, threshold):
    with pytest.raises(DataError, match=r"expected shapes \(n_out, n_in\) or .*, and \(n_out,\)"):
        Layer(np.ones(weights, np.int8), np.zeros(threshold, np.int32))


@pytest.mark.parametrize("value", [0, 2, -3, -128])
def test_layer_refuses_weights_other_than_signs(value):
    """A file holds one bit a weight: any third value would come back as another number."""
    weights = np.ones((2, 3), np.int8)
    weights[1, 2] = value
    with pytest.raises(DataError, match="-1"):
        Layer(weights, np.zeros(2, np.int32))


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (2, 0, 3, 3), (0, 1, 1, 1)])
def test_layer_refuses_to_be_empty(shape):
    with pytest.raises(DataError, match="-1"):
        Layer(np.ones(shape, np.int8), np.zeros(shape[0], np.int32))


@pytest.mark.parametrize("kernel", [(2, 2), (4, 4), (3, 5), (1, 3)])
def test_kernels_are_squares_of_odd_size(kernel):
    with pytest.raises(DataError, match=f"kernel {kernel[0]} x {kernel[1]}; expected squares"):
        Layer(np.ones((2, 1, *kernel), np.int8), np.zeros(2, np.int32))


@pytest.mark.parametrize(("k", "padding"), [(3, 2), (3, -1), (5, 1), (1, 1)])
def test_padding_is_none_or_half_the_kernel(k, padding):
    with pytest.raises(DataError, match=f"padding {padding}; expected 0, or half the kernel"):
        convolution(2, 1, k, padding)
    for fits in {0, k // 2}:
        assert convolution(2, 1, k, fits).padding == fits


@pytest.mark.parametrize("pool", [0, -1])
def test_pool_is_at_least_one(pool):
    with pytest.raises(DataError, match=f"pool {pool}"):
        convolution(2, 1, 3, 1, pool)


def test_only_convolutions_have_padding_and_pool():
    weights, threshold = np.ones((2, 3), np.int8), np.zeros(2, np.int32)
    with pytest.raises(DataError, match="padding 1"):
        Layer(weights, threshold, padding=1)
    with pytest.raises(DataError, match="pool 2"):
        Layer(weights, threshold, pool=2)


@pytest.mark.parametrize("shape", [(1, 2), (1, 2, 3, 4), (), (0, 2, 3), (1, -2, 3)])
def test_images_have_three_dimensions(shape):
    with pytest.raises(DataError, match=r"images of shape .*expected \(channels, height, width\)"):
        ImageCode(shape)


def test_levels_multiply_the_channels():
    plain, coded = ImageCode((3, 4, 5)), ImageCode((3, 4, 5), (10, 20))
    assert (plain.n_pixels, coded.n_pixels) == (60, 60)
    assert (plain.encoded, coded.encoded) == ((3, 4, 5), (6, 4, 5))
    assert (plain.peak, coded.peak) == (PEAK, 1)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    ("levels", "layers", "largest"),
    [
        ((0,), lambda t: (Layer(np.ones((2, 5), np.int8), t),), 6),
        ((), lambda t: (Layer(np.ones((2, 5), np.int8), t),), 5 * PEAK + 1),
        ((), lambda t: (dense(7, 5), Layer(np.ones((2, 7), np.int8), t)), 8),
        (
            (0,),
            lambda t: (Layer(np.ones((2, 1, 3, 3), np.int8), t, padding=1), dense(1, 2 * 5)),
            10,
        ),
    ],
)
def test_threshold_may_just_exceed_every_sum(levels, layers, largest, sign):
    fits, beyond = (np.array([0, sign * n], np.int32) for n in (largest, largest + 1))
    assert Network("x", row(5, levels), layers(fits))
    with pytest.raises(DataError, match=rf"beyond every possible sum; .* \+ 1 = {largest}"):
        Network("x", row(5, levels), layers(beyond))


def test_most_negative_threshold_is_refused():
    layer = Layer(np.ones((1, 5), np.int8), np.array([-(2**31)], np.int32))
    with pytest.raises(DataError, match="layer 0: threshold beyond every possible sum"):
        Network("x", row(5), (layer,))


def test_network_refuses_layers_that_do_not_chain():
    with pytest.raises(DataError, match=r"'x', layer 1: 3 inputs; expected 4"):
        Network("x", row(5), (dense(3, 5), dense(2, 4)))
    with pytest.raises(DataError, match=r"'x', layer 0: 8 inputs; expected 5"):
        Network("x", row(4, (1, 2)), (dense(3, 5),))
    layers = (convolution(4, 1, 3, 1), convolution(2, 3, 3, 1), dense(2, 60))
    with pytest.raises(DataError, match=r"'x', layer 1: inputs of shape \(4, 5, 6\).*3 channels"):
        Network("x", ImageCode((1, 5, 6)), layers)
    with pytest.raises(DataError, match=r"layer 0: inputs of shape \(1, 4, 6\).*at least 5 rows"):
        Network("x", ImageCode((1, 4, 6)), (convolution(4, 1, 5), dense(2, 8)))
    with pytest.raises(DataError, match="layer 1: inputs of shape"):
        Network("x", row(5), (dense(3, 5), convolution(2, 3, 1), dense(2, 3)))


def test_network_ends_fully_connected():
    for layers in ((), (convolution(2, 1, 1),)):
        with pytest.raises(DataError, match="'x': no fully connected layer at the end"):
            Network("x", row(5), layers)


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)),
    st.sampled_from([1, 3, 5]),
    st.booleans(),
    st.integers(1, 4),
)
@QUICK
def test_shapes_count_the_windows_that_fit(shape, k, same, pool):
    """Against a walk over all windows, and over all squares of their outputs."""
    padding = k // 2 if same else 0
    windows = [
        sum(1 for at in range(-padding, n + padding) if at + k <= n + padding) for n in shape[1:]
    ]
    height, width = (sum(1 for at in range(0, n, pool) if at + pool <= n) for n in windows)
    image, first = ImageCode(shape), convolution(2, shape[0], k, padding, pool)
    layers = (first, dense(3, max(1, 2 * height * width)))
    if min(height, width) < 1:
        with pytest.raises(DataError, match="layer 0: inputs of shape"):
            Network("x", image, layers)
        return
    network = Network("x", image, layers)
    assert network.shapes == (shape, (2, height, width), (1, 1, 3))
    assert network.n_weights == 2 * first.fan_in + 3 * math.prod(network.shapes[1])


def test_counts_of_pixels_and_weights(tiny_network):
    assert tiny_network.image.n_pixels * len(tiny_network.image.levels) == 12
    assert tiny_network.n_weights == 12 * 7 + 7 * 3
    assert tiny_network.shapes == ((2, 2, 3), (1, 1, 7), (1, 1, 3))
    assert describe(tiny_network) == "tiny: 12-7-3, 105 weight bits, input levels 85 170"


def test_convolutions_are_described_with_kernel_and_pool():
    layers = (convolution(4, 2, 3, 1), convolution(6, 4, 1, 0, 2), dense(10, 6 * 4 * 3))
    network = Network("seen", ImageCode((1, 8, 6), (50, 100)), layers)
    expected = "seen: 2x8x6-4C3-6C1P2-10, 816 weight bits, input levels 50 100"
    assert describe(network) == expected
