"""Figures of a result: exceedance curves, the fragility map, sample paths, and the three together.

Matplotlib is imported when a figure is asked for. Colours are Okabe and Ito's, which colour-blind readers can tell apart.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from .summary import HOURS_PER_YEAR
from .table import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .result import Result

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442"
GREY, INK = "#8A8A8A", "#2B2B2B"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)

_STYLE: dict[Any, Any] = {
    "font.size": 10.0, "axes.titlesize": 10.5, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.labelsize": 9.5,
    "axes.edgecolor": GREY, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK,
    "xtick.labelsize": 9.0, "ytick.labelsize": 9.0, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8,
    "axes.grid": True, "grid.color": "#E6E6E6", "grid.linewidth": 0.7, "axes.axisbelow": True, "legend.frameon": False,
    "legend.fontsize": 9.0, "lines.linewidth": 1.6, "figure.facecolor": "white", "savefig.facecolor": "white",
}  # fmt: skip


def exceedance(result: "Result") -> "Figure":
    """Exceedance curves with 95% bands: drawdown of the index with and without feedback, and the open-interest loss.

    The darker band holds at each loss, the lighter at all losses at once.
    """
    with _style():
        figure, axes = _figure(1, 2, (10.0, 4.2))
        _drawdown_curve(axes[0, 0], result)
        _open_interest_curve(axes[0, 1], result)
        return marked(figure, result)


def fragility(result: "Result") -> "Figure":
    """The fragility map: how many dollars of forced orders one dollar triggers, at each price; above 1 is runaway."""
    with _style():
        figure, axes = _figure(1, 1, (6.0, 4.2))
        _fragility_curve(axes[0, 0], result)
        return marked(figure, result)


def paths(result: "Result") -> "Figure":
    """The whole paths that the run kept, one panel an asset, in USD where the initial prices are known."""
    with _style():
        array = _log_prices(result)
        number = 1 if array is None else array.shape[2]
        figure, axes = _figure(1, number, (max(6.0, 4.2 * number), 4.2))
        for place in range(number):
            _sample_paths(axes[0, place], result, place)
        return marked(figure, result)


def overview(result: "Result") -> "Figure":
    """Sample paths, fragility map and exceedance curves in one figure."""
    with _style():
        figure, axes = _figure(2, 2, (11.0, 7.4))
        _sample_paths(axes[0, 0], result, 0)
        _fragility_curve(axes[0, 1], result)
        _drawdown_curve(axes[1, 0], result)
        _open_interest_curve(axes[1, 1], result)
        title = result.info.get("title") or result.info.get("name")
        if title:
            figure.suptitle(f"{title}   ({counted(result.paths, result.planned)})", x=0.01, ha="left", fontsize=13)
        return figure if title else marked(figure, result)


def marked(figure: "Figure", result: "Result") -> "Figure":
    """The figure, with a line below it where the result's run is not finished."""
    if result.paths < result.planned:
        figure.supxlabel(counted(result.paths, result.planned), x=0.99, ha="right", fontsize=9, color=RED)
    return figure


def _style() -> Any:
    import matplotlib

    return matplotlib.rc_context(_STYLE)


def _figure(rows: int, columns: int, size: tuple[float, float]) -> tuple["Figure", Any]:
    # A Figure of its own, not pyplot's: nothing to close, no display needed, safe in threads.
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=size, dpi=150, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    return figure, figure.subplots(rows, columns, squeeze=False)


def _nothing(axes: "Axes", text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GREY)
    axes.set(xticks=[], yticks=[])


def _curve(axes: "Axes", result: "Result", name: str, colour: str, label: str | None) -> None:
    curve = result.exceedance_curve(name)
    seen = curve.value > 0.0
    if not seen.any():
        return
    levels, value = 100.0 * np.asarray(curve.level)[seen], curve.value[seen]
    least = 0.6 * float(value.min())
    for band, shade in ((result.exceedance_curve(name, simultaneous=True), 0.08), (curve, 0.14)):
        low, high = np.asarray(band.low)[seen], np.asarray(band.high)[seen]
        axes.fill_between(levels, np.maximum(low, 0.1 * least), high, color=colour, alpha=shade, linewidth=0.0)
    axes.plot(levels, value, color=colour, label=label)
    axes.set_yscale("log")
    axes.set_ylim(min(least, 1e-2, *([axes.get_ylim()[0]] if len(axes.lines) > 1 else [])), 1.3)


def _probability_axis(axes: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    if not axes.lines:
        return _nothing(axes, "no loss on any path")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100.0 * share:g}%"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlim(left=0.0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda percent, _: f"{percent:g}%"))


def _drawdown_curve(axes: "Axes", result: "Result") -> None:
    axes.set_title("Maximum drawdown of the index")
    if "max_drawdown_index" not in result.losses:
        return _nothing(axes, "no drawdown observed")
    if "max_drawdown_no_feedback_index" in result.losses:
        _curve(axes, result, "max_drawdown_no_feedback_index", ORANGE, "without liquidations")
    _curve(axes, result, "max_drawdown_index", BLUE, "with liquidations")
    _probability_axis(axes)
    axes.set(xlabel="drawdown within the horizon", ylabel="probability of a larger one")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="upper right")


