"""Binarized networks: the record and its description.

A layer computes the integer ``z = W x``, or the convolution ``W * x``, with ``W`` and ``x`` in
{-1, +1}; only the first layer may take 8-bit pixels instead. Hidden layers emit +1 where
``z >= threshold`` and -1 elsewhere, a convolution then the largest of every pooled square; the
output layer's class is the argmax of ``z - threshold``, or of ``gain z - threshold`` where batch
normalisation gave the classes scales of their own. Batch normalisation is folded into these
integers when a network is exported, so a network holds nothing but bits and integers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devicephys.errors import DataError

PEAK = 255  # an 8-bit pixel p enters as 2 p - 255: odd, and its bits are the signs of its powers
MOST_SCORE = 2**31 - 1  # of an output layer with a gain
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Layer:
    """One binarized layer, fully connected or a convolution.

    Attributes
    ----------
    weights : ndarray of int8
        Weights, each -1 or +1, shape (n_out, n_in), or (n_out, channels, k, k) with odd k for a
        convolution of step 1 [1].
    threshold : ndarray of int32
        Thresholds, shape (n_out,) [1].
    padding : int
        Rows and columns of zeros around the images of a convolution: 0 ("valid") or k // 2
        ("same") [1].
    pool : int
        Edge of the squares, side by side, of which a convolution gives the largest sign; rows and
        columns that fill no square are left out [1].
    gain : ndarray of int32 or None
        Of an output layer alone: factor of each class's sum, not negative, shape (n_out,); None
        for 1 [1].
    """

    weights: NDArray[np.int8]
    threshold: NDArray[np.int32]
    padding: int = 0
    pool: int = 1
    gain: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        if self.weights.ndim not in (2, 4) or self.threshold.shape != self.weights.shape[:1]:
            raise DataError(
                f"weights {self.weights.shape} with thresholds {self.threshold.shape}",
                expected="shapes (n_out, n_in) or (n_out, channels, k, k), and (n_out,)",
            )
        if not self.weights.size or not (self.weights * self.weights == 1).all():
            raise DataError("weights other than -1 and +1")
        k = self.weights.shape[-1]
        if self.convolution and (k != self.weights.shape[2] or k % 2 == 0):
            raise DataError(
                f"kernel {self.weights.shape[2]} x {k}", expected="squares of odd size, as 3 x 3"
            )
        if self.padding not in ((0, k // 2) if self.convolution else (0,)):
            raise DataError(
                f"padding {self.padding}", expected="0, or half the kernel of a convolution"
            )
        if self.pool < 1 or (self.pool > 1 and not self.convolution):
            raise DataError(f"pool {self.pool}", expected="1, or more after a convolution")
        if self.gain is not None and (
            self.gain.shape != self.threshold.shape or self.convolution or self.gain.min() < 0
        ):
            raise DataError(
                f"gain of shape {self.gain.shape}, down to {self.gain.min(initial=0)}",
                expected="numbers >= 0, one a class of an output layer",
            )

    @property
    def convolution(self) -> bool:
        """Whether the layer is a convolution."""
        return self.weights.ndim == 4

    @property
    def fan_in(self) -> int:
        """Weights of one output [1]."""
        return math.prod(self.weights.shape[1:])

    def most(self, peak: int) -> int:
        """Give the largest magnitude of a threshold: further out changes no output [1]."""
        beyond = peak * self.fan_in + 1
        return beyond if self.gain is None else 2 * max(1, int(self.gain.max())) * beyond


@dataclass(frozen=True)
class ImageCode:
    """The images that a network takes, and how their pixels enter.

    Attributes
    ----------
    shape : tuple of int
        Channels, height and width of an image; (1, 1, n) for a plain row of n numbers [1].
    levels : tuple of int
        Pixel levels of the thermometer code: pixel j gives one input per level, +1 where pixel >
        level and -1 elsewhere, ordered level by level. Empty: 8-bit pixels, which enter as
        2 pixel - 255 [1].
    """

    shape: Shape
    levels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise DataError(f"images of shape {self.shape}", expected="(channels, height, width)")

    @property
    def n_pixels(self) -> int:
        """Number of pixels of an image, all channels [1]."""
        return math.prod(self.shape)

    @property
    def encoded(self) -> Shape:
        """Channels, height and width of the encoded image [1]."""
        return (self.shape[0] * max(1, len(self.levels)), *self.shape[1:])

    @property
    def peak(self) -> int:
        """Largest magnitude of an input [1]."""
        return 1 if self.levels else PEAK


@dataclass(frozen=True)
class Network:
    """A binarized network: convolutions first, if any, then fully connected layers.

    Attributes
    ----------
    name : str
        Short name, as the command line knows it.
    image : ImageCode
        What goes in.
    layers : tuple of Layer
        Layers from input to output; the last is fully connected.
    record : mapping
        How the network was made: images, licence, command, seed, accuracies.
    """

    name: str
    image: ImageCode
    layers: tuple[Layer, ...]
    record: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = f"network {self.name!r}"
        if not self.layers or self.layers[-1].convolution:
            raise DataError("no fully connected layer at the end", where=where)
        shape, peak = self.image.encoded, self.image.peak
        for k, layer in enumerate(self.layers):
            shape = _output(layer, shape, f"{where}, layer {k}")
            most = layer.most(peak)
            if layer.gain is not None and (k < len(self.layers) - 1 or most > MOST_SCORE):
                raise DataError(
                    f"gain up to {layer.gain.max()}", where=f"{where}, layer {k}",
                    expected=f"in the output layer alone, scores up to {MOST_SCORE}",
                )  # fmt: skip
            # Wider than int32: a threshold may be as far off as its type allows.
            if np.abs(layer.threshold.astype(np.int64)).max() > most:
                formula = f"{peak} n_in + 1 = " if layer.gain is None else ""
                raise DataError(
                    "threshold beyond every possible sum", where=f"{where}, layer {k}",
                    expected=f"|threshold| <= {formula}{most}",
                )  # fmt: skip
            peak = 1

    @property
    def n_weights(self) -> int:
        """Number of weight bits, each stored in one memory cell or pair [1]."""
        return sum(layer.weights.size for layer in self.layers)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Channels, height and width of the inputs of every layer, then of the output [1]."""
        shapes = [self.image.encoded]
        for layer in self.layers:
            shapes.append(_output(layer, shapes[-1], self.name))
        return tuple(shapes)


