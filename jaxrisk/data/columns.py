"""A table as it was read, by our names of columns: numbers, words, and problems that name file, line and column."""

import math
import re
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..problems import Report, nearest

_THOUSANDS = re.compile(r"[-+]?\d{1,3}(([,' \u2009\u202f\xa0]\d{3})+(\.\d+)?|(\.\d{3})+(,\d+)?)")
_PERCENT = re.compile(r"[-+]?[\d.,]+\s*%")
_BESIDE = re.compile(r"[$\u20ac]\s*[-+]?\d[\d.,]*|[-+]?\d[\d.,]*\s*([A-Za-z]{1,5}|[$\u20ac])")
_COMMA = re.compile(r"[-+]?\d+,\d+")
NOTHING = ("", "nan", "none", "null", "na", "n/a", "-")
"""What a cell says where there is no number."""
HINT = "; write numbers without anything between thousands"


class Cells(MutableMapping[str, np.ndarray]):
    """Columns by name, those of a library's own arrays turned into arrays of objects when they are asked for."""

    def __init__(self, columns: dict[str, Any]):
        self._columns = dict(columns)

    def __getitem__(self, name: str) -> np.ndarray:
        column = self._columns[name]
        if not isinstance(column, np.ndarray):
            self._columns[name] = column = objects(column)
        return column

    def __setitem__(self, name: str, column: Any) -> None:
        self._columns[name] = column

    def __delitem__(self, name: str) -> None:
        del self._columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def rename(self, names: dict[str, str]) -> None:
        """Call columns something else, all at once, each in its place."""
        self._columns = {names.get(one, one): column for one, column in self._columns.items()}

    def raw(self, name: str) -> Any:
        """A column as it is kept: a library's array, or one of NumPy's."""
        return self._columns[name]

    def cell(self, name: str, row: int) -> Any:
        """One cell, without the rest of its column."""
        column = self._columns[name]
        return column[row] if isinstance(column, np.ndarray) else objects(column[row : row + 1])[0]


def objects(column: Any) -> np.ndarray:
    """A column of pyarrow's as Python objects; times are written out in ISO form."""
    import pyarrow as pa
    import pyarrow.types as types

    if types.is_timestamp(column.type):
        column = (column.cast(pa.timestamp(column.type.unit, "UTC")) if column.type.tz else column).cast(pa.string())
    elif types.is_date(column.type):
        column = column.cast(pa.string())
    found = np.empty(len(column), dtype=object)
    found[:] = column.to_pylist()
    return found


