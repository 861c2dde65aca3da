"""`python -m jaxrisk.cli`, where the command itself is not on the path."""

import sys

from . import main

if __name__ == "__main__":
    sys.exit(main())
