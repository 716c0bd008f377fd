"""Fit of the stochastic filament to staircase RESET ramps, and what it says of other ramps.

What is fitted are numbers at each voltage: quantiles of ln R over all ramps, and its standard
deviations within and between devices. The model gives them without sampling, from the
master equation at quadrature nodes of the barrier. Numbers at neighbouring voltages are
correlated: the covariance of the parameters is therefore that of the data (bootstrap over devices)
carried through the fit, not the inverse curvature.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import lmfit
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import ndtr

from devicephys.checks import Array
from devicephys.errors import DataError, FitError, ParameterError
from devicephys.rram.filament import Filament, resistance
from devicephys.rram.master_equation import REACH, quadrature
from devicephys.rram.programming import level_spread, staircase
from devicephys.rram.ramp import Ramps, split_variance
from devicephys.rram.read_noise import ReadNoise

DISCREPANCY = 0.05  # of a fitted number: the model is no better, so no point shall weigh more
NODES = 41  # of the barrier: numbers are within 0.02, less than `DISCREPANCY`
PRIOR = 0.2  # standard deviation of ln e_a about its start: see `fit`
FREE: Mapping[str, tuple[float, float]] = {  # bounds, far outside what an oxide shows
    "e_a": (0.3, 2.0),
    "e_on": (0.1, 2.0),
    "e_width": (0.02, 2.0),
    "a_off": (0.01, 1.0),
    "a_on": (0.01, 1.0),
    "r_th": (1e5, 5e7),
    "g_gap": (1e-8, 5e-5),
    "sigma_e": (0.01, 1.0),
    "sigma_e_cycle": (0.001, 1.0),
}
QUANTILES = (0.02, 0.05, 0.25, 0.5, 0.75, 0.95)
RESAMPLES = 300  # of the devices
STEP = 1e-4  # of ln parameter, for slopes
POINTS, CHANCES = np.polynomial.hermite_e.hermegauss(7)  # of a cycle's barrier
CHANCES = CHANCES / CHANCES.sum()
GRID = np.linspace(-1.5, 6.0, 301)  # of ln R over its value in the LRS, for medians
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Summary:
    """Ramps in a few numbers a voltage.

    Attributes
    ----------
    voltage : ndarray
        Voltages, shape (n,) [V].
    quantiles : ndarray
        Quantiles of ln(R/Ohm) at the chances `QUANTILES`, shape (n, 6) [1].
    within, between : ndarray
        Standard deviations of ln R within a device and between devices, shapes (n,) [1].
    """

    voltage: Array
    quantiles: Array
    within: Array
    between: Array

    @property
    def median(self) -> Array:
        """Median of ln(R/Ohm), shape (n,) [1]."""
        return self.quantiles[:, QUANTILES.index(0.5)]

    @property
    def sigma(self) -> Array:
        """Standard deviation of ln R over all ramps, shape (n,) [1]."""
        return np.hypot(self.within, self.between)

    @property
    def numbers(self) -> Array:
        """All that is fitted, shape (8 n,) [1]."""
        return np.concatenate([self.quantiles.ravel(), self.within, self.between])


@dataclass(frozen=True, eq=False)
class FilamentFit:
    """Filament that fits ramps.

    Attributes
    ----------
    filament : Filament
        The median device and its spreads.
    names : tuple of str
        Fitted parameters: fields of `Filament`, ``e_on = e_a + d_e``, ``e_width = e_a - e_min``.
    covariance : ndarray
        Covariance of their logarithms, in this order, shape (k, k) [1].
    at_bound : tuple of str
        Parameters that ended at a bound.
    measured, fitted : Summary
        Data and model.
    chi_square : float
        Sum of squared weighted residuals [1].
    """

    filament: Filament
    names: tuple[str, ...]
    covariance: Array
    at_bound: tuple[str, ...]
    measured: Summary
    fitted: Summary
    chi_square: float

    @property
    def stderr(self) -> Array:
        """Standard errors of the logarithms, shape (k,) [1]."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def summary(ramps: Ramps, columns: NDArray[np.intp]) -> Summary:
    """Describe ramps by median and spreads of ln R at some of their voltages.

    Parameters
    ----------
    ramps : Ramps
        The ramps; one that has ended at a voltage does not count there.
    columns : ndarray of int
        Indices of the voltages, shape (n,) [1].

    Returns
    -------
    Summary
        The description.

    Examples
    --------
    >>> r = Ramps(np.array(["a", "a", "b", "b"]), np.array([0.8]), np.full(4, 5e3),
    ...           np.exp([[9.0], [9.2], [10.0], [10.2]]))
    >>> found = summary(r, np.array([0]))
    >>> round(float(found.median[0]), 3), round(float(found.between[0]), 3)
    (9.6, 0.7)
    """
    rows, spreads = [], []
    for column in columns:
        x = np.log(ramps.after[:, column])
        split = split_variance(x, ramps.device)
        rows.append(np.nanquantile(x, QUANTILES))
        spreads.append((split.within, split.between))
    return Summary(ramps.voltage[columns], np.array(rows), *np.array(spreads).T)


