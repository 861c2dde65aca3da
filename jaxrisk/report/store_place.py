"""Where a Zarr store may be written, and how one is removed: what is not ours stays as it is."""

import contextlib
import os
import shutil
from pathlib import Path

from . import durable, manifest as said
from .outputs import NotReplaced
from .store_metadata import METADATA

ENDING = ".zarr"
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
    if os.path.islink(path) and not path.exists():
        raise NotReplaced(f"{path}: is a link to {os.readlink(path)}, which does not exist; choose another name")
    if path.is_dir():
        names = set(os.listdir(path))
        if names and not _ours(path / said.FOLDER):
            raise NotReplaced(f"{path}: is a folder that jaxrisk did not write; it is never replaced; choose another name")
        durable.refuse_busy(path / said.FOLDER, path)
    elif path.exists():
        raise NotReplaced(f"{path}: is a file, and a Zarr store is a folder; choose another name")


def empty(path: Path) -> None:
    """Remove a store's own files, the manifest first; what others have put there stays."""
    inner = path / said.FOLDER
    durable.remove(inner / said.MANIFEST)
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(path):
            if name != said.FOLDER and (path / name / METADATA).is_file() and not (path / name).is_symlink():
                shutil.rmtree(path / name, ignore_errors=True)
        durable.remove(path / METADATA)
        for name in (said.RECORDS, said.FAILED, said.ASIDE):
            shutil.rmtree(inner / name, ignore_errors=True)
    durable.empty(inner)


def _ours(inner: Path) -> bool:
    """Whether a folder is one that a store keeps its own things in."""
    return inner.is_dir() and not inner.is_symlink() and set(os.listdir(inner)) <= _KNOWN


__all__ = ["ENDING", "check_place", "empty", "is_store"]
