"""Pictures of what a market's own leverage has in a loss: shares, amplification by the size of the shock, contagion."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...risk.measure import Measure
from ..study_table import Z, in_words, scaled, unit_of
from .marks import unsure, waterfall
from .style import BLUE, GREEN, GREY, INK, ORANGE, SERIES, axes_of, figure_of, headed, look, nothing, percents, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_OUTSIDE = "outside"


def attribution(result: Any) -> "Figure":
    """Shares of each channel by measure, with 95% intervals; amplification by the size of the shock; contagion."""
    panels = 1 + bool(result.amplified) + len(result.contagion)
    rows = 1 if panels == 1 else 2 if panels > 2 else 1
    columns = -(-panels // rows)
    with look():
        figure, grid = figure_of(rows, columns, (max(7.6, 5.8 * columns), 4.4 * rows))
        left = list(grid.ravel())
        shares(result, left.pop(0))
        if result.amplified:
            amplification(result, left.pop(0))
        for matrix in result.contagion:
            contagion(result, left.pop(0), matrix.of)
        for axes in left:
            axes.set_axis_off()
        title = result.info.get("title") or result.info.get("name") or ""
        headed(figure, f"{title}   ({result.info['paths']:,} paths)")
        return figure


def place_of(result: Any, measure: Any) -> int:
    """Which of the measures one is, the first where none is named.

    **Raises:** `ValueError` where there is no such measure, with those that there are.
    """
    texts = [str(one) for one in result.measures]
    if measure is None:
        return 0
    if str(Measure.of(measure)) not in texts:
        raise ValueError(f"{measure} was not attributed; there are: {', '.join(texts)}")
    return texts.index(str(Measure.of(measure)))


def measured(measure: Any, found: Any) -> tuple[float, str]:
    """Factor and name of the unit in which a measure and its shares are shown."""
    return scaled(unit_of(measure), max(abs(found.all[0]), abs(found.none[0])))


def shapley(result: Any, ax: "Axes | None" = None, measure: Any = None) -> "Axes":
    """From the measure with all channels off, channel by channel, to that with all on, with 95% intervals: Shapley's shares.

    **Arguments:** `measure`: the first unless another is named.

    **Raises:** `ValueError` where there is no such measure.
    """
    names = [_OUTSIDE, *(name for name, _ in result.channels), "all"]
    return fall_of_shares(result, ax, measure, names, rotation=25)


def fall_of_shares(result: Any, ax: "Axes | None", measure: Any, names: Sequence[str], rotation: float) -> "Axes":
    """From a measure without anything, share by share, to that with all, with 95% intervals; `names`: of every bar."""
    place = place_of(result, measure)
    found, asked = result.shares[place], result.measures[place]
    with look():
        axes = axes_of(ax)
        values = np.array([found.none[0], *(one.value for one in found.shares), found.all[0]])
        errors = np.array([found.none[1], *(one.standard_error for one in found.shares), found.all[1]])
        factor, label = measured(asked, found)
        colours = [GREY, *(GREEN if one.value < 0.0 else ORANGE for one in found.shares), BLUE]
        waterfall(axes, names, factor * values, factor * errors, colours, [True, *(False for _ in found.shares), True])
        axes.set_xticks(range(len(names)), names, rotation=rotation, ha="right", rotation_mode="anchor")
        axes.set_ylabel(f"measure, {label}, with 95% intervals")
        axes.set_title(wrapped(in_words(asked)))
        return axes


def shares(result: Any, ax: "Axes | None" = None) -> "Axes":
    """What part of each measure is the outside's and each channel's, with 95% intervals."""
    names = [_OUTSIDE, *(name for name, _ in result.channels)]
    height = 0.8 / max(1, len(result.measures))
    with look():
        axes = axes_of(ax, (7.4, 4.4))
        for place, (measure, found) in enumerate(zip(result.measures, result.shares, strict=True)):
            whole = found.all[0] or 1.0
            values = 100.0 * np.array([found.none[0], *(one.value for one in found.shares)]) / whole
            errors = 100.0 * np.array([found.none[1], *(one.standard_error for one in found.shares)]) / abs(whole)
            rows = np.arange(len(names)) + (place - (len(result.measures) - 1) / 2) * height
            axes.barh(rows, values, height * 0.9, color=SERIES[place % len(SERIES)], label=in_words(measure))
            axes.errorbar(values, rows, xerr=Z * errors, fmt="none", ecolor=INK, elinewidth=0.9, capsize=1.5)
            unsure(axes, values, rows, errors)
        axes.axvline(0.0, color=GREY, linewidth=0.9)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        percents(axes.xaxis)
        axes.set_xlabel("share of the measure, with 95% intervals")
        axes.set_title("Shapley shares")
        axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.18), fontsize="x-small", ncols=1 + (len(result.measures) > 2))
        return axes


def amplification(result: Any, ax: "Axes | None" = None) -> "Axes":
    """Mean fall with and without feedback, and open interest lost, by the size of the shock, with 95% intervals."""
    with look():
        axes = axes_of(ax)
        axes.set_title("Amplification by the size of the shock")
        rows = result.amplified
        if not len(rows):
            return nothing(axes, "the scenario has no shock")
        scale = [one.scale for one in rows]
        for values, errors, colour, marker, label in (
            ([one.drawdown for one in rows], [one.drawdown_error for one in rows], BLUE, "o", "mean drawdown"),
            ([one.without for one in rows], [one.without_error for one in rows], ORANGE, "s", "without feedback"),
            ([one.lost for one in rows], [one.lost_error for one in rows], GREEN, "^", "open interest lost"),
        ):
            axes.errorbar(scale, 100.0 * np.array(values), yerr=Z * 100.0 * np.array(errors), color=colour, marker=marker,
                          markersize=4, capsize=2, label=label)  # fmt: skip
        axes.set_xlabel("size of the shock, of the scenario's own")
        axes.set_ylabel("mean of a path, with 95% intervals")
        percents(axes.yaxis)
        axes.set_ylim(bottom=0.0)
        axes.legend(loc="upper left")
        return axes


def contagion(result: Any, ax: "Axes | None" = None, of: str | None = None) -> "Axes":
    """Who moves whom, log price times 100, with standard errors: a line moves a column.

    **Arguments:** `of`: `"venues"` or `"assets"`, the first that there is.

    **Raises:** `ValueError` where there is none of them.
    """
    known = {matrix.of: matrix for matrix in result.contagion}
    if of is not None and of not in known:
        raise ValueError(f"no contagion of {of} was measured; there is: {', '.join(known) or 'none'}")
    with look():
        axes = axes_of(ax, (5.2, 4.2))
        if not known:
            return nothing(axes, "one venue and one asset: there is no contagion")
        matrix = known[of or next(iter(known))]
        values, errors = 100.0 * np.asarray(matrix.value, np.float64), 100.0 * np.asarray(matrix.error, np.float64)
        most = max(float(np.nanmax(np.abs(values))), 1e-12)
        signed = bool((values < 0.0).any())
        drawn = axes.imshow(values, cmap="PuOr_r" if signed else "Blues", vmin=-1.3 * most if signed else 0.0, vmax=1.3 * most,
                            aspect="auto")  # fmt: skip
        for a, b in np.ndindex(values.shape):
            value, error = float(values[a, b]), float(errors[a, b])
            digits = min(max(1 - math.floor(math.log10(error)), 2), 6) if 0.0 < error < math.inf else 2  # two of the error
            text = f"{value:.{digits}f}\n({error:.{digits}f})" if error < math.inf else f"{value:.2f}\n(-)"
            text = text if value else "0"
            dark = abs(values[a, b]) > 0.85 * most and not signed
            axes.text(b, a, text, ha="center", va="center", color="white" if dark else INK, fontsize="small")
        axes.figure.colorbar(drawn, ax=axes, label="log price, x 100").outline.set_visible(False)
        axes.set_xticks(range(len(matrix.names)), matrix.names)
        axes.set_yticks(range(len(matrix.names)), matrix.names)
        axes.grid(visible=False)
        axes.set_xlabel("to")
        axes.set_ylabel("from")
        axes.set_title(f"Contagion of {matrix.of} (standard error)")
        return axes


whole = attribution
PICTURES = {"shapley": shapley, "shares": shares, "amplification": amplification, "contagion": contagion}

__all__ = ["PICTURES", "amplification", "attribution", "contagion", "fall_of_shares", "shapley", "shares", "whole"]
