"""Fokker-Planck: time of a table, against scipy's solver of the same equation, and worst error."""

import numpy as np
from devicephys.validation import Figure, fokker_planck_reference
from scipy.integrate import solve_ivp

from benchmarks import fastest
from devicephys.mram import fokker_planck

CURRENTS, WIDTHS, DELTA = np.linspace(1.1, 3.0, 200)[:, None], np.linspace(0.3, 30, 100), 60.0
SAMPLE = 4  # currents that scipy solves; its time is scaled to all


def run() -> list[Figure]:
    """Time a 200 x 100 table; compare with solve_ivp; give the worst error."""
    table = fastest(lambda: fokker_planck.wer(CURRENTS, WIDTHS, DELTA))
    ratio = fastest(_scipy) * len(CURRENTS) / SAMPLE / table
    errors = fokker_planck_reference.run()
    worst = max(f.value for f in errors[:-1])
    last = errors[-1]  # printed to 5 digits only
    reported = "reported"
    return [
        Figure("table of 200 currents x 100 widths", table, "s", reported, None),
        Figure("time of scipy's BDF (good to 1e-12 only) over ours", ratio, "1", reported, None),
        Figure("worst error of 8 reference values", worst, "1", "<= 1e-05", worst <= 1e-5),
        Figure(last.name, last.value, "1", last.asked, last.holds),
    ]


def _scipy() -> None:
    currents = CURRENTS[:: len(CURRENTS) // SAMPLE, 0]
    rows = np.array([[i, DELTA, 0.0] for i in currents])
    for a, c in zip(*fokker_planck._systems(fokker_planck.ORDERS[1], rows), strict=True):
        solve_ivp(lambda t, y, a=a: a @ y, (0, WIDTHS[-1]), c, "BDF", t_eval=WIDTHS, jac=a,
                  rtol=1e-5, atol=1e-12)  # fmt: skip
