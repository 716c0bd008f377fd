"""The file of a network: one npz archive of packed bits and integers, read without pickle."""

import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devicephys.bnn.network import ImageCode, Layer, Network
from devicephys.errors import DataError
from devicephys.io.files import read_bytes

SCHEMA = "devicephys-bnn-2"
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError,
    ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError,
    NotImplementedError, RuntimeError,
)  # fmt: skip
MAX_BITS = 2**28  # refuse files that claim more weights than any network this package is for
MAX_HEADER, NPY_HEADER = 2**20, 2**10  # bytes


def to_bytes(network: Network) -> bytes:
    """Serialise a network as an npz archive of packed bits and integers.

    The bytes depend on the network alone (no time stamps), so equal networks give equal files.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    bytes
        The content of the npz file.

    Examples
    --------
    >>> layer = Layer(np.ones((2, 4), np.int8), np.zeros(2, np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 2, 2), (127,)), (layer,))
    >>> from_bytes(to_bytes(tiny)).layers[0].weights.tolist()
    [[1, 1, 1, 1], [1, 1, 1, 1]]
    """
    header = {
        "schema": SCHEMA,
        "name": network.name,
        "image": {"shape": network.image.shape, "levels": network.image.levels},
        "layers": [
            {"shape": x.weights.shape, "padding": x.padding, "pool": x.pool}
            | ({} if x.gain is None else {"gain": True})
            for x in network.layers
        ],
        "record": dict(network.record),
    }
    arrays = {"header": np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)}
    for k, layer in enumerate(network.layers):
        arrays[f"bits_{k}"] = np.packbits(layer.weights.ravel() > 0)
        arrays[f"threshold_{k}"] = layer.threshold.astype("<i4")
        if layer.gain is not None:
            arrays[f"gain_{k}"] = layer.gain.astype("<i4")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            info = zipfile.ZipInfo(name + ".npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, member.getvalue())
    return out.getvalue()


def from_bytes(content: bytes, where: str = "network") -> Network:
    """Rebuild a network from the bytes of an npz file; nothing in the file is executed.

    Parameters
    ----------
    content : bytes
        The content of the npz file.
    where : str, optional
        Name of the file, for messages.

    Returns
    -------
    Network
        The network, checked.

    Raises
    ------
    DataError
        If the archive is damaged, holds pickled objects or does not fit the schema.

    Examples
    --------
    >>> from_bytes(b"not a zip", "bad.npz")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: bad.npz: not a readable network file (File is not a zip file); \
expected an npz written by devicephys
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            header = json.loads(_member(archive, "header", MAX_HEADER).tobytes())
            if header.get("schema") != SCHEMA:
                raise ValueError(f"schema {header.get('schema')!r} is not {SCHEMA!r}")
            shapes = [_integers(said["shape"]) for said in header["layers"]]
            if sum(abs(math.prod(shape)) for shape in shapes) > MAX_BITS:
                raise ValueError(f"more than {MAX_BITS} weights")
            layers = tuple(_layer(archive, k, said) for k, said in enumerate(header["layers"]))
        (channels, height, width), levels = (
            _integers(header["image"][key]) for key in ("shape", "levels")
        )
        image = ImageCode((channels, height, width), levels)
        return Network(str(header["name"]), image, layers, dict(header["record"]))
    except DataError as err:
        raise DataError(f"not a network ({err})", where=where) from err
    except UNREADABLE as err:
        reason = " ".join(str(err).split())
        raise DataError(
            f"not a readable network file ({reason})",
            where=where,
            expected="an npz written by devicephys",
        ) from err


def _member(archive: zipfile.ZipFile, name: str, most: int) -> NDArray[Any]:
    """Read one array whose declared size is the size that is there; never an object."""
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > most + NPY_HEADER:
        raise ValueError(f"member {name} is of {info.file_size} bytes instead of {most}")
    with archive.open(info) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f"member {name} is of another npy version")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype.hasobject:
            raise ValueError(f"member {name} holds pickled objects, allow_pickle=False")
        data = file.read(most + NPY_HEADER)  # never more, whatever the archive holds
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"member {name} declares shape {shape} over {len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape)


def _layer(archive: zipfile.ZipFile, k: int, said: Mapping[str, Any]) -> Layer:
    shape, (padding, pool) = _integers(said["shape"]), _integers((said["padding"], said["pool"]))
    n = math.prod(shape)
    if not shape or min(shape) < 1:
        raise ValueError(f"layer shape {shape}")
    bits = _member(archive, f"bits_{k}", (n + 7) // 8)
    threshold = _member(archive, f"threshold_{k}", 4 * shape[0])
    gain = _member(archive, f"gain_{k}", 4 * shape[0]) if said.get("gain", False) else None
    if bits.dtype != np.uint8 or bits.shape != ((n + 7) // 8,):
        raise ValueError(f"packed bits {bits.dtype} {bits.shape} for shape {shape}")
    if threshold.dtype != np.dtype("<i4"):
        raise ValueError(f"thresholds of type {threshold.dtype}")
    if gain is not None and gain.dtype != np.dtype("<i4"):
        raise ValueError(f"gains of type {gain.dtype}")
    ones = np.unpackbits(bits, count=n).astype(np.int8).reshape(shape)
    gains = None if gain is None else gain.astype(np.int32)
    return Layer(2 * ones - 1, threshold.astype(np.int32), padding, pool, gains)


def _integers(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list | tuple) or not all(type(value) is int for value in values):
        raise ValueError(f"{values} are not all integers")
    return tuple(values)


def load(path: str | Path) -> Network:
    """Read a network from an npz file.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Network
        The network, checked.

    Raises
    ------
    DataError
        If the file is missing or does not fit the schema.

    Examples
    --------
    >>> load("missing.npz")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.npz: no such file; check the path
    """
    return from_bytes(read_bytes(path), str(path))
