"""Write error rates of the Galerkin solver against tabulated values of an independent one."""

from devicephys.validation import Figure

from devicephys.mram import fokker_planck

CLAIM = "The Fokker-Planck solver reproduces an independent solver."
REFERENCE = "values of an independent solver, as printed to 5-7 digits"
LIMIT = 1e-5  # relative; where a value was printed to fewer digits, half a unit of its last one

VALUES = (  # delta, i, tau, WER, half a unit of the last printed digit
    (60, 2.0, 2, 0.594922, 5e-7),
    (60, 2.0, 4, 1.526949e-2, 5e-9),
    (60, 2.0, 6, 2.725799e-4, 5e-11),
    (60, 2.0, 10, 8.581968e-8, 5e-15),
    (60, 2.0, 20, 1.509086e-16, 5e-23),
    (60, 2.0, 30, 2.653635e-25, 5e-32),
    (40, 1.5, 4, 0.208560, 5e-7),
    (40, 1.5, 10, 3.78187e-4, 5e-10),
    (20, 1.5, 4, 0.10255, 5e-6),
)


def run() -> list[Figure]:
    """Compare every tabulated value."""
    figures = []
    for delta, i, tau, reference, digit in VALUES:
        error = abs(float(fokker_planck.wer(i, tau, delta)) / reference - 1)
        limit = max(LIMIT, digit / reference)
        name = f"relative error of WER, delta = {delta}, i = {i:g}, tau = {tau}"
        figures.append(Figure(name, error, "1", f"<= {limit:.1e}", error <= limit))
    return figures
