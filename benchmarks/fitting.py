"""Fits of write-error counts: time, bias, profiles; against the solver and against iminuit."""

from collections.abc import Callable
from functools import partial

import iminuit
import numpy as np
from devicephys.fits import stt_mram_wer, synthetic_stt_mram
from devicephys.validation import Figure

from benchmarks import fastest
from devicephys.fitting import interval_methods, intervals, problem
from devicephys.fitting.chart import growing, solution
from devicephys.fitting.counts import Counts, log_probabilities
from devicephys.fitting.problem import Values
from devicephys.fitting.result import FitResult
from devicephys.fitting.wer_data import by_device

SEED = 1
NAMES = ("delta", "i_c0_p_ap", "i_c0_ap_p", "t_d")


def run() -> list[Figure]:
    """Fit 8 devices x 104 points, then profile all of them, and compare one with iminuit."""
    dataset = synthetic_stt_mram.generate(SEED)
    one_way = dataset.isel(point=np.flatnonzero(dataset.direction.values == "P->AP"))
    results: list[FitResult] = []

    def fit() -> None:
        results.append(
            stt_mram_wer.fit(dataset, np.random.default_rng(SEED), lambda done, total: None)
        )

    def fit_one_way() -> None:
        stt_mram_wer.fit(one_way, np.random.default_rng(SEED), lambda done, total: None)

    figures = [
        _seconds("fit of 8 devices x 4 currents x 13 widths", fit_one_way, 5.0),
        _seconds("the same in both directions", fit, None),
    ]
    result = results[0]
    problems = stt_mram_wer.problems(dataset, result)

    def profiles() -> None:
        interval_methods.added(result, problems, ["profile"], np.random.default_rng(SEED))

    figures.append(_seconds("profile intervals of 4 parameters of 8 devices", profiles, 30.0))
    for name in NAMES:
        e, truth = result[name], result.data["truth"][f"truth_{name}"]
        label, inside = f"{name}: deviation from the truth", e.low <= truth <= e.high
        asked = f"|.| <= {max(e.high / e.value, e.value / e.low) - 1:.2g} (95 % interval)"
        figures.append(Figure(label, e.value / truth - 1, "1", asked, inside))
    _, counts = by_device(dataset)["synthetic-1"]
    return [*figures, _against_solver(counts, problems["synthetic-1"]),
            *_against_iminuit(problems["synthetic-1"])]  # fmt: skip


def _seconds(name: str, work: Callable[[], None], most: float | None) -> Figure:
    seconds = fastest(work)
    asked = "reported" if most is None else f"<= {most:g}"
    return Figure(name, seconds, "s", asked, None if most is None else seconds <= most)


def _against_solver(counts: Counts, parts: interval_methods.Problem) -> Figure:
    """Time of one likelihood of a device by the solver over that by the chart."""
    found = problem.solve(*parts)
    chart = growing(1e6)
    log_probabilities(counts, found.values, chart)  # draws the chart

    def seconds(read: Callable[..., np.ndarray], values: Values) -> float:
        return fastest(lambda: log_probabilities(counts, values, read))

    ratio = seconds(partial(solution, atol=1e-12), found.values) / seconds(chart, found.values)
    return Figure("likelihood by the chart, times faster than by the solver", ratio, "1",
                  "reported", None)  # fmt: skip


def _against_iminuit(parts: interval_methods.Problem) -> list[Figure]:
    """Values, errors and profile ends of a device by an independent minimiser."""
    unknowns, blocks = parts
    found = problem.solve(unknowns, blocks)

    def deviance(*theta: float) -> float:
        values = dict(zip(found.names, np.exp(theta), strict=True))
        return float((block_of.residuals(values) ** 2).sum())

    (block_of,) = blocks
    minuit = iminuit.Minuit(deviance, *(found.theta + 0.01), name=found.names)
    minuit.errordef, minuit.strategy = 1.0, 2
    minuit.migrad()
    minuit.hesse()
    minuit.minos("delta", cl=0.95)
    errors = np.sqrt(np.diag(found.covariance))
    value = float(np.abs((np.array(minuit.values) - found.theta) / errors).max())
    error = float(np.abs(np.array(minuit.errors) / errors - 1).max())
    mine = intervals.profiles(unknowns, blocks, found)["delta"]
    ends = np.log([mine.low, mine.high]) - found.theta[found.names.index("delta")]
    theirs = minuit.merrors["delta"].lower, minuit.merrors["delta"].upper
    end = float(np.abs(ends / theirs - 1).max())
    return [
        Figure(name, x, "1", "<= 0.01", x <= 0.01)
        for name, x in (
            ("iminuit: difference of values in standard errors", value),
            ("iminuit: relative difference of errors", error),
            ("iminuit: relative difference of profile ends of Delta", end),
        )
    ]
