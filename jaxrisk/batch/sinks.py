"""Where a run's losses go: memory, one netCDF file, or a Zarr store; each takes chunks in whatever order they come."""

import abc
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..observables import DIMS
from ..report import Result
from ..storage.chunks import Plan, every, paths_in
from ..storage.manifest import Kind, Manifest
from ..storage.store import Store
from ..storage.writer import ResultWriter
from .configuration import differences
from .work import Outcome

Tell = Callable[[str], None]
SHOWN_EVERY = 10.0
"""Seconds after which others that have opened a store are shown what was finished meanwhile."""


class AbstractSink(abc.ABC):
    """Takes losses of ranges of paths, counted from the run's first."""

    done = 0
    """Paths that are kept."""
    closed = False
    """Whether all was done before."""
    goes_on = False
    """Whether the other chunks are run where one fails, and parts of chunks are not kept."""
    store: Path | None = None
    """The folder that workers write to themselves; None where losses are handed over."""

    @abc.abstractmethod
    def missing(self) -> list[tuple[int, int]]:
        """First path and end of each chunk that is yet to be run, in order."""

    @abc.abstractmethod
    def take(self, first: int, until: int, losses: Mapping[str, np.ndarray] | None, outcome: Outcome) -> None:
        """Keep a chunk; `losses` is None where a worker has written them."""

    @abc.abstractmethod
    def finish(self, samples: Any, curves: Any, closing: Mapping[str, Any]) -> Result:
        """The result of what was kept."""

    def set_aside(self, first: int, until: int, why: str) -> bool:
        """Take note of a chunk that fails always; whether the others are run all the same."""
        return False

    def stopped(self, finish: Callable[[], Result]) -> Result | None:
        """The result of what was kept where a run was stopped; None where path 0 is not among it, and no result is made of it.
        `finish`: makes it, where it is made at once."""
        return finish()

    def left(self) -> Result | None:
        """The result of what was kept, if any, where it is to be continued by the same run again."""
        return self.stopped(lambda: self.finish({}, {}, {}))

    def loaded(self) -> Result:
        """The result, where all was done before."""
        raise NotImplementedError

    def failed(self, error: OSError) -> OSError:
        """What is raised where a worker could not write."""
        return error

    def release(self) -> None:  # noqa: B027 (memory has nothing to let go of)
        """Let others write there."""


class Memory(AbstractSink):
    """Keeps arrays; `plan`: what is run."""

    def __init__(self, plan: Plan, chunk: int):
        self._plan, self._chunk = plan, chunk
        self._parts: dict[int, Mapping[str, np.ndarray]] = {}

    def missing(self):
        total = self._plan.total
        return [(first, min(first + self._chunk, total)) for first in range(0, total, self._chunk)]

    def take(self, first, until, losses, outcome):
        self._parts[first] = losses
        self.done += len(next(iter(losses.values())))

    def stopped(self, finish):
        return finish() if len(next(iter(self._parts.get(0, {}).values()), ())) else None

    def finish(self, samples, curves, closing):
        kept, at = [], 0
        while at in self._parts:  # in order, whatever the order of arrival
            kept.append(self._parts[at])
            at += len(next(iter(kept[-1].values())))
            if not len(next(iter(kept[-1].values()))):
                break
        losses = {name: np.concatenate([part[name] for part in kept]) for name in kept[0]} if kept else {}
        dims = {name: DIMS.get(name, ()) for name in losses}
        info = {**self._plan.info, **_counted(closing, at, self._plan.total)}
        return Result(losses, dims, self._plan.coords, samples=samples, curves=curves, info=info)


class File(AbstractSink):
    """One netCDF file, of chunks in a folder beside it; those of a stopped run of the same configuration are kept.
    Those of another are put aside, or with `force` removed."""

    def __init__(self, out: str | os.PathLike, plan: Plan, chunk: int, tell: Tell, force: bool = False):
        self._writer, self._plan, self._chunk = ResultWriter(out, DIMS, plan.coords, plan.total, plan.info), plan, chunk
        self.done = self._writer.kept
        if self._writer.continued:
            tell(f"{self.done:,} paths of this run were in {self._writer.partial}; it is continued")
        elif self._writer.aside is not None:
            left = f"{paths_in(every(self._writer.aside)):,} paths of a run that was stopped were in {self._writer.partial}"
            if force:
                shutil.rmtree(self._writer.aside, ignore_errors=True)
            tell(f"{left}; they are {'removed' if force else f'kept in {self._writer.aside}'}")

    def missing(self):
        return self._writer.missing(self._chunk)

    def take(self, first, until, losses, outcome):
        self._writer.add(first, losses)
        self.done += len(next(iter(losses.values())))

    def finish(self, samples, curves, closing):
        said = _counted(closing, self._writer.finished, self._plan.total)
        return Result.load(self._writer.close(samples, curves, said))

    def stopped(self, finish):
        if self._writer.finished:
            return finish()
        self.release()  # a file would have no path: the chunks stay, for the same run again
        return None

    def left(self):
        self.release()
        return Result.load(self._writer.partial) if self._writer.finished else None

    def release(self):
        self._writer.release()


class Stored(AbstractSink):
    """A Zarr store, continued where it is of the same configuration."""

    goes_on = True

    def __init__(
        self, out: Path, plan: Plan, chunk: int, kinds: Mapping[str, Kind], found: Mapping[str, str], digest: str,
        scenario: bytes, force: bool, tell: Tell,
    ):  # fmt: skip
        wanted = Manifest(plan, min(chunk, plan.total), dict(kinds), dict(found), digest)
        self._store = Store(out, wanted, scenario, differences, force)
        self._shown = time.monotonic()
        self.store, self.closed, self.done = out, self._store.closed, self._store.paths
        damaged = f"; {_damaged(self._store.damaged)} run again" if self._store.damaged else ""
        if self.closed:
            tell(f"{out}: holds this run, finished; it is loaded")
        elif self.done or damaged:
            tell(f"{out}: {self.done:,} of {plan.total:,} paths of this run were there; it is continued{damaged}")

    def missing(self):
        return [(first, self._store.manifest.until(first)) for first in self._store.missing()]

    def take(self, first, until, losses, outcome):
        if losses is None:
            self._store.have(first, outcome.facts)
        else:
            self._store.write(first, losses, outcome.facts)
        self.done += until - first
        if time.monotonic() - self._shown > SHOWN_EVERY:
            self._store.show()
            self._shown = time.monotonic()

    def set_aside(self, first, until, why):
        self._store.set_aside(first, why)
        return True

    def finish(self, samples, curves, closing):
        self._store.close(samples, curves, closing)
        return Result.load(self._store.path)

    def stopped(self, finish):
        self.release()  # to be continued: what comes at the end has not come
        return self.loaded()

    def left(self):
        return self.stopped(self.loaded)

    def loaded(self):
        return Result.load(self._store.path)

    def failed(self, error):
        return self._store.stopped(error)

    def release(self):
        self._store.release()


def _damaged(chunks: int) -> str:
    return "1 chunk that was damaged is" if chunks == 1 else f"{chunks:,} chunks that were damaged are"


def _counted(closing: Mapping[str, Any], finished: int, total: int) -> dict[str, Any]:
    return {**closing, "finished_paths": finished} | ({"planned_paths": total} if finished < total else {})


__all__ = ["AbstractSink", "File", "Memory", "Stored", "Tell"]
