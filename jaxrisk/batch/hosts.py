"""Several processes of `jax.distributed`, on one host or many, at one store: each runs its share of the chunks.

The first has the store's lock, and begins, closes and sets aside as it would alone; the others write chunks as workers do. They
meet in the store and nowhere else: nothing is sent between devices, and a process that is lost costs what it had not finished.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from .._interrupt import threads
from ..cascade.blocks import workers
from ..report import Result
from ..storage import manifest as said
from ..storage.store_chunk import write_chunk
from ..storage.store_read import holds
from .plan import Planned
from .problems import WorkersLost
from .sinks import AbstractSink
from .work import Outcome, computed

PATIENCE = 60.0
"""Seconds without a new chunk, beside five times the longest so far, after which the first process runs what others have not."""
LOST = 600.0
"""Seconds without a new chunk after which another process takes the first for lost."""
_LOOKS = 0.2


def several(out: Any, executor: Any) -> bool:
    """Whether a run is shared by the processes of `jax.distributed`, as a user has started them."""
    return executor is None and out is not None and jax.process_count() > 1


def mine(chunks: list[tuple[int, int]], chunk: int) -> list[tuple[int, int]]:
    """The share of this process: in turns, by the place of a chunk in the run."""
    return [(first, until) for first, until in chunks if first // chunk % jax.process_count() == jax.process_index()]


def gather(
    sink: AbstractSink, chunks: list[tuple[int, int]], longest: float, report: Callable[[], None]
) -> list[tuple[int, int]]:
    """Take note of chunks as other processes finish them; what is left when nothing has come for long, for this one to run."""
    assert sink.store is not None
    manifest, left, seen = said.read_manifest(sink.store), dict(chunks), time.monotonic()
    while left and time.monotonic() - seen < PATIENCE + 5.0 * longest:
        there = [(first, until) for first, until in _recorded(sink.store, manifest) if first in left]
        for first, until in there:
            if holds(sink.store, manifest, first, until):
                continue
            facts = {key: value for key, value in said.read_record(sink.store, manifest, first, until).items()
                     if key not in ("first", "until", "run", "crc32c")}  # fmt: skip
            sink.take(first, until, None, Outcome(None, facts))
            del left[first]
            seen, longest = time.monotonic(), max(longest, float(facts.get("seconds", 0.0)))
        report()
        if not there:
            time.sleep(_LOOKS)
    return sorted(left.items())


def help_with(made: Planned, out: Path, progress: Callable[[int, int], None] | None) -> Result:
    """What every process but the first does: its share of the chunks, and then it waits for the end.

    **Raises:** `WorkersLost` where the first process does not begin, or end.
    """
    manifest = _begun(made, out)
    with threads(workers()) as pool:
        for first, until in mine([(first, manifest.until(first)) for first in manifest.firsts()], manifest.chunk):
            record = out / said.FOLDER / said.RECORDS / said.range_name(first, until)
            if not (record.exists() and not holds(out, manifest, first, until)):
                losses, outcome = computed(pool, made.engine, made.run, first, until)
                if outcome.problem is None:  # else the first process finds it too, and sets it aside
                    write_chunk(out, manifest, first, losses, outcome.facts)
            if progress is not None:
                progress(until, made.run.paths)
    count, seen = -1, time.monotonic()
    while not (out / said.FOLDER / said.LATE).exists():
        if count != (now := len(_recorded(out, manifest))):
            count, seen = now, time.monotonic()
        if time.monotonic() - seen > LOST:
            raise WorkersLost(f"{out}: the first process has not ended for {LOST / 60:.0f} minutes; run the same again")
        time.sleep(_LOOKS)
    return Result.load(out)


def _begun(made: Planned, out: Path) -> said.Manifest:
    """The manifest, as soon as the first process has put it there."""
    since = time.monotonic()
    while time.monotonic() - since < LOST:
        try:
            manifest = said.read_manifest(out)
        except (ValueError, OSError):
            manifest = None
        if manifest is not None and manifest.digest == made.digest:
            return manifest
        time.sleep(_LOOKS)
    raise WorkersLost(f"{out}: the first process has not begun this run there for {LOST / 60:.0f} minutes")


def _recorded(out: Path, manifest: said.Manifest) -> list[tuple[int, int]]:
    return said.ranges_in(out / said.FOLDER / said.RECORDS, manifest)


__all__ = ["PATIENCE", "gather", "help_with", "mine", "several"]
