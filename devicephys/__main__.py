"""The command line, as ``devicephys`` and ``python -m devicephys``, interrupted cleanly."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code.

    Raises
    ------
    SystemExit
        Always, with the exit code; 130 where it was interrupted while its packages were loaded.

    Examples
    --------
    See `devicephys.cli.main`.
    """
    try:
        from devicephys import cli
    except KeyboardInterrupt:  # which `cli.main` cannot say yet
        sys.stderr.write("devicephys: interrupted\n")
        sys.exit(130)
    cli.main()


if __name__ == "__main__":
    main()
