"""Figures of a fit: data and model, residuals, devices, profile likelihoods, correlations."""

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats as scipy_stats
from scipy.interpolate import PchipInterpolator
from scipy.special import log_ndtr, ndtri_exp

from devicephys.checks import Array
from devicephys.fitting.result import DeviceFit, Estimate, FitResult
from devicephys.plotting import COLOURS, MARKERS, STYLE, panels, rate_points
from devicephys.stats import CHI_SQUARE, NORMAL_QUANTILE, binomial_interval
from devicephys.units import prefix_of, si

WIDTH = 9.2  # of a whole figure, in inches
RED = "#b3261e"  # of what checks have flagged
GREY = "#777777"
LABELS = {"pulse_current": "pulse current", "pulse_voltage": "pulse voltage",
          "pulse_width": "pulse width"}  # fmt: skip
UNITS = {"pulse_current": "A", "pulse_voltage": "V", "pulse_width": "s"}
MOST_NAMES = 40  # of devices at an axis, beyond which they cannot be read
MOST_KEYS = 7  # of a legend
MOST_CURVES = 10  # of profiles that a legend names
MOST_CORRELATED = 14  # estimates whose correlations can be read as numbers
LOWEST, NEAREST = 1e-300, 1e-15  # of a rate, and of a rate to 1
BETWEEN = 60  # points of a model curve


def points_figure(check: xr.Dataset, synthetic: bool) -> Figure:
    """Plot every counted rate with its interval beside the fit of its own device.

    Parameters
    ----------
    check : xarray.Dataset
        As `fitting.point_check.compare` gives it.
    synthetic : bool
        Whether to say so in the figure.

    Returns
    -------
    matplotlib.figure.Figure
        One panel for each direction.

    Examples
    --------
    See docs/guide/quickstart.md.
    """
    switching = check.attrs["shown"] == "switching probability"
    directions = sorted(set(check.direction.values.tolist()), reverse=True)
    along, other = _axis_and_series(check)
    exponent, prefix = prefix_of(float(check[along].values.max()))
    with matplotlib.rc_context(STYLE):
        figure, every = panels(len(directions), WIDTH, 4.4, sharey=True)
        for axes, direction in zip(every, directions, strict=True):
            mine = check.isel(point=np.flatnonzero(check.direction.values == direction))
            series = list(dict.fromkeys(np.sort(mine[other].values).tolist()))
            shown = {int(j) for j in np.linspace(0, len(series) - 1, min(len(series), MOST_KEYS))}
            for j, (value, colour) in enumerate(zip(series, _colours(len(series)), strict=True)):
                label = value if other == "device" else si(value, UNITS[other])
                part = mine.isel(point=np.flatnonzero(mine[other].values == value))
                label = str(label) if j in shown else "_"
                _series(axes, part, along, exponent, colour, label, switching)
            axes.set_xlabel(f"{LABELS[along]} [{prefix}{UNITS[along]}]")
            axes.set_title(direction + "  (synthetic data)" * synthetic, fontsize=10)
            _below(axes, LABELS.get(other, other))
            _ring(axes, mine[along].values / 10.0**exponent, _rates(mine, switching), mine)
        every[0].set_ylabel(f"{check.attrs['shown']} [1]")
        if switching:
            every[0].set_ylim(-0.04, 1.04)
        else:
            every[0].set_yscale("log")
            every[0].set_ylim(0.2 / float(check.n_trials.max()), 2)
    return figure


def _below(axes: Axes, title: str) -> None:
    """Put the legend under a panel, where it hides nothing."""
    n = len(axes.get_legend_handles_labels()[1])
    axes.legend(title=title, title_fontsize=8.5, loc="upper center", bbox_to_anchor=(0.5, -0.14),
                ncols=min(n, 4), columnspacing=1.2, handletextpad=0.4)  # fmt: skip