@dataclass
class Columns:
    """A table as read.

    **Fields:** `file`: for messages, a folder's name where it was several; `values`: by our names; `lines`: what each row
    stands on, a line of a text or a row of what is no text (`unit`), worked out when it is asked for; `written`: the file's own
    names where they are others than ours; `header`: all that the file has; `parts`: of several files, each one's name and first
    row, and
    `own`, their `written`;
    `said`: what the file was taken for.
    """

    file: str
    values: Cells
    numbered: np.ndarray | Callable[[], np.ndarray]
    report: Report
    unit: str = "line"
    bad: set[str] = field(default_factory=set)
    written: dict[str, str] = field(default_factory=dict)
    header: tuple[str, ...] = ()
    parts: tuple[tuple[str, int], ...] = ()
    own: tuple[dict[str, str], ...] = ()
    said: list[str] = field(default_factory=list)
    order: np.ndarray | None = None
    size: int = -1

    def __len__(self) -> int:
        return self.size if self.size >= 0 else len(self.lines)

    @property
    def lines(self) -> np.ndarray:
        """Where each row stands in its file."""
        if not isinstance(self.numbered, np.ndarray):
            self.numbered = self.numbered()
        return self.numbered

    @property
    def read_as(self) -> str:
        """One line on what the file was taken for; empty for a plain table of our own names."""
        return f"read as: {', '.join(self.said)}" if self.said else ""

    def name(self, column: str, row: int | None = None) -> str:
        """The file's own name of a column; of several files, of the one that a row is of."""
        part = self._part(row) if row is not None and self.own else -1
        return (self.written if part < 0 else self.own[part]).get(column, column)

    def names(self) -> str:
        """All columns that the file has, for messages."""
        return ", ".join(self.header or self.values)

    def place(self, row: int) -> tuple[str, str]:
        """The file that a row is of, and where it stands there."""
        part = self._part(row)
        return self.file if part < 0 else self.parts[part][0], f"{self.unit} {self.lines[row]}".strip()

    def _part(self, row: int) -> int:
        """Which of several files a row is of, -1 where there is one."""
        before = int(row) if self.order is None else int(self.order[row])
        return sum(first <= before for _, first in self.parts) - 1

    def where(self, row: int, beside: int | None = None) -> str:
        """Where a row stands, in words; with its file where that is another one than `beside`'s."""
        file, line = self.place(row)
        return line if beside is None or file == self.place(beside)[0] else f"{line} of {file}"

    def cell(self, column: str, row: int) -> Any:
        """One cell."""
        return self.values.cell(column, row)

    def only(self, rows: np.ndarray) -> "Columns":
        """Some of the rows, as a table of its own whose problems are this one's."""
        rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows, dtype=np.int64)
        values = Cells({name: _taken(self.values.raw(name), rows) for name in self.values})
        order = rows if self.order is None else self.order[rows]
        numbered = lambda whole=self: whole.lines[rows]
        return replace(self, values=values, numbered=numbered, order=order, size=len(rows))

    def note(self, column: str, rows: Any, allowed: str, near: str | None = None, missing: bool = False) -> None:
        """A problem with some rows of a column: names the first and counts the rest."""
        rows = np.atleast_1d(rows)
        if not len(rows):
            return
        self.bad.add(column)
        first = int(rows[0])
        more = f"; {len(rows) - 1} more such rows" if len(rows) > 1 else ""
        value = None if missing else plain(self.cell(column, first))
        absent = value is None and not missing
        file, line = self.place(first)
        text = f"missing; {allowed}{more}" if absent else allowed + more
        self.report.add_in(file, f"{line}, {self.name(column, first)}", value, text, near, missing or absent)

    def numbers(self, column: str, allowed: str = "has to be a number") -> np.ndarray:
        """A column as float64; NaN, with a problem noted, where it is not a finite number."""
        numbers = self.as_numbers(column)
        self._no_numbers(column, np.flatnonzero(~np.isfinite(numbers)), allowed)
        return numbers

    def numbers_where_stated(self, column: str) -> np.ndarray:
        """A column as float64; NaN where a cell is empty, or says that there is none; other words are noted."""
        numbers = self.as_numbers(column)
        rows = np.flatnonzero(~np.isfinite(numbers))
        stated = [str(self.cell(column, int(row))).strip().lower() not in NOTHING for row in rows]
        self._no_numbers(column, rows[stated], "has to be a number, or empty")
        return np.where(np.isfinite(numbers), numbers, np.nan)

    def _no_numbers(self, column: str, rows: np.ndarray, allowed: str) -> None:
        self.note(column, rows, allowed + (number_hint(self.cell(column, int(rows[0]))) if len(rows) else ""))

    def as_numbers(self, column: str) -> np.ndarray:
        """A column as float64, NaN where it is not a number."""
        raw = self.values.raw(column)
        numbers = as_numbers(raw)
        if not isinstance(raw, np.ndarray) and str(raw.type) == "double":
            self.values[column] = numbers  # one copy is enough
        return numbers

    def indices(self, column: str, known: tuple[str, ...], what: str) -> np.ndarray:
        """A column of names as indices into `known`, -1 with a problem noted where it is none of them."""
        places = {name: i for i, name in enumerate(known)}
        names = [str(name) for name in self.values[column]]
        found = np.fromiter((places.get(name, -1) for name in names), dtype=np.int64, count=len(names))
        unknown: dict[str, list[int]] = {}
        for row in np.flatnonzero(found < 0).tolist():
            unknown.setdefault(names[row], []).append(row)
        for name, rows in unknown.items():
            self.note(column, rows, f"unknown {what}; has to be one of {', '.join(known)}", nearest(name, known))
        return found


def number_hint(cell: Any) -> str:
    """How a cell that is no number would be written as one, as the end of a sentence; empty where that cannot be told.

    >>> [number_hint(cell) for cell in ("0.01%", "60083,5", "word")]
    ['; write it as a fraction, without %', '; write decimals with a point', '']
    >>> number_hint("60.000,5")
    '; write numbers without anything between thousands'
    >>> number_hint("125x") == number_hint("$5") == number_hint("1.5B")
    True
    """
    word = str(cell).strip()
    if _THOUSANDS.fullmatch(word):
        return HINT
    if _PERCENT.fullmatch(word):
        return "; write it as a fraction, without %"
    if _COMMA.fullmatch(word):
        return "; write decimals with a point"
    return "; write the number alone, in full" if _BESIDE.fullmatch(word) else ""


def _taken(column: Any, rows: np.ndarray) -> Any:
    return column[rows] if isinstance(column, np.ndarray) else column.take(rows)


def plain(value: Any) -> Any:
    """A cell as a Python value: numbers that came as text without quotes."""
    value = value.item() if isinstance(value, np.generic) else value
    try:
        value = float(value) if isinstance(value, str) and value.strip() else value
    except ValueError:
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def as_numbers(raw: Any) -> np.ndarray:
    """Text or numbers, a library's or NumPy's, to float64, NaN where that is not possible."""
    if not isinstance(raw, np.ndarray):
        import pyarrow.types as types

        if types.is_boolean(raw.type):
            return np.full(len(raw), math.nan)
        if types.is_floating(raw.type) or types.is_integer(raw.type) or types.is_decimal(raw.type):
            return np.asarray(raw.cast("float64", safe=False).to_numpy(), dtype=np.float64)
        raw = objects(raw)
    if raw.dtype == object:  # true is no number
        raw = np.fromiter((None if isinstance(item, bool) else item for item in raw), dtype=object, count=len(raw))
    try:
        return np.asarray(raw, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        numbers = np.full(len(raw), math.nan)
        for i, item in enumerate(raw):
            try:
                numbers[i] = float(item)
            except (ValueError, TypeError, OverflowError):
                pass
        return numbers


__all__ = ["Cells", "Columns", "as_numbers", "objects", "plain"]
