"""Bytes in and out: whole files or none, with errors that a person can act on."""

import hashlib
import math
import os
import re
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from devicephys.checks import known
from devicephys.errors import DataError, OutputExistsError, ParameterError

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def read_bytes(path: str | Path) -> bytes:
    """Read a file whole.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    bytes
        Its content, at least one byte.

    Raises
    ------
    DataError
        If the file is missing, unreadable or empty.

    Examples
    --------
    >>> read_bytes("missing.csv")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.csv: no such file; check the path
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as err:
        raise DataError("no such file", where=str(path), remedy="check the path") from err
    except IsADirectoryError as err:
        raise DataError("is a folder", where=str(path), expected="a file") from err
    except OSError as err:
        raise DataError(
            f"cannot be read ({err.strerror})", where=str(path), remedy="check its permissions"
        ) from err
    if not content:
        raise DataError("empty file", where=str(path), remedy="export the data again")
    return content


def decode(content: bytes, where: str) -> str:
    """Decode UTF-8 text, with or without a byte-order mark.

    Parameters
    ----------
    content : bytes
        The bytes.
    where : str
        Name of the file, for messages.

    Returns
    -------
    str
        The text.

    Raises
    ------
    DataError
        If the bytes are not UTF-8, with the line that holds the first bad byte.

    Examples
    --------
    >>> decode(b"a\\n\\xff", "x.csv")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: x.csv:2: byte 0xff is not UTF-8; expected UTF-8 text; \
save the file as UTF-8
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = err.object[: err.start].count(b"\n") + 1
        raise DataError(
            f"byte 0x{err.object[err.start]:02x} is not UTF-8",
            where=f"{where}:{line}",
            expected="UTF-8 text",
            remedy="save the file as UTF-8",
        ) from err


def parse_toml(
    content: bytes, where: str, kind: str, keys: Iterable[str], manual: str
) -> dict[str, Any]:
    """Parse a TOML file, whose top keys are known.

    Parameters
    ----------
    content : bytes
        The bytes of the file.
    where : str
        The file, for messages.
    kind : str
        What the file describes, for messages.
    keys : iterable of str
        Keys that it may hold.
    manual : str
        Page that describes it.

    Returns
    -------
    dict
        Its content.

    Raises
    ------
    ParameterError
        If it is no TOML or holds another key.
    DataError
        If it is not UTF-8.

    Examples
    --------
    >>> parse_toml(b"a = 1", "a.toml", "junction", ["a"], "docs/a")
    {'a': 1}
    """
    try:
        raw = tomllib.loads(decode(content, where))
    except (tomllib.TOMLDecodeError, RecursionError) as err:
        raise ParameterError(f"not TOML ({err})", where=where, remedy=f"see {manual}") from err
    for key in raw:
        known(f"{kind} key", key, keys, where=where)
    return raw


def parse_number(text: str) -> float:
    """Parse a decimal number as an instrument writes it; stricter than Python.

    Parameters
    ----------
    text : str
        The number, with a decimal point; no grouping, no inf, no nan.

    Returns
    -------
    float
        Its value [1].

    Raises
    ------
    ValueError
        If the text is anything else.

    Examples
    --------
    >>> parse_number("5.71e-05")
    5.71e-05
    >>> parse_number("1_000")
    Traceback (most recent call last):
        ...
    ValueError: '1_000' is not a number
    """
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a number")
    if math.isinf(value := float(text)):
        raise ValueError(f"{text[:40]!r} is beyond all numbers")
    return value


def sha256(content: bytes) -> str:
    """Hash bytes, to say later which data a result came from.

    Parameters
    ----------
    content : bytes
        The bytes.

    Returns
    -------
    str
        SHA-256 in hexadecimal.

    Examples
    --------
    >>> sha256(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(content).hexdigest()


def refuse_existing(path: str | Path, *, force: bool = False) -> Path:
    """Check that an output may be written, before any work is done for it.

    Parameters
    ----------
    path : str or Path
        The output.
    force : bool, optional
        Whether an existing output may be replaced.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    OutputExistsError
        If the output exists and `force` is false.
    DataError
        If its folder does not exist or cannot be written to.

    Examples
    --------
    >>> refuse_existing("a_new_file.csv").name
    'a_new_file.csv'
    """
    path = Path(path)
    if path.exists() and not force:
        raise OutputExistsError(
            "output exists", where=str(path), remedy="choose another name or pass --force"
        )
    if not path.parent.is_dir():
        raise DataError("no such folder", where=str(path.parent), remedy="create it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise DataError(
            "a folder that cannot be written to", where=str(path.parent),
            remedy="choose another place",
        )  # fmt: skip
    return path


def write_bytes(path: str | Path, content: bytes, *, force: bool = False) -> None:
    """Write a file whole or not at all: beside its place first, then renamed.

    Parameters
    ----------
    path : str or Path
        The file.
    content : bytes
        What to write.
    force : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    OutputExistsError, DataError
        As `refuse_existing`.

    Examples
    --------
    >>> write_bytes("no/such/folder/x.txt", b"x")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: no/such/folder: no such folder; create it first
    """
    path = refuse_existing(path, force=force).resolve()  # a link stays one
    if path.is_dir():
        raise OutputExistsError("is a folder", where=str(path), remedy="choose another name")
    if path.exists() and not path.is_file():
        raise OutputExistsError("is no plain file", where=str(path), remedy="choose another name")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".devicephys-")
    except OSError as err:
        raise DataError(
            f"cannot be written ({err.strerror})", where=str(path), remedy="choose another place"
        ) from err
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
