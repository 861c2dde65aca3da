"""Reading files: TOML and tables in CSV (plain or gzip) or Parquet. Whatever is wrong becomes a problem, never an exception."""

import csv
import gzip
import hashlib
import io
import math
import stat
import tomllib
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .once import Made, made_once, same
from .paths import NotFound, exists, find, is_folder, record
from .problems import Problem, Report, nearest, written

MOST_UNZIPPED = 2**30
"""Bytes of a table in gzip at most: a few kilobytes can be made to unpack to more than any memory."""


def read_bytes(path: Path) -> bytes:
    """The file's content, or `OSError` or `ValueError` with a sentence for the user."""
    record(path)
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError
        if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
            raise ValueError("is a device, of which there is no end to read; a file is needed")
        return path.read_bytes()
    except IsADirectoryError:
        raise OSError("is a folder; a file is needed") from None
    except FileNotFoundError:
        raise OSError("no such file") from None
    except OSError as error:
        raise OSError(f"cannot be read: {error.strerror or error}") from None


def read_toml(path: Path) -> tuple[dict[str, Any] | None, Problem | None]:
    """The document of a TOML file, or what is wrong with it."""
    return same(lambda: _read_toml(path), "toml", str(path))


def _read_toml(path: Path) -> tuple[dict[str, Any] | None, Problem | None]:
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return None, Problem(str(path), "", None, f"line {line} is not UTF-8 text; a TOML file has to be")
    except (OSError, ValueError) as error:
        return None, Problem(str(path), "", None, str(error))
    try:
        return tomllib.loads(text), None
    except (ValueError, RecursionError) as error:
        return None, Problem(str(path), "", None, f"is not valid TOML: {error or 'too deeply nested'}")


@dataclass
class Columns:
    """A table as read: `file` for messages, `values` by column, and the line (for Parquet, row) each row stands on."""

    file: str
    values: dict[str, np.ndarray]
    lines: np.ndarray
    report: Report
    unit: str = "line"
    bad: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.lines)

    def note(self, column: str, rows, allowed: str, near: str | None = None, missing: bool = False) -> None:
        """A problem with some rows of a column: names the first and counts the rest."""
        rows = np.atleast_1d(rows)
        if not len(rows):
            return
        self.bad.add(column)
        first = int(rows[0])
        more = f"; {len(rows) - 1} more such rows" if len(rows) > 1 else ""
        value = None if missing else _plain(self.values[column][first])
        self.report.add_in(self.file, f"{self.unit} {self.lines[first]}, {column}", value, allowed + more, near, missing)

    def numbers(self, column: str, allowed: str = "has to be a number") -> np.ndarray:
        """A column as float64; NaN, with a problem noted, where it is not a finite number."""
        raw = self.values[column]
        numbers = as_numbers(raw)
        self.note(column, np.flatnonzero(~np.isfinite(numbers)), allowed)
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


def _plain(value: Any) -> Any:
    """A cell as a Python value: numbers that came as text without quotes."""
    value = value.item() if isinstance(value, np.generic) else value
    try:
        value = float(value) if isinstance(value, str) and value.strip() else value
    except ValueError:
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def as_numbers(raw: np.ndarray) -> np.ndarray:
    """Text or numbers to float64, NaN where that is not possible."""
    try:
        return np.asarray(raw, dtype=np.float64)
    except (ValueError, TypeError):
        numbers = np.full(len(raw), math.nan)
        for i, item in enumerate(raw):
            try:
                numbers[i] = float(item)
            except (ValueError, TypeError):
                pass
        return numbers


