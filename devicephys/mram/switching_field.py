"""Field that switches a layer: escape over the barrier while an axial field rises at a rate.

With x = mu0 H/(mu0 H_k) - h, h the stray field that stabilises the initial state, the barrier is
Delta (1 - x)^2, and a layer that is left in a field rising from far below at the rate r is still
there with the probability exp(-Lambda), Lambda = int k(H) mu0 dH/r. Fields are mu0 H in tesla,
positive where they drive the write that `direction` names.

Valid for an axial field and a coherent layer that has no time to come back (x > 0 where it
switches, so Delta above about 20), at rates far below H_k per damping time.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import dawsn

from devicephys.checks import ZERO, Array, in_range, known
from devicephys.constants import MU_0
from devicephys.mram.junction import seen_from_start
from devicephys.mram.landscape import FALLEN, gauss_legendre
from devicephys.parameters import DIRECTIONS, MTJ, Direction

POINTS = 200  # of the integral over the barrier: 1e-10 of the rate up to Delta = 400
SWEEP_POINTS = 12  # of the integral of the rate between two fields
TAIL = 40.0  # k_B T by which the barrier is higher where the integral over the field begins
TAIL_POINTS = 48
BISECTIONS = 60


def log_rate(x: ArrayLike, delta: ArrayLike) -> Array:
    """Compute the rate of escape of a layer under a constant axial drive, as a logarithm.

    The same exact rate as `thermal.escape_rate`, with the inner of its two integrals in closed
    form: for a straight drift, at any barrier.

    Parameters
    ----------
    x : array_like
        Drive i - h: current over critical current less field over H_k, any shape [1].
    delta : array_like
        Thermal stability factor, > 0, shape broadcast with `x` [1].

    Returns
    -------
    ndarray
        ln(k t_D), broadcast shape [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    Notes
    -----
    1/(k t_D) = 2 sqrt(Delta) int dy/(1 - y^2)
    [e^{Delta (1-x)^2 - Delta (y-x)^2} D(sqrt(Delta) (1-x)) - D(sqrt(Delta) (y-x))]
    with Dawson's function D, from 25 k_B T below the barrier to y = 1.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677; mean first-passage time:
    Gardiner, Stochastic Methods (2009), section 5.5, doi:10.1007/978-3-540-70712-7.

    Examples
    --------
    >>> [f"{np.exp(k):.3e}" for k in log_rate([0.0, 0.5], 60.0)]
    ['3.762e-26', '4.696e-07']
    """
    x = in_range("x", x, "1")[..., None]
    delta = in_range("delta", delta, "1", above=0)[..., None]
    root = np.sqrt(delta)
    barrier = np.where(x < 1, delta * (1 - x) ** 2, 0.0)
    top = np.minimum(x, 1.0)
    low = np.maximum(x - np.sqrt((top - x) ** 2 + FALLEN / delta), -1 + 0.5 / np.maximum(delta, 1))
    nodes, weights = gauss_legendre(POINTS)
    half = (1 - low) / 2
    y = low + half * (nodes + 1)
    first = delta * ((1 - x) ** 2 - (y - x) ** 2) - barrier
    inner = np.exp(first) * dawsn(root * (1 - x)) - np.exp(-barrier) * dawsn(root * (y - x))
    total = (inner / ((1 - y) * (1 + y)) * weights).sum(axis=-1) * half[..., 0]
    return np.asarray(-barrier[..., 0] - np.log(2 * root[..., 0] * total))


def cumulated(field: ArrayLike, mtj: MTJ, h_k: float, direction: Direction, rate: float) -> Array:
    """Integrate the rate of escape over a rising field.

    Valid as the module says.

    Parameters
    ----------
    field : array_like
        Fields mu0 H, rising, shape (n,) [T].
    mtj : MTJ
        The junction; its stray field shifts the two directions oppositely.
    h_k : float
        Anisotropy field, > 0 [A/m].
    direction : {"P->AP", "AP->P"}
        The write that the field drives.
    rate : float
        Rate of the field, > 0 [T/s].

    Returns
    -------
    ndarray
        Lambda: the layer is left at a field with the probability exp(-Lambda), shape (n,) [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    Kurkijarvi, Phys. Rev. B 6 (1972) 832, doi:10.1103/PhysRevB.6.832; Garg, Phys. Rev. B 51
    (1995) 15592, doi:10.1103/PhysRevB.51.15592.

    Examples
    --------
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> cumulated([0.2, 0.22, 0.24], mtj, 3e5, "P->AP", 1.0).round(4).tolist()
    [17.0149, 258.5113, 2729.7531]
    """
    x, scale = _drive(field, mtj, h_k, direction, rate)
    start = 1 - np.sqrt(np.maximum(1 - x[0], 0.0) ** 2 + TAIL / mtj.delta)
    first = _integral(np.array([start]), x[:1], mtj.delta, TAIL_POINTS)
    rest = _integral(x[:-1], x[1:], mtj.delta, SWEEP_POINTS)
    return np.asarray(scale * np.cumsum(np.r_[first, rest]))


def _drive(
    field: ArrayLike, mtj: MTJ, h_k: float, direction: Direction, rate: float
) -> tuple[Array, float]:
    """Reduced drive at each field, and the reduced time that x takes to rise by one."""
    known("direction", direction, DIRECTIONS)
    in_range("h_k", h_k, "A/m", above=0, scalar=True)
    in_range("rate", rate, "T/s", above=0, scalar=True)
    x = in_range("field", field, "T") / (MU_0 * h_k) - seen_from_start(mtj, direction)[0]
    return np.asarray(x), MU_0 * h_k / (rate * mtj.t_d)


def _integral(low: Array, high: Array, delta: float, points: int) -> Array:
    nodes, weights = gauss_legendre(points)
    half = (high - low)[:, None] / 2
    x = low[:, None] + half * (nodes + 1)
    return np.asarray((np.exp(log_rate(x, delta)) * weights * half).sum(axis=1))


def quantile(
    probability: ArrayLike, mtj: MTJ, h_k: float, direction: Direction, rate: float
) -> Array:
    """Compute the field below which a layer switches with a given probability.

    Valid as the module says; uniform random numbers give random switching fields.

    Parameters
    ----------
    probability : array_like
        Probability in (0, 1), any shape [1].
    mtj, h_k, direction, rate
        As for `cumulated` [SI].

    Returns
    -------
    ndarray
        mu0 H, shape of `probability`, to 1e-6 of H_k [T].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    Kurkijarvi, Phys. Rev. B 6 (1972) 832, doi:10.1103/PhysRevB.6.832.

    Examples
    --------
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> quantile([0.1, 0.5, 0.9], mtj, 3e5, "P->AP", 1.0).round(4).tolist()
    [0.168, 0.1792, 0.1867]
    """
    p = in_range("probability", probability, "1", above=0, below=1)
    goal = np.log(-np.log1p(-p))
    h = seen_from_start(mtj, direction)[0]
    at = np.linspace(-1.0, 1.5, 1001)  # x: at 1.5 no layer is left at any rate that is allowed
    field = (at + h) * MU_0 * h_k
    log_passed = np.log(np.maximum(cumulated(field, mtj, h_k, direction, rate), ZERO))
    in_range(
        "ln Lambda", goal, "1", above=float(log_passed[0]), below=float(log_passed[-1]),
        remedy="another rate, or a probability nearer to one half",
    )  # fmt: skip
    return np.asarray(np.interp(goal, log_passed, field))


def coercive_field(mtj: MTJ, h_k: float, direction: Direction, rate: float) -> float:
    """Compute the median switching field by Sharrock's law for a rising field.

    Valid for barriers of many k_B T where the layer switches: to 0.2 % of H_k for Delta from 30 to
    100 and rates from 1e-6 to 1e-2 H_k/ms; `quantile` is exact.

    Parameters
    ----------
    mtj, h_k, direction, rate
        As for `cumulated` [SI].

    Returns
    -------
    float
        mu0 H [T].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    Notes
    -----
    x = 1 - sqrt(ln(f t/ln 2)/Delta): Sharrock's law for the attempt frequency f = k e^barrier by
    Brown, and the time t = H_k/(2 Delta (1 - x) dH/dt) in which a rising field lowers the barrier
    by k_B T.

    References
    ----------
    Sharrock, J. Appl. Phys. 76 (1994) 6413; rising field: Kurkijarvi, Phys. Rev. B 6 (1972) 832,
    doi:10.1103/PhysRevB.6.832.

    Examples
    --------
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> round(coercive_field(mtj, 3e5, "P->AP", 1.0), 4)
    0.179
    """
    h, scale = _drive(0.0, mtj, h_k, direction, rate)
    x = 0.5
    for _ in range(BISECTIONS):  # t and f change slowly with x: a fixed point
        attempts = np.sqrt(mtj.delta / np.pi) * (1 - x * x) * (1 - x)
        lasting = scale / (2 * mtj.delta * (1 - x))
        x = 1 - np.sqrt(max(np.log(attempts * lasting / np.log(2)), 1.0) / mtj.delta)
    return float((x - h) * MU_0 * h_k)
