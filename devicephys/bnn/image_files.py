"""Files of labelled images in their published layouts: IDX, CIFAR-10, SVHN.

Every size that a file claims is bounded before anything is unpacked, and nothing in a file is run.
"""

import io
import lzma
import math
import re
import struct
import tarfile
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devicephys.errors import DataError

Bytes = NDArray[np.uint8]

MOST_BYTES = 2**28  # of a file, packed or not: SVHN's training images are 225 MB
SIDE = 32  # pixels, of CIFAR-10 and SVHN
RECORD = 1 + 3 * SIDE * SIDE
CIFAR_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
ORDER_SEED = 10  # of the JPEG copy's images, whose archive is sorted by class
_MEMBER = re.compile(rf"cifar-10/(train|test)/({'|'.join(CIFAR_CLASSES)})/([0-9]{{1,5}})\.jpg")
_MOST_JPEG = 2**16
_COMPRESSED, _MATRIX = 15, 14  # kinds of elements of a MATLAB 5.0 file
_NUMERIC = {bytes([k]) for k in range(6, 16)}  # classes of its matrices that hold numbers
_NUMBERS = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 9: "<f8"}
_IDX = ("IDX file", "gzip-compressed IDX of unsigned bytes")
_BATCH = ("CIFAR-10 batch", f"records of {RECORD} bytes, the first of each a label 0-9")
_ARCHIVE = ("CIFAR-10 archive", "tar.xz of cifar-10/{train,test}/CLASS/NUMBER.jpg, 32 x 32, RGB")
_SVHN = (
    "SVHN file",
    "MATLAB 5.0 with X, uint8 of (32, 32, 3, n), and y, labels 1-10 of (n, 1)",
)


