"""Accuracy under bit errors: exact limits, shared noise, honest intervals, least energy."""

from dataclasses import asdict, fields

import numpy as np
import pytest
from scipy import stats as scipy_stats

from devicephys.bnn.accuracy import COMMON, Sampling, accuracy, curve, prepare
from devicephys.bnn.fault_spread import RateSpread
from devicephys.bnn.faults import NO_ERRORS, Rates, draw_maps, with_errors
from devicephys.bnn.inference import predict
from devicephys.bnn.network import ImageCode, Layer, Network
from devicephys.errors import DataError, ParameterError
from devicephys.stats import binomial_interval, streams

NEVER = 1e-12  # a half width that no number of maps reaches


def read_through(network, rates, rng):
    return with_errors(network, draw_maps(network, COMMON, rng), rates)


def exactly(n_maps):
    return Sampling(NEVER, n_maps, n_maps)


N_BITS, MARGIN = 40, 29
DARK = (0, 1, 2, 3)  # dark pixels of the four kinds of image


def margin_test(n_images, seed):
    """Two-class set whose accuracy under errors of stored ones is known exactly.

    Class 0 stores ones only, class 1 zeros only. With k dark pixels, A flips under bright and B
    flips under dark pixels, class 0 wins exactly if A - B <= n - 2 k - margin. The images are a
    sample of four kinds; all have class 0.
    """
    weights = np.repeat([[1], [-1]], N_BITS, axis=1).astype(np.int8)
    threshold = np.array([MARGIN, -MARGIN], np.int32)
    network = Network("margin", ImageCode((1, 1, N_BITS), (0,)), (Layer(weights, threshold),))
    dark = np.random.default_rng(seed).choice(DARK, n_images)
    pixels = (np.arange(N_BITS) >= dark[:, None]).astype(np.uint8)
    return prepare(network, pixels, np.zeros(n_images, np.uint8))


def margin_accuracy(p):
    shares = []
    for k in DARK:
        b = np.arange(k + 1)
        most = N_BITS - 2 * k - MARGIN + b
        shares.append(
            (scipy_stats.binom.pmf(b, k, p) * scipy_stats.binom.cdf(most, N_BITS - k, p)).sum()
        )
    return float(np.mean(shares))


def test_without_errors_the_accuracy_is_the_clean_one(tiny_test):
    result = accuracy(tiny_test, Rates(0.0, 0.0), 1, Sampling())
    n, right = len(tiny_test.labels), int(tiny_test.clean.sum())
    assert 0 < right < n
    assert result.accuracy == right / n
    assert (result.n_maps, result.reached) == (1, True)
    assert (result.loss, result.loss_low, result.loss_high) == (0, 0, 0)
    exact = tuple(float(end) for end in binomial_interval(right, n))
    assert (result.low, result.high) == pytest.approx(exact, rel=1e-9)


def test_all_right_and_no_errors_leaves_a_one_sided_interval():
    result = accuracy(margin_test(200, 1), Rates(0.0, 0.0), 1, Sampling())
    assert (result.accuracy, result.high) == (1, 1)
    assert result.low == pytest.approx(0.05 ** (1 / 200), rel=1e-9)


def test_accuracy_is_the_mean_over_the_first_streams(tiny_test):
    """Map m uses stream m of the seed: the same numbers by hand."""
    shares = []
    right = np.zeros(len(tiny_test.labels))
    for rng in streams(5, 6):
        faulty = read_through(tiny_test.network, Rates(0.1, 0.2), rng)
        correct = predict(faulty, tiny_test.inputs) == tiny_test.labels
        shares.append(correct.mean())
        right += correct
    result = accuracy(tiny_test, Rates(0.1, 0.2), 5, exactly(6))
    assert result.accuracy == pytest.approx(np.mean(shares), rel=1e-12)
    assert result.loss == pytest.approx(tiny_test.clean.mean() - np.mean(shares), abs=1e-12)
    assert result.n_maps == 6
    maps = np.var(shares, ddof=1) / 6 * scipy_stats.t.ppf(0.975, 5) ** 2
    images = np.var(tiny_test.clean - right / 6, ddof=1) / 150 * scipy_stats.norm.ppf(0.975) ** 2
    half = np.sqrt(maps + images)
    assert result.loss_high - result.loss == pytest.approx(half, rel=1e-9)
    assert result.loss - result.loss_low == pytest.approx(half, rel=1e-9)


