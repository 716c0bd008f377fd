"""Labelled images: scikit-learn's digits, and MNIST-like, CIFAR-10 and SVHN files from a folder."""

import hashlib
import os
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType, SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from devicephys.bnn.image_files import (
    MOST_BYTES,
    read_cifar_batch,
    read_cifar_jpeg,
    read_idx,
    read_svhn,
    unpack_gzip,
)
from devicephys.bnn.image_sources import (
    BATCHES,
    CIFAR_ARCHIVE,
    CIFAR_BIN,
    CIFAR_JPEG,
    FETCH,
    SOURCES,
    TEN_DIGITS,
    Source,
    by_hand,
)
from devicephys.checks import known
from devicephys.errors import DataError, ParameterError

DATA_VARIABLE = "DEVICEPHYS_DATA"
DIGITS_TEST = 500
SETS = ("digits", *SOURCES)
_Part = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # (n, channels, height, width) and (n,)
_CIFAR_PICKLED = "cifar-10-batches-py"
_JPEG_TEST_BATCH = "b7c3c41b5e2b8a2df1e4c028c9a195e2428ab60e0f3652ea76ec888b37d9b0b1"  # SHA-256


@dataclass(frozen=True)
class ImageSet:
    """Images and labels, split for training and test.

    Attributes
    ----------
    name, licence : str
        Name of the set and the terms it comes under.
    train_pixels, test_pixels : ndarray of uint8
        Images, shape (n_images, n_pixels), channel by channel and row by row [1].
    train_labels, test_labels : ndarray of uint8
        Classes, shape (n_images,) [1].
    shape : tuple of int
        Channels, height and width of an image, whose product is n_pixels [1].
    classes : tuple of str
        Names of the classes, in the order of the labels.
    """

    name: str
    licence: str
    train_pixels: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_pixels: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]
    shape: tuple[int, int, int]
    classes: tuple[str, ...]


def data_folder() -> Path:
    """Give the folder of external data that the environment variable names.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ParameterError
        If DEVICEPHYS_DATA is unset or is not a folder.

    Examples
    --------
    >>> data_folder()  # doctest: +SKIP
    PosixPath('/data')
    """
    value = os.environ.get(DATA_VARIABLE, "")
    if not value or not Path(value).is_dir():
        raise ParameterError(
            f"{DATA_VARIABLE} is {'not a folder: ' + value if value else 'not set'}",
            expected="the folder that holds datasets/ and measured/",
            remedy=f"set it, for example: export {DATA_VARIABLE}=/path/to/data",
        )
    return Path(value)


def download_folder() -> Path:
    """Give the folder of the user's cache that `download` fills, laid out as DEVICEPHYS_DATA.

    Returns
    -------
    Path
        The folder, there or not.

    Examples
    --------
    >>> download_folder().name
    'devicephys'
    """
    from pooch import os_cache  # only where files are looked for

    return Path(os.path.expanduser(os_cache("devicephys")))


def load_images(name: str) -> ImageSet:
    """Load a set of labelled images by name.

    Nothing is downloaded: files come from ``datasets/`` of the folder that DEVICEPHYS_DATA names,
    or from what `download` put into the user's cache. Sizes, numbers of images and labels must be
    those of the published set.

    Parameters
    ----------
    name : str
        "digits" (bundled with scikit-learn: 1297 training and 500 test images of 8 x 8 pixels,
        0-16, split by a fixed permutation); "mnist" and "fashion-mnist" (60 000 and 10 000 images
        of 28 x 28 pixels; below 1 s); "cifar-10" (50 000 and 10 000 colour images of 32 x 32
        pixels, from ``cifar-10-batches-bin/`` or else, in 5 to 15 s, from the JPEG files of
        ``cifar-10-jpeg/``, which `licence` then says); "svhn" (73 257 and 26 032 colour images
        of 32 x 32 pixels; about 3 s).

    Returns
    -------
    ImageSet
        The images.

    Raises
    ------
    ParameterError
        If the name is unknown or DEVICEPHYS_DATA is needed and unset.
    DataError
        If a file is missing, damaged, or not of the published set.

    Examples
    --------
    >>> digits = load_images("digits")
    >>> digits.test_pixels.shape, digits.shape
    ((500, 64), (1, 8, 8))
    """
    known("image set", name, SETS)
    if name == "digits":
        return _digits()
    source = SOURCES[name]
    folder = _folder(name, source)
    train, test = _READERS[name](folder)
    licence = source.licence
    if name == "cifar-10" and _is_jpeg_copy(folder):
        licence = f"CIFAR-10 (JPEG copy: one lossy pass, another order); {licence}"
    return ImageSet(
        name, licence, *_checked("training", source.n_train, train, source, folder),
        *_checked("test", source.n_test, test, source, folder), source.shape, source.classes,
    )  # fmt: skip


