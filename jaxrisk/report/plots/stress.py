"""Pictures of a reverse stress test: a column an answer; prices, volatility and what drives them, one below another."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..study_table import level_in_words, observable_in_words
from .style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SERIES,
    axes_of,
    figure_of,
    headed,
    look,
    nothing,
    percents,
    wrapped,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ANSWERS = 4
"""Columns of the figure: the likeliest answers."""
_EARLY = 0.15
"""Share of the time before which a jump's label stands to its right."""
_STEP = 0.12
"""Of the axis, from a jump's label to the next."""


def reverse_stress(found: Any) -> "Figure":
    """Prices with and without liquidations, volatility with what has been liquidated, and the driving noise in time.

    **Arguments:** `found`: a `ReverseStress`.
    """
    answers = found.answers[:MOST_ANSWERS]
    with look():
        figure, axes = figure_of(3, len(answers), (max(5.4, 4.0 * len(answers)), 8.4))
        for column, answer in enumerate(answers):
            _prices(axes[0, column], found, answer)
            _volatility(axes[1, column], found, answer)
            _drive(axes[2, column], found, answer, legend=column == 0)
            axes[0, column].set_title(f"{column + 1}. {_name(answer)}: {_odds(answer.probability)}")
            for row in (0, 1):
                axes[row, column].set_xlabel("")
                axes[row, column].tick_params(labelbottom=False)
        for row in (0, 2):
            low, high = (f(axes[row, column].get_ylim()[i] for column in range(len(answers))) for i, f in ((0, min), (1, max)))
            for column in range(len(answers)):
                axes[row, column].set_ylim(low, high)
        # below the panels: inside one it would lie on jumps, or on a path
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, 1 + len(found.assets)))
        headed(figure, wrapped(_asked(found), 30 * max(2, len(answers))))
        return figure


def path(found: Any, ax: "Axes | None" = None, way: int = 1) -> "Axes":
    """A most likely path to the loss: the price with liquidations and, dashed, without them; lines where it jumps.

    **Arguments:** `way`: 1 for the likeliest, as numbered in the summary.

    **Raises:** `ValueError` for a way that was not found.
    """
    answer = _way(found, way)
    with look():
        axes = axes_of(ax)
        _prices(axes, found, answer)
        axes.set_title(f"{wrapped(_asked(found), 48)}\n{way}. {_name(answer)}: {_odds(answer.probability)}")
        axes.legend(loc="lower left" if not answer.jumps else "best")
        return axes


def liquidations(found: Any, ax: "Axes | None" = None, way: int = 1) -> "Axes":
    """What has been liquidated along a most likely path, through time, and the volatility where it moves.

    **Arguments** and **raises:** as `path`.
    """
    answer = _way(found, way)
    with look():
        axes = axes_of(ax)
        _volatility(axes, found, answer)
        axes.set_title(f"{way}. {_name(answer)}: liquidated so far")
        return axes


def _way(found: Any, way: int) -> Any:
    if not 1 <= way <= len(found.answers):
        raise ValueError(f"way {way}: there are {len(found.answers)}, from 1")
    return found.answers[way - 1]


def _asked(found: Any) -> str:
    asked = f"{observable_in_words(found.observable)} of {level_in_words(found.observable, found.level)}"
    return f"The most likely ways to a {asked}"


def _name(answer: Any) -> str:
    number = len(answer.jumps)
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")  # "1. 2 jumps" would read as 1.2
    return f"{words[number] if number < len(words) else number} jump{'' if number <= 1 else 's'}"


def _odds(probability: float) -> str:
    if not probability > 1e-300:
        return "below 1e-300"
    digit, _, power = f"{probability:.0e}".partition("e")
    return f"about {digit}e{int(power)}"


def _time(found: Any) -> tuple[np.ndarray, float, str]:
    """Times of the steps, hours in one of their units, and the unit."""
    hours = np.asarray(found.hours())
    days = hours[-1] > 96.0
    return (hours / 24.0, 24.0, "days") if days else (hours, 1.0, "hours")


