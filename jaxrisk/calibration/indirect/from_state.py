"""Paths of a scenario's mechanics and positions from given states of its law, as hourly bars."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..._leaf import Array
from ...cascade import Prepared, prepare
from ...cascade.engine import scan_paths
from ...market import LogVariance
from ...market.start import Factors
from ...scenario import Scenario
from .bars import HOURS

MINUTES = 5
"""A step. What an engine does in seconds and what relaxes in a few minutes is averaged over it."""
STEPS_PER_DAY = HOURS * 60 // MINUTES


def ready_for_states(scenario: Scenario, law: LogVariance, factors: int, days: int = 1) -> Prepared:
    """A scenario of one asset under a law of so many `factors`, to be run for `days` by `from_states`."""
    settings = replace(scenario.settings, horizon=days / 365.0, steps=days * STEPS_PER_DAY, bridge=False)
    zero = np.zeros((1, factors))
    return prepare(replace(scenario, settings=settings, market=replace(law, start=Factors(zero, zero))))


@eqx.filter_jit
def from_states(ready: Prepared, key, begin: Float[Array, "paths factors"], paths):
    """Run each path from its state: log price and log price without forced orders after each step, and the law's variance a year
    there, each `(steps, paths)`; share of open interest closed, `(paths,)`.

    **Arguments:** `paths`: their numbers, uint32, which say their noise.
    """
    market = ready.scenario.market

    def one(state, path):
        initial = tuple(state[k][None] for k in range(state.shape[0]))
        mine = ready._replace(market=ready.market._replace(initial=initial))
        emit = lambda states: (states.price[0, 0], states.fundamental[0, 0], market.variance_at(states.market)[0, 0])
        (final, _), (price, fundamental, variance) = scan_paths(mine, key, path[None], emit=emit)  # type: ignore[misc]
        held = jnp.sum(ready.book.open_interest(ready.book.init())[..., 0])
        left = jnp.sum(ready.book.open_interest(jax.tree.map(lambda x: x[0], final.book))[..., 0])
        return price, fundamental, variance, 1.0 - left / held

    return jax.vmap(one, out_axes=-1)(begin, paths)


@jax.jit
def hourly_bars(price: Float[Array, "steps paths"], variance: Float[Array, "steps paths"], key):
    """Hourly open, high and low, log price, `(3, hours, paths)`; between two steps the price is a Brownian bridge of the law's
    variance, and what forced orders move it by within a step a straight line."""
    steps, paths = price.shape
    begin = jnp.concatenate([jnp.zeros((1, paths)), price[:-1]])
    uniform = jax.random.uniform(key, (2, steps, paths), minval=jnp.finfo(jnp.float32).tiny)
    spread = -2.0 * variance / (365.0 * STEPS_PER_DAY) * jnp.log(uniform)
    reach = jnp.sqrt((price - begin) ** 2 + spread)
    low, high = 0.5 * (begin + price - reach[0]), 0.5 * (begin + price + reach[1])
    hours = lambda x: x.reshape(-1, STEPS_PER_DAY // HOURS, paths)
    return jnp.stack([hours(begin)[:, 0], hours(high).max(1), hours(low).min(1)])


__all__ = ["MINUTES", "STEPS_PER_DAY", "from_states", "hourly_bars", "ready_for_states"]
