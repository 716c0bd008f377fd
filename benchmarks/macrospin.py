"""Trajectories and the Fokker-Planck equation on the sphere: speed, bias, agreement; on one core.

With cmtj installed (extra ``bench``) its cost stands beside ours. Cost means time for one
trajectory of the pulse of WER 0.015 at a bias of 0.5 %.
"""

import importlib.util
import time
from functools import partial
from typing import Any

import numpy as np
from devicephys.validation import Figure

from benchmarks import fastest
from devicephys.constants import GAMMA_0, K_B, MU_0
from devicephys.mram import (
    boltzmann,
    fokker_planck,
    fokker_planck_2d,
    heun,
    integrator,
    macrospin,
    rare_event,
    splitting,
)
from devicephys.mram.fokker_planck_2d import Expansion
from devicephys.mram.free_layer import NONE, FreeLayer, Stage, uniaxial

DELTA, ALPHA, DOWN = 60.0, 0.01, np.array([0.0, 0.0, -2.0])
LAYER, TILTED = uniaxial(DELTA, ALPHA), uniaxial(DELTA, ALPHA, h=[0.05, 0, 0])
BLOCK, STEPS = macrospin.BLOCK, 200
BIAS = 0.005
TAU = 4.0  # pulse of WER 0.015
COARSE = 0.002  # step over t_D at which the bias of Heun's method is measured: 0.2 in precession
COUNT = 65_536  # trajectories of that measurement
AXIAL = ((2.0, 4_000_000), (3.05, 8_000_000), (4.0, 32_000_000))  # WER 0.6, 0.1, 0.015
ACROSS = ((2.03, 4_000_000), (2.97, 4_000_000), (4.0, 4_000_000))  # WER 0.5, 0.1, 0.014
FINEST = Expansion(112, 29, 13.0, 0.1)  # of the reference on the sphere


def run() -> list[Figure]:
    """Measure everything; a few minutes."""
    return [*_speed(), *_axial_bias(), *_across(), *_rare_events(), *_curve()]


def _pulse(layer: FreeLayer, tau: float) -> list[Stage]:
    return [Stage(layer, DOWN, NONE, np.array(tau))]


def _at_least(name: str, value: float, unit: str, limit: float) -> Figure:
    return Figure(name, value, unit, f">= {limit:g}", value >= limit)


def _at_most(name: str, value: float, unit: str, limit: float) -> Figure:
    return Figure(name, value, unit, f"<= {limit:g}", value <= limit)


def _speed() -> list[Figure]:
    """Steps a second in single precision, and cost of a trajectory at equal bias."""
    stage, step = _pulse(LAYER, TAU)[0], integrator.largest_step(_pulse(LAYER, TAU))
    rng = np.random.default_rng(1)
    kernels = {"NumPy Heun": heun.advance, "NumPy splitting": splitting.advance_numpy}
    if splitting.HAS_NUMBA:
        kernels["numba splitting"] = splitting.advance
    rates = {}
    for name, advance in kernels.items():
        m = boltzmann.draw(LAYER, BLOCK, rng).astype(np.float32)
        advance(m, stage, 1, step, rng)  # compiled
        rates[name] = BLOCK * STEPS / fastest(lambda: advance(m, stage, STEPS, step, rng))  # noqa: B023
    shortest = _step_of_heun(rng)
    lengths = {name: shortest if "Heun" in name else step for name in rates}
    if importlib.util.find_spec("cmtj"):
        rates["cmtj Heun"], lengths["cmtj Heun"] = _cmtj_rate(shortest), shortest
    cost = {name: TAU / lengths[name] / rate for name, rate in rates.items()}
    best = min(cost["NumPy splitting"], cost.get("numba splitting", np.inf))
    figures = [Figure(f"steps a second, {n}", x / 1e6, "1e6/s", "reported", None)
               for n, x in rates.items()]  # fmt: skip
    figures += [
        _at_least("NumPy splitting over NumPy Heun, steps a second",
                  rates["NumPy splitting"] / rates["NumPy Heun"], "1", 6),
        Figure("step of Heun's method for a bias of 0.5 %", shortest, "t_D", "reported", None),
        Figure("step of the splitting", step, "t_D", "reported", None),
        _at_least("cost of NumPy Heun over NumPy splitting, equal bias",
                  cost["NumPy Heun"] / cost["NumPy splitting"], "1", 20),
    ]  # fmt: skip
    if "numba splitting" in rates:
        ratio = rates["numba splitting"] / rates["NumPy splitting"]
        figures.append(_at_least("numba over NumPy splitting, steps a second", ratio, "1", 5))
    if "cmtj Heun" in rates:
        ratio = cost["cmtj Heun"] / best
        figures.append(_at_least("cost of cmtj over the splitting, equal bias", ratio, "1", 200))
    return figures


def _step_of_heun(rng: np.random.Generator) -> float:
    """Step at which ln WER is off by `BIAS`: the error of the growth rate goes as its cube."""
    m = boltzmann.draw(LAYER, COUNT, rng).astype(np.float32)
    heun.advance(m, _pulse(LAYER, TAU)[0], round(TAU / COARSE), COARSE, rng)
    exact = float(fokker_planck.wer(2.0, TAU, DELTA))
    off = abs(np.log((m[2] > 0).mean() / exact))
    return COARSE * float((BIAS / off) ** (1 / 3))


