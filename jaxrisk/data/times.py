"""Columns of times: text or numbers, of any unit since 1970, in whatever zone they are written, as UTC."""

import re
from itertools import pairwise
from typing import Any

import numpy as np

from .columns import Columns, as_numbers

_WRITTEN = re.compile(
    r"^\s*(\d{4}-?\d\d-?\d\d(?:[T ]\d\d(?::?\d\d(?::?\d\d(?:\.\d+)?)?)?)?)"  # date and time
    r"\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?\s*$",  # zone
    re.IGNORECASE,
)
_DAY_FIRST = re.compile(r"^\s*(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?=\D|$)(.*)$", re.DOTALL)
NEEDED = "has to be a time such as 2024-08-05T00:00:00Z, or seconds, milliseconds, microseconds or nanoseconds since 1970"
MONTH_FIRST = "; these are dates with the month first: write them as 2024-08-05"
MAY_BE = "; is it a date with the day first? Then say so (day_first = true, --day-first)"
MIXED = "where most times are not: write all in one way"
FRACTION = "has a fraction of a second; bars open at whole seconds"
NO_ZONE = "times say no time zone; taken as {}"
UNITS = (("seconds", 1e3), ("milliseconds", 1.0), ("microseconds", 1e-3), ("nanoseconds", 1e-6))
_ABOVE = (1e11, 1e14, 1e17)
"""From which size on a number is of the next unit: seconds up to the year 5138, milliseconds from March 1973 on."""
_EARLIEST, _LATEST = 946_684_800, 4_102_444_800  # seconds to 2000 and to 2100


def read_moments(
    table: Columns,
    zone: str = "UTC",
    findings: list[str] | None = None,
    column: str = "time",
    day_first: bool = False,
    whole_seconds: bool = True,
) -> np.ndarray | None:
    """A column as `datetime64[s]` in UTC, or None with problems noted in the table's report.

    **Arguments:** `zone`: IANA name of the zone of times that say none; `findings`: sentences are added to it; `day_first`: of
    dates such as 05.08.2024; `whole_seconds`: whether a fraction of a second is a problem, as of the times of bars; else it is
    cut off.
    """
    findings = [] if findings is None else findings
    quick = _typed(table, column, zone, findings)
    if quick is not None:
        return quick
    raw = table.values.raw(column)
    whole = not isinstance(raw, np.ndarray) and str(raw.type) == "int64" and not raw.null_count
    numbers = np.asarray(raw.to_numpy()) if whole else as_numbers(raw)
    if are_dates(numbers):
        days = dates(table, numbers, column)
        return None if days is None else _from_zone(table, column, days.astype("datetime64[s]"), zone, findings)
    if whole:
        return _from_whole(table, numbers, column, whole_seconds)
    if 2 * np.count_nonzero(np.isfinite(numbers)) > len(numbers):
        return _from_numbers(table, numbers, column, whole_seconds)
    import pandas as pd

    words = [turned(str(item)) if day_first else str(item) for item in table.values[column]]
    parts = [_WRITTEN.match(word) for word in words]
    wrong = np.array([i for i, part in enumerate(parts) if part is None])
    if len(wrong):
        table.note(column, wrong[np.isfinite(numbers[wrong])], f"is a number, {MIXED}")
        wrong = wrong[~np.isfinite(numbers[wrong])]
        table.note(column, wrong, NEEDED + ("" if day_first else date_hint([words[row] for row in wrong])))
        return None
    written = pd.to_datetime(pd.Series([part[1] for part in parts if part]), format="ISO8601", errors="coerce")
    table.note(column, np.flatnonzero(written.isna()), NEEDED)
    if written.isna().any():
        return None
    moments = written.to_numpy().astype("datetime64[s]")
    if whole_seconds:
        table.note(column, np.flatnonzero(moments != written.to_numpy()), FRACTION)
    return _to_utc(table, column, moments, [(part[2] or "").upper() for part in parts if part], zone, findings)


def turned(word: str) -> str:
    """A date with the day first as one with the year first; other text as it is.

    >>> turned("5.8.2024 02:00"), turned("2024-08-05")
    ('2024-08-05 02:00', '2024-08-05')
    """
    match = _DAY_FIRST.match(word)
    return word if match is None else f"{match[4]}-{int(match[3]):02d}-{int(match[1]):02d}{match[5]}"


def date_hint(words: list[str]) -> str:
    """What is said of dates in which the day, or the month, comes first, as the end of a sentence; empty where it is neither.

    >>> date_hint(["06/01/2024", "06/13/2024"]), date_hint(["word"])
    ('; these are dates with the month first: write them as 2024-08-05', '')
    """
    dates = [match for word in words if (match := _DAY_FIRST.match(word))]
    if any(int(match[3]) > 12 for match in dates):
        return MONTH_FIRST
    return MAY_BE if words and _DAY_FIRST.match(words[0]) else ""


