"""Importer of binarized networks from ONNX and QONNX files.

The file is a chain of operations on images: Flatten or Reshape where needed; then for each layer a
convolution or matrix product, whose weights are plus and minus one scale for each output, as they
are or through BipolarQuant, a Quant of 1 bit or Sign; MaxPool, BatchNormalization, factors and
terms; a Sign, BipolarQuant or Quant of 1 bit. The last layer has no sign. With weights f W and
inputs s x, a layer gives y = f s z + b of its integer sum z = W x. The scales go into the batch
normalisation that follows, gamma (y - mean) / sqrt(variance + epsilon) + beta, as gamma f s,
mean / (f s) and b / (f s). These quotients are rounded to float64, and thresholds are exact for
them: they are those of the file itself where scales are 1 or powers of two.

BipolarQuant is +1 at zero, as networks here are. ONNX's Sign is 0 there, which no network of bits
can give: where a normalised sum can be exactly 0, the network says +1, and its record says of how
many units.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devicephys.bnn.batch_norm import SIGNS, BatchNorm, Inputs
from devicephys.bnn.network import ImageCode, Network
from devicephys.bnn.onnx_graph import Array, Operation, read_chain
from devicephys.bnn.trained import Trained, to_network
from devicephys.errors import DataError

Floats = NDArray[np.float64]
_PRODUCTS = ("Conv", "Gemm", "MatMul")
_AFFINE = ("Add", "Sub", "Mul", "Div")
_FLAT = ("Flatten", "Reshape")
_SCORES = ("Softmax", "LogSoftmax", "ArgMax")  # keep the order of the scores


@dataclass(frozen=True)
class _Draft:
    """A layer while its operations are read."""

    weights: NDArray[np.float32]  # -1 and +1
    factor: Floats  # y = factor z + bias, then what the norm makes of y
    bias: Floats
    rank: int  # axes of what it gives
    padding: int = 0
    pool: int = 1
    pool_first: bool = False
    norm: BatchNorm | None = None
    sign: str = ""  # the operation that gives the signs
    scale: float = 1.0  # of the signs
    ended: str = ""  # by Softmax or ArgMax


def from_onnx(
    name: str, path: str | Path, image: ImageCode, inputs: Inputs | None = None
) -> Network:
    """Import a network from an ONNX or QONNX file.

    Parameters
    ----------
    name : str
        Name of the network.
    path : str or Path
        The file: a chain of operations, as the module describes it, on images (n, channels, height,
        width) or rows (n, n_inputs).
    image : ImageCode
        Images that go in. With a thermometer code the network was trained on its -1 and +1.
    inputs : Inputs, optional
        What the file is given for 8-bit pixels p, scale (2 p - 255) + offset: scale 1 / 510 and
        offset 0.5 for inputs from 0 to 1; the integers themselves where left out.

    Returns
    -------
    Network
        The network. Its record states ``score_bound``, see `fold_scores`, and ``units_at_zero``:
        for each hidden layer the units whose Sign can be 0 in the file, +1 here.

    Raises
    ------
    DataError
        If the file cannot be read, branches, or has an operation, weights or shapes that no
        network here has.
    ParameterError
        If onnx is not installed.

    Examples
    --------
    >>> from_onnx("mine", "missing.onnx", ImageCode((1, 28, 28)))
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.onnx: no such file; check the path
    """
    shape, operations = read_chain(path)
    sizes = {2: (math.prod(image.encoded),), 4: image.encoded}.get(len(shape))
    if sizes is None or any(x not in (0, y) for x, y in zip(shape[1:], sizes, strict=True)):
        raise DataError(
            f"an input of shape {shape}", where=str(path),
            expected=f"(n, {', '.join(map(str, image.encoded))}), or rows of them",
        )  # fmt: skip
    first = next((k for k, x in enumerate(operations) if x.op in _PRODUCTS), len(operations))
    with np.errstate(all="ignore"):  # what is beyond floats is refused as such below
        given, rank = _start(operations[:first], inputs or Inputs(image.peak), len(shape))
        drafts: list[_Draft] = []
        for operation in operations[first:]:
            if operation.op in _PRODUCTS:
                drafts.append(_product(operation, drafts[-1] if drafts else None, rank))
            else:
                drafts[-1] = _follow(operation, drafts[-1])
        if not drafts or drafts[-1].sign:
            raise DataError(
                "no layer at the end whose sums are scores", where=str(path),
                expected="Gemm or MatMul without a sign after it",
            )  # fmt: skip
        try:
            layers = [_trained(draft) for draft in drafts]
            network, bound = to_network(name, image, layers, given)
        except DataError as err:
            raise DataError(f"no network that can be imported ({err})", where=str(path)) from err
    zeros = [
        units_at_zero(layer, SIGNS if k else given) if draft.sign == "Sign" else 0
        for k, (draft, layer) in enumerate(zip(drafts[:-1], layers[:-1], strict=True))
    ]
    return replace(network, record={"score_bound": float(bound), "units_at_zero": zeros})


def units_at_zero(layer: Trained, inputs: Inputs = SIGNS) -> int:
    """Count the units of a hidden layer whose normalised sum can be exactly zero.

    Sums of n odd numbers are odd or even as n is, so that most units never are.

    Parameters
    ----------
    layer : Trained
        The layer.
    inputs : Inputs, optional
        What it is given, odd integers.

    Returns
    -------
    int
        Units of which an integer sum in range, odd or even as sums of it are, gives 0 [1].

    Examples
    --------
    >>> one, zero = np.ones(2), np.zeros(2)
    >>> norm = BatchNorm(one, zero, np.array([1.0, 2.0]), one, zero, epsilon=0.0)
    >>> units_at_zero(Trained(np.ones((2, 3)), norm))  # z - 1 and z - 2, with z = -3, -1, 1 or 3
    1
    """
    norm, n_in = layer.norm, math.prod(layer.weights.shape[1:])
    # at the edges of padded images sums have fewer terms, by multiples of the channels
    both = layer.padding > 0 and layer.weights.shape[1] % 2 == 1
    totals = layer.weights.reshape(len(layer.weights), -1).sum(axis=1, dtype=np.float64)
    found = 0
    for k, total in enumerate(totals.tolist()):
        gamma, beta, mean, variance, bias = (
            Fraction(x[k].item())
            for x in (norm.gamma, norm.beta, norm.mean, norm.variance, norm.bias)
        )
        if gamma == 0:
            found += beta == 0
            continue
        root = _root(variance + Fraction(norm.epsilon)) if beta else Fraction(0)
        if root is None:  # irrational, while all else is a fraction
            continue
        offset = Fraction(inputs.offset) * Fraction(total)
        z = (mean - bias - offset - beta * root / gamma) / Fraction(inputs.scale)
        in_range = z.denominator == 1 and abs(z) <= inputs.peak * n_in
        found += in_range and (both or (int(z) - n_in) % 2 == 0)
    return found


def _root(x: Fraction) -> Fraction | None:
    """Give the square root of a fraction where it is one."""
    root = Fraction(math.isqrt(x.numerator), math.isqrt(x.denominator))
    return root if root * root == x else None


def _trained(draft: _Draft) -> Trained:
    """Take the scales of weights and inputs into the batch normalisation."""
    one, zero = np.ones(len(draft.factor)), np.zeros(len(draft.factor))
    norm = draft.norm or BatchNorm(one, zero, zero, one, zero, 0.0)
    norm = replace(
        norm, gamma=norm.gamma * draft.factor, mean=norm.mean / draft.factor,
        bias=draft.bias / draft.factor,
    )  # fmt: skip
    return Trained(draft.weights, norm, draft.padding, draft.pool, draft.pool_first)


def _start(operations: Sequence[Operation], given: Inputs, rank: int) -> tuple[Inputs, int]:
    """Read what comes before the first layer."""
    for operation in operations:
        if operation.op in _AFFINE:
            factor, term = (float(x[0]) for x in _affine(operation, 1, rank))
            given = Inputs(given.peak, given.scale * factor, given.offset * factor + term)
        elif operation.op in ("Sign", "BipolarQuant") and given.peak == 1 and not given.offset:
            given = Inputs(1, _scale(operation))
        elif operation.op in _FLAT:
            rank = _flat(operation)
        elif operation.op != "Identity":
            raise DataError(
                f"{operation.op} before the first layer", where=operation.where,
                expected="a layer, Flatten, Reshape, one factor or term; signs of inputs +-1 alone",
            )  # fmt: skip
    return given, rank


def _product(operation: Operation, before: _Draft | None, rank: int) -> _Draft:
    """Start a layer from its product."""
    scale = 1.0
    if before is not None:
        if not before.sign:
            raise DataError(
                f"{operation.op} of numbers that are no signs", where=operation.where,
                expected="Sign, BipolarQuant or Quant of 1 bit between two layers",
            )  # fmt: skip
        rank, scale = before.rank, before.scale
    said, operands, convolution = operation.attributes, operation.operands, operation.op == "Conv"
    most = 1 if operation.op == "MatMul" else 2
    axes = 4 if convolution else 2
    if not 1 <= len(operands) <= most or operands[0].ndim != axes or rank != axes:
        raise DataError(
            f"{operation.op} of {rank} axes with {_shapes(operands)}", where=operation.where,
            expected="4 axes for Conv, 2 for Gemm and MatMul" + (" (Flatten)" if rank == 4 else ""),
        )  # fmt: skip
    weights = operands[0]
    if operation.op == "MatMul" or (operation.op == "Gemm" and not said.get("transB", 0)):
        weights = weights.T
    pads = tuple(said.get("pads", (0,) * 4))
    if convolution and (
        len(set(pads)) != 1 or len(pads) != 4
        or tuple(said.get("kernel_shape", weights.shape[2:])) != weights.shape[2:]
    ):  # fmt: skip
        raise DataError(
            f"pads {pads} around a kernel {weights.shape[2:]}", where=operation.where,
            expected="the same zeros on all sides, kernel_shape as the weights have it",
        )  # fmt: skip
    magnitude = np.abs(weights.reshape(len(weights), math.prod(weights.shape[1:])))
    if not magnitude.size or (magnitude != magnitude[:, :1]).any() or not magnitude.all():
        raise DataError(
            f"weights of shape {weights.shape} with other numbers than plus and minus one scale",
            where=operation.where, expected="one scale, not 0, for all weights of an output",
            remedy="export the binarized weights, or BipolarQuant or Sign before them",
        )  # fmt: skip
    factor = magnitude[:, 0].astype(np.float64) * scale
    draft = _Draft(
        np.sign(weights).astype(np.float32), factor, np.zeros(len(weights)), rank,
        padding=int(pads[0]) if convolution else 0,
    )  # fmt: skip
    if len(operands) == 1:
        return draft
    if operands[1].ndim > 1 and convolution:
        raise DataError(f"bias {_shapes(operands[1:])}", where=operation.where, expected="a row")
    return replace(draft, bias=_of_channels(operation, len(weights), 2))


def _follow(operation: Operation, draft: _Draft) -> _Draft:
    """Read an operation after a product."""
    op, n = operation.op, len(draft.weights)
    if op == "Identity":
        return draft
    if op in _SCORES and not draft.sign and draft.rank == 2 and draft.ended != "ArgMax":
        if op != "ArgMax" or "axis" in operation.attributes:  # whose default is another
            return replace(draft, ended=op)
    elif draft.ended:
        pass
    elif op in _FLAT:
        return replace(draft, rank=_flat(operation))
    elif op == "MaxPool" and draft.rank == 4 and draft.pool == 1:
        return replace(draft, pool=_pool(operation), pool_first=not (draft.norm or draft.sign))
    elif op in ("Mul", "Div") and draft.sign:
        factor, _ = _affine(operation, 1, draft.rank)
        return replace(draft, scale=draft.scale * float(factor[0]))
    elif op in _AFFINE and not draft.sign:
        factor, term = _affine(operation, n, draft.rank)
        if draft.norm is None:
            return replace(draft, factor=draft.factor * factor, bias=draft.bias * factor + term)
        gamma, beta = draft.norm.gamma * factor, draft.norm.beta * factor + term
        return replace(draft, norm=replace(draft.norm, gamma=gamma, beta=beta))
    elif op == "BatchNormalization" and not (draft.sign or draft.norm):
        return replace(draft, norm=_norm(operation, n))
    elif op in ("Sign", "BipolarQuant") and not draft.sign:
        return replace(draft, sign=op, scale=_scale(operation))
    raise DataError(
        f"{op} that does not fit here", where=operation.where,
        expected="after a product: MaxPool, factors and terms, BatchNormalization, once each, then "
        "Sign, BipolarQuant or Quant of 1 bit; at the end scores (n, n_classes), Softmax, ArgMax",
    )  # fmt: skip


def _affine(operation: Operation, n: int, rank: int) -> tuple[Floats, Floats]:
    """Give the factors, which must be positive, and terms of n channels."""
    x, one, zero = _of_channels(operation, n, rank), np.ones(n), np.zeros(n)
    if operation.op in ("Add", "Sub"):
        return one, x if operation.op == "Add" else -x
    if not (x > 0).all():
        raise DataError(
            f"{operation.op} by {x.min():g}", where=operation.where, expected="positive factors"
        )
    return (x if operation.op == "Mul" else 1 / x), zero


def _of_channels(operation: Operation, n: int, rank: int) -> Floats:
    """Give the last operand as one number for each of n channels."""
    x = operation.operands[-1] if operation.operands else np.zeros(0)
    if x.size == 1 and x.ndim <= rank:
        return np.full(n, float(x.item()))
    if x.shape not in ([(n,), (1, n)] if rank == 2 else [(n, 1, 1), (1, n, 1, 1)]):
        raise DataError(
            f"{operation.op} with {_shapes(operation.operands)}", where=operation.where,
            expected=f"one number, or one for each of {n} channels",
        )  # fmt: skip
    return x.astype(np.float64).reshape(n)


def _norm(operation: Operation, n: int) -> BatchNorm:
    try:
        gamma, beta, mean, variance = (x.astype(np.float64) for x in operation.operands)
        epsilon = float(operation.attributes.get("epsilon", 1e-5))
        if gamma.shape != (n,):
            raise DataError(f"gamma of shape {gamma.shape}", expected=f"({n},)")
        return BatchNorm(gamma, beta, mean, variance, np.zeros(n), epsilon)
    except ValueError as err:
        raise DataError(
            f"batch normalisation of {_shapes(operation.operands)} ({err})", where=operation.where,
            expected=f"gamma, beta, mean and variance of {n} channels",
        ) from err  # fmt: skip


def _pool(operation: Operation) -> int:
    """Give the edge of the pooled squares, which lie side by side."""
    kernel = tuple(operation.attributes.get("kernel_shape", ()))
    strides = tuple(operation.attributes.get("strides", (1, 1)))
    if len(kernel) != 2 or kernel[0] != kernel[1] or strides != kernel:
        raise DataError(
            f"MaxPool of {kernel} in steps {strides}", where=operation.where,
            expected="squares side by side",
        )  # fmt: skip
    return int(kernel[0])


def _scale(operation: Operation) -> float:
    """Give the magnitude of signs."""
    if operation.op == "Sign":
        return 1.0
    scale = operation.operands[0]
    if (scale != scale.flat[0]).any():
        raise DataError(
            f"scales of shape {scale.shape} of signs", where=operation.where, expected="one scale"
        )
    return float(scale.flat[0])


def _flat(operation: Operation) -> int:
    """Check that rows are made of images, channel by channel, and give their axes."""
    if operation.op == "Reshape":
        shape = [x for array in operation.operands for x in array.ravel().tolist()]
        as_given = () if operation.attributes.get("allowzero", 0) else (0,)
        if (
            len(shape) != 2
            or shape[0] not in (-1, 1, *as_given)
            or (shape[0] == -1 and shape[1] < 1)
        ):
            raise DataError(
                f"Reshape to {shape[:8]}", where=operation.where, expected="(0 or -1, n), (1, -1)"
            )
    return 2


def _shapes(arrays: Sequence[Array]) -> str:
    return "constants of shapes " + (", ".join(str(x.shape) for x in arrays) or "none")
