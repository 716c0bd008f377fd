"""Formulas of an axisymmetric free layer, derived with sympy: the oracle of tests, LaTeX of docs.

Nothing here is typed in as a result. The chain starts at the Landau-Lifshitz-Gilbert equation with
spin torque, which gives the drift f(z) of z = cos(theta); from f follow the potential, the linear
growth at the pole, the flow without noise, and from these the closed forms of
`devicephys.mram.closed_form`. The initial state is z = +1; i > 0 drives away from it.
"""

from collections.abc import Callable, Mapping
from functools import cache, wraps
from types import MappingProxyType

import sympy as sp

from devicephys.checks import known

# Symbols, as in docs/nomenclature.md. Reduced quantities have unit 1.
i, h, a, x, z = sp.symbols("i h a x z", real=True)
delta, tau = sp.symbols("Delta tau", positive=True)
c, k, lambda_1, wer = sp.symbols("C k lambda_1 WER", positive=True)
alpha, eta, h_k, m_s = sp.symbols("alpha eta H_k M_s", positive=True)  # H_k, M_s in A/m
volume, temperature = sp.symbols("V T", positive=True)  # m3, K
i_c0 = sp.Symbol("I_c0", positive=True)  # A
e, hbar, k_b, mu_0 = sp.symbols("e hbar k_B mu_0", positive=True)  # SI
growth = sp.Symbol("lambda", real=True)
phi = sp.Function("Phi")(z)


def _once(derive: Callable[[], sp.Eq]) -> Callable[[], sp.Eq]:
    """Keep what a derivation gives; stays a function, so that its docstring is checked."""
    kept = cache(derive)

    @wraps(derive)
    def formula() -> sp.Eq:
        return kept()

    return formula


@_once
def drift() -> sp.Eq:
    """Derive the drift of z = cos(theta) without noise from the LLG equation with spin torque.

    Valid for field, spin polarisation and anisotropy along z, any damping, a coherent free layer.

    Returns
    -------
    Eq
        dz/d tau = -(1 - z^2) f(z) with f = i g - h - z, g = (1 + a)/(1 + a z).

    Notes
    -----
    (1 + alpha^2)/gamma_0 dm/dt = -m x H - alpha m x (m x H) - a_J g [m x (m x p) - alpha m x p],
    H along z of size H_k z + H_z, p = -z; t_D = (1 + alpha^2)/(alpha gamma_0 H_k),
    a_J = i alpha H_k and h = H_z/H_k.

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122; asymmetry:
    Slonczewski, J. Magn. Magn. Mater. 247 (2002) 324, doi:10.1016/S0304-8853(02)00291-3.

    Examples
    --------
    >>> drift().rhs.subs({z: 0, a: 0})
    h - i
    """
    azimuth = sp.Symbol("phi", real=True)
    across = sp.sqrt(1 - z**2)
    m = sp.Matrix([across * sp.cos(azimuth), across * sp.sin(azimuth), z])
    axis = sp.Matrix([0, 0, 1])
    field = (z + h) * h_k * axis
    a_j = i * (1 + a) / (1 + a * z) * alpha * h_k
    torque = -m.cross(field) - alpha * m.cross(m.cross(field))
    torque -= a_j * (m.cross(m.cross(-axis)) - alpha * m.cross(-axis))
    speed = sp.simplify(torque[2]) / (alpha * h_k)
    f = sp.apart(sp.cancel(-speed / (1 - z**2)), i)
    rate = sp.Derivative(sp.Function("z")(tau), tau)
    return sp.Eq(rate, sp.Mul(-1, 1 - z**2, f, evaluate=False), evaluate=False)


def _f() -> sp.Expr:
    """Give f(z) of `drift`."""
    return sp.apart(sp.cancel(-drift().rhs / (1 - z**2)), i)


def _f_plain(current: sp.Symbol) -> sp.Expr:
    """Give f(z) without asymmetry, where the current less the field is all that counts."""
    return _f().subs({a: 0, h: 0}).subs(i, current)


