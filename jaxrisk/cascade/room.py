"""Blocks side by side while a device has memory for them, and one at a time when it has not."""

import threading
from collections.abc import Callable
from typing import Any

import jax

_FULL = "RESOURCE_EXHAUSTED"


class Room:
    """Lets blocks run side by side until one finds no memory; from then on each runs alone.

    A smaller block would be another program, and could have other bits.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running, self._crowded = 0, False

    def run(self, call: Callable[[], Any], what: str) -> Any:
        """What `call` returns.

        **Raises:** `MemoryError`, in words, where it finds no memory although it runs alone.
        """
        for _ in range(2):
            alone = self._enter()
            try:
                return call()
            except jax.errors.JaxRuntimeError as error:
                if _FULL not in str(error):
                    raise
                if alone:
                    break
            finally:
                self._leave()
            with self._changed:
                self._crowded = True
        raise MemoryError(f"the device has too little memory for {what}")

    def _enter(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: not self._crowded or self._running == 0)
            self._running += 1
            return self._crowded

    def _leave(self) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()


__all__ = ["Room"]
