"""A network trained with bit errors depends on their rate, and what undoes it."""

from dataclasses import asdict, replace

import numpy as np
from devicephys.validation import Figure, not_established

from devicephys.bnn.accuracy import Sampling, accuracy, prepare
from devicephys.bnn.faults import NO_ERRORS, Rates
from devicephys.bnn.images import load_images
from devicephys.bnn.network import Network
from devicephys.bnn.recalibration import recalibrate
from devicephys.bnn.training import Plan, train
from devicephys.errors import DataError, ParameterError
from devicephys.study import load_network

CLAIM = (
    "A network trained with bit errors fits the rate it was trained at; corrected thresholds, "
    "without training, bring it to another."
)
REFERENCE = (
    "abstract of arXiv 2002.00909 (overfit to the training rate); the cure is this project's. A "
    "784-512-512-10 network for MNIST is trained here at a rate of 0.1, four epochs"
)
LIMIT = (
    "used with fewer errors, it is worse than with those it was trained with; corrected, it is at "
    "least as good as with them; a network trained without errors is right in 84 % of the images "
    "at 0.1 once corrected, and more often than before"
)

TRAINED = Rates(0.1, 0.1)
PLAN = Plan((512, 512), (127,), epochs=4, bit_error_rate=0.1)
SAMPLING = Sampling(2e-3, 6, 24)
SEED = 1


def run() -> list[Figure]:
    """Train at 0.1; use at 0.1, at 0 and at 0.02, as it is and corrected."""
    try:
        images = load_images("mnist")
    except (ParameterError, DataError) as err:
        return [not_established("bnn_overfit", str(err))]
    rng = np.random.default_rng(SEED)
    network = train("overfit", images.shape, images.train_pixels, images.train_labels, PLAN, rng)
    network = replace(network, record={"plan": asdict(PLAN)})

    def right(rates: Rates, corrected: bool, network: Network = network) -> float:
        used = recalibrate(network, rates) if corrected else network
        test = prepare(used, images.test_pixels, images.test_labels)
        return accuracy(test, rates, SEED, SAMPLING).accuracy

    there = right(TRAINED, False)
    figures = [
        Figure("accuracy at the rate of the training, 0.1", there, "1", "> 0.9", there > 0.9)
    ]
    for rates, name in ((NO_ERRORS, "without errors"), (Rates(0.02, 0.02), "at 0.02")):
        plain, corrected = right(rates, False), right(rates, True)
        figures += [
            Figure(f"accuracy {name}, as trained", plain, "1", f"< {there:.4f}", plain < there),
            Figure(f"accuracy {name}, thresholds corrected", corrected, "1",
                   f">= {there:.4f}", corrected >= there),
        ]  # fmt: skip
    plain, corrected = (right(TRAINED, x, load_network("mnist")) for x in (False, True))
    asked = f">= 0.84 and above {plain:.4f}"
    holds = corrected >= 0.84 and corrected > plain
    label = "accuracy at 0.1, trained without errors, thresholds corrected"
    return [*figures, Figure(label, corrected, "1", asked, holds)]
