"""Functions on the sphere as sympy expressions: from angles to components, split, compiled."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from devicephys.checks import Array
from devicephys.errors import ParameterError

Floats = NDArray[np.floating[Any]]
COMPONENTS = M_X, M_Y, M_Z = sp.symbols("m_x m_y m_z", real=True)
ANGLES = THETA, PHI = sp.symbols("theta phi", real=True)
DEGREE = 16  # of sines and cosines: beyond, their expansion takes minutes
MULTIPLE = 12  # of an angle inside a sine
SERIES = (16, 32, 64)  # Chebyshev degrees tried for a function that is no polynomial
NEGLIGIBLE = 1e-15  # relative size of a coefficient that rounding leaves


def directions() -> Array:
    """Give unit vectors that cover the sphere: a grid of angles with the axes on it.

    Returns
    -------
    ndarray
        Unit vectors, exact where a component is 0, shape (3, 3280) [1].

    References
    ----------
    This project's design, docs/theory/free_energy.md.

    Examples
    --------
    >>> directions().shape
    (3, 3280)
    """
    polar = np.linspace(0, np.pi, 41)[:, None]
    azimuth = 2 * np.pi * np.arange(80) / 80
    grid = [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)]
    m = np.stack([*grid, np.cos(polar) + 0 * azimuth]).reshape(3, -1)
    return np.where(np.abs(m) < 1e-15, 0.0, m)


def compiled(expressions: Sequence[sp.Expr]) -> Callable[[Floats], Floats]:
    """Compile expressions in m_x, m_y, m_z to one function of arrays.

    Parameters
    ----------
    expressions : sequence of Expr
        The expressions; one that is constant gives an array, too.

    Returns
    -------
    callable
        m of shape (3, ...) to the values, of shape (len(expressions), ...) and the type of m.

    References
    ----------
    This project's design, docs/theory/free_energy.md.

    Examples
    --------
    >>> compiled([M_X * M_Y, sp.Integer(2)])(np.array([0.6, 0.8, 0.0])).tolist()
    [0.48, 2.0]
    """
    function = sp.lambdify(COMPONENTS, [sp.N(e, 17) for e in expressions], "numpy", cse=True)

    def evaluate(m: Floats) -> Floats:
        m = np.asarray(m)
        return np.stack(
            [np.broadcast_to(np.asarray(f, m.dtype), m.shape[1:]) for f in function(*m)]
        )

    return evaluate


def _degree(e: sp.Expr) -> int:
    """Degree in m that sines and cosines of an expression expand to, at most."""
    if isinstance(e, sp.sin | sp.cos) and e.has(*ANGLES):
        multiples = sp.expand(e.args[0]).as_coefficients_dict()
        return int(sum(abs(c) for x, c in multiples.items() if x in ANGLES)) or 1
    inner = [_degree(x) for x in e.args]
    if e.is_Pow and e.exp.is_Integer:
        return inner[0] * abs(int(e.exp))
    return sum(inner) if e.is_Mul else max(inner, default=0)


def in_components(density: sp.Expr) -> sp.Expr:
    """Rewrite an expression in theta and phi as one in m_x, m_y, m_z, exactly.

    Valid for polynomials in sin and cos of whole multiples of the angles, and for functions of such
    polynomials, each of them smooth at theta = 0 and pi.

    Parameters
    ----------
    density : Expr
        The expression.

    Returns
    -------
    Expr
        The same function on the sphere, without angles.

    Raises
    ------
    ParameterError
        If it is no such expression.

    Notes
    -----
    Division by a Groebner basis of cos theta = m_z, sin theta cos phi = m_x, sin theta sin phi =
    m_y and the two circles, with the sines and cosines first in lexicographic order, leaves these
    over only if no polynomial in m is the same function.

    References
    ----------
    Cox, Little and O'Shea, Ideals, Varieties, and Algorithms (2015), chapter 7, section 3,
    doi:10.1007/978-3-319-16721-3.

    Examples
    --------
    >>> in_components(sp.sin(THETA) ** 2 * sp.cos(2 * PHI) + M_X)
    m_x - 2*m_y**2 - m_z**2 + 1
    """
    s, c, u, v = sp.symbols("sin_theta cos_theta cos_phi sin_phi", cls=sp.Dummy, real=True)
    names = {sp.sin(THETA): s, sp.cos(THETA): c, sp.cos(PHI): u, sp.sin(PHI): v}
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
                f"{e} outside of a sine or cosine in {density!s:.60}",
                expected="sin and cos of whole multiples of theta and phi",
            )
        dummy = sp.Dummy(real=True)
        inner[dummy] = e.func(*map(in_components, e.args))
        return dummy

    density = density.replace(sp.tan, lambda a: sp.sin(a) / sp.cos(a))
    if _degree(density) > DEGREE:
        raise ParameterError(
            f"degree {_degree(density)} in theta and phi: {density!s:.60}",
            expected=f"multiples and powers of angles that make {DEGREE} at most",
            remedy="write it in m_x, m_y, m_z",
        )  # fmt: skip
    terms = sp.Add.make_args(density)
    kept = sp.Add(*(term for term in terms if not term.has(*ANGLES)))
    angular = hide(sp.Add(*(term for term in terms if term.has(*ANGLES))))
    angular = angular.xreplace({f: sp.Rational(f) for f in angular.atoms(sp.Float)})
    relations = [s**2 + c**2 - 1, u**2 + v**2 - 1, s * u - M_X, s * v - M_Y, c - M_Z]
    order = (s, u, v, c, *COMPONENTS)
    found = sp.reduced(angular, sp.groebner(relations, *order, order="lex").exprs, *order)[1]
    if found.has(s, c, u, v):
        raise ParameterError(
            f"no smooth function at theta = 0 or pi: {density!s:.60}",
            expected="phi and odd powers of sin(theta) as sin(theta)*cos(phi), sin(theta)*sin(phi)",
        )
    return kept + found.xreplace(inner)


def _is_multiple(argument: sp.Expr) -> bool:
    """Say whether an argument is n theta + k phi + constant with modest whole n and k."""
    factors = [sp.expand(argument).coeff(angle) for angle in ANGLES]
    rest = sp.expand(argument - sum(f * a for f, a in zip(factors, ANGLES, strict=True)))
    whole = all(f.is_Integer and abs(f) <= MULTIPLE for f in factors)
    return whole and not rest.has(*ANGLES)


def separated(reduced: sp.Expr) -> tuple[Array, Array, sp.Expr]:
    """Split an energy into functions of one component each and what is no sum of such.

    Valid for smooth energies; m.m = 1 is made use of, so that cubic anisotropy separates.

    Parameters
    ----------
    reduced : Expr
        The energy, with numbers for all parameters; exact ones keep its symmetry exact.

    Returns
    -------
    series : ndarray
        Field -de/dm along each axis as a function of the component along it, Chebyshev
        coefficients, shape (3, k) [that of the energy].
    constant : ndarray
        Constant field, shape (3,) [that of the energy].
    rest : Expr
        The energy that is left over, zero if all of it separates.

    Notes
    -----
    With m_x^2 gone, even powers m_x^(2k) = w^k, w = 1 - m_y^2 - m_z^2, are known by the products
    m_y^2 m_z^(2k-2), which nothing else holds, and odd ones by the highest power of m_z next to
    m_x. The choice that m.m = 1 leaves, a multiple of m_x^2, is none of it.

    References
    ----------
    This project's derivation, docs/theory/free_energy.md.

    Examples
    --------
    >>> series, constant, rest = separated(M_X * M_Y - M_Z**2 / 2 - M_Z / 10)
    >>> series[2].tolist(), constant.tolist(), rest
    ([0.0, 1.0], [0.0, 0.0, 0.1], m_x*m_y)
    """
    polynomial, rest = sp.S.Zero, sp.S.Zero
    rows: list[Floats] = [np.zeros(2)] * 3
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
        constant[axis], slope[0] = slope[0] + 0.0, 0.0
        rows[axis] = chebyshev.chebadd(rows[axis], chebyshev.poly2cheb(slope))
    k = max(2, *map(len, rows))
    return np.stack([np.pad(row, (0, k - len(row))) for row in rows]), constant, rest + cross


def _split_polynomial(polynomial: sp.Expr) -> tuple[list[Array], sp.Expr]:
    """Split a polynomial: power series in each component, and the rest."""
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
