"""Finished paths of a run that is going on: a folder with a plan, and a file for each chunk of paths that is whole or not there.

    NAME.nc.partial/
      plan.json                   what was to be run: planned paths, axes, labels, what there is to say, and a digest of these
      0000000000-0000016384.npz   losses of paths 0 to 16,383: NumPy arrays in a zip file, with checksums
      late.npz                    whole paths, curves and what was said at the end, where the run got that far
      lock                        held by the process that writes

What is read is the chunks that follow each other from path 0 on: never more than was finished.
"""

import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import durable
from .durable import put
from .npy import array_in, header_of, refuse_packed

PLAN, LATE = "plan.json", "late.npz"
FORMAT = 1
_CHUNK = re.compile(r"(\d{10})-(\d{10})\.npz")
_INFO = "info"
_TOGETHER = 2**24
"""Bytes of chunks that are put together in memory when they are merged."""


class Plan(NamedTuple):
    """What was to be run: `dims` and `coords` as of a result, `total` paths, and `info`, what there is to say."""

    dims: dict[str, tuple[str, ...]]
    coords: dict[str, list]
    total: int
    info: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of all this: two plans with one digest are of one run."""
        text = json.dumps([self.dims, self.coords, self.total, self.info], sort_keys=True, default=plain)
        return hashlib.sha256(text.encode()).hexdigest()


class Chunk(NamedTuple):
    """The file of paths `first` to `until - 1`."""

    first: int
    until: int
    path: Path


def plain(value: Any) -> Any:
    """NumPy and JAX numbers and arrays as Python's."""
    return value.tolist() if hasattr(value, "tolist") else value


def write_plan(folder: Path, plan: Plan) -> None:
    """Say in the folder what is to be run.

    **Raises:** `OSError`, here and below, as the system says.
    """
    said = {
        "jaxrisk": "paths of a run",
        "format": FORMAT,
        "digest": plan.digest,
        "seed": plan.info.get("seed"),
        "planned_paths": plan.total,
        "dims": plan.dims,
        "coords": plan.coords,
        "info": plan.info,
    }
    put(folder / PLAN, json.dumps(said, default=plain).encode(), folder / f"{PLAN}.tmp")


