"""From a trained PyTorch model to a network of bits and integers."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from devicephys.bnn import trained
from devicephys.bnn.batch_norm import BatchNorm
from devicephys.bnn.network import ImageCode, Network
from devicephys.errors import DataError
from devicephys.learning.straight_through import Binary, Scores, Sign


def to_network(name: str, image: ImageCode, model: nn.Sequential) -> Network:
    """Export a model with its running statistics: classes are those that it gives in evaluation.

    Parameters
    ----------
    name : str
        Name of the network.
    image : ImageCode
        How pixels enter.
    model : torch.nn.Sequential
        Layers in the order that `devicephys.learning.conv_training.build` gives them.

    Returns
    -------
    Network
        The network, without a record.

    Raises
    ------
    DataError
        If the layers are of another kind or in another order.

    Notes
    -----
    The model itself compares sums in float32: it may differ from its export, which decides
    by the exact value, where a normalised sum is zero to some 1e-6, and where float32 convolution
    kernels round their sums.

    Examples
    --------
    >>> from devicephys.learning.plan import Plan
    >>> from devicephys.learning.conv_training import build
    >>> image = ImageCode((1, 2, 2))
    >>> model = build(Plan("8", epochs=1), image, 3, np.random.default_rng(1))
    >>> [layer.weights.shape for layer in to_network("tiny", image, model).layers]
    [(8, 4), (3, 8)]
    """
    layers: list[trained.Trained] = []
    parts = [part for part in model if not isinstance(part, nn.Flatten)]
    while parts:
        binary = parts.pop(0)
        pool = parts.pop(0) if parts and isinstance(parts[0], nn.MaxPool2d) else None
        norm = parts.pop(0) if parts else None
        ends = isinstance(norm, Scores) and not parts
        signed = isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d) and parts
        if not isinstance(binary, Binary) or not (
            ends or (signed and isinstance(parts.pop(0), Sign))
        ):
            raise DataError(
                f"model of {', '.join(type(part).__name__ for part in model)}",
                expected="Binary, perhaps MaxPool2d, BatchNorm and Sign again and again, then "
                "Binary and Scores",
            )
        weights = _array(binary.weight)
        padding = weights.shape[-1] // 2 if weights.ndim == 4 else 0
        edge = pool.kernel_size if pool is not None else 1
        layers.append(trained.Trained(weights, _norm(norm, len(weights)), padding, edge, True))
    return trained.to_network(name, image, layers)[0]


def _norm(norm: nn.Module, n_out: int) -> BatchNorm:
    zero, one = np.zeros(n_out), np.ones(n_out)
    if isinstance(norm, Scores):
        return BatchNorm(norm.scale * one, _array(norm.shift), zero, one, zero, epsilon=0.0)
    gamma, beta, mean, variance = (
        _array(x) for x in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    return BatchNorm(gamma, beta, mean, variance, zero, epsilon=norm.eps)


def _array(x: torch.Tensor) -> NDArray[np.float64]:
    values: NDArray[np.float64] = x.detach().cpu().numpy().astype(np.float64)
    return values
