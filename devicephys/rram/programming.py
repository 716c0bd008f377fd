"""States of filament cells after programming: distributions of ln R over devices and noise.

What a table, a fit and a report need of the model: carry devices through a staircase or a train of
pulses (`master_equation`), and turn filled sites into resistance as it is read.
"""

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import Array, in_range
from devicephys.errors import AccuracyError, ParameterError
from devicephys.parameters import INF
from devicephys.rram.filament import ROOM, Filament, resistance
from devicephys.rram.master_equation import filled, propagate, quadrature
from devicephys.rram.mixture import Mixture
from devicephys.rram.read_noise import ReadNoise, read_sigma
from devicephys.rram.relaxation import Relaxation, relaxation_mean, relaxation_sigma
from devicephys.rram.write_verify import WriteVerify, acceptance, write_verify

HALF_LEVEL = 12**-0.5  # standard deviation of a number rounded to a whole one


def staircase(
    filament: Filament, voltages: Array, pulse_width: float, *, temperature: float = ROOM,
    i_max: float = INF,
) -> tuple[Array, Array]:  # fmt: skip
    """Carry devices with all sites filled through a staircase of pulses.

    Valid as `master_equation.propagate`.

    Parameters
    ----------
    filament : Filament
        The devices, `e_a` of shape (n_devices,) or one number.
    voltages : ndarray
        Voltage of each pulse in its order, positive for RESET, shape (n_pulses,) [V].
    pulse_width : float
        Width of every pulse, > 0 [s].
    temperature : float, optional
        Temperature of the surroundings, > 0 [K].
    i_max : float, optional
        Saturation current of the transistor, or compliance [A].

    Returns
    -------
    tuple of ndarray
        Distribution of filled sites after each pulse, shape (n_pulses, N + 1, n_devices) [1], and
        mean energy of each pulse, shape (n_pulses, n_devices) [J].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    This project's, docs/theory/filament.md.

    Examples
    --------
    >>> cell = Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6)
    >>> p, energy = staircase(cell, np.array([0.8, 1.0]), 200e-9)
    >>> (np.arange(61) @ p[:, :, 0].T).round(1).tolist()
    [58.2, 24.6]
    """
    voltages = np.atleast_1d(in_range("voltages", voltages, "V"))
    p = filled(filament, filament.n_sites)
    after, energy = np.empty((len(voltages), *p.shape)), np.empty((len(voltages), p.shape[1]))
    for k, voltage in enumerate(voltages):
        after[k], energy[k] = p, _ = propagate(
            filament, p, float(voltage), pulse_width, temperature=temperature, i_max=i_max
        )
    return after, energy


def read_spread(noise: ReadNoise, r: ArrayLike) -> Array:
    """Compute how far single reads of ln R scatter about a typical state of a resistance.

    Valid for the bulk, as `level_spread`. Outside the measured range the noise is that at its end.

    Parameters
    ----------
    noise : ReadNoise
        Read-to-read noise; a single read has its robust sigma over sqrt 2.
    r : array_like
        Resistance, > 0, any shape [Ohm].

    Returns
    -------
    ndarray
        Standard deviation of ln R, shape of `r` [1].

    References
    ----------
    This project's count of the data of doi:10.1109/TED.2021.3097975.

    Examples
    --------
    >>> from devicephys.rram.read_noise import measured_hfo2
    >>> read_spread(measured_hfo2(), [6e3, 3e4]).round(4).tolist()
    [0.0023, 0.0468]
    """
    return np.asarray(read_sigma(np.clip(r, noise.r_min, noise.r_max), noise) / np.sqrt(2))


