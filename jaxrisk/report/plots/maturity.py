"""Pictures of what a market's maturing changed: a waterfall a measure."""

from typing import TYPE_CHECKING, Any

from .attribution import fall_of_shares
from .style import figure_of, look

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
    names = [result.since.date[:4], *(words for words, _, _ in result.changes), result.to.date[:4]]
    return fall_of_shares(result, ax, measure, names, rotation=35)


whole = maturity
PICTURES = {"changes": changes}

__all__ = ["PICTURES", "changes", "maturity", "whole"]
