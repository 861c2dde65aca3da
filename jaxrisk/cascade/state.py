"""Where a path is, and what does not change along it."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array
from ..positions import AbstractBook, View
from .backstop import FundState
from .breaker import BreakerState
from .depth import DepthState
from .observe import Observation, Realised


class Prepared(NamedTuple):
    """A scenario with everything computed that does not change along a path; `by_leverage`: the book with accounts by leverage in
    place of their class, which reads the other's state, None where nobody asks."""

    scenario: Any
    book: AbstractBook
    market: Any
    depth: Any
    decay: Float[Array, " assets"]
    basis_decay: Float[Array, " venues"]
    engine_share: Float[Array, " venues"]
    index_weight: Float[Array, " assets"]
    newest: Float[Array, ""] | None
    pace: tuple[Float[Array, " assets"], Float[Array, " assets"]] | None = None
    by_leverage: AbstractBook | None = None


class Noise(NamedTuple):
    """What one step consumes: the process's `normals` and `uniforms`, and the uniforms of the `bridge` (`bridge.numbers`)."""

    normals: Float[Array, " normals"]
    uniforms: Float[Array, " uniforms"]
    bridge: Float[Array, "assets numbers"] | None


class State(NamedTuple):
    """Where a path is. Log prices are relative to the initial price; displaced volumes in USD at the initial price.

    `fundamental`: before impact, with the shock; `price`: index price after impact; `mark` by venue; `low`, `high`: running
    extremes of the mark; `recent_low`, `recent_high`: since the last margin check; `transient`, `permanent`: displaced volume by
    the venue whose orders displaced it; `local`: in a venue's own book, by its own orders, and `leaked`, by those of others (on
    the first axis); `dislocation`: log of a venue's own exogenous move; `fund`: of the backstop; `realised`: volatility, trend.
    `pace`: average rate of net selling, USD a year, None without temporary impact; `halt`: of breakers, None without them.
    `leaked`, shape `(venues, venues, assets)`, and `dislocation`, `(venues, assets)`, are None where there is no such thing.
    """

    fundamental: Float[Array, " assets"]
    market: Any
    book: Any
    depth: DepthState | None
    transient: Float[Array, "venues assets"]
    permanent: Float[Array, "venues assets"]
    local: Float[Array, "venues assets"]
    leaked: Any
    dislocation: Any
    price: Float[Array, " assets"]
    mark: Float[Array, "venues assets"]
    low: Float[Array, "venues assets"]
    high: Float[Array, "venues assets"]
    recent_low: Float[Array, "venues assets"]
    recent_high: Float[Array, "venues assets"]
    shock_start: Float[Array, " assets"] | None
    shock_level: Float[Array, " assets"] | None
    fund: FundState | None
    realised: Realised | None
    seen: Observation
    pace: Float[Array, " assets"] | None = None
    halt: BreakerState | None = None

    def displaced(self) -> Float[Array, " assets"]:
        """Displaced volume of each asset, by the orders of all venues."""
        return jnp.sum(self.transient + self.permanent, axis=0)


def view(state: State, index, trades=None) -> View:
    """What the book sees; `trades`: which contracts trade, None where all do."""
    realised = state.realised or Realised.none(state.price)
    return View(
        state.mark,
        state.low,
        state.high,
        state.recent_low,
        state.recent_high,
        jnp.sqrt(realised.variance),
        realised.trend,
        index,
        trades,
    )
