"""Every public name says what it does, in which units, with which shapes, and from which source."""

import ast
import inspect
import pkgutil
import re
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path

import pytest
from numpydoc.docscrape import ClassDoc, FunctionDoc

import devicephys

UNIT = re.compile(r"\[[^\]]+\][.;]?$")
SOURCE = re.compile(r"doi:|doi |arXiv|Joule|Korn and Graubard|[Tt]his project's")
NUMERIC = re.compile(r"float|int\b|array|complex")
NOT_NUMERIC = re.compile(r"xarray|callable|tuple of str|ndarray of (str|bool)")
PHYSICS = ("devicephys.mram", "devicephys.rram", "devicephys.stats")
ROOT = Path(__file__).parent.parent


def walk():
    """Yield (qualified name, object) of every public function and class of the package."""
    for info in pkgutil.walk_packages(devicephys.__path__, "devicephys."):
        if info.name == "devicephys.__main__" or info.name.startswith("devicephys.cli"):
            continue  # the command line documents itself through --help
        try:
            module = import_module(info.name)
        except ModuleNotFoundError as err:
            if err.name == "torch":  # of devicephys.learning: these names are walked where it is
                continue
            raise
        assert module.__doc__, f"{info.name} has no docstring"
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != info.name:
                continue
            if inspect.isfunction(thing) or inspect.isclass(thing):
                yield f"{info.name}.{name}", thing


def recipes_and_claims():
    """Names whose interface is documented once, in the registry that loads them."""
    return re.compile(
        r"devicephys\.fits\.\w+\.(read|fit|table|generate)$"
        r"|devicephys\.validation\.\w+\.(run|covered)$"
    )


PUBLIC = [(n, t) for n, t in walk() if not recipes_and_claims().match(n)]
FUNCTIONS = [(n, t) for n, t in PUBLIC if inspect.isfunction(t)]
RECORDS = [(n, t) for n, t in PUBLIC if is_dataclass(t)]


def documented(doc, section):
    """Pair each name of a numpydoc section with its type and its description in one line."""
    for entry in doc[section]:
        text = " ".join(" ".join(entry.desc).split())
        yield [n.strip().lstrip("*") for n in entry.name.split(",")], entry.type, text


def test_the_walk_finds_the_package():
    assert len(FUNCTIONS) > 60
    assert len(RECORDS) > 12


@pytest.mark.parametrize(("name", "thing"), PUBLIC, ids=[n for n, _ in PUBLIC])
def test_has_a_docstring_that_starts_with_one_sentence(name, thing):
    first = (inspect.getdoc(thing) or "").split("\n\n")[0]
    assert first.endswith((".", "?")), f"{name}: {first!r}"
    assert len(first) < 160


@pytest.mark.parametrize(("name", "thing"), FUNCTIONS, ids=[n for n, _ in FUNCTIONS])
def test_documents_parameters_with_units_and_shapes(name, thing):
    doc = FunctionDoc(thing)
    described = list(documented(doc, "Parameters"))
    names = {n for group, _, _ in described for n in group}
    assert names == set(inspect.signature(thing).parameters), name
    for group, kind, text in [*described, *documented(doc, "Returns")]:
        numeric = NUMERIC.search(kind) and not NOT_NUMERIC.search(kind) and group != ["seed"]
        if numeric:
            assert UNIT.search(text), f"{name}: {group} has no unit at its end: {text!r}"
        if re.search(r"\b(nd)?array", kind):
            assert "shape" in text, f"{name}: {group} has no shape: {text!r}"


@pytest.mark.parametrize(("name", "thing"), FUNCTIONS, ids=[n for n, _ in FUNCTIONS])
def test_has_an_example_and_says_what_it_returns_and_raises(name, thing):
    text = inspect.getdoc(thing)
    assert "Examples\n--------" in text, name
    returns = inspect.signature(thing).return_annotation
    if returns not in (None, "None"):
        assert "Returns\n-------" in text, name
    raised = {
        node.exc.func.id
        for node in ast.walk(ast.parse(inspect.getsource(thing)))
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
    }
    for error in raised - {"ValueError"}:
        assert error in text, f"{name} raises {error} without saying so"


@pytest.mark.parametrize(
    ("name", "thing"),
    [x for x in FUNCTIONS if x[0].startswith(PHYSICS) and "Spread" not in x[0]],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_physics_names_its_source(name, thing):
    if name == "devicephys.stats.streams":
        return
    text = inspect.getdoc(thing)
    assert "References\n----------" in text, name
    assert SOURCE.search(text.split("References\n----------")[1]), name


@pytest.mark.parametrize(("name", "record"), RECORDS, ids=[n for n, _ in RECORDS])
def test_records_are_frozen_and_document_every_field(name, record):
    assert record.__dataclass_params__.frozen, name
    doc = ClassDoc(record)
    described = {n: t for group, _, t in documented(doc, "Attributes") for n in group}
    own = {f.name for f in fields(record)}
    assert own <= set(described), f"{name}: {own - set(described)}"


def test_nomenclature_lists_every_parameter_with_its_unit():
    page = (ROOT / "docs" / "nomenclature.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", page, flags=re.M))
    for _, record in RECORDS:
        for f in fields(record):
            if "unit" in f.metadata:
                assert rows.get(f.name, "").strip() == f.metadata["unit"], f.name


def test_no_unit_in_an_identifier():
    unit = re.compile(r"_(nm|ns|ps|ma|ua|mv|ohm|oe|pj|fj|kohm)$", re.I)
    for name, function in FUNCTIONS:
        bad = [p for p in inspect.signature(function).parameters if unit.search(p)]
        assert not bad, f"{name}: {bad}"