def test_same_seed_same_result_other_seed_other_result(tiny_test):
    first = accuracy(tiny_test, Rates(0.1, 0.1), 2, exactly(4))
    assert accuracy(tiny_test, Rates(0.1, 0.1), 2, exactly(4)) == first
    assert accuracy(tiny_test, Rates(0.1, 0.1), 3, exactly(4)).accuracy != first.accuracy


@pytest.mark.parametrize("seed", range(5))
def test_nested_errors_make_the_accuracy_fall_at_every_step(seed):
    """All images bright and only stored ones fail: every added flip lowers the one score."""
    full = margin_test(2, 0)
    test = prepare(full.network, np.ones((3, N_BITS), np.uint8), np.zeros(3, np.uint8))
    rates = [np.linspace(0, COMMON, 9), np.linspace(0.22, 0.6, 17)]  # thin the same maps each
    low, high = ([accuracy(test, Rates(0.0, p), seed, exactly(12)).accuracy for p in x]
                 for x in rates)  # fmt: skip
    assert low[0] == 1
    assert high[-1] < 0.5
    assert (np.diff(low) <= 0).all()
    assert (np.diff(high) <= 0).all()


def test_adjacent_rates_share_their_noise():
    test = margin_test(60, 2)
    near, far, other = (
        np.array(
            [accuracy(test, Rates(0.0, p), s + shift, exactly(2)).accuracy for s in range(200)]
        )
        for p, shift in ((0.19, 0), (0.20, 0), (0.20, 1000))
    )
    assert np.corrcoef(near, far)[0, 1] > 0.7
    # independent seeds: 5 sigma of a correlation of 200 pairs, 6e-7
    assert abs(np.corrcoef(near, other)[0, 1]) < 5 / np.sqrt(200)


def test_interval_shrinks_as_maps_are_added():
    test = margin_test(300, 3)

    def mean_width(n_maps):
        results = [accuracy(test, Rates(0.0, 0.2), seed, exactly(n_maps)) for seed in range(48)]
        return np.mean([[r.high - r.low, r.loss_high - r.loss_low] for r in results], axis=0)

    few, many = mean_width(4), mean_width(64)
    # expected: a third for the accuracy, a fifth for the loss (Student's t of 3 degrees of
    # freedom); means of 48 scatter by 7 %, so a half is 4.8 sigma or more away: 2e-6
    assert many[1] < few[1] / 2
    assert many[0] < few[0] / 2


def test_stops_as_soon_as_the_interval_is_narrow_enough(tiny_test):
    wide = accuracy(tiny_test, Rates(0.1, 0.1), 4, Sampling(1.0, 3, 50))
    assert (wide.n_maps, wide.reached) == (3, True)
    tight = accuracy(tiny_test, Rates(0.1, 0.1), 4, Sampling(NEVER, 3, 7))
    assert (tight.n_maps, tight.reached) == (7, False)
    counts = [
        accuracy(tiny_test, Rates(0.1, 0.1), 4, Sampling(h, 3, 400)).n_maps
        for h in (0.2, 0.1, 0.05, 0.02)
    ]
    assert counts == sorted(counts)
    assert 3 < counts[-1] < 400


def test_accuracy_is_unbiased():
    p, n = 0.2, 400
    found = [
        accuracy(margin_test(50, 100 + s), Rates(0.0, p), s, exactly(2)).accuracy for s in range(n)
    ]
    error = np.std(found, ddof=1) / np.sqrt(n)
    assert abs(np.mean(found) - margin_accuracy(p)) < 5 * error  # 5 sigma: 6e-7


def coverage(n_repeats, n_images, n_maps, p):
    truth, kept_accuracy, kept_loss = margin_accuracy(p), 0, 0
    for seed in range(n_repeats):
        result = accuracy(margin_test(n_images, 5000 + seed), Rates(0.0, p), seed, exactly(n_maps))
        kept_accuracy += result.low <= truth <= result.high
        kept_loss += result.loss_low <= 1 - truth <= result.loss_high
    return kept_accuracy / n_repeats, kept_loss / n_repeats


