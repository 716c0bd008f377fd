"""Perpendicular junction: from geometry and material to Delta, I_c0, t_D and resistance.

Macrospin throughout: valid for a free layer that reverses coherently (diameter below about
40-50 nm) and for fields and spin polarisation along its axis.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ellipe, ellipk

from devicephys.checks import Array, in_range
from devicephys.constants import E_CHARGE, GAMMA_0, HBAR, K_B, MU_0
from devicephys.errors import ParameterError
from devicephys.mram import landscape
from devicephys.parameters import MTJ, Direction, Stack


def spheroid_demagnetisation(diameter: float, t_f: float) -> float:
    """Compute N_z - N_x of an oblate spheroid with the disc's axes.

    Exact for the spheroid; a thin disc is a cylinder, see `cylinder_demagnetisation`.

    Parameters
    ----------
    diameter : float
        Diameter, larger than `t_f` [m].
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
    >>> round(spheroid_demagnetisation(50e-9, 1e-9), 4)
    0.954
    """
    in_range("t_f", t_f, "m", above=0)
    in_range("diameter", diameter, "m", above=t_f)
    m = diameter / t_f
    root = np.sqrt(m**2 - 1)
    n_z = m**2 / (m**2 - 1) * (1 - np.arcsin(root / m) / root)
    return float(1.5 * n_z - 0.5)


def cylinder_demagnetisation(diameter: float, t_f: float) -> float:
    """Compute N_z - N_x of a uniformly magnetised circular cylinder.

    Exact (magnetometric factors: the ones that the energy of a macrospin contains). For a disc of
    50 x 1 nm it is 5 % below the spheroid's, which moves H_k by more than its usual error.

    Parameters
    ----------
    diameter, t_f : float
        Diameter and thickness, > 0 [m].

    Returns
    -------
    float
        N_z - N_x, between -1/2 (wire) and 1 (film) [1].

    Raises
    ------
    ParameterError
        If a length is not positive.

    Notes
    -----
    With p = t_f/diameter and k^2 = 1/(1 + p^2),
    N_z = 1 + 4/(3 pi p) {1 - [(1 - p^2) E(k^2) + p^2 K(k^2)]/k}, N_x = (1 - N_z)/2.

    References
    ----------
    Joseph, J. Appl. Phys. 37 (1966) 4639, doi:10.1063/1.1708110; Tandon et al., J. Magn. Magn.
    Mater. 271 (2004) 9, doi:10.1016/j.jmmm.2003.09.011.

    Examples
    --------
    >>> round(cylinder_demagnetisation(50e-9, 1e-9), 4)
    0.9084
    """
    in_range("t_f", t_f, "m", above=0)
    in_range("diameter", diameter, "m", above=0)
    p = t_f / diameter
    k2 = 1 / (1 + p**2)
    bracket = ((1 - p**2) * ellipe(k2) + p**2 * ellipk(k2)) / np.sqrt(k2)
    n_z = 1 + 4 / (3 * np.pi * p) * (1 - bracket)
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
        Delta, critical currents, damping time, resistances and reduced fields at the stack's
        temperature.

    Raises
    ------
    ParameterError
        If the layer is not perpendicular, or the stray field leaves one state only.

    References
    ----------
    As of the functions called: doi:10.1063/1.1708110, doi:10.1103/PhysRevB.62.570. VCMA: Maruyama
    et al., Nature Nanotechnology 4 (2009) 158, doi:10.1038/nnano.2008.406.

    Examples
    --------
    >>> stack = Stack(diameter=40e-9, t_f=1.2e-9, m_s=1.1e6, k_i=1.1e-3, alpha=0.01,
    ...               eta_p_ap=0.5, eta_ap_p=0.7, ra=5e-12, tmr=1.2)
    >>> round(mtj_from_stack(stack).delta, 1)
    91.8
    """
    area = np.pi / 4 * stack.diameter**2
    n_zx = cylinder_demagnetisation(stack.diameter, stack.t_f)
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
        temperature=stack.temperature,
        lam=stack.lam,
        h_stray=float(stack.h_z / h_k),
        h_field_like=stack.field_like * stack.alpha,  # b_J = beta a_J, a_J = alpha H_k at I_c0
        h_k_slope=float(2 * stack.vcma / (MU_0 * stack.m_s * stack.t_f * stack.t_ox * h_k)),
        bloch=stack.bloch,
        k_exponent=stack.k_exponent,
        shape_field=float(n_zx * stack.m_s / h_k),
        r_th=stack.r_th,
    )


