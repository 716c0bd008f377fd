"""A study: data, recipe, grid, networks and seed in one TOML file, run from data to report."""

import json
import os
import secrets
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import devicephys.data as data
from devicephys import fits, tables
from devicephys.bnn.accuracy import EncodedImages, Sampling, prepare
from devicephys.bnn.allocation import Allocation, sensitivity
from devicephys.bnn.allocation import allocate as choose
from devicephys.bnn.energy import along
from devicephys.bnn.fault_spread import RateSpread
from devicephys.bnn.images import DATA_VARIABLE, data_folder, load_images
from devicephys.bnn.inference import encode
from devicephys.bnn.network import Network
from devicephys.bnn.network_file import load
from devicephys.checks import Array, in_range, known
from devicephys.errors import OutputExistsError, ParameterError
from devicephys.fitting import result as fit_result
from devicephys.fitting.result import FitResult
from devicephys.io import netcdf
from devicephys.io.files import decode, read_bytes, refuse_existing, write_bytes

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Study:
    """What to do, as a study file says it.

    Attributes
    ----------
    source, title, intended_use : str
        Shipped name or path, heading of the report, and what the result may be used for.
    recipe, data : str
        Recipe, and the data file: a shipped name, a path, or a path below $DEVICEPHYS_DATA.
    networks : tuple of str
        Shipped networks or paths of npz files.
    seed : int
        Seed of everything random.
    max_loss : float
        Accepted loss of accuracy [1].
    grid : mapping of str to ndarray
        Axes of the table; empty for the recipe's default [SI].
    sampling : Sampling
        When to stop drawing error maps.
    specification : mapping
        Limits of parameters: name -> {min, max} [SI].
    claims : tuple of str
        Validation claims to check in the report.
    recalibrate : bool
        Whether every network is evaluated once more with its thresholds corrected for the error
        rates of each operating point.
    """

    source: str
    title: str
    intended_use: str
    recipe: str
    data: str
    networks: tuple[str, ...]
    seed: int
    max_loss: float
    grid: Mapping[str, Array] = field(default_factory=dict)
    sampling: Sampling = field(default_factory=Sampling)
    specification: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    claims: tuple[str, ...] = ()
    recalibrate: bool = False


CALIBRATION_IMAGES = 200  # of the training images
WRITTEN = {
    "study.json", "data.nc", "fit.json", "table.nc", "table.csv", "accuracy.nc", "accuracy.csv",
    "report.html", "report.json", "model.nc", "check.nc",
}  # fmt: skip
REQUIRED = ("title", "intended_use", "recipe", "data", "networks", "seed", "max_loss")


def shipped() -> list[str]:
    """List the shipped studies.

    Returns
    -------
    list of str
        Names, sorted.

    Examples
    --------
    >>> shipped()
    ['hfo2_mnist', 'hfo2_weak_reset', 'mram_bnn', 'quickstart']
    """
    folder = resources.files(fits) / "studies"
    return sorted(
        p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")
    )


def read(name_or_path: str) -> Study:
    """Read a study by the name of a shipped one or by path.

    Parameters
    ----------
    name_or_path : str
        A name from `shipped`, or the path of a TOML file.

    Returns
    -------
    Study
        The study, checked.

    Raises
    ------
    ParameterError
        If a key is unknown, missing or of the wrong type.
    DataError
        If the file is missing or unreadable.

    Examples
    --------
    >>> read("quickstart").recipe
    'stt_mram_wer'
    """
    if name_or_path in shipped():
        where = f"{name_or_path}.toml"
        text = (resources.files(fits) / "studies" / where).read_text("utf-8")
    elif name_or_path.endswith(".toml"):
        where = name_or_path
        text = decode(read_bytes(where), where)
    else:
        known("study", name_or_path, shipped())
    return parse(text, where)


