"""Random numbers for kernels compiled by numba (extra ``fast``): one generator a lane.

A row of `LANES` xoshiro128+ generators stands side by side in one flat array, so that a loop over
the lanes, each drawing its own numbers, compiles to vector instructions.
"""

import numba
import numpy as np
from numpy.typing import NDArray

LANES = 512
FAST = {"contract", "nsz", "arcp", "reassoc"}  # rounding only: NaN and infinity stay
JIT = numba.njit(fastmath=FAST, error_model="numpy")


def seeded(rows: int, rng: np.random.Generator) -> NDArray[np.uint32]:
    """Seed rows of generators from the caller's.

    Parameters
    ----------
    rows : int
        Number of rows [1].
    rng : numpy.random.Generator
        Source of the seeds.

    Returns
    -------
    ndarray of uint32
        States of the generators, for `draw`, shape (rows, 4 * LANES) [1].

    References
    ----------
    Blackman and Vigna, ACM Trans. Math. Softw. 47 (2021) 36, doi:10.1145/3460772 (xoshiro128+).

    Examples
    --------
    >>> seeded(3, np.random.default_rng(1)).shape
    (3, 2048)
    """
    state = rng.integers(0, 2**32, (rows, 4, LANES), np.uint32)
    state[:, 0] |= np.uint32(1)  # never all zero
    return state.reshape(rows, -1)


@JIT
def draw(state, j):  # type: ignore[no-untyped-def]
    """Next 32 bits of the generator of lane j."""
    p, q, r, s = state[j], state[j + LANES], state[j + 2 * LANES], state[j + 3 * LANES]
    shifted = q << np.uint32(9)
    r ^= p
    s ^= q
    state[j], state[j + LANES], state[j + 2 * LANES] = p ^ s, q ^ r, r ^ shifted
    state[j + 3 * LANES] = (s << np.uint32(11)) | (s >> np.uint32(21))
    return np.uint32(p + (s ^ q))
