"""A free-energy density written as an expression, and what a solver needs of it.

F(m) in J/m3 of the unit vector m, or F(theta, phi), is a sympy expression with named parameters.
The ready terms of `devicephys.energy_terms` add up with `+`; a user writes further ones, in Python
or as text. From F follow the effective field H = -(1/(mu0 M_s)) dF/dm, compiled functions, and the
free layer in reduced units (`devicephys.mram.free_layer`), on which `devicephys.mram.wells`,
`escape` and `stability` find minima, resonance, barriers, rates, critical current and switching
field.

Valid for one macrospin: F depends on the direction of a uniform magnetisation alone.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from devicephys.checks import Array, in_range, known
from devicephys.constants import K_B, MU_0
from devicephys.energy_terms import MU, PARAMETERS, SYMBOLS, TERMS
from devicephys.errors import ParameterError
from devicephys.expression import CONSTANTS, FUNCTIONS, parse
from devicephys.mram.free_layer import FreeLayer, Surface
from devicephys.on_sphere import (
    ANGLES,
    COMPONENTS,
    M_X,
    M_Y,
    M_Z,
    Floats,
    compiled,
    directions,
    in_components,
    separated,
)

AXES = {"z": (M_X, M_Y, M_Z), "x": (M_Y, M_Z, M_X), "y": (M_Z, M_X, M_Y)}  # by the polar axis
FLAT = 1e-13  # relative span below which an energy is the same in all directions
SAME = 1e-9  # relative agreement of two forms of one function
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

    Examples
    --------
    >>> from devicephys.energy_terms import uniaxial
    >>> k_c, theta, phi = sp.symbols("k_c theta phi")
    >>> own = k_c * sp.sin(theta) ** 2 * sp.sin(phi) ** 2
    >>> free_energy(uniaxial() + own, {"k_u": 1e5, "k_c": 1e3, "m_s": 1e6}).density
    k_c*m_y**2 + k_u*(1 - m_z**2)
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
    rewritten = in_components(density)
    found = FreeEnergy(rewritten, values)
    m = directions()
    polar, azimuth = np.arccos(np.clip(m[2], -1, 1)), np.arctan2(m[1], m[0])
    given = sp.lambdify((*COMPONENTS, *ANGLES), _numeric(density, values), "numpy", cse=True)
    with np.errstate(all="ignore"):
        before = np.broadcast_to(given(*m, polar, azimuth), polar.shape)
    after = energy_function(found)(m)
    if not np.allclose(before, after, rtol=0, atol=SAME * np.abs(after).max()):
        raise ParameterError(
            f"{density!s:.60} is another function when rewritten in m",
            expected="a function on the sphere, of low degree", remedy="write it in m_x, m_y, m_z",
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
    -k_u*m_z**2 + k_u
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

    Examples
    --------
    >>> from devicephys.energy_terms import uniaxial
    >>> effective_field(free_energy(uniaxial(), {"k_u": 1e5, "m_s": 1e6}))
    (0, 0, 2*k_u*m_z/(m_s*mu_0))
    """
    x, y, z = (-sp.diff(F.density, m) / (MU * SYMBOLS["m_s"]) for m in COMPONENTS)
    return x, y, z


