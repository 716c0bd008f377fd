"""Tidy CSV: what is written is read back; what is wrong is refused by file, row and column."""

import csv
import io
import json
import math
import os
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys import data
from devicephys.errors import DataError, OutputExistsError
from devicephys.io import tidy_csv, tidy_kinds
from devicephys.units import column_unit

COUNTS = ["device", "direction", "pulse_current_A", "pulse_width_s", "temperature_K", "n_trials",
          "n_errors"]  # fmt: skip
PULSES = ["device", "cycle", "pulse_index", "pulse_voltage_V", "pulse_width_s",
          "resistance_before_ohm", "resistance_after_ohm"]  # fmt: skip
COUNT = dict(zip(COUNTS, ["d1", "P->AP", "8.5e-5", "5e-9", "300", "1000", "7"], strict=True))
PULSE = dict(zip(PULSES, ["d1", "0", "0", "0.7", "2e-7", "5e3", "6.5e3"], strict=True))


def text_of(*rows, head=""):
    lines = [",".join(rows[0])] + [",".join(row.values()) for row in rows]
    return head + "\n".join(lines) + "\n"


def refusal(text):
    with pytest.raises(DataError) as caught:
        tidy_csv.parse(text, "x.csv")
    message = str(caught.value)
    assert message.startswith("x.csv:")
    assert "\n" not in message
    return message


positive = st.floats(min_value=1e-30, max_value=1e30)
currents = st.floats(min_value=1e-30, max_value=1.0)
widths = st.floats(min_value=1e-15, max_value=1.0)
voltages = st.floats(-100, 100).map(lambda x: round(x, 12))
temperatures = st.floats(min_value=100.0, max_value=1e30)
names = st.text(
    st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=12
).filter(lambda s: s == s.strip())
metadata = st.dictionaries(
    names.filter(lambda s: ":" not in s and not s.startswith("#")),
    st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=12).map(str.strip),
    max_size=3,
)


def dataset_of(kind, columns, rows, extra):
    units = {c.variable: column_unit(c.name) for c in tidy_kinds.KINDS[kind]}
    values = {
        name: ("point", np.array([row[k] for row in rows]), {"units": units[name]})
        for k, name in enumerate(columns)
    }
    attrs = {"kind": kind, "source": "x.csv", "sha256": "", "metadata": json.dumps(extra)}
    return xr.Dataset(values, attrs=attrs)


def returned(dataset, folder):
    path = folder / "x.csv"
    tidy_csv.write(dataset, path)
    again = tidy_csv.read(path)
    assert again.attrs["kind"] == dataset.attrs["kind"]
    assert again.attrs["source"] == "x.csv"
    assert json.loads(again.attrs["metadata"]) == json.loads(dataset.attrs["metadata"])
    xr.testing.assert_identical(again.drop_attrs(deep=False), dataset.drop_attrs(deep=False))
    second = folder / "second.csv"
    tidy_csv.write(again, second)
    same = second.read_bytes() == path.read_bytes()
    assert same or list(json.loads(dataset.attrs["metadata"])) != sorted(
        json.loads(dataset.attrs["metadata"])
    )


@given(
    st.lists(
        st.tuples(
            names, st.sampled_from(["P->AP", "AP->P"]), currents, widths, temperatures,
            st.integers(1, 2**61), st.floats(0, 1),
        ),
        min_size=1, max_size=6, unique_by=lambda row: row[:5],
    ),
    metadata,
)  # fmt: skip
@settings(deadline=None, max_examples=40, derandomize=True)
def test_counts_come_back(tmp_path_factory, rows, extra):
    rows = [(*row[:6], min(row[5], int(row[6] * row[5]))) for row in rows]
    columns = ["device", "direction", "pulse_current", "pulse_width", "temperature", "n_trials",
               "n_errors"]  # fmt: skip
    returned(dataset_of("wer_counts", columns, rows, extra), tmp_path_factory.mktemp("csv"))


