"""Pictures of a back-test: what each forecast said of each event, and what was observed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..scores import central, quantile
from .scored import QUANTITIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .run import Backtest

_SHOWN = ("drawdown", "open_interest_loss", "rebound", "long_share")


def intervals(found: "Backtest", kind: str = "conditional", forecasts: Sequence[str] = ()) -> "Figure":
    """Medians with 50% and 90% intervals by event, a panel a quantity, and the observed value as a black mark.

    **Arguments:** `kind`: of the forecasts; `forecasts`: which of them, all by default.
    """
    from ...report.plots.style import figure_of, headed, look

    names = _names(found, kind, forecasts)
    shown = [quantity for quantity in _SHOWN if _forecasters(found, kind, names, quantity)]
    with look():
        figure, axes = figure_of(1, max(len(shown), 1), (3.6 * max(len(shown), 1), 1.8 + 0.6 * len(found.events)))
        for panel, quantity in zip(axes[0], shown, strict=False):
            _draw(panel, found, kind, names, quantity)
            if panel is not axes[0, 0]:
                panel.set_yticklabels([])
        handles = {label: handle for panel in axes[0] for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)}
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(6, 2 * len(shown)))
        headed(figure, f"Forecasts ({kind}): median, 50% and 90%")
        return figure


def forecasts(found: "Backtest", ax: "Axes | None" = None, quantity: str = "drawdown", kind: str = "conditional") -> "Axes":
    """Medians with 50% and 90% intervals of a quantity by event and forecast, and the observed value as a black mark.

    **Raises:** `ValueError` for a quantity that there is not.
    """
    from ...observables import unknown
    from ...report.plots.style import axes_of, look, nothing

    if quantity not in QUANTITIES:
        raise unknown("quantity", quantity, QUANTITIES)
    names = _names(found, kind, ())
    with look():
        axes = axes_of(ax, (6.4, 1.8 + 0.6 * len(found.events)))
        if not _forecasters(found, kind, names, quantity):
            return nothing(axes, f"no forecast of the {QUANTITIES[quantity][0]}")
        _draw(axes, found, kind, names, quantity)
        axes.set_title(f"{QUANTITIES[quantity][0].capitalize()}: median, 50% and 90%")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return axes


def _names(found: Any, kind: str, forecasts: Sequence[str]) -> list[str]:
    return list(forecasts) or list(dict.fromkeys(name for _, k, name in found.samples if k == kind))


def _forecasters(found: Any, kind: str, names: Sequence[str], quantity: str) -> list[str]:
    """Who said something of a quantity."""
    scored = {(one.quantity, one.forecast) for one in found.scores if one.kind == kind}
    return [name for name in names if (quantity, name) in scored]


def _draw(panel: "Axes", found: Any, kind: str, names: Sequence[str], quantity: str) -> None:
    from ...report.plots.style import INK, SERIES, percents

    of = _forecasters(found, kind, names, quantity)
    seen = {event.name: event.observed() for event in found.events}
    for row, (event, observed) in enumerate(seen.items()):
        for place, name in enumerate(of):
            samples = found.samples.get((event, kind, name))
            draws = None if samples is None else getattr(samples, quantity)
            if samples is None or draws is None or not np.any(np.isfinite(draws)):
                continue
            y, colour = row + 0.7 * (place + 0.5) / len(of) - 0.35, SERIES[names.index(name) % len(SERIES)]
            for level, width in ((0.9, 1.2), (0.5, 3.6)):
                ends = [100.0 * end for end in central(draws, level, samples.weights)]
                panel.plot(ends, [y, y], color=colour, linewidth=width, solid_capstyle="butt")
            median, label = 100.0 * quantile(draws, 0.5, samples.weights), name if row == 0 else None
            panel.plot(median, y, "o", color=colour, markersize=4.0, markerfacecolor="white", label=label)
        value = getattr(observed, quantity)
        if value is not None:
            panel.plot([100.0 * value] * 2, [row - 0.42, row + 0.42], color=INK, linewidth=2.0,
                       label="observed" if row == 0 else None)  # fmt: skip
    panel.set_title(QUANTITIES[quantity][0].capitalize())
    percents(panel.xaxis)
    panel.set_yticks(range(len(seen)), list(seen))
    panel.set_ylim(len(seen) - 0.5, -0.5)
    panel.grid(axis="y", visible=False)


whole = intervals
PICTURES = {"forecasts": forecasts}

__all__ = ["PICTURES", "forecasts", "intervals", "whole"]
