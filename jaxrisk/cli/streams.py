"""Standard output and error as they may be: closed, full, left by their reader, or of an encoding with few characters."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_PLAIN = str.maketrans(
    dict.fromkeys("─━═╌┄╶╴╸╺", "-") | dict.fromkeys("│┃║╎┆", "|") | dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╔╗╚╝", "+")
    | dict.fromkeys("\u2013\u2014", "-") | dict.fromkeys("\u201c\u201d", '"')
    | {"\u2022": "*", "\u2026": "...", "\u2019": "'", "\u00b1": "+-", "\u00d7": "x", "\u2264": "<=", "\u2265": ">="}
)  # fmt: skip


def plain(text: str, encoding: str) -> str:
    """A text in the characters of an encoding: lines of frames as -, | and +, what there is no likeness of escaped.

    >>> plain("╭─ a ≥ 1 µ", "ascii")
    '+- a >= 1 \\\\xb5'
    """
    return text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)


class Stream:
    """A standard stream that raises nothing; what went wrong first is in `error`, and what is printed after it goes nowhere.

    **Fields:** `error`: in words, None where all is well; `left`: whether nobody reads on, as of `jaxrisk schema | head`.
    """

    def __init__(self, stream: Any):
        self._stream = stream
        self.error: str | None = "it is closed" if stream is None else None
        self.left = False

    def write(self, text: str) -> int:
        """Print a text."""
        if self.error is None:
            self._tried(lambda: self._encoded(text))
        return len(text)

    def flush(self) -> None:
        """Pass on what was printed."""
        if self.error is None:
            self._tried(self._stream.flush)

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self.error is None and self._stream.isatty()

    @property
    def encoding(self) -> str:
        """The name of its encoding."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _encoded(self, text: str) -> None:
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            self._stream.write(plain(text, self.encoding))

    def _tried(self, act: Any) -> None:
        try:
            act()
        except BrokenPipeError:
            self.error, self.left = "nobody reads it", True
        except (OSError, ValueError) as error:
            self.error = str(getattr(error, "strerror", None) or error)
        if self.error is not None and self._stream in (sys.__stdout__, sys.__stderr__):
            # what is still in Python's buffer would be tried again, and complained about, when Python ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


@contextmanager
def guarded() -> Iterator[tuple[Stream, Stream]]:
    """While inside, `sys.stdout` and `sys.stderr` raise nothing."""
    before = sys.stdout, sys.stderr
    out, err = Stream(sys.stdout), Stream(sys.stderr)
    sys.stdout, sys.stderr = out, err  # type: ignore[assignment]
    try:
        yield out, err
    finally:
        sys.stdout, sys.stderr = before


def take_descriptors() -> None:
    """Have 0, 1 and 2 lead nowhere where they are closed: a file opened later would have the number, and get what is printed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


__all__ = ["Stream", "guarded", "plain", "take_descriptors"]
