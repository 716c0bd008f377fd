"""Perpendicular junction: from geometry and material to Delta, I_c0, t_D and resistance.

Macrospin throughout: valid for a free layer that reverses coherently (diameter below about
40-50 nm) and for fields and spin polarisation along its axis.
"""

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import Array, in_range
from devicephys.constants import E_CHARGE, GAMMA_0, HBAR, K_B, MU_0
from devicephys.parameters import MTJ, Stack


def demagnetisation_difference(diameter: float, t_f: float) -> float:
    """Compute N_z - N_x of an oblate spheroid with the disc's axes.

    Valid as an estimate for a thin disc; exact for the spheroid.

    Parameters
    ----------
    diameter : float
        Diameter of the disc, larger than `t_f` [m].
    t_f : float
        Thickness [m].

    Returns
    -------
    float
        N_z - N_x, between 0 (sphere) and 1 (film) [1].

    Raises
    ------
    ParameterError
        If a length is not positive or the disc is thicker than wide.

    Notes
    -----
    With m = diameter/t_f, N_z = m^2/(m^2-1) (1 - asin(sqrt(m^2-1)/m)/sqrt(m^2-1)) and
    N_x = (1 - N_z)/2.

    References
    ----------
    Osborn, Phys. Rev. 67 (1945) 351, doi:10.1103/PhysRev.67.351.

    Examples
    --------
    >>> round(demagnetisation_difference(50e-9, 1e-9), 4)
    0.954
    """
    in_range("t_f", t_f, "m", above=0)
    in_range("diameter", diameter, "m", above=t_f)
    m = diameter / t_f
    root = np.sqrt(m**2 - 1)
    n_z = m**2 / (m**2 - 1) * (1 - np.arcsin(root / m) / root)
    return float(1.5 * n_z - 0.5)


def anisotropy_field(m_s: float, k_i: float, t_f: float, n_zx: float) -> float:
    """Compute the effective perpendicular anisotropy field H_k.

    Parameters
    ----------
    m_s : float
        Saturation magnetisation, > 0 [A/m].
    k_i : float
        Interface anisotropy, > 0 [J/m2].
    t_f : float
        Free-layer thickness, > 0 [m].
    n_zx : float
        N_z - N_x [1].

    Returns
    -------
    float
        2 K_i/(mu0 M_s t_F) - (N_z - N_x) M_s [A/m].

    Raises
    ------
    ParameterError
        If the layer is not perpendicular (H_k <= 0).

    References
    ----------
    Ikeda et al., Nature Materials 9 (2010) 721, doi:10.1038/nmat2804.

    Examples
    --------
    >>> round(anisotropy_field(1.2e6, 1e-3, 1e-9, 0.95749))
    177303
    """
    h_k = 2 * k_i / (MU_0 * m_s * t_f) - n_zx * m_s
    in_range("h_k", h_k, "A/m", above=0, remedy="thinner layer, smaller m_s or larger k_i")
    return h_k


def thermal_stability(m_s: float, h_k: float, volume: float, temperature: float) -> float:
    """Compute the thermal stability factor Delta of a macrospin.

    Parameters
    ----------
    m_s, h_k : float
        Saturation magnetisation and effective anisotropy field [A/m].
    volume : float
        Free-layer volume [m3].
    temperature : float
        Temperature [K].

    Returns
    -------
    float
        mu0 M_s H_k V/(2 k_B T) [1].

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> import math
    >>> round(thermal_stability(1.2e6, 177297.8, math.pi / 4 * 50e-9**2 * 1e-9, 300.0), 2)
    63.37
    """
    return MU_0 * m_s * h_k * volume / (2 * K_B * temperature)


def critical_current(delta: float, alpha: float, eta: float, temperature: float) -> float:
    """Compute the critical current at zero temperature.

    Parameters
    ----------
    delta : float
        Thermal stability factor [1].
    alpha : float
        Gilbert damping [1].
    eta : float
        Spin-torque efficiency [1].
    temperature : float
        Temperature at which `delta` holds [K].

    Returns
    -------
    float
        I_c0 = 4 e alpha Delta k_B T/(hbar eta) [A].

    References
    ----------
    Sun, Phys. Rev. B 62 (2000) 570, doi:10.1103/PhysRevB.62.570.

    Examples
    --------
    >>> round(critical_current(63.66268, 0.01, 0.75, 300.0) * 1e6, 3)
    21.366
    """
    return 4 * E_CHARGE * alpha * delta * K_B * temperature / (HBAR * eta)


