"""The command line as a user meets it: verbs, exit codes, one clear line, no partial output."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from devicephys.fits import weak_reset_traces

from devicephys import cli, data, sweep, tables
from devicephys.io import tidy_csv

SHIPPED = str(data.path("synthetic_stt_mram_wer.csv"))
TABLE = ["stt_mram_wer", SHIPPED]
HEADER = "device,direction,pulse_current_A,pulse_width_s,temperature_K,n_trials,n_errors\n"
ROW = "a,P->AP,5e-5,5e-9,300,100,7\n"


def call(capsys, *arguments):
    """Run the command line in this process; give exit code, standard output and error."""
    with pytest.raises(SystemExit) as left:
        cli.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return left.value.code or 0, out, err


def test_verbs_make_a_table_and_an_accuracy_step_by_step(capsys, tmp_path):
    fit, table, accuracy = (tmp_path / n for n in ("fit.json", "table.nc", "accuracy.csv"))
    counts = tidy_csv.read(SHIPPED)
    few = counts.isel(point=np.isin(counts.device.values, ["synthetic-1", "synthetic-2"]))
    source = tmp_path / "synthetic.csv"
    tidy_csv.write(few, source)
    code, out, err = call(capsys, "fit", "stt_mram_wer", source, "-o", fit)
    assert (code, err) == (0, "")
    assert "delta" in out
    grid = ["--grid", "pulse_current=60e-6:68e-6:2", "--grid", "pulse_width=4e-9:9e-9:3"]
    code, out, err = call(capsys, "table", "stt_mram_wer", source, "--fit", fit, *grid, "-o", table)
    assert (code, err) == (0, "")
    code, out, err = call(capsys, "evaluate", table, "--network", "digits", "-o", accuracy)
    assert (code, err) == (0, "")
    assert out.startswith("synthetic data, digits: write at")
    header = accuracy.read_text().splitlines()[0]
    assert "energy_per_bit_J" in header
    assert "pulse_width_s" in header
    code, out, _ = call(capsys, "data", "check", table)
    assert (code, "table over" in out) == (0, True)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["accuracy.csv", "fit.json", "synthetic.csv", "table.nc"]


def test_doctor_list_version_and_help(capsys):
    assert call(capsys, "--version")[1].strip() == "0.1.0"
    assert "quickstart" in call(capsys, "data", "list")[1]
    assert "DEVICEPHYS_DATA" in call(capsys, "doctor")[1]
    code, out, _ = call(capsys, "--help")
    assert code == 0
    for verb in (
        "fit",
        "table",
        "sweep",
        "evaluate",
        "report",
        "run",
        "data",
        "doctor",
        "validate",
        "train",
    ):
        assert verb in out


def test_validate_prints_one_json_object_a_figure(capsys):
    code, out, _ = call(capsys, "validate", "fokker_planck_reference", "--json")
    figures = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert len(figures) == 9
    assert set(figures[0]) == {"claim", "name", "value", "unit", "asked", "holds"}


def test_a_failing_claim_exits_with_6(capsys, monkeypatch):
    from devicephys.validation import Figure, fokker_planck_reference

    monkeypatch.setattr(
        fokker_planck_reference, "run", lambda: [Figure("x", 2.0, "1", "<= 1", False)]
    )
    code, out, _ = call(capsys, "validate", "fokker_planck_reference")
    assert code == 6
    assert out.startswith("FAILS")


BAD_FILES = {
    "empty file": (b"", "empty file"),
    "only a header": (HEADER.encode(), "no data rows"),
    "wrong columns": (b"a,b\n1,2\n", "no device, direction, pulse_current_A"),
    "misspelt column": (HEADER.replace("n_errors", "n_error").encode(), "did you mean 'n_errors'"),
    "errors above trials": ((HEADER + ROW.replace(",7", ",700")).encode(), "2:n_errors"),
    "NaN": ((HEADER + ROW.replace("5e-9", "nan")).encode(), "2:pulse_width_s"),
    "not UTF-8": (HEADER.encode() + b"\xff\xfe\n", "not UTF-8"),
    "decimal comma": ((HEADER + ROW.replace("5e-9", "0,5")).encode(), "separator"),
    "no resistance": ((HEADER + ROW).encode(), "metadata r_p_ohm"),
}


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_data_is_one_line_exit_3_and_no_output(capsys, tmp_path, content, message):
    source, out = tmp_path / "bad.csv", tmp_path / "fit.json"
    source.write_bytes(content)
    code, stdout, err = call(capsys, "fit", "stt_mram_wer", source, "-o", out)
    assert code == 3
    assert stdout == ""
    assert err.count("\n") == 1
    assert "bad.csv" in err
    assert message in err
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["fit", "stt_mram_wer", "missing.csv", "-o", "x.json"], 3, "missing.csv: no such file"),
        (["fit", "nope", SHIPPED, "-o", "x.json"], 2, "unknown recipe 'nope'"),
        (["run", "nope", "-o", "x"], 2, "unknown study 'nope'"),
        (
            ["table", "stt_mram_wer", SHIPPED, "--grid", "pulse_width=1", "-o", "x.nc"],
            2,
            "START:STOP:N",
        ),
        (["evaluate", "missing.nc", "-o", "x.csv"], 3, "missing.nc: no such file"),
        (["report", "missing"], 3, "study.json: no such file"),
        (["validate", "nope"], 2, "unknown claim 'nope'"),
        (["data", "check", "x.txt"], 3, "x.txt: no such file"),
        (["data", "check", SHIPPED, "--map", "V"], 2, "--map 'V'; expected TARGET=COLUMN"),
        (["data", "check", SHIPPED, "--map", "tmr:=1"], 3, "a tidy file; expected no mapping"),
        (
            ["fit", "hfo2_staircase", SHIPPED, "-o", "x.json", "--map", "tmr:=1"],
            2,
            "recipe hfo2_staircase reads a file format of its own",
        ),
        (["fit", "stt_mram_wer", SHIPPED, "-o", "x.json", "--map", "tmr=T"], 2, "tmr:=VALUE"),
        (["fit", "stt_mram_wer", SHIPPED, "-o", "x", "--report", "x"], 2, "both name x; expected"),
        (["fit", "stt_mram_wer", SHIPPED, "-o", ".", "--force"], 4, ".: is a folder"),
        (
            ["fit", "stt_mram_wer", SHIPPED, "-o", "x.json", "--intervals", "posterior"],
            2,
            "--intervals posterior of 8 devices; expected one device",
        ),
        (
            ["table", "hfo2_filament", "x.csv", "--grid", "spread=0:1:2", "-o", "x.nc"],
            2,
            "unknown axis of this recipe 'spread'",
        ),
        (["train", "nope", "-o", "x.npz"], 2, "unknown network 'nope'"),
    ],
)
def test_mistakes_are_one_line_with_the_documented_exit_code(
    capsys, tmp_path, monkeypatch, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    found, out, err = call(capsys, *arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert err.startswith("devicephys: ")
    assert message in err
    assert list(tmp_path.iterdir()) == []


JUNCTION = """[mtj]
delta = 60
i_c0_p_ap = 30e-6
i_c0_ap_p = 20e-6
t_d = 1e-9
r_p = 4e3
tmr = 1.2
"""
SWEEP = ["--grid", "pulse_current=60e-6:90e-6:3", "--grid", "pulse_width=3e-9:9e-9:2"]


def test_sweep_makes_a_table_from_a_junction(capsys, tmp_path):
    junction, table, accuracy = (tmp_path / n for n in ("j.toml", "table.nc", "accuracy.csv"))
    junction.write_text(JUNCTION)
    code, out, err = call(capsys, "sweep", junction, "-o", table, *SWEEP, "--rtol", "1e-3")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"table: {table}, {{'pulse_current': 3, 'pulse_width': 2}}, 6 points"
    assert lines[1].startswith('methods: {"AP->P": {"fokker_planck": 6}')
    assert lines[2].startswith("bit error rate: ")
    assert lines[3].startswith("energy per bit: ")
    code, out, _ = call(capsys, "data", "check", table)
    assert (code, "table over" in out) == (0, True)
    code, _, err = call(capsys, "sweep", junction, "-o", table, *SWEEP)
    assert (code, "--force" in err) == (4, True)
    edges = ["--rise", "1e-9", "--fall", "1e-9", "--grid", "temperature=300:360:2", "--force"]
    code, out, err = call(capsys, "sweep", junction, "-o", table, *SWEEP, *edges)
    assert (code, err, "12 points" in out) == (0, "", True)
    code, _, err = call(capsys, "evaluate", table, "-o", accuracy)
    assert (code, "2 values of temperature; expected one value" in err) == (2, True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["j.toml", "table.nc"]


@pytest.mark.parametrize(
    ("text", "arguments", "code", "message"),
    [
        ("[mtj]\ndelta = 60\n", SWEEP, 2, "j.toml: [mtj] without i_c0_p_ap"),
        (JUNCTION + '[access]\ncurve = "x.csv"\n', SWEEP, 3, "x.csv: no such file"),
        (JUNCTION, SWEEP[:2], 2, "expected pulse_width and one of pulse_current"),
        (JUNCTION, [*SWEEP, *SWEEP], 2, "--grid pulse_current twice"),
        (JUNCTION, [*SWEEP, "--grid", "spread=0:1:2"], 2, "expected a table [spread]"),
        (JUNCTION, [*SWEEP, "--grid", "cell=0:1:2"], 2, "unknown axis of a sweep 'cell'"),
        (JUNCTION, [*SWEEP, "--rise", "nan"], 2, "rise = nan s"),
        (JUNCTION, [*SWEEP, "--rtol", "1e-20"], 5, "pulse_current = 60 uA to 90 uA, pulse_width"),
    ],
)
def test_a_mistake_in_a_sweep_is_one_line_and_no_output(
    capsys, tmp_path, text, arguments, code, message
):
    junction = tmp_path / "j.toml"
    junction.write_text(text)
    found, out, err = call(capsys, "sweep", junction, "-o", tmp_path / "t.nc", *arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert err.startswith("devicephys: ")
    assert message in err
    assert [p.name for p in tmp_path.iterdir()] == ["j.toml"]


CELL = """[filament]
n_sites = 60
r_on = 6035
r_s = 2600
g_gap = 1.05e-5
e_a = 0.97
d_e = -0.34
a_off = 0.071
a_on = 0.51
r_th = 6.28e6
e_min = 0.60
sigma_e = 0.448
sigma_e_cycle = 0.396

