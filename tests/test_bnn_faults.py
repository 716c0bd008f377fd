"""Bit errors in weights, thresholds, inputs and activations; stuck cells; spread rates; counts.

Random tests fail by chance with a probability of at most 1e-6 each.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.bnn.fault_count import (
    check_failures,
    expected_failures,
    failed_bits,
    stored_bits,
)
from devicephys.bnn.fault_spread import RateSpread, logit_normal, spread_rates
from devicephys.bnn.faults import (
    Rates,
    draw_maps,
    flip_activations,
    flip_inputs,
    flip_thresholds,
    flip_weights,
    with_errors,
    with_stuck_cells,
)
from devicephys.bnn.inference import predict, sums
from devicephys.bnn.network import ImageCode, Layer, Network
from devicephys.errors import AccuracyError, ParameterError

QUICK = settings(deadline=None, max_examples=30, derandomize=True)
RATE = st.floats(0, 1)
FIVE_SIGMA = 5.0  # 6e-7


def random_network(seed=0, levels=(127,), sizes=(6, 5)):
    """A convolution of 3 channels and fully connected layers on images of 2 x 8 x 9 pixels."""
    rng = np.random.default_rng(seed)

    def layer(*shape, **kwargs):
        threshold = rng.integers(-4, 5, shape[0]).astype(np.int32)
        return Layer(rng.choice([-1, 1], shape).astype(np.int8), threshold, **kwargs)

    layers = [layer(3, 2, 3, 3, padding=1, pool=2)]
    n_in = 3 * 4 * 4
    for n_out in sizes:
        layers.append(layer(n_out, n_in))
        n_in = n_out
    return Network("random", ImageCode((2, 8, 9), levels), tuple(layers))


def wide_network(seed=0, n=300):
    rng = np.random.default_rng(seed)
    layers = tuple(
        Layer(rng.choice([-1, 1], (n, n)).astype(np.int8), np.zeros(n, np.int32)) for _ in range(2)
    )
    return Network("wide", ImageCode((1, 1, n), (127,)), layers)


def flat(network):
    return np.concatenate([layer.weights.ravel() for layer in network.layers])


def thresholds(network):
    return np.concatenate([layer.threshold for layer in network.layers])


def content(network):
    return [x.copy() for layer in network.layers for x in (layer.weights, layer.threshold)]


@pytest.mark.parametrize("seed", [0, 1])
def test_rates_of_zero_and_one_are_exact(seed):
    network = random_network(seed)

    def read(p01, p10):
        return flat(flip_weights(network, Rates(p01, p10), np.random.default_rng(seed)))

    assert np.array_equal(read(0, 0), flat(network))
    assert np.array_equal(read(1, 1), -flat(network))
    assert (read(1, 0) == 1).all()
    assert (read(0, 1) == -1).all()


@given(st.integers(0, 2**32), RATE, RATE, RATE, RATE)
@QUICK
def test_errors_at_low_rates_are_among_those_at_higher_ones(seed, a, b, c, d):
    network = random_network(3)
    before = content(network)
    maps = draw_maps(network, 1.0, np.random.default_rng(seed))
    low, high = (
        flat(with_errors(network, maps, Rates(f(a, b), f(c, d)))) != flat(network)
        for f in (min, max)
    )
    assert not (low & ~high).any()
    for x, y in zip(before, content(network), strict=True):
        assert np.array_equal(x, y)


@given(st.integers(0, 2**32), RATE, RATE)
@QUICK
def test_negated_weights_swap_the_two_rates(seed, p01, p10):
    network = random_network(5)
    layers = tuple(replace(layer, weights=-layer.weights) for layer in network.layers)
    read = flip_weights(network, Rates(p01, p10), np.random.default_rng(seed))
    mirror = flip_weights(
        replace(network, layers=layers), Rates(p10, p01), np.random.default_rng(seed)
    )
    assert np.array_equal(flat(read), -flat(mirror))


def test_share_of_errors_is_the_rate_of_each_state_and_layer():
    network = wide_network(6)
    rates = (Rates(0.02, 0.3), Rates(0.1, 0.0))
    read = flip_weights(network, rates, np.random.default_rng(7))
    for layer, other, rate in zip(network.layers, read.layers, rates, strict=True):
        found = layer.weights != other.weights
        for state, p in ((-1, rate.p01), (1, rate.p10)):
            mine = found[layer.weights == state]
            assert abs(mine.mean() - p) <= FIVE_SIGMA * np.sqrt(p * (1 - p) / mine.size)


def test_bits_fail_independently_within_and_between_layers():
    network = wide_network(8, 100)
    read = flip_weights(network, Rates(0.5, 0.5), np.random.default_rng(9))
    found = (flat(network) != flat(read)).reshape(2, 100, 100) - 0.5
    pairs = [
        (found[0], found[1]),
        (found[0, 1:], found[0, :-1]),
        (found[0, :, 1:], found[0, :, :-1]),
    ]
    for a, b in pairs:
        assert abs((4 * a * b).mean()) < FIVE_SIGMA / np.sqrt(a.size)


def test_what_has_no_errors_is_shared_and_the_rest_is_new():
    network = random_network(10)
    rates = [Rates(0.0, 0.0), Rates(0.5, 0.5), Rates(0.0, 0.0)]
    read = flip_weights(network, rates, np.random.default_rng(11))
    shared = [a.weights is b.weights for a, b in zip(network.layers, read.layers, strict=True)]
    assert shared == [True, False, True]
    assert all(a.threshold is b.threshold for a, b in zip(network.layers, read.layers, strict=True))
    assert read.layers[0].pool == network.layers[0].pool


def test_mean_of_the_sums_under_errors():
    """E[z'] = (1 - p01 - p10) z + (p01 - p10) sum of the x, over the inputs that exist."""
    network = random_network(12)
    x = np.random.default_rng(13).integers(0, 2, (2, 144)).astype(np.uint8)
    rates = Rates(0.05, 0.2)
    rng = np.random.default_rng(14)
    found = np.array([sums(flip_weights(network, rates, rng), x)[0] for _ in range(400)])
    layers = (replace(network.layers[0], weights=np.ones_like(network.layers[0].weights)),)
    ones = replace(network, layers=layers + network.layers[1:])
    mean = 0.75 * sums(network, x)[0] - 0.15 * sums(ones, x)[0]
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - mean) < 7 * error).all()  # of 432: 1e-9 by the normal law


