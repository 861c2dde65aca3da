"""A run's Zarr 3 store: chunks of paths, each finished or not there, by whatever process and in whatever order."""

import contextlib
import json
import math
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import durable, manifest as said
from .chunks import plain
from .durable import Lock, OutputError
from .manifest import Manifest
from .netcdf import FINISHED, PLANNED, flat_attributes
from .remote import Remote, RemoteLock
from .store_chunk import OtherRun, write_chunk
from .store_log import note
from .store_metadata import METADATA, metadata_of
from .store_place import check_place, empty
from .store_read import finished_ranges, holds, late_of
from .writer import WriteStopped, whole
from .zarr_format import encoded, group_metadata, key


class ReadStopped(WriteStopped):
    """What is there cannot be read now, which is no damage: nothing is removed."""

    def __init__(self, path: Path, error: OSError):
        OutputError.__init__(self, f"{path}: cannot be read: {error.strerror or error}; what is there stays as it is")
        self.finished, self.where = 0, path


class Store:
    """Sole use of a store of a run, new or to be continued, until `release`, or the process ends.

    **Arguments:**

    - `path`: the folder, made if it is not there.
    - `wanted`: what is to be run, of which `plan.info` may be empty where a store of the same configuration is there.
    - `scenario`: bytes for workers.
    - `differ`: says in what two configurations differ.
    - `force`: whether what another run has left may be removed; one of the same configuration is continued all the same.

    `manifest`: what is run: of the same configuration as `wanted`, in chunks as they were begun. `finished`: the chunks that are
    on the disk whole, by first path; `damaged`: how many of those there were are not, and are removed.

    **Raises:** `OSError` in words: `NotReplaced`, `Busy`, `OtherRun` where another configuration was run there, `WriteStopped`.
    """

    def __init__(
        self,
        path: Path,
        wanted: Manifest,
        scenario: bytes,
        differ: Callable[[Mapping[str, str], Mapping[str, str]], str],
        force: bool = False,
    ):
        self.path, self.manifest, self.finished, self.damaged = path, wanted, set[int](), 0
        self._inner, self._committed, self._entered = path / said.FOLDER, -1, False
        self._shown_whole = False
        try:
            check_place(path)
            self._lock: Any = RemoteLock(self._inner, path) if isinstance(path, Remote) else Lock(self._inner, path)
        except OutputError:
            raise
        except OSError as error:
            raise WriteStopped(path, error) from error
        try:
            there = self._there(wanted, differ, force)
            if there is None:
                self._entered = True
                durable.clear(self._inner / said.ASIDE)
                empty(path, wanted)  # another run, or what is left of one that was not even begun, or was being removed
                self.manifest = wanted = wanted._replace(run=secrets.token_hex(8))
                self._begin(wanted, scenario)
            else:
                self.manifest = there
                self._looked_through()
                self._entered = True
                durable.clear(self._inner / said.ASIDE)
            note(path, "started", finished=len(self.finished), chunks=len(self.manifest.firsts()))
        except OSError as error:
            raise self.stopped(error) from error
        except BaseException:
            self.release()
            raise

    def _there(self, wanted: Manifest, differ: Any, force: bool) -> Manifest | None:
        """What is to be continued; None where all that is there, if anything, may be removed."""
        advice = "overwrite it with --force (force=True), or choose another name"
        if not (self._inner / said.MANIFEST).exists():
            records = self._inner / said.RECORDS
            if not force and durable.names_in(records):
                raise OtherRun(f"{self.path}: has paths of a run, and its {said.FOLDER}/{said.MANIFEST} is gone; {advice}")
            return None
        try:
            there = said.read_manifest(self.path)
        except ValueError as error:
            if force:
                return None
            raise OtherRun(f"{error}; {advice}") from None
        if there.digest == wanted.digest:
            return there
        if force:
            return None
        text = f"{self.path}: holds another run, and is not continued: {differ(there.configuration, wanted.configuration)}"
        raise OtherRun(f"{text}; choose another name, or overwrite it with --force (force=True)")

    def _begin(self, wanted: Manifest, scenario: bytes) -> None:
        if (self._inner / said.LATE).exists() or finished_ranges(self.path, wanted):
            raise OtherRun(f"{self.path}: what another run has left there cannot be removed; choose another name")
        durable.make(self._inner / said.RECORDS)  # first: by this a store is known
        for name in wanted.kinds:
            durable.make(self.path / name)
        self._put({self._inner / METADATA: group_metadata({})})
        durable.put_together({self._inner / said.SCENARIO: [scenario]}, self._aside)
        self.commit()
        durable.put(self._inner / said.MANIFEST, said.to_json(wanted), self._aside / "manifest")

    def _looked_through(self) -> None:
        """Which chunks are whole: every byte is read."""
        durable.clear(self._inner / said.FAILED)
        for name in self.manifest.kinds:
            durable.make(self.path / name)
        for first, until in finished_ranges(self.path, self.manifest):
            try:
                problem = holds(self.path, self.manifest, first, until)
            except OSError as error:
                raise ReadStopped(Path(error.filename or self.path), error) from error
            if problem:
                self.damaged += 1
                note(self.path, "damaged", first=first, until=until, why=problem)
                durable.remove(self._inner / said.RECORDS / said.range_name(first, until))
            else:
                self.finished.add(first)
        try:
            late_of(self.path)
            whole_late = not self.damaged
        except ValueError:
            whole_late = False
        if not whole_late:
            durable.remove(self._inner / said.LATE)

    @property
    def _aside(self) -> Path:
        return self._inner / said.ASIDE

    @property
    def paths(self) -> int:
        """How many are finished."""
        return sum(self.manifest.until(first) - first for first in self.finished)

    @property
    def closed(self) -> bool:
        """Whether all was done."""
        return len(self.finished) == len(self.manifest.firsts()) and (self._inner / said.LATE).exists()

    def missing(self) -> list[int]:
        """First paths of the chunks that are yet to be run, in order."""
        return [first for first in self.manifest.firsts() if first not in self.finished]

    def write(self, first: int, losses: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
        """Keep a chunk's paths: they are on the disk when this returns."""
        try:
            write_chunk(self.path, self.manifest, first, losses, facts)
        except OSError as error:
            raise self.stopped(error) from error
        self.have(first, facts)

    def have(self, first: int, facts: Mapping[str, Any]) -> None:
        """Take note of a chunk that was written, here or by a worker."""
        self.finished.add(first)
        note(self.path, "chunk", first=first, until=self.manifest.until(first), **facts)

    def set_aside(self, first: int, why: str) -> None:
        """Take note of a chunk that fails always."""
        until = self.manifest.until(first)
        note(self.path, "set aside", first=first, until=until, why=why)
        try:
            durable.make(self._inner / said.FAILED)
            durable.make(self._aside)
            at = self.manifest.shift
            content = json.dumps({"first": at + first, "until": at + until, "why": why}).encode()
            durable.put(self._inner / said.FAILED / said.range_name(first, until), content, self._aside / "failed")
        except OSError as error:
            raise self.stopped(error) from error

    def commit(self, everything: bool = False) -> None:
        """Let other readers see the paths that follow each other from path 0 on, or all that are finished."""
        until = max((self.manifest.until(first) for first in self.finished), default=0)
        if not everything:
            until = next((first for first in self.manifest.firsts() if first not in self.finished), self.manifest.plan.total)
        if until == self._committed:
            return
        durable.make(self._aside)
        info, late = late_of(self.path)
        labelled, arrays = metadata_of(self.manifest, until, late)
        plan = self.manifest.plan
        about = flat_attributes({**plan.info, **info}) | {FINISHED: self.paths, PLANNED: plan.total}
        self._put_arrays(labelled)
        self._put({self.path / name / METADATA: metadata for name, metadata in arrays.items()})
        about = _strict(json.loads(json.dumps(about, default=plain)))
        self._put({self.path / METADATA: group_metadata(about, arrays)})
        self._committed = until

    def show(self) -> None:
        """As `commit`; where a write fails, what was finished is kept."""
        try:
            self.commit()
        except OSError as error:
            raise self.stopped(error) from error

    def close(self, samples: Any, curves: Any, info: Mapping[str, Any]) -> None:
        """Add whole sample paths, curves and late information, and let all finished paths be seen."""
        try:
            arrays = {name: np.asarray(array) for name, array in whole(samples, curves).items()}
            self._put_arrays(arrays)
            kinds = {name: [list(array.shape), array.dtype.name] for name, array in arrays.items()}
            content = json.dumps({"info": dict(info), "arrays": kinds}, default=plain).encode()
            durable.put(self._inner / said.LATE, content, self._aside / "late")
            self._committed = -1
            self.commit(everything=True)
            self._shown_whole = True
        except OSError as error:
            raise self.stopped(error) from error
        note(self.path, "finished" if not self.missing() else "stopped", paths=self.paths)
        self.release()

    def release(self) -> None:
        """Let others have it; what was finished stays, and where nothing was, nothing does."""
        if not self._lock.held:
            return
        if not self._entered:  # another's: nothing is touched
            durable.remove(self._inner / durable.LOCK)
            self._lock.release()
            return
        with contextlib.suppress(OSError):
            if (self._inner / said.MANIFEST).exists() and not self._shown_whole:
                self.commit()
        durable.clear(self._aside)
        if not self.finished and not finished_ranges(self.path, self.manifest):
            empty(self.path, self.manifest)
            self._lock.release(remove_folder=True)
            with contextlib.suppress(OSError):
                os.rmdir(self.path) if isinstance(self.path, Path) else None
            return
        durable.remove(self._inner / durable.LOCK)  # still held: another takes a new one
        self._lock.release()

    def stopped(self, error: OSError) -> OSError:
        """What is raised where a write failed: what was finished is kept, and who is to write may."""
        if isinstance(error, OutputError):
            self.release()
            return error
        paths = self.paths
        self.release()
        return WriteStopped(self.path, error, paths, self.manifest.plan.total, self.path if paths else None)

    def _put(self, texts: Mapping[Path, Mapping[str, Any]]) -> None:
        for path in texts:
            durable.make(path.parent)
        durable.put_together({path: [json.dumps(text, allow_nan=False).encode()] for path, text in texts.items()}, self._aside)

    def _put_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        for name in arrays:
            durable.make(self.path / name)
        pieces = {self.path / name / _whole_key(array): list(encoded(array)[:2]) for name, array in arrays.items()}
        durable.put_together(pieces, self._aside)


def _strict(value: Any) -> Any:
    """Numbers that JSON has not as words: what is in `zarr.json` is read by anybody."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0.0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _strict(part) for key, part in value.items()}
    return [_strict(part) for part in value] if isinstance(value, list) else value


def _whole_key(array: np.ndarray) -> str:
    return key(0, array.ndim)


__all__ = ["OtherRun", "ReadStopped", "Store", "write_chunk"]
