"""Files of named arrays are read as they are, and nothing in them is believed or run."""

import json
import pickle
import struct
import zipfile

import numpy as np
import pytest

from devicephys.bnn.state_file import read_state
from devicephys.errors import DataError

ARRAYS = {
    "b.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a.bias": np.array([-0.5, 2.0]),
    "a.num_batches_tracked": np.array(7),
}
NAMES = {"<f4": "F32", "<f8": "F64", "<i8": "I64", "<f2": "F16", "<u2": "BF16"}


def safetensors(arrays, **change):
    """Bytes of a safetensors file."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in arrays.items():
        end = len(data) + array.nbytes
        header[name] = {"dtype": NAMES[array.dtype.str], "shape": list(array.shape),
                        "data_offsets": [len(data), end]}  # fmt: skip
        data += array.tobytes()
    for name, said in change.items():
        header[name] = {**header["a.bias"], **said}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_npz_keeps_names_order_and_values(tmp_path):
    path = tmp_path / "net.npz"
    np.savez(path, **ARRAYS)
    found = read_state(path)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)


def test_safetensors_gives_the_same_arrays(tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(safetensors(ARRAYS))
    found = read_state(path)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_half_precisions_are_widened_exactly(tmp_path):
    values = np.array([1.0, -2.5, 0.15625], np.float32)
    upper = (values.view("<u4") >> 16).astype("<u2")
    path = tmp_path / "net.safetensors"
    path.write_bytes(safetensors({"a.bias": upper, "b": values.astype("<f2")}))
    found = read_state(path)
    np.testing.assert_array_equal(found["a.bias"], values)
    np.testing.assert_array_equal(found["b"], values)


def refused(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_state(path)
    assert str(path) in str(caught.value)
    assert "numpy.savez" in str(caught.value) or not content


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"dtype": "C64"}, "a.bias: C64"),
        ({"dtype": ["F64"]}, "unhashable"),
        ({"shape": [3]}, r"shape \[3\] of F64 over bytes 24 to 40"),
        ({"shape": [-1, -2]}, r"shape \[-1, -2\]"),
        ({"shape": [True, 2]}, "shape"),
        ({"shape": [2**62, 2**62]}, "over bytes"),
        ({"shape": "22"}, "shape 22"),
        ({"data_offsets": [24, 4000]}, "bytes 24 to 4000"),
        ({"data_offsets": [40, 24]}, "bytes 40 to 24"),
        ({"data_offsets": [-16, 0]}, "at -16 to 0"),
        ({"data_offsets": [0, 1, 2]}, "values to unpack"),
    ],
    ids=lambda x: "",
)
def test_safetensors_that_lie_are_refused(tmp_path, said, message):
    refused(tmp_path, "net.safetensors", safetensors(ARRAYS, **{"a.bias": said}), message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"abc", "requires a buffer"),
        (struct.pack("<Q", 2**60) + b"{}", "declares a header of"),
        (struct.pack("<Q", 2) + b"{", "declares a header of"),
        (struct.pack("<Q", 2) + b"[]", "pop"),
        (struct.pack("<Q", 4) + b"nope", "Expecting value"),
        (struct.pack("<Q", 9) + b'{"a": {}}', "data_offsets"),
        (struct.pack("<Q", 60000) + b"[" * 60000, "recursion"),
    ],
    ids=lambda x: "",
)
def test_damaged_headers_are_refused(tmp_path, content, message):
    refused(tmp_path, "net.safetensors", content, message)


class Bomb:
    """Unpickled, it would write a file."""

    def __reduce__(self):
        return open, ("escaped", "w")


def test_pickled_objects_are_refused_and_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    objects = np.empty(1, object)
    objects[0] = Bomb()
    np.savez(tmp_path / "bad.npz", w=objects)
    refused(tmp_path, "bad.npz", (tmp_path / "bad.npz").read_bytes(), "allow_pickle=False")
    refused(tmp_path, "net.pt", pickle.dumps(Bomb()), "not a zip file")
    with zipfile.ZipFile(tmp_path / "new.pt", "w") as archive:  # as torch.save writes
        archive.writestr("net/data.pkl", pickle.dumps(Bomb()))
    refused(tmp_path, "net.pt", (tmp_path / "new.pt").read_bytes(), "pickled PyTorch file")
    assert not (tmp_path / "escaped").exists()


def test_archives_that_are_cut_or_declare_too_much_are_refused(tmp_path, monkeypatch):
    np.savez(tmp_path / "good.npz", **ARRAYS)
    content = (tmp_path / "good.npz").read_bytes()
    refused(tmp_path, "cut.npz", content[:-40], "not a zip")
    monkeypatch.setattr("devicephys.bnn.state_file.MOST_BYTES", 100)
    refused(tmp_path, "good.npz", content, "declares more than 100 bytes")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_state(tmp_path / "none.npz")
