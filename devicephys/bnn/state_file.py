"""Files of trained arrays, read without running anything: ``.npz`` and ``.safetensors``."""

import io
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devicephys.errors import DataError
from devicephys.io.files import read_bytes

State = dict[str, NDArray[Any]]
MOST_BYTES = 2**31  # of all arrays together; more than any network this package is for
MOST_HEADER = 2**20  # bytes of the header of a safetensors file
CONVERT = (
    "write the arrays of a pickled PyTorch file where you trust it: numpy.savez('net.npz', "
    "**{k: v.numpy() for k, v in torch.load('net.pt', weights_only=True).items()})"
)
_TYPES: Mapping[str, str] = MappingProxyType(
    {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
     "I8": "<i1", "U8": "<u1", "BOOL": "|b1", "BF16": "<u2"}
)  # fmt: skip
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, TypeError, KeyError,
    AttributeError, OverflowError, RecursionError, NotImplementedError, RuntimeError, struct.error,
)  # fmt: skip


def read_state(path: str | Path) -> State:
    """Read named arrays from an npz or a safetensors file; nothing in it is executed.

    Parameters
    ----------
    path : str or Path
        The file: an npz archive, as numpy.savez writes it, in the order of its members; or a
        safetensors file (https://huggingface.co/docs/safetensors), in the order of its data, which
        is seldom that of the layers.

    Returns
    -------
    dict
        The arrays by name.

    Raises
    ------
    DataError
        If the file is missing, pickled, damaged or larger than 2 GiB.

    Examples
    --------
    >>> read_state("missing.npz")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.npz: no such file; check the path
    """
    content = read_bytes(path)
    try:
        if Path(path).suffix == ".safetensors":
            return _safetensors(content)
        return _npz(content)
    except _UNREADABLE as err:
        raise DataError(
            f"not readable as named arrays ({' '.join(str(err).split()):.300})",
            where=str(path),
            expected="an npz archive without pickled objects, or a safetensors file",
            remedy=CONVERT,
        ) from err


def _npz(content: bytes) -> State:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if any(not info.filename.endswith(".npy") for info in members):
            raise ValueError("an archive of something else, such as a pickled PyTorch file")
        if sum(info.file_size for info in members) > MOST_BYTES:
            raise ValueError(f"declares more than {MOST_BYTES} bytes")
        state: State = {}
        for info in members:
            with archive.open(info) as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
            state[info.filename.removesuffix(".npy")] = array
    return state


def _safetensors(content: bytes) -> State:
    (size,) = struct.unpack_from("<Q", content)
    if size > min(MOST_HEADER, len(content) - 8):
        raise ValueError(f"declares a header of {size} bytes")
    header = json.loads(content[8 : 8 + size])
    data = memoryview(content)[8 + size :]
    header.pop("__metadata__", None)
    state: State = {}
    for name, said in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        kind, shape = said["dtype"], said["shape"]
        start, stop = said["data_offsets"]
        if kind not in _TYPES or not all(type(n) is int and n >= 0 for n in (*shape, start, stop)):
            raise ValueError(f"{name}: {kind} of shape {shape} at {start} to {stop}")
        dtype = np.dtype(_TYPES[kind])
        if not start <= stop <= len(data) or stop - start != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{name}: shape {shape} of {kind} over bytes {start} to {stop}")
        array = np.frombuffer(data[start:stop], dtype).reshape(shape)
        if kind == "BF16":  # the upper half of a float32
            array = (array.astype("<u4") << 16).view("<f4")
        state[name] = array
    return state
