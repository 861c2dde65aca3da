"""The chunks of a run, one after the other here, or on an executor; and what is said as they come."""

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

from .._interrupt import answer, threads
from ..cascade.blocks import workers
from ..storage.remote import is_remote
from ..storage.store_place import is_store
from . import hosts
from .carried import to_bytes
from .configure import Run
from .executors import gather, threads_of
from .plan import Planned
from .problems import NonFinite, SetAside
from .sinks import AbstractSink
from .versions import versions
from .work import Outcome, Task, computed


class Report:
    """Counts what is kept, and remembers what failed: `reasons`, first path and end of each chunk, why, and a path."""

    def __init__(self, sink: AbstractSink, run: Run, progress: Callable[[int, int], None] | None):
        self._sink, self._run, self._progress = sink, run, progress
        self.reasons: list[tuple[int, int, str, int]] = []

    def __call__(self) -> None:
        """Say how far it is."""
        if self._progress is not None:
            self._progress(self._sink.done, self._run.paths)

    def failed(self, first: int, until: int, why: str, path: int) -> bool:
        """Take note of a chunk that failed; whether the others are run all the same."""
        self.reasons.append((first, until, why, path))
        return self._sink.set_aside(first, until, why)

    def problem(self) -> NonFinite:
        """What is raised at the end."""
        told = sorted(self.reasons)
        if not self._sink.goes_on:
            return NonFinite(told[0][2], told[0][3])
        shift = self._run.first_path
        return SetAside([(first + shift, until + shift, why) for first, until, why, _ in told], told[0][3])


def run_shared(made: Planned, sink: AbstractSink, report: Report) -> None:
    """Run this process's share of the chunks, take note of those of the others, and run what they leave."""
    missing, begun = sink.missing(), time.monotonic()
    own = hosts.mine(missing, made.chunk)
    run_here(made, sink, report, own)
    longest = (time.monotonic() - begun) / max(1, len(own))
    run_here(made, sink, report, hosts.gather(sink, [one for one in missing if one not in set(own)], longest, report))


def run_here(made: Planned, sink: AbstractSink, report: Report, chunks: list[tuple[int, int]] | None = None) -> None:
    """Run the chunks that are missing, or those given, in this process; each is written while the next is run."""
    with threads(workers()) as pool, ThreadPoolExecutor(1) as writer:
        writing: Future | None = None
        for first, until in sink.missing() if chunks is None else chunks:
            losses, outcome = computed(pool, made.engine, made.run, first, until)
            if writing is not None:
                answer(writing)
                writing = None
                report()
            if outcome.problem is not None:
                _, why, path = outcome.problem
                _kept(sink, first, until, losses, outcome)
                if not report.failed(first, until, why, path):
                    return
                continue
            if sink.store is None:
                sink.take(first, until, losses, outcome)
                report()
            else:
                writing = writer.submit(sink.take, first, until, losses, outcome)
        if writing is not None:
            answer(writing)
            report()


def _address(store: Any) -> str:
    """What a store is called elsewhere."""
    return str(store) if is_remote(store) else os.path.abspath(store)


def run_there(made: Planned, sink: AbstractSink, report: Report, executor: Any) -> None:
    """Run the chunks that are missing on an executor.

    **Raises:** as `executors.gather`; `ValueError` where the scenario has a part that other processes cannot be sent.
    """
    scenario, store = to_bytes(made.scenario), None if sink.store is None else _address(sink.store)
    run = {name: getattr(made.run, name) for name in made.run.__dataclass_fields__}
    programs, mine, cores = jax.config.jax_compilation_cache_dir, versions(), threads_of(executor)  # type: ignore[attr-defined]
    sent = scenario if store is None else None
    device = made.found["platform"], int(made.found["block"])
    tasks = (Task(run, first, until, made.digest, mine, sent, store, cores, programs, *device) for first, until in sink.missing())

    def take(task: Task, outcome: Outcome) -> None:
        _kept(sink, task.first, task.until, outcome.losses, outcome)
        report()

    def give_up(task: Task, why: str, path: int) -> bool:
        return report.failed(task.first, task.until, why, path)

    try:
        gather(executor, tasks, take, give_up)
    except OSError as error:
        raise sink.failed(error) from error


def _kept(sink: AbstractSink, first: int, until: int, losses: Mapping[str, np.ndarray] | None, outcome: Outcome) -> None:
    """Keep a chunk; of one that is not finite what comes before the bad path, where a part of a chunk can be kept."""
    if outcome.problem is None:
        sink.take(first, until, losses, outcome)
    elif not sink.goes_on and losses is not None and len(losses["max_drawdown_index"]):
        sink.take(first, until, losses, outcome)


def executor_for(given: Any, out: str | os.PathLike | None, study: bool = False) -> Any:
    """What runs the chunks: None, or an executor. `study`: losses come back, from Dask's workers too.

    **Raises:** `TypeError` for what is no executor, `ValueError` where Dask's workers have no store to write to, or a pool forks.
    """
    if given is None:
        return None
    from .dask_executor import DaskExecutor, as_executor

    found = as_executor(given)
    if isinstance(found, ProcessPoolExecutor) and _forks(found):
        text = "processes that are forked from one that has simulated hang: make the pool with"
        raise ValueError(f'{text} ProcessPoolExecutor(..., mp_context=multiprocessing.get_context("spawn"))')
    if isinstance(found, DaskExecutor) and not study and (out is None or not is_store(out)):
        raise ValueError("with Dask workers write to a store themselves: out has to end in .zarr")
    return found


def _forks(pool: ProcessPoolExecutor) -> bool:
    context = getattr(pool, "_mp_context", None)  # Python has no public word for it
    return context is not None and context.get_start_method(allow_none=False) == "fork"


__all__ = ["Report", "executor_for", "run_here", "run_there"]
