"""A scenario as bytes that hold numbers and words only, and back; and its parts by their dotted names.

The bytes are a zip file of NumPy arrays with a JSON text that says which class each part is of. Only classes of this package that
are parts of a scenario are made of it, none of their code is run, and nothing is imported but the modules where such classes are.
"""

import dataclasses
import hashlib
import importlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import numpy as np

from ..scenario import Scenario
from ..storage.npy import array_in

_STRUCTURE = "structure"
_PACKAGE = __name__.partition(".")[0]
_PLACES = tuple(f"{_PACKAGE}.{name}" for name in ("scenario", "market", "positions", "cascade"))
"""Where the parts of scenarios are; to import what lies there does nothing but define it."""
_FEW = 8
"""Numbers that are told one by one; of more, a digest."""
_DEEPEST = 32
_LARGEST = 2**32
"""Bytes of a scenario's arrays beyond which something is wrong."""


def to_bytes(scenario: Scenario) -> bytes:
    """A scenario as bytes.

    **Raises:** `ValueError` where a part is of a class of the user's own, which another process need not know.
    """
    arrays: dict[str, np.ndarray] = {}
    structure = json.dumps(_encoded(scenario, arrays, ""))
    content = io.BytesIO()
    np.savez(content, **{_STRUCTURE: np.frombuffer(structure.encode(), np.uint8)}, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def from_bytes(content: bytes) -> Scenario:
    """The scenario that `to_bytes` made bytes of: the same numbers, bit for bit.

    **Raises:** `ValueError` where they are not such bytes.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                raise ValueError("it is larger than a scenario can be")
            arrays = {entry.removesuffix(".npy"): array_in(archive, entry) for entry in archive.namelist()}
        scenario = _decoded(json.loads(arrays[_STRUCTURE].tobytes()), arrays, 0)
    except (
        KeyError, TypeError, AttributeError, IndexError, ValueError, EOFError, OSError, RecursionError, ImportError,
        OverflowError, RuntimeError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise ValueError(f"no scenario: {error}") from None
    if not isinstance(scenario, Scenario):
        raise ValueError("no scenario")
    return scenario


def named(scenario: Scenario) -> dict[str, str]:
    """Every part of a scenario by its dotted name, in words short enough to print; two scenarios with the same differ in nothing.

    >>> import jaxrisk as jr
    >>> named(jr.load("btc_24h"))["channels.feedback"]
    '1.0'
    """
    return dict(_parts(scenario, ""))


def _parts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    joined = lambda key: f"{name}.{key}" if name else str(key)
    if isinstance(value, eqx.Module):
        if name:
            yield name, type(value).__name__
        for field in dataclasses.fields(value):
            yield from _parts(getattr(value, field.name), joined(field.name))
    elif isinstance(value, dict):
        for key in value:
            yield from _parts(value[key], joined(key))
    elif isinstance(value, (tuple, list)) and not all(
        item is None or isinstance(item, (bool, int, float, str)) for item in value
    ):
        for place, item in enumerate(value):
            yield from _parts(item, joined(place))
    elif isinstance(value, (np.ndarray, np.generic, jax.Array)):
        yield name, _number_words(np.asarray(value))
    else:
        yield name, repr(value) if not isinstance(value, str) else value


def _number_words(array: np.ndarray) -> str:
    if array.size <= _FEW:
        return str(array.tolist())
    digest = hashlib.sha256(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes()).hexdigest()
    return f"{' by '.join(map(str, array.shape))} numbers with digest {digest[:16]}"


def _encoded(value: Any, arrays: dict[str, np.ndarray], name: str) -> Any:
    if isinstance(value, eqx.Module):
        kind = type(value)
        if _class_of(kind.__module__, kind.__qualname__) is not kind:
            text = f"{name or 'the scenario'} is of the class {kind.__qualname__}, which jaxrisk does not know"
            raise ValueError(f"{text}: other processes cannot be sent it; run it without an executor")
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        held = {key: _encoded(part, arrays, f"{name}.{key}" if name else key) for key, part in fields.items()}
        return {"module": kind.__module__, "class": kind.__qualname__, "fields": held}
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        key = f"a{len(arrays)}"
        arrays[key] = np.asarray(value)
        return {"array": key}
    if isinstance(value, dict):
        return {"dict": [[key, _encoded(part, arrays, f"{name}.{key}")] for key, part in value.items()]}
    if isinstance(value, (tuple, list)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_encoded(part, arrays, f"{name}.{place}") for place, part in enumerate(value)]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"{name} is of the type {type(value).__name__}: other processes cannot be sent it; run without an executor")


def _decoded(value: Any, arrays: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise ValueError("its parts lie too deep")
    if not isinstance(value, dict):
        return value
    inside = lambda part: _decoded(part, arrays, depth + 1)
    if "array" in value:
        return arrays[value["array"]]
    if "dict" in value:
        return {str(key): inside(part) for key, part in value["dict"]}
    if "tuple" in value:
        return tuple(map(inside, value["tuple"]))
    if "list" in value:
        return list(map(inside, value["list"]))
    kind, fields = _class_of(value["module"], value["class"]), value["fields"]
    if kind is None or set(fields) != {field.name for field in dataclasses.fields(kind)}:
        raise ValueError(f"{value['class']} is no part of a scenario")
    made = object.__new__(kind)
    for name, part in fields.items():
        object.__setattr__(made, name, inside(part))
    return made


def _class_of(module: str, name: str) -> type | None:
    """A class of this package that is a part of scenarios, or None."""
    if not (module + ".").startswith(tuple(f"{place}." for place in _PLACES)) or not name.isidentifier():
        return None
    found = getattr(importlib.import_module(module), name, None)
    return found if isinstance(found, type) and issubclass(found, eqx.Module) and found.__module__ == module else None


__all__ = ["from_bytes", "named", "to_bytes"]
