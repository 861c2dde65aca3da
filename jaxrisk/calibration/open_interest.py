"""Open interest in coins, as a number or from a file."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..config.files import Columns, Reader
from ..config.prices import iso, read_times
from ..config.problems import ConfigError, Problem, Report, nearest
from .account_file import stem

COINS = ("oi_close", "open_interest", "oi", "coins")
DOLLARS = ("oi_usd", "open_interest_usd")
CLOSES = ("close", "price", "btc_close")
DAYS = 30


class OpenInterest(NamedTuple):
    """Coins a side: the median of the last 30 days, their range, and where they are from in words."""

    coins: float
    low: float
    high: float
    origin: str


def read_open_interest(source: str | Path) -> OpenInterest:
    """Open interest from a number of coins, or from a CSV or Parquet file with `time` and a column of coins or dollars.

    Coins: `oi_close`, `open_interest`, `oi` or `coins`; dollars, divided by `close`, `price` or `btc_close`: `oi_usd`,
    `open_interest_usd`. Rows without a number are left out. Raises `ConfigError`.
    """
    try:
        coins = float(str(source))
    except ValueError:
        return _from_file(source)
    if not (math.isfinite(coins) and coins > 0.0):
        raise ConfigError([Problem("command line", "--open-interest", f"{source}", "has to be above 0 (coins), or a file")])
    return OpenInterest(coins, coins, coins, f"given on the command line: {coins:,.0f} coins")


def read_daily(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Days and coins at the end of each, from a daily file with the columns of `read_open_interest`, rows without a number left
    out: `datetime64[D]` and float64, both `(days,)`. Raises `ConfigError`."""
    times, coins, *_ = _columns(path)
    order = np.argsort(times, kind="stable")
    return times[order].astype("datetime64[ms]").astype("datetime64[D]"), coins[order]


def _columns(path: str | Path) -> tuple[np.ndarray, np.ndarray, Columns, int]:
    """Times, ms, and coins of the rows with a number, each time once, and how many rows were left out as they stand twice.

    Two numbers for one time are refused.
    """
    report = Report(str(path))
    table = Reader(report, Path.cwd()).table(str(path), "", ("time",))
    times = read_times(table) if table is not None else None
    coins = _coins(table) if table is not None and times is not None else None
    if table is None or times is None or coins is None:
        raise ConfigError(report.problems)
    known = np.flatnonzero(_known(coins))
    _, first, place = np.unique(times[known], return_index=True, return_inverse=True)
    before = known[first][place.reshape(-1)]
    conflict = coins[known] != coins[before]
    if np.any(conflict):
        text = f"has another open interest at the same time in {table.unit} {table.lines[before[conflict][0]]}; one row a time"
        named = next((name for name in ("symbol", "asset", "coin", "venue", "exchange") if name in table.values), None)
        table.note("time", known[conflict], text + (f", those of one {named}" if named else ""))
        raise ConfigError(report.problems)
    once = np.sort(known[first])
    return times[once], coins[once], table, len(known) - len(once)


def _known(coins: np.ndarray) -> np.ndarray:
    """Where there is a number above 0."""
    return np.isfinite(coins) & (coins > 0.0)


def _from_file(path: str | Path) -> OpenInterest:
    times, coins, table, twice = _columns(path)
    if not len(coins):
        table.report.add_in(table.file, "open interest", None, "has no row with a number above 0", missing=True)
        raise ConfigError(table.report.problems)
    last = times.max()
    recent = times > last - DAYS * 86_400_000
    origin = f"median of {DAYS} days to {iso(int(last))[:10]}, {stem(path)}"
    if twice:
        origin += f", {twice:,} rows that stand twice counted once"
    values = coins[recent]
    return OpenInterest(float(np.median(values)), float(values.min()), float(values.max()), origin)


def _coins(table: Columns) -> np.ndarray | None:
    from ..config.files import as_numbers

    column = next((name for name in COINS if name in table.values), None)
    if column is not None:
        return as_numbers(table.values[column])
    dollars = next((name for name in DOLLARS if name in table.values), None)
    close = next((name for name in CLOSES if name in table.values), None)
    if dollars is None or close is None:
        text = f"missing column; needs {', '.join(COINS)} (coins), or {' or '.join(DOLLARS)} with a price; "
        near = next((word for word in map(lambda c: nearest(c, (*COINS, *DOLLARS)), table.values) if word), None)
        table.report.add_in(
            table.file, "open_interest", None, f"{text}the file has {', '.join(table.values)}", near, missing=True
        )
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return as_numbers(table.values[dollars]) / as_numbers(table.values[close])


__all__ = ["OpenInterest", "read_open_interest"]
