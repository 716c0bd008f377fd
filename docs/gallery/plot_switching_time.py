"""
Distribution of the switching time
==================================

Density of the switching time at constant current, with its mean (tick) from the exact first-passage
integral. The tail is exponential: this is what the write error rate falls with.
"""

import matplotlib.pyplot as plt
import numpy as np

from devicephys.mram import switching_time

tau = np.linspace(0, 12, 500)
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for i, colour in zip((1.2, 1.5, 2.0, 3.0), plt.cm.viridis(np.linspace(0, 0.8, 4)), strict=True):
    density = switching_time.density(i, tau, 60.0)
    mean = float(switching_time.mean(i, 60.0))
    axes.plot(tau, density, color=colour, label=f"{i:g}")
    axes.plot(mean, 0.0, marker="|", ms=18, mew=2, color=colour, clip_on=False)
axes.set(xlabel="time over damping time, $t/t_D$", ylabel="density [$1/t_D$]", xlim=(0, 12))
axes.set_ylim(bottom=0)
axes.grid(color="#e3e3e3")
axes.legend(title="$I/I_{c0}$", frameon=False)
figure.suptitle("Delta = 60", fontsize=11)
plt.show()
