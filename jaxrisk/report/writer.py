"""Results on disk: netCDF4 files written chunk by chunk, and read one observable at a time."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..observables import describe
from .observables import curve_axes, sample_axes

LOG_WEIGHTS = "log_weights"
SAMPLE_PREFIX = "sample_"
CURVE_PREFIX = "curve_"
_INFO = "info_json"
_RESERVED = ("finished_paths", "planned_paths", "Conventions")
_CHUNK_ELEMENTS = 65_536  # of an HDF5 chunk: within the library's cache of 1 MiB, so that a chunk is written once
_SHORT = 2_000  # characters: HDF5 keeps at most 64 kB of attributes beside a group, so long texts stay in info_json only


class ResultWriter:
    """Writes a result chunk by chunk, so that memory does not grow with the number of paths.

    The file grows as `<path>.partial`, a readable netCDF file after every `append`: its `paths` dimension has the paths
    finished so far and its attribute `finished_paths` says how many. `close` renames it to `path` in one step, so `path`
    is either absent or whole. The file is closed between two appends: an interrupted run leaves the last append intact.

    **Arguments:**

    - `path`: the file to be; by convention `.nc`.
    - `dims`: for each observable its axes after `paths`.
    - `coords`: labels of those axes.
    - `total_paths`: number of paths planned.
    - `info`: what else there is to say, numbers and short texts.

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
        self.path = Path(path)
        self.partial = self.path.with_name(self.path.name + ".partial")
        self.finished = 0
        self._dims, self._coords = dict(dims), {name: list(labels) for name, labels in coords.items()}
        self._total, self._info = int(total_paths), dict(info)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _open(self.partial, "w") as file:
            file.dimensions["paths"] = None
            for name, labels in self._coords.items():
                _write_whole(file, name, np.asarray(labels), (name,))
            file.attrs["finished_paths"] = np.int64(0)
            file.attrs["planned_paths"] = np.int64(self._total)
            file.attrs["Conventions"] = "CF-1.8"
            self._write_info(file)

    def append(self, first: int, losses: Mapping[str, Any]) -> None:
        """Add the paths from `first` on; chunks come in order.

        **Arguments:**

        - `first`: index of the chunk's first path: the number of paths written so far.
        - `losses`: for each observable an array of shape `(paths of the chunk, *dims)`, and `log_weights` where the
          paths are weighted.

        **Raises:** `ValueError` for a gap or overlap, or arrays of different numbers of paths.
        """
        counts = {np.shape(losses[name])[0] for name in losses}
        if first != self.finished:
            raise ValueError(
                f"chunk starts at path {first}, and {self.finished} paths are written: chunks must follow each other"
            )
        if len(counts) != 1:
            raise ValueError(f"arrays of one chunk must have one number of paths and have {sorted(counts)}")
        until = first + counts.pop()
        with _open(self.partial, "a") as file:
            file.resize_dimension("paths", until)
            for name in losses:  # one at a time: they may be read from another file
                array = np.asarray(losses[name])
                if name not in file.variables:
                    self._create(file, name, array)
                file.variables[name][first:until] = array.view(np.int8) if array.dtype == bool else array
            file.attrs["finished_paths"] = np.int64(until)
        self.finished = until

    def close(
        self,
        samples: Mapping[str, Any] | None = None,
        curves: Mapping[str, Any] | None = None,
        info: Mapping[str, Any] | None = None,
    ) -> Path:
        """Add whole sample paths, curves and late information, and give the file its name, which is returned.

        May be called before all planned paths are there: the file then holds those that are.
        """
        self._info.update(info or {})
        with _open(self.partial, "a") as file:
            for prefix, arrays, axes in ((SAMPLE_PREFIX, samples, sample_axes), (CURVE_PREFIX, curves, curve_axes)):
                for name, array in (arrays or {}).items():
                    _write_whole(file, prefix + name, np.asarray(array), axes(name, np.ndim(array)))
            self._write_info(file)
        with open(self.partial, "rb+") as file:
            os.fsync(file.fileno())  # before the name, or a power cut could leave the name with nothing behind it
        os.replace(self.partial, self.path)
        return self.path

    def _create(self, file: Any, name: str, array: np.ndarray) -> None:
        axes = () if name == LOG_WEIGHTS else tuple(self._dims.get(name, ()))
        if len(axes) != array.ndim - 1:
            raise ValueError(f"{name} has shape {array.shape} and axes ('paths', {', '.join(map(repr, axes))})")
        for axis, size in zip(axes, array.shape[1:], strict=True):
            if axis not in file.dimensions:
                file.dimensions[axis] = size
        rows = _CHUNK_ELEMENTS // max(1, int(np.prod(array.shape[1:])))
        chunks = (max(1, min(self._total, rows)), *(max(size, 1) for size in array.shape[1:]))
        kept = np.dtype(np.int8) if array.dtype == bool else array.dtype  # netCDF has no booleans; xarray's convention for them
        variable = file.create_variable(name, ("paths", *axes), kept, chunks=chunks)
        for key, value in (variable_attributes(name) | ({"dtype": "bool"} if array.dtype == bool else {})).items():
            variable.attrs[key] = value

    def _write_info(self, file: Any) -> None:
        text = json.dumps({key: _plain(value) for key, value in self._info.items()})
        if _INFO not in file.variables:
            import h5py

            file.create_variable(_INFO, (), h5py.string_dtype())
        file.variables[_INFO][...] = np.asarray(text, dtype=object)
        for key, value in flat_attributes(self._info).items():
            file.attrs[key] = value


