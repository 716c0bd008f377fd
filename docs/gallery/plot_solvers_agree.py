"""
Three solvers, with and without a field across the axis
=======================================================

Write error rate against pulse width, Delta = 60, damping 0.01, twice the critical current, read
after the layer has relaxed. A field of 0.05 H_k across the axis: the Fokker-Planck equation on the
sphere (line), splitting of trajectories (95 % intervals) and a plain ensemble (exact 95 %
intervals). Without the field: the axial equation (dashed), the equation on the sphere and an
ensemble on it. Below: everything over the line of its field; the error estimate of the equation on
the sphere is thinner than that line. The field helps a little early and hurts late: what survives
then librates about the maximum of the energy in the plane.
"""

import matplotlib.pyplot as plt
import numpy as np

from devicephys.mram import fokker_planck, fokker_planck_2d, macrospin, rare_event
from devicephys.mram.free_layer import NONE, Stage, uniaxial

DOWN, BLUE, RED = np.array([0.0, 0.0, -2.0]), "#0072B2", "#D55E00"
rng = np.random.default_rng(5)
tilted, axial = uniaxial(60, 0.01, h=[0.05, 0.0, 0.0]), uniaxial(60, 0.01)


def pulse(layer, tau):
    """Make a pulse, or one for each of some widths."""
    return [Stage(layer, DOWN, NONE, np.asarray(tau))]


tau = np.linspace(0.5, 14, 28)
sphere = fokker_planck_2d.solve(tilted, pulse(tilted, tau))
lines = {
    BLUE: lambda t: np.exp(np.interp(t, tau, np.log(sphere.wer))),  # points lie on its grid
    RED: lambda t: fokker_planck.wer(2.0, t, 60.0, readout="relaxed"),
}
figure, (above, below) = plt.subplots(
    2, 1, figsize=(7.4, 6.4), layout="constrained", sharex=True, height_ratios=(2.6, 1)
)
above.plot(tau, sphere.wer, color=BLUE, label="0.05 $H_k$: Fokker-Planck on the sphere")
above.plot(tau, lines[RED](tau), "--", color=RED, label="no field: axial Fokker-Planck")
share = sphere.error / sphere.wer
below.fill_between(tau, 1 - share, 1 + share, color=BLUE, alpha=0.4, lw=0)
below.axhline(1, color="0.3", lw=0.8)


def point(width, wer, low, high, colour, marker, label):
    """Draw a rate with its interval, as it is and over the line of its field."""
    line = float(lines[colour](width))
    for axes, unit, name in ((above, 1.0, label), (below, line, None)):
        axes.errorbar(
            width, wer / unit, [[(wer - low) / unit], [(high - wer) / unit]], fmt=marker, ms=5,
            color=colour, mfc="white", capsize=2, label=name,
        )  # fmt: skip


for k, width in enumerate((6.0, 9.0, 12.0)):
    found = rare_event.solve(tilted, pulse(tilted, width), rng, particles=4096)
    point(width, found.wer, found.low, found.high, BLUE, "s",
          None if k else "0.05 $H_k$: splitting of trajectories")  # fmt: skip
for layer, colour, shift, name in (
    (tilted, BLUE, 0.0, "0.05 $H_k$: ensemble of 10 000"),
    (axial, RED, 0.25, "no field: ensemble of 10 000"),
):
    for k, width in enumerate((1.0, 2.0, 3.0, 4.0)):
        width += shift
        counted = macrospin.write_error(layer, pulse(layer, width), 10_000, rng)
        point(width, counted.wer, counted.low, counted.high, colour, "o", None if k else name)
widths = np.array([2.0, 5.5, 8.5, 11.5])
check = fokker_planck_2d.solve(axial, pulse(axial, widths))
for k, (width, wer, error) in enumerate(zip(widths, check.wer, check.error, strict=True)):
    point(width, wer, wer - error, wer + error, RED, "x",
          None if k else "no field: Fokker-Planck on the sphere")  # fmt: skip
above.set(ylabel="write error rate (WER) [1]", yscale="log", ylim=(1e-12, 5))
below.set(xlabel="pulse width over damping time, $t_p/t_D$ [1]", ylabel="over the line [1]")
below.set(ylim=(0.4, 1.8), xlim=(0, 14.5))
for axes in (above, below):
    axes.grid(color="#e3e3e3")
above.legend(frameon=False, loc="lower left", fontsize=9)
plt.show()
