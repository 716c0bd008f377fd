"""What the verbs of the command line share: options, numbers from text, the progress bar."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from devicephys.errors import DataError, DevicephysError, ParameterError

if TYPE_CHECKING:
    from devicephys.checks import Array

MOST_VALUES = 1_000_000  # of an axis
AXIS = "START:STOP:N or a comma list"  # in the help of options

Out = Annotated[Path, typer.Option("-o", "--output", help="File or folder to write.")]
Force = Annotated[bool, typer.Option("--force", help="Replace existing output.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Mapped = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help='"TARGET=COLUMN", "TARGET=COLUMN \\[unit]" or "TARGET:=VALUE", once a tidy column, '
        "for files that are not tidy: see docs/guide/my_file.md.",
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress bar.")]


class StoppedError(DevicephysError):
    """Ctrl-C during work that writes its output at the end."""

    exit_code = 130


@contextmanager
def bar(quiet: bool, kept: str = "nothing partial was written") -> Iterator[Callable[..., None]]:
    """Show progress on standard error, only on a terminal; turn Ctrl-C into one clear line.

    Gives a function of stage, steps done, steps in all and, optionally, a note beside the bar.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    shown = not quiet and sys.stderr.isatty()
    try:
        with Progress(*columns, console=Console(stderr=True), disable=not shown) as bars:
            tasks: dict[str, Any] = {}

            def update(stage: str, done: int, total: int, note: str = "") -> None:
                if stage not in tasks:
                    tasks[stage] = bars.add_task(stage, total=total, note=note)
                bars.update(tasks[stage], completed=done, note=note)

            yield update
    except KeyboardInterrupt as stop:
        raise StoppedError(f"interrupted; {kept}") from stop


def spaced(text: str) -> "Array":
    """Give the numbers of START:STOP:N, or raise ValueError."""
    import numpy as np

    start, stop, n = text.split(":")
    ends = float(start), float(stop)
    if not 1 <= int(n) <= MOST_VALUES or not np.isfinite(ends).all():
        raise ValueError
    return np.linspace(*ends, int(n))


def numbers(option: str, text: str, unit: str) -> "Array":
    """Give rising numbers > 0 from START:STOP:N or a comma list, as short as they were meant."""
    import numpy as np

    try:
        values = spaced(text) if ":" in text else np.array([float(x) for x in text.split(",")])
        if not np.isfinite(values).all() or values.min() <= 0 or (np.diff(values) <= 0).any():
            raise ValueError
    except ValueError as err:
        raise ParameterError(
            f"{option} {text}", expected=f"START:STOP:N or numbers with commas, rising, > 0 {unit}"
        ) from err
    return np.array([float(f"{x:.10g}") for x in values])


def refuse_posterior(methods: list[str], dataset: Any, source: str) -> None:
    """Refuse before the fit what `interval_methods.added` would refuse after it."""
    devices = len(set(dataset["device"].values.tolist())) if "device" in dataset else 1
    if "posterior" in methods and devices > 1:
        raise ParameterError(
            f"--intervals posterior of {devices} devices", where=source, expected="one device",
            remedy="use --intervals bootstrap, or a file with one device",
        )  # fmt: skip


def takers(file: Path) -> list[str]:
    """Recipes with a layout of their own that read a file as it is."""
    from devicephys import fits

    found = []
    for name in fits.RECIPES:
        if hasattr(recipe := fits.recipe(name), "LAYOUT"):
            with suppress(DataError):
                recipe.read(file)
                found.append(name)
    return found
