"""Files of images: round trips of every layout, and damage of every kind refused."""

import gzip
import io
import lzma
import pickle
import struct
import tarfile
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from devicephys.bnn import image_files
from devicephys.bnn.image_files import (
    CIFAR_CLASSES,
    read_cifar_batch,
    read_cifar_jpeg,
    read_idx,
    read_svhn,
    unpack_gzip,
)
from devicephys.errors import DataError

ENDS = {
    read_idx: ("IDX file", "expected gzip-compressed IDX of unsigned bytes"),
    read_cifar_batch: ("CIFAR-10 batch", "expected records of 3073 bytes, the first of each a"),
    read_cifar_jpeg: ("CIFAR-10 archive", "expected tar.xz of cifar-10/{train,test}/CLASS/NUMBER"),
    read_svhn: ("SVHN file", "expected MATLAB 5.0 with X, uint8 of (32, 32, 3, n), and y"),
    unpack_gzip: ("gzip file", "expected one gzip stream"),
}
seeds = st.integers(0, 2**32)


def idx(array, kind=8):
    return struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()


def write(path, raw):
    path.write_bytes(gzip.compress(raw))
    return path


def put(path, raw):
    path.write_bytes(raw)
    return path


def refused(path, *reasons, read=read_idx):
    kind, expected = ENDS[read]
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: not a readable {kind} (")
    assert expected in message
    assert message.endswith("; download it again")
    assert all(reason in message for reason in reasons), message


@pytest.mark.parametrize("read", ENDS)
def test_missing_empty_and_folder(tmp_path, read):
    refused(tmp_path / "gone", "no such file", read=read)
    refused(put(tmp_path / "empty", b""), "empty file", read=read)
    refused(tmp_path, "directory", read=read)


@pytest.mark.parametrize("read", ENDS)
def test_file_that_is_larger_than_the_bound(tmp_path, monkeypatch, read):
    monkeypatch.setattr(image_files, "MOST_BYTES", 1000)
    refused(put(tmp_path / "long", bytes(1001)), "more than 1000 bytes", read=read)


@pytest.mark.parametrize("read", ENDS)
@given(st.binary(min_size=1, max_size=200))
@settings(deadline=None, max_examples=30, derandomize=True)
def test_noise_is_refused(tmp_path_factory, read, raw):
    refused(put(tmp_path_factory.mktemp("noise") / "x", raw), read=read)


# IDX


@given(seeds, st.lists(st.integers(0, 5), min_size=1, max_size=4))
@settings(deadline=None, max_examples=30, derandomize=True)
def test_idx_round_trip(tmp_path_factory, seed, shape):
    array = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    path = write(tmp_path_factory.mktemp("idx") / "x.gz", idx(array))
    again = read_idx(path)
    assert again.dtype == np.uint8
    assert again.shape == tuple(shape)
    assert np.array_equal(again, array)
    assert unpack_gzip(path) == idx(array)


def test_idx_cut_anywhere(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    raw = idx(array)
    for size in range(len(raw)):
        refused(write(tmp_path / "cut.gz", raw[:size]))
    packed = gzip.compress(raw)
    for size in range(len(packed)):
        (tmp_path / "cut.gz").write_bytes(packed[:size])
        refused(tmp_path / "cut.gz")
    refused(tmp_path / "cut.gz", "cut short", read=unpack_gzip)
    refused(put(tmp_path / "more.gz", packed + b"xy"), "2 bytes after its compressed stream")


def test_idx_with_a_byte_too_many(tmp_path):
    raw = idx(np.zeros((2, 3), np.uint8))
    refused(write(tmp_path / "long.gz", raw + b"\0"), "it unpacks to more than 18 bytes")
    refused(write(tmp_path / "short.gz", raw[:-1]), "17 bytes where the header says 18")


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
    raw = idx(np.zeros((2, 3), np.uint8))
    refused(put(tmp_path / "plain.gz", raw), "it begins with 0000, gzip with 1f8b")


@pytest.mark.parametrize("shape", [(2**31, 2**31, 4), (2**32 - 1,) * 3, (2**16,) * 4, (2**28,)])
def test_idx_that_declares_a_huge_array(tmp_path, shape):
    """Products that overflow 64 bits must not pass for small ones."""
    raw = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    refused(write(tmp_path / "huge.gz", raw), "more than 268435456")


def test_gzip_that_unpacks_to_more_than_it_declares_is_not_unpacked(tmp_path, monkeypatch):
    bomb = write(tmp_path / "bomb.gz", idx(np.zeros((2, 3), np.uint8)) + bytes(2**22))
    refused(bomb, "it unpacks to more than 18 bytes")
    monkeypatch.setattr(image_files, "MOST_BYTES", 2**20)
    refused(bomb, "it unpacks to more than 1048576 bytes", read=unpack_gzip)


def test_idx_with_more_dimensions_than_numpy_has(tmp_path):
    raw = struct.pack(">HBB65I", 0, 8, 65, *[1] * 65) + b"x"
    refused(write(tmp_path / "deep.gz", raw))


# CIFAR-10


def batch(labels, pixels):
    return np.concatenate([labels[:, None], pixels.reshape(len(labels), -1)], axis=1).tobytes()


def images(seed, n, n_classes=10):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n).astype(np.uint8)
    return labels, rng.integers(0, 256, (n, 3, 32, 32)).astype(np.uint8)


@given(seeds, st.integers(1, 6))
@settings(deadline=None, max_examples=20, derandomize=True)
def test_batch_round_trip(tmp_path_factory, seed, n):
    labels, pixels = images(seed, n)
    path = put(tmp_path_factory.mktemp("cifar") / "data_batch_1.bin", batch(labels, pixels))
    found, classes = read_cifar_batch(path)
    assert found.dtype == classes.dtype == np.uint8
    assert np.array_equal(found, pixels)
    assert np.array_equal(classes, labels)


def test_batch_keeps_red_green_blue_and_rows(tmp_path):
    record = bytes([7]) + bytes([1]) * 32 + bytes(992) + bytes([2]) * 1024 + bytes([3]) * 1024
    (picture,), (label,) = read_cifar_batch(put(tmp_path / "x.bin", record))
    assert label == 7
    assert (picture[0, 0] == 1).all()
    assert (picture[0, 1:] == 0).all()
    assert (picture[1] == 2).all()
    assert (picture[2] == 3).all()


@pytest.mark.parametrize("size", [1, 3072, 3074, 2 * 3073 - 1])
def test_batch_of_broken_records(tmp_path, size):
    refused(put(tmp_path / "x.bin", bytes(size)), f"{size} bytes", read=read_cifar_batch)


def test_batch_label_beyond_nine(tmp_path):
    labels, pixels = images(1, 4)
    labels[2] = 10
    path = put(tmp_path / "x.bin", batch(labels, pixels))
    refused(path, "label 10 in record 3", read=read_cifar_batch)


def test_pickled_batch_is_never_opened(tmp_path):
    """A pickle that would leave a trace, if it were."""
    trace = tmp_path / "trace"
    raw = b"\x80\x02cbuiltins\nopen\nX" + struct.pack("<I", len(str(trace)))
    raw += str(trace).encode() + b"X\x01\x00\x00\x00w\x86R."
    pickle.loads(raw).close()
    assert trace.exists()
    trace.unlink()
    raw += bytes(3073 - len(raw))
    reason = "begins as pickled files do, which can run code"
    refused(put(tmp_path / "x.bin", raw), reason, read=read_cifar_batch)
    assert not trace.exists()


def jpeg(picture, **options):
    packed = io.BytesIO()
    Image.fromarray(picture).save(packed, "JPEG", **options)
    return packed.getvalue()


def tar(members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def archive(path, members):
    return put(path, lzma.compress(tar(members), preset=0))


@given(seeds)
@settings(deadline=None, max_examples=10, derandomize=True)
def test_jpeg_archive_round_trip(tmp_path_factory, seed):
    """Plain colours survive JPEG within 2; each names its part, class and number."""
    rng = np.random.default_rng(seed)
    keys = [(p, c, k) for p in (0, 1) for c in range(0, 10, 3) for k in (3, 12)]
    members = []
    for k in rng.permutation(len(keys)):
        part, label, number = keys[k]
        colour = np.array([200 * part + 20, 20 * label + 20, 10 * number + 20], np.uint8)
        name = f"cifar-10/{('train', 'test')[part]}/{CIFAR_CLASSES[label]}/{number:04d}.jpg"
        picture = np.broadcast_to(colour, (32, 32, 3))
        members.append((name, jpeg(picture, quality=100, subsampling=0)))
    found = read_cifar_jpeg(archive(tmp_path_factory.mktemp("jpeg") / "x.tar.xz", members))
    for part, name in enumerate(("train", "test")):
        pixels, labels = found[name]
        assert pixels.shape == (8, 3, 32, 32)
        assert sorted(labels) == [0, 0, 3, 3, 6, 6, 9, 9]
        values = pixels.astype(int)
        assert np.ptp(values, axis=(2, 3)).max() <= 2
        assert abs(values[:, 0] - (200 * part + 20)).max() <= 2
        assert abs(values[:, 1, 0, 0] - (20 * labels.astype(int) + 20)).max() <= 2
        assert sorted(np.rint((values[:, 2, 0, 0] - 20) / 10)) == [3] * 4 + [12] * 4


def test_jpeg_archive_has_the_order_of_a_fixed_permutation(tmp_path):
    """Sorted by number, then class; then as numpy.random.default_rng(10) has it."""
    gray = jpeg(np.full((32, 32, 3), 128, np.uint8))
    members = [
        (f"cifar-10/train/{name}/{k:04d}.jpg", gray) for name in CIFAR_CLASSES for k in (0, 1)
    ]
    labels = read_cifar_jpeg(archive(tmp_path / "x.tar.xz", members))["train"][1]
    order = np.random.default_rng(10).permutation(20)
    assert labels.tolist() == (order % 10).tolist()


GOOD = "cifar-10/train/cat/0000.jpg"


@pytest.mark.parametrize(
    "name",
    ["cifar-10/train/cow/0000.jpg", "cifar-10/train/cat/0.png", "cifar-10/valid/cat/0.jpg",
     "../cifar-10/train/cat/0000.jpg", "/etc/cat/0.jpg"],
)  # fmt: skip
def test_jpeg_archive_with_another_member(tmp_path, name):
    path = archive(tmp_path / "x.tar.xz", [(name, jpeg(np.zeros((32, 32, 3), np.uint8)))])
    refused(path, f"member {name}", read=read_cifar_jpeg)


def test_jpeg_archive_with_links_or_repetitions(tmp_path):
    gray = jpeg(np.zeros((32, 32, 3), np.uint8))
    path = archive(tmp_path / "x.tar.xz", [(GOOD, gray), (GOOD, gray)])
    refused(path, f"member {GOOD} twice", read=read_cifar_jpeg)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as out:
            member = tarfile.TarInfo(GOOD)
            member.type, member.linkname = kind, "/etc/passwd"
            out.addfile(member)
        put(path, lzma.compress(packed.getvalue(), preset=0))
        refused(path, f"member {GOOD}", read=read_cifar_jpeg)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "of 0 bytes"),
        (b"no picture", "cannot identify image"),
        (bytes(2**16 + 1), "of 65537 bytes"),
        (jpeg(np.zeros((33, 32, 3), np.uint8)), "size (32, 33), mode RGB"),
        (jpeg(np.zeros((32, 32), np.uint8)), "size (32, 32), mode L"),
        (jpeg(np.arange(3072, dtype=np.uint8).reshape(32, 32, 3))[:-90], "image 0 of class cat"),
    ],
    ids=["empty", "noise", "long", "size", "gray", "cut"],
)  # fmt: skip
def test_member_that_is_no_such_picture(tmp_path, content, reason):
    path = archive(tmp_path / "x.tar.xz", [(GOOD, content)])
    refused(path, reason, read=read_cifar_jpeg)


