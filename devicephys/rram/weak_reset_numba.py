"""Trap and 1/f noise of `weak_reset`, compiled by numba (extra ``fast``): same law, faster.

Devices are taken in tiles that stay in the first-level cache. Exponentials and normals are series
without branches, and loops touch few arrays, so that the compiler uses vectors.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from devicephys.lanes_numba import FAST, JIT, LANES, draw
from devicephys.rram.flicker import LONGEST
from devicephys.rram.normals import Floats

F = np.float32
FAR = 20.0  # exp(-20) is nothing beside 1 in single precision
HALVINGS = 6  # before the series of 1 - exp(-x), undone by as many e -> e (2 - e)
UNIT = 2.0**-24  # random integers of 24 bits are whole numbers in single precision
ROOT_HALF = 0x3F3504F3  # bits of 1/sqrt 2 in single precision
LN2 = float(np.log(2))


def advance(
    rtn: Floats, noise: Floats, first: int, n_pulses: NDArray[np.int32], a_rtn: Floats,
    trap: tuple[float, float] | None, lanes: NDArray[np.uint32],
) -> None:  # fmt: skip
    """Carry traps and 1/f noise some pulses on, in place.

    Valid as `trap.advance` and `flicker.advance`, whose law it has; the random numbers differ.

    Parameters
    ----------
    rtn : ndarray
        Amplitude of the excursion, 0 where the trap is empty, shape (n,) [1].
    noise : ndarray
        Components of the noise, shape (6, m), or (0, m) to leave them out [1].
    first : int
        Column of the noise that belongs to the first of these devices [1].
    n_pulses : ndarray of int32
        Pulses, >= 0, shape (n,) [1].
    a_rtn : ndarray
        Largest amplitudes, shape (n,) [1].
    trap : tuple of float or None
        Probabilities per pulse of capture and emission, `trap.RAREST` at least, since uniform
        numbers have 24 bits; None leaves traps out [1].
    lanes : ndarray of uint32
        A row of generators of `lanes_numba.seeded`, shape (2048,) [1].

    References
    ----------
    As of `trap.advance` and `flicker.advance`; Box and Muller, Ann. Math. Stat. 29 (1958) 610,
    doi:10.1214/aoms/1177706645 (normals).

    Examples
    --------
    >>> from devicephys.lanes_numba import seeded
    >>> rtn, noise = np.zeros(3, F), np.zeros((6, 3), F)
    >>> advance(rtn, noise, 0, np.array([0, 1, 10**6], np.int32), np.full(3, 0.5, F), (1e-3, 0.9),
    ...         seeded(1, np.random.default_rng(1))[0])
    >>> bool((noise[:, 0] == 0).all() and (noise[:, 1:] != 0).all())
    True
    """
    capture, emission = trap or (0.0, 0.0)
    total = capture + emission
    rate = -np.log1p(-total)
    filled = capture / total if trap else 0.0
    _advance(rtn, noise, first, n_pulses, a_rtn, trap is not None, F(rate), F(filled), lanes)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _advance(  # type: ignore[no-untyped-def]
    rtn, noise, first, n_pulses, a_rtn, with_trap, rate, filled, lanes
):  # fmt: skip
    """Go through tiles that stay in the first-level cache, one mechanism after the other."""
    lost, work = np.empty(LANES, np.float32), np.empty(2 * LANES, np.float32)
    for start in range(0, len(rtn), LANES):
        n = n_pulses[start : start + LANES]
        if with_trap:
            _draw_traps(work, lanes)
            _switch(rtn[start : start + LANES], n, a_rtn[start : start + LANES], work, rate, filled)
        if len(noise):
            for j in range(len(n)):
                lost[j] = _lost(np.float32(n[j]) * F(1 / LONGEST))
        for k in range(len(noise) - 1, -1, -1):
            half = k % 2 * LANES
            if half:
                _draw_normals(work, lanes)
            x = noise[k, first + start : first + start + len(n)]
            _drift(x, lost, work[half : half + LANES])


@JIT
def _lost(x):  # type: ignore[no-untyped-def]
    """Compute 1 - exp(-x) for x >= 0, to a few units of the last place, also for small x."""
    r = min(x, F(FAR)) * F(0.5**HALVINGS)
    e = r * (F(1) - r * (F(1 / 2) - r * (F(1 / 6) - r * (F(1 / 24) - r * (
        F(1 / 120) - r * F(1 / 720))))))  # fmt: skip
    for _ in range(HALVINGS):
        e *= F(2) - e
    return e


@JIT
def _draw_normals(work, lanes):  # type: ignore[no-untyped-def]
    """Draw two rows of normals by Box and Muller's rule; they end at 5.8 sigma.

    The angle is pi/4 + a, |a| <= pi/4, in a quadrant that two signs choose.
    """
    for j in range(LANES):
        radius = np.sqrt(_minus_log((_real(draw(lanes, j) >> np.uint32(8)) + F(1)) * F(UNIT)))
        bits = draw(lanes, j)
        a = (_real((bits >> np.uint32(2)) & np.uint32(0xFFFFFF)) * F(UNIT) - F(0.5)) * F(np.pi / 2)
        s = a * a
        sin = a * (F(1) - s * (F(1 / 6) - s * (F(1 / 120) - s * F(1 / 5040))))
        cos = F(1) - s * (F(1 / 2) - s * (F(1 / 24) - s * (F(1 / 720) - s * F(1 / 40320))))
        x, y = radius * (cos - sin), radius * (cos + sin)
        work[j] = x if bits & np.uint32(1 << 31) else -x
        work[LANES + j] = y if bits & np.uint32(1 << 30) else -y


@JIT
def _real(bits):  # type: ignore[no-untyped-def]
    """Make a number of a small integer; signed ones convert faster."""
    return np.float32(np.int32(bits))


@JIT
def _minus_log(u):  # type: ignore[no-untyped-def]
    """Compute -ln u for u in (0, 1]: exponent, and 2 artanh(z) of the mantissa by its series."""
    bits = np.int32(
        np.float32(u).view(np.int32) - np.int32(ROOT_HALF)
    )  # numba widens whole numbers
    exponent = np.float32(np.int32(bits >> np.int32(23)))
    mantissa = np.int32((bits & np.int32(0x7FFFFF)) + np.int32(ROOT_HALF)).view(np.float32)
    z = (mantissa - F(1)) / (mantissa + F(1))
    s = z * z
    log = F(2) * z * (F(1) + s * (F(1 / 3) + s * (F(1 / 5) + s * (F(1 / 7) + s * F(1 / 9)))))
    return max(-log - exponent * F(LN2), F(0))


@JIT
def _draw_traps(work, lanes):  # type: ignore[no-untyped-def]
    """Draw a row of uniform numbers, and one of products of two."""
    for j in range(LANES):
        work[j] = (_real(draw(lanes, j) >> np.uint32(8)) + F(0.5)) * F(UNIT)
        bits = draw(lanes, j)
        first = _real(bits >> np.uint32(16)) + F(0.5)
        second = _real(bits & np.uint32(0xFFFF)) + F(0.5)
        work[LANES + j] = first * second * F(2.0**-32)


@JIT
def _switch(rtn, n_pulses, a_rtn, work, rate, filled):  # type: ignore[no-untyped-def]
    """Carry traps on: the state after n pulses, with a fresh amplitude where n > 0."""
    for j in range(len(rtn)):
        n, now = n_pulses[j], rtn[j]
        lost = _lost(np.float32(n) * rate)
        full = F(1) - (F(1) - filled) * lost if now != F(0) else filled * lost
        after = work[LANES + j] * a_rtn[j] if work[j] < full else F(0)
        rtn[j] = after if n > 0 else now


@JIT
def _drift(x, lost, xi):  # type: ignore[no-untyped-def]
    """Carry a component on; then take `lost` to the next faster one, by three squarings."""
    for j in range(len(x)):
        e, old = lost[j], x[j]
        variance = e * (F(2) - e)
        x[j] = old - e * old + np.sqrt(variance) * xi[j]
        e = variance * (F(2) - variance)
        lost[j] = e * (F(2) - e)
