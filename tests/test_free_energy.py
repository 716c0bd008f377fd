"""Free energies as expressions: field, angles, reduced layers, text, and bad input."""

import numpy as np
import pytest
import sympy as sp

from devicephys.constants import K_B, MU_0
from devicephys.energy_terms import (
    PARAMETERS,
    SYMBOLS,
    TERMS,
    second_order,
    shape,
    uniaxial,
    voltage_control,
    zeeman,
)
from devicephys.errors import ParameterError
from devicephys.free_energy import (
    FreeEnergy,
    anisotropy_field,
    effective_field,
    energy_function,
    field_function,
    free_energy,
    free_layer,
    from_text,
)
from devicephys.mram import free_layer as reduced
from devicephys.mram.junction import anisotropy_field as of_stack
from devicephys.on_sphere import M_X, M_Y, M_Z, PHI, THETA, in_components

VALUES = {
    "k_u": 9e5, "k_2": 5e4, "m_s": 1.1e6, "n_x": 0.02, "n_y": 0.05, "n_z": 0.93, "h_x": 1e4,
    "h_y": 2e3, "h_z": -5e3, "vcma": 3e-14, "voltage": 0.4, "t_f": 1e-9, "t_ox": 1e-9,
}  # fmt: skip
ALL = sum((term() for term in TERMS.values()), sp.S.Zero)
CELL = {"volume": 2e-24, "alpha": 0.01, "temperature": 300.0}
K_C = sp.Symbol("k_c", real=True)
C = {"k_c": 3e4}


def directions(n=300, seed=1):
    m = np.random.default_rng(seed).normal(size=(3, n))
    return m / np.linalg.norm(m, axis=0)


def across(field, m):
    """The part of a field that turns m."""
    return field - m * (field * m).sum(axis=0)


@pytest.mark.parametrize("name", TERMS)
def test_every_term_has_known_parameters_and_a_layer(name):
    term = TERMS[name]()
    names = {s.name for s in term.free_symbols} - {"m_x", "m_y", "m_z", "mu_0"}
    assert names <= set(PARAMETERS)
    values = {k: VALUES[k] for k in {*names, "m_s"}}
    layer = free_layer(free_energy(term, values), polar=POLAR.get(name, "z"), **CELL, h_k=1e5)
    assert layer.surface is None


POLAR = {"shape": "x"}


def test_terms_have_the_signs_they_say():
    up, side = np.array([0.0, 0, 1]), np.array([1.0, 0, 0])

    def cost(term, **change):
        e = energy_function(free_energy(term, {**VALUES, **change}))
        return float(e(side) - e(up))

    assert cost(uniaxial()) == pytest.approx(9e5)
    assert cost(second_order()) == pytest.approx(5e4)
    assert cost(shape()) == pytest.approx(-MU_0 * 1.1e6**2 / 2 * 0.91)
    assert cost(zeeman()) == pytest.approx(-MU_0 * 1.1e6 * 1.5e4)
    assert cost(voltage_control()) == pytest.approx(3e-14 * 0.4 / 1e-18)
    assert cost(voltage_control(), voltage=-0.4) < 0


def test_field_is_minus_the_gradient_of_the_energy():
    found = free_energy(ALL + K_C * sp.exp(M_X * M_Y), {**VALUES, **C})
    energy, m, step = energy_function(found), directions(20), 1e-5
    for axis in range(3):
        e = np.zeros((3, 1))
        e[axis] = step
        slope = (energy(m + e) - energy(m - e)) / (2 * step)
        field = field_function(found)(m)[axis]
        np.testing.assert_allclose(field, -slope / (MU_0 * 1.1e6), rtol=1e-6, atol=1e-3)
    symbolic = effective_field(free_energy(zeeman(), VALUES))
    assert symbolic == tuple(SYMBOLS[name] for name in ("h_x", "h_y", "h_z"))


def test_compiled_functions_broadcast():
    found = free_energy(zeeman(), VALUES)  # a constant field
    for size in ((), (5,), (2, 4)):
        m = np.ones((3, *size))
        assert field_function(found)(m).shape == (3, *size)
        assert energy_function(found)(m).shape == size


