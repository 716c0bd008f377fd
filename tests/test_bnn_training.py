"""Trainer: gradients against finite differences, exact folding, and that it learns."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from devicephys.bnn import training
from devicephys.bnn.images import load_images
from devicephys.bnn.inference import encode, predict, signs, sums
from devicephys.bnn.network import ImageCode
from devicephys.bnn.network_file import to_bytes
from devicephys.bnn.training import (
    EPSILON,
    LOGIT_SCALE,
    Plan,
    _Adam,
    _binary,
    _export,
    _gradients,
    _loss,
    _normalise,
    train,
)
from devicephys.errors import DataError, ParameterError

NO_NOISE = np.random.default_rng(0)
EPS = float(EPSILON)


def case(seed, sizes=(9, 8, 7, 4), n_images=30):
    """Weights, betas, inputs (the first one constant) and labels, in double precision."""
    rng = np.random.default_rng(seed)
    weights = [rng.uniform(-1, 1, (b, a)) for a, b in pairwise(sizes)]
    betas = [rng.normal(0, 0.3, b) for b in sizes[1:]]
    x = rng.choice([-1.0, 1.0], (n_images, sizes[0]))
    x[:, 0] = 1
    return weights, betas, x, rng.integers(0, sizes[-1], n_images)


def gradients_of(weights, betas, x, labels, margin=0.0, peak=1):
    return _gradients(weights, betas, x, labels, 0.0, NO_NOISE, margin, peak)


def loss_of(*case, **options):
    return gradients_of(*case, **options)[0]


def surrogate(weights, betas, x, labels, margin):
    """Loss as a function of real steps around the signs: what straight-through means.

    Written apart from the trainer: signs of the weights are shifted by real steps, and a unit's
    output moves with its real argument where that is within 1 of zero.
    """
    signs = [np.where(w >= 0, 1.0, -1.0) for w in weights]
    reference, a = [], x
    for w, beta in zip(signs[:-1], betas[:-1], strict=True):
        z = a @ w.T
        y = (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + EPS) + beta
        reference.append(y)
        a = np.where(y >= 0, 1.0, -1.0)

    def loss(weight_steps, beta_steps):
        a = x
        for k, y_0 in enumerate(reference):
            z = a @ (signs[k] + weight_steps[k]).T
            y = (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + EPS) + betas[k] + beta_steps[k]
            a = np.where(y_0 >= 0, 1.0, -1.0) + np.where(np.abs(y_0) <= 1, y - y_0, 0.0)
        last = signs[-1] + weight_steps[-1]
        logits = a @ last.T / np.sqrt(last.shape[1]) * float(LOGIT_SCALE)
        logits += betas[-1] + beta_steps[-1]
        right = logits[np.arange(len(labels)), labels]
        if margin:
            return np.maximum(0, margin + logits.T - right).sum() / len(labels) - margin
        return (np.log(np.exp(logits).sum(axis=1)) - right).mean()

    return loss


@pytest.mark.parametrize("margin", [0.0, 2.5])
@pytest.mark.parametrize("sizes", [(9, 8, 7, 4), (9, 4)])
def test_output_betas_have_the_gradient_of_finite_differences(sizes, margin):
    weights, betas, x, labels = case(len(sizes), sizes)
    found = gradients_of(weights, betas, x, labels, margin)[1][-1]
    h = 1e-5
    for k in range(len(betas[-1])):
        up, down = [b.copy() for b in betas], [b.copy() for b in betas]
        up[-1][k] += h
        down[-1][k] -= h
        rise = loss_of(weights, up, x, labels, margin=margin)
        rise -= loss_of(weights, down, x, labels, margin=margin)
        assert found[k] == pytest.approx(rise / (2 * h), abs=1e-8)


@pytest.mark.parametrize(("seed", "margin"), [(1, 0.0), (2, 0.0), (3, 2.5)])
def test_all_gradients_are_those_of_the_straight_through_surrogate(seed, margin):
    weights, betas, x, labels = case(seed)
    value, gradients = gradients_of(weights, betas, x, labels, margin)
    loss = surrogate(weights, betas, x, labels, margin)
    zero = [np.zeros_like(w) for w in weights], [np.zeros_like(b) for b in betas]
    assert value == pytest.approx(loss(*zero), rel=1e-6)
    h = 1e-5
    for k, gradient in enumerate(gradients):
        kind, number = divmod(k, len(weights))
        numeric = np.zeros_like(gradient)
        for j in range(gradient.size):
            rise = []
            for sign in (1, -1):
                steps = [[x.copy() for x in part] for part in zero]
                steps[kind][number].flat[j] = sign * h
                rise.append(loss(*steps))
            numeric.flat[j] = (rise[0] - rise[1]) / (2 * h)
        # the trainer keeps its signs in single precision: 1e-7 of sums of order one
        assert gradient == pytest.approx(numeric, abs=2e-6), (kind, number)


@pytest.mark.parametrize("seed", [4, 5])
def test_sum_rules_of_softmax_and_batch_norm(seed):
    """Class errors add up to zero, and a shift of all sums of a unit changes nothing."""
    weights, betas, x, labels = case(seed)
    gradients = gradients_of(weights, betas, x, labels)[1]
    assert gradients[-1].sum() == pytest.approx(0, abs=1e-7)
    assert np.abs(gradients[0][:, 1:]).max() > 1e-4
    assert np.abs(gradients[0][:, 0]).max() < 1e-7  # the constant input


def test_scale_of_a_hidden_unit_has_no_gradient():
    """Along a unit's own weights only EPSILON over the variance of its sums is left."""
    weights, betas, x, labels = case(6)
    gradient = gradients_of(weights, betas, x, labels)[1][0]
    signs = np.where(weights[0] >= 0, 1, -1)
    along = (gradient * signs).sum(axis=1)
    allowed = 2 * EPS / (x @ signs.T).var(axis=0) * np.abs(gradient).sum(axis=1)
    assert (np.abs(along) <= allowed).all()