def write_chunk(folder: Path, first: int, until: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Keep finished paths."""
    path = folder / f"{first:010d}-{until:010d}.npz"
    put(path, _zipped(arrays), folder / "chunk.tmp")


def write_late(folder: Path, arrays: Mapping[str, np.ndarray], info: Mapping[str, Any]) -> None:
    """Keep whole paths and curves, by their names in the file to be, and what is known only at the end."""
    text = np.array(json.dumps(dict(info), default=plain))
    put(folder / LATE, _zipped({**arrays, _INFO: text}), folder / f"{LATE}.tmp")


def _zipped(arrays: Mapping[str, np.ndarray]) -> memoryview:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(arrays[name]), allow_pickle=False)
    return content.getbuffer()


def read_plan(folder: Path) -> Plan:
    """What was to be run.

    **Raises:** `ValueError` where the folder is not one of these, or its plan is damaged.
    """
    try:
        said = json.loads((folder / PLAN).read_bytes())
        if said["jaxrisk"] != "paths of a run" or said["format"] != FORMAT:
            raise ValueError(f"{folder}: its {PLAN} is of a format that this version does not read")
        dims = {name: tuple(map(str, axes)) for name, axes in said["dims"].items()}
        coords = {axis: list(labels) for axis, labels in said["coords"].items()}
        if type(said["planned_paths"]) is not int or said["planned_paths"] < 0:
            raise TypeError(f"planned_paths is {said['planned_paths']!r}")
        plan = Plan(dims, coords, said["planned_paths"], dict(said["info"]))
    except FileNotFoundError:
        if any((folder / name).exists() for name in (durable.LOCK, f"{PLAN}.tmp")):
            raise ValueError(f"{folder}: nothing was finished there") from None
        raise ValueError(f"{folder} is a folder, not a result") from None
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError, ValueError) as error:
        if str(folder) in str(error):
            raise
        raise ValueError(f"{folder}: its {PLAN} is damaged ({error})") from None
    return plan


def finished(folder: Path) -> list[Chunk]:
    """The chunks that follow each other from path 0 on; none without a plan, which goes first where a folder is removed."""
    chunks, until = [], 0
    for chunk in every(folder):
        if chunk.first == until < chunk.until:
            chunks.append(chunk)
            until = chunk.until
    return chunks


def every(folder: Path) -> list[Chunk]:
    """All chunks in order, whether they follow each other or not; none without a plan."""
    if not (folder / PLAN).exists():
        return []
    names = [(match, path) for path in folder.iterdir() if (match := _CHUNK.fullmatch(path.name))]
    return sorted(Chunk(int(match[1]), int(match[2]), path) for match, path in names)


def paths_in(chunks: Iterable[Chunk]) -> int:
    """How many paths chunks in order have; those of two count once.

    >>> paths_in([Chunk(10, 20, Path()), Chunk(15, 30, Path()), Chunk(40, 50, Path())])
    30
    """
    count = at = 0
    for chunk in chunks:
        count += max(0, chunk.until - max(at, chunk.first))
        at = max(at, chunk.until)
    return count


def shapes(chunk: Chunk) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and type of each array of a chunk, from their beginnings alone.

    **Raises:** `ValueError` where the file is damaged.
    """

    def header(archive: zipfile.ZipFile, entry: str) -> tuple[tuple[int, ...], np.dtype]:
        refuse_packed(archive, entry)
        with archive.open(entry) as member:
            shape, _, dtype = header_of(member)
            return shape, dtype

    return _each(chunk.path, header)


def arrays_of(path: Path, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of a chunk or of what came late, all or some.

    **Raises:** `ValueError` where the file is damaged.
    """
    return _each(path, array_in, names)


def array_of(path: Path, name: str) -> np.ndarray:
    """One array of a chunk.

    **Raises:** `ValueError` where the file is damaged.
    """
    found = arrays_of(path, (name,))
    if name not in found:
        raise ValueError(f"{path} is damaged: {name} is missing")
    return found[name]


def _each(path: Path, read: Callable[[zipfile.ZipFile, str], Any], names: Iterable[str] | None = None) -> dict[str, Any]:
    wanted, found = None if names is None else set(names), {}
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.namelist():
                name = entry.removesuffix(".npy")
                if wanted is None or name in wanted:
                    found[name] = read(archive, entry)
    except FileNotFoundError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, OSError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    return found


def late_of(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Whole paths and curves, and what was said at the end; both empty where the run did not get that far.

    **Raises:** `ValueError` where the file is damaged.
    """
    if not (folder / LATE).exists():
        return {}, {}
    arrays = arrays_of(folder / LATE)
    try:
        return arrays, dict(json.loads(str(arrays.pop(_INFO))))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{folder / LATE} is damaged: {error}") from None


def batches(chunks: list[Chunk]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """The chunks' arrays, as many together as memory is meant to hold: index of their first path, and the arrays.

    **Raises:** `ValueError` where a file is damaged.
    """
    waiting: list[dict[str, np.ndarray]] = []
    first = size = 0
    for place, chunk in enumerate(chunks):
        waiting.append(arrays_of(chunk.path))
        size += sum(array.nbytes for array in waiting[-1].values())
        if size >= _TOGETHER or place == len(chunks) - 1:
            yield first, {name: np.concatenate([part[name] for part in waiting]) for name in waiting[0]}
            waiting, first, size = [], chunk.until, 0


__all__ = [
    "LATE", "PLAN", "Chunk", "Plan", "array_of", "arrays_of", "batches", "every", "finished", "late_of", "paths_in", "plain",
    "read_plan", "shapes", "write_chunk", "write_late", "write_plan",
]  # fmt: skip
