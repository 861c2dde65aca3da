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
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import durable
from .durable import put

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
        dims = {name: tuple(axes) for name, axes in said["dims"].items()}
        plan = Plan(dims, dict(said["coords"]), int(said["planned_paths"]), dict(said["info"]))
    except FileNotFoundError:
        if any((folder / name).exists() for name in (durable.LOCK, f"{PLAN}.tmp")):
            raise ValueError(f"{folder}: nothing was finished there") from None
        raise ValueError(f"{folder} is a folder, not a result") from None
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError) as error:
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


def shapes(chunk: Chunk) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and type of each array of a chunk, from their beginnings alone.

    **Raises:** `ValueError` where the file is damaged.
    """

    def header(member: Any) -> tuple[tuple[int, ...], np.dtype]:
        if np.lib.format.read_magic(member) != (1, 0):
            raise ValueError("an array of another version")
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        return shape, dtype

    return _each(chunk.path, header)


def arrays_of(path: Path, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of a chunk or of what came late, all or some.

    **Raises:** `ValueError` where the file is damaged.
    """
    return _each(path, lambda member: np.lib.format.read_array(member, allow_pickle=False), names)


def _each(path: Path, read: Callable[[Any], Any], names: Iterable[str] | None = None) -> dict[str, Any]:
    wanted, found = None if names is None else set(names), {}
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.namelist():
                name = entry.removesuffix(".npy")
                if wanted is None or name in wanted:
                    with archive.open(entry) as member:
                        found[name] = read(member)
    except (zipfile.BadZipFile, EOFError, KeyError, ValueError, NotImplementedError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    return found


def late_of(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Whole paths and curves, and what was said at the end; both empty where the run did not get that far.

    **Raises:** `ValueError` where the file is damaged.
    """
    if not (folder / LATE).exists():
        return {}, {}
    arrays = arrays_of(folder / LATE)
    return arrays, json.loads(str(arrays.pop(_INFO)))


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
    "LATE", "PLAN", "Chunk", "Plan", "arrays_of", "batches", "every", "finished", "late_of", "plain", "read_plan", "shapes",
    "write_chunk", "write_late", "write_plan",
]  # fmt: skip
