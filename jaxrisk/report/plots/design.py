"""Pictures of designed limits: before and after, and what a budget costs."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..design_table import NO_LIMIT
from ..study_table import Z, in_words, scaled, unit_of
from .style import BLUE, GREY, ORANGE, RED, axes_of, capital, figure_of, headed, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_BARS = 30
_TICKS = [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, 40, 50, 70, 100, 125, 150, 200, 300, 500, 1000]
_ARROW = 0.22
"""Length of the gradient's arrow, of the axis."""


def design(result: Any) -> "Figure":
    """Each limit before and after, and the frontier of the measure against the open interest forgone."""
    number = len(result.parameters)
    with look():
        figure, grid = figure_of(1, 2, (11.0, max(3.8, 1.6 + 0.28 * min(number, _MOST_BARS))))
        limits(result, grid[0, 0])
        frontier(result, grid[0, 1])
        headed(figure, capital(in_words(result.measure)))
        return figure


def limits(result: Any, ax: "Axes | None" = None) -> "Axes":
    """Each limit before and after, on a logarithmic scale."""
    from matplotlib.ticker import NullLocator

    before, after = (np.asarray(array, np.float64) for array in (result.before, result.after))
    before, after = (np.where(array < NO_LIMIT, array, np.nan) for array in (before, after))
    order = np.argsort(np.nan_to_num(after / before, nan=1.0) + np.isnan(after), kind="stable")[:_MOST_BARS]
    before, after, rows = before[order], after[order], np.arange(len(order))
    span = np.concatenate([before, after])
    span = span[np.isfinite(span)]
    low, high = (span.min() / 1.6, span.max() * 1.6) if span.size else (1.0, 100.0)
    with look():
        axes = axes_of(ax)
        axes.set_title("Limits before and after")
        axes.hlines(rows, after, np.where(np.isnan(before), high, before), color=GREY, linewidth=1.2)
        if not np.isnan(before).all():
            axes.plot(before, rows, "o", mfc="white", color=GREY, markersize=6, label="before")
        axes.plot(after, rows, "o", color=BLUE, markersize=6, label="after")
        for row in rows[np.isfinite(after)]:
            axes.annotate(f"{after[row]:.3g}x", (after[row], row), (0, 6), textcoords="offset points", ha="center",
                          fontsize="small", color=BLUE)  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(_ticks(low, high))
        axes.xaxis.set_major_formatter(lambda number, _: f"{number:g}x")
        names = [result.parameters[k].name + (": none" if np.isnan(x) else "") for k, x in zip(order, after, strict=True)]
        axes.set_yticks(rows, names)
        axes.set_ylim(len(order) - 0.4, -0.7)
        axes.grid(axis="y", visible=False)
        none = "; a line to the edge: no limit before" if np.isnan(before).any() else ""
        axes.set_xlabel(f"highest leverage{none}")
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0.1)
        return axes


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers of a range, far enough apart on a log axis for their labels."""
    ticks: list[float] = []
    for number in _TICKS:
        if low <= number <= high and (not ticks or math.log(number / ticks[-1]) > 0.1 * math.log(high / low)):
            ticks.append(number)
    return ticks


def frontier(result: Any, ax: "Axes | None" = None) -> "Axes":
    """The measure under the best limits found for each budget against the open interest forgone, with 95% intervals, and an
    arrow along which the shadow price says that the next part of the budget is bought, within its 95% interval."""
    with look():
        axes = axes_of(ax)
        axes.set_title("What a budget costs")
        factor, name = scaled(unit_of(result.measure), result.budget)
        rows = sorted((row["measure"].value, row["cost"], row["measure"].standard_error) for row in result.frontier)
        rows = [row for row in rows if row[:2] != (result.estimate.value, result.cost)]
        scale, unit = scaled("USD", max(abs(cost) for cost in [result.cost, *(row[1] for row in rows)]))
        measures = [result.estimate.value, result.budget, *(row[0] for row in rows)]
        if rows:
            measure, cost, error = np.array(rows).T * [[factor], [scale], [Z * factor]]
            axes.errorbar(measure, cost, xerr=error, fmt="o", color=GREY, markersize=4, linewidth=1.0, capsize=2,
                          label="other budgets")  # fmt: skip
        error = Z * factor * float(result.estimate.standard_error)
        axes.errorbar(factor * result.estimate.value, scale * result.cost, xerr=error, fmt="o", color=BLUE, markersize=7,
                      capsize=3, zorder=3, label="this one, on fresh paths" if result.feasible else "best found")  # fmt: skip
        axes.axvline(factor * result.budget, color=RED, linewidth=1.0, linestyle="--", label="budget")
        top = 1.45 * max(axes.get_ylim()[1], 1e-12)
        axes.set_ylim(0.0, top)
        _gradient(axes, result, factor, scale, factor * float(np.ptp(measures)))
        axes.set_ylim(0.0, top)
        axes.set(xlabel=f"measure ({name}), with 95% interval", ylabel=f"open interest forgone ({unit})")
        axes.legend(loc="upper right")
        return axes


def _gradient(axes: "Axes", result: Any, factor: float, scale: float, width: float) -> None:
    """An arrow of slope minus the shadow price, towards a lower measure, in a wedge of its 95% interval."""
    price, error = (float(getattr(result, key)) * scale / factor for key in ("shadow_price", "shadow_price_error"))
    if not math.isfinite(price) or not width > 0.0:
        return
    x, y = factor * result.estimate.value, scale * result.cost
    room = (axes.get_ylim()[1] - y) / max(price, 1e-300)
    by = min(_ARROW * width, 0.6 * room)
    end = (x - by, y + by * price)
    if math.isfinite(error):
        low, high = (y + by * (price + way * Z * error) for way in (-1, 1))
        axes.fill([x, end[0], end[0]], [y, low, high], color=ORANGE, alpha=0.25, linewidth=0.0)
    axes.annotate("", end, (x, y), arrowprops={"arrowstyle": "-|>", "color": ORANGE, "linewidth": 1.6}, zorder=4)
    axes.plot([], [], color=ORANGE, label="slope: the shadow price")


whole = design
PICTURES = {"frontier": frontier, "limits": limits}

__all__ = ["PICTURES", "design", "frontier", "limits", "whole"]