class LazyLosses(Mapping):
    """Observables of a file, read when asked for; the one read last is kept."""

    def __init__(self, path: Path, names: tuple[str, ...]):
        self._path, self._names = path, names
        self._last: tuple[str, np.ndarray] | None = None

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        if self._last is None or self._last[0] != name:
            with _open(self._path, "r") as file:
                variable = file.variables[name]
                array = np.asarray(variable[...])
                self._last = (name, array.astype(bool) if variable.attrs.get("dtype") == "bool" else array)
        return self._last[1]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def read(path: str | os.PathLike) -> dict[str, Any]:
    """The arguments of `Result` from a file written by `ResultWriter`; the observables are read when asked for.

    A file `<path>.partial` of an interrupted run can be read too.
    """
    path = Path(path)
    if not path.exists():
        partial = path.with_name(path.name + ".partial")
        hint = f"; {partial} holds the finished part of an interrupted run" if partial.exists() else ""
        raise FileNotFoundError(f"no result at {path}{hint}")
    losses, dims, coords, samples, curves, weights, info = [], {}, {}, {}, {}, None, {}
    with _open(path, "r") as file:
        if _INFO not in file.variables:
            raise ValueError(f"{path} is a netCDF file but not a result: it has no variable {_INFO}")
        for name, variable in file.variables.items():
            if name == _INFO:
                text = variable[...]
                info = json.loads(text.decode() if isinstance(text, bytes) else str(text))
            elif name == LOG_WEIGHTS:
                weights = np.asarray(variable[...])
            elif name.startswith(SAMPLE_PREFIX):
                samples[name.removeprefix(SAMPLE_PREFIX)] = np.asarray(variable[...])
            elif name.startswith(CURVE_PREFIX):
                curves[name.removeprefix(CURVE_PREFIX)] = np.asarray(variable[...])
            elif variable.dimensions == (name,):
                coords[name] = _labels(variable[...])
            else:
                losses.append(name)
                dims[name] = tuple(variable.dimensions[1:])
        if file.attrs["finished_paths"] < file.attrs["planned_paths"]:
            info["finished_paths"] = int(file.attrs["finished_paths"])
    return {
        "losses": LazyLosses(path, tuple(losses)),
        "dims": dims,
        "coords": coords,
        "log_weights": weights,
        "samples": samples,
        "curves": curves,
        "info": info,
    }


def variable_attributes(name: str) -> dict[str, str]:
    """The netCDF attributes of an observable."""
    if name == LOG_WEIGHTS:
        return {"long_name": "log of the likelihood ratio dP/dQ", "units": "1"}
    return {"long_name": describe(name).long_name, "units": describe(name).unit}


def flat_attributes(info: Mapping[str, Any]) -> dict[str, Any]:
    """The part of `info` that fits netCDF attributes: numbers, lists of numbers, and texts that are not long."""
    attributes = {}
    for key, value in info.items():
        value = _plain(value)
        if key in _RESERVED or (isinstance(value, str) and len(value) >= _SHORT):
            continue
        if isinstance(value, bool | int) and abs(value) < 2**63:
            attributes[key] = int(value)
        elif isinstance(value, float | str):
            attributes[key] = value
        elif isinstance(value, list) and 0 < len(value) < _SHORT and all(isinstance(item, float) for item in value):
            attributes[key] = np.asarray(value)
    return attributes


def _open(path: Path, mode: str) -> Any:
    import h5netcdf

    return h5netcdf.File(path, mode, decode_vlen_strings=True)


def _write_whole(file: Any, name: str, array: np.ndarray, axes: tuple[str, ...]) -> None:
    import h5py

    for axis, size in zip(axes, array.shape, strict=True):
        if axis not in file.dimensions:
            file.dimensions[axis] = size
    text = array.dtype.kind in "UO"
    file.create_variable(name, axes, h5py.string_dtype() if text else array.dtype, data=array.astype(object) if text else array)


def _labels(values: Any) -> list:
    return [value.decode() if isinstance(value, bytes) else value for value in np.asarray(values).tolist()]


def _plain(value: Any) -> Any:
    """NumPy and JAX numbers and arrays as Python's."""
    return value.tolist() if hasattr(value, "tolist") else value


__all__ = ["LazyLosses", "ResultWriter", "flat_attributes", "read", "variable_attributes"]
