"""Trainer of binarized networks, convolutional or not, in PyTorch: `devicephys.bnn.training` there.

A hidden layer is, in this order, the sums of binary weights, the largest of every pooled square,
batch normalisation without gain, and the sign. As the gain is positive, the largest of the sums
has the sign of the largest of the signs, so the exported network pools signs and is the same.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from devicephys import __version__
from devicephys.bnn import checkpoint as checkpoints
from devicephys.bnn.inference import encode_images
from devicephys.bnn.network import ImageCode, Network, Shape
from devicephys.bnn.training import check_images
from devicephys.checks import generator, in_range
from devicephys.errors import ParameterError
from devicephys.io.files import sha256
from devicephys.learning.export import to_network
from devicephys.learning.plan import Plan, hidden_layers, sizes
from devicephys.learning.straight_through import Binary, Scores, Sign

Bytes = NDArray[np.uint8]
EPSILON = 1e-3
STATISTICS_BATCHES = 20  # that settle mean and variance for the export, each with its bit errors
STATISTICS_IMAGES = 500  # in each
EVALUATED = 500  # images at a time
SHIFT = 8  # an augmented image is shifted by up to an eighth of its edge


def train(
    name: str,
    shape: Shape,
    pixels: Bytes,
    labels: Bytes,
    plan: Plan,
    rng: np.random.Generator,
    progress: Callable[[int, float, float], None] = lambda epoch, loss, accuracy: None,
    checkpoint: Path | None = None,
    device: str = "cpu",
) -> Network:
    """Train a binarized network with PyTorch and export it with integer thresholds.

    Parameters
    ----------
    name : str
        Name of the network.
    shape : tuple of int
        Channels, height and width of an image [1].
    pixels : ndarray of uint8
        Training images, shape (n_images, n_pixels) [1].
    labels : ndarray of uint8
        Classes, shape (n_images,) [1].
    plan : Plan
        Layers and schedule.
    rng : numpy.random.Generator
        Source of everything random: the images held out, the initial weights, the order of the
        images, and the seeds of PyTorch's own generator.
    progress : callable, optional
        Called with (epoch from 1, mean loss of the epoch, accuracy on the images held out, without
        bit errors; NaN without any).
    checkpoint : Path, optional
        File that is written after every epoch, and from which an interrupted training goes on.
        It is left behind: remove it once the network is safe.
    device : str, optional
        "cpu" or "cuda".

    Returns
    -------
    Network
        The exported network, without a record.

    Raises
    ------
    ParameterError
        If the device is not there, or the plan does not fit the images.
    DataError
        If the images and labels do not fit each other, or the checkpoint is damaged.
    OutputExistsError
        If the checkpoint is of another plan, other images, another start of `rng` or version.

    Notes
    -----
    The same `rng` state gives the same network on the same machine with the same number of
    threads, interrupted or not.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = rng.integers(0, 256, (200, 16), np.uint8)
    >>> y = (x[:, 0] > 127).astype(np.uint8)
    >>> network = train("first pixel", (1, 4, 4), x, y, Plan("4C3P2-8", epochs=2), rng)
    >>> [layer.weights.shape for layer in network.layers]
    [(4, 1, 3, 3), (8, 16), (2, 8)]
    """
    _check(plan, shape, pixels, labels)
    where = find_device(device)
    request = {
        "devicephys_version": __version__,
        "torch_version": torch.__version__,
        "device": device,
        "plan": asdict(plan),
        "images": sha256(repr(shape).encode() + pixels.tobytes() + labels.tobytes()),
        "start of the random numbers": checkpoints.state_text(generator(rng)),
    }
    image = ImageCode(shape, plan.input_levels)
    order = rng.permutation(len(pixels)) if plan.validation else np.arange(len(pixels))
    x = torch.from_numpy(encode_images(image, pixels[order])).reshape(-1, *image.encoded).to(where)
    y = torch.from_numpy(labels[order].astype(np.int64)).to(where)
    model = build(plan, image, int(labels.max()) + 1, rng)
    model.to(where, memory_format=torch.channels_last)
    flips = torch.Generator(where)
    for layer in _binary(model):
        layer.generator = flips
    adam = _adam(model, plan)
    done = _resume(checkpoint, request, model, adam, rng) if checkpoint else 0
    held, rest = slice(plan.validation), slice(plan.validation, None)
    with _reproducible():
        for epoch in range(done, plan.epochs):
            flips.manual_seed(int(rng.integers(2**63)))
            loss = _epoch(model, image, x[rest], y[rest], plan, epoch, adam, rng, flips)
            accuracy = math.nan
            if plan.validation:
                _settle(model, image, x[rest], plan, rng)
                said = classes(model, image, x[held])
                accuracy = float((said == y[held]).to(torch.float64).mean())
            if checkpoint:
                checkpoints.save(checkpoint, request, epoch + 1, _arrays(model, adam), rng)
            progress(epoch + 1, loss, accuracy)
        flips.manual_seed(int(rng.integers(2**63)))
        _settle(model, image, x[rest], plan, rng)
    return to_network(name, image, model)


def build(plan: Plan, image: ImageCode, n_classes: int, rng: np.random.Generator) -> nn.Sequential:
    """Make the layers of a plan, untrained.

    Parameters
    ----------
    plan : Plan
        The plan.
    image : ImageCode
        How pixels enter.
    n_classes : int
        Classes [1].
    rng : numpy.random.Generator
        Source of the initial weights.

    Returns
    -------
    torch.nn.Sequential
        `Binary`, MaxPool2d, BatchNorm and `Sign` layers, ending in `Binary` and `Scores`.

    Raises
    ------
    ParameterError
        If the images are too small for the plan.

    Examples
    --------
    >>> model = build(Plan("8", epochs=1), ImageCode((1, 2, 2)), 3, np.random.default_rng(1))
    >>> [type(part).__name__ for part in model]
    ['Flatten', 'Binary', 'BatchNorm1d', 'Sign', 'Binary', 'Scores']
    """
    shapes = sizes(plan, image.encoded)
    parts: list[nn.Module] = []
    flat = False
    for hidden, shape in zip(hidden_layers(plan.layers), shapes, strict=False):
        if hidden.kernel:
            parts.append(Binary((hidden.units, shape[0], hidden.kernel, hidden.kernel), rng))
            parts += [nn.MaxPool2d(hidden.pool)] if hidden.pool > 1 else []
            norm: nn.Module = nn.BatchNorm2d(hidden.units, eps=EPSILON)
        else:
            parts += [] if flat else [nn.Flatten()]
            flat = True
            parts.append(Binary((hidden.units, math.prod(shape)), rng))
            norm = nn.BatchNorm1d(hidden.units, eps=EPSILON)
        norm.weight.requires_grad_(False)  # a positive gain does not change a sign
        parts += [norm, Sign()]
    parts += [] if flat else [nn.Flatten()]
    n_in = math.prod(shapes[-1])
    return nn.Sequential(*parts, Binary((n_classes, n_in), rng), Scores(n_in, n_classes))


def classes(model: nn.Module, image: ImageCode, inputs: torch.Tensor) -> torch.Tensor:
    """Predict the class of each image with the running statistics and without bit errors.

    Parameters
    ----------
    model : torch.nn.Module
        The network.
    image : ImageCode
        How pixels enter.
    inputs : Tensor of uint8
        Encoded images, shape (n_images, channels, height, width) [1].

    Returns
    -------
    Tensor of int64
        Predicted classes, shape (n_images,) [1].

    Examples
    --------
    >>> image = ImageCode((1, 2, 2))
    >>> model = build(Plan("8", epochs=1), image, 3, np.random.default_rng(1))
    >>> classes(model, image, torch.zeros((5, 1, 2, 2), dtype=torch.uint8)).shape
    torch.Size([5])
    """
    model.eval()
    with torch.no_grad():
        said = [model(_values(image, part)).argmax(dim=1) for part in inputs.split(EVALUATED)]
    return torch.cat(said)


def _check(plan: Plan, shape: Shape, pixels: Bytes, labels: Bytes) -> None:
    check_images(shape, pixels, labels)
    left = len(pixels) - plan.validation
    in_range("batch", plan.batch, "1", above=2, below=left, inclusive=True)


def find_device(device: str) -> torch.device:
    """Find a device, or say that it is not there.

    Parameters
    ----------
    device : str
        "cpu" or "cuda".

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ParameterError
        If it is neither, or PyTorch sees no GPU.

    Examples
    --------
    >>> find_device("cpu")
    device(type='cpu')
    """
    if device not in ("cpu", "cuda"):
        raise ParameterError(f"device {device!r}", expected="cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ParameterError(
            "CUDA is asked for, but PyTorch sees no GPU",
            expected="a GPU and a PyTorch built for it, or device cpu",
            remedy="compare `python -c 'import torch; print(torch.version.cuda)'` with nvidia-smi",
        )
    return torch.device(device)


@contextmanager
def _reproducible() -> Iterator[None]:
    """Choose cuDNN's algorithms by what repeats to the last bit, and without rounded inputs."""
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    ):
        yield


