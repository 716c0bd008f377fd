"""Ready terms of the free-energy density of a free layer, in J/m3, and their parameters in SI.

Each is a sympy expression of the components of the unit vector m and of named parameters; they add
up with `+` to what `devicephys.free_energy` takes.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import sympy as sp

from devicephys.on_sphere import COMPONENTS, M_Z

PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("k_u", "k_2"), "J/m3"),
        **dict.fromkeys(("m_s", "h_x", "h_y", "h_z"), "A/m"),
        **dict.fromkeys(("n_x", "n_y", "n_z"), "1"),
        **dict.fromkeys(("t_f", "t_ox"), "m"),
        "vcma": "J/(V m)",
        "voltage": "V",
    }
)
MU = sp.Symbol("mu_0", real=True)  # filled in from `constants`, never a value of the user
SYMBOLS: Mapping[str, sp.Symbol] = MappingProxyType(
    {name: sp.Symbol(name, real=True) for name in PARAMETERS}
)


def uniaxial() -> sp.Expr:
    """Write a perpendicular uniaxial anisotropy: k_u [J/m3] positive makes z the easy axis.

    An interface anisotropy K_i is k_u = K_i/t_f.

    Returns
    -------
    Expr
        k_u (1 - m_z^2), in J/m3.

    References
    ----------
    Stoner and Wohlfarth, Phil. Trans. R. Soc. A 240 (1948) 599, doi:10.1098/rsta.1948.0007.

    Examples
    --------
    >>> uniaxial()
    k_u*(1 - m_z**2)
    """
    return SYMBOLS["k_u"] * (1 - M_Z**2)


def second_order() -> sp.Expr:
    """Write the second-order perpendicular anisotropy, k_2 [J/m3].

    Returns
    -------
    Expr
        k_2 (1 - m_z^2)^2, in J/m3.

    References
    ----------
    Timopheev et al., Sci. Rep. 6 (2016) 26877, doi:10.1038/srep26877.

    Examples
    --------
    >>> second_order()
    k_2*(1 - m_z**2)**2
    """
    return SYMBOLS["k_2"] * (1 - M_Z**2) ** 2


def shape() -> sp.Expr:
    """Write the magnetostatic self-energy: n_x, n_y, n_z [1], which sum to 1, and m_s [A/m].

    Returns
    -------
    Expr
        mu_0 m_s^2/2 (n_x m_x^2 + n_y m_y^2 + n_z m_z^2), in J/m3.

    References
    ----------
    Osborn, Phys. Rev. 67 (1945) 351, doi:10.1103/PhysRev.67.351.

    Examples
    --------
    >>> sp.diff(shape(), M_Z)
    m_s**2*m_z*mu_0*n_z
    """
    factors = (SYMBOLS[name] for name in ("n_x", "n_y", "n_z"))
    sum_of_squares = sum(n * m**2 for n, m in zip(factors, COMPONENTS, strict=True))
    return MU * SYMBOLS["m_s"] ** 2 / 2 * sum_of_squares


def zeeman() -> sp.Expr:
    """Write the energy in an applied field h_x, h_y, h_z [A/m].

    Returns
    -------
    Expr
        -mu_0 m_s (h_x m_x + h_y m_y + h_z m_z), in J/m3.

    References
    ----------
    Stoner and Wohlfarth, Phil. Trans. R. Soc. A 240 (1948) 599, doi:10.1098/rsta.1948.0007.

    Examples
    --------
    >>> sp.diff(zeeman(), M_Z)
    -h_z*m_s*mu_0
    """
    fields = (SYMBOLS[name] for name in ("h_x", "h_y", "h_z"))
    along = sum(h * m for h, m in zip(fields, COMPONENTS, strict=True))
    return -MU * SYMBOLS["m_s"] * along


def voltage_control() -> sp.Expr:
    """Write the anisotropy that a voltage adds at the interface: vcma [J/(V m)], voltage [V].

    The sign: vcma > 0 with voltage > 0 raises the perpendicular anisotropy, as in
    H_k(V) = H_k + 2 vcma V/(mu0 M_s t_F t_ox).

    Returns
    -------
    Expr
        -vcma voltage m_z^2/(t_f t_ox), in J/m3.

    References
    ----------
    Nozaki et al., Micromachines 10 (2019) 327, doi:10.3390/mi10050327.

    Examples
    --------
    >>> voltage_control()
    -m_z**2*vcma*voltage/(t_f*t_ox)
    """
    s = SYMBOLS
    return -s["vcma"] * s["voltage"] / (s["t_f"] * s["t_ox"]) * M_Z**2


TERMS: Mapping[str, Callable[[], sp.Expr]] = MappingProxyType(
    {term.__name__: term for term in (uniaxial, second_order, shape, zeeman, voltage_control)}
)
