"""What must be known before a fit of write-error counts is used, and the points it concerns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from devicephys.checks import Array
from devicephys.errors import FitError
from devicephys.fitting import goodness, plateau
from devicephys.fitting.problem import Found, confounded
from devicephys.fitting.result import DeviceFit
from devicephys.units import si

LEAST_DEVICES = 4
MIRRORED, MINORITY = 0.2, 0.5  # share of the way to the mirror image; of the devices


@dataclass(frozen=True)
class Flags:
    """What the checks of a fit have found.

    Attributes
    ----------
    sentences : tuple of str
        One for each finding; none where nothing was found.
    points : tuple of int
        Indices of the points that findings name, rising.
    """

    sentences: tuple[str, ...]
    points: tuple[int, ...]


def flags(
    dataset: xr.Dataset,
    drives: Sequence[str],
    devices: Sequence[DeviceFit],
    founds: Sequence[Found],
    logs: Array,
    over: goodness.Overdispersion,
    rng: np.random.Generator,
) -> Flags:
    """Check fitted counts: overdispersion, outliers, plateaus, bounds, parameters not told apart.

    Parameters
    ----------
    dataset : xarray.Dataset
        The counts.
    drives : sequence of str
        What drives the writing: names of variables, the pulse width among them.
    devices : sequence of DeviceFit
        Fits of the devices, for their names and bounds.
    founds : sequence of Found
        The same fits with their covariances.
    logs : ndarray
        ln p and ln(1 - p) of each device's own fit, shape (2, points) [1].
    over : Overdispersion
        The deviance beside what counting gives.
    rng : numpy.random.Generator
        Source of the bootstrap counts of the plateaus.

    Returns
    -------
    Flags
        Sentences and points.

    Examples
    --------
    See `wer.fit`.
    """
    k, n = dataset.n_errors.values, dataset.n_trials.values
    said = [over.sentence()] if over.ratio > over.high else []
    outlying = goodness.outlying_points(k, n, *logs)
    if outlying.points:
        said.append(outlying.sentence())
    outside = goodness.outlying_devices(
        np.array([f.theta for f in founds]), np.array([f.covariance for f in founds])
    )
    if outside.found:
        said.append(outside.sentence([d.device for d in devices], founds[0].names))
    said += _swapped([d.device for d in devices], founds)
    step = goodness.counting_step(k, n)
    if step.step > 1:
        said.append(step.sentence())
    strange = _anomalies(dataset, drives, logs[0], rng)
    said += plateau.sentences(strange)
    said += [
        f"device {d.device}: {', '.join(d.at_bound)} ended at a bound of the fit"
        for d in devices if d.at_bound
    ]  # fmt: skip
    said += _confounded(float(dataset.pulse_width.max()), founds)
    return Flags(
        tuple(said), tuple(sorted({*outlying.points, *(j for x in strange for j in x.points)}))
    )


def explained(
    err: FitError, dataset: xr.Dataset, drives: Sequence[str], log_p: Array,
    rng: np.random.Generator,
) -> FitError:  # fmt: skip
    """Say of a fit that was not found what in the counts no macrospin does.

    Parameters
    ----------
    err : FitError
        Why there is no fit.
    dataset : xarray.Dataset
        The counts that it was to explain.
    drives : sequence of str
        As for `flags`.
    log_p : ndarray
        ln of the error rate by a rough model, shape (points,) [1].
    rng : numpy.random.Generator
        Source of the bootstrap counts of the plateaus.

    Returns
    -------
    FitError
        With the plateaus or returning errors and what to do; `err` itself where there are none.

    Examples
    --------
    See `wer.fit`.
    """
    strange = _anomalies(dataset, drives, log_p, rng)
    if not strange:
        return err
    many = "s" * (len({x.device for x in strange}) > 1)
    return FitError(
        "no fit: " + "; ".join(plateau.sentences(strange)), where=dataset.attrs["source"],
        remedy=f"leave out the device{many}, or in each such row the pulses from there on",
    )  # fmt: skip


def _anomalies(
    dataset: xr.Dataset, drives: Sequence[str], log_p: Array, rng: np.random.Generator
) -> tuple[plateau.Anomaly, ...]:
    return plateau.anomalies(
        dataset.device.values, dataset.direction.values,
        {name: dataset[name].values for name in drives}, dataset.n_errors.values,
        dataset.n_trials.values, log_p, rng,
    )  # fmt: skip


def _swapped(names: Sequence[str], founds: Sequence[Found]) -> list[str]:
    """Say which devices have the critical drives of the others, the directions exchanged."""
    of = [j for j, name in enumerate(founds[0].names) if name.endswith(("_p_ap", "_ap_p"))]
    if len(names) < LEAST_DEVICES or len(of) != 2:
        return []
    ratio = np.array([f.theta[of[0]] - f.theta[of[1]] for f in founds])  # logarithms
    usual = np.median(ratio)
    here = np.abs(ratio + usual) < MIRRORED * np.abs(ratio - usual)
    if not here.any() or here.mean() >= MINORITY or np.abs(ratio[~here] - usual).max() > abs(usual):
        return []
    found = ", ".join(name for name, x in zip(names, here, strict=True) if x)
    return [
        f"Swapped: devices {found}: their critical drives are those of the others with the "
        "directions exchanged; check the column direction"
    ]


def _confounded(longest: float, founds: Sequence[Found]) -> list[str]:
    """Say which parameters the counts hardly tell apart, and what would."""
    covariance = np.mean([f.covariance for f in founds], axis=0)
    return [
        f"these counts hardly tell {first} from {second} (correlation {rho:.3f}): "
        + (
            f"add widths above {si(longest, 's')}" if "t_d" in (first, second)
            else "add lower and higher drives"
        )
        for first, second, rho in confounded(founds[0].names, covariance)
    ]  # fmt: skip
