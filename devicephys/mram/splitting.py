"""Symmetric splitting of the stochastic Landau-Lifshitz-Gilbert equation on the sphere.

One step of length s = alpha dt' (s in units of t_D, dt' in those of precession) is

    D(s/2) P(s/2) N(s) P'(s/2) D(s/2),

P the exact rotations about the axes by the field along each of them (P' in reverse order), N the
thermal kick, D damping and spin torque with the field of the middle. The D of neighbouring steps
are one; half of one at the start of a stage and at its end make that exact (processing). D and N
add a vector and project back onto the sphere, with the terms of second order that make them the
flow and the diffusion: the bias is of second order in s, and in dt' only through fields across
the axis.
"""

from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from devicephys.mram.free_layer import SAME, Factors, Floats, Stage, is_axial
from devicephys.mram.kick import Noise, kicks

Rows = list[Floats]
PAD = 80  # numbers between rows: rows a power of two apart would share cache lines
BATCH = 8  # steps whose random numbers are drawn together
HAS_NUMBA = find_spec("numba") is not None


def advance(
    m: Floats, stage: Stage, steps: int, step: float, rng: np.random.Generator,
    factors: Factors = SAME, noise: Noise = "discrete",
) -> None:  # fmt: skip
    """Carry unit vectors through some steps of a stage, in place.

    Valid for steps that `integrator.largest_step` allows, and for anisotropies that separate.
    With numba (extra ``fast``) and discrete noise it is compiled; the law is that of
    `advance_numpy`, the random numbers are not.

    Parameters
    ----------
    m : ndarray
        Unit vectors, float32 or float64, shape (3, n) [1].
    stage : Stage
        The conditions; its duration is not used.
    steps : int
        Number of steps [1].
    step : float
        Length of a step over t_D [1].
    rng : numpy.random.Generator
        Source of the thermal field.
    factors : Factors, optional
        How the layers of the trajectories differ from that of the stage.
    noise : {"discrete", "gaussian"}, optional
        Law of the thermal field of one step.

    References
    ----------
    McLachlan, Modin and Verdier, Phys. Rev. E 89 (2014) 061301, doi:10.1103/PhysRevE.89.061301
    (mappings of the sphere); the composition is this project's, docs/theory/macrospin.md.

    Examples
    --------
    >>> from devicephys.mram.free_layer import NONE, uniaxial
    >>> m = np.array([[0.6], [0.0], [0.8]])
    >>> advance(m, Stage(uniaxial(1e30, 0.01), NONE, NONE, np.array(1.0)), 100, 0.01,
    ...         np.random.default_rng(1))
    >>> round(float(m[2, 0]), 4), round(float(m[2, 0] / np.hypot(m[0, 0], m[1, 0])), 3)
    (0.964, 3.624)
    """
    if noise == "gaussian" or not HAS_NUMBA:
        advance_numpy(m, stage, steps, step, rng, factors, noise)
        return
    from devicephys.mram import splitting_numba  # compiled at first use

    splitting_numba.advance(m, stage, steps, step, rng, factors)


def advance_numpy(
    m: Floats, stage: Stage, steps: int, step: float, rng: np.random.Generator,
    factors: Factors = SAME, noise: Noise = "discrete",
) -> None:  # fmt: skip
    """Carry unit vectors through some steps of a stage, in place, by NumPy alone.

    Valid as `advance`.

    Parameters
    ----------
    m, stage, steps, step, rng, factors, noise
        As for `advance` [1].

    References
    ----------
    As of `advance`, doi:10.1103/PhysRevE.89.061301.

    Examples
    --------
    >>> from devicephys.mram.free_layer import NONE, uniaxial
    >>> m = np.array([[0.6], [0.0], [0.8]])
    >>> advance_numpy(m, Stage(uniaxial(1e30, 0.01), NONE, NONE, np.array(1.0)), 100, 0.01,
    ...               np.random.default_rng(1))
    >>> round(float(m[2, 0]), 4)
    0.964
    """
    if not steps:
        return
    turning, pulling = _series(stage, factors, m.dtype)
    table = kicks(step / stage.layer.delta, m.dtype, noise)
    weaker = (1 / np.sqrt(factors.delta)).astype(m.dtype)
    # About several axes: half before the kick, half after it in reverse order.
    axial = is_axial(stage)
    turn = step / stage.layer.alpha * (1.0 if axial else 0.5)
    pool = np.empty((9, m.shape[1] + PAD), m.dtype)[:, : m.shape[1]]
    pool[:3] = m
    rows, work = list(pool[:3]), list(pool[3:])
    _damp(rows, pulling, step / 2, work)
    for k in range(steps):
        if k % BATCH == 0:
            draws = _draws(rng, table, min(BATCH, steps - k), m.shape[1])
        if not axial:
            _normalise(rows, work)
            for axis in reversed(turning):
                _rotate(rows, axis, turning[axis], turn, work)
        _kick(rows, table, draws[k % BATCH], weaker, work)
        _normalise(rows, work)
        for axis in turning:
            _rotate(rows, axis, turning[axis], turn, work)
        _damp(rows, pulling, step if k < steps - 1 else step / 2, work)
    _normalise(rows, work)
    m[:] = pool[:3]


