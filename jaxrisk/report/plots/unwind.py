"""Pictures of observed unwinds: the price, and what it would have been without the market's own forced orders."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .style import BLUE, INK, ORANGE, axes_of, figure_of, look, nothing, percents, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def unwinds(result: Any) -> "Figure":
    """A panel an unwind; where there is one alone, what caps would have changed beside it."""
    events = result.events
    alone = len(events) == 1 and bool(events[0].what_if)
    columns = 2 if alone else min(2, len(events))
    rows = 1 if alone else -(-len(events) // columns)
    with look():
        figure, grid = figure_of(rows, columns, (6.0 * columns, 4.0 * rows))
        panels = list(grid.ravel())
        for one in events:
            price(result, panels.pop(0), one.name)
        if alone:
            caps(result, panels.pop(0))
        for axes in panels:
            axes.set_axis_off()
        return figure


def _event(result: Any, name: str | None) -> Any:
    events = {one.name: one for one in result.events}
    if name is not None and name not in events:
        from ...observables import unknown

        raise unknown("unwind", name, events)
    return events[name or next(iter(events))]


def price(result: Any, ax: "Axes | None" = None, event: str | None = None) -> "Axes":
    """An unwind's price as observed, and with its 90% interval what it would have been without forced orders.

    **Raises:** `ValueError` where there is no such event.
    """
    one = _event(result, event)
    with look():
        axes = axes_of(ax)
        hours = np.asarray(one.minutes) / 60.0
        percent = lambda path: 100.0 * np.expm1(np.asarray(path, np.float64))
        low, middle, high = one.fundamental
        axes.plot(hours, percent(middle), color=BLUE, linewidth=1.2, label="without forced orders")
        axes.fill_between(hours, percent(low), percent(high), color=BLUE, alpha=0.25, linewidth=0, label="its 90% interval")
        axes.plot(hours, percent(one.path), color=INK, linewidth=1.0, label="observed")
        axes.set_xlabel("hours since the start")
        axes.set_ylabel("price against the start")
        percents(axes.yaxis, signed=True)
        axes.set_xlim(hours[0], hours[-1])
        share = one.own
        text = f"own share of the fall {100.0 * share.value:.0f}% [{100.0 * share.low:.0f}, {100.0 * share.high:.0f}]"
        axes.set_title(f"{wrapped(one.title)}\n{text}", fontsize="medium")
        axes.legend(loc="best")
        return axes


def caps(result: Any, ax: "Axes | None" = None, event: str | None = None) -> "Axes":
    """The largest fall of an unwind's day under other settings, the outside's moves the same, with 90% intervals.

    **Raises:** `ValueError` where there is no such event.
    """
    one = _event(result, event)
    with look():
        axes = axes_of(ax)
        left_out = f"\nwithout {one.runaway} of {one.draws} draws, whose day runs away" if one.runaway else ""
        axes.set_title(f"The fall under another setting{left_out}")
        if not one.what_if:
            return nothing(axes, "no other setting was tried")
        names = ["observed", "no forced orders", *(what.name for what in one.what_if)]
        spans = [None, one.without, *(what.fall for what in one.what_if)]
        places = np.arange(len(names))
        values = 100.0 * np.array([one.fall if span is None else span.value for span in spans])
        ends = 100.0 * np.array([(one.fall, one.fall) if span is None else (span.low, span.high) for span in spans])
        axes.bar(places, values, 0.65, color=[INK, BLUE, *(ORANGE for _ in one.what_if)])
        gaps = np.maximum(np.abs(ends.T - values), 0.0)
        axes.errorbar(places[1:], values[1:], yerr=gaps[:, 1:], fmt="none", ecolor=INK, elinewidth=1.0, capsize=3)
        axes.set_xticks(places, names, rotation=20, ha="right", rotation_mode="anchor")
        axes.set_ylabel("largest fall, with 90% intervals")
        percents(axes.yaxis)
        axes.grid(axis="x", visible=False)
        return axes


whole = unwinds
PICTURES = {"price": price, "caps": caps}

__all__ = ["PICTURES", "caps", "price", "unwinds", "whole"]
