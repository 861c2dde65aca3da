"""How far something is, shown where Python runs: as a bar in a notebook, on a terminal, or nowhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape

PAUSE = 0.1
"""Seconds between two pictures of a bar in a notebook: each is a message to the browser."""


@contextmanager
def progress_bar(label: str = "paths") -> Iterator[Callable[[int, int | None], None]]:
    """What `progress` of `simulate`, `study`, `sensitivity` and the others takes: a bar that counts what is done.

    In a notebook a bar that needs no widgets and stays as it was last, in a file too; on a terminal one of rich's, which goes
    when it is done; where standard error is neither, nothing. An interruption leaves it where it stands.

    **Arguments:** `label`: what is counted.

    >>> with progress_bar("paths") as bar:
    ...     bar(5, 10)
    """
    if (shell := _notebook()) is not None:
        bar = NotebookBar(label, shell)
        try:
            yield bar
            bar.done = bar.total or bar.done  # some count what is finished only when all is put together
        finally:
            bar.draw()
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
            task = shown.add_task(label, total=None)
            yield lambda done, total: shown.update(task, completed=done, total=total)
    else:
        yield lambda done, total: None


class NotebookBar:
    """A bar in a notebook's output, drawn anew at most every `PAUSE` seconds."""

    def __init__(self, label: str, display: Callable[..., object]):
        self.label, self.begun, self.drawn = label, time.monotonic(), 0.0
        self.done, self.total = 0, None
        self.handle = display(self, display_id=True)

    def __call__(self, done: int, total: int | None) -> None:
        self.done, self.total = done, total
        if time.monotonic() - self.drawn >= PAUSE:
            self.draw()

    def draw(self) -> None:
        self.drawn = time.monotonic()
        self.handle.update(self)

    def __repr__(self) -> str:
        of = f" of {self.total:,}" if self.total else ""
        return f"{self.label}: {self.done:,}{of}, {time.monotonic() - self.begun:.0f} s"

    def _repr_html_(self) -> str:
        ends = f' value="{self.done}" max="{self.total}"' if self.total else ""
        return f'<progress{ends} style="vertical-align: middle"></progress> {escape(repr(self))}'


def _notebook() -> Callable[..., object] | None:
    """What displays in a notebook; None where this is none."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython
    from IPython.display import display

    return display if hasattr(get_ipython(), "kernel") else None


__all__ = ["NotebookBar", "progress_bar"]
