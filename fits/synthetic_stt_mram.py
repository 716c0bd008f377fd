"""Synthetic write-error counts of an STT-MRAM junction, from a stated junction and a stated plan.

No public data set of STT-MRAM write-error tails is known; the numbers made here are for showing
and testing the way through, and say "synthetic" wherever they go. The junction is a plausible
35-nm perpendicular free layer, not a fit to anything.

The shipped file is made by ``python -m devicephys.fits.synthetic_stt_mram OUT.csv``.
"""

import json
import sys
from dataclasses import replace

import numpy as np
import xarray as xr

from devicephys.io import tidy_csv
from devicephys.mram.junction import mtj_from_stack
from devicephys.mram.pulse import square
from devicephys.mram.write import write_error_rate
from devicephys.parameters import DIRECTIONS, MTJ, Stack
from devicephys.units import column_unit

STACK = Stack(
    diameter=35e-9, t_f=1.3e-9, m_s=1.0e6, k_i=0.97e-3, alpha=0.012,
    eta_p_ap=0.5, eta_ap_p=0.7, ra=6e-12, tmr=1.2, v_h=0.5,
)  # fmt: skip
SIGMA_DELTA, SIGMA_I_C0 = 0.03, 0.01  # of the logarithms, from device to device
DEVICES, TRIALS, SEED = 8, 1_000_000, 20190801
OVERDRIVES = (1.5, 1.8, 2.2, 2.6)  # I/I_c0 of the median device
WIDTHS = np.array([1.0, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15])  # in t_D


def generate(seed: int, stack: Stack = STACK) -> xr.Dataset:
    """Draw binomial error counts of devices with log-normal Delta and I_c0."""
    rng = np.random.default_rng(seed)
    median = mtj_from_stack(stack)
    # A tester is set to round numbers: 10 ps and 0.1 uA.
    widths = np.round(WIDTHS * median.t_d, 11)
    rows = []
    for number in range(1, DEVICES + 1):
        factor = np.exp(rng.normal(0, SIGMA_I_C0))
        device: MTJ = replace(
            median,
            delta=median.delta * np.exp(rng.normal(0, SIGMA_DELTA)),
            i_c0_p_ap=median.i_c0_p_ap * factor,
            i_c0_ap_p=median.i_c0_ap_p * factor,
        )
        for direction in DIRECTIONS:
            currents = np.round(np.array(OVERDRIVES) * median.i_c0(direction), 7)
            wer = write_error_rate(
                device, square("current", currents[:, None], widths), direction, atol=1e-12
            ).wer
            errors = rng.binomial(TRIALS, wer)
            rows += [
                (f"synthetic-{number}", direction, i, t, stack.temperature, TRIALS, int(k))
                for i, line in zip(currents, errors, strict=True)
                for t, k in zip(widths, line, strict=True)
            ]
    metadata = {
        "synthetic": "yes, made by devicephys.fits.synthetic_stt_mram",
        "seed": seed,
        "r_p_ohm": f"{median.r_p:.6g}",
        "tmr": f"{median.tmr:.6g}",
        "v_h_V": f"{median.v_h:.6g}",
        "truth_delta": f"{median.delta:.8g}",
        "truth_i_c0_p_ap": f"{median.i_c0_p_ap:.8g}",
        "truth_i_c0_ap_p": f"{median.i_c0_ap_p:.8g}",
        "truth_t_d": f"{median.t_d:.8g}",
    }
    columns = tidy_csv.KINDS["wer_counts"]
    variables = {
        c.variable: ("point", np.array(values), {"units": column_unit(c.name)})
        for c, values in zip(columns, zip(*rows, strict=True), strict=True)
    }
    attrs = {"kind": "wer_counts", "source": f"synthetic, seed {seed}", "sha256": "",
             "metadata": json.dumps({k: str(v) for k, v in metadata.items()})}  # fmt: skip
    return xr.Dataset(variables, attrs=attrs)


if __name__ == "__main__":
    tidy_csv.write(generate(SEED), sys.argv[1])
