"""Collect the files of a run, draw the figures, write report.html and report.json."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import xarray as xr

from devicephys import __version__, plotting, tables
from devicephys.bnn.energy import LeastEnergy, least_energy
from devicephys.bnn.savings import savings
from devicephys.errors import DataError
from devicephys.fitting import result as fit_result
from devicephys.fitting.bands import bands
from devicephys.fitting.result import FitResult
from devicephys.io import netcdf, staircase
from devicephys.io.files import decode, read_bytes, sha256, write_bytes
from devicephys.report import fit_page, verdicts
from devicephys.report.page import Svg, plain, render
from devicephys.study import Study
from devicephys.units import si
from devicephys.validation import Figure

ONE_SIDED = (
    " Where p01 and p10 differ, errors push every sum of weights to one side: accuracy falls at a "
    "lower error rate than with balanced errors."
)


def write(folder: Path, progress: Callable[[int, int], None], *, force: bool = False) -> None:
    """Write report.html and report.json from the other files of a run.

    Parameters
    ----------
    folder : Path
        A folder with study.json, data.nc, fit.json, table.nc and accuracy.nc; model.nc and
        check.nc where the recipe has made them.
    progress : callable
        Called with (steps done, steps in all).
    force : bool, optional
        Whether existing reports may be replaced.

    Raises
    ------
    DataError
        If a file is missing or damaged.
    OutputExistsError
        If a report exists and `force` is false.

    Examples
    --------
    >>> write(Path("no/such/run"), lambda k, n: None)
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: no/such/run/study.json: no such file; check the path
    """
    study = _study(folder / "study.json")
    dataset = netcdf.read(folder / "data.nc")
    fit = fit_result.read(folder / "fit.json")
    table = tables.read(folder / "table.nc")
    results = netcdf.read(folder / "accuracy.nc")
    if results.attrs.get("max_loss") != study["max_loss"]:
        raise DataError(
            f"evaluated for a loss of {results.attrs.get('max_loss')}",
            where=str(folder / "accuracy.nc"), expected=f"{study['max_loss']}, as study.json says",
            remedy="run the study again",
        )  # fmt: skip
    answers = least_energy(results, study["max_loss"])
    progress(0, 3)
    claims, figures = verdicts.of_claims(study["claims"])
    progress(1, 3)
    lines = [*verdicts.of_energy(answers), *verdicts.of_fit(fit), *claims]
    specified = verdicts.of_specification(fit, study["specification"])
    numbers = _numbers(study, fit, table, results, answers, lines, specified, figures)
    svg = _figures(dataset, fit, table, results, answers)
    comparison = _comparison(folder / "model.nc")
    progress(2, 3)
    check = netcdf.read(folder / "check.nc") if (folder / "check.nc").exists() else None
    fit_svg = fit_page.figures(fit, check, whole=False)
    shown = {"svg": svg, "comparison": comparison, "fit_svg": fit_svg}
    page = render("report.html.j2", numbers | shown)
    text = json.dumps(numbers, indent=1, sort_keys=True, allow_nan=False) + "\n"
    write_bytes(folder / "report.json", text.encode(), force=force)
    write_bytes(folder / "report.html", page.encode(), force=force)
    progress(3, 3)


def _study(path: Path) -> dict[str, Any]:
    try:
        study = json.loads(decode(read_bytes(path), str(path)))
        missing = {f.name for f in fields(Study)} - set(study)
        if missing:
            raise ValueError(f"no key {min(missing)!r}")
        if not 0 < study["max_loss"] < 1:
            raise ValueError(f"max_loss = {study['max_loss']}")
    except (ValueError, TypeError) as err:
        if isinstance(err, DataError):
            raise
        raise DataError(
            f"not the record of a study ({err})", where=str(path), remedy="run the study again"
        ) from err
    return dict(study)


def _numbers(
    study: dict[str, Any],
    fit: FitResult,
    table: xr.Dataset,
    results: xr.Dataset,
    answers: list[LeastEnergy],
    lines: list[verdicts.Verdict],
    specified: dict[str, tuple[str, verdicts.Word]],
    figures: dict[str, list[Figure]],
) -> dict[str, Any]:
    """Everything that the report says, as plain values; the page shows nothing else."""
    of_fit = fit_page.numbers(fit)
    for parameter in of_fit["parameters"]:
        text, verdict = specified.get(parameter["name"], ("", ""))
        parameter |= {"specification": text, "verdict": verdict}
    of_study: dict[str, Any] = plain(
        {
            "title": study["title"],
            "intended_use": study["intended_use"],
            "version": __version__,
            "command": f"devicephys run {study['source']} -o OUT",
            "seed": study["seed"],
            "recipe": study["recipe"],
            "study_sha256": sha256(json.dumps(study, sort_keys=True).encode()),
            "headline": verdicts.headline(results, answers),
            "verdicts": verdicts.as_json(lines),
            "data": dict(fit.data),
            "domain": _domain(table),
            "table_source": table.attrs["source"],
            "bit": table.attrs["bit"],
            "networks": list(dict.fromkeys(results.network.values.tolist())),
            "max_loss": study["max_loss"],
            "least_energy": [vars(a) | {"found": a.found} for a in answers],
            "savings": [
                vars(s) for a in answers for s in savings(results, a.network, a.cell, a.max_loss)
            ],
            "claims": {name: [vars(f) for f in found] for name, found in figures.items()},
            "synthetic": bool(fit.data["synthetic"]),
        }
    )
    return of_fit | of_study


def _domain(table: xr.Dataset) -> list[str]:
    domain = []
    for name in table.ber.dims:
        axis = table[name].values
        unit = tables.AXES[str(name)]
        label = str(name).replace("_", " ")
        if axis.dtype.kind == "f":
            domain.append(f"{label}: {si(axis[0], unit)} to {si(axis[-1], unit)}")
        else:
            domain.append(f"{label}: {', '.join(axis)}")
    return domain


def _figures(
    dataset: xr.Dataset,
    fit: FitResult,
    table: xr.Dataset,
    results: xr.Dataset,
    answers: list[LeastEnergy],
) -> list[Svg]:
    synthetic = bool(fit.data["synthetic"])
    if dataset.attrs["kind"] == "wer_counts":
        curves = bands(fit, dataset)
        first = plotting.wer_figure(dataset, curves, synthetic)
        caption = (
            "Write error rate against pulse width. Points: every device, with 95 % Clopper-Pearson "
            "bars; open triangles: no error counted, one-sided 95 % upper limit. Lines: median "
            "device of the fit, dashed beyond the measured widths; bands: central 95 % of devices."
        )
    else:
        r = staircase.ramps(dataset)
        first = plotting.ramps_figure(r.voltage, r.lrs, r.after)
        caption = (
            "Left: resistance after each pulse of the RESET staircase. Right: log-normal "
            "probability paper; a straight line is a log-normal law, its slope the spread."
        )
    front = tables.pareto(table)
    one_sided = bool((abs(front.p01 - front.p10) > 0.5 * front.ber).any())
    return [
        (plotting.to_svg(first, "first"), caption),
        (
            plotting.to_svg(plotting.ber_energy_figure(table, front, synthetic), "ber"),
            "Bit error rate against energy per bit. " + table.attrs["bit"] + ".",
        ),
        (
            plotting.to_svg(plotting.accuracy_figure(results, answers, synthetic), "accuracy"),
            "Accuracy against energy per bit and against bit error rate. Bars: error maps and test "
            "images together. Dotted: least energy that keeps the accepted loss at 95 % confidence "
            "in the error rate and in the network. Dashed: rates up to which the abstracts of the "
            "cited works report little loss." + ONE_SIDED * one_sided,
        ),
    ]


def _comparison(path: Path) -> list[Svg]:
    """Figures of measurement and model side by side, where the recipe has a model."""
    if not path.exists():
        return []
    model = netcdf.read(path)
    voltage = si(float(model.attrs["train_voltage"]), "V")
    width = si(float(model.attrs["pulse_width"]), "s")
    return [
        (
            plotting.to_svg(plotting.resistance_figure(model), "resistance"),
            "Left: measured staircase (bands 5 to 95 %, median, ten single ramps) beside the "
            f"fitted filament. Middle: the fitted filament under equal pulses of {voltage} and "
            f"{width}, with ten single devices; no such train was measured. Right: the published "
            "weak-RESET law (arXiv 2107.06064) of other cells, whose pulse voltage is not known.",
        ),
        (
            plotting.to_svg(plotting.onset_figure(model), "onset"),
            "Device to device: voltage at which R first exceeds 1.5 times its initial value, mean "
            "of each device over its ramps; measured cells beside 2000 simulated ones.",
        ),
        (
            plotting.to_svg(plotting.ber_comparison_figure(model), "comparison"),
            "Bit error rate along the staircase: counted with 95 % intervals (clustered by device; "
            "for the code carried through its formula), and the fitted filament. Energy of the "
            "last pulse, at most V^2 t_p/R_LRS for data and model alike; times 72/64 for the code.",
        ),
    ]
