"""Labelled images: scikit-learn's digits, and MNIST-like IDX files from a data folder."""

import gzip
import math
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from devicephys.checks import known
from devicephys.errors import DataError, ParameterError

DATA_VARIABLE = "DEVICEPHYS_DATA"
DIGITS_TEST = 500


@dataclass(frozen=True)
class ImageSet:
    """Images and labels, split for training and test.

    Attributes
    ----------
    name, licence : str
        Name of the set and the terms it comes under.
    train_pixels, test_pixels : ndarray of uint8
        Images, shape (n_images, n_pixels) [1].
    train_labels, test_labels : ndarray of uint8
        Classes, shape (n_images,) [1].
    """

    name: str
    licence: str
    train_pixels: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_pixels: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


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


def load_images(name: str) -> ImageSet:
    """Load a set of labelled images by name.

    Parameters
    ----------
    name : str
        "digits" (bundled with scikit-learn: 1297 training and 500 test images of 8 x 8 pixels,
        split by a fixed permutation), or "mnist" (60 000 and 10 000 images of 28 x 28 pixels,
        from the folder that DEVICEPHYS_DATA names).

    Returns
    -------
    ImageSet
        The images.

    Raises
    ------
    ParameterError
        If the name is unknown or DEVICEPHYS_DATA is needed and unset.
    DataError
        If a file is missing or damaged.

    Examples
    --------
    >>> load_images("digits").test_pixels.shape
    (500, 64)
    """
    return SETS[known("image set", name, SETS)]()


def _digits() -> ImageSet:
    from sklearn.datasets import load_digits  # heavy: only where it is used

    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    pixels, labels = bunch.data[order].astype(np.uint8), bunch.target[order].astype(np.uint8)
    n = DIGITS_TEST
    return ImageSet(
        "digits",
        "UCI optical recognition of handwritten digits, CC BY 4.0, through scikit-learn",
        pixels[:-n], labels[:-n], pixels[-n:], labels[-n:],
    )  # fmt: skip


def _mnist() -> ImageSet:
    folder = data_folder() / "datasets" / "mnist"
    arrays = [
        read_idx(folder / f"{part}-{kind}.gz")
        for part in ("train", "t10k")
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    ]
    for pixels, labels in (arrays[:2], arrays[2:]):
        if pixels.ndim != 3 or labels.shape != pixels.shape[:1] or labels.max(initial=0) > 9:
            raise DataError(
                f"images {pixels.shape} with labels {labels.shape}",
                where=str(folder),
                expected="one label 0-9 an image",
                remedy="check that the files are not swapped",
            )
    flat = [a.reshape(len(a), -1) for a in (arrays[0], arrays[2])]
    return ImageSet(
        "mnist", "LeCun, Cortes and Burges, CC BY-SA 3.0", flat[0], arrays[1], flat[1], arrays[3]
    )


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read a gzip-compressed IDX file of unsigned bytes.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    ndarray of uint8
        The array, shape as the file's header says [1].

    Raises
    ------
    DataError
        If the file is missing, damaged, or of another type.

    Examples
    --------
    >>> read_idx(Path("missing.gz"))
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.gz: not a readable IDX file (no such file); \
expected gzip-compressed IDX of unsigned bytes; download it again
    """
    try:
        raw = gzip.decompress(path.read_bytes())
        zero, kind, n_dims = struct.unpack(">HBB", raw[:4])
        shape = struct.unpack(f">{n_dims}I", raw[4 : 4 + 4 * n_dims])
        if (zero, kind) != (0, 8) or len(raw) != 4 + 4 * n_dims + math.prod(shape):
            raise ValueError(f"header {raw[:4].hex()} with {len(raw)} bytes")
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * n_dims).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as err:
        reason = "no such file" if isinstance(err, FileNotFoundError) else str(err)
        raise DataError(
            f"not a readable IDX file ({reason})",
            where=str(path),
            expected="gzip-compressed IDX of unsigned bytes",
            remedy="download it again",
        ) from err


SETS: Mapping[str, Callable[[], ImageSet]] = MappingProxyType({"digits": _digits, "mnist": _mnist})
