"""The level that must not break, as a table and a picture."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .plots import GREY, INK, SERIES, _figure, _style
from .study_table import Section, StudySummary

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def warning(result: Any) -> StudySummary:
    """A line a venue and asset, nearest first."""
    lines, records = [], []
    for one in result.levels:
        level = f"{one.price:,.6g}" if math.isfinite(one.price) else "none"
        peak = f"{one.peak:.2f} [{one.peak_low:.2f}, {one.peak_high:.2f}]"
        ends = f"{_percent(one.low)} to {_percent(one.high)}"
        lines.append((one.venue, one.asset, level, _percent(one.distance), ends, f"{one.chance:.0%}", peak))
        records.append(one._asdict() | {"level": one.price})
    columns = ("venue", "asset", "level, USD", "below the price", "90% interval", "has one", "largest number")
    order = ("venue", "asset", "level", "distance", "low", "high", "chance", "peak", "peak_low", "peak_high")
    notes = [
        "the level: nearest price at which a dollar forced there sets off more than so many further, on all venues together",
        "intervals over impact (0.45 of a log), leverage (0.3) and volume (0.2), assumed; largest: down to half the price",
        "none: no such level down to half the price; has one: in how many of the draws there is one",
    ]
    heading = f"Levels at which a forced dollar sets off {result.branching:g} further"
    rows = [{key: record[key] for key in order} for record in records]
    return StudySummary(result.line(), [], [Section(heading, columns, "llrrrrr", lines)], notes, rows)


def picture(result: Any) -> "Figure":
    """The fragility map below the price, by venue, a panel an asset, with 90% bands."""
    with _style():
        figure, grid = _figure(1, len(result.assets), (max(6.4, 4.6 * len(result.assets)), 4.2))
        fall = 100.0 * np.expm1(result.log_price)
        for a, asset in enumerate(result.assets):
            axes = grid[0, a]
            for v, venue in enumerate(result.venues):
                colour = SERIES[v % len(SERIES)]
                axes.plot(fall, result.number[v, a], color=colour, label=venue)
                axes.fill_between(fall, result.low[v, a], result.high[v, a], color=colour, alpha=0.18, linewidth=0)
            axes.axhline(result.branching, color=GREY, linewidth=1.0, linestyle="--")
            for one in result.levels:
                if one.asset == asset and math.isfinite(one.distance):
                    axes.plot([-100.0 * one.distance], [result.branching], "o", color=INK, markersize=5)
            axes.set_xlim(-50.0, 0.0)
            axes.set_ylim(bottom=0.0)
            axes.set_xlabel("price against the start, %")
            axes.set_ylabel("further dollars a forced dollar sets off")
            axes.set_title(asset)
            axes.legend(loc="upper left")
        figure.suptitle(result.info.get("title") or result.info.get("name"), x=0.012, ha="left", fontsize=11, fontweight="bold")
        return figure


def _percent(value: float) -> str:
    return f"{100.0 * value:.1f}%" if math.isfinite(value) else "none"


__all__ = ["picture", "warning"]
