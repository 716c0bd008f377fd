"""Tables of SET/RESET cycles: what is read, what is recognised, what is refused."""

import numpy as np
import pytest

from devicephys.errors import DataError
from devicephys.io import cycling


def test_a_table_of_cycles_is_the_same_data(tmp_path):
    path = tmp_path / "cycles.csv"
    path.write_text("200\t9e4\t5e3\t8e4\t6e3\n201\t7e4\t5.5e3\t9e4\t5.2e3\n")
    dataset = cycling.read(path)
    hrs = dataset.isel(point=np.flatnonzero(dataset.state.values == "HRS"))
    assert hrs.device.values.tolist() == ["200", "200", "201", "201"]
    assert hrs.cycle.values.tolist() == [0, 1, 0, 1]
    assert hrs.resistance.values.tolist() == [9e4, 8e4, 7e4, 9e4]
    assert dataset.attrs["kind"] == "resistances"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("200\t9e4\t5e3\t8e4\t6e3\n201\t7e4\t5e3\n", ":2: 3 cells; expected 5"),
        ("200\t9e4\t5e3\t8e4\t-6\n", ":1:5: '-6'; expected a resistance > 0"),
        ("200\t9e4\t5e3\t8e4\t6e3\n200\t9e4\t5e3\t8e4\tx\n", ":2: not a number"),
        ("200\t9e4\t5e3\t8e4\t6e3\n200\t9e4\t5e3\t8e4\t6e3\n", ":2: address 200 twice"),
        ("200\t5e3\t9e4\t6e3\t8e4\n", "expected by turns HRS and LRS"),
    ],
)
def test_bad_tables_of_cycles_are_named(tmp_path, text, message):
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        cycling.read(tmp_path / "c.csv")


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("200\t9e4\t5e3\t8e4\t6e3\n", True),
        ("200\t9e4\t5e3\t8e4\n", False),
        ("200,9e4,5e3,8e4,6e3\n", False),
        ("device\t9e4\t5e3\t8e4\t6e3\n", False),
    ],
)
def test_only_numbers_in_pairs_after_an_address_are_recognised(text, known):
    assert cycling.matches(text.encode()) is known