def test_loss_of_equal_logits_is_the_logarithm_of_the_classes():
    weights, betas, x, labels = case(7)
    weights[-1][:] = 1.0
    betas[-1][:] = 0.0
    assert loss_of(weights, betas, x, labels) == pytest.approx(np.log(4), rel=1e-6)


def test_huge_logits_stay_finite():
    weights, betas, x, labels = case(8)
    betas[-1][:] = [1e4, -1e4, 0, 0]
    labels[:] = 1
    value, gradients = gradients_of(weights, betas, x, labels)
    assert value == pytest.approx(2e4, rel=0.01)
    assert all(np.isfinite(g).all() for g in gradients)


def test_normalised_sums_have_mean_zero_and_variance_one():
    z = np.random.default_rng(9).normal(3, 5, (200, 6))
    normal, sigma = _normalise(z)
    assert normal.mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert normal.var(axis=0) == pytest.approx(z.var(axis=0) / (z.var(axis=0) + EPS), rel=1e-6)
    assert sigma == pytest.approx(np.sqrt(z.var(axis=0) + EPS), rel=1e-9)
    constant, _ = _normalise(np.full((5, 2), 7.0))
    assert (constant == 0).all()


def test_first_step_of_adam_is_the_learning_rate_whatever_the_gradient():
    values = [np.zeros(4, np.float32)]
    gradient = np.array([1e-3, -1e-2, 5.0, -700.0], np.float32)
    _Adam(values).step([gradient.copy()], 0.01)
    # bias correction with epsilon 1e-8: exact up to 1e-8 / (sqrt(0.001) |g|)
    assert values[0] == pytest.approx(-0.01 * np.sign(gradient), rel=1e-3)


def test_adam_follows_the_published_recursion():
    rng = np.random.default_rng(10)
    gradients = rng.normal(0, 1, (20, 3)).astype(np.float32)
    values = [np.zeros(3, np.float32)]
    adam = _Adam(values)
    x, m, v = np.zeros(3), np.zeros(3), np.zeros(3)
    for t, g in enumerate(gradients.astype(float), 1):
        adam.step([gradients[t - 1].copy()], 0.01)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        x = x - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    assert values[0] == pytest.approx(x, rel=1e-4, abs=1e-6)


def test_binary_weights_are_signs_and_errors_have_their_rate():
    w = np.random.default_rng(11).normal(0, 1, (300, 300)).astype(np.float32)
    w[0, 0] = 0.0
    clean = _binary(w, 0.0, NO_NOISE)
    assert clean[0, 0] == 1
    assert np.array_equal(clean, np.where(w >= 0, 1, -1))
    share = (_binary(w, 0.04, np.random.default_rng(12)) != clean).mean()
    assert abs(share - 0.04) < 5 * np.sqrt(0.04 * 0.96 / w.size)  # 5 sigma: 6e-7


