"""What was seen in each of many periods in a row: largest fall and rise, rebound, loss of open interest, none of them chosen."""

from typing import NamedTuple

import numpy as np

from ...calibration.indirect.bars import HOURS, DayBars
from ...calibration.indirect.moments import extremes, hourly
from ..known import DAYS_BEFORE

THRESHOLD = 4.0
"""Standard deviations of an hour that are an alarm."""
LEAST_HOURS = 240
QUANTITIES = ("fall", "rise", "rebound", "open_interest_loss")
"""`fall`: largest, from the highest price so far to a later low; `rise`: from the lowest so far to a later high; `rebound`: from
the lowest price to the highest in a later hour. `open_interest_loss`: in coins, from the end of the day before to the end of the
last day, below 0 where it grows. All are fractions."""


class Periods(NamedTuple):
    """Periods of `days` times 24 hours.

    **Fields:** `bars`: the record; `start`: which of its hours each begins with, `(periods,)`; `days`; `seen`: quantity to what
    was observed, `(periods,)`, NaN where it is not known; `alarms`: whether each follows an alarm, else they begin at midnight,
    one after the other.
    """

    bars: DayBars
    start: np.ndarray
    days: int
    seen: dict[str, np.ndarray]
    alarms: bool = False

    @property
    def dates(self) -> np.ndarray:
        """When each begins: `datetime64[D]`, after alarms `datetime64[h]`."""
        if self.alarms:
            return self.bars.first.astype("datetime64[h]") + self.start
        return self.bars.dates[self.start // HOURS]


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
    begin, end = _between(bars, first, last)
    day = np.arange(begin, end - days + 1, days)
    day = day[[bool(bars.complete[i : i + days].all()) for i in day]] if len(day) else day
    found = _seen(bars, day * HOURS, days)
    if coins is not None:
        grid, known = on_days(coins, bars), day > 0
        found["open_interest_loss"][known] = 1.0 - grid[day[known] + days - 1] / grid[day[known] - 1]
    return Periods(bars, day * HOURS, days, found)


def after_alarms(bars: DayBars, first, last, days: int = 1, threshold: float = THRESHOLD) -> Periods:
    """Periods that begin with the hour after one whose close is more than `threshold` standard deviations below the close before,
    of the hourly returns of the 30 days before its day; none begins within another."""
    returns = hourly(bars)[0]
    begin, end = _between(bars, first, last)
    starts, flat = [], bars.close.ravel()
    for day in range(max(begin, 1), end):
        before = returns[max(0, day - DAYS_BEFORE) : day]
        before = before[np.isfinite(before)]
        if len(before) < LEAST_HOURS:
            continue
        for hour in np.flatnonzero(returns[day] < -threshold * before.std()):
            start = day * HOURS + int(hour) + 1
            inside = start + days * HOURS <= min(end * HOURS, len(flat))
            if (
                inside
                and (not starts or start >= starts[-1] + days * HOURS)
                and np.isfinite(flat[start : start + days * HOURS]).all()
            ):
                starts.append(start)
    return Periods(bars, np.array(starts, int), days, _seen(bars, np.array(starts, int), days), True)


def _between(bars: DayBars, first, last) -> tuple[int, int]:
    """Indices of the first day and of the one after the last."""
    place = lambda day: int((np.datetime64(day, "D") - bars.first).astype(int))
    return max(place(first), 0), min(place(last) + 1, len(bars.close))


def _seen(bars: DayBars, start: np.ndarray, days: int) -> dict[str, np.ndarray]:
    rows = start[:, None] + np.arange(days * HOURS)
    found = path_quantities(*(x.ravel()[rows] for x in (bars.open, bars.high, bars.low)))
    return found | {"open_interest_loss": np.full(len(start), np.nan)}


def losses_before(bars: DayBars, coins: np.ndarray, until: int, days: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Loss of open interest and the other quantities of all whole windows of so many `days` that end before the day `until`, an
    index, overlapping where there are several; `coins` at the end of each day, `(days,)`."""
    first = np.arange(1, until - days + 1)
    loss = 1.0 - coins[first + days - 1] / coins[first - 1]
    whole = np.isfinite(loss) & np.array([bars.complete[i : i + days].all() for i in first], bool)
    return loss[whole], _seen(bars, first[whole] * HOURS, days)


def on_days(coins: tuple[np.ndarray, np.ndarray], bars: DayBars) -> np.ndarray:
    """Coins at the end of each day of the bars, NaN where not known, `(days,)`."""
    grid = np.full(len(bars.close), np.nan)
    place = (coins[0] - bars.first).astype(int)
    inside = (place >= 0) & (place < len(grid))
    grid[place[inside]] = coins[1][inside]
    return grid


__all__ = ["QUANTITIES", "THRESHOLD", "Periods", "after_alarms", "losses_before", "on_days", "path_quantities", "periods"]
