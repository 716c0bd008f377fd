"""A free energy as a TOML file: an expression and the values of its parameters, in SI.

``density`` is text, which is parsed by a whitelist and never run; ``[values]`` holds a number for
every parameter.
"""

from pathlib import Path

from devicephys.errors import ParameterError
from devicephys.free_energy import FreeEnergy, from_text
from devicephys.io.files import parse_toml, read_bytes

KEYS = ("density", "values")
EXAMPLE = 'density = "uniaxial + shape" and a table [values]'


def read(path: str | Path) -> FreeEnergy:
    """Read a free-energy file.

    Parameters
    ----------
    path : str or Path
        The TOML file.

    Returns
    -------
    FreeEnergy
        The energy, checked.

    Raises
    ------
    ParameterError
        If a key is unknown, missing or of the wrong type, or the expression is refused.
    DataError
        If the file is missing or unreadable.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> text = 'density = "uniaxial"\\n[values]\\nk_u = 1e5\\nm_s = 1e6'
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "energy.toml"
    ...     _ = file.write_text(text)
    ...     read(file).density
    k_u*(1 - m_z**2)
    """
    where = str(path)
    raw = parse_toml(read_bytes(path), where, "free-energy", KEYS, "docs/theory/free_energy")
    density, values = raw.get("density"), raw.get("values")
    if not isinstance(density, str) or not isinstance(values, dict):
        missing = "density" if not isinstance(density, str) else "values"
        raise ParameterError(f"{missing} is missing or of another type", where=where,
                             expected=EXAMPLE)  # fmt: skip
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ParameterError(f"{name} = {value!r}", where=where, expected="a number")
    return from_text(density, values, where=where)
