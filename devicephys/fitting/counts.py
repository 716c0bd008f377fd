"""Write-error counts of one device as a fit sees them: the Fokker-Planck model, and where to start.

In reduced units a pulse has three numbers, i = drive/critical drive, t/t_D and Delta. Under a
voltage the torque of a tunnel junction does not depend on the angle (Slonczewski 2005), so that
i = V/V_c0 as i = I/I_c0. At another temperature than the reference, Delta, the critical drive and
t_D follow from M_s(T) and H_k(T).
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devicephys.checks import Array
from devicephys.fitting.problem import Block, Values
from devicephys.mram import closed_form
from devicephys.stats import deviance_residuals

ARRAYS = ("k", "n", "log_drive", "log_width", "log_delta", "index")  # of `Counts`
NEAREST_ONE = 1e-15  # a WER is kept this far from 1
FEWEST = 10  # pairs of pulses whose rates surely differ, below which their order says nothing
SURELY = 3.0  # standard errors

LogWer = Callable[[Array, Array, Array], Array]  # of ln i, ln tau, ln Delta
Model = Callable[[Values], Array]


@dataclass(frozen=True)
class Counts:
    """Error counts of one device, ready for the model; one entry a point.

    Attributes
    ----------
    k, n : ndarray
        Errors and trials, shape (points,) [1].
    log_drive, log_width : ndarray
        ln of the drive and of the pulse width, temperature effects on critical drive and t_D
        taken out, shape (points,) [ln A or ln V; ln s].
    log_delta : ndarray
        ln Delta at the point's temperature over that at the reference, shape (points,) [1].
    index : ndarray of int
        Which of `critical` counts at each point, shape (points,) [1].
    critical : tuple of str
        Names of the critical drives, one a direction.
    """

    k: Array
    n: Array
    log_drive: Array
    log_width: Array
    log_delta: Array
    index: NDArray[np.intp]
    critical: tuple[str, ...]


def log_probabilities(counts: Counts, values: Values, chart: LogWer) -> tuple[Array, Array]:
    """Compute ln WER and ln(1 - WER) of every point.

    Parameters
    ----------
    counts : Counts
        The points.
    values : mapping of str to float
        delta, t_d [s] and the critical drives [A or V].
    chart : callable
        ln WER of ln i, ln tau, ln Delta: `chart.growing`, or a closed form.

    Returns
    -------
    tuple of ndarray
        ln WER and ln(1 - WER), shape (points,) each [1].

    Examples
    --------
    >>> one = Counts(*(np.array([x]) for x in (5.0, 100.0, 0.7, 1.0, 0.0)), np.array([0]), ("i",))
    >>> p, q = log_probabilities(one, {"delta": 60.0, "t_d": 1.0, "i": 1.0}, closed_form_chart)
    >>> round(float(np.exp(p[0]) + np.exp(q[0])), 12)
    1.0
    """
    log_p = log_wer(counts, values, chart)
    return log_p, complement(log_p)


def log_wer(counts: Counts, values: Values, chart: LogWer) -> Array:
    """Compute ln WER of every point.

    Parameters
    ----------
    counts : Counts
        The points.
    values : mapping of str to float
        delta, t_d [s] and the critical drives [A or V].
    chart : callable
        As for `log_probabilities`.

    Returns
    -------
    ndarray
        ln WER, shape (points,) [1].

    Examples
    --------
    >>> one = Counts(*(np.array([x]) for x in (5.0, 100.0, 0.7, 1.0, 0.0)), np.array([0]), ("i",))
    >>> log_wer(one, {"delta": 60.0, "t_d": 1.0, "i": 1.0}, closed_form_chart).shape
    (1,)
    """
    critical = np.log([values[name] for name in counts.critical])
    return chart(
        counts.log_drive - critical[counts.index],
        counts.log_width - np.log(values["t_d"]),
        counts.log_delta + np.log(values["delta"]),
    )


def complement(log_p: Array) -> Array:
    """Compute ln(1 - p) from ln p; p = 1 is kept 1e-15 away.

    Parameters
    ----------
    log_p : ndarray
        ln p, any shape [1].

    Returns
    -------
    ndarray
        ln(1 - p), shape of `log_p` [1].

    Examples
    --------
    >>> complement(np.log(np.array([0.25]))).round(4).tolist()
    [-0.2877]
    """
    return np.asarray(np.log1p(-np.minimum(np.exp(log_p), 1 - NEAREST_ONE)))


def taken(counts: Counts, rows: NDArray[np.intp]) -> Counts:
    """Take some of the points.

    Parameters
    ----------
    counts : Counts
        The points.
    rows : ndarray of int
        Indices of those to take, shape (m,) [1].

    Returns
    -------
    Counts
        They.

    Examples
    --------
    >>> one = Counts(*(np.array([x]) for x in (5.0, 100.0, 0.7, 1.0, 0.0)), np.array([0]), ("i",))
    >>> taken(one, np.array([0, 0])).k.tolist()
    [5.0, 5.0]
    """
    some: dict[str, Any] = {name: getattr(counts, name)[rows] for name in ARRAYS}
    return replace(counts, **some)


def joined(devices: Sequence[Counts]) -> Counts:
    """Put the counts of devices one after the other.

    Parameters
    ----------
    devices : sequence of Counts
        Counts of devices in the same directions.

    Returns
    -------
    Counts
        All points.

    Examples
    --------
    >>> one = Counts(*(np.array([x]) for x in (5.0, 100.0, 0.7, 1.0, 0.0)), np.array([0]), ("i",))
    >>> joined([one, one]).n.tolist()
    [100.0, 100.0]
    """
    every: dict[str, Any] = {
        name: np.concatenate([getattr(d, name) for d in devices]) for name in ARRAYS
    }
    return replace(devices[0], **every)


def rising(counts: Counts) -> dict[str, float]:
    """Compute how often the errors grow with the pulse: next to never where a junction is written.

    Parameters
    ----------
    counts : Counts
        The points.

    Returns
    -------
    dict of str to float
        By critical drive: of the pairs of pulses in which one is longer and stronger and the
        rates surely differ, the share in which that one fails more often; 0 where fewer than
        ten pairs tell [1].

    Examples
    --------
    >>> n, t, zero = np.full(6, 100.0), np.arange(6.0), np.zeros(6)
    >>> one = Counts(np.arange(0, 96, 16.0), n, zero, t, zero, np.zeros(6, int), ("i",))
    >>> rising(one), rising(replace(one, k=n - one.k))
    ({'i': 1.0}, {'i': 0.0})
    """
    shares = {}
    for j, critical in enumerate(counts.critical):
        mine = taken(counts, np.flatnonzero(counts.index == j))
        p = (mine.k + 0.5) / (mine.n + 1.0)
        variance = p * (1 - p) / mine.n
        more = p[:, None] - p
        sure = np.abs(more) > SURELY * np.sqrt(variance[:, None] + variance)
        for x in (mine.log_drive, mine.log_width):
            sure &= x[:, None] >= x
        shares[critical] = float((more > 0)[sure].mean()) if sure.sum() >= FEWEST else 0.0
    return shares


def closed_form_chart(log_i: Array, log_tau: Array, log_delta: Array) -> Array:
    """Give ln WER by the closed form, where a search needs no better.

    Parameters
    ----------
    log_i, log_tau, log_delta : ndarray
        ln(I/I_c0), ln(t/t_D), ln Delta, shape (n,) each [1].

    Returns
    -------
    ndarray
        ln WER, shape (n,) [1].

    Examples
    --------
    >>> float(closed_form_chart(*np.log([[2.0], [10.0], [60.0]]))[0].round(1))
    -16.1
    """
    return closed_form.log_wer(np.exp(log_i), np.exp(log_tau), np.exp(log_delta))


def counted(name: str, k: Array, n: Array, log_p: Model) -> Block:
    """Give counts as data of a fit, by signed binomial deviance residuals.

    Parameters
    ----------
    name : str
        What was measured, for reports.
    k, n : ndarray
        Events and trials, shape (points,) [1].
    log_p : callable
        Values -> ln of the probability of an event, shape (points,) [1].

    Returns
    -------
    Block
        Its residuals' squares add up to the deviance.

    Examples
    --------
    >>> b = counted("coin", np.array([5.0]), np.array([10.0]), lambda v: np.log([v["p"]]))
    >>> b.residuals({"p": 0.5}).tolist()
    [0.0]
    """

    def residuals(values: Values) -> Array:
        logs = log_p(values)
        return deviance_residuals(k, n, logs, complement(logs))

    def drawn(values: Values, rng: np.random.Generator) -> Block:
        events = rng.binomial(n.astype(np.int64), np.exp(log_p(values))).astype(np.float64)
        return counted(name, events, n, log_p)

    return Block(name, len(k), residuals, drawn)


def block(name: str, counts: Counts, chart: LogWer) -> Block:
    """Give counts as data of a fit, by signed binomial deviance residuals.

    Parameters
    ----------
    name : str
        What was measured, for reports.
    counts : Counts
        The counts.
    chart : callable
        The model, as for `log_probabilities`.

    Returns
    -------
    Block
        Its residuals' squares add up to the deviance.

    Examples
    --------
    >>> one = Counts(*(np.array([x]) for x in (5.0, 100.0, 0.7, 1.0, 0.0)), np.array([0]), ("i",))
    >>> block("one point", one, closed_form_chart).size
    1
    """
    return counted(name, counts.k, counts.n, lambda values: log_wer(counts, values, chart))


def start(devices: Sequence[Counts]) -> dict[str, float]:
    """Search a coarse grid with the closed form; given Delta and t_D, the directions are apart.

    Parameters
    ----------
    devices : sequence of Counts
        Counts of devices in the same directions.

    Returns
    -------
    dict of str to float
        delta, t_d and the critical drives that fit all devices best together [SI].

    Examples
    --------
    >>> n, i = np.full(30, 1e4), np.repeat(np.log([1.5, 2.0, 2.5]), 10)
    >>> tau, zero = np.tile(np.log(np.linspace(1, 10, 10)), 3), np.zeros(30)
    >>> k = np.round(n * np.exp(closed_form_chart(i, tau, zero + np.log(60.0))))
    >>> found = start([Counts(k, n, i, tau, zero, np.zeros(30, int), ("i_c0",))])
    >>> bool(0.7 < found["i_c0"] < 1.4)
    True
    """
    names = devices[0].critical
    every = joined(devices)
    longest = float(np.exp(every.log_width.max()))
    fractions = np.linspace(0.15, 1.1, 20)
    strongest = [float(np.exp(every.log_drive[every.index == d].max())) for d in range(len(names))]
    residuals = block("all devices", every, closed_form_chart).residuals
    best: dict[str, float] = {}
    best_deviance = np.inf
    for delta, t_d in itertools.product(
        (30.0, 50.0, 80.0), np.geomspace(longest / 100, longest, 13)
    ):
        shared = {"delta": delta, "t_d": float(t_d)}
        deviances = np.empty((len(fractions), len(names)))
        for j, fraction in enumerate(fractions):
            critical = {x: fraction * s for x, s in zip(names, strongest, strict=True)}
            deviances[j] = np.bincount(every.index, residuals(shared | critical) ** 2, len(names))
        if deviances.min(axis=0).sum() < best_deviance:
            best_deviance = float(deviances.min(axis=0).sum())
            chosen = fractions[deviances.argmin(axis=0)]
            best = shared | {
                x: float(c * s) for x, c, s in zip(names, chosen, strongest, strict=True)
            }
    return best