S, CT, SP, CP = sp.sin(THETA), sp.cos(THETA), sp.sin(PHI), sp.cos(PHI)
ANGULAR = {
    "uniaxial": K_C * S**2,
    "in-plane": K_C * S**2 * SP**2,
    "multiples": K_C * S**2 * sp.cos(2 * PHI),
    "fourfold": K_C * S**4 * sp.sin(2 * PHI) ** 2,
    "sixfold": K_C * S**6 * sp.cos(6 * PHI),
    "turned": K_C * S**2 * sp.cos(PHI - sp.Float(0.3)) ** 2,
    "odd": K_C * S * CP * CT,
    "sum of angles": K_C * (sp.cos(THETA - PHI) - sp.cos(THETA + PHI)),
    "root": K_C * sp.sqrt(2 + S * CP),
    "kink": K_C * sp.Abs(CT),
    "tangent": K_C * S**2 / (1 + S**2 * SP**2),
}


@pytest.mark.parametrize("name", ANGULAR)
def test_angles_become_components_of_the_same_function(name):
    density = ANGULAR[name] + uniaxial()
    found = free_energy(density, {"k_u": 9e5, "m_s": 1.1e6, **C})
    assert not found.density.has(THETA, PHI)
    m = directions()
    law = sp.lambdify((M_X, M_Y, M_Z, THETA, PHI), density.subs({"k_u": 0}).subs(
        {K_C: C["k_c"], SYMBOLS["k_u"]: 9e5}), "numpy")  # fmt: skip
    expected = law(*m, np.arccos(m[2]), np.arctan2(m[1], m[0]))
    np.testing.assert_allclose(energy_function(found)(m), expected, rtol=1e-12)


def test_rewriting_gives_the_textbook_components():
    assert sp.expand(in_components(S**2 * CP * SP) - M_X * M_Y) == 0
    assert in_components(sp.cos(2 * THETA)) == 2 * M_Z**2 - 1


@pytest.mark.parametrize("density", [K_C * S * CP**2, K_C * S, K_C * sp.cos(PHI), K_C * CP**2])
def test_functions_that_are_not_smooth_at_the_poles_are_refused(density):
    with pytest.raises(ParameterError, match="no smooth function at theta"):
        free_energy(density, {"m_s": 1e6, **C})


@pytest.mark.parametrize(
    "density", [K_C * THETA**2, K_C * sp.cos(40 * THETA), K_C * sp.sin(PHI / 2)]
)
def test_angles_outside_of_whole_multiples_are_refused(density):
    with pytest.raises(ParameterError, match=r"outside of a sine or cosine|degree 40 in theta"):
        free_energy(density, {"m_s": 1e6, **C})


EXTRA = {  # what is added, and whether all of it separates
    "nothing": (sp.S.Zero, True),
    "fourfold in the plane": (K_C * M_X**2 * M_Y**2, True),
    "cubic": (K_C * (M_X**2 * M_Y**2 + M_Y**2 * M_Z**2 + M_Z**2 * M_X**2), True),
    "cubic, second": (K_C * M_X**2 * M_Y**2 * M_Z**2, True),
    "odd": (K_C * M_X * (M_Y**2 + M_Z**2), True),
    "exponential": (K_C * sp.exp(M_Z), True),
    "pi": (K_C * sp.pi * M_X**2, True),
    "tilted": (K_C * (M_X + M_Y) ** 2, False),
    "sixfold": (ANGULAR["sixfold"], False),
    "kink": (K_C * sp.Abs(M_Z), False),
    "mixed": (K_C * sp.exp(M_X * M_Y), False),
}


