"""Data that a recipe must not fit: each is refused in its own words, and with what to do next."""

import re

import numpy as np
import pytest

from devicephys import cli, data, fits
from devicephys.errors import DataError, FitError

TEXT = data.path("synthetic_stt_mram_wer.csv").read_text()
HEAD = [line for line in TEXT.splitlines() if line.startswith("#")]
COLUMNS, *LINES = TEXT.splitlines()[len(HEAD) :]
ROWS = [line.split(",") for line in LINES]
ONE = [row for row in ROWS if row[0] == "synthetic-1"]
STATES = "device,state,cycle,resistance_ohm,censored"


def counts(rows, head=HEAD, columns=COLUMNS):
    return "\n".join([*head, columns, *(",".join(map(str, row)) for row in rows)]) + "\n"


def changed(rows, column, of):
    at = COLUMNS.split(",").index(column)
    return [[*row[:at], of(row), *row[at + 1 :]] for row in rows]


def swapped(row):
    """One row with current and width exchanged."""
    return [*row[:2], row[3], row[2], *row[4:]]


def stated(key, value):
    return [line for line in HEAD if not line.startswith(f"# {key}:")] + [f"# {key}: {value}"]


def random_errors():
    rng = np.random.default_rng(5)
    return changed(ONE, "n_errors", lambda row: rng.integers(int(row[5])))


def exchanged(*devices):
    """All rows, some devices with their successes in place of errors."""
    return [[*r[:6], int(r[5]) - int(r[6])] if r[0] in devices else r for r in ROWS]


WER = {
    "no error, one device": (
        counts(changed(ONE, "n_errors", lambda row: 0)), FitError,
        r"device 'synthetic-1', P->AP: every pulse worked; measure shorter pulses or weaker",
    ),
    "no error, eight devices": (
        counts(changed(ROWS, "n_errors", lambda row: 0)), FitError,
        r"P->AP: every pulse of 8 devices worked; measure shorter pulses",
    ),
    "no success, eight devices": (
        counts(changed(ROWS, "n_errors", lambda row: row[5])), FitError,
        r"P->AP: every pulse of 8 devices failed; measure longer pulses or stronger",
    ),
    "one point": (counts(ONE[:1]), DataError, r"has 1 points; .*; measure more widths"),
    "fewer points than parameters": (
        counts([*ONE[3:5], *ONE[-5:-3]]), DataError, r"has 4 points; expected more than the 4 par",
    ),
    "a direction missing": (
        counts([r for r in ROWS if r[0] < "synthetic-3" and r[:2] != ["synthetic-2", "AP->P"]]),
        DataError, r"'synthetic-2' was not measured AP->P; .*; measure it, or leave the device",
    ),
    "nanoseconds": (
        counts(changed(ONE, "pulse_width_s", lambda row: float(row[3]) * 1e9)), DataError,
        r"pulse_width of 1.12 s; .*; check that the column is in s",
    ),
    "microamperes": (
        counts(changed(ONE, "pulse_current_A", lambda row: float(row[2]) * 1e6)), DataError,
        r"pulse_current of 41.2 A; .*; check that the column is in A",
    ),
    "two devices of eight with columns exchanged": (
        counts([swapped(r) if r[0] in ("synthetic-3", "synthetic-5") else r for r in ROWS]),
        DataError, r"pulse_current of 1.12 nA; .*the right one",
    ),
    "successes": (
        counts(changed(ONE, "n_errors", lambda row: int(row[5]) - int(row[6]))), DataError,
        r"fails more often in 100% of the pairs; .*map them to n_switched",
    ),
    "successes of one device of eight": (
        counts(exchanged("synthetic-3")), DataError,
        r"device 'synthetic-3', P->AP and AP->P: of two .*n_switched, or leave the device out$",
    ),
    "successes of two devices of eight, and no error of another": (
        counts([[*r[:6], 0] if r[0] == "synthetic-1" else r
                for r in exchanged("synthetic-3", "synthetic-5")]), DataError,
        r"synthetic-3', P->AP and AP->P; device 'synthetic-5', P.*, or leave the devices out$",
    ),
    "random errors": (counts(random_errors()), DataError, r"of two pulses the longer and stron"),
    "more errors than trials": (
        counts(changed(ONE, "n_errors", lambda row: int(row[5]) + 1)), DataError,
        r"n_errors = 1000001 > n_trials",
    ),
    "a huge current": (
        counts(changed(ONE, "pulse_current_A", lambda row: "1e300")), DataError,
        r"'1e300'; .*no measurement gives a magnitude",
    ),
    "no resistance": (counts(ONE, stated("r_p_ohm", "nan")), DataError, r"r_p_ohm = 'nan'"),
    "an endless resistance": (counts(ONE, stated("r_p_ohm", "1e999")), DataError, r"'1e999'"),
    "a Curie temperature below the measurement": (
        counts(ONE + changed(ONE, "temperature_K", lambda row: 350), stated("bloch", "1e20")),
        DataError, r"no longer magnetised",
    ),
    "synthetic or not": (
        counts(ONE, stated("synthetic", "perhaps")), DataError, r"synthetic = 'perhaps'; expected ",
    ),
    "a truth that is none": (
        counts(ONE, stated("truth_delta", "x")), DataError, r"metadata truth_delta: 'x' is not",
    ),
}  # fmt: skip


