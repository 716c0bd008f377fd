"""Thermal rates against Brown's limit, against decaying solutions, and first-passage times."""

import numpy as np
from devicephys.validation import Figure

from devicephys.mram import closed_form, fokker_planck, switching_time, thermal

CLAIM = "Thermal rates and first-passage times are those of the Fokker-Planck equation."
REFERENCE = (
    "Brown 1963 for high barriers; tabulated values of an independent solver; the Galerkin solver"
)
LIMIT = "three printed digits; 1/Delta corrections of Brown's formula; 1e-4 between our own methods"

RATIOS = ((40, 0.3, 0.953), (40, 0.5, 0.901), (60, 0.5, 0.937))  # numeric over formula, printed
PASSAGES = ((0.8, 52.110), (1.0, 11.211), (1.5, 4.0334), (2.0, 2.5840))  # Delta = 60


def run() -> list[Figure]:
    """Compare rates and times."""
    figures = []
    for delta, x, printed in RATIOS:
        ratio = float(thermal.escape_rate(x, delta) / closed_form.switching_rate(x, delta))
        figures.append(_near(f"rate over Kramers, Delta = {delta}, x = {x}", ratio, printed, 1e-3))
    for stability in (60.0, 240.0):
        brown = closed_form.switching_rate(0.0, stability)
        ratio = float(thermal.escape_rate(0.0, stability) / brown)
        limit = 1.2 / stability  # the first correction is -1/Delta
        figures.append(_near(f"rate over Brown at rest, Delta = {stability:g}", ratio, 1.0, limit))
    for i, printed in PASSAGES:
        time = float(switching_time.mean_first_passage(i, 60.0))
        name = f"mean first passage, Delta = 60, i = {i:g} [t_D]"
        figures.append(_near(name, time, printed, 5e-5 * printed))
    for i, h in ((0.5, 0.0), (0.6, 0.05), (0.4, -0.1)):
        k = float(thermal.escape_rate(i, 60.0, h))
        wer = fokker_planck.wer(i, [0.1 / k, 0.3 / k], 60.0, h, rtol=1e-4)
        decay = float(np.log(wer[0] / wer[1]) / 0.2)
        figures.append(
            _near(f"decay of the solution over its rate, i = {i}, h = {h}", decay, 1, 3e-3)
        )
    for i in (1.5, 2.0, 3.0):
        tau = np.linspace(0, 60, 6001)
        integral = float(np.trapezoid(fokker_planck.wer(i, tau, 60.0, atol=1e-12), tau))
        ratio = integral / float(switching_time.mean(i, 60.0))
        figures.append(
            _near(f"integral of WER over the exact mean time, i = {i:g}", ratio, 1, 1e-5)
        )
    return figures


def _near(name: str, value: float, asked: float, limit: float) -> Figure:
    return Figure(name, value, "1", f"{asked:g} +- {limit:.2g}", abs(value - asked) <= limit)