@given(
    st.lists(
        st.tuples(
            names, st.integers(0, 2**61), st.integers(0, 99), voltages, widths, positive,
            positive,
        ),
        min_size=1, max_size=6, unique_by=lambda row: row[:3],
    )
)  # fmt: skip
@settings(deadline=None, max_examples=25, derandomize=True)
def test_resistances_come_back(tmp_path_factory, rows):
    columns = ["device", "cycle", "pulse_index", "pulse_voltage", "pulse_width",
               "resistance_before", "resistance_after"]  # fmt: skip
    dataset = dataset_of("resistance_pulses", columns, rows, {})
    returned(dataset, tmp_path_factory.mktemp("csv"))


def test_shipped_counts_survive_the_round_trip(tmp_path):
    shipped = tidy_csv.read(data.path("synthetic_stt_mram_wer.csv"))
    path = tmp_path / shipped.attrs["source"]
    tidy_csv.write(shipped, path)
    again = tidy_csv.read(path)
    xr.testing.assert_identical(again.drop_attrs(deep=False), shipped.drop_attrs(deep=False))
    assert again.attrs["metadata"] == shipped.attrs["metadata"]
    assert len(again.attrs["sha256"]) == 64


def test_a_file_says_its_kind_units_source_and_metadata(tmp_path):
    path = tmp_path / "wafer 3.csv"
    path.write_text(text_of(COUNT, head="# lot: A:7\n#tester:  T1 \n# a remark\n\n"))
    dataset = tidy_csv.read(path)
    assert dataset.attrs["kind"] == "wer_counts"
    assert dataset.attrs["source"] == "wafer 3.csv"
    assert json.loads(dataset.attrs["metadata"]) == {"lot": "A:7", "tester": "T1"}
    assert {n: dataset[n].attrs["units"] for n in dataset.variables} == {
        "device": "1", "direction": "1", "pulse_current": "A", "pulse_width": "s",
        "temperature": "K", "n_trials": "1", "n_errors": "1",
    }  # fmt: skip
    assert float(dataset.pulse_current[0]) == 8.5e-5
    pulses = tidy_csv.parse(text_of(PULSE), "x.csv")
    assert pulses.attrs["kind"] == "resistance_pulses"
    assert pulses.resistance_after.attrs["units"] == "Ohm"


def test_order_of_columns_spaces_quotes_and_blank_lines_do_not_matter():
    plain = tidy_csv.parse(text_of(COUNT), "x.csv")
    turned = dict(reversed(COUNT.items()))
    lines = [" , ".join(turned), "", "  ", ",".join(f'"{v}"' for v in turned.values()), ",,,,,,"]
    loose = tidy_csv.parse("\r\n".join(lines), "x.csv")
    xr.testing.assert_identical(loose, plain)


def test_byte_order_mark_is_accepted(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text_of(COUNT).encode())
    assert tidy_csv.read(path).device.values.tolist() == ["d1"]


def test_other_encodings_are_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(text_of(COUNT, COUNT | {"device": "Zelle-ü"}).encode("latin-1"))
    with pytest.raises(DataError, match=r"x\.csv:3: byte 0xfc is not UTF-8; .*save the file as"):
        tidy_csv.read(path)


def test_missing_and_empty_files(tmp_path):
    with pytest.raises(DataError, match=r"gone\.csv: no such file; check the path"):
        tidy_csv.read(tmp_path / "gone.csv")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(DataError, match=r"empty\.csv: empty file"):
        tidy_csv.read(tmp_path / "empty.csv")


@pytest.mark.parametrize("text", ["\n", "# lot: 7\n", "# a\n\n   \n"])
def test_no_header(text):
    expected = "x.csv: no header line; expected the columns " + ",".join(COUNTS)
    assert refusal(text) == expected + "; or those of another kind, see docs/guide/my_file.md"


@pytest.mark.parametrize("row", [COUNT, PULSE])
def test_no_rows(row):
    message = refusal(",".join(row) + "\n\n ,,\n")
    assert message == "x.csv: no data rows; expected at least one row under the header"


