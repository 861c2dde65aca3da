"""Interruptions that are not lost: work on threads, and a flag that is looked at between its blocks.

Python raises `KeyboardInterrupt` wherever the main thread happens to be. Where that is a callback of the garbage collector, of
which JAX has one, the exception is dropped and the work goes on. And while the main thread waits in C++ nothing is raised at all.
"""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

PAUSE = 0.1
"""Seconds between two looks at the flag while the main thread waits."""

_asked = False
_lock = threading.RLock()  # the collector may close a forgotten pool of this thread's while it is held
_keeping = 0
_hook_before: Any = None


def ask() -> None:
    """Ask for what is being done to stop: the next `look` raises."""
    global _asked
    _asked = True


def forget() -> None:
    """As if nothing had been asked."""
    global _asked
    _asked = False


def asked() -> bool:
    """Whether something was asked for that no `look` has seen yet."""
    return _asked


def look() -> None:
    """Raise `KeyboardInterrupt`, once, where an interruption was asked for."""
    if _asked:
        forget()
        raise KeyboardInterrupt


def _dropped(unraisable: Any) -> None:
    """What Python calls with an exception that it drops."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt) or unraisable.exc_type is KeyboardInterrupt:
        ask()
    else:
        _hook_before(unraisable)


@contextmanager
def presses_kept() -> Iterator[None]:
    """While inside, a `KeyboardInterrupt` that Python drops is raised by the next `look` instead."""
    global _keeping, _hook_before
    with _lock:
        _keeping += 1
        if _keeping == 1:
            _hook_before, sys.unraisablehook = sys.unraisablehook, _dropped
    try:
        yield
    finally:
        with _lock:
            _keeping -= 1
            if _keeping == 0 and sys.unraisablehook is _dropped:
                sys.unraisablehook = _hook_before


@contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads that is waited for at the end, unless there was an interruption: then what waits is cancelled, and what
    is under way ends by itself."""
    pool, until_done = ThreadPoolExecutor(count), True
    try:
        with presses_kept():
            yield pool
    except KeyboardInterrupt:
        until_done = False
        raise
    finally:
        pool.shutdown(wait=until_done, cancel_futures=not until_done)


def answer(future: "Future[Answer]") -> Answer:
    """What a future comes to; raises `KeyboardInterrupt` where an interruption is asked for meanwhile."""
    while not wait([future], timeout=PAUSE).done:
        look()
    look()
    return future.result()


def answers(pool: ThreadPoolExecutor, work: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
    """`work` of every item, in their order; where one fails, or there is an interruption, those not begun are cancelled."""
    futures = [pool.submit(work, item) for item in items]
    try:
        return [answer(future) for future in futures]
    finally:
        for future in futures:
            future.cancel()


__all__ = ["answer", "answers", "ask", "asked", "forget", "look", "presses_kept", "threads"]
