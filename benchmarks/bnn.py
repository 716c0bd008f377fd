"""Evaluator of binarized networks: images a second against bare matrix products; fault maps."""

import numpy as np
from devicephys.validation import Figure

from benchmarks import fastest
from devicephys.bnn.faults import flip_weights
from devicephys.bnn.inference import BLOCK, encode_levels, predict, weight_matrices
from devicephys.bnn.network import Network
from devicephys.study import load_network

IMAGES = 10_000


def run() -> list[Figure]:
    """Time 10 000 random images through the MNIST network, and one fault map."""
    network: Network = load_network("mnist")
    rng = np.random.default_rng(1)
    x = encode_levels(rng.integers(0, 256, (IMAGES, network.n_pixels), np.uint8), (127,))
    weights = weight_matrices(network)
    full = fastest(lambda: predict(network, x, weights))
    bare = fastest(lambda: _products(x, weights))
    maps = fastest(lambda: flip_weights(network, 0.01, 0.01, rng))
    share = bare / full
    return [
        Figure("images a second, 784-1024-1024-10", IMAGES / full, "1/s", "reported", None),
        Figure("speed over bare matrix products", share, "1", ">= 0.8", share >= 0.8),
        Figure("one fault map of 1 861 632 bits", maps * 1e3, "ms", "reported", None),
    ]


def _products(x: np.ndarray, weights: list[np.ndarray]) -> None:
    for start in range(0, len(x), BLOCK):
        block = x[start : start + BLOCK]
        for w in weights:
            block = block @ w.T
