"""Planning: expected errors are those that the measurement then has, and devices limit a median."""

import numpy as np
import pytest

from devicephys import data
from devicephys.errors import DataError, ParameterError
from devicephys.fitting import design, wer, wer_design
from devicephys.fitting.chart import growing
from devicephys.fitting.counts import Counts, block, joined, log_probabilities
from devicephys.fitting.problem import solve
from devicephys.fitting.result import FitResult
from devicephys.io import tidy_csv


def test_a_choice_of_points_is_that_of_the_inverse():
    """Against inverting the information after every point, all candidates tried."""
    rng = np.random.default_rng(1)
    information = np.diag([4.0, 2.0, 1.0]) + 0.3
    candidates = rng.normal(size=(20, 3))
    chosen = design.ranked(information, candidates, 1, 4)
    for point, error in zip(chosen.points, chosen.errors, strict=True):
        each = [np.linalg.inv(information + np.outer(g, g))[1, 1] for g in candidates]
        assert point == int(np.argmin(each))
        assert error == pytest.approx(np.sqrt(min(each)), rel=1e-10)
        information = information + np.outer(candidates[point], candidates[point])
    assert chosen.before > chosen.errors[0]


def test_what_cannot_be_planned_is_refused():
    with pytest.raises(DataError, match="leave a combination of parameters open"):
        design.ranked(np.diag([1.0, 0.0]), [[1.0, 1.0]], 0, 1)
    with pytest.raises(ParameterError, match="n_points = 0"):
        design.ranked(np.eye(2), [[1.0, 1.0]], 0, 0)
    with pytest.raises(ParameterError, match=r"candidates of shape \(0, 2\)"):
        design.ranked(np.eye(2), np.zeros((0, 2)), 0, 1)


@pytest.fixture(scope="module")
def device():
    every = tidy_csv.read(data.path("synthetic_stt_mram_wer.csv"))
    mine = every.isel(point=np.flatnonzero((every.device.values == "synthetic-2")
                                           & (every.direction.values == "AP->P")))  # fmt: skip
    return mine, wer.fit(mine, np.random.default_rng(1), "stt_mram_wer")


GRID = {"pulse_current": np.array([35e-6, 50e-6, 70e-6]),
        "pulse_width": np.array([2e-9, 5e-9, 9e-9])}  # fmt: skip


def test_the_planned_error_is_the_error_after_measuring(device):
    """Counts as expected are added and all is fitted again: within 3 %."""
    dataset, result = device
    plan = wer_design.plan(dataset, result, "t_d", GRID, 3e6, 2)
    (unknowns, _) = wer.problems(dataset, result)["synthetic-2"]
    _, counts = wer.by_device(dataset)["synthetic-2"]
    chart, values = growing(3e6), {e.name: e.value for e in result.estimates if e.vary}
    new = Counts(
        k=np.zeros(2), n=np.full(2, 3e6), log_drive=np.log([p.drive for p in plan.pulses]),
        log_width=np.log([p.width for p in plan.pulses]), log_delta=np.zeros(2),
        index=np.zeros(2, int), critical=counts.critical,
    )  # fmt: skip
    expected = np.exp(log_probabilities(new, values, chart)[0])
    assert [p.wer for p in plan.pulses] == pytest.approx(expected.tolist(), rel=1e-3)
    every = joined([counts, Counts(**{**vars(new), "k": np.round(3e6 * expected)})])
    found = solve(unknowns, [block("all", every, chart)])
    j = found.names.index("t_d")
    assert np.sqrt(found.covariance[j, j]) == pytest.approx(plan.pulses[-1].error, rel=0.03)
    assert plan.before == pytest.approx(result["t_d"].stderr / result["t_d"].value, rel=0.03)


def test_a_plan_needs_its_own_fit_and_what_the_data_have(device):
    dataset, result = device
    other = FitResult("stt_mram_wer", "0", result.estimates, (), {"sha256": "other"})
    with pytest.raises(DataError, match="a fit of other data"):
        wer_design.plan(dataset, other, "delta", {}, 1e6, 1)
    with pytest.raises(ParameterError, match="unknown parameter 'dleta'"):
        wer_design.plan(dataset, result, "dleta", {}, 1e6, 1)
    with pytest.raises(ParameterError, match="unknown axis 'pulse_voltage'"):
        wer_design.plan(dataset, result, "delta", {"pulse_voltage": np.ones(1)}, 1e6, 1)


def test_more_devices_or_more_pulses_whichever_helps():
    pulse = wer_design.Pulse("P->AP", 1e-4, 5e-9, 0.1, 0.02)
    differ = wer_design.Plan("delta", (pulse,), 8, before=0.03, spread=0.05)
    assert "more devices help more" in differ.sentences()[1]
    alike = wer_design.Plan("delta", (pulse,), 8, before=0.1, spread=0.001)
    assert "these pulses help more" in alike.sentences()[1]
    half = 2.3646 * np.sqrt((0.05**2 + 0.03**2) / 8)  # Student's t of 7
    assert differ.half_width(0.03, 8) == pytest.approx(half, rel=1e-4)
    one = wer_design.Plan("delta", (pulse,), 1, before=0.03, spread=0.0)
    assert "one device does not tell" in one.sentences()[0]
