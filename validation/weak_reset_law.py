"""Weak RESET against an independent count of the same law, and against itself split into calls."""

from dataclasses import replace

import numpy as np
from devicephys.validation import Figure

from devicephys.rram import flicker, weak_reset
from devicephys.rram.weak_reset import Devices

CLAIM = "Weak RESET has the statistics of the published law, however its pulses are split."
REFERENCE = (
    "an independent count of the law of Majumdar et al., arXiv 2107.06064, with 1e6 devices, "
    "printed to 2-4 digits; closed forms of trap and noise"
)
LIMIT = (
    "medians 0.3 %, percentiles 1 %, spreads 2 %: sampling and printed digits of the reference; "
    "otherwise five standard errors"
)

COUNT, SIGMAS = 1_000_000, 5.0
VALUES = {  # pulses: median, 5 % and 95 % of R [kOhm], standard deviation of w
    0: (7.031, 6.25, 7.91, 0.0520),
    10: (7.08, 6.29, 7.97, 0.0524),
    100: (7.48, 6.52, 8.93, 0.0837),
    500: (8.564, 6.88, 16.8, 0.2951),
    1000: (9.041, 7.01, 26.4, 0.4654),
    2000: (9.397, 7.15, 33.2, 0.5732),
    10000: (11.956, 7.72, 43.6, 0.6193),
}
FLIPS = {1: 0.0056, 5: 0.0268, 14: 0.0747, 50: 0.249, 100: 0.424, 200: 0.614, 500: 0.780,
         1000: 0.837}  # fmt: skip


def run() -> list[Figure]:
    """Compare the mean law, the trap, the noise, and one call with many."""
    rng = np.random.default_rng(1)
    law = weak_reset.majumdar_2021()
    devices = weak_reset.devices(law, COUNT, rng)
    return [*_mean_law(devices), *_flips(devices), *_noise(devices, rng), *_split(rng)]


def _near(name: str, value: float, unit: str, asked: float, limit: float) -> Figure:
    holds = abs(value - asked) <= limit
    return Figure(name, float(value), unit, f"{asked:g} +- {limit:.2g}", bool(holds))


def _mean_law(devices: Devices) -> list[Figure]:
    figures = []
    for t, (median, low, high, std) in VALUES.items():
        w = weak_reset.w_mean(devices, t)
        found = np.percentile(devices.r_0 * np.exp(w), [50, 5, 95]) / 1e3
        for kind, value, asked, limit in zip(
            ("median", "5 %", "95 %"), found, (median, low, high), (3e-3, 1e-2, 1e-2), strict=True
        ):
            figures.append(_near(f"{kind} of R, {t} pulses", value, "kOhm", asked, limit * asked))
        figures.append(_near(f"spread of w, {t} pulses", w.std(dtype=float), "1", std, 0.02 * std))
    return figures


def _flips(devices: Devices) -> list[Figure]:
    """Pulses on the lower device of a pair; the reference has some 5e5 pairs, too."""
    half = COUNT // 2
    start = devices.r_0 * np.exp(weak_reset.w_mean(devices, 0))
    lower = start[:half] < start[half:]
    figures = []
    for n, asked in FLIPS.items():
        after = (devices.r_0 * np.exp(weak_reset.w_mean(devices, n)))[:half]
        error = np.sqrt(asked * (1 - asked) * (1 / lower.sum() + 2e-6))
        limit = 3 * error + (5e-4 if asked > 0.1 else 5e-5)
        share = (after > start[half:])[lower].mean()
        figures.append(_near(f"sign flips of pairs, {n} pulses", share, "1", asked, limit))
    return figures


def _noise(devices: Devices, rng: np.random.Generator) -> list[Figure]:
    """Trap and filter of the published program, and the noise of zero mean in their stead."""
    state = weak_reset.start(devices, rng)
    share, filled = (state.rtn > 0).mean(), state.rtn[state.rtn > 0].astype(float)
    published = flicker.value(flicker.stationary("fir", COUNT, rng), 0.025, centred=False)
    default = flicker.value(state.memory, 0.025)
    root = np.sqrt(COUNT) / SIGMAS
    expected = flicker.level(0.025) * np.sqrt(flicker.COMPONENTS)
    return [
        _near("share of filled traps", share, "1", 0.0008 / 0.0028, 0.452 / root),
        _near("mean amplitude of a filled trap", filled.mean(), "1", 0.0625, 0.074 / 0.53 / root),
        _near("mean of the published noise", published.mean(dtype=float), "1", 0.054, 5e-4),
        _near("spread of the published noise", published.std(dtype=float), "1", 0.01, 1e-4),
        _near("mean of the noise", default.mean(dtype=float), "1", 0.0, expected / root),
        _near("spread of the noise", default.std(dtype=float), "1", expected, expected / root),
    ]


def _split(rng: np.random.Generator) -> list[Figure]:
    """One call of 1000 pulses beside 100 calls of ten: mean and spread of ln R, filled traps."""
    n = 200_000
    law = replace(weak_reset.majumdar_2021(), device_to_device=False)
    results = []
    for calls in (1, 100):
        state = weak_reset.start(weak_reset.devices(law, n, rng), rng)
        for _ in range(calls):
            weak_reset.apply(state, 1000 // calls, rng)
        results.append((weak_reset.log_ratio(state).astype(float), state.rtn > 0))
    (one, filled), (many, also) = results
    error = np.sqrt(2 / n)
    kurtosis = np.mean((one - one.mean()) ** 4) / one.var() ** 2
    spread = 0.5 * np.sqrt(kurtosis - 1) * error * SIGMAS
    return [
        _near("ln R of one call less that of 100 calls, mean", one.mean() - many.mean(), "1", 0.0,
              SIGMAS * one.std() * error),
        _near("spread of ln R, one call over 100 calls", one.std() / many.std(), "1", 1.0, spread),
        _near("filled traps, one call less 100 calls", filled.mean() - also.mean(), "1", 0.0,
              SIGMAS * 0.452 * error),
    ]  # fmt: skip
