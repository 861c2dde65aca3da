"""One chunk of a store, written whole by whoever ran it, where the store is still its run's."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import durable, manifest as said
from .chunks import plain
from .durable import OutputError
from .manifest import Manifest
from .zarr_format import encoded, key


class OtherRun(OutputError, FileExistsError):
    """A run of another configuration is there."""


def write_chunk(path: Path, manifest: Manifest, first: int, losses: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """Keep the paths of a chunk, and then its record: what workers do, each for chunks of its own.

    A worker may be at it when its run has long been stopped and another is writing there: just before anything has its name, the
    store is asked whose it is.

    **Raises:** `OSError` as the system says, `OtherRun` where the store is another run's now; `ValueError` where the losses are
    not those of the manifest.
    """
    until, inner = manifest.until(first), path / said.FOLDER
    still = lambda: _same_run(path, manifest)
    still()
    if set(losses) != set(manifest.kinds):
        raise ValueError(f"observables {', '.join(sorted(set(losses) ^ set(manifest.kinds)))} are not as planned")
    sums, files = {}, {}
    for name, kind in manifest.kinds.items():
        array = losses[name]
        if array.shape != (until - first, *kind.shape) or array.dtype.name != kind.dtype:
            raise ValueError(f"{name} has shape {array.shape} and type {array.dtype}, and another was planned")
        content, crc, sums[name] = encoded(array, manifest.chunk)
        files[path / name / key(first // manifest.chunk, array.ndim)] = [content, crc]
    durable.put_together(files, inner / said.ASIDE, still)
    record = {"first": first, "until": until, "run": manifest.run, "crc32c": sums, **facts}
    content = json.dumps(record, default=plain).encode()
    durable.put_together({inner / said.RECORDS / said.range_name(first, until): [content]}, inner / said.ASIDE, still)
    durable.settle(inner / said.RECORDS)


_seen: dict[str, tuple[tuple[Any, ...], str, str]] = {}
"""By store, what its manifest's file was when it was read last, and whose run it says that it is."""


def _same_run(path: Path, manifest: Manifest) -> None:
    file = path / said.FOLDER / said.MANIFEST
    try:
        # another begins with another file, under this name: what has not been replaced need not be read again
        stamp = _stamp(file)
        if _seen.get(str(file), ((), "", ""))[0] != stamp:
            there = said.read_manifest(path)
            _seen.clear()
            _seen[str(file)] = stamp, there.run, there.digest
        found = _seen[str(file)][1:]
    except (ValueError, FileNotFoundError, NotADirectoryError):
        found = None
    if found != (manifest.run, manifest.digest):
        raise OtherRun(f"{path}: is no longer this run's: another was begun there, or it was removed")


def _stamp(file: Any) -> tuple[Any, ...]:
    """What is other where a file was put in another's place; for an object, never the same twice."""
    if not isinstance(file, Path):
        return (time.monotonic_ns(),)
    status = os.stat(file)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


__all__ = ["OtherRun", "write_chunk"]
