"""Staircase ramps: numbering, units, round trips, and refusal of impossible tables."""

import os

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.errors import DataError
from devicephys.io import staircase, tidy_csv

RAMPS = [("1450", [0.0, 0.05, 0.1]), ("1450", [0.0, 0.05]), ("1451", [0.0, 0.05, 0.1, 0.15])]
HFO2 = ("measured", "hfo2_1t1r_ramps", "reset-sweep-sl-200ns-step-0.05-9-21-20.csv")


def line(address, voltage, before, after, width="200.000"):
    return f"{float(address):.3f}\t{width}\t{voltage:.3f}\t3.500\t{before:.3f}\t{after:.3f}\n"


def text_of(ramps):
    """Pulse k of ramp r takes the cell from 5000 + 10 r + k to one ohm more."""
    return "".join(
        line(address, v, 5000 + 10 * r + k, 5001 + 10 * r + k)
        for r, (address, voltages) in enumerate(ramps)
        for k, v in enumerate(voltages)
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ramps.csv"


def read(path, text):
    path.write_text(text)
    return staircase.read(path)


def refusal(path, text):
    with pytest.raises(DataError) as caught:
        read(path, text)
    message = str(caught.value)
    assert message.startswith(f"{path}:")
    assert "\n" not in message
    return message.removeprefix(str(path))


def test_pulses_are_numbered_by_device_and_ramp(path):
    dataset = read(path, text_of(RAMPS))
    assert dataset.device.values.tolist() == ["1450"] * 5 + ["1451"] * 4
    assert dataset.cycle.values.tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 0]
    assert dataset.pulse_index.values.tolist() == [0, 1, 2, 0, 1, 0, 1, 2, 3]
    assert dataset.pulse_voltage.values.tolist() == [0, 0.05, 0.1, 0, 0.05, 0, 0.05, 0.1, 0.15]
    assert dataset.pulse_width.values == pytest.approx(2e-7, rel=1e-12)
    assert (dataset.resistance_after - dataset.resistance_before).values.tolist() == [1.0] * 9
    assert {n: v.attrs["units"] for n, v in dataset.items()} == {
        "device": "1", "cycle": "1", "pulse_index": "1", "pulse_voltage": "V",
        "pulse_width": "s", "resistance_before": "Ohm", "resistance_after": "Ohm",
    }  # fmt: skip
    assert dataset.attrs["kind"] == "resistance_pulses"
    assert dataset.attrs["source"] == "ramps.csv"


def test_ramps_of_interleaved_devices_are_counted_apart(path):
    mixed = [RAMPS[0], RAMPS[2], RAMPS[1]]
    dataset = read(path, text_of(mixed))
    assert dataset.cycle.values.tolist() == [0] * 3 + [0] * 4 + [1] * 2


def test_lowest_voltage_starts_a_new_ramp_even_after_a_ramp_of_one_pulse(path):
    dataset = read(path, text_of([("7", [0.0]), ("7", [0.0]), ("7", [0.0, 0.05])]))
    assert dataset.cycle.values.tolist() == [0, 1, 2, 2]
    assert dataset.pulse_index.values.tolist() == [0, 0, 0, 1]
    assert staircase.ramps(dataset).lrs.tolist() == [5000, 5010, 5020]


shapes = st.lists(
    st.tuples(st.integers(1, 3), st.integers(2, 6)), min_size=1, max_size=8
)  # device and pulses of each ramp


@given(shapes)
@settings(deadline=None, max_examples=40, derandomize=True)
def test_ramps_rebuild_the_table(tmp_path_factory, shapes):
    made = [(str(device), [0.1 * k for k in range(n)]) for device, n in shapes]
    dataset = read(tmp_path_factory.mktemp("ramps") / "x.csv", text_of(made))
    ramps = staircase.ramps(dataset)
    assert ramps.device.tolist() == [device for device, _ in made]
    assert ramps.lrs.tolist() == [5000 + 10 * r for r in range(len(made))]
    longest = max(n for _, n in shapes)
    assert ramps.voltage == pytest.approx(0.1 * np.arange(longest))
    for r, (_, n) in enumerate(shapes):
        assert ramps.after[r, :n].tolist() == [5001 + 10 * r + k for k in range(n)]
        assert np.isnan(ramps.after[r, n:]).all()
    keys = list(zip(dataset.device.values, dataset.cycle.values, dataset.pulse_index.values,
                    strict=True))  # fmt: skip
    assert len(set(keys)) == len(keys)


def test_read_ramps_survive_the_tidy_format(path, tmp_path):
    dataset = read(path, text_of(RAMPS))
    tidy_csv.write(dataset, tmp_path / "tidy.csv")
    again = tidy_csv.read(tmp_path / "tidy.csv")
    xr.testing.assert_identical(again.drop_attrs(deep=False), dataset.drop_attrs(deep=False))


