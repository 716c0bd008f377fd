"""Studies: what a study file may say, and that a run is whole, repeatable and interruptible."""

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from devicephys import data, report, study, tables
from devicephys.errors import DataError, OutputExistsError, ParameterError
from devicephys.fitting import result as fit_result
from devicephys.io import tidy_csv

TEXT = """
title = "t"
intended_use = "u"
recipe = "stt_mram_wer"
data = "synthetic_stt_mram_wer.csv"
networks = ["digits"]
seed = 3
max_loss = 0.02
"""
SMALL = """
[grid]
pulse_current = [60e-6, 68e-6]
pulse_width = [3e-9, 6e-9, 9e-9]
[sampling]
half_width = 0.02
min_maps = 3
max_maps = 4
[specification.delta]
min = 40.0
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """A small study: two devices of the shipped counts."""
    source = tmp_path_factory.mktemp("counts") / "synthetic_two.csv"
    counts = tidy_csv.read(data.path("synthetic_stt_mram_wer.csv"))
    mine = np.isin(counts.device.values, ["synthetic-1", "synthetic-2"])
    tidy_csv.write(counts.isel(point=np.flatnonzero(mine)), source)
    text = TEXT.replace("synthetic_stt_mram_wer.csv", str(source))
    return study.parse(text + SMALL, "small.toml")


@pytest.fixture(scope="module")
def outputs(plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name in ("one", "two"):
        study.run(plan, folder / name)
    return folder


def test_every_shipped_study_parses():
    for name in study.shipped():
        assert study.read(name).source == name


def test_a_run_writes_every_stage(outputs):
    assert sorted(p.name for p in (outputs / "one").iterdir()) == [
        "accuracy.csv", "accuracy.nc", "check.nc", "data.nc", "fit.json", "report.html",
        "report.json", "study.json", "table.csv", "table.nc",
    ]  # fmt: skip
    assert sorted(p.name for p in outputs.iterdir()) == ["one", "two"]  # no scratch left


def test_the_same_seed_gives_the_same_bytes(outputs):
    for path in (outputs / "one").iterdir():
        twin = outputs / "two" / path.name
        digests = [hashlib.sha256(p.read_bytes()).hexdigest() for p in (path, twin)]
        assert digests[0] == digests[1], path.name


def test_stages_agree_with_each_other(outputs):
    table = tables.read(outputs / "one" / "table.nc")
    report = json.loads((outputs / "one" / "report.json").read_text())
    fit = fit_result.read(outputs / "one" / "fit.json")
    assert table.attrs["seed"] == 3
    assert json.loads(table.attrs["input_files"]) == {fit.data["source"]: fit.data["sha256"]}
    (answer,) = report["least_energy"]
    found = tables.lookup(table, **answer["point"])
    assert found["ber"] == pytest.approx(answer["ber"])
    assert found["energy_per_bit"] == pytest.approx(answer["energy_per_bit"])
    assert answer["loss_bound"] <= 0.02
    values = {p["name"]: p for p in report["parameters"]}
    assert values["delta"]["value"] == fit["delta"].value
    assert values["delta"]["verdict"] == "PASS"


def test_report_is_self_contained_and_says_synthetic(outputs):
    page = (outputs / "one" / "report.html").read_text()
    assert page.count("<svg") >= 6  # three of the study, and residuals, devices, correlations
    assert "The fit in figures" in page
    assert "Intervals by other methods" in page
    assert "Synthetic data" in page
    for outside in ('src="http', 'href="http', "<script", "@import", "url(http"):
        assert outside not in page
    assert not re.search(r"\b(nan|inf|None)\b", re.sub(r"<svg.*?</svg>", "", page, flags=re.S))


def test_existing_output_is_refused_and_force_replaces_only_runs(plan, outputs, tmp_path):
    with pytest.raises(OutputExistsError, match="--force"):
        study.run(plan, outputs / "one")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("x")
    with pytest.raises(OutputExistsError, match=r"holds thesis\.txt.*only the output of a study"):
        study.run(plan, precious, force=True)
    assert (precious / "thesis.txt").read_text() == "x"
    (outputs / "two" / "thesis.txt").write_text("x")
    with pytest.raises(OutputExistsError, match=r"holds thesis\.txt"):
        study.run(plan, outputs / "two", force=True)
    (outputs / "two" / "thesis.txt").unlink()


def test_an_interrupted_run_leaves_nothing_and_keeps_the_old_one(plan, outputs, tmp_path):
    def interrupt(stage, done, total):
        if stage == "accuracy":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.run(plan, tmp_path / "new", progress=interrupt)
    assert list(tmp_path.iterdir()) == []
    before = (outputs / "two" / "report.html").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        study.run(plan, outputs / "two", force=True, progress=interrupt)
    assert (outputs / "two" / "report.html").read_bytes() == before
    study.run(plan, outputs / "two", force=True)
    assert (outputs / "two" / "report.html").read_bytes() == before
    assert sorted(p.name for p in outputs.iterdir()) == ["one", "two"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("sed = 1", "unknown study key 'sed'.*did you mean 'seed'"),
        ("seed = true", "seed = True; expected int"),
        ("networks = 'digits'", r"networks = 'digits'; expected list"),
        ("max_loss = 2.0", r"max_loss = 2"),
        ("recipe = 'stt_mram'", "unknown recipe 'stt_mram'.*stt_mram_wer"),
        ("seed = ", "not TOML"),
        ("[grid]\npulse_widht = [1e-9]", "unknown axis 'pulse_widht'.*pulse_width"),
        ("[grid]\npulse_width = [2e-9, 1e-9]", "does not rise"),
        ("[grid]\npulse_width = [-1e-9]", "pulse_width = -1e-09 s"),
        ("[grid]\npulse_width = 3", "expected a list or"),
        ("[grid]\npulse_width = {start = 'a', stop = 2, n = 3}", "of numbers"),
        ("[grid]\npulse_width = {start = 1e-9, stop = 2e-9, n = -2}", "n = -2"),
        ("[grid]\ncell = ['1T1R']", "unknown axis 'cell'"),
        ("networks = [1]", "expected names"),
        ("networks = []", "at least one network"),
        ("[sampling]\nmin_maps = 2.5", "min_maps = 2.5; expected int"),
        ("[specification]\ndelta = 5", "delta = 5; expected"),
        ("[specification.delta]\nmin = 'x'", "delta.min = 'x'; expected a number"),
        ("[sampling]\nmaps = 3", "unknown sampling key 'maps'"),
        ("[specification.delta]\nmaximum = 3", "unknown limit of delta 'maximum'"),
    ],
)
def test_a_wrong_key_is_named_with_its_remedy(change, message):
    key = change.split("=")[0]
    lines = [x for x in TEXT.splitlines() if not x.startswith(key) or not key.strip()]
    with pytest.raises(ParameterError, match=message):
        study.parse("\n".join([*lines, change]), "bad.toml")


def test_an_unknown_claim_is_refused_before_any_work(plan, tmp_path):
    with pytest.raises(ParameterError, match="unknown claim 'fokker'"):
        study.run(replace(plan, claims=("fokker",)), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_was_edited_is_refused(outputs, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(outputs / "one", folder)
    for change in ({"max_loss": "x"}, {"max_loss": 2.0}, {"seed": None}):
        record = json.loads((outputs / "one" / "study.json").read_text()) | change
        record = {k: v for k, v in record.items() if v is not None}
        (folder / "study.json").write_text(json.dumps(record))
        with pytest.raises(DataError, match="not the record of a study"):
            report.write(folder, lambda done, total: None, force=True)


def test_missing_keys_files_and_names_are_said():
    with pytest.raises(ParameterError, match="no key 'seed'"):
        study.parse(TEXT.replace("seed = 3", ""), "bad.toml")
    with pytest.raises(DataError, match="no such file"):
        study.read("missing.toml")
    with pytest.raises(ParameterError, match=r"unknown study 'quickstar'.*'quickstart'"):
        study.read("quickstar")
    with pytest.raises(ParameterError, match="unknown network 'digit'"):
        study.load_network("digit")


def test_data_folder_is_asked_for_only_where_it_is_needed(monkeypatch, tmp_path):
    monkeypatch.delenv("DEVICEPHYS_DATA", raising=False)
    plan = study.read("hfo2_mnist")
    with pytest.raises(ParameterError, match="DEVICEPHYS_DATA is not set"):
        study.run(plan, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("DEVICEPHYS_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(ParameterError, match="is not a folder"):
        study.data_path(plan.data)


def test_measured_ramps_give_the_reference_table(data_folder, monkeypatch):
    from devicephys.validation import hfo2_table

    figures = hfo2_table.run()
    assert len(figures) == 21
    assert [f.name for f in figures if not f.holds] == []


def test_measured_ramps_describe_their_variance(data_folder):
    from devicephys.fits import hfo2_staircase

    dataset = hfo2_staircase.read(study.data_path(study.read("hfo2_mnist").data))
    fit = hfo2_staircase.fit(dataset, np.random.default_rng(0), lambda done, total: None)
    assert fit["r_lrs"].value == pytest.approx(6035, rel=0.01)
    assert fit["onset_voltage"].value == pytest.approx(0.981, abs=0.001)
    assert fit.data["ramps"] == 500
    with pytest.raises(DataError, match=r"no pulse at 0.777 V.*nearest 0.8"):
        hfo2_staircase.table(dataset, fit, {"pulse_voltage": np.array([0.777])})


def test_repository_ships_no_foreign_data():
    root = Path(__file__).parent.parent
    files = [
        p for d in ("data", "fits", "validation") for p in (root / d).rglob("*") if p.is_file()
    ]
    shipped = [p for p in files if p.suffix not in {".py", ".md", ".toml", ".pyc"}]
    assert {p.name for p in shipped} == {
        "synthetic_stt_mram_wer.csv", "cifar10-small.npz", "digits.npz", "fashion.npz",
        "fashion-aware.npz", "mnist.npz", "mnist-aware.npz",
    }  # fmt: skip
    assert max(p.stat().st_size for p in shipped) < 300_000
