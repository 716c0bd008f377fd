"""From trained layers, with real weights and batch normalisation, to a network of integers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from devicephys.bnn.batch_norm import SIGNS, BatchNorm, Inputs, fold, fold_scores
from devicephys.bnn.network import ImageCode, Layer, Network
from devicephys.errors import DataError


@dataclass(frozen=True)
class Trained:
    """One layer as it was trained.

    Attributes
    ----------
    weights : ndarray of float
        Real weights whose signs the layer uses, shape (n_out, n_in) or (n_out, channels, k, k) [1].
    norm : BatchNorm
        Bias and batch normalisation of the sums.
    padding : int
        Rows and columns of zeros around the images of a convolution [1].
    pool : int
        Edge of the squares of which a convolution gives the largest [1].
    pool_first : bool
        Whether the largest sum is taken, before the batch normalisation, not the largest sign.
    """

    weights: NDArray[np.floating]
    norm: BatchNorm
    padding: int = 0
    pool: int = 1
    pool_first: bool = False


def to_network(
    name: str, image: ImageCode, layers: Sequence[Trained], inputs: Inputs | None = None
) -> tuple[Network, float]:
    """Fold trained layers, from input to output, into a network.

    The largest sum of a pooled square, normalised with gamma < 0, gives the smallest of the signs;
    such a channel is stored as its opposite, the largest of the opposite signs, and the weights
    that read it are negated, which is the same network.

    Parameters
    ----------
    name : str
        Name of the network.
    image : ImageCode
        What goes in.
    layers : sequence of Trained
        Hidden layers, which emit signs, and the output layer, whose class is the argmax.
    inputs : Inputs, optional
        Scale and offset of the inputs in training; the integers themselves where left out.

    Returns
    -------
    network : Network
        The network, without a record.
    bound : float
        Scores of the output that differ by less may come out in the other order; 0 where the
        order is exact, see `fold_scores` [1].

    Raises
    ------
    DataError
        If a layer does not fit, or the inputs have an offset that zeros around them lack.

    Examples
    --------
    >>> one = np.ones(2)
    >>> layer = Trained(np.eye(2) - 0.5, BatchNorm(one, 0 * one, one, one, 0 * one))
    >>> network, bound = to_network("tiny", ImageCode((1, 1, 2), (127,)), [layer, layer])
    >>> [x.threshold.tolist() for x in network.layers], bound
    ([[1, 1], [0, 0]], 0.0)
    """
    given = inputs or Inputs(image.peak)
    if given.peak != image.peak:
        raise DataError(f"inputs up to {given.peak}", where=name, expected=f"{image.peak}")
    folded: list[Layer] = []
    bound = 0.0
    opposite = np.zeros(image.encoded[0], np.bool_)  # channels stored as their opposite
    for k, layer in enumerate(layers):
        where = f"network {name!r}, layer {k}"
        if given.offset and layer.padding:
            raise DataError(
                f"inputs with offset {given.offset:g} and zeros around them", where=where,
                expected="inputs centred on zero, as 2 pixel / 255 - 1, or no padding",
            )  # fmt: skip
        try:
            if k < len(layers) - 1:
                weights, threshold = fold(layer.weights, layer.norm, given)
                made, turned = _pooled(layer, weights, threshold)
            else:
                weights, gain, threshold, bound = fold_scores(layer.weights, layer.norm, given)
                made = Layer(weights, threshold, gain=None if (gain == 1).all() else gain)
                turned = np.zeros(len(weights), np.bool_)
            folded.append(_read_opposite(made, opposite))
        except DataError as err:
            raise DataError(f"not a layer to fold ({err})", where=where) from err
        opposite, given = turned, SIGNS
    return Network(name, image, tuple(folded)), bound


def _pooled(
    layer: Trained, weights: NDArray[np.int8], threshold: NDArray[np.int32]
) -> tuple[Layer, NDArray[np.bool_]]:
    """Make a hidden layer, and say which of its channels are stored as their opposite."""
    turned = (layer.norm.gamma < 0) & layer.pool_first & (layer.pool > 1)
    # +1 where -z >= t; its opposite is +1 where -z <= t - 1, that is z >= 1 - t
    weights[turned] *= -1
    threshold = np.where(turned, 1 - threshold, threshold).astype(np.int32)
    return Layer(weights, threshold, layer.padding, layer.pool), turned


def _read_opposite(layer: Layer, opposite: NDArray[np.bool_]) -> Layer:
    """Negate the weights that read channels stored as their opposite."""
    if not opposite.any():
        return layer
    n_out, n_in = layer.weights.shape[:2]
    if n_in % len(opposite):
        raise DataError(f"{n_in} inputs", expected=f"those of {len(opposite)} channels")
    by_channel = layer.weights.reshape(n_out, len(opposite), -1)  # a view
    by_channel[:, opposite] *= -1
    return layer
