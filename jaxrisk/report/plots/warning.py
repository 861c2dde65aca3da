"""Pictures of the level that must not break: the fragility map below the price."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import GREY, INK, SERIES, axes_of, figure_of, headed, look, percents

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def warning(result: Any) -> "Figure":
    """The fragility map below the price, by venue, a panel an asset, with 90% bands."""
    with look():
        figure, grid = figure_of(1, len(result.assets), (max(6.4, 4.6 * len(result.assets)), 4.2))
        for axes, asset in zip(grid[0], result.assets, strict=True):
            fragility(result, axes, asset)
        headed(figure, result.info.get("title") or result.info.get("name") or "")
        return figure


def fragility(result: Any, ax: "Axes | None" = None, asset: str | None = None) -> "Axes":
    """How many further dollars a forced dollar sets off, by venue, at each price below that of the start, with 90% bands over
    what is not known; a dot at each level that must not break, with its 90% interval.

    **Raises:** `ValueError` for an asset that there is not.
    """
    names = list(result.assets)
    if asset is not None and asset not in names:
        from ...observables import unknown

        raise unknown("asset", asset, names)
    a = 0 if asset is None else names.index(asset)
    with look():
        axes = axes_of(ax)
        fall = 100.0 * np.expm1(np.asarray(result.log_price, np.float64))
        for v, venue in enumerate(result.venues):
            colour = SERIES[v % len(SERIES)]
            axes.plot(fall, result.number[v, a], color=colour, label=venue)
            axes.fill_between(fall, result.low[v, a], result.high[v, a], color=colour, alpha=0.2, linewidth=0)
        axes.axhline(result.branching, color=GREY, linewidth=1.0, linestyle="--")
        for one in result.levels:
            if one.asset == names[a] and math.isfinite(one.distance):
                ends = [-100.0 * min(end, 1.0) for end in (one.low, one.high)]  # a level may be nowhere in some draws
                axes.plot(ends, [result.branching] * 2, color=INK, linewidth=1.4, solid_capstyle="butt")
                axes.plot([-100.0 * one.distance], [result.branching], "o", color=INK, markersize=5)
        axes.set_xlim(-50.0, 0.0)
        axes.set_ylim(0.0, 1.08 * max(float(np.max(result.high[:, a])), 1.1 * result.branching))
        axes.annotate(f"{result.branching:g} further", (0.0, result.branching), (3, 3), xycoords=("axes fraction", "data"),
                      textcoords="offset points", color=GREY, fontsize="small")  # fmt: skip
        percents(axes.xaxis, signed=True)
        axes.set_xlabel("price against the start; bands, and a level's bar:\n90% over what is not known")
        axes.set_ylabel("further dollars a forced dollar sets off")
        axes.set_title(f"Fragility below the price of {names[a]}")
        axes.legend(loc="best")
        return axes


whole = warning
PICTURES = {"fragility": fragility}

__all__ = ["PICTURES", "fragility", "warning", "whole"]