def damping_time(alpha: float, h_k: float) -> float:
    """Compute the damping time, the unit of time of all reduced equations.

    Parameters
    ----------
    alpha : float
        Gilbert damping [1].
    h_k : float
        Effective anisotropy field [A/m].

    Returns
    -------
    float
        t_D = (1 + alpha^2)/(alpha gamma0 H_k) [s].

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    >>> round(damping_time(0.01, 177297.8) * 1e9, 3)
    2.549
    """
    return (1 + alpha**2) / (alpha * GAMMA_0 * h_k)


def mtj_from_stack(stack: Stack) -> MTJ:
    """Derive the electrical record of a junction from its geometry and material.

    Parameters
    ----------
    stack : Stack
        Geometry and material.

    Returns
    -------
    MTJ
        Delta, critical currents, damping time and resistances at the stack's temperature.

    Raises
    ------
    ParameterError
        If the layer is not perpendicular.

    References
    ----------
    As of the functions called: doi:10.1103/PhysRev.67.351, doi:10.1103/PhysRevB.62.570.

    Examples
    --------
    >>> stack = Stack(diameter=40e-9, t_f=1.2e-9, m_s=1.1e6, k_i=1.1e-3, alpha=0.01,
    ...               eta_p_ap=0.5, eta_ap_p=0.7, ra=5e-12, tmr=1.2)
    >>> round(mtj_from_stack(stack).delta, 1)
    75.8
    """
    area = np.pi / 4 * stack.diameter**2
    n_zx = demagnetisation_difference(stack.diameter, stack.t_f)
    h_k = anisotropy_field(stack.m_s, stack.k_i, stack.t_f, n_zx)
    delta = thermal_stability(stack.m_s, h_k, area * stack.t_f, stack.temperature)
    i_c0 = [
        critical_current(delta, stack.alpha, eta, stack.temperature)
        for eta in (stack.eta_p_ap, stack.eta_ap_p)
    ]
    return MTJ(
        delta=float(delta),
        i_c0_p_ap=float(i_c0[0]),
        i_c0_ap_p=float(i_c0[1]),
        t_d=float(damping_time(stack.alpha, h_k)),
        r_p=float(stack.ra / area),
        tmr=stack.tmr,
        v_h=stack.v_h,
    )


def angular_resistance(cos_theta: ArrayLike, r_p: float, tmr: float) -> Array:
    """Compute the resistance at an angle between the layers (cosine law in conductance).

    Parameters
    ----------
    cos_theta : array_like
        Cosine of the angle, in [-1, 1], any shape [1].
    r_p : float
        Resistance of the parallel state [Ohm].
    tmr : float
        Tunnel magnetoresistance, > 0 [1].

    Returns
    -------
    ndarray
        R = R_P (1 + x)/(1 + x cos theta) with x = TMR/(TMR + 2), shape of `cos_theta` [Ohm].

    Raises
    ------
    ParameterError
        If a cosine is outside [-1, 1].

    References
    ----------
    Slonczewski, Phys. Rev. B 39 (1989) 6995, doi:10.1103/PhysRevB.39.6995.

    Examples
    --------
    >>> angular_resistance([1, -1], 5e3, 1.2).tolist()
    [5000.0, 11000.0]
    """
    cos_theta = in_range("cos_theta", cos_theta, "1", above=-1, below=1, inclusive=True)
    x = tmr / (tmr + 2)
    return np.asarray(r_p * (1 + x) / (1 + x * cos_theta))


def antiparallel_voltage(current: ArrayLike, r_p: float, tmr: float, v_h: float) -> Array:
    """Compute the voltage across the antiparallel state, whose TMR falls with voltage.

    Parameters
    ----------
    current : array_like
        Current, >= 0, any shape [A].
    r_p : float
        Resistance of the parallel state [Ohm].
    tmr : float
        Tunnel magnetoresistance at zero bias [1].
    v_h : float
        Voltage at which the TMR has halved [V].

    Returns
    -------
    ndarray
        The only root of V = I R_P (1 + TMR/(1 + V^2/V_h^2)), shape of `current` [V].

    Raises
    ------
    ParameterError
        If a current is negative.

    References
    ----------
    Zhang et al., IEEE Trans. Electron Devices 59 (2012) 819, doi:10.1109/TED.2011.2178416.

    Examples
    --------
    >>> antiparallel_voltage([0.0, 1e-5, 1e-4], 5e3, 1.2, 0.5).round(4).tolist()
    [0.0, 0.1074, 0.702]
    """
    v_p = in_range("current", current, "A", above=0, inclusive=True) * r_p
    low, high = v_p.copy(), v_p * (1 + tmr)
    for _ in range(60):  # bisection: V - I R(V) rises with V, so the root is bracketed
        middle = 0.5 * (low + high)
        below = middle < v_p * (1 + tmr / (1 + (middle / v_h) ** 2))
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(0.5 * (low + high))
