"""Relaxation in log time and retention: exact laws, invariance, coverage, refusals.

Statistical bounds are five standard deviations of the estimate, p-values 1e-6.
"""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from devicephys.constants import E_CHARGE, K_B
from devicephys.errors import DataError, FitError, ParameterError
from devicephys.fitting.relaxation import changes, fit
from devicephys.io import relaxation as reader
from devicephys.rram.relaxation import (
    Relaxation,
    log_time,
    relax,
    relaxation_covariance,
    relaxation_mean,
    relaxation_sigma,
    technology_c,
)
from devicephys.rram.retention import equivalent_time

DATA = ("measured", "rram_relaxation", "data_techC_relaxdata.min.tsv.gz")
LAW = technology_c()
N = 200_000
TIMES = np.array([0.01, 0.1, 1.0, 1e3, 1e5])


def sample(law=LAW, times=TIMES, n=N, seed=1, g=20e-6):
    return relax(np.full(n, g), times, np.random.default_rng(seed), law) - g


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_samples_have_the_mean_spread_and_covariance_of_the_law(share):
    law = replace(LAW, jump_share=share)
    x = sample(law)
    sigma = relaxation_sigma(20e-6, TIMES, law)
    assert x.mean(axis=1) == pytest.approx(
        relaxation_mean(20e-6, TIMES, law), abs=5 * sigma.max() / np.sqrt(N)
    )
    # the excess kurtosis is 3 share^2/(jump_rate L), about 20 at 0.01 s: error of std 0.5 %
    kurtosis = 3 * share**2 / (law.jump_rate * log_time(20e-6, TIMES, law))
    error = np.sqrt((kurtosis + 2) / (4 * N))
    assert (np.abs(x.std(axis=1) / sigma - 1) < 5 * error).all()
    law_cov = relaxation_covariance(20e-6, TIMES[:, None], TIMES, law)
    scale = np.outer(sigma, sigma)
    # E[x^2 y^2] <= geometric mean of fourth moments
    bound = 5 * np.sqrt(np.outer(np.sqrt(kurtosis + 3), np.sqrt(kurtosis + 3)) / N)
    assert (np.abs(np.cov(x) - law_cov) / scale < bound).all()


@pytest.mark.parametrize("share", [0.0, 0.84, 1.0])
def test_times_in_between_do_not_change_the_law_at_the_others(share):
    law = replace(LAW, jump_share=share)
    once = sample(law, [1e5], 50_000, seed=2)[0]
    dense = sample(law, np.geomspace(0.01, 1e5, 41), 50_000, seed=3)
    assert stats.ks_2samp(once, dense[-1]).pvalue > 1e-6
    coarse = sample(law, [1.0, 1e5], 50_000, seed=4)
    middle = sample(law, [0.02, 1.0, 5.0, 70.0, 1e5], 50_000, seed=5)[[1, 4]]
    assert stats.ks_2samp(*(np.diff(x, axis=0)[0] for x in (coarse, middle))).pvalue > 1e-6


def test_start_costs_nothing_and_is_the_programmed_value():
    g = np.array([10e-6, 20e-6])
    drawn = relax(g, [0.0, 1.0], np.random.default_rng(1), LAW)
    assert drawn[0].tolist() == g.tolist()
    assert relaxation_sigma(g, 0.0, LAW).tolist() == [0.0, 0.0]
    assert (drawn[1] != g).all()


def test_gaussian_limit_and_tails_of_jumps():
    normal = sample(replace(LAW, jump_share=0.0), [1.0], 50_000)[0]
    spread = (normal - normal.mean()) / relaxation_sigma(20e-6, 1.0, LAW)
    assert stats.kstest(spread, "norm").pvalue > 1e-6
    x = sample(LAW, [1.0])[0]
    kurtosis = 3 * LAW.jump_share**2 / (LAW.jump_rate * float(log_time(20e-6, 1.0, LAW)))
    assert stats.kurtosis(x) == pytest.approx(kurtosis, rel=0.15)
    many = replace(LAW, jump_share=1.0, jump_rate=300.0)
    x = sample(many, [1.0], 2000)[0]
    assert stats.kstest((x - x.mean()) / relaxation_sigma(20e-6, 1.0, LAW), "norm").pvalue > 1e-6