@pytest.mark.parametrize(("n_images", "n_maps"), [(500, 16), (40, 40)])
def test_intervals_cover_the_known_accuracy(n_images, n_maps):
    """Where the maps matter most, and where the test images do."""
    of_accuracy, of_loss = coverage(300, n_images, n_maps, 0.18)
    # nominal 95 %; 300 repeats scatter by 1.3 %: 5 sigma, 3e-7
    assert of_accuracy > 0.887
    assert of_loss > 0.887


def test_interval_of_the_accuracy_knows_the_scatter_of_the_maps():
    """Many images do not make up for few maps."""
    test = margin_test(5000, 6)
    for seed in range(5):
        shares = [
            (predict(read_through(test.network, Rates(0, 0.2), rng), test.inputs) == 0).mean()
            for rng in streams(seed, 8)
        ]
        error = np.std(shares, ddof=1) / np.sqrt(8)
        result = accuracy(test, Rates(0.0, 0.2), seed, exactly(8))
        assert result.high - result.low > 2 * 1.9 * error


def test_interval_of_the_accuracy_knows_the_scatter_of_the_images():
    """Many maps do not make up for few images."""
    for seed in range(5):
        test = margin_test(30, 40 + seed)
        right = sum(
            predict(read_through(test.network, Rates(0, 0.2), rng), test.inputs) == 0
            for rng in streams(seed, 200)
        )
        error = np.std(right / 200, ddof=1) / np.sqrt(30)
        result = accuracy(test, Rates(0.0, 0.2), seed, exactly(200))
        assert result.high - result.low > 2 * 1.9 * error


@pytest.mark.parametrize("half_width", [0.0, -0.1, np.nan])
def test_half_width_must_be_positive(tiny_test, half_width):
    with pytest.raises(ParameterError, match=r"half_width = .*expected finite, in \(0, inf\)"):
        accuracy(tiny_test, Rates(0.1, 0.1), 1, Sampling(half_width))


@pytest.mark.parametrize(("least", "most"), [(1, 1), (1, 5), (0, 5), (4, 0), (4, 1)])
def test_fewer_than_two_maps_give_no_interval_and_are_refused(tiny_test, least, most):
    with pytest.raises(ParameterError, match="maps"):
        accuracy(tiny_test, Rates(0.1, 0.1), 1, Sampling(NEVER, least, most))


@pytest.mark.parametrize(("p01", "p10", "name"), [(-0.1, 0, "p01"), (0, 1.1, "p10")])
def test_impossible_rates_are_named(tiny_test, p01, p10, name):
    with pytest.raises(ParameterError, match=f"{name} = "):
        accuracy(tiny_test, Rates(p01, p10), 1, Sampling())


def test_negative_seed_is_refused(tiny_test):
    with pytest.raises(ParameterError, match="seed = -1"):
        accuracy(tiny_test, Rates(0.1, 0.1), -1, Sampling())


@pytest.mark.parametrize(
    ("n_pixels", "labels", "message"),
    [
        (6, [0, 1, 2], "4 images with 3 labels up to 2; expected two images"),
        (6, [0, 1, 2, 3], "4 images with 4 labels up to 3; expected two images"),
        (6, [[0], [1], [2], [0]], "one label below 3 an image"),
        (6, [], "4 images with 0 labels up to 0"),
        (7, [0, 1, 2, 0], r"shape \(4, 7\); expected .*\(n_images, 6\)"),
    ],
)
def test_images_and_labels_must_fit(tiny_network, n_pixels, labels, message):
    with pytest.raises(DataError, match=message):
        prepare(tiny_network, np.zeros((4, n_pixels), np.uint8), np.array(labels, np.uint8))


def test_no_images_are_refused(tiny_network):
    with pytest.raises(DataError, match="0 images with 0 labels"):
        prepare(tiny_network, np.zeros((0, 6), np.uint8), np.zeros(0, np.uint8))


