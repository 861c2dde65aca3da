"""Observed unwinds drawn: the price, and what it would have been without the market's own forced orders."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .plots import BLUE, INK, ORANGE, _figure, _style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def unwinds(result: Any) -> "Figure":
    """A panel an unwind; where there is one alone, what caps would have changed beside it."""
    events = result.events
    alone = len(events) == 1 and events[0].what_if
    columns = 2 if alone else min(2, len(events))
    rows = 1 if alone else -(-len(events) // columns)
    with _style():
        figure, grid = _figure(rows, columns, (6.0 * columns, 4.0 * rows))
        panels = list(grid.ravel())
        for one in events:
            _price(panels.pop(0), one)
        if alone:
            _caps(panels.pop(0), events[0])
        for axes in panels:
            axes.set_axis_off()
        return figure


def _price(axes: "Axes", one: Any) -> None:
    hours = np.asarray(one.minutes) / 60.0
    percent = lambda path: 100.0 * np.expm1(path)
    low, middle, high = one.fundamental
    axes.fill_between(hours, percent(low), percent(high), color=BLUE, alpha=0.25, linewidth=0, label="90% interval")
    axes.plot(hours, percent(middle), color=BLUE, linewidth=1.2, label="without forced orders")
    axes.plot(hours, percent(one.path), color=INK, linewidth=1.0, label="observed")
    axes.set_xlabel("hours since the start")
    axes.set_ylabel("%")
    share = one.own
    text = f"own share of the fall {100.0 * share.value:.0f}% [{100.0 * share.low:.0f}, {100.0 * share.high:.0f}]"
    axes.set_title(f"{one.title}\n{text}", fontsize=9.5)
    axes.legend(loc="best", fontsize=8)


def _caps(axes: "Axes", one: Any) -> None:
    names = ["observed", "no forced orders", *(what.name for what in one.what_if)]
    spans = [None, one.without, *(what.fall for what in one.what_if)]
    places = np.arange(len(names))
    values = 100.0 * np.array([one.fall if span is None else span.value for span in spans])
    ends = 100.0 * np.array([(one.fall, one.fall) if span is None else (span.low, span.high) for span in spans])
    colours = [INK, BLUE, *(ORANGE for _ in one.what_if)]
    axes.bar(places, values, 0.65, color=colours)
    gaps = np.maximum(np.abs(ends.T - values), 0.0)
    axes.errorbar(places, values, yerr=gaps, fmt="none", ecolor=INK, elinewidth=1.0, capsize=3)
    axes.set_xticks(places, names, rotation=20, ha="right")
    axes.set_ylabel("largest fall, %")
    axes.set_title("The fall under another setting")
    axes.grid(axis="x", visible=False)


__all__ = ["unwinds"]