def test_byte_order_mark_blank_lines_and_windows_ends_do_not_matter(path):
    plain = read(path, text_of(RAMPS))
    path.write_bytes(b"\xef\xbb\xbf\r\n" + text_of(RAMPS).replace("\n", "\r\n\r\n").encode())
    loose = staircase.read(path)
    xr.testing.assert_identical(loose.drop_attrs(deep=False), plain.drop_attrs(deep=False))


def test_missing_and_empty_files(path):
    with pytest.raises(DataError, match=r"ramps\.csv: no such file; check the path"):
        staircase.read(path)
    assert refusal(path, "") == ": empty file; export the data again"


@pytest.mark.parametrize("text", ["\n", "\n  \n\n"])
def test_file_of_blank_lines_is_refused(path, text):
    refusal(path, text)


def test_other_encodings_are_refused(path):
    path.write_bytes(text_of(RAMPS).encode() + b"# 5 k\xd7\n")
    with pytest.raises(DataError, match=r"ramps\.csv:10: byte 0xd7 is not UTF-8"):
        staircase.read(path)


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ("1450\t200\t0.0\t3.5\t5000", "5 columns"),
        ("1450\t200\t0.0\t3.5\t5000\t5001\t", "7 columns"),
        ("1450,200,0.0,3.5,5000,5001", "1 columns"),
        ("1450 200 0.0 3.5 5000 5001", "1 columns"),
        ("# a remark", "1 columns"),
    ],
)
def test_other_columns_are_refused_by_row(path, wrong, found):
    message = refusal(path, line(1, 0, 5000, 5001) + wrong + "\n")
    assert message.startswith(f":2: {found}; expected 6 ")
    assert "tab-separated" in message
    assert "address" in message


@pytest.mark.parametrize("column", range(6))
@pytest.mark.parametrize("value", ["x", "", "0,05", "5k", "5_0", "NaN", "inf", "-inf"])
def test_cells_that_are_no_finite_numbers_are_refused(path, column, value):
    cells = line(1, 0.05, 5000, 5001).rstrip("\n").split("\t")
    cells[column] = value
    refusal(path, line(1, 0, 5000, 5001) + "\t".join(cells) + "\n")


@pytest.mark.parametrize(
    ("column", "value"),
    [(column, value) for column in (0, 1, 4, 5) for value in ("0", "-1", "-0.0")] + [(0, "1.5")],
)
def test_impossible_addresses_widths_and_resistances_are_refused(path, column, value):
    cells = line(1, 0.05, 5000, 5001).rstrip("\n").split("\t")
    cells[column] = value
    message = refusal(path, line(1, 0, 5000, 5001) + "\t".join(cells) + "\n")
    assert message.startswith(":2: row [")
    assert "finite numbers" in message
    assert message.endswith("1e-3 to 1e9 ns, resistances > 0")


def test_row_numbers_count_blank_lines(path):
    text = "\n" + line(1, 0, 5000, 5001) + "\n\n" + line(1, 0.05, 5000, -1)
    assert refusal(path, text).startswith(":5: row [")


def test_row_that_is_commented_out_is_not_skipped_silently(path):
    refusal(path, line(1, 0, 5000, 5001) + "#" + line(1, 0.05, 5000, 5001))


def test_addresses_must_be_whole_numbers(path):
    """1.25 and 1.75 are not both device 1."""
    message = refusal(path, line(1.25, 0, 5000, 5001) + line(1.75, 0, 5000, 5001))
    assert message.startswith(":1: ")


def test_ramp_that_starts_above_the_lowest_voltage_is_refused(path):
    text = text_of([("1", [0.0, 0.05, 0.1]), ("1", [0.05, 0.1])])
    assert refusal(path, text) == (
        ":4: a ramp starts at 0.05 V; expected every ramp from 0 V upwards"
    )
    other = text_of([("1", [0.05, 0.1]), ("2", [0.0, 0.05])])
    assert refusal(path, other).startswith(":1: a ramp starts at 0.05 V")


def test_voltages_of_a_set_are_refused_by_row(path):
    message = refusal(path, line(1, 0, 5000, 5001) + line(1, -0.5, 5000, 5001))
    assert message.startswith(":2: V_SL = -0.5 V; expected a RESET staircase, V_SL >= 0")
    assert "leave out SET pulses" in message


def test_set_within_a_ramp_is_refused_by_row(path):
    """The voltage goes on rising, so nothing else tells the two halves apart."""
    rows = [(0.0, 5000, 5000), (0.5, 5000, 20e3), (1.0, 5050, 9e3), (1.5, 9e3, 40e3)]
    message = refusal(path, "".join(line(1, *row) for row in rows))
    assert message.startswith(":3: the cell was set within a ramp: 20000 Ohm, then 5050 Ohm")
    assert "starts again after every SET" in message
    fine = [(0.0, 5000, 20e3), (0.5, 7e3, 9e3), (1.0, 9e3, 20e3)]  # noisy, but no LRS
    assert read(path, "".join(line(1, *row) for row in fine)).sizes["point"] == 3
    restarted = [(0.0, 5000, 5000), (0.5, 5000, 20e3), (0.0, 5050, 5060), (0.5, 5060, 40e3)]
    assert read(path, "".join(line(1, *row) for row in restarted)).cycle.values.max() == 1