def _prices(axes: "Axes", found: Any, answer: Any) -> None:
    time, per_unit, unit = _time(found)
    for a, name in enumerate(found.assets):
        colour = BLUE if len(found.assets) == 1 else SERIES[a % len(SERIES)]
        label = name if len(found.assets) > 1 else "with liquidations"
        outside, price = (100.0 * np.expm1(np.asarray(log, np.float64)[:, a]) for log in (answer.log_price, answer.price))
        axes.plot(time, outside, color=colour, linewidth=1.1, linestyle="--", label="exogenous" if a == 0 else None)
        axes.plot(time, price, color=colour, label=label)
    axes.axhline(0.0, color=GREY, linewidth=0.8)
    axes.set_xlim(time[0], time[-1])
    low, high = axes.get_ylim()
    # room for the labels of jumps above everything that is drawn
    room = _STEP * len(answer.jumps)
    axes.set_ylim(low - 0.03 * (high - low), high + (high - low) * (0.05 + room / max(1.0 - room, 0.3)))
    for place, jump in enumerate(sorted(answer.jumps, key=lambda one: one.hours)):
        x = jump.hours / per_unit
        axes.axvline(x, color=GREY, linewidth=0.8, linestyle=":")
        late = x > (1.0 - _EARLY) * time[-1]
        axes.annotate(f"{100.0 * jump.move:+.1f}%", (x, 0.985 - _STEP * place), (-3 if late else 3, 0),
                      xycoords=("data", "axes fraction"), textcoords="offset points", ha="right" if late else "left", va="top",
                      fontsize="small", color=INK,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85})  # fmt: skip
    percents(axes.yaxis, signed=True)
    axes.set(xlabel=f"time ({unit})", ylabel="price against the initial price")


def _volatility(axes: "Axes", found: Any, answer: Any) -> None:
    time, _, unit = _time(found)
    axes.set_xlabel(f"time ({unit})")
    axes.set_xlim(time[0], time[-1])
    liquidated = axes.twinx() if answer.volatility is not None else axes
    liquidated.fill_between(time, 0.0, np.asarray(answer.liquidated) / 1e6, color=ORANGE, alpha=0.35, linewidth=0.0)
    liquidated.set_ylabel("liquidated so far (USD M)", color="#9A6A00")
    liquidated.grid(False)
    liquidated.set_ylim(bottom=0.0)
    if answer.volatility is None:
        return
    liquidated.spines["right"].set_visible(True)
    for a in range(len(found.assets)):
        colour = GREEN if len(found.assets) == 1 else SERIES[a % len(SERIES)]
        axes.plot(time, 100.0 * np.asarray(answer.volatility, np.float64)[:, a], color=colour)
    axes.set_zorder(liquidated.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.set_ylim(bottom=0.0)
    percents(axes.yaxis)
    axes.set_ylabel("volatility, a root year", color=GREEN if len(found.assets) == 1 else INK)


def _drive(axes: "Axes", found: Any, answer: Any, legend: bool) -> None:
    time, _, unit = _time(found)
    axes.set_xlabel(f"time ({unit})")
    axes.set_xlim(time[0], time[-1])
    drive = np.asarray(getattr(answer, "drive", ()))
    if not drive.size:
        nothing(axes, "nothing drives it but jumps")
        return
    # in standard deviations a root horizon: a constant pull of 3 moves the sum by three standard deviations
    scaled = drive * math.sqrt(len(drive))
    several = len({asset for _, asset in answer.drive_labels}) > 1
    colours = {"price": BLUE, "variance": GREEN}
    for d, (what, asset) in enumerate(answer.drive_labels):
        colour = SERIES[d % len(SERIES)] if several else colours.get(what, PURPLE)
        axes.plot(time[1:], scaled[:, d], color=colour, label=f"{what} {asset}" if several else what)
    axes.axhline(0.0, color=GREY, linewidth=0.8)
    axes.margins(y=0.25)
    axes.set_ylabel("pull (sd over the horizon)")
    if legend:
        axes.legend(loc="best", ncols=2 if several else 1)


whole = reverse_stress
PICTURES = {"path": path, "liquidations": liquidations}

__all__ = ["MOST_ANSWERS", "PICTURES", "liquidations", "path", "reverse_stress", "whole"]
