"""1/f noise of conductance: series with a power-law spectrum in a band, and its slope."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import signal

from devicephys.checks import Array, generator, in_range, whole
from devicephys.errors import ParameterError
from devicephys.parameters import check_record, parameter

LONGEST = 2**25  # samples that a synthesis may hold in memory at once
BINS_PER_DECADE = 20


@dataclass(frozen=True)
class PowerLaw:
    """Relative conductance noise whose power density is a power of frequency inside a band.

    Attributes
    ----------
    sigma_g : float
        Standard deviation over mean conductance, of the whole band [1].
    slope : float
        d ln(power density)/d ln(frequency), -1 for 1/f [1].
    f_low, f_high : float
        The band; there is no power outside it [Hz].
    """

    sigma_g: float = parameter("1", r"\sigma_G/G", below=1.0)
    slope: float = parameter("1", r"\gamma", above=-3.0, below=1.0)
    f_low: float = parameter("Hz", r"f_{low}")
    f_high: float = parameter("Hz", r"f_{high}")

    def __post_init__(self) -> None:
        check_record(self)
        if self.f_low >= self.f_high:
            raise ParameterError(
                f"PowerLaw.f_low = {self.f_low:g} Hz", expected=f"below f_high = {self.f_high:g} Hz"
            )


@dataclass(frozen=True)
class Slope:
    """Slope of a power spectrum in a band.

    Attributes
    ----------
    value, stderr : float
        d ln(power density)/d ln(frequency) and its standard error, which grows with any
        curvature of the spectrum [1].
    f_low, f_high : float
        The band of the fit [Hz].
    n_bins : int
        Points of the fit, evenly spaced in ln f [1].
    """

    value: float
    stderr: float
    f_low: float
    f_high: float
    n_bins: int


def measured_technology_a() -> dict[float, PowerLaw]:
    """Give the 1/f noise of five single cells of technology A, by mean conductance.

    100 000 samples at 400 Hz each, so a band of 0.004 to 200 Hz; the slope is that between 2 and
    40 Hz (`spectrum_slope`). One cell a level: nothing is said about other cells, and the noise is
    no monotone function of the conductance.

    Returns
    -------
    dict of float to PowerLaw
        The noise by mean conductance [S].

    References
    ----------
    This project's count of the time series of technology A published by A. Levy under the MIT
    licence (Copyright (c) 2021 Akash Levy).

    Examples
    --------
    >>> [round(law.sigma_g, 3) for law in measured_technology_a().values()]
    [0.091, 0.119, 0.017, 0.014, 0.002]
    """
    rows = (
        (9.48e-6, 0.0906, -0.851),
        (85.3e-6, 0.1194, -1.038),
        (134.0e-6, 0.0168, -1.142),
        (185.1e-6, 0.0136, -1.351),
        (253.0e-6, 0.00207, -0.788),
    )
    return {g: PowerLaw(sigma, slope, 0.004, 200.0) for g, sigma, slope in rows}


def flicker_series(
    n_samples: int, rate: float, rng: np.random.Generator, law: PowerLaw, n_traces: int = 1
) -> Array:
    """Draw stationary Gaussian series with a power-law spectrum in a band.

    Every line of a discrete spectrum gets an independent Gaussian amplitude, whose expected powers
    add up to sigma_g^2 exactly. The synthesis spans at least four periods of f_low and twice the
    series, so that a series does not join its own beginning. Measured noise of one cell is often
    not Gaussian (a few traps): see `telegraph`.

    Parameters
    ----------
    n_samples : int
        Samples of a series, >= 1 [1].
    rate : float
        Sampling rate, at least 2 f_high [Hz].
    rng : numpy.random.Generator
        Source of random numbers.
    law : PowerLaw
        The noise and its band.
    n_traces : int, optional
        Independent series [1].

    Returns
    -------
    ndarray
        G/G_mean - 1, shape (n_traces, n_samples) [1].

    Raises
    ------
    ParameterError
        If the band does not fit the rate, or its lower end asks for too long a synthesis.

    References
    ----------
    Timmer and Koenig, Astron. Astrophys. 300 (1995) 707, bibcode 1995A&A...300..707T; spectral
    lines normalised by this project's own sum.

    Examples
    --------
    >>> law = PowerLaw(sigma_g=0.01, slope=-1.0, f_low=0.1, f_high=50.0)
    >>> flicker_series(1000, 100.0, np.random.default_rng(1), law).shape
    (1, 1000)
    """
    rng = generator(rng)
    n, m = whole("n_samples", n_samples, least=1), whole("n_traces", n_traces, least=1)
    hz = float(in_range("rate", rate, "Hz", above=2 * law.f_high * (1 - 1e-12), scalar=True,
                        remedy="lower f_high"))  # fmt: skip
    span = int(2 ** np.ceil(np.log2(max(2 * n, 4 * hz / law.f_low))))
    if span * m > LONGEST:
        raise ParameterError(
            f"{m} series of {n} samples at {hz:g} Hz with f_low = {law.f_low:g} Hz need "
            f"{span * m:.3g} samples at once",
            expected=f"at most {LONGEST}",
            remedy="raise f_low, or draw fewer traces a call",
        )
    f = np.fft.rfftfreq(span, 1 / hz)
    inside = (f >= law.f_low) & (f <= law.f_high) & (f < hz / 2)
    if not inside.any():
        raise ParameterError(f"no spectral line in {law.f_low:g} to {law.f_high:g} Hz",
                             expected="a wider band")  # fmt: skip
    power = np.where(inside, f, 1.0) ** law.slope * inside
    scale = span / 2 * law.sigma_g * np.sqrt(power / power.sum())
    lines = scale * (rng.standard_normal((m, len(f))) + 1j * rng.standard_normal((m, len(f))))
    return np.asarray(np.fft.irfft(lines, span)[:, :n])


def spectrum_slope(series: ArrayLike, rate: float, f_low: float, f_high: float) -> Slope:
    """Estimate the slope of a power spectrum by Welch's method and a line in log-log.

    Segments span 10 periods of f_low; the periodogram is averaged in bins even in ln f, and a
    straight line is fitted through the logarithms of the bins, all of one weight. Valid as a
    description of the band only.

    Parameters
    ----------
    series : array_like
        Samples, at least 40 periods of f_low, shape (n,) [any unit].
    rate : float
        Sampling rate [Hz].
    f_low, f_high : float
        The band, a decade wide at least, f_high <= rate/2 [Hz].

    Returns
    -------
    Slope
        The slope, its standard error, and the band.

    Raises
    ------
    ParameterError
        If the series is too short or constant, or the band too narrow.

    Notes
    -----
    The standard error is that of a Gaussian series: bins hold few or many lines, and lines of
    overlapping Hann segments are correlated up to three apart. Where the scatter about the line is
    larger than that, by curvature of the spectrum or a series that is not Gaussian, it grows by
    the same factor. +-1.96 of it held the slope in 94 to 97 % of simulated series, white and 1/f,
    of 4 to 50 segments' length. With 4 the slope itself is a third of it too high, since the
    logarithm lowers bins of few lines; with 10, a fifth.

    References
    ----------
    Welch, IEEE Trans. Audio Electroacoust. 15 (1967) 70, doi:10.1109/TAU.1967.1161901, also for
    the covariance of overlapping segments.

    Examples
    --------
    >>> white = np.random.default_rng(1).standard_normal(100_000)
    >>> s = spectrum_slope(white, 400.0, 2.0, 40.0)
    >>> abs(s.value) < 4 * s.stderr, s.stderr < 0.04
    (True, True)
    """
    x = in_range("series", series, "1")
    hz = float(in_range("rate", rate, "Hz", above=0, scalar=True))
    high = float(in_range("f_high", f_high, "Hz", above=0, below=hz / 2, inclusive=True))
    low = float(in_range("f_low", f_low, "Hz", above=0, below=high / 10, inclusive=True,
                         remedy="a slope needs a decade"))  # fmt: skip
    segment = int(np.ceil(10 * hz / low))
    if x.ndim != 1 or len(x) < 4 * segment:
        raise ParameterError(f"series of shape {x.shape}", remedy="raise f_low or record longer",
                             expected=f"a row of {4 * segment} samples or more")  # fmt: skip
    f, power = signal.welch(x, hz, nperseg=segment)
    inside = (f >= low) & (f <= high)
    n_bins = round(BINS_PER_DECADE * np.log10(high / low))
    index = (n_bins * np.log(f[inside] / low) / np.log(high / low)).astype(int)
    index = np.unique(np.minimum(index, n_bins - 1), return_inverse=True)[1]  # bins with lines
    count = np.bincount(index)
    mean_power = np.bincount(index, power[inside]) / count
    if not (mean_power > 0).all():
        raise ParameterError("series without power in the band", expected="a signal that varies")
    log_f = np.bincount(index, np.log(f[inside])) / count
    covariance = _line_covariance(index, segment, len(x)) / np.outer(count, count)
    line = np.stack([np.ones_like(log_f), log_f], axis=1)
    solve = np.linalg.pinv(line)
    rest = np.eye(len(count)) - line @ solve
    y = np.log(mean_power)
    expected = np.trace(rest @ covariance)  # of the squared scatter about the line
    variance = (solve @ covariance @ solve.T)[1, 1] * max(1.0, y @ rest @ y / expected)
    return Slope(float(solve[1] @ y), float(np.sqrt(variance)), low, high, len(count))


def _line_covariance(index: NDArray[np.intp], segment: int, samples: int) -> Array:
    """Sum the relative covariance of Welch's lines over pairs of bins, shape (bins, bins).

    A share |sum_t w(t) w(t + s) exp(2 pi i d t/N)|^2/(sum w^2)^2 of two segments s samples and two
    lines d apart; segments next to each other overlap by half.
    """
    window, step = signal.get_window("hann", segment), segment - segment // 2
    n_segments = (samples - segment) // step + 1
    overlap = window[step:] * window[: segment - step]
    same, next_one = (np.abs(np.fft.rfft(w, segment)[:4]) ** 2 for w in (window**2, overlap))
    shares = (same + 2 * (1 - 1 / n_segments) * next_one) / (n_segments * same[0])
    total = np.zeros((index[-1] + 1, index[-1] + 1))
    for d, share in enumerate(shares):
        np.add.at(total, (index[: len(index) - d], index[d:]), share / 2 if d == 0 else share)
    return np.asarray(total + total.T)
