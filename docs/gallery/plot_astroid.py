"""
Astroid and hysteresis loops of Stoner and Wohlfarth
====================================================

Without heat a layer leaves its state where the minimum of its energy vanishes. Left: lines are
the closed form (cos^(2/3) psi + sin^(2/3) psi)^(-3/2) for a field at an angle psi to the axis, dots
are `stability.switching_field`, which follows the minimum that starts at +z. In an elliptic cell a
field towards the short axis y sees 1.5 H_k: the dotted line, on which the layer would switch if it
stayed in the plane of axis and field. Near the axis it does not, but gives way towards the long
axis x. Right: the component along the field while the field sweeps slowly; dashed lines are the
jumps.
"""

import matplotlib.pyplot as plt
import numpy as np

from devicephys.mram.free_layer import uniaxial
from devicephys.mram.stability import switching_field
from devicephys.mram.wells import frame, slopes, turned

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


def closed_form(psi):
    """Switching field over H_k of a round cell."""
    return (np.abs(np.cos(psi)) ** (2 / 3) + np.abs(np.sin(psi)) ** (2 / 3)) ** -1.5


def followed(layer, m):
    """Move a state of rest by Newton's method to the minimum of a layer close by."""
    for _ in range(8):
        gradient, hessian = slopes(layer, m)
        m = turned(m, frame(m), -np.linalg.solve(hessian, gradient))
    return m


figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 5), layout="constrained")
psi = np.linspace(0, 2 * np.pi, 801)
for size, style, name in ((1.0, "-", "closed form, $H_k$"), (1.5, ":", "closed form, 1.5 $H_k$")):
    h = size * closed_form(psi)
    left.plot(h * np.sin(psi), h * np.cos(psi), style, color="0.4", label=name)
angles = np.deg2rad([6.0, 18.0, 30.0, 45.0, 60.0, 72.0, 84.0])
for in_plane, direction, marker, colour, name in (
    (0.0, (1, 0), "o", COLOURS[0], "round cell"),
    (0.5, (0, 1), "v", COLOURS[1], "elliptic cell, field towards y"),
):
    layer = uniaxial(60, 0.01, in_plane=in_plane)
    fields = [[*np.sin(a) * np.array(direction), -np.cos(a)] for a in angles]
    h = np.array([switching_field(layer, field) for field in fields])
    across, along = h * np.sin(angles), -h * np.cos(angles)
    both = np.r_[across, -across], np.r_[along, along]
    left.plot(*both, marker, ms=5, color=colour, label=name)
left.set(
    xlabel="field across the axis over $H_k$ [1]", ylabel="field along the axis over $H_k$ [1]",
    aspect="equal", xlim=(-1.6, 1.6), ylim=(-1.6, 1.6),
)  # fmt: skip
figure.legend(frameon=False, loc="outside lower left", ncols=2)

for degrees, colour in zip((5, 30, 60, 85), COLOURS, strict=True):
    angle = np.deg2rad(degrees)
    d, gone = np.array([np.sin(angle), 0.0, np.cos(angle)]), float(closed_form(angle))
    sweep = np.r_[np.linspace(1.2, -0.9 * gone, 60), -gone * (1 - np.geomspace(0.1, 1e-3, 40))]
    state, branch = d, []
    for h in sweep:
        state = followed(uniaxial(60, 0.01, h=h * d), state)
        branch.append(d @ state)
    landing = -np.interp(gone, sweep[::-1], branch[::-1])
    for sign in (1, -1):  # down and up
        right.plot(
            sign * sweep, sign * np.array(branch), color=colour,
            label=f"{degrees}°" if sign > 0 else None,
        )  # fmt: skip
        jump = sign * np.array([branch[-1], landing])
        right.plot(np.full(2, -sign * gone), jump, "--", color=colour, lw=0.9)
right.set(xlabel="field over $H_k$ [1]", ylabel="component of $\\mathbf{m}$ along the field [1]")
right.set(xlim=(-1.25, 1.25), ylim=(-1.08, 1.08))
right.grid(color="#e3e3e3")
right.legend(title="field to axis", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
