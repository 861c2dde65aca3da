"""Where a Zarr store may be written, and how one is removed: what is not ours stays as it is."""

import contextlib
import os
from pathlib import Path

from . import durable, manifest as said
from .manifest import Manifest
from .netcdf import CURVE_PREFIX, SAMPLE_PREFIX
from .outputs import NotReplaced
from .remote import Remote, owner_at
from .store_metadata import METADATA

ENDING = ".zarr"
_MARKS = {said.MANIFEST, said.SCENARIO, said.RECORDS, said.ASIDE}
"""Names of which a store has one as soon as it has anything."""
_KNOWN = {
    METADATA, durable.LOCK, said.MANIFEST, said.LATE, said.LOG, said.SCENARIO, said.RECORDS, said.FAILED, said.ASIDE
}  # fmt: skip


def is_store(path: str | os.PathLike) -> bool:
    """Whether a name asks for a Zarr store."""
    return Path(path).suffix.lower() == ENDING


def check_place(path: Path) -> None:
    """Say at once where nothing may be written.

    **Raises:** `NotReplaced` where something stands there that is not a store of ours, `Busy` where another run writes it.
    """
    if isinstance(path, Remote):
        names = set(durable.names_in(path))
        if names and not _ours(path, names):
            raise NotReplaced(f"{path}: has objects that jaxrisk did not write; they are never replaced; choose another name")
        if (owner := owner_at(path / said.FOLDER)) is not None:
            raise durable.Busy(f"{path}: is being written by another run ({owner}); choose another name, or wait for it")
        return
    if os.path.islink(path) and not path.exists():
        raise NotReplaced(f"{path}: is a link to {os.readlink(path)}, which does not exist; choose another name")
    if path.is_dir():
        names = set(os.listdir(path))
        if names and not _ours(path, names):
            raise NotReplaced(f"{path}: is a folder that jaxrisk did not write; it is never replaced; choose another name")
        durable.refuse_busy(path / said.FOLDER, path)
    elif path.exists():
        raise NotReplaced(f"{path}: is a file, and a Zarr store is a folder; choose another name")


def empty(path: Path, wanted: Manifest) -> None:
    """Remove a store's own files, the manifest first; what others have put there stays.

    **Arguments:** `wanted`: its arrays are removed, and those of the manifest that is there, where it can be read.
    """
    inner, own = path / said.FOLDER, _arrays(wanted)
    with contextlib.suppress(ValueError, OSError):
        own |= _arrays(said.read_manifest(path))
    durable.remove(inner / said.MANIFEST)
    for name in durable.names_in(path):
        ours = name in own or name.startswith((SAMPLE_PREFIX, CURVE_PREFIX))
        if ours and (path / name / METADATA).is_file() and not (path / name).is_symlink():
            durable.clear(path / name)
    durable.remove(path / METADATA)
    for name in (said.RECORDS, said.FAILED, said.ASIDE):
        durable.clear(inner / name)
    durable.empty(inner)


def _arrays(manifest: Manifest) -> set[str]:
    return {*manifest.kinds, *manifest.plan.coords} - {said.FOLDER}


def _ours(path: Path, names: set[str]) -> bool:
    """Whether a folder is a store, or what is left of one; or has nothing but the lock of one that was not even begun."""
    inner = path / said.FOLDER
    if not inner.is_dir() or inner.is_symlink():
        return False
    inside = set(durable.names_in(inner))
    return inside <= _KNOWN and (bool(inside & _MARKS) or (names == {said.FOLDER} and inside <= {durable.LOCK}))


__all__ = ["ENDING", "check_place", "empty", "is_store"]
