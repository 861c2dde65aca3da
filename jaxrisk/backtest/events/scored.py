"""A forecast beside what was observed: one score a quantity."""

from typing import NamedTuple

import numpy as np

from ..known import DAY
from ..scores import Samples, central, covered, crps, log_score, pit, quantile
from .event import Event
from .reported import predicted, reported_log_score, reported_pit

QUANTITIES = {
    "drawdown": ("drawdown", "logit"),
    "open_interest_loss": ("loss of open interest", "identity"),
    "rebound": ("rebound", "log"),
    "long_share": ("long share", "logit"),
    "liquidations": ("reported liquidations", "log"),
}
"""What is scored: its name in words, and the scale on which its density is estimated."""


class Score(NamedTuple):
    """One forecast of one quantity of one event.

    **Fields:** `event`, `forecast` (`engine`, `GARCH-t`, ...), `kind` (`conditional`, ...), `quantity`; `observed`, in its unit;
    `median` and `low`, `high`: the forecast's, and the ends of its 90% interval; `pit`: quantile of the observed; `in_50`,
    `in_90`: whether the central intervals hold it; `crps` (NaN for liquidations) and `log_score`: lower is better.
    """

    event: str
    forecast: str
    kind: str
    quantity: str
    observed: float
    median: float
    low: float
    high: float
    pit: float
    in_50: bool
    in_90: bool
    crps: float
    log_score: float


def score(event: Event, samples: Samples, forecast: str, kind: str) -> list[Score]:
    """Scores of all that both the forecast and the event say; reported liquidations and their long share are figures of a day,
    and scored for a horizon of a day only."""
    seen, found = event.observed(), []
    for quantity, (_, transform) in QUANTITIES.items():
        value = getattr(seen, quantity, None)
        draws = getattr(samples, quantity)
        if quantity == "liquidations" or (quantity == "long_share" and event.horizon != DAY):
            continue
        if value is None or draws is None or not (np.isfinite(value) and np.any(np.isfinite(draws))):
            continue
        w = samples.weights
        found.append(Score(
            event.name, forecast, kind, quantity, float(value), quantile(draws, 0.5, w), *central(draws, 0.9, w),
            pit(draws, value, w), covered(draws, value, 0.5, w), covered(draws, value, 0.9, w), crps(draws, value, w),
            log_score(draws, value, w, transform),
        ))  # fmt: skip
    return found + (_sizes(event, samples, forecast, kind) if event.horizon == DAY else [])


def _sizes(event: Event, samples: Samples, forecast: str, kind: str) -> list[Score]:
    """Scores of the sizes that were reported, in the report's unit, as the forecast would have them reported."""
    found = []
    for report in event.observed().reported:
        said = predicted(samples, report, event.price)
        if said is None:
            continue
        true, weights = said
        place = reported_pit(true, report, weights)
        # the middle of what would be reported, for the table; the score integrates over the whole range
        scale = np.sqrt(np.prod(report.kappa)) * np.mean(report.asset_share)
        if report.lower_bound:
            scale = np.mean(report.asset_share)
        low, high = central(true, 0.9, weights)
        found.append(Score(
            event.name, forecast, kind, "liquidations", float(np.sqrt(np.prod(report.amount))),
            quantile(true, 0.5, weights) / scale, low / scale, high / scale, place, 0.25 <= place <= 0.75, 0.05 <= place <= 0.95,
            float("nan"), reported_log_score(true, report, weights),
        ))  # fmt: skip
    return found


__all__ = ["QUANTITIES", "Score", "score"]
