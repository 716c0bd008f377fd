"""Four ways to one write error rate, with and without a field across the axis."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from devicephys.validation import Figure

from devicephys.mram import fokker_planck, fokker_planck_2d, macrospin, rare_event
from devicephys.mram.free_layer import NONE, Stage, uniaxial

CLAIM = (
    "The Fokker-Planck equation on the sphere, splitting of trajectories and plain ensembles agree "
    "with each other, and without a field across the axis with the axial equation."
)
REFERENCE = "each other; the axial Legendre-Galerkin solver; Delta = 60, alpha = 0.02, i = 2"
LIMIT = (
    "trajectories within 4.5 standard errors (24 comparisons; false alarms below 1 %, as the error "
    "of splitting is known from 16 repeats); equations to 1e-4"
)

SEED, DELTA, ALPHA, CURRENT = 20260102, 60.0, 0.02, 2.0
FIELDS = (0.0, 0.05)  # over H_k, along x
TAU = (1.5, 2.0, 3.0, 4.0, 7.0, 10.0)
COUNTED = 1e-3  # rates down to which an ensemble counts
TRAJECTORIES = 400_000
SIGMA, SAME = 4.5, 1e-4


@dataclass(frozen=True)
class Point:
    """A rate by every way.

    Attributes
    ----------
    field, tau : float
        Field across the axis over H_k, and pulse width over t_D [1].
    sphere, sphere_error : float
        From the equation on the sphere, with its error [1].
    axial : float
        From the axial equation; nan with a field [1].
    split : RareEvent
        From splitting of trajectories.
    counted : Ensemble or None
        From a plain ensemble; None where it would count too few.
    """

    field: float
    tau: float
    sphere: float
    sphere_error: float
    axial: float
    split: rare_event.RareEvent
    counted: macrospin.Ensemble | None


def points() -> Iterator[Point]:
    """Compute the rates of every field and width.

    Returns
    -------
    iterator of Point
        Fields, and widths in each.

    Examples
    --------
    >>> import inspect
    >>> inspect.isgenerator(points())
    True
    """
    rng = np.random.default_rng(SEED)
    for field in FIELDS:
        layer = uniaxial(DELTA, ALPHA, h=[field, 0, 0])
        torque = np.array([0, 0, -CURRENT])
        sphere = fokker_planck_2d.solve(layer, [Stage(layer, torque, NONE, np.array(TAU))])
        axial = fokker_planck.wer(CURRENT, TAU, DELTA, readout="relaxed")
        for k, tau in enumerate(TAU):
            pulse = [Stage(layer, torque, NONE, np.array(tau))]
            many = sphere.wer[k] > COUNTED
            yield Point(
                field,
                tau,
                float(sphere.wer[k]),
                float(sphere.error[k]),
                np.nan if field else float(axial[k]),
                rare_event.solve(layer, pulse, rng),
                macrospin.write_error(layer, pulse, TRAJECTORIES, rng) if many else None,
            )


def run() -> list[Figure]:
    """Compare every way with the equation on the sphere."""
    found = list(points())
    split = [abs(p.split.wer - p.sphere) / np.hypot(p.split.error, p.sphere_error) for p in found]
    counted = [
        abs(p.counted.wer - p.sphere) / np.sqrt(p.sphere * (1 - p.sphere) / TRAJECTORIES)
        for p in found
        if p.counted
    ]
    axial = [abs(p.sphere / p.axial - 1) for p in found if not p.field]
    smallest = min(p.sphere for p in found)
    return [
        _at_most(f"splitting against the sphere, {len(split)} rates down to {smallest:.1e}",
                 max(split), SIGMA, "standard errors"),
        _at_most(f"ensembles of {TRAJECTORIES} against the sphere, {len(counted)} rates",
                 max(counted), SIGMA, "standard errors"),
        _at_most(f"sphere against the axial equation, {len(axial)} rates", max(axial), SAME, "1"),
    ]  # fmt: skip


def _at_most(name: str, value: float, limit: float, unit: str) -> Figure:
    return Figure(name, float(value), unit, f"<= {limit:g}", bool(value <= limit))
