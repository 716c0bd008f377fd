"""Read errors of cells: closed forms, exact convolution, and drawn devices, side by side."""

import numpy as np
from devicephys.validation import Figure

from devicephys import ecc
from devicephys.rram import log_normal as closed
from devicephys.rram.cell import Cell
from devicephys.rram.mixture import Mixture, empirical, log_normal
from devicephys.rram.sampled_error import sample_error
from devicephys.rram.tails import draw
from devicephys.rram.threshold import array_threshold, pair_error, threshold_error
from devicephys.rram.threshold_search import best_threshold

CLAIM = "Read errors of 1T1R and 2T2R cells agree between closed form, convolution and sampling."
REFERENCE = (
    "each other; drawn devices; a 1T1R rate of 1e-2 at equal spreads becomes 5e-4 in a pair "
    "(Phi(2.3263 sqrt 2) by hand); drawn words of SECDED(72,64)"
)
LIMIT = "1e-9 between exact rates; 4.5 standard errors of drawn ones (false alarm 7e-6 each)"

SEED, DEVICES = 7, 400_000
STATES = {  # (mu_l, s_l, mu_h, s_h), spread of reference and sense amplifier
    "equal spreads": ((8.5, 0.4, 10.3, 0.4), 0.0),
    "narrow LRS": ((8.7, 0.03, 10.0, 0.57), 0.0),
    "narrow HRS": ((8.7, 0.5, 10.0, 0.1), 0.0),
    "with a sense amplifier": ((8.5, 0.2, 10.3, 0.6), 0.15),
}
EXACT = 1e-9


def run() -> list[Figure]:
    """Compare."""
    rng = np.random.default_rng(SEED)
    figures = []
    for name, (states, s) in STATES.items():
        figures += _log_normal(name, states, s, rng)
    return figures + _mixture(rng) + _comparison() + _code(rng)


def _log_normal(
    name: str, states: tuple[float, float, float, float], s: float, rng: np.random.Generator
) -> list[Figure]:
    lrs, hrs = log_normal(*states[:2]), log_normal(*states[2:])
    threshold = float(closed.best_log_threshold(*states, s))
    p01, p10 = closed.one_transistor_error(*states, threshold, s)
    one, two = float(p01 + p10) / 2, float(closed.two_transistor_error(*states, s))
    found = best_threshold(lrs, hrs, s)
    searched = sum(float(p) for p in threshold_error(lrs, hrs, found, s)) / 2
    return [
        _exact(f"1T1R, {name}: searched threshold", searched, one),
        _exact(f"2T2R, {name}: convolution", pair_error(lrs, hrs, s), two),
        *(
            _drawn(f"{cell}, {name}: drawn", lrs, hrs, rng, exact, threshold, s)
            for cell, exact in (("1T1R", one), ("2T2R", two))
        ),
    ]


def _mixture(rng: np.random.Generator) -> list[Figure]:
    """Levels with read noise, one population among two that share a threshold; and samples."""
    lrs = _levels([8.6, 8.7, 9.2], [0.5, 0.45, 0.05], [0.01, 0.01, 0.02])
    hrs = _levels([9.0, 9.6, 10.2, 10.9], [0.1, 0.3, 0.4, 0.2], [0.02, 0.05, 0.07, 0.0])
    threshold = array_threshold([lrs, lrs], [hrs, log_normal(10.0, 0.3)])
    one = sum(float(p) for p in threshold_error(lrs, hrs, threshold, 0.05)) / 2
    a, b = np.exp(draw(lrs, 500, rng)), np.exp(draw(hrs, 500, rng))
    pairs = (np.sign(a[:, None] - b).mean() + 1) / 2
    return [
        _drawn("1T1R, levels, array-wide threshold: drawn", lrs, hrs, rng, one, threshold, 0.05),
        _drawn("2T2R, levels: drawn", lrs, hrs, rng, pair_error(lrs, hrs, 0.05), None, 0.05),
        _exact("2T2R, samples: all pairs", pair_error(empirical(a), empirical(b)), float(pairs)),
    ]


def _levels(x: list[float], weight: list[float], sigma: list[float]) -> Mixture:
    return Mixture(np.array(x), np.array(weight), np.array(sigma))


def _comparison() -> list[Figure]:
    """Compare a pair with an ideal threshold, where it is better and where it is not."""
    distance = 2 * 2.3263478740408408  # -Phi^-1(1e-2)
    threshold = closed.best_log_threshold(0.0, 1.0, distance, 1.0)
    one = float(sum(closed.one_transistor_error(0.0, 1.0, distance, 1.0, threshold))) / 2
    two = float(closed.two_transistor_error(0.0, 1.0, distance, 1.0))
    narrow, _ = STATES["narrow LRS"]
    gain = float(closed.pair_gain(*narrow))
    far = float(closed.pair_gain(0.0, 0.05, 6.0, 1.0))
    return [
        _exact("1T1R, equal spreads", one, 1e-2),
        Figure("2T2R, equal spreads, where 1T1R has 1e-2", two, "1", "5.01e-4 +- 0.005e-4",
               abs(two - 5.01e-4) < 5e-7),
        Figure("1T1R over 2T2R, narrow LRS", gain, "1", "0.5 to 1: the pair is worse",
               0.5 < gain < 1),
        Figure("1T1R over 2T2R, narrow LRS, states far apart", far, "1", "> 1: the pair is better",
               far > 1),
    ]  # fmt: skip


def _code(rng: np.random.Generator) -> list[Figure]:
    code, p = ecc.secded(64), 4e-3
    failed = (rng.binomial(code.word_bits, p, DEVICES) > 1).mean()
    exact = float(ecc.word_failure(code, p))
    off = abs(failed - exact) / np.sqrt(exact * (1 - exact) / DEVICES)
    tail = float(ecc.word_failure(code, 1e-18)) / (72 * 71 / 2 * 1e-36)
    return [
        Figure("words of SECDED(72,64) that fail: drawn [standard errors]", float(off), "1",
               "<= 4.5", bool(off <= 4.5)),
        _exact("words of SECDED(72,64) that fail at p = 1e-18, over C(72,2) p^2", tail, 1.0),
    ]  # fmt: skip


def _exact(name: str, value: float, asked: float) -> Figure:
    holds = abs(value - asked) <= EXACT * asked
    return Figure(name, value, "1", f"{asked:.10g}, to {EXACT:g} of it", holds)


def _drawn(
    name: str, lrs: Mixture, hrs: Mixture, rng: np.random.Generator, exact: float,
    threshold: float | None, s: float,
) -> Figure:  # fmt: skip
    cell: Cell = "1T1R" if name.startswith("1T1R") else "2T2R"
    found = sample_error(cell, lrs, hrs, DEVICES, rng, threshold, s)
    off = abs(found.ber - exact) / found.stderr
    return Figure(f"{name} [standard errors]", off, "1", "<= 4.5", off <= 4.5)
