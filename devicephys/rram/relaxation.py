"""Relaxation of conductance after programming: mean and spread in the logarithm of time.

With L(t) = log10(1 + t/t_0), the change of conductance since programming has the mean m L(t) and
the variance b L(t). The variance is that of an ensemble of two-state fluctuators whose rates are
spread evenly in the logarithm (the origin of 1/f noise), plus a diffusion in L that does not
return. m, b and t_0 depend on the programmed conductance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import ZERO, Array, generator, in_range, rising
from devicephys.errors import ParameterError
from devicephys.parameters import INF, check_record, parameter

_TO_SI = np.array([1e-6, 1e-6, 1e-12, 1e-3])
FASTEST, SLOWEST = 40.0, 1e-4  # fluctuators kept: rate < 40/t_0, rate > 1e-4/(longest time)


@dataclass(frozen=True)
class Relaxation:
    """Law of relaxation in log time, level by level; linear between levels.

    Attributes
    ----------
    level : tuple of float
        Programmed conductances, rising, shape (n,) [S].
    drift : tuple of float
        Mean change a decade of time, negative where conductance is lost, shape (n,) [S].
    growth : tuple of float
        Variance a decade of time, shape (n,) [S2].
    t_start : tuple of float
        Time at which the logarithm sets in, shape (n,) [s].
    jump_share : float
        Share of the variance from two-state fluctuators, the rest diffuses; 0 is Gaussian [1].
    jump_rate : float
        Mean number of fluctuators that have changed, a decade of time [1].
    t_first, t_last : float
        Shortest and longest measured time; nothing is said outside, but for t = 0 [s].
    """

    level: tuple[float, ...] = parameter("S", "G_k")
    drift: tuple[float, ...] = parameter("S", "m", above=-INF)
    growth: tuple[float, ...] = parameter("S2", "b")
    t_start: tuple[float, ...] = parameter("s", "t_0")
    jump_share: float = parameter("1", r"\varphi", above=-ZERO, below=1 + 1e-12)
    jump_rate: float = parameter("1", r"\lambda")
    t_first: float = parameter("s", "t_1")
    t_last: float = parameter("s", "t_n")

    def __post_init__(self) -> None:
        check_record(self)
        sizes = {len(x) for x in (self.level, self.drift, self.growth, self.t_start)}
        if len(sizes) > 1 or not np.all(np.diff(self.level) > 0) or self.t_first >= self.t_last:
            raise ParameterError(
                f"Relaxation of {len(self.level)} levels, {len(self.drift)} drifts, "
                f"{len(self.growth)} growths, {len(self.t_start)} start times, measured from "
                f"{self.t_first:g} to {self.t_last:g} s",
                expected="rising levels, one of each for a level, t_first < t_last",
            )


def technology_c() -> Relaxation:
    """Give the relaxation of technology C, from 0.01 to 1e5 s and 8.8 to 38.6 uS.

    13 levels of two ranges of 1.25 uS, 836 to 1098 cells each; standard errors 6 to 12 % of the
    growth, 7 % of the drift (15 to 40 % below 12 uS), 0.2 to 0.45 of ln t_0. Lower levels are left
    out: the changes are one-sided there (skewness above 1) and no such law holds.

    Returns
    -------
    Relaxation
        The law.

    References
    ----------
    This project's fit (`fitting.relaxation.fit`) to the relaxation data of technology C published
    by A. Levy under the MIT licence (Copyright (c) 2021 Akash Levy).

    Examples
    --------
    >>> technology_c().t_last
    100000.0
    """
    rows = np.array(  # G [uS], m [uS], b [uS2], t_0 [ms]
        [
            (8.77, -0.0416, 1.811, 2.81),
            (11.27, -0.1254, 2.158, 5.22),
            (13.74, -0.1602, 2.458, 4.58),
            (16.27, -0.2349, 2.226, 2.86),
            (18.78, -0.2283, 1.953, 4.68),
            (21.25, -0.2319, 2.292, 3.83),
            (23.77, -0.2728, 1.933, 8.95),
            (26.26, -0.2584, 1.883, 4.68),
            (28.75, -0.2754, 1.793, 8.95),
            (31.23, -0.2733, 1.513, 4.78),
            (33.74, -0.2559, 1.454, 5.22),
            (36.23, -0.2390, 1.325, 9.02),
            (38.65, -0.2650, 1.228, 6.34),
        ]
    )
    level, drift, growth, t_start = (tuple(map(float, x)) for x in rows.T * _TO_SI[:, None])
    return Relaxation(level, drift, growth, t_start, jump_share=0.84, jump_rate=0.36,
                      t_first=0.01, t_last=1e5)  # fmt: skip


def log_time(conductance: ArrayLike, time: ArrayLike, law: Relaxation) -> Array:
    """Compute the decades of time, log10(1 + t/t_0), since programming.

    Valid at the measured levels and times: from the first to the last level, at t = 0 and from
    `law.t_first` to `law.t_last`. Nothing is extrapolated.

    Parameters
    ----------
    conductance : array_like
        Conductance just after programming, any shape [S].
    time : array_like
        Time since the first read, shape broadcast with `conductance` [s].
    law : Relaxation
        The law.

    Returns
    -------
    ndarray
        The decades, broadcast shape [1].

    Raises
    ------
    ParameterError
        If a conductance or time lies outside those measured.

    References
    ----------
    This project's law, fitted to its count of the relaxation data of technology C.

    Examples
    --------
    >>> float(log_time(20e-6, 1e5, technology_c()).round(2))
    7.37
    """
    g = _level(conductance, law)
    t = in_range("time", time, "s", above=-ZERO)
    bad = (t != 0) & ((t < law.t_first) | (t > law.t_last))
    if bad.any():
        raise ParameterError(
            f"time = {t[bad].flat[0]:g} s",
            expected=f"0, or within the measured {law.t_first:g} to {law.t_last:g} s",
            remedy="the law is not extrapolated; measure for longer",
        )
    return np.asarray(np.log1p(t / _t_start(g, law)) / np.log(10))


def relaxation_mean(conductance: ArrayLike, time: ArrayLike, law: Relaxation) -> Array:
    """Compute the mean change of conductance since programming, m log10(1 + t/t_0).

    Valid at the measured levels and times of `law` (see `log_time`).

    Parameters
    ----------
    conductance : array_like
        Conductance just after programming, any shape [S].
    time : array_like
        Time since the first read, shape broadcast with `conductance` [s].
    law : Relaxation
        The law.

    Returns
    -------
    ndarray
        The mean change, broadcast shape [S].

    References
    ----------
    This project's law, fitted to its count of the relaxation data of technology C.

    Examples
    --------
    >>> float((relaxation_mean(20.6e-6, 1e5, technology_c()) * 1e6).round(1))
    -1.7
    """
    g = _level(conductance, law)
    return np.asarray(np.interp(g, law.level, law.drift) * log_time(g, time, law))


def relaxation_sigma(conductance: ArrayLike, time: ArrayLike, law: Relaxation) -> Array:
    """Compute the standard deviation of the change since programming, sqrt(b log10(1 + t/t_0)).

    Valid at the measured levels and times of `law` (see `log_time`). It includes the noise of both
    reads as measured.

    Parameters
    ----------
    conductance : array_like
        Conductance just after programming, any shape [S].
    time : array_like
        Time since the first read, shape broadcast with `conductance` [s].
    law : Relaxation
        The law.

    Returns
    -------
    ndarray
        The standard deviation, broadcast shape [S].

    References
    ----------
    This project's law, fitted to its count of the relaxation data of technology C.

    Examples
    --------
    >>> float((relaxation_sigma(20.6e-6, 1e5, technology_c()) * 1e6).round(1))
    4.0
    """
    g = _level(conductance, law)
    return np.asarray(np.sqrt(np.interp(g, law.level, law.growth) * log_time(g, time, law)))


def relaxation_covariance(
    conductance: ArrayLike, first: ArrayLike, second: ArrayLike, law: Relaxation
) -> Array:
    """Compute the covariance of the changes of one cell at two times.

    With v(t) = b L(t) and s <= t, it is phi [v(s) + v(t) - v(t - s)]/2 from fluctuators, which are
    stationary, plus (1 - phi) v(s) from diffusion. Valid at the measured levels and times.

    Parameters
    ----------
    conductance : array_like
        Conductance just after programming, any shape [S].
    first, second : array_like
        Times since the first read, shape broadcast with `conductance` [s].
    law : Relaxation
        The law.

    Returns
    -------
    ndarray
        The covariance, broadcast shape [S2].

    References
    ----------
    This project's law; the structure function ln(1 + t/t_0) of rates spread as exp(-k t_0)/k is
    Frullani's integral.

    Examples
    --------
    >>> law = technology_c()
    >>> same = relaxation_covariance(20e-6, 1.0, 1.0, law)
    >>> float((same / relaxation_sigma(20e-6, 1.0, law) ** 2).round(12))
    1.0
    """
    g = _level(conductance, law)
    one, two = log_time(g, first, law), log_time(g, second, law)
    apart = np.abs(np.asarray(second, np.float64) - np.asarray(first, np.float64))
    between = np.log1p(apart / _t_start(g, law)) / np.log(10)
    shared = law.jump_share * (one + two - between) / 2
    shared = shared + (1 - law.jump_share) * np.minimum(one, two)
    return np.asarray(np.interp(g, law.level, law.growth) * shared)


def relax(
    conductance: ArrayLike, times: ArrayLike, rng: np.random.Generator, law: Relaxation
) -> Array:
    """Draw the conductance of cells at given times after programming.

    Exact for the law: adding times does not change the joint law at the others. Each cell holds a
    Poisson number of two-state fluctuators with normal amplitudes and rates spread evenly in the
    logarithm, and a diffusion in log10(1 + t/t_0); so short changes have heavy tails, as measured.
    Nothing keeps a draw above zero: after 1e5 s it is negative, and returned as such, with
    probability 1.5 % at 8.8 uS, 0.6 % at 12 uS, 1e-4 at 20 uS.

    Parameters
    ----------
    conductance : array_like
        Conductance of each cell just after programming, any shape [S].
    times : array_like
        Times since then, rising strictly, 0 or within the measured ones, shape (n,) [s].
    rng : numpy.random.Generator
        Source of random numbers.
    law : Relaxation
        The law.

    Returns
    -------
    ndarray
        Conductance at each time, shape ``(n, *conductance.shape)`` [S].

    Raises
    ------
    ParameterError
        If a level or time lies outside those measured, there is no cell, or the times do not rise.

    References
    ----------
    McWhorter's ensemble of fluctuators, as in Weissman, Rev. Mod. Phys. 60 (1988) 537,
    doi:10.1103/RevModPhys.60.537; parameters of this project's fit.

    Examples
    --------
    >>> cells = np.full(1000, 20e-6)
    >>> relax(cells, [1.0, 1e5], np.random.default_rng(1), technology_c()).shape
    (2, 1000)
    """
    rng, t = generator(rng), rising("times", times)
    g = _level(conductance, law)
    if not g.size:
        raise ParameterError("no conductances", expected="one cell at least")
    decades = log_time(g.ravel(), t[:, None], law)
    change = np.interp(g.ravel(), law.level, law.drift) * decades
    growth = np.interp(g.ravel(), law.level, law.growth)
    steps = np.diff(decades, axis=0, prepend=0.0)
    diffusion = np.sqrt((1 - law.jump_share) * growth * steps)
    change += np.cumsum(diffusion * rng.standard_normal(steps.shape), axis=0)
    if law.jump_share > 0:
        size = np.sqrt(law.jump_share * growth / law.jump_rate)
        change += _fluctuators(t, size, _t_start(g.ravel(), law), law.jump_rate, rng)
    return np.asarray(g + change.reshape(len(t), *g.shape))


def _fluctuators(
    times: Array, size: Array, t_start: Array, jump_rate: float, rng: np.random.Generator
) -> Array:
    """Draw the change that fluctuators make, shape (n_times, n_cells).

    A fluctuator of rate k has changed after t with probability (1 - exp(-k t))/2. Rates spread as
    n exp(-k t_0)/k give (n/2) ln(1 + t/t_0) changed ones; hence n = 2 jump_rate/ln 10. Those slower
    than SLOWEST over the longest time add less than 1e-4 to that number.
    """
    longest = max(float(times[-1]), float(t_start.min()))
    span = np.log(FASTEST / t_start * longest / SLOWEST)  # ln(fastest rate/slowest rate)
    number = rng.poisson(2 * jump_rate / np.log(10) * span)
    cell = np.repeat(np.arange(len(size)), number)
    rate = SLOWEST / longest * np.exp(span[cell] * rng.random(len(cell)))
    kept = rng.random(len(cell)) < np.exp(-rate * t_start[cell])
    cell, rate = cell[kept], rate[kept]
    shift = size[cell] * rng.standard_normal(len(cell))
    changed = np.zeros(len(cell), bool)
    found = np.empty((len(times), len(size)))
    for k, step in enumerate(np.diff(times, prepend=0.0)):
        changed ^= rng.random(len(cell)) < -np.expm1(-rate * step) / 2
        found[k] = np.bincount(cell, shift * changed, minlength=len(size))
    return found


def _level(conductance: ArrayLike, law: Relaxation) -> Array:
    return in_range("conductance", conductance, "S", above=law.level[0], below=law.level[-1],
                    inclusive=True, remedy="no level was measured there")  # fmt: skip


def _t_start(conductance: Array, law: Relaxation) -> Array:
    return np.exp(np.interp(conductance, law.level, np.log(law.t_start)))
