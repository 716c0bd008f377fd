"""Accuracy of the shipped MNIST networks, clean and with bit errors, against prototype values."""

from devicephys.validation import Figure, not_established

from devicephys.bnn.accuracy import Accuracy, Sampling, accuracy
from devicephys.errors import DataError, ParameterError
from devicephys.study import encoded_test_images, load_network

CLAIM = "The MNIST networks keep their accuracy up to the bit error rates that were published."
REFERENCE = (
    "784-1024-1024-10 networks of a prototype, one training seed each; the rates 1e-3 (arXiv "
    "1908.04085) and 4e-2 (arXiv 1904.03652) are those up to which little loss was reported"
)
LIMIT = 0.006  # absolute: another training seed (about 0.2 %) and the maps at 4e-2 (0.6 %)

VALUES = (  # network, bit error rate, accuracy
    ("mnist", 0.0, 0.9804),
    ("mnist", 1e-3, 0.9795),
    ("mnist", 1e-2, 0.9770),
    ("mnist", 4e-2, 0.9501),
    ("mnist-aware", 0.0, 0.9711),
    ("mnist-aware", 1e-2, 0.9722),
    ("mnist-aware", 4e-2, 0.9706),
)
SEED = 1


def run() -> list[Figure]:
    """Evaluate each network at each rate."""
    figures = []
    tests = {}
    for name, rate, reference in VALUES:
        try:
            if name not in tests:
                tests[name] = encoded_test_images(load_network(name))
        except (ParameterError, DataError) as err:
            return [not_established("mnist_accuracy", str(err))]
        found: Accuracy = accuracy(tests[name], rate, rate, SEED, Sampling(0.002, 4, 12))
        label = f"accuracy of {name} at BER {rate:g}"
        holds = found.accuracy >= reference - LIMIT
        asked = f">= {reference:.4f} - {LIMIT:g}"
        figures.append(Figure(label, found.accuracy, "1", asked, holds))
    return figures
