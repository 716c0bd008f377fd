"""Write error rates far below one over the number of trajectories, by fixed-effort splitting.

A set of trajectories is weighed at times through the pulse, each by an importance h(z) of where it
stands over that of where it stood, and drawn anew in proportion; the rate is the product of the
mean weights times the mean of failed/h at the end. That is unbiased for any h > 0 wherever a
trajectory may still fail; a good h makes it precise.

* All along one axis: h is the solution of the backward Fokker-Planck equation, the probability to
  fail from z on. Only the importance comes from it; the trajectories stay those of the vector.
* Anything else: no h is known, and one that is too small where trajectories come back is silently
  wrong. h is then 1, and 0 below a level so late that none comes back: survivors. They are given
  up at a still later level; the failures that came back from between tell whether the first is
  late enough.
"""

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from devicephys import stats
from devicephys.checks import Array, generator, in_range, whole
from devicephys.errors import AccuracyError, AccuracyWarning, ParameterError
from devicephys.mram import boltzmann, finite_volume, integrator, landscape, written
from devicephys.mram.free_layer import NONE, Floats, FreeLayer, Stage, decided, is_axial
from devicephys.mram.macrospin import BLOCK

SPACING = 0.9  # t_D (1 + |i| + |h|) between two times of weighing: about half survive it
LATE = 6.0  # k_B T below the barrier: the kill level
LATER = 10.0  # k_B T below the barrier: the level it is checked with, and where a rest is over
CELLS = 192  # in theta, of the backward equation; even, so that z = 0 is an edge
BINS = 8192  # in z, of a tabulated importance
MOST_LEGS = 3000  # of a stage
FLOOR = 1e-200  # of the importance over its maximum
RETURNING = 1e-4  # probability that heat brings a written layer back, at the most
NEVER = -2.0  # a level that no z is below


@dataclass(frozen=True)
class RareEvent:
    """Outcome of a splitting.

    Attributes
    ----------
    wer : float
        Write error rate: the mean of the repeats [1].
    low, high : float
        95 % interval from the spread of the repeats [1].
    error : float
        Standard error [1].
    effective : float
        Number of plain trials of the same standard error, wer (1 - wer)/error^2 [1].
    kill : float
        Level of z below which trajectories were taken as written; nan unless survivors [1].
    shifted : float
        Rate with a later level, from the same trajectories; nan unless survivors [1].
    method : str
        "importance", "survivors" or "count".
    repeats, particles : int
        Independent repeats, and trajectories in each [1].
    """

    wer: float
    low: float
    high: float
    error: float
    effective: float
    kill: float
    shifted: float
    method: str
    repeats: int
    particles: int


class _Leg(NamedTuple):
    """What lies between two times of weighing."""

    stage: Stage
    steps: int
    step: float
    importance: Array  # at the start of the leg, shape (BINS,)
    kill: float  # level of z that marks a trajectory, at the start of the leg


class _Levels(NamedTuple):
    """Levels of z where trajectories are marked and given up, and where a rest decides."""

    kill: float
    later: float
    written: float
    failed: float


