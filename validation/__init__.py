"""Claims that the package makes, each with the run that shows whether it holds.

A claim is a module with ``CLAIM`` (one sentence), ``REFERENCE`` (where the asked values come
from), ``LIMIT`` (the accepted deviation and its reason) and ``run()``, which gives figures.
"""

import importlib
import json
import math
from dataclasses import dataclass
from types import ModuleType

from devicephys.checks import known

CLAIMS = (
    "array_average",
    "bnn_adapted_training",
    "bnn_layers",
    "bnn_little_impact",
    "bnn_overfit",
    "cell_errors",
    "closed_forms",
    "filament_chain",
    "filament_ramps",
    "fit_coverage",
    "fokker_planck_reference",
    "hfo2_table",
    "read_noise",
    "relaxation",
    "round_trip",
    "solvers",
    "solvers_off_axis",
    "thermal_rates",
    "weak_reset_law",
)


@dataclass(frozen=True)
class Figure:
    """A measured number beside the asked one.

    Attributes
    ----------
    name, unit : str
        What was measured, and its unit.
    value : float
        The measured number [`unit`].
    asked : str
        What was asked of it.
    holds : bool or None
        Whether it holds; None where it could not be established (missing data).
    """

    name: str
    value: float
    unit: str
    asked: str
    holds: bool | None


def claim(name: str) -> ModuleType:
    """Load a claim by name.

    Parameters
    ----------
    name : str
        One of `CLAIMS`.

    Returns
    -------
    module
        The claim.

    Raises
    ------
    ParameterError
        If the name is unknown.

    Examples
    --------
    >>> claim("fokker_planck_reference").CLAIM
    'The Fokker-Planck solver reproduces an independent solver.'
    """
    known("claim", name, CLAIMS)
    return importlib.import_module(f"devicephys.validation.{name}")


def not_established(name: str, why: str) -> Figure:
    """Give the figure of a claim that cannot be checked here.

    Parameters
    ----------
    name : str
        The claim.
    why : str
        What is missing.

    Returns
    -------
    Figure
        A figure that neither holds nor fails.

    Examples
    --------
    >>> not_established("hfo2_table", "DEVICEPHYS_DATA is not set").holds is None
    True
    """
    return Figure(name, float("nan"), "1", why, None)


def figure_line(figure: Figure, *, as_json: bool, **extra: str) -> str:
    """Write a figure as one line of text or JSON.

    Parameters
    ----------
    figure : Figure
        The figure.
    as_json : bool
        Whether to write JSON.
    **extra : str
        More keys of the JSON object.

    Returns
    -------
    str
        The line; a value that is not finite is null in JSON.

    Examples
    --------
    >>> figure_line(Figure("error", 1e-6, "1", "<= 1e-5", True), as_json=False)
    'holds     error: 1e-06, asked <= 1e-5'
    """
    if as_json:
        value = figure.value if math.isfinite(figure.value) else None
        return json.dumps(extra | vars(figure) | {"value": value})
    verdict = {None: "-", True: "holds", False: "FAILS"}[figure.holds]
    unit = "" if figure.unit == "1" else f" {figure.unit}"
    return f"{verdict:8}  {figure.name}: {figure.value:.6g}{unit}, asked {figure.asked}"
