"""Networks as records and files: round trips, exact bytes, every damaged file refused."""

import io
import json
import os
import pickle
import struct
import zipfile
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.bnn.network import (
    MAX_BITS,
    SCHEMA,
    Layer,
    Network,
    describe,
    from_bytes,
    load,
    to_bytes,
)
from devicephys.errors import DataError

QUICK = settings(deadline=None, max_examples=40, derandomize=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def layer(n_out, n_in, rng):
    weights = rng.choice([-1, 1], (n_out, n_in)).astype(np.int8)
    return Layer(weights, rng.integers(-n_in - 1, n_in + 2, n_out).astype(np.int32))


@st.composite
def networks(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = tuple(draw(st.lists(st.integers(-5, 300), min_size=1, max_size=3)))
    n_in = len(levels) * draw(st.integers(1, 9))
    sizes = [n_in, *draw(st.lists(st.integers(1, 11), min_size=1, max_size=3))]
    layers = tuple(layer(b, a, rng) for a, b in pairwise(sizes))
    record = draw(st.dictionaries(st.text(), JSON, max_size=3))
    return Network(draw(st.text()), levels, layers, record)


def same(a, b):
    return (
        (a.name, a.input_levels, dict(a.record)) == (b.name, b.input_levels, dict(b.record))
        and len(a.layers) == len(b.layers)
        and all(
            x.weights.dtype == y.weights.dtype == np.int8
            and x.threshold.dtype == y.threshold.dtype == np.int32
            and np.array_equal(x.weights, y.weights)
            and np.array_equal(x.threshold, y.threshold)
            for x, y in zip(a.layers, b.layers, strict=True)
        )
    )


def members(network):
    with np.load(io.BytesIO(to_bytes(network))) as npz:
        return dict(npz)


def swap(network, name, array):
    """Bytes of the network's file with another member `name`, or without it."""
    content = members(network) | {name: array}
    out = io.BytesIO()
    np.savez(out, **{key: value for key, value in content.items() if value is not None})
    return out.getvalue()


def rewrite(network, header):
    """Bytes of the network's file with other header entries."""
    fields = json.loads(members(network)["header"].tobytes()) | header
    return swap(network, "header", np.frombuffer(json.dumps(fields).encode(), np.uint8))


@given(networks())
@QUICK
def test_round_trip_gives_the_same_network(network):
    again = from_bytes(to_bytes(network))
    assert same(again, network)
    assert to_bytes(again) == to_bytes(network)


@given(networks(), st.data())
@QUICK
def test_every_weight_and_threshold_reaches_the_file(network, data):
    k = data.draw(st.integers(0, len(network.layers) - 1))
    old = network.layers[k]
    j = data.draw(st.integers(0, old.weights.size - 1))
    weights = old.weights.copy()
    weights.flat[j] *= -1
    layers = list(network.layers)
    layers[k] = Layer(weights, old.threshold)
    other = Network(network.name, network.input_levels, tuple(layers), network.record)
    assert to_bytes(other) != to_bytes(network)
    assert same(from_bytes(to_bytes(other)), other)


def test_bytes_carry_no_time(tiny_network):
    with zipfile.ZipFile(io.BytesIO(to_bytes(tiny_network))) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_one_bit_a_weight(tiny_network):
    content = members(tiny_network)
    assert content["bits_0"].size == -(-7 * 12 // 8)
    assert content["bits_1"].size == -(-3 * 7 // 8)
    ones = sum(int(np.bitwise_count(content[f"bits_{k}"]).sum()) for k in (0, 1))
    assert ones == sum(int((x.weights > 0).sum()) for x in tiny_network.layers)


def test_counts_of_pixels_and_weights(tiny_network):
    assert tiny_network.n_pixels * len(tiny_network.input_levels) == 12
    assert tiny_network.n_weights == 12 * 7 + 7 * 3
    assert describe(tiny_network) == "tiny: 12-7-3, 105 weight bits, input levels 85 170"


def test_load_reads_what_was_written(tiny_network, tmp_path):
    path = tmp_path / "tiny.npz"
    path.write_bytes(to_bytes(tiny_network))
    assert same(load(path), tiny_network)
    assert same(load(str(path)), tiny_network)


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"gone\.npz: no such file; check the path"):
        load(tmp_path / "gone.npz")


def test_folder_is_not_a_file(tmp_path):
    with pytest.raises(DataError, match="is a folder"):
        load(tmp_path)


def test_empty_file(tmp_path):
    path = tmp_path / "empty.npz"
    path.touch()
    with pytest.raises(DataError, match=r"empty\.npz: empty file"):
        load(path)


@pytest.mark.parametrize(
    ("weights", "threshold"),
    [((2, 3), (3,)), ((2, 3), (2, 1)), ((6,), (6,)), ((1, 2, 3), (1,)), ((2, 3), ())],
)
def test_layer_refuses_shapes_that_do_not_fit(weights, threshold):
    with pytest.raises(DataError, match=r"expected shapes \(n_out, n_in\) and \(n_out,\)"):
        Layer(np.ones(weights, np.int8), np.zeros(threshold, np.int32))


@pytest.mark.parametrize("sign", [-1, 1])
def test_threshold_may_just_exceed_every_sum(sign):
    weights = np.ones((2, 5), np.int8)
    assert Layer(weights, np.array([0, sign * 6], np.int32)).threshold[1] == sign * 6
    with pytest.raises(DataError, match=r"expected \|threshold\| <= n_in \+ 1 = 6"):
        Layer(weights, np.array([0, sign * 7], np.int32))


def test_most_negative_threshold_is_refused():
    with pytest.raises(DataError, match="threshold beyond every possible sum"):
        Layer(np.ones((1, 5), np.int8), np.array([-(2**31)], np.int32))


@pytest.mark.parametrize("value", [0, 2, -3])
def test_layer_refuses_weights_other_than_signs(value):
    """A file holds one bit a weight: any third value would come back as another number."""
    weights = np.ones((2, 3), np.int8)
    weights[1, 2] = value
    with pytest.raises(DataError, match="-1"):
        Layer(weights, np.zeros(2, np.int32))


def test_network_refuses_layers_that_do_not_chain():
    rng = np.random.default_rng(1)
    with pytest.raises(DataError, match=r"'x': layer 0 has 3 outputs, layer 1 takes 4"):
        Network("x", (0,), (layer(3, 5, rng), layer(2, 4, rng)))


def test_network_refuses_a_fraction_of_a_pixel():
    with pytest.raises(DataError, match=r"5 inputs with 2 input levels.*whole number of pixels"):
        Network("x", (1, 2), (layer(3, 5, np.random.default_rng(1)),))


def test_network_needs_layers_and_levels():
    one = layer(3, 5, np.random.default_rng(1))
    with pytest.raises(DataError, match="'x' has no layer or no input level"):
        Network("x", (0,), ())
    with pytest.raises(DataError, match="'x' has no layer or no input level"):
        Network("x", (), (one,))


def refused(content, reason=""):
    with pytest.raises(DataError) as caught:
        from_bytes(content, "bad.npz")
    message = str(caught.value)
    assert message.startswith("bad.npz: not a readable network file (")
    assert message.endswith("; expected an npz written by devicephys")
    assert reason in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"schema": "devicephys-bnn-0"}, f"schema 'devicephys-bnn-0' is not '{SCHEMA}'"),
        ({"schema": None}, "schema None"),
        ({"shapes": [[7, 11], [3, 7]]}, ""),
        ({"shapes": [[12, 7], [3, 7]]}, ""),
        ({"shapes": [[7, 12]] * 3}, ""),
        ({"shapes": [[7, 12], [3, 8]]}, ""),
        ({"shapes": []}, "no layer"),
        ({"shapes": [[0, 12], [3, 7]]}, "layer shape (0, 12)"),
        ({"shapes": [[-7, -12], [3, 7]]}, "layer shape (-7, -12)"),
        ({"shapes": [[2**20, 2**20], [3, 7]]}, f"layer shape ({2**20}, {2**20})"),
        ({"shapes": [[10**30, 12], [3, 7]]}, "layer shape"),
        ({"shapes": [[7, 12, 1], [3, 7]]}, ""),
        ({"shapes": [[7], [3, 7]]}, ""),
        ({"shapes": [["seven", 12], [3, 7]]}, ""),
        ({"shapes": [[7.9, 12], [3, 7]]}, ""),
        ({"shapes": [[float("inf"), 12], [3, 7]]}, ""),
        ({"shapes": [[float("nan"), 12], [3, 7]]}, ""),
        ({"shapes": 3}, ""),
        ({"input_levels": []}, "no input level"),
        ({"input_levels": [1, 2, 3, 4, 5]}, "whole number of pixels"),
        ({"input_levels": ["high", 2]}, ""),
        ({"input_levels": [float("inf"), 2]}, ""),
        ({"input_levels": None}, ""),
        ({"record": 7}, ""),
    ],
)
def test_header_that_does_not_fit(tiny_network, header, reason):
    refused(rewrite(tiny_network, header), reason)


