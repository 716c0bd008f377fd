"""
Relaxation of conductance in the logarithm of time
==================================================

Technology C, measured from 0.01 to 1e5 s by A. Levy; the law is this project's fit. Left: mean and
one standard deviation about it (lines, bands) of cells programmed to three levels, and three drawn
cells of each: they jump, as two-state fluctuators do, and jump back. Right: standard deviation of
2000 drawn cells (dots) on the law. It grows with the square root of the decades of time: more than
half of what is there after a day (1e5 s) is there after a second. It holds the noise of both reads.
"""

import matplotlib.pyplot as plt
import numpy as np

from devicephys.rram.relaxation import relax, relaxation_mean, relaxation_sigma, technology_c

law, rng = technology_c(), np.random.default_rng(3)
times = np.geomspace(law.t_first, law.t_last, 71)
figure, (left, right) = plt.subplots(
    1, 2, figsize=(9.8, 4.6), layout="constrained", width_ratios=(1.4, 1)
)
for level, colour in ((12e-6, "#009E73"), (22e-6, "#0072B2"), (36e-6, "#D55E00")):
    cells = relax(np.full(2000, level), times, rng, law) * 1e6
    mean = (level + relaxation_mean(level, times, law)) * 1e6
    sigma = relaxation_sigma(level, times, law) * 1e6
    left.plot(times, cells[:, :3], color=colour, lw=0.7)
    left.plot(times, mean, color=colour, lw=2)
    left.fill_between(times, mean - sigma, mean + sigma, color=colour, alpha=0.2, lw=0)
    right.plot(times, sigma, color=colour, label=f"{level * 1e6:g} uS")
    right.plot(times[::5], cells[::5].std(axis=1), "o", ms=4, color=colour)
left.set(xscale="log", xlabel="time since programming [s]", ylabel="conductance [uS]")
right.set(
    xscale="log", xlabel="time since programming [s]",
    ylabel="standard deviation of the change [uS]",
)  # fmt: skip
left.set_xlim(law.t_first, law.t_last)
right.set_ylim(bottom=0)
right.legend(title="programmed to", frameon=False)
for axes in (left, right):
    axes.grid(color="#e3e3e3")
plt.show()
