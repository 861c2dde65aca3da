"""Several scenarios on the same paths: noise is drawn once, and each market moves once, for all that share it.

A run of steps (a tile) of a block of paths is drawn and kept; then each scenario takes its paths through that tile, one scenario
after the other, so that its own state stays in the cache. What each goes through is a program of its own scenario alone, the same
whoever else is run beside it: so are its bits.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._interrupt import answers
from .blocks import LEAST, block_size, in_precision, joined
from .devices import on, placed
from .engine import COUNTERS, book_numbers, outcome, seed_key
from .over_paths import OverPaths, inward, outward, over_paths
from .room import Room
from .source import AbstractSource, draw
from .state import Prepared, State
from .step import exogenous, respond, start
from .vectors import compiled

TILE_BYTES = {"cpu": 2**24}
"""Bytes of noise and moves that are kept at a time, by platform."""
TILE_BYTES_DEFAULT = 2**28
LONGEST = 360
"""Steps of a tile at most: beyond, a call's own cost is nothing beside what it does."""


STATE_NUMBERS = {"cpu": 2**26}
"""Numbers of the books' states of all scenarios in one block at most, by platform."""
STATE_NUMBERS_DEFAULT = 2**31
MOST = 16
"""Scenarios that are run together at most: beyond, what is shared is next to nothing of what each costs."""


class Market(NamedTuple):
    """What moves the same prices: `prepared`: of any scenario of it; `cells`: which scenarios are."""

    prepared: Prepared
    cells: tuple[int, ...]


def markets(cells: Sequence[Prepared]) -> list[Market]:
    """The distinct markets of some scenarios that take the same noise."""
    found: list[Market] = []
    for place, cell in enumerate(cells):
        same = next((k for k, one in enumerate(found) if _alike(_mover(one.prepared), _mover(cell))), None)
        if same is None:
            found.append(Market(cell, (place,)))
        else:
            found[same] = found[same]._replace(cells=(*found[same].cells, place))
    return found


def same_noise(one: Prepared, other: Prepared) -> bool:
    """Whether two scenarios take the same numbers from the same seed, paths and steps."""
    return _noise(one) == _noise(other)


def _noise(prepared: Prepared) -> tuple[Any, ...]:
    settings = prepared.scenario.settings
    return prepared.scenario.market.noise(), prepared.decay.shape, prepared.decay.dtype, settings.steps, settings.bridge


def _mover(prepared: Prepared) -> Any:
    scenario = prepared.scenario
    return scenario.market, prepared.market, scenario.given, scenario.settings.years_per_step


def _alike(one: Any, other: Any) -> bool:
    numbers, others = jax.tree.leaves(one), jax.tree.leaves(other)
    if jax.tree.structure(one) != jax.tree.structure(other):
        return False
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(numbers, others, strict=True))


def most_together(prepared: Prepared) -> int:
    """How many scenarios like this one are run together at most."""
    room = STATE_NUMBERS.get(jax.default_backend(), STATE_NUMBERS_DEFAULT) // max(
        1, book_numbers(prepared) * block_size(prepared)
    )
    return max(1, min(MOST, room))


