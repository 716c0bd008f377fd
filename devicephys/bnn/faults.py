"""Bit errors in what a network stores and in what it reads.

A network with errors is a `Network` like any other. A weight +1 is a stored 1, a weight -1 a
stored 0: a 1 reads as 0 with probability p10, a 0 as 1 with p01. To sweep rates, draw maps once at
the highest rate and read the network through them at each (`draw_maps`, `with_errors`): the flips
at a low rate are among those at a higher one, and the sweep is not blurred by fresh noise at
each point. Errors in weights and thresholds last, as errors of writing do; those in inputs and
activations are drawn afresh for every image.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from devicephys.bnn import fault_map
from devicephys.bnn.fault_map import FaultMap
from devicephys.bnn.inference import Disturb, Inputs
from devicephys.bnn.network import Network
from devicephys.checks import Array, generator, in_range
from devicephys.errors import ParameterError

ROUNDING = 1e-12  # of a sum of probabilities


@dataclass(frozen=True)
class Rates:
    """Error rates of stored bits.

    Attributes
    ----------
    p01, p10 : float or ndarray
        Probabilities that a stored 0 reads as 1 and that a stored 1 reads as 0, in [0, 1]; arrays
        where bits differ, shape broadcast to that of the stored bits [1].
    """

    p01: float | Array
    p10: float | Array

    def __post_init__(self) -> None:
        in_range("p01", self.p01, "1", above=0, below=1, inclusive=True)
        in_range("p10", self.p10, "1", above=0, below=1, inclusive=True)

    @property
    def highest(self) -> float:
        """Largest of the rates [1]."""
        return float(max(np.max(self.p01), np.max(self.p10)))


NO_ERRORS = Rates(0.0, 0.0)


@dataclass(frozen=True)
class NetworkMaps:
    """Maps of a network's stored bits, one of each kind a layer.

    Attributes
    ----------
    weights : tuple of FaultMap
        Maps of the weights, which count in C order.
    thresholds : tuple of FaultMap
        Maps of the thresholds' words, unit by unit from the lowest bit of its word.
    """

    weights: tuple[FaultMap, ...]
    thresholds: tuple[FaultMap, ...]


def each_layer(network: Network, rates: Rates | Sequence[Rates]) -> tuple[Rates, ...]:
    """Give the rates of every layer.

    Parameters
    ----------
    network : Network
        The network.
    rates : Rates or sequence of Rates
        Rates of all layers, or of one after the other.

    Returns
    -------
    tuple of Rates
        One a layer.

    Raises
    ------
    ParameterError
        If there is not one pair of rates for every layer.

    Examples
    --------
    >>> from devicephys.bnn.network import ImageCode, Layer
    >>> layer = Layer(np.ones((2, 2), np.int8), np.zeros(2, np.int32))
    >>> each_layer(Network("tiny", ImageCode((1, 1, 2), (0,)), (layer,)), Rates(0.1, 0.2))
    (Rates(p01=0.1, p10=0.2),)
    """
    return _one_each(rates, len(network.layers), "layers")


def draw_maps(network: Network, highest: float, rng: np.random.Generator) -> NetworkMaps:
    """Draw which of the bits of a network fail, at every rate up to the highest.

    Parameters
    ----------
    network : Network
        The network.
    highest : float
        Highest rate wanted, in [0, 1]: equal for a whole sweep, or its maps are not nested [1].
    rng : numpy.random.Generator
        Source of the maps.

    Returns
    -------
    NetworkMaps
        The maps.

    Raises
    ------
    ParameterError
        If `highest` is outside [0, 1] or `rng` no generator.

    Examples
    --------
    >>> from devicephys.bnn.network import ImageCode, Layer
    >>> layer = Layer(np.ones((2, 2), np.int8), np.zeros(2, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 2), (0,)), (layer,))
    >>> draw_maps(tiny, 1.0, np.random.default_rng(0)).weights[0].positions.tolist()
    [0, 1, 2, 3]
    """
    weights = tuple(fault_map.draw(x.weights.size, highest, rng) for x in network.layers)
    words = (x.threshold.size * _word(network, k) for k, x in enumerate(network.layers))
    return NetworkMaps(weights, tuple(fault_map.draw(n, highest, rng) for n in words))


def with_errors(
    network: Network,
    maps: NetworkMaps,
    rates: Rates | Sequence[Rates],
    threshold_rates: Rates | Sequence[Rates] = NO_ERRORS,
) -> Network:
    """Read a network through maps of failing bits.

    A threshold is stored as a two's-complement word of the fewest bits that hold every threshold
    that a `Network` may have, from one below to one above every possible sum. A word that reads
    as a number beyond is clipped to that range: for a hidden unit the outcome is the same, and
    the output layer's subtractor is taken to saturate there.

    Parameters
    ----------
    network : Network
        The network as it was meant to be stored.
    maps : NetworkMaps
        Its maps.
    rates : Rates or sequence of Rates
        Rates of the weights' bits, of all layers or of every layer; no higher than the maps'.
    threshold_rates : Rates or sequence of Rates, optional
        Rates of the bits of the thresholds.

    Returns
    -------
    Network
        The network as it reads; what has no errors is shared with `network`.

    Raises
    ------
    ParameterError
        If the maps or the rates do not fit the network, or a rate is above the highest.

    Examples
    --------
    >>> from devicephys.bnn.network import ImageCode, Layer
    >>> layer = Layer(np.array([[1, -1]], np.int8), np.zeros(1, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 2), (0,)), (layer,))
    >>> maps = draw_maps(tiny, 1.0, np.random.default_rng(0))
    >>> with_errors(tiny, maps, Rates(p01=1.0, p10=0.0)).layers[0].weights.tolist()
    [[1, 1]]
    """
    _fit(network, maps)
    of_weights, of_thresholds = each_layer(network, rates), each_layer(network, threshold_rates)
    layers = []
    for k, layer in enumerate(network.layers):
        weights = layer.weights
        p = of_weights[k]
        flips = fault_map.failing_stored(maps.weights[k], weights, p.p01, p.p10)
        if flips.size:
            weights = weights.copy("C")
            flat = weights.reshape(-1)
            flat[flips] = -flat[flips]
        threshold = _read_words(network, k, maps.thresholds[k], of_thresholds[k])
        layers.append(replace(layer, weights=weights, threshold=threshold))
    return replace(network, layers=tuple(layers))


def flip_weights(
    network: Network, rates: Rates | Sequence[Rates], rng: np.random.Generator
) -> Network:
    """Read a network with independent errors in its weights.

    Parameters
    ----------
    network : Network
        The network as it was meant to be stored.
    rates : Rates or sequence of Rates
        Rates of all layers or of every layer.
    rng : numpy.random.Generator
        Source of the errors.

    Returns
    -------
    Network
        The network as it reads.

    Raises
    ------
    ParameterError
        If the rates do not fit the network or `rng` is no generator.

    Examples
    --------
    >>> from devicephys.bnn.network import ImageCode, Layer
    >>> layer = Layer(np.ones((2, 3), np.int8), np.zeros(2, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 3), (0,)), (layer,))
    >>> flip_weights(tiny, Rates(0.0, 1.0), np.random.default_rng(0)).layers[0].weights.tolist()
    [[-1, -1, -1], [-1, -1, -1]]
    """
    highest = max(rate.highest for rate in each_layer(network, rates))
    return with_errors(network, draw_maps(network, highest, rng), rates)


def flip_thresholds(
    network: Network, rates: Rates | Sequence[Rates], rng: np.random.Generator
) -> Network:
    """Read a network with independent errors in the words of its thresholds.

    Parameters
    ----------
    network : Network
        The network as it was meant to be stored.
    rates : Rates or sequence of Rates
        Rates of the words' bits, of all layers or of every layer; see `with_errors`.
    rng : numpy.random.Generator
        Source of the errors.

    Returns
    -------
    Network
        The network as it reads.

    Raises
    ------
    ParameterError
        If the rates do not fit the network or `rng` is no generator.

    Examples
    --------
    >>> from devicephys.bnn.network import ImageCode, Layer
    >>> layer = Layer(np.ones((1, 3), np.int8), np.array([2], np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 3), (0,)), (layer,))
    >>> flip_thresholds(tiny, Rates(1.0, 1.0), np.random.default_rng(0)).layers[0].threshold
    array([-3], dtype=int32)
    """
    highest = max(rate.highest for rate in each_layer(network, rates))
    return with_errors(network, draw_maps(network, highest, rng), NO_ERRORS, rates)


def with_stuck_cells(network: Network, maps: NetworkMaps, s0: float, s1: float) -> Network:
    """Store a network in cells some of which are stuck at 0 or at 1.

    For one network that is the law of errors with p10 = s0 and p01 = s1; but another network,
    stored through the same maps, meets the same cells. Only weights are stored in such cells.
    At higher probabilities, up to a sum of the maps' highest rate, the same cells are stuck and
    more.

    Parameters
    ----------
    network : Network
        The network as it was meant to be stored.
    maps : NetworkMaps
        The cells, from `draw_maps` of this or any network of equal layers.
    s0, s1 : float
        Probabilities that a cell is stuck at 0 and at 1, >= 0; their sum is at most the highest
        rate of the maps [1].

    Returns
    -------
    Network
        The network as it reads.

    Raises
    ------
    ParameterError
        If a probability is outside its range, or the maps do not fit the network.

    Examples
    --------
    >>> from devicephys.bnn.network import ImageCode, Layer
    >>> layer = Layer(np.array([[1, -1]], np.int8), np.zeros(1, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 2), (0,)), (layer,))
    >>> maps = draw_maps(tiny, 1.0, np.random.default_rng(0))
    >>> with_stuck_cells(tiny, maps, s0=1.0, s1=0.0).layers[0].weights.tolist()
    [[-1, -1]]
    """
    _fit(network, maps)
    layers = []
    for layer, cells in zip(network.layers, maps.weights, strict=True):
        for name, value in (("s0", s0), ("s1", s1), ("s0 + s1", s0 + s1)):
            most = cells.highest * (1 + ROUNDING)
            in_range(name, value, "1", above=0, below=most, inclusive=True,
                     remedy="draw the maps at their sum")  # fmt: skip
        weights = layer.weights.copy("C")
        flat = weights.reshape(-1)
        # Stuck at 0 from the lowest rate upwards, at 1 from the highest downwards.
        below = fault_map.failing(cells, max(0.0, cells.highest - s1))
        flat[np.setdiff1d(cells.positions, below, assume_unique=True)] = 1
        flat[fault_map.failing(cells, min(s0, cells.highest))] = -1
        layers.append(replace(layer, weights=weights))
    return replace(network, layers=tuple(layers))


def flip_inputs(network: Network, inputs: Inputs, rates: Rates, rng: np.random.Generator) -> Inputs:
    """Disturb encoded images: the bits of a thermometer code, or all eight bits of a pixel.

    Parameters
    ----------
    network : Network
        The network, which knows how pixels enter.
    inputs : ndarray of uint8
        Encoded images, shape (n_images, n_inputs) [1].
    rates : Rates
        Rates of the bits, equal for all.
    rng : numpy.random.Generator
        Source of the errors, drawn for each image.

    Returns
    -------
    ndarray of uint8
        The images as they read, a new array, shape (n_images, n_inputs) [1].

    Raises
    ------
    ParameterError
        If the rates do not fit the images or `rng` is no generator.

    Examples
    --------
    >>> from devicephys.bnn.network import ImageCode, Layer
    >>> layer = Layer(np.ones((1, 2), np.int8), np.zeros(1, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 2)), (layer,))
    >>> pixels = np.array([[0, 200]], np.uint8)
    >>> flip_inputs(tiny, pixels, Rates(1.0, 0.0), np.random.default_rng(0)).tolist()
    [[255, 255]]
    """
    if network.image.levels:
        return _flipped(inputs, rates, rng)
    return np.packbits(_flipped(np.unpackbits(inputs), rates, rng)).reshape(inputs.shape)


def flip_activations(
    network: Network, rates: Rates | Sequence[Rates], rng: np.random.Generator
) -> Disturb:
    """Make the disturbance of `inference.predict` that flips what hidden layers put out.

    Parameters
    ----------
    network : Network
        The network.
    rates : Rates or sequence of Rates
        Rates of the bits of all hidden layers, or of one after the other.
    rng : numpy.random.Generator
        Source of the errors, drawn for each image; every use goes on in its stream.

    Returns
    -------
    callable
        What `predict` and `sums` take as `disturb`.

    Raises
    ------
    ParameterError
        If there is not one pair of rates for every hidden layer, or `rng` is no generator.

    Examples
    --------
    >>> from devicephys.bnn.network import ImageCode, Layer
    >>> layer = Layer(np.ones((1, 1), np.int8), np.zeros(1, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 1), (0,)), (layer, layer))
    >>> disturb = flip_activations(tiny, Rates(0.0, 1.0), np.random.default_rng(0))
    >>> disturb(0, np.array([[0], [1]], np.uint8)).tolist()
    [[0], [0]]
    """
    generator(rng)
    of_layers = _one_each(rates, len(network.layers) - 1, "hidden layers")
    return lambda k, bits: _flipped(bits, of_layers[k], rng)


def _one_each(rates: Rates | Sequence[Rates], n: int, what: str) -> tuple[Rates, ...]:
    found = (rates,) * n if isinstance(rates, Rates) else tuple(rates)
    if len(found) != n:
        raise ParameterError(f"{len(found)} pairs of rates", expected=f"one, or {n} for {n} {what}")
    return found


def _fit(network: Network, maps: NetworkMaps) -> None:
    n_weights = [layer.weights.size for layer in network.layers]
    found = [cells.n for cells in maps.weights]
    if found != n_weights:
        raise ParameterError(f"maps of {found} weights", expected=f"{n_weights} of the network")


def _flipped(bits: NDArray[np.uint8], rates: Rates, rng: np.random.Generator) -> NDArray[np.uint8]:
    found = fault_map.draw(bits.size, rates.highest, rng)
    read = bits.copy("C")
    read.reshape(-1)[fault_map.failing_stored(found, bits, rates.p01, rates.p10)] ^= 1
    return read


def _most(network: Network, k: int) -> int:
    """Largest magnitude of a threshold."""
    return network.layers[k].most(1 if k else network.image.peak)


def _word(network: Network, k: int) -> int:
    """Bits of a two's-complement word for the thresholds of a layer."""
    return _most(network, k).bit_length() + 1


def _read_words(network: Network, k: int, found: FaultMap, rates: Rates) -> NDArray[np.int32]:
    threshold = network.layers[k].threshold
    place = np.arange(_word(network, k))
    bits = (threshold[:, None].astype(np.int64) >> place) & 1
    flips = fault_map.failing_stored(found, bits, rates.p01, rates.p10)
    if not flips.size:
        return threshold
    bits.reshape(-1)[flips] ^= 1
    worth = 2**place
    worth[-1] *= -1
    most = _most(network, k)
    read: NDArray[np.int32] = np.clip(bits @ worth, -most, most).astype(np.int32)
    return read
