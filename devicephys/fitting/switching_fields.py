"""Switching fields of one junction as a fit sees them.

The law of `mram.switching_field` has a hazard: a layer that is still there at the field H switches
in the next dH with the probability dLambda. The field axis of every direction and rate is cut into
bins of equal width, and each bin is a binomial count: those that switch in it, of those that are
left. The bins end half a bin beyond the lowest and the highest field, and that none lies outside
counts too: with the outer bins left open Delta came out low, by half a standard error for ten
fields. Against the likelihood of the fields themselves the mean shift is below .02 standard errors
for ten fields or more; grouping makes the variance of Delta and H_k a few per cent larger.
"""

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from devicephys.checks import ZERO, Array
from devicephys.constants import MU_0
from devicephys.errors import DataError
from devicephys.fitting.counts import Model
from devicephys.fitting.junction_data import direction_of, junction, remembered
from devicephys.fitting.problem import Block, Values
from devicephys.mram import switching_field
from devicephys.parameters import DIRECTIONS, MTJ, Direction
from devicephys.stats import deviance_residuals

NAME = "switching_fields"
BINS = 24  # of each direction and rate: each about a quarter of their standard deviation
LEAST_FIELDS = 10  # of a direction and rate
DEPENDS_ON = ("delta", "t_d", "h_stray", "h_k")
ROUNDS = 4  # of the search for H_k


@dataclass(frozen=True)
class Fields:
    """Switching fields of one direction and rate, in bins.

    Attributes
    ----------
    direction : {"P->AP", "AP->P"}
        The write that the field drives.
    rate : float
        Rate of the field [T/s].
    edges : ndarray
        Fields mu0 H between the bins; below the first lies one more bin and above the last
        another, which all that are left reach; shape (bins,) [T].
    switched : ndarray
        Layers that switched below each edge and above the one before, shape (bins,) [1].
    left : ndarray
        Layers that had not switched at the edge before, shape (bins,) [1].
    """

    direction: Direction
    rate: float
    edges: Array
    switched: Array
    left: Array


def grouped(dataset: xr.Dataset) -> list[Fields]:
    """Sort switching fields into bins.

    Parameters
    ----------
    dataset : xarray.Dataset
        Data of kind "switching_fields": fields are positive where they drive the write that the
        direction names.

    Returns
    -------
    list of Fields
        One a direction and rate.

    Raises
    ------
    DataError
        If a direction and rate has too few fields, or all are equal.

    Examples
    --------
    >>> fields = {"direction": ["P->AP"] * 10, "field_rate": [1.0] * 10,
    ...           "switching_field": np.linspace(0.1, 0.2, 10)}
    >>> found = grouped(xr.Dataset({k: ("point", v) for k, v in fields.items()}))[0]
    >>> found.left[0], len(found.edges)
    (np.float64(10.0), 25)
    """
    result = []
    keys = zip(dataset.direction.values.tolist(), dataset.field_rate.values.tolist(), strict=True)
    for text, rate in dict.fromkeys(keys):
        mine = (dataset.direction.values == text) & (dataset.field_rate.values == rate)
        field = dataset.switching_field.values[mine]
        if len(field) < LEAST_FIELDS or field.min() == field.max():
            raise DataError(
                f"{len(field)} switching fields, {text} at {rate:g} T/s",
                where=str(dataset.attrs.get("source", "")),
                expected=f"{LEAST_FIELDS} or more that differ",
            )
        # Bins that end half a bin beyond the fields: that no field lies outside is data as well.
        half = (field.max() - field.min()) / (BINS - 1) / 2
        edges = np.linspace(field.min() - half, field.max() + half, BINS + 1)
        switched = np.histogram(field, np.r_[-np.inf, edges])[0].astype(np.float64)
        result.append(
            Fields(direction_of(text), rate, edges, switched, _left(len(field), switched))
        )
    return result


def _left(n: float, switched: Array) -> Array:
    return np.asarray(n - np.r_[0.0, np.cumsum(switched)[:-1]])