def _values(image: ImageCode, inputs: torch.Tensor) -> torch.Tensor:
    """Give the numbers that encoded images stand for, in the layout of the fastest convolutions."""
    return (inputs.to(torch.float32) * 2 - image.peak).to(memory_format=torch.channels_last)


def _binary(model: nn.Module) -> list[Binary]:
    return [part for part in model.modules() if isinstance(part, Binary)]


def _adam(model: nn.Module, plan: Plan) -> torch.optim.Adam:
    """Make an Adam whose moments are there from the start, for a checkpoint to fill."""
    adam = torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad], lr=plan.learning_rate
    )
    for p in adam.param_groups[0]["params"]:
        zeros = [torch.zeros_like(p, memory_format=torch.preserve_format) for _ in range(2)]
        adam.state[p] = {"step": torch.zeros(()), "exp_avg": zeros[0], "exp_avg_sq": zeros[1]}
    return adam


def _tensors(model: nn.Module, adam: torch.optim.Adam) -> dict[str, torch.Tensor]:
    """Name all that training changes."""
    found = {k: v for k, v in model.state_dict().items() if v.dtype == torch.float32}
    for k, p in enumerate(adam.param_groups[0]["params"]):
        found.update({f"adam_{k}_{part}": value for part, value in adam.state[p].items()})
    return found


