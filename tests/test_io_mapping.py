"""Mapping of a tester's columns: units to SI exactly, nothing guessed, refusals by row and name."""

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.constants import MU_0
from devicephys.errors import DataError, ParameterError
from devicephys.io import tidy_csv
from devicephys.io.columns import Origin, from_text
from devicephys.io.mapping import apply, parse
from devicephys.units import factor_to_si

TITLES = ["dut", "to", "I (uA)", "t_p (ns)", "T (degC)", "N", "err"]
ROWS = [
    ["a1", "P2AP", "85", "5", "25", "1000", "7"],
    ["a1", "AP->P", "90.5", "10", "25", "999", "0"],
]
ENTRIES = ["device=dut", "direction=to", "pulse_current=I", "pulse_width=t_p", "temperature_K=T",
           "n_trials=N", "n_errors=err"]  # fmt: skip
LOOP = ["device:=a", "state:=P", "resistance=R"]


def raw(titles=TITLES, rows=ROWS, metadata=None):
    origin = Origin("a/x.csv", "csv", "5ha", metadata or {})
    return from_text(titles, rows, range(2, 2 + len(rows)), origin, header=1)


def mapped(entries=ENTRIES, titles=TITLES, rows=ROWS, **more):
    return apply(raw(titles, rows, more.pop("metadata", None)), parse(entries), "a/x.csv", **more)


