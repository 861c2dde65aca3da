"""Reading tables, whatever they are kept in: text, Parquet, Feather, JSON, packed, in archives, in several files."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..problems import Report, counted, nearest
from .account_documents import PLACE
from .columns import Cells, Columns
from .containers import Source, files_of, sources
from .json_rows import NoRows, is_json, json_table
from .many import joined
from .names import PRICES, TableKind, found, letters, of_columns, renamed
from .text import form_of, lines_of, read_text
from .times import are_dates

PLAIN = TableKind("a table", {})
"""A table whose columns have to have our names."""


@dataclass(frozen=True)
class Wish:
    """What is wanted of a table.

    **Fields:** `kind`; `columns`: by our name, the file's own; `needed`: our names that have to be there; `reserved`: columns
    that mean themselves, such as an asset's; `key`: where `columns` stands, for messages.
    """

    kind: TableKind = PLAIN
    columns: dict[str, str] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()
    key: str = ""


def read_table(path: Path, report: Report, wish: Wish) -> Columns | None:
    """The table of a file, a folder of files, or the files that a pattern means; None with problems noted, by file."""
    try:
        files, said = files_of(path)
    except (OSError, ValueError) as error:
        report.add_in(str(path), "", None, str(error), missing=True)
        return None
    parts: list[Columns] = []
    empty: list[tuple[Path, str]] = []
    before = len(report.problems)
    for file in files:
        try:
            for source in sources(file):
                table = read_source(source, report, wish)
                if table is not None:
                    parts.append(table)
        except NoRows as error:
            empty.append((file, str(error)))
        except (OSError, ValueError, EOFError) as error:
            report.add_in(str(file), "", None, str(error), missing=True)
    if not parts and empty and len(report.problems) == before:
        report.add_in(str(empty[0][0]), "", None, empty[0][1], missing=True)
    if len(report.problems) > before or not parts:
        return None
    said += [f"{counted(len(empty), 'file', 'files')} without a position"] if empty else []
    if len(parts) == 1 and len(files) == 1:
        parts[0].said += said
        return parts[0]
    return joined(str(path), parts, report, said, one=wish.kind.word != "accounts")


def read_source(source: Source, report: Report, wish: Wish) -> Columns | None:
    """One table, its columns by our names; None with problems noted. Raises `OSError` or `ValueError` with a sentence."""
    if source.head[:4] == b"PAR1" or source.name.lower().endswith((".parquet", ".pq")):
        table, said = _parquet(source), ["Parquet"]
    elif source.head[:6] == b"ARROW1" or source.name.lower().endswith((".feather", ".arrow")):
        table, said = _feather(source), ["Feather"]
    elif is_json(source.head, source.name):
        return _from_json(source, report, wish)
    else:
        return _from_text(source, report, wish)
    there = found(wish.kind, table.column_names, wish.columns, wish.reserved)
    columns = {name: table[name] for name in table.column_names}
    said = said if renamed(there) else []
    return _named(Columns(source.name, Cells(columns), lambda: np.arange(1, len(table) + 1), report, "row", size=len(table)),
                  there, said, wish)  # fmt: skip


def _from_text(source: Source, report: Report, wish: Wish) -> Columns | None:
    form = form_of(source.head)
    said = [*form.said]
    names, labels = form.header, {}
    if names is None:
        bare = (wish.kind.bare or {}).get(form.columns)
        if bare is None:
            known = ", or ".join(f"{count} ({words})" for count, (_, words) in (wish.kind.bare or {}).items())
            more = f"; without one {known} columns are known" if known else ""
            if not known and form.columns in (PRICES.bare or {}):
                more = "; it looks like prices"
            text = (
                f"has no first line that names its {form.columns} columns; it begins with {form.separator.join(form.first)[:60]}"
            )
            raise ValueError(text + more)
        names = bare[0]
        labels = {name: f"column {i + 1} ({name})" for i, name in enumerate(names)}
        said.insert(0, f"{bare[1]} without header")
    there = found(wish.kind, names, wish.columns, wish.reserved)
    typed = {there[name]: "number" for name in wish.kind.numbers if name in there}
    wanted = list(names)
    if set(there) >= {"time", "close"} and wish.kind.numbers:
        cell = dict(zip(names, form.first, strict=False)).get(there["time"], "")
        if cell.strip().isdecimal() and not are_dates(np.array([float(cell)])):
            typed[there["time"]] = "whole"
        if not wish.kind.whole:
            wanted = [name for name in names if name in there.values() or letters(name) in ("symbol", "ticker")]
    if names is not None and form.header is not None and {"open", "high", "low"} <= set(there) and len(names) >= 11:
        said.insert(0, "klines")
    table = read_text(source.open, form, tuple(names), typed, wanted)

    def numbered() -> np.ndarray:
        with source.open() as file:
            return lines_of(file.read(), form, len(table))

    columns = {name: table[name] for name in wanted}
    return _named(Columns(source.name, Cells(columns), numbered, report, size=len(table), header=tuple(labels.values()) or names),
                  there, said + ([source.packed] if source.packed == "zip" else []), wish, labels)  # fmt: skip


def _from_json(source: Source, report: Report, wish: Wish) -> Columns | None:
    with source.open() as file:
        content = file.read()
    names, rows, said = json_table(content, wish.kind, Path(source.name).name.split(".")[0])
    numbered, unit = np.arange(1, len(rows) + 1), "row"
    if PLACE in names:
        numbered, unit = np.array([row.get(PLACE) for row in rows], dtype=object), ""
        names = tuple(name for name in names if name != PLACE)
    there = found(wish.kind, names, wish.columns, wish.reserved)
    columns: dict[str, Any] = {}
    for name in names:
        columns[name] = column = np.empty(len(rows), dtype=object)
        column[:] = [row.get(name) for row in rows]
    return _named(Columns(source.name, Cells(columns), numbered, report, unit, header=tuple(names)),
                  there, said, wish, {name: name for name in names} if said[:1] == ["clearinghouseState"] else None)  # fmt: skip


def _named(table: Columns, there: dict[str, str], said: list[str], wish: Wish, labels: dict[str, str] | None = None):
    """The table under our names, with what it was taken for; None where a column that is needed is not there.

    **Arguments:** `labels`: what columns are called in messages where the file names none.
    """
    if not table.header:
        table.header = tuple(table.values)
    names = {written: ours for ours, written in there.items()}
    # a column of our name that another one stands for keeps its cells under another
    names |= {one: f"{one} of the file" for one in table.values if one in there and one not in names}
    table.values.rename(names)
    for ours, written in there.items():
        if ours != (label := (labels or {}).get(written, written)):
            table.written[ours] = label
    table.said = [*said, *([] if labels else renamed(there))]
    wrong = False
    if not table.header and not len(table):
        table.report.add_in(table.file, "", None, "has no rows", missing=True)
        return None
    for ours, written in wish.columns.items():
        if ours in wish.kind.others and there.get(ours) != written:
            key = written if not wish.key else f"{wish.key}.{ours}"
            text = f"missing column, which was named for {ours}; the file has {table.names()}"
            table.report.add_in(table.file, key, None, text, nearest(written, table.header), missing=True)
            wrong = True
    for name in wish.needed:
        if name not in table.values and name not in wish.columns:
            text = f"missing column; the file has {table.names()}{_hint(table.header, name, wish)}"
            table.report.add_in(table.file, name, None, text, nearest(name, table.header), missing=True)
            wrong = True
    if wrong:
        return None
    if not len(table):
        table.report.add_in(table.file, "", None, "has no rows", missing=True)
        return None
    return table


def _hint(header: tuple[str, ...], name: str, wish: Wish) -> str:
    """What a table that lacks a column looks like, or how the column is named."""
    if not wish.kind.others:
        return ""
    return resembling(header, wish.kind.word) or f"; a column of another name is told by columns, or --columns {name}=NAME"


def resembling(header: tuple[str, ...], word: str) -> str:
    """What a table that is none of a kind looks like, as the end of a sentence; empty where that cannot be told.

    >>> resembling(("create_time", "sum_open_interest"), "tiers"), resembling(("x",), "tiers")
    ('; it looks like open interest', '')
    """
    kind = (of_columns(header) or word).replace("_", " ")
    return "" if kind == word else f"; it looks like {kind}"


def header_of(path: Path) -> tuple[str, ...]:
    """The names of columns of a file, or of the first of several; none where it cannot be read."""
    try:
        for source in sources(files_of(path)[0][0]):
            if source.head[:4] in (b"PAR1", b"ARRO"):
                return _schema_names(source)
            if not is_json(source.head, source.name):
                return form_of(source.head).header or ()
            table = read_source(source, Report(str(path)), Wish())
            return () if table is None else table.header
    except (OSError, ValueError, EOFError):
        pass
    return ()


def _schema_names(source: Source) -> tuple[str, ...]:
    """The columns of a Parquet or Feather file, by what it says of itself, none of its data read; none where it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        if source.head[:4] == b"PAR1":
            schema = parquet.read_schema(_place(source))
        else:
            place = _place(source)
            schema = pa.ipc.open_file(pa.memory_map(str(place)) if isinstance(place, Path) else place).schema
    except Exception:  # the readers raise their own kinds of errors, which are said where the file is read
        return ()
    return tuple(_columns(schema.names))


