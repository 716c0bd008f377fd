"""Image sets: the digits split; the others whole, damaged, swapped, missing, and as published."""

import gzip
import hashlib
import io
import lzma
import os
import shutil
import struct
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from sklearn.datasets import load_digits

from devicephys.bnn import images
from devicephys.bnn.image_sources import BATCHES, CIFAR_ARCHIVE, IDX_FILES, SOURCES
from devicephys.bnn.images import load_images
from devicephys.errors import DataError, ParameterError

NAMES = IDX_FILES
SMALL = {  # as the published sets, but small: fields of their sources
    "mnist": {"n_train": 6, "n_test": 3, "shape": (1, 4, 4)},
    "fashion-mnist": {"n_train": 20, "n_test": 10, "shape": (1, 4, 4)},
    "cifar-10": {"n_train": 50, "n_test": 10},
    "svhn": {"n_train": 5, "n_test": 3},
}


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of downloads that is not the user's own."""
    monkeypatch.setattr(images, "download_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Small sets in a data folder; gives the folder datasets/."""
    monkeypatch.setenv("DEVICEPHYS_DATA", str(tmp_path))
    sources = {name: replace(SOURCES[name], **fields) for name, fields in SMALL.items()}
    monkeypatch.setattr(images, "SOURCES", sources)
    return tmp_path / "datasets"


def arrays(name, seed=1):
    """Pixels and labels of both parts."""
    rng = np.random.default_rng(seed)
    source = replace(SOURCES[name], **SMALL[name])
    parts = []
    for n in (source.n_train, source.n_test):
        labels = rng.permutation(np.arange(n) % 10).astype(np.uint8)
        parts += [rng.integers(0, 256, (n, *source.shape)).astype(np.uint8), labels]
    return parts


def write_idx(root, name):
    folder = root / name
    folder.mkdir(parents=True)
    parts = arrays(name)
    for file, array in zip(NAMES, parts, strict=True):
        array = array[:, 0] if array.ndim == 4 else array
        (folder / file).write_bytes(gzip.compress(idx(array)))
    return folder, parts


def batch(pixels, labels):
    return np.concatenate([labels[:, None], pixels.reshape(len(labels), -1)], axis=1).tobytes()


def write_batches(root):
    folder = root / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    pixels, labels, *test = parts = arrays("cifar-10")
    for k in range(5):
        part = slice(10 * k, 10 * k + 10)
        (folder / BATCHES[k]).write_bytes(batch(pixels[part], labels[part]))
    (folder / BATCHES[5]).write_bytes(batch(*test))
    return folder, parts


def write_jpegs(root):
    folder = root / "cifar-10-jpeg"
    folder.mkdir(parents=True)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for part, n in (("train", 50), ("test", 10)):
            for k in range(n):
                name = SOURCES["cifar-10"].classes[k % 10]
                picture = io.BytesIO()
                Image.new("RGB", (32, 32), (k % 10 * 20, 128, 128)).save(picture, "JPEG")
                member = tarfile.TarInfo(f"cifar-10/{part}/{name}/{k // 10:04d}.jpg")
                member.size = picture.tell()
                picture.seek(0)
                archive.addfile(member, picture)
    (folder / CIFAR_ARCHIVE).write_bytes(lzma.compress(packed.getvalue(), preset=0))
    return folder


def write_svhn(root):
    folder = root / "svhn"
    folder.mkdir(parents=True)
    parts = arrays("svhn")
    for file, pixels, labels in [
        ("train_32x32.mat", *parts[:2]),
        ("test_32x32.mat", *parts[2:]),
    ]:
        digits = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
        savemat(folder / file, {"X": pixels.transpose(2, 3, 1, 0), "y": digits})
    return folder, parts


WRITERS = {
    "mnist": lambda root: write_idx(root, "mnist"),
    "fashion-mnist": lambda root: write_idx(root, "fashion-mnist"),
    "cifar-10": write_batches,
    "svhn": write_svhn,
}


def test_digits_are_all_there_once_and_split():
    digits = load_images("digits")
    bunch = load_digits()
    assert digits.test_pixels.shape == (500, 64)
    assert digits.train_pixels.shape == (len(bunch.target) - 500, 64)
    assert digits.shape == (1, 8, 8)
    assert digits.classes == tuple("0123456789")
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
    assert images.SETS == ("digits", "mnist", "fashion-mnist", "cifar-10", "svhn")


@pytest.mark.parametrize("name", WRITERS)
def test_set_is_read_from_the_folder_that_the_variable_names(small, name):
    folder, parts = WRITERS[name](small)
    found = load_images(name)
    read = found.train_pixels, found.train_labels, found.test_pixels, found.test_labels
    for ours, theirs in zip(read, parts, strict=True):
        assert ours.dtype == np.uint8
        assert np.array_equal(ours, theirs.reshape(len(theirs), -1) if theirs.ndim > 1 else theirs)
    assert found.name == name
    assert found.shape == images.SOURCES[name].shape
    assert len(found.classes) == 10
    assert found.licence == SOURCES[name].licence
    (folder / "notes.txt").write_text("ours")  # other files do not matter
    assert np.array_equal(load_images(name).test_pixels, found.test_pixels)


def test_downloaded_set_is_read_where_the_data_folder_has_none(small, cache, monkeypatch):
    write_idx(cache / "datasets", "mnist")
    assert len(load_images("mnist").test_labels) == 3
    monkeypatch.delenv("DEVICEPHYS_DATA")
    assert len(load_images("mnist").test_labels) == 3
    monkeypatch.setenv("DEVICEPHYS_DATA", "nowhere")  # a mistake, said also where a cache would do
    with pytest.raises(ParameterError, match="is not a folder: nowhere"):
        load_images("mnist")


def test_data_folder_comes_before_the_cache(small, cache):
    folder, _ = write_idx(cache / "datasets", "mnist")
    (folder / NAMES[0]).write_bytes(b"damaged")
    write_idx(small, "mnist")
    assert len(load_images("mnist").test_labels) == 3


@pytest.mark.parametrize("pair", [(0, 1), (2, 3), (0, 2), (1, 3)])
def test_swapped_mnist_files_are_noticed(small, pair):
    folder, _ = write_idx(small, "mnist")
    first, second = (folder / NAMES[k] for k in pair)
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    with pytest.raises(DataError) as caught:
        load_images("mnist")
    message = str(caught.value)
    assert message.startswith(f"{folder}: t")
    assert " images (" in message
    assert "images of 1 x 4 x 4 and one label 0-9 an image" in message
    assert "check that the files are not swapped" in message


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "svhn"])
def test_training_and_test_set_swapped(small, name):
    folder, _ = WRITERS[name](small)
    files = sorted(folder.iterdir())
    half = len(files) // 2  # the test set's come first, images and labels in one order
    for first, second in zip(files[:half], files[half:], strict=True):
        kept = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(kept)
    n = SMALL[name]["n_train"]
    with pytest.raises(DataError, match=rf"training images \({SMALL[name]['n_test']},.*{n} images"):
        load_images(name)


