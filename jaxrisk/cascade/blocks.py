"""Many paths in compiled blocks of one length, on threads: losses of a range of paths, or of any paths."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._interrupt import answers, threads
from .devices import on, placed
from .engine import COUNTERS, book_numbers, seed_key
from .fused import BLOCK as BLOCK_FUSED, SHAPE
from .kernel import RUN
from .room import Room
from .source import AbstractSource
from .state import Prepared

BLOCK = {"cpu": 4096}
"""Paths a compiled block, by platform: fixed, so that results do not depend on how many paths are run together. On a CPU 4,096
keeps a block's state in the second-level cache: 15.8 ns a path-step on two cores, against 18.6 for 1,024 and 15.5 for 16,384."""
BLOCK_DEFAULT = 65_536
BLOCK_NUMBERS = {"cpu": 2**20}
"""Numbers of a book's state in one block at most, by platform: what a core's own cache holds."""
BLOCK_NUMBERS_DEFAULT = 2**28

LEAST = 64
"""Paths below which a block is not cut where a device has too little memory for it."""
_parts: dict[tuple, int] = {}
"""In how many parts blocks of a scenario's shapes had to be run in this process."""

SMALLEST = 256
"""Paths in the smallest block that paths picked out of a run are replayed in."""


def block_size(prepared=None, kernel: str = "scan") -> int:
    """Paths in one compiled block on the default device: a power of two, fewer where a path's book is large."""
    if kernel == "fused":
        return BLOCK_FUSED
    platform = jax.default_backend()
    most = BLOCK.get(platform, BLOCK_DEFAULT)
    if prepared is None:
        return most
    fits = BLOCK_NUMBERS.get(platform, BLOCK_NUMBERS_DEFAULT) // max(1, book_numbers(prepared))
    return max(16, min(most, 2 ** int(math.log2(max(1, fits)))))


def workers() -> int:
    """Blocks in flight at a time: one a core on a CPU, two on each accelerator so that it never waits for the host."""
    if jax.default_backend() != "cpu":
        return 2 * len(jax.local_devices())
    available = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return max(1, len(available))


@contextmanager
def numbers(double: bool) -> Iterator[None]:
    """64-bit numbers on or off, and arrays of fewer axes stretched to more, whatever the caller's own settings of JAX are."""
    with jax.enable_x64(double), jax.numpy_rank_promotion("allow"):
        yield


def in_precision(double: bool, function, *arguments):
    """Call with 64-bit numbers on or off, also from another thread, to which a setting made in this one does not reach."""
    with numbers(double):
        return function(*arguments)


def chunks(
    prepared: Prepared, seed: int, first: int, count: int, chunk: int, source: AbstractSource = COUNTERS, kernel: str = "scan"
) -> Iterator[dict[str, np.ndarray]]:
    """Losses of consecutive chunks of paths, in order, each a dictionary of arrays with the paths along the first axis.

    **Arguments:** `kernel`: `"scan"` or `"fused"`, as `kernel.chosen` says.
    """
    chunk = whole_blocks(prepared, chunk, kernel)
    with threads(workers()) as pool:
        for chunk_first in range(first, first + count, chunk):
            yield range_losses(pool, prepared, seed, chunk_first, min(chunk, first + count - chunk_first), source, kernel)


def whole_blocks(prepared: Prepared, chunk: int, kernel: str = "scan") -> int:
    """The least number of paths from `chunk` on that fills whole blocks: a block is what is compiled."""
    size = block_size(prepared, kernel)
    return math.ceil(chunk / size) * size


def range_losses(
    pool: Any, prepared: Prepared, seed: int, first: int, count: int, source: AbstractSource = COUNTERS, kernel: str = "scan"
) -> dict[str, np.ndarray]:
    """Losses of one range of paths, its blocks on a pool of threads: the same bits wherever the range begins and ends."""
    paths = np.arange(first, first + count).astype(np.uint32)
    return _gathered(pool, prepared, seed, paths, block_size(prepared, kernel), source, kernel)


def losses_of(prepared: Prepared, seed: int, paths: Any, source: AbstractSource = COUNTERS) -> dict[str, np.ndarray]:
    """Losses of any paths, in the order given.

    **Arguments:** `paths`: uint32 indices, shape `(paths,)`, or a pytree of arrays with the paths along their first axis, as the
    `source` takes them. Few paths are run in a smaller block than a whole run's, and may then differ from it in the last bit.
    """
    count = len(jax.tree.leaves(paths)[0])
    size = min(block_size(prepared), max(SMALLEST, 2 ** math.ceil(math.log2(max(1, count / workers())))))
    with threads(workers()) as pool:
        return _gathered(pool, prepared, seed, paths, size, source, "scan")


def _gathered(
    pool, prepared: Prepared, seed: int, paths: Any, size: int, source: AbstractSource, kernel: str
) -> dict[str, np.ndarray]:
    key, double = seed_key(seed), prepared.decay.dtype == jnp.float64
    count, devices = len(jax.tree.leaves(paths)[0]), jax.local_devices()
    shape, smallest = _shape(prepared, size), min(size, LEAST if kernel == "scan" else SHAPE.block)
    everything, room = placed((prepared, key, source)), Room(size // smallest, _parts.get(shape, 1))
    what = f"{smallest:,} paths of this scenario"

    def one(begin: int) -> dict[str, np.ndarray]:
        # the last block is filled up with copies of its last path, which are cut off again
        wanted = min(size, count - begin)
        places = begin + np.minimum(np.arange(size), wanted - 1)
        taken = jax.tree.map(lambda x: np.asarray(x)[places], paths)
        turn = begin // size % len(devices)
        mine, its_key, noise = everything[turn]

        def piece(at: int, length: int) -> dict[str, np.ndarray]:
            some = jax.tree.map(lambda x: x[at : at + length], taken)
            some = jax.tree.map(jnp.asarray, some) if len(devices) == 1 else on(some, devices[turn])
            return _on_host(in_precision(double, RUN[kernel], mine, its_key, some, noise))

        losses = room.run(lambda parts: joined([piece(at, size // parts) for at in range(0, size, size // parts)]), what)
        return {name: values[:wanted] for name, values in losses.items()}

    parts = answers(pool, one, range(0, count, size))
    if room.parts > 1:
        _parts[shape] = room.parts
    return joined(parts)


def parts_of(prepared: Prepared, kernel: str = "scan") -> int:
    """In how many parts this process has had to run blocks of such a scenario; one where there was memory for them."""
    return _parts.get(_shape(prepared, block_size(prepared, kernel)), 1)


def _shape(prepared: Prepared, size: int) -> tuple:
    return size, *(x.shape for x in jax.tree.leaves(prepared) if hasattr(x, "shape"))


def joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Losses of paths that follow each other as one."""
    return parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _on_host(losses: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(values) for name, values in losses.items()}


__all__ = [
    "block_size",
    "chunks",
    "in_precision",
    "joined",
    "losses_of",
    "numbers",
    "parts_of",
    "range_losses",
    "whole_blocks",
    "workers",
]
