"""Arrays as Zarr 3 keeps them: metadata, and a chunk's bytes with their checksum.

Written here, in a few lines of the specification (https://zarr-specs.readthedocs.io/en/latest/v3/core/v3.0.html and its codecs
`bytes` and `crc32c`), and not by a library, since a chunk has to be on the disk before it has its name. Tests read all of it
with zarr and xarray. Numbers are of the specification's own types. Labels are arrays of fixed width, which zarr from 3.1 on
reads; text of any length has no specification. Who cannot read them finds them in the attribute `labels`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .manifest import Kind

CRC = 4
"""Bytes of the checksum after a chunk's own."""


def array_metadata(
    shape: Sequence[int], chunk: Sequence[int], dtype: Any, axes: Sequence[str], attributes: Mapping[str, Any]
) -> dict[str, Any]:
    """The `zarr.json` of an array whose chunks are files `c.I.0...`; `dtype` of NumPy, numbers or text of fixed width."""
    dtype = np.dtype(dtype)
    text = dtype.kind == "U"
    kind: Any = {"name": "fixed_length_utf32", "configuration": {"length_bytes": dtype.itemsize}} if text else dtype.name
    fill: Any = "" if text else "NaN" if dtype.kind == "f" else False if dtype.kind == "b" else 0
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": kind,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [max(1, size) for size in chunk]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": fill,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        "attributes": dict(attributes),
        "dimension_names": list(axes),
        "storage_transformers": [],
    }


def group_metadata(attributes: Mapping[str, Any], arrays: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The `zarr.json` of a group, with the metadata of its arrays, so that readers need to open one file."""
    said: dict[str, Any] = {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}
    if arrays is not None:
        said["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": dict(arrays)}
    return said


def key(place: int, dimensions: int) -> str:
    """The file of a chunk of paths; other axes are not cut.

    >>> key(3, 2)
    'c.3.0'
    """
    return "c" + f".{place}" + ".0" * (dimensions - 1) if dimensions else "c"


def encoded(array: np.ndarray, length: int | None = None) -> tuple[bytes, bytes, int]:
    """A chunk's bytes, those of its checksum, and the checksum.

    **Arguments:** `length`: of the first axis: the last chunk of an array is filled up to it.
    """
    kept = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    if length is not None and len(kept) < length:
        fill = np.nan if kept.dtype.kind == "f" else 0
        kept = np.concatenate([kept, np.full((length - len(kept), *kept.shape[1:]), fill, kept.dtype)])
    content = kept.tobytes()
    crc = checksum(content)
    return content, crc.to_bytes(CRC, "little"), crc


def decoded(content: bytes, kind: Kind, length: int, crc: int | None = None) -> np.ndarray:
    """The array of a chunk of `length` paths.

    **Raises:** `ValueError`, which says what is wrong, where it is not of that size, or a checksum does not hold.
    """
    dtype = np.dtype(kind.dtype).newbyteorder("<")
    size = length * math.prod(kind.shape) * dtype.itemsize
    if len(content) != size + CRC:
        raise ValueError(f"it has {len(content):,} bytes and not {size + CRC:,}")
    said = int.from_bytes(content[size:], "little")
    if checksum(content[:size]) != said:
        raise ValueError("its checksum does not hold")
    if crc is not None and crc != said:
        raise ValueError("its checksum is not that of its record")
    return np.frombuffer(content, dtype, count=size // dtype.itemsize).reshape(length, *kind.shape).astype(kind.dtype, copy=False)


def checksum(content: bytes) -> int:
    """CRC32C."""
    import google_crc32c

    return google_crc32c.value(content)


__all__ = ["CRC", "array_metadata", "checksum", "decoded", "encoded", "group_metadata", "key"]
