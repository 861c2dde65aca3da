"""Rows of a table that stand for the same thing: twice the same, of several times, in conflict. None is added up in silence."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from .columns import Columns, as_numbers
from .names import letters

_TIMES = (
    "snapshot", "snapshottime", "snapshotdate", "snapshotat", "snapshotid", "time", "timestamp", "datetime", "date", "day",
    "asof", "asofdate", "asoftime", "observedat", "fetchedat", "recordedat", "ts", "hour",
)  # fmt: skip
_COUNTS = ("", "index", "row", "unnamed0", "level0")
"""Columns that number the rows of a file, and of its parts where it was put together from several."""
FEW = 5
LISTED = 3


class Repeats(NamedTuple):
    """Rows whose labels an earlier row has: `rows`, `first` (that row), and `differ`: by column, whether the cells differ."""

    rows: np.ndarray
    first: np.ndarray
    differ: dict[str, np.ndarray]

    @property
    def same(self) -> np.ndarray:
        """Whether a row is the earlier one again, cell by cell."""
        return ~np.any(list(self.differ.values()), axis=0) if len(self.rows) else np.zeros(0, dtype=bool)

    def columns(self, which: np.ndarray) -> list[str]:
        """Columns in which some of the rows differ."""
        return [name for name, differs in self.differ.items() if np.any(differs[which])]


def counts_rows(name: str) -> bool:
    """Whether a column, by its name, numbers the rows and says nothing else."""
    return letters(name) in _COUNTS


def times_of(names: Iterable[str]) -> list[str]:
    """Columns that by their usual names say when, those named as snapshots alone where there are any.

    >>> times_of(["account", "Date", "time_utc"]), times_of(["time", "snapshot"])
    (['Date', 'time_utc'], ['snapshot'])
    """
    found = [name for name in names if letters(name).removesuffix("utc") in _TIMES]
    return [name for name in found if letters(name).startswith("snapshot")][:1] or found


def numbered_together(*labels: np.ndarray) -> np.ndarray:
    """Several labels of each row as one number, the same for rows that have all of them in common."""
    together = np.zeros(len(labels[0]), dtype=np.int64)
    for label in labels:
        # text as it is: account 07 is not account 7
        plain = np.array([str(item).strip() for item in label]) if label.dtype == object else label
        _, place = np.unique(plain, return_inverse=True)
        _, together = np.unique(together * (int(place.max(initial=0)) + 1) + place.reshape(-1), return_inverse=True)
    return together.reshape(-1)


def repeats(table: Columns, *labels: np.ndarray) -> Repeats:
    """The rows that have all labels of an earlier one, compared with it in every column but those that only count rows."""
    together = numbered_together(*labels)
    _, first = np.unique(together, return_index=True)
    rows = np.setdiff1d(np.arange(len(together)), first)
    before = first[together[rows]]
    differ = {
        table.name(name): _differ(cells[rows], cells[before]) for name, cells in table.values.items() if not counts_rows(name)
    }
    return Repeats(rows, before, differ)


def _differ(cells: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Cells that are not the same text, nor the same number."""
    differ = np.array([str(a).strip().lower() != str(b).strip().lower() for a, b in zip(cells, others, strict=True)], dtype=bool)
    places = np.flatnonzero(differ)
    if len(places):
        with np.errstate(invalid="ignore"):
            differ[places] = as_numbers(cells[places]) != as_numbers(others[places])
    return differ


def left_out(table: Columns, rows: np.ndarray) -> str:
    """What is said of rows that stand twice and count once."""
    what = "1 row stands" if len(rows) == 1 else f"{len(rows):,} rows stand"
    counts = "counts" if len(rows) == 1 else "count"
    return f"{what} in the file a second time and {counts} once, the first in {table.place(rows[0])[1]}"


def note_twice(table: Columns, column: str, what: str, *labels: np.ndarray) -> None:
    """Note rows whose labels an earlier row has, the columns in which they differ named."""
    found = repeats(table, *labels)
    same = found.same
    for which, text in ((same, "is that row again"), (~same, "differs from it in " + ", ".join(found.columns(~same)[:LISTED]))):
        rows = found.rows[which]
        if len(rows):
            where = f"{table.place(found.first[which][0])[1]}"
            table.note(column, rows, f"stands for the same {what} as {where}, and {text}: the two have to be one")


def note_times(table: Columns, known: str = "") -> None:
    """Note a column of times by which the rows are of several snapshots, which would be added up.

    A time that each row has for itself, as that of opening a position, is none. `known`: a column that is read as something else.
    """
    for name in times_of(table.values):
        words = np.array([str(item).strip() for item in table.values[name]], dtype=object)
        values, counts = np.unique(words.astype(str), return_counts=True)
        if name == known or len(values) < 2 or alone(counts):
            continue
        text = (
            f"has {len(values)} different values, from {values[0]} to {values[-1]}, and rows of several times would be added up; "
            "leave those of one, or name the column as something else than a time"
        )
        table.report.add_in(table.file, name, None, text, missing=True)
        table.bad.add(name)


def with_snapshot(table: Columns, columns: dict[str, str]) -> dict[str, str]:
    """Names of columns with that of the snapshot, which, where none is named, a column of a usual name tells.

    One that each row has for itself, as the time of opening a position, is none. Several, as a day and an hour, are put together.
    """
    if columns.get("snapshot", "snapshot") in table.values:
        return columns
    found = []
    for name in times_of(table.values):
        words = np.array([str(item).strip() for item in table.values[name]])
        counts = np.unique(words, return_counts=True)[1]
        if name not in columns.values() and (len(counts) == 1 or not alone(counts)):
            found.append(name)
    if not found:
        return columns
    together = " ".join(found)
    if len(found) > 1:
        parts = zip(*(table.values[name] for name in found), strict=True)
        table.values[together] = np.array([" ".join(str(item).strip() for item in part) for part in parts], dtype=object)
    return columns | {"snapshot": together}


def alone(counts: np.ndarray) -> bool:
    """Whether more than half of the rows have their value for themselves; `counts`: of rows, by value."""
    return 2 * int(np.count_nonzero(counts == 1)) > int(counts.sum())


def note_whole(table: Columns) -> None:
    """Note a table that is the same rows twice, as a file that was appended to itself.

    Single rows that are alike may be accounts that are alike; all of them again, in the same order, are not.
    """
    half, odd = divmod(len(table), 2)
    if odd or half < FEW:
        return
    first, second = np.arange(half), np.arange(half, 2 * half)
    cells = [cells for name, cells in table.values.items() if not counts_rows(name)]
    if len(np.unique(numbered_together(*(column[first] for column in cells)))) < FEW:
        return
    if not any(np.any(_differ(column[second], column[first])) for column in cells):
        text = f"is, from {table.place(half)[1]} on, the rows before again: was the file appended to itself?"
        table.report.add_in(table.file, "", None, text, missing=True)
        table.bad.add("")


__all__ = [
    "Repeats",
    "alone",
    "counts_rows",
    "left_out",
    "note_times",
    "note_twice",
    "note_whole",
    "numbered_together",
    "repeats",
    "times_of",
    "with_snapshot",
]