def _output(layer: Layer, shape: Shape, where: str) -> Shape:
    """Channels, height and width that a layer makes of those it is given."""
    n_out, n_in = layer.weights.shape[:2]
    if not layer.convolution:
        if n_in != math.prod(shape):
            raise DataError(f"{math.prod(shape)} inputs", where=where, expected=f"{n_in}")
        return (1, 1, n_out)
    edge = layer.weights.shape[-1] - 1 - 2 * layer.padding
    height, width = ((n - edge) // layer.pool for n in shape[1:])
    if n_in != shape[0] or min(height, width) < 1:
        raise DataError(
            f"inputs of shape {shape}", where=where,
            expected=f"{n_in} channels, at least {edge + layer.pool} rows and columns",
        )  # fmt: skip
    return (n_out, height, width)


def describe(network: Network) -> str:
    """Describe a network in one line: name, sizes, weight bits, inputs.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    str
        Convolutions as channels, C and kernel size, with P and the edge of what is pooled.

    Examples
    --------
    >>> layer = Layer(np.ones((2, 4), np.int8), np.zeros(2, np.int32))
    >>> describe(Network("tiny", ImageCode((1, 2, 2), (127,)), (layer,)))
    'tiny: 4-2, 8 weight bits, input levels 127'
    >>> first = Layer(np.ones((2, 1, 3, 3), np.int8), np.zeros(2, np.int32), padding=1, pool=2)
    >>> last = Layer(np.ones((2, 8), np.int8), np.zeros(2, np.int32))
    >>> describe(Network("small", ImageCode((1, 4, 4)), (first, last)))
    'small: 1x4x4-2C3P2-2, 34 weight bits, 8-bit input'
    """
    shape = network.image.encoded
    convolutions = network.layers[0].convolution
    sizes = ["x".join(map(str, shape)) if convolutions else str(math.prod(shape))]
    for layer in network.layers:
        size = str(layer.weights.shape[0])
        if layer.convolution:
            size += f"C{layer.weights.shape[-1]}" + f"P{layer.pool}" * (layer.pool > 1)
        sizes.append(size)
    levels = " ".join(map(str, network.image.levels))
    return (
        f"{network.name}: {'-'.join(sizes)}, {network.n_weights} weight bits, "
        + (f"input levels {levels}" if levels else "8-bit input")
    )  # fmt: skip
