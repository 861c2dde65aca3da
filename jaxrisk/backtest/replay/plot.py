"""Pictures of the replay check: price, liquidations by side and open interest through time, a column an asset."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .check import ReplayCheck

_ROWS = (2.0, 2.4, 2.4, 2.4)
_SIDES = ("long", "short")
_HOUR = np.timedelta64(1, "h")


def through_time(check: "ReplayCheck") -> "Figure":
    """Observed in black, implied in colour: liquidations over the kappa of their asset and side, so that they can be compared
    hour by hour, on an axis of square roots."""
    from ...report.plots.style import figure_of, headed, look

    with look():
        columns = max(len(check.hours), 1)
        figure, axes = figure_of(4, columns, (4.6 * columns, sum(_ROWS)), sharex=True, height_ratios=_ROWS)
        for column, one in enumerate(check.hours):
            _price(axes[0, column], one)
            for panel, side in zip(axes[1:3, column], _SIDES, strict=True):
                _liquidated(panel, check, one, side)
            _held(axes[3, column], one, check.start)
        liquidated = (f"{side}s liquidated\ncoins an hour" for side in _SIDES)
        for panel, name in zip(axes[:, 0], ("price, USD", *liquidated, "open interest\n% of the start's"), strict=True):
            panel.set_ylabel(name)
        headed(figure, "The real price against the book, without impact")
        return figure


def liquidations(check: "ReplayCheck", ax: "Axes | None" = None, asset: str | None = None, side: str = "long") -> "Axes":
    """Liquidations of a side by the hour, reported and implied by the book, on an axis of square roots.

    **Raises:** `ValueError` for an asset or side that there is not.
    """
    from ...observables import unknown
    from ...report.plots.style import axes_of, look

    assets = {one.asset: one for one in check.hours}
    if asset is not None and asset not in assets:
        raise unknown("asset", asset, assets)
    if side not in _SIDES:
        raise unknown("side", side, _SIDES)
    one = assets[asset or next(iter(assets))]
    with look():
        axes = axes_of(ax)
        _liquidated(axes, check, one, side)
        _dates(axes, one, check.start)
        axes.set_title(f"{side.capitalize()}s of {one.asset} liquidated")
        axes.set_ylabel("coins an hour")
        return axes


def _edges(one: Any) -> np.ndarray:
    return np.append(one.time, one.time[-1] + _HOUR)


def _price(panel: "Axes", one: Any) -> None:
    from ...report.plots.style import INK

    panel.plot(_edges(one)[1:], one.price, color=INK, linewidth=1.2)
    panel.set_title(one.asset)
    panel.yaxis.set_major_formatter("{x:,.6g}")


def _liquidated(panel: "Axes", check: "ReplayCheck", one: Any, side: str) -> None:
    """Implied over the kappa of the asset and side, so that it can be compared hour by hour with what was reported."""
    from ...report.plots.style import BLUE, INK, ORANGE

    place, colour = _SIDES.index(side), (BLUE, ORANGE)[_SIDES.index(side)]
    kappa = check.size(one.asset, side).kappa
    by = kappa if np.isfinite(kappa) and kappa > 0.0 else 1.0
    edges = _edges(one)
    panel.stairs(one.implied[:, place] / by, edges, color=colour, fill=True, alpha=0.55, linewidth=0.0,
                 label=f"implied / {by:.2g}")  # fmt: skip
    panel.stairs(one.observed[:, place], edges, color=INK, linewidth=0.9, baseline=None, label="reported")
    panel.set_yscale("function", functions=(lambda y: np.sqrt(np.maximum(y, 0.0)), np.square))
    most = float(np.nanmax([one.implied[:, place] / by, one.observed[:, place]]))
    panel.set_ylim(0.0, 2.8 * max(most, 1e-12))
    panel.set_yticks(_ticks(most))
    panel.yaxis.set_major_formatter("{x:,.6g}")
    timing = check.timing(one.asset, side)
    said = f"correlation {timing.pearson:.2f}, of ranks {timing.spearman:.2f}"
    panel.legend(loc="upper left", title=said, title_fontsize="small", alignment="left", ncols=2)


def _held(panel: "Axes", one: Any, start: Any) -> None:
    from ...report.plots.style import BLUE, INK

    first = one.held_observed[0]
    panel.plot(_edges(one), 100.0 * one.held / first, color=BLUE, linewidth=1.6, label="implied")
    panel.plot(_edges(one), 100.0 * one.held_observed / first, color=INK, linewidth=1.2, label="observed")
    panel.legend(loc="best")
    _dates(panel, one, start)


def _dates(panel: "Axes", one: Any, start: Any) -> None:
    from matplotlib.dates import DateFormatter, DayLocator

    panel.xaxis.set_major_locator(DayLocator())
    panel.xaxis.set_major_formatter(DateFormatter("%d"))
    panel.set_xlim(_edges(one)[0], _edges(one)[-1])
    panel.set_xlabel(f"day, {np.datetime_as_string(start, unit='M')}, UTC")


def _ticks(most: float) -> list[float]:
    """Zero, and a few round numbers that are spread on an axis of square roots."""
    if not most > 0.0:
        return [0.0]
    unit = 10.0 ** np.floor(np.log10(most))
    lead = most / unit
    steps = (0.1, 0.5, 1.0) if lead < 2.0 else (0.2, 1.0, 2.0) if lead < 5.0 else (0.5, 2.0, 5.0)
    return [0.0, *(unit * step for step in steps)]


whole = through_time
PICTURES = {"liquidations": liquidations}

__all__ = ["PICTURES", "liquidations", "through_time", "whole"]
