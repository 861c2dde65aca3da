"""A result as one netCDF4 file, written in one step."""

import json
import math
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ..observables import describe
from . import durable, heaps
from .chunks import Plan, plain
from .disk import Disk
from .observables import curve_axes, sample_axes
from .recognise import INFO

LOG_WEIGHTS = "log_weights"
SAMPLE_PREFIX = "sample_"
CURVE_PREFIX = "curve_"
FINISHED, PLANNED = "finished_paths", "planned_paths"
_RESERVED = (FINISHED, PLANNED, "Conventions")
_SHORT = 2_000  # characters: HDF5 keeps at most 64 kB of attributes beside a group, so long texts stay in info_json only


def write(
    path: Path,
    beside: Path,
    plan: Plan,
    paths: int,
    batches: Callable[[], Iterable[tuple[int, Mapping[str, np.ndarray]]]],
    whole: Mapping[str, np.ndarray],
) -> None:
    """Write a result, whole or not at all.

    **Arguments:** `beside`: a temporary name in a folder of the same file system; `paths`: how many there are; `batches`: what
    yields the index of a first path, and arrays of some observables from it on; `whole`: whole paths and curves, by name.

    **Raises:** `OSError` as the system says, with nothing left behind; whatever `batches` raises.
    """
    stop = threading.Event()

    def work() -> None:
        with durable.created(beside) as descriptor:
            disk = Disk(descriptor, stop)
            try:
                with opened(disk, "w") as file:
                    _header(file, plan, paths)
                    for first, arrays in batches():
                        for name in arrays:  # one at a time: they may be read from another file
                            _write_paths(file, plan, name, first, np.asarray(arrays[name]))
                            disk.check()
                    for name, array in whole.items():
                        _write_whole(file, name, np.asarray(array), _axes(name, np.ndim(array)))
                        disk.check()
            finally:
                disk.check()

    try:
        # in a thread: an interrupt is raised in the main one, and HDF5 does not survive one within a write
        with ThreadPoolExecutor(1) as aside:
            writing = aside.submit(work)
            try:
                writing.result()
            except BaseException:
                stop.set()
                raise
        durable.rename(beside, path)
    except BaseException:
        durable.remove(beside)
        raise


def _header(file: Any, plan: Plan, paths: int) -> None:
    file.dimensions["paths"] = paths or None
    for name, labels in plan.coords.items():
        _write_whole(file, name, np.asarray(labels), (name,))
    file.attrs[FINISHED] = np.int64(paths)
    file.attrs[PLANNED] = np.int64(plan.total)
    file.attrs["Conventions"] = "CF-1.8"
    _write_info(file, plan.info)


def _write_paths(file: Any, plan: Plan, name: str, first: int, array: np.ndarray) -> None:
    axes, boolean = checked_axes(plan, name, array), array.dtype == bool
    kept = array.view(np.int8) if boolean else array  # netCDF has no booleans; xarray's convention for them
    if name not in file.variables:
        for axis, size in zip(axes, array.shape[1:], strict=True):
            if axis not in file.dimensions:
                file.dimensions[axis] = size
        variable = file.create_variable(name, ("paths", *axes), kept.dtype)
        for key, value in (variable_attributes(name) | ({"dtype": "bool"} if boolean else {})).items():
            variable.attrs[key] = value
    file.variables[name][first : first + len(kept)] = kept


def _write_info(file: Any, info: Mapping[str, Any]) -> None:
    import h5py

    text = json.dumps({key: plain(value) for key, value in info.items()})
    file.create_variable(INFO, (), h5py.string_dtype())
    file.variables[INFO][...] = np.asarray(text, dtype=object)
    for key, value in flat_attributes(info).items():
        file.attrs[key] = value


