"""How far a run is, from what it has left on the disk: asked from anywhere, while it goes on or afterwards."""

import datetime
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from . import chunks, durable, manifest as said
from .netcdf import FINISHED
from .place import partial_of
from .remote import Remote, owner_at, place_of
from .store_log import lines
from .store_read import finished_ranges

_LAST = 50
"""Chunks, the last ones, that the rate is measured on."""


class Worker(NamedTuple):
    """Who has run chunks: `name`, its device, how many, paths a second in the last, bytes of memory at most."""

    name: str
    device: str
    chunks: int
    rate: float
    memory: int


class Status(NamedTuple):
    """How far a run is.

    **Fields:** `paths` finished of `planned`; `chunks`, `planned_chunks`; `ended`: whether nothing is left to do; `owner`: the
    process that writes, 0 where it is not known, None where nobody does; `rate`: paths a second of all together, NaN where it is
    not known; `workers`; `set_aside`: first path, end and reason, with
    the run's `first_path`.
    """

    path: Path
    paths: int
    planned: int
    chunks: int
    planned_chunks: int
    ended: bool
    owner: int | None
    rate: float
    workers: list[Worker]
    set_aside: list[tuple[int, int, str]]

    @property
    def seconds_left(self) -> float:
        """From the rate of measured chunks; NaN where it is not known."""
        return (self.planned - self.paths) / self.rate if self.rate > 0.0 else math.nan

    def __str__(self) -> str:
        share = f"{self.paths / self.planned:.1%}" if self.planned else "nothing planned"
        many = f", {self.chunks:,} of {self.planned_chunks:,} chunks" if self.planned_chunks else ""
        told = [f"{self.path}: {self.paths:,} of {self.planned:,} paths are finished ({share}{many})"]
        if self.ended:
            told.append("nothing is left to do")
        elif self.owner is None:
            told.append("nobody is writing it; the same command continues")
        else:
            told.append(f"process {self.owner} is writing it" if self.owner else "it is being written")
        if not self.ended and self.owner is not None and self.rate > 0.0:
            told.append(f"{self.rate:,.0f} paths a second; about {_time(self.seconds_left)} left")
        for one in self.workers:
            memory = f", {one.memory / 2**30:.2f} GiB" if one.memory else ""
            told.append(f"{one.name} ({one.device}): {counted(one.chunks)}, {one.rate:,.0f} paths a second in the last{memory}")
        told += [f"set aside: paths {first:,} to {until - 1:,}: {why}" for first, until, why in self.set_aside]
        return "\n".join(told)


def status_of(path: Path) -> Status:
    """How far the run is that writes, or has written, a file or a store.

    **Raises:** `FileNotFoundError` where there is nothing, and `ValueError`, which names what is there, where it is no run's.
    """
    path = place_of(path)
    if (path / said.FOLDER).is_dir():
        return _of_store(path)
    if isinstance(path, Remote):
        raise FileNotFoundError(f"no store of a run at {path}")
    partial = path if path.is_dir() else partial_of(path)
    if partial.is_dir():
        return _of_folder(path, partial)
    from .writer import read

    found = read(path)
    paths = int(found["info"].get(FINISHED, found["info"].get("paths", 0)))
    planned = int(found["info"].get("planned_paths", paths))
    return Status(path, paths, planned, 0, 0, True, None, math.nan, [], [])


def _of_store(path: Path) -> Status:
    manifest = said.read_manifest(path)
    done, noted, inner = finished_ranges(path, manifest), lines(path), path / said.FOLDER
    paths = sum(until - first for first, until in done)
    ended = len(done) == len(manifest.firsts()) and (inner / said.LATE).exists()
    return Status(
        path,
        paths,
        manifest.plan.total,
        len(done),
        len(manifest.firsts()),
        ended,
        _owner(inner),
        _rate(noted),
        _workers(noted),
        [
            (manifest.shift + first, manifest.shift + until, _why(path, first, until))
            for first, until in said.ranges_in(inner / said.FAILED, manifest)
        ],
    )


def _owner(inner: Any) -> int | None:
    if isinstance(inner, Remote):
        return None if owner_at(inner) is None else 0
    return durable.owner_of(inner)


def _of_folder(path: Path, partial: Path) -> Status:
    plan, done = chunks.read_plan(partial), chunks.every(partial)
    paths = sum(one.until - one.first for one in done)
    times = sorted([one.path.stat().st_mtime for one in done] + [(partial / chunks.PLAN).stat().st_mtime])
    rate = paths / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else math.nan
    return Status(path, paths, plan.total, len(done), 0, False, durable.owner_of(partial), rate, [], [])


def _rate(noted: list[dict[str, Any]]) -> float:
    """Paths a second of the last chunks since the run was begun or continued."""
    begun = max((place for place, entry in enumerate(noted) if entry.get("event") == "started"), default=0)
    timed = [(_moment(entry), _length(entry)) for entry in noted[begun:] if entry.get("event") in ("started", "chunk")]
    timed = [(moment, length) for moment, length in timed if moment is not None][-_LAST - 1 :]
    if len(timed) < 2 or timed[-1][0] <= timed[0][0]:
        return math.nan
    return sum(length for _, length in timed[1:]) / (timed[-1][0] - timed[0][0])


def _workers(noted: list[dict[str, Any]]) -> list[Worker]:
    """Who has run chunks since the run was begun or continued."""
    begun = max((place for place, entry in enumerate(noted) if entry.get("event") == "started"), default=0)
    found: dict[str, Worker] = {}
    for entry in noted[begun:]:
        if entry.get("event") == "chunk" and "process" in entry:
            name = f"process {entry['process']} on {entry.get('host')}"
            before = found.get(name)
            numbers = [entry.get(key, 0) for key in ("paths_a_second", "memory_bytes")]
            rate, memory = (number if isinstance(number, (int, float)) else 0 for number in numbers)
            found[name] = Worker(name, str(entry.get("device")), 1 + (before.chunks if before else 0), rate, int(memory))
    return list(found.values())


def _moment(entry: dict[str, Any]) -> float | None:
    try:
        return datetime.datetime.fromisoformat(entry["time"]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _length(entry: dict[str, Any]) -> int:
    first, until = entry.get("first"), entry.get("until")
    return max(0, until - first) if isinstance(first, int) and isinstance(until, int) else 0


def _why(path: Path, first: int, until: int) -> str:
    try:
        said_there = json.loads((path / said.FOLDER / said.FAILED / said.range_name(first, until)).read_bytes())
        return str(said_there["why"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "the reason cannot be read"


def counted(chunks: int) -> str:
    """So many chunks, in words."""
    return f"{chunks:,} chunk{'s' * (chunks != 1)}"


def _time(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "an unknown time"
    minutes, hours = seconds / 60.0, seconds / 3600.0
    return f"{seconds:.0f} s" if seconds < 100 else f"{minutes:.0f} min" if minutes < 100 else f"{hours:,.1f} h"


__all__ = ["Status", "Worker", "counted", "status_of"]
