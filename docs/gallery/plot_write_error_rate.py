"""
Write error rate against pulse width
====================================

A junction of Delta = 60 at overdrives from 1.2 to 3: lines from the Legendre-Galerkin solver, dots
from the independent finite-volume solver. Both keep their relative accuracy in the tail.
"""

import matplotlib.pyplot as plt
import numpy as np

from devicephys.mram import finite_volume, fokker_planck

delta, tau = 60.0, np.linspace(0.02, 40, 400)
dots = np.arange(4.0, 40.0, 6.0)
figure, axes = plt.subplots(figsize=(7, 4.6), layout="constrained")
for i, colour in zip(
    (1.2, 1.4, 1.7, 2.0, 2.5, 3.0), plt.cm.viridis(np.linspace(0, 0.85, 6)), strict=True
):
    wer = fokker_planck.wer(i, tau, delta)
    cells = finite_volume.solve(i, dots, delta)
    axes.plot(tau, wer, color=colour, label=f"{i:g}")
    axes.errorbar(dots, cells.wer, cells.error, fmt="o", ms=4, color=colour)
axes.set(
    xlabel="pulse width over damping time, $t_p/t_D$", ylabel="write error rate (WER)",
    yscale="log", ylim=(1e-20, 2), xlim=(0, 40),
)  # fmt: skip
axes.grid(color="#e3e3e3")
axes.legend(title="$I/I_{c0}$", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
figure.suptitle("Delta = 60: Galerkin (lines), finite volumes (dots)", fontsize=11)
plt.show()
