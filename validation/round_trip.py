"""Coverage of the fit: synthetic counts of known junctions, fitted, over many seeds."""

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from devicephys.fits import stt_mram_wer, synthetic_stt_mram
from devicephys.validation import Figure

CLAIM = "The 95 % intervals of the fit contain the true parameters of a synthetic population."
REFERENCE = (
    "the stated junction of devicephys.fits.synthetic_stt_mram; 8 devices, 1e6 trials a point"
)
LIMIT = "90 of 100 seeds: at a true coverage of 95 % fewer have probability 1.1 %"

SEEDS, WORKERS = 100, 2
NAMES = ("delta", "i_c0_p_ap", "i_c0_ap_p", "t_d")


def covered(seed: int) -> dict[str, bool]:
    """Fit one synthetic data set; say which intervals contain the truth."""
    dataset = synthetic_stt_mram.generate(seed)
    result = stt_mram_wer.fit(dataset, np.random.default_rng(seed), lambda done, total: None)
    truth = result.data["truth"]
    return {n: result[n].low <= truth[f"truth_{n}"] <= result[n].high for n in NAMES}


def run(seeds: Iterable[int] = range(SEEDS), workers: int = WORKERS) -> list[Figure]:
    """Fit every seed and count."""
    pool = ProcessPoolExecutor(workers)
    try:
        outcomes = list(pool.map(covered, seeds))
    finally:
        pool.shutdown(cancel_futures=True)  # on Ctrl-C too
    needed = int(np.ceil(0.9 * len(outcomes)))
    return [
        Figure(f"95 % intervals of {name} that hold the truth, of {len(outcomes)}",
               sum(o[name] for o in outcomes), "1", f">= {needed}",
               sum(o[name] for o in outcomes) >= needed)
        for name in NAMES
    ]  # fmt: skip