def thermal_scaling(mtj: MTJ, temperature: ArrayLike) -> tuple[Array, Array]:
    """Compute how saturation magnetisation and anisotropy field follow the temperature.

    Valid well below the Curie temperature.

    Parameters
    ----------
    mtj : MTJ
        The junction at its own temperature T_0.
    temperature : array_like
        Temperature T, > 0, any shape [K].

    Returns
    -------
    tuple of ndarray
        m = M_s(T)/M_s(T_0) and H_k(T)/H_k(T_0), shape of `temperature` [1].

    Raises
    ------
    ParameterError
        If a temperature is not positive or the layer is no longer perpendicular there.

    Notes
    -----
    m = (1 - B T^(3/2))/(1 - B T_0^(3/2)); with K_i ~ m^zeta and the demagnetising field h_d,
    H_k(T)/H_k(T_0) = (1 + h_d) m^(zeta - 1) - h_d m.

    References
    ----------
    Bloch, Z. Phys. 61 (1930) 206, doi:10.1007/BF01339661; zeta = 3 for localised uniaxial
    anisotropy: Callen and Callen, J. Phys. Chem. Solids 27 (1966) 1271,
    doi:10.1016/0022-3697(66)90012-6.

    Examples
    --------
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2,
    ...           bloch=2e-5, shape_field=3.0)
    >>> m, h_k = thermal_scaling(mtj, 400.0)
    >>> round(float(m), 4), round(float(h_k), 4)
    (0.9374, 0.7028)
    """
    t = in_range("temperature", temperature, "K", above=0)
    base = 1 - mtj.bloch * mtj.temperature**1.5
    m = np.where(base > 0, (1 - mtj.bloch * t**1.5) / (base or 1.0), 0.0)
    h_k = (1 + mtj.shape_field) * np.abs(m) ** (mtj.k_exponent - 1) - mtj.shape_field * m
    if not ((m > 0) & (h_k > 0)).all():
        worst = float(np.ravel(t)[np.ravel((m <= 0) | (h_k <= 0)).argmax()])
        raise ParameterError(
            f"temperature = {worst:g} K: the layer is no longer magnetised along its axis",
            expected="M_s > 0 and H_k > 0 by MTJ.bloch, MTJ.k_exponent and MTJ.shape_field",
            remedy="check these three, lower the temperature or the heating",
        )
    return np.asarray(m), np.asarray(h_k)


def at_temperature(mtj: MTJ, temperature: float) -> MTJ:
    """Give the record of a junction at another temperature.

    Valid as `thermal_scaling`; damping, efficiency, resistance and TMR are taken as constant.

    Parameters
    ----------
    mtj : MTJ
        The junction at its own temperature.
    temperature : float
        New temperature, > 0 [K].

    Returns
    -------
    MTJ
        The junction there.

    Raises
    ------
    ParameterError
        If the layer is not perpendicular there.

    References
    ----------
    As of `thermal_scaling`, doi:10.1016/0022-3697(66)90012-6.

    Examples
    --------
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> at_temperature(mtj, 360.0).delta
    50.0
    """
    m, h_k = (float(x) for x in thermal_scaling(mtj, temperature))
    return replace(
        mtj,
        delta=mtj.delta * m * h_k * mtj.temperature / temperature,
        i_c0_p_ap=mtj.i_c0_p_ap * m * h_k,
        i_c0_ap_p=mtj.i_c0_ap_p * m * h_k,
        t_d=mtj.t_d / h_k,
        h_stray=mtj.h_stray / h_k,
        h_k_slope=mtj.h_k_slope / (m * h_k),
        shape_field=mtj.shape_field * m / h_k,
        temperature=temperature,
    )


def seen_from_start(mtj: MTJ, direction: Direction) -> tuple[float, float]:
    """Give the stray field and the torque's asymmetry as the state that is left sees them.

    Parameters
    ----------
    mtj : MTJ
        The junction.
    direction : {"P->AP", "AP->P"}
        The write.

    Returns
    -------
    tuple of float
        h, positive where the stray field stabilises that state, and a of `landscape.drift` [1].

    References
    ----------
    Slonczewski, J. Magn. Magn. Mater. 247 (2002) 324, doi:10.1016/S0304-8853(02)00291-3.

    Examples
    --------
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2,
    ...           h_stray=0.05)
    >>> seen_from_start(mtj, "AP->P")
    (-0.05, -0.0)
    """
    parallel = direction == "P->AP"
    return mtj.h_stray * (1 if parallel else -1), float(landscape.asymmetry(mtj.lam, parallel))


def angular_resistance(cos_theta: ArrayLike, r_p: ArrayLike, tmr: ArrayLike) -> Array:
    """Compute the resistance at an angle between the layers (cosine law in conductance).

    Parameters
    ----------
    cos_theta : array_like
        Cosine of the angle, in [-1, 1], any shape [1].
    r_p : array_like
        Resistance of the parallel state, shape broadcast with `cos_theta` [Ohm].
    tmr : array_like
        Tunnel magnetoresistance, > 0, shape broadcast with `cos_theta` [1].

    Returns
    -------
    ndarray
        R = R_P (1 + x)/(1 + x cos theta) with x = TMR/(TMR + 2), broadcast shape [Ohm].

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
    tmr = np.asarray(tmr, np.float64)
    x = tmr / (tmr + 2)
    return np.asarray(r_p * (1 + x) / (1 + x * cos_theta))


def bias_tmr(voltage: ArrayLike, tmr: float, v_h: float) -> Array:
    """Compute the tunnel magnetoresistance under a voltage.

    Empirical; valid up to about 2 V_h.

    Parameters
    ----------
    voltage : array_like
        Voltage across the junction, any shape [V].
    tmr : float
        TMR at zero bias [1].
    v_h : float
        Voltage at which it has halved [V].

    Returns
    -------
    ndarray
        TMR/(1 + V^2/V_h^2), shape of `voltage` [1].

    References
    ----------
    Zhang et al., IEEE Trans. Electron Devices 59 (2012) 819, doi:10.1109/TED.2011.2178416.

    Examples
    --------
    >>> bias_tmr([0.0, 0.5], 1.2, 0.5).tolist()
    [1.2, 0.6]
    """
    return np.asarray(tmr / (1 + (np.asarray(voltage, np.float64) / v_h) ** 2))
