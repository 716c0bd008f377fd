"""Read noise, random telegraph noise, 1/f series: exact laws, limits, refusals.

Statistical bounds are five standard deviations of the estimate: false alarms below 1e-6 each.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, signal, stats

from devicephys.errors import DataError, FitError, ParameterError
from devicephys.fitting.read_noise import ReadPairs, count, pairs
from devicephys.io import relaxation, staircase
from devicephys.rram.read_noise import ReadNoise, measured_hfo2, read, read_sigma, robust_sigma
from devicephys.rram.spectrum import PowerLaw, flicker_series, measured_technology_a, spectrum_slope
from devicephys.rram.telegraph import Telegraph, telegraph, telegraph_spectrum

HFO2 = ("measured", "hfo2_1t1r_ramps", "reset-sweep-sl-200ns-step-0.05-9-21-20.csv")
SERIES = ("measured", "rram_relaxation", "data_techA_tsdata.min.tsv.gz")
TRAP = Telegraph(t_capture=2e-3, t_emission=5e-4, amplitude=-0.04)
ONE_OVER_F = PowerLaw(sigma_g=0.01, slope=-1.0, f_low=0.1, f_high=100.0)


def data_file(folder, parts):
    path = folder.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is missing")
    return path


def test_sigma_is_the_count_at_its_levels_monotone_between_and_constant_at_the_ends():
    noise = measured_hfo2()
    assert read_sigma(noise.r_level, noise) == pytest.approx(noise.sigma_read, rel=1e-12)
    grid = read_sigma(np.geomspace(5e3, 8e4, 500), noise)
    assert (np.diff(grid) >= 0).all()
    assert grid[0] == pytest.approx(0.00328)
    assert grid[-1] == pytest.approx(0.0698)
    middle = np.sqrt(noise.r_level[1] * noise.r_level[2])
    expected = np.sqrt(noise.sigma_read[1] * noise.sigma_read[2])
    assert read_sigma(middle, noise) == pytest.approx(expected)


@pytest.mark.parametrize("r", [4999.0, 80_001.0, 0.0, -1.0, np.nan, np.inf])
def test_no_noise_is_given_for_resistances_that_were_not_measured(r):
    with pytest.raises(ParameterError, match=r"resistance = .*\[5000, 80000\] Ohm; the noise was"):
        read_sigma([6e3, r], measured_hfo2())
    with pytest.raises(ParameterError, match="resistance = "):
        read(r, np.random.default_rng(1), measured_hfo2())


def test_differences_of_two_normal_reads_are_normal_with_the_stated_sigma():
    noise = replace(measured_hfo2(), spread_read=0.0)
    a, b = np.log(read(np.full(100_000, 2e4), np.random.default_rng(1), noise, n_reads=2))
    sigma = float(read_sigma(2e4, noise))
    assert stats.kstest((b - a) / sigma, "norm").pvalue > 1e-6
    assert np.corrcoef(a, b)[0, 1] == pytest.approx(0.0, abs=5 / np.sqrt(1e5))


@pytest.mark.parametrize("spread", [0.0, 0.4, 0.95, 1.4])
def test_robust_sigma_of_differences_does_not_depend_on_the_spread(spread):
    noise = replace(measured_hfo2(), spread_read=spread)
    a, b = np.log(read(np.full(200_000, 3e4), np.random.default_rng(2), noise, n_reads=2))
    # the median of |x| has a relative error of about 1.2/sqrt(n) (1.7 at spread 1.4): 0.5 %
    assert robust_sigma(b - a) == pytest.approx(read_sigma(3e4, noise), rel=0.02)


def test_a_spread_of_noise_over_states_gives_tails_within_states_none():
    noise = measured_hfo2()
    rng = np.random.default_rng(3)
    x = np.log(read(np.full(2000, 3e4), rng, noise, n_reads=400) / 3e4)
    of_state = x.std(axis=0)
    narrowed = stats.truncnorm(-2.5, 2.5).std()
    assert np.log(of_state).std() == pytest.approx(0.95 * narrowed, abs=5 * 0.95 / np.sqrt(4000))
    assert stats.kurtosis((x / of_state).ravel()) == pytest.approx(0, abs=0.05)


def test_shape_and_refusals_of_read():
    rng = np.random.default_rng(1)
    assert read(6e3, rng, measured_hfo2()).shape == (1,)
    assert read(np.full((2, 3), 6e3), rng, measured_hfo2(), n_reads=4).shape == (4, 2, 3)
    with pytest.raises(ParameterError, match="n_reads = 0"):
        read(6e3, rng, measured_hfo2(), n_reads=0)
    with pytest.raises(ParameterError, match="rng = 1"):
        read(6e3, 1, measured_hfo2())


@pytest.mark.parametrize(
    "wrong",
    [{"r_level": (6e3, 6e3)}, {"r_level": (7e3, 6e3)}, {"sigma_read": (0.1,)}, {"r_min": 6.5e3},
     {"r_max": 6e3}, {"sigma_read": (0.1, 0.0)}, {"spread_read": -0.1}, {"r_level": (-1.0, 6e3)}],
)  # fmt: skip
def test_impossible_noise_is_refused(wrong):
    good = {"r_level": (6e3, 9e3), "sigma_read": (0.1, 0.2), "r_min": 5e3, "r_max": 1e4,
            "spread_read": 0.5}  # fmt: skip
    ReadNoise(**good)
    with pytest.raises(ParameterError, match="ReadNoise"):
        ReadNoise(**(good | wrong))


def test_count_recovers_noise_that_was_put_in_with_its_error():
    rng = np.random.default_rng(4)
    device = np.repeat(np.arange(60).astype(str), 100)
    first = np.exp(rng.uniform(np.log(5e3), np.log(2e4), 6000))
    sigma = np.where(first < 1e4, 0.02, 0.06)
    reads = ReadPairs(device, first, first * np.exp(sigma * rng.standard_normal(6000)))
    found = count(reads, rng, (5e3, 1e4, 2e4))
    assert found.n_pairs.sum() == 6000
    assert abs(found.sigma - [0.02, 0.06]) == pytest.approx(0, abs=5 * found.stderr.max())
    expected = found.sigma * 1.167 / np.sqrt(found.n_pairs)  # error of a MAD of normal values
    assert found.stderr == pytest.approx(expected, rel=0.4)
    with pytest.raises(FitError, match=r"0 pairs of 0 cells in 20000 to 30000 Ohm"):
        count(reads, rng, (2e4, 3e4))


def test_pairs_join_neighbouring_pulses_of_one_ramp_only(tmp_path):
    pulses = [(1, 0.0), (1, 0.1), (1, 0.0), (2, 0.0), (2, 0.1)]
    rows = [(*p, 6000 + 2 * k, 6001 + 2 * k) for k, p in enumerate(pulses)]
    path = tmp_path / "ramps.csv"
    path.write_text("".join(f"{a}\t200\t{v}\t3.5\t{b}\t{c}\n" for a, v, b, c in rows))
    found = pairs(staircase.read(path))
    assert found.device.tolist() == ["1", "2"]
    assert found.first.tolist() == [6001, 6007]
    assert found.second.tolist() == [6002, 6008]
    with pytest.raises(DataError, match="data of kind None"):
        pairs(staircase.read(path).drop_attrs())


def test_shipped_noise_is_the_count_of_the_measured_ramps(data_folder):
    measured = pairs(staircase.read(data_file(data_folder, HFO2)))
    found = count(measured, np.random.default_rng(1), n_resamples=2)
    noise = measured_hfo2()
    assert found.sigma == pytest.approx(noise.sigma_read, rel=5e-3)
    assert found.median == pytest.approx(noise.r_level, rel=1e-3)


def test_trap_keeps_its_law_at_any_times():
    times = [0.0, 1e-4, 3e-4, 2e-3]
    filled = telegraph(times, np.random.default_rng(5), TRAP, 200_000) != 0
    p, error = TRAP.p_filled, np.sqrt(0.2 * 0.8 / 200_000)
    assert p == pytest.approx(0.2)
    assert filled.mean(axis=0) == pytest.approx(p, abs=5 * error)
    for k, t in enumerate(times[1:], 1):
        stay = np.exp(-TRAP.rate * t)
        from_filled = filled[filled[:, 0], k].mean()
        from_empty = filled[~filled[:, 0], k].mean()
        assert from_filled == pytest.approx(p + (1 - p) * stay, abs=5 * 0.5 / np.sqrt(4e4))
        assert from_empty == pytest.approx(p - p * stay, abs=5 * 0.4 / np.sqrt(1.6e5))


def test_times_in_between_do_not_change_the_law_of_a_trap():
    n, dense = 100_000, np.linspace(0, 1e-3, 21)
    ends = telegraph(dense, np.random.default_rng(6), TRAP, n)[:, [0, -1]] != 0
    stay = np.exp(-TRAP.rate * 1e-3)
    both = TRAP.p_filled * (TRAP.p_filled + (1 - TRAP.p_filled) * stay)
    assert ends.all(axis=1).mean() == pytest.approx(both, abs=5 * np.sqrt(both / n))


def test_dwell_times_are_exponential():
    step = TRAP.t_emission / 100
    x = telegraph(np.arange(400_000) * step, np.random.default_rng(7), TRAP)[0] != 0
    edge = np.flatnonzero(np.diff(x)) + 1
    lengths, state = np.diff(edge), x[edge[:-1]]
    for filled, mean in ((True, TRAP.t_emission), (False, TRAP.t_capture)):
        dwell = lengths[state == filled] * step
        # a visit shorter than a step is missed: 1 % at most
        assert dwell.mean() == pytest.approx(mean, rel=0.02 + 5 / np.sqrt(len(dwell)))
        assert dwell.std() == pytest.approx(dwell.mean(), rel=0.02 + 7 / np.sqrt(len(dwell)))


def test_spectrum_of_a_trap_is_its_lorentzian():
    rate = 40 * TRAP.rate
    x = telegraph(np.arange(2**20) / rate, np.random.default_rng(8), TRAP)[0]
    f, power = signal.welch(x, rate, nperseg=2**13)
    inside = (f > 0) & (f < rate / 40)
    ratio = power[inside] / telegraph_spectrum(f[inside], TRAP)
    # 255 overlapping segments, about 140 independent: 8 % a line
    assert ratio.mean() == pytest.approx(1, abs=0.03)
    assert np.abs(ratio - 1).max() < 0.45
    corner = TRAP.rate / (2 * np.pi)
    half = telegraph_spectrum(corner, TRAP) / telegraph_spectrum(0.0, TRAP)
    assert half == pytest.approx(0.5)


def test_lorentzian_integrates_to_the_variance():
    total = integrate.quad(lambda f: float(telegraph_spectrum(f, TRAP)), 0, np.inf)[0]
    assert total == pytest.approx(0.04**2 * 0.2 * 0.8, rel=1e-6)


@pytest.mark.parametrize(
    ("times", "match"),
    [([0.0, 0.0], r"times\[1\] = 0 s after 0 s"), ([1.0, 0.5], "rise strictly; sort them"),
     ([], "times of shape"), ([[0.0, 1.0]], "times of shape"), ([0.0, np.nan], "times = nan s")],
)  # fmt: skip
def test_times_that_do_not_rise_are_refused(times, match):
    with pytest.raises(ParameterError, match=match):
        telegraph(times, np.random.default_rng(1), TRAP)


@pytest.mark.parametrize("wrong", [{"t_capture": 0.0}, {"t_emission": -1.0}, {"amplitude": np.nan}])
def test_impossible_traps_are_refused(wrong):
    with pytest.raises(ParameterError, match=f"Telegraph.{next(iter(wrong))}"):
        replace(TRAP, **wrong)


@pytest.mark.parametrize("slope", [-0.7, -1.0, -1.4, 0.0])
def test_series_have_the_stated_variance_and_slope(slope):
    law = replace(ONE_OVER_F, slope=slope)
    x = flicker_series(2**15, 400.0, np.random.default_rng(9), law, 40)
    # power is dominated by the lowest lines where slope < -1: 40 series of 80 periods of f_low
    assert (x**2).mean() == pytest.approx(1e-4, rel=0.1)
    found = [spectrum_slope(row, 400.0, 1.0, 50.0) for row in x]
    values = np.array([s.value for s in found])
    assert values.mean() == pytest.approx(slope, abs=5 * values.std() / np.sqrt(40) + 0.01)
    assert np.mean([s.stderr for s in found]) == pytest.approx(values.std(), rel=0.5)


@pytest.mark.parametrize(("samples", "count"), [(20_000, 1000), (100_000, 400)])
@pytest.mark.parametrize("slope", [0.0, -1.0])
def test_standard_errors_of_slopes_hold_the_truth(slope, samples, count):
    """The share is asked within 92 to 98 %; of 400 series its own error is 1.1 %."""
    rng, law = np.random.default_rng(12), PowerLaw(0.01, slope, 0.1, 200.0)
    pulls = []
    for _ in range(count // 50):
        series = flicker_series(samples, 400.0, rng, law, 50)
        found = [spectrum_slope(row, 400.0, 2.0, 40.0) for row in series]
        pulls += [(s.value - slope) / s.stderr for s in found]
    assert 0.92 < (np.abs(pulls) < 1.96).mean() < 0.98


def test_curvature_makes_the_standard_error_larger():
    x = np.random.default_rng(13).standard_normal(100_000)
    bent = signal.lfilter([1.0], [1.0, -0.9], x)  # a corner at 7 Hz
    white, curved = (spectrum_slope(y, 400.0, 2.0, 40.0).stderr for y in (x, bent))
    assert curved > 2 * white


def test_there_is_no_power_outside_the_band():
    law = PowerLaw(sigma_g=0.01, slope=-1.0, f_low=5.0, f_high=50.0)
    f, power = signal.periodogram(
        flicker_series(2**15, 400.0, np.random.default_rng(1), law)[0],
        400.0,
        window="blackmanharris",
    )
    outside = ((f > 0) & (f < 4.5)) | (f > 51)
    assert power[outside].sum() < 1e-6 * power.sum()


def test_series_are_stationary_and_gaussian():
    x = flicker_series(4096, 400.0, np.random.default_rng(10), ONE_OVER_F, 2000)
    ends = x[:, [0, 2048, -1]] / 0.01
    assert (ends**2).mean(axis=0) == pytest.approx(1, abs=5 * np.sqrt(2 / 2000))
    assert stats.kstest(ends[:, 1], "norm").pvalue > 1e-6
    # a series must not join its own beginning: its ends are 10 s apart, f_low is 0.1 Hz
    assert abs(np.corrcoef(ends[:, 0], ends[:, 2])[0, 1]) < 0.3


def test_measured_series_drawn_again_have_their_slopes():
    """15 % is asked; the estimate's error is 2 %."""
    rng = np.random.default_rng(11)
    for law in measured_technology_a().values():
        found = spectrum_slope(flicker_series(100_000, 400.0, rng, law)[0], 400.0, 2.0, 40.0)
        assert found.value == pytest.approx(law.slope, rel=0.15)


