"""Losses of a run: how likely each is, how often it comes, and how a fall and the open interest lost go together."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ...observables import describe
from ...risk.estimate import TooFewPathsError
from ..study_table import observable_in_words, scaled
from .marks import unfinished
from .style import BLUE, GREEN, ORANGE, axes_of, capital, look, nothing, percents, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes


FALL, FALL_WITHOUT, LOST = "max_drawdown_index", "max_drawdown_no_feedback_index", "open_interest_loss_fraction"
DAYS = 365.0
_WITHOUT = ("max_drawdown", "max_drawdown_no_feedback")
_TITLES = {FALL: "Maximum drawdown of the index", LOST: "Open interest lost"}
_LABELS = {FALL: "drawdown within the horizon", LOST: "share of initial open interest"}
_MARKS = [(1 / DAYS, "day"), (7 / DAYS, "week"), (30 / DAYS, "month"), (1.0, "1 year"), (10.0, "10 years"), (100.0, "100"),
          (1000.0, "1,000"), (10_000.0, "10,000")]  # fmt: skip


def exceedance(result: Any, ax: "Axes | None" = None, of: str = FALL) -> "Axes":
    """The probability of a larger loss, over losses; of a drawdown with and without feedback.

    The darker band holds at each loss with 95%, the lighter at all losses at once.

    **Arguments:** `of`: one number a path, such as `max_drawdown[BTC]`.

    **Raises:** `ValueError` for an observable that there is not, with the nearest that there is.
    """
    with look():
        axes = axes_of(ax)
        drawn = [_curve(axes, result, *one) for one in _lines(result, of)]
        axes.set_title(wrapped(_TITLES.get(of) or observable_in_words(of)))
        if not any(drawn):
            return nothing(axes, "no loss on any path, or too few paths")
        _probabilities(axes, min(one for one in drawn if one))
        axes.set_xlim(left=0.0)
        unit = _unit(result, of)[1]
        if unit == "%":
            percents(axes.xaxis)
        axes.set(xlabel=_LABELS.get(of) or (unit if unit != "%" else "level"), ylabel="probability of a larger one")
        _legend(axes, "upper right")
        unfinished(axes, result)
        return axes


def return_levels(result: Any, ax: "Axes | None" = None, of: str = FALL) -> "Axes":
    """Losses against how often they are exceeded; the darker band holds at each loss with 95%, the lighter at all at once.

    **Raises:** `ValueError` where a probability is no frequency, as paths start from a stated day, and as `exceedance`.
    """
    result.return_period(of, 0.1)
    with look():
        axes = axes_of(ax)
        for line in _lines(result, of):
            _levels(axes, result, *line)
        axes.set_title(f"{_TITLES.get(of) or capital(observable_in_words(of))}, and how often")
        if not axes.lines:
            return nothing(axes, "no loss on any path, or too few paths")
        _years(axes)
        if _unit(result, of)[1] == "%":
            percents(axes.yaxis)
        axes.set(xlabel="return period", ylabel=_LABELS.get(of) or _unit(result, of)[1])
        _legend(axes, "upper left")
        unfinished(axes, result)
        return axes


def joint(result: Any, ax: "Axes | None" = None) -> "Axes":
    """Drawdown of the index against the open interest lost, a count of paths in each cell, on a logarithmic scale of colours."""
    with look():
        axes = axes_of(ax, (6.0, 4.4))
        axes.set_title("Fall and open interest lost")
        if FALL not in result.losses or LOST not in result.losses or not result.paths:
            return nothing(axes, "no drawdown or open-interest loss observed")
        fall, lost = (100.0 * np.asarray(result.column(name), np.float64) for name in (FALL, LOST))
        drawn = axes.hexbin(fall, lost, gridsize=(34, 22), bins="log", mincnt=1, cmap="cividis_r", linewidths=0.2)
        bar = axes.figure.colorbar(drawn, ax=axes, label="paths in a cell", format=lambda count, _: f"{count:,.0f}")
        bar.minorticks_off()
        bar.outline.set_visible(False)
        percents(axes.xaxis)
        percents(axes.yaxis)
        axes.set(xlabel="largest fall of the index", ylabel="open interest lost, share of the start's")
        unfinished(axes, result)
        return axes


def _lines(result: Any, of: str) -> list[tuple[str, str, str | None]]:
    """Observable, colour and label of each line: of a drawdown with and without liquidations."""
    base = of.partition("[")[0].removesuffix("_index")
    other = of.replace(*_WITHOUT, 1)
    if base == _WITHOUT[0] and other.partition("[")[0] in result.losses:
        return [(other, ORANGE, "without liquidations"), (of, BLUE, "with liquidations")]
    return [(of, GREEN if of == LOST else BLUE, None)]


def _unit(result: Any, of: str) -> tuple[float, str]:
    unit = describe(of.partition("[")[0]).unit
    return scaled(unit, float(np.max(np.abs(result.column(of)), initial=0.0)) if unit == "USD" else 1.0)


def _curves(result: Any, of: str) -> tuple[Any, Any] | None:
    """With pointwise intervals, and with those that hold at all levels at once; None where paths are too few."""
    try:
        return result.exceedance_curve(of), result.exceedance_curve(of, simultaneous=True)
    except TooFewPathsError:
        return None


def _curve(axes: "Axes", result: Any, of: str, colour: str, label: str | None) -> float:
    """Draws a curve with its bands; the least probability that is drawn, 0 where nothing is."""
    curves = _curves(result, of)
    if curves is None:
        return 0.0
    curve, together = curves
    seen = curve.value > 0.0
    if not seen.any() or not result.column(of).max() > 0.0:
        return 0.0
    levels, value = _unit(result, of)[0] * np.asarray(curve.level)[seen], curve.value[seen]
    least = 0.6 * float(value.min())
    for band, shade in ((together, 0.10), (curve, 0.20)):
        low, high = np.asarray(band.low)[seen], np.asarray(band.high)[seen]
        axes.fill_between(levels, np.maximum(low, 0.1 * least), high, color=colour, alpha=shade, linewidth=0.0)
    axes.plot(levels, value, color=colour, label=label)
    return least


def _probabilities(axes: "Axes", least: float) -> None:
    from matplotlib.ticker import NullLocator

    axes.set_yscale("log")
    axes.set_ylim(min(least, 1e-2), 1.3)
    axes.yaxis.set_major_formatter(lambda share, _: f"{100.0 * share:g}%")
    axes.yaxis.set_minor_locator(NullLocator())


def _levels(axes: "Axes", result: Any, of: str, colour: str, label: str | None) -> None:
    curves = _curves(result, of)
    if curves is None or not result.column(of).max() > 0.0:
        return
    curve, horizon = curves[0], float(result.info["horizon_years"])
    seen = (curve.value > 0.0) & (curve.value < 1.0)
    level = _unit(result, of)[0] * np.asarray(curve.level)[seen]
    years = lambda p: horizon / np.maximum(np.asarray(p)[seen], 1e-300)
    longest = 10.0 * float(years(curve.value).max(initial=horizon))
    for band, shade in ((curves[1], 0.10), (curve, 0.20)):
        ends = years(band.high), np.minimum(years(band.low), longest)
        axes.fill_betweenx(level, *ends, color=colour, alpha=shade, linewidth=0.0)
    axes.plot(years(curve.value), level, color=colour, label=label)


def _years(axes: "Axes") -> None:
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log")
    low, high = min(line.get_xdata().min() for line in axes.lines), max(line.get_xdata().max() for line in axes.lines)
    shown: list[Any] = [mark for mark in _MARKS if 0.7 * low <= mark[0] <= 3.0 * high]
    axes.set_xticks([mark for mark, _ in shown], [text for _, text in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(low, 2.0 * high)
    axes.set_ylim(bottom=0.0)


def _legend(axes: "Axes", place: str) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        axes.legend(handles[::-1], labels[::-1], loc=place)


__all__ = ["FALL", "LOST", "exceedance", "joint", "return_levels"]
