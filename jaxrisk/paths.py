"""Where files are looked for: beside the scenario, then among those that ship with the package."""

import contextlib
import stat
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from .problems import cut, nearest

_READ: ContextVar[list[Path] | None] = ContextVar("files that were read", default=None)
SHIPPED_KINDS = ("scenarios", "venues", "limits", "studies", "structures")


def shipped() -> Path:
    """The folder of the shipped configurations: inside the installed package, or beside it in a working copy."""
    package = Path(__file__).resolve().parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def names(kind: str) -> list[str]:
    """Names of what ships: of `scenarios`, `venues` or `limits`."""
    folder = shipped() / kind
    return sorted(path.stem for path in folder.glob("*.toml")) if folder.is_dir() else []


def recorded() -> list[Path]:
    """A list to which every input file that is looked at from now on is added, so that no output takes its place."""
    files: list[Path] = []
    _READ.set(files)
    return files


def record(path: Path) -> None:
    """Note that a file is an input."""
    files = _READ.get()
    if files is not None:
        files.append(path)


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """For opening a file that a user names: `OSError` or `ValueError` with a sentence where it cannot be, or has no end."""
    record(path)
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError
        if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
            raise ValueError("is a device, of which there is no end to read; a file is needed")
        yield
    except IsADirectoryError:
        raise OSError("is a folder; a file is needed") from None
    except FileNotFoundError:
        raise OSError("no such file") from None
    except OSError as error:
        raise OSError(f"cannot be read: {error.strerror or error}") from None


class NotFound(Exception):
    """A file that is nowhere; the text says what was tried, `nearest` what may have been meant."""

    def __init__(self, text: str, near: str | None):
        self.nearest = near
        super().__init__(text)


def exists(path: Path) -> bool:
    """Whether there is such a file or folder; not where that cannot be told, as of too long a name, or a null byte in it."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is such a folder."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def names_in(folder: Path) -> list[str]:
    """Names of what is in a folder, none where it cannot be read."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except (OSError, ValueError):
        return []


def find(kind: str, name: str, folder: Path | None = None) -> Path:
    """The file that a name or a path stands for.

    **Arguments:** `kind`: `scenarios`, `venues`, `limits`, or `data` for a user's own table; `name`: a path, absolute or relative
    to `folder`, or the bare name of a shipped file; `folder`: that of the file which names it, by default the current one.

    Raises `NotFound`.

    >>> find("venues", "binance").name
    'binance.toml'
    """
    folder = Path() if folder is None else folder
    tried = [folder / name]
    if kind in SHIPPED_KINDS:
        if not name.endswith(
            (".toml", ".csv", ".csv.gz", ".parquet", ".json", ".json.gz", ".zip", ".feather", ".arrow", ".tsv", ".txt")
        ):
            tried.append(folder / f"{name}.toml")
        if Path(name).name == name:
            tried.append(shipped() / kind / (name if name.endswith(".toml") else f"{name}.toml"))
    present = [path for path in tried if exists(path)]
    if present:
        # a folder of that name does not hide the file; where there is nothing else, reading it says that it is a folder
        return next((path for path in present if not is_folder(path)), present[0])
    beside = names_in(folder)
    known = [*names(kind), *beside] if kind in SHIPPED_KINDS else beside
    shown = ", ".join(
        cut(str(path)) if path.parent != shipped() / kind else f"the shipped {kind} ({', '.join(names(kind))})" for path in tried
    )
    raise NotFound(f"no such file; tried {shown}", likely(name, known))


def likely(name: str, known: list[str]) -> str | None:
    """The known name that a name or path may have meant: what it ends in, where that is one, else the one spelt most like it.

    >>> likely("configs/venues/binance.toml", ["binance", "bybit"]), likely("bybt", ["binance", "bybit"])
    ('binance', 'bybit')
    """
    last = Path(name[-1000:])
    return next((end for end in (last.name, last.stem) if end in known and end != name), None) or nearest(last.name, known)


def stem(path: str | Path) -> str:
    """A data file's name without folder and endings.

    >>> stem("a/b_1h.csv.gz")
    'b_1h'
    """
    name = Path(path).name
    for ending in (".gz", ".csv", ".parquet"):
        name = name.removesuffix(ending)
    return name
