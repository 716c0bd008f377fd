"""ONNX files are imported as what they compute, or refused with the node that does not fit."""

import sys
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.bnn import onnx_graph
from devicephys.bnn.batch_norm import BatchNorm, Inputs
from devicephys.bnn.inference import predict, sums
from devicephys.bnn.network import ImageCode, Network
from devicephys.bnn.network_file import from_bytes, to_bytes
from devicephys.bnn.onnx_file import from_onnx, units_at_zero
from devicephys.bnn.trained import Trained
from devicephys.errors import DataError, ParameterError

onnx = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper

QONNX = "qonnx.custom_op.general"
ROW, IMAGE = ImageCode((1, 1, 16)), ImageCode((2, 8, 8))
ONE, ZERO = np.float32(1), np.float32(0)


@dataclass
class Step:
    """An operation: of the value before it, or as an operand of another, of constants alone."""

    op: str
    operands: tuple[Any, ...] = ()
    domain: str = ""
    said: dict[str, Any] = field(default_factory=dict)


def step(op, *operands, domain="", **said):
    return Step(op, operands, domain, said)


def bipolar(*operands, domain=QONNX):
    return step("BipolarQuant", *operands, domain=domain)


def model(steps, shape=("n", 16), opset=17):
    """A chain of steps from input "x" to output "y"."""
    nodes, arrays = [], []

    def add(x, given):
        inputs = list(given)
        for operand in x.operands:
            if isinstance(operand, Step):
                inputs.append(add(operand, []))
            elif isinstance(operand, str):
                inputs.append(operand)
            else:
                name = f"array{len(arrays)}"
                arrays.append(numpy_helper.from_array(np.asarray(operand), name))
                inputs.append(name)
        out = f"{x.op.lower()}{len(nodes)}"
        nodes.append(helper.make_node(x.op, inputs, [out], out, domain=x.domain, **x.said))
        return out

    value = "x"
    for x in steps:
        value = add(x, [value])
    nodes[-1].output[0] = "y"
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [info("x", onnx.TensorProto.FLOAT, shape)],
        [info("y", onnx.TensorProto.FLOAT, None)], arrays,
    )  # fmt: skip
    domains = {x.domain for x in nodes} - {""}
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets)


def saved(tmp_path, made):
    path = tmp_path / "net.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return path


def by_reference(made, x):
    """What onnx's own evaluator says, with the quantizers as QONNX defines them."""
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun

    def quantizer(op, domain):
        def run(self, x, scale, *_, **__):
            return (np.where(x >= 0, scale, -scale).astype(x.dtype),)

        return type(op, (OpRun,), {"op_domain": domain, "_run": run})

    new = [quantizer(op, d) for op in ("BipolarQuant", "Quant") for d in onnx_graph.QUANTIZERS]
    return ReferenceEvaluator(made, new_ops=new).run(None, {"x": x.astype(np.float32)})[0]


def norm(rng, n, spread):
    """Batch normalisation that leaves sums of this spread undecided."""
    numbers = (
        rng.normal(size=n), rng.normal(size=n), rng.normal(size=n) * spread,
        (rng.uniform(0.5, 1.5, n) * spread) ** 2,
    )  # fmt: skip
    return step(
        "BatchNormalization", *(x.astype(np.float32) for x in numbers), epsilon=spread**2 / 4
    )


def last_norm(rng, n, spread):
    """Batch normalisation after which no class wins always."""
    gamma, beta, mean, variance = norm(rng, n, spread).operands
    numbers = np.abs(gamma) + ONE, beta / 4, mean / 4, variance
    return step("BatchNormalization", *numbers, epsilon=spread**2 / 4)


def signs(rng, *shape):
    return rng.choice(np.float32([-1, 1]), shape)


def images(n, code, seed=5):
    """Pixels, and the same as a file is given them: 2 p - 255."""
    pixels = np.random.default_rng(seed).integers(0, 256, (n, code.n_pixels), np.uint8)
    return pixels, 2.0 * pixels - 255


