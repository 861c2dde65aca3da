"""What several pictures say alike: that a run is not finished, and intervals, also those that rest on too few paths."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..study_table import Z
from ..table import counted
from .style import INK, RED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


TOO_FEW = "too few paths for an interval"


def unfinished(axes: "Axes", result: Any) -> None:
    """A line over the axes where the result's run is not finished."""
    if result.paths < result.planned:
        axes.set_title(counted(result.paths, result.planned), loc="right", color=RED, fontsize="small", fontweight="normal")


def marked(figure: "Figure", result: Any) -> "Figure":
    """The figure, with a line below it where the result's run is not finished."""
    if result.paths < result.planned:
        figure.supxlabel(counted(result.paths, result.planned), x=0.99, ha="right", fontsize="small", color=RED)
        for axes in figure.axes:
            axes.set_title("", loc="right")
    return figure


def unsure(axes: "Axes", x: Any, y: Any, errors: np.ndarray) -> None:
    """A question mark where a value rests on too few paths for an interval."""
    for place in np.flatnonzero(~np.isfinite(errors)):
        axes.annotate("?", (x[place], y[place]), xytext=(3, 3), textcoords="offset points", color=INK, fontsize="small")


def waterfall(axes: "Axes", names: Sequence[str], steps: Any, errors: Any, colours: Sequence[str], whole: Sequence[bool]) -> None:
    """Steps one upon the other, with 95% intervals of each at its end; those that are `whole` stand on the ground.

    **Arguments:** `steps`, `errors`: in the unit of the axis, `(steps,)`; NaN errors are marked.
    """
    steps, errors = np.asarray(steps, np.float64), np.asarray(errors, np.float64)
    bottoms, level = np.zeros(len(steps)), 0.0
    for place, step in enumerate(steps):
        bottoms[place] = 0.0 if whole[place] else level
        level = step if whole[place] else level + step
    places, tops = np.arange(len(steps)), bottoms + steps
    axes.bar(places, steps, 0.68, bottom=bottoms, color=colours)
    for place in places[:-1]:
        axes.plot([place + 0.34, place + 0.66], [tops[place]] * 2, color=INK, linewidth=0.7)
    known = np.isfinite(errors) & (errors > 0.0)
    axes.errorbar(places[known], tops[known], yerr=Z * errors[known], fmt="none", ecolor=INK, elinewidth=0.9, capsize=2.5)
    unsure(axes, places, tops, np.where(steps == 0.0, 0.0, errors))
    axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.set_xticks(places, names)
    axes.grid(axis="x", visible=False)
    ends = np.concatenate([tops - np.nan_to_num(Z * errors), tops + np.nan_to_num(Z * errors), bottoms, [0.0]])
    gap = 0.08 * max(float(np.ptp(ends)), 1e-12)
    axes.set_ylim(min(0.0, float(ends.min()) - gap * (ends.min() < 0.0)), float(ends.max()) + gap)


__all__ = ["TOO_FEW", "marked", "unfinished", "unsure", "waterfall"]
