"""Figures of studies: elasticities, designed limits with their frontier, rare events; and who pays for a cascade.

Matplotlib is imported when a figure is asked for.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..risk import tail
from .design_table import NO_LIMIT
from .plots import BLUE, GREEN, GREY, INK, ORANGE, RED, _figure, _nothing, _style, marked
from .study_table import Z, in_words, observable_in_words, odds, scaled, unit_of, unit_of_observable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .result import Result

_MOST_BARS = 30
_LEAST_SHARE = 0.03  # of the estimate: beyond, the proposal was not made for the event
_METHODS = {"pathwise": (BLUE, "o"), "bump": (ORANGE, "s")}
_PAYERS = (
    ("liquidation_fees", "liquidation fees, into the fund", BLUE),
    ("insurance_fund_used", "paid by the fund", GREEN),
    ("deleveraging_loss", "paid by the auto-deleveraged", ORANGE),
    ("socialised_loss", "socialised loss", RED),
)


def sensitivities(result: Any) -> "Figure":
    """Elasticities with 95% intervals, the largest first, marked by method; open squares are those of the full bump."""
    elasticity, error = np.asarray(result.elasticity, np.float64), np.asarray(result.elasticity_error, np.float64)
    known = np.flatnonzero(np.isfinite(elasticity))
    shown = known[np.argsort(-np.abs(elasticity[known]), kind="stable")][:_MOST_BARS]
    with _style():
        figure, grid = _figure(1, 1, (8.0, 1.6 + 0.28 * max(len(shown), 3)))
        axes = grid[0, 0]
        _headed(figure, _capital(in_words(result.measure)))
        if not shown.size:
            _nothing(axes, "no elasticity: a parameter or the measure is zero")
            return figure
        rows = np.arange(len(shown))
        for method, (colour, marker) in _METHODS.items():
            mine = np.array([result.method[k] == method for k in shown])
            if mine.any():
                axes.errorbar(elasticity[shown[mine]], rows[mine], xerr=Z * error[shown[mine]], fmt=marker, color=colour,
                              markersize=5, capsize=2.5, linewidth=1.4, label=method)  # fmt: skip
        _full_bump(axes, result, shown, rows)
        axes.axvline(0.0, color=GREY, linewidth=0.9)
        axes.set_yticks(rows, [result.parameters[k].name for k in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        more = f"; {len(known) - len(shown)} smaller ones left out" if len(known) > len(shown) else ""
        axes.set_xlabel(f"elasticity: % of the measure per % of the parameter, with 95% interval{more}")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return figure


def _full_bump(axes: "Axes", result: Any, shown: np.ndarray, rows: np.ndarray) -> None:
    if getattr(result, "checked", None) is None:
        return
    value = np.array([one.value for one in result.parameters]) / float(result.estimate.value)
    centre, error = (np.asarray(array, np.float64) * value for array in result.checked)
    axes.errorbar(centre[shown], rows + 0.22, xerr=Z * np.abs(error[shown]), fmt="s", mfc="white", color=GREY, markersize=4,
                  capsize=2.0, linewidth=1.0, label="full bump")  # fmt: skip


def design(result: Any) -> "Figure":
    """Each limit before and after, and the frontier of the measure against the open interest forgone."""
    number = len(result.parameters)
    with _style():
        figure, grid = _figure(1, 2, (11.0, max(3.6, 1.6 + 0.28 * min(number, _MOST_BARS))))
        _limits(grid[0, 0], result)
        _frontier(grid[0, 1], result)
        _headed(figure, _capital(in_words(result.measure)))
        return figure


def _limits(axes: "Axes", result: Any) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    before, after = (np.where(np.asarray(array) < NO_LIMIT, array, np.nan) for array in (result.before, result.after))
    order = np.argsort(np.nan_to_num(after / before, nan=1.0) + np.isnan(after), kind="stable")[:_MOST_BARS]
    before, after, rows = before[order], after[order], np.arange(len(order))
    span = np.concatenate([before, after])
    span = span[np.isfinite(span)]
    low, high = (span.min() / 1.6, span.max() * 1.6) if span.size else (1.0, 100.0)
    axes.set_title("Limits before and after")
    axes.hlines(rows, after, np.where(np.isnan(before), high, before), color=GREY, linewidth=1.2)
    if not np.isnan(before).all():
        axes.plot(before, rows, "o", mfc="white", color=GREY, markersize=6, label="before")
    axes.plot(after, rows, "o", color=BLUE, markersize=6, label="after")
    for row in rows[np.isfinite(after)]:
        axes.annotate(f"{after[row]:.3g}x", (after[row], row), (0, 5), textcoords="offset points", ha="center", fontsize=8.5,
                      color=BLUE)  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(_ticks(low, high))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}x"))
    axes.set_yticks(
        rows, [result.parameters[k].name + (": none" if np.isnan(x) else "") for k, x in zip(order, after, strict=True)]
    )
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    none = "; a line to the edge: no limit before" if np.isnan(before).any() else ""
    axes.set_xlabel(f"highest leverage{none}")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0.1)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers of a range, far enough apart on a log axis for their labels."""
    ticks: list[float] = []
    for number in _TICKS:
        if low <= number <= high and (not ticks or math.log(number / ticks[-1]) > 0.1 * math.log(high / low)):
            ticks.append(number)
    return ticks


