"""Files of networks: round trips, exact bytes, every damaged or hostile file refused."""

import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.bnn.network import ImageCode, Layer, Network
from devicephys.bnn.network_file import MAX_BITS, SCHEMA, from_bytes, load, to_bytes
from devicephys.errors import DataError

QUICK = settings(deadline=None, max_examples=40, derandomize=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CONVOLUTIONS = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from([1, 3, 5]), st.booleans(), st.integers(1, 3)).map(
        lambda x: (x[0], x[1], x[2] * (x[1] // 2), x[3])
    ),
    max_size=3,
)


@st.composite
def networks(draw, random_network):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)))
    image = ImageCode(shape, tuple(draw(st.lists(st.integers(-5, 300), max_size=3))))
    sizes = draw(st.lists(st.integers(1, 11), min_size=1, max_size=3))
    made = random_network(rng, image, draw(CONVOLUTIONS), sizes)
    record = draw(st.dictionaries(st.text(), JSON, max_size=3))
    return Network(draw(st.text()), image, made.layers, record)


def same(a, b):
    return (
        (a.name, a.image, dict(a.record)) == (b.name, b.image, dict(b.record))
        and len(a.layers) == len(b.layers)
        and all(
            x.weights.dtype == y.weights.dtype == np.int8
            and x.threshold.dtype == y.threshold.dtype == np.int32
            and np.array_equal(x.weights, y.weights)
            and np.array_equal(x.threshold, y.threshold)
            and (x.padding, x.pool) == (y.padding, y.pool)
            for x, y in zip(a.layers, b.layers, strict=True)
        )
    )


@pytest.fixture
def small(random_network):
    """Network of a convolution 2 -> 3 channels, pooled to 2 x 2, and 4 classes."""
    rng = np.random.default_rng(3)
    return random_network(rng, ImageCode((1, 4, 5), (85, 170)), [(3, 3, 1, 2)], [4])


def members(network):
    with np.load(io.BytesIO(to_bytes(network))) as npz:
        return dict(npz)


def swap(network, name, array):
    """Bytes of the network's file with another member `name`, or without it."""
    content = members(network) | {name: array}
    out = io.BytesIO()
    np.savez(out, **{key: value for key, value in content.items() if value is not None})
    return out.getvalue()


def header_of(network):
    return json.loads(members(network)["header"].tobytes())


def rewrite(network, header):
    """Bytes of the network's file with other header entries."""
    fields = json.dumps(header_of(network) | header).encode()
    return swap(network, "header", np.frombuffer(fields, np.uint8))


def refused(content, reason=""):
    with pytest.raises(DataError) as caught:
        from_bytes(content, "bad.npz")
    message = str(caught.value)
    assert message.startswith(
        ("bad.npz: not a readable network file (", "bad.npz: not a network (")
    )
    assert reason in message
    assert "\n" not in message


@given(st.data())
@QUICK
def test_round_trip_gives_the_same_network(random_network, data):
    network = data.draw(networks(random_network))
    again = from_bytes(to_bytes(network))
    assert same(again, network)
    assert to_bytes(again) == to_bytes(network)


@given(st.data())
@QUICK
def test_every_weight_and_threshold_reaches_the_file(random_network, data):
    network = data.draw(networks(random_network))
    k = data.draw(st.integers(0, len(network.layers) - 1))
    old = network.layers[k]
    weights, threshold = old.weights.copy(), old.threshold.copy()
    if data.draw(st.booleans()):
        weights.flat[data.draw(st.integers(0, weights.size - 1))] *= -1
    else:
        at = data.draw(st.integers(0, len(threshold) - 1))
        threshold[at] -= 1 if threshold[at] > 0 else -1
    layers = list(network.layers)
    layers[k] = Layer(weights, threshold, old.padding, old.pool)
    other = Network(network.name, network.image, tuple(layers), network.record)
    assert to_bytes(other) != to_bytes(network)
    assert same(from_bytes(to_bytes(other)), other)


