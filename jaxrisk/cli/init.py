"""`jaxrisk init`: a copy of what ships, to edit."""

from pathlib import Path
from typing import Any

from .arguments import Init
from .exit_codes import OK, complain

KINDS = {"scenarios": "scenario", "studies": "study", "venues": "venue", "limits": "limits", "events": "event",
         "structures": "structure of a market", "calibrated": "fitted numbers"}  # fmt: skip
"""Folders of what ships, in which a name is looked for in this order."""


def init(command: Init, wrong: list[str]) -> int:
    """`jaxrisk init`; the exit code.

    **Arguments:** `wrong`: lines on what is wrong with the command itself.
    """
    from ..config import Problem
    from ..paths import likely, names, shipped
    from ..problems import written

    problems: list[Any] = list(wrong)
    name = command.name.removesuffix(".toml") if command.name.count("/") == 0 else command.name
    kind = next((kind for kind in KINDS if name in names(kind)), None)
    if kind is None:
        known = "; ".join(f"{kind}: {', '.join(names(kind))}" for kind in KINDS)
        near = likely(command.name, [one for kind in KINDS for one in names(kind)])
        problems.append(
            Problem("command line", "NAME", written(command.name), f"has to be the name of what ships: {known}", near)
        )
        return complain(problems)
    source, target = shipped() / kind / f"{name}.toml", command.out or Path(f"{name}.toml")
    if target.suffix.lower() != ".toml":
        problems.append(Problem("command line", "--out", written(str(target)), "has to end in .toml"))
    text, beside = copied(source)
    tables = {target.parent / file.name: file.read_bytes() for file in beside}
    contents = {target: text.encode()} | {path: content for path, content in tables.items() if not _same(path, content)}
    problems += _in_the_way(contents)
    if problems:
        return complain(problems)
    made: list[Path] = []
    try:
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            with open(path, "xb") as file:  # never over another, whoever makes it meanwhile
                made.append(path)
                file.write(content)
    except (OSError, ValueError) as error:
        for path in made:
            path.unlink(missing_ok=True)
        return complain([Problem(str(target), "", None, f"cannot be written: {getattr(error, 'strerror', None) or error}")])
    for path in made:
        print(f"{path}: copied from the shipped {KINDS[kind]} {name}")
    return OK


def copied(source: Path) -> tuple[str, list[Path]]:
    """The text of a shipped file in which the tables that it names stand beside it, and those tables."""
    import tomllib

    text = source.read_text(encoding="utf-8")
    found: dict[str, Path] = {}
    _files(tomllib.loads(text), source.parent, found)
    for name, file in found.items():
        text = text.replace(f'"{name}"', f'"{file.name}"')
    return text, list(dict.fromkeys(found.values()))


def _files(item: Any, folder: Path, found: dict[str, Path]) -> None:
    """Adds the paths in a document that lead to files, as it writes them."""
    if isinstance(item, dict | list):
        for one in item.values() if isinstance(item, dict) else item:
            _files(one, folder, found)
    elif isinstance(item, str) and "/" in item and len(item) < 250 and "\n" not in item and (folder / item).is_file():
        found[item] = (folder / item).resolve()


def _same(path: Path, content: bytes) -> bool:
    """Whether a file is there already and holds just that."""
    try:
        return path.is_file() and path.read_bytes() == content
    except (OSError, ValueError):
        return False


def _in_the_way(contents: dict[Path, bytes]) -> list[Any]:
    """A line on each file that is there already, whatever it is."""
    import os

    from ..config import Problem

    problems: list[Any] = []
    for path in contents:
        try:
            there = os.path.lexists(path)
        except (OSError, ValueError):
            there = False
        if there:
            problems.append(Problem(str(path), "", None, "exists already, and nothing is overwritten; choose another --out"))
    return problems


__all__ = ["copied", "init"]