_TICKS = [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, 40, 50, 70, 100, 125, 150, 200, 300, 500, 1000]


def _frontier(axes: "Axes", result: Any) -> None:
    axes.set_title("What a budget costs")
    factor, name = scaled(unit_of(result.measure), result.budget)
    rows = sorted((row["measure"].value, row["cost"], row["measure"].standard_error) for row in result.frontier)
    rows = [row for row in rows if row[:2] != (result.estimate.value, result.cost)]
    scale, unit = scaled("USD", max(abs(cost) for cost in [result.cost, *(row[1] for row in rows)]))
    if rows:
        measure, cost, error = np.array(rows).T * [[factor], [scale], [Z * factor]]
        axes.errorbar(
            measure, cost, xerr=error, fmt="o", color=GREY, markersize=4, linewidth=1.0, capsize=2, label="other budgets"
        )
    error = Z * factor * float(result.estimate.standard_error)
    axes.errorbar(factor * result.estimate.value, scale * result.cost, xerr=error, fmt="o", color=BLUE, markersize=7, capsize=3,
                  zorder=3, label="this one, on fresh paths" if result.feasible else "best found")  # fmt: skip
    axes.axvline(factor * result.budget, color=RED, linewidth=1.0, linestyle="--", label="budget")
    axes.set_ylim(0.0, 1.3 * max(axes.get_ylim()[1], 1e-12))
    axes.set(xlabel=f"measure ({name}), with 95% interval", ylabel=f"open interest forgone ({unit})")
    axes.legend(loc="upper right")


def rare_event(result: Any) -> "Figure":
    """The exceedance curve about the level, with its 95% band."""
    with _style():
        figure, grid = _figure(1, 1, (6.6, 4.2))
        axes = grid[0, 0]
        level, estimate = float(result.level), result.estimate
        factor, name = scaled(unit_of_observable(result.observable), level)
        _headed(figure, _capital(observable_in_words(result.observable)))
        curve = _curve_about(result)
        if curve is not None:
            x = factor * np.asarray(curve.level)
            if result.method != "splitting":  # its paths share their beginnings: a band as if they did not would be too narrow
                axes.fill_between(x, np.maximum(curve.low, 1e-300), curve.high, color=BLUE, alpha=0.18, linewidth=0.0)
            axes.plot(x, curve.value, color=BLUE)
        if not estimate.value > 0.0:
            _nothing(axes, "the level was not reached on any path")
            return figure
        errors = [[max(estimate.value - estimate.low, 0.0)], [max(estimate.high - estimate.value, 0.0)]]
        axes.errorbar(factor * level, estimate.value, yerr=errors, fmt="o", color=RED, markersize=6, capsize=4, zorder=4)
        axes.annotate(odds(float(estimate.value)), (factor * level, estimate.value), (9, 5), textcoords="offset points",
                      color=RED, fontsize=9)  # fmt: skip
        axes.set_yscale("log")
        axes.set(xlabel=f"level ({name})", ylabel="probability of more")
        return figure


