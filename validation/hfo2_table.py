"""The BER-energy table counted from the measured HfO2 ramps against reference counts."""

import warnings

import numpy as np
from devicephys.fits import hfo2_staircase as recipe
from devicephys.validation import Figure, not_established

from devicephys.errors import DataError, ParameterError
from devicephys.study import data_path, read
from devicephys.tables import lookup

CLAIM = "The HfO2 table reproduces an independent count of the same ramps."
REFERENCE = (
    "a separate count by a prototype, printed to 2-3 digits; data of doi 10.1109/TED.2021.3097975"
)
LIMIT = "half a unit of the last printed digit: the same data were counted"

VALUES = {  # V_SL [V]: (BER 1T1R, BER 2T2R, energy [pJ]) and half units of the last digits
    0.80: ((0.201, 5e-4), (0.234, 5e-4), (21, 0.5)),
    0.90: ((0.089, 5e-4), (0.114, 5e-4), (27, 0.5)),
    1.00: ((0.042, 5e-4), (0.060, 5e-4), (33, 0.5)),
    1.10: ((0.027, 5e-4), (0.035, 5e-4), (40, 0.5)),
    1.20: ((0.010, 5e-4), (0.0116, 5e-5), (48, 0.5)),
    1.30: ((0.0060, 5e-5), (0.0086, 5e-5), (56, 0.5)),
    1.40: ((0.0051, 5e-5), (0.0069, 5e-5), (65, 0.5)),
}


def run() -> list[Figure]:
    """Count the table and compare it voltage by voltage."""
    try:
        dataset = recipe.read(data_path(read("hfo2_mnist").data))
    except (ParameterError, DataError) as err:
        return [not_established("hfo2_table", str(err))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that some ramps had ended is known
        table = recipe.table(dataset, recipe.fit(dataset, np.random.default_rng(0), _silent), {})
    figures = []
    for voltage, (one, two, energy) in VALUES.items():
        for cell, (ber, digit) in (("1T1R", one), ("2T2R", two)):
            found = lookup(table, cell=cell, pulse_voltage=float(_grid(table, voltage)))
            name = f"BER, {cell}, {voltage:.2f} V"
            holds = abs(found["ber"] - ber) <= digit * 1.01
            figures.append(Figure(name, found["ber"], "1", f"{ber:g} +- {digit:g}", holds))
        pj = found["energy_per_bit"] * 1e12
        name, asked = f"energy of the last pulse, {voltage:.2f} V", f"{energy[0]} +- {energy[1]}"
        figures.append(Figure(name, pj, "pJ", asked, abs(pj - energy[0]) <= energy[1]))
    return figures


def _grid(table: object, voltage: float) -> float:
    axis = table.pulse_voltage.values  # type: ignore[attr-defined]
    return float(axis[np.abs(axis - voltage).argmin()])


def _silent(done: int, total: int) -> None:
    """Take no notice of progress."""
