"""Closed forms of log-normal cells: integrals, symmetry, deep tails, the right root, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from devicephys.errors import ParameterError
from devicephys.rram import log_normal as ln

QUICK = settings(max_examples=80, deadline=None, derandomize=True)
SPREADS = st.floats(1e-3, 2.0)
DISTANCES = st.floats(0.0, 8.0)


def one(mu_l, s_l, mu_h, s_h, threshold, s_ref=0.0):
    p01, p10 = ln.one_transistor_error(mu_l, s_l, mu_h, s_h, threshold, s_ref)
    return (p01 + p10) / 2


def test_one_transistor_errors_are_integrals_of_the_densities_and_of_the_threshold():
    mu_l, s_l, mu_h, s_h, th = 8.5, 0.3, 10.0, 0.5, 9.1
    p01, p10 = ln.one_transistor_error(mu_l, s_l, mu_h, s_h, th)
    assert p01 == pytest.approx(quad(norm(mu_h, s_h).pdf, mu_h - 15, th)[0], rel=1e-8)
    assert p10 == pytest.approx(quad(norm(mu_l, s_l).pdf, th, mu_l + 9)[0], rel=1e-8)
    p01, p10 = ln.one_transistor_error(mu_l, s_l, mu_h, s_h, th, s_ref=0.2)
    for value, distance, s in ((p01, mu_h, s_h), (p10, mu_l, s_l)):
        sign = 1 if value is p01 else -1
        mean = quad(lambda t, d=distance, s=s, g=sign: norm.cdf(g * (t - d) / s)
                    * norm.pdf(t, th, 0.2), th - 2, th + 2)[0]  # fmt: skip
        assert value == pytest.approx(mean, rel=1e-8)


def test_pair_error_is_the_integral_over_both_densities():
    mu_l, s_l, mu_h, s_h, s_sa = 8.5, 0.3, 9.5, 0.5, 0.1
    area = quad(lambda x: norm.pdf(x, mu_l, s_l) * norm.cdf((x - mu_h) / np.hypot(s_h, s_sa)),
                mu_l - 4, mu_l + 4)[0]  # fmt: skip
    assert ln.two_transistor_error(mu_l, s_l, mu_h, s_h, s_sa) == pytest.approx(area, rel=1e-8)


def test_tails_are_exact_down_to_1e_300():
    mp.dps = 40
    for z in (5.0, 11.5, 37.0):
        exact = float(mp.ncdf(-z))
        assert ln.two_transistor_error(0, 0.6, z, 0.8) == pytest.approx(exact, rel=1e-12)
        p01, p10 = ln.one_transistor_error(0, 0.5, 2 * z, 0.5, [z / 2, 2 * z - z / 2])
        assert p01[1] == pytest.approx(exact, rel=1e-12)
        assert p10[0] == pytest.approx(exact, rel=1e-12)


@QUICK
@given(DISTANCES, SPREADS, SPREADS, st.floats(0.0, 0.5))
def test_best_threshold_is_a_minimum_and_not_the_other_root(d, s_l, s_h, s_ref):
    best = float(ln.best_log_threshold(0.0, s_l, d, s_h, s_ref))
    least = one(0.0, s_l, d, s_h, best, s_ref)
    wide = 10 * (s_l + s_h + s_ref)
    grid = np.linspace(-wide, d + wide, 2001)
    assert least <= one(0.0, s_l, d, s_h, grid, s_ref).min() * (1 + 1e-9)
    step = 1e-3 * min(np.hypot(s_l, s_ref), np.hypot(s_h, s_ref))
    assert least <= one(0.0, s_l, d, s_h, best + step * np.array([-1, 1]), s_ref).min() + 1e-16


def test_best_threshold_is_that_of_a_numerical_minimum():
    for s_l, s_h in ((0.1, 0.5), (0.5, 0.1), (0.3, 0.3), (0.3, 0.3 + 1e-12)):
        found = minimize_scalar(
            lambda t, a=s_l, b=s_h: float(np.log(one(8.5, a, 10.0, b, t))), bounds=(8.5, 10.0),
            method="bounded", options={"xatol": 1e-10},
        )  # fmt: skip
        assert ln.best_log_threshold(8.5, s_l, 10.0, s_h) == pytest.approx(found.x, abs=1e-6)


@QUICK
@given(DISTANCES, SPREADS, SPREADS)
def test_swapping_the_spreads_mirrors_everything(d, s_l, s_h):
    a, b = ln.best_log_threshold(0, s_l, d, s_h), ln.best_log_threshold(0, s_h, d, s_l)
    if s_l != s_h:
        assert a == pytest.approx(d - b, abs=1e-9 * (1 + d))
    p01, p10 = ln.one_transistor_error(0, s_l, d, s_h, a)
    q01, q10 = ln.one_transistor_error(0, s_h, d, s_l, d - a)
    assert (p01, p10) == (pytest.approx(q10, rel=1e-6), pytest.approx(q01, rel=1e-6))
    assert ln.two_transistor_error(0, s_l, d, s_h) == ln.two_transistor_error(0, s_h, d, s_l)


@QUICK
@given(DISTANCES, SPREADS, SPREADS)
def test_errors_depend_on_ratios_of_resistance_only(d, s_l, s_h):
    th = ln.best_log_threshold(9.0, s_l, 9.0 + d, s_h)
    assert th - 9.0 == pytest.approx(ln.best_log_threshold(0.0, s_l, d, s_h), abs=1e-9)
    scaled = ln.best_log_threshold(0.0, 3 * s_l, 3 * d, 3 * s_h)
    assert scaled == pytest.approx(3 * (th - 9.0), abs=1e-8)


def test_equal_spreads_turn_one_error_in_a_hundred_into_five_in_ten_thousand():
    d = -2 * norm.ppf(1e-2)
    th = ln.best_log_threshold(0, 1, d, 1)
    assert th == pytest.approx(d / 2)
    assert one(0, 1, d, 1, th) == pytest.approx(1e-2, rel=1e-12)
    assert ln.two_transistor_error(0, 1, d, 1) == pytest.approx(5.0102e-4, rel=1e-5)
    assert ln.pair_gain(0, 1, d, 1) == pytest.approx(19.9592, rel=1e-5)


def test_pair_is_worse_where_the_lrs_is_narrow_and_never_by_more_than_two():
    assert ln.pair_gain(0, 1e-9, [0.5, 2.0, 5.0], 1) == pytest.approx(0.5, abs=1e-6)
    gain = ln.pair_gain(0, np.geomspace(1e-4, 1, 50)[:, None], np.linspace(0.1, 8, 60), 1)
    assert gain.min() > 0.5
    assert (gain[-1] > 1).all()
    # beyond some distance every finite spread makes the pair the better cell
    assert ln.pair_gain(0, 0.05, [3.0, 3.5], 1).tolist() == [
        pytest.approx(0.9315, abs=1e-3), pytest.approx(1.0842, abs=1e-3)]  # fmt: skip


def test_pair_gain_survives_the_underflow_of_both_rates():
    mp.dps = 40
    s_l, d = 0.2, 50.0  # both rates are below 1e-370
    th = mp.mpf(float(ln.best_log_threshold(0, s_l, d, 1.0)))
    single = (mp.ncdf(th - d) + mp.ncdf(-th / mp.mpf(s_l))) / 2
    exact = float(single / mp.ncdf(-d / mp.sqrt(1 + mp.mpf(s_l) ** 2)))
    assert ln.pair_gain(0, s_l, d, 1.0) == pytest.approx(exact, rel=1e-10)
    assert ln.pair_gain(0, 1.0, 1e4, 1.0) == np.inf


def test_sharp_states_are_steps_and_the_threshold_reads_as_lrs():
    p01, p10 = ln.one_transistor_error(1.0, 0.0, 2.0, 0.0, [0.5, 1.0, 1.5, 2.0])
    assert p10.tolist() == [1, 0, 0, 0]
    assert p01.tolist() == [0, 0, 0, 1]
    assert ln.two_transistor_error([1.0, 1.0], 0, [1.0, 2.0], 0) == pytest.approx([0.5, 0])
    found = ln.best_log_threshold(1.0, [0, 0, 0.1], 2.0, [0, 0.1, 0])
    assert found == pytest.approx([1.5, 1.0, 2.0])


def test_a_threshold_that_stays_or_is_off_costs_errors():
    th = ln.best_log_threshold(8.5, 0.1, 10.0, 0.5)
    off = one(8.5, 0.1, 10.0, 0.5, th + np.array([-0.2, -0.1, 0, 0.1, 0.2]))
    assert off.argmin() == 2
    drifted = one(8.5, 0.1, 10.0 - np.linspace(0, 0.5, 6), 0.5, th)
    assert (np.diff(drifted) > 0).all()
    assert one(8.5, 0.1, 9.5, 0.5, ln.best_log_threshold(8.5, 0.1, 9.5, 0.5)) < drifted[-1]


def test_all_arguments_broadcast():
    th = ln.best_log_threshold(8.5, np.full((3, 1), 0.1), 10.0, np.full(4, 0.5))
    assert th.shape == (3, 4)
    p01, p10 = ln.one_transistor_error(8.5, 0.1, 10.0, 0.5, th, np.zeros((2, 1, 1)))
    assert p01.shape == p10.shape == (2, 3, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ln.best_log_threshold(10, 0.1, 8.5, 0.5),
         "mu_h = 8.5 below mu_l = 10; .*; swap the states"),
        (lambda: ln.two_transistor_error(8.5, -0.1, 10, 0.5), "s_l = -0.1"),
        (lambda: ln.two_transistor_error(8.5, 0.1, 10, 0.5, -1), "s_sa = -1"),
        (lambda: ln.one_transistor_error(8.5, 0.1, 10, 0.5, np.nan), "threshold = nan"),
        (lambda: ln.pair_gain(8.5, 0.1, [10, np.inf], 0.5), "mu_h = inf"),
        (lambda: ln.pair_gain([1.0, 2.0], 0.1, [3.0, 3.0, 3.0], 0.5), "shapes that do not fit"),
    ],
)  # fmt: skip
def test_impossible_states_are_refused(call, message):
    with pytest.raises(ParameterError, match=message):
        call()
