"""Pictures of a rare event: the exceedance curve about its level."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ...risk import tail
from ..study_table import observable_in_words, odds, scaled, unit_of_observable
from .style import BLUE, RED, axes_of, look, nothing, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_SHARE = 0.03  # of the estimate: beyond, the proposal was not made for the event


def rare_event(result: Any) -> "Figure":
    """The exceedance curve, as a figure."""
    return exceedance(result).figure  # type: ignore[return-value]


def exceedance(result: Any, ax: "Axes | None" = None) -> "Axes":
    """The exceedance curve about the level, with its 95% band, and the probability asked for with its interval."""
    with look():
        axes = axes_of(ax)
        level, estimate = float(result.level), result.estimate
        factor, name = scaled(unit_of_observable(result.observable), level)
        axes.set_title(wrapped(observable_in_words(result.observable)))
        curve = _curve_about(result)
        if curve is not None:
            x = factor * np.asarray(curve.level)
            if result.method != "splitting":  # its paths share their beginnings: a band as if they did not would be too narrow
                axes.fill_between(x, np.maximum(curve.low, 1e-300), curve.high, color=BLUE, alpha=0.2, linewidth=0.0)
            axes.plot(x, curve.value, color=BLUE)
        if not estimate.value > 0.0:
            return nothing(axes, "the level was not reached on any path")
        errors = [[max(estimate.value - estimate.low, 0.0)], [max(estimate.high - estimate.value, 0.0)]]
        axes.errorbar(factor * level, estimate.value, yerr=errors, fmt="o", color=RED, markersize=6, capsize=4, zorder=4)
        # the curve falls: there is room above on its right and below on its left
        late = factor * level > 0.5 * sum(axes.get_xlim())
        axes.annotate(odds(float(estimate.value)), (factor * level, estimate.value), (-9, -5) if late else (9, 5),
                      textcoords="offset points", ha="right" if late else "left", va="top" if late else "baseline", color=RED,
                      fontsize="small")  # fmt: skip
        axes.set_yscale("log")
        bare = curve is not None and result.method == "splitting"
        none = "\nno band about the curve: paths that were split share their beginnings" if bare else ""
        axes.set(xlabel=f"level ({name}){none}", ylabel="probability of more")
        return axes


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


whole = rare_event
PICTURES = {"exceedance": exceedance}

__all__ = ["PICTURES", "exceedance", "rare_event", "whole"]
