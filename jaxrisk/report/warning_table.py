"""The level that must not break, as a table."""

import math
from typing import Any

from .study_table import Section, StudySummary


def warning(result: Any) -> StudySummary:
    """A line a venue and asset, nearest first."""
    lines, records = [], []
    for one in result.levels:
        level = f"{one.price:,.6g}" if math.isfinite(one.price) else "none"
        peak = f"{one.peak:.2f} [{one.peak_low:.2f}, {one.peak_high:.2f}]"
        ends = f"{_percent(one.low)} to {_percent(one.high)}"
        lines.append((one.venue, one.asset, level, _percent(one.distance), ends, f"{one.chance:.0%}", peak))
        records.append(one._asdict() | {"level": one.price})
    columns = ("venue", "asset", "level, USD", "below the price", "90% interval", "has one", "largest number")
    order = ("venue", "asset", "level", "distance", "low", "high", "chance", "peak", "peak_low", "peak_high")
    notes = [
        "the level: nearest price at which a dollar forced there sets off more than so many further, on all venues together",
        "intervals over impact (0.45 of a log), leverage (0.3) and volume (0.2), assumed; largest: down to half the price",
        "none: no such level down to half the price; has one: in how many of the draws there is one",
    ]
    heading = f"Levels at which a forced dollar sets off {result.branching:g} further"
    rows = [{key: record[key] for key in order} for record in records]
    return StudySummary(result.line(), [], [Section(heading, columns, "llrrrrr", lines)], notes, rows)


def _percent(value: float) -> str:
    return f"{100.0 * value:.1f}%" if math.isfinite(value) else "none"


__all__ = ["warning"]
