"""Plans are read, and refused, without PyTorch."""

import pytest
from devicephys.fits import networks

from devicephys.errors import ParameterError
from devicephys.learning.plan import Hidden, Plan, hidden_layers, need_torch, sizes


def test_the_notation_of_layers():
    found = hidden_layers("128C3-64C5P2-1024-10")
    assert found == (Hidden(128, 3), Hidden(64, 5, 2), Hidden(1024), Hidden(10))


def test_sizes_shrink_by_the_pools_and_leave_odd_rows_out():
    plan = Plan("8C3P2-4C1-16", epochs=1)
    assert sizes(plan, (3, 9, 6)) == ((3, 9, 6), (8, 4, 3), (4, 4, 3), (16, 1, 1))
    with pytest.raises(ParameterError, match="8C3P4 on images of"):
        sizes(Plan("8C3P4", epochs=1), (1, 3, 8))


@pytest.mark.parametrize(
    "layers", ["", "8-", "8C", "8C2", "0C3", "8C3P0", "8P2", "-8", "8-8C3", "8c3", "8 C3", "٣"]
)
def test_other_notations_are_refused(layers):
    with pytest.raises(ParameterError, match="layers"):
        Plan(layers, epochs=1)


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0}, {"batch": 1}, {"validation": -1}, {"learning_rate": 0.0},
        {"bit_error_rate": 0.6}, {"bit_error_rate": -0.1}, {"margin": -1.0},
    ],
    ids=str,
)  # fmt: skip
def test_numbers_out_of_range_are_refused(change):
    with pytest.raises(ParameterError, match=next(iter(change))):
        Plan(**{"layers": "8", "epochs": 1, **change})


def test_missing_torch_is_said_with_the_remedy(monkeypatch):
    monkeypatch.setattr("devicephys.learning.plan.find_spec", lambda name: None)
    with pytest.raises(ParameterError, match=r"torch is not installed.*devicephys\[learn\]"):
        need_torch()
    # Before any image is looked for:
    monkeypatch.setattr(networks, "load_images", lambda name: pytest.fail("images were loaded"))
    with pytest.raises(ParameterError, match="torch is not installed"):
        networks.make("cifar10-small", print)
