"""Exact folding of batch normalisation into bits and integer thresholds.

A trained layer computes, of its integer sum ``z`` with the signs of its real weights,

    y = gamma (scale z + offset sum(W) + bias - mean) / sqrt(variance + epsilon) + beta,

where ``scale x + offset`` are the numbers that the trainer fed in for the integers x that enter
here. A hidden unit gives +1 where y >= 0, zero included. As z is an integer, that is a comparison
with an integer: the smallest z of a positive y for gamma > 0; for gamma < 0 the weights of the unit
are negated, and -z is compared; for gamma = 0 the unit is constant. The numbers are taken as the
exact fractions that floats are, and the root is bounded by integer arithmetic, so that no tie and
no threshold is rounded to the wrong side. A trainer that evaluates y itself in float32 may differ
where its own rounding error, some 1e-7 of the terms of y, exceeds y.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from devicephys.errors import DataError

Floats = NDArray[np.float64]
WIDEST = 2**30  # gain z stays below; the threshold of a class out of reach is twice as large


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation of one layer, with the bias of the sums before it.

    Attributes
    ----------
    gamma, beta : ndarray of float64
        Gain and shift after the normalisation, shape (n_out,) [1].
    mean, variance : ndarray of float64
        Running statistics of the sums, shape (n_out,) [1].
    bias : ndarray of float64
        Added to the sums before, shape (n_out,) [1].
    epsilon : float
        Added to the variance [1].
    """

    gamma: Floats
    beta: Floats
    mean: Floats
    variance: Floats
    bias: Floats
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        shapes = {x.shape for x in (self.gamma, self.beta, self.mean, self.variance, self.bias)}
        if len(shapes) != 1 or self.gamma.ndim != 1:
            raise DataError(
                f"batch normalisation of shapes {sorted(shapes)}", expected="(n_out,) throughout"
            )
        for name in ("gamma", "beta", "mean", "variance", "bias", "epsilon"):
            if not np.isfinite(getattr(self, name)).all():
                raise DataError(f"{name} that is not finite", expected="numbers")
        if not (self.variance + self.epsilon > 0).all():
            raise DataError(
                f"variance + epsilon down to {(self.variance + self.epsilon).min():g}",
                expected="> 0",
            )


@dataclass(frozen=True)
class Inputs:
    """What a layer is given, as the trainer and as the integer network see it.

    Attributes
    ----------
    peak : int
        Largest magnitude of the integers x that enter: 1, or 255 for 8-bit pixels [1].
    scale : float
        The trainer's number is scale x + offset; positive [1].
    offset : float
        See scale [1].
    """

    peak: int = 1
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale > 0 and math.isfinite(self.offset)):
            raise DataError(
                f"input scale {self.scale:g}, offset {self.offset:g}",
                expected="a positive scale and a finite offset",
            )


SIGNS = Inputs()


def bits(weights: NDArray[np.floating]) -> NDArray[np.int8]:
    """Give the signs of real weights; zero counts as positive.

    Parameters
    ----------
    weights : ndarray of float
        The weights that a trainer keeps, any shape [1].

    Returns
    -------
    ndarray of int8
        -1 and +1, same shape [1].

    Raises
    ------
    DataError
        If a weight is not finite.

    Examples
    --------
    >>> bits(np.array([-0.3, -0.0, 0.0, 2.0])).tolist()
    [-1, 1, 1, 1]
    """
    if not np.isfinite(weights).all():
        raise DataError("weights that are not finite", expected="numbers")
    return np.where(weights >= 0, 1, -1).astype(np.int8)


def fold(
    weights: NDArray[np.floating], norm: BatchNorm, inputs: Inputs = SIGNS
) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """Fold the batch normalisation of a hidden layer into its bits and thresholds.

    Parameters
    ----------
    weights : ndarray of float
        Real weights whose signs the layer uses, shape (n_out, ...) [1].
    norm : BatchNorm
        What follows the sums.
    inputs : Inputs, optional
        What the layer is given.

    Returns
    -------
    weights : ndarray of int8
        Their signs, negated where gamma < 0, same shape [1].
    threshold : ndarray of int32
        The unit gives +1 where z >= threshold, that of a constant unit at or beyond the largest
        sum, shape (n_out,) [1].

    Raises
    ------
    DataError
        If the shapes do not fit or a weight is not finite.

    Examples
    --------
    >>> one = np.ones(2)
    >>> norm = BatchNorm(np.array([2.0, -2.0]), 0 * one, one, one, 0 * one)
    >>> w, threshold = fold(np.ones((2, 3)), norm)  # z >= 1, and z <= 1, that is -z >= -1
    >>> w.tolist(), threshold.tolist()
    ([[1, 1, 1], [-1, -1, -1]], [1, -1])
    """
    signs = _signs(weights, norm)
    limit = inputs.peak * math.prod(signs.shape[1:])
    scale, offset = Fraction(inputs.scale), Fraction(inputs.offset)
    threshold = np.zeros(len(signs), np.int32)
    for k, total in enumerate(signs.reshape(len(signs), -1).sum(axis=1, dtype=np.int64).tolist()):
        gamma, beta, mean, variance, bias = (
            Fraction(x[k].item())
            for x in (norm.gamma, norm.beta, norm.mean, norm.variance, norm.bias)
        )
        if gamma == 0:
            threshold[k] = -limit if beta >= 0 else limit + 1
            continue
        centre = (mean - bias - offset * total) / scale
        lowest = _ceiling(
            centre if gamma > 0 else -centre,
            -beta / (abs(gamma) * scale),
            variance + Fraction(norm.epsilon),
        )
        threshold[k] = min(max(lowest, -limit), limit + 1)
    return _turned(signs, norm.gamma), threshold