def dense(rng):
    """Three layers, their weights said in three ways, with and without normalisation."""
    f32 = np.float32
    return [
        step("MatMul", bipolar(rng.normal(size=(16, 21)).astype(f32), f32(0.07))),
        step("Add", rng.normal(size=21).astype(f32)),
        norm(rng, 21, 0.07 * 600),
        bipolar(f32(0.3)),
        step("Gemm", step("Sign", signs(rng, 15, 21)), rng.normal(size=15).astype(f32), transB=1),
        step("Sign"),
        step("Gemm", step("Transpose", 0.2 * signs(rng, 5, 15), perm=[1, 0])),
        last_norm(rng, 5, 0.6),
        step("Mul", f32(2.5)),
        step("Softmax", axis=-1),
        step("ArgMax", axis=1, keepdims=0),
    ]


def convolutions(rng):
    f32 = np.float32
    return [
        step("Mul", f32(2.0)),
        step("Conv", bipolar(rng.normal(size=(5, 2, 3, 3)).astype(f32), f32(0.25)), pads=[1] * 4),
        step("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
        norm(rng, 5, 0.5 * 800),
        step("Quant", f32(0.5), ZERO, ONE, domain=QONNX, signed=1, narrow=1, rounding_mode="ROUND"),
        step("Conv", signs(rng, 6, 5, 3, 3), rng.normal(size=6).astype(f32), kernel_shape=[3, 3]),
        norm(rng, 6, 4),
        bipolar(ONE, domain="onnx.brevitas"),
        step("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
        step("Flatten"),
        step("Gemm", bipolar(rng.normal(size=(4, 6)).astype(f32), f32(3.0)), transB=1),
        last_norm(rng, 4, 6),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_rows_are_classified_as_the_file_does(tmp_path, seed):
    made = model(dense(np.random.default_rng(seed)))
    network = from_onnx("net", saved(tmp_path, made), ROW)
    pixels, x = images(300, ROW)
    said = by_reference(made, x)
    assert (predict(network, pixels) == said).all()
    assert len(set(said.tolist())) > 1
    assert [layer.weights.shape for layer in network.layers] == [(21, 16), (15, 21), (5, 15)]


@pytest.mark.parametrize("seed", range(3))
def test_images_are_classified_as_the_file_does(tmp_path, seed):
    made = model(convolutions(np.random.default_rng(seed)), ("n", 2, 8, 8))
    network = from_onnx("net", saved(tmp_path, made), IMAGE)
    pixels, x = images(200, IMAGE)
    said = by_reference(made, x.reshape(-1, 2, 8, 8)).argmax(axis=1)
    assert (predict(from_bytes(to_bytes(network)), pixels) == said).all()
    assert len(set(said.tolist())) > 1
    assert [(x.padding, x.pool) for x in network.layers] == [(1, 2), (0, 2), (0, 1)]


def test_every_sign_is_that_of_the_file_computed_in_float64(tmp_path):
    rng = np.random.default_rng(8)
    scales = rng.uniform(0.01, 3, 4).astype(np.float32).astype(float)
    w, v = rng.normal(size=(40, 16)).astype(np.float32), rng.normal(size=(9, 40))
    w[0] = 0  # +1 to a BipolarQuant
    epsilon = 2.0**10 * np.array([1, 1 / 256])
    numbers = [step.operands for step in (norm(rng, 40, 600 * scales[0]), norm(rng, 9, 6))]
    steps = [
        step("Gemm", bipolar(w, np.float32(scales[0])), transB=1),
        step("BatchNormalization", *numbers[0], epsilon=epsilon[0]),
        bipolar(np.float32(scales[1])),
        step("Gemm", bipolar(v, np.float32(scales[2])), transB=1),
        step("BatchNormalization", *numbers[1], epsilon=epsilon[1]),
        bipolar(np.float32(scales[3])),
        step("Gemm", signs(rng, 3, 9), transB=1),
    ]
    network = from_onnx("net", saved(tmp_path, model(steps)), ROW)
    pixels, x = images(500, ROW)
    z = sums(network, pixels)
    for k, (weights, scale, out) in enumerate([(w, *scales[:2]), (v, *scales[2:])]):
        gamma, beta, mean, variance = (a.astype(float) for a in numbers[k])
        y = x @ np.where(weights >= 0, scale, -scale).T
        x = np.where(gamma * (y - mean) / np.sqrt(variance + epsilon[k]) + beta >= 0, out, -out)
        assert ((z[k] >= network.layers[k].threshold) == (x > 0)).all()
        assert 0.05 < (x > 0).mean() < 0.95


def test_factors_and_terms_at_the_start_are_those_of_the_inputs(tmp_path):
    rng = np.random.default_rng(3)
    layers = dense(rng)
    plain = from_onnx("net", saved(tmp_path, model(layers)), ROW, Inputs(255, 0.25))
    start = [step("Reshape", np.array([-1, 16])), step("Mul", np.float32(0.5)),
             step("Sub", np.float32(0.25)), step("Div", np.float32(2)),
             step("Add", np.float32([0.125])), step("Identity")]  # fmt: skip
    again = from_onnx("net", saved(tmp_path, model([*start, *layers])), ROW)
    given = from_onnx("net", saved(tmp_path, model(layers)), ROW, Inputs(255, 0.25, 1.0))
    for a, b in zip(plain.layers, again.layers, strict=True):
        assert (a.weights == b.weights).all()
        assert (a.threshold == b.threshold).all()
    assert (plain.layers[0].threshold != given.layers[0].threshold).any()


def test_factors_and_terms_after_products_norms_and_signs(tmp_path):
    rng = np.random.default_rng(11)

    def row(n, size):
        return (rng.uniform(0.5, 1.5, n) * size).astype(np.float32)

    middle = norm(rng, 30, 400)
    middle.operands[1][:] *= 0.2
    made = model([
        step("Gemm", signs(rng, 30, 16), row(30, 300), transB=1), step("Mul", row(30, 0.5)),
        step("Sub", row(30, 150)), middle, step("Div", row(30, 1)), step("Add", row(30, 0.3)),
        bipolar(np.float32(0.5)), step("Mul", np.float32(0.3)), step("Div", np.float32([2.0])),
        step("Gemm", signs(rng, 6, 30), row(6, 0.5), transB=1), step("Sub", row(6, 0.5)),
        step("Mul", row(6, 1)), step("Softmax"),
    ])  # fmt: skip
    network = from_onnx("net", saved(tmp_path, made), ROW)
    pixels, x = images(1000, ROW)
    said = by_reference(made, x).argmax(axis=1)
    assert (predict(network, pixels) == said).all()
    assert len(set(said.tolist())) > 3


def test_signs_of_inputs_that_are_signs_change_nothing_but_their_scale(tmp_path):
    rng = np.random.default_rng(4)
    code = ImageCode((1, 1, 16), (100,))
    layers = [step("Gemm", signs(rng, 9, 16), transB=1), norm(rng, 9, 2), *dense(rng)[3:4],
              step("Gemm", signs(rng, 4, 9), transB=1)]  # fmt: skip
    made = model([bipolar(np.float32(0.5)), *layers])
    network = from_onnx("net", saved(tmp_path, made), code)
    pixels, _ = images(100, ROW)
    x = np.where(pixels > 100, 1.0, -1.0)
    said = by_reference(made, x).argmax(axis=1)
    assert (predict(network, (x > 0).astype(np.uint8)) == said).all()
    with pytest.raises(DataError, match="BipolarQuant before the first layer"):
        from_onnx("net", saved(tmp_path, made), ROW)


@pytest.mark.parametrize("before", [True, False])
def test_pooling_before_and_after_a_falling_normalisation(tmp_path, before):
    rng = np.random.default_rng(6)
    numbers = list(norm(rng, 3, 300).operands)
    numbers[0] = -np.abs(numbers[0])
    pool = step("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    middle = [step("BatchNormalization", *numbers), bipolar(ONE)]
    middle.insert(0 if before else 1, pool)
    made = model(
        [step("Conv", signs(rng, 3, 2, 1, 1)), *middle, step("Reshape", np.array([0, -1])),
         step("Gemm", signs(rng, 4, 48), transB=1)],
        ("n", 2, 8, 8),
    )  # fmt: skip
    network = from_onnx("net", saved(tmp_path, made), IMAGE)
    pixels, x = images(100, IMAGE)
    scores = by_reference(made, x.reshape(-1, 2, 8, 8))
    assert (predict(network, pixels) == scores.argmax(axis=1)).all()
    assert len(set(scores.argmax(axis=1).tolist())) > 1


@pytest.mark.parametrize(("n_in", "at_zero"), [(16, 7), (15, 0)])
def test_the_record_says_where_a_sign_can_be_zero(tmp_path, n_in, at_zero):
    rng = np.random.default_rng(7)
    code = ImageCode((1, 1, n_in), (127,))
    made = {
        sign.op: model(
            [step("Gemm", signs(rng, 7, n_in), transB=1), sign,
             step("Gemm", signs(rng, 3, 7), transB=1)],
            ("n", n_in),
        )
        for sign in (step("Sign"), bipolar(ONE))
    }  # fmt: skip
    found = {op: from_onnx("net", saved(tmp_path, x), code) for op, x in made.items()}
    assert found["Sign"].record == {"score_bound": 0.0, "units_at_zero": [at_zero]}
    assert found["BipolarQuant"].record["units_at_zero"] == [0]
    bits = rng.integers(0, 2, (200, n_in), np.uint8)
    z = sums(found["Sign"], bits)[0]
    assert (z == 0).any() == (at_zero > 0)
    same = ~(z == 0).any(axis=1)  # where no sum is 0 the file is what the network is
    said = by_reference(made["Sign"], 2.0 * bits - 1).argmax(axis=1)
    assert (predict(found["Sign"], bits) == said)[same].all()


def test_units_at_zero_are_those_found_by_trying_every_sum():
    weights, zero = np.ones((1, 5)), np.zeros(1)
    found = 0
    for gamma, beta, mean, root in product((-2.0, 0.0, 1.0), (-3.0, 0.0, 1.5), (0, 0.5, 3), (1, 2)):
        numbers = [np.array([float(x)]) for x in (gamma, beta, mean, root**2)]
        y = [gamma * (z - mean) / root + beta for z in (-5, -3, -1, 1, 3, 5)]
        said = units_at_zero(Trained(weights, BatchNorm(*numbers, zero, epsilon=0.0)))
        assert said == (0.0 in y)
        found += said
        # with the roots of 2 and 5 only what they do not count for
        odd = units_at_zero(Trained(weights, BatchNorm(*numbers, zero, epsilon=1.0)))
        assert odd == (beta == 0 and (gamma == 0 or mean == 3))
    assert found > 10


def test_units_at_zero_of_pixels_with_a_scale_and_an_offset():
    one, zero = np.ones(5), np.zeros(5)
    # y = z / 2 + 1 - mean, with z odd: up to 3 * 255 = 765 in magnitude
    mean = np.array([51.5, 51.0, 383.5, 384.5, -381.5])  # z = 101, 100, 765, 767, -765
    norm = BatchNorm(one, zero, mean, one, zero, epsilon=0.0)
    weights = np.tile([1.0, 1.0, -1.0], (5, 1))
    assert units_at_zero(Trained(weights, norm), Inputs(255, 0.5, 1.0)) == 3


def test_zeros_around_images_make_sums_of_either_kind():
    one, zero = np.ones(1), np.zeros(1)
    norm = BatchNorm(one, zero, 2 * one, one, zero, epsilon=0.0)
    for channels, padding, found in ((1, 0, 0), (1, 1, 1), (2, 1, 1), (3, 0, 0)):
        weights = np.ones((1, channels, 3, 3))
        assert units_at_zero(Trained(weights, norm, padding)) == found


LAST = step("Gemm", np.ones((4, 16), np.float32), transB=1)
FLAT = step("Flatten")
ENDS = [step("Conv", np.ones((3, 2, 3, 3), np.float32)), bipolar(ONE), FLAT,
        step("Gemm", np.ones((4, 108), np.float32), transB=1)]  # fmt: skip


def image_chain(first=None, **said):
    conv = first or step("Conv", np.ones((3, 2, 3, 3), np.float32), **said)
    return [conv, *ENDS[1:]]


REFUSED = {
    "strides": (image_chain(strides=[2, 2]), "node 'conv0': Conv with 'strides'"),
    "dilations": (image_chain(dilations=[2, 2]), "node 'conv0': Conv with 'dilations'"),
    "group": (image_chain(group=2), "node 'conv0': Conv with 'group' = 2; expected group 1"),
    "auto_pad": (image_chain(auto_pad="SAME_UPPER"), "'auto_pad' = 'SAME_UPPER'"),
    "pads": (image_chain(pads=[0, 0, 1, 1]), r"node 'conv0': pads \(0, 0, 1, 1\)"),
    "two pads": (image_chain(pads=[1, 1]), "node 'conv0': pads"),
    "wide pads": (image_chain(pads=[2] * 4), "padding 2"),
    "kernel": (image_chain(kernel_shape=[5, 5]), "node 'conv0': pads"),
    "unknown attribute": (image_chain(colour=1), "Conv with 'colour' = 1; expected no such Conv"),
    "even kernel": (image_chain(step("Conv", np.ones((3, 2, 2, 2), np.float32))), "kernel 2 x 2"),
    "pool": ([ENDS[0], step("MaxPool", kernel_shape=[3, 3], strides=[2, 2]), *ENDS[1:]], "steps"),
    "pool by 1": ([ENDS[0], step("MaxPool", kernel_shape=[2, 2]), *ENDS[1:]], "side by side"),
    "two pools": (
        [ENDS[0], *2 * [step("MaxPool", kernel_shape=[2, 2], strides=[2, 2])], *ENDS[1:]],
        "node 'maxpool2': MaxPool that does not fit",
    ),
    "conv after rows": ([FLAT, ENDS[0], *ENDS[1:]], "Conv of 2 axes"),
    "no flatten": ([*ENDS[:2], ENDS[3]], r"Gemm of 4 axes.*\(Flatten\)"),
    "conv at the end": (ENDS[:1], "no fully connected layer"),
    "row added to images": ([ENDS[0], step("Add", np.ones(6, np.float32)), *ENDS[1:]], "'add1'"),
    "reshape": ([*ENDS[:2], step("Reshape", np.array([2, -1])), ENDS[3]], "Reshape to"),
    "reshape of images": ([*ENDS[:2], step("Reshape", np.array([-1, 54])),
                           step("Gemm", np.ones((4, 54)), transB=1)], "layer 1: 108 inputs"),
    "real weights": ([step("Gemm", np.eye(16, dtype=np.float32) + 1)], "'gemm0': weights of shape"),
    "zero weights": ([step("Gemm", step("Sign", np.zeros((16, 4), np.float32)))], "not 0"),
    "nan": ([step("Gemm", np.full((16, 4), np.nan, np.float32))], "'array0' of float32"),
    "text": ([step("Gemm", np.array([["a"]]))], "'array0' of object"),
    "no weights": ([step("Gemm")], "Gemm of 2 axes with constants of shapes none"),
    "three axes": ([step("MatMul", np.ones((2, 16, 4), np.float32))], "MatMul of 2 axes"),
    "dynamic weights": ([step("Gemm", "x")], "'x' is no constant"),
    "made by Add": (
        [step("Gemm", step("Add", np.ones((16, 4), np.float32), ONE))],
        "comes of Add; expected an initializer",
    ),
    "alpha": ([step("Gemm", LAST.operands[0], transB=1, alpha=0.5)], "'alpha' = 0.5"),
    "transA": ([step("Gemm", LAST.operands[0], transB=1, transA=1)], "'transA' = 1"),
    "bias": ([step("Gemm", LAST.operands[0], np.ones((4, 1), np.float32), transB=1)], "'gemm0'"),
    "too few inputs": ([step("Gemm", np.ones((4, 15), np.float32), transB=1)], "0: 16 inputs"),
    "no sign": ([step("Gemm", np.ones((16, 16), np.float32)), LAST], "'gemm1': Gemm of numbers"),
    "sign at the end": ([LAST, step("Sign")], "no layer at the end"),
    "nothing": ([step("Identity")], "no layer at the end"),
    "relu": ([LAST, step("Relu")], "node 'relu1': 'Relu' with 1 outputs; expected with one: Add"),
    "other domain": ([step("Sign", domain="a.b"), LAST], "'a.b::Sign' with 1"),
    "bipolar of onnx": ([LAST, step("BipolarQuant", ONE)], "'BipolarQuant' with 1"),
    "negative factor": ([LAST, step("Mul", np.float32(-1))], "'mul1': Mul by -1"),
    "negative scale": ([LAST, bipolar(-ONE)], "'bipolarquant1': BipolarQuant of other levels"),
    "two scales": ([LAST, bipolar(np.float32([1, 2, 1, 2]))], "scales of shape"),
    "no scale": ([LAST, bipolar()], "BipolarQuant of other levels"),
    "wide scale": ([step("Gemm", bipolar(np.ones((16, 4), np.float32), np.ones((2, 1, 1))))],
                   "scale of shape"),
    "two bits": ([LAST, step("Quant", ONE, ZERO, 2 * ONE, domain=QONNX, signed=1)], "of other"),
    "unsigned": ([LAST, step("Quant", ONE, ZERO, ONE, domain=QONNX, signed=0)], "'signed' = 0"),
    "signed unsaid": ([LAST, step("Quant", ONE, ZERO, ONE, domain=QONNX)], "of other levels"),
    "zero point": ([LAST, step("Quant", ONE, ONE, ONE, domain=QONNX, signed=1)], "of other levels"),
    "two norms": ([LAST, *2 * [step("BatchNormalization", *4 * [np.ones(4, np.float32)])]],
                  "node 'batchnormalization2': BatchNormalization that does not fit"),
    "norm of few": ([LAST, step("BatchNormalization", *4 * [np.ones(3, np.float32)])],
                    "'batchnormalization1': batch normalisation of"),
    "norm of three": ([LAST, step("BatchNormalization", *3 * [np.ones(4, np.float32)])],
                      "'batchnormalization1': batch normalisation of"),
    "negative variance": ([LAST, step("BatchNormalization", *3 * [np.ones(4)], -np.ones(4))],
                          "'batchnormalization1'.*variance"),
    "training": ([LAST, step("BatchNormalization", *4 * [np.ones(4)], training_mode=1)],
                 "'training_mode' = 1"),
    "argmax over images": ([LAST, step("ArgMax")], "'argmax1': ArgMax that does not fit"),
    "argmax of the last": ([LAST, step("ArgMax", axis=1, select_last_index=1)], "select_last"),
    "after argmax": ([LAST, step("ArgMax", axis=1), step("Sign")], "'sign2': Sign that does not"),
    "softmax of argmax": ([LAST, step("ArgMax", axis=1), step("Softmax")], "'softmax2': Softmax"),
    "pool before": ([step("MaxPool", kernel_shape=[2, 2]), LAST], "MaxPool before the first layer"),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "message"), REFUSED.values(), ids=REFUSED)
def test_what_no_network_here_does_is_refused_by_node(tmp_path, steps, message):
    images = any(x.op in ("Conv", "Flatten", "Reshape") for x in steps)
    code, shape = (IMAGE, ("n", 2, 8, 8)) if images else (ROW, ("n", 16))
    with pytest.raises(DataError, match=r"net\.onnx.*" + message):
        from_onnx("net", saved(tmp_path, model(steps, shape)), code)


def changed(how):
    made = model([step("Gemm", np.ones((16, 4), np.float32))])
    how(made.graph, made)
    return made


def external(graph, _):
    tensor = graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "/dev/zero", length=256)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.ClearField("raw_data")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (external, "array 'array0': an array in another file"),
        (lambda g, m: m.functions.add(), "1 functions"),
        (lambda g, m: m.ClearField("opset_import"), r"opsets \[\]"),
        (lambda g, m: setattr(m.opset_import[0], "version", 8), r"opsets \[8\]"),
        (lambda g, m: setattr(m.opset_import[0], "version", 99), r"opsets \[99\]"),
        (lambda g, m: g.output.add(name="gemm0"), "1 inputs and 2 outputs"),
        (lambda g, m: g.input.add(name="z"), "2 inputs and 1 outputs"),
        (lambda g, m: g.ClearField("input"), "0 inputs"),
        (lambda g, m: setattr(g.output[0], "name", "nothing"), "'y' goes to 0 operations"),
        (lambda g, m: g.node.add(op_type="Sign", input=["x"], output=["s"]), "'x' goes to 2"),
        (lambda g, m: g.node.add(op_type="Sign", input=["x"], output=["y"]), "'y' is defined"),
        (lambda g, m: g.node.add(op_type="Sign", input=["x"], output=["p", "q"]), "with 2 outputs"),
        (lambda g, m: g.initializer.append(g.initializer[0]), "'array0' is defined twice"),
        (lambda g, m: g.input[0].type.tensor_type.ClearField("shape"), "an input without shape"),
        (lambda g, m: g.input[0].type.tensor_type.shape.dim.add(), "an input of shape"),
        (lambda g, m: setattr(g.input[0].type.tensor_type.shape.dim[1], "dim_value", 9), "shape"),
        (lambda g, m: g.initializer[0].dims.__setitem__(0, -16), "shape .-16, 4."),
        (lambda g, m: g.initializer[0].dims.__setitem__(0, 2**40), "not readable as ONNX"),
        (lambda g, m: setattr(g.initializer[0], "data_type", 77), "not readable as ONNX"),
    ],
)  # fmt: skip
def test_files_that_are_no_chain_are_refused(tmp_path, how, message):
    with pytest.raises(DataError, match=r"net\.onnx.*" + message):
        from_onnx("net", saved(tmp_path, changed(how)), ROW)