@pytest.mark.parametrize("head", ["", "# lot: 7\n# a: b\n"])
@pytest.mark.parametrize("row", [COUNT, PULSE])
def test_every_missing_column_is_named(row, head):
    line = 1 + head.count("\n")
    for name in row:
        rest = {k: v for k, v in row.items() if k != name}
        expected = ",".join(COUNTS if row is COUNT else PULSES)
        drive = " of wer_counts, pulse_voltage_V of wer_counts_voltage or read_current_A of "
        more = drive + "read_disturb_counts" if name == "pulse_current_A" else ""
        assert refusal(text_of(rest, head=head)) == (
            f"x.csv:{line}: missing column {name}{more}; expected the columns {expected}"
        )


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("n_error", "n_errors"),
        ("N_trials", "n_trials"),
        ("pulse_current_uA", "pulse_current_A"),
        ("pulse_width_ns", "pulse_width_s"),
        ("temperature_C", "temperature_K"),
        ("directions", "direction"),
        ("devise", "device"),
    ],
)
def test_misspelt_column_names_the_closest(wrong, right):
    row = {wrong if name == right else name: value for name, value in COUNT.items()}
    message = refusal(text_of(row))
    assert message.startswith(f"x.csv:1: unknown column {wrong!r}; expected one of ")
    assert message.rpartition("did you mean ")[2].startswith(f"{right!r}")


def test_extra_column_is_refused():
    assert "unknown column 'wafer'" in refusal(text_of(COUNT | {"wafer": "7"}))
    assert "unknown column ''" in refusal(text_of(COUNT | {"": "7"}))


def test_mixed_kinds_are_refused():
    message = refusal(text_of(COUNT | {"resistance_before_ohm": "5e3"}))
    assert "unknown column 'resistance_before_ohm'" in message


def test_duplicate_column_is_named():
    text = text_of(COUNT).splitlines()
    message = refusal(f"{text[0]},n_errors\n{text[1]},7\n")
    assert message.startswith("x.csv:1: column 'n_errors' twice; expected the columns device,")


def test_duplicate_metadata_is_named():
    message = refusal(text_of(COUNT, head="# lot: 1\n# a: b\n#lot :2\n"))
    assert message == "x.csv:3: metadata 'lot' twice"


BAD_COUNTS = [
    ("device", ["", "  "], "a name"),
    ("direction", ["", "p->ap", "AP", "P→AP", "up"], "P->AP or AP->P"),
    ("pulse_current_A", ["", "0", "-1e-5", "nan", "inf", "85uA", "0x10"], "a magnitude > 0 in amp"),
    ("pulse_width_s", ["0", "-5e-9", "0.0", "NaN", "-inf", "5 ns", "1e-400"], "a number > 0 in s"),
    ("temperature_K", ["", "0", "-273.15", "nan", "1e999", "RT"], "a number > 0 in kelvin"),
    ("n_trials", ["", "0", "-1", "1.5", "1e6", "1000.0", "nan", str(2**62)], "a whole number >= 1"),
    ("n_errors", ["", "-1", "0.5", "7.0", "1e1", "none"], "a whole number >= 0"),
]
BAD_PULSES = [
    ("cycle", ["", "-1", "0.5", "1e0"], "a whole number >= 0"),
    ("pulse_index", ["", "-1", "first"], "a whole number >= 0"),
    ("pulse_voltage_V", ["", "nan", "inf", "0.7V"], "a finite number in volt"),
    ("pulse_width_s", ["0", "-2e-7", "nan"], "a number > 0 in seconds"),
    ("resistance_before_ohm", ["0", "-5e3", "nan", "inf", "open"], "a number > 0 in ohm"),
    ("resistance_after_ohm", ["0", "-5e3", "5k", ""], "a number > 0 in ohm"),
]