def checked_axes(plan: Plan, name: str, array: np.ndarray) -> tuple[str, ...]:
    """The axes of an observable after `paths`.

    **Raises:** `ValueError` for an array of other axes, or of a type that netCDF has not.
    """
    axes = () if name == LOG_WEIGHTS else tuple(plan.dims.get(name, ()))
    if len(axes) != array.ndim - 1:
        raise ValueError(f"{name} has shape {array.shape} and axes ('paths', {', '.join(map(repr, axes))})")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} has the type {array.dtype}: numbers are needed")
    return axes


def _axes(name: str, dimensions: int) -> tuple[str, ...]:
    if name.startswith(SAMPLE_PREFIX):
        return sample_axes(name.removeprefix(SAMPLE_PREFIX), dimensions)
    return curve_axes(name.removeprefix(CURVE_PREFIX), dimensions)


def _write_whole(file: Any, name: str, array: np.ndarray, axes: tuple[str, ...]) -> None:
    import h5py

    for axis, size in zip(axes, array.shape, strict=True):
        if axis not in file.dimensions:
            file.dimensions[axis] = size
    text = array.dtype.kind in "UO"
    file.create_variable(name, axes, h5py.string_dtype() if text else array.dtype, data=array.astype(object) if text else array)


def variable_attributes(name: str) -> dict[str, str]:
    """The netCDF attributes of an observable."""
    if name == LOG_WEIGHTS:
        return {"long_name": "log of the likelihood ratio dP/dQ", "units": "1"}
    return {"long_name": describe(name).long_name, "units": describe(name).unit}


def flat_attributes(info: Mapping[str, Any]) -> dict[str, Any]:
    """The part of `info` that fits netCDF attributes: numbers, lists of numbers, and texts that are not long."""
    attributes = {}
    for key, value in info.items():
        value = plain(value)
        if key in _RESERVED or (isinstance(value, str) and len(value) >= _SHORT):
            continue
        if isinstance(value, bool | int) and abs(value) < 2**63:
            attributes[key] = int(value)
        elif isinstance(value, float | str):
            attributes[key] = value
        elif isinstance(value, list) and 0 < len(value) < _SHORT and all(isinstance(item, float) for item in value):
            attributes[key] = np.asarray(value)
    return attributes


def opened(file: Any, mode: str) -> Any:
    """A netCDF file, to be closed by `with`.

    **Raises:** `ValueError` for one to be read that takes its numbers from other files, or says that it has far more than it has.
    """
    import h5netcdf
    import h5py

    if mode == "r":
        with h5py.File(file, mode) as looked_at:
            # where these cannot be read, h5netcdf prints a traceback when it forgets the file
            looked_at.attrs.get("_nc3_strict")
            arrays = [place for name in looked_at for place in _look(looked_at, name)]
        heaps.look(file, arrays)
    return h5netcdf.File(file, mode, decode_vlen_strings=True)


_LARGE, _PACKED = 2**28, 2_000
"""Bytes of an array from which on it is asked whether they are there, packed at most so many times: zlib's most is 1,032."""


def _look(file: Any, name: str) -> list[tuple[int, int]]:
    """Look at one array, of which nothing is read: a few kilobytes can say that they are more than any memory holds. Where its
    numbers are in the file, and how many bytes."""
    import h5py

    if isinstance(file.get(name, getlink=True), h5py.ExternalLink):
        raise ValueError(f"{name} is in another file")
    one = file.get(name)
    if not isinstance(one, h5py.Dataset):
        return []
    if one.external or one.is_virtual:
        raise ValueError(f"the numbers of {name} are in another file")
    size, there = math.prod(one.shape or ()) * one.dtype.itemsize, one.id.get_storage_size()
    if size > max(_LARGE, _PACKED * there):
        raise ValueError(f"{name} would be {size / 2**30:,.1f} GiB, and {there / 2**20:,.3g} MiB of it are there")
    place = one.id.get_offset()
    return [] if place is None else [(place, there)]


__all__ = [
    "CURVE_PREFIX", "FINISHED", "LOG_WEIGHTS", "PLANNED", "SAMPLE_PREFIX", "checked_axes", "flat_attributes", "opened",
    "variable_attributes", "write",
]  # fmt: skip