def test_number_of_unmoved_cells_is_poisson():
    """With jumps alone, a cell rests with probability exp(-jump_rate L)."""
    law = replace(LAW, jump_share=1.0)
    x = sample(law, [0.01, 1.0, 1e5])
    drift = relaxation_mean(20e-6, [0.01, 1.0, 1e5], law)
    decades = log_time(20e-6, [0.01, 1.0, 1e5], law)
    # an even number of flips returns to exactly zero too, so count states, not flips
    rest = (np.abs(x - drift[:, None]) < 1e-15).mean(axis=1)
    assert rest == pytest.approx(np.exp(-law.jump_rate * decades), abs=5 * 0.5 / np.sqrt(N))


def test_fluctuators_return_and_diffusion_does_not():
    v = relaxation_sigma(20e-6, np.array([1.0, 1e5]), LAW) ** 2
    for share, expected in ((1.0, v[1]), (0.0, v[1] - v[0])):
        law = replace(LAW, jump_share=share)
        cov = relaxation_covariance(20e-6, 1.0, 1e5, law)
        assert v[0] + v[1] - 2 * cov == pytest.approx(expected, rel=1e-6)


def test_mean_and_variance_are_linear_in_log_time_beyond_the_start():
    t = np.array([10.0, 1e2, 1e3, 1e4, 1e5])
    for values in (relaxation_mean(30e-6, t, LAW), relaxation_sigma(30e-6, t, LAW) ** 2):
        steps = np.diff(values)
        assert steps == pytest.approx(steps[-1], rel=1e-3)


