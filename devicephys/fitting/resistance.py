"""Law of ln R of a state by maximum likelihood: normal levels, samples out of range included.

A sample beyond a compliance or a range is no number but a bound ("above", "below"), and counts as
the probability of lying there. One level is the log-normal state; two or three describe tails and
states that are two.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize
from scipy import stats as scipy_stats

from devicephys.checks import Array, whole
from devicephys.errors import DataError, FitError
from devicephys.fitting.censored_em import Group, binned, em, log_levels, shared, starts
from devicephys.rram.mixture import Mixture
from devicephys.stats import LEVEL

CENSORED = ("exact", "above", "below")
MOST = 3  # levels
FEWEST = 3  # samples with a value, for each level
THIN = 5.0  # samples: a level on fewer is no level
SPIKE = 0.02  # of the whole spread: a narrower level is a tie or rounding
BINS = 256  # of ln R, where searches start
STEPS = 200  # of EM on bins
FIRST_STEPS = 20  # of EM with bounds and one level
MOST_STEPS = 30  # of Newton's
UNTOLD = 3.0  # standard error of a mean, in spreads of all, and of a logarithm: no estimate
REMEDY = "take fewer levels, measure more, or in a wider range"
FLAT = 1e-6  # slope of the mean log likelihood that counts as none


@dataclass(frozen=True)
class Samples:
    """Resistances of one state as a fit sees them.

    Attributes
    ----------
    x : ndarray
        ln(R/Ohm), or of the limit where a sample is beyond it, shape (n,) [1].
    kind : ndarray of int
        0 for a value, +1 above the limit, -1 below it, shape (n,) [1].
    device : ndarray of int
        Device of each sample, 0 to n_devices - 1, shape (n,) [1].
    n_devices : int
        Number of devices; n where samples are independent [1].
    """

    x: Array
    kind: NDArray[np.int8]
    device: NDArray[np.intp]
    n_devices: int

    @property
    def clustered(self) -> bool:
        """Whether devices have several samples, which then resemble each other."""
        return 1 < self.n_devices < len(self.x)


@dataclass(frozen=True)
class StateLaw:
    """Law of ln R with what is known about it; levels by rising mean.

    Attributes
    ----------
    mixture : Mixture
        The levels, as `rram.threshold` and `rram.tails` take them.
    x_stderr, x_low, x_high : ndarray
        Standard error and 95 % interval of each level's mean of ln R, shape (k,) [1].
    sigma_stderr, sigma_low, sigma_high : ndarray
        The same of its standard deviation, shape (k,) [1].
    weight_low, weight_high : ndarray
        95 % interval of its share, shape (k,) [1].
    covariance : ndarray
        Covariance of (means, ln of the standard deviations, ln of shares over the last one),
        shape (3k - 1, 3k - 1) [1].
    log_likelihood, bic : float
        Log likelihood, and Bayesian information criterion: lower is better [1].
    n, n_above, n_below, n_devices : int
        Samples, those above and below a limit, devices [1].
    flaw : str
        Why this is no law to use, or empty.
    """

    mixture: Mixture
    x_stderr: Array
    x_low: Array
    x_high: Array
    sigma_stderr: Array
    sigma_low: Array
    sigma_high: Array
    weight_low: Array
    weight_high: Array
    covariance: Array
    log_likelihood: float
    bic: float
    n: int
    n_above: int
    n_below: int
    n_devices: int
    flaw: str


def samples(
    resistance: ArrayLike, censored: ArrayLike | None = None, device: ArrayLike | None = None
) -> Samples:
    """Check resistances of one state and put them in order for a fit.

    Parameters
    ----------
    resistance : array_like
        Resistances, > 0, or the limit that a sample is beyond, shape (n,) [Ohm].
    censored : sequence of str, optional
        "exact", "above" or "below" the limit, shape (n,); default: all exact.
    device : sequence of str, optional
        Device of each sample, shape (n,); default: every sample is a device of its own.

    Returns
    -------
    Samples
        The samples.

    Raises
    ------
    DataError
        If a resistance is not positive and finite, a word is unknown, shapes differ, or there are
        too few values to tell a law.

    Examples
    --------
    >>> samples([5e3, 6e3, 7e3, 1e6], ["exact", "exact", "exact", "above"]).kind.tolist()
    [0, 0, 0, 1]
    """
    r = np.asarray(resistance, np.float64)
    words = np.full(r.shape, "exact") if censored is None else np.asarray(censored)
    names = np.arange(r.size) if device is None else np.asarray(device)
    if r.ndim != 1 or words.shape != r.shape or names.shape != r.shape:
        raise DataError(
            f"shapes {r.shape}, {words.shape}, {names.shape} of resistance, censored and device",
            expected="one shape (n,) for all",
        )
    bad = np.flatnonzero(~(np.isfinite(r) & (r > 0)))
    if bad.size:
        raise DataError(
            f"sample {bad[0]}: {r[bad[0]]:g} Ohm", expected="a finite number > 0",
            remedy="mark what was out of range as above or below, with the limit as resistance",
        )  # fmt: skip
    unknown = np.flatnonzero(~np.isin(words, CENSORED))
    if unknown.size:
        raise DataError(f"sample {unknown[0]}: {str(words[unknown[0]])!r}",
                        expected=f"one of {', '.join(CENSORED)}")  # fmt: skip
    kind = (words == "above").astype(np.int8) - (words == "below").astype(np.int8)
    exact = r[kind == 0]
    if len(exact) < FEWEST:
        raise DataError(
            f"{len(exact)} of {r.size} samples have a value, {(kind > 0).sum()} are above and "
            f"{(kind < 0).sum()} below the range", expected=f"{FEWEST} values at least",
            remedy="measure more samples" if len(exact) == r.size
            else "measure in a wider range: bounds alone tell no spread",
        )  # fmt: skip
    if exact.min() == exact.max():
        raise DataError(
            f"all {len(exact)} values are {exact[0]:g} Ohm", expected="a spread",
            remedy="record more digits, or measure more devices",
        )  # fmt: skip
    codes = np.unique(names, return_inverse=True)
    return Samples(np.log(r), kind, codes[1].astype(np.intp), len(codes[0]))


def fit(data: Samples, n_levels: int = 1) -> StateLaw:
    """Fit normal levels to ln R by maximum likelihood.

    Valid for limits that do not depend on the resistance itself. Cycles of one device resemble
    each other: estimates are those of independent samples, but standard errors come from the
    scatter between devices (sandwich) where devices have several samples, and hold for the
    population of devices. With one device they hold for its cycles alone.

    Parameters
    ----------
    data : Samples
        Resistances of one state.
    n_levels : int, optional
        Number of levels, 1 to 3 [1].

    Returns
    -------
    StateLaw
        The law.

    Raises
    ------
    ParameterError
        If `n_levels` is not a whole number >= 1.
    DataError
        If there are fewer than three values a level.
    FitError
        If the samples do not tell so many levels.

    Notes
    -----
    Two levels or more have no largest likelihood: a level that shrinks onto one sample is
    infinitely likely. So ``(s^2/sigma^2 + ln(sigma^2/s^2))/sqrt(n)`` is taken off for each, s the
    spread of all: negligible for a level of many samples (Chen, Tan and Zhang). What still stands
    on fewer than 5 samples, or is narrower than 2 % of s, is said in `flaw`.

    Intervals: of a mean by Student's t, of a standard deviation by chi-square, both exact for one
    level of independent values, with degrees of freedom from the information otherwise; of
    clustered samples n_devices - 1 for the mean, and for one level's standard deviation not more
    than normal laws of devices and cycles allow. Of simulated intervals 94 to 97 % hold the truth
    for one level (5 devices: 88 % of the standard deviation), 88 to 96 % for two (12 devices of
    20 cycles: 79 to 96 %).

    BIC of clustered samples counts parameters as Gao and Song do and samples by how many
    independent ones they are worth.

    References
    ----------
    Likelihood of censored samples: Cohen, Technometrics 1 (1959) 217,
    doi:10.1080/00401706.1959.10489859; EM: Dempster, Laird and Rubin, J. R. Stat. Soc. B 39
    (1977) 1, doi:10.1111/j.2517-6161.1977.tb01600.x; penalty: Chen, Tan and Zhang, Stat. Sin. 18
    (2008) 443; sandwich: Liang and Zeger, Biometrika 73 (1986) 13, doi:10.1093/biomet/73.1.13;
    BIC: Gao and Song, J. Am. Stat. Assoc. 105 (2010) 1531, doi:10.1198/jasa.2010.tm09414.

    Examples
    --------
    >>> law = fit(samples([5e3, 6e3, 5.5e3, 7e3, 8e3], ["exact"] * 4 + ["above"]))
    >>> law.mixture.x.round(3).tolist(), law.mixture.sigma.round(3).tolist()
    ([8.754], [0.204])
    """
    k = whole("n_levels", n_levels, least=1)
    exact = data.x[data.kind == 0]
    if k > MOST or len(exact) < FEWEST * k:
        raise DataError(
            f"{k} levels for {len(exact)} values", expected=f"1 to {MOST} levels, of {FEWEST} "
            "values each", remedy="measure more samples, or take fewer levels",
        )  # fmt: skip
    if k > 1 and data.clustered and data.n_devices < 3 * k:
        raise FitError(
            f"{data.n_devices} devices for the {3 * k - 1} parameters of {k} levels",
            expected=f"{3 * k} devices", remedy="measure more devices, or take fewer levels",
        )  # fmt: skip
    unit = (float(exact.mean()), float(exact.std()))  # searches see numbers of order one
    data = replace(data, x=(data.x - unit[0]) / unit[1])
    one = _polish(data, *_single(data), np.inf)
    spread = float(np.exp(one[1]))
    theta = one if k == 1 else _best_start(data, k, spread)
    return _law(data, theta, k, spread, unit)


def _single(data: Samples) -> tuple[Array, Array, Array]:
    """Give where one level starts: what bounds do, EM on all samples says."""
    exact = data.x[data.kind == 0]
    start = (np.array([[[exact.mean()]]]), np.array([[[exact.std()]]]), np.ones((1, 1, 1)))
    if len(exact) == len(data.x):
        return start[0][0, 0], start[1][0, 0], start[2][0, 0]
    mu, sigma, weight, _ = em(_groups(data), *start, spread=1.0, steps=FIRST_STEPS)
    return mu[0, 0], sigma[0, 0], weight[0, 0]


def _groups(data: Samples) -> list[Group]:
    kinds = [k for k in (0, 1, -1) if (data.kind == k).any()]
    return [(k, data.x[data.kind == k], np.ones((1, (data.kind == k).sum()))) for k in kinds]


def _best_start(data: Samples, k: int, spread: float) -> Array:
    grid = np.linspace(data.x.min(), data.x.max(), BINS)
    groups = binned([data.x], [data.kind], grid)
    mu, sigma, weight, height = em(groups, *starts(groups, k), spread, STEPS)
    j = int(height[0].argmax())
    return _polish(data, mu[0, j], sigma[0, j], weight[0, j], spread)


def _parts(theta: Array, k: int) -> tuple[Array, Array, Array]:
    weight = shared(np.append(theta[2 * k :], 0.0), axis=0)[1]
    return theta[:k], np.exp(theta[k : 2 * k]), weight


def _scores(theta: Array, data: Samples, k: int) -> tuple[Array, Array]:
    """Log likelihood of each sample, shape (n,), and its slopes, shape (n, 3k - 1)."""
    mu, s, w = _parts(theta, k)
    value, slope = np.empty(len(data.x)), np.empty((3 * k, len(data.x)))
    for kind in (0, 1, -1):
        at = data.kind == kind
        log_p, lean, z = log_levels(kind, data.x[at], mu, s, w)
        value[at], share = shared(log_p, axis=0)
        slope[:k, at] = share * lean / s[:, None]
        slope[k : 2 * k, at] = share * (z * lean - (kind == 0))
        slope[2 * k :, at] = share - w[:, None]
    return value, slope[:-1].T


def _cost(theta: Array, data: Samples, k: int, spread: float) -> tuple[float, Array]:
    """Minus the mean penalised log likelihood and its slope."""
    value, slopes = _scores(theta, data, k)
    cost, slope, n = -value.mean(), -slopes.mean(axis=0), len(value)
    if k > 1:
        ratio = spread**2 / np.exp(2 * theta[k : 2 * k])
        cost += (ratio - np.log(ratio)).sum() / n**1.5
        slope[k : 2 * k] += 2 * (1 - ratio) / n**1.5
    return float(cost), slope


def _polish(data: Samples, mu: Array, sigma: Array, weight: Array, spread: float) -> Array:
    """Climb to the top on all samples: Newton's steps, after a safer search where they fail."""
    k = len(mu)
    logit = np.log(np.maximum(weight, 1e-9))
    theta = np.concatenate([mu, np.log(sigma), logit[:-1] - logit[-1]])
    args = (data, k, spread)
    theta = _newton(theta, args)
    if abs(_cost(theta, *args)[1]).max() > FLAT:
        theta = optimize.minimize(_cost, theta, args, "BFGS", jac=True, options={"gtol": 1e-8}).x
        theta = _newton(theta, args)
    return theta


