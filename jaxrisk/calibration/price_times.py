"""The times of a price file: text or numbers, in whatever zone they are written, as UTC; and clocks that were set back."""

import re
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ..config.files import Columns, as_numbers

_WRITTEN = re.compile(
    r"^\s*(\d{4}-?\d\d-?\d\d(?:[T ]\d\d(?::?\d\d(?::?\d\d(?:\.\d+)?)?)?)?)"  # date and time
    r"\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?\s*$",  # zone
    re.IGNORECASE,
)
_NEEDED = "has to be a time such as 2024-08-05T00:00:00Z, or seconds or milliseconds since 1970"
_CLOCKS = ("Europe/Berlin", "America/New_York")  # the dates on which clocks change in most of the world that changes them
LOCAL = "these are local times of a place that changes its clocks: write them in UTC, or say which zone they are in"


def read_moments(table: Columns, zone: str, findings: list[str]) -> np.ndarray | None:
    """Column `time` as `datetime64[s]` in UTC, or None with problems noted in the table's report."""
    raw = table.values["time"]
    numbers = as_numbers(raw)
    if 2 * np.count_nonzero(np.isfinite(numbers)) > len(numbers) and not _dates_without_dashes(raw):
        return _from_numbers(table, numbers)
    parts = [_WRITTEN.match(str(item)) for item in raw]
    wrong = np.array([i for i, part in enumerate(parts) if part is None])
    table.note("time", wrong, _NEEDED)
    if len(wrong):
        return None
    written = pd.to_datetime(pd.Series([part[1] for part in parts if part]), format="ISO8601", errors="coerce")
    table.note("time", np.flatnonzero(written.isna()), _NEEDED)
    if written.isna().any():
        return None
    moments = written.to_numpy().astype("datetime64[s]")
    table.note("time", np.flatnonzero(moments != written.to_numpy()), "has a fraction of a second; bars open at whole seconds")
    return _to_utc(table, moments, [(part[2] or "").upper() for part in parts if part], zone, findings)


def _dates_without_dashes(raw: np.ndarray) -> bool:
    return all(isinstance(item, str) and re.fullmatch(r"\s*(19|20)\d{6}\s*", item) for item in raw[:10])


def _from_numbers(table: Columns, numbers: np.ndarray) -> np.ndarray | None:
    """Seconds, milliseconds, micro- or nanoseconds since 1970, told apart by their size."""
    size = float(np.nanmedian(np.abs(numbers)))
    scale = next((unit for unit, least in ((1e9, 1e17), (1e6, 1e14), (1e3, 1e11)) if size > least), 1.0)
    seconds = numbers / scale
    table.note("time", np.flatnonzero(~((seconds > 0.0) & (seconds < 1e10))), _NEEDED)
    if not np.all((seconds > 0.0) & (seconds < 1e10)):
        return None
    table.note("time", np.flatnonzero(seconds != np.round(seconds)), "has a fraction of a second; bars open at whole seconds")
    return np.round(seconds).astype(np.int64).astype("datetime64[s]")


def _to_utc(table: Columns, moments: np.ndarray, zones: list[str], zone: str, findings: list[str]) -> np.ndarray | None:
    """Written times less their offsets; times without one are taken to be in `zone`."""
    known = {text: _offset(text) for text in sorted(set(zones))}
    offsets = sorted({value for value in known.values() if value is not None})
    bare = "" in known
    if bare and offsets:
        minority = np.array([text == "" for text in zones])
        if 2 * minority.sum() > len(minority):
            minority = ~minority
        table.note("time", np.flatnonzero(minority), "some rows say their time zone and some do not; all have to, or none")
        return None
    if bare:
        return _from_zone(table, moments, zone, findings)
    if len(offsets) > 2 or (len(offsets) == 2 and offsets[1] - offsets[0] != 3600):
        other = np.array([known[text] != known[zones[0]] for text in zones])
        table.note("time", np.flatnonzero(other), f"has another offset from UTC than the first row ({zones[0]}); one is needed")
        return None
    if offsets != [0]:
        said = " and ".join(text for text in sorted(set(zones)))
        findings.append(f"times are written with the offset {said}; converted to UTC")
    return moments - np.array([known[text] for text in zones], dtype="timedelta64[s]")


