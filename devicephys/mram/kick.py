"""The thermal kick of one step of `splitting`: a vector w, by which m becomes m + w x m, projected.

"discrete": zero or one of the twelve corners of an icosahedron, with the moments of a Gaussian up
to the fifth order. That is what a weak method of second order needs, for one byte a step.
"""

from typing import Literal

import numpy as np
from scipy import special

from devicephys.mram.free_layer import Floats

Noise = Literal["discrete", "gaussian"]
NOISES: tuple[Noise, ...] = ("discrete", "gaussian")
GOLDEN = (1 + np.sqrt(5)) / 2
SHARE = 13  # of 256 draws, for each corner: three fifths of all, as the fourth moment asks
QUANTILES = 65536  # of a Gaussian: one for each 16-bit draw


def kicks(variance: float, dtype: np.dtype[np.floating], noise: Noise) -> Floats:
    """Tabulate the thermal kick of one step, one entry for each value of the draw.

    Parameters
    ----------
    variance : float
        s/Delta, the variance of the angle about each axis [1].
    dtype : dtype
        Of the result.
    noise : {"discrete", "gaussian"}
        Law of the thermal field.

    Returns
    -------
    ndarray
        "discrete": vectors w, shape (3, 256); "gaussian": components of them, shape (65536,).
        m + w x m, projected onto the sphere, has the first two moments of the diffusion up to
        variance^2, and no preferred direction [1].

    References
    ----------
    Stroud, Approximate Calculation of Multiple Integrals (1971), formula U3 5-1 (icosahedron);
    Kloeden and Platen, Numerical Solution of Stochastic Differential Equations (1992), section
    14.2, doi:10.1007/978-3-662-12616-5 (moments that weak order two needs).

    Examples
    --------
    >>> w = kicks(0.01, np.dtype(np.float64), "discrete")
    >>> bool(np.allclose(w @ w.T / 256, np.eye(3) * 0.01, rtol=0.03, atol=1e-12))
    True
    """
    if noise == "gaussian":
        table = special.ndtri((np.arange(QUANTILES) + 0.5) / QUANTILES)
        return np.asarray(table / table.std() * np.sqrt(enlarged(variance)), dtype)
    short, long = corner(variance, 12 * SHARE / 256)
    corners = [
        np.roll([0, a, b], k) for k in range(3) for a in (-short, short) for b in (-long, long)
    ]
    spare = np.zeros((256 - 12 * SHARE, 3))
    return np.asarray(np.concatenate([np.repeat(corners, SHARE, 0), spare]).T, dtype)


def corner(variance: float, share: float) -> tuple[float, float]:
    """Compute the two coordinates of the corners of an icosahedron that are not zero.

    Parameters
    ----------
    variance : float
        s/Delta, the variance of the angle about each axis [1].
    share : float
        Probability of all corners together [1].

    Returns
    -------
    tuple of float
        The corners are (0, +-short, +-long) and their cyclic permutations [1].

    References
    ----------
    Stroud, Approximate Calculation of Multiple Integrals (1971), formula U3 5-1; this project's
    test of its moments, tests/test_mram_kick.py.

    Examples
    --------
    >>> short, long = corner(0.01, 0.6)
    >>> round(long / short, 6)
    1.618034
    """
    radius = np.sqrt(3 * enlarged(variance) / share) / np.hypot(1, GOLDEN)
    return float(radius), float(radius * GOLDEN)


def enlarged(variance: float) -> float:
    """Compute the variance that a tangent vector needs before its projection.

    The projection shortens the angle from w to arctan w, and the kick is finite; both together
    ask for 5/2 of the squared variance, for the first two Legendre polynomials alike.

    Parameters
    ----------
    variance : float
        s/Delta, the variance of the angle about each axis [1].

    Returns
    -------
    float
        Variance of each component of w [1].

    References
    ----------
    This project's expansion, docs/theory/macrospin.md.

    Examples
    --------
    >>> round(enlarged(0.01), 6)
    0.01025
    """
    return variance * (1 + 2.5 * variance)
