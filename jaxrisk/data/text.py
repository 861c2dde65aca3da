"""Tables written as text: what separates the cells, whether the first line names the columns, and the cells themselves."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

PEEK = 1 << 16
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
_COMMA = re.compile(r"\s*[-+]?\d*,\d+([eE][-+]?\d+)?\s*")
_WITH_COMMA = r"^\s*([-+]?\d*),(\d+(?:[eE][-+]?\d+)?)\s*$"
_POINT = re.compile(r"\s*[-+]?\d*\.\d+([eE][-+]?\d+)?\s*")
_WITH_POINT = r"^\s*[-+]?\d*\.\d+(?:[eE][-+]?\d+)?\s*$"
_THOUSANDS = re.compile(r"\s*[-+]?[1-9]\d{0,2},\d{3}\s*")
_EITHER = "has a {} in it, and others a {}: it cannot be told which are thousands; write numbers with one sign, for decimals"
_DATE = re.compile(r"\s*\d{4}-\d\d-\d\d([T ]|\s*$)")
_TOLD = re.compile(r"\s*sep=([,;|\t])\s*", re.IGNORECASE)
_SEPARATORS = {",": "", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Form:
    """How a text is written: `separator`; `decimal`: "." or ","; `header`: the names of the first line, None where it is data
    already; `columns`: how many there are; `quoted`: whether a cell may hold a line's end; `before`: empty lines and comments at
    the top; `comments`: how many of these; `unnamed`: whether the first column is times under no name."""

    separator: str
    decimal: str
    header: tuple[str, ...] | None
    columns: int
    quoted: bool
    first: tuple[str, ...] = ()
    before: int = 0
    comments: int = 0
    unnamed: bool = False

    @property
    def said(self) -> list[str]:
        """What is not as in our own tables."""
        found = [f"{self.comments} lines of comment at the top left out"] if self.comments else []
        found += [f"cells between {_SEPARATORS[self.separator]}"] if self.separator != "," else []
        found += ["decimal commas"] if self.decimal == "," else []
        return found + (["time is the first column, which has no name"] if self.unnamed else [])


def form_of(head: bytes) -> Form:
    """How a text is written, by its first lines; raises `ValueError` where there is none, or it is no table."""
    if is_utf16(head):
        raise ValueError(UTF16)
    text = head.decode("utf-8-sig", errors="replace")
    every = text.splitlines()
    told = _TOLD.fullmatch(every[0]) if every else None  # which Excel reads, and writes nothing of
    if told:
        every[0] = ""
    before = next((i for i, line in enumerate(every) if line.strip() and not line.startswith("#")), len(every))
    if before and before < len(every) and _names_behind_a_mark(every[before - 1], every[before]):
        before -= 1
        every[before] = every[before].lstrip("# ")
    comments = sum(line.startswith("#") for line in every[:before])
    lines = [line for line in every[before:] if line.strip()][:50]
    if not lines:
        raise ValueError("is empty; the first line has to name the columns")
    if problem := looks_like("\n".join(every[before:])):
        raise ValueError(problem)
    if "\ufffd" in lines[0]:
        raise ValueError(f"line {before + 1} is not UTF-8 text; save it as UTF-8")
    separator = told[1] if told else _separator(lines[0])
    cells = [_cells(line, separator) for line in lines]
    numbers = [cell for row in cells[1:] or cells for cell in row]
    decimal = "," if separator != "," and any(_COMMA.fullmatch(cell) for cell in numbers) else "."
    number = lambda cell: bool(_NUMBER.fullmatch(cell) or (decimal == "," and _COMMA.fullmatch(cell)))
    # of a line of data one cell may be wrong, which is said where it is read
    numbered_cells = sum(number(cell) or not cell.strip() for cell in cells[0])
    named = not (len(cells[0]) > 1 and number(cells[0][0]) and 2 * numbered_cells > len(cells[0]))
    header = tuple(cell.strip() for cell in cells[0]) if named else None
    if header is not None:
        if len(header) == 1 and len({len(row) for row in cells[1:]} - {1}) == 1:
            text = f"line {before + 1} is a title above the names of columns, {lines[0].strip()[:60]}: delete it"
            raise ValueError(f"{text}, or begin it with #")
        if not any(header):
            raise ValueError("is empty; the first line has to name the columns")
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise ValueError(f"names the column {twice[0]} twice")
    if separator != ",":
        numbered = [i + 1 for i, line in enumerate(every) if line.strip() and i >= before]
        _one_sign(cells[1:] if named else cells, header, numbered[1:] if named else numbered)
    first = next(iter(cells[1:] if named else cells), [])
    unnamed = header is not None and _is_index(header, first)
    if header is not None and unnamed:
        header = ("time", *header[1:])
    quoted = '"' in "\n".join(every[before:])
    return Form(separator, decimal, header, len(cells[0]), quoted, tuple(first), before, comments, unnamed)


def _is_index(header: tuple[str, ...], first: list[str]) -> bool:
    """Whether the first column has no name and holds dates, as an index of pandas, and no other is of times by its name."""
    others = " ".join(header[1:]).lower()
    return header[0] == "" and bool(first and _DATE.match(first[0])) and not ("time" in others or "date" in others)


def _separator(line: str) -> str:
    bare = re.sub(r'"[^"]*"', "", line)  # of cells in quotes the separators do not count
    return max(_SEPARATORS, key=bare.count)


def _names_behind_a_mark(above: str, below: str) -> bool:
    """Whether a line that begins with # names the columns of the line below: a word for each of its cells, of which some are
    numbers."""
    if not above.startswith("#"):
        return False
    separator = _separator(below)
    words, cells = _cells(above.lstrip("# "), separator), _cells(below, separator)
    number = lambda cell: bool(_NUMBER.fullmatch(cell) or _COMMA.fullmatch(cell))
    return len(words) == len(cells) > 1 and all(word.strip() and not number(word) for word in words) and any(map(number, cells))


UTF16 = "is UTF-16 text; save it as UTF-8"


def is_utf16(head: bytes) -> bool:
    """Whether bytes are UTF-16 text, which says so at its beginning, or of which half are zero."""
    return head[:2] in (b"\xff\xfe", b"\xfe\xff") or 3 * head[:1000].count(0) > len(head[:1000]) > 0


def _one_sign(cells: list[list[str]], header: tuple[str, ...] | None, lines: list[int]) -> None:
    """Raise `ValueError` where numbers have commas and points, or commas that may each be before thousands."""
    found = [(line, k, cell) for line, row in zip(lines, cells, strict=False) for k, cell in enumerate(row)]
    commas = [one for one in found if _COMMA.fullmatch(one[2])]
    points = [one for one in found if _POINT.fullmatch(one[2])]
    if not commas:
        return
    if points:
        few, words = (commas, ("comma", "point")) if len(commas) <= len(points) else (points, ("point", "comma"))
        raise ValueError(f"{_at(few[0], header)}: {_EITHER.format(*words)}")
    if all(_THOUSANDS.fullmatch(cell) for _, _, cell in commas):
        raise ValueError(f"{_at(commas[0], header)}: it cannot be told whether commas are before thousands or decimals; "
                         "write numbers without thousands")  # fmt: skip


def _at(place: tuple[int, int, str], header: tuple[str, ...] | None) -> str:
    line, column, cell = place
    name = header[column] if header is not None and column < len(header) else f"column {column + 1}"
    return f'line {line}, {name} = "{cell.strip()}"'


def looks_like(text: str) -> str | None:
    """What a text is that is no table, in a sentence; None where it may be one."""
    start = text.lstrip()[:200]
    if start[:1] in "{[" and re.match(r'[\[{]\s*(["\[{\]}]|-?\d)', start):
        return f"this is JSON: {start.splitlines()[0][:60]}"
    if start[:1] == "<" and not re.match(r"<\w+>[\t,;|]", start):  # of names such as <DATE> and <CLOSE>
        kind = "a web page" if re.match(r"<(!doctype html|html)", start, re.IGNORECASE) else "XML"
        return f"this is {kind}, not the data: it begins with {start.splitlines()[0][:60]}"
    if start.startswith("version https://git-lfs"):
        return "this is a pointer of Git LFS, not the data: fetch the file itself"
    return None


def _cells(line: str, separator: str) -> list[str]:
    import csv

    return next(csv.reader([line], delimiter=separator), [])


def read_text(open_file: Callable[[], BinaryIO], form: Form, names: tuple[str, ...], typed: dict[str, str], wanted: list[str]):
    """The table of a text, columns that are in `typed` ("number" or "whole") as such, the others as text.

    Where a cell is not of its type all are read as text, so that it can be named. Raises `ValueError` with a sentence.

    **Arguments:** `open_file`: opens the bytes anew; `names`: of all columns; `wanted`: those that are kept.
    """
    try:
        return _read(open_file, form, names, typed, wanted)
    except ValueError:
        if not typed:
            raise
        return _read(open_file, form, names, {}, wanted)


def _read(open_file, form: Form, names, typed, wanted) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    types = {name: {"number": pa.float64(), "whole": pa.int64()}.get(typed.get(name, ""), pa.string()) for name in wanted}
    above = form.before + (form.header is not None)
    options = {
        "read_options": csv.ReadOptions(
            column_names=list(names),
            skip_rows=above,
            block_size=1 << 20,
        ),
        "parse_options": csv.ParseOptions(delimiter=form.separator, newlines_in_values=form.quoted),
        "convert_options": csv.ConvertOptions(
            column_types=types, include_columns=wanted, strings_can_be_null=False, decimal_point=form.decimal
        ),
    }
    with open_file() as file:
        try:
            table = csv.read_csv(file, **options)
        except pa.ArrowInvalid as error:
            raise ValueError(_said(str(error), open_file, form)) from None
    if any(table[name].null_count for name in typed if name in wanted):
        raise ValueError("has cells without a number")
    if len(again := _names_again(table, [name for name in wanted if pa.types.is_string(types[name])])):
        with open_file() as file:
            line = int(lines_of(file.read(), form, len(table))[again[0]])
        more = f", as do {len(again) - 1} more lines" if len(again) > 1 else ""
        raise ValueError(
            f"line {line} names the columns again{more}: delete it, or give the files that were put together as a folder"
        )
    if form.decimal == ",":
        for place, name in enumerate(wanted):
            if pa.types.is_string(types[name]):
                pointed = pc.match_substring_regex(table[name], _WITH_POINT)  # type: ignore[attr-defined]
                if (row := pc.index(pointed, True).as_py()) >= 0:  # type: ignore[attr-defined]
                    with open_file() as file:
                        line = int(lines_of(file.read(), form, len(table))[row])
                    raise ValueError(f'line {line}, {name} = "{table[name][row]}": {_EITHER.format("point", "comma")}')
                dotted = pc.replace_substring_regex(table[name], _WITH_COMMA, r"\1.\2")  # type: ignore[attr-defined]
                table = table.set_column(place, name, dotted)
    return table


def _names_again(table: Any, names: list[str]) -> np.ndarray:
    """Rows in which at least two columns, and all of these names, hold their own names, as where files were put together."""
    import pyarrow.compute as pc

    if len(names) < 2:
        return np.zeros(0, dtype=np.int64)
    rows = np.arange(len(table))
    for name in names:
        cells = table[name] if len(rows) == len(table) else table[name].take(rows)
        same = pc.equal(pc.utf8_lower(pc.utf8_trim_whitespace(cells)), name.strip().lower())  # type: ignore[attr-defined]
        rows = rows[np.asarray(same.to_numpy(), dtype=bool)]
        if not len(rows):
            break
    return rows


def _said(error: str, open_file, form: Form) -> str:
    """Why a text could not be read, by line."""
    with open_file() as file:
        content = file.read()
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        return f"line {content[: wrong.start].count(10) + 1} is not UTF-8 text"
    ragged, last = _ragged(content, form)
    if ragged:
        line, count = ragged[0]
        cells = content.splitlines()[line - 1].decode("utf-8-sig").strip() if not form.quoted else "."
        if not cells:
            return f"line {line} has spaces and nothing else: delete it"
        if cells.startswith("#"):
            return f"line {line} is a comment, which may stand above the names of columns only: {cells[:60]}"
        more = f", nor have {len(ragged) - 1} more lines" if len(ragged) > 1 else ""
        what = "as the first line has" if form.header is not None else "as the first line has, which is data"
        if len(ragged) == 1 and line == last and count < form.columns:
            more = "; it is the last one: the file is cut off"
        return f"line {line} has not {form.columns} columns {what}{more}; it has {count}"
    return f"is not a table: {error.splitlines()[0][:100]}"


def _ragged(content: bytes, form: Form) -> tuple[list[tuple[int, int]], int]:
    """Lines whose number of cells is another than the first's, with it, and the last line of all."""
    import csv

    reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=form.separator)
    found, last = [], 0
    try:
        for row in reader:
            if row:
                last = reader.line_num
                if len(row) != form.columns and last > form.before:
                    found.append((last, len(row)))
    except csv.Error as error:
        found.append((reader.line_num, 0))
        del error
    return found, last


