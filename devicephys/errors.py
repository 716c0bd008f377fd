"""Errors with one shape: what was found, where, what was expected, what to do."""


class DevicephysError(Exception):
    """Base of every error that a user can cause and mend.

    Parameters
    ----------
    what : str
        What was found, with the offending value.
    where : str, optional
        File, row and column, or the name of the argument.
    expected : str, optional
        What would have been accepted, with range and unit.
    remedy : str, optional
        What to do now.

    Examples
    --------
    >>> print(DataError("n_trials = 0", where="wer.csv:12", expected="n_trials >= 1",
    ...                 remedy="check the tester's export"))
    wer.csv:12: n_trials = 0; expected n_trials >= 1; check the tester's export
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", expected: str = "", remedy: str = "") -> None:
        parts = [f"{where}: {what}" if where else what]
        if expected:
            parts.append(f"expected {expected}")
        if remedy:
            parts.append(remedy)
        super().__init__("; ".join(parts))


class ParameterError(DevicephysError, ValueError):
    """An argument, a parameter record or a study key outside its range or unknown."""

    exit_code = 2


class DataError(DevicephysError, ValueError):
    """A file that is missing, unreadable or holds something impossible."""

    exit_code = 3


class OutputExistsError(DevicephysError):
    """An output that is already there and would be overwritten."""

    exit_code = 4


class AccuracyError(DevicephysError, ArithmeticError):
    """A result that a solver cannot give to the tolerance that was asked for."""

    exit_code = 5


class AccuracyWarning(UserWarning):
    """A result whose check disagrees with it by more than its stated uncertainty."""


class FitError(DevicephysError):
    """A fit that did not converge or cannot be made from these data."""

    exit_code = 5


class OutsideTableError(DevicephysError, LookupError):
    """A query outside the grid of a table: tables are never extrapolated."""

    exit_code = 2
