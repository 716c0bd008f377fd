"""
1T1R, 2T2R and a code: when is a pair the better cell?
======================================================

Left: bit error rate after one RESET pulse of 200 ns from the LRS, by the filament that this project
fitted to ramps of HfO2 cells (recipe `hfo2_filament`, measured read noise and LRS). 1T1R has the
best threshold at every voltage, and the pair makes fewer errors all the same. Counts on the
measured ramps have it mostly the other way (:doc:`/guide/hfo2` says why). SECDED(72,64) pays only
where errors are rare. Right: log-normal states, a pair against a cell with its best threshold, for
several widths of the LRS over that of the HRS. Above the dashed line the pair makes more errors:
with a narrow LRS that is where errors are frequent.
"""

import matplotlib.pyplot as plt
import numpy as np

from devicephys.rram.filament import Filament
from devicephys.rram.log_normal import (
    best_log_threshold,
    one_transistor_error,
    two_transistor_error,
)
from devicephys.rram.operating_points import KINDS, ResistiveCell, operating_points
from devicephys.rram.read_noise import measured_hfo2

fitted = Filament(
    n_sites=60, r_on=6035.0, r_s=2600.0, g_gap=1.011e-5, e_a=0.982, d_e=-0.344, a_off=0.0757,
    a_on=0.514, r_th=6.37e6, e_min=0.607, sigma_e=0.450, sigma_e_cycle=0.396,
)  # fmt: skip
cell = ResistiveCell(fitted, sigma_lrs=0.0237, noise=measured_hfo2())
volts = np.linspace(0.8, 1.4, 25)
ber = operating_points(cell, {"pulse_voltage": volts, "pulse_width": [200e-9]})["ber"]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
for kind, row, style in zip(KINDS, ber.reshape(len(KINDS), -1), ("-", "--", ":"), strict=True):
    left.plot(volts, row, style, lw=1.8, label=kind)
left.set(yscale="log", xlabel="voltage of the RESET pulse [V]", ylabel="bit error rate [1]")
left.legend(frameon=False)

distance = np.geomspace(0.1, 12, 400)  # of the means of ln R, over the spread of the HRS
shades = plt.cm.viridis(np.linspace(0, 0.85, 4))
for ratio, colour in zip((1.0, 0.3, 0.1, 0.05), shades, strict=True):
    states = (0.0, ratio, distance, 1.0)
    one = sum(one_transistor_error(*states, best_log_threshold(*states))) / 2
    right.plot(one, two_transistor_error(*states), color=colour, label=f"{ratio:g}")
right.plot([1e-7, 0.5], [1e-7, 0.5], "k--", lw=0.9)
right.annotate("pair worse", (3e-6, 3e-5), ha="center")
right.set(
    xscale="log", yscale="log", xlim=(1e-7, 0.7), ylim=(1e-7, 0.7),
    xlabel="bit error rate of 1T1R [1]", ylabel="bit error rate of 2T2R [1]",
)  # fmt: skip
right.legend(title="$\\sigma_{LRS}/\\sigma_{HRS}$", frameon=False, loc="lower right")
for axes in (left, right):
    axes.grid(color="#e3e3e3")
plt.show()
