"""Fixtures that more than one test module uses."""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from devicephys.bnn.accuracy import EncodedImages, prepare
from devicephys.bnn.inference import encode, predict
from devicephys.bnn.network import ImageCode, Layer, Network


@pytest.fixture
def data_folder() -> Path:
    """Folder of external data that DEVICEPHYS_DATA names."""
    value = os.environ.get("DEVICEPHYS_DATA", "")
    if not value:
        pytest.skip("DEVICEPHYS_DATA is not set: no external data")
    return Path(value)


@pytest.fixture
def tiny_network() -> Network:
    """Network of 12 inputs (2 x 3 pixels, 2 levels), 7 hidden units and 3 classes."""
    rng = np.random.default_rng(42)
    sizes = (12, 7, 3)
    layers = tuple(
        Layer(
            rng.choice([-1, 1], (n_out, n_in)).astype(np.int8),
            rng.integers(-3, 4, n_out).astype(np.int32),
        )
        for n_in, n_out in pairwise(sizes)
    )
    return Network("tiny", ImageCode((1, 2, 3), (85, 170)), layers, {"seed": 42})


@pytest.fixture
def tiny_test(tiny_network) -> EncodedImages:
    """Images with noisy labels, so that the clean accuracy is neither 0 nor 1."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (150, 6)).astype(np.uint8)
    labels = predict(tiny_network, encode(tiny_network, pixels)).astype(np.uint8)
    labels[:40] = rng.integers(0, 3, 40)
    return prepare(tiny_network, pixels, labels)


@pytest.fixture(scope="session")
def random_network():
    """Maker of networks with thresholds near zero and beyond every sum."""

    def thresholds(rng, n_out, largest):
        middle = int(np.sqrt(largest)) + 1
        near = rng.integers(-middle, middle + 1, n_out)
        far = rng.choice([-largest - 1, -largest, 0, largest, largest + 1], n_out)
        return np.where(rng.random(n_out) < 0.2, far, near).astype(np.int32)

    def make(rng, image, convolutions=(), sizes=(3,)):
        """Convolutions are (n_out, kernel, padding, pool); those that do not fit are left out."""
        layers, shape, peak = [], image.encoded, image.peak
        for n_out, k, padding, pool in convolutions:
            height, width = ((n + 2 * padding - k + 1) // pool for n in shape[1:])
            if min(height, width) > 0:
                weights = rng.choice(np.array([-1, 1], np.int8), (n_out, shape[0], k, k))
                limits = thresholds(rng, n_out, peak * weights[0].size)
                layers.append(Layer(weights, limits, padding, pool))
                shape, peak = (n_out, height, width), 1
        n_in = int(np.prod(shape))
        for n_out in sizes:
            weights = rng.choice(np.array([-1, 1], np.int8), (n_out, n_in))
            layers.append(Layer(weights, thresholds(rng, n_out, peak * n_in)))
            n_in, peak = n_out, 1
        return Network("random", image, tuple(layers))

    return make
