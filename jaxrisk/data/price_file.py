"""Price files for calibration: bars of equal length, with gaps, and everything that is wrong with them named."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..paths import exists, names_in
from ..problems import ConfigError, Problem, Report, counted, nearest
from .clocks import LOCAL, set_clocks
from .columns import Columns
from .containers import is_pattern
from .many import in_time, note_symbols, rows_differ
from .names import BARS
from .price_split import find_adjustments
from .read import Wish, read_table
from .times import read_moments

_PRICES = ("open", "high", "low", "close")


class PriceFile(NamedTuple):
    """Bars of one asset.

    **Fields:** `name`: the file's; `time`: when each bar opens, UTC, `datetime64[s]`, rising; `step`: seconds of a bar; `open`,
    `high`, `low`, `close`: USD; `volume`: as the file has it, NaN where it has none; `findings`: what was noticed and put right
    or has to be known, a sentence each.
    """

    name: str
    time: np.ndarray
    step: int
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    findings: tuple[str, ...] = ()

    def returns(self) -> np.ndarray:
        """Log returns from close to close, one a bar: NaN for the first and for a bar after a gap."""
        move = np.full(len(self.time), np.nan)
        move[1:] = np.where(np.diff(self.time).astype(int) == self.step, np.diff(np.log(self.close)), np.nan)
        return move

    def between(self, start=None, end=None) -> "PriceFile":
        """The bars that close after `start` and not after `end`: UTC times; None is no bound."""
        closed = self.time + np.timedelta64(self.step, "s")
        first = 0 if start is None else int(np.searchsorted(closed, moment(start), "right"))
        last = len(closed) if end is None else int(np.searchsorted(closed, moment(end), "right"))
        columns = (self.time, self.open, self.high, self.low, self.close, self.volume)
        time, *prices = (column[first : max(first, last)] for column in columns)
        return PriceFile(self.name, time, self.step, *prices, self.findings)

    def closes(self) -> tuple[np.ndarray, np.ndarray]:
        """Times at which bars close, UTC, and the log of the close."""
        return self.time + np.timedelta64(self.step, "s"), np.log(self.close)


def moment(time) -> np.datetime64:
    """A time as `datetime64[s]` in UTC; one without a zone is UTC.

    >>> moment("2024-08-05T02:00:00+02:00")
    np.datetime64('2024-08-05T00:00:00')
    """
    stamp = pd.Timestamp(time)
    return np.datetime64(stamp.tz_convert("UTC").tz_localize(None) if stamp.tzinfo else stamp, "s")


def read_price_file(
    path: str | Path, *, zone: str = "UTC", columns: dict[str, str] | None = None, day_first: bool = False
) -> PriceFile:
    """Bars with the columns time, open, high, low, close and volume, in any form of `docs/data.md`: text, Parquet, Feather, JSON,
    packed or not; in a folder, or the files of a pattern, which may overlap.

    **Arguments:** `path`: only `time` and `close` have to be there, and columns of other names are left alone. `time` is when a
    bar opens: ISO text, or seconds to nanoseconds since 1970. `zone`: IANA name of the zone of times that say none; `columns`: by
    our names, the file's own; `day_first`: of dates such as 05.08.2024.

    Put right, with a finding: an offset from UTC, identical rows for one time, rows from the latest to the earliest. Left as they
    are, with a finding: gaps, over which no return is taken, and bars without volume. The first finding is what the file was
    taken for, where it is no plain table of those names.

    Raises `ConfigError` with every problem at once, by line: times that are not times, that come twice, that fall back or are off
    the grid, local times of a place that changes its clocks, prices that are no positive numbers or outside their bar's range,
    and jumps by a round ratio that stays, as after a split or a change of unit.
    """
    name, report, findings = str(path), Report(str(path)), []
    if not exists(Path(path)) and not is_pattern(Path(path).name):
        near = nearest(Path(path).name, names_in(Path(path).parent))
        raise ConfigError([Problem(name, "", None, "no such file", near)])
    try:
        pd.Timestamp("2024-01-01").tz_localize(zone)
    except (ValueError, TypeError, KeyError, OSError):
        raise ConfigError(
            [Problem("command line", "zone", zone, "has to be the name of a time zone, as Europe/Berlin")]
        ) from None
    table = read_table(Path(path), report, Wish(BARS, columns or {}, ("time", "close"), key="--columns"))
    if table is None:
        raise ConfigError(report.problems)
    note_symbols(table)
    times = read_moments(table, zone, findings, day_first=day_first)
    if times is not None:
        table, times = in_time(table, times)
    numbers = _columns(table)
    keep, step = (None, 0) if times is None else _order(table, times, findings)
    if times is None or keep is None or report.problems:
        raise ConfigError(report.problems)
    if table.said:
        findings.insert(0, table.read_as)
    time, bars = times, numbers
    if not isinstance(keep, slice) or keep.step is not None:
        time, bars = times[keep], {column: values[keep] for column, values in numbers.items()}
    _adjustments(table, keep, time, step, bars)
    if report.problems:
        raise ConfigError(report.problems)
    findings += _gaps(time, step)
    quiet = int(np.count_nonzero(bars["volume"] == 0.0))
    if quiet:
        what, first = "has" if quiet == 1 else "have", _iso(time[bars["volume"] == 0.0][0])
        findings.append(f"{quiet} of {len(time)} bars {what} no volume, the first at {first}")
    return PriceFile(Path(path).name, time, step, *(bars[column] for column in (*_PRICES, "volume")), tuple(findings))


def _columns(table: Columns) -> dict[str, np.ndarray]:
    """Prices and volume as numbers, checked row by row; a column that is not there is the close, or for volume NaN."""
    read = {}
    for column in (*_PRICES, "volume"):
        if column not in table.values:
            continue
        read[column] = table.numbers(column, "is not a finite number")
        least = "at least 0" if column == "volume" else "above 0"
        wrong = read[column] < 0.0 if column == "volume" else read[column] <= 0.0
        table.note(column, np.flatnonzero(wrong), f"has to be {least}{_at(table, wrong)}")
    close = read["close"]
    read.setdefault("volume", np.full(len(close), np.nan))
    opening = read.get("open", close)
    if "high" in read:
        most = np.maximum(opening, close)
        np.maximum(most, read.get("low", close), out=most)
        wrong = read["high"] < np.multiply(most, 1.0 - 1e-9, out=most)
        table.note("high", np.flatnonzero(wrong), f"is below the bar's open, close or low{_at(table, wrong)}")
    if "low" in read:
        least = np.minimum(opening, close)
        wrong = read["low"] > np.multiply(least, 1.0 + 1e-9, out=least)
        table.note("low", np.flatnonzero(wrong), f"is above the bar's open or close{_at(table, wrong)}")
    return {column: read.get(column, close) for column in (*_PRICES, "volume")}


def _order(table: Columns, times: np.ndarray, findings: list[str]) -> tuple[np.ndarray | slice | None, int]:
    """Rows to keep, in rising order, and the bar's length in seconds; None with problems noted."""
    keep: np.ndarray | slice = slice(None)
    steps = np.diff(times).view(np.int64)
    if len(times) > 2 and np.all(steps <= 0) and times[0] != times[-1]:
        keep, steps = slice(None, None, -1), -steps[::-1]
        findings.append("rows run from the latest to the earliest; turned round")
    at, row = times[keep], lambda places: np.arange(len(times))[keep][places] if len(places) else places
    if len(times) < 3 or not np.any(steps > 0):
        table.report.add("", None, f"has {len(np.unique(times))} different times; at least 3 are needed", missing=True)
        return None, 0
    step = int(steps[0])
    if step <= 0 or not np.all(steps == step):
        sizes, counts = np.unique(steps[steps > 0], return_counts=True)
        step = int(sizes[np.argmax(counts)])
    missing, doubled = set_clocks(at, step)
    if len(doubled) or len(missing) > 1 or (len(missing) and any("no time zone" in finding for finding in findings)):
        table.note("time", row(missing), f"an hour is missing on a day on which clocks are put forward: {LOCAL}")
        table.note("time", row(doubled), f"an hour comes twice on a day on which clocks are put back: {LOCAL}")
        return None, step
    same = np.flatnonzero(steps == 0) + 1
    differ = same[rows_differ(table, row(same), row(same - 1))]
    other = table.where(row(differ)[0] - (1 if keep == slice(None) else -1), row(differ)[0]) if len(differ) else ""
    table.note("time", row(differ), f"comes twice, with different bars; the other is in {other}")
    table.note("time", row(np.flatnonzero(steps < 0) + 1), "is earlier than the row before; times have to rise")
    odd = np.flatnonzero((steps > 0) & (steps % step != 0)) + 1
    table.note("time", row(odd), f"is not a whole number of bars of {step} s after the row before")
    if len(differ) or np.any(steps < 0) or len(odd):
        return None, step
    if len(same):
        findings.append(
            f"{counted(len(same), 'row repeats', 'rows repeat')} the row before, the first at {_iso(at[same[0]])}; left out"
        )
        keep = np.delete(np.arange(len(times))[keep], same)
    return keep, step


