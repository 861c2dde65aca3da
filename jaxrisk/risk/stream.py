r"""Losses that are not in memory: read part by part, as often as needed, and yet every measure is that of all of them.

Order statistics are exact. A float64 number is turned into a 64-bit one that is ordered alike; the numbers are counted by their
first 16 bits, then those in the counts where a wanted rank lies by their next 16, until what is left of each fits into memory and
is sorted. Memory is a part, the counts, and at most `COLLECTED` numbers, however many there are. Sums are of each part first, and
those are added without rounding: equal to sums in memory to the rounding of the latter.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .estimate import Estimate, skewed_interval

COLLECTED = 2**22
"""Numbers that are sorted in memory at most."""
_BITS = 16


class Stream:
    """One number a path, read part by part.

    **Arguments:** `parts`: makes an iterator of arrays of shape `(paths of the part,)`, the same each time; `size`: of them all.

    Only what is asked below is answered part by part; whoever takes it for an array (`numpy.asarray`) loads it whole.

    >>> numbers = np.arange(10.0)
    >>> stream = Stream(lambda: iter([numbers[:4], numbers[4:]]), 10)
    >>> stream.order_statistics([0, 7]).tolist(), stream.max()
    ([0.0, 7.0], 9.0)
    """

    def __init__(self, parts: Callable[[], Iterator[Any]], size: int):
        self._parts, self.size = parts, size
        self._counts: np.ndarray | None = None
        self._sum, self._least, self._most = 0.0, math.inf, -math.inf
        self._known: dict[int, float] = {}

    def __len__(self) -> int:
        return self.size

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = np.concatenate(list(self.parts())) if self.size else np.zeros(0)
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def parts(self) -> Iterator[np.ndarray]:
        """Float64 arrays of shape `(paths of the part,)`, in order."""
        for part in self._parts():
            yield np.asarray(part, np.float64)

    def map(self, function: Callable[[np.ndarray], Any]) -> "Stream":
        """A function of each number."""
        return Stream(lambda: (function(part) for part in self.parts()), self.size)

    def __mul__(self, factor: float) -> "Stream":
        return self if factor == 1.0 else self.map(lambda part: part * factor)

    def __gt__(self, level: float) -> "Stream":
        return self.map(lambda part: part > level)

    def every(self, first: int, step: int) -> "Stream":
        """Each `step`-th number from place `first` on."""

        def parts() -> Iterator[np.ndarray]:
            at = 0
            for part in self.parts():
                yield part[(first - at) % step :: step]
                at += len(part)

        return Stream(parts, len(range(first, self.size, step)))

    def min(self) -> float:
        """The least."""
        self._look()
        return self._least

    def max(self) -> float:
        """The greatest."""
        self._look()
        return self._most

    def mean(self) -> float:
        """The mean.

        **Raises:** `ValueError`, here and below, where numbers are not finite.
        """
        self._look()
        return self._sum / self.size

    def _look(self) -> None:
        """Read all once: sum, least, greatest, and counts by the first bits."""
        if self._counts is not None:
            return
        counts, sums, bad, first, at = np.zeros(2**_BITS, np.int64), [], 0, 0, 0
        for part in self.parts():
            if not np.isfinite(part).all():
                wrong = np.flatnonzero(~np.isfinite(part))
                bad, first = bad + wrong.size, first if bad else at + int(wrong[0])
            elif part.size:
                with np.errstate(over="ignore"):
                    sums.append(part.sum())
                self._least, self._most = min(self._least, float(part.min())), max(self._most, float(part.max()))
                counts += np.bincount((_keys(part) >> np.uint64(64 - _BITS)).astype(np.int64), minlength=2**_BITS)
            at += part.size
        if bad:
            raise ValueError(f"losses are not finite on {bad} of {self.size} paths, the first of them path {first}")
        if at != self.size:
            raise ValueError(f"losses have changed while they were read: {at:,} paths, where {self.size:,} were said")
        self._sum, self._counts = added(sums), counts

    def order_statistics(self, ranks: Any) -> np.ndarray:
        """The numbers of ranks from 0, the least, on: exactly those that sorting would give. Shape `(ranks,)`."""
        wanted = [int(rank) for rank in ranks]
        missing = sorted({rank for rank in wanted if rank not in self._known})
        if missing:
            self._select(missing)
        return np.array([self._known[rank] for rank in wanted])

    def _select(self, ranks: list[int]) -> None:
        self._look()
        left, prefixes, counts = np.array(ranks), np.zeros(1, np.uint64), np.asarray(self._counts)[None]
        of = np.zeros(len(ranks), int)  # in which row of the counts a rank is
        for level in range(1, 64 // _BITS + 1):
            beyond = np.cumsum(counts, axis=1)
            digits = np.array([np.searchsorted(beyond[row], rank, side="right") for row, rank in zip(of, left, strict=True)])
            left = left - np.where(digits > 0, beyond[of, np.maximum(digits - 1, 0)], 0)
            found = (prefixes[of] << np.uint64(_BITS)) | digits.astype(np.uint64)
            inside = {int(prefix): int(counts[row, digit]) for prefix, row, digit in zip(found, of, digits, strict=True)}
            prefixes, of = np.unique(found, return_inverse=True)
            shift = np.uint64(64 - level * _BITS)
            if level * _BITS == 64 or sum(inside.values()) <= COLLECTED:
                self._sorted(ranks, left, of, prefixes, shift, level * _BITS == 64)
                return
            counts = self._counted(prefixes, shift)

    def _counted(self, prefixes: np.ndarray, shift: np.uint64) -> np.ndarray:
        """Counts by the next bits of the numbers that begin with each prefix, shape `(prefixes, 2 ** 16)`."""
        counts = np.zeros(len(prefixes) << _BITS, np.int64)
        for part in self.parts():
            keys = _keys(part)
            row, kept = _rows(keys >> shift, prefixes)
            digit = ((keys[kept] >> (shift - np.uint64(_BITS))) & np.uint64(2**_BITS - 1)).astype(np.int64)
            counts += np.bincount((row << _BITS) | digit, minlength=counts.size)
        return counts.reshape(len(prefixes), -1)

    def _sorted(self, ranks: list[int], left: Any, of: Any, prefixes: np.ndarray, shift: np.uint64, all_bits: bool) -> None:
        """What is left of the numbers is collected and sorted; where all bits are known there is nothing to read."""
        if all_bits:
            self._known |= {rank: float(value) for rank, value in zip(ranks, _numbers(prefixes[of]), strict=True)}
            return
        collected, rows = [], []
        for part in self.parts():
            row, kept = _rows(_keys(part) >> shift, prefixes)
            collected.append(part[kept])
            rows.append(row)
        values, row = np.concatenate(collected), np.concatenate(rows)
        order = np.lexsort((values, row))
        begins = np.searchsorted(row[order], np.arange(len(prefixes)))
        for rank, place, within in zip(ranks, of, left, strict=True):
            self._known[rank] = float(values[order[begins[place] + within]])

    def not_above(self, levels: np.ndarray) -> np.ndarray:
        """How many numbers are at most each level, shape of `levels`."""
        self._look()
        count = np.zeros(levels.shape, np.int64)
        for part in self.parts():
            count += np.searchsorted(np.sort(part), levels, side="right")
        return count

    def of_influence(self, influence: Callable[[np.ndarray], np.ndarray], level: float, confidence: float) -> Estimate:
        """As `estimate.of_influence`, for a function of each number."""
        self._look()
        return influence_estimate(lambda: (influence(part) for part in self.parts()), self.size, level, confidence)


def influence_estimate(parts: Callable[[], Iterator[np.ndarray]], n: int, level: float, confidence: float) -> Estimate:
    """Estimate whose value is the mean of what `parts` yields, with its standard error and skewness-corrected interval."""
    value = added(part.sum() for part in parts()) / n
    second, third = [], []
    for part in parts():
        centred = part - value
        squared = centred * centred
        second.append(squared.sum())
        third.append((squared * centred).sum())
    variance = added(second) / (n - 1)
    constant = not variance > 1e-30 * value**2
    error = 0.0 if constant else math.sqrt(variance / n)
    skewness = 0.0 if constant else added(third) / n / variance**1.5
    low, high = skewed_interval(value, error, skewness / math.sqrt(n), confidence)
    return Estimate(float(value), float(error), float(low), float(high), level, n, float(n))


def added(sums: Iterable[Any]) -> float:
    """A sum without rounding; infinite where it is too large for a number."""
    sums = list(sums)
    try:
        return math.fsum(sums)
    except (OverflowError, ValueError):
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.sum(sums))


def _keys(numbers: np.ndarray) -> np.ndarray:
    """64-bit numbers in the order of float64 ones; both zeros are one."""
    bits = np.ascontiguousarray(numbers + 0.0).view(np.uint64)
    return np.where(bits >> np.uint64(63), ~bits, bits | np.uint64(1 << 63))


def _numbers(keys: np.ndarray) -> np.ndarray:
    """What `_keys` was made of."""
    return np.where(keys >> np.uint64(63), keys & np.uint64((1 << 63) - 1), ~keys).astype(np.uint64).view(np.float64)


def _rows(begins: np.ndarray, prefixes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which prefix those numbers have that have one, and which numbers these are."""
    place = np.minimum(np.searchsorted(prefixes, begins), len(prefixes) - 1)
    kept = prefixes[place] == begins
    return place[kept], kept


__all__ = ["COLLECTED", "Stream", "added", "influence_estimate"]