def _typed(table: Columns, column: str, zone: str, findings: list[str]) -> np.ndarray | None:
    """Times of a column of the library's own types, or whose text is all UTC of one form; None where a closer look is needed."""
    raw: Any = table.values.raw(column)
    if isinstance(raw, np.ndarray):
        return None
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pa.types.is_string(raw.type) or pa.types.is_large_string(raw.type)
    if raw.null_count or not (text or pa.types.is_timestamp(raw.type)):
        return None
    said = bool(pc.all(pc.ends_with(raw, "Z")).as_py()) if text else raw.type.tz is not None  # type: ignore[attr-defined]
    if not said and zone != "UTC":
        return None
    try:
        moments = raw.cast(pa.timestamp("ms", "UTC" if said else None) if text or not said else pa.timestamp("ms", raw.type.tz))
    except pa.ArrowInvalid:
        return None
    found = np.asarray(moments.cast(pa.int64()).to_numpy()).astype("datetime64[ms]")
    whole = found.astype("datetime64[s]")
    if not np.array_equal(whole, found):
        return None
    if not said:
        findings.append(NO_ZONE.format(zone))
    return whole


def are_dates(numbers: np.ndarray) -> bool:
    """Whether most of the first numbers are days written without dashes.

    >>> are_dates(np.array([20240801, 20240802])), are_dates(np.array([1722470400, 1722556800]))
    (True, False)
    """
    first = numbers[:100]
    with np.errstate(invalid="ignore"):
        return bool(2 * np.count_nonzero((first >= 19000101) & (first <= 21001231)) > len(first))