def download(
    name: str, progress: Callable[[str, int, int], None] = lambda file, done, total: None
) -> Path:
    """Download the files of an image set into the user's cache, where `load_images` finds them.

    What arrives must have the SHA-256 stated here: of the unpacked files for "mnist" and
    "fashion-mnist", whose MD5 are the canonical ones; of the archive for "cifar-10", whose MD5 its
    official page states (c32a1d4ab5d03f1284b67883e8d87530). Nothing is put in place before all
    of it is checked.

    Parameters
    ----------
    name : str
        "mnist" (11 MB), "fashion-mnist" (30 MB) or "cifar-10" (170 MB).
    progress : callable, optional
        Called with the file's name, the bytes that are there, and how many there will be (0 where
        the server does not say).

    Returns
    -------
    Path
        The folder that holds the files.

    Raises
    ------
    ParameterError
        If the set is unknown, or no checksum is published for it and it is fetched by hand.
    DataError
        If the server cannot be reached, or sends anything else.

    Examples
    --------
    >>> download("mnist")  # doctest: +SKIP
    PosixPath('/home/me/.cache/devicephys/datasets/mnist')
    """
    if known("image set", name, SETS) == "digits" or not SOURCES[name].urls:
        how = "it comes with scikit-learn" if name == "digits" else by_hand(SOURCES[name])
        raise ParameterError(
            f"image set {name!r} cannot be downloaded",
            expected=f"one of {', '.join(n for n, s in SOURCES.items() if s.urls)}",
            remedy=how,
        )
    source = SOURCES[name]
    layout, files = next(iter(source.layouts.items()))
    folder = download_folder() / "datasets" / layout
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=".") as staging:
            for url, sha256 in source.urls.items():
                _fetch(url, Path(staging), progress)
                _verify(url, Path(staging), sha256)
            folder.mkdir(exist_ok=True)
            for file in files:
                os.replace(Path(staging) / file, folder / file)
    except (OSError, tarfile.TarError) as err:  # those of the network are OSErrors
        raise DataError(
            f"image set {name!r} was not downloaded ({err!s:.300})",
            where=str(folder),
            expected="the files of its published address",
            remedy=f"try again, or {by_hand(source)}",
        ) from err
    return folder


def _folder(name: str, source: Source) -> Path:
    """Find the folder of a set, in the user's data or else in the cache."""
    roots = [download_folder() / "datasets"]
    unset = not os.environ.get(DATA_VARIABLE)
    if not unset:
        roots.insert(0, data_folder() / "datasets")
    for folder, files in source.layouts.items():
        for root in roots:
            if any(os.path.exists(root / folder / file) for file in files):
                return root / folder
    fetch = f"fetch them: {FETCH.format(name)}; or " if source.urls else ""
    if unset:
        raise ParameterError(
            f"{DATA_VARIABLE} is not set",
            where=f"image set {name!r}",
            expected="the folder that holds datasets/ and measured/",
            remedy=f"set it, for example: export {DATA_VARIABLE}=/path/to/data; "
            f"{fetch}{by_hand(source)}",
        )
    if name == "cifar-10" and (roots[0] / _CIFAR_PICKLED).is_dir():
        raise DataError(
            f"{_CIFAR_PICKLED} holds pickled files, which can run code and are not read",
            where=str(roots[0]),
            expected=f"the binary version, {CIFAR_BIN}",
            remedy=f"{fetch}{by_hand(source)}",
        )
    raise DataError(
        f"no files of image set {name!r}",
        where=str(roots[0]),
        expected=" or ".join(f"{folder}/" for folder in source.layouts),
        remedy=f"{fetch}{by_hand(source)}",
    )


