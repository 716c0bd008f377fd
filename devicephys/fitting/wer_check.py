"""Write-error counts beside the fit of their own device, point by point."""

from functools import partial

import numpy as np
import xarray as xr

from devicephys.fitting.chart import solution
from devicephys.fitting.counts import log_probabilities
from devicephys.fitting.point_check import compare
from devicephys.fitting.result import FitResult
from devicephys.fitting.wer_data import by_device, values_of_devices

FAINT = 1e-20  # what the solver may add to a WER: far below any counting error


def check(dataset: xr.Dataset, result: FitResult, rng: np.random.Generator) -> xr.Dataset:
    """Compare every count with the fit of its device, for the figures of a report.

    Valid as `wer.fit`; the fit's stored values are all that is used of it.

    Parameters
    ----------
    dataset : xarray.Dataset
        The counts that were fitted.
    result : FitResult
        Their fit by `wer.fit`.
    rng : numpy.random.Generator
        Source of the randomised residuals.

    Returns
    -------
    xarray.Dataset
        As `point_check.compare` gives.

    Raises
    ------
    DataError
        If the fit is one of other devices.

    References
    ----------
    Residuals: Dunn and Smyth, J. Comput. Graph. Stat. 5 (1996) 236,
    doi:10.1080/10618600.1996.10474708.

    Examples
    --------
    See docs/guide/quickstart.md; `devicephys fit ... --report` draws what it gives.
    """
    points = by_device(dataset)
    values = values_of_devices(result, points, dataset.attrs["source"])
    at_points = partial(solution, atol=FAINT)  # for so few, quicker than a chart
    logs = np.empty((2, dataset.sizes["point"]))
    for name, (rows, counts) in points.items():
        logs[:, rows] = log_probabilities(counts, values[name], at_points)
    return compare(
        dataset, dataset.n_errors.values.astype(float), dataset.n_trials.values.astype(float), logs,
        result.data["flagged_points"], "write error rate", rng,
    )  # fmt: skip
