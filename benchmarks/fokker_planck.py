"""Write-error engine: time and error of tables, pulses and averages; memory of a large table."""

import resource
from functools import partial

import numpy as np
from devicephys.validation import Figure, fokker_planck_reference
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from benchmarks import fastest
from devicephys.mram import fokker_planck, galerkin, landscape
from devicephys.mram.pulse import levels, square
from devicephys.mram.spread import Spread, mean_write_error_rate
from devicephys.mram.write import write_error_rate
from devicephys.parameters import MTJ

CURRENTS, WIDTHS, DELTA = np.linspace(1.1, 3.0, 200)[:, None], np.linspace(0.3, 30, 100), 60.0
SAMPLE = 8  # currents that scipy solves, and that the reference order solves; scaled to all
REFERENCE = 120  # truncation order of the reference
DEVICE = MTJ(delta=DELTA, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
LARGE = 1_000_000  # operating points


def run() -> list[Figure]:
    """Measure everything that can be measured in about a minute."""
    figures = []
    for name, h, a in (("", 0.0, 0.0), (", h = 0.05", 0.05, 0.0), (", Lambda = 1.5", 0.0, 5 / 13)):
        seconds = fastest(partial(fokker_planck.solve, CURRENTS, WIDTHS, DELTA, h, a))
        figures.append(_at_most(f"table of 200 currents x 100 widths{name}", seconds, "s", 0.25))
        figures += _errors(name, h, a)
        if not name:
            ratio = fastest(_scipy) * len(CURRENTS) / SAMPLE / seconds
            figures.append(
                Figure("time of scipy's BDF over ours", ratio, "1", ">= 50", ratio >= 50)
            )
    return figures + _average() + _levels() + _memory() + _reference()


def _at_most(name: str, value: float, unit: str, limit: float) -> Figure:
    return Figure(name, value, unit, f"<= {limit:g}", value <= limit)


def _errors(name: str, h: float, a: float) -> list[Figure]:
    """Worst relative error against a far higher truncation order, and the claims of the shape."""
    found = fokker_planck.wer(CURRENTS, WIDTHS, DELTA, h, a)
    some = CURRENTS[:: len(CURRENTS) // SAMPLE, 0]
    f, delta = landscape.drift(some, h, a), np.full(SAMPLE, DELTA)
    b = landscape.outflow(f, delta, 1.3 * galerkin.DROP)  # another boundary, too
    start = galerkin.boltzmann(REFERENCE, b, landscape.drift(0 * some, h), delta)
    system = galerkin.generator(REFERENCE, b, f, 1 / (2 * delta))
    read = galerkin.below(REFERENCE, b, 0 * some)
    exact = np.einsum("rn,rnt->rt", read, galerkin.propagate(system, start, WIDTHS))
    error = np.abs(found[:: len(CURRENTS) // SAMPLE] / exact - 1)
    inside = bool(((found >= 0) & (found <= 1)).all() and (np.diff(found, axis=1) <= 0).all())
    return [
        _at_most(f"worst error, WER >= 1e-18{name}", error[exact >= 1e-18].max(), "1", 1e-4),
        _at_most(f"worst error, WER >= 1e-30{name}", error[exact >= 1e-30].max(), "1", 1e-3),
        Figure(f"in [0, 1] and falling with width{name}", float(inside), "1", "1", inside),
    ]


def _scipy() -> None:
    """The same semi-discrete system in scipy's hands, to the same relative tolerance."""
    some = CURRENTS[:: len(CURRENTS) // SAMPLE, 0]
    n, delta = fokker_planck.ORDERS[1], np.full(SAMPLE, DELTA)
    f = landscape.drift(some)
    b = landscape.outflow(f, delta, galerkin.DROP)
    systems = galerkin.generator(n, b, f, 1 / (2 * delta))
    starts = galerkin.boltzmann(n, b, landscape.drift(0 * some), delta)
    for a, c in zip(systems, starts, strict=True):
        solve_ivp(lambda t, y, a=a: a @ y, (0, WIDTHS[-1]), c, "BDF", t_eval=WIDTHS, jac=a,
                  rtol=1e-5, atol=1e-12)  # fmt: skip


def _average() -> list[Figure]:
    """A spread of 5 % of I_c0, against 801 points of the trapezoidal rule."""
    spread, pulse = Spread(0.0, 0.05), square("current", 60e-6, 15e-9)
    found = mean_write_error_rate(DEVICE, spread, pulse, "P->AP")
    y = np.linspace(-14, 14, 801)
    wer = fokker_planck.wer(2 / np.exp(0.05 * y), 15.0, DELTA, readout="relaxed", atol=1e-60)
    exact = np.trapezoid(wer * np.exp(-(y**2) / 2), y) / np.sqrt(2 * np.pi)
    table = square("current", CURRENTS * 30e-6, WIDTHS * 1e-9)
    seconds = fastest(
        lambda: mean_write_error_rate(DEVICE, spread, table, "P->AP", rtol=1e-2, atol=1e-30)
    )
    return [
        _at_most("nodes of the average over 5 % at 1e-10", found.nodes, "1", 15),
        _at_most("its error", abs(float(found.wer) / exact - 1), "1", 1e-4),
        Figure("the table averaged over 5 %", seconds, "s", "reported", None),
    ]


def _levels() -> list[Figure]:
    """Three levels with 1-ns edges against a square pulse, one pulse and 64 at once."""
    figures = []
    for name, scale in (("one pulse", np.ones(())), ("64 pulses", np.linspace(1, 1.2, 64))):
        plain = square("current", 60e-6 * scale, 10e-9 * scale)
        three = levels("current", [40e-6 * scale, 80e-6 * scale, 60e-6 * scale],
                       [2e-9, 3e-9, 3e-9 * scale], edge=1e-9)  # fmt: skip
        seconds = [
            fastest(partial(write_error_rate, DEVICE, p, "P->AP", rtol=1e-4))
            for p in (plain, three)
        ]
        label = f"time of three levels with 1-ns edges over a square pulse, {name}"
        ratio = seconds[1] / seconds[0]
        if scale.ndim:
            figures.append(Figure(label, ratio, "1", "reported", None))
        else:
            figures.append(_at_most(label, ratio, "1", 15))
    return figures


def _memory() -> list[Figure]:
    """A table of a million points; the peak is that of the whole process."""
    shape = (1000, LARGE // 1000)
    i: NDArray[np.float64] = np.linspace(1.1, 3.0, shape[0])[:, None]
    fokker_planck.solve(i, np.linspace(0.3, 30, shape[1]), DELTA)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # kiB on Linux
    return [_at_most("memory of 1e6 operating points", peak / 2**30, "GiB", 1.0)]


def _reference() -> list[Figure]:
    errors = fokker_planck_reference.run()
    worst = max(f.value for f in errors[:-1])
    last = errors[-1]  # printed to 5 digits only
    return [
        _at_most("worst error of 8 reference values", worst, "1", 1e-5),
        Figure(last.name, last.value, "1", last.asked, last.holds),
    ]
