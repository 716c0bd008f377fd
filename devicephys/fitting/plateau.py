"""What one macrospin cannot show in error counts: plateaus, and errors that return with the drive.

The error rate of a macrospin falls smoothly with current, voltage and width. Two departures are
looked for along every row of points that differ in one of these alone:

plateau
    over three or more neighbours, all between 2 % and 98 % or with 100 errors and 100 successes,
    the rate stands still where the model asks for a change: an intermediate state (a domain wall
    that is pinned, two parts that switch one after the other), or an error floor. The statistic is
    the likelihood ratio of "one rate over this run" against "the model's shape at a free level
    over this run", so a row that merely lies too high or too low is no plateau. To stand still is
    to show no slope and no scatter beyond counting, or less than a tenth of what the model asks
    for.
ballooning
    the rate rises again with the drive (back-hopping of the reference layer, or ballooning). The
    statistic is the likelihood ratio of independent rates against rates that never rise. A rate
    that only scatters about one level, as on a plateau, has not risen.

The largest statistic of all rows has its law from counts that are drawn from the fitted model,
without a refit, which makes an alarm a little rarer than stated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats as scipy_stats
from scipy.special import xlogy

from devicephys.checks import Array, generator, in_range, known
from devicephys.errors import ParameterError
from devicephys.fitting.goodness import p_text
from devicephys.units import si

LEVEL = 0.01  # chance of any alarm in a whole data set that follows its model
BOOTSTRAPS = 999
CHUNK = 100  # bootstraps at once: what they need stays in the cache
LEAST_RUN = 3  # points of a plateau, and of a row
LOW, HIGH = 0.02, 0.98  # outside, every switching curve is flat, unless
MANY = 100  # counts show how it falls
STILL = 0.1  # of the change that the model asks for: next to none
SLOPE = 1.645  # standard errors of a slope that counting may show, one in ten
MOST_NAMED = 6
UNITS: Mapping[str, str] = MappingProxyType(
    {"pulse_current": "A", "pulse_voltage": "V", "pulse_width": "s"}
)


@dataclass(frozen=True)
class Anomaly:
    """A departure from every single macrospin.

    Attributes
    ----------
    kind : str
        "plateau" or "ballooning".
    device, direction : str
        Where it was seen.
    along : str
        The drive that was varied.
    held : tuple of (str, float)
        The drives that were not, and their values [SI].
    start, stop : float
        Ends of the stretch on the drive [SI].
    level : float
        Error rate over the stretch [1].
    p_value : float
        Probability of any such alarm of either kind in the whole data set by chance [1].
    points : tuple of int
        Indices of the points of the stretch.
    """

    kind: str
    device: str
    direction: str
    along: str
    held: tuple[tuple[str, float], ...]
    start: float
    stop: float
    level: float
    p_value: float
    points: tuple[int, ...]

    def sentence(self) -> str:
        """Say it for a report."""
        return f"{self.told()}; no single macrospin does this"

    def told(self) -> str:
        """Say what was seen, and where."""
        unit = UNITS[self.along]
        what = (
            f"the error rate stands still at {self.level:.2g}"
            if self.kind == "plateau"
            else f"the error rate (here {self.level:.2g}) rises again"
        )
        held = "".join(f", at {si(value, UNITS[name])}" for name, value in self.held)
        return (
            f"{self.kind.capitalize()}: device {self.device}, {self.direction}{held}: {what} "
            f"from {si(self.start, unit)} to {si(self.stop, unit)} ({len(self.points)} points, "
            f"{p_text(self.p_value)})"
        )


@dataclass(frozen=True)
class _Rows:
    """Rows of points that differ in one drive alone, rising; short rows are filled up."""

    along: str
    index: NDArray[np.int64]  # of points, (rows, length)
    there: NDArray[np.bool_]  # False where filled up


@dataclass(frozen=True)
class _Runs:
    """Strongest plateau of every row: statistic, first place and length, (draws, rows)."""

    statistic: Array
    first: NDArray[np.int64]
    length: NDArray[np.int64]


def sentences(found: Sequence[Anomaly]) -> tuple[str, ...]:
    """Say departures for a report, one sentence a kind.

    Parameters
    ----------
    found : sequence of Anomaly
        The departures, the surest first, as `anomalies` gives them.

    Returns
    -------
    tuple of str
        For each kind its surest departure, and in how many rows of which devices there are others.

    Examples
    --------
    >>> one = Anomaly("plateau", "A", "P->AP", "pulse_width", (), 3e-9, 5e-9, 0.2, 0.002, (1, 2, 3))
    >>> sentences([one, one])
    ('Plateau: device A, P->AP: the error rate stands still at 0.2 from 3 ns to 5 ns (3 points, \
p = 0.002); the like in 1 more row of pulses, of device A; no single macrospin does this',)
    """
    said = []
    for kind in dict.fromkeys(x.kind for x in found):
        first, *others = [x for x in found if x.kind == kind]
        devices = list(dict.fromkeys(x.device for x in others))
        also = (
            f"; the like in {len(others)} more row{'s' * (len(others) > 1)} of pulses, of "
            f"device{'s' * (len(devices) > 1)} {some(devices, ', ')}" if others else ""
        )  # fmt: skip
        said.append(f"{first.told()}{also}; no single macrospin does this")
    return tuple(said)


def some(names: Sequence[str], joint: str = "; ") -> str:
    """Give names for a sentence, at most six of them and the number of the others.

    Parameters
    ----------
    names : sequence of str
        The names.
    joint : str, optional
        What stands between two.

    Returns
    -------
    str
        The names in their order.

    Examples
    --------
    >>> some([f"d{j}" for j in range(9)], ", ")
    'd0, d1, d2, d3, d4, d5 and 3 more'
    """
    more = len(names) - MOST_NAMED
    return joint.join(names[:MOST_NAMED]) + f" and {more} more" * (more > 0)


def anomalies(
    device: ArrayLike,
    direction: ArrayLike,
    drives: Mapping[str, Array],
    k: ArrayLike,
    n: ArrayLike,
    log_p: ArrayLike,
    rng: np.random.Generator,
) -> tuple[Anomaly, ...]:
    """Find plateaus and returning errors in counts, with 1 % false alarms a data set.

    Valid for binomial counts whose rates the model lets fall with every drive. At most one
    departure of each kind is given for a row of points, the strongest.

    Parameters
    ----------
    device, direction : ndarray of str
        Labels of the points, shape (points,).
    drives : mapping of str to ndarray
        Magnitudes of what drives the writing: pulse_current or pulse_voltage, and pulse_width;
        shape (points,) each [SI].
    k : array_like
        Numbers of errors, shape (points,) [1].
    n : array_like
        Numbers of trials, shape (points,) [1].
    log_p : array_like
        ln of the fitted model's error rate, each device's own fit, shape (points,) [1].
    rng : numpy.random.Generator
        Source of the bootstrap counts.

    Returns
    -------
    tuple of Anomaly
        Departures with a probability below 1 %, smallest first.

    Raises
    ------
    ParameterError
        If shapes differ or an argument is out of range.

    References
    ----------
    Order-restricted likelihood ratio: Robertson, Wright and Dykstra, Order Restricted Statistical
    Inference (1988), chapter 2. Variance-stabilised counts: Anscombe, Biometrika 35 (1948) 246,
    doi:10.1093/biomet/35.3-4.246.

    Examples
    --------
    >>> voltage = np.linspace(0.8, 1.1, 7)
    >>> log_p = np.log([0.99, 0.9, 0.7, 0.4, 0.2, 0.1, 0.01])
    >>> found = anomalies(["A"] * 7, ["P->AP"] * 7, {"pulse_voltage": voltage},
    ...                   [99, 88, 45, 44, 45, 10, 1], [100] * 7, log_p, np.random.default_rng(1))
    >>> print(found[0].sentence())
    Plateau: device A, P->AP: the error rate stands still at 0.45 from 900 mV to 1 V (3 points, \
p = 0.002); no single macrospin does this
    """
    labels = (np.asarray(device), np.asarray(direction))
    k = in_range("k", k, "1", above=0, below=np.inf, inclusive=True)
    n = in_range("n", n, "1", above=0)
    log_p = in_range("log_p", log_p, "1", below=0, inclusive=True)
    for name, values in drives.items():
        in_range(known("drive", name, UNITS), values, UNITS[name], above=0)
    shapes = {x.shape for x in (*labels, k, n, log_p, *drives.values())}
    if len(shapes) > 1 or k.ndim != 1 or np.any(k > n):
        raise ParameterError(
            f"shapes {sorted(shapes)} or k > n", expected="one shape (points,), 0 <= k <= n"
        )
    every = [rows for along in drives if (rows := _rows(labels, drives, along))]
    if not every:
        return ()
    p = np.exp(log_p)
    chance = _largest(every, n, p, generator(rng))
    found = []
    for rows in every:
        found += _plateaus(rows, labels, drives, k, n, p, chance[:, 0])
        found += _balloonings(rows, labels, drives, k, n, chance[:, 1])
    return tuple(sorted(found, key=lambda x: x.p_value))


def _rows(
    labels: tuple[NDArray[np.str_], ...], drives: Mapping[str, Array], along: str
) -> _Rows | None:
    others = [x for name, x in drives.items() if name != along]
    groups: dict[tuple[object, ...], list[int]] = {}
    for j, key in enumerate(zip(*labels, *others, strict=True)):
        groups.setdefault(key, []).append(j)
    drive = drives[along]
    rows = [sorted(g, key=lambda j: drive[j]) for g in groups.values() if len(g) >= LEAST_RUN]
    if not rows:
        return None
    index = np.zeros((len(rows), max(map(len, rows))), np.int64)
    there = np.zeros(index.shape, np.bool_)
    for j, row in enumerate(rows):
        index[j, : len(row)], there[j, : len(row)] = row, True
    return _Rows(along, index, there)


def _largest(every: list[_Rows], n: Array, p: Array, rng: np.random.Generator) -> Array:
    """Largest statistic of each kind over all rows, of counts drawn from the model, (draws, 2)."""
    largest = np.zeros((BOOTSTRAPS, 2))
    for first in range(0, BOOTSTRAPS, CHUNK):
        size = (min(CHUNK, BOOTSTRAPS - first), len(n))
        k = rng.binomial(n.astype(np.int64), p, size=size).astype(np.float64)
        now = largest[first : first + CHUNK]
        for rows in every:
            runs = _runs(rows, k, n, p).statistic.max(axis=1)
            rises = _rises(rows, k, n)[0].sum(axis=2).max(axis=1)
            np.maximum(now, np.stack([runs, rises], axis=1), out=now)
    return largest


def _runs(rows: _Rows, k: Array, n: Array, p: Array) -> _Runs:
    """Likelihood ratio of a constant rate against the model's shape, over every run of points.

    In y = 2 arcsin sqrt(rate), of variance 1/n, it is S_mm - 2 S_ym with the sums of squares about
    the run's mean of model and data: positive where the data's slope on the model is below 1/2.
    """
    weight = np.where(rows.there, n[rows.index], 0.0)
    model = 2 * np.arcsin(np.sqrt(p))[rows.index]
    y = (2 * np.arcsin(np.sqrt((k + 0.375) / (n + 0.75))))[:, rows.index]
    rate = (k / n)[:, rows.index]
    few = np.minimum(k, n - k)[:, rows.index] < MANY
    outside = ~rows.there | (few & ((rate <= LOW) | (rate >= HIGH)))
    w, wm, wmm, wy, wym, wyy, out = (
        _sums(x) for x in (weight, weight * model, weight * model**2, weight * y,
                           weight * y * model, weight * y**2, outside)
    )  # fmt: skip
    shape = y.shape[:2]
    best = _Runs(np.zeros(shape), np.zeros(shape, np.int64), np.zeros(shape, np.int64))
    for length in range(LEAST_RUN, y.shape[2] + 1):
        sw, sm, smm, sy, sym, syy, n_out = (
            x[..., length:] - x[..., :-length] for x in (w, wm, wmm, wy, wym, wyy, out)
        )
        total = np.where(sw > 0, sw, 1.0)
        asked, seen, moved = smm - sm**2 / total, sym - sy * sm / total, syy - sy**2 / total
        # Still is what shows no slope on the model and no scatter beyond counting, or next to none.
        slope = np.maximum(SLOPE * np.sqrt(np.maximum(asked, 0.0)), STILL * asked)
        scatter = float(scipy_stats.chi2.ppf(0.95, length - 1)) + STILL**2 * asked
        still = (np.abs(seen) < slope) & (moved < scatter)
        still &= n_out == 0
        ratio = np.where(still, asked - 2 * seen, 0.0)
        place = ratio.argmax(axis=2)
        ratio = np.take_along_axis(ratio, place[..., None], axis=2)[..., 0]
        more = ratio > best.statistic
        best = _Runs(
            np.where(more, ratio, best.statistic),
            np.where(more, place, best.first),
            np.where(more, length, best.length),
        )
    return best


def _sums(x: NDArray[np.generic]) -> Array:
    """Running sums along the last axis, from 0."""
    sums = np.zeros((*x.shape[:-1], x.shape[-1] + 1))
    np.cumsum(x, axis=-1, out=sums[..., 1:])
    return sums


def _rises(rows: _Rows, k: Array, n: Array) -> tuple[Array, Array]:
    """Deviance of rates that never rise, by point, and those rates, both (draws, rows, length).

    The rates are the minimum over all starts of the maximum over all ends of pooled rates.
    """
    trials = np.where(rows.there, n[rows.index], 0.0)
    errors = np.where(rows.there, k[:, rows.index], 0.0)
    n_sums, k_sums = _sums(trials), _sums(errors)
    falling = np.ones(errors.shape)
    for start in range(errors.shape[2]):
        pooled = k_sums[..., start + 1 :] - k_sums[..., start, None]
        pooled /= np.maximum(n_sums[:, start + 1 :] - n_sums[:, start, None], 1.0)
        upper = np.maximum.accumulate(pooled[..., ::-1], axis=2)[..., ::-1]
        np.minimum(falling[..., start:], upper, out=falling[..., start:])
    rate = errors / np.maximum(trials, 1.0)
    deviance = np.zeros(errors.shape)
    moved = rows.there & (np.abs(falling - rate) > 1e-12)
    e, t, g, r = (
        errors[moved],
        np.broadcast_to(trials, errors.shape)[moved],
        falling[moved],
        rate[moved],
    )
    deviance[moved] = 2 * (xlogy(e, r) - xlogy(e, g) + xlogy(t - e, 1 - r) - xlogy(t - e, 1 - g))
    return deviance, falling


def _p_value(statistic: float, chance: Array) -> float:
    """Bootstrap probability, doubled because two kinds are looked for."""
    return min(1.0, 2 * (1 + int((chance >= statistic).sum())) / (1 + len(chance)))


def _plateaus(
    rows: _Rows, labels: tuple[NDArray[np.str_], ...], drives: Mapping[str, Array],
    k: Array, n: Array, p: Array, chance: Array,
) -> list[Anomaly]:  # fmt: skip
    runs = _runs(rows, k[None], n, p)
    found = []
    for row in range(len(rows.index)):
        p_value = _p_value(float(runs.statistic[0, row]), chance)
        if runs.statistic[0, row] > 0 and p_value < LEVEL:
            first = runs.first[0, row]
            points = rows.index[row, first : first + runs.length[0, row]]
            found.append(_anomaly("plateau", rows.along, points, labels, drives, k, n, p_value))
    return found


def _balloonings(
    rows: _Rows, labels: tuple[NDArray[np.str_], ...], drives: Mapping[str, Array],
    k: Array, n: Array, chance: Array,
) -> list[Anomaly]:  # fmt: skip
    deviance, falling = (x[0] for x in _rises(rows, k[None], n))
    found = []
    for row, length in enumerate(rows.there.sum(axis=1)):
        p_value = _p_value(float(deviance[row].sum()), chance)
        if deviance[row].sum() > 0 and p_value < LEVEL:
            # Neighbours whose rates had to be pooled; the stretch that costs most is shown.
            block = np.cumsum(np.diff(falling[row, :length], prepend=np.nan) != 0) - 1
            costs = np.bincount(block, deviance[row, :length])
            worst = costs.argmax()
            points = rows.index[row, :length][block == worst]
            # One rate with counting errors costs at most this: such points stand still.
            by_chance = scipy_stats.chi2.sf(costs[worst], len(points) - 1)
            if by_chance * len(rows.index) >= LEVEL:
                continue
            found.append(_anomaly("ballooning", rows.along, points, labels, drives, k, n, p_value))
    return found


def _anomaly(
    kind: str, along: str, points: NDArray[np.int64], labels: tuple[NDArray[np.str_], ...],
    drives: Mapping[str, Array], k: Array, n: Array, p_value: float,
) -> Anomaly:  # fmt: skip
    return Anomaly(
        kind=kind,
        device=str(labels[0][points[0]]),
        direction=str(labels[1][points[0]]),
        along=along,
        held=tuple((name, float(x[points[0]])) for name, x in drives.items() if name != along),
        start=float(drives[along][points[0]]),
        stop=float(drives[along][points[-1]]),
        level=float(k[points].sum() / n[points].sum()),
        p_value=p_value,
        points=tuple(int(j) for j in points),
    )