def read_idx(path: Path) -> Bytes:
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
        If the file is missing, damaged, of another type, or larger than `MOST_BYTES`.

    Examples
    --------
    >>> read_idx(Path("missing.gz"))
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.gz: not a readable IDX file (no such file); \
expected gzip-compressed IDX of unsigned bytes; download it again
    """
    with _telling(path, *_IDX):
        packed = _file(path)
        head = zlib.decompressobj(31).decompress(_gzip(packed), 4 + 4 * 255)
        zero, kind, n_dims = struct.unpack_from(">HBB", head)
        if (zero, kind) != (0, 8):
            raise ValueError(f"header {head[:4].hex()}")
        shape = struct.unpack_from(f">{n_dims}I", head, 4)
        size = 4 + 4 * n_dims + math.prod(shape)
        if size > MOST_BYTES:
            raise ValueError(f"header of {size} bytes, more than {MOST_BYTES}")
        raw = _unpacked(packed, size, 31)
        if len(raw) != size:
            raise ValueError(f"{len(raw)} bytes where the header says {size}")
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * n_dims).reshape(shape)


def unpack_gzip(path: Path) -> bytes:
    """Unpack a gzip-compressed file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bytes
        What is in it.

    Raises
    ------
    DataError
        If the file is missing, damaged, or larger than `MOST_BYTES`.

    Examples
    --------
    >>> unpack_gzip(Path("missing.gz"))
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.gz: not a readable gzip file (no such file); \
expected one gzip stream; download it again
    """
    with _telling(path, "gzip file", "one gzip stream"):
        return _unpacked(_gzip(_file(path)), MOST_BYTES, 31)


def read_cifar_batch(path: Path) -> tuple[Bytes, Bytes]:
    """Read a batch of CIFAR-10 in its binary layout.

    Parameters
    ----------
    path : Path
        The file, such as ``data_batch_1.bin``.

    Returns
    -------
    pixels : ndarray of uint8
        Images, shape (n, 3, 32, 32) [1].
    labels : ndarray of uint8
        Classes 0-9, shape (n,) [1].

    Raises
    ------
    DataError
        If the file is missing, empty, not of whole records, or a label is out of range.

    Examples
    --------
    >>> read_cifar_batch(Path("data_batch_1.bin"))
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: data_batch_1.bin: not a readable CIFAR-10 batch (no such file); \
expected records of 3073 bytes, the first of each a label 0-9; download it again
    """
    with _telling(path, *_BATCH):
        raw = _file(path)
        if raw[0] == 0x80:  # no label, but how every pickle of protocol 2 and later begins
            raise ValueError("it begins as pickled files do, which can run code and are not read")
        if len(raw) % RECORD:
            raise ValueError(f"{len(raw)} bytes, {len(raw) / RECORD:.6g} records")
        records = np.frombuffer(raw, np.uint8).reshape(-1, RECORD)
        labels = records[:, 0]
        if labels.max() >= len(CIFAR_CLASSES):
            first = int(np.argmax(labels >= len(CIFAR_CLASSES)))
            raise ValueError(f"label {labels[first]} in record {first + 1}")
        return records[:, 1:].reshape(-1, 3, SIDE, SIDE), labels


def read_cifar_jpeg(path: Path) -> dict[str, tuple[Bytes, Bytes]]:
    """Read an archive of CIFAR-10 as JPEG files; 60 000 images take 5 to 15 s.

    The images are put in the order of a fixed permutation, because the archive is sorted by class.

    Parameters
    ----------
    path : Path
        The archive, tar.xz with members ``cifar-10/{train,test}/CLASS/NUMBER.jpg``.

    Returns
    -------
    dict
        By part, "train" and "test": images, shape (n, 3, 32, 32), and classes 0-9, shape (n,), of
        uint8 [1].

    Raises
    ------
    DataError
        If the archive is missing, damaged, too large, or a member is not such an image.

    Examples
    --------
    >>> read_cifar_jpeg(Path("cifar-10-jpg.tar.xz"))
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: cifar-10-jpg.tar.xz: not a readable CIFAR-10 archive \
(no such file); expected tar.xz of cifar-10/{train,test}/CLASS/NUMBER.jpg, 32 x 32, RGB; \
download it again
    """
    with _telling(path, *_ARCHIVE):
        members = _members(_unpacked_xz(_file(path)))
        return {part: _decoded(found) for part, found in members.items()}


def read_svhn(path: Path) -> tuple[Bytes, Bytes]:
    """Read a file of cropped digits of SVHN (format 2).

    Parameters
    ----------
    path : Path
        The file, such as ``train_32x32.mat``.

    Returns
    -------
    pixels : ndarray of uint8
        Images, shape (n, 3, 32, 32) [1].
    labels : ndarray of uint8
        Digits 0-9, shape (n,): the file's 10 is the digit 0 [1].

    Raises
    ------
    DataError
        If the file is missing, damaged, too large, or holds anything else.

    Examples
    --------
    >>> read_svhn(Path("test_32x32.mat"))
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: test_32x32.mat: not a readable SVHN file (no such file); \
expected MATLAB 5.0 with X, uint8 of (32, 32, 3, n), and y, labels 1-10 of (n, 1); \
download it again
    """
    with _telling(path, *_SVHN):
        held = _matrices(_file(path))
        if not {"X", "y"} <= held.keys():
            raise ValueError(f"numeric variables: {', '.join(held) or 'none'}")
        pixels, digits = held["X"], held["y"]
        n = pixels.shape[-1] if pixels.ndim else 0
        if pixels.shape != (SIDE, SIDE, 3, n) or pixels.dtype != np.uint8 or not n:
            raise ValueError(f"X is {pixels.dtype} of {pixels.shape}")
        if digits.shape != (n, 1):
            raise ValueError(f"{n} images and y of {digits.shape}")
        bad = ~np.isin(digits[:, 0], np.arange(1, 11))
        if bad.any():
            raise ValueError(f"label {digits[bad, 0][0]} of image {np.argmax(bad) + 1}")
        return pixels.transpose(3, 2, 0, 1), (digits[:, 0] % 10).astype(np.uint8)


@contextmanager
def _telling(path: Path, kind: str, expected: str) -> Iterator[None]:
    """Turn whatever goes wrong in a file into one error that names the file and the reason."""
    try:
        yield
    except (
        OSError, EOFError, ValueError, struct.error, zlib.error, lzma.LZMAError, tarfile.TarError,
    ) as err:  # fmt: skip
        reason = "no such file" if isinstance(err, FileNotFoundError) else str(err)
        raise DataError(
            f"not a readable {kind} ({reason})",
            where=str(path),
            expected=expected,
            remedy="download it again",
        ) from err


def _file(path: Path) -> bytes:
    with path.open("rb") as handle:
        raw = handle.read(MOST_BYTES + 1)
    if not raw:
        raise ValueError("empty file")
    if len(raw) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES} bytes")
    return raw


def _gzip(packed: bytes) -> bytes:
    if packed[:2] != b"\x1f\x8b":
        raise ValueError(f"it begins with {packed[:2].hex()}, gzip with 1f8b")
    return packed


def _unpacked(packed: bytes, most: int, wbits: int) -> bytes:
    """Inflate one gzip (wbits 31) or zlib (15) stream of at most `most` bytes, checksum checked."""
    engine = zlib.decompressobj(wbits)
    return _whole(engine, engine.decompress(packed, most + 1), most)


def _unpacked_xz(packed: bytes) -> bytes:
    engine = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_BYTES)
    return _whole(engine, engine.decompress(packed, MOST_BYTES + 1), MOST_BYTES)


def _whole(engine: "zlib._Decompress | lzma.LZMADecompressor", raw: bytes, most: int) -> bytes:
    if len(raw) > most:
        raise ValueError(f"it unpacks to more than {most} bytes")
    if not engine.eof:
        raise ValueError("its compressed stream is cut short")
    if engine.unused_data:
        raise ValueError(f"{len(engine.unused_data)} bytes after its compressed stream")
    return raw


def _matrices(packed: bytes) -> dict[str, NDArray[Any]]:
    """Read the real numeric matrices of a MATLAB 5.0 file by name.

    Read here, not by scipy.io.loadmat, because that ends the whole process at some damaged files.
    """
    if not packed.startswith(b"MATLAB 5.0 MAT-file") or packed[126:128] != b"IM":
        raise ValueError(f"it begins with {packed[:10]!r}")
    found: dict[str, NDArray[Any]] = {}
    at, left = 128, MOST_BYTES
    while at < len(packed):
        kind, size = struct.unpack_from("<II", packed, at)
        body = packed[at + 8 : at + 8 + size]
        if len(body) != size:
            raise ValueError("its last variable is cut short")
        if kind == _COMPRESSED:
            body = _unpacked(body, left, 15)
            left -= len(body)
            kind, body = struct.unpack_from("<I", body)[0], body[8:]
        if kind == _MATRIX:
            _matrix(body, found)
        at += 8 + size
    return found


def _matrix(body: bytes, found: dict[str, NDArray[Any]]) -> None:
    """Add one matrix to `found`, unless it is no plain numeric one."""
    at, elements = 0, []
    for _ in range(4):  # flags, sizes, name, numbers
        kind, size = struct.unpack_from("<HH", body, at)
        if size:  # at most four bytes, packed into the tag
            start, step = at + 4, 8
        else:
            kind, size = struct.unpack_from("<II", body, at)
            start, step = at + 8, 8 + -(-size // 8) * 8
        if start + size > len(body):
            raise ValueError("a variable is cut short")
        elements.append((kind, body[start : start + size]))
        at += step
        if elements[0][1][:1] not in _NUMERIC:
            return
    _, (_, sizes), (_, name), (kind, numbers) = elements
    shape = np.frombuffer(sizes, "<i4").tolist()
    if kind not in _NUMBERS or min(shape, default=0) < 0 or name.decode() in found:
        raise ValueError(f"variable {name.decode():.20} of type {kind} and size {shape}")
    found[name.decode()] = np.frombuffer(numbers, _NUMBERS[kind]).reshape(shape, order="F")


def _members(raw: bytes) -> dict[str, dict[tuple[int, int], bytes]]:
    """List JPEG files by part, then by number and class."""
    found: dict[str, dict[tuple[int, int], bytes]] = {"train": {}, "test": {}}
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
        for member in archive:
            if member.isdir():
                continue
            match = _MEMBER.fullmatch(member.name)
            content = archive.extractfile(member) if match and member.isreg() else None
            if match is None or content is None or not 0 < member.size <= _MOST_JPEG:
                raise ValueError(f"member {member.name:.80} of {member.size} bytes")
            part, name, number = match.groups()
            key = int(number), CIFAR_CLASSES.index(name)
            if key in found[part]:
                raise ValueError(f"member {member.name} twice")
            found[part][key] = content.read()
    return found


def _decoded(members: dict[tuple[int, int], bytes]) -> tuple[Bytes, Bytes]:
    """Decode JPEG files in the order of the fixed permutation."""
    from PIL import Image  # only where there are JPEG files

    keys = sorted(members)
    keys = [keys[k] for k in np.random.default_rng(ORDER_SEED).permutation(len(keys))]
    pixels = np.empty((len(keys), 3, SIDE, SIDE), np.uint8)
    with warnings.catch_warnings():  # of sizes that are refused below, before any pixel is decoded
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        for k, (number, label) in enumerate(keys):
            try:
                with Image.open(io.BytesIO(members[number, label]), formats=("JPEG",)) as picture:
                    if picture.size != (SIDE, SIDE) or picture.mode != "RGB":
                        raise ValueError(f"size {picture.size}, mode {picture.mode}")
                    pixels[k] = np.asarray(picture).transpose(2, 0, 1)
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as err:
                where = f"image {number} of class {CIFAR_CLASSES[label]}"
                raise ValueError(f"{where}: {err}") from err
    return pixels, np.array([label for _, label in keys], np.uint8)
