"""Fast normal numbers in single precision: a table of quantiles under 16-bit random numbers."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float32]
SIZE = 65536
BLOCK = 16384  # numbers drawn together: they stay in the second-level cache


def quantiles() -> NDArray[np.float64]:
    """Tabulate a normal law by the quantiles in the middle of 65536 equal parts.

    Returns
    -------
    ndarray
        Values of mean 0 and, after scaling by 1.00001, variance 1, shape (65536,); they end at
        4.3 sigma [1].

    References
    ----------
    The inverse-CDF method; this project's test of its moments, tests/test_rram_log_law.py.

    Examples
    --------
    >>> table = quantiles()
    >>> round(float(table[-1]), 2), round(float(table.std()), 12)
    (4.32, 1.0)
    """
    table = special.ndtri((np.arange(SIZE) + 0.5) / SIZE)
    return np.asarray(table / table.std())


TABLE = quantiles().astype(np.float32)


def indices(n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw entries of a table of 65536.

    Parameters
    ----------
    n : int
        How many [1].
    rng : numpy.random.Generator
        Source of the numbers.

    Returns
    -------
    ndarray of int
        Equally likely numbers below 65536, shape (n,) [1].

    References
    ----------
    This project's test of its moments, tests/test_rram_log_law.py.

    Examples
    --------
    >>> indices(3, np.random.default_rng(1)).tolist()
    [58623, 31010, 48627]
    """
    words = rng.integers(0, 2**64, -(-n // 4), np.uint64)
    return words.view(np.uint16)[:n].astype(np.intp)


def draw(n: int, rng: np.random.Generator) -> Floats:
    """Draw normal numbers, which end at 4.3 sigma.

    Valid where several draws are added up, or where nothing rarer than 1e-4 is asked for.

    Parameters
    ----------
    n : int
        How many [1].
    rng : numpy.random.Generator
        Source of the numbers.

    Returns
    -------
    ndarray of float32
        Mean 0, variance 1, shape (n,) [1].

    References
    ----------
    The inverse-CDF method; this project's test of its moments, tests/test_rram_log_law.py.

    Examples
    --------
    >>> draw(3, np.random.default_rng(1)).astype(float).round(3).tolist()
    [1.251, -0.067, 0.65]
    """
    result = np.empty(n, np.float32)
    for start in range(0, n, BLOCK):
        part = result[start : start + BLOCK]
        TABLE.take(indices(len(part), rng), out=part, mode="wrap")  # that mode takes no copy
    return result