def range_losses(
    pool: Any, cells: Sequence[Prepared], seed: int, first: int, count: int, tell: Callable[[], None] | None = None
) -> list[dict[str, np.ndarray]]:
    """Losses of one range of paths in every cell, blocks on a pool of threads: the bits of `blocks.range_losses` of each.

    **Arguments:** `cells`: scenarios that take the same noise; `tell`: called, by any thread, when a block is done.
    """
    size, shared, double = block_size(cells[0]), markets(cells), cells[0].decay.dtype == jnp.float64
    smallest = min(size, LEAST)
    everything, room = placed((tuple(cells), tuple(shared), seed_key(seed))), Room(size // smallest)
    devices, what = jax.local_devices(), f"{smallest:,} paths of {len(cells)} scenarios"

    def one(begin: int) -> list[dict[str, np.ndarray]]:
        wanted = min(size, count - begin)
        # the last block is filled up with copies of its last path, which are cut off again
        paths = (first + begin + np.minimum(np.arange(size), wanted - 1)).astype(np.uint32)
        turn = begin // size % len(devices)
        mine, of_markets, key = everything[turn]

        def piece(at: int, length: int) -> list[dict[str, np.ndarray]]:
            some = paths[at : at + length]
            some = jnp.asarray(some) if len(devices) == 1 else on(some, devices[turn])
            return [_on_host(one) for one in in_precision(double, block_losses, mine, of_markets, key, some)]

        def whole(parts: int) -> list[dict[str, np.ndarray]]:
            pieces = [piece(at, size // parts) for at in range(0, size, size // parts)]
            return [joined([one[k] for one in pieces]) for k in range(len(cells))]

        losses = [{name: values[:wanted] for name, values in one.items()} for one in room.run(whole, what)]
        if tell is not None:
            tell()
        return losses

    parts = answers(pool, one, range(0, count, size))
    return [joined([part[k] for part in parts]) for k in range(len(cells))]


def _on_host(losses: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(values) for name, values in losses.items()}


def tile_steps(prepared: Prepared, paths: int) -> int:
    """Steps of a tile: as even as they go into the whole, and no more than there is room for."""
    steps, item = prepared.scenario.settings.steps, prepared.decay.dtype.itemsize
    noise = jax.eval_shape(lambda: draw(prepared, (jnp.uint32(0), jnp.uint32(0)), jnp.uint32(0), jnp.int32(0)))
    numbers = sum(math.prod(x.shape) for x in jax.tree.leaves(noise)) + 3 * prepared.decay.shape[0]
    room = TILE_BYTES.get(jax.default_backend(), TILE_BYTES_DEFAULT) // max(1, numbers * item * paths)
    return math.ceil(steps / math.ceil(steps / max(1, min(LONGEST, room))))


def block_losses(
    cells: Sequence[Prepared], shared: Sequence[Market], key: Any, paths: Any, source: AbstractSource = COUNTERS
) -> list[dict[str, Any]]:
    """Losses of one block of paths in every cell.

    **Arguments:** `cells`: scenarios that take the same noise; `shared`: their `markets`; the rest as of `run_block`.
    """
    first = cells[0]
    steps, length = first.scenario.settings.steps, tile_steps(first, len(paths))
    uniforms, memory = _begun(first, key, paths, source)
    moved = [_market(one.prepared, uniforms) for one in shared]
    states = [_started(cell, uniforms) for cell in cells]
    for begin in range(0, steps, length):
        index, count = np.int32(begin), np.int32(min(length, steps - begin))
        noise, memory = _noise_tile(first, key, paths, memory, index, length, source)
        for k, one in enumerate(shared):
            moved[k], moves = _market_tile(one.prepared, moved[k], noise, index, length)
            for place in one.cells:
                states[place] = _cell_tile(cells[place], states[place], moves, noise.bridge, index, count)
    said = source.losses(memory)
    return [_finished(cell, state) | said for cell, state in zip(cells, states, strict=True)]


@compiled
def _begun(prepared, key, paths, source):
    uniforms, memory = jax.vmap(lambda path: source.start(prepared, key, path))(paths)
    return uniforms, inward(memory)


@compiled
def _market(prepared, uniforms):
    return inward(jax.vmap(lambda drawn: prepared.scenario.market.init(prepared.market, drawn[1:]))(uniforms))


@compiled
def _started(prepared, uniforms) -> State:
    states = jax.vmap(lambda drawn: start(prepared, drawn)._replace(market=()))(uniforms)
    return _responding(prepared).inward(states)


@compiled
def _noise_tile(prepared, key, paths, memory, first, length: int, source) -> tuple[Any, Any]:
    each = OverPaths(lambda path, kept, index: source.step(prepared, key, path, kept, index), -1)
    apart = inward(paths)

    def body(memory, index):
        noise, memory = each(apart, memory, common=(index,))
        return memory, noise

    memory, noise = jax.lax.scan(body, memory, first + jnp.arange(length, dtype=jnp.int32))
    return noise, memory


@compiled
def _market_tile(prepared, market, noise, first, length: int) -> tuple[Any, Any]:
    each = OverPaths(lambda state, one, index: exogenous(prepared, state, one, index), -1)

    def body(market, now):
        drawn, index = now
        return each(market, drawn, common=(index,))

    return jax.lax.scan(body, market, (noise, first + jnp.arange(length, dtype=jnp.int32)))


@compiled
def _cell_tile(prepared, states: State, moves, bridge, first, count) -> State:
    each = _responding(prepared)

    def body(step, states):
        now = jax.tree.map(lambda x: x[step], (moves, bridge))
        # noise and moves are kept with the paths last, whatever the book
        return each(states, *(now if each.axis == -1 else each.inward(outward(now))), common=(first + step,))

    return _without_idle(states, jax.lax.fori_loop(0, count, body, states))


def _without_idle(before: State, after: State) -> State:
    """The state after a tile, with what nobody reads as it was before: the compiler then leaves out what computes it, as it does
    where a whole path is one program."""
    seen, old = after.seen, before.seen
    idle = lambda now, then: now._replace(trough=then.trough)
    seen = seen._replace(
        index_without=idle(seen.index_without, old.index_without), asset_without=idle(seen.asset_without, old.asset_without)
    )
    return after._replace(seen=seen, recent_low=before.recent_low, recent_high=before.recent_high)


@compiled
def _finished(prepared, states: State) -> dict[str, Any]:
    return jax.vmap(lambda state: outcome(prepared, state))(_responding(prepared).outward(states))


def _responding(prepared: Prepared) -> OverPaths:
    respond_to = lambda state, move, bridge, index: respond(prepared, state, move, bridge, index)
    return over_paths(respond_to, book_numbers(prepared))


__all__ = ["MOST", "Market", "block_losses", "markets", "most_together", "range_losses", "same_noise", "tile_steps"]
