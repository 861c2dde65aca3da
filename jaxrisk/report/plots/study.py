"""Pictures of studies over many settings: every cell beside the reference, what each group of branches moves, and what settings
buy against what they cost."""

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...risk.measure import Measure
from ..study_table import Z, in_words, scaled, unit_of
from ..sweep_table import groups as grouped, heading, of_class
from .marks import TOO_FEW
from .style import BLUE, GREY, INK, ORANGE, SERIES, axes_of, capital, figure_of, headed, look, nothing, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PANELS = 6
_MOST_ROWS = 8
_MOST_CELLS = 30


def study(result: Any) -> "Figure":
    """A row a measure: each cell's value, and its difference to the reference cell with the error of that difference, both with
    95% intervals; classes in colours, the reference cell hollow."""
    groups = grouped(result)[:_MOST_ROWS]
    cells = result.cells[:_MOST_CELLS]
    with look():
        figure, grid = figure_of(len(groups), 2, (11.4, (1.35 + 0.25 * max(len(cells), 4)) * len(groups) + 0.5))
        for (left, right), group in zip(grid, groups, strict=True):
            _panel(left, result, group, cells)
            _panel(right, result, group, cells, differences=True)
            right.set_yticklabels([])
        more = len(result.cells) - len(cells)
        headed(
            figure, (result.title or result.name) + (f"   (the first {len(cells)} of {len(result.cells)} cells)" if more else "")
        )
        return figure


def cells(result: Any, ax: "Axes | None" = None, measure: Any = None) -> "Axes":
    """A measure in each cell, with 95% intervals, in colours by class; the reference cell is hollow.

    **Arguments:** `measure`: by default the one that cells are ranked by.

    **Raises:** `ValueError` for a measure that the study has not.
    """
    return _one(result, ax, measure, differences=False)


def differences(result: Any, ax: "Axes | None" = None, measure: Any = None) -> "Axes":
    """By how much a measure is another in each cell than in the reference cell, on the same paths, with 95% intervals.

    **Arguments** and **raises:** as `cells`.
    """
    return _one(result, ax, measure, differences=True)


def _one(result: Any, ax: "Axes | None", measure: Any, differences: bool) -> "Axes":
    wanted = result.rank if measure is None else Measure.of(measure)
    for cell in result.cells[:1]:
        result.of(cell.name, wanted)  # a measure that there is not is told with those that there are
    shown = result.cells[:_MOST_CELLS]
    group = next((group for group in grouped(result) if wanted in group), [wanted])
    with look():
        axes = axes_of(ax, (6.4, 1.5 + 0.25 * max(len(shown), 4)))
        _panel(axes, result, group, shown, differences)
        if differences:
            name = heading(group)
            axes.set_title(wrapped(f"change of the {name[:1].lower()}{name[1:]}"))
        return axes


