"""Energy that a network saves because its weights may have errors.

Three ways to write the same network are compared: as the table has it, at the least energy that
keeps the accuracy; the same at a bit error rate that other programs need; and with an
error-correcting code that brings the errors down to that rate, check bits included.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from devicephys.bnn.energy import rows_of
from devicephys.checks import in_range
from devicephys.ecc import overhead, residual_ber, secded

RELIABLE = 1e-9  # bit error rate of a memory that is to look free of errors
CODE = secded(64)


@dataclass(frozen=True)
class Saving:
    """Energy of writing a network with errors against a way that leaves (almost) none.

    Attributes
    ----------
    network, cell, reference : str
        Network, cell (empty where the table has none), and the way it is compared with.
    energy_per_bit, energy_low, energy_high : float
        Energy per data bit of the reference, and its interval; infinite where the table does not
        reach the rate [J].
    saving, low, high : float
        Share of the reference's energy that is saved, with its interval; NaN where the table
        reaches one of the two ways nowhere [1].
    energy : float
        Energy saved in writing all weights of the network once; NaN likewise [J].
    """

    network: str
    cell: str
    reference: str
    energy_per_bit: float
    energy_low: float
    energy_high: float
    saving: float
    low: float
    high: float
    energy: float


def savings(
    results: xr.Dataset, network: str, cell: str, max_loss: float
) -> list[Saving]:  # fmt: skip
    """Compare writing a network with errors with writing it at a low rate, and with a code.

    Valid for a front that reaches the low rate: nothing is extrapolated. Errors are independent
    where a code corrects them.

    Parameters
    ----------
    results : xarray.Dataset
        As `energy.along` gives them.
    network, cell : str
        Which of its rows; the cell is empty where the table has none.
    max_loss : float
        Largest accepted loss of accuracy, in (0, 1) [1].

    Returns
    -------
    list of Saving
        Against writing at `RELIABLE`, and against `CODE` where the cell has no code yet.

    Raises
    ------
    ParameterError
        If `max_loss` is outside (0, 1).

    Notes
    -----
    Every way needs the least energy from which on all points of the front fulfil its condition:
    the network that its bound of the loss is at most `max_loss`, as `energy.least_energy` has it;
    the references that their bit error rate is at most `RELIABLE`. The interval is that of the
    references, between the ends of the error rates; the energies are those of points of the table,
    so that a finer grid may move them by a step.

    Examples
    --------
    >>> rows = {"network": ["a"] * 3, "n_weights": [1000] * 3,
    ...         "energy_per_bit": [1e-12, 2e-12, 4e-12], "ber": [1e-3, 1e-6, 1e-10],
    ...         "loss": [1e-3, 0, 0]}
    >>> rows |= {"ber_lo": rows["ber"], "ber_hi": rows["ber"], "loss_lo": rows["loss"],
    ...          "loss_bound": rows["loss"]}
    >>> data = xr.Dataset({name: ("point", values) for name, values in rows.items()})
    >>> [round(s.saving, 3) for s in savings(data, "a", "", 0.005)]
    [0.75, 0.556]
    """
    limit = float(in_range("max_loss", max_loss, "1", above=0, below=1))
    part = results.isel(point=rows_of(results, network, cell))
    energy = part.energy_per_bit.values
    own = _least(energy, part.loss_bound.values <= limit)
    rates = [part[v].values for v in ("ber_lo", "ber", "ber_hi")]
    references = {f"BER {RELIABLE:g}": [_least(energy, p <= RELIABLE) for p in rates]}
    if " + " not in cell:
        references[CODE.name] = [
            _least(energy * overhead(CODE), residual_ber(CODE, p) <= RELIABLE) for p in rates
        ]
    return [
        _saving(network, cell, name, own, reference, int(part.n_weights[0]))
        for name, reference in references.items()
    ]


def _least(energy: NDArray[np.float64], good: NDArray[np.bool_]) -> float:
    """Least energy from which on all points are good; infinite where the last is not."""
    order = np.argsort(-energy)
    kept = np.cumprod(good[order]).astype(bool)
    return float(energy[order][kept].min(initial=np.inf))


def _saving(
    network: str, cell: str, name: str, own: float, reference: list[float], n_weights: int
) -> Saving:
    low, saving, high = (
        1 - own / e if np.isfinite(own) and np.isfinite(e) and e > 0 else np.nan for e in reference
    )
    return Saving(
        network=network, cell=cell, reference=name,
        energy_per_bit=reference[1], energy_low=reference[0], energy_high=reference[2],
        saving=saving, low=low, high=high, energy=n_weights * reference[1] * saving,
    )  # fmt: skip
