"""Closed forms of the write error rate against the exact result, in the ranges that they state."""

import numpy as np
from devicephys.validation import Figure
from numpy.polynomial import legendre

from devicephys.checks import Array
from devicephys.mram import closed_form, fokker_planck

CLAIM = "The closed forms are as close to the exact result as they say."
REFERENCE = "devicephys.mram.fokker_planck to 1e-4; thermal: ratios of an independent solver"
LIMIT = "the errors stated in devicephys.mram.closed_form, which are rounded outwards"

DELTAS = np.array([40.0, 60.0])
CURRENTS = np.array([1.2, 1.5, 2.0, 3.0, 4.0, 5.0])
GROWTHS = np.linspace(1.5, 12, 22)  # (i - 1) tau: down to a WER of about 1e-10
WIDTHS = np.linspace(2, 15, 27)  # tau

FLOW = (  # delta, i, lowest and highest ratio over GROWTHS
    (60, 1.2, 0.97, 170.0),
    (60, 1.5, 0.93, 2.5),
    (60, 2.0, 0.97, 1.19),
    (60, 3.0, 0.99, 1.01),
    (60, 5.0, 0.97, 1.01),
    (40, 2.0, 0.97, 1.28),
    (40, 3.0, 0.99, 1.01),
    (40, 5.0, 0.97, 1.01),
)
BUTLER = (  # delta, i, lowest and highest ratio over WIDTHS
    (60, 1.2, 0.99, 12.2),
    (60, 2.0, 1.25, 1.93),
    (60, 3.0, 1.06, 1.08),
    (60, 5.0, 0.74, 0.84),
)
TAIL = ((60, 0.04), (40, 0.06))  # delta, relative error of WER over WIDTHS for i >= 2
RATE = 1e-3  # relative error of the tail rate itself
THERMAL = (  # delta, x, exact rate over Kramers' rate by an independent solver
    (40, 0.3, 0.953),
    (40, 0.5, 0.901),
    (60, 0.5, 0.937),
    (60, 0.7, 0.810),
)
FLOW_TIME = ((1.2, 0.94), (1.5, 0.979), (2.0, 0.979), (5.0, 0.979))  # i, lowest ratio


def ratios() -> dict[str, Array]:
    """Compute the closed forms over the exact write error rate on a grid of currents and widths.

    Returns
    -------
    dict of ndarray
        "delta", shape (d,), "i", shape (n,), "tau", shape (n, k), and the ratios of `log_wer`
        ("flow"), of `log_wer_butler` ("butler") and of `log_wer` with `tail_rate` ("tail"), each
        of shape (d, n, k) [1].

    Examples
    --------
    >>> found = ratios()
    >>> found["flow"].shape == (*found["delta"].shape, *found["tau"].shape)
    True
    """
    tau = GROWTHS / (CURRENTS[:, None] - 1)
    forms = _compare(CURRENTS[:, None], tau, DELTAS[:, None, None])
    return {"delta": DELTAS, "i": CURRENTS, "tau": tau, **forms}


def run() -> list[Figure]:
    """Compare every stated error."""
    figures = []
    for delta, i, low, high in FLOW:
        ratio = _compare(i, GROWTHS / (i - 1), delta)["flow"]
        figures.append(_figure(f"flow constant, delta = {delta}, i = {i:g}", ratio, low, high))
    for delta, i, low, high in BUTLER:
        ratio = _compare(i, WIDTHS, delta)["butler"]
        figures.append(_figure(f"Butler's constant, delta = {delta}, i = {i:g}", ratio, low, high))
    steep = CURRENTS[CURRENTS >= 2]
    for delta, error in TAIL:
        ratio = _compare(steep[:, None], WIDTHS, delta)["tail"]
        figures.append(_figure(f"tail rate in WER, delta = {delta}", ratio, 1 - error, 1 + error))
        late = np.array([8.0, 12.0]) / (steep[:, None] - 1)
        log = np.log(fokker_planck.wer(steep[:, None], late, delta))
        exact = -np.diff(log)[:, 0] / np.diff(late)[:, 0]
        ratio = closed_form.tail_rate(steep, delta) / exact
        figures.append(_figure(f"tail rate, delta = {delta}", ratio, 1 - RATE, 1 + RATE))
    for delta, x, expected in THERMAL:
        k = closed_form.switching_rate(x, delta)
        log = np.log(fokker_planck.wer(x, [0.5 / k, 1 / k], delta, rtol=1e-4))
        ratio = -np.diff(log) / (0.5 / k) / k
        name = f"exact over Kramers' rate, delta = {delta}, x = {x:g}"
        figures.append(_figure(name, ratio, expected - 0.003, expected + 0.003))
    for i, low in FLOW_TIME:
        z0 = np.linspace(0.1, 0.9, 17)
        ratio = closed_form.flow_time(z0, i) / [_mean_time(z, i, 40.0) for z in z0]
        figures.append(_figure(f"flow time over mean time, delta = 40, i = {i:g}", ratio, low, 1.0))
    return figures


def _compare(i: Array | float, tau: Array, delta: Array | float) -> dict[str, Array]:
    exact = fokker_planck.wer(i, tau, delta, rtol=1e-4)
    stretched = tau * closed_form.tail_rate(i, delta) / (2 * (np.asarray(i) - 1))
    logs = {
        "flow": closed_form.log_wer(i, tau, delta),
        "butler": closed_form.log_wer_butler(i, tau, delta),
        "tail": closed_form.log_wer(i, stretched, delta),
    }
    return {name: np.exp(log) / exact for name, log in logs.items()}


def _figure(name: str, ratio: Array, low: float, high: float) -> Figure:
    """Show the ratio that is farthest from one, or farthest outside its bounds."""
    outside = np.maximum(low - ratio, ratio - high)
    holds = bool((outside <= 0).all())
    worst = np.argmax(np.abs(np.log(ratio)) if holds else outside)
    return Figure(name, float(ratio.flat[worst]), "1", f"{low:.4g} to {high:.4g}", holds)


def _mean_time(z0: float, i: float, delta: float) -> float:
    """Compute the mean time from z0 to the equator, 2 Delta int e^Phi/(1-z^2) int_z^1 e^-Phi."""
    nodes, weights = legendre.leggauss(200)
    z = (z0 * (nodes + 1) / 2)[:, None]
    y = z + (1 - z) * (nodes + 1) / 2
    inner = np.exp(2 * delta * (i * (z - y) - (z**2 - y**2) / 2)) @ weights * (1 - z[:, 0]) / 2
    return float(2 * delta * z0 / 2 * (weights @ (inner / (1 - z[:, 0] ** 2))))
