"""NumPy trainer of small binarized perceptrons: straight-through estimator, folded batch norm.

Forward, with W = sign(w) of a real weight w and hats for flipped bits:

    z = What x,    y = (z - mean(z)) / std(z) + beta,    x' = sign(y)          (hidden layers)
    logits = z / sqrt(n_in) * LOGIT_SCALE + beta                                 (output layer)

Backward, sign and bit flips count as the identity where ``|y| <= 1`` (straight-through
estimator; Hubara et al., NeurIPS 2016, arXiv 1602.02830). Batch normalisation has
no gain: a positive gain does not change a sign, and a negative one only relabels a unit.
8-bit pixels enter as the odd integers 2 p - 255, as they do at inference: sums stay exact, and
batch normalisation takes the scale out.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devicephys import __version__
from devicephys.bnn import checkpoint as checkpoints
from devicephys.bnn.inference import encode_images, predict, signs
from devicephys.bnn.network import ImageCode, Layer, Network, Shape
from devicephys.checks import ZERO, in_range, whole
from devicephys.errors import DataError
from devicephys.io.files import sha256

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
LOGIT_SCALE = np.float32(2.0)  # keeps the logits of a +-1 layer of order one: std(z) = sqrt(n_in)
EPSILON = np.float32(1e-3)
STATISTICS_BATCHES = 20  # that settle mean and std for the export, each with its bit errors
STATISTICS_IMAGES = 10_000  # of an export after an epoch: means to 1 % of a std


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes
    ----------
    hidden : tuple of int
        Units of the hidden layers [1].
    input_levels : tuple of int
        Pixel levels of the thermometer input code; empty for 8-bit input [1].
    epochs : int
        Passes over the training images [1].
    batch : int
        Images a step [1].
    learning_rate : float
        First step size of Adam, brought to zero along a cosine [1].
    input_dropout : float
        Probability that an input is left out of a step (Srivastava et al., J. Mach. Learn. Res.
        15 (2014) 1929): keeps large networks from learning the training images by heart [1].
    bit_error_rate : float
        Probability that a weight bit is flipped, drawn afresh for every step [1].
    random_bit_error_rate : bool
        Whether every step draws its own rate, uniformly from 0 to `bit_error_rate`, so that the
        network does not fit the one rate that it has seen, as Buschjaeger et al. (arXiv
        2002.00909) report; its thresholds are those of the mean rate.
    margin : float
        Margin of a multi-class hinge loss, in the units of the logits, in place of the
        cross-entropy: sums far from a tie stand more bit errors; 0 for the cross-entropy [1].
    validation : int
        Training images held out, to tell the accuracy after every epoch [1].
    """

    hidden: tuple[int, ...]
    input_levels: tuple[int, ...]
    epochs: int
    batch: int = 100
    learning_rate: float = 3e-3
    input_dropout: float = 0.0
    bit_error_rate: float = 0.0
    random_bit_error_rate: bool = False
    margin: float = 0.0
    validation: int = 0


class _Adam:
    """Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1), in place, gradients included."""

    def __init__(self, values: list[Floats]) -> None:
        self.values = values
        self.m = [np.zeros_like(v) for v in values]
        self.v = [np.zeros_like(v) for v in values]
        self.scratch = [np.empty_like(v) for v in values]
        self.t = 0

    def step(self, gradients: list[Floats], rate: float) -> None:
        self.t += 1
        step = np.float32(rate * np.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t))
        for x, g, m, v, s in zip(
            self.values, gradients, self.m, self.v, self.scratch, strict=True
        ):  # m += 0.1 (g - m), v += 0.001 (g^2 - v), x -= step m / (sqrt(v) + 1e-8)
            m += np.multiply(np.subtract(g, m, out=s), np.float32(0.1), out=s)
            np.multiply(g, g, out=g)
            v += np.multiply(np.subtract(g, v, out=g), np.float32(0.001), out=g)
            np.add(np.sqrt(v, out=g), np.float32(1e-8), out=g)
            x -= np.divide(np.multiply(m, step, out=s), g, out=s)

    def arrays(self) -> dict[str, Floats]:
        parts = {"value": self.values, "mean": self.m, "square": self.v}
        return {f"{part}_{k}": x for part, row in parts.items() for k, x in enumerate(row)}