def test_cifar_batches_swapped_or_repeated_are_noticed_by_their_classes(small):
    folder, (pixels, *_) = write_batches(small)
    kept = (folder / BATCHES[2]).read_bytes()
    (folder / BATCHES[2]).write_bytes(batch(pixels[:10], np.zeros(10, np.uint8)))
    with pytest.raises(DataError, match=r"training images of each class: 1\d, .*5 of each"):
        load_images("cifar-10")
    shutil.move(folder / BATCHES[2], folder / BATCHES[5])
    (folder / BATCHES[2]).write_bytes(kept)
    with pytest.raises(DataError, match=r"test images of each class: 10, 0, .*1 of each"):
        load_images("cifar-10")


def test_cifar_batch_with_too_few_records(small):
    folder, _ = write_batches(small)
    raw = (folder / BATCHES[0]).read_bytes()
    (folder / BATCHES[0]).write_bytes(raw[:-3073])
    with pytest.raises(DataError, match=r"training images \(49, 3, 32, 32\).*50 images of 3 x 32"):
        load_images("cifar-10")


def test_mnist_label_beyond_nine_is_refused(small):
    folder, _ = write_idx(small, "mnist")
    (folder / NAMES[3]).write_bytes(gzip.compress(idx(np.array([0, 10, 1], np.uint8))))
    with pytest.raises(DataError, match=r"labels \(3,\) up to 10; .*one label 0-9 an image"):
        load_images("mnist")


@pytest.mark.parametrize("name", NAMES)
def test_missing_mnist_file_is_named(small, name):
    folder, _ = write_idx(small, "mnist")
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: not a readable IDX file \(no such file\)"):
        load_images("mnist")


@pytest.mark.parametrize("shape", [(), (3,), (0, 4, 4), (6, 4), (6, 1, 4, 4), (6, 4, 5)])
def test_mnist_images_of_another_shape(small, shape):
    folder, _ = write_idx(small, "mnist")
    (folder / NAMES[0]).write_bytes(gzip.compress(idx(np.zeros(shape, np.uint8))))
    with pytest.raises(DataError, match=r"training images \(.*6 images of 1 x 4 x 4"):
        load_images("mnist")