@pytest.mark.parametrize("polar", ["z", "x", "y"])
@pytest.mark.parametrize("name", EXTRA)
def test_the_reduced_layer_is_the_same_energy_and_field(name, polar):
    density, separates = EXTRA[name]
    found = free_energy(ALL + density, {**VALUES, **(C if density.has(K_C) else {})})
    h_k = 7e4
    layer = free_layer(found, polar=polar, h_k=h_k, **CELL)
    assert (layer.surface is None) == separates
    m = directions()
    order = {"z": [0, 1, 2], "x": [1, 2, 0], "y": [2, 0, 1]}[polar]
    expected = energy_function(found)(m) / (MU_0 * VALUES["m_s"] * h_k)
    difference = reduced.energy(layer, m[order]) - expected
    assert np.ptp(difference) < 1e-12 * np.ptp(expected)  # but for the zero of energy
    expected = across(field_function(found)(m)[order] / h_k, m[order])
    field = across(reduced.effective_field(layer, m[order]), m[order])
    np.testing.assert_allclose(field, expected, atol=1e-12 * np.abs(expected).max())


def test_the_standard_layer_has_the_standard_delta_and_form():
    k_i, t_f, m_s = 1.3e-3, 1.2e-9, 1.1e6
    values = {"k_u": k_i / t_f, "m_s": m_s, "n_x": 0.03, "n_y": 0.03, "n_z": 0.94}
    found = free_energy(uniaxial() + shape(), values)
    h_k = of_stack(m_s, k_i, t_f, 0.94 - 0.03)
    assert anisotropy_field(found) == pytest.approx(h_k, rel=1e-12)
    layer = free_layer(found, **CELL)
    assert layer.delta == pytest.approx(MU_0 * m_s * h_k * 2e-24 / (2 * K_B * 300), rel=1e-12)
    np.testing.assert_allclose(layer.anisotropy, [[0, 0], [0, 0], [0, 1]], atol=1e-12)
    assert reduced.is_axial(reduced.Stage(layer, np.zeros(3), np.zeros(3), np.array(1.0)))


def test_h_k_is_the_barrier_and_knows_no_applied_field():
    without = free_energy(uniaxial() + shape() + second_order(), VALUES)
    applied = free_energy(uniaxial() + shape() + second_order() + zeeman(), VALUES)
    m_s = VALUES["m_s"]
    expected = 2 * (9e5 + 5e4) / (MU_0 * m_s) - (0.93 - 0.02) * m_s
    assert anisotropy_field(without) == pytest.approx(expected, rel=1e-12)
    assert anisotropy_field(applied) == pytest.approx(expected, rel=1e-12)
    layer = free_layer(applied, **CELL)
    np.testing.assert_allclose(layer.h * expected, [1e4, 2e3, -5e3], rtol=1e-12)


def test_an_in_plane_easy_axis_becomes_the_polar_one():
    values = {"m_s": 1e6, "n_x": 0.02, "n_y": 0.06, "n_z": 0.92, "h_x": 3e3, "h_y": 0, "h_z": 0}
    layer = free_layer(free_energy(shape() + zeeman(), values), polar="x", **CELL)
    h_k = 0.04 * 1e6
    assert anisotropy_field(free_energy(shape(), {**values}), "x") == pytest.approx(h_k)
    np.testing.assert_allclose(layer.h, [0, 0, 3e3 / h_k], atol=1e-12)
    # y of the film is now x, its normal y: m_y^2 costs (N_z - N_y) M_s more than m_x^2.
    field = reduced.effective_field(layer, np.eye(3)) - layer.h[:, None]
    slope = np.diag(field) - field[0, 0]
    np.testing.assert_allclose(slope, [0, -0.86e6 / h_k, 1], atol=1e-12)


def test_text_and_expression_are_one():
    text = "uniaxial + shape + k_c*m_x**2*m_y**2 - mu_0*m_s*h_x*sin(theta)*cos(phi)"
    values = {**{k: VALUES[k] for k in ("k_u", "m_s", "n_x", "n_y", "n_z", "h_x")}, **C}
    found = from_text(text, values)
    s = SYMBOLS
    own = K_C * M_X**2 * M_Y**2 - sp.Symbol("mu_0", real=True) * s["m_s"] * s["h_x"] * M_X
    assert sp.expand(found.density - (uniaxial() + shape() + own)) == 0


def test_symbols_go_by_their_names():
    k, m = sp.symbols("k_u m_z")  # not real, not those of the package
    assert free_energy(k * (1 - m**2), {"k_u": 1e5, "m_s": 1e6}).density == uniaxial()


