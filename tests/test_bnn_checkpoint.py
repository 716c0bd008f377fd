"""Checkpoints: a training that is interrupted ends in the same bits; others are refused."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from devicephys.fits import networks

from devicephys import cli
from devicephys.bnn import checkpoint, training
from devicephys.bnn.network_file import load, to_bytes
from devicephys.bnn.training import Plan, train
from devicephys.errors import DataError, OutputExistsError

PLAN = Plan((10, 6), (127,), epochs=4, batch=50)
SHAPE = (1, 4, 5)


class InterruptError(Exception):
    """What stops a training of these tests."""


def images(seed=3):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (230, 20), np.uint8)
    return pixels, (pixels[:, 0] // 86).astype(np.uint8)


def trained(plan=PLAN, seed=1, path=None, stop=0, data=None, rng=None):
    """Train, stop after an epoch if asked; give the bytes of the network and what was reported."""
    seen = []

    def progress(*now):
        seen.append(now)
        if now[0] == stop:
            raise InterruptError

    rng = np.random.default_rng(seed) if rng is None else rng
    network = train("n", SHAPE, *(data or images()), plan, rng, progress, path)
    return to_bytes(network), seen


def interrupted(path, stop=2, **options):
    with pytest.raises(InterruptError):
        trained(path=path, stop=stop, **options)
    return path.read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"bit_error_rate": 0.1},
        {"bit_error_rate": 0.1, "random_bit_error_rate": True, "validation": 30},
        {"input_dropout": 0.2, "validation": 30},
        {"margin": 3.0, "input_levels": ()},
    ],
    ids=str,
)
@pytest.mark.parametrize("stop", [1, 3, 4])
def test_resumed_training_is_the_uninterrupted_one_bit_by_bit(tmp_path, change, stop):
    plan = replace(PLAN, **change)
    whole, seen = trained(plan)
    path = tmp_path / "c"
    interrupted(path, stop, plan=plan)
    rest, later = trained(plan, path=path)
    assert rest == whole
    np.testing.assert_equal(later, seen[stop:])


def test_checkpoint_changes_nothing_and_is_whole_after_every_epoch(tmp_path):
    path = tmp_path / "c"
    assert trained(path=path)[0] == trained()[0]
    assert [p.name for p in tmp_path.iterdir()] == ["c"]
    assert trained(path=path) == (trained()[0], [])  # finished: only the export is left


def test_checkpoint_holds_what_was_promised_without_pickle(tmp_path):
    interrupted(tmp_path / "c")
    with np.load(tmp_path / "c", allow_pickle=False) as file:
        header = json.loads(file["header"].tobytes())
        names = {f"{part}_{k}" for part in ("value", "mean", "square") for k in range(6)}
        assert set(file.files) == names | {"header"}
        assert file["value_0"].shape == (10, 20)
    assert header["epoch"] == 2
    assert header["request"]["plan"]["hidden"] == [10, 6]
    assert len(header["request"]["images"]) == 64
    assert json.loads(header["rng"])["bit_generator"] == "PCG64"


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_every_source_of_random_numbers_resumes(tmp_path, kind):
    path = tmp_path / "c"
    interrupted(path, rng=np.random.Generator(kind(5)))
    rest, _ = trained(path=path, rng=np.random.Generator(kind(5)))
    assert rest == trained(rng=np.random.Generator(kind(5)))[0]


@pytest.mark.parametrize(
    ("options", "differs"),
    [
        ({"plan": replace(PLAN, epochs=5)}, "plan"),
        ({"plan": replace(PLAN, hidden=(10, 7))}, "plan"),
        ({"data": images(4)}, "images"),
        ({"data": (images()[0], images()[1][::-1])}, "images"),
        ({"seed": 2}, "start of the random numbers"),
        ({"rng": np.random.Generator(np.random.SFC64(1))}, "start of the random numbers"),
        ({"seed": 2, "data": images(4)}, "images, start of the random numbers"),
    ],
)
def test_checkpoint_of_another_training_is_refused_before_any_work(
    tmp_path, monkeypatch, options, differs
):
    path = tmp_path / "c"
    before = interrupted(path)
    monkeypatch.setattr(training, "_epoch", None)
    with pytest.raises(OutputExistsError, match=f"another training, which differs in {differs};"):
        trained(path=path, **options)
    assert path.read_bytes() == before


def test_checkpoint_of_another_version_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "c"
    interrupted(path)
    monkeypatch.setattr(training, "__version__", "0.0.0")
    with pytest.raises(OutputExistsError, match="differs in devicephys_version;"):
        trained(path=path)


def rewritten(content, compression=zipfile.ZIP_STORED, **arrays):
    """Give a checkpoint with other members; None leaves one out."""
    with np.load(io.BytesIO(content)) as file:
        members = {name: file[name] for name in file.files} | arrays
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, array in members.items():
            if array is not None:
                member = io.BytesIO()
                np.lib.format.write_array(member, array, allow_pickle=True)
                archive.writestr(f"{name}.npy", member.getvalue())
    return out.getvalue()


def header(content, **changes):
    with np.load(io.BytesIO(content)) as file:
        changed = json.loads(file["header"].tobytes()) | changes
    return rewritten(content, header=np.frombuffer(json.dumps(changed).encode(), np.uint8))


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


class Bomb:
    """An object that must never be unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was executed",)


