"""Recipes: what is done with the data of one kind of device, one module a recipe.

A recipe is a module with

``NAME``
    its own name;
``read(path)``
    the measurement as an xarray Dataset, or as a DataTree of one a kind;
``fit(dataset, rng, progress)``
    what the data say about the devices, as a `FitResult`;
``table(dataset, result, grid)``
    the error-rate and energy table; `grid` maps axes to values, or is empty for the default;
``AXES``
    optional: the axes that `table` takes, so that another one is refused before the work;
``TIDY_KINDS``
    where the data are one tidy file: its kinds, of `devicephys.io.tidy_kinds`. Such a recipe
    also takes the columns of other files, by a mapping (`read`);
``LAYOUT``
    where the data are something else: what they are, for messages;
``model(dataset, result, rng)``
    optional: measurement and model side by side as an xarray Dataset, for figures of a report;
``check(dataset, result, rng)``
    optional: every point beside its model, as `fitting.point_check.compare` gives it, from the
    stored values of the fit alone: residuals and marks for figures of a report;
``problems(dataset, result)``
    optional: by device, the parameters started at their best values and the data, as
    `fitting.problem` takes them, for intervals by other methods.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import xarray as xr

from devicephys.checks import known
from devicephys.errors import ParameterError
from devicephys.io import measurement

RECIPES = (
    "hfo2_filament",
    "hfo2_staircase",
    "resistance_states",
    "sot_mtj_switching",
    "stt_mram_joint",
    "stt_mram_wer",
    "weak_reset_traces",
)


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


def read(recipe: ModuleType, path: str | Path, mapping: Mapping[str, str]) -> xr.Dataset:
    """Read the measurement of a recipe, with a mapping where the file is not tidy.

    Parameters
    ----------
    recipe : module
        The recipe.
    path : str or Path
        The file.
    mapping : mapping of str
        Sources of the tidy columns, see `devicephys.io.mapping`; empty for none.

    Returns
    -------
    xarray.Dataset
        As the recipe's own ``read`` gives.

    Raises
    ------
    ParameterError
        If there is a mapping, and the recipe reads a format of its own.
    DataError
        At the first thing in the file that is wrong.

    Examples
    --------
    >>> read(recipe("hfo2_staircase"), "ramps.csv", {"voltage": "V"})
    Traceback (most recent call last):
        ...
    devicephys.errors.ParameterError: recipe hfo2_staircase reads a file format of its own; \
expected tidy resistance_pulses, or a headerless table of address, ns, V_SL, V_WL, Ohm before, \
Ohm after; leave out --map
    """
    kinds = getattr(recipe, "TIDY_KINDS", ())
    if kinds and mapping:
        return measurement.tidy(path, mapping, kinds)
    if mapping:
        raise ParameterError(
            f"recipe {recipe.NAME} reads a file format of its own", expected=recipe.LAYOUT,
            remedy="leave out --map",
        )  # fmt: skip
    dataset: xr.Dataset = recipe.read(path)
    return dataset
