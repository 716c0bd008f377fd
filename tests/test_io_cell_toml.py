"""Cell files: what each table means, and refusals that name file, table, key and remedy."""

import json

import pytest

from devicephys.errors import DataError, ParameterError
from devicephys.io import cell_toml, files
from devicephys.rram.endurance import Endurance
from devicephys.rram.filament import Filament
from devicephys.rram.read_noise import ReadNoise, measured_hfo2
from devicephys.rram.relaxation import Relaxation

FILAMENT = {
    "n_sites": 60, "r_on": 6035, "r_s": 2600, "g_gap": 1.05e-5, "e_a": 0.97, "d_e": -0.34,
    "a_off": 0.071, "a_on": 0.51, "r_th": 6.28e6, "e_min": 0.6, "sigma_e": 0.448,
    "sigma_e_cycle": 0.396,
}  # fmt: skip
NOISE = {
    "r_level": [6e3, 3e4], "sigma_read": [0.003, 0.06], "r_min": 5e3, "r_max": 8e4,
    "spread_read": 0.9,
}  # fmt: skip
RELAXATION = {
    "level": [5e-6, 2e-4], "drift": [-1e-8, -1e-7], "growth": [1e-14, 1e-13],
    "t_start": [1e-3, 1e-3], "jump_share": 0.8, "jump_rate": 0.4, "t_first": 0.01, "t_last": 1e5,
}  # fmt: skip
ENDURANCE = {
    "cycles_to_failure": 1e6, "reference_voltage": 1.2, "endurance_slope": 3, "sigma_cycles": 0.8,
}  # fmt: skip


def table(name, values):
    return f"[{name}]\n" + "".join(f"{key} = {json.dumps(x)}\n" for key, x in values.items())


CELL = table("filament", FILAMENT)
READ = table("read", {"sigma_lrs": 0.0237, "noise": "measured_hfo2"})
TEXT = CELL + READ


@pytest.fixture
def read(tmp_path):
    def reader(text):
        (tmp_path / "c.toml").write_text(text)
        return cell_toml.read(tmp_path / "c.toml")

    return reader


def test_a_filament_and_its_reading_are_enough(read, tmp_path):
    found = read(TEXT)
    assert vars(found.cell.filament) == vars(Filament(**FILAMENT))
    assert type(found.cell.filament.n_sites) is int
    assert (found.cell.sigma_lrs, found.cell.noise) == (0.0237, measured_hfo2())
    assert (found.cell.s_ref, found.cell.s_sa, found.cell.threshold) == (0.0, 0.0, "ideal")
    assert (found.cell.i_max, found.cell.relaxation) == (float("inf"), None)
    assert (found.endurance, found.cycles, found.source) == (None, 0.0, "c.toml")
    assert found.sha256 == files.sha256((tmp_path / "c.toml").read_bytes())


def test_every_table_reaches_its_record(read):
    reading = {"sigma_lrs": 0.02, "s_ref": 0.01, "s_sa": 0.03, "threshold": "drifting"}
    found = read(
        CELL + table("read", reading) + table("read.noise", NOISE)
        + table("transistor", {"i_max": 2e-4}) + table("relaxation", RELAXATION)
        + table("endurance", ENDURANCE | {"cycles": 1e5})
    )  # fmt: skip
    cell = found.cell
    assert (cell.s_ref, cell.s_sa, cell.threshold, cell.i_max) == (0.01, 0.03, "drifting", 2e-4)
    assert cell.noise == ReadNoise(**{k: tuple(x) if isinstance(x, list) else x
                                      for k, x in NOISE.items()})  # fmt: skip
    assert cell.relaxation == Relaxation(**{k: tuple(x) if isinstance(x, list) else x
                                            for k, x in RELAXATION.items()})  # fmt: skip
    assert (found.endurance, found.cycles) == (Endurance(**ENDURANCE), 1e5)


def test_a_cell_file_is_told_from_a_junction_file(tmp_path):
    path = tmp_path / "c.toml"
    for text, answer in ((TEXT, True), ("[read]\n", True), ("[mtj]\n", False), ("[", False)):
        path.write_text(text)
        assert cell_toml.describes_cell(path) is answer


def test_an_lrs_that_looks_like_kilo_ohms_is_warned_of(read):
    text = TEXT.replace("6035", "6.035").replace("2600", "2.6")
    with pytest.warns(UserWarning, match=r"r_on = 6\.035 Ohm, below .*; is it kOhm"):
        read(text)


def test_a_barrier_in_millielectronvolts_is_refused(read):
    with pytest.raises(ParameterError, match="e_a = 970 eV; expected at most 10 eV; is it meV"):
        read(TEXT.replace("e_a = 0.97", "e_a = 970"))


def without(text, key):
    return "".join(line for line in text.splitlines(True) if not line.startswith(f"{key} ="))


