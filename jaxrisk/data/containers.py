"""Where the bytes of a table are: in a file, packed or not, in an archive, in a folder, or in the files that a pattern means."""

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..paths import is_folder, names_in, readable
from .text import PEEK

ENDINGS = (
    ".csv",
    ".csv.gz",
    ".parquet",
    ".feather",
    ".arrow",
    ".zip",
    ".tsv",
    ".txt",
    ".json",
    ".json.gz",
    ".jsonl",
    ".ndjson",
    ".pq",
)
"""Of files that are looked for in a folder."""
OTHERS = (".xlsx", ".xls", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".pdf")
"""Endings of files of data that are not read, or not by their names."""
MOST_UNPACKED = 2**32
"""Bytes of one table when it is unpacked: a few kilobytes can be made to unpack to more than any memory."""
MOST_TIMES, FREE = 200, 2**26
"""Nor more than so many times its size as it is packed, from so many bytes on; tables of numbers are packed tenfold."""
_TOO_MUCH = f"is more than {MOST_UNPACKED / 2**30:g} GiB when it is unpacked; unpack it, or save it as Parquet"
_PATTERN = re.compile(r"[*?\[]")
_EXCEL = "xl/workbook.xml"
_WORKBOOK = "this is an Excel workbook: save the sheet as CSV"
_PACKED = "is packed by {}: unpack it, or pack it as gzip or zip"
_NOT_READ = {
    b"\xd0\xcf\x11\xe0": _WORKBOOK,
    b"BZh": _PACKED.format("bzip2"),
    b"\xfd7zXZ": _PACKED.format("xz"),
    b"\x28\xb5\x2f\xfd": _PACKED.format("zstd"),
    b"7z\xbc\xaf": _PACKED.format("7z"),
    b"Rar!": _PACKED.format("rar"),
    b"%PDF": "this is a PDF, not a table: save the table as CSV",
}
"""What is said of files by their first bytes."""


@dataclass(frozen=True)
class Source:
    """One table's bytes: `name` for messages, `open` begins anew, `head`: the first of them, `packed`: how they were."""

    name: str
    open: Callable[[], BinaryIO]
    head: bytes
    packed: str = ""
    path: Path | None = None


def is_pattern(name: str) -> bool:
    """Whether a name means several files.

    >>> is_pattern("btc/*.zip"), is_pattern("btc.csv")
    (True, False)
    """
    return bool(_PATTERN.search(name))


def is_data(name: str) -> bool:
    """Whether a file, by its name, may be a table or a document of one."""
    return name.lower().endswith(ENDINGS)


def files_of(path: Path) -> tuple[list[Path], list[str]]:
    """The files that a path means, in the order of their names, and what is said of those left out.

    Raises `ValueError` with a sentence where there are none.
    """
    if is_folder(path):
        inside = [path / name for name in names_in(path) if not name.startswith(".")]
        found = [one for one in inside if is_data(one.name) and not is_folder(one)]
        left = [one for one in inside if one not in found]
        if not found:
            text = f"none of the {len(left)} in it" if left else "it is empty"
            raise ValueError(f"is a folder; a file is needed, or a folder of files that end in {', '.join(ENDINGS)}: {text}")
        return found, [f"{len(left)} other files left out, such as {left[0].name}"] if left else []
    if is_pattern(path.name) and not path.exists():
        import fnmatch

        matching = [name for name in names_in(path.parent) if fnmatch.fnmatchcase(name, path.name)]
        found = [path.parent / name for name in matching if not is_folder(path.parent / name)]
        if not found:
            raise ValueError("means no file")
        return found, []
    return [path], []