def test_levels_interpolate_and_each_cell_follows_its_own():
    k = 5
    assert relaxation_sigma(LAW.level[k], 1e5, LAW) ** 2 == pytest.approx(
        LAW.growth[k] * np.log10(1 + 1e5 / LAW.t_start[k])
    )
    g = np.repeat([LAW.level[0], LAW.level[-1]], N // 4)
    x = relax(g, [1e5], np.random.default_rng(6), LAW)[0] - g
    for half, level in zip(x.reshape(2, -1), (LAW.level[0], LAW.level[-1]), strict=True):
        assert half.std() == pytest.approx(relaxation_sigma(level, 1e5, LAW), rel=0.02)


def test_shape_of_cells_is_kept():
    g = np.full((2, 3), 20e-6)
    assert relax(g, [1.0, 2.0], np.random.default_rng(1), LAW).shape == (2, 2, 3)
    assert relax(20e-6, 1.0, np.random.default_rng(1), LAW).shape == (1,)
    with pytest.raises(ParameterError, match="no conductances"):
        relax([], [1.0], np.random.default_rng(1), LAW)


def test_negative_draws_are_as_rare_as_stated():
    for g, stated in ((LAW.level[0], 0.015), (12e-6, 0.0064), (20e-6, 1e-4)):
        seen = (sample(g=g, times=[1e5])[0] + g < 0).mean()
        assert seen == pytest.approx(stated, rel=0.2, abs=5 * np.sqrt(stated / N))


@pytest.mark.parametrize("g", [8.7e-6, 38.7e-6, 0.0, -1e-6, np.nan])
def test_levels_that_were_not_measured_are_refused(g):
    match = r"conductance = .*; expected finite, in \[8.77e-06, 3.865e-05\] S; no level"
    for call in (relaxation_mean, relaxation_sigma):
        with pytest.raises(ParameterError, match=match):
            call(g, 1.0, LAW)
    with pytest.raises(ParameterError, match=match):
        relax(g, [1.0], np.random.default_rng(1), LAW)


@pytest.mark.parametrize("t", [1e-3, 1.0001e5, 3e8])
def test_times_that_were_not_measured_are_refused(t):
    for call in (relaxation_mean, relaxation_sigma):
        with pytest.raises(ParameterError, match=r"time = .* s; expected 0, or within"):
            call(20e-6, [1.0, t], LAW)
    with pytest.raises(ParameterError, match="the law is not extrapolated"):
        relax(20e-6, [t], np.random.default_rng(1), LAW)


@pytest.mark.parametrize("times", [[-1.0, 1.0], [1.0, 0.5], [1.0, 1.0], [], [np.nan]])
def test_impossible_times_are_refused(times):
    with pytest.raises(ParameterError, match="time"):
        relax(20e-6, times, np.random.default_rng(1), LAW)


@pytest.mark.parametrize(
    "wrong",
    [{"level": (2e-5, 1e-5)}, {"drift": (1e-6,)}, {"growth": (1e-12, 0.0)}, {"t_first": 1e5},
     {"t_start": (1e-3, -1.0)}, {"jump_share": 1.1}, {"jump_share": -0.1}, {"jump_rate": 0.0}],
)  # fmt: skip
def test_impossible_laws_are_refused(wrong):
    good = {"level": (1e-5, 2e-5), "drift": (0.0, -1e-7), "growth": (1e-12, 1e-12),
            "t_start": (1e-3, 1e-3), "jump_share": 0.5, "jump_rate": 0.3, "t_first": 0.01,
            "t_last": 1e5}  # fmt: skip
    Relaxation(**good)
    with pytest.raises(ParameterError, match="Relaxation"):
        Relaxation(**(good | wrong))


def test_equivalent_time_is_arrhenius_and_composes():
    assert equivalent_time(5.0, 300.0, 300.0, 1.2) == 5.0
    assert equivalent_time(5.0, 400.0, 300.0, 0.0) == 5.0
    there = equivalent_time(7.0, 400.0, 350.0, 0.9)
    assert equivalent_time(there, 350.0, 300.0, 0.9) == pytest.approx(
        equivalent_time(7.0, 400.0, 300.0, 0.9)
    )
    factor = np.exp(0.9 * E_CHARGE / K_B * (1 / 300 - 1 / 400))
    assert equivalent_time([1.0, 2.0], 400.0, 300.0, 0.9) == pytest.approx([factor, 2 * factor])
    assert equivalent_time(1.0, 250.0, 300.0, 0.9) < 1.0
    assert equivalent_time(0.0, 1e5, 1.0, 5.0) == 0.0  # though the factor overflows


def test_relaxation_at_temperature_stops_at_the_measured_time():
    warm = equivalent_time(10.0, 330.0, 300.0, 0.8)
    assert relaxation_sigma(20e-6, warm, LAW) > relaxation_sigma(20e-6, 10.0, LAW)
    with pytest.raises(ParameterError, match="the law is not extrapolated"):
        relaxation_sigma(20e-6, equivalent_time(3600.0, 400.0, 300.0, 1.0), LAW)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [({"time": -1.0}, r"time = -1 s; expected finite, in \[0, inf\) s"),
     ({"temperature": 0.0}, r"temperature = 0 K"), ({"temperature": -5.0}, "temperature = -5 K"),
     ({"reference_temperature": 0.0}, "reference_temperature = 0 K"),
     ({"e_a": -0.1}, r"e_a = -0.1 eV"), ({"e_a": 50.0}, "e_a = 50 eV"),
     ({"temperature": 1e5, "reference_temperature": 1.0, "e_a": 5.0}, "equivalent time = inf s")],
)  # fmt: skip
def test_impossible_retention_is_refused(wrong, match):
    good = {"time": 1.0, "temperature": 400.0, "reference_temperature": 300.0, "e_a": 1.0}
    with pytest.raises(ParameterError, match=match):
        equivalent_time(**(good | wrong))


def synthetic(law, rng, n=1500, g=(14e-6, 16e-6, 30e-6, 32e-6), times=(0.01, 0.1, 1.0, 10.0, 1e5)):
    """Reads of n cells in each of four ranges, as the reader gives them."""
    start = np.repeat(np.array(g), n)
    drawn = relax(start, times, rng, law)
    cells, shape = len(start), (len(times) + 1, len(start))

    def flat(values):
        return ("point", np.broadcast_to(values, shape).ravel().copy())

    nominal = np.array([0.0, *times])[:, None]
    return xr.Dataset(
        {
            "device": flat(np.arange(cells).astype(str)),
            "nominal_time": flat(nominal),
            "conductance_initial": flat(start),
            "conductance": flat(np.concatenate([start[None], drawn])),
            "range_index": flat(np.repeat(np.arange(4), n)),
        },
        attrs={"kind": "conductance_relaxation"},
    )


