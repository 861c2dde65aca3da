"""Where an output may be written: what must never be replaced, and files written in one step."""

import io
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from . import durable
from .durable import OutputError
from .recognise import MARK, is_ours, kind_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTIAL = ".partial"
"""What is added to a result's name while it is being written."""
FOLDER = "is a folder"
_LONGEST = 255
_NEVER = "it is never replaced"
_SPECIAL = {stat.S_ISCHR: "a device", stat.S_ISBLK: "a device", stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket"}


class NotReplaced(OutputError, FileExistsError):
    """What stands there is not a result, and is left alone."""


def refusal(path: Path, inputs: Iterable[Path] = (), added: str = "", ours: Callable[[Path], bool] = is_ours) -> str | None:
    """Why nothing may be written there, even where overwriting is asked for, or None.

    **Arguments:** `inputs`: files that are read, in whatever spelling; `added`: what is added to the name while it is written;
    `ours`: whether a file that is there is one that we wrote.

    **Raises:** `OSError` where the place cannot be looked at.
    """
    longest, length = _longest(path) - len(added), len(os.fsencode(path.name))
    if length > longest:
        return f"its name has {length:,} bytes, and {longest} are the most here"
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return f"is a link to {os.readlink(path)}, which does not exist; {_NEVER}" if os.path.islink(path) else None
    if stat.S_ISDIR(status.st_mode):
        return FOLDER
    for is_so, words in _SPECIAL.items():
        if is_so(status.st_mode):
            return f"is {words}; {_NEVER}"
    if any(_same(status, file) for file in inputs):
        return f"is an input; {_NEVER}"
    return None if ours(path) else f"exists already and is {kind_of(path)} that jaxrisk did not write; {_NEVER}"


def target(path: str | os.PathLike, added: str = "", ours: Callable[[Path], bool] = is_ours) -> Path:
    """The file that is to be written: what a link points to, not the link.

    **Raises:** `NotReplaced` where something must not be replaced, `OSError` where nothing can be written there.
    """
    path = Path(path)
    if problem := refusal(path, (), added, ours):
        raise NotReplaced(f"{path}: {problem}; choose another name")
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def write_whole(path: str | os.PathLike, content: str | bytes, ours: Callable[[Path], bool] = is_ours) -> Path:
    """Write a file in one step, in place of what we wrote before only.

    **Raises:** as `target`.
    """
    path = Path(path)
    durable.put(target(path, ours=ours), content.encode("utf-8") if isinstance(content, str) else content)
    return path


def save_figure(figure: "Figure", path: str | os.PathLike) -> Path:
    """Write a picture as its ending says, in one step, with a mark that it is ours.

    **Raises:** as `target`.
    """
    path = Path(path)
    key = {".png": "Software", ".svg": "Creator", ".pdf": "Creator"}.get(path.suffix.lower())
    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix.lstrip(".").lower() or None, metadata={key: MARK} if key else None)
    return write_whole(path, drawn.getvalue())


def _longest(path: Path) -> int:
    folder = next((folder for folder in path.absolute().parents if os.path.isdir(folder)), None)
    try:
        return os.pathconf(folder, "PC_NAME_MAX") if folder is not None else _LONGEST
    except (AttributeError, OSError, ValueError):
        return _LONGEST


def _same(status: os.stat_result, file: Path) -> bool:
    try:
        return os.path.samestat(status, os.stat(file))
    except (OSError, ValueError):
        return False


__all__ = ["FOLDER", "PARTIAL", "NotReplaced", "refusal", "save_figure", "target", "write_whole"]
