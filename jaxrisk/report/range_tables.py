"""Table of a global sensitivity analysis: which of the numbers that nobody knows move a measure."""

import math
from typing import Any

import numpy as np

from .study_table import Section, StudySummary, in_words, scaled, shown, unit_of


def over_ranges(result: Any) -> StudySummary:
    """Of `OverRanges`: a table a measure, the largest total first."""
    info = next(iter(result.study.info["by_scenario"].values()))
    answer = [
        f"{len(result.study.cells):,} cells: {result.base} points and {len(result.ranges)} ranges, each of {info['paths']:,} "
        f"paths of {info['steps']:,} steps, seed {info['seed']}, all on the same random numbers"
    ]
    sections = [_drawn(result), *(_measure(result, spread) for spread in result.spreads if _varies(spread))]
    left = [str(one) for one in result.study.measures if one not in [spread.measure for spread in result.spreads]]
    notes = [
        "alone: share of the variance over all ranges that goes if this number is learnt",
        "with others: share that stays if all other numbers are learnt, and this one is not",
        "+-: of 95% intervals by bootstrap, of the design's size alone; an index below 0% or above 100% is that too",
    ]
    notes += [f"{in_words(one.measure)}: the same in every cell" for one in result.spreads if not _varies(one)]
    notes += [f"too few paths for {', '.join(left)}"] if left else []
    notes += [
        f"{in_words(one.measure)}: the error of each cell by chance is {one.error / one.sd:.0%} of the spread over cells; it is "
        "common to them, and the indices are of these paths"
        for one in result.spreads
        if _varies(one) and one.error > 0.5 * one.sd
    ]
    title = f"What matters of what nobody knows: {result.title or result.name}"
    return StudySummary(title, answer, sections, notes, _records(result))


def _varies(spread: Any) -> bool:
    return math.isfinite(spread.index_sum)


def _drawn(result: Any) -> Section:
    rows = [(one.key, *one.ends, "in the logarithm" if one.log else "as it is") for one in result.ranges]
    return Section("Drawn evenly between", ("key", "lowest", "highest", ""), "lrrl", rows)


def _measure(result: Any, spread: Any) -> Section:
    mine = sorted((one for one in result.indices if one.measure == spread.measure), key=lambda one: -np.nan_to_num(one.total))
    factor, unit = scaled(unit_of(spread.measure), abs(spread.high))
    show = lambda value: shown(factor * value, factor * max(spread.sd / 10.0, 1e-300))
    text = f"{show(spread.low)} and {show(spread.high)} {'' if unit == '1' else unit}".strip()
    heading = f"{in_words(spread.measure)}: nine cells of ten between {text}"
    lines = [(one.key, _share(one.first), _error(one.first_error), _share(one.total), _error(one.total_error)) for one in mine]
    return Section(heading, ("key", "alone", "+-", "with others", "+-"), "lrrrr", lines)


def _share(value: float) -> str:
    return f"{value:.0%}".replace("-0%", "0%") if math.isfinite(value) else "-"


def _error(value: float) -> str:
    return f"{value:.0%}" if math.isfinite(value) else "-"


def _records(result: Any) -> list[dict[str, Any]]:
    ranges = {one.key: one for one in result.ranges}
    spreads = {one.measure: one for one in result.spreads}
    return [
        {
            "measure": str(one.measure), "key": one.key, "lowest": ranges[one.key].ends[0], "highest": ranges[one.key].ends[1],
            "first": one.first, "first_error": one.first_error, "total": one.total, "total_error": one.total_error,
            "mean": spreads[one.measure].mean, "sd": spreads[one.measure].sd, "monte_carlo_error": spreads[one.measure].error,
        }
        for one in result.indices
    ]  # fmt: skip


__all__ = ["over_ranges"]
