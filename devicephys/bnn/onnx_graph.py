"""ONNX files as a plain chain of operations, read without running anything."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devicephys.errors import DataError, ParameterError
from devicephys.io.files import read_bytes

Array = NDArray[Any]
MOST_BYTES = 2**30  # of a file; protocol buffers end at twice as much
MOST_NODES = 10_000
MOST_NUMBERS = 2**28  # of all operands: a small file may use one array many times
MOST_STEPS = 8  # from an array of the file to the operation that uses it
OPSETS = range(9, 29)  # those in which the operations below are as they are read here
QUANTIZERS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")
_QUANT = ("qonnx::BipolarQuant", "qonnx::IntQuant", "qonnx::Quant")
_ANY: tuple[Any, ...] = ()
# What an operation may say of itself, () for anything; with the defaults of ONNX, what is left out
# is right, or is asked for where it is used.
_MAY_SAY: Mapping[str, Mapping[str, tuple[Any, ...]]] = MappingProxyType({
    **{op: {} for op in ("Add", "Sub", "Mul", "Div", "MatMul", "Sign", "Identity", _QUANT[0])},
    **{op: {"signed": (1,), "narrow": _ANY, "rounding_mode": _ANY} for op in _QUANT[1:]},
    **{op: {"axis": (1, -1)} for op in ("Softmax", "LogSoftmax")},
    "ArgMax": {"axis": (1, -1), "keepdims": _ANY, "select_last_index": (0,)},
    "BatchNormalization": {"epsilon": _ANY, "momentum": _ANY, "training_mode": (0,)},
    "Constant": {"value": _ANY, "value_float": _ANY, "value_int": _ANY, "value_ints": _ANY},
    "Conv": {
        "auto_pad": ("NOTSET",), "dilations": ((1, 1),), "group": (1,), "kernel_shape": _ANY,
        "pads": _ANY, "strides": ((1, 1),),
    },
    "Flatten": {"axis": (1,)},
    "Gemm": {"alpha": (1.0,), "beta": (1.0,), "transA": (0,), "transB": _ANY},
    "MaxPool": {
        "auto_pad": ("NOTSET",), "ceil_mode": (0,), "dilations": ((1, 1),), "kernel_shape": _ANY,
        "pads": ((0, 0, 0, 0),), "storage_order": (0,), "strides": _ANY,
    },
    "Reshape": {"allowzero": (0, 1)},
    "Transpose": {"perm": _ANY},
})  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One operation of a chain.

    Attributes
    ----------
    op : str
        Its type, such as "Conv"; "BipolarQuant" for every quantizer of 1 bit.
    where : str
        File and node, for messages.
    operands : tuple of ndarray
        Constants that it is given beside what the operation before it gives.
    attributes : mapping
        What it says of itself: numbers, texts, tuples of whole numbers.
    """

    op: str
    where: str
    operands: tuple[Array, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class _Node:
    op: str
    where: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]


def read_chain(path: str | Path) -> tuple[tuple[int, ...], list[Operation]]:
    """Read an ONNX file; nothing in it is executed, no other file is opened.

    Parameters
    ----------
    path : str or Path
        The file, up to 1 GiB.

    Returns
    -------
    shape : tuple of int
        Shape of the input, 0 for a size that is left open [1].
    operations : list of Operation
        From input to output; constants of quantizers and Transpose are worked out.

    Raises
    ------
    DataError
        If the file is missing, damaged, too large, keeps its arrays in other files, has another
        opset, branches, several inputs or outputs, or operations that no network here can do.
    ParameterError
        If onnx is not installed.

    Examples
    --------
    >>> read_chain("missing.onnx")
    Traceback (most recent call last):
        ...
    devicephys.errors.DataError: missing.onnx: no such file; check the path
    """
    where = str(path)
    if Path(path).is_file() and Path(path).stat().st_size > MOST_BYTES:
        raise DataError("a file too large", where=where, expected=f"{MOST_BYTES} bytes at most")
    content = read_bytes(path)
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as err:
        raise ParameterError(
            "ONNX files need onnx", remedy="pip install 'devicephys[onnx]'"
        ) from err
    try:
        return _chain(onnx.load_model_from_string(content), where)
    except DataError:
        raise
    except (
        DecodeError, ValueError, TypeError, KeyError, IndexError, OverflowError,
        NotImplementedError, RuntimeError,
    ) as err:  # fmt: skip
        raise DataError(
            f"not readable as ONNX ({' '.join(str(err).split()):.200})", where=where,
            expected="a file of onnx.save or torch.onnx.export", remedy="export it again",
        ) from err  # fmt: skip


