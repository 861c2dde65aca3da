"""Pictures of a run: `overview`, and one by one in `PICTURES`."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ...risk import tail
from ..study_table import scaled
from ..table import counted
from .losses import FALL, LOST, exceedance, joint, return_levels
from .marks import marked, unfinished, waterfall
from .paths import fan, liquidations, paths
from .style import BLUE, GREEN, GREY, INK, ORANGE, RED, SERIES, axes_of, figure_of, headed, look, nothing, percents

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_PAYERS = (
    ("insurance_fund_used", "the fund", GREEN),
    ("deleveraging_loss", "the auto-\ndeleveraged", ORANGE),
    ("socialised_loss", "socialised", RED),
)
_FEES = ("liquidation_fees", "liquidation fees, into the fund", BLUE)
_SHOWN = 40.0
"""Per cent either way beyond which a fragility map is cut off."""


def overview(result: Any) -> "Figure":
    """Sample paths, fragility map and exceedance curves in one figure."""
    with look():
        figure, axes = figure_of(2, 2, (11.0, 7.4))
        paths(result, axes[0, 0])
        fragility(result, axes[0, 1])
        _either(exceedance, result, axes[1, 0], FALL, "Maximum drawdown of the index")
        _either(exceedance, result, axes[1, 1], LOST, "Open interest lost")
        title = result.info.get("title") or result.info.get("name")
        marked(figure, result)
        if title:
            figure.supxlabel("")
            headed(figure, f"{title}   ({counted(result.paths, result.planned)})")
        return figure


def levels(result: Any) -> "Figure":
    """Return levels of the drawdown and of the open interest lost, side by side. Raises as `return_levels`."""
    with look():
        figure, axes = figure_of(1, 2, (10.6, 4.2))
        _either(return_levels, result, axes[0, 0], FALL, "Maximum drawdown of the index, and how often")
        _either(return_levels, result, axes[0, 1], LOST, "Open interest lost, and how often")
        return marked(figure, result)


def _either(draw: Any, result: Any, axes: "Axes", of: str, title: str) -> None:
    if of in result.losses:
        draw(result, axes, of)
    else:
        axes.set_title(title)
        nothing(axes, "not observed")


def fragility(result: Any, ax: "Axes | None" = None) -> "Axes":
    """The fragility map: how many dollars of forced orders one dollar triggers, at each price; above 1 is runaway."""
    with look():
        axes = axes_of(ax)
        axes.set_title("Fragility: forced dollars per forced dollar")
        if "level" not in result.curves or "value" not in result.curves:
            return nothing(axes, "no fragility curve")
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
                      ha="right", va="bottom", fontsize="small", color=RED)  # fmt: skip
        axes.axvline(0.0, color=GREY, linewidth=0.8)
        axes.set_ylim(0.0, max(1.25, 1.08 * float(np.nanmax(value, initial=0.0))))
        # beyond there is rarely anything to see, but a runaway is always shown
        shown = (np.abs(move) <= _SHOWN) | (value >= 1.0).any(axis=1)
        shown = shown if shown.any() else np.ones_like(shown)
        axes.set_xlim(move[shown].min(), move[shown].max())
        percents(axes.xaxis, signed=True)
        axes.set(xlabel="price against the initial price", ylabel="n, next forced dollar per dollar")
        if value.shape[1] > 1:
            axes.legend(loc="best")
        return axes


def who_pays(result: Any, ax: "Axes | None" = None, venue: str | None = None) -> "Axes":
    """Who pays for what liquidations lose beyond their margin: a mean over paths, from payer to payer up to the whole, with 95%
    intervals; over all venues, or on one.

    **Raises:** `ValueError` for a venue that there is not.
    """
    venues = [str(one) for one in result.coords.get("venues", [])]
    if venue is not None and venue not in venues:
        from ...observables import unknown

        raise unknown("venue", venue, venues)
    with look():
        axes = axes_of(ax)
        axes.set_title(f"Who pays for losses beyond the margin{f', on {venue}' if venue else ''}")
        present = [one for one in _PAYERS if one[0] in result.losses]
        if not present:
            return nothing(axes, "no backstop in this scenario")
        columns = [result.column(f"{name}[{venue or '*'}]") for name, *_ in present]
        found = [tail.mean(values, result.log_weights) for values in (*columns, np.sum(columns, axis=0))]
        factor, unit = scaled("USD", max(one.value for one in found))
        steps, errors = (factor * np.array([getattr(one, key) for one in found]) for key in ("value", "standard_error"))
        names = [*(label for _, label, _ in present), "all together"]
        colours = [*(colour for *_, colour in present), GREY]
        waterfall(axes, names, steps, errors, colours, [*(False for _ in present), True])
        axes.set_ylabel(f"mean of a path, {unit}")
        unfinished(axes, result)
        return axes


def payers(result: Any) -> "Figure":
    """What a cascade costs and whom, by venue: means with 95% intervals, stacked in the order in which they are drawn on.

    What a liquidation loses beyond its margin is paid by the venue's fund, which fees fill; then by the auto-deleveraged; what is
    left is socialised. Fees are set apart: the liquidated pay them, whether there is a loss or not.
    """
    with look():
        venues = [str(venue) for venue in result.coords.get("venues", [])]
        figure, grid = figure_of(1, 1, (max(6.6, 2.6 + 1.7 * len(venues)), 4.2))
        axes = grid[0, 0]
        headed(figure, "Who pays, by venue: means over all paths")
        present = [(name, label.replace("\n", ""), colour) for name, label, colour in (_FEES, *_PAYERS) if name in result.losses]
        if not venues or len(present) < 2:
            nothing(axes, "no backstop in this scenario")
            return marked(figure, result)
        _stacked(axes, result, venues, present)
        return marked(figure, result)


def _stacked(axes: "Axes", result: Any, venues: list[str], present: list[tuple[str, str, str]]) -> None:
    estimates = {name: [tail.mean(result.column(f"{name}[{v}]"), result.log_weights) for v in venues] for name, *_ in present}
    apart = _FEES[0]
    largest = max(sum(estimates[name][v].value for name, *_ in present if name != apart) for v in range(len(venues)))
    scale, unit = scaled("USD", max([largest, *(one.value for one in estimates.get(apart, []))]))
    places, base = np.arange(len(venues)), np.zeros(len(venues))
    for name, label, colour in present:
        value = scale * np.array([one.value for one in estimates[name]])
        ends = scale * np.array([[one.value - one.low, one.high - one.value] for one in estimates[name]]).T
        x, bottom = (places - 0.2, np.zeros(len(venues))) if name == apart else (places + 0.2, base)
        axes.bar(x, value, 0.34, bottom=bottom, color=colour, label=label, alpha=0.9)
        some = value > 0.0
        axes.errorbar(x[some], (bottom + value)[some], yerr=np.maximum(ends[:, some], 0.0), fmt="none", ecolor=INK, capsize=3,
                      linewidth=1.0)  # fmt: skip
        base = base if name == apart else base + value
    axes.set_xticks(places, venues)
    axes.grid(axis="x", visible=False)
    axes.set_ylim(0.0, 1.15 * max(axes.get_ylim()[1], 1e-12))
    axes.set_ylabel(f"mean of a path, {unit}")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


whole = overview
PICTURES = {
    "exceedance": exceedance, "return_levels": return_levels, "fragility": fragility, "fan": fan, "paths": paths, "joint": joint,
    "liquidations": liquidations, "who_pays": who_pays,
}  # fmt: skip

__all__ = ["PICTURES", "exceedance", "fan", "fragility", "joint", "levels", "liquidations", "overview", "paths", "payers",
           "return_levels", "who_pays", "whole"]  # fmt: skip