def _curve_about(result: Any) -> Any:
    """Exceedance probabilities up to levels that the weighted paths still know well, or None."""
    try:
        values, weights = result.result().column(result.observable), result.result().log_weights
    except (AttributeError, KeyError, ValueError):
        return None
    top = np.quantile(values, 0.98) if len(values) else -math.inf
    low = np.quantile(values, 0.02) if weights is not None else 0.0
    levels = np.linspace(min(low, result.level), max(top, result.level), 60)
    curve = tail.exceedance_probability(values, levels, log_weights=weights)
    well = np.asarray(curve.value) >= _LEAST_SHARE * result.estimate.value
    good = well & (np.asarray(curve.standard_error) < 0.5 * np.asarray(curve.value))
    return curve._replace(**{f: np.asarray(getattr(curve, f))[good] for f in ("value", "low", "high", "level")})


def who_pays(result: "Result") -> "Figure":
    """What a cascade costs and whom, by venue: means with 95% intervals, stacked in the order in which they are drawn on.

    What a liquidation loses beyond its margin is paid by the venue's fund, which fees fill; then by the auto-deleveraged; what is
    left is socialised. Fees are set apart: the liquidated pay them, whether there is a loss or not.
    """
    with _style():
        venues = [str(venue) for venue in result.coords.get("venues", [])]
        figure, grid = _figure(1, 1, (max(6.2, 2.2 + 1.7 * len(venues)), 4.2))
        axes = grid[0, 0]
        _headed(figure, "Who pays, by venue: means over all paths")
        present = [(name, label, colour) for name, label, colour in _PAYERS if name in result.losses]
        if not venues or len(present) < 2:
            _nothing(axes, "no backstop in this scenario")
            return marked(figure, result)
        estimates = {name: [tail.mean(result.column(f"{name}[{v}]"), result.log_weights) for v in venues] for name, *_ in present}
        payers = [name for name, *_ in present if name != "liquidation_fees"]
        largest = max(sum(estimates[name][v].value for name in payers) for v in range(len(venues)))
        largest = max([largest, *(one.value for one in estimates.get("liquidation_fees", []))])
        scale, unit = scaled("USD", largest)
        places = np.arange(len(venues))
        base = np.zeros(len(venues))
        for name, label, colour in present:
            apart = name == "liquidation_fees"
            value = scale * np.array([one.value for one in estimates[name]])
            ends = scale * np.array([[one.value - one.low, one.high - one.value] for one in estimates[name]]).T
            x = places - 0.2 if apart else places + 0.2
            bottom = np.zeros(len(venues)) if apart else base
            axes.bar(x, value, 0.34, bottom=bottom, color=colour, label=label, alpha=0.9)
            some = value > 0.0
            axes.errorbar(x[some], (bottom + value)[some], yerr=np.maximum(ends[:, some], 0.0), fmt="none", ecolor=INK, capsize=3,
                          linewidth=1.0)  # fmt: skip
            base = base if apart else base + value
        axes.set_xticks(places, venues)
        axes.grid(axis="x", visible=False)
        axes.set_ylim(0.0, 1.15 * max(axes.get_ylim()[1], 1e-12))
        axes.set_ylabel(unit)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return marked(figure, result)


def plot(result: Any) -> "Figure":
    """The figure of any of these results."""
    from .attribution_plot import attribution, maturity
    from .range_tables import plot_ranges
    from .stress_plot import reverse_stress
    from .sweep_plots import study
    from .warning_table import picture

    figures: dict[str, Any] = {"Sensitivities": sensitivities, "ReverseStress": reverse_stress, "RareEvent": rare_event}
    figures |= {"Design": design, "Study": study, "OverRanges": plot_ranges}
    figures |= {"Attribution": attribution, "Warned": picture, "Maturity": maturity}
    return figures[type(result).__name__](result)


def _headed(figure: "Figure", text: str) -> None:
    """A title over the whole figure: over the axes alone a long one would be cut off."""
    figure.suptitle(text, x=0.012, ha="left", fontsize=11.5, fontweight="bold")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


__all__ = ["design", "plot", "rare_event", "sensitivities", "who_pays"]
