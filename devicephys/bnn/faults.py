"""Bit errors in stored weights.

A weight +1 is a stored 1, a weight -1 a stored 0: a 1 flips with probability p10, a 0 with p01.
One uniform number a bit decides, so the flips at a low rate are among those at a higher one:
maps of one stream are nested, and a sweep over rates is not blurred by fresh noise at each point.
"""

import numpy as np

from devicephys.bnn.inference import Signs, weight_matrices
from devicephys.bnn.network import Network
from devicephys.checks import in_range


def flip_weights(network: Network, p01: float, p10: float, rng: np.random.Generator) -> list[Signs]:
    """Draw weight matrices with independent bit errors.

    Parameters
    ----------
    network : Network
        The network as it was meant to be stored.
    p01, p10 : float
        Probabilities that a stored 0 reads as 1 and a stored 1 as 0, in [0, 1] [1].
    rng : numpy.random.Generator
        Source of the errors; equal states give nested maps at different rates.

    Returns
    -------
    list of ndarray of float32
        Weights of -1 and +1, a matrix of shape (n_out, n_in) for each layer [1].

    Raises
    ------
    ParameterError
        If a probability is outside [0, 1].

    Examples
    --------
    >>> from devicephys.bnn.network import Layer
    >>> tiny = Network("tiny", (0,), (Layer(np.ones((2, 3), np.int8), np.zeros(2, np.int32)),))
    >>> flip_weights(tiny, 0.0, 1.0, np.random.default_rng(0))[0].tolist()
    [[-1.0, -1.0, -1.0], [-1.0, -1.0, -1.0]]
    """
    p01 = float(in_range("p01", p01, "1", above=0, below=1, inclusive=True))
    p10 = float(in_range("p10", p10, "1", above=0, below=1, inclusive=True))
    flipped = []
    for w in weight_matrices(network):
        u = rng.random(w.shape)  # float64: a float32 uniform cannot tell rates below 6e-8
        flips = np.where(w > 0, u < p10, u < p01)
        flipped.append(np.where(flips, -w, w))
    return flipped