def lines_of(content: bytes, form: Form, rows: int) -> np.ndarray:
    """The line on which each of so many rows of data ends, lines in cells and empty lines counted."""
    found = _lines_by_bytes(content, form)
    if len(found) != rows:  # quotes inside cells, or lines that end in carriage returns alone
        found = _lines_by_rows(content, form)
    return found if len(found) == rows else np.arange(rows) + 1 + form.before + (form.header is not None)


def _lines_by_rows(content: bytes, form: Form) -> np.ndarray:
    """As `lines_of`, slower, for whatever quotes and ends of lines there are."""
    import csv

    text = io.StringIO(content.decode("utf-8-sig"), newline="")
    for _ in range(form.before):
        text.readline()
    reader = csv.reader(text, delimiter=form.separator)
    found = np.array([reader.line_num for row in reader if row], dtype=np.int64) + form.before
    return found[1:] if form.header is not None else found


def _lines_by_bytes(content: bytes, form: Form) -> np.ndarray:
    bounds = np.flatnonzero(np.frombuffer(content, np.uint8) == 10)
    ends = np.append(bounds, len(content)) if not content.endswith(b"\n") else bounds
    starts = np.concatenate([[0], ends[:-1] + 1])
    number = np.arange(1, len(ends) + 1)
    if form.quoted:
        quotes = np.concatenate([[0], np.cumsum(np.frombuffer(content, np.uint8) == 34)])
        above = number <= form.before
        closed = above | ((quotes[ends] - np.max(quotes[ends[above]], initial=0)) % 2 == 0)
        starts, ends, number = starts[np.concatenate([[True], closed[:-1]])][: closed.sum()], ends[closed], number[closed]
    length = ends - starts
    carriage = (length == 1) & (np.frombuffer(content + b"\n", np.uint8)[starts] == 13)
    number = number[(length > 0) & ~carriage & (number > form.before)]
    return number[1:] if form.header is not None else number


__all__ = ["PEEK", "Form", "form_of", "lines_of", "looks_like", "read_text"]
