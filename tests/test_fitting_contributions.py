"""What a block adds to a fit: against fits that leave it out, where all is straight."""

import numpy as np
import pytest

from devicephys.fitting import contributions, problem
from devicephys.fitting.problem import Block, Prior, Unknown

UNKNOWNS = [
    Unknown("a", "1", "a", -9.0, 9.0, value=1.0, log=False),
    Unknown("b", "1", "b", -9.0, 9.0, value=1.0, log=False),
]


def straight(name, of_a, of_b, data, error):
    of_a, of_b, data = np.asarray(of_a), np.asarray(of_b), np.asarray(data)

    def model(v):
        return of_a * v["a"] + of_b * v["b"]

    return Block(
        name, len(data), lambda v: (data - model(v)) / error,
        lambda v, rng: straight(
            name, of_a, of_b, model(v) + error * rng.standard_normal(len(data)), error
        ),
    )  # fmt: skip


BLOCKS = [
    straight("mixed", [1.0, 1.0, 2.0], [1.0, -1.0, 1.0], [3.0, -1.2, 4.1], 0.1),
    straight("only a", [1.0, 1.0], [0.0, 0.0], [1.3, 1.1], 0.2),
]


@pytest.fixture(scope="module")
def found():
    return problem.solve(UNKNOWNS, BLOCKS)


@pytest.fixture(scope="module")
def slopes(found):
    return contributions.slopes(UNKNOWNS, BLOCKS, found)


def test_slopes_add_up_to_the_information(found, slopes):
    information = sum(s.T @ s for s in slopes.slopes)
    assert np.linalg.inv(information) == pytest.approx(found.covariance, rel=1e-6)
    assert sum((r**2).sum() for r in slopes.residuals) == pytest.approx(found.deviance)


def test_leaving_a_block_out_is_a_fit_without_it(found, slopes):
    rest = problem.solve(UNKNOWNS, BLOCKS[:1])
    w = next(w for w in contributions.without(slopes) if w.name == "only a")
    assert w.stderr == pytest.approx(np.sqrt(np.diag(rest.covariance)), rel=1e-6)
    assert found.theta + w.shift == pytest.approx(rest.theta, abs=1e-6)
    grown = np.diag(rest.covariance) - np.diag(found.covariance)
    assert w.distance == pytest.approx(w.shift / np.sqrt(grown), rel=1e-5)


def test_what_only_one_block_tells_is_not_told_without_it(slopes):
    w = next(w for w in contributions.without(slopes) if w.name == "mixed")
    assert w.stderr[0] == pytest.approx(0.2 / np.sqrt(2), rel=1e-6)
    assert np.isinf(w.stderr[1])
    assert np.isnan(w.shift[1])
    assert np.isnan(w.distance[1])


def test_simulated_deviances_follow_chi_square_where_all_is_normal(found, slopes):
    rng = np.random.default_rng(3)
    drawn = contributions.simulated_deviances(UNKNOWNS, BLOCKS, found, slopes, rng)
    total = drawn.sum(axis=1)
    # 2000 deviances of 3 degrees of freedom: mean 3 +- 0.055, outside 4 sigma once in 16000.
    assert abs(total.mean() - found.dof) < 0.22
    assert abs(total.var() - 2 * found.dof) < 4 * 6 * np.sqrt(7 / 2000)


def test_a_prior_is_one_more_block(found):
    known = [UNKNOWNS[0], Unknown("b", "1", "b", -9.0, 9.0, value=1.0, log=False,
                                  prior=Prior(2.1, 0.05, "another sample"))]  # fmt: skip
    fitted = problem.solve(known, BLOCKS)
    at = contributions.slopes(known, BLOCKS, fitted)
    assert at.names == ("mixed", "only a", "priors")
    w = contributions.without(at)[2]
    assert fitted.theta + w.shift == pytest.approx(found.theta, abs=1e-6)
    rng = np.random.default_rng(3)
    drawn = contributions.simulated_deviances(known, BLOCKS, fitted, at, rng)
    assert abs(drawn.sum(axis=1).mean() - fitted.dof) < 0.26  # 4 sigma
