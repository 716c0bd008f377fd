"""Relaxation and series tables: layout, units, compression, and refusal of damaged files."""

import gzip

import numpy as np
import pytest

from devicephys.errors import DataError, ParameterError
from devicephys.io import relaxation
from devicephys.io.files import sha256


def row(address=7, time=0.01, g=2e-5, g_0=2.1e-5, index=16, nominal=0.01, r=None):
    return (
        f"{address}\t{time!r}\t{1 / g if r is None else r!r}\t{g!r}\t{g_0!r}\t{index}\t{nominal!r}"
    )


ROWS = [row(time=0.0, g=2.1e-5, nominal=0.0), row(), row(address=8, time=1.1, nominal=1.0)]


def write(path, rows, *, packed=False):
    text = ("\n".join(rows) + "\n").encode()
    path.write_bytes(gzip.compress(text) if packed else text)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.tsv.gz"


def refusal(path, rows, reader=relaxation.read):
    with pytest.raises(DataError) as caught:
        reader(write(path, rows))
    assert str(caught.value).startswith(f"{path}:")
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize("packed", [False, True])
def test_relaxation_has_units_kind_and_hash(path, packed):
    dataset = relaxation.read(write(path, ROWS, packed=packed))
    assert dataset.device.values.tolist() == ["7", "7", "8"]
    assert dataset.time.values.tolist() == [0.0, 0.01, 1.1]
    assert dataset.nominal_time.values.tolist() == [0.0, 0.01, 1.0]
    assert dataset.conductance.values.tolist() == [2.1e-5, 2e-5, 2e-5]
    assert dataset.conductance_initial.values.tolist() == [2.1e-5] * 3
    assert dataset.range_index.values.tolist() == [16] * 3
    assert {n: v.attrs["units"] for n, v in dataset.items()} == {
        "device": "1", "time": "s", "resistance": "Ohm", "conductance": "S",
        "conductance_initial": "S", "range_index": "1", "nominal_time": "s",
    }  # fmt: skip
    assert dataset.attrs["kind"] == "conductance_relaxation"
    assert dataset.attrs["source"] == "data.tsv.gz"
    assert dataset.attrs["sha256"] == sha256(path.read_bytes())


def test_reading_below_zero_is_an_offset_of_the_reader_and_is_kept(path):
    dataset = relaxation.read(write(path, [row(g=-1e-7)]))
    assert dataset.conductance.values.tolist() == [-1e-7]


def test_blank_lines_windows_ends_and_byte_order_mark_do_not_matter(path):
    plain = relaxation.read(write(path, ROWS))
    path.write_bytes(b"\xef\xbb\xbf\r\n" + "\r\n\r\n".join(ROWS).encode())
    assert relaxation.read(path).drop_attrs().identical(plain.drop_attrs())


@pytest.mark.parametrize("column", range(7))
@pytest.mark.parametrize("value", ["x", "", "0,05", "5_0", "nan", "inf", "-inf", " 1", "1e999"])
def test_cells_that_are_no_finite_numbers_are_refused_by_row_and_column(path, column, value):
    cells = row(nominal=0.1).split("\t")
    cells[column] = value
    message = refusal(path, [*ROWS, "", "\t".join(cells)])
    assert message.startswith(f":5: column {column + 1}: ")


@pytest.mark.parametrize(
    "wrong",
    [{"address": -1}, {"address": 1.5}, {"time": -0.1}, {"nominal": -1.0}, {"index": 0.5},
     {"index": -1}, {"g_0": 0.0}, {"g_0": -1e-6}, {"r": 1e5}],
)  # fmt: skip
def test_impossible_rows_are_refused(path, wrong):
    assert refusal(path, [ROWS[0], row(**wrong)]).startswith(":2: row [")


