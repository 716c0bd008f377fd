"""What each kind of data adds to a joint fit, and whether the kinds agree: to first order.

At the best parameters the residuals r of every block have slopes J, and J^T J is taken as its share
of the information (`problem` says where it is less). Taken away, it leaves the rest with a larger
standard error and another estimate. The change of the estimate has the variance of the rest less
that of all, so that it can be tested.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from devicephys.checks import Array, generator
from devicephys.fitting import problem
from devicephys.fitting.goodness import BOOTSTRAPS
from devicephys.fitting.problem import Block, Found, Unknown

LOST = 1e-8  # of the information about a direction of parameters: less is none
RANGE_STEP = 0.01  # of the range of a plain parameter: what it is measured by near zero


@dataclass(frozen=True)
class Slopes:
    """Residuals of a fit and their slopes at its best parameters.

    Attributes
    ----------
    names : tuple of str
        Blocks, and "priors" last where there are any.
    residuals : tuple of ndarray
        Residuals of each, shape (size,) each [1].
    slopes : tuple of ndarray
        Slopes in the free parameters as they are fitted, shape (size, p) each [1 over their unit].
    """

    names: tuple[str, ...]
    residuals: tuple[Array, ...]
    slopes: tuple[Array, ...]


@dataclass(frozen=True)
class Without:
    """A fit without one of its blocks, to first order.

    Attributes
    ----------
    name : str
        The block that is left out.
    stderr : ndarray
        Standard errors of the free parameters as they are fitted, infinite where only this block
        tells, shape (p,) [1 or SI].
    shift : ndarray
        What the estimates move by, NaN where only this block tells, shape (p,) [1 or SI].
    distance : ndarray
        The shift over its own standard deviation, NaN where the block adds nothing, or all,
        shape (p,) [1].
    """

    name: str
    stderr: Array
    shift: Array
    distance: Array


def slopes(unknowns: Sequence[Unknown], blocks: Sequence[Block], found: Found) -> Slopes:
    """Compute residuals and slopes of every block at the best parameters.

    Parameters
    ----------
    unknowns : sequence of Unknown
        The parameters.
    blocks : sequence of Block
        The data.
    found : Found
        Their fit.

    Returns
    -------
    Slopes
        Residuals and slopes, by central differences.

    Examples
    --------
    See docs/theory/joint_fits.md.
    """
    held = problem.minimizer_of(problem.started(unknowns, found.values), ()).params
    free = problem.named(unknowns, found.names)

    def at(theta: Array) -> list[Array]:
        values = problem.values_of(unknowns, held, dict(zip(found.names, theta, strict=True)))
        priors = problem.prior_residuals(unknowns, values)
        return [*(b.residuals(values) for b in blocks), *([priors] * bool(priors.size))]

    residuals = at(found.theta)
    steps = [
        problem.STEP * (1.0 if u.log else max(abs(x), RANGE_STEP * (u.high - u.low)))
        for u, x in zip(free, found.theta, strict=True)
    ]
    total = problem.central_slopes(lambda x: np.concatenate(at(x)), found.theta, steps)
    ends = np.cumsum([len(r) for r in residuals])[:-1]
    return Slopes(
        names=(*(b.name for b in blocks), *(["priors"] * (len(residuals) > len(blocks)))),
        residuals=tuple(residuals),
        slopes=tuple(np.split(total, ends)),
    )


def without(at: Slopes) -> tuple[Without, ...]:
    """Leave out every block in turn.

    Valid to first order: for shifts over which the residuals are straight in the parameters.

    Parameters
    ----------
    at : Slopes
        The fit.

    Returns
    -------
    tuple of Without
        One a block.

    References
    ----------
    Test of the shift: Hausman, Econometrica 46 (1978) 1251, doi:10.2307/1913827.

    Examples
    --------
    See docs/theory/joint_fits.md.
    """
    information = [s.T @ s for s in at.slopes]
    total = np.sum(information, axis=0)
    root = np.linalg.cholesky(total)  # theta = root^-T x: unit information about every x
    back = np.linalg.inv(root).T
    stderr_all = np.sqrt((back**2).sum(axis=1))
    pull = sum(s.T @ r for s, r in zip(at.slopes, at.residuals, strict=True))
    result = []
    for name, s, r in zip(at.names, at.slopes, at.residuals, strict=True):
        share, axes = np.linalg.eigh(np.eye(len(total)) - back.T @ (s.T @ s) @ back)
        kept = share > LOST
        mixing = back @ axes  # of the directions into the parameters
        lost = ((mixing[:, ~kept] ** 2).sum(axis=1) > LOST * stderr_all**2) & (~kept).any()
        variance = (mixing[:, kept] ** 2 / share[kept]).sum(axis=1)
        moved = -(mixing[:, kept] / share[kept]) @ (mixing[:, kept].T @ (pull - s.T @ r))
        grown = variance - stderr_all**2
        told = ~lost & (grown > LOST * variance)
        distance = np.full(len(total), np.nan)
        distance[told] = moved[told] / np.sqrt(grown[told])
        result.append(
            Without(
                name,
                np.where(lost, np.inf, np.sqrt(variance)),
                np.where(lost, np.nan, moved),
                distance,
            )
        )
    return tuple(result)


def simulated_deviances(
    unknowns: Sequence[Unknown], blocks: Sequence[Block], found: Found, at: Slopes,
    rng: np.random.Generator,
) -> Array:  # fmt: skip
    """Draw data of all blocks from the fitted model, and refit them to first order.

    A prior is drawn as the measurement that it stands for.

    Parameters
    ----------
    unknowns : sequence of Unknown
        The parameters.
    blocks : sequence of Block
        The data.
    found : Found
        Their fit.
    at : Slopes
        Its slopes.
    rng : numpy.random.Generator
        Source of the data.

    Returns
    -------
    ndarray
        Deviances, a column a block, shape (2000, blocks) [1].

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), doi:10.1201/9780429246593.

    Examples
    --------
    See docs/theory/joint_fits.md.
    """
    generator(rng)
    basis, _ = np.linalg.qr(np.concatenate(at.slopes))
    starts = np.r_[0, np.cumsum([len(r) for r in at.residuals])[:-1]]
    n_priors = len(basis) - sum(b.size for b in blocks)
    result = np.empty((BOOTSTRAPS, len(at.names)))
    for row in result:
        r = np.concatenate([
            *(b.drawn(found.values, rng).residuals(found.values) for b in blocks),
            rng.standard_normal(n_priors),
        ])  # fmt: skip
        row[:] = np.add.reduceat((r - basis @ (basis.T @ r)) ** 2, starts)
    return result
