"""Physical constants, SI, all from CODATA through `scipy.constants`.

========  =====================================================  =========
name      quantity                                               unit
========  =====================================================  =========
E_CHARGE  elementary charge                                      C
HBAR      reduced Planck constant                                J s
K_B       Boltzmann constant                                     J/K
MU_0      vacuum permeability                                    V s/(A m)
GAMMA_0   mu_0 g_e e / (2 m_e), gyromagnetic ratio of a free     m/(A s)
          electron for fields in A/m
========  =====================================================  =========
"""

from scipy import constants as _si

E_CHARGE: float = _si.e
HBAR: float = _si.hbar
K_B: float = _si.k
MU_0: float = _si.mu_0
GAMMA_0: float = (
    _si.mu_0 * abs(_si.physical_constants["electron g factor"][0]) * _si.e / (2 * _si.m_e)
)