def _chain(model: Any, where: str) -> tuple[tuple[int, ...], list[Operation]]:
    graph = model.graph
    opsets = [x.version for x in model.opset_import if x.domain in ("", "ai.onnx")]
    if len(opsets) != 1 or opsets[0] not in OPSETS:
        raise DataError(
            f"opsets {opsets}", where=where, expected=f"one from {OPSETS[0]} to {OPSETS[-1]}",
            remedy="torch.onnx.export(..., opset_version=17), or onnx.version_converter",
        )  # fmt: skip
    if model.functions or graph.sparse_initializer or len(graph.node) > MOST_NODES:
        raise DataError(
            f"{len(model.functions)} functions, {len(graph.sparse_initializer)} sparse arrays, "
            f"{len(graph.node)} nodes", where=where,
            expected=f"no functions, dense arrays, {MOST_NODES} nodes at most",
            remedy="onnx.inliner.inline_local_functions",
        )  # fmt: skip
    names: set[str] = set()
    arrays: dict[str, Array] = {}
    for tensor in graph.initializer:
        _define(names, [tensor.name], where)
        arrays[tensor.name] = _array(tensor, f"{where}, array {tensor.name!r:.80}")
    given = [x for x in graph.input if x.name not in arrays]  # before IR 4 all are listed
    if len(given) != 1 or len(graph.output) != 1:
        raise DataError(
            f"{len(given)} inputs and {len(graph.output)} outputs", where=where,
            expected="one input, one output",
        )  # fmt: skip
    _define(names, [given[0].name], where)
    nodes = [_node(proto, where) for proto in graph.node]
    _define(names, [node.output for node in nodes], where)
    for node in nodes:
        if node.op == "Constant":
            arrays[node.output] = _constant_node(node)
    if not given[0].type.tensor_type.HasField("shape"):
        raise DataError("an input without shape", where=where, expected="one of a known rank")
    shape = tuple(max(0, dim.dim_value) for dim in given[0].type.tensor_type.shape.dim)
    return shape, _walk(nodes, arrays, (given[0].name, graph.output[0].name), where)


def _walk(
    nodes: list[_Node], arrays: Mapping[str, Array], ends: tuple[str, str], where: str
) -> list[Operation]:
    """Follow the one value that is no constant from the input to the output."""
    makers = {node.output: node for node in nodes}
    readers: dict[str, list[_Node]] = {}
    for node in nodes:
        for name in set(node.inputs):
            readers.setdefault(name, []).append(node)
    operations: list[Operation] = []
    at, left = ends[0], MOST_NUMBERS
    while at != ends[1]:
        steps = readers.get(at, [])
        if len(steps) != 1 or len(operations) > len(nodes):
            raise DataError(
                f"{at!r:.80} goes to {len(steps)} operations", where=where,
                expected="a chain from input to output, without branches",
                remedy="export with constant folding, Flatten in place of view(size(0), -1)",
            )  # fmt: skip
        node = steps[0]
        k = node.inputs.index(at)
        if k and node.op not in ("Add", "Mul"):
            raise DataError(
                f"{node.op} with the image as input {k}", where=node.where,
                expected="constants there",
            )  # fmt: skip
        others = (*node.inputs[:k], *node.inputs[k + 1 :])
        operands = tuple(_constant(name, makers, arrays, node.where) for name in others)
        left -= sum(x.size for x in operands)
        if left < 0:
            raise DataError(
                f"more than {MOST_NUMBERS} weights", where=node.where, expected="a network"
            )
        op = _quantizer(node, operands) if node.op in _QUANT else node.op
        operations.append(Operation(op, node.where, operands, node.attributes))
        at = node.output
    return operations


def _constant(
    name: str, makers: Mapping[str, _Node], arrays: Mapping[str, Array], where: str
) -> Array:
    """Give a constant, through Sign, quantizers of one bit and Transpose where it passes them."""
    steps: list[_Node] = []
    while name not in arrays:
        node = makers.get(name)
        if (
            node is None
            or node.op not in ("Identity", "Sign", "Transpose", *_QUANT)
            or not node.inputs
            or len(steps) == MOST_STEPS
            or not all(x in arrays for x in node.inputs[1:])
        ):
            raise DataError(
                f"{name!r:.80} is no constant" + (f" but comes of {node.op}" if node else ""),
                where=where,
                expected="an initializer, or one after Sign, BipolarQuant, Quant or Transpose",
                remedy="export with constant folding",
            )
        steps.append(node)
        name = node.inputs[0]
    array = _numbers(name, arrays, where)
    for node in reversed(steps):
        if node.op == "Transpose":
            array = array.transpose(node.attributes.get("perm"))
        elif node.op == "Sign":
            array = np.sign(array)
        elif node.op != "Identity":
            operands = tuple(_numbers(x, arrays, node.where) for x in node.inputs[1:])
            _quantizer(node, operands)
            scale = operands[0]
            if np.broadcast_shapes(scale.shape, array.shape) != array.shape:
                raise DataError(
                    f"scale of shape {scale.shape} for {array.shape}", where=node.where,
                    expected="one, or one for each output",
                )  # fmt: skip
            array = np.where(array >= 0, scale, -scale)
    return array


