"""Price files: time and price, checked for order, gaps and impossible prices, and cut to the grid of a run."""

import datetime
import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..problems import nearest
from ..units import readable
from .columns import Columns
from .many import in_time, note_symbols, once
from .named import Reader
from .names import PRICES, letters
from .rows import bounded
from .symbols import take_columns
from .times import are_dates, date_hint, dates, epoch_milliseconds, turned


@dataclass(frozen=True)
class Prices:
    """Prices at equally spaced times: `start` in milliseconds since 1970 UTC, `interval` in seconds, `price` of shape
    `(times, assets)` in USD."""

    file: str
    start: int
    interval: Fraction
    price: np.ndarray


def iso(milliseconds: int) -> str:
    """A time as ISO text.

    >>> iso(0)
    '1970-01-01T00:00:00Z'
    """
    try:
        moment = datetime.datetime.fromtimestamp(int(milliseconds) / 1000, datetime.UTC)
        return moment.isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"{milliseconds} ms"


def milliseconds(moment: str) -> int:
    """ISO text to milliseconds since 1970, UTC unless it says otherwise.

    >>> milliseconds("1970-01-01 00:01"), milliseconds("1970-01-01 00:01:00 UTC"), milliseconds("1970-01-01T01:01+01:00")
    (60000, 60000, 60000)
    """
    parsed = datetime.datetime.fromisoformat(re.sub(r"\s*UTC$", "Z", moment.strip()))
    parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)
    return round(parsed.timestamp() * 1000)


_TIME = "has to be a time such as 2024-08-05T00:00:00Z, or seconds to nanoseconds since 1970"


def read_times(table: Columns, column: str = "time", day_first: bool = False) -> np.ndarray | None:
    """A column of times, ISO text or seconds to nanoseconds since 1970, as milliseconds; None with a problem noted."""
    numbers = table.as_numbers(column)
    numeric = np.isfinite(numbers)
    if are_dates(numbers):
        days = dates(table, numbers, column)
        return None if days is None else days.astype("datetime64[ms]").astype(np.int64)
    if 2 * np.count_nonzero(numeric) > len(numbers):
        times = epoch_milliseconds(table, np.where(numeric, numbers, 0.0), column)
        wrong = np.flatnonzero(~numeric | (np.abs(times) > 1e15))
        table.note(column, wrong, _TIME)
        return None if len(wrong) else np.round(times).astype(np.int64)
    raw = table.values[column]
    times = np.zeros(len(raw), dtype=np.int64)
    wrong = []
    for i, item in enumerate(raw):
        try:
            times[i] = milliseconds(turned(item) if day_first else item)
        except (ValueError, AttributeError, TypeError, OverflowError):
            wrong.append(i)
    table.note(column, wrong, _TIME + ("" if day_first else date_hint([str(raw[row]) for row in wrong])))
    return None if wrong else times


def _price_column(table: Columns, asset: str, column: str | None, alone: bool, reader: Reader, key: str) -> np.ndarray | None:
    """Which column holds the price, read as positive numbers."""
    wanted = [column] if column else [asset, *(["price", "close"] if alone else [])]
    several = [] if column or any(name in table.values for name in wanted) else take_columns(reader, table, (asset,))
    found = next((name for name in wanted if name in table.values), None)
    if found is None:
        text = f"missing column; needs {' or '.join(wanted)}, the file has {', '.join(table.values)}"
        text += "".join(f"; {one}" for one in several)
        reader.report.add_in(table.file, wanted[0], None, text, nearest(wanted[0], table.values), missing=True)
        return None
    price = table.numbers(found, "is not a finite number; a price has to be")
    not_positive = np.flatnonzero(np.isfinite(price) & (price <= 0.0))
    table.note(found, not_positive, f"has to be above 0 (USD){_at(table, not_positive)}")
    return price if np.all(np.isfinite(price)) and not len(not_positive) else None


def _at(table: Columns, rows: np.ndarray) -> str:
    return f", at time {table.cell('time', int(rows[0]))}" if len(rows) and "time" in table.values else ""


