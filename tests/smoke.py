"""Smoke test of the installed wheel: run outside the repository, with only the core packages."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import devicephys
from devicephys import data, fits, study, validation
from devicephys.mram import fokker_planck_2d, macrospin
from devicephys.mram.free_layer import NONE, Stage, uniaxial
from devicephys.rram.filament import Filament, pulse
from devicephys.rram.master_equation import filled, propagate

COMMAND = [sys.executable, "-m", "devicephys"]


def check_trajectories() -> None:
    """Count trajectories by the core packages alone, against the Fokker-Planck equation."""
    layer = uniaxial(60, 0.05, h=[0.05, 0, 0])
    pulse = [Stage(layer, np.array([0, 0, -2.0]), NONE, np.array(2.0))]
    found = macrospin.write_error(layer, pulse, 20_000, np.random.default_rng(1))
    exact = float(fokker_planck_2d.wer(layer, pulse))
    if abs(found.wer - exact) > 4.5 * (exact * (1 - exact) / 20_000) ** 0.5:
        sys.exit(f"smoke test: trajectories give {found.wer}, the equation {exact}")


def check_filament() -> None:
    """Draw a pulse by the core packages alone, against the master equation."""
    cell = Filament(60, 6e3, 2.6e3, 1e-5, 0.97, -0.34, 0.07, 0.51, 6.3e6)
    drawn = pulse(cell, np.full(20_000, 60), 0.9, 200e-9, np.random.default_rng(1))
    sites = np.arange(61)
    p, _ = propagate(cell, filled(cell, 60), 0.9, 200e-9)
    mean = float(sites @ p[:, 0])
    error = float((sites**2 @ p[:, 0] - mean**2) / 20_000) ** 0.5
    if abs(drawn.mean() - mean) > 4.5 * error:
        sys.exit(f"smoke test: drawn filaments give {drawn.mean()}, the equation {mean}")


def main() -> None:
    """Run the shipped study from the installed files alone."""
    if (Path(devicephys.__file__).parent.parent / "pyproject.toml").exists():
        sys.exit("smoke test: this is the repository, not the installed wheel")
    check_trajectories()
    check_filament()
    for name in data.names():
        data.path(name)
    for name in fits.RECIPES:
        fits.recipe(name)
    for name in validation.CLAIMS:
        validation.claim(name)
    for name in study.shipped():
        study.read(name)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        subprocess.run([*COMMAND, "run", "quickstart", "-o", str(out)], check=True)
        page = (out / "report.html").read_text()
        if "<svg" not in page or "PASS" not in page:
            sys.exit("smoke test: the report has no figure or no verdict")
    print("smoke test: the installed wheel runs the quickstart study")


if __name__ == "__main__":
    main()
