"""Exit codes, and how problems are told."""

import sys
from collections.abc import Iterable
from typing import Any

OK, INTERNAL, BAD_INPUT, NON_FINITE, NO, NOT_IDENTIFIED, NOT_WRITTEN, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130


def complain(lines: Iterable[object]) -> int:
    """Print problems, one line each."""
    for line in lines:
        print(line, file=sys.stderr)
    return BAD_INPUT


def doubtful(lines: Iterable[str]) -> None:
    """Print words of doubt on what is done all the same, one line each."""
    for line in lines:
        print(f"doubt: {line}", file=sys.stderr)


def told(prepared: Any) -> None:
    """What a configuration's files were taken for, and words of doubt on it."""
    for line in prepared.read_as():
        print(line, file=sys.stderr)
    doubtful(prepared.doubts())