def test_constants_by_nodes_and_inputs_with_defaults_are_read(tmp_path):
    def by_node(graph, _):
        tensor = graph.initializer.pop()
        graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))

    def listed(graph, _):  # as before IR 4
        info = helper.make_tensor_value_info("array0", onnx.TensorProto.FLOAT, (16, 4))
        graph.input.insert(0, info)

    for how in (by_node, listed):
        network = from_onnx("net", saved(tmp_path, changed(how)), ROW)
        assert (network.layers[0].weights == 1).all()


def test_a_circle_and_a_long_way_to_a_constant_are_refused(tmp_path):
    circle = changed(
        lambda g, m: (g.node[0].input.__setitem__(0, "a"),
                      g.node.add(op_type="Add", input=["x", "a"], output=["a"]))
    )  # fmt: skip
    with pytest.raises(DataError, match="expected"):
        from_onnx("net", saved(tmp_path, circle), ROW)
    far = np.ones((16, 4), np.float32)
    for _ in range(9):
        far = step("Sign", far)
    with pytest.raises(DataError, match="is no constant"):
        from_onnx("net", saved(tmp_path, model([step("Gemm", far)])), ROW)


def test_bounds_on_files_nodes_and_weights(tmp_path, monkeypatch):
    path = saved(tmp_path, model(dense(np.random.default_rng(1))))
    for bound, most, message in (
        ("MOST_BYTES", 1000, "a file too large"), ("MOST_NODES", 5, "nodes at most"),
        ("MOST_NUMBERS", 400, "more than 400 weights"),
    ):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(onnx_graph, bound, most)
            with pytest.raises(DataError, match=message):
                from_onnx("net", path, ROW)


def test_without_onnx_the_extra_is_named(tmp_path, monkeypatch):
    path = saved(tmp_path, b"anything")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ParameterError, match=r"pip install 'devicephys\[onnx\]'"):
        from_onnx("net", path, ROW)


WHOLE = model(dense(np.random.default_rng(2))).SerializeToString()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("onnx")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, len(WHOLE) - 1))
def test_truncated_files_are_refused(folder, size):
    with pytest.raises(DataError, match=r"net\.onnx"):
        from_onnx("net", saved(folder, WHOLE[:size]), ROW)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.binary(min_size=1, max_size=300))
def test_random_bytes_are_refused(folder, content):
    with pytest.raises(DataError, match=r"net\.onnx"):
        from_onnx("net", saved(folder, content), ROW)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1))
def test_changed_bytes_give_a_network_or_a_refusal(folder, changes):
    content = bytearray(WHOLE)
    for k, byte in changes:
        content[k] = byte
    try:
        network = from_onnx("net", saved(folder, bytes(content)), ROW)
    except DataError:
        return
    assert isinstance(network, Network)
