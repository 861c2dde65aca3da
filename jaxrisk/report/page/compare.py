"""What changed since an earlier result of the same question, and whether it is more than noise."""

import math
import tomllib
from collections.abc import Iterable
from typing import Any, NamedTuple

from ...risk import TooFewPathsError
from ...risk.difference import STATISTICS
from ..answers import Answer
from ..study_table import unit_of
from ..table import Row
from .content import Cell, Part, Table, number
from .words import APART, SAME, VERDICTS, Finding, Size, change_in_words, counted, verdict

_Z = 1.959964
_MOST_KEYS = 40
_STATISTICS = {"mean": "mean", "ES": "expected_shortfall", ">": "exceedance_probability"}
_ADDRESSES = {
    "index drawdown": "max_drawdown_index", "index drawdown, no feedback": "max_drawdown_no_feedback_index",
    "index amplification": "amplification_index", "probability of index drawdown": "max_drawdown_index",
    "open-interest loss": "open_interest_loss_fraction", "open-interest loss, USD": "open_interest_loss_usd",
    "peak one-minute liquidation": "peak_minute_liquidation",
}  # fmt: skip
"""Of the measures of a summary that are of one number a path: what that is."""


class Change(NamedTuple):
    """A measure before and now. `value`, `standard_error`, `low`, `high`: of the difference; `paired`: whether on the same random
    numbers; `name`, `unit`."""

    name: str
    unit: str
    before: float
    now: float
    value: float
    standard_error: float
    low: float
    high: float
    paired: bool


def compare(new: Answer, old: Answer) -> tuple[Part, list[Finding], list[Change]]:
    """What changed from an earlier answer.

    **Raises:** `ValueError` where they are not of the same kind, or have nothing in common.
    """
    if new.kind != old.kind or new.kind not in ("run", "study"):
        both = "runs and studies can be compared" if new.kind == old.kind else f"{new.path} is a {new.kind}'s"
        raise ValueError(f"{old.path} is a {old.kind}'s result, and {both}")
    changes = list(_runs(new.value, old.value) if new.kind == "run" else _studies(new.value, old.value))
    if not changes:
        raise ValueError(f"{old.path} has no measure that {new.path} has")
    rows = []
    for one in changes:
        size = Size.of(one.unit, max(abs(one.before), abs(one.now)))
        kind = verdict(one)
        error = one.standard_error
        rows.append([Cell(one.name), number(size.said(one.before, error), f"{one.name}|before", one.before),
                     number(size.said(one.now, error), f"{one.name}|now", one.now),
                     number(change_in_words(one, size), f"{one.name}|change", one.value, kind),
                     Cell(VERDICTS[kind])])  # fmt: skip
    table = Table("Before and now", ("measure", "before", "now", "change (95% interval)", ""), "lrrrl", rows)
    configured = list(_configured(_text(new), _text(old)))
    text = [_grounds([one.paired for one in changes])]
    lines = [f"Set otherwise: {line}" for line in configured[:_MOST_KEYS]]
    lines += [f"and {len(configured) - _MOST_KEYS} keys more"] if len(configured) > _MOST_KEYS else []
    lines = lines or ["The configuration is the same in both."]
    clear = [one for one in changes if verdict(one) == APART]
    expected = 0.05 * len(changes)
    words = (f"Since {old.path.name}, {len(clear)} of {counted(len(changes), 'measure has', 'measures have')} changed by more "
             f"than noise; "
             f"where nothing had changed about {expected:.2g} would be expected to.")  # fmt: skip
    found = [Finding(words, APART if len(clear) > 2.0 * expected + 1.0 else SAME)]
    part = Part("compare", f"What changed since {old.path.name}?", text, [table], lines=lines)
    return part, found, changes


def _grounds(paired: list[bool]) -> str:
    """On what the errors of changes stand."""
    same = "on the same random numbers, so that what both have by chance alike falls out"
    if all(paired):
        return f"Changes are {same}."
    alone = "the error is that of both, as if they knew nothing of each other, which is no smaller than it has to be"
    if any(paired):
        return f"Changes of means, tail averages and probabilities are {same}; of the others {alone}."
    return f"The two are not on the same random numbers, or only their figures are known: {alone}."


def _runs(new: Any, old: Any) -> Iterable[Change]:
    """Rows of both summaries, path by path where the random numbers are the same."""
    rows = {(row.measure, row.statistic): row for row in old.summary()}
    for row in new.summary():
        other = rows.get((row.measure, row.statistic))
        if other is None or row.estimate is None or other.estimate is None:
            continue
        name = f"{row.measure}, {row.statistic}"
        found = _paired(new, old, row)
        if found is None:
            yield _apart(name, row.unit, other.estimate, row.estimate)
            continue
        values = [float(getattr(found, key)) for key in ("value", "standard_error", "low", "high")]
        yield Change(name, row.unit, float(other.estimate.value), float(row.estimate.value), *values, True)


def _paired(new: Any, old: Any, row: Row) -> Any:
    """The difference on the same random numbers, None where there is none to be had."""
    word, _, level = row.statistic.partition(" ")
    statistic, address = _STATISTICS.get(word), _ADDRESSES.get(row.measure)
    if statistic not in STATISTICS or address is None:
        return None
    try:
        at = None if statistic == "mean" else float(level.rstrip("%")) / 100.0
        return old.difference(new, address, statistic, at)
    except (TooFewPathsError, ValueError):
        return None


def _apart(name: str, unit: str, before: Any, now: Any) -> Change:
    """The difference of two that know nothing of each other."""
    error = math.hypot(float(before.standard_error), float(now.standard_error))
    value = float(now.value) - float(before.value)
    known = math.isfinite(error) and error > 0.0
    half = _Z * error if known else math.nan
    error = error if known else math.nan
    return Change(name, unit, float(before.value), float(now.value), value, error, value - half, value + half, False)


def _studies(new: Any, old: Any) -> Iterable[Change]:
    for (cell, measure), one in new.over_branches.items():
        other = old.over_branches.get((cell, measure))
        if other is not None and one.estimate is not None and other.estimate is not None:
            yield _apart(f"{cell}: {measure}", unit_of(one.measure), other.estimate, one.estimate)


def _text(answer: Answer) -> str:
    return str(answer.value.info.get("scenario_toml", ""))


def _configured(new: str, old: str) -> Iterable[str]:
    """Keys that are set otherwise."""
    try:
        before, now = _flat(tomllib.loads(old)), _flat(tomllib.loads(new))
    except tomllib.TOMLDecodeError:
        return
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            said = [_short(one.get(key, "not there")) for one in (before, now)]
            yield f"{key}: {said[0]} before, {said[1]} now"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _flat(document: dict[str, Any], ahead: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in document.items():
        found |= _flat(value, f"{ahead}{key}.") if isinstance(value, dict) else {f"{ahead}{key}": value}
    return found


__all__ = ["Change", "compare"]
