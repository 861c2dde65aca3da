"""What may not happen while a file is read, heard through Python's audit hooks, for `scripts/validate_readers.py`."""

import collections
import dataclasses
import os
import sys
from pathlib import Path
from types import CodeType
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NEVER = (
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.startfile", "subprocess.Popen",
    "pickle.find_class", "socket.connect", "socket.bind", "socket.getaddrinfo", "urllib.Request", "marshal.load", "ctypes.dlopen",
    "webbrowser.open", "code.__new__", "os.chown", "os.kill",
)  # fmt: skip
_PLACES = {
    "os.mkdir": (0, 2), "os.rename": (0, 2, 1, 3), "os.remove": (0, 1), "os.rmdir": (0, 1), "os.link": (0, 2, 1, 3),
    "os.symlink": (1, 2), "os.truncate": (0, None), "os.chmod": (0, 2),
}  # fmt: skip
"""Allowed in the folder: where each has a path, and the folder that it starts from, in turns."""

_MAKERS = (collections.__file__, dataclasses.__file__)


class Guard:
    """Within `with`, `seen` gathers what reading must not do: sentences, none where all is well.

    Code that is run has to be in a file of this installation, or to be what `namedtuple` and `dataclass` make while one of its
    modules is imported.
    """

    def __init__(self, folder: Path):
        self._folder, self._on, self.seen = os.path.realpath(folder), False, []
        self._known: set[str] = set()
        sys.addaudithook(self._hear)

    def __enter__(self) -> "Guard":
        self.seen, self._on = [], True
        return self

    def __exit__(self, *error: object) -> None:
        self._on = False

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = (isinstance(flags, int) and flags & _WRITES) or (isinstance(mode, str) and set(mode) & set("wax+"))
            if writes and not self._inside(path):
                self.seen.append(f"writes {path!r}")
        elif event in _PLACES:
            places = _PLACES[event]
            for path, start in zip(places[::2], places[1::2], strict=True):
                if not self._inside(arguments[path], -1 if start is None else arguments[start]):
                    self.seen.append(f"{event} of {arguments[path]!r}")
        elif event == "exec":
            code = arguments[0]
            made = sys._getframe(1).f_code.co_filename in _MAKERS
            if isinstance(code, CodeType) and not made and not self._ours(code.co_filename):
                self.seen.append(f"runs code of {code.co_filename!r}: {code.co_names}, {code.co_consts}"[:300])
        elif event in _NEVER and not (event == "code.__new__" and self._ours(str(arguments[1]))):
            self.seen.append(f"{event}{tuple(map(str, arguments))}"[:500])

    def _inside(self, path: Any, start: int = -1) -> bool:
        if isinstance(path, int) or path is None:
            return True  # a file that is open already
        name = os.fsdecode(path)
        whole = os.path.join(os.readlink(f"/proc/self/fd/{start}"), name) if start >= 0 else name
        return os.path.realpath(whole).startswith(self._folder + os.sep) or name == os.devnull

    def _ours(self, name: str) -> bool:
        if name not in self._known and (name.startswith("<frozen ") or os.path.isfile(name)) and not (
            os.path.realpath(name).startswith(self._folder + os.sep)
        ):  # fmt: skip
            self._known.add(name)
        return name in self._known


__all__ = ["Guard"]