def fold_scores(
    weights: NDArray[np.floating], norm: BatchNorm, inputs: Inputs = SIGNS
) -> tuple[NDArray[np.int8], NDArray[np.int32], NDArray[np.int32], float]:
    """Bring the scores of an output layer, a z + d with an own a for each class, to integers.

    Where all classes share the magnitude of a, as without batch normalisation, the order of the
    integer scores is that of the float64 scores, ties included: one gain holds the order of the
    fractions of d / a. Otherwise a common factor makes integers of a and d, as large as int32
    allows.

    Parameters
    ----------
    weights : ndarray of float
        Real weights whose signs the layer uses, shape (n_classes, n_in) [1].
    norm : BatchNorm
        What follows the sums.
    inputs : Inputs, optional
        What the layer is given.

    Returns
    -------
    weights : ndarray of int8
        Their signs, negated where gamma < 0, same shape [1].
    gain : ndarray of int32
        Not negative, shape (n_classes,) [1].
    threshold : ndarray of int32
        The class is the argmax of gain z - threshold, shape (n_classes,) [1].
    bound : float
        The class is that of the largest y, except where another y is within this bound of it [1].

    Raises
    ------
    DataError
        If the shapes do not fit, a weight is not finite, or the scores are beyond floats.

    Examples
    --------
    >>> one = np.ones(2)
    >>> norm = BatchNorm(one, np.array([0.0, 0.25]), 0 * one, one, 0 * one, epsilon=0.0)
    >>> _, gain, threshold, bound = fold_scores(np.ones((2, 3)), norm)  # z, z + 0.25
    >>> gain.tolist(), threshold.tolist(), bound
    ([2, 2], [1, 0], 0.0)
    """
    signs = _signs(weights, norm)
    limit = inputs.peak * math.prod(signs.shape[1:])
    total = signs.reshape(len(signs), -1).sum(axis=1, dtype=np.int64)
    slope = norm.gamma / np.sqrt(norm.variance + norm.epsilon)
    a = np.abs(slope) * inputs.scale
    d = slope * (norm.bias + inputs.offset * total - norm.mean) + norm.beta
    if not (np.isfinite(a).all() and np.isfinite(d).all()):
        raise DataError("scores beyond the range of floats", expected="numbers of common size")
    d -= d.max()
    most = WIDEST / (limit + 1) - 1  # gain
    if a.any():
        d = np.maximum(d, -2 * a.max() * (limit + 1))  # a class further below never wins
    if (a == a[0]).all() and len(a) <= most:
        (gain, threshold), bound = _ordered(d / a[0]) if a[0] > 0 else _constant(d), 0.0
    else:
        factor = most / a.max()
        gain, bound = np.rint(factor * a), (limit + 1) / factor
        threshold = np.minimum(np.rint(-factor * d), 2 * gain.max() * (limit + 1))
    return _turned(signs, norm.gamma), gain.astype(np.int32), threshold.astype(np.int32), bound


def _signs(weights: NDArray[np.floating], norm: BatchNorm) -> NDArray[np.int8]:
    if weights.ndim < 2 or not weights.size or weights.shape[:1] != norm.gamma.shape:
        raise DataError(
            f"weights {weights.shape} with batch normalisation {norm.gamma.shape}",
            expected="shapes (n_out, ...) and (n_out,)",
        )
    return bits(weights)


def _turned(signs: NDArray[np.int8], gamma: Floats) -> NDArray[np.int8]:
    turn = np.where(gamma < 0, -1, 1).astype(np.int8)
    return signs * turn.reshape(-1, *[1] * (signs.ndim - 1))


def _ceiling(q: Fraction, r: Fraction, v: Fraction) -> int:
    """Give the smallest integer not below q + r sqrt(v)."""
    a, d = q.numerator, q.denominator  # (a +- sqrt(m)) / d
    m = r * r * v * d * d
    root = math.isqrt(math.ceil(m) - 1) + 1 if r > 0 else -math.isqrt(math.floor(m))
    return -((-a - root) // d)


def _ordered(e: Floats) -> tuple[Floats, Floats]:
    """Give gains and thresholds whose scores, gain z - threshold, have the order of z + e."""
    fractions, rank = np.unique(e - np.floor(e), return_inverse=True)
    gain = np.full(len(e), float(len(fractions)))
    return gain, -gain * np.floor(e) - rank


def _constant(d: Floats) -> tuple[Floats, Floats]:
    """Give gains of zero, and thresholds that let the largest, which is zero, win."""
    return np.zeros(len(d)), np.where(d == 0, 0.0, 1.0)
