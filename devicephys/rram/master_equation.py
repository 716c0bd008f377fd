"""Exact distribution of the filled sites of a filament: the master equation of its pulses.

With p_n the probability of n filled sites,

    dp_n/dt = (n+1) k_off(n+1) p_{n+1} + (N-n+1) k_on(n-1) p_{n-1}
              - (n k_off(n) + (N-n) k_on(n)) p_n,

a tridiagonal system with real eigenvalues <= 0. Its exponential is a sum over the poles of a
Talbot contour, one tridiagonal solution each; all devices are solved at once.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_banded

from devicephys.checks import Array, in_range, whole
from devicephys.errors import AccuracyError, ParameterError
from devicephys.parameters import INF
from devicephys.rram.filament import ROOM, Filament, barrier, check_drawn, conditions, rates

POLES, POLES_PER_SITE = 36, 0.28  # of the contour, with their mirror images: see `_contour`
MOST_SITES = 300  # beyond, round-off takes more than 1e-7
REACH = 5.0  # standard deviations of the barrier that a quadrature covers
TINY = 1e-300
LOST = 1e-6  # of a distribution, to round-off beside the fastest rates; more is refused
ROUND_OFF = 1e-12  # of a probability; what is below is not resolved


def filled(filament: Filament, n: ArrayLike) -> Array:
    """Give the distribution of devices that all have the same number of filled sites.

    Parameters
    ----------
    filament : Filament
        The devices, their fields of shape (n_devices,) or single numbers.
    n : array_like of int
        Filled sites, one number or shape (n_devices,) [1].

    Returns
    -------
    ndarray
        Probability of each number of filled sites, shape (N + 1, n_devices) [1].

    Raises
    ------
    ParameterError
        If `n` is no whole number in [0, N].

    References
    ----------
    This project's, docs/theory/filament.md.

    Examples
    --------
    >>> filled(Filament(3, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6), 2).ravel().tolist()
    [0.0, 0.0, 1.0, 0.0]
    """
    sites = np.atleast_1d(in_range("n", n, "1", above=0, below=filament.n_sites, inclusive=True))
    if np.any(sites != np.rint(sites)):
        raise ParameterError("n holds fractions", expected="whole numbers of filled sites")
    sites = np.broadcast_to(sites, filament.together(sites.shape))
    return np.asarray(np.arange(filament.n_sites + 1)[:, None] == sites, np.float64)


def propagate(
    filament: Filament, p: Array, voltage: float, pulse_width: float, *, n_pulses: int = 1,
    temperature: float = ROOM, i_max: float = INF,
) -> tuple[Array, Array]:  # fmt: skip
    """Carry the distribution of filled sites through pulses of one voltage.

    Valid as `filament.pulse`, whose exact law this is. Probabilities have an absolute error of
    1e-11 at 60 sites, 1e-10 at 120, 5e-9 at 200 and 2e-7 at 300; there are to be no more. Beside
    very fast sites the slow ones are known less well, to about 1e-17 of the largest rate times the
    duration.

    Parameters
    ----------
    filament : Filament
        The devices, their fields of shape (n_devices,) or single numbers.
    p : ndarray
        Distribution before, shape (N + 1, n_devices); columns may add up to less than one, and
        count by what they add up to [1].
    voltage : float
        Voltage across cell and transistor, positive for RESET [V].
    pulse_width : float
        Width of a pulse, > 0 [s].
    n_pulses : int, optional
        Number of pulses, >= 0 [1].
    temperature : float, optional
        Temperature of the surroundings, > 0 [K].
    i_max : float, optional
        Saturation current of the transistor, or compliance [A].

    Returns
    -------
    tuple of ndarray
        Distribution after, shape (N + 1, n_devices) [1]; mean energy of all pulses together, in
        cell and transistor, shape (n_devices,) [J].

    Raises
    ------
    ParameterError
        If an argument is outside its range, `p` has another shape, spreads were not drawn, or
        there are too many sites.
    AccuracyError
        If the rates are so fast that round-off loses part of the distribution.

    References
    ----------
    Trefethen, Weideman and Schmelzer, BIT 46 (2006) 653, doi:10.1007/s10543-006-0077-9 (contour).

    Examples
    --------
    >>> cell = Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6)
    >>> p, energy = propagate(cell, filled(cell, 60), 1.0, 200e-9)
    >>> round(float(np.arange(61) @ p[:, 0]), 2), f"{energy[0]:.2e}"
    (24.75, '2.37e-11')
    """
    in_range("pulse_width", pulse_width, "s", above=0, scalar=True)
    in_range("voltage", voltage, "V", scalar=True)
    p = in_range("p", p, "1", above=-ROUND_OFF, below=1 + 1e-9)
    duration = whole("n_pulses", n_pulses, least=0) * pulse_width
    check_drawn(filament)
    size = filament.shape
    if p.ndim != 2 or len(p) != filament.n_sites + 1 or size not in ((), (1,), p.shape[1:]):
        raise ParameterError(
            f"p of shape {p.shape}",
            expected=f"({filament.n_sites + 1}, {size[0] if size else 'n_devices'})",
        )
    if filament.n_sites > MOST_SITES:
        raise ParameterError(
            f"n_sites = {filament.n_sites}", expected=f"at most {MOST_SITES} for a distribution",
            remedy="filament.pulse draws, rate_equation.mean_sites gives the mean",
        )  # fmt: skip
    if not duration:
        return p.copy(), np.zeros(p.shape[1])
    n = np.arange(filament.n_sites + 1.0)[:, None]
    k_off, k_on = rates(filament, n, voltage, temperature=temperature, i_max=i_max)
    down, up = (
        np.broadcast_to(x * duration, p.shape) for x in (n * k_off, (filament.n_sites - n) * k_on)
    )
    after, share = _exponential(down, up, p)
    current = conditions(filament, n, voltage, temperature=temperature, i_max=i_max)[1]
    return after, abs(voltage) * duration * (abs(current) * share).sum(axis=0)


def _exponential(down: Array, up: Array, p: Array) -> tuple[Array, Array]:
    """exp(Q) p and the mean of exp(Q s) p over s in (0, 1), for rates times time, by columns."""
    shape = p.T.shape  # devices first: each is one block of a banded system
    z, weight = _contour(2 * round((POLES + POLES_PER_SITE * (shape[1] - 1)) / 2))
    above, below = np.zeros(shape), np.zeros(shape)
    above[:, 1:], below[:, :-1] = -down.T[:, 1:], -up.T[:, :-1]
    banded = np.empty((3, len(z), *shape), np.complex128)
    banded[0], banded[2] = above, below
    banded[1] = z[:, None, None] + (down + up).T
    right = np.broadcast_to(p.T, (len(z), *shape)).astype(np.complex128)
    x = solve_banded(
        (1, 1), banded.reshape(3, -1), right.ravel(), overwrite_ab=True, overwrite_b=True,
        check_finite=False,
    ).reshape(len(z), *shape)  # fmt: skip
    after = np.einsum("k,kdn->nd", weight, x).real
    share = np.einsum("k,kdn->nd", weight / z, x).real
    # Round-off of both signs: taken off, and the sum, which the equation conserves, put right.
    total = p.sum(axis=0)
    lost = max(float(np.abs(x.sum(axis=0) - total).max()) for x in (after, share))
    if not lost <= LOST:
        raise AccuracyError(
            f"rates times time of {float((down + up).max()):.2g} lose {lost:.2g} of a distribution",
            expected=f"at most {LOST:g}", remedy="shorter pulses, or filament.pulse, which draws",
        )  # fmt: skip
    after, share = np.maximum(after, 0.0), np.maximum(share, 0.0)
    after *= total / np.maximum(after.sum(axis=0), TINY)
    share *= total / np.maximum(share.sum(axis=0), TINY)
    return after, share


def _contour(poles: int) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Poles z_k of the upper half plane and weights w_k with exp(x) = Re sum w_k/(z_k - x).

    For a number x the error falls as 3.9^-poles. But where many sites empty in a row the resolvent
    is large far off the eigenvalues (28 poles are 1e-3 off for 60 sites), and the contour has to
    keep away from them: the more sites, the more poles, and the more round-off.
    """
    angle = (np.arange(poles // 2) + 0.5) * 2 * np.pi / poles
    turn = 0.6407 * angle
    z = poles * (0.5017 * angle / np.tan(turn) - 0.6122 + 0.2645j * angle)
    slope = poles * (0.5017 * (1 / np.tan(turn) - turn / np.sin(turn) ** 2) + 0.2645j)
    return z, np.exp(z) * slope * 2 / (1j * poles)


def quadrature(filament: Filament, n_nodes: int = 81) -> tuple[Filament, Array]:
    """Stand for the spread of barriers by a few devices with weights.

    Valid for smooth functions of the barrier. Distribution functions of filled sites, averaged over
    devices, are within 4e-4 for spreads of 0.6 with 81 nodes and within 1e-6 for 0.3 (with 41:
    7e-3 and 7e-5), at e_a = 1 eV and e_min = 0.6 eV; error rates of 1e-3 within 0.2 % (41: 3 %).

    Parameters
    ----------
    filament : Filament
        The median device and its spreads; between devices and between cycles count together.
    n_nodes : int, optional
        Number of nodes, >= 1 [1].

    Returns
    -------
    tuple of Filament and ndarray
        Devices with `e_a` of shape (n_nodes,); their weights, shape (n_nodes,) [1].

    References
    ----------
    Trapezoidal rule out to 5 standard deviations, exponentially accurate for a Gaussian weight:
    Trefethen and Weideman, SIAM Rev. 56 (2014) 385, doi:10.1137/130932132.

    Examples
    --------
    >>> cell = Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6, sigma_e=0.09)
    >>> nodes, weight = quadrature(cell)
    >>> x = np.log(nodes.e_a / 0.93)
    >>> round(float(weight @ x), 6), round(float(weight @ x**2), 6)
    (0.0, 0.0081)
    """
    sigma = float(np.hypot(filament.sigma_e, filament.sigma_e_cycle))
    e_a = in_range("e_a", filament.e_a, "eV", scalar=True)
    count = whole("n_nodes", n_nodes, least=1) if sigma else 1
    x = np.linspace(-REACH, REACH, count) if count > 1 else np.zeros(1)
    weight = np.exp(-(x**2) / 2)
    made = replace(filament, e_a=barrier(filament, e_a, sigma * x), sigma_e=0.0, sigma_e_cycle=0.0)
    return made, weight / weight.sum()
