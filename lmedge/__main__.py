"""`python -m lmedge`, and the console script."""

import sys

from lmedge.cli import main

if __name__ == "__main__":
    sys.exit(main())
