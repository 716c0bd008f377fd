"""Thermal activation over the barrier: retention, read disturb, failures of arrays.

Below the critical current either state is a well and the layer leaves it at a rate k. Here k is
exact for the axisymmetric macrospin: the inverse of the mean first-passage time into the other
well, a double integral without a high-barrier expansion; `closed_form.switching_rate` is its
limit (Brown, Kramers). With both rates, out and back,

    P(flipped after t) = k_out/(k_out + k_back) (1 - e^{-(k_out + k_back) t}).

Valid for barriers above about 5 k_B T and times beyond a few t_D.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from devicephys.checks import ZERO, Array, in_range, known, together, whole
from devicephys.errors import ParameterError
from devicephys.mram import landscape, switching_time
from devicephys.mram.junction import at_temperature, seen_from_start
from devicephys.parameters import DIRECTIONS, MTJ, Direction

SHALLOW = 4.0  # k_B T
RATE_ERROR = 1e-5  # relative, of the integrals behind a rate
BARRIER_POINTS = np.linspace(-1, 1, 101)
STATES = ("P", "AP")


def barrier(drift: Array, delta: Array) -> Array:
    """Compute the height of the barrier that keeps the layer in its initial state.

    Parameters
    ----------
    drift : ndarray
        Chebyshev coefficients, shape (rows, k) [1].
    delta : ndarray
        Thermal stability factor, shape (rows,) [1].

    Returns
    -------
    ndarray
        max Phi - Phi(1), 0 where there is no barrier, shape (rows,) [k_B T].

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> barrier(landscape.drift([0.0, 0.5, 1.5]), np.full(3, 60.0)).round(6).tolist()
    [60.0, 15.0, 0.0]
    """
    if drift.shape[1] == 2:  # Phi is a parabola: no search
        straight = np.maximum(-drift.sum(axis=1), 0.0)  # -f(1) >= 0 where a barrier stands
        kappa = np.maximum(-drift[:, 1], ZERO)
        return np.asarray(delta * straight**2 / kappa)
    phi = landscape.potential(drift, delta, BARRIER_POINTS)
    return np.asarray(phi.max(axis=1) - phi[:, -1])


def rates_of_drift(drift: Array, delta: Array) -> tuple[Array, Array]:
    """Compute the rates of leaving the initial state and of coming back.

    Parameters
    ----------
    drift : ndarray
        Chebyshev coefficients, shape (rows, k) [1].
    delta : ndarray
        Thermal stability factor, shape (rows,) [1].

    Returns
    -------
    tuple of ndarray
        k_out t_D and k_back t_D, shape (rows,) each; 0 into a state less than 4 k_B T deep, which
        cannot hold the layer [1].

    Raises
    ------
    ParameterError
        If neither state can.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> out, back = rates_of_drift(landscape.drift([0.0]), np.array([60.0]))
    >>> bool(abs(out[0] / back[0] - 1) < 1e-9)
    True
    """
    mirrored = -drift * (-1.0) ** np.arange(drift.shape[1])  # f'(z) = -f(-z)
    rates = [1 / switching_time.escape(f, delta) for f in (drift, mirrored)]
    depths = [barrier(f, delta) for f in (mirrored, drift)]  # of the state that is entered
    both = np.maximum(*depths)
    if (both < SHALLOW).any():
        raise ParameterError(
            f"delta = {delta[both.argmin()]:g}: neither state is deeper than "
            f"{both.min():.3g} k_B T and holds the layer",
            expected=f"{SHALLOW:g} k_B T or more", remedy="raise delta",
        )  # fmt: skip
    out, back = (np.where(d < SHALLOW, 0.0, k) for k, d in zip(rates, depths, strict=True))
    return out, back


def escape_rate(
    i: ArrayLike, delta: ArrayLike, h: ArrayLike = 0.0, asymmetry: ArrayLike = 0.0
) -> Array:
    """Compute the rate at which the layer leaves its initial state.

    Valid below the critical current, for barriers above about 5 k_B T; exact but for the time of
    the way down, a share of about 2 k t_D.

    Parameters
    ----------
    i : array_like
        Current over critical current; negative stabilises; any shape [1].
    delta : array_like
        Thermal stability factor, > 0, shape broadcast with `i` [1].
    h : array_like, optional
        Axial field over H_k, positive stabilises, shape broadcast with `i` [1].
    asymmetry : array_like, optional
        Spin-torque asymmetry, see `landscape.asymmetry`; shape broadcast with `i` [1].

    Returns
    -------
    ndarray
        k t_D, broadcast shape [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677; under a current: Taniguchi
    and Imamura, arXiv 1010.5845.

    Examples
    --------
    >>> [f"{k:.3e}" for k in escape_rate([0.0, 0.5], 60.0)]
    ['3.762e-26', '4.696e-07']
    """
    f, _, stability, shape = landscape.constant(i, delta, h, asymmetry)
    return rates_of_drift(f, stability)[0].reshape(shape)


def flip_probability(out: ArrayLike, back: ArrayLike, time: ArrayLike) -> Array:
    """Compute the probability that a two-state layer is found flipped.

    Parameters
    ----------
    out, back : array_like
        Rates out of the initial state and back, >= 0, any shapes [1/s, or per t_D].
    time : array_like
        Time, >= 0, shape broadcast with the rates [s, or t_D].

    Returns
    -------
    ndarray
        k_out/(k_out + k_back) (1 - e^{-(k_out + k_back) t}), broadcast shape [1].

    Raises
    ------
    ParameterError
        If a rate or a time is negative.

    References
    ----------
    Gardiner, Stochastic Methods (2009), section 3.8, doi:10.1007/978-3-540-70712-7 (random
    telegraph process).

    Examples
    --------
    >>> flip_probability([1e-9, 1.0], [0.0, 1.0], [1.0, 100.0]).tolist()
    [9.999999995e-10, 0.5]
    """
    out = in_range("out", out, "1/s", above=0, inclusive=True)
    back = in_range("back", back, "1/s", above=0, inclusive=True)
    time = in_range("time", time, "s", above=0, inclusive=True)
    out, back, time = together(out=out, back=back, time=time)
    with np.errstate(over="ignore"):
        total = out + back
        share = np.divide(out, total, out=np.zeros(total.shape), where=total > 0)
        return np.asarray(share * -np.expm1(-total * time))


def retention_failure(mtj: MTJ, time: ArrayLike, state: str, temperature: float) -> Array:
    """Compute the probability that a stored bit flips by itself.

    Valid as the module says; Delta follows the temperature by `junction.thermal_scaling`.

    Parameters
    ----------
    mtj : MTJ
        The junction.
    time : array_like
        Storage time, >= 0, any shape [s].
    state : {"P", "AP"}
        The stored state.
    temperature : float
        Storage temperature, > 0 [K].

    Returns
    -------
    ndarray
        Probability per bit, shape of `time` [1].

    Raises
    ------
    ParameterError
        If the state is unknown or an argument is outside its range.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> ten_years = 10 * 365.25 * 86400
    >>> [f"{retention_failure(mtj, ten_years, 'AP', t):.1e}" for t in (300.0, 358.0)]
    ['1.2e-08', '1.8e-04']
    """
    known("state", state, STATES)
    in_range("temperature", temperature, "K", above=0, scalar=True)
    return read_disturb(
        at_temperature(mtj, temperature), 0.0, time, "P->AP" if state == "P" else "AP->P"
    )


def read_disturb(mtj: MTJ, current: ArrayLike, time: ArrayLike, direction: Direction) -> Array:
    """Compute the probability that a read current flips the bit it reads.

    Valid as the module says, for currents well below the critical one; Lambda, stray field and
    field-like torque of the record are taken into account, heating and VCMA are not.

    Parameters
    ----------
    mtj : MTJ
        The junction.
    current : array_like
        Read current: positive where it drives the write that `direction` names, negative where
        it stabilises; any shape [A].
    time : array_like
        Time that it flows, >= 0, shape broadcast with `current` [s].
    direction : {"P->AP", "AP->P"}
        The unwanted write: from the state that is read.

    Returns
    -------
    ndarray
        Probability per read, broadcast shape [1].

    Raises
    ------
    ParameterError
        If the direction is unknown or an argument is outside its range.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677; under a current: Taniguchi
    and Imamura, arXiv 1010.5845.

    Examples
    --------
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> [f"{p:.1e}" for p in read_disturb(mtj, [5e-6, 9e-6], 10e-9, "AP->P")]
    ['6.6e-14', '2.4e-07']
    """
    known("direction", direction, DIRECTIONS)
    current = in_range("current", current, "A")
    time = in_range("time", time, "s", above=0, inclusive=True)
    i = np.ravel(current) / mtj.i_c0(direction)
    h, a = seen_from_start(mtj, direction)
    drift = landscape.drift(i, h + mtj.h_field_like * i, a)
    out, back = rates_of_drift(drift, np.full(len(i), mtj.delta))
    shape = np.shape(current)
    return flip_probability(out.reshape(shape) / mtj.t_d, back.reshape(shape) / mtj.t_d, time)


def array_failure(probability: ArrayLike, bits: int, correctable: int = 0) -> Array:
    """Compute the probability that more bits of a word or array fail than can be corrected.

    Valid for bits that fail independently with the same (mean) probability.

    Parameters
    ----------
    probability : array_like
        Failure probability of one bit, in [0, 1], any shape [1].
    bits : int
        Number of bits, >= 1 [1].
    correctable : int, optional
        Number of failures that do no harm, >= 0 [1].

    Returns
    -------
    ndarray
        P(failures > correctable), binomial, shape of `probability` [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    Clopper and Pearson, Biometrika 26 (1934) 404, doi:10.1093/biomet/26.4.404 (binomial tail).

    Examples
    --------
    >>> [f"{p:.2e}" for p in array_failure([1e-9, 1e-6], 72, 1)]
    ['2.56e-15', '2.56e-09']
    """
    p = in_range("probability", probability, "1", above=0, below=1, inclusive=True)
    whole("bits", bits, least=1)
    whole("correctable", correctable, least=0)
    return np.asarray(stats.binom.sf(correctable, bits, p))
