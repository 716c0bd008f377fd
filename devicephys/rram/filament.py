"""Stochastic filament: a constriction of N sites that vacancies leave and fill one by one.

With n of N sites filled the cell has

    R = R_s + 1/(n g_0 + g_gap),   V_f = I (R - R_s),   T = T_0 + R_th I V_f,

I being V/R or what the transistor lets through, and each site changes at the rates

    k_off = nu exp(-(E_d - a_off V_f)/k_B T),   k_on = nu exp(-(E_d + d_E + a_on V_f)/k_B T),

barriers below zero counting as zero. V > 0 is RESET, V < 0 is SET. Barriers E_d differ from device
to device, and from one SET to the next: above a floor E_min they are log-normal about E_a, so that
a few devices hardly reset.

As long as n stays, so do the rates: a pulse is a Markov chain of births and deaths. It is drawn
here (`pulse`), solved for its whole distribution in `master_equation`, and for its mean in
`rate_equation`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from devicephys.checks import ZERO, Array, generator, in_range, whole
from devicephys.constants import E_CHARGE, K_B
from devicephys.errors import AccuracyError, ParameterError
from devicephys.parameters import INF, check_record, parameter

ROOM = 300.0  # K, the temperature at which everything was measured so far
LEAP = 0.05  # change of ln k that one leap may bring about
FEW = 10.0  # events: below so many in a leap, they are drawn one by one
BLOCK = 8192  # devices
MOST = 10_000_000  # events and leaps of a device: a second of work for each that needs them
MOST_SITES = 10_000
PER_DEVICE = ("r_on", "r_s", "g_gap", "e_a", "d_e", "a_off", "a_on", "r_th")
HAS_NUMBA = find_spec("numba") is not None
Counts = NDArray[np.int64]
Value = float | Array  # one for all devices, or one a device


@dataclass(frozen=True, eq=False)
class Filament:
    """Filament of a resistive cell behind its access transistor.

    From `r_on` to `r_th` a field may hold one value a device instead, shape (n_devices,).

    Attributes
    ----------
    n_sites : int
        Sites N of the constriction [1].
    r_on : float or ndarray
        Resistance of cell and transistor with all sites filled [Ohm].
    r_s : float or ndarray
        The part of it in series with the constriction, below `r_on` [Ohm].
    g_gap : float or ndarray
        Conductance of the empty constriction [S].
    e_a : float or ndarray
        Barrier of a filled site at zero field, of the median device [eV].
    d_e : float or ndarray
        What the barrier of an empty site is higher by [eV].
    a_off, a_on : float or ndarray
        Lowering of the barrier that a vacancy leaves over, and raising of the one that it comes
        back over, by the voltage across the constriction, in elementary charges [1].
    r_th : float or ndarray
        Thermal resistance [K/W].
    e_min : float
        Floor of the barriers, below `e_a`; far below it they are normal [eV].
    sigma_e : float
        Standard deviation of ln(E_d - `e_min`) from device to device [1].
    sigma_e_cycle : float
        Standard deviation of ln(E_d - `e_min`) from one SET of a device to the next [1].
    nu : float
        Attempt frequency [Hz].
    """

    n_sites: int = parameter("1", "N", above=0, below=MOST_SITES + 1)
    r_on: Value = parameter("Ohm", "R_{on}")
    r_s: Value = parameter("Ohm", "R_s")
    g_gap: Value = parameter("S", "g_{gap}")
    e_a: Value = parameter("eV", "E_a")
    d_e: Value = parameter("eV", "d_E", above=-INF)
    a_off: Value = parameter("1", "a_{off}", above=-INF)
    a_on: Value = parameter("1", "a_{on}", above=-INF)
    r_th: Value = parameter("K/W", "R_{th}")
    e_min: float = parameter("eV", "E_{min}", above=-INF, default=0.0)
    sigma_e: float = parameter("1", r"\sigma_E", above=-ZERO, default=0.0)
    sigma_e_cycle: float = parameter("1", r"\sigma_{E,c}", above=-ZERO, default=0.0)
    nu: float = parameter("Hz", r"\nu", default=1e13)

    def __post_init__(self) -> None:
        whole("Filament.n_sites", self.n_sites, least=1)
        check_record(self)
        for name in ("e_min", "sigma_e", "sigma_e_cycle", "nu"):
            in_range(f"Filament.{name}", getattr(self, name), "1", scalar=True)
        self.together()
        r_on, r_s = np.asarray(self.r_on), np.asarray(self.r_s)
        if np.any(np.asarray(self.e_a) < self.e_min):
            raise ParameterError(f"Filament.e_min = {self.e_min:g} eV", expected="below e_a")
        if np.any(r_s >= r_on) or np.any(np.asarray(self.g_gap) * (r_on - r_s) >= 1):
            raise ParameterError(
                "Filament: series resistance or gap leave nothing for the sites",
                expected="r_s < r_on and g_gap < 1/(r_on - r_s)",
                remedy="g_gap is a conductance in siemens, the resistances are in ohm",
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape that all fields have together: (), or (n_devices,)."""
        return np.broadcast_shapes(*(np.shape(getattr(self, name)) for name in PER_DEVICE))

    def together(self, *others: tuple[int, ...]) -> tuple[int, ...]:
        """Shape (n_devices,) of the fields and other arrays."""
        own = {name: np.shape(getattr(self, name)) for name in PER_DEVICE}
        try:
            size = np.broadcast_shapes((1,), *own.values(), *others)
        except ValueError:
            size = ()
        if len(size) != 1:
            shapes = ", ".join(f"{k} {v}" for k, v in own.items() if v)
            raise ParameterError(
                f"Filament: {shapes or 'single numbers'}" + "".join(f", n {x}" for x in others),
                expected="one number, or as many as there are devices, shape (n_devices,)",
            )
        return size

    @property
    def g_site(self) -> Array:
        """Conductance of one site [S]."""
        r_on, r_s = np.asarray(self.r_on, np.float64), np.asarray(self.r_s, np.float64)
        return np.asarray((1 / (r_on - r_s) - np.asarray(self.g_gap)) / self.n_sites)


