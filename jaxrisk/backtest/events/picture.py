"""A picture of one event: the price and the open interest as they were, over what was forecast given the beginning."""

from typing import TYPE_CHECKING

import numpy as np

from .event import Event
from .forecast import Course
from .setting import loss_step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS = ((0.05, 0.95, 0.18), (0.25, 0.75, 0.32))
"""Ends of the bands and how opaque they are."""


def event_picture(event: Event, found: Course, title: str = "") -> "Figure":
    """Price over hours since the start, with bands of 50 and 90%, and the open interest beside it.

    **Arguments:** `found`: a forecast's paths on the event's grid.
    """
    from ...report.plots.style import figure_of, headed, look

    with look():
        figure, axes = figure_of(1, 2, (10.0, 3.8), width_ratios=(1.6, 1.0))
        _draw(*axes[0], event, found)
        headed(figure, title or event.title)
        return figure


def _draw(left: "Axes", right: "Axes", event: Event, found: Course) -> None:
    from ...report.plots.style import GREY, INK, PALE, percents

    hours = event.grid / 3600.0 * np.arange(found.price.shape[0] + 1)
    horizon, given = event.horizon / 3600.0, event.given_span / 3600.0
    start = np.zeros((1, found.price.shape[1]))
    _bands(left, hours, event.price * np.exp(np.concatenate([start, found.price])))
    seen = event.price * np.exp(event.path(min(event.horizon + event.rebound_span, event.covered)))
    left.plot(hours[: len(seen)], seen, color=INK, linewidth=1.1, label="observed")
    left.axvspan(0.0, given, color=PALE, zorder=0, label="given")
    left.axvline(horizon, color=GREY, linewidth=0.8, linestyle=":")
    left.set(xlabel="hours since the start", ylabel="USD", xlim=(0.0, hours[-1]))
    left.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    left.legend(loc="best", ncols=2)
    _bands(right, hours, 100.0 * np.concatenate([np.ones_like(start), found.open_interest]))
    loss = event.observed().open_interest_loss
    if loss is not None:
        at = hours[loss_step(event, event.horizon + event.rebound_span) + 1]
        right.plot([0.0, at], [100.0, 100.0 * (1.0 - loss)], "o", color=INK, markersize=5.0)
    right.set(xlabel="hours since the start", ylabel="open interest, book alone, of coins", xlim=(0.0, hours[-1]))
    right.set_ylim(top=102.0)
    percents(right.yaxis)


def _bands(panel, hours: np.ndarray, values: np.ndarray) -> None:
    from ...report.plots.style import BLUE

    for low, high, opacity in LEVELS:
        ends = np.quantile(values, (low, high), axis=1)
        label = f"{high - low:.0%} of paths"
        panel.fill_between(hours, *ends, color=BLUE, alpha=opacity, linewidth=0.0, label=label)
    panel.plot(hours, np.median(values, axis=1), color=BLUE, linewidth=1.0)


__all__ = ["event_picture"]