@pytest.mark.parametrize(
    ("row", "column", "value", "expected"),
    [(COUNT, c, v, e) for c, values, e in BAD_COUNTS for v in values]
    + [(PULSE, c, v, e) for c, values, e in BAD_PULSES for v in values],
)
def test_bad_cell_is_refused_by_row_and_column(row, column, value, expected):
    text = text_of(row, row | {"device": "d2", column: value}, head="# lot: 7\n")
    message = refusal(text)
    assert message.startswith(f"x.csv:4:{column}: {value.strip()!r}; expected {expected}")


@pytest.mark.parametrize(
    ("column", "value"),
    [("n_trials", "1_000"), ("pulse_current_A", "8_5e-5"), ("n_errors", "\u0667")],
)
def test_numbers_that_only_python_reads_are_refused(column, value):
    message = refusal(text_of(COUNT | {column: value}))
    assert message.startswith(f"x.csv:2:{column}: {value!r}; expected ")


def test_decimal_commas_are_refused_with_the_remedy():
    message = refusal(text_of(COUNT | {"pulse_current_A": "8,5e-5"}))
    assert message == (
        "x.csv:2: 8 cells; expected 7 cells; "
        "check the separator (comma) and the decimal sign (point)"
    )
    quoted = refusal(text_of(COUNT | {"pulse_current_A": '"8,5e-5"'}))
    assert quoted.startswith("x.csv:2:pulse_current_A: '8,5e-5'; expected a magnitude > 0")


def test_semicolons_and_tabs_are_refused():
    for separator in (";", "\t"):
        message = refusal(text_of(COUNT).replace(",", separator))
        assert message.startswith("x.csv:1: unknown column 'device")


def test_short_row_is_refused():
    lines = text_of(COUNT, COUNT).splitlines()
    assert refusal("\n".join([*lines[:2], "d2,P->AP"])).startswith(
        "x.csv:3: 2 cells; expected 7 cells"
    )


def test_more_errors_than_trials():
    message = refusal(text_of(COUNT, COUNT | {"device": "d2", "n_errors": "1001"}))
    assert message == (
        "x.csv:3:n_errors: n_errors = 1001 > n_trials = 1000; expected n_errors <= n_trials; "
        "check the tester's export"
    )
    as_many = tidy_csv.parse(text_of(COUNT | {"n_errors": "1000"}), "x.csv")
    assert int(as_many.n_errors[0]) == 1000


@pytest.mark.parametrize(
    ("row", "remedy"), [(COUNT, "add up the counts"), (PULSE, "number the pulses")]
)
def test_rows_with_the_same_key_are_refused(row, remedy):
    last = list(row)[-1]
    again = row | {"pulse_width_s": f"{float(row['pulse_width_s']):.4e}", last: "8"}
    message = refusal(text_of(row, row | {"device": "d2"}, again))
    assert message.startswith("x.csv:4: same device, ")
    assert message.endswith(f" as row 2; expected each combination once; {remedy}")


@pytest.mark.parametrize("key", COUNTS[:5])
def test_rows_that_differ_in_one_key_are_kept(key):
    other = {"device": "d2", "direction": "AP->P"}.get(key) or f"{2 * float(COUNT[key]):g}"
    assert tidy_csv.parse(text_of(COUNT, COUNT | {key: other}), "x.csv").sizes["point"] == 2


def test_row_numbers_count_blank_lines():
    text = text_of(COUNT, COUNT | {"n_errors": "x"}).replace("7\n", "7\n\n\n", 1)
    assert refusal(text).startswith("x.csv:5:n_errors: 'x'")


def test_line_break_inside_a_cell_is_refused():
    """Joined silently, the device would get another name and later rows other numbers."""
    for break_ in ("\n", "\r\n", "\r"):
        row = COUNT | {"device": f'"a{break_}b"'}
        assert refusal(text_of(COUNT, row)).startswith("x.csv:3: ")


