"""Write error rate of an array whose junctions differ: quadrature over log-normal spreads."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from devicephys.checks import Array
from devicephys.mram import fokker_planck
from devicephys.mram.write import reduced
from devicephys.parameters import MTJ, Direction, check_record, parameter

NODES = (9, 3, 3)  # for I_c0, Delta and t_D: WER is steep in I_c0 alone


@dataclass(frozen=True)
class Spread:
    """Standard deviations and correlations of the logarithms of a junction's parameters.

    Attributes
    ----------
    sigma_delta, sigma_i_c0, sigma_t_d : float
        Standard deviations of ln Delta, ln I_c0 and ln t_D from device to device [1].
    rho_i_c0_delta, rho_i_c0_t_d, rho_delta_t_d : float
        Correlations of ln I_c0 with ln Delta, ln I_c0 with ln t_D, ln Delta with ln t_D [1].
    """

    sigma_delta: float = parameter("1", r"\sigma_{\ln\Delta}", above=-1e-300, below=1.0)
    sigma_i_c0: float = parameter("1", r"\sigma_{\ln I_{c0}}", above=-1e-300, below=1.0)
    sigma_t_d: float = parameter("1", r"\sigma_{\ln t_D}", above=-1e-300, below=1.0, default=0.0)
    rho_i_c0_delta: float = parameter(
        "1", r"\rho_{I\Delta}", above=-1.001, below=1.001, default=0.0
    )
    rho_i_c0_t_d: float = parameter("1", r"\rho_{It}", above=-1.001, below=1.001, default=0.0)
    rho_delta_t_d: float = parameter(
        "1", r"\rho_{\Delta t}", above=-1.001, below=1.001, default=0.0
    )

    def __post_init__(self) -> None:
        check_record(self)


def mean_write_error_rate(
    mtj: MTJ,
    spread: Spread,
    current: ArrayLike,
    pulse_width: ArrayLike,
    direction: Direction,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
) -> Array:
    """Compute the write error rate averaged over an array of junctions that differ.

    Valid for log-normal spreads up to about 5 % of I_c0 at WER above 1e-10 (9 Gauss-Hermite nodes:
    5e-7 relative there) and 10 % of Delta; correlations are those of the logarithms.

    Parameters
    ----------
    mtj : MTJ
        The median junction.
    spread : Spread
        The spreads; a spread of zero takes no nodes.
    current : array_like
        Magnitude of the write current, >= 0, any shape [A].
    pulse_width : array_like
        Pulse width, > 0, shape broadcast with `current` [s].
    direction : {"P->AP", "AP->P"}
        The write.
    rtol, atol : float, optional
        Tolerance of the solver, see `fokker_planck.wer` [1].

    Returns
    -------
    ndarray
        Mean WER over devices, broadcast shape [1].

    Raises
    ------
    ParameterError, AccuracyError
        As `write_error_rate`.

    References
    ----------
    Golub and Welsch, Math. Comp. 23 (1969) 221, doi:10.1090/S0025-5718-69-99647-1.

    Examples
    --------
    >>> mtj = MTJ(delta=60, i_c0_p_ap=30e-6, i_c0_ap_p=20e-6, t_d=1e-9, r_p=4e3, tmr=1.2)
    >>> one = mean_write_error_rate(mtj, Spread(0, 0), 60e-6, 10e-9, "P->AP")
    >>> many = mean_write_error_rate(mtj, Spread(0, 0.05), 60e-6, 10e-9, "P->AP")
    >>> f"{one:.4e}, {many:.4e}"
    '8.5820e-08, 3.8861e-07'
    """
    i, tau = reduced(mtj, current, pulse_width, direction)
    axes = [np.polynomial.hermite_e.hermegauss(n) for n in NODES]
    normals = np.array(list(product(*(x for x, _ in axes))))
    weights = np.prod(list(product(*(w / w.sum() for _, w in axes))), axis=1)
    # Equal devices (no spread, or fewer than three independent ones) are solved only once.
    nodes, index = np.unique(normals @ factor(spread).T, axis=0, return_inverse=True)
    weights = np.bincount(index, weights)
    i, tau = np.broadcast_arrays(i, tau)
    f_i, f_delta, f_t = (np.exp(x).reshape((-1,) + (1,) * i.ndim) for x in nodes.T)
    wer = fokker_planck.wer(i / f_i, tau / f_t, mtj.delta * f_delta, rtol=rtol, atol=atol)
    return np.tensordot(weights, wer, axes=1)


def factor(spread: Spread) -> Array:
    """Factorise the covariance of ln I_c0, ln Delta and ln t_D (Cholesky, also where singular).

    Parameters
    ----------
    spread : Spread
        The spreads.

    Returns
    -------
    ndarray
        Lower triangle L with covariance L L^T, shape (3, 3) [1].

    References
    ----------
    Golub and Van Loan, Matrix Computations (2013), doi:10.56021/9781421407944.

    Examples
    --------
    >>> factor(Spread(0.03, 0.01)).round(3).tolist()
    [[0.01, 0.0, 0.0], [0.0, 0.03, 0.0], [0.0, 0.0, 0.0]]
    """
    sigma = np.array([spread.sigma_i_c0, spread.sigma_delta, spread.sigma_t_d])
    rho = np.eye(3)
    rho[1, 0], rho[2, 0], rho[2, 1] = (
        spread.rho_i_c0_delta, spread.rho_i_c0_t_d, spread.rho_delta_t_d,
    )  # fmt: skip
    lower = np.zeros((3, 3))
    for j in range(3):
        rest = rho[j, j] - lower[j, :j] @ lower[j, :j]
        lower[j, j] = np.sqrt(max(rest, 0.0))
        if rest > 1e-12:
            lower[j + 1 :, j] = (rho[j + 1 :, j] - lower[j + 1 :, :j] @ lower[j, :j]) / lower[j, j]
    return np.asarray(sigma[:, None] * lower)
