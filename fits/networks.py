"""The shipped networks: which images, which plan, which seed. Made by ``devicephys train NAME``.

Sizes and schedules were chosen once for accuracy on the training images and are not tuned to the
test images. ``mnist-aware`` sees 4 % of fresh bit errors in every step, the rate up to which
Hirtzlin et al. (arXiv 1904.03652) report that adapted training tolerates errors.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from types import MappingProxyType

import numpy as np

from devicephys import __version__
from devicephys.bnn.images import load_images
from devicephys.bnn.inference import encode_levels, predict
from devicephys.bnn.network import Network
from devicephys.bnn.training import Plan, train
from devicephys.checks import known

SEED = 1
_MNIST = Plan((1024, 1024), (127,), epochs=20, input_dropout=0.2)
PLANS: Mapping[str, tuple[str, Plan]] = MappingProxyType(
    {
        "digits": ("digits", Plan((128,), (3, 7, 11), epochs=60)),
        "mnist": ("mnist", _MNIST),
        "mnist-aware": ("mnist", replace(_MNIST, bit_error_rate=0.04)),
    }
)


def make(name: str, progress: Callable[[int, float], None]) -> Network:
    """Train a shipped network and write its record.

    Parameters
    ----------
    name : str
        One of `PLANS`.
    progress : callable
        Called with (epoch from 1, mean loss of the epoch).

    Returns
    -------
    Network
        The network with its record: images, licence, command, plan, seed, test accuracy.

    Raises
    ------
    ParameterError, DataError
        If the name is unknown or the images are not there.

    Examples
    --------
    >>> make("digits", lambda epoch, loss: None).record["images"]
    'digits'
    """
    image_set, plan = PLANS[known("network", name, PLANS)]
    images = load_images(image_set)
    inputs = encode_levels(images.train_pixels, plan.input_levels)
    rng = np.random.default_rng(SEED)
    network = train(name, inputs, images.train_labels, plan, rng, progress)
    test = encode_levels(images.test_pixels, plan.input_levels)
    accuracy = float((predict(network, test) == images.test_labels).mean())
    record = {
        "images": image_set,
        "licence_of_images": images.licence,
        "command": f"devicephys train {name}",
        "devicephys_version": __version__,
        "plan": asdict(plan),
        "seed": SEED,
        "test_accuracy": accuracy,
    }
    return replace(network, record=record)
