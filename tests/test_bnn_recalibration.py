"""Recalibrated thresholds: the formula against brute force and Monte Carlo, and what it is for.

Random tests are seeded; the chance to fail of a correct program is at most 1e-6 each.
"""

from dataclasses import replace

import numpy as np
import pytest
from devicephys.data import path

from devicephys.bnn.faults import Rates, flip_weights
from devicephys.bnn.images import load_images
from devicephys.bnn.inference import encode, predict, sums
from devicephys.bnn.network import ImageCode, Layer, Network
from devicephys.bnn.network_file import from_bytes, load, to_bytes
from devicephys.bnn.recalibration import made_for, recalibrate
from devicephys.errors import DataError, ParameterError

NONE = Rates(0.0, 0.0)


def random_network(seed=0, levels=(127,)):
    """Two convolutions, with and without border, and two fully connected layers."""
    rng = np.random.default_rng(seed)

    def layer(*shape, **kwargs):
        threshold = rng.integers(-5, 6, shape[0]).astype(np.int32)
        return Layer(rng.choice([-1, 1], shape).astype(np.int8), threshold, **kwargs)

    layers = (
        layer(4, 2 * max(1, len(levels)), 3, 3, padding=1, pool=2),  # 8 x 10 to 4 x 4 x 5
        layer(5, 4, 3, 3),  # to 5 x 2 x 3
        layer(20, 30),
        layer(3, 20),
    )
    return Network("random", ImageCode((2, 8, 10), levels), layers)


def images(network, n, seed=1):
    """Bright images: their inputs have a mean."""
    pixels = np.random.default_rng(seed).beta(2, 1, (n, network.image.n_pixels)) * 255
    return encode(network, pixels.astype(np.uint8))


def thresholds(network):
    return [layer.threshold.tolist() for layer in network.layers]


def input_sums(network, k, x):
    """Brute force: what every place of a layer reads, zeros around included, added up."""
    if k == 0:
        values = 2.0 * x - network.image.peak
        values = values.reshape(-1, *network.image.encoded)
    else:
        layer = network.layers[k - 1]
        cut = layer.threshold.reshape(-1, *(1,) * (sums(network, x)[k - 1].ndim - 2))
        values = np.where(sums(network, x)[k - 1] >= cut, 1.0, -1.0)
        if layer.pool > 1:
            n, c, h, w = values.shape
            values = values.reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))
    layer = network.layers[k]
    if not layer.convolution:
        return values.reshape(len(x), -1).sum(axis=1)
    p = layer.padding
    padded = np.pad(values.sum(axis=1), ((0, 0), (p, p), (p, p)))
    return np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2)).sum(axis=(3, 4))


def test_symmetric_rates_scale_thresholds_and_round_up():
    network = random_network()
    found = recalibrate(network, Rates(0.1, 0.1))
    for old, new in zip(network.layers[:-1], found.layers[:-1], strict=True):
        assert new.threshold.tolist() == np.ceil((old.threshold - 0.5) * 0.8).tolist()
        assert new.weights is old.weights
        assert new.threshold.dtype == np.int32
    scaled = np.rint(network.layers[-1].threshold * 0.8)
    assert found.layers[-1].threshold.tolist() == scaled.tolist()


@pytest.mark.parametrize("levels", [(127,), (60, 180), ()])
def test_asymmetric_rates_add_the_mean_sum_of_the_inputs_that_exist(levels):
    network = random_network(2, levels)
    x = images(network, 30)
    found = recalibrate(network, Rates(0.02, 0.1), x)
    for k in range(3):
        mean = input_sums(network, k, x).mean()
        theta = 0.88 * (network.layers[k].threshold - 0.5) - 0.08 * mean
        assert found.layers[k].threshold.tolist() == np.ceil(theta).tolist()
    # The output layer's share of the sum is the same for all classes, and left out.
    scaled = np.rint(network.layers[3].threshold * 0.88)
    assert found.layers[3].threshold.tolist() == scaled.tolist()


def test_rates_of_each_layer_apply_to_it():
    network = random_network(3)
    rates = (Rates(0.1, 0.1), NONE, Rates(0.2, 0.2), NONE)
    found = recalibrate(network, rates)
    alone = recalibrate(network, Rates(0.2, 0.2))
    assert thresholds(found)[1::2] == thresholds(network)[1::2]
    assert thresholds(found)[2] == thresholds(alone)[2]
    assert made_for(found) == rates


@pytest.mark.parametrize("levels", [(127,), ()])
def test_mean_of_the_sums_under_errors_is_on_the_side_of_the_threshold_it_was_on(levels):
    """Monte Carlo: at the first layer's own S of an image, E[z'] - theta' = a (z - theta)."""
    network = random_network(4, levels)
    x = images(network, 1)
    rates = Rates(0.05, 0.25)
    rng = np.random.default_rng(5)
    z = np.array([sums(flip_weights(network, rates, rng), x)[0][0] for _ in range(200)])
    error = z.std(axis=0, ddof=1) / np.sqrt(len(z))
    theta = network.layers[0].threshold[:, None, None]
    corrected = 0.7 * theta - 0.2 * input_sums(network, 0, x)[0]
    distance = z.mean(axis=0) - corrected - 0.7 * (sums(network, x)[0][0] - theta)
    assert (np.abs(distance) < 7 * error).all()  # of 320: 1e-9 by the normal law


