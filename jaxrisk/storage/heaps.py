"""The heaps of an HDF5 file, where its texts are, looked at before HDF5 reads them: on some that are damaged it never ends."""

import struct
from pathlib import Path
from typing import BinaryIO

_MARK = b"GCOL\x01\x00\x00\x00"
_HEAD = 16
"""Bytes before the first object of a heap, and before what is in each object."""
_PART, _LARGE = 2**22, 2**20


def look(path: Path, arrays: list[tuple[int, int]]) -> None:
    """Walk through every heap as HDF5 does.

    **Arguments:** `arrays`: where numbers are in the file, first byte and how many; large ones are not searched.

    **Raises:** `ValueError` for a heap with an object that has no end, or one beyond the heap's.
    """
    with open(path, "rb") as file:
        at, size = 0, path.stat().st_size
        for first, length in [*sorted(one for one in arrays if one[1] >= _LARGE), (size, 0)]:
            while 0 <= (found := _next(file, at, first)):
                at = _walked(file, found)
            at = max(at, first + length)


def _next(file: BinaryIO, at: int, until: int) -> int:
    """Where the next heap begins, -1 where there is none."""
    while at < until:
        file.seek(at)
        part = file.read(min(_PART, until - at) + len(_MARK) - 1)
        if (found := part.find(_MARK)) >= 0:
            return at + found
        at += _PART
    return -1


def _walked(file: BinaryIO, heap: int) -> int:
    """The end of a heap, after a walk from object to object; the last, of number 0, is what is free."""
    file.seek(heap)
    size = int.from_bytes(file.read(_HEAD)[8:], "little")
    file.seek(heap)
    content, at = file.read(min(size, 2**30)), _HEAD
    if not _HEAD <= size <= len(content):
        raise ValueError("a heap of texts is cut off")
    while at + _HEAD <= size:
        number, _, _, length = struct.unpack_from("<HHIQ", content, at)
        needed = _HEAD + -(-length // 8) * 8 if number else length
        if not _HEAD <= needed <= size - at:
            raise ValueError("the length of a text is damaged")
        at += needed
    return heap + size


__all__ = ["look"]
