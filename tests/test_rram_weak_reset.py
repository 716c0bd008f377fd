"""Weak RESET: reference values, exact jump-ahead, spectra, switches, both engines, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import signal, stats

from devicephys.errors import AccuracyError, ParameterError
from devicephys.rram import flicker, trap, weak_reset
from devicephys.rram.truncated import Truncated
from devicephys.rram.weak_reset import Devices, State

LAW = weak_reset.majumdar_2021()
PUBLISHED = weak_reset.program_2021()
KINDS = flicker.FLICKERS
ENGINES = [False, *([True] if weak_reset.HAS_NUMBA else [])]
LEAST = 1e-4  # p-value below which a test fails: its rate of false alarms
SIGMAS = 4.5  # of a mean: false alarms 7e-6


@pytest.fixture(scope="module")
def million():
    return weak_reset.devices(LAW, 1_000_000, np.random.default_rng(1))


def make(n, seed=1, **settings):
    rng = np.random.default_rng(seed)
    return weak_reset.start(weak_reset.devices(replace(LAW, **settings), n, rng), rng), rng


def carry(state, n, rng, *, compiled):
    """Apply pulses by the engine of choice."""
    counts = weak_reset._counts(n, state.pulses)
    weak_reset._carry_all(state, counts, rng, compiled=compiled)


def near(values, expected, spread):
    """Compare a mean with its expectation, given the standard deviation of one value."""
    assert abs(np.mean(values, dtype=float) - expected) <= SIGMAS * spread / np.sqrt(len(values))


# Reference values: an independent count of the same law, 1e6 devices.


@pytest.mark.parametrize(
    ("name", "mean", "median", "std"),
    [
        ("m1", 6.95e-4, 4.92e-4, 6.58e-4),
        ("t_star", 628, 516, 422),
        ("m2", 2.74e-5, 1.97e-5, 2.53e-5),
        ("r_0", 7003, 6996, 345),
    ],
)
def test_devices_spread_as_the_reference(million, name, mean, median, std):
    x = getattr(million, name).astype(float)
    assert x.mean() == pytest.approx(mean, rel=5e-3)
    assert np.median(x) == pytest.approx(median, rel=3e-3)
    assert x.std() == pytest.approx(std, rel=1e-2)


@pytest.mark.parametrize(
    ("t", "median", "low", "high", "std"),
    [
        (0, 7031, 6.25e3, 7.91e3, 0.0520),
        (10, 7080, 6.29e3, 7.97e3, 0.0524),
        (100, 7480, 6.52e3, 8.93e3, 0.0837),
        (500, 8564, 6.88e3, 16.8e3, 0.2951),
        (1000, 9041, 7.01e3, 26.4e3, 0.4654),
        (2000, 9397, 7.15e3, 33.2e3, 0.5732),
        (10000, 11956, 7.72e3, 43.6e3, 0.6193),
    ],
)
def test_the_mean_law_gives_the_reference_values(million, t, median, low, high, std):
    w = weak_reset.w_mean(million, t)
    r = million.r_0 * np.exp(w)
    assert np.median(r) == pytest.approx(median, rel=3e-3)
    assert np.percentile(r, [5, 95]) == pytest.approx([low, high], rel=1e-2)
    assert w.std(dtype=float) == pytest.approx(std, rel=2e-2)


def test_pulses_on_the_lower_device_flip_a_pair_as_the_reference(million):
    """Mean law. Both counts have some 5e5 pairs: three standard errors of the difference."""
    half = len(million.r_0) // 2
    start = million.r_0 * np.exp(weak_reset.w_mean(million, 0))
    first, second = start[:half], start[half:]
    lower = first < second
    reference = {1: 0.0056, 5: 0.0268, 14: 0.0747, 50: 0.249, 100: 0.424, 200: 0.614,
                 500: 0.780, 1000: 0.837}  # fmt: skip
    for n, expected in reference.items():
        after = (million.r_0 * np.exp(weak_reset.w_mean(million, n)))[:half]
        found = (after > second)[lower].mean()
        error = np.sqrt(expected * (1 - expected) * (1 / lower.sum() + 2e-6))
        assert abs(found - expected) < 3 * error + 5e-4 * (n >= 50)  # rounded to three digits


def test_trap_has_its_stationary_law_and_amplitude(million):
    rtn = trap.stationary(million.a_rtn, 0.0008, 0.002, np.random.default_rng(2))
    near(rtn > 0, 0.0008 / 0.0028, 0.452)
    filled = rtn[rtn > 0].astype(float)
    near(filled, 0.0625, 0.074)  # E[U] E[U] E[a]
    near(filled**2, 1 / 9 * 0.25 / 3, 0.025)
    assert filled.max() < 0.5


def test_filter_has_the_coefficients_of_a_half_integration():
    k = np.arange(15)
    exact = np.cumprod(np.where(k > 0, (k - 0.5) / np.maximum(k, 1), 1.0))
    np.testing.assert_array_equal(flicker.taps(), exact.astype(np.float32))
    published = [1.0, 0.5, 0.375, 0.3125, 0.2734375, 0.24609375, 0.22558594, 0.20947266]
    np.testing.assert_array_equal(flicker.taps()[:8], np.array(published, np.float32))


def test_published_noise_is_too_high_and_the_default_is_not():
    rng = np.random.default_rng(3)
    memory = flicker.stationary("fir", 200_000, rng)
    published = flicker.value(memory, 0.025, centred=False)
    near(published, 0.5 * 0.025 * flicker.taps().sum(), 0.01)
    assert published.mean() == pytest.approx(0.054, abs=5e-4)
    assert published.std() == pytest.approx(0.0100, rel=1e-2)
    near(flicker.value(memory, 0.025), 0, 0.01)
    near(flicker.value(flicker.stationary("1/f", 200_000, rng), 0.025), 0, 0.0144)


# The spectrum


def spectrum_of_components(f, noise):
    """One-sided spectrum of the six sampled processes."""
    phi = np.exp(-1 / 8.0 ** np.arange(6))[:, None]
    terms = 2 * (1 - phi**2) / (1 - 2 * phi * np.cos(2 * np.pi * f) + phi**2)
    return flicker.level(noise) ** 2 * terms.sum(axis=0)


def test_components_have_the_spectrum_of_the_filter_in_the_stated_band():
    f = np.geomspace(7e-6, 0.3, 1000)
    found = spectrum_of_components(f, 0.025)
    ratio = found / (0.025**2 / 12 / np.sin(np.pi * f))  # of the sampled filter
    inner = (f > 3e-5) & (f < 0.04)
    assert abs(ratio[inner] - 1).max() < 0.045
    assert abs(ratio[f < 0.2] - 1).max() < 0.12
    assert ratio[-1] == pytest.approx(1 - 0.204, abs=1e-3)
    ends = spectrum_of_components(np.array([0.5]), 0.025) / (0.025**2 / 12)
    assert ends == pytest.approx(1 - 0.294, abs=1e-3)
    assert np.polyfit(np.log(f), np.log(found), 1)[0] == pytest.approx(-1, abs=0.01)
    assert flicker.level(0.025) == pytest.approx(np.sqrt(0.025**2 / 12 * np.log(8) / np.pi))


@pytest.mark.parametrize("compiled", ENGINES)
def test_simulated_noise_has_that_spectrum(compiled):
    n, length = 1000, 2048
    state, rng = make(n, 4, rtn=False)
    trace = np.empty((length, n), np.float32)
    for row in trace:
        carry(state, 1, rng, compiled=compiled)
        row[:] = flicker.value(state.memory, 0.025)
    f, power = signal.periodogram(trace, window="hann", axis=0, detrend=False)
    band = slice(8, 1000)
    ratio = power.mean(axis=1)[band] / spectrum_of_components(f[band], 0.025)
    assert abs(ratio - 1).max() < 5 / np.sqrt(n) + 0.02  # 992 bins of 1000 periodograms; leakage
    assert abs(ratio.mean() - 1) < 0.01


# Jump-ahead


@pytest.mark.parametrize("compiled", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("split", [[1] * 40, [3, 30, 7], [14, 0, 1, 25]])
def test_forty_pulses_are_forty_pulses_however_they_are_split(kind, split, compiled):
    """Noise and trap: distribution, and covariance with what was before, in closed form."""
    n = 40_000
    state, rng = make(n, len(split), flicker=kind, device_to_device=False, p_capture=0.02,
                      p_emission=0.03)  # fmt: skip
    noise, filled = flicker.value(state.memory, 1.0).astype(float), state.rtn > 0
    for k in split:
        carry(state, k, rng, compiled=compiled)
    assert (state.pulses == 40).all()
    after = flicker.value(state.memory, 1.0).astype(float)
    variance, covariance = autocovariance(kind, 0), autocovariance(kind, 40)
    near(after**2, variance, np.sqrt(2) * variance)
    near(noise * after, covariance, np.hypot(variance, covariance))
    lost = 1 - 0.95**40
    for before, chance in ((False, 0.4 * lost), (True, 1 - 0.6 * lost)):
        near((state.rtn > 0)[filled == before], chance, np.sqrt(chance * (1 - chance)))
    again, _ = make(n, 77, flicker=kind, device_to_device=False, p_capture=0.02, p_emission=0.03)
    assert stats.ks_2samp(state.rtn, again.rtn).pvalue > LEAST
    if kind != "off":
        assert stats.ks_2samp(after, flicker.value(again.memory, 1.0)).pvalue > LEAST


def autocovariance(kind, lag):
    """Covariance of the noise of unit factor with itself some pulses later."""
    if kind == "1/f":
        return flicker.level(1.0) ** 2 * np.exp(-lag / 8.0 ** np.arange(6)).sum()
    b = flicker.taps().astype(float) if kind == "fir" else np.zeros(15)
    return b[: max(15 - lag, 0)] @ b[lag:] / 12


@pytest.mark.parametrize("compiled", ENGINES)
@pytest.mark.parametrize("lag", [1, 3, 14, 15, 1000])
@pytest.mark.parametrize("kind", ["1/f", "fir"])
def test_one_call_keeps_the_right_share_of_the_noise(kind, lag, compiled):
    n = 40_000
    state, rng = make(n, lag, flicker=kind, rtn=False)
    before = flicker.value(state.memory, 1.0).astype(float)
    carry(state, np.full(n, lag), rng, compiled=compiled)
    after = flicker.value(state.memory, 1.0).astype(float)
    variance, covariance = autocovariance(kind, 0), autocovariance(kind, lag)
    near(before * after, covariance, np.hypot(variance, covariance))
    near(after**2, variance, np.sqrt(2) * variance)


@pytest.mark.parametrize("compiled", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
def test_resistance_after_a_thousand_pulses_does_not_depend_on_the_split(kind, compiled):
    n = 20_000
    samples = []
    for seed, split in ((1, [1000]), (2, [1, 499, 13, 487]), (3, [20] * 50)):
        state, rng = make(n, seed, flicker=kind)
        for k in split:
            carry(state, k, rng, compiled=compiled)
        samples.append(weak_reset.resistance(state))
    assert stats.ks_2samp(samples[0], samples[1]).pvalue > LEAST
    assert stats.ks_2samp(samples[0], samples[2]).pvalue > LEAST


@pytest.mark.parametrize("compiled", ENGINES)
def test_one_pulse_switches_traps_with_their_chances(compiled):
    state, rng = make(400_000, 5, device_to_device=False)
    filled = state.rtn > 0
    carry(state, 1, rng, compiled=compiled)
    near((state.rtn > 0)[~filled], 0.0008, np.sqrt(0.0008))
    near((state.rtn == 0)[filled], 0.002, np.sqrt(0.002))
    amplitude = state.rtn[state.rtn > 0].astype(float)
    near(amplitude, 0.0625, 0.0552)  # U U a, a = 0.25
    assert stats.kstest(amplitude[:20_000] * 4, lambda x: x * (1 - np.log(x))).pvalue > LEAST


# Devices without pulses, SET


@pytest.mark.parametrize("compiled", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.02, 0.6])
def test_devices_without_pulses_are_not_touched(kind, share, compiled):
    state, rng = make(40_000, 6, flicker=kind)
    n = np.where(rng.random(40_000) < share, 5, 0)
    before = State(state.devices, *(x.copy() for x in arrays(state)))
    carry(state, n, rng, compiled=compiled)
    for old, new in zip(arrays(before), arrays(state), strict=True):
        np.testing.assert_array_equal(old[..., n == 0], new[..., n == 0])
    assert (state.pulses == n).all()
    if kind != "off":
        moved = (before.memory != state.memory).any(axis=0)
        assert moved[n > 0].mean() > 0.999


def arrays(state):
    return state.pulses, state.rtn, state.memory, state.offset


@pytest.mark.parametrize("kind", ["fir", "off"])
def test_published_program_redraws_amplitudes_at_every_call(kind):
    rng = np.random.default_rng(7)
    law = replace(PUBLISHED, flicker=kind)
    state = weak_reset.start(weak_reset.devices(law, 10_000, rng), rng)
    before, memory = state.rtn.copy(), state.memory.copy()
    weak_reset.apply(state, 0, rng)
    np.testing.assert_array_equal(before > 0, state.rtn > 0)
    assert (before != state.rtn)[before > 0].mean() > 0.99
    np.testing.assert_array_equal(memory, state.memory)
    w = weak_reset.log_ratio(state) - weak_reset.w_mean(state.devices, 0) - state.rtn
    near(w, 0.5 * 0.025 * flicker.taps().sum() if kind == "fir" else 0.0, 0.01)


@pytest.mark.parametrize("as_mask", [False, True])
def test_set_brings_devices_back_and_leaves_the_others(as_mask):
    n = 40_000
    state, rng = make(n, 8)
    weak_reset.apply(state, 2000, rng)
    chosen = rng.random(n) < 0.5
    before = [x.copy() for x in arrays(state)]
    weak_reset.set_devices(state, chosen if as_mask else np.flatnonzero(chosen), rng)
    for old, new in zip(before, arrays(state), strict=True):
        np.testing.assert_array_equal(old[..., ~chosen], new[..., ~chosen])
        assert (old != new)[..., chosen].mean() > 0.4
    assert (state.pulses[chosen] == 0).all()
    offsets = np.stack([before[3], state.offset])[:, chosen].astype(float)
    near(offsets[1] ** 2, 0.019**2, np.sqrt(2) * 0.019**2)
    near(offsets[0] * offsets[1], 0, 0.019**2)
    fresh, _ = make(n, 9)
    some = [weak_reset.resistance(s) for s in (state, fresh)]
    assert stats.ks_2samp(some[0][chosen], some[1]).pvalue > LEAST
    weak_reset.set_devices(state, [], rng)


# Switches


def test_switches_change_what_they_say_and_nothing_else():
    def drawn(**settings):
        law = replace(LAW, **settings)
        return weak_reset.devices(law, 1000, np.random.default_rng(10))

    full = drawn()
    for settings in ({"rtn": False}, {"flicker": "fir"}, {"flicker": "off"}, {"sigma_set": 0.0}):
        for name in weak_reset.PER_DEVICE:
            np.testing.assert_array_equal(getattr(full, name), getattr(drawn(**settings), name))
    linear = drawn(nonlinear=False)
    for name in weak_reset.PER_DEVICE:
        expected = full.m1 if name == "m2" else getattr(full, name)
        np.testing.assert_array_equal(expected, getattr(linear, name))
    t = np.array([[0], [100], [5000]])
    exact = linear.c1 + linear.m1 * t
    np.testing.assert_allclose(weak_reset.w_mean(linear, t), exact, rtol=1e-6, atol=1e-7)
    typical = drawn(device_to_device=False)
    assert [len(np.unique(getattr(typical, name))) for name in weak_reset.PER_DEVICE] == [1] * 6
    assert typical.t_star[0] == pytest.approx(515.08, abs=0.01)


@pytest.mark.parametrize(
    ("settings", "std"),
    [
        ({"flicker": "off", "sigma_set": 0.0, "rtn": False}, 0.0),
        ({"flicker": "off", "rtn": False}, 0.019),
        ({"flicker": "fir", "sigma_set": 0.0, "rtn": False}, 0.0100),
        ({"sigma_set": 0.0, "rtn": False}, 0.01438),
        ({"sigma_set": 0.0, "flicker": "off"}, 0.0404),
    ],
)
def test_each_mechanism_has_its_own_share_of_the_variance(settings, std):
    state, rng = make(100_000, 11, device_to_device=False, **settings)
    weak_reset.apply(state, 500, rng)
    w = weak_reset.log_ratio(state).astype(float) - weak_reset.w_mean(state.devices, 500)
    assert w.std() == pytest.approx(std, rel=0.02, abs=1e-9)
    expected = np.exp(weak_reset.log_ratio(state)) * state.devices.r_0
    np.testing.assert_allclose(weak_reset.resistance(state), expected, rtol=1e-6)


def test_resistances_beyond_single_precision_are_refused():
    state, rng = make(50_000, 14, nonlinear=False)
    weak_reset.apply(state, 9000, rng)
    assert np.isfinite(weak_reset.resistance(state)).all()
    weak_reset.apply(state, 3000, rng)
    with pytest.raises(AccuracyError, match=r"device \d+ after 12000 pulses .*; SET the devices"):
        weak_reset.resistance(state)
    assert 79 < weak_reset.log_ratio(state).max() < 100


def test_rarest_switching_of_traps_is_let_in():
    assert replace(LAW, p_capture=trap.RAREST, p_emission=trap.RAREST).p_capture == 1e-6


def test_mean_law_is_continuous_and_has_two_slopes():
    values = [np.array([x], np.float32) for x in (1e-3, 200.0, 0.01, 1e-5, 7e3, 0.0)]
    one = Devices(LAW, *values)
    w = weak_reset.w_mean(one, [0, 100, 199.999, 200, 200.001, 1200])
    assert w == pytest.approx([0.01, 0.11, 0.21, 0.21, 0.21, 0.22], abs=2e-6)


@pytest.mark.parametrize(("kind", "limit"), [("1/f", 36), ("fir", 42), ("off", 12)])
def test_memory_of_a_device_is_small(kind, limit):
    state, _ = make(1000, flicker=kind)
    assert sum(x.nbytes for x in arrays(state)) / 1000 == limit
    assert sum(getattr(state.devices, name).nbytes for name in weak_reset.PER_DEVICE) == 24_000


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_are_reproducible(kind):
    results = []
    for _ in range(2):
        state, rng = make(3000, 12, flicker=kind)
        weak_reset.apply(state, np.arange(3000), rng)
        weak_reset.set_devices(state, [0, 5], rng)
        results.append(weak_reset.resistance(state))
    np.testing.assert_array_equal(*results)


# Both engines


@pytest.mark.skipif(not weak_reset.HAS_NUMBA, reason="numba is not installed")
@pytest.mark.parametrize("rtn", [False, True])
def test_the_compiled_engine_has_the_law_of_the_other(rtn):
    n, samples = 30_001, []
    for compiled in (False, True):
        state, rng = make(n, 13, rtn=rtn)
        for counts in (np.arange(n) % 200, 7, np.arange(n) % 3):
            carry(state, counts, rng, compiled=compiled)
        samples.append(state)
    numpy, numba = samples
    np.testing.assert_array_equal(numpy.pulses, numba.pulses)
    means = [weak_reset.w_mean(s.devices, s.pulses) for s in samples]
    np.testing.assert_array_equal(*means)
    for a, b in zip(numpy.memory, numba.memory, strict=True):
        assert stats.ks_2samp(a, b).pvalue > LEAST
        assert stats.kstest(b, "norm").pvalue > LEAST
    off_diagonal = np.corrcoef(numba.memory) - np.eye(6)
    assert abs(off_diagonal).max() < SIGMAS / np.sqrt(n)
    assert stats.ks_2samp(numpy.rtn, numba.rtn).pvalue > LEAST
    assert rtn or not numba.rtn.any()


def test_compiled_series_are_exact_to_single_precision():
    kernels = pytest.importorskip("devicephys.rram.weak_reset_numba")
    x = np.concatenate([[0], np.geomspace(1e-9, 1e6, 300)]).astype(np.float32)
    lost = [kernels._lost(v) for v in x]
    np.testing.assert_allclose(lost, -np.expm1(-x.astype(float)), rtol=2e-6)
    u = np.concatenate([np.geomspace(2.0**-24, 1, 300), 1 - np.geomspace(6e-8, 0.5)])
    u = u.astype(np.float32)
    exact = -np.log(u.astype(float))
    np.testing.assert_allclose([kernels._minus_log(v) for v in u], exact, rtol=2e-6, atol=1e-7)


# Refusals


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (-1, "n_pulses = -1"),
        ([1, -2, 0], r"n_pulses\[1\] = -2"),
        ([1, 2, 0.5], r"n_pulses\[2\] = 0.5"),
        (np.nan, "n_pulses = nan"),
        ([1, 2], r"shape \(2,\) for 3 devices"),
        ([[1, 2, 3]], r"shape \(1, 3\)"),
        (2**31, "n_pulses = 2147483648"),
        ([0, 2**31 - 8, 2**31 - 1], r"n_pulses\[2\] = 2147483647; .* SET the device"),
        ([True, False, True], "type bool"),
        (["1", "2", "3"], "whole numbers"),
    ],
)
def test_refuses_counts_that_are_none(counts, message):
    state, rng = make(3)
    weak_reset.apply(state, 7, rng)
    before = [x.copy() for x in arrays(state)]
    with pytest.raises(ParameterError, match=message):
        weak_reset.apply(state, counts, rng)
    for old, new in zip(before, arrays(state), strict=True):
        np.testing.assert_array_equal(old, new)


def test_counts_up_to_the_last_are_exact():
    state, rng = make(2)
    weak_reset.apply(state, np.array([2**31 - 2, 5.0]), rng)
    weak_reset.apply(state, np.array([1, 0], np.uint8), rng)
    assert state.pulses.tolist() == [2**31 - 1, 5]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"p_capture": 0.0}, "p_capture"),
        ({"p_capture": 9e-7}, r"expected finite, in \(1e-06, 1\); 24-bit .*; rtn=False leaves"),
        ({"p_emission": 9e-7}, r"p_emission = 9e-07; .*rtn=False"),
        ({"p_emission": 1.0}, "p_emission"),
        ({"p_capture": 0.5, "p_emission": 0.5}, r"p_capture \+ p_emission = 1"),
        ({"noise": -0.1}, "noise"),
        ({"sigma_set": np.nan}, "sigma_set"),
        ({"flicker": "pink"}, "unknown flicker 'pink'"),
        ({"particulars": "program"}, "did you mean 'program_2021'"),
        ({"particulars": "program_2021"}, "the program has nothing else"),
        ({"r_0": Truncated("norm", 0.0, 1.0, -1.0, 1.0)}, "r_0.low"),
        ({"t_star": Truncated("norm", 0.0, 1.0, -1.0, 1.0)}, "t_star.low"),
    ],
)
def test_refuses_a_law_that_contradicts_itself(settings, message):
    with pytest.raises(ParameterError, match=message):
        replace(LAW, **settings)


@pytest.mark.parametrize("which", [[3], [-1], [0.5], [[0]], [True], np.ones(4, bool)])
def test_refuses_devices_that_are_none(which):
    state, rng = make(3)
    with pytest.raises(ParameterError, match="which"):
        weak_reset.set_devices(state, which, rng)


def test_refuses_seeds_and_impossible_numbers():
    state, rng = make(2)
    for call in (
        lambda: weak_reset.devices(LAW, 2, 1),
        lambda: weak_reset.start(state.devices, 1),
        lambda: weak_reset.apply(state, 1, None),
        lambda: weak_reset.set_devices(state, [0], 1),
    ):
        with pytest.raises(ParameterError, match="rng"):
            call()
    with pytest.raises(ParameterError, match="n = 0"):
        weak_reset.devices(LAW, 0, rng)
    with pytest.raises(ParameterError, match="pulses"):
        weak_reset.w_mean(state.devices, -1)
