"""A network trained with bit errors depends on their rate, and what undoes it."""

from dataclasses import asdict, replace

import numpy as np
from devicephys.validation import Figure, not_established

from devicephys.bnn.accuracy import Sampling, accuracy, prepare
from devicephys.bnn.faults import NO_ERRORS, Rates
from devicephys.bnn.images import load_images
from devicephys.bnn.recalibration import recalibrate
from devicephys.bnn.training import Plan, train
from devicephys.errors import DataError, ParameterError

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
    "least as good as with them"
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

    def right(rates: Rates, corrected: bool) -> float:
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
    return figures
