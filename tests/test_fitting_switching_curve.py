"""Empirical switching curves: recovery, coverage of the intervals, refusals with a remedy."""

import numpy as np
import pytest
from scipy import optimize, stats

from devicephys.errors import DataError, FitError, ParameterError
from devicephys.fitting import switching_curve as sc

VOLTAGE = np.linspace(0.8, 1.1, 13)
N = np.full(13, 100)
TRUTH = {"v_50": 0.93, "sigma": 0.04}


def counts(law, seed, n=N, **truth):
    log_p, _ = sc.log_probabilities(law, VOLTAGE, **(TRUTH | truth))
    return np.random.default_rng(seed).binomial(n, np.exp(log_p))


def fit(k, law="normal", n=N, voltage=VOLTAGE, **options):
    return sc.fit(voltage, k, n, np.random.default_rng(1), law, **options)


@pytest.mark.parametrize("law", sc.LAWS)
def test_both_laws_have_the_median_and_the_standard_deviation_that_they_name(law):
    v = np.linspace(0.2, 1.4, 200_001)
    fails, switches = sc.log_probabilities(law, v, 0.93, 0.04)
    assert np.exp(switches[v == 0.93]) == pytest.approx(0.5)
    assert np.exp(fails) + np.exp(switches) == pytest.approx(1, abs=1e-12)
    middle = (v[1:] + v[:-1]) / 2
    density = np.diff(np.exp(switches))
    mean = (density * middle).sum()
    assert np.sqrt((density * (middle - mean) ** 2).sum()) == pytest.approx(0.04, rel=1e-4)
    assert np.isfinite([fails, switches]).all()


def test_the_extreme_value_law_is_activation_over_a_falling_barrier():
    # P = 1 - exp(-t_p/tau), tau = tau_0 exp(Delta (1 - V/V_c)): Neel-Brown at one width.
    delta, v_c, ratio = 40.0, 1.2, 50.0
    v_50 = v_c * (1 - np.log(ratio / np.log(2)) / delta)
    sigma = v_c / delta * np.pi / np.sqrt(6)
    rate = ratio * np.exp(-delta * (1 - VOLTAGE / v_c))
    assert sc.log_probabilities("extreme_value", VOLTAGE, v_50, sigma)[0] == pytest.approx(
        np.maximum(-rate, np.log(sc.FLOOR)), rel=1e-9
    )


@pytest.mark.parametrize("law", sc.LAWS)
@pytest.mark.parametrize("truth", [{}, {"p_max": 0.8}], ids=["full", "ceiling"])
def test_recovers_what_the_counts_were_made_with(law, truth):
    n = np.full(13, 20_000)
    curve = fit(counts(law, 3, n, **truth), law, n, ceiling=bool(truth))
    for name, value in (TRUTH | truth).items():
        assert abs(curve.values[name] - value) < 4 * curve.stderrs[name]
        assert curve.stderrs[name] < 0.05 * value
    assert curve.p_value > 0.001  # false alarm 0.1 %, seed fixed
    assert curve.dof == 13 - len(curve.values)


def test_is_the_maximum_of_the_likelihood():
    k = counts("normal", 4)
    curve = fit(k)

    def loss(x):
        log_p, log1m_p = sc.log_probabilities("normal", VOLTAGE, x[0], np.exp(x[1]))
        return -(k * log_p + (N - k) * log1m_p).sum()

    direct = optimize.minimize(loss, [0.93, np.log(0.04)], method="Nelder-Mead",
                               options={"xatol": 1e-8, "fatol": 1e-10})  # fmt: skip
    assert curve.values["v_50"] == pytest.approx(direct.x[0], abs=1e-6)
    assert np.log(curve.values["sigma"]) == pytest.approx(direct.x[1], abs=1e-4)


def test_profile_intervals_cover_the_truth_and_end_at_the_chi_square_level():
    inside = []
    for seed in range(60):
        k = counts("normal", 100 + seed)
        curve = fit(k)
        ends = sc.intervals(curve, VOLTAGE, k, N)
        inside += [ends[x][0] < TRUTH[x] < ends[x][1] for x in TRUTH]
    assert 0.88 <= np.mean(inside) <= 0.995  # 120 of 95 %; outside with chance 0.5 %
    low, _ = ends["v_50"]
    held = optimize.minimize_scalar(
        lambda x: (sc.deviance_residuals(
            k, N, *sc.log_probabilities("normal", VOLTAGE, low, np.exp(x))) ** 2).sum(),
        bounds=(-6, -1), method="bounded", options={"xatol": 1e-8},
    )  # fmt: skip
    assert held.fun - curve.deviance == pytest.approx(stats.chi2.ppf(0.95, 1), rel=1e-2)


def test_a_ceiling_that_is_not_there_ends_at_one():
    k = np.array([100, 100, 99, 95, 77, 58, 30, 12, 2, 0, 0, 0, 0])
    with_ceiling, without = fit(k, ceiling=True), fit(k)
    assert with_ceiling.values["p_max"] == 1.0
    assert with_ceiling.values["v_50"] == pytest.approx(without.values["v_50"], abs=1e-5)
    assert with_ceiling.stderrs["v_50"] == pytest.approx(without.stderrs["v_50"], rel=1e-3)
    low, high = sc.intervals(with_ceiling, VOLTAGE, k, N)["p_max"]
    assert high == 1.0
    assert 0.98 < low < 1.0


def test_counts_that_no_such_curve_gives_have_a_small_p_value():
    k = counts("normal", 5)
    k[[5, 6, 7, 8, 9]] = 28
    assert fit(k).p_value < 0.001


@pytest.mark.parametrize(
    ("k", "error", "message"),
    [
        ([0] * 13, FitError, r"D1: every pulse switched; measure below 0.8 V"),
        ([100] * 13, FitError, r"no pulse switched; measure above 1.1 V"),
        ([100] * 6 + [0] * 7, FitError, r"lies between 0.925 and 0.95 V.*measure between them"),
        ([100] * 6 + [40] + [0] * 6, FitError, r"only 0.95 V.*more voltages close to 0.95 V"),
        (np.linspace(10, 90, 13).round(), FitError, r"does not rise with the voltage"),
        ([100] * 11 + [98, 90], FitError, r"V_50 = .* would be an extrapolation.*above that range"),
        ([10, 2] + [0] * 11, FitError, r"would be an extrapolation.*measure below that range"),
    ],
)  # fmt: skip
def test_counts_that_fix_no_curve_say_what_to_measure(k, error, message):
    with pytest.raises(error, match=message):
        fit(k, where="D1")


def test_too_few_voltages_and_wrong_arguments_are_refused():
    with pytest.raises(DataError, match=r"1 voltages for 2 parameters.*3 or more"):
        fit([50], n=[100], voltage=[0.9])
    with pytest.raises(DataError, match=r"3 voltages for 3 parameters.*measure more voltages"):
        fit([90, 50, 10], n=[100] * 3, voltage=[0.8, 0.9, 1.0], ceiling=True)
    with pytest.raises(ParameterError, match="whole numbers"):
        fit([90.5, 50, 10], n=[100] * 3, voltage=[0.8, 0.9, 1.0])
    with pytest.raises(ParameterError, match="unknown law 'gumbel'"):
        fit([90, 50, 10], "gumbel", n=[100] * 3, voltage=[0.8, 0.9, 1.0])
    with pytest.raises(ParameterError, match=r"voltage = -0\.8 V"):
        fit([90, 50, 10], n=[100] * 3, voltage=[-0.8, 0.9, 1.0])
