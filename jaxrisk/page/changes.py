"""Measures of two results of the same question, before and now: path by path where both are on the same random numbers."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..report.study_table import unit_of
from ..report.summary import LEAST_USD
from ..report.table import Row
from ..risk import TooFewPathsError
from ..risk.difference import STATISTICS, support
from ..risk.measure import Measure
from ..risk.paired import Column, paired
from .run_page import is_share
from .study_choice import Cells

_STATISTICS = {"mean": "mean", "ES": "expected_shortfall", ">": "exceedance_probability"}
_ADDRESSES = {
    "index drawdown": "max_drawdown_index", "index drawdown, no feedback": "max_drawdown_no_feedback_index",
    "index amplification": "amplification_index", "probability of index drawdown": "max_drawdown_index",
    "open-interest loss": "open_interest_loss_fraction", "open-interest loss, USD": "open_interest_loss_usd",
    "peak one-minute liquidation": "peak_minute_liquidation", "loss beyond bankruptcy, net": "shortfall[*]",
    "paid by the fund": "insurance_fund_used[*]", "paid by the deleveraged": "deleveraging_loss[*]",
    "socialised loss": "socialised_loss[*]", "probability of auto-deleveraging": "deleveraged_notional[*]",
    "probability of a socialised loss": "socialised_loss[*]",
}  # fmt: skip
"""Of the measures of a summary that are of one number a path: what that is."""
_SAME_NOISE = ("seed", "first_path", "sampling", "precision", "replicates", "paths")


class Change(NamedTuple):
    """A measure before and now.

    `name`, `unit`; `value`, `standard_error`, `low`, `high`: of the difference, the last three NaN where it rests on too few
    paths; `paired`: whether on the same random numbers; `differing`: then, on how many paths the two are not the same, and
    `at_most`: the upper end of the 95% interval of the share of such paths; `shares`: of probabilities, both estimates.
    """

    name: str
    unit: str
    before: float
    now: float
    value: float
    standard_error: float
    low: float
    high: float
    paired: bool
    differing: int | None = None
    at_most: float | None = None
    shares: tuple[Any, Any] | None = None


def of_runs(new: Any, old: Any) -> Iterable[Change]:
    """Rows of both summaries, path by path where the random numbers are the same."""
    rows = {(row.measure, row.statistic): row for row in old.summary()}
    for row in new.summary():
        other = rows.get((row.measure, row.statistic))
        if other is None or row.estimate is None or other.estimate is None:
            continue
        name = f"{row.measure}, {row.statistic}"
        found = _paired(name, new, old, row, other) or _apart(name, row.unit, other.estimate, row.estimate)
        yield found._replace(shares=(other.estimate, row.estimate)) if is_share(row) else found


def of_studies(new: Any, old: Any, new_cells: Cells, old_cells: Cells) -> Iterable[Change]:
    """Measures of the settings that both have, path by path where the results of their runs are there."""
    by_cell: dict[str, list[Any]] = {}
    for (cell, _), one in new.over_branches.items():
        by_cell.setdefault(cell, []).append(one)
    for cell, found in by_cell.items():
        results = _branches(new, old, new_cells, old_cells, cell)
        for one in found:
            other = old.over_branches.get((cell, str(one.measure)))
            if other is None or one.estimate is None or other.estimate is None:
                continue
            name, unit = f"{cell}: {one.measure}", unit_of(one.measure)
            change = _of_cell(name, unit, one, other, results) or _apart(name, unit, other.estimate, one.estimate)
            share = one.measure.statistic == "exceedance_probability"
            yield change._replace(shares=(other.estimate, one.estimate)) if share else change


def _paired(name: str, new: Any, old: Any, row: Row, other: Row) -> Change | None:
    """The difference on the same random numbers, None where there is none to be had."""
    word, _, level = row.statistic.partition(" ")
    statistic, address = _STATISTICS.get(word), _ADDRESSES.get(row.measure)
    if statistic not in STATISTICS or address is None:
        return None
    at = None if statistic == "mean" else LEAST_USD if level.endswith("USD") else float(level.rstrip("%")) / 100.0
    try:
        found = old.difference(new, address, statistic, at)
        rests = support(old.values(address), new.values(address), statistic, at)
    except (TooFewPathsError, ValueError):
        return None
    known = rests.differing > 0 and rests.stands(found)
    ends = [float(found.standard_error), float(found.low), float(found.high)] if known else [math.nan] * 3
    return Change(name, row.unit, _value(other.estimate), _value(row.estimate), float(found.value), *ends, True,
                  rests.differing, rests.at_most)  # fmt: skip


def _branches(new: Any, old: Any, new_cells: Cells, old_cells: Cells, cell: str) -> list[tuple[float, Any, Any]]:
    """Weight and both results of each branch of a setting; none where one is not there, or on other random numbers."""
    files, others = new_cells.files.get(cell, {}), old_cells.files.get(cell, {})
    if not files or files.keys() != others.keys():
        return []
    weights = {one.branch: one.weight for one in new.found if one.cell.name == cell}
    before = {one.branch: one.weight for one in old.found if one.cell.name == cell}
    found = []
    for branch in files:
        now, then = new_cells.of(cell, branch), old_cells.of(cell, branch)
        if now is None or then is None or weights.get(branch, 1.0) != before.get(branch, 1.0):
            return []
        if any(one.log_weights is not None or int(one.info.get("replicates", 1)) > 1 for one in (now, then)):
            return []
        if now.paths != then.paths or any(now.info.get(key) != then.info.get(key) for key in _SAME_NOISE):
            return []
        found.append((weights.get(branch, 1.0), now, then))
    return found


def _of_cell(name: str, unit: str, one: Any, other: Any, results: list[tuple[float, Any, Any]]) -> Change | None:
    measure: Measure = one.measure
    if not results or measure.statistic not in STATISTICS:
        return None
    try:
        of = lambda result: Column.of(result.column(measure.observable).astype(float), measure)
        weights, now, before = zip(*((weight, of(one), of(then)) for weight, one, then in results), strict=True)
    except (TooFewPathsError, ValueError, KeyError):
        return None
    found = paired(Column.weighted(before, weights), Column.weighted(now, weights))
    return Change(name, unit, _value(other.estimate), _value(one.estimate), *found[:4], True, found.differing, found.at_most)


def _apart(name: str, unit: str, before: Any, now: Any) -> Change:
    """The difference of two that know nothing of each other: each end as far as both intervals reach, of one that is the same on
    every path what is known of it (Newcombe's square-and-add limits).
    """
    value = _value(now) - _value(before)
    errors = [float(one.standard_error) for one in (before, now)]
    known = [error for error in errors if math.isfinite(error) and error > 0.0]
    if not known:
        constant = value == 0.0  # both the same on every path
        return Change(
            name, unit, _value(before), _value(now), value, math.nan, math.nan, math.nan, False, 0 if constant else None
        )
    reach = lambda one, end: abs(float(end) - _value(one)) if math.isfinite(float(end)) else 0.0
    low = value - math.hypot(reach(now, now.low), reach(before, before.high))
    high = value + math.hypot(reach(now, now.high), reach(before, before.low))
    return Change(name, unit, _value(before), _value(now), value, math.hypot(*known), low, high, False)


def _value(one: Any) -> float:
    return float(one.value)


__all__ = ["Change", "of_runs", "of_studies"]
