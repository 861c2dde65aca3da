"""Criticality: how many further dollars each forced dollar sets off."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._leaf import Array
from .state import Prepared


class Fragility(NamedTuple):
    r"""The fragility map of each asset, $n(u) = \frac{d}{du} h(X(u)) = h'(X(u))\,\rho(u)$.

    `X(u)` is everything triggered on the way from the initial price to a distance `u`, `rho` its density per unit of log price.
    So `n` is how much further the price falls for each unit that it has fallen, or how many further dollars a forced dollar
    sets off, when nothing has relaxed. `1/(1-n)` is the cascade multiplier, `n >= 1` runaway. It is a slope over a bandwidth:
    under a square-root law the slope at the first dollar alone is infinite and means nothing. It reaches from half to twice the
    initial price. Temporary impact, which hangs on the speed of execution, is left out.

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


def fragility(prepared: Prepared, bandwidth: float = 0.005) -> Fragility:
    """The fragility map of a prepared scenario, with normal depth, all venues together, each asset on its own.

    **Arguments:** `bandwidth`: distance over which the slope is taken, log price; at least four cells of the grid.
    """
    return _fragility(prepared, np.asarray(bandwidth, prepared.decay.dtype))


@eqx.filter_jit
def _fragility(prepared: Prepared, bandwidth) -> Fragility:
    book, scenario = prepared.book, prepared.scenario
    grid = scenario.grid
    edges = grid.distance(jnp.arange(grid.cells + 1, dtype=prepared.decay.dtype))
    middle = 0.5 * (edges[1:] + edges[:-1])
    middle = middle[: grid.cells_within(np.log(2.0))]
    total = jnp.sum(book.triggered(edges), axis=0)
    at = lambda distance: jax.vmap(jax.vmap(lambda table: jnp.interp(distance, edges, table)))(total)
    wide = jnp.maximum(bandwidth, 4.0 * grid.width(middle))
    low, high = jnp.maximum(middle - wide / 2, 0.0), middle + wide / 2
    impact = scenario.impact
    own = jnp.diagonal(impact.cross) * scenario.channels.feedback
    each = jax.vmap(jax.vmap(impact.law.displacement, in_axes=-1, out_axes=-1), in_axes=1, out_axes=1)
    # selling of longs is positive, buying of shorts negative; either way the price goes on in the direction it came from
    sign = jnp.asarray([1.0, -1.0], middle.dtype)[:, None]
    number = own[:, None, None] * sign * (each(sign * at(high)) - each(sign * at(low))) / (high - low)
    longs = number[:, 0]
    where = jnp.argmax(longs, axis=-1)
    runaway = longs >= 1.0
    first = jnp.where(jnp.any(runaway, axis=-1), -middle[jnp.argmax(runaway, axis=-1)], -jnp.inf)
    return Fragility(jnp.stack([-middle, middle]), number, jnp.max(longs, axis=-1), -middle[where], first)
