"""A folded network fires and decides as the trained one does in floats."""

import math

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from devicephys.bnn.batch_norm import BatchNorm, Inputs
from devicephys.bnn.inference import encode_images, predict, predict_blas, signs, sums
from devicephys.bnn.network import ImageCode
from devicephys.bnn.trained import Trained, to_network
from devicephys.errors import DataError


def random_norm(rng, n, spread):
    gamma = rng.choice([-1.0, 1.0], n) * rng.uniform(0.2, 2, n)
    gamma[0] = 0.0
    return BatchNorm(
        gamma, rng.normal(size=n), rng.normal(size=n) * spread,
        rng.uniform(0.3, spread, n) ** 2, rng.normal(size=n),
    )  # fmt: skip


def tied_norm(rng, n, spread):
    """Statistics whose sums often normalise to exactly zero."""
    gamma = rng.choice([-1.0, 1.0, 1.0, -1.0, 0.0], n)
    zero = np.zeros(n)
    mean = np.rint(rng.normal(size=n) * spread)
    return BatchNorm(gamma, zero, mean, np.ones(n), zero)


def forward(layers, values):
    """Evaluate a trained stack in float64: what every layer emits, and the scores."""
    x, emitted = values, []
    for k, layer in enumerate(layers):
        w = np.where(layer.weights >= 0, 1.0, -1.0)
        if w.ndim == 4:
            p = layer.padding
            padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
            views = sliding_window_view(padded, w.shape[2:], (2, 3))
            z = np.einsum("nchwij,ocij->nohw", views, w)
        else:
            z = x.reshape(len(x), -1) @ w.T
        if layer.pool_first:
            z = pooled(z, layer.pool)
        norm = layer.norm
        gamma, beta, mean, root, bias = (
            a.reshape(1, -1, *[1] * (z.ndim - 2))
            for a in (norm.gamma, norm.beta, norm.mean,
                      np.sqrt(norm.variance + norm.epsilon), norm.bias)
        )  # fmt: skip
        y = gamma * (z + bias - mean) / root + beta
        if k == len(layers) - 1:
            return emitted, y
        x = np.where(y >= 0, 1.0, -1.0)
        x = x if layer.pool_first else pooled(x, layer.pool)
        emitted.append(x)


def pooled(x, pool):
    if pool == 1:
        return x
    n, channels, height, width = x.shape
    h, w = height // pool, width // pool
    squares = x[:, :, : h * pool, : w * pool].reshape(n, channels, h, pool, w, pool)
    return squares.max(axis=(3, 5))


def stack(rng, image, *, pool_first, tied=False, kernel=3):
    """Two convolutions, the first pooled, and two fully connected layers."""

    def norm(n, fan_in):
        return (tied_norm if tied else random_norm)(rng, n, math.sqrt(fan_in) / 2)

    channels, height, width = image.encoded
    p = kernel // 2
    shapes = [(6, channels, kernel, kernel), (5, 6, kernel, kernel)]
    hidden = 5 * (height // 2 // 2) * (width // 2 // 2)
    big = image.peak * 0.6
    first = norm(6, channels * kernel**2 * big**2)
    return [
        Trained(rng.normal(size=shapes[0]), first, p, 2, pool_first),
        Trained(rng.normal(size=shapes[1]), norm(5, 6 * kernel**2), p, 2, pool_first),
        Trained(rng.normal(size=(7, hidden)), norm(7, hidden)),
        Trained(rng.normal(size=(4, 7)), norm(4, 7)),
    ]


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("pool_first", [False, True])
@pytest.mark.parametrize("levels", [(), (60, 180)])
def test_activations_and_classes_are_those_in_floats(levels, pool_first, tied):
    rng = np.random.default_rng(1)
    image = ImageCode((2, 9, 8), levels)
    layers = stack(rng, image, pool_first=pool_first, tied=tied)
    network, bound = to_network("x", image, layers)
    inputs = encode_images(image, rng.integers(0, 256, (150, image.n_pixels), np.uint8))
    values = signs(image, inputs).astype(np.float64).reshape(-1, *image.encoded)
    emitted, y = forward(layers, values)
    stored = zip(sums(network, inputs), network.layers, layers, emitted, strict=False)
    for z, layer, trained, expected in stored:
        threshold = layer.threshold.reshape(1, -1, *[1] * (z.ndim - 2))
        fired = np.where(z >= threshold, 1, -1)
        fired = pooled(fired, layer.pool)
        opposite = (trained.norm.gamma < 0) & trained.pool_first & (trained.pool > 1)
        assert opposite.any() == (pool_first and trained.pool > 1)
        fired[:, opposite] *= -1
        assert (fired == expected).all()
        assert len(np.unique(fired)) == 2
    best = np.sort(y, axis=1)
    clear = best[:, -1] - best[:, -2] > bound
    assert clear.mean() > 0.9 or tied
    said = predict_blas(network, inputs)
    assert (said == y.argmax(axis=1))[clear].all()
    assert (predict(network, inputs) == said).all()


@pytest.mark.parametrize(("scale", "offset"), [(1 / 255, 0.0), (1 / 510, 0.5), (2.0, -300.0)])
def test_scale_and_offset_of_the_inputs_are_folded_in(scale, offset):
    rng = np.random.default_rng(2)
    image = ImageCode((1, 5, 5))
    spread = scale * 150 * 5
    layers = [
        Trained(rng.normal(size=(20, 25)), random_norm(rng, 20, spread)),
        Trained(rng.normal(size=(3, 20)), random_norm(rng, 3, 4.0)),
    ]
    network, bound = to_network("x", image, layers, Inputs(255, scale, offset))
    pixels = rng.integers(0, 256, (400, 25), np.uint8)
    emitted, y = forward(layers, scale * (2.0 * pixels - 255) + offset)
    z, _ = sums(network, pixels)
    assert (np.where(z >= network.layers[0].threshold, 1, -1) == emitted[0]).all()
    best = np.sort(y, axis=1)
    clear = best[:, -1] - best[:, -2] > bound
    assert (predict(network, pixels) == y.argmax(axis=1))[clear].all()


def test_an_offset_is_refused_where_zeros_surround_the_images():
    image = ImageCode((1, 8, 8))
    layers = stack(np.random.default_rng(3), image, pool_first=False)
    with pytest.raises(DataError, match=r"layer 0: inputs with offset 0\.5"):
        to_network("x", image, layers, Inputs(255, 1 / 510, 0.5))


def test_layers_that_do_not_fit_are_refused():
    rng = np.random.default_rng(4)
    image = ImageCode((1, 2, 2), (127,))
    good = Trained(rng.normal(size=(3, 4)), random_norm(rng, 3, 1.0))
    with pytest.raises(DataError, match="layer 1"):
        to_network("x", image, [good, good])
    with pytest.raises(DataError, match="not a layer to fold"):
        to_network("x", image, [Trained(good.weights[:2], good.norm)])
    with pytest.raises(DataError, match="no fully connected layer"):
        to_network("x", image, [])
    with pytest.raises(DataError, match="inputs up to 255"):
        to_network("x", image, [good], Inputs(255))