@_once
def potential() -> sp.Eq:
    """Derive the potential Phi(z) = 2 Delta int_0^z f, in units of k_B T.

    Valid as `drift` is, for -1 < a < 1; exp(-Phi) is the stationary law of z.

    Returns
    -------
    Eq
        Phi(z), zero at z = 0; for a = 0 take `potential_symmetric`.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677; asymmetry: Slonczewski,
    J. Magn. Magn. Mater. 247 (2002) 324, doi:10.1016/S0304-8853(02)00291-3.

    Examples
    --------
    >>> potential().rhs.subs({i: 0, h: 0})
    -Delta*z**2
    """
    primitive = sp.integrate(2 * delta * _f(), z)
    step = sp.expand((primitive - primitive.subs(z, 0)) / delta)
    return sp.Eq(phi, delta * sp.collect(step, sp.log(1 + a * z), sp.factor))


@_once
def potential_symmetric() -> sp.Eq:
    """Derive the potential Phi(z) of a torque without asymmetry, as the limit a -> 0.

    Valid as `drift` is, for a = 0.

    Returns
    -------
    Eq
        Phi(z), zero at z = 0.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> potential_symmetric()
    Eq(Phi(z), Delta*(-2*h*z + 2*i*z - z**2))
    """
    return sp.Eq(phi, delta * sp.expand(sp.limit(potential().rhs, a, 0) / delta))


@_once
def growth_rate() -> sp.Eq:
    """Derive the growth rate of 1 - z at the pole, in units of 1/t_D, by linear stability.

    Valid near z = 1, without noise; the asymmetry drops out, since g(1) = 1.

    Returns
    -------
    Eq
        lambda = 2 (i - h - 1), as `growth`.

    References
    ----------
    Sun, Phys. Rev. B 62 (2000) 570, doi:10.1103/PhysRevB.62.570.

    Examples
    --------
    >>> growth_rate().rhs.subs(h, 0)
    2*i - 2
    """
    rate = sp.diff(drift().rhs.doit(), z).subs(z, 1)
    return sp.Eq(growth, sp.Mul(2, sp.expand(rate / 2), evaluate=False))


@_once
def critical_current() -> sp.Eq:
    """Derive the critical current at zero temperature: where the growth rate passes zero.

    Valid as `drift` is, without a field (with one, I_c = (1 + h) I_c0).

    Returns
    -------
    Eq
        I_c0 [A].

    Notes
    -----
    The spin torque a_J = eta hbar I/(2 e mu_0 M_s V) [A/m] equals i alpha H_k, and
    Delta = mu_0 M_s H_k V/(2 k_B T).

    References
    ----------
    Sun, Phys. Rev. B 62 (2000) 570, doi:10.1103/PhysRevB.62.570.

    Examples
    --------
    >>> critical_current()
    Eq(I_c0, 4*Delta*T*alpha*e*k_B/(eta*hbar))
    """
    (critical,) = sp.solve(growth_rate().rhs.subs(h, 0), i)
    a_j = eta * hbar * i_c0 / (2 * e * mu_0 * m_s * volume)
    (anisotropy,) = sp.solve(mu_0 * m_s * h_k * volume / (2 * k_b * temperature) - delta, h_k)
    (current,) = sp.solve(a_j - critical * alpha * anisotropy, i_c0)
    return sp.Eq(i_c0, current)


@_once
def flow_time() -> sp.Eq:
    """Derive the time from z to the equator without noise, in units of t_D.

    Valid for a current i > 1 (i - h with a field), 0 < z < 1, temperature zero.

    Returns
    -------
    Eq
        tau = int_0^z dy/[(1 - y^2)(i - y)].

    References
    ----------
    Sun, Phys. Rev. B 62 (2000) 570, doi:10.1103/PhysRevB.62.570.

    Examples
    --------
    >>> flow_time().rhs.subs(z, 0)
    0
    """
    speed = (1 - z**2) * _f_plain(i)
    poles = sp.roots(speed, z)  # simple ones: each gives a logarithm, real on 0 < z < 1 < i
    terms = [sp.factor(sp.residue(1 / speed, z, p)) * sp.log(1 - z / p) for p in poles]
    return sp.Eq(tau, sp.Add(*terms))


