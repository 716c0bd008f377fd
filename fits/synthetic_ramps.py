"""Synthetic staircase RESET ramps of filament cells, from stated parameters and a stated plan.

Devices, their cycles and every jump of a vacancy are drawn from the model of
`devicephys.rram.filament`; reads carry the spread of the LRS, the half site on either side of a
level and read noise, as the fit of `hfo2_filament` takes them. For planning a measurement: the
numbers say "synthetic" wherever they go.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from devicephys.checks import Array, in_range, whole
from devicephys.errors import ParameterError
from devicephys.io import tidy_kinds
from devicephys.rram.filament import Filament, devices, formed, pulse, resistance
from devicephys.rram.operating_points import ResistiveCell
from devicephys.rram.programming import read_spread
from devicephys.rram.read_noise import measured_hfo2
from devicephys.units import column_unit

CELL = ResistiveCell(  # round numbers near the fit of recipe hfo2_filament, docs/guide/hfo2.md
    Filament(
        n_sites=60, r_on=6035.0, r_s=2600.0, g_gap=1.0e-5, e_a=0.98, d_e=-0.34, a_off=0.076,
        a_on=0.51, r_th=6.4e6, e_min=0.61, sigma_e=0.45, sigma_e_cycle=0.40,
    ),
    sigma_lrs=0.024, noise=measured_hfo2(),
)  # fmt: skip
MOST_RAMPS = 1_000_000


@dataclass(frozen=True)
class Plan:
    """What is measured on which devices.

    Attributes
    ----------
    cell : ResistiveCell
        The median device, its spreads and its reads.
    devices, cycles : int
        Number of devices, and ramps of each [1].
    voltages : ndarray
        The staircase, rising, shape (n_voltages,) [V].
    pulse_width : float
        Width of every pulse [s].
    """

    cell: ResistiveCell
    devices: int
    cycles: int
    voltages: Array
    pulse_width: float

    def __post_init__(self) -> None:
        whole("devices", self.devices, least=1)
        whole("cycles", self.cycles, least=1)
        if self.devices * self.cycles > MOST_RAMPS:
            raise ParameterError(
                f"{self.devices * self.cycles} ramps", expected=f"at most {MOST_RAMPS}",
                remedy="fewer devices or cycles",
            )  # fmt: skip
        in_range("voltages", self.voltages, "V", above=0)
        if (np.diff(self.voltages) <= 0).any():
            raise ParameterError("voltages do not rise", expected="a staircase")
        in_range("pulse_width", self.pulse_width, "s", above=0, below=1, scalar=True)


def generate(
    seed: int, plan: Plan, progress: Callable[[int, int], None] = lambda done, total: None
) -> xr.Dataset:
    """Draw ramps: every one begins in the LRS with all sites filled, after a SET."""
    rng = np.random.default_rng(seed)
    cell = plan.cell
    own = devices(cell.filament, plan.devices, rng)
    ramps = formed(replace(own, e_a=np.repeat(own.e_a, plan.cycles)), rng)
    last = cell.filament.n_sites
    n = np.full(plan.devices * plan.cycles, last)
    lrs = cell.sigma_lrs * rng.standard_normal(len(n))

    def read(sites: Array) -> Array:
        level = np.log(resistance(cell.filament, sites)) + lrs
        noise = read_spread(cell.noise, np.exp(level)) * rng.standard_normal(len(n))
        return np.asarray(np.exp(level + noise))

    sites = n.astype(np.float64)
    before, after = [], []
    for done, voltage in enumerate(plan.voltages, 1):
        before.append(read(sites))
        n = pulse(ramps, n, float(voltage), plan.pulse_width, rng)
        # A vacancy conducts neither all nor nothing: half a site on either side of a level.
        sites = np.clip(n + rng.uniform(-0.5, 0.5, len(n)), 0, last)
        after.append(read(sites))
        progress(done, len(plan.voltages))
    return _dataset(seed, plan, np.array(before).T, np.array(after).T)


def _dataset(seed: int, plan: Plan, before: Array, after: Array) -> xr.Dataset:
    shape = after.shape
    names = [f"synthetic-{k + 1}" for k in range(plan.devices)]
    cycle = np.tile(np.arange(plan.cycles), plan.devices)
    columns: dict[str, ArrayLike] = {
        "device": np.repeat(names, plan.cycles)[:, None], "cycle": cycle[:, None],
        "pulse_index": np.arange(shape[1]), "pulse_voltage": plan.voltages,
        "pulse_width": plan.pulse_width, "resistance_before": before, "resistance_after": after,
    }  # fmt: skip
    f = plan.cell.filament
    truth = {
        "e_a": f.e_a, "e_on": f.e_a + f.d_e, "e_width": f.e_a - f.e_min, "a_off": f.a_off,
        "a_on": f.a_on, "r_th": f.r_th, "g_gap": f.g_gap, "sigma_e": f.sigma_e,
        "sigma_e_cycle": f.sigma_e_cycle,
    }  # fmt: skip
    given = {"n_sites": f.n_sites, "r_on": f.r_on, "r_s": f.r_s, "sigma_lrs": plan.cell.sigma_lrs}
    metadata = {"synthetic": "yes, made by devicephys.fits.synthetic_ramps", "seed": str(seed)}
    metadata |= {f"truth_{name}": f"{float(x):.8g}" for name, x in (truth | given).items()}
    return xr.Dataset(
        {
            c.variable: ("point", np.broadcast_to(columns[c.variable], shape).ravel(),
                         {"units": column_unit(c.name)})
            for c in tidy_kinds.KINDS["resistance_pulses"]
        },
        attrs={"kind": "resistance_pulses", "source": f"synthetic, seed {seed}", "sha256": "",
               "metadata": json.dumps(metadata)},
    )  # fmt: skip
