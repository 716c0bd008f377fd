"""The pulse of `filament`, compiled by numba (extra ``fast``): same law, device by device."""

import numba
import numpy as np
from numpy.typing import NDArray

from devicephys.checks import Array

CHUNK = 16  # numbers of filled sites whose rates are made together
UNIT = 2.0**-53  # of 53 random bits
TINY = 1e-300
FAR = 600.0  # k_B T: the exponential of more is nearly no number
U11, U16, U24, U27, U37, U40 = (np.uint64(k) for k in (11, 16, 24, 27, 37, 40))


def advance(
    n: NDArray[np.int64], e_a: Array, table: Array, duration: float, nu: float, leap: float,
    few: float, most: int, rng: np.random.Generator,
) -> bool:  # fmt: skip
    """Carry devices through a pulse, in place.

    Valid as `filament.pulse`, which calls this.

    Parameters
    ----------
    n : ndarray of int
        Filled sites, shape (n_devices,) [1].
    e_a : ndarray
        Barriers, shape (n_devices,) [eV].
    table : ndarray
        1/k_B T [1/eV] and the changes of either barrier by number of filled sites, shape
        (3, N + 1, 1) or (3, N + 1, n_devices) [eV].
    duration : float
        Duration of the pulse [s].
    nu : float
        Attempt frequency [Hz].
    leap : float
        Change of ln k that one leap may bring about [1].
    few : float
        Number of events below which a leap is none [1].
    most : int
        Number of events and leaps of a device that are too many [1].
    rng : numpy.random.Generator
        Source of everything random.

    Returns
    -------
    bool
        Whether no device needed too many.

    References
    ----------
    As of `filament.pulse`, doi:10.1021/j100540a008; Blackman and Vigna, ACM Trans. Math. Softw. 47
    (2021) 36, doi:10.1145/3460772 (xoroshiro128+).

    Examples
    --------
    >>> sites, rng = np.full(3, 60), np.random.default_rng(1)
    >>> advance(sites, np.ones(3), np.zeros((3, 61, 1)), 1e-3, 1.0, 0.05, 10.0, 99, rng)
    True
    >>> sites.tolist()
    [60, 60, 60]
    """
    log_back = -table[0] * (table[1] + table[2])  # ln k_on/k_off where neither barrier is gone
    back = np.exp(np.minimum(log_back, FAR))
    seed = rng.integers(1, 2**64, 2, np.uint64)
    return bool(_advance(n, e_a, table, back, duration, nu, leap, few, most, rng, seed))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _advance(  # type: ignore[no-untyped-def]
    n, e_a, table, back, duration, nu, leap, few, most, rng, seed
):
    """Walk device by device; rates of a few neighbouring numbers of sites are made together.

    An event then costs two random numbers and two look-ups, and no exponential waits for it.
    """
    last = table.shape[1] - 1
    wide = table.shape[2] > 1
    down, up, rest = np.empty(last + 1), np.empty(last + 1), np.empty(last + 1)
    owner = np.full(last // CHUNK + 1, -1)  # device that a chunk of rates belongs to
    p, q = seed[0], seed[1]
    for j in range(len(n)):
        now, left, c, steps = n[j], duration, j if wide else 0, 0
        while left > 0:
            steps += 1
            if steps > most:
                return False
            chunk = now // CHUNK
            if owner[chunk] != j:
                owner[chunk] = j
                _rates(chunk, e_a[j], table[:, :, c], back[:, c], nu, down, up, rest)
            step = 0.0
            if left >= few * rest[now]:  # else one by one in any case
                step = _leap(now, e_a[j], table[:, :, c], down[now], up[now], leap, few, left)
            if step < few * rest[now]:
                left -= rng.standard_exponential() * rest[now]
                if left > 0:
                    draw = p + q  # xoroshiro128+
                    q ^= p
                    p = ((p << U24) | (p >> U40)) ^ q ^ (q << U16)
                    q = (q << U37) | (q >> U27)
                    coin = np.int64(draw >> U11) * UNIT
                    now += -1 if coin < down[now] * rest[now] else 1
            else:
                k_off, k_on = _site(now, e_a[j], table[:, :, c], back[:, c], nu)
                settled = -np.expm1(-(k_off + k_on) * step / 2)
                middle = now + round((last * k_on / (k_off + k_on) - now) * settled)
                k_off, k_on = _site(middle, e_a[j], table[:, :, c], back[:, c], nu)
                turned = -np.expm1(-(k_off + k_on) * step) / (k_off + k_on)
                gone = rng.binomial(now, k_off * turned)
                now += rng.binomial(last - now, k_on * turned) - gone
                left -= step
        n[j] = now
    return True


@numba.njit(error_model="numpy")
def _site(m, e, table, back, nu):  # type: ignore[no-untyped-def]
    """Rates of one site, m of them being filled."""
    beta, over_off, over_on = table[0, m], e - table[1, m], e + table[2, m]
    k_off = nu * np.exp(-beta * max(over_off, 0.0))
    if over_off < 0 or over_on < 0 or beta * over_off > FAR:  # a barrier is gone, or all is frozen
        return k_off, nu * np.exp(-beta * max(over_on, 0.0))
    return k_off, k_off * back[m]


@numba.njit(error_model="numpy")
def _rates(chunk, e, table, back, nu, down, up, rest):  # type: ignore[no-untyped-def]
    """Rates of the next event, and the mean time to it, for the filled sites of a chunk."""
    last = table.shape[1] - 1
    for m in range(chunk * CHUNK, min(chunk * CHUNK + CHUNK, last + 1)):
        k_off, k_on = _site(m, e, table, back, nu)
        down[m], up[m] = m * k_off, (last - m) * k_on
        rest[m] = 1 / max(down[m] + up[m], TINY)


@numba.njit(error_model="numpy")
def _leap(now, e, table, down, up, leap, few, left):  # type: ignore[no-untyped-def]
    """Time in which ln k changes by `leap`, at most `left`; 0 where it holds few events."""
    near = min(max(now - 1 if down > up else now + 1, 0), table.shape[1] - 1)
    off = table[0, near] * max(e - table[1, near], 0.0) - table[0, now] * max(
        e - table[1, now], 0.0
    )
    on = table[0, near] * max(e + table[2, near], 0.0) - table[0, now] * max(e + table[2, now], 0.0)
    change = leap / max(abs(off), abs(on), 1e-12)
    if change * change < few:  # a leap never holds more than change^2 events
        return 0.0
    root = np.sqrt(down + up) + np.sqrt(down + up + 4 * abs(up - down) * change)
    return min((2 * change / root) ** 2, left)
