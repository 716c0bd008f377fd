"""Rate equation of a filament: its mean course where there are many sites."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from devicephys.checks import Array, in_range
from devicephys.errors import AccuracyError, ParameterError
from devicephys.parameters import INF
from devicephys.rram.filament import ROOM, Filament, rates


def mean_sites(
    filament: Filament, n: float, voltage: float, times: ArrayLike, *, temperature: float = ROOM,
    i_max: float = INF,
) -> Array:  # fmt: skip
    """Solve the rate equation dn/dt = (N - n) k_on(n) - n k_off(n) of one device.

    Valid for many sites: it leaves out the fluctuations, which for few sites shift the mean.

    Parameters
    ----------
    filament : Filament
        One device.
    n : float
        Filled sites at the start, in [0, N] [1].
    voltage : float
        Voltage across cell and transistor, positive for RESET [V].
    times : array_like
        Times since the start of the pulse, rising from >= 0, shape (k,) [s].
    temperature : float, optional
        Temperature of the surroundings, > 0 [K].
    i_max : float, optional
        Saturation current of the transistor, or compliance [A].

    Returns
    -------
    ndarray
        Filled sites, shape (k,) [1].

    Raises
    ------
    ParameterError
        If an argument is outside its range, or there are several devices.
    AccuracyError
        If the equation was not solved.

    References
    ----------
    This project's, docs/theory/filament.md: sites in place of the radius of Bocquet et al., IEEE
    Trans. Electron Devices 61(3), 2014.

    Examples
    --------
    >>> cell = Filament(60, 6e3, 2.6e3, 3e-6, 0.93, 0.1, 0.2, 0.1, 4e6)
    >>> mean_sites(cell, 60, 1.0, [0.0, 100e-9, 200e-9]).round(1).tolist()
    [60.0, 32.4, 24.9]
    """
    times = in_range("times", np.atleast_1d(np.asarray(times)), "s", above=0, inclusive=True)
    if np.any(np.diff(times) <= 0):
        raise ParameterError("times do not rise", expected="rising times")

    def slope(_: float, y: Array) -> Array:
        sites = np.clip(y, 0.0, filament.n_sites)
        k_off, k_on = rates(filament, sites, voltage, temperature=temperature, i_max=i_max)
        return (filament.n_sites - sites) * k_on - sites * k_off

    n = float(in_range("n", n, "1", above=0, below=filament.n_sites, inclusive=True, scalar=True))
    if filament.shape not in ((), (1,)):
        raise ParameterError(f"filament of {filament.shape[0]} devices", expected="one device")
    if not times.size or not times[-1]:
        return np.full(times.shape, n)
    found = solve_ivp(slope, (0.0, times[-1]), [n], "LSODA", times, rtol=1e-8, atol=1e-8)
    if not found.success:
        raise AccuracyError(
            f"the rate equation was not solved: {found.message}", remedy="propagate"
        )
    return np.asarray(found.y[0])
