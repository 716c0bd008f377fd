"""Plain tables, CSV and xlsx: what is clear is read, what is open or hostile is refused."""

import csv
import io
import json
import zipfile
from datetime import date

import numpy as np
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.errors import DataError
from devicephys.io import columns, sheet

CSV = "# lot: A7\n\nstate,V (V),I [uA],n\nP,0.35,-1.5e-3,12\nAP,0.4,,1000\n"
TABLE = [["# lot: A7"], [], ["state", "V (V)", "I [uA]", "n"],
         ["P", 0.35, -1.5e-3, 12], ["AP", 0.4, None, 1000]]  # fmt: skip
EMPTY_ZIP = b"PK\x05\x06" + bytes(18)
MAIN = "xl/worksheets/sheet1.xml"


def book_of(rows, title="data"):
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def with_part(content, name, change):
    """Copy a workbook with one part changed, or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, \
         zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:  # fmt: skip
        for part in old.namelist():
            if part != name:
                new.writestr(part, old.read(part))
        new.writestr(name, change(old.read(name) if name in old.namelist() else b""))
    return out.getvalue()


def read(path, content):
    path.write_bytes(content)
    return sheet.read(path)


def refusal(call, *arguments):
    with pytest.raises(DataError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def check_table(raw):
    assert list(raw) == ["state", "V", "I", "n"]
    assert [raw[n].attrs["units"] for n in raw] == ["", "V", "uA", ""]
    assert raw.state.values.tolist() == ["P", "AP"]
    assert raw.V.values.tolist() == [0.35, 0.4]
    np.testing.assert_array_equal(raw.I, [-1.5e-3, np.nan])
    assert raw.n.values.tolist() == [12, 1000]
    assert raw.n.dtype == np.float64
    assert raw.file_line.values.tolist() == [4, 5]
    assert raw.attrs["kind"] == "columns"
    assert len(raw.attrs["sha256"]) == 64


@pytest.mark.parametrize("separator", [",", ";", "\t", ", "])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_csv_file_is_read(tmp_path, separator, ends):
    text = CSV.replace(",", separator).replace("\n", ends)
    raw = read(tmp_path / "x.txt", b"\xef\xbb\xbf" + text.encode())
    check_table(raw)
    assert raw.attrs["format"] == "csv"
    assert raw.attrs["source"] == "x.txt"
    assert json.loads(raw.attrs["metadata"]) == {"lot": "A7"}


def test_a_workbook_is_read(tmp_path):
    raw = read(tmp_path / "x.data", book_of(TABLE))
    check_table(raw)
    assert raw.attrs["format"] == "xlsx"
    assert json.loads(raw.attrs["metadata"]) == {"lot": "A7", "sheet": "data"}


numbers = st.floats(-1e300, 1e300, allow_subnormal=False)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=9)


@given(st.lists(st.tuples(numbers, texts), min_size=1, max_size=5), st.sampled_from(",;\t"))
@settings(deadline=None, max_examples=25, derandomize=True)
def test_csv_gives_back_every_number_and_text(rows, separator):
    rows = [(x, f"t{text}") for x, text in rows]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerows([("x [V]", "what"), *((repr(x), text) for x, text in rows)])
    raw = sheet.parse(out.getvalue(), "x.csv")
    assert raw.x.values.tolist() == [x for x, _ in rows]
    assert raw.what.values.tolist() == [text for _, text in rows]


@given(st.lists(st.tuples(numbers, st.integers(-(2**53), 2**53)), min_size=1, max_size=5))
@settings(deadline=None, max_examples=15, derandomize=True)
def test_xlsx_gives_back_every_number(tmp_path_factory, rows):
    raw = read(tmp_path_factory.mktemp("xlsx") / "x.xlsx", book_of([["x", "n"], *rows]))
    np.testing.assert_allclose(raw.x, [x for x, _ in rows], rtol=1e-15)  # openpyxl writes 16 digits
    assert raw.n.values.tolist() == [n for _, n in rows]


def test_decimal_commas_are_read_where_nothing_else_fits():
    raw = sheet.parse("V;I\n0,35;-1,5E-03\n1,234;2\n,5;\n", "x.csv")
    assert raw.V.values.tolist() == [0.35, 1.234, 0.5]
    np.testing.assert_array_equal(raw.I, [-1.5e-3, 2, np.nan])
    text = sheet.parse("V\tcell\n0.35\tc3,d4\n", "x.csv")
    assert text.cell.values.tolist() == ["c3,d4"]


def test_names_keep_their_brackets_where_they_would_be_the_same():
    raw = sheet.parse("R (LRS),R (HRS),V (V)\n1,2,3\n", "x.csv")
    assert list(raw) == ["R (LRS)", "R (HRS)", "V"]


def test_separators_inside_quotes_do_not_count():
    raw = sheet.parse('"a;b, c",d\n"1","2"\n', "x.csv")
    assert list(raw) == ["a;b, c", "d"]
    assert raw.d.values.tolist() == [2]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_first_line_of_excel_says_the_separator(separator):
    lines = ["device;V, mV", "a;1", "b;2"]
    text = "\n".join([f"sep={separator}", *(x.replace(";", separator) for x in lines)])
    if separator == ",":
        text = text.replace("V, mV", '"V, mV"')
    raw = sheet.parse(text, "x.csv")
    assert raw["V, mV"].values.tolist() == [1.0, 2.0]
    assert raw.file_line.values.tolist() == [3, 4]
    with pytest.raises(DataError, match=r"x.csv:1: separator '\|'; expected comma, semicolon"):
        sheet.parse("sep=|\na|b\n1|2\n", "x.csv")


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (["007", "12", ""], ["007", "12", ""]),
        (["1.1", "1.10"], ["1.1", "1.10"]),  # two dies, not one
        (["12345678901234567890"], ["12345678901234567890"]),
        (["0.50", "0.60"], [0.5, 0.6]),
        (["-0", "0"], [0.0, 0.0]),  # signed: no names
        (["1e1", "10"], [10.0, 10.0]),
    ],
)
def test_digits_that_a_number_would_change_stay_text(names, values):
    raw = sheet.parse("\n".join(["d,n", *(f"{name},1" for name in names)]), "x.csv")
    assert raw.d.values.tolist() == values


def test_an_empty_column_at_the_end_is_left_out():
    assert list(sheet.parse("a,b,\n1,2,\n", "x.csv")) == ["a", "b"]


def test_what_a_workbook_holds_besides_numbers(tmp_path):
    rows = [["when", "on", "gap"], [date(2026, 1, 2), True, None], [date(2026, 1, 3), False, None]]
    raw = read(tmp_path / "x.xlsx", book_of(rows))
    assert raw.when.values.tolist() == ["2026-01-02T00:00:00", "2026-01-03T00:00:00"]
    assert raw.on.values.tolist() == ["True", "False"]
    assert np.isnan(raw.gap).all()


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("\n\n # x\n", "x.csv: no header line"),
        ("# a: b\n", "x.csv: no header line"),
        ("a,b\n", "x.csv: no data rows"),
        ("a b\n1 2\n", "x.csv:1: separator not clear in 'a b'"),
        ("a,b;c\n1,2;3\n", "x.csv:1: separator not clear in 'a,b;c'"),
        ("a,b\n1,2\n3\n", "x.csv:3: 1 cells; expected 2 cells"),
        ("a,b\n1,2\n0,5,2\n", "x.csv:3: 3 cells; expected 2 cells"),
        ('a,b\n1,"2\n', "x.csv:2: not a line of cells"),
        ("a,,c\n1,2,3\n", "x.csv:1: column 2 has no name"),
        ("a,a\n1,2\n", "x.csv:1: column 'a' twice"),
        ("a (V),a (V)\n1,2\n", "x.csv:1: column 'a (V)' twice"),
        ("a,point\n1,2\n", "column 'point'; expected another name"),
        ("# a,b\n1,2\n3,4\n", "x.csv:2: numbers '1, 2' where the header is due"),
        ("# k: 1\n# k: 2\na,b\n1,2\n", "x.csv:2: metadata 'k' twice"),
        ("a;b\n0,5;1.5\n", "x.csv:2: '1.5' beside '0,5'; expected decimal commas or"),
        ("a;b\n1.234,5;1\n", "x.csv:2: '1.234,5' beside"),
        ("a;b\n1,234,567;1\n", "x.csv:2: '1,234,567' beside"),
        ("a\tb\n1,000\t2\n", "x.csv:2: '1,000' may be 1.000 or 1000"),
        ("a,b\n1,\0\n", "a NUL character"),
        (f"a,b\n1,{'x' * 300}\n", "x.csv:2:b: a text of 300 characters"),
        (f"a,{'b' * 300}\n1,2\n", "x.csv:1: name"),
    ],
)
def test_a_csv_file_is_refused(text, phrase):
    assert phrase in refusal(sheet.parse, text, "x.csv")


def book_with(name, change):
    return with_part(book_of(TABLE), name, change)


def inside(more):
    return book_with(MAIN, lambda xml: xml.replace(b"</sheetData>", more + b"</sheetData>"))


def formula(cached):
    cell = b'<c r="C5"><f>B5*2</f>' + cached + b"</c>"
    return book_with(
        MAIN, lambda xml: xml.replace(b"</row></sheetData>", cell + b"</row></sheetData>")
    )


def test_pictures_and_macros_in_a_workbook_do_not_matter(tmp_path):
    picture = np.random.default_rng(7).bytes(2**21)
    check_table(read(tmp_path / "x.xlsm", book_with("xl/media/a.png", lambda _: picture)))


def test_a_formula_counts_by_its_value(tmp_path):
    raw = read(tmp_path / "x.xlsx", formula(b"<v>0.8</v>"))
    assert raw.I.values.tolist() == [-1.5e-3, 0.8]


def entities(xml):
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    head, _, rest = xml.partition(b"<worksheet")
    return head + bomb + b"<worksheet" + rest


@pytest.mark.parametrize(
    ("content", "phrase"),
    [
        (b"PK\x03\x04" + bytes(100), "x.xlsx: not a readable workbook (BadZipFile"),
        (book_of(TABLE)[:-200], "x.xlsx: not a readable workbook"),
        (with_part(EMPTY_ZIP, "a.txt", lambda _: b"text"), "not a readable workbook (KeyError"),
        (sheet.OLE_MAGIC + bytes(600), "an .xls workbook, or one under a password"),
        (book_of([]), "no header row"),
        (book_of(TABLE[:3]), "no data rows"),
        (book_of([["a", None], [1, 2]]), "x.xlsx:1: column 2 has no name"),
        (book_of([["a", "b"], [1, 2], [3, 4, 5]]), "x.xlsx:1: column 3 has no name"),
        (book_of([["a", "a"], [1, 2]]), "x.xlsx:1: column 'a' twice"),
        (book_of([["a", "b"], [1, "#DIV/0!"]]), "x.xlsx:data:row 2:column 2: error #DIV/0!"),
        (book_of([[1, 2], [3, 4]]), "x.xlsx:1: numbers '1, 2' where the header is due"),
        (formula(b""), "x.xlsx:data:row 5:column 3: formula '=B5*2' without a value"),
        (book_with(MAIN, entities), "a DOCTYPE in 'xl/worksheets/sheet1.xml'"),
        (book_with(MAIN, lambda xml: b"<!--" + bytes([32]) * 2**17), "no element at the start"),
        (inside(b"<!--" + b"< " * 2**20 + b"-->"), f"a comment too long in {MAIN!r}"),
        (inside(b"<c r='" + b"x" * 2**20 + b"'/>"), f"a tag or text too long in {MAIN!r}"),
        (book_with(MAIN, lambda xml: xml.decode().encode("utf-16")), "text that is not UTF-8"),
        (book_with(MAIN, lambda xml: xml.replace(b'<row r="5"', b'<row r="9999999"')),
         "x.xlsx:data: too many cells"),
        (book_with(MAIN, lambda xml: xml.replace(b'r="D5"', b'r="XFD5"')), "column 16384 has no"),
        (book_with(MAIN, lambda xml: xml[: len(xml) // 2]), "not a readable workbook (ParseError"),
        (book_with("xl/workbook.xml", lambda _: b"<x/>"), "no sheet of cells"),
    ],
)  # fmt: skip
def test_a_workbook_is_refused(tmp_path, content, phrase):
    assert phrase in refusal(read, tmp_path / "x.xlsx", content)


def test_a_zip_bomb_is_refused_by_what_it_declares(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "LARGEST", 10**6)
    bomb = book_with("xl/media/a.bin", lambda _: bytes(10**6))
    assert len(bomb) < 10**4
    message = refusal(read, tmp_path / "x.xlsx", bomb)
    assert "bytes unpacked; expected at most 1000000" in message


def test_text_and_workbooks_match_and_other_bytes_do_not():
    assert sheet.matches(CSV.encode())
    assert sheet.matches(book_of(TABLE))
    assert sheet.matches(sheet.OLE_MAGIC)
    assert not sheet.matches(b"\x89HDF\r\n\x1a\n")
    assert not sheet.matches(b"a,b\n1,\0")


@pytest.mark.parametrize(
    "whole",
    [CSV.encode(), CSV.replace(",", ";").replace(".", ",").encode(), book_of(TABLE)],
    ids=["comma", "semicolon", "xlsx"],
)
def test_damage_gives_a_refusal_or_columns(tmp_path, whole):
    rng = np.random.default_rng(6)
    refusals = []
    for k in rng.integers(4, len(whole), 40):
        flipped = bytearray(whole)
        flipped[k] ^= int(rng.integers(1, 256))
        for damaged in (bytes(flipped), whole[:k]):
            try:
                read(tmp_path / "x", damaged)
            except DataError as err:
                refusals.append(str(err))
    assert len(refusals) > 20
    assert not [message for message in refusals if "\n" in message]
