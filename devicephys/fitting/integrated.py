"""Write-error counts of many devices, few points each: the likelihood integrated over the devices.

A device has ln Delta = mean + sigma_delta z_1 and, in every direction, ln I_c0 = mean + sigma_i_c0
z_2 with z_1, z_2 normal; t_D is common. The likelihood of the population is the product over
devices of

    L_i = int exp(-D_i(z)/2 - z^2/2) dz/(2 pi),

D_i the binomial deviance. Each integral is a Gauss-Hermite sum, shifted and scaled to where the
integrand of that device lies. Nothing is fitted to one device, so that a device may have a single
point, or no error at all. The means are integrated out as well, to first order, so that few devices
do not make spreads too small: restricted likelihood. Where every device can be fitted alone,
`hierarchy.population` says the same (a test).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy import stats as scipy_stats

from devicephys.checks import Array
from devicephys.errors import FitError
from devicephys.fitting.counts import Counts, LogWer, block, complement, joined
from devicephys.fitting.intervals import profile
from devicephys.fitting.problem import Found, Unknown, central_slopes, coordinate, solve
from devicephys.stats import CHI_SQUARE, LEVEL, deviance_residuals

DRAWS = 199  # of data sets, for the goodness of the fit
NODES = 5  # a dimension: the integrands are nearly normal after the shift
NEWTON = 4  # steps to the middle of an integrand, at most
SETTLED = 1e-4  # of z: such a step was the last
EXACT = 1e-10  # of the deviance, relative
REACH = 0.7  # of logarithms, from the fit of all devices as one
FLAT = 1e-3  # slope of the deviance by standard errors at which a search ends
FAR = 8.0  # z: beyond it lies no device
SLOPE = 1e-3  # of z, of central differences
STEP = 0.01  # of a standard error, the same for the population
SPREADS = (1e-4, 0.5)  # bounds of sigma
FIRST_SPREAD, SPREAD_SCALE = 0.02, 0.3  # where the search starts, and how far it steps
EFFECTS = ("sigma_delta", "sigma_i_c0")
INFORMATION, WIDEST = 0.3, 0.1  # standard errors, logarithms at most: of the second differences
STILL = np.zeros(3)
EDGE = 1e-3  # of a logarithm: counts as at the end of the search


@dataclass(frozen=True)
class Integrated:
    """Population of devices from the integrated likelihood.

    Attributes
    ----------
    names : tuple of str
        delta, critical drives, t_d, then `EFFECTS`.
    theta : ndarray
        Logarithms of the estimates, in that order, shape (p,) [1].
    covariance : ndarray
        Covariance of the means, from the curvature of the likelihood, shape (p - 2, p - 2) [1].
    low, high : ndarray
        Ends of 95 % intervals of `theta`; -inf where a spread is not seen, shape (p,) [1].
    deviance : float
        -2 ln of the restricted likelihood, up to a constant of the data [1].
    effects : ndarray
        z of each device where its integrand is largest, shape (devices, 2) [1].
    effect_covariances : ndarray
        Covariance of the errors of `effects`, shape (devices, 2, 2) [1].
    residuals : ndarray
        Deviance residuals of all points at `effects`, shape (points,) [1].
    drawn : ndarray
        Their sums of squares in data drawn from the population, shape (draws,) [1].
    """

    names: tuple[str, ...]
    theta: Array
    covariance: Array
    low: Array
    high: Array
    deviance: float
    effects: Array
    effect_covariances: Array
    residuals: Array
    drawn: Array


def fit(
    devices: Sequence[Counts], unknowns: Sequence[Unknown], chart: LogWer, rng: np.random.Generator
) -> Integrated:
    """Find the population of largest restricted likelihood.

    Valid for devices that differ by log-normal Delta and I_c0 (one factor in all directions), taken
    as uncorrelated, and share t_D.

    Parameters
    ----------
    devices : sequence of Counts
        The devices, two at least.
    unknowns : sequence of Unknown
        delta, critical drives, t_d, with starts and bounds.
    chart : callable
        ln WER of ln i, ln tau, ln Delta: `chart.growing`.
    rng : numpy.random.Generator
        Source of the drawn data.

    Returns
    -------
    Integrated
        The population.

    Raises
    ------
    FitError
        If there are fewer points than parameters, every pulse of a direction worked or failed, or
        no maximum is found.

    Notes
    -----
    With the integrals L_i of the devices, what is minimised is -2 sum ln L_i + ln det J, where J =
    sum X'(1 + A A')^-1 X is the information about the means, X and A being the slopes of a
    device's residuals in the means and in its z: Laplace's integral over the means. Intervals of
    spreads are its profile, to a rise of the 95 % point of F_{1, n-1}, those of means Student's of
    n - 1 degrees of freedom. Coverage, measured with the closed form as the model for Delta = 50,
    spreads of 3 % and 1 %, 8 devices of 4 random points with 1e4, 1e5 and 1e6 trials (100 to 200
    data sets each): both spreads 98 to 99 % (5 devices: 60 of 60), means 91 to 98 %. A rise of
    3.84 would hold 94 to 97 %, but only 89 % for I_c0 at 1e4 trials, where most points are all
    errors or none.

    References
    ----------
    Integrals: Pinheiro and Bates, J. Comput. Graph. Stat. 4 (1995) 12,
    doi:10.1080/10618600.1995.10474663. Restricted likelihood as an integral over the means:
    Harville, Biometrika 61 (1974) 383, doi:10.1093/biomet/61.2.383.

    Examples
    --------
    See `wer.fit`, which takes it where a device cannot be fitted alone.
    """
    every = joined(devices)
    index = np.repeat(np.arange(len(devices)), [len(d.k) for d in devices])
    names = (*(u.name for u in unknowns), *EFFECTS)
    _enough(every, len(devices), names)
    integral = _Integral(every, index, len(devices), [u.name for u in unknowns], chart)
    pooled = solve(unknowns, [block("all devices", every, chart)])
    search = _search(integral, pooled, unknowns)
    deviance, theta = search(None, 0.0, search.start)
    means = slice(0, len(unknowns))
    ended = (theta - search.low < EDGE) | (search.high - theta < EDGE)
    information = _curvature(integral, theta, len(unknowns))
    if ended[means].any() or np.linalg.eigvalsh(information)[0] <= 0:
        far = ", ".join(np.array(names)[means][ended[means]].tolist())
        raise FitError(
            f"no maximum of the likelihood of {len(devices)} devices together"
            + f": {far} goes far from the fit of all as one" * bool(far),
            remedy="measure more widths and drives, so that the points together fix delta and t_d, "
            "or leave out devices that differ from all others",
        )
    covariance = np.asarray(np.linalg.inv(information), np.float64)
    student = float(scipy_stats.t.ppf(0.5 + LEVEL / 2, len(devices) - 1))
    half = student * np.sqrt(np.diag(covariance))
    effects, curvature = integral.middles(theta)
    scale = search.scale.copy()
    scale[means, means] = np.linalg.cholesky(covariance)
    walk = replace(search, scale=scale)
    share = CHI_SQUARE / student**2  # a rise that F_{1, n-1} allows counts as one of chi-square

    def refit(k: int, x: float, start: Array) -> tuple[float, Array]:
        value, others = walk(k, x, start)
        return share * value, others

    spreads = [
        profile(refit, theta, SPREAD_SCALE**2 * np.eye(len(theta)), share * deviance, k,
                (search.low[k], search.high[k]))
        for k in range(len(unknowns), len(theta))
    ]  # fmt: skip
    return Integrated(
        names=names,
        theta=theta,
        covariance=covariance,
        low=np.array([*(theta[means] - half), *(p.low for p in spreads)]),
        high=np.array([*(theta[means] + half), *(p.high for p in spreads)]),
        deviance=deviance, effects=effects,
        effect_covariances=np.asarray(np.linalg.inv(curvature), np.float64),
        residuals=integral.residuals(theta, effects), drawn=integral.drawn(theta, rng),
    )  # fmt: skip


@dataclass(frozen=True)
class _Search:
    """Minimiser of the restricted deviance in coordinates that make it about round."""

    integral: "_Integral"
    start: Array
    scale: Array
    low: Array
    high: Array

    def __call__(self, k: int | None, x: float, start: Array) -> tuple[float, Array]:
        """Deviance and parameters, the k-th held at x (none if None)."""
        free = np.arange(len(start)) != (-1 if k is None else k)
        begin = np.where(free, start, x)

        def theta_at(y: Array) -> Array:
            moved = begin + self.scale[:, free] @ y
            return np.where(free, np.clip(moved, self.low, self.high), x)

        def cost(y: Array) -> float:
            return self.integral.restricted(theta_at(y))

        def slope(y: Array) -> Array:
            slopes = central_slopes(lambda v: np.array([cost(v)]), y, np.full(len(y), STEP))
            return np.asarray(slopes[0])

        # The likelihood is flat beyond the ends of a spread: a step must not go there.
        ends = np.array([self.low - begin, self.high - begin]) / np.diag(self.scale)
        ends[:, : -len(EFFECTS)] = [[-np.inf], [np.inf]]
        found = optimize.minimize(
            cost, np.zeros(free.sum()), jac=slope, method="L-BFGS-B",
            bounds=list(zip(*ends[:, free], strict=True)), options={"gtol": FLAT, "ftol": EXACT},
        )  # fmt: skip
        return float(found.fun), theta_at(np.asarray(found.x))


def _search(integral: "_Integral", pooled: Found, unknowns: Sequence[Unknown]) -> _Search:
    """Start where all devices as one point, with steps of their errors."""
    start = np.array([*(coordinate(u, pooled.values[u.name]) for u in unknowns),
                      *np.log([FIRST_SPREAD] * 2)])  # fmt: skip
    scale = SPREAD_SCALE * np.eye(len(start))
    misfit = max(pooled.deviance / max(pooled.dof, 1), 1.0)
    scale[:-2, :-2] = np.linalg.cholesky(misfit * pooled.covariance)
    ends = [*((u.low, u.high) for u in unknowns), SPREADS, SPREADS]
    low, high = np.log(ends).T
    low[:-2], high[:-2] = np.maximum(low, start - REACH)[:-2], np.minimum(high, start + REACH)[:-2]
    return _Search(integral, start, scale, low, high)


def _enough(every: Counts, n_devices: int, names: Sequence[str]) -> None:
    if n_devices < 2 or len(every.k) < len(names):
        raise FitError(
            f"{n_devices} devices with {len(every.k)} points for {', '.join(names)}",
            expected=f"two devices, {len(names)} points", remedy="measure more points",
        )  # fmt: skip


class _Integral:
    """-2 ln of the integrated likelihood; remembers where the integrands lie."""

    def __init__(
        self, counts: Counts, index: NDArray[np.intp], n: int, names: Sequence[str], chart: LogWer
    ) -> None:
        self.counts, self.index, self.n, self.names, self.chart = counts, index, n, names, chart
        self.first = np.flatnonzero(np.diff(index, prepend=-1))  # point of each device
        self.effects = np.zeros((n, 2))
        x, w = np.polynomial.hermite_e.hermegauss(NODES)
        self.nodes = np.array(list(itertools.product(x, x)))
        self.weights = np.outer(w, w).ravel() / (2 * np.pi)

    def log_p(self, theta: Array, z: Array, moved: Array = STILL) -> Array:
        """ln WER of all points, shape (..., points); z of shape (..., devices, 2).

        `moved` is added to ln I, ln t and ln Delta, shape (3, ...).
        """
        c, k = self.counts, dict(zip(self.names, theta, strict=False))
        delta, drive = np.exp(theta[-2:])
        of_point = z[..., self.index, :]
        critical = np.array([k[name] for name in c.critical])[c.index]
        shape = of_point.shape[:-1]
        log_p = self.chart(
            (moved[0] + c.log_drive - critical - drive * of_point[..., 1]).ravel(),
            np.broadcast_to(moved[1] + c.log_width - k["t_d"], shape).ravel(),
            (moved[2] + c.log_delta + k["delta"] + delta * of_point[..., 0]).ravel(),
        )
        return np.asarray(log_p.reshape(shape))

    def residuals(self, theta: Array, z: Array, moved: Array = STILL) -> Array:
        """Deviance residuals of all points, shape (..., points)."""
        log_p = self.log_p(theta, z, moved)
        return deviance_residuals(self.counts.k, self.counts.n, log_p, complement(log_p))

    def by_device(self, x: Array) -> Array:
        """Sum over the points of each device, shape (..., devices)."""
        return np.asarray(np.add.reduceat(x, self.first, axis=-1))

    def middles(self, theta: Array) -> tuple[Array, Array]:
        """Where the integrands are largest, and their curvatures: Gauss and Newton's steps."""
        z = self.effects
        for _ in range(NEWTON):
            moved = np.stack([z, *(z + s * e for e in np.eye(2) for s in (SLOPE, -SLOPE))])
            r = self.residuals(theta, moved)
            slope = np.stack([r[1] - r[2], r[3] - r[4]]) / (2 * SLOPE)
            pull = self.by_device(slope * r[0]).T + z
            square = self.by_device(np.stack([slope[0] ** 2, slope[0] * slope[1], slope[1] ** 2]))
            curvature = square[[0, 1, 1, 2]].T.reshape(-1, 2, 2) + np.eye(2)
            step = np.linalg.solve(curvature, pull[..., None])[..., 0]
            z = np.clip(z - step, -FAR, FAR)
            if np.abs(step).max() < SETTLED:
                break
        self.effects = z
        return z, curvature

    def drawn(self, theta: Array, rng: np.random.Generator) -> Array:
        """Sums of squared residuals of data drawn from the population, devices refitted."""
        sums = []
        for _ in range(DRAWS):
            z = rng.standard_normal((self.n, 2))
            p = np.exp(self.log_p(theta, z))
            k = rng.binomial(self.counts.n.astype(np.int64), p).astype(np.float64)
            again = _Integral(replace(self.counts, k=k), self.index, self.n, self.names, self.chart)
            sums.append((again.residuals(theta, again.middles(theta)[0]) ** 2).sum())
        return np.array(sums)

    def information(self, theta: Array, z: Array) -> Array:
        """Information about the means, devices being about z, to first order, shape (p, p)."""
        moves = SLOPE * np.eye(3)[:, :, None, None] * np.array([1.0, -1.0])[:, None]
        r = self.residuals(theta, np.broadcast_to(z, (3, 2, *z.shape)), moves)
        by_i, by_t, by_delta = (r[:, 0] - r[:, 1]) / (2 * SLOPE)
        delta, drive = np.exp(theta[-2:])
        rows = [delta * by_delta, -drive * by_i]  # of z, then of the means
        for name in self.names:
            mine = np.array([c == name for c in self.counts.critical])[self.counts.index]
            rows.append(by_delta if name == "delta" else -by_t if name == "t_d" else -by_i * mine)
        square = self.by_device(np.array(rows)[:, None] * rows).transpose(2, 0, 1)
        of_z, mixed = square[:, :2, :2] + np.eye(2), square[:, :2, 2:]
        known = square[:, 2:, 2:] - mixed.transpose(0, 2, 1) @ np.linalg.solve(of_z, mixed)
        return np.asarray(known.sum(axis=0))

    def restricted(self, theta: Array) -> float:
        """-2 ln of the likelihood with the means integrated out as well, to first order."""
        deviance = self.deviance(theta)  # finds the middles
        return deviance + float(np.linalg.slogdet(self.information(theta, self.effects))[1])

    def deviance(self, theta: Array) -> float:
        z, curvature = self.middles(theta)
        root = np.linalg.cholesky(np.linalg.inv(curvature))
        at = z + np.einsum("dij,qj->qdi", root, self.nodes)
        exponent = (
            self.by_device(self.residuals(theta, at) ** 2)
            + (at**2).sum(axis=-1) - (self.nodes**2).sum(axis=-1)[:, None]
        )  # fmt: skip
        least = exponent.min(axis=0)
        sums = self.weights @ np.exp(-0.5 * (exponent - least))
        log_det = np.log(np.linalg.det(root))
        return float((least - 2 * np.log(sums) - 2 * log_det).sum())


def _curvature(integral: _Integral, theta: Array, n: int) -> Array:
    """Observed information of the n means: half the second derivative of the deviance."""
    axes = np.eye(len(theta))[:n]
    steps = np.full(n, SLOPE)
    base = integral.deviance(theta)

    def at(*moves: Array) -> float:
        return integral.deviance(theta + sum(moves, np.zeros(len(theta))))

    for _ in range(2):  # steps of a share of the error, which the first round finds
        moves = steps[:, None] * axes
        second = np.array([at(m) + at(-m) - 2 * base for m in moves]) / steps**2
        if (second <= 0).any():
            return np.diag(second)  # no maximum: the caller says so
        steps = np.minimum(INFORMATION / np.sqrt(second / 2), WIDEST)
    moves = steps[:, None] * axes
    matrix = np.diag([at(m) + at(-m) - 2 * base for m in moves])
    for a, b in itertools.combinations(range(n), 2):
        mixed = at(moves[a], moves[b]) + at(-moves[a], -moves[b])
        mixed -= at(moves[a], -moves[b]) + at(-moves[a], moves[b])
        matrix[a, b] = matrix[b, a] = mixed / 4
    return np.asarray(matrix / np.outer(steps, steps) / 2)
