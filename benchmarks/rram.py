"""Speed and memory of the RRAM engine, and time of its fit; one core, one process.

The table counted from measured ramps is the claim `hfo2_table`; here stand the figures that depend
on the machine.
"""

import time

import numpy as np
from devicephys.fits import hfo2_filament
from devicephys.validation import Figure, not_established
from numpy.typing import NDArray

from benchmarks import fastest
from devicephys.errors import DataError, ParameterError
from devicephys.rram import filament, log_law, weak_reset
from devicephys.study import data_path
from devicephys.study import read as read_study

N = 1_000_000  # devices
PULSES = 100
SIMPLE = 0.01, 0.05  # mean and standard deviation of ln R a pulse
WIDTH = 200e-9
# The filament fitted to the measured ramps by the recipe `hfo2_filament`.
FITTED = filament.Filament(
    n_sites=60, r_on=6035.0, r_s=2600.0, g_gap=1.011e-5, e_a=0.982, d_e=-0.344, a_off=0.0757,
    a_on=0.514, r_th=6.37e6, e_min=0.607, sigma_e=0.450, sigma_e_cycle=0.396,
)  # fmt: skip
VOLTAGES = (0.8, 0.9, 1.0, 1.2)  # weak to full RESET


def run() -> list[Figure]:
    """Measure everything; about a minute."""
    return [*_simple(), *_weak_reset(), *_filament(), *_fit()]


def _simple() -> list[Figure]:
    """Log-normal pulse update against the naive NumPy line."""
    rng = np.random.default_rng(1)
    slow, fast = np.full(N, 5e3), np.full(N, 5e3, np.float32)

    def naive() -> None:
        nonlocal slow
        slow *= rng.lognormal(*SIMPLE, N)

    ours = fastest(lambda: log_law.apply(fast, 1, *SIMPLE, rng))
    ratio = fastest(naive) / ours
    return [
        Figure("log-normal update over rng.lognormal", ratio, "1", ">= 6", ratio >= 6),
        Figure("log-normal updates", N / ours, "1/s", "-", None),
    ]


def _weak_reset() -> list[Figure]:
    """Full law: device to device, trap, 1/f noise, two slopes."""
    rng = np.random.default_rng(2)
    state = weak_reset.start(weak_reset.devices(weak_reset.majumdar_2021(), N, rng), rng)
    counts: NDArray[np.int64] = rng.integers(1, PULSES * 2, N)
    weak_reset.apply(state, counts, rng)  # compiled now
    numba = weak_reset.HAS_NUMBA
    rate = N / fastest(lambda: weak_reset.apply(state, counts, rng))

    def update_and_read() -> None:
        weak_reset.apply(state, counts, rng)
        weak_reset.resistance(state)

    with_read = N / fastest(update_and_read)
    try:
        weak_reset.HAS_NUMBA = False
        plain = N / fastest(lambda: weak_reset.apply(state, counts, rng))
    finally:
        weak_reset.HAS_NUMBA = numba
    arrays = (state.pulses, state.rtn, state.memory, state.offset)
    memory = sum(x.nbytes for x in arrays) / N
    figures = [
        Figure("weak-RESET updates, NumPy", plain, "1/s", ">= 1e+07", plain >= 1e7),
        Figure("weak-RESET state", memory, "bytes a device", "<= 64", memory <= 64),
    ]
    if numba:
        pulses = rate * counts.mean()
        figures += [
            Figure("weak-RESET updates, numba", rate, "1/s", ">= 5e+07", rate >= 5e7),
            Figure("the same and the resistances", with_read, "1/s", "-", None),
            Figure("effective pulses, 100 a device", pulses, "1/s", ">= 1e+09", pulses >= 1e9),
        ]
    return figures


def _filament() -> list[Figure]:
    """One pulse on a million different devices, at weak and at full RESET."""
    rng = np.random.default_rng(3)
    made = filament.formed(filament.devices(FITTED, N, rng), rng)
    filament.pulse(made, FITTED.n_sites, VOLTAGES[0], 1e-12, rng)  # compiled now
    figures = []
    for voltage in VOLTAGES:
        begin = time.perf_counter()
        filament.pulse(made, FITTED.n_sites, voltage, WIDTH, rng)
        took = time.perf_counter() - begin
        name = f"filament, 1e6 devices, 200 ns at {voltage:g} V"
        figures.append(Figure(name, took, "s", "<= 1", took <= 1))
    return figures


def _fit() -> list[Figure]:
    """Fit of the 500 measured ramps, with the covariance."""
    try:
        dataset = hfo2_filament.read(data_path(read_study("hfo2_weak_reset").data))
    except (ParameterError, DataError) as err:
        return [not_established("fit of the filament", str(err))]
    begin = time.perf_counter()
    hfo2_filament.fit(dataset, np.random.default_rng(0), lambda done, total: None)
    took = time.perf_counter() - begin
    return [Figure("fit of the filament to 500 ramps", took, "s", "<= 60", took <= 60)]
