"""Truncated distributions: against scipy's conditional law, in far tails, and refusals."""

import numpy as np
import pytest
from scipy import stats

from devicephys.errors import ParameterError
from devicephys.rram import truncated
from devicephys.rram.truncated import Truncated

LAWS = [
    (Truncated("expon", 0.1, 2.0, 0.5, 3.0), stats.expon(0.1, 2.0)),
    (Truncated("lognorm", 0.0, 500.0, 40.0, 2000.0, 0.8), stats.lognorm(0.8, 0.0, 500.0)),
    (Truncated("norm", 5.0, 2.0, 6.0, 12.0), stats.norm(5.0, 2.0)),
    (Truncated("uniform", -1.0, 3.0, 0.0, 1.0), stats.uniform(-1.0, 3.0)),
]


@pytest.mark.parametrize(("law", "whole"), LAWS, ids=[law.law for law, _ in LAWS])
def test_draws_have_the_conditional_law(law, whole):
    def conditional(x):
        return (whole.cdf(x) - whole.cdf(law.low)) / (whole.cdf(law.high) - whole.cdf(law.low))

    x = truncated.draw(law, 20_000, np.random.default_rng(1))
    assert law.low <= x.min() <= x.max() <= law.high
    assert stats.kstest(x, conditional).pvalue > 1e-4  # false alarms: 1e-4
    assert conditional(truncated.median(law)) == pytest.approx(0.5, abs=1e-12)


def test_a_far_upper_tail_is_drawn_from_its_own_end():
    """Beyond 10 sigma the distribution function is 1 in double precision."""
    law = Truncated("norm", 0.0, 1.0, 10.0, 11.0)
    x = truncated.draw(law, 10_000, np.random.default_rng(2))
    assert stats.kstest(x, stats.truncnorm(10.0, 11.0).cdf).pvalue > 1e-4


def test_seeds_are_reproducible():
    a, b = (truncated.draw(LAWS[0][0], 5, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gamma", 0, 1, 0, 1), "unknown law 'gamma'"),
        (("norm", 0, 0, 0, 1), "scale = 0"),
        (("norm", 0, -1, 0, 1), "scale = -1"),
        (("norm", 0, 1, 1, 1), "expected low < high"),
        (("norm", 0, 1, 2, 1), "expected low < high"),
        (("norm", 0, 1, 40, 50), "no probability between"),
        (("expon", 0, 1, -2, -1), "no probability between"),
        (("lognorm", 0, 1, 0, 1), "give s of lognorm"),
        (("lognorm", 0, 1, 0, 1, -0.5), "shape = -0.5"),
        (("norm", 0, 1, 0, 1, 0.5), "only lognorm has a shape"),
        (("norm", 0, 1, 0, np.inf), "high = inf"),
        (("norm", np.nan, 1, 0, 1), "loc = nan"),
    ],
)
def test_refuses_what_is_no_distribution(arguments, message):
    with pytest.raises(ParameterError, match=message):
        Truncated(*arguments)


def test_refuses_an_impossible_number_or_a_seed():
    for size in (0, 1.5, -1):
        with pytest.raises(ParameterError, match="size"):
            truncated.draw(LAWS[0][0], size, np.random.default_rng(1))
    with pytest.raises(ParameterError, match="rng"):
        truncated.draw(LAWS[0][0], 1, 1)
