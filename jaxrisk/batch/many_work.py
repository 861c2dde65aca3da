"""One range of paths of several scenarios, by a worker in another process."""

import socket
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from .._interrupt import threads
from ..cascade.blocks import block_size, numbers, workers
from ..cascade.together import range_losses
from .carried import from_bytes
from .configure import Run
from .versions import versions
from .work import Engine, Outcome, engine_of, facts


class ManyTask(NamedTuple):
    """As `work.Task`, of several scenarios, each with its digest; losses are handed back."""

    run: dict[str, Any]
    first: int
    until: int
    digests: tuple[str, ...]
    versions: dict[str, str]
    scenarios: tuple[bytes, ...]
    threads: int | None
    programs: str | None
    platform: str
    block: int


def work_many(task: ManyTask) -> Outcome:
    """Run a range of paths of all scenarios; whether they are finite is for who asked to see."""
    mine, here = versions(), f"a worker on {socket.gethostname()}"
    if mine != task.versions:
        told = ", ".join(f"{name} {mine.get(name)} and not {number}" for name, number in task.versions.items()
                         if mine.get(name) != number)  # fmt: skip
        return Outcome(None, {}, ("refused", f"{here} has {told}", 0))
    if jax.default_backend() != task.platform:
        return Outcome(None, {}, ("refused", f"{here} has platform {jax.default_backend()} and not {task.platform}", 0))
    if task.programs:
        jax.config.update("jax_compilation_cache_dir", task.programs)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    run, begun = Run(**task.run), time.perf_counter()
    with numbers(run.precision == "float64"):
        cells = [engine.prepared for engine in _engines(task, run)]
        if (block := block_size(cells[0])) != task.block:
            return Outcome(None, {}, ("refused", f"{here} has blocks of {block} paths and not {task.block}", 1))
        with threads(task.threads or workers()) as pool:
            losses = range_losses(pool, cells, run.seed, run.first_path + task.first, task.until - task.first)
    together = {f"{place}/{name}": values for place, cell in enumerate(losses) for name, values in cell.items()}
    return Outcome(together, facts(task.until - task.first, time.perf_counter() - begun))


def losses_by_cell(together: Mapping[str, np.ndarray], count: int) -> list[dict[str, np.ndarray]]:
    """What a worker has handed back, scenario by scenario."""
    found: list[dict[str, np.ndarray]] = [{} for _ in range(count)]
    for key, values in together.items():
        place, _, name = key.partition("/")
        found[int(place)][name] = values
    return found


_ready: dict[str, Engine] = {}
_making = threading.Lock()


def _engines(task: ManyTask, run: Run) -> list[Engine]:
    """Kept while a worker has ranges of them."""
    with _making:
        for digest in [one for one in _ready if one not in task.digests]:
            del _ready[digest]
        for digest, scenario in zip(task.digests, task.scenarios, strict=True):
            if digest not in _ready:
                _ready[digest] = engine_of(from_bytes(scenario), run)
        return [_ready[digest] for digest in task.digests]


__all__ = ["ManyTask", "losses_by_cell", "work_many"]
