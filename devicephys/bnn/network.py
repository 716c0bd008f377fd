"""Binarized multilayer perceptrons: the record, its file format, its description.

A layer computes the integer ``z = W x`` with ``W`` and ``x`` in {-1, +1}. Hidden layers emit
+1 where ``z - threshold >= 0`` and -1 elsewhere; the output layer's class is the argmax of
``z - threshold``. Batch normalisation is folded into the integer thresholds when a network is
exported, so a network holds nothing but bits and integers.
"""

import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devicephys.errors import DataError
from devicephys.io.files import read_bytes

SCHEMA = "devicephys-bnn-1"
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError,
    ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError,
    NotImplementedError, RuntimeError,
)  # fmt: skip
MAX_BITS = 2**31  # refuse files that claim more weights than any network this package is for


@dataclass(frozen=True)
class Layer:
    """One binarized layer.

    Attributes
    ----------
    weights : ndarray of int8
        Weights, each -1 or +1, shape (n_out, n_in) [1].
    threshold : ndarray of int32
        Thresholds, shape (n_out,) [1].
    """

    weights: NDArray[np.int8]
    threshold: NDArray[np.int32]

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or self.threshold.shape != self.weights.shape[:1]:
            raise DataError(
                f"weights {self.weights.shape} with thresholds {self.threshold.shape}",
                expected="shapes (n_out, n_in) and (n_out,)",
            )
        if not (np.abs(self.weights) == 1).all():
            raise DataError("weights other than -1 and +1")
        if np.abs(self.threshold.astype(np.float64)).max(initial=0) > self.weights.shape[1] + 1:
            raise DataError(
                "threshold beyond every possible sum",
                expected=f"|threshold| <= n_in + 1 = {self.weights.shape[1] + 1}",
            )
        object.__setattr__(self, "threshold", self.threshold.astype(np.int32))


@dataclass(frozen=True)
class Network:
    """A binarized multilayer perceptron.

    Attributes
    ----------
    name : str
        Short name, as the command line knows it.
    input_levels : tuple of int
        Pixel levels of the thermometer input code: pixel j gives one input per level, +1 where
        pixel > level and -1 elsewhere, ordered level by level [1].
    layers : tuple of Layer
        Layers from input to output.
    record : mapping
        How the network was made: images, licence, command, seed, accuracies.
    """

    name: str
    input_levels: tuple[int, ...]
    layers: tuple[Layer, ...]
    record: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.layers or not self.input_levels:
            raise DataError(f"network {self.name!r} has no layer or no input level")
        for k, (a, b) in enumerate(zip(self.layers[:-1], self.layers[1:], strict=True)):
            if a.weights.shape[0] != b.weights.shape[1]:
                raise DataError(
                    f"network {self.name!r}: layer {k} has {a.weights.shape[0]} outputs, "
                    f"layer {k + 1} takes {b.weights.shape[1]}",
                    expected="equal numbers",
                )
        if self.layers[0].weights.shape[1] % len(self.input_levels):
            raise DataError(
                f"network {self.name!r}: {self.layers[0].weights.shape[1]} inputs with "
                f"{len(self.input_levels)} input levels",
                expected="a whole number of pixels",
            )

    @property
    def n_pixels(self) -> int:
        """Number of pixels of an input image [1]."""
        return int(self.layers[0].weights.shape[1]) // len(self.input_levels)

    @property
    def n_weights(self) -> int:
        """Number of weight bits, each stored in one memory cell or pair [1]."""
        return sum(layer.weights.size for layer in self.layers)


def describe(network: Network) -> str:
    """Describe a network in one line: name, sizes, weight bits.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    str
        For example ``digits: 192-64-10, 12928 weight bits, input levels 4 8 12``.

    Examples
    --------
    >>> layer = Layer(np.ones((2, 4), np.int8), np.zeros(2, np.int32))
    >>> describe(Network("tiny", (127,), (layer,)))
    'tiny: 4-2, 8 weight bits, input levels 127'
    """
    sizes = [network.layers[0].weights.shape[1]] + [x.weights.shape[0] for x in network.layers]
    levels = " ".join(map(str, network.input_levels))
    return (
        f"{network.name}: {'-'.join(map(str, sizes))}, {network.n_weights} weight bits, "
        f"input levels {levels}"
    )


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
    >>> tiny = Network("tiny", (127,), (layer,))
    >>> from_bytes(to_bytes(tiny)).layers[0].weights.tolist()
    [[1, 1, 1, 1], [1, 1, 1, 1]]
    """
    header = {
        "schema": SCHEMA,
        "name": network.name,
        "input_levels": list(network.input_levels),
        "shapes": [list(layer.weights.shape) for layer in network.layers],
        "record": dict(network.record),
    }
    arrays = {"header": np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)}
    for k, layer in enumerate(network.layers):
        arrays[f"bits_{k}"] = np.packbits(layer.weights.ravel() > 0)
        arrays[f"threshold_{k}"] = layer.threshold.astype("<i4")
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
            header = json.loads(_member(archive, "header").tobytes())
            if header.get("schema") != SCHEMA:
                raise ValueError(f"schema {header.get('schema')!r} is not {SCHEMA!r}")
            layers = tuple(
                _layer(_member(archive, f"bits_{k}"), _member(archive, f"threshold_{k}"), *shape)
                for k, shape in enumerate(header["shapes"])
            )
        levels = tuple(header["input_levels"])
        if not all(type(level) is int for level in levels):
            raise ValueError(f"input levels {levels}")
        return Network(str(header["name"]), levels, layers, dict(header["record"]))
    except UNREADABLE as err:
        reason = " ".join(str(err).split())
        raise DataError(
            f"not a readable network file ({reason})",
            where=where,
            expected="an npz written by devicephys",
        ) from err


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """Read one array whose declared size is the size that is there; never an object."""
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > MAX_BITS // 4:
        raise ValueError(f"members too large: {name}")
    with archive.open(info) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f"member {name} is of another npy version")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype.hasobject:
            raise ValueError(f"member {name} holds pickled objects, allow_pickle=False")
        data = file.read()
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"member {name} declares shape {shape} over {len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape)


def _layer(bits: NDArray[Any], threshold: NDArray[Any], n_out: int, n_in: int) -> Layer:
    if type(n_out) is not int or type(n_in) is not int:
        raise ValueError(f"layer shape ({n_out}, {n_in})")
    if n_out < 1 or n_in < 1 or n_out * n_in > MAX_BITS:
        raise ValueError(f"layer shape ({n_out}, {n_in})")
    if bits.dtype != np.uint8 or bits.shape != ((n_out * n_in + 7) // 8,):
        raise ValueError(f"packed bits {bits.dtype} {bits.shape} for shape ({n_out}, {n_in})")
    if threshold.dtype.kind != "i":
        raise ValueError(f"thresholds of type {threshold.dtype}")
    ones = np.unpackbits(bits, count=n_out * n_in).reshape(n_out, n_in)
    return Layer((2 * ones.astype(np.int8) - 1).astype(np.int8), threshold)


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