@pytest.mark.parametrize("name", ["header", "bits_0", "threshold_1"])
def test_missing_member(tiny_network, name):
    refused(swap(tiny_network, name, None), name)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"7", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000]
)
def test_header_that_is_no_record(tiny_network, text):
    refused(swap(tiny_network, "header", np.frombuffer(text, np.uint8)))


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        ("threshold_0", np.full(7, 14, np.int32), "threshold beyond every possible sum"),
        ("threshold_0", np.full(7, -14, np.int32), "threshold beyond every possible sum"),
        ("threshold_0", np.full(7, 2**32, np.int64), ""),
        ("threshold_0", np.full(7, -(2**32) + 1, np.int64), ""),
        ("threshold_0", np.zeros(7), "thresholds of type float64"),
        ("threshold_0", np.zeros(8, np.int32), ""),
        ("threshold_0", np.zeros((7, 1), np.int32), ""),
        ("threshold_0", np.zeros(7, "U3"), "thresholds of type <U3"),
        ("bits_0", np.zeros(10, np.uint8), "packed bits uint8 (10,) for shape (7, 12)"),
        ("bits_0", np.zeros(12, np.uint8), "packed bits uint8 (12,) for shape (7, 12)"),
        ("bits_0", np.zeros((1, 11), np.uint8), "packed bits"),
        ("bits_0", np.zeros(11, np.int8), "packed bits int8"),
        ("bits_0", np.zeros(11), "packed bits float64"),
    ],
)
def test_member_that_does_not_fit(tiny_network, name, array, reason):
    refused(swap(tiny_network, name, array), reason)


