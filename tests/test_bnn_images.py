"""Image sets: the digits split, IDX files whole, cut and swapped, MNIST where it is there."""

import gzip
import os
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from devicephys.bnn import images
from devicephys.bnn.images import load_images, read_idx
from devicephys.errors import DataError, ParameterError

NAMES = [
    f"{part}-{kind}.gz"
    for part in ("train", "t10k")
    for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
]


def idx(array, kind=8):
    return struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()


def write(path, raw):
    path.write_bytes(gzip.compress(raw))
    return path


def refused(path, *reasons):
    with pytest.raises(DataError) as caught:
        read_idx(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: not a readable IDX file (")
    assert message.endswith("; expected gzip-compressed IDX of unsigned bytes; download it again")
    assert all(reason in message for reason in reasons)


def test_digits_are_all_there_once_and_split():
    digits = load_images("digits")
    bunch = load_digits()
    assert digits.test_pixels.shape == (500, 64)
    assert digits.train_pixels.shape == (len(bunch.target) - 500, 64)
    pixels = np.vstack([digits.train_pixels, digits.test_pixels])
    labels = np.r_[digits.train_labels, digits.test_labels]
    assert pixels.dtype == labels.dtype == np.uint8
    assert 0 <= pixels.min() < pixels.max() <= 16
    ours = sorted(map(tuple, np.c_[pixels, labels].tolist()))
    theirs = sorted(map(tuple, np.c_[bunch.data, bunch.target].astype(int).tolist()))
    assert ours == theirs


def test_digits_split_is_fixed_and_every_class_is_on_both_sides():
    first, again = load_images("digits"), load_images("digits")
    assert np.array_equal(first.test_pixels, again.test_pixels)
    for labels in (first.train_labels, first.test_labels):
        # 500 of 1797 images, about 50 a class: fewer than 25 is beyond 4 sigma, 3e-5
        assert np.bincount(labels, minlength=10).min() >= 25


def test_unknown_set_is_named_with_the_closest():
    with pytest.raises(ParameterError, match=r"unknown image set 'mnst'.*did you mean 'mnist'"):
        load_images("mnst")


@given(st.integers(0, 2**32), st.lists(st.integers(0, 5), min_size=1, max_size=4))
@settings(deadline=None, max_examples=30, derandomize=True)
def test_idx_round_trip(tmp_path_factory, seed, shape):
    array = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    path = write(tmp_path_factory.mktemp("idx") / "x.gz", idx(array))
    again = read_idx(path)
    assert again.dtype == np.uint8
    assert again.shape == tuple(shape)
    assert np.array_equal(again, array)


def test_missing_idx(tmp_path):
    refused(tmp_path / "gone.gz", "no such file")


def test_idx_cut_anywhere(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    raw = idx(array)
    for size in range(len(raw)):
        refused(write(tmp_path / "cut.gz", raw[:size]))
    packed = gzip.compress(raw)
    for size in range(len(packed)):
        (tmp_path / "cut.gz").write_bytes(packed[:size])
        refused(tmp_path / "cut.gz")


def test_idx_with_a_byte_too_many(tmp_path):
    raw = idx(np.zeros((2, 3), np.uint8))
    refused(write(tmp_path / "long.gz", raw + b"\0"), "header 00000802 with 19 bytes")


def test_flipped_bytes_are_noticed_or_mean_nothing(tmp_path):
    """Some bits of the gzip header and the padding of the last block mean nothing."""
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    packed = gzip.compress(idx(array))
    path = tmp_path / "x.gz"
    survived = 0
    for k in range(len(packed)):
        damaged = bytearray(packed)
        damaged[k] ^= 0x10
        path.write_bytes(bytes(damaged))
        try:
            found = read_idx(path)
        except DataError:
            continue
        assert np.array_equal(found, array), k
        survived += 1
    assert survived <= 10


@pytest.mark.parametrize("kind", [9, 11, 12, 13, 14, 0])
def test_idx_of_another_type(tmp_path, kind):
    raw = idx(np.zeros((2, 3), np.uint8), kind)
    refused(write(tmp_path / "float.gz", raw), f"header 0000{kind:02x}02")


def test_idx_with_another_magic_number(tmp_path):
    raw = b"\x01" + idx(np.zeros((2, 3), np.uint8))[1:]
    refused(write(tmp_path / "magic.gz", raw), "header 01000802")


def test_idx_that_is_not_compressed(tmp_path):
    path = tmp_path / "plain.gz"
    path.write_bytes(idx(np.zeros((2, 3), np.uint8)))
    refused(path, "gzip")


@pytest.mark.parametrize("shape", [(2**31, 2**31, 4), (2**32 - 1,) * 3, (2**16,) * 4])
def test_idx_that_declares_a_huge_array(tmp_path, shape):
    """Products that overflow 64 bits must not pass for small ones."""
    raw = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    refused(write(tmp_path / "huge.gz", raw))


def test_idx_with_more_dimensions_than_numpy_has(tmp_path):
    raw = struct.pack(">HBB65I", 0, 8, 65, *[1] * 65) + b"x"
    refused(write(tmp_path / "deep.gz", raw))


def small_mnist(root):
    folder = root / "datasets" / "mnist"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    arrays = {}
    for name, shape in zip(NAMES, [(6, 4, 4), (6,), (3, 4, 4), (3,)], strict=True):
        high = 256 if len(shape) == 3 else 10
        arrays[name] = rng.integers(0, high, shape).astype(np.uint8)
        write(folder / name, idx(arrays[name]))
    return folder, arrays


def test_mnist_is_read_from_the_folder_that_the_variable_names(tmp_path, monkeypatch):
    monkeypatch.setenv(images.DATA_VARIABLE, str(tmp_path))
    _, arrays = small_mnist(tmp_path)
    mnist = load_images("mnist")
    assert np.array_equal(mnist.train_pixels, arrays[NAMES[0]].reshape(6, 16))
    assert np.array_equal(mnist.train_labels, arrays[NAMES[1]])
    assert np.array_equal(mnist.test_pixels, arrays[NAMES[2]].reshape(3, 16))
    assert np.array_equal(mnist.test_labels, arrays[NAMES[3]])


@pytest.mark.parametrize("pair", [(0, 1), (2, 3), (0, 2), (1, 3)])
def test_swapped_mnist_files_are_noticed(tmp_path, monkeypatch, pair):
    monkeypatch.setenv(images.DATA_VARIABLE, str(tmp_path))
    folder, _ = small_mnist(tmp_path)
    first, second = (folder / NAMES[k] for k in pair)
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    with pytest.raises(DataError) as caught:
        load_images("mnist")
    message = str(caught.value)
    assert message.startswith(f"{folder}: images (")
    assert "expected one label 0-9 an image" in message
    assert message.endswith("check that the files are not swapped")


def test_mnist_label_beyond_nine_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(images.DATA_VARIABLE, str(tmp_path))
    folder, _ = small_mnist(tmp_path)
    write(folder / NAMES[3], idx(np.array([0, 10, 1], np.uint8)))
    with pytest.raises(DataError, match="one label 0-9 an image"):
        load_images("mnist")


@pytest.mark.parametrize("name", NAMES)
def test_missing_mnist_file_is_named(tmp_path, monkeypatch, name):
    monkeypatch.setenv(images.DATA_VARIABLE, str(tmp_path))
    folder, _ = small_mnist(tmp_path)
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: not a readable IDX file \(no such file\)"):
        load_images("mnist")


@pytest.mark.parametrize("value", [None, ""])
def test_unset_data_variable(monkeypatch, value):
    if value is None:
        monkeypatch.delenv("DEVICEPHYS_DATA", raising=False)
    else:
        monkeypatch.setenv("DEVICEPHYS_DATA", value)
    expected = r"DEVICEPHYS_DATA is not set; expected the folder .*export DEVICEPHYS_DATA="
    with pytest.raises(ParameterError, match=expected):
        load_images("mnist")
    assert len(load_images("digits").test_labels) == 500  # needs no folder


def test_data_variable_that_names_no_folder(monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.touch()
    for path in (file, tmp_path / "gone"):
        monkeypatch.setenv("DEVICEPHYS_DATA", str(path))
        with pytest.raises(ParameterError, match=rf"DEVICEPHYS_DATA is not a folder: {path}"):
            images.data_folder()


@pytest.mark.skipif(
    not os.environ.get("DEVICEPHYS_DATA"),
    reason=f"DEVICEPHYS_DATA is not set: needs datasets/mnist/{NAMES[0]} and the other three",
)
def test_mnist_is_the_published_set(data_folder):
    file = data_folder / "datasets" / "mnist" / NAMES[0]
    if not file.exists():
        pytest.skip(f"{file.name} is not under DEVICEPHYS_DATA")
    mnist = load_images("mnist")
    assert mnist.train_pixels.shape == (60_000, 784)
    assert mnist.test_pixels.shape == (10_000, 784)
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(mnist.test_labels).tolist() == counts
    assert mnist.train_pixels.mean() == pytest.approx(33.3184, abs=1e-4)
