"""Checks of arguments that name the argument, its value, its range and its unit."""

import difflib
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from devicephys.errors import ParameterError

Array = NDArray[np.float64]
ZERO = 1e-300  # a bound of -ZERO lets zero in


def in_range(
    name: str,
    value: ArrayLike,
    unit: str,
    *,
    above: float = -np.inf,
    below: float = np.inf,
    inclusive: bool = False,
    scalar: bool = False,
    remedy: str = "",
) -> Array:
    """Return `value` as floats after checking that all of it is finite and inside a range.

    Parameters
    ----------
    name : str
        Name of the argument, as the caller knows it.
    value : array_like
        Numbers to check, any shape [`unit`].
    unit : str
        Unit that the message shows; "1" for pure numbers.
    above, below : float, optional
        Open bounds of the range, or closed ones where `inclusive` [`unit`].
    inclusive : bool, optional
        Whether the bounds themselves are allowed.
    scalar : bool, optional
        Whether one number is asked for, not an array.
    remedy : str, optional
        Advice to append to the message.

    Returns
    -------
    ndarray
        `value` as float64, shape of `value` [`unit`].

    Raises
    ------
    ParameterError
        If any element is no number, not finite or not inside the range.

    Examples
    --------
    >>> in_range("delta", 60.0, "1", above=0.0)
    array(60.)
    """
    try:
        if np.iscomplexobj(value):
            raise TypeError
        x = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as err:
        raise ParameterError(f"{name} = {value!r:.60}", expected=f"a number [{unit}]") from err
    if scalar and x.ndim:
        raise ParameterError(f"{name} of shape {x.shape}", expected=f"one number [{unit}]")
    inside = (x >= above) & (x <= below) if inclusive else (x > above) & (x < below)
    bad = ~(np.isfinite(x) & inside)
    if bad.any():
        first = float(x[bad].flat[0]) if x.ndim else float(x)
        low, high = ("[", "]") if inclusive else ("(", ")")
        if -ZERO <= above < 0:
            low, above = "[", 0.0
        raise ParameterError(
            f"{name} = {first:g} {unit}".removesuffix(" 1"),
            expected=f"finite, in {low}{above:g}, {below:g}{high}"
            + ("" if unit == "1" else f" {unit}"),
            remedy=remedy,
        )
    return x


def whole(name: str, value: float, *, least: int) -> int:
    """Return `value` as an integer after checking that it is one, and large enough.

    Parameters
    ----------
    name : str
        Name of the argument, as the caller knows it.
    value : float
        The number to check [1].
    least : int
        Smallest value allowed [1].

    Returns
    -------
    int
        `value` [1].

    Raises
    ------
    ParameterError
        If it is not a whole number or too small.

    Examples
    --------
    >>> whole("bits", 72, least=1)
    72
    """
    x = float(in_range(name, value, "1", scalar=True))
    if x != round(x) or x < least:
        raise ParameterError(f"{name} = {x:g}", expected=f"a whole number >= {least}")
    return round(x)


def generator(rng: object) -> np.random.Generator:
    """Return `rng` after checking that it is a source of random numbers.

    Parameters
    ----------
    rng : object
        What was given.

    Returns
    -------
    numpy.random.Generator
        `rng`.

    Raises
    ------
    ParameterError
        If it is anything else.

    Examples
    --------
    >>> generator(1)
    Traceback (most recent call last):
        ...
    devicephys.errors.ParameterError: rng = 1; expected numpy.random.default_rng(seed)
    """
    if not isinstance(rng, np.random.Generator):
        raise ParameterError(f"rng = {rng!r:.60}", expected="numpy.random.default_rng(seed)")
    return rng


def rising(name: str, times: ArrayLike, *, above: float = -np.inf) -> Array:
    """Return `times` as a row after checking that they rise strictly.

    Parameters
    ----------
    name : str
        Name of the argument, for messages.
    times : array_like
        The times, shape (n,) or one number [s].
    above : float, optional
        Bound that all of them must exceed [s].

    Returns
    -------
    ndarray
        The times, shape (n,) [s].

    Raises
    ------
    ParameterError
        If there is none, they do not rise, or one is out of range.

    Examples
    --------
    >>> rising("times", [1.0, 1.0])
    Traceback (most recent call last):
        ...
    devicephys.errors.ParameterError: times[1] = 1 s after 1 s; expected times that rise \
strictly; sort them and drop repetitions
    """
    t = np.atleast_1d(in_range(name, times, "s", above=above))
    if t.ndim != 1 or not t.size:
        raise ParameterError(f"{name} of shape {t.shape}", expected="a row of one time or more")
    back = np.flatnonzero(np.diff(t) <= 0)
    if back.size:
        k = int(back[0]) + 1
        raise ParameterError(
            f"{name}[{k}] = {t[k]:g} s after {t[k - 1]:g} s",
            expected="times that rise strictly",
            remedy="sort them and drop repetitions",
        )
    return t


def together(**arrays: ArrayLike) -> list[Array]:
    """Broadcast arguments against each other.

    Parameters
    ----------
    **arrays : array_like
        The arguments by name, any shapes [any].

    Returns
    -------
    list of ndarray
        The arguments as floats, one common shape [any].

    Raises
    ------
    ParameterError
        If the shapes do not fit or there is nothing in them.

    Examples
    --------
    >>> [x.shape for x in together(i=[[1.0], [2.0]], tau=[1.0, 2.0, 3.0])]
    [(2, 3), (2, 3)]
    """
    values = [in_range(name, x, "1") for name, x in arrays.items()]
    shapes = ", ".join(f"{name} {x.shape}" for name, x in zip(arrays, values, strict=True))
    try:
        found = list(np.broadcast_arrays(*values))
    except ValueError as err:
        raise ParameterError(
            f"shapes that do not fit: {shapes}", expected="shapes that broadcast"
        ) from err
    if not found[0].size:
        raise ParameterError(f"nothing to compute: {shapes}", expected="one point at least")
    return found


def known(kind: str, name: str, names: Iterable[str], *, where: str = "") -> str:
    """Return `name` if it is one of `names`; otherwise raise, listing the closest.

    Parameters
    ----------
    kind : str
        What the name stands for, for the message ("recipe", "study key").
    name : str
        The name to look up.
    names : iterable of str
        The names that exist.
    where : str, optional
        File or argument that holds the name.

    Returns
    -------
    str
        `name`, unchanged.

    Raises
    ------
    ParameterError
        If `name` is not among `names`.

    Examples
    --------
    >>> known("direction", "P->AP", ("P->AP", "AP->P"))
    'P->AP'
    """
    options = list(names)
    if name in options:
        return name
    close = difflib.get_close_matches(name, options, n=2, cutoff=0.5)
    raise ParameterError(
        f"unknown {kind} {name!r}",
        where=where,
        expected=f"one of {', '.join(sorted(options))}",
        remedy=f"did you mean {' or '.join(map(repr, close))}?" if close else "",
    )
