"""Bytes in and out: nothing half written, nothing overwritten, faults named."""

import hashlib
import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.errors import DataError, OutputExistsError
from devicephys.io import files

QUICK = settings(deadline=None, max_examples=50, derandomize=True)


@given(st.binary(min_size=1, max_size=200))
@QUICK
def test_written_bytes_are_read_back(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("files") / "x.bin"
    files.write_bytes(path, content)
    assert files.read_bytes(path) == content
    assert files.read_bytes(str(path)) == content


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"gone\.csv: no such file; check the path"):
        files.read_bytes(tmp_path / "gone.csv")


def test_empty_file(tmp_path):
    path = tmp_path / "empty.csv"
    path.touch()
    with pytest.raises(DataError, match=r"empty\.csv: empty file; export the data again"):
        files.read_bytes(path)


def test_folder_is_not_a_file(tmp_path):
    with pytest.raises(DataError, match=r"is a folder; expected a file"):
        files.read_bytes(tmp_path)


@given(st.text())
@QUICK
def test_utf8_is_decoded_with_and_without_a_byte_order_mark(text):
    if text.startswith("\ufeff"):
        text = text.lstrip("\ufeff")
    assert files.decode(text.encode(), "x") == text
    assert files.decode(b"\xef\xbb\xbf" + text.encode(), "x") == text


@pytest.mark.parametrize(
    ("content", "line", "byte"),
    [
        (b"\xff", 1, "ff"),
        (b"a\nb\n\xe9t\xe9\n", 3, "e9"),
        ("Ω\n".encode() + b"\xb5s", 2, "b5"),
        ("a".encode("utf-16"), 1, "ff"),
        (b"a\r\n\xc3(", 2, "c3"),
        (b"\xed\xa0\x80", 1, "ed"),
        (b"\xef\xbb\xbfa\n\x80", 2, "80"),
    ],
)
def test_other_encodings_are_refused_with_line_and_byte(content, line, byte):
    expected = rf"x\.csv:{line}: byte 0x{byte} is not UTF-8; expected UTF-8.*save the file as UTF-8"
    with pytest.raises(DataError, match=expected):
        files.decode(content, "x.csv")


@given(st.binary(max_size=300))
@QUICK
def test_sha256_is_the_standard_one(content):
    assert files.sha256(content) == hashlib.sha256(content).hexdigest()


def test_sha256_of_the_published_test_vector():
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256(b"abc") == expected


def test_existing_output_is_kept(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"old")
    with pytest.raises(OutputExistsError, match=r"x\.txt: output exists; .*--force"):
        files.write_bytes(path, b"new")
    with pytest.raises(OutputExistsError, match="output exists"):
        files.refuse_existing(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_existing_folder_is_an_output_too(tmp_path):
    with pytest.raises(OutputExistsError, match="output exists"):
        files.refuse_existing(tmp_path)


def test_force_replaces_the_file(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"a longer old content")
    assert files.refuse_existing(path, force=True) == path
    files.write_bytes(path, b"new", force=True)
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no: no such folder; create it first"):
        files.write_bytes(tmp_path / "no" / "x.txt", b"x")
    with pytest.raises(DataError, match="no such folder"):
        files.refuse_existing(tmp_path / "no" / "x.txt", force=True)
    assert os.listdir(tmp_path) == []


def test_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file: no such folder"):
        files.write_bytes(tmp_path / "file" / "x.txt", b"x")


def test_check_before_the_work_writes_nothing(tmp_path):
    assert files.refuse_existing(str(tmp_path / "x.txt")) == tmp_path / "x.txt"
    assert os.listdir(tmp_path) == []


def failing(*args, **kwargs):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("call", ["replace", "chmod", "fdopen"])
@pytest.mark.parametrize("old", [None, b"old"])
def test_failed_write_leaves_no_part_and_the_old_file(tmp_path, monkeypatch, call, old):
    path = tmp_path / "x.txt"
    if old is not None:
        path.write_bytes(old)
    monkeypatch.setattr(os, call, failing)
    with pytest.raises(OSError, match="No space left"):
        files.write_bytes(path, b"new", force=True)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ([] if old is None else ["x.txt"])
    assert old is None or path.read_bytes() == old


def test_interrupted_write_leaves_no_part(tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_bytes(tmp_path / "x.txt", b"new")
    assert os.listdir(tmp_path) == []


def test_file_appears_whole(tmp_path, monkeypatch):
    """At the moment of the renaming all bytes are there, beside the place of the output."""
    seen = []
    real = os.replace

    def watch(source, target):
        seen.append((os.path.dirname(source), os.path.getsize(source), os.path.exists(target)))
        real(source, target)

    monkeypatch.setattr(os, "replace", watch)
    files.write_bytes(tmp_path / "x.bin", bytes(100_000))
    assert seen == [(str(tmp_path), 100_000, False)]


def test_output_can_be_read_by_others(tmp_path):
    path = tmp_path / "x.txt"
    files.write_bytes(path, b"x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("length", [1, 240, 255])
def test_every_name_that_the_file_system_takes_can_be_written(tmp_path, length):
    path = tmp_path / ("n" * length)
    path.write_bytes(b"old")
    files.write_bytes(path, b"new", force=True)
    assert path.read_bytes() == b"new"


def test_folder_is_not_replaced_by_force(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises((DataError, OutputExistsError), match="out: "):
        files.write_bytes(folder, b"x", force=True)
    assert folder.is_dir()
    assert os.listdir(tmp_path) == ["out"]


def test_what_is_no_plain_file_is_not_replaced_by_force(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OutputExistsError, match="is no plain file"):
        files.write_bytes(pipe, b"x", force=True)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.txt").write_bytes(b"old")
    link = tmp_path / "link.txt"
    link.symlink_to("real.txt")
    files.write_bytes(link, b"new", force=True)
    assert link.is_symlink()
    assert (tmp_path / "real.txt").read_bytes() == b"new"
