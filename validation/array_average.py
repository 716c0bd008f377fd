"""Means and quantiles over an array against drawn devices."""

import numpy as np
from devicephys.validation import Figure

from devicephys.mram import fokker_planck
from devicephys.mram.pulse import square
from devicephys.mram.spread import (
    Spread,
    covariance,
    mean_write_error_rate,
    wer_quantile,
)
from devicephys.parameters import MTJ

CLAIM = "The quadrature over devices gives what sampling them gives."
REFERENCE = "40 000 devices drawn from the spread and solved one by one"
LIMIT = "4.5 standard errors of the sample (false alarm 7e-6 each)"

SEED, DEVICES = 5, 40_000
DEVICE = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
PULSE = square("current", 60e-6, 8e-9)
OVERDRIVE, WIDTH = 2.0, 8.0  # in reduced units
SPREADS = {
    "Delta 10 %, I_c0 4 %, t_D 2 %, apart": Spread(0.10, 0.04, 0.02),
    "all 4 % through the anisotropy": Spread(0.04, 0.04, 0.04, 1, -1, -1),
    "correlated": Spread(0.10, 0.03, 0.02, 0.8, -0.5, -0.3),
}


def run() -> list[Figure]:
    """Compare for each spread."""
    rng = np.random.default_rng(SEED)
    figures = []
    for name, spread in SPREADS.items():
        root = np.linalg.cholesky(covariance(spread)[:3, :3] + 1e-14 * np.eye(3))
        f_i, f_delta, f_t = np.exp(rng.standard_normal((DEVICES, 3)) @ root.T).T
        drawn = fokker_planck.wer(
            OVERDRIVE / f_i, WIDTH / f_t, DEVICE.delta * f_delta, readout="relaxed", rtol=1e-3
        )
        mean = float(mean_write_error_rate(DEVICE, spread, PULSE, "P->AP", rtol=1e-3).wer)
        off = abs(drawn.mean() - mean) / (drawn.std() / np.sqrt(DEVICES))
        figures.append(_within(f"mean, {name}", off))
        for share in (0.5, 0.95, 0.999):
            quantile = float(wer_quantile(DEVICE, spread, PULSE, "P->AP", share))
            error = np.sqrt(share * (1 - share) / DEVICES)
            figures.append(_within(f"{share:g} quantile, {name}",
                                   abs((drawn <= quantile).mean() - share) / error))  # fmt: skip
    return figures


def _within(name: str, off: float) -> Figure:
    return Figure(f"{name} [standard errors]", float(off), "1", "<= 4.5", bool(off <= 4.5))
