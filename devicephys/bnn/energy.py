"""Accuracy against energy per bit: networks along a table, and the least energy that keeps it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from devicephys.bnn.accuracy import EncodedImages, Sampling, accuracy
from devicephys.bnn.fault_spread import RateSpread
from devicephys.bnn.faults import NO_ERRORS, Rates
from devicephys.bnn.inference import Inputs, predict
from devicephys.bnn.recalibration import recalibrate
from devicephys.checks import in_range

AXES = ("pulse_current", "pulse_voltage", "pulse_width", "pulses")  # of an operating point


def along(
    points: xr.Dataset,
    tests: dict[str, EncodedImages],
    seed: int,
    sampling: Sampling,
    max_loss: float = 1.0,
    progress: Callable[[int, int], None] = lambda done, total: None,
    calibration: Mapping[str, Inputs] = MappingProxyType({}),
    spread: RateSpread | None = None,
) -> xr.Dataset:
    """Evaluate networks at every operating point of a table's front.

    Parameters
    ----------
    points : xarray.Dataset
        Operating points over ``point`` as `tables.pareto` gives them.
    tests : dict of str to EncodedImages
        Networks by name.
    seed : int
        Seed of the error maps.
    sampling : Sampling
        When to stop drawing maps.
    max_loss : float, optional
        Loss beyond which no bound is wanted: a point that exceeds it gets no second evaluation [1].
    progress : callable, optional
        Called with (evaluations done, evaluations in all).
    calibration : mapping of str to ndarray, optional
        Encoded training images of the networks whose thresholds are corrected for the likely rates
        of every point, shape (n_images, n_inputs) each [1].
    spread : RateSpread, optional
        How rates differ around those of the table.

    Returns
    -------
    xarray.Dataset
        Over ``point`` (every network at every operating point): the operating point, its rates
        and energy, ``network``, its ``n_weights``, ``accuracy`` and ``loss`` with intervals,
        ``n_maps``, ``accuracy_spread`` from map to map, weight bits that failed (``flips``) and
        were expected to, and ``loss_bound``: the upper end of the loss at the upper end of the
        error rate, NaN where the loss exceeds `max_loss` already at the error rate itself.

    Examples
    --------
    See docs/guide/quickstart.md.
    """
    rows = []
    names = [str(n) for n in points.variables]
    units = {name: points[name].attrs.get("units", "1") for name in names}
    total = len(tests) * points.sizes["point"]
    for name, original in tests.items():
        test = original
        if name in calibration:  # the loss is that against thresholds right without errors
            network = recalibrate(test.network, NO_ERRORS, calibration[name])
            test = replace(
                test, network=network, clean=predict(network, test.inputs) == test.labels
            )
        for k in range(points.sizes["point"]):
            at = {n: points[n].values[k] for n in names}
            likely, worse = rates_at(points, k)
            there = test
            if name in calibration and likely.p01 + likely.p10 < 1:  # else nothing is left to mend
                network = recalibrate(test.network, likely, calibration[name])
                there = replace(test, network=network)
            nominal = accuracy(there, likely, seed, sampling, spread)
            bound = np.nan
            if nominal.loss_high <= max_loss:
                bound = max(
                    accuracy(there, worse, seed, sampling, spread).loss_high, nominal.loss_high
                )
            rows.append(
                {
                    "network": name, "n_weights": test.network.n_weights, **at,
                    "accuracy": nominal.accuracy, "accuracy_lo": nominal.low,
                    "accuracy_hi": nominal.high, "loss": nominal.loss,
                    "loss_lo": nominal.loss_low, "loss_hi": nominal.loss_high,
                    "loss_bound": bound,
                    "n_maps": nominal.n_maps, "reached": int(nominal.reached),
                    "accuracy_spread": nominal.spread,
                    "flips": nominal.flips, "flips_expected": nominal.flips_expected,
                }
            )  # fmt: skip
            progress(len(rows), total)
    return xr.Dataset(
        {
            name: ("point", np.array([row[name] for row in rows]), {"units": units.get(name, "1")})
            for name in rows[0]
        }
    )


def rates_at(points: xr.Dataset, k: int) -> tuple[Rates, Rates]:
    """Give the error rates of an operating point, and those at the upper end of its interval.

    Parameters
    ----------
    points : xarray.Dataset
        Operating points over ``point`` as `tables.pareto` gives them.
    k : int
        Number of the point [1].

    Returns
    -------
    tuple of Rates
        Likely rates; and those whose mean is ``ber_hi``: in the same proportion as far as both
        are at most 1, all in the zeros where no error was counted, since errors of one side cost
        most. Rates that are balanced otherwise than counted are not bounded.

    Examples
    --------
    >>> values = {"p01": 0.1, "p10": 0.3, "ber": 0.2, "ber_hi": 0.4}
    >>> points = xr.Dataset({name: ("point", [x]) for name, x in values.items()})
    >>> rates_at(points, 0)[1]
    Rates(p01=0.2, p10=0.6)
    """
    p01, p10, ber, ber_hi = (
        float(points[name].values[k]) for name in ("p01", "p10", "ber", "ber_hi")
    )
    if ber == 0:
        return Rates(p01, p10), Rates(min(1.0, 2 * ber_hi), max(0.0, 2 * ber_hi - 1))
    more = ber_hi / ber
    # Where one rate ends at 1 the other takes the rest: their mean stays ber_hi.
    worse = Rates(*(min(1.0, max(p * more, 2 * ber_hi - 1)) for p in (p01, p10)))
    return Rates(p01, p10), worse


@dataclass(frozen=True)
class LeastEnergy:
    """Answer to "what is the least energy per bit with a loss of at most d?".

    Attributes
    ----------
    network, cell : str
        Network and cell; the cell is empty where the table has none.
    max_loss : float
        The loss d [1].
    energy_per_bit, ber, loss_bound : float
        Energy, error rate and bound of the loss at the answer; NaN where none holds [J, 1, 1].
    point : dict of str to float
        The operating point [SI].
    row : int
        Its row in the results; -1 where none holds [1].
    """

    network: str
    cell: str
    max_loss: float
    energy_per_bit: float
    ber: float
    loss_bound: float
    point: dict[str, float]
    row: int = -1

    @property
    def found(self) -> bool:
        """Whether any operating point keeps the loss."""
        return bool(np.isfinite(self.energy_per_bit))


def rows_of(results: xr.Dataset, network: str, cell: str) -> NDArray[np.intp]:
    """Find the rows of one network and cell.

    Parameters
    ----------
    results : xarray.Dataset
        As `along` gives them.
    network, cell : str
        Network and cell; the cell is empty where the table has none.

    Returns
    -------
    ndarray of int
        Row numbers, shape (n,) [1].

    Examples
    --------
    >>> rows_of(xr.Dataset({"network": ("point", ["a", "b", "a"])}), "a", "").tolist()
    [0, 2]
    """
    mine = results["network"].values == network
    if cell:
        mine &= results["cell"].values == cell
    return np.flatnonzero(mine)


def least_energy(results: xr.Dataset, max_loss: float) -> list[LeastEnergy]:
    """Find, for every network and cell, the least energy per bit that keeps the loss.

    An operating point counts as good only if the upper 95 % bound of the loss, taken at the upper
    end of the error rate, is at most `max_loss`, there and at every point of higher energy.

    Parameters
    ----------
    results : xarray.Dataset
        As `along` gives them.
    max_loss : float
        Largest accepted loss of accuracy, in (0, 1) [1].

    Returns
    -------
    list of LeastEnergy
        One answer for every network and cell, in order of appearance.

    Raises
    ------
    ParameterError
        If `max_loss` is outside (0, 1).

    Examples
    --------
    >>> names = ("energy_per_bit", "ber", "loss_bound")
    >>> values = ([1e-12, 2e-12, 3e-12], [0.1, 0.01, 1e-3], [0.4, 0.004, 0.001])
    >>> data = {n: ("point", v) for n, v in zip(names, values)} | {"network": ("point", ["a"] * 3)}
    >>> least_energy(xr.Dataset(data), 0.005)[0].energy_per_bit
    2e-12
    """
    d = float(in_range("max_loss", max_loss, "1", above=0, below=1))
    axes = [a for a in AXES if a in results]
    networks = results["network"].values.tolist()
    cells = results["cell"].values.tolist() if "cell" in results else [""] * len(networks)
    answers = []
    for network, cell in dict.fromkeys(zip(networks, cells, strict=True)):
        mine = rows_of(results, network, cell)
        bound = results.loss_bound.values
        mine = mine[np.lexsort((bound[mine], -results.energy_per_bit.values[mine]))]
        good = np.cumprod(bound[mine] <= d).astype(bool)
        if not good.any():
            answers.append(LeastEnergy(network, cell, d, np.nan, np.nan, np.nan, {}))
            continue
        k = mine[good][-1]
        at = {a: float(results[a].values[k]) for a in axes}
        energy, ber, bound = (
            float(results[v].values[k]) for v in ("energy_per_bit", "ber", "loss_bound")
        )
        answers.append(LeastEnergy(network, cell, d, energy, ber, bound, at, int(k)))
    return answers
