"""What is observed along a path: running statistics only."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Float, Int

from .._leaf import Array


class Drawdown(NamedTuple):
    """Running maximum of a log price, deepest fall below it so far, and the step at which that was reached."""

    high: Float[Array, "..."]
    deepest: Float[Array, "..."]
    trough: Int[Array, "..."]

    @staticmethod
    def start(shape, dtype) -> "Drawdown":
        """At time zero, at log price zero."""
        zero = jnp.zeros(shape, dtype)
        return Drawdown(zero, zero, jnp.zeros(shape, jnp.int32))

    def observe(self, low, high, index) -> "Drawdown":
        """Over one step whose log price ran between `low` and `high` (equal where only its end is known)."""
        fall = self.high - low
        deeper = fall > self.deepest
        trough = jnp.where(deeper, index + 1, self.trough)
        return Drawdown(jnp.maximum(self.high, high), jnp.maximum(self.deepest, fall), trough)

    def fraction(self):
        """Deepest fall as a fraction of the running maximum, in [0, 1]."""
        return -jnp.expm1(-self.deepest)


class Observation(NamedTuple):
    """Running statistics of one path.

    `index` of the basket, `asset` by asset, and the same without feedback; `lowest` log price; `notional` liquidated by venue,
    asset and side, USD at execution; `minute` so far in this minute and its `peak`. Of several assets the basket is seen at the
    ends of steps only, also where the bridge finds the extremes of each asset.
    """

    index: Drawdown
    asset: Drawdown
    index_without: Drawdown
    asset_without: Drawdown
    lowest: Float[Array, " assets"]
    notional: Float[Array, "venues assets sides"]
    minute: Float[Array, ""]
    peak: Float[Array, ""]

    @staticmethod
    def start(venues: int, assets: int, dtype) -> "Observation":
        """At time zero."""
        one, each = Drawdown.start((), dtype), Drawdown.start((assets,), dtype)
        zero = jnp.zeros((), dtype)
        return Observation(one, each, one, each, jnp.zeros(assets, dtype), jnp.zeros((venues, assets, 2), dtype), zero, zero)


def log_index(log_price: Float[Array, " assets"], weight: Float[Array, " assets"]) -> Float[Array, ""]:
    """Log of a basket of fixed quantities over its initial value; the price itself where there is one asset."""
    if log_price.shape[0] == 1:
        return log_price[0]
    return jnp.log(jnp.sum(weight * jnp.exp(log_price)))
