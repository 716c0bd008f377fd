"""Every point of a data set beside its model: what the figures of a fit show.

Quantities of counts alone, whatever the recipe: ln p of the model, residuals that are standard
normal if the model is true, and the points that checks have named.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import stats as scipy_stats

from devicephys.checks import Array
from devicephys.fitting import goodness
from devicephys.stats import LEVEL, deviance_residuals

DRAWS = 500  # of sorted normal samples: the band's level is known to a tenth
LABELS = ("device", "direction")
DRIVES = ("pulse_current", "pulse_voltage", "pulse_width")


def compare(
    dataset: xr.Dataset,
    k: Array,
    n: Array,
    logs: Array,
    flagged: Sequence[int],
    shown: str,
    rng: np.random.Generator,
) -> xr.Dataset:
    """Compute residuals of counts against a model, point by point.

    Parameters
    ----------
    dataset : xarray.Dataset
        The counts with their device, direction and drives, one entry a point.
    k : ndarray
        Errors as they were fitted, shape (points,) [1].
    n : ndarray
        Trials as they were fitted, shape (points,) [1].
    logs : ndarray
        ln p and ln(1 - p) of the model's error probability, shape (2, points) [1].
    flagged : sequence of int
        Indices of the points that checks have named [1].
    shown : {"write error rate", "switching probability"}
        What a figure shows: the first against a logarithmic axis.
    rng : numpy.random.Generator
        Source of the randomised residuals.

    Returns
    -------
    xarray.Dataset
        Over ``point``: log_p, quantile_residual, deviance_residual, flagged; the labels, drives,
        n_trials and n_errors as coordinates; attributes ``drive``, ``shown`` and ``qq_level``.

    Examples
    --------
    >>> one = xr.Dataset({"device": ("point", ["a"]), "pulse_voltage": ("point", [0.9])})
    >>> found = compare(one, np.array([5.0]), np.array([10.0]), np.log([[0.5], [0.5]]), [0],
    ...                 "switching probability", np.random.default_rng(1))
    >>> found.attrs["drive"], found.flagged.values.tolist()
    ('pulse_voltage', [True])
    """
    names = [name for name in (*LABELS, *DRIVES) if name in dataset]
    coords = {name: ("point", dataset[name].values, dataset[name].attrs) for name in names}
    return xr.Dataset(
        {
            "log_p": ("point", logs[0]),
            "quantile_residual": (
                "point",
                goodness.quantile_residuals(k, n, logs[0], logs[1], rng),
            ),
            "deviance_residual": ("point", deviance_residuals(k, n, logs[0], logs[1])),
            "flagged": ("point", np.isin(np.arange(len(k)), list(flagged))),
        },
        coords
        | {
            "n_trials": ("point", n.astype(np.int64)),
            "n_errors": ("point", k.astype(np.int64)),
        },
        {
            "drive": next(name for name in DRIVES if name in dataset),
            "shown": shown,
            "qq_level": band_level(len(k), rng),
        },
    )


def band_level(n: int, rng: np.random.Generator) -> float:
    """Find the level of each point at which a band holds a whole sorted normal sample, in 95 %.

    Parameters
    ----------
    n : int
        Size of the sample [1].
    rng : numpy.random.Generator
        Source of the samples that are tried.

    Returns
    -------
    float
        Two-sided chance to leave the band at one place, below 5 % [1].

    References
    ----------
    Aldor-Noiman, Brown, Buja, Rolke and Stine, Am. Stat. 67 (2013) 249,
    doi:10.1080/00031305.2013.847865.

    Examples
    --------
    >>> band_level(1, np.random.default_rng(1)) > band_level(20, np.random.default_rng(1))
    True
    """
    rank = np.arange(1, n + 1)
    below = scipy_stats.beta.cdf(np.sort(rng.random((DRAWS, n))), rank, n + 1 - rank)
    smallest = 2 * np.minimum(below, 1 - below).min(axis=1)
    return float(np.quantile(smallest, 1 - LEVEL))
