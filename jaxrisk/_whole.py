"""Files that appear under their name when all of them is there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """A file beside `path`, of the same ending, to write to: it takes the name at the end, or is removed where that fails.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> with whole(path) as beside:
    ...     written = beside.write_text("x")
    >>> path.read_text(), [file.name for file in path.parent.iterdir()]
    ('x', ['a.csv'])
    """
    path = Path(path)
    beside = path.with_name(f".{path.stem[:100]}.{os.getpid()}{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    except OSError as error:
        error.filename = str(path)  # the name that the user knows
        raise
    finally:
        beside.unlink(missing_ok=True)


__all__ = ["whole"]
