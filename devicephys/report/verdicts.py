"""What a report claims: every line has a verdict, PASS, FAIL or NOT ESTABLISHED."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from devicephys import validation
from devicephys.bnn.energy import LeastEnergy
from devicephys.bnn.savings import Saving, savings
from devicephys.checks import known
from devicephys.fitting.result import FitResult
from devicephys.tables import AXES
from devicephys.units import si
from devicephys.validation import Figure

Word = Literal["PASS", "FAIL", "NOT ESTABLISHED"]
RECOVERED = "The 95 % intervals contain the parameters the data were made with"
INSIDE = "all inside (expected in 95 of 100 data sets, each)"
SMALLEST_P = 0.01  # below it, the model does not explain the counts


@dataclass(frozen=True)
class Verdict:
    """One claim of a report.

    Attributes
    ----------
    claim, asked, found : str
        The claim, what was asked, what was found.
    verdict : {"PASS", "FAIL", "NOT ESTABLISHED"}
        The outcome.
    """

    claim: str
    asked: str
    found: str
    verdict: Word


def word(holds: bool | None) -> Word:
    """Give the verdict of a claim that holds, fails, or could not be checked.

    Parameters
    ----------
    holds : bool or None
        The outcome.

    Returns
    -------
    str
        PASS, FAIL or NOT ESTABLISHED.

    Examples
    --------
    >>> word(None)
    'NOT ESTABLISHED'
    """
    return "NOT ESTABLISHED" if holds is None else "PASS" if holds else "FAIL"


def of_fit(fit: FitResult) -> list[Verdict]:
    """Judge a fit: does the model explain the counts, and is a known truth recovered?

    Parameters
    ----------
    fit : FitResult
        The fit.

    Returns
    -------
    list of Verdict
        Nothing for a recipe that only describes.

    Examples
    --------
    >>> of_fit(FitResult("none", "0", (), (), {}))
    []
    """
    found = []
    if fit.devices:
        ratio = fit.deviance / fit.dof if fit.dof else math.nan
        bad = [d.device for d in fit.devices if d.at_bound]
        text = f"deviance/dof = {ratio:.2f}, bootstrap p = {fit.p_value:.2g}"
        text += f"; at a bound: {', '.join(bad)}" if bad else ""
        found.append(
            Verdict("The model explains the counts of every device",
                    f"p >= {SMALLEST_P:g}, no parameter at a bound", text,
                    word(_explains(fit.p_value, bad)))
        )  # fmt: skip
    truth = truth_of(fit)
    if truth:
        out = [n for n, x in truth.items() if not fit[n].low <= x <= fit[n].high]
        text = f"outside: {', '.join(out)}" if out else f"all {len(truth)} inside"
        found.append(Verdict(RECOVERED, INSIDE, text, word(not out)))
    elif any(f"truth_{e.name}" in fit.data.get("truth", {}) for e in fit.estimates if e.vary):
        text = "not judged: one device, and the header tells the truth of the population, not its"
        found.append(Verdict(RECOVERED, INSIDE, text, word(None)))
    return found


def truth_of(fit: FitResult) -> dict[str, float]:
    """Give what the fitted parameters were made with: of the population, or of the one device.

    Parameters
    ----------
    fit : FitResult
        The fit. In its header, ``truth_delta`` is of the population, or of the junction where
        there is but one; ``truth_delta_d7`` is of device d7 of a population.

    Returns
    -------
    dict of str to float
        By name of the estimate; nothing where the header does not tell it [SI].

    Examples
    --------
    >>> truth_of(FitResult("none", "0", (), (), {}))
    {}
    """
    truth: Mapping[str, float] = fit.data.get("truth", {})
    alone = len(fit.devices) == 1 and fit.between  # of recipes that look for a population
    of = f"_{fit.devices[0].device}" if alone else ""
    return {
        e.name: truth[key]
        for e in fit.estimates if e.vary and (key := f"truth_{e.name}{of}") in truth
    }  # fmt: skip


def _explains(p_value: float, at_bound: Sequence[str]) -> bool | None:
    if at_bound:
        return False
    return None if math.isnan(p_value) else p_value >= SMALLEST_P


def of_specification(
    fit: FitResult, specification: Mapping[str, Mapping[str, float]]
) -> dict[str, tuple[str, Word]]:
    """Hold the intervals of parameters against their specification.

    Parameters
    ----------
    fit : FitResult
        The fit.
    specification : mapping
        Limits: name -> {min, max} [SI].

    Returns
    -------
    dict of str to (str, str)
        For each specified parameter its limits as text, and the verdict: PASS or FAIL if the
        whole interval lies inside or outside, NOT ESTABLISHED if a limit lies in the interval.

    Examples
    --------
    >>> from devicephys.fitting.result import Estimate
    >>> one = FitResult("none", "0", (Estimate("delta", 60, 1, 58, 62, "1", ""),), (), {})
    >>> of_specification(one, {"delta": {"min": 59.0}})
    {'delta': ('>= 59', 'NOT ESTABLISHED')}
    """
    outcome = {}
    for e in fit.estimates:
        limits = specification.get(e.name)
        if limits is None:
            continue
        low, high = limits.get("min", float("-inf")), limits.get("max", float("inf"))
        inside, outside = low <= e.low and e.high <= high, e.high < low or e.low > high
        text = " and ".join(
            f"{sign} {si(limits[key], e.unit)}"
            for key, sign in (("min", ">="), ("max", "<=")) if key in limits
        )  # fmt: skip
        outcome[e.name] = (text, word(True if inside else False if outside else None))
    return outcome


def of_energy(answers: Sequence[LeastEnergy]) -> list[Verdict]:
    """State the least energy per bit for each network and cell.

    Parameters
    ----------
    answers : sequence of LeastEnergy
        As `bnn.energy.least_energy` gives them.

    Returns
    -------
    list of Verdict
        PASS where an operating point was found, NOT ESTABLISHED otherwise.

    Examples
    --------
    >>> nan = float("nan")
    >>> of_energy([LeastEnergy("digits", "", 0.01, nan, nan, nan, {})])[0].verdict
    'NOT ESTABLISHED'
    """
    return [
        Verdict(
            f"Least energy per bit for network {_name(a)}",
            f"accuracy loss <= {100 * a.max_loss:g} %, 95 % confidence",
            f"{si(a.energy_per_bit, 'J')} at {at(a.point)}; BER {a.ber:.2g}, loss <= "
            f"{100 * a.loss_bound:.2g} %" if a.found else "no operating point of the table",
            word(True if a.found else None),
        )
        for a in answers
    ]  # fmt: skip


def _name(answer: LeastEnergy) -> str:
    return f"{answer.network} in {answer.cell} cells" if answer.cell else answer.network


def at(point: Mapping[str, float]) -> str:
    """Write an operating point for people.

    Parameters
    ----------
    point : mapping of str to float
        Values by axis [SI].

    Returns
    -------
    str
        For example "60 uA, 4 ns".

    Examples
    --------
    >>> at({"pulse_current": 6e-5, "pulse_width": 4e-9})
    '60 uA, 4 ns'
    """
    return ", ".join(
        f"{value:g} pulses" if name == "pulses" else si(value, AXES[name])
        for name, value in point.items()
    )


def check_claims(names: Sequence[str], where: str) -> None:
    """Refuse unknown claims before any work is done.

    Parameters
    ----------
    names : sequence of str
        Claims.
    where : str
        Name of the study, for the message.

    Raises
    ------
    ParameterError
        If a claim is unknown.

    Examples
    --------
    >>> check_claims(["fokker_planck_reference"], "quickstart")
    """
    for name in names:
        known("claim", name, validation.CLAIMS, where=where)


def of_claims(names: Sequence[str]) -> tuple[list[Verdict], dict[str, list[Figure]]]:
    """Run validation claims and sum up each in one verdict.

    Parameters
    ----------
    names : sequence of str
        Claims, names of `validation.CLAIMS`.

    Returns
    -------
    tuple
        Verdicts, and the figures of each claim.

    Raises
    ------
    ParameterError
        If a claim is unknown.

    Examples
    --------
    >>> of_claims(["fokker_planck_reference"])[0][0].verdict
    'PASS'
    """
    verdicts, figures = [], {}
    for name in names:
        module = validation.claim(name)
        figures[name] = module.run()
        held = [f.holds for f in figures[name]]
        all_hold = False if False in held else None if None in held else True
        text = f"{held.count(True)} of {len(held)} figures hold"
        if all_hold is None:
            text = next(f.asked for f in figures[name] if f.holds is None)
        limit = module.LIMIT if isinstance(module.LIMIT, str) else f"within {module.LIMIT:g}"
        verdicts.append(Verdict(module.CLAIM, limit, text, word(all_hold)))
    return verdicts, figures


def headline(results: xr.Dataset, answers: Sequence[LeastEnergy]) -> list[str]:
    """Answer the engineer's question in sentences.

    Parameters
    ----------
    results : xarray.Dataset
        As `bnn.energy.along` gives them.
    answers : sequence of LeastEnergy
        As `bnn.energy.least_energy` gives them.

    Returns
    -------
    list of str
        One sentence for each network and cell, and what it saves against other ways of writing as
        far as the table reaches; synthetic data are named.

    Examples
    --------
    >>> nan = float("nan")
    >>> headline(xr.Dataset(), [LeastEnergy("digits", "", 0.01, nan, nan, nan, {})])
    ['digits: no operating point of the table keeps the loss of accuracy within 1 %.']
    """
    lines = []
    prefix = "synthetic data, " if results.attrs.get("synthetic") else ""
    level = "95 %" if results.attrs.get("interval", "95 %") == "95 %" else "numerical error"
    for a in answers:
        name = prefix + _name(a)
        if not a.found:
            lines.append(f"{name}: no operating point of the table keeps the loss of accuracy "
                         f"within {100 * a.max_loss:g} %.")  # fmt: skip
            continue
        k = a.row
        low, high = float(results.ber_lo[k]), float(results.ber_hi[k])
        names = ("accuracy", "accuracy_lo", "accuracy_hi")
        share, worst, best = (100 * float(results[v][k]) for v in names)
        lines.append(
            f"{name}: write at {at(a.point)} and spend {si(a.energy_per_bit, 'J')} a bit; "
            f"the bit error rate is {a.ber:.2g} ({level}: {low:.2g} to {high:.2g}), the "
            f"accuracy {share:.2f} % ({worst:.2f} to {best:.2f}), the loss "
            f"at most {100 * a.loss_bound:.2g} %"
            f"{_saved(savings(results, a.network, a.cell, a.max_loss))}."
        )
    return lines


def _saved(found: Sequence[Saving]) -> str:
    """Say what is saved against other ways of writing, as far as the table reaches them."""
    parts = [
        f"{100 * s.saving:.0f} %"
        + f" ({100 * s.low:.0f} to {100 * s.high:.0f})" * bool(np.isfinite([s.low, s.high]).all())
        + f" against {s.reference}"
        for s in found if np.isfinite(s.saving)
    ]  # fmt: skip
    return f"; this saves {' and '.join(parts)}" * bool(parts)


def as_json(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Give verdicts as plain values.

    Parameters
    ----------
    verdicts : sequence of Verdict
        The verdicts.

    Returns
    -------
    list of dict
        One dictionary a verdict.

    Examples
    --------
    >>> as_json([Verdict("a", "b", "c", "PASS")])[0]["verdict"]
    'PASS'
    """
    return [dict(vars(v)) for v in verdicts]
