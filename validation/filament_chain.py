"""The filament three ways: drawn, as a distribution, and as a rate equation."""

from dataclasses import replace

import numpy as np
from devicephys.validation import Figure
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.stats import binom

from devicephys.checks import Array
from devicephys.rram import filament as module
from devicephys.rram.filament import Filament, pulse, rates
from devicephys.rram.master_equation import filled, propagate, quadrature
from devicephys.rram.rate_equation import mean_sites

CLAIM = "Drawn filaments, their master equation and, for many sites, the rate equation agree."
REFERENCE = "each other; the dense matrix exponential; the binomial law of frozen rates"
LIMIT = (
    "drawn: Kolmogorov-Smirnov below its 0.1 % critical value, 23 comparisons, false alarms below "
    "2.5 % in all; distributions 1e-10; "
    "rate equation: 5/N, with N times the difference the same to 10 %"
)

CELL = Filament(60, 6e3, 2.6e3, 1e-5, 1.0, -0.3, 0.08, 0.4, 6e6, e_min=0.6)
MANY = replace(CELL, sigma_e=0.45, sigma_e_cycle=0.4)
WIDTH, N, SEED = 200e-9, 100_000, 1
CRITICAL = 1.949  # sqrt(n) times the distance that 0.1 % of samples exceed; levels make it safe
PULSES = {  # start, voltage, temperature, compliance
    "weak RESET": (60, 0.75, 300.0, np.inf),
    "RESET": (60, 1.0, 300.0, np.inf),
    "strong RESET": (60, 1.4, 300.0, np.inf),
    "RESET when hot": (60, 0.9, 400.0, np.inf),
    "SET": (5, -0.5, 300.0, np.inf),
    "SET with compliance": (5, -1.0, 300.0, 4e-5),
}
DIVISIONS = {  # calls, pulses a call, leap
    "leaps of 0.02": (1, 1, 0.02),
    "leaps of 0.2": (1, 1, 0.2),
    "10 calls of a tenth": (10, 1, 0.05),
    "one call of 10 tenths": (1, 10, 0.05),
    "10 calls, leaps of 0.2": (10, 1, 0.2),
}


def run() -> list[Figure]:
    """Compare."""
    rng = np.random.default_rng(SEED)
    return [*_drawn(rng), *_divided(rng), _matrix(), _binomial(), *_mean(), _spread(rng)]


def _distance(n: NDArray[np.int64], p: Array) -> float:
    """Kolmogorov's distance in units of its critical value."""
    counts = np.bincount(n, minlength=len(p)) / len(n)
    return float(abs(np.cumsum(counts - p)).max() * np.sqrt(len(n)) / CRITICAL)


def _below(name: str, value: float, limit: float = 1.0) -> Figure:
    return Figure(name, value, "1", f"<= {limit:g}", bool(value <= limit))


def _law(start: int, voltage: float, temperature: float = 300.0, i_max: float = np.inf) -> Array:
    p, _ = propagate(CELL, filled(CELL, start), voltage, WIDTH, temperature=temperature,
                     i_max=i_max)  # fmt: skip
    return p[:, 0]


def _engines() -> dict[str, bool]:
    return {"NumPy": False} | ({"numba": True} if module.HAS_NUMBA else {})


def _drawn(rng: np.random.Generator) -> list[Figure]:
    figures = []
    for engine, compiled in _engines().items():
        for name, (start, voltage, temperature, i_max) in PULSES.items():
            n = _pulse(compiled, np.full(N, start), voltage, WIDTH, rng, temperature=temperature,
                       i_max=i_max)  # fmt: skip
            p = _law(start, voltage, temperature, i_max)
            figures.append(_below(f"{name}, {engine}: distance [critical value]", _distance(n, p)))
    return figures


def _divided(rng: np.random.Generator) -> list[Figure]:
    figures, p = [], _law(60, 1.0)
    for engine, compiled in _engines().items():
        for name, (calls, pulses, leap) in DIVISIONS.items():
            n = np.full(N, 60)
            for _ in range(calls):
                n = _pulse(compiled, n, 1.0, WIDTH / (calls * pulses), rng, n_pulses=pulses,
                           leap=leap)  # fmt: skip
            figures.append(_below(f"{name}, {engine}: distance [critical value]", _distance(n, p)))
    return figures


def _pulse(compiled: bool, *args: object, **settings: object) -> NDArray[np.int64]:
    """Draw by an engine of choice."""
    had = module.HAS_NUMBA
    module.HAS_NUMBA = compiled
    try:
        return pulse(CELL, *args, **settings)  # type: ignore[arg-type]
    finally:
        module.HAS_NUMBA = had


def _matrix() -> Figure:
    """Compare with the dense exponential, where |Q| t is from 0.1 to 1e5."""
    worst, n = 0.0, np.arange(61.0)
    start = filled(CELL, [0, 20, 40, 60])
    for voltage in (0.3, 0.75, 1.0, 1.4, -0.5, -1.2):
        k_off, k_on = rates(CELL, n, voltage)
        down, up = n * k_off, (60 - n) * k_on
        q = np.diag(-(down + up)) + np.diag(down[1:], 1) + np.diag(up[:-1], -1)
        for stiffness in np.geomspace(0.1, 1e5, 19):
            width = stiffness / abs(q).max()
            found, _ = propagate(CELL, start, voltage, width)
            worst = max(worst, float(abs(found - expm(q * width) @ start).max()))
    return _below("master equation against the dense exponential", worst, 1e-10)


def _binomial() -> Figure:
    """Let a constriction that takes all the voltage and stays cold empty: sites are independent."""
    frozen = replace(CELL, r_s=1e-12, r_th=1e-9, e_a=0.45, e_min=0.0, a_on=5.0)
    worst, n = 0.0, np.arange(61)
    k_off, k_on = (float(k[30]) for k in rates(frozen, n, 0.5))
    for time in np.geomspace(0.01, 30, 25):
        found, _ = propagate(frozen, filled(frozen, 60), 0.5, time / (k_off + k_on))
        kept = (k_on + k_off * np.exp(-time)) / (k_off + k_on)
        worst = max(worst, float(abs(found[:, 0] - binom.pmf(n, 60, kept)).max()))
    return _below("master equation against the binomial law", worst, 1e-10)


def _mean() -> list[Figure]:
    off = {}
    for n in (50, 100, 200):
        cell = replace(CELL, n_sites=n)
        p, _ = propagate(cell, filled(cell, n), 1.0, WIDTH)
        chain = float(np.arange(n + 1) @ p[:, 0])
        off[n] = n * abs(float(mean_sites(cell, n, 1.0, [WIDTH])[0]) / chain - 1)
    return [
        *(_below(f"N times the difference of the means, N = {n}", x, 5.0) for n, x in off.items()),
        _below("change of it from N = 100 to 200", abs(off[200] / off[100] - 1), 0.1),
    ]


def _spread(rng: np.random.Generator) -> Figure:
    """Draw devices and cycles too, against the quadrature over barriers."""
    made = module.formed(module.devices(MANY, N, rng), rng)
    nodes, weight = quadrature(MANY)
    p, _ = propagate(nodes, filled(nodes, 60), 1.0, WIDTH)
    n = pulse(made, 60, 1.0, WIDTH, rng)
    distance = _distance(n, p @ weight)
    return _below("devices that differ: distance [critical value]", distance)