def level_spread(filament: Filament, noise: ReadNoise, sigma_lrs: float) -> Array:
    """Compute how far reads of ln R scatter about each number of filled sites.

    Read noise, the spread of the LRS (a common factor of all levels) and the width of a level: a
    vacancy conducts neither all nor nothing, so a level stands for the half site on either side.
    Valid for the bulk: the noise is that of a typical state, Gaussian, and its heavy tails, by
    noisy states, are left out.

    Parameters
    ----------
    filament : Filament
        The cell.
    noise : ReadNoise
        Read-to-read noise.
    sigma_lrs : float
        Standard deviation of ln R in the LRS as it is read, >= 0 [1].

    Returns
    -------
    ndarray
        Standard deviation of ln R by number of filled sites, shape (N + 1,) [1].

    Raises
    ------
    ParameterError
        If `sigma_lrs` is negative, or resistances differ from device to device.

    References
    ----------
    This project's, docs/theory/filament.md; noise counted from doi:10.1109/TED.2021.3097975.

    Examples
    --------
    >>> from devicephys.rram.read_noise import measured_hfo2
    >>> cell = Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6)
    >>> level_spread(cell, measured_hfo2(), 0.02)[[60, 10]].round(3).tolist()
    [0.02, 0.049]
    """
    in_range("sigma_lrs", sigma_lrs, "1", above=0, inclusive=True)
    _refuse_several(filament)
    r = resistance(filament, np.arange(filament.n_sites + 1.0))
    read = read_spread(noise, r)
    step = filament.g_site * (r - filament.r_s) ** 2 / r  # d ln R/dn
    width = HALF_LEVEL * np.minimum(step, 1.0)
    return np.asarray(np.sqrt(read**2 + sigma_lrs**2 + width**2))


def state(filament: Filament, p: Array, weight: Array, sigma: Array) -> Mixture:
    """Give the distribution of ln R that a distribution of filled sites reads as.

    Parameters
    ----------
    filament : Filament
        The devices; they may differ in barriers alone.
    p : ndarray
        Distribution of filled sites, shape (N + 1, n_devices) [1].
    weight : ndarray
        Weights of the devices, shape (n_devices,) [1].
    sigma : ndarray
        Standard deviation of ln R by filled sites, as `level_spread` gives, shape (N + 1,) [1].

    Returns
    -------
    Mixture
        The distribution.

    Raises
    ------
    ParameterError
        If resistances differ from device to device.

    References
    ----------
    This project's, docs/theory/filament.md.

    Examples
    --------
    >>> from devicephys.rram.mixture import moments
    >>> cell = Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6)
    >>> full = state(cell, filled(cell, 60), np.ones(1), np.full(61, 0.02))
    >>> [round(x, 4) for x in moments(full)]
    [8.6995, 0.02]
    """
    _refuse_several(filament)
    total = p @ weight
    x = np.log(resistance(filament, np.arange(filament.n_sites + 1.0)))
    return Mixture(x, total / total.sum(), sigma)


def _refuse_several(filament: Filament) -> None:
    if any(np.ndim(x) for x in (filament.r_on, filament.r_s, filament.g_gap)):
        raise ParameterError(
            "resistances that differ from device to device", expected="one r_on, r_s and g_gap",
            remedy="pool the states of the devices with mixture.pool",
        )  # fmt: skip


