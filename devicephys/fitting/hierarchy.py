"""Population of devices from the estimates of each device and their covariances.

Estimate y_i of device i scatters about the device's own value with the known covariance S_i, and
that about the mean of the population with the covariance G: y_i ~ N(mean, S_i + G). G is found by
restricted maximum likelihood (REML), so that few devices do not make it too small.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize
from scipy import stats as scipy_stats

from devicephys.checks import Array
from devicephys.errors import DataError, FitError
from devicephys.stats import LEVEL, NORMAL_QUANTILE

VAST = 1e12  # times the smallest variance of a component: such a device does not tell it
RESAMPLES = 4000  # of the devices
HALVINGS = 60  # of an interval of variances: to the last digits
FLAT = 1e-4  # slope of the log likelihood, by units of the errors, that counts as none
FREE = 1e-9  # of a variance: less is a device that stands alone with what it tells
RANK = 1e-6  # of the errors' variance: less is no spread between devices


@dataclass(frozen=True)
class Hierarchy:
    """Normal population of devices, with errors; p components of n devices.

    Attributes
    ----------
    mean : ndarray
        Mean of the population, shape (p,) [unit of the estimates].
    mean_covariance : ndarray
        Covariance of the mean: variances from the scatter of the devices, or of their errors alone
        if that is more; correlations of the model; shape (p, p) [unit of the estimates squared].
    dof : ndarray
        Degrees of freedom of Student's t for each mean, 1 to n - 1, shape (p,) [1].
    mean_low, mean_high : ndarray
        Ends of the 95 % interval of each mean, shape (p,) [unit of the estimates].
    between : ndarray
        Covariance between devices, without that of the estimates; positive semidefinite, shape
        (p, p) [unit of the estimates squared].
    spread_low, spread_high : ndarray
        Ends of the 95 % interval of each standard deviation between devices, exact for each
        component alone, widened to hold the estimate of all together, shape (p,) [unit of the
        estimates].
    rank : int
        Directions, of p, in which devices are seen to differ: 0 where all could be equal [1].
    device_means : ndarray
        Values of the devices, drawn towards the mean by their errors, shape (n, p) [unit of the
        estimates].
    device_covariances : ndarray
        Covariance of their errors, shape (n, p, p) [unit of the estimates squared].
    """

    mean: Array
    mean_covariance: Array
    dof: Array
    mean_low: Array
    mean_high: Array
    between: Array
    spread_low: Array
    spread_high: Array
    rank: int
    device_means: Array
    device_covariances: Array

    @property
    def stderr(self) -> Array:
        """Standard errors of the means, shape (p,) [unit of the estimates]."""
        return np.asarray(np.sqrt(np.diag(self.mean_covariance)))

    @property
    def spread(self) -> Array:
        """Standard deviations between devices, shape (p,) [unit of the estimates]."""
        return np.asarray(np.sqrt(np.diag(self.between)))


def population(estimates: ArrayLike, covariances: ArrayLike) -> Hierarchy:
    """Find mean and spread of a population of devices from the estimates of each.

    Valid for normal errors of known covariance and devices that differ by a normal law: take
    logarithms of positive parameters. A component that a device does not tell has the variance
    `inf` (or more than 1e12 times the smallest of that component); its estimate is then ignored.

    Parameters
    ----------
    estimates : array_like
        Estimates of each device, shape (n, p), n >= 2 [any unit].
    covariances : array_like
        Covariance of the estimates of each device, positive definite, shape (n, p, p) [unit of
        the estimates squared].

    Returns
    -------
    Hierarchy
        The population.

    Raises
    ------
    DataError
        If shapes do not fit, a number is not finite, a covariance is not positive definite, or
        fewer than two devices tell a component.
    FitError
        If the search for `between` fails.

    Notes
    -----
    Intervals of a mean: Student's t with the variance seen in the weighed differences of the
    devices from it, each made unbiased under the model, and Satterthwaite's degrees of freedom
    (Bell and McCaffrey); never narrower than the errors of the estimates alone allow. Kenward and
    Roger's holds 99 % and more where devices hardly differ. Intervals of a spread: the values at
    which the sum of squares weighed by 1/(S + G) is an unsuspicious chi-square (Q profile). Errors
    of device values include those of mean and `between` (Prasad and Rao).

    References
    ----------
    REML: Patterson and Thompson, Biometrika 58 (1971) 545, doi:10.1093/biomet/58.3.545. Variance
    and dof: Pustejovsky and Tipton, J. Bus. Econ. Stat. 36 (2018) 672,
    doi:10.1080/07350015.2016.1247004. Spread: Viechtbauer, Stat. Med. 26 (2007) 37,
    doi:10.1002/sim.2514. Devices: Prasad and Rao, J. Am. Stat. Assoc. 85 (1990) 163,
    doi:10.1080/01621459.1990.10475320.

    Examples
    --------
    >>> y = [[1.0, 0.2], [2.0, 0.1], [3.0, 0.3], [2.0, 0.2]]
    >>> found = population(y, [np.diag([0.01, 0.01])] * 4)
    >>> found.mean.round(2).tolist(), found.spread.round(2).tolist(), found.rank
    ([2.0, 0.2], [0.81, 0.04], 1)
    >>> found.mean_low.round(2).tolist(), found.spread_high.round(2).tolist()
    ([0.7, 0.07], [3.04, 0.29])
    """
    y, s, told = _checked(estimates, covariances)
    tau, error = _moments(y, s, told)
    scale = np.sqrt(tau + error)  # components of any unit
    y, s = y / scale, s / np.outer(scale, scale)
    root, h = _search(y, s, told, tau / scale**2)
    back = scale[:, None] * root  # from whitened coordinates
    model = _Model(y, s, told, root, h)
    variance, dof = _robust(model)
    least = np.diag(np.linalg.inv(_Model(y, s, told, root, 0 * h).precision))  # G = 0
    mean, phi = scale * model.mean, back @ model.phi @ back.T
    half = scale * np.maximum(
        scipy_stats.t.ppf(0.5 + LEVEL / 2, dof) * np.sqrt(variance),
        NORMAL_QUANTILE * np.sqrt(least),
    )
    wider = scale * np.sqrt(np.maximum(variance, least) / np.diag(phi))
    spread_low, spread_high = _q_profile(y, s, told)
    spread = np.sqrt(np.diag(back @ h @ h.T @ back.T))
    values, errors = _devices(model)
    return Hierarchy(
        mean=mean, mean_covariance=phi * np.outer(wider, wider), dof=dof,
        mean_low=mean - half, mean_high=mean + half,
        between=back @ h @ h.T @ back.T,
        spread_low=np.minimum(scale * spread_low, spread),
        spread_high=np.maximum(scale * spread_high, spread),
        rank=int((np.linalg.eigvalsh(h @ h.T) > RANK).sum()),
        device_means=mean + values @ back.T, device_covariances=back @ errors @ back.T,
    )  # fmt: skip


def resampled(
    estimates: ArrayLike, covariances: ArrayLike, between: Array, rng: np.random.Generator
) -> Array:
    """Bound the means by drawing devices with replacement: a check that needs no normal law.

    Percentiles expanded for the small number of devices, so that they give Student's interval
    where the devices are a normal sample; valid for five devices or more.

    Parameters
    ----------
    estimates : array_like
        Estimates of each device, shape (n, p) [any unit].
    covariances : array_like
        Their covariances, shape (n, p, p) [unit of the estimates squared].
    between : ndarray
        Covariance between devices, for the weights, shape (p, p) [unit of the estimates squared].
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    ndarray
        Low and high ends of the 95 % intervals, shape (2, p) [unit of the estimates].

    References
    ----------
    Hesterberg, Am. Stat. 69 (2015) 371, doi:10.1080/00031305.2015.1089789.

    Examples
    --------
    >>> y, s = [[1.0], [2.0], [3.0], [2.0], [2.0]], [[[0.01]]] * 5
    >>> resampled(y, s, np.array([[0.5]]), np.random.default_rng(1)).round(1).T.tolist()
    [[1.2, 2.8]]
    """
    y = np.asarray(estimates, np.float64)
    n = len(y)
    weights = np.linalg.inv(np.asarray(covariances) + between)
    times = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    pulled = np.einsum("bd,dij,dj->bi", times, weights, y, optimize=True)
    means = np.linalg.solve(np.einsum("bd,dij->bij", times, weights), pulled[..., None])[..., 0]
    quantile = np.sqrt(n / (n - 1)) * scipy_stats.t.ppf(0.5 + LEVEL / 2, n - 1)
    level = scipy_stats.norm.cdf(-quantile)
    return np.asarray(np.quantile(means, [level, 1 - level], axis=0))


def _checked(
    estimates: ArrayLike, covariances: ArrayLike
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Estimates, covariances and which components each device tells; the rest is set to 0."""
    y, s = np.array(estimates, np.float64), np.array(covariances, np.float64)
    if y.ndim != 2 or s.shape != (*y.shape, y.shape[1]) or not y.shape[1]:
        raise DataError(
            f"estimates {y.shape}, covariances {s.shape}", expected="shapes (n, p), (n, p, p)"
        )
    variance = np.einsum("ijj->ij", s)
    bad = np.isnan(variance) | (variance <= 0)
    if bad.any():
        device, component = np.argwhere(bad)[0]
        raise DataError(
            f"device {device}, component {component}: variance {variance[device, component]:g}",
            expected="a number > 0, or inf where the device does not tell the component",
        )
    told = variance < VAST * variance.min(axis=0)
    few = np.flatnonzero(told.sum(axis=0) < 2)
    if few.size:
        raise DataError(
            f"component {few[0]} is told by {told[:, few[0]].sum()} of {len(y)} devices",
            expected="two at least", remedy="measure more devices",
        )  # fmt: skip
    both = told[:, :, None] & told[:, None, :]
    y[~told], s[~both] = 0.0, 0.0
    for k in np.flatnonzero(~(np.isfinite(y).all(axis=1) & np.isfinite(s).all(axis=(1, 2)))):
        raise DataError(f"device {k}: an estimate or covariance is not finite",
                        expected="numbers; a variance of inf for what is not known")  # fmt: skip
    unit = np.sqrt(np.einsum("ijj->ij", np.where(told[:, :, None], s, np.eye(y.shape[1]))))
    unit[~told] = 1.0
    correlation = s / (unit[:, :, None] * unit[:, None, :])
    np.einsum("ijj->ij", correlation)[~told] = 1.0
    least = np.linalg.eigvalsh((correlation + correlation.transpose(0, 2, 1)) / 2)[:, 0]
    skew = abs(correlation - correlation.transpose(0, 2, 1)).max(axis=(1, 2))
    for k in np.flatnonzero((least < 1e-12) | (skew > 1e-6)):
        raise DataError(
            f"device {k}: least eigenvalue of the correlations {least[k]:.2g}",
            expected="a symmetric, positive definite covariance",
            remedy="fix a parameter that these data do not tell",
        )
    return y, (s + s.transpose(0, 2, 1)) / 2, told


