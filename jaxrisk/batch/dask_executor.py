"""Chunks on a Dask cluster. Workers write to the store themselves; what travels through the scheduler is a few numbers a chunk.

Dask is imported here and nowhere else, when it is asked for.
"""

from concurrent.futures import Executor
from typing import Any

from .problems import WorkersRefused
from .processes import cores
from .versions import versions

MISSING = "Dask is not installed: pip install 'jaxrisk[dask]', or run without it (--executor processes)"
_RETRIES = 2
"""How often Dask itself tries a chunk again whose worker raised an error."""


class DaskExecutor(Executor):
    """A client of a cluster as an executor.

    **Arguments:** `client`: a `distributed.Client`; `close`: whether it, and a cluster that it made, is closed at the end.

    **Raises:** `WorkersRefused` where every worker has other versions of what a path's bits depend on.
    """

    threads: int | None = None
    """Blocks in flight in a worker; None for one a core that it may use."""

    def __init__(self, client: Any, close: bool = False, threads: int | None = None):
        self._client, self._close, self.threads = client, close, threads
        self._refused: dict[str, str] = {}
        mine = versions()
        for worker, theirs in self._versions().items():
            if theirs != mine:
                self._refused[worker] = ", ".join(f"{name} {theirs.get(name)} and not {mine[name]}" for name in mine
                                                  if theirs.get(name) != mine[name])  # fmt: skip
        self._left()

    def _versions(self) -> dict[str, dict[str, str]]:
        """What each worker has."""
        try:
            return self._client.run(versions)
        except Exception as error:  # whatever it is that a worker cannot import
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            text = f"workers cannot run jaxrisk ({first}): they need the same versions as what they are sent by"
            raise WorkersRefused(text) from None

    def _left(self) -> list[str]:
        workers = list(self._client.scheduler_info(n_workers=-1)["workers"])
        left = [worker for worker in workers if worker not in self._refused]
        if workers and not left:
            told = "; ".join(f"{worker} has {words}" for worker, words in self._refused.items())
            raise WorkersRefused(f"workers need the same versions as what they are sent by: {told}")
        return left

    @property
    def _max_workers(self) -> int:
        return max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]) - len(self._refused))

    @property
    def refused(self) -> dict[str, str]:
        """Workers that get no chunks, and why."""
        return dict(self._refused)

    def submit(self, fn, /, *args, **kwargs):
        options: dict[str, Any] = {"pure": False, "retries": _RETRIES}
        if self._refused:
            options |= {"workers": self._left()}
        return self._client.get_executor(**options).submit(fn, *args, **kwargs)

    def refuse(self, future: Any) -> bool:
        """Leave out workers that have come since with other versions; whether there was one."""
        before, mine = len(self._refused), versions()
        for worker, theirs in self._versions().items():
            if theirs != mine:
                self._refused[worker] = "other versions"
        self._left()
        return len(self._refused) > before

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if self._close:
            self._client.shutdown() if self._client.cluster is not None else self._client.close()

    def __exit__(self, *error):
        self.shutdown()


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


__all__ = ["MISSING", "DaskExecutor", "as_executor", "cluster"]
