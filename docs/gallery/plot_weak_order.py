"""
Weak error of the two integrators against their step
====================================================

Error of the write error rate of a pulse of two damping times at twice the critical current, Delta =
60, damping 0.1, read by the sign of m_z at the end: the rate of a million trajectories (Heun:
65 536) over the exact one of the Fokker-Planck equation, less one. Left without, right with a field
of 0.1 H_k across the axis. Bars are two standard errors; filled dots are rates that are too high,
open ones too low. The splitting is of second order; Heun's method loses accuracy by the angle of
precession in a step, which is the step over the damping, and needs steps ten times as short. The
dash-dotted line is the default step, `integrator.largest_step`.
"""

import matplotlib.pyplot as plt
import numpy as np

from devicephys.mram import boltzmann, fokker_planck_2d, heun, integrator, splitting
from devicephys.mram.free_layer import NONE, Stage, uniaxial

TAU, BLOCK = 2.0, 8192
METHODS = (
    ("splitting", splitting.advance, "#0072B2", 2**20, (5, 8, 12, 20, 32)),
    ("Heun", heun.advance, "#D55E00", 2**16, (20, 30, 45, 68, 100)),
)
rng = np.random.default_rng(3)


def rate(advance, stage, start, steps):
    """Count the trajectories that a pulse of some steps leaves on their side."""
    failures = 0
    for first in range(0, start.shape[1], BLOCK):
        m = np.ascontiguousarray(start[:, first : first + BLOCK])
        advance(m, stage, steps, TAU / steps, rng)
        failures += int((m[2] > 0).sum())
    return failures / start.shape[1]


figure, panels = plt.subplots(
    1, 2, figsize=(9.2, 4.4), layout="constrained", sharex=True, sharey=True
)
for axes, h_x in zip(panels, (0.0, 0.1), strict=True):
    layer = uniaxial(60, 0.1, h=[h_x, 0.0, 0.0])
    stage = Stage(layer, np.array([0.0, 0.0, -2.0]), NONE, np.array(TAU))
    exact = float(fokker_planck_2d.wer(layer, [stage], readout="sign"))
    start = boltzmann.draw(layer, 2**20, rng).astype(np.float32)
    for name, advance, colour, count, numbers in METHODS:
        spread = 2 * np.sqrt((1 - exact) / exact / count)
        for steps in numbers:
            error = rate(advance, stage, start[:, :count], steps) / exact - 1
            axes.errorbar(
                TAU / steps, abs(error), [[min(spread, 0.999 * abs(error))], [spread]],
                fmt="o", color=colour, mfc=colour if error > 0 else "white", capsize=2,
                label=name if steps == numbers[-1] else None,
            )  # fmt: skip
    s = np.array([0.018, 0.45])
    axes.plot(s, 0.8 * s**2, "--", color="0.5", lw=1, label="slope 2")
    axes.plot(s, 0.1 * s, ":", color="0.5", lw=1, label="slope 1")
    axes.axvline(integrator.largest_step([stage]), color="k", ls="-.", lw=0.8, label="default step")
    axes.set(xscale="log", yscale="log", xlabel="step over damping time, $s$ [1]")
    axes.set(title=f"field across the axis: {h_x:g} $H_k$", ylim=(5e-4, 2))
    axes.grid(color="#e3e3e3")
panels[0].set_ylabel("relative error of the write error rate [1]")
panels[1].legend(framealpha=1, loc="upper left", fontsize=9)
plt.show()