def solve(
    rest: FreeLayer,
    stages: Sequence[Stage],
    rng: np.random.Generator,
    *,
    particles: int = 16384,
    repeats: int = 16,
    relax: float = 10.0,
    step: float | None = None,
    kill: float | None = None,
    dtype: type[np.floating] = np.float32,
    workers: int = 1,
) -> RareEvent:
    """Compute a write error rate of any size by fixed-effort splitting of trajectories.

    Valid for a layer that starts in equilibrium at z > 0 and is read at z = 0 after a rest. Where
    a stage may bring back states from below the kill level (see `written`), none is given up
    until it is over: with that in the last stage the method is a plain count, and rates far below
    1/particles raise an error.

    Parameters
    ----------
    rest : FreeLayer
        The layer before and after the pulse.
    stages : sequence of Stage
        The pulse, one duration each.
    rng : numpy.random.Generator
        Source of random numbers; one seed gives one result for any number of workers.
    particles : int, optional
        Trajectories in each repeat, >= 100 [1].
    repeats : int, optional
        Independent repeats, >= 4 [1].
    relax : float, optional
        Rest before the read-out over t_D, >= 0; 0 reads the sign at the end of the pulse [1].
    step : float, optional
        Longest step over t_D, no longer than the default [1].
    kill : float, optional
        Level of z below which a trajectory counts as written, in (-1, 1); by default 6 k_B T
        below the barrier of the layer at rest. Giving it asks for survivors, whatever comes
        back from there [1].
    dtype : type, optional
        numpy.float32 or numpy.float64.
    workers : int, optional
        Number of threads, >= 1 [1].

    Returns
    -------
    RareEvent
        The rate with its interval, and how it was found.

    Raises
    ------
    ParameterError
        If an argument is outside its range.
    AccuracyError
        If in one of the repeats no trajectory was left.

    Warns
    -----
    AccuracyWarning
        If the rate with a later kill level is outside the interval.

    Notes
    -----
    The estimate of a repeat is prod_k mean(h_k(z_k)/h_k-1(z_k-1)) mean(failed/h_K(z_K)), drawn
    anew systematically after each factor. Over the repeats it is close to log-normal; the
    interval is wer exp(+-t sqrt(v/R + v^2/(2 (R - 1)))), v being the variance of the logarithm,
    R the number of repeats and t Student's quantile. A repeat that dies out is an error, not a
    zero; where few particles make that likely, what survives is biased upwards.

    References
    ----------
    Cerou, Del Moral, Furon and Guyader, Stat. Comput. 22 (2012) 795,
    doi:10.1007/s11222-011-9231-6; Del Moral, Feynman-Kac Formulae (2004),
    doi:10.1007/978-1-4684-9393-6; interval: Zhou and Gao, Stat. Med. 16 (1997) 783,
    doi:10.1002/(SICI)1097-0258(19970415)16:7<783::AID-SIM488>3.0.CO;2-2.

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> layer = uniaxial(60, 0.01)
    >>> pulse = [Stage(layer, np.array([0, 0, -2.0]), NONE, np.array(10.0))]
    >>> found = solve(layer, pulse, np.random.default_rng(1), particles=500)
    >>> found.method, bool(0.7 < found.wer / 8.60e-8 < 1.4)
    ('importance', True)
    """
    integrator.checked_precision(dtype)
    n, repeats = whole("particles", particles, least=100), whole("repeats", repeats, least=4)
    workers = whole("workers", workers, least=1)
    in_range("relax", relax, "1", above=0, inclusive=True, scalar=True)
    plan = [*stages, Stage(rest, NONE, NONE, np.array(float(relax)))]
    step = integrator.checked_step(plan, step)
    levels = _levels(rest, plan, kill)
    method, legs = _planned(rest, plan, step, levels, given=kill is not None)
    if method != "survivors":
        levels = levels._replace(kill=NEVER)
    relaxing = _divided(plan[-1], step)

    def one(own: np.random.Generator) -> tuple[float, float]:
        m = boltzmann.draw(rest, n, own).astype(dtype)
        return _repeat(m, legs, relaxing, levels, own)

    with ThreadPoolExecutor(workers) as pool:
        estimates, shifted = np.array(list(pool.map(one, generator(rng).spawn(repeats)))).T
    wer = min(float(estimates.mean()), 1.0)
    low, high, error = _interval(estimates, n)
    effective = wer * (1 - wer) / error**2 if error else float(n * repeats)
    used, other = np.nan, np.nan
    if method == "survivors":
        used, other = levels.kill, float(shifted.mean())
        if not low <= other <= high:
            warnings.warn(_comes_back(wer, low, high, other, levels), stacklevel=2)
    return RareEvent(wer, low, high, error, effective, used, other, method, repeats, n)


def _comes_back(
    wer: float, low: float, high: float, other: float, levels: _Levels
) -> AccuracyWarning:
    return AccuracyWarning(
        f"write error rate {wer:.3g} ({low:.3g} to {high:.3g}) with trajectories given up below "
        f"z = {levels.kill:.3g}, but {other:.3g} below {levels.later:.3g}: some come back from "
        "between; take a kill level nearer to -1"
    )


