"""Price files for calibration: bars of equal length, with gaps, and everything that is wrong with them named."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..config.files import Columns, Reader
from ..config.paths import exists, names_in
from ..config.problems import ConfigError, Problem, Report, nearest
from .price_split import find_adjustments
from ..data.times import LOCAL, read_moments, set_clocks

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


def read_price_file(path: str | Path, *, zone: str = "UTC") -> PriceFile:
    """A file of bars, CSV (also `.gz`) or Parquet, with columns time, open, high, low, close and volume.

    **Arguments:** `path`: the file; only `time` and `close` have to be there, and columns of other names are left alone. `time`
    is when a bar opens: ISO text, or seconds to nanoseconds since 1970. `zone`: IANA name of the zone of times that say none.

    Put right, with a finding: an offset from UTC, identical rows for one time, rows from the latest to the earliest. Left as they
    are, with a finding: gaps, over which no return is taken, and bars without volume.

    Raises `ConfigError` with every problem at once, by line: times that are not times, that come twice, that fall back or are off
    the grid, local times of a place that changes its clocks, prices that are no positive numbers or outside their bar's range,
    and jumps by a round ratio that stays, as after a split or a change of unit.
    """
    name, report, findings = str(path), Report(str(path)), []
    if not exists(Path(path)):
        near = nearest(Path(path).name, names_in(Path(path).parent))
        raise ConfigError([Problem(name, "", None, "no such file", near)])
    try:
        pd.Timestamp("2024-01-01").tz_localize(zone)
    except (ValueError, TypeError, KeyError, OSError):
        raise ConfigError(
            [Problem("command line", "zone", zone, "has to be the name of a time zone, as Europe/Berlin")]
        ) from None
    table = Reader(report, Path()).table(name, "prices", ("time", "close"))
    if table is None:
        raise ConfigError(report.problems)
    times = read_moments(table, zone, findings)
    columns = _columns(table)
    keep, step = (None, 0) if times is None else _order(table, times, findings)
    if times is None or keep is None or report.problems:
        raise ConfigError(report.problems)
    time = times[keep]
    bars = {column: values[keep] for column, values in columns.items()}
    _adjustments(table, keep, time, step, bars)
    if report.problems:
        raise ConfigError(report.problems)
    findings += _gaps(time, step)
    quiet = int(np.count_nonzero(bars["volume"] == 0.0))
    if quiet:
        findings.append(f"{quiet} of {len(time)} bars have no volume, the first at {_iso(time[bars['volume'] == 0.0][0])}")
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
    ends = [read[column] for column in ("open", "close") if column in read]
    if "high" in read:
        wrong = read["high"] < np.max([*ends, *([read["low"]] if "low" in read else [])], axis=0) * (1.0 - 1e-9)
        table.note("high", np.flatnonzero(wrong), f"is below the bar's open, close or low{_at(table, wrong)}")
    if "low" in read:
        wrong = read["low"] > np.min(ends, axis=0) * (1.0 + 1e-9)
        table.note("low", np.flatnonzero(wrong), f"is above the bar's open or close{_at(table, wrong)}")
    return {column: read.get(column, close) for column in (*_PRICES, "volume")}


def _order(table: Columns, times: np.ndarray, findings: list[str]) -> tuple[np.ndarray | None, int]:
    """Rows to keep, in rising order, and the bar's length in seconds; None with problems noted."""
    keep = np.arange(len(times))
    if len(times) > 2 and np.all(np.diff(times).astype(int) <= 0) and times[0] != times[-1]:
        keep = keep[::-1]
        findings.append("rows run from the latest to the earliest; turned round")
    steps = np.diff(times[keep]).astype(int)
    if not np.any(steps > 0) or len(times) < 3:
        table.report.add("", None, f"has {len(np.unique(times))} different times; at least 3 are needed", missing=True)
        return None, 0
    sizes, counts = np.unique(steps[steps > 0], return_counts=True)
    step = int(sizes[np.argmax(counts)])
    missing, doubled = set_clocks(times[keep], step)
    if len(doubled) or len(missing) > 1 or (len(missing) and any("no time zone" in finding for finding in findings)):
        table.note("time", keep[missing], f"an hour is missing on a day on which clocks are put forward: {LOCAL}")
        table.note("time", keep[doubled], f"an hour comes twice on a day on which clocks are put back: {LOCAL}")
        return None, step
    same = np.flatnonzero(steps == 0) + 1
    rows = (
        np.array([[str(item) for item in table.values[column]] for column in table.values]).T if len(same) else np.zeros((0, 0))
    )
    differ = np.array([i for i in same if np.any(rows[keep[i]] != rows[keep[i - 1]])], dtype=int)
    table.note("time", keep[differ], "comes twice, with different bars")
    table.note("time", keep[np.flatnonzero(steps < 0) + 1], "is earlier than the row before; times have to rise")
    odd = np.flatnonzero((steps > 0) & (steps % step != 0)) + 1
    table.note("time", keep[odd], f"is not a whole number of bars of {step} s after the row before")
    if len(differ) or np.any(steps < 0) or len(odd):
        return None, step
    if len(same):
        findings.append(f"{len(same)} rows repeat the row before, the first at {_iso(times[keep[same[0]]])}; left out")
    return np.delete(keep, same), step


def _row(table: Columns, row: int) -> list[str]:
    return [str(values[row]) for values in table.values.values()]


def _adjustments(table: Columns, keep: np.ndarray, time: np.ndarray, step: int, bars: dict[str, np.ndarray]) -> None:
    """Note jumps by a round ratio."""
    for row, ratio in find_adjustments(time, step, bars["open"], bars["close"]):
        before = bars["close"][row - 1]
        text = (
            f"at {_iso(time[row])} prices jump by {ratio} from {before:g} and stay: a split or a change of unit; "
            "adjust the bars on one side"
        )
        table.note("open" if "open" in table.values else "close", keep[row], text)


def _gaps(time: np.ndarray, step: int) -> list[str]:
    """One sentence on the gaps, the longest five named; none where there are none."""
    left_out = np.diff(time).astype(int) // step - 1
    rows = np.flatnonzero(left_out > 0)
    if not len(rows):
        return []
    longest = rows[np.argsort(-left_out[rows], kind="stable")][:5]
    named = ", ".join(
        f"{_iso(time[i] + np.timedelta64(step, 's'))} to {_iso(time[i + 1])} ({left_out[i]} bars)" for i in sorted(longest)
    )
    what = "1 gap" if len(rows) == 1 else f"{len(rows)} gaps"
    return [
        f"{what}, {int(left_out[rows].sum())} bars missing, no return is taken across: {named}{', ...' if len(rows) > 5 else ''}"
    ]


def _at(table: Columns, wrong: np.ndarray) -> str:
    rows = np.flatnonzero(wrong)
    return f", at time {table.values['time'][rows[0]]}" if len(rows) else ""


def _iso(time: np.datetime64) -> str:
    return f"{np.datetime_as_string(time, unit='m')}Z"


__all__ = ["PriceFile", "moment", "read_price_file"]
