"""Inference on packed bits, compiled by numba (extra ``fast``): the integers of `inference`.

Inputs and weights of +-1 are bits in words of 64, so that their product sum over n inputs is
n - 2 popcount(x ^ w). 8-bit pixels are eight planes of bits: 2 p - 255 = sum_k 2**k (+-1)_k. Every
layer is a window that moves over its inputs, a fully connected one as large as they are. Each row
of an image is one string of bits, channels innermost, and zeros where it is padded. Words of 64
outputs lie side by side, so that the innermost loops compile to vectors.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numba
import numpy as np
from numba.extending import intrinsic
from numpy.typing import NDArray

from devicephys.bnn.network import Layer, Network, Shape

Words = NDArray[np.uint64]
WORD = 64  # inputs in a word, and outputs side by side
GROUP = 4  # windows that share each load of weights
TILE = 64  # windows gathered at a time: with the weights of 64 outputs they stay in the cache
BLOCK = 250  # images carried through all layers at a time
JIT = numba.njit(error_model="numpy")


def predict(network: Network, inputs: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Predict the class of each image on packed bits.

    Parameters
    ----------
    network : Network
        The network.
    inputs : ndarray of uint8
        Encoded images, as `inference.encode` gives them, shape (n_images, n_inputs) [1].

    Returns
    -------
    ndarray of int
        Predicted classes, shape (n_images,); the lowest class wins a tie [1].

    Examples
    --------
    >>> from devicephys.bnn.network import ImageCode
    >>> layer = Layer(np.array([[1, 1], [-1, 1]], np.int8), np.zeros(2, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 2), (0,)), (layer,))
    >>> predict(tiny, np.array([[0, 1]], np.uint8)).tolist()
    [1]
    """
    layers = _packed_layers(network)
    last, output = layers[-1], network.layers[-1]
    threshold = output.threshold.astype(np.int64)
    gain = np.ones_like(threshold) if output.gain is None else output.gain.astype(np.int64)
    largest = output.fan_in * (1 if len(layers) > 1 else network.image.peak)  # sum
    classes = np.empty(len(inputs), np.intp)
    for start in range(0, len(inputs), BLOCK):
        x = _packed_inputs(network, layers[0], inputs[start : start + BLOCK])
        for layer, following in pairwise(layers):
            x = _outputs(layer, following, x)
        _classify(
            x, _planes(x), last.weights, (gain, threshold, largest), last.segments, classes[start:]
        )  # fmt: skip
    return classes


@dataclass(frozen=True)
class _Packed:
    """A layer as the kernels take it.

    Its limits are the largest counts of differing bits at which an output fires; they differ
    between kinds of windows, by the taps that lie beyond the border.
    """

    weights: Words  # (n_tiles, n_words, 64)
    limits: NDArray[np.int64]  # (n_kinds, 64 n_tiles); -1 for outputs that only fill a tile
    kinds: NDArray[np.intp]  # (height, width), of each window
    segments: tuple[int, int]  # rows of a window, and bits in each
    shape: Shape  # of the inputs
    padding: int
    pool: int


def _packed_layers(network: Network) -> list[_Packed]:
    """Pack all layers; inputs of a fully connected one are pixels only after a convolution."""
    packed = []
    peak, flat = network.image.peak, not network.layers[0].convolution
    for layer, shape in zip(network.layers, network.shapes, strict=False):
        packed.append(_packed(layer, (math.prod(shape), 1, 1) if flat else shape, peak))
        peak, flat = 1, not layer.convolution
    return packed


