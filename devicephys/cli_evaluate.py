"""The verbs evaluate and allocate: what a network makes of a table, and how to write it."""

from pathlib import Path
from typing import Annotated

import typer

from devicephys.cli_common import Force, Out, Quiet, Seed, bar

Source = Annotated[Path, typer.Argument(metavar="TABLE", help="Table (netCDF).")]
MaxLoss = Annotated[float, typer.Option(help="Accepted loss of accuracy, in (0, 1).")]
HalfWidth = Annotated[float, typer.Option(help="Wanted half width of the interval.")]


def evaluate(
    source: Source,
    out: Out,
    network: Annotated[list[str], typer.Option(help="Shipped network or npz file; repeatable.")] = [  # noqa: B006
        "digits"
    ],
    max_loss: MaxLoss = 0.01,
    half_width: HalfWidth = 0.002,
    recalibrate: Annotated[
        bool,
        typer.Option(
            "--recalibrate", help="Also with thresholds corrected for the rates of each point."
        ),
    ] = False,
    secded: Annotated[
        bool, typer.Option("--secded", help="Also with SECDED(72,64) over the cells of the table.")
    ] = False,
    rate_spread: Annotated[
        float,
        typer.Option(help="Spread of the rates: standard deviation of their log-odds, to 10."),
    ] = 0.0,
    cluster: Annotated[
        str, typer.Option(help="What shares its rates, with --rate-spread: chip, row or cell.")
    ] = "chip",
    seed: Seed = 1,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Evaluate networks along the energy-error front of a table; write CSV."""
    from devicephys import study, tables
    from devicephys.bnn.accuracy import Sampling
    from devicephys.bnn.energy import least_energy
    from devicephys.bnn.fault_spread import RateSpread
    from devicephys.bnn.savings import CODE
    from devicephys.io.files import refuse_existing
    from devicephys.report import verdicts

    refuse_existing(out, force=force)
    spread = RateSpread(rate_spread, cluster) if rate_spread else None
    table = tables.read(source)
    if secded:
        table = tables.with_code(table, CODE)
    with bar(quiet) as progress:
        results = study.evaluate(
            table, tuple(network), seed, Sampling(half_width), max_loss, recalibrate,
            lambda k, n: progress("accuracy", k, n), spread,
        )  # fmt: skip
    lines = verdicts.headline(results, least_energy(results, max_loss))
    tables.write_csv(results, out, force=force)
    for line in lines:
        typer.echo(line)


def allocate(
    source: Source,
    network: Annotated[str, typer.Option(help="Shipped network or npz file.")] = "digits",
    max_loss: MaxLoss = 0.01,
    half_width: HalfWidth = 0.002,
    seed: Seed = 1,
    quiet: Quiet = False,
) -> None:
    """Say which layer deserves strong writes: an operating point of the table for each layer."""
    from devicephys import study, tables
    from devicephys.bnn.accuracy import Sampling
    from devicephys.bnn.energy import AXES
    from devicephys.report import verdicts
    from devicephys.units import si

    with bar(quiet) as progress:
        found = study.allocate(
            tables.read(source), network, seed, Sampling(half_width), max_loss,
            lambda k, n: progress("layers", k, n),
        )  # fmt: skip
    for cell, points, choice in found:
        where = f" in {cell} cells" if cell else ""
        if choice is None:
            typer.echo(f"{network}{where}: no operating point of the table keeps the loss of "
                       f"accuracy within {100 * max_loss:g} %")  # fmt: skip
            continue
        for layer, k in enumerate(choice.points):
            p = points.isel(point=k)
            at = verdicts.at({axis: float(p[axis]) for axis in AXES if axis in p})
            typer.echo(f"{network}{where}, layer {layer}: {at}, {si(float(p.energy_per_bit), 'J')} "
                       f"a bit, bit error rate {float(p.ber):.2g}")  # fmt: skip
        typer.echo(
            f"{network}{where}: {si(choice.energy, 'J')} for all weights, "
            f"{100 * choice.gain:.1f} % less than {si(choice.uniform_energy, 'J')} at one point "
            f"for all layers; the loss at most {100 * choice.loss_bound:.2g} %"
        )
