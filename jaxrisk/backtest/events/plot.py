"""A figure of a back-test: what each forecast said of each event, and what was observed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..scores import central, quantile
from .scored import QUANTITIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .run import Backtest

_SHOWN = ("drawdown", "open_interest_loss", "rebound", "long_share")


def intervals(found: "Backtest", kind: str = "conditional", forecasts: Sequence[str] = ()) -> "Figure":
    """Medians with 50% and 90% intervals by event, a panel a quantity, and the observed value as a black mark.

    **Arguments:** `kind`: of the forecasts; `forecasts`: which of them, all by default.
    """
    from ...report.plots import INK, SERIES, _figure, _style

    names = list(forecasts) or list(dict.fromkeys(name for _, k, name in found.samples if k == kind))
    seen = {event.name: event.observed() for event in found.events}
    scored = {(one.quantity, one.forecast) for one in found.scores if one.kind == kind}
    shown = [quantity for quantity in _SHOWN if any((quantity, name) in scored for name in names)]
    with _style():
        figure, axes = _figure(1, max(len(shown), 1), (3.6 * max(len(shown), 1), 1.6 + 0.55 * len(seen)))
        for panel, quantity in zip(axes[0], shown, strict=False):
            of = [name for name in names if (quantity, name) in scored]
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
            panel.set_xlabel("percent")
            panel.set_yticks(range(len(seen)), list(seen) if panel is axes[0, 0] else [""] * len(seen))
            panel.set_ylim(len(seen) - 0.5, -0.5)
        handles = {label: handle for panel in axes[0] for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)}
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6)
        figure.suptitle(f"Forecasts ({kind}): median, 50% and 90%", x=0.01, ha="left", fontsize=13)
        return figure


__all__ = ["intervals"]
