"""Blocks of a junction: the engine's numbers, residuals of drawn data, memory, refusals."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from devicephys.errors import DataError, ParameterError
from devicephys.fitting import contributions, junction_data
from devicephys.fitting.problem import Unknown, solve
from devicephys.mram import thermal
from devicephys.mram.junction import angular_resistance, at_temperature, bias_tmr
from devicephys.mram.pulse import square
from devicephys.mram.write import write_error_rate
from devicephys.parameters import DIRECTIONS, MTJ

DEVICE = MTJ(
    delta=50, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2, v_h=0.6,
    h_stray=0.03, bloch=2e-5, shape_field=2.0,
)  # fmt: skip
TRUTH = {n: getattr(DEVICE, n) for n in junction_data.FIELDS} | {"h_k": 3e5}
N = 10**6


def dataset(**columns):
    return xr.Dataset({k: ("point", np.asarray(v)) for k, v in columns.items()},
                      attrs={"source": "x.csv"})  # fmt: skip


def writes(drive, scale):
    rows = [
        (d, level * DEVICE.i_c0(d) * scale, t, temperature)
        for d in DIRECTIONS for temperature in (300.0, 330.0)
        for level in (1.6, 2.2) for t in (2e-9, 4e-9, 8e-9)
    ]  # fmt: skip
    direction, level, width, temperature = zip(*rows, strict=True)
    zero = np.zeros(len(rows))
    return dataset(direction=direction, pulse_width=width, temperature=temperature,
                   n_trials=zero + N, n_errors=zero, **{f"pulse_{drive}": level})  # fmt: skip


RETENTION = dataset(
    state=["P", "AP"] * 4, wait_time=[1e2] * 4 + [1e4] * 4,
    temperature=[400.0, 400.0, 440.0, 440.0] * 2, n_trials=[N] * 8, n_errors=[0] * 8,
)  # fmt: skip
READS = dataset(
    direction=["P->AP", "AP->P"] * 3, read_current=[9e-6, 7e-6, 12e-6, 9e-6, 15e-6, 10e-6],
    pulse_width=[1e-6] * 6, temperature=[300.0] * 6, n_trials=[N] * 6, n_errors=[0] * 6,
)  # fmt: skip
LOOP = dataset(
    state=["P"] * 41 + ["AP"] * 41, voltage=np.tile(np.linspace(-0.6, 0.6, 41), 2),
    resistance=np.ones(82),
)  # fmt: skip
BLOCKS = {
    "wer_counts": junction_data.write_errors(writes("current", 1.0), "wer_counts"),
    "wer_counts_voltage": junction_data.write_errors(writes("voltage", 5e3), "wer_counts_voltage"),
    "retention_counts": junction_data.retention(RETENTION),
    "read_disturb_counts": junction_data.read_disturb(READS),
    "resistance_loop": junction_data.resistance_loop(LOOP, 0.004),
}


def probabilities(block):
    """From residuals at no event: -sqrt(-2 n ln(1 - p))."""
    return -np.expm1(-(block.residuals(TRUTH) ** 2) / (2 * N))


@pytest.mark.parametrize("drive", ["current", "voltage"])
def test_writes_are_those_of_the_engine(drive):
    kind = {"current": "wer_counts", "voltage": "wer_counts_voltage"}[drive]
    data = writes(drive, 1.0 if drive == "current" else 5e3)
    found = probabilities(BLOCKS[kind])
    for k in (0, 4, 8, 13, 20):
        point = data.isel(point=k)
        device = at_temperature(DEVICE, float(point.temperature))
        pulse = square(drive, float(point[f"pulse_{drive}"]), float(point.pulse_width))
        exact = float(write_error_rate(device, pulse, str(point.direction.values)).wer)
        assert found[k] == pytest.approx(exact, rel=1e-4, abs=1e-9)


def test_retention_and_reads_are_those_of_the_engine():
    found = probabilities(BLOCKS["retention_counts"])
    for k in (0, 7):
        p = RETENTION.isel(point=k)
        exact = thermal.retention_failure(
            DEVICE, float(p.wait_time), str(p.state.values), float(p.temperature)
        )
        assert found[k] == pytest.approx(float(exact), rel=1e-4)
    for lam, block in ((1.0, BLOCKS["read_disturb_counts"]), (1.3, None)):
        values = TRUTH | {"lam": lam}
        block = block or junction_data.read_disturb(READS)
        found = -np.expm1(-(block.residuals(values) ** 2) / (2 * N))
        for k in (0, 5):
            p = READS.isel(point=k)
            exact = thermal.read_disturb(
                replace(DEVICE, lam=lam), float(p.read_current), 1e-6, str(p.direction.values)
            )
            assert found[k] == pytest.approx(float(exact), rel=1e-4)


def test_resistances_follow_the_cosine_law_and_the_bias():
    ap = angular_resistance(-1.0, 4e3, bias_tmr(0.6, 1.2, 0.6))
    loop = LOOP.copy(deep=True)
    loop["resistance"].values[-1] = ap * np.exp(0.008)
    residual = junction_data.resistance_loop(loop, 0.004).residuals(TRUTH)[-1]
    assert residual == pytest.approx(2.0)


@pytest.mark.parametrize("kind", list(BLOCKS))
def test_residuals_of_drawn_data_are_standard(kind):
    block, rng = BLOCKS[kind], np.random.default_rng(4)
    residuals = np.array([block.drawn(TRUTH, rng).residuals(TRUTH) for _ in range(200)])
    assert residuals.shape == (200, block.size)
    if kind == "resistance_loop":
        told = np.ones(block.size, bool)
    else:
        p = probabilities(block)
        told = (p * N > 5) & ((1 - p) * N > 5)  # counts that are nearly normal
    # Mean squares of 200 draws and some points: within 4 of their standard deviations, and 5 %
    # for what small counts depart from normal ones.
    n = 200 * told.sum()
    assert abs((residuals[:, told] ** 2).mean() - 1) < 4 * np.sqrt(2 / n) + 0.05
    assert abs(residuals[:, told].mean()) < 4 / np.sqrt(n) + 0.06


def test_a_model_is_computed_once_for_the_values_that_it_depends_on():
    calls = []

    def model(values):
        calls.append(values)
        return np.array([values["delta"]])

    at = junction_data.remembered(["delta", "lam"], model)
    for r_p in (1.0, 2.0, 3.0):
        assert at({"delta": 50.0, "r_p": r_p})[0] == 50.0
    assert calls == [{"delta": 50.0}]
    with pytest.raises(ValueError, match="read-only"):
        at({"delta": 50.0})[0] = 0.0


def test_scatter_of_neighbours_is_the_error_of_a_resistance():
    rng = np.random.default_rng(7)
    v = np.repeat(np.linspace(-0.6, 0.6, 61), 2)  # up and down: every voltage twice
    r = np.concatenate([angular_resistance(c, 4e3, bias_tmr(v, 1.2, 0.6)) for c in (1.0, -1.0)])
    loop = dataset(state=["P"] * 122 + ["AP"] * 122, voltage=np.tile(v, 2),
                   resistance=r * np.exp(0.003 * rng.standard_normal(244)))  # fmt: skip
    # Overlapping groups of four of 244 points know it to about 8 %: 4 of these.
    assert junction_data.scatter(loop) == pytest.approx(0.003, rel=0.32)


def loop_of(voltages, error, rng):
    v = np.linspace(-0.45, 0.45, voltages)
    r = np.concatenate([angular_resistance(c, 6e3, bias_tmr(v, 1.2, 0.55)) for c in (1.0, -1.0)])
    return dataset(state=["P"] * voltages + ["AP"] * voltages, voltage=np.tile(v, 2),
                   resistance=r * np.exp(error * rng.standard_normal(2 * voltages)))  # fmt: skip


def test_an_estimated_error_has_no_curvature_in_it_where_it_is_given():
    """Root of the mean square over 100 loops of the fewest voltages: 4 of its errors, 1.2 %."""
    rng = np.random.default_rng(3)
    found = [junction_data.scatter(loop_of(20, 0.003, rng)) for _ in range(100)]
    assert np.sqrt(np.mean(np.square(found))) == pytest.approx(0.003, rel=0.05)
    with pytest.raises(DataError, match=r"from 32 groups.*as of 20 voltages a state"):
        junction_data.scatter(loop_of(19, 0.003, rng))


def test_an_estimated_error_gives_no_false_alarm():
    """Share of 200 loops beyond the 95 % quantile of drawn ones: 5 % (19 % with the error kept).

    At most 4 standard deviations above: a false alarm of the test once in 10 000. The deviances
    do not depend on the error, so that those drawn for the first loop stand for all.
    """
    rng = np.random.default_rng(11)
    begin = {"r_p": (1e3, 1e4, 5e3), "tmr": (0.1, 5.0, 1.0), "v_h": (0.1, 2.0, 0.5)}
    unknowns = [Unknown(name, "1", name, *numbers) for name, numbers in begin.items()]
    blocks = [junction_data.resistance_loop(loop_of(20, 0.003, rng)) for _ in range(200)]
    founds = [solve(unknowns, [b]) for b in blocks]
    at = contributions.slopes(unknowns, blocks[:1], founds[0])
    drawn = contributions.simulated_deviances(unknowns, blocks[:1], founds[0], at, rng)
    beyond = np.array([f.deviance for f in founds]) > np.quantile(drawn, 0.95)
    assert beyond.mean() < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 200)


def test_refuses_what_makes_no_sense():
    few = LOOP.isel(point=slice(0, 6))
    with pytest.raises(DataError, match=r"x.csv: the error.*resistance_error"):
        junction_data.scatter(few)
    with pytest.raises(ParameterError, match="resistance_error = 0"):
        junction_data.resistance_loop(LOOP, 0.0)
    with pytest.raises(DataError, match=r"'up'.*P->AP or AP->P"):
        junction_data.direction_of("up")