def test_threshold_words_are_read_in_twos_complement():
    """Layer of 14 inputs: thresholds from -15 to 15 take 5 bits, [-16, 15]."""
    layer = Layer(np.ones((7, 14), np.int8), np.array([-15, -8, -1, 0, 1, 6, 15], np.int32))
    network = Network("words", ImageCode((1, 2, 7), (127,)), (layer,))
    maps = draw_maps(network, 1.0, np.random.default_rng(0))

    def read(p01, p10):
        none = Rates(0.0, 0.0)
        found = with_errors(network, maps, none, Rates(np.array(p01), np.array(p10)))
        assert found.layers[0].weights is layer.weights
        return found.layers[0].threshold.tolist()

    lowest, sign = [1, 0, 0, 0, 0], [0, 0, 0, 0, 1]
    assert read(0.0, 0.0) == layer.threshold.tolist()
    assert read(lowest, lowest) == [-16 + 1, -7, -2, 1, 0, 7, 14]  # -16 is clipped
    assert read(sign, sign) == [1, 8, 15, -15, -15, -10, -1]  # -16 is clipped
    assert read(0.0, sign) == [1, 8, 15, 0, 1, 6, 15]
    assert read(1.0, 1.0) == [14, 7, 0, -1, -2, -7, -15]
    assert read(1.0, 0.0) == [-1] * 7
    assert layer.threshold.tolist() == [-15, -8, -1, 0, 1, 6, 15]