def test_shipped_series_are_the_count_of_the_measured(data_folder):
    data = relaxation.read_series(data_file(data_folder, SERIES), 400.0).conductance.values
    for x, (g, law) in zip(data, measured_technology_a().items(), strict=True):
        assert x.mean() == pytest.approx(g, rel=1e-3)
        assert x.std() / x.mean() == pytest.approx(law.sigma_g, rel=5e-3)
        assert spectrum_slope(x, 400.0, 2.0, 40.0).value == pytest.approx(law.slope, abs=1e-3)


def test_bands_and_series_that_cannot_be_served_are_refused():
    rng = np.random.default_rng(1)
    with pytest.raises(ParameterError, match=r"rate = 100 Hz; .*lower f_high"):
        flicker_series(10, 100.0, rng, ONE_OVER_F)
    with pytest.raises(ParameterError, match="raise f_low, or draw fewer traces"):
        flicker_series(10, 400.0, rng, replace(ONE_OVER_F, f_low=1e-7))
    with pytest.raises(ParameterError, match=r"PowerLaw\.f_low = 200 Hz"):
        replace(ONE_OVER_F, f_low=200.0)
    with pytest.raises(ParameterError, match="n_samples = 0"):
        flicker_series(0, 400.0, rng, ONE_OVER_F)
    x = rng.standard_normal(1000)
    with pytest.raises(ParameterError, match="expected a row of 16000 samples"):
        spectrum_slope(x, 400.0, 1.0, 40.0)
    with pytest.raises(ParameterError, match="a slope needs a decade"):
        spectrum_slope(x, 400.0, 10.0, 40.0)
    with pytest.raises(ParameterError, match="f_high = 300 Hz"):
        spectrum_slope(x, 400.0, 10.0, 300.0)
    with pytest.raises(ParameterError, match="without power in the band"):
        spectrum_slope(np.ones(100_000), 400.0, 2.0, 40.0)
    with pytest.raises(ParameterError, match="a row of two or more"):
        robust_sigma([1.0])
