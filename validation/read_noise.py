"""Read noise: the count from ramps, the law drawn again, and the slopes of 1/f series."""

import numpy as np
from devicephys.validation import Figure, not_established

from devicephys.errors import DataError, ParameterError
from devicephys.fitting.read_noise import ReadPairs, count, pairs
from devicephys.io import relaxation, staircase
from devicephys.rram.read_noise import measured_hfo2, read
from devicephys.rram.spectrum import flicker_series, measured_technology_a, spectrum_slope
from devicephys.study import data_path

CLAIM = "Read noise by resistance range and the slopes of 1/f noise are those of measured cells."
REFERENCE = (
    "an independent count of the ramps, printed to 2 digits; slopes of -0.7 to -1.4 and sigma_G/G "
    "of .09 (9.5 uS) to .002 (253 uS) of technology A, counted independently"
)
LIMIT = (
    "half a unit of the last printed digit for the count of the same data; 15 % for the law drawn "
    "again and for slopes, since the count's own error is 5 to 11 % and a line through one "
    "cell's spectrum depends on its band"
)
PULSES = "$DEVICEPHYS_DATA/measured/hfo2_1t1r_ramps/reset-sweep-sl-200ns-step-0.05-9-21-20.csv"
SERIES = "$DEVICEPHYS_DATA/measured/rram_relaxation/data_techA_tsdata.min.tsv.gz"
ASKED = ((0.0033, 5e-5), (0.017, 5e-4), (0.043, 5e-4), (0.066, 5e-4), (0.070, 5e-4))
RATE, BAND = 400.0, (2.0, 40.0)  # Hz


def run() -> list[Figure]:
    """Count both data sets and draw both laws again."""
    return [*_ramps(np.random.default_rng(1)), *_series(np.random.default_rng(2))]


def _ramps(rng: np.random.Generator) -> list[Figure]:
    try:
        measured = pairs(staircase.read(data_path(PULSES)))
    except (ParameterError, DataError) as err:
        return [not_established("read noise by resistance", str(err))]
    law = measured_hfo2()
    inside = (measured.first >= law.r_min) & (measured.first <= law.r_max)
    states = np.tile(measured.first[inside], 10)  # the draw's own scatter is then 2 %
    drawn = ReadPairs(np.tile(measured.device[inside], 10), *read(states, rng, law, n_reads=2))
    data, model = count(measured, rng, n_resamples=2), count(drawn, rng, n_resamples=2)
    figures = []
    for k, (asked, digit) in enumerate(ASKED):
        span = f"{data.edges[k] / 1e3:g}-{data.edges[k + 1] / 1e3:g} kOhm"
        x, y = float(data.sigma[k]), float(model.sigma[k])
        holds = abs(x - asked) <= digit * 1.01
        figures.append(Figure(f"count, {span}", x, "1", f"{asked:g} +- {digit:g}", holds))
        holds = abs(y / asked - 1) <= 0.15
        figures.append(Figure(f"law drawn again, {span}", y, "1", f"{asked:g} +- 15 %", holds))
    return figures


def _series(rng: np.random.Generator) -> list[Figure]:
    figures = []
    for g, law in measured_technology_a().items():
        drawn = flicker_series(100_000, RATE, rng, law)[0]
        slope = spectrum_slope(drawn, RATE, *BAND)
        holds = abs(slope.value / law.slope - 1) <= 0.15
        name = f"slope of a drawn series, {g * 1e6:.3g} uS"
        figures.append(Figure(name, slope.value, "1", f"{law.slope:g} +- 15 %", holds))
    try:
        measured = relaxation.read_series(data_path(SERIES), RATE).conductance.values
    except (ParameterError, DataError) as err:
        return [*figures, not_established("slopes of measured series", str(err))]
    slopes = [spectrum_slope(x, RATE, *BAND).value for x in measured]
    for name, value, asked in (
        ("flattest measured slope", max(slopes), -0.7),
        ("steepest measured slope", min(slopes), -1.4),
    ):
        holds = abs(value / asked - 1) <= 0.15
        figures.append(Figure(name, value, "1", f"{asked:g} +- 15 %", holds))
    for k, asked, digit in ((0, 0.09, 5e-3), (-1, 0.002, 5e-4)):
        value = float(measured[k].std() / measured[k].mean())
        name = f"sigma_G/G at {measured[k].mean() * 1e6:.3g} uS"
        holds = abs(value - asked) <= digit
        figures.append(Figure(name, value, "1", f"{asked:g} +- {digit:g}", holds))
    return figures
