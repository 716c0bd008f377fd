"""Laws of ln R: exact cases, an independent likelihood, coverage, mixtures, refusals."""

import numpy as np
import pytest
from scipy import stats
from sklearn.mixture import GaussianMixture

from devicephys.errors import DataError, ParameterError
from devicephys.fitting.resistance import fit, samples
from devicephys.rram.ramp import split_variance


def censored(x, low=-np.inf, high=np.inf):
    words = np.where(x > high, "above", np.where(x < low, "below", "exact"))
    return np.exp(np.clip(x, low, high)), words


def two(rng, n):
    first = rng.random(n) < 0.7
    return np.where(first, rng.normal(8.5, 0.15, n), rng.normal(9.2, 0.4, n))


def test_one_level_of_values_is_their_mean_and_standard_deviation_with_exact_intervals():
    x = np.random.default_rng(1).normal(9, 0.5, 40)
    law = fit(samples(np.exp(x)))
    assert law.mixture.x[0] == pytest.approx(x.mean(), abs=1e-9)
    assert law.mixture.sigma[0] == pytest.approx(x.std(), abs=1e-9)
    half = stats.t.ppf(0.975, 39) * x.std(ddof=1) / np.sqrt(40)
    assert law.x_high[0] - x.mean() == pytest.approx(half, rel=1e-5)
    chi = x.std(ddof=1) * np.sqrt(39 / stats.chi2.ppf([0.975, 0.025], 39))
    assert [law.sigma_low[0], law.sigma_high[0]] == pytest.approx(chi, rel=1e-5)
    likelihood = stats.norm.logpdf(x, x.mean(), x.std()).sum()
    assert law.log_likelihood == pytest.approx(likelihood, rel=1e-9)
    assert law.bic == pytest.approx(2 * np.log(40) - 2 * likelihood, rel=1e-9)


@pytest.mark.parametrize(("low", "high"), [(-np.inf, 9.3), (8.5, np.inf), (8.5, 9.3), (8.9, 9.0)])
def test_bounds_agree_with_the_likelihood_of_scipy(low, high):
    x = np.random.default_rng(2).normal(9, 0.5, 100)
    r, words = censored(x, low, high)
    law, log_r = fit(samples(r, words)), np.log(r)
    data = stats.CensoredData(log_r[words == "exact"], left=log_r[words == "below"],
                              right=log_r[words == "above"])  # fmt: skip
    mean, sigma = stats.norm.fit(data)
    assert law.mixture.x[0] == pytest.approx(mean, abs=1e-3)  # scipy stops at 1e-4
    assert law.mixture.sigma[0] == pytest.approx(sigma, rel=3e-3)

    def likelihood(mean, sigma):
        one = stats.norm(mean, sigma)
        each = {"exact": one.logpdf, "above": one.logsf, "below": one.logcdf}
        return sum(each[w](x) for w, x in zip(words, log_r, strict=True))

    own = likelihood(law.mixture.x[0], law.mixture.sigma[0])
    assert own >= likelihood(mean, sigma) - 1e-9
    assert law.log_likelihood == pytest.approx(own, rel=1e-9)
    assert (law.n_above, law.n_below) == ((words == "above").sum(), (words == "below").sum())


def test_two_levels_are_those_of_another_program():
    x = two(np.random.default_rng(3), 2000)
    law = fit(samples(np.exp(x)), 2)
    other = GaussianMixture(2, tol=1e-9, max_iter=5000, reg_covar=0, random_state=0).fit(x[:, None])
    order = np.argsort(other.means_.ravel())
    assert law.mixture.x == pytest.approx(other.means_.ravel()[order], abs=2e-3)
    sigma = np.sqrt(other.covariances_.ravel()[order])
    assert law.mixture.sigma == pytest.approx(sigma, rel=5e-3)  # the penalty: 1e-3
    assert law.mixture.weight == pytest.approx(other.weights_[order], abs=5e-3)
    assert law.bic == pytest.approx(other.bic(x[:, None]), rel=1e-3)


def test_intervals_cover():
    """Each of 200 intervals at 95 %: 178 or fewer inside with probability 0.05 %."""
    rng, inside = np.random.default_rng(4), np.zeros(2)
    for _ in range(200):
        law = fit(samples(*censored(rng.normal(9, 0.5, 40), high=9.4)))
        inside += [law.x_low[0] < 9 < law.x_high[0], law.sigma_low[0] < 0.5 < law.sigma_high[0]]
    assert (inside > 178).all()


def test_two_levels_with_bounds_come_back():
    """Within 4 standard errors (false alarm 5e-4 for seven numbers), which are those of 3000."""
    law = fit(samples(*censored(two(np.random.default_rng(5), 3000), high=9.7)), 2)
    true = np.log([0.15, 0.4]), [8.5, 9.2], np.log(0.7 / 0.3)
    found = np.r_[law.mixture.x, np.log(law.mixture.sigma), np.log(np.divide(*law.mixture.weight))]
    off = (found - np.r_[true[1], true[0], true[2]]) / np.sqrt(np.diag(law.covariance))
    assert np.abs(off).max() < 4
    assert not law.flaw
    assert (law.weight_low < [0.7, 0.3]).all()
    assert (law.weight_high > [0.7, 0.3]).all()


def test_cycles_of_a_device_are_no_new_devices():
    rng = np.random.default_rng(6)
    device = np.repeat(np.arange(12), 20)
    x = rng.normal(9, 0.4, 12)[device] + rng.normal(0, 0.1, 240)
    law = fit(samples(np.exp(x), device=device))
    assert law.x_stderr[0] == pytest.approx(split_variance(x, device.astype(str)).stderr, rel=1e-5)
    alone = fit(samples(np.exp(x)))
    assert law.mixture.x == pytest.approx(alone.mixture.x)
    assert law.x_stderr[0] > 3 * alone.x_stderr[0]
    assert law.n_devices == 12


def test_a_level_on_a_single_sample_is_called_one():
    x = np.r_[np.random.default_rng(7).normal(9, 0.1, 200), 12.0]
    assert "stands on 1.0 samples" in fit(samples(np.exp(x)), 2).flaw


@pytest.mark.parametrize(
    ("r", "words", "message"),
    [
        ([1e3, 0.0, 2e3], None, "sample 1: 0 Ohm"),
        ([1e3, np.nan, 2e3], None, "sample 1: nan Ohm"),
        ([1e3, 2e3], None, "2 of 2 samples have a value.*measure more samples"),
        ([1e6] * 5, ["above"] * 5, "0 of 5 samples have a value, 5 are above.*wider range"),
        ([1e3] * 5, None, "all 5 values are 1000 Ohm.*more digits"),
        ([1e3] * 3, ["exact", "exact", "over"], "sample 2: 'over'; expected one of exact"),
        ([[1e3]], None, "expected one shape"),
    ],
)
def test_what_tells_no_law_is_refused(r, words, message):
    with pytest.raises(DataError, match=message):
        samples(r, words)


def test_levels_beyond_the_data_are_refused():
    data = samples([1e3, 2e3, 3e3, 4e3])
    with pytest.raises(DataError, match="2 levels for 4 values"):
        fit(data, 2)
    with pytest.raises(ParameterError, match="n_levels"):
        fit(data, 0)
