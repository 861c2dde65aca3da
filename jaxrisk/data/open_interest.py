"""Open interest in coins, as a number or from a file."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..paths import exists, names_in, stem
from ..problems import ConfigError, Problem, Report, counted, nearest
from .columns import Columns
from .containers import is_pattern
from .many import note_symbols
from .names import INTEREST, letters
from .read import Wish, read_table, resembling
from .tier_units import family, is_inverse
from .times import read_moments

DAYS = 30
LARGEST = 50.0
"""A change from one row to the next that stays is no open interest's, but a unit's."""
STAYS = 12
COINS = (
    "oi_close",
    "open_interest",
    "oi",
    "coins",
    "sum_open_interest",
    "oi_usd",
    "open_interest_usd",
    "sum_open_interest_value",
)


class OpenInterest(NamedTuple):
    """Coins a side: the median of the last 30 days, their range, where they are from in words, and what else should be known."""

    coins: float
    low: float
    high: float
    origin: str
    findings: tuple[str, ...] = ()


def read_open_interest(
    source: str | Path, *, columns: dict[str, str] | None = None, zone: str = "UTC", day_first: bool = False
) -> OpenInterest:
    """Open interest from a number of coins, or from a file, a folder or a pattern with times and a column of coins or dollars.

    Coins: `oi_close`, `open_interest`, `oi`, `coins` or `sum_open_interest`; dollars, divided by `close`, `price` or `btc_close`:
    `oi_usd`, `open_interest_usd` or `sum_open_interest_value`. Rows without a number above 0 are left out, and counted.

    **Arguments:** `columns`: by our names, the file's own; `zone`, `day_first`: of times, as for prices. Raises `ConfigError`.
    """
    try:
        coins = float(str(source))
    except ValueError:
        return _from_file(source, columns, zone, day_first)
    if not (math.isfinite(coins) and coins > 0.0):
        raise ConfigError([Problem("command line", "--open-interest", f"{source}", "has to be above 0 (coins), or a file")])
    return OpenInterest(coins, coins, coins, f"given on the command line: {coins:,.0f} coins")


def read_daily(
    path: str | Path,
    *,
    columns: dict[str, str] | None = None,
    zone: str = "UTC",
    day_first: bool = False,
    findings: list[str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Days and coins at the end of each, from a file of `read_open_interest`, rows without a number left out: `datetime64[D]`
    and float64, both `(days,)`; of several rows a day, the last. Raises `ConfigError`. Sentences are added to `findings`."""
    found = read_history(path, columns=columns, zone=zone, day_first=day_first)
    if findings is not None:
        findings += found.findings
    days = found.time.astype("datetime64[D]")
    last = np.append(days[1:] != days[:-1], True)
    return days[last], found.coins[last]


class History(NamedTuple):
    """Times, `datetime64[s]`, rising, each once, and coins of rows with a number; `findings`: sentences."""

    time: np.ndarray
    coins: np.ndarray
    twice: int
    findings: list[str]


def read_history(
    path: str | Path, *, columns: dict[str, str] | None = None, zone: str = "UTC", day_first: bool = False
) -> History:
    """Open interest of a file, in coins. Two numbers for one time are refused, and a jump by a round ratio that stays."""
    report, findings = Report(str(path)), []
    if not exists(Path(path)) and not is_pattern(Path(path).name):
        near = nearest(Path(path).name, names_in(Path(path).parent))
        raise ConfigError([Problem(str(path), "", None, "no such file", near)])
    table = read_table(Path(path), report, Wish(INTEREST, columns or {}, ("time",), key="--columns"))
    coins = _coins(table) if table is not None else None
    times = read_moments(table, zone, findings, day_first=day_first) if table is not None and coins is not None else None
    if table is not None:
        _note_contracts(table)
    if table is None or times is None or coins is None or report.problems:
        raise ConfigError(report.problems)
    known = np.flatnonzero(np.isfinite(coins) & (coins > 0.0))
    moments = times.astype(np.int64)
    _, first, place = np.unique(moments[known], return_index=True, return_inverse=True)
    before = known[first][place.reshape(-1)]
    conflict = coins[known] != coins[before]
    if np.any(conflict):
        row = int(known[conflict][0])
        text = f"has another open interest at the same time in {table.where(int(before[conflict][0]), row)}; one row a time"
        named = next((name for name in ("symbol", "asset", "coin", "venue", "exchange") if name in table.values), None)
        table.note("time", known[conflict], text + (f", those of one {named}" if named else ""))
        raise ConfigError(report.problems)
    note_symbols(table)
    once = known[first]
    findings += _left_out(table, coins, len(known) - len(once)) + _gaps(times[once])
    for row, ratio in _jumps(coins[once]):
        text = f"open interest jumps by {ratio} there, and stays: a change of unit; use rows of one"
        table.note(_column(table), once[row], text)
    if report.problems:
        raise ConfigError(report.problems)
    return History(times[once], coins[once], len(known) - len(once), ([table.read_as] if table.said else []) + findings)


