"""Whether what is written stays written: what may be given up, and what must be followed further.

Every solver beyond axial symmetry gives up layers that have gone far enough down on the other side.
That is right only if nothing to come brings them back: no torque or field, no weaker anisotropy,
no heat. The far side begins at a latitude where even the highest energy lies some k_B T below the
barrier, the temperature being the highest of all stages.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from devicephys.checks import Array
from devicephys.mram.free_layer import (
    NONE,
    SAME,
    Factors,
    FreeLayer,
    Stage,
    barrier,
    decided,
    depth,
    effective_field,
    energy,
    fields,
    is_axial,
    vectors,
    velocity,
)

WEAKER = 0.5  # of the pull towards the written state at rest, which every stage has to keep
KEPT = 0.5  # of the drop, by which a layer stays below the barrier on its way without noise
PROBES = (6, 24)  # latitudes and azimuths of layers that are followed without noise
TURN = 0.3  # of a step of theirs: angle of precession
TURNS = 100  # steps
FOLLOWED = 3.0  # t_D


def hottest(rest: FreeLayer, stages: Sequence[Stage], factors: Factors = SAME) -> FreeLayer:
    """Give the layer at rest with the smallest thermal stability of all stages.

    Parameters
    ----------
    rest : FreeLayer
        The layer before and after the pulse.
    stages : sequence of Stage
        The pulse.
    factors : Factors, optional
        How the layers differ.

    Returns
    -------
    FreeLayer
        The layer; `rest` itself if no stage is hotter.

    References
    ----------
    This project's design, docs/theory/macrospin.md.

    Examples
    --------
    >>> from devicephys.mram.free_layer import NONE, uniaxial
    >>> hottest(uniaxial(60, 0.01), [Stage(uniaxial(40, 0.01), NONE, NONE, np.array(1.0))]).delta
    40.0
    """
    smallest = min([rest.delta, *(s.layer.delta for s in stages)]) * float(factors.delta.min())
    return rest if smallest == rest.delta else replace(rest, delta=float(smallest))


def level(rest: FreeLayer, stages: Sequence[Stage], drop: float, factors: Factors = SAME) -> float:
    """Find how far down on the other side a layer may be given up.

    Parameters
    ----------
    rest, stages, factors
        As for `hottest`; a pulse from now on [1].
    drop : float
        How far below the barrier, > 0 [k_B T].

    Returns
    -------
    float
        Magnitude of z; 1 where nothing may be given up [1].

    References
    ----------
    This project's design, docs/theory/macrospin.md.

    Examples
    --------
    >>> from devicephys.mram.free_layer import NONE, uniaxial
    >>> layer = uniaxial(60, 0.01)
    >>> forward, back = (Stage(layer, np.array([0, 0, i]), NONE, np.array(4.0)) for i in (-2, 2))
    >>> round(level(layer, [forward], 14.0), 2), level(layer, [forward, back], 14.0)
    (0.49, 1.0)
    """
    if (factors.anisotropy != 1).any() or (factors.torque != 1).any():
        return 1.0  # each layer has a barrier and a torque of its own
    found = decided(hottest(rest, stages, factors), drop)
    kept = found < 1 and all(holds(rest, stage, found, drop) for stage in stages)
    return found if kept else 1.0


def returning(rest: FreeLayer, stages: Sequence[Stage]) -> float:
    """Estimate the probability that heat brings a written layer back before the pulse is over.

    Valid as an estimate from above where `level` is below 1; a rest after the pulse is not a part
    of it: a layer that falls back then is a failure of retention.

    Parameters
    ----------
    rest : FreeLayer
        The layer before and after the pulse.
    stages : sequence of Stage
        The pulse.

    Returns
    -------
    float
        Sum over the stages of tau sqrt(Delta) e^-E, E the barrier that the written state has
        under the torque along the axis, at most 1 [1].

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677; under a current: Taniguchi
    and Imamura, arXiv 1010.5845.

    Examples
    --------
    >>> from devicephys.mram.free_layer import NONE, uniaxial
    >>> layer = uniaxial(20, 0.01)
    >>> f"{returning(layer, [Stage(layer, NONE, NONE, np.array(100.0))]):.0e}"
    '9e-07'
    """
    total = 0.0
    axis = np.array([[0.0], [0.0], [-1.0]])
    for stage in stages:
        delta = stage.layer.delta
        pull = float(fields(stage, axis)[1][2, 0] / effective_field(rest, axis)[2, 0])
        height = depth(rest, -1) * delta / rest.delta * max(pull, 0.0) ** 2
        total += float(np.max(stage.tau)) * np.sqrt(delta) * np.exp(-height)
    return float(min(total, 1.0))


def holds(rest: FreeLayer, stage: Stage, latitude: float, drop: float) -> bool:
    """Say whether a stage leaves on the far side what is there, heat aside.

    Parameters
    ----------
    rest : FreeLayer
        The layer before and after the pulse.
    stage : Stage
        The stage.
    latitude : float
        Where the far side begins, a magnitude of z [1].
    drop : float
        How far below the barrier that is [k_B T].

    Returns
    -------
    bool
        Whether the pull towards the written state keeps half of what it is at rest, and layers
        from anywhere there stay below the barrier by half of the drop, followed without noise.

    References
    ----------
    This project's design, docs/theory/macrospin.md.

    Examples
    --------
    >>> from devicephys.mram.free_layer import NONE, uniaxial
    >>> layer = uniaxial(60, 0.01)
    >>> [holds(layer, Stage(layer, np.array([0, 0, i]), NONE, np.array(4.0)), 0.5, 15.0)
    ...  for i in (-2.0, 0.0, 2.0)]
    [True, True, False]
    """
    if not float(np.max(stage.tau)):
        return True
    z = np.linspace(-1, -latitude, PROBES[0])
    grid = vectors(z, 2 * np.pi * np.arange(PROBES[1]) / PROBES[1])
    now, before = (x[2].mean(axis=1) for x in (fields(stage, grid)[1], effective_field(rest, grid)))
    if not (now <= WEAKER * before).all():
        return False
    both = (stage, Stage(rest, NONE, NONE, stage.tau))
    return all(map(is_axial, both)) or _stays(rest, stage, grid.reshape(3, -1), drop)


def _stays(rest: FreeLayer, stage: Stage, m: Array, drop: float) -> bool:
    """Follow layers without noise: do they stay well below the barrier, on their side?

    Precession shows within a few turns; a torque in the plane takes times of t_D.
    """
    hot = 2 * min(rest.delta, stage.layer.delta)
    allowed = barrier(rest) - KEPT * drop / hot
    largest = float(np.linalg.norm(fields(stage, m)[0], axis=0).max())
    step = stage.layer.alpha * TURN / max(largest, 1.0)
    longest = FOLLOWED / step if stage.torque[:2].any() else TURNS
    for _ in range(int(min(np.ceil(float(np.max(stage.tau)) / step), longest))):
        m = m + step * velocity(stage, m + step / 2 * velocity(stage, m))
        m = m / np.sqrt((m * m).sum(axis=0))
        if (m[2] >= 0).any() or (energy(rest, m) > allowed).any():
            return False
    return True
