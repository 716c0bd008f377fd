"""Expressions from text: what is read, what is refused, and that nothing is run."""

import time

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.errors import ParameterError
from devicephys.expression import FUNCTIONS, LENGTH, parse

X, Y, K = sp.symbols("x y k_u", real=True)
SYMBOLS = {"x": X, "y": Y, "k_u": K}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("k_u*(1 - x**2)", K * (1 - X**2)),
        ("x/2 - y/3", X / 2 - Y / 3),
        ("-x**-2", -1 / X**2),
        ("+x - -y", X + Y),
        ("x**0.5 + x**(1/2)", 2 * sp.sqrt(X)),
        ("sin(x)**2*cos(2*y)", sp.sin(X) ** 2 * sp.cos(2 * Y)),
        ("abs(x) + exp(-y) + log(x) + tan(x)", sp.Abs(X) + sp.exp(-Y) + sp.log(X) + sp.tan(X)),
        (" x\n + \t y ", X + Y),
        ("(1/3)**2*x", X / 9),
    ],
)
def test_reads_what_sympy_means(text, expected):
    assert parse(text, SYMBOLS) == expected


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_of_a_number_is_the_number(name):
    found = parse(f"{name}(0.75)", {})
    assert float(found) == pytest.approx(float(FUNCTIONS[name][0](sp.Float(0.75))), rel=1e-15)
    assert parse(f"{name}(x)", SYMBOLS) == FUNCTIONS[name][0](X)


def test_constants_are_numbers_of_machine_precision():
    assert float(parse("2*pi + 1e3 + sqrt(2)", {})) == pytest.approx(1007.697398869552, rel=1e-15)


def test_a_name_may_stand_for_an_expression():
    assert parse("2*term", {"term": K * X}) == 2 * K * X


REFUSED = [
    "__import__('os').system('true')",
    "__import__(os)",
    "os.system",
    "x.__class__",
    "(1).__class__",
    "x.real",
    "x[0]",
    "lambda: x",
    "lambda x: x",
    "[x for x in y]",
    "(x for x in y)",
    "{x}",
    "'x'",
    '"x"',
    "f'{x}'",
    "b'x'",
    "x if x else y",
    "x and y",
    "not x",
    "x < y",
    "x == y",
    "(x := 1)",
    "x = 1",
    "x; y",
    "import os",
    "x, y",
    "x y",
    "x // y",
    "x % y",
    "x @ y",
    "~x",
    "x | y",
    "sin(x)(y)",
    "sin()",
    "sin(x, y)",
    "sin(*x)",
    "sin(x=y)",
    "eval(x)",
    "exec(x)",
    "print(x)",
    "Symbol(x)",
    "sin",
    "__builtins__",
    "None",
    "True",
    "...",
    "1j",
    "1if x else y",
    "x**",
    "",
    "   ",
    "x\x00",
    "x\u00b2",
    "\ufb01",  # a ligature, which Python would normalise to another name
]


@pytest.mark.parametrize("text", REFUSED)
def test_whatever_is_no_expression_is_refused(text):
    with pytest.raises(ParameterError, match=r"energy\.toml: F: .*expected"):
        parse(text, SYMBOLS, where="energy.toml: F")


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "9**99",
        "x**100",
        "x**y",
        "2**x",
        "((x**10)**10)**10",
        "(((9**12)**12)**12)**12",
        "*".join(["(x + y)**12"] * 10),
        "exp(exp(exp(100)))",
        "x" * (LENGTH + 1),
        "9" * (LENGTH - 1),
        "(" * 500 + "x" + ")" * 500,
        "-" * 1500 + "x",
        "not " + "-" * 1500 + "x",
        "sin(" * 300 + "x" + ")" * 300,
        "+".join(["x"] * 900),
    ],
    ids=lambda text: text[:20],
)
def test_nothing_blows_up(text):
    start = time.perf_counter()
    with pytest.raises(ParameterError):
        parse(text, SYMBOLS)
    assert time.perf_counter() - start < 2  # a hang would be minutes


@pytest.mark.parametrize("text", ["sqrt(-1)", "(-8)**(1/3)", "log(-1)", "(-1)**0.5*x"])
def test_complex_constants_are_refused(text):
    with pytest.raises(ParameterError, match="complex"):
        parse(text, SYMBOLS)


@pytest.mark.parametrize("text", ["1/0", "x/(y - y)", "log(0)", "1e999", "exp(1000)", "0**-1"])
def test_infinite_constants_are_refused(text):
    with pytest.raises(ParameterError, match="not finite"):
        parse(text, SYMBOLS)


def test_an_unknown_name_lists_the_closest():
    with pytest.raises(ParameterError, match=r"unknown symbol 'ku'.*did you mean 'k_u'"):
        parse("ku*x", SYMBOLS)
    with pytest.raises(ParameterError, match=r"unknown function 'sine'.*did you mean 'sin'"):
        parse("sine(x)", SYMBOLS)


def test_text_is_asked_for():
    with pytest.raises(ParameterError, match="as an expression"):
        parse(X, SYMBOLS)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text("xyk_u0123456789.+-*/() sincoexplgabj'[]:,=\n", max_size=40))
def test_any_text_is_an_expression_or_a_parameter_error(text):
    try:
        found = parse(text, SYMBOLS)
    except ParameterError:
        return
    assert isinstance(found, sp.Expr)
    assert found.free_symbols <= set(SYMBOLS.values())