def _columns(names: list[str]) -> list[str]:
    """Names of columns without the index that pandas keeps beside them."""
    return [name for name in names if not name.startswith("__index_level_")]


def _place(source: Source) -> Path | io.BytesIO:
    """The file itself or, where it is packed, its bytes."""
    return source.path if source.path and not source.packed else _unpacked(source)


def _unpacked(source: Source) -> io.BytesIO:
    with source.open() as file:
        return io.BytesIO(file.read())


def _parquet(source: Source) -> Any:
    import pyarrow.parquet as parquet

    try:
        with parquet.ParquetFile(_place(source)) as file:
            return _whole(file.read())
    except Twice:
        raise
    except Exception as error:  # the reader raises its own kinds of errors
        raise ValueError(f"is not a readable Parquet file: {str(error).splitlines()[0]}") from None


def _feather(source: Source) -> Any:
    from pyarrow import feather

    try:
        place = _place(source)
        return _whole(feather.read_table(str(place) if isinstance(place, Path) else place))
    except Twice:
        raise
    except Exception as error:  # as above
        raise ValueError(f"is not a readable Feather file: {str(error).splitlines()[0]}") from None


class Twice(ValueError):
    """Two columns of one name."""


def _whole(table: Any) -> Any:
    """A table with its dictionaries written out, and without the index that pandas keeps beside."""
    import pyarrow as pa

    names = _columns(table.column_names)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Twice(f"names the column {twice} twice")
    table = table.select(names)
    for place, name in enumerate(names):
        if pa.types.is_dictionary(table[name].type):
            table = table.set_column(place, name, table[name].cast(table[name].type.value_type))
    return table


__all__ = ["PLAIN", "Wish", "header_of", "letters", "read_source", "read_table", "resembling"]
