"""The simple law of weak RESET: every pulse multiplies R by a log-normal factor.

Valid between the first pulses and saturation, and for one kind of device: there is neither spread
from device to device nor an end of the rise. `weak_reset` has both.
"""

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import generator, in_range
from devicephys.errors import AccuracyError, ParameterError
from devicephys.rram import normals
from devicephys.rram.normals import BLOCK, Floats

LARGEST_LOG = 88.72  # of single precision


def apply(
    resistance: Floats, n_pulses: ArrayLike, mu: float, sigma: float, rng: np.random.Generator
) -> None:
    """Apply weak-RESET pulses, R <- R exp(n mu + sqrt(n) sigma xi), in place.

    Valid for n = 0 upward. xi ends at 4.3 sigma: for rarer single steps use the normal tail.

    Parameters
    ----------
    resistance : ndarray of float32
        Resistances, > 0, contiguous, shape (n,) [Ohm].
    n_pulses : array_like of int
        Pulses, >= 0: one number for all devices (faster), or shape (n,) [1].
    mu, sigma : float
        Mean and standard deviation of the step of ln R per pulse, sigma >= 0 [1].
    rng : numpy.random.Generator
        Source of the numbers.

    Raises
    ------
    ParameterError
        If the array is not float32, a resistance is not positive, a count is negative or not
        whole, or the shapes differ.
    AccuracyError
        If the largest resistance at the largest factor leaves single precision; nothing is changed.

    References
    ----------
    Sums of independent steps: this project's docs/theory/weak_reset.md.

    Examples
    --------
    >>> r = np.full(4, 7e3, np.float32)
    >>> apply(r, 100, 1e-3, 0.0, np.random.default_rng(1))
    >>> r.round(1).tolist()
    [7736.2001953125, 7736.2001953125, 7736.2001953125, 7736.2001953125]
    """
    generator(rng)
    in_range("mu", mu, "1", scalar=True)
    in_range("sigma", sigma, "1", above=0, inclusive=True, scalar=True)
    largest = _check(resistance)
    n = in_range("n_pulses", n_pulses, "1", above=0, inclusive=True)
    if n.shape not in ((), resistance.shape):
        raise ParameterError(
            f"n_pulses of shape {n.shape} for {len(resistance)} devices",
            expected=f"one number or shape {resistance.shape}",
        )
    broken = np.flatnonzero(n != np.rint(n))
    if broken.size:
        raise ParameterError(
            f"n_pulses[{broken[0]}] = {n.flat[broken[0]]:g}", expected="whole numbers",
            remedy="round the counts",
        )  # fmt: skip
    _check_extreme(largest, float(n.max()), mu, sigma, own=n.ndim > 0)
    if n.ndim == 0:
        factors = np.exp(np.float32(np.sqrt(n) * sigma) * normals.TABLE + np.float32(n * mu))
    for start in range(0, len(resistance), BLOCK):
        part = resistance[start : start + BLOCK]
        if n.ndim == 0:
            part *= factors.take(normals.indices(len(part), rng), mode="wrap")
        else:
            own = n[start : start + BLOCK].astype(np.float32)
            step = np.sqrt(own) * np.float32(sigma) * normals.draw(len(part), rng)
            part *= np.exp(step + own * np.float32(mu))


def _check_extreme(largest: float, n: float, mu: float, sigma: float, *, own: bool) -> None:
    """Refuse what could overflow: the largest step of up to n pulses on the largest resistance."""
    z, root = float(normals.TABLE.max()), np.sqrt(n)
    if own and mu < 0:
        root = min(root, sigma * z / (-2 * mu))  # fewer pulses can rise higher
    rise = root * (sigma * z + root * mu)
    if not rise + np.log(max(largest, 1.0)) < LARGEST_LOG:
        raise AccuracyError(
            f"{n:.12g} pulses with mu = {mu:g}, sigma = {sigma:g} can raise {largest:.4g} Ohm by a "
            f"factor exp({rise:.4g})",
            expected=f"R < {np.finfo(np.float32).max:.2g} Ohm: single precision",
            remedy="apply fewer pulses; the law ends long before",
        )


def _check(resistance: Floats) -> float:
    """Return the largest resistance."""
    if (
        not isinstance(resistance, np.ndarray)
        or resistance.dtype != np.float32
        or resistance.ndim != 1
        or not resistance.flags.c_contiguous
    ):
        raise ParameterError(
            f"resistance = {resistance!r:.60}", expected="a contiguous float32 array, shape (n,)",
            remedy="np.ascontiguousarray(r, np.float32)",
        )  # fmt: skip
    if not resistance.size or not (resistance.min() > 0 and resistance.max() < np.inf):
        bad = np.flatnonzero(~((resistance > 0) & (resistance < np.inf)))
        found = f"[{bad[0]}] = {resistance[bad[0]]:g} Ohm" if bad.size else " of no device"
        raise ParameterError(f"resistance{found}", expected="finite, > 0 Ohm")
    return float(resistance.max())
