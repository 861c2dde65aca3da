"""What a file is, by its content: whether we wrote it, and what to call it where we did not."""

import os
from collections.abc import Callable
from pathlib import Path

MARK = "jaxrisk"
"""What stands in every file that we write: in a picture's metadata, a JSON file's first key, a comment of TOML and reports."""
WRITTEN_BY = "Written by jaxrisk"
INFO = "info_json"
"""The variable of a netCDF file that makes it a result."""

TABLES = (
    "measure,statistic,estimate,",
    "name,value,unit,low,high,pathwise",
    "parameter,value,unit,gradient,standard_error,",
    "parameter,before,after,binding",
    "answer,observable,level,loss,distance_nats,",
    "observable,level,probability,standard_error,low,high,",
    "event,forecast,kind,quantity,observed",
    "date,days,forecast,quantity,observed",
    "scenario,cell,branch,weight,measure,unit,",
    "measure,part,value,standard_error,fraction,",
    "event,quantity,part,value,low,high,",
    "venue,asset,level,distance,low,high,",
)
"""How the first line of each table in CSV begins, which has no room for a mark."""

_HEAD = 65_536
_KINDS = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"CDF": "a netCDF file of version 3",
    b"\x89PNG\r\n\x1a\n": "a PNG picture",
    b"%PDF": "a PDF file",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x1f\x8b": "a gzip file",
    b"PK\x03\x04": "a zip file",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "an SQLite database",
    b"\x93NUMPY": "a NumPy array",
}
_ENDINGS = {
    ".toml": "a TOML file",
    ".csv": "a CSV table",
    ".json": "a JSON file",
    ".md": "a Markdown file",
    ".html": "an HTML page",
    ".svg": "an SVG picture",
    ".py": "a Python program",
}


def kind_of(path: Path) -> str:
    """What a file is, in two or three words."""
    head = _read(path, 0, _HEAD)
    if not head:
        return "an empty file"
    for start, words in _KINDS.items():
        if head.startswith(start):
            return words
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4 or b"\x00" in head:  # else a letter that was cut in two
            return "a file of a kind that is not known here"
        text = head[: error.start].decode("utf-8-sig")
    if "\x00" in text:
        return "a file of a kind that is not known here"
    if text.lstrip().startswith(("<svg", "<?xml")) and "<svg" in text:
        return "an SVG picture"
    if text.lstrip().lower().startswith(("<!doctype html", "<html")):
        return "an HTML page"
    return _ENDINGS.get(path.suffix.lower(), "a text file")


def is_ours(path: Path) -> bool:
    """Whether we wrote a regular file, so that `--force` may replace it; an empty one has nothing to lose.

    **Raises:** `OSError` where it cannot be read.
    """
    head = _read(path, 0, _HEAD)
    known: dict[bytes, Callable[[bytes], bool]] = {
        b"\x89HDF\r\n\x1a\n": lambda _: _is_result(path),
        b"\x89PNG\r\n\x1a\n": lambda head: b"Software\x00" + MARK.encode() in head,
        b"%PDF": lambda head: f"/Creator ({MARK}".encode() in head + _tail(path),
    }
    for start, recognised in known.items():
        if head.startswith(start):
            return recognised(head)
    text = head.decode("utf-8", "replace").lstrip("\ufeff")
    opening = text.lstrip()
    if opening.startswith(("<?xml", "<svg")):
        return f"<dc:title>{MARK}" in text
    if opening.lower().startswith("<!doctype html"):
        return f'<meta name="generator" content="{MARK}">' in text
    return not head or opening.startswith((f"# {WRITTEN_BY}", f"<!-- {WRITTEN_BY}", f'{{\n  "written_by": "{MARK}', *TABLES))


def _is_result(path: Path) -> bool:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return INFO in file
    except (OSError, RuntimeError, KeyError, ValueError):  # what h5py says of a file that is cut off or damaged
        return False


def _read(path: Path, start: int, count: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(count)


def _tail(path: Path) -> bytes:
    return _read(path, max(0, os.stat(path).st_size - _HEAD), _HEAD)


__all__ = ["INFO", "MARK", "TABLES", "WRITTEN_BY", "is_ours", "kind_of"]