def test_cifar_binary_is_preferred_and_a_damaged_one_is_not_passed_over(small):
    write_jpegs(small)
    lossy = load_images("cifar-10")
    assert lossy.licence.startswith("CIFAR-10 (JPEG copy: one lossy pass")
    assert SOURCES["cifar-10"].licence in lossy.licence
    # red is 20 times the label, and JPEG keeps plain colours within 5
    assert abs(lossy.train_pixels[:, 0] - 20.0 * lossy.train_labels).max() < 5
    folder, parts = write_batches(small)
    assert np.array_equal(load_images("cifar-10").train_labels, parts[1])
    (folder / BATCHES[3]).unlink()
    with pytest.raises(DataError, match=r"data_batch_4.bin: not a .*\(no such file\)"):
        load_images("cifar-10")


def test_binary_files_made_from_the_jpeg_copy_are_said_to_be(small, monkeypatch):
    folder, _ = write_batches(small)
    known = hashlib.sha256((folder / BATCHES[5]).read_bytes()).hexdigest()
    monkeypatch.setattr(images, "_JPEG_TEST_BATCH", known)
    assert load_images("cifar-10").licence.startswith("CIFAR-10 (JPEG copy")


def test_pickled_cifar_is_refused_with_the_reason(small):
    (small / "cifar-10-batches-py").mkdir(parents=True)
    (small / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"\x80\x02.")
    with pytest.raises(DataError, match=r"pickled files, which can run code.*binary version") as e:
        load_images("cifar-10")
    assert "https://www.cs.toronto.edu/~kriz/cifar.html" in str(e.value)


@pytest.mark.parametrize("name", WRITERS)
def test_set_that_is_nowhere_is_told_where_to_get(small, name):
    (small / next(iter(SOURCES[name].layouts))).mkdir(parents=True)  # an empty folder is none
    with pytest.raises(DataError, match=f"no files of image set '{name}'") as caught:
        load_images(name)
    message = str(caught.value)
    assert SOURCES[name].page in message
    assert "put them into $DEVICEPHYS_DATA/datasets/" in message
    assert (f"data fetch {name}" in message) == (name != "svhn")


@pytest.mark.parametrize("value", [None, ""])
def test_unset_data_variable(monkeypatch, value):
    if value is None:
        monkeypatch.delenv("DEVICEPHYS_DATA", raising=False)
    else:
        monkeypatch.setenv("DEVICEPHYS_DATA", value)
    expected = r"DEVICEPHYS_DATA is not set; expected the folder .*export DEVICEPHYS_DATA="
    with pytest.raises(ParameterError, match=expected) as caught:
        load_images("mnist")
    assert "data fetch mnist" in str(caught.value)
    with pytest.raises(ParameterError, match="DEVICEPHYS_DATA is not set; expected"):
        images.data_folder()
    assert len(load_images("digits").test_labels) == 500  # needs no folder


def test_data_variable_that_names_no_folder(monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.touch()
    for path in (file, tmp_path / "gone"):
        monkeypatch.setenv("DEVICEPHYS_DATA", str(path))
        with pytest.raises(ParameterError, match=rf"DEVICEPHYS_DATA is not a folder: {path}"):
            images.data_folder()


needs_data = pytest.mark.skipif(
    not os.environ.get("DEVICEPHYS_DATA"),
    reason=f"DEVICEPHYS_DATA is not set: needs datasets/mnist/{NAMES[0]} and the other three",
)
PUBLISHED = {  # mean pixel and images of each class in the test set
    "mnist": (33.3184, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    "fashion-mnist": (72.9404, [1000] * 10),
}


@needs_data
@pytest.mark.parametrize("name", PUBLISHED)
def test_mnist_and_fashion_mnist_are_the_published_sets(data_folder, name):
    file = data_folder / "datasets" / name / NAMES[0]
    if not file.exists():
        pytest.skip(f"{file.name} is not under DEVICEPHYS_DATA")
    found = load_images(name)
    mean, counts = PUBLISHED[name]
    assert found.train_pixels.shape == (60_000, 784)
    assert found.test_pixels.shape == (10_000, 784)
    assert np.bincount(found.test_labels).tolist() == counts
    assert found.train_pixels.mean() == pytest.approx(mean, abs=1e-4)
    raw = np.ascontiguousarray(found.train_pixels)
    header = struct.pack(">HBB3I", 0, 8, 3, 60_000, 28, 28)
    pinned = next(iter(SOURCES[name].urls.values()))
    assert hashlib.sha256(header + raw.tobytes()).hexdigest() == pinned


@pytest.mark.slow
@needs_data
def test_cifar_is_the_published_copy(data_folder):
    """The batches that the copy's own script makes of it, by their checksum."""
    file = data_folder / "datasets" / "cifar-10-jpeg" / CIFAR_ARCHIVE
    if not file.exists():
        pytest.skip(f"{file.name} is not under DEVICEPHYS_DATA")
    found = load_images("cifar-10")
    assert found.train_pixels.shape == (50_000, 3072)
    test = batch(found.test_pixels, found.test_labels)
    assert hashlib.sha256(test).hexdigest() == images._JPEG_TEST_BATCH
