"""Pictures of a global sensitivity analysis: Sobol' indices with their intervals."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ...risk.measure import Measure
from ..range_tables import half_widths
from ..study_table import in_words
from .style import BLUE, GREY, INK, axes_of, figure_of, headed, look, nothing, percents, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PANELS = 6


def over_ranges(result: Any) -> "Figure":
    """A panel a measure that the ranges move."""
    spreads = _moved(result)[:_MOST_PANELS]
    columns = 2 if len(spreads) > 1 else 1
    rows = max(1, math.ceil(len(spreads) / columns))
    with look():
        figure, grid = figure_of(rows, columns, (6.8 * columns, (1.6 + 0.36 * len(result.ranges)) * rows + 0.4))
        for axes, spread in zip(grid.flat, spreads, strict=False):
            indices(result, axes, spread.measure)
        for axes in list(grid.flat)[len(spreads) :]:
            axes.set_visible(False)
        headed(figure, f"What matters of what nobody knows: {result.title or result.name}")
        return figure


def _moved(result: Any) -> list[Any]:
    return [one for one in result.spreads if math.isfinite(one.index_sum)]


def indices(result: Any, ax: "Axes | None" = None, measure: Any = None) -> "Axes":
    """Total and first-order indices of a measure, with 95% intervals, of the paths too where those are known.

    **Arguments:** `measure`: the first that the ranges move unless another is named.

    **Raises:** `ValueError` for a measure that was not asked for.
    """
    known = {str(one.measure): one for one in result.spreads}
    wanted = str(Measure.of(measure)) if measure is not None else str(_moved(result)[0].measure) if _moved(result) else ""
    if measure is not None and wanted not in known:
        raise ValueError(f"{measure} was not asked for; there are: {', '.join(known)}")
    with look():
        axes = axes_of(ax, (6.8, 1.6 + 0.36 * max(3, len(result.ranges))))
        axes.set_title(wrapped(in_words(known[wanted].measure)) if wanted else "")
        if not wanted or not math.isfinite(known[wanted].index_sum):
            return nothing(axes, "the same in every cell")
        mine = sorted((one for one in result.indices if str(one.measure) == wanted), key=lambda one: one.total)
        places = np.arange(len(mine))
        error = {"ecolor": INK, "capsize": 2.5, "error_kw": {"linewidth": 1.0}}
        axes.barh(places + 0.19, [100.0 * one.total for one in mine], 0.36, xerr=[100.0 * half_widths(one)[1] for one in mine],
                  color=GREY, label="with others", **error)  # fmt: skip
        axes.barh(places - 0.19, [100.0 * one.first for one in mine], 0.36, xerr=[100.0 * half_widths(one)[0] for one in mine],
                  color=BLUE, label="alone", **error)  # fmt: skip
        # an interval of a design that is too small says so by leaving the picture
        axes.set_xlim(max(-60.0, axes.get_xlim()[0]), min(160.0, max(100.0, axes.get_xlim()[1])))
        axes.set_yticks(places, [one.key for one in mine])
        axes.axvline(0.0, color=INK, linewidth=0.8)
        axes.grid(axis="y", visible=False)
        percents(axes.xaxis)
        axes.set_xlabel("share of the variance over all ranges; whiskers: 95% intervals")
        axes.legend(loc="lower right")
        return axes


whole = over_ranges
PICTURES = {"indices": indices}

__all__ = ["PICTURES", "indices", "over_ranges", "whole"]
