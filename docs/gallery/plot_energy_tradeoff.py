"""
Error rate against energy, both directions
==========================================

One junction behind an access resistance of 1 kOhm, at constant voltage. Along a line the pulse
gets longer. P to AP starts with the low resistance and spends more; AP to P needs less current
but gets less, too, from the same voltage. The energy is the mean over the switching process, of
junction and access device.
"""

import matplotlib.pyplot as plt
import numpy as np

from devicephys.mram.circuit import Access
from devicephys.mram.pulse import square
from devicephys.mram.write import write_energy, write_error_rate
from devicephys.parameters import DIRECTIONS, MTJ

junction = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
access = Access(r_s=1e3)
widths = np.linspace(1e-9, 25e-9, 60)
figure, panels = plt.subplots(
    1, 2, figsize=(8.4, 4.2), layout="constrained", sharey=True, sharex=True
)
for axes, direction in zip(panels, DIRECTIONS, strict=True):
    for volt, colour in zip(
        (0.25, 0.3, 0.4, 0.5), plt.cm.plasma(np.linspace(0.05, 0.8, 4)), strict=True
    ):
        pulse = square("voltage", volt, widths)
        found = write_error_rate(junction, pulse, direction, access=access, rtol=1e-4)
        energy = write_energy(junction, pulse, direction, access=access)
        axes.plot(energy * 1e15, found.wer, color=colour, label=f"{volt:g} V")
    axes.set(title=direction.replace("->", " to "), xlabel="energy of a write [fJ]", yscale="log")
    axes.set(ylim=(1e-15, 2), xlim=(0, 600))
    axes.grid(color="#e3e3e3")
panels[0].set_ylabel("write error rate (WER)")
panels[1].legend(title="driver", frameon=False)
plt.show()