def predicted(
    filament: Filament, voltages: Array, pulse_width: float, noise: ReadNoise, sigma_lrs: float,
    first: int = 0,
) -> Summary:  # fmt: skip
    """Compute what `summary` would say of ramps of a filament.

    Valid for many devices and ramps: expected values.

    Parameters
    ----------
    filament : Filament
        The median device and its spreads.
    voltages : ndarray
        Staircase, shape (m,) [V].
    pulse_width : float
        Width of every pulse [s].
    noise : ReadNoise
        Noise of a read.
    sigma_lrs : float
        Standard deviation of ln R in the LRS [1].
    first : int, optional
        Index of the first voltage to describe [1].

    Returns
    -------
    Summary
        The description, shape (m - first,).

    Raises
    ------
    ParameterError
        If devices do not differ.

    Examples
    --------
    >>> from devicephys.rram.read_noise import measured_hfo2
    >>> cell = Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6, sigma_e=0.09)
    >>> found = predicted(cell, np.array([0.9, 1.1]), 200e-9, measured_hfo2(), 0.02)
    >>> found.median.round(2).tolist(), found.sigma.round(2).tolist()
    ([8.84, 9.72], [0.28, 0.41])
    """
    if filament.sigma_e == 0:
        raise ParameterError("filament.sigma_e = 0", expected="> 0: devices that differ")
    nodes, weight = quadrature(filament, NODES)
    # Nodes in units of the whole spread; devices and their cycles lie between them.
    at = np.linspace(-REACH, REACH, len(weight))
    total = np.hypot(filament.sigma_e, filament.sigma_e_cycle)
    own_at = np.linspace(-REACH, REACH, NODES)
    device = np.exp(-(own_at**2) / 2)
    device /= device.sum()
    cycles = filament.sigma_e / total * own_at[:, None] + filament.sigma_e_cycle / total * POINTS
    p, _ = staircase(nodes, voltages, pulse_width)
    sigma = level_spread(filament, noise, sigma_lrs)
    x = np.log(resistance(filament, np.arange(filament.n_sites + 1.0)))
    grid = np.log(np.asarray(filament.r_on)) + GRID
    below = ndtr((grid[:, None] - x) / sigma)
    rows, spreads = [], []
    for now in p[first:]:
        spline = CubicSpline(at, now, axis=1)
        own = spline(cycles.clip(-REACH, REACH)) @ CHANCES  # each device over its cycles
        mean, square = x @ own, (x**2 + sigma**2) @ own
        within = (square - mean**2) @ device
        between = (mean - mean @ device) ** 2 @ device
        rows.append(np.interp(QUANTILES, below @ (now @ weight), grid))
        spreads.append((np.sqrt(max(within, 0.0)), np.sqrt(between)))
    return Summary(voltages[first:], np.array(rows), *np.array(spreads).T)


