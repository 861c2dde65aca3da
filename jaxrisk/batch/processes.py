"""Worker processes of this machine, which are replaced where they are lost and end where their parent does."""

import multiprocessing
import os
import threading
import time
from concurrent.futures import Executor, ProcessPoolExecutor

_LOOKS = 1.0
"""Seconds between two looks at whether the parent is there."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes(Executor):
    """A pool of fresh processes (a process forked from one that has simulated hangs).

    **Arguments:** `workers`: how many.
    """

    def __init__(self, workers: int):
        self._max_workers = workers
        self._pool = self._made()

    def _made(self) -> ProcessPoolExecutor:
        fresh = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._max_workers, mp_context=fresh, initializer=_ready, initargs=(os.getpid(),))

    def submit(self, fn, /, *args, **kwargs):
        return self._pool.submit(fn, *args, **kwargs)

    def renew(self) -> bool:
        """New workers in place of lost ones."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._made()
        return True

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.shutdown()
            return
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:  # whoever interrupts does not wait for chunks that are under way
            process.terminate()


def _ready(parent: int) -> None:
    """What a worker does first: leave Ctrl-C to its parent, and end where that ends."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOKS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="jaxrisk parent").start()


__all__ = ["Processes", "cores"]