@pytest.mark.parametrize("rates", [NONE, Rates(1e-12, 1e-12), Rates(1e-9, 0.0)])
def test_rare_errors_leave_thresholds_as_they_were(rates):
    network = random_network(8)
    found = recalibrate(network, rates, images(network, 10))
    assert thresholds(found) == thresholds(network)


def test_corrections_do_not_add_up():
    network = random_network(6)
    x = images(network, 40)
    direct = recalibrate(network, Rates(0.02, 0.1), x)
    again = recalibrate(recalibrate(network, Rates(0.1, 0.1), x), Rates(0.02, 0.1), x)
    for a, b in zip(direct.layers[:-1], again.layers[:-1], strict=True):
        assert np.abs(a.threshold - b.threshold).max() <= 1  # rounded twice
    same = recalibrate(direct, Rates(0.02, 0.1), x)
    assert thresholds(same) == thresholds(direct)


def test_training_with_errors_is_in_the_record_and_survives_the_file():
    network = replace(random_network(7), record={"plan": {"bit_error_rate": 0.1}})
    assert made_for(network) == (Rates(0.1, 0.1),) * 4
    at_random = {"plan": {"bit_error_rate": 0.1, "random_bit_error_rate": True}}
    assert made_for(replace(network, record=at_random)) == (Rates(0.05, 0.05),) * 4
    assert thresholds(recalibrate(network, Rates(0.1, 0.1))) == thresholds(network)
    clean = recalibrate(network, NONE)
    for old, new in zip(network.layers[:-1], clean.layers[:-1], strict=True):
        assert new.threshold.tolist() == np.ceil((old.threshold - 0.5) / 0.8).tolist()
    assert made_for(from_bytes(to_bytes(clean))) == (NONE,) * 4
    assert network.record == {"plan": {"bit_error_rate": 0.1}}


def test_thresholds_stay_possible():
    layer = Layer(np.ones((2, 4), np.int8), np.array([-5, 5], np.int32))
    network = Network("never", ImageCode((1, 2, 2), (0,)), (layer, Layer(layer.weights[:, :2],
                      np.array([-3, 3], np.int32))), {"plan": {"bit_error_rate": 0.2}})  # fmt: skip
    assert thresholds(recalibrate(network, NONE)) == [[-5, 5], [-3, 3]]


def test_digits_read_with_lost_ones_are_recovered():
    network = load(path("digits.npz"))
    digits = load_images("digits")
    x, calibration = (encode(network, p) for p in (digits.test_pixels, digits.train_pixels))
    rates = Rates(0.0, 0.1)

    def share(net):
        maps = [np.random.default_rng(m) for m in range(3)]
        return np.mean(
            [predict(flip_weights(net, rates, m), x) == digits.test_labels for m in maps]
        )

    before = share(network)
    assert share(recalibrate(network, rates, calibration[:200])) > before + 0.04


def test_standard_mnist_network_at_a_rate_of_a_tenth(data_folder):
    network = load(path("mnist.npz"))
    mnist = load_images("mnist")
    x, labels = encode(network, mnist.test_pixels[:2000]), mnist.test_labels[:2000]
    rates = Rates(0.1, 0.1)
    found = recalibrate(network, rates)
    right = [
        predict(flip_weights(found, rates, np.random.default_rng(m)), x) == labels for m in range(3)
    ]
    assert np.mean(right) >= 0.84


def test_what_cannot_be_corrected_is_said():
    network = random_network(15)
    x = images(network, 5)
    with pytest.raises(ParameterError, match=r"there are no images; .* calibration"):
        recalibrate(network, Rates(0.0, 0.1))
    with pytest.raises(ParameterError, match="there are no images"):
        recalibrate(network, Rates(0.0, 0.1), x[:0])
    with pytest.raises(ParameterError, match=r"p01 \+ p10 = 1"):
        recalibrate(network, Rates(0.5, 0.5), x)
    with pytest.raises(ParameterError, match="2 pairs of rates; expected one, or 4"):
        recalibrate(network, (Rates(0.1, 0.1),) * 2, x)
    with pytest.raises(ParameterError, match="rate of shape"):
        recalibrate(network, Rates(np.full((3, 1), 0.1), 0.1), x)
    with pytest.raises(DataError, match="inputs of uint8, shape"):
        recalibrate(network, Rates(0.0, 0.1), x[:, :-1])


@pytest.mark.parametrize(
    "record",
    [
        {"plan": 3},
        {"plan": {"bit_error_rate": "high"}},
        {"plan": {"bit_error_rate": 2.0}},
        {"thresholds_for": [[0.1, 0.1]]},
        {"thresholds_for": [0.1, 0.1, 0.1, 0.1]},
        {"thresholds_for": None},
    ],
)
def test_records_that_make_no_sense_are_named(record):
    network = replace(random_network(), record=record)
    with pytest.raises(DataError, match="record of network 'random': rates of the thresholds"):
        made_for(network)
