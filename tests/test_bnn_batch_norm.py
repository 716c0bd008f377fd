"""Batch normalisation folded into integers decides every sum as the real numbers do."""

from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

from devicephys.bnn.batch_norm import BatchNorm, Inputs, bits, fold, fold_scores
from devicephys.errors import DataError


def random_norm(rng, n, spread=20.0):
    return BatchNorm(
        rng.normal(size=n).astype(np.float32).astype(np.float64),
        rng.normal(size=n),
        rng.normal(size=n) * spread,
        rng.uniform(0.1, spread, n) ** 2,
        rng.normal(size=n),
    )


def is_positive(norm, k, z, total, inputs):
    """Evaluate y >= 0 with 60 digits, straight from the formula."""
    with localcontext() as context:
        context.prec = 60
        gamma, beta, mean, variance, bias = (
            Decimal(x[k].item())
            for x in (norm.gamma, norm.beta, norm.mean, norm.variance, norm.bias)
        )
        real = Decimal(inputs.scale) * int(z) + Decimal(inputs.offset) * int(total)
        root = (variance + Decimal(norm.epsilon)).sqrt()
        return gamma * (real + bias - mean) / root + beta >= 0


def check(norm, inputs, signs, folded, threshold):
    """Compare the decisions at and beside the threshold, and at the ends."""
    n_in = signs.shape[1]
    limit = inputs.peak * n_in
    for k, t in enumerate(threshold.tolist()):
        turn = int(folded[k, 0] * signs[k, 0])
        assert (folded[k] == turn * signs[k]).all()
        for z in {-limit, t - 1, t, t + 1, limit}:
            if abs(z) <= limit:
                expected = is_positive(norm, k, turn * z, signs[k].sum(), inputs)
                assert (z >= t) == expected, (k, z, t)


@pytest.mark.parametrize(
    "inputs", [Inputs(), Inputs(255, 1 / 255), Inputs(255, 1 / 510, 0.5), Inputs(1, 3.0, -1.0)]
)
def test_every_decision_is_that_of_the_formula(inputs):
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(200, 9))
    norm = random_norm(rng, 200, spread=5.0)
    folded, threshold = fold(weights, norm, inputs)
    check(norm, inputs, bits(weights), folded, threshold)
    assert (folded[norm.gamma > 0] == bits(weights)[norm.gamma > 0]).all()
    assert (folded[norm.gamma < 0] == -bits(weights)[norm.gamma < 0]).all()
    assert len(set(threshold.tolist())) > 5


@pytest.mark.parametrize("gamma", [0.7, -0.7])
def test_a_tie_gives_plus_one_whatever_the_sign_of_gamma(gamma):
    n = 9
    weights = np.where(np.arange(n) < 5, 1.0, -1.0)[None]
    for mean in range(-n, n + 1):
        one = np.ones(1)
        norm = BatchNorm(gamma * one, 0 * one, mean * one, one, 0 * one)
        folded, threshold = fold(weights, norm)
        z = np.sign(gamma) * mean  # the sum that the folded unit sees where y = 0
        assert z >= threshold[0]
        assert z - 1 < threshold[0]
        assert folded[0, 0] == np.sign(gamma)


def test_ties_that_floats_would_round_are_decided_exactly():
    one = np.ones(1)
    weights = np.ones((1, 7))
    for beta, expected in ((2.0, -2), (np.nextafter(2.0, 0), -1), (np.nextafter(2.0, 4), -2)):
        # a spread of 1: y = z + beta
        norm = BatchNorm(one, beta * one, 0 * one, one, 0 * one, epsilon=0.0)
        assert fold(weights, norm)[1][0] == expected
    # sqrt(2) sqrt(2) is not 2 in floats: y = -2 / sqrt(2) + beta is some 1e-16 beside zero
    beta = np.sqrt(2.0)
    norm = BatchNorm(one, beta * one, 0 * one, 2 * one, 0 * one, epsilon=0.0)
    _, threshold = fold(weights, norm)
    assert threshold[0] == (-2 if is_positive(norm, 0, -2, 7, Inputs()) else -1)
    assert is_positive(norm, 0, -2, 7, Inputs()) == (Fraction(beta) ** 2 > 2)


def test_tiny_and_huge_numbers_still_give_thresholds_within_the_sums():
    rng = np.random.default_rng(2)
    n = 60
    sizes = 10.0 ** rng.uniform(-30, 30, (5, n)) * rng.choice([-1, 1], (5, n))
    norm = BatchNorm(sizes[0], sizes[1], sizes[2], np.abs(sizes[3]), sizes[4])
    weights = rng.normal(size=(n, 11))
    folded, threshold = fold(weights, norm)
    assert (np.abs(threshold - 0.5) <= 11.5).all()
    check(norm, Inputs(), bits(weights), folded, threshold)


@pytest.mark.parametrize(("beta", "threshold"), [(0.1, -5), (0.0, -5), (-0.0, -5), (-0.1, 6)])
def test_without_gain_a_unit_is_constant(beta, threshold):
    one = np.ones(1)
    norm = BatchNorm(0 * one, beta * one, 3 * one, one, one)
    assert fold(np.ones((1, 5)), norm)[1][0] == threshold


