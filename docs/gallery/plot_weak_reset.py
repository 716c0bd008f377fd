"""
Weak RESET, and what each imperfection adds
===========================================

Resistance against the number of equal weak-RESET pulses by the law of Majumdar et al.
(arXiv 2107.06064): median and 5 to 95 % of 4000 devices, and ten of them one by one. Small panels:
one slope and the medians of all parameters, plus one imperfection alone. Mind the axes: devices
differ by far more than all noise of one device. The trap can only add to the resistance. The knee
of the law with two slopes lies at 515 pulses in the median device; it keeps devices with a steep
first slope in bounds, which without it leave the panel "device to device".
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

from devicephys.rram.weak_reset import apply, devices, majumdar_2021, resistance, start

BAND, BLUE, RED = (0.05, 0.5, 0.95), "#0072B2", "#D55E00"
rng = np.random.default_rng(1)
counts = np.arange(0, 2001, 20)
full = majumdar_2021()
bare = replace(
    full, device_to_device=False, nonlinear=False, rtn=False, flicker="off", sigma_set=0.0
)
panels = {
    "full": (full, "all together, with the offset of the SET"),
    "device": (replace(bare, device_to_device=True), "device to device"),
    "trap": (replace(bare, rtn=True), "trap"),
    "noise": (replace(bare, flicker="1/f"), "1/f noise"),
    "slopes": (replace(bare, nonlinear=True), "two slopes"),
}
figure, axes = plt.subplot_mosaic(
    [["full", "device", "trap"], ["full", "noise", "slopes"]],
    figsize=(11, 5.4), layout="constrained", width_ratios=(1.5, 1, 1),
)  # fmt: skip
for name, (law, title) in panels.items():
    state = start(devices(law, 4000, rng), rng)
    kohm = [resistance(state) / 1e3]
    for more in np.diff(counts):
        apply(state, more, rng)
        kohm.append(resistance(state) / 1e3)
    low, median, high = np.quantile(kohm, BAND, axis=1)
    one = axes[name]
    one.plot(counts, np.array(kohm)[:, :10], color="0.55", lw=0.5)
    one.plot([], [], color="0.55", lw=0.5, label="single devices")
    one.fill_between(counts, low, high, color=BLUE, alpha=0.25, lw=0, label="5 to 95 %")
    one.plot(counts, median, color=RED, lw=1.6, label="median")
    one.set(title=title, xlabel="number of pulses [1]", ylabel="resistance [kOhm]", xlim=(0, 2000))
    one.title.set_fontsize(10)
    one.grid(color="#e3e3e3")
axes["full"].legend(frameon=False, loc="upper left")
for name in ("full", "device"):
    axes[name].set(yscale="log", ylim=(5, 100))
    axes[name].set_yticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"], minor=False)
    axes[name].minorticks_off()
for name in ("trap", "noise", "slopes"):
    axes[name].set_ylim(6, 21)
plt.show()
