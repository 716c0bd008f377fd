"""What pytest leaves out of the doctests where an extra is not installed."""

from importlib.util import find_spec
from pathlib import Path

collect_ignore = [
    str(path)
    for path in (Path(__file__).parent / "devicephys" / "learning").glob("*.py")
    if "\nimport torch\n" in path.read_text() and find_spec("torch") is None
]
