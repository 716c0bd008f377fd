"""The pulse of `filament`, compiled by numba (extra ``fast``): same law, device by device."""

import numba
import numpy as np
from numpy.typing import NDArray

from devicephys.checks import Array


def advance(
    n: NDArray[np.int64], e_a: Array, table: Array, duration: float, nu: float, leap: float,
    few: float, rng: np.random.Generator,
) -> None:  # fmt: skip
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
    rng : numpy.random.Generator
        Source of everything random.

    References
    ----------
    As of `filament.pulse`, doi:10.1021/j100540a008.

    Examples
    --------
    >>> sites, rng = np.full(3, 60), np.random.default_rng(1)
    >>> advance(sites, np.ones(3), np.zeros((3, 61, 1)), 1e-3, 1.0, 0.05, 10.0, rng)
    >>> sites.tolist()
    [60, 60, 60]
    """
    _advance(n, e_a, table, duration, nu, leap, few, rng)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _advance(n, e_a, table, duration, nu, leap, few, rng):  # type: ignore[no-untyped-def]
    last = table.shape[1] - 1
    wide = table.shape[2] > 1
    for j in range(len(n)):
        now, e, left = n[j], e_a[j], duration
        c = j if wide else 0
        while left > 0:
            beta = table[0, now, c]
            log_off = -beta * max(e - table[1, now, c], 0.0)
            log_on = -beta * max(e + table[2, now, c], 0.0)
            k_off, k_on = nu * np.exp(log_off), nu * np.exp(log_on)
            down, up = now * k_off, (last - now) * k_on
            total = down + up
            step = left
            if total * left >= few:  # else one by one in any case
                near = min(max(now - 1 if down > up else now + 1, 0), last)
                beta = table[0, near, c]
                change = leap / max(
                    abs(log_off + beta * max(e - table[1, near, c], 0.0)),
                    abs(log_on + beta * max(e + table[2, near, c], 0.0)),
                    1e-12,
                )
                if change * change < few:  # never more than change^2 events in a leap
                    step = 0.0
                else:
                    root = np.sqrt(total) + np.sqrt(total + 4 * abs(up - down) * change)
                    step = min((2 * change / root) ** 2, left)
            if total * step < few:
                left -= rng.standard_exponential() / max(total, 1e-300)
                if left > 0:
                    now += -1 if rng.random() * total < down else 1
            else:
                turned = -np.expm1(-(k_off + k_on) * step) / (k_off + k_on)
                gone = rng.binomial(now, k_off * turned)
                now += rng.binomial(last - now, k_on * turned) - gone
                left -= step
        n[j] = now
