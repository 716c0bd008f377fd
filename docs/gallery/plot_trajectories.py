"""
Trajectories of a write with a field across the axis
====================================================

Forty writes of one layer, Delta = 40 and damping 0.05, at twice the critical current for 2.5
damping times, then at rest. A field of 0.15 H_k lies in the plane, along x. Left: two of them on
the sphere, seen from a little above the equator; thin lines are on its far side. The one that fails
was past the equator: precession about the field brings it back. So the layer is read after it has
relaxed, not at the end of the pulse.
"""

import matplotlib.pyplot as plt
import numpy as np

from devicephys.mram import macrospin
from devicephys.mram.free_layer import NONE, Stage, uniaxial

layer = uniaxial(40, 0.05, h=[0.15, 0.0, 0.0])
pulse = [
    Stage(layer, np.array([0.0, 0.0, -2.0]), NONE, np.array(2.5)),
    Stage(layer, NONE, NONE, np.array(5.5)),
]
tau = np.linspace(0, 8, 1601)
paths = macrospin.trajectories(layer, pulse, tau, 40, np.random.default_rng(7))
failed = paths.m[2, -1] > 0
SWITCHED, FAILED = "#0072B2", "#D55E00"

figure, (sphere, axes) = plt.subplots(
    1, 2, figsize=(9.6, 4.4), layout="constrained", width_ratios=(1, 1.35)
)
tilt = np.deg2rad(20.0)  # of the line of sight above the equator, which looks along -y


def seen(m):
    """Orthographic projection: across, up, and towards the eye."""
    return (
        m[0],
        m[2] * np.cos(tilt) + m[1] * np.sin(tilt),
        m[2] * np.sin(tilt) - m[1] * np.cos(tilt),
    )


def draw(m, stop, **style):
    """Draw a line on the sphere up to an index, thinner where it is behind."""
    x, y, depth = seen(m[:, :stop])
    for side, width in ((depth >= 0, 1.0), (depth < 0, 0.35)):
        sphere.plot(np.where(side, x, np.nan), np.where(side, y, np.nan), lw=width, **style)


turn = np.linspace(0, 2 * np.pi, 400)
sphere.plot(np.cos(turn), np.sin(turn), color="0.6", lw=0.8)
draw(np.stack([np.cos(turn), np.sin(turn), 0 * turn]), len(turn), color="0.6")
ends = [int(np.flatnonzero(~failed)[0]), int(np.flatnonzero(failed)[0])]
for k, colour in zip(ends, (SWITCHED, FAILED), strict=True):
    draw(paths.m[:, :, k], len(tau), color=colour)
for text, point in (("+z", (0, 0, 1)), ("-z", (0, 0, -1)), ("x, field", (1, 0, 0))):
    x, y, _ = seen(np.array(point))
    sphere.annotate(
        text, (x, y), (1.16 * x, 1.16 * y + 0.02), ha="left" if x else "center", va="center"
    )
sphere.set(
    aspect="equal", xlim=(-1.2, 1.7), ylim=(-1.25, 1.25),
    xlabel="$m_x$ [1]", ylabel="$m_z \\cos 20° + m_y \\sin 20°$ [1]",
)  # fmt: skip

for k in range(paths.m.shape[2]):
    axes.plot(tau, paths.m[2, :, k], lw=0.5, color=FAILED if failed[k] else SWITCHED)
axes.plot([], [], color=SWITCHED, label=f"switched: {(~failed).sum()}")
axes.plot([], [], color=FAILED, label=f"failed: {failed.sum()}")
axes.axvspan(0, 2.5, color="0.93", zorder=0, label="pulse, $i = 2$")
axes.set(
    xlabel="time over damping time, $t/t_D$", ylabel="$m_z$ [1]", xlim=(0, 8), ylim=(-1.05, 1.05)
)
axes.legend(loc="center right", framealpha=1)
figure.suptitle("Delta = 40, damping 0.05, field 0.15 $H_k$ along x", fontsize=11)
plt.show()
