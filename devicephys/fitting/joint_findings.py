"""What a joint fit says beside its numbers: what each kind tells, and whether the kinds agree."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import norm

from devicephys.checks import Array
from devicephys.constants import GAMMA_0
from devicephys.fitting import contributions, goodness
from devicephys.fitting.contributions import Slopes
from devicephys.fitting.goodness import Overdispersion
from devicephys.fitting.problem import Found, confounded

ALARM = 0.01  # for all tests of one sort together
MATTERS = 1.05  # times the standard error: what a kind adds less is not told
FIRST_ORDER = 0.25  # of a logarithm: a larger error of what is left is no small change
PLAIN = ("h_stray",)  # parameters that are not fitted as logarithms
SHOWN = 5  # outlying points that a flag names

Kinds = Mapping[str, Mapping[str, Any]]


def kinds(at: Slopes, drawn: Array, found: Found) -> dict[str, dict[str, Any]]:
    """Summarise how well each kind is explained, and what would be left without it.

    Parameters
    ----------
    at : Slopes
        The fit.
    drawn : ndarray
        Simulated deviances, a column a block, shape (draws, blocks) [1].
    found : Found
        The fit's parameters.

    Returns
    -------
    dict of str to dict
        By block: residuals, deviance, p_value, and by parameter, as they are fitted,
        stderr_without, shift_without and distance_without (`contributions.Without`).

    Examples
    --------
    See docs/theory/joint_fits.md.
    """

    def by_name(values: Array) -> dict[str, float]:
        return dict(zip(found.names, values.tolist(), strict=True))

    result = {}
    for k, left in enumerate(contributions.without(at)):
        deviance = float((at.residuals[k] ** 2).sum())
        result[left.name] = {
            "residuals": len(at.residuals[k]),
            "deviance": deviance,
            "p_value": goodness.bootstrap_p(deviance, drawn[:, k]),
            "stderr_without": by_name(left.stderr),
            "shift_without": by_name(left.shift),
            "distance_without": by_name(left.distance),
        }
    return result


def notes(of_kinds: Kinds, found: Found) -> tuple[str, ...]:
    """Say which kinds tell each parameter, and the damping that follows.

    Parameters
    ----------
    of_kinds : mapping
        As `kinds` gives.
    found : Found
        The fit.

    Returns
    -------
    tuple of str
        A sentence a free parameter.

    Examples
    --------
    See docs/theory/joint_fits.md.
    """
    said = []
    for name, error in _errors(found).items():
        left = {kind: k["stderr_without"][name] for kind, k in of_kinds.items()}
        parts = [
            f"without {kind} "
            + ("it is not told" if math.isinf(e) else _size(name, e))
            for kind, e in sorted(left.items(), key=lambda x: -x[1])
            if len(left) > 1 and e > MATTERS * error
        ]  # fmt: skip
        own = f"{name}: standard error {_size(name, error)}"
        said.append(f"{own}; {', '.join(parts)}" if parts else own)
    return (*said, *_damping(found.values))


def flags(at: Slopes, of_kinds: Kinds, found: Found, over: Overdispersion) -> tuple[str, ...]:
    """Say what must be known before the numbers of a joint fit are used.

    Parameters
    ----------
    at : Slopes
        The fit.
    of_kinds : mapping
        As `kinds` gives.
    found : Found
        The fit's parameters.
    over : Overdispersion
        Its deviance against simulated ones.

    Returns
    -------
    tuple of str
        Sentences: misfit, kinds that disagree, outlying points, bounds, correlations.

    Examples
    --------
    See docs/theory/joint_fits.md.
    """
    misfit = [over.sentence()] if over.p_value < ALARM else []
    misfit += [
        f"{name}: {goodness.p_text(k['p_value'])} of a larger deviance, not explained together "
        "with the other kinds"
        for name, k in of_kinds.items() if k["p_value"] < ALARM / len(of_kinds)
    ]  # fmt: skip
    bounds = [f"{name} ended at a bound of the fit" for name in found.at_bound]
    return (
        *misfit, *_disagreements(of_kinds, found), *_outlying(at), *bounds, *_confounded(found)
    )  # fmt: skip


def _errors(found: Found) -> dict[str, float]:
    return dict(zip(found.names, np.sqrt(np.diag(found.covariance)).tolist(), strict=True))


def _size(name: str, error: float) -> str:
    return f"{error:.2g}" if name in PLAIN else f"{100 * error:.2g} %"


def _damping(values: Mapping[str, float]) -> tuple[str, ...]:
    """The Gilbert damping that t_D and H_k are worth together."""
    if "h_k" not in values:
        return ()
    turns = GAMMA_0 * values["h_k"] * values["t_d"]  # (1 + alpha^2)/alpha
    if turns <= 2:
        return ("t_D and H_k leave no damping: t_D gamma0 H_k < 2",)
    alpha = (turns - math.sqrt(turns**2 - 4)) / 2
    return (f"Gilbert damping that t_D and H_k are worth: {alpha:.3g}",)


def _disagreements(of_kinds: Kinds, found: Found) -> list[str]:
    """Kinds without which the others would say something else, where first order can tell."""
    errors = _errors(found)
    limit = float(norm.isf(ALARM / 2 / (len(of_kinds) * max(len(errors), 1))))
    said = []
    for name, k in of_kinds.items():
        wide = [e for x, e in k["stderr_without"].items() if x not in PLAIN and math.isfinite(e)]
        far = {x: d for x, d in k["distance_without"].items() if abs(d) > limit}
        if far and max(wide, default=0.0) < FIRST_ORDER:
            worst = max(far, key=lambda x: abs(k["shift_without"][x]) / errors[x])
            said.append(
                f"{name} disagrees with the other kinds: without it {worst} would move by "
                f"{_size(worst, k['shift_without'][worst])}, {abs(far[worst]):.1f} standard "
                "deviations of that change"
            )
    return said


def _outlying(at: Slopes) -> list[str]:
    limit = float(norm.isf(ALARM / 2 / sum(len(r) for r in at.residuals)))
    said = []
    for name, residuals in zip(at.names, at.residuals, strict=True):
        outside = np.flatnonzero(np.abs(residuals) > limit)
        if outside.size:
            said.append(
                f"{name}: {outside.size} of {len(residuals)} residuals lie up to "
                f"{np.abs(residuals).max():.1f} standard deviations out, numbers "
                + ", ".join(str(j + 1) for j in outside[:SHOWN])
            )
    return said


def _confounded(found: Found) -> list[str]:
    return [
        f"these data hardly tell {first} from {second} (correlation {rho:.3f}): fix one, or add "
        "another kind of data"
        for first, second, rho in confounded(found.names, found.covariance)
    ]