def _panel(axes: "Axes", result: Any, group: Sequence[Any], cells: Sequence[Any], differences: bool = False) -> None:
    found = [[_of(result, cell.name, measure) for cell in cells] for measure in group]
    ends = [[_ends(one, differences) for one in rows] for rows in found]
    known = [abs(number) for rows in ends for one in rows if one for number in one if math.isfinite(number)]
    if not known:
        nothing(axes, "too few paths differ" if differences else "too few paths")
        return
    factor, unit = scaled(unit_of(group[0]), max(known))
    places = np.arange(len(cells), dtype=float)
    for k, (measure, rows) in enumerate(zip(group, ends, strict=True)):
        colour, shift = SERIES[k % len(SERIES)], 0.22 * (k - 0.5 * (len(group) - 1))
        label = measure.observable.partition("[")[2].rstrip("]") if of_class(measure) else None
        for cell, place, one in zip(cells, places + shift, rows, strict=True):
            if not one:
                continue
            value, low, high = (factor * number for number in one)
            bar = [[value - low], [high - value]] if math.isfinite(low) and math.isfinite(high) else None
            hollow = cell.name in result.reference.values()
            axes.errorbar(value, place, xerr=bar, fmt="o" if bar else "x", color=colour,
                          mfc="white" if hollow else colour, markersize=5.5, capsize=2.5, linewidth=1.3, label=label)  # fmt: skip
            label = None
    if differences:
        axes.axvline(0.0, color=GREY, linewidth=0.9)
        own = [place for cell, place in zip(cells, places, strict=True) if cell.name in result.reference.values()]
        axes.plot([0.0] * len(own), own, "o", color=GREY, mfc="white", markersize=5.5)
    axes.set_title("Change against the reference, same paths" if differences else wrapped(heading(group)))
    axes.set_yticks(places, [cell.name for cell in cells])
    axes.set_ylim(len(cells) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    name = "" if unit == "1" else "percentage points" if unit == "%" and differences else unit
    axes.set_xlabel("\n".join(filter(None, [name, _key(result, cells, ends)])))
    if axes.get_legend_handles_labels()[1] and not differences:
        axes.legend(loc="best")


def _key(result: Any, cells: Sequence[Any], ends: Sequence[Sequence[Any]]) -> str:
    """What marks mean, of those that there are."""
    few = any(one and not math.isfinite(one[1] + one[2]) for rows in ends for one in rows)
    hollow = any(cell.name in result.reference.values() for cell in cells)
    return "; ".join((["hollow: the reference"] if hollow else []) + ([f"x: {TOO_FEW}"] if few else []))


def _ends(one: Any, differences: bool) -> tuple[float, float, float] | None:
    """Value and interval; of the reference cell's own difference nothing."""
    of = None if one is None else one.difference if differences else one.estimate
    return None if of is None else (float(of.value), float(of.low), float(of.high))


def _of(result: Any, cell: str, measure: Any) -> Any:
    return result.over_branches.get((cell, str(measure)))


def branches(result: Any) -> "Figure":
    """A tornado a cell.

    **Raises:** `ValueError` where there are no branches.
    """
    if result.info["branches"] < 2:
        raise ValueError("the study has no branches")
    cells = result.cells[:_MOST_PANELS]
    groups = list(result.spreads[cells[0].name])
    columns = 2 if len(cells) > 1 else 1
    rows = math.ceil(len(cells) / columns)
    with look():
        figure, grid = figure_of(rows, columns, (5.8 * columns, (1.45 + 0.42 * max(len(groups), 2)) * rows + 0.5))
        for place, axes in enumerate(grid.flat):
            if place < len(cells):
                tornado(result, axes, cells[place].name)
            else:
                axes.set_visible(False)
        headed(figure, f"{capital(in_words(result.rank))}, by branch")
        return figure


def tornado(result: Any, ax: "Axes | None" = None, cell: str | None = None) -> "Axes":
    """From which branch to which the measure ranked by goes within each group of branches, all other groups at their weighted
    mean; the line is the weighted mean, the band its 95% interval by chance alone, the whiskers those of the ends' distances to
    the mean, on the same paths.

    **Arguments:** `cell`: by default the first.

    **Raises:** `ValueError` where there are no branches, or no such cell.
    """
    if result.info["branches"] < 2:
        raise ValueError("the study has no branches")
    cell = result.cells[0].name if cell is None else cell
    whole = result.of(cell, result.rank).estimate
    with look():
        axes = axes_of(ax, (6.4, 1.5 + 0.42 * max(len(result.spreads[cell]), 2)))
        axes.set_title(cell if ax is not None else f"{capital(in_words(result.rank))}, {cell}")
        if whole is None:
            return nothing(axes, "too few paths")
        _spread(axes, result, cell, whole)
        return axes


def _spread(axes: "Axes", result: Any, cell: str, whole: Any) -> None:
    spreads = result.spreads[cell]
    sizes = [abs(value) for each in spreads.values() for _, value, _ in each]
    factor, unit = scaled(unit_of(result.rank), max([abs(whole.value), *sizes]))
    wide = lambda each: max(value for _, value, _ in each) - min(value for _, value, _ in each)
    groups = sorted(spreads, key=lambda group: -wide(spreads[group]))
    centre, error = factor * whole.value, factor * float(whole.standard_error)
    axes.axvspan(centre - Z * error, centre + Z * error, color=GREY, alpha=0.25, linewidth=0)
    axes.axvline(centre, color=GREY, linewidth=1.0)
    for place, group in enumerate(groups):
        each = sorted(spreads[group], key=lambda one: one[1])
        (low_name, low, low_error), (high_name, high, high_error) = each[0], each[-1]
        axes.barh(place, factor * (high - low), left=factor * low, height=0.46, color=BLUE, alpha=0.75)
        for name, value, one_error, way in ((low_name, low, low_error, -1), (high_name, high, high_error, 1)):
            half = Z * factor * one_error
            axes.errorbar(factor * value, place, xerr=half, color=ORANGE, capsize=2.5, linewidth=1.2)
            axes.annotate(name, (factor * value + way * half, place), (5 * way, 0), textcoords="offset points",
                          ha="left" if way > 0 else "right", va="center", fontsize="small")  # fmt: skip
    axes.set_yticks(range(len(groups)), [group or "branch" for group in groups])
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.margins(x=0.3)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"{'' if unit == '1' else unit}; band: 95% of the weighted mean, by chance alone".lstrip("; "))


