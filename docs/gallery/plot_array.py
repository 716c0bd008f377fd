"""
An array is as good as its weak cells
=====================================

Devices differ by 5 % in their critical current. Quantiles over devices, the mean that an array
shows, and the median device: the longer the pulse, the rarer the devices that make the errors.
"""

import matplotlib.pyplot as plt
import numpy as np

from devicephys.mram.pulse import square
from devicephys.mram.spread import Spread, mean_write_error_rate, wer_quantile
from devicephys.parameters import MTJ

junction = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
spread = Spread(sigma_delta=0.05, sigma_i_c0=0.05)
widths = np.linspace(1e-9, 20e-9, 40)
pulse = square("current", 60e-6, widths)
figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
for share, style in ((0.5, "-"), (0.9, "--"), (0.99, "-."), (0.999, ":")):
    wer = wer_quantile(junction, spread, pulse, "P->AP", share)
    name = "median device" if share == 0.5 else f"{share:.1%} of devices are better"
    axes.plot(widths * 1e9, wer, style, color="#0072B2", label=name)
mean = mean_write_error_rate(junction, spread, pulse, "P->AP", rtol=1e-2).wer
axes.plot(widths * 1e9, mean, color="#D55E00", lw=2, label="mean of the array")
axes.set(xlabel="pulse width [ns]", ylabel="write error rate (WER)", yscale="log", ylim=(1e-16, 2))
axes.grid(color="#e3e3e3")
axes.legend(frameon=False)
figure.suptitle("Delta = 60 +- 5 %, $I_{c0}$ = 30 uA +- 5 %, 60 uA", fontsize=11)
plt.show()
