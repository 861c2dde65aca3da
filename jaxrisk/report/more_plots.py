"""Figures for a notebook or a slide: a fan of kept paths, falls and losses together, what settings cost and buy.

Each draws into axes that are given, or into a figure of its own, and returns the axes.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from .plots import BLUE, GREEN, GREY, INK, ORANGE, _figure, _nothing, _style
from .study_table import in_words, scaled, unit_of
from .summary import HOURS_PER_YEAR
from .table import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .result import Result

_BANDS = ((0.05, 0.95), (0.25, 0.75))
"""Shares of the kept paths between which a fan's bands lie."""
LEAST_BANDS = 40
"""Kept paths from which a fan has bands of shares; of fewer their lowest and highest are shown."""


def fan(result: "Result", asset: str | None = None, ax: "Axes | None" = None) -> "Axes":
    """How prices and open interest move over the horizon on the whole paths that the run kept.

    The middle, and the bands that hold half and 90% of the paths at each time; of fewer than `LEAST_BANDS` paths the lowest and
    the highest, as no such share is known. Bands are of single times: a path is inside at one and outside at another.

    **Raises:** `ValueError` for an asset that there is not.
    """
    names = [str(one) for one in result.coords.get("assets", [])]
    if asset is not None and asset not in names:
        from ..observables import unknown

        raise unknown("asset", asset, names)
    with _style():
        axes = _axes(ax, (6.4, 4.0))
        price = result.samples.get("price")
        if price is None or not len(price):
            _nothing(axes, "no sample paths kept")
            return axes
        place = 0 if asset is None else names.index(asset)
        moves = 100.0 * np.expm1(np.asarray(price, np.float64)[:, :, place])
        hours = np.linspace(
            0.0, float(result.info.get("horizon_years", 0.0)) * HOURS_PER_YEAR or moves.shape[1] - 1.0, moves.shape[1]
        )
        _fan(axes, hours, moves, BLUE, f"price of {names[place]}" if names else "price")
        held = result.samples.get("open_interest")
        if held is not None and float(np.asarray(held)[:, 0].sum()) > 0.0:
            total = np.asarray(held, np.float64).reshape(len(held), moves.shape[1], -1).sum(-1)
            _fan(axes, hours, 100.0 * (total / total[:, :1] - 1.0), GREEN, "open interest")
        axes.axhline(0.0, color=GREY, linewidth=0.8)
        axes.set(xlabel="time (hours)", ylabel="change since the start, %")
        shown = "middle, and bands of 50% and 90%" if len(moves) >= LEAST_BANDS else "middle, lowest and highest"
        axes.set_title(f"{counted(len(moves), len(moves))} kept: {shown}")
        axes.legend(loc="best")
        return axes


def _fan(axes: "Axes", hours: np.ndarray, values: np.ndarray, colour: str, label: str) -> None:
    bands = _BANDS if len(values) >= LEAST_BANDS else ((0.0, 1.0),)
    for low, high in bands:
        ends = np.quantile(values, [low, high], axis=0)
        axes.fill_between(hours, *ends, color=colour, alpha=0.18, linewidth=0.0)
    axes.plot(hours, np.median(values, axis=0), color=colour, label=label)


def joint(result: "Result", ax: "Axes | None" = None) -> "Axes":
    """Drawdown of the index against the open interest lost, a count of paths in each cell, on a logarithmic scale of colours."""
    with _style():
        axes = _axes(ax, (5.6, 4.4))
        axes.set_title("Fall and open interest lost, paths")
        if "max_drawdown_index" not in result.losses or "open_interest_loss_fraction" not in result.losses:
            _nothing(axes, "no drawdown or open-interest loss observed")
            return axes
        fall, lost = (100.0 * np.asarray(result.column(name), np.float64)
                      for name in ("max_drawdown_index", "open_interest_loss_fraction"))  # fmt: skip
        drawn = axes.hexbin(fall, lost, gridsize=38, bins="log", mincnt=1, cmap="cividis", linewidths=0.2)
        axes.figure.colorbar(drawn, ax=axes, label="paths")
        axes.set(xlabel="largest fall of the index, %", ylabel="open interest lost, %")
        return axes


def frontier(study: Any, measure: Any = None, ax: "Axes | None" = None) -> "Axes":
    """What each setting of a study buys against what it costs: the change of a measure, on the same paths with its 95% interval,
    over the open interest that is forgone. Settings whose change rests on too few paths are crosses without an interval.

    `measure`: by default the one that cells are ranked by.

    **Raises:** `ValueError` for a measure that the study has not.
    """
    from ..risk.measure import Measure

    wanted = study.rank if measure is None else Measure.of(measure)
    rows = []
    for cell in study.cells:
        one, of = study.of(cell.name, wanted), study.held[study.reference[cell.scenario]]
        if one.difference is not None and of > 0.0:
            rows.append((cell.name, 100.0 * (1.0 - study.held[cell.name] / of), one.difference))
    with _style():
        axes = _axes(ax, (6.4, 4.2))
        if not rows:
            _nothing(axes, "nothing to compare")
            return axes
        factor, unit = scaled(unit_of(wanted), max(abs(float(change.value)) for _, _, change in rows))
        for place, (name, share, change) in enumerate(rows):
            value, low, high = (factor * float(getattr(change, key)) for key in ("value", "low", "high"))
            known = np.isfinite(low)
            axes.errorbar(share, value, yerr=[[value - low], [high - value]] if known else None, fmt="o" if known else "x",
                          color=BLUE if known else ORANGE, markersize=6, capsize=3)  # fmt: skip
            axes.annotate(name, (share, value), (7, 5 if place % 2 else -12), textcoords="offset points", fontsize=9, color=INK)
        axes.axhline(0.0, color=GREY, linewidth=0.9)
        axes.margins(x=0.16, y=0.14)
        text = in_words(wanted)
        axes.set_title(f"{text[:1].upper()}{text[1:]}")
        name = "percentage points" if unit == "%" else unit if unit != "1" else ""
        axes.set(xlabel="open interest forgone, %", ylabel=f"change, {name}".rstrip(", "))
        return axes


def _axes(ax: "Axes | None", size: tuple[float, float]) -> "Axes":
    return _figure(1, 1, size)[1][0, 0] if ax is None else ax


__all__ = ["LEAST_BANDS", "fan", "frontier", "joint"]
