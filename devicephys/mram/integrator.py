"""Which integrator a stage takes, and how long its steps may be.

The splitting takes everything but energies that do not separate; those are left to Heun's method.
"""

from collections.abc import Sequence

import numpy as np

from devicephys.checks import ZERO, in_range
from devicephys.errors import ParameterError
from devicephys.mram import heun, splitting
from devicephys.mram.free_layer import SAME, Factors, Floats, Stage, fields, is_axial, vectors
from devicephys.mram.kick import Noise

DAMPED = 0.03  # of a step: s (1 + |i| + |h|); the bias goes with its square
TURNED = 0.0125  # of a step, where fields across the axis count: s |H_across|/alpha
TURN = 0.6  # of a step: angle of precession between two of its pieces where the axes matter
KICKED = 0.02  # of a step: s/Delta, the thermal angle squared
MOST_STEPS = 1e8  # of one trajectory
HEUN = 0.025  # of a step of `heun`: angle of precession


def largest_step(stages: Sequence[Stage], factors: Factors = SAME) -> float:
    """Compute the largest step that keeps the bias of the rate small.

    Parameters
    ----------
    stages : sequence of Stage
        The pulse.
    factors : Factors, optional
        How the layers differ: the strongest counts.

    Returns
    -------
    float
        Step over t_D: for fields along the axis, limited by damping, torque and temperature
        alone; across it, by precession, too; for energies that do not separate, by Heun's
        method [1].

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
    delta, harder, stronger = (
        float(x) for x in (factors.delta.min(), factors.anisotropy.max(), factors.torque.max())
    )
    for stage in stages:
        layer = stage.layer
        constant = float(np.linalg.norm(layer.h + stage.field))
        torque = stronger * float(np.linalg.norm(stage.torque) * np.abs(layer.angular).sum())
        steps.append(KICKED * layer.delta * delta)
        if layer.surface is not None:
            sphere = vectors(np.linspace(-1, 1, 31), np.linspace(0, 2 * np.pi, 31))
            strongest = float(np.linalg.norm(fields(stage, sphere)[1], axis=0).max())
            steps.append(HEUN * layer.alpha / max(strongest * max(harder, stronger, 1.0), ZERO))
            continue
        stiff = harder * float(np.abs(layer.anisotropy).sum(axis=1).max())
        steps.append(DAMPED / max(stiff + constant + torque, ZERO))
        if not is_axial(stage):
            across = float(np.linalg.norm((layer.h + stage.field)[:2]))
            across += layer.alpha**2 * stronger * float(np.linalg.norm(stage.torque[:2]))
            across += harder * float(np.abs(layer.anisotropy[:2]).sum())
            steps.append(layer.alpha * min(TURN / max(stiff, ZERO), TURNED / max(across, ZERO)))
    return float(min(steps))


def checked_step(plan: Sequence[Stage], step: float | None, factors: Factors = SAME) -> float:
    """Check that each stage has one duration and the step is no longer than `largest_step`.

    Parameters
    ----------
    plan : sequence of Stage
        The pulse.
    step : float or None
        Step asked for over t_D; None for the largest [1].
    factors : Factors, optional
        How the layers differ.

    Returns
    -------
    float
        The step over t_D [1].

    Raises
    ------
    ParameterError
        If a stage has several durations, the step is too long or not positive, or the pulse takes
        too many steps.

    References
    ----------
    As of `largest_step`: this project's measurement.

    Examples
    --------
    >>> from devicephys.mram.free_layer import NONE, uniaxial
    >>> pulse = [Stage(uniaxial(60, 0.01), np.array([0, 0, -2.0]), NONE, np.array(4.0))]
    >>> checked_step(pulse, None)
    0.01
    """
    for k, stage in enumerate(plan):
        if stage.tau.ndim:
            raise ParameterError(
                f"stage {k} has {stage.tau.size} durations", expected="one",
                remedy="call once a duration",
            )  # fmt: skip
    largest = largest_step(plan, factors)
    chosen = float(in_range(
        "step", largest if step is None else step, "t_D", above=0, below=largest * (1 + 1e-9),
        scalar=True,
        remedy=f"the largest sensible step for this torque, field and temperature is {largest:.3g}",
    ))  # fmt: skip
    total = sum(float(stage.tau) for stage in plan)
    if total / chosen > MOST_STEPS:
        raise ParameterError(
            f"a pulse of {total:.3g} t_D in {total / chosen:.2g} steps of {chosen:.2g}",
            expected=f"{MOST_STEPS:g} steps at most",
            remedy="check the units; for long waits take thermal or escape",
        )  # fmt: skip
    return chosen


def checked_precision(dtype: object) -> None:
    """Check that a precision is one that the integrators know.

    Parameters
    ----------
    dtype : object
        What was given.

    Raises
    ------
    ParameterError
        If it is neither numpy.float32 nor numpy.float64.

    References
    ----------
    This project's design, docs/theory/macrospin.md.

    Examples
    --------
    >>> checked_precision(int)
    Traceback (most recent call last):
        ...
    devicephys.errors.ParameterError: dtype = <class 'int'>; expected numpy.float32 or numpy.float64
    """
    if dtype not in (np.float32, np.float64):
        raise ParameterError(f"dtype = {dtype!r:.60}", expected="numpy.float32 or numpy.float64")


def carry(
    m: Floats, stage: Stage, steps: int, step: float, rng: np.random.Generator,
    factors: Factors = SAME, noise: Noise = "discrete",
) -> None:  # fmt: skip
    """Carry unit vectors through some steps of a stage, in place, by the method that fits it.

    Parameters
    ----------
    m, stage, steps, step, rng, factors, noise
        As for `splitting.advance`; an energy that does not separate is left to `heun.advance`,
        whose noise is Gaussian [1].

    References
    ----------
    As of `splitting.advance`, doi:10.1103/PhysRevE.89.061301.

    Examples
    --------
    >>> from devicephys.mram.free_layer import NONE, uniaxial
    >>> m = np.array([[0.6], [0.0], [0.8]])
    >>> still = Stage(uniaxial(1e30, 0.01), NONE, NONE, np.array(1.0))
    >>> carry(m, still, 100, 0.01, np.random.default_rng(1))
    >>> round(float(m[2, 0]), 4)
    0.964
    """
    if stage.layer.surface is None:
        splitting.advance(m, stage, steps, step, rng, factors, noise)
    else:
        heun.advance(m, stage, steps, step, rng, factors)
