"""Junction files: what each way of giving a junction means, and refusals that name the key."""

import inspect
from dataclasses import asdict

import pytest

from devicephys.errors import DataError, ParameterError
from devicephys.io import files, junction_toml
from devicephys.mram import literature
from devicephys.mram.circuit import Access
from devicephys.mram.junction import mtj_from_stack
from devicephys.mram.spread import Spread, spread_from_stack
from devicephys.parameters import MTJ, Stack

MTJ_TEXT = """[mtj]
delta = 60
i_c0_p_ap = 30e-6
i_c0_ap_p = 20e-6
t_d = 1e-9
r_p = 4e3
tmr = 1.2
"""
STACK = {
    "diameter": 40e-9, "t_f": 1.2e-9, "m_s": 1.1e6, "k_i": 1.1e-3, "alpha": 0.01,
    "eta_p_ap": 0.5, "eta_ap_p": 0.7, "ra": 5e-12, "tmr": 1.2, "bloch": 1e-5,
}  # fmt: skip
STACK_TEXT = "[stack]\n" + "".join(f"{key} = {value}\n" for key, value in STACK.items())
LITERATURE_TEXT = 'literature = "garcia_redondo_2021"\n'
CURVE = "# a transistor\nvoltage_V,current_A\n0,0\n0.1, 6e-5\n\n0.3,1e-4\n"


@pytest.fixture
def read(tmp_path):
    """Write a junction file, and a curve beside it; read the junction."""

    def reader(text, curve=CURVE):
        if curve is not None:
            (tmp_path / "nmos.csv").write_text(curve)
        (tmp_path / "j.toml").write_text(text)
        return junction_toml.read(tmp_path / "j.toml")

    return reader


def test_an_electrical_record_needs_no_more(read, tmp_path):
    found = read(MTJ_TEXT)
    assert found.mtj == MTJ(60.0, 30e-6, 20e-6, 1e-9, 4e3, 1.2)
    assert type(found.mtj.delta) is float
    assert (found.spread, found.access, found.source) == (None, Access(), "j.toml")
    assert found.sha256 == files.sha256((tmp_path / "j.toml").read_bytes())


def test_a_stack_gives_the_record_derived_from_it(read):
    assert read(STACK_TEXT).mtj == mtj_from_stack(Stack(**STACK))


@pytest.mark.parametrize(
    "name", [n for n, f in vars(literature).items() if inspect.isfunction(f) and n[0] != "_"]
)
def test_every_published_junction_is_found_by_its_name(read, name):
    assert read(f'literature = "{name}"').mtj == mtj_from_stack(getattr(literature, name)())


def test_a_spread_of_the_record(read):
    text = MTJ_TEXT + "[spread]\nsigma_delta = 0.05\nsigma_i_c0 = 0\nrho_i_c0_delta = 0.5\n"
    assert read(text).spread == Spread(0.05, 0.0, rho_i_c0_delta=0.5)


@pytest.mark.parametrize("text", [STACK_TEXT, LITERATURE_TEXT])
def test_a_spread_of_the_making_needs_a_stack(read, text):
    stack = Stack(**STACK) if text == STACK_TEXT else literature.garcia_redondo_2021()
    made = "[spread]\nsigma_k_i = 0.004\nsigma_diameter = 0.02\n"
    assert read(text + made).spread == spread_from_stack(stack, 0.004, 0.02)
    assert read(text + made + "sigma_ra = 0.03").spread == spread_from_stack(
        stack, 0.004, 0.02, 0.03
    )


def test_access_device_with_a_curve_beside_the_file(read):
    assert read(MTJ_TEXT + "[access]\nr_s = 500\n").access == Access(500.0)
    found = read(MTJ_TEXT + '[access]\nr_s = 500\ncurve = "nmos.csv"\n').access
    assert asdict(found) == {
        "r_s": 500.0, "voltage": (0.0, 0.1, 0.3), "current": (0.0, 6e-5, 1e-4)
    }  # fmt: skip