def _numbers(name: str, arrays: Mapping[str, Array], where: str) -> Array:
    """Give an array of the file as floats."""
    array = arrays[name]
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise DataError(
            f"{name!r:.80} of {array.dtype}", where=where, expected="finite numbers"
        )  # fmt: skip
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _quantizer(node: _Node, operands: tuple[Array, ...]) -> str:
    """Check that a quantizer gives plus and minus its scale; a Quant of 1 bit does in QONNX."""
    scale, *others = operands or (np.zeros(1),)
    fits = len(others) == (0 if node.op == _QUANT[0] else 2) and scale.size > 0
    if others and fits:
        zero, width = others
        fits = bool((zero == 0).all() and (width == 1).all() and node.attributes.get("signed"))
    if not fits or not (scale > 0).all():
        raise DataError(
            f"{node.op.removeprefix('qonnx::')} of other levels", where=node.where,
            expected="BipolarQuant, or Quant of 1 bit, signed, zero point 0; a positive scale",
        )  # fmt: skip
    return "BipolarQuant"


def _node(proto: Any, where: str) -> _Node:
    """Turn a node into a record, with everything refused that it may not say."""
    op = str(proto.op_type)
    if proto.domain in QUANTIZERS:
        op = f"qonnx::{op}"
    elif proto.domain not in ("", "ai.onnx"):
        op = f"{proto.domain}::{op}"
    inputs, outputs = [list(names) for names in (proto.input, proto.output)]
    for names in (inputs, outputs):
        while names and not names[-1]:  # optional, left out
            names.pop()
    where = f"{where}, node {proto.name or (outputs or [''])[0]!r:.80}"
    if op not in _MAY_SAY or len(outputs) != 1:
        raise DataError(
            f"{op!r:.80} with {len(outputs)} outputs", where=where,
            expected=f"with one: {', '.join(sorted(_MAY_SAY))}",
            remedy="export for inference, with torch.sign for signs and torch.nn.Flatten for view",
        )  # fmt: skip
    said = {x.name: _value(x, where) for x in proto.attribute}
    for name, value in said.items():
        may = _MAY_SAY[op].get(name)
        if value is None or may is None or (may and value not in may):
            raise DataError(
                f"{op} with {name!r:.80} = {value!r:.80}", where=where,
                expected=f"{name} {' or '.join(map(str, may))}" if may else f"no such {op}",
            )  # fmt: skip
    return _Node(op, where, tuple(inputs), outputs[0], said)


def _value(attribute: Any, where: str) -> Any:
    """Give the value of an attribute, None for a kind that no operation here needs."""
    kind = attribute.AttributeType.Name(attribute.type)
    if attribute.ref_attr_name:
        return None
    if kind == "TENSOR":
        return _array(attribute.t, where)
    if kind == "STRING":
        return attribute.s.decode("utf-8", "replace")
    if kind == "INTS":
        return tuple(attribute.ints)
    return {"INT": attribute.i, "FLOAT": attribute.f}.get(kind)


def _constant_node(node: _Node) -> Array:
    if len(node.attributes) != 1 or node.inputs:
        raise DataError("no constant", where=node.where, expected="one array or number")
    return np.asarray(next(iter(node.attributes.values())))


def _array(tensor: Any, where: str) -> Array:
    """Give a constant as an array, from the file itself alone."""
    from onnx import TensorProto, numpy_helper

    # asked before numpy_helper sees it, which opens the file that an external array names
    if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
        raise DataError(
            "an array in another file", where=where, expected="all arrays in the file itself",
            remedy="torch.onnx.export(..., external_data=False), or onnx.save(onnx.load(old), new)",
        )  # fmt: skip
    if any(n < 0 for n in tensor.dims):
        raise DataError(f"shape {list(tensor.dims)}", where=where, expected="sizes >= 0")
    return np.asarray(numpy_helper.to_array(tensor))


def _define(names: set[str], new: Iterable[str], where: str) -> None:
    for name in new:
        if name in names:
            raise DataError(f"{name!r:.80} is defined twice", where=where, expected="names once")
        names.add(name)
