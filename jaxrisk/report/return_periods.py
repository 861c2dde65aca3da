"""How often a loss comes: rows of a summary."""

import math
from collections.abc import Iterator
from typing import Any

from .table import Row

LEVELS = {
    "max_drawdown_index": ("return period of index drawdown", (0.05, 0.1, 0.15, 0.2, 0.3)),
    "open_interest_loss_fraction": ("return period of open-interest loss", (0.05, 0.1, 0.2)),
}
"""What is printed: the label of each observable, and its levels."""
DAYS = 365.0


def rows(result: Any) -> Iterator[Row]:
    """A row for each level: in years, or in days where it is less than one."""
    for name, (label, levels) in LEVELS.items():
        if name not in result.losses:
            continue
        for level in levels:
            found = result.return_period(name, level)
            statistic = f"> {level:.0%}"
            if math.isinf(found.value):
                bound = f"more than {found.low:,.3g} years" if found.low >= 1.0 else f"more than {DAYS * found.low:,.3g} days"
                yield Row(label, statistic, None, "years", f"on no path: {bound}")
                continue
            factor, unit = (1.0, "years") if found.value >= 1.0 else (DAYS, "days")
            scaled = found._replace(**{key: factor * getattr(found, key) for key in ("value", "standard_error", "low", "high")})
            yield Row(label, statistic, scaled, unit)


__all__ = ["LEVELS", "rows"]
