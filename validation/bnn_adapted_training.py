"""Bit error rates that networks bear with standard and with adapted training (Hirtzlin, RRAM)."""

from devicephys.validation import Figure, not_established

from devicephys.bnn.accuracy import Accuracy, Sampling, accuracy
from devicephys.bnn.faults import Rates
from devicephys.errors import DataError, ParameterError
from devicephys.study import encoded_test_images, load_network

CLAIM = (
    "Standard training bears a bit error rate of 1e-4 in the weights, adapted training one of 4e-2."
)
REFERENCE = (
    "abstract of arXiv 1904.03652 (RRAM, MNIST and CIFAR-10 there); checked here on two "
    "784-1024-1024-10 networks for MNIST, the adapted one trained with 4 % of fresh bit errors in "
    "every step. The standard one left out a fifth of its inputs in training and bears 4e-2 nearly "
    "as well: that adapted training is needed for it does not follow from these networks"
)
LIMIT = (
    "loss against itself without errors, upper 95 % end: at most 0.2 % at 1e-4 (standard), at most "
    "1 % at 4e-2 (adapted); at 0.1 the adapted network is the better one, 95 % intervals apart"
)

SAMPLING = Sampling(1e-3, 4, 24)
SEED = 1


def run() -> list[Figure]:
    """Evaluate the standard network at 1e-4, the adapted one at 4e-2, both at 0.1."""
    try:
        standard, adapted = (encoded_test_images(load_network(n)) for n in ("mnist", "mnist-aware"))
    except (ParameterError, DataError) as err:
        return [not_established("bnn_adapted_training", str(err))]
    few = accuracy(standard, Rates(1e-4, 1e-4), SEED, SAMPLING)
    often = accuracy(adapted, Rates(4e-2, 4e-2), SEED, SAMPLING)
    weak, strong = (accuracy(t, Rates(0.1, 0.1), SEED, SAMPLING) for t in (standard, adapted))
    return [
        _loss("standard: loss at BER 1e-4", few, 0.002),
        _loss("adapted: loss at BER 4e-2", often, 0.01),
        Figure("adapted: accuracy at BER 4e-2", often.accuracy, "1", ">= 0.97",
               often.accuracy >= 0.97),
        Figure("accuracy at BER 0.1, adapted less standard, 95 % ends", strong.low - weak.high, "1",
               "> 0", strong.low > weak.high),
    ]  # fmt: skip


def _loss(name: str, found: Accuracy, most: float) -> Figure:
    holds = found.loss_high <= most
    return Figure(f"{name}, upper 95 % end", found.loss_high, "1", f"<= {most:g}", holds)
