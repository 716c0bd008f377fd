"""Read errors of drawn devices: a check of the exact rates."""

from dataclasses import dataclass

import numpy as np

from devicephys.checks import generator, in_range, known, whole
from devicephys.errors import ParameterError
from devicephys.rram.cell import CELLS, Cell
from devicephys.rram.mixture import Mixture
from devicephys.rram.tails import draw


@dataclass(frozen=True)
class SampledError:
    """Read error of drawn devices.

    Attributes
    ----------
    ber, stderr : float
        Bit error rate (p01 + p10)/2 and its standard error [1].
    p01, p10 : float
        Shares of zeros read as 1 and of ones read as 0 [1].
    """

    ber: float
    stderr: float
    p01: float
    p10: float


def sample_error(
    cell: Cell,
    lrs: Mixture,
    hrs: Mixture,
    n: int,
    rng: np.random.Generator,
    threshold: float | None = None,
    s_sense: float = 0.0,
) -> SampledError:
    """Count the read errors of drawn devices: a check of the exact rates.

    Valid for rates well above 1/n.

    Parameters
    ----------
    cell : {"1T1R", "2T2R"}
        The kind of cell.
    lrs, hrs : Mixture
        The states.
    n : int
        Number of devices of either state, or of pairs, >= 1 [1].
    rng : numpy.random.Generator
        Source of random numbers.
    threshold : float, optional
        Threshold of the 1T1R cell in ln(R/Ohm) [1].
    s_sense : float, optional
        Standard deviation in ln R of the threshold, or of the sense amplifier's offset, >= 0 [1].

    Returns
    -------
    SampledError
        Rates, and the standard error of the bit error rate.

    Raises
    ------
    ParameterError
        If the cell is unknown, or a 1T1R cell has no threshold.

    References
    ----------
    This project's check; Bocquet et al., IEDM 2018, arXiv 1902.02528.

    Examples
    --------
    >>> from devicephys.rram.mixture import log_normal
    >>> lrs, hrs = log_normal(8.5, 0.3), log_normal(10.0, 0.5)
    >>> from devicephys.rram.threshold import pair_error
    >>> found = sample_error("2T2R", lrs, hrs, 100_000, np.random.default_rng(1))
    >>> bool(abs(found.ber - pair_error(lrs, hrs)) < 4 * found.stderr)
    True
    """
    known("cell", cell, CELLS)
    n, rng = whole("n", n, least=1), generator(rng)
    s = float(in_range("s_sense", s_sense, "1", above=0, inclusive=True, scalar=True))
    low, high = draw(lrs, n, rng), draw(hrs, n, rng)
    if cell == "2T2R":
        difference = high - low + s * rng.standard_normal(n)
        wrong = (1 - np.sign(difference)) / 2
        ber = float(wrong.mean())
        return SampledError(ber, float(wrong.std() / np.sqrt(n)), ber, ber)
    if threshold is None:
        raise ParameterError("a 1T1R cell without a threshold", expected="ln(R/Ohm)")
    th = float(in_range("threshold", threshold, "1", scalar=True))
    p01 = float((high <= th + s * rng.standard_normal(n)).mean())
    p10 = float((low > th + s * rng.standard_normal(n)).mean())
    variance = (p01 * (1 - p01) + p10 * (1 - p10)) / 4
    return SampledError((p01 + p10) / 2, float(np.sqrt(variance / n)), p01, p10)
