"""``python -m devicephys`` is the command line."""

from devicephys.cli import main

if __name__ == "__main__":
    main()
