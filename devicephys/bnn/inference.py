"""Exact inference of binarized networks with float32 matrix products.

Sums of at most 2**22, and halves, are exact in float32, so the BLAS result is the integer result
whatever the order of summation and the number of threads. Inside, images lie with their channels
last, so that the inputs of a convolution are gathered in long runs.
"""

import math
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from devicephys.bnn.network import ImageCode, Layer, Network
from devicephys.errors import DataError

Inputs = NDArray[np.uint8]
Floats = NDArray[np.float32]
Classes = NDArray[np.intp]
Disturb = Callable[[int, NDArray[np.uint8]], NDArray[np.uint8]]

HAS_NUMBA = find_spec("numba") is not None
EXACT_SUM = 2**22  # float32 holds integers to 2**24; a threshold and half a unit are added
BLOCK = 1000  # images at a time, at most: activations of a block stay in the cache
BLOCK_FLOATS = 2**21  # of the widest layer's inputs


def encode(network: Network, pixels: NDArray[np.uint8]) -> Inputs:
    """Encode images as the inputs of a network.

    Parameters
    ----------
    network : Network
        The network, which knows its images.
    pixels : ndarray of uint8
        Images, channel by channel and row by row, shape (n_images, n_pixels) [1].

    Returns
    -------
    ndarray of uint8
        As `encode_images` gives them, shape (n_images, n_inputs) [1].

    Raises
    ------
    DataError
        If the images do not have the number of pixels that the network takes.

    Examples
    --------
    >>> layer = Layer(np.ones((2, 4), np.int8), np.zeros(2, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 2), (5, 9)), (layer,))
    >>> encode(tiny, np.array([[3, 7]], np.uint8)).tolist()
    [[0, 1, 0, 0]]
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != network.image.n_pixels:
        raise DataError(
            f"images of {pixels.dtype}, shape {pixels.shape}",
            expected=f"uint8, (n_images, {network.image.n_pixels}) for network {network.name!r}",
        )
    return encode_images(network.image, pixels)


def encode_images(image: ImageCode, pixels: NDArray[np.uint8]) -> Inputs:
    """Encode images by a thermometer code, or leave them as 8-bit pixels.

    Parameters
    ----------
    image : ImageCode
        How pixels enter.
    pixels : ndarray of uint8
        Images, channel by channel and row by row, shape (n_images, n_pixels) [1].

    Returns
    -------
    ndarray of uint8
        1 where pixel > level, which stands for +1, and 0, for -1, elsewhere, level by level;
        without levels the pixels themselves; shape (n_images, n_inputs) [1].

    Examples
    --------
    >>> encode_images(ImageCode((1, 1, 2), (5, 9)), np.array([[3, 7]], np.uint8)).tolist()
    [[0, 1, 0, 0]]
    """
    if not image.levels:
        return pixels
    return np.concatenate([pixels > level for level in image.levels], axis=1).view(np.uint8)


def signs(image: ImageCode, inputs: Inputs) -> Floats:
    """Give encoded images as the numbers that they stand for.

    Parameters
    ----------
    image : ImageCode
        How pixels enter.
    inputs : ndarray of uint8
        Encoded images, any shape [1].

    Returns
    -------
    ndarray of float32
        -1 and +1 for a thermometer code, 2 pixel - 255 for 8-bit pixels, same shape [1].

    Examples
    --------
    >>> signs(ImageCode((1, 1, 2), (5,)), np.array([[0, 1]], np.uint8)).tolist()
    [[-1.0, 1.0]]
    >>> signs(ImageCode((1, 1, 2)), np.array([[0, 128]], np.uint8)).tolist()
    [[-255.0, 1.0]]
    """
    values = np.multiply(inputs, np.float32(2), dtype=np.float32)
    values -= np.float32(image.peak)
    return values


def predict(network: Network, inputs: Inputs, disturb: Disturb | None = None) -> Classes:
    """Predict the class of each image; with numba (extra ``fast``) several times faster.

    Parameters
    ----------
    network : Network
        The network.
    inputs : ndarray of uint8
        Encoded images, as `encode` gives them, shape (n_images, n_inputs) [1].
    disturb : callable, optional
        Called, some images at a time, with the number of a hidden layer and the bits that it puts
        out, channel by channel, shape (n, units); gives the bits that the next layer reads.

    Returns
    -------
    ndarray of int
        Predicted classes, shape (n_images,); the lowest class wins a tie [1].

    Raises
    ------
    DataError
        If the inputs are not the network's, or a layer has more than float32 can sum exactly.

    Examples
    --------
    >>> layer = Layer(np.array([[1, 1], [-1, 1]], np.int8), np.zeros(2, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 2), (0,)), (layer,))
    >>> predict(tiny, np.array([[0, 1]], np.uint8)).tolist()
    [1]
    """
    if not HAS_NUMBA or disturb is not None:
        return predict_blas(network, inputs, disturb)
    from devicephys.bnn import popcount_numba  # compiled at first use

    _check(network, inputs)
    return popcount_numba.predict(network, inputs)


def predict_blas(network: Network, inputs: Inputs, disturb: Disturb | None = None) -> Classes:
    """Predict the class of each image by matrix products: the reference.

    Parameters
    ----------
    network : Network
        The network.
    inputs : ndarray of uint8
        Encoded images, shape (n_images, n_inputs) [1].
    disturb : callable, optional
        As of `predict`.

    Returns
    -------
    ndarray of int
        Predicted classes, shape (n_images,) [1].

    Raises
    ------
    DataError
        As of `predict`.

    Examples
    --------
    >>> layer = Layer(np.array([[1, 1], [-1, 1]], np.int8), np.zeros(2, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 2), (0,)), (layer,))
    >>> predict_blas(tiny, np.array([[0, 1]], np.uint8)).tolist()
    [1]
    """
    _check(network, inputs)
    matrices = [_matrix(layer) for layer in network.layers]
    output = network.layers[-1]
    gain = np.float64(1) if output.gain is None else output.gain.astype(np.float64)
    classes = np.empty(len(inputs), np.intp)
    for block in _blocks(network, len(inputs)):
        for z in _layer_sums(network, matrices, inputs[block], disturb):
            last = z
        classes[block] = (gain * last - output.threshold).argmax(axis=1)
    return classes


def sums(
    network: Network, inputs: Inputs, disturb: Disturb | None = None
) -> tuple[NDArray[np.int32], ...]:
    """Compute the sums that every layer compares with its thresholds.

    Parameters
    ----------
    network : Network
        The network.
    inputs : ndarray of uint8
        Encoded images, shape (n_images, n_inputs) [1].
    disturb : callable, optional
        As of `predict`.

    Returns
    -------
    tuple of ndarray of int32
        z of every layer, before the thresholds and before pooling, each of shape (n_images, n_out)
        or, of a convolution, (n_images, n_out, height, width) [1].

    Raises
    ------
    DataError
        As of `predict`.

    Examples
    --------
    >>> layer = Layer(np.array([[1, 1], [-1, 1]], np.int8), np.zeros(2, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 2), (0,)), (layer,))
    >>> [z.tolist() for z in sums(tiny, np.array([[0, 1]], np.uint8))]
    [[[0, 2]]]
    """
    _check(network, inputs)
    matrices = [_matrix(layer) for layer in network.layers]
    blocks = [
        [
            (z.transpose(0, 3, 1, 2) if z.ndim == 4 else z).astype(np.int32)
            for z in _layer_sums(network, matrices, inputs[block], disturb)
        ]
        for block in _blocks(network, len(inputs))
    ]
    return tuple(np.concatenate(parts) for parts in zip(*blocks, strict=True))


def _check(network: Network, inputs: Inputs) -> None:
    """Refuse inputs that are not the network's, and layers beyond float32."""
    n_inputs = math.prod(network.image.encoded)
    if inputs.dtype != np.uint8 or inputs.ndim != 2 or inputs.shape[1] != n_inputs:
        raise DataError(
            f"inputs of {inputs.dtype}, shape {inputs.shape}",
            expected=f"uint8, (n_images, {n_inputs}) for network {network.name!r}",
        )
    if inputs.max(initial=0) > network.image.peak:
        raise DataError("inputs other than 0 and 1", expected="images encoded by their levels")
    peak = network.image.peak
    for k, layer in enumerate(network.layers):
        if peak * layer.fan_in > EXACT_SUM:
            raise DataError(
                f"layer {k} of network {network.name!r} has too many inputs",
                expected=f"at most {EXACT_SUM // peak}",
            )
        peak = 1


