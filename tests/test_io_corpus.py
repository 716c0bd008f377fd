"""Files as they come from testers and from people, with one thing wrong: each is refused by name.

A file here goes the way that ``devicephys data check`` takes it, with the mapping of its user.
"""

import contextlib
import io
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import xarray as xr

from devicephys.errors import DataError
from devicephys.io import measurement
from devicephys.io.mapping import parse

HEADER = "device,direction,pulse_current_A,pulse_width_s,temperature_K,n_trials,n_errors"
ROW = "d1,P->AP,8.5e-5,5e-9,300,1000,7"
PULSES = (
    "device,cycle,pulse_index,pulse_voltage_V,pulse_width_s,resistance_before_ohm,"
    "resistance_after_ohm\n"
)
LOOP = "device,state,voltage_V,resistance_ohm\nd1,P,0.1,5000\n"
SHEET = "Vpulse (mV);t_p (ns);dir;N;k\n400;5;P2AP;1000;12\n450;5;P2AP;1000;3\n"
MAPPED = ["device:=d1", "direction=dir", "pulse_voltage=Vpulse", "pulse_width=t_p",
          "temperature_K:=300", "n_trials=N", "n_errors=k"]  # fmt: skip
TESTER = """
SetupTitle, I/V Sweep
PrimitiveTest, I/V Sweep
TestParameter, Channel.VName, VTop
TestParameter, Channel.IName, ITop
Dimension1, 3, 3, 3
Dimension2, 1, 1, 1
DataName, VTop, ITop, R
DataValue, -0.1, -2E-05, 5000
DataValue, 0.1, 2.1E-05, 4762
DataValue, 0.2, 4.3E-05, 4651"""
PROCEDURE = """#Procedure: <lab.Write>
#Parameters:
#\tPulse width: 5 ns
#Data:
Voltage (V),Current (uA),Switched
0.3,12.5,12
0.4,16.25,57
"""
ATTRS = {"ds_name": "results", "guid": "2a29", "run_description": "{}"}


def tidy(*rows, header=HEADER, head=""):
    return head + "\n".join([header, *(rows or [ROW])]) + "\n"


def changed(column, value, row=ROW, header=HEADER):
    cells = dict(zip(header.split(","), row.split(","), strict=True)) | {column: value}
    return tidy(ROW.replace("d1", "d0"), ",".join(cells.values()))


def without(target, *more):
    return [entry for entry in MAPPED if not entry.startswith(target)] + list(more)


def sheet(a, b):
    assert a in SHEET
    return SHEET.replace(a, b)


def exported(a, b):
    assert a in TESTER
    return TESTER.replace(a, b)


def workbook(*rows, change=None):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if change:
        change(book.active)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def archive(**parts):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, part in parts.items():
            file.writestr(name, part)
    return content.getvalue()


@cache
def run(**change):
    """Bytes of a netCDF file as QCoDeS exports a run, with what is changed in it."""
    dataset = xr.Dataset(
        {"p_sw": (("v", "w"), np.full((3, 2), 0.5), {"unit": "", "units": ""})},
        {"v": ("v", [0.3, 0.4, 0.5], {"units": "V"}), "w": ("w", [1e-9, 2e-9], {"units": "s"})},
        ATTRS,
    )
    if "drop" in change:
        dataset = dataset.drop_vars(change["drop"])
    if "without" in change:
        del dataset.attrs[change["without"]]
    if "empty" in change:
        dataset = dataset.isel(v=slice(0, 0))
    if "other" in change:
        dataset["n"] = ("z", [1.0, 2.0])
    content = bytes(dataset.to_netcdf(engine="h5netcdf"))
    first = content.index(b"GCOL") + 16
    return content[:first] + change.get("heap", content[first : first + 16]) + content[first + 16 :]