def refused(recipe, path, error, message):
    """Text of the refusal of one file, at reading or fitting."""
    with pytest.raises(error, match=message) as caught:
        recipe.fit(recipe.read(path), np.random.default_rng(1), lambda done, total: None)
    return str(caught.value)


@pytest.mark.parametrize(("text", "error", "message"), WER.values(), ids=WER)
@pytest.mark.filterwarnings("ignore:.*looks like")
def test_counts_are_refused_with_what_to_do(tmp_path, text, error, message):
    path = tmp_path / "x.csv"
    path.write_text(text)
    said = refused(fits.recipe("stt_mram_wer"), path, error, message)
    assert "x.csv" in said
    assert "\n" not in said


def test_refusals_differ():
    assert len({message for _, _, message in WER.values()}) == len(WER)


def states(rows):
    return "\n".join([STATES, *rows]) + "\n"


def sample(state, value, devices=3, cycles=4, censored="exact"):
    return [f"d{d},{state},{c},{value * (1 + 0.1 * d + 0.01 * c):g},{censored}"
            for d in range(devices) for c in range(cycles)]  # fmt: skip


def traces(devices):
    names = "device,cycle,pulse_index,pulse_voltage_V,pulse_width_s"
    rows = [f"d{d},0,{k},0.8,2e-7,{5e3 * (1 + k) ** 0.1:g},{5e3 * (2 + k) ** 0.1:g}"
            for d in range(devices) for k in range(40)]  # fmt: skip
    return "\n".join([f"{names},resistance_before_ohm,resistance_after_ohm", *rows]) + "\n"


OTHERS = {
    "one sample a state": (
        "resistance_states", states([*sample("LRS", 5e3, 1, 1), *sample("HRS", 5e4, 1, 1)]),
        r"LRS: 1 of 1 samples have a value.*measure more samples",
    ),
    "one state": (
        "resistance_states", states(sample("LRS", 5e3)), r"no samples of the HRS; expected both",
    ),
    "states exchanged": (
        "resistance_states", states([*sample("HRS", 5e3), *sample("LRS", 5e4)]), r"swap the states",
    ),
    "all out of range": (
        "resistance_states",
        states([*sample("LRS", 5e3), *sample("HRS", 5e4, censored="above")]),
        r"HRS: 0 of 12 samples have a value.*measure in a wider range",
    ),
    "one ramp": (
        "hfo2_staircase", "1\t200\t0\t3.5\t5e3\t5e3\n1\t200\t1\t3.5\t5e3\t5e4\n",
        r"1 values of 1 devices; .*; measure more devices",
    ),
    "a SET sweep": (
        "hfo2_staircase", "1\t200\t0\t3.5\t5e3\t5e3\n1\t200\t1\t3.5\t5e3\t4e3\n",
        r"rises in no ramp; .*a SET sweep says nothing",
    ),
    "too few ramps for a filament": (
        "hfo2_filament",
        "".join(f"1\t200\t{v / 20:g}\t3.5\t{5e3 * 1.3**k:g}\t{5e3 * 1.3 ** (k + 1):g}\n"
                for k, v in enumerate(range(15, 28))),
        r"ramps of 1 devices; expected at least 11",
    ),
    "two traces": (
        "weak_reset_traces", traces(2), r"of 2 devices with a knee; .*traces of more devices",
    ),
    "counts of another recipe": ("weak_reset_traces", counts(ONE), r"kind 'wer_counts'; expected "),
    "a file for a folder": ("stt_mram_joint", counts(ONE), r"expected a folder of tidy CSV files"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "message"), OTHERS.values(), ids=OTHERS)
def test_other_data_are_refused_by_the_command_line(capsys, tmp_path, name, text, message):
    path, out = tmp_path / "x.csv", tmp_path / "fit.json"
    path.write_text(text)
    with pytest.raises(SystemExit) as left:
        cli.main(["fit", name, str(path), "-o", str(out)])
    said = capsys.readouterr().err
    assert left.value.code == 3
    assert said.startswith("devicephys: ")
    assert said.count("\n") == 1
    assert "x.csv" in said
    assert re.search(message, said)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.csv"]
