"""The files that a scenario names: found, read, and remembered. What is wrong becomes a problem, never an exception."""

import hashlib
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any

from .._once import Made, made_once
from ..paths import NotFound, exists, find, is_folder
from ..problems import Report
from ..toml import read_toml
from .columns import Columns
from .containers import files_of, is_pattern
from .names import TableKind
from .read import PLAIN, Wish, read_table


class Reader:
    """Finds and reads the files that a scenario names, and remembers what was `read`, what has to be `said` of it, and the
    `tables`."""

    def __init__(self, report: Report, folder: Path):
        self.report = report
        self.folder = folder
        self.read: dict[str, str] = {}
        self.said: list[str] = []
        self.tables: list[Columns] = []
        self.taken: list[str] = []

    def once(self, make: Callable[[], Made], part: Any, key: str, *names: Hashable) -> Made:
        """As `made_once`, for what reads files that a scenario names: what is read and said comes again with what is made."""

        notes: tuple[list[Any], ...] = (self.said, self.tables, self.taken)
        before = [len(one) for one in notes]

        def noted() -> tuple[Made, dict[str, str], list[list[Any]]]:
            earlier, self.read = self.read, {}
            try:
                made = make()
            finally:
                mine, self.read = self.read, {**earlier, **self.read}
            return made, mine, [one[count:] for one, count in zip(notes, before, strict=True)]

        known = (key, str(self.folder), self.report.from_command_line(key), *names)
        made, read, new = made_once(noted, part, *known, report=self.report)
        self.read |= read
        for one, count, again in zip(notes, before, new, strict=True):
            one[count:] = again
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
        """The document of a TOML file of a kind that ships, or None with problems noted."""
        path = self.path(kind, name, key)
        if path is None:
            return None
        document, problem = read_toml(path)
        if problem is not None:
            self.report.problems.append(problem)
        return None if document is None else (path, document)

    def table(
        self,
        name: str,
        key: str,
        needed: tuple[str, ...],
        kind: str = "data",
        *,
        of: TableKind = PLAIN,
        columns: dict[str, str] | None = None,
        reserved: tuple[str, ...] = (),
    ) -> Columns | None:
        """A table with at least the columns needed, by our names, or None with problems noted.

        **Arguments:** `name`: of a file, a folder of files, or a pattern; `of`: what kind of table it is, whose usual names of
        columns are known; `columns`: by our name, the file's own; `reserved`: columns that mean themselves.
        """
        path = self.place(kind, name, key)
        if path is None:
            return None
        table = read_table(
            path, self.report, Wish(of, columns or {}, needed, reserved, f"{key.rpartition('.')[0]}.columns".lstrip("."))
        )
        if path.exists():
            self.read[name] = digest(path)
        if table is not None:
            self.tables.append(table)
        return table

    def took(self, path: Path, findings: Iterable[str]) -> None:
        """Remember what another reader took a file for."""
        self.taken += [f"{path}: {finding}" for finding in findings if finding.startswith("read as: ")]

    def lines(self) -> list[str]:
        """A line on each file that was taken for something else than a plain table of our own names."""
        return list(dict.fromkeys([*(f"{table.file}: {table.read_as}" for table in self.tables if table.said), *self.taken]))

    def place(self, kind: str, name: str, key: str) -> Path | None:
        """Where a file, a folder or the files of a pattern are, or None with a problem noted at `key`."""
        several = (Path() if self.report.from_command_line(key) else self.folder) / name
        if is_pattern(several.name) and not exists(several):
            return several
        if self.report.from_command_line(key) and is_folder(Path(name)):
            return Path(name)
        return self.path(kind, name, key)


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and digests of a folder's or a pattern's files."""
    try:
        files = [path] if path.is_file() else files_of(path)[0]
        digests = []
        for one in files:
            with open(one, "rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    except (OSError, ValueError):
        return ""
    if len(files) == 1 and files[0] == path:
        return digests[0]
    return hashlib.sha256("".join(f"{one.name} {d}\n" for one, d in zip(files, digests, strict=True)).encode()).hexdigest()


__all__ = ["Reader", "digest"]
