"""Run a scenario: planned, its chunks run here or by others, and what they come to made one result."""

import os
import time
from collections.abc import Callable
from typing import Any

import jax

from .._interrupt import answer, threads
from ..cascade import fragility
from ..cascade.blocks import in_precision, numbers
from ..cascade.room import Room
from ..report import Result
from ..scenario import Scenario
from ..storage.durable import OutputError
from ..storage.place import writable
from ..storage.remote import is_remote, place_of
from ..storage.store_place import check_place, is_store
from .configure import configure
from .describe import criticality, curves, sample
from .hosts import help_with, several
from .plan import Planned, planned, sink_of
from .problems import NonFinite, WorkersLost
from .running import Report, executor_for, run_here, run_shared, run_there
from .sinks import AbstractSink


def simulate(
    scenario,
    paths: int | None = None,
    seed: int | None = None,
    *,
    steps: int | None = None,
    feedback: bool | float | None = None,
    precision: str | None = None,
    sampling: str = "plain",
    kernel: str = "auto",
    sample_paths: int | None = None,
    first_path: int = 0,
    chunk: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    out: str | os.PathLike | None = None,
    executor: Any = None,
    force: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Result:
    """Simulate a scenario and return its losses.

    **Arguments:** where None, the scenario says.

    - `paths`: how many, a whole number, as `1e5` is; `first_path`: index of the first, so that a run can be continued or one path
      replayed.
    - `seed`: a whole number of up to 64 bits. A path is a function of the scenario, the seed and its index alone.
    - `steps`: over the same horizon.
    - `feedback`: multiplier of all price impact, in [0, 1]; `False` switches it off with the same random numbers.
    - `precision`: `"float32"` or `"float64"`.
    - `sampling`: `"plain"`, or `"sobol"`: Sobol points on what matters most in a path, in independent replicates whose spread
      is the error (`jaxrisk.risk.sobol`): standard errors of a quarter of the plain ones for means, of half for 99% expected
      shortfall, for 1.3 times the time. Best 16 times a power of two paths. Laws with driving normals only.
    - `kernel`: what runs the paths: `"scan"` over steps, anywhere; `"fused"`, one kernel with the path's state in registers, on a
      GPU, in float32, for scenarios whose state fits; or `"auto"`, the fused one where it can be had. Their losses differ by
      rounding, so that a store which one has begun is not continued by the other.
    - `sample_paths`: how many of the first paths are kept whole, at most all; a scenario that says more keeps all.
    - `chunk`: paths between two calls of `progress(done, total)` and two appends to `out`. Results do not depend on it.
    - `out`: write there as chunks finish; memory then does not grow with `paths`. `NAME.nc`: one netCDF file; a result that is
      there is replaced, nothing else is. `NAME.zarr`: a Zarr store, opened in place by xarray and `Result.load`; also at an
      address that fsspec knows, `s3://bucket/NAME.zarr`. The same call again continues what was stopped, and loads a store that
      is finished: the same bits as of a run that nobody stopped.
    - `executor`: of `concurrent.futures`, or a Dask client (which needs a store): others run the chunks. None: this process.
    - `force`: run anew where `out` is a store of another run, which else is refused; and remove chunks that another run has left
      beside a netCDF file, which else are put aside. The same run is continued all the same.
    - `tell`: takes sentences on what is continued or put aside.

    A scenario with other words or numbers does not compile anew, nor do other `paths`, `seed` or `feedback`. JAX has threads, so
    that a process forked from one that has simulated hangs: start others with `multiprocessing.get_context("spawn")`
    (docs/python.md).

    **Raises:** `ValueError` for an argument out of range, a scenario that does not fit together, or a kernel that cannot run it;
    `jaxrisk.NonFinite` where a number was not finite, with what was finished (into a store all other chunks are run first: its
    kind `SetAside`); `OSError`, in words, where `out` is not replaced, another run is writing it, or the disk is full: then
    `out.partial`, or the store, has what was finished, and can be loaded. `jaxrisk.batch.WorkersLost` where nobody is left to run
    the rest.

    >>> import jaxrisk as jr
    >>> result = jr.simulate(jr.load("btc_24h"), paths=1000, steps=96, seed=1)
    >>> result.losses["max_drawdown_index"].shape
    (1000,)
    """
    if not isinstance(scenario, Scenario):
        raise TypeError(f"simulate takes a Scenario, which jaxrisk.load makes of a file, and not {scenario!r}")
    scenario, run = configure(
        scenario, paths, seed, steps, feedback, precision, sampling, sample_paths, first_path, chunk, kernel
    )
    workers = executor_for(executor, out)
    if out is not None and is_remote(out) and not is_store(out):
        raise OutputError(f"{out}: what goes to an object store is a store, whose name ends in .zarr")
    if out is not None:
        check_place(place_of(out)) if is_store(out) else writable(out)
    if problems := scenario.problems():
        raise ValueError("the scenario does not fit together: " + "; ".join(problems))
    begun = time.time()
    with numbers(run.precision == "float64"):
        made = planned(scenario, run, chunk, out)
        run = made.run
        if made.engine.why and tell is not None and jax.default_backend() != "cpu":
            tell(f"the scan is taken, and not the fused kernel: {made.engine.why}")
        shared = several(out, workers) and is_store(out)
        if shared and jax.process_index() > 0:
            return help_with(made, place_of(out), progress)
        sink = sink_of(made, out, force, tell or (lambda text: None))
        try:
            here = run_shared if shared else run_here
            return sink.loaded() if sink.closed else _run(made, sink, Report(sink, run, progress), workers, begun, here)
        finally:
            sink.release()


def _run(made: Planned, sink: AbstractSink, report: Report, workers: Any, begun: float, here: Callable[..., None]) -> Result:
    """Run what is missing, and make one result of it."""
    prepared, source, run, double = made.engine.prepared, made.engine.source, made.run, made.run.precision == "float64"

    def finish(samples, curve) -> Result:
        closing = {"wall_seconds": round(time.time() - begun, 3), **criticality(curve)}
        return sink.finish(samples, curves(curve), closing)

    with threads(1) as aside:
        # the fragility map and the whole paths are compiled and run beside the first blocks, on a core that has nothing to do yet
        whole = (prepared, run.seed, run.first_path, run.sample_paths, source)
        mapped = aside.submit(in_precision, double, _told, "the fragility map", fragility, prepared)
        sampled = aside.submit(in_precision, double, _told, "whole paths", sample, *whole)
        try:
            here(made, sink, report) if workers is None else run_there(made, sink, report, workers)
            if report.reasons and not (sink.goes_on and sink.done):
                raise report.problem()
            result = finish(answer(sampled), answer(mapped))
        except (NonFinite, KeyboardInterrupt, WorkersLost) as stop:
            # what was finished stays; whoever interrupts does not wait for a map that is still being compiled
            waits = isinstance(stop, NonFinite) or mapped.done()
            last = lambda: finish({}, mapped.result() if waits else None)
            if sink.done:
                stop.result = sink.left() if isinstance(stop, WorkersLost) else sink.stopped(last)  # type: ignore[union-attr]
            raise
    if report.reasons:
        stop = report.problem()
        stop.result = result if sink.done else None
        raise stop
    return result


def _told(what: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns; `MemoryError`, in words, where the device has no room for it."""
    return Room().run(lambda parts: jax.block_until_ready(function(*arguments)), what)