def test_bytes_carry_no_time(tiny_network):
    with zipfile.ZipFile(io.BytesIO(to_bytes(tiny_network))) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_one_bit_a_weight(small):
    content = members(small)
    assert content["bits_0"].size == -(-3 * 2 * 9 // 8)
    assert content["bits_1"].size == -(-4 * 3 * 2 * 2 // 8)
    ones = sum(int(np.bitwise_count(content[f"bits_{k}"]).sum()) for k in (0, 1))
    assert ones == sum(int((x.weights > 0).sum()) for x in small.layers)


def test_load_reads_what_was_written(small, tmp_path):
    path = tmp_path / "small.npz"
    path.write_bytes(to_bytes(small))
    assert same(load(path), small)
    assert same(load(str(path)), small)


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


def shapes(*shapes):
    return {"layers": [{"shape": shape, "padding": 0, "pool": 1} for shape in shapes]}


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"schema": "devicephys-bnn-1"}, f"schema 'devicephys-bnn-1' is not '{SCHEMA}'"),
        ({"schema": None}, "schema None"),
        (shapes([7, 11], [3, 7]), ""),
        (shapes([12, 7], [3, 7]), ""),
        (shapes([7, 12], [3, 7], [7, 12]), "bits_2"),
        (shapes([7, 12], [3, 8]), ""),
        (shapes([6, 14], [3, 7]), ""),
        (shapes(), "no fully connected layer"),
        (shapes([0, 12], [3, 7]), "layer shape (0, 12)"),
        (shapes([-7, -12], [3, 7]), "layer shape (-7, -12)"),
        (shapes([2**20, 2**20], [3, 7]), f"more than {MAX_BITS} weights"),
        (shapes([2**20, 2**20], [-(2**20), 2**20]), f"more than {MAX_BITS} weights"),
        (shapes(*[[2**14, 2**12]] * 5), f"more than {MAX_BITS} weights"),
        (shapes([10**30, 12], [3, 7]), "more than"),
        (shapes([7, 12, 1], [3, 7]), "(7, 12, 1)"),
        (shapes([7, 3, 2, 2], [3, 7]), "kernel 2 x 2"),
        (shapes([7, 12, 1, 1], [3, 7]), "inputs of shape (2, 2, 3)"),
        (shapes([7], [3, 7]), ""),
        (shapes([], [3, 7]), "layer shape ()"),
        (shapes(["seven", 12], [3, 7]), "not all integers"),
        (shapes([7.9, 12], [3, 7]), "not all integers"),
        (shapes([True, 12], [3, 7]), "not all integers"),
        (shapes([float("inf"), 12], [3, 7]), "not all integers"),
        (shapes([float("nan"), 12], [3, 7]), "not all integers"),
        (shapes(3, [3, 7]), "not all integers"),
        ({"layers": 3}, ""),
        ({"layers": None}, ""),
        ({"layers": [3, 4]}, ""),
        ({"layers": [{"shape": [7, 12]}, {"shape": [3, 7]}]}, "padding"),
        ({"image": {"shape": [1, 2, 3], "levels": []}}, "12"),
        ({"image": {"shape": [1, 2, 3], "levels": [1, 2, 3]}}, "18 inputs; expected 12"),
        ({"image": {"shape": [1, 2, 3], "levels": ["high", 2]}}, "not all integers"),
        ({"image": {"shape": [1, 2, 3], "levels": [float("inf"), 2]}}, "not all integers"),
        ({"image": {"shape": [1, 2, 3], "levels": None}}, "not all integers"),
        ({"image": {"shape": [1, 2, 3], "levels": ""}}, "not all integers"),
        ({"image": {"shape": [1, 2, 3]}}, "levels"),
        ({"image": {"shape": [2, 3], "levels": [1, 2]}}, ""),
        ({"image": {"shape": [1, 2, 3, 1], "levels": [1, 2]}}, ""),
        ({"image": {"shape": [-1, -2, 3], "levels": [1, 2]}}, "images of shape"),
        ({"image": {"shape": [1, 2.0, 3], "levels": [1, 2]}}, "not all integers"),
        ({"image": {"shape": [1, 10**30, 3], "levels": [1, 2]}}, "expected 12"),
        ({"image": 3}, ""),
        ({"image": None}, ""),
        ({"record": 7}, ""),
    ],
)
def test_header_that_does_not_fit(tiny_network, header, reason):
    refused(rewrite(tiny_network, header), reason)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"padding": 0.5}, "not all integers"),
        ({"padding": "same"}, "not all integers"),
        ({"padding": True}, "not all integers"),
        ({"padding": None}, "not all integers"),
        ({"padding": 2}, "padding 2; expected 0, or half the kernel"),
        ({"padding": -1}, "padding -1"),
        ({"padding": 10**30}, "padding"),
        ({"padding": 0}, "layer 1: 3 inputs; expected 12"),
        ({"pool": 2.0}, "not all integers"),
        ({"pool": [2]}, "not all integers"),
        ({"pool": 0}, "pool 0"),
        ({"pool": -2}, "pool -2"),
        ({"pool": 10**30}, "inputs of shape (2, 4, 5)"),
        ({"pool": 1}, "60 inputs; expected 12"),
    ],
)
def test_padding_or_pool_that_does_not_fit(small, entry, reason):
    layers = header_of(small)["layers"]
    refused(rewrite(small, {"layers": [layers[0] | entry, layers[1]]}), reason)


