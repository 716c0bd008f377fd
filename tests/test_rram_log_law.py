"""The simple law: its log-normal, how pulses are split into calls, the table, and refusals."""

import numpy as np
import pytest
from scipy import stats

from devicephys.errors import AccuracyError, ParameterError
from devicephys.rram import log_law, normals

MU, SIGMA, N = 1e-3, 2e-2, 200_000


def test_the_table_has_the_moments_of_a_normal_law():
    table = normals.quantiles()
    assert len(table) == 65536
    assert [table.mean(), (table**3).mean()] == pytest.approx([0, 0], abs=1e-12)
    assert table.std() == pytest.approx(1, abs=1e-12)
    assert (table**4).mean() == pytest.approx(3, rel=1e-3)
    assert table.max() == pytest.approx(4.32, abs=0.01)


def test_entries_are_equally_likely():
    counts = np.bincount(normals.indices(1_000_003, np.random.default_rng(1)) >> 8, minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-4  # false alarms: 1e-4
    x = normals.draw(200_000, np.random.default_rng(2))
    assert stats.kstest(x, "norm").pvalue > 1e-4


@pytest.mark.parametrize("own_counts", [False, True])
@pytest.mark.parametrize("calls", [[100], [1, 9, 40, 50], [10] * 10])
def test_any_split_gives_the_same_log_normal(calls, own_counts):
    rng = np.random.default_rng(len(calls))
    r = np.full(N, 7e3, np.float32)
    for n in calls:
        log_law.apply(r, np.full(N, n) if own_counts else n, MU, SIGMA, rng)
    z = (np.log(r / 7e3) - 100 * MU) / (10 * SIGMA)
    assert abs(z.mean()) < 4.5 / np.sqrt(N)  # false alarms: 7e-6
    assert abs(z.var() - 1) < 4.5 * np.sqrt(2 / N)
    assert stats.kstest(z[:20_000], "norm").pvalue > 1e-4


def test_devices_without_pulses_keep_their_resistance():
    r = np.linspace(5e3, 9e3, 1000).astype(np.float32)
    before, n = r.copy(), np.arange(1000) % 2
    log_law.apply(r, n, MU, SIGMA, np.random.default_rng(1))
    np.testing.assert_array_equal(r[n == 0], before[n == 0])
    assert (r[n == 1] != before[n == 1]).mean() > 0.99
    before = r.copy()
    log_law.apply(r, 0, MU, SIGMA, np.random.default_rng(1))
    np.testing.assert_array_equal(r, before)


def test_seeds_are_reproducible():
    results = []
    for _ in range(2):
        r = np.full(10, 7e3, np.float32)
        log_law.apply(r, 3, MU, SIGMA, np.random.default_rng(4))
        results.append(r)
    np.testing.assert_array_equal(*results)


GOOD = np.full(3, 7e3, np.float32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((GOOD.astype(float), 1, MU, SIGMA), "contiguous float32"),
        ((GOOD.reshape(1, 3), 1, MU, SIGMA), "contiguous float32"),
        ((np.repeat(GOOD, 2)[::2], 1, MU, SIGMA), "contiguous float32"),
        (([7e3], 1, MU, SIGMA), "contiguous float32"),
        ((np.array([1, 0, 1], np.float32), 1, MU, SIGMA), r"resistance\[1\] = 0 Ohm"),
        ((np.array([1, 1, np.nan], np.float32), 1, MU, SIGMA), r"resistance\[2\] = nan"),
        ((GOOD[:0], 1, MU, SIGMA), "of no device"),
        ((GOOD, -1, MU, SIGMA), "n_pulses = -1"),
        ((GOOD, [1, 2], MU, SIGMA), r"shape \(2,\) for 3 devices"),
        ((GOOD, [1, 2, 0.5], MU, SIGMA), r"n_pulses\[2\] = 0.5"),
        ((GOOD, 1, np.nan, SIGMA), "mu"),
        ((GOOD, 1, MU, -1e-3), "sigma"),
    ],
)
def test_refuses_bad_input(arguments, message):
    with pytest.raises(ParameterError, match=message):
        log_law.apply(*arguments, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("n", "mu", "sigma"), [(100_000, 1e-3, 0.01), ([1, 1, 100_000], 1e-3, 0.01), (10**6, 0.0, 0.1)]
)
def test_refuses_what_could_overflow_and_changes_nothing(n, mu, sigma):
    r = GOOD.copy()
    with pytest.raises(AccuracyError, match=r"pulses with mu = .* 7000 Ohm by a factor exp\("):
        log_law.apply(r, n, mu, sigma, np.random.default_rng(1))
    np.testing.assert_array_equal(r, GOOD)


def test_the_rise_that_is_refused_is_the_largest_of_up_to_n_pulses():
    """With mu < 0 fewer pulses can rise higher: exp(sigma^2 z^2/4 |mu|)."""
    r, rng = GOOD.copy(), np.random.default_rng(1)
    log_law.apply(r, 10**6, -0.01, 1.0, rng)  # all sink
    with pytest.raises(AccuracyError):
        log_law.apply(GOOD.copy(), [1, 1, 10**6], -0.01, 1.0, rng)
    log_law.apply(GOOD.copy(), 79_000, 1e-3, 0.0, rng)  # just below


def test_refuses_a_seed_for_a_generator():
    with pytest.raises(ParameterError, match="rng"):
        log_law.apply(GOOD, 1, MU, SIGMA, 1)