def _planned(
    rest: FreeLayer, plan: Sequence[Stage], step: float, levels: _Levels, *, given: bool
) -> tuple[str, list[_Leg]]:
    """Choose the method and divide the pulse for it."""
    if not given and all(is_axial(stage) for stage in plan):
        return "importance", _legs_by_importance(plan, step)
    legs = _legs_of_survivors(rest, plan, step, levels, given)
    return ("survivors" if any(leg.kill > NEVER for leg in legs) else "count"), legs


def _repeat(
    m: Floats, legs: list[_Leg], relaxing: list[_Leg], levels: _Levels, rng: np.random.Generator
) -> tuple[float, float]:
    """Estimate the rate once: from trajectories that were never marked, and from all."""
    total, before = 1.0, np.ones(m.shape[1])
    marked = np.zeros(m.shape[1], bool)
    for k, leg in enumerate(legs):
        where = ((m[2] + 1) * (BINS / 2)).astype(np.intp)
        now = leg.importance.take(where, mode="clip")
        weight = now / before
        factor = float(weight.mean())
        if factor == 0:
            raise _extinct(legs, k, total / m.shape[1])
        total *= factor
        drawn = _resample(weight, rng)
        m, before, marked = m[:, drawn], now[drawn], (marked | (m[2] < leg.kill))[drawn]
        _advance(m, leg, rng)
    failed, passed = _settle(m, relaxing, levels, rng)
    lasting = failed & ~(marked | passed)
    if not lasting.any():
        raise _extinct(legs, len(legs), total / m.shape[1])
    return total * float((lasting / before).mean()), total * float((failed / before).mean())


def _interval(estimates: Array, particles: int) -> tuple[float, float, float]:
    """Lower and upper end of the 95 % interval of the mean, and its standard error."""
    n, mean = len(estimates), float(estimates.mean())
    error = float(estimates.std(ddof=1) / np.sqrt(n))
    if error == 0:  # all alike: of a plain count, that of none or all
        low, high = stats.binomial_interval(min(mean, 1.0) * n * particles, n * particles)
        return float(low), float(high), 0.0
    variance = np.log(estimates).var(ddof=1)
    t = scipy_stats.t.ppf(0.5 + stats.LEVEL / 2, n - 1)
    width = np.exp(t * np.sqrt(variance / n + variance**2 / (2 * (n - 1))))
    return min(mean / float(width), 1.0), min(mean * float(width), 1.0), error


def _extinct(legs: list[_Leg], k: int, reached: float) -> AccuracyError:
    lengths = [leg.steps * leg.step for leg in legs]
    return AccuracyError(
        "in one of the repeats no trajectory failed: the last were written after "
        f"{sum(lengths[:k]):.3g} of {sum(lengths):.3g} t_D, at a rate of about {reached:.1g}",
        expected="one at least in every repeat", remedy="take more particles",
    )  # fmt: skip


