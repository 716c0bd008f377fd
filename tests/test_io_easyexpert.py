"""Files of EasyEXPERT, built as its exports are laid out: read whole, or refused by line."""

import json

import numpy as np
import pytest

from devicephys.errors import DataError
from devicephys.io import easyexpert

GRAPH = "AnalysisSetup, Analysis.Setup.Vector.Graph"
USER_UNIT = "TestParameter, Function.User.Unit"


def record(rows, *, names=("Vbg", "Vdd", "Idd", "R"), sweeps=1, time="01/11/2023 00:22:50"):
    """Lines of one record; `rows` hold texts."""
    n = len(names)
    return [
        "SetupTitle, inv, 3 V",
        "PrimitiveTest, I/V Sweep",
        "TestParameter, Context.MainFrame, B1500A",
        "TestParameter, Channel.Unit, SMU4:HR, SMU1:HP",
        "TestParameter, Channel.IName, Ibg, Idd",
        "TestParameter, Channel.VName, Vbg, Vdd",
        "TestParameter, Channel.Time, ",
        "TestParameter, Measurement.Primary.Step, 0.03",
        "TestParameter, Function.User.Name, R",
        "TestParameter, Function.User.Unit, ohm",
        "TestParameter, Function.User.Definition, Vdd/Idd",
        "TestParameter, Output.Graph.XAxis.Data, Vbg",
        f"MetaData, TestRecord.RecordTime, {time}",
        "MetaData, TestRecord.Remarks, ",
        f"{GRAPH}.XAxis.Name, Vbg",
        f"{GRAPH}.XAxis.Unit, V",
        f"{GRAPH}.YAxis.Name, Idd",
        f"{GRAPH}.YAxis.Unit, A",
        f"{GRAPH}.Preference.GridColor, -3618616",
        f"{GRAPH}.Notes, [VAR1] Unit=SMU2, Name=Vbg, Start=0 V\t[VAR2] Name=Vdd, Stop=3 V",
        "AnalysisSetup, Analysis.Setup.Title, inv, 3 V",
        "Dimension1, " + ", ".join([str(len(rows) // sweeps)] * n),
        "Dimension2, " + ", ".join([str(sweeps)] * n),
        "DataName, " + ", ".join(names),
        *("DataValue, " + ", ".join(row) for row in rows),
    ]


ROWS = [
    ["0", "1", "1.32E-12", "757575757575.7576"],
    ["0.030000000000000002", "1", "-4.5E-13", ""],
    ["0", "2", "2.9E-06", "NaN"],
    ["0.03", "2", "3E-06", "666666.6666666666"],
]
LINES = ["", *record(ROWS, sweeps=2)]


def text_of(lines, ends="\r\n"):
    return ends.join(lines)


def refusal(lines):
    with pytest.raises(DataError) as caught:
        easyexpert.parse(text_of(lines), "x.csv")
    message = str(caught.value)
    assert message.startswith("x.csv:")
    assert "\n" not in message
    return message


def edited(old, new, lines=LINES):
    assert any(line.startswith(old) for line in lines)
    return [new if line.startswith(old) else line for line in lines]


@pytest.mark.parametrize("ends", ["\r\n", "\n"])
def test_a_record_is_read(tmp_path, ends):
    path = tmp_path / "inv [1].csv"
    path.write_bytes(b"\xef\xbb\xbf" + text_of(LINES, ends).encode())
    raw = easyexpert.read(path)
    assert list(raw) == ["record", "step", "Vbg", "Vdd", "Idd", "R"]
    assert {n: raw[n].attrs["units"] for n in raw} == {
        "record": "", "step": "", "Vbg": "V", "Vdd": "V", "Idd": "A", "R": "ohm",
    }  # fmt: skip
    assert raw.step.values.tolist() == [0, 0, 1, 1]
    assert raw.record.values.tolist() == [0] * 4
    assert raw.Idd.values.tolist() == [1.32e-12, -4.5e-13, 2.9e-6, 3e-6]
    assert np.isnan(raw.R.values).tolist() == [False, True, True, False]
    assert raw.file_line.values.tolist() == [26, 27, 28, 29]
    assert {raw[n].dtype for n in raw} == {np.dtype(np.float64)}
    assert raw.attrs["kind"] == "columns"
    assert raw.attrs["format"] == "easyexpert"
    assert raw.attrs["source"] == "inv [1].csv"
    assert len(raw.attrs["sha256"]) == 64
    metadata = json.loads(raw.attrs["metadata"])
    assert metadata["SetupTitle"] == "inv, 3 V"
    assert metadata["TestRecord.RecordTime"] == "01/11/2023 00:22:50"
    assert metadata["Channel.Unit"] == "SMU4:HR, SMU1:HP"
    assert not [key for key in metadata if key.startswith(("Output", "Analysis"))]
    assert "TestRecord.Remarks" not in metadata


def test_appended_records_follow_each_other():
    second = record(ROWS[:1], time="02/11/2023 10:00:00")
    raw = easyexpert.parse(text_of([*LINES, *second]), "x.csv")
    assert raw.record.values.tolist() == [0, 0, 0, 0, 1]
    assert raw.step.values.tolist() == [0, 0, 1, 1, 0]
    times = json.loads(raw.attrs["metadata"])["TestRecord.RecordTime"]
    assert times == ["01/11/2023 00:22:50", "02/11/2023 10:00:00"]


def test_the_list_says_units_before_the_graph_and_the_channels():
    datum = "AnalysisSetup, Analysis.Setup.Vector.List.Datum"
    lines = [*LINES[:20], f"{datum}.Name, Idd, Idd", f"{datum}.Unit, mA, A", *LINES[20:]]
    assert easyexpert.parse(text_of(lines), "x.csv").Idd.attrs["units"] == "mA"


def test_columns_of_unequal_length_count_by_the_longest():
    lines = edited("Dimension1", "Dimension1, 2, 2, 2, 1")
    assert easyexpert.parse(text_of(lines), "x.csv").sizes["point"] == 4


def test_recognised_by_the_first_tag():
    assert easyexpert.matches(text_of(LINES).encode())
    assert easyexpert.matches(b"\xef\xbb\xbf\r\n" + text_of(LINES).encode())
    for other in (b"", b"Setup title,x", b"#Procedure: <a>", b"PK\x03\x04", b"V,SetupTitle,\n"):
        assert not easyexpert.matches(other)


@pytest.mark.parametrize(
    ("lines", "phrase"),
    [
        (LINES[2:], "x.csv: no SetupTitle line at the start"),
        (edited("DataName", ""), "x.csv:2: no DataName line in the record"),
        (edited("DataName", "DataName"), "x.csv:2: no DataName line in the record"),
        (edited("Dimension1", ""), "x.csv:2: no Dimension1 line in the record"),
        (edited("Dimension2", ""), "x.csv:2: no Dimension2 line in the record"),
        (edited("Dimension1", "Dimension1, 2"), "x.csv:23: Dimension1 '2'; expected 4 whole"),
        (edited("Dimension2", "Dimension2, 2, 2, 2, -2"), "x.csv:24: Dimension2 '2, 2, 2, -2'"),
        (edited("Dimension2", "Dimension2, 3, 3, 3, 3"),
         "x.csv:29: 4 DataValue lines in the record; expected 2 points x 3 sweeps"),
        (LINES[:-1], "x.csv:28: 3 DataValue lines in the record; expected 2 points x 2 sweeps"),
        (LINES[:25], "x.csv:25: 0 DataValue lines"),
        ([*edited("Dimension1", "Dimension1, 0, 0, 0, 0")[:25]], "expected 0 points x 2 sweeps"),
        (edited("DataValue, 0.03, 2", "DataValue, 0,03, 2, 3E-06, 666"), "x.csv:29: 5 values"),
        (edited("DataValue, 0.03, 2", "DataValue, 0.03, 2, 3E-0"), "x.csv:29: 3 values; expected"),
        (edited("DataValue, 0.03, 2", "DataValue, 0.03, 2, 3E-06x, 1"), "x.csv:29:Idd: '3E-06x'"),
        (edited("DataName", "DataName, Vbg, Vdd, Idd, Idd"), "column 'Idd' twice"),
        (edited("DataName", "DataName, Vbg, Vdd, , R"), "column 5 has no name"),
        (edited("DataName", "DataName, Vbg, step, Idd, R"), "column 'step' twice"),
        (edited("DataName", "DataName, Vbg, point, Idd, R"), "column 'point'; expected another"),
        ([*LINES, *LINES[24:]], "x.csv:30: DataName again; expected a SetupTitle line"),
        ([*LINES, *record([["1", "2"]], names=("Time", "Vo"))],
         "x.csv:53: record 1 holds Time, Vo; expected the columns of record 0: Vbg, Vdd, Idd, R"),
        ([*LINES, *edited(USER_UNIT, f"{USER_UNIT}, S", record(ROWS))], "R in 'S'; expected 'ohm'"),
    ],
)  # fmt: skip
def test_refused_by_line(lines, phrase):
    assert phrase in refusal(lines)


def test_damage_gives_a_refusal_or_columns(tmp_path):
    whole = text_of([*LINES, *record(ROWS[:1])]).encode()
    path = tmp_path / "x.csv"
    rng = np.random.default_rng(3)
    refusals = []
    for k in rng.integers(0, len(whole), 40):
        flipped = bytearray(whole)
        flipped[k] ^= int(rng.integers(1, 256))
        for damaged in (bytes(flipped), whole[: k + 1], whole[k:]):
            path.write_bytes(damaged)
            try:
                easyexpert.read(path)
            except DataError as err:
                refusals.append(str(err))
    assert len(refusals) > 60
    assert not [message for message in refusals if "\n" in message]
