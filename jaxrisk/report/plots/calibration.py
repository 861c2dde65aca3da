"""Pictures of a calibration: how much open interest would be liquidated by a move, and the leverage that was fitted."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .style import GREY, SERIES, axes_of, figure_of, headed, look, nothing, percents

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def calibration(result: Any) -> "Figure":
    """The ladder, and the medians of leverage where accounts were read."""
    columns = 2 if result.leverage is not None else 1
    with look():
        figure, grid = figure_of(1, columns, (5.6 * columns + 0.8, 4.2))
        ladder(result, grid[0, 0])
        if columns > 1:
            leverage(result, grid[0, 1])
        headed(figure, f"Calibration of {result.name}")
        return figure


def ladder(result: Any, ax: "Axes | None" = None) -> "Axes":
    """Share of each side's open interest whose liquidation price lies within a move; dashed with the leverage of the sample as
    it was. The fitted leverage's error is not in it."""
    with look():
        axes = axes_of(ax)
        axes.set_title("Open interest that a move liquidates")
        moves = 100.0 * np.asarray(result.ladder.moves, np.float64)
        for place, (key, share) in enumerate(result.ladder.share.items()):
            colour, marker = SERIES[place % len(SERIES)], "osv^"[place % 4]
            axes.plot(moves, 100.0 * np.asarray(share), color=colour, marker=marker, markersize=4, label=" ".join(key))
            if result.ladder_before is not None:
                axes.plot(moves, 100.0 * np.asarray(result.ladder_before.share[key]), color=colour, linestyle="--", linewidth=1.0)
        percents(axes.xaxis)
        percents(axes.yaxis)
        axes.set_ylim(bottom=0.0)
        dashed = "; dashed: leverage not corrected" if result.ladder_before is not None else ""
        axes.set(
            xlabel=f"move of the price against the side{dashed}\nthe error of the leverage is not in it",
            ylabel="share of the side's open interest",
        )
        axes.legend(loc="upper left")
        return axes


def leverage(result: Any, ax: "Axes | None" = None) -> "Axes":
    """Median leverage of each population that was fitted, with its range, and as it was in the sample."""
    with look():
        axes = axes_of(ax)
        axes.set_title("Median leverage")
        if result.leverage is None:
            return nothing(axes, "no accounts were read")
        fits = result.leverage.fits
        for row, one in enumerate(fits.values()):
            value, raw, low, high = (one.values["median"], one.uncorrected["median"], one.low["median"], one.high["median"])
            axes.plot([low, high], [row, row], color=SERIES[0], solid_capstyle="butt")
            axes.plot(value, row, "o", color=SERIES[0], label="corrected, with its range" if row == 0 else None)
            axes.plot(raw, row, "o", mfc="white", color=GREY, label="in the sample" if row == 0 else None)
        axes.set_yticks(range(len(fits)), [" ".join(key) for key in fits])
        axes.set_ylim(len(fits) - 0.4, -0.6)
        axes.set_xlim(0.0, 1.05 * axes.get_xlim()[1])
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("account notional over account value")
        axes.legend(loc="best")
        return axes


whole = calibration
PICTURES = {"ladder": ladder, "leverage": leverage}

__all__ = ["PICTURES", "calibration", "ladder", "leverage", "whole"]