@pytest.mark.parametrize("name", ["header", "bits_0", "threshold_1"])
def test_missing_member(small, name):
    refused(swap(small, name, None), name)


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
        ("threshold_0", np.full(7, -(2**31), np.int32), "threshold beyond every possible sum"),
        ("threshold_0", np.full(7, 2**32, np.int64), "thresholds of type int64"),
        ("threshold_0", np.zeros(7, ">i4"), "thresholds of type >i4"),
        ("threshold_0", np.zeros(7), "thresholds of type float64"),
        ("threshold_0", np.full(7, np.nan, np.float32), "thresholds of type float32"),
        ("threshold_0", np.zeros(8, np.int32), ""),
        ("threshold_0", np.zeros((7, 1), np.int32), ""),
        ("threshold_0", np.zeros((), np.int32), ""),
        ("threshold_0", np.zeros(7, "U3"), "thresholds of type <U3"),
        ("bits_0", np.zeros(10, np.uint8), "packed bits uint8 (10,) for shape (7, 12)"),
        ("bits_0", np.zeros(12, np.uint8), "packed bits uint8 (12,) for shape (7, 12)"),
        ("bits_0", np.zeros((1, 11), np.uint8), "packed bits"),
        ("bits_0", np.zeros(11, np.int8), "packed bits int8"),
        ("bits_0", np.zeros(11), "packed bits float64"),
        ("bits_0", np.zeros(5000, np.uint8), "member bits_0 is of 5128 bytes instead of 11"),
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
    refused(padded(tiny_network, claim.getvalue()), f"declares shape ({count},) over 0 bytes")


def padded(network, content, zeros=0):
    """Bytes of the network's file with other bytes for its first bits, zeros after them."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(to_bytes(network))) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for name in old.namelist():
            with new.open(name, "w") as file:
                file.write(content if name == "bits_0.npy" else old.read(name))
                for _ in range(zeros // 2**20 if name == "bits_0.npy" else 0):
                    file.write(bytes(2**20))
    return out.getvalue()


@pytest.mark.parametrize("honest", [True, False])
def test_zip_bomb_takes_no_memory(random_network, honest):
    """A member of 64 MB of zeros in a file of 300 kB; or one that says it is of 60 kB."""
    image = ImageCode((1, 1, 700), (0,))
    network = random_network(np.random.default_rng(1), image, sizes=(700, 2))
    member = io.BytesIO()
    np.save(member, members(network)["bits_0"])
    zeros, size = 2**26, len(member.getvalue())
    content = padded(network, member.getvalue(), zeros)
    if not honest:
        content = content.replace(struct.pack("<I", size + zeros), struct.pack("<I", size))
    assert len(content) < 2**20
    tracemalloc.start()
    try:
        refused(content, f"is of {size + zeros} bytes" if honest else "Bad CRC-32")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**22


def test_archive_that_declares_huge_members(tiny_network):
    content = bytearray(to_bytes(tiny_network))
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, MAX_BITS)
    refused(bytes(content), f"member header is of {MAX_BITS} bytes")


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
