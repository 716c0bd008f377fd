"""Published junctions: one function a source, every number as its authors give it."""

import numpy as np

from devicephys.parameters import Stack


def garcia_redondo_2021() -> Stack:
    """Give the 50-nm junction of Arm's scalable compact model.

    A stiff cell: at 300 K its Delta is about 220.

    Returns
    -------
    Stack
        The defaults of the published program, which takes TMR from Julliere's formula
        2 P^2/(1 - P^2); V_h is not given there and is this package's default.

    References
    ----------
    Garcia-Redondo et al., A compact model for scalable MTJ simulation, SMACD 2021; program
    ARM-software/mram_simulation_framework (BSD-3), sllgs_solver.py. Torque:
    doi:10.1016/S0304-8853(02)00291-3.

    Examples
    --------
    >>> stack = garcia_redondo_2021()
    >>> stack.lam, round(stack.tmr, 3)
    (1.2, 0.279)
    """
    p, lam, diameter, r_p = 0.35, 1.2, 50e-9, 6e3
    return Stack(
        diameter=diameter, t_f=1e-9, m_s=0.97e6, k_i=1e-3, alpha=0.005,
        eta_p_ap=p, eta_ap_p=p * lam**2, lam=lam,
        ra=r_p * np.pi / 4 * diameter**2, tmr=2 * p**2 / (1 - p**2),
        vcma=61e-15, t_ox=1.6e-9,
    )  # fmt: skip
