"""What is wrong with a configuration: every problem one line, all of them at once."""

import difflib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_VALUE = 60
LONGEST_NAME = 300


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one file.

    **Fields:** `file`: as the user named it, or `command line`; `key`: dotted name, or line and column of a table, empty for the
    file as a whole; `value`: as written, None if missing; `allowed`: what would be right; `nearest`: a likely spelling, or None.

    >>> print(Problem("a.toml", "impact.law", '"lineer"', 'one of "linear", "power"', "linear"))
    a.toml: impact.law = "lineer": one of "linear", "power" (did you mean "linear"?)
    """

    file: str
    key: str
    value: str | None
    allowed: str
    nearest: str | None = None

    def __str__(self) -> str:
        file = cut(self.file)
        where = f"{file}: {cut(self.key)}" if self.key else file
        written = "" if self.value is None else f" = {self.value}"
        hint = f" (did you mean {_quoted(self.nearest)}?)" if self.nearest else ""
        line = f"{where}{written}: {self.allowed}{hint}"
        # names of keys and files may hold anything; a problem is one line all the same
        return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in line)


class ConfigError(Exception):
    """A configuration that cannot be used; its text is one line a problem.

    **Fields:** `problems`: a list of `Problem`.
    """

    def __init__(self, problems: Iterable[Problem]):
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def cut(name: str) -> str:
    """The name of a file or a key, its middle left out where it is too long to be read.

    >>> len(cut("a" * 100_000))
    300
    """
    return name if len(name) <= LONGEST_NAME else f"{name[:200]}...{name[203 - LONGEST_NAME :]}"


def counted(number: int, one: str, many: str) -> str:
    """A number and its noun.

    >>> counted(1, "cell", "cells"), counted(2000, "cell", "cells")
    ('1 cell', '2,000 cells')
    """
    return f"{number:,} {one if number == 1 else many}"


def listed(words: Sequence[str], most: int = 12) -> str:
    """Words with commas, the first few of many.

    >>> listed(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def _quoted(text: str) -> str:
    """Numbers and truth values without quotes, since quotes may be all that was wrong."""
    try:
        float(text)
    except ValueError:
        return text if text in ("true", "false") else f'"{text}"'
    return text


def nearest(word: Any, known: Iterable[str]) -> str | None:
    """The known word that is spelt most like this one, if any is close.

    >>> nearest("volatilty", ["volatility", "drift"])
    'volatility'
    """
    if not isinstance(word, str):
        return None
    by_lower = {str(name).lower(): str(name) for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found and by_lower[found[0]] != word else None


def written(value: Any) -> str:
    """A value as it would be written in TOML, cut short.

    >>> written(True), written("24x"), written([1, 2.5])
    ('true', '"24x"', '[1, 2.5]')
    """
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, dict):
        text = "{" + ", ".join(f"{key} = {written(item)}" for key, item in list(value.items())[:8]) + "}"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(written(item) for item in value[:16]) + "]"
    elif isinstance(value, int) and abs(value) >= 10**LONGEST_VALUE:
        text = "a whole number of more than 60 digits"
    else:
        text = str(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def one_of(words: Iterable[str]) -> str:
    """`"a", "b"`, for messages."""
    return ", ".join(f'"{word}"' for word in words)


class Report:
    """Where problems are collected while a scenario and the files it names are read."""

    def __init__(self, file: str, overridden: Iterable[str] = ()):
        self.file = file
        self.overridden = tuple(overridden)
        self.problems: list[Problem] = []

    def add(self, key: str, value: Any, allowed: str, near: str | None = None, missing: bool = False) -> None:
        """Note a problem with a key of the scenario itself."""
        text = None if missing else written(value)
        self.problems.append(Problem("command line" if self.from_command_line(key) else self.file, key, text, allowed, near))

    def unknown_keys(self, table: Mapping[str, Any], known: Collection[str], above: str = "") -> None:
        """Note the keys of a table, a dictionary, that are none of those known; `above`: the table's own key, and a point."""
        for key in table:
            if key not in known:
                text = f"unknown key; the keys here are {', '.join(known)}"
                self.add(f"{above}{key}", table[key], text, nearest(key, known))

    def from_command_line(self, key: str) -> bool:
        """Whether a key, or the table that it is in, was given on the command line."""
        return any(key == name or key.startswith(name + ".") for name in self.overridden)

    def of(self, file: str) -> "Report":
        """A report on another file, whose problems go to the same list."""
        other = Report(file)
        other.problems = self.problems
        return other

    def add_in(self, file: str, key: str, value: Any, allowed: str, near: str | None = None, missing: bool = False) -> None:
        """Note a problem with a file that the scenario names."""
        self.problems.append(Problem(file, key, None if missing else written(value), allowed, near))
