"""What a report shows of a fit: flags, intervals, residuals, devices; a page of its own or part."""

import math
from typing import Any

import numpy as np
import xarray as xr

from devicephys import plotting_fit
from devicephys.fitting.result import DeviceFit, Estimate, FitResult, spread_text
from devicephys.plotting import to_svg
from devicephys.report import verdicts
from devicephys.report.page import Svg, data_rows, plain, render

PAPER = (
    "Resistances of each state, sorted, on log-normal probability paper: one log-normal law is a "
    "straight line. Points are samples (at most 300 a state; samples out of range keep their place "
    "in the order), lines the fitted laws."
)
RINGS = " Red rings: points that a check has flagged."


def fit_html(fit: FitResult, check: xr.Dataset | None, command: str) -> str:
    """Make the report of a fit as one page without outside references.

    Parameters
    ----------
    fit : FitResult
        The fit of any recipe.
    check : xarray.Dataset or None
        Its points beside their model, as `fitting.point_check.compare` gives them; None where the
        recipe has no such thing: then there are fewer figures.
    command : str
        What was typed, for the record.

    Returns
    -------
    str
        The HTML page.

    Examples
    --------
    >>> empty = FitResult("none", "0", (), (), {"source": "x.csv", "sha256": "", "synthetic": 0})
    >>> "<h1>Fit of x.csv</h1>" in fit_html(empty, None, "devicephys fit ...")
    True
    """
    shown = numbers(fit) | {
        "title": f"Fit of {fit.data['source']}",
        "verdicts": verdicts.as_json(verdicts.of_fit(fit)),
        "data": plain(fit.data),
        "synthetic": bool(fit.data["synthetic"]),
        "recipe": fit.recipe,
        "version": fit.version,
        "seed": "not kept" if fit.seed is None else fit.seed,
        "command": command,
        "fit_svg": figures(fit, check, whole=True),
    }
    return render("fit.html.j2", shown)


def numbers(fit: FitResult) -> dict[str, Any]:
    """Give what a report says of a fit, as plain values.

    Parameters
    ----------
    fit : FitResult
        The fit.

    Returns
    -------
    dict
        parameters, methods (of other intervals), data_rows, fit (deviance, flags and so on) and
        devices.

    Examples
    --------
    >>> numbers(FitResult("none", "0", (), (), {}))["fit"]["flags"]
    []
    """
    truth, said = verdicts.truth_of(fit), fit.data.get("truth", {})
    parameters = [
        vars(e)
        | {
            "spread_text": "" if math.isnan(e.spread) else spread_text(*_spread_of(e)),
            "intervals": {m: rows[e.name] for m, rows in fit.intervals.items() if e.name in rows},
            "truth": truth.get(e.name) if e.vary else said.get(f"truth_{e.name}"),
            "specification": "",
            "verdict": "",
        }
        for e in fit.estimates
    ]
    found: dict[str, Any] = plain(
        {
            "parameters": parameters,
            "methods": list(fit.intervals),
            "data_rows": data_rows(fit.data),
            "fit": {"deviance": fit.deviance, "dof": fit.dof, "p_value": fit.p_value,
                    "notes": list(fit.notes), "flags": list(fit.flags)},
            "devices": [vars(d) | {"shown": _shown(fit, d)} for d in fit.devices],
        }
    )  # fmt: skip
    return found


def _spread_of(e: Estimate) -> tuple[float, float, float]:
    return e.spread, e.spread_low, e.spread_high


def _shown(fit: FitResult, device: DeviceFit) -> list[dict[str, Any]]:
    """The line of a device in a table, in the order of the estimates."""
    return [
        {
            "name": name,
            "value": device.values.get(name),
            "stderr": device.stderrs.get(name),
            "unit": plotting_fit.unit_and_symbol(fit, name)[0],
            "at_bound": name in device.at_bound,
        }
        for name in plotting_fit.device_parameters(fit)
    ]


def figures(fit: FitResult, check: xr.Dataset | None, *, whole: bool) -> list[Svg]:
    """Draw the figures of a fit, those for which there is something to show.

    Parameters
    ----------
    fit : FitResult
        The fit.
    check : xarray.Dataset or None
        Its points beside their model.
    whole : bool
        Whether data and model are drawn; a study shows them elsewhere.

    Returns
    -------
    list of tuple of str
        SVG elements and captions.

    Examples
    --------
    >>> figures(FitResult("none", "0", (), (), {}), None, whole=True)
    []
    """
    svg = []
    if check is not None and check.attrs["shown"] == "resistance":
        figure = plotting_fit.probability_paper_figure(check)
        svg.append((to_svg(figure, "states"), PAPER))
        check = None
    if check is not None and whole:
        figure = plotting_fit.points_figure(check, bool(fit.data["synthetic"]))
        svg.append((to_svg(figure, "points"), _of_points(check)))
    if check is not None:
        svg.append(
            (
                to_svg(plotting_fit.residuals_figure(check), "residuals"),
                "Randomised quantile residuals of every point: standard normal if the model is "
                "true, also where hardly an error was counted; above 0 are more errors than the "
                "model's. Dashed: 1.96 standard deviations, which 5 % of points exceed. Right: "
                "sorted, against the normal law; the band holds all of them in 95 % of samples of "
                "a true model." + RINGS * bool(check.flagged.any()),
            )
        )
    if len(fit.devices) > 1:
        svg.append((to_svg(plotting_fit.devices_figure(fit), "devices"), _of_devices(fit)))
    if fit.profiles:
        svg.append(
            (
                to_svg(plotting_fit.profiles_figure(fit), "profiles"),
                "Profile likelihoods: how much worse the best fit becomes when one parameter is "
                "held at a value and the others follow. Below the dashed line (3.84) lies the 95 % "
                "interval; a flat curve is a parameter that these data do not tell.",
            )
        )
    varied = [e for e in fit.estimates if e.vary]
    if 2 < len(varied) <= plotting_fit.MOST_CORRELATED and np.any(fit.covariance):
        figure = plotting_fit.correlations_figure(fit)
        share = min(1.0, figure.get_figwidth() / plotting_fit.WIDTH)
        svg.append(
            (
                f'<div style="max-width: {share:.0%}">{to_svg(figure, "correlations")}</div>',
                "Correlations of the estimates (of their logarithms). Near 1 or -1, the data "
                "tell a combination of the two better than either.",
            )
        )
    return svg


def _of_points(check: xr.Dataset) -> str:
    text = "Every point with its 95 % Clopper-Pearson interval; lines: the fit of its own device"
    if check.attrs["shown"] == "switching probability":
        text += (". Open triangles: no pulse, or every pulse, has switched the device; they stand "
                 "at the one-sided 95 % limit.")  # fmt: skip
    else:
        text += ". Open triangles: no error counted, one-sided 95 % upper limit."
    return text + RINGS * bool(check.flagged.any())


def _of_devices(fit: FitResult) -> str:
    text = "Estimates of every device with their 95 % intervals"
    if any(np.isfinite(e.spread) for e in fit.estimates):
        text += (
            ". Line: median device of the population; dark band: its 95 % interval; light band: "
            "central 95 % of devices by the spread between them, counting errors taken out"
        )
    return text + "."
