"""Synthetic data sets from the command line: what was asked for, stated, and recovered by a fit."""

import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from devicephys.fits import hfo2_filament, stt_mram_wer, synthetic_ramps, synthetic_stt_mram

from devicephys import cli
from devicephys.errors import DataError, ParameterError
from devicephys.fitting import result as fit_result
from devicephys.fitting.filament import predicted
from devicephys.io import staircase, tidy_csv
from devicephys.mram.junction import mtj_from_stack
from devicephys.mram.spread import Spread, covariance
from devicephys.units import si

PLAN = ["--currents", "60e-6:80e-6:2", "--widths", "2e-9:10e-9:6", "--trials", "1e4",
        "--devices", "3", "--seed", "5"]  # fmt: skip


def call(capsys, *arguments):
    """Run the command line in this process; give exit code, standard output and error."""
    with pytest.raises(SystemExit) as left:
        cli.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return left.value.code or 0, out, err


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Counts that the command line has drawn, fitted and reported."""
    folder = tmp_path_factory.mktemp("simulated")
    counts, fit, page = (folder / n for n in ("counts.csv", "fit.json", "fit.html"))
    for words in (
        ["simulate", "wer", "-o", counts, *PLAN],
        ["fit", "stt_mram_wer", counts, "-o", fit, "--report", page],
    ):
        with pytest.raises(SystemExit) as left:
            cli.main([str(w) for w in words])
        assert not left.value.code
    return folder


def test_counts_follow_the_plan_and_say_what_they_are(folder):
    made = tidy_csv.read(folder / "counts.csv")
    assert made.sizes["point"] == 3 * 2 * 2 * 6
    assert np.unique(made.pulse_current) == pytest.approx([60e-6, 80e-6])
    assert np.unique(made.pulse_width) == pytest.approx(np.linspace(2e-9, 10e-9, 6))
    assert set(made.n_trials.values) == {10_000}
    metadata = json.loads(made.attrs["metadata"])
    truth = mtj_from_stack(synthetic_stt_mram.STACK)
    assert metadata["synthetic"].startswith("yes")
    assert metadata["seed"] == "5"
    assert float(metadata["truth_delta"]) == pytest.approx(truth.delta)
    assert "--sigma-delta 0.03 --sigma-i-c0 0.01 --seed 5" in metadata["command"]


def test_the_command_in_the_header_makes_the_file_again(folder, tmp_path, capsys):
    command = json.loads(tidy_csv.read(folder / "counts.csv").attrs["metadata"])["command"]
    again = tmp_path / "again.csv"
    assert call(capsys, *command.split()[1:], "-o", again)[0] == 0
    assert again.read_bytes() == (folder / "counts.csv").read_bytes()


def test_a_fit_recovers_the_truth_inside_its_intervals(folder):
    """Four intervals of 95 %, seed fixed."""
    fit = fit_result.read(folder / "fit.json")
    truth = fit.data["truth"]
    for name in ("delta", "i_c0_p_ap", "i_c0_ap_p", "t_d"):
        assert fit[name].low < truth[f"truth_{name}"] < fit[name].high, name
    assert fit.data["synthetic"]
    assert fit.seed == 1


def test_the_report_shows_the_fit_beside_the_truth(folder):
    fit = fit_result.read(folder / "fit.json")
    page = (folder / "fit.html").read_text()
    text = " ".join(re.sub(r"<[^>]+>", " ", re.sub("<svg.*?</svg>", "", page, flags=re.S)).split())
    assert "Synthetic data." in text
    assert "all 4 inside" in text
    e = fit["delta"]
    row = [
        si(e.value, "1", 4),
        si(e.stderr, "1", 2),
        f"{si(e.low, '1', 4)} to {si(e.high, '1', 4)}",
    ]
    assert "delta " + " ".join(row) in text
    assert fit.intervals == {}  # percentiles of three devices are their range
    assert text.index("Made with") < text.index(si(fit.data["truth"]["truth_delta"], "1", 4))
    for device in fit.devices:
        assert f"{device.device} {si(device.values['delta'], '1', 4)} &plusmn;" in text
    assert page.count("<svg") >= 4


def test_points_are_checked_from_the_stored_result_alone(folder):
    counts = stt_mram_wer.read(folder / "counts.csv")
    fit = fit_result.read(folder / "fit.json")
    check = stt_mram_wer.check(counts, fit, np.random.default_rng(1))
    assert float((check.deviance_residual**2).sum()) == pytest.approx(fit.deviance, rel=2e-3)
    assert check.attrs["drive"] == "pulse_current"
    assert np.flatnonzero(check.flagged).tolist() == fit.data["flagged_points"]
    few = counts.isel(point=counts.device.values != "synthetic-1")
    with pytest.raises(DataError, match="a fit of devices synthetic-1, synthetic-2, synthetic-3"):
        stt_mram_wer.check(few, fit, np.random.default_rng(1))


JUNCTION = """[mtj]
delta = 60
i_c0_p_ap = 30e-6
i_c0_ap_p = 20e-6
t_d = 1e-9
r_p = 4e3
tmr = 1.2
temperature = 350
[spread]
sigma_delta = 0.02
sigma_i_c0 = 0.04
"""


def test_a_junction_file_gives_the_truth_the_spread_and_a_plan_of_its_own(capsys, tmp_path):
    junction, out = tmp_path / "j.toml", tmp_path / "c.csv"
    junction.write_text(JUNCTION)
    words = ["simulate", "wer", "-o", out, "--junction", junction, "--devices", 1, "--widths",
             "2e-9,5e-9", "--sigma-delta", "0.01"]  # fmt: skip
    code, said, err = call(capsys, *words)
    assert (code, err) == (0, "")
    assert said.startswith(f"{out}: 16 points of 1 devices, ")
    made = tidy_csv.read(out)
    metadata = json.loads(made.attrs["metadata"])
    assert (metadata["truth_delta"], metadata["r_p_ohm"]) == ("60", "4000")
    assert 0 < abs(float(metadata["truth_delta_synthetic-1"]) - 60) < 60 * 4 * 0.01
    assert "--sigma-delta 0.01 --sigma-i-c0 0.04" in metadata["command"]
    assert set(made.temperature.values) == {350.0}
    up = made.pulse_current.values[made.direction.values == "P->AP"]
    assert np.unique(up) == pytest.approx(30e-6 * np.array(synthetic_stt_mram.OVERDRIVES))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--currents", "60e-6"], None),
        (["--currents", "9e-5,6e-5"], "--currents 9e-5,6e-5; expected START:STOP:N or numbers"),
        (["--widths", "1e-9:5e-9"], "--widths 1e-9:5e-9; expected START:STOP:N"),
        (["--widths", "-1e-9"], "rising, > 0 seconds"),
        (["--trials", "1.5"], "--trials = 1.5; expected a whole number"),
        (["--trials", "1e16"], "trials = 1e+16; expected at most 1e+15"),
        (["--devices", "0"], "devices = 0; expected a whole number >= 1"),
        (["--sigma-delta", "-1"], "sigma_delta = -1"),
        (["--junction", "missing.toml"], "missing.toml: no such file"),
    ],
)
def test_a_wrong_plan_is_one_line_and_no_file(capsys, tmp_path, arguments, message):
    if message is None:  # a single current is a plan
        arguments, message = [*arguments, "--devices", "0"], "devices = 0"
    out = tmp_path / "c.csv"
    code, said, err = call(capsys, "simulate", "wer", "-o", out, *arguments)
    assert (code in {2, 3}, said, err.count("\n")) == (True, "", 1)
    assert message in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["wer", "ramps"])
def test_existing_output_is_kept_and_ctrl_c_leaves_nothing(capsys, tmp_path, monkeypatch, verb):
    out = tmp_path / "mine.csv"
    out.write_text("mine")
    code, _, err = call(capsys, "simulate", verb, "-o", out)
    assert (code, "--force" in err, out.read_text()) == (4, True, "mine")

    def stop(*_):
        raise KeyboardInterrupt

    module = synthetic_stt_mram if verb == "wer" else synthetic_ramps
    monkeypatch.setattr(module, "generate", stop)
    code, said, err = call(capsys, "simulate", verb, "-o", tmp_path / "new.csv")
    assert (code, said) == (130, "")
    assert err == "devicephys: interrupted; nothing partial was written\n"
    assert [p.name for p in tmp_path.iterdir()] == ["mine.csv"]


def test_no_report_without_its_fit_and_none_over_an_old_one(capsys, folder, tmp_path, monkeypatch):
    page, fit = tmp_path / "fit.html", tmp_path / "fit.json"
    page.write_text("mine")
    words = ["fit", "stt_mram_wer", folder / "counts.csv", "-o", fit, "--report", page]
    code, _, err = call(capsys, *words)
    assert (code, "--force" in err, page.read_text()) == (4, True, "mine")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(stt_mram_wer, "fit", stop)
    assert call(capsys, *words, "--force")[0] == 130
    assert page.read_text() == "mine"
    assert not fit.exists()


def test_correlated_and_singular_spreads_are_drawn_as_they_are_stated():
    every = Spread(0.03, 0.01, sigma_t_d=0.02, rho_i_c0_delta=0.5, rho_delta_t_d=-0.3)
    one = Spread(0.03, 0.01, rho_i_c0_delta=1.0)
    for spread, directions in ((every, 3), (one, 1), (Spread(0.0, 0.0), 0)):
        c = covariance(spread)[:3, :3]
        root = synthetic_stt_mram._triangular(c)
        assert np.allclose(root @ root.T, c, rtol=0, atol=1e-15)
        assert (np.diag(root) > 0).sum() == directions
    fast = synthetic_stt_mram.replace(mtj_from_stack(synthetic_stt_mram.STACK), t_d=1e-11)
    with pytest.raises(ParameterError, match=r"widths .*rise.*rounded to 10 ps"):
        synthetic_stt_mram.shipped_plan(fast)


def test_ramps_are_read_by_the_recipe_and_follow_the_filament(capsys, tmp_path):
    """Medians of 40 devices: 4 standard errors of sigma 1.25/sqrt(40); seed fixed."""
    out = tmp_path / "ramps.csv"
    words = ["simulate", "ramps", "-o", out, "--devices", 40, "--cycles", 3, "--voltages",
             "0.8:1.3:6", "--seed", 2]  # fmt: skip
    code, said, err = call(capsys, *words)
    assert (code, err) == (0, "")
    assert said == f"{out}: 720 pulses, 120 ramps, 40 devices\n"
    dataset = hfo2_filament.read(out)
    metadata = json.loads(dataset.attrs["metadata"])
    assert metadata["synthetic"].startswith("yes")
    assert float(metadata["truth_e_on"]) == pytest.approx(0.98 - 0.34)
    ramps = staircase.ramps(dataset)
    assert ramps.after.shape == (120, 6)
    cell = synthetic_ramps.CELL
    law = predicted(cell.filament, ramps.voltage, 200e-9, cell.noise, cell.sigma_lrs)
    error = 1.25 * law.sigma / np.sqrt(40)
    assert (np.abs(np.median(np.log(ramps.after), axis=0) - law.median) < 4 * error).all()
    assert np.log(ramps.lrs).std() == pytest.approx(cell.sigma_lrs, rel=0.25)
    shuffled = dataset.isel(point=np.random.default_rng(1).permutation(720))
    tidy_csv.write(shuffled, tmp_path / "shuffled.csv")
    again = staircase.ramps(hfo2_filament.read(tmp_path / "shuffled.csv"))
    assert np.array_equal(np.sort(again.after, axis=0), np.sort(ramps.after, axis=0))
    broken = dataset.isel(point=np.arange(720) != 7)
    tidy_csv.write(broken, tmp_path / "broken.csv")
    with pytest.raises(DataError, match=r"pulse_index 2.*ramps of RESET pulses"):
        hfo2_filament.read(tmp_path / "broken.csv")


def test_ramps_of_a_fit_and_impossible_staircases(capsys, tmp_path, folder):
    out = tmp_path / "r.csv"
    for arguments, message in (
        (["--fit", folder / "fit.json"], "not a fit of hfo2_filament"),
        (["--voltages", "1:0.5:3"], "--voltages 1:0.5:3"),
        (["--pulse-width", "200"], "pulse_width = 200 s"),
        (["--devices", "1e3"], "--devices"),
        (["--devices", "2000000"], "20000000 ramps; expected at most 1000000"),
    ):
        code, _, err = call(capsys, "simulate", "ramps", "-o", out, *arguments)
        assert code in {2, 3}
        assert message in err
        assert not out.exists()


def test_profiles_are_asked_for_and_pulses_are_planned(folder, tmp_path, capsys):
    counts, fit = folder / "counts.csv", tmp_path / "profiled.json"
    code, _, _ = call(
        capsys, "fit", "stt_mram_wer", counts, "-o", fit, "--intervals", "profile", "-q"
    )
    assert code == 0
    curves = fit_result.read(fit).profiles
    assert set(curves) == {"synthetic-1", "synthetic-2", "synthetic-3"}
    assert min(rise for _, rise in curves["synthetic-1"]["delta"]) == 0
    words = ["plan", "stt_mram_wer", counts, "--fit", fit, "--parameter", "t_d", "--points", "2"]
    code, out, _ = call(capsys, *words, "--currents", "60e-6,80e-6", "--widths", "3e-9,9e-9")
    assert code == 0
    first, *pulses, median, more = out.splitlines()
    errors = [float(re.search(r"([0-9.e-]+) %", line)[1]) for line in (first, *pulses)]
    assert errors == sorted(errors, reverse=True)
    assert len(pulses) == 2
    assert "median t_d of 3 devices" in median
    assert "6 devices measured as these 3" in more
    sheet = tmp_path / "sheet.csv"  # the same counts by other names, with a fit of that file
    renamed = counts.read_text().replace("pulse_current_A", "I (A)").replace("pulse_width_s", "w")
    sheet.write_text(renamed)
    maps = ["--map", "pulse_current=I", "--map", "pulse_width=w [s]"]
    digest = hashlib.sha256(sheet.read_bytes()).hexdigest()
    of_sheet = tmp_path / "of_sheet.json"
    made = fit_result.read(fit)
    fit_result.write(replace(made, data={**made.data, "sha256": digest}), of_sheet)
    words_of_sheet = [of_sheet if w == fit else sheet if w == counts else w for w in words]
    code, said, err = call(
        capsys, *words_of_sheet, "--currents", "60e-6,80e-6", "--widths", "3e-9,9e-9", *maps
    )
    assert (code, said, err) == (0, out, "")
    for wrong, expected in (
        (["fit", "stt_mram_wer", counts, "-o", tmp_path / "x", "--intervals", "profle"], 2),
        (["fit", "hfo2_staircase", counts, "-o", tmp_path / "x", "--intervals", "profile"], 2),
        (["plan", "hfo2_staircase", counts, "--fit", fit], 2),
        ([*words, "--voltages", "0.5,0.6"], 2),
        (["plan", "stt_mram_wer", "synthetic_stt_mram_wer.csv", "--fit", fit], 3),
    ):
        code, _, err = call(capsys, *wrong)
        assert code == expected, (wrong, err)
        assert err.count("\n") == 1
    assert not (tmp_path / "x").exists()
