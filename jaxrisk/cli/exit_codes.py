"""Exit codes, and how problems are told."""

import sys
from collections.abc import Iterable
from typing import Any

OK, INTERNAL, BAD_INPUT, NON_FINITE, NO, NOT_IDENTIFIED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130


def complain(lines: Iterable[Any]) -> int:
    """Print problems, one line each."""
    for line in lines:
        print(line, file=sys.stderr)
    return BAD_INPUT