def _axis_and_series(check: xr.Dataset) -> tuple[str, str]:
    """What lies along the axis, and what tells the series apart."""
    drive = str(check.attrs["drive"])
    n_widths = len(np.unique(check.pulse_width.values)) if "pulse_width" in check.coords else 1
    if n_widths == 1:
        return drive, "device"
    n_drives = max(
        len(np.unique(check[drive].values[check.direction.values == d]))
        for d in np.unique(check.direction.values)
    )
    return ("pulse_width", drive) if n_widths >= n_drives else (drive, "pulse_width")


def _colours(n: int) -> list[str]:
    if n <= len(COLOURS):
        return list(COLOURS[:n])
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, n))
    return [matplotlib.colors.to_hex(x) for x in shades]


def _rates(check: xr.Dataset, switching: bool) -> Array:
    """Rates as they are shown: of no error, the one-sided limit that stands for it."""
    k, n = check.n_errors.values, check.n_trials.values
    if switching:
        return np.asarray(1 - k / n)
    return np.asarray(np.where(k > 0, k / n, binomial_interval(k, n)[1]))


def _series(
    axes: Axes, part: xr.Dataset, along: str, exponent: int, colour: str, label: str,
    switching: bool,
) -> None:  # fmt: skip
    x = part[along].values / 10.0**exponent
    counts = part.n_errors.values.astype(float), part.n_trials.values.astype(float)
    rate_points(axes, x, *counts, colour, label, complement=switching)
    for device in dict.fromkeys(part.device.values.tolist()):
        mine = np.flatnonzero(part.device.values == device)
        mine = mine[np.argsort(x[mine])]
        fine, log_p = _between(x[mine], part.log_p.values[mine])
        model = -np.expm1(log_p) if switching else np.maximum(np.exp(log_p), LOWEST)
        axes.plot(fine, model, "-", lw=0.9, color=colour, alpha=0.8)


def _between(x: Array, log_p: Array) -> tuple[Array, Array]:
    """Join a model's rates smoothly, without overshoot, on the scale where they are straightest."""
    if len(x) < 2:
        return x, log_p
    fine = np.linspace(x[0], x[-1], BETWEEN)
    normal = PchipInterpolator(x, ndtri_exp(np.minimum(log_p, -NEAREST)))(fine)
    return fine, np.asarray(log_ndtr(normal))


def _ring(axes: Axes, x: Array, y: Array, check: xr.Dataset) -> None:
    """Mark the points that checks have flagged."""
    flagged = check.flagged.values.astype(bool)
    axes.plot(x[flagged], y[flagged], "o", ms=9, mfc="none", mec=RED, mew=1.3)


def residuals_figure(check: xr.Dataset) -> Figure:
    """Plot randomised quantile residuals against drive and width, and their quantiles.

    Parameters
    ----------
    check : xarray.Dataset
        As `fitting.point_check.compare` gives it.

    Returns
    -------
    matplotlib.figure.Figure
        One panel for each drive that was varied, and normal quantiles with a 95 % band.

    Examples
    --------
    See docs/guide/quickstart.md.
    """
    drives = [x for x in UNITS if x in check.coords and len(np.unique(check[x].values)) > 1]
    residual = check.quantile_residual.values
    with matplotlib.rc_context(STYLE):
        figure, (*against, last) = panels(len(drives) + 1, WIDTH, 3.5, sharey=True)
        for axes, name in zip(against, drives, strict=True):
            exponent, prefix = prefix_of(float(check[name].values.max()))
            x = check[name].values / 10.0**exponent
            directions = sorted(set(check.direction.values.tolist()), reverse=True)
            for direction, colour, marker in zip(directions, COLOURS, MARKERS, strict=False):
                mine = check.direction.values == direction
                axes.plot(x[mine], residual[mine], marker, ms=3, mew=0, color=colour, alpha=0.6,
                          label=direction)  # fmt: skip
            axes.axhline(0, color=GREY, lw=0.8)
            for edge in (-NORMAL_QUANTILE, NORMAL_QUANTILE):
                axes.axhline(edge, color=GREY, lw=0.8, ls="--")
            _ring(axes, x, residual, check)
            axes.set_xlabel(f"{LABELS[name]} [{prefix}{UNITS[name]}]")
        _quantiles(last, check)
        first = against[0] if against else last
        first.set_ylabel("residual [standard deviations]")
        most = max(4.0, 1.15 * float(np.abs(residual).max()))
        first.set_ylim(-most, most)
        handles, texts = against[0].get_legend_handles_labels() if against else ([], [])
        band, its_text = last.get_legend_handles_labels()
        figure.legend([*handles, *band], [*texts, *its_text], loc="outside lower center",
                      ncols=len(texts) + 1, markerscale=1.8)  # fmt: skip
    return figure


