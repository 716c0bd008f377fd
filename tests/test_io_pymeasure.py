"""Files of PyMeasure, built as its results are laid out: read whole, or refused by line."""

import json

import numpy as np
import pytest

from devicephys.errors import DataError
from devicephys.io import pymeasure

TEXT = """#Procedure: <lab.write.WriteProcedure>
#Parameters:
#\tPoints: 3
#\tDevice: d1: x\\ny \\xb5
#\tWidth: 5 ns
#\tNote: 
#Metadata:
#\tStart time: 2026-01-01 10:00:00
#Data:
Voltage (V),Current [uA],State,R (LRS) (ohm)
0.30000000000000004,nan,P,1
0.4,-1.3e-06,AP,
0.5,inf,True,3
"""  # noqa: W291


def refusal(text):
    with pytest.raises(DataError) as caught:
        pymeasure.parse(text, "x.csv")
    message = str(caught.value)
    assert message.startswith("x.csv")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_results_are_read(tmp_path, ends):
    path = tmp_path / "DATA2026_1.csv"
    path.write_bytes(TEXT.replace("\n", ends).encode())
    raw = pymeasure.read(path)
    assert list(raw) == ["Voltage", "Current", "State", "R (LRS)"]
    assert [raw[n].attrs["units"] for n in raw] == ["V", "uA", "", "ohm"]
    assert raw.Voltage.values.tolist() == [0.30000000000000004, 0.4, 0.5]
    np.testing.assert_array_equal(raw.Current, [np.nan, -1.3e-6, np.inf])
    assert raw.State.values.tolist() == ["P", "AP", "True"]
    np.testing.assert_array_equal(raw["R (LRS)"], [1, np.nan, 3])
    assert raw.file_line.values.tolist() == [11, 12, 13]
    assert raw.attrs["format"] == "pymeasure"
    assert raw.attrs["source"] == "DATA2026_1.csv"
    assert len(raw.attrs["sha256"]) == 64
    assert json.loads(raw.attrs["metadata"]) == {
        "Procedure": "<lab.write.WriteProcedure>", "Points": "3", "Device": "d1: x\\ny \\xb5",
        "Width": "5 ns", "Note": "", "Start time": "2026-01-01 10:00:00",
    }  # fmt: skip


def test_a_name_that_two_parameters_share_keeps_both_values():
    raw = pymeasure.parse(TEXT.replace("#\tNote: ", "#\tWidth: 7 ns"), "x.csv")
    assert json.loads(raw.attrs["metadata"])["Width"] == "5 ns; 7 ns"


def test_recognised_by_the_first_line():
    assert pymeasure.matches(TEXT.encode())
    assert pymeasure.matches(b"\xef\xbb\xbf" + TEXT.encode())
    assert not pymeasure.matches(b"# Procedure: x\n")
    assert not pymeasure.matches(b"")


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        (TEXT[1:], "x.csv:1: no #Procedure: line at the start"),
        (TEXT.replace("#Data:\n", ""), "x.csv:8: no #Data: line at the end of the header"),
        (TEXT[: TEXT.index("#Data")], "no #Data: line at the end of the header"),
        (TEXT[: TEXT.index("Voltage")], "no data rows"),
        (TEXT[: TEXT.index("0.3")], "no data rows"),
        (TEXT[:-1], "x.csv:13: the last line '0.5,inf,True,3' has no end"),
        (TEXT.replace("AP", "AP, again"), "x.csv:12: 5 cells; expected 4 cells"),
        (TEXT.replace("0.4,", "0.4;"), "x.csv:12: 3 cells; expected 4 cells"),
        (TEXT.replace("Current [uA]", ""), "x.csv:10: column 2 has no name"),
        (TEXT.replace("State", "Voltage (V)"), "x.csv:10: column 'Voltage (V)' twice"),
        (TEXT.replace("State", "file_line"), "column 'file_line'; expected another name"),
        (TEXT.replace("Note: ", "Note"), "x.csv:6: parameter 'Note'; expected name: value"),
        (TEXT.replace("True", "T" * 300), "x.csv:13:State: a text of 300 characters"),
    ],
)
def test_refused_by_line(text, phrase):
    assert phrase in refusal(text)


def test_damage_gives_a_refusal_or_columns(tmp_path):
    whole = TEXT.encode()
    path = tmp_path / "x.csv"
    rng = np.random.default_rng(4)
    refusals = []
    for k in rng.integers(0, len(whole) - 1, 40):
        flipped = bytearray(whole)
        flipped[k] ^= int(rng.integers(1, 256))
        for damaged in (bytes(flipped), whole[: k + 1], whole[k:]):
            path.write_bytes(damaged)
            try:
                pymeasure.read(path)
            except DataError as err:
                refusals.append(str(err))
    assert len(refusals) > 60
    assert not [message for message in refusals if "\n" in message]
