"""Figure of a reverse stress test: a column an answer; prices, volatility and what drives them, one below another."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .plots import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SERIES, _figure, _nothing, _style
from .study_table import level_in_words, observable_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ANSWERS = 4
"""Columns of the figure: the likeliest answers."""


def reverse_stress(found: Any) -> "Figure":
    """Prices with and without liquidations, volatility with what has been liquidated, and the driving noise in time.

    **Arguments:** `found`: a `ReverseStress`.
    """
    answers = found.answers[:MOST_ANSWERS]
    hours = found.hours()
    days = hours[-1] > 96.0
    time, unit = (hours / 24.0, "days") if days else (hours, "hours")
    with _style():
        figure, axes = _figure(3, len(answers), (max(5.2, 3.9 * len(answers)), 8.0))
        for column, answer in enumerate(answers):
            _prices(axes[0, column], found, answer, time, 24.0 if days else 1.0)
            _volatility(axes[1, column], found, answer, time)
            _drive(axes[2, column], answer, time, legend=column == 0)
            axes[2, column].set_xlabel(f"time ({unit})")
            axes[0, column].set_title(f"{column + 1}. {_name(answer)}: {_odds(answer.probability)}")
            for row in range(3):
                axes[row, column].set_xlim(time[0], time[-1])
            for row in (0, 1):
                axes[row, column].sharex(axes[2, column])
        for row in (0, 2):
            low, high = (f(axes[row, column].get_ylim()[i] for column in range(len(answers))) for i, f in ((0, min), (1, max)))
            for column in range(len(answers)):
                axes[row, column].set_ylim(low, high)
        # beside the title: in a panel it would lie on jumps, or on a path
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=1 + len(found.assets), fontsize=8)
        asked = f"{observable_in_words(found.observable)} of {level_in_words(found.observable, found.level)}"
        figure.suptitle(f"The most likely ways to a {asked}", x=0.01, ha="left", fontsize=13)
        return figure


def _name(answer: Any) -> str:
    number = len(answer.jumps)
    return "no jump" if not number else "one jump" if number == 1 else f"{number} jumps"


def _odds(probability: float) -> str:
    if not probability > 1e-300:
        return "below 1e-300"
    digit, _, power = f"{probability:.0e}".partition("e")
    return f"about {digit}e{int(power)}"


def _prices(axes: "Axes", found: Any, answer: Any, time: np.ndarray, per_unit: float) -> None:
    from matplotlib.ticker import FuncFormatter

    for a, name in enumerate(found.assets):
        colour = BLUE if len(found.assets) == 1 else SERIES[a % len(SERIES)]
        label = name if len(found.assets) > 1 else "with liquidations"
        exogenous, price = (100.0 * np.expm1(log[:, a]) for log in (answer.log_price, answer.price))
        axes.plot(time, exogenous, color=colour, linewidth=1.1, linestyle="--", label="exogenous" if a == 0 else None)
        axes.plot(time, price, color=colour, label=label)
    for place, jump in enumerate(answer.jumps):
        axes.axvline(jump.hours / per_unit, color=GREY, linewidth=0.8, linestyle=":")
        at, early = (jump.hours / per_unit, 0.03 + 0.085 * place), jump.hours / per_unit < 0.2 * time[-1]
        axes.annotate(f"{100.0 * jump.move:+.1f}%", at, (3 if early else -3, 0), xycoords=("data", "axes fraction"),
                      textcoords="offset points", ha="left" if early else "right", fontsize=8, color=INK)  # fmt: skip
    axes.axhline(0.0, color=GREY, linewidth=0.8)
    axes.margins(y=0.08)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda percent, _: f"{percent:+g}%" if percent else "0%"))
    axes.set_ylabel("price against the initial price")


def _volatility(axes: "Axes", found: Any, answer: Any, time: np.ndarray) -> None:
    from matplotlib.ticker import FuncFormatter

    percent = FuncFormatter(lambda number, _: f"{number:g}%")
    liquidated = axes.twinx() if answer.volatility is not None else axes
    liquidated.fill_between(time, 0.0, answer.liquidated / 1e6, color=ORANGE, alpha=0.3, linewidth=0.0)
    liquidated.set_ylabel("liquidated so far (USD M)", color=ORANGE)
    liquidated.grid(False)
    liquidated.set_ylim(bottom=0.0)
    if answer.volatility is None:
        return
    liquidated.spines["right"].set_visible(True)
    for a in range(len(found.assets)):
        colour = GREEN if len(found.assets) == 1 else SERIES[a % len(SERIES)]
        axes.plot(time, 100.0 * answer.volatility[:, a], color=colour)
    axes.set_zorder(liquidated.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.set_ylim(bottom=0.0)
    axes.yaxis.set_major_formatter(percent)
    axes.set_ylabel("volatility, a root year", color=GREEN if len(found.assets) == 1 else INK)


def _drive(axes: "Axes", answer: Any, time: np.ndarray, legend: bool) -> None:
    if not answer.drive.size:
        return _nothing(axes, "nothing drives it but jumps")
    # in standard deviations a root horizon: a constant pull of 3 moves the sum by three standard deviations
    scaled = answer.drive * math.sqrt(len(answer.drive))
    several = len({asset for _, asset in answer.drive_labels}) > 1
    colours = {"price": BLUE, "variance": GREEN}
    for d, (what, asset) in enumerate(answer.drive_labels):
        colour = SERIES[d % len(SERIES)] if several else colours.get(what, PURPLE)
        axes.plot(time[1:], scaled[:, d], color=colour, label=f"{what} {asset}" if several else what)
    axes.axhline(0.0, color=GREY, linewidth=0.8)
    axes.margins(y=0.25)
    axes.set_ylabel("pull (sd over the horizon)")
    if legend:
        axes.legend(loc="best", fontsize=8, ncols=2 if several else 1)


__all__ = ["MOST_ANSWERS", "reverse_stress"]
