"""Pictures of what a market's maturing changed: a waterfall a measure."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..study_table import in_words
from .attribution import measured, place_of
from .marks import waterfall
from .style import BLUE, GREEN, GREY, ORANGE, axes_of, figure_of, look, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def maturity(result: Any) -> "Figure":
    """A waterfall a measure."""
    with look():
        columns = min(2, len(result.measures))
        rows = -(-len(result.measures) // columns)
        figure, grid = figure_of(rows, columns, (5.6 * columns, 4.0 * rows))
        for axes in grid.ravel()[len(result.measures) :]:
            axes.set_axis_off()
        for axes, measure in zip(grid.ravel(), result.measures, strict=False):
            changes(result, axes, measure)
        return figure


def changes(result: Any, ax: "Axes | None" = None, measure: Any = None) -> "Axes":
    """How each change moves a measure, the first unless another is named, from one structure's to the other's, with 95%
    intervals."""
    place = place_of(result, measure)
    found, asked = result.shares[place], result.measures[place]
    with look():
        axes = axes_of(ax)
        values = np.array([found.none[0], *(one.value for one in found.shares), found.all[0]])
        errors = np.array([found.none[1], *(one.standard_error for one in found.shares), found.all[1]])
        factor, label = measured(asked, found)
        colours = [GREY, *(GREEN if one.value < 0.0 else ORANGE for one in found.shares), BLUE]
        names = [result.since.date[:4], *(words for words, _, _ in result.changes), result.to.date[:4]]
        whole = [True, *(False for _ in found.shares), True]
        waterfall(axes, names, factor * values, factor * errors, colours, whole)
        axes.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
        axes.set_ylabel(f"measure, {label}, with 95% intervals")
        axes.set_title(wrapped(in_words(asked)))
        return axes


whole = maturity
PICTURES = {"changes": changes}

__all__ = ["PICTURES", "changes", "maturity", "whole"]
