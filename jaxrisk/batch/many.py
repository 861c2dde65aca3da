"""Several scenarios run together on the same paths: noise is paid for once, each result is that of a run of its own."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from .._interrupt import threads
from ..cascade import fragility
from ..cascade.blocks import block_size, numbers, workers
from ..cascade.together import most_together, range_losses, same_noise
from ..report import Result
from ..scenario import Scenario
from ..storage.place import writable
from .carried import to_bytes
from .configure import configure
from .describe import criticality, curves, sample
from .executors import gather, threads_of
from .many_work import ManyTask, losses_by_cell, work_many
from .plan import Planned, planned, sink_of
from .problems import NonFinite, locate
from .running import executor_for
from .sinks import AbstractSink
from .versions import versions
from .work import Outcome, facts, finite_paths

MANY = 2**18
"""Paths beyond which chunks are as large as those of a run."""


class Cell(NamedTuple):
    """One of the scenarios: `place` among those that were given, what is run, and where its losses go."""

    place: int
    made: Planned
    sink: AbstractSink


class Stopped(NonFinite):
    """`NonFinite` of one of the scenarios: its `place`."""

    def __init__(self, message: str, path: int, place: int):
        super().__init__(message, path)
        self.place = place


def simulate_many(
    scenarios: Sequence[Scenario],
    paths: int | None = None,
    seed: int | None = None,
    *,
    steps: int | None = None,
    feedback: bool | float | None = None,
    precision: str | None = None,
    sample_paths: int | None = None,
    chunk: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    out: Sequence[str | os.PathLike | None] | None = None,
    executor: Any = None,
    tell: Callable[[str], None] | None = None,
) -> list[Result]:
    """Simulate several scenarios on the same random numbers, which are drawn once for all of them.

    Of those with one market (law, start, horizon, steps) also the price before any liquidation is moved once. A scenario's bits
    do not depend on who else is in the list, and are those that `simulate(kernel="scan")` has of it alone.

    **Arguments:** as of `simulate`, of each scenario, and:

    - `scenarios`: any. Those that take the same noise share it, at most 16 at a time.
    - `progress`: called with paths done and paths in all, of all scenarios together.
    - `out`: for each scenario a netCDF file, or None to keep its losses in memory. What a run that was stopped had finished of
      any of them is not run again.
    - `executor`: as of `simulate`; losses come back from Dask's workers too, a block of paths of all scenarios at a time.

    **Raises:** as `simulate`; `NonFinite` for the first scenario that has a path which is not finite, when those that share its
    noise are finished.

    >>> import jaxrisk as jr
    >>> scenario = jr.load("btc_24h")
    >>> one, other = jr.simulate_many([scenario, jr.load("btc_24h", {"impact.coefficient": 2.0})], paths=256, steps=24, seed=1)
    >>> float(one["max_drawdown_index"].mean()) < float(other["max_drawdown_index"].mean())
    True
    """
    scenarios, out = list(scenarios), list(out) if out is not None else [None] * len(scenarios)
    _check(scenarios, out)
    begun, given = time.time(), executor_for(executor, None, study=True)
    runs = [
        configure(scenario, paths, seed, steps, feedback, precision, "plain", sample_paths, 0, chunk) for scenario in scenarios
    ]
    for scenario, _ in runs:
        if problems := scenario.problems():
            raise ValueError("the scenario does not fit together: " + "; ".join(problems))
    results: dict[int, Result] = {}
    told = _Told(progress, sum(run.paths for _, run in runs))
    for group in _groups(runs):
        with numbers(group[0][1][1].precision == "float64"):
            cells: list[Cell] = []
            try:
                for place, (scenario, run) in group:
                    # a block: what is spread over workers, and lost at most where a study is stopped
                    size = chunk or (1 if given is not None or run.paths <= MANY else None)
                    made = planned(scenario, run, size, out[place])
                    cells.append(Cell(place, made, sink_of(made, out[place], False, tell or (lambda text: None))))
                told.add(sum(cell.sink.done for cell in cells))
                for some in _noise_groups(cells):
                    sound, wrong = _run_sound(some, told, given)
                    results |= {cell.place: _finished(cell, begun) for cell in sound}
                    if wrong is not None:
                        raise wrong
            finally:
                for cell in cells:
                    cell.sink.release()
    return [results[place] for place in range(len(scenarios))]


def _check(scenarios: list[Any], out: list[Any]) -> None:
    for scenario in scenarios:
        if not isinstance(scenario, Scenario):
            raise TypeError(f"simulate_many takes Scenarios, which jaxrisk.load makes of files, and not {scenario!r}")
    if len(out) != len(scenarios):
        raise ValueError(f"out has {len(out)} places for {len(scenarios)} scenarios")
    named = [os.path.abspath(one) for one in out if one is not None]
    if len(set(named)) < len(named):
        raise ValueError("out names one file twice")
    for one in out:
        if one is not None:
            if Path(one).suffix != ".nc":
                raise ValueError(f'out = "{one}": simulate_many writes netCDF files, whose names end in .nc')
            writable(one)


class _Told:
    """Counts paths of all cells, also from threads."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int):
        self._progress, self._total, self._done, self._lock = progress, total, 0, threading.Lock()

    def add(self, paths: int) -> None:
        with self._lock:
            self._done += paths

    def say(self) -> None:
        if self._progress is not None:
            self._progress(min(self._done, self._total), self._total)


def _groups(runs: list[Any]) -> list[list[tuple[int, Any]]]:
    """Places of runs that have the same paths, seed and precision, in their order."""
    found: dict[Any, list[tuple[int, Any]]] = {}
    for place, (scenario, run) in enumerate(runs):
        found.setdefault((run.paths, run.seed, run.precision), []).append((place, (scenario, run)))
    return list(found.values())


