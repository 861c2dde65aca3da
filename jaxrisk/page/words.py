"""Findings in words: what a number may be called, given how well it is known.

Every sentence with a figure has its uncertainty in it, and a change that its error could be all of is never said to be one.
"""

import math
from typing import Any, NamedTuple

from ..report.study_table import shown
from ..report.table import _scale, at_most
from ..risk.estimate import clopper_pearson

APART, SAME, FEW, NONE, REFERENCE = "apart", "same", "few", "none", "reference"
"""What a change is: told apart from none; not told apart; resting on too few paths; on no path any; the reference itself."""
VERDICTS = {
    APART: "told apart",
    SAME: "not told apart",
    FEW: "too few paths to tell",
    NONE: "no path differs",
    REFERENCE: "compared with this",
}
MINUS = "\u2212"
NEVER = ("not seen", "on every path")
"""What stands in place of a probability that no path tells from none, or from certainty."""
LEAST_SEEN = 10
"""Paths on which something was seen, below which its share is told with its count."""
_BIG = {"USD B": "billion USD", "USD M": "million USD", "USD k": "thousand USD", "USD": "USD"}


class Finding(NamedTuple):
    """A sentence, and what the change that it tells of is: one of `VERDICTS`, or empty where it tells of none."""

    text: str
    verdict: str = ""


class Size(NamedTuple):
    """What numbers of one table are multiplied by, and what their unit is then called, before an article and behind a number."""

    factor: float
    name: str

    @classmethod
    def of(cls, unit: str, largest: float) -> "Size":
        """The unit that shows numbers up to `largest` best; years as hours."""
        if unit == "years":
            return cls(8760.0, "h")
        factor, name = _scale(unit, largest)
        return cls(factor, "" if name == "1" else _BIG.get(name, name))

    def change(self) -> str:
        """The unit of a difference."""
        return "percentage points" if self.name == "%" else self.name

    def number(self, value: float, error: float) -> str:
        """A number, rounded to what is known of it, without its unit."""
        return shown(value * self.factor, 0.0 if math.isnan(error) else error * self.factor).replace("-", MINUS)

    def signed(self, value: float, error: float) -> str:
        """As `number`, with the sign of a change."""
        text = self.number(value, error)
        return text if text.startswith(MINUS) or not text.strip("0.,") else f"+{text}"

    def said(self, value: float, error: float, difference: bool = False) -> str:
        """A number with its unit."""
        unit = self.change() if difference else self.name
        text = self.number(value, error)
        return f"{text}%" if unit == "%" else f"{text} {unit}".strip()

    def range(self, low: float, high: float, error: float) -> str:
        """Both ends of an interval, without their unit."""
        return f"{self.number(low, error)} to {self.number(high, error)}"


def verdict(change: Any) -> str:
    """What a change is: one with `value`, `standard_error`, `low`, `high`, and where it is known on how many paths the runs are
    `differing`; None is the reference.

    >>> from jaxrisk.risk.paired import Difference
    >>> verdict(Difference(-3.0, 1.0, -5.0, -1.0, 2.0, 900, 0.9)), verdict(Difference(-3.0, 2.0, -7.0, 1.0, 2.0, 900, 0.9))
    ('apart', 'same')
    >>> verdict(Difference(-3.0, math.nan, math.nan, math.nan, 2.0, 16, 0.02)), verdict(None)
    ('few', 'reference')
    """
    if change is None:
        return REFERENCE
    value, low, high = float(change.value), float(change.low), float(change.high)
    if not math.isfinite(low) or not math.isfinite(high):
        return NONE if getattr(change, "differing", 1) == 0 and value == 0.0 else FEW
    return APART if low > 0.0 or high < 0.0 else SAME


def change_in_words(change: Any, size: Size) -> str:
    """A change for a cell of a table: the number, its interval, and what it is where that is not told by the interval.

    >>> from jaxrisk.risk.paired import Difference
    >>> change_in_words(Difference(-0.031, 0.01, -0.0506, -0.0114, 0.1, 900, 0.9), Size.of("1", 0.1))
    '−3.1 (−5.1 to −1.1)'
    """
    kind = verdict(change)
    if kind == REFERENCE:
        return ""
    if kind == NONE:
        bound = getattr(change, "at_most", None)
        return "0" if bound is None else f"0 ({at_most(float(bound))} of paths differ)"
    if kind == FEW:
        return "not known: too few paths"
    error = float(change.standard_error)
    return f"{size.signed(change.value, error)} ({size.range(change.low, change.high, error)})"