def _quantiles(axes: Axes, check: xr.Dataset) -> None:
    """Draw sorted residuals against those of the normal law, in the band that holds them all."""
    order = np.argsort(check.quantile_residual.values)
    n = len(order)
    rank = np.arange(1, n + 1)
    normal = scipy_stats.norm.ppf((rank - 0.5) / n)
    tail = float(check.attrs["qq_level"]) / 2
    low, high = (
        scipy_stats.norm.ppf(scipy_stats.beta.ppf(level, rank, n + 1 - rank))
        for level in (tail, 1 - tail)
    )
    axes.fill_between(
        normal,
        low,
        high,
        color=GREY,
        alpha=0.25,
        lw=0,
        label="95 % band of sorted residuals",
    )
    axes.plot(normal, normal, color=GREY, lw=0.8)
    sorted_ = check.quantile_residual.values[order]
    axes.plot(normal, sorted_, "o", ms=3, mew=0, color="#000000", alpha=0.7)
    _ring(axes, normal, sorted_, check.isel(point=order))
    axes.set_xlabel("normal quantile [standard deviations]")


def devices_figure(fit: FitResult) -> Figure:
    """Plot the estimates of every device with their error bars, beside the population.

    Parameters
    ----------
    fit : FitResult
        A fit with devices.

    Returns
    -------
    matplotlib.figure.Figure
        One panel for each parameter, devices from top to bottom.

    Examples
    --------
    See docs/guide/quickstart.md.
    """
    names = device_parameters(fit)
    n = len(fit.devices)
    known = {e.name: e for e in fit.estimates}
    with matplotlib.rc_context(STYLE):
        height = float(np.clip(1.5 + 0.21 * n, 2.2, 8.0))
        figure, every = panels(len(names), WIDTH, height, columns=4, sharey=True)
        for axes, name in zip(every, names, strict=True):
            unit, symbol = unit_and_symbol(fit, name)
            centre = float(np.nanmedian([d.values.get(name, np.nan) for d in fit.devices]))
            exponent, prefix = (0, "") if unit == "1" else prefix_of(centre)
            scale = 10.0**exponent
            _population(axes, known.get(name), scale)
            _bars(axes, fit.devices, name, scale)
            axes.set_xlabel(f"{_symbol(name, symbol)} [{prefix}{unit}]")
            axes.set_title(name, fontsize=9)
            axes.use_sticky_edges = False  # keeps a margin around the bands
            axes.margins(x=0.08)
            axes.set_ylim(n - 0.4, -0.6)
            axes.locator_params(axis="x", nbins=4)
            axes.grid(visible=False, axis="y")
        labels = [d.device for d in fit.devices] if n <= MOST_NAMES else []
        for axes in every[::4]:
            axes.set_yticks(range(len(labels)), labels, fontsize=8)
            axes.set_ylabel("device" if n <= MOST_NAMES else f"{n} devices")
        handles, texts = every[0].get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside lower center", ncols=len(texts))
    return figure


def device_parameters(fit: FitResult) -> list[str]:
    """Name what was fitted to every device, in the order of the estimates.

    Parameters
    ----------
    fit : FitResult
        The fit.

    Returns
    -------
    list of str
        Names; none where a recipe fits no single devices.

    Examples
    --------
    >>> device_parameters(FitResult("none", "0", (), (), {}))
    []
    """
    names = list(dict.fromkeys(name for d in fit.devices for name in d.values))
    places = {e.name: k for k, e in enumerate(fit.estimates)}

    def place(name: str) -> int:
        estimate = _estimate(fit, name)
        return places[estimate.name] if estimate else len(places)

    return sorted(names, key=place)


