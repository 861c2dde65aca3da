"""`jaxrisk report`: open results, say what they found, write it as one page."""

import functools
import sys
from pathlib import Path
from typing import Any

from .asked import Asked, folder_of
from .exit_codes import NOT_WRITTEN, OK, complain
from .study_arguments import Report
from .writing import write_all


def report(command: Report, wrong: list[str]) -> int:
    """`jaxrisk report`; the exit code.

    **Arguments:** `wrong`: lines on what is wrong with the command itself.
    """
    from ..config import Problem
    from ..paths import record

    asked = Asked(wrong)
    if not command.results:
        asked.wrong("RESULT", None, "missing; a run's .nc or .zarr, a study's folder, or the .json that --out wrote is needed")
    for path in (*command.results, *([command.compare] if command.compare is not None else [])):
        for one in _files(Path(path)):
            record(one)
    answers = [found for path in command.results if (found := _load(asked, path)) is not None]
    old = None if command.compare is None else _load(asked, command.compare)
    out = command.out
    if out is None and command.pdf is None and command.json is None and command.results:
        out = Path(f"{Path(command.results[0]).stem or 'report'}.html")
    asked.file("--out", out, (".html",), command.force)
    asked.file("--pdf", command.pdf, (".pdf",), command.force)
    asked.file("--json", command.json, (".json",), command.force)
    if command.pdf is not None:
        from ..page.pdf import browser, missing

        if browser() is None:
            asked.problems.append(Problem("command line", "--pdf", None, missing(), None))
    if asked.problems:
        return complain(asked.problems)
    from .. import page

    try:
        made = page.pages(answers, old)
    except ValueError as error:
        if command.debug or not _ours(error):
            raise
        return complain(str(error).splitlines())
    for path in (out, command.pdf, command.json):
        if path is not None:
            folder_of(path)
    for finding in made[0].findings:
        print(finding.text)
    text = functools.cache(lambda: page.html(made))

    def save(path: Path) -> None:
        try:
            page.write(made, path, text)
        except ValueError as error:
            if command.debug:
                raise
            raise OSError(f"{path}: cannot be drawn, a number of the result is none: {error}") from None

    fine = write_all([("report", out, save), ("printed", command.pdf, save), ("record", command.json, save)])
    sys.stdout.flush()
    return OK if fine else NOT_WRITTEN


def _files(path: Path) -> list[Path]:
    """A result, and of a folder what it holds: none of it may be taken by the report."""
    try:
        return [path, *path.glob("*.*"), *path.glob("cells/*.nc")]
    except OSError:
        return [path]


def _ours(error: ValueError) -> bool:
    from .commands import said_by_us

    return said_by_us(error)


def _load(asked: Asked, path: Path) -> Any:
    """An answer, None where it cannot be read, with its problem noted."""
    from ..page.answers import load

    try:
        return load(path)
    except ValueError as error:
        asked.problems.append(str(error))
    except OSError as error:
        text = str(error)
        asked.problems.append(text if error.errno is None else f"{path}: cannot be read: {error.strerror or error}")
    return None


__all__ = ["report"]
