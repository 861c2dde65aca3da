"""A store of runs at an address, such as `s3://bucket/name.zarr`: objects through fsspec, in place of a folder's files.

An address is the user's own choice, and nothing else of this package uses a network. Object stores put an object whole or not at
all, so that nothing is written aside and renamed; they have no locks that die with their owner, so that one who writes says every
half minute that it is there (`RemoteLock`).
"""

import contextlib
import json
import os
import re
import secrets
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .durable import LOCK, Busy, OutputError

_ADDRESS = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+):/+(.*)", re.DOTALL)
_FLAT = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "r2")
"""Kinds of stores that have no folders."""
BEATS, DEAD = 30.0, 120.0
"""Seconds between two signs of life of one who writes, and after the last of which another may."""


def is_remote(path: Any) -> bool:
    """Whether a name is an address.

    >>> is_remote("s3://bucket/x.zarr"), is_remote("runs/x.zarr")
    (True, False)
    """
    return isinstance(path, Remote) or _ADDRESS.fullmatch(str(path)) is not None


def place_of(path: "str | os.PathLike | Remote") -> Any:
    """A path, or for an address the place in an object store, as much like a path as stores of runs need.

    **Raises:** `OutputError` for an address of a kind that is not known, or whose library is not installed.
    """
    if isinstance(path, Remote):
        return path
    match = _ADDRESS.fullmatch(str(path))
    if match is None:
        return Path(path)
    scheme, inside = match[1].lower(), match[2]
    # a `Path` has one slash after the colon; a file's address is absolute
    return Remote(f"{scheme}:///{inside.lstrip('/')}" if scheme in ("file", "local") else f"{scheme}://{inside}")


class Remote:
    """An object, or what objects' names begin with, by address."""

    def __init__(self, address: str, system: Any = None):
        self.address = address.rstrip("/")
        scheme, _, inside = self.address.partition("://")
        self._inside = inside
        if system is None:
            try:
                import fsspec

                system = fsspec.filesystem(scheme, use_listings_cache=False)
            except ImportError as error:
                more = str(error).split("\n")[0]
                raise OutputError(
                    f"{address}: {more}; pip install 'jaxrisk[objects]', and what this kind of store needs"
                ) from None
            except ValueError as error:
                raise OutputError(f"{address}: {error}") from None
        self.system = system

    def __truediv__(self, name: Any) -> "Remote":
        return Remote(f"{self.address}/{name}", self.system)

    def __str__(self) -> str:
        return self.address

    def __fspath__(self) -> str:
        return self.address

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and other.address == self.address

    def __hash__(self) -> int:
        return hash(self.address)

    @property
    def name(self) -> str:
        return self.address.rpartition("/")[2]

    @property
    def parent(self) -> "Remote":
        return Remote(self.address.rpartition("/")[0], self.system)

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix

    def exists(self) -> bool:
        return self.system.exists(self._inside)

    def is_dir(self) -> bool:
        return self.system.isdir(self._inside)

    def is_file(self) -> bool:
        return self.system.isfile(self._inside)

    def is_symlink(self) -> bool:
        return False

    def iterdir(self) -> Iterator["Remote"]:
        self.system.invalidate_cache()
        for entry in self.system.ls(self._inside, detail=False):
            name = entry.rstrip("/").rpartition("/")[2]
            if name:
                yield self / name

    def read_bytes(self) -> bytes:
        return self.system.cat_file(self._inside)

    def read_text(self, errors: str = "strict") -> str:
        return self.read_bytes().decode(errors=errors)

    def write_bytes(self, content: bytes) -> None:
        self.system.pipe_file(self._inside, content)

    def create(self, content: bytes) -> None:
        """Write what is not there yet; raises `FileExistsError` where it is, in one step where the store can do that."""
        self.system.pipe_file(self._inside, content, mode="create")

    def unlink(self) -> None:
        self.system.rm_file(self._inside)

    def make(self) -> None:
        """Folders are made where the system has any; buckets are never made."""
        if self.address.partition("://")[0] not in _FLAT:
            self.system.makedirs(self._inside, exist_ok=True)

    def clear(self) -> None:
        """Remove everything whose name begins so."""
        with contextlib.suppress(OSError):
            self.system.rm(self._inside, recursive=True)


class RemoteLock:
    """Sole use of a place, told by an object that is renewed while its owner lives.

    Weaker than a lock of a file system: an owner that is held up for more than `DEAD` seconds is taken for dead, and where the
    store cannot write on condition, two that begin in the same instant do not see each other. Then both write the same bits.

    **Raises:** `Busy` where another has it.
    """

    def __init__(self, folder: Remote, what: Remote):
        self._file, self._token = folder / LOCK, secrets.token_hex(8)
        self._ended = threading.Event()
        owner = owner_at(folder)
        if owner is not None:
            raise Busy(f"{what}: is being written by another run ({owner}); choose another name, or wait for it")
        with contextlib.suppress(OSError):
            self._file.unlink()  # of one who is dead
        folder.make()
        try:
            self._file.create(self._content())
        except FileExistsError:
            raise Busy(f"{what}: is being written by another run, which has just begun; choose another name, or wait") from None
        threading.Thread(target=_beats, args=(weakref.ref(self), self._ended), daemon=True, name="jaxrisk lock").start()

    def _content(self) -> bytes:
        said = {"token": self._token, "process": os.getpid(), "host": socket.gethostname(), "time": time.time()}
        return json.dumps(said).encode()

    def beat(self) -> None:
        """Say that the owner is there."""
        with contextlib.suppress(OSError):
            self._file.write_bytes(self._content())

    @property
    def held(self) -> bool:
        return not self._ended.is_set()

    def release(self, remove_folder: bool = False) -> None:
        """Let others have it; may be called again."""
        if self.held:
            self._ended.set()
            with contextlib.suppress(OSError):
                self._file.unlink()
            if remove_folder:
                self._file.parent.clear()


def _beats(lock: "weakref.ref[RemoteLock]", ended: threading.Event) -> None:
    while not ended.wait(BEATS):
        if (held := lock()) is None:
            return
        held.beat()
        del held


def owner_at(folder: Remote) -> str | None:
    """Who writes there now, in words; None where nobody does."""
    try:
        said = json.loads((folder / LOCK).read_bytes())
        if time.time() - float(said["time"]) > DEAD:
            return None
        return f"process {said['process']} on {said['host']}"
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return "of which nothing more is known"


__all__ = ["Remote", "RemoteLock", "is_remote", "owner_at", "place_of"]
