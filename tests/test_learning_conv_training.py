"""Training in PyTorch learns, repeats itself, goes on where it was, and says what is wrong."""

from dataclasses import replace

import numpy as np
import pytest
from devicephys.fits import networks

from devicephys.bnn.images import load_images
from devicephys.bnn.inference import encode, predict
from devicephys.bnn.network import ImageCode
from devicephys.bnn.network_file import to_bytes
from devicephys.errors import DataError, OutputExistsError, ParameterError
from devicephys.learning.plan import Plan

REASON = "torch is not installed: pip install 'devicephys[learn]'"
torch = pytest.importorskip("torch", reason=REASON)
conv_training = pytest.importorskip("devicephys.learning.conv_training", reason=REASON)

TINY = Plan("3C3P2-6", epochs=4, batch=10, bit_error_rate=0.05, random_bit_error_rate=True,
            augment=True, validation=20)  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def task():
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (80, 16), np.uint8)
    return (1, 4, 4), pixels, (pixels[:, 5] > 127).astype(np.uint8)


def run(task, plan=TINY, seed=2, **how):
    return conv_training.train("tiny", *task, plan, np.random.default_rng(seed), **how)


def test_a_small_convolutional_network_learns_digits():
    digits = load_images("digits")
    plan = Plan("16C3P2-64", 6, (3, 7, 11), batch=25, learning_rate=1e-2, validation=200)
    said = []
    network = conv_training.train(
        "digits", digits.shape, digits.train_pixels, digits.train_labels, plan,
        np.random.default_rng(1), lambda *x: said.append(x),
    )  # fmt: skip
    accuracy = (predict(network, encode(network, digits.test_pixels)) == digits.test_labels).mean()
    assert accuracy > 0.9
    epochs, losses, held = zip(*said, strict=True)
    assert epochs == (1, 2, 3, 4, 5, 6)
    assert losses[-1] < losses[0] / 2
    assert held[-1] == pytest.approx(accuracy, abs=0.06)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(task):
    torch.manual_seed(1)
    first = to_bytes(run(task))
    torch.manual_seed(2)  # PyTorch's own state is of no account
    assert to_bytes(run(task)) == first
    assert to_bytes(run(task, seed=3)) != first


def test_an_interrupted_training_goes_on_to_the_same_bytes(task, tmp_path):
    whole, path, seen = to_bytes(run(task)), tmp_path / "x.checkpoint", []

    def stop(epoch, loss, accuracy):
        seen.append((epoch, loss, accuracy))
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(task, progress=stop, checkpoint=path)
    assert to_bytes(run(task, progress=lambda *x: seen.append(x), checkpoint=path)) == whole
    straight = []
    run(task, progress=lambda *x: straight.append(x))
    assert seen == straight
    with pytest.raises(OutputExistsError, match="differs in plan"):
        run(task, replace(TINY, epochs=5), checkpoint=path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="not a readable checkpoint"):
        run(task, checkpoint=path)


def test_every_setting_of_the_plan_changes_the_network(task):
    plans = [
        TINY,
        replace(TINY, random_bit_error_rate=False),
        replace(TINY, bit_error_rate=0.0),
        replace(TINY, augment=False),
        replace(TINY, margin=1.0),
        replace(TINY, learning_rate=1e-3),
        replace(TINY, batch=20),
        replace(TINY, validation=10),
        replace(TINY, input_levels=(100, 200)),
    ]
    assert len({to_bytes(run(task, plan)) for plan in plans}) == len(plans)


def test_an_augmented_image_is_the_image_moved_and_mirrored():
    n, edge = 400, 16
    x = torch.arange(1.0, 2 * edge * edge + 1).reshape(1, 2, edge, edge).expand(n, -1, -1, -1)
    moved = conv_training._augmented(x, torch.Generator().manual_seed(1))
    padded = np.pad(x[0].numpy(), ((0, 0), (2, 2), (2, 2)))
    options = {}
    for row in range(5):
        for column in range(5):
            part = padded[:, row : row + edge, column : column + edge]
            options[part.tobytes()] = (row, column, False)
            options[np.ascontiguousarray(part[:, :, ::-1]).tobytes()] = (row, column, True)
    found = {options[np.ascontiguousarray(image).tobytes()] for image in moved.numpy()}
    # Each of 50 is missed with probability 3e-4; with this seed at most one is.
    assert len(found) >= 49


def test_a_device_that_is_not_there_is_refused_before_anything_else_is_done(task, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ParameterError, match="CUDA is asked for, but PyTorch sees no GPU"):
        run(task, device="cuda")
    monkeypatch.setattr(networks, "load_images", lambda name: pytest.fail("images were loaded"))
    with pytest.raises(ParameterError, match="CUDA is asked for"):
        networks.make("cifar10", print)
    with pytest.raises(ParameterError, match="device 'gpu'; expected cpu or cuda"):
        run(task, device="gpu")


@pytest.mark.parametrize("name", ["cifar10", "cifar10-small"])
def test_the_shipped_plans_can_be_built(name):
    plan = networks.PLANS[name][1]
    model = conv_training.build(plan, ImageCode((3, 32, 32)), 10, np.random.default_rng(1))
    assert model.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU")
def test_a_gpu_repeats_itself(task):
    assert to_bytes(run(task, device="cuda")) == to_bytes(run(task, device="cuda"))


def test_images_that_do_not_fit_are_refused(task):
    shape, pixels, labels = task
    with pytest.raises(DataError, match="images of uint8"):
        run((shape, pixels[:, 1:], labels))
    with pytest.raises(DataError, match="labels of shape"):
        run((shape, pixels, labels[1:]))
    with pytest.raises(ParameterError, match="batch"):
        run(task, replace(TINY, validation=75))
    with pytest.raises(ParameterError, match="no smaller than what is pooled"):
        run(task, replace(TINY, layers="4C3P2-4C3P4"))
    with pytest.raises(ParameterError, match="rng"):
        conv_training.train("x", *task, TINY, 1)


def test_layers_end_in_scores_and_only_one_flattens():
    model = conv_training.build(
        Plan("4C3P2-4C3-8-8", epochs=1), ImageCode((3, 6, 6)), 10, np.random.default_rng(1)
    )
    names = [type(part).__name__ for part in model]
    assert names.count("Flatten") == 1
    assert names[:4] == ["Binary", "MaxPool2d", "BatchNorm2d", "Sign"]
    assert model(torch.zeros(5, 3, 6, 6)).shape == (5, 10)