def test_pickled_objects_are_not_run(tiny_network, tmp_path):
    trap = tmp_path / "executed"

    def bomb():
        return os.mkdir, (str(trap),)

    kind = type("Bomb", (), {"__reduce__": lambda self: bomb()})
    for name in ("header", "bits_0", "threshold_0"):
        refused(swap(tiny_network, name, np.array([kind()], object)), "allow_pickle=False")
    refused(pickle.dumps(kind()), "not a zip")
    assert not trap.exists()


def test_bare_npy_is_not_a_network():
    out = io.BytesIO()
    np.save(out, np.zeros(3))
    refused(out.getvalue(), "not a zip")


@pytest.mark.parametrize("count", [2**40, 2**60, 2**63 - 1])
def test_member_that_declares_a_huge_array(tiny_network, count):
    """The archive is small; the array header inside claims terabytes."""
    claim = io.BytesIO()
    fields = {"descr": "|u1", "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(claim, fields)
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(to_bytes(tiny_network))) as old,
        zipfile.ZipFile(out, "w") as new,
    ):
        for name in old.namelist():
            new.writestr(name, claim.getvalue() if name == "bits_0.npy" else old.read(name))
    refused(out.getvalue())


def test_archive_that_declares_huge_members(tiny_network):
    content = bytearray(to_bytes(tiny_network))
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, MAX_BITS)
    refused(bytes(content), "too large")


def test_file_cut_anywhere(tiny_network):
    content = to_bytes(tiny_network)
    for size in range(len(content)):
        refused(content[:size])


def test_no_flipped_byte_gives_another_network_or_another_error(tiny_network):
    content = to_bytes(tiny_network)
    survived = 0
    for k in range(len(content)):
        for mask in (0x01, 0x08, 0xFF):
            damaged = bytearray(content)
            damaged[k] ^= mask
            try:
                network = from_bytes(bytes(damaged), "bad.npz")
            except DataError:
                continue
            assert same(network, tiny_network), f"byte {k} ^ {mask:#x}"
            survived += 1
    assert survived < 3 * len(content) / 2  # only time stamps, flags and the like may change
