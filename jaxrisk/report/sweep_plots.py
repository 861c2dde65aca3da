"""Figures of studies over many settings: every cell beside the reference, and what each group of branches moves.

Matplotlib is imported when a figure is asked for.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .plots import BLUE, GREY, ORANGE, SERIES, _figure, _nothing, _style
from .study_table import Z, in_words, scaled, unit_of
from .sweep_table import groups as grouped, heading, of_class

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PANELS = 6
_MOST_ROWS = 8
_MOST_CELLS = 30
_LETTERS = 52
"""Letters of a panel's title in a line."""


def study(result: Any) -> "Figure":
    """A row a measure: each cell's value, and its difference to the reference cell with the error of that difference, both with
    95% intervals; classes in colours, the reference cell hollow."""
    groups = grouped(result)[:_MOST_ROWS]
    cells = result.cells[:_MOST_CELLS]
    with _style():
        figure, grid = _figure(len(groups), 2, (11.4, (1.25 + 0.25 * max(len(cells), 4)) * len(groups) + 0.5))
        for (left, right), group in zip(grid, groups, strict=True):
            _panel(left, result, group, cells)
            _panel(right, result, group, cells, differences=True)
        more = len(result.cells) - len(cells)
        title = (result.title or result.name) + (f"   (the first {len(cells)} of {len(result.cells)} cells)" if more else "")
        figure.suptitle(title, x=0.012, ha="left", fontsize=11.5, fontweight="bold")
        return figure


def _panel(axes: "Axes", result: Any, group: Sequence[Any], cells: Sequence[Any], differences: bool = False) -> None:
    found = [[_of(result, cell.name, measure) for cell in cells] for measure in group]
    ends = [[_ends(one, differences) for one in rows] for rows in found]
    known = [abs(number) for rows in ends for one in rows if one for number in one if math.isfinite(number)]
    if not known:
        _nothing(axes, "too few paths differ" if differences else "too few paths")
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
            axes.errorbar(value, place, xerr=bar, fmt="o" if bar or not differences else "x", color=colour,
                          mfc="white" if hollow else colour, markersize=5.5, capsize=2.5, linewidth=1.3, label=label)  # fmt: skip
            label = None
    if differences:
        axes.axvline(0.0, color=GREY, linewidth=0.9)
    axes.set_title("Change against the reference, same paths" if differences else _wrapped(heading(group)))
    axes.set_yticks(places, [""] * len(cells) if differences else [cell.name for cell in cells])
    axes.set_ylim(len(cells) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("" if unit == "1" else "percentage points" if unit == "%" and differences else unit)
    if axes.get_legend_handles_labels()[1] and not differences:
        axes.legend(loc="best")


def _ends(one: Any, differences: bool) -> tuple[float, float, float] | None:
    """Value and interval; of the reference cell's own difference nothing."""
    of = None if one is None else one.difference if differences else one.estimate
    return None if of is None else (float(of.value), float(of.low), float(of.high))


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text[:1].upper() + text[1:], _LETTERS))


def _of(result: Any, cell: str, measure: Any) -> Any:
    return result.over_branches.get((cell, str(measure)))


def branches(result: Any) -> "Figure":
    """A tornado chart: for each cell, from which branch to which the measure ranked by goes within each group of branches, all
    other groups at their weighted mean; the line is the weighted mean, the band its 95% interval by chance alone, the whiskers
    those of the ends' distances to the mean, on the same paths.

    **Raises:** `ValueError` where there are no branches.
    """
    if result.info["branches"] < 2:
        raise ValueError("the study has no branches")
    cells = result.cells[:_MOST_PANELS]
    groups = list(result.spreads[cells[0].name])
    columns = 2 if len(cells) > 1 else 1
    rows = math.ceil(len(cells) / columns)
    with _style():
        figure, grid = _figure(rows, columns, (5.8 * columns, (1.35 + 0.42 * max(len(groups), 2)) * rows + 0.5))
        for place, axes in enumerate(grid.flat):
            if place < len(cells):
                _tornado(axes, result, cells[place].name)
            else:
                axes.set_visible(False)
        text = in_words(result.rank)
        figure.suptitle(f"{text[:1].upper()}{text[1:]}, by branch", x=0.012, ha="left", fontsize=11.5, fontweight="bold")
        return figure


def _tornado(axes: "Axes", result: Any, cell: str) -> None:
    whole, spreads = _of(result, cell, result.rank).estimate, result.spreads[cell]
    axes.set_title(cell)
    if whole is None:
        _nothing(axes, "too few paths")
        return
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
                          ha="left" if way > 0 else "right", va="center", fontsize=8.5)  # fmt: skip
    axes.set_yticks(range(len(groups)), [group or "branch" for group in groups])
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.margins(x=0.3)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"{'' if unit == '1' else unit}; band: 95% interval of the weighted mean, by chance alone".lstrip("; "))


__all__ = ["branches", "study"]