def _offset(text: str) -> int | None:
    """Seconds east of UTC; None where nothing is said.

    >>> _offset("+05:30"), _offset("Z"), _offset("")
    (19800, 0, None)
    """
    if text in ("Z", "UTC"):
        return 0
    if not text:
        return None
    digits = text[1:].replace(":", "").ljust(4, "0")
    return (1 if text[0] == "+" else -1) * (3600 * int(digits[:2]) + 60 * int(digits[2:]))


def _from_zone(table: Columns, moments: np.ndarray, zone: str, findings: list[str]) -> np.ndarray | None:
    """Times without an offset, as local times of `zone`; the doubled hour of autumn is told by the order of its rows."""
    findings.append(f"times say no time zone; taken as {zone}")
    local = pd.DatetimeIndex(moments)
    if zone == "UTC":
        return moments
    jumped = np.asarray(local.tz_localize(zone, nonexistent="NaT", ambiguous=np.zeros(len(local), dtype=bool)).isna())
    table.note("time", np.flatnonzero(jumped), f"does not exist in {zone}, where the clock is put forward over it")
    if jumped.any():
        return None
    try:
        return local.tz_localize(zone, ambiguous="infer").tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[s]")
    except ValueError:
        twice = _ambiguous(local, zone)
        table.note("time", np.flatnonzero(twice), f"comes twice in {zone}, where the clock is put back, and the rows do not tell")
        return None


def _ambiguous(local: pd.DatetimeIndex, zone: str) -> np.ndarray:
    first = local.tz_localize(zone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="shift_forward")
    second = local.tz_localize(zone, ambiguous=np.zeros(len(local), dtype=bool), nonexistent="shift_forward")
    return np.asarray(first != second)


def clock_changes(years: range) -> tuple[set[np.datetime64], set[np.datetime64]]:
    """Days on which clocks are put forward, and days on which they are put back, in Europe or in North America.

    >>> forward, back = clock_changes(range(2024, 2025))
    >>> sorted(str(day) for day in forward), sorted(str(day) for day in back)
    (['2024-03-10', '2024-03-31'], ['2024-10-27', '2024-11-03'])
    """
    forward, back = set(), set()
    for zone in map(ZoneInfo, _CLOCKS):
        for year in years:
            days = pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq="D")
            offset = [day.replace(tzinfo=zone).utcoffset() for day in days.to_pydatetime()]
            for before, after, day in zip(offset[:-1], offset[1:], days[:-1], strict=True):
                if before != after and before is not None and after is not None:
                    (forward if after > before else back).add(np.datetime64(day.date(), "D"))
    return forward, back


def set_clocks(moments: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows at which an hour is left out on a day in spring, and rows at which the time goes back by an hour in autumn.

    Together, or the second alone, they are the mark of local times. `moments` in the file's order, `step` in seconds.
    """
    if len(moments) < 2 or step > 3600:
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    days = moments.astype("datetime64[D]")
    years = days.astype("datetime64[Y]").astype(int) + 1970
    forward, back = clock_changes(range(int(years.min()), int(years.max()) + 1))
    jump = np.diff(moments).astype(int)
    hour = moments[1:].astype("datetime64[h]").astype(int) % 24
    early = (hour >= 1) & (hour <= 3)
    missing = (jump == step + 3600) & early & np.isin(days[1:], list(forward))
    doubled = (jump == step - 3600) & early & np.isin(days[1:], list(back))
    return np.flatnonzero(missing) + 1, np.flatnonzero(doubled) + 1


__all__ = ["LOCAL", "clock_changes", "read_moments", "set_clocks"]
