"""Results on disk: paths written as they finish, made one netCDF4 file at the end, and read one observable at a time."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import chunks, durable, manifest, netcdf, netcdf_read
from .chunks import Chunk, Plan
from .durable import OutputError
from .netcdf import CURVE_PREFIX, FINISHED, LOG_WEIGHTS, PLANNED, SAMPLE_PREFIX, checked_axes
from .place import Place, partial_of
from .remote import is_remote, place_of
from .store_read import read_store

CONFIGURATION = "configuration"
"""What a result says of all that its bits depend on: a digest. Runs with the same are one run."""


class WriteStopped(OutputError):
    """A write failed. `finished` paths are in `where`, a folder that can be loaded; None where nothing was finished."""

    def __init__(self, path: Path, error: OSError, finished: int = 0, total: int = 0, where: Path | None = None):
        self.finished, self.where = finished, where
        kept = f"the {finished:,} of {total:,} paths finished until then are in {where}" if where else "nothing was finished"
        super().__init__(f"{path}: cannot be written: {error.strerror or error}; {kept}")


class ResultWriter:
    """Writes a result chunk by chunk, so that memory does not grow with the number of paths.

    Finished paths are files of their own in the folder `<path>.partial`, each there when it is whole (`jaxrisk.storage.chunks`);
    the folder can be loaded like a result after every `append`, whatever has stopped the process. `close` makes one file of
    them, `path`, which is either absent or whole too, and removes the folder; for that moment both are on the disk.

    One writer at a time has a path: until it is closed, discarded or released, or its process ends.

    **Arguments:**

    - `path`: the file to be; by convention `.nc`. A result that is there is replaced, by `close`; nothing else is. Finished paths
      of a run that was stopped are put aside: `aside` is the folder that they are in then, else None.
    - `dims`: for each observable its axes after `paths`.
    - `coords`: labels of those axes.
    - `total_paths`: number of paths planned.
    - `info`: what else there is to say, numbers and short texts.

    **Raises:** here and below `OSError` in words: its kinds `NotReplaced` where something stands at `path` that is not a result,
    `Busy` where another run is writing it, `WriteStopped` where a write fails; what was finished is kept.

    >>> import numpy as np, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "result.nc"
    >>> writer = ResultWriter(path, {"max_drawdown_index": ()}, {}, 2, {"seed": 1})
    >>> writer.append(0, {"max_drawdown_index": np.array([0.1, 0.2])})
    >>> writer.close() == path
    True
    """

    def __init__(
        self,
        path: str | os.PathLike,
        dims: Mapping[str, tuple[str, ...]],
        coords: Mapping[str, list],
        total_paths: int,
        info: Mapping[str, Any],
    ):
        self.finished, self.continued, self._listed = 0, False, False
        self._plan = Plan(dict(dims), {name: list(labels) for name, labels in coords.items()}, int(total_paths), dict(info))
        self._kinds: dict[str, tuple[Any, ...]] = {}
        self._place = _taken(path)
        self.path, self.partial = self._place.path, self._place.partial
        self.aside = None
        try:
            self.continued = self._same()
            if self.continued:
                self._listed = True
                self.finished = _paths(chunks.finished(self.partial))
            else:
                self.aside = self._place.cleared()
                chunks.write_plan(self.partial, self._plan)
        except OSError as error:
            raise self._stopped(error) from error
        except BaseException:
            self._place.release()
            raise

    def _same(self) -> bool:
        """Whether what a stopped run has left is of this one: then chunks that are damaged are removed, and the others kept."""
        wanted = self._plan.info.get(CONFIGURATION)
        try:
            there = chunks.read_plan(self.partial)
        except (ValueError, OSError):
            return False
        if wanted is None or there.info.get(CONFIGURATION) != wanted or there.total != self._plan.total:
            return False
        self._plan = there
        for left in self.partial.glob("*.tmp"):
            durable.remove(left)
        for chunk in chunks.every(self.partial):
            chunk.path.read_bytes()  # what cannot be read now is not damaged: that is an error, and nothing is removed
            try:
                arrays = chunks.arrays_of(chunk.path)
                if {len(array) for array in arrays.values()} != {chunk.until - chunk.first}:
                    raise ValueError("of another length")
            except ValueError:
                durable.remove(chunk.path)
        return bool(chunks.every(self.partial))

    def missing(self, size: int) -> list[tuple[int, int]]:
        """First path and end of each piece, of at most `size` paths, that is yet to be run."""
        gaps, at = [], 0
        for first, until in [*((one.first, one.until) for one in chunks.every(self.partial)), (self._plan.total,) * 2]:
            gaps += [(a, min(a + size, first)) for a in range(at, first, size)]
            at = max(at, until)
        return gaps

    @property
    def kept(self) -> int:
        """How many paths are there, whether they follow each other or not."""
        return chunks.paths_in(chunks.every(self.partial))

    def append(self, first: int, losses: Mapping[str, Any]) -> None:
        """Add the paths from `first` on; chunks come in order.

        **Arguments:**

        - `first`: index of the chunk's first path: the number of paths written so far.
        - `losses`: for each observable an array of shape `(paths of the chunk, *dims)`, and `log_weights` where the
          paths are weighted.

        **Raises:** `ValueError` for a gap or overlap, or arrays that differ in number of paths, or from the first chunk's in
        names, axes or types.
        """
        if first != self.finished:
            raise ValueError(
                f"chunk starts at path {first}, and {self.finished} paths are written: chunks must follow each other"
            )
        self.add(first, losses)

    def add(self, first: int, losses: Mapping[str, Any]) -> None:
        """Add the paths from `first` on, in any order; what is read are those that follow each other from path 0 on."""
        arrays = {name: np.asarray(losses[name]) for name in losses}
        counts = {np.shape(array)[0] for array in arrays.values()}
        if len(counts) != 1:
            raise ValueError(f"arrays of one chunk must have one number of paths and have {sorted(counts)}")
        for name, array in arrays.items():
            checked_axes(self._plan, name, array)
        kinds = {name: (array.shape[1:], array.dtype) for name, array in arrays.items()}
        if self._kinds and kinds != self._kinds:
            wrong = [name for name in {**self._kinds, **kinds} if kinds.get(name) != self._kinds.get(name)]
            raise ValueError(f"{', '.join(wrong)}: in shape or type not as in the first chunk")
        until = first + counts.pop()
        if until == first:
            return
        try:
            chunks.write_chunk(self.partial, first, until, arrays)
        except OSError as error:
            raise self._stopped(error) from error
        self._kinds = kinds
        self._listed = self._listed or first != self.finished  # chunks beyond a gap may be there
        self.finished = _paths(chunks.finished(self.partial)) if self._listed else until

    def close(
        self,
        samples: Mapping[str, Any] | None = None,
        curves: Mapping[str, Any] | None = None,
        info: Mapping[str, Any] | None = None,
    ) -> Path:
        """Add whole sample paths, curves and late information, and give the file its name, which is returned.

        May be called before all planned paths are there: the file then holds those that are, and says so.
        """
        try:
            chunks.write_late(self.partial, whole(samples, curves), info or {})
            merge(self.partial, self._place)
        except OSError as error:
            raise self._stopped(error) from error
        self._place.finish()
        return self.path

    def discard(self) -> None:
        """Give up: nothing is left behind, and another may write there."""
        self._place.finish()

    def release(self) -> None:
        """Write no more: what was finished stays in the folder, and another may write there. Does nothing after `close`."""
        self._place.release()

    def _stopped(self, error: OSError) -> OSError:
        done = chunks.every(self.partial) if self.partial.is_dir() else []
        self._place.release()
        if isinstance(error, OutputError):
            return error
        return WriteStopped(self.path, error, chunks.paths_in(done), self._plan.total, self.partial if done else None)


def _taken(path: str | os.PathLike) -> Place:
    try:
        return Place(path)
    except OutputError:
        raise
    except OSError as error:
        raise WriteStopped(Path(path), error) from error


def _paths(done: list[Chunk]) -> int:
    return done[-1].until if done else 0


def whole(samples: Mapping[str, Any] | None, curves: Mapping[str, Any] | None) -> dict[str, np.ndarray]:
    """Whole paths and curves by their names in the file."""
    named = {SAMPLE_PREFIX + name: np.asarray(array) for name, array in (samples or {}).items()}
    return named | {CURVE_PREFIX + name: np.asarray(array) for name, array in (curves or {}).items()}


def merge(folder: Path, place: Place) -> None:
    """Make one file of the finished paths in a folder, which stays as it is.

    **Raises:** `OSError` as the system says, with nothing left behind; `ValueError` where the folder is damaged.
    """
    plan, done = chunks.read_plan(folder), chunks.finished(folder)
    arrays, late = chunks.late_of(folder)
    plan = plan._replace(info=_said(plan, late, _paths(done)))
    netcdf.write(place.path, place.merged, plan, _paths(done), lambda: chunks.batches(done), arrays)


def save(path: str | os.PathLike, plan: Plan, paths: int, losses: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write what is there already, in one step.

    **Arguments:** `losses`: of all `paths`, read one at a time; `arrays`: whole paths and curves by their names in the file.

    **Raises:** as `ResultWriter`.
    """
    place = _taken(path)
    try:
        netcdf.write(place.path, place.merged, plan, paths, lambda: [(0, losses)] if paths else [], arrays)
    except OutputError:
        raise
    except OSError as error:
        raise WriteStopped(place.path, error) from error
    finally:
        place.release()


