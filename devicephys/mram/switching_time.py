"""When a driven layer switches: mean, density and quantiles of the switching time.

The switching time is defined through the write error: P(time > tau) = WER(tau), read by the sign
of z. Its mean is the mean time spent at z > 0, for which there is an exact double integral that
no solver enters; the first passage of z = 0 has another one. Both hold at all damping.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from devicephys.checks import Array, in_range, together
from devicephys.errors import AccuracyError, ParameterError
from devicephys.mram import fokker_planck, landscape

POINTS = 3000  # of theta, for either integral; twice as many for Richardson's extrapolation
ROWS = 256  # conditions integrated together: bounds the memory
WELL = 12.0  # k_B T: returns from a shallower well would shift the mean by more than 1e-5
GROWTH = 4.0  # of the bracket
LEAST = 1e-4  # of 1 - WER: nearer to one the solver's 1e-8 decide
AGREEMENT = 1e-5  # of ln WER, relative near one
TOO_LONG = 1e9  # t_D: beyond, the thermal rate is the tool


def mean(i: ArrayLike, delta: ArrayLike, h: ArrayLike = 0.0, asymmetry: ArrayLike = 0.0) -> Array:
    """Compute the mean switching time of a constant current, from the Boltzmann law at z > 0.

    Valid where the switched state lies at least 12 k_B T below z = 0: its layer does not return.

    Parameters
    ----------
    i : array_like
        Current over critical current, any shape [1].
    delta : array_like
        Thermal stability factor, > 0, shape broadcast with `i` [1].
    h : array_like, optional
        Axial field over H_k, positive stabilises, shape broadcast with `i` [1].
    asymmetry : array_like, optional
        Spin-torque asymmetry, see `landscape.asymmetry`; shape broadcast with `i` [1].

    Returns
    -------
    ndarray
        int_0^inf WER d tau, broadcast shape, relative error below 1e-5; in units of t_D [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range or the switched state is not a well.

    Notes
    -----
    T = 2 Delta int dy P(z_0 > y) e^Phi(y)/(1 - y^2) int_max(y,0)^1 e^-Phi dz.

    References
    ----------
    Gardiner, Stochastic Methods (2009), section 5.5, doi:10.1007/978-3-540-70712-7.

    Examples
    --------
    >>> mean([1.5, 2.0], 60.0).round(4).tolist()
    [3.6263, 2.2354]
    """
    f, rest, stability, shape = landscape.constant(i, delta, h, asymmetry)
    depth = -landscape.potential(f, stability, np.array([-1.0]))[:, 0]
    if (depth < WELL).any():
        worst = int(depth.argmin())
        raise ParameterError(
            f"delta = {stability[worst]:g}: the switched state lies {depth[worst]:.3g} k_B T below "
            "z = 0, the layer returns",
            expected=f"{WELL:g} k_B T or more", remedy="raise i or delta",
        )  # fmt: skip
    end = np.minimum(landscape.outflow(f, stability, landscape.FALLEN), 1 - 1 / (2 * stability))
    return _extrapolated(f, rest, stability, end).reshape(shape)


def mean_first_passage(
    i: ArrayLike, delta: ArrayLike, h: ArrayLike = 0.0, asymmetry: ArrayLike = 0.0
) -> Array:
    """Compute the mean time of the first passage from the pole z = 1 to z = 0.

    Exact for any barrier. Below the critical current it is half the inverse of the escape rate
    where z = 0 is the top of the barrier.

    Parameters
    ----------
    i, delta, h, asymmetry
        As for `mean` [1].

    Returns
    -------
    ndarray
        Broadcast shape, relative error below 1e-5; in units of t_D [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    Notes
    -----
    T = 2 Delta int_0^1 dy e^Phi(y)/(1 - y^2) int_y^1 e^-Phi dz.

    References
    ----------
    Gardiner, Stochastic Methods (2009), section 5.5, doi:10.1007/978-3-540-70712-7.

    Examples
    --------
    >>> mean_first_passage([0.8, 1.0, 1.5, 2.0], 60.0).round(3).tolist()
    [52.11, 11.211, 4.033, 2.584]
    """
    f, _, stability, shape = landscape.constant(i, delta, h, asymmetry)
    return _extrapolated(f, None, stability, 0 * stability).reshape(shape)


def density(
    i: ArrayLike,
    tau: ArrayLike,
    delta: ArrayLike,
    h: ArrayLike = 0.0,
    asymmetry: ArrayLike = 0.0,
    *,
    rtol: float = 1e-4,
    atol: float = 1e-9,
) -> Array:
    """Compute the probability density of the switching time, -dWER/d tau.

    Valid as `fokker_planck.wer` is.

    Parameters
    ----------
    i, delta, h, asymmetry
        As for `mean` [1].
    tau : array_like
        Time over damping time, >= 0, shape broadcast with `i` [1].
    rtol, atol : float, optional
        Tolerance; before the first layers switch the density is smaller than round-off [1].

    Returns
    -------
    ndarray
        Density per t_D, broadcast shape [1].

    Raises
    ------
    ParameterError, AccuracyError
        As `fokker_planck.wer`.

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    >>> density(2.0, [1.0, 2.0, 4.0], 60.0).round(4).tolist()
    [0.0071, 0.7622, 0.0306]
    """
    return fokker_planck.wer(i, tau, delta, h, asymmetry, readout="flux", rtol=rtol, atol=atol)


def quantile(
    wer: ArrayLike,
    i: ArrayLike,
    delta: ArrayLike,
    h: ArrayLike = 0.0,
    asymmetry: ArrayLike = 0.0,
) -> Array:
    """Compute the pulse width that leaves a given write error rate.

    The quantile 1 - `wer` of the switching time; valid as `fokker_planck.wer` is.

    Parameters
    ----------
    wer : array_like
        Write error rate, in (1e-200, 1 - 1e-4), any shape [1].
    i, delta, h, asymmetry
        As for `mean`; shapes broadcast with `wer` [1].

    Returns
    -------
    ndarray
        tau with WER(tau) = `wer` to 1e-5 of ln WER, broadcast shape; in units of t_D [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.
    AccuracyError
        If the pulse would be longer than 1e9 t_D, or the solver cannot reach the rate.

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    >>> quantile([1.526949e-2, 2.725799e-4, 1.509086e-16], 2.0, 60.0).round(4).tolist()
    [4.0, 6.0, 20.0]
    """
    in_range("wer", wer, "1", above=1e-200, below=1 - LEAST)
    arrays = together(wer=wer, i=i, delta=delta, h=h, asymmetry=asymmetry)
    target, *conditions = (np.ravel(x) for x in arrays)
    goal = np.log(target)

    def log_wer(tau: Array) -> Array:
        found = fokker_planck.wer(conditions[0], tau, *conditions[1:], atol=1e-250)
        return np.asarray(np.log(np.maximum(found, 1e-300)))

    low, high = np.zeros(len(goal)), np.ones(len(goal))
    value_low, value_high = np.zeros(len(goal)), log_wer(high)
    while (value_high > goal).any():
        short = value_high > goal
        low, value_low = np.where(short, high, low), np.where(short, value_high, value_low)
        high = np.where(short, high * GROWTH, high)
        if high.max() > TOO_LONG:
            raise AccuracyError(
                f"no pulse below {TOO_LONG:g} t_D reaches WER = {target[short][0]:g}",
                expected="a current that switches the layer", remedy="raise i",
            )  # fmt: skip
        value_high = log_wer(high)
    for _ in range(60):  # false position; the clip bisects where it stalls
        share = np.clip((value_low - goal) / np.maximum(value_low - value_high, 1e-300), 0.1, 0.9)
        middle = low + share * (high - low)
        value = log_wer(middle)
        above = value > goal
        low, value_low = np.where(above, middle, low), np.where(above, value, value_low)
        high, value_high = np.where(above, high, middle), np.where(above, value_high, value)
        miss = np.abs(value - goal) / np.minimum(1.0, -goal)
        if (miss < AGREEMENT).all():
            return middle.reshape(arrays[0].shape)
    raise AccuracyError(
        f"the pulse width for WER = {target[miss.argmax()]:g} is uncertain: ln WER misses by "
        f"{miss.max():.1e}", expected=f"{AGREEMENT:g}", remedy="ask for a rate away from 1",
    )  # fmt: skip


def escape(f: Array, delta: Array) -> Array:
    """Compute the mean time from the initial pole over the barrier into the other well.

    Exact for any barrier; the inverse of a rate where barrier and other well are several k_B T.

    Parameters
    ----------
    f : ndarray
        Chebyshev coefficients of the drift, shape (rows, k) [1].
    delta : ndarray
        Thermal stability factor, shape (rows,) [1].

    Returns
    -------
    ndarray
        Mean first-passage time to 25 k_B T below the barrier, or 1/(2 Delta) before the other
        pole, shape (rows,), relative error below 1e-5; in units of t_D [1].

    References
    ----------
    Gardiner, Stochastic Methods (2009), section 5.5, doi:10.1007/978-3-540-70712-7.

    Examples
    --------
    >>> f"{escape(landscape.drift([0.5]), np.array([60.0]))[0]:.4e}"
    '2.1294e+06'
    """
    phi = landscape.potential(f, delta, np.linspace(-1, 1, 401))
    top = phi.max(axis=1)
    end = landscape.outflow(f, delta, landscape.FALLEN - top)
    return _extrapolated(f, None, delta, np.minimum(end, 1 - 1 / (2 * np.maximum(delta, 1.0))))


def _extrapolated(f: Array, rest: Array | None, delta: Array, end: Array) -> Array:
    """Extrapolate the logarithm over two grids; infinite where no float can hold the time."""
    result = np.empty(len(delta))
    for start in range(0, len(delta), ROWS):
        part = slice(start, start + ROWS)
        coarse, fine = (
            _log_time(n, f[part], None if rest is None else rest[part], delta[part], end[part])
            for n in (POINTS, 2 * POINTS)
        )
        with np.errstate(over="ignore"):
            result[part] = np.exp((4 * fine - coarse) / 3)
    return result


def _log_time(n: int, f: Array, rest: Array | None, delta: Array, end: Array) -> Array:
    """Trapezoidal rule in theta from the pole to the equator and on to z = -end.

    Without `rest`: first passage from the pole. With it: time at z > 0 from its Boltzmann law.
    """
    half = np.broadcast_to(np.linspace(0, np.pi / 2, n + 1), (len(delta), n + 1))
    y = np.cos(half)
    inner = _log_above(landscape.potential(f, delta, y), y)
    density = inner[:, 1:] - np.log(np.sin(half[:, 1:]))
    if rest is not None:  # only those that start above y have to pass it
        phi = landscape.potential(rest, delta, y)
        above = _log_above(phi, y) - phi
        density = density + (above - above[:, -1:])[:, 1:]
    weight = np.r_[np.ones(n - 1), 0.5] * half[:, 1:2]
    parts = [density + np.log(weight)]
    beyond = np.pi / 2 + np.linspace(0, 1, n + 1) * np.arcsin(end)[:, None]
    y = np.cos(beyond)
    phi = landscape.potential(f, delta, y)
    density = phi - phi[:, :1] + inner[:, -1:]
    if rest is None:
        density = np.logaddexp(density, _log_above(phi, y))
    weight = np.r_[0.5, np.ones(n - 1), 0.5] * (np.arcsin(end) / n)[:, None]
    with np.errstate(divide="ignore"):  # no way beyond the equator: a weight of zero
        parts.append(density - np.log(np.sin(beyond)) + np.log(weight))
    return np.asarray(np.log(2 * delta) + logsumexp(np.concatenate(parts, axis=1), axis=1))


def _log_above(phi: Array, y: Array) -> Array:
    """ln of e^Phi(y) int_y^y_0 e^-Phi on falling points y, by a recurrence."""
    step = np.diff(phi, axis=1)  # Phi is taken as linear between points
    size = np.where(np.abs(step) < 1e-9, 1e-9, step)
    # ln of (e^s - 1)/s, without overflow for large s
    mean = np.maximum(size, 0) + np.log(-np.expm1(-np.abs(size)) / np.abs(size))
    with np.errstate(divide="ignore"):  # points may coincide: nothing between them
        local = np.log(-np.diff(y, axis=1)) + mean
    total = np.full(phi.shape, -np.inf)
    for k in range(step.shape[1]):
        total[:, k + 1] = np.logaddexp(total[:, k] + step[:, k], local[:, k])
    return total
