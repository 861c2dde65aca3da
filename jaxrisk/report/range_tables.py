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
        f"95% interval: by bootstrap, {_grounds(result)}; an index below 0% or above 100% is that too",
    ]
    notes += [line for spread in result.spreads if _varies(spread) for line in _unclear(result, spread)]
    notes += [f"{in_words(one.measure)}: the same in every cell" for one in result.spreads if not _varies(one)]
    notes += [f"too few paths for {', '.join(left)}"] if left else []
    notes += [
        f"{in_words(one.measure)}: the error of each cell by chance is {one.error / one.sd:.0%} of the spread over cells; it is "
        f"common to them, and {'in the intervals' if _with_paths(result) else 'the indices are of these paths'}"
        for one in result.spreads
        if _varies(one) and one.error > 0.5 * one.sd
    ]
    title = f"What matters of what nobody knows: {result.title or result.name}"
    return StudySummary(title, answer, sections, notes, _records(result))


def _varies(spread: Any) -> bool:
    return math.isfinite(spread.index_sum)


def half_widths(index: Any) -> tuple[float, float]:
    """Of the intervals of an index alone and with others: with the error by paths where that is known, which a record of an
    earlier version does not hold."""
    both = getattr(index, "first_both", math.nan), getattr(index, "total_both", math.nan)
    return both if math.isfinite(both[0]) else (index.first_error, index.total_error)


def _with_paths(result: Any) -> bool:
    """Whether the intervals hold the error by paths."""
    return any(math.isfinite(getattr(one, "first_both", math.nan)) for one in result.indices)


def _grounds(result: Any) -> str:
    """What the intervals are of."""
    return "of the design's points and of the paths together" if _with_paths(result) else "of the design's size alone"


def _unclear(result: Any, spread: Any) -> list[str]:
    """Which indices of a measure are not told apart from zero, in words."""
    mine = _sorted(result, spread)
    halves = [half_widths(one) for one in mine]
    parts = []
    for word, place in (("alone", 0), ("with others", 1)):
        keys = [one.key for one, half in zip(mine, halves, strict=True) if (one.first, one.total)[place] <= half[place]]
        parts += [f"{word} {', '.join(keys)}"] if keys else []
    return [f"{in_words(spread.measure)}: not told apart from zero, {'; '.join(parts)}"] if parts else []


def _sorted(result: Any, spread: Any) -> list[Any]:
    return sorted((one for one in result.indices if one.measure == spread.measure), key=lambda one: -np.nan_to_num(one.total))


def _drawn(result: Any) -> Section:
    rows = [(one.key, *one.ends, "in the logarithm" if one.log else "as it is") for one in result.ranges]
    return Section("Drawn evenly between", ("key", "lowest", "highest", ""), "lrrl", rows)


def _measure(result: Any, spread: Any) -> Section:
    mine = _sorted(result, spread)
    factor, unit = scaled(unit_of(spread.measure), abs(spread.high))
    show = lambda value: shown(factor * value, factor * max(spread.sd / 10.0, 1e-300))
    text = f"{show(spread.low)} and {show(spread.high)} {'' if unit == '1' else unit}".strip()
    heading = f"{in_words(spread.measure)}: nine cells of ten between {text}"
    lines = []
    for one in mine:
        first, total = half_widths(one)
        lines.append((one.key, _share(one.first), _ends(one.first, first), _share(one.total), _ends(one.total, total)))
    return Section(heading, ("key", "alone", "95% interval", "with others", "95% interval"), "lrlrl", lines)


def _share(value: float) -> str:
    return f"{value:.0%}".replace("-0%", "0%") if math.isfinite(value) else "-"


def _ends(value: float, half: float) -> str:
    return f"[{_share(value - half)}, {_share(value + half)}]" if math.isfinite(half) else "-"


def _records(result: Any) -> list[dict[str, Any]]:
    ranges = {one.key: one for one in result.ranges}
    spreads = {one.measure: one for one in result.spreads}
    return [
        {
            "measure": str(one.measure), "key": one.key, "lowest": ranges[one.key].ends[0], "highest": ranges[one.key].ends[1],
            "first": one.first, "first_error": one.first_error, "first_both": getattr(one, "first_both", math.nan),
            "total": one.total, "total_error": one.total_error, "total_both": getattr(one, "total_both", math.nan),
            "mean": spreads[one.measure].mean, "sd": spreads[one.measure].sd, "monte_carlo_error": spreads[one.measure].error,
        }
        for one in result.indices
    ]  # fmt: skip


__all__ = ["half_widths", "over_ranges"]