@_once
def flow_constant() -> sp.Eq:
    """Derive the constant C of the precessional form from the flow without noise.

    Valid for i > 1 (i - h with a field).

    Returns
    -------
    Eq
        C = 2 2^((i-1)/(i+1)) ((i-1)/i)^(2/(i+1)).

    Notes
    -----
    What starts at 1 - z = s and is at the equator at tau has s = (C/2) e^(-2(i-1) tau) for s -> 0;
    `precessional_wer` compares the linear growth with C/2.

    References
    ----------
    From the equation of Butler et al., IEEE Trans. Magn. 48 (2012) 4684,
    doi:10.1109/TMAG.2012.2209122; this project's derivation, docs/theory/closed_forms.md.

    Examples
    --------
    >>> flow_constant().rhs.subs(i, 3)
    4*sqrt(3)/3
    """
    flow = flow_time().rhs
    rate = growth_rate().rhs.subs(h, 0)
    powers = {log.args[0]: sp.factor(rate * flow.coeff(log)) for log in flow.atoms(sp.log)}
    powers[1 - z] += 1  # the limit of (1 - z) e^(rate F): this power becomes zero
    bases = {base.subs(z, 1): power for base, power in powers.items() if power != 0}
    return sp.Eq(c, 2 * sp.Mul(*[sp.factor(base) ** power for base, power in bases.items()]))


@_once
def butler_constant() -> sp.Eq:
    """Derive the common constant C: linear growth of theta taken as far as the equator.

    Valid as an order of magnitude: beyond small angles theta does not grow linearly.

    Returns
    -------
    Eq
        C = pi^2/4.

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    >>> butler_constant().rhs
    pi**2/4
    """
    theta = sp.Symbol("theta", positive=True)
    near_pole = sp.series(1 - sp.cos(theta), theta, 0, 4).removeO()
    return sp.Eq(c, 2 * near_pole.subs(theta, sp.pi / 2))


@_once
def precessional_wer() -> sp.Eq:
    """Derive the write error rate above the critical current from linear growth at the pole.

    Valid for i > 1 (i - h with a field) and Delta >> 1; `flow_constant` or `butler_constant` say
    where the growth ends.

    Returns
    -------
    Eq
        WER = 1 - exp{-C Delta (i-1)/[i e^(2(i-1) tau) - 1]}.

    Notes
    -----
    Near the pole the law of w = 1 - z stays exponential, e^(-w/m)/m, also with thermal noise: put
    into d rho/d tau = d/dw {2 w [-(i-1) rho + (1/(2 Delta)) d rho/dw]} it gives the equation of the
    mean m. The Boltzmann law is the start. What is still at w < C/2 has failed.

    References
    ----------
    Butler et al., IEEE Trans. Magn. 48 (2012) 4684, doi:10.1109/TMAG.2012.2209122.

    Examples
    --------
    >>> precessional_wer().rhs.subs({i: 2, tau: 0})
    1 - exp(-C*Delta)
    """
    w, steep, grown = sp.symbols("w s g", positive=True)  # s = 1/m
    m = sp.Function("m")(tau)
    rho = sp.exp(-w / m) / m
    rate = sp.factor(growth_rate().rhs.subs(h, 0))
    flow = rate / 2 * rho - sp.diff(rho, w) / (2 * delta)
    (slope,) = sp.solve(sp.diff(rho, tau) + sp.diff(2 * w * flow, w), sp.diff(m, tau))
    boltzmann = potential_symmetric().rhs.subs({i: 0, h: 0})
    start = -1 / sp.diff(boltzmann, z).subs(z, 1)
    mean = sp.dsolve(sp.Eq(sp.diff(m, tau), slope), m, ics={m.subs(tau, 0): start}).rhs
    growing = sp.exp(rate * tau)
    hazard = sp.factor(1 / mean.subs(growing, grown)).subs(grown, growing)
    failed = sp.integrate(steep * sp.exp(-steep * w), (w, 0, c / 2))
    return sp.Eq(wer, failed.subs(steep, hazard))