[read]
sigma_lrs = 0.0237
noise = "measured_hfo2"
"""
RESET = ["--grid", "pulse_voltage=1.1:1.4:2", "--grid", "pulse_width=1e-6:2e-6:2"]


def test_sweep_makes_a_table_from_a_cell_that_evaluate_takes(capsys, tmp_path):
    cell, table, accuracy = (tmp_path / n for n in ("c.toml", "table.nc", "accuracy.csv"))
    cell.write_text(CELL)
    code, out, err = call(capsys, "sweep", cell, "-o", table, *RESET)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    sizes = "{'cell': 3, 'pulse_voltage': 2, 'pulse_width': 2}"
    assert lines[0] == f"table: {table}, {sizes}, 12 points"
    assert lines[1].startswith("bit error rate: ")
    assert lines[2].startswith("energy per bit: ")
    code, _, err = call(capsys, "sweep", cell, "-o", table, *RESET)
    assert (code, "--force" in err) == (4, True)
    code, out, err = call(capsys, "evaluate", table, "-o", accuracy)
    assert (code, err) == (0, "")
    assert out.count("(numerical error: ") == 3
    assert sorted(p.name for p in tmp_path.iterdir()) == ["accuracy.csv", "c.toml", "table.nc"]


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (CELL, [*RESET, "--rise", "0"], "c.toml: --rise with a cell file; expected a junction"),
        (CELL, [*RESET, "--rtol", "1e-3"], "leave out --rtol"),
        (CELL, RESET[:2], "expected pulse_voltage and pulse_width"),
        (CELL, ["--grid", "pulse_voltage=-1.4:-1.1:2", *RESET[2:]], "-1.4 V; expected finite, in"),
        (CELL, [*RESET, "--grid", "pulses=1:2:3"], "axis pulses holds fractions"),
        (CELL, [*RESET, "--grid", "time=0:1:2"], "c.toml: an axis time; expected a table [relax"),
        (CELL, [*RESET, "--grid", "spread=0:1:2"], "unknown axis of a cell's sweep 'spread'"),
        (CELL + "sigma = 1\n", RESET, "c.toml: unknown key of [read] 'sigma'"),
        ("[read]\n", RESET, "c.toml: no table [filament]"),
        (CELL + JUNCTION, RESET, "c.toml: unknown cell key 'mtj'"),
    ],
)
def test_a_mistake_in_a_cell_s_sweep_is_one_line_and_no_output(
    capsys, tmp_path, text, arguments, message
):
    cell = tmp_path / "c.toml"
    cell.write_text(text)
    found, out, err = call(capsys, "sweep", cell, "-o", tmp_path / "t.nc", *arguments)
    assert (found, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert [p.name for p in tmp_path.iterdir()] == ["c.toml"]


def test_an_interrupted_sweep_exits_with_130_and_says_that_it_can_go_on(
    capsys, tmp_path, monkeypatch
):
    compute, started = sweep._compute, []

    def interrupted(plan, chunk):
        started.append(chunk)
        if len(started) == 2:
            raise KeyboardInterrupt
        return compute(plan, chunk)

    monkeypatch.setattr(sweep, "POINTS", 2)
    junction, table = tmp_path / "j.toml", tmp_path / "table.nc"
    junction.write_text(JUNCTION)
    with monkeypatch.context() as patch:
        patch.setattr(sweep, "_compute", interrupted)
        code, out, err = call(capsys, "sweep", junction, "-o", table, *SWEEP)
    assert (code, out) == (130, "")
    assert err == (
        "devicephys: interrupted; finished chunks, if any, are kept: "
        "run the same command again to go on\n"
    )
    assert not table.exists()
    assert len(list((tmp_path / "table.nc.parts").glob("*.part"))) == 1
    code, _, err = call(capsys, "sweep", junction, "-o", table, *SWEEP)
    assert (code, err) == (0, "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["j.toml", "table.nc"]


def test_truncated_table_and_hostile_network(capsys, tmp_path):
    table = tmp_path / "table.nc"
    table.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    code, _, err = call(capsys, "evaluate", table, "-o", tmp_path / "a.csv")
    assert (code, "not a readable netCDF file" in err) == (3, True)
    hostile = tmp_path / "hostile.npz"
    np.savez(hostile, header=np.array([{"a": 1}], dtype=object))
    code, _, err = call(capsys, "data", "check", hostile)
    assert (code, "allow_pickle=False" in err) == (3, True)


def test_existing_output_exits_with_4_before_any_work(capsys, tmp_path):
    out = tmp_path / "fit.json"
    out.write_text("mine")
    code, _, err = call(capsys, "fit", "stt_mram_wer", "missing.csv", "-o", out)
    assert (code, "--force" in err, out.read_text()) == (4, True, "mine")


def test_an_internal_error_is_one_line_without_debug_and_a_traceback_with_it(capsys, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("broken\nin two lines")

    monkeypatch.setattr(cli, "app", broken)
    code, _, err = call(capsys, "doctor")
    assert (code, err.count("\n")) == (1, 1)
    with pytest.raises(RuntimeError):
        cli.main(["--debug", "doctor"])


def test_interrupting_a_run_exits_with_130_and_leaves_nothing(tmp_path):
    run = subprocess.Popen(
        [sys.executable, "-m", "devicephys", "run", "quickstart", "-o", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
        # A job in the background of a shell inherits an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "interrupted" in err
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_packages_load_is_one_line(tmp_path):
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    run = subprocess.run(
        [sys.executable, "-m", "devicephys", "--help"], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "devicephys: interrupted\n")


def test_help_does_not_load_heavy_packages():
    code = (
        "import contextlib, sys; sys.argv = ['devicephys', '--help']\n"
        "from devicephys.cli import main\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "heavy = {'numpy', 'scipy', 'xarray', 'lmfit', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, env=dict(os.environ)
    )


def test_a_fit_of_another_recipe_is_refused(capsys, tmp_path):
    traces, table = tmp_path / "traces.csv", tmp_path / "t.nc"
    tidy_csv.write(weak_reset_traces.generate(seed=1, n_devices=30), traces)
    counts, fit = "synthetic_stt_mram_wer.csv", tmp_path / "fit.json"
    code, out, _ = call(capsys, "fit", "weak_reset_traces", traces, "-o", fit)
    assert code == 0
    assert "a trace tells their product alone" in out  # the notes of a fit are shown
    code, _, err = call(capsys, "table", "stt_mram_wer", counts, "--fit", fit, "-o", table)
    assert code == 3
    assert "a fit of recipe weak_reset_traces; expected stt_mram_wer" in err
    assert not table.exists()


def test_a_grid_without_an_end_is_refused(capsys, tmp_path):
    code, _, err = call(capsys, "table", "weak_reset_traces", "x.csv", "--grid", "pulses=1:inf:3",
                        "-o", tmp_path / "t.nc")  # fmt: skip
    assert code == 2
    assert "expected AXIS=START:STOP:N" in err


def test_data_check_says_what_any_file_holds(capsys, tmp_path):
    source = tmp_path / "lab.xls"  # the name says nothing
    source.write_text("V (mV);t_p (ns);N;P (%)\n400;5;1000;12,5\n450;5;1000;100\n")
    code, out, err = call(capsys, "data", "check", source)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"{source}: csv: 4 columns, 2 rows; not tidy: fits need --map TARGET=COLUMN"
    assert lines[1:4] == ["  V [mV]: 400 to 450 (2 values)", "  t_p [ns]: 5", "  N: 1000"]
    maps = [f"--map={x}" for x in ("device:=d1", "direction:=P->AP", "pulse_voltage=V",
            "pulse_width=t_p", "temperature:=85 [degC]", "n_trials=N", "p_switched=P")]  # fmt: skip
    code, out, err = call(capsys, "data", "check", source, *maps)
    assert (code, err) == (0, "")
    assert "wer_counts_voltage: 2 rows, 1 device, 1 without an error" in out
    assert "  temperature_K: 358.15 K\n  n_trials: 1000\n  n_errors: 0 to 875" in out
    code, out, err = call(capsys, "data", "check", source, *maps[:-1])
    assert (code, out) == (3, "")
    assert 'add --map "p_switched=P"' in err


def test_data_check_names_the_recipe_that_takes_a_file_as_it_is(capsys, tmp_path):
    source = tmp_path / "sot.csv"
    source.write_text("device_id,direction,V,t_p,P_sw,n_reps\nA,P->AP,0.9,7.5e-10,0.5,100\n")
    code, out, err = call(capsys, "data", "check", source)
    assert (code, err) == (0, "")
    assert out.startswith(f"{source}: csv: 6 columns, 1 row; read as it is by recipe sot_mtj_switc")
    assert "not tidy" not in out


def test_fit_and_table_read_a_tester_s_file_by_its_mapping(capsys, tmp_path):
    traces = weak_reset_traces.generate(seed=1, n_devices=30)
    names = ("device", "pulse_index", "resistance_before", "resistance_after")
    rows = zip(*(traces[x].values.tolist() for x in names), strict=True)
    lines = [f"{d};{k};{before / 1e3!r};{after!r}" for d, k, before, after in rows]
    sheet, fit, table = (tmp_path / x for x in ("sheet.txt", "fit.json", "table.nc"))
    sheet.write_text("\n".join(["dut;pulse;R0 (kOhm);R (Ohm)", *lines]) + "\n")
    maps = [f"--map={x}" for x in ("device=dut", "cycle:=0", "pulse_index=pulse",
            "pulse_voltage:=800 [mV]", "pulse_width:=200 [ns]", "resistance_before=R0",
            "resistance_after=R", "synthetic:=yes")]  # fmt: skip
    code, out, err = call(capsys, "fit", "weak_reset_traces", sheet, *maps, "-o", fit)
    assert (code, err, "r_start" in out) == (0, "", True)
    assert json.loads(fit.read_text())["data"]["source"] == "sheet.txt"
    options = [*maps, "--fit", fit, "--grid", "pulses=100:300:3", "-o", table]
    code, _, err = call(capsys, "table", "weak_reset_traces", sheet, *options)
    assert (code, err) == (0, "")
    own = traces.resistance_after.values[traces.pulse_index.values == 99]
    energy = 0.8**2 * 200e-9 / own
    found = tables.read(table).energy_per_bit.sel(pulses=100).values / 100
    assert (energy.mean() < found).all()  # resistances rise: the first pulses took more
    assert (found < 2 * energy.mean()).all()


@pytest.mark.parametrize("verb", [["fit"], ["table"], ["plan"], ["data", "check"]])
def test_the_help_of_a_mapping_shows_its_unit(capsys, verb):
    code, out, _ = call(capsys, *verb, "--help")
    assert (code, "TARGET=COLUMN [unit]" in " ".join(out.replace("│", "").split())) == (0, True)


def test_states_become_a_table_of_cells_alone_and_an_accuracy(capsys, tmp_path):
    rng = np.random.default_rng(3)
    source, table, accuracy = (tmp_path / n for n in ("states.csv", "table.nc", "accuracy.csv"))
    rows = [
        f"d{d},{state},{c},{np.exp(rng.normal(mean, 0.4)):.6g},exact"
        for state, mean in (("LRS", 8.6), ("HRS", 11.0))
        for d in range(4)
        for c in range(6)
    ]
    head = ["# energy_per_bit_J: 1e-12", "device,state,cycle,resistance_ohm,censored"]
    source.write_text("\n".join([*head, *rows]) + "\n")
    code, out, _ = call(capsys, "table", "resistance_states", source, "-o", table)
    assert (code, "{'cell': 2}" in out) == (0, True)
    code, _, err = call(capsys, "evaluate", table, "--half-width", "0.05", "-o", accuracy)
    assert (code, err) == (0, "")
    assert [line.split(",")[8] for line in accuracy.read_text().splitlines()] == [
        "cell", "1T1R", "2T2R",
    ]  # fmt: skip


def test_errors_of_a_recipe_name_the_file(capsys, tmp_path):
    source = tmp_path / "ramps.tsv"
    source.write_text("1\t200\t0\t3.5\t5e3\t5e3\n1\t200\t1\t3.5\t5e3\t5e4\n")
    code, _, err = call(capsys, "fit", "hfo2_staircase", source, "-o", tmp_path / "x.json")
    assert code == 3
    assert err.startswith(f"devicephys: {source}: 1 values of 1 devices; ")
