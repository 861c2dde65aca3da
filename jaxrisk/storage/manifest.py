"""What a Zarr store of a run says of itself: what was to be run, how it is cut into chunks, and which of them are finished.

NAME.zarr/
  zarr.json                   the group, with the metadata of all arrays, which is what xarray reads
  max_drawdown_index/         one array an observable: zarr.json, and c.0, c.1, ...: a file a chunk, with its checksum
  jaxrisk/
    manifest.json             this: configuration, versions, chunk size, axes, labels, and a digest
    scenario.npz              the scenario, for workers
    chunks/FIRST-UNTIL.json   there when paths FIRST to UNTIL - 1 are on the disk: whose run, and each array's checksum
    failed/FIRST-UNTIL.json   why those paths were set aside
    late.json                 what was said at the end; there when the run came to it
    log.jsonl                 a line for each thing that happened
    aside/                    files that are being written
    lock                      held by the process that writes
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .chunks import Plan, plain
from .recognise import MARK

FOLDER, MANIFEST, LATE = "jaxrisk", "manifest.json", "late.json"
RECORDS, FAILED, ASIDE, LOG, SCENARIO = "chunks", "failed", "aside", "log.jsonl", "scenario.npz"
FORMAT = 1
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_RANGE = re.compile(r"(\d{10})-(\d{10})\.json")
_TYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64")
_MOST_PATHS = 2**32
_MOST_NUMBERS = 2**24
"""Numbers a path at most."""


class Kind(NamedTuple):
    """Shape of an observable after `paths`, and its type's name."""

    shape: tuple[int, ...]
    dtype: str


class Manifest(NamedTuple):
    """`plan`: what was to be run; `chunk`: paths of one; `kinds` of arrays; `configuration`: what the bits depend on, by name,
    and its `digest`; `run`: a random name that each one that is begun has, which its chunks' records bear."""

    plan: Plan
    chunk: int
    kinds: dict[str, Kind]
    configuration: dict[str, str]
    digest: str
    run: str = ""

    def until(self, first: int) -> int:
        """Where the chunk that begins at a path ends."""
        return min(first + self.chunk, self.plan.total)

    @property
    def shift(self) -> int:
        """Index of the run's first path, from which its chunks count."""
        first = self.plan.info.get("first_path", 0)
        return first if type(first) is int and 0 <= first <= _MOST_PATHS else 0

    def firsts(self) -> range:
        """First path of every chunk."""
        return range(0, self.plan.total, self.chunk)


def to_json(manifest: Manifest) -> bytes:
    """The manifest as text, with a digest of it all."""
    plan = manifest.plan
    said = {
        "format": FORMAT,
        "planned_paths": plan.total,
        "chunk": manifest.chunk,
        "configuration": manifest.configuration,
        "configuration_digest": manifest.digest,
        "run": manifest.run,
        "arrays": {name: {"shape": list(kind.shape), "dtype": kind.dtype} for name, kind in manifest.kinds.items()},
        "dims": {name: list(axes) for name, axes in plan.dims.items()},
        "coords": plan.coords,
        "info": plan.info,
    }
    said = json.loads(json.dumps(said, default=plain))
    return json.dumps({"written_by": MARK, "digest": _digest(said), **said}, indent=2).encode()


def _digest(said: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def read_manifest(store: Path) -> Manifest:
    """A store's manifest.

    **Raises:** `ValueError`, which names the folder, where there is none or it is damaged; `OSError` as the system says.
    """
    path = store / FOLDER / MANIFEST
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        words = "nothing was finished there" if (store / FOLDER).is_dir() else "is a folder, not a result"
        raise ValueError(f"{store}: {words}" if "nothing" in words else f"{store} {words}") from None
    try:
        said = json.loads(content)
        if not isinstance(said, dict) or said.pop("written_by") != MARK:
            raise ValueError("not jaxrisk's")
        digest = said.pop("digest")
        if said["format"] != FORMAT:
            raise ValueError(f"format {said['format']!r}, which this version does not read")
        if digest != _digest(said):
            raise ValueError("it is not what was written")
        return _checked(said)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError, OverflowError) as error:
        text = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{store}: its {FOLDER}/{MANIFEST} is damaged ({text})") from None


def _checked(said: dict[str, Any]) -> Manifest:
    total, chunk = said["planned_paths"], said["chunk"]
    for name, number in (("planned_paths", total), ("chunk", chunk)):
        if type(number) is not int or not 0 < number <= _MOST_PATHS:
            raise ValueError(f"{name} is {number!r}")
    dims = {name: tuple(map(str, axes)) for name, axes in said["dims"].items()}
    coords = {str(axis): list(labels) for axis, labels in said["coords"].items()}
    kinds = {}
    for name, kind in said["arrays"].items():
        shape, dtype = tuple(kind["shape"]), kind["dtype"]
        whole = all(type(size) is int and 0 <= size <= _MOST_NUMBERS for size in shape)
        if not _NAME.fullmatch(name) or dtype not in _TYPES or not whole or int(np.prod(shape, dtype=float)) > _MOST_NUMBERS:
            raise ValueError(f"array {name!r}")
        axes = dims.get(name, ())
        if len(shape) != len(axes) or any(
            len(coords[axis]) != size for axis, size in zip(axes, shape, strict=True) if axis in coords
        ):
            raise ValueError(f"array {name!r} and its axes")
        kinds[name] = Kind(shape, dtype)
    if any(not _NAME.fullmatch(axis) for axis in coords) or not kinds:
        raise ValueError("its axes or arrays")
    if not isinstance(said["info"], dict) or not isinstance(said["configuration"], dict):
        raise ValueError("its information")
    configuration = {str(name): str(text) for name, text in said["configuration"].items()}
    plan = Plan(dims, coords, total, said["info"])
    return Manifest(plan, chunk, kinds, configuration, str(said["configuration_digest"]), str(said.get("run", "")))


def range_name(first: int, until: int) -> str:
    """What the record of a range of paths is called."""
    return f"{first:010d}-{until:010d}.json"


def ranges_in(folder: Path, manifest: Manifest) -> list[tuple[int, int]]:
    """First path and end of each chunk of which there is a record in a folder, in order; what is no chunk's is left out."""
    try:
        names = [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = [(int(match[1]), int(match[2])) for name in names if (match := _RANGE.fullmatch(name))]
    return sorted((a, b) for a, b in found if a % manifest.chunk == 0 and a < manifest.plan.total and b == manifest.until(a))


def read_record(store: Path, manifest: Manifest, first: int, until: int) -> dict[str, Any]:
    """The record of a finished chunk.

    **Raises:** `ValueError` where it is damaged, or of another run than the manifest's.
    """
    path = store / FOLDER / RECORDS / range_name(first, until)
    try:
        said = json.loads(path.read_bytes())
        sums, run = {str(name): int(value) for name, value in said["crc32c"].items()}, said.get("run", "")
    except FileNotFoundError:
        raise ValueError(f"{path} was removed since it was loaded: load the result again") from None
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError, OverflowError) as error:
        raise ValueError(f"{path} is damaged ({error})") from None
    if run != manifest.run:
        raise ValueError(f"{path} is of another run: one that was begun since it was loaded, or was there before")
    return {**said, "crc32c": sums}


__all__ = [
    "ASIDE", "FAILED", "FOLDER", "LATE", "LOG", "MANIFEST", "RECORDS", "SCENARIO", "Kind", "Manifest", "range_name", "ranges_in",
    "read_manifest", "read_record", "to_json",
]  # fmt: skip