DAMAGE = {
    "truncated": lambda c: c[: len(c) // 2],
    "one bit": lambda c: flipped(c, c.index(b"value_0.npy") + 300),  # among the weights
    "text": lambda _: b"my thesis",
    "empty": lambda _: b"",
    "another zip": lambda c: rewritten(c, header=None),
    "no weights": lambda c: rewritten(c, value_0=None),
    "compressed": lambda c: rewritten(c, zipfile.ZIP_DEFLATED),
    "pickle": lambda c: rewritten(c, value_0=np.array([Bomb()], object)),
    "pickled header": lambda c: rewritten(c, header=np.array([Bomb()], object)),
    "shape": lambda c: rewritten(c, value_0=np.zeros((20, 10), np.float32)),
    "order": lambda c: rewritten(c, value_0=np.zeros((10, 20), np.float32, order="F")),
    "type": lambda c: rewritten(c, value_0=np.zeros((10, 20))),
    "schema": lambda c: header(c, schema="devicephys-training-9"),
    "epoch": lambda c: header(c, epoch="2"),
    "no epoch": lambda c: header(c, epoch=0),
    "request": lambda c: header(c, request=[]),
    "random numbers": lambda c: header(c, rng="{}"),
    "no JSON": lambda c: rewritten(c, header=np.zeros(9, np.uint8)),
    "a list": lambda c: rewritten(c, header=np.frombuffer(b"[]", np.uint8)),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_checkpoint_is_refused_and_nothing_changes(tmp_path, damage):
    path = tmp_path / "c"
    content = damage(interrupted(path))
    path.write_bytes(content)
    rng = np.random.default_rng(1)
    with pytest.raises(DataError, match=r"c: (not a readable checkpoint|empty file)"):
        trained(path=path, rng=rng)
    assert path.read_bytes() == content


def test_refused_checkpoint_leaves_arrays_and_random_numbers(tmp_path):
    path, rng = tmp_path / "c", np.random.default_rng(1)
    arrays = {"a": np.ones(3, np.float32), "b": np.ones(2, np.float32)}
    checkpoint.save(path, {}, 1, arrays, rng)
    rng.random()
    state, asked = rng.bit_generator.state, {"a": np.zeros(3, np.float32), "b": np.zeros(3)}
    with pytest.raises(DataError, match=r"b is float32 of shape \(2,\)"):
        checkpoint.resume(path, {}, asked, rng)
    assert rng.bit_generator.state == state
    assert not asked["a"].any()


def test_folder_in_the_place_of_a_checkpoint_is_refused_before_any_work(tmp_path):
    with pytest.raises(DataError, match="is a folder"):
        trained(path=tmp_path)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Give a function that runs ``devicephys train tiny`` in a folder."""
    plan = Plan((16,), (7,), epochs=3, validation=97)
    monkeypatch.setattr(networks, "PLANS", {"tiny": ("digits", plan)})
    monkeypatch.chdir(tmp_path)

    def run(*words):
        with pytest.raises(SystemExit) as left:
            cli.main(["train", "tiny", "-o", "x.npz", *words])
        return int(left.value.code or 0), capsys.readouterr()

    return run


def test_command_goes_on_where_it_was_and_cleans_up(tmp_path, monkeypatch, command):
    assert command()[0] == 0
    whole = (tmp_path / "x.npz").read_bytes()
    (tmp_path / "x.npz").unlink()
    epoch, calls = training._epoch, []

    def stopped(*arguments):
        calls.append(arguments[4])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return epoch(*arguments)

    monkeypatch.setattr(training, "_epoch", stopped)
    code, said = command()
    assert code == 130
    assert "finished epochs, if any, are kept in x.npz.checkpoint: run the same" in said.err
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz.checkpoint"]
    assert command()[0] == 0
    assert calls == [0, 1, 1, 2]
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]
    assert (tmp_path / "x.npz").read_bytes() == whole
    record = load(tmp_path / "x.npz").record
    assert record["plan"]["validation"] == 97
    assert record["command"] == "devicephys train tiny"


def test_command_refuses_a_foreign_checkpoint_and_keeps_it(tmp_path, command):
    (tmp_path / "x.npz.checkpoint").write_bytes(b"my thesis")
    code, said = command("--force")
    assert code == 3
    assert "x.npz.checkpoint: not a readable checkpoint" in said.err
    assert (tmp_path / "x.npz.checkpoint").read_bytes() == b"my thesis"
