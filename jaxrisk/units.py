"""Durations as written in configuration files, and the years that the kernels count in."""

import functools
import re
from fractions import Fraction

SECONDS_PER_YEAR = 365 * 86400
SECONDS = {"ms": Fraction(1, 1000), "s": Fraction(1), "min": Fraction(60), "h": Fraction(3600), "d": Fraction(86400)}
ALLOWED = 'a duration, a number and a unit of ms, s, min, h or d, such as "24h" or "1min"'

_PATTERN = re.compile(r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*([a-zA-Z]*)\s*", re.ASCII)
_USUAL = {"m": "min", "mins": "min", "minute": "min", "minutes": "min", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
          "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d", "msec": "ms"}  # fmt: skip


@functools.lru_cache(1024)
def _seconds(text: str) -> Fraction:
    match = _PATTERN.fullmatch(text)
    if match is None or match[2] not in SECONDS:
        raise ValueError(f"{text!r} is not {ALLOWED}")
    return Fraction(match[1]) * SECONDS[match[2]]


class Span(str):
    """A duration that keeps its spelling.

    >>> Span("90min").seconds, round(Span("365d").years, 6)
    (Fraction(5400, 1), 1.0)
    """

    __slots__ = ()

    @property
    def seconds(self) -> Fraction:
        """Exactly, so that one duration can be tested for being a multiple of another."""
        return _seconds(str(self))

    @property
    def years(self) -> float:
        """Years of 365 days."""
        return float(self.seconds / SECONDS_PER_YEAR)

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        return handler(str)  # written out as text


def likely(text: str) -> str | None:
    """What a misspelt duration may have been meant to be.

    >>> likely("5 minutes"), likely("24x")
    ('5min', None)
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        return None
    unit = match[2].lower()
    unit = unit if unit in SECONDS else _USUAL.get(unit, "")
    return f"{match[1]}{unit}" if unit else None


def readable(seconds: Fraction) -> str:
    """A duration in the largest unit that divides it.

    >>> readable(Fraction(5400))
    '90min'
    """
    for unit in ("d", "h", "min", "s", "ms"):
        count = seconds / SECONDS[unit]
        if count.denominator == 1:
            return f"{count.numerator}{unit}"
    return f"{float(seconds):g}s"
