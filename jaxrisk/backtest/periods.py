"""What was seen in each of many periods in a row: largest fall and rise, rebound, loss of open interest, none of them chosen."""

from typing import NamedTuple

import numpy as np

from ..calibration.day_bars import HOURS, DayBars
from ..calibration.day_moments import extremes

QUANTITIES = ("fall", "rise", "rebound", "open_interest_loss")
"""`fall`: largest, from the highest price so far to a later low; `rise`: from the lowest so far to a later high; `rebound`: from
the lowest price to the highest in a later hour. `open_interest_loss`: in coins, from the end of the day before to the end of the
last day, below 0 where it grows. All are fractions."""


class Periods(NamedTuple):
    """Periods of `days` UTC days, one after the other.

    **Fields:** `bars`: the record; `origin`: which of its days each begins with, `(periods,)`; `days`; `seen`: quantity to what
    was observed, `(periods,)`, NaN where it is not known.
    """

    bars: DayBars
    origin: np.ndarray
    days: int
    seen: dict[str, np.ndarray]

    @property
    def dates(self) -> np.ndarray:
        """First days, `datetime64[D]`."""
        return self.bars.dates[self.origin]


def path_quantities(opening, high, low) -> dict[str, np.ndarray]:
    """Fall, rise and rebound of paths of hourly log prices, each `(paths, hours)`; fractions, `(paths,)`.

    >>> flat = np.zeros((1, 3))
    >>> found = path_quantities(flat, flat + [0.0, 0.0, np.log(1.1)], flat + [0.0, np.log(0.9), 0.0])
    >>> {name: float(value.round(4)[0]) for name, value in found.items()}
    {'fall': 0.1, 'rise': 0.2222, 'rebound': 0.2222}
    """
    fall, rise = extremes(opening, high, low)
    lowest = np.argmin(low, axis=1)[:, None]
    later = np.where(np.arange(low.shape[1]) > lowest, high, -np.inf).max(axis=1)
    bottom = np.take_along_axis(low, lowest, axis=1)[:, 0]
    return {"fall": fall, "rise": rise, "rebound": np.expm1(np.maximum(later - bottom, 0.0))}


def periods(bars: DayBars, first, last, days: int = 1, coins: tuple[np.ndarray, np.ndarray] | None = None) -> Periods:
    """Periods from the day `first` on that have ended by the end of the day `last` and have all of their hours.

    **Arguments:** `coins`: days, `datetime64[D]`, and the open interest at the end of each, coins.
    """
    begin = int((np.datetime64(first, "D") - bars.first).astype(int))
    end = int((np.datetime64(last, "D") - bars.first).astype(int)) + 1
    origin = np.arange(max(begin, 0), min(end, len(bars.close)) - days + 1, days)
    origin = origin[[bool(bars.complete[i : i + days].all()) for i in origin]] if len(origin) else origin
    rows = origin[:, None] + np.arange(days)
    hourly = [x[rows].reshape(len(origin), days * HOURS) for x in (bars.open, bars.high, bars.low)]
    seen = path_quantities(*hourly) if len(origin) else {name: np.zeros(0) for name in QUANTITIES[:3]}
    seen["open_interest_loss"] = np.full(len(origin), np.nan)
    if coins is not None:
        grid = on_days(coins, bars)
        known = origin > 0
        seen["open_interest_loss"][known] = 1.0 - grid[origin[known] + days - 1] / grid[origin[known] - 1]
    return Periods(bars, origin, days, seen)


def on_days(coins: tuple[np.ndarray, np.ndarray], bars: DayBars) -> np.ndarray:
    """Coins at the end of each day of the bars, NaN where not known, `(days,)`."""
    grid = np.full(len(bars.close), np.nan)
    place = (coins[0] - bars.first).astype(int)
    inside = (place >= 0) & (place < len(grid))
    grid[place[inside]] = coins[1][inside]
    return grid


__all__ = ["QUANTITIES", "Periods", "on_days", "path_quantities", "periods"]