def devices(filament: Filament, n: int, rng: np.random.Generator) -> Filament:
    """Draw devices: the same filament, with a barrier of its own for each of them.

    Parameters
    ----------
    filament : Filament
        The median device; its `e_a` is one number.
    n : int
        Number of devices [1].
    rng : numpy.random.Generator
        Source of the barriers.

    Returns
    -------
    Filament
        The devices: `e_a` of shape (n,), no more spread between them.

    References
    ----------
    This project's law of barriers, docs/theory/filament.md.

    Examples
    --------
    >>> made = devices(Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6, sigma_e=0.09), 4,
    ...                np.random.default_rng(1))
    >>> np.round(made.e_a, 3).tolist()
    [0.959, 1.001, 0.958, 0.827]
    """
    e_a = in_range("e_a", filament.e_a, "eV", scalar=True)
    z = generator(rng).standard_normal(whole("n", n, least=1))
    return replace(filament, e_a=barrier(filament, e_a, filament.sigma_e * z), sigma_e=0.0)


def formed(filament: Filament, rng: np.random.Generator) -> Filament:
    """Draw what the SET of each device has made of its barrier.

    Parameters
    ----------
    filament : Filament
        The devices.
    rng : numpy.random.Generator
        Source of the barriers.

    Returns
    -------
    Filament
        The devices in this cycle, no more spread to come.

    References
    ----------
    This project's law of barriers, docs/theory/filament.md.

    Examples
    --------
    >>> one = Filament(60, 6e3, 2.6e3, 3e-6, np.ones(2), 0.1, 0.2, 0.1, 4e6, sigma_e_cycle=0.05)
    >>> np.round(formed(one, np.random.default_rng(1)).e_a, 3).tolist()
    [1.017, 1.042]
    """
    z = generator(rng).standard_normal(filament.shape)
    moved = barrier(filament, filament.e_a, filament.sigma_e_cycle * z)
    return replace(filament, e_a=moved, sigma_e_cycle=0.0)


def check_drawn(filament: Filament) -> None:
    """Refuse a filament whose spreads nobody has drawn: they would be left out without a word.

    Parameters
    ----------
    filament : Filament
        The devices.

    Raises
    ------
    ParameterError
        If a spread is not zero.

    References
    ----------
    This project's law of barriers, docs/theory/filament.md.

    Examples
    --------
    >>> check_drawn(Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6))
    """
    for name in ("sigma_e", "sigma_e_cycle"):
        if getattr(filament, name):
            raise ParameterError(
                f"Filament.{name} = {getattr(filament, name):g}", expected="0: a spread was drawn",
                remedy="filament.devices and filament.formed draw devices and cycles, "
                "master_equation.quadrature stands for both",
            )  # fmt: skip


