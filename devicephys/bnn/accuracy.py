"""Accuracy of a network whose weight bits have errors, with an interval; least energy per bit.

Two things are random: which bits fail (error maps) and which images the test set happens to
hold. Their variances are estimated apart and added. Maps are drawn until the interval is narrow
enough, and map number m uses random stream m whatever the error rate (common random numbers).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from devicephys.bnn.faults import flip_weights
from devicephys.bnn.inference import encode, predict
from devicephys.bnn.network import Network
from devicephys.checks import in_range
from devicephys.errors import DataError
from devicephys.stats import LEVEL, NORMAL_QUANTILE, binomial_interval, streams

UNITS = {"energy_per_bit": "J", "pulse_current": "A", "pulse_voltage": "V", "pulse_width": "s",
         "temperature": "K"}  # fmt: skip


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
    min_maps: int = 4
    max_maps: int = 24

    def __post_init__(self) -> None:
        in_range("half_width", self.half_width, "1", above=0)
        in_range("min_maps", self.min_maps, "1", above=1)
        in_range("max_maps", self.max_maps, "1", above=self.min_maps, inclusive=True)


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
    """

    accuracy: float
    low: float
    high: float
    loss: float
    loss_low: float
    loss_high: float
    n_maps: int
    reached: bool


@dataclass(frozen=True)
class EncodedImages:
    """Encoded images, their labels, and what the error-free network makes of them.

    Attributes
    ----------
    network : Network
        The network.
    inputs : ndarray of float32
        Encoded images of -1 and +1, shape (n_images, n_inputs) [1].
    labels : ndarray of uint8
        Classes, shape (n_images,) [1].
    clean : ndarray of bool
        Whether the error-free network is right, shape (n_images,).
    """

    network: Network
    inputs: NDArray[np.float32]
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
    >>> from devicephys.bnn.network import load
    >>> from devicephys.data import path
    >>> digits = load_images("digits")
    >>> ready = prepare(load(path("digits.npz")), digits.test_pixels, digits.test_labels)
    >>> ready.inputs.shape[0]
    500
    """
    n_classes = network.layers[-1].weights.shape[0]
    if labels.shape != pixels.shape[:1] or labels.size == 0 or labels.max() >= n_classes:
        raise DataError(
            f"{pixels.shape[0]} images with {labels.size} labels up to {labels.max(initial=0)}",
            expected=f"one label below {n_classes} an image",
        )
    inputs = encode(network, pixels)
    return EncodedImages(network, inputs, labels, predict(network, inputs) == labels)


def accuracy(
    test: EncodedImages, p01: float, p10: float, seed: int, sampling: Sampling
) -> Accuracy:
    """Estimate the accuracy under bit errors in the weights.

    Parameters
    ----------
    test : EncodedImages
        Network and images.
    p01, p10 : float
        Probabilities that a stored 0 reads as 1 and a stored 1 as 0 [1].
    seed : int
        Seed of the error maps.
    sampling : Sampling
        When to stop.

    Returns
    -------
    Accuracy
        Accuracy and loss with intervals.

    Notes
    -----
    With c the correctness of image n under map m, the variance of the mean is estimated by
    ``var_m(mean_n c)/M + var_n(mean_m c)/N``, which counts the small interaction twice. The
    interval of the accuracy is the exact binomial one at the effective number of trials that
    this variance is worth; that of the loss is Student's t.

    Examples
    --------
    >>> from devicephys.bnn.images import load_images
    >>> from devicephys.bnn.network import load
    >>> from devicephys.data import path
    >>> digits = load_images("digits")
    >>> test = prepare(load(path("digits.npz")), digits.test_pixels, digits.test_labels)
    >>> result = accuracy(test, 0.01, 0.01, 1, Sampling())
    >>> 0.9 < result.low < result.accuracy < result.high < 1
    True
    """
    n_images = len(test.labels)
    if p01 == 0 and p10 == 0:
        share = float(test.clean.mean())
        low, high = _interval(share, share * (1 - share) / n_images, n_images)
        return Accuracy(share, low, high, 0.0, 0.0, 0.0, 1, True)
    right = np.zeros(n_images)
    means: list[float] = []
    reached = False
    for rng in streams(seed, sampling.max_maps):
        weights = flip_weights(test.network, p01, p10, rng)
        correct = predict(test.network, test.inputs, weights) == test.labels
        right += correct
        means.append(float(correct.mean()))
        if len(means) >= sampling.min_maps:
            reached = _quantile(len(means)) * _error_of_mean(means) <= sampling.half_width
            if reached:
                break
    m = len(means)
    share, maps = float(np.mean(means)), _error_of_mean(means) ** 2
    # Few maps know their own variance badly: widen it by Student's t over the normal law.
    widened = maps * (_quantile(m) / NORMAL_QUANTILE) ** 2
    low, high = _interval(share, widened + float((right / m).var(ddof=1)) / n_images, n_images)
    lost = test.clean - right / m
    half = _quantile(m) * float(np.sqrt(maps + lost.var(ddof=1) / n_images))
    loss = float(lost.mean())
    return Accuracy(share, low, high, loss, loss - half, loss + half, m, reached)


def _interval(share: float, variance: float, n_images: int) -> tuple[float, float]:
    """Exact binomial interval at the number of trials that the variance is worth."""
    worth = share * (1 - share) / variance if variance > 0 else n_images
    low, high = binomial_interval(share * worth, worth)
    return float(low), float(high)


def _error_of_mean(values: list[float]) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _quantile(n: int) -> float:
    return float(scipy_stats.t.ppf(0.5 + LEVEL / 2, n - 1))


def along(
    points: xr.Dataset,
    tests: dict[str, EncodedImages],
    seed: int,
    sampling: Sampling,
    max_loss: float = 1.0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> xr.Dataset:
    """Evaluate networks at every operating point of a table's front.

    Parameters
    ----------
    points : xarray.Dataset
        Operating points over ``point`` as `tables.pareto` gives them.
    tests : dict of str to EncodedImages
        Networks by name.
    seed : int
        Seed of the error maps.
    sampling : Sampling
        When to stop drawing maps.
    max_loss : float, optional
        Loss beyond which no bound is wanted: a point that exceeds it gets no second evaluation [1].
    progress : callable, optional
        Called with (evaluations done, evaluations in all).

    Returns
    -------
    xarray.Dataset
        Over ``point`` (every network at every operating point): the operating point, its rates
        and energy, ``network``, ``accuracy`` and ``loss`` with intervals, ``n_maps``, and
        ``loss_bound``: the upper end of the loss at the upper end of the error rate, NaN where the
        loss exceeds `max_loss` already at the error rate itself.

    Examples
    --------
    See docs/guide/quickstart.md.
    """
    rows = []
    names = [str(n) for n in points.variables]
    total = len(tests) * points.sizes["point"]
    for name, test in tests.items():
        for k in range(points.sizes["point"]):
            at = {n: points[n].values[k] for n in names}
            p01, p10 = float(at["p01"]), float(at["p10"])
            nominal = accuracy(test, p01, p10, seed, sampling)
            bound = np.nan
            if nominal.loss_high <= max_loss:
                worse = _at_upper_end(p01, p10, float(at["ber"]), float(at["ber_hi"]))
                bound = max(accuracy(test, *worse, seed, sampling).loss_high, nominal.loss_high)
            rows.append(
                {
                    "network": name, **at,
                    "accuracy": nominal.accuracy, "accuracy_lo": nominal.low,
                    "accuracy_hi": nominal.high, "loss": nominal.loss,
                    "loss_lo": nominal.loss_low, "loss_hi": nominal.loss_high,
                    "loss_bound": bound,
                    "n_maps": nominal.n_maps, "reached": int(nominal.reached),
                }
            )  # fmt: skip
            progress(len(rows), total)
    return xr.Dataset(
        {
            name: ("point", np.array([row[name] for row in rows]), {"units": UNITS.get(name, "1")})
            for name in rows[0]
        }
    )


def _at_upper_end(p01: float, p10: float, ber: float, ber_hi: float) -> tuple[float, float]:
    """Rates at the upper end of the bit error rate; both equal to it where no error was counted."""
    if ber == 0:
        return ber_hi, ber_hi
    high01, high10 = (min(p * ber_hi / ber, 1.0) for p in (p01, p10))
    # Where one rate ends at 1 the other takes the rest: their mean stays ber_hi.
    return (
        min(1.0, max(high01, 2 * ber_hi - high10)),
        min(1.0, max(high10, 2 * ber_hi - high01)),
    )


@dataclass(frozen=True)
class LeastEnergy:
    """Answer to "what is the least energy per bit with a loss of at most d?".

    Attributes
    ----------
    network, cell : str
        Network and cell; the cell is empty where the table has none.
    max_loss : float
        The loss d [1].
    energy_per_bit, ber, loss_bound : float
        Energy, error rate and bound of the loss at the answer; NaN where none holds [J, 1, 1].
    point : dict of str to float
        The operating point [SI].
    """

    network: str
    cell: str
    max_loss: float
    energy_per_bit: float
    ber: float
    loss_bound: float
    point: dict[str, float]

    @property
    def found(self) -> bool:
        """Whether any operating point keeps the loss."""
        return bool(np.isfinite(self.energy_per_bit))


def rows_of(results: xr.Dataset, network: str, cell: str) -> NDArray[np.intp]:
    """Find the rows of one network and cell.

    Parameters
    ----------
    results : xarray.Dataset
        As `along` gives them.
    network, cell : str
        Network and cell; the cell is empty where the table has none.

    Returns
    -------
    ndarray of int
        Row numbers, shape (n,) [1].

    Examples
    --------
    >>> rows_of(xr.Dataset({"network": ("point", ["a", "b", "a"])}), "a", "").tolist()
    [0, 2]
    """
    mine = results["network"].values == network
    if cell:
        mine &= results["cell"].values == cell
    return np.flatnonzero(mine)


def least_energy(results: xr.Dataset, max_loss: float) -> list[LeastEnergy]:
    """Find, for every network and cell, the least energy per bit that keeps the loss.

    An operating point counts as good only if the upper 95 % bound of the loss, taken at the upper
    end of the error rate, is at most `max_loss`, there and at every point of higher energy.

    Parameters
    ----------
    results : xarray.Dataset
        As `along` gives them.
    max_loss : float
        Largest accepted loss of accuracy, in (0, 1) [1].

    Returns
    -------
    list of LeastEnergy
        One answer for every network and cell, in order of appearance.

    Raises
    ------
    ParameterError
        If `max_loss` is outside (0, 1).

    Examples
    --------
    >>> names = ("energy_per_bit", "ber", "loss_bound")
    >>> values = ([1e-12, 2e-12, 3e-12], [0.1, 0.01, 1e-3], [0.4, 0.004, 0.001])
    >>> data = {n: ("point", v) for n, v in zip(names, values)} | {"network": ("point", ["a"] * 3)}
    >>> least_energy(xr.Dataset(data), 0.005)[0].energy_per_bit
    2e-12
    """
    d = float(in_range("max_loss", max_loss, "1", above=0, below=1))
    axes = [a for a in ("pulse_current", "pulse_voltage", "pulse_width") if a in results]
    networks = results["network"].values.tolist()
    cells = results["cell"].values.tolist() if "cell" in results else [""] * len(networks)
    answers = []
    for network, cell in dict.fromkeys(zip(networks, cells, strict=True)):
        mine = rows_of(results, network, cell)
        bound = results.loss_bound.values
        mine = mine[np.lexsort((bound[mine], -results.energy_per_bit.values[mine]))]
        good = np.cumprod(bound[mine] <= d).astype(bool)
        if not good.any():
            answers.append(LeastEnergy(network, cell, d, np.nan, np.nan, np.nan, {}))
            continue
        k = mine[good][-1]
        at = {a: float(results[a].values[k]) for a in axes}
        energy, ber, bound = (
            float(results[v].values[k]) for v in ("energy_per_bit", "ber", "loss_bound")
        )
        answers.append(LeastEnergy(network, cell, d, energy, ber, bound, at))
    return answers