def exported(weights, betas, pixels, levels=(0,), **options):
    """Export in single precision, as the trainer does."""
    single = [w.astype(np.float32) for w in weights], [b.astype(np.float32) for b in betas]
    image = ImageCode((1, 1, pixels.shape[1]), levels)
    plan = Plan(tuple(len(w) for w in weights[:-1]), levels, 1, **options)
    return _export("folded", image, plan, *single, pixels, np.random.default_rng(0))


@pytest.mark.parametrize("levels", [(0,), ()], ids=["binary", "8-bit"])
@pytest.mark.parametrize("seed", range(4))
def test_folded_thresholds_reproduce_batch_norm_and_sign_for_every_integer(seed, levels):
    """Also for 8-bit input, whose sums are all odd here (nine odd pixels)."""
    weights, betas, x, _ = case(seed, (9, 12, 7, 4), 400)
    betas[0] = np.linspace(-3, 3, 12)
    betas[1] = np.array([-50, -3, -0.5, 0, 0.5, 3, 50])
    pixels = (x > 0).astype(np.uint8)
    if not levels:
        pixels = np.random.default_rng(seed).integers(0, 256, x.shape, np.uint8)
    network = exported(weights, betas, pixels, levels)
    x, peak = signs(network.image, pixels).astype(float), network.image.peak
    for layer, w, beta in zip(network.layers[:-1], weights, betas, strict=False):
        bits = np.where(w >= 0, 1, -1)
        assert np.array_equal(layer.weights, bits)
        z = x @ bits.T
        every = np.arange(-peak * w.shape[1], peak * w.shape[1] + 1)[:, None]
        y = (every - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + EPS) + beta
        assert np.abs(y).min() > 1e-6  # no tie that single precision could decide either way
        assert np.array_equal(every >= layer.threshold, y >= 0)
        x, peak = np.where(z >= layer.threshold, 1.0, -1.0), 1
    offset = network.layers[-1].threshold
    scale = float(LOGIT_SCALE) / np.sqrt(7)
    assert np.abs(offset * scale + betas[-1]).max() <= scale / 2 * (1 + 1e-6)


@pytest.mark.parametrize("levels", [(0,), ()], ids=["binary", "8-bit"])
@pytest.mark.parametrize("sizes", [(9, 12, 7, 4), (9, 4)])
def test_export_classifies_as_the_training_pass_does_with_its_statistics(sizes, levels):
    """The whole set as one batch: the same means, so the same classes as the logits."""
    weights, betas, x, _ = case(13, sizes, 600)
    betas[-1][:] = 0.0
    pixels = (x > 0).astype(np.uint8)
    if not levels:
        pixels = np.random.default_rng(13).integers(0, 256, x.shape, np.uint8)
    network = exported(weights, betas, pixels, levels)
    a = signs(network.image, pixels).astype(float)
    for w, beta in zip(weights[:-1], betas[:-1], strict=True):
        normal, _ = _normalise(a @ np.where(w >= 0, 1.0, -1.0).T)
        a = np.where(normal + beta >= 0, 1.0, -1.0)
    logits = a @ np.where(weights[-1] >= 0, 1.0, -1.0).T
    assert np.array_equal(predict(network, pixels), logits.argmax(axis=1))


@pytest.mark.parametrize(("random", "mean"), [(False, 0.2), (True, 0.1)])
def test_thresholds_are_those_of_the_mean_rate(random, mean):
    """E[z'] = (1 - 2p) z: at beta = 0 a threshold is the mean sum under errors, rounded up."""
    weights, betas, _, _ = case(21, (400, 60, 3))
    betas[0][:] = 0
    pixels = (np.random.default_rng(21).random((500, 400)) < 0.8).astype(np.uint8)
    rates = {"bit_error_rate": 0.2, "random_bit_error_rate": random}
    network = exported(weights, betas, pixels, **rates)
    z = sums(network, pixels)[0].mean(axis=0)
    found = ((network.layers[0].threshold - 0.5) * z).sum() / (z**2).sum()
    # variance 4 p (1 - p) sum_j E[x_j]^2 / 20 flips a threshold: 5 sigma, false alarm 6e-7
    sigma = np.sqrt(4 * mean * (1 - mean) * 400 * 0.6**2 / 20 / (z**2).sum())
    assert abs(found - (1 - 2 * mean)) < 5 * sigma


