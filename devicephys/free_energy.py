"""A free-energy density written as an expression, and what a solver needs of it.

F(m) in J/m3 of the unit vector m, or F(theta, phi), is a sympy expression with named parameters.
The ready terms of `TERMS` add up with `+`; a user writes further ones, in Python or as text. From F
follow the effective field H = -(1/(mu0 M_s)) dF/dm, compiled functions, and the free layer in
reduced units (`devicephys.mram.free_layer`), on which `devicephys.mram.wells` finds minima,
barriers, rates, resonance and critical current.

Valid for one macrospin: F depends on the direction of a uniform magnetisation alone.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy as sp
from numpy.polynomial import chebyshev
from scipy.optimize import minimize_scalar

from devicephys.checks import Array, in_range, known
from devicephys.constants import K_B, MU_0
from devicephys.errors import ParameterError
from devicephys.expression import CONSTANTS, FUNCTIONS, parse
from devicephys.mram.free_layer import FreeLayer, Surface

PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        "k_u": "J/m3",
        "k_2": "J/m3",
        "m_s": "A/m",
        "n_x": "1",
        "n_y": "1",
        "n_z": "1",
        "h_x": "A/m",
        "h_y": "A/m",
        "h_z": "A/m",
        "vcma": "J/(V m)",
        "voltage": "V",
        "t_f": "m",
        "t_ox": "m",
    }
)
COMPONENTS = M_X, M_Y, M_Z = sp.symbols("m_x m_y m_z", real=True)
ANGLES = THETA, PHI = sp.symbols("theta phi", real=True)
MU = sp.Symbol("mu_0", real=True)  # filled in from `constants`, never a value of the user
SYMBOLS: Mapping[str, sp.Symbol] = MappingProxyType(
    {name: sp.Symbol(name, real=True) for name in PARAMETERS}
)
AXES = {"z": (M_X, M_Y, M_Z), "x": (M_Y, M_Z, M_X), "y": (M_Z, M_X, M_Y)}  # by the polar axis
MULTIPLE = 12  # of an angle inside a sine
FLAT = 1e-13  # relative span below which an energy is the same in all directions
SAME = 1e-9  # relative agreement of two forms of one function
SERIES = (16, 32, 64)  # Chebyshev degrees tried for a function that is no polynomial
NEGLIGIBLE = 1e-15  # relative size of a coefficient that rounding leaves
NAMES = "m_x, m_y, m_z, theta, phi, mu_0 and parameters with a value"


@dataclass(frozen=True, eq=False)
class FreeEnergy:
    """A free-energy density as a function of the direction of magnetisation; see `free_energy`.

    Attributes
    ----------
    density : Expr
        F in J/m3, an expression in m_x, m_y, m_z, mu_0 and parameters.
    values : mapping of str to float
        Value of every parameter, m_s [A/m] among them [SI].
    """

    density: sp.Expr
    values: Mapping[str, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", MappingProxyType(_checked_values(self.values)))
        _check_names(self.density, self.values)
        strange = self.density.free_symbols & set(ANGLES)
        if strange:
            raise ParameterError(
                f"{strange} in FreeEnergy.density", expected="m_x, m_y, m_z",
                remedy="free_energy(density, values) rewrites angles",
            )  # fmt: skip
        _check_function(self)


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
    >>> shape().coeff(SYMBOLS["n_x"])
    0
    >>> sp.diff(shape(), M_X)
    m_s**2*m_x*mu_0*n_x
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


def free_energy(density: sp.Expr, values: Mapping[str, float]) -> FreeEnergy:
    """Make a free energy from an expression in m_x, m_y, m_z or in theta, phi.

    Valid for densities that are smooth on the sphere but for kinks; theta is the angle to z, phi
    the azimuth from x.

    Parameters
    ----------
    density : Expr
        F in J/m3: `TERMS` and expressions of one's own, which may have any further parameters.
    values : mapping of str to float
        Value of every parameter, m_s [A/m] always among them; units in `PARAMETERS` [SI].

    Returns
    -------
    FreeEnergy
        The energy, as a function of m.

    Raises
    ------
    ParameterError
        If a parameter lacks a value or a value its parameter, or if the energy is complex, not
        finite, without a finite field, no function on the sphere, or the same in all directions.

    Notes
    -----
    cos theta -> m_z, sin theta cos phi -> m_x, sin theta sin phi -> m_y by polynomial division by a
    Groebner basis of these relations: what is left over is no smooth function at the poles.

    Examples
    --------
    >>> k_c = sp.Symbol("k_c")
    >>> F = free_energy(uniaxial() + k_c * sp.sin(THETA)**2 * sp.cos(PHI)**2,
    ...                 {"k_u": 1e5, "k_c": 1e3, "m_s": 1e6})
    >>> F.density
    k_c*m_x**2 + k_u*(1 - m_z**2)
    """
    if not isinstance(density, sp.Expr):
        raise ParameterError(
            f"density = {density!r:.60}", expected="a sympy expression",
            remedy="from_text(text, values) reads text",
        )  # fmt: skip
    values = _checked_values(values)
    # Symbols go by their names: a user's own have other assumptions than those here.
    density = density.xreplace({s: sp.Symbol(s.name, real=True) for s in density.free_symbols})
    _check_names(density, values)
    if not density.has(*ANGLES):
        return FreeEnergy(density, values)
    rewritten = _rewritten(density)
    found = FreeEnergy(rewritten, values)
    m = _directions()
    polar, azimuth = np.arccos(np.clip(m[2], -1, 1)), np.arctan2(m[1], m[0])
    given = sp.lambdify((*COMPONENTS, *ANGLES), _numeric(density, values), "numpy", cse=True)
    with np.errstate(all="ignore"):
        before = np.broadcast_to(given(*m, polar, azimuth), polar.shape)
    after = energy_function(found)(m)
    if not np.allclose(before, after, rtol=0, atol=SAME * np.abs(after).max()):
        raise ParameterError(
            f"{rewritten} is not {density}", expected="an energy that is a function on the sphere",
            remedy="write it in m_x, m_y, m_z",
        )  # fmt: skip
    return found


def from_text(text: str, values: Mapping[str, float], *, where: str = "") -> FreeEnergy:
    """Make a free energy from text, such as a line of a file; nothing of it is run as Python.

    Valid as `free_energy` is. The text knows m_x, m_y, m_z, theta, phi, mu_0, pi, the names of
    `TERMS`, `PARAMETERS` and `values`, and the functions of `devicephys.expression`.

    Parameters
    ----------
    text : str
        F in J/m3, such as "uniaxial + shape + k_c*m_x**2*m_y**2".
    values : mapping of str to float
        Value of every parameter, as for `free_energy` [SI].
    where : str, optional
        File and key that hold the text, for messages.

    Returns
    -------
    FreeEnergy
        The energy, as a function of m.

    Raises
    ------
    ParameterError
        If the text is refused by `devicephys.expression.parse`, or as `free_energy` says.

    Examples
    --------
    >>> from_text("k_u*sin(theta)**2", {"k_u": 1e5, "m_s": 1e6}).density
    k_u*(1 - m_z**2)
    """
    own = {name: sp.Symbol(name, real=True) for name in _checked_values(values)}
    terms = {name: term() for name, term in TERMS.items()}
    fixed = {s.name: s for s in (*COMPONENTS, *ANGLES, MU)}
    density = parse(text, {**SYMBOLS, **own, **terms, **fixed}, where=where)
    try:
        return free_energy(density, values)
    except ParameterError as err:
        raise ParameterError(str(err), where=where) from err


def effective_field(F: FreeEnergy) -> tuple[sp.Expr, sp.Expr, sp.Expr]:  # noqa: N803
    """Derive the effective field as an expression.

    Valid up to a vector along m, which exerts no torque: it depends on how F, a function on the
    sphere, is written in m_x, m_y, m_z.

    Parameters
    ----------
    F : FreeEnergy
        The energy.

    Returns
    -------
    tuple of Expr
        The components of H = -(1/(mu_0 m_s)) dF/dm, in A/m.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> effective_field(free_energy(uniaxial(), {"k_u": 1e5, "m_s": 1e6}))
    (0, 0, 2*k_u*m_z/(m_s*mu_0))
    """
    x, y, z = (-sp.diff(F.density, m) / (MU * SYMBOLS["m_s"]) for m in COMPONENTS)
    return x, y, z


def energy_function(F: FreeEnergy) -> Callable[[Array], Array]:  # noqa: N803
    """Compile the energy density.

    Parameters
    ----------
    F : FreeEnergy
        The energy.

    Returns
    -------
    callable
        m of shape (3, ...) to F in J/m3, of shape (...).

    Examples
    --------
    >>> F = free_energy(uniaxial(), {"k_u": 1e5, "m_s": 1e6})
    >>> energy_function(F)(np.eye(3)).tolist()
    [100000.0, 100000.0, 0.0]
    """
    return _energy(_numeric(F.density, F.values))


def field_function(F: FreeEnergy) -> Callable[[Array], Array]:  # noqa: N803
    """Compile the effective field.

    Parameters
    ----------
    F : FreeEnergy
        The energy.

    Returns
    -------
    callable
        m of shape (3, ...) to H in A/m, of shape (3, ...).

    Examples
    --------
    >>> F = free_energy(uniaxial(), {"k_u": 1e5, "m_s": 1e6})
    >>> field_function(F)(np.array([0.6, 0.0, 0.8])).round().tolist()
    [0.0, 0.0, 127324.0]
    """
    return _compiled([_numeric(h, F.values) for h in effective_field(F)])


def anisotropy_field(F: FreeEnergy, polar: str = "z") -> float:  # noqa: N803
    """Compute the effective anisotropy field H_k along an axis, from the barrier without a field.

    Valid where the lowest way from one pole to the other crosses the equator at its lowest point;
    `free_layer` accepts another unit otherwise.

    Parameters
    ----------
    F : FreeEnergy
        The energy.
    polar : {"z", "x", "y"}, optional
        The easy axis.

    Returns
    -------
    float
        H_k = 2 [min F_even(equator) - F_even(pole)]/(mu0 M_s), where F_even = [F(m) + F(-m)]/2 has
        lost the applied field; mu0 M_s H_k V/2 is then the barrier [A/m].

    Raises
    ------
    ParameterError
        If the axis is no easy one, or unknown.

    Notes
    -----
    For uniaxial and shape anisotropy, 2 k_u/(mu0 M_s) - (N_z - min(N_x, N_y)) M_s.

    References
    ----------
    Ikeda et al., Nature Materials 9 (2010) 721, doi:10.1038/nmat2804.

    Examples
    --------
    >>> values = {"k_u": 1e6, "m_s": 1.2e6, "n_x": 0.02, "n_y": 0.02, "n_z": 0.96}
    >>> round(anisotropy_field(free_energy(uniaxial() + shape(), values)))
    198291
    """
    energy = _energy(_turned(_numeric(F.density, F.values), polar))

    def even(m: Array) -> Array:
        return (energy(m) + energy(-m)) / 2

    def equator(azimuth: Any) -> Array:
        x, y = np.cos(azimuth), np.sin(azimuth)
        snapped = [np.where(abs(u) < 1e-15, 0.0, u) for u in (x, y)]
        return even(np.stack([*snapped, np.zeros_like(x)]))

    azimuth = np.pi * np.arange(720) / 720  # even: half the circle is all of it
    around = equator(azimuth)
    best = azimuth[around.argmin()]
    refined = minimize_scalar(
        lambda turn: float(equator(best + turn)), bounds=(-0.01, 0.01), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    barrier = min(around.min(), refined.fun) - even(np.array([0.0, 0.0, 1.0]))
    if not barrier > FLAT * np.abs(around).max():
        raise ParameterError(
            f"no minimum of the energy along {polar}: the equator is {barrier:.3g} J/m3 above it",
            expected="polar = the easy axis", remedy="choose polar, or give h_k to free_layer",
        )  # fmt: skip
    return float(2 * barrier / (MU_0 * F.values["m_s"]))


def free_layer(
    F: FreeEnergy,  # noqa: N803
    *,
    volume: float,
    alpha: float,
    temperature: float,
    polar: str = "z",
    h_k: float | None = None,
) -> FreeLayer:
    """Make the free layer in reduced units that the solvers of `devicephys.mram` take.

    Valid for a macrospin. Energies keep their differences, not their zero.

    Parameters
    ----------
    F : FreeEnergy
        The energy.
    volume : float
        Volume of the layer, > 0 [m3].
    alpha : float
        Gilbert damping, in (0, 1) [1].
    temperature : float
        Temperature, > 0 [K].
    polar : {"z", "x", "y"}, optional
        The easy axis, which becomes z; the axes turn cyclically: with "x", (y, z, x) become
        (x, y, z), with "y", (z, x, y) do.
    h_k : float, optional
        Unit of field, > 0; by default `anisotropy_field` [A/m].

    Returns
    -------
    FreeLayer
        Energies over mu0 M_s H_k V, fields over H_k, delta = mu0 M_s H_k V/(2 k_B T). What is a
        sum of functions of one component each, with m.m = 1, is in `anisotropy` and `h`, and
        only what is not in `surface`.

    Raises
    ------
    ParameterError
        If an argument is outside its range, or the polar axis is no easy one.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> values = {"k_u": 1e6, "m_s": 1.2e6, "n_x": 0.02, "n_y": 0.03, "n_z": 0.95}
    >>> F = free_energy(uniaxial() + shape(), values)
    >>> layer = free_layer(F, volume=2e-24, alpha=0.01, temperature=300.0)
    >>> round(layer.delta, 2), layer.anisotropy.round(4).tolist()
    (76.17, [[0.0, 0.0], [0.0, -0.0572], [0.0, 1.0]])
    """
    volume = float(in_range("volume", volume, "m3", above=0, scalar=True))
    temperature = float(in_range("temperature", temperature, "K", above=0, scalar=True))
    if h_k is None:
        h_k = anisotropy_field(F, polar)
    h_k = float(in_range("h_k", h_k, "A/m", above=0, scalar=True))
    scale = MU_0 * F.values["m_s"] * h_k
    exact = {name: sp.Rational(value) for name, value in F.values.items()}
    reduced = _turned(_numeric(F.density, exact), polar) / sp.Rational(scale)
    series, constant, rest = _separated(reduced)
    surface = None
    if rest != 0:
        slopes = [_numeric(-sp.diff(rest, m), {}) for m in COMPONENTS]
        surface = Surface(_energy(_numeric(rest, {})), _compiled(slopes))
    delta = scale * volume / (2 * K_B * temperature)
    return FreeLayer(delta, alpha, series, constant, surface=surface)


def _checked_values(values: Mapping[str, float]) -> dict[str, float]:
    """Return the values as floats; m_s is always there."""
    taken = {s.name for s in (*COMPONENTS, *ANGLES, MU)} | set(TERMS) | set(FUNCTIONS)
    found = {}
    for name, value in values.items():
        if name in taken | set(CONSTANTS) or not str(name).isidentifier():
            raise ParameterError(
                f"values[{name!r}]", expected="names of parameters", remedy="choose another name"
            )
        low = 0.0 if name in ("m_s", "t_f", "t_ox") else -np.inf
        unit = PARAMETERS.get(name, "SI")
        found[name] = float(in_range(f"values[{name!r}]", value, unit, above=low, scalar=True))
    if "m_s" not in found:
        raise ParameterError(
            "no value for m_s", expected="values['m_s'] [A/m]: the field is -dF/dm over mu0 M_s"
        )
    return found


def _check_names(density: sp.Expr, values: Mapping[str, float]) -> None:
    """Refuse symbols without a value, values without a symbol, and functions without a law."""
    if density.has(sp.I) or density.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise ParameterError(f"density = {str(density):.60}", expected="a real, finite energy")
    unknown = density.atoms(sp.core.function.AppliedUndef, sp.Derivative, sp.Integral)
    if unknown:
        raise ParameterError(
            f"{unknown} in the energy", expected="functions that sympy can evaluate"
        )
    used = {s.name for s in density.free_symbols} - {s.name for s in (*COMPONENTS, *ANGLES, MU)}
    missing = sorted(used - set(values))
    if missing:
        close = difflib.get_close_matches(missing[0], [*PARAMETERS, *values], n=2, cutoff=0.5)
        units = [f"{name} [{PARAMETERS.get(name, 'SI')}]" for name in missing]
        raise ParameterError(
            f"no value for {', '.join(units)}", expected=NAMES,
            remedy=f"add it to values, or is it {' or '.join(close)}?" if close else
            "add it to values",
        )  # fmt: skip
    for name in set(values) - used:
        known("parameter of the energy", name, {*used, *PARAMETERS}, where="values")


def _check_function(F: FreeEnergy) -> None:  # noqa: N803
    """Refuse an energy that is complex, not finite, without a finite field, or constant."""
    m = _directions()
    try:
        with np.errstate(all="ignore"):
            # In complex numbers the root of a negative one shows, where reals give nan.
            energy = energy_function(F)(m.astype(np.complex128))
            scale = np.nanmax(np.abs(energy))
            _refuse(np.abs(energy.imag) > SAME * scale, m, "a complex energy", "a real energy")
            energy = energy_function(F)(m)
            _refuse(~np.isfinite(energy), m, "an energy that is not finite", "finite J/m3")
            field = field_function(F)(m)
    except (TypeError, NameError, AttributeError, OverflowError) as err:
        raise ParameterError(
            f"an energy that cannot be compiled: {F.density!s:.60}", expected="numbers and elementary "
            "functions",
        ) from err  # fmt: skip
    bad = ~np.isfinite(field).all(axis=0)
    _refuse(bad, m, "a field that is not finite", "an energy that is smooth there")
    if np.ptp(energy) <= FLAT * np.abs(energy).max():
        raise ParameterError(
            f"no minimum: the energy is {energy[0]:.6g} J/m3 in all directions",
            expected="an energy that depends on the direction of m",
        )


def _refuse(bad: Array, m: Array, what: str, expected: str) -> None:
    if bad.any():
        first = np.round(m[:, bad.argmax()], 4) + 0.0
        raise ParameterError(f"{what} at m = {first.tolist()}", expected=expected)


def _directions() -> Array:
    """Give unit vectors: the axes, planes through them, and points between, shape (3, n)."""
    polar = np.linspace(0, np.pi, 41)[:, None]
    azimuth = 2 * np.pi * np.arange(80) / 80
    grid = [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)]
    m = np.stack([*grid, np.cos(polar) + 0 * azimuth]).reshape(3, -1)
    return np.where(np.abs(m) < 1e-15, 0.0, m)


def _numeric(expression: sp.Expr, values: Mapping[str, Any]) -> sp.Expr:
    """Put numbers for the parameters; exact ones stay exact."""
    exact = any(isinstance(v, sp.Rational) for v in values.values())
    mu_0 = sp.Rational(MU_0) if exact else MU_0
    symbols = {sp.Symbol(name, real=True): value for name, value in values.items()}
    return sp.sympify(expression).subs({**symbols, MU: mu_0})


def _turned(expression: sp.Expr, polar: str) -> sp.Expr:
    """Rename the axes so that the polar one is z."""
    new = AXES[known("polar axis", polar, AXES)]
    return expression.xreplace(dict(zip(new, COMPONENTS, strict=True)))


def _energy(expression: sp.Expr) -> Callable[[Array], Array]:
    """Compile one number a direction."""
    function = _compiled([expression])
    return lambda m: np.asarray(function(m)[0])


def _compiled(expressions: Sequence[sp.Expr]) -> Callable[[Array], Array]:
    """Compile expressions in m_x, m_y, m_z; constants become arrays as well."""
    function = sp.lambdify(COMPONENTS, [sp.N(e, 17) for e in expressions], "numpy", cse=True)

    def evaluate(m: Array) -> Array:
        m = np.asarray(m)
        return np.stack([np.broadcast_to(np.asarray(f, m.dtype), m.shape[1:]) for f in function(*m)])

    return evaluate


def _rewritten(density: sp.Expr) -> sp.Expr:
    """Rewrite theta and phi as m_x, m_y, m_z; functions of functions on the sphere stay so."""
    s, c, cp, sp_ = sp.symbols("sin_theta cos_theta cos_phi sin_phi", cls=sp.Dummy, real=True)
    names = {sp.sin(THETA): s, sp.cos(THETA): c, sp.cos(PHI): cp, sp.sin(PHI): sp_}
    inner: dict[sp.Dummy, sp.Expr] = {}

    def hide(e: sp.Expr) -> sp.Expr:
        """Make a polynomial of the four names, with dummies for what is none."""
        if not e.has(*ANGLES):
            return e
        if e in names:
            return names[e]
        if isinstance(e, sp.sin | sp.cos) and _is_multiple(e.args[0]):
            return sp.expand_trig(e).xreplace(names)
        if e.is_Add or e.is_Mul or (e.is_Pow and e.exp.is_Integer and e.exp > 0):
            return e.func(*map(hide, e.args))
        if e in ANGLES:
            raise ParameterError(
                f"{e} outside of a sine or cosine in {str(density):.60}",
                expected="sin and cos of whole multiples of theta and phi",
            )
        dummy = sp.Dummy(real=True)
        inner[dummy] = e.func(*map(_rewritten, e.args))
        return dummy

    density = density.replace(sp.tan, lambda a: sp.sin(a) / sp.cos(a))
    polynomial = hide(density)
    polynomial = polynomial.xreplace({f: sp.Rational(f) for f in polynomial.atoms(sp.Float)})
    relations = [s**2 + c**2 - 1, sp_**2 + cp**2 - 1, s * cp - M_X, s * sp_ - M_Y, c - M_Z]
    order = (s, cp, sp_, c, *COMPONENTS)
    basis = sp.groebner(relations, *order, order="lex")
    whole = sum(sp.factor_terms(part) for part in [sp.reduced(polynomial, basis.exprs, *order)[1]])
    if whole.has(s, c, cp, sp_):
        raise ParameterError(
            f"no smooth function at theta = 0 or pi: {str(density):.60}",
            expected="phi and odd powers of sin(theta) as sin(theta)*cos(phi), sin(theta)*sin(phi)",
        )
    return whole.xreplace(inner)


def _is_multiple(argument: sp.Expr) -> bool:
    """Say whether an argument is n theta + k phi + constant with modest whole n and k."""
    factors = [sp.expand(argument).coeff(angle) for angle in ANGLES]
    rest = sp.expand(argument - sum(f * a for f, a in zip(factors, ANGLES, strict=True)))
    whole = all(f.is_Integer and abs(f) <= MULTIPLE for f in factors)
    return whole and not rest.has(*ANGLES)


def _separated(reduced: sp.Expr) -> tuple[Array, Array, sp.Expr]:
    """Split an energy: anisotropy series and constant field by axis, and what does not separate."""
    polynomial, rest = sp.S.Zero, sp.S.Zero
    rows: list[Array] = [np.zeros(2)] * 3
    for term in sp.Add.make_args(sp.expand(reduced)):
        if term.is_polynomial(*COMPONENTS):
            polynomial += term
            continue
        used = term.free_symbols
        series = _series(-sp.diff(term, *used), *used) if len(used) == 1 else None
        if series is None:
            rest += term
        else:
            axis = COMPONENTS.index(*used)
            rows[axis] = chebyshev.chebadd(rows[axis], series)
    powers, cross = _split_polynomial(polynomial)
    constant = np.zeros(3)
    for axis, coefficients in enumerate(powers):
        slope = -np.polynomial.polynomial.polyder(coefficients)
        constant[axis], slope[0] = slope[0], 0.0
        rows[axis] = chebyshev.chebadd(rows[axis], chebyshev.poly2cheb(slope))
    k = max(2, *map(len, rows))
    return np.stack([np.pad(row, (0, k - len(row))) for row in rows]), constant, rest + cross


def _split_polynomial(polynomial: sp.Expr) -> tuple[list[Array], sp.Expr]:
    """Write a polynomial with m.m = 1 as a(m_x) + b(m_y) + c(m_z) plus a rest, zero if it can be.

    With m_x^2 gone, even powers m_x^(2k) = w^k, w = 1 - m_y^2 - m_z^2, are known by the products
    m_y^2 m_z^(2k-2) that nothing else holds, and odd ones by the highest power of m_z next to m_x.
    """
    sphere = M_X**2 + M_Y**2 + M_Z**2 - 1
    normal = sp.reduced(polynomial, [sphere], *COMPONENTS)[1]
    parts = sp.Poly(normal, *COMPONENTS)
    w = sp.Poly(1 - M_Y**2 - M_Z**2, *COMPONENTS)
    top = parts.total_degree() // 2
    left, along_x = parts, dict[int, sp.Expr]()
    for k in range(top, -1, -1):
        odd = (-1) ** k * left.coeff_monomial(M_X * M_Z ** (2 * k))
        along_x[2 * k + 1] = odd
        left -= odd * sp.Poly(M_X, *COMPONENTS) * w**k
        if k >= 2:  # m_x^2 itself is the choice that m.m = 1 leaves free: 0
            even = sp.Rational((-1) ** k, k) * left.coeff_monomial(M_Y**2 * M_Z ** (2 * k - 2))
            along_x[2 * k] = even
            left -= even * w**k
    if any(sum(n > 0 for n in monomial) > 1 for monomial, _ in _large(left)):
        left, along_x = parts, {}
    powers = [np.zeros(2 * top + 2) for _ in COMPONENTS]
    powers[0][list(along_x)] = [float(value) for value in along_x.values()]
    cross = sp.S.Zero
    for monomial, value in _large(left):
        used = [axis for axis, n in enumerate(monomial) if n]
        if len(used) > 1:
            cross += value * sp.prod(m**n for m, n in zip(COMPONENTS, monomial, strict=True))
        elif used:
            powers[used[0]][monomial[used[0]]] += float(value)
    return powers, cross


def _large(polynomial: sp.Poly) -> list[tuple[tuple[int, ...], sp.Expr]]:
    """List the terms of a polynomial that are more than rounding."""
    largest = max(abs(float(value)) for _, value in polynomial.terms())
    return [t for t in polynomial.terms() if abs(float(t[1])) > NEGLIGIBLE * largest]


def _series(slope: sp.Expr, component: sp.Symbol) -> Array | None:
    """Expand a function of one component in Chebyshev polynomials; None if that takes too many."""
    function = sp.lambdify([component], sp.N(slope, 17), "numpy")
    for degree in SERIES:
        found = chebyshev.chebinterpolate(lambda x: function(x) + 0 * x, degree)
        if np.abs(found[-4:]).max() < 1e-15 * np.abs(found).max():
            return np.asarray(chebyshev.chebtrim(found, 1e-16 * np.abs(found).max()))
    return None