def _moments(y: Array, s: Array, told: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Variance between devices of each component alone (Paule and Mandel), and of the errors."""
    n = told.sum(axis=0)
    tau = _solve_q(y, s, told, n - 1.0)
    variance = np.where(told, np.einsum("ijj->ij", s), np.inf)
    return tau, n / (1 / variance).sum(axis=0)


def _q_profile(y: Array, s: Array, told: NDArray[np.bool_]) -> tuple[Array, Array]:
    dof = told.sum(axis=0) - 1
    low, high = scipy_stats.chi2.ppf([[0.5 + LEVEL / 2], [0.5 - LEVEL / 2]], dof)
    return np.sqrt(_solve_q(y, s, told, low)), np.sqrt(_solve_q(y, s, told, high))


def _solve_q(y: Array, s: Array, told: NDArray[np.bool_], target: Array) -> Array:
    """Solve sum of squares/(S + x) = target for x >= 0 by component; 0 where it is less at 0."""
    variance = np.einsum("ijj->ij", s)

    def q(x: Array) -> Array:
        w = np.where(told, 1 / np.where(told, variance + x, 1.0), 0.0)
        off = y - (w * y).sum(axis=0) / w.sum(axis=0)
        return np.asarray((w * off**2).sum(axis=0))

    centre = (y * told).sum(axis=0) / told.sum(axis=0)
    high = (told * (y - centre) ** 2).sum(axis=0) / target + 1e-300
    low = high * 1e-24
    for _ in range(HALVINGS):  # in ln x
        middle = np.sqrt(low * high)
        above = q(middle) > target
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(q(np.zeros(len(high))) > target, np.sqrt(low * high), 0.0)


class _Model:
    """Everything of one G in whitened coordinates: y = root z, G = root h h' root'."""

    def __init__(self, y: Array, s: Array, told: NDArray[np.bool_], root: Array, h: Array) -> None:
        p = y.shape[1]
        both = told[:, :, None] & told[:, None, :]
        g = root @ h
        v = np.where(both, s + g @ g.T, np.eye(p))  # 1 where a component is not told
        self.log_det = np.linalg.slogdet(v)[1].sum()
        self.v, self.told = v, told
        w = np.linalg.inv(v) * both  # weights
        self.precision = w.sum(axis=0)
        self.mean = np.linalg.solve(self.precision, np.einsum("ijk,ik->j", w, y))
        self.u = root.T @ w @ root
        self.off = y - self.mean
        self.pull = np.einsum("ijk,ik->ij", root.T @ w, self.off)
        self.square = np.einsum("ij,ijk,ik->", self.off, w, self.off)
        self.phi = np.linalg.inv(self.u.sum(axis=0))  # covariance of the mean
        self.h = h

    @property
    def cost(self) -> float:
        """Minus the restricted log likelihood, but for a constant."""
        whole = np.linalg.slogdet(self.precision)[1]
        return float(self.log_det + whole + self.square) / 2

    @property
    def slope(self) -> Array:
        """Its derivative by G."""
        outer = np.einsum("ij,ik->jk", self.pull, self.pull)
        own = np.einsum("ijk,kl,ilm->jm", self.u, self.phi, self.u)
        return np.asarray(self.u.sum(axis=0) - own - outer) / 2


def _search(y: Array, s: Array, told: NDArray[np.bool_], tau: Array) -> tuple[Array, Array]:
    """Root of typical variances and h, so that G = root h h' root' is most likely."""
    p = y.shape[1]
    start = np.diag(tau + 0.05)  # of variances that are about 1
    weight = _Model(y, s, told, np.eye(p), np.sqrt(start)).u.mean(axis=0)
    root = np.linalg.cholesky(np.linalg.inv(weight))
    rows = np.tril_indices(p)

    def cost(x: Array) -> tuple[float, Array]:
        h = np.zeros((p, p))
        h[rows] = x
        model = _Model(y, s, told, root, h)
        return model.cost, 2 * (model.slope @ h)[rows]

    inverse = np.linalg.inv(root)
    first = np.linalg.cholesky(inverse @ start @ inverse.T)[rows]
    found = optimize.minimize(cost, first, jac=True, method="BFGS", options={"gtol": 1e-6})
    h = np.zeros((p, p))
    h[rows] = found.x
    uphill = np.linalg.eigvalsh(_Model(y, s, told, root, h).slope)[0] > -FLAT * len(y)
    if not (abs(found.jac).max() < FLAT * len(y) and uphill):
        raise FitError(
            f"no maximum of the likelihood of {len(y)} devices ({found.message})",
            remedy="look for a device far from the others, or whose covariance is wrong",
        )
    return root, h


def _robust(model: _Model) -> tuple[Array, Array]:
    """Variance of each mean from the scatter of the devices about it, and its dof."""
    telling = np.einsum("ij,jk->ijk", model.told, np.eye(len(model.mean)))
    x = np.linalg.solve(np.linalg.cholesky(model.v), telling)  # the design, its errors made white
    phi = np.linalg.inv(model.precision)
    share = x @ phi @ x.transpose(0, 2, 1)
    e = np.einsum("ijk,ik->ij", x, model.off)
    value, vector = np.linalg.eigh(telling - share)  # covariance of e
    free = value > FREE
    unit = (vector * np.where(free, 1 / np.sqrt(np.where(free, value, 1.0)), 0.0)[:, None]) @ (
        vector.transpose(0, 2, 1)
    )
    line = unit @ x @ phi  # shape (n, p, component)
    variance = (np.einsum("ijc,ij->ic", line, e) ** 2).sum(axis=0)
    within = np.einsum("ijc,ijk,ikc->ic", line, telling, line)
    lean = x.transpose(0, 2, 1) @ line
    matrix = -np.einsum("ijc,jk,mkc->cim", lean, phi, lean)  # covariance of the devices' parts
    np.einsum("cii->ci", matrix)[:] += within.T
    trace = np.einsum("cii->c", matrix)
    return variance, trace**2 / (matrix**2).sum(axis=(1, 2))


def _information(u: Array, phi: Array) -> tuple[Array, Array]:
    """Basis of symmetric matrices, shape (k, p, p), and covariance of G in it, shape (k, k)."""
    rows, columns = np.tril_indices(len(phi))
    k = np.arange(len(rows))
    basis = np.zeros((len(rows), *phi.shape))
    basis[k, rows, columns] = basis[k, columns, rows] = 1.0
    ue = u[:, None] @ basis
    m = (ue @ u[:, None]).sum(axis=0)
    less = ue - 2 * ue @ (u @ phi)[:, None]
    expected = np.einsum("iajk,ibkj->ab", less, ue) + np.einsum("ajk,bkj->ab", phi @ m, phi @ m)
    return basis, np.linalg.pinv(expected / 2, rcond=1e-10, hermitian=True)


def _folded(u: Array, basis: Array, inverse: Array) -> Array:
    """Sum of E_a U E_b cov(a, b) over the entries of G, shape (n, p, p)."""
    return np.asarray((basis @ u[:, None] @ np.tensordot(inverse, basis, 1)).sum(axis=1))


def _devices(model: _Model) -> tuple[Array, Array]:
    """Differences of the devices from the mean and covariances of their errors, whitened."""
    g = model.h @ model.h.T
    rest = np.eye(len(g)) - g @ model.u
    basis, inverse = _information(model.u, model.phi)
    unsure = model.phi + 2 * _folded(model.u, basis, inverse)
    errors = rest @ g + rest @ unsure @ rest.transpose(0, 2, 1)
    return model.pull @ g, (errors + errors.transpose(0, 2, 1)) / 2
