"""Pictures of a back-test on every day: quantiles of what was observed in the forecasts, and return levels beside history's."""

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from .engine import ENGINE
from .scores import RETURN_LEVELS
from .table import WORDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .run import DayTest, Horizon

_SHOWN = ("fall", "rise")


def calibration(found: "DayTest") -> "Figure":
    """For the first horizon's fall and rise: the distribution of the observed values' quantiles in their forecasts beside the
    uniform one (band: Kolmogorov and Smirnov), and how often each level is exceeded, observed and forecast."""
    from ...report.plots.style import figure_of, headed, look

    with look():
        figure, axes = figure_of(2, 2, (11.0, 7.6))
        for row, quantity in zip(axes, _SHOWN, strict=True):
            _quantiles(row[0], found.horizons[0], quantity)
            _levels(row[1], found.horizons[0], quantity)
        handles = {
            label: handle for panel in axes.ravel() for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5)
        headed(figure, _every(found.horizons[0]))
        return figure


def pit(found: "DayTest", ax: "Axes | None" = None, quantity: str = "fall", days: int | None = None) -> "Axes":
    """The distribution of the observed values' quantiles in their forecasts, less the uniform one that calibrated forecasts have,
    with the band within which 95% of calibrated ones stay (Kolmogorov and Smirnov).

    **Arguments:** `days`: of the horizon, the first unless another is named.

    **Raises:** `ValueError` for a quantity or horizon that there is not.
    """
    from ...report.plots.style import axes_of, look

    horizon = _horizon(found, quantity, days)
    with look():
        axes = axes_of(ax)
        _quantiles(axes, horizon, quantity)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return axes


def return_levels(found: "DayTest", ax: "Axes | None" = None, quantity: str = "fall", days: int | None = None) -> "Axes":
    """How often each level is exceeded, observed, with the band of a calibrated forecast's counts, and by each forecast.

    **Arguments** and **raises:** as `pit`.
    """
    from ...report.plots.style import axes_of, look

    horizon = _horizon(found, quantity, days)
    with look():
        axes = axes_of(ax)
        _levels(axes, horizon, quantity)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return axes


def _horizon(found: "DayTest", quantity: str, days: int | None) -> "Horizon":
    from ...observables import unknown

    by_days = {one.periods.days: one for one in found.horizons}
    if days is not None and days not in by_days:
        raise ValueError(f"no horizon of {days} days; there are: {', '.join(map(str, by_days))}")
    horizon = found.horizons[0] if days is None else by_days[days]
    known = list(dict.fromkeys(one for by in horizon.scores.values() for one in by))
    if quantity not in known:
        raise unknown("quantity", quantity, known)
    return horizon


def _every(horizon: "Horizon") -> str:
    length = "day" if horizon.periods.days == 1 else f"{horizon.periods.days} days"
    length = f"{length} after an alarm" if horizon.periods.alarms else length
    dates = horizon.periods.dates.astype("datetime64[D]")
    return f"Every {length} from {dates[0]} to {dates[-1]}"


def _quantiles(panel, horizon: "Horizon", quantity: str) -> None:
    from ...report.plots.style import GREY, SERIES, percents

    uniform = np.linspace(0.0, 1.0, 201)
    for place, (name, by) in enumerate(horizon.scores.items()):
        if quantity not in by:
            continue
        pit = np.sort(by[quantity].pit[np.isfinite(by[quantity].pit)])
        if name == next(iter(horizon.scores)):
            band = 100.0 * stats.kstwo.ppf(0.95, len(pit))
            panel.axhspan(-band, band, color=GREY, alpha=0.18, linewidth=0.0, label="95% of calibrated\nforecasts stay within")
        below = np.searchsorted(pit, uniform, "right") / len(pit)
        wide = 2.2 if name == ENGINE else 1.0
        panel.plot(uniform, 100.0 * (below - uniform), color=SERIES[place % len(SERIES)], linewidth=wide, label=name)
    panel.axhline(0.0, color=GREY, linewidth=0.8)
    panel.set(xlabel="quantile in the forecast", ylabel="observed below it, less expected", xlim=(0.0, 1.0))
    percents(panel.yaxis, signed=True)
    panel.set_title(f"{WORDS[quantity].capitalize()}: quantiles of what was observed")


def _levels(panel, horizon: "Horizon", quantity: str) -> None:
    from ...report.plots.style import INK, SERIES, percents

    levels, per_year = np.array(RETURN_LEVELS), 365.0 / horizon.periods.days
    if horizon.periods.alarms:
        years = (horizon.periods.dates[-1] - horizon.periods.dates[0]).astype("timedelta64[h]").astype(float) / 8760.0
        per_year = len(horizon.periods.start) / max(years, 1e-3)
    seen = None
    for place, (name, by) in enumerate(horizon.scores.items()):
        if quantity not in by:
            continue
        used = np.isfinite(by[quantity].crps)
        if seen is None:
            seen = np.sort(by[quantity].observed[used])[::-1]
        rate = by[quantity].beyond[used].mean(0) * per_year
        panel.plot(np.divide(1.0, rate, where=rate > 0, out=np.full(len(rate), np.nan)), 100.0 * levels,
                   color=SERIES[place % len(SERIES)], linewidth=2.2 if name == ENGINE else 1.0, label=name)  # fmt: skip
    if seen is not None:
        rank = np.arange(1, len(seen) + 1)
        years = len(seen) / per_year
        panel.plot(years / rank, 100.0 * seen, "o", color=INK, markersize=3.0, label="observed")
        # of a calibrated forecast's counts: as many as 95% of Poisson numbers with that mean
        low, high = stats.chi2.ppf(0.025, 2 * rank) / 2.0, stats.chi2.ppf(0.975, 2 * rank + 2) / 2.0
        panel.fill_betweenx(100.0 * seen, years / high, years / low, color=INK, alpha=0.12, linewidth=0.0,
                           label="95% of counts\nat each level")  # fmt: skip
        panel.set(xlim=(1.0 / per_year, 10.0 * years), ylim=(0.0, 130.0 * seen[0]))
    panel.set_xscale("log")
    percents(panel.yaxis)
    panel.xaxis.set_major_formatter(lambda years, _: f"{years:g}")
    panel.set(xlabel="years between, on average", ylabel="level")
    panel.set_title(f"{WORDS[quantity].capitalize()}: return levels")


whole = calibration
PICTURES = {"pit": pit, "return_levels": return_levels}

__all__ = ["PICTURES", "calibration", "pit", "return_levels", "whole"]
