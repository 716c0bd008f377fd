"""Fits of shared parameters: certified fits, an independent minimiser, ties, priors, refusals."""

import numpy as np
import pytest
from scipy.stats import poisson

from devicephys.errors import FitError, ParameterError
from devicephys.fitting.problem import Block, Prior, Unknown, check, estimates, solve

# Certified fits of the NIST Statistical Reference Datasets, nonlinear regression
# (https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml): data, parameters, standard deviations.
MISRA1A = (
    [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1,
     760.0],
    [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47,
     81.78],
    lambda x, b: b["b1"] * -np.expm1(-b["b2"] * x),
    {"b1": (500.0, 2.3894212918e2, 2.7070075241), "b2": (1e-4, 5.5015643181e-4, 7.2668688436e-6)},
    1.2455138894e-1,
)  # fmt: skip
DANWOOD = (
    [1.309, 1.471, 1.490, 1.565, 1.611, 1.680],
    [2.138, 3.421, 3.597, 4.340, 4.882, 5.660],
    lambda x, b: b["b1"] * x ** b["b2"],
    {"b1": (1.0, 0.76886226176, 0.018281973860), "b2": (5.0, 3.8604055871, 0.051726610913)},
    4.3173084083e-3,
)
Y = np.array([1.9, 2.1, 2.3])


def mean_of(name, sigma=0.1):
    return Block("readings", 3, lambda v: (Y - v[name]) / sigma, lambda v, rng: mean_of(name))


@pytest.mark.parametrize(("x", "y", "model", "certified", "squares"), [MISRA1A, DANWOOD])
@pytest.mark.parametrize("log", [True, False])
def test_certified_fits_to_six_digits(x, y, model, certified, squares, log):
    x, y = np.array(x), np.array(y)
    s = np.sqrt(squares / (len(x) - 2))
    block = Block("StRD", len(x), lambda v: (y - model(x, v)) / s, lambda v, rng: block)
    unknowns = [
        Unknown(n, "1", n, 1e-6 * c[1], 1e6 * c[1], c[0], log=log) for n, c in certified.items()
    ]
    found = solve(unknowns, [block])
    assert found.deviance * s**2 == pytest.approx(squares, rel=1e-6)
    for e in estimates(unknowns, found):
        assert e.value == pytest.approx(certified[e.name][1], rel=1e-6)
        assert e.stderr == pytest.approx(certified[e.name][2], rel=1e-5)


def test_a_fixed_a_tied_and_a_free_parameter():
    unknowns = [
        Unknown("a", "1", "a", 0.1, 10, 2.0, vary=False),
        Unknown("b", "1", "b", 0.1, 10),
        Unknown("c", "1", "c", 0.1, 30, tied=("b", 3.0)),
    ]
    found = solve(unknowns, [mean_of("b")])
    assert found.names == ("b",)
    assert found.values["c"] == 3 * found.values["b"]
    a, b, c = estimates(unknowns, found)
    assert not a.vary
    assert c.stderr == pytest.approx(3 * b.stderr)
    assert c.low == pytest.approx(3 * b.low)


def test_a_parameter_tied_by_a_negative_factor_has_its_ends_in_order():
    unknowns = [Unknown("b", "1", "b", 0.1, 10),
                Unknown("c", "1", "c", -30, 0, log=False, tied=("b", -3.0))]  # fmt: skip
    b, c = estimates(unknowns, solve(unknowns, [mean_of("b")]))
    assert c.low == pytest.approx(-3 * b.high)
    assert c.high == pytest.approx(-3 * b.low)
    assert c.stderr == pytest.approx(3 * b.stderr)


def test_few_expected_events_make_errors_as_much_too_large_as_is_said():
    """Poisson counts of means 1 and 0.01, all outcomes weighed by their probability."""
    for mean, factor in ((1.0, 1.04), (0.01, 1.26)):
        k = np.arange(20)
        square = 2 * (k * np.log(np.maximum(k, 1) / mean) - (k - mean))
        slope = np.where(k == mean, mean, (k - mean) ** 2 / np.where(square > 0, square, 1))
        assert (poisson.pmf(k, mean) @ slope / mean) ** -0.5 == pytest.approx(factor, abs=0.005)


def test_a_prior_weighs_as_one_more_reading():
    prior = Prior(4.0, 0.1, "an earlier lot")
    plain = Unknown("mu", "1", "mu", 0.1, 10, log=False, prior=prior)
    found = solve([plain], [mean_of("mu")])
    assert found.values["mu"] == pytest.approx((Y.sum() + 4.0) / 4, rel=1e-6)
    assert found.covariance[0, 0] == pytest.approx(0.1**2 / 4, rel=1e-5)
    assert found.dof == 3


def test_a_parameter_at_its_bound_is_named():
    found = solve([Unknown("mu", "1", "mu", 3.0, 10.0)], [mean_of("mu")])
    assert found.at_bound == ("mu",)


@pytest.mark.parametrize(
    ("unknowns", "message"),
    [
        ([Unknown("a", "1", "a", 1, 2), Unknown("a", "1", "a", 1, 2)], "parameter a twice"),
        ([Unknown("a", "1", "a", 0, 2)], "lower bound of a = 0"),
        ([Unknown("a", "1", "a", 3, 2)], "upper bound of a = 2"),
        ([Unknown("a", "1", "a", 1, 2, vary=False)], "a is fixed without a value"),
        ([Unknown("a", "1", "a", 1, 2, tied=("b", 1.0))], "unknown parameter to tie to 'b'"),
        ([Unknown("a", "1", "a", 1, 2, prior=Prior(3.0, 1.0, ""))], "prior of a = 3"),
        ([Unknown("a", "1", "a", 1, 2, prior=Prior(1.5, 0.0, ""))], "sigma of the prior of a"),
    ],
)
def test_inconsistent_parameters_are_refused(unknowns, message):
    with pytest.raises(ParameterError, match=message):
        check(unknowns)


def test_what_data_cannot_tell_is_refused_and_says_what_to_do():
    two = [Unknown("mu", "1", "mu", 0.1, 10), Unknown("idle", "1", "x", 0.1, 10)]
    with pytest.raises(FitError, match="fix a parameter that these data cannot tell"):
        solve(two, [mean_of("mu")])
    many = [Unknown(f"p{k}", "1", "p", 0.1, 10) for k in range(4)]
    with pytest.raises(FitError, match=r"3 data for the 4 free parameters.*measure more"):
        solve(many, [mean_of("p0")])