def _blocks(network: Network, n_images: int) -> Iterator[slice]:
    """Cut images into blocks that bound the memory of every layer's gathered inputs."""
    widest = max(
        layer.fan_in * (shape[1] * shape[2] if layer.convolution else 1)
        for layer, shape in zip(network.layers, network.shapes[:-1], strict=True)
    )
    size = min(BLOCK, max(1, BLOCK_FLOATS // widest))
    for start in range(0, max(1, n_images), size):
        yield slice(start, start + size)


def _matrix(layer: Layer) -> Floats:
    """Give the weights as a matrix, those of a convolution with the channels last."""
    weights = layer.weights.transpose(0, 2, 3, 1) if layer.convolution else layer.weights
    return weights.astype(np.float32, order="C").reshape(len(weights), -1)


def _layer_sums(
    network: Network, matrices: list[Floats], inputs: Inputs, disturb: Disturb | None
) -> Iterator[Floats]:
    """Yield the sums of each layer of some images, channels last; each is overwritten later."""
    x = signs(network.image, inputs)
    layers = network.layers
    for k, (layer, matrix, shape) in enumerate(zip(layers, matrices, network.shapes, strict=False)):
        if layer.convolution:
            images = x.reshape(-1, *shape).transpose(0, 2, 3, 1) if x.ndim == 2 else x
            x = _columns(images, layer) @ matrix.T
        else:
            x = x @ matrix.T
        yield x
        if k == len(layers) - 1:
            return
        x = _fire(x, layer)
        if x.ndim == 4 and (disturb is not None or not layers[k + 1].convolution):
            x = x.transpose(0, 3, 1, 2).reshape(len(x), math.prod(x.shape[1:]))
        if disturb is not None:
            x = 2 * disturb(k, (x > 0).view(np.uint8)).astype(np.float32) - 1


def _columns(images: Floats, layer: Layer) -> Floats:
    """Gather the inputs of every output of a convolution; beyond the border they are zero."""
    k, p = layer.weights.shape[-1], layer.padding
    padded = np.pad(images, ((0, 0), (p, p), (p, p), (0, 0))) if p else images
    views = sliding_window_view(padded, (k, k), (1, 2)).transpose(0, 1, 2, 4, 5, 3)
    return views.reshape(*views.shape[:3], layer.fan_in)


def _fire(z: Floats, layer: Layer) -> Floats:
    """Give the signs that a hidden layer puts out, pooled; overwrites its sums."""
    z -= layer.threshold.astype(np.float32) - np.float32(0.5)  # half an integer: never zero
    np.copysign(np.float32(1), z, out=z)
    if layer.pool == 1:
        return z
    n, height, width, channels = z.shape
    h, w = height // layer.pool, width // layer.pool
    squares = z[:, : h * layer.pool, : w * layer.pool]
    pooled: Floats = squares.reshape(n, h, layer.pool, w, layer.pool, channels).max(axis=(2, 4))
    return pooled
