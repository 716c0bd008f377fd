"""Trainer: gradients against finite differences, exact folding, and that it learns."""

from itertools import pairwise

import numpy as np
import pytest

from devicephys.bnn.images import load_images
from devicephys.bnn.inference import encode, encode_levels, predict
from devicephys.bnn.network import to_bytes
from devicephys.bnn.training import (
    EPSILON,
    LOGIT_SCALE,
    Plan,
    _Adam,
    _binary,
    _export,
    _gradients,
    _normalise,
    train,
)
from devicephys.errors import ParameterError

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


def loss_of(weights, betas, x, labels):
    return _gradients(weights, betas, x, labels, 0.0, NO_NOISE)[0]


def surrogate(weights, betas, x, labels):
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
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return -np.log(p[np.arange(len(labels)), labels]).mean()

    return loss


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_output_betas_have_the_gradient_of_finite_differences(seed):
    weights, betas, x, labels = case(seed)
    found = _gradients(weights, betas, x, labels, 0.0, NO_NOISE)[1][-1]
    h = 1e-5
    for k in range(len(betas[-1])):
        up, down = [b.copy() for b in betas], [b.copy() for b in betas]
        up[-1][k] += h
        down[-1][k] -= h
        rise = loss_of(weights, up, x, labels) - loss_of(weights, down, x, labels)
        assert found[k] == pytest.approx(rise / (2 * h), abs=1e-8)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_gradients_are_those_of_the_straight_through_surrogate(seed):
    weights, betas, x, labels = case(seed)
    value, gradients = _gradients(weights, betas, x, labels, 0.0, NO_NOISE)
    loss = surrogate(weights, betas, x, labels)
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
    gradients = _gradients(weights, betas, x, labels, 0.0, NO_NOISE)[1]
    assert gradients[-1].sum() == pytest.approx(0, abs=1e-7)
    assert np.abs(gradients[0][:, 1:]).max() > 1e-4
    assert np.abs(gradients[0][:, 0]).max() < 1e-7  # the constant input


def test_scale_of_a_hidden_unit_has_no_gradient():
    """Along a unit's own weights only EPSILON over the variance of its sums is left."""
    weights, betas, x, labels = case(6)
    gradient = _gradients(weights, betas, x, labels, 0.0, NO_NOISE)[1][0]
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
    value, gradients = _gradients(weights, betas, x, labels, 0.0, NO_NOISE)
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
    _Adam(values).step([gradient], 0.01)
    # bias correction with epsilon 1e-8: exact up to 1e-8 / (sqrt(0.001) |g|)
    assert values[0] == pytest.approx(-0.01 * np.sign(gradient), rel=1e-3)


def test_adam_follows_the_published_recursion():
    rng = np.random.default_rng(10)
    gradients = rng.normal(0, 1, (20, 3)).astype(np.float32)
    values = [np.zeros(3, np.float32)]
    adam = _Adam(values)
    x, m, v = np.zeros(3), np.zeros(3), np.zeros(3)
    for t, g in enumerate(gradients.astype(float), 1):
        adam.step([gradients[t - 1]], 0.01)
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


@pytest.mark.parametrize("seed", range(4))
def test_folded_thresholds_reproduce_batch_norm_and_sign_for_every_integer(seed):
    weights, betas, x, _ = case(seed, (9, 12, 7, 4), 400)
    betas[0] = np.linspace(-3, 3, 12)
    betas[1] = np.array([-50, -3, -0.5, 0, 0.5, 3, 50])
    single = [w.astype(np.float32) for w in weights], [b.astype(np.float32) for b in betas]
    plan = Plan((12, 7), (0,), 1)
    network = _export("folded", plan, *single, x.astype(np.float32), 0.0, NO_NOISE)
    for layer, w, beta in zip(network.layers[:-1], weights, betas, strict=False):
        signs = np.where(w >= 0, 1, -1)
        assert np.array_equal(layer.weights, signs)
        sums = x @ signs.T
        every = np.arange(-w.shape[1], w.shape[1] + 1)[:, None]
        y = (every - sums.mean(axis=0)) / np.sqrt(sums.var(axis=0) + EPS) + beta
        assert np.abs(y).min() > 1e-5  # no tie that single precision could decide either way
        assert np.array_equal(every >= layer.threshold, y >= 0)
        x = np.where(sums >= layer.threshold, 1.0, -1.0)
    offset = network.layers[-1].threshold
    scale = float(LOGIT_SCALE) / np.sqrt(7)
    assert np.abs(offset * scale + betas[-1]).max() <= scale / 2 * (1 + 1e-6)


