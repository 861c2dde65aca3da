"""Files that are whole or not there, and a lock that dies with its owner: the only place that writes results to disk.

Whatever stops the process, at whatever instant, a name has behind it either nothing, or what was there before, or the whole of
what was to be written.
"""

import contextlib
import errno
import functools
import os
import secrets
import shutil
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # not a POSIX system: there two runs with one output are not told apart
    fcntl: Any = None

LOCK = "lock"
_AT_ONCE = 8
"""Files that are put on the disk at a time."""
_MOMENT = 0.05
"""Seconds that are more than it takes to ask who has a lock."""
_UNLOCKABLE = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)
"""What file systems without locks answer; a run there is not refused."""


class OutputError(OSError):
    """Why an output is not written, in words."""


class Busy(OutputError, BlockingIOError):
    """Another process is writing it."""


def put(path: Path, content: bytes | memoryview, beside: Path | None = None) -> None:
    """Write a file: under a temporary name, to the disk, and then under its own.

    **Arguments:** `beside`: the temporary name, in the same folder; by default one that nobody else takes.

    **Raises:** `OSError` as the system says, with nothing left behind and what was there before untouched.
    """
    if not isinstance(path, Path):
        path.write_bytes(bytes(content))  # an object store's own: whole or not there
        return
    beside = temporary(path) if beside is None else beside
    try:
        with created(beside) as file:
            view = memoryview(content).cast("B")
            while len(view):
                view = view[os.write(file, view) :]
        rename(beside, path)
    except BaseException:
        remove(beside)
        raise


def put_together(files: Mapping[Path, Sequence[bytes]], aside: Path, check: Callable[[], None] = lambda: None) -> None:
    """Write several files, each whole or not there: all under temporary names in `aside`, all to the disk, then all renamed.

    **Arguments:** `files`: content of each, in pieces; `aside`: a folder of the same file system, made if it is not there;
    `check`: called before the first has its name, to raise where none is to have it.

    **Raises:** `OSError` as the system says; what is not yet renamed is removed.
    """
    if not isinstance(aside, Path):
        check()
        for done in [_hands().submit(path.write_bytes, b"".join(files[path])) for path in files]:
            done.result()
        return
    os.makedirs(aside, exist_ok=True)
    token = f"{os.getpid()}-{secrets.token_hex(4)}"
    beside = {path: aside / f"{token}-{place}" for place, path in enumerate(files)}

    def written(path: Path) -> None:
        with created(beside[path]) as file:
            for piece in files[path]:
                view = memoryview(piece).cast("B")
                while len(view):
                    view = view[os.write(file, view) :]

    try:
        if len(files) == 1:
            written(next(iter(files)))
        else:
            # several at a time: a journal puts them on the disk together, at the price of one
            tried = [_hands().submit(written, path) for path in files]
            wait(tried)
            for done in tried:
                done.result()
        check()
        for path in files:
            os.replace(beside[path], path)
    except BaseException:
        for name in beside.values():
            remove(name)
        raise


@functools.cache
def _hands() -> ThreadPoolExecutor:
    """Threads that are kept, since a chunk takes no longer than to start as many."""
    return ThreadPoolExecutor(_AT_ONCE, "jaxrisk files")


def temporary(path: Path) -> Path:
    """A name in the same folder, of a length that every file system takes."""
    return path.with_name(f".jaxrisk-{os.getpid()}-{secrets.token_hex(4)}")


@contextlib.contextmanager
def created(path: Path):
    """A new file's descriptor; what is in the file is on the disk when the block ends."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
    try:
        yield file
        os.fsync(file)
    finally:
        os.close(file)


def rename(beside: Path, path: Path) -> None:
    """Give a whole file its name, in one step that outlives a power cut."""
    os.replace(beside, path)
    settle(path.parent)


def settle(folder: Path) -> None:
    """Put a folder's names on the disk."""
    if not isinstance(folder, Path):
        return
    with contextlib.suppress(OSError):  # not every file system can do that with a folder
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def remove(path: Path) -> None:
    """Remove a file if it is there; one that cannot be removed stays."""
    with contextlib.suppress(OSError):
        path.unlink()