def _adjustments(table: Columns, keep: np.ndarray | slice, time: np.ndarray, step: int, bars: dict[str, np.ndarray]) -> None:
    """Note jumps by a round ratio."""
    for row, ratio in find_adjustments(time, step, bars["open"], bars["close"]):
        before = bars["close"][row - 1]
        text = (
            f"at {_iso(time[row])} prices jump by {ratio} from {before:g} and stay: a split or a change of unit; "
            "adjust the bars on one side"
        )
        place = int(keep[row]) if not isinstance(keep, slice) else row if keep == slice(None) else len(time) - 1 - row
        table.note("open" if "open" in table.values else "close", place, text)


def _gaps(time: np.ndarray, step: int) -> list[str]:
    """One sentence on the gaps, the longest five named; none where there are none."""
    steps = np.diff(time).view(np.int64)
    rows = np.flatnonzero(steps > step)
    if not len(rows):
        return []
    left_out = steps // step - 1
    longest = rows[np.argsort(-left_out[rows], kind="stable")][:5]
    named = ", ".join(
        f"{_iso(time[i] + np.timedelta64(step, 's'))} to {_iso(time[i + 1])} ({counted(left_out[i], 'bar', 'bars')})"
        for i in sorted(longest)
    )
    what, missing = counted(len(rows), "gap", "gaps"), counted(int(left_out[rows].sum()), "bar", "bars")
    return [f"{what}, {missing} missing, no return is taken across: {named}{', ...' if len(rows) > 5 else ''}"]


def _at(table: Columns, wrong: np.ndarray) -> str:
    rows = np.flatnonzero(wrong)
    return f", at time {table.cell('time', int(rows[0]))}" if len(rows) else ""


def _iso(time: np.datetime64) -> str:
    return f"{np.datetime_as_string(time, unit='m')}Z"


__all__ = ["PriceFile", "moment", "read_price_file"]
