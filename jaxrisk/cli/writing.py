"""What a run has written, and what is said where a run or a write was stopped."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .exit_codes import BAD_INPUT, NON_FINITE, complain

_NOTHING = "nothing was finished"
Mark = tuple[int, int] | None


def mark_of(out: Path) -> Mark:
    """What changes where a file is written anew."""
    try:
        status = os.stat(out)
    except OSError:  # of an object store too: its address is no file's name
        return None
    return status.st_ino, status.st_mtime_ns


def not_written(error: OSError) -> int:
    """Say why a run's result is not written, and where what was finished is."""
    from ..storage.writer import WriteStopped

    complain([error])
    return NON_FINITE if isinstance(error, WriteStopped) else BAD_INPUT


def finished_words(out: Path, before: Mark, stop: BaseException, done: int) -> str:
    """Where the paths are that were finished before a run was stopped.

    **Arguments:** `before`: the file's mark when the run began; `stop`: what stopped it, with what it has as `result`; `done`:
    how many paths were said to be finished.
    """
    from ..storage import chunks
    from ..storage.manifest import read_manifest
    from ..storage.place import partial_of
    from ..storage.store_place import is_store
    from ..storage.store_read import finished_ranges

    if is_store(out):
        try:
            paths = sum(until - first for first, until in finished_ranges(out, read_manifest(out)))
        except (OSError, ValueError):
            paths = 0
        return f"the {paths:,} paths finished until then are in {out}; the same command continues" if paths else _NOTHING
    if mark_of(out) not in (None, before):
        result = getattr(stop, "result", None)
        return f"the {done if result is None else result.paths:,} paths finished until then are in {out}"
    try:
        kept = chunks.paths_in(chunks.every(partial_of(out)))
    except OSError:
        kept = 0
    return f"the {kept:,} paths finished until then are in {partial_of(out)}" if kept else _NOTHING


def write_all(outputs: Iterable[tuple[str, Path | None, Callable[[Path], Any]]]) -> bool:
    """Write what was asked for, each with a line on where it is; whether all could be.

    **Arguments:** `outputs`: a word for each, its path or None, and what writes it.
    """
    fine = True
    for word, path, write in outputs:
        if path is None:
            continue
        try:
            write(path)
            print(f"{word}: {path}", flush=True)
        except OSError as error:
            text = str(error)
            text = text if text.startswith(str(path)) else f"{path}: cannot be written: {error.strerror or error}"
            print(text, file=sys.stderr)
            fine = False
    return fine


__all__ = ["finished_words", "mark_of", "not_written", "write_all"]
