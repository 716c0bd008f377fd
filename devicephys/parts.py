"""Finished chunks of a long run in a folder beside its output, so that a run can go on.

The folder ``<output>.parts`` holds the request as text and one file a chunk, sealed by a hash of
request, number and content: what is damaged, or of another request, is computed again.
"""

import contextlib
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from devicephys.checks import Array
from devicephys.errors import AccuracyError, DataError, OutputExistsError
from devicephys.io.files import read_bytes, sha256, write_bytes

OWN = re.compile(r"request\.json|\d{6}\.part|\.devicephys-.*")  # files of a folder of parts
Progress = Callable[[int, int], None]


def open_folder(out: Path, request: str, *, force: bool = False) -> Path:
    """Give the folder of parts of a request, made where there is none.

    Parameters
    ----------
    out : Path
        The output that the parts are for.
    request : str
        Everything that the numbers depend on, as a JSON object.
    force : bool, optional
        Whether finished chunks of another request may be dropped.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    OutputExistsError
        If the folder holds chunks of another request, or what no sweep has written.
    DataError
        If the folder cannot be made.

    Examples
    --------
    >>> open_folder(Path("no/such/folder/x.nc"), "{}")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: no/such/folder/x.nc.parts: cannot be made (No such file or \
directory); choose another place
    """
    folder = out.with_name(f"{out.name}.parts")
    where = str(folder)
    if folder.exists():
        names = [p.name for p in folder.iterdir()] if folder.is_dir() else [folder.name]
        foreign = sorted(name for name in names if not OWN.fullmatch(name))
        if foreign:
            raise OutputExistsError(
                f"holds {foreign[0]}, which no sweep has written", where=where,
                remedy="choose another output: this folder is needed for finished chunks",
            )  # fmt: skip
        differs = _differences(folder / "request.json", request)
        if differs and not any(name.endswith(".part") for name in names):
            remove(folder)  # interrupted before its first chunk: nothing is lost
            return open_folder(out, request, force=force)
        if differs and not force:
            raise OutputExistsError(
                f"holds finished chunks of another request, which differs in {differs}",
                where=where,
                expected="the same request, to finish it",
                remedy="choose another output, or pass --force to drop these chunks",
            )
        if not differs:
            return folder
        remove(folder)
    try:
        folder.mkdir()
    except OSError as err:
        raise DataError(
            f"cannot be made ({err.strerror})", where=where, remedy="choose another place"
        ) from err
    write_bytes(folder / "request.json", request.encode())
    return folder


def _differences(path: Path, request: str) -> str:
    try:
        old, new = json.loads(read_bytes(path)), json.loads(request)
        names = [k for k in {**old, **new} if old.get(k) != new.get(k)]
    except (DataError, ValueError, TypeError, AttributeError):
        return "what cannot be read: request.json is damaged"
    return ", ".join(sorted(names))


def remove(folder: Path) -> None:
    """Remove a folder of parts, and nothing that is not a sweep's own.

    Parameters
    ----------
    folder : Path
        The folder.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as scratch:
    ...     folder = open_folder(Path(scratch) / "x.nc", "{}")
    ...     remove(folder)
    ...     folder.exists()
    False
    """
    with contextlib.suppress(FileNotFoundError):  # another run has removed it
        for path in folder.iterdir():
            if OWN.fullmatch(path.name):
                path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # holds something else by now: left to its owner
        folder.rmdir()


def fill(
    folder: Path,
    request: str,
    found: Array,
    places: Sequence[tuple[Any, ...]],
    compute: Callable[[int], Array],
    describe: Callable[[int], str],
    progress: Progress,
) -> None:
    """Fill an array chunk by chunk: take up finished chunks, compute and store the others.

    A run that stops before its first chunk is done leaves no folder behind.

    Parameters
    ----------
    folder : Path
        As `open_folder` gives.
    request : str
        The request, as there.
    found : ndarray
        What is filled, in place, shape ``(n_rows, *grid)`` [any].
    places : sequence of tuple
        Where each chunk lies in `found`, as an index, all rows first.
    compute : callable
        Called with the number of a chunk; gives its values.
    describe : callable
        Called with the number of a chunk; says which operating points it holds.
    progress : callable
        Called with (points done, points in all), first with those of finished chunks.

    Raises
    ------
    AccuracyError
        If a chunk cannot be computed, naming its operating points; finished ones are kept.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> found = np.empty((1, 2))
    >>> with TemporaryDirectory() as scratch:
    ...     folder = open_folder(Path(scratch) / "x.nc", "{}")
    ...     fill(folder, "{}", found, [(slice(None), k) for k in range(2)],
    ...          lambda k: np.array([k + 1.0]), str, print)
    0 2
    1 2
    2 2
    >>> found.tolist()
    [[1.0, 2.0]]
    """
    try:
        _fill(folder, sha256(request.encode()), found, places, compute, describe, progress)
    except BaseException:
        if not any(folder.glob("*.part")):
            remove(folder)
        raise


def _fill(
    folder: Path, seal: str, found: Array, places: Sequence[tuple[Any, ...]],
    compute: Callable[[int], Array], describe: Callable[[int], str], progress: Progress,
) -> None:  # fmt: skip
    rows, total, done = len(found), found[0].size, 0
    missing = []
    for number, place in enumerate(places):
        part = _load(folder, number, seal, found[place].shape)
        if part is None:
            missing.append(number)
        else:
            found[place] = part
            done += part.size // rows
    progress(done, total)
    for number in missing:
        try:
            part = compute(number)
        except AccuracyError as err:
            kept = f"finished chunks stay in {folder}" if done else ""
            raise AccuracyError(str(err), where=describe(number), remedy=kept) from err
        _store(folder, number, seal, part)
        found[places[number]] = part
        done += part.size // rows
        progress(done, total)


def _store(folder: Path, number: int, request: str, part: Array) -> None:
    content = np.ascontiguousarray(part, "<f8").tobytes()
    seal = _seal(request, number, content)
    write_bytes(folder / f"{number:06d}.part", seal + content, force=True)


def _load(folder: Path, number: int, request: str, shape: tuple[int, ...]) -> Array | None:
    """Give a finished chunk; None where there is none, or one that is damaged or not ours."""
    try:
        raw = (folder / f"{number:06d}.part").read_bytes()
    except OSError:
        return None
    seal, content = raw[:64], raw[64:]
    if seal != _seal(request, number, content) or len(content) != 8 * math.prod(shape):
        return None
    return np.frombuffer(content, "<f8").reshape(shape).astype(np.float64)


def _seal(request: str, number: int, content: bytes) -> bytes:
    """What makes a chunk trusted: the hash of request, number and content."""
    return sha256(f"{request} {number}\n".encode() + content).encode()
