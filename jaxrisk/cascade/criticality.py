"""Criticality: how many further dollars each forced dollar sets off."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._leaf import Array
from .step import Prepared


class Fragility(NamedTuple):
    r"""The fragility map of each asset, $n(u) = h'(X(u))\,\rho(u)$.

    `rho` is the quantity triggered per unit of log price at a distance `u` and `X(u)` everything triggered up to there, so `n`
    is the number of further dollars that a forced dollar sets off when the mark has got to `u` and nothing has relaxed.
    `1/(1-n)` is the cascade multiplier, `n >= 1` runaway. It reaches from half to twice the initial price.

    - `log_price`: middle of each cell, shape `(sides, levels)`: below zero for longs, above for shorts.
    - `number`: `n`, shape `(assets, sides, levels)`.
    - `peak`, `peak_log_price`: the largest `n` below spot and where, shape `(assets,)`.
    - `runaway_log_price`: nearest log price below spot with `n >= 1`, `-inf` where there is none, shape `(assets,)`.
    """

    log_price: Float[Array, "sides levels"]
    number: Float[Array, "assets sides levels"]
    peak: Float[Array, " assets"]
    peak_log_price: Float[Array, " assets"]
    runaway_log_price: Float[Array, " assets"]


@eqx.filter_jit
def fragility(prepared: Prepared, bandwidth: float = 0.005) -> Fragility:
    """The fragility map of a prepared scenario, with normal depth, all venues together, each asset on its own.

    **Arguments:** `bandwidth`: distance over which the triggered density is averaged, log price, at least four cells of the grid:
    of a crowd of positions at one price, a finer density means nothing.
    """
    book, scenario = prepared.book, prepared.scenario
    grid = book.grid
    edges = grid.distance(jnp.arange(grid.cells + 1, dtype=book.quantity.dtype))
    middle = 0.5 * (edges[1:] + edges[:-1])
    middle = middle[: grid.cells_within(np.log(2.0))]
    total = jnp.sum(book.quantity, axis=0)
    at = lambda distance: jax.vmap(jax.vmap(lambda table: jnp.interp(distance, edges, table)))(total)
    wide = jnp.maximum(bandwidth, 4.0 * grid.width(middle))
    low, high = jnp.maximum(middle - wide / 2, 0.0), middle + wide / 2
    density = (at(high) - at(low)) / (high - low)
    volume = at(middle)
    impact = scenario.impact
    own = jnp.diagonal(impact.cross) * scenario.channels.feedback

    def slope(x):
        return jax.jvp(impact.law.displacement, (x,), (jnp.ones_like(x),))[1]

    each = jax.vmap(jax.vmap(slope, in_axes=-1, out_axes=-1), in_axes=1, out_axes=1)
    signed = volume * jnp.asarray([1.0, -1.0], volume.dtype)[:, None]
    number = each(signed) * own[:, None, None] * density
    longs = number[:, 0]
    where = jnp.argmax(longs, axis=-1)
    runaway = longs >= 1.0
    first = jnp.where(jnp.any(runaway, axis=-1), -middle[jnp.argmax(runaway, axis=-1)], -jnp.inf)
    return Fragility(jnp.stack([-middle, middle]), number, jnp.max(longs, axis=-1), -middle[where], first)
