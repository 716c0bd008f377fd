"""What to train with PyTorch; written without it, so that plans can be read where it is missing."""

import re
from dataclasses import dataclass
from importlib.util import find_spec

from devicephys.bnn.network import Shape
from devicephys.checks import ZERO, in_range, whole
from devicephys.errors import ParameterError

_LAYER = re.compile(r"(?P<units>[1-9]\d*)(C(?P<kernel>[1-9]\d*)(P(?P<pool>[1-9]\d*))?)?")


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes
    ----------
    layers : str
        Hidden layers in the notation of `devicephys.bnn.network.describe`: ``128C3`` is a
        convolution of 128 channels and kernels of 3 x 3, which keeps height and width by zeros
        around the image, ``128C3P2`` pools its squares of 2 x 2, ``1024`` is fully connected.
    epochs : int
        Passes over the training images [1].
    input_levels : tuple of int
        Pixel levels of the thermometer input code; empty for 8-bit input [1].
    batch : int
        Images a step [1].
    learning_rate : float
        First step size of Adam, brought to zero along a cosine [1].
    augment : bool
        Whether every image is shifted by up to an eighth of its edge and mirrored half the time.
    bit_error_rate : float
        Probability that a weight bit is flipped, drawn afresh for every step [1].
    random_bit_error_rate : bool
        Whether every step draws its own rate, uniformly from 0 to `bit_error_rate`; the thresholds
        are those of the mean rate.
    margin : float
        Margin of a multi-class hinge loss, in the units of the logits, in place of the
        cross-entropy; 0 for the cross-entropy [1].
    validation : int
        Training images held out, to tell the accuracy after every epoch [1].
    """

    layers: str
    epochs: int
    input_levels: tuple[int, ...] = ()
    batch: int = 100
    learning_rate: float = 3e-3
    augment: bool = False
    bit_error_rate: float = 0.0
    random_bit_error_rate: bool = False
    margin: float = 0.0
    validation: int = 0

    def __post_init__(self) -> None:
        hidden_layers(self.layers)
        whole("epochs", self.epochs, least=1)
        whole("batch", self.batch, least=2)  # of one image there is no variance
        whole("validation", self.validation, least=0)
        in_range("learning_rate", self.learning_rate, "1", above=0)
        rate = self.bit_error_rate
        in_range("bit_error_rate", rate, "1", above=0, below=0.5, inclusive=True)
        in_range("margin", self.margin, "1", above=-ZERO)


@dataclass(frozen=True)
class Hidden:
    """One hidden layer of a plan.

    Attributes
    ----------
    units : int
        Channels of a convolution, or units of a fully connected layer [1].
    kernel : int
        Edge of the kernels; 0 for a fully connected layer [1].
    pool : int
        Edge of the squares that are pooled; 1 for none [1].
    """

    units: int
    kernel: int = 0
    pool: int = 1


def hidden_layers(layers: str) -> tuple[Hidden, ...]:
    """Read the hidden layers of a plan.

    Parameters
    ----------
    layers : str
        The notation, as of `Plan`; convolutions come first.

    Returns
    -------
    tuple of Hidden
        The layers from input to output.

    Raises
    ------
    ParameterError
        If a layer is not in the notation, or a convolution follows a fully connected layer.

    Examples
    --------
    >>> hidden_layers("16C3P2-64")
    (Hidden(units=16, kernel=3, pool=2), Hidden(units=64, kernel=0, pool=1))
    """
    found: list[Hidden] = []
    for word in layers.split("-"):
        match = _LAYER.fullmatch(word)
        kernel = int(match["kernel"] or 0) if match else 0
        if match is None or (kernel and kernel % 2 == 0):
            raise ParameterError(
                f"layer {word!r}", where=f"layers {layers!r}",
                expected="128C3, 128C3P2 or 1024, with an odd kernel",
            )  # fmt: skip
        if kernel and found and not found[-1].kernel:
            raise ParameterError(
                f"convolution {word!r} after a fully connected layer",
                where=f"layers {layers!r}", expected="convolutions first",
            )  # fmt: skip
        found.append(Hidden(int(match["units"]), kernel, int(match["pool"] or 1)))
    return tuple(found)


def sizes(plan: Plan, encoded: Shape) -> tuple[Shape, ...]:
    """Give the shapes of what every hidden layer of a plan takes, and of what the last gives.

    Parameters
    ----------
    plan : Plan
        The plan.
    encoded : tuple of int
        Channels, height and width of an encoded image [1].

    Returns
    -------
    tuple of tuple of int
        Channels, height and width [1].

    Raises
    ------
    ParameterError
        If an image is too small to be pooled as often.

    Examples
    --------
    >>> sizes(Plan("16C3P2-64", epochs=1), (3, 8, 8))
    ((3, 8, 8), (16, 4, 4), (64, 1, 1))
    """
    shapes = [encoded]
    for hidden in hidden_layers(plan.layers):
        height, width = (n // hidden.pool for n in shapes[-1][1:])
        if min(height, width) < 1:
            raise ParameterError(
                f"{hidden.units}C{hidden.kernel}P{hidden.pool} on images of {shapes[-1]}",
                where=f"layers {plan.layers!r}", expected="images no smaller than what is pooled",
            )  # fmt: skip
        shapes.append((hidden.units, height, width) if hidden.kernel else (hidden.units, 1, 1))
    return tuple(shapes)


def need_torch() -> None:
    """Refuse to go on where PyTorch is not installed.

    Raises
    ------
    ParameterError
        If it is not.

    Examples
    --------
    >>> need_torch()  # doctest: +SKIP
    """
    if find_spec("torch") is None:
        raise ParameterError(
            "torch is not installed", expected="PyTorch 2.6 or later",
            remedy="pip install 'devicephys[learn]'",
        )  # fmt: skip
