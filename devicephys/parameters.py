"""Frozen records of device parameters; each field says its unit, symbol and range."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from devicephys.checks import ZERO, in_range

Direction = Literal["P->AP", "AP->P"]
INF = float("inf")
DIRECTIONS: tuple[Direction, ...] = ("P->AP", "AP->P")


def parameter(unit: str, symbol: str, *, above: float = 0.0, below: float = INF,
              default: Any = None) -> Any:  # fmt: skip
    """Declare a field of a parameter record with its unit, symbol and open range.

    Parameters
    ----------
    unit : str
        SI unit; "1" for pure numbers.
    symbol : str
        Symbol in the field's notation, LaTeX without dollar signs.
    above, below : float, optional
        Open bounds [`unit`].
    default : float, optional
        Default value; without one the field is required [`unit`].

    Returns
    -------
    dataclasses.Field
        The field.

    Examples
    --------
    >>> parameter("K", "T", default=300.0).metadata["unit"]
    'K'
    """
    metadata = {"unit": unit, "symbol": symbol, "above": above, "below": below}
    if default is None:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


def check_record(record: Any) -> None:
    """Check every field of a parameter record against its declared range.

    Parameters
    ----------
    record : dataclass instance
        A record whose fields were made by `parameter`.

    Raises
    ------
    ParameterError
        Naming the field, its value, range and unit.

    Examples
    --------
    >>> MTJ(delta=-1, i_c0_p_ap=3e-5, i_c0_ap_p=3e-5, t_d=1e-9, r_p=5e3, tmr=1.0)
    Traceback (most recent call last):
        ...
    devicephys.errors.ParameterError: MTJ.delta = -1; expected finite, in (0, inf)
    """
    for f in fields(record):
        m = f.metadata
        name = f"{type(record).__name__}.{f.name}"
        in_range(name, getattr(record, f.name), m["unit"], above=m["above"], below=m["below"])


@dataclass(frozen=True)
class Stack:
    """Perpendicular junction by geometry and material: a disc with interface anisotropy.

    Attributes
    ----------
    diameter, t_f : float
        Diameter and thickness of the free layer [m].
    m_s : float
        Saturation magnetisation [A/m].
    k_i : float
        Interface anisotropy energy [J/m2].
    alpha : float
        Gilbert damping [1].
    eta_p_ap, eta_ap_p : float
        Spin-torque efficiency for either direction [1].
    ra : float
        Resistance-area product of the parallel state [Ohm m2].
    tmr : float
        Tunnel magnetoresistance at zero bias, (R_AP - R_P)/R_P [1].
    v_h : float
        Voltage at which the TMR has halved [V].
    temperature : float
        Temperature at which the material's numbers hold [K].
    lam : float
        Slonczewski's Lambda: angular dependence of the torque; with it, eta_ap_p is
        Lambda^2 eta_p_ap in his theory [1].
    field_like : float
        Field-like over damping-like torque; positive acts against the write [1].
    vcma : float
        Voltage-controlled anisotropy; positive where the voltage that writes P->AP raises H_k
        [J/(V m)].
    t_ox : float
        Thickness of the barrier, for `vcma` [m].
    h_z : float
        Stray field along the axis; positive stabilises the parallel state [A/m].
    bloch : float
        B of M_s(T) = M_s(0) (1 - B T^(3/2)); 0 for a constant M_s [K-3/2].
    k_exponent : float
        Power of M_s(T) that the interface anisotropy follows [1].
    r_th : float
        Thermal resistance, for Joule heating [K/W].
    """

    diameter: float = parameter("m", "D")
    t_f: float = parameter("m", "t_F")
    m_s: float = parameter("A/m", "M_s")
    k_i: float = parameter("J/m2", "K_i")
    alpha: float = parameter("1", r"\alpha", below=1.0)
    eta_p_ap: float = parameter("1", r"\eta_{P \to AP}")
    eta_ap_p: float = parameter("1", r"\eta_{AP \to P}")
    ra: float = parameter("Ohm m2", "RA")
    tmr: float = parameter("1", "TMR")
    v_h: float = parameter("V", "V_h", default=0.5)
    temperature: float = parameter("K", "T", default=300.0)
    lam: float = parameter("1", r"\Lambda", above=1 / 3.001, below=3.001, default=1.0)
    field_like: float = parameter("1", r"\beta", above=-INF, default=0.0)
    vcma: float = parameter("J/(V m)", r"\xi", above=-INF, default=0.0)
    t_ox: float = parameter("m", "t_{ox}", default=1e-9)
    h_z: float = parameter("A/m", "H_z", above=-INF, default=0.0)
    bloch: float = parameter("K-3/2", "B", above=-ZERO, default=0.0)
    k_exponent: float = parameter("1", r"\zeta", above=-ZERO, default=3.0)
    r_th: float = parameter("K/W", "R_{th}", above=-ZERO, default=0.0)

    def __post_init__(self) -> None:
        check_record(self)


@dataclass(frozen=True)
class MTJ:
    """Perpendicular magnetic tunnel junction as a circuit and a test bench see it.

    Attributes
    ----------
    delta : float
        Thermal stability factor mu0 M_s H_k V / (2 k_B T) [1].
    i_c0_p_ap, i_c0_ap_p : float
        Critical current at zero temperature for either write direction, a magnitude [A].
    t_d : float
        Damping time (1 + alpha^2)/(alpha gamma0 H_k) [s].
    r_p : float
        Resistance of the parallel state [Ohm].
    tmr : float
        Tunnel magnetoresistance at zero bias [1].
    v_h : float
        Voltage at which the TMR has halved [V].
    temperature : float
        Temperature at which the other numbers hold [K].
    lam : float
        Slonczewski's Lambda: angular dependence of the torque [1].
    h_stray : float
        Stray field along the axis over H_k; positive stabilises the parallel state [1].
    h_field_like : float
        Field of the field-like torque over H_k at the critical current; positive acts against
        the write [1].
    h_k_slope : float
        d ln H_k/dV of the voltage that writes P->AP; AP->P takes the opposite sign [1/V].
    bloch : float
        B of M_s(T) = M_s(0) (1 - B T^(3/2)); 0 for a constant M_s [K-3/2].
    k_exponent : float
        Power of M_s(T) that the interface anisotropy follows [1].
    shape_field : float
        Demagnetising field (N_z - N_x) M_s over H_k: what the interface has to overcome [1].
    r_th : float
        Thermal resistance, for Joule heating [K/W].
    """

    delta: float = parameter("1", r"\Delta")
    i_c0_p_ap: float = parameter("A", r"I_{c0}^{P \to AP}")
    i_c0_ap_p: float = parameter("A", r"I_{c0}^{AP \to P}")
    t_d: float = parameter("s", "t_D")
    r_p: float = parameter("Ohm", "R_P")
    tmr: float = parameter("1", "TMR")
    v_h: float = parameter("V", "V_h", default=0.5)
    temperature: float = parameter("K", "T", default=300.0)
    lam: float = parameter("1", r"\Lambda", above=1 / 3.001, below=3.001, default=1.0)
    h_stray: float = parameter("1", "h_s", above=-1.0, below=1.0, default=0.0)
    h_field_like: float = parameter("1", "h_{FL}", above=-1.0, below=1.0, default=0.0)
    h_k_slope: float = parameter("1/V", r"\partial_V \ln H_k", above=-INF, default=0.0)
    bloch: float = parameter("K-3/2", "B", above=-ZERO, default=0.0)
    k_exponent: float = parameter("1", r"\zeta", above=-ZERO, default=3.0)
    shape_field: float = parameter("1", "h_d", above=-INF, default=0.0)
    r_th: float = parameter("K/W", "R_{th}", above=-ZERO, default=0.0)

    def __post_init__(self) -> None:
        check_record(self)

    def i_c0(self, direction: Direction) -> float:
        """Critical current for a direction [A]."""
        return self.i_c0_p_ap if direction == "P->AP" else self.i_c0_ap_p


@dataclass(frozen=True)
class OffAxis:
    """What acts on the free layer across its axis, and the damping, which then counts.

    x and y are axes of the film; the spin polarisation of the junction is along z. For a write
    AP->P the picture is turned about x, so that the layer always starts at +z.

    Attributes
    ----------
    alpha : float
        Gilbert damping [1].
    h_x, h_y : float
        Applied field over H_k, present also at rest [1].
    h_in_plane : float
        In-plane anisotropy (N_y - N_x) M_s/H_k of an elliptic cell with the long axis along x [1].
    torque_x, torque_y : float
        Spin-orbit torque over alpha H_k, the vector towards which it pulls, in the pieces of the
        pulse whose level is not zero [1].
    """

    alpha: float = parameter("1", r"\alpha", below=1.0)
    h_x: float = parameter("1", "h_x", above=-1.0, below=1.0, default=0.0)
    h_y: float = parameter("1", "h_y", above=-1.0, below=1.0, default=0.0)
    h_in_plane: float = parameter("1", "h_e", above=-INF, default=0.0)
    torque_x: float = parameter("1", "t_x", above=-INF, default=0.0)
    torque_y: float = parameter("1", "t_y", above=-INF, default=0.0)

    def __post_init__(self) -> None:
        check_record(self)