def changes_in_words(setting: str, where: str, changes: list[tuple[str, Any, Size]]) -> list[Finding]:
    """Sentences on what a setting changes: what is told apart, what is not, and what cannot be told, a sentence each.

    **Arguments:** `where`: what it is compared with; `changes`: the measure as it stands in a sentence, its change, its unit.

    >>> from jaxrisk.risk.paired import Difference
    >>> clear, open_ = (Difference(-89.3, 3.5, -96.2, -82.4, 6.0, 1389, 0.9), Difference(-0.2, 0.3, -0.8, 0.4, 6.0, 1389, 0.9))
    >>> size = Size.of("accounts", 143.0)
    >>> for one in changes_in_words("cap 5", "cap 125", [("accounts closed out", clear, size), ("the fall", open_, size)]):
    ...     print(one.text)
    Under cap 5, against cap 125, lower: accounts closed out by 89.3 accounts (95% interval 82.4 to 96.2).
    Under cap 5, not told apart from cap 125: the fall (the change lies between \u22120.80 and +0.40 accounts).
    """
    kinds = [(what, change, size, verdict(change)) for what, change, size in changes]
    found = []
    for word, down in (("lower", True), ("higher", False)):
        clear = [(what, change, size) for what, change, size, kind in kinds
                 if kind == APART and (float(change.value) < 0.0) == down]  # fmt: skip
        if clear:
            text = "; ".join(f"{what} by {_by(change, size)}" for what, change, size in clear)
            found.append(Finding(f"Under {setting}, against {where}, {word}: {text}.", APART))
    between = [f"{what} (the change lies between {size.signed(change.low, float(change.standard_error))} and "
               f"{size.signed(change.high, float(change.standard_error))} {size.change()}".rstrip() + ")"
               for what, change, size, kind in kinds if kind == SAME]  # fmt: skip
    if between:
        found.append(Finding(f"Under {setting}, not told apart from {where}: {'; '.join(between)}.", SAME))
    few = [what for what, _, _, kind in kinds if kind == FEW]
    if few:
        text = f"Under {setting}, whether there is a change from {where} cannot be told from so few paths: {'; '.join(few)}."
        found.append(Finding(text, FEW))
    none = [f"{what} ({at_most(float(change.at_most))} of paths would differ)" for what, change, _, kind in kinds if kind == NONE]
    if none:
        found.append(Finding(f"Under {setting}, the same as under {where} on every path: {'; '.join(none)}.", NONE))
    return found


def _by(change: Any, size: Size) -> str:
    error, ends = float(change.standard_error), sorted(abs(float(end)) for end in (change.low, change.high))
    return f"{f'{size.number(abs(change.value), error)} {size.change()}'.strip()} (95% interval {size.range(*ends, error)})"


def probability_in_words(estimate: Any, paths: int) -> str:
    """A probability with its interval, never zero, and with its count where few paths stand behind it.

    >>> from jaxrisk.risk import exceedance_probability
    >>> import numpy as np
    >>> probability_in_words(exceedance_probability(np.arange(1500.0), 1496.5), 1500)
    '0.20% of paths (3 of 1,500; 95% interval 0.041% to 0.58%)'
    >>> probability_in_words(exceedance_probability(np.arange(1500.0), 2000.0), 1500)
    'not seen on any of 1,500 paths, so at most 0.25% (95% interval)'
    """
    value, low, high = float(estimate.value), float(estimate.low), float(estimate.high)
    if value == 0.0:
        return f"not seen on any of {paths:,} paths, so {at_most(high)} (95% interval)"
    if value == 1.0:
        return f"seen on every one of {paths:,} paths, so at least {percent(low)} (95% interval)"
    plain = abs(float(estimate.effective_paths) - paths) < 0.5
    count = round(value * paths)
    few = f"{count:,} of {paths:,}; " if plain and count < LEAST_SEEN else ""
    return f"{percent(value)} of paths ({few}95% interval {percent(low)} to {percent(high)})"


def share_in_words(estimate: Any, shown: str, ends: str, paths: int | None = None) -> tuple[str, str]:
    """A probability and its interval for cells of a table: never zero nor certain, with its count where few paths stand behind.

    **Arguments:** `shown`, `ends`: both as other numbers are; `paths`: those that were run, None as the estimate says.

    >>> from jaxrisk.risk import exceedance_probability
    >>> import numpy as np
    >>> share_in_words(exceedance_probability(np.arange(1500.0), 2000.0), "0.000%", "0 to 0.25")
    ('not seen', 'at most 0.25%')
    >>> share_in_words(exceedance_probability(np.arange(1500.0), 1496.5), "0.20%", "0.04 to 0.58")
    ('0.20% (3 of 1,500)', '0.04 to 0.58')
    """
    value, low, high = float(estimate.value), float(estimate.low), float(estimate.high)
    paths = int(estimate.paths if paths is None else paths)
    if value == 0.0:
        return NEVER[0], at_most(high if math.isfinite(high) else float(clopper_pearson(0, paths, 0.95)[1]))
    if value == 1.0:
        least = low if math.isfinite(low) else float(clopper_pearson(paths, paths, 0.95)[0])
        return NEVER[1], f"at least {percent(least)}"
    count = round(value * paths)
    plain = abs(float(estimate.effective_paths) - paths) < 0.5 and abs(value * paths - count) < 1e-3  # of branches a mean is none
    return (f"{shown} ({count:,} of {paths:,})" if plain and count < LEAST_SEEN else shown), ends


def percent(share: float) -> str:
    """A share to two digits.

    >>> percent(0.0371), percent(0.00041), percent(0.0), percent(0.99988)
    ('3.7%', '0.041%', '0%', '99.988%')
    """
    if share <= 0.0:
        return "0%"
    if share >= 0.99:
        return f"{100.0 * share:.{min(max(1 - math.floor(math.log10(max(100.0 * (1.0 - share), 1e-9))), 0), 6)}f}%"
    digits = 1 - math.floor(math.log10(100.0 * share))
    return f"{100.0 * share:.{max(digits, 0)}f}%"


def estimate_in_words(estimate: Any, size: Size) -> str:
    """A number with its unit and interval; its value alone only where every path has the same."""
    error = float(estimate.standard_error)
    if math.isnan(error) or math.isnan(float(estimate.low)):
        return f"{size.said(estimate.value, error)} (the same on every path)"
    return f"{size.said(estimate.value, error)} (95% interval {size.range(estimate.low, estimate.high, error)})"


__all__ = [
    "APART", "FEW", "LEAST_SEEN", "NEVER", "NONE", "REFERENCE", "SAME", "VERDICTS", "Finding", "Size", "change_in_words",
    "changes_in_words", "estimate_in_words", "percent", "probability_in_words", "share_in_words", "verdict",
]  # fmt: skip
