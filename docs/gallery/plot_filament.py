"""
One RESET pulse on a filament: drawn, exact, and the rate equation
==================================================================

A filament of 60 sites; its parameters are this project's fit of measured staircase ramps of HfO2
cells (recipe `hfo2_filament`). Left: state of 20 000 drawn devices after 200 ns (areas), and the
master equation averaged over devices by quadrature (lines), level by level: R is that of n filled
sites. Right: mean number of filled sites during the pulse. For the median device the rate equation,
which knows no fluctuations, lies close to the exact mean. The mean over devices is another matter:
at 1 V a device with a barrier one standard deviation above the median takes some 500 times longer
to lose a quarter of its sites than one as far below.
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

from devicephys.rram.filament import Filament, devices, formed, pulse, resistance
from devicephys.rram.master_equation import filled, propagate, quadrature
from devicephys.rram.rate_equation import mean_sites

fitted = Filament(
    n_sites=60, r_on=6035.0, r_s=2600.0, g_gap=1.011e-5, e_a=0.982, d_e=-0.344, a_off=0.0757,
    a_on=0.514, r_th=6.37e6, e_min=0.607, sigma_e=0.450, sigma_e_cycle=0.396,
)  # fmt: skip
WIDTH, N = 200e-9, 20_000
rng = np.random.default_rng(1)
levels = np.arange(fitted.n_sites + 1)
kohm = resistance(fitted, levels) / 1e3
middle = np.sqrt(kohm[1:] * kohm[:-1])  # between two levels; the last edges lie as far outside
edges = np.r_[kohm[0] ** 2 / middle[0], middle, kohm[-1] ** 2 / middle[-1]][::-1]
times = np.geomspace(1e-10, WIDTH, 25)
nodes, weight = quadrature(fitted)
alone = replace(fitted, sigma_e=0.0, sigma_e_cycle=0.0)  # the median device
fine, fine_weight = quadrature(fitted, 161)  # for single levels; the mean needs fewer
figure, (left, right) = plt.subplots(1, 2, figsize=(10.4, 4.6), layout="constrained")
for voltage, colour in ((0.8, "#009E73"), (1.0, "#0072B2"), (1.2, "#D55E00")):
    sites = pulse(formed(devices(fitted, N, rng), rng), 60, voltage, WIDTH, rng)
    share = np.bincount(sites, minlength=len(levels))[::-1] / N
    left.stairs(share, edges, fill=True, color=colour, alpha=0.25)
    p, one = filled(nodes, 60), filled(alone, 60)
    everyone, median = [], []
    for step in np.diff(times, prepend=0.0):
        p, _ = propagate(nodes, p, voltage, step)
        one, _ = propagate(alone, one, voltage, step)
        everyone.append(levels @ p @ weight)
        median.append(float(levels @ one[:, 0]))
    after, _ = propagate(fine, filled(fine, 60), voltage, WIDTH)
    left.plot(kohm, after @ fine_weight, ".-", ms=3, lw=1, color=colour, label=f"{voltage:g} V")
    right.plot(times * 1e9, median, color=colour, lw=1.6)
    right.plot(times * 1e9, mean_sites(fitted, 60, voltage, times), "k--", lw=0.9)
    right.plot(times * 1e9, everyone, ":", color=colour, lw=1.6)
left.set(
    xscale="log", yscale="log", ylim=(1e-4, 1.5),
    xlabel="resistance [kOhm]", ylabel="share of devices in a level [1]",
)  # fmt: skip
left.set_xticks([6, 10, 20, 50, 100], ["6", "10", "20", "50", "100"])
left.minorticks_off()
left.legend(title="200 ns at", frameon=False)
for style, colour, width, name in (
    ("-", "0.4", 1.6, "median device, exact"),
    ("--", "k", 0.9, "median device, rate equation"),
    (":", "0.4", 1.6, "mean over devices, exact"),
):
    right.plot([], [], style, color=colour, lw=width, label=name)
right.set(xscale="log", xlabel="time in the pulse [ns]", ylabel="mean filled sites [1]")
right.set(ylim=(0, 62), xlim=(0.1, 200))
right.legend(frameon=False, loc="lower left")
for axes in (left, right):
    axes.grid(color="#e3e3e3")
plt.show()