def test_errors_of_thresholds_are_nested_and_leave_those_of_weights():
    network = random_network(15)
    maps = draw_maps(network, 0.5, np.random.default_rng(16))
    p = Rates(0.1, 0.2)
    alone, together = (with_errors(network, maps, p, q) for q in (Rates(0, 0), Rates(0.3, 0.1)))
    assert np.array_equal(flat(alone), flat(together))
    assert np.array_equal(thresholds(alone), thresholds(network))
    assert not np.array_equal(thresholds(together), thresholds(network))


def test_share_of_threshold_bits_that_fail():
    layer = Layer(np.ones((3000, 7), np.int8), np.zeros(3000, np.int32))
    network = Network("zeros", ImageCode((1, 1, 7), (127,)), (layer,))  # words of 5 bits
    read = flip_thresholds(network, Rates(0.01, 0.9), np.random.default_rng(17))
    share = (thresholds(read) != 0).mean()
    p = 1 - 0.99**5
    assert abs(share - p) < FIVE_SIGMA * np.sqrt(p * (1 - p) / 3000)
    assert np.abs(thresholds(read)).max() <= 8


def test_inputs_of_a_thermometer_code_and_all_bits_of_pixels():
    rng = np.random.default_rng(18)
    for levels, n_bits in (((127,), 1), ((), 8)):
        network = random_network(0, levels)
        x = rng.integers(0, 2**n_bits, (50, 144)).astype(np.uint8)
        before = x.copy()
        read = flip_inputs(network, x, Rates(0.02, 0.4), rng)
        assert read.dtype == np.uint8
        assert np.array_equal(x, before)
        stored, found = (np.unpackbits(a[..., None], axis=-1)[..., -n_bits:] for a in (x, read))
        for state, p in ((0, 0.02), (1, 0.4)):
            mine = (stored != found)[stored == state]
            assert abs(mine.mean() - p) < FIVE_SIGMA * np.sqrt(p * (1 - p) / mine.size)
        assert np.array_equal(flip_inputs(network, x, Rates(0, 0), rng), x)
        most = 2**n_bits - 1
        assert np.array_equal(flip_inputs(network, x, Rates(1, 1), rng), most - x)


def test_activations_are_disturbed_afresh_for_each_image_of_the_layers_asked_for():
    network = random_network(19)
    x = np.repeat(np.random.default_rng(20).integers(0, 2, (1, 144)).astype(np.uint8), 300, axis=0)
    clean = sums(network, x)
    rates = (Rates(0.0, 0.0), Rates(0.3, 0.3))
    found = sums(network, x, flip_activations(network, rates, np.random.default_rng(21)))
    assert np.array_equal(found[1], clean[1])
    assert len(np.unique(found[2], axis=0)) > 1
    # Every activation keeps its sign with a probability of 0.7: mean 0.4 z, variance 0.84 a term.
    error = np.sqrt(0.84 * network.layers[2].fan_in / 300)
    assert (np.abs(found[2].mean(axis=0) - 0.4 * clean[2][0]) < FIVE_SIGMA * error).all()
    negated = sums(network, x, flip_activations(network, Rates(1, 1), np.random.default_rng(22)))
    assert np.array_equal(negated[1], -clean[1])
    nothing = flip_activations(network, Rates(0, 0), np.random.default_rng(22))
    assert np.array_equal(predict(network, x, nothing), predict(network, x))


def test_cells_are_stuck_for_every_network_that_is_stored():
    network = wide_network(23)
    negated = replace(network, layers=tuple(replace(x, weights=-x.weights) for x in network.layers))
    maps = draw_maps(network, 0.3, np.random.default_rng(24))
    first, second = (flat(with_stuck_cells(x, maps, 0.05, 0.2)) for x in (network, negated))
    stuck = first == second  # opposite weights read the same
    for state, p in ((-1, 0.05), (1, 0.2)):
        share = (stuck & (first == state)).mean()
        assert abs(share - p) < FIVE_SIGMA * np.sqrt(p * (1 - p) / first.size)
    assert np.array_equal(first[~stuck], flat(network)[~stuck])
    more = flat(with_stuck_cells(network, maps, 0.09, 0.21))
    assert np.array_equal(more[stuck], first[stuck])


