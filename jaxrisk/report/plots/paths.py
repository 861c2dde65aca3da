"""The whole paths that a run kept: each of them, a fan of them, and the open interest closed through time."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..summary import HOURS_PER_YEAR
from ..table import counted
from .style import BLUE, GREEN, GREY, ORANGE, axes_of, look, nothing, percents

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_BANDS = ((0.05, 0.95), (0.25, 0.75))
"""Shares of the kept paths between which a fan's bands lie."""
LEAST_BANDS = 40
"""Kept paths from which a fan has bands of shares; of fewer their lowest and highest are shown."""
_MOST_BINS = 24
_DAYS_FROM = 96.0
"""Hours beyond which time is told in days."""


def fan(result: Any, asset: str | None = None, ax: "Axes | None" = None) -> "Axes":
    """How prices and open interest move over the horizon on the whole paths that the run kept.

    The middle, and the bands that hold half and 90% of the paths at each time; of fewer than `LEAST_BANDS` paths the lowest and
    the highest, as no such share is known. Bands are of single times: a path is inside at one and outside at another.

    **Raises:** `ValueError` for an asset that there is not.
    """
    place, name = _asset(result, asset)
    with look():
        axes = axes_of(ax)
        price = _log_prices(result)
        if price is None:
            return nothing(axes, "no sample paths kept")
        moves = 100.0 * np.expm1(price[:, :, place])
        time, unit = _time(result, moves.shape[1])
        _fan(axes, time, moves, BLUE, f"price of {name}" if name else "price")
        held = _held(result)
        if held is not None:
            _fan(axes, time, 100.0 * (held - 1.0), GREEN, "open interest")
        axes.axhline(0.0, color=GREY, linewidth=0.8)
        percents(axes.yaxis, signed=True)
        axes.set_xlim(time[0], time[-1])
        axes.set(xlabel=f"time ({unit})", ylabel="change since the start")
        shown = "middle, and bands of 50% and 90%" if len(moves) >= LEAST_BANDS else "middle, lowest and highest"
        axes.set_title(f"{counted(len(moves), len(moves))} kept: {shown}")
        axes.legend(loc="best")
        return axes


def liquidations(result: Any, ax: "Axes | None" = None) -> "Axes":
    """When open interest is closed: what goes in each span of time, on the whole paths that the run kept.

    The middle and bands as in `fan`, and the kept path that loses most. Closed is what is gone of the open interest, whoever
    closed it, less what is opened anew.
    """
    with look():
        axes = axes_of(ax)
        axes.set_title("Open interest closed through time")
        held = _held(result)
        if held is None:
            return nothing(axes, "no open interest on sample paths kept")
        time, unit = _time(result, held.shape[1])
        edges = np.unique(np.linspace(0, held.shape[1] - 1, min(_MOST_BINS, held.shape[1] - 1) + 1).astype(int))
        closed = -100.0 * np.diff(held[:, edges], axis=1)
        drawn = _ends(closed)
        for low, high in drawn:
            axes.stairs(high, time[edges], baseline=low, fill=True, color=GREEN, alpha=0.22, linewidth=0.0)
        label = "half and 90% of kept paths" if len(drawn) > 1 else "lowest and highest"
        axes.stairs(np.median(closed, axis=0), time[edges], color=GREEN, baseline=None, label=f"middle; bands: {label}")
        worst = int(np.argmin(held[:, -1]))
        axes.stairs(closed[worst], time[edges], color=ORANGE, baseline=None, linewidth=1.1, label="path that loses most")
        axes.axhline(0.0, color=GREY, linewidth=0.8)
        axes.set_xlim(time[0], time[-1])
        percents(axes.yaxis)
        span = (time[-1] - time[0]) / (len(edges) - 1) if len(edges) > 1 else 0.0
        length = f"1 {unit.removesuffix('s')}" if f"{span:.3g}" == "1" else f"{span:.3g} {unit}"
        axes.set(xlabel=f"time ({unit})", ylabel=f"closed in {length}, of the start's")
        axes.margins(y=0.25)
        axes.legend(loc="upper right")
        return axes


