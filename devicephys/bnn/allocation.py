"""Which layer deserves strong writes: an operating point for every layer, at least energy.

Errors in one layer at a time tell how much accuracy that layer loses at every operating point.
Losses of several layers are taken as additive to choose the points, an integer linear program:

    minimise sum_l n_l E_k(l)   so that   sum_l loss_l,k(l) <= budget,

and the choice is then measured with errors in all layers together, in other error maps. Where its
bound exceeds the accepted loss, the budget is lowered and the choice made again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.optimize import Bounds, LinearConstraint, milp

from devicephys.bnn.accuracy import Accuracy, EncodedImages, Sampling, accuracy
from devicephys.bnn.energy import rates_at
from devicephys.bnn.faults import Rates
from devicephys.checks import Array, in_range

NONE = Rates(0.0, 0.0)
LOWER = 0.7  # of the budget, where the measured loss is too large
TINY = np.finfo(np.float64).tiny
TRIES = 12  # 0.7**12 of the accepted loss is 1 %


@dataclass(frozen=True)
class Allocation:
    """An operating point for every layer, and what it gains.

    Attributes
    ----------
    points : tuple of int
        Operating point of each layer, by number in the front.
    energy : float
        Energy of writing all weights once [J].
    loss, loss_bound : float
        Likely loss of accuracy, and its upper 95 % end at the upper ends of the error rates [1].
    uniform : int
        The one operating point that all layers may share.
    uniform_energy : float
        Energy of writing all weights once at that point [J].
    """

    points: tuple[int, ...]
    energy: float
    loss: float
    loss_bound: float
    uniform: int
    uniform_energy: float

    @property
    def gain(self) -> float:
        """Share of the energy that different points save against one for all layers [1]."""
        return 1 - self.energy / self.uniform_energy


def sensitivity(
    test: EncodedImages,
    points: xr.Dataset,
    seed: int,
    sampling: Sampling,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Array:
    """Measure the loss of accuracy with errors in one layer at a time.

    Parameters
    ----------
    test : EncodedImages
        Network and images.
    points : xarray.Dataset
        Operating points of one cell, over ``point``, as `tables.pareto` gives them.
    seed : int
        Seed of the error maps.
    sampling : Sampling
        When to stop drawing maps.
    progress : callable, optional
        Called with (evaluations done, evaluations in all).

    Returns
    -------
    ndarray
        Likely losses at the upper ends of the error rates, shape (n_layers, n_points) [1].

    Examples
    --------
    See docs/guide/accuracy.md.
    """
    n_layers, n_points = len(test.network.layers), points.sizes["point"]
    found = np.empty((n_layers, n_points))
    for layer in range(n_layers):
        for k in range(n_points):
            rates = [NONE] * n_layers
            rates[layer] = rates_at(points, k)[1]
            found[layer, k] = accuracy(test, rates, seed, sampling).loss
            progress(layer * n_points + k + 1, n_layers * n_points)
    return found


def allocate(
    test: EncodedImages,
    points: xr.Dataset,
    losses: Array,
    max_loss: float,
    seed: int,
    sampling: Sampling,
) -> Allocation | None:
    """Choose an operating point for every layer, at the least energy that keeps the accuracy.

    Parameters
    ----------
    test : EncodedImages
        Network and images.
    points : xarray.Dataset
        Operating points of one cell, over ``point``, as `tables.pareto` gives them.
    losses : ndarray
        As `sensitivity` gives them, shape (n_layers, n_points) [1].
    max_loss : float
        Largest accepted loss of accuracy, in (0, 1) [1].
    seed : int
        Seed of the error maps.
    sampling : Sampling
        When to stop drawing maps.

    Returns
    -------
    Allocation or None
        The choice; None where no operating point keeps the loss in all layers.

    Raises
    ------
    ParameterError
        If `max_loss` is outside (0, 1).

    Examples
    --------
    See docs/guide/accuracy.md.
    """
    limit = float(in_range("max_loss", max_loss, "1", above=0, below=1))
    sizes = np.array([layer.weights.size for layer in test.network.layers])
    energy = points.energy_per_bit.values
    other = seed + 1  # a choice looks better in the maps that it was made by
    measured: dict[tuple[int, ...], tuple[Accuracy, float]] = {}

    def bound(choice: tuple[int, ...]) -> float:
        if choice not in measured:
            likely, worse = zip(*(rates_at(points, k) for k in choice), strict=True)
            nominal = accuracy(test, likely, other, sampling)
            high = accuracy(test, worse, other, sampling).loss_high
            measured[choice] = nominal, max(high, nominal.loss_high)
        return measured[choice][1]

    def total(choice: tuple[int, ...]) -> float:
        return float((sizes * energy[list(choice)]).sum())

    uniform = None
    for k in np.argsort(-energy):  # down from the strongest writes, while the accuracy is kept
        if bound((int(k),) * len(sizes)) > limit:
            break
        uniform = int(k)
    if uniform is None:
        return None
    best = (uniform,) * len(sizes)
    budget = limit
    for _ in range(TRIES):
        choice = _cheapest(losses, sizes[:, None] * energy, budget)
        if choice is not None and total(choice) < total(best) and bound(choice) <= limit:
            best = choice
            break
        budget *= LOWER
    if len(set(best)) == 1:  # one point for all, found below one that had failed by chance
        uniform = best[0]
    nominal, high = measured[best]
    return Allocation(
        points=best,
        energy=total(best),
        loss=nominal.loss,
        loss_bound=high,
        uniform=uniform,
        uniform_energy=total((uniform,) * len(sizes)),
    )


def _cheapest(losses: Array, cost: Array, budget: float) -> tuple[int, ...] | None:
    """Operating points of least cost whose losses together keep to the budget."""
    n_layers, n_points = cost.shape
    one_each = np.kron(np.eye(n_layers), np.ones(n_points))
    found = milp(
        cost.ravel() / max(cost.max(), TINY), integrality=1, bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(one_each, 1, 1),
            LinearConstraint(np.maximum(losses, 0).ravel()[None], -np.inf, budget),
        ],
    )  # fmt: skip
    if not found.success:
        return None
    return tuple(int(k) for k in found.x.reshape(cost.shape).argmax(axis=1))
