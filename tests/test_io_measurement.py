"""One way to any measurement: by content, not by name, and in words of the recipe that wants it."""

import pytest
import xarray as xr
from devicephys.fits import read, recipe

from devicephys import data
from devicephys.errors import DataError, ParameterError
from devicephys.io import measurement, tidy_csv
from devicephys.io.mapping import parse

COUNTS = "device,direction,pulse_current_A,pulse_width_s,temperature_K,n_trials,n_errors\n"
TIDY = "# tmr: 1.2\n" + COUNTS + "d1,P->AP,8.5e-5,5e-9,300,1000,7\nd2,AP->P,8e-5,5e-9,300,1000,0\n"
SHEET = "Vpulse (mV),t_p (ns),dir,N,k\n400,5,P2AP,1000,12\n450,5,,1000,\n"
ENTRIES = ["device:=d1", "direction:=P->AP", "pulse_voltage=Vpulse", "pulse_width=t_p",
           "temperature_K:=300", "n_trials=N", "n_errors:=3"]  # fmt: skip
PROCEDURE = "#Procedure: <lab.Write>\n#Parameters:\n#\tWidth: 5 ns\n#Data:\nV (V),k\n0.3,12\n"
TESTER = (
    "\r\nSetupTitle, I-V\r\nDimension1, 2, 2\r\nDimension2, 1, 1\r\nDataName, V, I\r\n"
    "DataValue, 0, 1E-12\r\nDataValue, 0.1, 2E-6"
)
WER = ("wer_counts", "wer_counts_voltage")


@pytest.fixture
def file(tmp_path):
    def file(text, name="x.csv"):
        path = tmp_path / name
        path.write_text(text, newline="")
        return path

    return file


@pytest.mark.parametrize(
    ("text", "form"),
    [(TIDY, "tidy"), (SHEET, "csv or xlsx"), (PROCEDURE, "pymeasure"), (TESTER, "easyexpert"),
     ("device,V,I\na,1,2\n", "csv or xlsx"), (COUNTS.replace("n_errors", "errors"), "tidy")],
)  # fmt: skip
def test_the_format_is_found_from_the_content(file, text, form):
    assert measurement.format_of(text.encode()) == form
    assert measurement.format_of(("\ufeff" + text).encode()) == form


@pytest.mark.parametrize("content", [b"\0\1\2", b"\xff\xfe\0a", b"GIF89a\0", b"CDF\1\0\0"])
def test_other_formats_are_none(content):
    assert measurement.format_of(content) == ""


def test_a_tidy_file_is_read_whatever_its_name(file):
    dataset = measurement.read(file(TIDY, "run 7.txt"))
    xr.testing.assert_identical(
        dataset.drop_attrs(deep=False), tidy_csv.parse(TIDY, "x.csv").drop_attrs(deep=False)
    )
    assert dataset.attrs["source"] == "run 7.txt"


def test_columns_stay_as_they_are_without_a_mapping(file):
    dataset = measurement.read(file(SHEET))
    assert dataset.attrs["kind"] == "columns"
    assert dataset.Vpulse.values.tolist() == [400, 450]


def test_columns_with_tidy_names_are_tidy(file):
    dataset = measurement.read(file(TIDY.replace(",", ";")))
    assert dataset.attrs["kind"] == "wer_counts"
    assert dataset.pulse_current.values.tolist() == [8.5e-5, 8e-5]
    assert '"tmr": "1.2"' in dataset.attrs["metadata"]


def test_a_mapping_makes_columns_tidy(file):
    dataset = measurement.read(file(SHEET), parse(ENTRIES))
    assert dataset.attrs["kind"] == "wer_counts_voltage"
    assert dataset.pulse_voltage.values.tolist() == [0.4, 0.45]
    assert dataset.attrs["source"] == "x.csv"


def test_a_mapping_helps_a_tidy_file_with_a_strange_column(file):
    strange = file(TIDY.replace("pulse_current_A", "pulse_current_uA").replace("e-5", "e1"))
    with pytest.raises(DataError, match=r"unknown column 'pulse_current_uA'.* need --map$"):
        measurement.read(strange)
    dataset = measurement.read(strange, parse(["pulse_current=pulse_current_uA [uA]"]))
    assert dataset.pulse_current.values.tolist() == [8.5e-5, 8e-5]


