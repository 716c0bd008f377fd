"""What is exported is, integer by integer, what PyTorch computes."""

import math

import numpy as np
import pytest

from devicephys.bnn.inference import predict, predict_blas, sums
from devicephys.bnn.network import ImageCode
from devicephys.bnn.state_dict import Options, from_state_dict
from devicephys.bnn.state_file import read_state
from devicephys.errors import DataError
from devicephys.learning.plan import Plan

REASON = "torch is not installed: pip install 'devicephys[learn]'"
torch = pytest.importorskip("torch", reason=REASON)
export = pytest.importorskip("devicephys.learning.export", reason=REASON)
conv_training = pytest.importorskip("devicephys.learning.conv_training", reason=REASON)
straight_through = pytest.importorskip("devicephys.learning.straight_through", reason=REASON)
nn = torch.nn
IMAGE = ImageCode((2, 9, 8))


def disturbed(model, x, rng):
    """Give batch normalisations the statistics of x, and random shifts."""
    for part in model:
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.momentum = None
            part.bias.data = torch.from_numpy(rng.normal(size=part.bias.shape)).float()
        if isinstance(part, straight_through.Scores):
            part.shift.data = torch.from_numpy(rng.normal(size=part.shift.shape)).float()
    model.train()(x.float())
    return model.double().eval()


def outputs(model, x, kind):
    """What every module of a kind gives, and what the last one gives."""
    found = []
    with torch.no_grad():
        for part in model:
            x = part(x)
            if isinstance(part, kind):
                found.append(x.numpy())
    return found, x.numpy()


@pytest.mark.parametrize("layers", ["6C3P2-5C3P2-20", "6C5-4C3P3", "16-12", "4C1P2"])
def test_sums_and_classes_are_those_of_the_model(layers):
    rng = np.random.default_rng(1)
    model = conv_training.build(Plan(layers, epochs=1), IMAGE, 7, rng)
    pixels = rng.integers(0, 256, (120, IMAGE.n_pixels), np.uint8)
    x = conv_training._values(IMAGE, torch.from_numpy(pixels.reshape(-1, *IMAGE.shape)))
    disturbed(model, x, rng)
    found, logits = outputs(model, x.double(), straight_through.Binary)
    network = export.to_network("x", IMAGE, model)
    for z, expected in zip(sums(network, pixels), found, strict=True):
        assert (z == np.rint(expected)).all()
        np.testing.assert_allclose(z, expected, atol=1e-6)
    assert (predict_blas(network, pixels) == logits.argmax(axis=1)).all()
    assert (predict(network, pixels) == logits.argmax(axis=1)).all()
    assert len(set(logits.argmax(axis=1).tolist())) > 2


def test_models_of_other_layers_are_refused():
    rng = np.random.default_rng(2)
    model = conv_training.build(Plan("8", epochs=1), IMAGE, 3, rng)
    for wrong in (
        model[:-1], model[1:], model[:1], nn.Sequential(), nn.Sequential(nn.Linear(144, 3)),
        nn.Sequential(*model[:3], *model[4:]), nn.Sequential(*model, nn.ReLU()),
    ):  # fmt: skip
        if [type(p).__name__ for p in wrong if not isinstance(p, nn.Flatten)] != [
            "Binary", "BatchNorm1d", "Sign", "Binary", "Scores",
        ]:  # fmt: skip
            with pytest.raises(DataError):
                export.to_network("x", IMAGE, wrong)


class Sign(nn.Module):
    def forward(self, x):
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


def plain_model(rng, pool_first):
    """An ordinary model of modules with real weights, as other trainers keep it."""
    middle = [nn.MaxPool2d(2), nn.BatchNorm2d(6), Sign()]
    middle = middle if pool_first else [*middle[1:], middle[0]]
    model = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), *middle, nn.Conv2d(6, 5, 3, bias=False), nn.BatchNorm2d(5),
        Sign(), nn.Flatten(), nn.Linear(5 * 2 * 2, 16), nn.BatchNorm1d(16), Sign(),
        nn.Linear(16, 7), nn.BatchNorm1d(7),
    )  # fmt: skip
    for part in model:
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.momentum = None
            for tensor in (part.weight, part.bias):
                tensor.data = torch.from_numpy(rng.normal(size=tensor.shape)).float()
        elif hasattr(part, "weight"):
            part.weight.data = torch.from_numpy(rng.normal(size=part.weight.shape)).float()
    return model


def binarised(model, x):
    """The same model with the signs of its weights, and the statistics of x."""
    state = {k: v.clone() for k, v in model.state_dict().items()}
    for part in model:
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.weight.data = torch.where(part.weight >= 0, 1.0, -1.0)
    model.train()(x)
    statistics = {k: v.clone() for k, v in model.state_dict().items() if "running" in k}
    return model.double().eval(), {**state, **statistics}


@pytest.mark.parametrize("pool_first", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_an_imported_state_dict_predicts_as_torch_does(seed, pool_first, tmp_path):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (300, 128), np.uint8)
    image = ImageCode((2, 8, 8))
    x = torch.from_numpy(pixels.reshape(-1, 2, 8, 8)).double() / 127.5 - 1
    model, state = binarised(plain_model(rng, pool_first), x.float())
    np.savez(tmp_path / "net.npz", **{k: v.numpy() for k, v in state.items()})
    options = Options(image, padding=(1, 0), pool=(2, 1), pool_first=pool_first, scale=1 / 255)
    network = from_state_dict("x", read_state(tmp_path / "net.npz"), options)
    emitted, y = outputs(model, x, Sign)
    z = sums(network, pixels)
    for k in (1, 2):  # those of the first layer may be stored as their opposite
        threshold = network.layers[k].threshold.reshape(1, -1, *[1] * (z[k].ndim - 2))
        assert (np.where(z[k] >= threshold, 1, -1) == emitted[k]).all()
    best = np.sort(y, axis=1)
    clear = best[:, -1] - best[:, -2] > network.record["score_bound"] + 1e-9
    assert clear.mean() > 0.98
    assert (predict(network, pixels) == y.argmax(axis=1))[clear].all()
    assert math.isfinite(network.record["score_bound"])
    direct = from_state_dict("x", state, options)
    assert all(
        (a.weights == b.weights).all() for a, b in zip(direct.layers, network.layers, strict=True)
    )