def frontier(result: Any, ax: "Axes | None" = None, measure: Any = None) -> "Axes":
    """What each setting of a study buys against what it costs: the change of a measure, on the same paths with its 95% interval,
    over the open interest that is forgone; arrows lead from setting to setting along a lower cost. Settings whose change rests on
    too few paths are crosses without an interval.

    **Arguments:** `measure`: by default the one that cells are ranked by.

    **Raises:** `ValueError` for a measure that the study has not.
    """
    wanted = result.rank if measure is None else Measure.of(measure)
    rows = []
    for cell in result.cells:
        one, of = result.of(cell.name, wanted), result.held[result.reference[cell.scenario]]
        if one.difference is not None and of > 0.0:
            rows.append((cell.name, 100.0 * (1.0 - result.held[cell.name] / of), one.difference))
    with look():
        axes = axes_of(ax)
        axes.set_title(wrapped(in_words(wanted)))
        if not rows:
            return nothing(axes, "nothing to compare")
        factor, unit = scaled(unit_of(wanted), max(abs(float(change.value)) for _, _, change in rows))
        for place, (name, share, change) in enumerate(rows):
            value, low, high = (factor * float(getattr(change, key)) for key in ("value", "low", "high"))
            known = np.isfinite(low)
            axes.errorbar(share, value, yerr=[[value - low], [high - value]] if known else None, fmt="o" if known else "x",
                          color=BLUE if known else ORANGE, markersize=6, capsize=3)  # fmt: skip
            axes.annotate(name, (share, value), (7, 5 if place % 2 else -12), textcoords="offset points", fontsize="small",
                          color=INK, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8})  # fmt: skip
        if len(result.reference) == 1:  # settings of one scenario follow each other
            _arrows(axes, [(share, factor * float(change.value)) for _, share, change in rows])
        axes.axhline(0.0, color=GREY, linewidth=0.9)
        axes.margins(x=0.16, y=0.14)
        name = "percentage points" if unit == "%" else unit if unit != "1" else ""
        few = "" if all(np.isfinite(float(change.low)) for _, _, change in rows) else f"; x: {TOO_FEW}"
        axes.set(xlabel=f"open interest forgone, %{few}", ylabel=f"change against the reference, {name}".rstrip(", "))
        return axes


def _arrows(axes: "Axes", points: Sequence[tuple[float, float]]) -> None:
    """From each setting to the next costlier one: the slope is what the next part of open interest buys."""
    axes.scatter([0.0], [0.0], s=36, facecolor="white", edgecolor=GREY, zorder=3)
    axes.annotate("reference", (0.0, 0.0), (-8, 7), textcoords="offset points", ha="center", fontsize="small", color=GREY)
    ordered = sorted([(0.0, 0.0), *points])
    for start, end in itertools.pairwise(ordered):
        if end != start:
            axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": GREY, "linewidth": 1.0, "shrinkA": 5,
                                                      "shrinkB": 7})  # fmt: skip


whole = study
PICTURES = {"differences": differences, "cells": cells, "frontier": frontier, "tornado": tornado}

__all__ = ["PICTURES", "branches", "cells", "differences", "frontier", "study", "tornado", "whole"]
