"""A figure of the replay check: price, liquidations by side and open interest through time, a column an asset."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .check import ReplayCheck

_ROWS = (2.0, 2.4, 2.4, 2.4)
_HOUR = np.timedelta64(1, "h")


def through_time(check: "ReplayCheck") -> "Figure":
    """Observed in black, implied in colour: liquidations over the kappa of their asset and side, so that they can be compared
    hour by hour, on an axis of square roots."""
    from matplotlib.dates import DateFormatter, DayLocator
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.ticker import StrMethodFormatter

    from ...report.plots import BLUE, INK, ORANGE, _style

    with _style():
        columns = max(len(check.hours), 1)
        figure = Figure(figsize=(4.6 * columns, sum(_ROWS)), dpi=150, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06))
        axes = figure.subplots(4, columns, squeeze=False, sharex=True, height_ratios=_ROWS)
        for column, one in enumerate(check.hours):
            top, *sides, last = axes[:, column]
            edges = np.append(one.time, one.time[-1] + _HOUR)
            top.plot(edges[1:], one.price, color=INK, linewidth=1.2)
            top.set_title(one.asset)
            for place, (panel, name, colour) in enumerate(zip(sides, ("long", "short"), (BLUE, ORANGE), strict=True)):
                kappa = check.size(one.asset, name).kappa
                by = kappa if np.isfinite(kappa) and kappa > 0.0 else 1.0
                panel.stairs(one.implied[:, place] / by, edges, color=colour, fill=True, alpha=0.55, linewidth=0.0,
                             label=f"implied / {by:.2g}")  # fmt: skip
                panel.stairs(one.observed[:, place], edges, color=INK, linewidth=0.9, baseline=None, label="reported")
                panel.set_yscale("function", functions=(lambda y: np.sqrt(np.maximum(y, 0.0)), np.square))
                most = float(np.nanmax([one.implied[:, place] / by, one.observed[:, place]]))
                panel.set_ylim(0.0, 1.05 * max(most, 1e-12))
                panel.set_yticks(_ticks(most))
                timing = check.timing(one.asset, name)
                said = f"correlation {timing.pearson:.2f}, of ranks {timing.spearman:.2f}"
                panel.legend(loc="upper left", title=said, title_fontsize="small", fontsize="small", alignment="left")
            for panel in (top, *sides):
                panel.yaxis.set_major_formatter(StrMethodFormatter("{x:,.6g}"))
            start = one.held_observed[0]
            last.plot(edges, 100.0 * one.held / start, color=BLUE, linewidth=1.6, label="implied")
            last.plot(edges, 100.0 * one.held_observed / start, color=INK, linewidth=1.2, label="observed")
            last.legend(loc="lower left", fontsize="small")
            last.xaxis.set_major_locator(DayLocator())
            last.xaxis.set_major_formatter(DateFormatter("%d"))
            last.set_xlim(edges[0], edges[-1])
            last.set_xlabel(f"day, {np.datetime_as_string(check.start, unit='M')}, UTC")
        liquidated = (f"{side} liquidated\ncoins an hour" for side in ("longs", "shorts"))
        for panel, name in zip(axes[:, 0], ("price, USD", *liquidated, "open interest\n% of the start's"), strict=True):
            panel.set_ylabel(name)
        figure.suptitle("The real price against the book, without impact", x=0.01, ha="left", fontsize=13)
        return figure


def _ticks(most: float) -> list[float]:
    """Zero, and a few round numbers that are spread on an axis of square roots."""
    if not most > 0.0:
        return [0.0]
    unit = 10.0 ** np.floor(np.log10(most))
    lead = most / unit
    steps = (0.1, 0.5, 1.0) if lead < 2.0 else (0.2, 1.0, 2.0) if lead < 5.0 else (0.5, 2.0, 5.0)
    return [0.0, *(unit * step for step in steps)]


__all__ = ["through_time"]