def block(fields: list[Fields]) -> Block:
    """Give switching fields as data of a fit.

    Valid as `mram.switching_field` is. Depends on delta, t_d, h_stray and h_k [A/m].

    Parameters
    ----------
    fields : list of Fields
        The fields, as `grouped` gives them.

    Returns
    -------
    Block
        One binomial deviance residual a bin.

    References
    ----------
    Law: Kurkijarvi, Phys. Rev. B 6 (1972) 832, doi:10.1103/PhysRevB.6.832; hazards of grouped
    data: Prentice and Gloeckler, Biometrics 34 (1978) 57, doi:10.2307/2529588.

    Examples
    --------
    See docs/theory/joint_fits.md.
    """
    return _with(fields, [remembered(DEPENDS_ON, _hazard(f)) for f in fields])


def _with(fields: list[Fields], hazards: list[Model]) -> Block:
    def residuals(values: Values) -> Array:
        each = []
        for f, hazard in zip(fields, hazards, strict=True):
            step = hazard(values)
            there = f.left > 0
            found = np.zeros(len(step))
            found[there] = deviance_residuals(
                f.switched[there], f.left[there], np.log(-np.expm1(-step[there])), -step[there]
            )
            each.append(found)
        return np.concatenate(each)

    def drawn(values: Values, rng: np.random.Generator) -> Block:
        new = []
        for f, hazard in zip(fields, hazards, strict=True):
            n = int(f.left[0])
            below = np.r_[0.0, -np.expm1(-np.cumsum(hazard(values))), 1.0]
            counts = rng.multinomial(n, np.diff(below))[:-1].astype(np.float64)
            new.append(replace(f, switched=counts, left=_left(n, counts)))
        return _with(new, hazards)

    return Block(NAME, sum(len(f.edges) for f in fields), residuals, drawn)


def _hazard(f: Fields) -> Model:
    """Increments of Lambda over the bins."""

    def model(values: Values) -> Array:
        total = switching_field.cumulated(
            f.edges, junction(values), values["h_k"], f.direction, f.rate
        )
        return np.maximum(np.diff(total, prepend=0.0), ZERO)

    return model


def start(fields: list[Fields], delta: float, t_d: float) -> dict[str, float]:
    """Estimate anisotropy field and stray field from the medians by Sharrock's law.

    Parameters
    ----------
    fields : list of Fields
        The fields.
    delta, t_d : float
        Thermal stability factor [1] and damping time [s].

    Returns
    -------
    dict of str to float
        h_k [A/m], and h_stray where both directions were measured [1].

    Raises
    ------
    DataError
        If the fields do not drive the writes that the directions name.

    References
    ----------
    Sharrock, J. Appl. Phys. 76 (1994) 6413.

    Examples
    --------
    See docs/theory/joint_fits.md.
    """
    medians: dict[Direction, list[float]] = {d: [] for d in DIRECTIONS}
    for f in fields:
        at = np.searchsorted(np.cumsum(f.switched), f.left[0] / 2)
        medians[f.direction].append(float(f.edges[min(int(at), len(f.edges) - 1)]))
    means = [float(np.mean(m)) for m in medians.values() if m]
    middle = float(np.mean(means))
    if middle <= 0:
        raise DataError(
            f"switching fields of {middle:.3g} T in the mean",
            expected="positive where the field drives the write that the direction names",
            remedy="turn the sign of one direction around",
        )
    rate = float(np.exp(np.mean(np.log([f.rate for f in fields]))))
    h_k = middle / MU_0
    for _ in range(ROUNDS):
        bare = MTJ(delta=delta, i_c0_p_ap=1.0, i_c0_ap_p=1.0, t_d=t_d, r_p=1.0, tmr=1.0)
        h_k *= middle / switching_field.coercive_field(bare, h_k, "P->AP", rate)
    if len(means) < 2:
        return {"h_k": h_k}
    return {"h_k": h_k, "h_stray": (means[0] - means[1]) / (2 * MU_0 * h_k)}
