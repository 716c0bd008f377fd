"""Shipped data: synthetic counts and networks, each with its origin in ``ORIGINS.md``."""

from pathlib import Path

from devicephys.checks import known

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """List the shipped files.

    Returns
    -------
    list of str
        File names, sorted.

    Examples
    --------
    >>> "digits.npz" in names()
    True
    """
    return sorted(p.name for p in FOLDER.rglob("*") if p.suffix in {".csv", ".npz"})


def path(name: str) -> Path:
    """Give the path of a shipped file.

    Parameters
    ----------
    name : str
        File name, one of `names`.

    Returns
    -------
    Path
        Where the file lies.

    Raises
    ------
    ParameterError
        If no such file is shipped.

    Examples
    --------
    >>> path("digits.npz").name
    'digits.npz'
    """
    known("shipped file", name, names())
    return next(p for p in FOLDER.rglob(name))
