"""Checkpoints of a training: one npz file, without pickle, from which it goes on bit by bit.

The file holds the request (everything that the numbers depend on), the number of finished
epochs, the state of the random numbers as JSON, and the arrays as they are in memory. Members are
stored uncompressed, and one of another size or type than asked for is refused, so a file cannot
claim more memory than it has bytes.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devicephys.errors import DataError, OutputExistsError
from devicephys.io.files import read_bytes, write_bytes

SCHEMA = "devicephys-training-1"
Arrays = Mapping[str, NDArray[np.float32]]
UNREADABLE = (
    zipfile.BadZipFile, EOFError, OSError, ValueError, TypeError, KeyError, AttributeError,
    OverflowError, RecursionError, NotImplementedError, RuntimeError,
)  # fmt: skip


def state_text(rng: np.random.Generator) -> str:
    """Write the state of a source of random numbers as JSON.

    Parameters
    ----------
    rng : numpy.random.Generator
        The source.

    Returns
    -------
    str
        Its ``bit_generator.state``.

    Examples
    --------
    >>> state_text(np.random.default_rng(1))[:27]
    '{"bit_generator": "PCG64", '
    """
    return json.dumps(rng.bit_generator.state, default=np.ndarray.tolist)


def save(
    path: Path, request: Mapping[str, Any], epoch: int, arrays: Arrays, rng: np.random.Generator
) -> None:
    """Write a checkpoint whole, in place of the one before.

    Parameters
    ----------
    path : Path
        The file.
    request : mapping
        Everything that the numbers depend on, as JSON can hold it.
    epoch : int
        Finished epochs [1].
    arrays : mapping
        The arrays by name.
    rng : numpy.random.Generator
        The source of random numbers, in its state after these epochs.

    Raises
    ------
    DataError, OutputExistsError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> rng = np.random.default_rng(1)
    >>> with TemporaryDirectory() as scratch:
    ...     path = Path(scratch) / "x.npz.checkpoint"
    ...     save(path, {"seed": 1}, 7, {"w": np.ones(2, np.float32)}, rng)
    ...     w = np.zeros(2, np.float32)
    ...     print(resume(path, {"seed": 1}, {"w": w}, rng), w)
    7 [1. 1.]
    """
    header = {"schema": SCHEMA, "request": request, "epoch": epoch, "rng": state_text(rng)}
    content: dict[str, Any] = {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)}
    content.update(arrays)
    out = io.BytesIO()
    np.savez(out, **content)
    write_bytes(path, out.getvalue(), force=True)


def resume(path: Path, request: Mapping[str, Any], arrays: Arrays, rng: np.random.Generator) -> int:
    """Take up a checkpoint, if there is one: fill the arrays and set the random numbers.

    Parameters
    ----------
    path : Path
        The file.
    request : mapping
        The request, as for `save`.
    arrays : mapping
        The arrays by name, filled in place.
    rng : numpy.random.Generator
        The source of random numbers, set in place.

    Returns
    -------
    int
        Finished epochs; 0 where there is no file [1].

    Raises
    ------
    OutputExistsError
        If the checkpoint belongs to another request.
    DataError
        If the file is damaged or no checkpoint.

    Examples
    --------
    >>> resume(Path("missing.npz.checkpoint"), {}, {}, np.random.default_rng(1))
    0
    """
    if not path.exists():
        return 0
    content = read_bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            header = json.loads(_member(archive, "header").tobytes())
            if header["schema"] != SCHEMA:
                raise ValueError(f"schema {header['schema']!r} is not {SCHEMA!r}")
            _refuse_other(header["request"], request, path)
            epoch = header["epoch"]
            if type(epoch) is not int or epoch < 1:
                raise ValueError(f"epoch {epoch!r}")
            found = {name: _member(archive, name) for name in arrays}
        for name, array in arrays.items():
            if (found[name].dtype, found[name].shape) != (array.dtype, array.shape):
                raise ValueError(f"{name} is {found[name].dtype} of shape {found[name].shape}")
        rng.bit_generator.state = json.loads(header["rng"])
    except UNREADABLE as err:
        raise DataError(
            f"not a readable checkpoint ({' '.join(str(err).split())})",
            where=str(path),
            expected="a file that devicephys train has written",
            remedy="remove it to train from the start, or choose another output",
        ) from err
    for name, array in arrays.items():
        array[...] = found[name]
    return epoch


def _refuse_other(found: Mapping[str, Any], request: Mapping[str, Any], path: Path) -> None:
    asked = json.loads(json.dumps(request))  # tuples are lists in a file
    differs = [key for key in {**found, **asked} if found.get(key) != asked.get(key)]
    if differs:
        raise OutputExistsError(
            f"checkpoint of another training, which differs in {', '.join(sorted(differs))}",
            where=str(path),
            expected="the same training, to finish it",
            remedy="choose another output, or remove this file to train from the start",
        )


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """Read one array, whose declared size is the size that is there; never an object."""
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"member {name} is compressed")
    with archive.open(info) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f"member {name} is of another npy version")
        shape, column_first, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype.hasobject or column_first:
            raise ValueError(f"member {name} holds no plain numbers")
        return np.frombuffer(file.read(), dtype).reshape(shape)
