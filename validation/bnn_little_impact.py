"""Bit error rates that a network trained without errors bears (Hirtzlin et al., ST-MRAM)."""

from devicephys.validation import Figure, not_established

from devicephys.bnn.accuracy import Sampling, accuracy
from devicephys.bnn.faults import Rates
from devicephys.errors import DataError, ParameterError
from devicephys.study import encoded_test_images, load_network

CLAIM = "A bit error rate of 1e-3 in the weights of a binarized network has little impact."
REFERENCE = (
    "abstract of arXiv 1908.04085 (ST-MRAM, MNIST and CIFAR-10 there); checked here on "
    "784-1024-1024-10 networks for MNIST and Fashion-MNIST, trained without errors"
)
LIMIT = "the upper 95 % end of the loss is at most 0.5 %, which we call little; at 1e-1 it is large"

LITTLE = 5e-3
LEAST = {("mnist", 0.0): 0.980, ("mnist", 1e-3): 0.978, ("fashion", 0.0): 0.89}  # asked of both
SAMPLING = Sampling(1e-3, 4, 24)
SEED = 1


def run() -> list[Figure]:
    """Evaluate each network clean, at 1e-3 and, so that the check could fail, at 1e-1."""
    figures = []
    for name in ("mnist", "fashion"):
        try:
            test = encoded_test_images(load_network(name))
        except (ParameterError, DataError) as err:
            return [not_established("bnn_little_impact", str(err))]
        for p in (0.0, 1e-3):
            found = accuracy(test, Rates(p, p), SEED, SAMPLING)
            label = f"{name}: accuracy at BER {p:g}"
            if (name, p) in LEAST:
                asked, holds = f">= {LEAST[name, p]:g}", found.accuracy >= LEAST[name, p]
                figures.append(Figure(label, found.accuracy, "1", asked, holds))
            if p:
                label = f"{name}: loss at BER {p:g}, upper 95 % end"
                holds = found.loss_high <= LITTLE
                figures.append(Figure(label, found.loss_high, "1", f"<= {LITTLE:g}", holds))
        low = accuracy(test, Rates(0.1, 0.1), SEED, SAMPLING).loss_low
        label, asked = f"{name}: loss at BER 0.1, lower 95 % end", f"> {LITTLE:g}"
        figures.append(Figure(label, low, "1", asked, low > LITTLE))
    return figures
