"""Weight bits that fail in a network, counted, against those expected from the rates.

Zeros (weights -1) and ones (weights +1) are counted apart, so that exchanged rates are noticed.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from devicephys.bnn.faults import Rates, each_layer
from devicephys.bnn.network import Network
from devicephys.checks import Array
from devicephys.errors import AccuracyError
from devicephys.stats import binomial_interval

Counts = NDArray[np.int64]
FALSE_ALARM = 1e-6  # probability that true rates are found implausible


def stored_bits(network: Network) -> Counts:
    """Count the zeros and the ones that a network stores.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    ndarray of int64
        Zeros and ones among its weights, shape (2,) [1].

    Examples
    --------
    >>> from devicephys.bnn.network import ImageCode, Layer
    >>> layer = Layer(np.array([[1, 1, -1]], np.int8), np.zeros(1, np.int32))
    >>> stored_bits(Network("tiny", ImageCode((1, 1, 3), (0,)), (layer,))).tolist()
    [1, 2]
    """
    ones = sum(int(np.count_nonzero(layer.weights > 0)) for layer in network.layers)
    return np.array([network.n_weights - ones, ones])


def failed_bits(stored: Network, read: Network) -> Counts:
    """Count the weight bits in which two networks differ.

    Parameters
    ----------
    stored, read : Network
        The network as it was meant to be stored and as it reads.

    Returns
    -------
    ndarray of int64
        Stored zeros and stored ones that read wrongly, shape (2,) [1].

    Examples
    --------
    >>> from dataclasses import replace
    >>> from devicephys.bnn.network import ImageCode, Layer
    >>> layer = Layer(np.array([[1, 1, -1]], np.int8), np.zeros(1, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 3), (0,)), (layer,))
    >>> read = replace(tiny, layers=(replace(layer, weights=-layer.weights),))
    >>> failed_bits(tiny, read).tolist(), failed_bits(tiny, tiny).tolist()
    ([1, 2], [0, 0])
    """
    found = np.zeros(2, np.int64)
    for a, b in zip(stored.layers, read.layers, strict=True):
        if a.weights is not b.weights:
            was = a.weights[a.weights != b.weights]
            ones = int(np.count_nonzero(was > 0))
            found += (was.size - ones, ones)
    return found


def expected_failures(network: Network, rates: Rates | Sequence[Rates]) -> Array:
    """Give the number of weight bits that are expected to fail.

    Parameters
    ----------
    network : Network
        The network as it is meant to be stored.
    rates : Rates or sequence of Rates
        Rates of all layers or of every layer.

    Returns
    -------
    ndarray
        Mean number of stored zeros and stored ones that read wrongly, shape (2,) [1].

    Raises
    ------
    ParameterError
        If there is not one pair of rates for every layer.

    Examples
    --------
    >>> from devicephys.bnn.network import ImageCode, Layer
    >>> layer = Layer(np.array([[1, 1, -1]], np.int8), np.zeros(1, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 3), (0,)), (layer,))
    >>> expected_failures(tiny, Rates(p01=0.5, p10=0.25)).tolist()
    [0.5, 0.5]
    """
    found = np.zeros(2)
    for layer, p in zip(network.layers, each_layer(network, rates), strict=True):
        ones = layer.weights > 0
        for k, (rate, mine) in enumerate(((p.p01, ~ones), (p.p10, ones))):
            if np.ndim(rate):
                found[k] += np.broadcast_to(rate, mine.shape)[mine].sum()
            else:
                found[k] += float(rate) * np.count_nonzero(mine)
    return found


def check_failures(failed: Counts, expected: Array, n_bits: Counts) -> None:
    """Check that as many bits have failed as their rates say.

    Parameters
    ----------
    failed : ndarray of int64
        Zeros and ones that failed, shape (2,) [1].
    expected : ndarray
        Numbers expected, shape (2,) [1].
    n_bits : ndarray of int64
        Zeros and ones there were, shape (2,) [1].

    Raises
    ------
    AccuracyError
        If the exact binomial intervals of the mean rates do not hold them; true rates are found
        wrong with a probability of at most 1e-6, less where they differ between bits.

    Examples
    --------
    >>> bits = np.array([10_000, 10_000])
    >>> check_failures(np.array([120, 30]), np.array([100.0, 40.0]), bits)
    >>> check_failures(np.array([40, 100]), np.array([100.0, 40.0]), bits)
    Traceback (most recent call last):
        ...
    devicephys.errors.AccuracyError: 40 of 10000 stored zeros failed; expected about 100; please \
report it
    """
    for name, k, mean, n in zip(("zeros", "ones"), failed, expected, n_bits, strict=True):
        if n:
            low, high = binomial_interval(int(k), int(n), 1 - FALSE_ALARM / 2)
            if not low <= mean / n <= high:
                raise AccuracyError(
                    f"{k} of {n} stored {name} failed", expected=f"about {mean:g}",
                    remedy="please report it",
                )  # fmt: skip
