"""
Closed forms over the exact error rate
======================================

Ratio of either closed form to the Fokker-Planck solution at Delta = 60. The constant that follows
from the zero-temperature flow holds within a quarter from i = 2 on; the common constant pi^2/4
does not. Below i = 1.5 neither may be used.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import TwoSlopeNorm

from devicephys.mram import closed_form, fokker_planck

i, grown = np.linspace(1.2, 5, 77), np.linspace(1.5, 12, 60)
tau = grown / (i[:, None] - 1)
exact = fokker_planck.wer(i[:, None], tau, 60.0, rtol=1e-4)
figure, panels = plt.subplots(1, 2, figsize=(8.6, 3.9), layout="constrained", sharey=True)
forms = (
    ("constant of the flow", closed_form.log_wer),
    ("constant $\\pi^2/4$", closed_form.log_wer_butler),
)
for axes, (name, form) in zip(panels, forms, strict=True):
    ratio = np.exp(form(i[:, None], tau, 60.0)) / exact
    image = axes.pcolormesh(
        i,
        grown,
        np.log10(ratio).T,
        cmap="RdBu_r",
        norm=TwoSlopeNorm(0, -0.35, 1.2),
        rasterized=True,
    )
    lines = axes.contour(
        i, grown, ratio.T, levels=[0.8, 0.9, 1.0, 1.1, 1.25, 2, 5, 10], colors="k", linewidths=0.7
    )
    axes.clabel(lines, fmt="%g", fontsize=8)
    axes.set(title=name, xlabel="overdrive $i = I/I_{c0}$")
panels[0].set_ylabel("$(i - 1)\\,t_p/t_D$")
figure.colorbar(image, ax=panels, label="log10 (closed form / exact)")
plt.show()
