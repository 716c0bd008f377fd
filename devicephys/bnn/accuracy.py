"""Accuracy of a network whose weight bits have errors, with an interval.

Two things are random: which bits fail (error maps) and which images the test set happens to
hold. Their variances are estimated apart and added. Maps are drawn until the interval is narrow
enough, and map number m uses random stream m (common random numbers: what fails at one rate also
fails at every higher one, up to `COMMON`, and again above).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from devicephys.bnn.fault_count import (
    check_failures,
    expected_failures,
    failed_bits,
    stored_bits,
)
from devicephys.bnn.fault_spread import RateSpread, spread_rates
from devicephys.bnn.faults import Rates, draw_maps, each_layer, with_errors
from devicephys.bnn.inference import Inputs, encode, predict
from devicephys.bnn.network import Network
from devicephys.checks import in_range, whole
from devicephys.errors import DataError
from devicephys.stats import LEVEL, NORMAL_QUANTILE, binomial_interval, streams

COMMON = 0.2  # rates up to here thin the same maps, so that they share their noise


@dataclass(frozen=True)
class Sampling:
    """When to stop drawing error maps.

    Attributes
    ----------
    half_width : float
        Wanted half width of the 95 % interval from the maps [1].
    min_maps, max_maps : int
        Least and largest number of maps [1].
    """

    half_width: float = 0.002
    min_maps: int = 8
    max_maps: int = 32

    def __post_init__(self) -> None:
        in_range("half_width", self.half_width, "1", above=0)
        least = whole("min_maps", self.min_maps, least=2)
        whole("max_maps", self.max_maps, least=least)


@dataclass(frozen=True)
class Accuracy:
    """Accuracy at one pair of error rates.

    Attributes
    ----------
    accuracy, low, high : float
        Mean over maps and its 95 % interval, maps and test images together [1].
    loss, loss_low, loss_high : float
        Accuracy lost against the error-free network on the same images, with its 95 % interval [1].
    n_maps : int
        Number of error maps drawn; 1 where the rates are zero [1].
    reached : bool
        Whether the interval from the maps is as narrow as was asked.
    spread : float
        Standard deviation of the accuracy from map to map, as from chip to chip [1].
    flips, flips_expected : float
        Weight bits that failed, mean over maps, and what the rates let expect [1].
    """

    accuracy: float
    low: float
    high: float
    loss: float
    loss_low: float
    loss_high: float
    n_maps: int
    reached: bool
    spread: float
    flips: float
    flips_expected: float


@dataclass(frozen=True)
class EncodedImages:
    """Encoded images, their labels, and what the error-free network makes of them.

    Attributes
    ----------
    network : Network
        The network.
    inputs : ndarray of uint8
        Encoded images, shape (n_images, n_inputs) [1].
    labels : ndarray of uint8
        Classes, shape (n_images,) [1].
    clean : ndarray of bool
        Whether the error-free network is right, shape (n_images,).
    """

    network: Network
    inputs: Inputs
    labels: NDArray[np.uint8]
    clean: NDArray[np.bool_]


def prepare(
    network: Network, pixels: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> EncodedImages:
    """Encode a test set once for many error maps.

    Parameters
    ----------
    network : Network
        The network.
    pixels : ndarray of uint8
        Images, shape (n_images, n_pixels) [1].
    labels : ndarray of uint8
        Classes, shape (n_images,) [1].

    Returns
    -------
    EncodedImages
        The test set, with the error-free predictions.

    Raises
    ------
    DataError
        If images and labels do not fit the network or each other.

    Examples
    --------
    >>> from devicephys.bnn.images import load_images
    >>> from devicephys.bnn.network_file import load
    >>> from devicephys.data import path
    >>> digits = load_images("digits")
    >>> ready = prepare(load(path("digits.npz")), digits.test_pixels, digits.test_labels)
    >>> ready.inputs.shape[0]
    500
    """
    n_classes = network.layers[-1].weights.shape[0]
    if labels.shape != pixels.shape[:1] or labels.size < 2 or labels.max() >= n_classes:
        raise DataError(
            f"{pixels.shape[0]} images with {labels.size} labels up to {labels.max(initial=0)}",
            expected=f"two images at least, one label below {n_classes} an image",
        )
    inputs = encode(network, pixels)
    return EncodedImages(network, inputs, labels, predict(network, inputs) == labels)


def accuracy(
    test: EncodedImages,
    rates: Rates | Sequence[Rates],
    seed: int,
    sampling: Sampling,
    spread: RateSpread | None = None,
) -> Accuracy:
    """Estimate the accuracy under bit errors in the weights.

    Parameters
    ----------
    test : EncodedImages
        Network and images.
    rates : Rates or sequence of Rates
        Error rates of all weights, or of every layer.
    seed : int
        Seed of the error maps.
    sampling : Sampling
        When to stop.
    spread : RateSpread, optional
        How rates differ from chip to chip, row to row or cell to cell; each map is another chip.

    Returns
    -------
    Accuracy
        Accuracy and loss with intervals.

    Raises
    ------
    ParameterError
        If there is not one pair of rates for every layer.
    AccuracyError
        If the bits that failed are not as many as the rates say, which true rates do with a
        probability below 1e-6.

    Notes
    -----
    With c the correctness of image n under map m, the variance of the mean is estimated by
    ``var_m(mean_n c)/M + var_n(mean_m c)/N``, which counts the small interaction twice. The
    interval of the accuracy is the exact binomial one at the effective number of trials that
    this variance is worth. That of the loss is Student's t for the maps and normal for the images,
    and at least as wide as the binomial law has it where no image has changed. Since drawing ends
    when the interval looks narrow, it is a little too narrow where it ends early: of simulated
    normal maps, 8 to 32 of them, 93.4 to 95 % of the intervals hold.

    Examples
    --------
    >>> from devicephys.bnn.images import load_images
    >>> from devicephys.bnn.network_file import load
    >>> from devicephys.data import path
    >>> digits = load_images("digits")
    >>> test = prepare(load(path("digits.npz")), digits.test_pixels, digits.test_labels)
    >>> result = accuracy(test, Rates(0.01, 0.01), 1, Sampling())
    >>> 0.9 < result.low < result.accuracy < result.high < 1
    True
    """
    n_images = len(test.labels)
    by_layer = each_layer(test.network, rates)
    highest_rate = max(rate.highest for rate in by_layer)
    if highest_rate == 0:
        share = float(test.clean.mean())
        low, high = _interval(share, share * (1 - share) / n_images, n_images)
        return Accuracy(share, low, high, 0.0, 0.0, 0.0, 1, True, 0.0, 0.0, 0.0)
    right = np.zeros(n_images)
    means: list[float] = []
    failed, expected, reached = np.zeros(2, np.int64), np.zeros(2), False
    mean = expected_failures(test.network, by_layer)
    for rng in streams(seed, sampling.max_maps):
        drawn = spread_rates(test.network, by_layer, spread, rng) if spread else by_layer
        highest = COMMON if max(rate.highest for rate in drawn) <= COMMON else 1.0
        faulty = with_errors(test.network, draw_maps(test.network, highest, rng), drawn)
        expected += expected_failures(test.network, drawn) if spread else mean
        here = failed_bits(test.network, faulty)
        failed += here
        correct = predict(faulty, test.inputs) == test.labels if here.any() else test.clean
        right += correct
        means.append(float(correct.mean()))
        if len(means) >= sampling.min_maps:
            reached = _quantile(len(means)) * _error_of_mean(means) <= sampling.half_width
            if reached:
                break
    m = len(means)
    check_failures(failed, expected, m * stored_bits(test.network))
    share, maps = float(np.mean(means)), _error_of_mean(means) ** 2
    # Few maps know their own variance badly: widen it by Student's t over the normal law.
    widened = maps * (_quantile(m) / NORMAL_QUANTILE) ** 2
    low, high = _interval(share, widened + float((right / m).var(ddof=1)) / n_images, n_images)
    lost = test.clean - right / m
    images = NORMAL_QUANTILE**2 * float(lost.var(ddof=1)) / n_images
    half = float(np.sqrt(_quantile(m) ** 2 * maps + images))
    # Where hardly an image has changed its class, others still may, if any bit fails.
    any_bit = -np.expm1(test.network.n_weights * np.log1p(-min(highest_rate, 1 - 1e-16)))
    half = max(half, min(1 - ((1 - LEVEL) / 2) ** (1 / n_images), float(any_bit)))
    loss = float(lost.mean())
    return Accuracy(
        share, low, high, loss, loss - half, loss + half, m, reached,
        spread=float(np.std(means, ddof=1)), flips=float(failed.sum()) / m,
        flips_expected=float(expected.sum()) / m,
    )  # fmt: skip


def curve(
    test: EncodedImages,
    rates: Sequence[Rates],
    seed: int,
    sampling: Sampling,
    progress: Callable[[int, int], None] = lambda done, total: None,
    spread: RateSpread | None = None,
) -> xr.Dataset:
    """Estimate the accuracy at several error rates, with the same error maps.

    Parameters
    ----------
    test : EncodedImages
        Network and images.
    rates : sequence of Rates
        Error rates.
    seed : int
        Seed of the error maps.
    sampling : Sampling
        When to stop drawing maps.
    progress : callable, optional
        Called with (rates done, rates in all).
    spread : RateSpread, optional
        As for `accuracy`.

    Returns
    -------
    xarray.Dataset
        Over ``point``: ``p01``, ``p10``, ``ber`` (their mean) and the fields of `Accuracy`.

    Examples
    --------
    See docs/guide/accuracy.md.
    """
    found = []
    for k, rate in enumerate(rates):
        found.append(accuracy(test, rate, seed, sampling, spread))
        progress(k + 1, len(rates))
    columns = {
        "p01": [r.p01 for r in rates],
        "p10": [r.p10 for r in rates],
        "ber": [(r.p01 + r.p10) / 2 for r in rates],
    } | {f.name: [getattr(x, f.name) for x in found] for f in fields(Accuracy)}
    return xr.Dataset(
        {name: ("point", np.array(values), {"units": "1"}) for name, values in columns.items()}
    )


def _interval(share: float, variance: float, n_images: int) -> tuple[float, float]:
    """Exact binomial interval at the number of trials that the variance is worth."""
    worth = share * (1 - share) / variance if variance > 0 else n_images
    low, high = binomial_interval(share * worth, worth)
    return float(low), float(high)


def _error_of_mean(values: list[float]) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _quantile(n: int) -> float:
    return float(scipy_stats.t.ppf(0.5 + LEVEL / 2, n - 1))
