"""Kinds of tidy data: each comes back from a file, and a header is one kind or refused."""

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.errors import DataError
from devicephys.io import tidy_csv
from devicephys.io.tidy_kinds import KINDS, absurd, choose, expected, names, nearest
from devicephys.io.tidy_rows import CELSIUS, LARGEST, to_dataset

ROWS = {  # one good row a kind
    "wer_counts": ["d1", "P->AP", "8.5e-05", "5e-09", "300", "1000", "7"],
    "wer_counts_voltage": ["d1", "AP->P", "0.5", "5e-09", "300", "1000", "7"],
    "retention_counts": ["d1", "AP", "3600", "398", "1000", "7"],
    "read_disturb_counts": ["d1", "P->AP", "2e-05", "1e-08", "300", "1000000", "0"],
    "resistance_loop": ["d1", "P", "-0.1", "5000"],
    "switching_fields": ["d1", "P->AP", "0", "-0.08", "0.001"],
    "resistance_pulses": ["d1", "0", "0", "0.7", "2e-07", "5000", "6500"],
    "resistances": ["d1", "HRS", "0", "1e6", "above"],
}
VALUES = {
    "direction": st.sampled_from(["P->AP", "AP->P"]),
    "state": st.sampled_from(["P", "AP"]),
    "censored": st.sampled_from(["exact", "above", "below"]),
    "n_trials": st.integers(1000, 2**61),
    "n_errors": st.integers(0, 1000),
    "device": st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1).filter(
        lambda s: s == s.strip()
    ),
}
SIGNED = ("voltage_V", "switching_field_T")


def values(column, kind):
    if column.name == "state" and kind == "resistances":
        return st.sampled_from(["LRS", "HRS"])
    if column.name in VALUES:
        return VALUES[column.name]
    if "whole" in column.expected:
        return st.integers(0, 2**61)
    if column.name == "temperature_K":
        return st.floats(CELSIUS[1], 1e30, exclude_min=True)
    largest = LARGEST.get(column.name, (1e30,))[0]
    signed = column.name in SIGNED or (kind == "resistance_pulses" and "voltage" in column.name)
    return st.floats(-largest if signed else 1e-30, largest).filter(lambda x: not absurd(x))


def table(kind, *rows):
    return "\n".join([",".join(names(kind)), *(",".join(row) for row in rows)]) + "\n"


def refusal(text):
    with pytest.raises(DataError) as caught:
        tidy_csv.parse(text, "x.csv")
    return str(caught.value)


def test_every_kind_is_tried():
    assert list(ROWS) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(deadline=None, max_examples=8, derandomize=True)
def test_what_is_written_comes_back(tmp_path_factory, kind, data):
    rows = data.draw(
        st.lists(
            st.fixed_dictionaries({c.name: values(c, kind) for c in KINDS[kind]}),
            min_size=1, max_size=4,
            unique_by=lambda row: tuple(row[c.name] for c in KINDS[kind] if c.key) or id(row),
        )
    )  # fmt: skip
    dataset = to_dataset(rows, kind, "x.csv", "", {"lot": "A: 7"})
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    tidy_csv.write(dataset, path)
    again = tidy_csv.read(path)
    xr.testing.assert_identical(again.drop_attrs(deep=False), dataset.drop_attrs(deep=False))
    assert again.attrs["kind"] == kind
    assert json.loads(again.attrs["metadata"]) == {"lot": "A: 7"}


def test_units_are_those_of_the_column_names():
    fields = tidy_csv.parse(table("switching_fields", ROWS["switching_fields"]), "x.csv")
    assert fields.switching_field.attrs["units"] == "T"
    assert fields.field_rate.attrs["units"] == "T/s"
    assert (float(fields.switching_field[0]), int(fields.cycle[0])) == (-0.08, 0)


BAD = [
    ("retention_counts", "state", "LRS", "P or AP"),
    ("retention_counts", "wait_time_s", "0", "a number > 0 in seconds"),
    ("read_disturb_counts", "read_current_A", "-2e-5", "a magnitude > 0 in ampere"),
    ("wer_counts_voltage", "pulse_voltage_V", "-0.5", "a magnitude > 0 in volt"),
    ("resistance_loop", "state", "ap", "P or AP"),
    ("resistance_loop", "voltage_V", "nan", "a finite number in volt"),
    ("switching_fields", "field_rate_Tps", "0", "a number > 0 in tesla per second"),
    ("switching_fields", "switching_field_T", "80mT", "a finite number in tesla"),
    ("switching_fields", "cycle", "-1", "a whole number >= 0"),
    ("resistances", "state", "P", "LRS or HRS"),
    ("resistances", "censored", "yes", "exact, above or below"),
    ("resistances", "resistance_ohm", "OL", "a number > 0 in ohm"),
]


