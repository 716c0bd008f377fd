"""Legendre-Galerkin against finite volumes on random conditions."""

import numpy as np
from devicephys.validation import Figure

from devicephys.mram import finite_volume, fokker_planck, landscape

CLAIM = "Two independent solvers of the Fokker-Planck equation agree within their error estimates."
REFERENCE = "finite volumes (Scharfetter-Gummel) on the whole interval, three grids, extrapolated"
LIMIT = (
    "twice the estimate of the finite volumes plus that of the Galerkin solver: a difference of "
    "grids estimates an error, it does not bound it; 2 % in the worst case"
)

SEED, CONDITIONS = 20260101, 200
WORST = 0.02


def run() -> list[Figure]:
    """Draw Delta 20-120, i 0.5-6, h +-0.1, Lambda 2/3-3/2, tau 0.2-10 and compare."""
    rng = np.random.default_rng(SEED)
    ratios, errors = [], []
    for _ in range(CONDITIONS):
        delta, i, h = rng.uniform(20, 120), rng.uniform(0.5, 6), rng.uniform(-0.1, 0.1)
        a = float(landscape.asymmetry(np.exp(rng.uniform(-0.405, 0.405)), True))
        tau = rng.uniform(0.2, 10)
        cells = finite_volume.solve(i, tau, delta, h, a)
        galerkin = fokker_planck.solve(i, tau, delta, h, a, atol=1e-250)
        if galerkin.wer < 1e-200:
            continue
        difference = abs(float(cells.wer - galerkin.wer))
        ratios.append(difference / float(2 * cells.error + galerkin.error))
        errors.append(difference / float(galerkin.wer))
    inside = sum(r <= 1 for r in ratios)
    count = len(ratios)
    return [
        Figure(f"conditions of {count} within the estimates", inside, "1", f"{count}",
               inside == count),
        Figure("largest relative difference", max(errors), "1", f"<= {WORST:g}",
               max(errors) <= WORST),
        Figure("median relative difference", float(np.median(errors)), "1", "reported", None),
    ]  # fmt: skip
