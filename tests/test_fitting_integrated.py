"""Devices fitted together: against brute force, against single fits, on points too few alone."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from devicephys.fits import stt_mram_wer

from devicephys import data
from devicephys.errors import DataError, FitError
from devicephys.fitting import integrated, interval_methods, wer
from devicephys.fitting.counts import Counts, block, closed_form_chart, start
from devicephys.fitting.hierarchy import population
from devicephys.fitting.problem import solve, started
from devicephys.fitting.result import DeviceFit, Estimate, FitResult
from devicephys.fitting.wer_data import unknowns_of
from devicephys.io import tidy_csv
from devicephys.mram.pulse import square
from devicephys.mram.spread import Spread, mean_write_error_rate

TRUTH = {"delta": 50.0, "i_c0_p_ap": 40e-6, "t_d": 1.5e-9}
SPREADS = (0.05, 0.02)
DRIVES, WIDTHS = np.array([60e-6, 75e-6, 95e-6]), np.array([3e-9, 6e-9, 9e-9, 12e-9])


def drawn(n_devices, points, trials, seed):
    """Devices with a few random pulses each; the closed form makes and fits them."""
    rng = np.random.default_rng(seed)
    devices = []
    for _ in range(n_devices):
        z = rng.standard_normal(2)
        i, t = rng.choice(DRIVES, points), rng.choice(WIDTHS, points)
        log_p = closed_form_chart(
            np.log(i / TRUTH["i_c0_p_ap"]) - SPREADS[1] * z[1], np.log(t / TRUTH["t_d"]),
            np.full(points, np.log(TRUTH["delta"]) + SPREADS[0] * z[0]),
        )  # fmt: skip
        devices.append(
            Counts(
                k=rng.binomial(trials, np.exp(log_p)).astype(float),
                n=np.full(points, float(trials)),
                log_drive=np.log(i), log_width=np.log(t), log_delta=np.zeros(points),
                index=np.zeros(points, int), critical=("i_c0_p_ap",),
            )
        )  # fmt: skip
    return devices


@pytest.fixture(scope="module")
def together():
    devices = drawn(40, 3, 10_000, 5)
    unknowns = started(unknowns_of(["i_c0_p_ap"]), start(devices))
    return devices, integrated.fit(devices, unknowns, closed_form_chart, np.random.default_rng(1))


def test_the_integral_is_that_of_a_fine_grid(together):
    """Gauss-Hermite, shifted, against sums over a plain grid of z: 1e-3 of -2 ln L."""
    devices, found = together
    theta = found.theta
    names = list(TRUTH)
    one = integrated._Integral(devices[0], np.zeros(3, int), 1, names, closed_form_chart)
    fine = np.linspace(-7, 7, 281)
    z = np.array(list(itertools.product(fine, fine)))[:, None, :]
    squares = (one.residuals(theta, z) ** 2).sum(axis=-1) + (z[:, 0] ** 2).sum(axis=-1)
    exact = -2 * np.log(np.exp(-0.5 * squares).sum() * (fine[1] - fine[0]) ** 2 / (2 * np.pi))
    assert one.deviance(theta) == pytest.approx(exact, abs=1e-3)


def test_few_points_on_many_devices_tell_the_population(together):
    """Truth within 4 standard errors of means; spreads in their intervals widened by a half."""
    _, found = together
    errors = np.sqrt(np.diag(found.covariance))
    for k, (name, value) in enumerate(TRUTH.items()):
        assert found.names[k] == name
        assert abs(found.theta[k] - np.log(value)) < 4 * errors[k]
    for k, value in zip((3, 4), SPREADS, strict=True):
        assert found.low[k] - 0.5 < np.log(value) < found.high[k] + 0.5
        assert found.low[k] < found.theta[k] < found.high[k]
    assert np.mean(found.drawn >= (found.residuals**2).sum()) > 0.001  # explains the counts


def test_devices_that_could_be_fitted_alone_give_the_same_population():
    """Against REML of single fits: means to a tenth of an error, spreads and intervals to 10 %."""
    devices = drawn(8, 30, 100_000, 3)
    unknowns = started(unknowns_of(["i_c0_p_ap"]), start(devices))
    alone = [solve(unknowns, [block("", d, closed_form_chart)]) for d in devices]
    group = population([f.theta for f in alone], [f.covariance for f in alone])
    found = integrated.fit(devices, unknowns, closed_form_chart, np.random.default_rng(1))
    for k in (0, 1):
        assert found.theta[k] == pytest.approx(group.mean[k], abs=0.1 * group.stderr[k])
        assert np.exp(found.theta[3 + k]) == pytest.approx(group.spread[k], rel=0.1)
        width = group.mean_high[k] - group.mean_low[k]
        assert found.high[k] - found.low[k] == pytest.approx(width, rel=0.1)


def test_a_recipe_fits_together_what_it_cannot_fit_alone():
    every = tidy_csv.read(data.path("synthetic_stt_mram_wer.csv"))
    rng = np.random.default_rng(2)
    seen = (every.direction.values == "P->AP") & (every.n_errors.values > 0)
    rows = [
        rng.choice(np.flatnonzero(seen & (every.device.values == name)), 3, replace=False)
        for name in sorted(set(every.device.values.tolist()))
    ]
    thin = every.isel(point=np.concatenate(rows))
    result = wer.fit(thin, np.random.default_rng(1), "stt_mram_wer")
    assert "fitted together" in result.notes[0]
    assert "has 3 points" in result.notes[0]
    assert len(result.devices) == 8
    assert set(result.devices[0].values) == {"delta", "i_c0_p_ap", "t_d"}
    truth = result.data["truth"]
    for name in ("delta", "i_c0_p_ap"):  # 5 standard errors
        assert abs(result[name].value - truth[f"truth_{name}"]) < 5 * result[name].stderr
    assert wer.spread(result, "P->AP").sigma_delta == pytest.approx(result["delta"].spread)
    for name in ("delta", "i_c0_p_ap"):
        e = result[name]
        assert 0 <= e.spread_low < e.spread < e.spread_high < 0.5
    assert result["t_d"].spread == 0
    assert np.isnan([result["t_d"].spread_low, result["t_d"].spread_high]).all()
    with pytest.raises(DataError, match="has 3 points"):
        wer.problems(thin, result)


def test_one_drive_is_refused_before_the_model_takes_minutes():
    """One device and direction; eight devices of two widths in each direction."""
    every = tidy_csv.read(data.path("synthetic_stt_mram_wer.csv"))
    level, up = every.pulse_current.values, every.direction.values == "P->AP"
    strongest = np.where(up, level[up].max(), level[~up].max())
    one = every.isel(point=np.flatnonzero(np.isclose(level, strongest)))
    mine = one.isel(point=np.flatnonzero(
        (one.device.values == "synthetic-1") & (one.direction.values == "P->AP")
    ))  # fmt: skip
    with pytest.raises(FitError, match=r"one drive in one direction.*; measure two drives or more"):
        wer.fit(mine, np.random.default_rng(1), "stt_mram_wer")
    widths = np.unique(one.pulse_width.values)[1:3]
    two = one.isel(point=np.flatnonzero(np.isin(one.pulse_width.values, widths)))
    with pytest.raises(FitError, match=r"32 points of 8 devices.* do not tell delta.*two drives"):
        wer.fit(two, np.random.default_rng(1), "stt_mram_wer")


def test_too_little_even_together_is_refused():
    devices = drawn(3, 1, 1000, 1)
    unknowns = started(unknowns_of(["i_c0_p_ap"]), start(devices))
    with pytest.raises(FitError, match="3 devices with 3 points for delta"):
        integrated.fit(devices, unknowns, closed_form_chart, np.random.default_rng(1))


def test_methods_of_intervals_for_populations(monkeypatch):
    every = tidy_csv.read(data.path("synthetic_stt_mram_wer.csv"))
    few = np.isin(every.device.values, ["synthetic-1", "synthetic-2"])
    some = every.isel(point=np.flatnonzero(few & (every.direction.values == "P->AP")))
    result = wer.fit(some, np.random.default_rng(1), "stt_mram_wer")
    problems = wer.problems(some, result)
    with pytest.raises(FitError, match="posterior of 2 devices; expected one device"):
        interval_methods.added(result, problems, ["posterior"], np.random.default_rng(1))
    more = interval_methods.added(result, problems, ["profile"], np.random.default_rng(1))
    assert set(more.profiles) == set(problems)
    assert "profile likelihood" not in more.intervals  # of each device, not of the population
    assert set(more.intervals) == set(result.intervals)
    monkeypatch.setattr(interval_methods, "POPULATIONS", 30)
    drawn_again = interval_methods.added(result, problems, ["bootstrap"], np.random.default_rng(1))
    low, high = drawn_again.intervals["parametric bootstrap"]["delta"]
    assert low < result["delta"].value < high
    # Student's t of one degree of freedom, 12.7, from 30 draws: a factor of 5.
    ratio = np.log(high / low) / np.log(result["delta"].high / result["delta"].low)
    assert 0.2 < ratio < 5


def test_a_table_carries_the_error_of_each_spread():
    """Against spreads moved by their standard errors, one by one: 5 %, of slopes and first order.

    sigma_Delta is not seen: there sigma^2 is moved.
    """
    given = {"delta": 50.0, "i_c0_p_ap": 40e-6, "i_c0_ap_p": 40e-6, "t_d": 1.5e-9,
             "r_p": 4e3, "tmr": 1.2, "v_h": 0.5}  # fmt: skip
    spreads = {"delta": (0.02, 0.0, 0.024), "t_d": (0.0, np.nan, np.nan)}
    estimates = tuple(
        Estimate(
            n, v, 0.0, v, v, "1", n, s, n not in ("r_p", "tmr", "v_h"), spread_low=a, spread_high=b
        )
        for n, v in given.items()
        for s, a, b in [spreads.get(n, (0.02, 0.018, 0.0222))]
    )
    between = np.diag([0.02**2, 0.02**2, 0.02**2, 0.0])
    between[1, 2] = between[2, 1] = 0.02**2
    devices = tuple(DeviceFit(f"d{j}", {}, {}, 1.0, 1, np.nan) for j in range(8))
    fit = FitResult("stt_mram_wer", "0", estimates, ((1e-20,) * 4,) * 4,
                    {"source": "x.csv", "sha256": "", "synthetic": True},
                    devices, between=tuple(map(tuple, between.tolist())))  # fmt: skip
    grid = {"pulse_current": np.array([70e-6]), "pulse_width": np.array([9e-9])}
    table = stt_mram_wer.table(xr.Dataset({"pulse_width": ("point", [1e-8])}), fit, grid)
    found = float(np.log(table.ber_hi / table.ber).values[0, 0]) / wer.half_width(8)
    pulse = square("current", 70e-6, 9e-9)
    errors = {"sigma_i_c0": np.log(0.0222 / 0.018) / 3.92, "sigma_delta": (1.2**2 - 1) / 3.92}
    moved = []
    for name, error in errors.items():
        mean = [
            mean_write_error_rate(
                wer.junction(fit), Spread(**{"sigma_i_c0": 0.02, "sigma_delta": 0.02, "sigma_t_d":
                1e-3} | {name: 0.02 * np.exp(sign * error)}), pulse, "P->AP", rtol=1e-4
            ).wer
            for sign in (1, -1)
        ]  # fmt: skip
        moved.append(float(np.log(mean[0] / mean[1])) / 2)
    assert found == pytest.approx(np.hypot(*moved), rel=0.05)
    open_end = replace(fit, estimates=(replace(estimates[0], spread_high=np.inf), *estimates[1:]))
    with pytest.raises(DataError, match=r"spread of delta .* has no upper end"):
        stt_mram_wer.table(xr.Dataset({"pulse_width": ("point", [1e-8])}), open_end, grid)
