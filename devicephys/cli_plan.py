"""The verb plan: which pulses to measure next."""

from pathlib import Path
from typing import Annotated

import typer

from devicephys.cli_common import AXIS, Mapped, Quiet, bar, numbers
from devicephys.errors import ParameterError


def plan(
    recipe: Annotated[str, typer.Argument(help="Recipe: stt_mram_wer.")],
    source: Annotated[str, typer.Argument(metavar="DATA", help="Data file, or a shipped name.")],
    fit: Annotated[Path, typer.Option(help="Result of devicephys fit.")],
    parameter: Annotated[str, typer.Option(help="Whose interval is to shrink.")] = "delta",
    currents: Annotated[
        str | None,
        typer.Option(help=f"Pulse currents that can be set, in ampere: {AXIS}.",
                     show_default="range of the data"),
    ] = None,
    voltages: Annotated[
        str | None,
        typer.Option(help=f"The same in volt, for data against voltage: {AXIS}.",
                     show_default="range of the data"),
    ] = None,
    widths: Annotated[
        str | None,
        typer.Option(help=f"Pulse widths that can be set, in seconds: {AXIS}.",
                     show_default="to twice the longest"),
    ] = None,
    trials: Annotated[float, typer.Option(help="Trials of each pulse.")] = 1e6,
    points: Annotated[int, typer.Option(help="How many pulses to choose.")] = 5,
    mapped: Mapped = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Say which pulses would shrink the interval of a parameter most, and how far."""
    from devicephys import fits
    from devicephys.fitting import result as fit_result
    from devicephys.fitting import wer_design
    from devicephys.fitting.wer_data import KINDS
    from devicephys.io import mapping
    from devicephys.study import data_path
    from devicephys.units import si

    chosen = fits.recipe(recipe)
    if recipe != "stt_mram_wer":
        raise ParameterError(f"plan for recipe {recipe}", expected="stt_mram_wer")
    given = {
        "pulse_current": ("--currents", currents, "A"),
        "pulse_voltage": ("--voltages", voltages, "V"),
        "pulse_width": ("--widths", widths, "s"),
    }
    grid = {
        name: numbers(option, text, unit)
        for name, (option, text, unit) in given.items() if text is not None
    }  # fmt: skip
    dataset = fits.read(chosen, data_path(source), mapping.parse(mapped or []))
    with bar(quiet) as progress:
        progress("plan", 0, 1)
        made = wer_design.plan(dataset, fit_result.read(fit), parameter, grid, trials, points)
        progress("plan", 1, 1)
    unit = "A" if KINDS[dataset.attrs["kind"]][1] == "pulse_current" else "V"
    typer.echo(f"standard error of {parameter}, one device: {100 * made.before:.3g} % now")
    for pulse in made.pulses:
        typer.echo(
            f"{pulse.direction:5}  {si(pulse.drive, unit):>8}  {si(pulse.width, 's'):>8}  "
            f"{trials:g} trials, WER {pulse.wer:.2g}: then {100 * pulse.error:.3g} %"
        )
    for sentence in made.sentences():
        typer.echo(sentence)
