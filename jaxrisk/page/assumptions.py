"""What a result rests on: every commented number of its scenario with where it is from, and what the file says ahead of them."""

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from .content import Cell, Part, Table

KINDS = ("MEASURED", "FACT", "ASSUMPTION", "SIMPLIFICATION", "LITERATURE", "CHOSEN")


class Said(NamedTuple):
    """`rows`: key, value in the run, what the file says of it; `changed`: keys that have other values in the run than in the
    file; `head`: paragraphs ahead of the first key; `sources`; `file`: which file was read, empty where none was found."""

    rows: list[tuple[str, str, str]]
    changed: list[str]
    head: list[str]
    sources: list[str]
    file: str


def said_of(name: str, text: str, folder: Path | None = None) -> Said:
    """What a scenario's file says of the numbers of an effective configuration.

    A comment is told only of a number that is in the run what it is in the file: of another it was not said.

    **Arguments:** `name`: of the scenario, or its file; `text`: the effective configuration; `folder`: where else to look.
    """
    from ..paths import NotFound, find
    from ..toml import comments

    try:
        run = tomllib.loads(text) if text else {}
    except tomllib.TOMLDecodeError:
        run = {}
    sources = [str(one) for one in run.get("sources", []) if isinstance(one, str)]
    try:
        path = Path(find("scenarios", name, folder or Path()))
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        said = comments(path)
    except (NotFound, OSError, ValueError):
        return Said([], [], [], sources, "")
    rows, changed = [], []
    for key, words in said.items():
        there, here = _at(document, key), _at(run, key)
        if here is _NONE or (isinstance(here, dict | list) and not here):
            continue
        if isinstance(there, str) and isinstance(here, dict | list):  # a table that is named, and stands written out in the run
            rows.append((key, there, words))
        elif _same(there, here):
            rows.append((key, _short(here), words))
        else:
            changed.append(f"{key}: {_short(there)} in the file, {_short(here)} here")
    return Said(rows, changed, head_of(path), sources, path.name)


def head_of(path: Path) -> list[str]:
    """The comment at the top of a file, a paragraph each."""
    paragraphs: list[list[str]] = [[]]
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    for line in lines:
        if not line.startswith("#"):
            break
        words = line.lstrip("#").rstrip()
        if not words.strip() or words.strip().startswith("- "):
            paragraphs.append([])
        if words.strip():
            paragraphs[-1].append(words.strip())
    return [" ".join(one).removeprefix("- ") for one in paragraphs if one]


def part(said: Said, more: list[str], set_by: list[str]) -> Part:
    """The part of a page on assumptions.

    **Arguments:** `more`: paragraphs that a study's own file says; `set_by`: what it sets.
    """
    rows = [[Cell(key), Cell(value), Cell(words)] for key, value, words in said.rows]
    tables = [Table("Numbers and where they are from", ("number", "value here", "where from"), "lll", rows)] if rows else []
    text = [*more, *said.head]
    if not said.file:
        text.append("The scenario's own file was not found, so that what it says of its numbers cannot be told here; the numbers "
                    "themselves are in the reproduction block.")  # fmt: skip
    kinds = [kind for kind in KINDS if any(kind in words for _, _, words in said.rows)]
    if kinds:
        count = lambda kind: sum(kind in words for _, _, words in said.rows)
        text.append("Of the commented numbers " + ", ".join(f"{count(kind)} are marked {kind}" for kind in kinds) + ".")
    lines = [f"Source: {one}" for one in said.sources] + [f"Set by the study: {one}" for one in set_by]
    lines += [f"Other than in {said.file}: {one}" for one in said.changed]
    return Part("assumptions", "What is assumed, and from where?", text, tables, lines=lines, folded=True)


_NONE: Any = object()


def _at(document: Any, key: str) -> Any:
    for name in key.split("."):
        if not isinstance(document, dict) or name not in document:
            return _NONE
        document = document[name]
    return document


def _same(there: Any, here: Any) -> bool:
    if isinstance(there, int | float) and isinstance(here, int | float):
        return float(there) == float(here)
    if isinstance(here, list) and isinstance(there, list):
        return len(there) == len(here) and all(map(_same, there, here))
    return there == here


def _short(value: Any) -> str:
    if value is _NONE:
        return "not there"
    text = f"{value:,.10g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else f"{text[:56]} ..."


__all__ = ["Said", "head_of", "part", "said_of"]