def train(
    name: str,
    shape: Shape,
    pixels: Bytes,
    labels: Bytes,
    plan: Plan,
    rng: np.random.Generator,
    progress: Callable[[int, float, float], None] = lambda epoch, loss, accuracy: None,
    checkpoint: Path | None = None,
) -> Network:
    """Train a binarized perceptron and export it with integer thresholds.

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
        Sizes and schedule.
    rng : numpy.random.Generator
        Source of the images held out, the initial weights, the order of the images and the bit
        errors.
    progress : callable, optional
        Called with (epoch from 1, mean loss of the epoch, accuracy of the network, exported as it
        is now, on the images held out; NaN without any).
    checkpoint : Path, optional
        File that is written after every epoch, and from which an interrupted training goes on.
        It is left behind: remove it once the network is safe.

    Returns
    -------
    Network
        The exported network, without a record.

    Raises
    ------
    ParameterError
        If `plan.bit_error_rate` is not in [0, 0.5], `plan.input_dropout` not in [0, 1),
        `plan.margin` or `plan.learning_rate` negative, or `plan.batch` not between 1 and the
        number of images that are not held out.
    DataError
        If the images and labels do not fit each other, or the checkpoint is damaged.
    OutputExistsError
        If the checkpoint is of another plan, other images, another start of `rng` or version.

    Notes
    -----
    The same `rng` state gives the same network on the same machine, interrupted or not; float32
    sums of gradients depend on the BLAS library and its number of threads, so another machine may
    give a network of equal accuracy with other bits.

    The hinge loss (Weston and Watkins, ESANN 1999) is the sum over the wrong classes j of
    max(0, margin + logit_j - logit_label), where logits of random weights spread by
    `LOGIT_SCALE` = 2.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = rng.integers(0, 256, (200, 16), np.uint8)
    >>> y = (x[:, 0] > 127).astype(np.uint8)
    >>> plan = Plan((8,), (127,), epochs=5, batch=50)
    >>> network = train("first pixel", (1, 4, 4), x, y, plan, rng)
    >>> network.layers[0].weights.shape
    (8, 16)
    """
    _check(plan, shape, pixels, labels)
    request = {
        "devicephys_version": __version__,
        "plan": asdict(plan),
        "images": sha256(repr(shape).encode() + pixels.tobytes() + labels.tobytes()),
        "start of the random numbers": checkpoints.state_text(rng),
    }
    image = ImageCode(shape, plan.input_levels)
    held, rest = np.split(_order(len(pixels), plan, rng), [plan.validation])
    inputs, classes = encode_images(image, pixels[rest]), labels[rest]
    inputs_held = encode_images(image, pixels[held])
    weights, betas = _start([inputs.shape[1], *plan.hidden, int(labels.max()) + 1], rng)
    adam = _Adam(weights + betas)
    done = checkpoints.resume(checkpoint, request, adam.arrays(), rng) if checkpoint else 0
    adam.t = done * (len(inputs) // plan.batch)
    for epoch in range(done, plan.epochs):
        loss = _epoch(image, inputs, classes, plan, epoch, adam, rng)
        accuracy = np.nan
        if plan.validation:
            some = inputs[:STATISTICS_IMAGES]
            network = _export(name, image, plan, weights, betas, some, rng)
            said = predict(network, inputs_held)
            accuracy = float((said == labels[held]).mean())
        if checkpoint:
            checkpoints.save(checkpoint, request, epoch + 1, adam.arrays(), rng)
        progress(epoch + 1, loss, accuracy)
    return _export(name, image, plan, weights, betas, inputs, rng)


def check_images(shape: Shape, pixels: Bytes, labels: Bytes) -> None:
    """Check that images are of a shape and that each has a label.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of an image [1].
    pixels : ndarray of uint8
        Images, shape (n_images, n_pixels) [1].
    labels : ndarray of uint8
        Classes, shape (n_images,) [1].

    Raises
    ------
    DataError
        If they do not fit.

    Examples
    --------
    >>> check_images((1, 1, 2), np.zeros((3, 2), np.uint8), np.zeros(2, np.uint8))
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: labels of shape (2,) for 3 images; expected a label an image
    """
    n_pixels = ImageCode(shape).n_pixels
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != n_pixels:
        raise DataError(
            f"images of {pixels.dtype}, shape {pixels.shape}",
            expected=f"uint8, (n_images, {n_pixels})",
        )
    if labels.shape != pixels.shape[:1]:
        raise DataError(
            f"labels of shape {labels.shape} for {len(pixels)} images", expected="a label an image"
        )


def _check(plan: Plan, shape: Shape, pixels: Bytes, labels: Bytes) -> None:
    check_images(shape, pixels, labels)
    for k, units in enumerate(plan.hidden):
        whole(f"hidden[{k}]", units, least=1)
    whole("epochs", plan.epochs, least=1)
    whole("validation", plan.validation, least=0)
    rate = plan.bit_error_rate
    in_range("bit_error_rate", rate, "1", above=0, below=0.5, inclusive=True)
    in_range("input_dropout", plan.input_dropout, "1", above=-ZERO, below=1)
    in_range("margin", plan.margin, "1", above=-ZERO)
    in_range("learning_rate", plan.learning_rate, "1", above=0)
    whole("batch", plan.batch, least=1)
    left = len(pixels) - plan.validation
    in_range("batch", plan.batch, "1", above=1, below=left, inclusive=True)


def _order(n: int, plan: Plan, rng: np.random.Generator) -> NDArray[np.intp]:
    return rng.permutation(n) if plan.validation else np.arange(n)


def _start(sizes: list[int], rng: np.random.Generator) -> tuple[list[Floats], list[Floats]]:
    weights = [
        rng.uniform(-1, 1, (n_out, n_in)).astype(np.float32)
        * np.float32(np.sqrt(6 / (n_in + n_out)))
        for n_in, n_out in pairwise(sizes)
    ]
    return weights, [np.zeros(n, np.float32) for n in sizes[1:]]


def _epoch(
    image: ImageCode, inputs: Bytes, labels: Bytes, plan: Plan, epoch: int,
    adam: _Adam, rng: np.random.Generator,
) -> float:  # fmt: skip
    """Pass over the images once; give the mean loss."""
    n_layers = len(adam.values) // 2
    weights, betas = adam.values[:n_layers], adam.values[n_layers:]
    order = rng.permutation(len(inputs))
    n_steps = len(inputs) // plan.batch
    total = 0.0
    for k in range(n_steps):
        rows = order[k * plan.batch : (k + 1) * plan.batch]
        x = signs(image, inputs[rows])
        if plan.input_dropout:
            x *= rng.random(x.shape, np.float32) >= plan.input_dropout
        p = plan.bit_error_rate * (rng.random() if plan.random_bit_error_rate else 1)
        loss, gradients = _gradients(
            weights, betas, x, labels[rows], p, rng, plan.margin, image.peak
        )
        done = (epoch * n_steps + k) / (plan.epochs * n_steps)
        adam.step(gradients, plan.learning_rate * 0.5 * (1 + np.cos(np.pi * done)))
        for w in weights:
            np.clip(w, -1, 1, out=w)
        total += loss
    return total / n_steps


def _binary(w: Floats, p: float, rng: np.random.Generator) -> Floats:
    positive = w >= 0
    if p > 0:
        positive ^= rng.random(w.shape, np.float32) < p
    return np.where(positive, np.float32(1), np.float32(-1))


def _normalise(z: Floats) -> tuple[Floats, Floats]:
    sigma = np.sqrt(z.var(axis=0) + EPSILON)
    return (z - z.mean(axis=0)) / sigma, sigma


def _logit_scale(sizes: list[int], peak: int) -> np.float32:
    """Scale of the output sums, given the inputs of every layer; 8-bit only where that is one."""
    return LOGIT_SCALE / np.float32(np.sqrt(sizes[-1]) * (peak if len(sizes) == 1 else 1))


def _loss(logits: Floats, labels: Bytes, margin: float) -> tuple[float, Floats]:
    """Give the mean loss of a batch and its gradient by the logits."""
    rows = np.arange(len(labels))
    if margin > 0:
        excess = np.float32(margin) + logits - logits[rows, labels][:, None]
        excess[rows, labels] = 0
        np.maximum(excess, 0, out=excess)
        g = (excess > 0).astype(logits.dtype)
        g[rows, labels] = -g.sum(axis=1)
        value = excess.sum() / len(labels)
    else:
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        g = np.exp(log_p)
        g[rows, labels] -= 1
        value = -log_p[rows, labels].mean()
    g /= np.float32(len(labels))
    return float(value), g


def _gradients(
    weights: list[Floats],
    betas: list[Floats],
    x: Floats,
    labels: Bytes,
    p: float,
    rng: np.random.Generator,
    margin: float,
    peak: int,
) -> tuple[float, list[Floats]]:
    """Give the mean loss and its gradients in the order weights, betas."""
    flipped = [_binary(w, p, rng) for w in weights]
    activations, tape = [x], []
    for w, beta in zip(flipped[:-1], betas[:-1], strict=True):
        normal, sigma = _normalise(activations[-1] @ w.T)
        tape.append((normal, sigma, normal + beta))
        activations.append(np.where(tape[-1][2] >= 0, np.float32(1), np.float32(-1)))
    scale = _logit_scale([w.shape[1] for w in weights], peak)
    logits = activations[-1] @ flipped[-1].T * scale + betas[-1]
    loss, g = _loss(logits, labels, margin)
    g_betas = [g.sum(axis=0)]
    g *= scale
    g_weights = [g.T @ activations[-1]]
    for k in range(len(tape) - 1, -1, -1):
        normal, sigma, y = tape[k]
        g = (g @ flipped[k + 1]) * (np.abs(y) <= 1)
        g_betas.insert(0, g.sum(axis=0))
        g = (g - g.mean(axis=0) - normal * (g * normal).mean(axis=0)) / sigma
        g_weights.insert(0, g.T @ activations[k])
    return loss, g_weights + g_betas


def _export(
    name: str,
    image: ImageCode,
    plan: Plan,
    weights: list[Floats],
    betas: list[Floats],
    inputs: Bytes,
    rng: np.random.Generator,
) -> Network:
    """Fold the batch norm: z >= mean - beta std, and z is an integer, so round up."""
    p = plan.bit_error_rate / (2 if plan.random_bit_error_rate else 1)
    x = signs(image, inputs[rng.permutation(len(inputs))])
    peak = image.peak
    layers = []
    for w, beta in zip(weights[:-1], betas[:-1], strict=True):
        chunks = np.array_split(x, STATISTICS_BATCHES)
        sums = [chunk @ _binary(w, p, rng).T for chunk in chunks]
        mean = sum(z.sum(axis=0, dtype=np.float64) for z in sums) / len(x)
        variance = sum(((z - mean) ** 2).sum(axis=0) for z in sums) / len(x)
        threshold = np.ceil(mean - beta * np.sqrt(variance + EPSILON))
        layers.append(_layer(w, threshold, peak))
        x = np.concatenate([np.where(z >= threshold, np.float32(1), np.float32(-1)) for z in sums])
        peak = 1
    scale = _logit_scale([w.shape[1] for w in weights], image.peak)
    layers.append(_layer(weights[-1], np.rint(-betas[-1] / scale), peak))
    return Network(name, image, tuple(layers))


def _layer(w: Floats, threshold: NDArray[np.floating], peak: int) -> Layer:
    limit = peak * w.shape[1] + 1  # a unit that never or always fires
    bits = np.where(w >= 0, 1, -1).astype(np.int8)
    return Layer(bits, np.clip(threshold, -limit, limit).astype(np.int32))