GOOD = {"k_u": 1e5, "m_s": 1e6}


@pytest.mark.parametrize(
    ("density", "values", "message"),
    [
        ("k_u*m_z**2", GOOD, "from_text"),
        (uniaxial(), {"m_s": 1e6}, r"no value for k_u \[J/m3\]"),
        (uniaxial() + K_C * M_X, GOOD, r"no value for k_c \[SI\].*k_u"),
        (uniaxial(), {"k_u": 1e5}, "no value for m_s"),
        (uniaxial(), {**GOOD, "k_uu": 1.0}, "'k_uu'.*did you mean 'k_u'"),
        (uniaxial(), {**GOOD, "k_u": np.nan}, r"values\['k_u'\] = nan J/m3"),
        (uniaxial(), {**GOOD, "k_u": 1j}, r"values\['k_u'\]"),
        (uniaxial(), {**GOOD, "m_s": -1.0}, r"values\['m_s'\] = -1 A/m"),
        (uniaxial(), {**GOOD, "mu_0": 1.0}, "names of parameters"),
        (uniaxial(), {**GOOD, "theta": 1.0}, "names of parameters"),
        (uniaxial(), {**GOOD, "a.b": 1.0}, "names of parameters"),
        (uniaxial() * sp.I, GOOD, "real, finite"),
        (uniaxial() * sp.oo, GOOD, "real, finite"),
        (SYMBOLS["k_u"] * sp.sqrt(M_Z), GOOD, "complex energy at m = "),
        (SYMBOLS["k_u"] * sp.log(M_Z), GOOD, "complex energy at m = "),
        (SYMBOLS["k_u"] / M_Z, GOOD, "not finite at m = "),
        (SYMBOLS["k_u"] * sp.exp(1e4 * M_Z), GOOD, "not finite at m = "),
        (SYMBOLS["k_u"] * sp.sqrt(1 - M_Z**2), GOOD, "field that is not finite"),
        (SYMBOLS["k_u"] * sp.Function("f")(M_Z), GOOD, "functions that sympy can evaluate"),
        (SYMBOLS["k_u"] * sp.zeta(M_Z + 3), GOOD, "cannot be compiled"),
        (SYMBOLS["k_u"] * (M_X**2 + M_Y**2 + M_Z**2), GOOD, "no minimum.*all directions"),
        (SYMBOLS["k_u"] * sp.S.One, GOOD, "no minimum.*all directions"),
    ],
    ids=lambda x: str(x)[:30],
)
def test_bad_input_is_refused(density, values, message):
    with pytest.raises(ParameterError, match=message):
        free_energy(density, values)


def test_a_record_takes_no_angles():
    with pytest.raises(ParameterError, match="rewrites angles"):
        FreeEnergy(SYMBOLS["k_u"] * S**2, GOOD)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("k_uu*m_z**2", "study.toml: energy: unknown symbol 'k_uu'.*did you mean 'k_u'"),
        ("uniaxal", "did you mean 'uniaxial'"),
        ("__import__('os').system('true')", "character"),
        ("shape", r"study.toml: energy: no value for n_x \[1\], n_y \[1\], n_z \[1\]"),
        ("k_u", "study.toml: energy: no minimum"),
        ("k_u*sin(1000000*theta)", "degree 1000000 in theta"),
    ],
)
def test_bad_text_is_refused_with_its_place(text, message):
    with pytest.raises(ParameterError, match=message):
        from_text(text, GOOD, where="study.toml: energy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"volume": 0.0}, "volume"),
        ({"temperature": -1.0}, "temperature"),
        ({"alpha": 2.0}, "alpha"),
        ({"polar": "X"}, "unknown polar axis"),
        ({"polar": "x"}, "no minimum of the energy along x"),
        ({"h_k": 0.0}, "h_k"),
    ],
)
def test_a_layer_refuses_bad_arguments(change, message):
    with pytest.raises(ParameterError, match=message):
        free_layer(free_energy(uniaxial(), GOOD), **{**CELL, **change})
