"""Which points to measure next: the Fisher information that a point would add.

A point whose residual moves by g for a unit step of the parameters adds g g' to the information,
whatever it turns out to be; the errors that follow are those of the covariance, expected before
anything is measured.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import Array, whole
from devicephys.errors import DataError, ParameterError


@dataclass(frozen=True)
class Choice:
    """Points in the order in which they help most.

    Attributes
    ----------
    points : tuple of int
        Indices of the candidates; one may come more than once.
    errors : ndarray
        Standard error of the parameter after each of them, shape (points,) [its coordinate].
    before : float
        Standard error without them [its coordinate].
    """

    points: tuple[int, ...]
    errors: Array
    before: float


def ranked(information: ArrayLike, candidates: ArrayLike, k: int, n_points: int) -> Choice:
    """Choose points one after the other, each the one that shrinks the error of a parameter most.

    Valid where the model holds and a parameter moves by less than the covariance is good for.

    Parameters
    ----------
    information : array_like
        Of the data at hand, positive definite, shape (p, p) [1 over coordinates squared].
    candidates : array_like
        Slopes of the residual of each point that could be measured, shape (m, p) [1 over
        coordinates].
    k : int
        The parameter whose error counts [1].
    n_points : int
        How many points to choose, >= 1 [1].

    Returns
    -------
    Choice
        Points and errors.

    Raises
    ------
    ParameterError
        If `n_points` is not a whole number >= 1, or there is no candidate.
    DataError
        If the information is singular: the data at hand leave a parameter open.

    References
    ----------
    Greedy choice: Fedorov, Theory of Optimal Experiments (1972); the update: Sherman and Morrison,
    Ann. Math. Stat. 21 (1950) 124, doi:10.1214/aoms/1177729893.

    Examples
    --------
    >>> chosen = ranked(np.eye(2), [[1.0, 0.0], [0.0, 3.0]], 0, 2)
    >>> chosen.points, chosen.errors.round(3).tolist()
    ((0, 0), [0.707, 0.577])
    """
    g = np.asarray(candidates, np.float64)
    n = whole("n_points", n_points, least=1)
    if g.ndim != 2 or not len(g):
        raise ParameterError(f"candidates of shape {g.shape}", expected="at least one point")
    matrix = np.asarray(information, np.float64)
    least, *_, most = np.linalg.eigvalsh(matrix)
    if least <= 1e-14 * most:
        raise DataError(
            "the data at hand leave a combination of parameters open", expected="an information "
            "of full rank", remedy="measure more conditions first, or fix a parameter",
        )  # fmt: skip
    covariance = np.linalg.inv(matrix)
    before = float(np.sqrt(covariance[k, k]))
    points, errors = [], []
    for _ in range(n):
        reach = g @ covariance
        drop = reach[:, k] ** 2 / (1 + (reach * g).sum(axis=1))
        best = int(drop.argmax())
        covariance = covariance - np.outer(reach[best], reach[best]) / (1 + reach[best] @ g[best])
        points.append(best)
        errors.append(np.sqrt(covariance[k, k]))
    return Choice(tuple(points), np.array(errors), before)