def _newton(theta: Array, args: tuple[Samples, int, float]) -> Array:
    for _ in range(MOST_STEPS):
        cost, slope = _cost(theta, *args)
        if abs(slope).max() < 1e-11:
            break
        value, vector = np.linalg.eigh(_curvature(theta, *args))
        if not value[0] > 0:
            break
        step = vector @ (vector.T @ slope / value)
        lengths = (x for x in (1.0, 0.5, 0.25, 0.1) if _cost(theta - x * step, *args)[0] < cost)
        length = next(lengths, None)
        if length is None:
            break
        theta = theta - length * step
    return np.asarray(theta)


def _curvature(theta: Array, data: Samples, k: int, spread: float) -> Array:
    """Second derivative of the cost, by central differences of its slope."""
    step = 1e-5 * np.concatenate([np.exp(theta[k : 2 * k]), np.ones(2 * k - 1)])
    rows = [
        (_cost(theta + h, data, k, spread)[1] - _cost(theta - h, data, k, spread)[1])
        / (2 * h.max())
        for h in np.diag(step)
    ]
    half = np.array(rows) / 2
    return np.asarray(half + half.T)


def _law(data: Samples, theta: Array, k: int, spread: float, unit: tuple[float, float]) -> StateLaw:
    """Describe the top of the likelihood; `unit` is where ln R is 0, and its scale."""
    n, p = len(data.x), 3 * k - 1
    order = np.argsort(theta[:k], kind="stable")
    mu, s, w = (part[order] for part in _parts(theta, k))
    theta = np.concatenate([mu, np.log(s), np.log(w[:-1] / w[-1])])
    values, scores = _scores(theta, data, k)
    covariance, worth = _covariance(data, theta, k, spread, scores)
    error = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    if not (error[:k].max() < UNTOLD * spread and error[k:].max() < UNTOLD):
        raise FitError(_untold(n, k), remedy=REMEDY)
    nu = 0.5 / np.maximum(error[k : 2 * k], 1e-6) ** 2  # of a chi-square with that variance of ln s
    wide = s * np.sqrt(1 + 1 / nu)  # without the bias of sigma
    if k == 1 and data.clustered:  # few devices know their own scatter badly: a normal law's
        means = data.n_devices * error[:1] ** 2
        rest = np.maximum(s**2 - means, 0.0)
        within = rest**2 / (n - data.n_devices)
        nu = np.minimum(nu, s**4 / (means**2 / (data.n_devices - 1) + within))
        wide = np.hypot(s, error[:1])
    half = (1 - LEVEL) / 2
    dof = np.full(k, data.n_devices - 1.0) if data.clustered else np.maximum(nu, 1.0)
    reach = scipy_stats.t.ppf(1 - half, dof) * error[:k]
    ends = wide * np.sqrt(nu / scipy_stats.chi2.ppf([[1 - half], [half]], nu))
    w_low, w_high = _shares(w, covariance[2 * k :, 2 * k :], float(dof.min()))
    centre, scale = unit
    back = np.r_[np.full(k, scale), np.ones(p - k)]
    log_likelihood = float(values.sum()) - float(np.log(scale)) * int((data.kind == 0).sum())
    return StateLaw(
        Mixture(centre + scale * mu, w / w.sum(), scale * s), scale * error[:k],
        centre + scale * (mu - reach), centre + scale * (mu + reach),
        scale * s * error[k : 2 * k], scale * ends[0], scale * ends[1], w_low, w_high,
        covariance * np.outer(back, back), log_likelihood,
        worth * float(np.log(max(n * p / worth, 1.0))) - 2 * log_likelihood,
        n, int((data.kind > 0).sum()), int((data.kind < 0).sum()), data.n_devices,
        _flaw(w * n, s, spread),
    )  # fmt: skip