def _interval(table: Columns, times: np.ndarray) -> int | None:
    """Spacing in milliseconds; None, with problems noted, if the times are not equally spaced and rising."""
    if len(times) < 3:
        table.report.add_in(table.file, "time", None, f"has {len(times)} rows; at least 3 are needed", missing=True)
        return None
    steps = np.diff(times)
    duplicate, backward = np.flatnonzero(steps == 0) + 1, np.flatnonzero(steps < 0) + 1
    beside = f", {table.where(int(duplicate[0]) - 1, int(duplicate[0]))}" if len(duplicate) and table.parts else ""
    table.note("time", duplicate, f"is the same time as the row before{beside}")
    table.note("time", backward, "is earlier than the row before; times have to rise")
    forward = steps[steps > 0]
    if not len(forward):
        return None
    sizes, counts = np.unique(forward, return_counts=True)
    usual = int(sizes[np.argmax(counts)])
    gaps = np.flatnonzero((steps > 0) & (steps != usual)) + 1
    if len(gaps):
        size = Fraction(int(steps[gaps[0] - 1]), 1000)
        text = f"comes {readable(size)} after the row before, at {iso(int(times[gaps[0] - 1]))}, where the file's interval is"
        table.note("time", gaps, f"{text} {readable(Fraction(usual, 1000))}: a gap")
    return None if len(duplicate) or len(backward) or len(gaps) else usual


def check_prices(table: Columns) -> None:
    """Note what is wrong with the times and prices of a file by itself."""
    times = read_times(table)
    if times is not None:
        _interval(table, times)
    note_symbols(table)
    bars = [name for name in PRICES.numbers if name in table.values]
    for name in bars if len(bars) > 3 else table.values:  # of bars other columns are left alone
        if name not in ("time", "volume", "funding") and letters(name) not in ("symbol", "ticker", "instid"):
            bounded(table, name, above=0.0, unit="USD a coin")


def read_prices(
    reader: Reader,
    key: str,
    files: str | dict[str, str],
    assets: tuple[str, ...],
    column: str | None,
    columns: dict[str, str] | None = None,
    day_first: bool | None = None,
) -> Prices | None:
    """The price file, or one for each asset, with every problem noted.

    A file for one asset has the columns `time` and one of the asset's name, `price` or `close`; a file for several has a
    column for each. The price is that at the time of its row; of klines and other bars by their opening time it is the close, at
    the bar's end. `columns`: by our names, the file's own; `day_first`: of dates such as 05.08.2024.
    """
    names = {asset: files[asset] for asset in assets} if isinstance(files, dict) else {asset: files for asset in assets}
    tables: dict[str, Columns | None] = {}
    timing: dict[str, tuple[np.ndarray, int] | None] = {}
    prices, grids = [], []
    for asset, name in names.items():
        if name not in tables:
            suffix = f".{asset}" if isinstance(files, dict) else ""
            own = (*assets, *([column] if column else []))
            table = reader.table(name, key + suffix, ("time",), of=PRICES, columns=columns, reserved=own)
            tables[name], timing[name] = (None, None) if table is None else _timed(table, bool(day_first))
        table = tables[name]
        alone = isinstance(files, dict) or len(assets) == 1
        price = _price_column(table, asset, column, alone, reader, key) if table is not None else None
        prices.append(price)
        grids.append(timing[name])
    if any(price is None for price in prices) or any(grid is None for grid in grids):
        return None
    return _together(reader, key, names, assets, prices, grids)


def _timed(table: Columns, day_first: bool) -> tuple[Columns, tuple[np.ndarray, int] | None]:
    """A table with its rows in order, the times of its prices, ms, and their spacing; None for these with problems noted."""
    note_symbols(table)
    times = read_times(table, day_first=day_first)
    if times is None:
        return table, None
    table, times = once(*in_time(table, times))
    if len(times) > 2 and np.all(np.diff(times) < 0):
        table, times = table.only(np.arange(len(times))[::-1]), times[::-1]
        table.said.append("rows run from the latest to the earliest; turned round")
    interval = _interval(table, times)
    if interval is None:
        return table, None
    if {"open", "high", "low", "close"} <= set(table.values):
        table.said.append("a price is a bar's close, at its end")
        times = times + interval
    return table, (times, interval)


def _together(reader: Reader, key: str, names, assets, prices, grids) -> Prices | None:
    """Cut several assets' prices to the times they have in common."""
    intervals = {grid[1] for grid in grids}
    if len(intervals) > 1:
        text = ", ".join(f"{names[a]} has {readable(Fraction(g[1], 1000))}" for a, g in zip(assets, grids, strict=True))
        reader.report.add(key, dict(names), f"the files have to have the same interval; {text}")
        return None
    interval = intervals.pop()
    start, end = max(int(grid[0][0]) for grid in grids), min(int(grid[0][-1]) for grid in grids)
    if any((start - int(grid[0][0])) % interval for grid in grids) or end - start < 2 * interval:
        reader.report.add(key, dict(names), "the files have to have at least 3 times in common, on the same grid")
        return None
    count = (end - start) // interval + 1
    columns = [price[(start - int(grid[0][0])) // interval :][:count] for price, grid in zip(prices, grids, strict=True)]
    return Prices(", ".join(dict.fromkeys(names.values())), start, Fraction(interval, 1000), np.stack(columns, axis=-1))