def dates(table: Columns, numbers: np.ndarray, column: str) -> np.ndarray | None:
    """Days written as 20240805, as `datetime64[D]`; None with problems noted."""
    with np.errstate(invalid="ignore"):
        good = (numbers >= 19000101) & (numbers <= 21001231)
    digits = np.where(good, numbers, 19700101).astype(np.int64)
    month = ((digits // 10000 - 1970) * 12 + digits // 100 % 100 - 1).astype("datetime64[M]")
    days = month.astype("datetime64[D]") + (digits % 100 - 1)
    good &= (digits // 100 % 100 >= 1) & (digits // 100 % 100 <= 12) & (days.astype("datetime64[M]") == month)
    table.note(column, np.flatnonzero(~good), "has to be a day such as 20240805, as the first rows are")
    return days if np.all(good) else None


def unit_of(numbers: np.ndarray) -> np.ndarray:
    """By its size, the unit in which each number counts from 1970: an index into `UNITS`.

    >>> unit_of(np.array([1.7e9, 1.7e12, 1.7e15, 1.7e18])).tolist()
    [0, 1, 2, 3]
    """
    size, units = np.abs(numbers), np.zeros(len(numbers), dtype=np.int8)
    for least in _ABOVE:
        units += size > least
    return units


def epoch_milliseconds(table: Columns, numbers: np.ndarray, column: str) -> np.ndarray:
    """Numbers since 1970 as milliseconds, each by its own unit; what units there were is said of the table."""
    units = unit_of(numbers)
    found = numbers / np.array([1.0 / factor for _, factor in UNITS])[units]
    _say_units(table, units, found, 1)
    return found


def _say_units(table: Columns, units: np.ndarray, times: np.ndarray, milliseconds: int) -> None:
    """Say of a table in which units its times are, where that is not seconds or milliseconds alone in a plain table.

    **Arguments:** `milliseconds`: in one of what `times` count.
    """
    if not len(units):
        return
    places = np.flatnonzero(np.diff(units)) + 1
    first = int(units[0])
    if len(places) or first > 1 or (first and table.said):
        words = [
            f"{UNITS[int(units[place])][0]} from {_day(milliseconds * times[place].item())}" for place in places[:3].tolist()
        ]
        table.said.append(", ".join([UNITS[first][0], *words]) + (", ..." if len(places) > 3 else ""))


def _day(milliseconds: float) -> str:
    try:
        return str(np.datetime64(round(milliseconds), "ms").astype("datetime64[D]"))
    except OverflowError:  # beyond any calendar, which is said of its row
        return f"{float(milliseconds):g} ms"


def _from_whole(table: Columns, numbers: np.ndarray, column: str, whole_seconds: bool) -> np.ndarray | None:
    """As `_from_numbers`, of whole numbers, in whole numbers."""
    units = unit_of(numbers)
    bounds = [0, *(np.flatnonzero(np.diff(units)) + 1).tolist(), len(numbers)]
    seconds = np.empty_like(numbers)
    for first, last in pairwise(bounds):  # rows of one unit, of which a file has few stretches
        np.floor_divide(numbers[first:last], 1000 ** int(units[first]), out=seconds[first:last])
    _say_units(table, units, seconds, 1000)
    good = (seconds > 0) & (seconds < _LATEST)
    table.note(column, np.flatnonzero(~good), NEEDED)
    if not np.all(good) or not since(table, seconds, column):
        return None
    if whole_seconds:
        parts = [seconds[first:last] * 1000 ** int(units[first]) != numbers[first:last] for first, last in pairwise(bounds)]
        table.note(column, np.flatnonzero(np.concatenate(parts)), FRACTION)
    return seconds.astype("datetime64[s]")


def _from_numbers(table: Columns, numbers: np.ndarray, column: str, whole_seconds: bool) -> np.ndarray | None:
    """Seconds, milliseconds, micro- or nanoseconds since 1970, told apart by their size, row by row."""
    finite = np.isfinite(numbers)
    seconds = np.round(epoch_milliseconds(table, np.where(finite, numbers, 0.0), column) / 1000.0, 6)
    with np.errstate(invalid="ignore"):
        good = finite & (seconds > 0.0) & (seconds < _LATEST)
    wrong = np.flatnonzero(~good)
    written = np.array([bool(_WRITTEN.match(str(table.cell(column, int(row))))) for row in wrong[:1000]], dtype=bool)
    if np.all(written):
        table.note(column, wrong, f"is text, {MIXED}")
    else:
        table.note(column, wrong, NEEDED)
    if not np.all(good) or not since(table, seconds, column):
        return None
    whole = np.round(seconds) if whole_seconds else np.floor(seconds)
    if whole_seconds:
        table.note(column, np.flatnonzero(seconds != whole), FRACTION)
    return whole.astype(np.int64).astype("datetime64[s]")


def _to_utc(
    table: Columns, column: str, moments: np.ndarray, zones: list[str], zone: str, findings: list[str]
) -> np.ndarray | None:
    """Written times less their offsets; times without one are taken to be in `zone`."""
    known = {text: _offset(text) for text in sorted(set(zones))}
    offsets = sorted({value for value in known.values() if value is not None})
    bare = "" in known
    if bare and offsets:
        minority = np.array([text == "" for text in zones])
        if 2 * minority.sum() > len(minority):
            minority = ~minority
        table.note(column, np.flatnonzero(minority), "some rows say their time zone and some do not; all have to, or none")
        return None
    if bare:
        return _from_zone(table, column, moments, zone, findings)
    if len(offsets) > 2 or (len(offsets) == 2 and offsets[1] - offsets[0] != 3600):
        other = np.array([known[text] != known[zones[0]] for text in zones])
        table.note(column, np.flatnonzero(other), f"has another offset from UTC than the first row ({zones[0]}); one is needed")
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


def since(table: Columns, seconds: np.ndarray, column: str) -> bool:
    """Whether numbers that count from 1970 mean times of markets; those before 2000 are noted: they count something else."""
    early = np.flatnonzero(seconds < _EARLIEST)
    text = f"would be {np.datetime64(int(seconds[early[0]]), 's')!s}Z, counted from 1970: write it as" if len(early) else ""
    table.note(column, early, f"{text} 2024-08-05T00:00:00Z")
    return not len(early)


def _from_zone(table: Columns, column: str, moments: np.ndarray, zone: str, findings: list[str]) -> np.ndarray | None:
    """Times without an offset, as local times of `zone`; the doubled hour of autumn is told by the order of its rows."""
    findings.append(NO_ZONE.format(zone))
    if zone == "UTC":
        return moments
    import pandas as pd

    local = pd.DatetimeIndex(moments)
    jumped = np.asarray(local.tz_localize(zone, nonexistent="NaT", ambiguous=np.zeros(len(local), dtype=bool)).isna())
    table.note(column, np.flatnonzero(jumped), f"does not exist in {zone}, where the clock is put forward over it")
    if jumped.any():
        return None
    try:
        return local.tz_localize(zone, ambiguous="infer").tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[s]")
    except ValueError:
        twice = _ambiguous(local, zone)
        table.note(column, np.flatnonzero(twice), f"comes twice in {zone}, where the clock is put back, and the rows do not tell")
        return None


def _ambiguous(local: Any, zone: str) -> np.ndarray:
    first = local.tz_localize(zone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="shift_forward")
    second = local.tz_localize(zone, ambiguous=np.zeros(len(local), dtype=bool), nonexistent="shift_forward")
    return np.asarray(first != second)


__all__ = ["NEEDED", "are_dates", "date_hint", "dates", "epoch_milliseconds",
           "read_moments", "since", "turned", "unit_of"]  # fmt: skip
