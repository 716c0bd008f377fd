"""Sentences of a joint fit: what each kind tells, what disagrees, what lies outside."""

import numpy as np
import pytest

from devicephys.constants import GAMMA_0
from devicephys.fitting import joint_findings
from devicephys.fitting.contributions import Slopes
from devicephys.fitting.goodness import overdispersion
from devicephys.fitting.problem import Found

NAMES = ("delta", "h_stray")


def made(shift, h_k=3e5):
    """Two kinds that tell both parameters alike and differ by a shift of the first."""
    slopes = np.array([[100.0, 0.0], [0.0, 100.0], [70.0, 70.0]])
    residuals = shift / 2 * slopes[:, 0]
    at = Slopes(("writes", "ovens"), (residuals, -residuals), (slopes, slopes))
    values = {"delta": 60.0, "h_stray": 0.02, "h_k": h_k, "t_d": 1e-9}
    covariance = np.linalg.inv(2 * slopes.T @ slopes)
    deviance = float(2 * (residuals**2).sum())
    return at, Found(values, NAMES, np.array([np.log(60.0), 0.02]), covariance, deviance, 4, ())


def found_flags(at, found):
    drawn = np.random.default_rng(1).chisquare(2.0, (2000, 2))
    kinds = joint_findings.kinds(at, drawn, found)
    over = overdispersion(found.deviance, found.dof, drawn.sum(axis=1))
    return kinds, joint_findings.flags(at, kinds, found, over)


def test_kinds_that_agree_raise_no_flag_and_say_what_they_tell():
    at, found = made(0.002)
    kinds, flags = found_flags(at, found)
    assert flags == ()
    joint = np.sqrt(found.covariance[0, 0])
    assert kinds["ovens"]["stderr_without"]["delta"] == pytest.approx(joint * np.sqrt(2))
    notes = joint_findings.notes(kinds, found)
    assert notes[0].startswith(f"delta: standard error {100 * joint:.2g} %; without")
    assert "without ovens" in notes[0]
    alpha = float(notes[-1].rsplit(" ", 1)[1])
    assert (1 + alpha**2) / alpha == pytest.approx(GAMMA_0 * 3e5 * 1e-9, rel=0.01)


def test_kinds_that_disagree_are_named_with_the_parameter():
    at, found = made(0.15)
    _, flags = found_flags(at, found)
    assert any(f.startswith("writes disagrees with the other kinds: without it delta would move "
                            "by ") for f in flags)  # fmt: skip
    assert any("ovens: p" in f for f in flags)
    assert any("residuals lie up to" in f for f in flags)


def test_bounds_and_correlations_are_flagged():
    at, found = made(0.002)
    close = np.array([[1.0, 0.999], [0.999, 1.0]]) * 1e-4
    bad = Found(found.values, NAMES, found.theta, close, found.deviance, 4, ("delta",))
    _, flags = found_flags(at, bad)
    assert "delta ended at a bound of the fit" in flags
    assert any("hardly tell delta from h_stray (correlation 0.999)" in f for f in flags)


def test_a_damping_that_cannot_be_is_said():
    at, found = made(0.002, h_k=1e3)
    kinds, _ = found_flags(at, found)
    assert joint_findings.notes(kinds, found)[-1].startswith("t_D and H_k leave no damping")