def _note_contracts(table: Columns) -> None:
    """Note open interest that counts contracts: of a venue that gives the coins beside it, or that are settled in their coin."""
    column = next((name for name in ("oi_close", "open_interest") if name in table.values), None)
    if column is None or letters(table.name(column)) == "oiccy":
        return
    symbols = next((name for name in table.values if letters(name) in ("symbol", "instid")), None)
    names = [] if symbols is None else [str(name) for name in table.values[symbols]]
    inverse = [i for i, name in enumerate(names) if is_inverse(name) or family(name).endswith("-USD")]
    text = "is of contracts that are settled in the coin, whose open interest is not in coins: give coins"
    table.note(symbols or "symbol", inverse, text)
    if letters(table.name(column)) == "oi" and symbols is not None and letters(table.name(symbols)) == "instid":
        table.note(column, [0], "counts contracts beside instId; coins are in oiCcy, which is missing")
    if not {"open_interest_usd", "close"} <= set(table.values) or table.bad:
        return
    with np.errstate(all="ignore"):
        ratio = table.as_numbers("open_interest_usd") / (table.as_numbers(column) * table.as_numbers("close"))
    known = ratio[np.isfinite(ratio) & (ratio > 0.0)]
    if len(known) and not 0.5 < (middle := float(np.median(known))) < 2.0:
        text = f"is not in coins: {table.name('open_interest_usd')} is {middle:.4g} times it at {table.name('close')}"
        table.note(column, [0], text)


def _left_out(table: Columns, coins: np.ndarray, twice: int) -> list[str]:
    """Sentences on rows without a number, of nothing, and that stand twice."""
    said = []
    for rows, what in ((np.flatnonzero(~np.isfinite(coins)), "without a number"), (np.flatnonzero(coins <= 0.0), "of 0 or less")):
        if len(rows):
            file, line = table.place(int(rows[0]))
            said.append(
                f"{counted(len(rows), 'row', 'rows')} {what} left out, the first in {line}"
                + (f" of {file}" if table.parts else "")
            )
    return said + ([f"{counted(twice, 'row that stands', 'rows that stand')} twice counted once"] if twice else [])


def _gaps(times: np.ndarray) -> list[str]:
    """A sentence on gaps in the usual spacing of the times, none where there are none."""
    steps = np.diff(times).astype(np.int64)
    if len(steps) < 2:
        return []
    sizes, counts = np.unique(steps, return_counts=True)
    usual = int(sizes[np.argmax(counts)])
    rows = np.flatnonzero(steps > 1.5 * usual)
    if not len(rows) or 2 * len(rows) > len(steps):
        return []
    longest = rows[np.argmax(steps[rows])]
    what = "1 gap" if len(rows) == 1 else f"{len(rows):,} gaps"
    return [f"{what} in times {usual} s apart, the longest from {times[longest]}Z to {times[longest + 1]}Z"]


def _jumps(coins: np.ndarray) -> list[tuple[int, str]]:
    """Rows from which on open interest is a hundredfold of what it was, or the hundredth part, and stays so."""
    logs = np.log(coins)
    found = []
    for row in np.flatnonzero(np.abs(np.diff(logs)) > math.log(LARGEST)) + 1:
        move = float(np.median(logs[row : row + STAYS]) - np.median(logs[max(0, row - STAYS) : row]))
        if abs(move) > math.log(LARGEST):
            found.append((int(row), f"{'1:' if move < 0 else ''}{math.exp(abs(move)):.4g}{':1' if move > 0 else ''}"))
    return found


def _from_file(path: str | Path, columns: dict[str, str] | None, zone: str, day_first: bool) -> OpenInterest:
    found = read_history(path, columns=columns, zone=zone, day_first=day_first)
    if not len(found.coins):
        raise ConfigError([Problem(str(path), "open interest", None, "has no row with a number above 0")])
    last = found.time.max()
    values = found.coins[found.time > last - np.timedelta64(DAYS, "D")]
    origin = f"median of {DAYS} days to {str(last)[:10]}, {stem(path)}"
    if found.twice:
        origin += f", {counted(found.twice, 'row that stands', 'rows that stand')} twice counted once"
    said = tuple(finding for finding in found.findings if "twice counted once" not in finding)
    return OpenInterest(float(np.median(values)), float(values.min()), float(values.max()), origin, said)


def _column(table: Columns) -> str:
    """The column that open interest is read from."""
    return next(name for name in ("oi_close", "open_interest", "open_interest_usd") if name in table.values)


def _coins(table: Columns) -> np.ndarray | None:
    for name in ("oi_close", "open_interest"):
        if name in table.values:
            return _numbers(table, name)
    if "open_interest_usd" in table.values and "close" in table.values:
        table.said.append(f"coins are {table.name('open_interest_usd')} over {table.name('close')}")
        with np.errstate(divide="ignore", invalid="ignore"):
            return _numbers(table, "open_interest_usd") / _numbers(table, "close")
    words = "oi_close, open_interest, oi, coins, sum_open_interest (coins), or oi_usd, open_interest_usd, sum_open_interest_value"
    other = resembling(table.header, "open interest")
    text = f"missing column; needs {words} with a price; the file has {table.names()}{other}"
    near = None if other else next((word for word in (nearest(name, COINS) for name in table.header) if word), None)
    table.report.add_in(table.file, "open_interest", None, text, near, missing=True)
    return None


def _numbers(table: Columns, name: str) -> np.ndarray:
    """A column's numbers, NaN where there is none; none may be below 0."""
    numbers = table.numbers_where_stated(name)
    with np.errstate(invalid="ignore"):
        table.note(name, np.flatnonzero(numbers < 0.0), "has to be at least 0")
    return numbers


__all__ = ["OpenInterest", "read_daily", "read_history", "read_open_interest"]
