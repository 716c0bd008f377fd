"""Error rates that differ from chip to chip, from row to row or from cell to cell.

The log-odds of the rate are normal: ln(p/(1 - p)) = mu + sigma g. For small rates that is the
log-normal law, and no rate leaves [0, 1]. The location mu is solved so that the mean rate is
exactly the one given. Errors drawn at such rates come in clusters, by chip or by row; a cell by
itself fails as at the mean rate, but it is the same weak cell in all writes at these rates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit, log_expit, logit, logsumexp

from devicephys.bnn.faults import Rates, each_layer
from devicephys.bnn.network import Network
from devicephys.checks import Array, generator, in_range, known

CLUSTERS = ("chip", "row", "cell")
WIDEST = 10.0  # beyond, nearly all rates are 0 or 1
STEP = 0.05  # of the trapezoidal rule: its error falls as exp(-2 pi^2/(sigma STEP)), below 1e-17
SLACK = 1e-9  # of the bracket of mu
REACH = 10.0  # standard deviations beyond the heaviest part of the integrand


@dataclass(frozen=True)
class RateSpread:
    """How error rates differ.

    Attributes
    ----------
    sigma : float
        Standard deviation of ln(p/(1 - p)), in [0, 10] [1].
    cluster : str
        What shares its rates: "chip" (all layers), "row" (the weights of one output: a word line)
        or "cell" (no other).

    Raises
    ------
    ParameterError
        If `sigma` is outside its range or `cluster` unknown.
    """

    sigma: float
    cluster: str

    def __post_init__(self) -> None:
        in_range("sigma", self.sigma, "1", above=0, below=WIDEST, inclusive=True)
        known("cluster", self.cluster, CLUSTERS)


def spread_rates(
    network: Network,
    rates: Rates | Sequence[Rates],
    spread: RateSpread,
    rng: np.random.Generator,
) -> tuple[Rates, ...]:
    """Draw the rates of one chip's cells around given means.

    Zeros and ones share the deviate g: a weak chip, row or cell is weak in both.

    Parameters
    ----------
    network : Network
        The network.
    rates : Rates or sequence of Rates
        Mean rates, numbers, of all layers or of every layer.
    spread : RateSpread
        How rates differ around these means.
    rng : numpy.random.Generator
        Source of the deviates; equal states give equal deviates at all rates.

    Returns
    -------
    tuple of Rates
        One a layer, as `faults.with_errors` takes them.

    Raises
    ------
    ParameterError
        If there is not one pair of rates for every layer, or `rng` is no generator.

    Notes
    -----
    For the same cells in several writes draw the rates once and the maps for every write.

    References
    ----------
    Aitchison and Shen, Biometrika 67 (1980) 261, doi:10.1093/biomet/67.2.261 (the logit-normal
    law).

    Examples
    --------
    >>> from devicephys.bnn.network import ImageCode, Layer
    >>> layer = Layer(np.ones((3, 2), np.int8), np.zeros(3, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 2), (0,)), (layer,))
    >>> rng = np.random.default_rng(1)
    >>> found = spread_rates(tiny, Rates(0.0, 0.01), RateSpread(0.5, "row"), rng)
    >>> found[0].p10.round(4).tolist()
    [[0.0133], [0.0104], [0.0046]]
    """
    generator(rng)
    chip = rng.standard_normal()
    found = []
    for layer, mean in zip(network.layers, each_layer(network, rates), strict=True):
        shape = layer.weights.shape
        deviates: ArrayLike = chip
        if spread.cluster == "row":
            deviates = rng.standard_normal((shape[0], *(1 for _ in shape[1:])))
        elif spread.cluster == "cell":
            deviates = rng.standard_normal(shape)
        found.append(
            Rates(*(logit_normal(p, spread.sigma, deviates) for p in (mean.p01, mean.p10)))
        )
    return tuple(found)


def logit_normal(mean: ArrayLike, sigma: float, deviates: ArrayLike) -> Array:
    """Give rates of the logit-normal law at standard normal deviates.

    Parameters
    ----------
    mean : array_like
        Mean of the law, one number in [0, 1], shape () [1].
    sigma : float
        Standard deviation of ln(p/(1 - p)), in [0, 10] [1].
    deviates : array_like
        Standard normal deviates, any shape [1].

    Returns
    -------
    ndarray
        Rates, which rise with the deviates, shape of `deviates` [1].

    Raises
    ------
    ParameterError
        If a number is outside its range.

    References
    ----------
    Aitchison and Shen, Biometrika 67 (1980) 261, doi:10.1093/biomet/67.2.261.

    Examples
    --------
    >>> logit_normal(0.01, 0.5, [-1.0, 0.0, 1.0]).round(5).tolist()
    [0.00539, 0.00886, 0.01452]
    """
    p = float(in_range("mean", mean, "1", above=0, below=1, inclusive=True, scalar=True))
    sigma = float(in_range("sigma", sigma, "1", above=0, below=WIDEST, inclusive=True, scalar=True))
    g = in_range("deviates", deviates, "1")
    if p in (0.0, 1.0):  # no spread moves them
        return np.full(g.shape, p)
    rates: Array = expit(_location(p, sigma) + sigma * g)
    return rates


def _location(mean: float, sigma: float) -> float:
    """Mean of ln(p/(1 - p)) at which the mean of p is the one given."""
    less = min(mean, 1 - mean)
    g = np.arange(-REACH - sigma, REACH + sigma, STEP)
    log_weights = np.log(STEP / np.sqrt(2 * np.pi)) - g**2 / 2

    def excess(mu: float) -> float:
        return float(logsumexp(log_weights + log_expit(mu + sigma * g)) - np.log(less))

    # expit(x) < exp(x) bounds mu from below; from above the rate at mu, below the mean under 1/2.
    low, high = np.log(less) - sigma**2 / 2 - SLACK, logit(less) + SLACK
    mu = float(brentq(excess, low, high, xtol=1e-13))
    return mu if mean <= 0.5 else -mu