CORPUS = {
    # the text as such
    "empty": (b"", [], "empty file; export the data again"),
    "comments only": ("# lot: A7\n# r_p_ohm: 6236\n", [], "names of columns, then rows"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", [], "a format that is not known"),
    "UTF-16 of a spreadsheet": (tidy().encode("utf-16"), [], "UTF-16 text; expected UTF-8"),
    "Latin-1": (changed("device", "Zelle-ü").encode("latin-1"), [], ":3: byte 0xfc is not UTF-8"),
    "second byte-order mark": ("\ufeff\ufeff" + tidy(), [], r"column '\ufeffdevice'"),
    "byte-order mark within": (changed("pulse_current_A", "\ufeff8e-5"), [], r"'\ufeff8e-5'"),
    # tidy columns
    "header only": (tidy().splitlines()[0], [], "no data rows"),
    "no direction": (
        tidy("d1,8.5e-5,5e-9,300,1000,7", header=HEADER.replace("direction,", "")), [],
        "missing column direction",
    ),
    "rates for counts": (
        tidy("d1,P->AP,8.5e-5,5e-9,300,0.007", header=HEADER.replace("n_trials,n_errors", "wer")),
        [], "give counts, n_trials and n_errors: a rate does not tell how sure it is",
    ),
    "a column too many": (
        tidy(ROW + ",7", header=HEADER + ",wafer"), [], "'wafer'; expected one of",
    ),
    "a column twice": (tidy(ROW + ",7", header=HEADER + ",n_errors"), [], "'n_errors' twice"),
    "unit in the name": (
        tidy(ROW, header=HEADER.replace("pulse_width_s", "pulse_width_ns")), [],
        "did you mean 'pulse_width_s'?; other names and units need --map",
    ),
    "current and voltage": (
        tidy(ROW + ",0.5", header=HEADER + ",pulse_voltage_V"), [],
        "keep one of pulse_current_A, pulse_voltage_V",
    ),
    "metadata twice": (tidy(head="# tmr: 1\n# tmr: 1.2\n"), [], ":2: metadata 'tmr' twice"),
    # tidy cells
    "cut off in a row": (tidy()[:-20], [], ":2: 3 cells; expected 7 cells"),
    "cut off in a number": (tidy(ROW, ROW[:-2] + "'"), [], ":3: 6 cells"),
    "decimal comma": (changed("pulse_width_s", "5,5e-9"), [], "8 cells; expected 7 cells"),
    "quoted decimal comma": (changed("pulse_width_s", '"5,5e-9"'), [], ":pulse_width_s: '5,5e-9'"),
    "thousands": (changed("n_trials", '"1,000"'), [], ":3:n_trials: '1,000'; expected a whole"),
    "unit in the cell": (changed("pulse_current_A", "85uA"), [], ":3:pulse_current_A: '85uA'"),
    "negative width": (changed("pulse_width_s", "-5e-9"), [], "'-5e-9'; expected a number > 0 in"),
    "zero temperature": (changed("temperature_K", "0"), [], ":temperature_K: '0'"),
    "signed current": (changed("pulse_current_A", "-8e-5"), [], "magnitudes: the direction has"),
    "NaN": (changed("pulse_current_A", "nan"), [], ":pulse_current_A: 'nan'"),
    "overload": (changed("pulse_current_A", "9.9e999"), [], ":pulse_current_A: '9.9e999'"),
    "empty cell": (changed("temperature_K", ""), [], ":temperature_K: ''; expected a number > 0"),
    "no name": (changed("device", ""), [], ":3:device: ''; expected a name"),
    "direction as a number": (changed("direction", "1"), [], ":3:direction: '1'"),
    "half a trial": (changed("n_trials", "1e3"), [], ":3:n_trials: '1e3'"),
    "negative errors": (changed("n_errors", "-1"), [], ":3:n_errors: '-1'"),
    "errors over trials": (changed("n_errors", "1001"), [], "n_errors = 1001 > n_trials = 1000"),
    "the same pulse again": (tidy(ROW, ROW), [], "as row 2; expected each combination once; add"),
    "quote not closed": (changed("device", '"d1'), [], ":3: not a line of CSV"),
    "pulse twice": (
        PULSES + "d1,0,0,0.7,2e-7,5e3,6e3\nd1,0,0,0.8,2e-7,6e3,7e3\n", [], "number the pulses",
    ),
    "open circuit": (PULSES + "d1,0,0,0.7,2e-7,5e3,inf\n", [], ":resistance_after_ohm: 'inf'"),
    "state for direction": (LOOP.replace(",P,", ",P->AP,"), [], ":2:state: 'P->AP'; expected P or"),
    # a mapping that does not fit
    "a tidy file mapped": (tidy(), ["pulse_voltage=pulse_current_A"], "leave out --map"),
    "no such column": (SHEET, without("n_errors", "n_errors=K"), "did you mean 'k'?"),
    "current out of volts": (
        SHEET, without("pulse_v", "pulse_current=Vpulse"), "unit 'mV'; expected A, or for example",
    ),
    "width out of volts": (
        SHEET, without("pulse_w", "pulse_width=t_p [mV]"), "unit 'mV'; expected s, or for example",
    ),
    "unit of another trade": (sheet("(ns)", "(fm)"), MAPPED, "unknown unit 'fm'; expected s"),
    "no unit": (sheet(" (ns)", ""), MAPPED, 'say which: --map "pulse_width_s=t_p [s]"'),
    "temperature missing": (SHEET, without("temp"), 'add --map "temperature_K:=VALUE"'),
    "no direction in the file": (SHEET, without("direction"), 'add --map "direction=dir"'),
    "directions as numbers": (
        sheet("P2AP", "1"), MAPPED, ":2: column 'dir' as direction: '1'; expected P->AP or AP->P",
    ),
    "signed voltages": (sheet("450", "-450"), MAPPED, "'-450' mV; expected a magnitude > 0"),
    "gap in a column": (sheet("450;5", "450;"), MAPPED, ":3: column 't_p' as pulse_width_s: no v"),
    "text in a column": (sheet("450", "OVL"), MAPPED, ":3: column 'Vpulse' as pulse_voltage_V: '"),
    "mapped errors over trials": (sheet(";12", ";1200"), MAPPED, ":2:n_errors: n_errors = 1200"),
    "mapped rows twice": (sheet("450", "400"), MAPPED, ":3: same device, direction, pulse_volt"),
    "fraction of a trial": (
        sheet(";12", ";0.0125").replace(";3", ";0"), without("n_errors", "p_switched=k"),
        ":2: column 'k' as p_switched: 0.0125 of n_trials = 1000 are 12.5 trials; expected",
    ),
    "percent as a fraction": (
        SHEET, without("n_errors", "p_switched=k"), "'12'; expected a fraction from 0 to 1",
    ),
    "fractions without trials": (
        SHEET, [x for x in without("n_", "p_switched=k") if "N" not in x],
        "no n_trials in the columns",
    ),
    "two kinds asked for": (
        SHEET, [*MAPPED, "wait_time=t_p"], "wait_time_s mapped, which wer_counts_voltage does not",
    ),
    # plain tables
    "commas of two kinds": (sheet("450;5", "450,5;5.5"), [], "not both; export with"),
    "thousands or decimals": (sheet("400", "1,400").replace("450", "1,450"), [], "may be 1.400 or"),
    "table without names": ("0.1;5\n0.2;6\n", [], "where the header is due"),
    "a name twice": (sheet("dir", "N"), [], "column 'N' twice"),
    # workbooks
    "zip that is no workbook": (archive(a="<a/>"), [], "not a readable workbook"),
    "workbook cut off": (workbook(["V", "I"], [1, 2])[:-200], [], "BadZipFile"),
    "empty workbook": (workbook(), [], "no header row"),
    "formula never computed": (workbook(["V", "I"], [1, "=A2*2"]), [], "without a value"),
    "error of a spreadsheet": (workbook(["V", "I"], [1, "#DIV/0!"]), [], "error #DIV/0!"),
    "old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), [], "save it as .xlsx"),
    # EasyEXPERT
    "tester without names": (exported("DataName, VTop, ITop, R\n", ""), [], "no DataName line"),
    "tester cut off": (exported("\nDataValue, 0.2, 4.3E-05, 4651", ""), [], "2 DataValue lines"),
    "tester in another region": (exported("0.2, 4.3E-05", "0,2, 4,3E-05"), [], "5 values; expect"),
    "tester size": (exported("Dimension1, 3, 3, 3", "Dimension1, 3"), [], "one for each DataName"),
    "tester records differ": (
        TESTER + TESTER.replace("ITop", "ISub"), [], "record 1 holds VTop, ISub, R",
    ),
    "tester word": (exported("4.3E-05", "4.3E"), [], ":11:ITop: '4.3E'; expected a number"),
    # PyMeasure
    "procedure without data": (PROCEDURE.split("#Data")[0], [], "no #Data: line"),
    "procedure cut off": (PROCEDURE[:-3], [], "has no end"),
    "procedure with a comma": (PROCEDURE.replace("57\n", "57,1\n"), [], "PyMeasure does not quote"),
    # QCoDeS
    "other netCDF": (run(without="guid"), [], "no attribute guid; expected a netCDF export of QCo"),
    "run without setpoints": (run(drop="v"), [], "no setpoints for dimension 'v'"),
    "run without points": (run(empty=True), [], "no points; expected a run with results"),
    "run of two measurements": (run(other=True), [], "data over the same setpoints"),
    "run with a heap of zeros": (run(heap=bytes(16)), [], "damaged: free space of 0 bytes at byte"),
    "run cut off": (run()[:3000], [], "truncated file"),
}  # fmt: skip
GOOD = {
    "tidy": (tidy(), [], "wer_counts"),
    "byte-order mark": ("\ufeff" + tidy(), [], "wer_counts"),
    "CRLF": (tidy(head="# tmr: 1\r\n").replace("\n", "\r\n"), [], "wer_counts"),
    "blank lines and spaces": ("\n" + tidy().replace(",", " , ") + "\n\n", [], "wer_counts"),
    "semicolons": (tidy().replace(",", ";"), [], "wer_counts"),
    "tabs, decimal commas": (
        tidy().replace(",", "\t").replace("8.5e", "8,5e"), [], "wer_counts",
    ),
    "tidy workbook": (
        workbook(HEADER.split(","), ["d1", "P->AP", 8.5e-5, 5e-9, 300, 1000, 7]), [], "wer_counts",
    ),
    "table": (SHEET, MAPPED, "wer_counts_voltage"),
    "table with blank lines": ("\n\n" + SHEET.replace("\n", "\n\n"), MAPPED, "wer_counts_voltage"),
    "tester": (
        TESTER, ["device:=a", "state:=P", "voltage=VTop", "resistance=R [Ohm]"], "resistance_loop",
    ),
    "procedure": (
        PROCEDURE, ["device:=a", "direction:=P->AP", "pulse_voltage=Voltage", "n_trials:=100",
                    "pulse_width:=5 [ns]", "temperature_K:=300", "n_switched=Switched"],
        "wer_counts_voltage",
    ),
    "run": (
        run(), ["device:=a", "direction:=P->AP", "pulse_voltage=v", "pulse_width=w",
                "temperature:=25 [degC]", "n_trials:=100", "p_switched=p_sw"],
        "wer_counts_voltage",
    ),
}  # fmt: skip


def read(tmp_path, content, entries):
    path = Path(tmp_path, "measured.dat")  # the name says nothing
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return measurement.tidy(path, parse(entries))


def refusal(tmp_path, content, entries):
    with pytest.raises(DataError) as caught:
        read(tmp_path, content, entries)
    return str(caught.value)


@pytest.mark.parametrize(("content", "entries", "phrase"), CORPUS.values(), ids=CORPUS)
def test_what_is_wrong_is_said(tmp_path, content, entries, phrase):
    message = refusal(tmp_path, content, entries)
    assert phrase in message
    assert message.startswith(f"{tmp_path}/measured.dat:")
    assert message.isprintable()
    assert len(message) < 700


def test_every_mistake_has_words_of_its_own(tmp_path):
    messages = {name: refusal(tmp_path, x[0], x[1]) for name, x in CORPUS.items()}
    assert len(set(messages.values())) == len(CORPUS) > 45


@pytest.mark.parametrize(("content", "entries", "kind"), GOOD.values(), ids=GOOD)
def test_what_is_right_is_read(tmp_path, content, entries, kind):
    dataset = read(tmp_path, content, entries)
    assert dataset.attrs["kind"] == kind
    assert dataset.sizes["point"] >= 1
    assert len(measurement.describe(dataset)) > 5


@pytest.mark.filterwarnings("ignore:.* looks like ")
@pytest.mark.parametrize("name", GOOD)
def test_damage_is_refused_or_read_but_never_fails_otherwise(tmp_path, name):
    content, entries, _ = GOOD[name]
    content = content if isinstance(content, bytes) else content.encode()
    rng = np.random.default_rng(20260727)
    refused = 0
    for k in range(13):
        damaged = bytearray(content)
        if k % 2:
            del damaged[int(rng.integers(len(damaged))) :]
        else:
            for at in rng.integers(len(damaged), size=1 + k // 2):
                damaged[at] = rng.integers(256)
        with contextlib.suppress(DataError):
            read(tmp_path, bytes(damaged), entries)
            continue
        refused += 1
    assert refused >= 5