def test_export_classifies_as_the_training_pass_does_with_its_statistics():
    """The whole set as one batch: the same means, so the same classes as the logits."""
    weights, betas, x, _ = case(13, (9, 12, 7, 4), 600)
    betas[-1][:] = 0.0
    single = [w.astype(np.float32) for w in weights], [b.astype(np.float32) for b in betas]
    x = x.astype(np.float32)
    network = _export("folded", Plan((12, 7), (0,), 1), *single, x, 0.0, NO_NOISE)
    a = x.astype(float)
    for w, beta in zip(weights[:-1], betas[:-1], strict=True):
        normal, _ = _normalise(a @ np.where(w >= 0, 1.0, -1.0).T)
        a = np.where(normal + beta >= 0, 1.0, -1.0)
    logits = a @ np.where(weights[-1] >= 0, 1.0, -1.0).T
    assert np.array_equal(predict(network, x), logits.argmax(axis=1))


def learnable(n=400, seed=14):
    """Three prototypes of 32 bits, each bit wrong with 15 %: all but unmistakable."""
    prototypes = np.random.default_rng(20).choice([-1, 1], (3, 32))
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    noise = np.where(rng.random((n, 32)) < 0.15, -1, 1)
    return (prototypes[y] * noise).astype(np.float32), y.astype(np.uint8)


@pytest.mark.parametrize("noise", [{}, {"bit_error_rate": 0.05}, {"input_dropout": 0.2}])
def test_equal_seeds_give_equal_networks_and_other_seeds_others(noise):
    x, y = learnable()
    plan = Plan((12,), (0,), epochs=3, batch=50, **noise)
    first, again, other = (
        train("n", x, y, plan, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert to_bytes(first) == to_bytes(again)
    assert to_bytes(first) != to_bytes(other)


def test_learns_noisy_prototypes():
    x, y = learnable()
    plan = Plan((24,), (0,), epochs=30, batch=50)
    seen = []
    network = train("noisy", x, y, plan, np.random.default_rng(3), lambda *now: seen.append(now))
    assert [epoch for epoch, _ in seen] == list(range(1, 31))
    assert seen[-1][1] < seen[0][1] / 2
    fresh, truth = learnable(seed=15)
    assert (predict(network, fresh) == truth).mean() > 0.95
    assert network.layers[0].weights.shape == (24, 32)
    assert network.layers[-1].weights.shape == (3, 24)


def test_learns_the_digits():
    images = load_images("digits")
    plan = Plan((64,), (3, 7, 11), epochs=25)
    inputs = encode_levels(images.train_pixels, plan.input_levels)
    network = train("digits", inputs, images.train_labels, plan, np.random.default_rng(5))
    classes = predict(network, encode(network, images.test_pixels))
    assert (classes == images.test_labels).mean() > 0.93


def test_class_that_never_occurs_does_not_break_the_export():
    rng = np.random.default_rng(19)
    x = rng.choice([-1, 1], (60, 8)).astype(np.float32)
    y = rng.integers(1, 3, 60).astype(np.uint8)
    plan = Plan((4,), (0,), epochs=100, batch=20, learning_rate=1.0)
    network = train("rare", x, y, plan, np.random.default_rng(6))
    assert 0 not in predict(network, x)


def test_constant_inputs_give_a_network():
    x = np.ones((40, 6), np.float32)
    y = np.arange(40).astype(np.uint8) % 2
    network = train("flat", x, y, Plan((3,), (0,), 2, 20), np.random.default_rng(7))
    assert len(set(predict(network, x).tolist())) == 1


@pytest.mark.parametrize("rate", [-0.01, 0.51, np.nan])
def test_bit_error_rate_beyond_a_half_is_refused(rate):
    x, y = learnable(100)
    plan = Plan((4,), (0,), 1, 50, bit_error_rate=rate)
    with pytest.raises(ParameterError, match=r"bit_error_rate = .*expected finite, in \[0, 0\.5\]"):
        train("n", x, y, plan, np.random.default_rng(0))


@pytest.mark.parametrize("rate", [-0.01, 1.0, 1.5, np.nan])
def test_input_dropout_that_is_no_probability_is_refused(rate):
    x, y = learnable(100)
    plan = Plan((4,), (0,), 1, 50, input_dropout=rate)
    with pytest.raises(ParameterError, match="input_dropout = "):
        train("n", x, y, plan, np.random.default_rng(0))


def test_batch_larger_than_the_training_set_is_refused():
    x, y = learnable(40)
    with pytest.raises(ParameterError, match="batch"):
        train("n", x, y, Plan((4,), (0,), 1, batch=50), np.random.default_rng(0))