def aged(fresh: Mixture, time: float, law: Relaxation) -> Mixture:
    """Let a distribution of ln R relax after programming.

    Valid for changes of conductance well below the conductance itself, within the levels and times
    that the law was measured at. A law fitted to single reads, as `technology_c`, holds their
    noise, which then counts twice: the result errs to the wide side, by 16 % after 10 ms at 20 uS
    and by less later.

    Parameters
    ----------
    fresh : Mixture
        The distribution just after programming.
    time : float
        Time since, >= 0 [s].
    law : Relaxation
        How conductance relaxes; every level of `fresh` has to be among its levels.

    Returns
    -------
    Mixture
        The distribution after `time`.

    Raises
    ------
    ParameterError
        If a level or the time lies outside those of the law.
    AccuracyError
        If the spread exceeds a third of a level's conductance.

    References
    ----------
    This project's, docs/theory/read_noise.md.

    Examples
    --------
    >>> from devicephys.rram.mixture import log_normal, moments
    >>> from devicephys.rram.relaxation import technology_c
    >>> later = aged(log_normal(np.log(50e3), 0.05), 1e5, technology_c())
    >>> [round(x, 3) for x in moments(later)]
    [10.908, 0.222]
    """
    conductance = np.exp(-fresh.x)
    mean = conductance + relaxation_mean(conductance, time, law)
    sigma = relaxation_sigma(conductance, time, law)
    if np.any(sigma > mean / 3):
        k = int(np.argmax(sigma - mean / 3))
        raise AccuracyError(
            f"conductance of {mean[k]:.3g} S with a spread of {sigma[k]:.3g} S after {time:g} s",
            expected="a spread below a third of it", remedy="a shorter time or a lower resistance",
        )  # fmt: skip
    return Mixture(-np.log(mean), fresh.weight, np.hypot(fresh.sigma, sigma / mean))


def write_verify_reset(
    filament: Filament, voltage: float, pulse_width: float, target: float, sigma: Array, n_max: int,
    *, read_voltage: float = 0.2, read_time: float = 0.0, temperature: float = ROOM,
    i_max: float = INF,
) -> tuple[WriteVerify, Mixture]:  # fmt: skip
    """Pulse cells until a verify read finds them above a target resistance.

    Valid as `master_equation.propagate`; reads are independent of each other.

    Parameters
    ----------
    filament : Filament
        The median device and its spreads.
    voltage : float
        Voltage of every pulse, positive for RESET [V].
    pulse_width : float
        Width of every pulse, > 0 [s].
    target : float
        Resistance above which a cell is accepted, > 0 [Ohm].
    sigma : ndarray
        Standard deviation of ln R of a read by filled sites, shape (N + 1,) [1].
    n_max : int
        Largest number of pulses [1].
    read_voltage, read_time : float, optional
        Voltage [V] and duration of a verify read, which costs V^2 t/R [s].
    temperature : float, optional
        Temperature of the surroundings, > 0 [K].
    i_max : float, optional
        Saturation current of the transistor, or compliance [A].

    Returns
    -------
    tuple of WriteVerify and Mixture
        Pulse counts and energies, levels of all devices together one after the other; and the
        distribution of ln R of all cells at the end, accepted or not.

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    This project's, docs/theory/cells.md.

    Examples
    --------
    >>> cell = Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6, sigma_e=0.09)
    >>> loop, _ = write_verify_reset(cell, 0.9, 200e-9, 10e3, np.full(61, 0.02), 20)
    >>> round(loop.mean_pulses, 2), round(loop.never, 4)
    (8.67, 0.2151)
    """
    nodes, weight = quadrature(filament)
    x = np.log(resistance(filament, np.arange(filament.n_sites + 1.0)))
    shape = (len(x), len(weight))

    def step(p: Array) -> tuple[Array, float]:
        after, energy = propagate(
            nodes, p.reshape(shape), voltage, pulse_width, temperature=temperature, i_max=i_max
        )
        return after.ravel(), float(energy.sum())

    in_range("target", target, "Ohm", above=0, scalar=True)
    in_range("read_voltage", read_voltage, "V", scalar=True)
    in_range("read_time", read_time, "s", above=0, inclusive=True, scalar=True)
    if np.shape(sigma) != x.shape:
        raise ParameterError(f"sigma of shape {np.shape(sigma)}", expected=f"{x.shape}")
    accept = acceptance(x, sigma, float(np.log(target)))
    each = np.repeat(accept, shape[1])
    read = np.repeat(read_voltage**2 * read_time * np.exp(-x), shape[1])
    loop = write_verify((filled(nodes, filament.n_sites) * weight).ravel(), step, each, n_max, read)
    total = (loop.states_accepted + loop.states_never).reshape(shape).sum(axis=1)
    return loop, Mixture(x, total / total.sum(), sigma)
