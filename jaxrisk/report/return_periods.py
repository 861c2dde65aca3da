"""How often a loss comes: rows of a summary, and a figure of return levels."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .plots import BLUE, GREEN, ORANGE, _figure, _nothing, _style, marked
from .table import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .result import Result

LEVELS = {
    "max_drawdown_index": ("return period of index drawdown", (0.05, 0.1, 0.15, 0.2, 0.3)),
    "open_interest_loss_fraction": ("return period of open-interest loss", (0.05, 0.1, 0.2)),
}
"""What is printed: the label of each observable, and its levels."""
DAYS = 365.0


def rows(result: "Result") -> Iterator[Row]:
    """A row for each level: in years, or in days where it is less than one."""
    for name, (label, levels) in LEVELS.items():
        if name not in result.losses:
            continue
        for level in levels:
            found = result.return_period(name, level)
            statistic = f"> {level:.0%}"
            if math.isinf(found.value):
                bound = f"more than {found.low:,.3g} years" if found.low >= 1.0 else f"more than {DAYS * found.low:,.3g} days"
                yield Row(label, statistic, None, "years", f"on no path: {bound}")
                continue
            factor, unit = (1.0, "years") if found.value >= 1.0 else (DAYS, "days")
            scaled = found._replace(**{key: factor * getattr(found, key) for key in ("value", "standard_error", "low", "high")})
            yield Row(label, statistic, scaled, unit)


def return_levels(result: "Result") -> "Figure":
    """Losses against how often they are exceeded, with 95% bands: drawdown of the index with and without feedback, and the
    open-interest loss. The darker band holds at each loss, the lighter at all at once."""
    with _style():
        figure, axes = _figure(1, 2, (10.0, 4.2))
        axes[0, 0].set_title("Drawdown of the index, and how often")
        _levels(axes[0, 0], result, "max_drawdown_no_feedback_index", ORANGE, "without liquidations")
        _levels(axes[0, 0], result, "max_drawdown_index", BLUE, "with liquidations")
        _axes(axes[0, 0], "drawdown within the horizon")
        axes[0, 1].set_title("Open interest lost, and how often")
        _levels(axes[0, 1], result, "open_interest_loss_fraction", GREEN, None)
        _axes(axes[0, 1], "share of initial open interest")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        if handles:
            axes[0, 0].legend(handles[::-1], labels[::-1], loc="upper left")
        return marked(figure, result)


def _levels(axes: "Axes", result: "Result", name: str, colour: str, label: str | None) -> None:
    if name not in result.losses or not result.column(name).max() > 0.0:
        return
    curve, horizon = result.exceedance_curve(name), float(result.info["horizon_years"])
    seen = (curve.value > 0.0) & (curve.value < 1.0)
    level = 100.0 * np.asarray(curve.level)[seen]
    years = lambda p: horizon / np.maximum(np.asarray(p)[seen], 1e-300)
    longest = 10.0 * float(years(curve.value).max(initial=horizon))
    for band, shade in ((result.exceedance_curve(name, simultaneous=True), 0.08), (curve, 0.14)):
        axes.fill_betweenx(
            level, years(band.high), np.minimum(years(band.low), longest), color=colour, alpha=shade, linewidth=0.0
        )
    axes.plot(years(curve.value), level, color=colour, label=label)


def _axes(axes: "Axes", label: str) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    if not axes.lines:
        return _nothing(axes, "no loss on any path")
    axes.set_xscale("log")
    marks = [(1 / DAYS, "day"), (7 / DAYS, "week"), (30 / DAYS, "month"), (1.0, "1 year"), (10.0, "10 years"), (100.0, "100"),
             (1000.0, "1,000"), (10_000.0, "10,000")]  # fmt: skip
    low, high = min(line.get_xdata().min() for line in axes.lines), max(line.get_xdata().max() for line in axes.lines)
    shown: list[Any] = [mark for mark in marks if 0.7 * low <= mark[0] <= 3.0 * high]
    axes.set_xticks([mark for mark, _ in shown], [text for _, text in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(low, 2.0 * high)
    axes.set_ylim(bottom=0.0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda percent, _: f"{percent:g}%"))
    axes.set(xlabel="return period", ylabel=label)


__all__ = ["LEVELS", "return_levels", "rows"]
