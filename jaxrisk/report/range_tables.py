"""Table and picture of a global sensitivity analysis: which of the numbers that nobody knows move a measure."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .study_table import Section, StudySummary, in_words, scaled, shown, unit_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_PANELS = 6


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


def plot_ranges(result: Any) -> "Figure":
    """Bars of total and first-order indices with intervals, a panel a measure."""
    from .plots import BLUE, GREY, INK, _figure, _style

    spreads = [one for one in result.spreads if _varies(one)][:_MOST_PANELS]
    columns = 2 if len(spreads) > 1 else 1
    rows = max(1, math.ceil(len(spreads) / columns))
    with _style():
        figure, grid = _figure(rows, columns, (6.6 * columns, (1.5 + 0.36 * len(result.ranges)) * rows + 0.4))
        for axes, spread in zip(grid.flat, spreads, strict=False):
            mine = sorted((one for one in result.indices if one.measure == spread.measure), key=lambda one: one.total)
            places = np.arange(len(mine))
            error = {"ecolor": INK, "capsize": 2.5, "error_kw": {"linewidth": 1.0}}
            axes.barh(places + 0.19, [one.total for one in mine], 0.36, xerr=[one.total_error for one in mine], color=GREY,
                      label="with others", **error)  # fmt: skip
            axes.barh(places - 0.19, [one.first for one in mine], 0.36, xerr=[one.first_error for one in mine], color=BLUE,
                      label="alone", **error)  # fmt: skip
            # an interval of a design that is too small says so by leaving the picture
            axes.set_xlim(max(-0.6, axes.get_xlim()[0]), min(1.6, max(1.0, axes.get_xlim()[1])))
            axes.set_yticks(places, [one.key for one in mine])
            axes.axvline(0.0, color=INK, linewidth=0.8)
            axes.grid(axis="y", visible=False)
            text = in_words(spread.measure)
            axes.set_title(f"{text[:1].upper()}{text[1:]}", fontsize=9.5)
            axes.set_xlabel("share of the variance over all ranges")
            axes.legend(loc="lower right")
        for axes in list(grid.flat)[len(spreads) :]:
            axes.set_visible(False)
        figure.suptitle(f"What matters of what nobody knows: {result.title or result.name}", x=0.012, ha="left", fontsize=11.5,
                        fontweight="bold")  # fmt: skip
        return figure


__all__ = ["over_ranges", "plot_ranges"]
