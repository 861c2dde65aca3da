"""One chunk: the losses of a range of paths, here or in another process, checked, and kept where they are to be."""

import functools
import os
import platform
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._interrupt import threads
from ..cascade.blocks import block_size, numbers, parts_of, range_losses, workers
from ..cascade.engine import COUNTERS
from ..cascade.kernel import NoKernel, chosen
from ..risk.sample import prepare_lean
from ..risk.sobol import sobol
from ..storage import manifest as said
from ..storage.remote import place_of
from ..storage.store_chunk import write_chunk
from ..storage.store_read import holds
from .carried import from_bytes
from .configure import Run
from .problems import locate
from .telemetry import chunk_span
from .versions import versions


class Engine(NamedTuple):
    """A scenario made ready to run: arrays, where the noise comes from, which `kernel` runs it, and `why` not the fused one where
    there was a choice."""

    prepared: Any
    source: Any
    kernel: str = "scan"
    why: str = ""


class Task(NamedTuple):
    """A chunk to be run by another process: paths `first` to `until - 1` of a run, counted from its first.

    **Fields:** `scenario`: bytes, or None where the worker reads those in `store`, the folder it writes to; `digest` of the
    configuration; `threads`: blocks in flight, None for one a core; `programs`: the folder of compiled programs; `platform`: the
    kind of device, and paths in a compiled `block`, on which bits depend.
    """

    run: dict[str, Any]
    first: int
    until: int
    digest: str
    versions: dict[str, str]
    scenario: bytes | None
    store: str | None
    threads: int | None
    programs: str | None
    platform: str
    block: int


class Outcome(NamedTuple):
    """What became of a chunk: `losses` (None where the worker has written them), `facts` on how it went.

    `problem`: None, or a word for it (`"not finite"`, `"disk"`, `"refused"`), what there is to say, and a number: the path, the
    system's of an error, or of a worker that is refused whether that is seen at a chunk alone.
    """

    losses: dict[str, np.ndarray] | None
    facts: dict[str, Any]
    problem: tuple[str, str, int] | None = None


def engine_of(scenario: Any, run: Run) -> Engine:
    """Make a scenario ready; call inside the run's precision (`cascade.blocks.numbers`)."""
    prepared = prepare_lean(scenario, jnp.dtype(run.precision))
    source = sobol(prepared) if run.sampling == "sobol" else COUNTERS
    return Engine(prepared, source, *chosen(run.kernel, prepared, source))


def computed(pool: Any, engine: Engine, run: Run, first: int, until: int) -> tuple[dict[str, np.ndarray], Outcome]:
    """Losses of a range of paths of a run, up to the first that is not finite; and what became of them, without the losses."""
    with chunk_span(run.first_path + first, run.first_path + until, run.seed) as told:
        losses, outcome = _computed(pool, engine, run, first, until)
        told(outcome.facts, None if outcome.problem is None else outcome.problem[1])
    return losses, outcome


def _computed(pool: Any, engine: Engine, run: Run, first: int, until: int) -> tuple[dict[str, np.ndarray], Outcome]:
    begun = time.perf_counter()
    losses = range_losses(pool, engine.prepared, run.seed, run.first_path + first, until - first, engine.source, engine.kernel)
    seconds = time.perf_counter() - begun
    good = finite_paths(losses)
    problem = None
    if good < until - first:
        names = [name for name, values in losses.items() if not np.isfinite(values[good]).all()]
        path = run.first_path + first + good
        problem = ("not finite", locate(engine.prepared, run.seed, path, names, engine.source), path)
        losses = {name: values[:good] for name, values in losses.items()}
    seen = facts(until - first, seconds)
    if (parts := parts_of(engine.prepared, engine.kernel)) > 1:
        seen["parts_of_a_block"] = parts  # what a device with little memory has cost
    return losses, Outcome(None, seen, problem)