FLAT = Relaxation((10e-6, 40e-6), (-3e-7, -3e-7), (2e-12, 2e-12), (5e-3, 5e-3), 0.8, 0.4, 0.01, 1e5)


def test_fit_recovers_the_law_it_was_given():
    rng = np.random.default_rng(7)
    found = fit(synthetic(FLAT, rng), rng, n_resamples=60)
    assert found.law.level == pytest.approx((15e-6, 31e-6))
    assert found.n_cells.tolist() == [3000, 3000]
    for name, truth in (("drift", -3e-7), ("growth", 2e-12)):
        error = getattr(found, f"{name}_stderr")
        assert (np.abs(np.subtract(getattr(found.law, name), truth)) < 5 * error).all()
        assert (error < 0.12 * abs(truth)).all()
    assert (np.abs(np.log(np.divide(found.law.t_start, 5e-3))) < 5 * found.t_start_stderr).all()
    assert found.law.jump_share == pytest.approx(0.8, abs=0.06)
    assert found.law.jump_rate == pytest.approx(0.4, abs=0.08)
    assert (found.law.t_first, found.law.t_last) == (0.01, 1e5)


def test_standard_errors_are_the_scatter_of_repeated_fits():
    """12 fits of 2 levels: the ratio of stated to seen error is within 1 +- 5/sqrt(48)."""
    z = []
    for seed in range(12):
        rng = np.random.default_rng(100 + seed)
        found = fit(synthetic(FLAT, rng, n=400), rng, n_resamples=40)
        z.append(np.subtract(found.law.growth, 2e-12) / found.growth_stderr)
        z.append(np.subtract(found.law.drift, -3e-7) / found.drift_stderr)
    assert 0.45 < np.std(z) < 1.75


def test_times_read_of_few_cells_are_left_out():
    rng = np.random.default_rng(8)
    data = synthetic(FLAT, rng, n=400)
    partly = (data.nominal_time.values == 10.0) & (np.arange(data.sizes["point"]) % 3 > 0)
    found = fit(data.isel(point=~partly), rng, n_resamples=2)
    assert found.time.tolist() == [0.01, 0.1, 1.0, 1e5]
    assert found.mean.shape == found.sigma.shape == (2, 4)


def test_fits_that_cannot_be_made_are_refused():
    rng = np.random.default_rng(9)
    data = synthetic(FLAT, rng, n=30)
    with pytest.raises(FitError, match="no level of 100 cells"):
        fit(data, rng)
    with pytest.raises(FitError, match="2 times read of nearly all cells"):
        fit(synthetic(FLAT, rng, n=200, times=(0.1, 1.0)), rng)
    with pytest.raises(DataError, match="data of kind None"):
        changes(data.drop_attrs())


def measured(folder):
    path = folder.joinpath(*DATA)
    if not path.exists():
        pytest.skip(f"{path} is missing")
    return reader.read(path)


def test_shipped_law_is_the_fit_of_the_measured_data(data_folder):
    found = fit(measured(data_folder), np.random.default_rng(1), first_range=6, n_resamples=2).law
    for name in ("level", "growth", "t_start"):
        assert getattr(found, name) == pytest.approx(getattr(LAW, name), rel=2e-3)
    assert found.drift == pytest.approx(LAW.drift, abs=1e-10)
    assert found.jump_share == pytest.approx(LAW.jump_share, abs=0.01)
    assert found.jump_rate == pytest.approx(LAW.jump_rate, abs=0.01)


def test_measured_spread_at_every_time_of_the_level_of_the_reference(data_folder):
    """15 % is asked; the measured spread of 512 cells has itself an error of 3 to 10 %."""
    data = measured(data_folder)
    mine = data.isel(point=(data.range_index == 16) & (data.nominal_time > 0))
    g = float(mine.conductance_initial.mean())
    for nominal in np.unique(mine.nominal_time):
        reads = mine.isel(point=mine.nominal_time == nominal)
        seen = float((reads.conductance - reads.conductance_initial).std())
        law = float(relaxation_sigma(g, min(float(reads.time.mean()), LAW.t_last), LAW))
        assert law == pytest.approx(seen, rel=0.15)
