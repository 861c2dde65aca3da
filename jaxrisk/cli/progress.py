"""What a command shows while it works and when it is done, and where it may write."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO

from .._interrupt import look
from .signals import keep, restore


class Progress:
    """Counts what is done, with a bar on a terminal; called with `(done, total)`, where it also looks for interruptions."""

    def __init__(self, stream: TextIO, label: str = "paths"):
        self.done = 0
        self.stream, self.label = stream, label
        self.bar: Any = None
        self.task: Any = None

    def __enter__(self) -> "Progress":
        keep()
        if self.stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = TextColumn(self.label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            self.bar = Progress(*columns, console=Console(file=self.stream), transient=True)
            self.task = self.bar.add_task(self.label, total=None)
            self.bar.start()
            restore("\x1b[?25h\r\x1b[K")  # the cursor, and the line that the bar was on
        return self

    def __call__(self, done: int, total: int | None) -> None:
        self.done = done
        if self.bar is not None:
            self.bar.update(self.task, completed=done, total=total)
        if done != total:
            look()

    def __exit__(self, *error) -> None:
        if self.bar is not None:
            self.bar.stop()
            restore("")


def show(summary: Any, stream: TextIO) -> None:
    """The summary through rich on a terminal, as plain text elsewhere."""
    if stream.isatty():
        from rich.console import Console

        Console(file=stream).print(summary)
    else:
        print(summary, file=stream)


def unwritable(
    out: Path,
    force: bool,
    option: str = "--out",
    inputs: Iterable[Path] = (),
    added: str = "",
    ours: Callable[[Path], bool] | None = None,
) -> str | None:
    """Why a file cannot be written there, or None.

    **Arguments:** `inputs`: files that the command reads; `added`: what is added to the name while it is written; `ours`: whether
    a file that is there is one that we wrote, where its content does not tell.
    """
    from ..storage.outputs import FOLDER, refusal
    from ..storage.recognise import is_ours

    try:
        if problem := refusal(out, inputs, added, ours or is_ours):
            return f"{problem}; {option} has to name a file" if problem == FOLDER else f"{problem}; choose another {option}"
        if out.exists() and not force:
            return f"exists already; choose another {option}, or overwrite it with --force"
        folder = next(folder for folder in out.absolute().parents if folder.exists())
        probe = folder / f".jaxrisk-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except (OSError, ValueError) as error:
        return f"cannot be written: {getattr(error, 'strerror', None) or error}"
    return None


__all__ = ["Progress", "show", "unwritable"]
