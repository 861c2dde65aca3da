"""A result from a netCDF4 file: whatever the file is, it is read as what it says or refused in words."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .netcdf import CURVE_PREFIX, FINISHED, LOG_WEIGHTS, PLANNED, SAMPLE_PREFIX, opened
from .recognise import INFO, kind_of

_SAID = (OSError, RuntimeError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError)
"""What h5py and h5netcdf raise beside `ValueError` where a file is damaged."""
_MOST_LABELS = 100_000
"""Of an axis: of venues, assets, sides, classes, leverages. They are Python's own objects, a hundred bytes each."""


class Stored(NamedTuple):
    """What a file holds besides the losses themselves: the arguments of `Result`, and `stamp`, by which the file is known."""

    names: tuple[str, ...]
    dims: dict[str, tuple[str, ...]]
    coords: dict[str, list]
    log_weights: np.ndarray | None
    samples: dict[str, np.ndarray]
    curves: dict[str, np.ndarray]
    info: dict[str, Any]
    stamp: tuple[int, ...]


def read(path: Path) -> Stored:
    """What a file holds; every length is checked against every other.

    **Raises:** `ValueError`, which names the file and says what it is, where it is not a result or a damaged one.
    """
    stamp = stamp_of(path)
    kind = kind_of(path)
    if kind != "an HDF5 file":
        raise ValueError(f"{path} is {kind}, not a result")
    try:
        with opened(path, "r") as file:
            return _stored(path, file, stamp)
    except ValueError as error:
        raise error if str(path) in str(error) else ValueError(f"{path} {_unreadable(error)}") from None
    except _SAID as error:
        raise ValueError(f"{path} {_unreadable(error)}") from None
    except MemoryError as error:
        raise ValueError(f"{path} does not fit the memory of this machine: {error}") from None


def _unreadable(error: Exception) -> str:
    if "truncated" in str(error):
        return "is a netCDF file that is cut off"
    return f"is a damaged netCDF file, or one of another kind ({str(error).splitlines()[0] if str(error) else 'unreadable'})"


def _stored(path: Path, file: Any, stamp: tuple[int, ...]) -> Stored:
    if INFO not in file.variables:
        raise ValueError(f"{path} is a netCDF file but not a result: it has no variable {INFO}")
    counts = _counts(path, file)
    info = _info(path, file.variables[INFO][...])
    losses, dims, coords, samples, curves, weights = [], {}, {}, {}, {}, None
    for name, variable in file.variables.items():
        if name == INFO:
            continue
        if name.startswith(SAMPLE_PREFIX):
            samples[name.removeprefix(SAMPLE_PREFIX)] = _whole(name, variable)
        elif name.startswith(CURVE_PREFIX):
            curves[name.removeprefix(CURVE_PREFIX)] = _whole(name, variable)
        elif variable.dimensions == (name,):
            if variable.shape[0] > _MOST_LABELS:
                raise ValueError(f"{path} is a damaged result: the axis {name} has {variable.shape[0]:,} labels")
            coords[name] = _labels(_whole(name, variable))
        elif variable.dimensions[:1] != ("paths",) or variable.shape[0] != counts[0]:
            shape = ", ".join(f"{axis}: {size}" for axis, size in zip(variable.dimensions, variable.shape, strict=True))
            raise ValueError(f"{path} is a damaged result: {name} has the axes ({shape}), where paths: {counts[0]} were finished")
        elif name == LOG_WEIGHTS:
            weights = _whole(name, variable)
        else:
            losses.append(name)
            dims[name] = tuple(variable.dimensions[1:])
    if counts[0] and not losses:
        raise ValueError(f"{path} is a damaged result: it says that {counts[0]:,} paths were finished, and holds none")
    if counts[0] < counts[1]:
        info |= dict(zip((FINISHED, PLANNED), counts, strict=True))
    return Stored(tuple(losses), dims, coords, weights, samples, curves, info, stamp)


def _counts(path: Path, file: Any) -> tuple[int, int]:
    found = []
    for key in (FINISHED, PLANNED):
        value = np.asarray(file.attrs[key]) if key in file.attrs else None
        if value is None or value.size != 1 or value.dtype.kind not in "iu":
            said = "missing" if value is None else f"{value.tolist()!r}, which is no number of paths"
            raise ValueError(f"{path} is a damaged result: its attribute {key} is {said}")
        found.append(int(value.reshape(())))
    if not 0 <= found[0] <= found[1]:
        raise ValueError(f"{path} is a damaged result: it says that {found[0]} of {found[1]} paths were finished")
    return found[0], found[1]


def _info(path: Path, text: Any) -> dict[str, Any]:
    try:
        info = json.loads(text.decode() if isinstance(text, bytes) else str(text))
    except ValueError as error:
        raise ValueError(f"{path} is a damaged result: {INFO} is not JSON ({error})") from None
    if not isinstance(info, dict):
        raise ValueError(f"{path} is a damaged result: {INFO} is no table of names and values")
    return info


def read_losses(path: Path, name: str, stamp: tuple[int, ...]) -> np.ndarray:
    """An observable of a file that was read before.

    **Raises:** `ValueError` where the file has been written anew since, so that two runs are not mixed, or is damaged.
    """
    if not path.exists() or stamp_of(path) != stamp:
        raise ValueError(f"{path} was written anew, moved or removed since it was loaded: load it again")
    try:
        with opened(path, "r") as file:
            variable = file.variables[name]
            array = _whole(name, variable)
            return array.astype(bool) if variable.attrs.get("dtype") == "bool" else array
    except (ValueError, *_SAID) as error:
        raise ValueError(f"{path} {_unreadable(error)}") from None
    except MemoryError as error:
        raise ValueError(f"{path}: {name} does not fit the memory of this machine: {error}") from None


def stamp_of(path: Path) -> tuple[int, ...]:
    """What changes where a file is written anew."""
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _whole(name: str, variable: Any) -> np.ndarray:
    """An array, as long as its axes: HDF5 itself lets it be longer or shorter, and h5netcdf fills up what is shorter."""
    there, said = tuple(variable._h5ds.shape), tuple(variable.shape)
    if there != said:
        raise ValueError(f"{name} has the shape {there}, and its axes {said}")
    return np.asarray(variable[...])


def _labels(values: np.ndarray) -> list:
    return [value.decode() if isinstance(value, bytes) else value for value in values.tolist()]


__all__ = ["Stored", "read", "read_losses", "stamp_of"]