def _cmtj_rate(step: float) -> float:
    """Steps a second of cmtj's Heun method, the same junction, one trajectory after another."""
    import cmtj

    temperature, h_k, m_s, thickness = 300.0, 2e5, 1e6, 1e-9  # A/m
    volume = 2 * DELTA * K_B * temperature / (MU_0 * m_s * h_k)
    t_d = (1 + ALPHA**2) / (ALPHA * GAMMA_0 * h_k)
    zero = [cmtj.CVector(0, 0, 0)] * 3
    layer = cmtj.Layer.createSTTLayer(
        "free", cmtj.CVector(0.1, 0, 0.995), cmtj.CVector(0, 0, 1), MU_0 * m_s, thickness,
        volume / thickness, zero, ALPHA, 1.0, 0.0, 0.75,
    )  # fmt: skip
    layer.setReferenceLayer(cmtj.CVector(0, 0, 1))
    junction: Any = cmtj.Junction([layer])  # its stubs lack the solver's choice
    junction.setLayerAnisotropyDriver("free", cmtj.constantDriver(MU_0 * m_s * h_k / 2))
    junction.setLayerTemperatureDriver("free", cmtj.constantDriver(temperature))
    junction.setLayerCurrentDriver("free", cmtj.constantDriver(-1e10))
    count = 200_000
    run = partial(junction.runSimulation, solverMode=cmtj.SolverMode.Heun)
    length = count * step * t_d
    return count / fastest(lambda: run(length, step * t_d, length))


def _axial_bias() -> list[Figure]:
    figures = []
    for seed, (tau, count) in enumerate(AXIAL):
        exact = float(fokker_planck.wer(2.0, tau, DELTA))
        found = macrospin.write_error(
            LAYER, _pulse(LAYER, tau), count, np.random.default_rng(seed), relax=0.0
        )
        error = np.sqrt(exact * (1 - exact) / count) / exact
        name = f"bias of WER {exact:.3g}, {count / 1e6:g}e6 trajectories (+- {error:.1e})"
        figures.append(_at_most(name, abs(found.wer / exact - 1), "1", BIAS))
    return figures


def _across() -> list[Figure]:
    figures = []
    for seed, (tau, count) in enumerate(ACROSS):
        exact = float(fokker_planck_2d.wer(TILTED, _pulse(TILTED, tau)))
        start = time.perf_counter()
        found = macrospin.write_error(
            TILTED, _pulse(TILTED, tau), count, np.random.default_rng(seed)
        )
        seconds = time.perf_counter() - start
        off = abs(found.wer - exact) / np.sqrt(exact * (1 - exact) / count)
        name = f"in-plane field 0.05 H_k, WER {exact:.3g}: difference from the sphere"
        figures.append(_at_most(name, off, "standard errors", 3))
        figures.append(Figure("its 4e6 trajectories", seconds, "s", "reported", None))
    return figures


def _rare_events() -> list[Figure]:
    cases = (
        ("axial", LAYER, 11.02, 0.05, 2.0),  # 1.1e-8
        ("in-plane field 0.05 H_k", TILTED, 9.13, 0.15, None),  # 1e-6
    )
    figures = []
    for name, layer, tau, asked, limit in cases:
        exact = float(fokker_planck_2d.wer(layer, _pulse(layer, tau)))
        rare_event.solve(layer, _pulse(layer, 1.0), np.random.default_rng(1), repeats=4)  # compiled
        start = time.perf_counter()
        found = rare_event.solve(layer, _pulse(layer, tau), np.random.default_rng(2))
        seconds = time.perf_counter() - start
        label = f"rare events, {name}, WER {exact:.3g}"
        off = abs(found.wer / exact - 1)
        figures.append(
            _at_most(f"{label}: deviation (+- {found.error / found.wer:.2g})", off, "1", asked)
        )
        figures.append(
            Figure(f"{label}: time", seconds, "s", "reported", None)
            if limit is None
            else _at_most(f"{label}: time", seconds, "s", limit)
        )
    return figures


def _curve() -> list[Figure]:
    """A whole curve with an in-plane field, against an expansion far beyond those of `solve`."""
    widths = np.linspace(0.2, 14, 70)
    pulse = [Stage(TILTED, DOWN, NONE, widths)]
    results = []
    seconds = fastest(lambda: results.append(fokker_planck_2d.solve(TILTED, pulse)))
    exact = fokker_planck_2d.rates(TILTED, pulse, "relaxed", FINEST)
    off = np.abs(results[0].wer / exact - 1)[exact > 1e-9]
    stated = (results[0].error / results[0].wer)[exact > 1e-9]
    return [
        _at_most("curve of 70 widths on the sphere", seconds, "s", 5.0),
        _at_most("its worst error above 1e-9", off.max(), "1", 1e-3),
        Figure("its worst stated error", stated.max(), "1", "reported", None),
    ]
