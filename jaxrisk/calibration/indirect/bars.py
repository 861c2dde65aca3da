"""Hourly bars of whole UTC days, on a grid without holes: what a day's fall, rise and volatility are taken from."""

from typing import NamedTuple

import numpy as np

from ...data.price_file import PriceFile

HOURS = 24
_HOUR = 3600


class DayBars(NamedTuple):
    """Log prices of each hour of consecutive UTC days, shape `(days, 24)`; NaN where an hour is missing.

    `first`: the first day, `datetime64[D]`; `open`, `high`, `low`, `close`.
    """

    first: np.datetime64
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray

    @property
    def dates(self) -> np.ndarray:
        """The days, `datetime64[D]`, shape `(days,)`."""
        return self.first + np.arange(len(self.close)) * np.timedelta64(1, "D")

    @property
    def complete(self) -> np.ndarray:
        """Whether a day has all of its hours. Shape `(days,)`."""
        return np.isfinite(self.close).all(axis=-1)

    def between(self, start=None, end=None) -> "DayBars":
        """The days from `start` on and before `end`; None is no bound."""
        dates = self.dates
        keep = np.ones(len(dates), bool)
        if start is not None:
            keep &= dates >= np.datetime64(start, "D")
        if end is not None:
            keep &= dates < np.datetime64(end, "D")
        where = np.flatnonzero(keep)
        cut = slice(where[0], where[-1] + 1) if len(where) else slice(0, 0)
        return DayBars(dates[cut][0] if len(where) else self.first, *(x[cut] for x in self[1:]))

    def shifted(self, hours: int) -> "DayBars":
        """Days that begin so many hours later; the last is left out where it is cut."""
        if hours == 0:
            return self
        cut = lambda x: x.ravel()[hours : hours - HOURS].reshape(-1, HOURS)
        return DayBars(self.first, *(cut(x) for x in self[1:]))


def day_bars(prices: PriceFile) -> DayBars:
    """The whole days of a file of bars that divide an hour; an hour counts where it has all of its bars.

    Raises `ValueError` for other bars, or a file without a bar.
    """
    if _HOUR % prices.step:
        raise ValueError(f"{prices.name}: bars of {prices.step} s do not divide an hour; hourly bars are needed")
    if not len(prices.time):
        raise ValueError(f"{prices.name}: has no bar")
    per = _HOUR // prices.step
    seconds = prices.time.astype("datetime64[s]").astype(np.int64)
    hour = seconds // _HOUR
    first_day = hour[0] // HOURS
    count = int(hour[-1] // HOURS - first_day + 1)
    place = hour - first_day * HOURS
    bars = np.bincount(place, minlength=count * HOURS)
    begin = np.flatnonzero(np.concatenate([[True], place[1:] != place[:-1]]))
    at = place[begin]
    whole = bars[at] == per
    columns = [
        prices.open[begin],
        np.maximum.reduceat(prices.high, begin),
        np.minimum.reduceat(prices.low, begin),
        prices.close[np.append(begin[1:], len(place)) - 1],
    ]
    grids = np.full((4, count * HOURS), np.nan)
    for grid, column in zip(grids, columns, strict=True):
        grid[at[whole]] = np.log(column[whole])
    return DayBars(np.datetime64(int(first_day), "D"), *grids.reshape(4, count, HOURS))


__all__ = ["HOURS", "DayBars", "day_bars"]
