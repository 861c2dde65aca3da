"""Chunks on a Dask cluster. Workers write to the store themselves; what travels through the scheduler is a few numbers a chunk.

Dask is imported here and nowhere else, when it is asked for.
"""

import contextlib
import time
import weakref
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

from .problems import WorkersLost, WorkersRefused
from .processes import cores
from .versions import here

MISSING = "Dask is not installed: pip install 'jaxrisk[dask]', or run without it (--executor processes)"
_RETRIES = 2
"""How often Dask itself tries a chunk again whose worker raised an error."""
PATIENCE = 600.0
"""Seconds without any worker after which they are lost: a queue may bring new ones."""


class DaskExecutor(Executor):
    """A client of a cluster as an executor.

    **Arguments:** `client`: a `distributed.Client`; `close`: whether it, and a cluster that it made, is closed at the end.

    **Raises:** `WorkersRefused` where every worker has other versions of what a path's bits depend on, or is on another kind of
    device; here and below `WorkersLost` where the scheduler cannot be reached.
    """

    threads: int | None = None
    """Blocks in flight in a worker; None for one a core that it may use."""

    def __init__(self, client: Any, close: bool = False, threads: int | None = None):
        self._client, self._close, self.threads = client, close, threads
        self._refused: dict[str, str] = {}
        self._sent: weakref.WeakKeyDictionary[Future, set[str]] = weakref.WeakKeyDictionary()
        self._seen = time.monotonic()
        self._compare()

    def _compare(self) -> None:
        """Leave out workers with other versions, on another kind of device, or that cannot even say."""
        mine = here()
        with _reached():
            found = self._client.run(here, on_error="return")
        for worker, theirs in found.items():
            if isinstance(theirs, Exception):  # whatever it is that a worker cannot import
                first = (str(theirs).strip().splitlines() or [type(theirs).__name__])[0]
                self._refused[worker] = f"cannot run jaxrisk ({first})"
            elif theirs != mine:
                self._refused[worker] = "has " + ", ".join(f"{name} {theirs.get(name)} and not {mine[name]}" for name in mine
                                                           if theirs.get(name) != mine[name])  # fmt: skip
        self._left()

    def _workers(self) -> list[str]:
        with _reached():
            return list(self._client.scheduler_info(n_workers=-1)["workers"])

    def _left(self) -> list[str]:
        workers = self._workers()
        left = [worker for worker in workers if worker not in self._refused]
        if workers and not left:
            told = "; ".join(f"{worker} {self._refused[worker]}" for worker in workers)
            raise WorkersRefused(f"workers need the same versions and kind of device as what they are sent by: {told}")
        return left

    @property
    def _max_workers(self) -> int:
        return max(1, len([worker for worker in self._workers() if worker not in self._refused]))

    @property
    def refused(self) -> dict[str, str]:
        """Workers that get no chunks, and why."""
        return dict(self._refused)

    def submit(self, fn, /, *args, **kwargs):
        options: dict[str, Any] = {"pure": False, "retries": _RETRIES}
        left = self._left() if self._refused else []
        if left:
            options |= {"workers": left}
        with _reached():
            future = self._client.get_executor(**options).submit(fn, *args, **kwargs)
        if left:
            self._sent[future] = set(left)
        return future

    def refuse(self, future: Any) -> bool:
        """Leave out workers that have come since with other versions; whether any are left out."""
        self._compare()
        return bool(self._refused)

    def stranded(self, futures: Iterable[Future]) -> list[Future]:
        """Those that were sent to workers of which none is left.

        **Raises:** `WorkersLost` where there has been no worker for `PATIENCE`.
        """
        workers = set(self._workers())
        if workers - set(self._refused):
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > PATIENCE:
            text = f"there has been no worker for {PATIENCE / 60:.0f} minutes"
            raise WorkersLost(f"{text}; the same run with the same output continues")
        return [future for future in futures if not future.done() and not self._sent.get(future, workers) & workers and workers]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if self._close:
            self._client.shutdown() if self._client.cluster is not None else self._client.close()

    def __exit__(self, *error):
        self.shutdown()


@contextlib.contextmanager
def _reached() -> Iterator[None]:
    """What the system says of a scheduler that is not to be reached is not said of the output."""
    try:
        yield
    except OSError as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        text = f"the Dask scheduler is not to be reached ({first})"
        raise WorkersLost(f"{text}; the same run with the same output continues") from None


def cluster(workers: int | None = None, scheduler: str | None = None) -> DaskExecutor:
    """A cluster of this machine of so many processes, or the one whose scheduler has an address.

    **Raises:** `ImportError` where Dask is not installed, `ValueError` where the scheduler is not to be reached, in a sentence.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ImportError(MISSING) from None
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout="20s", set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{scheduler}: no Dask scheduler answers there ({first})") from None
        try:
            client.wait_for_workers(workers or 1, timeout="300s" if workers else "60s")
        except TimeoutError:
            raise ValueError(f"{scheduler}: has no {workers or ''} workers".replace("  ", " ")) from None
        return DaskExecutor(client, close=True)
    workers = workers or cores()
    made = LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0, silence_logs=50
    )
    return DaskExecutor(Client(made, set_as_default=False), close=True, threads=max(1, cores() // workers))


def as_executor(given: Any) -> Any:
    """An executor: as it is, or a Dask client as one.

    **Raises:** `TypeError` for what is neither.
    """
    if isinstance(given, Executor):
        return given
    if type(given).__module__.partition(".")[0] == "distributed" and hasattr(given, "get_executor"):
        return DaskExecutor(given)
    raise TypeError(f"executor takes an executor of concurrent.futures or a Dask client, and not {given!r}")


__all__ = ["MISSING", "PATIENCE", "DaskExecutor", "as_executor", "cluster"]
