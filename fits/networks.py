"""The shipped networks: which images, which plan, which seed. Made by ``devicephys train NAME``.

Sizes and schedules were chosen on training images, those for Fashion-MNIST on 2000 to 10 000 of
them that were held out, never on test images. The networks named ``-aware`` see 4 % of fresh bit
errors in every step, the rate up to which Hirtzlin et al. (arXiv 1904.03652) report that adapted
training tolerates errors. ``fashion-aware`` has a margin loss: at 4 % of errors, 88.0 % of the
2000 images held out are right, and 87.0 % with the cross-entropy (means over 40 error maps).

Those of CIFAR-10 are convolutional and trained with PyTorch (extra ``learn``): ``cifar10-small`` on
two CPU cores, ``cifar10``, with the layers of Hubara et al. (NeurIPS 2016, arXiv 1602.02830), on a
GPU.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from devicephys import __version__
from devicephys.bnn.images import ImageSet, load_images
from devicephys.bnn.inference import encode, predict
from devicephys.bnn.network import Network
from devicephys.bnn.training import Plan, train
from devicephys.checks import known
from devicephys.learning.plan import Plan as ConvPlan
from devicephys.learning.plan import need_torch

SEED = 1
_MNIST = Plan((1024, 1024), (127,), epochs=20, input_dropout=0.2)
_FASHION = Plan((1024, 1024), (), epochs=20, learning_rate=1e-3, validation=2000)
_CIFAR10 = "128C3-128C3P2-256C3-256C3P2-512C3-512C3P2-1024-1024"
_CIFAR10_SMALL = "32C3P2-64C3P2-128C3-128C3P2-256"
ON_GPU = ("cifar10",)
PLANS: Mapping[str, tuple[str, Plan | ConvPlan]] = MappingProxyType(
    {
        "digits": ("digits", Plan((128,), (3, 7, 11), epochs=60)),
        "mnist": ("mnist", _MNIST),
        "mnist-aware": ("mnist", replace(_MNIST, bit_error_rate=0.04)),
        "fashion": ("fashion-mnist", _FASHION),
        "fashion-aware": ("fashion-mnist", replace(_FASHION, bit_error_rate=0.04, margin=16.0)),
        "cifar10": ("cifar-10", ConvPlan(_CIFAR10, epochs=200, augment=True, validation=5000)),
        "cifar10-small": (
            "cifar-10",
            ConvPlan(_CIFAR10_SMALL, epochs=25, augment=True, validation=5000),
        ),
    }
)


def make(
    name: str,
    progress: Callable[[int, float, float], None],
    checkpoint: Path | None = None,
) -> Network:
    """Train a shipped network and write its record.

    Parameters
    ----------
    name : str
        One of `PLANS`.
    progress : callable
        Called with (epoch from 1, mean loss of the epoch, accuracy on the images held out).
    checkpoint : Path, optional
        File from which an interrupted training goes on, see `devicephys.bnn.training.train`.

    Returns
    -------
    Network
        The network with its record: images, licence, command, plan, seed, test accuracy.

    Raises
    ------
    ParameterError, DataError, OutputExistsError
        If the name is unknown, the images, PyTorch or the GPU that it takes are not there, or the
        checkpoint is of another training.

    Examples
    --------
    >>> make("digits", lambda epoch, loss, accuracy: None).record["images"]
    'digits'
    """
    image_set, plan = PLANS[known("network", name, PLANS)]
    trainer = _trainer(name, plan)
    images = load_images(image_set)
    network = trainer(
        name, images.shape, images.train_pixels, images.train_labels,
        rng=np.random.default_rng(SEED), progress=progress, checkpoint=checkpoint,
    )  # fmt: skip
    said = predict(network, encode(network, images.test_pixels))
    record = {
        "images": image_set,
        "licence_of_images": images.licence,
        "command": f"devicephys train {name}",
        "devicephys_version": __version__,
        "plan": asdict(plan),
        "seed": SEED,
        "test_images": _title(images),
        "test_accuracy": float((said == images.test_labels).mean()),
    }
    return replace(network, record=record)


def _trainer(name: str, plan: Plan | ConvPlan) -> Callable[..., Network]:
    """Find what trains a plan, before its images are loaded."""
    if isinstance(plan, Plan):
        return partial(train, plan=plan)
    need_torch()
    from devicephys.learning import conv_training  # heavy, and an extra

    device = "cuda" if name in ON_GPU else "cpu"
    conv_training.find_device(device)
    return partial(conv_training.train, plan=plan, device=device)


def _title(images: ImageSet) -> str:
    """Name the images that an accuracy is of; a copy through JPEG is not the published set."""
    copy = "(JPEG copy" in images.licence
    return f"{images.licence.partition(':')[0]})" if copy else images.name