def _estimate(fit: FitResult, name: str) -> Estimate | None:
    """Find the estimate of a parameter of single devices: of the population, or of one of them."""
    for e in fit.estimates:
        if e.name == name or any(e.name.replace(f"_{d.device}_", "_", 1) == name
                                 for d in fit.devices):  # fmt: skip
            return e
    return None


def _population(axes: Axes, estimate: Estimate | None, scale: float) -> None:
    if estimate is None or not np.isfinite(estimate.spread):
        return
    e = estimate
    half = np.exp(NORMAL_QUANTILE * e.spread)
    axes.axvspan(e.value / half / scale, e.value * half / scale, color=COLOURS[0], alpha=0.12, lw=0,
                 label="central 95 % of devices")  # fmt: skip
    axes.axvspan(e.low / scale, e.high / scale, color=COLOURS[0], alpha=0.3, lw=0,
                 label="95 % interval of the median device")  # fmt: skip
    axes.axvline(e.value / scale, color=COLOURS[0], lw=1.2, label="median device")


def _bars(axes: Axes, devices: tuple[DeviceFit, ...], name: str, scale: float) -> None:
    there = [k for k, d in enumerate(devices) if name in d.values]
    y = np.array(there)
    x = np.array([devices[k].values[name] for k in there]) / scale
    error = NORMAL_QUANTILE * np.array([devices[k].stderrs[name] for k in there]) / scale
    at_bound = np.array([name in devices[k].at_bound for k in there])
    axes.errorbar(x[~at_bound], y[~at_bound], xerr=error[~at_bound], fmt="o", ms=3.5, lw=1,
                  color="#000000", label="device, 95 % interval")  # fmt: skip
    if at_bound.any():
        axes.plot(x[at_bound], y[at_bound], "D", ms=5, mfc="none", mec=RED,
                  label="ended at a bound")  # fmt: skip


def unit_and_symbol(fit: FitResult, name: str) -> tuple[str, str]:
    """Give unit and symbol of a parameter of single devices.

    Parameters
    ----------
    fit : FitResult
        The fit.
    name : str
        Name of an estimate, or of one without the device in its name.

    Returns
    -------
    tuple of str
        SI unit, and LaTeX symbol or nothing.

    Examples
    --------
    >>> e = Estimate("v_50_A_p_ap", 0.9, 0.01, 0.88, 0.92, "V", "V_{50}")
    >>> device = DeviceFit("A", {"v_50_p_ap": 0.9}, {"v_50_p_ap": 0.01}, 3.0, 5, 0.5)
    >>> unit_and_symbol(FitResult("none", "0", (e,), (), {}, devices=(device,)), "v_50_p_ap")
    ('V', 'V_{50}')
    """
    e = _estimate(fit, name)
    return (e.unit, e.symbol) if e else ("1", "")


def _symbol(name: str, symbol: str) -> str:
    return f"${symbol}$" if symbol else name


def probability_paper_figure(check: xr.Dataset) -> Figure:
    """Plot resistances of states and their fitted laws on log-normal probability paper.

    Parameters
    ----------
    check : xarray.Dataset
        Over ``point``: resistance [Ohm], state, sample_quantile and law_quantile [1].

    Returns
    -------
    matplotlib.figure.Figure
        One panel; a log-normal law is a straight line.

    Examples
    --------
    See docs/guide/fit_rram.md.
    """
    with matplotlib.rc_context(STYLE):
        figure, (axes,) = panels(1, WIDTH, 4.2)
        for j, state in enumerate(dict.fromkeys(check.state.values.tolist())):
            one = check.isel(point=np.flatnonzero(check.state.values == state))
            r, colour = one.resistance.values, COLOURS[j]
            axes.plot(r, one.sample_quantile.values, MARKERS[j], ms=3, color=colour, label=state)
            axes.plot(r, one.law_quantile.values, lw=1.2, color=colour, label=f"{state}, law")
        axes.set_xscale("log")
        axes.set_xlabel(r"resistance [$\Omega$]")
        axes.set_ylabel("normal quantile [standard deviations]")
        percent = np.array([0.01, 1, 10, 50, 90, 99, 99.99])
        right = axes.secondary_yaxis("right")
        right.set_yticks(scipy_stats.norm.ppf(percent / 100), [f"{x:g}" for x in percent])
        right.set_ylabel("share below [%]")
        axes.legend()
    return figure


