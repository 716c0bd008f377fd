"""Exact inference of binarized networks with float32 matrix products.

Sums of at most 2**22 terms of +-1, and halves, are exact in float32, so the BLAS result is the
integer result whatever the order of summation and the number of threads.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from devicephys.bnn.network import Network
from devicephys.errors import DataError

Signs = NDArray[np.float32]
Classes = NDArray[np.intp]
EXACT_FAN_IN = 2**22  # float32 holds sums to 2**24; half a unit is added to them
BLOCK = 1000  # images at a time: activations of a block stay in the cache


def encode(network: Network, pixels: NDArray[np.uint8]) -> Signs:
    """Encode images as the +-1 inputs of a network (thermometer code).

    Parameters
    ----------
    network : Network
        The network, which knows its input levels.
    pixels : ndarray of uint8
        Images, shape (n_images, n_pixels) [1].

    Returns
    -------
    ndarray of float32
        Inputs of -1 and +1, shape (n_images, n_inputs) [1].

    Raises
    ------
    DataError
        If the images do not have the number of pixels that the network takes.

    Examples
    --------
    >>> from devicephys.bnn.network import Layer
    >>> layer = Layer(np.ones((2, 4), np.int8), np.zeros(2, np.int32))
    >>> encode(Network("tiny", (5, 9), (layer,)), np.array([[3, 7]], np.uint8)).tolist()
    [[-1.0, 1.0, -1.0, -1.0]]
    """
    if pixels.ndim != 2 or pixels.shape[1] != network.n_pixels:
        raise DataError(
            f"images of shape {pixels.shape}",
            expected=f"(n_images, {network.n_pixels}) for network {network.name!r}",
        )
    return encode_levels(pixels, network.input_levels)


def encode_levels(pixels: NDArray[np.uint8], levels: Sequence[int]) -> Signs:
    """Encode images as +-1 by a thermometer code: one input per pixel and level.

    Parameters
    ----------
    pixels : ndarray of uint8
        Images, shape (n_images, n_pixels) [1].
    levels : sequence of int
        Levels; the inputs of the first level come first [1].

    Returns
    -------
    ndarray of float32
        +1 where pixel > level, -1 elsewhere, shape (n_images, n_levels * n_pixels) [1].

    Examples
    --------
    >>> encode_levels(np.array([[3, 7]], np.uint8), [5, 9]).tolist()
    [[-1.0, 1.0, -1.0, -1.0]]
    """
    bits = np.concatenate([pixels > level for level in levels], axis=1)
    return np.where(bits, np.float32(1), np.float32(-1))


def weight_matrices(network: Network) -> list[Signs]:
    """Give the layers' weights as float32 matrices of -1 and +1.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    list of ndarray of float32
        One matrix a layer, shape (n_out, n_in) [1].

    Examples
    --------
    >>> from devicephys.bnn.network import Layer
    >>> layer = Layer(-np.ones((1, 2), np.int8), np.zeros(1, np.int32))
    >>> weight_matrices(Network("tiny", (0,), (layer,)))[0].tolist()
    [[-1.0, -1.0]]
    """
    return [layer.weights.astype(np.float32) for layer in network.layers]


def predict(network: Network, inputs: Signs, weights: Sequence[Signs] | None = None) -> Classes:
    """Predict the class of each image.

    Parameters
    ----------
    network : Network
        The network: thresholds, and weights where `weights` is not given.
    inputs : ndarray of float32
        Encoded images of -1 and +1, shape (n_images, n_inputs) [1].
    weights : sequence of ndarray of float32, optional
        Weights to use instead of the network's, each of shape (n_out, n_in) [1].

    Returns
    -------
    ndarray of int
        Predicted classes, shape (n_images,); the lowest class wins a tie [1].

    Raises
    ------
    DataError
        If a layer has more inputs than float32 can sum exactly.

    Examples
    --------
    >>> from devicephys.bnn.network import Layer
    >>> layer = Layer(np.array([[1, 1], [-1, 1]], np.int8), np.zeros(2, np.int32))
    >>> predict(Network("tiny", (0,), (layer,)), np.array([[-1, 1]], np.float32)).tolist()
    [1]
    """
    matrices = weight_matrices(network) if weights is None else weights
    if max(w.shape[1] for w in matrices) > EXACT_FAN_IN:
        raise DataError("a layer has too many inputs", expected=f"at most {EXACT_FAN_IN}")
    classes = np.empty(len(inputs), np.intp)
    for start in range(0, len(inputs), BLOCK):
        block = slice(start, start + BLOCK)
        classes[block] = _scores(network, inputs[block], matrices).argmax(axis=1)
    return classes


def _scores(network: Network, x: Signs, matrices: Sequence[Signs]) -> Signs:
    for layer, w in zip(network.layers[:-1], matrices[:-1], strict=True):
        x = x @ w.T
        x -= layer.threshold.astype(np.float32) - np.float32(0.5)  # half an integer: never zero
        np.copysign(np.float32(1), x, out=x)
    scores: Signs = x @ matrices[-1].T - network.layers[-1].threshold.astype(np.float32)
    return scores