def paths(result: Any, ax: "Axes | None" = None, asset: str | None = None) -> "Axes":
    """The whole paths that the run kept, the one that falls furthest in colour; in USD where the initial price is known.

    **Raises:** `ValueError` for an asset that there is not.
    """
    place, name = _asset(result, asset)
    with look():
        axes = axes_of(ax)
        axes.set_title(f"Sample paths of {name}" if name else "Sample paths")
        array = _log_prices(result)
        if array is None:
            return nothing(axes, "no sample paths kept")
        initial = result.info.get(f"initial_price.{name}")
        price = np.exp(array[:, :, place]) * (initial or 100.0)
        time, unit = _time(result, array.shape[1])
        worst = int(np.argmin(price.min(axis=1)))
        for line in np.delete(price, worst, axis=0):
            axes.plot(time, line, color=GREY, linewidth=0.8, alpha=0.55)
        axes.plot(time, price[worst], color=BLUE, zorder=3)
        _trough(axes, time, price[worst])
        axes.margins(y=0.12)
        axes.set_xlim(time[0], time[-1])
        axes.yaxis.set_major_formatter(lambda number, _: f"{number:,.10g}")
        axes.set(xlabel=f"time ({unit})", ylabel="price (USD)" if initial else "price (initial = 100)")
        return axes


def _trough(axes: "Axes", time: np.ndarray, price: np.ndarray) -> None:
    """The lowest point of a path, with how far it is below the start."""
    trough = int(np.argmin(price))
    late = trough > 0.7 * time.size
    at, label = (time[trough], price[trough]), f"{100.0 * (price[trough] / price[0] - 1.0):+.1f}%"
    axes.plot(*at, "o", color=BLUE, markersize=4, zorder=4)
    axes.annotate(label, at, (-6 if late else 6, -4), textcoords="offset points", ha="right" if late else "left", va="top",
                  fontsize="small", color=BLUE)  # fmt: skip


def _asset(result: Any, asset: str | None) -> tuple[int, str]:
    """Place and name of an asset, the first where none is named."""
    names = [str(one) for one in result.coords.get("assets", [])]
    if asset is not None and asset not in names:
        from ...observables import unknown

        raise unknown("asset", asset, names)
    place = 0 if asset is None else names.index(asset)
    return place, names[place] if names else ""


def _log_prices(result: Any) -> np.ndarray | None:
    """Log prices over the initial ones, of shape (sample, steps + 1, assets); None where no path was kept."""
    price = result.samples.get("price")
    return None if price is None or not len(price) else np.asarray(price, dtype=np.float64)


def _held(result: Any) -> np.ndarray | None:
    """Open interest over that at the start, `(sample, steps + 1)`; None where it was not kept, or there is none."""
    held = result.samples.get("open_interest")
    if held is None or not len(held) or not float(np.asarray(held)[:, 0].sum()) > 0.0:
        return None
    total = np.asarray(held, np.float64).reshape(*np.shape(held)[:2], -1).sum(-1)
    return total / total[:, :1]


def _time(result: Any, count: int) -> tuple[np.ndarray, str]:
    """Times of the steps, the start included, and their unit."""
    hours = float(result.info.get("horizon_years", 0.0)) * HOURS_PER_YEAR
    if not hours > 0.0:
        return np.arange(count, dtype=np.float64), "steps"
    days = hours > _DAYS_FROM
    return np.linspace(0.0, hours / 24.0 if days else hours, count), "days" if days else "hours"


def _ends(values: np.ndarray) -> list[Any]:
    """Lower and upper ends of the bands over paths, the widest first."""
    bands = _BANDS if len(values) >= LEAST_BANDS else ((0.0, 1.0),)
    return [np.quantile(values, band, axis=0) for band in bands]


def _fan(axes: "Axes", time: np.ndarray, values: np.ndarray, colour: str, label: str) -> None:
    for low, high in _ends(values):
        axes.fill_between(time, low, high, color=colour, alpha=0.2, linewidth=0.0)
    axes.plot(time, np.median(values, axis=0), color=colour, label=label)


__all__ = ["LEAST_BANDS", "fan", "liquidations", "paths"]
