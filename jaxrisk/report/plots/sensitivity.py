"""Pictures of sensitivities: a tornado of elasticities."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..study_table import Z, in_words
from .marks import TOO_FEW, unsure
from .style import BLUE, GREY, ORANGE, axes_of, capital, figure_of, headed, look, nothing, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_BARS = 30
_METHODS = {"pathwise": (BLUE, "o"), "bump": (ORANGE, "s")}


def sensitivities(result: Any) -> "Figure":
    """The tornado, with a line for each parameter."""
    with look():
        figure, grid = figure_of(1, 1, (8.0, 1.6 + 0.28 * max(len(_shown(result)), 3)))
        tornado(result, grid[0, 0])
        grid[0, 0].set_title("")
        headed(figure, capital(in_words(result.measure)))
        return figure


def tornado(result: Any, ax: "Axes | None" = None) -> "Axes":
    """Elasticities with 95% intervals, the largest first, marked by method; open squares are those of the full bump."""
    elasticity, error = np.asarray(result.elasticity, np.float64), np.asarray(result.elasticity_error, np.float64)
    shown = _shown(result)
    with look():
        axes = axes_of(ax, (7.4, 1.6 + 0.28 * max(len(shown), 3)))
        axes.set_title(wrapped(in_words(result.measure)))
        if not shown.size:
            return nothing(axes, "no elasticity: a parameter or the measure is zero")
        rows = np.arange(len(shown))
        for method, (colour, marker) in _METHODS.items():
            mine = np.array([result.method[k] == method for k in shown])
            if mine.any():
                axes.errorbar(elasticity[shown[mine]], rows[mine], xerr=Z * error[shown[mine]], fmt=marker, color=colour,
                              markersize=5, capsize=2.5, linewidth=1.4, label=method)  # fmt: skip
        unsure(axes, elasticity[shown], rows, error[shown])
        _full_bump(axes, result, shown, rows)
        axes.barh(rows, elasticity[shown], 0.5, color=GREY, alpha=0.35, zorder=0.5)
        axes.axvline(0.0, color=GREY, linewidth=0.9)
        axes.set_yticks(rows, [result.parameters[k].name for k in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        left = int(np.isfinite(elasticity).sum()) - len(shown)
        more = f"; {left} smaller ones left out" if left > 0 else ""
        few = "" if np.isfinite(error[shown]).all() else f"; ?: {TOO_FEW}"
        axes.set_xlabel(f"elasticity: % of the measure per % of the parameter,\nwith 95% intervals{more}{few}")
        axes.legend(loc="best")
        return axes


def _shown(result: Any) -> np.ndarray:
    """Places of the parameters that have an elasticity, the largest first."""
    elasticity = np.asarray(result.elasticity, np.float64)
    known = np.flatnonzero(np.isfinite(elasticity))
    return known[np.argsort(-np.abs(elasticity[known]), kind="stable")][:_MOST_BARS]


def _full_bump(axes: "Axes", result: Any, shown: np.ndarray, rows: np.ndarray) -> None:
    if getattr(result, "checked", None) is None:
        return
    value = np.array([one.value for one in result.parameters]) / float(result.estimate.value)
    centre, error = (np.asarray(array, np.float64) * value for array in result.checked)
    axes.errorbar(centre[shown], rows + 0.22, xerr=Z * np.abs(error[shown]), fmt="s", mfc="white", color=GREY, markersize=4,
                  capsize=2.0, linewidth=1.0, label="full bump")  # fmt: skip


whole = sensitivities
PICTURES = {"tornado": tornado}

__all__ = ["PICTURES", "sensitivities", "tornado", "whole"]
