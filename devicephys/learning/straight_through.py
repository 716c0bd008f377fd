"""Signs with a straight-through gradient, and layers of binary weights with bit errors.

Forward, a weight is the sign of the real number w that is trained, flipped with the bit error
rate, and an activation is sign(y), zero included as +1. Backward, both count as the identity,
that of an activation only where ``|y| <= 1`` (Hubara et al., NeurIPS 2016, arXiv 1602.02830).
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

LOGIT_SCALE = 2.0  # keeps the logits of a +-1 layer of order one: std(z) = sqrt(n_in)


def sign(x: torch.Tensor) -> torch.Tensor:
    """Give the signs of numbers, with the gradient of the identity where ``|x| <= 1``.

    Parameters
    ----------
    x : Tensor
        The numbers, any shape [1].

    Returns
    -------
    Tensor
        -1 and +1, +1 for zero, same shape [1].

    Examples
    --------
    >>> x = torch.tensor([-2.0, -0.5, 0.0, 3.0], requires_grad=True)
    >>> y = sign(x)
    >>> y.sum().backward()
    >>> y.tolist(), x.grad.tolist()
    ([-1.0, -1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0])
    """
    return _through(_signs(x), x.clamp(-1, 1))


def noisy_sign(
    w: torch.Tensor, bit_error_rate: float, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Give the signs of weights, some of them flipped, with the gradient of the identity.

    Parameters
    ----------
    w : Tensor
        Real weights, any shape [1].
    bit_error_rate : float
        Probability that a sign is flipped [1].
    generator : torch.Generator, optional
        Source of the flips, on the device of the weights.

    Returns
    -------
    Tensor
        -1 and +1, same shape [1].

    Examples
    --------
    >>> noisy_sign(torch.tensor([-0.5, 0.5]), 0.0).tolist()
    [-1.0, 1.0]
    """
    signs = _signs(w)
    if bit_error_rate > 0:
        draws = torch.rand(w.shape, generator=generator, device=w.device)
        signs = torch.where(draws < bit_error_rate, -signs, signs)
    return _through(signs, w)


def _signs(x: torch.Tensor) -> torch.Tensor:
    return (x.detach() >= 0).to(x.dtype) * 2 - 1


def _through(value: torch.Tensor, carrier: torch.Tensor) -> torch.Tensor:
    """Give the value exactly (x - x is zero), with the gradient of the carrier."""
    return value + (carrier - carrier.detach())


class Sign(nn.Module):
    """Layer that gives the signs of what it is given."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the signs."""
        return sign(x)


class Binary(nn.Module):
    """Fully connected layer or convolution ("same" padding) whose weights are signs.

    Parameters
    ----------
    shape : tuple of int
        Of the weights, (n_out, n_in) or (n_out, channels, k, k) [1].
    rng : numpy.random.Generator
        Source of the first real weights, uniform (Glorot and Bengio, AISTATS 2010).
    """

    def __init__(self, shape: tuple[int, ...], rng: np.random.Generator) -> None:
        super().__init__()
        edge = math.sqrt(6 / ((shape[0] + shape[1]) * math.prod(shape[2:])))
        start = (rng.uniform(-1, 1, shape) * edge).astype(np.float32)
        self.weight = nn.Parameter(torch.from_numpy(start))
        self.bit_error_rate = 0.0  # of training: evaluation sees the clean weights
        self.generator: torch.Generator | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the sums."""
        w = noisy_sign(self.weight, self.bit_error_rate if self.training else 0.0, self.generator)
        if w.ndim == 2:
            return functional.linear(x, w)
        return functional.conv2d(x, w, padding=w.shape[-1] // 2)


class Scores(nn.Module):
    """Logits of the output sums: one scale for all classes, and a shift for each.

    Parameters
    ----------
    n_in : int
        Inputs of the output layer [1].
    n_classes : int
        Classes [1].
    """

    def __init__(self, n_in: int, n_classes: int) -> None:
        super().__init__()
        self.scale = LOGIT_SCALE / math.sqrt(n_in)
        self.shift = nn.Parameter(torch.zeros(n_classes))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Give the logits."""
        return z * self.scale + self.shift
