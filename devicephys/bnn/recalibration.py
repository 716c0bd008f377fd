"""Thresholds corrected for known error rates of the weights, without retraining.

A stored +1 reads as -1 with probability p10 and a stored -1 as +1 with p01, so the mean of what is
read is ``E[w'] = a w + b`` with ``a = 1 - p01 - p10`` and ``b = p01 - p10``, for either w. An image
whose sum is z = sum_j w_j x_j therefore reads on average as

    E[z'] = a z + b S,    S = sum_j x_j over the taps that exist,

whatever the x: signs, 8-bit pixels (2 p - 255), or the zeros around a convolution, which add
nothing to z nor S. The threshold was right for z; the right one for z' is theta' = a theta + b S.
S differs from image to image and, at the border of a convolution, from place to place, and a
threshold does not: its mean over calibration images is taken. Where p01 = p10 = p it drops out
and theta' = (1 - 2 p) theta. Thresholds that were already made for rates (a0, b0), by training with
errors or by an earlier correction, are first brought back: (theta - b0 S)/a0. Where the output
layer has a gain, its scores are gain z - theta, and S is multiplied by the gain as well.

Sums are integers: a hidden layer that fires at z >= theta has its real threshold between theta - 1
and theta, and the middle is what is corrected; z' >= theta' is z' >= ceil(theta'). So rates that go
to zero leave every threshold as it was. The output layer compares z - theta of its classes; b S is
the same for all of them and falls out of the comparison, a theta is rounded to the nearest integer.

The formula leaves out that errors in earlier layers disturb the x themselves, and that a chip's
own errors are not the mean. Means and slopes of the sums, or every unit's rate of firing, measured
with calibration images on networks with errors were tried instead (MNIST, 200 to 1000 images on 4
or 8 maps): the same accuracy within 0.2 % wherever the network keeps 90 %, in places less by the
noise of the maps; about one percent more beyond, as at p = 0.1 in a network of seven layers.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from devicephys.bnn.faults import Rates, each_layer
from devicephys.bnn.inference import Inputs, sums
from devicephys.bnn.network import Layer, Network
from devicephys.checks import Array, in_range
from devicephys.errors import DataError, ParameterError

MADE_FOR = "thresholds_for"  # key of the record: p01 and p10 of every layer
MIDDLE = 0.5  # between two sums, of which the upper fires


def made_for(network: Network) -> tuple[Rates, ...]:
    """Give the rates that a network's thresholds were made for, as its record says.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    tuple of Rates
        One a layer: those of the last recalibration; else the mean bit error rate of the
        training; else zero.

    Raises
    ------
    DataError
        If the record holds something else.

    Examples
    --------
    >>> from devicephys.bnn.network import ImageCode
    >>> layer = Layer(np.ones((2, 2), np.int8), np.zeros(2, np.int32))
    >>> made_for(Network("tiny", ImageCode((1, 1, 2), (0,)), (layer,)))
    (Rates(p01=0.0, p10=0.0),)
    """
    plan = network.record.get("plan", {})
    try:
        p = plan.get("bit_error_rate", 0.0)
        if plan.get("random_bit_error_rate", False):  # uniform from zero: exported at the mean
            p = p / 2
        pairs = network.record.get(MADE_FOR, [(p, p)] * len(network.layers))
        rates = each_layer(network, [Rates(float(p01), float(p10)) for p01, p10 in pairs])
        if any(r.p01 + r.p10 >= 1 for r in rates):
            raise ValueError("p01 + p10 >= 1")
        return rates
    except (AttributeError, TypeError, ValueError) as err:
        raise DataError(
            f"rates of the thresholds that make no sense ({err})",
            where=f"record of network {network.name!r}",
            expected=f"{MADE_FOR}: [p01, p10] of every layer, or plan: bit_error_rate",
        ) from err


def recalibrate(
    network: Network, rates: Rates | Sequence[Rates], inputs: Inputs | None = None
) -> Network:
    """Correct the thresholds for error rates of the weights, by the formula.

    Parameters
    ----------
    network : Network
        The network as it is to be stored; `made_for` says what its thresholds are right for.
    rates : Rates or sequence of Rates
        Rates at which the weights will read, of all layers or of every layer, p01 + p10 < 1.
    inputs : ndarray of uint8, optional
        Encoded calibration images (not test images; 100 suffice), shape (n_images, n_inputs);
        not needed where p01 = p10 in all hidden layers [1].

    Returns
    -------
    Network
        The network with new thresholds, and the rates in its record.

    Raises
    ------
    ParameterError
        If rates do not fit or leave no information, or images are needed and missing.
    DataError
        If the images are not the network's, or the record makes no sense.

    References
    ----------
    This project's derivation, in the module's text.

    Examples
    --------
    >>> from devicephys.bnn.network import ImageCode
    >>> layer = Layer(np.ones((2, 20), np.int8), np.array([-10, 11], np.int32))
    >>> tiny = Network("tiny", ImageCode((1, 1, 20), (0,)), (layer, Layer(layer.weights[:, :2],
    ...                layer.threshold[:2] // 5)))
    >>> [x.threshold.tolist() for x in recalibrate(tiny, Rates(0.1, 0.1)).layers]
    [[-8, 9], [-2, 2]]
    """
    before, after = made_for(network), each_layer(network, rates)
    last = len(network.layers) - 1
    clean, layers = network, []
    for k, layer in enumerate(network.layers):
        (a0, b0), (a, b) = _gain(before[k]), _gain(after[k])
        # The output layer's share of S is the same for all classes, unless their gains differ.
        gain = 1 if layer.gain is None else layer.gain
        counts = k < last or np.ptp(gain) > 0
        s = gain * _mean_input_sum(clean, k, inputs) if (b or b0) and counts else 0.0
        middle = MIDDLE if k < last else 0.0
        theta = (layer.threshold.astype(np.float64) - middle - b0 * s) / a0
        # What the next layers read without errors comes from thresholds that are right without.
        below = (*clean.layers[:k], _rounded(network, k, theta), *clean.layers[k + 1 :])
        clean = replace(clean, layers=below)
        layers.append(_rounded(network, k, a * theta + b * s))
    record = dict(network.record) | {MADE_FOR: [[float(p.p01), float(p.p10)] for p in after]}
    return replace(network, layers=tuple(layers), record=record)


def _gain(rates: Rates) -> tuple[float, float]:
    """Give a and b of E[w'] = a w + b."""
    p01, p10 = (float(in_range("rate", p, "1", scalar=True)) for p in (rates.p01, rates.p10))
    if p01 + p10 >= 1:
        raise ParameterError(
            f"p01 + p10 = {p01 + p10:g}", expected="< 1: beyond, weights are lost or negated"
        )
    return 1 - p01 - p10, p01 - p10


def _ended(network: Network, k: int, layer: Layer) -> Network:
    """Give the layers below k, then the one given, then an end where that is a convolution."""
    layers: tuple[Layer, ...] = (*network.layers[:k], layer)
    if layer.convolution:
        edge = layer.weights.shape[-1] - 1 - 2 * layer.padding
        n = layer.weights.shape[0] * math.prod(
            (size - edge) // layer.pool for size in network.shapes[k][1:]
        )
        layers = (*layers, Layer(np.ones((1, n), np.int8), np.zeros(1, np.int32)))
    return replace(network, layers=layers)


def _mean_input_sum(network: Network, k: int, inputs: Inputs | None) -> float:
    """Mean over images and places of S: the sums of a layer whose weights are all one."""
    if inputs is None or not len(inputs):
        raise ParameterError(
            "p01 and p10 differ, and there are no images",
            expected="encoded calibration images, for the mean sum of what the layers read",
        )
    layer = network.layers[k]
    ones = Layer(np.ones_like(layer.weights[:1]), np.zeros(1, np.int32), layer.padding)
    return float(sums(_ended(network, k, ones), inputs)[k].mean())


def _rounded(network: Network, k: int, theta: Array) -> Layer:
    layer = network.layers[k]
    most = layer.most(1 if k else network.image.peak)
    whole_theta = np.rint(theta) if k == len(network.layers) - 1 else np.ceil(theta)
    return replace(layer, threshold=np.clip(whole_theta, -most, most).astype(np.int32))
