"""Points beside their model: exact residuals, and a band that holds what it says."""

import numpy as np
import xarray as xr
from scipy import stats

from devicephys.fitting.point_check import band_level, compare


def test_the_band_holds_95_percent_of_normal_samples():
    """1000 samples: 3.5 standard errors are 2.4 %, and the level itself is known to 1 %."""
    rng = np.random.default_rng(5)
    n = 40
    rank = np.arange(1, n + 1)
    tail = band_level(n, rng) / 2
    low, high = (stats.beta.ppf(p, rank, n + 1 - rank) for p in (tail, 1 - tail))
    u = np.sort(rng.random((1000, n)))
    inside = ((low <= u) & (u <= high)).all(axis=1).mean()
    assert 0.91 < inside < 0.98
    assert tail > 0.025 / n  # wider would be Bonferroni's


def test_residuals_of_a_true_model_are_normal_and_deviances_add_up():
    """Kolmogorov-Smirnov at a false-alarm rate of 0.1 %, seed fixed."""
    rng = np.random.default_rng(6)
    p = np.exp(-np.linspace(0.01, 20, 300))
    n = np.full(300, 1000.0)
    k = rng.binomial(1000, p).astype(float)
    data = xr.Dataset(
        {"device": ("point", ["a"] * 300), "direction": ("point", ["P->AP"] * 300),
         "pulse_current": ("point", np.linspace(1e-5, 9e-5, 300), {"units": "A"}),
         "pulse_width": ("point", np.full(300, 1e-9), {"units": "s"})}
    )  # fmt: skip
    logs = np.array([np.log(p), np.log1p(-p)])
    found = compare(data, k, n, logs, [3, 7], "write error rate", rng)
    assert stats.kstest(found.quantile_residual, "norm").pvalue > 1e-3
    assert found.attrs["drive"] == "pulse_current"
    assert np.flatnonzero(found.flagged).tolist() == [3, 7]
    assert found.n_errors.dtype.kind == found.n_trials.dtype.kind == "i"
    assert found.pulse_width.attrs["units"] == "s"
    some = (k > 0) & (k < n)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = 2 * (k * np.log(k / (n * p)) + (n - k) * np.log((n - k) / (n * (1 - p))))
    assert np.allclose(found.deviance_residual[some] ** 2, ratio[some], rtol=1e-6, atol=1e-9)