def _packed(layer: Layer, shape: Shape, peak: int) -> _Packed:
    """Pack a layer that takes inputs of this shape and of magnitude up to the peak."""
    channels, height, width = shape
    n_out, k = len(layer.weights), layer.weights.shape[-1]
    edges = (k, k) if layer.convolution else (height, width)
    ones = layer.weights.reshape(n_out, channels, *edges).transpose(0, 2, 3, 1) > 0
    n_tiles = -(-n_out // WORD)
    n_words = -(-layer.fan_in // WORD)
    if peak == 1:  # the kernels take planes, or words where there is one plane, two by two
        n_words += n_words % 2
    words = np.zeros((n_tiles * WORD, n_words), np.uint64)
    words[:n_out] = _words(ones.reshape(n_out, -1), n_words)
    (down, rows), (across, columns) = (
        _kinds(n, edge, layer) for n, edge in zip(shape[1:], edges, strict=True)
    )
    inside = (rows[:, None, :, None] & columns[:, None, :]).reshape(-1, *edges)
    # Inputs beyond the border are gathered as zeros: each differs from a weight bit of 1.
    beyond = np.einsum("nij,oij->no", ~inside, ones.sum(axis=3), dtype=np.int64)
    n_in = channels * inside.sum(axis=(1, 2))
    limits = np.full((len(inside), n_tiles * WORD), -1, np.int64)
    limits[:, :n_out] = (peak * (n_in[:, None] + 2 * beyond) - layer.threshold) // 2
    return _Packed(
        np.ascontiguousarray(words.reshape(n_tiles, WORD, n_words).transpose(0, 2, 1)), limits,
        down[:, None] * len(columns) + across, (edges[0], edges[1] * channels), shape,
        layer.padding, layer.pool,
    )  # fmt: skip


def _kinds(n: int, edge: int, layer: Layer) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Give, along one axis, the kind of every window that is used, and each kind's taps inside."""
    used = (n + 2 * layer.padding - edge + 1) // layer.pool * layer.pool
    taps = np.arange(used)[:, None] - layer.padding + np.arange(edge)
    kinds, kind = np.unique((taps >= 0) & (taps < n), axis=0, return_inverse=True)
    return kind.reshape(-1), kinds


def _words(values: NDArray[np.uint8] | NDArray[np.bool_], n_words: int) -> Words:
    """Pack the last axis into words: a bit where a value is not zero."""
    packed = np.packbits(values, axis=-1, bitorder="little")
    filled = np.zeros((*values.shape[:-1], 8 * n_words), np.uint8)
    filled[..., : packed.shape[-1]] = packed
    return filled.view("<u8").astype(np.uint64, copy=False)


def _row_words(layer: _Packed) -> int:
    """Words of a padded row of inputs, and one that spares the kernels a check of the end."""
    channels, _, width = layer.shape
    return -(-(width + 2 * layer.padding) * channels // WORD) + 1


def _packed_inputs(network: Network, first: _Packed, inputs: NDArray[np.uint8]) -> Words:
    """Pack images into words of shape (n_images, rows, words, planes)."""
    images = inputs.reshape(-1, *first.shape).transpose(0, 2, 3, 1)
    p = first.padding
    images = np.pad(images, ((0, 0), (p, p), (p, p), (0, 0))) if p else images
    rows = images.reshape(*images.shape[:2], images.shape[2] * images.shape[3])
    planes = [
        _words(rows & np.uint8(2**k), _row_words(first))
        for k in range(network.image.peak.bit_length())
    ]
    return np.ascontiguousarray(np.stack(planes, axis=-1))


def _outputs(layer: _Packed, following: _Packed, x: Words) -> Words:
    """Give the bits that a hidden layer puts out, as the following one takes them."""
    channels, height, _ = following.shape
    p = following.padding
    out = np.zeros((len(x), height + 2 * p, _row_words(following), 1), np.uint64)
    _fire(
        x, _planes(x), layer.weights, layer.limits, layer.kinds, layer.shape[0], layer.segments,
        layer.pool, out, (channels, p),
    )  # fmt: skip
    return out


def _planes(x: Words) -> tuple[int, ...]:
    """Number the planes of bits; the kernels are compiled for the length, so loops unroll."""
    return tuple(range(x.shape[3]))


def _count_ones(typing_context, x):  # type: ignore[no-untyped-def]
    """Count the bits of a word that are one, by the processor's instruction where it has one."""
    return numba.int64(x), lambda context, builder, signature, args: builder.ctpop(args[0])


_popcount: Any = intrinsic(_count_ones)


@JIT
def _over(bits, shift):  # type: ignore[no-untyped-def]
    """Give the bits that a shift to the left, by 0 to 63, pushes into the next word."""
    return (bits >> np.uint64(1)) >> (np.uint64(WORD - 1) - shift)


@JIT
def _gather(x, image, row, first, segments, planes, windows, i):  # type: ignore[no-untyped-def]
    """Lay the bits of a window end to end, from a row and the first bit in it."""
    for k in range(windows.shape[1]):
        for plane in planes:
            windows[i, k, plane] = 0
    at, (n_rows, n_bits) = 0, segments
    for r in range(row, row + n_rows):
        for done in range(0, n_bits, WORD):
            k, shift = (first + done) // WORD, np.uint64((first + done) % WORD)
            rest = min(WORD, n_bits - done)
            mask = ~np.uint64(0) >> np.uint64(WORD - rest)
            to, back = at // WORD, np.uint64(at % WORD)
            for plane in planes:
                low, high = x[image, r, k, plane], x[image, r, k + 1, plane]
                bits = low >> shift | (high << np.uint64(1)) << (np.uint64(WORD - 1) - shift)
                bits &= mask
                windows[i, to, plane] |= bits << back
                windows[i, to + 1, plane] |= _over(bits, back)
            at += rest


@JIT
def _count(windows, planes, weights, counts):  # type: ignore[no-untyped-def]
    """Count the differing bits of four windows and 64 outputs, weighted by the planes' powers."""
    counts[:] = 0
    a, b, c, d = counts[0], counts[1], counts[2], counts[3]
    n = len(planes)
    for step in range(0, len(weights) * n, 2):
        k, plane = step // n, step % n
        m, other = (step + 1) // n, (step + 1) % n
        u, v = weights[k], weights[m]
        a0, a1 = windows[0, k, plane], windows[0, m, other]
        b0, b1 = windows[1, k, plane], windows[1, m, other]
        c0, c1 = windows[2, k, plane], windows[2, m, other]
        d0, d1 = windows[3, k, plane], windows[3, m, other]
        for j in range(WORD):
            s, t = u[j], v[j]
            a[j] += (_popcount(s ^ a0) << plane) + (_popcount(t ^ a1) << other)
            b[j] += (_popcount(s ^ b0) << plane) + (_popcount(t ^ b1) << other)
            c[j] += (_popcount(s ^ c0) << plane) + (_popcount(t ^ c1) << other)
            d[j] += (_popcount(s ^ d0) << plane) + (_popcount(t ^ d1) << other)


@JIT
def _fires(counts, limits):  # type: ignore[no-untyped-def]
    """Give a word of the outputs whose count is within the limit."""
    word = np.uint64(0)
    for j in range(WORD):
        word |= np.uint64(counts[j] <= limits[j]) << np.uint64(j)
    return word


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _fire(  # type: ignore[no-untyped-def]
    x, planes, weights, limits, kinds, channels, segments, pool, out, target
):  # fmt: skip
    """Move the window over the images; pooled outputs fire where one of their square does."""
    (height, width), (channels_out, padding) = kinds.shape, target
    n = len(x) * height * width
    windows = np.zeros((TILE, weights.shape[1] + 1, x.shape[3]), np.uint64)
    counts = np.zeros((GROUP, WORD), np.int64)
    kind, place = np.zeros(TILE, np.int64), np.zeros((TILE, 3), np.int64)
    for start in range(0, n, TILE):
        size = min(TILE, n - start)
        for i in range(size):
            image, at = divmod(start + i, height * width)
            row, column = divmod(at, width)
            _gather(x, image, row, column * channels, segments, planes, windows, i)
            kind[i] = kinds[row, column]
            place[i, 0], place[i, 1] = image, row // pool + padding
            place[i, 2] = (column // pool + padding) * channels_out
        for t in range(len(weights)):
            for first in range(0, size, GROUP):
                _count(windows[first : first + GROUP], planes, weights[t], counts)
                for i in range(min(GROUP, size - first)):
                    image, row, bit = place[first + i]
                    limit = limits[kind[first + i], t * WORD : (t + 1) * WORD]
                    word, shift = bit // WORD + t, np.uint64(bit % WORD)
                    bits = _fires(counts[i], limit)
                    out[image, row, word, 0] |= bits << shift
                    out[image, row, word + 1, 0] |= _over(bits, shift)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _classify(x, planes, weights, scores, segments, classes):  # type: ignore[no-untyped-def]
    """Give the lowest class of the largest score, gain z - threshold, of the last layer."""
    gain, threshold, largest = scores
    windows = np.zeros((GROUP, weights.shape[1] + 1, x.shape[3]), np.uint64)
    counts = np.zeros((GROUP, WORD), np.int64)
    least = np.zeros(GROUP, np.int64)
    for start in range(0, len(x), GROUP):
        size = min(GROUP, len(x) - start)
        for i in range(size):
            _gather(x, start + i, 0, 0, segments, planes, windows, i)
        for t in range(len(weights)):
            _count(windows, planes, weights[t], counts)
            for i in range(size):
                for j in range(min(WORD, len(threshold) - t * WORD)):
                    k = t * WORD + j
                    lost = gain[k] * (2 * counts[i, j] - largest) + threshold[k]
                    if lost < least[i] or k == 0:
                        least[i], classes[start + i] = lost, k