def _checked(part: str, n: int, found: _Part, source: Source, folder: Path) -> _Part:
    """Flatten the images of a part after checking them against what is published."""
    pixels, labels = found
    size = " x ".join(map(str, source.shape))
    most = len(source.classes) - 1
    if (pixels.shape, labels.shape) != ((n, *source.shape), (n,)) or labels.max() > most:
        raise DataError(
            f"{part} images {pixels.shape}, labels {labels.shape} up to {labels.max(initial=0)}",
            where=str(folder),
            expected=f"{n} images of {size} and one label 0-{most} an image",
            remedy="check that the files are not swapped and are of the published set",
        )
    counts = np.bincount(labels, minlength=most + 1)
    if source.balanced and (counts != n // (most + 1)).any():
        raise DataError(
            f"{part} images of each class: {', '.join(map(str, counts))}",
            where=str(folder),
            expected=f"{n // (most + 1)} of each",
            remedy="check that the files are not swapped and are of the published set",
        )
    return pixels.reshape(n, -1), labels


def _digits() -> ImageSet:
    from sklearn.datasets import load_digits  # heavy: only where it is used

    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    pixels, labels = bunch.data[order].astype(np.uint8), bunch.target[order].astype(np.uint8)
    n = DIGITS_TEST
    return ImageSet(
        "digits",
        "UCI optical recognition of handwritten digits, CC BY 4.0, through scikit-learn",
        pixels[:-n], labels[:-n], pixels[-n:], labels[-n:], (1, 8, 8), TEN_DIGITS,
    )  # fmt: skip


def _read_idx_files(folder: Path) -> tuple[_Part, _Part]:
    def part(prefix: str) -> _Part:
        pixels = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz")
        labels = read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz")
        return pixels.reshape(*pixels.shape[:1], 1, *pixels.shape[1:]), labels

    return part("train"), part("t10k")


def _read_cifar(folder: Path) -> tuple[_Part, _Part]:
    if folder.name == CIFAR_JPEG:
        parts = read_cifar_jpeg(folder / CIFAR_ARCHIVE)
        return parts["train"], parts["test"]
    *batches, test = [read_cifar_batch(folder / name) for name in BATCHES]
    pixels, labels = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    return (pixels, labels), test


def _is_jpeg_copy(folder: Path) -> bool:
    """Whether the files went through JPEG, or are those that the copy's own script writes."""
    if folder.name == CIFAR_JPEG:
        return True
    return hashlib.sha256((folder / BATCHES[-1]).read_bytes()).hexdigest() == _JPEG_TEST_BATCH


def _read_svhn_files(folder: Path) -> tuple[_Part, _Part]:
    return read_svhn(folder / "train_32x32.mat"), read_svhn(folder / "test_32x32.mat")


def _fetch(url: str, folder: Path, progress: Callable[[str, int, int], None]) -> None:
    """Download one file, and stop when more arrives than any set holds."""
    from pooch import HTTPDownloader

    name, done = url.rpartition("/")[2], 0

    def update(size: int) -> None:
        nonlocal done
        done += size
        if done > MOST_BYTES:
            raise OSError(f"{name} has more than {MOST_BYTES} bytes")
        progress(name, min(done, bar.total) if bar.total else done, bar.total)

    def reset() -> None:
        nonlocal done
        done = 0

    bar = SimpleNamespace(total=0, update=update, reset=reset, close=lambda: None)
    HTTPDownloader(progressbar=bar, chunk_size=2**16)(url, str(folder / name), None)


def _verify(url: str, folder: Path, sha256: str) -> None:
    """Check what arrived; take the batches out of CIFAR-10's archive."""
    path = folder / url.rpartition("/")[2]
    packed = path.name.endswith(".tar.gz")
    try:
        found = hashlib.sha256(path.read_bytes() if packed else unpack_gzip(path)).hexdigest()
    except DataError as err:
        found = f"of nothing: {err}"
    if found != sha256:
        raise DataError(
            f"SHA-256 {found}",
            where=url,
            expected=sha256,
            remedy="nothing was kept; try again, or look at the address",
        )
    if packed:
        with tarfile.open(path) as archive:
            for name in BATCHES:
                member = archive.extractfile(f"{CIFAR_BIN}/{name}")
                if member is None:
                    raise tarfile.ReadError(f"{name} is no file")
                (folder / name).write_bytes(member.read())


_READERS: Mapping[str, Callable[[Path], tuple[_Part, _Part]]] = MappingProxyType(
    {
        "mnist": _read_idx_files,
        "fashion-mnist": _read_idx_files,
        "cifar-10": _read_cifar,
        "svhn": _read_svhn_files,
    }
)