def fit(
    ramps: Ramps, columns: NDArray[np.intp], pulse_width: float, start: Filament, noise: ReadNoise,
    sigma_lrs: float, rng: np.random.Generator,
    progress: Progress = lambda done, total: None,
) -> FilamentFit:  # fmt: skip
    """Fit barriers, field factors, heating and spreads of a filament to staircase ramps.

    Valid for ramps that begin in the LRS with all sites filled. Sites, series resistance, `r_on`
    and the attempt frequency stay as in `start`. Pulses of one width and one temperature leave a
    scale open: where the pulse heats far above the surroundings, all barriers, their field factors
    and the thermal resistance may grow together. The start of `e_a` is therefore a prior, known
    to 20 %; its width is in the covariance.

    Parameters
    ----------
    ramps : Ramps
        The ramps.
    columns : ndarray of int
        Indices of the voltages that are fitted, one after the other; all before the last act;
        shape (n,) [1].
    pulse_width : float
        Width of every pulse [s].
    start : Filament
        Fixed fields, and where the others start.
    noise : ReadNoise
        Noise of a read.
    sigma_lrs : float
        Standard deviation of ln R in the LRS [1].
    rng : numpy.random.Generator
        Source of the resampled devices.
    progress : callable, optional
        Called with (resamples done, resamples in all).

    Returns
    -------
    FilamentFit
        The filament with the covariance of its parameters.

    Raises
    ------
    DataError
        If there are too few devices for the covariance.
    ParameterError
        If `columns` leave out a voltage.
    FitError
        If the search fails.

    Notes
    -----
    Residuals are weighed by ``1/sqrt(stderr^2 + 0.05^2)``: at low voltages the data are known far
    better than any such model holds. With J the Jacobian of the weighted residuals and S their
    covariance by the bootstrap over devices, the covariance is ``(J'J)^-1 J'S J (J'J)^-1``: a
    linear law. Refits of resampled measured devices scatter alike, but for a_on and g_gap, which
    they scatter by 1.7 times as much.

    Examples
    --------
    See fits/hfo2_filament.py; `devicephys fit hfo2_filament` is this function.
    """
    used = np.unique(ramps.device)
    if len(used) < len(FREE) + 2:
        raise DataError(
            f"ramps of {len(used)} devices", expected=f"at least {len(FREE) + 2}",
            remedy="spreads between devices cannot be fitted to fewer",
        )  # fmt: skip
    if not len(columns) or np.any(np.diff(columns) != 1):
        raise ParameterError(
            f"columns = {np.asarray(columns).tolist()}", expected="voltages one after the other"
        )
    measured = summary(ramps, columns)
    scatter = _scatter(ramps, columns, used, rng, progress)
    weight = 1 / np.sqrt(np.diag(scatter) + DISCREPANCY**2)
    voltages = ramps.voltage[(ramps.voltage > 0) & (ramps.voltage <= measured.voltage[-1] + 1e-9)]
    first = len(voltages) - len(columns)

    def residuals(parameters: lmfit.Parameters) -> Array:
        made = _filament(start, parameters.valuesdict())
        found = predicted(made, voltages, pulse_width, noise, sigma_lrs, first)
        prior = np.log(made.e_a / start.e_a) / PRIOR
        return np.append((found.numbers - measured.numbers) * weight, prior)

    found = lmfit.minimize(
        residuals, _parameters(start), method="least_squares", x_scale="jac", ftol=1e-6, xtol=1e-6
    )
    if not found.success:
        raise FitError(f"the search ended without a minimum: {found.message}", remedy="other start")
    best = found.params
    made = _filament(start, best.valuesdict())
    slopes = _slopes(residuals, best)
    inverse = np.linalg.pinv(slopes.T @ slopes)
    errors = np.eye(len(slopes))  # the last one is the prior's own
    errors[:-1, :-1] = weight[:, None] * scatter * weight
    between = slopes.T @ errors @ slopes
    return FilamentFit(
        filament=made,
        names=tuple(FREE),
        covariance=inverse @ between @ inverse,
        at_bound=tuple(
            name for name, (low, high) in FREE.items()
            if not low * 1.001 < best[name].value < high / 1.001
        ),
        measured=measured,
        fitted=predicted(made, voltages, pulse_width, noise, sigma_lrs, first),
        chi_square=float(found.chisqr),
    )  # fmt: skip


def _parameters(start: Filament) -> lmfit.Parameters:
    values = vars(start) | {"e_on": start.e_a + start.d_e, "e_width": start.e_a - start.e_min}
    parameters = lmfit.Parameters()
    for name, (low, high) in FREE.items():
        parameters.add(name, value=float(np.clip(values[name], low * 1.01, high / 1.01)),
                       min=low, max=high)  # fmt: skip
    return parameters


def _filament(start: Filament, values: Mapping[str, Any]) -> Filament:
    own: dict[str, Any] = {name: float(values[name]) for name in FREE}
    e_a, e_on, e_width = own["e_a"], own.pop("e_on"), own.pop("e_width")
    return replace(start, **own, d_e=e_on - e_a, e_min=e_a - e_width)


def _slopes(residuals: Callable[[lmfit.Parameters], Array], best: lmfit.Parameters) -> Array:
    """Derivatives of the residuals by the logarithms of the parameters, shape (n, k)."""
    columns = []
    for name in FREE:
        pair = []
        for sign in (1, -1):
            moved = best.copy()
            moved[name].set(value=best[name].value * np.exp(sign * STEP), min=-np.inf, max=np.inf)
            pair.append(residuals(moved))
        columns.append((pair[0] - pair[1]) / (2 * STEP))
    return np.array(columns).T


def _scatter(
    ramps: Ramps, columns: NDArray[np.intp], used: NDArray[np.str_], rng: np.random.Generator,
    progress: Progress,
) -> Array:  # fmt: skip
    """Covariance of the numbers of a summary over resampled devices.

    Not the jackknife: leaving out one device at a time misjudges quantiles.
    """
    rows = [np.flatnonzero(ramps.device == name) for name in used]
    found = []
    for k in range(RESAMPLES):
        chosen = rng.integers(len(used), size=len(used))
        index = np.concatenate([rows[j] for j in chosen])
        label = np.repeat(np.arange(len(used)), [len(rows[j]) for j in chosen]).astype(str)
        part = Ramps(label, ramps.voltage, ramps.lrs[index], ramps.after[index])
        found.append(summary(part, columns).numbers)
        progress(k + 1, RESAMPLES)
    return np.atleast_2d(np.cov(np.array(found).T))
