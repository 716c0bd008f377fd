"""Error-correcting codes laid over a memory: what they leave of its errors, and what they cost.

Bits fail independently in these formulas. Stored data are taken as random, so that a bit of a
word fails with probability p = ber = (p01 + p10)/2.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc
from scipy.stats import binom

from devicephys.checks import Array, in_range, known, whole
from devicephys.errors import ParameterError

Kind = Literal["secded", "repetition"]


@dataclass(frozen=True)
class Code:
    """A block code.

    Attributes
    ----------
    name : str
        As tables show it.
    kind : {"secded", "repetition"}
        How it decodes.
    word_bits, data_bits : int
        Cells of a word, and data bits among them [1].
    corrected : int
        Largest number of wrong bits that is always corrected [1].

    Raises
    ------
    ParameterError
        If the numbers are not those of a code of this kind: `secded` and `repetition` make them.
    """

    name: str
    kind: Kind
    word_bits: int
    data_bits: int
    corrected: int

    def __post_init__(self) -> None:
        known("kind of code", self.kind, CODES)
        data = whole("Code.data_bits", self.data_bits, least=1)
        word = whole("Code.word_bits", self.word_bits, least=data)
        corrected = whole("Code.corrected", self.corrected, least=0)
        if self.kind == "secded":
            made, fits = "secded(data_bits)", (_secded_word(data), data, 1)
        else:
            made, fits = "repetition(n)", (word - (word + 1) % 2, 1, (word - 1) // 2)
        if (word, data, corrected) != fits:
            raise ParameterError(
                f"Code of kind {self.kind!r} with word_bits = {word}, data_bits = {data}, "
                f"corrected = {corrected}",
                expected=", ".join(map(str, fits)),
                remedy=f"make it by {made}",
            )


def _secded_word(data_bits: int) -> int:
    """Count the bits of the shortest extended Hamming word."""
    r = 1
    while 2**r < data_bits + r + 1:
        r += 1
    return data_bits + r + 1


def secded(data_bits: int) -> Code:
    """Make the extended Hamming code that corrects one wrong bit of a word and detects two.

    Parameters
    ----------
    data_bits : int
        Data bits of a word, >= 1 [1].

    Returns
    -------
    Code
        With the least r that satisfies 2^r >= data_bits + r + 1, and r + 1 check bits.

    Raises
    ------
    ParameterError
        If `data_bits` is not a whole number >= 1.

    References
    ----------
    Hamming, Bell Syst. Tech. J. 29 (1950) 147, doi:10.1002/j.1538-7305.1950.tb00463.x.

    Examples
    --------
    >>> secded(64).name, secded(32).name
    ('SECDED(72,64)', 'SECDED(39,32)')
    """
    k = whole("data_bits", data_bits, least=1)
    n = _secded_word(k)
    return Code(f"SECDED({n},{k})", "secded", n, k, 1)


def repetition(n: int) -> Code:
    """Make the code that stores every bit n times and takes the majority.

    Parameters
    ----------
    n : int
        Number of copies, odd, >= 1 [1].

    Returns
    -------
    Code
        One data bit in `n` cells.

    Raises
    ------
    ParameterError
        If `n` is not an odd whole number.

    References
    ----------
    von Neumann, Automata Studies (1956) 43, doi:10.1515/9781400882618-003.

    Examples
    --------
    >>> repetition(3).corrected
    1
    """
    copies = whole("n", n, least=1)
    if copies % 2 == 0:
        raise ParameterError(
            f"n = {copies}", expected="an odd number of copies", remedy="a tie has no majority"
        )
    return Code(f"repetition({copies})", "repetition", copies, 1, copies // 2)


CODES: Mapping[Kind, Callable[[int], Code]] = MappingProxyType(
    {"secded": secded, "repetition": repetition}
)


def overhead(code: Code) -> float:
    """Count the cells that a data bit takes: energy per data bit over energy per cell.

    Parameters
    ----------
    code : Code
        The code.

    Returns
    -------
    float
        Cells for each data bit, >= 1 [1].

    References
    ----------
    This project's accounting: check bits are written like data bits.

    Examples
    --------
    >>> overhead(secded(64))
    1.125
    """
    return code.word_bits / code.data_bits


def word_failure(code: Code, p: ArrayLike) -> Array:
    """Compute the probability that a word has more wrong bits than its code always corrects.

    Valid for independent errors; accurate for any p, without cancellation.

    Parameters
    ----------
    code : Code
        The code.
    p : array_like
        Bit error rate before decoding, in [0, 1], any shape [1].

    Returns
    -------
    ndarray
        For one corrected bit 1 - (1-p)^n - n p (1-p)^(n-1), shape of `p` [1].

    Raises
    ------
    ParameterError
        If `p` is outside [0, 1].

    Notes
    -----
    P(more than t of n) is the regularised incomplete beta function I_p(t + 1, n - t).

    References
    ----------
    NIST Digital Library of Mathematical Functions, 8.17.5, https://dlmf.nist.gov/8.17; doi of the
    code in `secded`.

    Examples
    --------
    >>> [f"{p:.4g}" for p in word_failure(secded(64), [1e-18, 1e-2])]
    ['2.556e-33', '0.1623']
    """
    p = in_range("p", p, "1", above=0, below=1, inclusive=True)
    return np.asarray(betainc(code.corrected + 1, code.word_bits - code.corrected, p))


def residual_ber(code: Code, p: ArrayLike) -> Array:
    """Compute the bit error rate of decoded data; for SECDED an upper bound.

    Valid for independent errors. A simulated decoder of SECDED(72,64) stays 3 % below the bound at
    p = 1e-2 and 5 % at 3e-2.

    Parameters
    ----------
    code : Code
        The code.
    p : array_like
        Bit error rate before decoding, in [0, 1], any shape [1].

    Returns
    -------
    ndarray
        Bit error rate after decoding, shape of `p` [1].

    Raises
    ------
    ParameterError
        If `p` is outside [0, 1].

    Notes
    -----
    Repetition: the majority is wrong where the word fails. SECDED: an even number of wrong bits
    is detected (or unnoticed) and left in place; an odd number of three or more looks like one
    wrong bit and the decoder may flip one good bit besides. With j wrong bits of n, k of them data,

        ber <= sum_{j>=2} P(j) j/n + sum_{odd j>=3} P(j)/k
             = p (1 - (1-p)^(n-1)) + sum_{odd j>=3} P(j)/k,

    for small p (n - 1) p^2.

    References
    ----------
    Hamming, Bell Syst. Tech. J. 29 (1950) 147, doi:10.1002/j.1538-7305.1950.tb00463.x; the bound
    is this project's.

    Examples
    --------
    >>> residual_ber(secded(64), [1e-9, 1e-2]).round(20).tolist()
    [7.1e-17, 0.00557...]
    """
    p = in_range("p", p, "1", above=0, below=1, inclusive=True)
    if code.kind == "repetition":
        return word_failure(code, p)
    left, flipped = _after_secded(code, p)
    return np.minimum(left + flipped, 1.0)


def coded(
    code: Code, p01: ArrayLike, p10: ArrayLike, energy_per_bit: ArrayLike
) -> dict[str, Array]:
    """Turn errors and energy of a cell into those of data stored with a code.

    Valid for random data and independent errors. Repetition keeps 0 and 1 apart: all copies of
    a bit are alike.
    A word of SECDED holds both, so that p = (p01 + p10)/2 counts; what it leaves in place is
    shared out as p01 to p10, what it flips falls on either alike.

    Parameters
    ----------
    code : Code
        The code.
    p01, p10 : array_like
        Probabilities that a stored 0 reads as 1, and a 1 as 0, any shape [1].
    energy_per_bit : array_like
        Energy of writing one cell, shape broadcast with `p01` [J].

    Returns
    -------
    dict of str to ndarray
        "p01", "p10", "ber" [1] and "energy_per_bit" of a data bit, broadcast shape [J].

    Raises
    ------
    ParameterError
        If a probability is outside [0, 1] or an energy negative.

    References
    ----------
    This project's mapping; see `residual_ber`.

    Examples
    --------
    >>> found = coded(secded(64), 2e-4, 0.0, 1e-12)
    >>> found["p01"].round(9).tolist(), found["energy_per_bit"].tolist()
    (1.416e-06, 1.125e-12)
    """
    p01 = in_range("p01", p01, "1", above=0, below=1, inclusive=True)
    p10 = in_range("p10", p10, "1", above=0, below=1, inclusive=True)
    energy = in_range("energy_per_bit", energy_per_bit, "J", above=0, inclusive=True)
    p01, p10, energy = np.broadcast_arrays(p01, p10, energy)
    if code.kind == "repetition":
        new01, new10 = word_failure(code, p01), word_failure(code, p10)
    else:
        ber = (p01 + p10) / 2
        left, flipped = _after_secded(code, ber)
        share = np.where(ber > 0, left / np.where(ber > 0, ber, 1.0), 0.0)
        # a bound on a probability needs not exceed 1
        new01, new10 = (np.minimum(x * share + flipped, 1.0) for x in (p01, p10))
    return {
        "p01": np.asarray(new01),
        "p10": np.asarray(new10),
        "ber": np.asarray((new01 + new10) / 2),
        "energy_per_bit": np.asarray(energy * overhead(code)),
    }


def coded_variables(code: Code, cell: Mapping[str, Array]) -> dict[str, Array]:
    """Turn the six variables of a table's cells into those of data stored with a code.

    Valid as `coded`; the interval of the bit error rate is that of the cell, through the code.

    Parameters
    ----------
    code : Code
        The code.
    cell : mapping of str to ndarray
        "ber_lo", "ber_hi", "p01", "p10", "energy_per_bit", of any one shape [1, and J].

    Returns
    -------
    dict of str to ndarray
        The same, and "ber", of a data bit, shape of the input [1 and J].

    Raises
    ------
    ParameterError
        If a probability is outside [0, 1] or an energy negative.

    References
    ----------
    This project's mapping; see `residual_ber`.

    Examples
    --------
    >>> cell = {name: np.array([1e-3]) for name in ("ber_lo", "ber_hi", "p01", "p10")}
    >>> found = coded_variables(secded(64), cell | {"energy_per_bit": np.array([1e-12])})
    >>> bool(found["ber_lo"] <= found["ber"] <= found["ber_hi"] < 1e-4)
    True
    """
    made = coded(code, cell["p01"], cell["p10"], cell["energy_per_bit"])
    low, high = (residual_ber(code, cell[name]) for name in ("ber_lo", "ber_hi"))
    # With unequal rates the code's ber is not residual_ber to the last digit.
    ends = {"ber_lo": np.minimum(low, made["ber"]), "ber_hi": np.maximum(high, made["ber"])}
    return made | ends


def _after_secded(code: Code, p: Array) -> tuple[Array, Array]:
    """Give the rates of wrong bits left in place, and at most flipped besides."""
    n = code.word_bits
    left = p * binom.sf(0, n - 1, p)
    odd = np.arange(3, n + 1, 2)
    flipped = binom.pmf(odd, n, p[..., None]).sum(axis=-1) / code.data_bits
    return np.asarray(left), np.asarray(flipped)
