"""The result of a fit: plain numbers that load without code."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from devicephys.errors import DataError
from devicephys.io.files import decode, read_bytes, write_bytes

SCHEMA = "devicephys-fit-1"


@dataclass(frozen=True)
class Estimate:
    """One parameter of the population of devices.

    Attributes
    ----------
    name, unit, symbol : str
        Name in the code, SI unit, LaTeX symbol.
    value, stderr, low, high : float
        Estimate, standard error and 95 % interval [`unit`].
    spread : float
        Standard deviation of the logarithm from device to device, or NaN [1].
    vary : bool
        False for a number that was given, not fitted.
    bounds : tuple of float
        Bounds of the fit [`unit`].
    """

    name: str
    value: float
    stderr: float
    low: float
    high: float
    unit: str
    symbol: str
    spread: float = math.nan
    vary: bool = True
    bounds: tuple[float, float] = (-math.inf, math.inf)


@dataclass(frozen=True)
class DeviceFit:
    """The fit of one device.

    Attributes
    ----------
    device : str
        The device.
    values, stderrs : mapping of str to float
        Estimates and standard errors by parameter name [SI].
    deviance : float
        Sum of squared deviance residuals [1].
    dof : int
        Points less parameters [1].
    p_value : float
        Parametric-bootstrap probability of a larger deviance [1].
    at_bound : tuple of str
        Parameters that ended at a bound.
    """

    device: str
    values: Mapping[str, float]
    stderrs: Mapping[str, float]
    deviance: float
    dof: int
    p_value: float
    at_bound: tuple[str, ...] = ()


@dataclass(frozen=True)
class FitResult:
    """What a recipe says about a data set.

    Attributes
    ----------
    recipe, version : str
        Recipe and package version that made the result.
    estimates : tuple of Estimate
        Population parameters.
    covariance : tuple of tuple of float
        Covariance of the logarithms of the estimates that vary, in their order [1].
    devices : tuple of DeviceFit
        Fits of single devices; empty where a recipe only describes.
    deviance, p_value : float
        Total deviance and its bootstrap probability; NaN where there is no likelihood [1].
    dof : int
        Degrees of freedom of the total deviance [1].
    data : mapping
        Data summary: source, sha256, synthetic, devices, points, trials and so on.
    notes : tuple of str
        Sentences for the report.
    """

    recipe: str
    version: str
    estimates: tuple[Estimate, ...]
    covariance: tuple[tuple[float, ...], ...]
    data: Mapping[str, Any]
    devices: tuple[DeviceFit, ...] = ()
    deviance: float = math.nan
    dof: int = 0
    p_value: float = math.nan
    notes: tuple[str, ...] = field(default=())

    def __getitem__(self, name: str) -> Estimate:
        """Estimate by name."""
        for estimate in self.estimates:
            if estimate.name == name:
                return estimate
        raise KeyError(name)


def to_json(result: FitResult) -> str:
    """Write a result as JSON: numbers and text, NaN and infinities as null.

    Parameters
    ----------
    result : FitResult
        The result.

    Returns
    -------
    str
        JSON text with sorted keys.

    Examples
    --------
    >>> empty = FitResult("none", "0", (), (), {})
    >>> from_json(to_json(empty), "x.json").recipe
    'none'
    """
    content = {"schema": SCHEMA, **_finite(asdict(result))}
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_json(text: str, where: str) -> FitResult:
    """Rebuild a result from JSON.

    Parameters
    ----------
    text : str
        The JSON text.
    where : str
        Name of the file, for messages.

    Returns
    -------
    FitResult
        The result.

    Raises
    ------
    DataError
        If the text is not JSON or does not fit the schema.

    Examples
    --------
    >>> from_json("{}", "x.json")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: x.json: not a fit result (schema None); expected a JSON file \
written by devicephys fit
    """
    try:
        raw = json.loads(text)
        schema = raw.pop("schema", None)
        if schema != SCHEMA:
            raise ValueError(f"schema {schema}")
        estimates = tuple(_estimate(e) for e in raw.pop("estimates"))
        devices = tuple(
            DeviceFit(**{**d, "at_bound": tuple(d["at_bound"]), "p_value": _nan(d["p_value"])})
            for d in raw.pop("devices")
        )
        covariance = tuple(tuple(row) for row in raw.pop("covariance"))
        result = FitResult(estimates=estimates, devices=devices, covariance=covariance, **raw)
        return replace(
            result, deviance=_nan(result.deviance), p_value=_nan(result.p_value),
            notes=tuple(result.notes),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        raise DataError(
            f"not a fit result ({err})",
            where=where,
            expected="a JSON file written by devicephys fit",
        ) from err


def _nan(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _estimate(raw: dict[str, Any]) -> Estimate:
    low, high = raw["bounds"]
    bounds = (-math.inf if low is None else low, math.inf if high is None else high)
    numbers = {k: _nan(raw[k]) for k in ("value", "stderr", "low", "high", "spread")}
    return Estimate(**{**raw, **numbers, "bounds": bounds})


def read(path: str | Path) -> FitResult:
    """Read a result from a JSON file.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    FitResult
        The result.

    Raises
    ------
    DataError
        If the file is missing or does not fit the schema.

    Examples
    --------
    >>> read("missing.json")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.json: no such file; check the path
    """
    return from_json(decode(read_bytes(path), str(path)), str(path))


def write(result: FitResult, path: str | Path, *, force: bool = False) -> None:
    """Write a result as a JSON file.

    Parameters
    ----------
    result : FitResult
        The result.
    path : str or Path
        The file.
    force : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    OutputExistsError, DataError
        If the file exists or its folder does not.

    Examples
    --------
    >>> write(FitResult("none", "0", (), (), {}), "no/such/folder/fit.json")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: no/such/folder: no such folder; create it first
    """
    write_bytes(path, to_json(result).encode(), force=force)
