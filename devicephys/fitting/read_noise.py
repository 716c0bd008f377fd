"""Count of the read-to-read noise from pulses: resistance after one against before the next."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from devicephys.checks import Array, generator, in_range, whole
from devicephys.errors import DataError, FitError
from devicephys.rram.read_noise import robust_sigma

EDGES = (5e3, 7e3, 10e3, 20e3, 40e3, 80e3)  # Ohm: the ranges that the count was first made in


@dataclass(frozen=True)
class ReadPairs:
    """Two reads of a cell with no pulse between them.

    Attributes
    ----------
    device : ndarray of str
        Cell of each pair, shape (n,).
    first, second : ndarray
        Resistance after a pulse and before the next, shape (n,) [Ohm].
    """

    device: NDArray[np.str_]
    first: Array
    second: Array


@dataclass(frozen=True)
class ReadCount:
    """Read-to-read noise in ranges of resistance.

    Attributes
    ----------
    edges : ndarray
        Ends of the ranges, by the first read, shape (n_ranges + 1,) [Ohm].
    median : ndarray
        Median of the first read, shape (n_ranges,) [Ohm].
    sigma, stderr : ndarray
        Robust sigma of ln(second/first) and its standard error, bootstrap over cells, shape
        (n_ranges,) [1].
    n_pairs : ndarray
        Pairs in each range, shape (n_ranges,) [1].
    """

    edges: Array
    median: Array
    sigma: Array
    stderr: Array
    n_pairs: Array


def pairs(dataset: xr.Dataset) -> ReadPairs:
    """Pair the read after each pulse with the read before the next pulse of the same ramp.

    Parameters
    ----------
    dataset : xarray.Dataset
        Resistance pulses, ramp by ramp.

    Returns
    -------
    ReadPairs
        The pairs.

    Raises
    ------
    DataError
        If the data are not resistance pulses.

    Examples
    --------
    >>> pairs(xr.Dataset())
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: data of kind None; expected resistance_pulses
    """
    if dataset.attrs.get("kind") != "resistance_pulses":
        raise DataError(f"data of kind {dataset.attrs.get('kind')}", expected="resistance_pulses")
    device, cycle = dataset.device.values, dataset.cycle.values
    step = np.diff(dataset.pulse_index.values)
    same = (device[1:] == device[:-1]) & (cycle[1:] == cycle[:-1]) & (step == 1)
    return ReadPairs(
        device[1:][same],
        dataset.resistance_after.values[:-1][same],
        dataset.resistance_before.values[1:][same],
    )


def count(
    reads: ReadPairs,
    rng: np.random.Generator,
    edges: tuple[float, ...] = EDGES,
    n_resamples: int = 200,
) -> ReadCount:
    """Count the robust sigma of ln(second/first) in ranges of the first read.

    Parameters
    ----------
    reads : ReadPairs
        The pairs.
    rng : numpy.random.Generator
        Source of the bootstrap over cells.
    edges : tuple of float, optional
        Ends of the ranges, rising [Ohm].
    n_resamples : int, optional
        Bootstrap samples [1].

    Returns
    -------
    ReadCount
        The noise in each range.

    Raises
    ------
    FitError
        If a range holds fewer than two cells or ten pairs.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> r = np.full(2000, 6e3)
    >>> reads = ReadPairs(np.arange(2000).astype(str), r, r * np.exp(0.1 * rng.normal(size=2000)))
    >>> count(reads, rng, (5e3, 7e3)).sigma.round(1).tolist()
    [0.1]
    """
    rng, n_resamples = generator(rng), whole("n_resamples", n_resamples, least=2)
    ends = in_range("edges", edges, "Ohm", above=0)
    ratio = np.log(reads.second / reads.first)
    rows = []
    for low, high in pairwise(ends):
        inside = (reads.first >= low) & (reads.first < high)
        x = ratio[inside]
        names, cell = np.unique(reads.device[inside], return_inverse=True)
        if len(names) < 2 or len(x) < 10:
            raise FitError(f"{len(x)} pairs of {len(names)} cells in {low:g} to {high:g} Ohm",
                           expected="ten pairs of two cells")  # fmt: skip
        groups = np.split(x[np.argsort(cell, kind="stable")], np.cumsum(np.bincount(cell))[:-1])
        samples = rng.integers(len(names), size=(n_resamples, len(names)))
        again = [robust_sigma(np.concatenate([groups[k] for k in some])) for some in samples]
        rows.append([np.median(reads.first[inside]), robust_sigma(x), np.std(again), len(x)])
    median, sigma, stderr, n = np.array(rows).T
    return ReadCount(ends, median, sigma, stderr, n)
