"""The command line: data on standard output, progress and messages on standard error.

Exit codes: 0 ok, 1 internal error, 2 usage or study, 3 bad data, 4 output exists, 5 fit or solver
did not converge, 6 a validation claim failed, 130 interrupted. Heavy packages are imported inside
the verbs, so that --help is quick.
"""

import os
import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from devicephys import __version__, cli_evaluate, cli_plan, cli_simulate
from devicephys.cli_common import (
    MOST_VALUES,
    AsJson,
    Force,
    Mapped,
    Out,
    Quiet,
    Seed,
    StoppedError,
    bar,
    refuse_posterior,
    spaced,
    takers,
)
from devicephys.errors import (
    DataError,
    DevicephysError,
    FitError,
    OutputExistsError,
    ParameterError,
)

if TYPE_CHECKING:
    from devicephys.checks import Array
    from devicephys.fitting.result import FitResult

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="From measured memory devices to bit error rates, energies and network accuracy.",
)
data_app = typer.Typer(no_args_is_help=True, help="List shipped data, check a file.")
app.add_typer(data_app, name="data")
app.add_typer(cli_simulate.app, name="simulate")
app.command()(cli_plan.plan)
app.command()(cli_evaluate.evaluate)
app.command()(cli_evaluate.allocate)


@app.command()
def run(
    study: Annotated[str, typer.Argument(help="Name of a shipped study, or a TOML file.")],
    out: Out,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Run a study from data to report."""
    from devicephys import study as studies
    from devicephys.bnn.energy import least_energy
    from devicephys.report import verdicts

    plan = studies.read(study)
    with bar(quiet) as progress:
        _, _, results = studies.run(plan, out, force=force, progress=progress)
    for line in verdicts.headline(results, least_energy(results, plan.max_loss)):
        typer.echo(line)
    typer.echo(f"report: {out / 'report.html'}")


@app.command()
def fit(
    recipe: Annotated[str, typer.Argument(help="Recipe: see devicephys data list.")],
    source: Annotated[str, typer.Argument(metavar="DATA", help="Data file, or a shipped name.")],
    out: Out,
    report: Annotated[
        Path | None, typer.Option(help="HTML page to write: figures, intervals, flags.")
    ] = None,
    intervals: Annotated[
        list[str] | None,
        typer.Option(
            help="Intervals by another method as well: profile, bootstrap, posterior; repeatable."
        ),
    ] = None,
    mapped: Mapped = None,
    seed: Seed = 1,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Fit a recipe to a data file; write the result as JSON, and a report if asked."""
    import numpy as np

    from devicephys import fits
    from devicephys.fitting import interval_methods
    from devicephys.fitting import result as fit_result
    from devicephys.io import mapping
    from devicephys.io.files import refuse_existing, write_bytes
    from devicephys.report import fit_html, verdicts
    from devicephys.study import data_path
    from devicephys.units import si

    chosen = fits.recipe(recipe)
    entries = mapping.parse(mapped or [])
    methods = _methods(intervals or [], chosen)
    for path in (out, report) if report else (out,):
        refuse_existing(path, force=force)
        if path.is_dir():
            raise OutputExistsError("is a folder", where=str(path), remedy="choose another name")
    if report and report.resolve() == out.resolve():
        raise ParameterError(f"--report and -o both name {out}", expected="a file each")
    rng = np.random.default_rng(seed)
    with bar(quiet) as progress:
        dataset = fits.read(chosen, data_path(source), entries)
        refuse_posterior(methods, dataset, source)
        with _named(source):
            result = chosen.fit(dataset, rng, lambda k, n: progress("fit", k, n))
        result = replace(result, seed=seed)
        if methods:
            result = interval_methods.added(
                result, chosen.problems(dataset, result), methods, rng,
                lambda k, n: progress("intervals", k, n),
            )  # fmt: skip
        if report:
            progress("report", 0, 1)
            check = chosen.check(dataset, result, rng) if hasattr(chosen, "check") else None
            words = ["devicephys", "fit", recipe, source, "-o", str(out), "--report", str(report)]
            words += [word for entry in mapped or [] for word in ("--map", entry)]
            words += [word for method in methods for word in ("--intervals", method)]
            page = fit_html(result, check, shlex.join([*words, "--seed", str(seed)]))
            progress("report", 1, 1)
    fit_result.write(result, out, force=force)
    if report:
        write_bytes(report, page.encode(), force=force)
    if result.devices:
        typer.echo(
            f"deviance/dof = {result.deviance / result.dof:.3g}, bootstrap p = {result.p_value:.2g}"
        )
    for verdict in verdicts.of_fit(result):
        if verdict.verdict == "FAIL":
            warnings.warn(f"{verdict.claim}: FAIL ({verdict.found})", stacklevel=1)
    for e in result.estimates:
        text = f"{si(e.low, e.unit, 4)} to {si(e.high, e.unit, 4)}" if e.vary else "given"
        typer.echo(f"{e.name:14} {si(e.value, e.unit, 4):>12}   {text}")
        for method, ends in result.intervals.items():
            if e.name in ends:
                low, high = (si(x, e.unit, 4) for x in ends[e.name])
                typer.echo(f"{'':27}   {low} to {high} ({method})")
    for note in result.notes:
        typer.echo(note)
    for flag in result.flags:
        warnings.warn(flag, stacklevel=1)


@contextmanager
def _named(source: str) -> Iterator[None]:
    """Name the file in errors of a recipe, which may know no more than its numbers."""
    try:
        yield
    except (DataError, FitError) as err:
        if Path(source).name in str(err):
            raise
        raise type(err)(str(err), where=source) from err


def _methods(names: list[str], recipe: ModuleType) -> list[str]:
    from devicephys.checks import known
    from devicephys.fitting.interval_methods import METHODS

    for name in names:
        known("method", name, METHODS)
    if names and not hasattr(recipe, "problems"):
        raise ParameterError(
            f"recipe {recipe.NAME} has its own intervals", expected="no --intervals",
            remedy="leave it out",
        )  # fmt: skip
    return names


@app.command()
def table(
    recipe: Annotated[str, typer.Argument(help="Recipe.")],
    source: Annotated[str, typer.Argument(metavar="DATA", help="Data file, or a shipped name.")],
    out: Out,
    fit: Annotated[
        Path | None, typer.Option(help="Result of devicephys fit; else fitted now.")
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(help="AXIS=START:STOP:N in SI units, once an axis; else the recipe's own."),
    ] = None,
    mapped: Mapped = None,
    seed: Seed = 1,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Make the table of bit error rate and energy over operating points."""
    import numpy as np

    from devicephys import fits
    from devicephys.checks import known
    from devicephys.fitting import result as fit_result
    from devicephys.io import mapping, netcdf
    from devicephys.io.files import refuse_existing
    from devicephys.study import data_path

    chosen = fits.recipe(recipe)
    axes, entries = _grid(grid or []), mapping.parse(mapped or [])
    for name in axes:
        known("axis of this recipe", name, getattr(chosen, "AXES", axes))
    refuse_existing(out, force=force)
    dataset = fits.read(chosen, data_path(source), entries)
    with bar(quiet) as progress:
        if fit:
            result = _matching(fit_result.read(fit), recipe, dataset.attrs["sha256"], str(fit))
        with _named(source):
            if not fit:
                rng = np.random.default_rng(seed)
                result = chosen.fit(dataset, rng, lambda k, n: progress("fit", k, n))
            made = chosen.table(dataset, result, axes)
    netcdf.write(made, out, force=force)
    typer.echo(f"table: {out}, {dict(made.sizes)}")


def _matching(result: "FitResult", recipe: str, sha256: str, where: str) -> "FitResult":
    if result.recipe != recipe:
        raise DataError(f"a fit of recipe {result.recipe}", where=where, expected=recipe)
    if result.data.get("sha256") != sha256:
        raise DataError(
            "a fit of other data", where=where, expected=f"sha256 {sha256[:12]}...",
            remedy="fit this file first",
        )  # fmt: skip
    return result


def _grid(texts: list[str]) -> "dict[str, Array]":
    axes = [_axis(text) for text in texts]
    names = [name for name, _ in axes]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ParameterError(f"--grid {twice[0]} twice", expected="once an axis")
    return dict(axes)


def _axis(text: str) -> "tuple[str, Array]":
    from devicephys.checks import known
    from devicephys.tables import AXES

    name, _, numbers = text.partition("=")
    known("axis", name, AXES)
    try:
        return name, spaced(numbers)
    except ValueError as err:
        raise ParameterError(
            f"--grid {text}",
            expected=f"AXIS=START:STOP:N with N from 1 to {MOST_VALUES}",
            remedy="pulse_width=1e-9:10e-9:10",
        ) from err


@app.command()
def sweep(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="TOML file of a junction (docs/guide/mram.md) or of a resistive "
            "cell (docs/guide/rram.md).",
        ),
    ],
    out: Out,
    grid: Annotated[
        list[str],
        typer.Option(
            help="AXIS=START:STOP:N in SI units, once an axis. Junctions: pulse_current or "
            "pulse_voltage, pulse_width; optional temperature, spread. Cells: pulse_voltage, "
            "pulse_width; optional pulses, temperature, time."
        ),
    ],
    rise: Annotated[
        float | None,
        typer.Option(help="Junctions: rising edge, before the width, in seconds.",
                     show_default="0"),
    ] = None,
    fall: Annotated[
        float | None,
        typer.Option(help="Junctions: falling edge, after the width, in seconds.",
                     show_default="0"),
    ] = None,
    rtol: Annotated[
        float | None,
        typer.Option(help="Junctions: accepted relative error of a rate.", show_default="1e-4"),
    ] = None,
    atol: Annotated[
        float | None,
        typer.Option(help="Junctions: accepted absolute error of a rate.", show_default="1e-30"),
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Make the table of a junction or a resistive cell; interrupted, it goes on where it was."""
    from devicephys import cell_sweep
    from devicephys import sweep as sweeps
    from devicephys.io import cell_toml, junction_toml
    from devicephys.io.files import refuse_existing
    from devicephys.units import si

    refuse_existing(out, force=force)
    asked = {"rise": rise, "fall": fall, "rtol": rtol, "atol": atol}
    options = {name: value for name, value in asked.items() if value is not None}
    kept = "finished chunks, if any, are kept: run the same command again to go on"
    with bar(quiet, kept) as update:

        def progress(done: int, total: int) -> None:
            update("sweep", done, total)

        if cell_toml.describes_cell(source):
            for name in options:
                raise ParameterError(
                    f"--{name} with a cell file", where=source,
                    expected="a junction file: pulses of cells are square, and no tolerance is "
                    "to be chosen", remedy=f"leave out --{name}",
                )  # fmt: skip
            made = cell_sweep.run(
                cell_toml.read(source), _grid(grid), out, progress=progress, force=force
            )
        else:
            made = sweeps.run(
                junction_toml.read(source), _grid(grid), out, **options, progress=progress,
                force=force,
            )  # fmt: skip
    typer.echo(f"table: {out}, {dict(made.sizes)}, {made.ber.size} points")
    if "methods" in made.attrs:
        typer.echo(f"methods: {made.attrs['methods']}")
    ber, energy = made.ber.values, made.energy_per_bit.values
    typer.echo(f"bit error rate: {ber.min():.3g} to {ber.max():.3g}")
    typer.echo(f"energy per bit: {si(energy.min(), 'J')} to {si(energy.max(), 'J')}")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder that devicephys run has made.")],
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write the report of a run again, from its files."""
    from devicephys import report as reports

    with bar(quiet) as progress:
        reports.write(folder, lambda k, n: progress("report", k, n), force=force)
    typer.echo(f"report: {folder / 'report.html'}")


@app.command()
def train(
    name: Annotated[
        str,
        typer.Argument(
            help="Shipped network: digits, mnist, mnist-aware, fashion, fashion-aware; with the "
            "extra learn cifar10-small or, on a GPU, cifar10."
        ),
    ],
    out: Out,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train a shipped network again, write it as npz; interrupted, it goes on where it was."""
    from devicephys.bnn.network import describe
    from devicephys.bnn.network_file import to_bytes
    from devicephys.checks import known
    from devicephys.fits import networks
    from devicephys.io.files import refuse_existing, write_bytes

    epochs = networks.PLANS[known("network", name, networks.PLANS)][1].epochs
    refuse_existing(out, force=force)
    checkpoint = out.with_name(f"{out.name}.checkpoint")
    kept = f"finished epochs, if any, are kept in {checkpoint}: run the same command again to go on"
    with bar(quiet, kept) as update:

        def progress(epoch: int, loss: float, accuracy: float) -> None:
            held = "" if accuracy != accuracy else f", validation {100 * accuracy:.2f} %"
            update("training", epoch, epochs, f"loss {loss:.4f}{held}")

        update("training", 0, epochs)
        made = networks.make(name, progress, checkpoint)
    write_bytes(out, to_bytes(made), force=force)
    checkpoint.unlink(missing_ok=True)
    typer.echo(
        f"{describe(made)}; test accuracy {100 * made.record['test_accuracy']:.2f} % on "
        f"{made.record['test_images']}"
    )


@app.command()
def validate(
    claims: Annotated[list[str] | None, typer.Argument(help="Claims; all where none.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check claims; one line a figure. Exit code 6 if one fails."""
    from devicephys import validation
    from devicephys.checks import known

    for name in claims or []:
        known("claim", name, validation.CLAIMS)
    failed = 0
    with bar(quiet=True):
        for name in claims or validation.CLAIMS:
            for figure in validation.claim(name).run():
                failed += figure.holds is False
                typer.echo(validation.figure_line(figure, as_json=as_json, claim=name))
    if failed:
        raise typer.Exit(6)


@data_app.command("list")
def data_list() -> None:
    """List shipped data, recipes, studies and claims."""
    import devicephys.data as data
    from devicephys import fits, study, validation

    for title, names in (
        ("data", data.names()),
        ("recipes", fits.RECIPES),
        ("studies", study.shipped()),
        ("claims", validation.CLAIMS),
    ):
        typer.echo(f"{title}: {', '.join(names)}")


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(help="Image set: mnist, fashion-mnist, cifar-10.")],
    quiet: Quiet = False,
) -> None:
    """Download a set of images into the user's cache, its SHA-256 checked."""
    from devicephys.bnn.images import download

    with bar(quiet) as progress:
        folder = download(name, progress)
    typer.echo(str(folder))


@data_app.command("check")
def data_check(
    path: Annotated[
        str, typer.Argument(metavar="FILE", help="Any measurement, a table or a network.")
    ],
    mapped: Mapped = None,
) -> None:
    """Say what a file holds, or precisely what is wrong with it."""
    from devicephys import tables
    from devicephys.bnn.network import describe
    from devicephys.bnn.network_file import load
    from devicephys.io import mapping, measurement
    from devicephys.io.files import read_bytes
    from devicephys.study import data_path

    file, entries = data_path(path), mapping.parse(mapped or [])
    if file.suffix == ".npz" and not entries:
        typer.echo(f"{path}: network {describe(load(file))}")
    elif file.suffix == ".nc" and b"run_description" not in read_bytes(file) and not entries:
        typer.echo(f"{path}: table over {dict(tables.read(file).sizes)}")
    else:
        dataset = measurement.read(file, entries)
        readers = takers(file) if dataset.attrs["kind"] == "columns" else []
        first, *lines = measurement.describe(dataset, readers)
        typer.echo(f"{path}: {first}")
        for line in lines:
            typer.echo(f"  {line}")


@app.command()
def doctor() -> None:
    """Show what the package finds on this machine."""
    import importlib.metadata as metadata
    import platform

    import threadpoolctl

    typer.echo(f"devicephys {__version__}, Python {platform.python_version()}")
    for name in ("numpy", "scipy", "lmfit", "xarray", "h5netcdf", "matplotlib", "scikit-learn"):
        typer.echo(f"  {name} {metadata.version(name)}")
    for name, extra in (("numba", "fast"), ("torch", "learn"), ("onnx", "onnx")):
        try:
            typer.echo(f"  {name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            typer.echo(f"  {name} not installed (optional: pip install 'devicephys[{extra}]')")
    import numpy  # noqa: F401  loads the BLAS library that is described next

    for pool in threadpoolctl.threadpool_info():
        typer.echo(f"  {pool['internal_api']} {pool['version']}, {pool['num_threads']} threads")
    folder = os.environ.get("DEVICEPHYS_DATA", "")
    state = folder or "not set: only shipped data can be used"
    state += " (no such folder)" if folder and not Path(folder).is_dir() else ""
    typer.echo(f"  DEVICEPHYS_DATA {state}")


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        Arguments in place of the process's own.

    Raises
    ------
    SystemExit
        Always, with the exit code.

    Examples
    --------
    >>> main(["--version"])
    Traceback (most recent call last):
        ...
    SystemExit: 0
    """
    words = sys.argv[1:] if arguments is None else arguments
    warnings.showwarning = _show_warning
    try:
        app(words)
    except DevicephysError as err:
        if "--debug" in words:
            raise
        typer.echo(f"devicephys: {' '.join(str(err).split())}", err=True)
        sys.exit(err.exit_code)
    except SystemExit as left:
        if left.code == StoppedError.exit_code:  # where no bar has said it
            typer.echo("devicephys: interrupted", err=True)
        raise
    except Exception as err:
        if "--debug" in words:
            raise
        reason = " ".join(str(err).split())
        typer.echo(
            f"devicephys: internal error ({type(err).__name__}: {reason}); please report it with "
            "the output of the same command under devicephys --debug",
            err=True,
        )
        sys.exit(1)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    typer.echo(f"devicephys: warning: {message}", err=True)