def _open_interest_curve(axes: "Axes", result: "Result") -> None:
    axes.set_title("Open interest lost")
    if "open_interest_loss_fraction" not in result.losses:
        return _nothing(axes, "no open-interest loss observed")
    _curve(axes, result, "open_interest_loss_fraction", GREEN, None)
    _probability_axis(axes)
    axes.set(xlabel="share of initial open interest", ylabel="probability of a larger loss")


def _fragility_curve(axes: "Axes", result: "Result") -> None:
    from matplotlib.ticker import FuncFormatter

    axes.set_title("Fragility: forced dollars per forced dollar")
    if "level" not in result.curves or "value" not in result.curves:
        return _nothing(axes, "no fragility curve")
    level = np.asarray(result.curves["level"], dtype=np.float64)
    value = np.atleast_2d(np.asarray(result.curves["value"], dtype=np.float64)).T
    names = [str(asset) for asset in result.coords.get("assets", range(value.shape[1]))]
    move = 100.0 * np.expm1(level)
    for place in range(value.shape[1]):
        colour = SERIES[place % len(SERIES)]
        axes.plot(move, value[:, place], color=colour, label=names[place])
        axes.fill_between(move, 1.0, value[:, place], where=value[:, place] >= 1.0, color=RED, alpha=0.15, linewidth=0.0)
    axes.axhline(1.0, color=RED, linewidth=1.0, linestyle="--")
    axes.annotate("runaway above 1", (1.0, 1.0), (-2, 3), xycoords=("axes fraction", "data"), textcoords="offset points",
                  ha="right", va="bottom", fontsize=9, color=RED)  # fmt: skip
    axes.axvline(0.0, color=GREY, linewidth=0.8)
    axes.set_ylim(0.0, max(1.25, 1.08 * float(np.nanmax(value, initial=0.0))))
    # Beyond 40% either way there is rarely anything to see, but a runaway is always shown.
    shown = (np.abs(move) <= 40.0) | (value >= 1.0).any(axis=1)
    shown = shown if shown.any() else np.ones_like(shown)
    axes.set_xlim(move[shown].min(), move[shown].max())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda percent, _: f"{percent:+g}%" if percent else "0%"))
    axes.set(xlabel="price against the initial price", ylabel="n, next forced dollar per dollar")
    if value.shape[1] > 1:
        axes.legend(loc="best")


def _log_prices(result: "Result") -> np.ndarray | None:
    """Log prices over the initial ones, of shape (sample, steps + 1, assets)."""
    return np.asarray(result.samples["price"], dtype=np.float64) if "price" in result.samples else None


def _sample_paths(axes: "Axes", result: "Result", place: int) -> None:
    from matplotlib.ticker import FuncFormatter

    array = _log_prices(result)
    names = [str(asset) for asset in result.coords.get("assets", [])]
    asset = names[place] if place < len(names) else ""
    axes.set_title(f"Sample paths of {asset}" if asset else "Sample paths")
    if array is None:
        return _nothing(axes, "no sample paths kept")
    initial = result.info.get(f"initial_price.{asset}")
    price = np.exp(array[:, :, place]) * (initial or 100.0)
    hours = np.linspace(0.0, result.info.get("horizon_years", 0.0) * HOURS_PER_YEAR or array.shape[1] - 1.0, array.shape[1])
    days = "horizon_years" in result.info and hours[-1] > 96.0
    time = hours / 24.0 if days else hours
    worst = int(np.argmin(price.min(axis=1)))
    for index, line in enumerate(price):
        axes.plot(time, line, color=BLUE if index == worst else GREY, linewidth=1.4 if index == worst else 0.8,
                  alpha=1.0 if index == worst else 0.55, zorder=3 if index == worst else 2)  # fmt: skip
    trough = int(np.argmin(price[worst]))
    axes.plot(time[trough], price[worst, trough], "o", color=BLUE, markersize=4, zorder=4)
    share = price[worst, trough] / price[worst, 0] - 1.0
    late = trough > 0.7 * time.size
    at, label = (time[trough], price[worst, trough]), f"{100.0 * share:+.1f}%"
    axes.annotate(label, at, (-6 if late else 6, -4), textcoords="offset points", ha="right" if late else "left", va="top",
                  fontsize=9, color=BLUE)  # fmt: skip
    axes.margins(y=0.12)
    axes.set_xlim(time[0], time[-1])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.10g}"))
    unit = "days" if days else "hours" if "horizon_years" in result.info else "steps"
    axes.set(xlabel=f"time ({unit})", ylabel="price (USD)" if initial else "price (initial = 100)")


__all__ = ["exceedance", "fragility", "overview", "paths"]
