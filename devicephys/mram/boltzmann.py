"""Exact samples of the Boltzmann law of a free layer in its initial state, z > 0.

By rejection under a bound that is constant on each cell of a grid: a cell is drawn by its weight,
a point evenly in it, and kept with the ratio of the law to its bound.
"""

from functools import lru_cache

import numpy as np

from devicephys.checks import Array, whole
from devicephys.errors import ParameterError
from devicephys.mram.free_layer import SAME, Factors, FreeLayer, depth, energy, vectors

CELLS = 240  # in theta and in the azimuth
EDGES = np.linspace(0, 1, CELLS + 1) ** 2  # of 1 - z, finest at the pole
TURNS = np.linspace(0, 2 * np.pi, CELLS + 1)
MARGIN = 0.15  # of the logarithm of the law over the corners of a cell
SHALLOW = 3.0  # k_B T: less deep, the layer has no state to start from
ROUNDS = 500  # of rejection; each accepts most of its proposals
SHARPER = "the Boltzmann law of FreeLayer is sharper than its grid resolves"


def draw(layer: FreeLayer, n: int, rng: np.random.Generator, factors: Factors = SAME) -> Array:
    """Draw unit vectors from the Boltzmann law of z > 0, exactly.

    Parameters
    ----------
    layer : FreeLayer
        The layer at rest.
    n : int
        Number of vectors, >= 1 [1].
    rng : numpy.random.Generator
        Source of random numbers.
    factors : Factors, optional
        How the layers of the vectors differ from that one.

    Returns
    -------
    ndarray
        Unit vectors, shape (3, n) [1].

    Raises
    ------
    ParameterError
        If n is below one, or there is no well about +z, or it is too sharp for the grid.

    References
    ----------
    Brown, Phys. Rev. 130 (1963) 1677, doi:10.1103/PhysRev.130.1677 (law); Devroye, Non-Uniform
    Random Variate Generation (1986), doi:10.1007/978-1-4613-8643-8, section II.3 (rejection).

    Examples
    --------
    >>> from devicephys.mram.free_layer import uniaxial
    >>> m = draw(uniaxial(60, 0.01), 1000, np.random.default_rng(1))
    >>> m.shape, bool(0.9 < m[2].mean() < 1)
    ((3, 1000), True)
    """
    n = whole("n", n, least=1)
    deep = depth(layer) * float(factors.delta.min() * factors.anisotropy.min())
    if deep < SHALLOW:
        raise ParameterError(
            f"the well of FreeLayer about +z is {deep:.3g} k_B T deep",
            expected=f"{SHALLOW:g} k_B T or more",
            remedy="take the stable direction as the polar axis",
        )  # fmt: skip
    stability = 2 * layer.delta * np.broadcast_to(factors.delta, n)
    anisotropy = np.broadcast_to(factors.anisotropy, n)
    span = [(float(x.min()), float(x.max())) for x in (factors.anisotropy, factors.delta)]
    bottom, bound, chance = _bound(layer, *span, float(factors.anisotropy.mean()))
    lowest = energy(layer, bottom[:, None], anisotropy)
    found, missing = np.empty((3, n)), np.arange(n)
    for _ in range(ROUNDS):
        u = rng.random((4, len(missing)))
        cell = np.searchsorted(chance, u[0] * chance[-1], side="right")
        row, column = np.divmod(np.minimum(cell, chance.size - 1), CELLS)
        w = EDGES[row] + u[1] * (EDGES[row + 1] - EDGES[row])
        azimuth = (column + u[2]) * TURNS[1]
        across = np.sqrt(w * (2 - w))
        m = np.stack([across * np.cos(azimuth), across * np.sin(azimuth), 1 - w])
        excess = energy(layer, m, anisotropy[missing]) - lowest[missing]
        log_ratio = -stability[missing] * excess - bound[row, column]
        if (log_ratio > 0).any():
            raise ParameterError(
                SHARPER, expected="delta below about 1000", remedy="lower delta"
            )  # fmt: skip
        kept = np.log(np.maximum(u[3], 1e-300)) < log_ratio
        found[:, missing[kept]] = m[:, kept]
        missing = missing[~kept]
        if not missing.size:
            return found
    raise ParameterError(SHARPER, expected="delta below about 1000", remedy="lower delta")


@lru_cache(maxsize=8)  # the blocks of an ensemble share it
def _bound(
    layer: FreeLayer,
    anisotropy: tuple[float, float],
    delta: tuple[float, float],
    mean: float,
) -> tuple[Array, Array, Array]:
    """Bound the logarithm of every law in each cell.

    Factors lie between the given ones. Also the place of the lowest energy at their mean, and the
    running sum of the weights of the cells.
    """
    grid = vectors(1 - EDGES, TURNS)
    bottom = grid.reshape(3, -1)[:, energy(layer, grid, mean).argmin()]
    logs = []
    for factor in anisotropy:
        excess = energy(layer, grid, factor) - energy(layer, bottom, factor)
        logs += [-2 * layer.delta * stability * excess for stability in delta]
    corners = np.max(logs, axis=0)
    high = np.maximum(corners[1:], corners[:-1])
    bound = np.maximum(high[:, 1:], high[:, :-1]) + MARGIN
    return bottom, bound, np.cumsum(np.exp(bound) * np.diff(EDGES)[:, None])