def test_stuck_cells_reach_their_limits():
    network = random_network(25)
    maps = draw_maps(network, 1.0, np.random.default_rng(26))
    assert (flat(with_stuck_cells(network, maps, 1.0, 0.0)) == -1).all()
    assert (flat(with_stuck_cells(network, maps, 0.0, 1.0)) == 1).all()
    assert np.array_equal(flat(with_stuck_cells(network, maps, 0.0, 0.0)), flat(network))
    some = draw_maps(network, 0.3, np.random.default_rng(26))
    with_stuck_cells(network, some, 0.1, 0.2)  # 0.1 + 0.2 > 0.3 in floating point
    with pytest.raises(ParameterError, match=r"s0 \+ s1 = 0.31; .* draw the maps at their sum"):
        with_stuck_cells(network, some, 0.11, 0.2)
    with pytest.raises(ParameterError, match=r"s1 = -0\.1"):
        with_stuck_cells(network, some, 0.2, -0.1)


@pytest.mark.parametrize("mean", [1e-9, 1e-3, 0.2, 0.5, 0.9, 1 - 1e-6])
@pytest.mark.parametrize("sigma", [0.1, 1.0, 4.0])
def test_mean_of_the_logit_normal_law_is_the_rate(mean, sigma):
    """Against the trapezoidal rule with other points over another range."""
    g = np.linspace(-17, 17, 3000)
    found = np.trapezoid(np.exp(-(g**2) / 2) * logit_normal(mean, sigma, g), g)
    assert found / np.sqrt(2 * np.pi) == pytest.approx(mean, rel=1e-9)


def test_small_rates_are_log_normal():
    g = np.array([-2.0, 0.0, 2.0])
    assert logit_normal(1e-9, 0.8, g) == pytest.approx(1e-9 * np.exp(0.8 * g - 0.32), rel=1e-6)
    assert (logit_normal(0.0, 2.0, g) == 0).all()
    assert (logit_normal(1.0, 2.0, g) == 1).all()
    assert logit_normal(0.3, 0.0, g) == pytest.approx([0.3] * 3, rel=1e-9)


@pytest.mark.parametrize("cluster", ["chip", "row", "cell"])
def test_errors_cluster_by_what_shares_its_rate(cluster):
    network = wide_network(27, 60)
    p, sigma, chips = 0.05, 1.0, 300
    rng = np.random.default_rng(28)
    rows = np.empty((chips, 2, 60))
    for found in rows:
        rates = spread_rates(network, Rates(p, p), RateSpread(sigma, cluster), rng)
        read = flip_weights(network, rates, rng)
        for k in range(2):
            found[k] = (read.layers[k].weights != network.layers[k].weights).mean(axis=1)
    means = rows.mean(axis=(1, 2))
    assert abs(means.mean() - p) < FIVE_SIGMA * means.std(ddof=1) / np.sqrt(chips)
    # Standard deviation of the rate itself: 0.0491, by the law's quadrature.
    x, w = np.polynomial.hermite_e.hermegauss(80)
    spread = np.sqrt((w * (logit_normal(p, sigma, x) - p) ** 2).sum() / w.sum())
    alone = p * (1 - p) / 60  # binomial variance of one row
    between_rows = rows.var(axis=2, ddof=1).mean() - alone
    assert between_rows == pytest.approx(spread**2 * (cluster == "row"), abs=0.15 * spread**2)
    between_chips = means.var(ddof=1) / spread**2
    assert (0.4 < between_chips < 2.5) if cluster == "chip" else (between_chips < 0.03)


