"""The result of a fit: plain numbers that load without code."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from devicephys.errors import DataError
from devicephys.io.files import decode, read_bytes, write_bytes

SCHEMA = "devicephys-fit-4"
FAINT = 0.1  # of its upper end: a smaller spread, which could be 0, is not seen
Points = tuple[tuple[float, float], ...]


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
    spread_low, spread_high : float
        95 % interval of `spread`: 0 to a bound where no difference is seen; NaN where none is
        known [1].
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
    spread_low: float = math.nan
    spread_high: float = math.nan


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
        Covariance of the logarithms of the estimates that vary, in their order; of the value
        itself where it may be zero or negative, as a stray field [1 or its unit].
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
    between : tuple of tuple of float
        Covariance of the logarithms from device to device, counting errors taken out, in the order
        of `covariance` [1].
    flags : tuple of str
        Sentences that must be read before the numbers are used: outliers, plateaus, correlations.
    intervals : mapping of str to mapping
        95 % intervals by other methods than that of the estimates: method -> name -> (low, high),
        in the units of the estimates.
    profiles : mapping of str to mapping
        Profile likelihoods: device -> name -> points (value, deviance above that of the best fit),
        rising in the value [unit of the estimate, 1].
    seed : int or None
        Seed that the fit was drawn with; None where the caller kept no seed.
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
    notes: tuple[str, ...] = ()
    between: tuple[tuple[float, ...], ...] = ()
    flags: tuple[str, ...] = ()
    intervals: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    profiles: Mapping[str, Mapping[str, Points]] = field(default_factory=dict)
    seed: int | None = None

    def __getitem__(self, name: str) -> Estimate:
        """Estimate by name."""
        for estimate in self.estimates:
            if estimate.name == name:
                return estimate
        raise KeyError(name)


def rows_of(matrix: ArrayLike) -> tuple[tuple[float, ...], ...]:
    """Give a matrix as a result keeps it.

    Parameters
    ----------
    matrix : array_like
        The matrix, shape (n, m) [any unit].

    Returns
    -------
    tuple of tuple of float
        Its rows [the same unit].

    Examples
    --------
    >>> rows_of([[1, 2]])
    ((1.0, 2.0),)
    """
    return tuple(tuple(map(float, row)) for row in np.asarray(matrix))


def spread_text(spread: float, low: float, high: float) -> str:
    """Write a spread with its 95 % interval, for people.

    Parameters
    ----------
    spread, low, high : float
        Standard deviation of the logarithm and its interval, NaN where it has none [1].

    Returns
    -------
    str
        In per cent; an upper bound where the devices could be alike.

    Examples
    --------
    >>> spread_text(0.03, 0.02, 0.06), spread_text(0.03, 0.0, 0.06)
    ('3 % (2 to 6)', '3 % (at most 6)')
    >>> spread_text(0.001, 0.0, 0.06), spread_text(0.03, math.nan, math.nan)
    ('not seen (at most 6 %)', '3 %')
    """
    value, least, most = (f"{100 * x:.2g}" for x in (spread, low, high))
    if math.isnan(high):
        return f"{value} %" if spread > 0 else "taken as 0"
    if low > 0:
        return f"{value} % ({least} to {most})" if high < math.inf else f"{value} % (from {least})"
    if high == math.inf:
        return f"{value} % (no interval)"
    if high == 0:
        return "not seen"
    if spread <= FAINT * high:
        return f"not seen (at most {most} %)"
    return f"{value} % (at most {most})"


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
    devicephys.errors.DataError: x.json: not a fit result (schema None); expected schema \
devicephys-fit-4; fit the data again with this version of devicephys
    """
    try:
        raw = json.loads(text)
        schema = raw.pop("schema", None)
        found = _result(raw) if schema == SCHEMA else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as err:
        raise DataError(
            f"not a fit result ({err})",
            where=where,
            expected="a JSON file written by devicephys fit",
        ) from err
    if found is None:
        raise DataError(
            f"not a fit result (schema {schema})", where=where, expected=f"schema {SCHEMA}",
            remedy="fit the data again with this version of devicephys",
        )  # fmt: skip
    return found


def _result(raw: dict[str, Any]) -> FitResult:
    """Rebuild a result field by field: nothing of another type comes in."""
    estimates = [
        {**e, **_each(e, _text, "name", "unit", "symbol"),
         **_each(e, _number, "value", "stderr", "low", "high", "spread", "spread_low",
                 "spread_high"),
         "vary": _is(e["vary"], bool), "bounds": _bounds(*e["bounds"])}
        for e in _is(raw.pop("estimates"), list)
    ]  # fmt: skip
    devices = [
        {**d, **_each(d, _text, "device"), **_each(d, _numbers, "values", "stderrs"),
         **_each(d, _number, "deviance", "p_value"), **_each(d, _texts, "at_bound"),
         "dof": _is(d["dof"], int)}
        for d in _is(raw.pop("devices"), list)
    ]  # fmt: skip
    rest: dict[str, Any] = {
        **raw, **_each(raw, _text, "recipe", "version"),
        **_each(raw, _number, "deviance", "p_value"), **_each(raw, _texts, "notes", "flags"),
        "dof": _is(raw["dof"], int), "data": _is(raw["data"], dict),
        **_each(raw, _matrix, "covariance", "between"),
        "intervals": {
            _text(method): {_text(name): _bounds(*ends) for name, ends in _is(rows, dict).items()}
            for method, rows in _is(raw["intervals"], dict).items()
        },
        "profiles": {
            _text(device): {_text(name): _points(points) for name, points in _is(c, dict).items()}
            for device, c in _is(raw["profiles"], dict).items()
        },
        "seed": None if raw["seed"] is None else _is(raw["seed"], int),
    }  # fmt: skip
    return FitResult(
        estimates=tuple(Estimate(**e) for e in estimates),
        devices=tuple(DeviceFit(**d) for d in devices),
        **rest,
    )


def _each(raw: Mapping[str, Any], convert: Callable[[Any], Any], *names: str) -> dict[str, Any]:
    return {name: convert(raw[name]) for name in names}


def _matrix(rows: Any) -> tuple[tuple[float, ...], ...]:
    matrix = tuple(tuple(map(_number, _is(row, list))) for row in _is(rows, list))
    if any(len(row) != len(matrix) for row in matrix):
        raise ValueError("a covariance is not square")
    return matrix


def _points(points: Any) -> Points:
    return tuple((_number(x), _number(y)) for x, y in _is(points, list))


def _text(value: Any) -> str:
    return str(_is(value, str))


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(map(_text, _is(values, list)))


def _is(value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{value!r} is not {kind.__name__}")
    return value


def _number(value: Any) -> float:
    if value is None:
        return math.nan
    return float(_is(value, int) if isinstance(value, int) else _is(value, float))


def _numbers(values: Any) -> dict[str, float]:
    return {k: _number(v) for k, v in _is(values, dict).items()}


def _bounds(low: Any, high: Any) -> tuple[float, float]:
    return (
        -math.inf if low is None else _number(low),
        math.inf if high is None else _number(high),
    )


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
