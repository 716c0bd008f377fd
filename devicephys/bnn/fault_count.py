"""Errors that a network really has, counted, against those expected from the rates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from devicephys.bnn.faults import Rates, each_layer
from devicephys.bnn.network import Network
from devicephys.errors import ParameterError
from devicephys.stats import binomial_interval

FALSE_ALARM = 1e-6  # probability that true rates are found implausible


@dataclass(frozen=True)
class Realised:
    """Errors counted in the weights of a network against those expected.

    Attributes
    ----------
    n_bits, n_flipped : int
        Number of weights, and of those that differ [1].
    expected : float
        Number expected from the rates [1].
    distance : float
        Flips above the expectation, in standard deviations; infinite where the rates allow no
        other number than the expected one [1].
    plausible : bool
        Whether the flips of the zeros and of the ones of every layer are within the exact binomial
        intervals of their rates; false for true rates with a probability of at most 1e-6.
    """

    n_bits: int
    n_flipped: int
    expected: float
    distance: float
    plausible: bool


def compare(stored: Network, read: Network, rates: Rates | Sequence[Rates]) -> Realised:
    """Compare the errors between two networks with the rates that they were drawn at.

    Parameters
    ----------
    stored, read : Network
        The network as it was meant to be stored and as it reads.
    rates : Rates or sequence of Rates
        Rates of all layers or of every layer. Where they differ from bit to bit the interval is
        that of their mean, which is wider than the counts.

    Returns
    -------
    Realised
        The counts.

    Raises
    ------
    ParameterError
        If the networks' weights differ in shape or the rates do not fit.

    Examples
    --------
    >>> from devicephys.bnn.faults import flip_weights
    >>> from devicephys.bnn.network import ImageCode, Layer
    >>> layer = Layer(np.ones((100, 100), np.int8), np.zeros(100, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 10, 10), (0,)), (layer,))
    >>> rates = Rates(0.0, 0.01)
    >>> found = compare(tiny, flip_weights(tiny, rates, np.random.default_rng(1)), rates)
    >>> found.n_flipped, found.expected, round(found.distance, 2), found.plausible
    (100, 100.0, 0.0, True)
    """
    shapes = [[layer.weights.shape for layer in x.layers] for x in (stored, read)]
    if shapes[0] != shapes[1]:
        raise ParameterError(f"weights {shapes[1]}", expected=f"{shapes[0]} as stored")
    groups = []  # number of bits, flips, expectation, variance
    for layer, other, p in zip(stored.layers, read.layers, each_layer(stored, rates), strict=True):
        flips = layer.weights != other.weights
        for ones, rate in ((False, p.p01), (True, p.p10)):
            mine = (layer.weights > 0) == ones
            at = np.broadcast_to(rate, mine.shape)[mine]
            groups.append((mine.sum(), (flips & mine).sum(), at.sum(), (at * (1 - at)).sum()))
    n, k, mean, variance = np.array([g for g in groups if g[0]], np.float64).T
    low, high = binomial_interval(k, n, 1 - FALSE_ALARM / len(n))
    off, sigma = float(k.sum() - mean.sum()), float(np.sqrt(variance.sum()))
    distance = off / sigma if sigma > 0 else np.copysign(np.inf, off) if off else 0.0
    plausible = bool(((low <= mean / n) & (mean / n <= high)).all())
    return Realised(int(n.sum()), int(k.sum()), float(mean.sum()), float(distance), plausible)
