"""What other readers of a store are told of its arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .manifest import Manifest
from .netcdf import CURVE_PREFIX, SAMPLE_PREFIX, variable_attributes
from .observables import curve_axes, sample_axes
from .zarr_format import array_metadata

METADATA = "zarr.json"


def metadata_of(
    manifest: Manifest, until: int, late: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Any]]]:
    """Labels of axes as arrays, and the metadata of each array of a store.

    **Arguments:** `until`: paths that are shown; `late`: whole arrays, by name.
    """
    plan, arrays = manifest.plan, {}
    for name, kind in manifest.kinds.items():
        axes = plan.dims.get(name, ())
        shape, chunk = (until, *kind.shape), (manifest.chunk, *kind.shape)
        arrays[name] = array_metadata(shape, chunk, kind.dtype, ("paths", *axes), variable_attributes(name))
    used = {axis for axes in plan.dims.values() for axis in axes}
    labelled = {axis: np.asarray(list(map(str, labels))) for axis, labels in plan.coords.items() if axis in used and labels}
    for axis, labels in labelled.items():
        arrays[axis] = array_metadata(labels.shape, labels.shape, labels.dtype, (axis,), {"labels": labels.tolist()})
    for name, array in late.items():
        arrays[name] = array_metadata(array.shape, array.shape, array.dtype, _axes(name, array.ndim), {})
    return labelled, arrays


def _axes(name: str, dimensions: int) -> tuple[str, ...]:
    if name.startswith(SAMPLE_PREFIX):
        return sample_axes(name.removeprefix(SAMPLE_PREFIX), dimensions)
    return curve_axes(name.removeprefix(CURVE_PREFIX), dimensions)


__all__ = ["METADATA", "metadata_of"]