def test_what_is_wanted_is_said_to_another_kind_and_to_bare_columns(file):
    pulses = TIDY.replace("pulse_current_A", "read_current_A")
    with pytest.raises(DataError, match="data of kind 'read_disturb_counts'; expected wer_counts "):
        measurement.tidy(file(pulses), kinds=WER)
    with pytest.raises(DataError, match=r'add --map "device:=VALUE" .*"pulse_voltage_V=Vpulse"'):
        measurement.tidy(file(SHEET), kinds=WER)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(DataError, match=r"gone\.csv: no such file; check the path"):
        measurement.read(tmp_path / "gone.csv")
    with pytest.raises(DataError, match="is a folder; expected a file"):
        measurement.read(tmp_path)


def test_tidy_data_are_described_in_lines(file):
    lines = measurement.describe(measurement.read(file(TIDY)))
    assert lines[:-1] == [
        "wer_counts: 2 rows, 2 devices, 1 without an error",
        "device: d1, d2",
        "direction: AP->P, P->AP",
        "pulse_current_A: 80 uA to 85 uA (2 values)",
        "pulse_width_s: 5 ns",
        "temperature_K: 300 K",
        "n_trials: 1000",
        "n_errors: 0 to 7 (2 values)",
        "header: tmr",
    ]
    assert lines[-1].startswith("sha256: ")
    assert len(lines[-1]) == len("sha256: ") + 12


def test_columns_are_described_with_their_units_and_gaps(file):
    assert measurement.describe(measurement.read(file(SHEET + "\n,,,,\n")))[:-1] == [
        "csv: 5 columns, 2 rows; not tidy: fits need --map TARGET=COLUMN",
        "Vpulse [mV]: 400 to 450 (2 values)",
        "t_p [ns]: 5",
        "dir: (empty), P2AP",
        "N: 1000",
        "k: 12, 1 empty",
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("7\t200\t0\t3.5\t5e3\t5e3\n7\t200\t1\t3.5\t5e3\t5e4\n", "resistance_pulses"),
     ("7\t9e4\t5e3\t8e4\t6e3\n", "resistances")],
)  # fmt: skip
def test_headerless_tables_are_known_by_their_numbers(file, text, kind):
    path = file(text)
    assert measurement.read(path).attrs["kind"] == kind
    assert measurement.describe(measurement.read(path))[0].startswith(kind)
    with pytest.raises(DataError, match=r"a headerless table of .*; expected no mapping"):
        measurement.read(path, {"device": ":=7"})


@pytest.mark.parametrize(
    ("said", "synthetic"),
    [("yes, drawn by us", True), ("True", True), ("1", True), ("no", False), ("No: lot 7", False),
     ("false", False), ("0", False)],
)  # fmt: skip
def test_what_a_header_says_of_being_synthetic(file, said, synthetic):
    assert (
        measurement.synthetic(measurement.read(file(f"# synthetic: {said}\n{TIDY}"))) is synthetic
    )
    assert not measurement.synthetic(measurement.read(file(TIDY)))


def test_a_header_that_leaves_open_whether_data_are_synthetic_is_refused(file):
    with pytest.raises(
        DataError, match=r"x\.csv: metadata synthetic = 'nobody knows'; expected yes"
    ):
        measurement.synthetic(measurement.read(file(f"# synthetic: nobody knows\n{TIDY}")))


def test_recipes_on_tidy_data_take_a_mapping(file):
    chosen = recipe("stt_mram_wer")
    dataset = read(chosen, file(SHEET), parse(ENTRIES))
    assert dataset.attrs["kind"] == "wer_counts_voltage"
    shipped = data.path("synthetic_stt_mram_wer.csv")
    xr.testing.assert_identical(read(chosen, shipped, {}), tidy_csv.read(shipped))
    with pytest.raises(DataError, match="resistance_pulses"):
        read(recipe("weak_reset_traces"), file(SHEET), {})


@pytest.mark.parametrize("name", ["hfo2_filament", "hfo2_staircase", "sot_mtj_switching"])
def test_recipes_of_other_formats_refuse_a_mapping(file, name):
    with pytest.raises(
        ParameterError, match=f"recipe {name} reads a file format of its own; expected .*tidy"
    ):
        read(recipe(name), file(SHEET), parse(ENTRIES))
