"""Whole histories of prices under a law, as hourly bars: as long as the record, many side by side."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ...cascade.bridge import between
from ...cascade.noise import normal, seed_key, uniform, words
from ...market import AbstractMarket
from .bars import HOURS, DayBars

PER_HOUR = 4
"""Steps an hour; between them the price is a Brownian bridge, apart from jumps."""


class Histories(NamedTuple):
    """`bars`: log prices, `(4, histories, days, 24)`, open, high, low and close of each hour; `states`: the law's when each day
    begins, leaves of shape `(days, histories, ...)`."""

    bars: np.ndarray
    states: Any

    def record(self, which: int, missing: np.ndarray) -> DayBars:
        """One history with the holes of a record, `(days, 24)`."""
        bars = np.where(missing, np.nan, self.bars[:, which])
        return DayBars(np.datetime64(0, "D"), *bars)


def histories(market: AbstractMarket, days: int, count: int, seed: int = 0) -> Histories:
    """Simulate a law of one asset, each history from a start of its own where the law has such.

    **Arguments:** `market`: its parameters may change without a new program; `days`, `count`: of each, and how many; `seed`.
    """
    return several_histories([market], days, count, seed)[0]


def several_histories(markets: Sequence[AbstractMarket], days: int, count: int, seed: int = 0) -> list[Histories]:
    """As `histories`, of laws that differ in numbers alone, all side by side and from the same noise."""
    stacked = jax.tree.map(lambda *x: jnp.stack([jnp.asarray(each, jnp.float32) for each in x]), *markets)
    bars, states = _run(stacked, seed_key(seed), days, count)
    bars, states = np.asarray(bars), jax.tree.map(np.asarray, states)
    of = lambda k: jax.tree.map(lambda x: x[k], states)
    return [Histories(np.moveaxis(bars[k].astype(np.float64), -1, 1), of(k)) for k in range(len(markets))]


@eqx.filter_jit
def _run(markets, key, days: int, count: int):
    return jax.vmap(lambda market: _of_one(market, key, days, count))(markets)


def _of_one(market, key, days: int, count: int):
    constants = market.prepare(jnp.float32(1.0 / (365 * HOURS * PER_HOUR)))
    shape = market.noise()
    width, lanes = shape.normals + shape.uniforms + 2, jnp.arange(count, dtype=jnp.uint32)

    def one_step(carry, lane, index):
        state, price = carry
        drawn = words(key, lane, jnp.uint32(index) + jnp.uint32(1), width)
        normals = jnp.stack([normal(word, jnp.float32) for word in drawn[: shape.normals]])
        rest = jnp.stack([uniform(word, jnp.float32) for word in drawn[shape.normals :]])
        state, move = market.step(constants, state, normals, rest[: shape.uniforms], jnp.int32(0))
        inside = between(move.diffusion, move.variance, rest[None, shape.uniforms :])
        after = price + move.diffusion[0] + move.jump[0]
        return (state, after), jnp.minimum(price + inside.low[0], after), jnp.maximum(price + inside.high[0], after)

    def step(carry, index):
        begin = carry[1]
        carry, low, high = jax.vmap(one_step, in_axes=(0, 0, None))(carry, lanes, index)
        return carry, (begin, high, low, carry[1])

    def day(carry, index):
        state = carry[0]
        carry, bars = jax.lax.scan(step, carry, index * (HOURS * PER_HOUR) + jnp.arange(HOURS * PER_HOUR))
        first, high, low, last = (x.reshape(HOURS, PER_HOUR, count) for x in bars)
        return carry, (jnp.stack([first[:, 0], jnp.max(high, 1), jnp.min(low, 1), last[:, -1]]), state)

    state = _begin(market, constants, key, lanes)
    _, (bars, states) = jax.lax.scan(day, (state, jnp.zeros(count)), jnp.arange(days))
    return jnp.moveaxis(bars, 1, 0), states


def _begin(market, constants, key, lanes):
    """States at the start, each drawn where the law draws them."""
    first = market.noise().first
    if first == 0:
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (len(lanes), *jnp.shape(x))), market.init(constants))

    def one(lane):
        drawn = words(key, lane, jnp.uint32(0), first)
        return market.init(constants, jnp.stack([uniform(word, jnp.float32) for word in drawn]))

    return jax.vmap(one)(lanes)


__all__ = ["PER_HOUR", "Histories", "histories", "several_histories"]