@_once
def tail_rate() -> sp.Eq:
    """Derive the decay rate of the write error rate of long pulses to first order in 1/Delta.

    Valid for i > 1 (i - h with a field) and Delta (i - 1) >> 1.

    Returns
    -------
    Eq
        lambda_1 = 2(i-1) + (3-i)/[(i-1) Delta].

    Notes
    -----
    The slowest density is regular at the pole: rho = 1 + r w + ... with w = 1 - z put into
    d/dw {w (2-w) [(i-1+w) rho - (1/(2 Delta)) d rho/dw]} = lambda_1 rho, order by order in w.

    References
    ----------
    From the equation of Butler et al., IEEE Trans. Magn. 48 (2012) 4684,
    doi:10.1109/TMAG.2012.2209122; this project's derivation, docs/theory/closed_forms.md.

    Examples
    --------
    >>> tail_rate().rhs.subs(i, 3)
    4
    """
    w, r = sp.symbols("w r", real=True)
    rho = 1 + r * w
    f = sp.expand(_f_plain(i).subs(z, 1 - w))
    noise = 1 / (2 * delta)
    inflow = w * (2 - w) * (f * rho - noise * sp.diff(rho, w))
    order = sp.Poly(sp.expand(sp.diff(inflow, w) - lambda_1 * rho), w).coeff_monomial
    (without,) = sp.solve(sp.limit(order(1), delta, sp.oo), lambda_1)
    (bend,) = sp.solve(sp.limit(order(w), delta, sp.oo).subs(lambda_1, without), r)
    (rate,) = sp.solve(order(1).subs(r, bend), lambda_1)
    return sp.Eq(lambda_1, sp.factor(without) - sp.factor(without - rate))


@_once
def kramers_rate() -> sp.Eq:
    """Derive the rate of thermal switching below the critical current by Laplace's method.

    Valid for -1 < x < 1, x = i - h, and Delta (1 - x)^2 >> 1.

    Returns
    -------
    Eq
        k = sqrt(Delta/pi) (1-x^2)(1-x) e^(-Delta (1-x)^2), in units of 1/t_D.

    Notes
    -----
    1/k is the mean first-passage time T = 2 Delta int dz e^Phi/(1 - z^2) int_z^1 e^-Phi: the inner
    integral is exponential from the pole, the outer one Gaussian about the top of the barrier.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677.

    Examples
    --------
    >>> kramers_rate().rhs.subs(x, 0)
    sqrt(Delta)*exp(-Delta)/sqrt(pi)
    """
    height = 2 * delta * sp.integrate(_f_plain(x), z)
    (top,) = sp.solve(sp.diff(height, z), z)
    u, steep = sp.symbols("u s", positive=True)
    exponential = sp.integrate(sp.exp(-steep * u), (u, 0, sp.oo))
    gaussian = sp.integrate(sp.exp(-steep * u**2 / 2), (u, -sp.oo, sp.oo))
    pole = exponential.subs(steep, sp.diff(height.subs(z, 1 - u), u).subs(u, 0))
    barrier = gaussian.subs(steep, -sp.diff(height, z, 2)) / (1 - top**2)
    climb = sp.factor(height.subs(z, top) - height.subs(z, 1))
    return sp.Eq(k, sp.exp(-climb) / (2 * delta * barrier * pole))


FORMULAS: Mapping[str, Callable[[], sp.Eq]] = MappingProxyType(
    {
        formula.__name__: formula
        for formula in (
            drift,
            potential,
            potential_symmetric,
            growth_rate,
            critical_current,
            flow_time,
            flow_constant,
            butler_constant,
            precessional_wer,
            tail_rate,
            kramers_rate,
        )
    }
)


def latex(name: str) -> str:
    r"""Write a formula as LaTeX, without delimiters.

    Parameters
    ----------
    name : str
        One of `FORMULAS`.

    Returns
    -------
    str
        The equation.

    Raises
    ------
    ParameterError
        If the name is unknown.

    Examples
    --------
    >>> latex("butler_constant")
    'C = \\frac{\\pi^{2}}{4}'
    """
    return str(sp.latex(FORMULAS[known("formula", name, FORMULAS)](), ln_notation=True))
