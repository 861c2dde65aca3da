"""Arrays out of zip files that may hold anything: nothing is made of them that is larger than what the file holds."""

import math
import zipfile
from tokenize import TokenError
from typing import Any

import numpy as np

LARGEST = 2**33
"""Bytes of one array beyond which something is wrong."""


def array_in(archive: zipfile.ZipFile, entry: str) -> np.ndarray:
    """An array of numbers or text of fixed width.

    **Raises:** `ValueError`, `zipfile.BadZipFile`, `EOFError` where it is not one, or not of the size that it says.
    """
    refuse_packed(archive, entry)
    said = archive.getinfo(entry).file_size
    if said > LARGEST:
        raise ValueError(f"{entry} is larger than an array can be")
    with archive.open(entry) as member:
        shape, fortran, dtype = header_of(member)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or size < 0 or member.tell() + size != said:
            raise ValueError(f"{entry} is not of the size that it says")
        content = member.read(size + 1)
    if len(content) != size:
        raise ValueError(f"{entry} is not of the size that it says")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C").copy()


def refuse_packed(archive: zipfile.ZipFile, entry: str) -> None:
    """Raise `ValueError` for what is compressed: we compress nothing, and little can become much."""
    if archive.getinfo(entry).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{entry} is compressed")


def header_of(member: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape of an array from its beginning, whether its first axis varies fastest, and its type.

    **Raises:** `ValueError` where it is not one, or of another version of the format.
    """
    if np.lib.format.read_magic(member) != (1, 0):
        raise ValueError("an array of another version")
    try:
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(member)
    except (
        SyntaxError,
        TypeError,
        RecursionError,
        MemoryError,
        OverflowError,
        TokenError,
    ) as error:  # what is said of a header that is none
        raise ValueError(f"its header is none ({type(error).__name__})") from None
    return shape, fortran, dtype


__all__ = ["array_in", "header_of", "refuse_packed"]
