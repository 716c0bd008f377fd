"""Free-energy files: what is read, and what is refused without being run."""

import numpy as np
import pytest

from devicephys.errors import DataError, ParameterError
from devicephys.free_energy import energy_function
from devicephys.io import energy_toml

GOOD = 'density = "uniaxial + shape + k_c*m_x**2*m_y**2"\n[values]\n' + "\n".join(
    f"{k} = {v}"
    for k, v in {
        "k_u": 1e6, "k_c": 1e4, "m_s": 1e6, "n_x": 0.05, "n_y": 0.05, "n_z": 0.9
    }.items()
)  # fmt: skip


def written(tmp_path, text):
    file = tmp_path / "energy.toml"
    file.write_text(text)
    return file


def test_a_file_is_the_energy_it_says(tmp_path):
    found = energy_function(energy_toml.read(written(tmp_path, GOOD)))
    m = np.array([[0.6], [0.48], [0.64]])
    demagnetising = 2e-7 * np.pi * 1e12 * (0.05 * (0.36 + 0.48**2) + 0.9 * 0.64**2)
    expected = 1e6 * (1 - 0.64**2) + demagnetising + 1e4 * 0.36 * 0.48**2
    assert found(m)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('touch pwned')",
        "().__class__",
        "(lambda: 1)()",
        "[x for x in (1,)]",
        "9**9**9**9",
        "eval",
        "m_z.__class__",
        "open",
        "m_z if m_x else m_y",
        "f'{m_z}'",
    ],
)
def test_what_is_no_formula_is_refused_and_never_run(tmp_path, monkeypatch, expression):
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path, f"density = {expression!r}\n[values]\nm_s = 1e6\n")
    with pytest.raises(ParameterError, match=r"energy\.toml"):
        energy_toml.read(file)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("density = ", "not TOML"),
        ('density = "uniaxial"', "values is missing"),
        ("[values]\nk_u = 1.0", "density is missing"),
        ('density = "uniaxial"\nvalue = 1\n[values]\n', "did you mean 'values'"),
        ('density = "uniaxial"\n[values]\nk_u = "1e5"\n', "a number"),
        ('density = "uniaxal"\n[values]\nm_s = 1e6\n', "uniaxial"),
        ('density = "uniaxial"\n[values]\nm_s = 1e6\n', "k_u"),
        ('density = "uniaxial"\n[values]\nm_s = 1e6\nk_u = nan\n', "finite"),
        ('density = "sqrt(m_z)"\n[values]\nm_s = 1e6\n', "complex|finite"),
    ],
)
def test_bad_files_are_refused(tmp_path, text, message):
    with pytest.raises(ParameterError, match=message):
        energy_toml.read(written(tmp_path, text))


@pytest.mark.parametrize(
    "expression",
    [
        "sin(12*theta)**2*cos(12*phi)**10",
        "sin(12*(theta+phi))*sin(12*(theta-phi))*k_u",
        "cos(1000000000*theta)",
    ],
)
def test_multiples_of_angles_that_would_take_minutes_are_refused(tmp_path, expression):
    file = written(tmp_path, f'density = "{expression}"\n[values]\nm_s = 1e6\nk_u = 1e5\n')
    with pytest.raises(ParameterError, match=r"degree|another function|multiples"):
        energy_toml.read(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        energy_toml.read(tmp_path / "none.toml")
