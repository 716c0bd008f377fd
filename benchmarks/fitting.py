"""Round trip of the fit: one synthetic data set, fitted; time, bias and whether the truth is in."""

import numpy as np
from devicephys.fits import stt_mram_wer, synthetic_stt_mram
from devicephys.validation import Figure

from benchmarks import fastest

SEED = 1


def run() -> list[Figure]:
    """Fit 8 devices x 104 points."""
    dataset = synthetic_stt_mram.generate(SEED)
    results = []
    seconds = fastest(
        lambda: results.append(
            stt_mram_wer.fit(dataset, np.random.default_rng(SEED), lambda done, total: None)
        )
    )
    fit = results[0]
    figures = [Figure("fit of 8 devices x 104 points", seconds, "s", "reported", None)]
    for name in ("delta", "i_c0_p_ap", "i_c0_ap_p", "t_d"):
        e, truth = fit[name], fit.data["truth"][f"truth_{name}"]
        label, inside = f"{name}: deviation from the truth", e.low <= truth <= e.high
        asked = f"|.| <= {max(e.high / e.value, e.value / e.low) - 1:.2g} (95 % interval)"
        figures.append(Figure(label, e.value / truth - 1, "1", asked, inside))
    return figures