def barrier(filament: Filament, e_a: ArrayLike, shift: ArrayLike) -> Array:
    """Compute the barrier that lies a logarithmic shift away from another one.

    Parameters
    ----------
    filament : Filament
        The filament, for its floor of barriers.
    e_a : array_like
        Barrier to start from, any shape [eV].
    shift : array_like
        Shift of ln(E - E_min), shape broadcast with `e_a` [1].

    Returns
    -------
    ndarray
        E_min + (e_a - E_min) exp(shift), broadcast shape [eV].

    References
    ----------
    This project's law, which measured ramps ask for: docs/theory/filament.md.

    Examples
    --------
    >>> cell = Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6, e_min=0.6)
    >>> barrier(cell, 0.93, [-0.5, 0.0, 0.5]).round(3).tolist()
    [0.8, 0.93, 1.144]
    """
    return np.asarray(filament.e_min + (np.asarray(e_a) - filament.e_min) * np.exp(shift))


def resistance(filament: Filament, n: ArrayLike) -> Array:
    """Compute the resistance of a cell with some of its sites filled.

    Parameters
    ----------
    filament : Filament
        The cell.
    n : array_like
        Filled sites, from 0 to N, any shape that broadcasts with the devices [1].

    Returns
    -------
    ndarray
        Resistance of cell and transistor, broadcast shape [Ohm].

    Raises
    ------
    ParameterError
        If a number of sites is outside [0, N].

    References
    ----------
    Parallel conduction through independent sites; this project's, docs/theory/filament.md.

    Examples
    --------
    >>> cell = Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6)
    >>> resistance(cell, [60, 10, 0]).round().tolist()
    [6000.0, 22010.0, 335933.0]
    """
    n = in_range("n", n, "1", above=0, below=filament.n_sites, inclusive=True)
    return np.asarray(filament.r_s + 1 / (n * filament.g_site + filament.g_gap))


