"""
How little energy a bit may cost
================================

Four ways to write the weights of a network for handwritten digits into the same junctions, at one
width and rising current: one pulse; one pulse, and a second where a read finds the first has
failed (the energy of the read left out); SECDED(72,64); every bit three times, with a majority.
Lines: mean over error maps; bands: 95 % intervals, maps and 500 test images together. The network
bears errors of a percent, so that a code that corrects them costs more than it gives.
"""

import matplotlib.pyplot as plt
import numpy as np

from devicephys.bnn.accuracy import Sampling, curve
from devicephys.bnn.faults import Rates
from devicephys.ecc import coded, repetition, secded
from devicephys.mram.pulse import square
from devicephys.mram.write import energy_per_bit, write_error_rate
from devicephys.parameters import MTJ
from devicephys.study import encoded_test_images, load_network

junction = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
pulse = square("current", np.linspace(35e-6, 62e-6, 15), 8e-9)
p10, p01 = (write_error_rate(junction, pulse, way).wer for way in ("P->AP", "AP->P"))
energy = energy_per_bit(junction, pulse)
ways = {
    "one pulse": {"p01": p01, "p10": p10, "energy_per_bit": energy},
    "a second pulse on failure": {
        "p01": p01**2, "p10": p10**2, "energy_per_bit": energy * (1 + (p01 + p10) / 2),
    },
    "SECDED(72,64)": coded(secded(64), p01, p10, energy),
    "three copies": coded(repetition(3), p01, p10, energy),
}  # fmt: skip
test = encoded_test_images(load_network("digits"))
figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
for (name, way), style, colour in zip(
    ways.items(), ("-", "--", "-.", ":"), ("#0072B2", "#009E73", "#D55E00", "#CC79A7"), strict=True
):
    rates = [Rates(*pair) for pair in zip(way["p01"], way["p10"], strict=True)]
    found = curve(test, rates, 1, Sampling(4e-3, 6, 30))
    x = way["energy_per_bit"] * 1e15
    axes.plot(x, 100 * found.accuracy, style, color=colour, label=name)
    axes.fill_between(x, 100 * found.low, 100 * found.high, color=colour, alpha=0.15, lw=0)
axes.set(xlabel="energy per data bit [fJ]", ylabel="accuracy [%]", xscale="log")
axes.set_xticks([60, 100, 200, 400], ["60", "100", "200", "400"])
axes.minorticks_off()
axes.grid(color="#e3e3e3")
axes.legend(frameon=False, loc="lower right")
figure.suptitle("Digits, Delta = 60, 8 ns, one junction", fontsize=11)
plt.show()