def test_convolutions_fold_as_matrices_do():
    rng = np.random.default_rng(3)
    norm = random_norm(rng, 6)
    weights = rng.normal(size=(6, 2, 3, 3))
    folded, threshold = fold(weights, norm)
    flat, same = fold(weights.reshape(6, -1), norm)
    assert folded.shape == weights.shape
    assert (folded.reshape(6, -1) == flat).all()
    assert (threshold == same).all()


def scores(norm, signs, z, inputs):
    slope = norm.gamma / np.sqrt(norm.variance + norm.epsilon)
    real = inputs.scale * z + inputs.offset * signs.sum(axis=1)
    return slope * (real + norm.bias - norm.mean) + norm.beta


def integer_scores(folded, gain, threshold, x):
    return (x @ folded.T.astype(np.int64)) * gain - threshold


@pytest.mark.parametrize("inputs", [Inputs(), Inputs(255, 1 / 510, 0.5)])
def test_classes_are_those_of_the_real_scores_within_the_bound(inputs):
    rng = np.random.default_rng(4)
    weights = rng.normal(size=(10, 301))
    signs = bits(weights).astype(np.int64)
    norm = random_norm(rng, 10, spread=1.0)
    norm = replace(norm, mean=norm.mean + inputs.offset * signs.sum(axis=1) + norm.bias)
    folded, gain, threshold, bound = fold_scores(weights, norm, inputs)
    x = rng.choice(np.arange(-inputs.peak, inputs.peak + 1, 2), (20_000, 301))
    y = scores(norm, signs, x @ signs.T, inputs)
    best = np.sort(y, axis=1)
    clear = best[:, -1] - best[:, -2] > bound
    assert clear.mean() > 0.98
    said = integer_scores(folded, gain, threshold, x).argmax(axis=1)
    assert (said == y.argmax(axis=1))[clear].all()
    assert len(set(said.tolist())) > 3
    assert bound < 0.01 * y.std()
    assert gain.min() >= 0
    largest = np.abs(threshold.astype(np.int64)).max()
    assert largest <= 2 * gain.max() * (inputs.peak * 301 + 1) < 2**31


@pytest.mark.parametrize("turned", [False, True])
def test_one_common_gain_is_exact_with_ties(turned):
    rng = np.random.default_rng(5)
    n = 10
    bias = rng.integers(-8, 9, n) / 4  # many equal fractions
    gamma = 0.5 * np.where(turned & (np.arange(n) % 2 == 1), -1.0, 1.0)
    norm = BatchNorm(gamma, np.zeros(n), np.zeros(n), np.ones(n), bias, epsilon=0.0)
    weights = rng.normal(size=(n, 16))
    folded, gain, threshold, bound = fold_scores(weights, norm)
    assert bound == 0
    assert len(set(gain.tolist())) == 1
    x = rng.choice([-1, 1], (5000, 16))
    y = gamma * (x @ bits(weights).T.astype(np.int64) + bias)
    best = np.sort(y, axis=1)
    assert (best[:, -1] == best[:, -2]).mean() > 0.02  # ties are there
    assert (integer_scores(folded, gain, threshold, x).argmax(axis=1) == y.argmax(axis=1)).all()


def test_classes_out_of_reach_and_constant_classes():
    one = np.ones(3)
    weights = np.ones((3, 4))
    far = BatchNorm(one, np.array([0, -1e30, 0.5]), 0 * one, one, 0 * one, epsilon=0.0)
    x = np.array([[1, 1, 1, 1], [-1, -1, -1, -1]])
    assert integer_scores(*_three(weights, far), x).argmax(axis=1).tolist() == [2, 2]
    constant = BatchNorm(0 * one, np.array([0, 2e-9, 1e-9]), 0 * one, one, 0 * one)
    assert integer_scores(*_three(weights, constant), x).argmax(axis=1).tolist() == [1, 1]
    same = BatchNorm(0 * one, 0 * one, 0 * one, one, 0 * one)
    assert integer_scores(*_three(weights, same), x).argmax(axis=1).tolist() == [0, 0]


def _three(weights, norm):
    return fold_scores(weights, norm)[:3]


@pytest.mark.parametrize(
    "change",
    [
        {"gamma": np.array([np.nan, 1.0])},
        {"mean": np.array([np.inf, 1.0])},
        {"variance": np.array([-1.0, 1.0])},
        {"variance": np.zeros(2), "epsilon": 0.0},
        {"beta": np.zeros(3)},
        {"epsilon": np.nan},
    ],
    ids=lambda change: next(iter(change)),
)
def test_impossible_statistics_are_refused(change):
    one = np.ones(2)
    good = {"gamma": one, "beta": one, "mean": one, "variance": one, "bias": one}
    with pytest.raises(DataError):
        BatchNorm(**{**good, **change})


def test_shapes_and_weights_that_do_not_fit_are_refused():
    norm = random_norm(np.random.default_rng(6), 2)
    for weights in (np.ones((3, 4)), np.ones(2), np.ones((2, 0)), np.array([[1, np.nan], [1, 1]])):
        with pytest.raises(DataError):
            fold(weights, norm)
        with pytest.raises(DataError):
            fold_scores(weights, norm)
    with pytest.raises(DataError, match="positive scale"):
        Inputs(255, -1.0)
