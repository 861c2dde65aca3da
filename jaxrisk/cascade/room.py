"""Blocks side by side while a device has memory for them; when it has not, one at a time, and then cut in halves, and again."""

import threading
from collections.abc import Callable
from typing import Any

import jax

FULL = "RESOURCE_EXHAUSTED"
"""What the message of an error has in it where a device has no memory left."""


class Room:
    """Lets blocks run side by side until one finds no memory; from then on each runs alone, and where that does not help either,
    in twice as many parts as before, up to `most`.

    `parts`: in how many, also from the first on, as what ran before has found out.
    """

    def __init__(self, most: int = 1, parts: int = 1) -> None:
        self._changed = threading.Condition()
        self._running, self._crowded = 0, parts > 1
        self._most, self.parts = most, min(parts, most)

    def run(self, call: Callable[[int], Any], what: str) -> Any:
        """What `call` returns, which is told in how many parts it is to work.

        **Raises:** `MemoryError`, in words, where it finds no memory although it runs alone, in parts as small as there are.
        """
        while True:
            alone, parts = self._enter()
            try:
                return call(parts)
            except jax.errors.JaxRuntimeError as error:
                if FULL not in str(error):
                    raise
                if alone and parts >= self._most:
                    break
            finally:
                self._leave()
            with self._changed:
                self._crowded = True
                if alone:
                    self.parts = max(self.parts, 2 * parts)
        raise MemoryError(f"the device has too little memory for {what}")

    def _enter(self) -> tuple[bool, int]:
        with self._changed:
            self._changed.wait_for(lambda: not self._crowded or self._running == 0)
            self._running += 1
            return self._crowded, self.parts

    def _leave(self) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()


__all__ = ["FULL", "Room"]