class Reader:
    """Finds and reads the files that a scenario names, and remembers what was `read`, and what has to be `said` of it."""

    def __init__(self, report: Report, folder: Path):
        self.report = report
        self.folder = folder
        self.read: dict[str, str] = {}
        self.said: list[str] = []

    def once(self, make: Callable[[], Made], part: Any, key: str, *names: Hashable) -> Made:
        """As `made_once`, for what reads files that a scenario names: what is read and said comes again with what is made."""

        def noted() -> tuple[Made, dict[str, str], list[str]]:
            before, said = self.read, len(self.said)
            self.read = {}
            try:
                made = make()
            finally:
                mine, self.read = self.read, {**before, **self.read}
            return made, mine, self.said[said:]

        before = len(self.said)
        known = (key, str(self.folder), self.report.from_command_line(key), *names)
        made, read, said = made_once(noted, part, *known, report=self.report)
        self.read |= read
        self.said[before:] = said
        return made

    def path(self, kind: str, name: str, key: str) -> Path | None:
        """Where the file is, or None with a problem noted at `key`. A path given on the command line is also seen from here."""
        if self.report.from_command_line(key) and exists(Path(name)) and not is_folder(Path(name)):
            return Path(name)
        try:
            return find(kind, name, self.folder)
        except NotFound as error:
            self.report.add(key, name, str(error), error.nearest)
            return None

    def toml(self, kind: str, name: str, key: str) -> tuple[Path, dict[str, Any]] | None:
        """A TOML document of a kind that ships."""
        path = self.path(kind, name, key)
        if path is None:
            return None
        document, problem = read_toml(path)
        if problem is not None:
            self.report.problems.append(problem)
        return None if document is None else (path, document)

    def table(self, name: str, key: str, needed: tuple[str, ...], kind: str = "data") -> Columns | None:
        """A table with at least the columns needed, or None with problems noted."""
        path = self.path(kind, name, key)
        if path is None:
            return None
        try:
            content = read_bytes(path)
            self.read[name] = hashlib.sha256(content).hexdigest()
            columns = _parquet(content) if path.suffix == ".parquet" else _csv(_unzipped(path, content))
        except (OSError, ValueError, EOFError) as error:
            self.report.add_in(str(path), "", None, str(error), missing=True)
            return None
        unit = "row" if path.suffix == ".parquet" else "line"
        table = Columns(str(path), columns[0], columns[1], self.report, unit)
        absent = [column for column in needed if column not in table.values]
        for column in absent:
            text = f"missing column; the file has {', '.join(table.values)}"
            self.report.add_in(str(path), column, None, text, nearest(column, table.values), missing=True)
        if absent:
            return None
        if not len(table):
            self.report.add_in(str(path), "", None, "has no rows", missing=True)
            return None
        return table


def _unzipped(path: Path, content: bytes) -> bytes:
    if path.suffix != ".gz":
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            unzipped = file.read(MOST_UNZIPPED + 1)
    except Exception as error:  # zlib, gzip and end-of-file errors have no common base
        raise ValueError(f"is not a gzip file: {error}") from None
    if len(unzipped) > MOST_UNZIPPED:
        raise ValueError(f"is more than {MOST_UNZIPPED / 2**30:g} GiB when it is unpacked; unpack it, or save it as Parquet")
    return unzipped


def _csv(content: bytes) -> tuple[dict[str, np.ndarray], np.ndarray]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"line {content[: error.start].count(10) + 1} is not UTF-8 text") from None
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [name.strip() for name in next(reader, [])]
        rows, lines = [], []
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} is not valid CSV: {error}") from None
    if not any(header):
        raise ValueError("is empty; the first line has to name the columns")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"names the column {twice[0]} twice")
    ragged = [line for line, row in zip(lines, rows, strict=True) if len(row) != len(header)]
    if ragged:
        raise ValueError(
            f"line {ragged[0]} has not {len(header)} columns as the first line has; nor have {len(ragged) - 1} more lines"
        )
    columns = zip(*rows, strict=True) if rows else [()] * len(header)
    return {n: np.array(c, dtype=object) for n, c in zip(header, columns, strict=True)}, np.asarray(lines, dtype=np.int64)


def _parquet(content: bytes) -> tuple[dict[str, np.ndarray], np.ndarray]:
    try:
        import pandas
    except ImportError:
        raise ValueError("needs pandas and pyarrow to be read; save it as CSV, or install them") from None
    try:
        frame = pandas.read_parquet(io.BytesIO(content)).reset_index(drop=True)
    except ImportError:
        raise ValueError("needs pyarrow to be read; save it as CSV, or install it") from None
    except Exception as error:  # the reader raises its own kinds of errors
        raise ValueError(f"is not a readable Parquet file: {str(error).splitlines()[0]}") from None
    return {str(name): frame[name].to_numpy(dtype=object) for name in frame.columns}, np.arange(1, len(frame) + 1)


__all__ = ["Columns", "Reader", "as_numbers", "read_toml", "written"]
