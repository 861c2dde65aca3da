"""What a scenario says of the numbers that nobody knows: between which ends each may lie."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from ..problems import Report, nearest
from ..units import ALLOWED, Span, readable
from .tables.values import number

WIDE = 4.0
"""From this ratio of its ends on a range is taken evenly in the logarithm."""
_BETWEEN = 0.3719
"""Of the way from one end to the other."""
_TEXT = 'has to be a list of two, the lowest and the highest: numbers such as [0.5, 3.0], or durations such as ["5min", "4h"]'


class Range(NamedTuple):
    """Between which values a key may lie: `low` and `high`, of durations in seconds (`timed`)."""

    key: str
    low: float
    high: float
    timed: bool = False

    @property
    def log(self) -> bool:
        """Whether values are spread evenly in the logarithm: where the ends are positive and far apart."""
        return self.low > 0.0 and self.high >= WIDE * self.low

    def at(self, share: float) -> Any:
        """The value at a share of the way, with six digits, as it is written in a file.

        >>> Range("impact.coefficient", 0.5, 3.0).at(0.5), Range("x", 300.0, 14400.0, True).at(1.0)
        (1.22474, '14400s')
        """
        value = self.low * (self.high / self.low) ** share if self.log else self.low + (self.high - self.low) * share
        value = float(f"{value:.6g}")
        return f"{value:.9f}".rstrip("0").rstrip(".") + "s" if self.timed else value

    @property
    def ends(self) -> tuple[str, str]:
        """As they are shown."""
        show = lambda value: readable(Fraction(value).limit_denominator(10**9)) if self.timed else f"{value:.6g}"
        return show(self.low), show(self.high)


def read_ranges(table: Any, report: Report) -> list[Range]:
    """The ranges of a document; what is wrong with their form goes to `report`, and whether there are such keys is not asked."""
    if not isinstance(table, Mapping):
        report.add("ranges", table, 'has to be a table of ranges by dotted name, such as "impact.coefficient" = [0.5, 3.0]')
        return []
    found = []
    for key, ends in _flat(table).items():
        one = _range(key, ends)
        if one is None:
            report.add(f"ranges.{key}", ends, _TEXT)
        elif not one.low < one.high:
            report.add(f"ranges.{key}", ends, "has to have the lowest first, and the two have to differ")
        elif one.timed and one.low <= 0.0:
            report.add(f"ranges.{key}", ends, f"has to be above 0; {ALLOWED}")
        else:
            found.append(one)
    return found


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """What is in a table and the tables within it, by dotted name."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _range(key: str, ends: Any) -> Range | None:
    if not isinstance(ends, list) or len(ends) != 2:
        return None
    if all(isinstance(end, str) for end in ends):
        try:
            low, high = (float(Span(end).seconds) for end in ends)
        except ValueError:
            return None
        return Range(key, low, high, True)
    if all(map(number, ends)):
        return Range(key, float(ends[0]), float(ends[1]))
    return None


def check_ranges(document: dict[str, Any], ranges: list[Range], check: Any, report: Report) -> None:
    """Whether each end of each range, and a value between them, which is no whole number, is one that its key may have.

    **Arguments:** `check`: problems of the file with a key set to a value, by `(key, value)`.
    """
    for one in ranges:
        for share in (0.0, 1.0, _BETWEEN):
            wrong = [problem for problem in check(one.key, one.at(share)) if problem.key.startswith(one.key.split(".")[0])]
            if wrong:
                near = wrong[0].nearest or nearest(one.key, _flat(document))
                text = f"is no range that the key can have: {wrong[0].allowed}"
                report.add(f"ranges.{one.key}", [*one.ends], text, near)
                break


__all__ = ["Range", "check_ranges", "read_ranges"]