def _noise_groups(cells: list[Cell]) -> list[list[Cell]]:
    """Cells that take the same noise, no more together than there is room for."""
    found: list[list[Cell]] = []
    for cell in cells:
        mine = next((group for group in found if _fits(group, cell)), None)
        found.append([cell]) if mine is None else mine.append(cell)
    return found


def _fits(group: list[Cell], cell: Cell) -> bool:
    first, prepared = group[0].made, cell.made.engine.prepared
    alike = first.chunk == cell.made.chunk and same_noise(first.engine.prepared, prepared)
    alike = alike and block_size(first.engine.prepared) == block_size(prepared)
    return alike and len(group) < most_together(prepared)


def _missing(cells: list[Cell]) -> list[tuple[int, int, list[Cell]]]:
    """Ranges of paths, each with the cells that lack it."""
    ranges: dict[tuple[int, int], list[Cell]] = {}
    for cell in cells:
        for first, until in cell.sink.missing():
            ranges.setdefault((first, until), []).append(cell)
    return [(first, until, those) for (first, until), those in sorted(ranges.items(), key=lambda item: item[0])]


def _side_by_side(ranges: list[tuple[int, int, list[Cell]]], most: int) -> list[tuple[int, int, list[Cell]]]:
    """So many ranges that follow each other made one, where the same cells lack them: blocks for all cores."""
    joined: list[tuple[int, int, list[Cell]]] = []
    count = 0
    for first, until, those in ranges:
        if joined and count < most and joined[-1][1] == first and joined[-1][2] == those:
            joined[-1] = (joined[-1][0], until, those)
            count += 1
        else:
            joined.append((first, until, those))
            count = 1
    return joined


def _run_sound(cells: list[Cell], told: _Told, executor: Any) -> tuple[list[Cell], NonFinite | None]:
    """Run what is missing of any of them; cells whose paths are all finite, and why the first of the others is not."""
    left, wrong = list(cells), None
    while left:
        try:
            _run(left, told, executor)
            break
        except Stopped as error:
            wrong = wrong or error
            left = [cell for cell in left if cell.place != error.place]
    return left, wrong


def _run(cells: list[Cell], told: _Told, executor: Any) -> None:
    """Run what is missing of any of them."""
    if executor is not None:
        _run_there(cells, told, executor)
        return
    with threads(workers()) as pool:
        for first, until, those in _side_by_side(_missing(cells), workers()):
            run = those[0].made.run
            begun = time.perf_counter()
            engines = [cell.made.engine.prepared for cell in those]
            losses = range_losses(pool, engines, run.seed, first, until - first)
            seconds = (time.perf_counter() - begun) / len(those)
            _take(those, first, until, losses, seconds)
            told.add((until - first) * len(those))
            told.say()


def _take(cells: list[Cell], first: int, until: int, losses: Any, seconds: float) -> None:
    """Keep a range of paths of each cell, up to the first that is not finite.

    **Raises:** `Stopped` for the first cell that has such a path, when all have been kept.
    """
    wrong = None
    for cell, mine in zip(cells, losses, strict=True):
        good = finite_paths(mine)
        kept = mine if good == until - first else {name: values[:good] for name, values in mine.items()}
        if good:
            cell.sink.take(first, first + good, kept, Outcome(None, facts(good, seconds)))
        if good < until - first and wrong is None:
            wrong = cell, first + good, [name for name, values in mine.items() if not np.isfinite(values[good]).all()]
    if wrong is not None:
        cell, path, names = wrong
        said = cell.made.scenario.description
        text = locate(cell.made.engine.prepared, cell.made.run.seed, path, names)
        raise Stopped(f"{said.name or f'scenario {cell.place + 1}'}: {text}", path, cell.place)


def _run_there(cells: list[Cell], told: _Told, executor: Any) -> None:
    """Run what is missing on an executor; losses come back."""
    run = {name: getattr(cells[0].made.run, name) for name in cells[0].made.run.__dataclass_fields__}
    programs, mine, cores = jax.config.jax_compilation_cache_dir, versions(), threads_of(executor)  # type: ignore[attr-defined]
    device = cells[0].made.found["platform"], int(cells[0].made.found["block"])
    sent = {cell.place: to_bytes(cell.made.scenario) for cell in cells}
    of = {(first, until): those for first, until, those in _missing(cells)}
    tasks = [
        ManyTask(run, first, until, tuple(cell.made.digest for cell in those), mine, tuple(sent[cell.place] for cell in those),
                 cores, programs, *device)
        for (first, until), those in of.items()
    ]  # fmt: skip
    failed: list[tuple[str, int]] = []

    def take(task: Any, outcome: Outcome) -> None:
        those = of[task.first, task.until]
        losses = losses_by_cell(outcome.losses or {}, len(those))
        _take(those, task.first, task.until, losses, float(outcome.facts.get("seconds", 0.0)) / len(those))
        told.add((task.until - task.first) * len(those))
        told.say()

    def give_up(task: Any, why: str, path: int) -> bool:
        failed.append((why, path))
        return False

    gather(executor, tasks, take, give_up, work_many)  # type: ignore[arg-type]
    if failed:
        raise NonFinite(*failed[0])


def _finished(cell: Cell, begun: float) -> Result:
    engine, run = cell.made.engine, cell.made.run
    curve = jax.block_until_ready(fragility(engine.prepared))
    samples = sample(engine.prepared, run.seed, run.first_path, run.sample_paths, engine.source)
    closing = {"wall_seconds": round(time.time() - begun, 3), **criticality(curve)}
    return cell.sink.finish(samples, curves(curve), closing)


__all__ = ["simulate_many"]
