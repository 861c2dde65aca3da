"""Hours of an unwind as they were: price within the hour, open interest, and reported liquidations by side."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...data.named import Reader
from ...data.price_file import PriceFile, read_price_file
from ...data.times import read_moments
from ...paths import exists, names_in
from ...problems import ConfigError, Problem, Report, nearest

HOUR = 3600
STEP = 100
"""Seconds between the prices of a replay: each bar of five minutes is its open, extremes and close."""
BAR = 3 * STEP
HOURLY = "open_interest/{}_perp_oi_liquidations_1h_202408.csv.gz"
FINER = {"BTC": "prices/btc_perp_5m_202408.csv.gz", "ETH": "prices/eth_spot_1m_202408.csv.gz"}
"""Bars of five minutes or less, where there are any; the hourly file has the market's own level."""
_COLUMNS = ("oi_open", "oi_close", "liq_long", "liq_short")


class Hours(NamedTuple):
    """What was observed of one asset, NaN in hours that the file leaves out.

    **Fields:** `asset`; `time`: when each hour opens, UTC, `(hours,)`; `open_interest`: coins at its end, `(hours,)`, and
    `held`, at the first one's start; `reported`: liquidations, coins, `(hours, sides)`, longs first; `prices`: hourly bars, also
    of before; `findings`: sentences on the files.
    """

    asset: str
    time: np.ndarray
    open_interest: np.ndarray
    held: float
    reported: np.ndarray
    prices: PriceFile
    findings: tuple[str, ...]


def read_hours(data: Path, asset: str, begin: np.datetime64, start: np.datetime64, end: np.datetime64) -> Hours:
    """The hours from `start` to `end` of the hourly file of an asset, which has to have prices from `begin` on.

    Raises `ConfigError` where the file or a column is missing, or the window is not inside it.
    """
    file = data / HOURLY.format(asset.lower())
    if not exists(file):
        beside = names_in(file.parent)
        text = f"no such file; the replay of {asset} needs it"
        raise ConfigError([Problem(str(file), "", None, text, nearest(file.name, beside))])
    prices = read_price_file(file)
    report, findings = Report(str(file)), []
    table = Reader(report, Path()).table(str(file), "open interest", ("time", *_COLUMNS))
    if table is None:
        raise ConfigError(report.problems)
    time = read_moments(table, "UTC", findings)
    columns = {name: table.numbers(name) for name in _COLUMNS}
    for name, values in columns.items():
        table.note(name, np.flatnonzero(values < 0.0), "has to be at least 0")
    if prices.step != HOUR:
        report.add("time", f"{prices.step} s", "bars have to be hourly")
    first, last = prices.time[0], prices.time[-1] + np.timedelta64(prices.step, "s")
    if not first <= begin <= start < end <= last:
        text = f"has to be inside what the file covers, {first}Z to {last}Z, from {begin}Z on, when the book begins"
        report.add("window", f"{start}Z to {end}Z", text)
    if report.problems or time is None:
        raise ConfigError(report.problems)
    hours = np.arange(start, end, np.timedelta64(HOUR, "s"))
    order = np.argsort(time, kind="stable")
    place = np.minimum(np.searchsorted(time[order], hours), len(time) - 1)
    there, rows = time[order][place] == hours, order[place]
    if not there[0]:
        raise ConfigError([Problem(str(file), "window", f"{start}Z", "the first hour is missing; choose another start")])
    at = lambda name: np.where(there, columns[name][rows], np.nan)
    if not np.all(there):
        findings.append(f"{file.name}: {np.count_nonzero(~there)} of {len(hours)} hours are missing, and left out")
    reported = np.stack([at("liq_long"), at("liq_short")], axis=1)
    return Hours(asset, hours, at("oi_close"), float(at("oi_open")[0]), reported, prices, tuple(findings))


def price_path(data: Path, hours: Hours, start: np.datetime64, end: np.datetime64) -> tuple[np.ndarray, str]:
    """Log prices every `STEP` seconds from `start` to `end`, both included, and a sentence on where they are from.

    Bars of five minutes where a file of finer bars covers the window, moved to the level of the hourly bars; else the hourly
    bars. Within a bar the price goes from the open to the extreme that is further from the close, to the other one, and to the
    close, in equal times.
    """
    name = FINER.get(hours.asset)
    if name is not None and exists(data / name):
        finer = read_price_file(data / name)
        bars = _joined(finer, BAR)
        closed = bars.closes()[0]
        if len(closed) and bars.time[0] <= start and closed[-1] >= end:
            times, log_close = bars.closes()
            hour, other = hours.prices.closes()
            place = np.minimum(np.searchsorted(times, hour), len(times) - 1)
            both = (times[place] == hour) & (hour > start) & (hour <= end)
            level = float(np.median((other - log_close[place])[both]))
            moved = f", moved by {1e4 * level:+.1f} bp to the hourly file's level" if abs(level) > 1e-5 else ""
            return _legs(bars, start, end) + level, f"{hours.asset}: price within the hour of {finer.name}{moved}"
    text = f"{hours.asset}: price within the hour by its open, high, low and close, {hours.prices.name}"
    return _legs(hours.prices, start, end), text


def _joined(prices: PriceFile, seconds: int) -> PriceFile:
    """Bars of so many seconds from shorter ones; what the shorter ones leave out of a bar is left out of it."""
    if prices.step >= seconds:
        return prices
    long = prices.time.astype(np.int64) // seconds
    first = np.flatnonzero(np.concatenate([[True], long[1:] != long[:-1]]))
    last = np.append(first[1:], len(long)) - 1
    return prices._replace(
        time=(long[first] * seconds).astype("datetime64[s]"), step=seconds, open=prices.open[first], close=prices.close[last],
        high=np.maximum.reduceat(prices.high, first), low=np.minimum.reduceat(prices.low, first),
        volume=np.add.reduceat(prices.volume, first),
    )  # fmt: skip


def _legs(bars: PriceFile, start: np.datetime64, end: np.datetime64) -> np.ndarray:
    """Log price on the grid, straight in the log between the bars' open, extremes and close."""
    inside = (bars.time >= start) & (bars.time < end)
    time, third = bars.time[inside].astype(np.int64), bars.step / 3.0
    rising = bars.close[inside] >= bars.open[inside]
    high, low = bars.high[inside], bars.low[inside]
    ends = np.stack([np.where(rising, low, high), np.where(rising, high, low), bars.close[inside]], axis=1)
    times = time[:, None] + third * np.arange(1, 4)
    # an open of its own only where no bar ends
    opens = np.concatenate([[True], np.diff(time) > bars.step])
    knots = np.concatenate([times.ravel(), time[opens]])
    prices = np.concatenate([ends.ravel(), bars.open[inside][opens]])
    order = np.argsort(knots, kind="stable")
    grid = np.arange(start.astype(np.int64), end.astype(np.int64) + 1, STEP)
    return np.interp(grid, knots[order], np.log(prices[order]))


__all__ = ["FINER", "HOUR", "HOURLY", "STEP", "Hours", "price_path", "read_hours"]
