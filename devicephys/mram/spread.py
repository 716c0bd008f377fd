"""Arrays of junctions that differ: mean write error, quantiles over devices, failure counts.

The logarithms of I_c0, Delta, t_D and R_P are normal from device to device, with any correlation.
ln WER is steep in one direction of that space: the mean of WER over devices is made by devices
that lie several standard deviations out. So the Gauss-Hermite nodes are moved to where
(density x WER) peaks, and stretched by its width; across that direction three nodes suffice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from devicephys.checks import ZERO, Array, in_range, whole
from devicephys.errors import AccuracyError
from devicephys.mram.circuit import Access
from devicephys.mram.conditions import Deviation
from devicephys.mram.junction import mtj_from_stack
from devicephys.mram.pulse import Pulse
from devicephys.mram.write import DIRECT, WriteErrorRate, write_error_rate
from devicephys.parameters import MTJ, Direction, Stack, check_record, parameter

NODES, CHECK_NODES = 7, 5  # along the steep direction; the difference is the error estimate
REACH = 2.5  # standard deviations between the three points of the parabola that finds the peak
ROUNDS = 6  # of moving the parabola to where it peaks
SETTLED = 4.0  # standard deviations from its middle at which a parabola still places the peak
MOST_BEND = 0.7  # of ln WER per variance: beyond, the mean over devices is near to diverging
SLOPE_STEP = 0.5  # standard deviations, of the gradient that finds the steep direction
MOST_FAILING = 0.5  # share of devices that fail at least once in several writes
AIMS = 2  # of the line at the peak
FORM_ROUNDS = 4
FLOOR = 1e-300  # of a rate, before its logarithm
STEP = 1e-4  # of a logarithm, for derivatives of the junction's record


@dataclass(frozen=True)
class Spread:
    """Standard deviations and correlations of the logarithms of a junction's parameters.

    Attributes
    ----------
    sigma_delta, sigma_i_c0, sigma_t_d, sigma_r_p : float
        Standard deviations of ln Delta, ln I_c0, ln t_D, ln R_P from device to device [1].
    rho_i_c0_delta, rho_i_c0_t_d, rho_delta_t_d : float
        Correlations of ln I_c0 with ln Delta, ln I_c0 with ln t_D, ln Delta with ln t_D [1].
    rho_i_c0_r_p, rho_delta_r_p, rho_t_d_r_p : float
        Correlations of ln R_P with ln I_c0, ln Delta and ln t_D [1].
    """

    sigma_delta: float = parameter("1", r"\sigma_{\ln\Delta}", above=-ZERO, below=1.0)
    sigma_i_c0: float = parameter("1", r"\sigma_{\ln I_{c0}}", above=-ZERO, below=1.0)
    sigma_t_d: float = parameter("1", r"\sigma_{\ln t_D}", above=-ZERO, below=1.0, default=0.0)
    rho_i_c0_delta: float = parameter(
        "1", r"\rho_{I\Delta}", above=-1.001, below=1.001, default=0.0
    )
    rho_i_c0_t_d: float = parameter("1", r"\rho_{It}", above=-1.001, below=1.001, default=0.0)
    rho_delta_t_d: float = parameter(
        "1", r"\rho_{\Delta t}", above=-1.001, below=1.001, default=0.0
    )
    sigma_r_p: float = parameter("1", r"\sigma_{\ln R_P}", above=-ZERO, below=1.0, default=0.0)
    rho_i_c0_r_p: float = parameter("1", r"\rho_{IR}", above=-1.001, below=1.001, default=0.0)
    rho_delta_r_p: float = parameter(
        "1", r"\rho_{\Delta R}", above=-1.001, below=1.001, default=0.0
    )
    rho_t_d_r_p: float = parameter("1", r"\rho_{tR}", above=-1.001, below=1.001, default=0.0)

    def __post_init__(self) -> None:
        check_record(self)


@dataclass(frozen=True)
class ArrayRate:
    """Mean write error rate of an array.

    Attributes
    ----------
    wer : ndarray
        Mean over devices, any shape [1].
    error : ndarray
        Estimated absolute error of the quadrature and the solver, shape of `wer` [1].
    slopes : ndarray
        d ln mean/d ln (I_c0, Delta, t_D, R_P) of the median junction, as far as the devices
        differ in that direction, shape of `wer` + (4,) [1].
    slope_spread : ndarray
        d ln mean/d ln sigma, all spreads growing alike, shape of `wer` [1].
    nodes : int
        Devices solved for each pulse [1].
    """

    wer: Array
    error: Array
    slopes: Array
    slope_spread: Array
    nodes: int


def covariance(spread: Spread) -> Array:
    """Give the covariance of ln I_c0, ln Delta, ln t_D and ln R_P.

    Parameters
    ----------
    spread : Spread
        The spreads.

    Returns
    -------
    ndarray
        Covariance, shape (4, 4) [1].

    References
    ----------
    Golub and Van Loan, Matrix Computations (2013), doi:10.56021/9781421407944.

    Examples
    --------
    >>> covariance(Spread(0.03, 0.01)).diagonal().round(6).tolist()
    [0.0001, 0.0009, 0.0, 0.0]
    """
    s = spread
    sigma = np.array([s.sigma_i_c0, s.sigma_delta, s.sigma_t_d, s.sigma_r_p])
    rho = np.eye(4)
    pairs = {
        (1, 0): s.rho_i_c0_delta, (2, 0): s.rho_i_c0_t_d, (2, 1): s.rho_delta_t_d,
        (3, 0): s.rho_i_c0_r_p, (3, 1): s.rho_delta_r_p, (3, 2): s.rho_t_d_r_p,
    }  # fmt: skip
    for (j, k), value in pairs.items():
        rho[j, k] = rho[k, j] = value
    return np.asarray(sigma[:, None] * rho * sigma)


def spread_of_covariance(matrix: Array) -> Spread:
    """Give the spread that has a covariance; the inverse of `covariance`.

    Parameters
    ----------
    matrix : ndarray
        Covariance of ln I_c0, ln Delta and ln t_D, and of ln R_P where it varies, shape (3, 3) or
        (4, 4) [1].

    Returns
    -------
    Spread
        Standard deviations, and correlations, 0 for what does not vary.

    References
    ----------
    Golub and Van Loan, Matrix Computations (2013), doi:10.56021/9781421407944.

    Examples
    --------
    >>> spread = Spread(0.03, 0.01, rho_i_c0_delta=0.5)
    >>> round(spread_of_covariance(covariance(spread)).rho_i_c0_delta, 12)
    0.5
    """
    c = np.zeros((4, 4))
    c[: len(matrix), : len(matrix)] = matrix
    sigma = np.sqrt(np.diag(c))
    scale = np.outer(sigma, sigma)
    rho = np.clip(np.divide(c, scale, out=np.zeros_like(c), where=scale > 0), -1, 1)
    return Spread(
        sigma_i_c0=float(sigma[0]), sigma_delta=float(sigma[1]), sigma_t_d=float(sigma[2]),
        sigma_r_p=float(sigma[3]), rho_i_c0_delta=float(rho[0, 1]), rho_i_c0_t_d=float(rho[0, 2]),
        rho_delta_t_d=float(rho[1, 2]), rho_i_c0_r_p=float(rho[0, 3]),
        rho_delta_r_p=float(rho[1, 3]), rho_t_d_r_p=float(rho[2, 3]),
    )  # fmt: skip


def factor(spread: Spread) -> Array:
    """Factorise the covariance over its independent directions.

    Parameters
    ----------
    spread : Spread
        The spreads.

    Returns
    -------
    ndarray
        L with covariance L L^T, one column for each direction in which devices differ, the widest
        first, shape (4, directions) [1].

    Raises
    ------
    ParameterError
        If the correlations contradict each other.

    References
    ----------
    Golub and Van Loan, Matrix Computations (2013), doi:10.56021/9781421407944.

    Examples
    --------
    >>> np.abs(factor(Spread(0.03, 0.01))).round(3).tolist()
    [[0.0, 0.01], [0.03, 0.0], [0.0, 0.0], [0.0, 0.0]]
    """
    values, vectors = np.linalg.eigh(covariance(spread))
    largest = max(float(values.max()), 0.0)
    in_range(
        "smallest eigenvalue of the covariance of Spread", values.min(), "1",
        above=-1e-9 * largest - ZERO, remedy="these correlations contradict each other",
    )  # fmt: skip
    kept = np.flatnonzero(values > 1e-12 * largest)[::-1]
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def spread_from_stack(
    stack: Stack, sigma_k_i: float, sigma_diameter: float, sigma_ra: float = 0.0
) -> Spread:
    """Derive the correlated spread of a junction's record from that of its making.

    Valid to first order in the spreads, which are taken as independent.

    Parameters
    ----------
    stack : Stack
        The median stack.
    sigma_k_i, sigma_diameter, sigma_ra : float
        Standard deviations of ln K_i, ln D and ln RA, >= 0 [1].

    Returns
    -------
    Spread
        Standard deviations and correlations of ln Delta, ln I_c0, ln t_D and ln R_P.

    Raises
    ------
    ParameterError
        If a spread is negative or the layer is not perpendicular.

    References
    ----------
    Propagation of errors; the record follows doi:10.1103/PhysRevB.62.570.

    Examples
    --------
    >>> stack = Stack(diameter=40e-9, t_f=1.2e-9, m_s=1.1e6, k_i=1.1e-3, alpha=0.01,
    ...               eta_p_ap=0.5, eta_ap_p=0.7, ra=5e-12, tmr=1.2)
    >>> s = spread_from_stack(stack, 0.01, 0.0)
    >>> round(s.sigma_i_c0, 4), round(s.rho_i_c0_delta, 6), round(s.rho_i_c0_t_d, 6)
    (0.0364, 1.0, -1.0)
    """
    sigmas = {"k_i": sigma_k_i, "diameter": sigma_diameter, "ra": sigma_ra}
    columns = []
    for name, sigma in sigmas.items():
        in_range(f"sigma_{name}", sigma, "1", above=0, inclusive=True)
        up, down = (mtj_from_stack(_scaled(stack, name, np.exp(sign * STEP))) for sign in (1, -1))
        slopes = [
            np.log(getattr(up, x) / getattr(down, x)) / (2 * STEP)
            for x in ("i_c0_p_ap", "delta", "t_d", "r_p")
        ]
        columns.append(sigma * np.array(slopes))
    c = np.sum([np.outer(x, x) for x in columns], axis=0)
    return spread_of_covariance(c)


def mean_write_error_rate(
    mtj: MTJ,
    spread: Spread,
    pulse: Pulse,
    direction: Direction,
    *,
    writes: int = 1,
    access: Access = DIRECT,
    rtol: float = 1e-4,
    atol: float = 0.0,
) -> ArrayRate:
    """Compute the write error rate averaged over an array of junctions that differ.

    Valid for log-normal spreads, small enough for ln WER to be smooth over one of them: up to
    about 10 % of I_c0.

    Parameters
    ----------
    mtj : MTJ
        The median junction.
    spread : Spread
        The spreads.
    pulse : Pulse
        The pulse, or a table of them.
    direction : {"P->AP", "AP->P"}
        The write.
    writes : int, optional
        With more than one: the share of devices that fail at least once in so many writes, up to
        one half [1].
    access : Access, optional
        Access device in series, the same for all.
    rtol, atol : float, optional
        Accepted error of the mean; a tenth of it for every device [1].

    Returns
    -------
    ArrayRate
        Means with errors and slopes, broadcast shape of the pulse.

    Raises
    ------
    ParameterError
        As `write_error_rate`; or if the correlations contradict each other.
    AccuracyError
        If the error estimate exceeds the tolerance.

    Notes
    -----
    mean = int W(y) phi(y) dy = phi-weighted Gauss-Hermite sum about the peak y* of W phi, where
    y* = grad ln W; the nodes lie on the line through the origin and y*.

    References
    ----------
    Golub and Welsch, Math. Comp. 23 (1969) 221, doi:10.1090/S0025-5718-69-99647-1; shifted and
    scaled nodes: Liu and Pierce, Biometrika 81 (1994) 624, doi:10.1093/biomet/81.3.624.

    Examples
    --------
    >>> from devicephys.mram.pulse import square
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> pulse = square("current", 60e-6, 10e-9)
    >>> one = mean_write_error_rate(mtj, Spread(0, 0), pulse, "P->AP")
    >>> many = mean_write_error_rate(mtj, Spread(0, 0.05), pulse, "P->AP")
    >>> f"{one.wer:.3e}, {many.wer:.3e} from {many.nodes} nodes"
    '8.601e-08, 3.892e-07 from 15 nodes'
    """
    writes = whole("writes", writes, least=1)
    root = factor(spread)

    def rate(y: Array) -> tuple[Array, Array]:
        found = _devices(mtj, pulse, direction, access, root, y, rtol / 10, atol / 10)
        if writes == 1:
            return found.wer, found.error
        kept = np.log1p(-np.minimum(found.wer, 1 - 1e-16))  # ln of one success
        return -np.expm1(writes * kept), writes * np.exp((writes - 1) * kept) * found.error

    if root.shape[1] == 0:
        wer, error = (x[0] for x in rate(np.zeros((1,) + (1,) * _dimensions(pulse) + (0,))))
        return ArrayRate(wer, error, np.zeros((*wer.shape, 4)), 0 * wer, 1)
    peak, width, used = _peak(lambda y: np.log(np.maximum(rate(y)[0], FLOOR)), pulse, root.shape[1])
    sums = [_sum(rate, root, peak, width, count) for count in (NODES, CHECK_NODES)]
    best, check = sums
    if writes > 1 and (best.wer > MOST_FAILING).any():
        raise AccuracyError(
            f"{best.wer.max():.3g} of the devices fail at least once in {writes} writes",
            expected=f"at most {MOST_FAILING:g}: the nodes lie where failures are rare",
            remedy="fewer writes or a stronger pulse",
        )
    best = replace(best, wer=np.minimum(best.wer, 1.0))
    error = np.abs(best.wer - check.wer) + best.error
    if (error > rtol * best.wer + atol).any():
        worst = float((error / np.maximum(best.wer, FLOOR)).max())
        raise AccuracyError(
            f"mean write error rate is uncertain by {worst:.1e}",
            expected=f"rtol = {rtol:g}, atol = {atol:g}",
            remedy="raise rtol or atol; the spread may be too wide",
        )
    return replace(best, error=error, nodes=used + best.nodes + check.nodes)


def wer_quantile(
    mtj: MTJ,
    spread: Spread,
    pulse: Pulse,
    direction: Direction,
    share: float,
    *,
    access: Access = DIRECT,
    rtol: float = 1e-4,
    atol: float = 1e-250,
) -> Array:
    """Compute the write error rate that a share of the devices does not exceed.

    Valid as `mean_write_error_rate`; exact where devices differ in one direction, else by the
    first-order reliability method: the surface of constant WER is taken as a plane where it is
    most probable.

    Parameters
    ----------
    mtj, spread, pulse, direction, access, rtol, atol
        As for `mean_write_error_rate` [SI].
    share : float
        Share of devices, in (0, 1) [1].

    Returns
    -------
    ndarray
        Quantile of WER, broadcast shape of the pulse [1].

    Raises
    ------
    ParameterError, AccuracyError
        As `mean_write_error_rate`.

    Notes
    -----
    With beta = Phi^-1(share) the quantile is WER at beta n, where n is the unit vector along the
    gradient of ln(-ln(1 - WER)) at that very point.

    References
    ----------
    Hasofer and Lind, J. Eng. Mech. Div. ASCE 100 (1974) 111, doi:10.1061/JMCEA3.0001848.

    Examples
    --------
    >>> from devicephys.mram.pulse import square
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> pulse = square("current", 60e-6, 10e-9)
    >>> f"{wer_quantile(mtj, Spread(0, 0.05), pulse, 'P->AP', 0.99):.2e}"
    '4.86e-06'
    """
    in_range("share", share, "1", above=0, below=1, scalar=True)
    root = factor(spread)
    beta, size = float(stats.norm.ppf(share)), root.shape[1]

    def hazard(y: Array) -> Array:  # ln(-ln(1 - WER)): steep everywhere, also where WER is near 1
        found = _devices(mtj, pulse, direction, access, root, y, rtol, atol).wer
        return np.asarray(np.log(-np.log1p(-np.clip(found, FLOOR, 1 - 1e-15))))

    at = np.zeros((1,) * _dimensions(pulse) + (size,))
    for _ in range(FORM_ROUNDS if size else 0):
        slope = _gradient(hazard, at)
        length = np.linalg.norm(slope, axis=-1, keepdims=True)
        at = beta * np.divide(slope, length, out=np.zeros_like(slope), where=length > 0)
    return np.asarray(_devices(mtj, pulse, direction, access, root, at[None], rtol, atol).wer[0])


def failure_counts(
    probability: ArrayLike, devices: int, level: float = 0.95
) -> tuple[Array, Array]:
    """Compute how many of many devices fail, as a central interval.

    Valid for devices drawn independently: whatever their spread, the number of failures in one
    write is binomial in the mean write error rate; in several writes, in the share that fails
    at least once (`writes` of `mean_write_error_rate`).

    Parameters
    ----------
    probability : array_like
        Mean failure probability, in [0, 1], any shape [1].
    devices : int
        Number of devices, >= 1 [1].
    level : float, optional
        Probability of the interval, in (0, 1) [1].

    Returns
    -------
    tuple of ndarray
        Lower and upper end, shape of `probability` each [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    Binomial in the mean rate: doi:10.1063/5.0196858.

    Examples
    --------
    >>> low, high = failure_counts(1e-6, 8_000_000)
    >>> float(low), float(high)
    (3.0, 14.0)
    """
    p = in_range("probability", probability, "1", above=0, below=1, inclusive=True)
    whole("devices", devices, least=1)
    in_range("level", level, "1", above=0, below=1)
    low, high = (stats.binom.ppf(q, devices, p) for q in ((1 - level) / 2, (1 + level) / 2))
    return np.asarray(low), np.asarray(high)


def _dimensions(pulse: Pulse) -> int:
    return max(np.ndim(x) for p in pulse.pieces for x in (p.duration, p.start, p.end))


def _scaled(stack: Stack, name: str, by: float) -> Stack:
    return replace(stack, **{name: float(getattr(stack, name) * by)})


def _devices(
    mtj: MTJ, pulse: Pulse, direction: Direction, access: Access, root: Array, y: Array,
    rtol: float, atol: float,
) -> WriteErrorRate:  # fmt: skip
    """Rates of devices at standard normal positions y, shape (devices, pulses..., directions)."""
    i_c0, delta, t_d, r_p = np.moveaxis(np.exp(y @ root.T), -1, 0)
    deviation = Deviation(i_c0, delta, t_d, r_p)
    return write_error_rate(
        mtj, pulse, direction, access=access, deviation=deviation, rtol=rtol, atol=atol
    )


def _gradient(log_rate: Callable[[Array], Array], at: Array) -> Array:
    """Gradient by central differences, all directions in one call; shape of the broadcast `at`."""
    size = at.shape[-1]
    steps = SLOPE_STEP * np.eye(size).reshape((size,) + (1,) * (at.ndim - 1) + (size,))
    f = log_rate(np.concatenate([at + steps, at - steps]))
    return np.moveaxis((f[:size] - f[size:]) / (2 * SLOPE_STEP), 0, -1)


def _peak(log_rate: Callable[[Array], Array], pulse: Pulse, size: int) -> tuple[Array, Array, int]:
    """Find where WER times the density of devices peaks, and the width along the way there.

    The peak lies where y = grad ln WER: the line is aimed along the gradient, first that at the
    median device, then that at the peak found; along it a parabola finds the peak.
    """
    used = 0
    shape = (1,) * _dimensions(pulse)
    line, at = np.ones((*shape, 1)), np.zeros(shape)
    peak = np.zeros((*shape, size))
    for _ in range(AIMS if size > 1 else 1):
        if size > 1:
            slope = _gradient(log_rate, peak)
            used += 2 * size
            slope = np.where(np.abs(slope).sum(axis=-1, keepdims=True) > 0, slope, 1.0)
            line = slope / np.linalg.norm(slope, axis=-1, keepdims=True)
            at = (peak * line).sum(axis=-1)
        for _ in range(ROUNDS):
            offsets = np.array([-REACH, 0.0, REACH]).reshape((3,) + (1,) * at.ndim)
            f = log_rate(line * (at + offsets)[..., None])
            used += 3
            slope, bend = (f[2] - f[0]) / (2 * REACH), (f[2] - 2 * f[1] + f[0]) / REACH**2
            bend = np.minimum(bend, MOST_BEND)
            found = (slope - bend * at) / (1 - bend)
            settled = np.abs(found - at) <= SETTLED
            at = found
            if settled.all():
                break
        peak = line * at[..., None]
    return peak, 1 / np.sqrt(1 - bend), used


def _sum(
    rate: Callable[[Array], tuple[Array, Array]], root: Array, peak: Array, width: Array, count: int
) -> ArrayRate:
    """Sum over nodes on the line through the peak, and three across it in each direction."""
    size = root.shape[1]
    length = np.linalg.norm(peak, axis=-1)
    line = np.where(
        length[..., None] > 0, peak / np.maximum(length, ZERO)[..., None], np.eye(size)[0]
    )
    x, weights = np.polynomial.hermite_e.hermegauss(count)
    column = (count,) + (1,) * length.ndim
    t = length + width * x.reshape(column)
    weight = (
        (weights / weights.sum()).reshape(column)
        * width
        * np.exp((x.reshape(column) ** 2 - t**2) / 2)
    )
    positions, shares = [t[..., None] * line], [weight * (1 - (size - 1) / 3)]
    frame = _across(line)
    for k in range(1, size):
        for sign in (-1, 1):
            positions.append(positions[0] + sign * np.sqrt(3) * frame[..., k])
            shares.append(weight / 6)
    y = np.concatenate(np.broadcast_arrays(*positions))
    share = np.concatenate(np.broadcast_arrays(*shares))
    wer, error = rate(y)
    part = share * wer
    mean = part.sum(axis=0)
    at = np.einsum("k...,k...d->...d", part, y) / np.maximum(mean, FLOOR)[..., None]
    second = (part * (y**2).sum(axis=-1)).sum(axis=0) / np.maximum(mean, FLOOR)
    # What three nodes in each direction leave out: products of directions, and sixth powers.
    main = (weight * wer[:count]).sum(axis=0)
    blocks = part[count:].reshape(size - 1, 2 * count, *mean.shape).sum(axis=1)
    each = np.abs(blocks / np.maximum(main, FLOOR) - 1 / 3)
    left = (each.sum(axis=0) ** 2 - (each**2).sum(axis=0)) / 2 + (each**3).sum(axis=0) / 10
    return ArrayRate(
        mean, np.abs(share * error).sum(axis=0) + left * main,
        at @ np.linalg.pinv(root), second - size, len(y),
    )  # fmt: skip


def _across(line: Array) -> Array:
    """Householder reflections whose first column is the line; shape (..., size, size)."""
    size = line.shape[-1]
    v = line - np.eye(size)[0]
    norm = np.maximum((v * v).sum(axis=-1), ZERO)[..., None, None]
    return np.asarray(np.eye(size) - 2 * v[..., :, None] * v[..., None, :] / norm)