def profiles_figure(fit: FitResult) -> Figure:
    """Plot profile likelihoods with the line of their 95 % intervals.

    Parameters
    ----------
    fit : FitResult
        A fit with profiles.

    Returns
    -------
    matplotlib.figure.Figure
        One panel for each parameter, one curve for each device.

    Examples
    --------
    See docs/guide/quickstart.md.
    """
    shown = {name for curves in fit.profiles.values() for name in curves}
    names = [e.name for e in fit.estimates if e.name in shown]
    with matplotlib.rc_context(STYLE):
        figure, every = panels(len(names), WIDTH, 2.9, columns=4, sharey=True)
        for axes, name in zip(every, names, strict=True):
            unit, symbol = unit_and_symbol(fit, name)
            curves = {device: c[name] for device, c in fit.profiles.items() if name in c}
            middle = float(np.median([x for points in curves.values() for x, _ in points]))
            exponent, prefix = (0, "") if unit == "1" else prefix_of(middle)
            for j, (device, points) in enumerate(curves.items()):
                x, deviance = np.array(points).T
                root = np.sqrt(deviance) * np.sign(x - x[deviance.argmin()])  # nearly a line
                between = np.linspace(x[0], x[-1], BETWEEN)
                colour = COLOURS[j % len(COLOURS)]
                axes.plot(between / 10.0**exponent, PchipInterpolator(x, root)(between) ** 2,
                          lw=1, color=colour, label=device)  # fmt: skip
                axes.plot(x / 10.0**exponent, deviance, "o", ms=2.5, color=colour)
            axes.axhline(CHI_SQUARE, color=RED, ls="--", lw=1, label=f"95 %: {CHI_SQUARE:.2f}")
            axes.set_xlabel(f"{_symbol(name, symbol)} [{prefix}{unit}]")
            axes.set_title(name, fontsize=9)
            axes.locator_params(axis="x", nbins=4)
        every[0].set_ylim(-0.2, 2 * CHI_SQUARE)
        if len(fit.profiles) <= MOST_CURVES:
            handles, labels = every[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=5)
        for axes in every[::4]:
            axes.set_ylabel("deviance above the best fit [1]")
    return figure


def correlations_figure(fit: FitResult) -> Figure:
    """Plot the correlations of the estimates as numbers and colours.

    Parameters
    ----------
    fit : FitResult
        A fit with a covariance of its estimates, at most `MOST_CORRELATED` of them.

    Returns
    -------
    matplotlib.figure.Figure
        One panel, lower triangle.

    Examples
    --------
    See docs/guide/quickstart.md.
    """
    names = [e.name for e in fit.estimates if e.vary]
    n = len(names)
    covariance = np.array(fit.covariance)
    errors = np.sqrt(np.diag(covariance))
    scale = np.outer(errors, errors)
    rho = np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0)
    shown: NDArray[np.float64] = np.where(np.tri(n, k=-1, dtype=bool), rho, np.nan)[1:, :-1]
    size = 1.6 + 0.45 * n
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure, (axes,) = panels(1, size + 1.6, size)
        image = axes.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        style: Mapping[str, Any] = {"fontsize": 8.5}
        axes.set_xticks(range(n - 1), names[:-1], rotation=40, ha="right", **style)
        axes.set_yticks(range(n - 1), names[1:], **style)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        for (row, column), value in np.ndenumerate(shown):
            if np.isfinite(value):
                ink = "white" if abs(value) > 0.6 else "black"
                axes.text(column, row, f"{value:.2f}".replace("-0.00", "0.00"), ha="center",
                          va="center", color=ink, fontsize=8)  # fmt: skip
        figure.colorbar(image, ax=axes, shrink=0.7, label="correlation [1]")
    return figure
