"""Figures of what a market's own leverage has in a loss."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .plots import BLUE, GREY, INK, ORANGE, SERIES, _figure, _style
from .study_table import Z, in_words, scaled, unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def attribution(result: Any) -> "Figure":
    """Shares of each channel by measure, with 95% intervals; amplification by the size of the shock; contagion."""
    matrices = list(result.contagion)
    panels = 1 + bool(result.amplified) + len(matrices)
    rows = 1 if panels == 1 else 2 if panels > 2 else 1
    columns = -(-panels // rows)
    with _style():
        figure, grid = _figure(rows, columns, (max(7.6, 5.6 * columns), 4.4 * rows))
        left = list(grid.ravel())
        _shares(left.pop(0), result)
        if result.amplified:
            _amplified(left.pop(0), result.amplified)
        for matrix in matrices:
            _matrix(left.pop(0), matrix)
        for axes in left:
            axes.set_axis_off()
        title = result.info.get("title") or result.info.get("name") or ""
        figure.suptitle(f"{title}   ({result.info['paths']:,} paths)", x=0.012, ha="left", fontsize=12, fontweight="bold")
        return figure


def _shares(axes: "Axes", result: Any) -> None:
    names = ["outside", *(name for name, _ in result.channels)]
    height = 0.8 / max(1, len(result.measures))
    for place, (measure, found) in enumerate(zip(result.measures, result.shares, strict=True)):
        whole = found.all[0] or 1.0
        values = 100.0 * np.array([found.none[0], *(one.value for one in found.shares)]) / whole
        errors = 100.0 * np.array([found.none[1], *(one.standard_error for one in found.shares)]) / abs(whole)
        rows = np.arange(len(names)) + (place - (len(result.measures) - 1) / 2) * height
        axes.barh(rows, values, height * 0.9, color=SERIES[place % len(SERIES)], label=in_words(measure))
        axes.errorbar(values, rows, xerr=Z * errors, fmt="none", ecolor=INK, elinewidth=0.9, capsize=1.5)
        _unsure(axes, values, rows, errors)
    axes.axvline(0.0, color=GREY, linewidth=0.9)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("% of the measure, with 95% intervals")
    axes.set_title("Shapley shares")
    axes.legend(loc="lower right", fontsize=7.5)


def _amplified(axes: "Axes", rows: Any) -> None:
    scale = [one.scale for one in rows]
    for values, errors, colour, label in (
        ([one.drawdown for one in rows], [one.drawdown_error for one in rows], ORANGE, "mean drawdown"),
        ([one.without for one in rows], [one.without_error for one in rows], BLUE, "without feedback"),
        ([one.lost for one in rows], [one.lost_error for one in rows], GREY, "open interest lost"),
    ):
        axes.errorbar(scale, 100.0 * np.array(values), yerr=Z * 100.0 * np.array(errors), color=colour, marker="o", markersize=4,
                      capsize=2, label=label)  # fmt: skip
    axes.set_xlabel("size of the shock, of the scenario's own")
    axes.set_ylabel("%")
    axes.set_ylim(bottom=0.0)
    axes.set_title("Amplification by the size of the shock")
    axes.legend(loc="upper left")


def _matrix(axes: "Axes", matrix: Any) -> None:
    values = 100.0 * np.asarray(matrix.value, np.float64)
    most = max(float(np.abs(values).max()), 1e-12)
    axes.imshow(values, cmap="Blues", vmin=0.0, vmax=1.3 * most, aspect="auto")
    for a, b in np.ndindex(values.shape):
        error = 100.0 * float(matrix.error[a, b])
        text = f"{values[a, b]:.2f}\n" + ("" if values[a, b] == 0.0 else f"({error:.2f})" if np.isfinite(error) else "(-)")
        axes.text(b, a, text.rstrip(), ha="center", va="center", color=INK, fontsize=9)
    axes.set_xticks(range(len(matrix.names)), matrix.names)
    axes.set_yticks(range(len(matrix.names)), matrix.names)
    axes.grid(visible=False)
    axes.set_xlabel("to")
    axes.set_ylabel("from")
    axes.set_title(f"Contagion of {matrix.of}, percentage points (standard error)")


def _unsure(axes: "Axes", x: Any, y: Any, errors: np.ndarray) -> None:
    """A question mark where a value rests on too few paths for an interval."""
    for place in np.flatnonzero(~np.isfinite(errors)):
        axes.annotate("?", (x[place], y[place]), xytext=(3, 3), textcoords="offset points", color=INK, fontsize=9)


def maturity(result: Any) -> "Figure":
    """By measure, how each change moves it from the one structure's to the other's, with 95% intervals."""
    with _style():
        columns = min(2, len(result.measures))
        rows = -(-len(result.measures) // columns)
        figure, grid = _figure(rows, columns, (5.6 * columns, 4.0 * rows))
        for axes in grid.ravel()[len(result.measures) :]:
            axes.set_axis_off()
        for axes, measure, found in zip(grid.ravel(), result.measures, result.shares, strict=False):
            values = np.array([found.none[0], *(one.value for one in found.shares), found.all[0]])
            errors = np.array([found.none[1], *(one.standard_error for one in found.shares), found.all[1]])
            bottoms = np.concatenate([[0.0], found.none[0] + np.cumsum([0.0, *values[1:-2]]), [0.0]])
            factor, label = scaled(unit_of(measure), max(abs(found.all[0]), abs(found.none[0])))
            colours = [GREY, *(SERIES[2] if one.value < 0.0 else ORANGE for one in found.shares), BLUE]
            places = np.arange(len(values))
            axes.bar(places, factor * values, 0.7, bottom=factor * bottoms, color=colours)
            tops = factor * (bottoms + values)
            axes.errorbar(places, tops, yerr=Z * factor * errors, fmt="none", ecolor=INK, elinewidth=0.9, capsize=2)
            _unsure(axes, places, tops, errors)
            names = [result.since.date[:4], *(words for words, _, _ in result.changes), result.to.date[:4]]
            axes.set_xticks(places, names, rotation=35, ha="right", fontsize=8)
            axes.set_ylabel(label)
            axes.set_ylim(0.0, 1.12 * factor * max(float((bottoms + np.maximum(values, 0.0)).max()), 1e-12))
            axes.set_title(in_words(measure), fontsize=9)
            axes.grid(axis="x", visible=False)
        return figure


__all__ = ["attribution", "maturity"]
