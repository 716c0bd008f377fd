"""Figures of a report as inline SVG: readable axes with units, intervals, no hidden state."""

import io
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from devicephys.bnn.energy import LeastEnergy, rows_of
from devicephys.checks import Array
from devicephys.ecc import overhead
from devicephys.fitting.bands import Band
from devicephys.rram.operating_points import CODED
from devicephys.stats import binomial_interval
from devicephys.units import prefix_of, si

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLE: Any = {  # matplotlib types every key of it
    "font.size": 10,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "path",
}
HRS_SHADES = ((0.8, "#9ecae1"), (1.0, "#4292c6"), (1.2, "#2171b5"), (1.4, "#08306b"))  # V
PUBLISHED = (  # rates up to which abstracts report little loss
    (1e-3, "1908.04085: little impact"),
    (4e-2, "1904.03652: adapted training"),
)


def to_svg(figure: Figure, name: str) -> str:
    """Render a figure as an SVG element; equal figures give equal text.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    name : str
        Salt of the element ids, one for each figure of a page.

    Returns
    -------
    str
        The ``<svg>`` element.

    Examples
    --------
    >>> to_svg(Figure(), "empty")[:4]
    '<svg'
    """
    out = io.StringIO()
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def panels(
    n: int, width: float, height: float, *, columns: int = 0, **kwargs: Any
) -> tuple[Figure, list[Axes]]:
    """Make a figure of panels side by side, in several rows where they are many.

    Parameters
    ----------
    n : int
        Number of panels [1].
    width, height : float
        Width of the figure and height of a row, in inches [1].
    columns : int, optional
        Panels in a row, 0 for one row [1].
    **kwargs
        Of matplotlib's ``Figure.subplots``.

    Returns
    -------
    tuple of Figure and list of Axes
        The figure and its panels.

    Examples
    --------
    >>> len(panels(5, 9.0, 3.0, columns=3)[1])
    5
    """
    columns = min(n, columns or n)
    rows = -(-n // columns)
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False, **kwargs).ravel())
    for spare in axes[n:]:
        spare.remove()
    return figure, axes[:n]


def rate_points(
    axes: Axes, x: Array, k: Array, n: Array, colour: str, label: str, *, complement: bool = False
) -> None:
    """Plot counted rates with 95 % Clopper-Pearson bars, and one-sided limits as open triangles.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The panel.
    x : ndarray
        Places of the points, shape (points,) [unit of the axis].
    k, n : ndarray
        Errors and trials, shape (points,) [1].
    colour, label : str
        Of the points.
    complement : bool, optional
        Whether the share of trials without error is plotted.

    Examples
    --------
    See `wer_figure`.
    """
    low, high = binomial_interval(k, n)
    rate, none, every = k / n, k == 0, k == n
    if complement:
        rate, low, high, none, every = 1 - rate, 1 - high, 1 - low, every, none
    some = ~none & ~every if complement else ~none
    axes.errorbar(
        x[some], rate[some], yerr=[(rate - low)[some], (high - rate)[some]], fmt="o", ms=2.6,
        lw=0.8, color=colour, alpha=0.75, label=label,
    )  # fmt: skip
    axes.plot(x[none], high[none], "v", ms=4, mfc="none", color=colour, alpha=0.75)
    if complement:
        axes.plot(x[every], low[every], "^", ms=4, mfc="none", color=colour, alpha=0.75)


