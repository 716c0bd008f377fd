"""Downloads of image sets: from a server of the test's own, whole, damaged, cut, and none."""

import gzip
import hashlib
import io
import struct
import tarfile
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from devicephys.bnn import images
from devicephys.bnn.image_sources import BATCHES, IDX_FILES, SOURCES
from devicephys.bnn.images import download, load_images
from devicephys.errors import DataError, ParameterError


class Quiet(SimpleHTTPRequestHandler):
    """Handler that writes nothing to standard error."""

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of the folder `served`; the sets have its addresses, and are small."""
    monkeypatch.setattr(images, "download_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("DEVICEPHYS_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = tmp_path / "served"
    served.mkdir()
    rng = np.random.default_rng(1)
    files = {}
    for name, shape in zip(IDX_FILES, [(20, 4, 4), (20,), (10, 4, 4), (10,)], strict=True):
        array = rng.integers(0, 256, shape) if len(shape) == 3 else np.arange(shape[0]) % 10
        header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
        raw = header + array.astype(np.uint8).tobytes()
        files[name] = hashlib.sha256(raw).hexdigest()
        (served / name).write_bytes(gzip.compress(raw, 1 + len(files)))  # wrappings may differ
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in (*BATCHES, "readme.html"):
            records = rng.integers(0, 256, (10, 3073)).astype(np.uint8)
            records[:, 0] = np.arange(10)
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = records.size
            archive.addfile(member, io.BytesIO(records.tobytes()))
    (served / "cifar.tar.gz").write_bytes(packed.getvalue())
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    root = f"http://127.0.0.1:{httpd.server_port}"
    small = {"n_train": 20, "n_test": 10, "shape": (1, 4, 4)}
    urls = {f"{root}/{name}": sha256 for name, sha256 in files.items()}
    archive = {f"{root}/cifar.tar.gz": hashlib.sha256(packed.getvalue()).hexdigest()}
    changed = {
        "mnist": replace(SOURCES["mnist"], urls=urls, **small),
        "cifar-10": replace(SOURCES["cifar-10"], urls=archive, n_train=50, n_test=10),
    }
    monkeypatch.setattr(images, "SOURCES", {**SOURCES, **changed})
    yield served
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def kept(tmp_path):
    return sorted(p.name for p in (tmp_path / "cache").rglob("*") if p.is_file())


@pytest.mark.parametrize(("name", "shape"), [("mnist", (20, 16)), ("cifar-10", (50, 3072))])
def test_set_is_fetched_and_then_found(server, tmp_path, name, shape):
    with pytest.raises(ParameterError, match="is not set"):
        load_images(name)
    seen = []
    folder = download(name, lambda *state: seen.append(state))
    layout, files = next(iter(SOURCES[name].layouts.items()))
    assert folder == tmp_path / "cache" / "datasets" / layout
    assert kept(tmp_path) == sorted(files)
    assert load_images(name).train_pixels.shape == shape
    sizes = {p.name: p.stat().st_size for p in server.iterdir()}
    assert {file for file, _, _ in seen} == {
        u.rpartition("/")[2] for u in images.SOURCES[name].urls
    }
    assert all(0 <= done <= total == sizes[file] for file, done, total in seen)
    assert all((file, sizes[file], sizes[file]) in seen for file, _, _ in seen)
    assert download(name) == folder  # again, over the first
    assert kept(tmp_path) == sorted(files)


def test_what_is_not_the_published_file_is_not_kept(server, tmp_path):
    good = (server / IDX_FILES[3]).read_bytes()
    raw = gzip.decompress(good)
    for content, reason in [
        (gzip.compress(raw[:-1] + b"\7"), "SHA-256 [0-9a-f]{64}; expected"),
        (good[:-3], "SHA-256 of nothing: .*cut short"),
        (b"<html>not here</html>", "SHA-256 of nothing: .*it begins with 3c68"),
    ]:
        (server / IDX_FILES[3]).write_bytes(content)
        with pytest.raises(DataError, match=rf"http://.*{IDX_FILES[3]}: {reason}"):
            download("mnist")
        assert kept(tmp_path) == []
    (server / IDX_FILES[3]).write_bytes(good)
    download("mnist")
    (server / IDX_FILES[0]).write_bytes(b"")
    with pytest.raises(DataError, match="SHA-256"):
        download("mnist")
    assert len(load_images("mnist").test_labels) == 10  # what was there stays


def test_archive_with_another_byte_is_not_unpacked(server, tmp_path):
    raw = bytearray((server / "cifar.tar.gz").read_bytes())
    raw[len(raw) // 2] ^= 1
    (server / "cifar.tar.gz").write_bytes(bytes(raw))
    with pytest.raises(DataError, match="SHA-256"):
        download("cifar-10")
    assert kept(tmp_path) == []


def test_missing_file_and_too_large_a_file(server, tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MOST_BYTES", 2**17)
    with pytest.raises(DataError, match=r"cifar.tar.gz has more than 131072 bytes.*get data_batch"):
        download("cifar-10")
    (server / IDX_FILES[1]).unlink()
    with pytest.raises(DataError, match=r"'mnist' was not downloaded \(404.*try again, or get t"):
        download("mnist")
    assert kept(tmp_path) == []


def test_server_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "download_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    source = replace(SOURCES["mnist"], urls={"http://127.0.0.1:9/x.gz": "0" * 64})
    monkeypatch.setattr(images, "SOURCES", {"mnist": source})
    with pytest.raises(DataError, match=r"was not downloaded .*put them into"):
        download("mnist")
    assert kept(tmp_path) == []


def test_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "cache").touch()
    monkeypatch.setattr(images, "download_folder", lambda: tmp_path / "cache")
    with pytest.raises(DataError, match="'mnist' was not downloaded"):
        download("mnist")


def test_sets_without_a_download():
    with pytest.raises(ParameterError, match=r"'digits' cannot be .*it comes with scikit-learn"):
        download("digits")
    with pytest.raises(ParameterError, match=r"'svhn' cannot be .*ufldl.stanford.edu/housenumbers"):
        download("svhn")
    with pytest.raises(ParameterError, match=r"unknown image set 'cifar10'.*'cifar-10'"):
        download("cifar10")


def test_cache_is_the_users_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert images.download_folder().name == "devicephys"