def finite_paths(losses: Mapping[str, np.ndarray]) -> int:
    """How many paths come before the first with a number that is not finite."""
    finite = np.ones(len(losses["max_drawdown_index"]), bool)
    for values in losses.values():
        finite &= np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    return len(finite) if finite.all() else int(np.argmin(finite))


def facts(paths: int, seconds: float) -> dict[str, Any]:
    """Who ran a chunk, on what, how fast, in how much memory."""
    return {
        "seconds": round(seconds, 4),
        "paths_a_second": round(paths / max(seconds, 1e-9)),
        "device": device_name(),
        "memory_bytes": peak_memory(),
        "process": os.getpid(),
        "host": socket.gethostname(),
    }


@functools.cache
def device_name() -> str:
    """The devices of this process, in words."""
    devices = jax.local_devices()
    many = f"{len(devices)} x " if len(devices) > 1 else ""
    return f"{many}{devices[0].device_kind} ({jax.default_backend()})"


def peak_memory() -> int:
    """Bytes that this process has had in use at most."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if platform.system() == "Darwin" else 1024)


def work(task: Task) -> Outcome:
    """Run a chunk in a worker; a chunk that is in the store already is not run again."""
    mine = versions()
    if mine != task.versions:
        told = ", ".join(f"{name} {mine.get(name)} and not {number}" for name, number in task.versions.items()
                         if mine.get(name) != number)  # fmt: skip
        return Outcome(None, {}, ("refused", f"a worker on {socket.gethostname()} has {told}", 0))
    if jax.default_backend() != task.platform:
        told = f"a worker on {socket.gethostname()} has platform {jax.default_backend()} and not {task.platform}"
        return Outcome(None, {}, ("refused", told, 0))
    if task.programs:
        jax.config.update("jax_compilation_cache_dir", task.programs)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    run = Run(**task.run)
    try:
        manifest = None
        if task.store is not None:
            store = place_of(task.store)
            manifest = _manifest(store, task.digest)
            record = store / said.FOLDER / said.RECORDS / said.range_name(task.first, task.until)
            if record.exists() and not holds(store, manifest, task.first, task.until):
                return Outcome(None, {"again": True})
        with numbers(run.precision == "float64"):
            engine = _engine(task.digest, task.scenario, task.store, run)
            if (block := block_size(engine.prepared, engine.kernel)) != task.block:
                told = f"a worker on {socket.gethostname()} has blocks of {block} paths and not {task.block}"
                return Outcome(None, {}, ("refused", told, 1))
            with threads(task.threads or workers()) as pool:
                losses, outcome = computed(pool, engine, run, task.first, task.until)
        if task.store is None:
            return outcome._replace(losses=losses)
        if outcome.problem is None and manifest is not None:
            write_chunk(place_of(task.store), manifest, task.first, losses, outcome.facts)
        return outcome
    except NoKernel as error:
        return Outcome(None, {}, ("refused", f"a worker on {socket.gethostname()} cannot run the kernel ({error})", 0))
    except OSError as error:
        return Outcome(None, {}, ("disk", error.strerror or str(error), error.errno or 0))


def _manifest(store: Path, digest: str) -> said.Manifest:
    manifest = said.read_manifest(store)
    if manifest.digest != digest:
        raise ValueError(f"{store}: another run is being written there now")
    return manifest


_ready: dict[str, Engine] = {}
_making = threading.Lock()


def _engine(digest: str, scenario: bytes | None, store: str | None, run: Run) -> Engine:
    """The engine of a run, kept while a worker has chunks of it: the last one."""
    with _making:  # a worker may have several threads
        if digest not in _ready:
            if scenario is None and store is not None:
                scenario = (place_of(store) / said.FOLDER / said.SCENARIO).read_bytes()
            made = engine_of(from_bytes(scenario or b""), run)
            _ready.clear()
            _ready[digest] = made
        return _ready[digest]


__all__ = ["Engine", "Outcome", "Task", "computed", "device_name", "engine_of", "facts", "finite_paths", "work"]
