"""The splitting of `splitting`, compiled by numba (extra ``fast``): same law, several times faster.

Each trajectory has its own generator of `lanes_numba`. A tile of trajectories
stays in the first-level cache for all steps of a call, in one flat array with rows at constant
distances, so that the compiler sees that nothing overlaps and uses vectors throughout.
"""

from typing import NamedTuple

import numba
import numpy as np

from devicephys.checks import Array
from devicephys.lanes_numba import FAST, JIT, draw, seeded
from devicephys.lanes_numba import LANES as TILE
from devicephys.mram.free_layer import Factors, Floats, Stage, is_axial
from devicephys.mram.kick import corner

QUARTER = float(np.float32(np.pi / 2))  # of a turn; the rest of it is taken off, too


class _Parts(NamedTuple):
    """A stage as the kernels take it: series in each component, Chebyshev, without zeros."""

    anisotropy: tuple[tuple[float, ...], ...]
    constant: tuple[float, ...]
    torque: tuple[float, ...]
    angular: tuple[float, ...]
    alpha: float
    axial: bool


def advance(
    m: Floats, stage: Stage, steps: int, step: float, rng: np.random.Generator, factors: Factors,
) -> None:  # fmt: skip
    """Carry unit vectors through some steps, in place.

    Valid as `splitting.advance`, which calls this.

    Parameters
    ----------
    m : ndarray
        Unit vectors, float32 or float64, shape (3, n) [1].
    stage : Stage
        The conditions.
    steps : int
        Number of steps [1].
    step : float
        Length of a step over t_D [1].
    rng : numpy.random.Generator
        Source of the seeds.
    factors : Factors
        How the layers differ.

    References
    ----------
    Blackman and Vigna, ACM Trans. Math. Softw. 47 (2021) 36, doi:10.1145/3460772 (xoshiro128+).

    Examples
    --------
    >>> from devicephys.mram.free_layer import NONE, SAME, uniaxial
    >>> m, stage = np.array([[0.6], [0.0], [0.8]]), Stage(uniaxial(1e30, 0.01), NONE, NONE, NONE[0])
    >>> advance(m, stage, 100, 0.01, np.random.default_rng(1), SAME)
    >>> round(float(m[2, 0]), 4)
    0.964
    """
    n, kind, p = m.shape[1], m.dtype.type, _parts(stage)
    if not steps or not n:
        return
    tiles = -(-n // TILE)
    state = seeded(tiles, rng)
    # Six rows a tile: m and the three factors; the last tile is filled up with still vectors.
    rows = np.zeros((6, tiles * TILE), m.dtype)
    rows[2] = 1
    rows[:3, :n] = m
    own = (factors.anisotropy, factors.torque, 1 / np.sqrt(factors.delta))
    for row, factor in zip(rows[3:], own, strict=True):
        row[:n] = factor
    tile = np.ascontiguousarray(rows.reshape(6, tiles, TILE).swapaxes(0, 1)).reshape(tiles, -1)

    def numbers(series: tuple[float, ...]) -> tuple[np.floating, ...]:
        return tuple(kind(c) for c in series)

    kicks = corner(step / stage.layer.delta, 0.6)
    kernel = _axial if p.axial else _general
    kernel(
        tile, state, steps, kind(step), kind(p.alpha),
        *map(numbers, (kicks, *p.anisotropy, p.angular, p.constant, p.torque)),
    )  # fmt: skip
    m[:] = tile.reshape(tiles, 6, TILE).swapaxes(0, 1).reshape(6, -1)[:3, :n]


def _parts(stage: Stage) -> _Parts:
    """Take a stage apart for the kernels."""
    layer = stage.layer
    return _Parts(
        tuple(_trimmed(row) for row in layer.anisotropy),
        tuple((layer.h + stage.field).tolist()),
        tuple(stage.torque.tolist()),
        _trimmed(layer.angular),
        layer.alpha,
        is_axial(stage),
    )


def _trimmed(series: Array) -> tuple[float, ...]:
    return tuple(np.trim_zeros(series, "b").tolist()) or (0.0,)


@JIT
def _series(c, x):  # type: ignore[no-untyped-def]
    """Chebyshev series by Clenshaw's rule; the compiler unrolls it."""
    if len(c) == 1:
        return c[0]
    last, value = x - x, c[-1]
    for k in range(len(c) - 2, 0, -1):
        last, value = value, (x + x) * value - last + c[k]
    return x * value + (c[0] - last)


@JIT
def _turn(x, y, angle, kind):  # type: ignore[no-untyped-def]
    """Rotate (x, y): sine and cosine by series, of the angle to the nearest quarter turn."""
    quarters = np.floor(angle * kind(2 / np.pi) + kind(0.5))
    a = (angle - quarters * kind(QUARTER)) - quarters * kind(np.pi / 2 - QUARTER)
    s = a * a
    sin = a + a * s * (
        kind(-1 / 6) + s * (kind(1 / 120) + s * (kind(-1 / 5040) + s * (
            kind(1 / 362880) + s * kind(-1 / 39916800))))
    )  # fmt: skip
    cos = kind(1) + s * (
        kind(-0.5) + s * (kind(1 / 24) + s * (kind(-1 / 720) + s * (
            kind(1 / 40320) + s * (kind(-1 / 3628800) + s * kind(1 / 479001600)))))
    )  # fmt: skip
    half = np.floor(quarters * kind(0.5))
    odd = quarters - half - half
    sign = kind(1) - kind(2) * (half - kind(2) * np.floor(half * kind(0.5)))
    even, odd = sign * (kind(1) - odd), sign * odd
    sin, cos = even * sin + odd * cos, even * cos - odd * sin
    return cos * x - sin * y, cos * y + sin * x


@JIT
def _kick(x, y, z, bits, kicks, weaker, kind):  # type: ignore[no-untyped-def]
    """Add w x m, w being zero or a corner of the icosahedron, and project back.

    Two bits are the signs, the others a number below five: three of five draws turn the vector,
    the corners being (0, p, q) and its cyclic permutations.
    """
    fifth = kind(np.int32(bits & np.uint32(0x3FFFFFFF))) * kind(5 * 2.0**-30)
    p = weaker * (kicks[0] if bits & np.uint32(1 << 31) else -kicks[0])
    q = weaker * (kicks[1] if bits & np.uint32(1 << 30) else -kicks[1])
    one = kind(1) if fifth < kind(1) else kind(0)
    two = kind(1) if fifth < kind(2) else kind(0)
    three = kind(1) if fifth < kind(3) else kind(0)
    two, three = two - one, three - two
    a, b, c = two * q + three * p, one * p + three * q, one * q + two * p
    return _projected(x + b * z - c * y, y + c * x - a * z, z + a * y - b * x, kind)


@JIT
def _projected(x, y, z, kind):  # type: ignore[no-untyped-def]
    scale = kind(1) / np.sqrt(x * x + y * y + z * z)
    return x * scale, y * scale, z * scale


@JIT
def _damp_axial(z, s, fa, ft, sz, sg, h, t, kind):  # type: ignore[no-untyped-def]
    """As `_damp`, with c along z; |m| is left open."""
    pull = fa * _series(sz, z) + h + ft * t * _series(sg, z)
    middle = z + (kind(1) - z * z) * pull * (s * kind(0.5))
    b = s * (fa * _series(sz, middle) + h + ft * t * _series(sg, middle))
    return z + b * (kind(1) + kind(0.5) * z * b)


@JIT
def _damp(x, y, z, s, fa, ft, sx, sy, sz, sg, h, t, kind):  # type: ignore[no-untyped-def]
    """Flow of dm/ds = c - m (m.c) for a time s, c taken in the middle."""
    half = s * kind(0.5)
    g = ft * _series(sg, z)
    p = fa * _series(sx, x) + h[0] + t[0] * g
    q = fa * _series(sy, y) + h[1] + t[1] * g
    r = fa * _series(sz, z) + h[2] + t[2] * g
    dot = x * p + y * q + z * r
    u, v, w = x + (p - x * dot) * half, y + (q - y * dot) * half, z + (r - z * dot) * half
    g = ft * _series(sg, w)
    p = fa * _series(sx, u) + h[0] + t[0] * g
    q = fa * _series(sy, v) + h[1] + t[1] * g
    r = fa * _series(sz, w) + h[2] + t[2] * g
    gain = s * (kind(1) + half * (x * p + y * q + z * r))
    return _projected(x + p * gain, y + q * gain, z + r * gain, kind)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _axial(  # type: ignore[no-untyped-def]
    tiles, states, steps, step, alpha, kicks, sx, sy, sz, sg, h, t
):  # fmt: skip
    """Everything along z: damping and torque need z alone, and one rotation does."""
    kind = tiles.dtype.type
    hz, tz, turn, cross = h[2], t[2], step / alpha, -alpha * alpha * t[2]
    for index in range(len(tiles)):
        tile, state = tiles[index], states[index]
        for j in range(TILE):
            x, y, z = tile[j], tile[j + TILE], tile[j + 2 * TILE]
            fa, ft = tile[j + 3 * TILE], tile[j + 4 * TILE]
            z = _damp_axial(z, step * kind(0.5), fa, ft, sz, sg, hz, tz, kind)
            tile[j], tile[j + TILE], tile[j + 2 * TILE] = x, y, z
        for k in range(steps):
            s = step * kind(1 if k < steps - 1 else 0.5)
            for j in range(TILE):
                x, y, z = tile[j], tile[j + TILE], tile[j + 2 * TILE]
                fa, ft, weaker = tile[j + 3 * TILE], tile[j + 4 * TILE], tile[j + 5 * TILE]
                x, y, z = _kick(x, y, z, draw(state, j), kicks, weaker, kind)
                along = fa * _series(sz, z) + hz + ft * cross * _series(sg, z)
                x, y = _turn(x, y, turn * along, kind)
                z = _damp_axial(z, s, fa, ft, sz, sg, hz, tz, kind)
                tile[j], tile[j + TILE], tile[j + 2 * TILE] = x, y, z
        for j in range(TILE):
            x, y, z = _projected(tile[j], tile[j + TILE], tile[j + 2 * TILE], kind)
            tile[j], tile[j + TILE], tile[j + 2 * TILE] = x, y, z


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _general(  # type: ignore[no-untyped-def]
    tiles, states, steps, step, alpha, kicks, sx, sy, sz, sg, h, t
):  # fmt: skip
    """Fields and torque in any direction."""
    kind = tiles.dtype.type
    turn, cross = step / alpha * kind(0.5), -alpha * alpha
    for index in range(len(tiles)):
        tile, state = tiles[index], states[index]
        for j in range(TILE):
            x, y, z = tile[j], tile[j + TILE], tile[j + 2 * TILE]
            fa, ft = tile[j + 3 * TILE], tile[j + 4 * TILE]
            x, y, z = _damp(x, y, z, step * kind(0.5), fa, ft, sx, sy, sz, sg, h, t, kind)
            tile[j], tile[j + TILE], tile[j + 2 * TILE] = x, y, z
        for k in range(steps):
            s = step * kind(1 if k < steps - 1 else 0.5)
            for j in range(TILE):
                x, y, z = tile[j], tile[j + TILE], tile[j + 2 * TILE]
                fa, ft, weaker = tile[j + 3 * TILE], tile[j + 4 * TILE], tile[j + 5 * TILE]
                p, q, r = h[0] + ft * cross * t[0], h[1] + ft * cross * t[1], ft * cross * t[2]
                x, y = _turn(x, y, turn * (fa * _series(sz, z) + h[2] + r * _series(sg, z)), kind)
                y, z = _turn(y, z, turn * (fa * _series(sx, x) + p), kind)
                z, x = _turn(z, x, turn * (fa * _series(sy, y) + q), kind)
                x, y, z = _kick(x, y, z, draw(state, j), kicks, weaker, kind)
                z, x = _turn(z, x, turn * (fa * _series(sy, y) + q), kind)
                y, z = _turn(y, z, turn * (fa * _series(sx, x) + p), kind)
                x, y = _turn(x, y, turn * (fa * _series(sz, z) + h[2] + r * _series(sg, z)), kind)
                x, y, z = _damp(x, y, z, s, fa, ft, sx, sy, sz, sg, h, t, kind)
                tile[j], tile[j + TILE], tile[j + 2 * TILE] = x, y, z