class LazyLosses(Mapping):
    """Observables of a file, or of a folder of finished paths, read when asked for; the one read last is kept.

    **Raises:** `ValueError` for a file that was written anew, moved, removed or damaged since it was loaded.
    """

    def __init__(self, path: Path, names: tuple[str, ...], source: tuple[int, ...] | tuple[Chunk, ...]):
        self._path, self._names, self._source = path, names, source
        self._last: tuple[str, np.ndarray] | None = None

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        if self._last is None or self._last[0] != name:
            self._last = (name, self._read(name))
        return self._last[1]

    def _read(self, name: str) -> np.ndarray:
        done = [part for part in self._source if isinstance(part, Chunk)]
        if not done:
            return netcdf_read.read_losses(self._path, name, self._source)
        try:
            return np.concatenate([chunks.array_of(chunk.path, name) for chunk in done])
        except FileNotFoundError:
            text = "its paths have been made one file, or removed, since it was loaded: load the result again"
            raise ValueError(f"{self._path}: {text}") from None

    def written(self, path: Path) -> None:
        """Note that these same observables have been written to a file, which may be the one that they are read from."""
        if self._path.is_file() and path.is_file() and self._path.samefile(path):
            self._source = netcdf_read.stamp_of(path)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def read(path: str | os.PathLike) -> dict[str, Any]:
    """The arguments of `Result` from a file or folder written by `ResultWriter`; the observables are read when asked for.

    **Raises:** `FileNotFoundError` where there is nothing, and `ValueError`, which names the path and says what it is, for
    anything that is not a result, or is damaged.
    """
    path = place_of(path)
    if is_remote(path) and not (path / manifest.FOLDER / manifest.MANIFEST).exists():
        raise FileNotFoundError(f"no store of a run at {path}")
    if path.is_dir():
        return read_store(path) if (path / manifest.FOLDER).is_dir() else _of_folder(path)
    if not path.exists():
        if path.is_symlink():
            raise FileNotFoundError(f"no result at {path}, a link to {os.readlink(path)}")
        partial = partial_of(path)
        hint = f"; {partial} holds the finished part of an interrupted run" if partial.exists() else ""
        raise FileNotFoundError(f"no result at {path}{hint}")
    if not path.is_file():
        raise ValueError(f"{path} is a device or a pipe, not a result")
    found = netcdf_read.read(path)._asdict()
    return {"losses": LazyLosses(path, found.pop("names"), found.pop("stamp")), **found}


