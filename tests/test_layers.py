"""Imports run one way: a module imports only from its own layer or those below, without cycles."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = (  # lowest first; a name covers the modules below it
    ("errors", "checks", "constants", "units", "lanes_numba"),
    ("parameters", "stats", "symbolic", "expression", "on_sphere", "energy_terms"),
    ("mram", "rram", "ecc", "free_energy"),
    ("io", "bnn"),
    ("tables", "fitting", "learning", "parts", "sweep", "cell_sweep"),
    ("data", "fits"),
    ("study",),
    ("validation",),
    ("plotting", "plotting_fit", "report"),
    ("cli_common", "cli_simulate", "cli_plan", "cli_evaluate", "cli", "__main__"),
)
LATE = {("study", "report")}  # imported inside `study.run`, after the numbers are made
FORBIDDEN = {  # heavy or foreign packages and the only rooms that may import them
    "matplotlib": {"plotting", "plotting_fit"},
    "jinja2": {"report"},
    "typer": {"cli", "cli_common", "cli_evaluate", "cli_plan", "cli_simulate"},
    "rich": {"cli_common"},
    "lmfit": {"fitting"},
    "xarray": {
        "io",
        "tables",
        "fitting",
        "sweep",
        "cell_sweep",
        "bnn",
        "fits",
        "study",
        "plotting",
        "plotting_fit",
        "report",
        "cli_simulate",
    },
    "sklearn": {"bnn"},
    "numba": {"lanes_numba", "mram", "rram", "bnn"},
    "torch": {"learning"},
    "onnx": {"bnn"},
    "sympy": {"symbolic", "expression", "on_sphere", "energy_terms", "free_energy"},
}
FOLDERS = {"devicephys": "", "fits": "fits", "data": "data", "validation": "validation"}


def modules():
    """Yield (dotted name without the package, path) of every module."""
    for folder, prefix in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = [*([prefix] if prefix else []), *path.relative_to(ROOT / folder).parts]
            parts[-1] = parts[-1].removesuffix(".py")
            yield ".".join(p for p in parts if p != "__init__"), path


def imports(path):
    """Yield every dotted name that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


MODULES = dict(modules())


def layer(name):
    room = name.split(".")[0]
    return next(k for k, rooms in enumerate(LAYERS) if room in rooms)


@pytest.mark.parametrize("name", [n for n in MODULES if n])
def test_imports_only_from_its_own_layer_or_below(name):
    for target in imports(MODULES[name]):
        package, _, rest = target.partition(".")
        room = rest.split(".")[0]
        if package == "devicephys" and not room.startswith("__version__") and rest:
            pair = (name.split(".")[0], room)
            assert pair in LATE or layer(rest) <= layer(name), f"{name} imports {target}"


@pytest.mark.parametrize("name", [n for n in MODULES if n])
def test_heavy_packages_stay_in_their_rooms(name):
    for target in imports(MODULES[name]):
        rooms = FORBIDDEN.get(target.split(".")[0])
        assert rooms is None or name.split(".")[0] in rooms, f"{name} imports {target}"


def test_no_import_cycle():
    def resolve(target):
        rest = target.removeprefix("devicephys.")
        return next((n for n in (rest, rest.rpartition(".")[0]) if n in MODULES and n), None)

    graph = {
        name: {resolve(t) for t in imports(path) if t.startswith("devicephys.")} - {None, name}
        for name, path in MODULES.items()
    }
    graph["study"] -= {"report"}  # LATE
    done, active = set(), []

    def visit(name):
        assert name not in active, " -> ".join([*active, name])
        if name not in done:
            active.append(name)
            for target in graph[name]:
                visit(target)
            done.add(active.pop())

    for name in graph:
        visit(name)


def test_the_walk_sees_the_whole_package():
    assert {"mram.fokker_planck", "fits.stt_mram_wer", "validation.round_trip"} <= set(MODULES)


def test_no_module_is_longer_than_the_budget():
    too_long = {n: len(p.read_text().splitlines()) for n, p in MODULES.items()}
    assert {n: k for n, k in too_long.items() if k > 600} == {}
