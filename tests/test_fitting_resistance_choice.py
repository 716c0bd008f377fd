"""Number of levels and goodness: right laws pass, wrong ones do not, devices and bounds count."""

import numpy as np
import pytest

from devicephys.errors import DataError, ParameterError
from devicephys.fitting.resistance import samples
from devicephys.fitting.resistance_choice import choose


def rng():
    return np.random.default_rng(1)


def test_one_level_is_enough_for_a_log_normal_state_with_bounds():
    """A false alarm needs p <= 0.01 and a lower BIC, or p <= 0.005 of the goodness."""
    x = rng().normal(9, 0.5, 150)
    words = np.where(x > 9.5, "above", "exact")
    found = choose(samples(np.exp(np.minimum(x, 9.5)), words), rng(), most=2)
    assert found.n_levels == 1
    assert found.p_values[0] > 0.01
    assert found.goodness > 0.005
    assert found.icc == 0
    assert found.sentence().startswith("one normal level of ln R describes 150 samples")


def test_a_tail_takes_a_second_level_and_one_level_fails():
    x = np.r_[rng().normal(8.5, 0.1, 240), rng().normal(9.2, 0.3, 60)]
    found = choose(samples(np.exp(x)), rng(), most=2)
    assert found.n_levels == 2
    assert found.p_values == (1 / 200,)
    assert found.laws[1].bic < found.laws[0].bic - 50
    only = choose(samples(np.exp(x)), rng(), most=1)
    assert only.goodness == 1 / 200
    assert "does not quite describe" in only.sentence()


def test_few_devices_that_differ_are_no_levels():
    """Ten devices, 30 cycles each: as independent samples their clumps look like levels."""
    device = np.repeat(np.arange(10), 30)
    draw = np.random.default_rng(2)
    x = draw.normal(9, 0.5, 10)[device] + draw.normal(0, 0.1, 300)
    together = choose(samples(np.exp(x), device=device), rng(), most=2, draws=99)
    alone = choose(samples(np.exp(x)), rng(), most=2, draws=99)
    assert together.icc == pytest.approx(25 / 26, abs=0.03)
    assert together.n_levels == 1
    assert together.p_values[0] > 0.01
    assert alone.p_values[0] <= 0.02


def test_the_same_generator_gives_the_same_choice():
    x = np.exp(rng().normal(9, 0.5, 60))
    first, second = (choose(samples(x), rng(), most=2, draws=99) for _ in range(2))
    assert (first.p_values, first.goodness) == (second.p_values, second.goodness)


def test_bad_arguments_are_named():
    data = samples([1e3, 2e3, 3e3, 4e3])
    with pytest.raises(ParameterError, match="draws = 5"):
        choose(data, rng(), draws=5)
    with pytest.raises(DataError, match="most = 4"):
        choose(data, rng(), most=4)
    with pytest.raises(ParameterError, match="rng"):
        choose(data, None)