def _series(
    stage: Stage, factors: Factors, dtype: np.dtype[np.floating]
) -> tuple[dict[int, Floats], dict[int, Floats]]:
    """Chebyshev series of the fields of `free_layer.fields`, each in the component along its axis.

    A torque that depends on the angle is along z, so that no other component enters. Shapes
    (k, 1), or (k, n) where the layers differ; axes without a field are left out.
    """
    layer = stage.layer
    own_length, length = layer.anisotropy.shape[1], len(layer.angular)
    precession: dict[int, Floats] = {}
    damping: dict[int, Floats] = {}
    for axis in range(3):
        own, torque = np.zeros((2, max(own_length, length), 1))
        own[:own_length, 0] = layer.anisotropy[axis]
        torque[:length, 0] = stage.torque[axis] * layer.angular
        own, torque = own * factors.anisotropy, torque * factors.torque
        own[0] += layer.h[axis] + stage.field[axis]
        for result, field in ((precession, own - layer.alpha**2 * torque), (damping, own + torque)):
            used = np.flatnonzero(field.any(axis=1))
            if used.size:
                result[axis] = field[: used[-1] + 1].astype(dtype)
    return precession, damping


def _evaluate(c: Floats, x: Floats, out: Floats) -> Floats:
    """Chebyshev series by Clenshaw's rule, into `out` unless it is constant."""
    if len(c) == 1:
        return np.asarray(c[0])
    if len(c) == 2:
        np.multiply(x, c[1], out=out)
    else:
        last, value = c[-1], 2 * x * c[-1] + c[-2]
        for k in range(len(c) - 3, 0, -1):
            last, value = value, 2 * x * value - last + c[k]
        np.multiply(x, value, out=out)
        out -= last
    out += c[0]
    return out


def _damp(m: Rows, pulling: dict[int, Floats], s: float, work: Rows) -> None:
    """Flow of dm/ds = c - m (m.c) for a time s, c taken in the middle; the length is left open."""
    if not pulling:
        return
    c = {k: _evaluate(series, m[k], work[k]) for k, series in pulling.items()}
    dot, spare = work[3], work[4]
    _dot(m, c, dot, spare)
    bent = [k for k in c if len(pulling[k]) > 1]
    for k in bent:
        np.multiply(m[k], dot, out=spare)
        np.subtract(c[k], spare, out=spare)
        spare *= s / 2
        spare += m[k]
        c[k] = _evaluate(pulling[k], spare, work[k])
    if bent:
        _dot(m, c, dot, spare)
    dot *= s * s / 2
    dot += s
    for k in c:
        np.multiply(c[k], dot, out=spare)
        m[k] += spare


def _dot(m: Rows, c: dict[int, Floats], out: Floats, spare: Floats) -> None:
    first, *others = c
    np.multiply(m[first], c[first], out=out)
    for k in others:
        np.multiply(m[k], c[k], out=spare)
        out += spare


def _normalise(m: Rows, work: Rows) -> None:
    scale, spare = work[0], work[1]
    _dot(m, dict(enumerate(m)), scale, spare)
    np.sqrt(scale, out=scale)
    np.divide(1, scale, out=scale)
    for component in m:
        component *= scale


def _rotate(m: Rows, axis: int, turning: Floats, turn: float, work: Rows) -> None:
    """Rotate about an axis by the field along it, which that rotation does not change."""
    angle = _evaluate(turning, m[axis], work[0]) * m[0].dtype.type(turn)
    cos, sin = np.cos(angle, out=work[1][: len(angle)]), np.sin(angle, out=work[0][: len(angle)])
    first, second = m[(axis + 1) % 3], m[(axis + 2) % 3]
    across = np.multiply(sin, second, out=work[2])
    back = np.multiply(sin, first, out=work[3])
    first *= cos
    first -= across
    second *= cos
    second += back


def _draws(rng: np.random.Generator, table: Floats, steps: int, n: int) -> NDArray[np.intp]:
    """Entries of the table for some steps, shape (steps, n), or (steps, 3, n) for components."""
    kind, shape = (np.uint8, (steps, n)) if table.ndim == 2 else (np.uint16, (steps, 3, n))
    size = int(np.prod(shape))
    words = rng.integers(0, 2**64, -(-size * kind().itemsize // 8), np.uint64)
    return words.view(kind)[:size].reshape(shape).astype(np.intp)


def _kick(m: Rows, table: Floats, draws: NDArray[np.intp], weaker: Floats, work: Rows) -> None:
    """Add w x m with a draw of w; the length is left open."""
    w, (u, v, spare) = work[:3], work[3:]
    for axis in range(3):
        if table.ndim == 2:
            table[axis].take(draws, out=w[axis], mode="wrap")  # that mode takes no copy
        else:
            table.take(draws[axis], out=w[axis], mode="wrap")
        if weaker.ndim or weaker != 1:
            w[axis] *= weaker
    x, y, z = m
    a, b, c = w
    np.multiply(b, z, out=u)
    np.multiply(c, y, out=spare)
    u -= spare
    np.multiply(c, x, out=v)
    np.multiply(a, z, out=spare)
    v -= spare
    np.multiply(a, y, out=a)
    np.multiply(b, x, out=b)
    a -= b
    x += u
    y += v
    z += a
