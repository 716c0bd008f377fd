"""Recipes: what is done with the data of one kind of device, one module a recipe.

A recipe is a module with

``read(path)``
    the measurement as an xarray Dataset;
``fit(dataset, rng, progress)``
    what the data say about the devices, as a `FitResult`;
``table(dataset, result, grid)``
    the error-rate and energy table; `grid` maps axes to values, or is empty for the default;
``model(dataset, result, rng)``
    optional: measurement and model side by side as an xarray Dataset, for figures of a report.
"""

import importlib
from types import ModuleType

from devicephys.checks import known

RECIPES = (
    "hfo2_filament", "hfo2_staircase", "sot_mtj_switching", "stt_mram_wer", "weak_reset_traces",
)  # fmt: skip


def recipe(name: str) -> ModuleType:
    """Load a recipe by name.

    Parameters
    ----------
    name : str
        One of `RECIPES`.

    Returns
    -------
    module
        The recipe.

    Raises
    ------
    ParameterError
        If the name is unknown.

    Examples
    --------
    >>> recipe("stt_mram_wer").__name__
    'devicephys.fits.stt_mram_wer'
    """
    known("recipe", name, RECIPES)
    return importlib.import_module(f"devicephys.fits.{name}")
