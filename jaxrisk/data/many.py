"""Several files as one table: of one symbol, of the same columns, their rows in the order of time where they overlap."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..problems import Report, counted
from .columns import Cells, Columns, as_numbers, objects
from .names import PRICES, letters

_SYMBOL = re.compile(
    r"^(?=[0-9]*[A-Z])([A-Z0-9]{2,16}?)[-_]?(USDT|USDC|FDUSD|BUSD|TUSD|USD|EUR|BTC|ETH)(?=[-_.]|$)", re.IGNORECASE
)
_INTERVAL = re.compile(r"[-_](\d{1,2}(?:s|m|min|h|d|w|mo|M))(?=[-_.]|$)")


def joined(name: str, parts: list[Columns], report: Report, said: list[str], *, one: bool = True) -> Columns | None:
    """The rows of all parts, each named by its own file; None with problems noted.

    **Arguments:** `name`: of all together, for messages; `said`: of what was left out; `one`: whether all are of one symbol.
    """
    before = len(report.problems)
    if one:
        _one_symbol(parts, report)
    names = list(parts[0].values)
    for part in parts[1:]:
        for column in (column for column in names if column not in part.values):
            text = f"missing column, which {Path(parts[0].file).name} has; the file has {part.names()}"
            report.add_in(part.file, parts[0].name(column), None, text, missing=True)
    if len(report.problems) > before:
        return None
    numbered = [part.numbered for part in parts]  # not the parts themselves, whose columns would be kept
    firsts = np.cumsum([0, *(len(part) for part in parts)])
    columns = {column: _joined([part.values.raw(column) for part in parts]) for column in names}
    whole = Columns(
        name, Cells(columns), lambda: np.concatenate([one if isinstance(one, np.ndarray) else one() for one in numbered]),
        report, parts[0].unit,
        written=parts[0].written, header=parts[0].header, size=int(firsts[-1]),
        parts=tuple((part.file, int(first)) for part, first in zip(parts, firsts[:-1], strict=True)),
        own=tuple(part.written for part in parts),
    )  # fmt: skip
    kinds = list(dict.fromkeys(", ".join(part.said) for part in parts if part.said))
    whole.said = [
        f"{len(parts)} files",
        *(kinds if len(kinds) < 2 else [f"{kinds[0]} (in others: {'; '.join(kinds[1:3])})"]),
        *said,
    ]
    if more := list(dict.fromkeys(part.name(column) for part in parts for column in part.values if column not in names)):
        whole.said.append(f"columns that not all files have are left out: {', '.join(more[:5])}")
    return whole


def _one_symbol(parts: list[Columns], report: Report) -> None:
    """Note files that by their names are of another symbol, or of another interval, than most."""
    for what, found in (("symbol", _SYMBOL), ("interval", _INTERVAL)):
        words = ["".join(match.groups()) if (match := found.search(Path(part.file).name)) else "" for part in parts]
        names, counts = np.unique([word for word in words if word], return_counts=True)
        if len(names) > 1:
            usual = str(names[np.argmax(counts)])
            other = [part.file for part, word in zip(parts, words, strict=True) if word not in ("", usual)]
            more = f"; {len(other) - 1} more such files" if len(other) > 1 else ""
            text = f"is by its name of another {what} than the other files, {usual}{more}"
            report.add_in(other[0], "", None, text, missing=True)


def _joined(columns: list[Any]) -> Any:
    """One column below the other."""
    import pyarrow as pa

    if any(isinstance(column, np.ndarray) for column in columns) or len({column.type for column in columns}) > 1:
        return np.concatenate([column if isinstance(column, np.ndarray) else objects(column) for column in columns])
    return pa.chunked_array([chunk for column in columns for chunk in (column.chunks if hasattr(column, "chunks") else [column])])


def in_time(table: Columns, times: np.ndarray) -> tuple[Columns, np.ndarray]:
    """A table of several files whose rows are put in the order of time, where each file's own are in one."""
    if len(table.parts) < 2:
        return table, times
    bounds = [*(first for _, first in table.parts), len(times)]
    own = [np.diff(times[first:last].astype(np.int64)) for first, last in pairwise(bounds)]
    spaced = [(i, float(np.median(np.abs(steps)))) for i, steps in enumerate(own) if len(steps) > 1]
    if other := [i for i, size in spaced if size != spaced[0][1]]:
        first = Path(table.parts[spaced[0][0]][0]).name
        text = f"begins rows that are not as far apart as those of {first}: leave the files of one interval"
        table.note("time", bounds[other[0]], text)
    if not all(np.all(steps >= 0) or np.all(steps <= 0) for steps in own):
        return table, times
    if all(np.all(steps >= 0) for steps in own) and all(times[first] >= times[first - 1] for first in bounds[1:-1]):
        return table, times
    order = np.argsort(times, kind="stable")
    return table.only(order), times[order]


def note_symbols(table: Columns) -> None:
    """Note rows of another symbol than the first row's."""
    column = next((name for name in table.values if letters(name) in ("symbol", "ticker", "instid")), None)
    if column is None:
        return
    words = table.values[column]
    other = np.flatnonzero(words != words[0])
    table.note(column, other, f"is another symbol than that of {table.where(0)}, {words[0]}: leave the rows of one")


def rows_differ(table: Columns, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether rows have another number than others in any column of a bar; where there is none, in any but that of times."""
    differ = np.zeros(len(rows), dtype=bool)
    if not len(rows):
        return differ
    bars = [name for name in PRICES.numbers if name in table.values]
    for column in bars if "close" in bars else [name for name in table.values if name != "time"]:
        cells, beside = table.only(rows).values[column], table.only(others).values[column]
        with np.errstate(invalid="ignore"):
            numbers = as_numbers(cells), as_numbers(beside)
            same = (numbers[0] == numbers[1]) | (cells.astype(str) == beside.astype(str))
        differ |= ~same
    return differ


def once(table: Columns, times: np.ndarray) -> tuple[Columns, np.ndarray]:
    """A table of several files without rows that are the row before again, where two files overlap; which is said."""
    same = np.flatnonzero(np.diff(times) == 0) + 1 if len(table.parts) > 1 else np.zeros(0, dtype=int)
    same = same[~rows_differ(table, same, same - 1)]
    if not len(same):
        return table, times
    left = np.delete(np.arange(len(times)), same)
    table = table.only(left)
    table.said.append(f"{counted(len(same), 'row', 'rows')} in two files counted once")
    return table, times[left]


__all__ = ["in_time", "joined", "note_symbols", "once", "rows_differ"]