@pytest.mark.parametrize(("kind", "column", "value", "wanted"), BAD)
def test_a_bad_cell_is_named(kind, column, value, wanted):
    row = dict(zip(names(kind), ROWS[kind], strict=True)) | {column: value}
    message = refusal(table(kind, ROWS[kind], list(row.values())))
    assert message.startswith(f"x.csv:3:{column}: {value!r}; expected {wanted}")
    assert message.endswith("the direction has its own column") == ("magnitude" in wanted)


def test_a_loop_passes_a_voltage_twice_but_counts_and_cycles_are_keyed():
    loop = tidy_csv.parse(table("resistance_loop", *[ROWS["resistance_loop"]] * 2), "x.csv")
    assert loop.sizes["point"] == 2
    for kind, remedy in (
        ("retention_counts", "add up the counts"),
        ("switching_fields", "number the cycles"),
        ("resistances", "number the cycles"),
    ):
        assert refusal(table(kind, *[ROWS[kind]] * 2)).endswith(f"each combination once; {remedy}")


@pytest.mark.parametrize("kind", ["retention_counts", "read_disturb_counts", "wer_counts_voltage"])
def test_more_errors_than_trials_of_every_kind(kind):
    assert "n_errors <= n_trials" in refusal(table(kind, [*ROWS[kind][:-1], "2000000"]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_header_is_its_kind_in_any_order(kind):
    assert choose(names(kind)[::-1], "x.csv:1") == kind
    assert nearest(names(kind)[:-1]) == kind or kind in ("wer_counts", "wer_counts_voltage")


@pytest.mark.parametrize(
    ("wrong", "right", "kind"),
    [
        ("pulse_voltage_mV", "pulse_voltage_V", "wer_counts_voltage"),
        ("read_current_uA", "read_current_A", "read_disturb_counts"),
        ("wait_time_h", "wait_time_s", "retention_counts"),
        ("switching_field_Oe", "switching_field_T", "switching_fields"),
        ("voltage_mV", "voltage_V", "resistance_loop"),
        ("censor", "censored", "resistances"),
    ],
)
def test_a_misspelt_column_still_tells_the_kind(wrong, right, kind):
    header = [wrong if name == right else name for name in names(kind)]
    with pytest.raises(DataError) as caught:
        choose(header, "x.csv:1")
    assert f"unknown column {wrong!r}" in str(caught.value)
    assert f"did you mean {right!r}" in str(caught.value)
    assert ", ".join(sorted(names(kind))) in str(caught.value)


def test_columns_of_two_kinds_are_refused():
    with pytest.raises(DataError) as caught:
        choose([*names("wer_counts"), "pulse_voltage_V"], "x.csv:1")
    assert str(caught.value) == (
        "x.csv:1: columns of wer_counts and of wer_counts_voltage; expected one kind; "
        "keep one of pulse_current_A, pulse_voltage_V"
    )


def test_a_missing_column_that_decides_the_kind_is_named_for_each():
    with pytest.raises(DataError) as caught:
        choose(["device", "state", "resistance_ohm"], "x.csv:1")
    assert str(caught.value) == (
        "x.csv:1: missing column voltage_V of resistance_loop or cycle of resistances; "
        f"expected {expected('resistance_loop')}"
    )


@pytest.mark.parametrize(
    ("kind", "column", "value", "likely"),
    [
        ("wer_counts", "pulse_current_A", "85", "microamperes; the column must be in amperes"),
        ("wer_counts_voltage", "pulse_voltage_V", "500", "millivolts"),
        ("read_disturb_counts", "read_current_A", "20", "microamperes"),
        ("resistance_loop", "voltage_V", "-400", "millivolts"),
        ("switching_fields", "switching_field_T", "-80", "millitesla or oersted"),
        ("resistance_pulses", "pulse_width_s", "200", "nanoseconds; the column must be in secon"),
    ],
)
def test_a_magnitude_that_tells_another_unit_warns(kind, column, value, likely):
    row = dict(zip(names(kind), ROWS[kind], strict=True)) | {column: value}
    with pytest.warns(UserWarning, match=f"{column} up to .* looks like {likely}"):
        dataset = tidy_csv.parse(table(kind, list(row.values())), "x.csv")
    assert np.abs(dataset[column.rsplit("_", 1)[0]].values[0]) == abs(float(value))


def test_long_waits_do_not_warn():
    row = ["d1", "AP", "31557600", "398", "1000", "7"]
    assert float(tidy_csv.parse(table("retention_counts", row), "x.csv").wait_time[0]) == 31557600