@pytest.mark.parametrize("column", [4, 5])
@pytest.mark.parametrize("row", range(4))
def test_a_row_in_kilo_ohm_is_warned_of_by_row(path, row, column):
    ramp = [(0.0, 6000, 6010), (0.5, 6010, 6100), (1.0, 6100, 6150), (1.5, 6150, 18000)]
    lines = [line(d, *values) for d in (1, 2) for values in ramp]
    cells = lines[row].split("\t")
    cells[column] = f"{float(cells[column]) / 1000:.3f}"
    lines[row] = "\t".join(cells).rstrip("\n") + "\n"
    with pytest.warns(UserWarning, match=rf"ramps\.csv:{row + 1}: .*is it kOhm\?") as caught:
        read(path, "".join(lines))
    assert len(caught) == 1
    assert "(1 such rows)" in str(caught[0].message)


def test_a_file_in_kilo_ohm_is_warned_of_once(path):
    text = "".join(line(1, v, 6.0, 6.1) for v in (0.0, 0.5))
    with pytest.warns(UserWarning, match=r"initial resistances of 6 Ohm in the median") as caught:
        read(path, text)
    assert len(caught) == 1


def test_an_initial_resistance_in_milli_ohm_is_warned_of(path):
    text = "".join(line(d, 0.0, r, 1e7) for d, r in ((1, 5e3), (2, 5.1e3), (3, 5.2e6)))
    with pytest.warns(UserWarning, match=r"csv:3: 5\.2e\+06 and 1e\+07 Ohm, far from"):
        read(path, text)


@pytest.mark.parametrize("hrs", [1e6, 1e9])
def test_high_resistance_states_of_any_height_are_no_strange_units(path, hrs):
    assert read(path, line(1, 0.0, 5e3, 5e3) + line(1, 0.5, 5e3, hrs)).sizes["point"] == 2


def test_device_that_never_starts_again_is_warned_of_where_others_do(path):
    ramps = [(str(d), [0.0, 0.1]) for d in (1, 2, 3) for _ in range(6)]
    with pytest.warns(UserWarning, match=r"device 4 has 1 ramp, others 6 \(1 such devices\)"):
        read(path, text_of([*ramps, ("4", [0.0, 0.1, 0.2])]))
    read(path, text_of([*ramps, ("4", [0.0, 0.1]), ("4", [0.0, 0.1])]))  # two ramps: no warning


def test_ramps_refuses_other_data():
    for dataset in (xr.Dataset(), xr.Dataset(attrs={"kind": "wer_counts"})):
        kind = dataset.attrs.get("kind")
        with pytest.raises(DataError, match=f"data of kind {kind}; expected resistance_pulses"):
            staircase.ramps(dataset)


def test_ramps_refuses_data_that_begin_within_a_ramp(path):
    dataset = read(path, text_of(RAMPS)).isel(point=slice(1, None))
    with pytest.raises(DataError, match="first row is not a first pulse; expected pulse_index = 0"):
        staircase.ramps(dataset)


def test_ramps_refuses_no_data(path):
    dataset = read(path, text_of(RAMPS)).isel(point=slice(0, 0))
    with pytest.raises(DataError, match="first pulse"):
        staircase.ramps(dataset)


@pytest.mark.skipif(
    not os.environ.get("DEVICEPHYS_DATA"),
    reason=f"DEVICEPHYS_DATA is not set: needs {'/'.join(HFO2)}",
)
def test_measured_hfo2_ramps(data_folder):
    source = data_folder.joinpath(*HFO2)
    if not source.exists():
        pytest.skip(f"{source.name} is not under DEVICEPHYS_DATA")
    dataset = staircase.read(source)
    assert dataset.sizes["point"] == len(source.read_text().splitlines())
    ramps = staircase.ramps(dataset)
    assert len(set(ramps.device.tolist())) == 50
    assert np.unique(ramps.device, return_counts=True)[1].tolist() == [10] * 50
    assert ramps.voltage == pytest.approx(0.05 * np.arange(81), abs=1e-12)
    assert np.isfinite(ramps.after).sum() == dataset.sizes["point"]
    ended = np.isnan(ramps.after)
    assert not (ended[:, :-1] & ~ended[:, 1:]).any()  # a ramp that has ended does not go on
    assert dataset.pulse_width.values == pytest.approx(2e-7, rel=1e-12)
