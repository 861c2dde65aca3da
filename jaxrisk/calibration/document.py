"""A scenario file in which every number says where it is from."""

import copy
import os
import re
import textwrap
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from ..config.checked import check_document
from ..config.document import to_toml
from ..config.problems import ConfigError, Report
from ..config.read import effective

WIDTH = 128


class Entry(NamedTuple):
    """A value and its origin: MEASURED, FACT or ASSUMPTION, with file, dates, error or range."""

    value: Any
    origin: str


def with_entries(document: dict[str, Any], entries: dict[str, Entry]) -> dict[str, Any]:
    """A copy of a document with values replaced by dotted key; tables on the way are made where there are none."""
    changed = copy.deepcopy(document)
    for key, entry in entries.items():
        *tables, last = key.split(".")
        here = changed
        for name in tables:
            if not isinstance(here.get(name), dict):
                here[name] = {}
            here = here[name]
        here[last] = entry.value
    return changed


def written(document: dict[str, Any], entries: dict[str, Entry], kept: dict[str, str], base: str, header: list[str]) -> str:
    """The document as TOML, a comment on every key that holds a number.

    **Arguments:** `entries`: what was measured; `kept`: comments of the base file by dotted key, as `comments` reads them;
    `base`: its name, which stands at every key that was taken from it; `header`: lines at the top, without `#`.
    """
    lines = [f"# {line}".rstrip() for line in header]
    lines.append("")
    table: tuple[str, ...] = ()
    for line in to_toml(document).splitlines():
        if line.startswith("["):
            table = _place(line)
            lines.append(line)
        elif not line.strip():
            lines.append(line)
        else:
            key = ".".join((*table, next(iter(tomllib.loads(line)))))
            lines += _commented(line, _origin(key, line, entries, kept, base))
    return "\n".join(lines) + "\n"


def _origin(key: str, line: str, entries: dict[str, Entry], kept: dict[str, str], base: str) -> str:
    parts = key.split(".")
    for end in range(len(parts), 0, -1):
        entry = entries.get(".".join(parts[:end]))
        if entry is not None:
            return entry.origin
    below = [f"{name.removeprefix(key + '.')}: {entry.origin}" for name, entry in entries.items() if name.startswith(key + ".")]
    if below:
        return "; ".join(below) + f"; the others from {base}"
    if not re.search(r"\d", line.partition("=")[2]) or key in ("name", "title", "question", "sources"):
        return ""
    # numbers of keys by number, as of rows of a table, are commented at the table
    said = next((kept[".".join(parts[:end])] for end in range(len(parts), 0, -1) if ".".join(parts[:end]) in kept), "")
    return f"from {base}" + (f": {said}" if said else "")


def _commented(line: str, comment: str) -> list[str]:
    """A line with its comment behind it, or above it where that is too long."""
    if not comment:
        return [line]
    if len(line) + 4 + len(comment) <= WIDTH:
        return [f"{line:<30} # {comment}"] if max(len(line), 30) + 3 + len(comment) <= WIDTH else [f"{line}  # {comment}"]
    return [*(f"# {part}" for part in textwrap.wrap(comment, WIDTH - 2)), line]


def _place(heading: str) -> tuple[str, ...]:
    """The names in `[a.b]` or `[[a.b]]`."""
    here: Any = tomllib.loads(heading)
    names: list[str] = []
    while isinstance(here, dict) and here:
        name = next(iter(here))
        names.append(name)
        here = here[name]
    return tuple(names)


def comments(path: Path) -> dict[str, str]:
    """The comments behind values of a TOML file, by dotted key; a comment goes on in indented lines of comment below."""
    found: dict[str, str] = {}
    table: tuple[str, ...] = ()
    last = ""
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        if line[:1].isspace() and line.strip().startswith("#"):
            if last:
                found[last] = f"{found[last]} {line.strip().lstrip('#').strip()}"
            continue
        last = ""
        if line.startswith("["):
            table = _place(line.split("#")[0].strip())
            continue
        code, comment = _cut(line)
        try:
            names = list(tomllib.loads(code)) if "=" in code else []
        except tomllib.TOMLDecodeError:
            names = []
        if names and comment:
            last = ".".join((*table, names[0]))
            found[last] = comment
    return found


def _cut(line: str) -> tuple[str, str]:
    """Code and comment of a line; a `#` in a text is none."""
    quote = ""
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote and line[place - 1] != "\\" else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#":
            return line[:place].strip(), line[place + 1 :].strip()
    return line.strip(), ""


def moved(document: Any, old: Path, new: Path) -> Any:
    """A document whose relative paths to files that exist are seen from another folder."""
    if isinstance(document, dict):
        return {key: moved(item, old, new) for key, item in document.items()}
    if isinstance(document, list):
        return [moved(item, old, new) for item in document]
    likely = isinstance(document, str) and ("/" in document or "." in document) and len(document) < 250 and "\n" not in document
    if likely and not Path(document).is_absolute() and (old / document).is_file():
        return Path(os.path.relpath((old / document).resolve(), new.resolve())).as_posix()
    return document


def scenario_of(document: dict[str, Any], path: Path):
    """The scenario that a document describes, as if it stood at `path`; raises `ConfigError`."""
    from ..config.build import build

    report = Report(str(path))
    checked = check_document(document, path, report)
    if report.problems:
        raise ConfigError(list(dict.fromkeys(report.problems)))
    return build(checked, effective(checked))


__all__ = ["Entry", "comments", "moved", "scenario_of", "with_entries", "written"]
