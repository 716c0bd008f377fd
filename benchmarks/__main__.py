"""``python -m benchmarks [NAME] [--json]`` prints one figure a line."""

import argparse
import importlib
import sys

from devicephys.validation import figure_line

NAMES = ("fokker_planck", "macrospin", "bnn", "fitting", "rram")


def main() -> int:
    """Run the named benchmarks, all where none is named; exit 6 if a figure fails."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=NAMES)
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    arguments = parser.parse_args()
    failed = False
    for name in [arguments.name] if arguments.name else NAMES:
        for figure in importlib.import_module(f"benchmarks.{name}").run():
            print(figure_line(figure, as_json=arguments.json, benchmark=name), flush=True)
            failed |= figure.holds is False
    return 6 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
