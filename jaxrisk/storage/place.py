"""Where a result is being written: its folder of finished paths, had by one at a time, and what a stopped run left there."""

import os
from pathlib import Path

from . import chunks, durable
from .durable import Lock
from .outputs import PARTIAL, NotReplaced, target
from .recognise import is_ours

_MERGED = "merged.nc"


class Place:
    """Sole use of `path` and of the folder `partial` beside it, which is made, until `release`, `finish`, or the process ends.

    A link is followed: `path` is the file that it points to.

    **Raises:** `NotReplaced` where something stands there that is not a result, `Busy` where another has it, `OSError` as the
    system says.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = target(path, PARTIAL)
        self.partial = partial_of(self.path)
        self.merged = self.partial / _MERGED
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _free(self.partial)
        self._lock = Lock(self.partial, self.path)

    def cleared(self) -> Path | None:
        """Make the folder empty; where finished paths of a stopped run are then, None where there were none."""
        aside = None
        if chunks.every(self.partial):
            aside = _aside(self.partial)
            os.rename(self.partial, aside)
            durable.remove(aside / durable.LOCK)
            self._lock.release()
            self._lock = Lock(self.partial, self.path)
        durable.empty(self.partial)
        return aside

    def finish(self) -> None:
        """Let others have it, and remove the folder with what is in it."""
        self._lock.release(remove_folder=True)

    def release(self) -> None:
        """Let others have it; the folder stays where there are finished paths in it."""
        if self._lock.held:
            self._lock.release(remove_folder=not chunks.every(self.partial))


def partial_of(path: Path) -> Path:
    """The folder in which the paths of a result that is being written are."""
    return path.with_name(path.name + PARTIAL)


def writable(path: str | os.PathLike) -> None:
    """Say at once what a `ResultWriter` would say.

    **Raises:** `OSError` in words: `NotReplaced` where something stands there that is not a result, `Busy` where another run is
    writing it.
    """
    path = target(path, PARTIAL)
    durable.refuse_busy(partial_of(path), path)


def make_room(path: str | os.PathLike, replace: bool = False) -> str | None:
    """Say what becomes of the paths that a stopped run has left where another is to write: put aside, or with `replace` removed.

    **Raises:** as `Place`.
    """
    place = Place(path)
    try:
        done = chunks.every(place.partial)
        if not done:
            return None
        left = f"{chunks.paths_in(done):,} paths of a run that was stopped were in {place.partial}"
        if replace:
            durable.empty(place.partial)
            return f"{left}; they are removed"
        return f"{left}; they are kept in {place.cleared()}"
    finally:
        place.release()


def _free(partial: Path) -> None:
    """Refuse what is in the way; put aside the file that earlier versions left there."""
    if partial.is_file() and not partial.is_symlink():
        if is_ours(partial) and partial.stat().st_size:
            os.rename(partial, _aside(partial))
            return
        raise NotReplaced(f"{partial}: is in the way, and jaxrisk did not write it; choose another name")
    if partial.is_symlink() or (partial.exists() and not _known(partial)):
        raise NotReplaced(f"{partial}: is in the way, and jaxrisk did not write it; choose another name")


def _known(partial: Path) -> bool:
    if not partial.is_dir():
        return False
    names = os.listdir(partial)
    return not names or bool({durable.LOCK, chunks.PLAN} & set(names))


def _aside(partial: Path) -> Path:
    """The next free name for finished paths of a stopped run."""
    number = 1
    while os.path.lexists(aside := partial.with_name(f"{partial.name}.{number}")):
        number += 1
    return aside


__all__ = ["Place", "make_room", "partial_of", "writable"]