def test_one_layer_may_have_errors_and_another_none(tiny_test):
    first, second = (
        accuracy(tiny_test, rates, 1, exactly(6))
        for rates in ([Rates(0.2, 0.2), NO_ERRORS], [NO_ERRORS, Rates(0.2, 0.2)])
    )
    assert first.accuracy != second.accuracy
    assert accuracy(tiny_test, [NO_ERRORS] * 2, 1, exactly(6)).loss == 0
    with pytest.raises(ParameterError, match="layers"):
        accuracy(tiny_test, [NO_ERRORS], 1, exactly(6))


def test_spread_is_that_of_the_maps(tiny_test):
    shares = [
        (predict(read_through(tiny_test.network, Rates(0.1, 0.1), rng), tiny_test.inputs)
         == tiny_test.labels).mean()
        for rng in streams(3, 5)
    ]  # fmt: skip
    result = accuracy(tiny_test, Rates(0.1, 0.1), 3, exactly(5))
    assert result.spread == pytest.approx(np.std(shares, ddof=1), rel=1e-12)


def test_curve_is_made_of_accuracies(tiny_test):
    rates, seen = [NO_ERRORS, Rates(0.02, 0.06)], []
    found = curve(tiny_test, rates, 1, exactly(3), lambda *x: seen.append(x))
    assert seen == [(1, 2), (2, 2)]
    assert found.ber.values.tolist() == [0, 0.04]
    direct = accuracy(tiny_test, rates[1], 1, exactly(3))
    assert {f.name: found[f.name].values[1].item() for f in fields(direct)} == asdict(direct)


def test_no_changed_image_is_not_no_loss():
    """A handful of flips in all maps, and no image of a class of its own: others may have one."""
    test = margin_test(300, 5)
    result = accuracy(test, Rates(0.0, 0.02), 1, exactly(8))
    assert result.flips > 0
    assert result.loss == 0
    assert result.loss_high == pytest.approx(1 - 0.025 ** (1 / 300))
    # Where hardly a bit ever fails, that is the bound.
    rare = accuracy(test, Rates(0.0, 1e-9), 1, exactly(8))
    assert rare.loss_high == pytest.approx(test.network.n_weights * 1e-9, rel=1e-6)


def test_failed_bits_are_those_expected(tiny_test):
    result = accuracy(tiny_test, Rates(0.05, 0.1), 1, exactly(30))
    n = tiny_test.network.n_weights
    assert 0.05 * n < result.flips_expected < 0.1 * n
    # 30 maps: 5 sigma of the mean of binomial numbers, 6e-7
    assert abs(result.flips - result.flips_expected) < 5 * np.sqrt(result.flips_expected / 30)


@pytest.mark.parametrize("maps", [{"min_maps": 6.5}, {"max_maps": 9.5}, {"min_maps": 1}])
def test_maps_are_whole_numbers_from_two_on(maps):
    with pytest.raises(ParameterError, match="_maps"):
        Sampling(**maps)


def test_chips_that_differ_scatter_more_around_much_the_same_number_of_errors(tiny_test):
    rates, many = Rates(0.05, 0.05), exactly(60)
    alike = accuracy(tiny_test, rates, 1, many)
    chips = accuracy(tiny_test, rates, 1, many, RateSpread(1.5, "chip"))
    # F test of 59 over 59 degrees of freedom at 1e-3: a ratio of 2.28; measured 3
    assert chips.spread > 1.5 * alike.spread
    # 60 draws of rates whose standard deviation is about twice their mean: 5 sigma
    assert abs(chips.flips_expected / alike.flips_expected - 1) < 5 * 2 / np.sqrt(60)
    assert accuracy(tiny_test, rates, 1, many, RateSpread(0.0, "cell")).flips_expected == (
        pytest.approx(alike.flips_expected)
    )


def test_curve_passes_the_spread_on(tiny_test):
    spread = RateSpread(1.0, "row")
    found = curve(tiny_test, [Rates(0.1, 0.1)], 2, exactly(5), spread=spread)
    direct = accuracy(tiny_test, Rates(0.1, 0.1), 2, exactly(5), spread)
    assert float(found.accuracy[0]) == direct.accuracy
