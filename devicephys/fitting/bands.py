"""Model curves of a fit of error counts, with the spread of devices, for figures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from devicephys.checks import Array
from devicephys.fitting.chart import LEAST_WER
from devicephys.fitting.result import FitResult
from devicephys.fitting.wer import spread
from devicephys.fitting.wer_data import i_c0_name
from devicephys.mram import fokker_planck
from devicephys.mram.spread import factor
from devicephys.parameters import DIRECTIONS, Direction
from devicephys.stats import NORMAL_QUANTILE


@dataclass(frozen=True)
class Band:
    """Model curve of one direction and current, with the spread of devices.

    Attributes
    ----------
    direction : str
        The write.
    current : float
        Pulse current [A].
    width : ndarray
        Pulse widths, shape (n,) [s].
    median, low, high : ndarray
        WER of the median device and the central 95 % of devices, shape (n,) [1].
    """

    direction: Direction
    current: float
    width: Array
    median: Array
    low: Array
    high: Array


def bands(result: FitResult, dataset: xr.Dataset, n_widths: int = 40) -> list[Band]:
    """Compute model curves for every measured direction and current.

    Valid to first order in the spreads: the band is exp(ln WER +- 1.96 sigma) with sigma from the
    slopes of ln WER in the logarithms of Delta, I_c0 and t_D.

    Parameters
    ----------
    result : FitResult
        A fit of write-error counts.
    dataset : xarray.Dataset
        The counts; their currents and widths set the curves.
    n_widths : int, optional
        Points a curve, from the shortest width to 1.25 times the longest [1].

    Returns
    -------
    list of Band
        In order of direction and current.

    Examples
    --------
    See docs/guide/quickstart.md.
    """
    step = 1e-3
    widths = np.linspace(
        dataset.pulse_width.values.min(), 1.25 * dataset.pulse_width.values.max(), n_widths
    )
    found = []
    for direction in DIRECTIONS:
        currents = np.unique(dataset.pulse_current.values[dataset.direction.values == direction])
        if len(currents) == 0:
            continue
        base: dict[str, Any] = {
            "i": currents[:, None] / result[i_c0_name(direction)].value,
            "tau": widths / result["t_d"].value,
            "delta": result["delta"].value,
        }
        logs = _log_wer(base)
        # Slopes of ln WER in ln I_c0, ln Delta, ln t_D, and the covariance of the devices.
        slopes = []
        for name, shift in (("i", -step), ("delta", step), ("tau", -step)):
            moved = base | {name: base[name] * np.exp(shift)}
            slopes.append((_log_wer(moved) - logs) / step)
        root = factor(spread(result, direction))[: len(slopes)]
        pulled = np.tensordot(root.T, np.array(slopes), axes=1)
        variance = (pulled**2).sum(axis=0)
        half = NORMAL_QUANTILE * np.sqrt(variance)
        curves = (np.minimum(np.exp(logs + x), 1.0) for x in (0, -half, half))
        for current, median, low, high in zip(currents, *curves, strict=True):
            found.append(Band(direction, float(current), widths, median, low, high))
    return found


def _log_wer(conditions: dict[str, Any]) -> Array:
    wer = fokker_planck.wer(**conditions, readout="relaxed", rtol=1e-3, atol=1e-12)
    return np.asarray(np.log(np.maximum(wer, LEAST_WER)))
