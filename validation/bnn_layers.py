"""Which layer of a network suffers from bit errors."""

from devicephys.validation import Figure, not_established

from devicephys.bnn.accuracy import Sampling, accuracy
from devicephys.bnn.faults import NO_ERRORS, Rates
from devicephys.errors import DataError, ParameterError
from devicephys.study import encoded_test_images, load_network

CLAIM = "The first layer of an MNIST perceptron bears the fewest bit errors."
REFERENCE = (
    "a prototype's 784-1024-1024-10 network, trained without dropout: at 0.1 in one layer only "
    "61.9 % for the first, 97.8 % for the others; the shipped network left out a fifth of its "
    "inputs in training, and bears more"
)
LIMIT = "at a rate of 0.1 the first layer's loss lies above each other one's, 95 % intervals apart"

SAMPLING = Sampling(5e-3, 8, 24)
SEED = 1


def run() -> list[Figure]:
    """Evaluate errors in one layer at a time."""
    try:
        test = encoded_test_images(load_network("mnist"))
    except (ParameterError, DataError) as err:
        return [not_established("bnn_layers", str(err))]
    n = len(test.network.layers)
    rates = [[Rates(0.1, 0.1) if k == j else NO_ERRORS for k in range(n)] for j in range(n)]
    first, *others = (accuracy(test, r, SEED, SAMPLING) for r in rates)
    return [
        Figure(f"loss, errors in layer 0 only, less that in layer {k} only, 95 % ends apart",
               first.loss_low - other.loss_high, "1", "> 0", first.loss_low > other.loss_high)
        for k, other in enumerate(others, 1)
    ]  # fmt: skip
