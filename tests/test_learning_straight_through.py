"""The layers in PyTorch have the values and gradients of the equations."""

import numpy as np
import pytest

from devicephys.bnn import training
from devicephys.bnn.network import ImageCode
from devicephys.learning.plan import Plan

REASON = "torch is not installed: pip install 'devicephys[learn]'"
torch = pytest.importorskip("torch", reason=REASON)
layers = pytest.importorskip("devicephys.learning.straight_through", reason=REASON)
conv_training = pytest.importorskip("devicephys.learning.conv_training", reason=REASON)


def test_signs_are_exact_and_pass_the_gradient_within_one():
    x = torch.cat([torch.randn(1000), torch.tensor([0.0, -0.0, 1.0, -1.0])]).requires_grad_()
    y = layers.sign(x)
    assert torch.equal(y, torch.where(x >= 0, 1.0, -1.0))
    (y * torch.arange(1004)).sum().backward()
    assert torch.equal(x.grad, torch.arange(1004) * (x.detach().abs() <= 1))


def test_flipped_weights_pass_the_gradient_everywhere():
    p, n = 0.1, 100_000
    w = (3 * torch.randn(n, generator=torch.Generator().manual_seed(1))).requires_grad_()
    y = layers.noisy_sign(w, p, torch.Generator().manual_seed(2))
    assert set(y.tolist()) == {-1.0, 1.0}
    flipped = int((y != torch.where(w >= 0, 1.0, -1.0)).sum())
    # Fixed seeds; a right code would fail for one seed in 6e4 (four standard deviations).
    assert abs(flipped - n * p) < 4 * np.sqrt(n * p * (1 - p))
    (y * torch.arange(n)).sum().backward()
    assert torch.equal(w.grad, torch.arange(n, dtype=torch.float32))


def test_errors_strike_in_training_alone():
    layer = layers.Binary((40, 50), np.random.default_rng(1))
    layer.bit_error_rate, layer.generator = 0.3, torch.Generator().manual_seed(1)
    x = torch.ones(1, 50)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), torch.where(layer.weight >= 0, 1.0, -1.0).sum(dim=1)[None])


@pytest.mark.parametrize("margin", [0.0, 1.5])
@pytest.mark.parametrize("levels", [(), (127,)])
def test_gradients_are_those_of_the_numpy_trainer(levels, margin):
    rng = np.random.default_rng(3)
    image = ImageCode((1, 4, 5), levels)
    model = conv_training.build(Plan("12-9", epochs=1), image, 4, rng).train()
    x = torch.from_numpy(rng.integers(0, 2 if levels else 256, (30, 1, 4, 5), np.uint8))
    labels = rng.integers(0, 4, 30).astype(np.uint8)
    named = dict(model.named_parameters())
    weights = [named[f"{k}.weight"] for k in (1, 4, 7)]
    betas = [named["2.bias"], named["5.bias"], named["8.shift"]]
    with torch.no_grad():
        for beta in betas:
            beta.copy_(torch.from_numpy(rng.normal(size=beta.shape)))
    values = conv_training._values(image, x)
    loss = conv_training._loss(model(values), torch.from_numpy(labels.astype(int)), margin)
    loss.backward()
    expected, gradients = training._gradients(
        [w.detach().numpy() for w in weights], [b.detach().numpy() for b in betas],
        values.reshape(30, -1).numpy(), labels, 0.0, rng, margin, image.peak,
    )  # fmt: skip
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    for tensor, gradient in zip(weights + betas, gradients, strict=True):
        scale = np.abs(gradient).max()
        assert scale > 0
        np.testing.assert_allclose(tensor.grad.numpy(), gradient, atol=2e-4 * scale)
