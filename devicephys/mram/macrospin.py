"""Ensembles of macrospin trajectories, for any direction of field and torque.

Where `fokker_planck` rests on axial symmetry, trajectories do not. Error rates are counted here,
so that those far below 1/n are out of reach: see `rare_event` for them.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from devicephys import stats
from devicephys.checks import ZERO, Array, generator, in_range, known, whole
from devicephys.errors import ParameterError
from devicephys.mram import boltzmann, written
from devicephys.mram.free_layer import (
    NONE,
    SAME,
    Factors,
    Floats,
    FreeLayer,
    Stage,
    decided,
)
from devicephys.mram.integrator import carry, checked_precision, checked_step
from devicephys.mram.kick import NOISES, Noise

BLOCK = 16384  # trajectories that share a stream of random numbers, and stay in the cache
RETURNING = 0.1  # trajectories that heat brings back, in all
UNIT = 1e-6  # of the length of a start vector
DROP = 14.0  # k_B T below the barrier: there a layer at rest has decided
MOST_LOOKS = 1e7
LOOK = 0.5  # t_D between looks for trajectories that have decided


@dataclass(frozen=True)
class Ensemble:
    """Outcome of an ensemble.

    Attributes
    ----------
    wer : float
        Fraction of trajectories that end on the side of the initial state [1].
    low, high : float
        Exact (Clopper-Pearson) 95 % interval [1].
    failures, trajectories : int
        Counts [1].
    """

    wer: float
    low: float
    high: float
    failures: int
    trajectories: int


@dataclass(frozen=True, eq=False)
class Paths:
    """Stored trajectories.

    Attributes
    ----------
    tau : ndarray
        Times over t_D, shape (times,) [1].
    m : ndarray
        Unit vectors, shape (3, times, trajectories) [1].
    """

    tau: Array
    m: Array


def waveform(layer: FreeLayer, tau: ArrayLike, torque: ArrayLike, field: ArrayLike) -> list[Stage]:
    """Make stages of sampled waveforms of torque and field.

    Parameters
    ----------
    layer : FreeLayer
        The layer.
    tau : array_like
        Edges of the samples over t_D, rising, shape (samples + 1,) [1].
    torque, field : array_like
        Spin torque over alpha H_k and field over H_k in each sample, held through it, shape
        (3, samples) [1].

    Returns
    -------
    list of Stage
        One stage a sample.

    Raises
    ------
    ParameterError
        If the shapes do not fit, the edges do not rise or a sample is not finite.

    References
    ----------
    This project's design, docs/theory/macrospin.md.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> tau = np.linspace(0, 5, 11)
    >>> down = np.outer([0, 0, -2.0], np.exp(-tau[:-1]))
    >>> len(waveform(uniaxial(60, 0.01), tau, down, 0 * down))
    10
    """
    edges = in_range("waveform: tau", tau, "1")
    values = [
        in_range(f"waveform: {name}", x, "1") for name, x in (("torque", torque), ("field", field))
    ]
    if edges.ndim != 1 or any(x.shape != (3, len(edges) - 1) for x in values):
        shapes = [x.shape for x in (edges, *values)]
        raise ParameterError(
            f"waveform of shapes tau {shapes[0]}, torque {shapes[1]}, field {shapes[2]}",
            expected="(samples + 1,), (3, samples), (3, samples)",
        )
    if (np.diff(edges) <= 0).any():
        raise ParameterError("waveform: tau does not rise", expected="edges of samples, rising")
    samples = zip(values[0].T, values[1].T, np.diff(edges), strict=True)
    return [Stage(layer, t, h, np.asarray(length)) for t, h, length in samples]


def write_error(
    rest: FreeLayer,
    stages: Sequence[Stage],
    trajectories: int,
    rng: np.random.Generator,
    *,
    start: ArrayLike | None = None,
    factors: Factors = SAME,
    noise: Noise = "discrete",
    step: float | None = None,
    relax: float = 10.0,
    dtype: type[np.floating] = np.float32,
    workers: int = 1,
) -> Ensemble:
    """Count the trajectories that a pulse leaves in their initial state.

    Valid for rates above about 10/trajectories. The layer is read at z = 0 after a rest, in which
    it decides for a state; those that have are not followed further.

    Parameters
    ----------
    rest : FreeLayer
        The layer before and after the pulse.
    stages : sequence of Stage
        The pulse, one duration each.
    trajectories : int
        Number of trajectories, >= 1 [1].
    rng : numpy.random.Generator
        Source of random numbers; one seed gives one result for any number of workers.
    start : array_like, optional
        Initial unit vectors, shape (3, trajectories); by default drawn from the Boltzmann law
        of z > 0 [1].
    factors : Factors, optional
        How the layers of the trajectories differ: devices, temperatures.
    noise : {"discrete", "gaussian"}, optional
        Law of the thermal field of one step.
    step : float, optional
        Longest step over t_D; by default `integrator.largest_step`, which it may not exceed [1].
    relax : float, optional
        Rest before the read-out over t_D, >= 0 [1].
    dtype : type, optional
        numpy.float32 or numpy.float64.
    workers : int, optional
        Number of threads, >= 1 [1].

    Returns
    -------
    Ensemble
        The rate, its interval and the counts.

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677 (thermal field); interval:
    doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> layer = uniaxial(60, 0.01)
    >>> pulse = [Stage(layer, np.array([0, 0, -2.0]), NONE, np.array(2.0))]
    >>> found = write_error(layer, pulse, 2000, np.random.default_rng(1))
    >>> bool(found.low < 0.595 < found.high)
    True
    """
    in_range("relax", relax, "1", above=0, inclusive=True, scalar=True)
    trajectories = whole("trajectories", trajectories, least=1)
    plan = [*stages, Stage(rest, NONE, NONE, np.array(float(relax)))]
    setup = _setup(rest, plan, trajectories, start, factors, noise, step, dtype)
    levels = _levels(rest, plan, factors, trajectories)

    def block(which: slice, own: np.random.Generator) -> int:
        m, mine = setup.start(which, own)
        failures = 0
        for stage, (down, up) in zip(plan, levels, strict=True):
            for length in _parts(float(stage.tau), LOOK):
                setup.move(m, stage, length, own, mine)
                failures += int((m[2] > up).sum())
                left = (m[2] >= -down) & (m[2] <= up)
                if not left.all():
                    m, mine = np.ascontiguousarray(m[:, left]), _chosen(mine, left)
        return failures + int((m[2] > 0).sum())

    failures = sum(_blocks(block, trajectories, rng, workers))
    low, high = stats.binomial_interval(failures, trajectories)
    return Ensemble(failures / trajectories, float(low), float(high), failures, trajectories)


def switching_times(
    rest: FreeLayer,
    stages: Sequence[Stage],
    trajectories: int,
    rng: np.random.Generator,
    *,
    start: ArrayLike | None = None,
    factors: Factors = SAME,
    noise: Noise = "discrete",
    step: float | None = None,
    every: float = 0.02,
    dtype: type[np.floating] = np.float32,
    workers: int = 1,
) -> Array:
    """Draw times at which trajectories pass z = 0 for the first time during a pulse.

    Parameters
    ----------
    rest, stages, trajectories, rng, start, factors, noise, step, dtype, workers
        As for `write_error` [1].
    every : float, optional
        Time between looks at z over t_D, > 0; the passage is interpolated between them. At the
        default the mean is right to 0.03 % [1].

    Returns
    -------
    ndarray
        Times over t_D, shape (trajectories,); inf where z = 0 was not passed [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677; the error of the looks is
    this project's measurement, docs/theory/macrospin.md.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> layer = uniaxial(60, 0.01)
    >>> pulse = [Stage(layer, np.array([0, 0, -2.0]), NONE, np.array(20.0))]
    >>> times = switching_times(layer, pulse, 2000, np.random.default_rng(1))
    >>> round(float(times.mean()), 1)
    2.2
    """
    in_range("every", every, "1", above=0, scalar=True)
    trajectories = whole("trajectories", trajectories, least=1)
    plan = list(stages)
    looks = sum(float(np.max(stage.tau)) for stage in plan) / every
    if looks > MOST_LOOKS:
        raise ParameterError(
            f"every = {every:g} t_D: {looks:.2g} looks", expected=f"{MOST_LOOKS:g} at most"
        )
    setup = _setup(rest, plan, trajectories, start, factors, noise, step, dtype)

    def block(which: slice, own: np.random.Generator) -> Array:
        m, mine = setup.start(which, own)
        found, waiting, now = np.full(m.shape[1], np.inf), np.arange(m.shape[1]), 0.0
        for stage in plan:
            for length in _parts(float(stage.tau), every):
                before = m[2].astype(np.float64)
                setup.move(m, stage, length, own, mine)
                z = m[2].astype(np.float64)
                passed = z < 0
                share = np.clip(before / np.maximum(before - z, ZERO), 0, 1)
                found[waiting[passed]] = now + length * share[passed]
                now += length
                if passed.any():
                    m, mine = np.ascontiguousarray(m[:, ~passed]), _chosen(mine, ~passed)
                    waiting = waiting[~passed]
        return found

    return np.concatenate(_blocks(block, trajectories, rng, workers))


def trajectories(
    rest: FreeLayer,
    stages: Sequence[Stage],
    tau: ArrayLike,
    count: int,
    rng: np.random.Generator,
    *,
    start: ArrayLike | None = None,
    factors: Factors = SAME,
    noise: Noise = "gaussian",
    step: float | None = None,
    dtype: type[np.floating] = np.float64,
    workers: int = 1,
) -> Paths:
    """Store trajectories on a grid of times.

    Parameters
    ----------
    rest, stages, rng, start, factors, noise, step, dtype, workers
        As for `write_error`; there is no rest after the pulse but what the stages hold [1].
    tau : array_like
        Times over t_D, rising, from 0 to the end of the pulse, shape (times,) [1].
    count : int
        Number of trajectories, >= 1 [1].

    Returns
    -------
    Paths
        Unit vectors at those times; `devicephys.io.trajectories` makes a dataset of them.

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> layer = uniaxial(60, 0.01)
    >>> pulse = [Stage(layer, np.array([0, 0, -2.0]), NONE, np.array(5.0))]
    >>> trajectories(layer, pulse, [0.0, 2.5, 5.0], 4, np.random.default_rng(1)).m.shape
    (3, 3, 4)
    """
    plan, count = list(stages), whole("count", count, least=1)
    setup = _setup(rest, plan, count, start, factors, noise, step, dtype)
    ends = np.cumsum([float(stage.tau) for stage in plan])
    times = in_range(
        "tau", tau, "t_D", above=0, below=ends[-1] * (1 + 1e-12), inclusive=True,
        remedy="store within the pulse; append a stage without torque for a rest",
    )  # fmt: skip
    if times.ndim != 1 or not times.size or (np.diff(times) <= 0).any():
        raise ParameterError("tau", expected="one or more times, rising, shape (times,)")
    times = np.minimum(times, ends[-1])

    def block(which: slice, own: np.random.Generator) -> Array:
        m, mine = setup.start(which, own)
        stored, now = np.empty((3, len(times), m.shape[1])), 0.0
        for k, time in enumerate(times):
            while now < time:
                stage = plan[min(int(np.searchsorted(ends, now, side="right")), len(plan) - 1)]
                until = min(time, *(end for end in ends if end > now))
                setup.move(m, stage, until - now, own, mine)
                now = until
            stored[:, k] = m
        return stored

    return Paths(times, np.concatenate(_blocks(block, count, rng, workers), axis=2))


@dataclass(frozen=True, eq=False)
class _Setup:
    """What the blocks of an ensemble share."""

    start: Callable[[slice, np.random.Generator], tuple[Floats, Factors]]
    move: Callable[[Floats, Stage, float, np.random.Generator, Factors], None]


def _setup(
    rest: FreeLayer, plan: Sequence[Stage], count: int, start: ArrayLike | None,
    factors: Factors, noise: Noise, step: float | None, dtype: type[np.floating],
) -> _Setup:  # fmt: skip
    """Check what every ensemble is given, and say how a block starts and moves on."""
    known("noise", noise, NOISES)
    if not plan:
        raise ParameterError("a pulse of no stage", expected="one or more")
    for name, value in vars(factors).items():
        if value.ndim and len(value) != count:
            raise ParameterError(
                f"Factors.{name} of {len(value)} layers", expected=f"one, or {count}"
            )
    longest = checked_step(plan, step, factors)
    checked_precision(dtype)
    given = None if start is None else _unit(start, count)

    def begin(which: slice, rng: np.random.Generator) -> tuple[Floats, Factors]:
        mine = _chosen(factors, which)
        size = which.stop - which.start
        m = boltzmann.draw(rest, size, rng, mine) if given is None else given[:, which]
        return m.astype(dtype), mine

    def move(m: Floats, stage: Stage, tau: float, rng: np.random.Generator, mine: Factors) -> None:
        steps = int(np.ceil(tau / longest - 1e-9))
        if steps and m.shape[1]:
            carry(m, stage, steps, tau / steps, rng, mine, noise)

    return _Setup(begin, move)


def _unit(start: ArrayLike, count: int) -> Array:
    m = in_range("start", start, "1")
    if m.shape != (3, count):
        raise ParameterError(f"start of shape {m.shape}", expected=f"shape (3, {count})")
    length = np.sqrt((m * m).sum(axis=0))
    worst = int(np.abs(length - 1).argmax())
    if abs(length[worst] - 1) > UNIT:
        raise ParameterError(
            f"start vector {worst} has the length {length[worst]:g}", expected="unit vectors",
            remedy="divide by the length",
        )  # fmt: skip
    return np.asarray(m / length)


def _levels(
    rest: FreeLayer, plan: Sequence[Stage], factors: Factors, count: int
) -> list[tuple[float, float]]:
    """Give |z| beyond which a trajectory counts as switched, and as failed, in each stage.

    At rest, where it has decided. During a pulse nothing has failed yet; what has gone far down
    on the other side has switched, if nothing to come brings it back.
    """
    never = 2.0
    if (factors.anisotropy != 1).any():  # each layer has a barrier of its own
        return [(never, never)] * len(plan)
    own = written.hottest(rest, plan, factors)
    down, up = (decided(own, DROP, side) for side in (-1, 1))
    down, up = (x if x < 1 else never for x in (down, up))
    kept, back = down < 1 and bool((factors.torque == 1).all()), 0.0
    levels = [(down, up)]
    for stage in reversed(plan[:-1]):
        if kept:
            hot = replace(stage, layer=replace(stage.layer, delta=own.delta))
            back += written.returning(rest, [hot])
            kept = back * count < RETURNING and written.holds(rest, stage, down, DROP)
        levels.append((down if kept else never, never))
    return levels[::-1]


def _chosen(factors: Factors, which: slice | NDArray[np.bool_]) -> Factors:
    """Factors of some trajectories."""
    return Factors(*(x[which] if x.ndim else x for x in vars(factors).values()))


def _parts(tau: float, longest: float) -> Iterator[float]:
    """Cut a duration into equal parts."""
    count = max(int(np.ceil(tau / longest - 1e-9)), 1)
    for _ in range(count):
        yield tau / count


def _blocks(
    block: Callable[[slice, np.random.Generator], Any],
    count: int,
    rng: np.random.Generator,
    workers: int,
) -> list[Any]:
    """Run blocks of trajectories, each with a stream of its own."""
    workers = whole("workers", workers, least=1)
    slices = [slice(first, min(first + BLOCK, count)) for first in range(0, count, BLOCK)]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(block, slices, generator(rng).spawn(len(slices))))
