"""Write error rates by ensembles of macrospin trajectories, for any direction of field and torque.

Where `fokker_planck` rests on axial symmetry, trajectories do not; they are counted, so that rates
far below 1/n are out of their reach.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from devicephys import stats
from devicephys.checks import Array, in_range, whole
from devicephys.errors import ParameterError
from devicephys.mram import splitting
from devicephys.mram.free_layer import FreeLayer, Stage, energy, is_axial

BLOCK = 8192  # trajectories that share a stream of random numbers, and stay in the cache
DAMPED = 0.03  # of a step: s (1 + |i| + |h|); the bias goes with its square
TURNED = 0.0125  # of a step, where fields across the axis count: s |H_across|/alpha
TURN = 0.6  # of a step: angle of precession between two of its pieces where the axes matter
KICKED = 0.02  # of a step: s/Delta, the thermal angle squared
GRID = 241  # points in theta and phi on which the Boltzmann law is bounded
ROUNDS = 200  # of rejection; each accepts one proposal in twenty or more


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


def largest_step(stages: Sequence[Stage]) -> float:
    """Compute the largest step that keeps the bias of the rate small.

    Parameters
    ----------
    stages : sequence of Stage
        The pulse.

    Returns
    -------
    float
        Step over t_D: for fields along the axis, limited by damping, torque and temperature
        alone; across it, by precession, too [1].

    References
    ----------
    This project's measurement, docs/theory/macrospin.md.

    Examples
    --------
    >>> from devicephys.mram.free_layer import NONE, uniaxial
    >>> largest_step([Stage(uniaxial(60, 0.01), np.array([0, 0, -2.0]), NONE, np.array(4.0))])
    0.01
    """
    steps = []
    for stage in stages:
        layer = stage.layer
        stiff = np.abs(layer.anisotropy).sum(axis=1).max()
        constant = np.linalg.norm(layer.h + stage.field)
        torque = np.linalg.norm(stage.torque) * np.abs(layer.angular).sum()
        steps += [DAMPED / (stiff + constant + torque), KICKED * layer.delta]
        if not is_axial(stage):
            across = np.linalg.norm((layer.h + stage.field)[:2])
            across += layer.alpha**2 * np.linalg.norm(stage.torque[:2])
            across += np.abs(layer.anisotropy[:2]).sum()
            steps.append(layer.alpha * min(TURN / stiff, TURNED / max(across, 1e-12)))
    return float(min(steps))


def boltzmann(layer: FreeLayer, n: int, rng: np.random.Generator) -> Array:
    """Draw unit vectors from the Boltzmann law of the upper half, z > 0, exactly.

    Parameters
    ----------
    layer : FreeLayer
        The layer at rest.
    n : int
        Number of vectors, >= 1 [1].
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    ndarray
        Unit vectors, shape (3, n) [1].

    Raises
    ------
    ParameterError
        If n is below one, or the law is not one well about +z.

    Notes
    -----
    By rejection: z is proposed with an exponential law about the pole, the azimuth evenly. The
    bound on the ratio of the laws is taken on a grid, with a margin of 10 %.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677 (law); Devroye, Non-Uniform
    Random Variate Generation (1986), doi:10.1007/978-1-4613-8643-8, section II.3 (rejection).

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> m = boltzmann(uniaxial(60, 0.01), 1000, np.random.default_rng(1))
    >>> m.shape, bool(0.9 < m[2].mean() < 1)
    ((3, 1000), True)
    """
    n = whole("n", n, least=1)
    w, azimuth = np.meshgrid(
        np.linspace(0, 1, GRID) ** 2, np.linspace(0, 2 * np.pi, GRID), indexing="ij"
    )
    log_law = -2 * layer.delta * energy(layer, _vector(w, azimuth))
    # The flattest proposal that still follows the law: half the slope of a uniaxial well.
    rate = max(layer.delta, 1e-9)
    bound = float((log_law + rate * w).max()) + np.log(1.1)
    found, kept = [], 0
    for _ in range(ROUNDS):
        u = rng.random((3, 4 * n))
        w = -np.log1p(u[0] * np.expm1(-rate)) / rate
        m = _vector(w, 2 * np.pi * u[1])
        log_ratio = -2 * layer.delta * energy(layer, m) + rate * w - bound
        if (log_ratio > 0).any():
            raise ParameterError(
                "the Boltzmann law of FreeLayer is sharper than its grid resolves",
                expected="a well about +z", remedy="take the stable axis as the polar one",
            )  # fmt: skip
        accepted = m[:, np.log(u[2]) < log_ratio]
        found.append(accepted)
        kept += accepted.shape[1]
        if kept >= n:
            return np.concatenate(found, axis=1)[:, :n]
    raise ParameterError(
        "the Boltzmann law of FreeLayer is not one well about +z",
        expected="a minimum of the energy near +z", remedy="take the stable axis as the polar one",
    )  # fmt: skip


def _vector(w: Array, azimuth: Array) -> Array:
    across = np.sqrt(w * (2 - w))
    return np.stack([across * np.cos(azimuth), across * np.sin(azimuth), 1 - w])


def write_error(
    rest: FreeLayer,
    stages: Sequence[Stage],
    trajectories: int,
    rng: np.random.Generator,
    *,
    step: float | None = None,
    relax: float = 10.0,
    dtype: type[np.floating] = np.float32,
    workers: int = 1,
) -> Ensemble:
    """Count the trajectories that a pulse leaves in their initial state.

    Valid for rates above about 10/trajectories. The layer starts in equilibrium at z > 0 and is
    read at z = 0 after a rest, in which it decides for a state.

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
    step : float, optional
        Longest step over t_D; by default `largest_step`, which it may not exceed [1].
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
        If an argument is outside its range, or a layer's energy does not separate.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677 (thermal field); interval:
    doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> from devicephys.mram.free_layer import NONE, uniaxial
    >>> layer = uniaxial(60, 0.01)
    >>> pulse = [Stage(layer, np.array([0, 0, -2.0]), NONE, np.array(2.0))]
    >>> found = write_error(layer, pulse, 2000, np.random.default_rng(1))
    >>> bool(found.low < 0.595 < found.high)
    True
    """
    n, workers = whole("trajectories", trajectories, least=1), whole("workers", workers, least=1)
    in_range("relax", relax, "1", above=0, inclusive=True, scalar=True)
    still = np.zeros(3)
    plan = [*stages, Stage(rest, still, still, np.array(float(relax)))]
    for k, stage in enumerate(plan):
        if stage.tau.ndim:
            raise ParameterError(
                f"stage {k} has {stage.tau.size} durations", expected="one",
                remedy="call once a duration",
            )  # fmt: skip
        if stage.layer.surface is not None:
            raise ParameterError(
                f"stage {k}: an energy that does not separate",
                expected="a sum of functions of one component each",
            )
    largest = largest_step(plan)
    if step is None:
        step = largest
    in_range(
        "step", step, "t_D", above=0, below=largest * (1 + 1e-9), scalar=True,
        remedy=f"the largest sensible step for this torque, field and temperature is {largest:.3g}",
    )  # fmt: skip

    def block(size: int, own: np.random.Generator) -> int:
        m = boltzmann(rest, size, own).astype(dtype)
        for stage in plan:
            count = int(np.ceil(float(stage.tau) / step - 1e-9))
            if count:
                splitting.advance(m, stage, count, float(stage.tau) / count, own)
        return int((m[2] > 0).sum())

    sizes = [min(BLOCK, n - first) for first in range(0, n, BLOCK)]
    with ThreadPoolExecutor(workers) as pool:
        failures = sum(pool.map(block, sizes, rng.spawn(len(sizes))))
    low, high = stats.binomial_interval(failures, n)
    return Ensemble(failures / n, float(low), float(high), failures, n)
