"""An operating point for every layer: the choice is the cheapest that is measured to be good."""

import itertools

import numpy as np
import pytest
import xarray as xr

from devicephys.bnn.accuracy import Sampling, accuracy, prepare
from devicephys.bnn.allocation import _cheapest, allocate, sensitivity
from devicephys.bnn.faults import NO_ERRORS, Rates
from devicephys.bnn.network import ImageCode, Layer, Network
from devicephys.errors import ParameterError

ALWAYS = Sampling(1e-9, 8, 8)


def front(ber, energy):
    columns = {"p01": ber, "p10": ber, "ber": ber, "ber_hi": ber, "energy_per_bit": energy}
    return xr.Dataset({name: ("point", np.asarray(x, float)) for name, x in columns.items()})


@pytest.fixture
def copied():
    """A first layer of majorities over 9 copies of each input bit, a second with 1 copy only.

    Class 1 wins where the bit is set. The first layer stands many errors, the second none.
    """
    n = 21
    first = Layer(np.ones((1, n), np.int8), np.zeros(1, np.int32))
    second = Layer(np.array([[-1], [1]], np.int8), np.zeros(2, np.int32))
    network = Network("copied", ImageCode((1, 1, n), (0,)), (first, second))
    labels = np.arange(400) % 2
    pixels = np.repeat(labels[:, None], n, axis=1)
    return prepare(network, pixels.astype(np.uint8), labels.astype(np.uint8))


def test_the_tolerant_layer_is_written_weakly(copied):
    points = front([0.1, 1e-12], [1e-13, 3e-13])
    losses = sensitivity(copied, points, 1, ALWAYS)
    assert losses.shape == (2, 2)
    assert losses[0, 0] < 0.01 < losses[1, 0]
    assert (losses[:, 1] == 0).all()
    found = allocate(copied, points, losses, 0.01, 1, ALWAYS)
    assert found.points == (0, 1)
    assert found.uniform == 1
    assert found.energy == pytest.approx(21 * 1e-13 + 2 * 3e-13)
    assert found.uniform_energy == pytest.approx(23 * 3e-13)
    assert found.gain == pytest.approx(1 - found.energy / found.uniform_energy)
    assert found.loss_bound <= 0.01


def test_sensitivity_has_errors_in_one_layer_only(copied):
    points, seen = front([0.05, 0.2], [1e-13, 3e-13]), []
    losses = sensitivity(copied, points, 2, ALWAYS, lambda *x: seen.append(x))
    assert seen == [(k + 1, 4) for k in range(4)]
    direct = accuracy(copied, [NO_ERRORS, Rates(0.2, 0.2)], 2, ALWAYS)
    assert losses[1, 1] == direct.loss


def test_losses_that_do_not_add_up_are_found_out(copied):
    """Sensitivities that promise too much: the measured loss decides, and one point is kept."""
    points = front([0.3, 1e-12], [1e-13, 3e-13])
    found = allocate(copied, points, np.zeros((2, 2)), 0.01, 1, ALWAYS)
    assert found.points == (1, 1)
    assert found.gain == 0


def test_none_where_no_point_is_good(copied):
    points = front([0.3, 0.2], [1e-13, 3e-13])
    assert allocate(copied, points, np.zeros((2, 2)), 0.01, 1, ALWAYS) is None


@pytest.mark.parametrize("max_loss", [0.0, 1.0, float("nan")])
def test_the_loss_is_a_share(copied, max_loss):
    with pytest.raises(ParameterError, match="max_loss"):
        allocate(copied, front([0.1], [1e-13]), np.zeros((2, 1)), max_loss, 1, ALWAYS)


def test_cheapest_equals_the_search_of_all_choices():
    rng = np.random.default_rng(1)
    for _ in range(30):
        losses, cost = rng.random((3, 4)), rng.random((3, 4))
        budget = rng.uniform(0.1, 2)
        good = [
            c for c in itertools.product(range(4), repeat=3)
            if sum(losses[layer, k] for layer, k in enumerate(c)) <= budget
        ]  # fmt: skip
        found = _cheapest(losses, cost, budget)
        if not good:
            assert found is None
            continue
        total = {c: sum(cost[layer, k] for layer, k in enumerate(c)) for c in good}
        assert total[found] == pytest.approx(min(total.values()), rel=1e-6)
