"""A store's log: one line of JSON for each thing that happened. It says, and nothing depends on it."""

import contextlib
import datetime
import json
import os
from pathlib import Path
from typing import Any

from .chunks import plain
from .manifest import FOLDER, LOG


def note(store: Path, event: str, **facts: Any) -> None:
    """Add a line; where the disk is full, none."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"time": now, "event": event, **facts}, default=plain) + "\n"
    with contextlib.suppress(OSError):
        file = os.open(store / FOLDER / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)


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
