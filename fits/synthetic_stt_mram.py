"""Synthetic write-error counts of an STT-MRAM junction, from a stated junction and a stated plan.

No public data set of STT-MRAM write-error tails is known; the numbers made here are for showing
and testing the way through, and say "synthetic" wherever they go. The junction is a plausible
35-nm perpendicular free layer, not a fit to anything.

The shipped file is made by ``python -m devicephys.fits.synthetic_stt_mram OUT.csv``.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from devicephys.checks import Array, in_range, whole
from devicephys.errors import ParameterError
from devicephys.fitting.wer_data import RANGES
from devicephys.io import tidy_csv, tidy_rows
from devicephys.mram.junction import mtj_from_stack
from devicephys.mram.pulse import square
from devicephys.mram.spread import Spread, covariance
from devicephys.mram.write import write_error_rate
from devicephys.parameters import DIRECTIONS, MTJ, Stack

STACK = Stack(
    diameter=35e-9, t_f=1.3e-9, m_s=1.0e6, k_i=0.97e-3, alpha=0.012,
    eta_p_ap=0.5, eta_ap_p=0.7, ra=6e-12, tmr=1.2, v_h=0.5,
)  # fmt: skip
SPREAD = Spread(sigma_delta=0.03, sigma_i_c0=0.01)
DEVICES, TRIALS, SEED = 8, 1_000_000, 20190801
OVERDRIVES = (1.5, 1.8, 2.2, 2.6)  # I/I_c0 of the median device
WIDTHS = np.array([1.0, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15])  # in t_D
MOST_TRIALS = 10**15
MOST_POINTS = 1_000_000
VARIES = ("delta", "i_c0_p_ap", "i_c0_ap_p", "t_d")  # from device to device
NOTHING = 1e-12  # of a variance
SAFE = 1e-3  # of one error in all trials: what the solver may add


@dataclass(frozen=True)
class Plan:
    """What is measured on which devices.

    Attributes
    ----------
    mtj : MTJ
        The median device.
    spread : Spread
        How devices differ; their resistances play no part in counts against a current.
    devices : int
        Number of devices [1].
    trials : int
        Pulses at every point [1].
    currents : mapping of str to ndarray
        By direction: magnitudes of the pulses, rising, shape (n_currents,) [A].
    widths : ndarray
        Pulse widths, rising, shape (n_widths,) [s].
    """

    mtj: MTJ
    spread: Spread
    devices: int
    trials: int
    currents: Mapping[str, Array]
    widths: Array

    def __post_init__(self) -> None:
        whole("devices", self.devices, least=1)
        if whole("trials", self.trials, least=1) > MOST_TRIALS:
            raise ParameterError(f"trials = {self.trials:g}", expected=f"at most {MOST_TRIALS:g}")
        points = self.devices * len(self.widths) * sum(len(x) for x in self.currents.values())
        if points > MOST_POINTS:
            raise ParameterError(
                f"{points} points", expected=f"at most {MOST_POINTS}",
                remedy="fewer devices, currents or widths",
            )  # fmt: skip
        axes = {f"currents {d}": (x, "A", RANGES["pulse_current"])
                for d, x in self.currents.items()}  # fmt: skip
        axes["widths"] = self.widths, "s", RANGES["pulse_width"]
        for name, (axis, unit, (low, high)) in axes.items():
            in_range(name, axis, unit, above=low, below=high, inclusive=True)
            if (np.diff(axis) <= 0).any():
                raise ParameterError(
                    f"{name} {np.array(axis).tolist()}", expected="numbers that rise",
                    remedy="give them yourself: the defaults are rounded to 10 ps and 0.1 uA",
                )  # fmt: skip


def shipped_plan(mtj: MTJ, spread: Spread = SPREAD) -> Plan:
    """Give the plan of the shipped file for any junction: round currents and widths, eight devices.

    A tester is set to round numbers: 10 ps and 0.1 uA.
    """
    return Plan(
        mtj, spread, DEVICES, TRIALS,
        {d: np.round(np.array(OVERDRIVES) * mtj.i_c0(d), 7) for d in DIRECTIONS},
        np.round(WIDTHS * mtj.t_d, 11),
    )  # fmt: skip


def generate(
    seed: int,
    plan: Plan | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> xr.Dataset:
    """Draw binomial error counts of devices with log-normal Delta, I_c0 and t_D."""
    rng = np.random.default_rng(seed)
    plan = plan or shipped_plan(mtj_from_stack(STACK))
    median, trials = plan.mtj, plan.trials
    root = _triangular(covariance(plan.spread)[:3, :3])
    varies = np.flatnonzero(np.diag(root))
    rows = []
    for number in range(1, plan.devices + 1):
        z = np.zeros(3)
        z[varies] = rng.standard_normal(len(varies))
        i_c0, delta, t_d = np.exp(root @ z)
        device: MTJ = replace(
            median,
            delta=median.delta * delta,
            i_c0_p_ap=median.i_c0_p_ap * i_c0,
            i_c0_ap_p=median.i_c0_ap_p * i_c0,
            t_d=median.t_d * t_d,
        )
        name = f"synthetic-{number}"
        for direction in DIRECTIONS:
            currents = plan.currents[direction]
            pulses = square("current", currents[:, None], plan.widths)
            atol = min(1e-12, SAFE / trials)
            wer = write_error_rate(device, pulses, direction, atol=atol).wer
            errors = rng.binomial(trials, wer)
            rows += [
                (name, direction, i, t, median.temperature, trials, int(k))
                for i, line in zip(currents, errors, strict=True)
                for t, k in zip(plan.widths, line, strict=True)
            ]
        progress(number, plan.devices)
    metadata = {
        "synthetic": "yes, made by devicephys.fits.synthetic_stt_mram",
        "seed": seed,
        "r_p_ohm": f"{median.r_p:.6g}",
        "tmr": f"{median.tmr:.6g}",
        "v_h_V": f"{median.v_h:.6g}",
        **{f"truth_{x}": f"{getattr(median, x):.8g}" for x in VARIES},
    }
    if plan.devices == 1:  # a fit of one device finds its parameters, not those of the median
        metadata |= {f"truth_{x}_{name}": f"{getattr(device, x):.8g}" for x in VARIES}
    return tidy_rows.drawn(rows, "wer_counts", seed, metadata)


def _triangular(matrix: Array) -> Array:
    """Cholesky factor of a covariance; a column of zeros for what follows from the others."""
    root = np.zeros_like(matrix)
    for j in range(len(matrix)):
        left = matrix[j, j] - root[j, :j] @ root[j, :j]
        if left > NOTHING * matrix[j, j]:
            root[j:, j] = (matrix[j:, j] - root[j:, :j] @ root[j, :j]) / np.sqrt(left)
    return root


if __name__ == "__main__":
    tidy_csv.write(generate(SEED), sys.argv[1])