def learnable(n=400, seed=14):
    """Three prototypes of 32 bits, each bit wrong with 15 %: all but unmistakable."""
    prototypes = np.random.default_rng(20).integers(0, 2, (3, 32), np.uint8)
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    noise = rng.random((n, 32)) < 0.15
    return prototypes[y] ^ noise, y.astype(np.uint8)


def trained(plan, seed, n=400, **options):
    return train("n", (1, 1, 32), *learnable(n), plan, np.random.default_rng(seed), **options)


def grey(n=400, seed=14):
    """The same in shades, one of them dark and one bright, for 8-bit input."""
    bits, y = learnable(n, seed)
    return np.random.default_rng(seed).integers(0, 100, bits.shape, np.uint8) + 156 * bits, y


NOISES = [
    {},
    {"bit_error_rate": 0.05},
    {"bit_error_rate": 0.1, "random_bit_error_rate": True},
    {"input_dropout": 0.2, "validation": 100},
    {"margin": 4.0},
    {"input_levels": ()},
]


@pytest.mark.parametrize("noise", NOISES)
def test_equal_seeds_give_equal_networks_and_other_seeds_others(noise):
    plan = replace(Plan((12,), (0,), epochs=3, batch=50), **noise)
    first, again, other = (trained(plan, seed) for seed in (1, 1, 2))
    assert to_bytes(first) == to_bytes(again)
    assert to_bytes(first) != to_bytes(other)


@pytest.mark.parametrize("options", [{}, {"margin": 4.0}, {"input_levels": ()}], ids=str)
def test_learns_noisy_prototypes(options):
    plan = replace(Plan((24,), (0,), epochs=30, batch=50), **options)
    make = learnable if plan.input_levels else grey
    seen = []
    network = train(
        "noisy", (1, 4, 8), *make(), plan, np.random.default_rng(3),
        lambda *now: seen.append(now),
    )  # fmt: skip
    assert [epoch for epoch, _, _ in seen] == list(range(1, 31))
    assert seen[-1][1] < seen[0][1] / 2
    assert all(np.isnan(accuracy) for _, _, accuracy in seen)
    fresh, truth = make(seed=15)
    assert (predict(network, fresh) == truth).mean() > 0.95
    assert network.image == ImageCode((1, 4, 8), plan.input_levels)
    assert network.layers[0].weights.shape == (24, 32)
    assert network.layers[-1].weights.shape == (3, 24)


def test_learns_the_digits():
    images = load_images("digits")
    plan = Plan((64,), (3, 7, 11), epochs=25, validation=197)
    seen = []
    network = train(
        "digits", images.shape, images.train_pixels, images.train_labels, plan,
        np.random.default_rng(5), lambda *now: seen.append(now),
    )  # fmt: skip
    classes = predict(network, encode(network, images.test_pixels))
    assert (classes == images.test_labels).mean() > 0.93
    assert seen[-1][2] > 0.93


def test_accuracy_of_the_images_held_out_is_that_of_the_network():
    """Exported from the same images after the last epoch and at the end: the same network."""
    pixels, labels = learnable()
    plan, seen = Plan((12,), (0,), epochs=4, batch=50, validation=120), []
    network = trained(plan, 8, progress=lambda *now: seen.append(now))
    held = np.random.default_rng(8).permutation(400)[:120]
    assert seen[-1][2] == (predict(network, pixels[held]) == labels[held]).mean()


def test_images_held_out_are_not_learnt():
    pixels, labels = learnable()
    plan = Plan((12,), (0,), epochs=2, batch=50, validation=120)
    network = trained(plan, 8)
    held = np.random.default_rng(8).permutation(400)[:120]
    pixels[held], labels[held] = 0, 0
    again = train("n", (1, 1, 32), pixels, labels, plan, np.random.default_rng(8))
    assert to_bytes(again) == to_bytes(network)


def test_random_rates_are_uniform_up_to_the_rate(monkeypatch):
    rates = []

    def spy(weights, betas, x, labels, p, *rest):
        rates.append(p)
        return 0.0, [np.zeros_like(w) for w in weights + betas]

    monkeypatch.setattr(training, "_gradients", spy)
    plan = Plan((2,), (0,), 20, 10, bit_error_rate=0.1, random_bit_error_rate=True)
    trained(plan, 9)
    assert len(rates) == 800
    # Kolmogorov-Smirnov: P(distance sqrt(n) > 2.6) = 2 exp(-2 2.6^2) = 3e-6
    distance = np.abs(np.sort(rates) / 0.1 - (np.arange(800) + 0.5) / 800).max()
    assert (distance + 0.5 / 800) * np.sqrt(800) < 2.6
    rates.clear()
    trained(replace(plan, random_bit_error_rate=False), 9)
    assert set(rates) == {0.1}