def _covariance(
    data: Samples, theta: Array, k: int, spread: float, scores: Array
) -> tuple[Array, float]:
    """Give the covariance of the parameters, and how many they are worth in clustered samples."""
    n, m, p = len(data.x), data.n_devices, len(theta)
    information = n * _curvature(theta, data, k, spread)
    flat = abs(_cost(theta, data, k, spread)[1]).max() < FLAT
    if not (flat and np.isfinite(information).all() and np.linalg.eigvalsh(information)[0] > 0):
        raise FitError(_untold(n, k), remedy=REMEDY)
    inverse = np.linalg.inv(information)
    if not data.clustered:
        return inverse * n / (n - 1), float(p)
    sums = np.zeros((m, p))
    np.add.at(sums, data.device, scores)
    covariance = m / (m - 1) * inverse @ (sums.T @ sums) @ inverse
    return covariance, max(float(np.trace(information @ covariance)), float(p))


def _untold(n: int, k: int) -> str:
    return f"{n} samples do not tell {k} level{'s' * (k > 1)} of ln R"


def _shares(w: Array, covariance: Array, dof: float) -> tuple[Array, Array]:
    """Interval of each share, by its logit."""
    if len(w) == 1:
        return np.ones(1), np.ones(1)
    slope = np.eye(len(w))[:, :-1] - w[:-1]  # of ln w by the logits
    error = np.sqrt(np.einsum("ij,jk,ik->i", slope, covariance, slope)) / (1 - w)
    logit = np.log(w / (1 - w)) + np.multiply.outer([-1, 1], scipy_stats.t.ppf(0.5 + LEVEL / 2, dof)
                                                    * error)  # fmt: skip
    low, high = 1 / (1 + np.exp(-np.clip(logit, -700, 700)))
    return low, high


def _flaw(held: Array, sigma: Array, spread: float) -> str:
    if len(held) > 1 and held.min() < THIN:
        return f"level {held.argmin() + 1} stands on {held.min():.1f} samples"
    if len(held) > 1 and sigma.min() < SPIKE * spread:
        return (
            f"level {sigma.argmin() + 1} is only {sigma.min():.2g} wide in ln R: ties or rounding"
        )
    return ""
