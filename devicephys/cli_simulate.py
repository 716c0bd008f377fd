"""The verb simulate: synthetic data sets with a chosen plan, for planning a measurement."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devicephys.cli_common import AXIS, Force, Out, Quiet, Seed, bar, numbers

if TYPE_CHECKING:
    import xarray as xr

app = typer.Typer(
    no_args_is_help=True,
    help="Write a synthetic data set with a chosen plan, for planning a measurement.",
)


@app.command()
def wer(
    out: Out,
    currents: Annotated[
        str | None,
        typer.Option(help=f"Pulse currents of both directions in ampere, {AXIS}.",
                     show_default="1.5 to 2.6 I_c0"),
    ] = None,
    widths: Annotated[
        str | None,
        typer.Option(help=f"Pulse widths in seconds, {AXIS}.", show_default="1 to 15 t_D"),
    ] = None,
    trials: Annotated[float, typer.Option(help="Pulses at every point.")] = 1e6,
    devices: Annotated[int, typer.Option(help="Number of devices.")] = 8,
    junction: Annotated[
        Path | None,
        typer.Option(help="TOML file of the median junction (docs/guide/mram.md), with [spread].",
                     show_default="a plausible 35-nm junction"),
    ] = None,
    sigma_delta: Annotated[
        float | None,
        typer.Option(help="Spread of ln Delta between devices.",
                     show_default="of the junction file, else 0.03"),
    ] = None,
    sigma_i_c0: Annotated[
        float | None,
        typer.Option(help="Spread of ln I_c0 between devices.",
                     show_default="of the junction file, else 0.01"),
    ] = None,
    seed: Seed = 1,
    force: Force = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Draw write-error counts of junctions; devicephys fit stt_mram_wer reads them."""
    from devicephys.checks import whole
    from devicephys.fits import synthetic_stt_mram as synthetic
    from devicephys.io import junction_toml, tidy_csv
    from devicephys.io.files import refuse_existing
    from devicephys.mram.junction import mtj_from_stack
    from devicephys.parameters import DIRECTIONS

    refuse_existing(out, force=force)
    read = junction_toml.read(junction) if junction else None
    spread = read.spread if read and read.spread else synthetic.SPREAD
    asked = {"sigma_delta": sigma_delta, "sigma_i_c0": sigma_i_c0}
    spread = replace(spread, **{name: x for name, x in asked.items() if x is not None})
    plan = synthetic.shipped_plan(read.mtj if read else mtj_from_stack(synthetic.STACK), spread)
    plan = replace(plan, devices=devices, trials=whole("--trials", trials, least=1))
    if currents:
        axis = numbers("--currents", currents, "ampere")
        plan = replace(plan, currents=dict.fromkeys(DIRECTIONS, axis))
    if widths:
        plan = replace(plan, widths=numbers("--widths", widths, "seconds"))
    with bar(quiet) as progress:
        made = synthetic.generate(seed, plan, lambda k, n: progress("devices", k, n))
    words = {
        "--currents": currents, "--widths": widths, "--trials": f"{plan.trials}",
        "--devices": devices, "--junction": junction, "--sigma-delta": spread.sigma_delta,
        "--sigma-i-c0": spread.sigma_i_c0, "--seed": seed,
    }  # fmt: skip
    tidy_csv.write(_stated(made, "wer", words), out, force=force)
    zeros = int((made.n_errors == 0).sum())
    typer.echo(f"{out}: {made.sizes['point']} points of {devices} devices, {zeros} without error")


@app.command()
def ramps(
    out: Out,
    fit: Annotated[
        Path | None,
        typer.Option(help="Result of devicephys fit hfo2_filament.",
                     show_default="round numbers near that of the measured cells"),
    ] = None,
    devices: Annotated[int, typer.Option(help="Number of devices.")] = 50,
    cycles: Annotated[int, typer.Option(help="Ramps of every device.")] = 10,
    voltages: Annotated[
        str, typer.Option(help=f"Voltages of the staircase in volt, {AXIS}.")
    ] = "0.05:1.4:28",
    pulse_width: Annotated[float, typer.Option(help="Width of every pulse in seconds.")] = 200e-9,
    seed: Seed = 1,
    force: Force = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Draw staircase RESET ramps of filament cells; devicephys fit hfo2_filament reads them."""
    from devicephys.fits import hfo2_filament, synthetic_ramps
    from devicephys.fitting import result as fit_result
    from devicephys.io import tidy_csv
    from devicephys.io.files import refuse_existing

    refuse_existing(out, force=force)
    cell = hfo2_filament.cell(fit_result.read(fit)) if fit else synthetic_ramps.CELL
    plan = synthetic_ramps.Plan(
        cell, devices, cycles, numbers("--voltages", voltages, "volt"), pulse_width
    )
    with bar(quiet) as progress:
        made = synthetic_ramps.generate(seed, plan, lambda k, n: progress("pulses", k, n))
    words = {
        "--fit": fit, "--devices": devices, "--cycles": cycles, "--voltages": voltages,
        "--pulse-width": pulse_width, "--seed": seed,
    }  # fmt: skip
    tidy_csv.write(_stated(made, "ramps", words), out, force=force)
    typer.echo(f"{out}: {made.sizes['point']} pulses, {devices * cycles} ramps, {devices} devices")


def _stated(made: "xr.Dataset", verb: str, words: Mapping[str, object]) -> "xr.Dataset":
    """Write the command that makes a data set again into its header."""
    given = [str(x) for pair in words.items() if pair[1] is not None for x in pair]
    command = shlex.join(["devicephys", "simulate", verb, *given])
    return made.assign_attrs(
        metadata=json.dumps(json.loads(made.attrs["metadata"]) | {"command": command})
    )
