"""How many normal levels ln R of a state has, and whether they describe it: parametric bootstrap.

Data sets are drawn from the fitted law, with the limits of the measured one and with devices that
resemble themselves as the measured ones do, and fitted again: so the comparison holds for few
samples, for bounds and for cycles of few devices, where textbook laws of the statistics do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri, ndtri_exp

from devicephys.checks import Array, generator, whole
from devicephys.errors import DataError, FitError
from devicephys.fitting.censored_em import Group, binned, em, starts
from devicephys.fitting.resistance import MOST, Samples, StateLaw, fit
from devicephys.rram.mixture import Mixture
from devicephys.rram.ramp import split_variance
from devicephys.rram.tails import cdf, sf

DRAWS = 199
DECISIVE = 0.01  # another level is taken where chance makes it look so good so rarely
CELLS = 128  # bins of ln R
CLIMB = 60  # steps of EM, for measured and drawn samples alike
FINE = 1e-3  # of a standard deviation, to which samples are drawn
LOGITS = np.linspace(-16.0, 16.0, 257)  # of probabilities at which distributions are compared


@dataclass(frozen=True)
class Choice:
    """Laws with 1, 2, ... levels, and which of them to take.

    Attributes
    ----------
    laws : tuple of StateLaw
        The laws that were fitted, by number of levels.
    n_levels : int
        The number chosen [1].
    p_values : tuple of float
        For each law that has a successor: probability that samples of it make one more level look
        as good as here [1].
    goodness : float
        Probability that samples of the chosen law deviate from it more than these [1].
    icc : float
        Correlation between normal scores of one device, 0 for independent samples [1].
    """

    laws: tuple[StateLaw, ...]
    n_levels: int
    p_values: tuple[float, ...]
    goodness: float
    icc: float

    @property
    def law(self) -> StateLaw:
        """The law chosen."""
        return self.laws[self.n_levels - 1]

    def sentence(self) -> str:
        """Say it for a report."""
        law, p = self.law, self.goodness
        levels = "one normal level" if self.n_levels == 1 else f"{self.n_levels} normal levels"
        said = "describe" + "s" * (self.n_levels == 1) if p > 0.05 else "do not quite describe"
        said = "does not quite describe" if p <= 0.05 and self.n_levels == 1 else said
        return (
            f"{levels} of ln R {said} {law.n} samples of {law.n_devices} devices "
            f"({law.n_above} above, {law.n_below} below the range; p = {p:.2g})"
        )


def choose(
    data: Samples, rng: np.random.Generator, *, most: int = MOST, draws: int = DRAWS
) -> Choice:
    """Choose how many normal levels describe ln R of a state.

    One more level is taken as long as it lowers the Bayesian information criterion, chance makes
    it look so good with p <= 0.01 (likelihood ratio of drawn samples), and it is no spike.

    Parameters
    ----------
    data : Samples
        Resistances of one state.
    rng : numpy.random.Generator
        Source of random numbers.
    most : int, optional
        Largest number of levels, 1 to 3 [1].
    draws : int, optional
        Data sets drawn from each law, >= 99: p is never below 1/(draws + 1) [1].

    Returns
    -------
    Choice
        The laws and the choice.

    Raises
    ------
    ParameterError
        If `rng` is no generator or a number not whole or too small.
    DataError
        If `most` is above 3, or as `fit` says of one level.

    Notes
    -----
    Goodness: Anderson and Darling's statistic, the squared distance of two distributions weighed
    by 1/(u (1 - u)); a sample beyond a limit counts as spread over all that lies there, as the
    law says. Samples of one device are joined by a normal copula with the correlation of their
    scores. A sample without a bound gets one of the bounds that others show above (below) it.
    Statistics of measured and drawn samples come from the same search on 128 bins.

    References
    ----------
    McLachlan, J. R. Stat. Soc. C 36 (1987) 318, doi:10.2307/2347790 (number of levels); Stute,
    Gonzales Manteiga and Presedo Quindimil, Metrika 40 (1993) 243, doi:10.1007/BF02613687
    (goodness with fitted parameters).

    Examples
    --------
    >>> from devicephys.fitting.resistance import samples
    >>> rng = np.random.default_rng(1)
    >>> r = np.exp(np.r_[rng.normal(8.5, 0.1, 60), rng.normal(9.5, 0.1, 40)])
    >>> choose(samples(r), rng, most=2, draws=99).n_levels
    2
    """
    generator(rng)
    whole("draws", draws, least=99)
    if whole("most", most, least=1) > MOST:
        raise DataError(f"most = {most}", expected=f"1 to {MOST} levels")
    laws, p_values = [fit(data)], []
    while True:
        k = len(laws)
        drawn, rho = _drawn(laws[-1].mixture, data, draws, rng)
        xs, kinds = [data.x, *drawn[0]], [data.kind, *drawn[1]]
        low, high = min(x.min() for x in xs), max(x.max() for x in xs)
        groups = binned(xs, kinds, np.linspace(low, high, CELLS))
        spread = _climb(groups, 1, 1.0)[1][:, 0]
        *fitted, height = _climb(groups, k, spread)
        far = _distances(groups, (high - low) / (CELLS - 1), fitted)
        goodness = _share_above(far)
        if k == most:
            break
        p_values.append(_share_above(_climb(groups, k + 1, spread)[3] - height))
        try:
            laws.append(fit(data, k + 1))
        except (DataError, FitError):  # so many levels are not told
            break
        if p_values[-1] > DECISIVE or laws[-1].bic > laws[-2].bic or laws[-1].flaw:
            break
    return Choice(tuple(laws), k, tuple(p_values), goodness, rho)


def _share_above(statistic: Array) -> float:
    """Share of the drawn statistics, and the measured one, that reach the measured one."""
    return float((statistic >= statistic[0]).mean())


def _climb(groups: Sequence[Group], k: int, spread: Array | float) -> tuple[Array, ...]:
    """Give mu, sigma, weight, shape (sets, k), and log likelihood, shape (sets,), of the best."""
    *parts, height = em(groups, *starts(groups, k), spread, CLIMB if k > 1 else CLIMB // 2)
    best = height.argmax(axis=1)
    rows = np.arange(len(best))
    return *(part[rows, best] for part in parts), height[rows, best]


def _drawn(
    law: Mixture, data: Samples, draws: int, rng: np.random.Generator
) -> tuple[tuple[list[Array], list[NDArray[np.int8]]], float]:
    """Draw data sets of the law with the devices and the limits of the data."""
    grid = (law.x + law.sigma * np.linspace(-9, 9, 721)[:, None]).ravel()
    grid.sort()
    below, above = cdf(law, grid), sf(law, grid)
    normal = np.where(below < 0.5, ndtri(below), -ndtri(above))
    table = np.interp(np.arange(-9.0, 9.0, FINE), normal, grid)
    rho = _correlation(law, data)
    upper, lower = _limits(data, 1, rng), -_limits(_mirrored(data), 1, rng)
    xs, kinds = [], []
    for _ in range(draws):
        z = np.sqrt(1 - rho) * rng.standard_normal(len(data.x))
        if rho > 0:
            z += np.sqrt(rho) * rng.standard_normal(data.n_devices)[data.device]
        x = table[np.clip((z + 9) / FINE + 0.5, 0, len(table) - 1).astype(np.intp)]
        kind = (x > upper).astype(np.int8) - (x < lower).astype(np.int8)
        xs.append(np.clip(x, lower, upper))
        kinds.append(kind)
    return (xs, kinds), rho


def _mirrored(data: Samples) -> Samples:
    return Samples(-data.x, (-data.kind).astype(np.int8), data.device, data.n_devices)


def _limits(data: Samples, kind: int, rng: np.random.Generator) -> Array:
    """Give the upper limit of each sample: its own, or one of those above it, or none."""
    known = np.sort(data.x[data.kind == kind])
    first = np.searchsorted(known, np.where(data.kind == -kind, -np.inf, data.x))
    pick = first + (rng.random(len(data.x)) * (len(known) - first)).astype(np.intp)
    found = np.append(known, np.inf)[np.minimum(pick, len(known))]
    return np.where(data.kind == kind, data.x, found)


def _correlation(law: Mixture, data: Samples) -> float:
    """Correlation of normal scores within a device; of a bound, the mean score beyond it."""
    if not data.clustered:
        return 0.0
    below, above = np.maximum(cdf(law, data.x), 1e-300), np.maximum(sf(law, data.x), 1e-300)
    z = np.where(below < 0.5, ndtri_exp(np.log(below)), -ndtri_exp(np.log(above)))
    kind = data.kind.astype(np.float64)
    mean = kind * np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(-kind * z))
    v = split_variance(np.where(kind == 0, z, mean), data.device.astype(np.str_))
    return v.between**2 / (v.between**2 + v.within**2)


def _distances(groups: Sequence[Group], width: float, fitted: Sequence[Array]) -> Array:
    """Anderson-Darling statistic of each set from its own law, shape (sets,)."""
    u = 1 / (1 + np.exp(-LOGITS))
    found = []
    for j, (mu, sigma, weight) in enumerate(zip(*fitted, strict=True)):
        law = Mixture(mu, weight / weight.sum(), sigma)
        g, n = np.zeros(len(u)), 0.0
        for kind, x, counts in groups:
            count = counts[j]
            n += count.sum()
            if kind == 0:  # samples are spread evenly over their bin
                edges = np.stack([x - width / 2, x + width / 2], axis=1).ravel()
                total = np.cumsum(count)
                level = np.stack([total - count, total], axis=1).ravel()
                g += np.interp(u, cdf(law, edges), level)
            else:
                beyond = np.maximum(sf(law, x) if kind > 0 else cdf(law, x), 1e-300)
                tail = np.minimum((1 - u if kind > 0 else u)[:, None] / beyond, 1.0) @ count
                g += count.sum() - tail if kind > 0 else tail
        found.append(n * ((g / n - u) ** 2).sum() * (LOGITS[1] - LOGITS[0]))
    return np.array(found)