LIVED = table("endurance", ENDURANCE)
REFUSED = {
    "nothing": ("# nothing\n", "no table [filament]; expected [filament] and [read]; see docs"),
    "no reading": (CELL, "no table [read]; expected [filament] and [read]"),
    "not TOML": ("[filament\n", "not TOML"),
    "junction beside it": (TEXT + "[mtj]\n", "unknown cell key 'mtj'; expected one of endurance"),
    "misspelt table": (TEXT + "[relaxtion]\n", "did you mean 'relaxation'?"),
    "number for a table": ("filament = 3\n", "filament = 3; expected a table [filament]"),
    "misspelt key": (
        TEXT.replace("sigma_e_cycle", "sigma_e_cycl"),
        "unknown key of [filament] 'sigma_e_cycl'; expected one of a_off",
    ),
    "misspelt key of reading": (TEXT + "sref = 1\n", "unknown key of [read] 'sref'"),
    "missing key": (without(TEXT, "r_th"), "[filament] without r_th; expected the keys n_sites"),
    "no noise": (without(TEXT, "noise"), "[read] without noise; expected the keys sigma_lrs, n"),
    "list for a number": (
        TEXT.replace("6035", "[6035, 6100]"),
        "[filament] r_on = '[6035, 6100]'; expected one number [Ohm]; no quotes",
    ),
    "text": (TEXT.replace("0.97", '"0.97 eV"'), "e_a = '0.97 eV'; expected one number [eV]"),
    "boolean": (TEXT.replace("0.97", "true"), "e_a = 'True'; expected one number [eV]"),
    "endless integer": (TEXT.replace("0.97", "9" * 400), "expected one number [eV]"),
    "infinity": (TEXT.replace("0.97", "inf"), "Filament.e_a = inf eV; expected finite"),
    "half a site": (TEXT.replace("= 60\n", "= 60.5\n"), "Filament.n_sites = 60.5; expected a w"),
    "endless sites": (TEXT.replace("= 60\n", "= inf\n"), "n_sites = inf; expected finite"),
    "series resistance": (TEXT.replace("2600", "7600"), "expected r_s < r_on and g_gap"),
    "floor above": (TEXT.replace("0.6\n", "1.6\n"), "Filament.e_min = 1.6 eV; expected below e_a"),
    "negative spread": (TEXT + "s_sa = -1\n", "ResistiveCell.s_sa = -1"),
    "unknown noise": (
        TEXT.replace("measured_hfo2", "measured_hf"), "unknown [read] noise 'measured_hf'",
    ),
    "number for noise": (
        TEXT.replace('"measured_hfo2"', "0.03"),
        "noise = 0.03; expected one of measured_hfo2, quoted, or a table [read.noise]",
    ),
    "code for noise": (TEXT.replace('"measured_hfo2"', '"exec"'), "unknown [read] noise 'exec'"),
    "unknown policy": (TEXT + 'threshold = "best"\n', "unknown [read] threshold 'best'"),
    "number for a policy": (TEXT + "threshold = 1\n", "threshold = 1; expected one of ideal, arr"),
    "noise of two lengths": (
        CELL + "[read]\nsigma_lrs = 0.02\n" + table("read.noise", NOISE | {"r_level": [6e3]}),
        "ReadNoise.r_level of 1 and sigma_read of 2",
    ),
    "empty transistor": (TEXT + "[transistor]\n", "[transistor] without i_max"),
    "no current": (
        TEXT + "[transistor]\ni_max = 0\n", "i_max = 0 A; expected finite, in (0, inf) A; leave t",
    ),
    "number for a list": (
        TEXT + table("relaxation", RELAXATION | {"drift": -1e-8}),
        "[relaxation] drift = -1e-08; expected a list of numbers [S]",
    ),
    "text in a list": (
        TEXT + table("relaxation", RELAXATION | {"drift": ["a", 1]}),
        "[relaxation] drift = 'a'; expected one number [S]",
    ),
    "levels that fall": (
        TEXT + table("relaxation", RELAXATION | {"level": [2e-4, 5e-6]}), "expected rising levels",
    ),
    "no cycles": (TEXT + LIVED, "[endurance] without cycles; expected the keys cycles"),
    "negative cycles": (TEXT + LIVED + "cycles = -1\n", "[endurance] cycles = -1"),
    "half an endurance": (
        TEXT + "[endurance]\ncycles = 1\n", "[endurance] without cycles_to_failure",
    ),
    "misspelt endurance": (
        TEXT + LIVED + "cycle = 1\n", "unknown key of [endurance] 'cycle'; expected one of cycles",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_named_with_the_file(read, tmp_path, text, message):
    with pytest.raises(ParameterError) as caught:
        read(text)
    assert str(caught.value).startswith(f"{tmp_path / 'c.toml'}: ")
    assert message in str(caught.value)


def test_a_missing_or_unreadable_file_is_bad_data(tmp_path):
    for content, message in ((b"", "empty file"), (b"\xff", "not UTF-8")):
        (tmp_path / "c.toml").write_bytes(content)
        for reader in (cell_toml.read, cell_toml.describes_cell):
            with pytest.raises(DataError, match=message):
                reader(tmp_path / "c.toml")
    with pytest.raises(DataError, match="no such file"):
        cell_toml.read(tmp_path / "none.toml")
