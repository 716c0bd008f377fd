"""Codes: exact binomial sums, a real encoder and decoder, limits, refusals."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys import ecc
from devicephys.errors import ParameterError

QUICK = settings(max_examples=60, deadline=None, derandomize=True)
ALL_CODES = [ecc.secded(k) for k in (1, 4, 8, 11, 16, 32, 64, 128)]
ALL_CODES += [ecc.repetition(n) for n in (1, 3, 5, 9)]


class Hamming:
    """Extended Hamming code by its definition: positions 1..n-1, parity bits at powers of two."""

    def __init__(self, data_bits):
        check = 1
        while 2**check < data_bits + check + 1:
            check += 1
        self.length = data_bits + check
        positions = np.arange(1, self.length + 1)
        self.parity = 2 ** np.arange(check)
        self.data = positions[~np.isin(positions, self.parity)]
        self.bits = (positions[:, None] >> np.arange(check)) & 1  # of each position

    def encode(self, data):
        word = np.zeros((len(data), self.length + 1), np.int8)
        word[:, self.data] = data
        word[:, self.parity] = (word[:, 1:].astype(np.int32) @ self.bits) % 2
        word[:, 0] = word[:, 1:].sum(axis=1) % 2
        return word

    def decode(self, word):
        word = word.copy()
        syndrome = ((word[:, 1:].astype(np.int32) @ self.bits) % 2) @ 2 ** np.arange(
            len(self.parity)
        )
        odd = word.sum(axis=1) % 2 == 1
        fix = odd & (syndrome <= self.length)  # a syndrome of 0 points at the overall parity
        word[np.flatnonzero(fix), syndrome[fix]] ^= 1
        return word[:, self.data]


@pytest.mark.parametrize(
    ("data", "word"), [(1, 4), (4, 8), (8, 13), (11, 16), (16, 22), (26, 32), (32, 39), (64, 72),
                       (120, 128), (128, 137)],
)  # fmt: skip
def test_extended_hamming_codes_have_their_known_lengths(data, word):
    code = ecc.secded(data)
    assert (code.word_bits, code.data_bits) == (word, data)
    assert code.name == f"SECDED({word},{data})"
    assert Hamming(data).length + 1 == word
    assert ecc.overhead(code) == word / data


def test_the_decoder_of_these_tests_corrects_every_single_error_and_keeps_every_double_one():
    code, rng = Hamming(16), np.random.default_rng(1)
    data = rng.integers(0, 2, (22, 16)).astype(np.int8)
    word = code.encode(data)
    assert (code.decode(word ^ np.eye(22, dtype=np.int8)) == data).all()
    pairs = np.array([(i, j) for i in range(22) for j in range(i)])
    data = rng.integers(0, 2, (len(pairs), 16)).astype(np.int8)
    wrong = code.encode(data)
    wrong[np.arange(len(pairs))[:, None], pairs] ^= 1
    assert (code.decode(wrong) == wrong[:, code.data]).all()


@pytest.mark.parametrize("code", ALL_CODES, ids=lambda c: c.name)
@pytest.mark.parametrize("p", [1e-18, 1e-9, 1e-4, 1e-2, 0.2, 0.5, 1.0])
def test_word_failure_is_the_binomial_tail_in_exact_fractions(code, p):
    n, q = code.word_bits, Fraction(p)
    tail = sum(
        math.comb(n, j) * q**j * (1 - q) ** (n - j) for j in range(code.corrected + 1, n + 1)
    )
    assert float(ecc.word_failure(code, p)) == pytest.approx(float(tail), rel=1e-12)
    if code.corrected == 1:  # the formula with its cancellation
        naive = 1 - (1 - q) ** n - n * q * (1 - q) ** (n - 1)
        assert naive == tail


@pytest.mark.parametrize("p", [1e-18, 1e-9, 1e-4, 1e-2, 0.2, 0.5, 1.0])
def test_residual_bound_of_secded_is_its_sum_in_exact_fractions(p):
    code, q = ecc.secded(32), Fraction(p)
    n, k = code.word_bits, code.data_bits
    chance = [math.comb(n, j) * q**j * (1 - q) ** (n - j) for j in range(n + 1)]
    bound = sum(chance[j] * Fraction(j, n) for j in range(2, n + 1))
    bound += sum(chance[3::2]) / k
    assert float(ecc.residual_ber(code, p)) == pytest.approx(min(float(bound), 1), rel=1e-11)


@pytest.mark.parametrize(("data_bits", "p"), [(64, 0.003), (64, 0.02), (16, 0.01), (4, 0.1)])
def test_residual_bound_holds_against_an_encoder_and_decoder(data_bits, p):
    """5 standard errors: false alarm 3e-7 for each side."""
    rng, hamming, code = np.random.default_rng(data_bits), Hamming(data_bits), ecc.secded(data_bits)
    words = 60_000
    data = rng.integers(0, 2, (words, data_bits)).astype(np.int8)
    sent = hamming.encode(data)
    wrong = hamming.decode(sent ^ (rng.random(sent.shape) < p)) != data
    each = wrong.mean(axis=1)
    found, error = each.mean(), each.std() / np.sqrt(words)
    bound = float(ecc.residual_ber(code, p))
    left, flipped = (float(x) for x in ecc._after_secded(code, np.array(p)))
    assert left + flipped == bound
    assert found < bound + 5 * error
    assert found > left - 2 * flipped - 5 * error  # a flip may also mend one of three or more
    failed = words * float(ecc.word_failure(code, p))
    assert wrong.any(axis=1).sum() < failed + 5 * np.sqrt(failed)


def test_asymmetric_errors_of_random_data_count_as_their_mean():
    """SECDED: only p01; 5 standard errors."""
    rng, hamming, code = np.random.default_rng(7), Hamming(64), ecc.secded(64)
    p01, words = 0.02, 60_000
    data = rng.integers(0, 2, (words, 64)).astype(np.int8)
    sent = hamming.encode(data)
    wrong = hamming.decode(sent | (rng.random(sent.shape) < p01)) != data
    found = ecc.coded(code, p01, 0.0, 1e-12)
    for bit, name in ((0, "p01"), (1, "p10")):
        share = wrong[data == bit]
        rate = (wrong & (data == bit)).sum(axis=1) / 32  # of about 32 such bits a word
        assert share.mean() < found[name] + 5 * rate.std() / np.sqrt(words)
    each = wrong.mean(axis=1)
    bound, error = float(ecc.residual_ber(code, p01 / 2)), 5 * each.std() / np.sqrt(words)
    assert 0.9 * bound - error < each.mean() < bound + error


def test_repetition_keeps_zeros_and_ones_apart():
    """5 standard errors of 200 000 majorities."""
    rng, n = np.random.default_rng(3), 200_000
    found = ecc.coded(ecc.repetition(3), 0.1, 0.02, 1e-12)
    for name, p in (("p01", 0.1), ("p10", 0.02)):
        drawn = ((rng.random((n, 3)) < p).sum(axis=1) >= 2).mean()
        assert float(found[name]) == pytest.approx(3 * p**2 - 2 * p**3, rel=1e-12)
        assert drawn == pytest.approx(float(found[name]), abs=5 * np.sqrt(drawn / n))
    assert found["ber"] == (found["p01"] + found["p10"]) / 2
    assert found["energy_per_bit"] == 3e-12


@pytest.mark.parametrize("code", ALL_CODES, ids=lambda c: c.name)
def test_limits_and_monotony(code):
    p = np.r_[0.0, np.logspace(-18, np.log10(0.5), 300)]
    for f in (ecc.word_failure, ecc.residual_ber):
        assert f(code, 0.0) == 0
        rise = np.diff(f(code, p))
        assert (rise >= 0).all()  # so that ends of intervals may be mapped
        assert (rise[p[1:] < 0.1] > 0).all()
    if code.kind == "secded":
        small = float(ecc.residual_ber(code, 1e-10)) / 1e-20
        assert small == pytest.approx(code.word_bits - 1, rel=1e-7)


def test_repetition_of_one_changes_nothing_and_majority_is_symmetric():
    p = np.linspace(0, 1, 11)
    assert ecc.residual_ber(ecc.repetition(1), p) == pytest.approx(p)
    f = ecc.residual_ber(ecc.repetition(5), p)
    assert f + f[::-1] == pytest.approx(np.ones(11))


@QUICK
@given(st.sampled_from(ALL_CODES), st.floats(0, 1), st.floats(0, 1))
def test_coded_rates_are_probabilities_and_consistent(code, p01, p10):
    found = ecc.coded(code, p01, p10, 1e-12)
    assert all(0 <= found[n] <= 1 for n in ("p01", "p10", "ber"))
    assert found["ber"] == (found["p01"] + found["p10"]) / 2
    swapped = ecc.coded(code, p10, p01, 1e-12)
    assert swapped["p01"] == pytest.approx(float(found["p10"]))
    if code.kind == "secded" and max(found["p01"], found["p10"]) < 1:
        assert found["ber"] == pytest.approx(float(ecc.residual_ber(code, (p01 + p10) / 2)))


def test_coded_broadcasts():
    found = ecc.coded(ecc.secded(32), np.full((2, 1), 1e-3), np.zeros(3), 1e-12)
    assert {x.shape for x in found.values()} == {(2, 3)}


@pytest.mark.parametrize("kind", ecc.CODES)
def test_every_registered_code_is_made_by_its_constructor(kind):
    code = ecc.CODES[kind](3)
    assert code.kind == kind
    assert 0 < float(ecc.residual_ber(code, 1e-3)) < 1e-3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ecc.repetition(2), "n = 2; expected an odd number of copies; a tie"),
        (lambda: ecc.secded(0), "data_bits = 0; expected a whole number >= 1"),
        (lambda: ecc.secded(8.5), r"data_bits = 8.5"),
        (lambda: ecc.Code("x", "sceded", 8, 4, 1), "did you mean 'secded'"),
        (lambda: ecc.Code("x", "secded", 8, 9, 1), "word_bits = 8; expected a whole number >= 9"),
        (lambda: ecc.Code("x", "repetition", 3, 1, 2), "expected 3, 1, 1; make it by repetition"),
        (lambda: ecc.Code("x", "repetition", 4, 1, 1), "expected 3, 1, 1"),
        (lambda: ecc.Code("x", "repetition", 3, 2, 1), "data_bits = 2, .*expected 3, 1, 1"),
        (lambda: ecc.Code("x", "secded", 72, 64, 2), "corrected = 2; expected 72, 64, 1; make it"),
        (lambda: ecc.Code("x", "secded", 73, 64, 1), "word_bits = 73, .*expected 72, 64, 1"),
        (lambda: ecc.word_failure(ecc.secded(8), 1.1), r"p = 1.1; expected finite, in \[0, 1\]"),
        (lambda: ecc.residual_ber(ecc.secded(8), np.nan), "p = nan"),
        (lambda: ecc.coded(ecc.secded(8), -0.1, 0, 1e-12), "p01 = -0.1"),
        (lambda: ecc.coded(ecc.secded(8), 0.1, 0, -1e-12), "energy_per_bit = -1e-12 J"),
    ],
)
def test_impossible_codes_and_rates_are_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()
