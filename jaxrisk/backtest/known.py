"""What prices say: how far they fell, how much they moved and traded before a time, and when an unwind was under way."""

import math
from typing import Any

import numpy as np

from ..calibration.drawdown import drawdown
from ..data.price_file import PriceFile

DAY = 86400
HOUR = 3600
HOURS_A_YEAR = 365 * 24
DAYS_BEFORE = 30
"""Days of history that volatility and volume are taken from."""


def known_at(prices: PriceFile, start: Any) -> PriceFile:
    """The bars that had closed at `start`: all that a forecast made then may use."""
    return prices.between(None, start)


def hourly(prices: PriceFile) -> PriceFile:
    """Bars of an hour from shorter ones, complete hours only; bars of other lengths as they are."""
    if prices.step >= HOUR or HOUR % prices.step:
        return prices
    per = HOUR // prices.step
    hour = prices.time.astype("datetime64[h]")
    first = np.flatnonzero(np.concatenate([[True], hour[1:] != hour[:-1]]))
    first = first[np.diff(np.append(first, len(hour))) == per]
    rows = first[:, None] + np.arange(per)
    return prices._replace(
        time=prices.time[first], step=HOUR, open=prices.open[first], high=prices.high[rows].max(1), low=prices.low[rows].min(1),
        close=prices.close[rows[:, -1]], volume=prices.volume[rows].sum(1),
    )  # fmt: skip


def realised_volatility(prices: PriceFile, end: Any, days: int = DAYS_BEFORE) -> float:
    """Volatility of a year from the returns of the `days` before `end`; NaN where fewer than half of them are there."""
    end = np.datetime64(end, "s")
    closed, returns = prices.closes()[0], prices.returns()
    recent = returns[(closed > end - np.timedelta64(days * DAY, "s")) & (closed <= end)]
    recent = recent[np.isfinite(recent)]
    if len(recent) < 0.5 * days * DAY / prices.step:
        return math.nan
    return math.sqrt(np.mean(recent**2) * HOURS_A_YEAR * 3600.0 / prices.step)


def median_daily_volume(prices: PriceFile, end: Any, days: int = DAYS_BEFORE) -> float:
    """Median USD traded in the `days` spans of 24 hours before `end`, complete ones only; NaN where there is none."""
    end = np.datetime64(end, "s")
    closed = prices.closes()[0]
    back = (end - closed).astype(np.int64) // DAY
    used = (closed <= end) & (back < days) & np.isfinite(prices.volume)
    usd = np.bincount(back[used], prices.volume[used] * prices.close[used], minlength=days)
    bars = np.bincount(back[used], minlength=days)
    complete = bars >= 0.95 * DAY / prices.step
    return float(np.median(usd[complete])) if np.any(complete) else math.nan


def alarm(prices: PriceFile, history: PriceFile, day: Any, threshold: float = 4.0) -> np.datetime64 | None:
    """When the window of an unwind starts: the rule that all shipped events follow.

    The start is 30 minutes before the first close of the UTC `day` at which the log price is more than `threshold` standard
    deviations below that of 30 minutes earlier; the deviation is that of the hourly returns of the 30 days before the day,
    divided by the root of 2. None where there is no such close.
    """
    day = np.datetime64(np.datetime64(day, "D"), "s")
    deviation = realised_volatility(history, day) / math.sqrt(HOURS_A_YEAR) / math.sqrt(2.0)
    closed, log_price = prices.closes()
    half_hour = np.timedelta64(1800, "s")
    earlier = np.searchsorted(closed, closed - half_hour, "right") - 1
    there = (earlier >= 0) & (closed[earlier] == closed - half_hour)
    fall = np.where(there, log_price[earlier] - log_price, 0.0)
    hits = (closed >= day) & (closed <= day + np.timedelta64(DAY, "s")) & (fall > threshold * deviation)
    return closed[np.argmax(hits)] - half_hour if np.any(hits) else None


__all__ = [
    "DAY",
    "DAYS_BEFORE",
    "HOUR",
    "HOURS_A_YEAR",
    "alarm",
    "drawdown",
    "hourly",
    "known_at",
    "median_daily_volume",
    "realised_volatility",
]
