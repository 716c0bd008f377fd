"""NumPy trainer of small binarized perceptrons: straight-through estimator, folded batch norm.

Forward, with W = sign(w) of a real weight w and hats for flipped bits:

    z = What x,    y = (z - mean(z)) / std(z) + beta,    x' = sign(y)          (hidden layers)
    logits = z / sqrt(n_in) * LOGIT_SCALE + beta                                 (output layer)

Backward, sign and bit flips count as the identity where ``|y| <= 1`` (straight-through
estimator; Hubara et al., NeurIPS 2016, arXiv 1602.02830). Batch normalisation has
no gain: a positive gain does not change a sign, and a negative one only relabels a unit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from devicephys.bnn.network import Layer, Network
from devicephys.checks import in_range

Floats = NDArray[np.float32]
LOGIT_SCALE = np.float32(2.0)  # keeps the logits of a +-1 layer of order one: std(z) = sqrt(n_in)
EPSILON = np.float32(1e-3)
STATISTICS_BATCHES = 20  # batches that settle mean and std for the export


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes
    ----------
    hidden : tuple of int
        Units of the hidden layers [1].
    input_levels : tuple of int
        Pixel levels of the thermometer input code [1].
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
    """

    hidden: tuple[int, ...]
    input_levels: tuple[int, ...]
    epochs: int
    batch: int = 100
    learning_rate: float = 3e-3
    input_dropout: float = 0.0
    bit_error_rate: float = 0.0


@dataclass
class _Adam:
    """Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1), in place."""

    values: list[Floats]

    def __post_init__(self) -> None:
        self.m = [np.zeros_like(v) for v in self.values]
        self.v = [np.zeros_like(v) for v in self.values]
        self.t = 0

    def step(self, gradients: list[Floats], rate: float) -> None:
        self.t += 1
        step = np.float32(rate * np.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t))
        for x, g, m, v in zip(self.values, gradients, self.m, self.v, strict=True):
            m += np.float32(0.1) * (g - m)
            v += np.float32(0.001) * (g * g - v)
            x -= step * m / (np.sqrt(v) + np.float32(1e-8))


def train(
    name: str,
    inputs: Floats,
    labels: NDArray[np.uint8],
    plan: Plan,
    rng: np.random.Generator,
    progress: Callable[[int, float], None] = lambda epoch, loss: None,
) -> Network:
    """Train a binarized perceptron and export it with integer thresholds.

    Parameters
    ----------
    name : str
        Name of the network.
    inputs : ndarray of float32
        Encoded training images of -1 and +1, shape (n_images, n_inputs) [1].
    labels : ndarray of uint8
        Classes, shape (n_images,) [1].
    plan : Plan
        Sizes and schedule.
    rng : numpy.random.Generator
        Source of the initial weights, the order of the images and the bit errors.
    progress : callable, optional
        Called with (epoch from 1, mean loss of the epoch).

    Returns
    -------
    Network
        The exported network, without a record.

    Raises
    ------
    ParameterError
        If `plan.bit_error_rate` is not in [0, 0.5], `plan.input_dropout` not in [0, 1), or
        `plan.batch` not between 1 and the number of images.

    Notes
    -----
    The same `rng` state gives the same network on the same machine; float32 sums of gradients
    depend on the BLAS library and its number of threads, so another machine may give a network
    of equal accuracy with other bits.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = np.where(rng.random((200, 16)) < 0.5, -1, 1).astype(np.float32)
    >>> y = (x[:, 0] > 0).astype(np.uint8)
    >>> network = train("first input", x, y, Plan((8,), (0,), epochs=5, batch=50), rng)
    >>> network.layers[0].weights.shape
    (8, 16)
    """
    p = float(in_range("bit_error_rate", plan.bit_error_rate, "1", above=0, below=0.5,
                       inclusive=True))  # fmt: skip
    in_range("input_dropout", plan.input_dropout, "1", above=-1e-300, below=1)
    in_range("batch", plan.batch, "1", above=1, below=len(inputs), inclusive=True)
    sizes = [inputs.shape[1], *plan.hidden, int(labels.max()) + 1]
    weights = [
        rng.uniform(-1, 1, (n_out, n_in)).astype(np.float32)
        * np.float32(np.sqrt(6 / (n_in + n_out)))
        for n_in, n_out in pairwise(sizes)
    ]
    betas = [np.zeros(n, np.float32) for n in sizes[1:]]
    adam = _Adam(weights + betas)
    n_steps = len(inputs) // plan.batch
    for epoch in range(plan.epochs):
        order = rng.permutation(len(inputs))
        total = 0.0
        for k in range(n_steps):
            rows = order[k * plan.batch : (k + 1) * plan.batch]
            x = inputs[rows]
            if plan.input_dropout:
                x = x * (rng.random(x.shape, np.float32) >= plan.input_dropout)
            loss, gradients = _gradients(weights, betas, x, labels[rows], p, rng)
            done = (epoch * n_steps + k) / (plan.epochs * n_steps)
            adam.step(gradients, plan.learning_rate * 0.5 * (1 + np.cos(np.pi * done)))
            for w in weights:
                np.clip(w, -1, 1, out=w)
            total += loss
        progress(epoch + 1, total / n_steps)
    return _export(name, plan, weights, betas, inputs, p, rng)


