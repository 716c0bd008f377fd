"""Energy saved by weights with errors: the definition, its intervals, and tables that end early."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.bnn.energy import least_energy
from devicephys.bnn.savings import CODE, RELIABLE, savings
from devicephys.ecc import overhead, residual_ber
from devicephys.errors import ParameterError

ENERGY = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) * 1e-13
BER = np.array([1e-1, 1e-3, 1e-5, 1e-7, 1e-9, 1e-11])


def results(loss, *, factor=1.0, network="net", cell="", keep=slice(None)):
    columns = {
        "energy_per_bit": ENERGY, "ber": BER,
        "ber_lo": BER / factor, "ber_hi": np.minimum(BER * factor, 1),
        "loss": loss, "loss_lo": loss / factor, "loss_bound": loss * factor,
    }  # fmt: skip
    data = {name: ("point", np.asarray(x, float)[keep]) for name, x in columns.items()}
    n = len(ENERGY[keep])
    data |= {"network": ("point", [network] * n), "n_weights": ("point", [1000] * n)}
    if cell:
        data["cell"] = "point", [cell] * n
    return xr.Dataset(data)


LOSS = np.array([0.5, 0.01, 1e-3, 0, 0, 0])


def test_shares_are_those_of_the_energies():
    strong, coded = savings(results(LOSS), "net", "", 0.005)
    assert (strong.reference, coded.reference) == ("BER 1e-09", "SECDED(72,64)")
    assert strong.energy_per_bit == 5e-13
    assert strong.saving == strong.low == strong.high == pytest.approx(1 - 3 / 5)
    assert strong.energy == pytest.approx(1000 * 2e-13)
    # 71 p^2 <= 1e-9 asks for p <= 3.7e-6: 1e-7 at 4e-13 J in 72 cells for 64 bits
    assert residual_ber(CODE, 1e-7) < RELIABLE < residual_ber(CODE, 1e-5)
    assert coded.energy_per_bit == pytest.approx(4e-13 * overhead(CODE))
    assert coded.saving == pytest.approx(1 - 3 / 4.5)


def test_ends_of_the_interval_are_those_of_the_reference():
    strong, coded = savings(results(LOSS, factor=20.0), "net", "", 0.005)
    # the bound of the loss, 0.02 at 3e-13, asks for 4e-13
    assert (strong.energy_low, strong.energy_per_bit, strong.energy_high) == (
        pytest.approx((5e-13, 5e-13, 6e-13), rel=1e-12)
    )
    found = (strong.low, strong.saving, strong.high)
    assert found == pytest.approx((1 - 4 / 5, 1 - 4 / 5, 1 - 4 / 6))
    assert coded.low <= coded.saving <= coded.high


def test_the_stated_saving_is_that_of_the_accepted_point():
    data = results(LOSS, factor=20.0)
    (answer,) = least_energy(data, 0.005)
    for s in savings(data, "net", "", 0.005):
        assert s.saving == pytest.approx(1 - answer.energy_per_bit / s.energy_per_bit)


@pytest.mark.parametrize(
    ("keep", "missing"), [(slice(0, 4), (True, False)), (slice(0, 3), (True, True))]
)
def test_nothing_is_extrapolated(keep, missing):
    found = savings(results(LOSS, keep=keep), "net", "", 0.005)
    assert tuple(np.isnan(s.saving) for s in found) == missing
    assert tuple(np.isinf(s.energy_per_bit) for s in found) == missing


def test_no_saving_where_the_accuracy_is_kept_nowhere():
    for s in savings(results(LOSS + 0.1), "net", "", 0.005):
        assert np.isnan([s.saving, s.low, s.high, s.energy]).all()


def test_only_rows_of_the_network_and_cell_count():
    both = xr.concat(
        [results(LOSS, cell="a"), results(np.zeros(6), network="other", cell="a"),
         results(np.zeros(6), cell="b")], "point",
    )  # fmt: skip
    one = savings(both, "net", "a", 0.005)[0]
    assert one.saving == savings(results(LOSS), "net", "", 0.005)[0].saving


@given(st.lists(st.floats(0, 0.1), min_size=6, max_size=6), st.floats(1, 100), st.randoms())
@settings(deadline=None, max_examples=50, derandomize=True)
def test_interval_holds_the_saving_and_order_does_not_matter(loss, factor, random):
    data = results(np.array(loss), factor=factor)
    shuffled = data.isel(point=random.sample(range(6), 6))
    for s, t in zip(*(savings(x, "net", "", 0.005) for x in (data, shuffled)), strict=True):
        assert np.isclose(s.saving, t.saving, rtol=1e-12, equal_nan=True)
        if not np.isnan([s.low, s.saving, s.high]).any():
            assert s.low <= s.saving <= s.high < 1


@pytest.mark.parametrize("max_loss", [0.0, 1.0, float("nan")])
def test_limits_are_shares(max_loss):
    with pytest.raises(ParameterError):
        savings(results(LOSS), "net", "", max_loss)


def test_coded_cells_are_not_coded_again():
    (only,) = savings(results(LOSS, cell="plain + SECDED(72,64)"), "net",
                      "plain + SECDED(72,64)", 0.005)  # fmt: skip
    assert only.reference == "BER 1e-09"
