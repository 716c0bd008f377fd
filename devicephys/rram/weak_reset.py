"""Weak RESET of a filamentary memory, phenomenological: R against the number of pulses since SET.

R = R_0 exp(w), with w = w_mean(t) + trap + 1/f noise + offset of the cycle; w_mean rises with one
slope up to t* and with another after it. Any number of pulses is applied in one update, which has
the very law of as many single ones.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from devicephys.checks import ZERO, generator, in_range, known, whole
from devicephys.errors import AccuracyError, ParameterError
from devicephys.parameters import parameter
from devicephys.rram import flicker, normals, trap, truncated
from devicephys.rram.flicker import FLICKERS, Flicker
from devicephys.rram.normals import Floats
from devicephys.rram.truncated import Truncated

Particulars = Literal["none", "program_2021"]
PARTICULARS: tuple[Particulars, ...] = ("none", "program_2021")
PER_DEVICE = ("m1", "t_star", "c1", "m2", "r_0", "a_rtn")
Carry = Callable[[Floats, NDArray[Any], int, NDArray[np.int32], Floats], None]
BLOCK = 16384  # devices carried on together: they stay in the second-level cache
SPARSE = 4  # a block is thinned out where fewer than one device in four has pulses
LARGEST = 2**31 - 1  # pulses a device can count
RAREST = trap.RAREST * (1 - 1e-12)  # so that the number itself is let in
NO_TRAP = "24-bit random numbers would quantise rarer events; rtn=False leaves the trap out"
HAS_NUMBA = find_spec("numba") is not None


@dataclass(frozen=True)
class WeakReset:
    """The law of a technology: spread from device to device, noise, and what is left out.

    Attributes
    ----------
    m1, m2 : Truncated
        Slopes of ln R per pulse before and after t* [1].
    t_star : Truncated
        Number of pulses at which the slope changes [1].
    c1 : Truncated
        ln(R/R_0) before the first pulse [1].
    r_0 : Truncated
        Resistance that w refers to [Ohm].
    a_rtn : Truncated
        Largest amplitude of the trap in ln R [1].
    p_capture, p_emission : float
        Probabilities per pulse that an empty trap fills and a filled one empties, 1e-6 at least:
        random numbers of 24 bits quantise them, at 1e-6 by up to 6 % [1].
    noise : float
        Factor of the filtered uniform samples that make 1/f noise of ln R [1].
    sigma_set : float
        Standard deviation of ln R from SET to SET of one device; .019 within devices in this
        project's count of the measured ramps [1].
    device_to_device : bool
        False gives every device the medians.
    nonlinear : bool
        False keeps the slope m1 for ever.
    rtn : bool
        False leaves out the trap.
    flicker : {"1/f", "fir", "off"}
        Noise from pulse to pulse, see `flicker`.
    particulars : {"none", "program_2021"}
        "program_2021" does as the published program: samples of "fir" in (0, 1), so that ln R is
        0.054 too high on average, and a filled trap changes its amplitude at every call, also of
        a device without pulse.

    Raises
    ------
    ParameterError
        If a number is out of its range or two settings contradict each other.
    """

    m1: Truncated
    t_star: Truncated
    c1: Truncated
    m2: Truncated
    r_0: Truncated
    a_rtn: Truncated
    p_capture: float = parameter("1", r"p_{0 \to 1}", above=RAREST, below=1.0, default=0.0008)
    p_emission: float = parameter("1", r"p_{1 \to 0}", above=RAREST, below=1.0, default=0.002)
    noise: float = parameter("1", r"\alpha_n", above=-ZERO, default=0.025)
    sigma_set: float = parameter("1", r"\sigma_{SET}", above=-ZERO, default=0.019)
    device_to_device: bool = True
    nonlinear: bool = True
    rtn: bool = True
    flicker: Flicker = "1/f"
    particulars: Particulars = "none"

    def __post_init__(self) -> None:
        for f in fields(self):
            if f.metadata:
                above, below = f.metadata["above"], f.metadata["below"]
                name = f"WeakReset.{f.name}"
                in_range(name, getattr(self, f.name), "1", above=above, below=below, scalar=True,
                         remedy=NO_TRAP if f.name.startswith("p_") else "")  # fmt: skip
        total = self.p_capture + self.p_emission
        in_range("WeakReset.p_capture + p_emission", total, "1", above=0, below=1)
        in_range("WeakReset.r_0.low", self.r_0.low, "Ohm", above=0)
        in_range("WeakReset.t_star.low", self.t_star.low, "1", above=0, inclusive=True)
        known("flicker", self.flicker, FLICKERS)
        known("particulars", self.particulars, PARTICULARS)
        if self.particulars == "program_2021" and self.flicker == "1/f":
            raise ParameterError(
                "particulars = 'program_2021' with flicker = '1/f'",
                expected="flicker 'fir' or 'off': the program has nothing else",
            )


@dataclass(frozen=True)
class Devices:
    """Parameters of each device, float32: 24 bytes a device.

    Attributes
    ----------
    law : WeakReset
        The law they were drawn from; its noise and switches hold for all devices.
    m1, m2 : ndarray of float32
        Slopes of ln R per pulse before and after t*, shape (n,) [1].
    t_star : ndarray of float32
        Number of pulses at which the slope changes, shape (n,) [1].
    c1 : ndarray of float32
        ln(R/R_0) before the first pulse, shape (n,) [1].
    r_0 : ndarray of float32
        Resistance that w refers to, shape (n,) [Ohm].
    a_rtn : ndarray of float32
        Largest amplitude of the trap in ln R, shape (n,) [1].
    """

    law: WeakReset
    m1: Floats
    t_star: Floats
    c1: Floats
    m2: Floats
    r_0: Floats
    a_rtn: Floats


@dataclass(frozen=True)
class State:
    """State of each device: arrays that `apply` and `set_devices` change in place.

    Beside the parameters a device takes 36 bytes with flicker "1/f", 42 with "fir", 12 with "off".

    Attributes
    ----------
    devices : Devices
        Their parameters, never changed.
    pulses : ndarray of int32
        Pulses since the last SET, shape (n,) [1].
    rtn : ndarray of float32
        Contribution of the trap to ln R, 0 where it is empty, shape (n,) [1].
    memory : ndarray
        Memory of the noise, as of `flicker.stationary`, shape (6, n), (15, n) or (0, n) [1].
    offset : ndarray of float32
        Offset of ln R that the last SET left, shape (n,) [1].
    """

    devices: Devices
    pulses: NDArray[np.int32]
    rtn: Floats
    memory: NDArray[Any]
    offset: Floats


def majumdar_2021() -> WeakReset:
    """Give the law of a hafnium-oxide technology, 1T1R, as measured by Majumdar et al.

    Valid up to some 10^4 pulses of the voltage and width used there.

    Returns
    -------
    WeakReset
        Spread, traps and noise of the authors' published program; `sigma_set` is not theirs.

    References
    ----------
    Majumdar et al., IEEE Trans. Electron Devices 68 (2021), arXiv 2107.06064; the numbers are
    those of the program that the authors published with it.

    Examples
    --------
    >>> round(truncated.median(majumdar_2021().t_star))
    515
    """
    return WeakReset(
        m1=Truncated("expon", 3.7415768289771944e-05, 0.0006564678011593196, 3.74e-5, 7.6e-3),
        t_star=Truncated("lognorm", 0.0, 542.5385224079308, 41.0, 2000.0, 0.8033817700570505),
        c1=Truncated("norm", 0.005293141020227579, 0.05320804175540371, -0.15, 0.15),
        m2=Truncated("expon", 0.0, 2.8890516951651312e-05, 0.0, 1.3e-4),
        r_0=Truncated("norm", 6988.0, 381.7, 6252.0, 7897.0),
        a_rtn=Truncated("uniform", 0.0, 0.5, 0.0, 0.5),
    )


def program_2021() -> WeakReset:
    """Give the law with the particulars of the published program, for comparison with it.

    Valid as `majumdar_2021`. The program starts with an empty trap and an empty filter, here both
    start in their stationary law; it has no SET.

    Returns
    -------
    WeakReset
        As `majumdar_2021`, with flicker "fir", particulars "program_2021" and no offset of a SET.

    References
    ----------
    The program published with Majumdar et al., arXiv 2107.06064.

    Examples
    --------
    >>> program_2021().flicker
    'fir'
    """
    return replace(majumdar_2021(), flicker="fir", particulars="program_2021", sigma_set=0.0)


def devices(law: WeakReset, n: int, rng: np.random.Generator) -> Devices:
    """Draw the parameters of some devices, independent of each other.

    Parameters
    ----------
    law : WeakReset
        The law of the technology.
    n : int
        Number of devices, >= 1 [1].
    rng : numpy.random.Generator
        Source of the numbers.

    Returns
    -------
    Devices
        Their parameters.

    References
    ----------
    Majumdar et al., arXiv 2107.06064.

    Examples
    --------
    >>> devices(majumdar_2021(), 3, np.random.default_rng(1)).r_0.round().tolist()
    [6836.0, 7292.0, 6809.0]
    """
    generator(rng)
    n = whole("n", n, least=1)
    values = {}
    for name in PER_DEVICE:
        one: Truncated = getattr(law, name)
        spread = law.device_to_device
        x = truncated.draw(one, n, rng) if spread else np.full(n, truncated.median(one))
        values[name] = x.astype(np.float32)
    if not law.nonlinear:
        values["m2"] = values["m1"].copy()
    return Devices(law=law, **values)


def start(devices: Devices, rng: np.random.Generator) -> State:
    """Make the state of devices just after a SET, with traps and noise in their stationary law.

    Parameters
    ----------
    devices : Devices
        Their parameters.
    rng : numpy.random.Generator
        Source of the numbers.

    Returns
    -------
    State
        Their state.

    References
    ----------
    Majumdar et al., arXiv 2107.06064; the offset: this project's, docs/theory/weak_reset.md.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> state = start(devices(majumdar_2021(), 3, rng), rng)
    >>> state.pulses.tolist(), state.memory.shape
    ([0, 0, 0], (6, 3))
    """
    n = len(devices.r_0)
    state = State(
        devices, np.zeros(n, np.int32), np.zeros(n, np.float32),
        flicker.stationary(devices.law.flicker, n, generator(rng)), np.empty(n, np.float32),
    )  # fmt: skip
    _refresh(state, slice(None), rng)
    return state


def set_devices(state: State, which: ArrayLike, rng: np.random.Generator) -> None:
    """SET some devices, in place: no pulses, and a fresh offset, trap and noise.

    Parameters
    ----------
    state : State
        State of all devices.
    which : array_like of bool or int
        The devices: a mask of shape (n,), or their numbers, shape (k,) [1].
    rng : numpy.random.Generator
        Source of the numbers.

    Raises
    ------
    ParameterError
        If `which` is neither, or a number is out of range.

    References
    ----------
    This project's, docs/theory/weak_reset.md: the published law has no SET.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> state = start(devices(majumdar_2021(), 3, rng), rng)
    >>> apply(state, 5, rng)
    >>> set_devices(state, [1], rng)
    >>> state.pulses.tolist()
    [5, 0, 5]
    """
    generator(rng)
    n, chosen = len(state.pulses), np.asarray(which)
    if chosen.dtype == bool and chosen.shape == (n,):
        chosen = np.flatnonzero(chosen)
    elif not chosen.size:
        return
    elif chosen.dtype.kind not in "iu" or chosen.ndim != 1:
        raise ParameterError(
            f"which of type {chosen.dtype} and shape {chosen.shape}",
            expected=f"a mask of shape ({n},), or whole numbers, shape (k,)",
        )
    elif chosen.min() < 0 or chosen.max() >= n:
        row = int(np.flatnonzero((chosen < 0) | (chosen >= n))[0])
        raise ParameterError(f"which[{row}] = {chosen[row]}", expected=f"a device in [0, {n - 1}]")
    _refresh(state, chosen, rng)
    kind = state.devices.law.flicker
    state.memory[:, chosen] = flicker.stationary(kind, len(chosen), rng)


def _refresh(state: State, which: slice | NDArray[Any], rng: np.random.Generator) -> None:
    """Give devices what a SET leaves, but for the noise."""
    law, a_rtn = state.devices.law, state.devices.a_rtn[which]
    state.pulses[which] = 0
    state.offset[which] = np.float32(law.sigma_set) * normals.draw(len(a_rtn), rng)
    if law.rtn:
        state.rtn[which] = trap.stationary(a_rtn, law.p_capture, law.p_emission, rng)


def apply(state: State, n_pulses: ArrayLike, rng: np.random.Generator) -> None:
    """Apply weak-RESET pulses to every device, in place.

    One call with n pulses has the law of n calls with one. A device without pulses is left as it
    is and costs little. With numba (extra ``fast``) and flicker "1/f" or "off" it is compiled;
    the random numbers are then others.

    Parameters
    ----------
    state : State
        State of the devices.
    n_pulses : array_like of int
        Pulses, whole numbers >= 0: one for all devices, or shape (n,) [1].
    rng : numpy.random.Generator
        Source of the numbers.

    Raises
    ------
    ParameterError
        If a count is negative, not whole, or too large for 32 bits with those before it, naming
        the first such device; or if the shape differs.

    References
    ----------
    Majumdar et al., IEEE Trans. Electron Devices 68 (2021), arXiv 2107.06064, and their program.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> state = start(devices(majumdar_2021(), 3, rng), rng)
    >>> apply(state, [0, 1, 100], rng)
    >>> state.pulses.tolist()
    [0, 1, 100]
    """
    generator(rng)
    _carry_all(state, _counts(n_pulses, state.pulses), rng, compiled=HAS_NUMBA)


def _counts(n_pulses: ArrayLike, before: NDArray[np.int32]) -> NDArray[np.int32]:
    """Check counts; shape (1,) where there is one for all."""
    n = np.asarray(n_pulses)
    if n.shape not in ((), before.shape):
        raise ParameterError(
            f"n_pulses of shape {n.shape} for {len(before)} devices",
            expected=f"one number or shape {before.shape}",
        )
    if n.dtype.kind not in "iuf":
        raise ParameterError(f"n_pulses of type {n.dtype}", expected="whole numbers")
    scalar, n = n.ndim == 0, np.atleast_1d(n)
    most = int(before.max())
    if n.dtype.kind == "f" or n.min() < 0 or int(n.max()) > LARGEST - most:
        total = n.astype(np.float64) + (most if scalar else before)
        bad = np.flatnonzero(~((n >= 0) & (n == np.rint(n)) & (total <= LARGEST)))
        if bad.size:
            raise ParameterError(
                f"n_pulses{'' if scalar else f'[{bad[0]}]'} = {n[bad[0]]:.12g}",
                expected=f"a whole number >= 0, at most {LARGEST} with the pulses before it",
                remedy="round and clip the counts, or SET the device first",
            )
    return np.ascontiguousarray(n, np.int32)


def _carry_all(
    state: State, n: NDArray[np.int32], rng: np.random.Generator, *, compiled: bool
) -> None:
    """Carry blocks on; where few of a block have pulses, only those are looked at."""
    law, rtn, memory, a_rtn = state.devices.law, state.rtn, state.memory, state.devices.a_rtn
    redraws = law.particulars == "program_2021"  # also where there is no pulse
    fast = compiled and law.flicker != "fir" and not redraws
    carry = _compiled(law, rng) if fast else _plain(law, rng)
    np.add(state.pulses, n, out=state.pulses)
    for start in range(0, len(rtn), BLOCK):
        block = slice(start, min(start + BLOCK, len(rtn)))
        part = n if len(n) == 1 else n[block]
        busy = np.count_nonzero(part)
        if redraws or SPARSE * busy > len(part):
            carry(rtn[block], memory, start, part, a_rtn[block])
        elif busy:
            some = np.flatnonzero(part != 0)
            at = start + some
            own, columns = rtn[at], memory.take(at, axis=1)
            carry(own, columns, 0, part[some], a_rtn[at])
            rtn[at], memory[:, at] = own, columns


def _plain(law: WeakReset, rng: np.random.Generator) -> Carry:
    """Make the function that carries devices on, whose noise is in columns from `first` on."""
    redraws = law.particulars == "program_2021"

    def carry(
        rtn: Floats, memory: NDArray[Any], first: int, n: NDArray[np.int32], a_rtn: Floats
    ) -> None:
        pulses = n.astype(np.float32)
        if law.rtn:
            trap.advance(
                rtn, pulses, a_rtn, law.p_capture, law.p_emission, rng, redraw_idle=redraws
            )
        flicker.advance(memory[:, first : first + len(rtn)], pulses, rng)

    return carry


def _compiled(law: WeakReset, rng: np.random.Generator) -> Carry:
    """Make the compiled function for the same, with its own generators."""
    from devicephys.lanes_numba import seeded  # compiled at first use
    from devicephys.rram import weak_reset_numba

    chances = (law.p_capture, law.p_emission) if law.rtn else None
    lanes = seeded(1, rng)[0]

    def carry(
        rtn: Floats, memory: NDArray[Any], first: int, n: NDArray[np.int32], a_rtn: Floats
    ) -> None:
        own = np.full(len(rtn), n[0]) if len(n) == 1 else n
        weak_reset_numba.advance(rtn, memory, first, own, a_rtn, chances, lanes)

    return carry


def w_mean(devices: Devices, pulses: ArrayLike) -> Floats:
    """Compute the mean of ln(R/R_0) after some pulses, the law of two slopes.

    Parameters
    ----------
    devices : Devices
        Parameters of the devices.
    pulses : array_like
        Pulses since the last SET, >= 0, shape broadcast with (n,) [1].

    Returns
    -------
    ndarray of float32
        m1 t + c1 up to t*, m2 t + (m1 - m2) t* + c1 beyond, broadcast shape [1].

    Raises
    ------
    ParameterError
        If a count is negative or not finite.

    References
    ----------
    Majumdar et al., IEEE Trans. Electron Devices 68 (2021), arXiv 2107.06064.

    Examples
    --------
    >>> typical = replace(majumdar_2021(), device_to_device=False)
    >>> one = devices(typical, 1, np.random.default_rng(1))
    >>> w_mean(one, [0, 500, 1000]).astype(float).round(3).tolist()
    [0.005, 0.251, 0.268]
    """
    t = in_range("pulses", pulses, "1", above=0, inclusive=True).astype(np.float32)
    return _w_mean(devices, t, slice(None))


def _w_mean(devices: Devices, t: Floats, block: slice) -> Floats:
    d, knee = devices, devices.t_star[block]
    w = d.m1[block] * np.minimum(t, knee) + d.m2[block] * np.maximum(t - knee, 0) + d.c1[block]
    return np.asarray(w)


def log_ratio(state: State) -> Floats:
    """Compute w = ln(R/R_0) of every device as it is now.

    Parameters
    ----------
    state : State
        State of the devices.

    Returns
    -------
    ndarray of float32
        w_mean + trap + noise + offset of the SET, shape (n,) [1].

    References
    ----------
    Majumdar et al., arXiv 2107.06064; the offset: this project's, docs/theory/weak_reset.md.

    Examples
    --------
    >>> typical = replace(majumdar_2021(), device_to_device=False, flicker="off", rtn=False,
    ...                   sigma_set=0.0)
    >>> rng = np.random.default_rng(1)
    >>> round(float(log_ratio(start(devices(typical, 1, rng), rng))[0]), 4)
    0.0052
    """
    law, d, n = state.devices.law, state.devices, len(state.pulses)
    w = np.empty(n, np.float32)
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        centred = law.particulars == "none"
        w[block] = flicker.value(state.memory[:, block], law.noise, centred=centred)
        w[block] += _w_mean(d, state.pulses[block].astype(np.float32), block)
        w[block] += state.offset[block]
        if law.rtn:
            w[block] += state.rtn[block]
    return w


def resistance(state: State) -> Floats:
    """Compute the resistance of every device as it is now.

    Valid up to w of about 79, where R leaves single precision: never within 10^5 pulses with the
    two slopes of `majumdar_2021`, but some 10^4 with `nonlinear` False.

    Parameters
    ----------
    state : State
        State of the devices.

    Returns
    -------
    ndarray of float32
        R_0 exp(w), shape (n,) [Ohm].

    Raises
    ------
    AccuracyError
        If a resistance leaves single precision, naming the first such device.

    References
    ----------
    Majumdar et al., IEEE Trans. Electron Devices 68 (2021), arXiv 2107.06064.

    Examples
    --------
    >>> typical = replace(majumdar_2021(), device_to_device=False, flicker="off", rtn=False,
    ...                   sigma_set=0.0)
    >>> rng = np.random.default_rng(1)
    >>> resistance(start(devices(typical, 1, rng), rng)).round().tolist()
    [7033.0]
    """
    w = log_ratio(state)
    with np.errstate(over="ignore"):
        np.exp(w, out=w)
        w *= state.devices.r_0
    if not w.max() < np.inf:
        bad = int(np.flatnonzero(~(w < np.inf))[0])
        raise AccuracyError(
            f"R of device {bad} after {state.pulses[bad]} pulses leaves single precision",
            expected=f"R < {np.finfo(np.float32).max:.2g} Ohm, ln(R/R_0) below about 79",
            remedy="SET the devices earlier, or take log_ratio",
        )
    return w
