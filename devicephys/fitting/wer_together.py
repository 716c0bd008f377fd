"""Write-error counts of many devices, some with too few points or no error: fitted together."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from devicephys import __version__
from devicephys.checks import Array
from devicephys.fitting import goodness, integrated, wer_data
from devicephys.fitting.counts import LogWer, joined
from devicephys.fitting.integrated import Integrated
from devicephys.fitting.problem import Unknown
from devicephys.fitting.result import DeviceFit, FitResult, rows_of


def fit(
    dataset: xr.Dataset,
    unknowns: Sequence[Unknown],
    chart: LogWer,
    reason: str,
    recipe: str,
    rng: np.random.Generator,
) -> FitResult:
    """Fit the population by the integrated likelihood, where a device cannot be fitted alone.

    Valid as `integrated.fit`: log-normal Delta and I_c0, one t_D.

    Parameters
    ----------
    dataset : xarray.Dataset
        Counts of one of `wer_data.KINDS`.
    unknowns : sequence of Unknown
        delta, critical drives, t_d, with starts.
    chart : callable
        ln WER of ln i, ln tau, ln Delta: `chart.growing`.
    reason : str
        Why devices are not fitted one by one.
    recipe : str
        Name of the recipe, for the record.
    rng : numpy.random.Generator
        Source of drawn data.

    Returns
    -------
    FitResult
        The population; values of the devices are drawn towards it by what they do not tell.

    Raises
    ------
    FitError
        If the points together do not fix the population.

    References
    ----------
    This project's integrated likelihood: docs/theory/intervals.md.

    Examples
    --------
    See `wer.fit`.
    """
    points = wer_data.by_device(dataset)
    every = joined([c for _, c in points.values()])
    what = f"the {len(every.k)} points of {len(points)} devices, taken as one device"
    wer_data.check_told(what, every, dataset.attrs["source"])
    found = integrated.fit([c for _, c in points.values()], unknowns, chart, rng)
    deviances = np.zeros(dataset.sizes["point"])
    rows = np.concatenate([r for r, _ in points.values()])
    deviances[rows] = found.residuals**2
    total = float(deviances.sum())
    spreads = np.exp(found.theta[-2:])
    of = np.array([_part(u.name) for u in unknowns])  # what of z moves each logarithm
    between = (of * spreads**2) @ of.T
    differ = of.any(axis=1)  # not t_d: no spread of it is looked for
    ends = [np.where(differ, np.exp(x[-2:])[of.argmax(axis=1)], np.nan)
            for x in (found.low, found.high)]  # fmt: skip
    telling = len(rows) - len(found.names)
    means = slice(len(unknowns))
    estimates = wer_data.population_estimates(
        unknowns, found.theta[means], np.sqrt(np.diag(found.covariance)), found.low[means],
        found.high[means], np.sqrt(np.diag(between)), *ends,
    )  # fmt: skip
    return FitResult(
        recipe=recipe, version=__version__,
        estimates=(*estimates, *wer_data.given(dataset)),
        covariance=rows_of(found.covariance), between=rows_of(between),
        data=wer_data.summary(dataset) | {"flagged_points": []},
        devices=tuple(
            _device(name, unknowns, found, j, of * spreads, float(deviances[r].sum()), len(r))
            for j, (name, (r, _)) in enumerate(points.items())
        ),
        deviance=total, dof=telling, p_value=goodness.bootstrap_p(total, found.drawn),
        notes=_notes(reason, found),
    )  # fmt: skip


def _part(name: str) -> tuple[float, float]:
    return (1.0, 0.0) if name == "delta" else (0.0, 0.0) if name == "t_d" else (0.0, 1.0)


def _device(
    name: str, unknowns: Sequence[Unknown], found: Integrated, j: int, moves: Array,
    deviance: float, points: int,
) -> DeviceFit:  # fmt: skip
    logs = found.theta[: len(unknowns)] + moves @ found.effects[j]
    errors = np.sqrt(np.einsum("ka,ab,kb->k", moves, found.effect_covariances[j], moves))
    values = {u.name: float(np.exp(x)) for u, x in zip(unknowns, logs, strict=True)}
    stderrs = {n: float(v * e) for (n, v), e in zip(values.items(), errors, strict=True)}
    return DeviceFit(name, values, stderrs, deviance, points, float("nan"))


def _notes(reason: str, found: Integrated) -> tuple[str, ...]:
    k = slice(-len(integrated.EFFECTS), None)
    names = [name.removeprefix("sigma_") for name in found.names[k]]
    ends = (np.exp(x[k]) for x in (found.theta, found.low, found.high))
    return (
        f"devices fitted together, by the likelihood integrated over log-normal delta and i_c0 "
        f"and one t_d, because one cannot be fitted alone ({reason})",
        wer_data.spread_sentence(names, *ends),
    )
