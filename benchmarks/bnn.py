"""Binarized networks: packed bits, matrix products, bare products; fault maps; a whole curve."""

import time
from dataclasses import replace

import numpy as np
from devicephys.validation import Figure, not_established
from scipy import stats as scipy_stats
from threadpoolctl import threadpool_limits

from benchmarks import fastest
from devicephys.bnn import fault_map
from devicephys.bnn.accuracy import Sampling, curve
from devicephys.bnn.faults import Rates, flip_weights
from devicephys.bnn.inference import (
    BLOCK,
    HAS_NUMBA,
    Floats,
    Inputs,
    encode,
    predict,
    predict_blas,
    signs,
)
from devicephys.bnn.network import ImageCode, Layer, Network
from devicephys.errors import DataError, ParameterError
from devicephys.study import encoded_test_images, load_network

IMAGES, IMAGES_CONVOLVED = 10_000, 100
DENSE = "784-1024-1024-10"
CONVOLVED = "3x32x32-64C3-64C3P2-128C3P2-10"
LEAST_OF_BARE, LEAST_OF_BLAS = 0.8, 3.5
BITS, LEAST_OF_DENSE = 2_000_000, {1e-3: 50.0, 4e-2: 8.0}
CURVE = (0.0, 1e-4, 1e-3, 5e-3, 1e-2, 2e-2, 4e-2, 0.1)


def run() -> list[Figure]:
    """Time random images through the MNIST network and a convolutional one, on one core."""
    network = load_network("mnist")
    with threadpool_limits(1):
        return [*_dense(network), *_convolved(), *_faults(network), *_curve(network)]


def _dense(network: Network) -> list[Figure]:
    rng = np.random.default_rng(1)
    inputs = _images(network, IMAGES, rng)
    x, matrices = signs(network.image, inputs), [w.weights.astype("f4") for w in network.layers]
    blas = fastest(lambda: predict_blas(network, inputs))
    share = fastest(lambda: _products(x, matrices)) / blas
    asked, holds = f">= {LEAST_OF_BARE}", share >= LEAST_OF_BARE
    figures = [
        Figure(f"images a second by products, {DENSE}", IMAGES / blas, "1/s", "reported", None),
        Figure("speed over bare matrix products", share, "1", asked, holds),
    ]
    if not HAS_NUMBA:
        return [*figures, not_established("popcount", "numba (extra fast) is not installed")]
    bits = _on_bits(network, inputs)
    ratio = blas / bits
    asked, holds = f">= {LEAST_OF_BLAS}", ratio >= LEAST_OF_BLAS
    pixels = replace(network, image=ImageCode(network.image.shape))
    inputs = _images(pixels, IMAGES, rng)
    slower = _on_bits(pixels, inputs)
    ratio_pixels = fastest(lambda: predict_blas(pixels, inputs)) / slower
    return [
        *figures,
        Figure(f"images a second on bits, {DENSE}", IMAGES / bits, "1/s", "reported", None),
        Figure("speed on bits over products", ratio, "1", asked, holds),
        Figure("images a second on bits, 8-bit input", IMAGES / slower, "1/s", "reported", None),
        Figure("speed on bits, 8-bit input, over products", ratio_pixels, "1", "reported", None),
    ]


def _convolved() -> list[Figure]:
    rng = np.random.default_rng(2)
    network = Network(
        CONVOLVED,
        ImageCode((3, 32, 32)),
        (
            _layer(rng, (64, 3, 3, 3), 1, 1),
            _layer(rng, (64, 64, 3, 3), 1, 2),
            _layer(rng, (128, 64, 3, 3), 1, 2),
            _layer(rng, (10, 128 * 8 * 8), 0, 1),
        ),
    )
    inputs = _images(network, IMAGES_CONVOLVED, rng)
    rate = IMAGES_CONVOLVED / fastest(lambda: predict_blas(network, inputs))
    figures = [Figure(f"images a second by products, {CONVOLVED}", rate, "1/s", "reported", None)]
    if HAS_NUMBA:
        faster = IMAGES_CONVOLVED / _on_bits(network, inputs)
        figures += [
            Figure(f"images a second on bits, {CONVOLVED}", faster, "1/s", "reported", None),
            Figure("speed on bits over products, convolved", faster / rate, "1", "reported", None),
        ]
    return figures


def _faults(network: Network) -> list[Figure]:
    """Flip weights in place: where gaps end, and where a uniform number a bit is below the rate."""
    rng = np.random.default_rng(3)
    weights = rng.choice(np.array([-1, 1], np.int8), BITS)
    figures = []
    for p, least in LEAST_OF_DENSE.items():

        def by_gaps(p: float = p) -> None:
            at = fault_map.failing(fault_map.draw(BITS, p, rng), p)
            weights[at] = -weights[at]

        def dense(p: float = p) -> None:
            np.negative(weights, out=weights, where=rng.random(BITS) < p)

        ratio = fastest(dense) / fastest(by_gaps)
        label = f"injection into 2 M bits at {p:g}, speed over dense"
        figures.append(Figure(label, ratio, "1", f">= {least:g}", ratio >= least))
    maps = fastest(lambda: flip_weights(network, Rates(0.01, 0.01), rng))
    return [*figures, Figure(f"network with errors, {DENSE}", maps * 1e3, "ms", "reported", None)]


def _curve(network: Network) -> list[Figure]:
    """Draw the whole curve of the MNIST network, from clean to a rate of 0.1."""
    try:
        test = encoded_test_images(network)
    except (ParameterError, DataError) as err:
        return [not_established("curve", str(err))]
    start = time.perf_counter()
    found = curve(test, [Rates(p, p) for p in CURVE], 1, Sampling(0.002, 4, 64))
    seconds = time.perf_counter() - start
    needed = found.isel(point=np.flatnonzero(found.ber.values <= 0.04))
    label = "least accurate interval up to 4e-2, from the maps"
    reached = bool(needed.reached.all())
    return [
        Figure(f"curve of {len(CURVE)} rates on MNIST, {int(found.n_maps.sum())} maps", seconds,
               "s", "<= 60", seconds <= 60 if HAS_NUMBA else None),
        Figure(label, float((needed.spread * scipy_stats.t.ppf(0.975, needed.n_maps - 1)
                             / np.sqrt(needed.n_maps)).max()), "1", "<= 0.002", reached),
    ]  # fmt: skip


def _images(network: Network, n: int, rng: np.random.Generator) -> Inputs:
    return encode(network, rng.integers(0, 256, (n, network.image.n_pixels), np.uint8))


def _layer(rng: np.random.Generator, shape: tuple[int, ...], padding: int, pool: int) -> Layer:
    weights = rng.choice(np.array([-1, 1], np.int8), shape)
    return Layer(weights, np.zeros(shape[0], np.int32), padding, pool)


def _on_bits(network: Network, inputs: Inputs) -> float:
    """Time on packed bits, compiled before; the classes are those of the products."""
    few = inputs[:IMAGES_CONVOLVED]
    if not np.array_equal(predict(network, few), predict_blas(network, few)):
        raise ArithmeticError(f"{network.name}: classes on bits differ from those by products")
    return fastest(lambda: predict(network, inputs))


def _products(x: Floats, matrices: list[Floats]) -> None:
    for start in range(0, len(x), BLOCK):
        block = x[start : start + BLOCK]
        for w in matrices:
            block = block @ w.T