def wer_figure(dataset: xr.Dataset, bands: Sequence[Band], synthetic: bool) -> Figure:
    """Plot error rates against pulse width with intervals, and the fitted population.

    Parameters
    ----------
    dataset : xarray.Dataset
        Write-error counts.
    bands : sequence of Band
        Model curves, one for each direction and current.
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
    directions = list(dict.fromkeys(b.direction for b in bands))
    with matplotlib.rc_context(STYLE):
        figure, every = panels(len(directions), 9.2, 4.2, sharey=True)
        for axes, direction in zip(every, directions, strict=True):
            mine = [b for b in bands if b.direction == direction]
            for band, colour in zip(mine, cycle(COLOURS), strict=False):
                _wer_series(axes, dataset, band, colour)
            axes.set_yscale("log")
            axes.set_xlabel("pulse width [ns]")
            axes.set_title(direction + ("  (synthetic data)" if synthetic else ""), fontsize=10)
            axes.set_ylim(1e-8, 2)
            axes.legend(title="pulse current", loc="lower left", title_fontsize=8.5)
        every[0].set_ylabel("write error rate [1]")
    return figure


def _wer_series(axes: Axes, dataset: xr.Dataset, band: Band, colour: str) -> None:
    chosen = (dataset.direction.values == band.direction) & np.isclose(
        dataset.pulse_current.values, band.current
    )
    t = dataset.pulse_width.values[chosen] * 1e9
    k, n = dataset.n_errors.values[chosen], dataset.n_trials.values[chosen]
    rate_points(axes, t, k, n, colour, si(band.current, "A"))
    inside = band.width <= t.max() * 1e-9
    ns = band.width * 1e9
    axes.plot(ns[inside], band.median[inside], "-", lw=1.2, color=colour)
    axes.plot(ns[~inside], band.median[~inside], "--", lw=1.2, color=colour)
    axes.fill_between(ns, band.low, band.high, color=colour, alpha=0.15, lw=0)


def ramps_figure(voltage: Array, lrs: Array, after: Array) -> Figure:
    """Plot resistance against staircase voltage: median, 5-95 % band, ten single ramps.

    Parameters
    ----------
    voltage : ndarray
        Voltages, shape (n_voltages,) [V].
    lrs : ndarray
        Resistance before each ramp, shape (n_ramps,) [Ohm].
    after : ndarray
        Resistance after each pulse, NaN where a ramp had ended, shape (n_ramps, n_voltages) [Ohm].

    Returns
    -------
    matplotlib.figure.Figure
        Ramps on the left, probability paper of ln R at four voltages on the right.

    Examples
    --------
    See docs/guide/hfo2.md.
    """
    from scipy.stats import norm

    shown = (voltage > 0.4) & (np.isfinite(after).mean(axis=0) > 0.9)
    v, r = voltage[shown], after[:, shown] / 1e3
    with matplotlib.rc_context(STYLE):
        figure, (left, right) = panels(2, 9.2, 4.2)
        for row in r[:: max(1, len(r) // 10)][:10]:
            left.plot(v, row, lw=0.6, color="#888888")
        left.plot([], [], lw=0.6, color="#888888", label="ten single ramps")
        low, middle, high = np.nanpercentile(r, [5, 50, 95], axis=0)
        left.fill_between(v, low, high, color=COLOURS[0], alpha=0.2, lw=0, label="5-95 % of ramps")
        left.plot(v, middle, color=COLOURS[0], label="median after the pulse (HRS)")
        left.axhline(np.median(lrs) / 1e3, color=COLOURS[1], ls="--", label="median LRS")
        left.set_yscale("log")
        left.set_ylim(4, 200)
        left.set_xlabel("staircase voltage $V_{SL}$ [V]")
        left.set_ylabel("resistance [kOhm]")
        left.legend(loc="upper left")
        samples = [(lrs / 1e3, "LRS", COLOURS[1])]
        for at, colour in HRS_SHADES:
            j = int(np.abs(v - at).argmin())
            samples.append((r[:, j], f"HRS, {v[j]:.2f} V", colour))
        for values, label, colour in samples:
            x = np.sort(values[np.isfinite(values)])
            right.plot(
                x,
                norm.ppf((np.arange(len(x)) + 0.5) / len(x)),
                ".",
                ms=3,
                color=colour,
                label=label,
            )
        right.set_xscale("log")
        right.set_xlabel("resistance [kOhm]")
        right.set_ylabel("normal quantile of the share of ramps [1]")
        right.legend(loc="lower right", markerscale=3)
    return figure


def resistance_figure(model: xr.Dataset) -> Figure:
    """Plot resistance along the staircase, under equal pulses, and by the weak-RESET law.

    Parameters
    ----------
    model : xarray.Dataset
        As `fitting.ramp_comparison.compare` gives it.

    Returns
    -------
    matplotlib.figure.Figure
        Three panels that share the resistance axis.

    Examples
    --------
    See docs/guide/hfo2.md.
    """
    v, n = model.pulse_voltage.values, model.pulses.values
    with matplotlib.rc_context(STYLE):
        figure, (left, middle, right) = panels(3, 9.8, 4.0, sharey=True)
        _singles(left, v, model.r_single.values)
        _quantiles(left, v, model.r_measured.values, COLOURS[0], "measured")
        low, centre, high = model.r_model.values / 1e3
        left.plot(v, centre, color=COLOURS[1], label="filament, median")
        left.plot(v, low, color=COLOURS[1], ls="--", lw=1, label="filament, 5 and 95 %")
        left.plot(v, high, color=COLOURS[1], ls="--", lw=1)
        left.set_xlabel("staircase voltage $V_{SL}$ [V]")
        left.set_ylabel("resistance [kOhm]")
        for axes, name, colour, title in (
            (middle, "r_train", COLOURS[1], "filament"),
            (right, "r_law", COLOURS[2], "weak-RESET law"),
        ):
            _singles(axes, n, model[f"{name}_single"].values)
            _quantiles(axes, n, model[name].values, colour, title)
            axes.set_xscale("log")
            axes.set_xlabel("number of equal pulses [1]")
        for axes in (left, middle, right):
            axes.set_yscale("log")
            axes.set_ylim(4, 200)
            axes.legend(loc="upper left")
    return figure


def _singles(axes: Axes, x: Array, rows: Array) -> None:
    for row in rows:
        axes.plot(x, row / 1e3, lw=0.6, color="#888888")
    axes.plot([], [], lw=0.6, color="#888888", label="ten single devices")


def _quantiles(axes: Axes, x: Array, rows: Array, colour: str, name: str) -> None:
    low, centre, high = rows / 1e3
    axes.fill_between(x, low, high, color=colour, alpha=0.2, lw=0, label=f"{name}, 5-95 %")
    axes.plot(x, centre, color=colour, lw=2, label=f"{name}, median")


def onset_figure(model: xr.Dataset) -> Figure:
    """Plot the distribution of onset voltages over devices, measured and simulated.

    Parameters
    ----------
    model : xarray.Dataset
        As `fitting.ramp_comparison.compare` gives it.

    Returns
    -------
    matplotlib.figure.Figure
        Histogram, and cumulative shares.

    Examples
    --------
    See docs/guide/hfo2.md.
    """
    pairs = ((model.onset_measured.values, "measured", COLOURS[0]),
             (model.onset_model.values, "filament", COLOURS[1]))  # fmt: skip
    with matplotlib.rc_context(STYLE):
        figure, (left, right) = panels(2, 9.2, 3.4)
        edges = np.arange(0.7, max(x.max() for x, _, _ in pairs) + 0.05, 0.05).tolist()
        for x, name, colour in pairs:
            style: dict[str, Any] = {"color": colour, "weights": np.full(len(x), 100 / len(x))}
            left.hist(x, edges, alpha=0.25, **style)
            left.hist(x, edges, histtype="step", lw=1.5, label=f"{name}, {len(x)} devices", **style)
            right.plot(np.sort(x), (np.arange(len(x)) + 0.5) / len(x), drawstyle="steps-mid",
                       color=colour, label=name)  # fmt: skip
        left.set_ylabel("share of devices [%]")
        right.set_ylabel("cumulative share of devices [1]")
        for axes in (left, right):
            axes.set_xlabel("mean onset voltage of a device [V]")
            axes.legend(loc="center right")
    return figure


def ber_comparison_figure(model: xr.Dataset) -> Figure:
    """Plot counted and modelled bit error rates against the energy of the last pulse.

    Parameters
    ----------
    model : xarray.Dataset
        As `fitting.ramp_comparison.compare` gives it.

    Returns
    -------
    matplotlib.figure.Figure
        One panel for each kind of cell.

    Examples
    --------
    See docs/guide/hfo2.md.
    """
    with matplotlib.rc_context(STYLE):
        figure, every = panels(model.sizes["cell"], 9.8, 3.8, sharey=True)
        for axes, name, colour in zip(every, model.cell.values, COLOURS, strict=False):
            mine = model.sel(cell=name)
            energy = mine.energy.values * 1e12 * (overhead(CODED[name]) if name in CODED else 1.0)
            ber = mine.ber_measured.values
            bars = [ber - mine.ber_measured_lo.values, mine.ber_measured_hi.values - ber]
            axes.errorbar(energy, ber, yerr=bars, fmt="o", ms=4, capsize=2, color=colour,
                          label="counted")  # fmt: skip
            axes.plot(energy, mine.ber_model.values, color="#000000", lw=1.2, label="filament")
            axes.set_yscale("log")
            axes.set_title(name, fontsize=10)
            axes.set_xlabel("energy of the last pulse [pJ]")
            axes.legend(loc="lower left")
        every[0].set_ylabel("bit error rate [1], 95 % interval")
        every[0].set_ylim(1e-5, 1)
    return figure


def ber_energy_figure(table: xr.Dataset, front: xr.Dataset, synthetic: bool) -> Figure:
    """Plot bit error rate against energy per bit: every operating point, and the front.

    Parameters
    ----------
    table : xarray.Dataset
        A table.
    front : xarray.Dataset
        Its points as `tables.pareto` gives them.
    synthetic : bool
        Whether to say so in the figure.

    Returns
    -------
    matplotlib.figure.Figure
        One panel, logarithmic in both axes.

    Examples
    --------
    See docs/guide/quickstart.md.
    """
    cells = list(dict.fromkeys(front.cell.values.tolist())) if "cell" in front else [""]
    exponent, prefix = prefix_of(float(np.median(table.energy_per_bit)))
    with matplotlib.rc_context(STYLE):
        figure, (axes,) = panels(1, 6.4, 4.0)
        for cell, colour in zip(cells, cycle(COLOURS if cells[0] else ["#aaaaaa"]), strict=False):
            every = table.sel(cell=cell) if cell else table
            axes.plot(
                every.energy_per_bit.values.ravel() / 10.0**exponent, every.ber.values.ravel(), ".",
                color=colour, ms=3, alpha=0.6,
                label="all operating points" if colour == "#aaaaaa" else None,
            )  # fmt: skip
        if cells[0]:
            axes.plot([], [], ".", color="#888888", ms=3, label="points that others beat")
        for cell, colour, marker in zip(cells, cycle(COLOURS), cycle(MARKERS), strict=False):
            mine = front.isel(point=np.flatnonzero(front.cell.values == cell)) if cell else front
            energy, ber = mine.energy_per_bit.values / 10.0**exponent, mine.ber.values
            bars = [ber - mine.ber_lo.values, mine.ber_hi.values - ber]
            label = cell or "least energy for its error rate"
            axes.errorbar(energy, ber, yerr=bars, fmt=f"{marker}-", ms=4, lw=1, capsize=2,
                          color=colour, label=label)  # fmt: skip
        axes.set_yscale("log")
        axes.set_xlabel(f"energy per bit [{prefix}J]")
        axes.set_ylabel("bit error rate [1], 95 % interval")
        if synthetic:
            axes.set_title("synthetic data", fontsize=10)
        axes.legend(loc="best")
    return figure


def accuracy_figure(results: xr.Dataset, answers: Sequence[LeastEnergy], synthetic: bool) -> Figure:
    """Plot accuracy against energy per bit and against bit error rate, with intervals.

    Parameters
    ----------
    results : xarray.Dataset
        As `bnn.energy.along` gives them.
    answers : sequence of LeastEnergy
        Least energies, marked on the energy axis.
    synthetic : bool
        Whether to say so in the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels that share the accuracy axis.

    Examples
    --------
    See docs/guide/quickstart.md.
    """
    exponent, prefix = prefix_of(float(np.median(results.energy_per_bit)))
    with matplotlib.rc_context(STYLE):
        figure, (left, right) = panels(2, 9.2, 4.2, sharey=True)
        for j, answer in enumerate(answers):
            colour, marker = COLOURS[j % len(COLOURS)], MARKERS[j % len(MARKERS)]
            line = "-" if j < len(COLOURS) else "--"
            part = results.isel(point=rows_of(results, answer.network, answer.cell))
            y = 100 * part.accuracy.values
            bars = [y - 100 * part.accuracy_lo.values, 100 * part.accuracy_hi.values - y]
            style: dict[str, Any] = {
                "fmt": f"{marker}{line}",
                "ms": 4,
                "lw": 1,
                "capsize": 2,
                "color": colour,
            }
            name = f"{answer.network} {answer.cell}".strip()
            energy = part.energy_per_bit.values / 10.0**exponent
            left.errorbar(energy, y, yerr=bars, label=name, **style)
            some = part.ber.values > 0
            right.errorbar(part.ber.values[some], y[some], yerr=np.array(bars)[:, some], **style)
            if answer.found:
                left.axvline(answer.energy_per_bit / 10.0**exponent, color=colour, ls=":", lw=1.2)
        left.set_xlabel(f"energy per bit [{prefix}J]")
        left.set_ylabel("accuracy [%], 95 % interval")
        left.legend(loc="lower right")
        right.set_xscale("log")
        right.set_xlabel("bit error rate [1]")
        low, high = right.get_xlim()
        for rate, text in PUBLISHED:
            if low < rate < high:
                right.axvline(rate, color="#777777", ls="--", lw=0.9)
                right.text(
                    rate, 0.03, f"arXiv {text}", rotation=90, fontsize=7.5, color="#555555",
                    ha="right", va="bottom", transform=right.get_xaxis_transform(),
                    bbox={"fc": "white", "ec": "none", "pad": 0.5, "alpha": 0.8},
                )  # fmt: skip
        if synthetic:
            left.set_title("synthetic data", fontsize=10)
    return figure
