"""Write-error counts beside the fit of their own device, point by point."""

import numpy as np
import xarray as xr

from devicephys.checks import Array
from devicephys.errors import DataError
from devicephys.fitting.chart import LEAST_WER
from devicephys.fitting.counts import log_probabilities
from devicephys.fitting.point_check import compare
from devicephys.fitting.result import FitResult
from devicephys.fitting.wer_data import by_device
from devicephys.mram import fokker_planck

RTOL, FAINT = 1e-5, 1e-20  # of a WER, relative and absolute: far below any counting error


def _log_wer(log_i: Array, log_tau: Array, log_delta: Array) -> Array:
    """Solve at the points themselves: for so few, quicker than a chart."""
    reduced = (np.exp(x) for x in (log_i, log_tau, log_delta))
    wer = fokker_planck.wer(*reduced, readout="relaxed", rtol=RTOL, atol=FAINT)
    return np.asarray(np.log(np.clip(wer, LEAST_WER, 1.0)))


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
    values = {d.device: d.values for d in result.devices}
    if set(values) != set(points):
        raise DataError(
            f"a fit of devices {', '.join(values)}", where=dataset.attrs["source"],
            expected=", ".join(points), remedy="fit these data first",
        )  # fmt: skip
    logs = np.empty((2, dataset.sizes["point"]))
    for name, (rows, counts) in points.items():
        logs[:, rows] = log_probabilities(counts, values[name], _log_wer)
    return compare(
        dataset, dataset.n_errors.values.astype(float), dataset.n_trials.values.astype(float), logs,
        result.data["flagged_points"], "write error rate", rng,
    )  # fmt: skip