def _resample(weight: Array, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw as many as there are, each its share of times on average, by one random number."""
    n = len(weight)
    share = np.cumsum(weight)
    ends = np.floor(share / share[-1] * n + rng.random()).astype(np.intp)
    return np.repeat(np.arange(n), np.diff(np.minimum(ends, n), prepend=0))


def _settle(
    m: Floats, legs: list[_Leg], levels: _Levels, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Let the layer rest, each trajectory until it is decided: failed, and passed the level."""
    failed, passed = np.zeros((2, m.shape[1]), bool)
    unsettled = np.arange(m.shape[1])
    for leg in legs:
        high, low = m[2] > levels.failed, m[2] < levels.written
        failed[unsettled[high]] = True
        passed[unsettled[m[2] < levels.kill]] = True
        still = ~(high | low)
        m, unsettled = m[:, still], unsettled[still]
        _advance(m, leg, rng)
    failed[unsettled] = m[2] > 0
    return failed, passed


def _advance(m: Floats, leg: _Leg, rng: np.random.Generator) -> None:
    """Carry trajectories through a leg, in blocks that stay in the cache."""
    for first in range(0, m.shape[1], BLOCK):
        part = m[:, first : first + BLOCK]
        integrator.carry(part, leg.stage, leg.steps, leg.step, rng)


def _divided(
    stage: Stage, step: float, importance: Array | None = None, kill: float = NEVER
) -> list[_Leg]:
    """Divide a stage into equal legs."""
    tau = float(stage.tau)
    driven = np.linalg.norm(stage.torque) * np.abs(stage.layer.angular).sum()
    driven += np.linalg.norm(stage.layer.h + stage.field)
    legs = int(np.ceil(tau * (1 + float(driven)) / SPACING - 1e-9))
    if legs > MOST_LEGS:
        raise ParameterError(
            f"a stage of {tau:.3g} t_D, to be weighed {legs} times",
            expected=f"{MOST_LEGS} times at most", remedy="for long waits take thermal or escape",
        )  # fmt: skip
    if not legs:
        return []
    steps = int(np.ceil(tau / legs / step - 1e-9))
    even = np.ones(BINS) if importance is None else importance
    return [_Leg(stage, steps, tau / legs / steps, even, kill)] * legs


def _legs_of_survivors(
    rest: FreeLayer, plan: Sequence[Stage], step: float, levels: _Levels, given: bool
) -> list[_Leg]:
    """Give up what is below the later level, from the first stage on after which none returns."""
    above = (np.arange(BINS) >= np.round((levels.later + 1) * BINS / 2)) * 1.0
    legs: list[_Leg] = []
    late = levels.later > NEVER and (given or written.returning(rest, plan[:-1]) < RETURNING)
    for stage in reversed(plan[:-1]):
        late = late and (given or written.holds(rest, stage, -levels.kill, LATE))
        own = _divided(stage, step, above, levels.kill) if late else _divided(stage, step)
        legs = own + legs
    return legs


def _levels(rest: FreeLayer, plan: Sequence[Stage], kill: float | None) -> _Levels:
    """Find the levels from the energy at rest, at the highest temperature of the pulse."""
    own = written.hottest(rest, plan)
    late, later, up = decided(own, LATE), decided(own, LATER), decided(own, LATER, 1)
    failed = up if up < 1 else -NEVER
    if later < 1:
        levels = _Levels(-late, -later, -later, failed)
    else:
        levels = _Levels(NEVER, NEVER, NEVER, failed)
    if kill is None:
        return levels
    given = float(in_range(
        "kill", kill, "1", above=-1, below=0, inclusive=True, scalar=True,
        remedy="a level on the far side",
    ))  # fmt: skip
    return levels._replace(kill=given, later=min(levels.later, (given - 1) / 2))


def _legs_by_importance(plan: Sequence[Stage], step: float) -> list[_Leg]:
    """Carry the probability to fail backwards through rest and pulse, on cells in theta."""
    z = -np.cos(np.pi * (np.arange(CELLS) + 0.5) / CELLS)
    bins = (np.arange(BINS) + 0.5) * 2 / BINS - 1
    h = (z > 0) * 1.0
    legs: list[_Leg] = []
    for stage in reversed(plan):
        own = _divided(stage, step)
        back = _backward(z, stage, own[0].steps * own[0].step) if own else np.eye(CELLS)
        for leg in own:
            h = back @ h
            h /= h.max()
            if stage is not plan[-1]:
                log_h = np.log(np.maximum(h, FLOOR))
                legs.insert(0, leg._replace(importance=np.exp(np.interp(bins, z, log_h))))
    return legs


def _backward(z: Array, stage: Stage, tau: float) -> Array:
    """Carry back by exp(L^T tau), L the rates of `finite_volume`: no element is negative."""
    layer = stage.layer
    drift = np.zeros((1, max(len(layer.anisotropy[2]), len(layer.angular))))
    drift[0, : len(layer.anisotropy[2])] -= layer.anisotropy[2]
    drift[0, : len(layer.angular)] -= stage.torque[2] * layer.angular
    drift[0, 0] -= layer.h[2] + stage.field[2]
    edges = -np.cos(np.pi * np.arange(CELLS + 1) / CELLS)
    phi = landscape.potential(drift, np.array([layer.delta]), z)[0]
    return finite_volume.propagator(finite_volume.generator(edges, z, phi, layer.delta), tau).T