def _of_folder(folder: Path) -> dict[str, Any]:
    try:
        plan, done = chunks.read_plan(folder), chunks.finished(folder)
        (arrays, late), kinds = chunks.late_of(folder), _kinds(done)
        for name, (shape, _) in kinds.items():
            axes = plan.dims.get(name, ())
            if len(axes) != len(shape) or any(
                len(plan.coords[axis]) != size for axis, size in zip(axes, shape, strict=True) if axis in plan.coords
            ):
                raise ValueError(f"{folder} is damaged: {name} is not as its {chunks.PLAN} says")
        weights = [chunks.arrays_of(chunk.path, (LOG_WEIGHTS,))[LOG_WEIGHTS] for chunk in done if LOG_WEIGHTS in kinds]
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{folder}: its paths are being made one file: load that ({error.filename} is gone)") from None
    names = tuple(name for name in kinds if name != LOG_WEIGHTS)
    of = lambda prefix: {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    return {
        "losses": LazyLosses(folder, names, tuple(done)),
        "dims": {name: plan.dims.get(name, ()) for name in names},
        "coords": plan.coords,
        "log_weights": np.concatenate(weights) if weights else None,
        "samples": of(SAMPLE_PREFIX),
        "curves": of(CURVE_PREFIX),
        "info": _said(plan, late, _paths(done)),
    }


def _said(plan: Plan, late: Mapping[str, Any], finished: int) -> dict[str, Any]:
    """All there is to say, with how many paths there are of how many where some are missing."""
    info = {**plan.info, **late}
    if finished < plan.total:
        return {**info, FINISHED: finished, PLANNED: plan.total}
    return {**info, FINISHED: finished} if FINISHED in info else info


def _kinds(done: list[Chunk]) -> dict[str, Any]:
    """Shape without paths, and type, of each observable: the same in all chunks, and as long as the chunk's name says."""
    first: dict[str, Any] = {}
    for chunk in done:
        shapes = chunks.shapes(chunk)
        kinds = {name: (shape[1:], dtype) for name, (shape, dtype) in shapes.items()}
        first = first or kinds
        if kinds != first or any(shape[:1] != (chunk.until - chunk.first,) for shape, _ in shapes.values()):
            raise ValueError(f"{chunk.path} is damaged: what it holds is not what its name and the other chunks say")
    return first


__all__ = ["CONFIGURATION", "LazyLosses", "ResultWriter", "WriteStopped", "merge", "read", "save", "whole"]