REFUSED = {
    "nothing": ("# nothing\n", "no junction; expected one of [mtj], [stack] and literature"),
    "two junctions": (LITERATURE_TEXT + MTJ_TEXT, "both mtj and literature; expected one of"),
    "not TOML": ("[mtj\n", "not TOML"),
    "deep nesting": ("a = " + "[" * 5000, "not TOML"),
    "unknown table": (MTJ_TEXT + "[spred]\n", "unknown junction key 'spred'"),
    "number for a table": ("mtj = 3\n", "mtj = 3; expected a table [mtj]"),
    "list of tables": ("[[mtj]]\ndelta = 60\n", "expected a table [mtj]"),
    "unknown field": (MTJ_TEXT + "dleta = 3\n", "unknown key of [mtj] 'dleta'"),
    "missing field": (MTJ_TEXT.replace("tmr = 1.2", ""), "[mtj] without tmr; expected the keys"),
    "text": (MTJ_TEXT.replace("60", '"60"'), "[mtj] delta = '60'; expected a number in SI units"),
    "code": (
        MTJ_TEXT.replace("60", '"__import__(\'os\')"'), "delta = \"__import__('os')\"; expected a n"
    ),
    "boolean": (MTJ_TEXT.replace("60", "true"), "[mtj] delta = 'True'; expected a number"),
    "endless integer": (MTJ_TEXT.replace("60", "9" * 400), "expected a number in SI units"),
    "infinity": (MTJ_TEXT.replace("60", "inf"), "MTJ.delta = inf; expected finite, in (0, inf)"),
    "out of range": (MTJ_TEXT.replace("60", "-60"), "MTJ.delta = -60; expected finite"),
    "not perpendicular": (STACK_TEXT.replace("k_i = 0.0011", "k_i = 1e-5"), "thinner layer"),
    "unknown source": (
        'literature = "garcia_redondo_2012"', "did you mean 'garcia_redondo_2021'?"
    ),
    "private name": ('literature = "np"', "unknown literature 'np'; expected one of garcia"),
    "number for a name": ("literature = 2021", "literature = 2021; expected one of garcia"),
    "empty spread": (MTJ_TEXT + "[spread]\n", "[spread] without sigma_delta; expected the keys"),
    "making without a stack": (
        MTJ_TEXT + "[spread]\nsigma_k_i = 0.01\n", "[spread] sigma_k_i; expected fields of Spread"
    ),
    "mixed spread": (
        STACK_TEXT + "[spread]\nsigma_k_i = 0.01\nsigma_delta = 0.1\n",
        "unknown key of [spread] 'sigma_delta'; expected one of sigma_diameter, sigma_k_i",
    ),
    "half a making": (
        STACK_TEXT + "[spread]\nsigma_k_i = 0.01\n", "[spread] without sigma_diameter"
    ),
    "negative making": (
        STACK_TEXT + "[spread]\nsigma_k_i = 0.01\nsigma_diameter = -1\n", "sigma_diameter = -1"
    ),
    "negative spread": (
        MTJ_TEXT + "[spread]\nsigma_delta = -0.1\nsigma_i_c0 = 0\n", "Spread.sigma_delta = -0.1"
    ),
    "contradiction": (
        MTJ_TEXT + "[spread]\nsigma_delta = 0.1\nsigma_i_c0 = 0.1\nsigma_t_d = 0.1\n"
        "rho_i_c0_delta = 1\nrho_i_c0_t_d = 1\nrho_delta_t_d = -1\n", "contradict each other",
    ),
    "empty access": (MTJ_TEXT + "[access]\n", "[access] is empty; expected r_s, curve or both"),
    "unknown access key": (MTJ_TEXT + "[access]\nrs = 3\n", "unknown key of [access] 'rs'"),
    "negative resistor": (MTJ_TEXT + "[access]\nr_s = -3\n", "Access.r_s = -3 Ohm"),
    "impossible curve": (MTJ_TEXT + '[access]\ncurve = "a\\u0000b"', "expected the name of a CSV"),
    "number for a curve": (MTJ_TEXT + "[access]\ncurve = 3\n", "[access] curve = 3; expected the"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_named_with_the_file(read, tmp_path, text, message):
    with pytest.raises(ParameterError) as caught:
        read(text)
    assert str(caught.value).startswith(f"{tmp_path / 'j.toml'}: ")
    assert message in str(caught.value)


CURVES = {
    "missing": (None, "nmos.csv: no such file; check the path"),
    "empty": ("", "nmos.csv: empty file"),
    "not UTF-8": ("\udcff", "nmos.csv:1: byte 0xff is not UTF-8"),
    "only comments": ("# a\n", "nmos.csv: header ''; expected voltage_V,current_A"),
    "other header": ("current_A,voltage_V\n0,0\n", "nmos.csv:1: header 'current_A,voltage_V'"),
    "one point": ("voltage_V,current_A\n0,0\n", "nmos.csv: 1 points; expected 2 points"),
    "three cells": (CURVE + "0.4,1e-4,3\n", "nmos.csv:7: row '0.4,1e-4,3'; expected two numbers"),
    "not a number": (CURVE + "0.4,1e-4 A\n", "nmos.csv:7: row '0.4,1e-4 A'"),
    "falling": (CURVE + "0.4,9e-5\n", "nmos.csv: Access.current does not rise"),
    "infinite": (CURVE + "1e999,2e-4\n", "1e999,2e-4"),
    "not from zero": (CURVE.replace("0,0", "0,1e-6"), "Access.current starts at 1e-06"),
}


@pytest.mark.parametrize(("curve", "message"), CURVES.values(), ids=CURVES)
def test_a_bad_curve_is_named_with_its_line(read, tmp_path, curve, message):
    if curve is not None:
        (tmp_path / "nmos.csv").write_bytes(curve.encode(errors="surrogateescape"))
    with pytest.raises(DataError) as caught:
        read(MTJ_TEXT + '[access]\ncurve = "nmos.csv"\n', curve=None)
    assert str(tmp_path / "nmos.csv") in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_curve_says_which_junction_file_asks_for_it(read):
    with pytest.raises(DataError, match=r"j\.toml: \[access\] curve: .*nmos\.csv: no such file"):
        read(MTJ_TEXT + '[access]\ncurve = "nmos.csv"\n', curve=None)


def test_a_missing_or_unreadable_file_is_bad_data(tmp_path):
    for content, message in ((b"", "empty file"), (b"\xff", "not UTF-8")):
        (tmp_path / "j.toml").write_bytes(content)
        with pytest.raises(DataError, match=message):
            junction_toml.read(tmp_path / "j.toml")
    with pytest.raises(DataError, match="no such file"):
        junction_toml.read(tmp_path / "none.toml")
    with pytest.raises(DataError, match="is a folder"):
        junction_toml.read(tmp_path)