def test_other_columns_and_repeated_reads_are_refused(path):
    assert refusal(path, [*ROWS, "1\t2"]).startswith(":4: 2 columns; expected 7 columns: address")
    message = refusal(path, [*ROWS, ROWS[1]])
    assert message.startswith(":4: row [")
    assert message.endswith("one read of a cell at a nominal time")


def test_missing_empty_and_blank_files(path):
    with pytest.raises(DataError, match="no such file; check the path"):
        relaxation.read(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="empty file"):
        relaxation.read(path)
    assert refusal(path, [" ", ""]).startswith(": no data rows")


@pytest.mark.parametrize("keep", [3, 12, -1, -9])
def test_truncated_gzip_is_refused(path, keep):
    write(path, ROWS * 50, packed=True)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="damaged gzip"):
        relaxation.read(path)


def test_corrupt_gzip_is_refused(path):
    content = bytearray(gzip.compress("\n".join(ROWS).encode()))
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged gzip"):
        relaxation.read(path)


def test_gzip_bomb_is_refused_before_it_is_unpacked(path, monkeypatch):
    monkeypatch.setattr(relaxation, "LARGEST", 10_000)
    path.write_bytes(gzip.compress(b"0" * 10_000_000))
    with pytest.raises(DataError, match="too large; expected at most 10000 bytes of text"):
        relaxation.read(path)
    path.write_bytes(b"0" * 10_001)
    with pytest.raises(DataError, match="too large"):
        relaxation.read(path)


@pytest.mark.parametrize("packed", [False, True])
def test_series_has_one_trace_a_row(path, packed):
    write(path, ["0\t0\t1e-5\t2e-5\t3e-5", "8\t5\t4e-5\t5e-5\t6e-5"], packed=packed)
    dataset = relaxation.read_series(path, rate=400.0)
    assert dict(dataset.sizes) == {"trace": 2, "sample": 3}
    assert dataset.range_index.values.tolist() == [0, 8]
    assert dataset.offset.values.tolist() == [0, 5]
    assert dataset.conductance.values.tolist() == [[1e-5, 2e-5, 3e-5], [4e-5, 5e-5, 6e-5]]
    assert dataset.time.values.tolist() == [0.0, 0.0025, 0.005]
    assert dataset.conductance.attrs["units"] == "S"
    assert dataset.time.attrs["units"] == "s"
    assert dataset.attrs["kind"] == "conductance_series"
    assert dataset.attrs["rate"] == 400.0


def test_series_refuses_ragged_rows_and_rows_without_index_or_offset(path):
    def reader(path):
        return relaxation.read_series(path, 400.0)

    assert refusal(path, ["0\t0\t1e-5\t2e-5", "1\t0\t1e-5"], reader).startswith(":2: 3 columns")
    assert refusal(path, ["0\t0\t1e-5"], reader).startswith(":1: 3 columns")
    assert refusal(path, ["0\t1e-5\t1e-5\t2e-5"], reader).startswith(":1: row [0.0, 1e-05]")
    assert refusal(path, ["-1\t0\t1e-5\t2e-5"], reader).startswith(":1: row [-1.0, 0.0]")
    with pytest.raises(ParameterError, match="rate = 0 Hz"):
        relaxation.read_series(path, 0.0)


def test_published_tables_have_the_stated_layout(data_folder):
    folder = data_folder / "measured" / "rram_relaxation"
    names = ("data_techC_relaxdata.min.tsv.gz", "data_techA_tsdata.min.tsv.gz")
    for name in names:
        if not (folder / name).exists():
            pytest.skip(f"{folder / name} is missing")
    reads = relaxation.read(folder / names[0])
    assert reads.sizes["point"] == 89_115
    assert np.unique(reads.nominal_time).tolist() == [0.0, 0.01, 0.1, 1.0, 4.0, 1e5]
    series = relaxation.read_series(folder / names[1], 400.0)
    assert dict(series.sizes) == {"trace": 5, "sample": 100_000}
    assert series.range_index.values.tolist() == [0, 8, 16, 24, 31]
    assert not series.offset.values.any()