def test_spread_rates_share_their_deviates_between_means_and_states():
    network = random_network(29)
    low, high = (
        spread_rates(network, Rates(p, 2 * p), RateSpread(0.7, "cell"), np.random.default_rng(30))
        for p in (1e-9, 1e-6)
    )
    for a, b in zip(low, high, strict=True):
        assert a.p10 == pytest.approx(2 * a.p01, rel=1e-6)
        assert b.p01 == pytest.approx(1e3 * a.p01, rel=1e-4)
    with pytest.raises(ParameterError, match="unknown cluster 'colum'"):
        RateSpread(0.7, "colum")
    with pytest.raises(ParameterError, match="sigma = 11"):
        RateSpread(11, "row")
    with pytest.raises(ParameterError, match=r"mean of shape \(3, 1\)"):
        spread_rates(
            network,
            Rates(np.full((3, 1), 0.1), 0.1),
            RateSpread(1, "row"),
            np.random.default_rng(0),
        )


def test_realised_counts_against_expected():
    network = wide_network(31)
    rates = (Rates(0.01, 0.02), Rates(1e-4, 0.0))
    rng = np.random.default_rng(32)
    bits, expected = stored_bits(network), expected_failures(network, rates)
    assert bits.sum() == network.n_weights
    found = [failed_bits(network, flip_weights(network, rates, rng)) for _ in range(200)]
    for failed in found:
        check_failures(failed, expected, bits)
    means = np.mean(found, axis=0)
    assert (np.abs(means - expected) < FIVE_SIGMA * np.sqrt(expected / 200)).all()
    swapped = failed_bits(network, flip_weights(network, (Rates(0.02, 0.01), rates[1]), rng))
    with pytest.raises(AccuracyError, match="stored zeros failed"):  # although the sum is right
        check_failures(swapped, expected, bits)
    assert failed_bits(network, network).tolist() == [0, 0]
    one = network.layers[0].weights.copy()
    one[0, 0] *= -1
    other = replace(network, layers=(replace(network.layers[0], weights=one), network.layers[1]))
    with pytest.raises(AccuracyError, match="1 of "):
        check_failures(failed_bits(network, other), np.zeros(2), bits)


def test_expectation_of_rates_of_every_bit_is_their_sum():
    network = random_network()
    rng = np.random.default_rng(33)
    rates = [Rates(*rng.random((2, *layer.weights.shape))) for layer in network.layers]
    want = [
        sum(p.p01[x.weights < 0].sum() for x, p in zip(network.layers, rates, strict=True)),
        sum(p.p10[x.weights > 0].sum() for x, p in zip(network.layers, rates, strict=True)),
    ]
    assert expected_failures(network, rates) == pytest.approx(want)


@pytest.mark.parametrize("bad", [-1e-9, 1.0000001, np.nan, np.inf, -np.inf])
def test_impossible_rates_are_named(bad):
    with pytest.raises(ParameterError, match=r"p01 = .*expected finite, in \[0, 1\]"):
        Rates(bad, 0.1)
    with pytest.raises(ParameterError, match=r"p10 = .*expected finite, in \[0, 1\]"):
        Rates(0.1, np.array([0.1, bad]))


def test_rates_and_maps_that_do_not_fit_are_refused():
    network, other = random_network(), wide_network()
    rng = np.random.default_rng(0)
    rates = Rates(0.1, 0.1)
    with pytest.raises(ParameterError, match="2 pairs of rates; expected one, or 3 for 3 layers"):
        flip_weights(network, (rates, rates), rng)
    with pytest.raises(ParameterError, match=r"3 pairs of rates; .* 2 for 2 hidden layers"):
        flip_activations(network, (rates,) * 3, rng)
    with pytest.raises(ParameterError, match="draw the map at the highest rate"):
        with_errors(network, draw_maps(network, 0.05, rng), rates)
    with pytest.raises(ParameterError, match=r"maps of \[90000, 90000\] weights"):
        with_errors(network, draw_maps(other, 0.1, rng), rates)
    with pytest.raises(ParameterError, match="of the network"):
        with_stuck_cells(network, draw_maps(other, 0.1, rng), 0.1, 0.0)
    with pytest.raises(ParameterError, match="rng = 1"):
        flip_weights(network, rates, 1)
