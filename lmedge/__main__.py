"""`python -m lmedge`, and the console script."""

import sys

from lmedge import interrupt


def main() -> int:
    """Runs the command line of this process; returns its exit code."""
    interrupt.listen()  # before anything that takes time is imported
    from lmedge.cli import main as run

    return interrupt.finish(run())


if __name__ == "__main__":
    sys.exit(main())