def _binary(w: Floats, p: float, rng: np.random.Generator) -> Floats:
    signs = np.where(w >= 0, np.float32(1), np.float32(-1))
    if p > 0:
        signs[rng.random(w.shape, np.float32) < p] *= -1
    return signs


def _normalise(z: Floats) -> tuple[Floats, Floats]:
    sigma = np.sqrt(z.var(axis=0) + EPSILON)
    return (z - z.mean(axis=0)) / sigma, sigma


def _gradients(
    weights: list[Floats],
    betas: list[Floats],
    x: Floats,
    labels: NDArray[np.uint8],
    p: float,
    rng: np.random.Generator,
) -> tuple[float, list[Floats]]:
    """Give the mean cross-entropy and its gradients in the order weights, betas."""
    signs = [_binary(w, p, rng) for w in weights]
    activations, tape = [x], []
    for w, beta in zip(signs[:-1], betas[:-1], strict=True):
        normal, sigma = _normalise(activations[-1] @ w.T)
        tape.append((normal, sigma, normal + beta))
        activations.append(np.where(tape[-1][2] >= 0, np.float32(1), np.float32(-1)))
    scale = LOGIT_SCALE / np.float32(np.sqrt(signs[-1].shape[1]))
    logits = activations[-1] @ signs[-1].T * scale + betas[-1]
    logits -= logits.max(axis=1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    g = np.exp(log_p)
    g[rows, labels] -= 1
    g /= np.float32(len(labels))
    g_betas = [g.sum(axis=0)]
    g *= scale
    g_weights = [g.T @ activations[-1]]
    for k in range(len(tape) - 1, -1, -1):
        normal, sigma, y = tape[k]
        g = (g @ signs[k + 1]) * (np.abs(y) <= 1)
        g_betas.insert(0, g.sum(axis=0))
        g = (g - g.mean(axis=0) - normal * (g * normal).mean(axis=0)) / sigma
        g_weights.insert(0, g.T @ activations[k])
    return float(-log_p[rows, labels].mean()), g_weights + g_betas


def _export(
    name: str,
    plan: Plan,
    weights: list[Floats],
    betas: list[Floats],
    inputs: Floats,
    p: float,
    rng: np.random.Generator,
) -> Network:
    """Fold the batch norm: z >= mean - beta std, and z is an integer, so round up."""
    layers = []
    x = inputs[rng.permutation(len(inputs))]
    for w, beta in zip(weights[:-1], betas[:-1], strict=True):
        chunks = np.array_split(x, STATISTICS_BATCHES)
        z = np.concatenate([chunk @ _binary(w, p, rng).T for chunk in chunks])
        threshold = np.ceil(z.mean(axis=0) - beta * np.sqrt(z.var(axis=0) + EPSILON))
        limit = w.shape[1] + 1  # a unit that never or always fires
        threshold = np.clip(threshold, -limit, limit)
        layers.append(Layer(_binary(w, 0, rng).astype(np.int8), threshold.astype(np.int32)))
        x = np.where(z >= threshold, np.float32(1), np.float32(-1))
    w, scale = weights[-1], LOGIT_SCALE / np.sqrt(weights[-1].shape[1])
    limit = w.shape[1] + 1
    offset = np.clip(np.rint(-betas[-1] / scale), -limit, limit)
    layers.append(Layer(_binary(w, 0, rng).astype(np.int8), offset.astype(np.int32)))
    return Network(name, plan.input_levels, tuple(layers))
