"""Rows of a table: columns of sides and of numbers within bounds, names of the file's own, rows that belong together."""

from dataclasses import dataclass

import numpy as np

from .columns import Columns

SIDES = ("long", "short")
SHARE_TOLERANCE = 1e-6
"""By how much shares may miss their sum of 1."""


@dataclass
class Rows:
    """A table, and the file's names of our columns where they differ."""

    table: Columns
    columns: dict[str, str]

    def __len__(self) -> int:
        return len(self.table)

    def at(self, name: str) -> str:
        """The file's name of a column."""
        return self.columns.get(name, name)

    def has(self, name: str) -> bool:
        """Whether the file has the column."""
        return self.at(name) in self.table.values

    def words(self, name: str) -> np.ndarray:
        """A column as text without blanks around it."""
        return np.array([str(item).strip() for item in self.table.values[self.at(name)]], dtype=object)

    def places(self, name: str, known: tuple[str, ...], what: str, lower: bool = False) -> np.ndarray:
        """A column of names as indices into `known`, -1 with a problem noted where it is none of them."""
        words = self.words(name)
        self.table.values[self.at(name)] = np.array([word.lower() for word in words], dtype=object) if lower else words
        return self.table.indices(self.at(name), known, what)

    def note(self, name: str, rows, allowed: str, near: str | None = None) -> None:
        """A problem with some rows of a column."""
        self.table.note(self.at(name), rows, allowed, near)

    def note_missing(self, name: str, allowed: str, near: str | None = None) -> None:
        """A problem with a column as a whole, or with its absence."""
        self.table.report.add_in(self.table.file, self.table.name(self.at(name)), None, allowed, near, missing=True)
        self.table.bad.add(self.at(name))

    def keep(self, rows: np.ndarray) -> None:
        """Drop all other rows."""
        self.table = self.table.only(rows)


def sides_of(table: Columns, column: str = "side") -> np.ndarray:
    """A column of sides: 0 long, 1 short, however capitalised."""
    table.values[column] = np.array([str(side).strip().lower() for side in table.values[column]], dtype=object)
    return table.indices(column, SIDES, "side")


def bounded(table: Columns, column: str, above: float | None = None, at_least: float | None = None, unit: str = "") -> np.ndarray:
    """A column of finite numbers above, or at least, a bound."""
    numbers = table.numbers(column, "has to be a finite number")
    unit = f" ({unit})" if unit else ""
    with np.errstate(invalid="ignore"):
        if above is not None:
            table.note(column, np.flatnonzero(numbers <= above), f"has to be above {above:g}{unit}")
        if at_least is not None:
            table.note(column, np.flatnonzero(numbers < at_least), f"has to be at least {at_least:g}{unit}")
    return numbers


def numbered(labels: np.ndarray) -> np.ndarray:
    """Labels as 0, 1, ... in the order in which they first occur.

    >>> numbered(np.array(["b", "a", "b"])).tolist()
    [0, 1, 0]
    """
    plain = labels.astype(str) if labels.dtype == object else labels
    _, first, place = np.unique(plain, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[place.reshape(-1)]


def repeated(*labels: np.ndarray) -> np.ndarray:
    """Rows whose labels an earlier row has already.

    >>> repeated(np.array([1, 2, 1]), np.array([0, 0, 0])).tolist()
    [2]
    """
    _, first = np.unique(np.stack(labels), axis=1, return_index=True)
    return np.setdiff1d(np.arange(len(labels[0])), first)


def first_that_differ(values: np.ndarray, owner: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Among `rows`, those that differ from the first row of their owner, and those first rows."""
    _, first, place = np.unique(owner[rows], return_index=True, return_inverse=True)
    of_first = rows[first][place.reshape(-1)]
    different = values[of_first] != values[rows]
    return rows[different], of_first[different]
