"""Expressions from text: a small language that is read by a whitelist and never run.

sympy's own `sympify` and `parse_expr` evaluate text as Python. Here the text becomes Python's
syntax tree, each node of which is translated if the list below knows it, and refused otherwise:
numbers, names that the caller lists, ``+ - * / **``, and calls of `FUNCTIONS` with one argument.
Length, depth, exponents and degree are bounded, so that no text takes long.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping

import sympy as sp

from devicephys.checks import known
from devicephys.errors import ParameterError

LENGTH = 2000  # characters
DEPTH = 80  # operations inside one another; a sum of n terms is n deep
EXPONENT = 12
DEGREE = 24  # of the polynomial that the text would expand to
WHOLE = 10**15  # rationals beyond become floats
READY = 8  # degree that a name counts for which stands for an expression
CHARACTERS = re.compile(r"[A-Za-z0-9_.+\-*/() ]*")

# Either function of a name: for an expression, and for a number, which becomes a float at once, so
# that no tower of exponentials waits for whoever evaluates it.
FUNCTIONS: Mapping[str, tuple[Callable[[sp.Expr], sp.Expr], Callable[[float], float]]] = {
    "sin": (sp.sin, math.sin),
    "cos": (sp.cos, math.cos),
    "tan": (sp.tan, math.tan),
    "sqrt": (sp.sqrt, math.sqrt),
    "exp": (sp.exp, math.exp),
    "log": (sp.log, math.log),
    "abs": (sp.Abs, abs),
}
GRAMMAR = f"numbers, names, + - * / **, parentheses and calls of {', '.join(FUNCTIONS)}"
CONSTANTS: Mapping[str, float] = {"pi": math.pi}
OPERATORS: Mapping[type[ast.operator], Callable[[sp.Expr, sp.Expr], sp.Expr]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}

Found = tuple[sp.Expr, float]  # an expression and its degree


def parse(text: str, symbols: Mapping[str, sp.Expr], *, where: str = "") -> sp.Expr:
    """Translate text to a sympy expression of known names, without running any of it.

    Parameters
    ----------
    text : str
        The expression, at most 2000 characters; white space does not count.
    symbols : mapping of str to Expr
        What each name stands for, a symbol or an expression; `pi` is known besides.
    where : str, optional
        File and key that hold the text, for messages.

    Returns
    -------
    Expr
        The expression.

    Raises
    ------
    ParameterError
        If the text is no such expression, names something unknown, is too long, too deep or of
        too high a power, or holds a constant that is complex or not finite.

    Examples
    --------
    >>> k, x = sp.symbols("k x", real=True)
    >>> parse("k*(1 - x**2)/2", {"k": k, "x": x})
    k*(1 - x**2)/2
    >>> parse("__import__('os')", {"x": x})
    Traceback (most recent call last):
        ...
    devicephys.errors.ParameterError: character "'" in an expression; expected numbers, names, ...
    """
    if not isinstance(text, str):
        raise ParameterError(f"{text!r:.60} as an expression", where=where, expected=GRAMMAR)
    text = " ".join(text.split())
    if not text or len(text) > LENGTH:
        raise ParameterError(
            f"an expression of {len(text)} characters", where=where, expected=f"1 to {LENGTH}"
        )
    strange = CHARACTERS.sub("", text, count=1)
    if strange:
        raise ParameterError(
            f"character {strange[0]!r} in an expression", where=where, expected=GRAMMAR
        )
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as err:
        raise ParameterError(
            f"no expression: {_short(text)}", where=where, expected=GRAMMAR
        ) from err
    level: list[ast.AST] = [tree.body]
    for _ in range(DEPTH):  # level by level: a text too deep to recurse into is found out, too
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise ParameterError(
            "an expression too deep", where=where, expected=f"{DEPTH} operations inside one another"
        )
    return _translate(tree.body, symbols, where)[0]


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _translate(node: ast.expr, symbols: Mapping[str, sp.Expr], where: str) -> Found:
    """Translate a node and what is below it."""

    def below(inner: ast.expr) -> Found:
        return _translate(inner, symbols, where)

    match node:
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            return _number(sp.Integer(value), node, where), 0
        case ast.Constant(value=float(value)):
            return _number(sp.Float(value), node, where), 0
        case ast.Name(id=name):
            if name in CONSTANTS and name not in symbols:
                return sp.Float(CONSTANTS[name]), 0
            found = symbols[known("symbol", name, symbols, where=where)]
            return found, 1 if found.is_Symbol else READY
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value, degree = below(operand)
            return -value, degree
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return below(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(below(left), below(right)[0], node, where)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            (a, p), (b, q) = below(left), below(right)
            degree = max(p, q) if isinstance(op, ast.Add | ast.Sub) else p + q
            return _bounded(OPERATORS[type(op)](a, b), degree, node, where)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            call = FUNCTIONS[known("function", name, FUNCTIONS, where=where)]
            return _bounded(_call(call, below(argument)[0], node, where), 1, node, where)
    raise ParameterError(
        f"{type(node).__name__} in an expression: {_short(ast.unparse(node))}",
        where=where, expected=GRAMMAR,
    )  # fmt: skip


def _bounded(value: sp.Expr, degree: float, node: ast.expr, where: str) -> Found:
    """Return an expression and its degree after checking them; numbers are kept small."""
    if degree > DEGREE:
        raise ParameterError(
            f"degree {degree:g} in an expression: {_short(ast.unparse(node))}",
            where=where, expected=f"powers and products that expand to degree {DEGREE} at most",
        )  # fmt: skip
    endless = value.has(sp.zoo, sp.nan, sp.oo, -sp.oo)
    return (_number(value, node, where), 0) if value.is_number or endless else (value, degree)


def _number(value: sp.Expr, node: ast.expr, where: str) -> sp.Expr:
    """Return a constant as a small rational or a float."""
    if value.is_Rational and max(abs(value.p), value.q) <= WHOLE:
        return value
    try:
        x = float(value)
    except (OverflowError, TypeError):  # TypeError: what 1/0 gives, or a product with it
        x = math.inf
    if not math.isfinite(x):
        raise ParameterError(
            f"a constant that is not finite: {_short(ast.unparse(node))}", where=where,
            expected="finite numbers",
        )  # fmt: skip
    return sp.Float(x)


def _power(base: Found, exponent: sp.Expr, node: ast.expr, where: str) -> Found:
    """Raise to a modest constant power."""
    value, degree = base
    if not exponent.is_number or abs(exponent) > EXPONENT:
        raise ParameterError(
            f"exponent {_short(str(exponent))} in an expression: {_short(ast.unparse(node))}",
            where=where, expected=f"a number from -{EXPONENT} to {EXPONENT} as exponent",
            remedy="exp(y*log(x)) for other powers",
        )  # fmt: skip
    if exponent.is_Float:  # x**0.5 is a root to sympy as a rational only
        exponent = sp.Rational(repr(float(exponent)))
    if value.is_number and not exponent.is_Integer:
        power = (sp.Pow, lambda x: math.pow(x, float(exponent)))
        return _call(power, value, node, where), 0
    return _bounded(value**exponent, degree * float(abs(exponent)), node, where)


def _call(
    function: tuple[Callable[[sp.Expr], sp.Expr], Callable[[float], float]],
    argument: sp.Expr,
    node: ast.expr,
    where: str,
) -> sp.Expr:
    """Apply a function: to a number as floats do, to an expression as sympy does."""
    symbolic, numeric = function
    if not argument.is_number:
        return symbolic(argument)
    try:
        return _number(sp.Float(numeric(float(argument))), node, where)
    except (ValueError, OverflowError) as err:
        raise ParameterError(
            f"a constant that is complex or not finite: {_short(ast.unparse(node))}", where=where,
            expected="real, finite numbers",
        ) from err  # fmt: skip
