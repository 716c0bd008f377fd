"""Stratonovich Heun for the stochastic Landau-Lifshitz-Gilbert equation: the reference integrator.

Takes any energy, at the price of short steps: its error in the rate of growth goes with the cube
of the angle of precession in a step.
"""

import numpy as np

from devicephys.mram.free_layer import SAME, Factors, Floats, Stage, fields


def advance(
    m: Floats, stage: Stage, steps: int, step: float, rng: np.random.Generator,
    factors: Factors = SAME,
) -> None:  # fmt: skip
    """Carry unit vectors through some steps of a stage, in place.

    Valid for steps in which the precession turns by a few hundredths: about 0.025 alpha.

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

    References
    ----------
    Garcia-Palacios and Lazaro, Phys. Rev. B 58 (1998) 14937, doi:10.1103/PhysRevB.58.14937.

    Examples
    --------
    >>> from devicephys.mram.free_layer import NONE, uniaxial
    >>> m = np.array([[0.6], [0.0], [0.8]])
    >>> advance(m, Stage(uniaxial(1e30, 0.01), NONE, NONE, np.array(1.0)), 5000, 0.0002,
    ...         np.random.default_rng(1))
    >>> round(float(m[2, 0]), 4)
    0.964
    """
    spread = np.asarray(np.sqrt(step / (stage.layer.delta * factors.delta)), m.dtype)

    def increment(at: Floats) -> Floats:
        precession, damping = fields(stage, at, factors)
        turning = _cross(precession / stage.layer.alpha, at)
        along = at[0] * damping[0] + at[1] * damping[1] + at[2] * damping[2]
        found = (turning + damping - at * along) * step + _cross(thermal, at)
        return np.asarray(found)

    for _ in range(steps):
        thermal = spread * rng.standard_normal(m.shape, m.dtype)
        first = increment(m)
        m += (first + increment(m + first)) / 2
        m /= np.sqrt(m[0] * m[0] + m[1] * m[1] + m[2] * m[2])


def _cross(a: Floats, b: Floats) -> Floats:
    found = np.empty_like(b)
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        found[k] = a[i] * b[j] - a[j] * b[i]
    return found
