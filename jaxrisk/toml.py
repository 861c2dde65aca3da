"""TOML: files read, documents written, and the comments behind values.

`tomllib` reads; `tomlkit` spells keys and values, and finds comments. The layout is ours, since `tomlkit` has none for a new
document: tables after plain keys, small tables of numbers on one line, and each part of a document written once for all the
scenarios of a study that have it.
"""

import textwrap
import tomllib
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from ._once import made_once, same
from .paths import readable
from .problems import Problem

WIDTH = 128
Comment = Callable[[str, str], str]
"""What is to be said of a key: `(dotted key, its line)`; empty for nothing."""


def read_toml(path: Path) -> tuple[dict[str, Any] | None, Problem | None]:
    """The document of a TOML file, or what is wrong with it."""
    return same(lambda: _read_toml(path), "toml", str(path))


def _read_toml(path: Path) -> tuple[dict[str, Any] | None, Problem | None]:
    try:
        with readable(path):
            text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return None, Problem(str(path), "", None, f"line {line} is not UTF-8 text; a TOML file has to be")
    except (OSError, ValueError) as error:
        return None, Problem(str(path), "", None, str(error))
    try:
        return tomllib.loads(text), None
    except (ValueError, RecursionError) as error:
        return None, Problem(str(path), "", None, f"is not valid TOML: {error or 'too deeply nested'}")


def to_toml(document: dict[str, Any], comment: Comment | None = None) -> str:
    """A document as TOML text, tables after plain keys.

    >>> print(to_toml({"name": "a", "run": {"paths": 10, "horizon": "24h"}}))
    name = "a"
    <BLANKLINE>
    [run]
    paths = 10
    horizon = "24h"
    <BLANKLINE>
    """
    lines: list[str] = []
    _write(document, (), lines, comment)
    return "\n".join(lines).strip("\n") + "\n"


def in_order(table: dict[str, Any]) -> list[str]:
    """Keys in the order in which they are written: tables after plain keys."""
    tables = [name for name, item in table.items() if _is_table(item) or _is_rows(item)]
    return [name for name in table if name not in tables] + tables


def _write(table: dict[str, Any], path: tuple[str, ...], lines: list[str], comment: Comment | None) -> None:
    tables = {name: item for name, item in table.items() if _is_table(item) or _is_rows(item)}
    for name, item in table.items():
        if name not in tables:
            line = f"{_key(name)} = {_value(item)}"
            lines += [line] if comment is None else _commented(line, comment(".".join((*path, name)), line))
    for name, item in tables.items():
        dotted = ".".join(_key(part) for part in (*path, name))
        for entry, brackets in [(item, "[{}]")] if isinstance(item, dict) else [(row, "[[{}]]") for row in item]:
            make = partial(_entry, entry, (*path, name), brackets.format(dotted), comment)
            lines += make() if comment is not None else made_once(make, entry, "written", *path, name)


def _entry(entry: dict[str, Any], path: tuple[str, ...], heading: str, comment: Comment | None) -> list[str]:
    """The lines of one table."""
    only_tables = bool(entry) and all(_is_table(inner) or _is_rows(inner) for inner in entry.values())
    lines = [] if only_tables and not heading.startswith("[[") else ["", heading]
    _write(entry, path, lines, comment)
    return lines


def _is_table(item: Any) -> bool:
    """Whether a table gets a heading of its own; small tables of numbers stay on one line."""
    return isinstance(item, dict) and any(not isinstance(inner, int | float) for inner in item.values())


def _is_rows(item: Any) -> bool:
    return isinstance(item, list) and bool(item) and all(isinstance(row, dict) for row in item)


@lru_cache(10_000)
def _key(name: str) -> str:
    import tomlkit  # here: who only checks a scenario need not wait for it

    return tomlkit.key(name).as_string()


def _value(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(name)} = {_value(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    plain = str(value) if isinstance(value, str) else value
    return _spelt(plain, repr(plain))


@lru_cache(10_000)
def _spelt(value: Any, _: str) -> str:
    """A text, number, truth value or date; kept by its `repr` too, since -0.0 equals 0.0 and `True` equals 1."""
    import tomlkit

    return tomlkit.item(value).as_string()


def _commented(line: str, comment: str) -> list[str]:
    """A line with its comment behind it, or above it where that is too long."""
    if not comment:
        return [line]
    if len(line) + 4 + len(comment) <= WIDTH:
        return [f"{line:<30} # {comment}"] if max(len(line), 30) + 3 + len(comment) <= WIDTH else [f"{line}  # {comment}"]
    return [*(f"# {part}" for part in textwrap.wrap(comment, WIDTH - 2)), line]


def comments(path: Path) -> dict[str, str]:
    """The comments behind values of a TOML file, by dotted key; a comment goes on in indented lines of comment below."""
    import tomlkit

    found: dict[str, str] = {}
    last = ""
    for key, comment, indented in _said(tomlkit.parse(path.read_text(encoding="utf-8-sig")), ()):
        words = comment.lstrip("#").strip()
        if key and words:
            found[key] = words
        elif last and indented:
            found[last] = f"{found[last]} {words}"
        last = key if key and words else last if indented else ""
    return found


def _said(table: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str, bool]]:
    """Of each line of a document the dotted key, empty where it has none, the comment, and whether it is indented."""
    from tomlkit.items import AoT, Table, Whitespace

    body = table.value.body if isinstance(table, Table) else table.body
    for key, item in body:
        here = path if key is None else (*path, key.key)
        if isinstance(item, AoT):
            for row in item.body:
                yield from _said(row, here)
        elif isinstance(item, Table):
            yield "", "", False
            yield from _said(item, here)
        elif not isinstance(item, Whitespace):
            yield "" if key is None else ".".join(here), item.trivia.comment, bool(item.trivia.indent.strip("\n"))


__all__ = ["comments", "in_order", "read_toml", "to_toml"]