@pytest.mark.parametrize("where", ["cell", "header"])
def test_endless_cell_is_refused(where):
    long = "d" * (csv.field_size_limit() + 1)
    text = text_of(COUNT | {"device": long})
    message = refusal(text if where == "cell" else long + text)
    assert len(message) < 1000


def test_unclosed_quote_is_refused():
    assert refusal(text_of(COUNT | {"device": '"d'}, COUNT)).startswith("x.csv:2: ")


def test_pulse_widths_in_nanoseconds_raise_a_warning():
    with pytest.warns(UserWarning, match=r"x\.csv: pulse_width_s up to 5 s looks like nanosec"):
        dataset = tidy_csv.parse(text_of(COUNT | {"pulse_width_s": "5"}), "x.csv")
    assert float(dataset.pulse_width[0]) == 5
    longest = tidy_csv.parse(text_of(COUNT | {"pulse_width_s": "1.0"}), "x.csv")
    assert float(longest.pulse_width[0]) == 1  # no warning: warnings are errors here


def test_negative_and_zero_voltages_are_data():
    rows = [
        PULSE | {"pulse_index": str(k), "pulse_voltage_V": v} for k, v in enumerate(("-1", "0"))
    ]
    assert tidy_csv.parse(text_of(*rows), "x.csv").pulse_voltage.values.tolist() == [-1, 0]


@pytest.mark.parametrize("value", ["1e300", "1e31", "9e-31", "5e-324"])
def test_magnitudes_that_no_measurement_gives_are_refused(value):
    row = COUNT | {"pulse_current_A": value}
    with pytest.raises(DataError, match=f"x.csv:2:pulse_current_A: '{value}'; .*1e-30 to 1e.30"):
        tidy_csv.parse(text_of(row), "x.csv")


@pytest.mark.parametrize(("value", "warned"), [("25", 1), ("77", 0), ("4.2", 0), ("300", 0)])
def test_degrees_celsius_are_suspected(value, warned):
    row = COUNT | {"temperature_K": value}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tidy_csv.parse(text_of(row), "x.csv")
    assert sum("looks like degrees Celsius" in str(w.message) for w in caught) == warned


def test_numbers_keep_every_digit(tmp_path):
    values = [math.pi * 1e-4, 0.1 + 0.2, 1e-30 * (1 + 2**-52)]
    rows = [COUNT | {"pulse_current_A": repr(v)} for v in values]
    dataset = tidy_csv.parse(text_of(*rows), "x.csv")
    assert dataset.pulse_current.values.tolist() == values
    tidy_csv.write(dataset, tmp_path / "x.csv")
    assert tidy_csv.read(tmp_path / "x.csv").pulse_current.values.tolist() == values


def test_written_file_is_plain_csv(tmp_path):
    text = text_of(COUNT | {"device": '"a,b ""c"""'}, head="# lot: 7\n")
    tidy_csv.write(tidy_csv.parse(text, "x.csv"), tmp_path / "x.csv")
    lines = (tmp_path / "x.csv").read_bytes().decode()
    assert lines.startswith("# lot: 7\n" + ",".join(COUNTS) + "\n")
    assert "\r" not in lines
    (row,) = list(csv.DictReader(io.StringIO(lines.removeprefix("# lot: 7\n"))))
    assert row["device"] == 'a,b "c"'
    assert (int(row["n_trials"]), int(row["n_errors"])) == (1000, 7)


def test_existing_output_is_kept_and_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    dataset = tidy_csv.parse(text_of(COUNT), "x.csv")
    path = tmp_path / "x.csv"
    path.write_text("mine")
    with pytest.raises(OutputExistsError, match=r"x\.csv: output exists; .*--force"):
        tidy_csv.write(dataset, path)
    assert path.read_text() == "mine"
    with pytest.raises(DataError, match="no such folder"):
        tidy_csv.write(dataset, tmp_path / "no" / "x.csv")

    def failing(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match="No space left"):
        tidy_csv.write(dataset, path, force=True)
    assert os.listdir(tmp_path) == ["x.csv"]
    assert path.read_text() == "mine"
