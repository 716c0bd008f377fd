"""Smoke test of the installed wheel: run outside the repository, with only the core packages."""

import subprocess
import sys
import tempfile
from pathlib import Path

import devicephys
from devicephys import data, fits, study, validation

COMMAND = [sys.executable, "-m", "devicephys"]


def main() -> None:
    """Run the shipped study from the installed files alone."""
    if (Path(devicephys.__file__).parent.parent / "pyproject.toml").exists():
        sys.exit("smoke test: this is the repository, not the installed wheel")
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
