"""A file as HDF5 wants it, on which a write that fails does not end the process."""

import errno
import os
import threading
from collections.abc import Callable
from typing import Any

_KEPT = 2**20


class Disk:
    """A file as HDF5 wants it, which never tells it of an error.

    HDF5 crashes the process, at its end at the latest, after a write that failed. So a failure is kept for `check` to raise, and
    HDF5 goes on writing to nowhere; small pieces, which it may read again, are remembered.
    """

    def __init__(self, descriptor: int, stop: threading.Event):
        self._descriptor, self._stop = descriptor, stop
        self._place = 0
        self._failure: BaseException | None = None
        self._lost: list[tuple[int, bytes]] = []

    def check(self) -> None:
        """Raise what went wrong, if anything did."""
        if self._failure is not None:
            raise self._failure
        if self._stop.is_set():
            raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR))

    def _tried(self, call: Callable[[], Any]) -> bool:
        """Whether this and everything before was done."""
        if self._failure is None:
            try:
                call()
            except BaseException as error:
                self._failure = error
        return self._failure is None

    def write(self, content: Any) -> int:
        """Write at the place that was sought."""
        view, begin = memoryview(content).cast("B"), self._place

        def put() -> None:
            os.lseek(self._descriptor, begin, os.SEEK_SET)
            left = view
            while len(left):
                left = left[os.write(self._descriptor, left) :]

        if not self._tried(put) and len(view) <= _KEPT:
            self._lost.append((begin, bytes(view)))
        self._place += len(view)
        return len(view)

    def readinto(self, buffer: Any) -> int:
        """Read from the place that was sought: zeros where nothing was written."""
        view, begin = memoryview(buffer).cast("B"), self._place
        read = b""
        try:
            os.lseek(self._descriptor, begin, os.SEEK_SET)
            while len(read) < len(view) and (more := os.read(self._descriptor, len(view) - len(read))):
                read += more
        except OSError as error:
            self._failure = self._failure or error
        view[: len(read)] = read
        view[len(read) :] = bytes(len(view) - len(read))
        for place, content in self._lost:
            low, high = max(place, begin), min(place + len(content), begin + len(view))
            if low < high:
                view[low - begin : high - begin] = content[low - place : high - place]
        self._place += len(view)
        return len(view)

    def read(self, count: int) -> bytes:
        """As `readinto`."""
        buffer = bytearray(count)
        self.readinto(buffer)
        return bytes(buffer)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place}.get(whence)
        self._place = (os.fstat(self._descriptor).st_size if base is None else base) + offset
        return self._place

    def tell(self) -> int:
        """The place."""
        return self._place

    def truncate(self, size: int | None = None) -> None:
        """Cut the file off, or lengthen it."""
        self._tried(lambda: os.ftruncate(self._descriptor, self._place if size is None else size))

    def flush(self) -> None:
        """Everything is with the system already; it is put on the disk when the file is whole."""


__all__ = ["Disk"]