def test_margin_loss_counts_wrong_classes_that_come_too_close():
    logits = np.array([[5.0, 1.0, 3.0], [0.0, 2.0, 0.0]], np.float32)
    loss, gradient = _loss(logits, np.array([0, 2]), 3.0)
    assert loss == pytest.approx(((3 + 3 - 5) + (3 + 0 - 0) + (3 + 2 - 0)) / 2)
    assert gradient.tolist() == [[-0.5, 0, 0.5], [0.5, 0.5, -1.0]]
    assert _loss(logits, np.array([0, 1]), 1.5)[0] == 0


def test_margin_buys_tolerance_of_bit_errors():
    """Means over 40 maps of errors, whose standard error is 1 %: 55 and 66 % of the images."""
    plan = Plan((24,), (0,), epochs=20, batch=50)
    pixels, labels = learnable(2000, seed=16)

    def accuracy(plan):
        network = trained(plan, 4)
        rng, said = np.random.default_rng(5), []
        for _ in range(40):
            layers = tuple(
                replace(x, weights=np.where(rng.random(x.weights.shape) < 0.25, -1, 1) * x.weights)
                for x in network.layers
            )
            said.append((predict(replace(network, layers=layers), pixels) == labels).mean())
        return np.mean(said)

    assert accuracy(replace(plan, margin=8.0)) > accuracy(plan) + 0.04


def test_class_that_never_occurs_does_not_break_the_export():
    rng = np.random.default_rng(19)
    x = rng.integers(0, 2, (60, 8), np.uint8)
    y = rng.integers(1, 3, 60).astype(np.uint8)
    plan = Plan((4,), (0,), epochs=100, batch=20, learning_rate=1.0)
    network = train("rare", (1, 1, 8), x, y, plan, np.random.default_rng(6))
    assert 0 not in predict(network, x)


@pytest.mark.parametrize("levels", [(0,), ()])
@pytest.mark.parametrize("hidden", [(3,), ()])
def test_constant_inputs_give_a_network(hidden, levels):
    x = np.ones((40, 6), np.uint8)
    y = np.arange(40).astype(np.uint8) % 2
    plan = Plan(hidden, levels, 2, 20)
    network = train("flat", (1, 2, 3), x, y, plan, np.random.default_rng(7))
    assert len(set(predict(network, x).tolist())) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *[({"bit_error_rate": rate}, r"bit_error_rate = .*expected finite, in \[0, 0\.5\]")
          for rate in (-0.01, 0.51, np.nan)],
        *[({"input_dropout": rate}, "input_dropout = ") for rate in (-0.01, 1.0, 1.5, np.nan)],
        ({"margin": -1.0}, "margin = -1; expected"),
        ({"margin": np.inf}, "margin = inf"),
        ({"learning_rate": 0.0}, "learning_rate = 0"),
        ({"batch": 101}, r"batch = 101; expected finite, in \[1, 100\]"),
        ({"batch": 50, "validation": 60}, r"batch = 50; expected finite, in \[1, 40\]"),
        ({"batch": 0}, "batch = 0"),
        ({"validation": -1}, "validation = -1; expected a whole number >= 0"),
        ({"validation": 0.5}, "validation = 0.5"),
        ({"epochs": 0}, "epochs = 0"),
        ({"hidden": (4, 0)}, r"hidden\[1\] = 0"),
    ],
)  # fmt: skip
def test_plans_out_of_range_are_refused(change, message):
    plan = replace(Plan((4,), (0,), 1, 50), **change)
    with pytest.raises(ParameterError, match=message):
        trained(plan, 0, n=100)


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (
            np.zeros((9, 5), np.uint8),
            np.zeros(9, np.uint8),
            r"shape \(9, 5\); expected uint8, .* 6",
        ),
        (np.zeros((9, 6), np.float32), np.zeros(9, np.uint8), "images of float32"),
        (np.zeros((9, 6), np.uint8), np.zeros(8, np.uint8), r"labels of shape \(8,\) for 9 images"),
    ],
)
def test_images_and_labels_that_do_not_fit_are_refused(pixels, labels, message):
    with pytest.raises(DataError, match=message):
        train("n", (1, 2, 3), pixels, labels, Plan((4,), (0,), 1, 2), np.random.default_rng(0))