def make(folder: Path) -> None:
    """A folder, and those above it."""
    os.makedirs(folder, exist_ok=True) if isinstance(folder, Path) else folder.make()


def clear(folder: Path) -> None:
    """Remove a folder with all there is in it; what cannot be removed stays."""
    shutil.rmtree(folder, ignore_errors=True) if isinstance(folder, Path) else folder.clear()


def names_in(folder: Path) -> list[str]:
    """Names of what is in a folder; none where there is no such folder."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


class Lock:
    """Sole use of a folder, which is made if it is not there, until `release`, or until the process ends in whatever way.

    **Raises:** `Busy` where another has it, and `OSError` where the folder cannot be made.
    """

    def __init__(self, folder: Path, what: Path):
        self._folder = folder
        while True:
            os.makedirs(folder, exist_ok=True)
            try:
                file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            except FileNotFoundError:
                continue  # its owner has just removed the folder
            try:
                if not _locked(file) and not _locked_later(file):
                    raise Busy(_words(what, file))
                if _is(file, folder / LOCK):
                    break  # else its owner has just removed it: what is locked is no longer there
            except BaseException:
                os.close(file)
                raise
            os.close(file)
        self._release = weakref.finalize(self, os.close, file)  # also where the owner is forgotten after an error
        try:
            with contextlib.suppress(OSError):  # on a full disk nobody learns who it is
                os.ftruncate(file, 0)
                os.write(file, str(os.getpid()).encode())
        except BaseException:
            self.release()
            raise

    @property
    def held(self) -> bool:
        """Whether it has not been released."""
        return self._release.alive

    def release(self, remove_folder: bool = False) -> None:
        """Let others have it; may be called again. `remove_folder`: with what is in it."""
        if not self.held:
            return
        try:
            if remove_folder:
                empty(self._folder)
                remove(self._folder / LOCK)
                with contextlib.suppress(OSError):
                    os.rmdir(self._folder)
        finally:
            self._release()


def empty(folder: Path) -> None:
    """Remove all files of a folder but the lock; the plan before the paths, so that what is left of them is not read."""
    for name in reversed(names_in(folder)):
        if name != LOCK:
            remove(folder / name)


def refuse_busy(folder: Path, what: Path) -> None:
    """Raise `Busy` where another has the folder now."""
    try:
        file = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return
    try:
        if not _locked(file, alone=False):
            raise Busy(_words(what, file))
    finally:
        os.close(file)


def owner_of(folder: Path) -> int | None:
    """The process that has the folder now; None where nobody has, 0 where it is not said, or may not be asked."""
    try:
        file = os.open(folder / LOCK, os.O_RDONLY)  # whoever may read the folder may ask
    except PermissionError:
        return 0
    except OSError:
        return None
    try:
        if _locked(file, alone=False):
            return None
        owner = os.read(file, 20).decode("ascii", "replace")
        return int(owner) if owner.isascii() and owner.isdigit() else 0
    finally:
        os.close(file)


def _locked(file: int, alone: bool = True) -> bool:
    """Whether a file is locked now; not `alone`: beside others that only ask."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _UNLOCKABLE:
            raise
    return True


def _locked_later(file: int) -> bool:
    """As `_locked`, in a moment: somebody may have been asking who has it."""
    time.sleep(_MOMENT)
    return _locked(file)


def _is(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _words(what: Path, file: int) -> str:
    owner = os.read(file, 20).decode("ascii", "replace")
    who = f" (process {owner})" if owner.isdigit() else ""
    return f"{what}: is being written by another run{who}; choose another name, or wait for it"


__all__ = [
    "LOCK", "Busy", "Lock", "OutputError", "clear", "created", "empty", "make", "names_in", "owner_of", "put", "put_together",
    "refuse_busy", "remove", "rename", "settle", "temporary",
]  # fmt: skip