def refusal(entries=ENTRIES, titles=TITLES, rows=ROWS, error=DataError, **more):
    with pytest.raises(error) as caught:
        mapped(entries, titles, rows, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def without(target, *more):
    kept = [entry for entry in ENTRIES if not entry.startswith(target)]
    assert len(kept) < len(ENTRIES)
    return [*kept, *more]


def cell(column, value):
    k = TITLES.index(column)
    return [ROWS[0], [*ROWS[1][:k], value, *ROWS[1][k + 1 :]]]


def test_columns_become_tidy_in_si_without_a_rounding_error():
    dataset = mapped()
    assert dataset.attrs["kind"] == "wer_counts"
    assert (dataset.attrs["source"], dataset.attrs["sha256"]) == ("x.csv", "5ha")
    assert dataset.pulse_current.values.tolist() == [8.5e-05, 9.05e-05]
    assert dataset.pulse_width.values.tolist() == [5e-09, 1e-08]
    assert dataset.temperature.values.tolist() == [298.15, 298.15]
    assert dataset.direction.values.tolist() == ["P->AP", "AP->P"]
    assert dataset.n_errors.values.tolist() == [7, 0]
    assert dataset.pulse_current.attrs["units"] == "A"


def test_the_mapping_and_the_header_are_kept_and_can_be_written(tmp_path):
    facts = {"lot": "A7 ", "list": ["a"], "a:b": "c", "two lines": "a\nb"}
    dataset = mapped([*ENTRIES, "r_p:=6.2 [kOhm]", "tmr:=120 [%]", "note:=dry [air]"],
                     metadata=facts)  # fmt: skip
    metadata = json.loads(dataset.attrs["metadata"])
    assert metadata == {
        "lot": "A7", "r_p_ohm": "6200.0", "tmr": "1.2", "note": "dry [air]", "format": "csv",
        "mapping": "; ".join([*ENTRIES, "r_p:=6.2 [kOhm]", "tmr:=120 [%]", "note:=dry [air]"]),
    }  # fmt: skip
    tidy_csv.write(dataset, tmp_path / "x.csv")
    again = tidy_csv.read(tmp_path / "x.csv")
    xr.testing.assert_identical(again.drop_attrs(deep=False), dataset.drop_attrs(deep=False))
    assert json.loads(again.attrs["metadata"]) == metadata


UNITS = {"A": ["A", "mA", "uA", "µA", "nA"], "s": ["s", "ms", "us", "ns", "ps"], "K": ["K", "mK"]}


@given(
    st.tuples(st.floats(1e-9, 1e-3), st.floats(1e-9, 1.0), st.floats(200.0, 500.0)),
    st.tuples(*(st.sampled_from(x) for x in UNITS.values())),
)
@settings(deadline=None, max_examples=25, derandomize=True)
def test_any_unit_gives_the_same_values_to_the_last_digits(values, units):
    texts = [
        repr(value / factor_to_si(unit, si)[0])
        for value, unit, si in zip(values, units, UNITS, strict=True)
    ]
    titles = ["dut", "to", f"I ({units[0]})", f"t_p ({units[1]})", f"T ({units[2]})", "N", "err"]
    dataset = mapped(titles=titles, rows=[["a", "P2AP", *texts, "10", "3"]])
    found = [float(dataset[x][0]) for x in ("pulse_current", "pulse_width", "temperature")]
    np.testing.assert_allclose(found, values, rtol=4e-16)


@pytest.mark.parametrize(
    ("text", "unit", "factor", "offset"),
    [
        ("kOhm", "Ohm", 1e3, 0), ("k\u2126", "Ohm", 1e3, 0), ("M\u03a9", "Ohm", 1e6, 0),
        ("\u03bcs", "s", 1e-6, 0), ("\u00b5A", "A", 1e-6, 0), ("min", "s", 60, 0),
        ("h", "s", 3600, 0), ("ms", "s", 1e-3, 0), ("mT", "T", 1e-3, 0), ("Oe", "T", 1e-4, 0),
        ("kOe", "T", 0.1, 0), ("kA/m", "T", 1e3 * MU_0, 0), ("mT/s", "T/s", 1e-3, 0),
        ("\u00b0C", "K", 1, 273.15), ("K", "K", 1, 0), ("%", "1", 0.01, 0), (" mV ", "V", 1e-3, 0),
    ],
)  # fmt: skip
def test_units_as_testers_write_them(text, unit, factor, offset):
    assert factor_to_si(text, unit) == (factor, offset)


@pytest.mark.parametrize(
    "text", ["", "m", "Vs", "MuA", "uuA", "ua", "S", "dBm", "V A", "KOhm", "P"]
)
def test_other_units_are_refused(text):
    for unit in ("A", "V", "s", "Ohm", "1"):
        with pytest.raises(DataError, match=r"unknown unit"):
            factor_to_si(text, unit)


def test_a_bracket_gives_a_unit_that_the_file_does_not_say_or_says_wrongly():
    titles = ["dut", "to", "I", "t_p (s)", "T (degC)", "N", "err"]
    entries = without("pulse", "pulse_current=I [uA]", "pulse_width=t_p [ns]")
    xr.testing.assert_identical(
        mapped(entries, titles).drop_attrs(deep=False), mapped().drop_attrs(deep=False)
    )
    assert refusal(titles=titles) == (
        "a/x.csv: column 'I' as pulse_current_A: its unit is not stated; expected a unit of A; "
        'say which: --map "pulse_current_A=I [A]"'
    )


def test_a_column_name_may_hold_brackets_itself():
    titles = ["dut", "to", "I (uA)", "t_p (ns)", "T (degC)", "N", "err", "I (mV)"]
    rows = [[*row, "5"] for row in ROWS]
    entries = without("pulse_current", "pulse_current=I (uA)")
    assert mapped(entries, titles, rows).pulse_current.values.tolist() == [8.5e-05, 9.05e-05]


def test_a_unit_of_another_quantity_is_refused_before_anything_else():
    assert refusal(["pulse_current=T"]) == (
        "a/x.csv: column 'T' as pulse_current_A: unit 'degC'; expected A, or for example uA"
    )
    assert "column 'I' as n_trials: unit 'uA'; expected a count" in refusal(["n_trials=I"])


def test_constants_are_for_all_rows():
    entries = without("temperature", "temperature:=25 [degC]")
    assert mapped(entries).temperature.values.tolist() == [298.15] * 2
    entries = without("direction", "direction:=AP\u2192P")
    assert mapped(entries).direction.values.tolist() == ["AP->P"] * 2


@pytest.mark.parametrize("arrow", ["->", "\u2192", "to", "2"])
def test_directions_are_read_as_arrows_in_four_spellings(arrow):
    dataset = mapped(rows=cell("to", f"AP{arrow}P"))
    assert dataset.direction.values.tolist() == ["P->AP", "AP->P"]


@pytest.mark.parametrize("text", ["0", "1", "p2ap", "AP-P", "SET", ""])
def test_other_directions_are_refused(text):
    message = refusal(rows=cell("to", text))
    assert "a/x.csv:3: column 'to' as direction: " in message
    assert message.endswith('P->AP or AP->P; for a file of one direction: --map "direction:=P->AP"')


def test_columns_with_tidy_names_need_no_entry():
    titles = ["device", "direction", "pulse_current_A", "pulse_width (ns)", "temperature_K", "N",
              "n_errors"]  # fmt: skip
    dataset = mapped(["n_trials=N"], titles, [["a", "P->AP", "5e-5", "5", "300", "100", "7"]])
    assert float(dataset.pulse_width[0]) == 5e-9
    assert json.loads(dataset.attrs["metadata"])["mapping"] == "n_trials=N"


@pytest.mark.parametrize(
    ("title", "entry", "values"),
    [
        ("P", "p_switched=P", ["0.993", "1"]),
        ("P (%)", "p_switched=P", ["99.3", "100"]),
        ("P", "p_switched=P [%]", ["99.3", "100"]),
        ("n", "n_switched=n", ["993", "999"]),
    ],
)
def test_errors_are_the_trials_that_did_not_switch(title, entry, values):
    rows = [[*row[:-1], value] for row, value in zip(ROWS, values, strict=True)]
    dataset = mapped(without("n_errors", entry), [*TITLES[:-1], title], rows)
    assert dataset.n_errors.values.tolist() == [7, 0]


@pytest.mark.parametrize(
    ("titles", "row", "entries", "errors"),
    [
        (["device", "state", "wait_time_s", "temperature_K", "N", "P"],
         ["a", "P", "10", "400", "100", "0.03"], ["n_trials=N", "p_switched=P"], 3),
        (["device", "direction", "read_current_A", "pulse_width_s", "temperature_K", "N", "k"],
         ["a", "P->AP", "1e-5", "1e-8", "300", "100", "4"], ["n_trials=N", "n_switched=k"], 4),
    ],
)  # fmt: skip
def test_where_nothing_should_switch_what_switched_is_the_error(titles, row, entries, errors):
    assert int(mapped(entries, titles, [row]).n_errors[0]) == errors


def test_fractions_are_whole_trials_to_a_hundredth():
    titles, entries = [*TITLES[:-1], "P"], without("n_errors", "p_switched=P")
    third = [[*ROWS[0][:5], "3", "0.333"]]
    assert int(mapped(entries, titles, third).n_errors[0]) == 2
    assert "are 99.9 trials" in refusal(entries, titles, [[*ROWS[0][:5], "300", "0.333"]])
    assert refusal(entries, titles, [[*ROWS[0][:5], "1000", "0.1234"]]) == (
        "a/x.csv:2: column 'P' as p_switched: 0.1234 of n_trials = 1000 are 123.4 trials; "
        "expected a whole number of trials, to 0.01; "
        "check n_trials, or map counts: n_switched or n_errors"
    )
    for value in ("1.01", "-0.1", "", "99.3"):
        message = refusal(entries, titles, [[*ROWS[0][:6], value]])
        assert "expected a fraction from 0 to 1, or its unit [%]" in message


def test_more_switched_than_tried_is_refused():
    entries = without("n_errors", "n_switched=err")
    assert "n_switched = 1001 > n_trials = 999" in refusal(entries, rows=cell("err", "1001"))


@pytest.mark.parametrize(
    ("column", "value", "phrase"),
    [
        ("I", "-90", "'-90' uA; expected a magnitude > 0 in ampere; give magnitudes"),
        ("I", "0", "'0' uA; expected a magnitude"),
        ("I", "", "no value; expected a magnitude"),
        ("I", "inf", "'inf' uA; expected a magnitude"),
        ("I", "OL", "'OL' uA; expected a magnitude"),
        ("T", "-300", "'-300' degC; expected a number > 0 in kelvin"),
        ("N", "99.5", "'99.5'; expected a whole number >= 1"),
        ("err", "1e3", "n_errors = 1000 > n_trials = 999"),
        ("dut", "", "no value; expected a name"),
    ],
)
def test_a_bad_cell_is_refused_with_line_and_column_of_the_file(column, value, phrase):
    titles = {name.split(" ")[0]: name for name in TITLES}
    message = refusal(rows=cell(titles[column], value))
    assert message.startswith("a/x.csv:3:")
    assert phrase in message


def test_rows_of_the_same_key_are_refused_by_line():
    message = refusal(rows=[ROWS[0], ROWS[0]])
    assert message.startswith("a/x.csv:3: same device, direction, ")
    assert "as row 2" in message


def test_what_is_missing_comes_with_entries_to_copy():
    titles = ["Vpulse (V)", "t_p", "N", "P_sw (%)", "dir"]
    message = refusal([], titles, [["0.3", "5", "100", "12", "P2AP"]])
    assert message == (
        "a/x.csv: no device, direction, pulse_voltage_V, pulse_width_s, temperature_K, n_trials, "
        "n_errors in the columns Vpulse [V], t_p, N, P_sw [%], dir; expected all of device,"
        "direction,pulse_voltage_V,pulse_width_s,temperature_K,n_trials,n_errors "
        '(wer_counts_voltage); add --map "device:=VALUE" --map "direction=dir" '
        '--map "pulse_voltage_V=Vpulse" --map "pulse_width_s:=VALUE" --map "temperature_K:=VALUE" '
        '--map "n_trials:=VALUE" --map "p_switched=P_sw"'
    )


def test_the_kind_must_be_wanted_and_clear():
    message = refusal(["wait_time_s:=5"], kinds=("wer_counts", "wer_counts_voltage"))
    assert message.startswith("a/x.csv: wait_time_s mapped, which wer_counts does not have; expec")
    assert message.endswith("(wer_counts); or those of wer_counts_voltage")
    assert "wait_time_s mapped, which resistance_loop does not have" in refusal(
        ["wait_time_s:=5", "voltage_V:=1", "resistance_ohm:=5e3"]
    )
    titles = ["device", "direction", "pulse_current_A", "pulse_voltage_V", "pulse_width_s",
              "temperature_K", "n_trials", "n_errors"]  # fmt: skip
    both = [["a", "P->AP", "5e-5", "0.4", "5e-9", "300", "100", "7"]]
    assert refusal([], titles, both).endswith(
        'choose by --map "pulse_current_A=pulse_current_A" or '
        '--map "pulse_voltage_V=pulse_voltage_V"'
    )
    chosen = mapped(["pulse_voltage_V=pulse_voltage_V"], titles, both)
    assert chosen.attrs["kind"] == "wer_counts_voltage"


def test_an_unknown_column_names_the_closest():
    assert refusal(without("n_trials", "n_trials=n")).endswith("did you mean 'N'?")
    message = refusal(without("n_trials", "n_trials=attempts"))
    assert "no column 'attempts' for n_trials; expected the columns dut, to, I [uA]" in message


@pytest.mark.parametrize(
    ("entries", "phrase"),
    [
        (["GateV"], "--map 'GateV'; expected TARGET=COLUMN"),
        (["=GateV"], "--map '=GateV'"),
        (["voltage="], "--map 'voltage='"),
        (["voltage=a\nb"], "voltage: 'a\\nb'; expected one line"),
        (["voltage=a", "voltage=b"], "--map voltage twice"),
        (["voltage=a", "voltage_V=b"], "two entries for voltage_V; expected each target once"),
        (["pulse_voltag=a"], "unknown target of a mapping 'pulse_voltag'"),
        (["pulse_voltag=a"], "did you mean 'pulse_voltage_V'"),
        (["r_p_Ohm:=5"], "did you mean 'r_p_ohm'"),
        (["tmr=T"], "tmr=T; expected one value for the file, tmr:=VALUE"),
        (["n_errors=a", "p_switched=b"], "n_errors and p_switched; expected one of them"),
        (["temperature:=300"], "temperature:=300 without a unit; expected temperature_K:=300"),
        (["r_p:=6000"], "expected r_p_ohm:=6000, or r_p:=6000 [unit]"),
        ([*ENTRIES, "tmr:=high"], "tmr:=high: 'high'; expected a finite number"),
        ([*ENTRIES, "tmr:=1e999"], "tmr:=1e999: '1e999'; expected a finite number"),
        (without("temperature", "temperature_K:=-1"), "'-1' K; expected a number > 0 in kelvin"),
        (without("direction", "direction:=up"), "direction:=up: 'up'; expected P->AP or AP->P"),
    ],
)
def test_a_wrong_mapping_is_a_mistake_of_its_writer(entries, phrase):
    assert phrase in refusal(entries, error=ParameterError)


def test_points_of_files_without_lines_are_counted():
    dataset = xr.Dataset(
        {"V": ("point", [0.1, np.nan], {"units": "V"}), "R": ("point", [5e3, 5e3])},
        attrs={"sha256": "", "metadata": "{}", "format": "qcodes"},
    )
    entries = parse(["voltage=V", *LOOP[:2], "resistance=R [Ohm]"])
    with pytest.raises(DataError, match=r"^x\.nc: point 2: column 'V' as voltage_V: no value; exp"):
        apply(dataset, entries, "x.nc")