def _arrays(model: nn.Module, adam: torch.optim.Adam) -> dict[str, NDArray[np.float32]]:
    """Copy all that training changes, for a checkpoint."""
    return {k: v.detach().cpu().numpy().copy(order="C") for k, v in _tensors(model, adam).items()}


def _resume(
    checkpoint: Path, request: dict[str, object], model: nn.Module, adam: torch.optim.Adam,
    rng: np.random.Generator,
) -> int:  # fmt: skip
    arrays = _arrays(model, adam)
    done = checkpoints.resume(checkpoint, request, arrays, rng)
    with torch.no_grad():
        for name, tensor in _tensors(model, adam).items():
            tensor.copy_(torch.from_numpy(arrays[name]))
    return done


def _epoch(
    model: nn.Module, image: ImageCode, x: torch.Tensor, y: torch.Tensor, plan: Plan, epoch: int,
    adam: torch.optim.Adam, rng: np.random.Generator, draws: torch.Generator,
) -> float:  # fmt: skip
    """Pass over the images once; give the mean loss."""
    model.train()
    order = torch.from_numpy(rng.permutation(len(x))).to(x.device)
    n_steps = len(x) // plan.batch
    total = torch.zeros((), device=x.device)
    for k in range(n_steps):
        rows = order[k * plan.batch : (k + 1) * plan.batch]
        inputs = _values(image, x[rows])
        if plan.augment:
            inputs = _augmented(inputs, draws)
        share = rng.random() if plan.random_bit_error_rate else 1.0
        for layer in _binary(model):
            layer.bit_error_rate = plan.bit_error_rate * share
        done = (epoch * n_steps + k) / (plan.epochs * n_steps)
        adam.param_groups[0]["lr"] = plan.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
        adam.zero_grad(set_to_none=True)
        loss = _loss(model(inputs), y[rows], plan.margin)
        loss.backward()
        adam.step()
        with torch.no_grad():
            for layer in _binary(model):
                layer.weight.clamp_(-1, 1)
        total += loss.detach()
    return float(total) / n_steps


def _loss(logits: torch.Tensor, labels: torch.Tensor, margin: float) -> torch.Tensor:
    if margin <= 0:
        return functional.cross_entropy(logits, labels)
    excess = (margin + logits - logits.gather(1, labels[:, None])).clamp(min=0)
    right = functional.one_hot(labels, logits.shape[1]).to(torch.bool)
    return excess.masked_fill(right, 0.0).sum(dim=1).mean()


def _augmented(x: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
    """Shift images, with zeros beyond the border, and mirror half of them."""
    n, channels, height, width = x.shape
    p = max(1, min(height, width) // SHIFT)
    by = torch.randint(2 * p + 1, (2, n, 1), generator=draws, device=x.device)
    rows = by[0] + torch.arange(height, device=x.device)
    columns = by[1] + torch.arange(width, device=x.device)
    mirrored = torch.rand((n, 1), generator=draws, device=x.device) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    image = torch.arange(n, device=x.device)[:, None, None, None]
    channel = torch.arange(channels, device=x.device)[:, None, None]
    padded = functional.pad(x, (p, p, p, p))
    shifted = padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]
    return shifted.to(memory_format=torch.channels_last)


def _settle(
    model: nn.Module, image: ImageCode, x: torch.Tensor, plan: Plan, rng: np.random.Generator
) -> None:
    """Replace the running statistics by those of many images under the weights as they are."""
    for layer in _binary(model):
        layer.bit_error_rate = plan.bit_error_rate / (2 if plan.random_bit_error_rate else 1)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
    model.train()
    order = rng.permutation(len(x))[: STATISTICS_BATCHES * STATISTICS_IMAGES]
    with torch.no_grad():
        for rows in np.array_split(order, min(STATISTICS_BATCHES, len(order) // 2)):
            model(_values(image, x[torch.from_numpy(rows).to(x.device)]))
    model.eval()
