"""A store's log: one line of JSON for each thing that happened. It says, and nothing depends on it."""

import contextlib
import datetime
import json
import os
import time
from pathlib import Path
from typing import Any

from .chunks import plain
from .manifest import FOLDER, LOG


def note(store: Path, event: str, **facts: Any) -> None:
    """Add a line; where the disk is full, none."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"time": now, "event": event, **facts}, default=plain) + "\n"
    if not isinstance(store, Path):
        _note_there(store, line, now=event != "chunk")
        return
    with contextlib.suppress(OSError):
        file = os.open(store / FOLDER / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)


_SOON = 10.0
"""Seconds after which an object store is told what was noted: nothing can be added to an object, and all of it is put anew."""
_told: dict[str, tuple[list[str], float]] = {}


def _note_there(store: Any, line: str, now: bool) -> None:
    file, place = store / FOLDER / LOG, str(store)
    if place not in _told:
        before = []
        with contextlib.suppress(OSError):
            before = [file.read_text(errors="replace")]
        _told[place] = before, 0.0
    noted, last = _told[place]
    noted.append(line)
    if now or time.monotonic() - last > _SOON:
        with contextlib.suppress(OSError):
            file.write_bytes("".join(noted).encode())
        _told[place] = noted, time.monotonic()
    if '"finished"' in line or '"stopped"' in line:
        del _told[place]


def lines(store: Path) -> list[dict[str, Any]]:
    """What was noted; a line that was cut off is left out."""
    found = []
    with contextlib.suppress(OSError):
        for line in (store / FOLDER / LOG).read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                if isinstance(entry := json.loads(line), dict):
                    found.append(entry)
    return found


__all__ = ["lines", "note"]
