"""A run's Zarr store, read: whatever is there, it is what was finished, or refused in words."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import manifest as said
from .manifest import Kind, Manifest
from .netcdf import CURVE_PREFIX, FINISHED, PLANNED, SAMPLE_PREFIX
from .zarr_format import decoded, key

MISSING = "missing_paths"
"""What a result says of ranges of paths that were set aside, or are not finished: their indices, `first_path` included."""
_LARGEST = 2**33
"""Bytes of a whole array at most."""


class StoredLosses(Mapping):
    """Observables of a store: all read when asked for, or chunk by chunk. Only the chunks that were finished when it was loaded.

    **Raises:** `ValueError` for a chunk that is damaged, or was removed or written anew since.
    """

    def __init__(self, path: Path, manifest: Manifest, done: list[tuple[int, int]]):
        self.path, self._manifest, self._done = path, manifest, done
        self.paths = sum(until - first for first, until in done)
        self._last: tuple[str, np.ndarray] | None = None

    def shape(self, name: str) -> tuple[int, ...]:
        """With paths along the first axis; nothing is read."""
        return (self.paths, *self._manifest.kinds[name].shape)

    def parts(self, name: str) -> Iterator[np.ndarray]:
        """An observable's chunks, in order."""
        for first, until in self._done:
            yield read_chunk(self.path, self._manifest, first, until, name)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._manifest.kinds or not self._done:
            raise KeyError(name)
        if self._last is None or self._last[0] != name:
            self._last = None  # let go before there is another
            whole = np.empty(self.shape(name), self._manifest.kinds[name].dtype)
            at = 0
            for part in self.parts(name):
                whole[at : at + len(part)] = part
                at += len(part)
            self._last = (name, whole)
        return self._last[1]

    def __contains__(self, name: object) -> bool:
        return bool(self._done) and name in self._manifest.kinds

    def __iter__(self) -> Iterator[str]:
        return iter(self._manifest.kinds if self._done else ())

    def __len__(self) -> int:
        return len(self._manifest.kinds) if self._done else 0


def finished_ranges(path: Path, manifest: Manifest) -> list[tuple[int, int]]:
    """The chunks that were finished, in order, by their records."""
    return said.ranges_in(path / said.FOLDER / said.RECORDS, manifest)


def read_chunk(path: Path, manifest: Manifest, first: int, until: int, name: str) -> np.ndarray:
    """An observable of a finished chunk.

    **Raises:** `ValueError`, which names the file, where it is damaged or gone, or of another run than the manifest's.
    """
    try:
        return _chunk(path, manifest, first, until, name)
    except OSError as error:
        raise ValueError(f"{error.filename or path} cannot be read: {error.strerror or error}") from None


def _chunk(path: Path, manifest: Manifest, first: int, until: int, name: str) -> np.ndarray:
    sums, kind = said.read_record(path, manifest, first, until)["crc32c"], manifest.kinds[name]
    file = path / name / key(first // manifest.chunk, 1 + len(kind.shape))
    try:
        if name not in sums:
            raise ValueError("its record does not name it")
        return decoded(file.read_bytes(), kind, manifest.chunk, sums[name])[: until - first]
    except FileNotFoundError:
        raise ValueError(f"{file} is gone, and its record says that it was finished") from None
    except ValueError as error:
        raise ValueError(f"{file} is damaged: {error}; the same run with the same output computes it again") from None


def holds(path: Path, manifest: Manifest, first: int, until: int) -> str:
    """Why a chunk with a record is not whole; empty where it is.

    **Raises:** `OSError` where that is not known, since it cannot be read now.
    """
    try:
        for name in manifest.kinds:
            _chunk(path, manifest, first, until, name)
    except ValueError as error:
        return str(error)
    return ""


def read_store(path: Path) -> dict[str, Any]:
    """The arguments of `Result` from a store; observables are read when asked for.

    **Raises:** `ValueError`, which names the folder and says what it is, for what is no store, or a damaged one.
    """
    manifest = said.read_manifest(path)
    done = finished_ranges(path, manifest)
    late, arrays = late_of(path)
    of = lambda prefix: {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    plan, losses = manifest.plan, StoredLosses(path, manifest, done)
    info = {**plan.info, **late}
    if gaps := gaps_of(done, manifest.plan.total):
        info |= {FINISHED: losses.paths, PLANNED: plan.total}
        if gaps != [(losses.paths, plan.total)]:
            at = manifest.shift
            info[MISSING] = ", ".join(f"{at + first:,} to {at + until - 1:,}" for first, until in gaps)
    elif late:
        info[FINISHED] = losses.paths
    return {
        "losses": losses,
        "dims": {name: plan.dims.get(name, ()) for name in losses},
        "coords": plan.coords,
        "samples": of(SAMPLE_PREFIX),
        "curves": of(CURVE_PREFIX),
        "info": {key: value for key, value in info.items() if key != PLANNED or gaps},
    }


def gaps_of(done: list[tuple[int, int]], total: int) -> list[tuple[int, int]]:
    """Ranges of paths that are not there."""
    gaps, at = [], 0
    for first, until in [*done, (total, total)]:
        if first > at:
            gaps.append((at, first))
        at = until
    return gaps


def late_of(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What was said at the end of a run, and its whole arrays; empty where it did not come to it.

    **Raises:** `ValueError`, which names the folder, where it is damaged.
    """
    file = path / said.FOLDER / said.LATE
    try:
        late = json.loads(file.read_bytes())
        info, arrays = dict(late["info"]), {}
        for name, (shape, dtype) in late["arrays"].items():
            sizes = (
                isinstance(shape, list)
                and all(type(size) is int and size >= 0 for size in shape)
                and math.prod(shape) * 8 < _LARGEST
            )
            if not name.startswith((SAMPLE_PREFIX, CURVE_PREFIX)) or not name.isidentifier() or not sizes or not shape:
                raise ValueError(f"array {name!r}")
            kind = Kind(tuple(shape[1:]), np.dtype(dtype).name)
            arrays[name] = _whole(path / name / key(0, len(shape)), kind, shape[0])
        return info, arrays
    except FileNotFoundError:
        return {}, {}
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError, OverflowError) as error:
        raise ValueError(f"{path}: its {said.FOLDER}/{said.LATE} is damaged ({error})") from None


def _whole(file: Path, kind: Kind, length: int) -> np.ndarray:
    try:
        return decoded(file.read_bytes(), kind, length)
    except FileNotFoundError:
        raise ValueError(f"{file} is gone") from None
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


__all__ = ["MISSING", "StoredLosses", "finished_ranges", "gaps_of", "holds", "late_of", "read_chunk", "read_store"]
