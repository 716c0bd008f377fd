"""Fit of the log-time law of relaxation to measured conductances, level by level."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.optimize import minimize
from scipy.stats import poisson

from devicephys.checks import Array, generator, whole
from devicephys.errors import DataError, FitError
from devicephys.rram.relaxation import Relaxation

START_TIMES = np.geomspace(1e-5, 10.0, 2001)  # s; the fit looks t_0 up here, in steps of 0.7 %
FEWEST_CELLS = 100
MOST_JUMPS = 25


@dataclass(frozen=True)
class RelaxationFit:
    """The law of each level with its standard errors, and the moments it was fitted to.

    Attributes
    ----------
    law : Relaxation
        The law.
    n_cells : ndarray
        Cells of each level, shape (n_levels,) [1].
    drift_stderr : ndarray
        Standard errors of the drifts, bootstrap over cells, shape (n_levels,) [S].
    growth_stderr : ndarray
        Standard errors of the growths, shape (n_levels,) [S2].
    t_start_stderr : ndarray
        Standard errors of ln t_0, shape (n_levels,) [1].
    jump_stderr : tuple of float
        Standard errors of jump_share and jump_rate, from their scatter over levels [1].
    time : ndarray
        Times of the moments, shape (n_times,) [s].
    mean, sigma : ndarray
        Measured mean and standard deviation of the change, shape (n_levels, n_times) [S].
    """

    law: Relaxation
    n_cells: Array
    drift_stderr: Array
    growth_stderr: Array
    t_start_stderr: Array
    jump_stderr: tuple[float, float]
    time: Array
    mean: Array
    sigma: Array


def changes(dataset: xr.Dataset) -> tuple[Array, Array, Array, Array]:
    """Arrange relaxation reads as one row a cell: the change since programming at each time.

    Parameters
    ----------
    dataset : xarray.Dataset
        Conductance relaxation, as `io.relaxation.read` gives.

    Returns
    -------
    tuple of ndarray
        Nominal times > 0, shape (n_times,); programmed conductance, shape (n_cells,); range index,
        shape (n_cells,); change, NaN where a cell was not read, shape (n_cells, n_times) [S].

    Raises
    ------
    DataError
        If the data are of another kind.

    Examples
    --------
    >>> changes(xr.Dataset())
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: data of kind None; expected conductance_relaxation
    """
    if dataset.attrs.get("kind") != "conductance_relaxation":
        raise DataError(
            f"data of kind {dataset.attrs.get('kind')}", expected="conductance_relaxation"
        )
    time, column = np.unique(dataset.nominal_time.values, return_inverse=True)
    _, first, row = np.unique(dataset.device.values, return_index=True, return_inverse=True)
    table = np.full((len(first), len(time)), np.nan)
    start = dataset.conductance_initial.values
    table[row, column] = dataset.conductance.values - start
    later = time > 0
    return time[later], start[first], dataset.range_index.values[first], table[:, later]


def fit(
    dataset: xr.Dataset, rng: np.random.Generator, *, ranges: int = 2, first_range: int = 0,
    n_resamples: int = 200,
) -> RelaxationFit:  # fmt: skip
    """Fit drift, growth and start time of each level, and the jumps of all.

    t_0 and b minimise the squared logarithm of measured over fitted standard deviation; m is the
    weighted line of the means; share and rate of the jumps maximise the likelihood of the changes
    at each time, as if times were independent, with the variance held. Times at which fewer than
    nine in ten cells of a level were read are left out: such cells may be selected.

    Parameters
    ----------
    dataset : xarray.Dataset
        Conductance relaxation.
    rng : numpy.random.Generator
        Source of the bootstrap over cells.
    ranges : int, optional
        Neighbouring ranges of conductance that make a level [1].
    first_range : int, optional
        Lowest range used [1].
    n_resamples : int, optional
        Bootstrap samples [1].

    Returns
    -------
    RelaxationFit
        Law, standard errors, moments.

    Raises
    ------
    DataError
        If the data are of another kind.
    FitError
        If there are too few cells or times, or a start time lies at the end of its range.

    Examples
    --------
    See docs/theory/read_noise.md.
    """
    rng, n_resamples = generator(rng), whole("n_resamples", n_resamples, least=2)
    time, start, index, change = changes(dataset)
    level = (index - first_range) // whole("ranges", ranges, least=1)
    numbers, counts = np.unique(level[index >= first_range], return_counts=True)
    chosen = [level == k for k in numbers[counts >= FEWEST_CELLS]]
    chosen = [c & (index >= first_range) for c in chosen]
    if not chosen:
        raise FitError(f"no level of {FEWEST_CELLS} cells", expected="more cells a level")
    common = np.all([np.isfinite(change[c]).mean(axis=0) >= 0.9 for c in chosen], axis=0)
    if common.sum() < 3:
        raise FitError(f"{common.sum()} times read of nearly all cells", expected="3 or more")
    time, change = time[common], change[:, common]
    found, stderr, jumps, moments = [], [], [], []
    for c in chosen:
        x = change[c]
        n = len(x)
        many = np.array(
            [_moments(x[rng.integers(n, size=n)]) for _ in range(n_resamples)] + [_moments(x)]
        )
        laws = _law(time, many[:, 0], many[:, 1], n)
        found.append([start[c].mean(), *laws[:, -1]])
        stderr.append([laws[0, :-1].std(), laws[1, :-1].std(), np.log(laws[2, :-1]).std()])
        decades = np.log10(1 + time / laws[2, -1])
        jumps.append(_jumps((x - many[-1, 0]) / np.sqrt(many[-1, 1]), decades))
        moments.append(many[-1])
    level_g, drift, growth, t_start = (tuple(map(float, v)) for v in np.transpose(found))
    if min(t_start) <= START_TIMES[0] or max(t_start) >= START_TIMES[-1]:
        raise FitError(f"start times {t_start} s", expected="inside 1e-5 to 10 s",
                       remedy="the variance of a level is not linear in log time")  # fmt: skip
    share, rate = np.mean(jumps, axis=0)
    law = Relaxation(level_g, drift, growth, t_start, float(share), float(rate),
                     float(time[0]), float(time[-1]))  # fmt: skip
    errors, m = np.array(stderr).T, np.array(moments)
    scatter = np.std(jumps, axis=0) / np.sqrt(max(len(jumps) - 1, 1))
    n_cells = np.array([c.sum() for c in chosen], np.float64)
    return RelaxationFit(law, n_cells, errors[0], errors[1], errors[2],
                         (float(scatter[0]), float(scatter[1])), time, m[:, 0],
                         np.sqrt(m[:, 1]))  # fmt: skip


def _moments(x: Array) -> Array:
    return np.array([np.nanmean(x, axis=0), np.nanvar(x, axis=0)])


def _law(time: Array, mean: Array, variance: Array, n: int) -> Array:
    """Give drift, growth and start time of each row of moments, shape (3, n_rows)."""
    decades = np.log10(1 + time / START_TIMES[:, None])
    ratio = np.log(variance[:, None, :]) - np.log(decades)
    best = ratio.var(axis=2).argmin(axis=1)
    rows = np.arange(len(best))
    growth = np.exp(ratio.mean(axis=2)[rows, best])
    weight, line = n / variance, decades[best]
    drift = (weight * line * mean).sum(axis=1) / (weight * line**2).sum(axis=1)
    return np.array([drift, growth, START_TIMES[best]])


def _jumps(x: Array, decades: Array) -> tuple[float, float]:
    """Fit share and rate of jumps to changes that are standardised at each time."""
    count = np.arange(MOST_JUMPS)

    def loss(p: Array) -> float:
        share, rate = 1 / (1 + np.exp(-p[0])), np.exp(p[1])
        total = 0.0
        for column, d in zip(x.T, decades, strict=True):
            y = column[np.isfinite(column)][:, None]
            sigma = np.sqrt(1 - share + share * count / (rate * d))
            weight = poisson.pmf(count, rate * d) / sigma
            total -= np.log((weight * np.exp(-0.5 * (y / sigma) ** 2)).sum(axis=1) + 1e-300).sum()
        return total

    found = minimize(loss, [1.7, -1.0], method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 0.1})
    return float(1 / (1 + np.exp(-found.x[0]))), float(np.exp(found.x[1]))