def test_png_under_the_name_of_a_jpeg(tmp_path):
    packed = io.BytesIO()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(packed, "PNG")
    path = archive(tmp_path / "x.tar.xz", [(GOOD, packed.getvalue())])
    refused(path, "cannot identify image", read=read_cifar_jpeg)


@pytest.mark.parametrize("size", [(10_000, 10_000), (65_000, 65_000)])
def test_picture_that_declares_a_huge_size(tmp_path, size):
    raw = jpeg(np.zeros((32, 32, 3), np.uint8))
    raw = raw.replace(struct.pack(">HH", 32, 32), struct.pack(">HH", *size), 1)
    with warnings.catch_warnings():  # Pillow's own warning stays out as well
        warnings.simplefilter("error")
        refused(archive(tmp_path / "x.tar.xz", [(GOOD, raw)]), "image 0", read=read_cifar_jpeg)


def test_archive_cut_or_of_another_kind(tmp_path):
    members = [(GOOD, jpeg(np.zeros((32, 32, 3), np.uint8)))]
    path = archive(tmp_path / "x.tar.xz", members)
    raw = path.read_bytes()
    for size in range(1, len(raw), 37):
        refused(put(path, raw[:size]), "cut short", read=read_cifar_jpeg)
    refused(put(path, raw + b"xy"), "2 bytes after its", read=read_cifar_jpeg)
    refused(put(path, gzip.compress(tar(members))), read=read_cifar_jpeg)
    refused(put(path, lzma.compress(b"no tar" * 200)), read=read_cifar_jpeg)
    damaged = bytearray(raw)
    damaged[len(raw) // 2] ^= 1
    refused(put(path, bytes(damaged)), read=read_cifar_jpeg)


def test_archive_that_unpacks_to_more_than_the_bound(tmp_path, monkeypatch):
    path = put(tmp_path / "bomb.tar.xz", lzma.compress(bytes(2**22 + 1), preset=0))
    monkeypatch.setattr(image_files, "MOST_BYTES", 2**22)
    refused(path, "it unpacks to more than 4194304 bytes", read=read_cifar_jpeg)


# SVHN


def mat(path, compressed=True, **variables):
    savemat(path, variables, do_compression=compressed)
    return path


def svhn(seed, n):
    """Pictures as (row, column, colour, image) and labels 1-10 as a column, and what they mean."""
    labels, pixels = images(seed, n)
    column = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
    return pixels.transpose(2, 3, 1, 0), column, pixels, labels


@given(seeds, st.integers(2, 6), st.booleans(), st.sampled_from([np.uint8, np.float64, np.int16]))
@settings(deadline=None, max_examples=25, derandomize=True)
def test_svhn_round_trip(tmp_path_factory, seed, n, compressed, kind):
    x, y, pixels, labels = svhn(seed, n)
    path = tmp_path_factory.mktemp("svhn") / "train_32x32.mat"
    mat(path, compressed, note="a text", X=x, y=y.astype(kind), more=np.zeros((2, 2), complex))
    found, digits = read_svhn(path)
    assert found.dtype == digits.dtype == np.uint8
    assert np.array_equal(found, pixels)
    assert np.array_equal(digits, labels)


@pytest.mark.parametrize("label", [0, 11, 255, 2.5, np.nan, -1])
def test_svhn_label_out_of_range(tmp_path, label):
    x, y, *_ = svhn(1, 4)
    y = y.astype(float)
    y[2] = label
    path = mat(tmp_path / "x.mat", X=x, y=y)
    refused(path, f"label {label}".removesuffix(".0"), "of image 3", read=read_svhn)


def test_svhn_of_other_variables(tmp_path):
    x, y, *_ = svhn(1, 4)
    path = tmp_path / "x.mat"
    for held, reason in [
        ({"Y": y, "x": x}, "numeric variables: Y, x"),
        ({"X": x}, "numeric variables: X"),
        ({"X": "a text", "y": y}, "numeric variables: y"),
        ({"X": {"a": x}, "y": y}, "numeric variables: y"),
        ({"X": x.astype(float), "y": y}, "X is float64 of (32, 32, 3, 4)"),
        ({"X": x.transpose(3, 0, 1, 2), "y": y}, "X is uint8 of (4, 32, 32, 3)"),
        ({"X": x[:31], "y": y}, "X is uint8 of (31, 32, 3, 4)"),
        ({"X": x, "y": y[:3]}, "4 images and y of (3, 1)"),
        ({"X": x, "y": y.T}, "4 images and y of (1, 4)"),
        ({"X": x[..., :0], "y": y[:0]}, "X is uint8 of (32, 32, 3, 0)"),
    ]:
        refused(mat(path, **held), reason, read=read_svhn)


def test_svhn_of_another_format(tmp_path):
    x, y, *_ = svhn(1, 2)
    path = tmp_path / "x.mat"
    savemat(path, {"y": y}, format="4")
    refused(path, "it begins with", read=read_svhn)
    refused(put(path, b"MATLAB 7.3 MAT-file" + bytes(600)), "MATLAB 7.3", read=read_svhn)
    raw = bytearray(mat(path, X=x, y=y).read_bytes())
    raw[126:128] = b"MI"  # the other byte order
    refused(put(path, bytes(raw)), "it begins with", read=read_svhn)


@pytest.mark.parametrize("compressed", [True, False])
def test_svhn_cut_anywhere(tmp_path, compressed):
    x, y, *_ = svhn(1, 2)
    path = mat(tmp_path / "x.mat", compressed, X=x, y=y)
    raw = path.read_bytes()
    for size in [*range(1, 260, 5), *range(260, len(raw), 597), len(raw) - 1]:
        refused(put(path, raw[:size]), read=read_svhn)


@given(st.data())
@settings(deadline=None, max_examples=150, derandomize=True)
def test_svhn_with_flipped_bytes_is_read_or_refused(tmp_path_factory, data):
    """No damaged header may end the process, as one did in scipy.io.loadmat (type tag 159)."""
    folder = tmp_path_factory.mktemp("flip")
    x, y, *_ = svhn(1, 2)
    raw = bytearray(mat(folder / "x.mat", False, X=x, y=y).read_bytes())
    for at in data.draw(st.lists(st.integers(128, 200), min_size=1, max_size=3)):
        raw[at] = data.draw(st.integers(0, 255))
    try:
        pixels, labels = read_svhn(put(folder / "x.mat", bytes(raw)))
    except DataError:
        return
    assert pixels.shape == (2, 3, 32, 32)
    assert labels.max() <= 9


def test_svhn_that_unpacks_to_more_than_the_bound(tmp_path, monkeypatch):
    path = mat(tmp_path / "bomb.mat", X=np.zeros((32, 32, 3, 400), np.uint8))
    monkeypatch.setattr(image_files, "MOST_BYTES", 2**20)
    refused(path, "it unpacks to more than 1048576 bytes", read=read_svhn)
    several = {name: np.zeros((32, 32, 3, 200), np.uint8) for name in "abX"}
    refused(mat(path, **several), "it unpacks to more than", read=read_svhn)