def sources(path: Path) -> Iterator[Source]:
    """The tables of one file: itself, or each file of an archive. Raises `OSError` or `ValueError` with a sentence."""
    with readable(path), open(path, "rb") as file:
        head = file.read(PEEK)
    if not head and path.suffix.lower() in (".gz", ".zip", ".parquet", ".pq", ".feather", ".arrow"):
        raise ValueError("is empty")
    for begins, text in _NOT_READ.items():
        if head.startswith(begins):
            raise ValueError(text)
    if path.suffix.lower() == ".gz" or head[:2] == b"\x1f\x8b":
        yield _gzipped(path, head)
    elif head[:4] == b"PK\x03\x04" or path.suffix.lower() == ".zip":
        yield from _zipped(path)
    else:
        yield Source(str(path), lambda: _plain(path), head, path=path)


def _plain(path: Path) -> BinaryIO:
    import pyarrow as pa

    return pa.OSFile(str(path), "rb")  # type: ignore[return-value]


def _gzipped(path: Path, head: bytes) -> Source:
    try:
        with gzip.open(path, "rb") as file:
            inside = file.read(PEEK)
    except OSError as error:
        raise ValueError(f"is not a gzip file: {error}") from None
    except Exception as error:  # zlib's has no common base with the others
        raise ValueError(f"is not a whole gzip file: {error}") from None
    size = path.stat().st_size
    return Source(str(path), lambda: _Unpacked(gzip.open(path, "rb"), size), inside, "gzip", path)  # type: ignore[arg-type,return-value]


class _Unpacked(io.BufferedIOBase):
    """Unpacks on, never more than any table has; raises `ValueError` with a sentence where it cannot."""

    def __init__(self, file: Any, packed: int, more: Any = None):
        self._file, self._packed, self._more = file, packed, more
        self._most = min(MOST_UNPACKED, max(FREE, MOST_TIMES * packed))

    def read(self, size: int | None = -1) -> bytes:
        left = self._most + 1 - self._file.tell()
        try:
            found = self._file.read(left if size is None or size < 0 else min(size, left))
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
            raise ValueError(f"cannot be unpacked: {error}") from None
        if self._file.tell() > MOST_UNPACKED:
            raise ValueError(_TOO_MUCH)
        if self._file.tell() > self._most:
            raise ValueError(f"unpacks to more than {MOST_TIMES} times its {self._packed:,} bytes, as no table does; unpack it")
        return found

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        if self._more is not None:
            self._more.close()
        super().close()


def _member(path: Path, name: str) -> BinaryIO:
    """One file of an archive, unpacked while it is read."""
    archive = zipfile.ZipFile(path)
    packed = min(archive.getinfo(name).compress_size, path.stat().st_size)
    return _Unpacked(archive.open(name), packed, archive)  # type: ignore[return-value]


def _zipped(path: Path) -> Iterator[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
            if _EXCEL in names:
                raise ValueError(_WORKBOOK)
            tables = sorted(name for name in names if is_data(name) and not name.startswith("__MACOSX"))
            if not tables:
                raise ValueError(f"is an archive without a table in it; it has {', '.join(names[:5]) or 'nothing'}")
            for name in tables:
                if archive.getinfo(name).file_size > MOST_UNPACKED:
                    raise ValueError(f"{name} {_TOO_MUCH}")
                with archive.open(name) as member:
                    head = member.read(PEEK)
                if head[:4] == b"PK\x03\x04" or head[:2] == b"\x1f\x8b" or head.startswith(tuple(_NOT_READ)):
                    raise ValueError(f"{name} in it is packed too, or no table: unpack the archive")
                yield Source(f"{path}/{name}", lambda name=name: _member(path, name), head, "zip", path)
    except zipfile.BadZipFile as error:
        raise ValueError(f"is not a whole zip archive: {error}") from None
    except RuntimeError as error:  # one with a password
        raise ValueError(f"cannot be unpacked: {error}") from None
    except (OSError, EOFError, NotImplementedError, zlib.error) as error:
        raise ValueError(f"cannot be unpacked: {error}") from None


__all__ = ["ENDINGS", "OTHERS", "Source", "files_of", "is_data", "is_pattern", "sources"]
