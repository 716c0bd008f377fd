"""Classes with scales of their own: the gain of an output layer, from file to prediction."""

import io
from dataclasses import replace

import numpy as np
import pytest

from devicephys.bnn.faults import Rates, flip_thresholds, flip_weights
from devicephys.bnn.inference import predict, predict_blas, sums
from devicephys.bnn.network import ImageCode, Layer, Network
from devicephys.bnn.network_file import from_bytes, to_bytes
from devicephys.bnn.recalibration import recalibrate
from devicephys.errors import DataError


def random_layer(rng, n_out, n_in, gain=None):
    weights = rng.choice([-1, 1], (n_out, n_in)).astype(np.int8)
    return Layer(weights, rng.integers(-3, 4, n_out).astype(np.int32), gain=gain)


def network(rng, gain, levels=(127,), hidden=70, n_in=30):
    layers = [random_layer(rng, hidden, n_in)] if hidden else []
    last = random_layer(rng, len(gain), hidden or n_in, np.asarray(gain, np.int32))
    threshold = rng.integers(-5, 6, len(gain)) * np.asarray(gain)
    layers.append(replace(last, threshold=threshold.astype(np.int32)))
    return Network("x", ImageCode((1, 1, n_in), levels), tuple(layers))


@pytest.mark.parametrize("hidden", [0, 70, 257])
@pytest.mark.parametrize("levels", [(127,), ()])
@pytest.mark.parametrize("gain", [[1, 2, 3], [0, 5, 0], [100_000, 1, 85_001], list(range(70))])
def test_all_paths_give_the_argmax_of_gain_z_minus_threshold(gain, levels, hidden):
    rng = np.random.default_rng(1)
    net = network(rng, gain, levels, hidden)
    inputs = rng.integers(0, 2 if levels else 256, (1300, 30), np.uint8)
    z = sums(net, inputs)[-1].astype(object)  # exact integers of any size
    scores = z * np.array(gain, object) - net.layers[-1].threshold.astype(object)
    expected = [row.index(max(row)) for row in scores.tolist()]
    assert predict_blas(net, inputs).tolist() == expected
    assert predict(net, inputs).tolist() == expected
    assert len(set(expected)) > 1


def test_the_file_keeps_gains_and_is_the_same_without():
    rng = np.random.default_rng(2)
    net = network(rng, [4, 1, 9])
    again = from_bytes(to_bytes(net))
    assert again.layers[-1].gain.dtype == np.int32
    assert again.layers[-1].gain.tolist() == [4, 1, 9]
    assert again.layers[0].gain is None
    plain = replace(net, layers=(net.layers[0], replace(net.layers[1], gain=None)))
    assert b"gain" not in to_bytes(plain)
    assert from_bytes(to_bytes(plain)).layers[-1].gain is None


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("gain_1", None),
        ("gain_1", np.ones(3)),
        ("gain_1", np.ones(2, "<i4")),
        ("gain_1", np.ones(0, "<i4")),
        ("gain_1", -np.ones(3, "<i4")),
        ("gain_1", np.full(3, 2**31 - 1, "<i4")),
        ("gain_1", np.ones(300, "<i4")),
    ],
    ids=lambda x: "",
)
def test_files_with_other_gains_are_refused(name, array):
    content = to_bytes(network(np.random.default_rng(7), [4, 1, 9]))
    with np.load(io.BytesIO(content)) as archive:
        members = {k: v for k, v in archive.items() if k != name}
    members.update({} if array is None else {name: array})
    out = io.BytesIO()
    np.savez(out, **members)
    with pytest.raises(DataError, match=r"^bad\.npz: not a"):
        from_bytes(out.getvalue(), "bad.npz")


@pytest.mark.parametrize("gain", [[1, 2], [1, -1, 1], [[1, 1, 1]]])
def test_gains_that_make_no_sense_are_refused(gain):
    with pytest.raises(DataError, match="gain"):
        random_layer(np.random.default_rng(3), 3, 5, np.array(gain, np.int32))


def test_gains_belong_to_the_output_and_keep_scores_within_int32():
    rng = np.random.default_rng(4)
    net = network(rng, [1, 2, 3])
    hidden = replace(net.layers[0], gain=np.ones(70, np.int32))
    with pytest.raises(DataError, match="layer 0: gain up to 1"):
        replace(net, layers=(hidden, net.layers[1]))
    square = random_layer(rng, 4, 4, np.ones(4, np.int32))
    with pytest.raises(DataError, match="layer 0: gain up to 1"):
        Network("x", ImageCode((1, 1, 4), (0,)), (square, square))
    most = (2**31 - 1) // (2 * 71)
    gain = np.array([most, 0, 1], np.int32)
    assert replace(net, layers=(net.layers[0], replace(net.layers[1], gain=gain)))
    with pytest.raises(DataError, match=r"layer 1: gain up to 15123\d*; expected in the output"):
        replace(net, layers=(net.layers[0], replace(net.layers[1], gain=gain + 1)))
    far = replace(net.layers[1], threshold=np.full(3, 2 * 3 * 71 + 1, np.int32))
    with pytest.raises(DataError, match="threshold beyond every possible sum"):
        replace(net, layers=(net.layers[0], far))


def test_faults_keep_gains_and_reach_every_bit_of_the_wider_words():
    rng = np.random.default_rng(5)
    net = network(rng, [4000, 1, 9])
    assert flip_weights(net, Rates(0.1, 0.1), rng).layers[-1].gain.tolist() == [4000, 1, 9]
    none = replace(net.layers[1], threshold=np.zeros(3, np.int32))
    net = replace(net, layers=(net.layers[0], none))
    read = flip_thresholds(net, Rates(1.0, 1.0), rng).layers[-1]
    assert read.threshold.tolist() == [-1, -1, -1]  # all ones in two's complement
    assert read.gain.tolist() == [4000, 1, 9]


def test_recalibration_weighs_the_input_sum_by_each_gain():
    rng = np.random.default_rng(6)
    net = network(rng, [10, 40, 30])
    inputs = rng.integers(0, 2, (500, 30), np.uint8)
    rates = Rates(0.02, 0.12)
    found = recalibrate(net, rates, inputs).layers[-1]
    fired = np.where(sums(net, inputs)[0] >= net.layers[0].threshold, 1, -1)
    s = fired.sum(axis=1).mean()
    a, b = 1 - 0.14, 0.02 - 0.12
    expected = a * net.layers[-1].threshold + b * s * np.array([10, 40, 30])
    np.testing.assert_allclose(found.threshold, expected, atol=0.5 + 1e-9)
    equal = network(rng, [7, 7, 7])
    first = recalibrate(equal, Rates(0.1, 0.1)).layers[-1]
    np.testing.assert_allclose(first.threshold, 0.8 * equal.layers[-1].threshold, atol=0.5)