def parse(text: str, where: str) -> Study:
    """Parse the text of a study file.

    Parameters
    ----------
    text : str
        TOML.
    where : str
        Name of the file, for messages.

    Returns
    -------
    Study
        The study, checked.

    Raises
    ------
    ParameterError
        If a key is unknown, missing or of the wrong type.

    Examples
    --------
    >>> parse("sede = 1", "x.toml")
    Traceback (most recent call last):
        ...
    devicephys.errors.ParameterError: x.toml: unknown study key 'sede'; expected one of claims, \
data, grid, intended_use, max_loss, networks, recalibrate, recipe, sampling, seed, specification, \
title; did you mean 'seed'?
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        raise ParameterError(f"not TOML ({err})", where=where) from err
    for key in raw:
        known("study key", key, [f.name for f in fields(Study) if f.name != "source"], where=where)
    missing = [key for key in REQUIRED if key not in raw]
    if missing:
        raise ParameterError(f"no key {missing[0]!r}", where=where, expected=", ".join(REQUIRED))
    for key, kind in (("seed", int), ("networks", list), ("claims", list), ("grid", dict),
                      ("sampling", dict), ("specification", dict), ("title", str),
                      ("intended_use", str),
                      ("recipe", str), ("data", str), ("max_loss", float),
                      ("recalibrate", bool)):  # fmt: skip
        if key in raw and type(raw[key]) is not kind:
            raise ParameterError(f"{key} = {raw[key]!r}", where=where, expected=kind.__name__)
    _check_values(raw, where)
    return Study(
        source=where.removesuffix(".toml") if where.removesuffix(".toml") in shipped() else where,
        **raw
        | {
            "networks": tuple(raw["networks"]),
            "claims": tuple(raw.get("claims", ())),
            "grid": {k: _axis(k, v, where) for k, v in raw.get("grid", {}).items()},
            "sampling": Sampling(**raw.get("sampling", {})),
        },
    )


def _check_values(raw: Mapping[str, Any], where: str) -> None:
    """Check what stands inside the keys of a study, before any work is done."""
    known("recipe", raw["recipe"], fits.RECIPES, where=where)
    in_range(f"{where}: max_loss", raw["max_loss"], "1", above=0, below=1)
    in_range(f"{where}: seed", raw["seed"], "1", above=0, inclusive=True)
    for key in ("networks", "claims"):
        if not all(isinstance(name, str) for name in raw.get(key, [])):
            raise ParameterError(f"{key} = {raw[key]!r}", where=where, expected="names")
    if not raw["networks"]:
        raise ParameterError("networks = []", where=where, expected="at least one network")
    for key, value in raw.get("sampling", {}).items():
        known("sampling key", key, [f.name for f in fields(Sampling)], where=where)
        kind = float if key == "half_width" else int
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ParameterError(f"{key} = {value!r}", where=where, expected=kind.__name__)
    for name, limits in raw.get("specification", {}).items():
        if not isinstance(limits, dict):
            raise ParameterError(f"{name} = {limits!r}", where=where, expected="{min, max}")
        for key, value in limits.items():
            known(f"limit of {name}", key, ("min", "max"), where=where)
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise ParameterError(f"{name}.{key} = {value!r}", where=where, expected="a number")


def _axis(name: str, value: Any, where: str) -> Array:
    known("axis", name, [n for n, unit in tables.AXES.items() if unit], where=where)
    spaced = isinstance(value, dict) and set(value) == {"start", "stop", "n"}
    numbers = list(value.values()) if spaced else value
    if not isinstance(numbers, list) or not all(type(x) in (int, float) for x in numbers):
        raise ParameterError(
            f"axis {name} = {value!r}",
            where=where,
            expected="a list or {start, stop, n} of numbers",
        )
    if spaced:
        in_range(f"{where}: n", value["n"], "1", above=0, below=1e6)
        axis = np.linspace(value["start"], value["stop"], int(value["n"]))
    else:
        axis = np.array(numbers, np.float64)
    in_range(f"{where}: {name}", axis, tables.AXES[name], above=0)
    if len(axis) == 0 or (np.diff(axis) <= 0).any():
        raise ParameterError(f"axis {name} does not rise", where=where, expected="rising numbers")
    return axis


def data_path(name: str) -> Path:
    """Resolve the data file of a study.

    Parameters
    ----------
    name : str
        A shipped file name, a path, or a path that starts with ``$DEVICEPHYS_DATA/``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ParameterError
        If DEVICEPHYS_DATA is needed and unset.

    Examples
    --------
    >>> data_path("synthetic_stt_mram_wer.csv").name
    'synthetic_stt_mram_wer.csv'
    """
    prefix = f"${DATA_VARIABLE}/"
    if name.startswith(prefix):
        return data_folder() / name.removeprefix(prefix)
    return data.path(name) if name in data.names() else Path(name)


def load_network(name: str) -> Network:
    """Load a shipped network by name, or any by path.

    Parameters
    ----------
    name : str
        Name of a shipped network, or the path of an npz file.

    Returns
    -------
    Network
        The network.

    Raises
    ------
    ParameterError, DataError
        If there is no such network, or the file is damaged.

    Examples
    --------
    >>> load_network("digits").name
    'digits'
    """
    if name.endswith(".npz"):
        return load(name)
    networks = [n.removesuffix(".npz") for n in data.names() if n.endswith(".npz")]
    return load(data.path(known("network", name, networks) + ".npz"))


def encoded_test_images(network: Network) -> EncodedImages:
    """Prepare the test images that a network's record names.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    EncodedImages
        Its test images, encoded.

    Raises
    ------
    ParameterError, DataError
        If the images are unknown or not there.

    Examples
    --------
    >>> len(encoded_test_images(load_network("digits")).labels)
    500
    """
    images = load_images(str(network.record.get("images", "")))
    return prepare(network, images.test_pixels, images.test_labels)


def evaluate(
    table: xr.Dataset, networks: tuple[str, ...], seed: int, sampling: Sampling, max_loss: float,
    recalibrated: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    spread: RateSpread | None = None,
) -> xr.Dataset:  # fmt: skip
    """Evaluate networks along the energy-error front of a table.

    Parameters
    ----------
    table : xarray.Dataset
        A table.
    networks : tuple of str
        Names or paths of networks.
    seed : int
        Seed of the error maps.
    sampling : Sampling
        When to stop drawing maps.
    max_loss : float
        Accepted loss of accuracy [1].
    recalibrated : bool, optional
        Whether to evaluate every network once more, with its thresholds corrected for the error
        rates of each operating point.
    progress : callable, optional
        Called with (evaluations done, evaluations in all).
    spread : RateSpread, optional
        How rates differ between chips, rows or cells, around those of the table.

    Returns
    -------
    xarray.Dataset
        As `bnn.energy.along` gives.

    Raises
    ------
    ParameterError, DataError
        If a network or its images are not there.

    Examples
    --------
    See docs/guide/quickstart.md.
    """
    in_range("max_loss", max_loss, "1", above=0, below=1)
    tests = {name: encoded_test_images(load_network(name)) for name in networks}
    calibration = {}
    if recalibrated:
        for name, test in list(tests.items()):
            images = load_images(str(test.network.record["images"]))
            corrected = f"{name}, recalibrated"
            calibration[corrected] = encode(test.network, images.train_pixels[:CALIBRATION_IMAGES])
            tests[corrected] = test
    results = along(
        tables.pareto(table), tests, seed, sampling, max_loss, progress, calibration, spread
    )
    return results.assign_attrs(
        max_loss=max_loss,
        synthetic=int(table.attrs.get("synthetic", 0)),
        interval=str(table.attrs.get("interval", "95 %")),
    )


def allocate(
    table: xr.Dataset, network: str, seed: int, sampling: Sampling, max_loss: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[tuple[str, xr.Dataset, Allocation | None]]:  # fmt: skip
    """Choose an operating point of a table for every layer of a network.

    Parameters
    ----------
    table : xarray.Dataset
        A table.
    network : str
        Name or path of the network.
    seed : int
        Seed of the error maps.
    sampling : Sampling
        When to stop drawing maps.
    max_loss : float
        Accepted loss of accuracy [1].
    progress : callable, optional
        Called with (evaluations done, evaluations in all).

    Returns
    -------
    list of tuple
        For each cell of the table, or "" where it has none: the cell, its operating points over
        ``point``, and the choice as `bnn.allocation.allocate` gives it.

    Raises
    ------
    ParameterError, DataError
        If the network or its images are not there.

    Examples
    --------
    See docs/guide/accuracy.md.
    """
    in_range("max_loss", max_loss, "1", above=0, below=1)
    test, front = encoded_test_images(load_network(network)), tables.pareto(table)
    cells = dict.fromkeys(front.cell.values.tolist()) if "cell" in front else [""]
    total, found = front.sizes["point"] * len(test.network.layers), []
    before = 0

    def step(done: int, _of: int) -> None:
        progress(before + done, total)

    for cell in cells:
        points = front.isel(point=np.flatnonzero(front.cell.values == cell)) if cell else front
        losses = sensitivity(test, points, seed, sampling, step)
        before += losses.size
        found.append((cell, points, choose(test, points, losses, max_loss, seed, sampling)))
    return found


def config(study: Study) -> dict[str, Any]:
    """Give a study as plain JSON values, for the record.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    dict
        The resolved configuration.

    Examples
    --------
    >>> config(read("quickstart"))["seed"]
    1
    """
    plain = asdict(study)
    plain["grid"] = {k: np.asarray(v).tolist() for k, v in study.grid.items()}
    return plain


def run(
    study: Study,
    out: str | Path,
    *,
    force: bool = False,
    progress: Progress = lambda stage, done, total: None,
) -> tuple[FitResult, xr.Dataset, xr.Dataset]:
    """Run a study from data to evaluated networks and write every stage into a folder.

    The folder appears when all is done: an interrupted run leaves nothing behind.

    Parameters
    ----------
    study : Study
        What to do.
    out : str or Path
        The folder to make: study.json, data.nc, fit.json, table.nc, table.csv, accuracy.nc,
        accuracy.csv, model.nc and check.nc where the recipe has a model and a check of its
        points, and the report (see `report.write`).
    force : bool, optional
        Whether an existing folder may be replaced.
    progress : callable, optional
        Called with (stage, done, in all).

    Returns
    -------
    tuple
        The fit, the table and the accuracies.

    Raises
    ------
    OutputExistsError, ParameterError, DataError, FitError
        As the stages.

    Examples
    --------
    See docs/guide/quickstart.md; `devicephys run` is this function.
    """
    from devicephys import report  # heavy: matplotlib

    recipe = fits.recipe(study.recipe)
    path = data_path(study.data)
    for name in study.networks:  # what is missing should be said before the work, not after
        load_network(name)
    report.check_claims(study.claims, where=study.source)
    with _whole_folder(out, force=force) as folder:
        dataset = recipe.read(path)
        rng = np.random.default_rng(study.seed)
        fit = replace(recipe.fit(dataset, rng, lambda k, n: progress("fit", k, n)), seed=study.seed)
        progress("table", 0, 1)
        table = recipe.table(dataset, fit, study.grid)
        resolved = json.dumps(config(study), sort_keys=True)
        table.attrs |= {"config": resolved, "seed": study.seed}
        progress("table", 1, 1)
        if hasattr(recipe, "model"):
            netcdf.write(recipe.model(dataset, fit, rng), folder / "model.nc")
        if hasattr(recipe, "check"):
            netcdf.write(recipe.check(dataset, fit, rng), folder / "check.nc")
        results = evaluate(table, study.networks, study.seed, study.sampling, study.max_loss,
                           study.recalibrate, lambda k, n: progress("accuracy", k, n))  # fmt: skip
        write_bytes(folder / "study.json", (resolved + "\n").encode())
        netcdf.write(dataset, folder / "data.nc")
        fit_result.write(fit, folder / "fit.json")
        netcdf.write(table, folder / "table.nc")
        tables.write_csv(table, folder / "table.csv")
        netcdf.write(results, folder / "accuracy.nc")
        tables.write_csv(results, folder / "accuracy.csv")
        report.write(folder, lambda k, n: progress("report", k, n))
    return fit, table, results


@contextmanager
def _whole_folder(out: str | Path, *, force: bool) -> Iterator[Path]:
    """Give a scratch folder that takes the place of `out` when the block ends well."""
    target = refuse_existing(Path(out).resolve(), force=force)
    if target.exists():
        foreign = [target.name] if not target.is_dir() else sorted(
            {p.name for p in target.iterdir()} - WRITTEN
        )  # fmt: skip
        if foreign:
            raise OutputExistsError(
                f"holds {foreign[0]}, which no study has written", where=str(out),
                remedy="choose another name: --force replaces only the output of a study",
            )  # fmt: skip
    # Named before it is made: Ctrl-C between making a folder and knowing its name would leave it.
    scratch = target.parent / f".devicephys-{secrets.token_hex(8)}"
    try:
        scratch.mkdir()
        scratch.chmod(0o755)
        yield scratch
        if target.exists():
            old = Path(tempfile.mkdtemp(dir=target.parent, prefix=".devicephys-"))
            os.replace(target, old / target.name)
            os.replace(scratch, target)
            shutil.rmtree(old)
        else:
            os.replace(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