def energy_function(F: FreeEnergy) -> Callable[[Floats], Floats]:  # noqa: N803
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
    >>> from devicephys.energy_terms import uniaxial
    >>> F = free_energy(uniaxial(), {"k_u": 1e5, "m_s": 1e6})
    >>> energy_function(F)(np.eye(3)).tolist()
    [100000.0, 100000.0, 0.0]
    """
    return _energy(_numeric(F.density, F.values))


def field_function(F: FreeEnergy) -> Callable[[Floats], Floats]:  # noqa: N803
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
    >>> from devicephys.energy_terms import uniaxial
    >>> F = free_energy(uniaxial(), {"k_u": 1e5, "m_s": 1e6})
    >>> field_function(F)(np.array([0.6, 0.0, 0.8])).round().tolist()
    [0.0, 0.0, 127324.0]
    """
    return compiled([_numeric(h, F.values) for h in effective_field(F)])


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
    >>> from devicephys.energy_terms import shape, uniaxial
    >>> values = {"k_u": 1e6, "m_s": 1.2e6, "n_x": 0.02, "n_y": 0.02, "n_z": 0.96}
    >>> round(anisotropy_field(free_energy(uniaxial() + shape(), values)))
    198291
    """
    energy = _energy(_turned(_numeric(F.density, F.values), polar))

    def even(m: Floats) -> Floats:
        return (energy(m) + energy(-m)) / 2

    def equator(azimuth: Any) -> Floats:
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

    Examples
    --------
    >>> from devicephys.energy_terms import shape, uniaxial
    >>> values = {"k_u": 1e6, "m_s": 1.2e6, "n_x": 0.02, "n_y": 0.03, "n_z": 0.95}
    >>> F = free_energy(uniaxial() + shape(), values)
    >>> layer = free_layer(F, volume=2e-24, alpha=0.01, temperature=300.0)
    >>> round(layer.delta, 2), layer.anisotropy.round(4).tolist()
    (76.56, [[0.0, 0.0], [0.0, -0.0571], [0.0, 1.0]])
    """
    volume = float(in_range("volume", volume, "m3", above=0, scalar=True))
    temperature = float(in_range("temperature", temperature, "K", above=0, scalar=True))
    if h_k is None:
        h_k = anisotropy_field(F, polar)
    h_k = float(in_range("h_k", h_k, "A/m", above=0, scalar=True))
    scale = MU_0 * F.values["m_s"] * h_k
    exact = {name: sp.Rational(value) for name, value in F.values.items()}
    reduced = _turned(_numeric(F.density, exact), polar) / sp.Rational(scale)
    series, constant, rest = separated(reduced)
    surface = None
    if rest != 0:
        slopes = [_numeric(-sp.diff(rest, m), {}) for m in COMPONENTS]
        surface = Surface(_energy(_numeric(rest, {})), compiled(slopes))
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
        raise ParameterError(f"density = {density!s:.60}", expected="a real, finite energy")
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
    m = directions()
    try:
        with np.errstate(all="ignore"):
            # In complex numbers the root of a negative one shows, where reals give nan.
            energy = energy_function(F)(m.astype(np.complex128))
            scale = np.abs(energy[np.isfinite(energy)]).max(initial=0.0)
            _refuse(
                np.asarray(np.abs(energy.imag) > SAME * scale),
                m,
                "a complex energy",
                "a real energy",
            )
            energy = energy_function(F)(m)
            _refuse(
                np.asarray(~np.isfinite(energy)), m, "an energy that is not finite", "finite J/m3"
            )
            field = field_function(F)(m)
    except (TypeError, NameError, AttributeError, OverflowError) as err:
        raise ParameterError(
            f"an energy that cannot be compiled: {F.density!s:.60}",
            expected="numbers and elementary functions",
        ) from err
    bad = np.asarray(~np.isfinite(field).all(axis=0))
    _refuse(bad, m, "a field that is not finite", "an energy that is smooth there")
    if np.ptp(energy) <= FLAT * np.abs(energy).max():
        raise ParameterError(
            f"no minimum: the energy is {energy[0]:.6g} J/m3 in all directions",
            expected="an energy that depends on the direction of m",
        )


def _refuse(bad: NDArray[Any], m: Array, what: str, expected: str) -> None:
    if bad.any():
        first = np.round(m[:, bad.argmax()], 4) + 0.0
        raise ParameterError(f"{what} at m = {first.tolist()}", expected=expected)


def _numeric(expression: sp.Expr, values: Mapping[str, Any]) -> sp.Expr:
    """Put numbers for the parameters; exact ones stay exact."""
    exact = any(isinstance(v, sp.Rational) for v in values.values())
    mu_0 = sp.Rational(MU_0) if exact else MU_0
    symbols = {sp.Symbol(name, real=True): value for name, value in values.items()}
    return expression.subs({**symbols, MU: mu_0})


def _turned(expression: sp.Expr, polar: str) -> sp.Expr:
    """Rename the axes so that the polar one is z."""
    new = AXES[known("polar axis", polar, AXES)]
    return expression.xreplace(dict(zip(new, COMPONENTS, strict=True)))


def _energy(expression: sp.Expr) -> Callable[[Floats], Floats]:
    """Compile one number a direction."""
    function = compiled([expression])
    return lambda m: np.asarray(function(m)[0])
