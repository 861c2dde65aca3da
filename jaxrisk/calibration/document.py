"""A scenario file in which every number says where it is from."""

import copy
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from ..config.check_document import check_document
from ..config.read import effective
from ..problems import ConfigError, Report
from ..toml import to_toml


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
    text = to_toml(document, lambda key, line: _origin(key, line, entries, kept, base))
    return "\n".join([*lines, "", text])


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


__all__ = ["Entry", "moved", "scenario_of", "with_entries", "written"]