def conditions(
    filament: Filament, n: ArrayLike, voltage: ArrayLike, *, temperature: float = ROOM,
    i_max: float = INF,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Compute voltage and temperature of the constriction, and the current, under a pulse.

    Valid where heat spreads faster than sites change (nanoseconds); the transistor is a series
    resistance up to the current at which it saturates.

    Parameters
    ----------
    filament : Filament
        The cell.
    n : array_like
        Filled sites, any shape that broadcasts with the devices [1].
    voltage : array_like
        Voltage across cell and transistor, positive for RESET, shape broadcast with `n` [V].
    temperature : float, optional
        Temperature of the surroundings, > 0 [K].
    i_max : float, optional
        Saturation current of the transistor, or compliance, > 0 [A].

    Returns
    -------
    tuple of ndarray
        Voltage across the constriction [V], current [A] and temperature, broadcast shapes [K].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    This project's, docs/theory/filament.md: voltage divider and Joule heating as in the model of
    Bocquet et al., IEEE Trans. Electron Devices 61(3), 2014.

    Examples
    --------
    >>> cell = Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6)
    >>> v_f, current, kelvin = conditions(cell, 60, 1.0)
    >>> round(float(v_f), 3), round(float(current), 6), round(float(kelvin))
    (0.567, 0.000167, 678)
    """
    r = resistance(filament, n)
    in_range("temperature", temperature, "K", above=0, scalar=True)
    if not (isinstance(i_max, int | float | np.number) and i_max > 0):
        raise ParameterError(f"i_max = {i_max} A", expected="> 0, infinite without a limit")
    current = np.clip(in_range("voltage", voltage, "V") / r, -i_max, i_max)
    v_f = current * (r - filament.r_s)
    return v_f, current, temperature + filament.r_th * current * v_f


def rates(
    filament: Filament, n: ArrayLike, voltage: ArrayLike, *, temperature: float = ROOM,
    i_max: float = INF,
) -> tuple[Array, Array]:  # fmt: skip
    """Compute the rates at which one filled site empties and one empty site fills.

    Valid for barriers well above k_B T; a barrier that the field has taken away leaves the attempt
    frequency.

    Parameters
    ----------
    filament, n, voltage, temperature, i_max
        As for `conditions`.

    Returns
    -------
    tuple of ndarray
        Rates k_off and k_on of a site, broadcast shapes [1/s].

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    This project's, docs/theory/filament.md: Arrhenius rates with barriers linear in the voltage,
    the stochastic counterpart of Bocquet et al., IEEE Trans. Electron Devices 61(3), 2014.

    Examples
    --------
    >>> cell = Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6)
    >>> k_off, k_on = rates(cell, 60, 1.0)
    >>> f"{k_off:.2e} {k_on:.2e}"
    '8.46e+06 8.31e+04'
    """
    beta, off, on = _landscape(filament, n, voltage, temperature, i_max)
    e_a = np.asarray(filament.e_a)
    return (
        filament.nu * np.exp(-beta * np.maximum(e_a - off, 0)),
        filament.nu * np.exp(-beta * np.maximum(e_a + on, 0)),
    )


def _landscape(
    filament: Filament, n: ArrayLike, voltage: ArrayLike, temperature: float, i_max: float
) -> tuple[Array, Array, Array]:
    """1/k_B T [1/eV], and what either barrier differs from E_d by [eV]: no barriers in them yet."""
    v_f, _, kelvin = conditions(filament, n, voltage, temperature=temperature, i_max=i_max)
    beta = E_CHARGE / (K_B * kelvin)
    return beta, np.asarray(filament.a_off * v_f), np.asarray(filament.d_e + filament.a_on * v_f)


def pulse(
    filament: Filament, n: ArrayLike, voltage: float, pulse_width: float,
    rng: np.random.Generator, *, n_pulses: int = 1, temperature: float = ROOM, i_max: float = INF,
    leap: float = LEAP,
) -> Counts:  # fmt: skip
    """Draw the filled sites after pulses of one voltage.

    Valid for square pulses far longer than the thermal time; without memory between pulses, so
    that n_pulses of one width are one pulse of their total width. Sites change one by one at
    exponential times, exactly, where a leap would hold few events; elsewhere, for hundreds of sites
    and more, a leap takes all that happen while ln k changes by less than `leap`, with the exact
    binomial law of the rates in its middle. The mean is then off by a term of second order in
    `leap`.

    Parameters
    ----------
    filament : Filament
        The devices; see `devices` and `formed`.
    n : array_like of int
        Filled sites before, one number or shape (n_devices,) [1].
    voltage : float
        Voltage across cell and transistor, positive for RESET [V].
    pulse_width : float
        Width of a pulse, > 0 [s].
    rng : numpy.random.Generator
        Source of everything random.
    n_pulses : int, optional
        Number of pulses, >= 0 [1].
    temperature : float, optional
        Temperature of the surroundings, > 0 [K].
    i_max : float, optional
        Saturation current of the transistor, or compliance [A].
    leap : float, optional
        Change of ln k that one leap may bring about, in (0, 1) [1].

    Returns
    -------
    ndarray of int
        Filled sites after the pulses, shape (n_devices,) [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range or no whole number, or a spread was not drawn.
    AccuracyError
        If a device needs more than ten million events.

    References
    ----------
    Gillespie, J. Phys. Chem. 81 (1977) 2340, doi:10.1021/j100540a008; Cao, Gillespie and Petzold,
    J. Chem. Phys. 124 (2006) 044109, doi:10.1063/1.2159468 (choice of leaps).

    Examples
    --------
    >>> cell = Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6, sigma_e=0.09)
    >>> rng = np.random.default_rng(1)
    >>> made = devices(cell, 1000, rng)
    >>> after = pulse(made, 60, 1.0, 200e-9, rng)
    >>> int(np.median(resistance(made, after)).round(-2))
    11000
    """
    generator(rng)
    in_range("voltage", voltage, "V", scalar=True)
    in_range("pulse_width", pulse_width, "s", above=0, scalar=True)
    in_range("leap", leap, "1", above=0, below=1, scalar=True)
    duration = whole("n_pulses", n_pulses, least=0) * pulse_width
    check_drawn(filament)
    start = in_range("n", n, "1", above=0, below=filament.n_sites, inclusive=True)
    if np.any(start != np.rint(start)):
        raise ParameterError("n holds fractions", expected="whole numbers of filled sites")
    size = filament.together(start.shape)
    sites = np.broadcast_to(start, size).astype(np.int64)
    advance = _advance_numpy
    if HAS_NUMBA:
        from devicephys.rram import filament_numba  # compiled at first use

        advance = filament_numba.advance
    e_a = np.broadcast_to(np.asarray(filament.e_a, np.float64), size)
    for first in range(0, size[0], BLOCK):
        part = slice(first, first + BLOCK)
        shared = _part(filament, part)
        states = np.arange(filament.n_sites + 1.0)[:, None]
        table = np.stack(_landscape(shared, states, voltage, temperature, i_max))
        if not advance(sites[part], e_a[part], table, duration, filament.nu, leap, FEW, MOST, rng):
            raise AccuracyError(
                f"more than {MOST} events in one device", expected="sites slower than that",
                remedy="a shorter pulse; master_equation.propagate does not count events",
            )  # fmt: skip
    return sites


def _part(filament: Filament, part: slice) -> Filament:
    """Some of the devices, with one barrier for all: the table of a pulse does not need it."""
    own: dict[str, Any] = {k: np.asarray(getattr(filament, k)) for k in PER_DEVICE if k != "e_a"}
    own = {k: x[part] for k, x in own.items() if x.size > 1}
    return replace(filament, e_a=max(filament.e_min, 0.0) + 1.0, **own)


def _advance_numpy(
    n: Counts, e_a: Array, table: Array, duration: float, nu: float, leap: float, few: float,
    most: int, rng: np.random.Generator,
) -> bool:  # fmt: skip
    """Carry devices through a pulse, in place: the reference of `filament_numba.advance`."""
    last = len(table[0]) - 1
    wide = table.shape[2] > 1
    left = np.full(len(n), duration)
    active = np.arange(len(n))
    for _ in range(most):
        if not active.size:
            return True
        now, e, t = n[active], e_a[active], left[active]
        column = active if wide else np.zeros(len(active), np.int64)

        def log_rates(sites: Counts, e: Array = e, column: Counts = column) -> tuple[Array, Array]:
            beta, off, on = table[:, sites, column]
            return -beta * np.maximum(e - off, 0), -beta * np.maximum(e + on, 0)

        log_off, log_on = log_rates(now)
        k_off, k_on = nu * np.exp(log_off), nu * np.exp(log_on)
        down, up = now * k_off, (last - now) * k_on
        total = down + up
        next_off, next_on = log_rates(np.where(down > up, now - 1, now + 1).clip(0, last))
        slope = np.maximum(abs(next_off - log_off), abs(next_on - log_on))
        step = np.minimum(_longest(total, abs(up - down), leap / np.maximum(slope, 1e-12)), t)
        single = total * step < few
        wait = rng.standard_exponential(len(active)) / np.maximum(total, 1e-300)
        taken = np.where(single, np.minimum(wait, t), step)
        falls = rng.random(len(active)) * total < down
        event = np.where(wait < t, np.where(falls, -1, 1), 0)
        moved = np.where(single, event, 0)
        if not single.all():
            leaps = ~single
            rates_at = partial(log_rates, e=e[leaps], column=column[leaps])
            at = (now[leaps], last, k_off[leaps], k_on[leaps], step[leaps])
            moved[leaps] = _leap(*at, rates_at, nu, rng)
        n[active] = now + moved
        left[active] = t - taken
        active = active[taken < t]
    return not active.size


def _longest(total: Array, drift: Array, change: Array) -> Array:
    """Time in which mean and standard deviation of n together change by `change`."""
    root = np.sqrt(total) + np.sqrt(total + 4 * drift * change)
    return np.asarray((2 * change / np.maximum(root, 1e-150)) ** 2)


def _leap(
    n: Counts, last: int, k_off: Array, k_on: Array, step: Array,
    log_rates: Callable[[Counts], tuple[Array, Array]], nu: float, rng: np.random.Generator,
) -> Counts:  # fmt: skip
    """Change of n in a step at the rates of its middle."""
    both = k_off + k_on
    middle = n + np.rint((last * k_on / both - n) * -np.expm1(-both * step / 2)).astype(np.int64)
    k_off, k_on = (nu * np.exp(x) for x in log_rates(middle))
    turned = -np.expm1(-(k_off + k_on) * step) / (k_off + k_on)
    return rng.binomial(last - n, k_on * turned) - rng.binomial(n, k_off * turned)
